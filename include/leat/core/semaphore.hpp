// SPDX-License-Identifier: MIT
// Semaphore: at most so many at once.
#pragma once

#include <leat/core/wait_options.hpp>

namespace leat::inline LEAT_ABI {

/// A number of permits, handed out in the order of arrival. Must outlive its permits and waiters.
///
/// Node: no counterpart. Thread: one loop's.
class Semaphore {
 public:
  using LoopBound = void;
  class Permit;
  class Awaiter;

  explicit Semaphore(std::size_t permits) noexcept : available_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// `auto permit = co_await semaphore.acquire();` Without a tick when one is free.
  /// Throws: AbortError.
  detail::PendingWait<Awaiter, Semaphore> acquire(WaitOptions options = {}) noexcept;
  /// An empty permit when none is free.
  Permit tryAcquire() noexcept;
  /// Adds permits: those of `Permit::keep`, or new ones.
  void release(std::size_t permits = 1) noexcept {
    for (; permits > 0; --permits) {
      detail::Waiter* next = detail::Waiter::next(waiters_);
      if (next == nullptr) break;
      next->wake();
    }
    available_ += permits;
  }
  std::size_t available() const noexcept { return available_; }

 private:
  bool take() noexcept {
    if (available_ == 0) return false;
    --available_;
    return true;
  }

  detail::List<detail::Waiter> waiters_;
  std::size_t available_;
};

/// One permit; given back when destroyed.
class [[nodiscard("the permit is given back when this is destroyed")]] Semaphore::Permit {
 public:
  Permit() noexcept = default;
  Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      semaphore_ = std::exchange(other.semaphore_, nullptr);
    }
    return *this;
  }
  ~Permit() { release(); }
  explicit operator bool() const noexcept { return semaphore_ != nullptr; }
  void release() noexcept {
    if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->release();
  }
  /// The permit stays taken until somebody calls `Semaphore::release`.
  void keep() noexcept { semaphore_ = nullptr; }

 private:
  friend class Semaphore;
  explicit Permit(Semaphore* semaphore) noexcept : semaphore_(semaphore) {}
  Semaphore* semaphore_ = nullptr;
};

class Semaphore::Awaiter : private detail::Waiter {
 public:
  Awaiter(Semaphore& semaphore, SignalRef signal) noexcept
      : Waiter(signal), semaphore_(semaphore) {}
  ~Awaiter() {
    if (granted()) semaphore_.release();
  }
  bool await_ready() noexcept { return !aborted() && semaphore_.take(); }
  void await_suspend(std::coroutine_handle<> handle) { wait(handle, semaphore_.waiters_); }
  Permit await_resume() {
    finish();
    return Permit(&semaphore_);
  }

 private:
  Semaphore& semaphore_;
};

inline detail::PendingWait<Semaphore::Awaiter, Semaphore> Semaphore::acquire(
    WaitOptions options) noexcept {
  return {*this, options};
}

inline Semaphore::Permit Semaphore::tryAcquire() noexcept {
  return take() ? Permit(this) : Permit();
}

}  // namespace leat::inline LEAT_ABI
