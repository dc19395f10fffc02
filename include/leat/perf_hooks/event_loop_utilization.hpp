// SPDX-License-Identifier: MIT
// How much of its time a loop works. Node: performance.eventLoopUtilization.
#pragma once

#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI::perf_hooks {

/// Milliseconds, and the share of `active` in both.
struct EventLoopUtilization {
  double idle = 0;
  double active = 0;
  double utilization = 0;
};

/// Of this thread's loop since it was made. Idle is what it waited for the kernel; with `busyPoll` that
/// counts what it asked in vain, too.
///
/// Node: `performance.eventLoopUtilization()`. Throws: Error ERR_NO_LOOP.
LEAT_INLINE EventLoopUtilization eventLoopUtilization();
/// What came between two results, the earlier one second. Of two equal ones the utilization is NaN.
/// Node: `eventLoopUtilization(utilization1, utilization2)`.
LEAT_INLINE EventLoopUtilization eventLoopUtilization(const EventLoopUtilization& later,
                                                      const EventLoopUtilization& earlier) noexcept;

#if LEAT_BODIES
LEAT_INLINE EventLoopUtilization eventLoopUtilization() {
  constexpr double nsOfMs = 1e6;
  const LoopMetrics metrics = EventLoop::current().metrics();
  const auto all = static_cast<double>(sys::monotonicNs() - metrics.startedNs);
  const auto idle = static_cast<double>(metrics.blockedNs);
  return {idle / nsOfMs, (all - idle) / nsOfMs, (all - idle) / all};
}

LEAT_INLINE EventLoopUtilization eventLoopUtilization(
    const EventLoopUtilization& later, const EventLoopUtilization& earlier) noexcept {
  const double idle = later.idle - earlier.idle;
  const double active = later.active - earlier.active;
  return {idle, active, active / (idle + active)};
}
#endif
/// What came since an earlier result. Throws: Error ERR_NO_LOOP.
inline EventLoopUtilization eventLoopUtilization(const EventLoopUtilization& earlier) {
  return eventLoopUtilization(eventLoopUtilization(), earlier);
}

}  // namespace leat::inline LEAT_ABI::perf_hooks
