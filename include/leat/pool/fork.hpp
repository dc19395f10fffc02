// SPDX-License-Identifier: MIT
// fork: tasks that may run at the same time, on the workers of the pool that the coroutine runs on.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/combinators.hpp>
#include <leat/pool/pool_core.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The part of a fork that does not depend on its tasks. The first child runs at once, where a call would;
/// the others lie in the deque of the worker, youngest first. What ends one after the other on the way is
/// the chain: it takes its next child from the deque as long as that has not been stolen, and only when one
/// has been is there anything to count.
class ForkJoin {
 public:
  struct Child : PoolJob, CallbackFrame {
    Child() noexcept : PoolJob(onTaken), CallbackFrame(inPlaceOfFrame(onChainDone)) {}
    // Set by `add`.
    ForkJoin* join;
    TaskOwner* task;
  };

  ForkJoin() noexcept = default;
  ForkJoin(const ForkJoin&) = delete;
  ForkJoin& operator=(const ForkJoin&) = delete;

  /// `children` stay until the join. From here on any thread may go on with `parent`.
  std::coroutine_handle<> start(std::coroutine_handle<> parent, Child* children,
                                unsigned count) noexcept {
    parent_ = parent;
    children_ = children;
    count_ = count;
    open_.store(count, relaxed);
    if (threadState.context != nullptr) context_ = currentContext();
    PoolWorker& worker = *PoolWorker::current();
    for (unsigned i = count; i-- > 1;) worker.pushQuietly(children[i]);
    worker.tellOthers();
    return transfer(children[0].task->frame);
  }
  void add(Child& child, TaskOwner& task) noexcept {
    child.join = this;
    child.task = &task;
    task.frame.promise().continuation = child.handle();
  }
  /// What a child that was not begun ends with. Throws: AbortError.
  [[noreturn]] void throwNotBegun() const { throw AbortError(context_->signal()->reason); }

 private:
  bool aborted() const noexcept {
    if (!context_) [[likely]]
      return false;
    const AbortState* const signal = context_->signal();
    return signal != nullptr && isAborted(*signal);
  }
  /// The end of a child that the chain has run, and of one that was not to be begun.
  LEAT_GOES_ON static void onChainDone(CallbackFrame* frame);
  /// A child that a worker has taken out of a deque, perhaps a thief.
  static void onTaken(PoolJob& job, bool run) noexcept;
  LEAT_GOES_ON static void onTakenDone(CallbackFrame* frame);
  /// The children of the chain so far are done. What goes on now, or nothing.
  std::coroutine_handle<> afterChain(unsigned done) noexcept;
  /// The stores may be used by one thread at last: none is kept by a worker that has told of its end.
  static void leaveContext() noexcept {
    if (threadState.context != nullptr) [[unlikely]]
      (void)swapContext(nullptr);
  }
  /// What a task has entered is not for the next one.
  void restoreContext() noexcept {
    if (threadState.context != context_.get()) [[unlikely]]
      (void)swapContext(context_);
  }
  std::coroutine_handle<> joined() noexcept {
    restoreContext();
    return parent_;
  }

  // Set by `start`.
  std::coroutine_handle<> parent_;
  Child* children_;
  unsigned count_;
  // Children that have not ended, but for those of the chain, which are taken off together.
  Atomic<unsigned> open_{0};
  ContextRef context_;
};

#if LEAT_BODIES
LEAT_INLINE std::coroutine_handle<> ForkJoin::afterChain(unsigned done) noexcept {
  for (; done < count_; ++done) {
    PoolWorker* const worker = PoolWorker::current();
    if (worker == nullptr || !worker->popIf(children_[done])) {
      // The rest was stolen, or lies in the deque of the worker that this chain was on before. The last one
      // to be done has seen all that the others have left, and is the only one here then.
      leaveContext();
      if (open_.fetchSub(done, acqRel) != done) return std::noop_coroutine();
      break;
    }
    if (aborted()) continue;
    restoreContext();
    return children_[done].task->frame;
  }
  return joined();
}

LEAT_INLINE void ForkJoin::onChainDone(CallbackFrame* frame) {
  auto& child = static_cast<Child&>(*frame);
  ForkJoin& self = *child.join;
  LEAT_GO_ON(self.afterChain(static_cast<unsigned>(&child - self.children_) + 1));
}

LEAT_INLINE void ForkJoin::onTaken(PoolJob& job, bool) noexcept {
  auto& child = static_cast<Child&>(job);
  ForkJoin& self = *child.join;
  ContextScope scope(self.context_);
  static_cast<CallbackFrame&>(child).resume = inPlaceOfFrame(onTakenDone);
  detail::run(self.aborted() ? child.handle() : child.task->frame);
}

LEAT_INLINE void ForkJoin::onTakenDone(CallbackFrame* frame) {
  ForkJoin& self = *static_cast<Child&>(*frame).join;
  leaveContext();
  LEAT_GO_ON(self.open_.fetchSub(1, acqRel) == 1 ? self.joined() : std::noop_coroutine());
}
#endif

[[noreturn]] LEAT_NOINLINE inline void throwNoPool() {
  throwError(
      "fork on a thread that is no worker of a pool: begin with `co_await pool.run(f, args...)`",
      "ERR_NO_POOL");
}

