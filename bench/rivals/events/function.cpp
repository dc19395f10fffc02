// SPDX-License-Identifier: MIT

// The limit: a loop over std::function, which nobody may change while it runs.

#include <functional>
#include <vector>

#include "bench.hpp"

namespace {

constexpr long emits = 10'000'000;

/// The listeners have one sum, or each its own.
BENCH_NOINLINE void plain(const char* name, std::size_t listeners, bool apart = false) {
  std::vector<long> sums(apart ? listeners : 1);
  std::vector<std::function<void(int)>> all;
  for (std::size_t i = 0; i < listeners; ++i)
    all.push_back([&sum = sums[i % sums.size()]](int value) { sum += value; });
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) {
      keep(all);
      for (auto& listener : all) listener(i);
    }
  });
  keep(sums);
}

}  // namespace

int main() {
  plain("typed_emit_1", 1);
  plain("typed_emit_10", 10);
  plain("typed_emit_10_apart", 10, true);
}
