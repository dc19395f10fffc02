// SPDX-License-Identifier: MIT
#include <leat/core/semaphore.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/resume_on.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/signals.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/loop/with_timeout.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::setImmediate;
using leat::setInterval;
using leat::setTimeout;
using leat::sleep;
using leat::spawn;
using leat::Task;

namespace {

/// What every pending thing holds; afterwards nothing may.
using Token = std::shared_ptr<int>;

template <class F>
void endsWith(F&& begin) {
  const Token token = std::make_shared<int>(0);
  {
    EventLoop loop;
    begin(token, loop);
    loop.runOnce(0);
    CHECK(token.use_count() > 1);
  }
  CHECK(token.use_count() == 1);
  // And when the loop never turned at all.
  {
    EventLoop loop;
    begin(token, loop);
  }
  CHECK(token.use_count() == 1);
}

struct EmptyPipe {
  EmptyPipe() { REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~EmptyPipe() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  int fds[2];
};

/// Waits for ever.
Task<> hang(Token) {
  auto never = Promise<>::withResolvers();
  co_await never.promise;
}

}  // namespace

TEST_CASE("a loop ends with timers, intervals and immediates pending") {
  endsWith([](const Token& token, EventLoop&) {
    setTimeout([token] { FAIL(); }, 100000);
    setTimeout([](Token) { FAIL(); }, 100000, token).unref();
    setInterval([token] { FAIL(); }, 100000);
    const leat::Timeout kept = setTimeout([token] {}, 100000);
    setImmediate([token] {
      setImmediate([token] { FAIL(); });
      setImmediate([token] { FAIL(); }).unref();
    });
  });
}

TEST_CASE("a loop ends with ticks, microtasks and posts queued") {
  const Token token = std::make_shared<int>(0);
  {
    EventLoop loop;
    leat::nextTick([token] { FAIL(); });
    leat::queueMicrotask([token] { FAIL(); });
    loop.post([token] { FAIL(); });
    loop.ref().post([token]() -> Task<> { co_return; });
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("a loop ends with coroutines that sleep, wait, yield and hang") {
  EmptyPipe pipe;
  endsWith([&](const Token& token, EventLoop&) {
    (void)spawn([](Token) -> Task<> { co_await sleep(100000); }, token);
    (void)spawn([](Token) -> Task<> { co_await sleep(100000, {.ref = false}); }, token);
    (void)spawn(
        [&](Token) -> Task<> { (void)co_await leat::wait(pipe.fds[0], leat::Ready::Readable); },
        token);
    (void)spawn([](Token) -> Task<> { (void)co_await leat::nextSignal(SIGUSR1); }, token);
    (void)spawn(
        [](Token) -> Task<> {
          leat::Interval interval(100000);
          (void)co_await interval.next();
        },
        token);
    (void)spawn(
        [](Token) -> Task<> {
          co_await leat::nextImmediate();
          co_await leat::nextImmediate();
          FAIL();
        },
        token);
    (void)spawn([](Token t) -> Promise<> { co_await hang(t); }, token);
    (void)spawn(hang(token));
    (void)spawn([](Token) -> Task<> { co_await leat::withTimeout(100000, sleep(200000)); }, token);
    (void)spawn([](Token) -> Task<> { co_await leat::shielded(sleep(200000)); }, token);
  });
}

TEST_CASE("a loop ends with promises that have reactions and handles of all kinds") {
  endsWith([](const Token& token, EventLoop&) {
    auto resolvers = std::make_shared<Promise<int>::Resolvers>(Promise<int>::withResolvers());
    const auto onValue = [token](int) { FAIL(); };
    const auto onEnd = [token] { FAIL(); };
    const auto onError = [token](std::exception_ptr) { return 0; };
    (void)resolvers->promise.then(onValue);
    (void)resolvers->promise.finally(onEnd);
    const Promise<int> adopting = Promise<int>::resolve(resolvers->promise);
    (void)adopting.catch_(onError);
    // The only ones who could settle them.
    setTimeout([resolvers, token] { FAIL(); }, 100000);
  });
}

TEST_CASE("a loop ends with blocking calls, timeout signals and listeners") {
  endsWith([](const Token& token, EventLoop&) {
    leat::onSignal(SIGUSR1, [token] { FAIL(); });
    (void)spawn(
        [](Token) -> Task<> {
          const leat::AbortSignal signal = leat::AbortSignal::timeout(100000);
          co_await sleep(200000, {.signal = signal});
        },
        token);
    (void)spawn([](Token) -> Task<> { co_await leat::blocking([] { ::usleep(3000); }); }, token);
  });
}

TEST_CASE("deep chains of tasks that are suspended are destroyed without using up the stack") {
  struct Chain {
    static Task<> descend(int depth, Token token) {
      if (depth == 0) {
        co_await hang(token);
      } else {
        co_await descend(depth - 1, token);
      }
    }
  };
  endsWith([](const Token& token, EventLoop&) {
    (void)spawn(Chain::descend(LEAT_ASAN || LEAT_TSAN ? 5'000 : 100'000, token));
  });
}

TEST_CASE("destructors at the end of a loop may use it, and what they start is dropped") {
  struct Last {
    explicit Last(Token t) : token(std::move(t)) {}
    Last(Last&&) noexcept = default;
    ~Last() {
      if (!token) return;
      leat::nextTick([t = token] { FAIL(); });
      leat::queueMicrotask([t = token] { FAIL(); });
      setTimeout([t = token] { FAIL(); }, 1);
      setImmediate([t = token] { FAIL(); });
      (void)spawn(hang(token));
      (void)Promise<int>::reject(leat::Error("nobody is told"));
      CHECK_FALSE(EventLoop::current().post([t = token] { FAIL(); }));
    }
    Token token;
  };
  endsWith([](const Token& token, EventLoop&) {
    (void)spawn(
        [](Token t) -> Task<> {
          const Last last(std::move(t));
          co_await sleep(100000);
        },
        token);
    setTimeout([last = std::make_shared<Last>(token)] { FAIL(); }, 100000);
    leat::onSignal(SIGUSR1, [last = std::make_shared<Last>(token)] { FAIL(); });
  });
}

TEST_CASE("what a destructor starts at the end of a loop goes before what it was given") {
  struct Says {
    Says(std::string& t, const char* w) : trace(t), word(w) {}
    ~Says() { trace += word; }
    std::string& trace;
    const char* word;
  };
  using Begin = Promise<> (*)(std::string&);
  struct Starts {
    Starts(std::string& t, Begin b) : trace(t), begin(b) {}
    ~Starts() { (void)begin(trace); }
    std::string& trace;
    Begin begin;
  };
  static constexpr auto cleanUp = [](std::string& trace) -> Promise<> {
    const Says says(trace, "cleaned ");
    co_await sleep(100000);
  };
  static constexpr auto newer = [](std::string& trace) -> Promise<> {
    const Starts atEnd(trace, cleanUp);
    const Says says(trace, "newer ");
    co_await sleep(100000);
  };
  const auto older = [](std::string& trace) -> Promise<> {
    const Says says(trace, "older ");
    (void)newer(trace);
    co_await sleep(100000);
  };
  std::string trace;
  {
    EventLoop loop;
    (void)older(trace);
    loop.runOnce(0);
  }
  CHECK(trace == "newer cleaned older ");
}

namespace {

/// Its destructor has the loop keep another one, and so on, in each of the ways in turn.
struct Again {
  Again(Token t, int n) : token(std::move(t)), left(n) {}
  Again(Again&&) noexcept = default;
  ~Again() {
    if (!token || left == 0) return;
    auto next = std::make_shared<Again>(std::move(token), left - 1);
    const int way = left % 7;
    if (way == 0) leat::nextTick([next] { FAIL(); });
    if (way == 1) leat::queueMicrotask([next] { FAIL(); });
    if (way == 2) setTimeout([next] { FAIL(); }, 1);
    if (way == 3) setImmediate([next] { FAIL(); });
    if (way == 4) leat::onSignal(SIGUSR1, [next] { FAIL(); });
    if (way == 5)
      (void)spawn([](std::shared_ptr<Again>) -> Task<> { co_await sleep(100000); }, next);
    if (way == 6)
      (void)spawn([](std::shared_ptr<Again>) -> Promise<> { co_await leat::yield(); }, next);
  }
  Token token;
  int left;
};

}  // namespace

TEST_CASE("what destructors queue at the end of a loop is dropped, however often they do it") {
  const Token token = std::make_shared<int>(0);
  for (int more : {1, 2, 3, 7, 100, 5000}) {
    {
      EventLoop loop;
      leat::nextTick([last = std::make_shared<Again>(token, more)] { FAIL(); });
    }
    CAPTURE(more);
    CHECK(token.use_count() == 1);
  }
}

TEST_CASE("a destructor that queues itself anew for ever does not keep a loop from ending") {
  struct Forever {
    static void queue(int way) {
      auto last = std::make_shared<Forever>(way);
      if (way == 0) leat::nextTick([last] { FAIL(); });
      if (way == 1) setTimeout([last] { FAIL(); }, 1);
      if (way == 2) setImmediate([last] { FAIL(); });
      if (way == 3) leat::onSignal(SIGUSR1, [last] { FAIL(); });
      if (way == 4)
        (void)spawn([](std::shared_ptr<Forever>) -> Task<> { co_await leat::yield(); }, last);
    }
    explicit Forever(int w) : way(w) {}
    Forever(const Forever&) = delete;
    ~Forever() { queue(way); }
    int way;
  };
  for (int way = 0; way < 5; ++way) {
    const leat_test::ChildEnd told = leat_test::inChild([way] {
      {
        EventLoop loop;
        Forever::queue(way);
      }
      return 5;
    });
    CAPTURE(way, told.err);
    CHECK(told.code == 5);
    CHECK_THAT(told.err, leat_test::containsText("destructors queued new work again and again"));
  }
}

TEST_CASE("handles that outlive their loop do nothing") {
  std::optional<leat::Timeout> timer, fired;
  std::optional<leat::Immediate> immediate;
  std::optional<Promise<int>> pending, done;
  std::optional<leat::Resolver<int>> resolver;
  std::optional<leat::AbortSignal> signal;
  leat::AbortController controller;
  std::optional<leat::AbortRegistration> registration;
  leat::Listener listener;
  run([&] {
    timer = setTimeout([] { FAIL(); }, 100000);
    fired = setTimeout([] {}, 0);
    immediate = setImmediate([] { FAIL(); });
    auto resolvers = Promise<int>::withResolvers();
    pending = resolvers.promise;
    resolver = resolvers.resolve;
    done = Promise<int>::resolve(4);
    signal = leat::AbortSignal::timeout(100000);
    registration = controller.signal().onAbort([] {});
    (void)spawn([&]() -> Task<> { co_await sleep(1000, {.signal = controller}); });
    listener = leat::onSignal(SIGUSR1, [] {});
    EventLoop::current().stop();
    EventLoop::current().queue().stop();
  });
  const auto useAll = [&] {
    for (const leat::Timeout& t : {*timer, *fired}) {
      t.ref().unref().refresh();
      t.close();
      leat::clearTimeout(t);
      CHECK_FALSE(t.active());
    }
    immediate->unref().ref().close();
    leat::clearImmediate(*immediate);
    CHECK(pending->status() == leat::PromiseStatus::Pending);
    CHECK(done->status() == leat::PromiseStatus::Fulfilled);
    CHECK_FALSE(signal->aborted());
    listener.off();
  };
  useAll();
  CHECK_THROWS_AS(resolver->resolve(3), leat::Error);
  run([&] { useAll(); });
  controller.abort();
  registration.reset();
  run([&] {
    resolver.reset();
    pending.reset();
    done.reset();
  });
}

TEST_CASE("an exception that ends the program drops what is pending") {
  const Token token = std::make_shared<int>(0);
  CHECK(run([&] {
          (void)spawn(hang(token));
          setTimeout([token] { FAIL(); }, 100000);
          setImmediate([token] { throw leat::Error("for stderr: this is expected"); });
          setImmediate([token] { FAIL(); });
        }) == 1);
  CHECK(token.use_count() == 1);
}

TEST_CASE("so does a timer's, also those that are due in the same pass") {
  const Token token = std::make_shared<int>(0);
  CHECK(run([&] {
          setTimeout([token] { throw leat::Error("for stderr: this is expected"); }, 1);
          for (const int ms : {1, 1, 2, 3}) setTimeout([token] { FAIL(); }, ms);
          setInterval([token] { FAIL(); }, 2);
          ::usleep(10'000);  // all of them are due
        }) == 1);
  CHECK(token.use_count() == 1);
}

TEST_CASE("timers that are due when a drain between them ends the program are dropped") {
  const Token token = std::make_shared<int>(0);
  {
    EventLoop loop;
    setTimeout([token] { leat::nextTick([] { throw leat::Error("for stderr: expected"); }); }, 1);
    for (const int ms : {1, 1, 2, 3}) setTimeout([token] { FAIL(); }, ms);
    ::usleep(10'000);
    loop.run();
    CHECK(loop.metrics().timers == 4);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("loops come and go in many threads at once") {
  const Token token = std::make_shared<int>(0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        EventLoop loop;
        (void)spawn(hang(token));
        setTimeout([token] {}, 100000);
        (void)spawn([](Token) -> Task<> { (void)co_await leat::nextSignal(SIGUSR1); }, token);
        loop.runOnce(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(token.use_count() == 1);
}

TEST_CASE("what main has started ends before the locals of main that it uses") {
  CHECK(run([]() -> Task<> {
          leat::Semaphore limit(2);
          const auto work = [](leat::Semaphore& permits) -> Task<> {
            const auto permit = co_await permits.acquire();
            co_await sleep(100'000);
          };
          for (int i = 0; i < 4; ++i) (void)spawn(work(limit));
          setImmediate([] { EventLoop::current().stop(); });
          co_await sleep(100'000);
        }) == 0);
}
