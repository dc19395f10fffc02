// SPDX-License-Identifier: MIT
// Threads for calls that block (getaddrinfo, files under epoll): as many as are needed up to a limit,
// gone again when idle. CPU work has a pool of its own, so neither starves the other.
#pragma once

#include <leat/base/list.hpp>
#include <leat/base/mpsc_queue.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/mutex.hpp>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace leat::inline LEAT_ABI::detail {

/// A blocking call. It owns its inputs and outputs and is counted, so that whoever waits for it may
/// leave at any time: the job ends on its own, and its last holder disposes of the late result.
/// The base of both queues it travels through: the pool's, and back to a loop.
class BlockingJob : public MpscNode, public ListNode {
 public:
  /// What waits for the network or for who knows what may not keep the disk waiting, nor one another.
  enum class Class : unsigned char {
    quick,  // the disk
    names,  // look-ups: at most half of the threads, rounded up
    calls,  // the user's: the same; of both together at most three quarters, rounded up but not all
  };
  static constexpr unsigned classes = 3;
  /// The owner's parts. Neither may throw.
  struct Operations {
    void (*run)(BlockingJob&) noexcept;      // on a worker: the call itself
    void (*done)(BlockingJob&) noexcept;     // on the worker, after: tells whoever waits
    void (*dispose)(BlockingJob&) noexcept;  // on any thread: nobody holds it any more
  };

  explicit BlockingJob(const Operations& operations, Class kind = Class::quick) noexcept
      : operations_(&operations), class_(kind) {}

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) operations_->dispose(*this);
  }
  unsigned useCount() const noexcept { return count_.load(acquire); }

 private:
  friend class BlockingPool;
  const Operations* operations_;
  std::uint64_t order_ = 0;
  Atomic<unsigned> count_{1};
  Class class_;
};

/// Every member may be called on any thread.
class BlockingPool {
 public:
  struct Limits {
    unsigned threads = 0;  // 0: LEAT_BLOCKING_MAX, else four for each processor, 8 to 128
    std::int64_t idleNs = 10'000'000'000;
  };

  explicit BlockingPool(Limits limits) noexcept;
  BlockingPool() noexcept : BlockingPool(Limits{}) {}
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  /// Drops what has not started and waits for what has. Not in a child of fork().
  ~BlockingPool();

  /// The pool of the process, made when first asked for; a child of fork() gets its own. It is never
  /// destroyed. When the process exits, jobs that have not started never will, idle threads end, and
  /// running jobs get `exitGraceNs`; what is slower is left behind, which is safe: it owns all it uses.
  static BlockingPool& shared();
  static constexpr std::int64_t exitGraceNs = 200'000'000;

  /// Takes a count of its own. 0, or -errno when there is no thread and none can be made, or -ECANCELED
  /// when the pool has stopped; then neither `run` nor `done` will be called.
  int submit(BlockingJob& job) noexcept;
  /// True when the job had not started: it never will, and `done` is not called. Else it has its way.
  bool cancel(BlockingJob& job) noexcept;
  /// Drops what has not started, takes nothing more, and waits at most `timeoutNs` (for ever when
  /// negative) for running jobs. True when every thread has ended.
  bool stop(std::int64_t timeoutNs) noexcept;

  unsigned maxThreads() const noexcept { return maxThreads_; }
  /// Of look-ups, and of the user's calls.
  unsigned maxOfSlowClass() const noexcept { return (maxThreads_ + 1) / 2; }
  /// Of both together: the disk keeps a quarter of the threads, at least one, unless there is but one.
  unsigned maxSlow() const noexcept {
    const unsigned kept = maxThreads_ < 8 ? 1 : maxThreads_ / 4;
    return maxThreads_ > 1 ? maxThreads_ - kept : 1;
  }
  unsigned threads() noexcept;
  /// Jobs that have not started.
  unsigned long queued() noexcept;

 private:
  struct Worker : ListNode {
    explicit Worker(BlockingPool& owner) noexcept : pool(owner) {}
    BlockingPool& pool;
    sys::Thread thread;
  };

  static unsigned limitFromEnvironment() noexcept;
  static void* workerMain(void* worker) noexcept;
  static unsigned indexOf(BlockingJob::Class kind) noexcept { return static_cast<unsigned>(kind); }
  static bool isSlow(BlockingJob::Class kind) noexcept { return kind != BlockingJob::Class::quick; }
  bool mayRun(BlockingJob::Class kind) const noexcept {
    return !isSlow(kind) ||
           (running_[indexOf(kind)] < maxOfSlowClass() && runningSlow_ < maxSlow());
  }
  void work() noexcept;
  bool waitForJob(std::int64_t deadlineNs) noexcept;
  BlockingJob* take() noexcept;
  int addThread() noexcept;
  void endThread(Worker& worker) noexcept;
  void dropQueued() noexcept;
  static void joinAndFree(Worker* worker) noexcept;

