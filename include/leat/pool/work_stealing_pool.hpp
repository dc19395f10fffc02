// SPDX-License-Identifier: MIT
// WorkStealingPool: threads for CPU work. Each has a deque of its own, takes its youngest job and steals the
// oldest of others; without work it sleeps.
#pragma once

#include <leat/base/owned.hpp>
#include <leat/core/awaitable.hpp>
#include <leat/core/context.hpp>
#include <leat/core/out_of_range.hpp>
#include <leat/core/system_error.hpp>
#include <leat/pool/pool_core.hpp>

namespace leat::inline LEAT_ABI {

/// Of a pool since it was made. Each figure is exact for a pool at rest; of one at work they are of moments
/// close to each other.
struct PoolStatistics {
  /// Jobs from outside that no worker has taken yet.
  std::uint64_t queued = 0;
  /// Jobs that workers took: from outside, and forked ones that were not joined in place.
  std::uint64_t executed = 0;
  std::uint64_t steals = 0;
  /// How often a worker went to sleep.
  std::uint64_t parks = 0;
  /// Workers that sleep now.
  unsigned sleeping = 0;
  /// Jobs from outside that wait for room, when the pool has a bound.
  std::uint64_t waiting = 0;
  /// Workers that do jobs now: that neither sleep nor look for work.
  unsigned running = 0;
  /// Nanoseconds, of all workers together: see PoolWorkerStatistics.
  std::uint64_t activeNs = 0;
  std::uint64_t idleNs = 0;
};

/// Of one worker since its thread began.
struct PoolWorkerStatistics {
  std::uint64_t executed = 0;
  std::uint64_t steals = 0;
  std::uint64_t parks = 0;
  /// Nanoseconds that it has not slept: in jobs, whatever these do, and in the microseconds of looking for
  /// work before each sleep. Both times are those of a clock on the wall, and go on while they are read.
  std::uint64_t activeNs = 0;
  /// Nanoseconds that it has slept for want of work.
  std::uint64_t idleNs = 0;
};

namespace detail {

inline Error poolClosed() {
  return Error("the pool has ended, or is that of the parent process, and takes no work",
               "ERR_POOL_CLOSED");
}
/// Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL.
[[noreturn]] LEAT_NOINLINE inline void throwNotTaken(PoolEntry why) {
  if (why == PoolEntry::Closed) throw poolClosed();
  throw Error("the pool is full: as many jobs as its maxQueued allows wait for a worker",
              "ERR_POOL_FULL");
}
inline bool isTaken(PoolEntry entry) noexcept {
  return entry == PoolEntry::Queued || entry == PoolEntry::Waits;
}

/// A function that nobody waits for.
template <class F>
struct SubmittedJob : OutsideJob {
  template <class X>
  explicit SubmittedJob(Priority priority, X&& f)
      : OutsideJob(onTaken, priority), function(std::forward<X>(f)) {}
  static void onTaken(PoolJob& job, bool run) noexcept {
    const Owned<SubmittedJob> self(&static_cast<SubmittedJob&>(job));
    const ContextScope scope(std::move(self->context));
    if (run) self->function();
  }
  ContextRef context = currentContext();
  F function;
};

class ScheduleAwaiter;

}  // namespace detail

/// What `schedule` gives.
class [[nodiscard("it goes nowhere until it is awaited")]] PoolSchedule {
 public:
  PoolSchedule(detail::PoolCore& pool, Priority priority) noexcept
      : pool_(pool), priority_(priority) {}
  detail::ScheduleAwaiter operator co_await() && noexcept;

 private:
  detail::PoolCore& pool_;
  Priority priority_;
};

/// Threads for work that needs a processor; what waits belongs to a loop or to `blocking`. Every member may
/// be called on any thread.
///
/// Jobs from outside go first in, first out by their priority; `maxQueued` bounds how many wait. What a job forks is done by the same worker,
/// youngest first, unless another one without work steals it. Workers without work sleep and cost nothing.
///
/// Node: worker_threads and `piscina`; here no module is loaded and no message copied.
class WorkStealingPool {
 public:
  /// Throws: SystemError when not even one thread can be made. With fewer than asked it goes on: `threads`.
  explicit WorkStealingPool(const PoolOptions& options = {});
  WorkStealingPool(const WorkStealingPool&) = delete;
  WorkStealingPool& operator=(const WorkStealingPool&) = delete;
  /// Waits for the jobs that run, with all that they fork. Those that have not begun never will: who waits
  /// for one gets Error ERR_POOL_CLOSED. Not on one of its own workers.
  ~WorkStealingPool();

  /// The pool of the process, made when first asked for; a child of fork() gets its own. It is never
  /// destroyed. When the process exits, jobs that have not begun never will, and running ones get 200 ms;
  /// what is slower is left behind.
  static WorkStealingPool& shared();

