// SPDX-License-Identifier: MIT
// Semaphore: at most so many at once.
#pragma once

#include <leat/core/out_of_range.hpp>
#include <leat/core/wait_options.hpp>

#include <cstddef>
#include <limits>

namespace leat::inline LEAT_ABI {

/// A number of permits, handed out in the order of arrival. Must outlive its permits and waiters.
///
/// Node: no counterpart. Thread: one loop's.
class Semaphore {
 public:
  using LoopBound = void;
  class Permit;
  class Awaiter;

  /// Throws: RangeError, more permits than PTRDIFF_MAX.
  explicit Semaphore(std::size_t permits) { release(permits); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// `auto permit = co_await semaphore.acquire();` Without a tick when one is free.
  /// Throws: AbortError.
  detail::PendingWait<Awaiter, Semaphore> acquire(WaitOptions options = {}) noexcept;
  /// An empty permit when none is free.
  Permit tryAcquire() noexcept;
  /// Adds permits: those of `Permit::keep`, or new ones. Throws: RangeError, with more than PTRDIFF_MAX; Error
  /// ERR_WRONG_THREAD, when one waits on another thread.
  void release(std::size_t permits = 1) {
    const std::size_t room = available_ < most ? most - available_ : 0;
    if (permits > room)
      detail::throwOutOfRange("permits", detail::SharedText{"<= ", text(room)}.view(),
                              text(permits));
    add(permits);
  }
  std::size_t available() const noexcept { return available_; }

 private:
  // So far that those which are out can always come back.
  static constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  static detail::IntegerText text(std::size_t number) noexcept {
    return detail::IntegerText(number, false, false);
  }
  void add(std::size_t permits) {
    for (; permits > 0; --permits) {
      detail::Waiter* next = detail::Waiter::next(waiters_);
      if (next == nullptr) break;
      next->wake();
    }
    available_ += permits;
  }
  bool take() noexcept {
    if (available_ == 0) return false;
    --available_;
    return true;
  }

  detail::List<detail::Waiter> waiters_;
  std::size_t available_ = 0;
};

/// One permit; given back when destroyed.
class [[nodiscard("the permit is given back when this is destroyed")]] Semaphore::Permit {
 public:
  using LoopBound = void;
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
    if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->add(1);
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
    if (granted()) semaphore_.add(1);
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
