// SPDX-License-Identifier: MIT
// net::connect: each option, each way to fail, and system calls that fail on the way.
// Compiled alone: it stands in for getaddrinfo, so that a name has several addresses on every machine.
#include "net_rig.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include <leat/core/with_context.hpp>
#include <leat/net/connect.hpp>

#include <started.hpp>

using namespace net_rig;

/// "one.leat.test" is 127.0.0.1, "two.leat.test" 127.0.0.1 and 127.0.0.2, "nobody.leat.test" is none; other names are
/// the system's. So it is in all tests of the program.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  const std::string_view name(host == nullptr ? "" : host);
  if (!name.ends_with(".leat.test")) {
    static const auto system =
        reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return system(host, service, hints, found);
  }
  if (hints != nullptr && hints->ai_family == AF_INET6) return EAI_NONAME;
  if (name.starts_with("nobody")) return EAI_NONAME;
  *found = nullptr;
  for (int last = name.starts_with("two") ? 2 : 1; last > 0; --last) {
    // One piece of memory each, as freeaddrinfo expects it.
    auto* const entry =
        static_cast<addrinfo*>(std::calloc(1, sizeof(addrinfo) + sizeof(sockaddr_in)));
    auto* const address = reinterpret_cast<sockaddr_in*>(entry + 1);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<unsigned>(last) - 1);
    entry->ai_family = AF_INET;
    entry->ai_socktype = SOCK_STREAM;
    entry->ai_addrlen = sizeof *address;
    entry->ai_addr = reinterpret_cast<sockaddr*>(address);
    entry->ai_next = *found;
    *found = entry;
  }
  return 0;
}

namespace {

using leat::AbortController;
using net::ConnectOptions;

leat::sys::UniqueFd plainListener(const net::SocketAddress& on) {
  leat::sys::UniqueFd fd(
      ::socket(on.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  allowReuse(fd.get());
  if (::bind(fd.get(), on.data(), on.size()) != 0 || ::listen(fd.get(), 64) != 0) fd.reset();
  return fd;
}

/// Takes connections without a loop of its own.
struct Peer {
  explicit Peer(std::string_view host = "127.0.0.1", int atPort = 0)
      : fd(plainListener(net::SocketAddress(host, atPort))) {
    if (!fd) throw leat::Error("no listener");
  }
  int port() const { return net::detail::localAddressOf(fd.get()).port(); }
  /// Nothing when nobody has come.
  leat::sys::UniqueFd take() const {
    const int taken = ::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    return leat::sys::UniqueFd(taken < 0 ? -1 : taken);
  }
  leat::sys::UniqueFd fd;
};

/// Where nobody listens: the port is taken, so that nobody else gets it.
struct Closed {
  Closed() : first("127.0.0.1"), second("127.0.0.2", first.port()) {}
  struct Bound {
    explicit Bound(std::string_view host, int atPort = 0)
        : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      const net::SocketAddress at(host, atPort);
      if (::bind(fd.get(), at.data(), at.size()) != 0) throw leat::Error("no port");
    }
    int port() const { return net::detail::localAddressOf(fd.get()).port(); }
    leat::sys::UniqueFd fd;
  };
  int port() const { return first.port(); }
  Bound first, second;
};

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(socket.fd(), level, name, &value, &size);
  return value;
}

/// What the call itself throws, before there is anything to await.
template <class F>
std::string thrownAtOnce(F&& call) {
  try {
    (void)call();
  } catch (const leat::Error& error) {
    return std::string(error.name()) + " " + std::string(error.code()) + " " + error.what();
  }
  return "nothing";
}
std::string refusal(const ConnectOptions& options) {
  return thrownAtOnce([&] { return net::connect(options); });
}

}  // namespace

// ---- options ----

