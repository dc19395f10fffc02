// SPDX-License-Identifier: MIT
// fork: tasks that may run at the same time, on the workers of the pool that the coroutine runs on.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/combinators.hpp>
#include <leat/pool/fork_group.hpp>
#include <leat/pool/pool_core.hpp>

#include <sched.h>

#include <iterator>
#include <limits>
#include <new>
#include <tuple>
#include <vector>

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

  /// `children` stay until the join. From here on any thread may go on with `parent`. Out of line: within a
  /// coroutine it makes its runs slower by some per cent.
  LEAT_NOINLINE std::coroutine_handle<> start(std::coroutine_handle<> parent, Child* children,
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
  /// What a child without an outcome ends with: one that was not begun, or has no `co_return`. Throws: AbortError.
  [[noreturn]] void throwNotBegun() const {
    if (!aborted()) throwNoValue();
    throw AbortError(context_->signal()->reason);
  }

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

inline void checkWorker() {
  if (PoolWorker::current() == nullptr || threadState.loop != nullptr) [[unlikely]]
    throwNoPool();
}

template <class T, class Join>
[[noreturn]] LEAT_NOINLINE void throwForkError(Join& join, Slot<T>& slot) {
  if (slot.state() == Slot<T>::Empty) join.throwNotBegun();
  std::rethrow_exception(slot.error());
}
template <class Join, class T>
LEAT_ALWAYS_INLINE inline void checkOutcome(Join& join, Task<T>& task) {
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

  bool await_ready() const { return checkWorker(), false; }
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

 protected:
  std::tuple<Task<T>...> tasks_;
  ForkJoin join_;
  ForkJoin::Child children_[sizeof...(T)];
};

/// The results of tasks that stand in a row, in an iterator's clothes: a vector that is made of a range knows
/// its size, and looks at it once. `Take`: the tasks go with their results, while they are at hand.
template <class T, bool Take>
struct ForkResult {
  using value_type = ItemType<T>;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = ItemType<T>;
  using iterator_category = std::forward_iterator_tag;
  ItemType<T> operator*() const {
    if constexpr (Take) {
      Task<T> ended = std::move(*task);
      checkOutcome(*group, ended);
      return takeForked(ended);
    } else {
      checkOutcome(*group, *task);
      return takeForked(*task);
    }
  }
  ForkResult& operator++() noexcept { return ++task, *this; }
  ForkResult operator++(int) noexcept { return {group, task++}; }
  bool operator==(const ForkResult& other) const noexcept { return task == other.task; }
  ForkGroup* group;
  Task<T>* task;
};
template <bool Take, class T>
std::vector<ItemType<T>> forkResults(ForkGroup& group, Task<T>* first, std::size_t count) {
  // No braces: of a type that is made of anything, such as std::any, that would be a list of two.
  using Iterator = ForkResult<T, Take>;
  return std::vector<ItemType<T>>(Iterator{&group, first}, Iterator{&group, first + count});
}

/// Tasks in a row, none at first, in a block such as those of frames.
template <class T>
class ForkTasks {
 public:
  explicit ForkTasks(std::size_t count) noexcept : count_(count) {}
  ForkTasks(const ForkTasks&) = delete;
  ForkTasks& operator=(const ForkTasks&) = delete;
  // Out of line, so that a coroutine that forks saves no registers for the loop, in its short runs either.
  LEAT_NOINLINE ~ForkTasks() {
    if (first_ == nullptr) return;
    for (std::size_t i = 0; i < live_; ++i) first_[i].~Task();
    freeFrame(first_, count_ * sizeof(Task<T>));
  }
  void make() {
    if (count_ > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(Task<T>)) [[unlikely]]
      throw std::bad_array_new_length();
    first_ = static_cast<Task<T>*>(allocateFrame(count_ * sizeof(Task<T>)));
    for (; live_ < count_; ++live_) ::new (static_cast<void*>(first_ + live_)) Task<T>;
  }
  /// All have been moved from.
  void clear() noexcept { live_ = 0; }
  Task<T>* data() const noexcept { return first_; }
  std::size_t size() const noexcept { return count_; }

 private:
  Task<T>* first_ = nullptr;
  const std::size_t count_;
  std::size_t live_ = 0;
};

template <class T>
void checkForked(const Task<T>& task) {
  if (!task.valid())
    throwTypeError("fork of a Task that was moved from or already awaited", "ERR_TASK_CONSUMED");
}

template <class T>
class ForkRange : protected ForkSteps<ForkRange<T>> {
  friend ForkSteps<ForkRange>;

 public:
  explicit ForkRange(std::vector<Task<T>>&& tasks) noexcept : tasks_(std::move(tasks)) {}

  bool await_ready() const { return tasks_.empty() || (checkWorker(), false); }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    return this->start(parent, tasks_.size());
  }
  std::vector<ItemType<T>> await_resume() {
    return forkResults<false>(this->group(), tasks_.data(), tasks_.size());
  }

 private:
  std::coroutine_handle<> child(std::size_t number) noexcept {
    return this->prepare(taskOwner(tasks_[number]));
  }
  void skip(std::size_t) noexcept {}

 protected:
  std::vector<Task<T>> tasks_;
};

