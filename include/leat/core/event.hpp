// SPDX-License-Identifier: MIT
// ManualResetEvent: a gate that coroutines of one loop wait for.
#pragma once

#include <leat/core/wait_options.hpp>

namespace leat::inline LEAT_ABI {

/// Set, everybody passes until it is reset. Must outlive its waiters.
///
/// Node: no counterpart. Thread: one loop's.
class ManualResetEvent {
 public:
  using LoopBound = void;
  class Awaiter;

  explicit ManualResetEvent(bool set = false) noexcept : set_(set) {}
  ManualResetEvent(const ManualResetEvent&) = delete;
  ManualResetEvent& operator=(const ManualResetEvent&) = delete;

  /// Lets everybody pass who waits now, also when it is reset before they go on.
  /// Throws: Error ERR_WRONG_THREAD, when one waits on another thread.
  void set() {
    while (detail::Waiter* const waiter = detail::Waiter::next(waiters_)) waiter->wake();
    set_ = true;
  }
  void reset() noexcept { set_ = false; }
  bool isSet() const noexcept { return set_; }
  /// Without a tick when it is set. Throws: AbortError.
  detail::PendingWait<Awaiter, ManualResetEvent> wait(WaitOptions options = {}) noexcept;

 private:
  detail::List<detail::Waiter> waiters_;
  bool set_;
};

class ManualResetEvent::Awaiter : private detail::Waiter {
 public:
  Awaiter(ManualResetEvent& event, SignalRef signal) noexcept : Waiter(signal), event_(event) {}
  bool await_ready() const noexcept { return !aborted() && event_.set_; }
  void await_suspend(std::coroutine_handle<> handle) { Waiter::wait(handle, event_.waiters_); }
  void await_resume() { finish(); }

 private:
  ManualResetEvent& event_;
};

inline detail::PendingWait<ManualResetEvent::Awaiter, ManualResetEvent> ManualResetEvent::wait(
    WaitOptions options) noexcept {
  return {*this, options};
}

}  // namespace leat::inline LEAT_ABI
