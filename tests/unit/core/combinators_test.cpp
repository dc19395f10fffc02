// SPDX-License-Identifier: MIT
#include <leat/core/combinators.hpp>
#include <leat/core/promise_then.hpp>

#include <list>
#include <memory>
#include <queue_fixture.hpp>

using leat::Promise;
using leat::PromiseStatus;
using leat::Task;
using leat_test::QueueFixture;
using leat_test::textOf;
using leat_test::Tracked;

namespace {

Task<int> taskOf(int x) { co_return x; }
Task<int> failing(int x) {
  throw x;
  co_return 0;
}
Task<std::unique_ptr<int>> unique(int x) { co_return std::make_unique<int>(x); }
Promise<int> after(Promise<> gate, int x) {
  co_await gate;
  co_return x;
}
struct CopiedOrMoved {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return 1; }
};
struct ThrowsWhenCopied : CopiedOrMoved {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("not copied"); }
};
/// Moves as often as it says.
struct ThrowsWhenMoved : CopiedOrMoved {
  explicit ThrowsWhenMoved(int moves) : left(moves) {}
  ThrowsWhenMoved(ThrowsWhenMoved&& other) : left(other.left - 1) {
    if (left < 0) throw std::runtime_error("not moved");
  }
  int left;
};
/// Drains and gives the value.
template <class T>
const T& settled(QueueFixture& queues, const Promise<T>& promise) {
  queues.drain();
  REQUIRE(promise.status() == PromiseStatus::Fulfilled);
  return promise.state().value;
}
template <class T>
std::string rejected(QueueFixture& queues, const Promise<T>& promise) {
  promise.state().markHandled();
  queues.drain();
  REQUIRE(promise.status() == PromiseStatus::Rejected);
  return textOf(promise.state().error);
}

}  // namespace

TEST_CASE("all of a pack gives a tuple in the order of the inputs") {
  QueueFixture queues;
  auto gate = Promise<>::withResolvers();
  int x = 9;
  auto both = leat::all(after(gate.promise, 1), taskOf(2), std::string("three"),
                        Promise<>::resolve(), unique(5), Promise<int&>::resolve(x));
  queues.drain();
  REQUIRE(both.status() == PromiseStatus::Pending);
  gate.resolve();
  const auto& [a, b, c, d, e, f] = settled(queues, both);
  REQUIRE(a == 1);
  REQUIRE(b == 2);
  REQUIRE(c == "three");
  REQUIRE(d == std::monostate());
  REQUIRE(*e == 5);
  REQUIRE(f == &x);
}

TEST_CASE("all of a range moves tasks out of it, and results into a vector") {
  QueueFixture queues;
  std::vector<Task<std::unique_ptr<int>>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(unique(i));
  auto body = [](std::vector<Task<std::unique_ptr<int>>> work) -> Promise<int> {
    auto values = co_await leat::all(std::move(work));
    int sum = 0;
    for (auto& value : values) sum += *value;
    co_return sum;
  };
  REQUIRE(settled(queues, body(std::move(tasks))) == 3);

  std::list<Promise<int>> handles{Promise<int>::resolve(1), Promise<int>::resolve(2)};
  REQUIRE(settled(queues, leat::all(handles)) == std::vector<int>{1, 2});
  REQUIRE(handles.size() == 2);
  REQUIRE(settled(queues, leat::all(std::vector<Promise<>>(2, Promise<>::resolve()))).size() == 2);
}

TEST_CASE("all starts tasks left to right at once") {
  QueueFixture queues;
  std::string trace;
  auto body = [&](char c) -> Task<> {
    trace += c;
    co_await Promise<>::resolve();
    trace += static_cast<char>(c + 1);
  };
  auto both = leat::all(body('a'), body('p'));
  trace += '-';
  queues.drain();
  REQUIRE(trace == "ap-bq");
}

