// SPDX-License-Identifier: MIT
// Awaits one operation of a descriptor; gives its result, a value or -errno.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::IoHandle;
using leat::detail::Op;

/// `prepare` the operation first. Lives in the frame of who awaits it; destroyed early, the operation
/// is abandoned.
class OpAwaiter : public Op, private leat::detail::Job {
 public:
  OpAwaiter(EventLoop& loop, leat::detail::AbortState* signal) noexcept
      : Op(onDone), Job(onAborted), loop_(loop), hooks_(*this, signal) {}
  ~OpAwaiter() {
    if (!busy() || leat::detail::threadState.loop != &loop_) return;
    loop_.reactor().abandon(*this);
    loop_.letGo();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    continuation_.capture(waiting);
    if (!hooks_.arm()) return loop_.queue().pushMicrotask(*this);
    loop_.hold();
    loop_.reactor().submit(*this);
  }
  /// Throws: AbortError when it was cancelled before it had a result.
  int await_resume() const {
    if (hooks_.fired() && result_ == -ECANCELED) hooks_.throwAborted();
    return result_;
  }

 private:
  struct Hooks : leat::detail::CancelHooks {
    Hooks(OpAwaiter& o, leat::detail::AbortState* signal) noexcept
        : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      OpAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.loop_.reactor().cancel(self);
    }
    OpAwaiter& owner;
  };
  static void onDone(Op& op, int result, unsigned) noexcept {
    auto& self = static_cast<OpAwaiter&>(op);
    self.loop_.letGo();
    self.hooks_.disarm();
    self.result_ = result;
    self.continuation_.resume();
  }
  static void onAborted(Job& job, leat::detail::JobAction action) noexcept {
    if (action == leat::detail::JobAction::Run)
      static_cast<OpAwaiter&>(job).continuation_.resumeFromQueue();
  }

  EventLoop& loop_;
  leat::detail::Continuation continuation_;
  Hooks hooks_;
  int result_ = -ECANCELED;
};

}  // namespace leat::inline LEAT_ABI::net::detail
