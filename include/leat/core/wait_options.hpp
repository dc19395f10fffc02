// SPDX-License-Identifier: MIT
// What the waits of Mutex, Semaphore, ManualResetEvent, Latch and Channel have in common.
#pragma once

#include <leat/core/waiter.hpp>

namespace leat::inline LEAT_ABI {

/// Options of a wait. Aborted by `signal` or by the ambient signal it throws AbortError.
struct WaitOptions {
  SignalRef signal{};
};

namespace detail {

/// A wait that has not begun. It can be moved, converted to a Promise, or dropped; its awaiter, which
/// stands in lists, is made where it is awaited.
template <class Awaiter, class Owner>
class [[nodiscard("nothing waits until this is awaited")]] PendingWait {
 public:
  PendingWait(Owner& owner, WaitOptions options) noexcept
      : owner_(&owner), signal_(options.signal.state()) {}
  Awaiter operator co_await() && { return Awaiter(*owner_, SignalRef(signal_.get())); }

 private:
  Owner* owner_;
  Ref<AbortState> signal_;
};

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
