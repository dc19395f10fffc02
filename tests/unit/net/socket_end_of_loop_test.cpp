// SPDX-License-Identifier: MIT
// Loops that end with sockets and servers in every state.
#include "net_rig.hpp"

#include <memory>

#include <leat/net/connect.hpp>

using namespace net_rig;

namespace {

/// Notes that it was destroyed.
struct Witness {
  explicit Witness(int& count) : alive(&count) { ++*alive; }
  Witness(const Witness& other) : alive(other.alive) { ++*alive; }
  Witness& operator=(const Witness&) = delete;
  ~Witness() { --*alive; }
  int* alive;
};

leat::Promise<> forRead(Socket socket, Witness) { (void)co_await socket.read(); }
leat::Promise<> forBytes(Socket socket, Witness) {
  std::array<std::byte, 64> buffer;
  co_await socket.readExactly(buffer);
}
leat::Promise<> forLine(Socket socket, Witness) { (void)co_await socket.readUntil("\n"); }
leat::Promise<> forDrain(Socket socket, Witness) {
  co_await socket.write(std::string(1 << 20, 'x'));
}
leat::Promise<> forEnd(Socket socket, Witness) { co_await socket.end(std::string(1 << 20, 'x')); }
leat::Promise<> forClose(Socket socket, Witness) { co_await socket.closed(); }
leat::Promise<> forAccept(Server server, Witness) { (void)co_await server.accept(); }
leat::Promise<> forServer(Server server, Witness) { co_await server.closed(); }

}  // namespace

TEST_CASE("a loop ends with every wait of a socket pending") {
  for (int kept = 0; kept < 2; ++kept) {
    SameDescriptors same;
    int alive = 0;
    std::vector<Socket> sockets;
    std::vector<leat::sys::UniqueFd> peers;
    {
      leat::EventLoop loop;
      const auto make = [&] {
        Ends ends = tcpEnds(4096);
        peers.push_back(std::move(ends.b));
        Socket socket = adopt(ends.a.release());
        if (kept != 0) sockets.push_back(socket);
        return socket;
      };
      const Witness witness(alive);
      (void)forRead(make(), witness);
      (void)forBytes(make(), witness);
      (void)forLine(make(), witness);
      (void)forDrain(make(), witness);
      (void)forEnd(make(), witness);
      (void)forClose(make(), witness);
      {
        const Socket all = make();
        (void)forRead(all, witness);
        (void)forDrain(all, witness);
        (void)forEnd(all, witness);
        (void)forClose(all, witness);
        all.setTimeout(1000, [all, witness] { all.destroy(); });
      }
      {
        // Its end was read, and the tick that ends this side has not come.
        const Socket ended = make();
        ::shutdown(peers.back().get(), SHUT_WR);
        (void)forRead(ended, witness);
        loop.runOnce(0);
        (void)forRead(make(), witness);
      }
      loop.runOnce(0);
      {
        // Destroyed, but the loop has not turned since.
        const Socket gone = make();
        (void)forRead(gone, witness);
        (void)forClose(gone, witness);
        gone.destroy();
      }
      {
        // Aborted, but not told yet.
        const Socket aborted = make();
        leat::AbortController controller;
        const auto wait = [](Socket socket, leat::AbortSignal signal, Witness) -> leat::Promise<> {
          (void)co_await socket.read(10, signal);
        };
        (void)wait(aborted, controller.signal(), witness);
        controller.abort();
      }
      CHECK(alive > 10);
    }
    CHECK(alive == 0);
    for (const Socket& socket : sockets) CHECK(socket.destroyed());
    sockets.clear();
    peers.clear();
  }
}

