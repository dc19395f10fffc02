// SPDX-License-Identifier: MIT
#include <leat/core/as_result.hpp>
#include <leat/core/async_generator.hpp>
#include <leat/core/async_local_storage.hpp>
#include <leat/core/event.hpp>
#include <leat/core/with_context.hpp>

#include <memory>
#include <optional>
#include <queue_fixture.hpp>
#include <vector>

using leat::AsyncGenerator;
using leat::ManualResetEvent;
using leat::Promise;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;
using leat_test::textOf;
using leat_test::Tracked;

namespace {

AsyncGenerator<int> count(int to) {
  for (int i = 0; i < to; ++i) {
    co_yield i;
    if (i % 2 == 0) co_await Promise<>::resolve();
  }
}
AsyncGenerator<std::string> words() {
  std::string kept = "kept";
  co_yield kept;
  co_yield std::string("temporary");
  co_yield std::move(kept);
}
AsyncGenerator<std::unique_ptr<int>> pointers() {
  for (int i = 1; i <= 2; ++i) co_yield std::make_unique<int>(i);
}
AsyncGenerator<int&> references(int& x) {
  co_yield x;
  ++x;
  co_yield x;
}
AsyncGenerator<int> failing() {
  co_yield 1;
  throw 42;
}
AsyncGenerator<int> waiting(ManualResetEvent& event, int& live) {
  Tracked tracked(live);
  co_yield 1;
  co_await event.wait();
  co_yield 2;
}

}  // namespace

TEST_CASE("a generator gives its values and then nothing, for ever") {
  QueueFixture queues;
  auto body = []() -> Task<int> {
    int sum = 0;
    auto generator = count(5);
    while (auto value = co_await generator.next()) sum += *value;
    auto end = co_await generator.next();
    REQUIRE_FALSE(end);
    co_return sum;
  };
  Running<int> running(body());
  queues.drain();
  REQUIRE(running.get() == 10);
}

TEST_CASE("values are copied from variables and moved from temporaries") {
  auto body = []() -> Task<std::string> {
    std::string all;
    auto generator = words();
    while (auto word = co_await generator.next()) all += *word + " ";
    auto unique = pointers();
    while (auto pointer = co_await unique.next()) all += std::to_string(**pointer);
    int x = 5;
    auto refs = references(x);
    while (int* ref = co_await refs.next()) all += std::to_string(*ref += 10);
    co_return all;
  };
  Running<std::string> running(body());
  REQUIRE(running.get() == "kept temporary kept 121526");
}

TEST_CASE("an exception comes out of next once, then the generator has ended") {
  auto body = []() -> Task<> {
    auto generator = failing();
    auto first = co_await generator.next();
    REQUIRE(first == 1);
    auto second = co_await leat::asResult(generator.next());
    REQUIRE(textOf(second.error()) == "int 42");
    auto third = co_await generator.next();
    REQUIRE_FALSE(third);
  };
  Running<> running(body());
  running.get();
}

TEST_CASE("a generator does not start before the first next, and may be dropped anywhere") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent gate;
  {
    auto unused = waiting(gate, live);
  }
  auto body = [&](int steps) -> Task<> {
    auto generator = waiting(gate, live);
    REQUIRE(live == 0);
    for (int i = 0; i < steps; ++i) (void)co_await generator.next();
  };
  for (int steps = 0; steps < 3; ++steps) {
    Running<> running(body(steps));
    REQUIRE(running.done() == (steps < 2));
    running.destroy();
    REQUIRE(live == 0);
  }
  gate.set();
  queues.drain();
}

TEST_CASE("return_ runs the destructors of the body") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent gate;
  auto body = [&]() -> Task<> {
    auto generator = waiting(gate, live);
    (void)co_await generator.next();
    REQUIRE(live == 1);
    generator.return_();
    REQUIRE(live == 0);
    auto end = co_await generator.next();
    REQUIRE_FALSE(end);
    generator.return_();
  };
  Running<> running(body());
  running.get();
}

