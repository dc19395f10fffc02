// SPDX-License-Identifier: MIT
// What a worker costs to start and end, a message there and back, and a task of a pool of workers.
#include <leat/loop/run.hpp>
#include <leat/worker/worker.hpp>
#include <leat/worker/worker_pool.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

using namespace leat;
using worker_threads::MessageChannel;
using worker_threads::MessagePort;
using worker_threads::Worker;
using worker_threads::WorkerPool;

void startAndEnd(benchmark::State& state) {
  run([&]() -> Task<> {
    for (auto _ : state) {
      const Worker<> worker([] {});
      benchmark::DoNotOptimize(co_await worker.exited());
    }
  });
}
BENCHMARK(startAndEnd)->UseRealTime();

Task<> echo(MessagePort<long> parent) {
  while (auto message = co_await parent.next()) parent.postMessage(*message);
}

/// One message is on its way at a time: both threads sleep in between.
void thereAndBack(benchmark::State& state) {
  run([&]() -> Task<> {
    const Worker<long> worker(echo);
    for (auto _ : state) {
      worker.postMessage(1);
      benchmark::DoNotOptimize(co_await worker.next());
    }
    worker.terminate();
  });
}
BENCHMARK(thereAndBack)->UseRealTime();

/// As many as the bound allows are on their way.
void streamOfMessages(benchmark::State& state) {
  run([&]() -> Task<> {
    const auto source = [](MessagePort<long> parent) -> Task<> {
      for (long i = 0;; ++i) co_await parent.postMessage(i);
    };
    const Worker<long> worker(source, {.highWaterMark = static_cast<std::size_t>(state.range(0))});
    for (auto _ : state) benchmark::DoNotOptimize(co_await worker.next());
    worker.terminate();
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(streamOfMessages)->Arg(16)->Arg(1024)->UseRealTime();

/// Between two ports of one loop.
void onOneLoop(benchmark::State& state) {
  run([&]() -> Task<> {
    const MessageChannel<long> channel;
    for (auto _ : state) {
      channel.port1.postMessage(1);
      benchmark::DoNotOptimize(co_await channel.port2.next());
    }
  });
}
BENCHMARK(onOneLoop);

/// One task is on its way at a time: both threads sleep in between.
void taskOfPool(benchmark::State& state) {
  run([&]() -> Task<> {
    const WorkerPool<long, long> pool([](long i) { return i; }, {.maxThreads = 1});
    co_await pool.ready();
    for (auto _ : state) benchmark::DoNotOptimize(co_await pool.run(1));
  });
}
BENCHMARK(taskOfPool)->UseRealTime();

/// Of a function and of a coroutine, with many tasks in the queue.
void manyTasksOfPool(benchmark::State& state) {
  run([&]() -> Task<> {
    constexpr int window = 256;
    const auto task = [](long i) -> Task<long> { co_return i; };
    const WorkerPool<long, long> plain([](long i) { return i; }, {.maxThreads = 1});
    const WorkerPool<long, long> driven(task, {.maxThreads = 1, .concurrentTasksPerWorker = 16});
    const WorkerPool<long, long>& pool = state.range(0) == 0 ? plain : driven;
    co_await pool.ready();
    std::vector<Promise<long>> tasks;
    for (auto _ : state) {
      for (int i = 0; i < window; ++i) tasks.push_back(pool.run(i));
      for (Promise<long>& each : tasks) benchmark::DoNotOptimize(co_await each);
      tasks.clear();
    }
    state.SetItemsProcessed(state.iterations() * window);
  });
}
BENCHMARK(manyTasksOfPool)->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
