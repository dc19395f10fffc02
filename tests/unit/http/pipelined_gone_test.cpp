// SPDX-License-Identifier: MIT
// Clients that go while a server has as many requests of theirs as it takes.
#include <leat/stream.hpp>

#include "client_rig.hpp"

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

constexpr int mostWaiting = 32;

/// Requests that nobody answers before their client has gone.
class Unanswered {
 public:
  auto handler() {
    return [this](IncomingMessage request, ServerResponse response) -> Task<> {
      return serve(request, response);
    };
  }
  /// What the client has sent, and the server takes of it.
  Task<Client> fill(http::Server server, int count, std::string_view behind = {}) {
    Client client = co_await connectTo(server);
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += get("/");
    bytes += behind;
    co_await client.socket.write(bytes);
    const int most = count < mostWaiting ? count : mostWaiting;
    while (begun < most) co_await leat::sleep(1);
    co_return client;
  }
  int begun = 0;
  int aborted = 0;
  bool answers = false;

 private:
  Task<> serve(IncomingMessage request, ServerResponse response) {
    ++begun;
    while (!answers && !request.signal().aborted()) co_await leat::sleep(1);
    if (request.signal().aborted()) ++aborted;
    if (!response.writableEnded()) response.end("x");
  }
};

http::ServerOptions looksOften() {
  http::ServerOptions options;
  options.headersTimeout = options.requestTimeout = 0;
  options.connectionsCheckingInterval = 5;
  return options;
}

}  // namespace

TEST_CASE("a client that goes is noticed, however many of its requests wait", "[http]") {
  for (const bool resets : {true, false}) {
    for (const int count : {mostWaiting - 1, mostWaiting, mostWaiting + 1, 2 * mostWaiting}) {
      CAPTURE(resets, count);
      Unanswered waiting;
      withServer(
          waiting.handler(),
          [&](http::Server server) -> Task<> {
            const Client client = co_await waiting.fill(server, count);
            resets ? client.socket.resetAndDestroy() : client.socket.destroy();
            while (server.connections() > 0) co_await leat::sleep(1);
            while (waiting.aborted < waiting.begun) co_await leat::sleep(1);
            CHECK(waiting.begun == (count < mostWaiting ? count : mostWaiting));
          },
          looksOften());
    }
  }
}

TEST_CASE("a client that has ended its side gets many answers where the server says so", "[http]") {
  Unanswered waiting;
  http::ServerOptions options = looksOften();
  options.httpAllowHalfOpen = true;
  withServer(
      waiting.handler(),
      [&](http::Server server) -> Task<> {
        const Client client = co_await waiting.fill(server, mostWaiting);
        co_await client.socket.end();
        // It is looked at meanwhile.
        co_await leat::sleep(30);
        CHECK(waiting.aborted == 0);
        waiting.answers = true;
        const std::string back = co_await client.rest();
        int answers = 0;
        for (std::size_t at = 0; (at = back.find("HTTP/1.1 200 OK", at)) != back.npos; ++at)
          ++answers;
        CHECK(answers == mostWaiting);
        client.socket.destroy();
      },
      options);
}

TEST_CASE("a client that stays is not sent away because its server has enough requests", "[http]") {
  Unanswered waiting;
  http::ServerOptions options = looksOften();
  options.headersTimeout = options.requestTimeout = 20;
  withServer(
      waiting.handler(),
      [&](http::Server server) -> Task<> {
        const Client client = co_await waiting.fill(server, mostWaiting, get("/", closing));
        co_await leat::sleep(100);
        CHECK(waiting.begun == mostWaiting);
        CHECK(waiting.aborted == 0);
        waiting.answers = true;
        const std::string back = co_await client.rest();
        CHECK(waiting.begun == mostWaiting + 1);
        CHECK(back.ends_with(ok("x")));
        client.socket.destroy();
      },
      options);
}