TEST_CASE("a generator outlives a consumer that is destroyed, and keeps the value for the next") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent gate;
  auto generator = waiting(gate, live);
  auto take = [&]() -> Task<int> {
    auto value = co_await generator.next();
    co_return value.value_or(-1);
  };
  Running<int> first(take());
  REQUIRE(first.get() == 1);
  {
    Running<int> abandoned(take());
    REQUIRE_FALSE(abandoned.done());
  }
  Running<int> waits(take());
  Running<int> second(take());
  REQUIRE(codeOf(second.error()) == "ERR_INVALID_STATE");
  REQUIRE_THROWS_AS(generator.return_(), leat::Error);
  waits.destroy();
  gate.set();
  queues.drain();
  Running<int> third(take());
  REQUIRE(third.get() == 2);
  Running<int> last(take());
  REQUIRE(last.get() == -1);
}

TEST_CASE("a generator that goes while somebody waits for it who goes, too, leaves no trace") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent gate;
  auto generator = std::make_unique<AsyncGenerator<int>>(waiting(gate, live));
  auto take = [&]() -> Task<> {
    (void)co_await generator->next();
    (void)co_await generator->next();
  };
  auto consumer = std::make_unique<Running<>>(take());
  generator.reset();
  REQUIRE(live == 0);
  gate.set();
  REQUIRE_FALSE(consumer->done());
  consumer.reset();
  queues.drain();
}

TEST_CASE("who waits for a generator that is dropped is told") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent event;
  leat::AsyncLocalStorage<int> store;
  auto generator = std::make_unique<AsyncGenerator<int>>(waiting(event, live));
  int seen = 0;
  auto body = [&]() -> Task<> {
    (void)co_await generator->next();
    const auto outcome = co_await leat::asResult(generator->next());
    seen = *store.getStore();
    REQUIRE(codeOf(outcome.error()) == "ERR_INVALID_STATE");
  };
  std::optional<Running<>> running;
  store.run(7, [&] { running.emplace(body()); });
  generator.reset();
  REQUIRE_FALSE(running->done());
  queues.drain();
  running->get();
  REQUIRE(seen == 7);
  REQUIRE(live == 0);
}

TEST_CASE("who asks a generator that somebody else set going stays in its own context") {
  QueueFixture queues;
  int live = 0;
  ManualResetEvent event;
  leat::AsyncLocalStorage<int> store;
  auto generator = waiting(event, live);
  auto ask = [&]() -> Task<int> {
    (void)co_await generator.next();
    co_return *store.getStore();
  };
  std::optional<Running<int>> first, second, third;
  store.run(1, [&] { first.emplace(ask()); });
  REQUIRE(first->get() == 1);
  store.run(2, [&] { second.emplace(ask()); });
  second.reset();
  store.run(3, [&] { third.emplace(ask()); });
  event.set();
  queues.drain();
  REQUIRE(third->get() == 3);
}

TEST_CASE("the body obeys the signal of the one who asks") {
  QueueFixture queues;
  int live = 0;
  leat::AbortController controller;
  ManualResetEvent gate;
  auto body = [&]() -> Task<> {
    auto generator = waiting(gate, live);
    (void)co_await generator.next();
    (void)co_await leat::withSignal(controller.signal(), generator.next());
  };
  Running<> running(body());
  controller.abort();
  queues.drain();
  REQUIRE(codeOf(running.error()) == "ABORT_ERR");
}

TEST_CASE("generators consume generators, and long chains of tasks inside are torn down") {
  QueueFixture queues;
  auto gate = Promise<>::withResolvers();
  struct Chain {
    static Task<int> level(int depth, Promise<> wait) {
      if (depth == 0) {
        co_await wait;
        co_return 1;
      }
      const int below = co_await level(depth - 1, wait);
      co_return below;
    }
    static AsyncGenerator<int> inner(Promise<> wait) {
      const int one = co_await level(100000, wait);
      co_yield one;
    }
    static AsyncGenerator<int> outer(Promise<> wait) {
      auto generator = inner(wait);
      while (auto value = co_await generator.next()) co_yield *value * 2;
    }
  };
  auto body = [&]() -> Task<int> {
    auto generator = Chain::outer(gate.promise);
    auto value = co_await generator.next();
    co_return *value;
  };
  {
    Running<int> abandoned(body());
  }
  Running<int> running(body());
  gate.resolve();
  queues.drain();
  REQUIRE(running.get() == 2);
}

