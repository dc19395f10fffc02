// SPDX-License-Identifier: MIT

// Fork and join on one and on two workers, with the programs of rivals/pool.

#include <leat/loop/run.hpp>
#include <leat/pool.hpp>
#include <leat/pool/parallel_sort.hpp>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "bench.hpp"

namespace {

using namespace leat;

constexpr int fibOf = 30;
constexpr long fibForks = 1'346'268;
constexpr long leaves = 1'000'000;
constexpr long skynetForks = 1'111'110;
constexpr long skynetSum = leaves * (leaves - 1) / 2;

Task<long> fib(int n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));
  co_return a + b;
}

long invokeFib(int n) {
  if (n < 2) return n;
  long a = 0;
  long b = 0;
  parallelInvoke([&] { a = invokeFib(n - 1); }, [&] { b = invokeFib(n - 2); });
  return a + b;
}

Task<long> skynet(long number, long size) {
  if (size == 1) co_return number;
  const long part = size / 10;
  const auto child = [=](std::size_t i) {
    return skynet(number + static_cast<long>(i) * part, part);
  };
  long sum = 0;
  for (const long each : co_await fork(10, child)) sum += each;
  co_return sum;
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

/// Forks in the first rows, where a piece is worth it.
Task<int> forkQueens(int n, int rows, unsigned columns, unsigned left, unsigned right) {
  if (rows == 0) co_return queens(n, columns, left, right);
  std::vector<Task<int>> tasks;
  for (unsigned free = ((1U << n) - 1) & ~(columns | left | right); free != 0; free &= free - 1) {
    const unsigned bit = free & (~free + 1);
    tasks.push_back(forkQueens(n, rows - 1, columns | bit, (left | bit) << 1, (right | bit) >> 1));
  }
  int count = 0;
  for (const int each : co_await fork(std::move(tasks))) count += each;
  co_return count;
}

void check(bool holds) {
  if (!holds) std::abort();
}

void forkJoin(unsigned threads) {
  WorkStealingPool pool({.threads = threads});
  const auto name = [threads](const char* what) {
    static char text[64];
    std::snprintf(text, sizeof text, "%s_%u", what, threads);
    return text;
  };
  bench(name("fork_fib"), fibForks, [&] { check(syncWait(pool.run(fib, fibOf)) == 832'040); });
  bench(name("invoke_fib"), fibForks,
        [&] { check(syncWait(pool.run(invokeFib, fibOf)) == 832'040); });
  bench(name("skynet_1e6"), skynetForks,
        [&] { check(syncWait(pool.run(skynet, 0L, leaves)) == skynetSum); });
  bench(name("queens_12"), 1,
        [&] { check(syncWait(pool.run(forkQueens, 12, 4, 0U, 0U, 0U)) == 14'200); });
  std::vector<double> values(10'000'000, 0.5);
  bench(name("parallel_for_1e7"), 10'000'000, [&] {
    syncWait(pool.run([&] {
      parallelFor(values.size(), [&](std::size_t i) { values[i] = values[i] * 0.5 + 1; });
    }));
  });
  bench(name("parallel_reduce_1e7"), 10'000'000, [&] {
    const double sum = syncWait(pool.run([&] {
      const auto at = [&](std::size_t i) { return values[i]; };
      return parallelReduce(values.size(), 0.0, at, std::plus<>());
    }));
    check(sum > 0);
  });
  std::vector<double> unsorted(values.size());
  std::uint32_t state = 1;
  for (double& each : unsorted) each = nextRandom(&state) * 65536.0 + nextRandom(&state);
  benchAfter(
      name("parallel_sort_1e7"), 10'000'000, [&] { values = unsorted; },
      [&] { syncWait(pool.run([&] { parallelSort(values); })); });
  check(std::is_sorted(values.begin(), values.end()));
}

Task<> roundTrips() {
  WorkStealingPool pool({.threads = 1});
  constexpr std::size_t trips = 20'000, repetitions = 5;
  std::array<double, repetitions> means, medians, worst;
  std::vector<double> times(trips);
  const auto nothing = [] {};
  for (std::size_t run = 0; run < repetitions; ++run) {
    means[run] = 0;
    for (double& time : times) {
      const double begin = nowNs();
      co_await pool.run(nothing);
      time = nowNs() - begin;
      means[run] += time / trips;
    }
    std::sort(times.begin(), times.end());
    medians[run] = times[trips / 2];
    worst[run] = times[trips * 99 / 100];
  }
  reportMedian("round_trip", means.data(), repetitions);
  reportMedian("round_trip_p50", medians.data(), repetitions);
  reportMedian("round_trip_p99", worst.data(), repetitions);
}

}  // namespace

int main() {
  forkJoin(1);
  forkJoin(2);
  return leat::run(roundTrips);
}
