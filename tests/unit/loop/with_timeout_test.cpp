// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/with_timeout.hpp>

#include <leat_test.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <started.hpp>

using leat::AbortController;
using leat::EventLoop;
using leat::run;
using leat::sleep;
using leat::Task;
using leat::withTimeout;
using namespace std::chrono_literals;

namespace {

/// How an awaitable ends: its value, or the name and message of what it throws.
template <class A>
Task<std::string> outcome(A awaitable) {
  std::string text;
  try {
    if constexpr (std::is_void_v<leat::AwaitResult<A>>) {
      co_await std::move(awaitable);
      text = "done";
    } else {
      text = std::to_string(co_await std::move(awaitable));
    }
  } catch (const leat::Error& e) {
    text = std::string(e.name()) + " " + e.what();
  }
  co_return text;
}

Task<int> slowAnswer(int ms, int answer) {
  co_await sleep(ms);
  co_return answer;
}

/// Does not care for the abort, except that it comes early.
Task<int> stubborn() {
  try {
    co_await sleep(10000);
  } catch (const leat::AbortError&) {
    co_return 7;
  }
  co_return 8;
}

constexpr const char* timedOut5 =
    "TimeoutError The operation was aborted due to timeout after 5 ms";

}  // namespace

TEST_CASE("work that ends in time gives its value, and the timer is gone") {
  run([]() -> Task<> {
    const auto got1 = co_await outcome(withTimeout(60'000, slowAnswer(1, 42)));
    CHECK(got1 == "42");
    const auto got2 = co_await outcome(withTimeout(60s, sleep(1)));
    CHECK(got2 == "done");
    CHECK(EventLoop::current().metrics().timers == 0);
    CHECK(EventLoop::current().metrics().references == 0);
    std::unique_ptr<int> owned = co_await withTimeout(
        100, []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); });
    CHECK(*owned == 3);
    int number = 5;
    const auto refer = [&]() -> Task<int&> { co_return number; };
    int& same = co_await withTimeout(100, refer);
    CHECK(&same == &number);
  });
}

TEST_CASE("work that takes too long is aborted and ends with a TimeoutError that tells the time") {
  run([]() -> Task<> {
    const auto got3 = co_await outcome(withTimeout(5, slowAnswer(10000, 1)));
    CHECK(got3 == timedOut5);
    const auto got4 = co_await outcome(withTimeout(5ms, sleep(10000)));
    CHECK(got4 == timedOut5);
    const auto got5 = co_await outcome(withTimeout(5, [] { return slowAnswer(10000, 1); }));
    CHECK(got5 == timedOut5);
    const auto work = []() -> Task<> { co_await sleep(10000); };
    const auto got6 = co_await outcome(withTimeout(5, work));
    CHECK(got6 == timedOut5);
    std::string code;
    try {
      co_await withTimeout(5, sleep(10000));
    } catch (const leat::TimeoutError& e) {
      code = e.code();
    }
    CHECK(code == "TIMEOUT_ERR");
  });
}

TEST_CASE("the end of the aborted work is awaited; clean-up under a shield takes its time") {
  std::string trace;
  run([&]() -> Task<> {
    const auto work = [&]() -> Task<> {
      bool aborted = false;
      try {
        co_await sleep(10000);
      } catch (const leat::AbortError&) {
        aborted = true;
      }
      co_await leat::shielded(sleep(10));
      trace += aborted ? "cleaned " : "wrong ";
      co_await sleep(1);
    };
    trace += co_await outcome(withTimeout(5, work));
  });
  CHECK(trace == std::string("cleaned ") + timedOut5);
}

TEST_CASE("a value that comes although the time is over is given") {
  run([]() -> Task<> {
    const auto got7 = co_await outcome(withTimeout(5, stubborn()));
    CHECK(got7 == "7");
  });
}