  // Leaked: workers that outlive main use it, and a child of fork() leaves the parent's alone.
  LEAT_API static inline constinit Atomic<BlockingPool*> shared_{nullptr};

  const unsigned maxThreads_;
  const std::int64_t idleNs_;
  const unsigned generation_;
  BlockingPool* ofParent_ = nullptr;  // before the fork: out of use, but no leak to leak checkers

  // All below is guarded by `mutex_`. `idle_` counts sleeping workers that nobody has called yet:
  // who queues a job takes one off and leaves a `calls_` for it, so no two jobs count on one worker.
  sys::Mutex mutex_;
  sys::Condition called_;
  sys::Condition ended_;
  List<BlockingJob> queues_[BlockingJob::classes];
  std::uint64_t nextOrder_ = 0;
  unsigned threads_ = 0;  // that may take jobs
  unsigned alive_ = 0;    // these and those on their way out
  unsigned idle_ = 0;
  unsigned calls_ = 0;
  unsigned running_[BlockingJob::classes] = {};
  unsigned runningSlow_ = 0;
  bool stopped_ = false;
  List<Worker> workers_;
  Worker* lastEnded_ = nullptr;  // joined by the next to end, or by `stop`
};

#if LEAT_BODIES
LEAT_INLINE BlockingPool::BlockingPool(Limits limits) noexcept
    : maxThreads_(limits.threads != 0 ? limits.threads : limitFromEnvironment()),
      idleNs_(limits.idleNs),
      generation_(sys::watchForks()) {}

LEAT_INLINE BlockingPool::~BlockingPool() { stop(-1); }

LEAT_INLINE unsigned BlockingPool::limitFromEnvironment() noexcept {
  constexpr unsigned least = 8;
  constexpr unsigned most = 128;
  if (const char* text = ::getenv("LEAT_BLOCKING_MAX")) {
    char* end = nullptr;
    const long asked = ::strtol(text, &end, 10);
    if (end != text && *end == '\0' && asked >= 1 && asked <= 1024)
      return static_cast<unsigned>(asked);
  }
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const unsigned wanted = processors < 1 ? least : 4 * static_cast<unsigned>(processors);
  return wanted < least ? least : wanted > most ? most : wanted;
}

// ---- the pool of the process ----

LEAT_INLINE BlockingPool& BlockingPool::shared() {
  struct AtExit {
    ~AtExit() {
      BlockingPool* pool = shared_.load(acquire);
      if (pool != nullptr) pool->stop(exitGraceNs);
    }
  };
  static const AtExit atExit;
  static_cast<void>(atExit);
  BlockingPool* pool = shared_.load(acquire);
  while (pool == nullptr || pool->generation_ != sys::forkGeneration()) {
    auto* fresh = new BlockingPool;
    fresh->ofParent_ = pool;
    if (shared_.compareExchange(pool, fresh, seqCst)) return *fresh;
    delete fresh;
  }
  return *pool;
}

// ---- jobs come and go ----

LEAT_INLINE int BlockingPool::submit(BlockingJob& job) noexcept {
  {
    const sys::MutexLock lock(mutex_);
    if (stopped_) return -ECANCELED;
    job.retain();
    job.order_ = nextOrder_++;
    queues_[indexOf(job.class_)].pushBack(job);
    // A slow job over a limit is taken by the worker that ends the next slow one.
    if (!mayRun(job.class_)) return 0;
    if (idle_ == 0) {
      if (threads_ >= maxThreads_) return 0;
      const int error = addThread();
      if (error == 0 || threads_ > 0) return 0;
      job.unlink();
      job.release();
      return error;
    }
    --idle_;
    ++calls_;
  }
  // Who wakes up finds the mutex free.
  called_.notifyOne();
  return 0;
}

LEAT_INLINE bool BlockingPool::cancel(BlockingJob& job) noexcept {
  {
    const sys::MutexLock lock(mutex_);
    if (!job.linked()) return false;
    job.unlink();
  }
  job.release();
  return true;
}

