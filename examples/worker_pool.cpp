// SPDX-License-Identifier: MIT
// worker_pool: workers that are there before they are needed, each with a loop and a dictionary of its own. What takes
// too long is aborted, and a worker that a task brings down is replaced.
#include <leat.hpp>
#include <leat/worker_threads.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

using namespace leat;
using namespace leat::worker_threads;

// [task]
using Dictionary = std::map<std::string, std::string>;

/// Runs on a worker. The dictionary is the worker's own: no lock is needed to add to it.
Task<std::string> translate(std::string word, Dictionary& mine) {
  if (word == "crash") process::exit(3);             // ends this worker, not the program
  if (word == "endless") co_await sleep(1'000'000);  // its signal ends this
  co_await sleep(1);                                 // as a look-up elsewhere would take
  const auto found = mine.find(word);
  if (found == mine.end()) throw RangeError("no such word: " + word);
  co_return found->second;
}
// [/task]

// [use]
Task<> show(WorkerPool<std::string, std::string> pool, std::string word) {
  const auto answer = co_await asResult(pool.run(word));
  const std::string text = answer.ok() ? answer.value() : describe(answer.error());
  std::printf("%s: %s\n", word.c_str(), text.c_str());
}

Task<> translateAll() {
  Dictionary words{{"mill", "moulin"}, {"stream", "ruisseau"}, {"wheel", "roue"}};
  const WorkerPool<std::string, std::string> pool(translate, {.maxThreads = 2}, std::move(words));
  co_await pool.ready();
  for (const char* word : {"mill", "stream", "river", "crash", "wheel"}) co_await show(pool, word);
  const auto late = co_await asResult(withTimeout(20, pool.run("endless")));
  std::printf("endless: %s\n", describe(late.error()).c_str());
  std::vector<Promise<std::string>> all;
  for (int i = 0; i < 1000; ++i) all.push_back(pool.run(i % 2 == 0 ? "mill" : "wheel"));
  std::size_t letters = 0;
  for (Promise<std::string>& each : all) letters += (co_await each).size();
  std::printf("1000 words, %zu letters, by %u workers\n", letters, pool.statistics().threads);
  co_await pool.close();
}
// [/use]

int main() { return run(translateAll); }