/// The same of tasks that are made one by one, where and when each begins.
template <class F, class T>
class ForkEach : protected ForkSteps<ForkEach<F, T>> {
  friend ForkSteps<ForkEach>;

 public:
  ForkEach(std::size_t count, F&& make) : make_(std::move(make)), tasks_(count), failedAt_(count) {}

  bool await_ready() const { return tasks_.size() == 0 || (checkWorker(), false); }
  LEAT_NOINLINE std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) {
    tasks_.make();
    return this->start(parent, tasks_.size());
  }
  LEAT_NOINLINE std::vector<ItemType<T>> await_resume() {
    if (failedAt_ < tasks_.size()) [[unlikely]]
      throwFirst();
    auto items = forkResults<true>(this->group(), tasks_.data(), tasks_.size());
    tasks_.clear();
    return items;
  }

 private:
  LEAT_ALWAYS_INLINE std::coroutine_handle<> child(std::size_t number) noexcept {
    Task<T>& task = tasks_.data()[number];
    try {
      ::new (static_cast<void*>(&task)) Task<T>(make_(number));
      checkForked(task);
    } catch (...) {
      missing(number, std::current_exception());
      return nullptr;
    }
    return this->prepare(taskOwner(task));
  }
  void skip(std::size_t number) noexcept { missing(number, nullptr); }
  /// Of several that are missing the first in the row counts. The join orders this before who looks.
  LEAT_NOINLINE void missing(std::size_t number, std::exception_ptr error) noexcept {
    while (locked_.exchange(true, acquire)) ::sched_yield();
    if (number < failedAt_) {
      failedAt_ = number;
      error_.swap(error);
    }
    locked_.store(false, release);
  }
  /// What a task before the one that is missing threw, else why that one is.
  [[noreturn]] LEAT_NOINLINE void throwFirst() {
    for (std::size_t i = 0; i < failedAt_; ++i) checkOutcome(this->group(), tasks_.data()[i]);
    if (!error_) this->throwNotBegun();
    std::rethrow_exception(std::move(error_));
  }

 protected:
  const F make_;  // before the tasks: it is there as long as they and their parameters are
  ForkTasks<T> tasks_;
  // Of what is missing: written under the lock.
  Atomic<bool> locked_{false};
  std::size_t failedAt_;
  std::exception_ptr error_;
};

template <class T>
struct ForkedType;
template <class T>
struct ForkedType<Task<T>> {
  using Type = T;
};

}  // namespace detail

/// Runs tasks at the same time, as far as workers are free, and waits for all of them:
/// `auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));`. On a worker of a pool only. A void result stands
/// as std::monostate, a reference as a pointer.
///
/// The first task runs at once on this worker, the others are done after it unless another worker takes
/// them first. After it the coroutine may be on another worker: a lock may not be held, and nothing that
/// belongs to a thread may be kept across it. Nothing is allocated.
/// Throws: what the first of the tasks that failed threw, when all have ended, and the other failures are dropped:
/// `forkSettled` gives all; Error ERR_NO_POOL.
/// Cancel: a task that has not begun when the ambient signal is aborted never does, and stands for an
/// AbortError.
template <class... T>
  requires(sizeof...(T) > 0)
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkPack<T...> fork(
    Task<T>&&... tasks) {
  (detail::checkForked(tasks), ...);
  return detail::ForkPack<T...>(std::move(tasks)...);
}

/// The same with as many tasks as there are, which may be begun in any order; the results are in theirs. None
/// gives none. Allocates the vector of the results.
template <class T>
[[nodiscard("the tasks do not start until the fork is awaited")]] detail::ForkRange<T> fork(
    std::vector<Task<T>>&& tasks) {
  for (const Task<T>& task : tasks) detail::checkForked(task);
  return detail::ForkRange<T>(std::move(tasks));
}

/// The same with `count` tasks that `make(i)` gives, each made on the worker that runs it when it begins; so
/// `make` may be called on several at once, and its object is not changed by that. What it throws counts as the
/// failure of its task.
template <class F>
  requires std::is_invocable_v<const std::decay_t<F>&, std::size_t>
[[nodiscard("the tasks do not start until the fork is awaited")]] auto fork(std::size_t count,
                                                                            F&& make) {
  LEAT_GUARD_CLOSURE(F);
  using Made = std::invoke_result_t<const std::decay_t<F>&, std::size_t>;
  using T = typename detail::ForkedType<Made>::Type;
  return detail::ForkEach<std::decay_t<F>, T>(count, std::decay_t<F>(std::forward<F>(make)));
}

}  // namespace leat::inline LEAT_ABI
