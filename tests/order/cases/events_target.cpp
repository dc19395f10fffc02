// SPDX-License-Identifier: MIT
// Beside events_target.js: who is called when listeners come and go during a dispatch.

#include "../order.hpp"

#include <leat/events.hpp>

#include <memory>

namespace order {
namespace {

const char* yesNo(bool yes) { return yes ? "true" : "false"; }
template <class F>
SharedListener<F> function(F f) {
  return SharedListener<F>(std::move(f));
}
std::string dashed(std::string words) {
  for (char& c : words)
    if (c == ' ') c = '-';
  return words;
}
void sayUncaught(Log log) {
  process::on<"uncaughtException">([log](std::exception_ptr e) { log("uncaught-", message(e)); });
}

void sayWarnings(Log log) {
  process::on<"warning">(
      [log](const process::Warning& w) { log(w.name(), ":", dashed(std::string(w.message()))); });
}

void dispatchCases(Cases& add) {
  add("listeners are called in order, equal ones once", [](Log log) {
    EventTarget t;
    const auto a = function([log] { log("a"); });
    t.addEventListener("x", a);
    t.addEventListener("x", log.say("b"));
    t.addEventListener("x", a);
    t.addEventListener("x", a, {.capture = true});
    log(yesNo(t.dispatchEvent(Event("x"))));
    t.removeEventListener("x", a);
    t.dispatchEvent(Event("x"));
    t.removeEventListener("x", a, {.capture = true});
    t.dispatchEvent(Event("x"));
    log(getEventListeners(t, "x").size(), getEventListeners(t, "y").size());
  });
  add("a target listener for once", [](Log log) {
    EventTarget t;
    t.addEventListener("x",
                       [&, log] {
                         log("once");
                         t.dispatchEvent(Event("x"));
                       },
                       {.once = true});
    t.addEventListener("x", log.say("on"));
    t.dispatchEvent(Event("x"));
  });
  add("added during a dispatch", [](Log log) {
    EventTarget t;
    bool first = true;
    t.addEventListener("x", [&, log] {
      log("a");
      if (std::exchange(first, false)) t.addEventListener("x", log.say("by-a"));
    });
    t.addEventListener("x", log.say("b"));
    t.dispatchEvent(Event("x"));
    log("again");
    t.dispatchEvent(Event("x"));
  });
  add("added during a dispatch by the last", [](Log log) {
    EventTarget t;
    bool first = true;
    t.addEventListener("x", [&, log] {
      log("a");
      if (std::exchange(first, false)) t.addEventListener("x", log.say("new"));
    });
    t.dispatchEvent(Event("x"));
    log("again");
    t.dispatchEvent(Event("x"));
  });
  add("removed during a dispatch", [](Log log) {
    EventTarget t;
    Listener b;
    const auto c = function([log] { log("c"); });
    t.addEventListener("x", [&, log] {
      log("a");
      b.off();
      t.removeEventListener("x", c);
    });
    b = t.addEventListener("x", log.say("b"));
    t.addEventListener("x", c);
    t.addEventListener("x", log.say("d"));
    t.dispatchEvent(Event("x"));
  });
  add("the last one removed during a dispatch, and another added", [](Log log) {
    EventTarget t;
    Listener a;
    a = t.addEventListener("x", [&, log] {
      log("a");
      a.off();
      t.addEventListener("x", log.say("new"));
    });
    t.dispatchEvent(Event("x"));
    log("again");
    t.dispatchEvent(Event("x"));
  });
  add("a once listener that adds another", [](Log log) {
    EventTarget t;
    t.addEventListener("x",
                       [&, log] {
                         log("a");
                         t.addEventListener("x", log.say("new"));
                       },
                       {.once = true});
    t.dispatchEvent(Event("x"));
    log("again");
    t.dispatchEvent(Event("x"));
  });
  add("what a listener throws stops no other", [](Log log) {
    EventTarget t;
    sayUncaught(log);
    t.addEventListener("x", [] { throw error("boom"); });
    t.addEventListener("x", log.say("b"));
    nextTick(log.say("tick"));
    log(yesNo(t.dispatchEvent(Event("x"))));
    nextTick(log.say("tick2"));
    queueMicrotask(log.say("micro"));
  });
  add("what a coroutine throws is an uncaught exception", [](Log log) {
    EventTarget t;
    sayUncaught(log);
    t.addEventListener("x", [log]() -> Task<> {
      co_await yield();
      log("x");
      throw error("boom");
    });
    t.dispatchEvent(Event("x"));
    setImmediate(log.say("immediate"));
  });
  add("an event that is being dispatched", [](Log log) {
    EventTarget t;
    process::on<"uncaughtException">([log](std::exception_ptr e) {
      try {
        std::rethrow_exception(e);
      } catch (const Error& thrown) {
        log(thrown.code());
      }
    });
    t.addEventListener("x", [&, log](Event<>& e) {
      log("a");
      t.dispatchEvent(e);
    });
    t.dispatchEvent(Event("x"));
  });
  add("the target goes away in one of its listeners", [](Log log) {
    auto t = std::make_unique<EventTarget>();
    t->addEventListener("x", [&, log] {
      log("a");
      t.reset();
    });
    t->addEventListener("x", log.say("b"), {.once = true});
    t->addEventListener("x", log.say("c"));
    log(yesNo(t->dispatchEvent(Event("x"))));
  });
}

void eventCases(Cases& add) {
  add("stopImmediatePropagation", [](Log log) {
    EventTarget t;
    t.addEventListener("x", [log](Event<>& e) {
      log("a");
      e.stopPropagation();
    });
    t.addEventListener("x", [log](Event<>& e) {
      log("b");
      e.stopImmediatePropagation();
    });
    t.addEventListener("x", log.say("c"));
    Event e("x");
    t.dispatchEvent(e);
    log(yesNo(e.cancelBubble()));
    t.dispatchEvent(e);
    t.dispatchEvent(Event("x"));
  });
  add("preventDefault", [](Log log) {
    EventTarget t;
    t.addEventListener("x", [](Event<>& e) { e.preventDefault(); }, {.passive = true});
    Event e("x", {.cancelable = true});
    const bool kept = t.dispatchEvent(e);
    log(yesNo(kept), yesNo(e.defaultPrevented()), yesNo(e.returnValue()));
    log(yesNo(t.dispatchEvent(Event("x"))));
  });
  add("what an event knows", [](Log log) {
    EventTarget t;
    Event e("x", {.bubbles = true, .composed = true});
    const auto say = [&, log] {
      log(e.type(), yesNo(e.target() == &t), yesNo(e.currentTarget() == &t), e.eventPhase(),
          yesNo(e.bubbles()), yesNo(e.composed()), yesNo(e.cancelable()), yesNo(e.isTrusted()),
          e.composedPath().size(), yesNo(e.composedPath() == std::vector<EventTarget*>{&t}));
    };
    log(Event<>::NONE, Event<>::CAPTURING_PHASE, Event<>::AT_TARGET, Event<>::BUBBLING_PHASE);
    say();
    t.addEventListener("x", say);
    t.addEventListener("x", [say] { say(); });
    t.dispatchEvent(e);
    say();
    e.initEvent("z", false, true);
    say();
  });
  add("a custom event", [](Log log) {
    EventTarget t;
    t.addEventListener("x", [log](CustomEvent<std::string>& e) { log(e.detail()); });
    t.addEventListener("x", [log](const Event<>& e) { log(e.type()); });
    t.dispatchEvent(CustomEvent<std::string>("x", "inside"));
  });
  add("a signal removes the listener", [](Log log) {
    EventTarget t;
    AbortController c;
    const AbortSignal aborted = AbortSignal::abort();
    t.addEventListener("x", log.say("a"), {.signal = c});
    t.addEventListener("x", [c, log] {
      log("b");
      c.abort();
    });
    t.addEventListener("x", log.say("c"), {.signal = c});
    t.addEventListener("x", log.say("d"), {.signal = aborted});
    t.dispatchEvent(Event("x"));
    log("again");
    t.dispatchEvent(Event("x"));
  });
  add("a target warns once", [](Log log) {
    EventTarget t;
    sayWarnings(log);
    setMaxListeners(2, t);
    for (int i = 0; i < 4; i++) t.addEventListener("x", [i] { (void)i; });
    for (int i = 0; i < 4; i++) t.addEventListener("y", [i] { (void)i; });
    log("done");
  });
}

void signalCases(Cases& add) {
  add("once of a target", [](Log log) -> Promise<> {
    EventTarget t;
    auto promise = leat::once(t, "x");
    t.dispatchEvent(Event("x"));
    log(getEventListeners(t, "x").size());
    const auto ticks = [](Log say) -> Promise<> {
      for (int i = 1; i <= 4; i++) {
        co_await yield();
        say(i);
      }
    };
    (void)ticks(log);
    const auto got = co_await promise;
    log(std::get<0>(got).type());
  });
  add("listeners of a signal", [](Log log) {
    AbortController c;
    auto kept = std::make_shared<std::vector<AbortRegistration>>();
    keepUntilEnd(kept);
    kept->push_back(
        addEventListener(c.signal(), "abort"_e, [log](const Event<>& e) { log("a-", e.type()); }));
    kept->push_back(addAbortListener(c.signal(), log.say("b")));
    auto gone = addAbortListener(c.signal(), log.say("gone"));
    gone.off();
    kept->push_back(addEventListener(c.signal(), "abort"_e, log.say("c")));
    c.abort();
    log("after");
    kept->push_back(addAbortListener(c.signal(), log.say("late")));
    kept->push_back(addEventListener(c.signal(), "abort"_e, log.say("never")));
    nextTick(log.say("tick"));
  });
  add("once of a signal", [](Log log) -> Promise<> {
    AbortController c;
    auto promise = leat::once(c.signal(), "abort"_e);
    setImmediate([c, log] {
      c.abort();
      log("aborted");
    });
    const auto got = co_await promise;
    log(std::get<0>(got).type());
  });
}

void signalLimitCases(Cases& add) {
  add("a signal warns once of the eleventh listener", [](Log log) {
    AbortController c;
    auto kept = std::make_shared<std::vector<AbortRegistration>>();
    keepUntilEnd(kept);
    sayWarnings(log);
    log(getMaxListeners(c.signal()));
    for (int i = 0; i < 10; i++) kept->push_back(addAbortListener(c.signal(), [] {}));
    log("ten");
    setImmediate([=] {
      log("later");
      for (int i = 0; i < 5; i++) kept->push_back(addEventListener(c.signal(), "abort"_e, [] {}));
      log(getEventListeners(c.signal(), "abort"_e).size());
    });
  });
  add("the limit of a signal", [](Log log) {
    AbortController c;
    AbortController d;
    const AbortSignal e = AbortSignal::any(d.signal());
    std::vector<AbortRegistration> kept;
    sayWarnings(log);
    setMaxListeners(2, c.signal(), e);
    setMaxListeners(0, d.signal());
    log(getMaxListeners(c.signal()), getMaxListeners(e));
    for (int i = 0; i < 12; i++) {
      if (i < 3) kept.push_back(addAbortListener(c.signal(), [] {}));
      kept.push_back(addEventListener(d.signal(), "abort"_e, [] {}));
      if (i < 2) kept.push_back(addEventListener(e, "abort"_e, [] {}));
    }
    setMaxListeners(3, c.signal());
    for (int i = 0; i < 2; i++) kept.push_back(addAbortListener(c.signal(), [] {}));
  });
  add("listeners of a signal that have left are not counted", [](Log log) -> Promise<> {
    AbortController c;
    AbortController limit;
    const auto count = [c] { return getEventListeners(c.signal(), "abort"_e).size(); };
    std::vector<AbortRegistration> kept;
    sayWarnings(log);
    setMaxListeners(2, c.signal());
    auto a = addAbortListener(c.signal(), [] {});
    kept.push_back(addEventListener(c.signal(), "abort"_e, [] {}, {.signal = limit}));
    auto waiting = leat::once(c.signal(), "abort"_e, {.signal = limit});
    log(count());
    a.off();
    log(count());
    limit.abort();
    log(count());
    try {
      (void)co_await waiting;
    } catch (const AbortError& thrown) {
      log(thrown.name());
    }
    for (int i = 0; i < 2; i++) kept.push_back(addAbortListener(c.signal(), [] {}));
    log(count());
  });
  add("a listener of a signal that another signal removes", [](Log log) {
    AbortController c;
    AbortController limit;
    const auto gone = addEventListener(c.signal(), "abort"_e, log.say("gone"), {.signal = limit});
    const auto there = addEventListener(c.signal(), "abort"_e, log.say("there"));
    limit.abort();
    c.abort();
  });
}

}  // namespace

void eventsTargetCases(Cases& add) {
  add.topic("events_target");
  dispatchCases(add);
  eventCases(add);
  signalCases(add);
  signalLimitCases(add);
}

}  // namespace order
