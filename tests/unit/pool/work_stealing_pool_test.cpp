// SPDX-License-Identifier: MIT
// WorkStealingPool: from outside, from loops, priorities, shutdown, idleness.
#include <leat/abort.hpp>
#include <leat/async_hooks.hpp>
#include <leat/loop.hpp>
#include <leat/pool.hpp>
#include <leat/process.hpp>
#include <leat/timers.hpp>
#include <leat_test.hpp>
#include <code_thrown_by.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace leat;
using detail::Atomic;
using leat_test::codeThrownBy;

std::string codeOfError(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code());
  } catch (...) {
    return "no Error";
  }
}

/// Keeps the only worker of a pool busy until it is opened.
class Busy {
 public:
  void wait() noexcept {
    entered_.store(true);
    while (!open_.load()) ::sched_yield();
  }
  void waitUntilEntered() const noexcept {
    while (!entered_.load()) ::sched_yield();
  }
  void open() noexcept { open_.store(true); }

 private:
  Atomic<bool> entered_{false};
  Atomic<bool> open_{false};
};

}  // namespace

TEST_CASE("run gives what the function gives, from a plain thread") {
  WorkStealingPool pool({.threads = 2});
  CHECK(syncWait(pool.run([](int a, int b) { return a * b; }, 6, 7)) == 42);
  CHECK(*syncWait(pool.run([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5))) ==
        5);
  bool called = false;
  syncWait(pool.run([&called] { called = true; }));
  CHECK(called);
  CHECK_THROWS_AS(syncWait(pool.run([]() -> int { throw std::string("no"); })), std::string);
}

TEST_CASE("run comes back to the loop that it was called on") {
  WorkStealingPool pool({.threads = 2});
  bool elsewhere = false;
  bool back = false;
  const auto main = [&]() -> Task<> {
    const auto home = std::this_thread::get_id();
    const auto where = [] { return std::this_thread::get_id(); };
    const auto there = co_await pool.run(where);
    elsewhere = there != home;
    back = std::this_thread::get_id() == home;
    const auto coroutine = [](int number) -> Task<int> { co_return number + 1; };
    back = back && co_await pool.run(coroutine, 1) == 2;
  };
  CHECK(run(main) == 0);
  CHECK(elsewhere);
  CHECK(back);
}

TEST_CASE("run holds the loop, and what it throws arrives") {
  WorkStealingPool pool({.threads = 1});
  std::string thrown;
  const auto main = [&]() -> Task<> {
    const auto fail = []() -> int { throw RangeError("too far"); };
    try {
      co_await pool.run(fail);
    } catch (const RangeError& error) {
      thrown = error.what();
    }
  };
  CHECK(run(main) == 0);
  CHECK(thrown == "too far");
}

TEST_CASE("an aborted run throws at once, and a call that has not begun never does") {
  WorkStealingPool pool({.threads = 1});
  Busy gate;
  bool called = false;
  std::string code;
  const auto main = [&]() -> Task<> {
    const auto busy = [&gate] { gate.wait(); };
    Promise<> first = pool.run(busy);
    gate.waitUntilEntered();
    AbortController controller;
    const auto never = [&called] { called = true; };
    const auto waiting = [&](AbortSignal signal) -> Task<> {
      const auto inner = [&]() -> Task<> { co_await pool.run(never); };
      co_await withSignal(signal, inner());
    };
    Promise<> second = waiting(controller.signal());
    setImmediate([&] { controller.abort(); });
    try {
      co_await second;
    } catch (const Error& error) {
      code = error.code();
    }
    gate.open();
    co_await first;
  };
  CHECK(run(main) == 0);
  CHECK(code == "ABORT_ERR");
  while (pool.statistics().queued > 0) ::sched_yield();
  CHECK_FALSE(called);
}

TEST_CASE("the store of the caller is seen on the worker") {
  WorkStealingPool pool({.threads = 1});
  static AsyncLocalStorage<std::string> storage;
  std::string seen;
  const auto main = [&]() -> Task<> {
    storage.enterWith("request 7");
    const auto look = [] { return *storage.getStore(); };
    seen = co_await pool.run(look);
    if (*storage.getStore() != "request 7") seen = "lost";
  };
  CHECK(run(main) == 0);
  CHECK(seen == "request 7");
}

TEST_CASE("jobs from outside go by priority, then in their order") {
  WorkStealingPool pool({.threads = 1});
  Busy gate;
  pool.submit([&gate] { gate.wait(); });
  gate.waitUntilEntered();
  std::string order;
  pool.submit([&order] { order += "l1 "; }, Priority::Low);
  pool.submit([&order] { order += "n1 "; });
  pool.submit([&order] { order += "h1 "; }, Priority::High);
  pool.submit([&order] { order += "n2 "; });
  pool.submit([&order] { order += "h2 "; }, Priority::High);
  CHECK(pool.statistics().queued == 5);
  gate.open();
  syncWait(pool.run(Priority::Low, [] {}));
  CHECK(order == "h1 h2 n1 n2 l1 ");
}

