// SPDX-License-Identifier: MIT
// forkScope: a number of tasks on the workers of a pool that nobody knows beforehand.
#pragma once

#include <leat/pool/fork.hpp>

#include <sched.h>

#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {
template <class F>
class ForkScopeAwaiter;
}  // namespace detail

/// The tasks of a scope. Made by `forkScope`; used by its body and by its tasks, on any worker of the pool.
class ForkScope {
 public:
  ForkScope(const ForkScope&) = delete;
  ForkScope& operator=(const ForkScope&) = delete;

  /// Starts a task on this worker or on one that steals it. What it throws is the scope's failure; what it
  /// gives is dropped. On a worker. Throws: Error ERR_NO_POOL.
  template <class T>
  void fork(Task<T>&& task);

 private:
  template <class F>
  friend class detail::ForkScopeAwaiter;
  template <class T>
  struct Child;

  ForkScope() noexcept = default;
  std::coroutine_handle<> ended() noexcept {
    if (detail::threadState.context != nullptr) (void)detail::swapContext(nullptr);
    if (open_.fetchSub(1, detail::acqRel) != 1) return std::noop_coroutine();
    if (detail::threadState.context != context_.get()) (void)detail::swapContext(context_);
    return joiner_;
  }
  LEAT_NOINLINE void fail(std::exception_ptr error) noexcept {
    while (locked_.exchange(true, detail::acquire)) ::sched_yield();
    if (errors_ != nullptr) {
      try {
        errors_->push_back(error);
      } catch (const std::bad_alloc&) {
        // The first is thrown all the same.
      }
    }
    if (!error_) error_.swap(error);
    locked_.store(false, detail::release);
  }
  bool aborted() const noexcept {
    const detail::AbortState* signal = context_ ? context_->signal() : nullptr;
    return signal != nullptr && detail::isAborted(*signal);
  }

  // The body counts as one.
  detail::Atomic<std::size_t> open_{1};
  // Of the errors: written under the lock.
  detail::Atomic<bool> locked_{false};
  std::exception_ptr error_;
  std::vector<std::exception_ptr>* errors_ = nullptr;  // all of them, for who asks
  std::coroutine_handle<> joiner_;
  detail::ContextRef context_;
};

/// A task and its place in the scope; it goes when the task ends.
template <class T>
struct ForkScope::Child : detail::PoolJob, detail::CallbackFrame, detail::FrameAllocated {
  Child(ForkScope& s, Task<T>&& t) noexcept
      : PoolJob(onTaken),
        CallbackFrame(detail::inPlaceOfFrame(onDone)),
        scope(s),
        task(std::move(t)) {}
  static void onTaken(PoolJob& job, bool) noexcept {
    auto& self = static_cast<Child&>(job);
    detail::ContextScope context(self.scope.context_);
    if (!self.scope.aborted()) return detail::startTask(self.task, self);
    self.scope.fail(std::make_exception_ptr(AbortError(self.scope.context_->signal()->reason)));
    const auto next = self.leave();
    detail::run(next);
  }
  LEAT_GOES_ON static void onDone(CallbackFrame* frame) {
    LEAT_GO_ON(static_cast<Child*>(frame)->done());
  }
  std::coroutine_handle<> done() noexcept {
    detail::Slot<T>& slot = detail::taskResult(task);
    if (slot.state() == detail::Slot<T>::Error) scope.fail(slot.error());
    return leave();
  }
  std::coroutine_handle<> leave() noexcept {
    ForkScope& left = scope;
    delete this;
    return left.ended();
  }
  ForkScope& scope;
  Task<T> task;
};

template <class T>
void ForkScope::fork(Task<T>&& task) {
  detail::checkForked(task);
  detail::PoolWorker* const worker = detail::PoolWorker::current();
  if (worker == nullptr || detail::threadState.loop != nullptr) detail::throwNoPool();
  auto* const child = new Child<T>(*this, std::move(task));
  // Relaxed: who forks is counted itself until after this, so the count cannot come to nothing before; and the child
  // leaves after it was taken from where `push` puts it, which is after this for all. What the tasks have written
  // passes by their leaving, which releases and acquires.
  open_.fetchAdd(1, detail::relaxed);
  worker->push(*child);
}

