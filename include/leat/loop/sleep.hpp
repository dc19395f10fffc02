// SPDX-License-Identifier: MIT
// Waiting for time and for turns: sleep, nextImmediate, yield and the sequence of an interval.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/loop/timers.hpp>

namespace leat::inline LEAT_ABI {

/// Options of waits. Node: those of `timers/promises`.
struct TimerOptions {
  /// Aborts the wait, besides the ambient signal.
  SignalRef signal{};
  /// Whether the wait holds the loop.
  bool ref = true;
};

namespace detail {

/// Waits for a timer. Lives in the frame of who awaits it; nothing is allocated.
class SleepAwaiter : private LoopTimer, private Job {
 public:
  SleepAwaiter(LongWait wait, AbortState* signal, bool ref) noexcept
      : LoopTimer(onTimer), Job(onAborted), hooks_(*this, signal), wait_(wait), referenced_(ref) {}
  ~SleepAwaiter() { stop(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    loop_ = &EventLoop::current();
    continuation_.capture(handle);
    if (!hooks_.arm()) return loop_->queue().pushMicrotask(*this);
    loop_->arm(*this, wait_.next());
    waiting_ = true;
    if (referenced_) loop_->hold();
  }
  void await_resume() const {
    if (hooks_.fired()) hooks_.throwAborted();
  }

 private:
  struct Hooks : CancelHooks {
    Hooks(SleepAwaiter& o, AbortState* signal) noexcept : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      SleepAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.stop();
      self.loop_->queue().pushMicrotask(self);
    }
    SleepAwaiter& owner;
  };
  void stop() noexcept {
    if (!waiting_) return;
    loop_->disarm(*this, referenced_);
    ended();
  }
  void ended() noexcept {
    waiting_ = false;
    if (referenced_) loop_->letGo();
  }
  static void onTimer(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<SleepAwaiter&>(timer);
    if (!self.wait_.over() && action == JobAction::Run) [[unlikely]]
      return self.loop_->arm(self, self.wait_.next());
    self.ended();
    self.hooks_.disarm();
    if (action == JobAction::Run) self.continuation_.resume();
  }
  static void onAborted(Job& job, JobAction action) noexcept {
    if (action == JobAction::Run) static_cast<SleepAwaiter&>(job).continuation_.resume();
  }

  EventLoop* loop_ = nullptr;
  Continuation continuation_;
  Hooks hooks_;
  LongWait wait_;
  bool referenced_;
  bool waiting_ = false;
};

class YieldAwaiter : private ResumeJob {
 public:
  YieldAwaiter() noexcept {}  // not defaulted, which would set to null what `capture` sets
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    threadState.queue->pushMicrotask(*this);
    capture(handle);
  }
  void await_resume() const noexcept {}
};

/// Waits for the check phase.
class ImmediateAwaiter : private Job {
 public:
  explicit ImmediateAwaiter(AbortState* signal) noexcept : Job(onJob), hooks_(*this, signal) {}
  ~ImmediateAwaiter() {
    if (waiting_) loop_->noteImmediates(-1);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    loop_ = &EventLoop::current();
    continuation_.capture(handle);
    if (!hooks_.arm()) return loop_->queue().pushMicrotask(*this);
    loop_->pushImmediate(*this);
    loop_->noteImmediates(1);
    waiting_ = true;
  }
  void await_resume() const {
    if (hooks_.fired()) hooks_.throwAborted();
  }

 private:
  struct Hooks : CancelHooks {
    Hooks(ImmediateAwaiter& o, AbortState* signal) noexcept
        : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      ImmediateAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.unlink();
      self.ended();
      self.loop_->queue().pushMicrotask(self);
    }
    ImmediateAwaiter& owner;
  };
  void ended() noexcept {
    if (std::exchange(waiting_, false)) loop_->noteImmediates(-1);
  }
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<ImmediateAwaiter&>(job);
    self.ended();
    self.hooks_.disarm();
    if (action == JobAction::Run) self.continuation_.resume();
  }

  EventLoop* loop_ = nullptr;
  Continuation continuation_;
  Hooks hooks_;
  bool waiting_ = false;
};

}  // namespace detail

