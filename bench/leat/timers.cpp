// SPDX-License-Identifier: MIT

// setTimeout and clearTimeout, with the programs of rivals/timers.

#include <leat/loop/run.hpp>
#include <leat/loop/timers.hpp>

#include <time.h>

#include <vector>

#include "measure.h"

namespace {

constexpr int timers = 1'000'000;
constexpr int rounds = 3;
long fired = 0;

double startAndClearAtOnce() {
  const double begin = nowNs();
  for (int i = 0; i < timers; ++i) leat::clearTimeout(leat::setTimeout([] { ++fired; }, 1000));
  return (nowNs() - begin) / timers;
}

/// With `loop` the loop takes a turn in between.
double startThenClear(leat::EventLoop* loop = nullptr) {
  std::uint32_t random = 1;
  std::vector<leat::Timeout> handles(timers);
  const double begin = nowNs();
  for (leat::Timeout& handle : handles)
    handle = leat::setTimeout([] { ++fired; }, nextLongDelayMs(&random));
  if (loop != nullptr) (void)loop->runOnce(0);
  for (const leat::Timeout& handle : handles) leat::clearTimeout(handle);
  return (nowNs() - begin) / timers;
}

double fireDue(leat::EventLoop& loop) {
  std::uint32_t random = 1;
  fired = 0;
  for (int i = 0; i < timers; ++i) leat::setTimeout([] { ++fired; }, nextShortDelayMs(&random));
  const timespec late{0, 15'000'000};
  ::nanosleep(&late, nullptr);
  const double begin = nowNs();
  while (fired < timers) (void)loop.runOnce(-1);
  return (nowNs() - begin) / timers;
}

}  // namespace

int main() {
  leat::EventLoop loop;
  double atOnce[rounds];
  double startClear[rounds];
  double clearLater[rounds];
  double fire[rounds];
  for (int round = 0; round < rounds; ++round) {
    atOnce[round] = startAndClearAtOnce();
    startClear[round] = startThenClear();
    clearLater[round] = startThenClear(&loop);
    fire[round] = fireDue(loop);
  }
  reportMedian("timer_start_clear_at_once", atOnce, rounds);
  reportMedian("timer_start_clear_1e6", startClear, rounds);
  reportMedian("timer_clear_later_1e6", clearLater, rounds);
  reportMedian("timer_fire_1e6", fire, rounds);
}