namespace detail {

template <class F>
class ForkScopeAwaiter : private CallbackFrame {
  using Body = std::invoke_result_t<F&, ForkScope&>;

 public:
  explicit ForkScopeAwaiter(F&& body, std::vector<std::exception_ptr>* errors = nullptr)
      : CallbackFrame(inPlaceOfFrame(onBodyDone)), body_(std::move(body)) {
    scope_.errors_ = errors;
  }
  ForkScopeAwaiter(const ForkScopeAwaiter&) = delete;
  ForkScopeAwaiter& operator=(const ForkScopeAwaiter&) = delete;

  bool await_ready() const {
    if (PoolWorker::current() == nullptr || threadState.loop != nullptr) throwNoPool();
    return false;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    // First of all: the body may be a plain function that forks before it gives its task.
    scope_.joiner_ = parent;
    scope_.context_ = currentContext();
    try {
      task_ = body_(scope_);
      checkForked(task_);
    } catch (...) {
      // What it has forked uses the scope; there is nothing to be thrown before that has ended.
      failure_ = std::current_exception();
      return transfer(scope_.ended());
    }
    TaskOwner& owner = taskOwner(task_);
    owner.frame.promise().continuation = this->handle();
    return transfer(owner.frame);
  }
  auto await_resume() {
    if (failure_) [[unlikely]]
      std::rethrow_exception(std::move(failure_));
    // The body goes first: that its tasks failed may be what it failed for, but it knows more.
    if (taskFailed() || !scope_.error_) return taskResult(task_).take();
    std::rethrow_exception(std::move(scope_.error_));
  }

 private:
  bool taskFailed() noexcept {
    auto& slot = taskResult(task_);
    return slot.state() == std::remove_reference_t<decltype(slot)>::Error;
  }
  LEAT_GOES_ON static void onBodyDone(CallbackFrame* frame) {
    LEAT_GO_ON(static_cast<ForkScopeAwaiter*>(frame)->scope_.ended());
  }

  F body_;
  ForkScope scope_;
  Body task_;
  std::exception_ptr failure_;  // of the call of the body
};

}  // namespace detail

/// Runs a body that forks as many tasks as it likes, and so may they, and waits for all of them:
/// `co_await forkScope(f)`, where `f(ForkScope& scope)` is a coroutine that calls `scope.fork(task)`. Gives
/// what the body gives. On a worker of a pool only; see `fork` for what that means.
///
/// Throws: what the body threw, else what the first task that failed threw. The other failures are dropped here;
/// the next form keeps them.
/// Cancel: tasks that have not begun when the ambient signal is aborted never do; AbortError.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, ForkScope&>
[[nodiscard("it does not begin until it is awaited")]] detail::ForkScopeAwaiter<std::decay_t<F>>
forkScope(F&& body) {
  LEAT_GUARD_CLOSURE(F);
  return detail::ForkScopeAwaiter<std::decay_t<F>>(std::decay_t<F>(std::forward<F>(body)));
}

/// The same, and what each task threw is added to `errors`, which stay until the join, in the order in which they
/// failed; tasks that were not begun with an AbortError each. What the body threw is not among them.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, ForkScope&>
[[nodiscard("it does not begin until it is awaited")]] detail::ForkScopeAwaiter<std::decay_t<F>>
forkScope(F&& body, std::vector<std::exception_ptr>& errors) {
  LEAT_GUARD_CLOSURE(F);
  return detail::ForkScopeAwaiter<std::decay_t<F>>(std::decay_t<F>(std::forward<F>(body)), &errors);
}

}  // namespace leat::inline LEAT_ABI
