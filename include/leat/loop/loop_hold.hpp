// SPDX-License-Identifier: MIT
// What a socket, a server or a port does to its loop: it holds it while operations are in flight, unless it
// was unref'd, and may be used on its thread only.
#pragma once

#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI::detail {

class LoopHold {
 public:
  explicit LoopHold(EventLoop& loop) noexcept : loop_(&loop), home_(threadState.home) {}

  /// Refers to a loop that has ended where `onThread` is false.
  EventLoop& loop() const noexcept { return *loop_; }
  bool onThread() const noexcept { return threadState.home == home_; }
  /// Throws: Error ERR_WRONG_THREAD.
  void checkThread(std::string_view what) const {
    if (!onThread()) [[unlikely]]
      throwWrongThread(what);
  }

  void take() noexcept {
    if (referenced_) loop_->hold();
    ++count_;
  }
  void drop() noexcept {
    if (referenced_) loop_->letGo();
    --count_;
  }
  void setReferenced(bool to) noexcept {
    if (referenced_ == to || !onThread()) return;
    referenced_ = to;
    for (unsigned i = 0; i < count_; ++i) to ? loop_->hold() : loop_->letGo();
  }

 private:
  [[noreturn]] LEAT_NOINLINE static void throwWrongThread(std::string_view what) {
    throw Error(SharedText({what,
                            " was used on another thread than that of its event loop, or "
                            "after the loop's end; use EventLoop::post to go there"})
                    .view(),
                "ERR_WRONG_THREAD");
  }

  EventLoop* loop_;
  leat::detail::HomeId home_;
  unsigned count_ = 0;
  bool referenced_ = true;
};

/// Base of the counted Owner: while something is in flight it holds the loop, and itself.
template <class Owner>
class HoldsLoop {
 protected:
  explicit HoldsLoop(EventLoop& loop) noexcept : hold_(loop) {}
  void hold() noexcept {
    hold_.take();
    static_cast<Owner*>(this)->retain();
  }
  void letGo() noexcept {
    hold_.drop();
    static_cast<Owner*>(this)->release();
  }

  LoopHold hold_;
};

}  // namespace leat::inline LEAT_ABI::detail
