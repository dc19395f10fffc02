// SPDX-License-Identifier: MIT
// In which generation of microtasks a continuation runs: V8's numbers.
#include <leat/core/combinators.hpp>
#include <leat/core/promise_then.hpp>

#include <queue_fixture.hpp>

using leat::Promise;
using leat::Task;
using leat_test::QueueFixture;

namespace {

Promise<int> P() { return Promise<int>::resolve(1); }
Promise<int> R() { return Promise<int>::reject(std::runtime_error("R")); }
Task<int> task() { co_return 1; }
/// What JavaScript calls a thenable: an awaitable that is neither a promise nor a task.
struct Thenable {
  Thenable() = default;
  bool await_ready() const { return true; }
  void await_suspend(std::coroutine_handle<>) const {}
  int await_resume() const { return 1; }
};
Promise<int> returnsValue() { co_return 1; }
Promise<> returnsNothing() { co_return; }
Promise<int> throws() {
  throw std::runtime_error("async");
  co_return 1;
}
Promise<int> returnsP() { co_return P(); }
Promise<int> returnsR() { co_return R(); }
Promise<int> returnsThenable() { co_return Thenable(); }
Promise<int> returnsAwaitedP() { co_return co_await P(); }
Promise<int> awaitsThenValue() {
  co_await P();
  co_return 1;
}
Promise<int> awaitsThenP() {
  co_await P();
  co_return P();
}

/// Awaits what `make` gives and calls `done`, whether it throws or not.
template <class Make, class Done>
Promise<> awaiting(Make make, Done done) {
  try {
    (void)co_await make();
  } catch (const std::exception&) {
  }
  done();
}

int awaited(auto make) {
  QueueFixture queues;
  return queues.ticksUntil([&](auto done) { (void)awaiting(make, done); });
}
/// `chain` attaches what it is given.
int chained(auto chain) {
  QueueFixture queues;
  return queues.ticksUntil([&](auto done) { (void)chain([done](auto&&...) { done(); }); });
}
/// The same for a rejection: the callback takes no argument and gives a value.
int caught(auto chain) {
  QueueFixture queues;
  return queues.ticksUntil([&](auto done) {
    (void)chain([done](std::exception_ptr) {
      done();
      return 0;
    });
  });
}

}  // namespace

TEST_CASE("ticks of await") {
  CHECK(awaited(P) == 1);
  CHECK(awaited(R) == 1);
  CHECK(awaited(returnsValue) == 1);
  CHECK(awaited(returnsNothing) == 1);
  CHECK(awaited(throws) == 1);
  CHECK(awaited(returnsP) == 3);
  CHECK(awaited(returnsR) == 3);
  CHECK(awaited(returnsThenable) == 2);
  CHECK(awaited(returnsAwaitedP) == 2);
  CHECK(awaited([] { return Promise<int>::resolve(Thenable()); }) == 2);
  // A task is a call.
  CHECK(awaited(task) == 0);
}

TEST_CASE("ticks of then on async functions") {
  CHECK(chained([](auto o) { return returnsValue().then(o); }) == 1);
  CHECK(chained([](auto o) { return returnsP().then(o); }) == 3);
  CHECK(chained([](auto o) { return awaitsThenValue().then(o); }) == 2);
  CHECK(chained([](auto o) { return awaitsThenP().then(o); }) == 4);
}

TEST_CASE("ticks of then, catch and finally") {
  const auto f = [](int) { return 1; };
  const auto g = [] { return 1; };
  CHECK(chained([&](auto o) { return P().then(o); }) == 1);
  CHECK(chained([&](auto o) { return P().then(f).then(o); }) == 2);
  CHECK(chained([&](auto o) { return P().then([](int) { return P(); }).then(o); }) == 4);
  CHECK(chained([&](auto o) { return P().then([](int) { return Thenable(); }).then(o); }) == 3);
  CHECK(chained([&](auto o) { return P().then([](int) { return returnsValue(); }).then(o); }) == 4);
  CHECK(chained([&](auto o) { return P().catch_(g).then(o); }) == 2);
  CHECK(caught([&](auto o) { return R().then(f).catch_(o); }) == 2);
  CHECK(chained([&](auto o) { return R().catch_(g).then(o); }) == 2);
  CHECK(chained([&](auto o) { return P().finally(o); }) == 1);
  CHECK(chained([&](auto o) { return P().finally([] {}).then(o); }) == 4);
  CHECK(caught([&](auto o) { return R().finally([] {}).catch_(o); }) == 4);
  CHECK(chained([&](auto o) { return P().finally([] { return P(); }).then(o); }) == 4);
  CHECK(caught([&](auto o) { return P().finally([] { throw 1; }).catch_(o); }) == 2);
}

TEST_CASE("ticks of new Promise and Promise.resolve") {
  CHECK(chained([](auto o) { return Promise<int>([](auto r) { r(1); }).then(o); }) == 1);
  CHECK(chained([](auto o) { return Promise<int>([](auto r) { r(P()); }).then(o); }) == 3);
  CHECK(caught([](auto o) { return Promise<int>([](auto r) { r(R()); }).catch_(o); }) == 3);
  CHECK(chained([](auto o) { return Promise<int>([](auto r) { r(Thenable()); }).then(o); }) == 2);
  CHECK(chained([](auto o) { return Promise<int>::resolve(P()).then(o); }) == 1);
  CHECK(chained([](auto o) { return Promise<int>::resolve(Thenable()).then(o); }) == 2);
  CHECK(caught([](auto o) { return R().catch_(o); }) == 1);
}

TEST_CASE("ticks of all") {
  CHECK(chained([](auto o) { return leat::all(std::vector<Promise<int>>()).then(o); }) == 1);
  CHECK(chained([](auto o) { return leat::all().then(o); }) == 1);
  CHECK(chained([](auto o) { return leat::all(1).then(o); }) == 2);
  CHECK(chained([](auto o) { return leat::all(P(), P(), P()).then(o); }) == 2);
  CHECK(chained([](auto o) { return leat::all(std::vector<Promise<int>>(3, P())).then(o); }) == 2);
  CHECK(caught([](auto o) { return leat::all(P(), R()).then([] { return 0; }).catch_(o); }) == 3);
  CHECK(awaited([] { return leat::all(P(), R()); }) == 2);
  CHECK(awaited([] { return leat::all(P(), P()); }) == 2);
  CHECK(awaited([] { return leat::all(awaitsThenValue()); }) == 3);
  // A task starts at once, as the call of an async function; other awaitables are thenables.
  CHECK(awaited([] { return leat::all(task()); }) == 2);
  CHECK(awaited([] { return leat::all(Thenable()); }) == 3);
}

TEST_CASE("ticks of allSettled, race and any") {
  const std::vector<Promise<int>> none;
  CHECK(chained([&](auto o) { return leat::allSettled(none).then(o); }) == 1);
  CHECK(chained([](auto o) { return leat::allSettled(P(), R()).then(o); }) == 2);
  CHECK(chained([](auto o) { return leat::race(P(), R()).then(o); }) == 2);
  CHECK(caught([](auto o) { return leat::race(R(), P()).catch_(o); }) == 2);
  CHECK(caught([&](auto o) { return leat::any(none).catch_(o); }) == 1);
  CHECK(chained([](auto o) { return leat::any(P(), R()).then(o); }) == 2);
  CHECK(chained([](auto o) { return leat::any(R(), P()).then(o); }) == 2);
  CHECK(caught([](auto o) { return leat::any(R(), R()).catch_(o); }) == 2);
}
