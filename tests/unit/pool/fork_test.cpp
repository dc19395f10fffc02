// SPDX-License-Identifier: MIT
// fork, forkScope: results, errors, where it runs, cancellation, and many of them at once.
#include <leat/abort.hpp>
#include <leat/async_hooks.hpp>
#include <leat/core/with_context.hpp>
#include <leat/pool.hpp>
#include <leat/task.hpp>
#include <leat_test.hpp>

#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace leat;

long plainFib(int n) { return n < 2 ? n : plainFib(n - 1) + plainFib(n - 2); }

Task<long> fib(int n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));
  co_return a + b;
}

Task<int> failing(int number) {
  if (number >= 0) throw std::to_string(number);
  co_return number;
}

Task<> add(detail::Atomic<long>& sum, long number) {
  sum.fetchAdd(number);
  co_return;
}

template <class F, class... Args>
auto onPool(WorkStealingPool& pool, F f, Args... args) {
  return syncWait(pool.run(f, args...));
}

}  // namespace

TEST_CASE("fork gives the results in order, on one worker and on several") {
  for (const unsigned threads : {1U, 2U, 5U}) {
    WorkStealingPool pool({.threads = threads});
    CHECK(onPool(pool, fib, 18) == plainFib(18));
  }
}

TEST_CASE("fork takes any number of tasks of any type") {
  WorkStealingPool pool({.threads = 2});
  const auto body = []() -> Task<std::string> {
    static int number = 7;
    auto text = []() -> Task<std::string> { co_return "text"; };
    auto nothing = []() -> Task<> { co_return; };
    auto moved = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    auto reference = []() -> Task<int&> { co_return number; };
    auto [a, b, c, d] = co_await fork(text(), nothing(), moved(), reference());
    static_assert(std::is_same_v<decltype(b), std::monostate>);
    co_return a + std::to_string(*c) + (d == &number ? "=" : "!");
  };
  CHECK(onPool(pool, body) == "text3=");
}

TEST_CASE("fork takes a vector of tasks, also an empty one") {
  WorkStealingPool pool({.threads = 3});
  const auto body = [](int count) -> Task<long> {
    std::vector<Task<long>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(fib(i % 10));
    const std::vector<long> results = co_await fork(std::move(tasks));
    if (results.size() != static_cast<std::size_t>(count)) co_return -1;
    long wrong = 0;
    for (int i = 0; i < count; ++i)
      wrong += results[static_cast<std::size_t>(i)] != plainFib(i % 10);
    co_return wrong;
  };
  // More than the deque has room for at first.
  for (const int count : {0, 1, 2, 1000}) CHECK(onPool(pool, body, count) == 0);
}

TEST_CASE("fork throws what the first of its tasks threw, when all have ended") {
  WorkStealingPool pool({.threads = 2});
  detail::Atomic<long> sum{0};
  const auto body = [](detail::Atomic<long>* all) -> Task<std::string> {
    try {
      co_await fork(add(*all, 1), failing(2), failing(3), add(*all, 4));
    } catch (const std::string& text) {
      co_return text + " " + std::to_string(all->load());
    }
    co_return "nothing";
  };
  CHECK(onPool(pool, body, &sum) == "2 5");
}

TEST_CASE("fork of a vector throws what the first of its tasks threw") {
  WorkStealingPool pool({.threads = 2});
  const auto body = []() -> Task<std::string> {
    std::vector<Task<int>> tasks;
    for (const int number : {-1, 8, 9}) tasks.push_back(failing(number));
    try {
      co_await fork(std::move(tasks));
    } catch (const std::string& text) {
      co_return text;
    }
    co_return "nothing";
  };
  CHECK(onPool(pool, body) == "8");
}

TEST_CASE("fork makes as many tasks as it is told, none too") {
  for (const unsigned threads : {1U, 3U}) {
    WorkStealingPool pool({.threads = threads});
    const auto body = [](int count) -> Task<long> {
      const auto make = [](std::size_t i) { return fib(static_cast<int>(i % 10)); };
      const std::vector<long> results = co_await fork(static_cast<std::size_t>(count), make);
      if (results.size() != static_cast<std::size_t>(count)) co_return -1;
      long wrong = 0;
      for (std::size_t i = 0; i < results.size(); ++i)
        wrong += results[i] != plainFib(static_cast<int>(i % 10));
      co_return wrong;
    };
    for (const int count : {0, 1, 2, 1000}) CHECK(onPool(pool, body, count) == 0);
  }
}

