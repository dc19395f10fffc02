// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/perf_hooks/watchdog.hpp>
#include <leat/testing/fuse.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <child.hpp>

#include <cerrno>
#include <functional>
#include <vector>

using leat::run;
using leat::Task;
using leat::detail::qualifiedName;
using leat::perf_hooks::BlockedLoop;
using leat::perf_hooks::StackFrame;
using leat::perf_hooks::Watchdog;
using leat_test::containsText;
namespace sys = leat::sys;

// The names that are looked for: not in an unnamed namespace, whose functions a compiler may drop.
namespace watchdog_test {

/// What the watchdog has told, for the loop's thread to wait for.
struct Told {
  sys::Mutex mutex;
  sys::Condition changed;
  std::vector<BlockedLoop> reports;

  auto take() {
    return [this](const BlockedLoop& blocked) {
      const sys::MutexLock lock(mutex);
      reports.push_back(blocked);
      changed.notifyAll();
    };
  }
  /// Blocks the thread. False when it has waited for half a minute.
  [[gnu::noinline]] bool await(std::size_t count) {
    const sys::MutexLock lock(mutex);
    const std::int64_t deadline = sys::monotonicNs() + 30'000'000'000;
    while (reports.size() < count)
      if (!changed.waitUntil(mutex, deadline)) return false;
    return true;
  }
};

/// Blocks until somebody has noticed.
[[gnu::noinline]] bool blockTheLoop(Told& told) {
  const bool noticed = told.await(1);
  __asm__ volatile("" ::: "memory");  // no tail call
  return noticed;
}
Task<> blockingCoroutine(Told& told) {
  co_await leat::sleep(1);
  CHECK(told.await(1));
}
/// Until the loop was told to go on.
Task<> untilOver(Told& told) {
  for (;;) {
    co_await leat::sleep(1);
    const sys::MutexLock lock(told.mutex);
    if (told.reports.size() >= 2) co_return;
  }
}

/// Again, where a stall was reported before what is to be, or the thread came to no answer in time.
void untilNamed(Told& told, const char* name, const std::function<void()>& act) {
  for (int tries = 0; tries < (LEAT_TSAN ? 1 : 20); ++tries) {
    told.reports.clear();
    act();
    if (!told.reports.empty() && told.reports[0].text().find(name) != std::string::npos) return;
  }
}

}  // namespace watchdog_test

using namespace watchdog_test;

TEST_CASE("a callback that blocks the loop is reported, by name, while it does; then its end") {
  Told told;
  untilNamed(told, "watchdog_test::blockTheLoop(", [&told] {
    run([&told]() -> Task<> {
      const Watchdog watchdog(told.take(), {.limit = 30});
      leat::setTimeout([&told] { CHECK(blockTheLoop(told)); }, 1);
      co_await untilOver(told);
    });
  });
  REQUIRE(told.reports.size() >= 2);
  const BlockedLoop& blocked = told.reports[0];
  CHECK_FALSE(blocked.over);
  CHECK(blocked.milliseconds >= 30);
  CHECK(blocked.thread == ::gettid());
  const BlockedLoop& after = told.reports[1];
  CHECK(after.over);
  CHECK(after.milliseconds >= blocked.milliseconds);
  CHECK(after.stack.empty());
  CHECK_THAT(after.text(), containsText(" goes on, blocked for "));
#if !LEAT_TSAN  // which keeps signals back
  // What blocks is in a helper of this test; who called it is below.
  CHECK_THAT(blocked.running, containsText("watchdog_test::Told::await("));
  CHECK_THAT(blocked.text(), containsText("watchdog_test::blockTheLoop("));
  CHECK_THAT(blocked.text(), containsText(" ms in watchdog_test::Told::await("));
  CHECK_THAT(blocked.text(), containsText("+0x"));
#endif
}

TEST_CASE("of a coroutine that blocks the loop its function is named") {
  Told told;
  untilNamed(told, "watchdog_test::blockingCoroutine(", [&told] {
    run([&told]() -> Task<> {
      const Watchdog watchdog(told.take(), {.limit = 30});
      co_await blockingCoroutine(told);
      co_await untilOver(told);
    });
  });
  REQUIRE(told.reports.size() >= 2);
#if !LEAT_TSAN
  CHECK_THAT(told.reports[0].text(), containsText("watchdog_test::blockingCoroutine("));
  // Of the test's own functions a compiler may have made clones; of the coroutine the name is plain.
  CHECK(told.reports[0].text().find("[clone .actor]") == std::string::npos);
  CHECK(told.reports[0].text().find(".Frame*") == std::string::npos);
#endif
}

TEST_CASE("without stacks, or without an answer to the signal, the time alone is reported") {
  Told told;
  run([&told]() -> Task<> {
    const Watchdog watchdog(told.take(), {.limit = 20, .stack = false});
    CHECK(blockTheLoop(told));
    co_await untilOver(told);
  });
  REQUIRE(told.reports.size() >= 2);
  CHECK(told.reports[0].stack.empty());
  CHECK(told.reports[0].running.empty());
  // A program that has a use for the signal keeps it.
  Told other;
  struct ::sigaction handler{};
  struct ::sigaction before{};
  handler.sa_handler = [](int) {};
  ::sigaction(SIGURG, &handler, &before);
  run([&other]() -> Task<> {
    const Watchdog watchdog(other.take(), {.limit = 20});
    CHECK(blockTheLoop(other));
    co_await untilOver(other);
  });
  ::sigaction(SIGURG, &before, nullptr);
  CHECK(other.reports[0].stack.empty());
}

