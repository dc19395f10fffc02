// SPDX-License-Identifier: MIT
// An echo server and its clients in one program, on a port that the system chooses.
#include <leat.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [server]
Task<> echo(net::Socket socket) {
  for (;;) {
    Buffer chunk = co_await socket.read();
    if (chunk.empty()) break;      // the client has ended its side
    co_await socket.write(chunk);  // waits when the client does not read
  }
  co_await socket.end();
}
// [/server]

// [client]
Task<std::string> say(int port, std::string word, int times) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  std::string heard;
  for (int i = 0; i < times; ++i) {
    co_await socket.write(word + "\n");
    heard += co_await socket.readUntil("\n");
  }
  co_await socket.end();
  const Buffer rest = co_await socket.read();
  heard += rest.empty() ? "(end)" : "(more?)";
  co_return heard;
}
// [/client]

Task<> program() {
  // [main]
  auto server = co_await net::listen(echo, {.host = "127.0.0.1"});
  const int port = server.address().port();
  auto [one, two] = co_await all(say(port, "hello", 2), say(port, "ahoy", 3));
  co_await server.close();  // goes on when the last connection is gone
  // [/main]
  std::printf("first client:\n%s\nsecond client:\n%s\n", one.c_str(), two.c_str());
}

int main() { return run(program); }
