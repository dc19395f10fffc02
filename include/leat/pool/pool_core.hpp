// SPDX-License-Identifier: MIT
// The workers of a pool: how they take, steal, sleep and end.
#pragma once

#include <leat/core/resume.hpp>
#include <leat/pool/idle_workers.hpp>
#include <leat/pool/pool_inlet.hpp>
#include <leat/pool/worker_time.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/processors.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace leat::inline LEAT_ABI {

/// Options of a WorkStealingPool.
struct PoolOptions {
  /// 0: as many as LEAT_POOL_SIZE says, else as the thread that makes the pool may use processors (affinity,
  /// cgroup quota).
  unsigned threads = 0;
  /// Of the threads, in debuggers and /proc, with a number behind it.
  const char* name = "leat-pool";
  /// Whether each thread stays on one of the processors that the process may use.
  bool pinned = false;
  /// How many jobs from outside may wait for a worker at once, all priorities together. 0: any number. Jobs
  /// that the pool's own workers make are not held up by it.
  std::size_t maxQueued = 0;
  /// What becomes of one more.
  PoolFull whenFull = PoolFull::Wait;
};

}  // namespace leat::inline LEAT_ABI

namespace leat::inline LEAT_ABI::detail {

class PoolCore;

/// A thread of a pool.
class PoolWorker {
 public:
  /// Of this thread; null on one that is no worker.
  static PoolWorker* current() noexcept { return threadState.worker; }

  PoolCore& pool() const noexcept { return *pool_; }
  /// Below the number of threads of the pool.
  unsigned index() const noexcept { return index_; }
  /// For itself or a thief. On the worker's thread, as the next ones.
  LEAT_ALWAYS_INLINE inline void push(PoolJob& job) noexcept;
  /// The same of several, of which others are told when the last is there.
  LEAT_ALWAYS_INLINE inline void pushQuietly(PoolJob& job) noexcept;
  LEAT_ALWAYS_INLINE inline void tellOthers() noexcept;
  /// The youngest, if it is this one and nobody has taken it.
  LEAT_ALWAYS_INLINE bool popIf(const PoolJob& job) noexcept { return deque_.popIf(&job); }
  /// Runs a job of its own or of others while the caller waits for one. False: found none.
  bool help() noexcept;

 private:
  friend class PoolCore;
  // How often it looks everywhere before it sleeps.
  static constexpr unsigned searchRounds = 32;
  // After so many jobs of its own it looks at those from outside first.
  static constexpr unsigned inletInterval = 61;

  void work() noexcept;
  PoolJob* next() noexcept;
  PoolJob* search() noexcept;
  PoolJob* stealOnce() noexcept;
  PoolJob* waitForWork() noexcept;
  void run(PoolJob& job) noexcept;
  static void count(Atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(relaxed) + 1, relaxed);
  }

  WorkDeque<PoolJob> deque_;
  PoolCore* pool_ = nullptr;
  unsigned index_ = 0;
  unsigned lastVictim_ = 0;
  unsigned turns_ = 0;
  std::uint32_t random_ = 0;
  sys::Thread thread_;
  // Written by the worker alone.
  Atomic<std::uint64_t> executed_{0};
  Atomic<std::uint64_t> steals_{0};
  Atomic<std::uint64_t> parks_{0};
  WorkerTime time_;
};

/// What a pool is but for its public face.
class PoolCore {
 public:
  struct Counts {
    std::uint64_t executed = 0;
    std::uint64_t steals = 0;
    std::uint64_t parks = 0;
    WorkerTime::Reading time;
  };

  explicit PoolCore(const PoolOptions& options) noexcept;
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;
  ~PoolCore() { delete[] workers_; }

  /// 0, with at least one thread, or -errno.
  int start() noexcept;
  /// Whether it was made in this process, or in its parent, whose threads are not here.
  bool isHere() const noexcept { return generation_ == sys::forkGeneration(); }
  /// To the deque of the worker that calls, else to the inlet. Closed: the pool has ended, or is not here.
  PoolEntry post(OutsideJob& job) noexcept { return enter(job, whenFull_); }
  /// The same; instead of the job this thread waits for room, if it is one that may: else Full.
  PoolEntry postOrSleep(OutsideJob& job) noexcept;
  /// False: a worker has taken it, or the end of the pool.
  bool withdraw(OutsideJob& job) noexcept;
  /// From outside. What has not begun ends; waits at most `timeoutNs`, for ever when negative, for the
  /// rest. True when all threads have ended.
  bool stop(std::int64_t timeoutNs) noexcept;

