// SPDX-License-Identifier: MIT
// A listener that is removed at the end of a block. As in Node, the handles that `on` gives do not do
// that: dropping one leaves the listener where it is.
#pragma once

#include <leat/base/config.hpp>

#include <utility>

namespace leat::inline LEAT_ABI {

/// `ScopedListener guard(onSignal(SIGINT, f));` Works with every handle that has `off()`.
template <class Handle>
class [[nodiscard("the listener is removed when this is destroyed")]] ScopedListener {
 public:
  explicit ScopedListener(Handle handle) noexcept : handle_(std::move(handle)) {}
  ScopedListener(ScopedListener&& other) noexcept
      : handle_(std::exchange(other.handle_, Handle())) {}
  ScopedListener& operator=(ScopedListener&& other) noexcept {
    if (this != &other) {
      handle_.off();
      handle_ = std::exchange(other.handle_, Handle());
    }
    return *this;
  }
  ~ScopedListener() { handle_.off(); }

  const Handle& handle() const noexcept { return handle_; }
  /// Lets the listener stay.
  void release() noexcept { handle_ = Handle(); }

 private:
  Handle handle_;
};

}  // namespace leat::inline LEAT_ABI
