// SPDX-License-Identifier: MIT
#include <leat/core/as_result.hpp>
#include <leat/core/promise.hpp>

#include <memory>
#include <queue_fixture.hpp>

using leat::asResult;
using leat::Promise;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;

namespace {

Task<int> value(int x) { co_return x; }
Task<> fail42() {
  throw 42;
  co_return;
}
Task<int&> reference(int& x) { co_return x; }
/// Throws where it is told to.
struct Thrower {
  enum Where { Ready, Suspend, SuspendBool, SuspendHandle, Resume };
  explicit Thrower(Where w) : where(w) {}
  bool await_ready() const {
    if (where == Ready) throw 1;
    return where == Resume;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const { throw 2; }
  int await_resume() const { throw 3; }
  Where where;
};
struct VoidThrower {
  VoidThrower() = default;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<>) const { throw 4; }
  void await_resume() const {}
};

}  // namespace

TEST_CASE("asResult gives values, references and nothing") {
  auto body = []() -> Task<> {
    auto r = co_await asResult(value(3));
    REQUIRE(r.value() == 3);
    int x = 0;
    auto q = co_await asResult(reference(x));
    static_assert(std::is_same_v<decltype(q), leat::Result<int&>>);
    REQUIRE(&q.value() == &x);
    auto lazy = asResult(value(4));
    auto s = co_await std::move(lazy);
    REQUIRE(*s == 4);
  };
  Running<> running(body());
  running.get();
}

TEST_CASE("asResult gives exceptions of any type") {
  auto body = []() -> Task<int> {
    auto r = co_await asResult(fail42());
    REQUIRE_FALSE(r.ok());
    int number = 0;
    try {
      r.value();
    } catch (int n) {
      number = n;
    }
    co_return number;
  };
  Running<int> running(body());
  REQUIRE(running.get() == 42);
}

TEST_CASE("asResult catches what an awaiter throws at any of its three steps") {
  auto body = []() -> Task<std::string> {
    std::string trace;
    auto a = co_await asResult(Thrower(Thrower::Ready));
    trace += leat_test::textOf(a.error());
    auto b = co_await asResult(Thrower(Thrower::Suspend));
    trace += leat_test::textOf(b.error());
    auto c = co_await asResult(Thrower(Thrower::Resume));
    trace += leat_test::textOf(c.error());
    auto d = co_await asResult(VoidThrower());
    trace += leat_test::textOf(d.error());
    auto used = value(1);
    auto taken = std::move(used);
    auto e = co_await asResult(std::move(used));
    trace += codeOf(e.error());
    co_return trace;
  };
  Running<std::string> running(body());
  REQUIRE(running.get() == "int 1int 2int 3int 4ERR_TASK_CONSUMED");
}

TEST_CASE("asResult of a promise refers to the value of an lvalue and takes that of an rvalue") {
  QueueFixture queues;
  auto body = []() -> Task<> {
    auto promise = Promise<std::string>::resolve("abc");
    auto seen = co_await asResult(promise);
    REQUIRE(&seen.value() == &promise.state().value);
    auto failed = co_await asResult(Promise<>::reject(std::runtime_error("no")));
    REQUIRE_FALSE(failed.ok());
    auto moved =
        co_await asResult(Promise<std::unique_ptr<int>>::resolve(std::make_unique<int>(1)));
    REQUIRE(**moved == 1);
  };
  Running<> running(body());
  queues.drain();
  running.get();
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("a chain through asResult is destroyed leaf first, however deep") {
  QueueFixture queues;
  auto gate = Promise<>::withResolvers();
  struct Chain {
    static Task<> level(int depth, Promise<> wait) {
      if (depth == 0) {
        co_await wait;
        co_return;
      }
      auto result = co_await asResult(level(depth - 1, wait));
      result.value();
    }
  };
  Running<> running(Chain::level(100000, gate.promise));
  running.destroy();
  Running<> other(Chain::level(100000, gate.promise));
  gate.resolve();
  queues.drain();
  REQUIRE(other.done());
}
