// SPDX-License-Identifier: MIT
// Beside rejections.js: rejections that nobody handles, and exceptions out of callbacks.

#include "../order.hpp"

namespace order {
namespace {

Promise<> P() { return Promise<>::resolve(); }
Promise<> R(const char* text) { return Promise<>::reject(error(text)); }
void reject(const char* text) { (void)R(text); }
void fail(const char* text) { throw error(text); }
template <class F>
void onIo(F f) {
  EventLoop::current().post(std::move(f));
}
void sayUnhandled(Log log) {
  process::on<"unhandledRejection">([log](std::exception_ptr e) { log("unhandled-", message(e)); });
}
const char* name(ExceptionOrigin origin) {
  return origin == ExceptionOrigin::UnhandledRejection ? "unhandledRejection" : "uncaughtException";
}
void sayUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr e, ExceptionOrigin) { log("uncaught-", message(e)); });
}
void sayUncaughtAndOrigin(Log log) {
  process::on<"uncaughtException">([log](std::exception_ptr e, ExceptionOrigin origin) {
    log("uncaught-", message(e), "-", name(origin));
  });
}

void reporting(Cases& add) {
  add("reported after the ticks and microtasks of the same callback", [](Log log) {
    sayUnhandled(log);
    reject("r");
    nextTick([log] {
      log("tick");
      nextTick(log.say("tick2"));
    });
    (void)P().then(log.say("micro")).then(log.say("micro2"));
    queueMicrotask([log] { nextTick(log.say("tick-of-micro")); });
    setImmediate(log.say("immediate"));
    log("sync");
  });
  add("a handler added by a tick or a microtask suppresses it", [](Log log) {
    sayUnhandled(log);
    const Promise<> a = R("a");
    nextTick([a, log] { (void)a.catch_(log.say("caught-by-tick")); });
    const Promise<> b = R("b");
    const auto catchB = [b, log] { (void)b.catch_(log.say("caught-by-micro")); };
    (void)P().then(catchB);
    const Promise<> c = R("c");
    const auto catchC = [c, log] {
      nextTick([c, log] { (void)c.catch_(log.say("caught-by-tick-of-micro")); });
    };
    (void)P().then(catchC);
    reject("d");
  });
  add("a handler added by an immediate comes too late", [](Log log) {
    sayUnhandled(log);
    process::on<"rejectionHandled">(log.say("rejectionHandled"));
    const Promise<> p = R("r");
    setImmediate([p, log] {
      log("immediate");
      (void)p.catch_(log.say("late-catch"));
      (void)P().then(log.say("micro"));
      nextTick(log.say("tick"));
      setImmediate(log.say("immediate2"));
    });
  });
  add("only the end of a chain is reported", [](Log log) {
    sayUnhandled(log);
    (void)R("a").then(log.say("never")).then(log.say("never")).finally(log.say("finally"));
  });
  add("each branch is reported", [](Log log) {
    sayUnhandled(log);
    const Promise<> p = R("a");
    (void)p.then(log.say("never"));
    (void)p.then(log.say("never"));
    (void)p.catch_(log.say("caught"));
  });
  add("in the order of the rejections", [](Log log) {
    sayUnhandled(log);
    (void)P().then([] { fail("third"); });
    reject("first");
    const auto async = []() -> Promise<> {
      fail("second");
      co_return;
    };
    (void)async();
    (void)P().then([] {}).then([] { fail("fourth"); });
  });
  add("of async functions", [](Log log) {
    sayUnhandled(log);
    const auto a = []() -> Promise<> {
      co_await yield();
      fail("a");
    };
    (void)a();
    const auto b = [](Log l) -> Promise<> {
      try {
        co_await R("b");
      } catch (const std::exception& e) {
        l("caught-", e.what());
        throw;
      }
    };
    (void)b(log);
    const auto c = [log]() -> Promise<> {
      log("timer");
      fail("c");
      co_return;
    };
    setTimeout(c, 1);
  });
  add("between two timers and between two immediates", [](Log log) {
    sayUnhandled(log);
    const auto rejecting = [log](const char* word, const char* reason) {
      return [=] {
        log(word);
        reject(reason);
      };
    };
    setTimeout(rejecting("timer1", "a"), 1);
    setTimeout(rejecting("timer2", "b"), 1);
    setImmediate(rejecting("immediate1", "c"));
    setImmediate(log.say("immediate2"));
    busy(4);
  });
}

