// SPDX-License-Identifier: MIT
// http.Server.
#pragma once

#include <leat/http/detail/server_connection.hpp>
#include <leat/loop/spawn.hpp>

namespace leat::inline LEAT_ABI::http {

namespace detail {

/// A listener for requests whose exceptions end the request.
template <class F>
class RequestHandler {
 public:
  using Result = std::invoke_result_t<F&, IncomingMessage, ServerResponse>;
  RequestHandler(Ref<ServerCore> server, F f)
      : server_(server.get()),
        block_(leat::detail::makeRef<leat::detail::CallbackBlock<F>>(std::move(f))) {}
  void operator()(const IncomingMessage& request, const ServerResponse& response) const {
    if constexpr (leat::detail::AsyncCallback<F, IncomingMessage, ServerResponse>) {
      (void)drive<>(Ref<ServerCore>(server_), block_, request, response);
    } else {
      try {
        (void)block_->callable(request, response);
      } catch (...) {
        server_->handlerFailed(*request.exchange());
      }
    }
  }

 private:
  LEAT_ON_USE
  static Promise<> drive(Ref<ServerCore> server, Ref<leat::detail::CallbackBlock<F>> block,
                         IncomingMessage request, ServerResponse response) {
    try {
      auto&& made = block->callable(request, response);
      (void)co_await static_cast<Result&&>(made);
    } catch (...) {
      server->handlerFailed(*request.exchange());
    }
  }

  ServerCore* server_;  // whose listener this is
  Ref<leat::detail::CallbackBlock<F>> block_;
};

}  // namespace detail

/// Answers requests. Copies are handles to the same server, which lives while it listens.
///
/// Events, by `on("name"_e, listener)`: "request" (IncomingMessage, ServerResponse), "connection"
/// (net::Socket), "checkContinue" and "checkExpectation" (as "request"), "upgrade" and "connect"
/// (IncomingMessage, net::Socket, Buffer), "clientError" (std::exception_ptr, net::Socket), "dropRequest"
/// (IncomingMessage, net::Socket), "handlerError" (std::exception_ptr), "close".
/// A request whose handler throws is answered 500, or what an HttpError says, and, once its head was sent, loses
/// its connection; the exception goes to "handlerError", or is told as a warning.
///
/// Node: `http.Server`, whose process ends when a handler throws. Thread: the loop's.
class Server {
 public:
  using LoopBound = void;
  LEAT_ON_USE
  explicit Server(ServerOptions options = {});

  /// Binds and listens. Throws: as `net::Server::listen`.
  LEAT_ON_USE
  Task<> listen(net::ListenOptions options) const;
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

  template <FixedString name, class F>
  Listener on(EventName<name> event, F&& listener) const {
    if constexpr (std::is_same_v<EventName<name>, EventName<"request">> ||
                  std::is_same_v<EventName<name>, EventName<"checkContinue">> ||
                  std::is_same_v<EventName<name>, EventName<"checkExpectation">>) {
      using Handler = detail::RequestHandler<std::decay_t<F>>;
      return core_->events.on(event, Handler(core_, std::forward<F>(listener)));
    } else {
      return core_->events.on(event, std::forward<F>(listener));
    }
  }
  /// For the rest of an emitter's interface.
  detail::ServerEvents& events() const noexcept { return core_->events; }

 private:
  detail::Ref<detail::ServerCore> core_;
};

template <class>
Server::Server(ServerOptions options) : core_(leat::detail::makeRef<detail::ServerCore>(options)) {
  net::ServerOptions sockets;
  sockets.allowHalfOpen = true;
  sockets.noDelay = options.noDelay;
  sockets.keepAlive = options.keepAlive;
  sockets.maxConnections = options.maxConnections;
  // The listener is the core's: a count of it there would be a circle.
  const auto accept = [core = core_.get()](const net::Socket& socket) {
    const detail::Ref<detail::ServerCore> server(core);
    const auto connection = leat::detail::makeRef<detail::ServerConnection>(server, socket);
    server->events.emit<"connection">(socket);
    (void)spawn(detail::ServerConnection::serve(connection));
  };
  core_->listener.emplace(net::createServer(accept, sockets));
}

namespace detail {

LEAT_ON_USE
Task<> startServer(Ref<ServerCore> core, Task<> listening, SignalRef signal) {
  const leat::detail::Ref<leat::detail::AbortState> state(signal.state());
  try {
    co_await std::move(listening);
  } catch (...) {
    if (!core->listener->listening()) core->letGo();
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
}

}  // namespace detail

template <class>
Task<> Server::listen(net::ListenOptions options) const {
  return detail::startServer(core_, core_->listener->listen(options), options.signal);
}

namespace detail {

LEAT_ON_USE
Task<> endServer(Ref<ServerCore> core, net::Server::Closing closing) {
  const unsigned closes = core->closes;
  co_await closing;
  if (core->closes != closes || core->listener->listening()) co_return;
  core->checking.close();
  core->events.emit<"close">();
}

template <class>
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

}  // namespace detail

template <class>
net::Server::Closing Server::close() const {
  return core_->stop();
}

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
Server createServer(ServerOptions options = {}) { return Server(options); }

}  // namespace leat::inline LEAT_ABI::http
