// SPDX-License-Identifier: MIT
// The shared WorkStealingPool at the end of its process: jobs that run, jobs that wait, and destructors of static objects.
#include <leat/core/error.hpp>
#include <leat/pool.hpp>
#include <leat/sys/calls.hpp>
#include <leat_test.hpp>
#include <child.hpp>
#include <code_thrown_by.hpp>

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace {

using namespace leat;
using detail::Atomic;
using leat_test::codeThrownBy;

/// Calls what it is given when it is destroyed, in a child that has armed it.
struct AtItsEnd {
  void (*what)() = nullptr;
  ~AtItsEnd() {
    if (what != nullptr) what();
  }
};

// Destroyed after everything that was made since main began, the end of the shared pool included.
AtItsEnd afterThePool;

/// In the child: it ends with 1 unless that holds.
void require(bool holds) {
  if (!holds) std::_Exit(1);
}

/// The exit status of a child that does `body` and calls `exit(7)`.
template <class Body>
int statusOf(Body body) {
  const auto child = [&]() -> int {
    body();
    std::exit(7);
  };
  return leat_test::inChild(child).code;
}

void spin(Atomic<bool>& begun, const Atomic<bool>& over) {
  begun.store(true);
  while (!over.load()) ::sched_yield();
}

}  // namespace

TEST_CASE("a process ends though jobs of the shared pool go on for ever") {
  CHECK(statusOf([] {
          static Atomic<unsigned> spinning{0};
          WorkStealingPool& pool = WorkStealingPool::shared();
          for (unsigned i = 0; i < pool.threads(); ++i)
            pool.submit([] {
              for (spinning.fetchAdd(1);;) ::sched_yield();
            });
          // The order of jobs is nobody's: one that waits is behind those that run already.
          while (spinning.load() < pool.threads()) ::sched_yield();
          pool.submit([] { std::_Exit(1); });
        }) == 7);
}

TEST_CASE("a job of the shared pool that runs when the process ends is waited for") {
  CHECK(statusOf([] {
          static Atomic<bool> begun{false}, over{false};
          static Atomic<bool> done{false};
          static std::int64_t start = 0;
          // Or, on a machine that is too busy, for 200 ms.
          afterThePool.what = [] {
            require(done.load() || sys::monotonicNs() - start >= 200'000'000);
          };
          WorkStealingPool& pool = WorkStealingPool::shared();
          pool.submit([] {
            spin(begun, over);
            done.store(true);
          });
          while (!begun.load()) ::sched_yield();
          // Destroyed before the pool ends, as it is made after it.
          static AtItsEnd beforeThePool;
          beforeThePool.what = [] {
            start = sys::monotonicNs();
            over.store(true);
          };
        }) == 7);
}

TEST_CASE(
    "destructors of static objects may use the shared pool before its end, and are refused after") {
  CHECK(statusOf([] {
          static int computed = 0;
          afterThePool.what = [] {
            WorkStealingPool& pool = WorkStealingPool::shared();
            const std::string ran = codeThrownBy([&] { syncWait(pool.run([] {})); });
            const std::string submitted = codeThrownBy([&] { pool.submit([] {}); });
            require(ran == "ERR_POOL_CLOSED" && submitted == "ERR_POOL_CLOSED");
            require(computed == 42);
            while (pool.statistics().running > 0) ::sched_yield();
          };
          WorkStealingPool& pool = WorkStealingPool::shared();
          static AtItsEnd beforeThePool;
          beforeThePool.what = [] {
            computed = syncWait(WorkStealingPool::shared().run([] { return 42; }));
          };
          pool.submit([] {});
        }) == 7);
}

TEST_CASE("the shared pool may be made by the destructor of a static object") {
  CHECK(statusOf([] {
          afterThePool.what = [] {
            const auto answer = [] { return 42; };
            require(syncWait(WorkStealingPool::shared().run(answer)) == 42);
          };
        }) == 7);
}

TEST_CASE("a job of the shared pool may end the process") {
  CHECK(statusOf([] {
          WorkStealingPool::shared().submit([] { std::exit(9); });
          for (;;) ::pause();
        }) == 9);
}
