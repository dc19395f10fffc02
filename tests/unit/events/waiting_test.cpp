// SPDX-License-Identifier: MIT
#include "runs.hpp"

#include <leat/core/with_context.hpp>
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <memory>
#include <string>
#include <vector>

using namespace leat;
using leat_test::containsText;
using leat_test::runs;

namespace {

using PausableFeed = TypedEmitter<Event<"data", std::string_view, int>, Event<"end">>;

struct Paused : PausableFeed {
  void pause() { log += "pause "; }
  void resume() { log += "resume "; }
  std::string log;
};

}  // namespace

TEST_CASE("once keeps what the emit only lent") {
  runs([]() -> Task<> {
    PausableFeed feed;
    auto next = once<"data">(feed);
    {
      const std::string buffer = "a buffer that is gone when the wait is over";
      feed.emit<"data">(buffer, 3);
    }
    const auto [text, number] = co_await next;
    STATIC_REQUIRE(std::is_same_v<std::remove_cv_t<decltype(text)>, std::string>);
    CHECK(text == "a buffer that is gone when the wait is over");
    CHECK(number == 3);
  });
}

TEST_CASE("once by a run-time name gives all arguments, or those that are asked for") {
  runs([]() -> Task<> {
    EventEmitter emitter;
    auto all = once(emitter, "x");
    auto some = once<std::string>(emitter, "x");
    auto wrong = once<int>(emitter, "x");
    CHECK(emitter.listenerCount("x") == 3);
    emitter.emit("x", "text", 2);
    CHECK(emitter.listenerCount("x") == 0);
    CHECK(emitter.listenerCount("error") == 0);
    const EventArgs args = co_await all;
    CHECK(args.size() == 2);
    const auto [text] = co_await some;
    CHECK(text == "text");
    const auto outcome = co_await asResult(wrong);
    CHECK_THROWS_AS(outcome.value(), TypeError);
  });
}

TEST_CASE("once obeys the ambient signal and lets go of the emitter") {
  runs([]() -> Task<> {
    PausableFeed feed;
    const auto wait = [&feed]() -> Task<> { (void)co_await once<"data">(feed); };
    const auto outcome = co_await asResult(withTimeout(5, wait));
    CHECK_THROWS_AS(outcome.value(), TimeoutError);
    CHECK(feed.listenerCount<"data">() == 0);
    CHECK(feed.listenerCount<"error">() == 0);
  });
}

TEST_CASE("an emitter that is destroyed ends who waits for it") {
  runs([]() -> Task<> {
    auto feed = std::make_unique<PausableFeed>();
    auto waits = once<"data">(*feed);
    auto events = on<"data">(*feed);
    feed->emit<"data">("kept", 1);
    auto also = once<"end">(*feed);
    feed.reset();
    const auto first = co_await asResult(waits);
    CHECK(first);
    const auto second = co_await asResult(also);
    REQUIRE_FALSE(second);
    CHECK_THROWS_WITH(second.value(), containsText("dropped"));
    const auto kept = co_await events.next();
    CHECK(std::get<0>(*kept) == "kept");
    const auto gone = co_await asResult(events.next());
    CHECK_THROWS_WITH(gone.value(), containsText("the emitter was destroyed"));
    const auto end = co_await events.next();
    CHECK_FALSE(end);
  });
}

TEST_CASE("an error without an exception rejects once with ERR_UNHANDLED_ERROR") {
  runs([]() -> Task<> {
    EventEmitter emitter;
    auto waits = once(emitter, "x");
    emitter.emit("error", "text");
    const auto outcome = co_await asResult(waits);
    CHECK_THROWS_WITH(outcome.value(), "Unhandled error. ('text')");
  });
}

TEST_CASE("a wait that is not awaited holds neither the loop nor the emitter") {
  int ended = 0;
  const int code = run([&] {
    const auto feed = std::make_shared<PausableFeed>();
    (void)once<"data">(*feed).catch_([&ended] {
      ++ended;
      return std::tuple<std::string, int>();
    });
  });
  CHECK(code == 0);
  CHECK(ended == 1);
}

TEST_CASE("a sequence stops listening when it is destroyed, returned or assigned to") {
  runs([] {
    PausableFeed feed;
    {
      const auto events = on<"data">(feed, {.close = {"end"}});
      CHECK(feed.listenerCount<"data">() == 1);
      CHECK(feed.listenerCount<"error">() == 1);
      CHECK(feed.listenerCount<"end">() == 1);
    }
    CHECK(feed.eventNames().empty());
    auto events = on<"data">(feed);
    events = on<"data">(feed);
    CHECK(feed.listenerCount<"data">() == 1);
    const auto moved = std::move(events);
    CHECK(feed.listenerCount<"data">() == 1);
    moved.return_();
    CHECK(feed.eventNames().empty());
  });
}

