// SPDX-License-Identifier: MIT
// Listening, accepting, closing.
#include "net_rig.hpp"

#include <sys/stat.h>

#include <leat/core/async_local_storage.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/net/connect.hpp>

#include <code_thrown_by.hpp>
#include <memory>
#include <thread>

using namespace net_rig;
using leat_test::codeThrownBy;

namespace {

void ignore(const Socket&) {}

Task<> echo(Socket socket) {
  leat::Buffer chunk;
  do {
    chunk = co_await socket.read();
    if (!chunk.empty()) co_await socket.write(chunk);
  } while (!chunk.empty());
}

Task<std::string> ask(net::ConnectOptions options, std::string text) {
  const Socket client = co_await net::connect(options);
  co_await client.write(text + "\n");
  std::string line = co_await client.readUntil("\n");
  client.destroy();
  co_return line;
}

std::string temporaryPath(const char* name) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder != nullptr ? folder : "/tmp") + "/leat-" + std::to_string(::getpid()) +
         "-" + name;
}

bool exists(const std::string& path) {
  struct ::stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

int v6Works() {
  const leat::sys::UniqueFd fd(::socket(AF_INET6, SOCK_STREAM, 0));
  const net::SocketAddress local("::1", 0);
  return fd && ::bind(fd.get(), local.data(), local.size()) == 0;
}

}  // namespace

// ---- where a server listens ----

TEST_CASE("listen and connect take a port and a host, as in Node") {
  run([]() -> Task<> {
    const Server server = net::createServer(echo);
    co_await server.listen(0, "127.0.0.1");
    CHECK(server.address().address() == "127.0.0.1");
    const Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
    co_await client.write("line\n");
    const std::string line = co_await client.readUntil("\n");
    CHECK(line == "line\n");
    client.destroy();
    co_await server.close();
    const std::string code = codeThrownBy([] { (void)net::connect(65536); });
    CHECK(code == "ERR_SOCKET_BAD_PORT");
  });
}

TEST_CASE("a server on port 0 tells which it got") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(echo, {.port = 0, .host = "127.0.0.1"});
    CHECK(server.listening());
    CHECK(server.address().address() == "127.0.0.1");
    CHECK(server.address().port() > 0);
    const std::string line =
        co_await ask({.port = server.address().port(), .host = "127.0.0.1"}, "hello");
    CHECK(line == "hello\n");
    co_await server.close();
    CHECK_FALSE(server.listening());
    CHECK(server.address().family() == net::Family::Unspecified);
  });
}

TEST_CASE("a server without a host answers IPv4 and IPv6") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(echo, {});
    const std::string four =
        co_await ask({.port = server.address().port(), .host = "127.0.0.1"}, "four");
    CHECK(four == "four\n");
    if (v6Works() != 0) {
      CHECK(server.address().address() == "::");
      const std::string six = co_await ask({.port = server.address().port(), .host = "::1"}, "six");
      CHECK(six == "six\n");
      const Server both = co_await net::listen(echo, {.host = "::"});
      const std::string mapped =
          co_await ask({.port = both.address().port(), .host = "127.0.0.1"}, "mapped");
      CHECK(mapped == "mapped\n");
      const Server only = co_await net::listen(echo, {.host = "::", .ipv6Only = true});
      const std::string refused =
          co_await outcome(ask({.port = only.address().port(), .host = "127.0.0.1"}, "refused"));
      CHECK(refused == "ECONNREFUSED");
      co_await only.close();
      co_await both.close();
    }
    co_await server.close();
  });
}

TEST_CASE("a server listens on a name") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(echo, {.host = "localhost"});
    CHECK(server.address().port() > 0);
    co_await server.close();
    const std::string code = co_await outcome(net::listen(echo, {.host = "no-such-host.invalid"}));
    CHECK((code == "ENOTFOUND" || code == "EAI_AGAIN"));
  });
}

TEST_CASE("a server on a Unix socket, whose file goes when it closes") {
  run([]() -> Task<> {
    const std::string path = temporaryPath("unix.sock");
    const Server server = co_await net::listen(echo, {.path = path});
    CHECK(exists(path));
    CHECK(server.address().path() == path);
    const std::string line = co_await ask({.path = path}, "local");
    CHECK(line == "local\n");
    const std::string text = co_await message(net::listen(echo, {.path = path}));
    CHECK(text == "listen EADDRINUSE: address already in use " + path);
    CHECK(exists(path));
    co_await server.close();
    CHECK_FALSE(exists(path));
  });
}

