// SPDX-License-Identifier: MIT

// Items through a row of five streams, with the programs of rivals/streams.

#include <leat/loop/run.hpp>
#include <leat/stream.hpp>

#include "bench.hpp"

namespace {

using namespace leat;

constexpr int items = 1'000'000;
long sum = 0;

struct Numbers {
  void read(Readable<int>& self) {
    while (at < items)
      if (!self.push(at++)) return;
    self.push(nullptr);
  }
  int at = 0;
};

Task<> row() {
  const Readable<int> source((Numbers()));
  const Transform<int> first([](int x) { return x + 1; });
  const Transform<int> second([](int x) { return x * 2; });
  const Transform<int> third([](int x) { return x ^ 1; });
  const Writable<int> sink([](int x) { sum += x; });
  co_await pipeline(source, first, second, third, sink);
}

}  // namespace

int main() {
  const auto once = [] {
    if (leat::run(row) != 0) std::abort();
  };
  once();
  bench("pipeline_3_transforms", items, once);
  reportPeak("pipeline_peak");
  keep(sum);
}
