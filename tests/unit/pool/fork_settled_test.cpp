// SPDX-License-Identifier: MIT
// forkSettled, and the errors of a forkScope: no failure is lost behind the first one.
#include <leat/abort.hpp>
#include <leat/core/with_context.hpp>
#include <leat/pool.hpp>
#include <leat/task.hpp>
#include <leat_test.hpp>
#include <forgetful.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace leat;
using leat_test::forgetful;

/// "value", "number!" of an int that was thrown, or the code of an Error.
std::string outcomeOf(const std::exception_ptr& error) {
  if (!error) return "value";
  try {
    std::rethrow_exception(error);
  } catch (int number) {
    return std::to_string(number) + "!";
  } catch (const Error& e) {
    return std::string(e.code());
  }
}
template <class T>
std::string outcomesOf(const std::vector<Result<T>>& results) {
  std::string text;
  for (const Result<T>& each : results) text += outcomeOf(each.error()) + " ";
  return text;
}

/// Odd ones fail with themselves.
Task<int> evenOnly(int number) {
  if (number % 2 == 1) throw number;
  co_return number;
}
Task<> abortAt(AbortController& controller, std::size_t at, std::size_t i) {
  if (i == at) controller.abort();
  co_return;
}

template <class F, class... Args>
auto onWorkers(WorkStealingPool& pool, F f, Args... args) {
  return syncWait(pool.run(f, args...));
}

}  // namespace

TEST_CASE("forkSettled gives a result of each task, of any type") {
  WorkStealingPool pool({.threads = 2});
  const auto body = []() -> Task<std::string> {
    static int number = 7;
    auto moved = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    auto reference = []() -> Task<int&> { co_return number; };
    auto nothing = []() -> Task<> { co_return; };
    auto fails = []() -> Task<> {
      throw 5;
      co_return;
    };
    auto [a, b, c, d, e] =
        co_await forkSettled(moved(), reference(), nothing(), fails(), evenOnly(9));
    static_assert(std::is_same_v<decltype(b), Result<int&>>);
    std::string text = std::to_string(**a) + (&b.value() == &number ? "=" : "!");
    for (const auto& error : {c.error(), d.error(), e.error()}) text += " " + outcomeOf(error);
    co_return text;
  };
  CHECK(onWorkers(pool, body) == "3= value 5! 9!");
}

TEST_CASE("forkSettled gives all failures of a row, that of a vector and one that is made") {
  for (const unsigned threads : {1U, 3U}) {
    WorkStealingPool pool({.threads = threads});
    const auto given = [](int count) -> Task<std::string> {
      std::vector<Task<int>> tasks;
      for (int i = 0; i < count; ++i) tasks.push_back(evenOnly(i));
      const auto results = co_await forkSettled(std::move(tasks));
      co_return outcomesOf(results);
    };
    CHECK(onWorkers(pool, given, 6) == "value 1! value 3! value 5! ");
    CHECK(onWorkers(pool, given, 0).empty());
    const auto made = [](std::size_t count) -> Task<std::string> {
      const auto make = [](std::size_t i) {
        if (i == 2) throw 20;
        if (i == 4) return Task<int>();
        return evenOnly(static_cast<int>(i));
      };
      const auto results = co_await forkSettled(count, make);
      co_return outcomesOf(results);
    };
    CHECK(onWorkers(pool, made, std::size_t{6}) == "value 1! 20! 3! ERR_TASK_CONSUMED 5! ");
    CHECK(onWorkers(pool, made, std::size_t{0}).empty());
  }
}

TEST_CASE("forkSettled has an AbortError of each task that was not begun") {
  WorkStealingPool pool({.threads = 1});
  const auto body = [](bool made) -> Task<std::string> {
    AbortController controller;
    auto inner = [](AbortController& c, bool lazily) -> Task<std::string> {
      const auto make = [&c](std::size_t i) { return abortAt(c, 1, i); };
      std::vector<Task<>> tasks;
      for (std::size_t i = 0; i < 4; ++i) tasks.push_back(make(i));
      std::vector<Result<>> results;
      if (lazily) {
        results = co_await forkSettled(4, make);
      } else {
        results = co_await forkSettled(std::move(tasks));
      }
      co_return outcomesOf(results);
    };
    co_return co_await withSignal(controller.signal(), inner(controller, made));
  };
  CHECK(onWorkers(pool, body, false) == "value value ABORT_ERR ABORT_ERR ");
  CHECK(onWorkers(pool, body, true) == "value value ABORT_ERR ABORT_ERR ");
}

TEST_CASE("a forked task that ends without co_return fails with ERR_MISSING_CO_RETURN") {
  WorkStealingPool pool({.threads = 2});
  const auto settled = []() -> Task<std::string> {
    auto [a, b] = co_await forkSettled(forgetful(true), forgetful(false));
    co_return outcomeOf(a.error()) + " " + outcomeOf(b.error());
  };
  CHECK(onWorkers(pool, settled) == "value ERR_MISSING_CO_RETURN");
  const auto thrown = [](bool row) -> Task<std::string> {
    try {
      const auto make = [](std::size_t i) { return forgetful(i != 1); };
      if (row) {
        co_await fork(3, make);
      } else {
        co_await fork(forgetful(true), forgetful(false));
      }
    } catch (const Error& error) {
      co_return std::string(error.code());
    }
    co_return "nothing";
  };
  CHECK(onWorkers(pool, thrown, false) == "ERR_MISSING_CO_RETURN");
  CHECK(onWorkers(pool, thrown, true) == "ERR_MISSING_CO_RETURN");
}

TEST_CASE("a forkScope keeps what each of its tasks threw, and throws the first") {
  for (const unsigned threads : {1U, 3U}) {
    WorkStealingPool pool({.threads = threads});
    const auto body = []() -> Task<std::string> {
      std::vector<std::exception_ptr> errors;
      const auto scope = [](ForkScope& s) -> Task<int> {
        for (int i = 0; i < 8; ++i) s.fork(evenOnly(i));
        co_return 1;
      };
      std::string thrown;
      try {
        co_await forkScope(scope, errors);
      } catch (int number) {
        thrown = std::to_string(number) + "!";
      }
      std::vector<std::string> all;
      for (const std::exception_ptr& each : errors) all.push_back(outcomeOf(each));
      if (all.empty() || all.front() != thrown) co_return "not the first: " + thrown;
      std::sort(all.begin(), all.end());
      std::string text;
      for (const std::string& each : all) text += each + " ";
      co_return text;
    };
    CHECK(onWorkers(pool, body) == "1! 3! 5! 7! ");
  }
}

TEST_CASE("a forkScope whose body fails throws that and keeps the errors of its tasks") {
  WorkStealingPool pool({.threads = 2});
  const auto body = []() -> Task<std::string> {
    std::vector<std::exception_ptr> errors;
    const auto scope = [](ForkScope& s) -> Task<> {
      s.fork(evenOnly(3));
      throw std::string("body");
      co_return;
    };
    try {
      co_await forkScope(scope, errors);
    } catch (const std::string& text) {
      co_return text + " " + (errors.size() == 1 ? outcomeOf(errors.front()) : "no");
    }
    co_return "nothing";
  };
  CHECK(onWorkers(pool, body) == "body 3!");
}
