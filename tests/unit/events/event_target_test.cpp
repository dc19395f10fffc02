// SPDX-License-Identifier: MIT
#include "runs.hpp"

#include <leat/core/as_result.hpp>
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <memory>
#include <string>
#include <vector>

using namespace leat;
using leat_test::containsText;
using leat_test::runs;

namespace {

struct Alive {
  explicit Alive(int& c) : count(&c) { ++*count; }
  Alive(const Alive& other) : count(other.count) { ++*count; }
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --*count; }
  int* count;
};

std::string textOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("a target needs no loop, and a custom event reaches those that take it") {
  EventTarget target;
  std::string seen;
  target.addEventListener(
      "x", [&](const CustomEvent<int>& event) { seen += std::to_string(event.detail()); });
  target.addEventListener("x", [&](Event<>& event) { seen += event.type(); });
  target.addEventListener("x", [&](auto& event) { seen += event.type(); });
  target.addEventListener("x", [&] { seen += "."; });
  CHECK(target.dispatchEvent(CustomEvent<int>("x", 7)));
  CHECK(seen == "7xx.");
}

TEST_CASE("a listener for another event class is an uncaught TypeError, and the rest are called") {
  std::string seen;
  runs([&] {
    process::on<"uncaughtException">([&](std::exception_ptr error) { seen += textOf(error); });
    EventTarget target;
    target.addEventListener("x", [](CustomEvent<int>&) { FAIL("it is none"); });
    target.addEventListener("x", [&] { seen += "called "; });
    target.dispatchEvent(Event("x"));
  });
  CHECK_THAT(seen, containsText("called a listener for 'x' takes a"));
}

TEST_CASE("the handle of a target's listener removes it, also when the target is gone") {
  Listener left;
  {
    EventTarget target;
    int calls = 0;
    const Listener handle = target.addEventListener("x", [&] { ++calls; });
    left = target.addEventListener("x", [] {});
    CHECK(target.listeners("x").size() == 2);
    handle.off();
    handle.off();
    CHECK_FALSE(handle.active());
    target.dispatchEvent(Event("x"));
    CHECK(calls == 0);
    target.removeEventListener("x", handle);
    target.removeEventListener("x", left);
    CHECK(target.listeners("x").empty());
    left = target.addEventListener("x", [] {});
  }
  CHECK_FALSE(left.active());
  left.off();
}

TEST_CASE("a listener that is added twice is there once, and its handle is the same") {
  EventTarget target;
  const auto same = [] {};
  const Listener first = target.addEventListener("x", same);
  CHECK(target.addEventListener("x", same) == first);
  CHECK(target.addEventListener("x", same, {.capture = true}) != first);
  CHECK(target.listeners("x").size() == 2);
}

TEST_CASE("a target lets go of the closures that were removed, used up, or left at its end") {
  int alive = 0;
  {
    EventTarget target;
    const auto handle = std::make_shared<Listener>();
    *handle = target.addEventListener("x", [handle, kept = Alive(alive)] {});
    handle->off();
    CHECK(alive == 0);
    CHECK(handle.use_count() == 1);
    *handle = target.addEventListener("x", [handle, kept = Alive(alive)] {}, {.once = true});
    target.dispatchEvent(Event("x"));
    CHECK(alive == 0);
    *handle = target.addEventListener("x", [handle, kept = Alive(alive)] {});
    for (int i = 0; i < 3; ++i) target.addEventListener("y", [handle, kept = Alive(alive)] {});
    CHECK(alive == 4);
  }
  CHECK(alive == 0);
}

TEST_CASE("the path of an event is its target, while there is one that dispatches it") {
  auto target = std::make_unique<EventTarget>();
  Event event("x");
  CHECK(event.composedPath().empty());
  std::vector<EventTarget*> path;
  target->addEventListener("x", [&](Event<>& e) {
    path = e.composedPath();
    const bool is = path == std::vector{target.get()};
    target.reset();
    CHECK(is);
    CHECK(e.composedPath().empty());
  });
  target->dispatchEvent(event);
  CHECK(path.size() == 1);
  CHECK(event.composedPath().empty());
  EventTarget other;
  other.dispatchEvent(event);
  CHECK(event.target() == &other);
  CHECK(event.composedPath().empty());
  CHECK_FALSE(event.isTrusted());
}

TEST_CASE("a target that is destroyed by a listener calls the rest and lets go of all") {
  int alive = 0;
  int calls = 0;
  auto target = std::make_unique<EventTarget>();
  Event event("x");
  target->addEventListener("x", [&, kept = Alive(alive)] { target.reset(); });
  target->addEventListener("x", [&, kept = Alive(alive)](Event<>& e) {
    ++calls;
    CHECK(e.target() == nullptr);
  });
  target->dispatchEvent(event);
  CHECK(calls == 1);
  CHECK(alive == 0);
  CHECK(event.target() == nullptr);
}

