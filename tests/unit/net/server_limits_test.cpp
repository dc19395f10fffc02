// SPDX-License-Identifier: MIT
// Servers at their limits: of connections, descriptors and memory.
#include "net_rig.hpp"

#include <sys/resource.h>
#include <time.h>

using namespace net_rig;

namespace {

Task<> hello(Socket socket) {
  try {
    co_await socket.write("hello");
    (void)co_await socket.read();
  } catch (const leat::SystemError&) {
    // The client went without reading.
  }
}

bool saysHello(const leat::sys::UniqueFd& client) {
  char text[8];
  return ::recv(client.get(), text, sizeof text, MSG_DONTWAIT) == 5;
}

double processorMs() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

}  // namespace

TEST_CASE("connections above maxConnections are closed, and told") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1"}, {.maxConnections = 2});
    std::vector<std::string> dropped;
    server.onDrop([&](const net::SocketAddress& local, const net::SocketAddress& remote) {
      dropped.push_back(local.toString() + " " + remote.toString());
    });
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(dial(server.address()));
    co_await until([&] { return dropped.size() == 2; });
    CHECK(server.connections() == 2);
    CHECK(dropped[0] == server.address().toString() + " " +
                            net::detail::localAddressOf(clients[2].get()).toString());
    CHECK(saysHello(clients[1]));
    char byte;
    CHECK(::recv(clients[3].get(), &byte, 1, MSG_DONTWAIT) == 0);
    clients.clear();
    co_await until([&] { return server.connections() == 0; });
    clients.push_back(dial(server.address()));
    co_await until([&] { return server.connections() == 1; });
    server.setMaxConnections(0);
    clients.push_back(dial(server.address()));
    clients.push_back(dial(server.address()));
    co_await until([&] { return server.connections() == 3; });
    CHECK(dropped.size() == 2);
    clients.clear();
    co_await server.close();
  });
}

TEST_CASE("a server without onDrop drops in silence, and onDrop may replace itself") {
  run([]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"}, {.maxConnections = 1});
    const auto accepting = [](Server from) -> leat::Promise<> {
      std::optional<Socket> first = co_await from.accept();
      (void)co_await first->read();
    };
    const leat::sys::UniqueFd first = dial(server.address());
    const auto running = accepting(server);
    co_await until([&] { return server.connections() == 1; });
    const auto more = [](Server from) -> leat::Promise<> { (void)co_await from.accept(); };
    const auto waiting = more(server);
    const leat::sys::UniqueFd second = dial(server.address());
    char byte;
    co_await until([&] { return ::recv(second.get(), &byte, 1, MSG_DONTWAIT) == 0; });
    std::string log;
    const std::string text(100, 'a');
    server.onDrop([&log, text, server] {
      server.onDrop([&log] { log += "second"; });
      log += text.substr(98);
    });
    const leat::sys::UniqueFd third = dial(server.address());
    const leat::sys::UniqueFd fourth = dial(server.address());
    co_await until([&] { return log.size() == 8; });
    CHECK(log == "aasecond");
    (void)::shutdown(first.get(), SHUT_WR);
    co_await running;
    server.close();
    co_await waiting;
  });
}

TEST_CASE("a server that runs out of descriptors rests, goes on, and loses no connection") {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM}) {
    run([&]() -> Task<> {
      const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
      std::vector<leat::sys::UniqueFd> clients;
      leat::testing::FaultInjector injector;
      injector.fail(leat::sys::Call::accept4, error, 2, 2);
      const double before = processorMs();
      for (int i = 0; i < 5; ++i) clients.push_back(dial(server.address()));
      int said = 0;
      co_await until([&] {
        for (const leat::sys::UniqueFd& client : clients) said += saysHello(client) ? 1 : 0;
        return said == 5;
      });
      CHECK(injector.blown() == 2);
      // The successes, the two failures, and a look whether there are more after each burst.
      CHECK(injector.count(leat::sys::Call::accept4) <= 12);
      CHECK(processorMs() - before < 500);
      clients.clear();
      co_await server.close();
    });
  }
}

TEST_CASE("a process without free descriptors: accept waits until one is closed") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(dial(server.address()));
    const int highest = ::dup(0);
    ::close(highest);
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(highest);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    co_await leat::sleep(30);
    CHECK(server.connections() == 0);
    ::setrlimit(RLIMIT_NOFILE, &before);
    co_await until([&] { return server.connections() == 3; });
    clients.clear();
    co_await server.close();
  });
}

TEST_CASE("a server that cannot watch a connection keeps it until it can") {
  if (leat_test::onUring()) return;  // where watching is no call that could fail
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::epoll_ctl, ENOSPC, 1, 2);
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(dial(server.address()));
    int said = 0;
    co_await until([&] {
      for (const leat::sys::UniqueFd& client : clients) said += saysHello(client) ? 1 : 0;
      return said == 3;
    });
    CHECK(injector.blown() == 2);
    clients.clear();
    co_await server.close();
  });
}

TEST_CASE("a server may be closed, or its loop end, while it rests") {
  for (const bool closeIt : {true, false}) {
    run([&]() -> Task<> {
      const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
      leat::testing::FaultInjector injector;
      injector.fail(leat::sys::Call::accept4, EMFILE, 1, 1000);
      const leat::sys::UniqueFd client = dial(server.address());
      co_await until([&] { return injector.blown() > 0; });
      if (closeIt) {
        co_await server.close();
      } else {
        server.unref();
      }
    });
  }
}

TEST_CASE("connections that were given up in the backlog are passed over") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::accept4, ECONNABORTED, 1, 3);
    const leat::sys::UniqueFd client = dial(server.address());
    co_await until([&] { return server.connections() == 1; });
    CHECK(injector.blown() == 3);
    leat::sys::UniqueFd reset = dial(server.address());
    const linger now{1, 0};
    ::setsockopt(reset.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    reset.reset();
    co_await until([&] { return injector.count(leat::sys::Call::accept4) > 5; });
    (void)::shutdown(client.get(), SHUT_RDWR);
    server.close();
  });
}

TEST_CASE("a server with nothing to do costs no processor time") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1"});
    leat::sys::UniqueFd client = dial(server.address());
    co_await until([&] { return saysHello(client); });
    leat::testing::FaultInjector counter;
    const double before = processorMs();
    co_await leat::sleep(200);
    CHECK(processorMs() - before < 50);
    CHECK(counter.count(leat::sys::Call::epoll_wait) <= 10);
    CHECK(counter.count(leat::sys::Call::io_uring_enter) <= 10);
    CHECK(counter.count(leat::sys::Call::accept4) == 0);
    client.reset();
    server.close();
  });
}

TEST_CASE("a burst of connections does not keep others waiting") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(hello, {.host = "127.0.0.1", .backlog = 300});
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 300; ++i) clients.push_back(dial(server.address()));
    co_await until([&] { return server.connections() == 300; });
    int said = 0;
    co_await until([&] {
      for (const leat::sys::UniqueFd& client : clients) said += saysHello(client) ? 1 : 0;
      return said == 300;
    });
    CHECK(said == 300);
    clients.clear();
    co_await server.close();
  });
}