TEST_CASE("all rejects with the first rejection in time; the rest goes on and is not reported") {
  QueueFixture queues;
  auto gate = Promise<>::withResolvers();
  int finished = 0;
  auto slow = [&](Promise<> wait) -> Promise<int> {
    co_await wait;
    ++finished;
    throw 2;
  };
  auto both = leat::all(slow(gate.promise), failing(1), failing(3));
  REQUIRE(rejected(queues, both) == "int 1");
  gate.resolve();
  queues.drain();
  REQUIRE(finished == 1);
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("a task that was used up is an input that rejects") {
  QueueFixture queues;
  Task<int> task = taskOf(1);
  const Task<int> taken = std::move(task);
  auto both = leat::all(taskOf(1), std::move(task));
  REQUIRE(rejected(queues, both) == "a Task was used that had been moved from or awaited already");
}

TEST_CASE("a combinator keeps a value of any alignment, whatever the number of inputs") {
  QueueFixture queues;
  struct alignas(512) Wide {
    int value;
  };
  const auto wide = [](int value) -> Promise<Wide> {
    co_await Promise<>::resolve();
    co_return Wide{value};
  };
  for (int inputs = 1; inputs < 5; ++inputs) {
    std::vector<Promise<Wide>> all;
    for (int i = 0; i < inputs; ++i) all.push_back(wide(i));
    const auto first = leat::race(all);
    const Wide& value = settled(queues, first);
    REQUIRE(value.value == 0);
    REQUIRE(reinterpret_cast<std::uintptr_t>(&value) % 512 == 0);
  }
}

TEST_CASE("an input that cannot be copied rejects like any other") {
  QueueFixture queues;
  const ThrowsWhenCopied throws;
  auto gate = Promise<>::withResolvers();
  auto late = [](Promise<> wait) -> Task<int> {
    co_await wait;
    throw 1;
  };
  auto both = leat::all(late(gate.promise), throws);
  REQUIRE(rejected(queues, both) == "not copied");
  auto first = leat::any(throws, taskOf(2));
  REQUIRE(settled(queues, first) == 2);
  gate.resolve();
  queues.drain();
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("an awaitable that throws when it is copied or moved rejects") {
  QueueFixture queues;
  const ThrowsWhenCopied throws;
  Promise<int> executed([&](auto resolve) { resolve(throws); });
  REQUIRE(rejected(queues, executed) == "not copied");
  REQUIRE(rejected(queues, Promise<int>::resolve(throws)) == "not copied");
  for (int moves = 0; moves < 3; ++moves)
    REQUIRE(rejected(queues, Promise<int>::resolve(ThrowsWhenMoved(moves))) == "not moved");
}

TEST_CASE("the rejection of a combinator itself is reported") {
  QueueFixture queues;
  (void)leat::all(failing(1), failing(2));
  queues.drain();
  REQUIRE(queues.unhandled == std::vector<std::string>{"int 1"});
}

TEST_CASE("all copies the value of a promise with other handles and moves it out of the only one") {
  QueueFixture queues;
  auto shared = Promise<std::string>::resolve(std::string(50, 'x'));
  auto both = leat::all(shared, Promise<std::string>::resolve("y"));
  REQUIRE(std::get<0>(settled(queues, both)).size() == 50);
  REQUIRE(shared.state().value.size() == 50);
  auto only = Promise<std::unique_ptr<int>>::resolve(std::make_unique<int>(1));
  auto twice = leat::all(only, std::move(only));
  REQUIRE(rejected(queues, twice).find("move-only") != std::string::npos);
}

TEST_CASE("allSettled gives the result of each") {
  QueueFixture queues;
  auto pack = leat::allSettled(taskOf(1), failing(2), Promise<>::resolve());
  const auto& [a, b, c] = settled(queues, pack);
  REQUIRE(a.ok());
  REQUIRE(textOf(b.error()) == "int 2");
  REQUIRE(c.ok());
  std::vector<Task<int>> tasks;
  tasks.push_back(taskOf(1));
  tasks.push_back(failing(2));
  auto range = leat::allSettled(std::move(tasks));
  REQUIRE(settled(queues, range).size() == 2);
  REQUIRE_FALSE(range.state().value[1].ok());
  REQUIRE(settled(queues, leat::allSettled(std::vector<Task<int>>())).empty());
}

TEST_CASE("race settles as the first, in the type that fits all") {
  QueueFixture queues;
  auto gate = Promise<>::withResolvers();
  auto same = leat::race(after(gate.promise, 1), taskOf(2));
  static_assert(std::is_same_v<decltype(same), Promise<int>>);
  REQUIRE(settled(queues, same) == 2);
  auto common = leat::race(taskOf(1), Promise<double>::resolve(2.5));
  static_assert(std::is_same_v<decltype(common), Promise<double>>);
  REQUIRE(settled(queues, common) == 1.0);
  auto mixed = leat::race(Promise<>::resolve(), taskOf(1), unique(1), taskOf(2));
  static_assert(std::is_same_v<decltype(mixed),
                               Promise<std::variant<std::monostate, int, std::unique_ptr<int>>>>);
  REQUIRE(settled(queues, mixed).index() == 0);
  static_assert(std::is_same_v<decltype(leat::race(Promise<>::resolve())), Promise<>>);
  REQUIRE(rejected(queues, leat::race(failing(1), taskOf(2))) == "int 1");
  gate.resolve();
  queues.drain();
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("race of nothing stays pending") {
  QueueFixture queues;
  auto none = leat::race(std::vector<Promise<int>>());
  queues.drain();
  REQUIRE(none.status() == PromiseStatus::Pending);
}

TEST_CASE("a race that is decided keeps nothing for the losers") {
  QueueFixture queues;
  int live = 0;
  auto gate = Promise<>::withResolvers();
  auto lose = [tracked = Tracked(live)] { return 1; };
  auto loser = gate.promise.then(leat::moved(lose));
  {
    auto winner = leat::race(loser, taskOf(1));
    REQUIRE(settled(queues, winner) == 1);
  }
  REQUIRE(loser.state().reactions.empty());
  REQUIRE(live == 2);
  gate.resolve();
  queues.drain();
  REQUIRE(live == 1);
}

TEST_CASE("any takes the first value, and rejects with all reasons in order") {
  QueueFixture queues;
  REQUIRE(settled(queues, leat::any(failing(1), taskOf(2), taskOf(3))) == 2);
  auto gate = Promise<>::withResolvers();
  auto late = [](Promise<> wait) -> Promise<int> {
    co_await wait;
    throw 1;
  };
  auto none = leat::any(late(gate.promise), failing(2));
  gate.resolve();
  REQUIRE(rejected(queues, none) == "All promises were rejected");
  try {
    std::rethrow_exception(none.state().error);
  } catch (const leat::AggregateError& e) {
    REQUIRE(e.errors().size() == 2);
    REQUIRE(textOf(e.errors()[0]) == "int 1");
    REQUIRE(textOf(e.errors()[1]) == "int 2");
  }
  auto empty = leat::any(std::vector<Promise<int>>());
  REQUIRE(rejected(queues, empty) == "All promises were rejected");
}

TEST_CASE("combinators nest") {
  QueueFixture queues;
  auto nested = leat::all(leat::race(taskOf(1), taskOf(2)), leat::any(failing(1), taskOf(4)),
                          leat::all(taskOf(5), taskOf(6)));
  const auto& [a, b, c] = settled(queues, nested);
  REQUIRE(a == 1);
  REQUIRE(b == 4);
  REQUIRE(c == std::tuple(5, 6));
}

TEST_CASE("the end of the loop frees combinators that are pending or queued") {
  int live = 0;
  {
    QueueFixture queues;
    auto gate = Promise<>::withResolvers();
    auto held = [](Promise<> wait, Tracked tracked) -> Promise<Tracked> {
      co_await wait;
      co_return tracked;
    };
    (void)leat::all(held(gate.promise, Tracked(live)), held(gate.promise, Tracked(live)));
    (void)leat::race(held(gate.promise, Tracked(live)), held(gate.promise, Tracked(live)));
    queues.drain();
    (void)leat::any(Promise<int>::resolve(1), Promise<int>::resolve(2));
    REQUIRE(live > 0);
  }
  REQUIRE(live == 0);
}

TEST_CASE("the combinators have Node's names too") {
  QueueFixture queues;
  const auto two = settled(queues, Promise<>::all(taskOf(1), Promise<int>::resolve(2)));
  REQUIRE(two == std::tuple<int, int>(1, 2));
  std::vector<Task<int>> tasks;
  tasks.push_back(taskOf(3));
  tasks.push_back(taskOf(4));
  REQUIRE(settled(queues, Promise<>::all(std::move(tasks))) == std::vector<int>{3, 4});
  const auto both = Promise<int>::allSettled(taskOf(5), failing(6));
  const auto& results = settled(queues, both);
  REQUIRE(std::get<0>(results).ok());
  REQUIRE_FALSE(std::get<1>(results).ok());
  REQUIRE(settled(queues, Promise<>::race(taskOf(7), taskOf(8))) == 7);
  REQUIRE(settled(queues, Promise<>::any(failing(9), taskOf(10))) == 10);
  REQUIRE(rejected(queues, Promise<>::race(failing(11))) == "int 11");
}