TEST_CASE("localAddress and localPort say from where") {
  run([]() -> Task<> {
    const Peer peer;
    {
      const ConnectOptions from{
          .port = peer.port(), .host = "127.0.0.1", .localAddress = "127.0.0.2"};
      const Socket socket = co_await net::connect(from);
      CHECK(socket.localAddress().address() == "127.0.0.2");
      const leat::sys::UniqueFd there = peer.take();
      CHECK(net::detail::remoteAddressOf(there.get()) == socket.localAddress());
    }
    // A port that was free a moment ago.
    int port = 0;
    std::string failure = "bind EADDRINUSE";
    for (int attempt = 0; attempt < 20 && failure.starts_with("bind EADDRINUSE"); ++attempt) {
      port = Closed::Bound("127.0.0.2").port();
      failure.clear();
      const ConnectOptions from{
          .port = peer.port(), .host = "127.0.0.1", .localAddress = "127.0.0.2", .localPort = port};
      try {
        const Socket socket = co_await net::connect(from);
        CHECK(socket.localAddress().toString() == "127.0.0.2:" + std::to_string(port));
      } catch (const leat::Error& error) {
        failure = error.what();
      }
    }
    CHECK(failure.empty());
    // Without an address it is any of them.
    const Closed::Bound taken("127.0.0.1");
    const ConnectOptions any{.port = peer.port(), .host = "127.0.0.1", .localPort = taken.port()};
    const std::string text = co_await message(net::connect(any));
    CHECK(text == "bind EADDRINUSE 0.0.0.0:" + std::to_string(taken.port()));
  });
}

TEST_CASE("an address that is not the machine's is an error of bind, as in Node") {
  run([]() -> Task<> {
    const Peer peer;
    const ConnectOptions foreign{
        .port = peer.port(), .host = "127.0.0.1", .localAddress = "192.0.2.1"};
    const std::string text = co_await message(net::connect(foreign));
    CHECK(text == "bind EADDRNOTAVAIL 192.0.2.1");
    // A Unix socket has no such address.
    const ConnectOptions path{.path = "/nowhere/socket", .localAddress = "127.0.0.1"};
    const std::string unixText = co_await message(net::connect(path));
    CHECK(unixText == "connect ENOENT /nowhere/socket");
  });
}

TEST_CASE("family asks for addresses of one kind") {
  run([]() -> Task<> {
    const Peer peer;
    const ConnectOptions four{.port = peer.port(), .host = "one.leat.test", .family = 4};
    const Socket socket = co_await net::connect(four);
    CHECK(socket.remoteAddress().address() == "127.0.0.1");
    const ConnectOptions six{.port = peer.port(), .host = "one.leat.test", .family = 6};
    const std::string none = co_await message(net::connect(six));
    CHECK(none == "getaddrinfo ENOTFOUND one.leat.test");
    const ConnectOptions three{.port = peer.port(), .host = "one.leat.test", .family = 3};
    const std::string wrong = co_await message(net::connect(three));
    CHECK(wrong == "The property 'options.family' must be one of: 0, 4, 6. Received 3");
    // An address needs no look-up, and is of the family that it is.
    const ConnectOptions address{.port = peer.port(), .host = "127.0.0.1", .family = 6};
    const std::string text = co_await message(net::connect(address));
    CHECK(text == "none");
  });
}

TEST_CASE("noDelay and keepAlive are set on what is connected, and not unless they are asked for") {
  run([]() -> Task<> {
    const Peer peer;
    for (const bool on : {false, true}) {
      const ConnectOptions options{
          .port = peer.port(), .host = "127.0.0.1", .noDelay = on, .keepAlive = on};
      const Socket socket = co_await net::connect(options);
      CHECK((option(socket, IPPROTO_TCP, TCP_NODELAY) != 0) == on);
      CHECK((option(socket, SOL_SOCKET, SO_KEEPALIVE) != 0) == on);
    }
  });
}