TEST_CASE("schedule brings a coroutine to a worker, and resumeOn home") {
  WorkStealingPool pool({.threads = 1});
  bool there = false;
  bool home = false;
  const auto main = [&]() -> Task<> {
    const LoopRef loop = EventLoop::current().ref();
    co_await pool.schedule();
    there = pool.isCurrent();
    co_await resumeOn(loop);
    home = !pool.isCurrent() && EventLoop::current().ref() == loop;
  };
  CHECK(run(main) == 0);
  CHECK(there);
  CHECK(home);
}

TEST_CASE("a pool that ends finishes what runs and refuses what has not begun") {
  std::vector<std::string> codes;
  bool finished = false;
  const auto main = [&]() -> Task<> {
    auto pool = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 1});
    Busy gate;
    const auto busy = [&] {
      gate.wait();
      finished = true;
    };
    std::vector<Promise<>> waiting;
    waiting.push_back(Promise<>(pool->run(busy)));
    gate.waitUntilEntered();
    const auto nothing = [] {};
    for (int i = 0; i < 3; ++i) waiting.push_back(Promise<>(pool->run(nothing)));
    gate.open();
    // Open before, so that the end may come first or not: a call is either made or refused.
    pool.reset();
    const auto outcomes = co_await allSettled(std::move(waiting));
    for (const Result<>& outcome : outcomes)
      codes.push_back(outcome ? "made" : codeOfError(outcome.error()));
  };
  CHECK(run(main) == 0);
  CHECK(finished);
  REQUIRE(codes.size() == 4);
  CHECK(codes[0] == "made");
  for (const std::string& code : codes) CHECK((code == "made" || code == "ERR_POOL_CLOSED"));
}

TEST_CASE(
    "what waits for its turn when a pool ends is refused, and submitted functions are destroyed") {
  Busy gate;
  const auto shared = std::make_shared<int>(0);
  std::string code;
  auto pool = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 1});
  WorkStealingPool& ending = *pool;
  ending.submit([&gate] { gate.wait(); });
  gate.waitUntilEntered();
  ending.submit([shared] { ++*shared; });
  std::thread waiter([&] { code = codeThrownBy([&] { syncWait(ending.run([] {})); }); });
  while (ending.statistics().queued < 2) ::sched_yield();
  // The worker goes on only when the end of the pool has emptied the queue.
  std::thread opener([&] {
    while (ending.statistics().queued > 0) ::sched_yield();
    gate.open();
  });
  pool.reset();
  opener.join();
  waiter.join();
  CHECK(code == "ERR_POOL_CLOSED");
  CHECK(shared.use_count() == 1);
  CHECK(*shared == 0);
}

TEST_CASE("a loop may end while its calls are on a pool") {
  WorkStealingPool pool({.threads = 2});
  Atomic<int> made{0};
  const auto held = std::make_shared<int>(0);
  for (int round = 0; round < 300; ++round) {
    EventLoop loop;
    std::vector<Promise<>> calls;
    for (int i = 0; i < 4; ++i) {
      const auto call = [&made, held] { made.fetchAdd(1); };
      calls.push_back(Promise<>(pool.run(call)));
    }
    // In some rounds the loop hears of some of them, in some of none.
    for (int turn = 0; turn < round % 3; ++turn) loop.runOnce(0);
  }
  // What was left behind ends on its own, and lets go of all.
  syncWait(pool.run(Priority::Low, [] {}));
  while (held.use_count() > 1) ::sched_yield();
  CHECK(made.load() <= 1200);
}

TEST_CASE("calls of many loops come back to the loop that made them") {
  WorkStealingPool pool({.threads = 3});
  Atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const auto main = [&]() -> Task<> {
        const auto home = std::this_thread::get_id();
        const auto twice = [](int number) { return 2 * number; };
        for (int k = 0; k < 500; ++k) {
          const int made = co_await pool.run(twice, k);
          if (made != 2 * k || std::this_thread::get_id() != home) wrong.fetchAdd(1);
        }
      };
      EventLoop loop;
      Promise<> done = main();
      loop.run();
      if (done.status() != PromiseStatus::Fulfilled) wrong.fetchAdd(1);
    });
  for (std::thread& each : threads) each.join();
  CHECK(wrong.load() == 0);
}

namespace {

void rest(long ms) {
  const timespec time{ms / 1000, ms % 1000 * 1'000'000};
  ::nanosleep(&time, nullptr);
}

/// Until all workers sleep, and have written that down: a worker that does not grows older while it is looked at.
PoolStatistics waitUntilAtRest(const WorkStealingPool& pool) {
  for (;;) {
    const PoolStatistics before = pool.statistics();
    rest(1);
    const PoolStatistics after = pool.statistics();
    if (after.sleeping == pool.threads() && after.activeNs == before.activeNs) return after;
  }
}

}  // namespace

