// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/core/event.hpp>
#include <leat/core/promise_then.hpp>

#include <memory>
#include <optional>
#include <queue_fixture.hpp>
#include <string>

using leat::AbortController;
using leat::AsyncLocalStorage;
using leat::Promise;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;

namespace {

int storeOf(const AsyncLocalStorage<int>& storage) {
  auto store = storage.getStore();
  return store ? *store : -1;
}
Promise<> tick() { co_return; }

}  // namespace

TEST_CASE("a store is there inside of run and gone after it") {
  AsyncLocalStorage<int> storage;
  REQUIRE(storeOf(storage) == -1);
  const int result = storage.run(
      1,
      [&](int extra) {
        REQUIRE(storeOf(storage) == 1);
        storage.run(2, [&] { REQUIRE(storeOf(storage) == 2); });
        REQUIRE(storeOf(storage) == 1);
        storage.exit([&] { REQUIRE(storeOf(storage) == -1); });
        return storeOf(storage) + extra;
      },
      10);
  REQUIRE(result == 11);
  REQUIRE(storeOf(storage) == -1);
  REQUIRE_THROWS_AS(storage.run(1, [] { throw 42; }), int);
  REQUIRE(storeOf(storage) == -1);
}

TEST_CASE("storages do not see each other's stores") {
  AsyncLocalStorage<int> one;
  AsyncLocalStorage<std::string> two;
  one.run(1, [&] {
    two.run("b", [&] {
      REQUIRE(storeOf(one) == 1);
      REQUIRE(*two.getStore() == "b");
      one.exit([&] { REQUIRE(two.getStore()->size() == 1); });
    });
    REQUIRE_FALSE(two.getStore());
  });
}

TEST_CASE("an async function and its callbacks keep the store, the caller does not get it") {
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  std::string trace;
  auto note = [&](char c) { trace += c + std::to_string(storeOf(storage)) + " "; };
  auto body = [&]() -> Promise<> {
    note('a');
    co_await tick();
    note('b');
    co_await storage.run(8, [&]() -> Promise<> {
      note('c');
      co_await tick();
      note('d');
    });
    note('e');
  };
  (void)storage.run(7, body);
  note('x');
  (void)storage.run(9, [] { return Promise<>::resolve(); }).then([&] { note('t'); });
  auto inside = Promise<>::resolve();
  (void)storage.run(9, [&] { return inside.then([&] { note('u'); }); });
  queues.drain();
  REQUIRE(trace == "a7 x-1 b7 c8 t-1 u9 d8 e7 ");
}

TEST_CASE("a task returned out of run keeps the store through all its awaits") {
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  auto work = [&](int extra) -> Task<int> {
    int sum = storeOf(storage);
    co_await tick();
    sum += storeOf(storage) + extra;
    co_return sum;
  };
  auto body = [&]() -> Task<int> {
    const int sum = co_await storage.run(5, work, 100);
    REQUIRE(storeOf(storage) == -1);
    auto later = storage.run(6, work, 0);
    co_await tick();
    co_return sum * 1000 + co_await std::move(later);
  };
  Running<int> running(body());
  queues.drain();
  REQUIRE(running.get() == 110012);
}

TEST_CASE("enterWith lasts to the end of the callback and goes on into what it starts") {
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  std::string trace;
  auto note = [&](char c) { trace += c + std::to_string(storeOf(storage)) + " "; };
  (void)tick().then([&] {
    storage.enterWith(3);
    note('a');
    (void)tick().then([&] { note('b'); });
  });
  (void)tick().then([&] { note('c'); });
  queues.drain();
  note('d');
  REQUIRE(trace == "a3 c-1 b3 d-1 ");
}

