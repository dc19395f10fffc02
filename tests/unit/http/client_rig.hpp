// SPDX-License-Identifier: MIT
// Clients of HTTP and servers that answer with given bytes.
#pragma once

#include "http_rig.hpp"

#include <deque>

namespace http_rig {

using leat::http::Agent;
using leat::http::ClientRequest;
using leat::http::IncomingMessage;
using leat::http::Request;
using leat::http::ServerResponse;

/// Takes connections, keeps what they say, and says what it was told to, one text after each head that came.
class Scripted {
 public:
  explicit Scripted(std::deque<std::string> answers) : answers_(std::move(answers)) {}
  Task<> listen() {
    server_ = leat::net::createServer(
        [this](const leat::net::Socket& socket) -> Task<> { return serve(socket); },
        {.allowHalfOpen = true});
    co_await server_->listen({.port = 0, .host = "127.0.0.1"});
  }
  Task<> close() {
    const auto closed = server_->close();
    for (const auto& socket : sockets_) socket.destroy();
    co_await closed;
  }
  /// It holds the loop no longer.
  void unref() const {
    server_->unref();
    for (const auto& socket : sockets_) socket.unref();
  }
  std::string url(const std::string& path = "/") const { return "http://" + host() + path; }
  std::string host() const { return "127.0.0.1:" + std::to_string(server_->address().port()); }
  const leat::net::Socket& socket(std::size_t i) const { return sockets_.at(i); }
  std::size_t connections() const { return sockets_.size(); }
  /// All that came, by connection.
  std::vector<std::string> said;
  /// Of what was said, with the host's name in place of the port that differs.
  std::string saidBy(std::size_t i) const {
    std::string text = said.at(i);
    for (std::size_t at = 0; (at = text.find(host(), at)) != text.npos;)
      text.replace(at, host().size(), "HOST");
    return text;
  }

 private:
  Task<> serve(leat::net::Socket socket) {
    const std::size_t number = said.size();
    sockets_.push_back(socket);
    said.emplace_back();
    std::size_t done = 0;
    try {
      for (;;) {
        const leat::Buffer chunk = co_await socket.read();
        if (chunk.empty()) break;
        said[number] += chunk.view();
        for (std::size_t end = 0; (end = said[number].find("\r\n\r\n", done)) != std::string::npos;
             done = end + 4) {
          if (answers_.empty()) continue;
          const std::string answer = answers_.front();
          answers_.pop_front();
          if (answer == "<close>") {
            socket.destroy();
            co_return;
          }
          const std::size_t ends = answer.find("<end>");
          (void)socket.write(answer.substr(0, ends));
          if (ends != answer.npos) (void)socket.end();
        }
      }
    } catch (const leat::Error&) {
      // It has gone, which some tests are about.
    }
  }
  std::deque<std::string> answers_;
  std::optional<leat::net::Server> server_;
  std::vector<leat::net::Socket> sockets_;
};

/// Runs a test with a server of such answers.
template <class Test>
void withAnswers(std::deque<std::string> answers, Test test) {
  const auto main = [&]() -> Task<> {
    Scripted server(answers);
    co_await server.listen();
    co_await test(server);
    co_await server.close();
  };
  CHECK(leat::run(main) == 0);
}

inline std::string answerOf(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
inline std::string urlOf(const leat::http::Server& server, const std::string& path = "/") {
  return "http://127.0.0.1:" + std::to_string(server.address().port()) + path;
}
inline Task<std::string> textOf(ClientRequest request) {
  const IncomingMessage answer = co_await request.response();
  co_return co_await answer.text();
}
/// The code of what a request fails with.
inline Task<std::string> failureOf(ClientRequest request) {
  try {
    const IncomingMessage answer = co_await request.response();
    co_return "answered " + std::to_string(answer.statusCode());
  } catch (const leat::Error& error) {
    co_return std::string(error.code()) + " " + error.what();
  }
}

}  // namespace http_rig
