// SPDX-License-Identifier: MIT

// The programs of pool.cpp as coroutines on one thread, each awaited where it is made: what forks cost beyond that.

#include <leat/pool/sync_wait.hpp>
#include <leat/task.hpp>

#include <cstdlib>

#include "bench.hpp"
#include "trees.hpp"

namespace {

using namespace leat;

Task<long> fib(int n) {
  if (n < 2) co_return n;
  const long a = co_await fib(n - 1);
  const long b = co_await fib(n - 2);
  co_return a + b;
}

Task<long> skynet(long number, long size) {
  if (size == 1) co_return number;
  const long part = size / 10;
  long sum = 0;
  for (long i = 0; i < 10; ++i) sum += co_await skynet(number + i * part, part);
  co_return sum;
}

Task<int> queens(Board board) {
  if (board.columns == wholeRow) co_return 1;
  const Places places = placesOf(board);
  int count = 0;
  for (std::size_t i = 0; i < places.count; ++i)
    count += co_await queens(withQueen(board, places.bits[i]));
  co_return count;
}

Task<long> tree(std::uint64_t node) {
  long count = 1;
  const std::size_t children = childrenOf(node);
  for (std::size_t i = 0; i < children; ++i) count += co_await tree(childOf(node, i));
  co_return count;
}

}  // namespace

int main() {
  bench("fork_fib_1", fibForks, [] { check(syncWait(fib(fibOf)) == 832'040); });
  bench("skynet_1e6_1", skynetForks, [] { check(syncWait(skynet(0, leaves)) == skynetSum); });
  bench("queens_12_1", queensBoards, [] { check(syncWait(queens(Board())) == queensSolutions); });
  const long nodes = countTree(treeRoot);
  bench("tree_1", nodes, [=] { check(syncWait(tree(treeRoot)) == nodes); });
}
