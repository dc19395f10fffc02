// SPDX-License-Identifier: MIT
#include <leat/core/as_result.hpp>
#include <leat/core/async_local_storage.hpp>
#include <leat/core/system_error.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net/happy_eyeballs.hpp>

#include <errno.h>

#include <string>
#include <utility>
#include <vector>

#include <leat_test.hpp>

using leat::AbortController;
using leat::Promise;
using leat::Task;
using leat::net::SocketAddress;
namespace net = leat::net;

namespace {

/// Stands for a connection: how many of them live is known.
class Token {
 public:
  explicit Token(int port) noexcept : port_(port) { ++alive; }
  Token(Token&& other) noexcept : port_(std::exchange(other.port_, 0)) {}
  Token& operator=(Token&&) = delete;
  ~Token() {
    if (port_ != 0) --alive;
  }
  int port() const noexcept { return port_; }
  static inline int alive = 0;

 private:
  int port_;
};

SocketAddress v4(long port) { return SocketAddress("127.0.0.1", port); }
SocketAddress v6(long port) { return SocketAddress("::1", port); }

/// A network in which the port says what happens: 1xxx answers after xxx ms, 2xxx refuses after xxx ms,
/// 3xxx answers after xxx ms and cannot be aborted. 900 ms or more are as many seconds.
class Network {
 public:
  Task<Token> connect(const SocketAddress& address) {
    const int port = address.port();
    trace += "+" + std::to_string(port) + " ";
    ++running;
    std::exception_ptr aborted;
    const int ms = port % 1000 < 900 ? port % 1000 : port % 1000 * 1000;
    if (port >= 3000) {
      co_await leat::shielded(leat::sleep(ms));
    } else if (ms > 0) {
      auto waited = co_await leat::asResult(leat::sleep(ms));
      aborted = waited.error();
    }
    --running;
    if (aborted) {
      trace += "aborted" + std::to_string(port) + " ";
      std::rethrow_exception(aborted);
    }
    if (port / 1000 == 2) {
      trace += "-" + std::to_string(port) + " ";
      throw leat::SystemError::ofAddress(ECONNREFUSED, "connect", address.address(), port);
    }
    trace += "=" + std::to_string(port) + " ";
    co_return Token(port);
  }

  std::string trace;
  int running = 0;
};

/// Runs the race and gives the port of the winner.
int race(Network& network, const std::vector<SocketAddress>& addresses, int headStart) {
  int port = 0;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const Token token =
        co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = headStart});
    port = token.port();
    CHECK(network.running == 0);
    CHECK(Token::alive == 1);
  };
  CHECK(leat::run(main) == 0);
  CHECK(Token::alive == 0);
  return port;
}

}  // namespace

TEST_CASE("the families take turns, beginning with the first one's") {
  const auto ports = [](const std::vector<SocketAddress>& addresses) {
    std::string text;
    for (const SocketAddress& a : net::interleaveFamilies(addresses))
      text += (a.family() == net::Family::IPv4 ? "a" : "b") + std::to_string(a.port()) + " ";
    return text;
  };
  CHECK(ports({v6(1), v6(2), v4(3), v4(4)}) == "b1 a3 b2 a4 ");
  CHECK(ports({v4(1), v6(2), v6(3), v6(4)}) == "a1 b2 b3 b4 ");
  CHECK(ports({v4(1), v4(2)}) == "a1 a2 ");
  CHECK(ports({v4(1), v4(1), v6(1), v4(2), v6(1)}) == "a1 b1 a2 ");
  CHECK(ports({}).empty());
}

TEST_CASE("the first address wins when it answers in time") {
  Network network;
  CHECK(race(network, {v4(1005), v6(1000)}, 10000) == 1005);
  CHECK(network.trace == "+1005 =1005 ");
}

TEST_CASE("an address that refuses is followed by the next at once") {
  Network network;
  CHECK(race(network, {v4(2005), v6(2000), v4(2001), v4(1002)}, 60000) == 1002);
  CHECK(network.trace == "+2005 -2005 +2000 -2000 +2001 -2001 +1002 =1002 ");
}

TEST_CASE("an address that is slow is joined by the next, which may win") {
  Network network;
  CHECK(race(network, {v4(1999), v6(1005)}, 10) == 1005);
  CHECK(network.trace == "+1999 +1005 =1005 aborted1999 ");
}

