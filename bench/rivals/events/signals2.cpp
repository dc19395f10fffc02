// SPDX-License-Identifier: MIT

// Boost.Signals2, with its mutex, as one uses it.

#include <boost/signals2.hpp>

#include "bench.hpp"

namespace {

constexpr long emits = 2'000'000;

BENCH_NOINLINE void signal(const char* name, int listeners) {
  long sum = 0;
  boost::signals2::signal<void(int)> all;
  for (int i = 0; i < listeners; ++i) all.connect([&sum](int value) { sum += value; });
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) all(i);
  });
  keep(sum);
}

}  // namespace

int main() {
  signal("typed_emit_1", 1);
  signal("typed_emit_10", 10);
}
