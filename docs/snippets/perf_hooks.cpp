// SPDX-License-Identifier: MIT
// The regions of docs/perf-hooks.md, and a main that runs them.
#include <leat.hpp>
#include <leat/perf_hooks.hpp>

#include <cstdio>

using namespace leat;

Task<> work() { co_await sleep(1); }
int parse(int size) { return size; }

// [marks]
Task<> import() {
  performance::mark("read");
  co_await work();
  performance::mark("parsed");
  co_await work();
  const auto reading = performance::measure("reading", "read", "parsed");
  const auto all = performance::measure("all", "read");  // until now
  std::printf("%.1f of %.1f ms\n", reading.duration, all.duration);
  performance::clearMarks();
  performance::clearMeasures();
}
// [/marks]

// [histogram]
void distribution() {
  const auto sizes = perf_hooks::createHistogram();
  for (int size = 1; size <= 1000; ++size) sizes.record(size);
  std::printf("median %lld, 99 %% up to %lld\n", static_cast<long long>(sizes.percentile(50)),
              static_cast<long long>(sizes.percentile(99)));
  auto timed = performance::timerify(parse, perf_hooks::createHistogram());
  timed(7);
}
// [/histogram]

// [delay]
Task<> health() {
  const auto delay = perf_hooks::monitorEventLoopDelay({.resolution = 10});
  delay.enable();
  auto before = performance::eventLoopUtilization();
  for (int i = 0; i < 3; ++i) {
    co_await sleep(50);
    const auto used = performance::eventLoopUtilization(before);
    before = performance::eventLoopUtilization();
    std::printf("busy %.0f %%, late by up to %.1f ms\n", used.utilization * 100,
                static_cast<double>(delay.max()) / 1e6 - 10);
    delay.reset();
  }
}
// [/delay]

// [watchdog]
Task<> watched() {
  const perf_hooks::Watchdog watchdog({.limit = 500});
  co_await work();
}

void withReports() {
  const perf_hooks::Watchdog watchdog([](const perf_hooks::BlockedLoop& blocked) {
    // On the watchdog's thread, while the loop is blocked.
    if (!blocked.over) std::fprintf(stderr, "blocked in %s\n", blocked.running.c_str());
  });
}
// [/watchdog]

Task<> program() {
  co_await import();
  distribution();
  co_await health();
  co_await watched();
  withReports();
}

int main() { return run(program); }
