// SPDX-License-Identifier: MIT
// The first program of README.md.
// [program]
#include <leat.hpp>

#include <cstdio>

using namespace leat;

Task<> greet(net::Socket socket) {
  co_await socket.write("What is your name?\n");
  auto name = co_await asResult(withTimeout(10'000, socket.readUntil("\n")));
  if (name) co_await socket.write("Hello, " + *name);
  co_await socket.end();
}

Task<> program() {
  auto server = co_await net::listen(greet, {.port = 8080});
  std::printf("listening on port %d\n", server.address().port());
  co_await nextSignal("SIGINT", "SIGTERM");
  co_await server.close();  // goes on when the last client is gone
}

int main() { return run(program); }
// [/program]
