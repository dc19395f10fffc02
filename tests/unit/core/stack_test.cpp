// SPDX-License-Identifier: MIT
// Neither the number of awaits in a row nor the depth of a chain may show on the stack, in any build.
#include <leat/core/as_result.hpp>
#include <leat/core/async_generator.hpp>
#include <leat/core/combinators.hpp>
#include <leat/core/mutex.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/core/with_context.hpp>

#include <memory>
#include <queue_fixture.hpp>

using leat::AsyncGenerator;
using leat::Promise;
using leat::Task;
using leat_test::QueueFixture;
using leat_test::Running;

namespace {

constexpr int many = 1000000;
constexpr int deep = 100000;

Task<int> one() { co_return 1; }

/// Each level awaits the next; the last one waits for `gate`.
Task<int> nested(int depth, Promise<int> gate) {
  if (depth == 0) {
    const int last = co_await gate;
    co_return last;
  }
  const int below = co_await nested(depth - 1, gate);
  co_return below + 1;
}
Task<int> recursive(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await recursive(depth - 1);
  co_return below + 1;
}
Task<int> failing(int depth) {
  if (depth == 0) throw 42;
  const int below = co_await failing(depth - 1);
  co_return below;
}

}  // namespace

TEST_CASE("a million awaits of tasks that end at once") {
  auto body = []() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < many; ++i) sum += co_await one();
    co_return sum;
  };
  Running<int> running(body());
  REQUIRE(running.get() == many);
}

TEST_CASE("a million awaits as results, and under another context") {
  leat::AbortController controller;
  auto body = [&]() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < many / 2; ++i) {
      auto result = co_await leat::asResult(one());
      sum += *result;
      sum += co_await leat::withSignal(controller.signal(), one());
    }
    co_return sum;
  };
  Running<int> running(body());
  REQUIRE(running.get() == many);
}

TEST_CASE("recursion through a hundred thousand tasks") {
  Running<int> running(recursive(deep));
  REQUIRE(running.get() == deep);
}

TEST_CASE("an exception through a chain of tasks") {
  Running<int> running(failing(2000));
  REQUIRE_THROWS_AS(running.get(), int);
}

TEST_CASE("a chain of a hundred thousand tasks unwinds when its leaf is resumed") {
  QueueFixture queues;
  auto gate = Promise<int>::withResolvers();
  Running<int> running(nested(deep, gate.promise));
  REQUIRE_FALSE(running.done());
  gate.resolve(5);
  queues.drain();
  REQUIRE(running.get() == deep + 5);
}

TEST_CASE("a chain of a hundred thousand tasks is destroyed from the root") {
  QueueFixture queues;
  auto gate = Promise<int>::withResolvers();
  Running<int> running(nested(deep, gate.promise));
  running.destroy();
  gate.resolve(1);
  queues.drain();
  REQUIRE_FALSE(running.done());
}

TEST_CASE("a hundred thousand microtasks that each go on in place") {
  QueueFixture queues;
  auto body = []() -> Task<int> {
    const Promise<int> ready = Promise<int>::resolve(1);
    int sum = 0;
    for (int i = 0; i < deep; ++i) sum += co_await ready;
    co_return sum;
  };
  Running<int> running(body());
  queues.drain();
  REQUIRE(running.get() == deep);
}

TEST_CASE("a million values of a generator") {
  auto numbers = []() -> AsyncGenerator<int> {
    for (int i = 0; i < many; ++i) co_yield i;
  };
  auto body = [&]() -> Task<long> {
    long sum = 0;
    auto generator = numbers();
    while (auto value = co_await generator.next()) sum += *value;
    co_return sum;
  };
  Running<long> running(body());
  REQUIRE(running.get() == static_cast<long>(many) * (many - 1) / 2);
}

TEST_CASE("a hundred thousand coroutines hand a mutex on") {
  QueueFixture queues;
  leat::Mutex mutex;
  int entered = 0;
  auto body = [&]() -> Promise<> {
    auto guard = co_await mutex.lock();
    ++entered;
  };
  {
    auto held = mutex.tryLock();
    for (int i = 0; i < deep; ++i) (void)body();
    REQUIRE(entered == 0);
  }
  queues.drain();
  REQUIRE(entered == deep);
}

TEST_CASE("a chain of a hundred thousand thens runs, breaks, and is dropped with the loop") {
  enum End { Resolve, Break, Drop };
  for (End end : {Resolve, Break, Drop}) {
    auto resolvers = std::make_unique<std::optional<Promise<int>::Resolvers>>();
    QueueFixture queues;
    resolvers->emplace(Promise<int>::withResolvers());
    {
      Promise<int> last = (*resolvers)->promise;
      for (int i = 0; i < deep; ++i) last = last.then([](int x) { return x + 1; });
      last.state().markHandled();
    }
    if (end == Resolve) (*resolvers)->resolve(1);
    if (end == Break) resolvers->reset();
    queues.drain();
    queues.queue.clear();
    resolvers->reset();
    REQUIRE(queues.unhandled.empty());
  }
}

TEST_CASE("a hundred thousand inputs of all") {
  QueueFixture queues;
  auto number = [](int i) -> Promise<int> { co_return i; };
  std::vector<Promise<int>> inputs;
  for (int i = 0; i < deep; ++i) inputs.push_back(number(i));
  auto both = leat::all(std::move(inputs));
  queues.drain();
  REQUIRE(both.status() == leat::PromiseStatus::Fulfilled);
}
