// SPDX-License-Identifier: MIT
// What comes into a pool from outside: jobs that wait in three queues until a worker takes them.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/sys/mutex.hpp>

#include <cstddef>

namespace leat::inline LEAT_ABI {

/// Which of the jobs from outside of a pool go first. What a job has forked comes before all but the high
/// ones.
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

/// Three queues, first in, first out.
class PoolInlet {
 public:
  /// False after `close`, unless it is forced in.
  bool push(PoolJob& job, Priority priority, bool forced = false) noexcept;
  /// The first of the highest; null when there is none.
  PoolJob* take() noexcept { return size() > 0 ? takeUpTo(Priority::Low) : nullptr; }
  PoolJob* takeHigh() noexcept {
    return high_.load(relaxed) > 0 ? takeUpTo(Priority::High) : nullptr;
  }
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
  PoolJob* takeUpTo(Priority lowest) noexcept;
  void count(Priority priority, std::size_t change) noexcept {
    // Only here, under the mutex; read without it.
    size_.store(size_.load(relaxed) + change, relaxed);
    if (priority == Priority::High) high_.store(high_.load(relaxed) + change, relaxed);
  }

  sys::Mutex mutex_;
  Queue queues_[3];
  bool closed_ = false;
  Atomic<std::size_t> size_{0};
  Atomic<std::size_t> high_{0};
};

inline bool PoolInlet::push(PoolJob& job, Priority priority, bool forced) noexcept {
  const sys::MutexLock lock(mutex_);
  if (closed_ && !forced) return false;
  Queue& queue = queues_[static_cast<unsigned>(priority)];
  job.next = nullptr;
  (queue.last != nullptr ? queue.last->next : queue.first) = &job;
  queue.last = &job;
  count(priority, 1);
  return true;
}

inline PoolJob* PoolInlet::takeUpTo(Priority lowest) noexcept {
  const sys::MutexLock lock(mutex_);
  for (unsigned level = 0; level <= static_cast<unsigned>(lowest); ++level) {
    Queue& queue = queues_[level];
    PoolJob* const job = queue.first;
    if (job == nullptr) continue;
    queue.first = job->next;
    if (queue.first == nullptr) queue.last = nullptr;
    count(static_cast<Priority>(level), ~std::size_t{0});
    return job;
  }
  return nullptr;
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
