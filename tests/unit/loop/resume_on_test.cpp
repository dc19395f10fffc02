// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/core/scope.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/resume_on.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using leat::EventLoop;
using leat::LoopRef;
using leat::resumeOn;
using leat::run;
using leat::spawn;
using leat::Task;

namespace {

/// A loop on a thread of its own, until it is told to end.
class Other {
 public:
  Other() {
    leat::detail::Atomic<int> ready{0};
    thread_ = std::thread([&] {
      run([&] {
        const leat::Timeout hold = leat::setInterval([] {}, 1000);
        ref_ = EventLoop::current().ref();
        id_ = std::this_thread::get_id();
        ready.store(1);
      });
    });
    while (ready.load() == 0) std::this_thread::yield();
  }
  ~Other() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    ref_->post([] { EventLoop::current().stop(); });
    thread_.join();
  }
  const LoopRef& ref() const { return *ref_; }
  bool isHere() const { return std::this_thread::get_id() == id_; }

 private:
  std::thread thread_;
  std::optional<LoopRef> ref_;
  std::thread::id id_;
};

long references() { return EventLoop::current().metrics().references; }

}  // namespace

TEST_CASE("a coroutine goes on on the other loop's thread, works there and comes home") {
  Other other;
  run([&]() -> Task<> {
    const LoopRef home = EventLoop::current().ref();
    const auto id = std::this_thread::get_id();
    for (int i = 0; i < 3; ++i) {
      co_await resumeOn(other.ref());
      CHECK(other.isHere());
      CHECK(EventLoop::current().ref() == other.ref());
      co_await leat::sleep(1);
      CHECK(other.isHere());
      co_await resumeOn(home);
      CHECK(std::this_thread::get_id() == id);
      CHECK(references() == 0);
    }
  });
}

TEST_CASE("a chain of tasks goes along, and an exception on the other side comes home with it") {
  Other other;
  run([&]() -> Task<> {
    const LoopRef home = EventLoop::current().ref();
    const auto inner = [&]() -> Task<int> {
      co_await resumeOn(other.ref());
      co_return 4;
    };
    const auto outer = [&]() -> Task<int> {
      const int value = co_await inner();
      CHECK(other.isHere());
      co_await resumeOn(home);
      if (value == 4) throw leat::Error("back");
      co_return value;
    };
    std::string caught;
    try {
      (void)co_await outer();
    } catch (const leat::Error& e) {
      caught = e.what();
    }
    CHECK(caught == "back");
    CHECK_FALSE(other.isHere());
  });
}

TEST_CASE("on the loop that it is on already a coroutine just goes on") {
  bool turned = false;
  run([&]() -> Task<> {
    leat::setImmediate([&] { turned = true; });
    co_await resumeOn(EventLoop::current().ref());
    CHECK_FALSE(turned);
  });
  CHECK(turned);
}

TEST_CASE("its own loop waits for a coroutine that is away") {
  Other other;
  bool back = false;
  run([&] {
    (void)spawn([&]() -> Task<> {
      const LoopRef home = EventLoop::current().ref();
      co_await resumeOn(other.ref());
      co_await leat::sleep(20);
      co_await resumeOn(home);
      back = true;
    });
    CHECK(references() == 1);
  });
  CHECK(back);
}

TEST_CASE("a journey over several loops leaves none of them held") {
  Other one, two;
  run([&]() -> Task<> {
    const LoopRef home = EventLoop::current().ref();
    co_await resumeOn(one.ref());
    CHECK(one.isHere());
    co_await resumeOn(two.ref());
    CHECK(two.isHere());
    co_await resumeOn(home);
    CHECK(references() == 0);
    co_await resumeOn(one.ref());
    co_await resumeOn(two.ref());
    CHECK(two.isHere());
    co_await resumeOn(one.ref());
    CHECK(one.isHere());
    const long there = references();
    CHECK(there == 1);  // its interval
    co_await resumeOn(home);
    CHECK(references() == 0);
  });
}

