// SPDX-License-Identifier: MIT
// A callback of a socket or a server. It may replace or drop itself, or destroy its owner, while it runs.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI::net::detail {

/// Runs in the context in which it was given.
template <class... Args>
class KeptCallback {
 public:
  KeptCallback() noexcept = default;
  template <class F>
  explicit KeptCallback(F&& f)
      : block_(
            leat::detail::makeRef<Block>(leat::detail::keepCallback<Args...>(std::forward<F>(f)))) {
  }

  explicit operator bool() const noexcept { return static_cast<bool>(block_); }
  void reset() noexcept { block_ = nullptr; }
  /// What it throws is an uncaught exception. Nothing of the owner is touched afterwards.
  void call(EventLoop& loop, Args... args) const noexcept {
    const leat::detail::Ref<Block> block = block_;
    leat::detail::ContextScope scope(block->context);
    loop.callback([&] { block->function(std::move(args)...); });
  }

 private:
  struct Block : leat::detail::Counted<Block> {
    explicit Block(leat::Function<void(Args...)> f) noexcept : function(std::move(f)) {}
    leat::Function<void(Args...)> function;
    leat::detail::ContextRef context = leat::detail::currentContext();
  };
  leat::detail::Ref<Block> block_;
};

}  // namespace leat::inline LEAT_ABI::net::detail
