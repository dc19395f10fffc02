// SPDX-License-Identifier: MIT
// Where pools, loops and contexts meet: who sees which stores, who comes home, and what is refused.
#include <leat/async_hooks.hpp>
#include <leat/loop.hpp>
#include <leat/pool.hpp>
#include <leat/timers.hpp>
#include <leat_test.hpp>
#include <code_thrown_by.hpp>

#include <sys/wait.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace leat;
using detail::Atomic;
using leat_test::codeThrownBy;

/// A loop on a thread of its own.
class OtherLoop {
 public:
  OtherLoop() {
    Atomic<bool> ready{false};
    thread_ = std::thread([this, &ready] {
      (void)run([this, &ready] {
        (void)setInterval([] {}, 1000);
        ref_ = EventLoop::current().ref();
        ready.store(true);
      });
    });
    while (!ready.load()) ::sched_yield();
  }
  OtherLoop(const OtherLoop&) = delete;
  OtherLoop& operator=(const OtherLoop&) = delete;
  ~OtherLoop() {
    (void)ref_->post([] { EventLoop::current().stop(); });
    thread_.join();
  }
  const LoopRef& ref() const { return *ref_; }

 private:
  std::thread thread_;
  std::optional<LoopRef> ref_;
};

Task<> count(Atomic<int>& number) {
  number.fetchAdd(1);
  co_return;
}

std::string seen(AsyncLocalStorage<std::string>& storage) {
  const auto store = storage.getStore();
  return store ? *store : std::string("nothing");
}

}  // namespace

TEST_CASE("the body of a scope may be a plain function that forks before it gives its task") {
  static AsyncLocalStorage<std::string> storage;
  WorkStealingPool pool({.threads = 4});
  Atomic<int> done{0};
  std::string after;
  const auto outer = [&]() -> Task<> {
    storage.enterWith("outer");
    const auto body = [&](ForkScope& scope) -> Task<> {
      for (int i = 0; i < 8; ++i) scope.fork(count(done));
      return count(done);
    };
    co_await forkScope(body);
    after = seen(storage);
  };
  for (int round = 0; round < 100; ++round) syncWait(pool.run(outer));
  CHECK(done.load() == 900);
  CHECK(after == "outer");
}

TEST_CASE("a body that throws after it has forked is waited for") {
  WorkStealingPool pool({.threads = 4});
  Atomic<int> done{0};
  const auto outer = [&]() -> Task<std::string> {
    const auto body = [&](ForkScope& scope) -> Task<> {
      for (int i = 0; i < 8; ++i) scope.fork(count(done));
      throw std::runtime_error("body");
    };
    const int before = done.load();
    try {
      co_await forkScope(body);
    } catch (const std::runtime_error& error) {
      if (done.load() == before + 8) co_return error.what();
      co_return "too early";
    }
    co_return "nothing";
  };
  for (int round = 0; round < 100; ++round) REQUIRE(syncWait(pool.run(outer)) == "body");
}

TEST_CASE("a submitted function has the stores of who submitted it, and leaves none behind") {
  static AsyncLocalStorage<std::string> storage;
  WorkStealingPool pool({.threads = 1});
  std::string first;
  std::string second;
  storage.run("caller", [&] {
    pool.submit([&] {
      first = seen(storage);
      storage.enterWith("job");
    });
  });
  pool.submit([&] { second = seen(storage); });
  syncWait(pool.run(Priority::Low, [] {}));
  CHECK(first == "caller");
  CHECK(second == "nothing");
}

TEST_CASE("what a task has entered is not for its sibling, nor for who waits") {
  static AsyncLocalStorage<std::string> storage;
  WorkStealingPool pool({.threads = 1});
  std::string sibling;
  std::string parent;
  const auto body = [&]() -> Task<> {
    const auto enter = []() -> Task<> {
      storage.enterWith("entered");
      co_return;
    };
    const auto look = [&sibling]() -> Task<> {
      sibling = seen(storage);
      co_return;
    };
    co_await fork(enter(), look());
    parent = seen(storage);
  };
  syncWait(pool.run(body));
  CHECK(sibling == "nothing");
  CHECK(parent == "nothing");
}

TEST_CASE("the last reference to a store goes on the loop's thread") {
  struct Store {
    explicit Store(Atomic<int>& a) : away(&a) {}
    Store(Store&& other) noexcept : away(std::exchange(other.away, nullptr)) {}
    Store& operator=(Store&&) = delete;
    ~Store() {
      if (away != nullptr && std::this_thread::get_id() != made) away->fetchAdd(1);
    }
    Atomic<int>* away;
    std::thread::id made = std::this_thread::get_id();
  };
  static AsyncLocalStorage<Store> storage;
  Atomic<int> away{0};
  WorkStealingPool pool({.threads = 2});
  const auto main = [&]() -> Task<> {
    for (int i = 0; i < 1000; ++i) {
      const auto request = [&pool]() -> Task<> {
        const auto nothing = [] {};
        co_await pool.run(nothing);
      };
      co_await storage.run(Store(away), request);
    }
  };
  CHECK(run(main) == 0);
  CHECK(away.load() == 0);
}

TEST_CASE("a coroutine that a worker has sent on to another loop comes home") {
  WorkStealingPool pool({.threads = 1});
  const OtherLoop other;
  bool home = false;
  const auto main = [&]() -> Task<> {
    const LoopRef mine = EventLoop::current().ref();
    co_await pool.schedule();
    co_await resumeOn(other.ref());
    // Home must not end meanwhile.
    co_await sleep(50);
    co_await resumeOn(mine);
    home = EventLoop::current().ref() == mine;
  };
  CHECK(run(main) == 0);
  CHECK(home);
}