void reportingLate(Cases& add) {
  add("what the handler queues comes before the next callback", [](Log log) {
    process::on<"unhandledRejection">([log](std::exception_ptr e) {
      const std::string text = message(e);
      log("unhandled-", text);
      nextTick([log, text] { log("tick-of-", text); });
      const auto micro = [log, text] { log("micro-of-", text); };
      (void)P().then(micro);
    });
    setImmediate([] {
      reject("a");
      reject("b");
    });
    setImmediate(log.say("immediate"));
  });
  add("a rejection made by the handler is reported too", [](Log log) {
    process::on<"unhandledRejection">([log, n = 0](std::exception_ptr e) mutable {
      log("unhandled-", message(e));
      if (++n < 3) reject(n == 1 ? "r1" : "r2");
    });
    reject("r0");
    setImmediate(log.say("immediate"));
  });
  add("a catch added by the handler", [](Log log) {
    const Promise<> p = R("a");
    process::on<"unhandledRejection">([log, p](std::exception_ptr e) {
      log("unhandled-", message(e));
      (void)p.catch_(log.say("caught"));
    });
    process::on<"rejectionHandled">(log.say("rejectionHandled"));
    setImmediate(log.say("immediate"));
  });
  add("handled late twice, of two promises", [](Log log) {
    sayUnhandled(log);
    process::on<"rejectionHandled">(log.say("rejectionHandled"));
    const Promise<> a = R("a");
    const Promise<> b = R("b");
    setImmediate([a, b, log] {
      (void)b.catch_(log.say("b"));
      (void)a.catch_(log.say("a"));
      (void)b.catch_(log.say("b-again"));
    });
  });
  add("a rejection that is awaited in time", [](Log log) {
    sayUnhandled(log);
    const auto awaiting = [](Promise<> p, Log l) -> Promise<> {
      co_await yield();
      co_await yield();
      try {
        co_await p;
      } catch (const std::exception& e) {
        l("caught-", e.what());
      }
    };
    (void)awaiting(R("a"), log);
  });
  add("a promise that adopts a rejected one", [](Log log) {
    sayUnhandled(log);
    const auto failed = [](const char* text) { return Promise<int>::reject(error(text)); };
    (void)Promise<int>([failed](auto resolve) { resolve(failed("a")); });
    (void)Promise<int>::resolve(failed("b"));
    const auto async = [](Promise<int> p) -> Promise<int> { co_return p; };
    (void)async(failed("c"));
  });
  add("a rejection goes to uncaughtException when only that is handled", [](Log log) {
    sayUncaughtAndOrigin(log);
    reject("a");
    nextTick(log.say("tick"));
    setImmediate(log.say("immediate"));
  });
  add("with both handlers a rejection goes to its own", [](Log log) {
    sayUncaught(log);
    sayUnhandled(log);
    reject("a");
    setImmediate([] { fail("b"); });
  });
}

/// A callback that says its name, queues a tick and a microtask, and may throw.
struct Thrower {
  Log log;
  const char* name;
  bool throws;
  void operator()() const {
    log(name);
    nextTick([log = log, name = name] { log(name, "-tick"); });
    (void)P().then([log = log, name = name] { log(name, "-micro"); });
    if (throws) fail(name);
  }
};

/// Queues a tick, then throws.
auto tickAndThrow(Log log, const char* tick, const char* text) {
  return [=] {
    nextTick(log.say(tick));
    fail(text);
  };
}

void exceptionsOfTimers(Cases& add) {
  add("out of a timer: at once", [](Log log) {
    sayUncaughtAndOrigin(log);
    const auto timer = [log] {
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      log("timer");
      fail("t");
    };
    setTimeout(timer, 1);
  });
  add("out of a timer: the next late timer comes before its ticks", [](Log log) {
    sayUncaught(log);
    setTimeout(Thrower{log, "a", true}, 1);
    setTimeout(Thrower{log, "b", false}, 1);
    setTimeout(Thrower{log, "c", false}, 1);
    busy(5);
  });
  add("out of a timer: the immediates come before its ticks", [](Log log) {
    sayUncaught(log);
    const auto timer = [log] {
      setImmediate(log.say("immediate"));
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      fail("t");
    };
    setTimeout(timer, 1);
  });
  add("out of two timers", [](Log log) {
    sayUncaught(log);
    setTimeout(tickAndThrow(log, "tick1", "a"), 1);
    setTimeout(tickAndThrow(log, "tick2", "b"), 1);
    setTimeout(log.say("c"), 1);
    setTimeout(log.say("d"), 3);
    busy(6);
  });
  add("out of a tick of a timer that has another behind it", [](Log log) {
    sayUncaught(log);
    const auto timer = [log] {
      nextTick([log] {
        log("tick1");
        fail("t");
      });
      nextTick(log.say("tick2"));
      (void)P().then(log.say("micro"));
    };
    setTimeout(timer, 1);
    setTimeout(log.say("timer2"), 1);
    setTimeout(log.say("timer3"), 1);
    busy(5);
  });
  add("out of an interval, which goes on", [](Log log) {
    sayUncaught(log);
    static Timeout interval;
    const auto callback = [log, n = 0]() mutable {
      log(++n);
      if (n == 3) return clearInterval(interval);
      fail(n == 1 ? "n1" : "n2");
    };
    interval = setInterval(callback, 1);
  });
}

