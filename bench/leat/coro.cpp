// SPDX-License-Identifier: MIT

// Task: awaiting, yielding through the loop's queue, deep chains, starting and joining many.

#include <leat/core/scope.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include "bench.hpp"

namespace {

using leat::Task;

BENCH_NOINLINE Task<int> child(int i) { co_return i; }

BENCH_NOINLINE Task<int> yieldingChild(int i) {
  co_await leat::yield();
  co_return i;
}

BENCH_NOINLINE Task<int> chain(int depth) {
  if (depth == 0) co_return 1;
  co_return 1 + co_await chain(depth - 1);
}

BENCH_NOINLINE Task<> count(long& sum) {
  ++sum;
  co_return;
}

BENCH_NOINLINE Task<> awaitChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await child(static_cast<int>(i));
}

BENCH_NOINLINE Task<> awaitYieldingChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await yieldingChild(static_cast<int>(i));
}

BENCH_NOINLINE Task<> yieldOnly(long n) {
  for (long i = 0; i < n; ++i) co_await leat::yield();
}

BENCH_NOINLINE Task<> awaitChains(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await chain(1000);
}

// Each batch is a scope, which ends when its thousand tasks have.
BENCH_NOINLINE Task<> spawnAndJoin(long batches, long& sum) {
  for (long i = 0; i < batches; ++i) {
    co_await leat::scoped([&sum](leat::TaskScope& scope) -> Task<> {
      for (int k = 0; k < 1000; ++k) scope.spawn(count(sum));
      co_return;
    });
  }
}

void run(Task<> main) {
  const int code = leat::run([&main] { return std::move(main); });
  if (code != 0) std::exit(code);
}

}  // namespace

int main() {
  long sum = 0;
  bench("await_sync_child", 3'000'000, [&] { run(awaitChildren(3'000'000, sum)); });
  bench("await_yield_child", 1'000'000, [&] { run(awaitYieldingChildren(1'000'000, sum)); });
  bench("yield_only", 1'000'000, [] { run(yieldOnly(1'000'000)); });
  bench("chain1000_per_level", 1'000'000, [&] { run(awaitChains(1000, sum)); });
  bench("spawn_join_1000", 1'000'000, [&] { run(spawnAndJoin(1000, sum)); });
  keep(sum);
}