TEST_CASE("a loop that has ended is an error where the coroutine is") {
  Other other;
  other.end();
  run([&]() -> Task<> {
    std::string code;
    try {
      co_await resumeOn(other.ref());
    } catch (const leat::Error& e) {
      code = e.code();
    }
    CHECK(code == "ERR_LOOP_ENDED");
    CHECK(references() == 0);
  });
}

TEST_CASE("a loop that ends while the coroutine is on its way is the same error") {
  int failed = 0, went = 0;
  for (int i = 0; i < 40; ++i) {
    run([&]() -> Task<> {
      const LoopRef home = EventLoop::current().ref();
      leat::detail::Atomic<int> ready{0}, go{0};
      std::optional<LoopRef> target;
      std::thread thread([&] {
        run([&] {
          target = EventLoop::current().ref();
          ready.store(1);
          if (i % 2 == 0)
            while (go.load() == 0) ::usleep(100);
        });
      });
      while (ready.load() == 0) std::this_thread::yield();
      // Odd rounds race with the end; in even ones the loop leaves its main with the hop in its queue.
      leat::setImmediate([&] { go.store(1); });
      bool arrived = false;
      try {
        co_await resumeOn(*target);
        arrived = true;
        ++went;
      } catch (const leat::Error& e) {
        ++failed;
        CHECK(e.code() == "ERR_LOOP_ENDED");
      }
      if (arrived) co_await resumeOn(home);
      co_await leat::sleep(1);
      // The immediate above refers to this frame, and on a busy machine the timer comes first.
      co_await leat::nextImmediate();
      thread.join();
      CHECK(references() == 0);
    });
  }
  CHECK(failed + went == 40);
}

TEST_CASE(
    "when the other loop ends with the coroutine suspended there, home does not wait for it") {
  bool destroyed = false, went = false;
  struct Mark {
    ~Mark() { *flag = true; }
    bool* flag;
  };
  Other other;
  const int code = run([&]() -> Task<> {
    Mark mark{&destroyed};
    co_await resumeOn(other.ref());
    EventLoop::current().stop();
    co_await leat::sleep(100000);
    went = true;
  });
  CHECK(code == 13);
  CHECK(destroyed);
  CHECK_FALSE(went);
}

TEST_CASE("a coroutine that is destroyed on its way is not continued") {
  Other other;
  leat::detail::Atomic<int> arrived{0};
  leat::detail::Atomic<int> blocked{0}, go{0};
  other.ref().post([&] {
    blocked.store(1);
    while (go.load() == 0) ::usleep(100);
  });
  while (blocked.load() == 0) std::this_thread::yield();
  run([&] {
    (void)spawn([&]() -> Task<> {
      co_await resumeOn(other.ref());
      arrived.store(1);
    });
    EventLoop::current().stop();
    leat::setImmediate([] { EventLoop::current().stop(); });
  });
  go.store(1);
  other.end();
  CHECK(arrived.load() == 0);
}

TEST_CASE("stores go along; the ambient signal stays at home and is there again after") {
  Other other;
  leat::AsyncLocalStorage<int> storage;
  const leat::AbortController controller;
  run([&] {
    return storage.run(5, [&] {
      return spawn([&]() -> Task<> {
        const LoopRef home = EventLoop::current().ref();
        const auto work = [&]() -> Task<> {
          leat::detail::AbortState* const signal = leat::detail::ambientSignal();
          CHECK(signal != nullptr);
          co_await resumeOn(other.ref());
          CHECK(*storage.getStore() == 5);
          CHECK(leat::detail::ambientSignal() == nullptr);
          co_await leat::sleep(1);
          co_await resumeOn(home);
          CHECK(*storage.getStore() == 5);
          CHECK(leat::detail::ambientSignal() == signal);
          controller.abort();
          std::string code;
          try {
            co_await resumeOn(other.ref());
          } catch (const leat::AbortError& e) {
            code = e.code();
          }
          CHECK(code == "ABORT_ERR");
          CHECK_FALSE(other.isHere());
        };
        co_await leat::withSignal(controller.signal(), work);
      });
    });
  });
}

