// SPDX-License-Identifier: MIT

// The limit of stages that do not know each other: each calls the next one through a std::function.

#include <functional>

#include "bench.hpp"

namespace {

constexpr int items = 1'000'000;
long sum = 0;

void row() {
  using Stage = std::function<void(int)>;
  const Stage sink = [](int x) { sum += x; };
  const Stage third = [&](int x) { sink(x ^ 1); };
  const Stage second = [&](int x) { third(x * 2); };
  const Stage first = [&](int x) { second(x + 1); };
  for (int i = 0; i < items; ++i) {
    keep(i);
    first(i);
  }
}

}  // namespace

int main() {
  row();
  bench("pipeline_3_transforms", items, row);
  keep(sum);
}
