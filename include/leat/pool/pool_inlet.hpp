// SPDX-License-Identifier: MIT
// What comes into a pool from outside: jobs that wait in three queues until a worker takes them, and with a
// bound on these, jobs that wait for room in them.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/base/list.hpp>
#include <leat/sys/calls.hpp>
#include <leat/sys/mutex.hpp>

#include <cstddef>

namespace leat::inline LEAT_ABI {

/// Which of the jobs from outside of a pool go first. A worker looks for them when what it does has ended, with
/// all that it forks: then for high ones before what others have left in its deque, else after.
enum class Priority : unsigned char { High, Normal, Low };

/// What becomes of work from outside when `PoolOptions::maxQueued` jobs wait for a worker.
enum class PoolFull : unsigned char {
  Wait,   // it waits for room
  Throw,  // it is refused: Error ERR_POOL_FULL
};

namespace detail {

/// A unit of work. Its owner keeps it alive until `act` is called, once, on a worker.
struct PoolJob {
  /// `run` is false when the pool ends first.
  using Act = void (*)(PoolJob&, bool run) noexcept;
  explicit PoolJob(Act function) noexcept : act(function) {}
  Act act;
  PoolJob* next;  // while it waits before all others in an inlet
};

/// What becomes of a job at the door.
enum class PoolEntry : unsigned char { Queued, Waits, Full, Closed };

/// A thread that sleeps until its job has found room, or has been refused.
class PoolSleeper {
 public:
  void wake(PoolEntry how) noexcept {
    // Once the word is set the sleeper may be gone; waking its address wakes nobody then.
    const unsigned* const word = told_.address();
    told_.store(1 + static_cast<unsigned>(how), release);
    (void)sys::futexWake(word, 1);
  }
  PoolEntry sleep() noexcept {
    while (told_.load(acquire) == 0) (void)sys::futexWait(told_.address(), 0, -1);
    return static_cast<PoolEntry>(told_.load(relaxed) - 1);
  }

 private:
  // 0: nothing yet. Else the entry, plus one.
  Atomic<unsigned> told_{0};
};

/// A job from outside. It can be withdrawn as long as no worker has taken it.
struct OutsideJob : PoolJob, ListNode {
  OutsideJob(Act function, Priority p) noexcept : PoolJob(function), urgency(p) {}
  const Priority urgency;
  // Of an inlet, under its mutex.
  bool waits = false;  // for room
  PoolSleeper* sleeper = nullptr;
};

/// A queue for each priority, first in, first out, and one before them for what the pool itself has begun and
/// found no memory for in a deque. With a bound, what finds no room stands in line behind the queue of its
/// priority: the order is the same as without. Nothing stands in line while there is room.
class PoolInlet {
 public:
  explicit PoolInlet(std::size_t most) noexcept : most_(most != 0 ? most : ~std::size_t{0}) {}

  /// `sleeper` is told when a job that waits does so no more; when that is because of the end, the job is
  /// its thread's again.
  PoolEntry push(OutsideJob& job, PoolFull whenFull, PoolSleeper* sleeper) noexcept;
  /// From a worker of the pool: it finds room always, for those who make room may not wait for it.
  PoolEntry pushFromInside(OutsideJob& job) noexcept;
  void pushOwn(PoolJob& job) noexcept;
  /// The first of the highest; null when there is none.
  PoolJob* take() noexcept { return size() > 0 ? takeUpTo(lowest) : nullptr; }
  PoolJob* takeHigh() noexcept { return high_.load(relaxed) > 0 ? takeUpTo(highest) : nullptr; }
  /// Of those from outside, after `close`.
  PoolJob* takeRefused() noexcept;
  /// False: it has been taken.
  bool withdraw(OutsideJob& job) noexcept;
  void close() noexcept {
    const sys::MutexLock lock(mutex_);
    closed_ = true;
  }
  /// Without those that wait for room.
  std::size_t size() const noexcept { return size_.load(relaxed); }
  std::size_t waiting() const noexcept { return waiting_.load(relaxed); }

 private:
  static constexpr unsigned highest = 0;
  static constexpr unsigned lowest = 2;
  static unsigned levelOf(const OutsideJob& job) noexcept {
    return static_cast<unsigned>(job.urgency);
  }
  // Only under the mutex; read without it.
  static void add(Atomic<std::size_t>& number, std::size_t change) noexcept {
    number.store(number.load(relaxed) + change, relaxed);
  }
  static constexpr std::size_t minusOne = ~std::size_t{0};

  void append(OutsideJob& job) noexcept;
  void leaveQueue(OutsideJob& job) noexcept;
  void leaveLine(OutsideJob& job, PoolEntry how) noexcept;
  void countHigh(const OutsideJob& job, std::size_t change) noexcept {
    if (levelOf(job) == highest) add(high_, change);
  }
  void admit(std::size_t left) noexcept;
  PoolJob* takeUpTo(unsigned last) noexcept;