LEAT_INLINE bool BlockingPool::stop(std::int64_t timeoutNs) noexcept {
  if (generation_ != sys::forkGeneration()) return false;  // the threads are the parent's
  dropQueued();
  const std::int64_t deadline = timeoutNs < 0 ? 0 : sys::monotonicNs() + timeoutNs;
  Worker* last = nullptr;
  {
    const sys::MutexLock lock(mutex_);
    called_.notifyAll();
    while (alive_ > 0) {
      if (timeoutNs < 0) {
        ended_.wait(mutex_);
      } else if (!ended_.waitUntil(mutex_, deadline) && alive_ > 0) {
        return false;
      }
    }
    last = lastEnded_;
    lastEnded_ = nullptr;
  }
  joinAndFree(last);
  return true;
}

/// One by one, as others may cancel meanwhile; released outside the lock, since that runs its owner's code.
LEAT_INLINE void BlockingPool::dropQueued() noexcept {
  for (;;) {
    BlockingJob* job = nullptr;
    {
      const sys::MutexLock lock(mutex_);
      stopped_ = true;
      for (List<BlockingJob>& queue : queues_)
        if (job == nullptr && !queue.empty()) job = &queue.popFront();
    }
    if (job == nullptr) return;
    job->release();
  }
}

LEAT_INLINE unsigned BlockingPool::threads() noexcept {
  const sys::MutexLock lock(mutex_);
  return threads_;
}

LEAT_INLINE unsigned long BlockingPool::queued() noexcept {
  const sys::MutexLock lock(mutex_);
  unsigned long count = 0;
  for (const List<BlockingJob>& queue : queues_) count += queue.size();
  return count;
}

// ---- workers (the mutex is held unless said otherwise) ----

LEAT_INLINE int BlockingPool::addThread() noexcept {
  auto* worker = new (std::nothrow) Worker(*this);
  if (worker == nullptr) return -ENOMEM;
  ++threads_;
  ++alive_;
  workers_.pushBack(*worker);
  // Under the lock, so that the new thread does not look for its job before this one is done.
  const int error =
      worker->thread.start([](void* argument) -> void* { return workerMain(argument); }, worker);
  if (error == 0) return 0;
  --threads_;
  --alive_;
  worker->unlink();
  delete worker;
  return error;
}

LEAT_INLINE void* BlockingPool::workerMain(void* argument) noexcept {
  auto* worker = static_cast<Worker*>(argument);
  sys::setThreadName("leat-blocking");
  BlockingPool& pool = worker->pool;
  pool.mutex_.lock();
  pool.work();
  pool.endThread(*worker);
  return nullptr;
}

LEAT_INLINE void BlockingPool::work() noexcept {
  for (;;) {
    while (BlockingJob* job = take()) {
      mutex_.unlock();
      job->operations_->run(*job);
      const BlockingJob::Class kind = job->class_;
      job->operations_->done(*job);
      job->release();
      mutex_.lock();
      --running_[indexOf(kind)];
      if (isSlow(kind)) --runningSlow_;
    }
    if (stopped_ || !waitForJob(sys::monotonicNs() + idleNs_)) return;
  }
}

/// False when the thread has been idle for long enough.
LEAT_INLINE bool BlockingPool::waitForJob(std::int64_t deadlineNs) noexcept {
  ++idle_;
  while (calls_ == 0 && !stopped_) {
    if (called_.waitUntil(mutex_, deadlineNs) || calls_ > 0 || stopped_) continue;
    --idle_;
    return false;
  }
  if (calls_ > 0) {
    --calls_;  // the caller has taken this worker off `idle_`
  } else {
    --idle_;
  }
  return true;
}

/// The oldest job that may run. What waits when the pool stops is dropped, though one by one.
LEAT_INLINE BlockingJob* BlockingPool::take() noexcept {
  if (stopped_) return nullptr;
  BlockingJob* job = nullptr;
  for (List<BlockingJob>& queue : queues_) {
    BlockingJob* const first = queue.first();
    if (first == nullptr || !mayRun(first->class_)) continue;
    if (job == nullptr || first->order_ < job->order_) job = first;
  }
  if (job == nullptr) return nullptr;
  job->unlink();
  ++running_[indexOf(job->class_)];
  if (isSlow(job->class_)) ++runningSlow_;
  return job;
}

/// Lets go of the lock. Each thread joins the one that ended before it, so that none is detached and
/// `stop` has but one to wait for.
LEAT_INLINE void BlockingPool::endThread(Worker& worker) noexcept {
  Worker* previous = lastEnded_;
  worker.unlink();
  lastEnded_ = &worker;
  --threads_;  // now, so that who submits while this one is leaving does not count on it
  mutex_.unlock();
  joinAndFree(previous);
  mutex_.lock();
  --alive_;
  ended_.notifyAll();
  mutex_.unlock();
}

LEAT_INLINE void BlockingPool::joinAndFree(Worker* worker) noexcept {
  if (worker == nullptr) return;
  worker->thread.join();
  delete worker;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
