// SPDX-License-Identifier: MIT
// net.Server: accepts connections on TCP and Unix sockets.
#pragma once

#include <leat/loop/listener.hpp>
#include <leat/net/detail/listener.hpp>
#include <leat/net/socket.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::net {

/// Where a server listens. Node: the options of `server.listen`.
struct ListenOptions {
  /// 0 lets the system choose: see `Server::address`.
  int port = 0;
  /// An address or a name. Empty is every address, IPv6 and IPv4 at once where the system has both.
  std::string_view host{};
  /// A Unix socket instead; a leading '\0' (give the length) makes it abstract. The file is removed when
  /// the server closes.
  std::string_view path{};
  int backlog = 511;
  /// Others that ask for it, too, may listen on the same port; the kernel shares out the connections.
  bool reusePort = false;
  bool ipv6Only = false;
  /// Closes the server when it aborts.
  SignalRef signal{};
};

/// How a server treats its connections. Node: the options of `net.createServer`.
struct ServerOptions {
  bool allowHalfOpen = false;
  bool noDelay = false;
  bool keepAlive = false;
  /// More connections than these are closed at once. 0: no limit.
  std::size_t maxConnections = 0;
  /// Of each socket: how many unsent bytes make `write` false.
  std::size_t highWaterMark = 16 * 1024;
};

/// Copies are handles to the same server. One with a handler is kept by the loop while it listens.
/// One that cannot accept for lack of descriptors or memory says so, leaves the connections in the
/// backlog, and tries again ten times a second.
///
/// Node: `net.Server`. Thread: the loop's. Throws, all of it: Error ERR_WRONG_THREAD elsewhere and after
/// the loop's end.
class Server {
 public:
  using LoopBound = void;
  explicit Server(leat::detail::Ref<detail::Listener> listener) noexcept
      : listener_(std::move(listener)) {}

  /// Binds and listens; after `close` anew. A Task: names are looked up.
  /// Throws: SystemError ("listen EADDRINUSE: address already in use 127.0.0.1:80", ENOTFOUND, EACCES),
  /// Error ERR_SERVER_ALREADY_LISTEN, ERR_SERVER_NOT_RUNNING, RangeError ERR_SOCKET_BAD_PORT, AbortError.
  LEAT_ON_USE
  Task<> listen(ListenOptions options) const;
  LEAT_ON_USE
  Task<> listen(int port, std::string_view host = {}) const {
    return listen(ListenOptions{.port = port, .host = host});
  }

  /// The next connection; nothing when the server is closed. For servers without a handler.
  /// Cancel: AbortError; a connection that came meanwhile is given to the next `accept`.
  class Accept;
  Accept accept(SignalRef signal = {}) const noexcept;

  /// Stops accepting; connections that are there go on. Awaited: goes on when the last one is gone,
  /// whatever the ambient signal says.
  ///
  /// One with a handler that listens with `reusePort` hands over: nobody who is connected already, or about to
  /// be, is lost. For 200 ms it takes those, while others get no answer from it and ask again (a second after
  /// the first time, by TCP), which is answered by who else listens on the port. Node: `server.close(callback)`,
  /// which resets those in the backlog.
  class Closing;
  Closing close() const;
  /// Waits for the same without closing. Cancel: AbortError.
  Closing closed() const noexcept;

  /// Where it listens; empty when it does not. Node: `server.address()`.
  SocketAddress address() const noexcept { return detail::localAddressOf(listener_->fd()); }
  bool listening() const noexcept { return listener_->listening(); }
  std::size_t connections() const noexcept { return listener_->connections(); }
  const Server& setMaxConnections(std::size_t count) const noexcept {
    listener_->maxConnections = count;
    return *this;
  }
  /// Calls `f(SocketAddress local, SocketAddress remote)`, or `f` with fewer of these, for each connection
  /// that was closed because of `maxConnections`; replaces the one before. Node: event `drop`.
  template <class F>
  const Server& onDrop(F&& f) const {
    listener_->onDrop =
        detail::KeptCallback<SocketAddress, SocketAddress>(leat::detail::keepListener(
            std::type_identity<void(SocketAddress, SocketAddress)>(), std::forward<F>(f)));
    return *this;
  }
  const Server& ref() const { return setReferenced(true); }
  const Server& unref() const { return setReferenced(false); }

  const leat::detail::Ref<detail::Listener>& state() const noexcept { return listener_; }

 private:
  void checkThreadIfOpen() const {
    if (!listener_->closed()) listener_->checkThread();
  }
  const Server& setReferenced(bool to) const {
    checkThreadIfOpen();
    listener_->setReferenced(to);
    return *this;
  }
  leat::detail::Ref<detail::Listener> listener_;
};

class [[nodiscard("an accept does nothing until it is awaited")]] Server::Accept {
 public:
  class Awaiter : private detail::AcceptWaiter {
   public:
    Awaiter(leat::detail::Ref<detail::Listener> listener, SignalRef signal) noexcept
        : AcceptWaiter(signal), listener_(std::move(listener)) {}
    ~Awaiter() { listener_->leave(*this); }
    bool await_ready() const {
      listener_->checkThread();
      return listener_->closed() && !aborted();
    }
    void await_suspend(std::coroutine_handle<> handle) {
      wait(handle, listener_->acceptWaiters());
      if (cancelled()) return;
      listener_->promise();
      listener_->want();
    }
    std::optional<Socket> await_resume() {
      finish();
      if (!promised) return std::nullopt;
      return Socket(listener_->takePromised(*this));
    }

