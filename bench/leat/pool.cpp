// SPDX-License-Identifier: MIT

// Fork and join on one and more workers, with the programs of rivals/pool, and how late the timers of a loop are
// while its pool works.

#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/pool.hpp>
#include <leat/pool/parallel_sort.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench.hpp"
#include "trees.hpp"

namespace {

using namespace leat;

// Pieces of 10 ms for each processor, and timers of 1 ms beside them.
constexpr double lateWorkNs = 10e6;
constexpr unsigned lateTimerMs = 1;
constexpr std::size_t lateTimers = 500, lateRuns = 5;

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

Task<int> queens(Board board) {
  if (board.columns == wholeRow) co_return 1;
  const Places places = placesOf(board);
  if (places.count == 0) co_return 0;
  const auto child = [&](std::size_t i) { return queens(withQueen(board, places.bits[i])); };
  int count = 0;
  for (const int each : co_await fork(places.count, child)) count += each;
  co_return count;
}

Task<long> tree(std::uint64_t node) {
  const std::size_t children = childrenOf(node);
  if (children == 0) co_return 1;
  const auto child = [=](std::size_t i) { return tree(childOf(node, i)); };
  long count = 1;
  for (const long each : co_await fork(children, child)) count += each;
  co_return count;
}

/// c += a * b: each quadrant of c is the sum of two products.
Task<> multiply(Part c, Part a, Part b) {
  if (c.size == leafSize) {
    multiplyLeaf(c, a, b);
    co_return;
  }
  for (std::size_t k = 0; k < 2; ++k) {
    const auto quadrant = [=](std::size_t i) {
      return multiply(c.quadrant(i / 2, i % 2), a.quadrant(i / 2, k), b.quadrant(k, i % 2));
    };
    co_await fork(4, quadrant);
  }
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
  bench(name("queens_12"), queensBoards,
        [&] { check(syncWait(pool.run(queens, Board())) == queensSolutions); });
  const long nodes = countTree(treeRoot);
  bench(name("tree"), nodes, [&] { check(syncWait(pool.run(tree, treeRoot)) == nodes); });
  Matrix first(2);
  Matrix second(0.5);
  Matrix product(0);
  bench(name("matrix_512"), 1,
        [&] { syncWait(pool.run(multiply, product.whole(), first.whole(), second.whole())); });
  check(product.items.front() == product.items.back());
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

void computeFor(double ns) {
  for (const double end = nowNs() + ns; nowNs() < end;) keep(end);
}

/// Work for the pool, one piece after the other.
Promise<> offload(WorkStealingPool& pool, const bool& over) {
  const auto piece = [] { computeFor(lateWorkNs); };
  while (!over) co_await pool.run(piece);
}

/// How late a timer comes on a loop that keeps as many workers busy as there are processors.
Task<> lateness() {
  WorkStealingPool pool;
  bool over = false;
  std::vector<Promise<>> work;
  for (unsigned i = 0; i < pool.threads(); ++i) work.push_back(offload(pool, over));
  std::array<double, lateRuns> medians, worst;
  std::vector<double> late(lateTimers);
  for (std::size_t run = 0; run < lateRuns; ++run) {
    for (double& each : late) {
      const double due = nowNs() + 1e6 * lateTimerMs;
      co_await leat::sleep(lateTimerMs);
      each = nowNs() - due;
    }
    std::sort(late.begin(), late.end());
    medians[run] = late[lateTimers / 2];
    worst[run] = late[lateTimers * 99 / 100];
  }
  over = true;
  co_await all(std::move(work));
  reportMedian("timer_late_p50", medians.data(), lateRuns);
  reportMedian("timer_late_p99", worst.data(), lateRuns);
}

/// The memory of one alone.
void peakOf(const std::string& which) {
  WorkStealingPool pool({.threads = 2});
  if (which == "fork_fib") check(syncWait(pool.run(fib, fibOf)) == 832'040);
  if (which == "skynet_1e6") check(syncWait(pool.run(skynet, 0L, leaves)) == skynetSum);
  reportPeak((which + "_peak").c_str());
}

}  // namespace

int main(int, char** arguments) {
  if (arguments[1] != nullptr) {
    peakOf(arguments[1]);
    return 0;
  }
  for (const unsigned threads : threadCounts()) forkJoin(threads);
  const int code = leat::run(roundTrips);
  return code != 0 ? code : leat::run(lateness);
}
