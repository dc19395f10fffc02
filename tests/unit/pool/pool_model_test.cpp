// SPDX-License-Identifier: MIT
// The deque and the gate of sleepers under every schedule of a few threads and operations.
#include <leat/pool/idle_workers.hpp>
#include <leat/pool/work_deque.hpp>
#include <leat_test.hpp>

#include <memory>

#include "pool_model.hpp"

namespace {

using leat_test::Explorer;
using leat_test::ModelAtomics;
using Deque = leat::detail::WorkDeque<int, ModelAtomics>;

/// A semaphore of the model.
struct ModelGate {
  void post(int count) { permits.fetchAdd(count); }
  void wait() {
    for (;;) {
      Explorer::current()->await([this] { return permits.peek() > 0; });
      int now = permits.load();
      while (now > 0)
        if (permits.compareExchange(now, now - 1)) return;
    }
  }
  ModelAtomics::Word<int> permits{0};
};
using Idle = leat::detail::IdleWorkers<ModelAtomics, ModelGate>;

struct Taken {
  int items[4] = {};
  int count[4] = {};
  void take(const int* item) {
    if (item != nullptr) ++count[item - items];
  }
};

}  // namespace

TEST_CASE("an owner and two thieves take each item once, in every schedule") {
  Explorer explorer(2);
  const std::size_t schedules = explorer.explore([](std::function<void()>& check) {
    const auto deque = std::make_shared<Deque>();
    const auto taken = std::make_shared<Taken>();
    deque->push(&taken->items[0]);
    deque->push(&taken->items[1]);
    check = [=] {
      while (const int* item = deque->pop()) taken->take(item);
      REQUIRE(taken->count[0] == 1);
      REQUIRE(taken->count[1] == 1);
    };
    const auto steal = [=] { taken->take(deque->steal()); };
    const auto own = [=] {
      taken->take(deque->pop());
      taken->take(deque->pop());
    };
    return std::vector<Explorer::Body>{own, steal, steal};
  });
  CHECK(schedules > 300);
}

TEST_CASE("an owner that pushes and pops the last item meets a thief in every schedule") {
  Explorer explorer(3);
  const std::size_t schedules = explorer.explore([](std::function<void()>& check) {
    const auto deque = std::make_shared<Deque>();
    const auto taken = std::make_shared<Taken>();
    deque->push(&taken->items[0]);
    check = [=] {
      while (const int* item = deque->pop()) taken->take(item);
      for (int i = 0; i < 3; ++i) REQUIRE(taken->count[i] == 1);
    };
    const auto own = [=] {
      taken->take(deque->pop());
      deque->push(&taken->items[1]);
      if (deque->popIf(&taken->items[1])) taken->take(&taken->items[1]);
      deque->push(&taken->items[2]);
    };
    const auto steal = [=] {
      taken->take(deque->steal());
      taken->take(deque->steal());
    };
    return std::vector<Explorer::Body>{own, steal};
  });
  CHECK(schedules > 300);
}

namespace {

/// A worker as those of the pool, of what can be put into a counter of jobs: it ends when it has done its
/// share.
void worker(Idle& idle, ModelAtomics::Word<int>& jobs, ModelAtomics::Word<int>& done, int all) {
  const auto take = [&] {
    int now = jobs.load();
    while (now > 0)
      if (jobs.compareExchange(now, now - 1)) return true;
    return false;
  };
  bool searches = idle.beginSearch(1);
  for (;;) {
    const bool found = searches && take();
    const bool over = !found && done.load() == all;
    if (found || over) {
      if (searches && idle.endSearch() && jobs.load() > 0) idle.wakeOne();
      if (over) return;
      if (done.fetchAdd(1) + 1 == all) idle.wakeAll();
      searches = idle.beginSearch(1);
      continue;
    }
    idle.announceSleep(searches);
    if (jobs.load() > 0 || done.load() == all) {
      idle.stayAwake();
    } else {
      idle.sleep();
    }
    searches = true;
  }
}

std::size_t exploreWorkers(int workers, int all, unsigned preemptions) {
  Explorer explorer(preemptions);
  return explorer.explore([=](std::function<void()>& check) {
    struct Pool {
      Idle idle;
      ModelAtomics::Word<int> jobs{0};
      ModelAtomics::Word<int> done{0};
    };
    const auto pool = std::make_shared<Pool>();
    check = [=] { REQUIRE(pool->done.peek() == all); };
    std::vector<Explorer::Body> bodies;
    bodies.push_back([=] {
      for (int i = 0; i < all; ++i) {
        pool->jobs.fetchAdd(1);
        pool->idle.notify();
      }
    });
    for (int i = 0; i < workers; ++i)
      bodies.push_back([=] { worker(pool->idle, pool->jobs, pool->done, all); });
    return bodies;
  });
}

}  // namespace

TEST_CASE("no wake-up is lost between a producer and a worker, in every schedule") {
  CHECK(exploreWorkers(1, 1, 4) > 100);
}

TEST_CASE("no wake-up is lost between a producer and two workers, in every schedule") {
  CHECK(exploreWorkers(2, 2, 2) > 100);
}

namespace {

/// One that looks for work before it says that it sleeps, and not after.
struct Forgetful {
  ModelAtomics::Word<int> sleeping{0};
  ModelGate gate;
};

}  // namespace

TEST_CASE("the explorer finds a wake-up that is lost") {
  Explorer explorer(2);
  const auto explore = [&] {
    return explorer.explore([](std::function<void()>& check) {
      const auto jobs = std::make_shared<ModelAtomics::Word<int>>(0);
      const auto idle = std::make_shared<Forgetful>();
      check = [] {};
      const auto produce = [=] {
        jobs->fetchAdd(1);
        if (idle->sleeping.load() > 0) idle->gate.post(1);
      };
      const auto consume = [=] {
        if (jobs->load() > 0) return;
        idle->sleeping.fetchAdd(1);
        idle->gate.wait();
      };
      return std::vector<Explorer::Body>{produce, consume};
    });
  };
  CHECK_THROWS_AS(explore(), std::runtime_error);
  Explorer::current() = nullptr;
}