TEST_CASE("which store a callback sees: Node's answers") {
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  std::string trace;
  auto note = [&](char c) { trace += c + std::to_string(storeOf(storage)) + " "; };
  storage.run(1, [&] {
    storage.exit([&] { note('a'); });
    note('b');
    try {
      storage.run(2, [] { throw 1; });
    } catch (int) {
      note('c');
    }
  });
  (void)storage.run(4, [&] {
    return Promise<int>::reject(1)
        .catch_([&] {
          note('r');
          return 1;
        })
        .finally([&] { note('f'); })
        .then([&] { note('g'); });
  });
  // A reaction has the store of where it was added, not of who settles.
  auto resolvers = Promise<>::withResolvers();
  (void)storage.run(5, [&] { return resolvers.promise.then([&] { note('h'); }); });
  storage.run(6, [&] { resolvers.resolve(); });
  // A listener has the store of who aborts.
  AbortController controller;
  auto listener = storage.run(8, [&] { return controller.signal().onAbort([&] { note('l'); }); });
  storage.run(9, [&] { controller.abort(); });
  queues.drain();
  REQUIRE(trace == "a-1 b1 c1 l9 r4 h5 f4 g4 ");
}

TEST_CASE(
    "enterWith before the first await reaches the caller of an async function, after it not") {
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  std::string trace;
  auto note = [&](char c) { trace += c + std::to_string(storeOf(storage)) + " "; };
  auto body = [&]() -> Promise<> {
    storage.enterWith(5);
    note('a');
    co_await tick();
    storage.enterWith(6);
    note('b');
  };
  (void)tick().then([&] {
    storage.enterWith(1);
    auto promise = body();
    note('c');
    (void)promise.then([&] { note('d'); });
  });
  queues.drain();
  REQUIRE(trace == "a5 c5 b6 d5 ");
}

TEST_CASE("a handle keeps a store alive beyond its context") {
  AsyncLocalStorage<std::string> storage;
  leat::StoreHandle<std::string> handle;
  storage.run(std::string(50, 'x'), [&] { handle = storage.getStore(); });
  REQUIRE(handle->size() == 50);
}

TEST_CASE("after disable no store is seen, until the next run") {
  AsyncLocalStorage<int> storage;
  storage.run(1, [&] {
    storage.disable();
    REQUIRE(storeOf(storage) == -1);
    storage.run(2, [&] { REQUIRE(storeOf(storage) == 2); });
  });
}

TEST_CASE("withSignal aborts the operations inside, not the ones outside") {
  QueueFixture queues;
  AbortController controller;
  leat::ManualResetEvent never;
  auto work = [&]() -> Task<> { co_await never.wait(); };
  auto body = [&]() -> Task<std::string> {
    auto inside = co_await leat::asResult(leat::withSignal(controller.signal(), work()));
    REQUIRE(leat::detail::ambientSignal() == nullptr);
    auto callable = co_await leat::asResult(leat::withSignal(controller.signal(), work));
    auto direct = co_await leat::asResult(leat::withSignal(controller.signal(), never.wait()));
    co_return codeOf(inside.error()) + codeOf(callable.error()) + codeOf(direct.error());
  };
  Running<std::string> running(body());
  Running<> outside(work());
  queues.drain();
  REQUIRE_FALSE(running.done());
  controller.abort();
  REQUIRE_FALSE(running.done());
  queues.drain();
  REQUIRE(running.get() == "ABORT_ERRABORT_ERRABORT_ERR");
  REQUIRE_FALSE(outside.done());
}

TEST_CASE("signals nest: the outer one still aborts, and shielded keeps both off") {
  QueueFixture queues;
  AbortController outer, inner;
  leat::ManualResetEvent gate;
  std::string trace;
  auto work = [&]() -> Task<> { co_await gate.wait(); };
  auto clean = [&]() -> Task<> {
    co_await leat::shielded(work());
    trace += "clean ";
  };
  auto both = [&]() -> Task<> {
    auto nested = co_await leat::asResult(leat::withSignal(inner.signal(), work()));
    trace += codeOf(nested.error()) + " ";
    co_await clean();
  };
  auto body = [&]() -> Task<> { co_await leat::withSignal(outer.signal(), both()); };
  Running<> running(body());
  outer.abort();
  queues.drain();
  REQUIRE(trace == "ABORT_ERR ");
  gate.set();
  queues.drain();
  REQUIRE(trace == "ABORT_ERR clean ");
  REQUIRE(running.done());
}

