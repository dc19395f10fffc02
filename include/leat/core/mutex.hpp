// SPDX-License-Identifier: MIT
// Mutex: mutual exclusion between coroutines of one loop.
#pragma once

#include <leat/core/wait_options.hpp>

namespace leat::inline LEAT_ABI {

/// Held by one coroutine at a time, handed on in the order of arrival. Must outlive its guards and
/// waiters.
///
/// Node: no counterpart. Thread: one loop's.
class Mutex {
 public:
  using LoopBound = void;
  class Guard;
  class Awaiter;

  Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// `auto guard = co_await mutex.lock();` Without a tick when it is free.
  /// Throws: AbortError.
  detail::PendingWait<Awaiter, Mutex> lock(WaitOptions options = {}) noexcept;
  /// An empty guard when it is held.
  Guard tryLock() noexcept;
  bool locked() const noexcept { return locked_; }

 private:
  bool take() noexcept { return !std::exchange(locked_, true); }
  /// It stays locked when it goes from hand to hand.
  void unlock() noexcept {
    if (detail::Waiter* next = detail::Waiter::next(waiters_)) {
      next->wake();
    } else {
      locked_ = false;
    }
  }

  detail::List<detail::Waiter> waiters_;
  bool locked_ = false;
};

/// Holds the mutex; gives it on when destroyed or by `unlock()`.
class [[nodiscard("the mutex is unlocked when the guard is destroyed")]] Mutex::Guard {
 public:
  using LoopBound = void;
  Guard() noexcept = default;
  Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
  Guard& operator=(Guard&& other) noexcept {
    if (this != &other) {
      unlock();
      mutex_ = std::exchange(other.mutex_, nullptr);
    }
    return *this;
  }
  ~Guard() { unlock(); }
  explicit operator bool() const noexcept { return mutex_ != nullptr; }
  void unlock() noexcept {
    if (mutex_ != nullptr) std::exchange(mutex_, nullptr)->unlock();
  }

 private:
  friend class Mutex;
  explicit Guard(Mutex* mutex) noexcept : mutex_(mutex) {}
  Mutex* mutex_ = nullptr;
};

class Mutex::Awaiter : private detail::Waiter {
 public:
  Awaiter(Mutex& mutex, SignalRef signal) noexcept : Waiter(signal), mutex_(mutex) {}
  ~Awaiter() {
    if (granted()) mutex_.unlock();
  }
  bool await_ready() noexcept { return !aborted() && mutex_.take(); }
  void await_suspend(std::coroutine_handle<> handle) { wait(handle, mutex_.waiters_); }
  Guard await_resume() {
    finish();
    return Guard(&mutex_);
  }

 private:
  Mutex& mutex_;
};

inline detail::PendingWait<Mutex::Awaiter, Mutex> Mutex::lock(WaitOptions options) noexcept {
  return {*this, options};
}

inline Mutex::Guard Mutex::tryLock() noexcept { return take() ? Guard(this) : Guard(); }

}  // namespace leat::inline LEAT_ABI
