// SPDX-License-Identifier: MIT
// Random trees of forks that throw, are aborted, visit another pool, and whose pool ends while they run: each task runs
// once or, aborted, never, and who has forked it learns which. LEAT_POOL_FORKS says how many forks, LEAT_POOL_SEED from where.
#include <leat/abort.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop.hpp>
#include <leat/pool.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat_test.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace leat;
using detail::Atomic;

std::uint64_t numberIn(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  unsigned below(unsigned most) { return static_cast<unsigned>(next() % most); }
  bool oneIn(unsigned many) { return below(many) == 0; }

 private:
  std::uint64_t state_;
};

struct Thrown {
  std::uint64_t by;
};

/// A task, for who forks it. No atomics: the join is what makes it seen.
struct Child {
  std::uint64_t seed = 0;
  int begun = 0;
  int ended = 0;
  bool threw = false;
  bool failed() const { return threw || begun == 0; }
};

/// Of all rounds.
struct Tally {
  Atomic<std::uint64_t> made{0};
  Atomic<std::uint64_t> begun{0};
  Atomic<std::uint64_t> gave{0};
  Atomic<std::uint64_t> threw{0};
  Atomic<std::uint64_t> notBegun{0};
  Atomic<std::uint64_t> visits{0};
  Atomic<std::uint64_t> wrong{0};
  void check(bool holds) {
    if (!holds) wrong.fetchAdd(1);
  }
};

/// A pool, and perhaps another one.
struct Round {
  Tally& tally;
  WorkStealingPool* home;
  WorkStealingPool* other;
  bool aborts;
  Atomic<int> open{0};        // roots that run
  Atomic<unsigned> begun{0};  // tasks
};

Task<std::uint64_t> node(Round& round, Child& self, int depth);

/// What a fork has thrown: "", "aborted", or who.
std::string nameOf(const std::exception_ptr& error) {
  if (!error) return "";
  try {
    std::rethrow_exception(error);
  } catch (const Thrown& thrown) {
    return std::to_string(thrown.by);
  } catch (const AbortError&) {
    return "aborted";
  } catch (const Error& other) {
    return std::string(other.code());
  } catch (...) {
    return "something else";
  }
}
std::string failureOf(const Child& child) {
  if (child.begun == 0) return "aborted";
  return child.threw ? std::to_string(child.seed) : "";
}
std::string firstFailure(const std::vector<Child>& children) {
  const auto first = std::find_if(children.begin(), children.end(),
                                  [](const Child& child) { return child.failed(); });
  return first == children.end() ? "" : failureOf(*first);
}

