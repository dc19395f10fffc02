// SPDX-License-Identifier: MIT

// What an emit costs, beside a loop over std::function, which cannot be changed while it runs, and beside
// Boost.Signals2 where that is installed. The listeners do `sum += value`.

#include <leat/events.hpp>
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#if __has_include(<boost/signals2.hpp>)
#include <boost/signals2.hpp>
#define LEAT_BENCH_SIGNALS2 1
#else
#define LEAT_BENCH_SIGNALS2 0
#endif

namespace {

using leat::Event;
using leat::EventEmitter;
using leat::TypedEmitter;

void plainLoop(benchmark::State& state) {
  long sum = 0;
  std::vector<std::function<void(int)>> listeners;
  for (auto i = state.range(0); i > 0; --i)
    listeners.push_back([&sum](int value) { sum += value; });
  int value = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(listeners.data());
    ++value;
    for (auto& listener : listeners) listener(value);
  }
  benchmark::DoNotOptimize(sum);
}

void plainLoopByName(benchmark::State& state) {
  long sum = 0;
  std::unordered_map<std::string, std::vector<std::function<void(int)>>> events;
  for (auto i = state.range(0); i > 0; --i)
    events["data"].push_back([&sum](int value) { sum += value; });
  const std::string name = "data";
  int value = 0;
  for (auto _ : state) {
    ++value;
    const auto found = events.find(name);
    if (found == events.end()) continue;
    for (auto& listener : found->second) listener(value);
  }
  benchmark::DoNotOptimize(sum);
}

void typed(benchmark::State& state) {
  long sum = 0;
  TypedEmitter<Event<"data", int>, Event<"end">> emitter;
  emitter.setMaxListeners(0);
  for (auto i = state.range(0); i > 0; --i) emitter.on<"data">([&sum](int value) { sum += value; });
  int value = 0;
  auto* opaque = &emitter;
  for (auto _ : state) {
    benchmark::DoNotOptimize(opaque);
    opaque->emit<"data">(++value);
  }
  benchmark::DoNotOptimize(sum);
}

void named(benchmark::State& state) {
  long sum = 0;
  EventEmitter emitter;
  emitter.setMaxListeners(0);
  for (auto i = state.range(0); i > 0; --i) emitter.on("data", [&sum](int value) { sum += value; });
  emitter.on("end", [] {});
  int value = 0;
  auto* opaque = &emitter;
  for (auto _ : state) {
    benchmark::DoNotOptimize(opaque);
    opaque->emit("data", ++value);
  }
  benchmark::DoNotOptimize(sum);
}

/// A name that the compiler does not know.
void namedByString(benchmark::State& state) {
  long sum = 0;
  EventEmitter emitter;
  for (auto i = state.range(0); i > 0; --i) emitter.on("data", [&sum](int value) { sum += value; });
  std::string name = "data";
  int value = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(name.data());
    emitter.emit(name, ++value);
  }
  benchmark::DoNotOptimize(sum);
}

void onAndOff(benchmark::State& state) {
  long sum = 0;
  TypedEmitter<Event<"data", int>> emitter;
  const auto stays = emitter.on<"data">([&sum](int value) { sum += value; });
  for (auto _ : state) emitter.on<"data">([&sum](int value) { sum += value; }).off();
  benchmark::DoNotOptimize(sum);
}

BENCHMARK(plainLoop)->Arg(0)->Arg(1)->Arg(10);
BENCHMARK(typed)->Arg(0)->Arg(1)->Arg(10);
BENCHMARK(plainLoopByName)->Arg(1)->Arg(10);
BENCHMARK(named)->Arg(0)->Arg(1)->Arg(10);
BENCHMARK(namedByString)->Arg(1)->Arg(10);
BENCHMARK(onAndOff);

#if LEAT_BENCH_SIGNALS2
void signals2(benchmark::State& state) {
  long sum = 0;
  boost::signals2::signal<void(int)> signal;
  for (auto i = state.range(0); i > 0; --i) signal.connect([&sum](int value) { sum += value; });
  int value = 0;
  for (auto _ : state) signal(++value);
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(signals2)->Arg(0)->Arg(1)->Arg(10);
#endif

}  // namespace
