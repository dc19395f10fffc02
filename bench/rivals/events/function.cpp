// SPDX-License-Identifier: MIT

// The limit: a loop over std::function, which nobody may change while it runs.

#include <functional>
#include <vector>

#include "bench.hpp"

namespace {

constexpr long emits = 10'000'000;

BENCH_NOINLINE void plain(const char* name, int listeners) {
  long sum = 0;
  std::vector<std::function<void(int)>> all;
  for (int i = 0; i < listeners; ++i) all.push_back([&sum](int value) { sum += value; });
  bench(name, emits, [&] {
    for (int i = 0; i < emits; ++i) {
      keep(all);
      for (auto& listener : all) listener(i);
    }
  });
  keep(sum);
}

}  // namespace

int main() {
  plain("typed_emit_1", 1);
  plain("typed_emit_10", 10);
}
