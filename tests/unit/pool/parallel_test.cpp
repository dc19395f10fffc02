// SPDX-License-Identifier: MIT
// parallelInvoke, parallelFor, parallelForEach, parallelReduce, parallelScan, parallelSort.
#include <leat/async_hooks.hpp>
#include <leat/pool.hpp>
#include <leat/pool/parallel_sort.hpp>
#include <leat_test.hpp>

#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace leat;

template <class F>
auto onPool(WorkStealingPool& pool, F f) {
  return syncWait(pool.run(f));
}

long parallelFib(int n) {
  if (n < 2) return n;
  long a = 0;
  long b = 0;
  parallelInvoke([&] { a = parallelFib(n - 1); }, [&] { b = parallelFib(n - 2); });
  return a + b;
}

}  // namespace

TEST_CASE("parallelInvoke calls both, however deep, on one worker and on several") {
  for (const unsigned threads : {1U, 2U, 5U}) {
    WorkStealingPool pool({.threads = threads});
    CHECK(onPool(pool, [] { return parallelFib(18); }) == 2584);
  }
}

TEST_CASE("parallelInvoke throws the first function's error before the second's") {
  WorkStealingPool pool({.threads = 2});
  const auto outcome = [&pool](bool first, bool second) {
    try {
      onPool(pool, [=] {
        parallelInvoke(
            [=] {
              if (first) throw std::string("first");
            },
            [=] {
              if (second) throw std::string("second");
            });
      });
    } catch (const std::string& text) {
      return text;
    }
    return std::string("none");
  };
  for (int round = 0; round < 100; ++round) {
    REQUIRE(outcome(false, false) == "none");
    REQUIRE(outcome(true, false) == "first");
    REQUIRE(outcome(false, true) == "second");
    REQUIRE(outcome(true, true) == "first");
  }
}

TEST_CASE("what was stolen goes back to the worker that waits") {
  WorkStealingPool pool({.threads = 2});
  // Each waits for the other, so they are on two workers.
  detail::Atomic<int> here{0};
  const auto meet = [&here] {
    here.fetchAdd(1);
    while (here.load() < 2) ::sched_yield();
  };
  bool same = false;
  onPool(pool, [&] {
    const detail::PoolWorker* const worker = detail::PoolWorker::current();
    parallelInvoke(meet, meet);
    same = detail::PoolWorker::current() == worker;
  });
  CHECK(same);
  CHECK(pool.statistics().steals >= 1);
}

TEST_CASE("parallelFor calls each index once, with any grain") {
  WorkStealingPool pool({.threads = 3});
  for (const std::size_t count : {0U, 1U, 2U, 3U, 4U, 7U, 1000U, 4096U}) {
    for (const std::size_t grain : {0U, 1U, 3U, 5000U}) {
      std::vector<int> calls(count);
      onPool(pool, [&] { parallelFor(count, [&](std::size_t i) { ++calls[i]; }, grain); });
      int wrong = 0;
      for (const int each : calls) wrong += each != 1;
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE("each of two workers begins with the same part, whichever the call is on") {
  WorkStealingPool pool({.threads = 2});
  for (unsigned caller = 0; caller < 2; ++caller) {
    // Who comes waits for the other one, so two workers come.
    detail::Atomic<int> ready{0};
    detail::Atomic<int> inFor{0};
    detail::Atomic<int> inReduce{0};
    const auto meet = [](detail::Atomic<int>& here) {
      here.fetchAdd(1);
      while (here.load() < 2) ::sched_yield();
      return detail::PoolWorker::current()->index();
    };
    std::vector<unsigned> workers(2);
    std::vector<unsigned> reducers;
    const auto here = [&](std::size_t) { return std::vector<unsigned>{meet(inReduce)}; };
    const auto join = [](std::vector<unsigned> a, const std::vector<unsigned>& b) {
      a.insert(a.end(), b.begin(), b.end());
      return a;
    };
    const auto job = [&] {
      if (meet(ready) != caller) return;
      parallelFor(2, [&](std::size_t i) { workers[i] = meet(inFor); });
      reducers = parallelReduce(std::size_t{2}, std::vector<unsigned>(), here, join);
    };
    onPool(pool, [&] { parallelInvoke(job, job); });
    CHECK((workers == std::vector<unsigned>{0, 1}));
    CHECK((reducers == std::vector<unsigned>{0, 1}));
  }
}

TEST_CASE("one worker does a range in a row, unless a grain is said") {
  WorkStealingPool pool({.threads = 1});
  std::string order;
  const auto letter = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i)); };
  const auto join = [](const std::string& a, const std::string& b) { return '(' + a + b + ')'; };
  const auto reduce = [&](std::size_t grain) {
    return onPool(
        pool, [&] { return parallelReduce(std::size_t{4}, std::string(), letter, join, grain); });
  };
  onPool(pool, [&] { parallelFor(5, [&](std::size_t i) { order += letter(i); }); });
  CHECK(order == "abcde");
  CHECK(reduce(0) == "(((ab)c)d)");
  CHECK(reduce(1) == "((ab)(cd))");
}

