// SPDX-License-Identifier: MIT
// multi_tail: follows several files at once, and prints what comes to them line by line, each with the name
// of its file, until SIGINT. All of them are pipes into one sink.
//     multi_tail FILE...
// Without arguments it follows files that it writes itself, in a temporary folder.
#include <leat.hpp>
#include <leat/transforms.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

using namespace leat;

// [tail]
/// What is in the file, and what comes to it until the signal.
AsyncGenerator<Buffer> follow(std::string path, AbortSignal stop) {
  auto watcher = co_await fs::watch(path);  // first, so that no change is missed
  auto file = co_await fs::open(path);
  std::int64_t position = 0;
  for (;;) {
    for (;;) {
      auto piece = co_await file.read({.position = position});
      if (piece.bytesRead == 0) break;
      position += static_cast<std::int64_t>(piece.bytesRead);
      co_yield piece.buffer.subarray(0, static_cast<std::ptrdiff_t>(piece.bytesRead));
    }
    if (stop.aborted()) co_return;
    (void)co_await asResult(withSignal(stop, watcher.next()));
  }
}

/// The lines of a file with its name in front of each, as a stream of its own.
Readable<std::string> named(std::string path, AbortSignal stop) {
  const auto name = path.substr(path.rfind('/') + 1);
  const Transform<std::string> naming([name](std::string line) { return name + ": " + line; });
  return compose(readableFrom(follow(path, stop)), LineSplitter(), naming);
}

/// Goes on when all files are done.
Task<> tail(std::vector<std::string> paths, AbortSignal stop, Writable<std::string> sink) {
  std::vector<Promise<>> ends;
  for (const std::string& path : paths) {
    const auto lines = named(path, stop);
    lines.pipe(sink, {.end = false});  // the others go on
    ends.push_back(finished(lines));
  }
  co_await all(ends);
}
// [/tail]

/// Prints lines, and says when there have been so many.
struct Printer {
  void write(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    ++*count;
  }
  std::shared_ptr<int> count;
};

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-multi-tail-");
  const std::vector<std::string> paths{folder + "/web.log", folder + "/db.log"};
  for (const std::string& path : paths) co_await fs::writeFile(path, "");
  auto count = std::make_shared<int>(0);
  const Writable<std::string> sink(Printer{count});
  const AbortController stop;
  Promise<> tailing = spawn(tail(paths, stop.signal(), sink));
  const char* const lines[] = {"GET /\n", "SELECT 1\n", "GET /cart\n", "INSERT 7\nCOMMIT\n"};
  int expected = 0;
  for (std::size_t i = 0; i < std::size(lines); ++i) {
    const std::string text = lines[i];
    expected += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    co_await fs::appendFile(paths[i % 2], text);
    while (*count < expected) co_await sleep(1);
  }
  stop.abort();
  co_await tailing;
  std::puts("stopped");
  co_await fs::rm(folder, {.recursive = true});
}

Task<> untilSignal(std::vector<std::string> paths) {
  const Writable<std::string> sink(Printer{std::make_shared<int>(0)});
  const AbortController stop;
  const auto onInt = onceSignal("SIGINT", [stop] { stop.abort(); });
  co_await tail(paths, stop.signal(), sink);
}

int main(int argc, char** argv) {
  if (argc < 2) return run(demo);
  return run([argc, argv] { return untilSignal({argv + 1, argv + argc}); });
}