TEST_CASE("a signal that outlives the target, and a target that outlives the signal") {
  AbortController controller;
  {
    EventTarget target;
    target.addEventListener("x", [] {}, {.signal = controller});
  }
  controller.abort();
  EventTarget target;
  {
    AbortController gone;
    target.addEventListener("x", [] {}, {.signal = gone});
  }
  CHECK(target.listeners("x").size() == 1);
  CHECK_FALSE(
      target.addEventListener("x", [] {}, {.capture = true, .signal = controller}).active());
}

TEST_CASE("a coroutine gets a copy of the event") {
  std::string seen;
  runs([&]() -> Task<> {
    EventTarget target;
    target.addEventListener("x", [&](const CustomEvent<std::string>& event) -> Task<> {
      co_await sleep(1);
      seen = event.detail();
    });
    target.dispatchEvent(CustomEvent<std::string>("x", "a detail that the event owned alone"));
    co_await sleep(20);
  });
  CHECK(seen == "a detail that the event owned alone");
}

TEST_CASE("an event's time is that of the monotonic clock") {
  const Event first("x");
  const Event second("x");
  CHECK(first.timeStamp() > 0);
  CHECK(second.timeStamp() >= first.timeStamp());
}

TEST_CASE("the listener of a signal goes with its registration") {
  AbortController controller;
  int calls = 0;
  {
    const auto gone = addEventListener(controller.signal(), "abort"_e, [&] { ++calls; });
    const auto too = addAbortListener(controller.signal(), [&] { ++calls; });
  }
  std::string type;
  const auto kept = addEventListener(controller.signal(), "abort"_e,
                                     [&](const Event<>& event) { type = event.type(); });
  controller.abort();
  CHECK(calls == 0);
  CHECK(type == "abort");
}

TEST_CASE("waiting for a signal ends by another one, and does not hold the loop") {
  const int code = run([]() -> Task<> {
    AbortController waited;
    AbortController limit;
    auto aborts = once(waited.signal(), "abort"_e, {.signal = limit});
    limit.abort();
    const auto outcome = co_await asResult(aborts);
    CHECK_THROWS_AS(outcome.value(), AbortError);
    (void)once(waited.signal(), "abort"_e);
  });
  CHECK(code == 0);
}

TEST_CASE("a signal counts its listeners, not those of onAbort and of operations that wait") {
  int warnings = 0;
  runs([&]() -> Task<> {
    process::on<"warning">([&] { ++warnings; });
    AbortController controller;
    std::vector<AbortRegistration> kept;
    for (int i = 0; i < 30; ++i) kept.push_back(controller.signal().onAbort([] {}));
    std::vector<Promise<>> sleeps;
    for (int i = 0; i < 30; ++i) sleeps.push_back(sleep(1, {.signal = controller}));
    for (Promise<>& each : sleeps) co_await each;
    CHECK(getEventListeners(controller.signal(), "abort"_e).empty());
    // What comes and goes does not add up.
    for (int i = 0; i < 30; ++i) (void)addAbortListener(controller.signal(), [] {});
    for (int i = 0; i < 10; ++i) kept.push_back(addAbortListener(controller.signal(), [] {}));
    co_await sleep(1);
    CHECK(warnings == 0);
    kept.push_back(addAbortListener(controller.signal(), [] {}));
    kept.push_back(addAbortListener(controller.signal(), [] {}));
    co_await sleep(1);
    CHECK(warnings == 1);
  });
  CHECK(warnings == 1);
}

TEST_CASE("the handle of a signal's listener removes it, also when it has gone") {
  AbortController controller;
  const AbortSignal& signal = controller.signal();
  int calls = 0;
  auto first = addAbortListener(signal, [&] { ++calls; });
  const auto second = addEventListener(signal, "abort"_e, [&] { calls += 10; });
  const auto all = getEventListeners(signal, "abort"_e);
  CHECK(all.size() == 2);
  CHECK(all[0] == getEventListeners(signal, "abort"_e)[0]);
  CHECK(all[0] != all[1]);
  CHECK(all[0].active());
  all[1].off();
  CHECK_FALSE(all[1].active());
  CHECK(getEventListeners(signal, "abort"_e).size() == 1);
  first.off();
  CHECK_FALSE(all[0].active());
  all[0].off();
  CHECK(getEventListeners(signal, "abort"_e).empty());
  const auto third = addAbortListener(signal, [&] { calls += 100; });
  const auto told = getEventListeners(signal, "abort"_e);
  controller.abort();
  CHECK(calls == 100);
  CHECK_FALSE(told[0].active());
  told[0].off();
  CHECK(getEventListeners(signal, "abort"_e).empty());
}

TEST_CASE("the limit of a signal is no negative number") {
  AbortController controller;
  CHECK_THROWS_AS(setMaxListeners(-1, controller.signal()), RangeError);
  CHECK(getMaxListeners(controller.signal()) == defaultMaxListeners());
  AbortSignal named = controller.signal();
  setMaxListeners(3, named);
  CHECK(getMaxListeners(controller.signal()) == 3);
}
