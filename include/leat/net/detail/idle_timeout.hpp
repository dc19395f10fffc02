// SPDX-License-Identifier: MIT
// The timeout of a socket.
#pragma once

#include <leat/net/detail/kept_callback.hpp>

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::JobAction;
using leat::detail::LoopTimer;

/// Tells when nothing has happened for a time: once, until something happens again.
class IdleTimeout : private LoopTimer {
 public:
  explicit IdleTimeout(EventLoop& loop) noexcept : LoopTimer(onIdle), loop_(&loop) {}
  // The owner stops it before the end of the loop.
  ~IdleTimeout() = default;

  /// 0 turns it off; without a callback the one from before is kept.
  void set(std::int32_t ms, KeptCallback<> callback) noexcept {
    stop();
    ms_ = ms;
    if (callback) callback_ = std::move(callback);
    touch();
  }
  void touch() noexcept {
    if (ms_ > 0) loop_->arm(*this, ms_);
  }
  void stop() noexcept {
    if (ms_ > 0) loop_->disarm(*this);
    ms_ = 0;
  }
  void clear() noexcept {
    stop();
    callback_.reset();
  }
  std::int32_t ms() const noexcept { return ms_; }

 private:
  static void onIdle(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<IdleTimeout&>(timer);
    if (action == JobAction::Run && self.callback_) self.callback_.call(*self.loop_);
  }

  EventLoop* loop_;
  KeptCallback<> callback_;
  std::int32_t ms_ = 0;
};

}  // namespace leat::inline LEAT_ABI::net::detail
