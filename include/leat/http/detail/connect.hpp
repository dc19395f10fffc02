// SPDX-License-Identifier: MIT
// How a client gets a connection.
#pragma once

#include <leat/http/detail/client_call_methods.hpp>
#include <leat/http/detail/urls.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/net/connect.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// A connection that is being made, which may end with the loop.
class Opening {
 public:
  Opening(AgentCore& agent, AgentPlace& place, const Ref<ClientCall>& call) noexcept
      : agent_(&agent), place_(place), call_(call) {}
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  ~Opening() {
    if (!agent_) return;
    agent_->lost(place_);
    call_->fail(error);
  }
  const ClientCall& call() const noexcept { return *call_; }
  const AgentOptions& options() const noexcept { return agent_->options; }
  /// It is the agent's from here on.
  Ref<ClientConnection> done(const net::Socket& socket) {
    auto connection = leat::detail::makeRef<ClientConnection>(*agent_, place_, socket);
    const Ref<AgentCore> agent = std::exchange(agent_, nullptr);
    const Ref<ClientCall> call = std::exchange(call_, nullptr);
    if (!call->over()) {
      connection->assign(call);
    } else {
      agent->takeBack(*connection);
    }
    return connection;
  }
  std::exception_ptr error;

 private:
  Ref<AgentCore> agent_;
  AgentPlace& place_;
  Ref<ClientCall> call_;
};

/// Asks a proxy for a way to `target`. Throws: Error ERR_PROXY_TUNNEL with what it said instead.
template <class Opens>
Task<> tunnel(net::Socket socket, Opens& opening) {
  const std::string text =
      tunnelRequest(opening.call().options.place.tunnelTo, opening.options().proxy);
  co_await socket.write(text);
  const std::string answer =
      co_await socket.readUntil("\r\n\r\n", headLimit(opening.options().maxHeaderSize));
  checkTunnel(answer, opening.call().options.place.tunnelTo);
}

template <class Opens>
Task<net::Socket> socketFor(Opens& opening) {
  // What fails at once fails later, too.
  co_await Promise<>::resolve();
  const ClientPlace& place = opening.call().options.place;
  net::ConnectOptions to;
  to.host = place.host;
  to.port = place.port;
  to.path = place.socketPath;
  to.localAddress = place.localAddress;
  to.family = place.family;
  to.noDelay = true;
  to.signal = opening.call().connecting;
  net::Socket socket = co_await net::connect(to);
  if (opening.options().keepAlive && place.socketPath.empty())
    socket.setKeepAlive(true, opening.options().keepAliveMsecs);
  if (!opening.call().options.place.tunnelTo.empty())
    co_await withSignal(opening.call().connecting.signal(), tunnel(socket, opening));
  co_return socket;
}

template <class Opens>
Task<> connectFor(AgentCore& agent, AgentPlace& place, Ref<ClientCall> call) {
  Ref<ClientConnection> connection;
  {
    Opens opening(agent, place, std::exchange(call, nullptr));
    try {
      net::Socket socket;
      if (opening.options().connectTimeout > 0)
        socket = co_await withTimeout(opening.options().connectTimeout, socketFor(opening));
      else
        socket = co_await socketFor(opening);
      connection = opening.done(socket);
    } catch (...) {
      opening.error = std::current_exception();
    }
  }
  if (connection) (void)spawn(ClientConnection::serve(connection));
}

#if LEAT_BODIES
LEAT_ON_USE void openConnection(AgentCore& agent, AgentPlace& place, const Ref<ClientCall>& call) {
  // It serves others too: what is around this request is not around it.
  const leat::detail::ContextScope nothing{leat::detail::ContextRef()};
  (void)spawn(connectFor<Opening>(agent, place, call));
}
#endif

template <class Connection>
Task<> sendRest(Ref<Connection> connection) {
  try {
    connection->socket.connection().wantDrain();
    co_await connection->socket.write(std::string_view());
  } catch (...) {
    // Who reads from it is told.
  }
  connection->sent();
}

#if LEAT_BODIES
LEAT_ON_USE void drainConnection(ClientConnection& connection) {
  const leat::detail::ContextScope nothing{leat::detail::ContextRef()};
  (void)spawn(sendRest(Ref<ClientConnection>(&connection)));
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
