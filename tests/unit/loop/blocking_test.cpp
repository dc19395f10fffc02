// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/testing/fuse.hpp>

#include <leat_test.hpp>
#include <memory>
#include <thread>

using leat::AbortController;
using leat::blocking;
using leat::EventLoop;
using leat::run;
using leat::spawn;
using leat::Task;

namespace {

/// Blocks a worker until it is opened.
struct Gate {
  leat::detail::Atomic<int> entered{0}, opened{0}, left{0};
  void pass() {
    entered.fetchAdd(1);
    while (opened.load() == 0) ::usleep(200);
    left.fetchAdd(1);
  }
  void awaitEntered() {
    while (entered.load() == 0) ::usleep(200);
  }
  void awaitLeft() {
    while (left.load() == 0) ::usleep(200);
  }
};

/// Counts how many there are, on any thread.
struct Witness {
  explicit Witness(leat::detail::Atomic<int>& c) : count(&c) { count->fetchAdd(1); }
  Witness(const Witness& other) : count(other.count) { count->fetchAdd(1); }
  Witness(Witness&& other) noexcept : count(other.count) { count->fetchAdd(1); }
  Witness& operator=(const Witness&) = delete;
  ~Witness() { count->fetchSub(1); }
  leat::detail::Atomic<int>* count;
};

void awaitNone(const leat::detail::Atomic<int>& count) {
  for (int i = 0; i < 20000 && count.load() != 0; ++i) ::usleep(500);
  CHECK(count.load() == 0);
}

}  // namespace

TEST_CASE("a blocking call runs on another thread and gives its value to the coroutine") {
  const auto home = std::this_thread::get_id();
  run([&]() -> Task<> {
    const int sum = co_await blocking([](int a, long b) { return static_cast<int>(a + b); }, 2, 3L);
    CHECK(sum == 5);
    const auto id = co_await blocking([] { return std::this_thread::get_id(); });
    CHECK(id != home);
    CHECK(std::this_thread::get_id() == home);
    co_await blocking([] {});
    const std::string text = co_await blocking([](std::string s) { return s + "!"; }, "abc");
    CHECK(text == "abc!");
  });
}

TEST_CASE("what may only be moved goes there and back") {
  run([]() -> Task<> {
    std::unique_ptr<int> number = std::make_unique<int>(7);
    std::unique_ptr<int> back = co_await blocking(
        [](std::unique_ptr<int> n) {
          ++*n;
          return n;
        },
        std::move(number));
    CHECK(*back == 8);
    auto owning = [kept = std::make_unique<int>(3)] { return *kept; };
    auto call = blocking(leat::moved(owning));
    const auto got1 = co_await std::move(call);
    CHECK(got1 == 3);
  });
}

TEST_CASE("an exception of the call is thrown at the await") {
  run([]() -> Task<> {
    std::string caught;
    try {
      co_await blocking([] { throw leat::Error("from the worker", "ERR_X"); });
    } catch (const leat::Error& e) {
      caught = e.what();
    }
    CHECK(caught == "from the worker");
    try {
      (void)co_await blocking([]() -> int { throw 5; });
    } catch (int number) {
      caught = std::to_string(number);
    }
    CHECK(caught == "5");
  });
}

TEST_CASE("a call in flight holds the loop; one that was never awaited does not begin") {
  leat::detail::Atomic<int> calls{0};
  run([&] {
    (void)spawn([&]() -> Task<> {
      co_await blocking([&] {
        ::usleep(5000);
        calls.fetchAdd(1);
      });
      calls.fetchAdd(10);
    });
    auto never = blocking([&] { calls.fetchAdd(1000); });
  });
  CHECK(calls.load() == 11);
}

TEST_CASE("many calls at once are all answered") {
  int sum = 0;
  run([&] {
    for (int i = 0; i < 300; ++i) {
      (void)spawn([&](int n) -> Task<> { sum += co_await blocking([](int k) { return k; }, n); },
                  i);
    }
  });
  CHECK(sum == 299 * 300 / 2);
}