TEST_CASE("a sequence keeps many events in order while nobody takes them") {
  runs([]() -> Task<> {
    PausableFeed feed;
    auto events = on<"data">(feed);
    int emitted = 0;
    int taken = 0;
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < 20; ++i) feed.emit<"data">("n", emitted++);
      for (int i = 0; i < 13; ++i) {
        const auto event = co_await events.next();
        CHECK(std::get<1>(*event) == taken++);
      }
    }
    CHECK(events.size() == 350);
    feed.emit<"error">(Error("end"));
    while (taken < emitted) {
      const auto event = co_await events.next();
      CHECK(std::get<1>(*event) == taken++);
    }
    const auto outcome = co_await asResult(events.next());
    CHECK_THROWS_WITH(outcome.value(), "end");
  });
}

TEST_CASE("a target that is destroyed ends its sequence, after what it has kept") {
  runs([]() -> Task<> {
    auto target = std::make_unique<EventTarget>();
    auto events = on(*target, "x");
    target->dispatchEvent(CustomEvent<int>("x", 3));
    target = nullptr;
    const auto kept = co_await events.next();
    CHECK(std::get<0>(*kept).type() == "x");
    CHECK(std::get<0>(*kept).target() == nullptr);
    const auto end = co_await asResult(events.next());
    CHECK_THROWS_WITH(end.value(), containsText("destroyed while on() listened"));
  });
}

TEST_CASE("a sequence of a target stops listening when it goes, and takes no marks") {
  EventTarget target;
  {
    const auto events = on(target, "x");
    CHECK(target.listeners("x").size() == 1);
  }
  CHECK(target.listeners("x").empty());
  CHECK_THROWS_AS(on(target, "x", {.highWaterMark = 1}), TypeError);
  CHECK(target.listeners("x").empty());
}

TEST_CASE("the marks of a sequence pause an emitter that can be paused") {
  runs([]() -> Task<> {
    Paused feed;
    auto events = on<"data">(feed, {.highWaterMark = 2, .lowWaterMark = 2});
    for (int i = 0; i < 4; ++i) feed.emit<"data">("", i);
    CHECK(feed.log == "pause ");
    CHECK(events.paused());
    for (int i = 0; i < 2; ++i) (void)co_await events.next();
    CHECK(feed.log == "pause ");
    (void)co_await events.next();
    CHECK(feed.log == "pause resume ");
    CHECK_FALSE(events.paused());
  });
}

TEST_CASE("a sequence whose paused emitter is gone gives what it has") {
  runs([]() -> Task<> {
    auto feed = std::make_unique<Paused>();
    auto events = on<"data">(*feed, {.highWaterMark = 1});
    for (int i = 0; i < 3; ++i) feed->emit<"data">("", i);
    feed.reset();
    for (int i = 0; i < 3; ++i) {
      const auto event = co_await events.next();
      CHECK(std::get<1>(*event) == i);
    }
  });
}

TEST_CASE("options that make no sense are refused before anybody listens") {
  runs([] {
    PausableFeed feed;
    CHECK_THROWS_AS(on<"data">(feed, {.highWaterMark = 2}), TypeError);
    CHECK_THROWS_AS(on<"data">(feed, {.highWaterMark = 0}), RangeError);
    CHECK_THROWS_AS(on<"data">(feed, {.lowWaterMark = 0}), RangeError);
    CHECK_THROWS_WITH(on<"data">(feed, {.close = {"ended"}}), containsText("no event 'ended'"));
    CHECK(feed.eventNames().empty());
  });
}

TEST_CASE("a sequence is ended from outside with an error") {
  runs([]() -> Task<> {
    EventEmitter emitter;
    auto events = on(emitter, "x");
    auto pending = events.next();
    events.throw_(Error("enough"));
    const auto outcome = co_await asResult(pending);
    CHECK_THROWS_WITH(outcome.value(), "enough");
    CHECK(emitter.eventNames().empty());
    const auto end = co_await events.next();
    CHECK_FALSE(end);
  });
}

TEST_CASE("an exception of a listener for removeListener does not stop a wait from ending") {
  int uncaught = 0;
  std::string got;
  runs([&]() -> Task<> {
    process::on<"uncaughtException">([&] { ++uncaught; });
    EventEmitter emitter;
    emitter.on("removeListener", [](const std::string& name) {
      if (name == "error") throw Error("told");
    });
    auto waits = once<std::string>(emitter, "x");
    emitter.emit("x", "text");
    const auto [text] = co_await waits;
    got = text;
    co_await sleep(1);
  });
  CHECK(got == "text");
  CHECK(uncaught == 1);
}
