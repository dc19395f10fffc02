// SPDX-License-Identifier: MIT
// From a loop to the workers of a WorkStealingPool and back.
#pragma once

#include <leat/loop/blocking.hpp>
#include <leat/loop/resume_on.hpp>
#include <leat/pool/work_stealing_pool.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The part of a call on a pool that does not depend on its types. Counted by its operation, by the pool
/// while the call is there, and on its way back by the loop's queue.
class PoolCallBase : public OutsideJob, private PostedJob, protected CallbackFrame {
 public:
  /// Told once: on the loop's thread, or, started without a loop, on a worker.
  using OnDone = void (*)(void* waiter) noexcept;

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) delete this;
  }
  /// 0. Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL.
  int start(EventLoop& loop, OnDone onDone, void* waiter) {
    home_.emplace(loop.ref());
    startWithoutLoop(onDone, waiter);
    return 0;
  }
  void startWithoutLoop(OnDone onDone, void* waiter) {
    context_ = currentContext();
    // The call is not the coroutine that is away from its loop, and may not come home in its place.
    if (AwayNote::current() != nullptr)
      context_ = ContextNode::withStore(context_.get(), AwayNote::key(), nullptr);
    onDone_ = onDone;
    waiter_ = waiter;
    retain();
    const PoolEntry entry = pool_.post(*this);
    if (isTaken(entry)) return;
    waiter_ = nullptr;
    release();
    throwNotTaken(entry);
  }
  /// Nobody waits any more: a call that has not begun will not, and its place is free. The loop's thread.
  void leave() noexcept {
    waiter_ = nullptr;
    State state = Waiting;
    // Who takes it meanwhile, a worker or the end of the pool, waits: the pool stays until this is done.
    if (!state_.compareExchange(state, Leaving, acqRel)) return;
    const bool withdrawn = pool_.withdraw(*this);
    state_.store(Left, seqCst);
    if (withdrawn) release();
  }

 protected:
  PoolCallBase(PoolCore& pool, Priority priority) noexcept
      : OutsideJob(onTaken, priority),
        PostedJob(onPosted),
        CallbackFrame(onTaskDone),
        pool_(pool) {}
  virtual ~PoolCallBase() = default;

  /// On a worker. False: a task was begun, whose end `onTaskDone` is.
  virtual bool call(CallbackFrame& onEnd) noexcept = 0;
  /// The pool has ended first.
  virtual void refuse(std::exception_ptr error) noexcept = 0;
  /// Inputs go, and outputs that nobody asked for.
  virtual void clear() noexcept = 0;

 private:
  enum State : unsigned char { Waiting, Leaving, Left, Taken };

  /// False: nobody waits for it any more.
  bool begin() noexcept {
    State state = Waiting;
    if (state_.compareExchange(state, Taken, acqRel)) return true;
    while (state_.load(acquire) == Leaving) ::sched_yield();
    return false;
  }
  static void onTaken(PoolJob& job, bool run) noexcept {
    auto& self = static_cast<PoolCallBase&>(job);
    if (!self.begin()) return self.finish();
    if (!run) {
      self.refuse(std::make_exception_ptr(poolClosed()));
      return self.finish();
    }
    {
      const ContextScope scope(std::move(self.context_));
      if (!self.call(self)) return;
    }
    self.finish();
  }
  static void onTaskDone(CallbackFrame* frame) noexcept {
    // Whoever waits is to be the last to hold the stores, on its own thread.
    (void)swapContext(nullptr);
    static_cast<PoolCallBase*>(frame)->finish();
  }
  void finish() noexcept {
    context_ = nullptr;
    // The pool's count, until the loop has been told: from then on the loop may drop the others.
    const auto self = Ref<PoolCallBase>::adopt(this);
    if (!home_) return onDone_(waiter_);
    retain();
    if (!home_->postJob(*this)) release();
  }
  static void onPosted(PostedJob& job, bool run) noexcept {
    auto self = Ref<PoolCallBase>::adopt(&static_cast<PoolCallBase&>(job));
    void* const waiter = std::exchange(self->waiter_, nullptr);
    if (!run || waiter == nullptr) return self->clear();
    self->onDone_(waiter);
  }

  PoolCore& pool_;
  std::optional<LoopRef> home_;
  ContextRef context_;
  OnDone onDone_ = nullptr;
  void* waiter_ = nullptr;
  Atomic<unsigned> count_{1};
  Atomic<State> state_{Waiting};
};

