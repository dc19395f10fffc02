// SPDX-License-Identifier: MIT
// Beside combinators.js: every outcome, empty, nested, and what becomes of the others.
// C++ does not say which argument of a call is evaluated first: two async functions that do something
// visible when called have names, or are Tasks, which the combinator starts from left to right.

#include "../order.hpp"

namespace order {
namespace {

Promise<int> P(int value) { return Promise<int>::resolve(value); }
Promise<> P() { return Promise<>::resolve(); }
Promise<int> R(const char* text) { return Promise<int>::reject(error(text)); }
Promise<int> after(int ms, int value) {
  co_await sleep(ms);
  co_return value;
}
Promise<int> failAfter(int ms, const char* text) {
  co_await sleep(ms);
  throw error(text);
  co_return 0;
}
/// As JavaScript's `async` function; the call starts it.
Promise<int> task(Log log, const char* name, int value) {
  log("start-", name);
  co_await yield();
  log("end-", name);
  co_return value;
}
/// The same as a Task, which a combinator starts.
Task<int> lazyTask(Log log, const char* name, int value) {
  log("start-", name);
  co_await yield();
  log("end-", name);
  co_return value;
}

std::string show(int value) { return std::to_string(value); }
std::string show(const std::string& value) { return value; }
template <class T>
std::string show(Result<T> result) {
  return result ? show(result.value()) : "!" + message(result.error());
}
void join(std::string& out, const std::string& part) {
  if (!out.empty()) out += ",";
  out += part;
}
template <class... T>
std::string show(const std::tuple<T...>& values) {
  std::string out;
  std::apply([&](const auto&... each) { (join(out, show(each)), ...); }, values);
  return out;
}
template <class T>
std::string show(const std::vector<T>& values) {
  std::string out;
  for (const T& each : values) join(out, show(each));
  return out;
}

/// Says how a promise ends.
template <class T>
void tell(Log log, const char* name, const Promise<T>& promise) {
  const auto good = [log, name](const T& value) { log(name, "=", show(value)); };
  const auto bad = [log, name](std::exception_ptr e) { log(name, "!", message(e)); };
  (void)promise.then(good, bad);
}
constexpr auto joined = [](const auto& values) { return show(values); };

void chain(Log log) { (void)P().then(log.say("t1")).then(log.say("t2")); }
void sayUnhandled(Log log) {
  process::on<"unhandledRejection">([log](std::exception_ptr e) { log("unhandled-", message(e)); });
}

void allCases(Cases& add) {
  add("all: values in the order of the inputs",
      [](Log log) { tell(log, "all", all(after(1, 1), P(2), 3)); });
  add("all: the first rejection wins, the others go on",
      [](Log log) { tell(log, "all", all(task(log, "a", 1), R("x"), R("y"))); });
  add("all: a late rejection after the first is not unhandled", [](Log log) {
    sayUnhandled(log);
    const Promise<int> x = failAfter(1, "x");
    const Promise<int> y = failAfter(1, "y");
    tell(log, "all", all(x, y));
  });
  add("all: async functions start left to right at once", [](Log log) {
    tell(log, "all", all(lazyTask(log, "a", 1), lazyTask(log, "b", 2), lazyTask(log, "c", 3)));
    log("sync");
  });
  add("all: nested", [](Log log) {
    tell(log, "nested", all(all(P(1), P(2)).then(joined), race(P(3), P(4))));
    Promise<> steps = P();
    for (const char* word : {"t1", "t2", "t3", "t4", "t5"}) steps = steps.then(log.say(word));
  });
  add("all: of nothing, beside a chain", [](Log log) {
    tell(log, "all", all(std::vector<Promise<int>>()));
    chain(log);
  });
  add("all: the same promise twice", [](Log log) {
    const Promise<int> p = after(1, 5);
    tell(log, "all", all(p, p));
  });
  add("all: settled by the last input, in its own turn", [](Log log) {
    const auto text = [](const char* word) -> Promise<std::string> {
      co_await sleep(1);
      co_return word;
    };
    const Promise<std::string> a = text("a");
    const Promise<std::string> b = text("b");
    tell(log, "all", all(a, b));
    setTimeout(log.say("timer"), 1);
  });
}

void settledCases(Cases& add) {
  add("allSettled: every outcome", [](Log log) {
    tell(log, "settled", allSettled(P(1), R("x"), after(1, 3), failAfter(1, "y")));
  });
  add("allSettled: of nothing", [](Log log) {
    tell(log, "settled", allSettled(std::vector<Promise<int>>()));
    chain(log);
  });
  add("allSettled: of failures never rejects", [](Log log) {
    const std::vector<Promise<int>> inputs = {R("x"), R("y")};
    tell(log, "settled", allSettled(inputs));
  });
}

void raceCases(Cases& add) {
  add("race: the first to settle, by value",
      [](Log log) { tell(log, "race", race(after(1, 1), P(2), R("x"))); });
  add("race: the first to settle, by error",
      [](Log log) { tell(log, "race", race(R("x"), P(2))); });
  add("race: the loser goes on", [](Log log) { tell(log, "race", race(task(log, "a", 1), P(2))); });
  add("race: a loser that rejects is not unhandled", [](Log log) {
    sayUnhandled(log);
    tell(log, "race", race(P(1), failAfter(1, "x")));
  });
  add("race: of nothing stays pending", [](Log log) {
    (void)race(std::vector<Promise<int>>()).then(log.say("never"), log.say("never"));
    setTimeout(log.say("timer"), 1);
  });
  add("race: a sleep against an immediate", [](Log log) {
    const auto one = [] { return std::string("one"); };
    tell(log, "race", race(sleep(1), nextImmediate()).then(one));
  });
}

void anyCases(Cases& add) {
  add("any: the first value, errors do not matter",
      [](Log log) { tell(log, "any", any(R("x"), after(1, 2), P(3))); });
  add("any: all fail, the reasons in the order of the inputs",
      [](Log log) { tell(log, "any", any(failAfter(1, "x"), R("y"), R("z"))); });
  add("any: of nothing", [](Log log) {
    tell(log, "any", any(std::vector<Promise<int>>()));
    chain(log);
  });
  add("any: the message of its error", [](Log log) {
    (void)any(R("x")).catch_<AggregateError>([log](const AggregateError& e) {
      std::string text(e.message());
      for (char& c : text) c = c == ' ' ? '-' : c;
      log(e.name(), ":", text);
      return 0;
    });
  });
  add("any: nested errors", [](Log log) { tell(log, "any", any(any(R("a"), R("b")), R("c"))); });
}

template <class Inputs>
void tellAllFour(Log log, const Inputs& inputs) {
  tell(log, "all", all(inputs));
  tell(log, "settled", allSettled(inputs));
  tell(log, "race", race(inputs));
  tell(log, "any", any(inputs));
}

Promise<> awaitResults(Log log) {
  auto [a, b] = co_await all(P(1), Promise<std::string>::resolve("two"));
  log(a, b);
  log(co_await race(Promise<std::string>::resolve("r"), Promise<std::string>::resolve("s")));
  std::string text;
  try {
    co_await any(R("x"), R("y"));
  } catch (const AggregateError&) {
    text = message(std::current_exception());
  }
  log(text);
}
Promise<> batches(Log log) {
  const auto item = [](Log l, int batch, int i) -> Task<> {
    co_await yield();
    l(batch, ".", i);
  };
  for (int batch = 0; batch < 2; ++batch) {
    co_await all(item(log, batch, 0), item(log, batch, 1), item(log, batch, 2));
    log("batch", batch);
  }
}

}  // namespace

void combinatorCases(Cases& add) {
  add.topic("combinators");
  allCases(add);
  settledCases(add);
  raceCases(add);
  anyCases(add);
  add("four combinators over the same promises", [](Log log) {
    tellAllFour(log, std::vector<Promise<int>>{P(1), R("x"), P(2)});
    (void)P().then(log.say("t1")).then(log.say("t2")).then(log.say("t3"));
  });
  add("four combinators over promises that settle later", [](Log log) {
    auto first = Promise<int>::withResolvers();
    auto second = Promise<int>::withResolvers();
    tellAllFour(log, std::vector<Promise<int>>{first.promise, second.promise});
    setImmediate([log, settle = first.resolve, fail = second.reject] {
      fail(error("x"));
      log("failed");
      setImmediate([log, settle] {
        settle(1);
        log("settled");
      });
    });
  });
  add("await of the results", awaitResults);
  add("all in a row: batches of three", batches);
}

}  // namespace order
