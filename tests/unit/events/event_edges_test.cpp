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

/// Calls `f` with an exception that is known by its base only.
template <class F>
void catching(const char* text, F&& f) {
  try {
    throw std::runtime_error(text);
  } catch (const std::exception& error) {
    f(error);
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

TEST_CASE("an error that was caught by its base reaches listeners as what it was thrown as") {
  std::string seen;
  EventEmitter named;
  named.on("error", [&](std::exception_ptr error) { seen += whatOf(error) + ","; });
  named.on("error", [&](const std::runtime_error& error) { seen += error.what(); });
  catching("one", [&](const std::exception& error) { named.emit("error", error); });
  CHECK(seen == "one,one");
  seen.clear();
  Work typed;
  typed.on<"error">([&](const std::exception& error) { seen += error.what(); });
  catching("two", [&](const std::exception& error) { typed.emit<"error">(error); });
  CHECK(seen == "two");
  typed.removeAllListeners<"error">();
  named.removeAllListeners("error");
  const auto unheard = [&](const std::exception& error) {
    CHECK_THROWS_AS(typed.emit<"error">(error), std::runtime_error);
    CHECK_THROWS_AS(named.emit("error", error), std::runtime_error);
  };
  catching("three", unheard);
}

TEST_CASE("an error that is not the one being caught is taken as what it is known as") {
  const std::runtime_error kept("kept");
  const std::exception& base = kept;
  std::string seen;
  EventEmitter emitter;
  emitter.on("error", [&](std::exception_ptr error) { seen += whatOf(error); });
  catching("caught", [&](const std::exception&) { emitter.emit("error", base); });
  emitter.emit("error", base);
  CHECK_THAT(seen, !containsText("caught"));
  CHECK_THAT(seen, containsText("std::exception"));
}

TEST_CASE("once rejects with an error that was caught by its base as what it was thrown as") {
  runs([]() -> Task<> {
    TypedEmitter<Event<"step">, Event<"error", std::exception>> emitter;
    auto waits = once<"step">(emitter);
    catching("whole", [&](const std::exception& error) { emitter.emit<"error">(error); });
    const auto outcome = co_await asResult(waits);
    CHECK_THROWS_WITH(outcome.value(), "whole");
  });
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