template <class T>
[[noreturn]] LEAT_NOINLINE void throwForkError(ForkJoin& join, Slot<T>& slot) {
  if (slot.state() == Slot<T>::Empty) join.throwNotBegun();
  std::rethrow_exception(slot.error());
}
template <class T>
LEAT_ALWAYS_INLINE inline void checkOutcome(ForkJoin& join, Task<T>& task) {
  Slot<T>& slot = taskResult(task);
  if (slot.state() != Slot<T>::Value) [[unlikely]]
    throwForkError<T>(join, slot);
}

template <class T>
ItemType<T> takeForked(Task<T>& task) {
  Slot<T>& slot = taskResult(task);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_reference_v<T>) {
    return slot.stored();
  } else {
    return std::move(slot.stored());
  }
}

template <class... T>
class ForkPack {
 public:
  explicit ForkPack(Task<T>&&... tasks) noexcept : tasks_(std::move(tasks)...) {}

  bool await_ready() const {
    if (PoolWorker::current() == nullptr || threadState.loop != nullptr) [[unlikely]]
      throwNoPool();
    return false;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    std::apply(
        [this](Task<T>&... task) {
          unsigned i = 0;
          (join_.add(children_[i++], taskOwner(task)), ...);
        },
        tasks_);
    return join_.start(parent, children_, sizeof...(T));
  }
  std::tuple<ItemType<T>...> await_resume() {
    return std::apply(
        [this](Task<T>&... task) {
          (checkOutcome(join_, task), ...);
          return std::tuple<ItemType<T>...>{takeForked(task)...};
        },
        tasks_);
  }

 private:
  std::tuple<Task<T>...> tasks_;
  ForkJoin join_;
  ForkJoin::Child children_[sizeof...(T)];
};

/// The children of a fork of a range, in a block such as those of frames.
class ForkChildren {
 public:
  using Child = ForkJoin::Child;
  static_assert(std::is_trivially_destructible_v<Child>);

  ForkChildren() noexcept = default;
  ForkChildren(const ForkChildren&) = delete;
  ForkChildren& operator=(const ForkChildren&) = delete;
  ~ForkChildren() {
    if (first_ != nullptr) freeFrame(first_, count_ * sizeof(Child));
  }
  Child* make(std::size_t count) {
    first_ = static_cast<Child*>(allocateFrame(count * sizeof(Child)));
    count_ = count;
    for (std::size_t i = 0; i < count; ++i) ::new (static_cast<void*>(first_ + i)) Child;
    return first_;
  }

 private:
  Child* first_ = nullptr;
  std::size_t count_ = 0;
};

template <class T>
class ForkRange {
 public:
  explicit ForkRange(std::vector<Task<T>>&& tasks) noexcept : tasks_(std::move(tasks)) {}

  bool await_ready() const {
    if (tasks_.empty()) return true;
    if (PoolWorker::current() == nullptr || threadState.loop != nullptr) [[unlikely]]
      throwNoPool();
    return false;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) {
    ForkJoin::Child* const children = children_.make(tasks_.size());
    for (std::size_t i = 0; i < tasks_.size(); ++i) join_.add(children[i], taskOwner(tasks_[i]));
    return join_.start(parent, children, static_cast<unsigned>(tasks_.size()));
  }
  std::vector<ItemType<T>> await_resume() {
    for (Task<T>& task : tasks_) checkOutcome(join_, task);
    std::vector<ItemType<T>> items;
    items.reserve(tasks_.size());
    for (Task<T>& task : tasks_) items.push_back(takeForked(task));
    return items;
  }

 private:
  std::vector<Task<T>> tasks_;
  ForkChildren children_;
  ForkJoin join_;
};

template <class T>
void checkForked(const Task<T>& task) {
  if (!task.valid())
    throwTypeError("fork of a Task that was moved from or already awaited", "ERR_TASK_CONSUMED");
}

}  // namespace detail

/// Runs tasks at the same time, as far as workers are free, and waits for all of them:
/// `auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));`. On a worker of a pool only. A void result stands
/// as std::monostate, a reference as a pointer.
///
/// The first task runs at once on this worker, the others are done after it unless another worker takes
/// them first. After it the coroutine may be on another worker: a lock may not be held, and nothing that
/// belongs to a thread may be kept across it. Nothing is allocated.
/// Throws: what the first of the tasks that failed threw, when all have ended; Error ERR_NO_POOL.
/// Cancel: a task that has not begun when the ambient signal is aborted never does, and stands for an
/// AbortError.
template <class... T>
  requires(sizeof...(T) > 0)
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkPack<T...> fork(
    Task<T>&&... tasks) {
  (detail::checkForked(tasks), ...);
  return detail::ForkPack<T...>(std::move(tasks)...);
}

/// The same with as many tasks as there are; the results are in their order. None gives none.
template <class T>
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkRange<T> fork(
    std::vector<Task<T>> tasks) {
  for (const Task<T>& task : tasks) detail::checkForked(task);
  return detail::ForkRange<T>(std::move(tasks));
}

}  // namespace leat::inline LEAT_ABI
