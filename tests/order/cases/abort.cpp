// SPDX-License-Identifier: MIT
// Beside abort.js: the order of listeners, of combined signals and of aborted waits.

#include "../order.hpp"

#include <leat/loop/abort_timeout.hpp>

#include <algorithm>
#include <memory>

namespace order {
namespace {

using Registrations = std::vector<AbortRegistration>;

// JavaScript's listeners live as long as their signal; these as long as the case.
Registrations* current = nullptr;
Registrations& registrations() { return *current; }
template <class F>
std::size_t on(const AbortSignal& signal, F f) {
  registrations().push_back(signal.onAbort(std::move(f)));
  return registrations().size() - 1;
}
void off(std::size_t listener) { registrations()[listener].off(); }

std::exception_ptr reason(const char* text) { return std::make_exception_ptr(error(text)); }
std::string words(std::string text) {
  std::replace(text.begin(), text.end(), ' ', '-');
  return text;
}
const char* yesNo(bool yes) { return yes ? "true" : "false"; }
void sayUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr e, ExceptionOrigin) { log("uncaught-", message(e)); });
}

/// Cases with listeners.
class AbortCases {
 public:
  explicit AbortCases(Cases& add) : add_(add) {}
  template <class F>
  void operator()(const char* name, F body) {
    add_(name, [body](Log log) {
      auto kept = std::make_shared<Registrations>();
      current = kept.get();
      keepUntilEnd(std::move(kept));
      body(log);
    });
  }

 private:
  Cases& add_;
};

void listeners(AbortCases& add) {
  add("listeners run inside of abort, in order, once", [](Log log) {
    const AbortController c;
    on(c.signal(), log.say("a"));
    on(c.signal(), log.say("b"));
    (void)Promise<>::resolve().then(log.say("micro"));
    log("before");
    c.abort();
    log("after");
    c.abort();
    log("again");
  });
  add("the flag is set before the listeners run", [](Log log) {
    const AbortController c;
    log(yesNo(c.signal().aborted()));
    on(c.signal(), [c, log] { log(yesNo(c.signal().aborted())); });
    c.abort();
    log(yesNo(c.signal().aborted()));
  });
  add("reasons", [](Log log) {
    const AbortController a;
    a.abort();
    try {
      a.signal().throwIfAborted();
    } catch (const AbortError& e) {
      log(e.name(), ":", words(e.what()));
    }
    const AbortController b;
    b.abort(reason("mine"));
    b.abort(reason("later"));
    log(message(b.signal().reason()));
    log(message(AbortSignal::abort(reason("made")).reason()));
    log(AbortController().signal().reason() == nullptr ? "none" : "some");
  });
  add("throwIfAborted throws the reason itself", [](Log log) {
    const AbortController c;
    c.signal().throwIfAborted();
    c.abort(reason("mine"));
    try {
      c.signal().throwIfAborted();
    } catch (const std::runtime_error& e) {
      log(e.what());
    }
  });
  add("a listener removed before, and by the one before it", [](Log log) {
    const AbortController c;
    off(on(c.signal(), log.say("never1")));
    const std::size_t second = registrations().size() + 1;
    on(c.signal(), [log, second] {
      log("a");
      off(second);
    });
    on(c.signal(), log.say("never2"));
    on(c.signal(), log.say("c"));
    c.abort();
  });
  add("a listener that throws stops no other, and is reported later", [](Log log) {
    sayUncaught(log);
    const AbortController c;
    on(c.signal(), [log] {
      log("a");
      throw error("x");
    });
    on(c.signal(), log.say("b"));
    nextTick(log.say("tick-before"));
    c.abort();
    log("after-abort");
    nextTick(log.say("tick-after"));
    (void)Promise<>::resolve().then(log.say("micro"));
    setImmediate(log.say("immediate"));
  });
  add("two listeners that throw", [](Log log) {
    sayUncaught(log);
    const AbortController c;
    on(c.signal(), [] { throw error("x"); });
    on(c.signal(), [] { throw error("y"); });
    setImmediate([c, log] {
      c.abort();
      log("aborted");
    });
    setImmediate(log.say("immediate2"));
  });
  add("abort by a listener of another signal", [](Log log) {
    const AbortController a;
    const AbortController b;
    on(a.signal(), [b, log] {
      log("a1");
      b.abort();
      log("a1-end");
    });
    on(a.signal(), log.say("a2"));
    on(b.signal(), log.say("b1"));
    a.abort();
  });
  add("abort by a listener of the same signal", [](Log log) {
    const AbortController c;
    on(c.signal(), [c, log] {
      log("a");
      c.abort();
    });
    on(c.signal(), log.say("b"));
    c.abort();
  });
}

