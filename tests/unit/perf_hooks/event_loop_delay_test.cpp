// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/perf_hooks/event_loop_delay.hpp>
#include <leat/perf_hooks/event_loop_utilization.hpp>

#include <leat_test.hpp>

#include <optional>

using leat::run;
using leat::sleep;
using leat::Task;
using leat::perf_hooks::EventLoopDelay;
using leat::perf_hooks::eventLoopUtilization;
using leat::perf_hooks::monitorEventLoopDelay;
namespace sys = leat::sys;

namespace {

void block(int ms) {
  const std::int64_t until = sys::monotonicNs() + std::int64_t{ms} * 1'000'000;
  while (sys::monotonicNs() < until) {
  }
}

}  // namespace

TEST_CASE("a loop that is blocked shows as one long sample") {
  run([]() -> Task<> {
    const EventLoopDelay delay = monitorEventLoopDelay({.resolution = 2});
    delay.enable();
    // A timer is never early, but the clock may be read late, and on time after that.
    int whole = 0;
    for (int tries = 0; tries < 20; ++tries) {
      delay.disable();
      delay.reset();
      delay.enable();
      while (delay.count() < 3) co_await sleep(1);
      if (delay.min() >= 2'000'000 - 2048) ++whole;
    }
    CHECK(whole > 15);
    delay.reset();
    block(60);
    while (delay.count() < 3) co_await sleep(1);
    CHECK(delay.max() >= 60'000'000 - 65'536);
    CHECK(delay.percentile(100) == delay.max());
    CHECK(delay.exceeds() == 0);
  });
}

TEST_CASE("the time in which a monitor is disabled is no delay; in Node it is") {
  run([]() -> Task<> {
    const EventLoopDelay delay = monitorEventLoopDelay({.resolution = 1});
    delay.enable();
    while (delay.count() == 0) co_await sleep(1);
    delay.disable();
    delay.reset();
    const std::int64_t away = sys::monotonicNs();
    co_await sleep(300);
    const std::int64_t back = sys::monotonicNs();
    delay.enable();
    while (delay.count() == 0) co_await sleep(1);
    CHECK(delay.max() <= (sys::monotonicNs() - back) * 101 / 100);
    CHECK(back - away >= 300'000'000);
  });
}

TEST_CASE("a monitor samples while a handle is there, and its numbers outlive it") {
  run([]() -> Task<> {
    const auto timers = [] { return leat::EventLoop::current().metrics().timers; };
    const std::size_t before = timers();
    std::optional<EventLoopDelay> delay(monitorEventLoopDelay({.resolution = 1}));
    std::optional<EventLoopDelay> other(delay);
    delay->enable();
    CHECK(timers() == before + 1);
    while (delay->count() == 0) co_await sleep(1);
    delay.reset();
    CHECK(timers() == before + 1);
    const leat::perf_hooks::Histogram numbers = *other;
    other.reset();
    CHECK(timers() == before);
    CHECK(numbers.count() > 0);
  });
  // One that is on at the end of its loop.
  std::optional<EventLoopDelay> late;
  run([&late] { late.emplace(monitorEventLoopDelay()).enable(); });
  CHECK(late->disable());
}

TEST_CASE("a monitor whose base was assigned another histogram samples into its own") {
  run([]() -> Task<> {
    EventLoopDelay delay = monitorEventLoopDelay({.resolution = 1});
    const EventLoopDelay same = delay;
    delay.enable();
    leat::perf_hooks::Histogram& shown = delay;
    shown = leat::perf_hooks::createHistogram();
    while (same.count() == 0) co_await sleep(1);
    CHECK(delay.count() == 0);
    // Also when nobody else has that.
    EventLoopDelay alone = monitorEventLoopDelay({.resolution = 1});
    alone.enable();
    leat::perf_hooks::Histogram& other = alone;
    other = shown;
    const auto count = same.count();
    while (same.count() < count + 2) co_await sleep(1);
    CHECK(alone.count() == 0);
  });
}

TEST_CASE("a monitor outside of a loop cannot be enabled") {
  const EventLoopDelay delay = monitorEventLoopDelay();
  CHECK_THROWS_AS(delay.enable(), leat::Error);
  CHECK_FALSE(delay.disable());
}

TEST_CASE("utilization tells work from waiting") {
  run([]() -> Task<> {
    const auto start = eventLoopUtilization();
    CHECK(start.active >= 0);
    block(30);
    const auto busy = eventLoopUtilization(start);
    CHECK(busy.active >= 30);
    CHECK(busy.idle == 0);
    CHECK(busy.utilization == 1);
    const auto between = eventLoopUtilization();
    auto idle = between;
    int sleeps = 0;
    do {
      co_await sleep(30);
      idle = eventLoopUtilization(between);
    } while (idle.idle <= 20 && ++sleeps < 50);
    CHECK(idle.idle > 20);
    CHECK(idle.utilization < 1);
    const auto all = eventLoopUtilization();
    CHECK(all.idle + all.active >= 60);
    CHECK(std::abs(all.utilization - all.active / (all.idle + all.active)) < 1e-9);
  });
  CHECK_THROWS_AS(eventLoopUtilization(), leat::Error);
}
