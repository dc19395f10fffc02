// SPDX-License-Identifier: MIT
#include <leat/core/as_result.hpp>
#include <leat/core/combinators.hpp>
#include <leat/core/with_context.hpp>
#include <leat/dns/lookup.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/testing/fuse.hpp>

#include <sched.h>

#include <string>
#include <vector>

#include <leat_test.hpp>

using leat::AbortController;
using leat::Promise;
using leat::Task;
using leat_test::containsText;
namespace dns = leat::dns;

namespace {

/// While it lives, every getaddrinfo stops on its worker until `open`, and is counted.
class Gate {
 public:
  Gate() noexcept {
    opened.store(0);
    asked.store(0);
    inside.store(0);
    before_ = leat::sys::fault.exchange(&hook);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    open();
    while (inside.load() != 0) ::sched_yield();
    leat::sys::fault.store(before_);
  }
  void open() noexcept { opened.store(1); }
  long count() const noexcept { return asked.load(); }
  /// Until a worker stands in front of the gate.
  Task<> reached() const {
    do co_await leat::sleep(1);
    while (asked.load() == 0);
  }

 private:
  static int hook(leat::sys::Call call) noexcept {
    if (call != leat::sys::Call::getaddrinfo) return 0;
    inside.fetchAdd(1);
    asked.fetchAdd(1);
    while (opened.load() == 0) ::sched_yield();
    inside.fetchSub(1);
    return 0;
  }
  static inline leat::detail::Atomic<int> opened{0};
  static inline leat::detail::Atomic<int> inside{0};
  static inline leat::detail::Atomic<long> asked{0};
  leat::sys::FaultHook before_;
};

/// What an operation threw, as a SystemError; fails the test when it did not.
template <class R>
leat::SystemError systemErrorOf(R& result) {
  REQUIRE_FALSE(result.ok());
  try {
    (void)result.value();
  } catch (const leat::SystemError& error) {
    return error;
  }
  throw leat::Error("not reached");
}

template <class E, class R>
bool failedWith(R& result) {
  if (result.ok()) return false;
  try {
    (void)result.value();
  } catch (const E&) {
    return true;
  } catch (...) {
  }
  return false;
}

}  // namespace

TEST_CASE("an IP address is its own answer, at once and without the pool") {
  leat::testing::FaultInjector calls;
  std::string trace;
  const auto main = [&]() -> Task<> {
    leat::queueMicrotask([&] { trace += "microtask "; });
    const dns::LookupResult v4 = co_await dns::lookup("127.0.0.1");
    trace += "v4 ";
    CHECK(v4.address == "127.0.0.1");
    CHECK(v4.family == 4);
    CHECK(v4.size() == 1);
    const dns::LookupResult v6 = co_await dns::lookup("::1", {.family = 4, .all = true});
    CHECK(v6.address == "::1");
    CHECK(v6.family == 6);
    const dns::LookupResult zone = co_await dns::lookup("fe80::1%eth7");
    CHECK(zone.address == "fe80::1%eth7");
  };
  CHECK(leat::run(main) == 0);
  CHECK(trace == "v4 microtask ");
  CHECK(calls.count(leat::sys::Call::getaddrinfo) == 0);
}

