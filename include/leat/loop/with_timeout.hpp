// SPDX-License-Identifier: MIT
// withTimeout: a piece of work that is aborted when it takes too long.
#pragma once

#include <leat/core/with_context.hpp>
#include <leat/loop/duration.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Whether `error` is `reason`, or was caused by it.
inline bool causedBy(std::exception_ptr error, const std::exception_ptr& reason) noexcept {
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

/// The timer of one withTimeout and the signal that it aborts. Holds the loop while it is armed.
class Deadline : private LoopTimer {
 public:
  explicit Deadline(std::int32_t ms)
      : LoopTimer(onTimer), ms_(ms), loop_(EventLoop::current()), state_(makeRef<AbortState>()) {
    loop_.arm(*this, ms);
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
    self.ended();
    if (action == JobAction::Drop) return;
    const SharedText text{"The operation was aborted due to timeout after ", Decimal(self.ms_),
                          " ms"};
    abortNow(*self.state_, std::make_exception_ptr(TimeoutError(text.view())));
  }
  void ended() noexcept {
    armed_ = false;
    loop_.letGo();
  }

  const std::int32_t ms_;
  EventLoop& loop_;
  const Ref<AbortState> state_;
  bool armed_ = true;
};

template <class T, class Work>
Task<T> withDeadline(std::int32_t ms, Work work) {
  Deadline deadline(ms);
  const AbortSignal signal = deadline.signal();
  auto limited = withSignal(signal, std::forward<Work>(work));
  auto outcome = co_await asResult(std::move(limited));
  deadline.stop();
  if (!outcome.ok()) deadline.rethrow(outcome.error());
  co_return std::move(outcome).value();
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
/// duration). Then every operation in it is aborted, and its end awaited: if it ends because of that,
/// this throws the TimeoutError; a value that it gives all the same is given.
///
/// Node: `AbortSignal.timeout`, which does not hold the loop: this does.
/// Cancel: the work gets the ambient signal, too. Throws: TimeoutError, what the work throws.
template <Duration D, class Work>
auto withTimeout(const D& limit, Work&& work) {
  if constexpr (!Awaitable<Work>) LEAT_GUARD_CLOSURE(Work);
  using Kept = detail::KeptWork<Work>;
  using T = detail::WithoutRvalue<AwaitResult<typename detail::MadeOf<Kept>::Type>>;
  return detail::withDeadline<T, Kept>(detail::waitMs(limit), std::forward<Work>(work));
}

}  // namespace leat::inline LEAT_ABI
