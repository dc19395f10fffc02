// SPDX-License-Identifier: MIT
// A timer that is cleared with the object that keeps it.
#pragma once

#include <leat/loop/timers.hpp>

namespace leat::inline LEAT_ABI {

/// Owns a timer: destroyed or given another one, it clears the one before.
///
/// Node: `using timeout = setTimeout(...)`, that is `timeout[Symbol.dispose]()`.
class ScopedTimeout {
 public:
  using LoopBound = void;
  ScopedTimeout() noexcept = default;
  ScopedTimeout(Timeout timeout) noexcept : timeout_(std::move(timeout)) {}
  ScopedTimeout(ScopedTimeout&& other) noexcept
      : timeout_(std::exchange(other.timeout_, Timeout())) {}
  ScopedTimeout& operator=(ScopedTimeout&& other) noexcept {
    const ScopedTimeout old(std::exchange(timeout_, std::exchange(other.timeout_, Timeout())));
    return *this;
  }
  ~ScopedTimeout() { timeout_.close(); }

  const Timeout& operator*() const noexcept { return timeout_; }
  const Timeout* operator->() const noexcept { return &timeout_; }
  /// Gives the timer up without clearing it.
  Timeout release() noexcept { return std::exchange(timeout_, Timeout()); }

 private:
  Timeout timeout_;
};

}  // namespace leat::inline LEAT_ABI