TEST_CASE(
    "a thread that does not take the signal gives no stack, and one that comes late no harm") {
  Told told;
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGURG);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  run([&told]() -> Task<> {
    const Watchdog watchdog(told.take(), {.limit = 20});
    CHECK(blockTheLoop(told));
    co_await untilOver(told);
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(told.reports[0].stack.empty());
}

TEST_CASE("in a worker, which blocks the signals of the program, there are stacks, too") {
  Told told;
  untilNamed(told, "watchdog_test::blockTheLoop(", [&told] {
    run([&told]() -> Task<> {
      const auto work = [&told]() -> Task<int> {
        const Watchdog watchdog(told.take(), {.limit = 20});
        const bool noticed = blockTheLoop(told);
        co_await untilOver(told);
        co_return noticed ? 0 : 2;
      };
      const leat::worker_threads::Worker<> worker(work);
      const int code = co_await worker.exited();
      CHECK(code == 0);
    });
  });
  REQUIRE(told.reports.size() >= 2);
#if !LEAT_TSAN
  CHECK_FALSE(told.reports[0].stack.empty());
  CHECK_THAT(told.reports[0].text(), containsText("watchdog_test::blockTheLoop("));
#endif
}

TEST_CASE("a loop that turns is not reported, and a watchdog does not hold it") {
  Told told;
  CHECK(run([&told]() -> Task<> {
          const Watchdog watchdog(told.take(), {.limit = 20'000});
          for (int i = 0; i < 20; ++i) co_await leat::sleep(1);
        }) == 0);
  // Nothing else holds the loop, and its end finds the watchdog alive.
  Watchdog* last = nullptr;
  run([&] { last = new Watchdog(told.take(), {.limit = 20'000}); });
  delete last;
  CHECK(told.reports.empty());
}

TEST_CASE("in a child of fork() a watchdog watches nothing, and may be destroyed") {
  Told told;
  run([&told] {
    auto* const watchdog = new Watchdog(told.take(), {.limit = 1, .stack = false});
    for (int i = 0; i < 10; ++i) {
      const auto end = leat_test::inChild([watchdog] {
        delete watchdog;
        return 5;
      });
      CHECK(end.code == 5);
    }
    delete watchdog;
  });
}

TEST_CASE("by default it is told on stderr") {
  const auto end = leat_test::inChild([] {
    return run([] {
      // Blocks until there is something on stderr, and passes it on.
      int ends[2];
      const int err = ::dup(2);
      if (err < 0 || ::pipe(ends) != 0 || ::dup2(ends[1], 2) != 2) return 1;
      const Watchdog watchdog({.limit = 5});
      std::string text;
      while (text.find('\n') == text.npos) {
        char c = 0;
        const ssize_t size = ::read(ends[0], &c, 1);
        if (size < 0 && errno == EINTR) continue;
        if (size != 1) return 1;
        text += c;
      }
      return ::write(err, text.data(), text.size()) > 0 ? 0 : 1;
    });
  });
  CHECK(end.code == 0);
  CHECK_THAT(end.err, containsText(") LoopBlocked: the event loop of thread "));
}

TEST_CASE("a limit out of range and a thread that cannot be made are errors") {
  run([] {
    CHECK_THROWS_WITH(Watchdog({.limit = 0}), containsText("options.limit"));
    CHECK_THROWS_AS(Watchdog({.limit = 3e9}), leat::RangeError);
    leat::testing::FaultInjector injector;
    injector.fail(sys::Call::pthread_create, EAGAIN);
    CHECK_THROWS_AS(Watchdog(), leat::SystemError);
  });
  CHECK_THROWS_WITH(Watchdog(), containsText("event loop"));
}

TEST_CASE("names of functions are told from what they return and take") {
  CHECK(qualifiedName("int leat::run<int (*)()>(int)") == "leat::run<int (*)()>(int)");
  CHECK(qualifiedName("work(int, char const*)") == "work(int, char const*)");
  CHECK(qualifiedName("main::{lambda()#1}::operator()() const") ==
        "main::{lambda()#1}::operator()() const");
  CHECK(qualifiedName("std::vector<int, std::allocator<int> > a::f<int>(int)") == "a::f<int>(int)");
  CHECK(qualifiedName("bool a::operator<(a const&, a const&)") ==
        "a::operator<(a const&, a const&)");
  CHECK(leat::detail::plainCoroutine("a::f(a::f(int)::_ZN1a1fEi.Frame*) [clone .actor]") ==
        "a::f(int)");
  CHECK(leat::detail::plainCoroutine("f(int)") == "f(int)");
  std::string run = "int leat::v0_1_x::run<leat::v0_1_x::Task<void> >(leat::verb)";
  leat::detail::dropAbiNamespace(run);
  CHECK(run == "int leat::run<leat::Task<void> >(leat::verb)");
}
