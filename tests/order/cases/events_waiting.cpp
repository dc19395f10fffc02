// SPDX-License-Identifier: MIT
// Beside events_waiting.js: once and on, when who waits goes on, and who listens meanwhile.

#include "../order.hpp"

#include <leat/events.hpp>

#include <memory>

namespace order {
namespace {

using Typed = TypedEmitter<Event<"y", int>, Event<"z">>;

/// Says 1 to n in n microtasks, one after the other.
Promise<> ticks(Log log, int n) {
  for (int i = 1; i <= n; i++) {
    co_await yield();
    log(i);
  }
}
template <class E>
void counts(Log log, const E& e) {
  log("y", e.listenerCount("y"_e), "-error", e.listenerCount("error"_e));
}
template <class E>
Promise<std::tuple<int>> nextY(E& e, OnceOptions options = {}) {
  if constexpr (EmitterOfTypes<E>) {
    return leat::once<"y">(e, options);
  } else {
    return leat::once<int>(e, "y", options);
  }
}
template <class E>
EventSequence<std::tuple<int>> everyY(E& e, OnOptions options = {}) {
  if constexpr (EmitterOfTypes<E>) {
    return leat::on<"y">(e, options);
  } else {
    return leat::on<int>(e, "y", options);
  }
}
template <class E>
E& made() {
  auto emitter = std::make_shared<E>();
  keepUntilEnd(emitter);
  return *emitter;
}
std::string name(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.name());
  }
}
std::exception_ptr cause(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.cause();
  }
}

template <class E>
void onceCases(Cases& add, const std::string& kind) {
  add("once gives the arguments of the next emit" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto first = nextY(e);
    counts(log, e);
    e.emit("y"_e, 1);
    counts(log, e);
    e.emit("y"_e, 2);
    const auto got = co_await first;
    log("got", std::get<0>(got));
  });
  add("the ticks of once" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    setImmediate([&e, log] {
      (void)ticks(log, 5);
      e.emit("y"_e, 1);
      log("emitted");
    });
    const auto got = co_await nextY(e);
    log("got", std::get<0>(got));
  });
  add("the ticks of once that is emitted at once" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto promise = nextY(e);
    e.emit("y"_e, 1);
    (void)ticks(log, 6);
    (void)co_await promise;
    log("got");
  });
  add("two wait for the same emit" + kind, [](Log log) {
    E& e = made<E>();
    const auto wait = [](E& from, Log say, const char* who) -> Promise<> {
      const auto got = co_await nextY(from);
      say(who, std::get<0>(got));
    };
    (void)wait(e, log, "a");
    (void)wait(e, log, "b");
    setImmediate([&e, log] {
      e.emit("y"_e, 1);
      log("emitted");
    });
  });
  add("an error ends the wait" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto promise = nextY(e);
    e.emit("error"_e, error("boom"));
    counts(log, e);
    (void)ticks(log, 5);
    const auto outcome = co_await asResult(promise);
    log("caught-", message(outcome.error()));
  });
  add("an error that is waited for" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto promise = [&e] {
      if constexpr (EmitterOfTypes<E>) {
        return leat::once<"error">(e);
      } else {
        return leat::once<std::exception_ptr>(e, "error");
      }
    }();
    e.emit("error"_e, error("boom"));
    const auto got = co_await promise;
    log("got-", message(std::get<0>(got)));
  });
  add("a signal ends the wait inside of abort" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    AbortController c;
    auto promise = nextY(e, {.signal = c});
    c.abort(error("mine"));
    counts(log, e);
    (void)ticks(log, 5);
    const auto outcome = co_await asResult(promise);
    log(name(outcome.error()), "-ABORT_ERR-", message(cause(outcome.error())));
  });
  add("a signal that is aborted before" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    const AbortSignal aborted = AbortSignal::abort();
    auto promise = nextY(e, {.signal = aborted});
    counts(log, e);
    (void)ticks(log, 3);
    const auto outcome = co_await asResult(promise);
    log(name(outcome.error()));
  });
  add("an abort after the emit comes too late" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    AbortController c;
    auto promise = nextY(e, {.signal = c});
    e.emit("y"_e, 1);
    c.abort();
    const auto got = co_await promise;
    log("got", std::get<0>(got));
  });
}

