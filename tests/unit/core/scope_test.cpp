// SPDX-License-Identifier: MIT
#include <leat/core/async_local_storage.hpp>
#include <leat/core/event.hpp>
#include <leat/core/scope.hpp>

#include <algorithm>
#include <forgetful.hpp>
#include <memory>
#include <optional>
#include <queue_fixture.hpp>
#include <vector>

using leat::AbortController;
using leat::ManualResetEvent;
using leat::Promise;
using leat::scoped;
using leat::Task;
using leat::TaskScope;
using leat_test::codeOf;
using leat_test::forgetful;
using leat_test::QueueFixture;
using leat_test::Running;
using leat_test::textOf;
using leat_test::Tracked;

namespace {

Task<int> given(int x) { co_return x; }
Task<int> waitFor(ManualResetEvent& event, int x) {
  co_await event.wait();
  co_return x;
}
Task<> fail(ManualResetEvent& event, int x) {
  co_await event.wait();
  throw x;
}
/// Waits for an abort, then cleans up for some ticks, then says so.
Task<int> stubborn(std::string& trace) {
  ManualResetEvent never;
  auto outcome = co_await leat::asResult(never.wait());
  for (int i = 0; i < 3; ++i) co_await Promise<>::resolve();
  trace += codeOf(outcome.error()) + " ";
  outcome.value();
  co_return 0;
}

/// Goes into its coroutine, but not out of it.
struct MovedOnce {
  MovedOnce() = default;
  MovedOnce(MovedOnce&& other) : moves(other.moves + 1) {
    if (moves == 2) throw std::runtime_error("moved twice");
  }
  int moves = 0;
};
Task<MovedOnce> movedOnce(ManualResetEvent& event) {
  co_await event.wait();
  co_return MovedOnce();
}

}  // namespace

TEST_CASE("a child whose result throws on its way fails, and nothing goes on in the handler") {
  QueueFixture queues;
  ManualResetEvent gate;
  std::string seen;
  bool handling = true;
  auto body = [&](TaskScope& scope) -> Task<> {
    const Promise<MovedOnce> child = scope.spawnQuietly(movedOnce(gate));
    co_await scope.join();
    handling = std::current_exception() != nullptr;
    auto outcome = co_await leat::asResult(child);
    seen = textOf(outcome.error());
  };
  Running<> running(scoped(body));
  gate.set();
  queues.drain();
  REQUIRE(running.done());
  CHECK_FALSE(handling);
  CHECK(seen == "moved twice");
}

TEST_CASE("a child that ends without co_return has failed, for its promise and for the scope") {
  QueueFixture queues;
  std::string seen;
  auto body = [&](TaskScope& scope) -> Task<> {
    auto outcome = co_await leat::asResult(scope.spawn(forgetful(false)));
    seen = codeOf(outcome.error());
  };
  Running<> running(scoped(body));
  queues.drain();
  CHECK(seen == "ERR_MISSING_CO_RETURN");
  CHECK(codeOf(running.error()) == "ERR_MISSING_CO_RETURN");
}

TEST_CASE("a scope gives the body's result when the children have ended") {
  QueueFixture queues;
  ManualResetEvent gate;
  bool child = false;
  auto work = [&]() -> Task<> {
    co_await gate.wait();
    child = true;
  };
  auto body = [&]() -> Task<std::unique_ptr<int>> {
    auto inside = [&](TaskScope& scope) -> Task<std::unique_ptr<int>> {
      (void)scope.spawn(work());
      const int five = co_await scope.spawn(given(5));
      co_return std::make_unique<int>(five);
    };
    auto result = co_await scoped(inside);
    REQUIRE(child);
    co_return result;
  };
  Running<std::unique_ptr<int>> running(body());
  queues.drain();
  REQUIRE_FALSE(running.done());
  gate.set();
  queues.drain();
  REQUIRE(*running.get() == 5);
}

