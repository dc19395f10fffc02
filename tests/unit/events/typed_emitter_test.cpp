// SPDX-License-Identifier: MIT
#include "runs.hpp"

#include <leat/base/scoped_listener.hpp>
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

struct Tracked {
  explicit Tracked(int& c) : count(&c) { ++*count; }
  Tracked(const Tracked& other) : count(other.count) { ++*count; }
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() { --*count; }
  int* count;
};

using Feed = TypedEmitter<Event<"data", std::string, int>, Event<"number", double>, Event<"end">>;

int plainCalls = 0;
void plainListener(const std::string&, int) { ++plainCalls; }

}  // namespace

TEST_CASE(
    "an emitter needs no loop, and its listeners may take fewer arguments than the event has") {
  Feed feed;
  std::string seen;
  feed.on<"data">([&](const std::string& text, int n) { seen += text + std::to_string(n) + " "; });
  feed.on<"data">([&](std::string_view text) { seen.append(text).append(" "); });
  feed.on<"data">([&] { seen += "none "; });
  feed.on<"data">([&](auto&&... all) { seen += std::to_string(sizeof...(all)); });
  CHECK(feed.emit<"data">("a", 1));
  CHECK(seen == "a1 a none 2");
  CHECK_FALSE(feed.emit<"end">());
}

TEST_CASE("what is emitted is converted to the declared types, and not copied when it has them") {
  TypedEmitter<Event<"copy", Tracked>, Event<"number", double>> emitter;
  int alive = 0;
  int seen = 0;
  emitter.on<"copy">([&](const Tracked& one) { seen = *one.count; });
  const Tracked tracked(alive);
  emitter.emit<"copy">(tracked);
  CHECK(seen == 1);
  double number = 0;
  emitter.on<"number">([&](double n) { number = n; });
  emitter.emit<"number">(3);
  CHECK(number == 3.0);
}

TEST_CASE("an argument that is declared as a reference is the emitter's own object") {
  TypedEmitter<Event<"request", std::string&>> emitter;
  emitter.on<"request">([](std::string& body) { body += "!"; });
  std::string body = "hello";
  emitter.emit<"request">(body);
  emitter.emit<"request">(body);
  CHECK(body == "hello!!");
}

TEST_CASE("a handle removes its listener, again does nothing, and outlives the emitter") {
  Listener outlives;
  {
    Feed feed;
    int calls = 0;
    const Listener handle = feed.on<"end">([&] { ++calls; });
    outlives = feed.on<"end">([] {});
    CHECK(handle.active());
    feed.emit<"end">();
    handle.off();
    handle.off();
    CHECK_FALSE(handle.active());
    feed.emit<"end">();
    CHECK(calls == 1);
    CHECK(handle != outlives);
    CHECK(Listener(handle) == handle);
    CHECK(outlives.active());
  }
  CHECK_FALSE(outlives.active());
  outlives.off();
}

TEST_CASE("a scoped listener is gone at the end of its block") {
  Feed feed;
  {
    const ScopedListener guard(feed.on<"end">([] {}));
    CHECK(feed.listenerCount<"end">() == 1);
  }
  CHECK(feed.listenerCount<"end">() == 0);
}

TEST_CASE("a removed listener lets go of its closure, also of one that owns its own handle") {
  int alive = 0;
  Feed feed;
  const auto handle = std::make_shared<Listener>();
  *handle = feed.on<"end">([handle, tracked = Tracked(alive)] { handle->off(); });
  CHECK(alive == 1);
  feed.emit<"end">();
  CHECK(alive == 0);
  CHECK(handle.use_count() == 1);
}

TEST_CASE("a closure lives until the emit that calls it is over, whatever removes it") {
  int alive = 0;
  auto feed = std::make_unique<Feed>();
  int inside = -1;
  Listener handle = feed->on<"end">([&, tracked = Tracked(alive)] {
    handle.off();
    inside = *tracked.count;
  });
  feed->emit<"end">();
  CHECK(inside == 1);
  CHECK(alive == 0);
  feed->on<"end">([&, tracked = Tracked(alive)] {
    feed.reset();
    inside = 10 + *tracked.count;
  });
  feed->emit<"end">();
  CHECK(inside == 11);
  CHECK(alive == 0);
}

