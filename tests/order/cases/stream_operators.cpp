// SPDX-License-Identifier: MIT
// Beside stream_operators.js: what the operators of streams give, of calls that take their time.

#include "../streams.hpp"

namespace order {
namespace {

using Ints = Readable<int>;
using Many = std::vector<int>;

Promise<> turns(int left) {
  for (; left > 0; --left) co_await nextImmediate();
}
/// How many calls are in progress, and have been at once.
struct Calls {
  int now = 0;
  int most = 0;
};
using Gauge = std::shared_ptr<Calls>;
Gauge gauge() { return std::make_shared<Calls>(); }

/// Counts while it lives.
struct InProgress {
  explicit InProgress(Gauge g) : gauge(std::move(g)) {
    gauge->most = std::max(gauge->most, ++gauge->now);
  }
  InProgress(const InProgress&) = delete;
  InProgress& operator=(const InProgress&) = delete;
  ~InProgress() { --gauge->now; }
  Gauge gauge;
};

/// Takes the longer the smaller the chunk is within five.
Promise<> slow(Gauge g, int chunk) {
  const InProgress progress(std::move(g));
  co_await turns(6 - chunk % 5);
  if (chunk == 13) throw error("boom");
}
/// As `f`, later.
template <class F>
auto is(Gauge g, F f) {
  return [g, f](int chunk) -> Promise<std::invoke_result_t<F, int>> {
    co_await slow(g, chunk);
    co_return f(chunk);
  };
}

std::string told(bool value) { return yesNo(value); }
std::string told(int value) { return std::to_string(value); }
std::string told(const std::optional<int>& value) { return value ? told(*value) : "none"; }
template <class T>
std::string told(const std::vector<T>& values) {
  std::string all;
  for (const T each : values) all += (all.empty() ? "" : ",") + told(each);
  return all;
}
template <class T>
Promise<std::string> resultOf(Promise<T> promise) {
  std::string result = "none";
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(promise);
    } else {
      auto value = co_await std::move(promise);
      result = told(value);
    }
  } catch (...) {
    result = "failed-" + text(std::current_exception());
  }
  co_return result;
}
template <class T>
Promise<> outcome(Log log, Promise<T> promise, Gauge g) {
  auto result = co_await resultOf(std::move(promise));
  log(result);
  co_await turns(20);
  log("most", g->most, "left", g->now);
}

struct Define {
  template <class Run>
  void operator()(const char* name, Run run) const {
    add(std::string(name) + " of " + told(count) + ", " + told(static_cast<int>(concurrency)) +
            " at once",
        [run, made = count, options = OperatorOptions{.concurrency = concurrency}](Log log) {
          const Gauge g = gauge();
          return outcome(log, run(counting(made), g, options), g);
        });
  }
  Cases& add;
  int count;
  std::size_t concurrency;
};

using Options = OperatorOptions;

void streamCases(const Define& define) {
  define("map", [](const Ints& r, Gauge g, Options options) {
    const auto call = is(g, [](int chunk) { return chunk * 2; });
    return r.map(call, options).toArray();
  });
  define("filter", [](const Ints& r, Gauge g, Options options) {
    const auto call = is(g, [](int chunk) { return chunk % 3 == 0; });
    return r.filter(call, options).toArray();
  });
  define("flatMap", [](const Ints& r, Gauge g, Options options) {
    const auto call = is(g, [](int chunk) { return Many{chunk, -chunk}; });
    return r.flatMap(call, options).toArray();
  });
}

void valueCases(const Define& define) {
  define("forEach", [](const Ints& r, Gauge g, Options options) {
    const auto call = is(g, [](int) {});
    return r.forEach(call, options);
  });
  const auto above = [](Gauge g, int least) {
    return is(g, [least](int chunk) { return chunk > least; });
  };
  const auto below = [](Gauge g, int most) {
    return is(g, [most](int chunk) { return chunk < most; });
  };
  define("find", [above](const Ints& r, Gauge g, Options options) {
    const auto call = above(g, 5);
    return r.find(call, options);
  });
  define("find in vain", [above](const Ints& r, Gauge g, Options options) {
    const auto call = above(g, 99);
    return r.find(call, options);
  });
  define("some", [above](const Ints& r, Gauge g, Options options) {
    const auto call = above(g, 5);
    return r.some(call, options);
  });
  define("some in vain", [above](const Ints& r, Gauge g, Options options) {
    const auto call = above(g, 99);
    return r.some(call, options);
  });
  define("every", [below](const Ints& r, Gauge g, Options options) {
    const auto call = below(g, 99);
    return r.every(call, options);
  });
  define("every in vain", [below](const Ints& r, Gauge g, Options options) {
    const auto call = below(g, 5);
    return r.every(call, options);
  });
}