TEST_CASE("a pool at rest uses no processor") {
  WorkStealingPool pool({.threads = 4});
  for (int i = 0; i < 100; ++i) syncWait(pool.run([] {}));
  waitUntilAtRest(pool);
  rusage start{};
  rusage end{};
  ::getrusage(RUSAGE_SELF, &start);
  const PoolStatistics before = pool.statistics();
  rest(5000);
  const PoolStatistics after = pool.statistics();
  ::getrusage(RUSAGE_SELF, &end);
  const auto micros = [](const rusage& u) {
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1'000'000L + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
  };
  CHECK(micros(end) - micros(start) < 10'000);
  CHECK(after.parks == before.parks);
  CHECK(after.sleeping == 4);
  CHECK(after.running == 0);
  CHECK(after.activeNs == before.activeNs);
  CHECK(after.idleNs - before.idleNs >= 20'000'000'000);
}

TEST_CASE("statistics count each job, and each worker that is busy") {
  Busy gates[2];
  WorkStealingPool pool({.threads = 2});
  for (Busy& gate : gates) pool.submit([&gate] { gate.wait(); });
  for (Busy& gate : gates) gate.waitUntilEntered();
  pool.submit([] {});
  PoolStatistics now = pool.statistics();
  CHECK(now.running == 2);
  CHECK(now.executed == 2);
  CHECK(now.queued == 1);
  CHECK(now.sleeping == 0);
  gates[0].open();
  while (pool.statistics().executed < 3 || pool.statistics().sleeping < 1) ::sched_yield();
  CHECK(pool.statistics().running == 1);
  gates[1].open();
  while (pool.statistics().sleeping < 2) ::sched_yield();
  now = pool.statistics();
  CHECK(now.running == 0);
  CHECK(now.queued == 0);
  CHECK(now.executed == 3);
}

TEST_CASE("statistics of the workers are parts of those of the pool") {
  WorkStealingPool pool({.threads = 3});
  for (int i = 0; i < 50; ++i) syncWait(pool.run([] {}));
  const PoolStatistics all = waitUntilAtRest(pool);
  PoolWorkerStatistics sum;
  for (unsigned i = 0; i < pool.threads(); ++i) {
    const PoolWorkerStatistics one = pool.workerStatistics(i);
    CHECK(one.activeNs > 0);
    CHECK(one.idleNs > 0);
    sum.executed += one.executed;
    sum.steals += one.steals;
    sum.parks += one.parks;
    sum.activeNs += one.activeNs;
  }
  CHECK(sum.executed == 50);
  CHECK(sum.executed == all.executed);
  CHECK(sum.steals == all.steals);
  CHECK(sum.parks == all.parks);
  CHECK(sum.activeNs == all.activeNs);
  CHECK_THROWS_AS(pool.workerStatistics(3), RangeError);
  CHECK_THROWS_WITH(pool.workerStatistics(3),
                    "The value of \"number\" is out of range. It must be >= 0 && <= 2. Received 3");
}

TEST_CASE("a worker is active as long as its job, whatever that does") {
  Busy gate;  // outlives the worker, which looks at it once more after it opens
  WorkStealingPool pool({.threads = 1});
  pool.submit([&gate] { gate.wait(); });
  gate.waitUntilEntered();
  const PoolWorkerStatistics before = pool.workerStatistics(0);
  rest(20);
  const PoolWorkerStatistics after = pool.workerStatistics(0);
  CHECK(after.activeNs - before.activeNs >= 20'000'000);
  CHECK(after.idleNs == before.idleNs);
  gate.open();
}

TEST_CASE("no job is lost when outsiders and sleepers meet") {
  WorkStealingPool pool({.threads = 3});
  constexpr int each = 3000;
  Atomic<int> done{0};
  std::vector<std::thread> outsiders;
  for (int i = 0; i < 3; ++i)
    outsiders.emplace_back([&] {
      // One at a time: every job finds workers on their way to sleep.
      for (int k = 0; k < each; ++k) syncWait(pool.run([&done] { done.fetchAdd(1); }));
    });
  for (std::thread& outsider : outsiders) outsider.join();
  CHECK(done.load() == 3 * each);
}

TEST_CASE("the shared pool is made once, also in a child of fork()") {
  WorkStealingPool& pool = WorkStealingPool::shared();
  CHECK(&pool == &WorkStealingPool::shared());
  CHECK(syncWait(pool.run([] { return 3; })) == 3);
#if !LEAT_TSAN
  // Nobody is in the middle of what a child cannot go on with, as freeing memory.
  waitUntilAtRest(pool);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    WorkStealingPool& own = WorkStealingPool::shared();
    ::_exit(&own != &pool && syncWait(own.run([] { return 4; })) == 4 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
#endif
}

TEST_CASE("threads have the pool's name and a number") {
  WorkStealingPool pool({.threads = 1, .name = "a-rather-long-name"});
  const auto name = [] {
    char text[16] = {};
    ::pthread_getname_np(::pthread_self(), text, sizeof text);
    return std::string(text);
  };
  CHECK(syncWait(pool.run(name)) == "a-rather-long-0");
}

TEST_CASE("pinned workers stay on one processor") {
  WorkStealingPool pool({.threads = 2, .pinned = true});
  const auto processors = [] {
    cpu_set_t set;
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
  };
  CHECK(syncWait(pool.run(processors)) == 1);
}
