// SPDX-License-Identifier: MIT
// The deque of a worker under every schedule, without a bound on preemptions where there are few operations; while it
// grows; and on processors that delay stores.
#include <leat/pool/work_deque.hpp>
#include <leat_test.hpp>

#include <memory>

#include "pool_model.hpp"

namespace {

using leat_test::DelayedAtomics;
using leat_test::Explorer;
using leat_test::ModelAtomics;

constexpr unsigned unbounded = Explorer::unbounded;
constexpr Explorer::Distinct distinct;

/// A deque with room for two items at first, and who has got which.
template <class Atomics>
struct Bench {
  static constexpr int most = 4;
  leat::detail::WorkDeque<int, Atomics, 2> deque;
  int items[most] = {};
  int taken[most] = {};
  int pushed = 0;

  void push() { deque.push(&items[pushed++]); }
  void take(const int* item) {
    if (item != nullptr) ++taken[item - items];
  }
  void pop() { take(deque.pop()); }
  void popIf(int number) {
    if (deque.popIf(&items[number])) take(&items[number]);
  }
  void steal() { take(deque.steal()); }
  /// What is left is the owner's.
  bool eachOnce() {
    while (const int* const item = deque.pop()) take(item);
    bool once = true;
    for (int i = 0; i < most; ++i) once = once && taken[i] == (i < pushed ? 1 : 0);
    return once;
  }
};

/// `filled` items are in it when `own` begins, and each of `thieves` takes one or two. Gives the number of schedules in
/// which an item was lost or taken twice.
template <class Atomics, class Own>
std::size_t faultsOf(Explorer::Bound bound, int filled, std::vector<int> thieves, Own own,
                     std::size_t least) {
  using B = Bench<Atomics>;
  std::size_t faults = 0;
  Explorer explorer(bound);
  const std::size_t schedules = explorer.explore([&](std::function<void()>& check) {
    const auto bench = std::make_shared<B>();
    // The first ring is there: a thief does not meet a deque without one.
    bench->deque.push(&bench->items[0]);
    (void)bench->deque.pop();
    for (int i = 0; i < filled; ++i) bench->push();
    check = [&faults, bench] { faults += bench->eachOnce() ? 0 : 1; };
    std::vector<Explorer::Body> bodies{[bench, own] { own(*bench); }};
    for (const int times : thieves)
      bodies.push_back([bench, times] {
        for (int i = 0; i < times; ++i) bench->steal();
      });
    return leat_test::StoreBuffers::all().of(std::move(bodies));
  });
  CHECK(schedules >= least);
  return faults;
}

const auto pops = [](auto& bench) { bench.pop(); };
const auto popsTwice = [](auto& bench) {
  bench.pop();
  bench.pop();
};
const auto onlyLooksOn = [](auto&) {};
const auto pushesAndPops = [](auto& bench) {
  bench.push();
  bench.popIf(bench.pushed - 1);
};
/// Of two that are there and the third, for which there is no room.
const auto growsAndPops = [](auto& bench) {
  bench.push();
  bench.pop();
  bench.pop();
};

}  // namespace

TEST_CASE("the last item goes to its owner or to a thief, in every schedule") {
  CHECK(faultsOf<ModelAtomics>(unbounded, 1, {1}, pops, 100) == 0);
  CHECK(faultsOf<ModelAtomics>(unbounded, 2, {1}, pops, 50) == 0);
}

TEST_CASE("an item that is pushed goes to its owner or to a thief, in every schedule") {
  CHECK(faultsOf<ModelAtomics>(unbounded, 0, {1}, pushesAndPops, 300) == 0);
}

TEST_CASE("an owner and two thieves take each item once, in every schedule") {
  CHECK(faultsOf<ModelAtomics>(distinct, 1, {1, 1}, pops, 1000) == 0);
  CHECK(faultsOf<ModelAtomics>(distinct, 2, {1, 1}, pops, 1000) == 0);
  CHECK(faultsOf<ModelAtomics>(distinct, 2, {1, 1}, popsTwice, 1000) == 0);
  CHECK(faultsOf<ModelAtomics>(distinct, 0, {1, 1}, pushesAndPops, 1000) == 0);
}

TEST_CASE("a deque that grows loses nothing to two thieves, in every schedule") {
  CHECK(faultsOf<ModelAtomics>(distinct, 2, {1, 1}, growsAndPops, 1000) == 0);
}

TEST_CASE("a deque that grows loses nothing to thieves, in every schedule of a few preemptions") {
  CHECK(faultsOf<ModelAtomics>(4, 2, {1}, growsAndPops, 300) == 0);
  CHECK(faultsOf<ModelAtomics>(3, 2, {2}, growsAndPops, 300) == 0);
  CHECK(faultsOf<ModelAtomics>(2, 2, {1, 1}, growsAndPops, 300) == 0);
}

TEST_CASE("owner and thief agree about the last item when stores are delayed") {
  CHECK(faultsOf<DelayedAtomics<false>>(unbounded, 1, {1}, pops, 50) == 0);
  CHECK(faultsOf<DelayedAtomics<false>>(unbounded, 2, {2}, pops, 50) == 0);
  CHECK(faultsOf<DelayedAtomics<false>>(3, 2, {2}, growsAndPops, 300) == 0);
}

namespace {

/// Without the fence between what an owner says and what it looks at.
struct Fenceless : DelayedAtomics<false> {
  static void fence() {}
};

}  // namespace

TEST_CASE("the explorer finds the item that is taken twice without the fence") {
  CHECK(faultsOf<Fenceless>(3, 2, {2}, pops, 50) > 0);
}

namespace {

/// Who compares and exchanges may be interrupted between the two.
struct TornAtomics : ModelAtomics {
  template <class T>
  class Word : public ModelAtomics::Word<T> {
   public:
    using ModelAtomics::Word<T>::Word;
    bool compareExchange(T& expected, T desired, int = 0) {
      const T now = this->load();
      if (now != expected) {
        expected = now;
        return false;
      }
      this->store(desired);
      return true;
    }
  };
};

}  // namespace

TEST_CASE("the explorer finds the item that two thieves take, though it skips what is the same") {
  CHECK(faultsOf<TornAtomics>(distinct, 2, {1, 1}, onlyLooksOn, 50) > 0);
  CHECK(faultsOf<TornAtomics>(distinct, 1, {1}, pops, 10) > 0);
}