TEST_CASE("fork makes each task where it begins") {
  WorkStealingPool pool({.threads = 1});
  std::string order;
  const auto body = [](std::string* text) -> Task<> {
    auto run = [](std::string& to, std::size_t i) -> Task<> {
      to += "r" + std::to_string(i);
      co_return;
    };
    const auto make = [=](std::size_t i) {
      *text += "m" + std::to_string(i);
      return run(*text, i);
    };
    co_await fork(3, make);
  };
  onPool(pool, body, &order);
  CHECK(order == "m0r0m1r1m2r2");
}

TEST_CASE("a forked range has results of any type") {
  WorkStealingPool pool({.threads = 2});
  const auto body = []() -> Task<std::string> {
    static int numbers[] = {7, 8};
    auto moved = [](std::size_t i) -> Task<std::unique_ptr<std::size_t>> {
      co_return std::make_unique<std::size_t>(i);
    };
    auto reference = [](std::size_t i) -> Task<int&> { co_return numbers[i]; };
    auto odd = [](std::size_t i) -> Task<bool> { co_return i % 2 == 1; };
    auto nothing = [](std::size_t) -> Task<> { co_return; };
    const auto pointers = co_await fork(2, moved);
    const auto references = co_await fork(2, reference);
    const auto flags = co_await fork(2, odd);
    const auto units = co_await fork(2, nothing);
    static_assert(std::is_same_v<decltype(units), const std::vector<std::monostate>>);
    std::vector<Task<bool>> tasks;
    for (std::size_t i = 0; i < 2; ++i) tasks.push_back(odd(i));
    const auto again = co_await fork(std::move(tasks));
    std::string text = std::to_string(*pointers[1]);
    text += references[1] == &numbers[1] ? "=" : "!";
    for (const bool flag : flags) text += flag ? "t" : "f";
    for (const bool flag : again) text += flag ? "t" : "f";
    co_return text + std::to_string(units.size());
  };
  CHECK(onPool(pool, body) == "1=ftft2");
}

TEST_CASE("fork throws what the first of the tasks that it makes threw, or what making one did") {
  for (const unsigned threads : {1U, 3U}) {
    WorkStealingPool pool({.threads = threads});
    detail::Atomic<long> ended{0};
    const auto body = [](detail::Atomic<long>* count, bool alsoThrown) -> Task<std::string> {
      auto task = [](detail::Atomic<long>& all, int number) -> Task<int> {
        all.fetchAdd(1);
        if (number == 3) throw std::string("task");
        co_return number;
      };
      const auto make = [=](std::size_t i) {
        if (i == 5) throw std::string("make");
        return task(*count, alsoThrown ? static_cast<int>(i) : 0);
      };
      try {
        co_await fork(8, make);
      } catch (const std::string& text) {
        co_return text;
      }
      co_return "nothing";
    };
    CHECK(onPool(pool, body, &ended, true) == "task");
    CHECK(ended.load() == 7);
    CHECK(onPool(pool, body, &ended, false) == "make");
    CHECK(ended.load() == 14);
  }
}

TEST_CASE("fork refuses a task that it was to make and that was awaited") {
  WorkStealingPool pool({.threads = 1});
  const auto body = []() -> Task<std::string> {
    const auto make = [](std::size_t i) { return i == 0 ? Task<int>() : failing(-1); };
    try {
      co_await fork(2, make);
    } catch (const TypeError& error) {
      co_return std::string(error.code());
    }
    co_return "nothing";
  };
  CHECK(onPool(pool, body) == "ERR_TASK_CONSUMED");
}

TEST_CASE("tasks of an aborted range that have not begun never do") {
  WorkStealingPool pool({.threads = 1});
  for (const bool made : {false, true}) {
    detail::Atomic<long> sum{0};
    const auto body = [](detail::Atomic<long>* all, bool make) -> Task<std::string> {
      AbortController controller;
      auto one = [](AbortController& c, detail::Atomic<long>& s, std::size_t i) -> Task<> {
        s.fetchAdd(1);
        if (i == 1) c.abort();
        co_return;
      };
      auto inner = [](AbortController& c, detail::Atomic<long>& s, bool lazily, auto f) -> Task<> {
        const auto each = [&, f](std::size_t i) { return f(c, s, i); };
        std::vector<Task<>> tasks;
        for (std::size_t i = 0; i < 4; ++i) tasks.push_back(each(i));
        if (lazily) {
          co_await fork(4, each);
        } else {
          co_await fork(std::move(tasks));
        }
      };
      try {
        co_await withSignal(controller.signal(), inner(controller, *all, make, one));
      } catch (const AbortError&) {
        co_return "aborted";
      }
      co_return "not aborted";
    };
    CHECK(onPool(pool, body, &sum, made) == "aborted");
    CHECK(sum.load() == 2);
  }
}

