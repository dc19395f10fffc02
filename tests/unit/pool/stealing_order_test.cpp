// SPDX-License-Identifier: MIT
// From whom a worker without work steals: where it found something last, else from one by chance.
#include <leat/pool.hpp>
#include <leat_test.hpp>

#include <sched.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace leat;
using detail::Atomic;
using detail::PoolWorker;

/// A worker that steals, and three that stand still while there are jobs in their deques.
class Theft {
 public:
  static constexpr std::size_t victims = 3;

  template <class F>
  void by(F thief) {
    for (std::size_t i = 0; i < victims; ++i) pool_.submit([this, i] { stand(i); });
    syncWait(pool_.run([&] {
      while (standing_.load() < victims) ::sched_yield();
      std::sort(workers_.begin(), workers_.end(),
                [](const auto* a, const auto* b) { return a->index() < b->index(); });
      thief();
      over_.store(true);
    }));
  }
  /// Puts a job with a name into the deque of a worker, which does not touch it meanwhile.
  void put(std::size_t victim, char name) {
    jobs_.push_back(std::make_unique<Named>(*this, name));
    workers_[victim]->push(*jobs_.back());
  }
  /// The names of what the thief gets, in its order.
  std::string stolen() {
    names_.clear();
    while (PoolWorker::current()->help()) continue;
    return names_;
  }

 private:
  struct Named : detail::PoolJob {
    Named(Theft& of, char n) noexcept : PoolJob(onTaken), theft(of), name(n) {}
    static void onTaken(PoolJob& job, bool) noexcept {
      const auto& self = static_cast<Named&>(job);
      self.theft.names_ += self.name;
    }
    Theft& theft;
    const char name;
  };

  void stand(std::size_t number) {
    workers_[number] = PoolWorker::current();
    standing_.fetchAdd(1);
    while (!over_.load()) ::sched_yield();
  }

  Atomic<std::size_t> standing_{0};
  Atomic<bool> over_{false};
  std::array<PoolWorker*, victims> workers_{};
  std::vector<std::unique_ptr<Named>> jobs_;
  std::string names_;
  // Ends before what its jobs use.
  WorkStealingPool pool_{{.threads = victims + 1}};
};

}  // namespace

TEST_CASE("a thief goes on where it found something, until there is no more") {
  Theft theft;
  std::vector<std::string> orders;
  theft.by([&] {
    for (int round = 0; round < 32; ++round) {
      for (int i = 0; i < 4; ++i)
        for (std::size_t victim = 0; victim < Theft::victims; ++victim)
          theft.put(victim, static_cast<char>('a' + victim));
      orders.push_back(theft.stolen());
    }
  });
  REQUIRE(orders.size() == 32);
  for (std::string order : orders) {
    CAPTURE(order);
    CHECK(order.size() == 12);
    // Four of each, side by side.
    order.erase(std::unique(order.begin(), order.end()), order.end());
    CHECK(order.size() == 3);
  }
}

TEST_CASE("a thief that finds nothing where it was goes to any other one") {
  Theft theft;
  int lowerFirst = 0;
  int rounds = 0;
  theft.by([&] {
    theft.put(0, 'a');
    char last = theft.stolen().back();
    for (; rounds < 200; ++rounds) {
      // Into the deques of the two others.
      for (std::size_t victim = 0; victim < Theft::victims; ++victim)
        if (const char name = static_cast<char>('a' + victim); name != last)
          theft.put(victim, name);
      const std::string order = theft.stolen();
      lowerFirst += order.front() < order.back() ? 1 : 0;
      last = order.back();
    }
  });
  REQUIRE(rounds == 200);
  CHECK(lowerFirst > 0);
  CHECK(lowerFirst < 200);
}
