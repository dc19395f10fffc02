// SPDX-License-Identifier: MIT

// Promises and the two queues, with the programs of rivals/promise/node.js.

#include <leat/core/combinators.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>

#include <vector>

#include "bench.hpp"

namespace {

using leat::Promise;

long sum = 0;

BENCH_NOINLINE Promise<int> finished(int i) { co_return i; }

Promise<> awaitResolved(long n) {
  const Promise<int> resolved = Promise<int>::resolve(1);
  for (long i = 0; i < n; ++i) sum += co_await resolved;
}

Promise<> awaitFresh(long n) {
  for (long i = 0; i < n; ++i) sum += co_await Promise<int>::resolve(static_cast<int>(i));
}

Promise<> allOfFinished(long n) {
  for (long done = 0; done < n; done += 1000) {
    std::vector<Promise<int>> calls;
    calls.reserve(1000);
    for (int k = 0; k < 1000; ++k) calls.push_back(finished(k));
    const std::vector<int> values = co_await leat::all(std::move(calls));
    sum += values[0];
  }
}

// A callback that schedules itself until it has run often enough.
struct Microtask {
  long* left;
  void operator()() const {
    if (--*left > 0) leat::queueMicrotask(*this);
  }
};
struct Tick {
  long* left;
  void operator()() const {
    if (--*left > 0) leat::nextTick(*this);
  }
};
struct Then {
  long* left;
  const Promise<int>* resolved;
  const leat::Resolver<void>* done;
  void operator()(int) const {
    if (--*left > 0) {
      (void)resolved->then(*this);
    } else {
      done->resolve();
    }
  }
};

template <class Main>
void run(Main main) {
  const int code = leat::run(main);
  if (code != 0) std::exit(code);
}

}  // namespace

int main() {
  constexpr long n = 1'000'000;
  bench("await_resolved_promise", n, [] { run([] { return awaitResolved(n); }); });
  bench("await_fresh_promise", n, [] { run([] { return awaitFresh(n); }); });
  bench("queue_microtask", n, [] {
    long left = n;
    run([&left] { leat::queueMicrotask(Microtask{&left}); });
  });
  bench("next_tick", n, [] {
    long left = n;
    run([&left] { leat::nextTick(Tick{&left}); });
  });
  bench("then", n, [] {
    long left = n;
    run([&left]() -> Promise<> {
      const Promise<int> resolved = Promise<int>::resolve(1);
      const auto ended = Promise<>::withResolvers();
      (void)resolved.then(Then{&left, &resolved, &ended.resolve});
      co_await ended.promise;
    });
  });
  bench("all_1000_per_item", n, [] { run([] { return allOfFinished(n); }); });
  keep(sum);
}