  unsigned threads() const noexcept { return started_; }
  std::size_t queued() const noexcept { return inlet_.size(); }
  std::size_t waiting() const noexcept { return inlet_.waiting(); }
  unsigned sleeping() const noexcept { return idle_.sleepers(); }
  /// Workers that neither sleep nor look for work.
  unsigned running() const noexcept;
  /// Of one of `threads()`, and of all together.
  Counts counts(unsigned worker) const noexcept;
  Counts counts() const noexcept;

 private:
  friend class PoolWorker;
  static constexpr std::size_t nameSize = 16;
  static unsigned defaultThreads() noexcept;
  static void* workerMain(void* worker) noexcept;
  PoolEntry enter(OutsideJob& job, PoolFull whenFull, PoolSleeper* sleeper = nullptr) noexcept;
  void setUp(unsigned index) const noexcept;
  bool anyWork() const noexcept;
  void end() noexcept;

  const unsigned generation_;
  char name_[nameSize] = {};
  const bool pinned_;
  const PoolFull whenFull_;
  PoolWorker* workers_ = nullptr;
  const unsigned threads_;
  // Fewer when the system gives no more; the deques of the rest stay empty.
  unsigned started_ = 0;
  const unsigned mostSearching_;
  PoolInlet inlet_;
  Atomic<bool> stopping_{false};
  Atomic<unsigned> posting_{0};  // threads inside of `enter` and `withdraw`: `stop` waits for them
  alignas(64) IdleWorkers<> idle_;
  alignas(64) mutable sys::Mutex endMutex_;
  sys::Condition ended_;
  unsigned alive_ = 0;  // guarded by `endMutex_`
};

// ---- a worker ----

inline void PoolWorker::push(PoolJob& job) noexcept {
  pushQuietly(job);
  tellOthers();
}

inline void PoolWorker::tellOthers() noexcept { pool_->idle_.notifyFromInside(); }

inline void PoolWorker::pushQuietly(PoolJob& job) noexcept {
  if (deque_.push(&job)) [[likely]]
    return;
  // No memory for the deque; the inlet needs none, and is open to what the pool itself has begun.
  pool_->inlet_.pushOwn(job);
}

#if LEAT_BODIES
LEAT_INLINE void PoolWorker::run(PoolJob& job) noexcept {
  count(executed_);
  job.act(job, true);
}

LEAT_INLINE bool PoolWorker::help() noexcept {
  PoolJob* job = deque_.pop();
  if (job == nullptr) job = stealOnce();
  // What has found no memory in a deque is there.
  if (job == nullptr) job = pool_->inlet_.takeHigh();
  if (job == nullptr) return false;
  run(*job);
  return true;
}

/// What this worker does before it looks at others.
LEAT_INLINE PoolJob* PoolWorker::next() noexcept {
  PoolInlet& inlet = pool_->inlet_;
  PoolJob* job = ++turns_ % inletInterval == 0 ? inlet.take() : inlet.takeHigh();
  if (job == nullptr) job = deque_.pop();
  if (job == nullptr) job = inlet.take();
  return job;
}

LEAT_INLINE PoolJob* PoolWorker::stealOnce() noexcept {
  const unsigned threads = pool_->threads_;
  if (threads < 2) return nullptr;
  // Where there was something there is more; else somewhere, and on from there.
  PoolJob* job = lastVictim_ != index_ ? pool_->workers_[lastVictim_].deque_.steal() : nullptr;
  if (job == nullptr) {
    random_ = random_ * 1664525 + 1013904223;
    unsigned victim = static_cast<unsigned>((std::uint64_t{random_} * threads) >> 32);
    for (unsigned i = 0; i < threads && job == nullptr; ++i, ++victim) {
      if (victim >= threads) victim = 0;
      if (victim == index_) continue;
      job = pool_->workers_[victim].deque_.steal();
      if (job != nullptr) lastVictim_ = victim;
    }
  }
  if (job != nullptr) count(steals_);
  return job;
}