TEST_CASE("an abort settles at once, and the late result is dropped") {
  Gate gate;
  leat::detail::Atomic<int> alive{0};
  std::string outcome;
  run([&]() -> Task<> {
    AbortController controller;
    auto call = [&]() -> Task<> {
      auto f = [&gate, w = Witness(alive)](Witness argument) {
        gate.pass();
        return argument;
      };
      auto operation = blocking(f, Witness(alive));
      (void)co_await std::move(operation);
    };
    leat::setImmediate([&] {
      gate.awaitEntered();
      controller.abort();
    });
    try {
      co_await leat::withSignal(controller.signal(), call);
    } catch (const leat::AbortError& e) {
      outcome = e.code();
    }
    CHECK(gate.left.load() == 0);
    gate.opened.store(1);
    gate.awaitLeft();
    co_await leat::sleep(5);
  });
  CHECK(outcome == "ABORT_ERR");
  awaitNone(alive);
}

TEST_CASE("a call under a signal that is aborted already is not made") {
  leat::detail::Atomic<int> calls{0};
  run([&]() -> Task<> {
    bool aborted = false;
    const auto call = [&]() -> Task<> { co_await blocking([&] { calls.fetchAdd(1); }); };
    try {
      co_await leat::withSignal(leat::AbortSignal::abort(), call);
    } catch (const leat::AbortError&) {
      aborted = true;
    }
    CHECK(aborted);
  });
  ::usleep(2000);
  CHECK(calls.load() == 0);
}

TEST_CASE("a loop may end with calls in flight and calls that wait for a thread") {
  Gate gate;
  leat::detail::Atomic<int> alive{0};
  run([&] {
    for (int i = 0; i < 200; ++i) {
      (void)spawn([&]() -> Task<> {
        auto operation = blocking(
            [&gate](Witness argument) {
              gate.pass();
              return argument;
            },
            Witness(alive));
        (void)co_await std::move(operation);
        FAIL("the loop has ended");
      });
    }
    leat::setImmediate([&] {
      gate.awaitEntered();
      EventLoop::current().stop();
    });
  });
  gate.opened.store(1);
  awaitNone(alive);
}

TEST_CASE("a result that comes while its loop ends is dropped, too") {
  leat::detail::Atomic<int> alive{0};
  for (int i = 0; i < 50; ++i) {
    run([&] {
      for (int n = 0; n < 4; ++n) {
        (void)spawn([&]() -> Task<> {
          auto operation = blocking([](Witness w) { return w; }, Witness(alive));
          (void)co_await std::move(operation);
        });
      }
      leat::setImmediate([] { EventLoop::current().stop(); });
    });
  }
  awaitNone(alive);
}

TEST_CASE("the store of the caller is there on the worker, its loop is not") {
  leat::AsyncLocalStorage<int> storage;
  run([&] {
    storage.run(42, [&] {
      (void)spawn([&]() -> Task<> {
        const int seen = co_await blocking([&] {
          CHECK(EventLoop::currentOrNull() == nullptr);
          return *storage.getStore();
        });
        CHECK(seen == 42);
        CHECK(*storage.getStore() == 42);
      });
    });
  });
}

TEST_CASE("when no thread can be made the call throws and the loop is not held") {
  // A pool of its own would be needed to be sure that no idle worker takes the job.
  leat::testing::FaultInjector injector;
  injector.fail(leat::sys::Call::pthread_create, EAGAIN, 1, 1000);
  int outcomes = 0;
  run([&]() -> Task<> {
    try {
      co_await blocking([] {});
      ++outcomes;
    } catch (const leat::SystemError& e) {
      outcomes += e.code() == "EAGAIN";
    }
  });
  CHECK(outcomes == 1);
}

TEST_CASE("an operation is used once, on the thread of a loop") {
  run([]() -> Task<> {
    auto operation = blocking([] { return 1; });
    const auto got2 = co_await std::move(operation);
    CHECK(got2 == 1);
    std::string code;
    try {
      (void)co_await std::move(operation);
    } catch (const leat::TypeError& e) {
      code = e.code();
    }
    CHECK(code == "ERR_TASK_CONSUMED");
  });
  CHECK_THROWS_WITH(blocking([] {}), leat_test::containsText("no event loop"));
}
