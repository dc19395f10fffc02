// SPDX-License-Identifier: MIT
// Neither the number of awaits in a row nor the depth of a chain may show on the stack, in any build.
#include <leat/core/as_result.hpp>
#include <leat/core/async_generator.hpp>
#include <leat/core/combinators.hpp>
#include <leat/core/mutex.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/core/scope.hpp>
#include <leat/core/with_context.hpp>

#include <pthread.h>

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
/// The same, each under a context of its own, or in a scope. Calls of them nest until they wait.
Task<int> nestedContexts(int depth, Promise<int> gate) {
  co_await Promise<>::resolve();
  if (depth == 0) {
    const int last = co_await gate;
    co_return last;
  }
  const int below = co_await leat::shielded(nestedContexts(depth - 1, gate));
  co_return below + 1;
}
Task<int> nestedScopes(int depth, Promise<int> gate) {
  co_await Promise<>::resolve();
  if (depth == 0) {
    const int last = co_await gate;
    co_return last;
  }
  int below = 0;
  auto body = [&](leat::TaskScope& scope) -> Task<> {
    below = co_await scope.spawn(nestedScopes(depth - 1, gate));
  };
  co_await leat::scoped(body);
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

TEST_CASE("a hundred thousand contexts and scopes unwind one after the other") {
  for (const bool scopes : {false, true}) {
    QueueFixture queues;
    auto gate = Promise<int>::withResolvers();
    Running<int> running(scopes ? nestedScopes(deep, gate.promise)
                                : nestedContexts(deep, gate.promise));
    queues.drain();
    REQUIRE_FALSE(running.done());
    gate.resolve(5);
    queues.drain();
    REQUIRE(running.get() == deep + 5);
  }
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

namespace {

// Sanitizers have stacks of their own behind the stack, which do not grow.
constexpr int veryDeep = LEAT_ASAN || LEAT_TSAN ? 5'000 : deep;

struct Counts {
  explicit Counts(int& c) : count(&c) { ++*count; }
  Counts(const Counts&) = delete;
  ~Counts() { --*count; }
  int* count;
};

/// A generator that waits in a task that waits in a generator that ...
AsyncGenerator<int> throughTasks(int depth, Promise<int> gate, int& live);
Task<int> between(int depth, Promise<int> gate, int& live) {
  const Counts counts(live);
  auto below = throughTasks(depth, gate, live);
  auto value = co_await below.next();
  co_return *value;
}
AsyncGenerator<int> throughTasks(int depth, Promise<int> gate, int& live) {
  const Counts counts(live);
  int value = 0;
  if (depth == 0) {
    value = co_await gate;
  } else {
    value = co_await between(depth - 1, gate, live);
  }
  co_yield value;
}

/// A generator that keeps the next one where no link can tell that it does.
AsyncGenerator<int> throughContainers(int depth, Promise<int> gate, int& live) {
  const Counts counts(live);
  std::vector<std::unique_ptr<AsyncGenerator<int>>> below;
  int last = 0;
  if (depth == 0) {
    last = co_await gate;
  } else {
    below.push_back(
        std::make_unique<AsyncGenerator<int>>(throughContainers(depth - 1, gate, live)));
    auto value = co_await below.back()->next();
    last = *value;
  }
  co_yield last;
}

/// Not begun, and in another one's parameters.
AsyncGenerator<int> around(AsyncGenerator<int> inner, std::shared_ptr<Counts>) {
  auto value = co_await inner.next();
  co_yield *value;
}

/// Waits for the first value of `generator`, and is destroyed while it waits.
void abandonWhileWaiting(AsyncGenerator<int> generator, const int& live, int expected) {
  {
    auto body = [](AsyncGenerator<int> all) -> Task<int> {
      auto value = co_await all.next();
      co_return *value;
    };
    Running<int> running(body(std::move(generator)));
    REQUIRE_FALSE(running.done());
    REQUIRE(live == expected);
  }
  REQUIRE(live == 0);
}

}  // namespace

TEST_CASE(
    "generators and tasks that wait in each other, deep, are destroyed within a bounded stack") {
  QueueFixture queues;
  auto gate = Promise<int>::withResolvers();
  int live = 0;
  abandonWhileWaiting(throughTasks(veryDeep, gate.promise, live), live, 2 * veryDeep + 1);
}

TEST_CASE("generators in containers in the frames of generators, too") {
  QueueFixture queues;
  auto gate = Promise<int>::withResolvers();
  int live = 0;
  abandonWhileWaiting(throughContainers(veryDeep, gate.promise, live), live, veryDeep + 1);
  // And resting at a co_yield, each at its own.
  gate.resolve(5);
  auto all = throughContainers(veryDeep, gate.promise, live);
  auto body = [&]() -> Task<int> {
    auto value = co_await all.next();
    co_return *value;
  };
  Running<int> running(body());
  queues.drain();
  REQUIRE(running.get() == 5);
  REQUIRE(live == veryDeep + 1);
  all = AsyncGenerator<int>();
  REQUIRE(live == 0);
}

TEST_CASE("generators in the parameters of generators that never began, too") {
  QueueFixture queues;
  int live = 0;
  auto gate = Promise<int>::withResolvers();
  auto all = throughContainers(0, gate.promise, live);
  for (int i = 0; i < veryDeep; ++i) all = around(std::move(all), std::make_shared<Counts>(live));
  REQUIRE(live == veryDeep);
  all = AsyncGenerator<int>();
  REQUIRE(live == 0);
}

TEST_CASE("destructors on a stack of their own may throw and catch, and start coroutines") {
  struct Last {
    explicit Last(int& c) : caught(&c) {}
    Last(const Last&) = delete;
    ~Last() {
      try {
        Running<int> failed(failing(3));
        (void)failed.get();
      } catch (int number) {
        if (number == 42) ++*caught;
      }
    }
    int* caught;
  };
  struct Chain {
    static AsyncGenerator<int> wrap(std::unique_ptr<AsyncGenerator<int>> inner,
                                    std::unique_ptr<Last>) {
      auto value = co_await inner->next();
      co_yield *value;
    }
  };
  QueueFixture queues;
  int caught = 0;
  constexpr int depth = 3'000;
  AsyncGenerator<int> all;
  for (int i = 0; i < depth; ++i)
    all = Chain::wrap(std::make_unique<AsyncGenerator<int>>(std::move(all)),
                      std::make_unique<Last>(caught));
  all = AsyncGenerator<int>();
  REQUIRE(caught == depth);
}

namespace {

struct RunsAtItsEnd {
  explicit RunsAtItsEnd(int& to) : sum(&to) {}
  RunsAtItsEnd(const RunsAtItsEnd&) = delete;
  ~RunsAtItsEnd() {
    auto body = []() -> Task<int> {
      int ones = 0;
      for (int i = 0; i < deep; ++i) ones += co_await one();
      co_return ones;
    };
    *sum = Running<int>(body()).get();
  }
  int* sum;
};
AsyncGenerator<int> keeping(std::unique_ptr<AsyncGenerator<int>> inner,
                            std::shared_ptr<RunsAtItsEnd> last) {
  auto value = co_await inner->next();
  co_yield *value + (last ? 1 : 0);
}
/// On a stack at a low address: those that destructors get are above.
void* runOnLowStack(void* sum) {
  QueueFixture queues;
  AsyncGenerator<int> all;
  auto last = std::make_shared<RunsAtItsEnd>(*static_cast<int*>(sum));
  for (int i = 0; i < 3'000; ++i)
    all = keeping(std::make_unique<AsyncGenerator<int>>(std::move(all)), std::move(last));
  auto body = [&]() -> Task<> {
    all = AsyncGenerator<int>();
    co_return;
  };
  Running<> running(body());
  return nullptr;
}

}  // namespace

TEST_CASE("a stack of destructors that is above the stack of the thread") {
  alignas(4096) static char low[1 << 20];
  int sum = 0;
  pthread_attr_t attributes;
  pthread_t thread;
  REQUIRE(::pthread_attr_init(&attributes) == 0);
  REQUIRE(::pthread_attr_setstack(&attributes, low, sizeof low) == 0);
  // That thread asserts, too: nothing may be asserted here while it runs.
  const int created = ::pthread_create(&thread, &attributes, runOnLowStack, &sum);
  const int joined = created == 0 ? ::pthread_join(thread, nullptr) : -1;
  REQUIRE(created == 0);
  REQUIRE(joined == 0);
  ::pthread_attr_destroy(&attributes);
  REQUIRE(sum == deep);
}