TEST_CASE("the first failure aborts the siblings and the body, waits for them, and is thrown") {
  QueueFixture queues;
  ManualResetEvent gate, never;
  std::string trace;
  auto inside = [&](TaskScope& scope) -> Task<> {
    (void)scope.spawn(stubborn(trace));
    (void)scope.spawn(fail(gate, 1));
    (void)scope.spawn(stubborn(trace));
    co_await never.wait();
  };
  Running<> running(scoped(inside));
  gate.set();
  queues.drain();
  REQUIRE(running.done());
  REQUIRE(textOf(running.error()) == "int 1");
  REQUIRE(trace == "ABORT_ERR ABORT_ERR ");
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("a body that fails aborts the children") {
  QueueFixture queues;
  std::string trace;
  auto inside = [&](TaskScope& scope) -> Task<int> {
    (void)scope.spawn(stubborn(trace));
    throw 7;
    co_return 0;
  };
  Running<int> running(scoped(inside));
  queues.drain();
  REQUIRE(textOf(running.error()) == "int 7");
  REQUIRE(trace == "ABORT_ERR ");
}

TEST_CASE("an abort from outside flows in") {
  QueueFixture queues;
  AbortController controller;
  std::string trace;
  auto inside = [&](TaskScope& scope) -> Task<> {
    (void)scope.spawn(stubborn(trace));
    co_return;
  };
  auto body = [&]() -> Task<> { co_await leat::withSignal(controller.signal(), scoped(inside)); };
  Running<> running(body());
  queues.drain();
  REQUIRE_FALSE(running.done());
  controller.abort();
  queues.drain();
  REQUIRE(codeOf(running.error()) == "ABORT_ERR");
}

TEST_CASE("cancel ends the children without a failure") {
  QueueFixture queues;
  std::string trace;
  auto inside = [&](TaskScope& scope) -> Task<int> {
    auto child = scope.spawn(stubborn(trace));
    scope.cancel();
    REQUIRE(scope.signal().aborted());
    co_return 3;
  };
  Running<int> running(scoped(inside));
  queues.drain();
  REQUIRE(running.get() == 3);
  REQUIRE(trace == "ABORT_ERR ");
}

TEST_CASE("children inherit stores, and may start children") {
  QueueFixture queues;
  leat::AsyncLocalStorage<int> storage;
  ManualResetEvent gate;
  int seen = 0;
  auto grandchild = [&]() -> Task<> {
    co_await gate.wait();
    seen += *storage.getStore();
  };
  auto child = [&](TaskScope& scope) -> Task<> {
    co_await Promise<>::resolve();
    (void)scope.spawn(grandchild());
  };
  auto inside = [&](TaskScope& scope) -> Task<> {
    (void)scope.spawn(child(scope));
    co_return;
  };
  auto make = [&] { return scoped(inside); };
  auto body = [&]() -> Task<> { co_await storage.run(6, make); };
  Running<> running(body());
  queues.drain();
  REQUIRE_FALSE(running.done());
  gate.set();
  queues.drain();
  REQUIRE(running.done());
  REQUIRE(seen == 6);
}

TEST_CASE("a child that enters another store leaves that of who started it") {
  QueueFixture queues;
  leat::AsyncLocalStorage<std::shared_ptr<int>> storage;
  const std::vector<std::shared_ptr<int>> stores{std::make_shared<int>(0), std::make_shared<int>(1),
                                                 std::make_shared<int>(2)};
  ManualResetEvent gate;
  std::vector<int> seen;
  auto see = [&] { seen.push_back(**storage.getStore()); };
  auto grandchild = [&]() -> Task<> {
    see();
    storage.enterWith(stores[2]);
    co_await gate.wait();
    see();
  };
  auto child = [&](TaskScope& scope, bool enters) -> Task<> {
    if (enters) storage.enterWith(stores[1]);
    (void)scope.spawn(grandchild());
    (void)leat::Promise<>(grandchild());
    see();
    if (!enters) storage.enterWith(stores[1]);
    co_await gate.wait();
    see();
  };
  // As an operation in another context does.
  auto thereAndBack = [&]() -> Task<> {
    auto before = leat::detail::swapContext(nullptr);
    leat::detail::swapContext(std::move(before));
    co_return;
  };
  auto inside = [&](TaskScope& scope) -> Task<> {
    storage.enterWith(stores[0]);
    (void)scope.spawn(thereAndBack());
    (void)scope.spawn(child(scope, true));
    see();
    (void)scope.spawn(child(scope, false));
    see();
    co_await gate.wait();
    see();
  };
  {
    Running<> running(scoped(inside));
    REQUIRE(seen == std::vector<int>{1, 1, 1, 0, 0, 0, 0, 0});
    seen.clear();
    gate.set();
    queues.drain();
    REQUIRE(running.done());
    std::sort(seen.begin(), seen.end());
    REQUIRE(seen == std::vector<int>{0, 1, 1, 2, 2, 2, 2});
  }
  // None of the contexts is left: not one count too many, nor too few.
  storage.disable();
  for (const std::shared_ptr<int>& store : stores) REQUIRE(store.use_count() == 1);
}

TEST_CASE("an abandoned scope destroys its children, wherever it waits") {
  for (int tick = 0; tick < 6; ++tick) {
    QueueFixture queues;
    int live = 0;
    ManualResetEvent gate;
    auto child = [&](ManualResetEvent& event) -> Task<> {
      Tracked tracked(live);
      co_await event.wait();
      for (int i = 0; i < 3; ++i) co_await Promise<>::resolve();
    };
    auto inside = [&](TaskScope& scope) -> Task<> {
      Tracked tracked(live);
      (void)scope.spawn(child(gate));
      (void)scope.spawn(child(gate));
      if (tick > 2) co_await gate.wait();
    };
    auto running = std::make_unique<Running<>>(scoped(inside));
    REQUIRE(live > 0);
    if (tick % 2 == 1) gate.set();
    queues.atTick(tick, [&] { running.reset(); });
    REQUIRE(live == 0);
    queues.drain();
  }
}

TEST_CASE("a scope that ends with what its child held") {
  for (const bool throws : {false, true}) {
    QueueFixture queues;
    ManualResetEvent gate;
    struct Ends {
      explicit Ends(std::optional<Running<>>& r) : running(&r) {}
      Ends(Ends&& other) noexcept : running(std::exchange(other.running, nullptr)) {}
      ~Ends() {
        if (running != nullptr) running->reset();
      }
      std::optional<Running<>>* running;
    };
    auto child = [&](Ends) -> Task<> {
      co_await gate.wait();
      if (throws) throw 1;
    };
    std::optional<Running<>> running;
    std::optional<Promise<>> outcome;
    auto body = [&](TaskScope& scope) -> Task<> {
      outcome = scope.spawn(child(Ends(running)));
      co_return;
    };
    running.emplace(scoped(body));
    gate.set();
    queues.drain();
    CHECK_FALSE(running.has_value());
    CHECK(outcome->status() ==
          (throws ? leat::PromiseStatus::Rejected : leat::PromiseStatus::Fulfilled));
  }
}

TEST_CASE("a scope that ends with the result of its child, or with what that threw") {
  for (const bool throws : {false, true}) {
    QueueFixture queues;
    ManualResetEvent gate;
    struct Ends {
      explicit Ends(std::optional<Running<>>& r) : running(r) {}
      Ends(const Ends&) = delete;
      Ends& operator=(const Ends&) = delete;
      ~Ends() { running.reset(); }
      std::optional<Running<>>& running;
    };
    auto child = [&](std::optional<Running<>>& running) -> Task<std::shared_ptr<Ends>> {
      co_await gate.wait();
      auto last = std::make_shared<Ends>(running);
      if (throws) throw last;
      co_return last;
    };
    std::optional<Running<>> running;
    auto body = [&](TaskScope& scope) -> Task<> {
      (void)scope.spawnQuietly(child(running));
      co_return;
    };
    running.emplace(scoped(body));
    gate.set();
    queues.drain();
    CHECK_FALSE(running.has_value());
  }
}

TEST_CASE("a scope that ends with what a listener of its signal drops") {
  QueueFixture queues;
  ManualResetEvent gate, never;
  std::optional<Running<>> running;
  std::optional<Promise<>> outcome;
  auto body = [&](TaskScope& scope) -> Task<> {
    const auto drops = scope.signal().onAbort([&] { running.reset(); });
    outcome = scope.spawn(fail(gate, 1));
    co_await never.wait();
  };
  running.emplace(scoped(body));
  gate.set();
  queues.drain();
  CHECK_FALSE(running.has_value());
  CHECK(outcome->status() == leat::PromiseStatus::Rejected);
}

TEST_CASE("raceScoped gives the first and has stopped the losers") {
  QueueFixture queues;
  ManualResetEvent gate;
  std::string trace;
  auto body = [&]() -> Task<int> {
    const int first = co_await leat::raceScoped(stubborn(trace), waitFor(gate, 2), stubborn(trace));
    trace += "end";
    co_return first;
  };
  Running<int> running(body());
  gate.set();
  queues.drain();
  REQUIRE(running.get() == 2);
  REQUIRE(trace == "ABORT_ERR ABORT_ERR end");
  Running<int> failed(leat::raceScoped(waitFor(gate, 1), given(2)));
  queues.drain();
  REQUIRE(failed.get() > 0);
}

TEST_CASE("anyScoped passes over failures, and aggregates them when all fail") {
  QueueFixture queues;
  ManualResetEvent now(true), later;
  std::string trace;
  auto failing = [&](int x) -> Task<int> {
    throw x;
    co_return 0;
  };
  Running<int> running(leat::anyScoped(failing(1), waitFor(later, 2), stubborn(trace)));
  queues.drain();
  REQUIRE_FALSE(running.done());
  later.set();
  queues.drain();
  REQUIRE(running.get() == 2);
  REQUIRE(trace == "ABORT_ERR ");
  Running<int> none(leat::anyScoped(failing(1), failing(2)));
  queues.drain();
  REQUIRE_THROWS_AS(none.get(), leat::AggregateError);
  REQUIRE(queues.unhandled.empty());
}

TEST_CASE("raceScoped and anyScoped over ranges") {
  QueueFixture queues;
  ManualResetEvent gate;
  std::string trace;
  std::vector<Task<int>> runners;
  runners.push_back(stubborn(trace));
  runners.push_back(waitFor(gate, 2));
  Running<int> first(leat::raceScoped(std::move(runners)));
  std::vector<Task<int>> none;
  Running<int> empty(leat::anyScoped(std::move(none)));
  gate.set();
  queues.drain();
  REQUIRE(first.get() == 2);
  REQUIRE(trace == "ABORT_ERR ");
  REQUIRE_THROWS_AS(empty.get(), leat::AggregateError);
}

TEST_CASE("an abandoned raceScoped or anyScoped destroys its runners, wherever it waits") {
  for (int kind = 0; kind < 4; ++kind) {
    // Nothing has come, the winner has, the losers end, it is over.
    for (int tick = 0; tick < 12; ++tick) {
      QueueFixture queues;
      int live = 0;
      ManualResetEvent gate;
      std::string trace;
      const auto runner = [&](bool wins) -> Task<int> {
        const Tracked tracked(live);
        if (wins) {
          co_await gate.wait();
          co_return 1;
        }
        co_return co_await stubborn(trace);
      };
      const auto both = [&] {
        std::vector<Task<int>> runners;
        runners.push_back(runner(false));
        runners.push_back(runner(true));
        return runners;
      };
      const auto first = [&]() -> Task<int> {
        switch (kind) {
          case 0:
            return leat::raceScoped(runner(false), runner(true));
          case 1:
            return leat::anyScoped(runner(false), runner(true));
          case 2:
            return leat::raceScoped(both());
          default:
            return leat::anyScoped(both());
        }
      };
      auto running = std::make_unique<Running<int>>(first());
      REQUIRE(live == 2);
      if (tick > 0) gate.set();
      queues.atTick(tick, [&] { running.reset(); });
      REQUIRE(live == 0);
      queues.drain();
      REQUIRE(queues.unhandled.empty());
    }
  }
}

TEST_CASE("an abort from outside ends raceScoped") {
  QueueFixture queues;
  AbortController controller;
  std::string trace;
  auto body = [&]() -> Task<> {
    co_await leat::withSignal(controller.signal(),
                              leat::raceScoped(stubborn(trace), stubborn(trace)));
  };
  Running<> running(body());
  controller.abort();
  queues.drain();
  REQUIRE(codeOf(running.error()) == "ABORT_ERR");
  REQUIRE(trace == "ABORT_ERR ABORT_ERR ");
}

TEST_CASE("a child that was used up fails, and so does its scope") {
  QueueFixture queues;
  Task<int> task = given(1);
  const Task<int> taken = std::move(task);
  std::string trace;
  const auto body = [&](TaskScope& scope) -> Task<> {
    const auto child = scope.spawn(std::move(task));
    const auto quiet = scope.spawnQuietly(std::move(task));
    REQUIRE(scope.empty());
    const auto outcome = co_await leat::asResult(child);
    trace += codeOf(outcome.error());
  };
  Running<> running(scoped(body));
  queues.drain();
  REQUIRE(trace == "ERR_TASK_CONSUMED");
  REQUIRE(codeOf(running.error()) == "ERR_TASK_CONSUMED");
}

TEST_CASE("a scope whose last child was used up goes on") {
  QueueFixture queues;
  struct ByHand {
    explicit ByHand(std::coroutine_handle<>& h) : handle(h) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept { handle = h; }
    void await_resume() const noexcept {}
    std::coroutine_handle<>& handle;
  };
  std::coroutine_handle<> waiting;
  TaskScope* open = nullptr;
  leat::AbortRegistration ends;
  const auto other = [&]() -> Task<> { co_await ByHand(waiting); };
  const auto body = [&](TaskScope& scope) -> Task<> {
    open = &scope;
    ends = scope.signal().onAbort([&] { waiting.resume(); });
    (void)scope.spawn(other());
    co_return;
  };
  Running<> running(scoped(body));
  queues.drain();
  Task<int> task = given(1);
  const Task<int> taken = std::move(task);
  // It fails, which ends the other child, then leaves.
  (void)open->spawn(std::move(task));
  queues.drain();
  CHECK(codeOf(running.error()) == "ERR_TASK_CONSUMED");
}
