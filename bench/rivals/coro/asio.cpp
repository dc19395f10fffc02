// SPDX-License-Identifier: MIT

// Asio's awaitable on one io_context: the peer that leat's Task is compared with.

#include <asio.hpp>

#include "bench.hpp"

namespace {

using asio::awaitable;
using asio::use_awaitable;

BENCH_NOINLINE awaitable<int> child(int i) { co_return i; }

BENCH_NOINLINE awaitable<int> yieldingChild(int i) {
  co_await asio::post(use_awaitable);
  co_return i;
}

BENCH_NOINLINE awaitable<int> chain(int depth) {
  if (depth == 0) co_return 1;
  co_return 1 + co_await chain(depth - 1);
}

BENCH_NOINLINE awaitable<void> count(long& sum) {
  ++sum;
  co_return;
}

BENCH_NOINLINE awaitable<void> awaitChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await child(static_cast<int>(i));
}

BENCH_NOINLINE awaitable<void> awaitYieldingChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await yieldingChild(static_cast<int>(i));
}

BENCH_NOINLINE awaitable<void> yieldOnly(long n) {
  for (long i = 0; i < n; ++i) co_await asio::post(use_awaitable);
}

BENCH_NOINLINE awaitable<void> awaitChains(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await chain(1000);
}

void run(awaitable<void> main) {
  asio::io_context io(1);
  asio::co_spawn(io, std::move(main), asio::detached);
  io.run();
}

void spawnAndJoin(long batches, long& sum) {
  asio::io_context io(1);
  for (long i = 0; i < batches; ++i) {
    for (int k = 0; k < 1000; ++k) asio::co_spawn(io, count(sum), asio::detached);
    io.run();
    io.restart();
  }
}

}  // namespace

int main() {
  long sum = 0;
  bench("await_sync_child", 3'000'000, [&] { run(awaitChildren(3'000'000, sum)); });
  bench("await_yield_child", 1'000'000, [&] { run(awaitYieldingChildren(1'000'000, sum)); });
  bench("yield_only", 1'000'000, [] { run(yieldOnly(1'000'000)); });
  bench("chain1000_per_level", 1'000'000, [&] { run(awaitChains(1000, sum)); });
  bench("spawn_join_1000", 1'000'000, [&] { spawnAndJoin(1000, sum); });
  keep(sum);
}