void combined(AbortCases& add) {
  add("any: the listeners of the source run first", [](Log log) {
    const AbortController c;
    const AbortSignal both = AbortSignal::any(c.signal());
    on(both, log.say("combined"));
    on(c.signal(), log.say("source1"));
    on(c.signal(), log.say("source2"));
    c.abort();
  });
  add("any: the first source gives the reason", [](Log log) {
    const AbortController a;
    const AbortController b;
    const AbortSignal both = AbortSignal::any(a.signal(), b.signal());
    on(both, [both, log] { log("combined-", message(both.reason())); });
    b.abort(reason("b"));
    a.abort(reason("a"));
    log(message(both.reason()));
  });
  add("any: of one aborted already", [](Log log) {
    const AbortController b;
    const AbortSignal both = AbortSignal::any(b.signal(), AbortSignal::abort(reason("x")));
    log(yesNo(both.aborted()), message(both.reason()));
    b.abort(reason("b"));
    log(message(both.reason()));
  });
  add("any: two combined signals of one source", [](Log log) {
    const AbortController c;
    const AbortSignal first = AbortSignal::any(c.signal());
    const AbortSignal second = AbortSignal::any(c.signal());
    on(second, log.say("second"));
    on(first, log.say("first"));
    on(c.signal(), log.say("source"));
    c.abort();
  });
  add("any: of nothing", [](Log log) { log(yesNo(AbortSignal::any().aborted())); });
  add("any: the same source twice", [](Log log) {
    const AbortController c;
    const AbortSignal both = AbortSignal::any(c.signal(), c.signal());
    on(both, log.say("combined"));
    c.abort();
  });
}

std::string causeOf(const AbortError& e) {
  return e.cause() ? words(message(e.cause())) : "undefined";
}
template <class Wait>
Promise<> waiting(Log log, const char* name, Wait wait) {
  try {
    co_await std::move(wait);
    log(name, "-done");
  } catch (const AbortError& e) {
    log(name, "-", e.name(), "-", e.code(), "-", causeOf(e));
  }
}
Sleep sleepUnder(const AbortSignal& signal, int ms) { return sleep(ms, {.signal = signal}); }

void waits(AbortCases& add) {
  add("an aborted sleep", [](Log log) {
    const AbortController c;
    (void)waiting(log, "sleep", sleepUnder(c.signal(), 60000));
    setImmediate([c, log] {
      c.abort(reason("mine"));
      log("aborted");
      nextTick(log.say("tick"));
      setImmediate(log.say("immediate"));
    });
  });
  add("a sleep under a signal aborted before", [](Log log) {
    (void)waiting(log, "sleep", sleepUnder(AbortSignal::abort(reason("early")), 60000));
    log("sync");
    (void)Promise<>::resolve().then(log.say("micro"));
  });
  add("an aborted immediate", [](Log log) {
    const AbortController c;
    (void)waiting(log, "immediate", nextImmediate(c.signal()));
    c.abort();
    setImmediate(log.say("other"));
  });
  add("waits are aborted in the order in which they began", [](Log log) {
    const AbortController c;
    (void)waiting(log, "a", sleepUnder(c.signal(), 60000));
    on(c.signal(), log.say("listener"));
    (void)waiting(log, "b", sleepUnder(c.signal(), 50000));
    (void)waiting(log, "c", nextImmediate(c.signal()));
    c.abort();
    log("aborted");
  });
  add("an abort after the wait is over changes nothing", [](Log log) {
    const AbortController c;
    const auto end = [c, log] {
      c.abort();
      log("aborted");
    };
    (void)waiting(log, "sleep", sleepUnder(c.signal(), 1)).then(end);
  });
  add("a signal that aborts by itself", [](Log log) {
    const AbortSignal signal = AbortSignal::timeout(2);
    on(signal, [signal, log] {
      try {
        signal.throwIfAborted();
      } catch (const TimeoutError& e) {
        log(e.name(), ":", words(e.what()));
      }
    });
    setTimeout(log.say("held"), 30);
  });
  add("a sleep under a timeout",
      [](Log log) { (void)waiting(log, "sleep", sleepUnder(AbortSignal::timeout(2), 60000)); });
  add("what follows a combined signal follows its sources", [](Log log) {
    const AbortController a;
    const AbortController b;
    const auto first = AbortSignal::any(a.signal());
    const auto second = AbortSignal::any(a.signal());
    const auto third = AbortSignal::any(first, b.signal(), a.signal());
    on(third, [log, second] { log("third", second.aborted() ? "after" : "before"); });
    on(second, [log, third] { log("second", third.aborted() ? "after" : "before"); });
    on(first, log.say("first"));
    a.abort();
  });
  add("a combined signal aborts a wait", [](Log log) {
    const AbortController a;
    const AbortController b;
    (void)waiting(log, "sleep", sleepUnder(AbortSignal::any(a.signal(), b.signal()), 60000));
    setTimeout([a, b] { b.abort(reason("b")); }, 1);
  });
}

}  // namespace

void abortCases(Cases& add) {
  add.topic("abort");
  AbortCases cases(add);
  listeners(cases);
  combined(cases);
  waits(cases);
}

}  // namespace order
