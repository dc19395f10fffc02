// SPDX-License-Identifier: MIT
// What comes into a pool from outside: jobs that wait in three queues until a worker takes them.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/sys/mutex.hpp>

#include <cstddef>

namespace leat::inline LEAT_ABI {

/// Which of the jobs from outside of a pool go first. A worker looks for them when what it does has ended, with
/// all that it forks: then for high ones before what others have left in its deque, else after.
enum class Priority : unsigned char { High, Normal, Low };

namespace detail {

/// A unit of work. Its owner keeps it alive until `act` is called, once, on a worker.
struct PoolJob {
  /// `run` is false when the pool ends first.
  using Act = void (*)(PoolJob&, bool run) noexcept;
  explicit PoolJob(Act function) noexcept : act(function) {}
  Act act;
  PoolJob* next;  // while it waits in an inlet
};

/// A queue for each priority, first in, first out, and one before them for what the pool itself has begun and
/// found no memory for in a deque.
class PoolInlet {
 public:
  /// False after `close`.
  bool push(PoolJob& job, Priority priority) noexcept;
  void pushOwn(PoolJob& job) noexcept;
  /// The first of the highest; null when there is none.
  PoolJob* take() noexcept { return size() > 0 ? takeFrom(own, last) : nullptr; }
  PoolJob* takeHigh() noexcept { return high_.load(relaxed) > 0 ? takeFrom(own, high) : nullptr; }
  /// Of those from outside.
  PoolJob* takeRefused() noexcept { return takeFrom(high, last); }
  void close() noexcept {
    const sys::MutexLock lock(mutex_);
    closed_ = true;
  }
  std::size_t size() const noexcept { return size_.load(relaxed); }

 private:
  struct Queue {
    PoolJob* first = nullptr;
    PoolJob* last = nullptr;
  };
  static constexpr unsigned own = 0;
  static constexpr unsigned high = 1;
  static constexpr unsigned last = 3;
  void append(PoolJob& job, unsigned level) noexcept;
  PoolJob* takeFrom(unsigned first, unsigned lowest) noexcept;
  void count(unsigned level, std::size_t change) noexcept {
    // Only here, under the mutex; read without it.
    size_.store(size_.load(relaxed) + change, relaxed);
    if (level <= high) high_.store(high_.load(relaxed) + change, relaxed);
  }

  sys::Mutex mutex_;
  Queue queues_[last + 1];
  bool closed_ = false;
  Atomic<std::size_t> size_{0};
  Atomic<std::size_t> high_{0};
};

inline bool PoolInlet::push(PoolJob& job, Priority priority) noexcept {
  const sys::MutexLock lock(mutex_);
  if (closed_) return false;
  append(job, high + static_cast<unsigned>(priority));
  return true;
}

inline void PoolInlet::pushOwn(PoolJob& job) noexcept {
  const sys::MutexLock lock(mutex_);
  append(job, own);
}

inline void PoolInlet::append(PoolJob& job, unsigned level) noexcept {
  Queue& queue = queues_[level];
  job.next = nullptr;
  (queue.last != nullptr ? queue.last->next : queue.first) = &job;
  queue.last = &job;
  count(level, 1);
}

inline PoolJob* PoolInlet::takeFrom(unsigned first, unsigned lowest) noexcept {
  const sys::MutexLock lock(mutex_);
  for (unsigned level = first; level <= lowest; ++level) {
    Queue& queue = queues_[level];
    PoolJob* const job = queue.first;
    if (job == nullptr) continue;
    queue.first = job->next;
    if (queue.first == nullptr) queue.last = nullptr;
    count(level, ~std::size_t{0});
    return job;
  }
  return nullptr;
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
