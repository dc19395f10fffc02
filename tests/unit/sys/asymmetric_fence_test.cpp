// SPDX-License-Identifier: MIT
#include <leat/sys/asymmetric_fence.hpp>
#include <leat/testing/fuse.hpp>
#include <leat_test.hpp>

#include <thread>

namespace sys = leat::sys;
using leat::sys::Call;

namespace {

/// A while at full speed, in which the other is likely to run beside this one.
void waitFor(const leat::detail::Atomic<int>& word, int value) {
  for (int turn = 0; word.load(leat::detail::acquire) < value; ++turn)
    turn < 1000 ? leat::detail::cpuRelax() : std::this_thread::yield();
}

/// Two threads that each store to a word of their own and then read that of the other, one with the light fence and one
/// with the heavy one in between. How often both read what was there before, which one full fence on each side forbids.
int bothMissed(int rounds) {
  leat::detail::Atomic<int> mine{0}, theirs{0}, round{0}, read{0}, ended{0};
  std::thread other([&] {
    for (int i = 1; i <= rounds; ++i) {
      waitFor(round, i);
      theirs.store(i, leat::detail::relaxed);
      sys::heavyFence();
      read.store(mine.load(leat::detail::relaxed), leat::detail::relaxed);
      ended.store(i, leat::detail::release);
    }
  });
  int missed = 0;
  for (int i = 1; i <= rounds; ++i) {
    round.store(i, leat::detail::release);
    // The other thread is between nothing and its end, as it comes.
    for (int pause = i % 50; pause > 0; --pause) leat::detail::cpuRelax();
    mine.store(i, leat::detail::relaxed);
    sys::lightFence();
    const int seen = theirs.load(leat::detail::relaxed);
    waitFor(ended, i);
    if (seen < i && read.load(leat::detail::relaxed) < i) ++missed;
  }
  other.join();
  return missed;
}

}  // namespace

TEST_CASE("of a light and a heavy fence one at least sees what the other side stored") {
  sys::prepareFences();
  CHECK(bothMissed(20'000) == 0);
}

TEST_CASE("without membarrier both fences are full") {
  {
    leat::testing::FaultInjector none;
    none.fail(Call::membarrier, ENOSYS);
    sys::prepareFences();
    CHECK_FALSE(sys::asymmetricFences.load());
    CHECK(bothMissed(20'000) == 0);
  }
  sys::prepareFences();
  const bool there = sys::asymmetricFences.load();
  {
    leat::testing::FaultInjector later;
    later.fail(Call::membarrier, EPERM);
    sys::heavyFence();
    CHECK_FALSE(sys::asymmetricFences.load());
    CHECK(bothMissed(20'000) == 0);
  }
  sys::prepareFences();
  CHECK(sys::asymmetricFences.load() == there);
}