  const std::size_t most_;
  sys::Mutex mutex_;
  PoolJob* firstOwn_ = nullptr;
  PoolJob* lastOwn_ = nullptr;
  List<OutsideJob> queues_[lowest + 1];
  List<OutsideJob> line_[lowest + 1];
  bool closed_ = false;
  Atomic<std::size_t> size_{0};
  Atomic<std::size_t> high_{0};
  Atomic<std::size_t> waiting_{0};
};

#if LEAT_BODIES
LEAT_INLINE PoolEntry PoolInlet::push(OutsideJob& job, PoolFull whenFull,
                                      PoolSleeper* sleeper) noexcept {
  const sys::MutexLock lock(mutex_);
  if (closed_) return PoolEntry::Closed;
  if (size() < most_) {
    append(job);
    add(size_, 1);
    return PoolEntry::Queued;
  }
  if (whenFull == PoolFull::Throw) return PoolEntry::Full;
  job.waits = true;
  job.sleeper = sleeper;
  line_[levelOf(job)].pushBack(job);
  add(waiting_, 1);
  countHigh(job, 1);
  return PoolEntry::Waits;
}

LEAT_INLINE PoolEntry PoolInlet::pushFromInside(OutsideJob& job) noexcept {
  const sys::MutexLock lock(mutex_);
  if (closed_) return PoolEntry::Closed;
  append(job);
  add(size_, 1);
  return PoolEntry::Queued;
}

LEAT_INLINE void PoolInlet::pushOwn(PoolJob& job) noexcept {
  const sys::MutexLock lock(mutex_);
  job.next = nullptr;
  (lastOwn_ != nullptr ? lastOwn_->next : firstOwn_) = &job;
  lastOwn_ = &job;
  add(size_, 1);
  add(high_, 1);
}

LEAT_INLINE void PoolInlet::append(OutsideJob& job) noexcept {
  queues_[levelOf(job)].pushBack(job);
  countHigh(job, 1);
}

LEAT_INLINE PoolJob* PoolInlet::takeUpTo(unsigned last) noexcept {
  const sys::MutexLock lock(mutex_);
  if (PoolJob* const job = firstOwn_) {
    firstOwn_ = job->next;
    if (firstOwn_ == nullptr) lastOwn_ = nullptr;
    add(high_, minusOne);
    admit(size() - 1);
    return job;
  }
  for (unsigned level = highest; level <= last; ++level) {
    if (OutsideJob* const job = queues_[level].first()) {
      leaveQueue(*job);
      return job;
    }
    if (OutsideJob* const job = line_[level].first()) {
      leaveLine(*job, PoolEntry::Queued);
      return job;
    }
  }
  return nullptr;
}

LEAT_INLINE void PoolInlet::leaveQueue(OutsideJob& job) noexcept {
  job.unlink();
  countHigh(job, minusOne);
  admit(size() - 1);
}

LEAT_INLINE void PoolInlet::leaveLine(OutsideJob& job, PoolEntry how) noexcept {
  job.unlink();
  job.waits = false;
  add(waiting_, minusOne);
  countHigh(job, minusOne);
  if (job.sleeper != nullptr) job.sleeper->wake(how);
}

/// `left` are queued; those first in line follow while there is room. The size changes once: a worker on its
/// way to sleep may not see an empty inlet in between, for nobody is told of those that come in from the line.
LEAT_INLINE void PoolInlet::admit(std::size_t left) noexcept {
  for (unsigned level = highest; level <= lowest && waiting() > 0 && !closed_; ++level) {
    for (; left < most_ && !line_[level].empty(); ++left) {
      OutsideJob& job = line_[level].front();
      leaveLine(job, PoolEntry::Queued);
      append(job);
    }
  }
  size_.store(left, relaxed);
}

LEAT_INLINE PoolJob* PoolInlet::takeRefused() noexcept {
  const sys::MutexLock lock(mutex_);
  for (unsigned level = highest; level <= lowest; ++level) {
    if (OutsideJob* const job = queues_[level].first()) {
      leaveQueue(*job);
      return job;
    }
  }
  for (List<OutsideJob>& line : line_) {
    while (!line.empty()) {
      OutsideJob& job = line.front();
      // Else it goes back to the thread that has brought it, and may be gone.
      const bool isOurs = job.sleeper == nullptr;
      leaveLine(job, PoolEntry::Closed);
      if (isOurs) return &job;
    }
  }
  return nullptr;
}

LEAT_INLINE bool PoolInlet::withdraw(OutsideJob& job) noexcept {
  const sys::MutexLock lock(mutex_);
  if (!job.linked()) return false;
  if (job.waits) {
    leaveLine(job, PoolEntry::Closed);
  } else {
    leaveQueue(job);
  }
  return true;
}
#endif

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
