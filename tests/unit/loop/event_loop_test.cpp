// SPDX-License-Identifier: MIT
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/testing/fuse.hpp>

#include <poll.h>
#include <signal.h>

#include <leat_test.hpp>
#include <backend.hpp>
#include <child.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using leat::EventLoop;
using leat::LoopMetrics;
using leat::Promise;
using leat::Ready;
using leat::run;
using leat::setImmediate;
using leat::setTimeout;
using leat::spawn;
using leat::Task;
using leat_test::containsText;

namespace {

template <class F>
std::string codeOf(F&& f) {
  try {
    f();
  } catch (const leat::Error& e) {
    return std::string(e.code());
  }
  return "nothing thrown";
}

struct Pipe {
  Pipe() { REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Pipe() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  void put() { REQUIRE(::write(fds[1], "x", 1) == 1); }
  int fds[2];
};

bool readable(int fd, int timeoutMs) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeoutMs) == 1;
}

}  // namespace

// ---- the order ----

TEST_CASE("main runs like a script: then ticks, microtasks, and the phases") {
  std::string trace;
  run([&] {
    setTimeout([&] { trace += "timer "; }, 0);
    setImmediate([&] { trace += "immediate "; });
    leat::queueMicrotask([&] { trace += "micro "; });
    leat::nextTick([&] { trace += "tick "; });
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    while (std::chrono::steady_clock::now() < end) {
    }
    trace += "main ";
  });
  CHECK(trace == "main tick micro timer immediate ");
}

TEST_CASE("after each callback come the ticks, then the microtasks, until both are empty") {
  std::string trace;
  run([&] {
    const auto noisy = [&](const char* name) {
      trace += name;
      leat::queueMicrotask([&] {
        trace += "m";
        leat::nextTick([&] { trace += "n"; });
        leat::queueMicrotask([&] { trace += "o"; });
      });
      leat::nextTick([&] { trace += "t"; });
      leat::nextTick([&] { trace += "u "; });
    };
    setImmediate([=] { noisy("A"); });
    setImmediate([=] {
      noisy("B");
      setTimeout([=] { noisy("C"); }, 1);
      setTimeout([=] { noisy("D"); }, 1);
    });
  });
  CHECK(trace == "Atu monBtu monCtu monDtu mon");
}

TEST_CASE("from a callback of the poll phase: tick, microtask, immediate, then the timer") {
  Pipe pipe;
  std::string trace;
  run([&]() -> Task<> {
    pipe.put();
    (void)co_await leat::wait(pipe.fds[0], Ready::Readable);
    trace += "poll ";
    setTimeout([&] { trace += "timer "; }, 0);
    setImmediate([&] { trace += "immediate "; });
    leat::queueMicrotask([&] { trace += "micro "; });
    leat::nextTick([&] { trace += "tick "; });
  });
  CHECK(trace == "poll tick micro immediate timer ");
}

TEST_CASE("an immediate queued by an immediate runs in the next turn; cleared ones do not run") {
  std::string trace;
  run([&] {
    auto third = std::make_shared<leat::Immediate>();
    setImmediate([&, third] {
      trace += "1";
      setImmediate([&] { trace += "4"; });
      leat::clearImmediate(*third);
    });
    setImmediate([&] { trace += "2"; });
    *third = setImmediate([&] { trace += "x"; });
    setImmediate([&] { trace += "3"; });
    setImmediate([&] { trace += "x"; }).close();
  });
  CHECK(trace == "1234");
}

TEST_CASE("an immediate without a reference does not hold the loop, but runs while that is held") {
  std::string trace;
  run([&] { setImmediate([&] { trace += "alone "; }).unref(); });
  CHECK(trace.empty());
  run([&] {
    const leat::Immediate one = setImmediate([&] { trace += "held "; }).unref();
    CHECK_FALSE(one.hasRef());
    setTimeout([] {}, 5);
    setImmediate([&] { trace += "again "; }).unref().ref();
  });
  CHECK(trace == "held again ");
}

// ---- running ----

