// SPDX-License-Identifier: MIT
// fork of a row: results that are made of anything, more tasks than there can be, who of several fails first, and what
// outlives what.
#include <leat/pool.hpp>
#include <leat/task.hpp>
#include <leat_test.hpp>

#include <any>
#include <coroutine>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace leat;

Task<std::any> anything(std::size_t i) { co_return std::any(i); }
Task<std::size_t> number(std::size_t i) { co_return i; }

/// The sum of what is in them, and a thousand for each that is something else.
std::size_t sumOf(const std::vector<std::any>& items) {
  std::size_t sum = 0;
  for (const std::any& item : items) {
    const auto* const value = std::any_cast<std::size_t>(&item);
    sum += value == nullptr ? 1000 : *value;
  }
  return sum;
}

Task<std::size_t> sumOfAnything() {
  const auto made = co_await fork(5, anything);
  std::vector<Task<std::any>> tasks;
  for (std::size_t i = 0; i < 5; ++i) tasks.push_back(anything(i));
  const auto given = co_await fork(std::move(tasks));
  co_return made.size() == 5 && given.size() == 5 ? sumOf(made) + sumOf(given) : 0;
}

Task<bool> isTooMany(std::size_t count) {
  try {
    co_await fork(count, number);
  } catch (const std::bad_alloc&) {
    co_return true;
  }
  co_return false;
}

/// Throws at 1 and 0, at 0 when the other one has thrown.
struct ThrowsLater {
  detail::Atomic<bool>* thrown;
  Task<std::size_t> operator()(std::size_t i) const {
    if (i == 0) {
      while (!thrown->load()) std::this_thread::yield();
      throw std::string("first");
    }
    if (i == 1) {
      const TellsEnd tells{thrown};
      throw std::string("second");
    }
    return number(i);
  }
  struct TellsEnd {
    detail::Atomic<bool>* thrown;
    ~TellsEnd() { thrown->store(true); }
  };
};
Task<std::string> whatIsThrown(detail::Atomic<bool>* thrown) {
  try {
    co_await fork(20, ThrowsLater{thrown});
  } catch (const std::string& text) {
    co_return text;
  }
  co_return "nothing";
}

/// A parameter that looks, when it goes, whether what its task was made by is there.
struct Looks {
  Looks(const std::shared_ptr<int>& m, int* l) : maker(m), late(l) {}
  Looks(Looks&& other) noexcept
      : maker(std::move(other.maker)), late(std::exchange(other.late, nullptr)) {}
  ~Looks() {
    if (late != nullptr && maker.expired()) ++*late;
  }
  std::weak_ptr<int> maker;
  int* late;
};
Task<> looking(Looks) { co_return; }
struct MakesLooking {
  std::shared_ptr<int> held;
  int* late;
  Task<> operator()(std::size_t i) const {
    if (i == 2) throw i;
    return looking(Looks(held, late));
  }
};
Task<int> parametersThatGoLate() {
  int late = 0;
  try {
    MakesLooking make{std::make_shared<int>(1), &late};
    co_await fork(4, std::move(make));
  } catch (std::size_t) {
    co_return late;
  }
  co_return -1;
}

/// Suspends until somebody resumes what it gives.
struct Leaves {
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) const { left->store(handle.address()); }
  void await_resume() const {}
  detail::Atomic<void*>* left;
};
/// The first of three tasks ends where it is resumed.
Task<> forkAndLeave(detail::Atomic<void*>* left) {
  auto task = [](detail::Atomic<void*>& to, std::size_t i) -> Task<> {
    const Leaves leaves{&to};
    if (i == 0) co_await leaves;
  };
  const auto make = [=](std::size_t i) { return task(*left, i); };
  co_await fork(3, make);
}
/// In the place of who awaits it.
struct Ended : detail::CallbackFrame {
  explicit Ended(detail::Atomic<bool>& t) noexcept
      : CallbackFrame(
            [](CallbackFrame* self) noexcept { static_cast<Ended*>(self)->told.store(true); }),
        told(t) {}
  detail::Atomic<bool>& told;
};

}  // namespace

TEST_CASE("a forked range has as many results as tasks, also of a type that is made of anything") {
  WorkStealingPool pool({.threads = 2});
  CHECK(syncWait(pool.run(sumOfAnything)) == 20);
}

TEST_CASE("fork of more tasks than memory can hold throws") {
  WorkStealingPool pool({.threads = 1});
  const std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const std::size_t count : {most, most / 2, most / 8 + 1, most / 8 + 4})
    CHECK(syncWait(pool.run(isTooMany, count)));
}

TEST_CASE("of several tasks of a fork that could not be made the first in the row counts") {
  WorkStealingPool pool({.threads = 3});
  for (int i = 0; i < 100; ++i) {
    detail::Atomic<bool> thrown{false};
    CHECK(syncWait(pool.run(whatIsThrown, &thrown)) == "first");
  }
}

TEST_CASE("what makes the tasks of a fork is there as long as their parameters are") {
  WorkStealingPool pool({.threads = 1});
  CHECK(syncWait(pool.run(parametersThatGoLate)) == 0);
}

TEST_CASE("a task of a forked range may end on another pool when its own is gone") {
  detail::Atomic<void*> left{nullptr};
  Task<> forks = forkAndLeave(&left);
  detail::Atomic<bool> joined{false};
  Ended ended(joined);
  {
    WorkStealingPool pool({.threads = 1});
    pool.submit([&] { detail::startTask(forks, ended); });
    while (left.load() == nullptr) std::this_thread::yield();
  }
  WorkStealingPool other({.threads = 1});
  other.submit([&] { detail::run(std::coroutine_handle<>::from_address(left.load())); });
  while (!joined.load()) std::this_thread::yield();
  CHECK(joined.load());
}
