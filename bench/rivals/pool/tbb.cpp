// SPDX-License-Identifier: MIT

// The programs of leat/pool.cpp on oneTBB.

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_invoke.h>
#include <tbb/parallel_reduce.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <vector>

#include "bench.hpp"

namespace {

constexpr int fibOf = 30;
constexpr long fibForks = 1'346'268;
constexpr long leaves = 1'000'000;
constexpr long skynetForks = 1'111'110;
constexpr long skynetSum = leaves * (leaves - 1) / 2;

long fib(int n) {
  if (n < 2) return n;
  long a = 0;
  long b = 0;
  tbb::task_group group;
  group.run([&] { a = fib(n - 1); });
  b = fib(n - 2);
  group.wait();
  return a + b;
}

long invokeFib(int n) {
  if (n < 2) return n;
  long a = 0;
  long b = 0;
  tbb::parallel_invoke([&] { a = invokeFib(n - 1); }, [&] { b = invokeFib(n - 2); });
  return a + b;
}

long skynet(long number, long size) {
  if (size == 1) return number;
  const long part = size / 10;
  long parts[10];
  tbb::task_group group;
  for (long i = 0; i < 10; ++i) group.run([&, i] { parts[i] = skynet(number + i * part, part); });
  group.wait();
  long sum = 0;
  for (const long each : parts) sum += each;
  return sum;
}

int queens(int n, unsigned columns, unsigned left, unsigned right) {
  const unsigned all = (1U << n) - 1;
  if (columns == all) return 1;
  int count = 0;
  for (unsigned free = all & ~(columns | left | right); free != 0; free &= free - 1) {
    const unsigned bit = free & (~free + 1);
    count += queens(n, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

int forkQueens(int n, int rows, unsigned columns, unsigned left, unsigned right) {
  if (rows == 0) return queens(n, columns, left, right);
  std::atomic<int> count{0};
  tbb::task_group group;
  for (unsigned free = ((1U << n) - 1) & ~(columns | left | right); free != 0; free &= free - 1) {
    const unsigned bit = free & (~free + 1);
    group.run([=, &count] {
      count += forkQueens(n, rows - 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    });
  }
  group.wait();
  return count;
}

void check(bool holds) {
  if (!holds) std::abort();
}

void forkJoin(int threads) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(threads));
  tbb::task_arena arena(threads);
  const auto name = [threads](const char* what) {
    static char text[64];
    std::snprintf(text, sizeof text, "%s_%d", what, threads);
    return text;
  };
  bench(name("fork_fib"), fibForks,
        [&] { check(arena.execute([] { return fib(fibOf); }) == 832'040); });
  bench(name("invoke_fib"), fibForks,
        [&] { check(arena.execute([] { return invokeFib(fibOf); }) == 832'040); });
  bench(name("skynet_1e6"), skynetForks,
        [&] { check(arena.execute([] { return skynet(0, leaves); }) == skynetSum); });
  bench(name("queens_12"), 1,
        [&] { check(arena.execute([] { return forkQueens(12, 4, 0, 0, 0); }) == 14'200); });
  std::vector<double> values(10'000'000, 0.5);
  bench(name("parallel_for_1e7"), 10'000'000, [&] {
    arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, values.size(),
                        [&](std::size_t i) { values[i] = values[i] * 0.5 + 1; });
    });
  });
  bench(name("parallel_reduce_1e7"), 10'000'000, [&] {
    const double sum = arena.execute([&] {
      return tbb::parallel_reduce(
          tbb::blocked_range<std::size_t>(0, values.size()), 0.0,
          [&](const tbb::blocked_range<std::size_t>& range, double part) {
            for (std::size_t i = range.begin(); i != range.end(); ++i) part += values[i];
            return part;
          },
          std::plus<>());
    });
    check(sum > 0);
  });
  std::vector<double> unsorted(values.size());
  std::uint32_t state = 1;
  for (double& each : unsorted) each = nextRandom(&state) * 65536.0 + nextRandom(&state);
  benchAfter(
      name("parallel_sort_1e7"), 10'000'000, [&] { values = unsorted; },
      [&] { arena.execute([&] { tbb::parallel_sort(values.begin(), values.end()); }); });
  check(std::is_sorted(values.begin(), values.end()));
}

}  // namespace

int main() {
  forkJoin(1);
  forkJoin(2);
}