TEST_CASE("a call may visit the loop that its caller has left") {
  WorkStealingPool pool({.threads = 1});
  const OtherLoop other;
  bool home = false;
  const auto main = [&]() -> Task<> {
    const LoopRef mine = EventLoop::current().ref();
    co_await resumeOn(other.ref());
    const auto visit = [](LoopRef loop) -> Task<int> {
      co_await resumeOn(loop);
      co_return 5;
    };
    const int five = co_await pool.run(visit, mine);
    co_await sleep(20);
    co_await resumeOn(mine);
    home = five == 5 && EventLoop::current().ref() == mine;
  };
  CHECK(run(main) == 0);
  CHECK(home);
}

TEST_CASE("a coroutine that is refused by a pool that ends goes on on its loop") {
  std::string code;
  bool home = false;
  const auto main = [&]() -> Task<> {
    const auto mine = std::this_thread::get_id();
    auto pool = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 1});
    WorkStealingPool& ending = *pool;
    Atomic<bool> open{false};
    Atomic<bool> entered{false};
    ending.submit([&] {
      entered.store(true);
      while (!open.load()) ::sched_yield();
    });
    while (!entered.load()) ::sched_yield();
    std::thread ender([&] {
      while (ending.statistics().queued == 0) ::sched_yield();
      std::thread opener([&] {
        while (ending.statistics().queued > 0) ::sched_yield();
        open.store(true);
      });
      pool.reset();
      opener.join();
    });
    try {
      co_await ending.schedule();
    } catch (const Error& error) {
      code = error.code();
    }
    home = std::this_thread::get_id() == mine;
    ender.join();
  };
  CHECK(run(main) == 0);
  CHECK(code == "ERR_POOL_CLOSED");
  CHECK(home);
}

TEST_CASE("syncWait on a worker is refused") {
  WorkStealingPool pool({.threads = 1});
  const auto inner = [&pool] { return syncWait(pool.run([] { return 1; })); };
  CHECK(codeThrownBy([&] { (void)syncWait(pool.run(inner)); }) == "ERR_POOL_THREAD");
}

TEST_CASE("fork on a loop that a job runs is refused") {
  WorkStealingPool pool({.threads = 2});
  std::string code;
  const auto job = [&code] {
    const auto main = [&code]() -> Task<> {
      Atomic<int> done{0};
      try {
        co_await fork(count(done), count(done));
      } catch (const Error& error) {
        code = error.code();
      }
    };
    return run(main);
  };
  CHECK(syncWait(pool.run(job)) == 0);
  CHECK(code == "ERR_NO_POOL");
}

TEST_CASE("a pool may end as soon as a call on it has, whoever made the call") {
  for (int round = 0; round < 200; ++round) {
    WorkStealingPool caller({.threads = 1});
    auto called = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 2});
    const auto call = [&called]() -> Task<int> {
      const auto one = [] { return 1; };
      co_return co_await called->run(one);
    };
    REQUIRE(syncWait(caller.run(call)) == 1);
    called.reset();
  }
}

TEST_CASE("run takes what std::invoke takes") {
  WorkStealingPool pool({.threads = 1});
  const std::string text = "four";
  CHECK(syncWait(pool.run(&std::string::size, text)) == 4);
}

TEST_CASE("jobs for which a deque had no memory are before all others, and are not refused") {
  struct Inside : detail::PoolJob {
    Inside() : PoolJob([](PoolJob&, bool) noexcept {}) {}
  };
  struct Outside : detail::OutsideJob {
    explicit Outside(Priority priority) : OutsideJob([](PoolJob&, bool) noexcept {}, priority) {}
  };
  Outside outside[] = {Outside(Priority::Low), Outside(Priority::Normal), Outside(Priority::High)};
  Inside inside[2];
  detail::PoolInlet inlet(0);
  for (Outside& job : outside)
    REQUIRE(inlet.push(job, PoolFull::Wait, nullptr) == detail::PoolEntry::Queued);
  inlet.pushOwn(inside[0]);
  CHECK(inlet.takeHigh() == &inside[0]);
  inlet.close();
  Outside late(Priority::Low);
  CHECK(inlet.push(late, PoolFull::Wait, nullptr) == detail::PoolEntry::Closed);
  inlet.pushOwn(inside[1]);
  CHECK(inlet.takeRefused() == &outside[2]);
  CHECK(inlet.takeRefused() == &outside[1]);
  CHECK(inlet.takeRefused() == &outside[0]);
  CHECK(inlet.takeRefused() == nullptr);
  CHECK(inlet.size() == 1);
  CHECK(inlet.take() == &inside[1]);
  CHECK(inlet.takeHigh() == nullptr);
}

// The sanitizers' allocators do not outlive a fork() beside other threads.
#if LEAT_RECYCLE_FRAMES
TEST_CASE(
    "a child of fork() beside a busy pool can make frames, and its parent's pool refuses it") {
  WorkStealingPool pool({.threads = 2});
  Atomic<bool> stop{false};
  std::thread busy([&] {
    const auto body = []() -> Task<> {
      static Atomic<int> done{0};
      std::vector<Task<>> tasks;
      for (int i = 0; i < 2000; ++i) tasks.push_back(count(done));
      co_await fork(std::move(tasks));
    };
    while (!stop.load()) syncWait(pool.run(body));
  });
  for (int round = 0; round < 100; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(20);
      Atomic<int> done{0};
      std::vector<Task<>> tasks;
      for (int i = 0; i < 2000; ++i) tasks.push_back(count(done));
      tasks.clear();
      const bool refused = codeThrownBy([&] { pool.submit([] {}); }) == "ERR_POOL_CLOSED";
      ::_exit(refused ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
  }
  stop.store(true);
  busy.join();
}
#endif