TEST_CASE("an exception of the work itself goes through, also after the time") {
  run([]() -> Task<> {
    const auto early = []() -> Task<> {
      co_await sleep(1);
      throw leat::Error("early");
    };
    const auto got8 = co_await outcome(withTimeout(60'000, early));
    CHECK(got8 == "Error early");
    const auto late = []() -> Task<> {
      try {
        co_await sleep(10000);
      } catch (const leat::AbortError&) {
      }
      throw leat::Error("late");
    };
    const auto got9 = co_await outcome(withTimeout(5, late));
    CHECK(got9 == "Error late");
  });
}

TEST_CASE("the reason itself, thrown by the work, is the timeout, too") {
  run([]() -> Task<> {
    const auto work = []() -> Task<> {
      const leat::AbortSignal signal{
          leat::detail::Ref<leat::detail::AbortState>(leat::detail::ambientSignal())};
      const leat::AbortSignal mine = signal;
      try {
        co_await sleep(10000);
      } catch (const leat::AbortError&) {
      }
      mine.throwIfAborted();
    };
    const auto got10 = co_await outcome(withTimeout(5, work));
    CHECK(got10 == timedOut5);
  });
}

TEST_CASE("nested timeouts tell which of them was it") {
  run([]() -> Task<> {
    const auto got11 = co_await outcome(withTimeout(5, withTimeout(60'000, sleep(100'000))));
    CHECK(got11 == timedOut5);
    const auto got12 = co_await outcome(withTimeout(60'000, withTimeout(5, sleep(100'000))));
    CHECK(got12 == timedOut5);
    std::string inner;
    const auto work = [&]() -> Task<> {
      inner = co_await outcome(withTimeout(1000, sleep(10000)));
      co_await sleep(10000);
    };
    const auto got13 = co_await outcome(withTimeout(5, work));
    CHECK(got13 == timedOut5);
    CHECK(inner == "AbortError The operation was aborted");
  });
}

TEST_CASE("an abort from outside is no timeout") {
  run([]() -> Task<> {
    AbortController controller;
    leat::setTimeout([controller] { controller.abort(); }, 2);
    const auto got14 =
        co_await outcome(leat::withSignal(controller.signal(), withTimeout(1000, sleep(10000))));
    CHECK(got14 == "AbortError The operation was aborted");
    CHECK(EventLoop::current().metrics().timers == 0);
  });
}

TEST_CASE("it holds the loop until the time is over") {
  const auto start = std::chrono::steady_clock::now();
  std::string end;
  const int code = run([&]() -> Task<> {
    const auto work = [&]() -> Task<> { co_await sleep(1000000, {.ref = false}); };
    end = co_await outcome(withTimeout(20, work));
  });
  CHECK(code == 0);
  CHECK_THAT(end, leat_test::containsText("after 20 ms"));
  CHECK(std::chrono::steady_clock::now() - start >= 20ms);
}

TEST_CASE("a blocking call under a timeout does not keep it waiting") {
  struct Gate {
    leat::detail::Atomic<int> begun{0}, opened{0}, left{0};
  };
  auto gate = std::make_shared<Gate>();
  run([&]() -> Task<> {
    const auto block = [gate] {
      gate->begun.store(1);
      while (gate->opened.load() == 0) ::usleep(200);
      gate->left.store(1);
    };
    const auto work = [&]() -> Task<> { co_await leat::blocking(block); };
    const std::string end = co_await outcome(withTimeout(5, work));
    CHECK(end == timedOut5);
    CHECK(gate->left.load() == 0);
  });
  gate->opened.store(1);
  // A call that no thread has begun by then never will.
  while (gate->begun.load() == 1 && gate->left.load() == 0) ::usleep(200);
}

