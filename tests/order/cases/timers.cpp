// SPDX-License-Identifier: MIT
// Beside timers.js: setTimeout, setInterval, setImmediate.

#include "../order.hpp"

namespace order {
namespace {

Promise<> P() { return Promise<>::resolve(); }
void nothing() {}

void orders(Cases& add) {
  add("one duration is first in, first out", [](Log log) {
    for (const char* name : {"a", "b", "c", "d"}) setTimeout(log.say(name), 2);
  });
  add("delays that are no delays are one millisecond", [](Log log) {
    setTimeout(log.say("1"), 1);
    setTimeout(log.say("0"), 0);
    setTimeout(log.say("-5"), -5);
    setTimeout(log.say("nan"), std::numeric_limits<double>::quiet_NaN());
    setTimeout(log.say("2^31"), 2147483648LL);
    setTimeout(log.say("infinity"), std::numeric_limits<double>::infinity());
    setTimeout(log.say("1.9"), 1.9);
    setTimeout(log.say("none"));
    setTimeout(log.say("1-again"), 1);
  });
  add("the shorter one first", [](Log log) {
    setTimeout(log.say("long"), 800);
    setTimeout(log.say("short"), 2);
  });
  add("a late loop empties one duration before the next", [](Log log) {
    setTimeout(log.say("5-due-5"), 5);
    setTimeout(log.say("6-due-6"), 6);
    busy(12);
    setTimeout(log.say("5-due-17"), 5);
    busy(12);
  });
  add("a late loop: three durations", [](Log log) {
    setTimeout(log.say("2a"), 2);
    setTimeout(log.say("9a"), 9);
    setTimeout(log.say("30a"), 30);
    busy(10);
    setTimeout(log.say("9b"), 9);
    setTimeout(log.say("2b"), 2);
    busy(40);
    setTimeout(log.say("2c-not-due"), 60);
  });
  add("the clock is read again for each timer", [](Log log) {
    setTimeout(log.say("15-set-before"), 15);
    busy(30);
    setTimeout(log.say("1-set-after"), 1);
  });
  add("late timers are drained one by one", [](Log log) {
    const auto timer = [log](const char* name, const char* tick, const char* micro) {
      return [=] {
        log(name);
        nextTick(log.say(tick));
        (void)P().then(log.say(micro));
      };
    };
    setTimeout(timer("a", "a-tick", "a-micro"), 1);
    setTimeout(timer("b", "b-tick", "b-micro"), 1);
    setTimeout(timer("c", "c-tick", "c-micro"), 3);
    busy(8);
  });
  const auto outer = [](Log log) {
    return [log] {
      log("outer");
      setTimeout(log.say("inner"), 1);
      setImmediate(log.say("immediate"));
      busy(5);
    };
  };
  add("a timer set by a timer waits for another turn",
      [outer](Log log) { setTimeout(outer(log), 1); });
  add("a timer of a shorter duration set by a late timer waits too", [outer](Log log) {
    setTimeout(outer(log), 4);
    setTimeout(log.say("other"), 5);
    busy(10);
  });
  add("extra arguments", [](Log log) {
    const auto timeout = [log](int a, const std::string& b) { log("timeout", a, b); };
    setTimeout(timeout, 1, 1, std::string("x"));
    static Timeout interval;
    const auto onInterval = [log](int a) {
      log("interval", a);
      clearInterval(interval);
    };
    interval = setInterval(onInterval, 1, 2);
    setTimeout(
        [log] {
          const auto immediate = [log](int a, const char* b) { log("immediate", a, b); };
          setImmediate(immediate, 3, "y");
        },
        1);
  });
}

void clearing(Cases& add) {
  // A handle that the callback of another timer clears; cases run one at a time.
  static Timeout b;
  static Timeout c;
  add("clear inside of a batch", [](Log log) {
    const auto a = [log] {
      log("a");
      clearTimeout(b);
    };
    setTimeout(a, 1);
    b = setTimeout(log.say("b"), 1);
    setTimeout(log.say("c"), 1);
    busy(4);
  });
  add("clear inside of a batch, another duration", [](Log log) {
    const auto a = [log] {
      log("a");
      clearTimeout(b);
    };
    setTimeout(a, 1);
    b = setTimeout(log.say("b"), 2);
    setTimeout(log.say("c"), 2);
    busy(5);
  });
  add("clear by a tick or a microtask of the timer before", [](Log log) {
    const auto a = [log] {
      log("a");
      nextTick([] { clearTimeout(b); });
      (void)P().then([] { clearTimeout(c); });
    };
    setTimeout(a, 1);
    b = setTimeout(log.say("b"), 1);
    c = setTimeout(log.say("c"), 1);
    setTimeout(log.say("d"), 1);
    busy(4);
  });
  add("clear twice, clear itself, clear what has fired", [](Log log) {
    const Timeout never = setTimeout(log.say("never"), 1);
    clearTimeout(never);
    clearTimeout(never);
    const auto self = [log] {
      log("self");
      clearTimeout(b);
    };
    b = setTimeout(self, 1);
    const Timeout fired = setTimeout(log.say("fired"), 1);
    const auto end = [log, fired] {
      clearTimeout(fired);
      clearTimeout(Timeout());
      log("end");
    };
    setTimeout(end, 1);
  });
  add("clearTimeout clears an interval, clearInterval a timeout", [](Log log) {
    const auto interval = [log] {
      log("interval");
      clearTimeout(b);
    };
    b = setInterval(interval, 1);
    const Timeout timeout = setTimeout(log.say("never"), 1);
    clearInterval(timeout);
  });
  add("all of a duration cleared, then one set again", [](Log log) {
    clearTimeout(setTimeout(log.say("never"), 2));
    setTimeout(log.say("b"), 2);
    setTimeout(log.say("c"), 2);
  });
}

void intervals(Cases& add) {
  static Timeout interval;
  add("an interval ends when its callback clears it", [](Log log) {
    const auto callback = [log, n = 0]() mutable {
      log(++n);
      nextTick([log, n] { log("tick", n); });
      if (n == 3) clearInterval(interval);
    };
    interval = setInterval(callback, 1);
  });
  add("after a block an interval does not catch up", [](Log log) {
    const auto callback = [log, n = 0]() mutable {
      log(++n);
      setImmediate([log, n] { log("immediate", n); });
      if (n == 1) busy(45);
      if (n == 3) clearInterval(interval);
    };
    interval = setInterval(callback, 10);
  });
  add("the next of an interval is counted from the start of the callback", [](Log log) {
    const auto callback = [log, n = 0]() mutable {
      log("interval", ++n);
      if (n == 2) return clearInterval(interval);
      busy(80);
      setTimeout(log.say("timeout"), 60);
    };
    interval = setInterval(callback, 100);
  });
  add("two intervals of one duration", [](Log log) {
    static Timeout timers[2];
    static int left;
    left = 6;
    const auto every = [log](const char* name, int index) {
      const auto callback = [log, name, index] {
        log(name);
        if (--left <= 1) clearInterval(timers[index]);
      };
      timers[index] = setInterval(callback, 2);
    };
    every("a", 0);
    every("b", 1);
  });
}

void refreshing(Cases& add) {
  static Timeout timer;
  add("refresh sends a waiting timer to the end", [](Log log) {
    const Timeout a = setTimeout(log.say("a"), 5);
    setTimeout(log.say("b"), 5);
    a.refresh();
  });
  add("refresh starts a fired timer again", [](Log log) {
    const auto callback = [log, n = 0]() mutable {
      log("fired", ++n);
      if (n < 3) setImmediate([] { timer.refresh(); });
    };
    timer = setTimeout(callback, 1);
  });
  add("refresh inside of the callback", [](Log log) {
    const auto callback = [log, n = 0]() mutable {
      log("fired", ++n);
      if (n < 3) timer.refresh();
    };
    timer = setTimeout(callback, 1);
  });
  add("refresh does nothing after clear", [](Log log) {
    const Timeout cleared = setTimeout(log.say("never"), 1);
    clearTimeout(cleared);
    cleared.refresh();
    setTimeout(log.say("end"), 3);
  });
}

void refreshingInTicks(Cases& add) {
  static Timeout b;
  static Timeout c;
  add("refresh by a tick of the timer before", [](Log log) {
    const auto a = [log] {
      log("a");
      nextTick([] {
        b.refresh();
        c.refresh();
      });
    };
    setTimeout(a, 2);
    b = setTimeout(log.say("b"), 2);
    c = setTimeout(log.say("c"), 2);
    setTimeout(log.say("d"), 2);
    setImmediate(log.say("immediate"));
    busy(5);
  });
  add("refresh by a microtask of a timer of another duration", [](Log log) {
    const auto a = [log] {
      log("a");
      (void)P().then([] { b.refresh(); });
    };
    setTimeout(a, 2);
    b = setTimeout(log.say("b"), 3);
    setTimeout(log.say("c"), 3);
    setImmediate(log.say("immediate"));
    busy(8);
  });
  add("refresh, then clear, by a tick of the timer before", [](Log log) {
    const auto a = [log] {
      log("a");
      nextTick([] {
        b.refresh();
        clearTimeout(b);
      });
    };
    setTimeout(a, 2);
    b = setTimeout(log.say("never"), 2);
    setTimeout(log.say("c"), 2);
    busy(5);
  });
  add("refresh of an interval by a tick of the timer before", [](Log log) {
    const auto a = [log] {
      log("a");
      nextTick([] { b.refresh(); });
    };
    setTimeout(a, 2);
    const auto each = [log, n = 0]() mutable {
      log("b", ++n);
      if (n == 2) clearInterval(b);
    };
    b = setInterval(each, 2);
    setTimeout(log.say("c"), 2);
    setImmediate(log.say("immediate"));
    busy(5);
  });
}

void references(Cases& add) {
  add("hasRef", [](Log log) {
    const auto say = [log](bool yes) { log(yes ? "true" : "false"); };
    const Timeout timer = setTimeout(nothing, 1);
    say(timer.hasRef());
    say(timer.unref().hasRef());
    say(timer.ref().hasRef());
    const Immediate immediate = setImmediate(nothing);
    say(immediate.hasRef());
    say(immediate.unref().hasRef());
    say(immediate.ref().hasRef());
  });
  add("an unreferenced timer fires while something else holds the loop", [](Log log) {
    setTimeout(log.say("unref"), 1).unref();
    setTimeout(log.say("ref"), 1);
    busy(4);
  });
  add("an unreferenced timer in a list with others keeps its place", [](Log log) {
    setTimeout(log.say("a"), 1);
    setTimeout(log.say("b"), 1).unref();
    setTimeout(log.say("c"), 1);
    busy(4);
  });
  add("an unreferenced timer does not hold the loop", [](Log log) {
    setTimeout(log.say("never"), 60000).unref();
    setTimeout(log.say("end"), 1);
  });
}

void immediates(Cases& add) {
  static Immediate b;
  add("immediates in order, those made by them in the next turn", [](Log log) {
    const auto a = [log] {
      log("a");
      setImmediate(log.say("a-next"));
      nextTick(log.say("a-tick"));
      (void)P().then(log.say("a-micro"));
    };
    setImmediate(a);
    setImmediate([log] {
      log("b");
      setImmediate(log.say("b-next"));
    });
    setImmediate(log.say("c"));
  });
  add("clearImmediate inside of the batch", [](Log log) {
    setImmediate([log] {
      log("a");
      clearImmediate(b);
    });
    b = setImmediate(log.say("b"));
    setImmediate(log.say("c"));
  });
  add("clearImmediate before, twice, and of itself", [](Log log) {
    const Immediate never = setImmediate(log.say("never"));
    clearImmediate(never);
    clearImmediate(never);
    b = setImmediate([log] {
      log("self");
      clearImmediate(b);
    });
    setImmediate([log] {
      clearImmediate(b);
      log("end");
    });
  });
  add("clearImmediate by a tick of the immediate before", [](Log log) {
    setImmediate([log] {
      log("a");
      nextTick([] { clearImmediate(b); });
    });
    b = setImmediate(log.say("b"));
    setImmediate(log.say("c"));
  });
  add("a due timer comes between two turns of immediates", [](Log log) {
    setImmediate([log] {
      log("immediate1");
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate2"));
      busy(5);
    });
  });
  add("work in chunks by immediates lets a timer through", [](Log log) {
    static bool done;
    done = false;
    setTimeout(
        [log] {
          log("timer");
          done = true;
        },
        1);
    struct Chunk {
      Log log;
      int chunks;
      void operator()() const {
        busy(3);
        if (chunks < 3) {
          setImmediate(Chunk{log, chunks + 1});
        } else {
          log(done ? "timer-was-let-through" : "timer-starved");
        }
      }
    };
    Chunk{log, 1}();
  });
  add("an immediate set by a tick or a microtask of an immediate", [](Log log) {
    setImmediate([log] {
      nextTick([log] { setImmediate(log.say("from-tick")); });
      (void)P().then([log] { setImmediate(log.say("from-micro")); });
      setImmediate(log.say("direct"));
    });
  });
}

}  // namespace

void timerCases(Cases& add) {
  add.topic("timers");
  orders(add);
  clearing(add);
  intervals(add);
  refreshing(add);
  refreshingInTicks(add);
  references(add);
  immediates(add);
}

}  // namespace order
