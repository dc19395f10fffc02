// SPDX-License-Identifier: MIT
// The loop's clock. Timers count whole milliseconds, as in Node: a start is rounded up and "now" down,
// so that none fires early.
#pragma once

#include <leat/sys/calls.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

LEAT_INLINE std::int64_t monotonicNs() noexcept;

#if LEAT_BODIES
LEAT_INLINE std::int64_t monotonicNs() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}
#endif

/// Reading the kernel's clock costs more than arming a timer, so within some ten microseconds, as the
/// processor's counter tells them, the last reading serves, taken as `slackNs` later than it was. The
/// counter only decides when to read again: if it runs backwards or is another core's, that is at once.
class LoopClock {
 public:
  std::int64_t freshNs() noexcept {
    const std::int64_t ns = monotonicNs();
    counter_ = counter();
    startMs_ = (ns + slackNs + 999'999) / 1'000'000;
    return ns;
  }
  /// When a timer armed now starts.
  std::int64_t startMs() noexcept {
    const std::uint64_t passed = counter() - counter_;
    return passed >= window ? freshStartMs() : startMs_;
  }
  /// What is due now.
  std::int64_t dueMs() noexcept { return freshNs() / 1'000'000; }

 private:
  LEAT_NOINLINE std::int64_t freshStartMs() noexcept { return (freshNs() + 999'999) / 1'000'000; }

#if defined(__x86_64__)
  // 2^16 cycles: 13 to 66 microseconds between 5 and 1 GHz.
  static constexpr std::uint64_t window = 1 << 16;
  static std::uint64_t counter() noexcept { return __builtin_ia32_rdtsc(); }
#else
  static constexpr std::uint64_t window = 0;
  static std::uint64_t counter() noexcept { return 0; }
#endif
  static constexpr std::int64_t slackNs = 70'000;

  std::int64_t startMs_ = 0;  // until the counter has passed the window
  std::uint64_t counter_ = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
