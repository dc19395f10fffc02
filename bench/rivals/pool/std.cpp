// SPDX-License-Identifier: MIT

// The programs of leat/pool.cpp without a library: plain recursion and loops on one thread, and the algorithms of the
// standard library with std::execution::par, which libstdc++ has done by oneTBB.

#include <tbb/global_control.h>

#include <algorithm>
#include <cstdlib>
#include <execution>
#include <numeric>
#include <vector>

#include "bench.hpp"
#include "trees.hpp"

namespace {

long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

long skynet(long number, long size) {
  if (size == 1) return number;
  const long part = size / 10;
  long sum = 0;
  for (long i = 0; i < 10; ++i) sum += skynet(number + i * part, part);
  return sum;
}

int queens(Board board) {
  if (board.columns == wholeRow) return 1;
  const Places places = placesOf(board);
  int count = 0;
  for (std::size_t i = 0; i < places.count; ++i) count += queens(withQueen(board, places.bits[i]));
  return count;
}

void multiply(Part c, Part a, Part b) {
  if (c.size == leafSize) return multiplyLeaf(c, a, b);
  for (std::size_t k = 0; k < 2; ++k)
    for (std::size_t i = 0; i < 4; ++i)
      multiply(c.quadrant(i / 2, i % 2), a.quadrant(i / 2, k), b.quadrant(k, i % 2));
}

void recursion() {
  // What does not change may not be computed once for all.
  volatile int n = fibOf;
  bench("fork_fib_1", fibForks, [&] { check(fib(n) == 832'040); });
  volatile long size = leaves;
  bench("skynet_1e6_1", skynetForks, [&] { check(skynet(0, size) == skynetSum); });
  bench("queens_12_1", queensBoards, [&] { check(queens(Board()) == queensSolutions); });
  const long nodes = countTree(treeRoot);
  bench("tree_1", nodes, [&] { check(countTree(treeRoot) == nodes); });
  Matrix first(2);
  Matrix second(0.5);
  Matrix product(0);
  bench("matrix_512_1", 1, [&] { multiply(product.whole(), first.whole(), second.whole()); });
  check(product.items.front() == product.items.back());
}

void algorithms(unsigned threads) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  const auto name = [threads](const char* what) {
    static char text[64];
    std::snprintf(text, sizeof text, "%s_%u", what, threads);
    return text;
  };
  std::vector<double> values(10'000'000, 0.5);
  bench(name("parallel_for_1e7"), 10'000'000, [&] {
    std::for_each(std::execution::par, values.begin(), values.end(),
                  [](double& value) { value = value * 0.5 + 1; });
  });
  bench(name("parallel_reduce_1e7"), 10'000'000,
        [&] { check(std::reduce(std::execution::par, values.begin(), values.end()) > 0); });
  std::vector<double> unsorted(values.size());
  std::uint32_t state = 1;
  for (double& each : unsorted) each = nextRandom(&state) * 65536.0 + nextRandom(&state);
  benchAfter(
      name("parallel_sort_1e7"), 10'000'000, [&] { values = unsorted; },
      [&] { std::sort(std::execution::par, values.begin(), values.end()); });
  check(std::is_sorted(values.begin(), values.end()));
}

}  // namespace

int main() {
  recursion();
  for (const unsigned threads : threadCounts()) algorithms(threads);
}