TEST_CASE("the exit code is what main gives, what was set, or that of how it ended") {
  CHECK(run([] { return 3; }) == 3);
  CHECK(run([]() -> Task<int> { co_return 4; }) == 4);
  CHECK(run([]() -> Promise<int> { co_return 5; }) == 5);
  CHECK(run([] { EventLoop::current().setExitCode(6); }) == 6);
  CHECK(run([]() -> Task<> { co_return; }) == 0);
  const auto thrown = leat_test::inChild([] { return run([] { throw leat::Error("no"); }); });
  CHECK(thrown.code == 1);
  CHECK_THAT(thrown.err, containsText("Uncaught exception: Error: no"));
  const auto rejected = leat_test::inChild([] {
    return run([]() -> Task<> {
      throw leat::TypeError("bad", "ERR_BAD");
      co_return;
    });
  });
  CHECK(rejected.code == 1);
  CHECK_THAT(rejected.err, containsText("Unhandled rejection: TypeError: bad [ERR_BAD]"));
  constexpr unsigned line = __LINE__;
  const auto unsettled = leat_test::inChild([] {
    return run([]() -> Task<> {
      auto never = Promise<>::withResolvers();
      co_await never.promise;
    });
  });
  CHECK(unsettled.code == 13);
  CHECK_THAT(unsettled.err, containsText("Warning: Detected unsettled top-level await at "));
  CHECK_THAT(unsettled.err, containsText("event_loop_test.cpp:" + std::to_string(line + 2) + " ("));
}

TEST_CASE("run takes what can be called as main, and nothing else") {
  const auto plain = [] {};
  const auto number = [] { return 3L; };
  const auto task = []() -> Task<> { co_return; };
  const auto text = [] { return std::string(); };
  const auto argument = [](int) {};
  STATIC_REQUIRE(leat::detail::isMain<decltype(plain)>);
  STATIC_REQUIRE(leat::detail::isMain<decltype(number)>);
  STATIC_REQUIRE(leat::detail::isMain<decltype(task)&>);
  STATIC_REQUIRE(leat::detail::isMain<int (&)()>);
  STATIC_REQUIRE_FALSE(leat::detail::isMain<int>);
  STATIC_REQUIRE_FALSE(leat::detail::isMain<Task<>>);
  STATIC_REQUIRE_FALSE(leat::detail::isMain<decltype(text)>);
  STATIC_REQUIRE_FALSE(leat::detail::isMain<decltype(argument)>);
}

TEST_CASE("a loop runs until nothing is left, and may be run again") {
  EventLoop loop;
  std::string trace;
  CHECK_FALSE(loop.alive());
  loop.run();
  for (int round = 0; round < 3; ++round) {
    setTimeout([&] { trace += "t"; }, 1);
    CHECK(loop.alive());
    loop.run();
    CHECK_FALSE(loop.alive());
  }
  (void)spawn([&]() -> Task<> {
    co_await leat::sleep(1);
    trace += "s";
  });
  leat::nextTick([&] { trace += "n"; });
  loop.run();
  CHECK(trace == "tttns");
}

TEST_CASE("stop ends the run after the turn in progress, and the rest is there for the next run") {
  EventLoop loop;
  std::string trace;
  setImmediate([&] {
    trace += "a";
    loop.stop();
  });
  setImmediate([&] {
    trace += "b";
    setImmediate([&] { trace += "c"; });
  });
  setTimeout([&] { trace += "d"; }, 400);
  loop.run();
  CHECK(trace == "ab");
  CHECK(loop.stopped());
  CHECK(loop.alive());
  loop.run();
  CHECK_FALSE(loop.stopped());
  CHECK(trace == "abcd");
}

TEST_CASE("a run that was stopped before it began runs no timer, and the next one does") {
  EventLoop loop;
  int fired = 0;
  setTimeout([&] { ++fired; }, 1);
  const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  while (std::chrono::steady_clock::now() < due) {
  }
  loop.stop();
  loop.run();
  CHECK(fired == 0);
  CHECK(loop.stopped());
  loop.run();
  CHECK(fired == 1);
  CHECK_FALSE(loop.stopped());
}