LEAT_INLINE PoolJob* PoolWorker::search() noexcept {
  for (unsigned round = 0; round < searchRounds; ++round) {
    PoolJob* job = stealOnce();
    if (job == nullptr) job = pool_->inlet_.take();
    if (job != nullptr) return job;
    for (unsigned i = 0; i < 1u << (round < 6 ? round : 6); ++i) cpuRelax();
  }
  return nullptr;
}

/// Null when the pool ends.
LEAT_INLINE PoolJob* PoolWorker::waitForWork() noexcept {
  IdleWorkers<>& idle = pool_->idle_;
  bool searches = idle.beginSearch(pool_->mostSearching_);
  for (;;) {
    PoolJob* const job = searches ? search() : nullptr;
    const bool over = job == nullptr && pool_->stopping_.load(acquire) && !pool_->anyWork();
    if (job != nullptr || over) {
      // The last that searched sees to it that there is another one, if there is more.
      if (searches && idle.endSearch() && pool_->anyWork()) idle.wakeOne();
      return job;
    }
    idle.announceSleep(searches);
    if (pool_->anyWork() || pool_->stopping_.load(relaxed)) {
      idle.stayAwake();
    } else {
      count(parks_);
      time_.sleep(sys::monotonicNs());
      idle.sleep();
      time_.wake(sys::monotonicNs());
    }
    searches = true;
  }
}

LEAT_INLINE void PoolWorker::work() noexcept {
  for (;;) {
    PoolJob* job = next();
    if (job == nullptr) job = waitForWork();
    if (job == nullptr) return;
    run(*job);
  }
}

// ---- the pool ----

LEAT_INLINE PoolCore::PoolCore(const PoolOptions& options) noexcept
    : generation_(sys::watchForks()),
      pinned_(options.pinned),
      whenFull_(options.whenFull),
      threads_(options.threads != 0 ? options.threads : defaultThreads()),
      mostSearching_((threads_ + 1) / 2),
      inlet_(options.maxQueued),
      idle_(threads_) {
  for (std::size_t i = 0; options.name != nullptr && i + 1 < nameSize && options.name[i] != '\0';
       ++i)
    name_[i] = options.name[i];
}

LEAT_INLINE unsigned PoolCore::defaultThreads() noexcept {
  if (const char* text = ::getenv("LEAT_POOL_SIZE")) {
    char* end = nullptr;
    const long asked = ::strtol(text, &end, 10);
    if (end != text && *end == '\0' && asked >= 1 && asked <= 1024)
      return static_cast<unsigned>(asked);
  }
  return sys::usableProcessors();
}

LEAT_INLINE int PoolCore::start() noexcept {
  sys::prepareFences();
  workers_ = new (std::nothrow) PoolWorker[threads_];
  if (workers_ == nullptr) return -ENOMEM;
  for (unsigned i = 0; i < threads_; ++i) {
    workers_[i].pool_ = this;
    workers_[i].index_ = workers_[i].lastVictim_ = i;
    workers_[i].random_ = (i + 1) * 2654435769U;
  }
  const sys::MutexLock lock(endMutex_);
  for (; started_ < threads_; ++started_, ++alive_) {
    const int error = workers_[started_].thread_.start(workerMain, &workers_[started_]);
    if (error != 0) return started_ > 0 ? 0 : error;
  }
  return 0;
}

LEAT_INLINE void PoolCore::setUp(unsigned index) const noexcept {
  char name[nameSize + 12];
  // The number is what matters when there is no room for both.
  char digits[12];
  const int length = std::snprintf(digits, sizeof digits, "-%u", index);
  const int room = static_cast<int>(nameSize) - 1 - length;
  std::snprintf(name, sizeof name, "%.*s%s", room, name_, digits);
  sys::setThreadName(name);
  if (pinned_) sys::pinThread(index);
}

