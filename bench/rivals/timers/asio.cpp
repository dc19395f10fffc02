// SPDX-License-Identifier: MIT

// Asio's steady_timer. Cancelled waits come back through the io_context, so it is polled as well.

#include <asio.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "measure.h"

namespace {

constexpr int kTimers = 1'000'000;
constexpr int kRounds = 3;

using std::chrono::milliseconds;

void ignore(std::error_code) {}

void pollAll(asio::io_context& io) {
  io.poll();
  io.restart();
}

double startAndClearAtOnce(asio::io_context& io) {
  asio::steady_timer timer(io);
  const double begin = nowNs();
  for (int i = 0; i < kTimers; ++i) {
    timer.expires_after(std::chrono::seconds(10));
    timer.async_wait(ignore);
    timer.cancel();
    if (i % 1024 == 0) pollAll(io);
  }
  pollAll(io);
  return (nowNs() - begin) / kTimers;
}

double startThenClear(asio::io_context& io, bool later) {
  std::vector<asio::steady_timer> timers;
  timers.reserve(kTimers);
  std::uint32_t random = 1;
  const double begin = nowNs();
  for (int i = 0; i < kTimers; ++i) {
    timers.emplace_back(io, milliseconds(nextLongDelayMs(&random))).async_wait(ignore);
  }
  if (later) pollAll(io);
  for (asio::steady_timer& timer : timers) timer.cancel();
  pollAll(io);
  return (nowNs() - begin) / kTimers;
}

double fireDue(asio::io_context& io) {
  std::vector<asio::steady_timer> timers;
  timers.reserve(kTimers);
  std::uint32_t random = 1;
  long fired = 0;
  for (int i = 0; i < kTimers; ++i) {
    timers.emplace_back(io, milliseconds(nextShortDelayMs(&random)))
        .async_wait([&fired](std::error_code) { ++fired; });
  }
  std::this_thread::sleep_for(milliseconds(15));
  const double begin = nowNs();
  io.run();
  const double elapsed = nowNs() - begin;
  io.restart();
  if (fired != kTimers) std::abort();
  return elapsed / kTimers;
}

}  // namespace

int main() {
  asio::io_context io(1);
  double atOnce[kRounds];
  double startClear[kRounds];
  double clearLater[kRounds];
  double fire[kRounds];
  for (int round = 0; round < kRounds; ++round) {
    atOnce[round] = startAndClearAtOnce(io);
    startClear[round] = startThenClear(io, false);
    clearLater[round] = startThenClear(io, true);
    fire[round] = fireDue(io);
  }
  reportMedian("timer_start_clear_at_once", atOnce, kRounds);
  reportMedian("timer_start_clear_1e6", startClear, kRounds);
  reportMedian("timer_clear_later_1e6", clearLater, kRounds);
  reportMedian("timer_fire_1e6", fire, kRounds);
}
