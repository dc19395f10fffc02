// SPDX-License-Identifier: MIT
// setTimeout, setInterval, setImmediate and what they return.
#pragma once

#include <leat/loop/duration.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/loop/timeout_overflow.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// False after the end of the loop of `home`. Throws: Error ERR_WRONG_THREAD, when that is another thread's.
inline bool timerIsHere(HomeId home) {
  if (threadState.home == home) [[likely]]
    return true;
  if (homeLives(home))
    throwError(
        "a timer was used on another thread than that of its event loop; use LoopRef::post to go "
        "there",
        "ERR_WRONG_THREAD");
  return false;
}

/// A timer with a callback. While armed the loop has a count of it. With a closure of one word it fills
/// a cache line: a million timers cost what memory costs.
struct TimerBlock : LoopTimer {
  // `ownerState`: the count of handles above these flags.
  enum : std::uint32_t {
    active = 1,
    repeats = 2,
    unreferenced = 4,
    cleared = 8,
    calling = 16,
    empty = 32,  // it has let go of its closure, or that needs no destruction
    oneCount = 64
  };

  TimerBlock(std::int32_t ms, std::uint32_t flags, Function function) noexcept
      : LoopTimer(function), home(threadState.home), context(currentContext()) {
    durationMs = ms;
    ownerState = oneCount | flags;
  }
  void retain() noexcept { ownerState += oneCount; }
  void release() noexcept {
    ownerState -= oneCount;
    if (ownerState < oneCount) fire(*this, JobAction::Dispose);
  }
  bool has(std::uint32_t flag) const noexcept { return (ownerState & flag) != 0; }
  bool referenced() const noexcept { return !has(unreferenced); }

  /// Starts it (again), counted from `at` in milliseconds of the loop's clock.
  void start(std::int64_t at) {
    loop().armAt(*this, durationMs, at);
    if (has(active)) return;
    ownerState = (ownerState | active) + oneCount;
    if (referenced()) loop().hold();
  }
  /// For the first time, on this loop.
  void startFirst(EventLoop& on) {
    on.armNew(*this, durationMs);
    ownerState += active + oneCount;
    on.hold();
  }
  /// A handle clears it.
  void close() noexcept {
    if (has(active)) loop().disarm(*this, referenced());
    clear();
  }
  /// Lets go of the closure, which may own a handle to this timer.
  void clear() noexcept {
    // The loop's count, or else one of its own, keeps it alive until the end.
    if (!has(active)) {
      retain();
    } else if (referenced()) {
      loop().letGo();
    }
    ownerState = (ownerState | cleared) & ~std::uint32_t{active};
    if (!has(calling | empty)) {
      ownerState |= empty;
      fire(*this, JobAction::Drop);
    }
    release();
  }
  void finish() noexcept {
    ownerState &= ~std::uint32_t{active};
    if (referenced()) loop().letGo();
    release();
  }
  void setReferenced(bool to) noexcept {
    if (referenced() == to) return;
    ownerState ^= unreferenced;
    if (has(active)) to ? loop().hold() : loop().letGo();
  }

  /// Its own, on the home thread.
  static EventLoop& loop() noexcept { return *threadState.loop; }

  const HomeId home;
  ContextRef context;
};

template <class F>
struct TimerWith final : TimerBlock, FrameAllocated {
  template <class X>
  TimerWith(std::int32_t ms, bool repeat, X&& f)
      : TimerBlock(ms, (repeat ? repeats : 0U) | (std::is_trivially_destructible_v<F> ? empty : 0U),
                   onFire),
        callable(std::forward<X>(f)) {}
  ~TimerWith() {
    if (!has(empty)) callable.~F();
  }
  static void onFire(LoopTimer& timer, JobAction action) noexcept {
    auto* self = static_cast<TimerWith*>(&timer);
    if (action == JobAction::Run) return self->run();
    if (action == JobAction::Dispose) {
      delete self;
    } else if (self->has(cleared)) {
      self->callable.~F();
    } else {
      self->clear();  // the end of the loop
    }
  }
  LEAT_NOINLINE void run() noexcept {
    Ref<TimerBlock> alive(this);
    const std::int64_t begun = has(repeats) ? loop().startTime() : 0;
    {
      ContextScope scope(context);
      ownerState |= calling;
      loop().callback([this] { (void)callable(); });
      ownerState &= ~std::uint32_t{calling};
    }
    if (has(cleared)) return clear();
    if (!has(active)) return;
    if (has(repeats)) return start(begun);  // also when refreshed by its callback, as in Node
    if (linked()) return;
    finish();
  }
  union {
    F callable;
  };
};

}  // namespace detail