/// The children of one fork.
class Family {
 public:
  Family(Round& round, Dice& dice, std::size_t count, int depth)
      : round_(round), depth_(depth), children_(count) {
    for (Child& child : children_) child.seed = dice.next();
    round_.tally.made.fetchAdd(count);
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  ~Family() {
    Tally& tally = round_.tally;
    for (const Child& child : children_) {
      tally.check(child.begun == child.ended && child.begun <= 1);
      tally.check(child.begun == 1 || round_.aborts);
      (child.begun == 0 ? tally.notBegun : child.threw ? tally.threw : tally.gave).fetchAdd(1);
    }
  }
  Task<std::uint64_t> task(std::size_t number) {
    return node(round_, children_[number], depth_ - 1);
  }
  std::vector<Task<std::uint64_t>> tasks() {
    std::vector<Task<std::uint64_t>> all;
    for (std::size_t i = 0; i < children_.size(); ++i) all.push_back(task(i));
    return all;
  }
  std::size_t size() const { return children_.size(); }
  const std::vector<Child>& children() const { return children_; }
  void check(bool holds) { round_.tally.check(holds); }
  /// Of a fork that gives values or throws the first failure.
  void checkValues(const std::vector<std::uint64_t>& values, const std::exception_ptr& error) {
    check(nameOf(error) == firstFailure(children_));
    if (error) return;
    check(values.size() == size());
    for (std::size_t i = 0; i < values.size(); ++i) check(values[i] == children_[i].seed);
  }
  void checkResults(const std::vector<Result<std::uint64_t>>& results) {
    check(results.size() == size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      check(nameOf(results[i].error()) == failureOf(children_[i]));
      check(!results[i] || results[i].value() == children_[i].seed);
    }
  }

 private:
  Round& round_;
  const int depth_;
  std::vector<Child> children_;
};

Task<> forkPack(Family& family) {
  std::vector<std::uint64_t> values;
  std::exception_ptr error;
  try {
    auto [a, b, c] = co_await fork(family.task(0), family.task(1), family.task(2));
    values = {a, b, c};
  } catch (...) {
    error = std::current_exception();
  }
  family.checkValues(values, error);
}

Task<> forkRow(Family& family, bool given) {
  std::vector<std::uint64_t> values;
  std::exception_ptr error;
  const auto make = [&family](std::size_t i) { return family.task(i); };
  try {
    if (given) {
      values = co_await fork(family.tasks());
    } else {
      values = co_await fork(family.size(), make);
    }
  } catch (...) {
    error = std::current_exception();
  }
  family.checkValues(values, error);
}

Task<> settleRow(Family& family, bool given) {
  std::vector<Result<std::uint64_t>> results;
  const auto make = [&family](std::size_t i) { return family.task(i); };
  if (given) {
    results = co_await forkSettled(family.tasks());
  } else {
    results = co_await forkSettled(family.size(), make);
  }
  family.checkResults(results);
}

Task<> scopeOf(Family& family) {
  std::vector<std::exception_ptr> errors;
  std::exception_ptr thrown;
  const auto body = [&family](ForkScope& scope) -> Task<> {
    for (std::size_t i = 0; i < family.size(); ++i) scope.fork(family.task(i));
    co_return;
  };
  try {
    co_await forkScope(body, errors);
  } catch (...) {
    thrown = std::current_exception();
  }
  std::vector<std::string> names, failures;
  for (const std::exception_ptr& each : errors) names.push_back(nameOf(each));
  for (const Child& child : family.children())
    if (child.failed()) failures.push_back(failureOf(child));
  family.check(nameOf(thrown) == (names.empty() ? "" : names.front()));
  std::sort(names.begin(), names.end());
  std::sort(failures.begin(), failures.end());
  family.check(names == failures);
}

/// Goes to the other pool, forks there, and comes home, most of the time.
Task<> visit(Round& round, Dice& dice) {
  round.tally.visits.fetchAdd(1);
  if (dice.oneIn(2)) {
    co_await round.other->schedule();
    round.tally.check(round.other->isCurrent());
    Family family(round, dice, 3, 0);
    co_await forkPack(family);
  } else {
    Family family(round, dice, 4, 0);
    const auto there = [&family]() -> Task<> { co_await settleRow(family, true); };
    co_await round.other->run(there);
  }
  if (dice.oneIn(4)) co_return;
  co_await round.home->schedule();
  round.tally.check(round.home->isCurrent());
}

Task<> forkSome(Round& round, Dice& dice, int depth) {
  if (round.other != nullptr && dice.oneIn(40)) co_await visit(round, dice);
  const unsigned kind = dice.below(6);
  Family family(round, dice, kind == 0 ? 3 : 1 + dice.below(5), depth);
  switch (kind) {
    case 0:
      co_await forkPack(family);
      break;
    case 1:
      co_await forkRow(family, true);
      break;
    case 2:
      co_await forkRow(family, false);
      break;
    case 3:
      co_await settleRow(family, true);
      break;
    case 4:
      co_await settleRow(family, false);
      break;
    default:
      co_await scopeOf(family);
  }
}

Task<std::uint64_t> node(Round& round, Child& self, int depth) {
  ++self.begun;
  round.tally.begun.fetchAdd(1);
  round.begun.fetchAdd(1);
  Dice dice(self.seed);
  if (depth > 0) co_await forkSome(round, dice, depth);
  ++self.ended;
  if (dice.oneIn(16)) {
    self.threw = true;
    throw Thrown{self.seed};
  }
  co_return self.seed;
}

struct Ending {
  Atomic<int>& open;
  ~Ending() { open.fetchSub(1); }
};
Task<std::uint64_t> rootNode(Round& round, Child& self, int depth) {
  round.open.fetchAdd(1);
  const Ending ending{round.open};
  co_return co_await node(round, self, depth);
}

/// What comes of a tree, as `nameOf`.
Promise<std::string> call(Round& round, Child& root, AbortSignal signal) {
  const auto work = [&round, &root] { return rootNode(round, root, 7); };
  const auto onPool = [&]() -> Task<std::uint64_t> { co_return co_await round.home->run(work); };
  const auto result = co_await asResult(withSignal(signal, onPool()));
  co_return nameOf(result.error());
}

/// Three trees on a pool, or on two. One in two rounds is aborted somewhere, and one in four loses its pool.
void play(Tally& tally, Dice& dice) {
  const auto threads = [&dice] { return PoolOptions{.threads = 1 + dice.below(4)}; };
  const bool ends = dice.oneIn(4);
  const bool aborts = dice.oneIn(2);
  const unsigned after = dice.below(300);
  auto home = std::make_unique<WorkStealingPool>(threads());
  auto other = ends ? nullptr : std::make_unique<WorkStealingPool>(threads());
  Round round{tally, home.get(), other.get(), aborts};
  std::vector<Child> roots(3);
  for (Child& root : roots) root.seed = dice.next();
  std::vector<std::string> outcomes;
  const auto main = [&]() -> Task<> {
    AbortController controller;
    std::vector<Promise<std::string>> calls;
    for (Child& root : roots) calls.push_back(call(round, root, controller.signal()));
    const auto pending = [](const auto& each) { return each.status() == PromiseStatus::Pending; };
    while (round.begun.load() < after && std::any_of(calls.begin(), calls.end(), pending))
      co_await nextImmediate();
    if (aborts) controller.abort();
    if (ends) home.reset();
    outcomes = co_await all(std::move(calls));
  };
  tally.check(run(main) == 0);
  // What was aborted may still run, on either pool. One that no worker has now will not begin any more.
  if (home)
    while (home->statistics().sleeping < home->threads()) ::sched_yield();
  while (round.open.load() > 0) ::sched_yield();
  home.reset();
  other.reset();
  outcomes.resize(roots.size());
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const Child& root = roots[i];
    tally.begun.fetchSub(static_cast<std::uint64_t>(root.begun));
    tally.check(root.begun == root.ended && root.begun <= 1);
    if (outcomes[i] == "aborted") {
      tally.check(aborts);
    } else if (outcomes[i] == "ERR_POOL_CLOSED") {
      tally.check(ends && root.begun == 0);
    } else {
      tally.check(root.begun == 1 && outcomes[i] == failureOf(root));
    }
  }
}

}  // namespace