TEST_CASE("allowHalfOpen lets a socket write after its peer has ended") {
  for (const bool halfOpen : {false, true}) {
    run([&]() -> Task<> {
      const Peer peer;
      const ConnectOptions options{
          .port = peer.port(), .host = "127.0.0.1", .allowHalfOpen = halfOpen};
      const Socket socket = co_await net::connect(options);
      const leat::sys::UniqueFd there = peer.take();
      ::shutdown(there.get(), SHUT_WR);
      const leat::Buffer end = co_await socket.read();
      CHECK(end.empty());
      co_await leat::sleep(1);
      CHECK(socket.destroyed() == !halfOpen);
      CHECK(socket.writableEnded() == !halfOpen);
      if (!halfOpen) co_return;
      co_await socket.write("late");
      Duo::flush();
      char text[8];
      CHECK(::recv(there.get(), text, sizeof text, MSG_DONTWAIT) == 4);
      socket.destroy();
    });
  }
}

TEST_CASE("highWaterMark is the socket's") {
  run([]() -> Task<> {
    const Peer peer;
    const ConnectOptions options{
        .port = peer.port(), .host = "127.0.0.1", .highWaterMark = 1 << 26};
    const Socket socket = co_await net::connect(options);
    CHECK(static_cast<bool>(socket.write(std::string(1 << 23, 'x'))));
    CHECK(socket.writableLength() > 0);
    socket.destroy();
  });
}

