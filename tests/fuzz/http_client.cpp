// SPDX-License-Identifier: MIT
// A client and a server that answers it with the input, whole and cut at random places: what the client makes of it is the
// same, and each run ends with no connection left.
#include <leat/http.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net.hpp>

#include <unistd.h>

#include "fuzz.hpp"

namespace {

using namespace leat;

std::string address() {
  // Abstract: nothing is left of it in a file system.
  return std::string("\0leat-fuzz-client-", 18) + std::to_string(::getpid());
}

/// Answers with the pieces, and goes when the client has gone.
Task<> say(net::Socket socket, fuzz::Pieces pieces) {
  try {
    const Buffer asked = co_await socket.read();
    for (const std::string_view piece : pieces) {
      co_await socket.write(piece);
      // The client reads before the next one is there.
      co_await nextImmediate();
    }
    (void)socket.end();
    for (Buffer chunk = co_await socket.read(); !chunk.empty(); chunk = co_await socket.read()) {
    }
  } catch (const Error&) {
    // The client has closed: so it may.
  }
  socket.destroy();
}

/// The answer, or what it was refused with; of a body that breaks off what had come may differ.
Task<std::string> hear(http::Agent agent) {
  http::Request request("http://a/");
  request.setSocketPath(address()).setAgent(agent);
  std::string told;
  try {
    const http::IncomingMessage answer = co_await http::get(request);
    told = std::to_string(answer.statusCode()) + " " + std::string(answer.statusMessage()) + " ";
    for (const auto field : answer.headers())
      told += std::string(field.name) + "=" + std::string(field.value) + ";";
    const std::string body = co_await answer.text();
    told += body;
    for (const auto field : answer.trailers())
      told += std::string(field.name) + "=" + std::string(field.value) + ";";
  } catch (const Error& error) {
    told += "<" + std::string(error.code()) + ">";
  }
  co_return told;
}

std::string askOnce(const fuzz::Pieces& pieces) {
  std::string told;
  const auto main = [&]() -> Task<> {
    const net::Server server =
        net::createServer([&pieces](const net::Socket& socket) { return say(socket, pieces); },
                          {.allowHalfOpen = true});
    const std::string path = address();
    co_await server.listen({.path = path});
    const http::Agent agent({.retry = false, .maxHeaderSize = 1024});
    told = co_await hear(agent);
    agent.destroy();
    co_await server.close();
    if (agent.sockets() + agent.freeSockets() != 0) fuzz::fail("no connection is left", "", "");
  };
  if (run(main, {.backend = "epoll"}) != 0) fuzz::fail("the loop ends well", "", "");
  return told;
}

}  // namespace

void fuzz::run(std::string_view input) {
  const std::string all = askOnce(whole(input));
  for (const unsigned salt : {0U, 1U}) same("answers", askOnce(cut(input, salt)), all);
}
