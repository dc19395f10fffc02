// SPDX-License-Identifier: MIT
// Callbacks of users. One that returns an awaitable is driven: its closure and its arguments are kept
// until it has ended, and what it throws is an unhandled rejection.
#pragma once

#include <leat/base/function.hpp>
#include <leat/core/promise.hpp>

namespace leat::inline LEAT_ABI::detail {

template <class F>
struct CallbackBlock : Counted<CallbackBlock<F>> {
  template <class X>
  explicit CallbackBlock(X&& f) : callable(std::forward<X>(f)) {}
  F callable;
};

/// The first parameter of the library's own coroutines that await what a callback made. Should they
/// reject, the place that is reported is that of the callback's coroutine.
template <class Made>
struct Drives {};

template <class T, class Made>
struct DrivingCoroutine : PromiseCoroutine<T> {
  void unhandled_exception() noexcept {
    if constexpr (isTask<Made>) {
      if (threadState.thrownAt.line() != 0) this->state->where = threadState.thrownAt;
    }
    PromiseCoroutine<T>::unhandled_exception();
  }
};

/// Goes on at once; the driving coroutine's promise takes the place of the promise that it awaits.
class TakePlace {
 public:
  template <class Made>
  explicit TakePlace(const Made& made) noexcept {
    if constexpr (isPromise<Made>) place_ = made.state().where;
  }
  bool await_ready() const noexcept { return place_.line() == 0; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> driver) const noexcept {
    driver.promise().state->where = place_;
    return false;
  }
  void await_resume() const noexcept {}

 private:
  std::source_location place_;
};

/// Lives until the callback's coroutine has ended, and with it the closure and the arguments.
template <class F, class... Args>
Promise<> driveCallback(Drives<std::invoke_result_t<F&, Args...>>, Ref<CallbackBlock<F>> block,
                        Args... args) {
  threadState.thrownAt = {};
  auto&& made = block->callable(std::move(args)...);
  co_await TakePlace(made);
  (void)co_await static_cast<std::invoke_result_t<F&, Args...>&&>(made);
}

/// Whether a callback, called with these, gives something to drive.
template <class F, class... Args>
concept AsyncCallback = !std::is_void_v<std::invoke_result_t<F&, Args...>> &&
                        Awaitable<std::invoke_result_t<F&, Args...>>;

/// `f` in the form in which the library keeps it: plain, or driven.
template <class... Args, class F>
auto keepCallback(F&& f) {
  using Callable = std::decay_t<F>;
  if constexpr (AsyncCallback<Callable, Args...>) {
    auto block = makeRef<CallbackBlock<Callable>>(std::forward<F>(f));
    return [block = std::move(block)](Args... args) {
      (void)driveCallback<Callable, std::decay_t<Args>...>({}, block, std::forward<Args>(args)...);
    };
  } else {
    return Callable(std::forward<F>(f));
  }
}

template <class T>
struct ExecutorArg {
  T value;
};
/// An executor that was called, what it was given and what it returned. F is a reference where it cannot be kept.
template <class F, class Made, class... Args>
struct ExecutorBlock : Counted<ExecutorBlock<F, Made, Args...>>, private ExecutorArg<Args>... {
  template <class X>
  explicit ExecutorBlock(X&& f, const Args&... args)
      : ExecutorArg<Args>{args}...,
        callable(std::forward<X>(f)),
        made(callable(std::move(static_cast<ExecutorArg<Args>&>(*this).value)...)) {}
  F callable;
  Made made;
};

/// Lives until what the executor returned has ended.
template <class F, class Made, class... Args>
Promise<> driveExecutor(Drives<Made>, Ref<ExecutorBlock<F, Made, Args...>> block) {
  threadState.thrownAt = {};
  co_await TakePlace(block->made);
  (void)co_await static_cast<Made&&>(block->made);
}

template <class Made>
struct DrivenExecutor {
  /// Throws: what the call throws.
  template <class Executor, class... Args>
  static void start(Executor&& executor, const Args&... args) {
    using Kept = std::decay_t<Executor>;
    constexpr bool keeps = std::is_constructible_v<Kept, Executor>;
    using F = std::conditional_t<keeps, Kept, Executor&>;
    using X = std::conditional_t<keeps, Executor&&, Executor&>;
    using Block = ExecutorBlock<F, Made, Args...>;
    (void)driveExecutor<F, Made, Args...>({}, makeRef<Block>(static_cast<X>(executor), args...));
  }
};

/// A callback in a queue: one block.
template <class F, bool isTick>
class CallbackJob : private Job, public FrameAllocated {
 public:
  template <class X>
  static void start(MicrotaskQueue& queue, X&& f) {
    auto* self = new CallbackJob(std::forward<X>(f));
    if constexpr (isTick) {
      queue.pushTick(*self);
    } else {
      queue.pushMicrotask(*self);
    }
  }

 private:
  template <class X>
  explicit CallbackJob(X&& f)
      : Job(onJob), context_(currentContext()), callable_(std::forward<X>(f)) {}
  static void onJob(Job& job, JobAction action) noexcept {
    auto* self = static_cast<CallbackJob*>(&job);
    if (action == JobAction::Run) self->call();
    delete self;
  }
  void call() noexcept {
    ContextScope scope(std::move(context_));
    try {
      (void)callable_();
    } catch (...) {
      MicrotaskQueue& queue = *threadState.queue;
      if constexpr (isTick) {
        queue.report(std::current_exception());
      } else {
        queue.reportFromMicrotask(std::current_exception());
      }
    }
  }

  ContextRef context_;
  F callable_;
};

/// A call with its arguments, as `setTimeout(f, ms, args...)` and `nextTick(f, args...)` keep it.
template <class F, class... Args>
auto bindCallback(F&& f, Args&&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return keepCallback<>(std::forward<F>(f));
  } else {
    return [callable = keepCallback<std::decay_t<Args>...>(std::forward<F>(f)),
            ... bound = std::decay_t<Args>(std::forward<Args>(args))]() mutable {
      (void)callable(bound...);
    };
  }
}

}  // namespace leat::inline LEAT_ABI::detail

/// Which promise a driving coroutine has.
template <class T, class Made, class... Args>
struct std::coroutine_traits<leat::Promise<T>, leat::detail::Drives<Made>, Args...> {
  using promise_type = leat::detail::DrivingCoroutine<T, Made>;
};