TEST_CASE("many coroutines go to and fro between loops at once") {
  Other one, two;
  int done = 0;
  run([&] {
    const auto travel = [&]() -> Task<> {
      const LoopRef home = EventLoop::current().ref();
      for (int i = 0; i < 50; ++i) {
        const Other& other = i % 2 == 0 ? one : two;
        co_await resumeOn(other.ref());
        co_await resumeOn(home);
      }
      ++done;
    };
    for (int i = 0; i < 20; ++i) (void)spawn(travel);
  });
  CHECK(done == 20);
}

namespace {

/// Runs main in a process of its own, beside another loop.
template <class Main>
void checkEndsAway(Main main) {
  const leat_test::ChildEnd end = leat_test::inChild([&] {
    std::signal(SIGABRT, SIG_DFL);
    const Other other;
    return run([&] { return main(other.ref()); });
  });
  CHECK(end.signal == SIGABRT);
  CHECK_THAT(end.err, leat_test::containsText("it must co_await resumeOn(home) before it ends"));
  CHECK_THAT(end.err, leat_test::containsText("resume_on_test.cpp"));
}

Task<> goAway(LoopRef there) { co_await resumeOn(std::move(there)); }

}  // namespace

TEST_CASE("a coroutine that ends on the other loop ends the process with a message") {
  SECTION("a task") {
    checkEndsAway([](const LoopRef& there) -> Task<> { co_await resumeOn(there); });
  }
  SECTION("an async function without a result") {
    checkEndsAway([](const LoopRef& there) -> leat::Promise<> { co_await resumeOn(there); });
  }
  SECTION("one with a result") {
    checkEndsAway([](const LoopRef& there) -> leat::Promise<int> {
      co_await resumeOn(there);
      co_return 1;
    });
  }
  SECTION("one that throws") {
    checkEndsAway([](const LoopRef& there) -> leat::Promise<> {
      co_await resumeOn(there);
      throw leat::Error("away");
    });
  }
  SECTION("one whose child went away") {
    checkEndsAway([](const LoopRef& there) -> leat::Promise<> { co_await goAway(there); });
  }
}

TEST_CASE("so does a child of a scope, also with an exception") {
  const leat_test::ChildEnd end = leat_test::inChild([&] {
    std::signal(SIGABRT, SIG_DFL);
    const Other other;
    auto child = [&]() -> Task<> {
      co_await goAway(other.ref());
      throw leat::Error("away");
    };
    auto body = [&](leat::TaskScope& scope) -> Task<> {
      (void)scope.spawnQuietly(child());
      co_await leat::sleep(100);
    };
    return run([&]() -> Task<> { co_await leat::scoped(body); });
  });
  CHECK(end.signal == SIGABRT);
  CHECK_THAT(end.err, leat_test::containsText("it must co_await resumeOn(home) before it ends"));
}

TEST_CASE("a promise of another loop rejects the promise that is to adopt it") {
  Other other;
  std::optional<leat::Promise<int>> theirs;
  leat::detail::Atomic<int> made{0};
  other.ref().post([&] {
    theirs.emplace(leat::Promise<int>::resolve(1));
    made.store(1);
  });
  while (made.load() == 0) std::this_thread::yield();
  std::vector<std::string> texts;
  const auto note = [&texts](const std::exception& e) { texts.push_back(e.what()); };
  const int code = run([&] {
    const auto parts = leat::Promise<int>::withResolvers();
    parts.resolve.resolve(*theirs);
    (void)parts.promise.then([](int) {}, note);
    (void)leat::Promise<>::resolve().then([&] { return *theirs; }).then([](int) {}, note);
    const auto asyncFunction = [&]() -> leat::Promise<int> { co_return *theirs; };
    (void)asyncFunction().then([](int) {}, note);
    (void)leat::Promise<int>::resolve(2).finally([&] { return *theirs; }).then([](int) {}, note);
  });
  CHECK(code == 0);
  CHECK(texts.size() == 4);
  for (const std::string& text : texts)
    CHECK_THAT(text, leat_test::containsText("another event loop than the one it was made on"));
  leat::detail::Atomic<int> dropped{0};
  other.ref().post([&] {
    theirs.reset();
    dropped.store(1);
  });
  while (dropped.load() == 0) std::this_thread::yield();
}