TEST_CASE("each of many forks runs once or never, and who has forked it learns which") {
  const std::uint64_t forks = numberIn("LEAT_POOL_FORKS", 500'000);
  const std::uint64_t seed = numberIn("LEAT_POOL_SEED", 1);
  // To be repeated with the same seed, as far as the threads go the same ways.
  std::printf("LEAT_POOL_FORKS=%llu LEAT_POOL_SEED=%llu\n", static_cast<unsigned long long>(forks),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Tally tally;
  Dice dice(seed);
  while (tally.made.load() < forks && tally.wrong.load() == 0) play(tally, dice);
  CHECK(tally.wrong.load() == 0);
  CHECK(tally.made.load() >= forks);
  CHECK(tally.begun.load() == tally.gave.load() + tally.threw.load());
  CHECK(tally.made.load() == tally.begun.load() + tally.notBegun.load());
  CHECK(tally.threw.load() > tally.begun.load() / 32);
  CHECK(tally.visits.load() > forks / 1000);
  std::printf("%llu gave, %llu threw, %llu aborted, %llu visits\n",
              static_cast<unsigned long long>(tally.gave.load()),
              static_cast<unsigned long long>(tally.threw.load()),
              static_cast<unsigned long long>(tally.notBegun.load()),
              static_cast<unsigned long long>(tally.visits.load()));
}
