// SPDX-License-Identifier: MIT
// mandelbrot: a picture in letters, its rows computed by all workers of the pool while the loop draws a progress bar
// on the terminal. With a file name it writes a picture in colours (PPM) of 1920 x 1080 instead.
#include <leat.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

using namespace leat;

int iterations(double x, double y, int most) {
  double re = 0;
  double im = 0;
  int n = 0;
  for (; n < most && re * re + im * im < 4; ++n) {
    const double next = re * re - im * im + x;
    im = 2 * re * im + y;
    re = next;
  }
  return n;
}

struct Picture {
  Picture(std::size_t w, std::size_t h) : width(w), height(h), points(w * h) {}
  std::size_t width;
  std::size_t height;
  std::vector<int> points;
  std::atomic<std::size_t> rows{0};
};

// [draw]
/// On the pool: each row is a call, and rows are divided among the workers.
void draw(Picture& picture, int most) {
  const auto row = [&](std::size_t y) {
    for (std::size_t x = 0; x < picture.width; ++x)
      picture.points[y * picture.width + x] = iterations(
          -2.2 + 3.2 * static_cast<double>(x) / static_cast<double>(picture.width),
          -1.2 + 2.4 * static_cast<double>(y) / static_cast<double>(picture.height), most);
    ++picture.rows;
  };
  parallelFor(picture.height, row, 1);
}

/// On the loop: it is free, so it can tell.
Task<> show(Picture& picture, bool& drawn) {
  if (::isatty(STDERR_FILENO) == 0) co_return;
  constexpr std::size_t width = 40;
  for (bool last = false; !last;) {
    co_await sleep(50);
    last = drawn;
    const std::size_t rows = picture.rows;
    const std::string bar(rows * width / picture.height, '#');
    std::fprintf(stderr, "\r[%-40s] %3zu %%", bar.c_str(), rows * 100 / picture.height);
  }
  std::fputs("\n", stderr);
}

Task<> compute(Picture& picture, int most) {
  bool drawn = false;
  Promise<> shown = show(picture, drawn);
  const auto work = [&picture, most] { draw(picture, most); };
  co_await WorkStealingPool::shared().run(work);
  drawn = true;
  co_await shown;
}
// [/draw]

Task<> letters() {
  Picture picture(72, 24);
  co_await compute(picture, 200);
  for (std::size_t y = 0; y < picture.height; ++y) {
    std::string line;
    for (std::size_t x = 0; x < picture.width; ++x) {
      const int n = picture.points[y * picture.width + x];
      line += n == 200 ? '@' : " .:-=+*%#"[std::min(n / 2, 8)];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::puts(line.c_str());
  }
}

/// What has left the circle early is blue, what stayed long yellow; what never left is black.
void appendColour(std::string& text, int n, int most) {
  const int warm = n == most ? 0 : std::min(255, n * 4);
  const int cold = n == most ? 0 : std::max(0, 160 - n * 2);
  for (const int part : {warm, warm * 3 / 4, cold}) text += static_cast<char>(part);
}

Task<> file(std::string path) {
  constexpr int most = 1000;
  Picture picture(1920, 1080);
  co_await compute(picture, most);
  std::string text = "P6 1920 1080 255\n";
  for (const int n : picture.points) appendColour(text, n, most);
  co_await fs::writeFile(path, text);
}

int main(int argc, char** argv) {
  if (argc < 2) return run(letters);
  return run([argv] { return file(argv[1]); });
}