TEST_CASE(
    "the file of a Unix socket goes with the last handle, the loop, or a listen that failed") {
  const std::string path = temporaryPath("short.sock");
  run([&]() -> Task<> {
    {
      const Server server = net::createServer();
      co_await server.listen({.path = path});
      CHECK(exists(path));
    }
    CHECK_FALSE(exists(path));
    for (const auto call : {leat::sys::Call::listen, leat::sys::Call::epoll_ctl}) {
      if (call == leat::sys::Call::epoll_ctl && leat_test::onUring()) continue;
      leat::testing::FaultInjector injector;
      injector.fail(call, ENOMEM);
      const std::string code = co_await outcome(net::listen(echo, {.path = path}));
      CHECK(code == "ENOMEM");
      CHECK_FALSE(exists(path));
    }
    const Server server = co_await net::listen(echo, {.path = path});
    server.unref();
  });
  CHECK_FALSE(exists(path));
}

TEST_CASE("ref takes back what unref of a server did") {
  for (const bool held : {false, true}) {
    bool ended = false;
    // The server stays, so that nothing but its count decides.
    std::optional<Server> server;
    run([&]() -> Task<> {
      server = co_await net::listen(echo, {.host = "127.0.0.1"});
      server->unref();
      if (held) server->ref();
      leat::setTimeout(
          [&] {
            ended = true;
            server->close();
          },
          held ? 20 : 60'000)
          .unref();
    });
    CHECK(ended == held);
    server.reset();
  }
}

TEST_CASE("what a server and a connection are given by default is what Node gives") {
  CHECK(net::ListenOptions{}.backlog == 511);
  CHECK(net::ConnectOptions{}.attemptTimeout == 250);
}

TEST_CASE("a server on an abstract Unix socket") {
  run([]() -> Task<> {
    const std::string name = std::string(1, '\0') + "leat-" + std::to_string(::getpid());
    const Server server = co_await net::listen(echo, {.path = name});
    CHECK(server.address().path() == name);
    CHECK_FALSE(exists(name.substr(1)));
    const std::string line = co_await ask({.path = name}, "abstract");
    CHECK(line == "abstract\n");
    const std::string text = co_await message(net::listen(echo, {.path = name}));
    CHECK(text == "listen EADDRINUSE: address already in use @" + name.substr(1));
    co_await server.close();
  });
}

TEST_CASE("what cannot be listened on is an error, worded as Node does") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(echo, {.host = "127.0.0.1"});
    const int port = server.address().port();
    const std::string place = std::to_string(port);
    std::string text = co_await message(net::listen(echo, {.port = port, .host = "127.0.0.1"}));
    CHECK(text == "listen EADDRINUSE: address already in use 127.0.0.1:" + place);
    std::string code = co_await outcome(net::listen(echo, {.port = port}));
    CHECK(code == "EADDRINUSE");
    text = co_await message(net::listen(echo, {.host = "8.8.8.8"}));
    CHECK(text == "listen EADDRNOTAVAIL: address not available 8.8.8.8");
    text = co_await message(net::listen(echo, {.path = "/no-such-folder/x.sock"}));
    CHECK(text == "listen EACCES: permission denied /no-such-folder/x.sock");
    text = co_await message(net::listen(echo, {.port = 70000}));
    CHECK(text == "options.port should be >= 0 and < 65536. Received type number (70000).");
    code = co_await outcome(net::listen(echo, {.port = -1}));
    CHECK(code == "ERR_SOCKET_BAD_PORT");
    code = co_await outcome(
        net::listen(echo, {.path = std::string_view("/012345678901234567890123456789012345678901234"
                                                    "5678901234567890123456789012345678901234567"
                                                    "8901234567890123456789")}));
    CHECK(code == "ERR_INVALID_ARG_VALUE");
    text = co_await message(server.listen({}));
    CHECK(text == "Listen method has been called more than once without closing.");
    co_await server.close();
  });
}

