// SPDX-License-Identifier: MIT
// Beside stores.js: what is in the store wherever a callback or a coroutine goes on.

#include "../order.hpp"

#include <leat/abort.hpp>

namespace order {
namespace {

using Storage = AsyncLocalStorage<std::string>;

Storage& als() {
  static Storage storage;
  return storage;
}
template <class F>
decltype(auto) in(const char* store, F f) {
  return als().run(store, f);
}
std::string text(const Storage& storage) {
  const auto store = storage.getStore();
  return store ? *store : "-";
}
Promise<> P() { return Promise<>::resolve(); }

/// Says a word and the store.
struct Sayer {
  Log log;
  void operator()(const char* word) const { log(word, "=", text(als())); }
};
/// The same as a callback.
struct Said {
  Log log;
  const char* word;
  template <class... Args>
  void operator()(const Args&...) const {
    Sayer{log}(word);
  }
};

Promise<> threeTimes(Log log, const char* name) {
  for (int i = 0; i < 3; ++i) {
    Sayer{log}(name);
    co_await P();
  }
}
Promise<> inner(Log log) {
  const Sayer say{log};
  say("inner");
  co_await yield();
  say("inner2");
  in("2", [say] { say("other"); });
}
Promise<> twice(Log log, const char* first, const char* second) {
  Sayer{log}(first);
  co_await yield();
  Sayer{log}(second);
}

void running(Cases& add) {
  add("run, nested, and back", [](Log log) {
    const Sayer say{log};
    say("before");
    in("1", [say] {
      say("in1");
      in("2", [say] { say("in2"); });
      say("in1-again");
    });
    say("after");
  });
  add("run gives back what the function gives, and lets exceptions through", [](Log log) {
    log(in("1", [] { return 5; }));
    log(als().run("1", [](int a, int b) { return a + b; }, 2, 3));
    try {
      in("1", [] { throw error("x"); });
    } catch (const std::exception& e) {
      log(e.what());
    }
    Sayer{log}("after");
  });
  add("every kind of callback", [](Log log) {
    static Timeout interval;
    in("7", [log] {
      nextTick(Said{log, "tick"});
      queueMicrotask(Said{log, "microtask"});
      (void)P().then(Said{log, "then"});
      (void)Promise<>::reject(error("x")).catch_(Said{log, "catch"});
      (void)P().finally(Said{log, "finally"});
      setImmediate(Said{log, "immediate"});
      setTimeout(Said{log, "timeout"}, 1);
      const auto onInterval = [log] {
        Sayer{log}("interval");
        clearInterval(interval);
      };
      interval = setInterval(onInterval, 1);
      busy(3);
    });
    nextTick(Said{log, "tick-outside"});
    setImmediate(Said{log, "immediate-outside"});
  });
  add("exit", [](Log log) {
    const Sayer say{log};
    in("1", [log, say] {
      als().exit([log, say] {
        say("exited");
        setImmediate(Said{log, "immediate"});
      });
      say("in");
    });
  });
  add("two storages", [](Log log) {
    static Storage other;
    const auto say = [log](const char* word) { log(word, "=", text(als()), "/", text(other)); };
    in("1", [say] {
      other.run("2", [say] {
        say("both");
        nextTick(say, "tick");
        als().exit([say] { say("one"); });
      });
    });
    other.run("3", [say] { (void)P().then([say] { say("other"); }); });
  });
}

void promises(Cases& add) {
  add("the store of a then is the one where it was called", [](Log log) {
    const Promise<> p = in("1", [] { return P(); });
    (void)p.then(Said{log, "outside"});
    in("2", [&] { (void)p.then(Said{log, "in2"}).then(Said{log, "in2-chained"}); });
    auto later = in("3", [] { return Promise<>::withResolvers(); });
    in("4", [&] { (void)later.promise.then(Said{log, "in4"}); });
    (void)later.promise.then(Said{log, "outside-later"});
    in("5", [&] { later.resolve(); });
  });
  add("an await goes on in its own store, whoever settles", [](Log log) {
    auto made = Promise<>::withResolvers();
    const auto waiter = [](Log l, Promise<> p) -> Promise<> {
      const Sayer say{l};
      say("a");
      co_await p;
      say("b");
      co_await yield();
      say("c");
    };
    in("1", [&] { (void)waiter(log, made.promise); });
    in("2", [&] { made.resolve(); });
    Sayer{log}("outside");
  });
  add("two async functions side by side", [](Log log) {
    in("x", [log] { (void)threeTimes(log, "a"); });
    in("y", [log] { (void)threeTimes(log, "b"); });
    (void)threeTimes(log, "c");
  });
  add("through calls of async functions", [](Log log) {
    const auto outer = [](Log l) -> Promise<> {
      co_await inner(l);
      Sayer{l}("outer");
    };
    in("1", [&] { (void)outer(log); });
  });
  add("combinators", [](Log log) {
    in("1", [log] {
      Promise<> a = twice(log, "a", "a2");
      Promise<> b = in("2", [log] { return twice(log, "b", "b2"); });
      (void)all(a, b).then(Said{log, "all"});
    });
    const auto racing = [](Log l) -> Promise<> {
      Promise<> c = twice(l, "c", "c2");
      Promise<> d = twice(l, "d", "d2");
      co_await race(c, d);
      Sayer{l}("race");
    };
    in("3", [&] { (void)racing(log); });
  });
  add("finally and then that return promises", [](Log log) {
    const auto returning = [log](const char* word) {
      return [log, word] {
        Sayer{log}(word);
        return P();
      };
    };
    in("1", [&] { (void)P().finally(returning("finally")).then(Said{log, "then"}); });
    in("2", [&] { (void)P().then(returning("callback")).then(Said{log, "then2"}); });
  });
  add("a snapshot calls with the stores of where it was made", [](Log log) {
    const Sayer say{log};
    const auto there = in("1", [] { return AsyncLocalStorage<>::snapshot(); });
    const auto nowhere = AsyncLocalStorage<>::snapshot();
    in("2", [&] {
      log(there([](int a, int b) { return a + b; }, 2, 3));
      there(say, "there");
      there([&] {
        say("a");
        there(say, "b");
        nowhere(say, "nowhere");
        say("c");
      });
      say("here");
      there([&] { nextTick(say, "tick"); });
      try {
        there([] { throw error("x"); });
      } catch (const std::exception& e) {
        log(e.what());
      }
      say("here-again");
    });
    const auto async = [](Log l) -> Promise<> {
      Sayer{l}("async");
      co_await yield();
      Sayer{l}("async2");
    };
    const auto caller = [async](Log l, leat::ContextSnapshot from) -> Promise<> {
      co_await from(async, l);
      Sayer{l}("after");
    };
    in("4", [&] { (void)caller(log, there); });
  });
  add("a bound function is called with the stores of where it was bound", [](Log log) {
    static Storage other;
    const Sayer say{log};
    const auto both = [log] { log(text(als()), "/", text(other)); };
    const auto bound = in(
        "1", [both] { return other.run("2", [both] { return AsyncLocalStorage<>::bind(both); }); });
    bound();
    in("3", [&] {
      bound();
      setImmediate(bound);
      nextTick(bound);
      both();
    });
    const auto free = AsyncLocalStorage<>::bind(say);
    in("4", [&] {
      say("in");
      free("free");
    });
    const auto f = [](Log l) -> Promise<> {
      Sayer{l}("f");
      co_await yield();
      Sayer{l}("g");
    };
    const auto async = in("5", [f] { return AsyncLocalStorage<>::bind(f); });
    const auto caller = [](Log l, decltype(async) call) -> Promise<> {
      co_await call(l);
      Sayer{l}("after");
    };
    in("6", [&] { (void)caller(log, async); });
  });
  add("a thenable is asked in the store of the resolve", [](Log log) {
    struct Asked {
      explicit Asked(Log l) noexcept : log(l) {}
      bool await_ready() const {
        Sayer{log}("then-called");
        return true;
      }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      int await_resume() const noexcept { return 1; }
      Log log;
    };
    in("1", [log] { (void)Promise<int>::resolve(Asked(log)).then(Said{log, "then"}); });
  });
}

void timersAndSleeps(Cases& add) {
  add("sleeping", [](Log log) {
    const auto ab = [](Log l) -> Promise<> {
      co_await sleep(1);
      Sayer{l}("a");
      co_await sleep(1);
      Sayer{l}("b");
    };
    const auto c = [](Log l) -> Promise<> {
      co_await sleep(1);
      Sayer{l}("c");
    };
    in("1", [&] { (void)ab(log); });
    in("2", [&] { (void)c(log); });
  });
  add("a timer set by a timer, a promise made by an immediate", [](Log log) {
    const auto timer = [log] {
      setTimeout(Said{log, "timer"}, 1);
      setImmediate([log] { (void)P().then(Said{log, "promise"}); });
    };
    in("1", [&] { setTimeout(timer, 1); });
  });
  add("a refreshed timer keeps the store where it was made", [](Log log) {
    const Timeout timer = in("1", [log] { return setTimeout(Said{log, "timer"}, 1); });
    in("2", [&] { timer.refresh(); });
  });
}

void entering(Cases& add) {
  add("enterWith lasts to the end of the callback and in what starts from it", [](Log log) {
    setImmediate([log] {
      Sayer{log}("before");
      als().enterWith("3");
      Sayer{log}("after");
      nextTick(Said{log, "tick"});
      (void)P().then(Said{log, "micro"});
      setTimeout(Said{log, "timeout"}, 1);
    });
    setImmediate(Said{log, "next"});
  });
  add("enterWith inside of run ends with it", [](Log log) {
    in("1", [log] {
      als().enterWith("2");
      Sayer{log}("in");
    });
    Sayer{log}("after");
  });
  add("enterWith in an async function", [](Log log) {
    const auto async = [log]() -> Promise<> {
      als().enterWith("1");
      co_await yield();
      Sayer{log}("one");
      als().enterWith("2");
      co_await yield();
      Sayer{log}("two");
    };
    setImmediate(async);
    setImmediate(Said{log, "outside"});
  });
  add("enterWith after an await does not reach the caller", [](Log log) {
    const auto f = [](Log l) -> Promise<> {
      co_await yield();
      als().enterWith("9");
      Sayer{l}("f");
    };
    const auto caller = [f](Log l) -> Promise<> {
      co_await f(l);
      Sayer{l}("caller");
    };
    (void)caller(log);
  });
}

void aborting(Cases& add) {
  // Kept until the end of the case, as Node keeps a signal that somebody listens to.
  static std::vector<AbortRegistration> listening;
  add("listeners of a timeout signal run where the signal was made", [](Log log) {
    listening.clear();
    const AbortSignal signal = in("1", [] { return AbortSignal::timeout(1); });
    in("2", [&] { listening.push_back(signal.onAbort(Said{log, "from2"})); });
    listening.push_back(signal.onAbort(Said{log, "outside"}));
    const AbortSignal any = in("3", [&] { return AbortSignal::any(signal); });
    listening.push_back(any.onAbort(Said{log, "any"}));
    setTimeout([] { listening.clear(); }, 8);
    als().enterWith("4");
  });
  add("listeners run where the signal is aborted", [](Log log) {
    const AbortController controller;
    in("1", [&] { listening.push_back(controller.signal().onAbort(Said{log, "listener"})); });
    const auto abort = [controller] {
      controller.abort();
      listening.clear();
    };
    in("2", [&] { setTimeout(abort, 1); });
  });
}

}  // namespace

void storeCases(Cases& add) {
  add.topic("stores");
  aborting(add);
  running(add);
  promises(add);
  timersAndSleeps(add);
  entering(add);
}

}  // namespace order
