// SPDX-License-Identifier: MIT
// Beside generators.js: async generators.

#include "../order.hpp"

namespace order {
namespace {

struct Finally {
  explicit Finally(Log l) noexcept : log(l) {}
  ~Finally() { log("finally"); }
  Log log;
};

AsyncGenerator<int> numbers(Log log, int n) {
  log("begin");
  Finally finally(log);
  for (int i = 1; i <= n; ++i) {
    log("yield", i);
    co_yield i;
  }
  log("end");
}
AsyncGenerator<int> slow(Log log) {
  for (int i = 1; i <= 3; ++i) {
    co_await sleep(1);
    log("awake", i);
    co_yield i;
  }
}
AsyncGenerator<int> oneThenFail() {
  co_yield 1;
  throw error("x");
}
AsyncGenerator<int> failAtOnce(Log log) {
  log("begin");
  throw error("x");
  co_yield 0;
}
AsyncGenerator<int> doubled(Log log, AsyncGenerator<int> inner) {
  while (auto n = co_await inner.next()) co_yield 2 * *n;
  log("outer-end");
}
AsyncGenerator<char> letters(Log log) {
  for (const char c : {'a', 'b'}) {
    log("yield-", c);
    co_yield c;
  }
}
AsyncGenerator<int> rejecting(Log log) {
  co_yield 1;
  try {
    co_await Promise<>::reject(error("inner"));
  } catch (const std::exception& e) {
    log("inside-", e.what());
  }
  co_yield 2;
  co_await Promise<>::reject(error("outer"));
}

Promise<> sayNext(Log log, AsyncGenerator<int>& g) {
  const bool more = (co_await g.next()).has_value();
  log(more ? "more" : "done");
}
Promise<> consume(Log log, AsyncGenerator<int> g, int until) {
  while (auto n = co_await g.next()) {
    log("got", *n);
    if (*n == until) break;
  }
}

void turns(Cases& add) {
  add("the body starts at the first next", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = numbers(log, 1);
    log("made");
    log("got", (co_await g.next()).value());
    co_await sayNext(log, g);
    co_await sayNext(log, g);
  });
  add("producer and consumer by turns", [](Log log) -> Promise<> {
    co_await consume(log, numbers(log, 3), 0);
    log("after");
  });
  add("a generator that awaits", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = slow(log);
    while (auto n = co_await g.next()) {
      log("got", *n);
      co_await sleep(1);
    }
  });
  add("a generator over a generator",
      [](Log log) { return consume(log, doubled(log, numbers(log, 2)), 0); });
  add("two generators by turns", [](Log log) -> Promise<> {
    AsyncGenerator<char> a = letters(log);
    AsyncGenerator<int> b = numbers(log, 2);
    bool more = true;
    while (more) {
      auto x = co_await a.next();
      auto y = co_await b.next();
      more = x && y;
      if (more) log(*x, *y);
    }
    log("after");
  });
  add("an empty generator", [](Log log) -> Promise<> {
    co_await consume(log, numbers(log, 0), 0);
    log("after");
  });
}

void endings(Cases& add) {
  add("an exception of the body reaches the consumer once", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = oneThenFail();
    try {
      while (auto n = co_await g.next()) log("got", *n);
    } catch (const std::exception& e) {
      log("caught-", e.what());
    }
    co_await sayNext(log, g);
  });
  add("an exception before the first yield", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = failAtOnce(log);
    try {
      co_await g.next();
    } catch (const std::exception& e) {
      log("caught-", e.what());
    }
  });
  add("breaking out runs the clean-up", [](Log log) -> Promise<> {
    co_await consume(log, numbers(log, 5), 2);
    log("after");
  });
  add("an exception of the consumer runs the clean-up", [](Log log) -> Promise<> {
    try {
      AsyncGenerator<int> g = numbers(log, 5);
      while (auto n = co_await g.next()) {
        log("got", *n);
        throw error("x");
      }
    } catch (const std::exception& e) {
      log("caught-", e.what());
    }
  });
  add("return ends it where it rests", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = numbers(log, 5);
    log("got", (co_await g.next()).value());
    g.return_();
    co_await sayNext(log, g);
  });
  add("return before the first next never starts the body", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = numbers(log, 5);
    g.return_();
    co_await sayNext(log, g);
  });
  add("a generator that rejects a promise that it awaits", [](Log log) -> Promise<> {
    AsyncGenerator<int> g = rejecting(log);
    try {
      while (auto n = co_await g.next()) log("got", *n);
    } catch (const std::exception& e) {
      log("outside-", e.what());
    }
  });
}

}  // namespace

void generatorCases(Cases& add) {
  add.topic("generators");
  turns(add);
  endings(add);
}

}  // namespace order
