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
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bench.hpp"
#include "trees.hpp"

namespace {

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

int queens(Board board) {
  if (board.columns == wholeRow) return 1;
  const Places places = placesOf(board);
  if (places.count == 0) return 0;
  int parts[queensOf];
  tbb::task_group group;
  for (std::size_t i = 0; i < places.count; ++i)
    group.run([&, i] { parts[i] = queens(withQueen(board, places.bits[i])); });
  group.wait();
  int count = 0;
  for (std::size_t i = 0; i < places.count; ++i) count += parts[i];
  return count;
}

long tree(std::uint64_t node) {
  const std::size_t children = childrenOf(node);
  if (children == 0) return 1;
  std::vector<long> parts(children);
  tbb::task_group group;
  for (std::size_t i = 0; i < children; ++i)
    group.run([&, i] { parts[i] = tree(childOf(node, i)); });
  group.wait();
  long count = 1;
  for (const long each : parts) count += each;
  return count;
}

void multiply(Part c, Part a, Part b) {
  if (c.size == leafSize) return multiplyLeaf(c, a, b);
  for (std::size_t k = 0; k < 2; ++k) {
    tbb::task_group group;
    for (std::size_t i = 0; i < 4; ++i)
      group.run(
          [=] { multiply(c.quadrant(i / 2, i % 2), a.quadrant(i / 2, k), b.quadrant(k, i % 2)); });
    group.wait();
  }
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
  bench(name("queens_12"), queensBoards,
        [&] { check(arena.execute([] { return queens(Board()); }) == queensSolutions); });
  const long nodes = countTree(treeRoot);
  bench(name("tree"), nodes, [&] { check(arena.execute([] { return tree(treeRoot); }) == nodes); });
  Matrix first(2);
  Matrix second(0.5);
  Matrix product(0);
  bench(name("matrix_512"), 1,
        [&] { arena.execute([&] { multiply(product.whole(), first.whole(), second.whole()); }); });
  check(product.items.front() == product.items.back());
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

// The memory of one alone.
void peakOf(const std::string& which) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 2);
  tbb::task_arena arena(2);
  if (which == "fork_fib") check(arena.execute([] { return fib(fibOf); }) == 832'040);
  if (which == "skynet_1e6") check(arena.execute([] { return skynet(0, leaves); }) == skynetSum);
  reportPeak((which + "_peak").c_str());
}

}  // namespace

int main(int, char** arguments) {
  if (arguments[1] != nullptr) {
    peakOf(arguments[1]);
    return 0;
  }
  for (const unsigned threads : threadCounts()) forkJoin(static_cast<int>(threads));
}
