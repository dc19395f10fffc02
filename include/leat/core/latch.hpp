// SPDX-License-Identifier: MIT
// Latch: waits until so many things have happened, once.
#pragma once

#include <leat/core/event.hpp>

namespace leat::inline LEAT_ABI {

/// Counts down to zero, then everybody passes for ever. Must outlive its waiters.
///
/// Node: no counterpart. Thread: one loop's.
class Latch {
 public:
  using LoopBound = void;
  explicit Latch(std::size_t count) noexcept : event_(count == 0), count_(count) {}

  /// Throws: RangeError ERR_OUT_OF_RANGE when `by` is more than what is left; Error ERR_WRONG_THREAD, when one
  /// waits on another thread.
  void countDown(std::size_t by = 1) {
    if (by > count_) [[unlikely]]
      throw RangeError(detail::SharedText({"Latch::countDown(", number(by), "): only ",
                                           number(count_), " left to count"})
                           .view());
    if (by == count_) event_.set();
    count_ -= by;
  }
  std::size_t count() const noexcept { return count_; }
  /// Without a tick when it is at zero. Throws: AbortError.
  auto wait(WaitOptions options = {}) noexcept { return event_.wait(options); }
  /// Counts down and waits for the others.
  auto arriveAndWait(WaitOptions options = {}) {
    countDown();
    return event_.wait(options);
  }

 private:
  static detail::Decimal number(std::size_t n) noexcept {
    return detail::Decimal(static_cast<long long>(n));
  }

  ManualResetEvent event_;
  std::size_t count_;
};

}  // namespace leat::inline LEAT_ABI
