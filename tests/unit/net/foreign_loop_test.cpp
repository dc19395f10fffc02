// SPDX-License-Identifier: MIT
// Sockets of a loop that somebody else's loop turns: it sleeps as long as it was told, and nothing is forgotten.
#include <leat/loop/blocking.hpp>
#include <leat/net/connect.hpp>

#include "net_rig.hpp"

namespace {

using namespace net_rig;
using leat::EventLoop;

/// Turns `loop` as the documentation says. Whether it came to its end without anybody being forgotten.
bool turnFromOutside(EventLoop& loop) {
  constexpr int longest = 5000;
  while (loop.runOnce(0)) {
    pollfd watched{loop.backendFd(), POLLIN, 0};
    const long timeout = loop.backendTimeout();
    const bool bounded = timeout >= 0 && timeout <= longest;
    if (::poll(&watched, 1, bounded ? static_cast<int>(timeout) : longest) == 0 && !bounded)
      return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a foreign loop is told of bytes that have come already") {
  EventLoop loop;
  std::size_t got = 0;
  const auto work = [&got]() -> Task<> {
    const Server server = net::createServer();
    co_await server.listen(0, "127.0.0.1");
    const Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
    const std::optional<Socket> served = co_await server.accept();
    co_await client.write(std::string(200, 'x'));
    char byte[1];
    for (int i = 0; i < 200; ++i) got += co_await served->read(std::span<char>(byte));
    client.destroy();
    served->destroy();
    co_await server.close();
  };
  leat::setTimeout([&work] { (void)leat::spawn(work()); }, 1);
  CHECK(turnFromOutside(loop));
  CHECK(got == 200);
}

TEST_CASE("a foreign loop turns an echo, timers, immediates and blocking calls") {
  EventLoop loop;
  int rounds = 0;
  const auto echo = [](Socket socket) -> Task<> {
    leat::Buffer bytes = co_await socket.read();
    while (!bytes.empty()) {
      co_await socket.write(bytes);
      bytes = co_await socket.read();
    }
    co_await socket.end();
  };
  const auto work = [&]() -> Task<> {
    const Server server = net::createServer(echo);
    co_await server.listen(0, "127.0.0.1");
    const Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
    for (; rounds < 100; ++rounds) {
      co_await client.write("x");
      (void)co_await client.read();
      if (rounds % 20 == 0) co_await leat::nextImmediate();
      if (rounds % 50 == 0) co_await leat::sleep(1);
      if (rounds % 30 == 0) (void)co_await leat::blocking([] { return 1; });
    }
    client.destroy();
    co_await server.close();
  };
  leat::setTimeout([&work] { (void)leat::spawn(work()); }, 1);
  CHECK(turnFromOutside(loop));
  CHECK(rounds == 100);
}
