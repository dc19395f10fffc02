// SPDX-License-Identifier: MIT
// The bound on what waits for a pool: who waits for room, who is refused, and who gives up.
#include <leat/abort.hpp>
#include <leat/loop.hpp>
#include <leat/pool.hpp>
#include <leat/timers.hpp>
#include <leat_test.hpp>
#include <code_thrown_by.hpp>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace leat;
using detail::Atomic;
using detail::OutsideJob;
using detail::PoolEntry;
using detail::PoolInlet;
using leat_test::codeThrownBy;

struct NamedJob : OutsideJob {
  explicit NamedJob(char n, Priority priority = Priority::Normal)
      : OutsideJob([](detail::PoolJob&, bool) noexcept {}, priority), name(n) {}
  char name;
};

std::string takeAll(PoolInlet& inlet) {
  std::string names;
  while (detail::PoolJob* job = inlet.take()) names += static_cast<NamedJob*>(job)->name;
  return names;
}

Task<std::string> codeOf(Promise<> work) {
  try {
    co_await work;
  } catch (const Error& error) {
    co_return std::string(error.code());
  }
  co_return "nothing";
}

/// Keeps the only worker of a pool busy until it is opened.
class Blocked {
 public:
  explicit Blocked(WorkStealingPool& pool) {
    pool.submit([state = state_] {
      state->entered.store(true);
      while (!state->open.load()) ::sched_yield();
    });
    while (!state_->entered.load()) ::sched_yield();
  }
  ~Blocked() { open(); }
  void open() noexcept { state_->open.store(true); }

