// SPDX-License-Identifier: MIT
#include <leat/core/with_context.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <memory>
#include <optional>
#include <thread>

using leat::AbortSignal;
using leat::EventLoop;
using leat::run;
using leat::Task;

namespace {
std::size_t timers() { return EventLoop::current().metrics().timers; }
}  // namespace

TEST_CASE("a timeout signal aborts with a TimeoutError when its time has come") {
  run([]() -> Task<> {
    const AbortSignal signal = AbortSignal::timeout(5);
    CHECK_FALSE(signal.aborted());
    const leat::AbortRegistration registration = signal.onAbort([&] {
      CHECK(signal.aborted());
      try {
        signal.throwIfAborted();
      } catch (const leat::TimeoutError& e) {
        CHECK(std::string(e.what()) == "The operation was aborted due to timeout");
        CHECK(e.name() == "TimeoutError");
      }
    });
    co_await leat::sleep(20);
    CHECK(signal.aborted());
    CHECK_THROWS_AS(signal.throwIfAborted(), leat::TimeoutError);
  });
}

TEST_CASE("operations end with an AbortError whose cause is the timeout") {
  run([]() -> Task<> {
    const AbortSignal signal = AbortSignal::timeout(2);
    std::string cause;
    try {
      co_await leat::sleep(10000, {.signal = signal});
    } catch (const leat::AbortError& e) {
      cause = leat::describe(e.cause());
    }
    CHECK_THAT(cause, leat_test::containsText("TimeoutError"));
  });
}

TEST_CASE("a timeout signal does not hold the loop") {
  const auto start = std::chrono::steady_clock::now();
  std::optional<AbortSignal> signal;
  run([&] { signal = AbortSignal::timeout(60000); });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK_FALSE(signal->aborted());
}

TEST_CASE("the timer goes with the last handle, a registration keeps it") {
  run([]() -> Task<> {
    (void)AbortSignal::timeout(50000);
    CHECK(timers() == 0);
    int calls = 0;
    {
      const leat::AbortRegistration kept = AbortSignal::timeout(3).onAbort([&] { ++calls; });
      CHECK(timers() == 1);
      co_await leat::sleep(15);
      CHECK(calls == 1);
    }
    {
      leat::AbortRegistration gone = AbortSignal::timeout(50000).onAbort([&] { ++calls; });
      CHECK(timers() == 1);
      gone.off();
      CHECK(timers() == 0);
    }
    const AbortSignal any = AbortSignal::any(AbortSignal::timeout(2));
    CHECK(timers() == 1);
    co_await leat::sleep(15);
    CHECK(any.aborted());
    CHECK(calls == 1);
  });
}

TEST_CASE("a handle that is dropped inside of its own listener is no trouble") {
  run([]() -> Task<> {
    auto signal = std::make_shared<std::optional<AbortSignal>>(AbortSignal::timeout(1));
    leat::AbortRegistration registration;
    bool called = false;
    registration = (*signal)->onAbort([&] {
      signal->reset();
      registration.off();
      called = true;
    });
    co_await leat::sleep(10);
    CHECK(called);
  });
}

TEST_CASE("the last handle may go on any thread, while the timer fires too, and after the loop") {
  for (int i = 0; i < 60; ++i) {
    run([&] {
      auto signal = std::make_unique<AbortSignal>(AbortSignal::timeout(1 + i % 2));
      std::thread dropper([owned = std::move(signal), i]() mutable {
        ::usleep(static_cast<useconds_t>(500 + 30 * i));
        (void)owned->aborted();
        owned.reset();
      });
      auto shared = std::make_shared<std::thread>(std::move(dropper));
      leat::setTimeout([shared] { shared->join(); }, i % 3 == 0 ? 5 : 1);
    });
  }
  std::optional<AbortSignal> outlives;
  run([&] { outlives = AbortSignal::timeout(10000); });
  std::thread([&] { outlives.reset(); }).join();
  run([&] { outlives = AbortSignal::timeout(10000); });
  run([&] { outlives.reset(); });
}

TEST_CASE("times that are out of range are refused") {
  run([] {
    CHECK_THROWS_AS(AbortSignal::timeout(-1), leat::RangeError);
    CHECK_THROWS_WITH(AbortSignal::timeout(2147483648LL),
                      leat_test::containsText("Received 2147483648"));
    CHECK_FALSE(AbortSignal::timeout(2147483647).aborted());
    CHECK_FALSE(AbortSignal::timeout(0).aborted());
  });
  CHECK_THROWS_WITH(AbortSignal::timeout(1), leat_test::containsText("no event loop"));
}