TEST_CASE("an address that is slow may still win") {
  Network network;
  CHECK(race(network, {v4(1040), v6(1999)}, 10) == 1040);
  CHECK(network.trace == "+1040 +1999 =1040 aborted1999 ");
}

TEST_CASE("every address gets its head start") {
  Network network;
  CHECK(race(network, {v4(1999), v4(1998), v4(1997), v4(1001)}, 15) == 1001);
  CHECK(network.trace == "+1999 +1998 +1997 +1001 =1001 aborted1999 aborted1998 aborted1997 ");
}

TEST_CASE("a winner that comes too late is waited for and closed") {
  Network network;
  CHECK(race(network, {v4(3400), v6(1005)}, 10) == 1005);
  CHECK(network.trace == "+3400 +1005 =1005 =3400 ");
}

TEST_CASE("when every address fails, the error has them all") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const std::vector<SocketAddress> addresses{v6(2400), v4(2001)};
    auto result =
        co_await leat::asResult(net::happyEyeballs(addresses, attempt, {.attemptTimeout = 10}));
    REQUIRE_FALSE(result.ok());
    try {
      (void)result.value();
    } catch (const leat::AggregateError& error) {
      CHECK(error.code() == "ECONNREFUSED");
      CHECK(error.message() ==
            "connect ECONNREFUSED ::1:2400; connect ECONNREFUSED 127.0.0.1:2001");
      REQUIRE(error.errors().size() == 2);
      // In the order of the attempts, not of the failures.
      CHECK_THROWS_WITH(std::rethrow_exception(error.errors()[0]), "connect ECONNREFUSED ::1:2400");
      CHECK_THROWS_WITH(std::rethrow_exception(error.errors()[1]),
                        "connect ECONNREFUSED 127.0.0.1:2001");
      co_return;
    }
    FAIL_CHECK("not an AggregateError");
  };
  CHECK(leat::run(main) == 0);
  CHECK(network.trace == "+2400 +2001 -2001 -2400 ");
}

TEST_CASE("a single address fails with its own error") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const std::vector<SocketAddress> addresses{v4(2000)};
    auto result = co_await leat::asResult(net::happyEyeballs(addresses, attempt));
    REQUIRE_FALSE(result.ok());
    CHECK_THROWS_AS(result.value(), leat::SystemError);
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("an attempt that throws in its call, and one that gives a promise, count as any") {
  const auto attempt = [](const SocketAddress& a) {
    if (a.port() == 1) throw leat::Error("thrown by the call");
    return Promise<int>::resolve(a.port());
  };
  const auto main = [&]() -> Task<> {
    const std::vector<SocketAddress> addresses{v4(1), v6(2)};
    const int port = co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = 60000});
    CHECK(port == 2);
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("a head start of less than a millisecond is refused") {
  const auto attempt = [](const SocketAddress& a) { return Promise<int>::resolve(a.port()); };
  const std::vector<SocketAddress> addresses{v4(1)};
  const std::string text =
      "The value of \"options.attemptTimeout\" is out of range. It must be >= 1 && <= 2147483647. "
      "Received ";
  CHECK_THROWS_WITH(net::happyEyeballs(addresses, attempt, {.attemptTimeout = 0}), text + "0");
  CHECK_THROWS_WITH(net::happyEyeballs(addresses, attempt, {.attemptTimeout = -7}), text + "-7");
}

