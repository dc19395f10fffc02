// SPDX-License-Identifier: MIT
// The gate of sleepers, the forks of ranges and the deque under every schedule of a few threads and operations, as
// far as the number of preemptions goes that each test gives to its Explorer; without a bound where a test says so, as
// those of deque_model_test.cpp.
#include <leat/pool/fork_group.hpp>
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
template <class Atomics>
struct Gate {
  void post(int count) { permits.fetchAdd(count); }
  void wait() {
    for (;;) {
      Explorer::current()->await([this] { return permits.peek() > 0; }, &permits);
      int now = permits.load();
      while (now > 0)
        if (permits.compareExchange(now, now - 1)) return;
    }
  }
  typename Atomics::template Word<int> permits{0};
};
using ModelGate = Gate<ModelAtomics>;
using Idle = leat::detail::IdleWorkers<ModelAtomics, ModelGate>;

struct Taken {
  int items[4] = {};
  int count[4] = {};
  void take(const int* item) {
    if (item != nullptr) ++count[item - items];
  }
};

}  // namespace

TEST_CASE("an owner and two thieves take each item once, in every schedule of two preemptions") {
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

TEST_CASE(
    "an owner that pushes and pops the last item meets a thief in every schedule of three "
    "preemptions") {
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

std::size_t exploreWorkers(int workers, int all, Explorer::Bound bound) {
  Explorer explorer(bound);
  return explorer.explore([=](std::function<void()>& check) {
    struct Pool {
      explicit Pool(int workers) : idle(static_cast<unsigned>(workers)) {}
      Idle idle;
      ModelAtomics::Word<int> jobs{0};
      ModelAtomics::Word<int> done{0};
    };
    const auto pool = std::make_shared<Pool>(workers);
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
  CHECK(exploreWorkers(1, 1, Explorer::unbounded) > 300);
  CHECK(exploreWorkers(1, 2, Explorer::Distinct{}) > 300);
}

// Without a bound two workers have more schedules than can be walked.
TEST_CASE(
    "no wake-up is lost between a producer and two workers, in every schedule of a few "
    "preemptions") {
  CHECK(exploreWorkers(2, 1, 4) > 50'000);
  CHECK(exploreWorkers(2, 2, 3) > 50'000);
}

namespace {

/// Workers that publish in a deque of their own, on processors that delay stores.
template <bool Heavy>
struct Delayed {
  using Atomics = leat_test::DelayedAtomics<Heavy>;
  struct Pool {
    explicit Pool(unsigned workers) : idle(workers) {}
    leat::detail::IdleWorkers<Atomics, Gate<Atomics>> idle;
    leat::detail::WorkDeque<int, Atomics> deque;
    int item = 0;
  };

  static void publish(Pool& pool, int times) {
    for (int i = 0; i < times; ++i) {
      pool.deque.push(&pool.item);
      pool.idle.notifyFromInside();
    }
  }
  /// A worker that ends when it has got something.
  static void takeOne(Pool& pool) {
    bool searches = pool.idle.beginSearch(1);
    for (;;) {
      const bool found = searches && pool.deque.steal() != nullptr;
      if (found) {
        if (pool.idle.endSearch() && !pool.deque.empty()) pool.idle.wakeOne();
        return;
      }
      pool.idle.announceSleep(searches);
      if (!pool.deque.empty()) {
        pool.idle.stayAwake();
      } else {
        pool.idle.sleep();
      }
      searches = true;
    }
  }
  /// One worker publishes as often as others want to take; it is busy then.
  static std::size_t explore(unsigned takers, Explorer::Bound bound) {
    Explorer explorer(bound);
    return explorer.explore([=](std::function<void()>& check) {
      const auto pool = std::make_shared<Pool>(takers + 1);
      // The ring is there: what is not delayed is not the matter.
      pool->deque.push(&pool->item);
      (void)pool->deque.pop();
      check = [=] { REQUIRE(pool->deque.empty()); };
      std::vector<Explorer::Body> bodies;
      bodies.push_back([=] { publish(*pool, static_cast<int>(takers)); });
      for (unsigned i = 0; i < takers; ++i) bodies.push_back([=] { takeOne(*pool); });
      return leat_test::StoreBuffers::all().of(std::move(bodies));
    });
  }
};

}  // namespace

TEST_CASE(
    "no wake-up is lost between workers when stores are delayed and the light fence is none") {
  CHECK(Delayed<true>::explore(1, Explorer::unbounded) > 10'000);
  CHECK(Delayed<true>::explore(2, 3) > 10'000);
}

TEST_CASE("the explorer finds the wake-up that is lost without the heavy fence") {
  CHECK_THROWS_AS(Delayed<false>::explore(1, 2), std::runtime_error);
}

namespace {

/// Who forks a range, and thieves. `Divided`: whether the token becomes a part of its own before it goes on.
/// `wanders`: a child that ends on a thread that is no worker, if it is one of them.
template <class Atomics, bool Divided = true>
struct ForkedRange {
  static constexpr unsigned children = 3;
  ForkedRange(int workers, std::size_t child)
      : deques(static_cast<std::size_t>(workers)), wanders(child) {
    // The rings are there: what is not delayed is not the matter.
    for (auto& deque : deques) {
      deque.push(&token);
      (void)deque.pop();
    }
  }
  leat::detail::ForkClaims<Atomics> claims;
  std::vector<leat::detail::WorkDeque<int, Atomics>> deques;
  const std::size_t wanders;
  int token = 0;
  unsigned runs[children] = {};
  bool joined = false;
  bool wrong = false;

  /// The group is gone after the join.
  void use() { wrong |= joined; }
  void join() {
    use();
    for (const unsigned each : runs) wrong |= each != 1;
    joined = true;
  }
  void leave(unsigned parts) {
    use();
    if (claims.alone(parts) || claims.leave(parts)) join();
  }
  void chain(std::size_t who, std::size_t number) {
    for (; number < children; number = claims.claim()) {
      ++runs[number];
      use();
      if (number == wanders) return leave(1);
    }
    leave(deques[who].popIf(&token) ? 2 : 1);
  }
  void taken(std::size_t who) {
    use();
    const std::size_t number = claims.claim();
    if (number >= children) return leave(1);
    if (!Divided) deques[who].push(&token);
    if (claims.divide(number) && Divided) deques[who].push(&token);
    chain(who, number);
  }
  void begin() {
    claims.begin(children);
    deques[0].push(&token);
    chain(0, 0);
    while (deques[0].pop() != nullptr) taken(0);
  }
  void steal(std::size_t who) {
    for (std::size_t from = 0; from < deques.size(); ++from)
      if (from != who && deques[from].steal() != nullptr) taken(who);
    while (deques[who].pop() != nullptr) taken(who);
  }
  /// Gives the number of schedules in which something was wrong.
  static std::size_t explore(int workers, unsigned preemptions, std::size_t& schedules,
                             std::size_t wanders = children) {
    Explorer explorer(preemptions);
    std::size_t faults = 0;
    schedules = explorer.explore([&, workers](std::function<void()>& check) {
      const auto range = std::make_shared<ForkedRange>(workers, wanders);
      check = [=, &faults] { faults += range->wrong || !range->joined; };
      std::vector<Explorer::Body> bodies;
      bodies.push_back([=] { range->begin(); });
      for (int i = 1; i < workers; ++i)
        bodies.push_back([=] { range->steal(static_cast<std::size_t>(i)); });
      return leat_test::StoreBuffers::all().of(std::move(bodies));
    });
    return faults;
  }
};

}  // namespace

TEST_CASE(
    "a forked range runs each child once and joins once, in every schedule of a few preemptions") {
  std::size_t schedules = 0;
  CHECK(ForkedRange<ModelAtomics>::explore(2, 3, schedules) == 0);
  CHECK(schedules > 300);
  CHECK(ForkedRange<ModelAtomics>::explore(3, 2, schedules) == 0);
  CHECK(schedules > 300);
  CHECK(ForkedRange<leat_test::DelayedAtomics<false>>::explore(2, 3, schedules) == 0);
  CHECK(schedules > 300);
}

TEST_CASE(
    "a forked range joins once when a child ends elsewhere, in every schedule of three "
    "preemptions") {
  std::size_t schedules = 0;
  for (const std::size_t child : {0U, 1U, 2U})
    CHECK(ForkedRange<ModelAtomics>::explore(2, 3, schedules, child) == 0);
}

TEST_CASE("the explorer finds a token that is passed on before it is counted") {
  std::size_t schedules = 0;
  CHECK(ForkedRange<ModelAtomics, false>::explore(3, 2, schedules) > 0);
}

namespace {

/// One that looks for work before it says that it sleeps, and not after.
struct Forgetful {
  ModelAtomics::Word<int> sleeping{0};
  ModelGate gate;
};

}  // namespace

TEST_CASE("the explorer finds a wake-up that is lost") {
  const auto explore = [](Explorer::Bound bound) {
    Explorer explorer(bound);
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
  CHECK_THROWS_AS(explore(2), std::runtime_error);
  CHECK_THROWS_AS(explore(Explorer::Distinct{}), std::runtime_error);
}
