// SPDX-License-Identifier: MIT
#include "runs.hpp"

#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace leat;
using leat_test::containsText;
using leat_test::runs;

namespace {

enum class Colour { Red, Green };
struct Point {
  int x = 0;
  int y = 0;
};
struct Whole {
  std::string text;
};
class NotFound : public Error {
 public:
  explicit NotFound(std::string_view what) : Error(what, "ENOENT") {}
};
struct Immovable {
  Immovable() = default;
  Immovable(const Immovable&) = delete;
  int value = 5;
};

}  // namespace

TEST_CASE("text of any kind reaches listeners that take text") {
  EventEmitter emitter;
  std::vector<std::string> seen;
  emitter.on("text", [&](std::string text) { seen.push_back(std::move(text)); });
  emitter.on("text", [&](const std::string& text) { seen.push_back(text); });
  emitter.on("text", [&](std::string_view text) { seen.emplace_back(text); });
  const std::string string = "string";
  const char* pointer = "pointer";
  emitter.emit("text", "literal");
  emitter.emit("text", string);
  emitter.emit("text", std::string_view("view"));
  emitter.emit("text", pointer);
  CHECK(seen == std::vector<std::string>{"literal", "literal", "literal", "string", "string",
                                         "string", "view", "view", "view", "pointer", "pointer",
                                         "pointer"});
}

TEST_CASE("numbers reach listeners that take numbers, when they fit") {
  EventEmitter emitter;
  std::vector<double> seen;
  emitter.on("n", [&](double n) { seen.push_back(n); });
  emitter.emit("n", 1);
  emitter.emit("n", 2.5F);
  emitter.emit("n", 3UL);
  emitter.emit("n", short{4});
  CHECK(seen == std::vector<double>{1, 2.5, 3, 4});

  int calls = 0;
  emitter.on("small", [&](unsigned char n) {
    CHECK(n == 200);
    ++calls;
  });
  emitter.emit("small", 200);
  emitter.emit("small", 200ULL);
  CHECK_THROWS_AS(emitter.emit("small", 256), TypeError);
  CHECK_THROWS_AS(emitter.emit("small", -1), TypeError);
  CHECK_THROWS_AS(emitter.emit("small", 200.0), TypeError);
  CHECK_THROWS_AS(emitter.emit("small", true), TypeError);
  CHECK_THROWS_AS(emitter.emit("small", "200"), TypeError);
  CHECK(calls == 2);

  unsigned long long big = 0;
  emitter.on("big", [&](unsigned long long n) { big = n; });
  emitter.emit("big", ~0ULL);
  CHECK(big == ~0ULL);
  emitter.on("signed", [](long long) {});
  CHECK_THROWS_AS(emitter.emit("signed", ~0ULL), TypeError);
  bool flag = false;
  emitter.on("flag", [&](bool f) { flag = f; });
  emitter.emit("flag", true);
  CHECK(flag);
  CHECK_THROWS_AS(emitter.emit("flag", 1), TypeError);
}

TEST_CASE("other types are taken as exactly what they are, without copies") {
  EventEmitter emitter;
  int seen = 0;
  emitter.on("point", [&](const Point& point) { seen += point.x; });
  emitter.on("point", [&](Point point) { seen += point.y; });
  emitter.emit("point", Point{1, 20});
  CHECK(seen == 21);
  CHECK_THROWS_AS(emitter.emit("point", Whole{}), TypeError);
  const Immovable immovable;
  const Immovable* address = nullptr;
  emitter.on("immovable", [&](const Immovable& one) { address = &one; });
  emitter.emit("immovable", immovable);
  CHECK(address == &immovable);
  Colour colour = Colour::Red;
  emitter.on("colour", [&](Colour c) { colour = c; });
  emitter.emit("colour", Colour::Green);
  CHECK(colour == Colour::Green);
  int shared = 1;
  emitter.on("pointer", [](int* p) { ++*p; });
  emitter.emit("pointer", &shared);
  CHECK(shared == 2);
}

TEST_CASE("a mismatch is a TypeError that names the event and the types") {
  EventEmitter emitter;
  emitter.on("order", [](int, const std::string&) {});
  try {
    emitter.emit("order", "seven");
    FAIL("it was called");
  } catch (const TypeError& error) {
    CHECK(error.code() == "ERR_INVALID_ARG_TYPE");
    CHECK(error.message() ==
          "Event 'order' was emitted with (std::string), but a listener takes (int, std::string)");
  }
  emitter.on("point", [](const Point&) {});
  CHECK_THROWS_WITH(emitter.emit("point", 1.5, true), containsText("(double, bool)"));
  CHECK_THROWS_WITH(emitter.emit("point", 1.5, true), containsText("Point)"));
}