  /// Calls `f(args...)` on a worker: `co_await pool.run(f, args...)`. Of a coroutine the result is awaited
  /// there. The caller goes on on its loop; without one, as in `syncWait(pool.run(...))`, on the worker.
  ///
  /// The callable and the arguments are kept (decayed) with the call, and moved into it; the
  /// AsyncLocalStorage and the ambient signal go along.
  /// Completes: in the poll phase. Holds the loop meanwhile.
  /// Cancel: AbortError at once. A call that has not begun never will; one that has goes on, and what it
  /// gives or throws is discarded; forks in it that have not begun end with AbortError.
  /// Lifetime: `f` may outlive the coroutine and the loop: it must own or share all that it uses.
  /// Full: it waits for room, or throws, as the pool's `whenFull` says.
  /// Throws: what `f` throws; Error ERR_POOL_CLOSED, ERR_POOL_FULL.
  template <class F, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Priority>)
  auto run(F&& f, Args&&... args);
  /// The same among the jobs of another priority.
  template <class F, class... Args>
  auto run(Priority priority, F&& f, Args&&... args);
  /// The coroutine goes on on a worker: `co_await pool.schedule()`. One that belongs to a loop must come
  /// home, `co_await resumeOn(home)`, before it ends, and must not be destroyed meanwhile; `run` is what
  /// sees to that. Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL.
  PoolSchedule schedule(Priority priority = Priority::Normal) noexcept { return {core_, priority}; }
  /// Calls `f()` on a worker, with the stores of the caller; nobody waits for it. An exception ends the
  /// process, as in a thread. When the pool ends first, it is destroyed uncalled.
  ///
  /// Full, with PoolFull::Wait: a plain thread sleeps until there is room. The thread of a loop and a worker
  /// of another pool may not sleep; there it throws, and `run` is what waits.
  /// Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL.
  template <class F>
  void submit(F&& f, Priority priority = Priority::Normal);

  unsigned threads() const noexcept { return core_.threads(); }
  PoolStatistics statistics() const noexcept;
  /// Of worker `number`, from 0 to below `threads()`: the one whose thread has that number in its name.
  /// Throws: RangeError.
  PoolWorkerStatistics workerStatistics(unsigned number) const;
  /// Whether this thread is one of its workers.
  bool isCurrent() const noexcept {
    const detail::PoolWorker* const worker = detail::PoolWorker::current();
    return worker != nullptr && &worker->pool() == &core_;
  }

 private:
  static constexpr std::int64_t exitGraceNs = 200'000'000;
  LEAT_API static inline constinit detail::Atomic<WorkStealingPool*> shared_{nullptr};

  detail::PoolCore core_;
  WorkStealingPool* ofParent_ =
      nullptr;  // before the fork: out of use, but no leak to leak checkers
};

#if LEAT_BODIES
LEAT_INLINE WorkStealingPool::WorkStealingPool(const PoolOptions& options) : core_(options) {
  if (const int error = core_.start()) throw SystemError(-error, "pthread_create");
}

LEAT_INLINE WorkStealingPool::~WorkStealingPool() {
  // Of the parent, whose threads are not here.
  if (!core_.isHere()) return;
  if (isCurrent()) {
    std::fputs("leat: a WorkStealingPool is destroyed by one of its own workers\n", stderr);
    std::abort();
  }
  core_.stop(-1);
}

LEAT_INLINE WorkStealingPool& WorkStealingPool::shared() {
  struct AtExit {
    ~AtExit() {
      WorkStealingPool* pool = shared_.load(detail::acquire);
      if (pool != nullptr && pool->core_.isHere() && !pool->isCurrent())
        pool->core_.stop(exitGraceNs);
    }
  };
  WorkStealingPool* pool = shared_.load(detail::acquire);
  if (pool == nullptr) {
    static const AtExit atExit;
    static_cast<void>(atExit);
  }
  while (pool == nullptr || !pool->core_.isHere()) {
    auto fresh = detail::makeOwned<WorkStealingPool>();
    fresh->ofParent_ = pool;
    if (shared_.compareExchange(pool, fresh.get(), detail::seqCst)) return *fresh.leak();
  }
  return *pool;
}
#endif

template <class F>
void WorkStealingPool::submit(F&& f, Priority priority) {
  using Job = detail::SubmittedJob<std::decay_t<F>>;
  static_assert(std::is_invocable_v<std::decay_t<F>&>,
                "submit(f): f cannot be called without arguments");
  static_assert(!Awaitable<std::invoke_result_t<std::decay_t<F>&>>,
                "submit(f): what f gives would not be awaited; use run");
  auto job = detail::makeOwned<Job>(priority, std::forward<F>(f));
  const detail::PoolEntry entry = core_.postOrSleep(*job);
  if (entry != detail::PoolEntry::Queued) detail::throwNotTaken(entry);
  (void)job.leak();
}

#if LEAT_BODIES
LEAT_INLINE PoolStatistics WorkStealingPool::statistics() const noexcept {
  const detail::PoolCore::Counts counts = core_.counts();
  return {.queued = core_.queued(),
          .executed = counts.executed,
          .steals = counts.steals,
          .parks = counts.parks,
          .sleeping = core_.sleeping(),
          .waiting = core_.waiting(),
          .running = core_.running(),
          .activeNs = counts.time.activeNs,
          .idleNs = counts.time.idleNs};
}

LEAT_INLINE PoolWorkerStatistics WorkStealingPool::workerStatistics(unsigned number) const {
  if (number >= threads())
    detail::throwOutOfRange(
        "number", detail::SharedText{">= 0 && <= ", detail::Decimal(threads() - 1)}.view(),
        detail::IntegerText(number));
  const detail::PoolCore::Counts counts = core_.counts(number);
  return {.executed = counts.executed,
          .steals = counts.steals,
          .parks = counts.parks,
          .activeNs = counts.time.activeNs,
          .idleNs = counts.time.idleNs};
}
#endif

}  // namespace leat::inline LEAT_ABI
