// SPDX-License-Identifier: MIT
// What a worker costs to start and end, and a message there and back.
#include <leat/loop/run.hpp>
#include <leat/worker/worker.hpp>

#include <benchmark/benchmark.h>

namespace {

using namespace leat;
using worker_threads::MessageChannel;
using worker_threads::MessagePort;
using worker_threads::Worker;

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

}  // namespace
