// SPDX-License-Identifier: MIT
// Where a rejection of a callback's coroutine is said to come from: the program, not the library.
#include <leat/abort.hpp>
#include <leat/loop.hpp>
#include <leat/net.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <string>

using leat::Promise;
using leat::Task;

namespace {

Task<> failing() {
  co_await leat::yield();
  throw leat::Error("from a callback");
}
Task<> outer() { co_await failing(); }
Promise<> failingPromise() {
  co_await leat::yield();
  throw leat::Error("from a callback");
}

/// What is printed of the rejection that ends main.
template <class Main>
std::string reportOf(Main main) {
  const leat_test::ChildEnd end = leat_test::inChild([&] { return leat::run(main); });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, leat_test::containsText("Unhandled rejection: Error: from a callback"));
  CHECK_THAT(end.err, !leat_test::containsText("include/leat"));
  return end.err;
}

TEST_CASE("the place of a rejected callback is the coroutine of the callback") {
  const auto here = leat_test::containsText("callback_place_test.cpp");
  SECTION("a timer with a task") {
    const std::string report = reportOf([] { leat::setTimeout([] { return outer(); }, 1); });
    CHECK_THAT(report, here && leat_test::containsText("outer"));
  }
  SECTION("a timer with a coroutine of its own") {
    CHECK_THAT(reportOf([] {
                 leat::setTimeout(
                     []() -> Task<> {
                       co_await leat::yield();
                       throw leat::Error("from a callback");
                     },
                     1);
               }),
               here);
  }
  SECTION("an async function") {
    const std::string report = reportOf([] { leat::setImmediate(failingPromise); });
    CHECK_THAT(report, here && leat_test::containsText("failingPromise"));
  }
  SECTION("after the failure of another task, which was handled") {
    const std::string report = reportOf([] {
      leat::setTimeout(
          []() -> Task<> {
            (void)co_await leat::asResult(failing());
            co_await outer();
          },
          1);
    });
    CHECK_THAT(report, here && leat_test::containsText("operator()"));
  }
  SECTION("a spawned callable, with a task or an async function") {
    const std::string task = reportOf([] { (void)leat::spawn([] { return outer(); }); });
    CHECK_THAT(task, here && leat_test::containsText("outer"));
    const std::string promise = reportOf([] { (void)leat::spawn(failingPromise); });
    CHECK_THAT(promise, here && leat_test::containsText("failingPromise"));
  }
  SECTION("a listener of a signal") {
    CHECK_THAT(reportOf([] {
                 const leat::AbortController controller;
                 const auto told = controller.signal().onAbort([] { return outer(); });
                 controller.abort();
               }),
               here);
  }
  SECTION("the handler of a server") {
    CHECK_THAT(reportOf([]() -> Task<> {
                 const auto server = co_await leat::net::listen(
                     [](const leat::net::Socket&) { return outer(); }, {.host = "127.0.0.1"});
                 const auto client = co_await leat::net::connect({.port = server.address().port()});
                 co_await leat::sleep(20'000);
               }),
               here);
  }
}

TEST_CASE("a combinator whose place nobody knows is reported without one") {
  const std::string report = reportOf([] { (void)leat::all(failing(), leat::yield()); });
  CHECK_THAT(report, !leat_test::containsText("made at"));
}

}  // namespace