TEST_CASE("no addresses at all are refused") {
  const auto attempt = [](const SocketAddress& a) { return Promise<int>::resolve(a.port()); };
  const auto main = [&]() -> Task<> {
    CHECK_THROWS_AS(net::happyEyeballs({}, attempt), leat::TypeError);
    co_return;
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("a thousand addresses that refuse at once need no deep stack") {
  Network network;
  std::vector<SocketAddress> addresses;
  for (int i = 0; i < 1000; ++i)
    addresses.push_back(
        SocketAddress("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 2000));
  addresses.push_back(v4(1000));
  CHECK(race(network, addresses, 60000) == 1000);
}

TEST_CASE("a signal ends the race when all attempts have ended") {
  for (const bool ambient : {false, true}) {
    Network network;
    const auto main = [&]() -> Task<> {
      const AbortController controller;
      const auto attempt = [&](const SocketAddress& a) {
        if (a.port() == 3060)
          leat::setImmediate([&controller] { controller.abort(leat::Error("enough")); });
        return network.connect(a);
      };
      const std::vector<SocketAddress> addresses{v4(1999), v6(3060), v4(1998), v6(1997)};
      net::HappyEyeballsOptions options{.attemptTimeout = 20};
      if (!ambient) options.signal = controller;
      const auto work = [&] { return net::happyEyeballs(addresses, attempt, options); };
      const leat::AbortSignal around = ambient ? controller.signal() : AbortController().signal();
      auto result = co_await leat::asResult(leat::withSignal(around, work));
      CHECK(network.running == 0);
      REQUIRE_FALSE(result.ok());
      try {
        (void)result.value();
      } catch (const leat::AbortError& error) {
        CHECK_THROWS_WITH(std::rethrow_exception(error.cause()), "enough");
        co_return;
      }
      FAIL_CHECK("not an AbortError");
    };
    CHECK(leat::run(main) == 0);
    CHECK(network.trace == "+1999 +3060 aborted1999 =3060 ");
    CHECK(Token::alive == 0);
  }
}

TEST_CASE("a race whose signal is aborted already tries nothing") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const AbortController controller;
    controller.abort();
    const std::vector<SocketAddress> addresses{v4(1000)};
    auto result =
        co_await leat::asResult(net::happyEyeballs(addresses, attempt, {.signal = controller}));
    REQUIRE_FALSE(result.ok());
    CHECK_THROWS_AS(result.value(), leat::AbortError);
  };
  CHECK(leat::run(main) == 0);
  CHECK(network.trace.empty());
}

TEST_CASE("a race that nobody awaits does nothing") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const std::vector<SocketAddress> addresses{v4(1000)};
    {
      const auto dropped = net::happyEyeballs(addresses, attempt);
    }
    co_return;
  };
  CHECK(leat::run(main) == 0);
  CHECK(network.trace.empty());
}

TEST_CASE("a race that is destroyed takes its attempts with it") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const std::vector<SocketAddress> addresses{v4(1999), v6(1998), v4(1997)};
    auto work = net::happyEyeballs(addresses, attempt, {.attemptTimeout = 10});
    leat::detail::CallbackFrame ignored([](leat::detail::CallbackFrame*) noexcept {});
    leat::detail::startTask(work, ignored);
    while (network.running < 2) co_await leat::sleep(1);
    CHECK(network.trace == "+1999 +1998 ");
    {
      const auto destroyed = std::move(work);
    }
    co_await leat::sleep(30);
  };
  CHECK(leat::run(main) == 0);
  CHECK(network.trace == "+1999 +1998 ");
  CHECK(Token::alive == 0);
}

TEST_CASE("a loop may end in the middle of a race") {
  Network network;
  const auto attempt = [&network](const SocketAddress& a) { return network.connect(a); };
  const auto main = [&]() -> Task<> {
    const auto go = [&]() -> Promise<> {
      const std::vector<SocketAddress> addresses{v4(1999), v6(3999), v4(1997)};
      (void)co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = 10});
    };
    (void)go();
    co_await leat::sleep(15);
    leat::EventLoop::current().stop();
  };
  CHECK(leat::run(main) == 0);
  CHECK(Token::alive == 0);
}

TEST_CASE("attempts see the caller's storage, whoever starts them") {
  leat::AsyncLocalStorage<int> storage;
  std::string seen;
  const auto main = [&]() -> Task<> {
    const auto attempt = [&](const SocketAddress& a) -> Task<int> {
      const auto value = storage.getStore();
      seen += !value ? "none " : std::to_string(*value) + " ";
      co_await leat::sleep(a.port());
      co_return a.port();
    };
    const std::vector<SocketAddress> addresses{v4(60'000), v6(1)};
    storage.enterWith(7);
    const int port = co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = 10});
    CHECK(port == 1);
    const auto after = storage.getStore();
    REQUIRE(static_cast<bool>(after));
    CHECK(*after == 7);
  };
  CHECK(leat::run(main) == 0);
  CHECK(seen == "7 7 ");
}
