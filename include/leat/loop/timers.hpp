// SPDX-License-Identifier: MIT
// setTimeout, setInterval, setImmediate and what they return.
#pragma once

#include <leat/loop/duration.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A timer with a callback. While armed the loop has a count of it.
struct TimerBlock : LoopTimer {
  using Call = void (*)(TimerBlock&);
  using Dispose = void (*)(TimerBlock&) noexcept;

  TimerBlock(EventLoop& l, std::int32_t duration, bool repeats, Call c, Dispose d) noexcept
      : LoopTimer(onFire), loop(&l), call(c), dispose(d), ms(duration), repeat(repeats) {}
  void retain() noexcept { ++count; }
  void release() noexcept {
    if (--count == 0) dispose(*this);
  }
  /// Starts it (again), counted from `at` in milliseconds of the loop's clock.
  void start(std::int64_t at) {
    loop->armAt(*this, ms, at);
    if (!active) {
      active = true;
      retain();
      if (referenced) loop->hold();
    }
  }
  void stop() noexcept {
    if (!active) return;
    loop->disarm(*this, referenced);
    finish();
  }
  void finish() noexcept {
    active = false;
    if (referenced) loop->letGo();
    release();
  }
  void setReferenced(bool to) noexcept {
    if (referenced == to) return;
    referenced = to;
    if (active) to ? loop->hold() : loop->letGo();
  }
  static void onFire(LoopTimer& timer, JobAction action) noexcept;

  EventLoop* loop;
  Call call;
  Dispose dispose;
  ContextRef context = currentContext();
  unsigned count = 1;
  std::int32_t ms;
  bool repeat;
  bool active = false;
  bool referenced = true;
  bool cleared = false;
};

template <class F>
struct TimerWith final : TimerBlock, FrameAllocated {
  template <class X>
  TimerWith(EventLoop& l, std::int32_t duration, bool repeats, X&& f)
      : TimerBlock(l, duration, repeats, invoke, destroy), callable(std::forward<X>(f)) {}
  static void invoke(TimerBlock& timer) { (void)static_cast<TimerWith&>(timer).callable(); }
  static void destroy(TimerBlock& timer) noexcept { delete &static_cast<TimerWith&>(timer); }
  F callable;
};

inline void TimerBlock::onFire(LoopTimer& node, JobAction action) noexcept {
  auto& self = static_cast<TimerBlock&>(node);
  Ref<TimerBlock> alive(&self);
  if (action == JobAction::Drop) {
    self.cleared = true;
    return self.finish();
  }
  const std::int64_t start = self.repeat ? self.loop->startTime() : 0;
  {
    ContextScope scope(self.context);
    self.loop->callback([&self] { self.call(self); });
  }
  if (!self.active || self.linked()) return;  // cleared, or refreshed by its callback
  if (self.repeat) return self.start(start);
  self.finish();
}

}  // namespace detail

/// What setTimeout and setInterval give. Copies are handles to the same timer; dropping them does not
/// clear it.
///
/// Node: `Timeout`. Thread: the loop's.
class Timeout {
 public:
  Timeout() noexcept = default;
  explicit Timeout(detail::Ref<detail::TimerBlock> timer) noexcept : timer_(std::move(timer)) {}

  /// Node: `timeout.ref()`, `unref()`, `hasRef()`: whether it holds the loop while it waits.
  const Timeout& ref() const noexcept { return setReferenced(true); }
  const Timeout& unref() const noexcept { return setReferenced(false); }
  bool hasRef() const noexcept { return timer_ && timer_->referenced; }
  /// Node: `timeout.refresh()`: starts it anew, also when it has fired; not when it was cleared.
  const Timeout& refresh() const;
  /// Node: `timeout.close()`, `clearTimeout(timeout)`.
  void close() const noexcept;
  /// Whether it waits.
  bool active() const noexcept { return timer_ && timer_->active; }

 private:
  const Timeout& setReferenced(bool to) const noexcept {
    if (usable()) timer_->setReferenced(to);
    return *this;
  }
  // After the end of its loop a handle does nothing.
  bool usable() const noexcept {
    return timer_ && detail::threadState.loop == timer_->loop && timer_->loop != nullptr;
  }
  detail::Ref<detail::TimerBlock> timer_;
};