TEST_CASE("the stores of the caller are there in the work") {
  leat::AsyncLocalStorage<int> storage;
  run([&] {
    storage.run(9, [&] {
      (void)leat::spawn([&]() -> Task<> {
        const auto work = [&]() -> Task<int> {
          co_await sleep(1);
          co_return *storage.getStore();
        };
        const auto got16 = co_await withTimeout(60'000, work);
        CHECK(got16 == 9);
      });
    });
  });
}

TEST_CASE("one that is never awaited starts nothing; one that is destroyed takes its timer along") {
  run([] {
    {
      auto unused = withTimeout(5, sleep(1));
    }
    CHECK(EventLoop::current().metrics().timers == 0);
    leat_test::Started<> dropped(withTimeout(100000, sleep(100000)));
    CHECK(EventLoop::current().metrics().timers == 2);
    dropped.drop();
    CHECK(EventLoop::current().metrics().timers == 0);
    CHECK(EventLoop::current().metrics().references == 0);
    (void)leat::spawn([]() -> Task<> { co_await withTimeout(100000, sleep(100000)); });
    CHECK(EventLoop::current().metrics().timers == 2);
    leat::setImmediate([] { EventLoop::current().stop(); });
  });
}

TEST_CASE("a timeout of nothing lets work that is ready go first") {
  run([]() -> Task<> {
    const auto ready = []() -> Task<int> { co_return 1; };
    const auto got17 = co_await outcome(withTimeout(0, ready()));
    CHECK(got17 == "1");
    const auto got18 = co_await outcome(withTimeout(-5, sleep(1000)));
    CHECK_THAT(got18, leat_test::containsText("TimeoutError"));
  });
}

TEST_CASE("a promise is waited for until the time is over, and its work goes on") {
  bool finished = false;
  const int code = run([&]() -> Task<> {
    const auto gate = leat::Promise<>::withResolvers();
    auto work = [&]() -> leat::Promise<int> {
      co_await gate.promise;
      finished = true;
      co_return 1;
    };
    auto promise = work();
    std::string what;
    try {
      (void)co_await leat::withTimeout(5, promise);
    } catch (const leat::TimeoutError& error) {
      what = error.what();
    }
    CHECK(what == "The operation was aborted due to timeout after 5 ms");
    CHECK_FALSE(finished);
    gate.resolve();
    const int value = co_await leat::withTimeout(std::chrono::seconds(60), promise);
    CHECK(value == 1);
    CHECK(finished);
  });
  CHECK(code == 0);
}

TEST_CASE("a time longer than a timer is not over with its first timer") {
  run([]() -> Task<> {
    EventLoop& loop = EventLoop::current();
    const auto answer = []() -> Task<int> {
      const std::uint64_t before = EventLoop::current().metrics().timersFired;
      // Its own sleeps fire as often.
      while (EventLoop::current().metrics().timersFired < before + 20) co_await sleep(1);
      co_return 7;
    };
    const auto promised = [&]() -> leat::Promise<int> { co_return co_await answer(); };
    constexpr long long some = 2147483647LL + 2;
    constexpr double endless = std::numeric_limits<double>::infinity();
    int sum = co_await withTimeout(some, answer);
    sum += co_await withTimeout(some, promised());
    sum += co_await withTimeout(std::chrono::hours(24 * 30), answer);
    sum += co_await withTimeout(endless, answer);
    sum += co_await withTimeout(endless, promised());
    CHECK(sum == 35);
    CHECK(loop.metrics().timers == 0);
    CHECK(loop.metrics().references == 0);
  });
}

TEST_CASE("a promise in time gives its value, moved, or throws its reason") {
  const int code = run([&]() -> Task<> {
    auto given = co_await leat::withTimeout(
        5000, leat::Promise<std::unique_ptr<int>>::resolve(std::make_unique<int>(7)));
    CHECK(*given == 7);
    std::string what;
    auto failed = leat::Promise<>::reject(leat::Error("reason"));
    try {
      co_await leat::withTimeout(5000, failed);
    } catch (const leat::Error& error) {
      what = error.what();
    }
    CHECK(what == "reason");
  });
  CHECK(code == 0);
}

TEST_CASE("a promise that never settles and is waited for in time holds the loop until then") {
  bool late = false;
  const int code = run([&]() -> Task<> {
    auto never = leat::Promise<>::withResolvers();
    try {
      co_await leat::withTimeout(5, never.promise);
    } catch (const leat::TimeoutError&) {
      late = true;
    }
    // A reason that comes after that is nobody's business, as with Promise.race.
    never.reject(leat::Error("too late"));
    co_await sleep(1);
  });
  CHECK(late);
  CHECK(code == 0);
}

TEST_CASE("a wait for a promise in time is torn down with its loop") {
  const int code = run([]() -> Task<> {
    auto waits = []() -> Task<> {
      auto never = leat::Promise<>::withResolvers();
      co_await leat::withTimeout(100'000, never.promise);
    };
    (void)leat::spawn(waits());
    co_await sleep(1);
    leat::EventLoop::current().stop();
  });
  CHECK(code == 0);
}
