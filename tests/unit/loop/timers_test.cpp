// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

using leat::clearInterval;
using leat::clearTimeout;
using leat::EventLoop;
using leat::run;
using leat::setImmediate;
using leat::setInterval;
using leat::setTimeout;
using leat::Task;
using leat::Timeout;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

void busy(std::chrono::milliseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("timers of one duration fire in order, and none early") {
  std::vector<int> order;
  run([&] {
    for (int i = 0; i < 100; ++i) {
      const auto due = Clock::now() + 3ms;
      setTimeout(
          [&, i, due] {
            CHECK(Clock::now() >= due);
            order.push_back(i);
          },
          3);
    }
  });
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a wait longer than a timer is cut into timers that add up to it") {
  using leat::detail::LongWait;
  using leat::detail::longWaitMs;
  constexpr std::int64_t longest = 2147483647;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(longWaitMs(longest + 1) == longest + 1);
  CHECK(longWaitMs(std::numeric_limits<unsigned long long>::max()) == most);
  CHECK(longWaitMs(-7) == 1);
  CHECK(longWaitMs(0) == 1);
  CHECK(longWaitMs(std::nan("")) == 1);
  CHECK(longWaitMs(std::numeric_limits<double>::infinity()) == most);
  CHECK(longWaitMs(-std::numeric_limits<double>::infinity()) == 1);
  CHECK(longWaitMs(0.2) == 1);
  CHECK(longWaitMs(2147483647.5) == longest + 1);
  CHECK(longWaitMs(2900us) == 3);
  CHECK(longWaitMs(3ms) == 3);
  CHECK(longWaitMs(std::chrono::hours(24 * 365)) == 31'536'000'000);
  for (const std::int64_t ms :
       {std::int64_t{1}, longest - 1, longest, longest + 1, 2 * longest, 5 * longest + 12'345}) {
    LongWait wait(ms);
    std::int64_t sum = 0;
    while (!wait.over()) {
      const std::int64_t part = wait.next();
      REQUIRE(part > 0);
      sum += part;
    }
    CHECK(sum == ms);
  }
  LongWait endless(most);
  (void)endless.next();
  for (int i = 0; i < 1000; ++i) CHECK(endless.next() == longest);
  CHECK_FALSE(endless.over());
}

TEST_CASE("durations are milliseconds or of chrono; what makes no sense is one millisecond") {
  run([] {
    CHECK(leat::detail::timerMs(0) == 1);
    CHECK(leat::detail::timerMs(-7) == 1);
    CHECK(leat::detail::timerMs(2147483647) == 2147483647);
    CHECK(leat::detail::timerMs(2147483648LL) == 1);
    CHECK(leat::detail::timerMs(std::numeric_limits<unsigned long long>::max()) == 1);
    CHECK(leat::detail::timerMs(std::nan("")) == 1);
    CHECK(leat::detail::timerMs(std::numeric_limits<double>::infinity()) == 1);
    CHECK(leat::detail::timerMs(2.9) == 2);
    CHECK(leat::detail::timerMs(2s) == 2000);
    CHECK(leat::detail::timerMs(2900us) == 2);
    CHECK(leat::detail::waitMs(2900us) == 3);
    CHECK(leat::detail::waitMs(3ms) == 3);
    CHECK(leat::detail::waitMs(std::chrono::duration<double>(0.0101)) == 11);
    CHECK(leat::detail::waitMs(std::nan("")) == 1);
    const auto start = Clock::now();
    setTimeout([start] { CHECK(Clock::now() - start < 5s); }, std::nan(""));
    setTimeout([start] { CHECK(Clock::now() - start < 5s); }, 1e300);
    setTimeout([start] { CHECK(Clock::now() - start < 5s); }, -1);
    setTimeout([start] { CHECK(Clock::now() - start < 5s); });
    setTimeout([start] { CHECK(Clock::now() - start >= 4ms); }, 4ms);
  });
}

TEST_CASE("arguments are passed on; what may only be moved may be captured") {
  std::string trace;
  run([&] {
    setTimeout([&](int a, const std::string& b) { trace += std::to_string(a) + b; }, 1, 7, "seven");
    setTimeout([&, p = std::make_unique<int>(3)] { trace += std::to_string(*p); }, 2);
    setImmediate([&](std::string_view s) { trace += s; }, std::string("i"));
  });
  CHECK_THAT(trace, leat_test::containsText("7seven"));
  CHECK(trace.size() == 8);
}

TEST_CASE("a late loop empties the due timers of one duration before the next duration") {
  std::string trace;
  run([&] {
    setTimeout([&] { trace += "a5 "; }, 5);
    setTimeout([&] { trace += "c6 "; }, 6);
    busy(10ms);
    setTimeout([&] { trace += "b5 "; }, 5);
    busy(20ms);
  });
  CHECK(trace == "a5 b5 c6 ");
}

TEST_CASE("a timer counts from when it is set, not from the start of the turn") {
  std::string trace;
  run([&] {
    setTimeout([&] { trace += "A"; }, 15);
    busy(20ms);
    setTimeout([&] { trace += "B"; }, 1);
  });
  CHECK(trace == "AB");
}

TEST_CASE("a timer set in a timer fires in a later turn") {
  std::string trace;
  run([&] {
    setTimeout(
        [&] {
          trace += "1";
          setTimeout([&] { trace += "3"; }, 0);
          setImmediate([&] { trace += "2"; });
          busy(3ms);
        },
        1);
  });
  CHECK(trace == "123");
}

TEST_CASE("ticks and microtasks come between two timers that are due together") {
  std::string trace;
  run([&] {
    for (const char* name : {"a", "b"}) {
      setTimeout(
          [&, name] {
            trace += name;
            leat::queueMicrotask([&] { trace += "m"; });
            leat::nextTick([&] { trace += "t"; });
          },
          1);
    }
    busy(5ms);
  });
  CHECK(trace == "atmbtm");
}

TEST_CASE(
    "clearing is honoured also for a timer that is due in the same batch; again it does nothing") {
  std::string trace;
  run([&] {
    auto second = std::make_shared<Timeout>();
    const Timeout first = setTimeout(
        [&, second] {
          trace += "1";
          clearTimeout(*second);
          clearInterval(*second);
        },
        1);
    *second = setTimeout([&] { trace += "x"; }, 1);
    setTimeout([&] { trace += "2"; }, 1);
    busy(5ms);
    setTimeout([first] { clearTimeout(first); }, 5);
    clearTimeout(Timeout());
  });
  CHECK(trace == "12");
}

TEST_CASE("unref lets the loop end, ref holds it; both tell what they did") {
  std::string trace;
  run([&] {
    const Timeout one = setTimeout([&] { trace += "x"; }, 10000).unref();
    CHECK_FALSE(one.hasRef());
    CHECK(one.active());
    const Timeout two = setTimeout([&] { trace += "2"; }, 2);
    CHECK(two.hasRef());
    two.unref().unref().ref();
    CHECK(two.hasRef());
    CHECK(EventLoop::current().metrics().references == 1);
  });
  CHECK(trace == "2");
}

TEST_CASE("an immediate that runs, has run or was cleared has no reference") {
  std::string trace;
  run([&] {
    auto one = std::make_shared<leat::Immediate>();
    *one = setImmediate([&trace, one] { trace += one->hasRef() ? "r" : "-"; });
    CHECK(one->hasRef());
    const leat::Immediate two = setImmediate([&] { trace += "x"; });
    leat::clearImmediate(two);
    CHECK_FALSE(two.hasRef());
  });
  CHECK(trace == "-");
}

TEST_CASE("refresh starts a timer anew, also one that has fired, but not one that was cleared") {
  int fired = 0;
  run([&] {
    auto timer = std::make_shared<Timeout>();
    const auto start = Clock::now();
    // Started first, it is due first.
    setTimeout([timer] { timer->refresh(); }, 10);
    *timer = setTimeout(
        [&, timer, start] {
          if (++fired == 1) CHECK(Clock::now() - start >= 30ms);
          if (fired < 3) {
            timer->refresh();
          } else {
            timer->close();
          }
        },
        20);
    const Timeout cleared = setTimeout([&] { fired += 100; }, 1);
    cleared.close();
    cleared.refresh();
    CHECK_FALSE(cleared.active());
  });
  CHECK(fired == 3);
}

TEST_CASE("an interval is due one period after its callback began, and makes up for nothing") {
  std::vector<Clock::time_point> starts;
  const auto begin = Clock::now();
  run([&] {
    auto interval = std::make_shared<Timeout>();
    *interval = setInterval(
        [&, interval] {
          starts.push_back(Clock::now());
          if (starts.size() == 2) busy(35ms);
          if (starts.size() == 5) clearInterval(*interval);
        },
        10);
  });
  REQUIRE(starts.size() == 5);
  // What no stall makes shorter: of the callback that is late the next is a whole period away.
  CHECK(starts[1] - begin >= 20ms);
  CHECK(starts[4] - starts[1] >= 55ms);
}

TEST_CASE("an interval whose callback throws goes on when the exception is handled elsewhere") {
  const auto end = leat_test::inChild(
      [] { return run([] { setInterval([] { throw leat::Error("in the interval"); }, 1); }); });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, leat_test::containsText("in the interval"));
}

TEST_CASE("a callback that is a coroutine is driven, and keeps its closure while the timer goes") {
  std::string trace;
  run([&] {
    auto text = std::make_shared<std::string>("kept");
    const Timeout timer = setTimeout(
        [&, text]() -> Task<> {
          co_await leat::sleep(5);
          trace += *text;
        },
        1);
    setTimeout([timer] { timer.close(); }, 3);
  });
  CHECK(trace == "kept");
}

TEST_CASE("a callback sees the stores that were there when it was set") {
  leat::AsyncLocalStorage<int> storage;
  int seen = 0;
  run([&] {
    storage.run(6, [&] { setTimeout([&] { seen = *storage.getStore(); }, 1); });
    storage.run(7, [&] { setImmediate([&] { seen += 10 * *storage.getStore(); }); });
  });
  CHECK(seen % 10 == 6);
}

TEST_CASE("a timer lets go of its closure when it has fired or was cleared and no handle is left") {
  auto token = std::make_shared<int>(0);
  run([&] {
    setTimeout([token] {}, 1);
    setTimeout([token] {}, 1000).close();
    CHECK(token.use_count() == 2);
    setTimeout([&] { CHECK(token.use_count() == 1); }, 20);
  });
}

TEST_CASE("a hundred thousand timers of random durations all fire, none early, half are cleared") {
  constexpr int count = LEAT_ASAN || LEAT_TSAN ? 10'000 : 100'000;
  int fired = 0, early = 0;
  run([&] {
    unsigned seed = 12345;
    for (int i = 0; i < count; ++i) {
      seed = seed * 1103515245 + 12345;
      const auto ms = static_cast<int>((seed >> 16) % 50 + 1);
      const auto due = Clock::now() + std::chrono::milliseconds(ms);
      const Timeout timer = setTimeout(
          [&, due] {
            ++fired;
            early += Clock::now() < due;
          },
          ms);
      if (i % 2 == 0) timer.close();
    }
    CHECK(EventLoop::current().metrics().timers == count / 2);
  });
  CHECK(fired == count / 2);
  CHECK(early == 0);
}

TEST_CASE("a closure that owns a handle to its own timer goes when that is cleared or has run") {
  auto token = std::make_shared<int>(0);
  run([&] {
    auto interval = std::make_shared<Timeout>();
    *interval = setInterval([token, interval] { clearInterval(*interval); }, 1);
    auto before = std::make_shared<Timeout>();
    *before = setTimeout([token, before] { FAIL(); }, 1);
    before->close();
    auto immediate = std::make_shared<leat::Immediate>();
    *immediate = setImmediate([token, immediate] { immediate->close(); });
    auto cleared = std::make_shared<leat::Immediate>();
    *cleared = setImmediate([token, cleared] { FAIL(); });
    cleared->close();
    auto pending = std::make_shared<Timeout>();
    *pending = setInterval([token, pending] {}, 100000);
    pending->unref();
  });
  CHECK(token.use_count() == 1);
}

TEST_CASE("a callback that clears its timer may go on to use its captures") {
  std::string trace;
  run([&] {
    auto timer = std::make_shared<Timeout>();
    *timer = setInterval(
        [&, timer, text = std::string("a long text that is not kept in place")] {
          clearInterval(*timer);
          timer->refresh();
          trace += text;
        },
        1);
  });
  CHECK(trace == "a long text that is not kept in place");
}