/// What a callable gives, and what is given on: of a Task its result.
template <class Given>
struct PoolResult {
  using Type = std::decay_t<Given>;
  static constexpr bool isTask = false;
};
template <class T>
struct PoolResult<Task<T>> {
  using Type = T;
  static constexpr bool isTask = true;
};

template <class F, class... Args>
class PoolCall final : public PoolCallBase {
  using Given = std::invoke_result_t<F&, Args&&...>;
  using Kind = PoolResult<std::remove_cvref_t<Given>>;

 public:
  using Result = typename Kind::Type;

  template <class X, class... Y>
  explicit PoolCall(PoolCore& pool, Priority priority, X&& f, Y&&... args)
      : PoolCallBase(pool, priority),
        input_(std::in_place, std::forward<X>(f), std::forward<Y>(args)...) {}
  /// Throws: what the call threw.
  Result take() {
    const ClearLater<PoolCall> later{*this};
    return outcome().take();
  }
  void clear() noexcept override {
    // The task first: it may be a coroutine of the callable.
    task_ = {};
    input_.reset();
    result_.clear();
  }

 private:
  Slot<Result>& outcome() noexcept {
    if constexpr (Kind::isTask)
      if (task_.valid()) return taskResult(task_);
    return result_;
  }
  bool call(CallbackFrame& onEnd) noexcept override {
    try {
      if constexpr (Kind::isTask) {
        task_ = (*input_)();
      } else {
        input_->callInto(result_);
      }
    } catch (...) {
      result_.fail(std::current_exception());
      return true;
    }
    if constexpr (Kind::isTask) {
      if (task_.valid()) {
        startTask(task_, onEnd);
        return false;
      }
      result_.fail(std::make_exception_ptr(
          TypeError("pool.run(f): f gave a Task that was moved from", "ERR_TASK_CONSUMED")));
    }
    return true;
  }
  void refuse(std::exception_ptr error) noexcept override { result_.fail(std::move(error)); }

  struct NoTask {};
  std::optional<KeptCall<F, Args...>> input_;
  Slot<Result> result_;
  std::conditional_t<Kind::isTask, Task<Result>, NoTask> task_;
};

/// Comes back to the loop, or without one goes on on the worker.
template <class Call>
class PoolAwaiter {
 public:
  explicit PoolAwaiter(Ref<Call> call) noexcept : call_(call), onLoop_(std::move(call)) {}
  bool await_ready() const noexcept { return false; }
  // Never inline: see ScheduleAwaiter.
  LEAT_NOINLINE void await_suspend(std::coroutine_handle<> handle) {
    if (threadState.loop != nullptr) {
      onLoop_.await_suspend(handle);
      return;
    }
    away_.capture(handle);
    isAway_ = true;
    // From here on this may be running, or gone.
    const Ref<Call> call = call_;
    call->startWithoutLoop(onDone, this);
  }
  typename Call::Result await_resume() { return isAway_ ? call_->take() : onLoop_.await_resume(); }

 private:
  static void onDone(void* waiter) noexcept { static_cast<PoolAwaiter*>(waiter)->away_.resume(); }

  Ref<Call> call_;
  BlockingAwaiter<Call> onLoop_;
  Continuation away_;
  bool isAway_ = false;
};

template <class Call>
using PoolOperation = BlockingOperation<Call, PoolAwaiter<Call>>;

