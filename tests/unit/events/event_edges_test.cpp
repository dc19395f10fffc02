// SPDX-License-Identifier: MIT
// Rare calls: null errors, bases of errors, copies of events, functions by name.
#include "runs.hpp"

#include <leat/core/as_result.hpp>
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using namespace leat;
using leat_test::containsText;
using leat_test::runs;

namespace {

using Work = TypedEmitter<Event<"done", std::exception_ptr>, Event<"step", int>>;

int steps = 0;
void countStep(int by) { steps += by; }
void hearEvent(Event<>&) { ++steps; }

std::string whatOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("a null exception_ptr for a listener that takes an exception is a TypeError") {
  Work work;
  work.on<"done">([](const std::exception&) { FAIL("there is none"); });
  CHECK_THROWS_AS(work.emit<"done">(nullptr), TypeError);
  CHECK_THROWS_WITH(work.emit<"done">(std::exception_ptr()),
                    containsText("takes a std::exception"));
  std::string seen;
  runs([&]() -> Task<> {
    process::on<"unhandledRejection">([&](std::exception_ptr error) { seen = whatOf(error); });
    EventEmitter emitter;
    emitter.on("done", [](const Error&) -> Task<> {
      FAIL("there is none");
      co_return;
    });
    emitter.emit("done", std::exception_ptr());
    co_await sleep(1);
  });
  CHECK_THAT(seen, containsText("a null std::exception_ptr"));
}

TEST_CASE("a copy of an event is not being dispatched") {
  EventTarget target;
  EventTarget other;
  std::vector<Event<>> copies;
  target.addEventListener("x", [&](Event<>& event) {
    copies.push_back(event);
    Event<> assigned("y");
    assigned = event;
    CHECK(assigned.eventPhase() == Event<>::NONE);
    event = Event<>("x");
    CHECK(event.eventPhase() == Event<>::AT_TARGET);
  });
  target.dispatchEvent(Event("x"));
  REQUIRE(copies.size() == 1);
  Event<>& copy = copies[0];
  CHECK(copy.eventPhase() == Event<>::NONE);
  CHECK(copy.currentTarget() == nullptr);
  CHECK(copy.target() == &target);
  CHECK(other.dispatchEvent(copy));
  CHECK(copy.target() == &other);
}

TEST_CASE(
    "an emitter tells that its listeners have changed when a removeListener listener throws") {
  static int changes = 0;
  changes = 0;
  Work work;
  const Listener listener = work.on<"step">([] {});
  work.on<"removeListener">([] { throw Error("told"); });
  work.anchor()->changed = [](leat::detail::EmitterBase&) noexcept { ++changes; };
  CHECK_THROWS_WITH(listener.off(), "told");
  CHECK(changes == 1);
}

TEST_CASE("a function is removed and counted by its name") {
  steps = 0;
  Work work;
  work.on<"step">(countStep);
  CHECK(work.listenerCount<"step">(countStep) == 1);
  work.emit<"step">(2);
  work.off<"step">(countStep);
  work.emit<"step">(2);
  CHECK(work.listenerCount<"step">(countStep) == 0);
  EventEmitter emitter;
  emitter.on("step", countStep);
  CHECK(emitter.listenerCount("step", countStep) == 1);
  emitter.off("step", countStep);
  CHECK(emitter.eventNames().empty());
  EventTarget target;
  target.addEventListener("step", hearEvent);
  target.addEventListener("step", hearEvent);
  target.dispatchEvent(Event("step"));
  target.removeEventListener("step", hearEvent);
  target.dispatchEvent(Event("step"));
  CHECK(steps == 3);
}

TEST_CASE("an error may be declared as a reference") {
  struct Failure {
    int code = 1;
  };
  TypedEmitter<Event<"error", Failure&>> emitter;
  emitter.on(errorMonitor, [](Failure& failure) { failure.code *= 10; });
  emitter.on<"error">([](Failure& failure) { ++failure.code; });
  Failure failure;
  CHECK(emitter.emit<"error">(failure));
  CHECK(failure.code == 11);
}

TEST_CASE("removeAllListeners takes what a removeListener listener adds meanwhile") {
  int calls = 0;
  EventEmitter named;
  named.on("removeListener", [&] { named.on("b", [&] { ++calls; }); });
  named.on("a", [] {});
  named.removeAllListeners();
  CHECK(named.eventNames().empty());
  Work typed;
  typed.on<"removeListener">([&] { typed.on<"done">([&] { ++calls; }); });
  typed.on<"step">([] {});
  typed.removeAllListeners();
  CHECK(typed.eventNames().empty());
  CHECK(calls == 0);
}