namespace {

AsyncGenerator<int> nested(int depth, ManualResetEvent* event) {
  if (depth == 0) {
    if (event != nullptr) co_await event->wait();
    co_yield 1;
  } else {
    auto inner = nested(depth - 1, event);
    while (auto value = co_await inner.next()) co_yield *value + 1;
  }
}

struct Leaving {
  Leaving(std::vector<int>& o, int n) : order(&o), number(n) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() { order->push_back(number); }
  std::vector<int>* order;
  int number;
};

/// A tree: two generators in every frame.
AsyncGenerator<int> tree(int depth, int number, std::vector<int>& order) {
  const Leaving leaving(order, number);
  if (depth > 0) {
    auto left = tree(depth - 1, number * 10 + 1, order);
    auto right = tree(depth - 1, number * 10 + 2, order);
    (void)co_await left.next();
    (void)co_await right.next();
    co_yield number;
  }
  co_yield number;
}

AsyncGenerator<int> passOn(AsyncGenerator<int>& source) {
  while (auto value = co_await source.next()) co_yield *value;
}

AsyncGenerator<int> giveAway(AsyncGenerator<int>& into) {
  auto mine = count(3);
  (void)co_await mine.next();
  into = std::move(mine);
  co_yield 7;
}

}  // namespace

TEST_CASE("a deep chain of generators is destroyed without recursion") {
  constexpr int depth = 200000;
  QueueFixture queues;
  ManualResetEvent event;
  auto outer = nested(depth, &event);
  auto body = [&]() -> Task<> {
    auto value = co_await outer.next();
    (void)value;
  };
  Running<> running(body());
  queues.drain();
  REQUIRE_FALSE(running.done());
  outer = AsyncGenerator<int>();
}

TEST_CASE("a generator that rests in the frame of another goes after what was declared later") {
  struct Reader {
    explicit Reader(const std::string& s, std::string& to) : source(s), seen(to) {}
    ~Reader() { seen = source; }
    const std::string& source;
    std::string& seen;
  };
  QueueFixture queues;
  std::string seen;
  const auto inner = []() -> AsyncGenerator<std::string&> {
    std::string text = "a text of more than sixteen characters";
    co_yield text;
  };
  const auto outer = [&]() -> AsyncGenerator<int> {
    auto texts = inner();
    std::string* text = co_await texts.next();
    Reader reader(*text, seen);
    co_yield 1;
  };
  {
    auto numbers = outer();
    auto body = [&]() -> Task<int> {
      auto value = co_await numbers.next();
      co_return *value;
    };
    Running<int> running(body());
    queues.drain();
    CHECK(running.get() == 1);
  }
  CHECK(seen == "a text of more than sixteen characters");
}

TEST_CASE("a generator may keep and yield what is aligned to a cache line") {
  struct alignas(64) Line {
    int value = 0;
  };
  QueueFixture queues;
  const auto lines = []() -> AsyncGenerator<Line> {
    Line line;
    CHECK(reinterpret_cast<std::uintptr_t>(&line) % 64 == 0);
    line.value = 5;
    co_yield line;
  };
  auto generator = lines();
  auto body = [&]() -> Task<int> {
    auto line = co_await generator.next();
    co_return line->value;
  };
  Running<int> running(body());
  queues.drain();
  CHECK(running.get() == 5);
}

TEST_CASE("generators in the frame of a generator are destroyed before it") {
  QueueFixture queues;
  std::vector<int> order;
  {
    auto root = tree(2, 1, order);
    auto body = [&]() -> Task<> {
      auto value = co_await root.next();
      CHECK(*value == 1);
    };
    Running<> running(body());
    queues.drain();
    REQUIRE(running.done());
    REQUIRE(order.empty());
  }
  REQUIRE(order == std::vector<int>{122, 121, 12, 112, 111, 11, 1});
}

TEST_CASE("a generator that another one only refers to or has given away outlives it") {
  QueueFixture queues;
  AsyncGenerator<int> kept = count(3);
  AsyncGenerator<int> given;
  auto body = [&]() -> Task<> {
    {
      auto outer = passOn(kept);
      auto first = co_await outer.next();
      CHECK(*first == 0);
      auto giver = giveAway(given);
      auto seven = co_await giver.next();
      CHECK(*seven == 7);
    }
    auto second = co_await kept.next();
    CHECK(*second == 1);
    auto next = co_await given.next();
    CHECK(*next == 1);
  };
  Running<> running(body());
  queues.drain();
  REQUIRE(running.done());
}
