// SPDX-License-Identifier: MIT
// word_count: the words of many files, counted on the pool while the loop reads the next files. Without
// arguments it makes a few files in a temporary folder and counts those.
//     word_count FILE...
#include <leat.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

using namespace leat;

using Counts = std::map<std::string, long>;
/// On a worker: it takes its text with it and touches nothing else.
Counts countWords(const Buffer& text) {
  Counts counts;
  std::string word;
  for (const char each : std::string(text.view()) + ' ') {
    if (std::isalpha(static_cast<unsigned char>(each))) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
    } else if (!word.empty()) {
      ++counts[word];
      word.clear();
    }
  }
  return counts;
}

// [count]
Promise<Counts> countFile(std::string path) {
  const Buffer text = co_await fs::readFile(path);
  co_return co_await WorkStealingPool::shared().run(countWords, text);
}

/// Up to eight files are read and counted at once, however many there are.
Task<Counts> countAll(std::vector<std::string> paths) {
  const auto perFile = readableFrom(std::move(paths)).map(countFile, {.concurrency = 8});
  Counts sum;
  while (auto counts = co_await perFile.next())
    for (const auto& [word, count] : *counts) sum[word] += count;
  co_return sum;
}
// [/count]

Task<> print(std::vector<std::string> paths) {
  std::vector<std::pair<long, std::string>> order;
  long words = 0;
  const Counts counts = co_await countAll(paths);
  for (const auto& [word, count] : counts) {
    order.emplace_back(-count, word);
    words += count;
  }
  std::sort(order.begin(), order.end());
  std::printf("%ld words, %zu of them different, in %zu files\n", words, order.size(),
              paths.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 5); ++i)
    std::printf("%8ld %s\n", -order[i].first, order[i].second.c_str());
}

Task<> demo() {
  const char* const words[] = {"wheel", "Water", "mill", "the", "stream", "leat", "stone", "grain"};
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-word-count-");
  std::vector<std::string> paths;
  unsigned state = 7;
  for (int file = 0; file < 20; ++file) {
    std::string text;
    for (int i = 0; i < 4000; ++i) {
      state = state * 1664525 + 1013904223;
      text += words[(state >> 29) & (state >> 26)];  // some come more often
      text += i % 11 == 10 ? ".\n" : " ";
    }
    paths.push_back(folder + "/" + std::to_string(file));
    co_await fs::writeFile(paths.back(), text);
  }
  co_await print(paths);
  co_await fs::rm(folder, {.recursive = true});
}

int main(int argc, char** argv) {
  if (argc < 2) return run(demo);
  return run([argc, argv] { return print({argv + 1, argv + argc}); });
}