/// A coroutine on its way to a worker.
class ScheduleAwaiter : private OutsideJob, private PostedJob {
 public:
  ScheduleAwaiter(PoolCore& pool, Priority priority) noexcept
      : OutsideJob(onTaken, priority), PostedJob(onPosted), pool_(pool) {}
  bool await_ready() const noexcept { return false; }
  // Never inline: what is on the stack here must not be put into the frame, which may be gone after `post`.
  LEAT_NOINLINE void await_suspend(std::coroutine_handle<> handle) {
    Ref<AwayNote> leaving;
    if (threadState.loop != nullptr)
      leaving = makeRef<AwayNote>(EventLoop::current().ref(), ambientSignal(), AwayNote::current());
    handle_ = handle;
    context_ = currentContext();
    if (leaving) {
      home_.emplace(leaving->home);
      before_ = context_;
      const ContextRef moved = ContextNode::withSignal(context_.get(), nullptr);
      context_ = ContextNode::withStore(moved.get(), AwayNote::key(), leaving);
      EventLoop::current().hold();
    }
    const PoolEntry entry = pool_.post(*this);
    if (isTaken(entry)) return;
    if (leaving) EventLoop::current().letGo();
    throwNotTaken(entry);
  }
  void await_resume() const {
    if (dropped_) throwNotTaken(PoolEntry::Closed);
  }

 private:
  static void onTaken(PoolJob& job, bool run) noexcept {
    auto& self = static_cast<ScheduleAwaiter&>(job);
    self.dropped_ = !run;
    // On the thread that ends the pool: one of a loop goes on where it was. That loop ends it, if it has ended.
    if (!run && self.home_) return static_cast<void>(self.home_->postJob(self));
    ContextScope scope(std::move(self.context_));
    detail::run(self.handle_);
  }
  static void onPosted(PostedJob& job, bool run) noexcept {
    auto& self = static_cast<ScheduleAwaiter&>(job);
    if (!run) return;
    EventLoop::current().letGo();
    ContextScope scope(std::move(self.before_));
    detail::run(self.handle_);
  }
  PoolCore& pool_;
  std::optional<LoopRef> home_;
  ContextRef before_;
  std::coroutine_handle<> handle_;
  ContextRef context_;
  bool dropped_ = false;
};

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE detail::ScheduleAwaiter PoolSchedule::operator co_await() && noexcept {
  return {pool_, priority_};
}
#endif

template <class F, class... Args>
auto WorkStealingPool::run(Priority priority, F&& f, Args&&... args) {
  LEAT_GUARD_CLOSURE(F);
  using Callable = std::decay_t<F>;
  static_assert(std::is_invocable_v<Callable&, std::decay_t<Args>...>,
                "pool.run(f, args...): f cannot be called with these arguments");
  static_assert((isSendable<std::decay_t<Args>> && ...) && isSendable<Callable>,
                "pool.run(f, args...): a handle of a loop may not go to another thread");
  using Call = detail::PoolCall<Callable, std::decay_t<Args>...>;
  using Given = std::invoke_result_t<Callable&, std::decay_t<Args>...>;
  static_assert(std::is_void_v<Given> || !Awaitable<Given> ||
                    detail::PoolResult<std::remove_cvref_t<Given>>::isTask,
                "pool.run(f): f is a function or a coroutine that returns Task");
  static_assert(std::is_void_v<typename Call::Result> || isSendable<typename Call::Result>,
                "pool.run(f): f may not make handles of a loop on another thread");
  return detail::PoolOperation<Call>(detail::Ref<Call>::adopt(
      new Call(core_, priority, std::forward<F>(f), std::forward<Args>(args)...)));
}

template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Priority>)
auto WorkStealingPool::run(F&& f, Args&&... args) {
  return run(Priority::Normal, std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace leat::inline LEAT_ABI