TEST_CASE("a server that was closed can listen again, with its handler") {
  run([]() -> Task<> {
    int calls = 0;
    const Server server = net::createServer([&calls](const Socket& socket) {
      ++calls;
      socket.end();
    });
    for (int round = 1; round <= 3; ++round) {
      co_await server.listen({.host = "127.0.0.1"});
      CHECK(server.listening());
      const Socket client = co_await net::connect({.port = server.address().port()});
      const auto rest = co_await client.read();
      CHECK(rest.empty());
      client.end();
      co_await server.close();
      CHECK_FALSE(server.listening());
      CHECK(calls == round);
    }
  });
}

TEST_CASE("a server without a handler accepts again after it was closed") {
  run([]() -> Task<> {
    const Server server = net::createServer();
    for (int round = 0; round < 2; ++round) {
      co_await server.listen({.host = "127.0.0.1"});
      const Socket client = co_await net::connect({.port = server.address().port()});
      const auto accepted = co_await server.accept();
      CHECK(accepted.has_value());
      client.destroy();
      if (accepted) accepted->destroy();
      co_await server.close();
      const auto nothing = co_await server.accept();
      CHECK_FALSE(nothing.has_value());
    }
  });
}

TEST_CASE("a server may listen again while connections of before are open; close waits for them") {
  run([]() -> Task<> {
    std::vector<Socket> theirs;
    const Server server =
        net::createServer([&theirs](const Socket& socket) { theirs.push_back(socket); });
    co_await server.listen({.host = "127.0.0.1"});
    const Socket old = co_await net::connect({.port = server.address().port()});
    while (server.connections() == 0) co_await leat::sleep(1);
    bool told = false;
    const auto watch = [&]() -> leat::Promise<> {
      co_await server.close();
      told = true;
    };
    (void)watch();
    co_await server.listen({.host = "127.0.0.1"});
    CHECK(server.listening());
    co_await leat::sleep(5);
    CHECK_FALSE(told);
    old.destroy();
    theirs.clear();
    co_await server.close();
    co_await leat::nextImmediate();
    CHECK(told);
  });
}

TEST_CASE("a server that is closed or told again to listen while it looks its host up") {
  run([]() -> Task<> {
    const Server server = net::createServer(echo);
    const auto listening = [](Server which) -> leat::Promise<std::string> {
      co_return co_await outcome(which.listen({.host = "localhost"}));
    };
    const auto first = listening(server);
    const auto second = listening(server);
    server.close();
    const std::string one = co_await first;
    const std::string two = co_await second;
    CHECK(one == "ERR_SERVER_NOT_RUNNING");
    CHECK(two == "ERR_SERVER_ALREADY_LISTEN");
    CHECK_FALSE(server.listening());
    co_await server.closed();
  });
}

TEST_CASE("a server of an ended loop does not listen on a new loop at the same address") {
  const SameDescriptors same;
  std::optional<leat::EventLoop> loop(std::in_place);
  const Server server = net::createServer(echo);
  loop.reset();
  loop.emplace();
  std::string code;
  (void)leat::spawn([&]() -> Task<> { code = co_await outcome(server.listen({})); });
  loop->run();
  CHECK(code == "ERR_WRONG_THREAD");
  CHECK_FALSE(server.listening());
}

TEST_CASE("two servers share a port where both ask for it") {
  run([]() -> Task<> {
    const Server one = co_await net::listen(echo, {.host = "127.0.0.1", .reusePort = true});
    const Server two = co_await net::listen(
        echo, {.port = one.address().port(), .host = "127.0.0.1", .reusePort = true});
    CHECK(two.address() == one.address());
    one.close();
    co_await two.close();
  });
}