TEST_CASE("parallelForEach changes the items in place") {
  WorkStealingPool pool({.threads = 2});
  std::vector<int> items(1000);
  std::iota(items.begin(), items.end(), 0);
  onPool(pool, [&] { parallelForEach(items, [](int& item) { item *= 2; }); });
  int wrong = 0;
  for (int i = 0; i < 1000; ++i) wrong += items[static_cast<std::size_t>(i)] != 2 * i;
  CHECK(wrong == 0);
}

TEST_CASE("parallelForEach never divides so many items as its grain says") {
  WorkStealingPool pool({.threads = 1});
  const auto order = [&](std::size_t grain) {
    std::string letters = "abcd";
    std::string called;
    const auto each = [&](char letter) {
      // What was cut off from it waits in the deque of the worker, the youngest piece first.
      if (letter == 'a')
        while (detail::PoolWorker::current()->help()) continue;
      called += letter;
    };
    onPool(pool, [&] { parallelForEach(letters, each, grain); });
    return called;
  };
  CHECK(order(1) == "bcda");
  CHECK(order(2) == "cdab");
  CHECK(order(4) == "abcd");
}

TEST_CASE(
    "what is stolen of parallelInvoke sees the stores of its caller, and leaves none behind") {
  WorkStealingPool pool({.threads = 2});
  static AsyncLocalStorage<std::string> storage;
  // Each waits for the other, so they are on two workers.
  const auto onBoth = [&] {
    detail::Atomic<int> here{0};
    const auto look = [&here] {
      here.fetchAdd(1);
      while (here.load() < 2) ::sched_yield();
      const auto store = storage.getStore();
      return store ? *store : "none";
    };
    std::string first;
    std::string second;
    parallelInvoke([&] { first = look(); }, [&] { second = look(); });
    return first + ' ' + second;
  };
  CHECK(onPool(pool, [&] { return storage.run("request 7", onBoth); }) == "request 7 request 7");
  CHECK(onPool(pool, onBoth) == "none none");
}

TEST_CASE("parallelReduce keeps the order of the items") {
  WorkStealingPool pool({.threads = 3});
  const auto letter = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i % 26)); };
  const auto join = [](std::string a, const std::string& b) { return std::move(a) + b; };
  std::string expected;
  for (std::size_t i = 0; i < 2000; ++i) expected += letter(i);
  for (const std::size_t grain : {0U, 1U, 700U})
    CHECK(onPool(pool, [&] {
            return parallelReduce(std::size_t{2000}, std::string(), letter, join, grain);
          }) == expected);
  CHECK(onPool(pool, [&] {
          return parallelReduce(std::size_t{0}, std::string("empty"), letter, join);
        }) == "empty");
}