/// A wait that starts when it is awaited. What `sleep` gives.
class [[nodiscard("a sleep does nothing until it is awaited")]] Sleep {
 public:
  Sleep(std::int64_t ms, TimerOptions options) noexcept
      : signal_(options.signal.state()), wait_(ms), ref_(options.ref) {}
  detail::SleepAwaiter operator co_await() && noexcept {
    return detail::SleepAwaiter(wait_, signal_.get(), ref_);
  }

 private:
  detail::Ref<detail::AbortState> signal_;
  detail::LongWait wait_;
  bool ref_;
};

/// What `nextImmediate` gives.
class [[nodiscard]] NextImmediate {
 public:
  explicit NextImmediate(SignalRef signal) noexcept : signal_(signal.state()) {}
  detail::ImmediateAwaiter operator co_await() && noexcept {
    return detail::ImmediateAwaiter(signal_.get());
  }

 private:
  detail::Ref<detail::AbortState> signal_;
};

/// What `yield` gives.
class [[nodiscard]] Yield {
 public:
  /// Throws: Error ERR_NO_LOOP.
  detail::YieldAwaiter operator co_await() const {
    (void)detail::currentQueue();  // here, as no coroutine has an awaiter to destroy yet
    return {};
  }
};

/// Waits at least `delay`: milliseconds or a chrono duration; a fraction of a millisecond is rounded up.
/// Less than 1 or NaN is 1; more than 2^31-1 is as long as it says (in Node 1), infinity never ends.
///
/// Node: `setTimeout` of `timers/promises`. Resumes: in the timers phase.
/// Cancel: AbortError. Throws: Error ERR_NO_LOOP.
template <Duration D>
Sleep sleep(const D& delay, TimerOptions options = {}) noexcept {
  return Sleep(detail::longWaitMs(delay), options);
}

/// Found beside the `sleep` of <unistd.h>, which would block: the call is ambiguous then.
inline Sleep sleep(unsigned milliseconds, TimerOptions options = {}) noexcept {
  return Sleep(detail::longWaitMs(milliseconds), options);
}

/// Waits for the next check phase. Node: `setImmediate` of `timers/promises`. Cancel: AbortError.
inline NextImmediate nextImmediate(SignalRef signal = {}) noexcept { return NextImmediate(signal); }

/// Lets what is queued go first: goes on in a microtask. Node: `await null`.
inline Yield yield() noexcept { return {}; }

/// The ticks of an interval, one after the other. Node: `setInterval` of `timers/promises`.
///
/// Ticks that came while nobody waited are kept and given at once, as in Node. Ends with the object.
class Interval {
 public:
  using LoopBound = void;
  /// `period` as for `setInterval`. Starts at once. Throws: Error ERR_NO_LOOP.
  template <Duration D>
  explicit Interval(const D& period, TimerOptions options = {});
  Interval(const Interval&) = delete;
  Interval& operator=(const Interval&) = delete;
  ~Interval() { timer_.close(); }

  class [[nodiscard]] Next;
  /// Waits for the next tick; gives how many there were before it. Cancel: AbortError, by the signal of
  /// the options or the ambient one. One waiter at a time.
  Next next() noexcept;

 private:
  Timeout timer_;
  detail::Ref<detail::AbortState> signal_;
  detail::List<detail::Waiter> waiting_;
  std::uint64_t kept_ = 0;
  std::uint64_t given_ = 0;
};

class Interval::Next : private detail::Waiter {
 public:
  explicit Next(Interval& interval) noexcept
      : Waiter(AbortSignal(interval.signal_)), interval_(interval) {}
  ~Next() {
    if (granted()) ++interval_.kept_;
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    wait(handle, interval_.waiting_);
    if (linked() && interval_.kept_ > 0 && interval_.waiting_.first() == this) {
      --interval_.kept_;
      wake();
    }
  }
  std::uint64_t await_resume() {
    finish();
    return interval_.given_++;
  }

 private:
  friend class Interval;
  Interval& interval_;
};

template <Duration D>
Interval::Interval(const D& period, TimerOptions options) : signal_(options.signal.state()) {
  const auto onTick = [this] {
    if (detail::Waiter* waiter = waiting_.first()) {
      waiter->wake();
    } else {
      ++kept_;
    }
  };
  timer_ = setInterval(onTick, period);
  if (!options.ref) timer_.unref();
}

#if LEAT_BODIES
LEAT_INLINE Interval::Next Interval::next() noexcept { return Next(*this); }
#endif

}  // namespace leat::inline LEAT_ABI