TEST_CASE(
    "a server that shares its port takes, when it closes, those whom the kernel has given it") {
  run([]() -> Task<> {
    int fromOne = 0;
    int fromTwo = 0;
    const auto counting = [](int& count) {
      return [&count](Socket socket) -> Task<> {
        ++count;
        co_await socket.end("x");
      };
    };
    const Server one = co_await net::listen(
        counting(fromOne), {.host = "127.0.0.1", .backlog = 64, .reusePort = true});
    const net::SocketAddress address = one.address();
    const Server two = co_await net::listen(
        counting(fromTwo), {.port = address.port(), .host = "127.0.0.1", .reusePort = true});
    // All of them are connected before the loop has accepted any.
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(dial(address));
    auto closed = one.close();
    CHECK_FALSE(one.listening());
    CHECK(one.address() == net::SocketAddress());
    const auto late = [address]() -> Task<std::string> {
      const Socket socket = co_await net::connect({.port = address.port(), .host = "127.0.0.1"});
      const leat::Buffer heard = co_await socket.read();
      co_return heard.toString();
    };
    std::string heard;
    for (int i = 0; i < 6; ++i) heard += co_await late();
    CHECK(heard == "xxxxxx");
    co_await closed;
    CHECK(fromOne > 0);
    CHECK(fromOne + fromTwo == 46);
    CHECK(fromTwo >= 6);
    for (const leat::sys::UniqueFd& client : clients) {
      char byte = 0;
      CHECK(::read(client.get(), &byte, 1) == 1);
    }
    co_await two.close();
  });
}

TEST_CASE("a server that hands over without descriptors waits for some") {
  run([]() -> Task<> {
    int count = 0;
    const auto counting = [&count](Socket socket) -> Task<> {
      ++count;
      co_await socket.end("x");
    };
    const Server server = co_await net::listen(counting, {.host = "127.0.0.1", .reusePort = true});
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(dial(server.address()));
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::accept4, EMFILE, 1, 3);
    co_await server.close();
    CHECK(count == 5);
    CHECK(injector.blown() > 0);
  });
}

TEST_CASE("a server that hands over may listen again at once, and ends with its loop") {
  run([]() -> Task<> {
    const Server server = net::createServer(echo);
    co_await server.listen({.host = "127.0.0.1", .reusePort = true});
    const net::SocketAddress address = server.address();
    const auto until = [](Server::Closing closing) -> leat::Promise<> { co_await closing; };
    const leat::Promise<> closed = until(server.close());
    co_await server.listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true});
    CHECK(server.listening());
    co_await closed;  // told all the same
    CHECK(dial(address));
    co_await server.close();
  });
  leat::run([]() -> Task<> {
    const Server server = co_await net::listen(echo, {.host = "127.0.0.1", .reusePort = true});
    server.close();
    leat::EventLoop::current().stop();
  });
}

TEST_CASE("a server that listens again at once takes those who were connected before") {
  run([]() -> Task<> {
    int count = 0;
    bool closes = false;
    std::optional<Server> server;
    const auto answering = [&](const Socket& socket) {
      ++count;
      (void)socket.end("x");
      if (closes) server->close();
    };
    server = net::createServer(answering);
    co_await server->listen({.host = "127.0.0.1", .reusePort = true});
    const net::SocketAddress address = server->address();
    const leat::sys::UniqueFd early = dial(address);
    server->close();
    co_await server->listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true});
    CHECK(count == 1);
    CHECK(server->listening());
    // Closed by the handler of one of them it does not listen again.
    const leat::sys::UniqueFd late = dial(address);
    server->close();
    closes = true;
    const auto again = co_await leat::asResult(
        server->listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true}));
    const std::string code = codeThrownBy([&] { std::rethrow_exception(again.error()); });
    CHECK(code == "ERR_SERVER_NOT_RUNNING");
    CHECK_FALSE(server->listening());
    co_await server->close();
    CHECK(count == 2);
    for (const leat::sys::UniqueFd* client : {&early, &late}) {
      char answer = 0;
      CHECK(::read(client->get(), &answer, 1) == 1);
    }
  });
}

TEST_CASE("a server may listen again in the handler of the last that it takes when it hands over") {
  run([]() -> Task<> {
    int count = 0;
    std::optional<Server> server;
    net::SocketAddress address;
    const auto listening = [&](const Socket& socket) {
      socket.destroy();
      if (++count == 1)
        (void)leat::spawn(
            server->listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true}));
    };
    server = net::createServer(listening);
    co_await server->listen({.host = "127.0.0.1", .reusePort = true});
    address = server->address();
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(dial(address));
    // The loop has paused, so that all are left for the end of the time.
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::accept4, EMFILE, 1, 1);
    co_await server->close();
    CHECK(count == 3);
    CHECK(server->listening());
    CHECK(server->address() == address);
    CHECK(dial(address));
    co_await server->close();
  });
}