TEST_CASE("a loop ends with connects that nobody has answered") {
  SameDescriptors same;
  int alive = 0;
  const FullListener full;
  const net::SocketAddress to = full.address();
  const FullListener other(net::SocketAddress("127.0.0.2", to.port()));
  {
    const leat::testing::FaultInjector calls;
    leat::EventLoop loop;
    const Witness witness(alive);
    const auto connecting = [](net::ConnectOptions options, Witness) -> leat::Promise<> {
      (void)co_await net::connect(options);
    };
    const auto several = [](std::vector<net::SocketAddress> addresses, Witness) -> leat::Promise<> {
      const net::ConnectOptions plain{.port = 1};
      const net::detail::ConnectTarget target(plain);
      const net::detail::ConnectAttempt attempt(target);
      (void)co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = 10});
    };
    const leat::AbortController controller;
    // Two attempts, as the first is not answered in its time.
    (void)several({to, other.address()}, witness);
    for (int turn = 0; turn < 1000 && calls.count(leat::sys::Call::socket) < 2; ++turn)
      loop.runOnce(15);
    CHECK(calls.count(leat::sys::Call::socket) == 2);
    (void)connecting({.port = to.port(), .host = "127.0.0.1"}, witness);
    (void)connecting({.port = to.port(), .host = "127.0.0.1", .timeout = 100'000}, witness);
    (void)connecting({.port = to.port(), .host = "127.0.0.1", .signal = controller}, witness);
    (void)connecting({.port = to.port(), .host = "one.leat.test"}, witness);
    loop.runOnce(15);
    loop.runOnce(15);
    CHECK(alive >= 5);
    // Told to end, but not heard yet.
    controller.abort();
    (void)connecting({.port = to.port(), .host = "127.0.0.1"}, witness);
  }
  CHECK(alive == 0);
}

TEST_CASE("a loop ends with servers in every state") {
  for (int kept = 0; kept < 2; ++kept) {
    SameDescriptors same;
    int alive = 0;
    std::vector<Server> servers;
    std::vector<leat::sys::UniqueFd> clients;
    {
      leat::EventLoop loop;
      const Witness witness(alive);
      const auto start = [&](const Server& server) {
        (void)leat::spawn(server.listen({.host = "127.0.0.1"}));
        loop.runOnce(0);
        REQUIRE(server.listening());
        if (kept != 0) servers.push_back(server);
        return server;
      };
      {
        const Server never = net::createServer([witness](const Socket&) {});
        if (kept != 0) servers.push_back(never);
      }
      start(net::createServer([witness](const Socket&) {}));
      {
        const Server server = start(net::createServer());
        (void)forAccept(server, witness);
        (void)forAccept(server, witness);
        (void)forServer(server, witness);
      }
      {
        // Closed, with a connection that lives, whose handler holds it and the server.
        std::optional<Server> self;
        auto holder = std::make_shared<std::vector<Socket>>();
        const Server server = start(net::createServer(
            [witness, holder](const Socket& socket) { holder->push_back(socket); }));
        clients.push_back(dial(server.address()));
        loop.runOnce(100);
        CHECK(server.connections() == 1);
        server.close();
        (void)forServer(server, witness);
      }
      {
        // Accepted for who has not gone on yet.
        const Server server = start(net::createServer());
        (void)forAccept(server, witness);
        clients.push_back(dial(server.address()));
        clients.push_back(dial(server.address()));
      }
      {
        const Server server = start(net::createServer(
            [witness](Socket socket) -> Task<> { (void)co_await socket.read(); }));
        clients.push_back(dial(server.address()));
        loop.runOnce(100);
      }
      CHECK(alive > 5);
    }
    CHECK(alive == 0);
    for (const Server& server : servers) {
      CHECK_FALSE(server.listening());
      server.close();
      server.ref();
    }
    servers.clear();
    clients.clear();
  }
}

TEST_CASE("an exception that ends the loop leaves no accepted connection open") {
  SameDescriptors same;
  std::vector<leat::sys::UniqueFd> clients;
  const int code = leat::run([&]() -> Task<> {
    const Server server = co_await net::listen(
        [](const Socket&) { throw leat::Error("ends the loop, as the test wants it"); },
        {.host = "127.0.0.1"});
    for (int i = 0; i < 5; ++i) clients.push_back(dial(server.address()));
    co_await server.closed();
  });
  CHECK(code == 1);
  clients.clear();
}
