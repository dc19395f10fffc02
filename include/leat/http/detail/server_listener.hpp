// SPDX-License-Identifier: MIT
// A listener of a server, and the handles of the server that it captures.
#pragma once

#include <leat/http/detail/server_core.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// A count of a server, but for those that its own listeners capture: they live no longer than it does, and
/// would keep it for ever.
class ServerHandle {
 public:
  explicit ServerHandle(Ref<ServerCore> core) noexcept : core_(core.leak()), counts_(true) {}
  ServerHandle(const ServerHandle& other) noexcept : core_(other.core_) { count(); }
  ServerHandle(ServerHandle&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), counts_(std::exchange(other.counts_, false)) {
    if (core_ == nullptr || counts_ == !core_->keepsListener) return;
    // Whoever keeps the listener has a count of his own.
    if (std::exchange(counts_, !counts_)) {
      core_->release();
    } else {
      core_->retain();
    }
  }
  ServerHandle& operator=(ServerHandle other) noexcept {
    std::swap(core_, other.core_);
    std::swap(counts_, other.counts_);
    return *this;
  }
  ~ServerHandle() {
    if (counts_) core_->release();
  }
  ServerCore* operator->() const noexcept { return core_; }
  ServerCore& operator*() const noexcept { return *core_; }
  Ref<ServerCore> ref() const noexcept { return Ref<ServerCore>(core_); }

 private:
  void count() noexcept {
    counts_ = core_ != nullptr && !core_->keepsListener;
    if (counts_) core_->retain();
  }
  ServerCore* core_;
  bool counts_ = false;
};

/// What is thrown ends the request, or the connection, that the event was about; the server is there as long as
/// the listener runs. All listeners of an event are called, whatever one of them throws.
template <class F, class... Args>
class ServerListener {
  static constexpr bool takesException = leat::detail::takenOf<F, const Args&...> < 0;
  using Callable = std::conditional_t<takesException, leat::detail::TakesException<F>, F>;
  using Call =
      leat::detail::FirstOf<leat::detail::takenOf<Callable, const Args&...>, const Args&...>;
  using Result = decltype(Call::call(std::declval<Callable&>(), std::declval<const Args&>()...));
  using Block = leat::detail::CallbackBlock<Callable>;

 public:
  template <class X>
  ServerListener(ServerCore& server, X&& f) : server_(&server), anchor_(server.events.anchor()) {
    const Ref<ServerCore> alive(&server);
    const Keeping keeping(server);
    if constexpr (takesException) {
      block_ = leat::detail::makeRef<Block>(Callable{std::forward<X>(f)});
    } else {
      block_ = leat::detail::makeRef<Block>(std::forward<X>(f));
    }
  }
  void operator()(const Args&... args) const {
    // Kept beyond its server (`listeners()`): what it captures of that has gone, too.
    if (anchor_->emitter == nullptr) return;
    const Ref<ServerCore> server(server_);
    if constexpr (leat::detail::toBeDriven<Result>) {
      (void)drive<>(server, block_, args...);
    } else {
      try {
        (void)Call::call(block_->callable, args...);
      } catch (...) {
        failed(*server, args...);
      }
    }
  }
  /// What the user gave, to compare it with.
  friend const auto& originalOf(const ServerListener& listener) noexcept {
    return leat::detail::originalOf(listener.block_->callable);
  }

 private:
  struct Keeping {
    explicit Keeping(ServerCore& s) noexcept
        : server(s), before(std::exchange(s.keepsListener, true)) {}
    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;
    ~Keeping() { server.keepsListener = before; }
    ServerCore& server;
    const bool before;
  };
  template <class = void>
  static Promise<> drive(Ref<ServerCore> server, Ref<Block> block, Args... args) {
    try {
      auto&& made = Call::call(block->callable, args...);
      (void)co_await static_cast<Result&&>(made);
    } catch (...) {
      failed(*server, args...);
    }
  }
  /// The exception is being handled.
  static void failed(ServerCore& server, const Args&... args) {
    rethrowIfEnding();
    if constexpr (requires { server.listenerFailed(args...); }) {
      server.listenerFailed(args...);
    } else {
      throw;
    }
  }

  ServerCore* server_;  // whose listener this is
  Ref<leat::detail::EmitterAnchor> anchor_;
  Ref<Block> block_;
};

template <class F, class Kept>
struct ServerListenerOf;
template <class F, class... Args>
struct ServerListenerOf<F, std::tuple<Args...>> {
  static constexpr bool possible = leat::detail::isListener<F, const Args&...>;
  using Type = ServerListener<F, Args...>;
};

/// The events that every emitter has are told by itself.
template <FixedString name, class F>
decltype(auto) ServerEvents::keep(F&& f) {
  using Kind = ServerListenerOf<std::decay_t<F>, Kept<name>>;
  constexpr bool own = name.view() != "newListener" && name.view() != "removeListener" &&
                       name.view() != "events.errorMonitor";
  if constexpr (own && Kind::possible) {
    return typename Kind::Type(*core_, std::forward<F>(f));
  } else {
    return std::forward<F>(f);
  }
}

}  // namespace leat::inline LEAT_ABI::http::detail