TEST_CASE("a server that hands over takes those, too, whom its back end has accepted") {
  run([]() -> Task<> {
    int count = 0;
    std::optional<Server> server;
    net::SocketAddress address;
    // In the handler of the first the others are accepted, or in the backlog; in the second round the loop
    // has not been told of any.
    const auto handOver = [&](const Socket& socket) {
      (void)socket.end("x");
      if (++count != 1) return;
      server->close();
      (void)leat::spawn(
          server->listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true}));
    };
    server = net::createServer(handOver);
    co_await server->listen({.host = "127.0.0.1", .backlog = 64, .reusePort = true});
    address = server->address();
    co_await leat::nextImmediate();
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(dial(address));
    co_await until([&count] { return count == 40; });
    co_await until([&server] { return server->listening(); });
    for (int i = 0; i < 40; ++i) clients.push_back(dial(address));
    server->close();
    co_await server->listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true});
    CHECK(count == 80);
    co_await server->close();
    for (const leat::sys::UniqueFd& client : clients) {
      char answer = 0;
      CHECK(::read(client.get(), &answer, 1) == 1);
    }
  });
}

TEST_CASE("an exception that nobody caught is the end of a handler that hands over, too") {
  int count = 0;
  leat::testing::FaultInjector injector;
  const int code = runToEnd([&]() -> Task<> {
    const auto throwing = [&](const Socket&) {
      ++count;
      injector.resetCounts();
      throw leat::Error("from a handler, as the test wants it");
    };
    const Server server = net::createServer(throwing);
    co_await server.listen({.host = "127.0.0.1", .reusePort = true});
    const net::SocketAddress address = server.address();
    std::vector<leat::sys::UniqueFd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(dial(address));
    server.close();
    co_await server.listen({.port = address.port(), .host = "127.0.0.1", .reusePort = true});
    co_await server.closed();
  });
  CHECK(code == 1);
  CHECK(count == 1);
  // The others are not taken to be closed.
  CHECK(injector.count(leat::sys::Call::accept4) == 0);
}

// ---- accept ----

TEST_CASE("accept gives one connection after the other, to who asked first") {
  run([]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"});
    std::vector<leat::sys::UniqueFd> clients;
    for (const char* name : {"a", "b", "c", "d"}) {
      clients.push_back(dial(server.address()));
      (void)::send(clients.back().get(), name, 1, 0);
    }
    std::string order;
    const auto one = [&](Server from) -> leat::Promise<> {
      std::optional<Socket> socket = co_await from.accept();
      const leat::Buffer name = co_await socket->read();
      order += name.view();
    };
    const auto first = one(server);
    const auto second = one(server);
    co_await first;
    co_await second;
    co_await one(server);
    CHECK(order == "abc");
    CHECK(server.connections() == 0);
    const auto last = accepting(server);
    const std::string result = co_await last;
    CHECK(result == "socket");
    server.close();
    const std::string closed = co_await accepting(server);
    CHECK(closed == "nothing");
  });
}

TEST_CASE("close tells those who wait in accept that there is nothing more") {
  run([]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"});
    const auto one = accepting(server);
    const auto two = accepting(server);
    leat::setTimeout([&] { server.close(); }, 2);
    const std::string first = co_await one;
    const std::string second = co_await two;
    CHECK(first == "nothing");
    CHECK(second == "nothing");
  });
}

namespace {

/// Destroys a task in the tick that comes between the arrival of a connection and the microtask in which
/// its waiter goes on: the hook of the system calls queues it while the kernel is asked.
struct Assassin : leat::detail::Job {
  explicit Assassin(Task<>& t) : Job(onJob), task(t) {
    current = this;
    leat::sys::fault.store([](leat::sys::Call call) noexcept {
      if (call == leat::sys::Call::accept4 && current != nullptr)
        leat::EventLoop::current().queue().pushTick(*std::exchange(current, nullptr));
      return 0;
    });
  }
  ~Assassin() { leat::sys::fault.store(nullptr); }
  static void onJob(Job& job, leat::detail::JobAction) noexcept {
    auto& self = static_cast<Assassin&>(job);
    self.task = Task<>();
    self.ran = true;
  }
  static inline Assassin* current = nullptr;
  Task<>& task;
  bool ran = false;
};

}  // namespace

