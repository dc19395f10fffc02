// SPDX-License-Identifier: MIT
// AbortSignal::timeout: a signal that aborts by itself.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/loop/out_of_range.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A signal that is aborted after so many milliseconds.
LEAT_INLINE AbortSignal timeoutSignal(std::int32_t milliseconds);
[[noreturn]] LEAT_INLINE void throwNoTimeout(double ms);

#if LEAT_BODIES
/// The timer of a signal. It belongs to the loop while it is armed and to the signal while there is one;
/// the last handle of the signal may go on any thread, even while the timer fires.
class TimeoutSource : private LoopTimer {
 public:
  static AbortSignal make(std::int32_t milliseconds) {
    EventLoop& loop = EventLoop::current();
    auto state = makeRef<AbortState>();
    auto* self = new TimeoutSource(loop, *state);
    try {
      loop.arm(*self, milliseconds);
    } catch (...) {
      delete self;
      throw;
    }
    state->source = self;
    state->dispose = [](AbortState& signal) noexcept {
      static_cast<TimeoutSource*>(signal.source)->signalGone();
    };
    return AbortSignal(std::move(state));
  }

 private:
  TimeoutSource(EventLoop& loop, AbortState& state) noexcept
      : LoopTimer(onTimer), home_(loop.ref()), state_(&state) {}

  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) delete this;
  }
  /// From the destructor of the signal: it is gone when this returns.
  void signalGone() noexcept {
    lock();
    state_ = nullptr;
    unlock();
    if (home_.isCurrent()) {
      disarm();
      return release();
    }
    // The count of the signal goes with the message. Where there is no memory for it, the timer is left to
    // fire for nobody.
    try {
      (void)home_.post([self = Message(this)] { self.source->disarm(); });
    } catch (...) {
    }
  }
  void disarm() noexcept {
    if (!linked()) return;
    EventLoop::current().disarm(*this, false);
    const ContextRef gone = std::move(context_);
    release();
  }
  static void onTimer(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<TimeoutSource&>(timer);
    ContextScope scope(std::move(self.context_));
    self.lock();
    Ref<AbortState> state = action == JobAction::Run ? self.lockState() : nullptr;
    self.unlock();
    if (state) abortNow(*state, std::make_exception_ptr(TimeoutError()));
    self.release();
  }
  /// The signal, unless its last handle is on its way out.
  Ref<AbortState> lockState() noexcept {
    return state_ != nullptr && state_->tryRetain() ? Ref<AbortState>::adopt(state_) : nullptr;
  }
  void lock() noexcept {
    while (locked_.exchange(1, acquire) != 0) ::sched_yield();
  }
  void unlock() noexcept { locked_.store(0, detail::release); }

  /// Owns a count.
  struct Message {
    explicit Message(TimeoutSource* s) noexcept : source(s) {}
    Message(Message&& other) noexcept : source(std::exchange(other.source, nullptr)) {}
    ~Message() {
      if (source != nullptr) source->release();
    }
    TimeoutSource* source;
  };

  const LoopRef home_;
  // That of who asked for it, as for a timer; let go of on the loop's thread.
  ContextRef context_ = currentContext();
  // Guarded by `locked_`: null when the signal is gone.
  AbortState* state_;
  Atomic<unsigned char> locked_{0};
  Atomic<unsigned> count_{2};  // the loop's, until it fires or is disarmed, and the signal's
};

LEAT_INLINE AbortSignal timeoutSignal(std::int32_t milliseconds) {
  return TimeoutSource::make(milliseconds);
}

[[noreturn]] LEAT_INLINE void throwNoTimeout(double ms) {
  throwNumberOutOfRange("delay", ">= 0 && <= 2147483647", ms);
}
#endif

}  // namespace detail

/// Throws: RangeError ERR_OUT_OF_RANGE when `delay` is negative or more than 2^31-1 ms (Node takes more
/// and fires at once); Error ERR_NO_LOOP.
template <class D>
AbortSignal AbortSignal::timeout(const D& delay) {
  static_assert(Duration<D>, "AbortSignal::timeout takes milliseconds or a duration");
  const double ms = detail::milliseconds(delay);
  if (!(ms >= 0 && ms <= 2147483647)) detail::throwNoTimeout(ms);
  return detail::timeoutSignal(detail::waitMs(delay));
}

}  // namespace leat::inline LEAT_ABI