   private:
    leat::detail::Ref<detail::Listener> listener_;
  };
  Accept(leat::detail::Ref<detail::Listener> listener, SignalRef signal) noexcept
      : listener_(std::move(listener)), signal_(signal.state()) {}
  Awaiter operator co_await() && noexcept {
    return Awaiter(std::move(listener_), SignalRef(signal_.get()));
  }

 private:
  leat::detail::Ref<detail::Listener> listener_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
};

/// A wait that may be left out.
class Server::Closing {
 public:
  class Awaiter : private leat::detail::Waiter {
   public:
    Awaiter(leat::detail::Ref<detail::Listener> listener, bool ambient) noexcept
        : listener_(std::move(listener)), ambient_(ambient) {}
    bool await_ready() const {
      if (!listener_->finished()) listener_->checkThread();
      return listener_->finished();
    }
    void await_suspend(std::coroutine_handle<> handle) {
      wait(handle, listener_->closeWaiters(), ambient_);
    }
    void await_resume() { finish(); }

   private:
    leat::detail::Ref<detail::Listener> listener_;
    bool ambient_;
  };
  Closing(leat::detail::Ref<detail::Listener> listener, bool ambient) noexcept
      : listener_(std::move(listener)), ambient_(ambient) {}
  Awaiter operator co_await() const noexcept { return Awaiter(listener_, ambient_); }

 private:
  leat::detail::Ref<detail::Listener> listener_;
  bool ambient_;
};

/// A server whose connections go to `handler(Socket)`, plain or a coroutine; without one, use `accept`.
/// The handler's exception is an uncaught one or an unhandled rejection, as for every callback.
///
/// Node: `net.createServer(options, connectionListener)`.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, Socket>
Server createServer(F&& handler, ServerOptions options = {});
Server createServer(ServerOptions options = {});

/// `createServer` and `listen` in one: `auto server = co_await net::listen({.port = 8080})`.
LEAT_ON_USE
Task<Server> listen(ListenOptions options, ServerOptions serverOptions = {});
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, Socket>
Task<Server> listen(F&& handler, ListenOptions options, ServerOptions serverOptions = {});

namespace detail {

LEAT_INLINE Ref<Listener> makeListener(const ServerOptions& options);

#if LEAT_BODIES
LEAT_INLINE Ref<Listener> makeListener(const ServerOptions& options) {
  auto listener = leat::detail::makeRef<Listener>(EventLoop::current());
  listener->allowHalfOpen = options.allowHalfOpen;
  listener->noDelay = options.noDelay;
  listener->keepAlive = options.keepAlive;
  listener->maxConnections = options.maxConnections;
  listener->highWaterMark = options.highWaterMark;
  return listener;
}
#endif

/// Marks the listener as one that is about to listen.
class Starting {
 public:
  explicit Starting(Listener& listener) noexcept : listener_(listener) {
    listener_.starting = true;
  }
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;
  ~Starting() { listener_.starting = false; }

 private:
  Listener& listener_;
};

inline void throwIfAborted(AbortState* signal) {
  if (signal != nullptr && leat::detail::isAborted(*signal)) throw AbortError(signal->reason);
}

LEAT_ON_USE
Task<> startListening(Ref<Listener> listener, BindTarget target);
LEAT_ON_USE
Task<Server> listenTask(Ref<Listener> listener, BindTarget target);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<> startListening(Ref<Listener> listener, BindTarget target) {
  listener->checkStart();
  const Ref<AbortState> signal = target.signal;
  throwIfAborted(signal.get());
  const unsigned closes = listener->closes();
  Starting mark(*listener);
  BoundSocket bound = co_await bindAndListen(std::move(target));
  throwIfAborted(signal.get());
  if (listener->closes() != closes) throwClosedBefore();
  listener->start(std::move(bound), signal.get());
}

LEAT_ON_USE_BODY
Task<Server> listenTask(Ref<Listener> listener, BindTarget target) {
  co_await startListening(listener, std::move(target));
  co_return Server(listener);
}
#endif

inline BindTarget bindTarget(const ListenOptions& options) {
  return BindTarget(options.host, options.path, options.port, options.backlog, options.reusePort,
                    options.ipv6Only, options.signal);
}

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE Server::Accept Server::accept(SignalRef signal) const noexcept {
  return Accept(listener_, signal);
}

LEAT_INLINE Server::Closing Server::close() const {
  checkThreadIfOpen();
  listener_->close();
  return Closing(listener_, false);
}

LEAT_INLINE Server::Closing Server::closed() const noexcept { return Closing(listener_, true); }

LEAT_ON_USE_BODY
Task<> Server::listen(ListenOptions options) const {
  return detail::startListening(listener_, detail::bindTarget(options));
}
#endif

template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, Socket>
Server createServer(F&& handler, ServerOptions options) {
  auto listener = detail::makeListener(options);
  // Kept in this form, the closure of a coroutine lives until that has ended.
  auto call = leat::detail::keepCallback<Socket>(std::forward<F>(handler));
  listener->handler = detail::KeptCallback<detail::Ref<detail::Connection>>(
      [call = std::move(call)](detail::Ref<detail::Connection> connection) mutable {
        (void)call(Socket(std::move(connection)));
      });
  return Server(std::move(listener));
}
inline Server createServer(ServerOptions options) { return Server(detail::makeListener(options)); }

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<Server> listen(ListenOptions options, ServerOptions serverOptions) {
  return detail::listenTask(detail::makeListener(serverOptions), detail::bindTarget(options));
}
#endif
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, Socket>
Task<Server> listen(F&& handler, ListenOptions options, ServerOptions serverOptions) {
  LEAT_GUARD_CLOSURE(F);
  const Server server = createServer(std::forward<F>(handler), serverOptions);
  return detail::listenTask(server.state(), detail::bindTarget(options));
}

}  // namespace leat::inline LEAT_ABI::net