TEST_CASE("parallelScan tells each sum once, in the order of the items") {
  const auto letter = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i % 26)); };
  const auto join = [](std::string a, const std::string& b) { return std::move(a) + b; };
  std::string whole;
  for (std::size_t i = 0; i < 500; ++i) whole += letter(i);
  for (const unsigned threads : {1U, 3U}) {
    WorkStealingPool pool({.threads = threads});
    for (const std::size_t count : {0U, 1U, 2U, 3U, 50U, 500U}) {
      for (const std::size_t grain : {0U, 1U, 2U, 7U, 499U, 500U, 1000U}) {
        std::vector<std::string> sums(count);
        std::vector<int> calls(count);
        const auto use = [&](std::size_t i, const std::string& sum) {
          ++calls[i];
          sums[i] = sum;
        };
        const auto scan = [&] {
          return parallelScan(count, std::string("empty"), letter, join, use, grain);
        };
        const std::string last = onPool(pool, scan);
        REQUIRE(last == (count == 0 ? "empty" : whole.substr(0, count)));
        int wrong = 0;
        for (std::size_t i = 0; i < count; ++i)
          wrong += calls[i] != 1 || sums[i] != whole.substr(0, i + 1);
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("parallelSort sorts whatever the items are, and by any order") {
  std::mt19937 random(5);
  for (const unsigned threads : {1U, 2U, 4U}) {
    WorkStealingPool pool({.threads = threads});
    for (const std::size_t count : {0U, 1U, 2U, 15U, 16U, 17U, 100U, 3000U, 40'000U}) {
      // All different, few different, all the same, up, down, up and down.
      for (int kind = 0; kind < 6; ++kind) {
        std::vector<int> items(count);
        for (std::size_t i = 0; i < count; ++i) {
          const int at = static_cast<int>(i);
          const int many = static_cast<int>(count);
          const int values[] = {
              static_cast<int>(random()),    static_cast<int>(random() % 7), 5, at, many - at,
              at < many / 2 ? at : many - at};
          items[i] = values[kind];
        }
        std::vector<int> wanted = items;
        std::sort(wanted.begin(), wanted.end());
        for (const std::size_t grain : {0U, 1U, 50U}) {
          std::vector<int> sorted = items;
          onPool(pool, [&] { parallelSort(sorted, std::less<>(), grain); });
          REQUIRE((sorted == wanted));
        }
        std::reverse(wanted.begin(), wanted.end());
        onPool(pool, [&] { parallelSort(items.begin(), items.end(), std::greater<>()); });
        REQUIRE((items == wanted));
      }
    }
  }
}

TEST_CASE("parallelSort moves items that cannot be copied, and ends where the order is none") {
  WorkStealingPool pool({.threads = 2});
  std::mt19937 random(9);
  std::vector<std::unique_ptr<int>> items;
  for (int i = 0; i < 20'000; ++i) items.push_back(std::make_unique<int>(random() % 1000));
  const auto byValue = [](const auto& a, const auto& b) { return *a < *b; };
  onPool(pool, [&] { parallelSort(items, byValue, 100); });
  CHECK(std::is_sorted(items.begin(), items.end(), byValue));

  // Divided badly each time: one item, and the rest.
  std::vector<int> values(50'000);
  std::iota(values.begin(), values.end(), 0);
  const auto never = [](int, int) { return false; };
  onPool(pool, [&] { parallelSort(values, never, 100); });
  std::sort(values.begin(), values.end());
  int wrong = 0;
  for (int i = 0; i < 50'000; ++i) wrong += values[static_cast<std::size_t>(i)] != i;
  CHECK(wrong == 0);

  detail::Atomic<int> calls{0};
  const auto failing = [&calls](int a, int b) {
    if (calls.fetchAdd(1) == 100'000) throw std::string("order");
    return a > b;
  };
  CHECK_THROWS_AS(onPool(pool, [&] { parallelSort(values, failing, 100); }), std::string);
  std::sort(values.begin(), values.end());
  for (int i = 0; i < 50'000; ++i) wrong += values[static_cast<std::size_t>(i)] != i;
  CHECK(wrong == 0);
}

TEST_CASE("an exception leaves parallelFor and parallelReduce, and the pool goes on") {
  WorkStealingPool pool({.threads = 3});
  const auto fail = [](std::size_t i) {
    if (i == 500) throw std::string("five hundred");
    return static_cast<long>(i);
  };
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_AS(onPool(pool, [&] { parallelFor(1000, fail, 1); }), std::string);
    CHECK_THROWS_AS(
        onPool(pool, [&] { return parallelReduce(std::size_t{1000}, 0L, fail, std::plus<>(), 1); }),
        std::string);
  }
  CHECK(onPool(pool, [] {
          return parallelReduce(
              std::size_t{101}, 0L, [](std::size_t i) { return long(i); }, std::plus<>());
        }) == 5050);
}

TEST_CASE("parallel functions on a thread that is no worker are refused") {
  try {
    parallelFor(3, [](std::size_t) {});
    FAIL("it was not refused");
  } catch (const Error& error) {
    CHECK(error.code() == "ERR_NO_POOL");
  }
}