TEST_CASE("localhost is known without a network") {
  const auto main = []() -> Task<> {
    const dns::LookupResult one = co_await dns::lookup("localhost");
    CHECK(one.size() == 1);
    CHECK((one.address == "127.0.0.1" || one.address == "::1"));
    const std::vector<dns::LookupAddress> all = co_await dns::lookup("localhost", {.all = true});
    REQUIRE(!all.empty());
    CHECK(all.front() == static_cast<const dns::LookupAddress&>(one));
    const dns::LookupResult v4 = co_await dns::lookup("localhost", {.family = 4, .all = true});
    CHECK(v4.address == "127.0.0.1");
    for (const dns::LookupAddress& each : v4) CHECK(each.family == 4);
    const dns::LookupResult odd = co_await dns::lookup("127.1");
    CHECK(odd.address == "127.0.0.1");
    CHECK(odd.family == 4);
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("hints reach the resolver") {
  const auto main = []() -> Task<> {
    const dns::LookupResult mapped = co_await dns::lookup(
        "localhost", {.family = 6, .all = true, .hints = dns::V4MAPPED | dns::ALL});
    bool found = false;
    for (const dns::LookupAddress& each : mapped)
      found = found || each.address == "::ffff:127.0.0.1";
    CHECK(found);
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("a host that nobody knows is an error in Node's words") {
  const auto main = []() -> Task<> {
    auto result = co_await leat::asResult(dns::lookup("no-such-host.invalid"));
    const leat::SystemError error = systemErrorOf(result);
    // EAI_AGAIN where there is no resolver to ask.
    CHECK((error.code() == "ENOTFOUND" || error.code() == "EAI_AGAIN"));
    CHECK(std::string(error.what()) ==
          "getaddrinfo " + std::string(error.code()) + " no-such-host.invalid");
    CHECK(error.syscall() == "getaddrinfo");
    CHECK(error.address() == "no-such-host.invalid");
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("the resolver's codes have Node's names") {
  using leat::detail::lookupCode;
  CHECK(lookupCode(EAI_NONAME) == "ENOTFOUND");
  CHECK(lookupCode(EAI_NODATA) == "ENOTFOUND");
  CHECK(lookupCode(EAI_AGAIN) == "EAI_AGAIN");
  CHECK(lookupCode(EAI_FAIL) == "EAI_FAIL");
  CHECK(lookupCode(EAI_FAMILY) == "EAI_FAMILY");
  CHECK(lookupCode(EAI_ADDRFAMILY) == "EAI_ADDRFAMILY");
  CHECK(lookupCode(EAI_BADFLAGS) == "EAI_BADFLAGS");
  CHECK(lookupCode(EAI_MEMORY) == "EAI_MEMORY");
  CHECK(lookupCode(EAI_OVERFLOW) == "EAI_OVERFLOW");
  CHECK(lookupCode(EAI_SERVICE) == "EAI_SERVICE");
  CHECK(lookupCode(EAI_SOCKTYPE) == "EAI_SOCKTYPE");
  CHECK(lookupCode(12345) == "UNKNOWN");
}

TEST_CASE("an error of the system comes with its number") {
  const auto main = []() -> Task<> {
    leat::testing::FaultInjector faults;
    faults.fail(leat::sys::Call::getaddrinfo, EMFILE);
    auto result = co_await leat::asResult(dns::lookup("localhost"));
    const leat::SystemError error = systemErrorOf(result);
    CHECK(std::string(error.what()) == "getaddrinfo EMFILE localhost");
    CHECK(error.code() == "EMFILE");
    CHECK(error.number() == EMFILE);
    CHECK(error.syscall() == "getaddrinfo");
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("a look-up survives any call that fails") {
  const auto body = [](leat::testing::FaultInjector& faults) {
    bool ended = false;
    const auto main = [&]() -> Task<> {
      auto result = co_await leat::asResult(dns::lookup("localhost", {.all = true}));
      if (faults.blown() == 0) {
        CHECK(result.ok());
      } else if (faults.lastBlown() != leat::sys::Call::pthread_create) {
        CHECK(std::string(systemErrorOf(result).what()) == "getaddrinfo ENOMEM localhost");
      }
      ended = true;
    };
    CHECK(leat::run(main) == 0);
    CHECK(ended);
  };
  const auto report = leat::testing::fuse(
      body, ENOMEM,
      leat::testing::calls(leat::sys::Call::getaddrinfo, leat::sys::Call::getnameinfo,
                           leat::sys::Call::pthread_create));
  CHECK(report.runs >= 2);
}

TEST_CASE("families come in the order that was asked for") {
  using leat::detail::inOrder;
  const std::vector<dns::LookupAddress> mixed{
      {"::1", 6}, {"1.1.1.1", 4}, {"::2", 6}, {"2.2.2.2", 4}};
  CHECK(inOrder(mixed, dns::LookupOrder::Verbatim) == mixed);
  const auto v4 = inOrder(mixed, dns::LookupOrder::Ipv4First);
  CHECK(v4 == std::vector<dns::LookupAddress>{mixed[1], mixed[3], mixed[0], mixed[2]});
  const auto v6 = inOrder(mixed, dns::LookupOrder::Ipv6First);
  CHECK(v6 == std::vector<dns::LookupAddress>{mixed[0], mixed[2], mixed[1], mixed[3]});
}

TEST_CASE("bad arguments are refused at the call, with the value") {
  CHECK_THROWS_WITH(dns::lookup("a", {.family = 5}),
                    "The property 'options.family' must be one of: 0, 4, 6. Received 5");
  CHECK_THROWS_WITH(dns::lookup("a", {.hints = 3}), "The argument 'hints' is invalid. Received 3");
  CHECK_THROWS_WITH(dns::lookup(""), "The argument 'hostname' must not be empty. Received ''");
  CHECK_THROWS_WITH(dns::lookup(std::string_view("a\0b", 3)),
                    "The argument 'hostname' must be a string without null bytes. Received 'a'");
  CHECK_THROWS_AS(dns::lookup(""), leat::TypeError);
}

TEST_CASE("a look-up is lazy, owns its host, and becomes a promise") {
  leat::testing::FaultInjector calls;
  const auto main = [&]() -> Task<> {
    {
      const auto dropped = dns::lookup("localhost");
      (void)dropped;
    }
    CHECK(calls.count(leat::sys::Call::getaddrinfo) == 0);
    std::string host = "localhost.";
    host.pop_back();
    auto operation = dns::lookup(host, {.family = 4});
    host.assign("overwritten");
    auto moved = std::move(operation);
    Promise<dns::LookupResult> promise = std::move(moved);
    const dns::LookupResult& result = co_await promise;
    CHECK(result.address == "127.0.0.1");
    CHECK(calls.count(leat::sys::Call::getaddrinfo) == 1);
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("equal questions in flight are asked once") {
  Gate gate;
  int answered = 0;
  const auto ask = [&](int family) -> Promise<> {
    const dns::LookupResult result = co_await dns::lookup("localhost", {.family = family});
    CHECK(result.address == "127.0.0.1");
    ++answered;
  };
  const auto main = [&]() -> Task<> {
    for (int i = 0; i < 5; ++i) (void)ask(4);
    co_await gate.reached();
    (void)ask(4);
    CHECK(gate.count() == 1);
    gate.open();
    auto another = ask(4);
    co_await another;
    CHECK(gate.count() == 1);
    CHECK(answered == 7);
    co_await ask(4);
    CHECK(gate.count() == 2);
  };
  CHECK(leat::run(main) == 0);
  CHECK(answered == 8);
}

TEST_CASE("an aborted look-up ends at once, and its late answer is thrown away") {
  Gate gate;
  std::string trace;
  const auto main = [&]() -> Task<> {
    const AbortController controller;
    const auto ask = [&]() -> Promise<> {
      auto result = co_await leat::asResult(dns::lookup("localhost", {.signal = controller}));
      CHECK(failedWith<leat::AbortError>(result));
      trace += "aborted ";
    };
    auto asked = ask();
    co_await gate.reached();
    controller.abort();
    trace += "abort ";
    co_await asked;
    // The worker still stands in front of the gate; the loop ends without it.
  };
  CHECK(leat::run(main) == 0);
  CHECK(trace == "abort aborted ");
  CHECK(gate.count() == 1);
}

TEST_CASE("the ambient signal aborts a look-up") {
  Gate gate;
  const auto main = [&]() -> Task<> {
    const AbortController controller;
    const auto stop = [&]() -> Promise<> {
      co_await gate.reached();
      controller.abort();
    };
    (void)stop();
    auto result =
        co_await leat::asResult(leat::withSignal(controller.signal(), dns::lookup("localhost")));
    CHECK(failedWith<leat::AbortError>(result));
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("a look-up whose signal is aborted already is never asked") {
  leat::testing::FaultInjector calls;
  const auto main = [&]() -> Task<> {
    const AbortController controller;
    controller.abort();
    auto name = co_await leat::asResult(dns::lookup("localhost", {.signal = controller}));
    CHECK(failedWith<leat::AbortError>(name));
    auto literal = co_await leat::asResult(dns::lookup("127.0.0.1", {.signal = controller}));
    CHECK(failedWith<leat::AbortError>(literal));
  };
  CHECK(leat::run(main) == 0);
  CHECK(calls.count(leat::sys::Call::getaddrinfo) == 0);
}

TEST_CASE("one of several who wait can leave without the others") {
  Gate gate;
  int answers = 0;
  int aborts = 0;
  const auto main = [&]() -> Task<> {
    const AbortController controller;
    const auto ask = [&](leat::SignalRef signal) -> Promise<> {
      auto result = co_await leat::asResult(dns::lookup("localhost", {.signal = signal}));
      if (result.ok()) {
        ++answers;
      } else {
        ++aborts;
      }
    };
    auto first = ask(controller);
    auto second = ask({});
    co_await gate.reached();
    controller.abort();
    co_await first;
    gate.open();
    co_await second;
  };
  CHECK(leat::run(main) == 0);
  CHECK(answers == 1);
  CHECK(aborts == 1);
  CHECK(gate.count() == 1);
}

TEST_CASE("a look-up that is abandoned in flight leaves nothing behind") {
  Gate gate;
  const auto forget = [&]() -> Task<> {
    // A task in flight is destroyed by the race that it loses.
    const auto ask = []() -> Task<> { (void)co_await dns::lookup("localhost"); };
    Task<> asking = ask();
    leat::detail::CallbackFrame ignored([](leat::detail::CallbackFrame*) noexcept {});
    leat::detail::startTask(asking, ignored);
    co_await gate.reached();
    {
      const Task<> destroyed = std::move(asking);
    }
  };
  CHECK(leat::run(forget) == 0);
}

TEST_CASE("a loop may end while look-ups are in flight") {
  Gate gate;
  bool answered = false;
  const auto main = [&]() -> Task<> {
    const auto ask = [&]() -> Promise<> {
      (void)co_await dns::lookup("localhost");
      answered = true;
    };
    (void)ask();
    (void)ask();
    co_await gate.reached();
    leat::EventLoop::current().stop();
  };
  CHECK(leat::run(main) == 0);
  CHECK_FALSE(answered);
}