TEST_CASE("a connection that was promised to who went away goes to the next") {
  for (const bool closeIt : {false, true}) {
    run([&]() -> Task<> {
      struct Frame : leat::detail::CallbackFrame {
        Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
      } done;
      bool got = false;
      const auto wait = [&got](Server from) -> Task<> {
        (void)co_await from.accept();
        got = true;
      };
      const Server server = co_await net::listen({.host = "127.0.0.1"});
      Task<> lost = wait(server);
      leat::detail::startTask(lost, done);
      const auto next = accepting(server);
      const leat::sys::UniqueFd client = dial(server.address());
      Assassin assassin(lost);
      co_await until([&] { return assassin.ran; });
      CHECK_FALSE(got);
      if (closeIt) server.close();
      const std::string result = co_await next;
      CHECK(result == "socket");
    });
  }
}

TEST_CASE("close waits for a connection that was promised, until it is gone or nobody wants it") {
  for (const bool wanted : {true, false}) {
    run([wanted]() -> Task<> {
      struct Frame : leat::detail::CallbackFrame {
        Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
      } done, doneToo;
      const Server server = co_await net::listen({.host = "127.0.0.1"});
      std::string trace;
      const auto take = [&trace](Server from) -> Task<> {
        const std::optional<Socket> given = co_await from.accept();
        trace += given ? "taken " : "nothing ";
        co_await leat::sleep(5);
        trace += "gone ";
      };
      // One that came for who has gone: it is there at once for the next.
      Task<> lost = take(server);
      leat::detail::startTask(lost, done);
      const leat::sys::UniqueFd client = dial(server.address());
      Assassin assassin(lost);
      co_await until([&assassin] { return assassin.ran; });
      Task<> next = take(server);
      leat::detail::startTask(next, doneToo);
      auto closing = server.close();
      if (!wanted) next = Task<>();
      co_await closing;
      CHECK(trace == (wanted ? "taken gone " : ""));
    });
  }
}

