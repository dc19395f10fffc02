// SPDX-License-Identifier: MIT
#include <leat/core/callback.hpp>
#include <leat/core/promise_then.hpp>

#include <memory>
#include <optional>
#include <queue_fixture.hpp>
#include <thread>

using leat::Promise;
using leat::PromiseStatus;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;
using leat_test::textOf;
using leat_test::Tracked;

namespace {

/// The code or text of a rejected promise's reason.
template <class T>
std::string reasonOf(const Promise<T>& promise) {
  REQUIRE(promise.status() == PromiseStatus::Rejected);
  return codeOf(promise.state().error);
}
Task<int> taskOf(int x) { co_return x; }

/// A promise with a callback that waits for `opened` and then uses what it captured. Only the promise has its closure.
template <class Made>
Promise<int> withSlowCallback(int kind, const Promise<>& opened, int& live, int& used) {
  const auto slow = [opened, tracked = Tracked(live), text = std::string(40, 'x'),
                     &used]() -> Made {
    co_await opened;
    used += static_cast<int>(text.size());
    co_return 7;
  };
  if (kind == 0) return Promise<int>::resolve(7).then(slow);
  if (kind == 1) return Promise<int>::reject(1).catch_(slow);
  if (kind == 2)
    return Promise<int>::reject(std::runtime_error("r")).catch_<std::runtime_error>(slow);
  if (kind == 3) return Promise<int>::resolve(7).finally(slow);
  if (kind == 4) return Promise<>::resolve().finally(slow).then([] { return 7; });
  return Promise<int>::reject(1).finally(slow).catch_([] { return 7; });
}

}  // namespace

