// SPDX-License-Identifier: MIT
// Running a piece of work under another context: withSignal and shielded, and what AsyncLocalStorage and
// scopes are made of. The work is started by a call inside of await_suspend, never by a transfer, so
// that whoever called an async function sees its own context when that call returns.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/core/abort.hpp>
#include <leat/core/as_result.hpp>
#include <leat/core/task.hpp>

namespace leat::inline LEAT_ABI {
namespace detail {

/// The context around, with an ambient signal that follows `signal` and the one that was there.
LEAT_INLINE ContextRef contextUnder(Ref<AbortState> signal);

#if LEAT_BODIES
LEAT_INLINE ContextRef contextUnder(Ref<AbortState> signal) {
  AbortState* around = ambientSignal();
  if (around == signal.get()) return currentContext();
  if (around != nullptr) {
    auto both = makeRef<AbortState>();
    if (followSignal(*around, *both)) (void)followSignal(*signal, *both);
    signal = std::move(both);
  }
  return ContextNode::withSignal(threadState.context, std::move(signal));
}
#endif

// How a context is made of the one around the co_await.

class UnderSignal {
 public:
  explicit UnderSignal(AbortState* signal) noexcept : signal_(signal) {}
  ContextRef operator()() const { return contextUnder(signal_); }

 private:
  Ref<AbortState> signal_;
};

/// As the ambient signal, whatever there was.
class WithAmbient {
 public:
  explicit WithAmbient(AbortState* signal) noexcept : signal_(signal) {}
  ContextRef operator()() const {
    if (ambientSignal() == signal_.get()) return currentContext();
    return ContextNode::withSignal(threadState.context, signal_);
  }

 private:
  Ref<AbortState> signal_;
};

/// Awaits a task that runs in a context of its own.
template <class T>
class TaskInContext : private CallbackFrame {
 public:
  TaskInContext(ContextRef context, Task<T>&& task)
      : CallbackFrame(inPlaceOfFrame(onDone)),
        task_(std::move(task)),
        context_(std::move(context)) {
    if (!task_.valid()) [[unlikely]]
      throwTaskConsumed();
  }
  TaskInContext(const TaskInContext&) = delete;
  TaskInContext& operator=(const TaskInContext&) = delete;

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> parent) noexcept {
    parent_ = parent;
    parentContext_ = currentContext();
    if constexpr (std::is_base_of_v<TaskPromiseBase, P>) {
      link_ = &parent.promise().awaiting;
      *link_ = &taskOwner(task_);
    }
    {
      ContextScope scope(std::move(context_));
      startTask(task_, *this);
    }
    // Afterwards the parent may be gone, on this thread or on another.
    return state_.exchange(Suspended, acqRel) == Starting;
  }
  T await_resume() {
    if (link_ != nullptr) *link_ = nullptr;
    return taskResult(task_).take();
  }

 private:
  // Starting: the call that starts the task has not returned. Suspended: the parent waits to be
  // resumed. Done: the task ended before the parent was suspended, which goes on by itself.
  enum State : unsigned char { Starting, Suspended, Done };

  LEAT_GOES_ON static void onDone(CallbackFrame* frame) {
    LEAT_GO_ON(static_cast<TaskInContext*>(frame)->done());
  }
  std::coroutine_handle<> done() noexcept {
    if (state_.exchange(Done, acqRel) != Suspended) return std::noop_coroutine();
    // As with Continuation::goOn. That of the task is kept: what goes with it might destroy the parent.
    context_ = swapContext(std::move(parentContext_));
    return parent_;
  }

