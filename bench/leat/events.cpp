// SPDX-License-Identifier: MIT

// What an emit costs, with the events of rivals/events.

#include <leat/events.hpp>

#include <vector>

#include "bench.hpp"

namespace {

using leat::Event;
using leat::EventEmitter;
using leat::TypedEmitter;

constexpr long emits = 10'000'000;

/// The listeners have one sum, or each its own.
BENCH_NOINLINE void typed(const char* name, std::size_t listeners, bool apart = false) {
  std::vector<long> sums(apart ? listeners : 1);
  TypedEmitter<Event<"data", int>, Event<"end">> emitter;
  for (std::size_t i = 0; i < listeners; ++i)
    emitter.on<"data">([&sum = sums[i % sums.size()]](int value) { sum += value; });
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) {
      keep(emitter);
      emitter.emit<"data">(i);
    }
  });
  keep(sums);
}

BENCH_NOINLINE void named(const char* name, int listeners) {
  long sum = 0;
  EventEmitter emitter;
  for (int i = 0; i < listeners; ++i) emitter.on("data", [&sum](int value) { sum += value; });
  emitter.on("end", [] {});
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) {
      keep(emitter);
      emitter.emit("data", i);
    }
  });
  keep(sum);
}

}  // namespace

int main() {
  typed("typed_emit_1", 1);
  typed("typed_emit_10", 10);
  typed("typed_emit_10_apart", 10, true);
  named("named_emit_1", 1);
  named("named_emit_10", 10);
}