TEST_CASE("a promise settles once") {
  QueueFixture queues;
  auto [promise, resolve, reject] = Promise<int>::withResolvers();
  REQUIRE(promise.status() == PromiseStatus::Pending);
  resolve(1);
  resolve(2);
  reject(std::runtime_error("late"));
  REQUIRE(promise.status() == PromiseStatus::Fulfilled);
  int seen = 0;
  (void)promise.then([&](int value) { seen = value; });
  REQUIRE(seen == 0);
  queues.drain();
  REQUIRE(seen == 1);
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("copies are the same promise, and Promise::resolve of a promise is that promise") {
  QueueFixture queues;
  auto promise = Promise<int>::resolve(1);
  auto copy = promise;
  REQUIRE(copy == promise);
  REQUIRE(Promise<int>::resolve(promise) == promise);
  REQUIRE_FALSE(Promise<int>::resolve(1) == promise);
}

TEST_CASE("an executor that throws rejects") {
  QueueFixture queues;
  Promise<int> promise([](auto) { throw 42; });
  REQUIRE(reasonOf(promise) == "int 42");
  queues.drain();
  REQUIRE(queues.unhandled == std::vector<std::string>{"int 42"});
}

TEST_CASE("a promise whose last resolver is dropped rejects") {
  QueueFixture queues;
  Promise<int> promise([](auto, auto) {});
  REQUIRE(reasonOf(promise) == "ERR_BROKEN_PROMISE");
  (void)promise.catch_([] { return 0; });
  queues.drain();
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("a null reason is a TypeError") {
  QueueFixture queues;
  const std::exception_ptr none;
  const auto rejected = Promise<int>::reject(none);
  REQUIRE(reasonOf(rejected) == "ERR_INVALID_ARG_VALUE");
  Promise<int> executed([&](auto, auto reject) { reject(none); });
  REQUIRE(reasonOf(executed) == "ERR_INVALID_ARG_VALUE");
  std::string text;
  (void)rejected.catch_([&](const std::exception& error) {
    text = error.what();
    return 0;
  });
  queues.drain();
  REQUIRE(text == "the reason is a null std::exception_ptr");
  REQUIRE(queues.unhandled == std::vector<std::string>{text});
}

TEST_CASE("a task that was used up rejects, as co_await of it throws") {
  QueueFixture queues;
  Task<int> task = taskOf(1);
  const Task<int> taken = std::move(task);
  const Promise<int> converted = std::move(task);
  REQUIRE(reasonOf(converted) == "ERR_TASK_CONSUMED");
  const auto resolved = Promise<int>::resolve(std::move(task));
  queues.drain();
  REQUIRE(reasonOf(resolved) == "ERR_TASK_CONSUMED");
  REQUIRE(queues.unhandled.size() == 2);
}

TEST_CASE("await of an lvalue gives a reference, of the only handle the value itself") {
  QueueFixture queues;
  auto body = []() -> Promise<> {
    auto shared = Promise<std::string>::resolve("shared");
    const std::string& a = co_await shared;
    const std::string& b = co_await shared;
    REQUIRE(&a == &b);
    auto p = co_await Promise<std::unique_ptr<int>>::resolve(std::make_unique<int>(3));
    REQUIRE(*p == 3);
    auto copy = co_await Promise<std::string>(shared);
    REQUIRE(copy == a);
  };
  auto done = body();
  queues.drain();
  REQUIRE(done.status() == PromiseStatus::Fulfilled);
}

TEST_CASE("await of a promise that was moved from is a TypeError") {
  QueueFixture queues;
  auto body = [](bool again) -> Task<std::string> {
    auto promise = Promise<std::string>::resolve("value");
    std::string value = co_await std::move(promise);
    if (again) value = co_await std::move(promise);
    value = co_await promise;
    co_return value;
  };
  Running<std::string> lvalue(body(false));
  Running<std::string> rvalue(body(true));
  queues.drain();
  REQUIRE(codeOf(lvalue.error()) == "ERR_PROMISE_CONSUMED");
  REQUIRE(codeOf(rvalue.error()) == "ERR_PROMISE_CONSUMED");
}

TEST_CASE("an executor may be a coroutine, whose closure is kept") {
  QueueFixture queues;
  const auto gate = Promise<>::withResolvers();
  const auto start = [&](bool fails) {
    const auto executor = [text = std::string(40, 'x'), fails, wait = gate.promise](
                              auto resolve, auto) -> Task<> {
      co_await wait;
      if (fails) throw std::runtime_error("executor");
      resolve(text);
    };
    return Promise<std::string>(executor);
  };
  const auto good = start(false);
  const auto bad = start(true);
  queues.drain();
  REQUIRE(good.status() == PromiseStatus::Pending);
  gate.resolve();
  queues.drain();
  REQUIRE(good.state().value == std::string(40, 'x'));
  REQUIRE(reasonOf(bad) == "ERR_BROKEN_PROMISE");
  REQUIRE(queues.unhandled == std::vector<std::string>{"executor"});
}

TEST_CASE("an executor that returns something awaitable and throws from the call itself rejects") {
  QueueFixture queues;
  const auto throws = [](leat::Resolver<int>, leat::Rejecter<int>) -> Promise<> {
    const auto before = [] { throw 42; };
    before();
    return Promise<>::resolve();
  };
  const Promise<int> promise(throws);
  REQUIRE(reasonOf(promise) == "int 42");
  const auto alsoThrows = [](leat::Resolver<int>) -> Task<> { throw 43; };
  const Promise<int> other(alsoThrows);
  REQUIRE(other.status() == PromiseStatus::Rejected);
  queues.drain();
  REQUIRE(queues.unhandled == std::vector<std::string>{"int 42", "int 43"});
}

TEST_CASE("an executor may take its arguments by reference, also one that is a coroutine") {
  QueueFixture queues;
  const auto plain = [](const leat::Resolver<int>& resolve, leat::Rejecter<int>&&) { resolve(1); };
  CHECK(Promise<int>(plain).state().value == 1);
  const auto gate = Promise<>::withResolvers();
  const auto kept = [wait = gate.promise](const leat::Resolver<int>&,
                                          leat::Rejecter<int>&& reject) -> Task<> {
    co_await wait;
    reject(2);
  };
  const Promise<int> promise(kept);
  gate.resolve();
  queues.drain();
  CHECK(reasonOf(promise) == "int 2");
  queues.unhandled.clear();
}

TEST_CASE("an executor with a name that cannot be copied is referred to") {
  QueueFixture queues;
  const auto gate = Promise<>::withResolvers();
  const auto executor = [own = std::make_unique<int>(5),
                         wait = gate.promise](leat::Resolver<int> resolve) -> Task<> {
    co_await wait;
    resolve(*own);
  };
  const Promise<int> promise(executor);
  queues.drain();
  CHECK(promise.status() == PromiseStatus::Pending);
  gate.resolve();
  queues.drain();
  CHECK(promise.state().value == 5);
}

TEST_CASE("what an executor returns need not move") {
  QueueFixture queues;
  struct Still {
    explicit Still(leat::Resolver<int> r) : resolve(std::move(r)) {}
    Still(const Still&) = delete;
    Still& operator=(const Still&) = delete;
    std::suspend_never operator co_await() const {
      resolve(6);
      return {};
    }
    leat::Resolver<int> resolve;
  };
  const auto executor = [](leat::Resolver<int> resolve) { return Still(std::move(resolve)); };
  CHECK(Promise<int>(executor).state().value == 6);
}

TEST_CASE("a move-only value with another handle to it is a TypeError") {
  QueueFixture queues;
  auto body = []() -> Promise<> {
    auto shared = Promise<std::unique_ptr<int>>::resolve(std::make_unique<int>(3));
    const auto& seen = co_await shared;
    REQUIRE(*seen == 3);
    (void)co_await Promise<std::unique_ptr<int>>(shared);
  };
  auto done = body();
  (void)done.catch_([] {});
  queues.drain();
  REQUIRE(reasonOf(done) == "ERR_PROMISE_SHARED");
}

TEST_CASE("a resolver that is kept does not count as a handle to the value") {
  QueueFixture queues;
  auto resolvers = Promise<std::unique_ptr<int>>::withResolvers();
  auto body = [](Promise<std::unique_ptr<int>> mine) -> Promise<int> {
    auto p = co_await std::move(mine);
    co_return *p;
  };
  auto done = body(std::move(resolvers.promise));
  resolvers.resolve(std::make_unique<int>(8));
  queues.drain();
  REQUIRE(done.status() == PromiseStatus::Fulfilled);
}

TEST_CASE("a value that only pretends to be copyable is moved") {
  QueueFixture queues;
  auto body = []() -> Promise<> {
    std::vector<std::unique_ptr<int>> made;
    made.push_back(std::make_unique<int>(1));
    auto got = co_await Promise<std::vector<std::unique_ptr<int>>>::resolve(std::move(made));
    REQUIRE(got.size() == 1);
  };
  auto done = body();
  queues.drain();
  REQUIRE(done.status() == PromiseStatus::Fulfilled);
}

TEST_CASE("references and void") {
  QueueFixture queues;
  int x = 1;
  auto body = [&]() -> Promise<> {
    int& r = co_await Promise<int&>::resolve(x);
    r = 2;
    co_await Promise<>::resolve();
  };
  auto done = body();
  int calls = 0;
  (void)done.then([&] { ++calls; });
  queues.drain();
  REQUIRE(x == 2);
  REQUIRE(calls == 1);
}

TEST_CASE("then passes values and errors along a chain") {
  QueueFixture queues;
  std::vector<std::string> trace;
  (void)Promise<int>::resolve(1)
      .then([](int x) { return std::to_string(x + 1); })
      .then([&](const std::string& s) -> int {
        trace.push_back(s);
        throw std::runtime_error("broken");
      })
      .then([&](int) {
        trace.push_back("skipped");
        return 0;
      })
      .catch_([&](const std::exception& e) {
        trace.push_back(e.what());
        return 5;
      })
      .then([&](int x) { trace.push_back(std::to_string(x)); });
  queues.drain();
  REQUIRE(trace == std::vector<std::string>{"2", "broken", "5"});
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("then with two callbacks calls one of them") {
  QueueFixture queues;
  std::string trace;
  auto yes = [&](int) { trace += 'y'; };
  auto no = [&](std::exception_ptr) { trace += 'n'; };
  (void)Promise<int>::resolve(1).then(yes, no);
  (void)Promise<int>::reject(42).then(yes, no);
  queues.drain();
  REQUIRE(trace == "yn");
}

TEST_CASE("catch_ of a type lets other exceptions pass") {
  QueueFixture queues;
  std::string trace;
  (void)Promise<>::reject(std::runtime_error("r"))
      .catch_<std::logic_error>([&] { trace += 'l'; })
      .catch_<std::runtime_error>([&](const std::runtime_error& e) { trace += e.what(); });
  (void)Promise<>::reject(42)
      .catch_<std::exception>([&] { trace += 'e'; })
      .catch_([&](std::exception_ptr) { trace += 'p'; });
  queues.drain();
  REQUIRE(trace == "rp");
}

TEST_CASE("finally sees both outcomes and changes neither, unless it fails") {
  QueueFixture queues;
  int calls = 0;
  auto value = Promise<int>::resolve(7).finally([&] { ++calls; });
  auto error = Promise<int>::reject(42).finally([&] { ++calls; });
  auto failed = Promise<int>::resolve(7).finally([&] { throw std::runtime_error("f"); });
  (void)error.catch_([] { return 0; });
  (void)failed.catch_([] { return 0; });
  queues.drain();
  REQUIRE(calls == 2);
  REQUIRE(value.status() == PromiseStatus::Fulfilled);
  REQUIRE(reasonOf(error) == "int 42");
  REQUIRE(reasonOf(failed) == "f");
}

TEST_CASE("a task converts to a promise and starts at once") {
  QueueFixture queues;
  Promise<int> promise = taskOf(4);
  REQUIRE(promise.status() == PromiseStatus::Fulfilled);
}

TEST_CASE("a settled promise lets go of the callback whose promise it adopted") {
  QueueFixture queues;
  struct Holder {
    Promise<int> outcome = Promise<int>::resolve(0);
    Tracked tracked;
    explicit Holder(int& count) : tracked(count) {}
  };
  int live = 0;
  for (int kind = 0; kind < 6; ++kind) {
    auto holder = std::make_shared<Holder>(live);
    auto& outcome = holder->outcome;
    const auto wait = [holder] { return Promise<>::resolve().then([] { return 1; }); };
    const auto start = [holder] { return taskOf(1); };
    const auto nothing = [holder] {};
    if (kind == 0) outcome = outcome.then(wait);
    if (kind == 1) outcome = outcome.then(start);
    if (kind == 2) outcome = Promise<int>::reject(1).catch_(wait);
    if (kind == 3) outcome = outcome.finally(wait);
    if (kind == 4) outcome = outcome.finally(nothing);
    if (kind == 5) {
      outcome = Promise<int>::reject(1).finally(nothing);
      outcome.state().markHandled();
    }
    queues.drain();
    REQUIRE(outcome.status() != PromiseStatus::Pending);
    REQUIRE(holder.use_count() == 4);  // what is named here, but no callback that a promise kept
  }
  REQUIRE(live == 0);
}

TEST_CASE("a promise that adopts lets go of its callback at the end of the loop") {
  int live = 0;
  {
    QueueFixture queues;
    const auto gate = Promise<>::withResolvers();
    const auto wait = [](Promise<> opened) -> Promise<> { co_await opened; };
    auto callback = [&, tracked = Tracked(live)] { return wait(gate.promise); };
    const Promise<> kept = Promise<>::resolve().then(callback);
    (void)Promise<>::resolve().then(callback);
    queues.drain();
    REQUIRE(live == 3);
  }
  REQUIRE(live == 0);
}

TEMPLATE_TEST_CASE("the closure of a callback that is a coroutine is kept until that has ended", "",
                   Task<int>, Promise<int>) {
  for (int kind = 0; kind < 6; ++kind) {
    for (const bool held : {true, false}) {
      CAPTURE(kind, held);
      QueueFixture queues;
      int live = 0;
      int used = 0;
      const auto gate = Promise<>::withResolvers();
      std::optional<Promise<int>> outcome =
          withSlowCallback<TestType>(kind, gate.promise, live, used);
      if (!held) outcome.reset();
      queues.drain();
      CHECK(used == 0);
      REQUIRE(live == 1);
      gate.resolve();
      queues.drain();
      CHECK(used == 40);
      CHECK(live == 0);
      if (held) CHECK(outcome->state().value == 7);
    }
  }
}

TEST_CASE("a promise cannot be resolved with itself") {
  QueueFixture queues;
  auto resolvers = Promise<int>::withResolvers();
  resolvers.resolve(resolvers.promise);
  REQUIRE_THAT(leat_test::textOf(resolvers.promise.state().error),
               leat_test::containsText("Chaining cycle"));
  (void)resolvers.promise.catch_([] { return 0; });
  queues.drain();
}

TEST_CASE("a rejection that nobody handles is reported once, after the drain") {
  QueueFixture queues;
  auto promise = Promise<int>::reject(std::runtime_error("lost"));
  REQUIRE(queues.unhandled.empty());
  queues.drain();
  queues.drain();
  REQUIRE(queues.unhandled == std::vector<std::string>{"lost"});
  REQUIRE(queues.handledLate == 0);
  (void)promise.catch_([] { return 1; });
  queues.drain();
  REQUIRE(queues.handledLate == 1);
}

TEST_CASE("a handler that is added in a microtask comes in time") {
  QueueFixture queues;
  auto promise = Promise<int>::reject(42);
  (void)Promise<>::resolve().then([&] { (void)promise.catch_([] { return 1; }); });
  queues.drain();
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("a derived promise without a handler is reported in its own right") {
  QueueFixture queues;
  (void)Promise<int>::reject(42).then([](int) { return 1; });
  queues.drain();
  REQUIRE(queues.unhandled == std::vector<std::string>{"int 42"});
}

TEST_CASE("an async function runs at once and outlives its handles") {
  QueueFixture queues;
  std::string trace;
  auto gate = Promise<>::withResolvers();
  auto body = [](std::string& out, Promise<> wait) -> Promise<> {
    out += 'a';
    co_await wait;
    out += 'b';
  };
  (void)body(trace, gate.promise);
  trace += '-';
  queues.drain();
  REQUIRE(trace == "a-");
  gate.resolve();
  REQUIRE(trace == "a-");
  queues.drain();
  REQUIRE(trace == "a-b");
}

TEST_CASE("a coroutine that gives what cannot be awaited and then throws has thrown") {
  QueueFixture queues;
  struct Late {
    ~Late() noexcept(false) { throw std::runtime_error("behind co_return"); }
  };
  struct Heavy {
    Heavy() = default;
    Heavy(Heavy&& other) : moves(other.moves + 1) {
      if (moves == 2) throw std::runtime_error("moved twice");
    }
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    int await_resume() const noexcept { return 1; }
    int moves = 0;
  };
  Task<int> used = taskOf(1);
  const Task<int> gone = std::move(used);
  const auto usedUp = [&]() -> Promise<int> {
    const Late late;
    co_return std::move(used);
  };
  const auto heavy = []() -> Promise<int> {
    const Late late;
    Heavy value;
    co_return std::move(value);
  };
  const auto hasThrown = [&](const Promise<int>& promise) {
    std::string seen;
    (void)promise.then([](int) {}).catch_([&](std::exception_ptr error) { seen += textOf(error); });
    queues.drain();
    CHECK(reasonOf(promise) == "behind co_return");
    CHECK(seen == "behind co_return");
  };
  hasThrown(usedUp());
  hasThrown(heavy());
  CHECK(queues.unhandled.empty());
}

TEST_CASE("what a destructor throws behind co_return is the outcome") {
  struct Throws {
    ~Throws() noexcept(false) { throw 42; }
  };
  QueueFixture queues;
  const auto value = []() -> Promise<std::string> {
    const Throws local;
    co_return std::string(40, 'x');
  };
  const auto promise = [](Promise<std::string> other) -> Promise<std::string> {
    const Throws local;
    co_return other;
  };
  const auto task = []() -> Promise<int> {
    const Throws local;
    co_return taskOf(1);
  };
  const auto nothing = []() -> Promise<> {
    const Throws local;
    co_return;
  };
  std::string trace;
  const auto tell = [&](std::exception_ptr error) { trace += textOf(error) + " "; };
  const auto never = [&] { trace += "never "; };
  const auto adopts = promise(Promise<std::string>::resolve(std::string(40, 'y')));
  (void)value().then(never, tell);
  (void)adopts.then(never, tell);
  (void)task().then(never, tell);
  (void)nothing().then(never, tell);
  (void)value();
  queues.drain();
  REQUIRE(trace == "int 42 int 42 int 42 int 42 ");
  REQUIRE(adopts.status() == PromiseStatus::Rejected);
  REQUIRE(queues.unhandled == std::vector<std::string>{"int 42"});
}

TEST_CASE("the end of the loop destroys async functions that wait") {
  int live = 0;
  {
    QueueFixture queues;
    auto gate = Promise<>::withResolvers();
    auto body = [](Promise<> wait, Tracked) -> Promise<> { co_await wait; };
    (void)body(gate.promise, Tracked(live));
    auto callback = [tracked = Tracked(live)] {};
    auto late = gate.promise.then(callback);
    queues.drain();
    REQUIRE(live == 3);
  }
  REQUIRE(live == 0);
}

TEST_CASE("the end of the loop destroys async functions newest first") {
  std::string trace;
  {
    QueueFixture queues;
    struct Named {
      ~Named() { *trace += name; }
      std::string* trace;
      char name;
    };
    const auto wait = [&](auto& self, char name) -> Promise<> {
      const Named local{&trace, name};
      if (name < 'c') (void)self(self, static_cast<char>(name + 1));
      const auto never = Promise<>::withResolvers();
      co_await never.promise;
    };
    (void)wait(wait, 'a');
  }
  REQUIRE(trace == "cba");
}

TEST_CASE("an awaiter that is destroyed leaves the promise, pending or queued") {
  QueueFixture queues;
  auto gate = Promise<int>::withResolvers();
  auto body = [](Promise<int> wait) -> Task<int> { co_return co_await wait; };
  Running<int> pending(body(gate.promise));
  Running<int> queued(body(gate.promise));
  pending.destroy();
  gate.resolve(1);
  queued.destroy();
  queues.drain();
  REQUIRE_FALSE(pending.done());
  REQUIRE_FALSE(queued.done());
}

TEST_CASE("where there is no loop a promise cannot be made") {
  REQUIRE_THROWS_WITH(Promise<int>::resolve(1), leat_test::containsText("no event loop"));
}

TEST_CASE("a promise cannot be used on another thread") {
  QueueFixture queues;
  auto promise = Promise<int>::resolve(1);
  std::string code;
  std::thread([&] {
    QueueFixture other;
    try {
      (void)promise.then([] { return 1; });
    } catch (const leat::Error& e) {
      code = e.code();
    }
  }).join();
  REQUIRE(code == "ERR_WRONG_THREAD");
}