TEST_CASE("the caller of an async function sees its own context when the call returns") {
  QueueFixture queues;
  AbortController controller;
  leat::ManualResetEvent gate;
  auto body = [&]() -> Promise<> {
    co_await leat::withSignal(controller.signal(), [&] { return gate.wait(); });
  };
  auto pending = body();
  REQUIRE(leat::detail::threadState.context == nullptr);
  gate.set();
  auto ready = body();
  REQUIRE(leat::detail::threadState.context == nullptr);
  queues.drain();
  REQUIRE(pending.status() == leat::PromiseStatus::Fulfilled);
  REQUIRE(ready.status() == leat::PromiseStatus::Fulfilled);
}

TEST_CASE("who resumes by hand in a snapshot has its own context back, whoever goes on") {
  using leat::ContextSnapshot;
  struct ByHand {
    ByHand(std::coroutine_handle<>& h, std::optional<ContextSnapshot>& t) : handle(h), there(t) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const {
      handle = h;
      there = AsyncLocalStorage<>::snapshot();
    }
    void await_resume() const noexcept {}
    std::coroutine_handle<>& handle;
    std::optional<ContextSnapshot>& there;
  };
  QueueFixture queues;
  AsyncLocalStorage<int> storage;
  AbortController controller;
  std::coroutine_handle<> waiting;
  std::optional<ContextSnapshot> there;
  std::string seen;
  leat::ManualResetEvent never;
  const auto note = [&] {
    seen += std::to_string(storeOf(storage)) + (leat::detail::ambientSignal() ? "s " : " ");
  };
  const auto inner = [&]() -> Task<> {
    co_await ByHand(waiting, there);
    note();
  };
  const auto outer = [&]() -> Task<> {
    co_await leat::withSignal(controller.signal(), inner());
    note();
    co_await never.wait();
  };
  std::optional<Running<>> running;
  storage.run(7, [&] { running.emplace(outer()); });
  storage.run(1, [&] {
    (*there)([handle = waiting] { handle.resume(); });
    note();
  });
  CHECK(seen == "7s 7 1 ");
}

TEST_CASE("a change of context may be destroyed before, while and after its work waits") {
  QueueFixture queues;
  AbortController controller;
  AsyncLocalStorage<int> storage;
  for (int tick = 0; tick < 4; ++tick) {
    leat::ManualResetEvent gate;
    auto work = [&]() -> Task<int> {
      co_await gate.wait();
      co_return storeOf(storage);
    };
    auto body = [&]() -> Task<int> {
      co_return co_await leat::withSignal(controller.signal(), storage.run(1, work));
    };
    auto running = std::make_unique<Running<int>>(body());
    if (tick > 0) gate.set();
    queues.atTick(tick > 0 ? tick - 1 : 0, [&] { running.reset(); });
    queues.drain();
  }
  REQUIRE(leat::detail::threadState.context == nullptr);
}

TEST_CASE("a deep chain through withSignal is destroyed without recursion") {
  QueueFixture queues;
  AbortController controller;
  leat::ManualResetEvent gate;
  struct Chain {
    static Task<> level(int depth, leat::ManualResetEvent& event) {
      if (depth == 0) {
        co_await event.wait();
        co_return;
      }
      co_await level(depth - 1, event);
    }
    static Task<> top(AbortController& c, leat::ManualResetEvent& event) {
      co_await leat::withSignal(c.signal(), level(100000, event));
    }
  };
  Running<> running(Chain::top(controller, gate));
  running.destroy();
  gate.set();
  REQUIRE_FALSE(running.done());
}
