// SPDX-License-Identifier: MIT
// Servers of HTTP and clients that send them bytes.
#pragma once

#include <leat/http.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net.hpp>

#include "leat_test.hpp"

#include <string>
#include <vector>

namespace http_rig {

using leat::Task;

/// What is in a text for the time of day.
inline std::string withoutDate(std::string text) {
  for (std::size_t at = 0; (at = text.find("Date: ", at)) != text.npos;)
    text.erase(at, text.find("\r\n", at) + 2 - at);
  return text;
}
/// A client that is known by what it sends and gets.
class Client {
 public:
  explicit Client(leat::net::Socket s) : socket(std::move(s)) {}
  void send(const std::string& bytes) const { (void)socket.write(bytes); }
  /// All until the server ends.
  Task<std::string> rest() const {
    std::string text;
    try {
      for (leat::Buffer chunk;;) {
        chunk = co_await socket.read();
        if (chunk.empty()) break;
        text += chunk.view();
      }
    } catch (const leat::Error& error) {
      text += "<" + std::string(error.code()) + ">";
    }
    co_return withoutDate(text);
  }
  /// Until `end` came.
  Task<std::string> until(std::string end) const {
    std::string text;
    while (text.find(end) == text.npos) {
      const leat::Buffer chunk = co_await socket.read();
      if (chunk.empty()) break;
      text += chunk.view();
    }
    co_return withoutDate(text);
  }
  leat::net::Socket socket;
};

inline Task<Client> connectTo(leat::http::Server server) {
  const leat::net::Socket socket =
      co_await leat::net::connect({.port = server.address().port(), .host = "127.0.0.1"});
  co_return Client(socket);
}
inline Task<> start(leat::http::Server server) {
  co_await server.listen({.port = 0, .host = "127.0.0.1"});
}
/// Sends bytes to a server and gives all that comes back until it ends.
inline Task<std::string> ask(leat::http::Server server, std::string bytes) {
  const Client client = co_await connectTo(server);
  client.send(bytes);
  std::string answer = co_await client.rest();
  client.socket.destroy();
  co_return answer;
}
inline std::string get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
inline const std::string closing = "Connection: close\r\n";
inline std::string post(const std::string& target, const std::string& body,
                        const std::string& fields = "") {
  return "POST " + target +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         fields + "\r\n" + body;
}
/// The answer to a request that closes.
inline std::string ok(const std::string& body, const std::string& status = "200 OK",
                      const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\n" + fields +
         "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string kept(const std::string& body, const std::string& status = "200 OK",
                        const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\n" + fields +
         "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}
/// The error that a server has by itself.
inline std::string bare(const std::string& status) {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\n\r\n";
}

/// Runs a test with a server whose handler is this, and closes it.
template <class Handler, class Test>
void withServer(Handler handler, Test test, leat::http::ServerOptions options = {}) {
  const auto main = [&]() -> Task<> {
    const leat::http::Server server = leat::http::createServer(handler, options);
    co_await start(server);
    co_await test(server);
    const auto closed = server.close();
    server.closeAllConnections();
    co_await closed;
    CHECK(server.connections() == 0);
  };
  CHECK(leat::run(main) == 0);
}

}  // namespace http_rig