LEAT_INLINE void* PoolCore::workerMain(void* argument) noexcept {
  auto& worker = *static_cast<PoolWorker*>(argument);
  threadState.worker = &worker;
  worker.time_.begin(sys::monotonicNs());
  worker.pool_->setUp(worker.index_);
  worker.work();
  worker.time_.end(sys::monotonicNs());
  threadState.worker = nullptr;
  worker.pool_->end();
  return nullptr;
}

LEAT_INLINE void PoolCore::end() noexcept {
  const sys::MutexLock lock(endMutex_);
  --alive_;
  ended_.notifyAll();
}

LEAT_INLINE PoolEntry PoolCore::enter(OutsideJob& job, PoolFull whenFull,
                                      PoolSleeper* sleeper) noexcept {
  PoolWorker* const worker = PoolWorker::current();
  const bool inside = worker != nullptr && worker->pool_ == this;
  if (inside && job.urgency == Priority::Normal) {
    worker->push(job);
    return PoolEntry::Queued;
  }
  if (!isHere()) return PoolEntry::Closed;
  // The job may be done, and the pool about to end, before this thread has told the workers of it.
  posting_.fetchAdd(1);
  const PoolEntry entry = inside ? inlet_.pushFromInside(job) : inlet_.push(job, whenFull, sleeper);
  if (entry == PoolEntry::Queued) idle_.notify();
  posting_.fetchSub(1, release);
  return entry;
}

LEAT_INLINE PoolEntry PoolCore::postOrSleep(OutsideJob& job) noexcept {
  // A loop has others to serve, and a worker of another pool might be waited for by this one.
  const bool maySleep = threadState.queue == nullptr && threadState.worker == nullptr;
  PoolSleeper sleeper;
  const PoolEntry entry =
      enter(job, maySleep ? whenFull_ : PoolFull::Throw, maySleep ? &sleeper : nullptr);
  return entry == PoolEntry::Waits ? sleeper.sleep() : entry;
}

LEAT_INLINE bool PoolCore::withdraw(OutsideJob& job) noexcept {
  if (!isHere()) return false;
  posting_.fetchAdd(1);
  const bool withdrawn = inlet_.withdraw(job);
  posting_.fetchSub(1, release);
  return withdrawn;
}

LEAT_INLINE bool PoolCore::anyWork() const noexcept {
  if (inlet_.size() > 0) return true;
  for (unsigned i = 0; i < threads_; ++i)
    if (!workers_[i].deque_.empty()) return true;
  return false;
}

LEAT_INLINE bool PoolCore::stop(std::int64_t timeoutNs) noexcept {
  inlet_.close();
  while (PoolJob* job = inlet_.takeRefused()) job->act(*job, false);
  stopping_.store(true);
  idle_.wakeAll();
  const std::int64_t deadline = timeoutNs < 0 ? 0 : sys::monotonicNs() + timeoutNs;
  {
    const sys::MutexLock lock(endMutex_);
    while (alive_ > 0) {
      if (timeoutNs < 0) {
        ended_.wait(endMutex_);
      } else if (!ended_.waitUntil(endMutex_, deadline) && alive_ > 0) {
        return false;
      }
    }
  }
  for (unsigned i = 0; i < started_; ++i) workers_[i].thread_.join();
  while (posting_.load(acquire) != 0) ::sched_yield();
  return true;
}

LEAT_INLINE unsigned PoolCore::running() const noexcept {
  const sys::MutexLock lock(endMutex_);
  // The two are not of one moment.
  const unsigned atRest = idle_.atRest();
  return alive_ > atRest ? alive_ - atRest : 0;
}

LEAT_INLINE PoolCore::Counts PoolCore::counts(unsigned worker) const noexcept {
  const PoolWorker& of = workers_[worker];
  return {of.executed_.load(relaxed), of.steals_.load(relaxed), of.parks_.load(relaxed),
          of.time_.read(sys::monotonicNs)};
}

LEAT_INLINE PoolCore::Counts PoolCore::counts() const noexcept {
  Counts sum;
  for (unsigned i = 0; i < started_; ++i) {
    const Counts one = counts(i);
    sum.executed += one.executed;
    sum.steals += one.steals;
    sum.parks += one.parks;
    sum.time.activeNs += one.time.activeNs;
    sum.time.idleNs += one.time.idleNs;
  }
  return sum;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