TEST_CASE("an emitter that goes away takes the cycle with it that its closures made") {
  int alive = 0;
  {
    Feed feed;
    const auto handles = std::make_shared<std::vector<Listener>>();
    for (int i = 0; i < 5; ++i)
      handles->push_back(feed.on<"end">([handles, tracked = Tracked(alive)] {}));
    CHECK(alive == 5);
  }
  CHECK(alive == 0);
}

TEST_CASE(
    "listeners are found again by equality: functions, closures without captures, shared ones") {
  Feed feed;
  plainCalls = 0;
  feed.on<"data">(plainListener);
  feed.on<"data">(&plainListener);
  CHECK(feed.listenerCount<"data">(&plainListener) == 2);
  feed.emit<"data">("", 0);
  CHECK(plainCalls == 2);
  feed.off<"data">(&plainListener);
  CHECK(feed.listenerCount<"data">() == 1);

  const auto same = [] {};
  const auto other = [] {};
  feed.once<"end">(same);
  feed.off<"end">(other);
  CHECK(feed.listenerCount<"end">(same) == 1);
  feed.removeListener<"end">(same);
  CHECK(feed.listenerCount<"end">() == 0);

  int calls = 0;
  const SharedListener shared([&calls] { ++calls; });
  const SharedListener unlike([&calls] { ++calls; });
  feed.on<"end">(shared);
  const Listener handle = feed.on<"end">(shared);
  CHECK(feed.listenerCount<"end">(shared) == 2);
  CHECK(feed.listenerCount<"end">(handle) == 1);
  CHECK(feed.listenerCount<"end">(unlike) == 0);
  feed.emit<"end">();
  CHECK(calls == 2);
  feed.off<"end">(handle);
  feed.off<"end">(handle);
  feed.off<"end">(shared);
  CHECK(feed.listenerCount<"end">() == 0);
}

TEST_CASE("off of another event's handle removes nothing") {
  Feed feed;
  const Listener handle = feed.on<"end">([] {});
  feed.off<"data">(handle);
  CHECK(handle.active());
}

TEST_CASE("what listeners() gives can be called after the listener was removed") {
  Feed feed;
  std::string seen;
  const Listener handle =
      feed.once<"data">([&](const std::string& text, int n) { seen += text + std::to_string(n); });
  const auto all = feed.listeners<"data">();
  REQUIRE(all.size() == 1);
  CHECK(all[0].once());
  CHECK(all[0].eventName() == "data");
  CHECK(all[0].handle() == handle);
  all[0]("a", 1);
  CHECK(all[0].active());
  feed.rawListeners<"data">()[0]("b", 2);
  CHECK_FALSE(all[0].active());
  all[0]("c", 3);
  CHECK(seen == "a1b2c3");
}

TEST_CASE("an error event takes any exception, and its listeners the exception as they like it") {
  Feed feed;
  std::string seen;
  feed.on<"error">([&](const std::exception& error) { seen += error.what(); });
  feed.on<"error">([&](std::exception_ptr error) { seen += error ? "+" : "-"; });
  feed.emit<"error">(Error("one"));
  feed.emit<"error">(std::make_exception_ptr(Error("two")));
  CHECK(seen == "one+two+");
}

TEST_CASE("an exception that comes with other arguments is taken as the listener likes, too") {
  TypedEmitter<Event<"failed", std::exception_ptr, std::string, int>> emitter;
  std::string seen;
  const auto add = [&](const std::exception& error, const std::string& what) {
    seen += error.what() + what;
  };
  emitter.on<"failed">([&](const std::exception& error) { seen += error.what(); });
  emitter.on<"failed">(add);
  emitter.once<"failed">([&](const std::exception& error, std::string_view what, int n) -> Task<> {
    seen += error.what() + std::string(what) + std::to_string(n);
    co_return;
  });
  CHECK(leat::run([&] { emitter.emit<"failed">(Error("one"), "two", 3); }) == 0);
  CHECK(seen == "oneonetwoonetwo3");
}

TEST_CASE("an error event may be declared with other arguments") {
  TypedEmitter<Event<"error", int>> emitter;
  REQUIRE_THROWS_WITH(emitter.emit<"error">(42), "Unhandled error. (42)");
  int seen = 0;
  emitter.on(errorMonitor, [&](int code) { seen += code; });
  emitter.on<"error">([&](int code) { seen += 10 * code; });
  emitter.emit<"error">(2);
  CHECK(seen == 22);
}