TEST_CASE("a stop before or in a single turn is for that turn alone") {
  EventLoop loop;
  int turns = 0;
  const leat::Timeout later = setTimeout([] {}, 60'000);
  setImmediate([&] { ++turns; });
  loop.stop();
  CHECK(loop.runOnce(0));
  CHECK(turns == 0);
  setImmediate([&] { loop.stop(); });
  CHECK(loop.runOnce(0));
  CHECK(turns == 1);
  CHECK(loop.backendTimeout() > 0);
  later.close();
  setTimeout([&] { ++turns; }, 1);
  loop.run();
  CHECK(turns == 2);
  CHECK_FALSE(loop.stopped());
}

TEST_CASE("a turn inside of a run that was stopped happens, and the run ends all the same") {
  EventLoop loop;
  std::string trace;
  const leat::Timeout later = setTimeout([] {}, 60'000);
  setImmediate([&] {
    loop.stop();
    setImmediate([&] { trace += "n"; });
    loop.runOnce(0);
    trace += "i";
  });
  loop.run();
  CHECK(trace == "ni");
  CHECK(loop.stopped());
  later.close();
}

TEST_CASE("a loop that runs cannot be run inside of itself, or on another thread") {
  EventLoop loop;
  std::vector<std::string> codes;
  setImmediate([&] { codes.push_back(codeOf([&] { loop.run(); })); });
  loop.run();
  std::thread([&] {
    codes.push_back(codeOf([&] { loop.run(); }));
    codes.push_back(codeOf([&] { loop.runOnce(0); }));
    CHECK_THROWS_WITH(loop.run(), containsText("thread that made it"));
  }).join();
  CHECK(codes ==
        std::vector<std::string>{"ERR_LOOP_RUNNING", "ERR_WRONG_THREAD", "ERR_WRONG_THREAD"});
}

TEST_CASE("a thread has one loop at a time") {
  EventLoop loop;
  CHECK(codeOf([] { EventLoop second; }) == "ERR_LOOP_EXISTS");
  CHECK(codeOf([] { run([] {}); }) == "ERR_LOOP_EXISTS");
  CHECK(&EventLoop::current() == &loop);
  CHECK(EventLoop::currentOrNull() == &loop);
  std::thread([] {
    CHECK(EventLoop::currentOrNull() == nullptr);
    CHECK(codeOf([] { EventLoop::current(); }) == "ERR_NO_LOOP");
    CHECK(codeOf([] { setTimeout([] {}, 1); }) == "ERR_NO_LOOP");
    CHECK(codeOf([] { setImmediate([] {}); }) == "ERR_NO_LOOP");
    CHECK(codeOf([] { leat::nextTick([] {}); }) == "ERR_NO_LOOP");
    CHECK(codeOf([] { leat::queueMicrotask([] {}); }) == "ERR_NO_LOOP");
    CHECK(codeOf([] { (void)Promise<int>::resolve(1); }) == "ERR_NO_LOOP");
    CHECK_THROWS_WITH(EventLoop::current(), containsText("leat::run"));
    EventLoop own;
    CHECK(&EventLoop::current() == &own);
  }).join();
}

TEST_CASE(
    "a promise on the thread of another loop is refused with a sentence that says where to go") {
  run([] {
    auto resolvers = Promise<int>::withResolvers();
    std::thread([&] {
      CHECK_THROWS_WITH(resolvers.resolve(1), containsText("no event loop on this thread"));
      run([&] {
        CHECK(codeOf([&] { resolvers.resolve(1); }) == "ERR_WRONG_THREAD");
        CHECK(codeOf([&] { (void)resolvers.promise.then([](int) {}); }) == "ERR_WRONG_THREAD");
        CHECK_THROWS_WITH(resolvers.reject(leat::Error("x")),
                          containsText("another event loop") && containsText("post"));
      });
    }).join();
    CHECK(resolvers.promise.status() == leat::PromiseStatus::Pending);
    resolvers.resolve(2);
  });
}

// ---- embedding ----

TEST_CASE("runOnce makes one turn and waits no longer than it may") {
  EventLoop loop;
  CHECK_FALSE(loop.runOnce(0));
  int fired = 0;
  const leat::Timeout later = setTimeout([&] { ++fired; }, 60'000);
  CHECK(loop.runOnce(0));
  CHECK(fired == 0);
  auto start = std::chrono::steady_clock::now();
  CHECK(loop.runOnce(2));
  CHECK(fired == 0);
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(2));
  later.close();
  start = std::chrono::steady_clock::now();
  setTimeout([&] { ++fired; }, 30);
  while (loop.runOnce(-1)) {
  }
  CHECK(fired == 1);
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(30));
}

TEST_CASE("runOnce runs what was queued outside of the loop") {
  EventLoop loop;
  std::string trace;
  leat::nextTick([&] { trace += "n"; });
  leat::queueMicrotask([&] { trace += "m"; });
  setImmediate([&] { trace += "i"; });
  CHECK_FALSE(loop.runOnce(0));
  CHECK(trace == "nmi");
}

TEST_CASE("a foreign loop turns this one by its descriptor and its timeout") {
  EventLoop loop;
  Pipe pipe;
  std::string trace;
  (void)spawn([&]() -> Task<> {
    (void)co_await leat::wait(pipe.fds[0], Ready::Readable);
    trace += "r";
    co_await leat::sleep(200);
    trace += "s";
  });
  const int fd = loop.backendFd();
  loop.runOnce(0);
  CHECK_FALSE(readable(fd, 0));
  CHECK(loop.backendTimeout() == -1);
  pipe.put();
  CHECK(readable(fd, 1000));
  loop.runOnce(0);
  CHECK(trace == "r");
  const long timeout = loop.backendTimeout();
  CHECK(timeout >= 0);
  CHECK(timeout <= 201);
  // Without anything to come the timeout would be 0, however late the post.
  const leat::Timeout later = leat::setTimeout([] {}, 60'000);
  std::thread poster([&, ref = loop.ref()] { ref.post([&] { trace += "p"; }); });
  for (int turns = 0; trace.size() < 3 && turns < 1000; ++turns) {
    (void)readable(fd, static_cast<int>(loop.backendTimeout()));
    loop.runOnce(0);
  }
  poster.join();
  leat::clearTimeout(later);
  CHECK((trace == "rps" || trace == "rsp"));
  setImmediate([] {});
  CHECK(loop.backendTimeout() == 0);
}

TEST_CASE("a foreign loop does not wait while the back end or a queue has something") {
  EventLoop loop;
  Pipe pipe;
  pipe.put();
  bool started = false;
  bool served = false;
  setTimeout(
      [&] {
        started = true;
        (void)spawn([&]() -> Task<> {
          (void)co_await leat::wait(pipe.fds[0], Ready::Readable);
          served = true;
          (void)co_await leat::sleep(60'000);
        });
      },
      1);
  (void)loop.backendFd();
  // Timers are the last phase of a turn: what they wait for is ready behind the poll phase.
  while (!started) loop.runOnce(1);
  CHECK_FALSE(served);
  CHECK(loop.backendTimeout() == 0);
  loop.runOnce(0);
  CHECK(served);
  CHECK(loop.backendTimeout() > 0);
  leat::queueMicrotask([] {});
  CHECK(loop.backendTimeout() == 0);
}

TEST_CASE("the longest waits are no overflow") {
  EventLoop loop;
  int turns = 0;
  for (const long wait : {std::numeric_limits<long>::max(), std::numeric_limits<long>::min()}) {
    setImmediate([&] { ++turns; });
    CHECK_FALSE(loop.runOnce(wait));
  }
  CHECK(turns == 2);
}

TEST_CASE("a post wakes a foreign loop that sleeps on the descriptor, each time") {
  EventLoop loop;
  const int fd = loop.backendFd();
  for (int round = 0; round < 20; ++round) {
    int calls = 0;
    std::thread poster([&, ref = loop.ref()] { ref.post([&] { ++calls; }); });
    CHECK(readable(fd, 10000));
    poster.join();
    loop.runOnce(0);
    CHECK(calls == 1);
    CHECK_FALSE(readable(fd, 0));
  }
}

// ---- options and figures ----

TEST_CASE("the back end has a name and a reason, and one that is unknown is refused") {
  const auto end = leat_test::inChild([] {
    ::unsetenv("LEAT_BACKEND");
    bool good = true;
    {
      EventLoop loop;
      good = good && (loop.backend() == "io_uring" || loop.backend() == "epoll") &&
             !loop.backendReason().empty();
    }
    {
      EventLoop loop({.backend = "epoll"});
      good =
          good && loop.backend() == "epoll" && loop.backendReason() == "asked for by the program";
    }
    ::setenv("LEAT_BACKEND", "epoll", 1);
    {
      EventLoop loop;
      good = good && loop.backendReason() == "asked for by LEAT_BACKEND";
    }
    ::setenv("LEAT_BACKEND", "kqueue", 1);
    try {
      EventLoop loop;
      good = false;
    } catch (const leat::RangeError& e) {
      good = good && e.code() == "ERR_UNKNOWN_BACKEND" &&
             std::string(e.what()).find("'kqueue'") != std::string::npos;
    }
    // Nothing of it is left: the thread has no loop.
    good = good && EventLoop::currentOrNull() == nullptr;
    EventLoop loop({.backend = "epoll"});
    return good ? 0 : 1;
  });
  CHECK(end.code == 0);
  CHECK_THROWS_AS(EventLoop({.backend = "nothing"}), leat::RangeError);
  CHECK_THROWS_WITH(EventLoop({.busyPoll = -1}),
                    "The value of \"options.busyPoll\" is out of range. It must be >= 0 && <= "
                    "2147483647. Received -1");
}

TEST_CASE("metrics count turns, events, timers and the time asleep") {
  run([]() -> Task<> {
    EventLoop& loop = EventLoop::current();
    const LoopMetrics before = loop.metrics();
    Pipe pipe;
    // After the poll phase: what can be read before the first look at it needs no event.
    setImmediate([&] { pipe.put(); });
    (void)co_await leat::wait(pipe.fds[0], Ready::Readable);
    // Without an end of its time on the way to the kernel.
    std::uint64_t sleeps = 0;
    do {
      co_await leat::sleep(10);
    } while (loop.metrics().blockedNs - before.blockedNs < 5'000'000 && ++sleeps < 100);
    const LoopMetrics after = loop.metrics();
    CHECK(after.turns > before.turns);
    CHECK(after.events > before.events);
    CHECK(after.completions == before.completions + 1);
    CHECK(after.timersFired == before.timersFired + sleeps + 1);
    CHECK(after.blockedNs - before.blockedNs >= 5'000'000);
    const leat::Timeout one = setTimeout([] {}, 1000), two = setTimeout([] {}, 1000).unref();
    const leat::Immediate immediate = setImmediate([] {});
    leat::queueMicrotask([] {});
    leat::nextTick([] {});
    const LoopMetrics now = loop.metrics();
    CHECK(now.timers == 2);
    CHECK(now.immediates == 1);
    CHECK(now.queued == 2);
    CHECK(now.references == 1);
    one.close();
    two.close();
    CHECK(loop.metrics().timers == 0);
    CHECK(loop.metrics().references == 0);
  });
}

TEST_CASE("with busyPoll the loop works the same, and asks the kernel more often") {
  leat::testing::FaultInjector injector;
  int fired = 0;
  bool posted = false, asked = false;
  run(
      [&] {
        const auto interval = std::make_shared<leat::Timeout>();
        *interval = leat::setInterval(
            [&, interval] {
              // A ring tells by its memory, without a call, that nothing has come.
              const auto turns = static_cast<long>(EventLoop::current().metrics().turns);
              asked =
                  leat_test::onUring() || injector.count(leat::sys::Call::epoll_wait) > turns + 5;
              if (++fired == 1000 || asked) interval->close();
            },
            3);
        EventLoop::current().post([&] { posted = true; });
      },
      {.busyPoll = 20'000});
  CHECK(fired >= 1);
  CHECK(posted);
  CHECK(asked);
}

TEST_CASE("a loop that cannot be made throws, and leaves nothing behind") {
  const auto report = leat::testing::fuse([](leat::testing::FaultInjector& injector) {
    std::string code;
    try {
      EventLoop loop;
    } catch (const leat::SystemError& e) {
      code = e.code();
      CHECK(injector.blown() == 1);
    }
    CHECK((code.empty() || code == "EIO"));
    CHECK(EventLoop::currentOrNull() == nullptr);
  });
  CHECK(report.runs >= 4);
}

TEST_CASE("an error of the kernel's wait is an uncaught exception, not a loop that spins") {
  const auto end = leat_test::inChild([] {
    leat::testing::FaultInjector injector;
    return run([&] {
      setTimeout([] {}, 10000);
      injector.fail(
          leat::testing::calls(leat::sys::Call::epoll_wait, leat::sys::Call::io_uring_enter), EBADF,
          1, 1000);
    });
  });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, containsText("EBADF"));
}

TEST_CASE("a loop that is destroyed on another thread than its own says so and aborts") {
  for (const bool other : {false, true}) {
    CAPTURE(other);
    const auto end = leat_test::inChild([other] {
      EventLoop* loop = nullptr;
      std::thread([&] {
        loop = new EventLoop;
        setTimeout([] {}, 1000);
        loop->runOnce(0);
      }).join();
      // Whether or not this thread has a loop of its own.
      const auto own = other ? std::make_unique<EventLoop>() : nullptr;
      delete loop;
      return 0;
    });
    CHECK(end.code == -1);
    CHECK(end.signal == SIGABRT);
    CHECK_THAT(end.err, containsText("destroyed on another thread"));
    CHECK_THAT(end.err, containsText("ERR_WRONG_THREAD"));
  }
}