TEST_CASE(
    "timeout ends a connect that nobody answers, and one that is answered does not wait for it") {
  run([]() -> Task<> {
    const FullListener full;
    const ConnectOptions late{.port = full.address().port(), .host = "127.0.0.1", .timeout = 20};
    const auto result = co_await leat::asResult(net::connect(late));
    REQUIRE_FALSE(result.ok());
    CHECK(codeOf(result.error()) == "TIMEOUT_ERR");
    CHECK(textOf(result.error()) == "The operation was aborted due to timeout after 20 ms");
    // The loop would outlive the test's limit if it waited for this one, or for the longest there is.
    const Peer peer;
    for (const double ms : {600'000.0, 1e300}) {
      const ConnectOptions soon{.port = peer.port(), .host = "127.0.0.1", .timeout = ms};
      const Socket socket = co_await net::connect(soon);
      CHECK_FALSE(socket.destroyed());
    }
  });
}

TEST_CASE("timeout bounds all the addresses together") {
  run([]() -> Task<> {
    const FullListener full;
    const FullListener other(net::SocketAddress("127.0.0.2", full.address().port()));
    const ConnectOptions options{.port = full.address().port(),
                                 .host = "two.leat.test",
                                 .timeout = 30,
                                 .attemptTimeout = 10};
    const std::string code = co_await outcome(net::connect(options));
    CHECK(code == "TIMEOUT_ERR");
  });
}

TEST_CASE("attemptTimeout is the head start of an address before the next one joins in") {
  run([]() -> Task<> {
    const FullListener full;
    const Peer second("127.0.0.2", full.address().port());
    ConnectOptions options{.port = second.port(), .host = "two.leat.test", .attemptTimeout = 1};
    const Socket socket = co_await net::connect(options);
    CHECK(socket.remoteAddress().address() == "127.0.0.2");
    // With a longer one the second is not reached in this time, as it would be with the 250 ms of the default.
    options.attemptTimeout = 60'000;
    options.timeout = 400;
    const std::string code = co_await outcome(net::connect(options));
    CHECK(code == "TIMEOUT_ERR");
    const leat::sys::UniqueFd first = second.take();
    CHECK(static_cast<bool>(first));
    CHECK_FALSE(static_cast<bool>(second.take()));
  });
}

TEST_CASE("a signal that was aborted already lets nothing be tried") {
  run([]() -> Task<> {
    const Peer peer;
    const AbortController controller;
    controller.abort(leat::Error("why"));
    leat::testing::FaultInjector calls;
    for (const std::string_view host : {"127.0.0.1", "two.leat.test"}) {
      const ConnectOptions options{.port = peer.port(), .host = host, .signal = controller};
      std::exception_ptr cause;
      try {
        (void)co_await net::connect(options);
      } catch (const leat::AbortError& error) {
        cause = error.cause();
      }
      CHECK(textOf(cause) == "why");
      const ConnectOptions ambient{.port = peer.port(), .host = host};
      const std::string code =
          co_await outcome(leat::withSignal(controller.signal(), net::connect(ambient)));
      CHECK(code == "ABORT_ERR");
    }
    CHECK(calls.count(leat::sys::Call::connect) == 0);
    CHECK_FALSE(static_cast<bool>(peer.take()));
  });
}

TEST_CASE(
    "a signal ends a connect in flight, of one address and of several, and closes what it had") {
  run([]() -> Task<> {
    const FullListener full;
    const FullListener other(net::SocketAddress("127.0.0.2", full.address().port()));
    for (const std::string_view host : {"127.0.0.1", "two.leat.test"}) {
      for (const bool ambient : {false, true}) {
        const int before = openDescriptors();
        const AbortController controller;
        leat::setTimeout([&] { controller.abort(leat::Error("enough")); }, 15);
        ConnectOptions options{.port = full.address().port(), .host = host, .attemptTimeout = 10};
        if (!ambient) options.signal = controller;
        const auto work = [&] { return net::connect(options); };
        const AbortController idle;
        const leat::AbortSignal around = ambient ? controller.signal() : idle.signal();
        const auto result = co_await leat::asResult(leat::withSignal(around, work));
        CHECK(codeOf(result.error()) == "ABORT_ERR");
        // A ring gives the descriptor back when the operation has ended.
        co_await until([before] { return openDescriptors() == before; });
      }
    }
  });
}

TEST_CASE(
    "an abort in the turn in which a connect completes gives one or the other, and leaks nothing") {
  for (int delay = 0; delay < 4; ++delay) {
    run([&]() -> Task<> {
      const Peer peer;
      const AbortController controller;
      const auto later = [&](int turns, const auto& self) -> void {
        if (turns == 0) return controller.abort();
        leat::setImmediate([&self, turns] { self(turns - 1, self); });
      };
      later(delay, later);
      const ConnectOptions options{.port = peer.port(), .host = "127.0.0.1", .signal = controller};
      const std::string code = co_await outcome(net::connect(options));
      CHECK((code.empty() || code == "ABORT_ERR"));
      for (int turn = 0; turn < 4; ++turn) co_await leat::nextImmediate();
    });
  }
}

// ---- failures ----

TEST_CASE("a port at which nobody listens is ECONNREFUSED, worded as Node does") {
  run([]() -> Task<> {
    const Closed closed;
    const std::string at = std::to_string(closed.port());
    const auto result = co_await leat::asResult(net::connect(closed.port(), "127.0.0.1"));
    CHECK(textOf(result.error()) == "connect ECONNREFUSED 127.0.0.1:" + at);
    try {
      (void)result.value();
    } catch (const leat::SystemError& error) {
      CHECK(error.code() == "ECONNREFUSED");
      CHECK(error.syscall() == "connect");
      CHECK(error.address() == "127.0.0.1");
      CHECK(error.port() == closed.port());
    }
    const std::string named = co_await message(net::connect(closed.port(), "one.leat.test"));
    CHECK(named == "connect ECONNREFUSED 127.0.0.1:" + at);
  });
}

TEST_CASE("when every address refuses, the AggregateError has all of it") {
  run([]() -> Task<> {
    const Closed closed;
    const std::string at = std::to_string(closed.port());
    const auto result = co_await leat::asResult(net::connect(closed.port(), "two.leat.test"));
    REQUIRE_FALSE(result.ok());
    std::vector<std::string> texts;
    std::string code;
    try {
      (void)result.value();
    } catch (const leat::AggregateError& error) {
      code = error.code();
      for (const std::exception_ptr& one : error.errors()) texts.push_back(textOf(one));
    }
    CHECK(code == "ECONNREFUSED");
    CHECK(texts == std::vector<std::string>{"connect ECONNREFUSED 127.0.0.1:" + at,
                                            "connect ECONNREFUSED 127.0.0.2:" + at});
  });
}

TEST_CASE("an address that refuses is followed by the next one") {
  run([]() -> Task<> {
    const Closed::Bound first("127.0.0.1");
    const Peer second("127.0.0.2", first.port());
    const ConnectOptions options{
        .port = first.port(), .host = "two.leat.test", .attemptTimeout = 60'000};
    const Socket socket = co_await net::connect(options);
    CHECK(socket.remoteAddress().address() == "127.0.0.2");
  });
}

TEST_CASE("a name that nobody knows is ENOTFOUND, and a Unix socket that is not there ENOENT") {
  run([]() -> Task<> {
    leat::testing::FaultInjector faults;
    const auto result = co_await leat::asResult(net::connect(80, "nobody.leat.test"));
    CHECK(codeOf(result.error()) == "ENOTFOUND");
    CHECK(textOf(result.error()) == "getaddrinfo ENOTFOUND nobody.leat.test");
    faults.fail(leat::sys::Call::getaddrinfo, EMFILE);
    const std::string failed = co_await message(net::connect(80, "localhost"));
    CHECK(failed == "getaddrinfo EMFILE localhost");
    const ConnectOptions path{.path = "/nowhere/socket"};
    const std::string gone = co_await message(net::connect(path));
    CHECK(gone == "connect ENOENT /nowhere/socket");
  });
}

TEST_CASE("bad values are refused by the call, in Node's words") {
  run([] {
    CHECK(refusal({.port = 65536}) ==
          "RangeError ERR_SOCKET_BAD_PORT Port should be >= 0 and < 65536. Received type number "
          "(65536).");
    CHECK(refusal({.port = 1, .localPort = -1}) ==
          "RangeError ERR_SOCKET_BAD_PORT options.localPort should be >= 0 and < 65536. Received "
          "type number (-1).");
    CHECK(refusal({.port = 1, .localAddress = "256.1.1.1"}) ==
          "TypeError ERR_INVALID_IP_ADDRESS Invalid IP address: 256.1.1.1");
    const std::string range = "RangeError ERR_OUT_OF_RANGE The value of ";
    const std::string finite =
        range + "\"options.timeout\" is out of range. It must be a non-negative finite number. ";
    CHECK(refusal({.port = 1, .timeout = -1}) == finite + "Received -1");
    CHECK(refusal({.port = 1, .timeout = std::nan("")}) == finite + "Received NaN");
    CHECK(refusal({.port = 1, .timeout = HUGE_VAL}) == finite + "Received Infinity");
    CHECK(refusal({.path = "/x", .timeout = -0.5}) == finite + "Received -0.5");
    const std::string attempt =
        range + "\"options.attemptTimeout\" is out of range. It must be >= 1 && <= 2147483647. ";
    CHECK(refusal({.port = 1, .attemptTimeout = -1}) == attempt + "Received -1");
    CHECK(refusal({.port = 1, .attemptTimeout = 0}) == attempt + "Received 0");
    CHECK(refusal({.port = 1, .attemptTimeout = 1}) == "nothing");
  });
}

// ---- destroyed in flight ----

TEST_CASE(
    "a connect that is dropped in a running loop closes what it had, and lets go of the loop") {
  const struct {
    const char* what;
    std::string_view host;
    int timeout;
  } ways[] = {{"one address", "127.0.0.1", 0},
              {"several addresses", "two.leat.test", 0},
              {"several addresses and a timeout", "two.leat.test", 100'000},
              {"a look-up", "one.leat.test", 0}};
  for (const auto& way : ways) {
    INFO(way.what);
    run([&]() -> Task<> {
      const FullListener full;
      const FullListener other(net::SocketAddress("127.0.0.2", full.address().port()));
      const int before = openDescriptors();
      const ConnectOptions options{.port = full.address().port(),
                                   .host = way.host,
                                   .timeout = way.timeout,
                                   .attemptTimeout = 10};
      leat_test::Started<Socket> started(net::connect(options));
      // Both attempts; the look-up is dropped before its answer comes.
      const int wanted = before + (way.host == "two.leat.test" ? 2 : 1);
      if (way.host != "one.leat.test")
        co_await until([wanted] { return openDescriptors() == wanted; });
      started.drop();
      // A ring gives the descriptor back when the operation has ended.
      co_await until([before] { return openDescriptors() == before; });
    });
  }
}

TEST_CASE("a connect that nobody awaits does nothing") {
  run([] {
    const Peer peer;
    leat::testing::FaultInjector calls;
    {
      const Task<Socket> dropped = net::connect(peer.port(), "127.0.0.1");
    }
    CHECK(calls.count(leat::sys::Call::socket) == 0);
  });
}

// ---- system calls that fail ----

namespace {

/// Connects with every option that makes a system call of its own, and says a word.
leat::Promise<> connecting(std::string_view host, const Peer* peer, std::string* failure) {
  try {
    const ConnectOptions options{.port = peer->port(),
                                 .host = host,
                                 .localAddress = "127.0.0.1",
                                 .timeout = 5000,
                                 .noDelay = true,
                                 .keepAlive = true};
    const Socket socket = co_await net::connect(options);
    co_await socket.write("word");
    socket.destroy();
  } catch (const leat::Error& error) {
    *failure = error.what();
  }
}

struct FuseRun {
  int clean = 0;
  std::vector<std::string> failures;
};

/// How a run with a fuse ended; each must end, and leave no descriptor.
void fused(std::string_view host, const Peer& peer, const leat::testing::FaultInjector& injector,
           FuseRun& into) {
  std::string failure;
  const bool ran = runFused(injector, [&] { return connecting(host, &peer, &failure); });
  while (peer.take()) {
  }
  if (failure.find("timeout") != std::string::npos)
    FAIL(failure << " after " << leat::sys::name(injector.lastBlown()));
  if (ran && failure.empty()) ++into.clean;
  if (!failure.empty()) into.failures.push_back(failure);
}

}  // namespace

TEST_CASE("each system call of a connect that fails is its error, named and worded as Node does") {
  using leat::sys::Call;
  const Peer peer;
  FuseRun seen;
  const auto report = leat::testing::fuse(
      [&](leat::testing::FaultInjector& injector) { fused("127.0.0.1", peer, injector, seen); },
      EMFILE, leat::testing::calls(Call::socket, Call::bind, Call::connect, Call::setsockopt));
  CHECK(seen.clean == 1);
  CHECK(static_cast<long>(seen.failures.size()) == report.runs);
  const std::string connect = "connect EMFILE 127.0.0.1:" + std::to_string(peer.port());
  const std::string option = "EMFILE: too many open files, setsockopt";
  const std::vector<std::string> expected = {connect, "bind EMFILE 127.0.0.1", connect, option,
                                             option};
  CHECK(seen.failures == expected);
}

TEST_CASE("whatever system call fails, a connect ends and leaves no descriptor open") {
  const Peer peer;
  for (const int error : {EIO, ENOMEM, ECONNRESET}) {
    for (const std::string_view host : {"127.0.0.1", "two.leat.test"}) {
      FuseRun seen;
      const auto report = leat::testing::fuse(
          [&](leat::testing::FaultInjector& injector) { fused(host, peer, injector, seen); },
          error);
      CHECK(report.runs > 5);
      CHECK(seen.clean > 0);
      CHECK_FALSE(seen.failures.empty());
    }
  }
}