TEST_CASE("exceptions are taken as what they are, as a base, or as an exception_ptr") {
  EventEmitter emitter;
  std::string seen;
  emitter.on("error",
             [&](const std::exception& error) { seen += std::string("e:") + error.what(); });
  emitter.on("error", [&](const Error& error) { seen += " c:" + std::string(error.code()); });
  emitter.on("error", [&](std::exception_ptr error) { seen += error ? " p;" : " null;"; });
  emitter.emit("error", NotFound("gone"));
  emitter.emit("error", std::make_exception_ptr(NotFound("again")));
  CHECK(seen == "e:gone c:ENOENT p;e:again c:ENOENT p;");
  EventEmitter other;
  other.on("error", [](const TypeError&) {});
  CHECK_THROWS_WITH(other.emit("error", NotFound("gone")), containsText("but a listener takes"));
  CHECK_THROWS_WITH(other.emit("error", std::make_exception_ptr(NotFound("gone"))),
                    containsText("but a listener takes"));
}

TEST_CASE("an unhandled error is thrown with its own type") {
  EventEmitter emitter;
  CHECK_THROWS_AS(emitter.emit("error", NotFound("gone")), NotFound);
  CHECK_THROWS_AS(emitter.emit("error", std::make_exception_ptr(NotFound("gone"))), NotFound);
  CHECK_THROWS_WITH(emitter.emit("error", 1.5), containsText("1.5"));
  CHECK_THROWS_WITH(emitter.emit("error", ~0ULL), "Unhandled error. (18446744073709551615)");
  CHECK_THROWS_WITH(emitter.emit("error", Point{}), containsText("Point"));
  CHECK_THROWS_WITH(emitter.emit("error", std::exception_ptr()), "Unhandled error. (null)");
}

TEST_CASE("a listener may take everything as it comes, and keep it") {
  EventEmitter emitter;
  EventArgs kept;
  emitter.on("any", [&](const EventArgs& all) { kept = all; });
  emitter.emit("any");
  CHECK(kept.empty());
  {
    const std::string text = "a text that is long enough to live on the heap";
    emitter.emit("any", 7, text, Point{1, 2}, true, 2.5);
  }
  REQUIRE(kept.size() == 5);
  CHECK(kept[0].as<int>() == 7);
  CHECK(kept[0].as<double>() == 7.0);
  CHECK_FALSE(kept[0].is<std::string>());
  CHECK(kept[1].as<std::string>() == "a text that is long enough to live on the heap");
  CHECK(kept[1].as<std::string_view>().size() == 46);
  CHECK(kept[1].type() == typeid(std::string));
  CHECK(kept[2].as<Point>().y == 2);
  CHECK(kept[3].as<bool>());
  CHECK(kept[4].is<float>());
  CHECK_THROWS_WITH(kept[2].as<int>(), containsText("Point, not a int"));
  CHECK_THROWS_AS(EventValue().as<int>(), TypeError);
  CHECK_THROWS_AS(emitter.emit("any", std::make_unique<int>(1)), TypeError);
}

TEST_CASE("function pointers, functors and std::function-like objects listen") {
  struct Counter {
    void operator()(int n) noexcept { *total += n; }
    int* total;
  };
  EventEmitter emitter;
  int total = 0;
  emitter.on("n", Counter{&total});
  const SharedListener shared([&total](int n) { total += 10 * n; });
  emitter.on("n", shared);
  emitter.emit("n", 3);
  CHECK(total == 33);
  CHECK(emitter.listenerCount("n", shared) == 1);
  emitter.off("n", shared);
  emitter.emit("n", 1);
  CHECK(total == 34);
  CHECK(emitter.listenerCount("other", shared) == 0);
}

TEST_CASE("many names, long and short, with the same beginning and end, are told apart") {
  EventEmitter emitter;
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) {
    names.push_back(std::to_string(i));
    names.push_back("prefix--" + std::to_string(i) + "--a-middle-that-is-long--suffix--");
    names.push_back(std::string(static_cast<std::size_t>(i + 1), 'z'));
  }
  std::map<std::string, int> calls;
  std::vector<Listener> handles;
  for (const std::string& name : names)
    handles.push_back(emitter.on(name, [&calls, name] { ++calls[name]; }));
  CHECK(emitter.eventNames() == names);
  for (const std::string& name : names) CHECK(emitter.emit(name));
  CHECK(calls.size() == names.size());
  for (std::size_t i = 0; i < handles.size(); i += 2) handles[i].off();
  std::size_t left = 0;
  for (const std::string& name : names) left += emitter.listenerCount(name);
  CHECK(left == names.size() / 2);
  CHECK(emitter.eventNames().size() == left);
  emitter.removeAllListeners();
  CHECK(emitter.eventNames().empty());
}

TEST_CASE("the name of an event may be a value of compile time, or empty") {
  EventEmitter emitter;
  int calls = 0;
  emitter.on("x"_e, [&] { ++calls; });
  emitter.on("", [&] { ++calls; });
  emitter.emit("x");
  emitter.emit("");
  CHECK(calls == 2);
}

TEST_CASE("an event whose only listener removes itself may be listened to again in the same emit") {
  EventEmitter emitter;
  int again = 0;
  emitter.once("x", [&] { emitter.on("x", [&] { ++again; }); });
  emitter.emit("x");
  CHECK(again == 0);
  emitter.emit("x");
  CHECK(again == 1);
}