template <class E>
void onCases(Cases& add, const std::string& kind) {
  add("on gives every emit" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e);
    e.emit("y"_e, 1);
    e.emit("y"_e, 2);
    setImmediate([&e, log] {
      e.emit("y"_e, 3);
      e.emit("y"_e, 4);
      log("emitted");
    });
    for (int i = 0; i < 4; i++) {
      const auto got = co_await events.next();
      log("got", std::get<0>(*got));
    }
    events.return_();
    counts(log, e);
  });
  add("the ticks of on" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e);
    e.emit("y"_e, 1);
    (void)ticks(log, 3);
    (void)co_await events.next();
    log("kept");
    auto later = events.next();
    nextTick([&e, log] {
      (void)ticks(log, 3);
      e.emit("y"_e, 2);
    });
    (void)co_await later;
    log("waited");
    events.return_();
  });
  add("several wait for the next ones" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e);
    const auto take = [](auto& from, Log say, const char* who) -> Promise<> {
      const auto got = co_await from.next();
      if (got) {
        say(who, std::get<0>(*got));
      } else {
        say(who, "done");
      }
    };
    auto a = take(events, log, "a");
    auto b = take(events, log, "b");
    auto c = take(events, log, "c");
    e.emit("y"_e, 1);
    e.emit("y"_e, 2);
    events.return_();
    co_await c;
  });
  add("an error comes after what was emitted before" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e);
    e.emit("y"_e, 1);
    e.emit("error"_e, error("boom"));
    counts(log, e);
    const auto got = co_await events.next();
    log("got", std::get<0>(*got));
    const auto outcome = co_await asResult(events.next());
    log("caught-", message(outcome.error()));
    const auto end = co_await events.next();
    log(end ? "more" : "done");
  });
  add("an error while somebody waits" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e);
    const auto take = [](auto& from, Log say, const char* who) -> Promise<> {
      const auto got = co_await asResult(from.next());
      if (!got) {
        say(who, message(got.error()));
      } else {
        say(who, got.value() ? "more" : "done");
      }
    };
    auto a = take(events, log, "a");
    auto b = take(events, log, "b");
    e.emit("error"_e, error("boom"));
    co_await a;
    co_await b;
  });
  add("an event that closes" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    auto events = everyY(e, {.close = {"z"}});
    e.emit("y"_e, 1);
    e.emit("z"_e);
    log(e.emit("y"_e, 2) ? "true" : "false");
    const auto got = co_await events.next();
    log("got", std::get<0>(*got));
    const auto end = co_await events.next();
    log(end ? "more" : "done");
  });
  add("a signal ends the sequence" + kind, [](Log log) -> Promise<> {
    E& e = made<E>();
    AbortController c;
    auto events = everyY(e, {.signal = c});
    e.emit("y"_e, 1);
    c.abort(error("mine"));
    counts(log, e);
    const auto got = co_await events.next();
    log("got", std::get<0>(*got));
    const auto outcome = co_await asResult(events.next());
    log(name(outcome.error()), "-", message(cause(outcome.error())));
  });
  add("a sequence with an aborted signal" + kind, [](Log log) {
    E& e = made<E>();
    const AbortSignal aborted = AbortSignal::abort();
    try {
      const auto events = everyY(e, {.signal = aborted});
      log("made");
    } catch (const Error& thrown) {
      log(thrown.name());
    }
    counts(log, e);
  });
}

void targetCases(Cases& add) {
  add("on of a target", [](Log log) -> Promise<> {
    EventTarget t;
    auto events = leat::on(t, "y", {.close = {"z"}});
    log(getEventListeners(t, "y").size(), getEventListeners(t, "error").size());
    t.dispatchEvent(Event("y"));
    const auto first = co_await events.next();
    log("got-", std::get<0>(*first).type());
    const auto take = [&events](Log say, const char* who) -> Promise<> {
      const auto next = co_await events.next();
      say(who, !next ? "done" : std::get<0>(*next).cancelable() ? "cancelable" : "plain");
    };
    const auto a = take(log, "a");
    const auto b = take(log, "b");
    const auto steps = ticks(log, 3);
    t.dispatchEvent(Event("y", {.cancelable = true}));
    t.dispatchEvent(Event("error"));
    log("dispatched");
    t.dispatchEvent(Event("z"));
    log(getEventListeners(t, "y").size(), getEventListeners(t, "z").size());
    co_await a;
    co_await b;
    co_await steps;
  });
  add("a signal ends the sequence of a target", [](Log log) -> Promise<> {
    EventTarget t;
    AbortController c;
    auto events = leat::on(t, "y", {.signal = c});
    t.dispatchEvent(Event("y"));
    c.abort(error("mine"));
    log(getEventListeners(t, "y").size());
    const auto got = co_await events.next();
    log("got-", std::get<0>(*got).type());
    try {
      (void)co_await events.next();
    } catch (const Error& thrown) {
      log(thrown.name(), "-", message(thrown.cause()));
    }
  });
}

struct Pausing : Typed {
  void pause() { (*log)("pause"); }
  void resume() { (*log)("resume"); }
  const Log* log = nullptr;
};

}  // namespace

void eventsWaitingCases(Cases& add) {
  add.topic("events_waiting");
  onceCases<EventEmitter>(add, "");
  onceCases<Typed>(add, " (typed)");
  onCases<EventEmitter>(add, "");
  onCases<Typed>(add, " (typed)");
  targetCases(add);
  add("the marks pause and resume the emitter", [](Log log) -> Promise<> {
    Pausing& e = made<Pausing>();
    e.log = &log;
    auto events = leat::on<"y">(e, {.highWaterMark = 2, .lowWaterMark = 2});
    for (int i = 1; i <= 5; i++) {
      e.emit<"y">(i);
      log("emitted", i);
    }
    for (int i = 1; i <= 5; i++) {
      const auto got = co_await events.next();
      log("got", std::get<0>(*got));
    }
    e.emit<"y">(6);
    events.return_();
    const auto last = co_await events.next();
    const auto end = co_await events.next();
    log(std::get<0>(*last), end ? "more" : "done");
  });
}

}  // namespace order