/// The calls end by themselves after the abort; what they give does not count.
template <class Run>
void aborted(Cases& add, const char* name, std::size_t concurrency, Run run) {
  const auto body = [run, concurrency](Log log) -> Promise<> {
    const AbortController ac;
    const Ints r = counting(40);
    const Gauge g = gauge();
    const auto call = [g, ac](int chunk) mutable -> Promise<bool> {
      co_await slow(g, chunk);
      if (chunk == 3) ac.abort();
      co_return chunk >= 3;
    };
    auto running = run(r, call, OperatorOptions{.concurrency = concurrency, .signal = ac});
    co_await outcome(log, std::move(running), g);
    log("closed", yesNo(r.closed()));
  };
  add(std::string(name) + " is aborted, " + told(static_cast<int>(concurrency)) + " at once", body);
}

void abortedCases(Cases& add, std::size_t concurrency) {
  aborted(add, "map", concurrency, [](const Ints& r, auto call, const Options& options) {
    return r.map(call, options).toArray();
  });
  aborted(add, "filter", concurrency, [](const Ints& r, auto call, const Options& options) {
    return r.filter(call, options).toArray();
  });
  aborted(add, "forEach", concurrency, [](const Ints& r, auto call, const Options& options) {
    return r.forEach(call, options);
  });
  aborted(add, "find", concurrency,
          [](const Ints& r, auto call, const Options& options) { return r.find(call, options); });
  aborted(add, "some", concurrency,
          [](const Ints& r, auto call, const Options& options) { return r.some(call, options); });
  aborted(add, "every", concurrency, [](const Ints& r, auto call, const Options& options) {
    const auto notThat = [call](int chunk) mutable -> Promise<bool> {
      const bool that = co_await call(chunk);
      co_return !that;
    };
    return r.every(notThat, options);
  });
}

int append(int so, int chunk) { return so * 10 + chunk; }
Promise<int> appendLater(int so, int chunk) {
  co_await turns(1);
  co_return append(so, chunk);
}

void reduceCases(Cases& add) {
  for (const int count : {0, 1, 4}) {
    const std::string name = "reduce of " + told(count);
    add(name, [count](Log log) { return outcome(log, counting(count).reduce(append), gauge()); });
    add(name + ", awaited",
        [count](Log log) { return outcome(log, counting(count).reduce(appendLater), gauge()); });
    add(name + " with a value",
        [count](Log log) { return outcome(log, counting(count).reduce(append, 7), gauge()); });
  }
}

void abortedBeforeCases(Cases& add) {
  add("toArray of an aborted signal", [](Log log) {
    const AbortSignal signal = AbortSignal::abort();
    return outcome(log, counting(5).toArray({.signal = signal}), gauge());
  });
  add("take of an aborted signal", [](Log log) {
    const AbortSignal signal = AbortSignal::abort();
    return outcome(log, counting(5).take(2, {.signal = signal}).toArray(), gauge());
  });
  add("drop of an aborted signal", [](Log log) {
    const AbortSignal signal = AbortSignal::abort();
    return outcome(log, counting(5).drop(2, {.signal = signal}).toArray(), gauge());
  });
  add("reduce of an aborted signal", [](Log log) {
    const AbortSignal signal = AbortSignal::abort();
    return outcome(log, counting(5).reduce(append, 0, {.signal = signal}), gauge());
  });
}

}  // namespace

void operatorCases(Cases& add) {
  add.topic("stream_operators");
  for (const std::size_t concurrency : {1U, 2U, 4U}) {
    for (const int count : {9, 15}) {
      streamCases({add, count, concurrency});
      valueCases({add, count, concurrency});
    }
    abortedCases(add, concurrency);
  }
  reduceCases(add);
  abortedBeforeCases(add);
}

}  // namespace order