TEST_CASE("an abandoned accept stops accepting, and what came is for the next") {
  run([]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"});
    leat::AbortController controller;
    const auto waiting = accepting(server, controller.signal());
    leat::sys::UniqueFd client = dial(server.address());
    controller.abort();
    const std::string aborted = co_await waiting;
    CHECK(aborted == "ABORT_ERR");
    const std::string before = co_await accepting(server, controller.signal());
    CHECK(before == "ABORT_ERR");
    const std::string timeout = co_await outcome(leat::withTimeout(
        20'000, [](Server from) -> Task<> { (void)co_await from.accept(); }(server)));
    CHECK(timeout.empty());
    const std::string late = co_await outcome(
        leat::withTimeout(5, [](Server from) -> Task<> { (void)co_await from.accept(); }(server)));
    CHECK(late == "TIMEOUT_ERR");
    // Nobody waits any more: nothing holds the loop, or the server.
  });
}

TEST_CASE("a server without a handler goes with its last handle; one with a handler stays") {
  run([]() -> Task<> {
    net::SocketAddress address;
    {
      const Server server = co_await net::listen({.host = "127.0.0.1"});
      address = server.address();
      const std::string late = co_await outcome(leat::withTimeout(
          1, [](Server from) -> Task<> { (void)co_await from.accept(); }(server)));
      CHECK(late == "TIMEOUT_ERR");
    }
    co_await leat::nextImmediate();
    CHECK_FALSE(dial(address));
    {
      const Server server = co_await net::listen(ignore, {.host = "127.0.0.1"});
      address = server.address();
      server.unref();
    }
    co_await leat::nextImmediate();
    CHECK(dial(address));
  });
}

// ---- handlers ----

TEST_CASE("a handler may close the server, and the connection, and throw") {
  run([]() -> Task<> {
    std::optional<Server> server;
    int calls = 0;
    server = net::createServer([&](const Socket& socket) {
      ++calls;
      socket.destroy();
      server->close();
    });
    co_await server->listen({.host = "127.0.0.1"});
    const leat::sys::UniqueFd one = dial(server->address());
    const leat::sys::UniqueFd two = dial(server->address());
    co_await server->closed();
    CHECK(calls == 1);
    server.reset();
  });
}

TEST_CASE("what a handler throws is an uncaught exception, a coroutine's an unhandled rejection") {
  for (const bool coroutine : {false, true}) {
    int calls = 0;
    const int code = runToEnd([&]() -> Task<> {
      const Server server = coroutine ? net::createServer([&calls](Socket) -> Task<> {
        ++calls;
        co_await leat::sleep(1);
        throw leat::Error("from a handler, as the test wants it");
      })
                                      : net::createServer([&calls](const Socket&) {
                                          ++calls;
                                          throw leat::Error("from a handler, as the test wants it");
                                        });
      co_await server.listen({.host = "127.0.0.1"});
      const leat::sys::UniqueFd one = dial(server.address());
      const leat::sys::UniqueFd two = dial(server.address());
      const leat::sys::UniqueFd three = dial(server.address());
      co_await server.closed();
    });
    CHECK(code == 1);
    CHECK(calls >= 1);
  }
}

TEST_CASE("a coroutine that handles a connection keeps its closure until it ends") {
  run([]() -> Task<> {
    const auto marker = std::make_shared<std::string>("kept");
    std::string seen;
    {
      const auto handler = [marker, &seen](Socket socket) -> Task<> {
        std::string line = co_await socket.readUntil("\n");
        co_await leat::sleep(5);
        seen = *marker + " " + line;
      };
      const Server server = net::createServer(handler);
      co_await server.listen({.host = "127.0.0.1"});
      const leat::sys::UniqueFd client = dial(server.address());
      (void)::send(client.get(), "line\n", 5, 0);
      co_await until([&] { return server.connections() == 1; });
      co_await server.close();
    }
    CHECK(seen == "kept line\n");
    co_await leat::nextImmediate();
    CHECK(marker.use_count() == 1);
  });
}

TEST_CASE("a handler runs in the context in which its server was made") {
  run([]() -> Task<> {
    leat::AsyncLocalStorage<int> store;
    std::optional<Server> server;
    int seen = 0;
    store.run(
        7, [&] { server = net::createServer([&](const Socket&) { seen = *store.getStore(); }); });
    co_await server->listen({.host = "127.0.0.1"});
    const leat::sys::UniqueFd client = dial(server->address());
    co_await until([&] { return seen != 0; });
    CHECK(seen == 7);
    co_await server->close();
    server.reset();
  });
}

TEST_CASE("the options of a server reach its sockets") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(
        {.host = "127.0.0.1"},
        {.allowHalfOpen = true, .noDelay = true, .keepAlive = true, .highWaterMark = 5});
    const leat::sys::UniqueFd client = dial(server.address());
    std::optional<Socket> socket = co_await server.accept();
    const auto option = [&](int level, int name) {
      int value = 0;
      socklen_t size = sizeof value;
      ::getsockopt(socket->fd(), level, name, &value, &size);
      return value;
    };
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) != 0);
    CHECK(socket->connection().allowHalfOpen);
    CHECK(socket->connection().highWaterMark == 5);
    CHECK(socket->remoteAddress() == net::detail::localAddressOf(client.get()));
    CHECK(server.connections() == 1);
  });
}

// ---- close ----

TEST_CASE("close waits for the connections, and is told a tick after the last one went") {
  // node, in a timer: "destroyed server-close tick imm sock-close"; who awaits the server comes a
  // microtask after the tick.
  std::vector<std::string> log;
  run([&]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"});
    const leat::sys::UniqueFd client = dial(server.address());
    std::optional<Socket> socket = co_await server.accept();
    const auto watch = [&](Server which) -> leat::Promise<> {
      co_await which.close();
      log.push_back("server-close");
    };
    const auto watchSocket = [&](Socket which) -> leat::Promise<> {
      co_await which.closed();
      log.push_back("sock-close");
    };
    const auto closing = watch(server);
    const auto closed = watchSocket(*socket);
    co_await leat::sleep(5);
    CHECK(log.empty());
    CHECK_FALSE(dial(net::detail::localAddressOf(client.get())));
    socket->destroy();
    log.push_back("destroyed");
    leat::nextTick([&] { log.push_back("tick"); });
    leat::setImmediate([&] { log.push_back("imm"); });
    co_await closing;
    co_await closed;
  });
  CHECK(joined(log) == "destroyed tick server-close imm sock-close");
}

