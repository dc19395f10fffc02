// SPDX-License-Identifier: MIT
// parallel_sort: a million numbers sorted by all workers of the pool, and by std::sort to compare. How long
// each takes goes to stderr.
#include <leat.hpp>
#include <leat/pool/parallel_sort.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

using namespace leat;

std::vector<std::uint32_t> numbers(std::size_t count) {
  std::vector<std::uint32_t> made(count);
  std::uint64_t state = 42;
  for (std::uint32_t& each : made) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    each = static_cast<std::uint32_t>(state >> 40);  // some come several times
  }
  return made;
}

template <class F>
void timed(const char* what, F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  std::fprintf(stderr, "%s: %.1f ms\n", what, time.count());
}

// [sort]
/// On a worker of the pool: the others steal halves of it.
std::vector<std::uint32_t> sorted(std::vector<std::uint32_t> values) {
  timed("parallelSort", [&] { parallelSort(values, std::less<>()); });
  return values;
}

Task<> compare() {
  std::vector<std::uint32_t> expected = numbers(1'000'000);
  const auto made = co_await WorkStealingPool::shared().run(sorted, expected);
  timed("std::sort", [&] { std::sort(expected.begin(), expected.end()); });
  std::printf("%zu numbers, %s\n", made.size(),
              std::is_sorted(made.begin(), made.end()) ? "sorted" : "not sorted");
  std::printf("the same as by std::sort: %s\n", made == expected ? "yes" : "no");
}
// [/sort]

int main() { return run(compare); }
