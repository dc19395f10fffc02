// SPDX-License-Identifier: MIT

// The echo server of the TCP rows by streams, each socket piped to itself: echo_pipe PORT. Prints the port
// that it listens on.

#include <leat/loop/run.hpp>
#include <leat/net.hpp>
#include <leat/stream.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

void echo(const leat::net::Socket& socket) {
  const auto stream = socket.stream();
  // The client may reset the connection.
  stream.on<"error">([](const std::exception_ptr&) {});
  stream.pipe(stream);
}

leat::Task<> serve(int port) {
  const leat::net::Server server =
      co_await leat::net::listen(echo, {.port = port, .host = "127.0.0.1"}, {.noDelay = true});
  std::printf("%d\n", server.address().port());
  std::fflush(stdout);
  co_await server.closed();
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: echo_pipe PORT\n");
    return 2;
  }
  const int port = std::atoi(arguments[1]);
  return leat::run([port] { return serve(port); });
}