TEST_CASE("a forked range ends with its token below another job") {
  WorkStealingPool pool({.threads = 1});
  detail::Atomic<long> sum{0};
  const auto body = [](WorkStealingPool* on, detail::Atomic<long>* all) -> Task<long> {
    const auto make = [=](std::size_t) {
      on->submit([=] { all->fetchAdd(1); });
      return add(*all, 10);
    };
    co_await fork(3, make);
    co_return all->load();
  };
  // The jobs lie above the token, and so are done before the worker comes upon it.
  CHECK(onPool(pool, body, &pool, &sum) == 33);
}

TEST_CASE("a forked range stays on its pool when one of its tasks ends elsewhere") {
  WorkStealingPool pool({.threads = 1});
  WorkStealingPool other({.threads = 1});
  const auto body = [](WorkStealingPool* mine, WorkStealingPool* elsewhere) -> Task<int> {
    auto task = [](WorkStealingPool& here, WorkStealingPool& there, std::size_t i) -> Task<bool> {
      const bool right = here.isCurrent();
      if (i == 0) co_await there.schedule();
      ::sched_yield();
      co_return right;
    };
    const auto make = [=](std::size_t i) { return task(*mine, *elsewhere, i); };
    int wrong = 0;
    for (const bool right : co_await fork(200, make)) wrong += !right;
    co_return wrong;
  };
  // The first task ends on the worker of the other pool, which must not go on with the rest.
  for (int round = 0; round < 20; ++round) CHECK(onPool(pool, body, &pool, &other) == 0);
}

TEST_CASE("the stores of AsyncLocalStorage go along into forked ranges and come back") {
  WorkStealingPool pool({.threads = 3});
  static AsyncLocalStorage<int> storage;
  struct Deep {
    static Task<int> sum(int depth) {
      if (depth == 0) {
        const int here = *storage.getStore();
        storage.enterWith(9);
        co_return here;
      }
      const auto make = [=](std::size_t) { return sum(depth - 1); };
      int all = 0;
      for (const int each : co_await fork(4, make)) all += each;
      if (*storage.getStore() != 5) co_return -1'000'000;
      co_return all;
    }
  };
  CHECK(storage.run(5, [&] { return onPool(pool, Deep::sum, 6); }) == 5 * 4096);
  CHECK_FALSE(storage.getStore());
}

TEST_CASE("fork on a thread that is no worker is refused") {
  const auto body = []() -> Task<long> {
    auto [a, b] = co_await fork(fib(3), fib(4));
    co_return a + b;
  };
  try {
    (void)syncWait(body());
    FAIL("it was not refused");
  } catch (const Error& error) {
    CHECK(error.code() == "ERR_NO_POOL");
  }
}

TEST_CASE("fork of a task that was awaited is refused before anything begins") {
  Task<long> used = fib(1);
  Task<long> taken = std::move(used);
  CHECK_THROWS_AS(fork(fib(2), std::move(used)), TypeError);
}

TEST_CASE("tasks of an aborted fork that have not begun never do") {
  WorkStealingPool pool({.threads = 1});
  detail::Atomic<long> sum{0};
  const auto body = [](detail::Atomic<long>* all) -> Task<std::string> {
    AbortController controller;
    auto aborting = [](AbortController& c, detail::Atomic<long>& s) -> Task<> {
      s.fetchAdd(1);
      c.abort();
      co_return;
    };
    auto inner = [](AbortController& c, detail::Atomic<long>& s, auto first) -> Task<> {
      co_await fork(first(c, s), add(s, 10), add(s, 100));
    };
    try {
      co_await withSignal(controller.signal(), inner(controller, *all, aborting));
    } catch (const AbortError&) {
      co_return "aborted";
    }
    co_return "not aborted";
  };
  CHECK(onPool(pool, body, &sum) == "aborted");
  CHECK(sum.load() == 1);
}