/// What setTimeout and setInterval give. Copies are handles to the same timer; dropping them does not
/// clear it. After the end of its loop a handle does nothing.
///
/// Node: `Timeout`. Thread: the loop's. Throws, all that changes it: Error ERR_WRONG_THREAD.
class Timeout {
 public:
  using LoopBound = void;
  Timeout() noexcept = default;
  explicit Timeout(detail::Ref<detail::TimerBlock> timer) noexcept : timer_(std::move(timer)) {}

  /// Node: `timeout.ref()`, `unref()`, `hasRef()`: whether it holds the loop while it waits.
  const Timeout& ref() const { return setReferenced(true); }
  const Timeout& unref() const { return setReferenced(false); }
  bool hasRef() const noexcept { return timer_ && timer_->referenced(); }
  /// Node: `timeout.refresh()`: starts it anew, also when it has fired; not when it was cleared, and not in
  /// the drain of the queues right before it fires, when it is too late for that. For that
  /// its callback is kept until it is cleared or the last handle goes.
  const Timeout& refresh() const;
  /// Node: `timeout.close()`, `clearTimeout(timeout)`.
  void close() const;
  /// Whether it waits.
  bool active() const noexcept { return timer_ && timer_->has(detail::TimerBlock::active); }

 private:
  const Timeout& setReferenced(bool to) const {
    if (usable()) timer_->setReferenced(to);
    return *this;
  }
  bool usable() const { return timer_ && detail::timerIsHere(timer_->home); }
  detail::Ref<detail::TimerBlock> timer_;
};

namespace detail {

template <class D, class F>
Timeout startTimer(F&& f, const D& delay, bool repeat) {
  EventLoop& loop = EventLoop::current();
  if (tooLongForTimer(delay)) [[unlikely]]
    warnOfOverflow(milliseconds(delay));
  auto* timer = new TimerWith<std::decay_t<F>>(timerMs(delay), repeat, std::forward<F>(f));
  auto handle = Ref<TimerBlock>::adopt(timer);
  timer->startFirst(loop);
  return Timeout(std::move(handle));
}

/// An entry of the check phase.
struct ImmediateBlock : Job {
  /// Run calls the closure, Drop destroys it, Dispose frees the block.
  using Act = void (*)(ImmediateBlock&, JobAction);
  explicit ImmediateBlock(Act a) noexcept : Job(onJob), act(a) {}
  static EventLoop& loop() noexcept { return *threadState.loop; }
  void retain() noexcept { ++count; }
  void release() noexcept {
    if (--count == 0) act(*this, JobAction::Dispose);
  }
  void finish() noexcept {
    active = false;
    if (referenced) loop().noteImmediates(-1);
    act(*this, JobAction::Drop);
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
      if (self.referenced) self.loop().noteImmediates(-1);
      {
        ContextScope scope(self.context);
        self.loop().callback([&self] { self.act(self, JobAction::Run); });
      }
      // It may own a handle to this.
      self.act(self, JobAction::Drop);
      return self.release();
    }
    self.finish();
  }

  const HomeId home = threadState.home;
  Act act;
  ContextRef context = currentContext();
  unsigned count = 2;  // the handle's and the queue's
  bool active = true;
  bool referenced = true;
};

