// SPDX-License-Identifier: MIT
// Emitters, handles and callables that go while they are in use.
#include "runs.hpp"

#include <leat/base/scoped_listener.hpp>
#include <leat/core/as_result.hpp>
#include <leat/events.hpp>
#include <leat/events/emitter_handle.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace leat;
using leat_test::containsText;
using leat_test::runs;

namespace {

struct Sluice : TypedEmitter<Event<"water", int>, Event<"end">> {
  void pause() { log += "pause "; }
  void resume() { log += "resume "; }
  std::string log;
};

class SluiceHandle : public EmitterHandle<SluiceHandle> {
 public:
  using EmitterType = Sluice;
  void pause() const { sluice_->pause(); }
  void resume() const { sluice_->resume(); }
  Sluice& emitter() const { return *sluice_; }

 private:
  std::shared_ptr<Sluice> sluice_ = std::make_shared<Sluice>();
};

struct PausableTarget : EventTarget {
  void pause() { log += "pause "; }
  void resume() { log += "resume "; }
  std::string log;
};

// Too long to be kept inside of a string.
const std::string longName = "the name of an event that lives on the heap alone";

}  // namespace

TEST_CASE("a removeListener listener that takes the last listener leaves the name to the others") {
  EventEmitter emitter;
  const Listener one = emitter.on(longName, [] {});
  const Listener two = emitter.on(longName, [] {});
  std::vector<std::string> told;
  emitter.on("removeListener", [&] { two.off(); });
  emitter.on("removeListener", [&](std::string_view name) { told.emplace_back(name); });
  one.off();
  CHECK(told == std::vector<std::string>{longName, longName});
}

TEST_CASE("what a closed sequence has kept can be taken when its paused emitter is gone") {
  runs([]() -> Task<> {
    auto closed = std::make_unique<Sluice>();
    auto ended = on<"water">(*closed, {.highWaterMark = 1, .close = {"end"}});
    auto failed = on<"water">(*closed, {.highWaterMark = 1});
    for (int i = 0; i < 3; ++i) closed->emit<"water">(i);
    CHECK(closed->log == "pause pause ");
    closed->emit<"end">();
    closed->emit<"error">(Error("no more"));
    closed.reset();
    for (int i = 0; i < 3; ++i) {
      const auto event = co_await ended.next();
      CHECK(std::get<0>(*event) == i);
    }
    const auto end = co_await ended.next();
    CHECK_FALSE(end);
    for (int i = 0; i < 3; ++i) (void)co_await failed.next();
    const auto outcome = co_await asResult(failed.next());
    CHECK_THROWS_WITH(outcome.value(), "no more");
  });
}

TEST_CASE("a closed sequence resumes its emitter when what it has kept is taken") {
  runs([]() -> Task<> {
    Sluice sluice;
    auto events = on<"water">(sluice, {.highWaterMark = 1, .close = {"end"}});
    for (int i = 0; i < 2; ++i) sluice.emit<"water">(i);
    sluice.emit<"end">();
    for (int i = 0; i < 2; ++i) (void)co_await events.next();
    CHECK(sluice.log == "pause resume ");
  });
}

TEST_CASE("a closed sequence of a target that can be paused does not resume it when it is gone") {
  runs([]() -> Task<> {
    auto target = std::make_unique<PausableTarget>();
    auto events = on(*target, "x", {.highWaterMark = 1, .close = {"end"}});
    for (int i = 0; i < 2; ++i) target->dispatchEvent(Event("x"));
    CHECK(target->log == "pause ");
    target->dispatchEvent(Event("end"));
    target.reset();
    for (int i = 0; i < 2; ++i) {
      const auto event = co_await events.next();
      CHECK(event);
    }
  });
}

TEST_CASE("a sequence pauses by a handle that was a copy and is gone") {
  runs([]() -> Task<> {
    const SluiceHandle sluice;
    auto copy = std::make_unique<SluiceHandle>(sluice);
    auto events = on<"water">(*copy, {.highWaterMark = 1, .close = {"end"}});
    copy.reset();
    for (int i = 0; i < 2; ++i) sluice.emitter().emit<"water">(i);
    CHECK(sluice.emitter().log == "pause ");
    for (int i = 0; i < 2; ++i) (void)co_await events.next();
    CHECK(sluice.emitter().log == "pause resume ");
  });
}

TEST_CASE("a sequence lets go of the handle that it pauses by") {
  runs([] {
    std::weak_ptr<int> alive;
    {
      const SluiceHandle sluice;
      const auto token = std::make_shared<int>();
      alive = token;
      sluice.on<"end">([token] {});
      const auto ended = on<"water">(sluice, {.highWaterMark = 1, .close = {"end"}});
      const auto dropped = on<"water">(sluice, {.highWaterMark = 1});
      sluice.emitter().emit<"end">();
    }
    CHECK(alive.expired());
  });
}

TEST_CASE("a handler of rejections may put another in its place") {
  std::string seen;
  runs([&]() -> Task<> {
    EventEmitter emitter({.captureRejections = true});
    emitter.onRejection([&, kept = longName](const std::exception_ptr&, std::string_view) {
      emitter.onRejection([&](const std::exception_ptr&, std::string_view) { seen += " second"; });
      seen += kept;
    });
    emitter.on("x", []() -> Task<> {
      co_await sleep(1);
      throw Error("x");
    });
    emitter.emit("x");
    co_await sleep(10);
    emitter.emit("x");
    co_await sleep(10);
  });
  CHECK(seen == longName + " second");
}