namespace detail {

template <class D, class F>
Timeout startTimer(F&& f, const D& delay, bool repeat) {
  EventLoop& loop = EventLoop::current();
  auto* timer = new TimerWith<std::decay_t<F>>(loop, timerMs(delay), repeat, std::forward<F>(f));
  auto handle = Ref<TimerBlock>::adopt(timer);
  timer->start(loop.startTime());
  return Timeout(std::move(handle));
}

/// An entry of the check phase.
struct ImmediateBlock : Job {
  using Call = void (*)(ImmediateBlock&);
  ImmediateBlock(EventLoop& l, Call c, void (*d)(ImmediateBlock&) noexcept) noexcept
      : Job(onJob), loop(&l), call(c), dispose(d) {}
  void retain() noexcept { ++count; }
  void release() noexcept {
    if (--count == 0) dispose(*this);
  }
  void finish() noexcept {
    active = false;
    if (referenced) loop->noteImmediates(-1);
    release();
  }
  void stop() noexcept {
    if (!active) return;
    unlink();
    finish();
  }
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<ImmediateBlock&>(job);
    if (action == JobAction::Run) {
      // It may be cleared by its own callback.
      Ref<ImmediateBlock> alive(&self);
      self.active = false;
      if (self.referenced) self.loop->noteImmediates(-1);
      {
        ContextScope scope(self.context);
        self.loop->callback([&self] { self.call(self); });
      }
      return self.release();
    }
    self.finish();
  }

  EventLoop* loop;
  Call call;
  void (*dispose)(ImmediateBlock&) noexcept;
  ContextRef context = currentContext();
  unsigned count = 2;  // the handle's and the queue's
  bool active = true;
  bool referenced = true;
};

template <class F>
struct ImmediateWith final : ImmediateBlock, FrameAllocated {
  template <class X>
  ImmediateWith(EventLoop& l, X&& f)
      : ImmediateBlock(l, invoke, destroy), callable(std::forward<X>(f)) {}
  static void invoke(ImmediateBlock& i) { (void)static_cast<ImmediateWith&>(i).callable(); }
  static void destroy(ImmediateBlock& i) noexcept { delete &static_cast<ImmediateWith&>(i); }
  F callable;
};

}  // namespace detail

/// What setImmediate gives. Node: `Immediate`.
class Immediate {
 public:
  Immediate() noexcept = default;
  explicit Immediate(detail::Ref<detail::ImmediateBlock> block) noexcept
      : block_(std::move(block)) {}

  const Immediate& ref() const noexcept { return setReferenced(true); }
  const Immediate& unref() const noexcept { return setReferenced(false); }
  bool hasRef() const noexcept { return block_ && block_->referenced; }
  /// Node: `clearImmediate(immediate)`.
  void close() const noexcept {
    if (usable()) block_->stop();
  }

 private:
  const Immediate& setReferenced(bool to) const noexcept {
    if (usable() && block_->active && block_->referenced != to) {
      block_->referenced = to;
      block_->loop->noteImmediates(to ? 1 : -1);
    }
    return *this;
  }
  bool usable() const noexcept { return block_ && detail::threadState.loop == block_->loop; }
  detail::Ref<detail::ImmediateBlock> block_;
};

/// Calls `f(args...)` once, not before `delay` has passed: milliseconds or a chrono duration, cut to
/// whole milliseconds; less than 1, more than 2^31-1 or NaN is 1. Never early (Node may be, by 1 ms).
///
/// Node: `setTimeout`. Throws: Error ERR_NO_LOOP.
template <class F, Duration D = int, class... Args>
Timeout setTimeout(F&& f, D delay = 1, Args&&... args) {
  return detail::startTimer(
      detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...), delay, false);
}

/// Calls `f(args...)` again and again; the next is due one period after the start of this one. Calls
/// that a busy loop missed are not made up for.
///
/// Node: `setInterval`.
template <class F, Duration D = int, class... Args>
Timeout setInterval(F&& f, D period = 1, Args&&... args) {
  return detail::startTimer(
      detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...), period, true);
}

/// Calls `f(args...)` in the check phase of this turn, or of the next when called in that phase.
///
/// Node: `setImmediate`.
template <class F, class... Args>
Immediate setImmediate(F&& f, Args&&... args) {
  EventLoop& loop = EventLoop::current();
  auto callback = detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...);
  auto* block = new detail::ImmediateWith<decltype(callback)>(loop, std::move(callback));
  loop.noteImmediates(1);
  loop.pushImmediate(*block);
  return Immediate(detail::Ref<detail::ImmediateBlock>::adopt(block));
}

/// Nothing happens when the timer has fired or was cleared, inside its own callback too. Each clears
/// what either function made, as in Node.
inline void clearTimeout(const Timeout& timeout) noexcept { timeout.close(); }
inline void clearInterval(const Timeout& timeout) noexcept { timeout.close(); }
inline void clearImmediate(const Immediate& immediate) noexcept { immediate.close(); }

inline const Timeout& Timeout::refresh() const {
  if (usable() && !timer_->cleared) timer_->start(timer_->loop->startTime());
  return *this;
}

inline void Timeout::close() const noexcept {
  if (!usable()) return;
  timer_->cleared = true;
  timer_->stop();
}

}  // namespace leat::inline LEAT_ABI
