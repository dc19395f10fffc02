// SPDX-License-Identifier: MIT
// What a loop is made with, and what it counts.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::inline LEAT_ABI {

struct LoopOptions {
  /// "io_uring" or "epoll"; empty for the environment's LEAT_BACKEND, else the best that works. One that
  /// was asked for and cannot start is an error; see docs/backends.md.
  std::string_view backend{};
  /// How many microseconds a turn asks the kernel again and again before it sleeps: a third of the
  /// latency at few connections, for a core that never rests. 0 is off; less is RangeError ERR_OUT_OF_RANGE.
  long busyPoll = 0;
};

/// Counters since the loop was made. Node: `perf_hooks`, `uv_metrics_info`.
struct LoopMetrics {
  std::uint64_t turns;
  std::uint64_t events;       ///< that the kernel reported
  std::uint64_t completions;  ///< operations that completed
  std::uint64_t timersFired;
  std::int64_t blockedNs;  ///< nanoseconds inside of the kernel's wait
  std::size_t timers;      ///< armed now
  std::size_t immediates;  ///< queued now
  std::size_t queued;      ///< ticks and microtasks queued now
  long references;         ///< what holds the loop now
  std::int64_t startedNs;  ///< when the loop was made, by the steady clock
};

}  // namespace leat::inline LEAT_ABI
