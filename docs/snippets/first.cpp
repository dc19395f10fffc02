// SPDX-License-Identifier: MIT
// The first program of README.md.
// [program]
#include <leat.hpp>

#include <cstdio>

using namespace leat;

Task<> greet(net::Socket socket) {
  try {
    co_await socket.write("What is your name?\n");
    std::string name = co_await withTimeout(10'000, socket.readUntil("\n"));
    co_await socket.write("Hello, " + name);
    co_await socket.end();
  } catch (const Error& error) {  // too slow, or gone; uncaught it would end the process
    std::printf("%s\n", error.what());
  }
}

Task<> program() {
  auto server = co_await net::listen(greet, {.port = 8080});
  std::printf("listening on port %d\n", server.address().port());
  co_await nextSignal("SIGINT", "SIGTERM");
  co_await server.close();  // goes on when the last client is gone
}

int main() { return run(program); }
// [/program]