TEST_CASE("a raw listener for once that is the last of its event names it when it does not fit") {
  EventEmitter emitter;
  emitter.once(longName, [](int) {});
  const auto raw = emitter.rawListeners(longName);
  CHECK_THROWS_WITH(raw[0]("text"), containsText("'" + longName + "'"));
  CHECK(emitter.eventNames().empty());
}

TEST_CASE("the name that a listener gives outlives its event") {
  EventEmitter emitter;
  emitter.once(longName, [](int) {});
  const auto once = emitter.listeners(longName);
  CHECK_THROWS_WITH(emitter.emit(once[0].eventName(), "text"), containsText(longName));
  CHECK(once[0].eventName().empty());
  const Listener first = emitter.on(longName, [] {});
  const auto all = emitter.listeners(longName);
  emitter.on("newListener", [&] { first.off(); });
  emitter.on(all[0].eventName(), [] {});
  CHECK(emitter.eventNames() == std::vector<std::string>{"newListener", longName});
}

TEST_CASE("what is converted for an argument that is a reference lives as long as the emit") {
  TypedEmitter<Event<"text", const std::string&>, Event<"number", const double&>,
               Event<"mine", std::string&&>>
      emitter;
  std::string seen;
  emitter.on<"text">([&](const std::string& text) { seen += text; });
  emitter.emit<"text">("a literal that does not fit into a small string");
  CHECK(seen == "a literal that does not fit into a small string");
  double number = 0;
  emitter.on<"number">([&](const double& n) { number = n; });
  emitter.emit<"number">(3);
  CHECK(number == 3.0);
  emitter.on<"mine">([&](std::string&& text) { seen = std::move(text); });
  emitter.emit<"mine">("another literal that does not fit into a small string");
  CHECK(seen == "another literal that does not fit into a small string");
}

TEST_CASE("what refers to an object is passed as that object, not copied") {
  struct Thing {
    Thing() = default;
    Thing(const Thing&) = delete;
  };
  struct Derived : Thing {};
  struct Refers {
    operator const Thing&() const { return *thing; }
    const Thing* thing;
  };
  TypedEmitter<Event<"const", const Thing&>, Event<"plain", Thing&>> emitter;
  const Thing* seen = nullptr;
  emitter.on<"const">([&](const Thing& thing) { seen = &thing; });
  emitter.on<"plain">([&](Thing& thing) { seen = &thing; });
  Derived derived;
  emitter.emit<"const">(derived);
  CHECK(seen == &derived);
  Thing thing;
  emitter.emit<"const">(Refers{&thing});
  CHECK(seen == &thing);
  emitter.emit<"plain">(derived);
  CHECK(seen == &derived);
}

TEST_CASE("waiting for an emitter that a newListener listener destroys ends at once") {
  runs([]() -> Task<> {
    auto typed = std::make_unique<Sluice>();
    typed->on<"newListener">([&] { typed.reset(); });
    const auto first = co_await asResult(once<"water">(*typed));
    CHECK_FALSE(first);
    auto named = std::make_unique<EventEmitter>();
    named->on("newListener", [&] { named.reset(); });
    const auto second = co_await asResult(once(*named, "x"));
    CHECK_FALSE(second);
  });
}

TEST_CASE("a sequence of an emitter that a newListener listener destroys fails") {
  runs([]() -> Task<> {
    auto typed = std::make_unique<Sluice>();
    typed->on<"newListener">([&] { typed.reset(); });
    auto events = on<"water">(*typed, {.close = {"end"}});
    const auto first = co_await asResult(events.next());
    CHECK_THROWS_WITH(first.value(), containsText("the emitter was destroyed"));
    auto named = std::make_unique<EventEmitter>();
    named->on("newListener", [&] { named.reset(); });
    auto others = on(*named, "x", {.close = {"end"}});
    const auto second = co_await asResult(others.next());
    CHECK_THROWS_WITH(second.value(), containsText("the emitter was destroyed"));
  });
}

TEST_CASE("an emitter that is being destroyed tells nobody that its listeners go") {
  int told = 0;
  {
    EventEmitter emitter;
    const auto guard = std::make_shared<std::optional<ScopedListener<Listener>>>();
    emitter.on("x", [guard] {});
    guard->emplace(emitter.on("y", [] {}));
    emitter.on("removeListener", [&] { ++told; });
  }
  CHECK(told == 0);
}

TEST_CASE("listeners of a target that are removed one after the other do not keep each other") {
  EventTarget target;
  const Listener first = target.addEventListener("x", [] {});
  Listener now = first;
  for (int i = 0; i < 200000; ++i) {
    const Listener next = target.addEventListener("x", [i] { (void)i; });
    now.off();
    now = next;
  }
  CHECK_FALSE(first.active());
  CHECK(first.registration()->count == 1);
  CHECK(now.registration()->count == 2);
}

TEST_CASE("listeners of a target that leave during its dispatches do not keep each other") {
  EventTarget target;
  std::vector<Listener> all;
  int calls = 0;
  const auto add = [&](const auto& self) -> void {
    all.push_back(target.addEventListener("x", [&, at = all.size()] {
      ++calls;
      self(self);
      all[at].off();
      target.dispatchEvent(Event("y"));
    }));
  };
  add(add);
  for (int i = 0; i < 5; ++i) target.dispatchEvent(Event("x"));
  CHECK(calls == 5);
  REQUIRE(all.size() == 6);
  for (std::size_t i = 0; i < 5; ++i) CHECK(all[i].registration()->count == 1);
  CHECK(target.listeners("x").size() == 1);
}
