// SPDX-License-Identifier: MIT
// The explorer of schedules itself: what it may skip, of schedules that come to the same.
#include <leat_test.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <set>

#include "pool_model.hpp"

namespace {

using leat_test::Explorer;
using leat_test::ModelAtomics;

/// Threads of a few steps on a few words, drawn by chance.
class SmallProgram {
 public:
  static constexpr std::size_t threads = 3;
  static constexpr std::size_t steps = 3;
  static constexpr std::size_t words = 2;
  /// What each thread has read, and what is left in the words.
  using Outcome = std::array<int, threads * steps + words>;
  struct Seen {
    std::set<Outcome> outcomes;
    bool stuck = false;
    std::size_t schedules = 0;
  };

  explicit SmallProgram(std::uint32_t seed) {
    for (Step& each : code_) {
      seed = seed * 1664525 + 1013904223;
      each = {static_cast<Kind>((seed >> 8) % kinds), (seed >> 16) % words};
    }
  }

  Seen seenBy(Explorer::Bound bound) const {
    Seen seen;
    Explorer explorer(bound);
    try {
      seen.schedules = explorer.explore([&](std::function<void()>& check) {
        const auto run = std::make_shared<Run>();
        check = [&seen, run] {
          for (std::size_t i = 0; i < words; ++i)
            run->outcome[threads * steps + i] = run->memory[i].peek();
          seen.outcomes.insert(run->outcome);
        };
        std::vector<Explorer::Body> bodies;
        for (std::size_t thread = 0; thread < threads; ++thread)
          bodies.push_back([this, run, thread] {
            for (std::size_t i = thread * steps; i < (thread + 1) * steps; ++i)
              run->outcome[i] = perform(code_[i], static_cast<int>(i) + 1, *run);
          });
        return bodies;
      });
    } catch (const std::runtime_error&) {
      seen.stuck = true;
    }
    return seen;
  }

 private:
  enum class Kind { load, store, add, exchange, wait };
  static constexpr std::uint32_t kinds = 5;
  struct Step {
    Kind kind;
    std::size_t word;
  };
  struct Run {
    std::array<ModelAtomics::Word<int>, words> memory;
    Outcome outcome{};
  };

  static int perform(const Step& step, int value, Run& run) {
    ModelAtomics::Word<int>& word = run.memory[step.word];
    switch (step.kind) {
      case Kind::load:
        return word.load();
      case Kind::store:
        word.store(value);
        return 0;
      case Kind::add:
        return word.fetchAdd(16);
      case Kind::exchange: {
        int expected = 0;
        return word.compareExchange(expected, value) ? 0 : expected;
      }
      case Kind::wait:
        Explorer::current()->await([&word] { return word.peek() != 0; }, &word);
        return 0;
    }
    return 0;
  }

  std::array<Step, threads * steps> code_{};
};

}  // namespace

TEST_CASE("schedules that differ only in steps on different words are walked once") {
  const auto explore = [](Explorer::Bound bound) {
    Explorer explorer(bound);
    return explorer.explore([](std::function<void()>& check) {
      const auto words = std::make_shared<std::array<ModelAtomics::Word<int>, 2>>();
      check = [] {};
      std::vector<Explorer::Body> bodies;
      for (ModelAtomics::Word<int>& word : *words)
        bodies.push_back([words, &word] {
          word.store(1);
          word.store(2);
        });
      return bodies;
    });
  };
  CHECK(explore(Explorer::unbounded) >= 6);
  CHECK(explore(Explorer::Distinct{}) == 1);
}

TEST_CASE("the explorer that skips schedules sees what the one that walks all sees") {
  unsigned stuck = 0;
  std::size_t all = 0;
  std::size_t walked = 0;
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    const SmallProgram program(seed);
    const auto every = program.seenBy(Explorer::unbounded);
    const auto fewer = program.seenBy(Explorer::Distinct{});
    REQUIRE(fewer.stuck == every.stuck);
    stuck += every.stuck ? 1 : 0;
    if (every.stuck) continue;
    REQUIRE(fewer.outcomes == every.outcomes);
    all += every.schedules;
    walked += fewer.schedules;
  }
  CHECK(stuck > 3);
  CHECK(stuck < 40);
  CHECK(walked * 4 < all);
}
