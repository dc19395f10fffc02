// SPDX-License-Identifier: MIT

// What the parts of the core cost, one by one. The figures against the rivals come from bench/compare.

#include <leat/loop.hpp>
#include <leat/promise.hpp>
#include <leat/task.hpp>
#include <leat/timers.hpp>
#include <benchmark/benchmark.h>

#include <cstdlib>

namespace {

using leat::Promise;
using leat::Task;

Task<int> child(int i) { co_return i; }

Task<int> chain(int depth) {
  if (depth == 0) co_return 1;
  co_return 1 + co_await chain(depth - 1);
}

// Each of these runs the loop of the benchmark inside of a coroutine.

Task<> awaitChild(benchmark::State& state) {
  int sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum += co_await child(1));
}

Task<> awaitChain(benchmark::State& state) {
  int sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum += co_await chain(1000));
  state.SetItemsProcessed(state.iterations() * 1000);
}

Task<> yieldOnly(benchmark::State& state) {
  for (auto _ : state) co_await leat::yield();
}

Promise<> awaitResolved(benchmark::State& state) {
  const Promise<int> resolved = Promise<int>::resolve(1);
  int sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum += co_await resolved);
}

Promise<> nextImmediates(benchmark::State& state) {
  for (auto _ : state) co_await leat::nextImmediate();
}

template <auto body>
void inLoop(benchmark::State& state) {
  const int code = leat::run([&state] { return body(state); });
  if (code != 0) std::exit(code);
}

void startAndClear(benchmark::State& state) {
  leat::EventLoop loop;
  for (auto _ : state) leat::clearTimeout(leat::setTimeout([] {}, 1000));
}

void drainMicrotask(benchmark::State& state) {
  leat::EventLoop loop;
  for (auto _ : state) {
    leat::queueMicrotask([] {});
    loop.drain();
  }
}

void postAndRun(benchmark::State& state) {
  leat::EventLoop loop;
  const leat::LoopRef ref = loop.ref();
  for (auto _ : state) {
    (void)ref.post([] {});
    (void)loop.runOnce(0);
  }
}

BENCHMARK(inLoop<awaitChild>)->Name("task/await");
BENCHMARK(inLoop<awaitChain>)->Name("task/chain1000");
BENCHMARK(inLoop<yieldOnly>)->Name("loop/yield");
BENCHMARK(inLoop<awaitResolved>)->Name("promise/await_resolved");
BENCHMARK(inLoop<nextImmediates>)->Name("loop/next_immediate");
BENCHMARK(drainMicrotask)->Name("loop/queue_microtask");
BENCHMARK(postAndRun)->Name("loop/post");
BENCHMARK(startAndClear)->Name("timers/start_and_clear");

}  // namespace

BENCHMARK_MAIN();
