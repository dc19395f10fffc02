// SPDX-License-Identifier: MIT
// Beside promises.js: what promises and async functions do, and in which order among themselves.

#include "../order.hpp"

#include <algorithm>

namespace order {
namespace {

Promise<> P() { return Promise<>::resolve(); }
Promise<int> P(int value) { return Promise<int>::resolve(value); }
Promise<int> failed(const char* text) { return Promise<int>::reject(error(text)); }

/// Says when it is asked for its value.
class LoudThenable {
 public:
  LoudThenable(Log log, int value) noexcept : log_(log), value_(value) {}
  bool await_ready() const {
    log_("then-called");
    return true;
  }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return value_; }

 private:
  Log log_;
  int value_;
};

Promise<std::string> worker(Log log, const char* name, int n) {
  for (int i = 0; i < n; ++i) {
    log(name, i);
    co_await P(i);
  }
  log(name, "end");
  co_return name;
}
Promise<> workTogether(Log log) {
  Promise<std::string> b = worker(log, "b", 3);
  log("got-", co_await worker(log, "a", 2));
  log("got-", co_await b);
}
Promise<> innerCall(Log log) {
  log("inner");
  co_await yield();
  log("inner-later");
}
Promise<> job(Log log, const char* name, int ms) {
  log("start-", name);
  co_await sleep(ms);
  log("end-", name);
}
Promise<int> identity(int i) { co_return i; }
Promise<> counting(Log log, const char* name, int n) {
  for (int i = 0; i < n; ++i) {
    co_await yield();
    log(name, i);
  }
}
Promise<> nullTwice(Log log, const char* first, const char* second, const char* third) {
  log(first);
  co_await yield();
  log(second);
  co_await yield();
  log(third);
}

void basics(Cases& add) {
  add("the code in progress, ticks, promises, a timer", [](Log log) {
    log("start");
    setTimeout(log.say("timeout"), 1);
    (void)P().then(log.say("promise"));
    nextTick(log.say("tick"));
    log("end");
  });
  add("promises only", [](Log log) {
    log("1");
    (void)P().then(log.say("3")).then(log.say("5"));
    (void)P().then(log.say("4")).then(log.say("6"));
    log("2");
  });
  add("await null", [](Log log) {
    (void)nullTwice(log, "a1", "a2", "a3");
    (void)nullTwice(log, "b1", "b2", "b3");
    log("main");
  });
  add("a timer and a promise that a timer makes", [](Log log) {
    setTimeout(
        [log] {
          log("timeout");
          (void)P().then(log.say("promise"));
        },
        1);
    setTimeout(log.say("timeout2"), 1);
    (void)P().then([log] {
      log("first");
      setTimeout(log.say("timeout3"), 1);
    });
  });
  add("the executor runs at once and goes on after resolve", [](Log log) {
    log("before");
    const auto executor = [log](auto resolve) {
      log("executor");
      resolve("v");
      log("after-resolve");
    };
    (void)Promise<std::string>(executor).then([log](const std::string& v) { log("then-", v); });
    log("after");
  });
  add("only the first settling counts", [](Log log) {
    const auto say = [log](int value) { log(value); };
    const auto complain = [log](const std::exception& e) {
      log(e.what());
      return 0;
    };
    (void)Promise<int>([](auto resolve, auto reject) {
      resolve(1);
      resolve(2);
      reject(error("x"));
    }).then(say);
    (void)Promise<int>([](auto resolve, auto reject) {
      reject(error("y"));
      resolve(3);
    }).catch_(complain);
    (void)Promise<int>([](auto resolve) {
      resolve(4);
      throw error("z");
    }).then(say);
  });
  add("reactions of one promise come in order of subscription", [](Log log) {
    auto made = Promise<>::withResolvers();
    Promise<> p = made.promise;
    (void)p.then(log.say("a"));
    const auto awaiting = [](Promise<> promise, Log l) -> Promise<> {
      co_await promise;
      l("b");
    };
    (void)awaiting(p, log);
    (void)p.then(log.say("c")).then(log.say("e"));
    (void)p.finally(log.say("d"));
    made.resolve();
  });
  add("a reaction of a reaction", [](Log log) {
    const auto outer = [log] {
      log("outer1");
      (void)P().then(log.say("inner1")).then(log.say("inner2"));
    };
    (void)P().then(outer).then(log.say("outer2")).then(log.say("outer3"));
  });
}

void asyncFunctions(Cases& add) {
  add("return P against return await P against return", [](Log log) {
    const auto returnP = []() -> Promise<int> { co_return P(1); };
    const auto returnAwaitP = []() -> Promise<int> { co_return co_await P(1); };
    const auto returnOne = []() -> Promise<int> { co_return 1; };
    (void)returnP().then(log.say("return-P"));
    (void)returnAwaitP().then(log.say("return-await-P"));
    (void)returnOne().then(log.say("return"));
    Promise<> chain = P();
    for (const char* word : {"t1", "t2", "t3", "t4"}) chain = chain.then(log.say(word));
  });
  add("a then-callback that returns a promise, beside a plain chain", [](Log log) {
    const auto callback = [log] {
      log("0");
      return P();
    };
    (void)P().then(callback).then(log.say("4"));
    (void)P()
        .then(log.say("1"))
        .then(log.say("2"))
        .then(log.say("3"))
        .then(log.say("5"))
        .then(log.say("6"));
  });
  add("two async functions await each other by turns", workTogether);
  add("an async function is a call up to its first await", [](Log log) {
    const auto outer = [](Log l) -> Promise<> {
      l("outer");
      co_await innerCall(l);
      l("outer-later");
    };
    (void)outer(log);
    log("back");
  });
  add("await in try, catch and finally", [](Log log) {
    const auto body = [](Log l) -> Promise<> {
      try {
        struct Finally {
          explicit Finally(Log x) noexcept : log(x) {}
          ~Finally() { log("finally"); }
          Log log;
        } finally(l);
        co_await failed("x");
      } catch (const std::exception& e) {
        l("caught-", e.what());
      }
      co_await yield();
      l("after");
    };
    (void)body(log);
    (void)P().then(log.say("p1")).then(log.say("p2")).then(log.say("p3"));
  });
  add("async functions in series and in parallel", [](Log log) -> Promise<> {
    co_await job(log, "a", 1);
    co_await job(log, "b", 1);
    Promise<> c = job(log, "c", 1);
    Promise<> d = job(log, "d", 1);
    co_await c;
    co_await d;
    log("done");
  });
  add("the continuation of a sleep, a tick and a microtask", [](Log log) -> Promise<> {
    co_await Promise<>(sleep(1));
    log("awake");
    nextTick(log.say("tick"));
    (void)P().then(log.say("micro"));
    co_await yield();
    log("later");
  });
  add("a loop of awaits lets others in", [](Log log) {
    (void)counting(log, "a", 4);
    const auto calls = [](Log l) -> Promise<> {
      for (int i = 0; i < 2; ++i) {
        co_await identity(i);
        l("b", i);
      }
    };
    (void)calls(log);
    (void)P().then(log.say("c0")).then(log.say("c1")).then(log.say("c2"));
  });
}

void outcomes(Cases& add) {
  add("values and errors through a chain", [](Log log) {
    const auto fail = [](int v) -> int { throw error("e" + std::to_string(v)); };
    const auto recover = [log](const std::exception& e) {
      log(e.what());
      return 5;
    };
    (void)P(1)
        .then([](int v) { return v + 1; })
        .then(fail)
        .then([log](int v) {
          log("never");
          return v;
        })
        .catch_(recover)
        .finally(log.say("finally"))
        .then([log](int v) { log("v", v); });
  });
  add("finally keeps the outcome unless it fails", [](Log log) {
    const auto complain = [log](const char* word) {
      return [log, word](const std::exception& e) {
        log(word, e.what());
        return 0;
      };
    };
    const auto nine = [] { return 9; };
    const auto throwing = [](const char* text) { return [text] { throw error(text); }; };
    (void)P(1).finally(nine).then([log](int v) { log("a", v); });
    (void)failed("r").finally(nine).catch_(complain("b"));
    (void)P(2).finally(throwing("f")).catch_(complain("c"));
    (void)P(3).finally([] { return failed("g"); }).catch_(complain("d"));
    (void)failed("h").finally(throwing("i")).catch_(complain("e"));
  });
  add("then with both callbacks does not catch its own", [](Log log) {
    const auto fail = [](int) -> int { throw error("a"); };
    const auto never = [log](const std::exception&) {
      log("never");
      return 0;
    };
    const auto say = [log](const std::exception& e) {
      log(e.what());
      return 0;
    };
    (void)P(1).then(fail, never).catch_(say);
    (void)failed("b").then([log] { log("never"); },
                           [log](const std::exception& e) { log("got-", e.what()); });
  });
  add("a thenable is asked in a microtask", [](Log log) {
    (void)Promise<int>::resolve(LoudThenable(log, 7)).then([log](int v) { log("v", v); });
    log("sync");
    (void)P().then(log.say("p1")).then(log.say("p2")).then(log.say("p3"));
  });
  add("a then-callback returns a thenable", [](Log log) {
    (void)P().then([log] { return LoudThenable(log, 7); }).then([log](int v) { log("v", v); });
    (void)P().then(log.say("p1")).then(log.say("p2")).then(log.say("p3")).then(log.say("p4"));
  });
  add("a promise resolved with itself", [](Log log) {
    auto made = Promise<>::withResolvers();
    (void)made.promise.catch_([log](const std::exception& e) {
      std::string text = e.what();
      std::replace(text.begin(), text.end(), ' ', '-');
      log(text);
    });
    made.resolve(made.promise);
  });
  add("a promise adopts one that is still pending", [](Log log) {
    auto made = Promise<int>::withResolvers();
    const auto adopt = [inner = made.promise](auto resolve) { resolve(inner); };
    const Promise<int> outer(adopt);
    (void)outer.then([log](int v) { log("outer", v); });
    (void)made.promise.then([log](int v) { log("inner", v); });
    setTimeout(
        [settle = made.resolve, log] {
          settle(1);
          log("settled");
        },
        1);
  });
  add("an adopted promise rejects", [](Log log) {
    auto made = Promise<int>::withResolvers();
    const auto adopt = [inner = made.promise](auto resolve) { resolve(inner); };
    const Promise<int> outer(adopt);
    (void)outer.then([log] { log("never"); },
                     [log](const std::exception& e) { log("outer-", e.what()); });
    setImmediate([fail = made.reject] { fail(error("x")); });
  });
}

}  // namespace

void promiseCases(Cases& add) {
  add.topic("promises");
  basics(add);
  asyncFunctions(add);
  outcomes(add);
}

}  // namespace order
