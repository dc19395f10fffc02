// SPDX-License-Identifier: MIT
#include <leat/core/promisify.hpp>

#include <memory>
#include <queue_fixture.hpp>

using leat::Promise;
using leat::PromiseStatus;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::textOf;

namespace {

template <class Callback>
void divide(int a, int b, Callback done) {
  if (b == 0) return done(std::make_exception_ptr(std::runtime_error("division by zero")), 0);
  done(nullptr, a / b);
}
struct Code {
  explicit Code(int v) : value(v) {}
  explicit operator bool() const { return value != 0; }
  int value;
};
Promise<std::string> greet(std::string name) {
  co_await Promise<>::resolve();
  if (name.empty()) throw 42;
  co_return "hello " + name;
}

}  // namespace

TEST_CASE("promisify makes a promise of a callback") {
  QueueFixture queues;
  auto half = leat::promisify<int>([](int a, int b, auto done) { divide(a, b, done); });
  auto good = half(8, 2);
  REQUIRE(good.state().value == 4);
  auto bad = half(8, 0);
  REQUIRE(textOf(bad.state().error) == "division by zero");
  (void)bad.catch_([] { return 0; });
}

TEST_CASE("promisify takes errors of other kinds, and callbacks without a value") {
  QueueFixture queues;
  auto coded = leat::promisify([](int code, auto done) { done(Code(code)); });
  REQUIRE(coded(0).status() == PromiseStatus::Fulfilled);
  auto failed = coded(3);
  REQUIRE_THROWS_AS(std::rethrow_exception(failed.state().error), Code);
  failed.state().markHandled();
  auto thrown = leat::promisify([](auto) { throw 42; })();
  REQUIRE(textOf(thrown.state().error) == "int 42");
  thrown.state().markHandled();
  auto dropped = leat::promisify([](auto) {})();
  REQUIRE(codeOf(dropped.state().error) == "ERR_BROKEN_PROMISE");
  dropped.state().markHandled();
  auto empty = leat::promisify<int>([](auto done) { done(nullptr); })();
  REQUIRE(empty.status() == PromiseStatus::Rejected);
  empty.state().markHandled();
}

TEST_CASE("the callback may come later, and only its first call counts") {
  QueueFixture queues;
  leat::Function<void(std::exception_ptr, int)> later;
  auto wait = leat::promisify<int>([&](auto done) { later = done; });
  auto promise = wait();
  REQUIRE(promise.status() == PromiseStatus::Pending);
  later(nullptr, 1);
  later(std::make_exception_ptr(2), 0);
  REQUIRE(promise.state().value == 1);
}

TEST_CASE("callbackify calls back in a tick, in each form that it takes") {
  QueueFixture queues;
  auto greeting = leat::callbackify(greet);
  std::string trace;
  greeting("a", [&](std::exception_ptr error, std::string text) {
    trace += textOf(error) + ":" + text + " ";
  });
  greeting("", [&](std::exception_ptr error, std::optional<std::string> text) {
    trace += textOf(error) + ":" + (text ? "some " : "none ");
  });
  greeting("b", [&](leat::Result<std::string> result) { trace += *result; });
  REQUIRE(trace.empty());
  queues.drain();
  REQUIRE(trace == "none:hello a int 42:none hello b");
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("callbackify of a task without a value, and a callback that throws") {
  QueueFixture queues;
  auto nothing = leat::callbackify([](int x) -> Task<> {
    if (x == 0) throw 1;
    co_return;
  });
  int calls = 0;
  nothing(1, [&](std::exception_ptr error) { calls += error ? 10 : 1; });
  nothing(0, [&](std::exception_ptr error) { calls += error ? 10 : 1; });
  nothing(1, [](std::exception_ptr) { throw std::runtime_error("callback"); });
  queues.drain();
  queues.drain();
  REQUIRE(calls == 11);
  REQUIRE(queues.uncaught == std::vector<std::string>{"callback"});
}

TEST_CASE("callbackify moves a value that only moves") {
  QueueFixture queues;
  auto make =
      leat::callbackify([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(6); });
  int seen = 0;
  make([&](std::exception_ptr, std::unique_ptr<int> value) { seen = *value; });
  queues.drain();
  REQUIRE(seen == 6);
}

TEST_CASE("a callback of callbackify may be a coroutine, whose closure is kept") {
  QueueFixture queues;
  const auto gate = Promise<>::withResolvers();
  std::string trace;
  {
    const auto greeting = leat::callbackify(greet);
    auto ask = greeting;
    const std::string text(40, 'x');
    ask("a", [&trace, text, wait = gate.promise](leat::Result<std::string> result) -> Task<> {
      co_await wait;
      trace += *result + text + " ";
    });
    ask("b",
        [&trace, text, wait = gate.promise](std::exception_ptr,
                                            std::optional<std::string> value) -> Promise<> {
          co_await wait;
          trace += *value + text + " ";
        });
    ask("c", [&trace, text, wait = gate.promise](std::exception_ptr, std::string value) -> Task<> {
      co_await wait;
      trace += value + text + " ";
      throw std::runtime_error("callback");
    });
  }
  queues.drain();
  REQUIRE(trace.empty());
  gate.resolve();
  queues.drain();
  const std::string text(40, 'x');
  REQUIRE(trace == "hello a" + text + " hello b" + text + " hello c" + text + " ");
  REQUIRE(queues.unhandled == std::vector<std::string>{"callback"});
  REQUIRE(queues.uncaught.empty());
}