  Task<T> task_;
  ContextRef context_;
  ContextRef parentContext_;
  std::coroutine_handle<> parent_;
  TaskOwner** link_ = nullptr;
  Atomic<unsigned char> state_{Starting};
};

/// Awaits an operation in a context of its own. The operation resumes the parent in that context, and
/// the parent changes back.
template <class A>
class OperationInContext {
 public:
  OperationInContext(ContextRef context, A&& awaitable)
      : awaitable_(std::forward<A>(awaitable)), context_(std::move(context)) {}
  OperationInContext(const OperationInContext&) = delete;
  OperationInContext& operator=(const OperationInContext&) = delete;

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> parent) {
    parentContext_ = currentContext();
    ContextScope scope(std::move(context_));
    inner_.emplace(std::forward<A>(awaitable_));
    if (inner_->awaiter.await_ready()) return false;
    if constexpr (std::is_void_v<decltype(inner_->awaiter.await_suspend(parent))>) {
      inner_->awaiter.await_suspend(parent);
      return true;
    } else {
      return inner_->awaiter.await_suspend(parent);
    }
  }
  decltype(auto) await_resume() {
    swapContext(std::move(parentContext_));
    return inner_->awaiter.await_resume();
  }

 private:
  A awaitable_;
  ContextRef context_;
  ContextRef parentContext_;
  std::optional<AwaiterHolder<A>> inner_;
};

/// Whether awaiting an A transfers control itself, which a change of context must not.
template <class A>
inline constexpr bool transfersControl =
    !std::is_void_v<decltype(std::declval<AwaiterHolder<A>&>().awaiter.await_suspend(
        std::declval<std::coroutine_handle<>>()))> &&
    !std::is_same_v<bool, decltype(std::declval<AwaiterHolder<A>&>().awaiter.await_suspend(
                              std::declval<std::coroutine_handle<>>()))>;

template <class T, class A>
Task<T> operationAsTask(A awaitable) {
  co_return co_await std::forward<A>(awaitable);
}

template <class A>
auto awaiterInContext(ContextRef context, A&& awaitable) {
  using Result = WithoutRvalue<AwaitResult<A>>;
  if constexpr (isTask<A>) {
    return TaskInContext<Result>(std::move(context), std::move(awaitable));
  } else if constexpr (transfersControl<A>) {
    return TaskInContext<Result>(std::move(context),
                                 operationAsTask<Result, A>(std::forward<A>(awaitable)));
  } else {
    return OperationInContext<A>(std::move(context), std::forward<A>(awaitable));
  }
}

/// Work and the context that it is to have. Work is an awaitable, an lvalue reference to one, or a
/// callable that gives one and is called in the context.
template <class Work, class Derive>
class [[nodiscard("the work does not start until it is awaited")]] InContext {
 public:
  template <class W>
  InContext(Derive derive, W&& work) : derive_(std::move(derive)), work_(std::forward<W>(work)) {}
  auto operator co_await() && {
    ContextRef context = derive_();
    if constexpr (Awaitable<Work>) {
      return awaiterInContext<Work>(std::move(context), std::forward<Work>(work_));
    } else {
      using Made = std::invoke_result_t<Work&>;
      static_assert(Awaitable<Made>, "the callable must return something that can be awaited");
      ContextScope scope(context);
      return awaiterInContext<Made>(std::move(context), work_());
    }
  }

 private:
  Derive derive_;
  Work work_;
};

/// Awaitables that are passed as lvalues are referred to, callables are copied.
template <class Work>
using KeptWork = std::conditional_t<Awaitable<Work>, Work, std::decay_t<Work>>;

}  // namespace detail

/// Awaits `work`, an awaitable or a callable that returns one, under `signal`: every operation in it is
/// aborted by `signal` and, as before, by the ambient signal around.
///
/// Cancel: the operations end with AbortError; the rest of the work goes on.
template <class Work>
auto withSignal(const AbortSignal& signal, Work&& work) {
  if constexpr (!Awaitable<Work>) LEAT_GUARD_CLOSURE(Work);
  using Kept = detail::KeptWork<Work>;
  return detail::InContext<Kept, detail::UnderSignal>(detail::UnderSignal(signal.state()),
                                                      std::forward<Work>(work));
}

/// Awaits `work`, an awaitable or a callable that returns one, without any ambient signal: for clean-up
/// that must end although everything around it is being aborted.
template <class Work>
auto shielded(Work&& work) {
  if constexpr (!Awaitable<Work>) LEAT_GUARD_CLOSURE(Work);
  using Kept = detail::KeptWork<Work>;
  return detail::InContext<Kept, detail::WithAmbient>(detail::WithAmbient(nullptr),
                                                      std::forward<Work>(work));
}

}  // namespace leat::inline LEAT_ABI