template <class F>
struct ImmediateWith final : ImmediateBlock, FrameAllocated {
  template <class X>
  explicit ImmediateWith(X&& f) : ImmediateBlock(onAct), callable(std::forward<X>(f)) {}
  ~ImmediateWith() {}
  static void onAct(ImmediateBlock& block, JobAction action) {
    auto& self = static_cast<ImmediateWith&>(block);
    if (action == JobAction::Run) {
      (void)self.callable();
    } else if (action == JobAction::Drop) {
      self.callable.~F();
    } else {
      delete &self;
    }
  }
  // Destroyed by Drop, once.
  union {
    F callable;
  };
};

}  // namespace detail

/// What setImmediate gives, as `Timeout`. Node: `Immediate`.
class Immediate {
 public:
  using LoopBound = void;
  Immediate() noexcept = default;
  explicit Immediate(detail::Ref<detail::ImmediateBlock> block) noexcept
      : block_(std::move(block)) {}

  const Immediate& ref() const { return setReferenced(true); }
  const Immediate& unref() const { return setReferenced(false); }
  /// False, too, of one that has run or was cleared.
  bool hasRef() const noexcept { return block_ && block_->active && block_->referenced; }
  /// Node: `clearImmediate(immediate)`.
  void close() const {
    if (usable()) block_->stop();
  }

 private:
  const Immediate& setReferenced(bool to) const {
    if (usable() && block_->active && block_->referenced != to) {
      block_->referenced = to;
      block_->loop().noteImmediates(to ? 1 : -1);
    }
    return *this;
  }
  bool usable() const { return block_ && detail::timerIsHere(block_->home); }
  detail::Ref<detail::ImmediateBlock> block_;
};

/// Calls `f(args...)` once, not before `delay` has passed: milliseconds or a chrono duration, cut to
/// whole milliseconds; less than 1, NaN or, with a warning, more than 2^31-1 is 1. Never early (Node may
/// be, by 1 ms).
///
/// Node: `setTimeout`. Throws: Error ERR_NO_LOOP.
template <class F, Duration D = int, class... Args>
Timeout setTimeout(F&& f, D delay = 1, Args&&... args) {
  return detail::startTimer(detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...),
                            delay, false);
}

/// Calls `f(args...)` again and again; the next is due one period after the start of this one. Calls
/// that a busy loop missed are not made up for.
///
/// Node: `setInterval`.
template <class F, Duration D = int, class... Args>
Timeout setInterval(F&& f, D period = 1, Args&&... args) {
  return detail::startTimer(detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...),
                            period, true);
}

/// Calls `f(args...)` in the check phase of this turn, or of the next when called in that phase.
///
/// Node: `setImmediate`.
template <class F, class... Args>
Immediate setImmediate(F&& f, Args&&... args) {
  EventLoop& loop = EventLoop::current();
  auto callback = detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...);
  auto* block = new detail::ImmediateWith<decltype(callback)>(std::move(callback));
  loop.noteImmediates(1);
  loop.pushImmediate(*block);
  return Immediate(detail::Ref<detail::ImmediateBlock>::adopt(block));
}

/// Nothing happens when the timer has fired or was cleared, inside its own callback too. Each clears
/// what either function made, as in Node. Throws: Error ERR_WRONG_THREAD.
inline void clearTimeout(const Timeout& timeout) { timeout.close(); }
inline void clearInterval(const Timeout& timeout) { timeout.close(); }
inline void clearImmediate(const Immediate& immediate) { immediate.close(); }

#if LEAT_BODIES
LEAT_INLINE const Timeout& Timeout::refresh() const {
  if (usable() && !timer_->has(detail::TimerBlock::cleared))
    timer_->start(timer_->loop().startTime());
  return *this;
}

LEAT_INLINE void Timeout::close() const {
  if (!usable()) return;
  // The closure may own this handle.
  timer_->close();
}
#endif

}  // namespace leat::inline LEAT_ABI
