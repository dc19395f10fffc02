// SPDX-License-Identifier: MIT
// withTimeout: a piece of work that is aborted when it takes too long.
#pragma once

#include <leat/core/with_context.hpp>
#include <leat/loop/duration.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Whether `error` is `reason`, or was caused by it.
LEAT_INLINE bool causedBy(std::exception_ptr error, const std::exception_ptr& reason) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool causedBy(std::exception_ptr error, const std::exception_ptr& reason) noexcept {
  for (int depth = 0; error && depth < 16; ++depth) {
    if (error == reason) return true;
    try {
      std::rethrow_exception(error);
    } catch (const Error& e) {
      error = e.cause();
    } catch (...) {
      return false;
    }
  }
  return false;
}
#endif

inline SharedText timeoutText(std::int64_t ms) {
  return SharedText{"The operation was aborted due to timeout after ", Decimal(ms), " ms"};
}

/// The timer of one withTimeout and the signal that it aborts. Holds the loop while it is armed.
class Deadline : private LoopTimer {
 public:
  explicit Deadline(std::int64_t ms)
      : LoopTimer(onTimer),
        ms_(ms),
        wait_(ms),
        loop_(EventLoop::current()),
        state_(makeRef<AbortState>()) {
    loop_.arm(*this, wait_.next());
    loop_.hold();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { stop(); }

  AbortSignal signal() const noexcept { return AbortSignal(state_); }
  void stop() noexcept {
    if (!armed_) return;
    loop_.disarm(*this);
    ended();
  }
  /// The work has ended with `error`. Throws: the TimeoutError of this deadline if that was its cause,
  /// else `error`.
  [[noreturn]] void rethrow(const std::exception_ptr& error) const {
    if (isAborted(*state_) && causedBy(error, state_->reason))
      std::rethrow_exception(state_->reason);
    std::rethrow_exception(error);
  }

 private:
  static void onTimer(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<Deadline&>(timer);
    if (!self.wait_.over() && action == JobAction::Run) [[unlikely]]
      return self.loop_.arm(self, self.wait_.next());
    self.ended();
    if (action == JobAction::Drop) return;
    ContextScope scope(self.context_);
    abortNow(*self.state_, std::make_exception_ptr(TimeoutError(timeoutText(self.ms_).view())));
  }
  void ended() noexcept {
    armed_ = false;
    loop_.letGo();
  }

  const std::int64_t ms_;
  LongWait wait_;
  EventLoop& loop_;
  const Ref<AbortState> state_;
  const ContextRef context_ = currentContext();
  bool armed_ = true;
};

template <class T, class Work>
Task<T> withDeadline(std::int64_t ms, Work work) {
  Deadline deadline(ms);
  const AbortSignal signal = deadline.signal();
  auto limited = withSignal(signal, std::forward<Work>(work));
  auto outcome = co_await asResult(std::move(limited));
  deadline.stop();
  if (!outcome.ok()) deadline.rethrow(outcome.error());
  co_return std::move(outcome).value();
}

/// Waits for a promise or a timer, whichever is first. Lives in the frame of who waits.
template <class T>
class PromiseOrTimeout : private LoopTimer, private Job {
 public:
  PromiseOrTimeout(std::int64_t ms, Promise<T> promise) noexcept
      : LoopTimer(onTimer), Job(onSettled), ms_(ms), wait_(ms), promise_(std::move(promise)) {}
  ~PromiseOrTimeout() { stop(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    loop_ = &EventLoop::current();
    continuation_.capture(handle);
    promise_.state().react(*this);
    loop_->arm(*this, wait_.next());
    loop_->hold();
    armed_ = true;
  }
  T await_resume() {
    if (late_) [[unlikely]]
      throw TimeoutError(timeoutText(ms_).view());
    return promise_.state().take(1);
  }

 private:
  static void onSettled(Job& job, JobAction action) noexcept {
    auto& self = static_cast<PromiseOrTimeout&>(job);
    self.stop();
    if (action == JobAction::Run) self.continuation_.resumeFromQueue();
  }
  static void onTimer(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<PromiseOrTimeout&>(timer);
    if (!self.wait_.over() && action == JobAction::Run) [[unlikely]]
      return self.loop_->arm(self, self.wait_.next());
    self.armed_ = false;
    self.loop_->letGo();
    // Settled in the meantime: its reaction is in the queue.
    if (action == JobAction::Drop || !self.promise_.state().pending()) return;
    static_cast<Job&>(self).unlink();
    self.late_ = true;
    self.continuation_.resume();
  }
  void stop() noexcept {
    if (!std::exchange(armed_, false)) return;
    loop_->disarm(*this);
    loop_->letGo();
  }

  const std::int64_t ms_;
  LongWait wait_;
  bool armed_ = false;
  bool late_ = false;
  EventLoop* loop_ = nullptr;
  Continuation continuation_;
  Promise<T> promise_;
};

template <class T>
Task<T> promiseInTime(std::int64_t ms, Promise<T> promise) {
  PromiseOrTimeout<T> either(ms, std::move(promise));
  co_return co_await either;
}

template <class Work>
struct MadeOf {
  using Type = std::invoke_result_t<Work&>;
};
template <Awaitable Work>
struct MadeOf<Work> {
  using Type = Work;
};

}  // namespace detail

/// Awaits `work`, an awaitable or a callable that returns one, for at most `limit` (milliseconds or a
/// duration, as for `sleep`; infinity is no limit). Then every operation in it is aborted, and its end
/// awaited: if it ends because of that, this throws the TimeoutError; a value that it gives all the same
/// is given.
/// A Promise is not the work but its result: with one this throws at once when the time is over, and
/// what will settle the promise goes on. Give a Task or a callable to have the work aborted.
///
/// Node: `AbortSignal.timeout`, which does not hold the loop: this does.
/// Cancel: the work gets the ambient signal, too. Throws: TimeoutError, what the work throws.
template <Duration D, class Work>
auto withTimeout(const D& limit, Work&& work) {
  if constexpr (!Awaitable<Work>) LEAT_GUARD_CLOSURE(Work);
  using Kept = detail::KeptWork<Work>;
  using T = detail::WithoutRvalue<AwaitResult<typename detail::MadeOf<Kept>::Type>>;
  if constexpr (detail::isPromise<std::remove_cvref_t<Kept>>)
    return detail::promiseInTime(detail::longWaitMs(limit),
                                 std::remove_cvref_t<Kept>(std::forward<Work>(work)));
  else
    return detail::withDeadline<T, Kept>(detail::longWaitMs(limit), std::forward<Work>(work));
}

}  // namespace leat::inline LEAT_ABI
