// SPDX-License-Identifier: MIT
// Beside events_emitter.js: who is called when listeners come and go during an emit.

#include "../order.hpp"

#include <leat/events.hpp>

#include <memory>

namespace order {
namespace {

using Typed = TypedEmitter<Event<"x">, Event<"y", int>, Event<"z">>;

const char* yesNo(bool yes) { return yes ? "true" : "false"; }
std::string text(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
std::string dashed(std::string words) {
  for (char& c : words)
    if (c == ' ') c = '-';
  return words;
}
template <class F>
void attempt(Log log, F f) {
  try {
    f();
  } catch (...) {
    log("threw-", text(std::current_exception()));
  }
}
template <class E>
std::string names(const E& emitter) {
  std::string all;
  for (const auto& name : emitter.eventNames()) all.append(all.empty() ? "" : ",").append(name);
  return all;
}
/// A function of JavaScript: equal to its copies.
template <class F>
SharedListener<F> function(F f) {
  return SharedListener<F>(std::move(f));
}
/// Until the "(", or the "-to-[": there the kinds of emitters differ.
std::string warned(const process::Warning& warning) {
  const std::string all = dashed(std::string(warning.message()));
  return all.substr(0, all.find("-to-["));
}
template <class E>
std::size_t count(const E& e, std::string_view name) {
  return name == "x" ? e.listenerCount("x"_e) : e.listenerCount("z"_e);
}
/// An emitter that lives as long as the case.
template <class E, class... Args>
E& made(Args... args) {
  auto emitter = std::make_shared<E>(args...);
  keepUntilEnd(emitter);
  return *emitter;
}

template <class E>
void callingCases(Cases& add, const std::string& kind) {
  add("listeners run in order, inside of emit" + kind, [](Log log) {
    E e;
    e.on("x"_e, log.say("a"));
    e.on("x"_e, log.say("b"));
    log("before");
    log(yesNo(e.emit("x"_e)));
    log("after");
    log(yesNo(e.emit("z"_e)));
  });
  add("arguments reach listeners that want them" + kind, [](Log log) {
    E e;
    e.on("y"_e, [log](int n) { log("y", n); });
    e.on("y"_e, [log] { log("none"); });
    e.emit("y"_e, 7);
  });
  add("prepended listeners come first" + kind, [](Log log) {
    E e;
    e.on("x"_e, log.say("a"));
    e.prependListener("x"_e, log.say("b"));
    e.prependOnceListener("x"_e, log.say("c"));
    e.emit("x"_e);
    e.emit("x"_e);
  });
  add("once is for the next time only" + kind, [](Log log) {
    E e;
    e.once("x"_e, log.say("once"));
    e.on("x"_e, log.say("on"));
    log(e.listenerCount("x"_e));
    e.emit("x"_e);
    log(e.listenerCount("x"_e));
    e.emit("x"_e);
  });
  add("a once listener has left when it is called, and may emit" + kind, [](Log log) {
    E e;
    e.once("x"_e, [&, log] {
      log("once", e.listenerCount("x"_e));
      e.emit("x"_e);
    });
    e.on("x"_e, log.say("on"));
    e.emit("x"_e);
  });
  add("a once listener that a nested emit has called is not called again" + kind, [](Log log) {
    E e;
    int depth = 0;
    e.on("x"_e, [&, log] {
      log("outer", depth);
      if (depth++ == 0) e.emit("x"_e);
    });
    e.once("x"_e, log.say("once"));
    e.on("x"_e, log.say("last"));
    e.emit("x"_e);
  });
}

template <class E>
void changingCases(Cases& add, const std::string& kind) {
  add("a listener that is added in an emit waits for the next" + kind, [](Log log) {
    E e;
    e.on("x"_e, [&, log] {
      log("a");
      e.on("x"_e, log.say("new"));
    });
    e.on("x"_e, log.say("b"));
    e.emit("x"_e);
    log("again");
    e.emit("x"_e);
  });
  add("many listeners added in an emit" + kind, [](Log log) {
    E e;
    e.setMaxListeners(0);
    int adds = 0;
    e.on("x"_e, [&] {
      for (int i = 0; i < 20 && adds < 60; i++, adds++) e.on("x"_e, [] {});
    });
    for (int i = 0; i < 4; i++) {
      e.emit("x"_e);
      log(e.listenerCount("x"_e));
    }
  });
  add("a listener prepended in an emit waits for the next" + kind, [](Log log) {
    E e;
    bool first = true;
    e.on("x"_e, [&, log] {
      log("a");
      if (std::exchange(first, false)) e.prependListener("x"_e, log.say("new"));
    });
    e.on("x"_e, log.say("b"));
    e.emit("x"_e);
    e.emit("x"_e);
  });
  add("a listener that is removed in an emit is still called in it" + kind, [](Log log) {
    E e;
    const auto b = function([log] { log("b"); });
    e.on("x"_e, [&, log] {
      log("a");
      e.off("x"_e, b);
      log(e.listenerCount("x"_e));
    });
    e.on("x"_e, b);
    e.on("x"_e, log.say("c"));
    e.emit("x"_e);
    log("again");
    e.emit("x"_e);
  });
  add("a listener removes itself" + kind, [](Log log) {
    E e;
    Listener a;
    a = e.on("x"_e, [&, log] {
      log("a");
      a.off();
    });
    e.on("x"_e, log.say("b"));
    e.emit("x"_e);
    e.emit("x"_e);
  });
  add("a once listener that is removed in an emit is still called, once" + kind, [](Log log) {
    E e;
    Listener b;
    e.on("x"_e, [&, log] {
      log("a");
      b.off();
    });
    b = e.once("x"_e, log.say("b"));
    e.emit("x"_e);
    e.emit("x"_e);
  });
  add("all listeners removed in an emit" + kind, [](Log log) {
    E e;
    e.on("x"_e, [&, log] {
      log("a");
      e.removeAllListeners("x"_e);
      log(yesNo(e.emit("x"_e)));
    });
    e.on("x"_e, log.say("b"));
    e.on("x"_e, log.say("c"));
    log(yesNo(e.emit("x"_e)));
    log(yesNo(e.emit("x"_e)));
  });
  add("removed and added again in an emit" + kind, [](Log log) {
    E e;
    const auto b = function([log] { log("b"); });
    bool first = true;
    e.on("x"_e, [&, log] {
      log("a");
      if (!std::exchange(first, false)) return;
      e.off("x"_e, b);
      e.on("x"_e, b);
    });
    e.on("x"_e, b);
    e.on("x"_e, log.say("c"));
    e.emit("x"_e);
    log("again");
    e.emit("x"_e);
  });
  add("nested emits each see who is there when they begin" + kind, [](Log log) {
    E e;
    int depth = 0;
    e.on("x"_e, [&, log] {
      const int mine = depth++;
      log("in", mine);
      e.on("x"_e, [log, mine] { log("added", mine); });
      if (mine < 2) e.emit("x"_e);
      log("out", mine);
    });
    e.emit("x"_e);
  });
  add("the emitter goes away in one of its listeners" + kind, [](Log log) {
    auto e = std::make_unique<E>();
    e->on("x"_e, [&e, log] {
      log("a");
      e.reset();
    });
    e->on("x"_e, log.say("b"));
    e->once("x"_e, log.say("c"));
    log(yesNo(e->emit("x"_e)));
  });
  add("off removes the newest of two" + kind, [](Log log) {
    E e;
    const auto a = function([log] { log("a"); });
    e.on("x"_e, a);
    e.on("x"_e, log.say("b"));
    e.on("x"_e, a);
    log(e.listenerCount("x"_e, a), e.listenerCount("x"_e));
    e.off("x"_e, a);
    e.emit("x"_e);
    e.off("x"_e, a);
    e.off("x"_e, a);
    e.emit("x"_e);
    log(e.listenerCount("x"_e, a), e.listenerCount("x"_e));
  });
}

template <class E>
void metaCases(Cases& add, const std::string& kind) {
  add("newListener comes before the listener is there" + kind, [](Log log) {
    E e;
    e.on("newListener"_e, [&, log](std::string_view name) {
      log("new-", name, name == "newListener" ? e.listenerCount("newListener"_e) : count(e, name));
    });
    e.on("x"_e, log.say("a"));
    e.once("x"_e, log.say("b"));
    e.on("newListener"_e, [log] { log("second"); });
    e.on("z"_e, log.say("z"));
  });
  add("what a listener for newListener adds comes first" + kind, [](Log log) {
    E e;
    e.once("newListener"_e, [&, log](std::string_view name) {
      if (name == "x") e.on("x"_e, log.say("inserted"));
    });
    e.on("x"_e, log.say("a"));
    e.emit("x"_e);
  });
  add("removeListener comes when the listener is gone" + kind, [](Log log) {
    E e;
    const auto a = function([log] { log("a"); });
    e.on("removeListener"_e, [&, log](std::string_view name, const Listener&) {
      log("gone-", name, "-a", count(e, name));
    });
    e.on("x"_e, a);
    e.on("x"_e, a);
    e.once("z"_e, a);
    e.off("x"_e, a);
    e.emit("z"_e);
    e.off("x"_e, a);
    e.off("x"_e, a);
  });
  add("removeListener comes before a once listener is called" + kind, [](Log log) {
    E e;
    e.on("removeListener"_e, [log](std::string_view name) { log("gone-", name); });
    e.once("x"_e, log.say("called"));
    e.emit("x"_e);
  });
  add("removeAllListeners tells of the newest first" + kind, [](Log log) {
    E e;
    std::vector<std::pair<Listener, const char*>> known;
    e.on("removeListener"_e, [&, log](std::string_view name, const Listener& gone) {
      for (const auto& [listener, which] : known)
        if (listener == gone) log(name, "-", which);
    });
    known.emplace_back(e.on("x"_e, [] {}), "a");
    known.emplace_back(e.on("x"_e, [] {}), "b");
    known.emplace_back(e.on("x"_e, [] {}), "c");
    known.emplace_back(e.on("z"_e, [] {}), "a");
    e.removeAllListeners("x"_e);
    log(e.listenerCount("x"_e), e.listenerCount("z"_e));
    known.emplace_back(e.on("x"_e, [] {}), "b");
    e.removeAllListeners();
    log(e.eventNames().size());
  });
  add("removeAllListeners without anybody to tell" + kind, [](Log log) {
    E e;
    e.on("x"_e, log.say("x"));
    e.on("z"_e, log.say("z"));
    e.removeAllListeners("x"_e);
    log(names(e));
    e.removeAllListeners();
    log(e.eventNames().size(), yesNo(e.emit("z"_e)));
  });
  add("eventNames are in the order in which they began" + kind, [](Log log) {
    E e;
    const auto a = [] {};
    e.on("z"_e, a);
    e.on("x"_e, a);
    e.on("y"_e, a);
    e.on("z"_e, a);
    log(names(e));
    e.off("z"_e, a);
    log(names(e));
    e.off("z"_e, a);
    log(names(e));
    e.on("z"_e, a);
    log(names(e));
  });
  add("an exception goes to who emits, and stops the rest" + kind, [](Log log) {
    E e;
    e.on("x"_e, log.say("a"));
    e.once("x"_e, [log] {
      log("once");
      throw error("boom");
    });
    e.on("x"_e, log.say("b"));
    attempt(log, [&] { e.emit("x"_e); });
    log(e.listenerCount("x"_e));
    attempt(log, [&] { e.emit("x"_e); });
  });
  add("an exception out of a listener for removeListener" + kind, [](Log log) {
    E e;
    const auto a = function([log] { log("a"); });
    e.on("removeListener"_e, [] { throw error("told"); });
    e.on("x"_e, a);
    e.once("z"_e, log.say("once"));
    attempt(log, [&] { e.off("x"_e, a); });
    log(e.listenerCount("x"_e));
    attempt(log, [&] { e.emit("z"_e); });
    log(e.listenerCount("z"_e));
  });
  add("an exception out of a listener for newListener" + kind, [](Log log) {
    E e;
    e.on("newListener"_e, [] { throw error("no"); });
    attempt(log, [&] { e.on("x"_e, log.say("a")); });
    log(e.listenerCount("x"_e));
  });
  add("listeners and rawListeners" + kind, [](Log log) {
    E e;
    e.on("x"_e, log.say("on"));
    e.once("x"_e, log.say("once"));
    for (const auto& f : e.listeners("x"_e)) f();
    log(e.listenerCount("x"_e));
    const auto raw = e.rawListeners("x"_e);
    raw[1].listener()();
    log(e.listenerCount("x"_e));
    for (const auto& f : raw) f();
    log(e.listenerCount("x"_e));
    for (const auto& f : raw) f();
    log(e.listeners("z"_e).size());
  });
}

template <class E>
void errorCases(Cases& add, const std::string& kind) {
  add("an error without a listener is thrown" + kind, [](Log log) {
    E e;
    attempt(log, [&] { e.emit("error"_e, error("mine")); });
    e.on("x"_e, log.say("x"));
    attempt(log, [&] { e.emit("error"_e, error("again")); });
    e.on("error"_e, [log](const std::exception& heard) { log("heard-", heard.what()); });
    attempt(log, [&] { e.emit("error"_e, error("third")); });
  });
  add("errorMonitor is told first, and handles nothing" + kind, [](Log log) {
    E e;
    e.on(errorMonitor, [log](const std::exception& told) { log("monitor-", told.what()); });
    attempt(log, [&] { e.emit("error"_e, error("one")); });
    e.on("error"_e, [log](std::exception_ptr heard) { log("heard-", message(heard)); });
    attempt(log, [&] { e.emit("error"_e, error("two")); });
    log(e.listenerCount("error"_e), e.listenerCount(errorMonitor));
  });
  add("a monitor may add the listener that handles" + kind, [](Log log) {
    E e;
    e.on(errorMonitor, [&, log] {
      e.on("error"_e, [log](const std::exception& heard) { log("heard-", heard.what()); });
    });
    attempt(log, [&] { e.emit("error"_e, error("one")); });
  });
  add("a warning tells of a leak, once per event" + kind, [](Log log) {
    E& e = made<E>();
    process::on<"warning">([log](const process::Warning& w) { log(w.name(), ":", warned(w)); });
    for (int i = 0; i < 10; i++) e.on("x"_e, [] {});
    log(10);
    for (int i = 0; i < 5; i++) e.on("x"_e, [] {});
    for (int i = 0; i < 11; i++) e.on("z"_e, [] {});
    log("done");
    nextTick(log.say("tick"));
  });
  add("the limit of an emitter" + kind, [](Log log) {
    E& e = made<E>();
    process::on<"warning">([log](const process::Warning& w) { log(warned(w)); });
    log(e.getMaxListeners());
    e.setMaxListeners(2);
    log(e.getMaxListeners());
    const auto a = [] {};
    for (int i = 0; i < 3; i++) e.on("x"_e, a);
    // Down to one and up again: it is told again.
    e.off("x"_e, a);
    e.off("x"_e, a);
    for (int i = 0; i < 2; i++) e.on("x"_e, a);
    e.setMaxListeners(0);
    for (int i = 0; i < 30; i++) e.on("z"_e, a);
    attempt(log, [&] { e.setMaxListeners(-1); });
  });
}

template <class E>
void coroutineCases(Cases& add, const std::string& kind) {
  add("coroutines that listen run to their first await, in order" + kind, [](Log log) {
    E& e = made<E>();
    e.on("x"_e, [log]() -> Task<> {
      log("a1");
      co_await yield();
      log("a2");
    });
    e.on("x"_e, [log]() -> Task<> {
      log("b1");
      co_await yield();
      log("b2");
    });
    e.on("x"_e, log.say("c"));
    log(yesNo(e.emit("x"_e)));
    queueMicrotask(log.say("micro"));
  });
  add("what a coroutine throws is an unhandled rejection" + kind, [](Log log) {
    E& e = made<E>();
    process::on<"unhandledRejection">(
        [log](std::exception_ptr reason) { log("unhandled-", message(reason)); });
    e.on("x"_e, []() -> Task<> {
      throw error("boom");
      co_return;
    });
    e.on("error"_e, [log] { log("error"); });
    e.emit("x"_e);
    log("after");
    nextTick(log.say("tick"));
  });
  add("a captured rejection is an error, in a tick" + kind, [](Log log) {
    E& e = made<E>(EmitterOptions{.captureRejections = true});
    e.on("error"_e, [log](const std::exception& heard) { log("error-", heard.what()); });
    e.on("x"_e, []() -> Task<> {
      throw error("boom");
      co_return;
    });
    e.emit("x"_e);
    log("after");
    nextTick(log.say("tick"));
    queueMicrotask([log] {
      log("micro");
      nextTick(log.say("tick2"));
    });
  });
  add("a captured rejection later" + kind, [](Log log) {
    E& e = made<E>(EmitterOptions{.captureRejections = true});
    e.on("error"_e, [log](const std::exception& heard) { log("error-", heard.what()); });
    e.on("x"_e, [log]() -> Task<> {
      co_await yield();
      log("x");
      throw error("boom");
    });
    e.emit("x"_e);
    setImmediate(log.say("immediate"));
  });
  add("a captured rejection that nobody hears is an uncaught exception" + kind, [](Log log) {
    E& e = made<E>(EmitterOptions{.captureRejections = true});
    process::on<"uncaughtException">(
        [log](std::exception_ptr thrown) { log("uncaught-", message(thrown)); });
    e.on("x"_e, []() -> Task<> {
      throw error("boom");
      co_return;
    });
    e.emit("x"_e);
    log("after");
  });
  add("a rejection of a listener for error is not captured again" + kind, [](Log log) {
    E& e = made<E>(EmitterOptions{.captureRejections = true});
    process::on<"unhandledRejection">(
        [log](std::exception_ptr reason) { log("unhandled-", message(reason)); });
    e.on("error"_e, [log](std::exception_ptr heard) -> Task<> {
      log("error-", message(heard));
      throw error("second");
      co_return;
    });
    e.on("x"_e, []() -> Task<> {
      throw error("first");
      co_return;
    });
    e.emit("x"_e);
  });
  add("a handler of rejections takes the place of error" + kind, [](Log log) {
    E& e = made<E>(EmitterOptions{.captureRejections = true});
    e.onRejection([log](const std::exception_ptr& reason, std::string_view name) {
      log(name, "-", message(reason));
    });
    e.on("error"_e, [log] { log("error"); });
    e.on("x"_e, []() -> Task<> {
      throw error("boom");
      co_return;
    });
    e.emit("x"_e);
  });
  add("emits from ticks, microtasks and immediates" + kind, [](Log log) {
    E& e = made<E>();
    e.on("y"_e, [&e, log](int n) {
      log("y", n);
      if (n < 3) nextTick([&e, n] { e.emit("y"_e, n + 10); });
    });
    nextTick([&e] { e.emit("y"_e, 1); });
    queueMicrotask([&e] { e.emit("y"_e, 2); });
    setImmediate([&e] { e.emit("y"_e, 3); });
    e.emit("y"_e, 0);
  });
}

template <class E>
struct TaskQueue {
  explicit TaskQueue(Log l) : log(l) {
    emitter.on("y"_e, [this] { next(); });
  }
  void add(int n) {
    tasks.push_back(n);
    log("added", n);
    next();
  }
  void next() {
    while (running < 1 && !tasks.empty()) {
      const int n = tasks.front();
      tasks.erase(tasks.begin());
      running++;
      log("start", n);
      setImmediate([this, n] {
        running--;
        log("done", n);
        emitter.emit("y"_e, n);
      });
    }
  }
  E emitter;
  Log log;
  std::vector<int> tasks;
  int running = 0;
};

template <class E>
void programCases(Cases& add, const std::string& kind) {
  add("a queue of tasks" + kind, [](Log log) {
    auto& queue = made<TaskQueue<E>>(log);
    for (int n : {1, 2, 3}) queue.add(n);
    queue.emitter.on("y"_e, [log](int n) {
      if (n == 3) log("all");
    });
  });
  add("an order bus" + kind, [](Log log) {
    E& bus = made<E>();
    bus.on("y"_e, [&bus, log](int id) {
      log("stock", id);
      if (id == 2) bus.emit("error"_e, error("sold-out"));
    });
    bus.on("y"_e, [log](int id) -> Task<> {
      co_await yield();
      log("mail", id);
    });
    bus.on("y"_e, [log](int id) { log("count", id); });
    bus.once("y"_e, [log] { log("first"); });
    bus.on("error"_e, [log](const std::exception& e) { log(e.what()); });
    bus.emit("y"_e, 1);
    bus.emit("y"_e, 2);
    log("placed");
  });
}

template <class E>
void allCases(Cases& add, const std::string& kind) {
  callingCases<E>(add, kind);
  changingCases<E>(add, kind);
  metaCases<E>(add, kind);
  errorCases<E>(add, kind);
  coroutineCases<E>(add, kind);
  programCases<E>(add, kind);
}

}  // namespace

void eventsEmitterCases(Cases& add) {
  add.topic("events_emitter");
  allCases<EventEmitter>(add, "");
  allCases<Typed>(add, " (typed)");
  add("an error that is no exception", [](Log log) {
    EventEmitter e;
    const auto said = [log](auto f) {
      try {
        f();
      } catch (const Error& thrown) {
        log(thrown.code(), ":", dashed(std::string(thrown.message())));
      }
    };
    said([&] { e.emit("error"); });
    said([&] { e.emit("error", "text"); });
    said([&] { e.emit("error", 42); });
    said([&] { e.emit("error", true); });
  });
}

}  // namespace order
