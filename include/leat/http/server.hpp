// SPDX-License-Identifier: MIT
// http.Server.
#pragma once

#include <leat/http/detail/server_listener.hpp>
#include <leat/http/detail/server_reading.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/out_of_range.hpp>

namespace leat::inline LEAT_ABI::http {

/// Answers requests. Copies are handles to the same server, which lives while it listens, or a connection or a
/// handle is there; those that its own listeners capture do not count.
///
/// Events: "request" (IncomingMessage, ServerResponse), "connection" (net::Socket), "checkContinue" and
/// "checkExpectation" (as "request"), "upgrade" and "connect" (IncomingMessage, net::Socket, Buffer),
/// "clientError" (std::exception_ptr, net::Socket), "dropRequest" (IncomingMessage, net::Socket),
/// "handlerError" and "error" (std::exception_ptr), "listening", "close". A listener may be a coroutine, may take fewer
/// arguments, and may be added by every method of EmitterHandle; all listeners of an event are called.
/// A request whose handler throws is answered 500, or what an HttpError says, and, once its head was sent, loses
/// its connection, as does a socket that "connection", "upgrade", "connect" or "clientError" is about; the exception
/// goes to "handlerError", or is told as a warning; so does Error ERR_HTTP_UNANSWERED for a request that is let go.
///
/// Node: `http.Server`, whose process ends when a handler throws. Thread: the loop's.
class Server : public EmitterHandle<Server> {
 public:
  using LoopBound = void;
  LEAT_ON_USE
  explicit Server(ServerOptions options = {});

  /// Binds and listens; then there is "listening". Throws: as `net::Server::listen`; whoever listens to "error"
  /// is told too.
  LEAT_ON_USE
  Task<> listen(net::ListenOptions options) const;
  LEAT_ON_USE
  Task<> listen(int port, std::string_view host = {}) const {
    return listen(net::ListenOptions{.port = port, .host = host});
  }
  /// Takes no more connections and closes those that are idle; requests that are there are answered, with
  /// `Connection: close`. One that listens with `reusePort` closes idle connections 200 ms later, so that who is
  /// about to ask on one is answered. Awaited: goes on when the last connection is gone.
  /// Node: `close(callback)`.
  LEAT_ON_USE
  net::Server::Closing close() const;
  void closeIdleConnections() const { core_->closeIdle(); }
  void closeAllConnections() const { core_->closeAll(); }
  net::SocketAddress address() const noexcept { return core_->listener->address(); }
  bool listening() const noexcept { return core_->listener->listening(); }
  std::size_t connections() const noexcept { return core_->listener->connections(); }
  const Server& ref() const {
    core_->listener->ref();
    return *this;
  }
  const Server& unref() const {
    core_->listener->unref();
    return *this;
  }

  /// Internal.
  using EmitterType = detail::ServerEvents;
  EmitterType& emitter() const noexcept { return core_->events; }

 private:
  detail::ServerHandle core_;
};

#if LEAT_BODIES
namespace detail {

/// With Node's names, which has no "options." here. Throws: RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE const ServerOptions& checked(const ServerOptions& options) {
  using leat::detail::checkNotNegative;
  checkNotNegative("headersTimeout", options.headersTimeout);
  checkNotNegative("requestTimeout", options.requestTimeout);
  checkNotNegative("connectionsCheckingInterval", options.connectionsCheckingInterval);
  checkNotNegative("keepAliveTimeout", options.keepAliveTimeout);
  checkNotNegative("timeout", options.timeout);
  return options;
}

}  // namespace detail

LEAT_ON_USE_BODY
Server::Server(ServerOptions options)
    : core_(leat::detail::makeRef<detail::ServerCore>(detail::checked(options))) {
  net::ServerOptions sockets;
  sockets.allowHalfOpen = true;
  sockets.noDelay = options.noDelay;
  sockets.keepAlive = options.keepAlive;
  sockets.maxConnections = options.maxConnections;
  // The listener is the core's: a count of it there would be a circle.
  const auto accept = [core = &*core_](const net::Socket& socket) {
    const detail::Ref<detail::ServerCore> server(core);
    try {
      const auto connection = leat::detail::makeRef<detail::ServerConnection>(
          server, socket,
          static_cast<detail::ServerConnection::Came>(detail::ServerConnection::onCame));
      server->events.emit<"connection">(socket);
      connection->start();
    } catch (const std::bad_alloc&) {
      // Its client is told by the end of it.
      socket.destroy();
    }
  };
  core_->listener.emplace(net::createServer(accept, sockets));
}
#endif

namespace detail {

#if LEAT_BODIES
LEAT_ON_USE Task<> startServer(Ref<ServerCore> core, Task<> listening, SignalRef signal) {
  const leat::detail::Ref<leat::detail::AbortState> state(signal.state());
  try {
    co_await std::move(listening);
  } catch (...) {
    if (!core->listener->listening()) core->letGo();
    if (core->events.listenerCount<"error">() > 0)
      nextTick([core, error = std::current_exception()] { core->events.emit<"error">(error); });
    throw;
  }
  core->keep();
  core->closing = false;
  core->leaving.close();
  ++core->closes;
  core->stopSignal.reset();
  if (state)
    core->stopSignal = AbortSignal(state).onAbort([server = core.get()] { (void)server->stop(); });
  if (core->options.connectionsCheckingInterval > 0) {
    core->checking.close();
    core->checking = setInterval([server = core.get()] { server->checkDeadlines(); },
                                 core->options.connectionsCheckingInterval);
    core->checking.unref();
  }
  const auto tell = [core] {
    if (core->listener->listening()) core->events.emit<"listening">();
  };
  if (core->events.listenerCount<"listening">() > 0) nextTick(tell);
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<> Server::listen(net::ListenOptions options) const {
  return detail::startServer(core_.ref(), core_->listener->listen(options), options.signal);
}
#endif

namespace detail {

#if LEAT_BODIES
LEAT_ON_USE Task<> endServer(Ref<ServerCore> core, net::Server::Closing closing) {
  const unsigned closes = core->closes;
  co_await closing;
  if (core->closes != closes || core->listener->listening()) co_return;
  core->checking.close();
  core->events.emit<"close">();
}

LEAT_ON_USE_BODY
net::Server::Closing ServerCore::stop() {
  const Ref<ServerCore> alive(this);
  // Its signal may have closed the listener already.
  const bool first = LoopOwned::linked();
  closing = true;
  const net::Server::Closing closed = listener->close();
  if (first) {
    ++closes;
    (void)spawn(endServer(alive, closed));
  }
  if (listener->state()->leaving()) {
    // Who is about to ask on a connection that was kept is answered, and told that it closes.
    leaving.close();
    leaving = setTimeout([this] { closeIdle(); }, net::detail::Listener::leaveMs).unref();
  } else {
    closeIdle();
  }
  letGo();
  return closed;
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_ON_USE_BODY
net::Server::Closing Server::close() const { return core_->stop(); }
#endif

/// A server that gives its requests to `handler(IncomingMessage, ServerResponse)`, plain or a coroutine.
/// Node: `http.createServer`.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, IncomingMessage, ServerResponse>
Server createServer(F&& handler, ServerOptions options = {}) {
  Server server(options);
  (void)server.on("request"_e, std::forward<F>(handler));
  return server;
}
LEAT_ON_USE
Server createServer(ServerOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Server createServer(ServerOptions options) { return Server(options); }
#endif

}  // namespace leat::inline LEAT_ABI::http