TEST_CASE("an emitter with names is destroyed by one of its listeners") {
  auto emitter = std::make_unique<EventEmitter>();
  int calls = 0;
  emitter->on("x", [&] { emitter.reset(); });
  emitter->once("x", [&](const std::string& text) { calls += text == "text"; });
  emitter->on("x", [&] { ++calls; });
  CHECK(emitter->emit("x", "text"));
  CHECK(calls == 2);

  emitter = std::make_unique<EventEmitter>();
  emitter->on("newListener", [&] { emitter.reset(); });
  CHECK_FALSE(emitter->on("x", [] {}).active());

  emitter = std::make_unique<EventEmitter>();
  emitter->on("removeListener", [&](const std::string& name) {
    CHECK(name == "x");
    emitter.reset();
  });
  const Listener gone = emitter->on("x", [] {});
  gone.off();
  CHECK(emitter == nullptr);

  emitter = std::make_unique<EventEmitter>();
  emitter->on(errorMonitor, [&] { emitter.reset(); });
  CHECK(emitter->emit("error", Error("x")));
}

TEST_CASE("the listeners of an event with a run-time name can be called") {
  EventEmitter emitter;
  std::string seen;
  emitter.once("line", [&](const std::string& text, int n) { seen += text + std::to_string(n); });
  const auto all = emitter.listeners("line");
  REQUIRE(all.size() == 1);
  all[0]("a", 1);
  CHECK_THROWS_WITH(all[0](1), containsText("'line'"));
  const auto raw = emitter.rawListeners("line");
  raw[0].listener()("b", 2);
  CHECK(emitter.listenerCount("line") == 1);
  raw[0]("c", 3);
  CHECK(emitter.listenerCount("line") == 0);
  CHECK(seen == "a1b2c3");
  CHECK(emitter.listeners("other").empty());
}

TEST_CASE("a coroutine that listens by name keeps its arguments") {
  std::string seen;
  runs([&]() -> Task<> {
    EventEmitter emitter;
    emitter.on("line", [&](std::string_view text, const Point& point) -> Task<> {
      co_await sleep(1);
      seen.append(text).append(std::to_string(point.y));
    });
    emitter.on("failed", [&](const std::exception& error) -> Task<> {
      co_await sleep(1);
      seen.append(error.what());
    });
    {
      const std::string buffer = "a text that nobody else keeps any more ";
      emitter.emit("line", buffer, Point{1, 2});
      emitter.emit("failed", Error("; and this"));
    }
    co_await sleep(20);
  });
  CHECK(seen == "a text that nobody else keeps any more 2; and this");
}

TEST_CASE(
    "a warning of leaks is printed where nobody listens to warnings, with a loop and without") {
  const auto withLoop = leat_test::inChild([] {
    return run([] {
      EventEmitter emitter;
      emitter.setMaxListeners(1);
      for (int i = 0; i < 3; ++i) emitter.on("x", [] {});
    });
  });
  CHECK(withLoop.code == 0);
  CHECK_THAT(withLoop.err,
             containsText("MaxListenersExceededWarning: Possible EventEmitter memory leak "
                          "detected. 2 x listeners added to [EventEmitter]. MaxListeners "
                          "is 1. Use emitter.setMaxListeners() to increase limit"));
  const auto without = leat_test::inChild([] {
    EventTarget target;
    target.setMaxListeners(1);
    for (int i = 0; i < 3; ++i) target.addEventListener("x", [i] { (void)i; });
    return 0;
  });
  CHECK_THAT(without.err, containsText("2 x listeners added to EventTarget"));
}

TEST_CASE("the default limit is that of every emitter without its own") {
  EventEmitter emitter;
  TypedEmitter<Event<"x">> typed;
  EventTarget target;
  CHECK(defaultMaxListeners() == 10);
  setMaxListeners(3);
  CHECK(getMaxListeners(emitter) == 3);
  CHECK(getMaxListeners(target) == 3);
  setMaxListeners(5, emitter, typed, target);
  setMaxListeners(10);
  CHECK(getMaxListeners(emitter) == 5);
  CHECK(getMaxListeners(typed) == 5);
  CHECK(getMaxListeners(target) == 5);
  CHECK_THROWS_AS(setMaxListeners(-1), RangeError);
  CHECK_THROWS_WITH(
      setMaxListeners(-1),
      "The value of \"setMaxListeners\" is out of range. It must be >= 0. Received -1");
  CHECK_THROWS_AS(setMaxListeners(-1, target), RangeError);
  CHECK(defaultMaxListeners() == 10);
}

TEST_CASE("the functions of the module work for both kinds of emitters") {
  EventEmitter emitter;
  TypedEmitter<Event<"x">> typed;
  emitter.on("x", [] {});
  typed.on<"x">([] {});
  typed.on<"x">([] {});
  CHECK(listenerCount(emitter, "x") == 1);
  CHECK(listenerCount(typed, "x"_e) == 2);
  CHECK(getEventListeners(emitter, "x").size() == 1);
  CHECK(getEventListeners<"x">(typed).size() == 2);
  CHECK(getEventListeners(typed, "x"_e).size() == 2);
}
