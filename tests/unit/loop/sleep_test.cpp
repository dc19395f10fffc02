// SPDX-License-Identifier: MIT
#include <leat/core/with_context.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <chrono>
#include <limits>
#include <vector>

using leat::AbortController;
using leat::EventLoop;
using leat::run;
using leat::sleep;
using leat::spawn;
using leat::Task;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// How an awaitable ends: "done" or the code of what it throws.
template <class A>
Task<std::string> codeOf(A awaitable) {
  std::string code = "done";
  try {
    (void)co_await std::move(awaitable);
  } catch (const leat::Error& e) {
    code = e.code();
  }
  co_return code;
}
Task<std::string> codeOfVoid(leat::Sleep awaitable) {
  std::string code = "done";
  try {
    co_await std::move(awaitable);
  } catch (const leat::Error& e) {
    code = e.code();
  }
  co_return code;
}

}  // namespace

TEST_CASE("a sleep lasts at least as long as it was told, also a fraction of a millisecond") {
  run([]() -> Task<> {
    for (const auto time : {1500us, 3000us, 100us}) {
      const auto start = Clock::now();
      co_await sleep(time);
      CHECK(Clock::now() - start >= time);
    }
    co_await sleep(0);
    co_await sleep(-1);
    const auto start = Clock::now();
    leat::Sleep later = sleep(2);
    co_await std::move(later);
    CHECK(Clock::now() - start >= 2ms);
  });
}

TEST_CASE("a sleep longer than a timer goes on when its first timer has fired") {
  run([]() -> Task<> {
    EventLoop& loop = EventLoop::current();
    AbortController controller;
    std::string trace;
    const auto sleeping = [&](const auto& time) -> leat::Promise<> {
      trace += co_await codeOfVoid(sleep(time, {.signal = controller})) + " ";
    };
    const std::uint64_t before = loop.metrics().timersFired;
    const auto some = sleeping(2147483647LL + 2);
    const auto days = sleeping(std::chrono::hours(24 * 30));
    const auto endless = sleeping(std::numeric_limits<double>::infinity());
    while (loop.metrics().timersFired < before + 2) co_await leat::nextImmediate();
    co_await sleep(1);
    CHECK(trace.empty());
    CHECK(loop.metrics().timers == 3);
    CHECK(loop.metrics().references == 3);
    controller.abort();
    co_await some;
    co_await days;
    co_await endless;
    CHECK(trace == "ABORT_ERR ABORT_ERR ABORT_ERR ");
    CHECK(loop.metrics().timers == 0);
    CHECK(loop.metrics().references == 0);
  });
}

TEST_CASE("sleeps hold the loop unless told otherwise, and wake in order") {
  std::string trace;
  run([&] {
    for (int i = 0; i < 3; ++i) {
      (void)spawn(
          [&](int n) -> Task<> {
            co_await sleep(n * 4 + 1);
            trace += std::to_string(n);
          },
          i);
    }
    (void)spawn([&]() -> Task<> {
      co_await sleep(100000, {.ref = false});
      trace += "x";
    });
  });
  CHECK(trace == "012");
}

TEST_CASE(
    "a sleep is aborted by its own signal and by the one around, before and after it begins") {
  std::string trace;
  run([&]() -> Task<> {
    AbortController controller;
    leat::setTimeout([controller] { controller.abort(); }, 2);
    trace += co_await codeOfVoid(sleep(100000, {.signal = controller}));
    trace += " ";
    trace += co_await codeOfVoid(sleep(100000, {.signal = controller}));
    trace += " ";
    AbortController around;
    leat::setTimeout([around] { around.abort(); }, 2);
    trace += co_await codeOfVoid(sleep(1));
    trace += " ";
    trace += co_await leat::withSignal(around.signal(), codeOfVoid(sleep(100000)));
    CHECK(EventLoop::current().metrics().timers == 0);
    CHECK(EventLoop::current().metrics().references == 0);
  });
  CHECK(trace == "ABORT_ERR ABORT_ERR done ABORT_ERR");
}

TEST_CASE("abort does not go on with the sleeper inside of the call") {
  std::string trace;
  run([&] {
    AbortController controller;
    (void)spawn(
        [&]() -> Task<> { trace += co_await codeOfVoid(sleep(100000, {.signal = controller})); });
    controller.abort();
    trace += "returned ";
    return sleep(1);
  });
  CHECK(trace == "returned ABORT_ERR");
}

TEST_CASE("an abort in the same batch as the timer gives one outcome, whichever is first") {
  for (int order = 0; order < 2; ++order) {
    std::string trace;
    run([&] {
      AbortController controller;
      const auto abort = [controller] { controller.abort(); };
      if (order == 0) leat::setTimeout(abort, 3);
      const auto sleeper = [&trace, signal = controller.signal()]() -> Task<> {
        trace += co_await codeOfVoid(sleep(3, {.signal = signal}));
      };
      (void)spawn(sleeper);
      if (order == 1) leat::setTimeout(abort, 3);
    });
    CHECK((trace == "ABORT_ERR" || trace == "done"));
  }
}

TEST_CASE("the reason of the abort is the cause") {
  run([]() -> Task<> {
    std::string cause;
    try {
      co_await sleep(
          1, {.signal = leat::AbortSignal::abort(std::make_exception_ptr(leat::Error("because")))});
    } catch (const leat::AbortError& e) {
      cause = leat::describe(e.cause());
    }
    CHECK(cause == "Error: because");
  });
}

TEST_CASE("nextImmediate waits for the check phase, yield for a microtask") {
  std::string trace;
  run([&]() -> Task<> {
    leat::setImmediate([&] { trace += "i"; });
    leat::queueMicrotask([&] { trace += "m"; });
    co_await leat::yield();
    trace += "y";
    co_await leat::nextImmediate();
    trace += "n";
    const std::string code = co_await codeOf([]() -> Task<int> {
      co_await leat::nextImmediate(leat::AbortSignal::abort());
      co_return 1;
    }());
    trace += code;
    AbortController controller;
    leat::queueMicrotask([controller] { controller.abort(); });
    bool aborted = false;
    try {
      co_await leat::nextImmediate(controller.signal());
    } catch (const leat::AbortError&) {
      aborted = true;
    }
    CHECK(aborted);
  });
  CHECK(trace == "myinABORT_ERR");
}

TEST_CASE("an interval gives its ticks one after the other, also those that nobody waited for") {
  run([]() -> Task<> {
    leat::Interval interval(3);
    std::vector<std::uint64_t> ticks;
    const auto start = Clock::now();
    ticks.push_back(co_await interval.next());
    co_await sleep(15);
    for (int i = 0; i < 3; ++i) ticks.push_back(co_await interval.next());
    CHECK(Clock::now() - start >= 12ms);
    CHECK(ticks == std::vector<std::uint64_t>{0, 1, 2, 3});
  });
}

TEST_CASE("an interval ends with the object, and its wait with an abort") {
  std::string code;
  run([&]() -> Task<> {
    AbortController controller;
    {
      leat::Interval interval(100000, {.signal = controller});
      leat::setTimeout([controller] { controller.abort(); }, 2);
      try {
        (void)co_await interval.next();
      } catch (const leat::AbortError& e) {
        code = e.code();
      }
    }
    CHECK(EventLoop::current().metrics().timers == 0);
  });
  CHECK(code == "ABORT_ERR");
}