TEST_CASE(
    "an emitter destroyed by a listener for newListener, or by an error monitor, is left alone") {
  auto feed = std::make_unique<Feed>();
  feed->on<"newListener">([&] { feed.reset(); });
  const Listener never = feed->on<"end">([] {});
  CHECK_FALSE(never.active());

  feed = std::make_unique<Feed>();
  feed->on(errorMonitor, [&] { feed.reset(); });
  CHECK(feed->emit<"error">(Error("x")));

  feed = std::make_unique<Feed>();
  feed->on<"removeListener">([&] { feed.reset(); });
  feed->on<"end">([] {});
  feed->on<"data">([] {});
  feed->removeAllListeners();
  CHECK(feed == nullptr);
}

TEST_CASE("a coroutine listener keeps its closure and its arguments until it has ended") {
  std::string seen;
  int alive = 0;
  const int code = run([&]() -> Task<> {
    TypedEmitter<Event<"line", std::string_view, std::string>> emitter;
    {
      const Listener handle = emitter.on<"line">(
          [&, tracked = Tracked(alive)](std::string_view view, const std::string& text) -> Task<> {
            co_await sleep(1);
            seen.append(view).append(text).append(std::to_string(*tracked.count));
          });
      std::string buffer = "a view of a buffer that is gone by then ";
      emitter.emit<"line">(buffer, "text");
      handle.off();
      buffer.assign(buffer.size(), 'x');
    }
    CHECK(alive == 1);
    co_await sleep(20);
    CHECK(alive == 0);
  });
  CHECK(code == 0);
  CHECK(seen == "a view of a buffer that is gone by then text1");
}

TEST_CASE("a rejection that is captured when the emitter is gone is an uncaught exception") {
  int uncaught = 0;
  runs([&] {
    process::on<"uncaughtException">([&] { ++uncaught; });
    auto feed = std::make_shared<Feed>(EmitterOptions{.captureRejections = true});
    feed->on<"error">([] { FAIL("the emitter is gone"); });
    feed->on<"end">([]() -> Task<> {
      co_await yield();
      throw Error("late");
    });
    feed->emit<"end">();
  });
  CHECK(uncaught == 1);
}

TEST_CASE("emitters that are made while rejections are captured by default capture them") {
  setCaptureRejections(true);
  const Feed captures;
  setCaptureRejections(false);
  const Feed does;
  CHECK(captures.captureRejections());
  CHECK_FALSE(does.captureRejections());
}

TEST_CASE("an emitter as a base, a member and a parameter of generic code") {
  struct Door : Feed {
    void close() { emit<"end">(); }
  } door;
  int calls = 0;
  const auto listen = [&](auto& emitter) { emitter.on("end"_e, [&] { ++calls; }); };
  listen(door);
  door.close();
  CHECK(calls == 1);
  STATIC_REQUIRE(Emitter<Door>);
  STATIC_REQUIRE(EmitterOfTypes<Door>);
  STATIC_REQUIRE(EmitterOfNames<EventEmitter>);
  STATIC_REQUIRE_FALSE(Emitter<int>);
}

TEST_CASE("a thousand listeners come and go in an emit, and each emit sees its own") {
  Feed feed;
  feed.setMaxListeners(0);
  int calls = 0;
  std::vector<Listener> handles;
  for (int i = 0; i < 1000; ++i) {
    handles.push_back(feed.on<"end">([&, i] {
      ++calls;
      if (i % 2 == 0) handles[static_cast<std::size_t>(999 - i)].off();
      if (i % 3 == 0) feed.prependListener<"end">([&] { ++calls; });
    }));
  }
  feed.emit<"end">();
  CHECK(calls == 1000);
  const std::size_t left = feed.listenerCount<"end">();
  CHECK(left == 1000 - 500 + 334);
  calls = 0;
  feed.emit<"end">();
  CHECK(static_cast<std::size_t>(calls) == left);
}

TEST_CASE(
    "an emit calls those that it began with, whoever is removed or added in front meanwhile") {
  Feed feed;
  std::string seen;
  Listener b;
  const Listener a = feed.on<"end">([&] {
    seen += "a";
    feed.prependListener<"end">([&] { seen += "0"; });
    b.off();
  });
  b = feed.on<"end">([&, text = std::string("b")] { seen += text; });
  feed.on<"end">([&, text = std::string("c")] { seen += text; });
  feed.emit<"end">();
  CHECK(seen == "abc");
  a.off();
  feed.emit<"end">();
  CHECK(seen == "abc0c");
}