 private:
  struct State {
    Atomic<bool> entered{false};
    Atomic<bool> open{false};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

constexpr PoolOptions oneAndTwo{.threads = 1, .maxQueued = 2};
constexpr PoolOptions oneAndTwoOrThrow{.threads = 1, .maxQueued = 2, .whenFull = PoolFull::Throw};

void nothing() {}

}  // namespace

TEST_CASE("what finds no room in an inlet stands in line, and the order stays what it was") {
  PoolInlet inlet(2);
  NamedJob a('a'), b('b', Priority::Low), c('c', Priority::Low);
  NamedJob d('d'), e('e', Priority::High), f('f', Priority::High);
  const auto push = [&](NamedJob& job) { return inlet.push(job, PoolFull::Wait, nullptr); };
  CHECK(push(a) == PoolEntry::Queued);
  CHECK(push(b) == PoolEntry::Queued);
  CHECK(push(c) == PoolEntry::Waits);
  CHECK(push(d) == PoolEntry::Waits);
  CHECK(push(e) == PoolEntry::Waits);
  CHECK(push(f) == PoolEntry::Waits);
  CHECK(inlet.size() == 2);
  CHECK(inlet.waiting() == 4);
  // As without a bound: what is urgent goes first, though it stands in line.
  CHECK(inlet.takeHigh() == &e);
  CHECK(inlet.size() == 2);
  CHECK(inlet.waiting() == 3);
  CHECK(inlet.take() == &f);
  CHECK(inlet.takeHigh() == nullptr);
  CHECK(inlet.take() == &a);
  CHECK(inlet.size() == 2);
  CHECK(inlet.waiting() == 1);
  CHECK(takeAll(inlet) == "dbc");
  CHECK(inlet.size() == 0);
  CHECK(inlet.waiting() == 0);
}

TEST_CASE("a full inlet refuses, but not those who make room") {
  PoolInlet inlet(1);
  NamedJob a('a'), b('b'), c('c', Priority::High), d('d');
  CHECK(inlet.push(a, PoolFull::Throw, nullptr) == PoolEntry::Queued);
  CHECK(inlet.push(b, PoolFull::Throw, nullptr) == PoolEntry::Full);
  CHECK(inlet.pushFromInside(c) == PoolEntry::Queued);
  CHECK(inlet.push(b, PoolFull::Wait, nullptr) == PoolEntry::Waits);
  inlet.pushOwn(d);
  CHECK(inlet.size() == 3);
  // Three are over the bound: the one in line follows when there is room again.
  CHECK(takeAll(inlet) == "dcab");
}

TEST_CASE("a job is withdrawn from its queue and from the line, once") {
  PoolInlet inlet(2);
  NamedJob a('a'), b('b'), c('c'), d('d'), e('e');
  for (NamedJob* job : {&a, &b, &c, &d, &e}) (void)inlet.push(*job, PoolFull::Wait, nullptr);
  CHECK(inlet.withdraw(d));
  CHECK_FALSE(inlet.withdraw(d));
  CHECK(inlet.waiting() == 2);
  CHECK(inlet.withdraw(a));  // c has its room
  CHECK(inlet.size() == 2);
  CHECK(inlet.waiting() == 1);
  CHECK(inlet.take() == &b);
  CHECK_FALSE(inlet.withdraw(b));
  CHECK(takeAll(inlet) == "ce");
}

TEST_CASE("a closed inlet gives up what is queued, then what stands in line") {
  PoolInlet inlet(1);
  NamedJob a('a'), b('b', Priority::Low), c('c', Priority::Low), d('d', Priority::High);
  detail::PoolSleeper sleeper;
  (void)inlet.push(a, PoolFull::Wait, nullptr);
  (void)inlet.push(b, PoolFull::Wait, nullptr);
  (void)inlet.push(c, PoolFull::Wait, &sleeper);
  inlet.close();
  CHECK(inlet.push(d, PoolFull::Wait, nullptr) == PoolEntry::Closed);
  CHECK(inlet.takeRefused() == &a);
  CHECK(inlet.takeRefused() == &b);
  CHECK(inlet.takeRefused() == nullptr);  // c is its thread's again
  CHECK(sleeper.sleep() == PoolEntry::Closed);
  CHECK(inlet.size() == 0);
  CHECK(inlet.waiting() == 0);
}

TEST_CASE("calls on a full pool wait for room and are made in order") {
  WorkStealingPool pool(oneAndTwo);
  std::string order;
  std::uint64_t queued = 0;
  std::uint64_t waiting = 0;
  const auto main = [&]() -> Task<> {
    Blocked blocked(pool);
    std::vector<Promise<>> calls;
    for (char name = 'a'; name <= 'e'; ++name) {
      const auto add = [&order, name] { order += name; };
      calls.push_back(pool.run(add));
    }
    const auto first = [&order] { order += '!'; };
    calls.push_back(pool.run(Priority::High, first));
    queued = pool.statistics().queued;
    waiting = pool.statistics().waiting;
    blocked.open();
    co_await all(std::move(calls));
  };
  CHECK(run(main) == 0);
  CHECK(queued == 2);
  CHECK(waiting == 4);
  CHECK(order == "!abcde");
  CHECK(pool.statistics().waiting == 0);
}

TEST_CASE("a full pool that is to throw refuses calls, coroutines and functions") {
  WorkStealingPool pool(oneAndTwoOrThrow);
  std::vector<std::string> codes;
  bool made = false;
  const auto main = [&]() -> Task<> {
    Blocked blocked(pool);
    std::vector<Promise<>> calls;
    for (int i = 0; i < 2; ++i) calls.push_back(pool.run(nothing));
    codes.push_back(co_await codeOf(pool.run(nothing)));
    codes.push_back(codeThrownBy([&] { pool.submit(nothing); }));
    const auto hop = [&]() -> Promise<> { co_await pool.schedule(); };
    codes.push_back(co_await codeOf(hop()));
    std::thread plain([&] { codes.push_back(codeThrownBy([&] { pool.submit(nothing); })); });
    plain.join();
    blocked.open();
    co_await all(std::move(calls));
    const auto again = [&made] { made = true; };
    co_await pool.run(again);
  };
  CHECK(run(main) == 0);
  CHECK(codes == std::vector<std::string>(4, "ERR_POOL_FULL"));
  CHECK(made);
  CHECK(pool.statistics().waiting == 0);
}

TEST_CASE("a call that is aborted while it waits for room leaves the line at once") {
  WorkStealingPool pool(oneAndTwo);
  std::vector<std::string> codes;
  std::vector<std::uint64_t> counts;
  std::string order;
  const auto owned = std::make_shared<int>(0);
  const auto main = [&]() -> Task<> {
    Blocked blocked(pool);
    AbortController early;
    AbortController late;
    const auto add = [&order, owned](char name) { order += name; };
    const auto call = [&](AbortSignal signal, char name) -> Promise<> {
      const auto inner = [&]() -> Task<> { co_await pool.run(add, name); };
      co_await withSignal(signal, inner());
    };
    std::vector<Promise<>> calls;
    calls.push_back(call(early.signal(), 'a'));  // queued
    calls.push_back(call(late.signal(), 'b'));   // queued
    calls.push_back(call(late.signal(), 'c'));   // in line
    calls.push_back(call(early.signal(), 'd'));  // in line
    calls.push_back(call(late.signal(), 'e'));   // in line
    counts.push_back(pool.statistics().waiting);
    early.abort();
    // `d` is out of the line, and the place of `a` is that of `c`.
    counts.push_back(pool.statistics().queued);
    counts.push_back(pool.statistics().waiting);
    codes.push_back(co_await codeOf(calls[0]));
    codes.push_back(co_await codeOf(calls[3]));
    // What they would have used is theirs no more: of five calls three are left, and `add` itself.
    counts.push_back(static_cast<std::uint64_t>(owned.use_count()));
    blocked.open();
    for (const std::size_t i : {1U, 2U, 4U}) codes.push_back(co_await codeOf(calls[i]));
  };
  CHECK(run(main) == 0);
  CHECK(counts == std::vector<std::uint64_t>{3, 2, 1, 5});
  CHECK(codes ==
        std::vector<std::string>{"ABORT_ERR", "ABORT_ERR", "nothing", "nothing", "nothing"});
  CHECK(order == "bce");
}

TEST_CASE("a coroutine that is destroyed while it waits for room leaves the line") {
  WorkStealingPool pool(oneAndTwo);
  bool called = false;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  const auto main = [&]() -> Task<> {
    Blocked blocked(pool);
    pool.submit(nothing);
    pool.submit(nothing);
    const auto call = [&called] { called = true; };
    const auto waits = [&]() -> Task<> { co_await pool.run(call); };
    {
      auto task = waits();
      detail::CallbackFrame nobody([](detail::CallbackFrame*) noexcept {});
      detail::startTask(task, nobody);
      before = pool.statistics().waiting;
    }
    after = pool.statistics().waiting;
    co_return;
  };
  CHECK(run(main) == 0);
  CHECK(before == 1);
  CHECK(after == 0);
  // Also when the loop ends first.
  {
    Blocked blocked(pool);
    std::thread thread([&] {
      EventLoop loop;
      const auto call = [&called] { called = true; };
      std::vector<Promise<>> calls;
      for (int i = 0; i < 5; ++i) calls.push_back(Promise<>(pool.run(call)));
    });
    thread.join();
    CHECK(pool.statistics().waiting == 0);
    CHECK(pool.statistics().queued == 0);
  }
  syncWait(pool.run(nothing));
  CHECK_FALSE(called);
}

TEST_CASE("the end of a pool refuses what waits for room") {
  const auto owned = std::make_shared<int>(0);
  std::vector<std::string> codes;
  std::string fromThread;
  const auto main = [&]() -> Task<> {
    auto pool = std::make_unique<WorkStealingPool>(oneAndTwo);
    WorkStealingPool& ending = *pool;
    Blocked blocked(ending);
    std::vector<Promise<>> calls;
    for (int i = 0; i < 4; ++i) {
      const auto call = [owned] { ++*owned; };
      calls.push_back(ending.run(call));
    }
    std::thread sleeper(
        [&] { fromThread = codeThrownBy([&] { ending.submit([owned] { ++*owned; }); }); });
    while (ending.statistics().waiting < 3) ::sched_yield();
    // The worker goes on only when the end of the pool has refused them all.
    std::thread opener([&] {
      while (ending.statistics().queued + ending.statistics().waiting > 0) ::sched_yield();
      blocked.open();
    });
    pool.reset();
    opener.join();
    sleeper.join();
    for (Promise<>& call : calls) codes.push_back(co_await codeOf(call));
  };
  CHECK(run(main) == 0);
  CHECK(codes == std::vector<std::string>(4, "ERR_POOL_CLOSED"));
  CHECK(fromThread == "ERR_POOL_CLOSED");
  CHECK(*owned == 0);
  CHECK(owned.use_count() == 1);
}

TEST_CASE("submit to a full pool makes a plain thread wait, and throws where that may not be") {
  WorkStealingPool pool(oneAndTwo);
  WorkStealingPool other({.threads = 1});
  Blocked blocked(pool);
  Atomic<int> called{0};
  const auto call = [&called] { called.fetchAdd(1); };
  pool.submit(call);
  pool.submit(call);
  std::string onLoop;
  CHECK(run([&] { onLoop = codeThrownBy([&] { pool.submit(call); }); }) == 0);
  CHECK(onLoop == "ERR_POOL_FULL");
  const std::string onWorker =
      syncWait(other.run([&] { return codeThrownBy([&] { pool.submit(call); }); }));
  CHECK(onWorker == "ERR_POOL_FULL");
  Atomic<bool> accepted{false};
  std::thread plain([&] {
    pool.submit(call);
    accepted.store(true);
  });
  while (pool.statistics().waiting < 1) ::sched_yield();
  CHECK_FALSE(accepted.load());
  blocked.open();
  plain.join();
  syncWait(pool.run(Priority::Low, nothing));
  CHECK(called.load() == 3);
}

TEST_CASE("what a full pool does itself is not held up") {
  WorkStealingPool pool(oneAndTwoOrThrow);
  Atomic<int> called{0};
  const auto main = [&]() -> Task<> {
    const auto inside = [&]() -> Task<> {
      const auto call = [&called] { called.fetchAdd(1); };
      for (int i = 0; i < 10; ++i) {
        pool.submit(call);
        pool.submit(call, Priority::High);
      }
      std::vector<Task<>> tasks;
      for (int i = 0; i < 10; ++i) {
        const auto task = [](WorkStealingPool& p, Atomic<int>& n) -> Task<> {
          co_await p.schedule(Priority::Low);
          n.fetchAdd(1);
        };
        tasks.push_back(task(pool, called));
      }
      co_await fork(std::move(tasks));
    };
    co_await pool.run(inside);
  };
  CHECK(run(main) == 0);
  CHECK(called.load() == 30);
}

TEST_CASE("a bound holds for many threads and loops, and nothing is lost") {
  constexpr unsigned loops = 3;
  constexpr int each = 400;
  Atomic<int> called{0};
  Atomic<int> aborted{0};
  Atomic<int> submitted{0};
  Atomic<bool> over{false};
  Atomic<bool> done{false};
  WorkStealingPool pool({.threads = 2, .maxQueued = 3});
  std::thread watcher([&] {
    while (!done.load()) {
      if (pool.statistics().queued > 3) over.store(true);
      ::sched_yield();
    }
  });
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < loops; ++number)
    threads.emplace_back([&] {
      const auto call = [&called] { called.fetchAdd(1); };
      const auto some = [&](int count, AbortSignal signal) -> Task<> {
        const auto one = [&]() -> Task<> { co_await pool.run(call); };
        for (int i = 0; i < count; ++i) {
          try {
            co_await withSignal(signal, one());
          } catch (const AbortError&) {
            aborted.fetchAdd(1);
          }
        }
      };
      const auto main = [&]() -> Task<> {
        AbortController never;
        AbortController soon;
        std::vector<Promise<>> all_;
        for (int i = 0; i < 4; ++i) all_.push_back(some(each / 8, never.signal()));
        for (int i = 0; i < 4; ++i) all_.push_back(some(each / 8, soon.signal()));
        for (int i = 0; i < 5; ++i) co_await nextImmediate();
        soon.abort();
        co_await all(std::move(all_));
      };
      EventLoop loop;
      Promise<> made = main();
      loop.run();
      if (made.status() != PromiseStatus::Fulfilled) over.store(true);
    });
  threads.emplace_back([&] {
    for (int i = 0; i < each; ++i) pool.submit([&submitted] { submitted.fetchAdd(1); });
  });
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  watcher.join();
  syncWait(pool.run(Priority::Low, nothing));
  while (submitted.load() < each) ::sched_yield();
  CHECK_FALSE(over.load());
  CHECK(called.load() <= static_cast<int>(loops) * each);
  CHECK(called.load() + aborted.load() >= static_cast<int>(loops) * each);
  CHECK(submitted.load() == each);
  CHECK(pool.statistics().waiting == 0);
}

TEST_CASE("calls may be given up while their pool ends") {
  for (int round = 0; round < 100; ++round) {
    auto pool = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 2, .maxQueued = 2});
    Atomic<bool> started{false};
    std::thread thread([&] {
      EventLoop loop;
      const auto call = [](int n) { return n + 1; };
      std::vector<Promise<int>> calls;
      for (int i = 0; i < 20; ++i) calls.push_back(Promise<int>(pool->run(call, i)));
      for (Promise<int>& each : calls) each.state().markHandled();
      started.store(true);
      for (int turn = 0; turn < round % 3; ++turn) loop.runOnce(0);
    });
    while (!started.load()) ::sched_yield();
    pool.reset();
    thread.join();
  }
}
