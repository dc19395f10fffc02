// SPDX-License-Identifier: MIT

// Boost.Signals2, with its mutex, as one uses it.

#include <boost/signals2.hpp>

#include <vector>

#include "bench.hpp"

namespace {

constexpr long emits = 2'000'000;

/// The listeners have one sum, or each its own.
BENCH_NOINLINE void signal(const char* name, std::size_t listeners, bool apart = false) {
  std::vector<long> sums(apart ? listeners : 1);
  boost::signals2::signal<void(int)> all;
  for (std::size_t i = 0; i < listeners; ++i)
    all.connect([&sum = sums[i % sums.size()]](int value) { sum += value; });
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) all(i);
  });
  keep(sums);
}

}  // namespace

int main() {
  signal("typed_emit_1", 1);
  signal("typed_emit_10", 10);
  signal("typed_emit_10_apart", 10, true);
}