void exceptionsOfImmediates(Cases& add) {
  add("out of an immediate: the next one comes before its ticks", [](Log log) {
    sayUncaught(log);
    setImmediate(Thrower{log, "a", true});
    setImmediate(Thrower{log, "b", false});
    setImmediate(Thrower{log, "c", false});
  });
  add("out of the last immediate", [](Log log) {
    sayUncaught(log);
    setImmediate([log] {
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      setImmediate(log.say("next-turn"));
      fail("i");
    });
  });
  add("out of two immediates", [](Log log) {
    sayUncaught(log);
    setImmediate(tickAndThrow(log, "tick1", "a"));
    setImmediate(tickAndThrow(log, "tick2", "b"));
    setImmediate(log.say("c"));
  });
  add("out of a tick of an immediate that has another behind it", [](Log log) {
    sayUncaught(log);
    setImmediate([log] {
      nextTick([log] {
        log("tick1");
        fail("t");
      });
      nextTick(log.say("tick2"));
      (void)P().then(log.say("micro"));
    });
    setImmediate(log.say("immediate2"));
    setImmediate(log.say("immediate3"));
  });
  add("out of a microtask of an immediate that has another behind it", [](Log log) {
    sayUncaught(log);
    setImmediate([log] {
      queueMicrotask(tickAndThrow(log, "tick", "m"));
      queueMicrotask(log.say("micro2"));
    });
    setImmediate(log.say("immediate2"));
  });
  add("a rejection and an exception of one callback", [](Log log) {
    sayUncaught(log);
    sayUnhandled(log);
    setImmediate([log] {
      reject("r");
      nextTick(log.say("tick"));
      fail("e");
    });
    setImmediate(log.say("immediate2"));
  });
  add("the handler queues a tick and a microtask", [](Log log) {
    process::on<"uncaughtException">([log](std::exception_ptr e, ExceptionOrigin) {
      log("uncaught-", message(e));
      nextTick(log.say("tick-of-handler"));
      (void)P().then(log.say("micro-of-handler"));
    });
    setImmediate(tickAndThrow(log, "tick", "a"));
    setImmediate(log.say("immediate2"));
  });
  add("the monitor is told first", [](Log log) {
    sayUncaught(log);
    process::on<"uncaughtExceptionMonitor">([log](std::exception_ptr e, ExceptionOrigin origin) {
      log("monitor-", message(e), "-", name(origin));
    });
    setImmediate([] { fail("a"); });
    setImmediate([] { reject("b"); });
  });
}

void exceptionsOfQueues(Cases& add) {
  add("out of a tick", [](Log log) {
    sayUncaught(log);
    nextTick([log] {
      log("tick1");
      fail("t");
    });
    nextTick(log.say("tick2"));
    (void)P().then(log.say("micro"));
    setImmediate(log.say("immediate"));
  });
  add("out of a microtask: those behind it go on", [](Log log) {
    sayUncaught(log);
    queueMicrotask([log] {
      log("micro1");
      nextTick(log.say("tick"));
      fail("m");
    });
    queueMicrotask(log.say("micro2"));
    (void)P().then(log.say("micro3"));
    setImmediate(log.say("immediate"));
  });
  add("out of a callback of the poll phase", [](Log log) {
    sayUncaught(log);
    onIo([log] {
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      setImmediate(log.say("immediate"));
      log("io");
      fail("io");
    });
  });
  add("an exception in a then-callback is a rejection", [](Log log) {
    sayUncaught(log);
    sayUnhandled(log);
    (void)P().then([] { fail("a"); }).catch_([log](const std::exception& e) {
      log("caught-", e.what());
    });
    (void)P().then([] { fail("b"); });
  });
}

}  // namespace

void rejectionCases(Cases& add) {
  add.topic("rejections");
  reporting(add);
  reportingLate(add);
  exceptionsOfTimers(add);
  exceptionsOfImmediates(add);
  exceptionsOfQueues(add);
}

}  // namespace order