TEST_CASE("close of a server without connections is told in a tick") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(ignore, {.host = "127.0.0.1"});
    bool immediate = false;
    leat::setImmediate([&] { immediate = true; });
    auto closing = server.close();
    CHECK_FALSE(server.listening());
    co_await closing;
    CHECK_FALSE(immediate);
    co_await server.close();
    co_await server.closed();
    const Server never = net::createServer(ignore);
    co_await never.close();
    co_await leat::nextImmediate();
  });
}

TEST_CASE("close goes on under a signal that was aborted; a wait for it does not") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(ignore, {.host = "127.0.0.1"});
    leat::AbortController controller;
    controller.abort();
    const std::string waited =
        co_await outcome(leat::withSignal(controller.signal(), server.closed()));
    CHECK(waited == "ABORT_ERR");
    CHECK(server.listening());
    const std::string closed = co_await outcome(leat::withSignal(
        controller.signal(), [](Server which) -> Task<> { co_await which.close(); }(server)));
    CHECK(closed.empty());
  });
}

TEST_CASE("the signal of listen closes the server") {
  run([]() -> Task<> {
    leat::AbortController controller;
    const Server server = co_await net::listen(ignore, {.host = "127.0.0.1", .signal = controller});
    const net::SocketAddress address = server.address();
    leat::setTimeout([&] { controller.abort(); }, 2);
    co_await server.closed();
    CHECK_FALSE(dial(address));
    const std::string code = co_await outcome(net::listen(ignore, {.signal = controller}));
    CHECK(code == "ABORT_ERR");
  });
}

TEST_CASE("a server that is used on another thread says so") {
  run([]() -> Task<> {
    const Server server = co_await net::listen({.host = "127.0.0.1"});
    std::vector<std::string> codes;
    std::thread other([&] {
      const auto attempt = [&](auto&& use) {
        try {
          use();
          codes.push_back("nothing");
        } catch (const leat::Error& error) {
          codes.push_back(std::string(error.code()));
        }
      };
      CHECK(leat::run([&] {
              attempt([&] { server.close(); });
              attempt([&] { server.unref(); });
              attempt([&] { (void)(server.accept().operator co_await)().await_ready(); });
              attempt([&] { (void)(server.closed().operator co_await)().await_ready(); });
            }) == 0);
      attempt([&] { (void)net::createServer(); });
    });
    other.join();
    CHECK(joined(codes) ==
          "ERR_WRONG_THREAD ERR_WRONG_THREAD ERR_WRONG_THREAD ERR_WRONG_THREAD ERR_NO_LOOP");
    CHECK(server.listening());
  });
}

TEST_CASE("a client that ends, a server that is closed: everything in Node's order") {
  // node: "c.finish s.end server s.close c.end c.close".
  std::vector<std::string> log;
  run([&]() -> Task<> {
    std::optional<Server> server;
    const auto serve = [&](Socket socket) -> Task<> {
      const leat::Buffer end = co_await socket.read();
      CHECK(end.empty());
      log.push_back("s.end");
      co_await socket.closed();
      log.push_back("s.close");
    };
    server = net::createServer(serve);
    co_await server->listen({.host = "127.0.0.1"});
    const Socket client =
        co_await net::connect({.port = server->address().port(), .host = "127.0.0.1"});
    const auto watch = [&](Server which) -> leat::Promise<> {
      co_await which.closed();
      log.push_back("server");
    };
    const auto watching = watch(*server);
    co_await until([&] { return server->connections() == 1; });
    auto ended = client.end();
    server->close();
    co_await ended;
    log.push_back("c.finish");
    const leat::Buffer end = co_await client.read();
    CHECK(end.empty());
    log.push_back("c.end");
    co_await client.closed();
    log.push_back("c.close");
    co_await watching;
    server.reset();
  });
  CHECK(joined(log) == "c.finish s.end server s.close c.end c.close");
}