TEST_CASE("the stores of AsyncLocalStorage go along into forks and come back") {
  WorkStealingPool pool({.threads = 3});
  static AsyncLocalStorage<int> storage;
  struct Deep {
    static Task<int> sum(int depth) {
      if (depth == 0) co_return *storage.getStore();
      auto [a, b] = co_await fork(sum(depth - 1), sum(depth - 1));
      if (*storage.getStore() != 5) co_return -1'000'000;
      co_return a + b;
    }
  };
  CHECK(storage.run(5, [&] { return onPool(pool, Deep::sum, 10); }) == 5 * 1024);
  CHECK_FALSE(storage.getStore());
}

TEST_CASE("a long row of forks needs a bounded stack") {
  WorkStealingPool pool({.threads = 2});
  const auto body = [](int rounds) -> Task<long> {
    long sum = 0;
    for (int i = 0; i < rounds; ++i) {
      auto [a, b] = co_await fork(fib(1), fib(2));
      sum += a + b;
    }
    co_return sum;
  };
  CHECK(onPool(pool, body, 200'000) == 400'000);
}

namespace {

Task<long> down(long depth) {
  if (depth == 0) co_return 0;
  auto [deep, flat] = co_await fork(down(depth - 1), fib(1));
  co_return deep + flat;
}
Task<long> downSecond(long depth) {
  if (depth == 0) co_return 0;
  auto [flat, deep] = co_await fork(fib(1), downSecond(depth - 1));
  co_return deep + flat;
}
Task<long> downRange(long depth) {
  if (depth == 0) co_return 0;
  const auto make = [=](std::size_t i) { return i == 1 ? downRange(depth - 1) : fib(1); };
  const auto results = co_await fork(3, make);
  co_return results[1] + results[2];
}

}  // namespace

TEST_CASE("forks within forks need a bounded stack, on either side") {
  WorkStealingPool pool({.threads = 2});
  CHECK(onPool(pool, down, 20'000L) == 20'000);
  CHECK(onPool(pool, downSecond, 20'000L) == 20'000);
  CHECK(onPool(pool, downRange, 20'000L) == 20'000);
}

TEST_CASE("forkScope waits for tasks that fork more tasks") {
  WorkStealingPool pool({.threads = 3});
  struct Tree {
    static Task<> grow(ForkScope& scope, detail::Atomic<long>& count, int depth) {
      count.fetchAdd(1);
      for (int i = 0; i < 3 && depth > 0; ++i) scope.fork(grow(scope, count, depth - 1));
      co_return;
    }
  };
  detail::Atomic<long> count{0};
  const auto body = [](detail::Atomic<long>* all) -> Task<int> {
    const auto scope = [all](ForkScope& s) -> Task<int> {
      s.fork(Tree::grow(s, *all, 6));
      co_return 42;
    };
    co_return co_await forkScope(scope);
  };
  CHECK(onPool(pool, body, &count) == 42);
  CHECK(count.load() == (2187 - 1) / 2);
}

TEST_CASE("forkScope throws what a task threw, and the body's error before it") {
  WorkStealingPool pool({.threads = 2});
  const auto body = [](bool alsoBody) -> Task<std::string> {
    const auto scope = [alsoBody](ForkScope& s) -> Task<> {
      s.fork(failing(4));
      if (alsoBody) throw std::string("body");
      co_return;
    };
    try {
      co_await forkScope(scope);
    } catch (const std::string& text) {
      co_return text;
    }
    co_return "nothing";
  };
  CHECK(onPool(pool, body, false) == "4");
  CHECK(onPool(pool, body, true) == "body");
}

TEST_CASE("several workers take part in a fork") {
  WorkStealingPool pool({.threads = 4});
  // Each task waits for the others, so none of them can have been done by the worker of another one.
  struct Meeting {
    static Task<bool> attend(detail::Atomic<unsigned>& here, unsigned all) {
      here.fetchAdd(1);
      while (here.load() < all) ::sched_yield();
      co_return true;
    }
  };
  const auto body = []() -> Task<bool> {
    detail::Atomic<unsigned> here{0};
    auto [a, b, c, d] = co_await fork(Meeting::attend(here, 4), Meeting::attend(here, 4),
                                      Meeting::attend(here, 4), Meeting::attend(here, 4));
    co_return a&& b&& c&& d;
  };
  const auto range = []() -> Task<bool> {
    detail::Atomic<unsigned> here{0};
    const auto make = [&](std::size_t) { return Meeting::attend(here, 4); };
    bool all = true;
    for (const bool each : co_await fork(4, make)) all = all && each;
    co_return all;
  };
  for (int round = 0; round < 50; ++round) {
    CHECK(onPool(pool, body));
    CHECK(onPool(pool, range));
  }
  CHECK(pool.statistics().steals >= 300);
}
