// SPDX-License-Identifier: MIT

// The echo server of the TCP rows: echo PORT [--busy-poll]. Prints the port that it listens on.

#include <leat/loop/run.hpp>
#include <leat/net/server.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

leat::Task<> echo(leat::net::Socket socket) {
  std::array<std::byte, 65536> buffer;
  try {
    while (const std::size_t count = co_await socket.read(std::span(buffer)))
      co_await socket.write(std::span<const std::byte>(buffer).first(count));
  } catch (const leat::SystemError&) {
    // The client reset the connection.
  }
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
    std::fprintf(stderr, "usage: echo PORT [--busy-poll]\n");
    return 2;
  }
  const int port = std::atoi(arguments[1]);
  leat::LoopOptions options;
  if (count > 2 && std::strcmp(arguments[2], "--busy-poll") == 0) options.busyPoll = 1000;
  return leat::run([port] { return serve(port); }, options);
}
