// SPDX-License-Identifier: MIT
// How the workers of a pool are woken: one at a time, and the next by who has found something.
#include <leat/pool/idle_workers.hpp>
#include <leat_test.hpp>

namespace {

using leat::detail::RealAtomics;

/// Nobody sleeps at it; it counts who is let through.
struct CountingGate {
  static inline int posted = 0;
  static inline int waited = 0;
  void post(int count) noexcept { posted += count; }
  void wait() noexcept { ++waited; }
};

/// Of so many workers, all of which sleep.
struct Sleepers : leat::detail::IdleWorkers<RealAtomics, CountingGate> {
  explicit Sleepers(unsigned count) : IdleWorkers(count) {
    CountingGate::posted = CountingGate::waited = 0;
    for (unsigned i = 0; i < count; ++i) {
      announceSleep(false);
      sleep();
    }
  }
};

}  // namespace

TEST_CASE("of several sleepers one is woken, and no other while that one searches") {
  Sleepers idle(3);
  CHECK(CountingGate::waited == 3);
  CHECK(idle.sleepers() == 3);
  idle.notify();
  idle.notify();
  idle.notifyFromInside();
  CHECK(CountingGate::posted == 1);
  CHECK(idle.sleepers() == 2);
  CHECK(idle.atRest() == 3);
}

TEST_CASE("the last that searches is told to look whether another one is needed") {
  Sleepers idle(3);
  idle.notifyFromInside();
  CHECK(CountingGate::posted == 1);
  CHECK(idle.endSearch());
  CHECK(idle.atRest() == 2);
  idle.wakeOne();
  CHECK(CountingGate::posted == 2);
  CHECK(idle.sleepers() == 1);
  // The first is back; while it searches, that the second has found something matters to nobody.
  CHECK(idle.beginSearch(2));
  CHECK_FALSE(idle.endSearch());
  CHECK(idle.endSearch());
  idle.notify();
  CHECK(CountingGate::posted == 3);
  // Nobody is left that could be woken.
  CHECK_FALSE(idle.endSearch());
  idle.notify();
  CHECK(CountingGate::posted == 3);
}

TEST_CASE("no more workers search than may") {
  Sleepers idle(3);
  idle.notify();
  CHECK_FALSE(idle.beginSearch(1));
  CHECK(idle.beginSearch(2));
  CHECK_FALSE(idle.beginSearch(2));
  CHECK(idle.atRest() == 4);
  CHECK_FALSE(idle.endSearch());
  CHECK(idle.endSearch());
  CHECK(idle.beginSearch(1));
}

TEST_CASE("all are woken at once, to search, but those that do already") {
  Sleepers idle(3);
  idle.notify();
  idle.wakeAll();
  CHECK(CountingGate::posted == 3);
  CHECK(idle.sleepers() == 0);
  CHECK(idle.atRest() == 3);
  idle.wakeAll();
  CHECK(CountingGate::posted == 3);
}

TEST_CASE("who stays awake searches, and takes the wake-up that was meant for it along") {
  Sleepers idle(2);
  // One of two that have said that they sleep looks once more, and finds something.
  idle.stayAwake();
  CHECK(CountingGate::waited == 2);
  CHECK(idle.sleepers() == 1);
  CHECK(idle.atRest() == 2);
  idle.wakeAll();
  CHECK(CountingGate::posted == 1);
  // The other one does, too; but it has been called.
  idle.stayAwake();
  CHECK(CountingGate::waited == 3);
  CHECK(idle.atRest() == 2);
}
