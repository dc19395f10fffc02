// SPDX-License-Identifier: MIT
// A connection whose request was given up while it was made.
#include "client_rig.hpp"

#include <leat/promise.hpp>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

/// Has a connection only when its request is over.
Task<> openTooLate(http::detail::AgentCore& agent, http::detail::AgentPlace& place,
                   leat::detail::Ref<http::detail::ClientCall> call) {
  leat::detail::Ref<http::detail::ClientConnection> connection;
  {
    http::detail::Opening opening(agent, place, call);
    const net::Socket socket = co_await net::connect(place.where->port, place.where->host);
    while (!call->over()) co_await sleep(1);
    connection = opening.done(socket);
  }
  co_await http::detail::ClientConnection::serve(connection);
}
void beginTooLate(http::detail::AgentCore& agent, http::detail::AgentPlace& place,
                  const leat::detail::Ref<http::detail::ClientCall>& call) {
  (void)spawn(openTooLate(agent, place, call));
}
/// A request without a body is sent at once.
void beginDrain(http::detail::ClientConnection&) { FAIL_CHECK("something waits to be sent"); }
ClientRequest askThrough(const leat::detail::Ref<http::detail::AgentCore>& agent, int port) {
  http::detail::ClientCallOptions options;
  options.method = "GET";
  options.target = "/";
  options.place.host = "127.0.0.1";
  options.place.port = port;
  const auto call = leat::detail::makeRef<http::detail::ClientCall>(agent, options);
  ClientRequest made{
      http::detail::ExchangeHandle(leat::detail::Ref<http::detail::Exchange>(&call->exchange()))};
  made.setHeader("Host", "127.0.0.1");
  call->startSoon();
  made.end();
  return made;
}

}  // namespace

TEST_CASE(
    "a connection that was free before its first request is that one's for as long as it takes",
    "[http][agent]") {
  const auto handler = [](IncomingMessage, ServerResponse response) -> Task<> {
    co_await sleep(80);
    response.end("late");
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const int port = server.address().port();
    {
      http::AgentOptions options;
      options.timeout = 30;
      const auto agent = leat::detail::Ref<http::detail::AgentCore>::adopt(
          new http::detail::AgentCore(options, &beginTooLate, &beginDrain));
      const ClientRequest given = askThrough(agent, port);
      given.on("error"_e, [](const std::exception_ptr&) {});
      co_await sleep(1);
      given.destroy();
      for (int i = 0; i < 1000 && agent->counts().freeSockets == 0; ++i) co_await sleep(1);
      CHECK(agent->counts().freeSockets == 1);
      const ClientRequest asked = askThrough(agent, port);
      Task<std::string> whole = textOf(asked);
      const auto told = co_await asResult(std::move(whole));
      CHECK(told.ok());
      if (told.ok()) CHECK(told.value() == "late");
      CHECK(asked.reusedSocket());
    }
    server.closeAllConnections();
  });
}
