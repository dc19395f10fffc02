// SPDX-License-Identifier: MIT
#include <leat/abort.hpp>
#include <leat/async_hooks.hpp>
#include <leat/buffer.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/process.hpp>
#include <leat/promise.hpp>
#include <leat/scope.hpp>
#include <leat/timers.hpp>
#include <leat/worker/worker_pool.hpp>

#include <leat_test.hpp>
#include <pthread.h>

#include <atomic>
#include <child.hpp>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "worker_rig.hpp"

using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::sleep;
using leat::Task;
using leat::worker_threads::threadId;
using leat::worker_threads::workerData;
using leat::worker_threads::WorkerPool;
using leat_test::codeOf;

namespace {

/// Has the threads that pass it wait until so many have come.
struct Meeting {
  explicit Meeting(int all) : wanted(all) {}
  void pass() {
    ++here;
    while (here.load() < wanted) std::this_thread::yield();
  }
  const int wanted;
  std::atomic<int> here{0};
};

/// Until it is opened.
struct Door {
  void pass() {
    ++before;
    while (!open.load()) std::this_thread::yield();
  }
  void await(int wanted) {
    while (before.load() < wanted) std::this_thread::yield();
  }
  std::atomic<int> before{0};
  std::atomic<bool> open{false};
};

template <class Condition>
Task<> until(Condition condition) {
  while (!condition()) co_await sleep(1);
}

template <class P>
Task<std::string> failure(P promise) {
  const auto result = co_await leat::asResult(std::move(promise));
  co_return result.ok() ? std::string("none") : codeOf(result.error());
}

int square(int i) { return i * i; }

}  // namespace

TEST_CASE("a pool calls its function on workers, and results and exceptions come home") {
  run([]() -> Task<> {
    const auto here = std::this_thread::get_id();
    const auto f = [here](int i) {
      if (std::this_thread::get_id() == here || threadId() == 0) throw leat::Error("at home");
      if (i < 0) throw leat::RangeError("negative");
      return std::to_string(i);
    };
    const WorkerPool<int, std::string> pool(f, {.maxThreads = 2});
    const std::string text = co_await pool.run(42);
    CHECK(text == "42");
    const auto failed = co_await leat::asResult(pool.run(-1));
    CHECK(codeOf(failed.error()) == "ERR_OUT_OF_RANGE");
    Promise<std::string> started = pool.run(7);
    const std::string seven = co_await started;
    CHECK(seven == "7");
    CHECK(std::this_thread::get_id() == here);
  });
}

TEST_CASE("the function of a pool may be a coroutine, which uses the loop of its worker") {
  run([]() -> Task<> {
    const auto task = [](std::string text) -> Task<std::size_t> {
      co_await sleep(1);
      if (text.empty()) throw leat::TypeError("empty");
      co_return text.size();
    };
    const WorkerPool<std::string, std::size_t> pool(task, {.maxThreads = 1});
    const std::size_t size = co_await pool.run("four");
    CHECK(size == 4);
    const auto failed = co_await leat::asResult(pool.run(""));
    CHECK(codeOf(failed.error()) == "ERR_INVALID_ARG_VALUE");
    const auto promise = [](int i) -> Promise<int> {
      co_await leat::nextImmediate();
      co_return i + 1;
    };
    const WorkerPool<int, int> promises(promise, {.maxThreads = 1});
    const int next = co_await promises.run(1);
    CHECK(next == 2);
    std::atomic<int> calls{0};
    const auto nothing = [&calls](int) -> Task<> {
      ++calls;
      co_return;
    };
    const WorkerPool<int> silent(nothing, {.maxThreads = 1});
    co_await silent.run(1);
    CHECK(calls.load() == 1);
  });
}

TEST_CASE("a pool is ready when minThreads workers are online") {
  run([]() -> Task<> {
    Meeting meeting(3);
    const WorkerPool<int, int> pool(
        [&meeting](int) {
          meeting.pass();
          return threadId();
        },
        {.minThreads = 3, .maxThreads = 3});
    CHECK(pool.statistics().threads == 3);
    co_await pool.ready();
    co_await pool.ready();
    Promise<int> all[] = {pool.run(0), pool.run(0), pool.run(0)};
    // All are at work at once: nobody had to be waited for.
    CHECK(pool.statistics().queueSize == 0);
    CHECK(pool.statistics().running == 3);
    std::set<int> ids;
    for (Promise<int>& each : all) ids.insert(co_await each);
    CHECK(ids.size() == 3);
    const WorkerPool<int, int> lazy(square, {.minThreads = 0, .maxThreads = 1});
    co_await lazy.ready();
    CHECK(lazy.statistics().threads == 0);
    const int four = co_await lazy.run(2);
    CHECK(four == 4);
  });
}

TEST_CASE("a pool grows to maxThreads and shrinks to minThreads when they idle") {
  run([]() -> Task<> {
    Meeting meeting(3);
    const WorkerPool<int> pool([&meeting](int) { meeting.pass(); },
                               {.minThreads = 1, .maxThreads = 3, .idleTimeout = 1});
    co_await pool.ready();
    CHECK(pool.statistics().threads == 1);
    std::vector<Promise<>> all;
    for (int i = 0; i < 9; ++i) all.push_back(pool.run(i));
    CHECK(pool.statistics().threads == 3);
    for (Promise<>& each : all) co_await each;
    CHECK(pool.statistics().completed == 9);
    co_await until([&] { return pool.statistics().threads == 1; });
    co_await sleep(5);
    CHECK(pool.statistics().threads == 1);
    co_await pool.run(0);
  });
}

TEST_CASE("without an idleTimeout a worker above minThreads ends with its last task") {
  run([]() -> Task<> {
    const WorkerPool<int, int> pool([](int) { return threadId(); },
                                    {.minThreads = 0, .maxThreads = 1, .idleTimeout = 0});
    const int first = co_await pool.run(0);
    CHECK(pool.statistics().threads == 0);
    const int second = co_await pool.run(0);
    CHECK(first != second);
  });
}

TEST_CASE("a worker is given several tasks at once when the pool says so") {
  run([]() -> Task<> {
    std::atomic<int> most{0};
    const auto f = [&most, here = 0, begun = 0](int) mutable -> Task<> {
      // The closure is the worker's own.
      ++here;
      ++begun;
      if (here > most.load()) most = here;
      do {
        co_await sleep(2);
      } while (begun < 4);
      --here;
    };
    const WorkerPool<int> pool(f, {.maxThreads = 1, .concurrentTasksPerWorker = 4});
    std::vector<Promise<>> all;
    for (int i = 0; i < 10; ++i) all.push_back(pool.run(i));
    for (Promise<>& each : all) co_await each;
    CHECK(most.load() == 4);
  });
}

TEST_CASE(
    "a worker without a task is found before one that has some, also when it must be started") {
  run([]() -> Task<> {
    std::atomic<int> begun{0};
    // As long as it takes to start the other.
    const auto f = [&begun](int) -> Task<int> {
      ++begun;
      while (begun.load() < 2) co_await sleep(1);
      co_return threadId();
    };
    const WorkerPool<int, int> pool(
        f, {.minThreads = 1, .maxThreads = 2, .concurrentTasksPerWorker = 8});
    co_await pool.ready();
    Promise<int> first = pool.run(0);
    Promise<int> second = pool.run(0);
    CHECK(pool.statistics().threads == 2);
    const int a = co_await first;
    const int b = co_await second;
    CHECK(a != b);
  });
}

TEST_CASE("a full pool refuses tasks, or has them wait for room") {
  run([]() -> Task<> {
    Door door;
    std::vector<int> order;
    const auto f = [&door](int i) {
      door.pass();
      return i;
    };
    const WorkerPool<int, int> strict(
        f, {.maxThreads = 1, .maxQueue = 2, .whenFull = leat::PoolFull::Throw});
    co_await strict.ready();
    Promise<int> strictly[] = {strict.run(0), strict.run(1), strict.run(2)};
    CHECK(strict.statistics().queueSize == 2);
    const auto refused = co_await leat::asResult(strict.run(3));
    CHECK(codeOf(refused.error()) == "ERR_POOL_FULL");
    CHECK_THAT(leat::describe(refused.error()), leat_test::containsText("2 tasks wait"));
    door.open = true;
    for (Promise<int>& each : strictly) (void)co_await each;

    Door second;
    const auto g = [&second](int i) {
      second.pass();
      return i;
    };
    const WorkerPool<int, int> patient(g, {.maxThreads = 1, .maxQueue = 2});
    co_await patient.ready();
    std::vector<Promise<>> all;
    const auto one = [&](int i) -> Promise<> { order.push_back(co_await patient.run(i)); };
    for (int i = 0; i < 8; ++i) all.push_back(one(i));
    CHECK(patient.statistics().queueSize == 2);
    CHECK(patient.statistics().waiting == 5);
    second.open = true;
    for (Promise<>& each : all) co_await each;
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
  });
}

TEST_CASE("the threads that are being started are room, too") {
  run([]() -> Task<> {
    const WorkerPool<int, int> pool(
        square,
        {.minThreads = 0, .maxThreads = 2, .maxQueue = 1, .whenFull = leat::PoolFull::Throw});
    Promise<int> accepted[] = {pool.run(1), pool.run(2), pool.run(3)};
    const std::string code = co_await failure(pool.run(4));
    CHECK(code == "ERR_POOL_FULL");
    int sum = 0;
    for (Promise<int>& each : accepted) sum += co_await each;
    CHECK(sum == 14);
  });
}

TEST_CASE("a task that is aborted before it began leaves the queue at once") {
  run([]() -> Task<> {
    Door door;
    std::atomic<int> calls{0};
    const auto held = std::make_shared<int>(0);
    const auto f = [&](std::shared_ptr<int>) {
      ++calls;
      door.pass();
    };
    const WorkerPool<std::shared_ptr<int>> pool(f, {.maxThreads = 1, .maxQueue = 1});
    co_await pool.ready();
    Promise<> first = pool.run(nullptr);
    const leat::AbortController controller;
    Promise<> queued = pool.run(held, {.signal = controller});
    Promise<> inLine = pool.run(held, {.signal = controller});
    Promise<> last = pool.run(nullptr);
    CHECK(pool.statistics().queueSize == 1);
    CHECK(pool.statistics().waiting == 2);
    CHECK(held.use_count() == 3);
    controller.abort("not any more");
    CHECK(pool.statistics().queueSize == 1);
    CHECK(pool.statistics().waiting == 0);
    for (Promise<>* each : {&queued, &inLine}) {
      const std::string code = co_await failure(*each);
      CHECK(code == "ABORT_ERR");
    }
    CHECK(held.use_count() == 1);
    // Aborted already: it never enters.
    const std::string code = co_await failure(pool.run(held, {.signal = controller}));
    CHECK(code == "ABORT_ERR");
    door.open = true;
    co_await first;
    co_await last;
    CHECK(calls.load() == 2);
  });
}

TEST_CASE("a task that has begun sees its signal aborted, as a coroutine and as a function") {
  run([]() -> Task<> {
    std::atomic<int> begun{0};
    std::atomic<int> aborted{0};
    const auto f = [&](int) -> Task<> {
      ++begun;
      const auto slept = co_await leat::asResult(sleep(100'000));
      if (codeOf(slept.error()) == "ABORT_ERR") ++aborted;
    };
    const auto wait = [](const std::atomic<int>& count, int wanted) {
      return until([&count, wanted] { return count.load() == wanted; });
    };
    const WorkerPool<int> coroutines(f, {.maxThreads = 1});
    leat::AbortController controller;
    Promise<> first = coroutines.run(0, {.signal = controller});
    co_await wait(begun, 1);
    controller.abort();
    const std::string code = co_await failure(first);
    CHECK(code == "ABORT_ERR");
    co_await wait(aborted, 1);
    // The worker is free again.
    const leat::AbortController other;
    const auto task = [&] { return coroutines.run(0); };
    auto under = leat::withSignal(other.signal(), task);
    Promise<> second = std::move(under);
    co_await wait(begun, 2);
    other.abort();
    const std::string ambient = co_await failure(second);
    CHECK(ambient == "ABORT_ERR");
    co_await wait(aborted, 2);

    const auto g = [&](int, leat::AbortSignal signal) {
      ++begun;
      while (!signal.aborted()) std::this_thread::yield();
      ++aborted;
    };
    const WorkerPool<int> functions(g, {.maxThreads = 1});
    controller = leat::AbortController();
    Promise<> third = functions.run(0, {.signal = controller});
    co_await wait(begun, 3);
    controller.abort();
    const std::string plain = co_await failure(third);
    CHECK(plain == "ABORT_ERR");
    co_await functions.close();
    CHECK(aborted.load() == 3);
  });
}

TEST_CASE("a listener of a task's signal is told on the worker") {
  run([]() -> Task<> {
    std::atomic<int> where{-1};
    std::atomic<bool> begun{false};
    const auto f = [&](int, leat::AbortSignal signal) -> Task<> {
      auto made = Promise<>::withResolvers();
      const auto registration = signal.onAbort([&, resolve = made.resolve] {
        where = threadId();
        resolve();
      });
      begun = true;
      co_await leat::shielded(made.promise);
    };
    const WorkerPool<int> pool(f, {.maxThreads = 1});
    const leat::AbortController controller;
    Promise<> task = pool.run(0, {.signal = controller});
    co_await until([&] { return begun.load(); });
    controller.abort();
    const std::string code = co_await failure(task);
    CHECK(code == "ABORT_ERR");
    co_await until([&] { return where.load() != -1; });
    CHECK(where.load() > 0);
  });
}

TEST_CASE(
    "a worker that fails outside of its tasks fails those that it has begun, and is replaced") {
  run([]() -> Task<> {
    const auto f = [](int i) -> Task<int> {
      // Task 0 has begun by then.
      if (i == 1) leat::setTimeout([] { throw leat::Error("late", "ERR_LATE"); }, 1);
      co_await sleep(i == 2 ? 1 : 100'000);
      co_return threadId();
    };
    const WorkerPool<int, int> pool(f, {.maxThreads = 1, .concurrentTasksPerWorker = 2});
    co_await pool.ready();
    Promise<int> first = pool.run(0);
    Promise<int> second = pool.run(1);
    Promise<int> queued = pool.run(2);
    for (Promise<int>* each : {&first, &second}) {
      const auto result = co_await leat::asResult(*each);
      CHECK(codeOf(result.error()) == "ERR_WORKER_EXITED");
      CHECK_THAT(leat::describe(result.error()),
                 leat_test::containsText("has failed (exit code 1)"));
      CHECK_THAT(leat::describe(result.error()), leat_test::containsText("ERR_LATE"));
    }
    const int id = co_await queued;
    CHECK(id > 0);
    CHECK(pool.statistics().threads == 1);
  });
}

TEST_CASE("process.exit in a task ends its worker, and what was not begun goes to another") {
  run([]() -> Task<> {
    Door door;
    const auto f = [&door](int i) {
      if (i != 0) return i;
      door.pass();
      leat::process::exit(7);
    };
    const WorkerPool<int, int> pool(f, {.maxThreads = 1, .concurrentTasksPerWorker = 4});
    co_await pool.ready();
    Promise<int> exits = pool.run(0);
    std::vector<Promise<int>> others;
    for (int i = 1; i <= 5; ++i) others.push_back(pool.run(i));
    CHECK(pool.statistics().running == 4);
    door.await(1);
    door.open = true;
    const auto result = co_await leat::asResult(exits);
    CHECK(codeOf(result.error()) == "ERR_WORKER_EXITED");
    CHECK_THAT(leat::describe(result.error()), leat_test::containsText("has exited (exit code 7)"));
    int sum = 0;
    for (Promise<int>& each : others) sum += co_await each;
    CHECK(sum == 15);
  });
}

TEST_CASE("what fails in a worker without a task is the error of its pool") {
  std::vector<std::string> told;
  run([&]() -> Task<> {
    const auto f = [](int) { leat::setTimeout([] { throw leat::Error("late", "ERR_LATE"); }, 1); };
    const WorkerPool<int> pool(f, {.maxThreads = 1});
    pool.on<"error">([&](const std::exception_ptr& error) { told.push_back(codeOf(error)); });
    co_await pool.run(0);
    co_await until([&] { return told.size() == 1; });
    co_await pool.ready();
    CHECK(pool.statistics().threads == 1);
    leat::process::on<"uncaughtException">(
        [&](const std::exception_ptr& error) { told.push_back("uncaught " + codeOf(error)); });
    pool.removeAllListeners();
    co_await pool.run(0);
    co_await until([&] { return told.size() == 2; });
  });
  CHECK(told == std::vector<std::string>{"ERR_LATE", "uncaught ERR_LATE"});
}

TEST_CASE("close finishes what the pool has, then ends the workers") {
  run([]() -> Task<> {
    Door door;
    const auto f = [&door](int i) {
      door.pass();
      return i;
    };
    const WorkerPool<int, int> pool(f, {.maxThreads = 2, .maxQueue = 2});
    co_await pool.ready();
    std::vector<Promise<int>> all;
    for (int i = 0; i < 7; ++i) all.push_back(pool.run(i));
    Promise<> closed = pool.close();
    const std::string code = co_await failure(pool.run(0));
    CHECK(code == "ERR_POOL_CLOSED");
    door.open = true;
    co_await closed;
    CHECK(pool.statistics().threads == 0);
    CHECK(pool.statistics().completed == 7);
    int sum = 0;
    for (Promise<int>& each : all) sum += co_await each;
    CHECK(sum == 21);
    co_await pool.close();
    co_await pool.destroy();
  });
}

TEST_CASE("a pool is closed before a worker of it is online") {
  run([]() -> Task<> {
    const WorkerPool<int, int> idle(square, {.maxThreads = 2});
    Promise<> ready = idle.ready();
    Promise<> closed = idle.close();
    const std::string code = co_await failure(ready);
    CHECK(code == "ERR_POOL_CLOSED");
    co_await closed;
    const std::string later = co_await failure(Promise<>(idle.ready()));
    CHECK(later == "ERR_POOL_CLOSED");
    const WorkerPool<int, int> busy(square, {.minThreads = 0, .maxThreads = 2});
    Promise<int> task = busy.run(3);
    co_await busy.close();
    const int nine = co_await task;
    CHECK(nine == 9);
  });
}

TEST_CASE("destroy fails what waits and what runs, and aborts the latter") {
  run([]() -> Task<> {
    std::atomic<int> begun{0};
    std::atomic<int> aborted{0};
    const auto f = [&](int) -> Task<int> {
      ++begun;
      const auto slept = co_await leat::asResult(sleep(100'000));
      if (codeOf(slept.error()) == "ABORT_ERR") ++aborted;
      co_return 1;
    };
    const WorkerPool<int, int> pool(f, {.maxThreads = 1, .maxQueue = 1});
    std::vector<Promise<int>> all;
    for (int i = 0; i < 3; ++i) all.push_back(pool.run(i));
    co_await until([&] { return begun.load() == 1; });
    bool goneOn = false;
    const auto watch = [&](Promise<int> task) -> Promise<> {
      const std::string code = co_await failure(task);
      CHECK(code == "ERR_POOL_CLOSED");
      goneOn = true;
    };
    std::vector<Promise<>> watched;
    for (const Promise<int>& each : all) watched.push_back(watch(each));
    Promise<> destroyed = pool.destroy({.grace = 60'000});
    CHECK_FALSE(goneOn);
    for (Promise<>& each : watched) co_await each;
    co_await destroyed;
    CHECK(aborted.load() == 1);
    CHECK(pool.statistics().threads == 0);
  });
}

TEST_CASE("a destroy that waits longer than a timer can is refused, and the pool goes on") {
  run([]() -> Task<> {
    const WorkerPool<int, int> pool(square, {.maxThreads = 1});
    constexpr long tooLong = 2'147'483'648;
    CHECK_THROWS_AS(pool.destroy({.grace = tooLong}), leat::RangeError);
    CHECK_THROWS_AS(pool.destroy({.deadline = -1}), leat::RangeError);
    const int nine = co_await pool.run(3);
    CHECK(nine == 9);
    co_await pool.destroy({.grace = tooLong - 1, .deadline = tooLong - 1});
  });
}

TEST_CASE("a task whose pool has no handle any more is finished, and then the pool ends") {
  int result = 0;
  run([&]() -> Task<> {
    const auto give = [] {
      const WorkerPool<int, int> pool(
          [](int i) -> Task<int> {
            co_await sleep(2);
            co_return i + 1;
          },
          {.maxThreads = 2});
      return Promise<int>(pool.run(1));
    };
    result = co_await give();
  });
  CHECK(result == 2);
}

TEST_CASE("a pool may end in the call that gives it its result") {
  run([]() -> Task<> {
    std::optional<WorkerPool<int, int>> pool;
    pool.emplace(square, leat::worker_threads::WorkerPoolOptions{.maxThreads = 1});
    const auto use = [&]() -> Task<> {
      const int nine = co_await pool->run(3);
      CHECK(nine == 9);
      pool.reset();
    };
    co_await use();
  });
}

TEST_CASE("a loop may end while its pool is at work") {
  std::atomic<int> begun{0};
  for (int round = 0; round < 5; ++round) {
    const int before = begun.load();
    run([&, round]() -> Task<> {
      const auto f = [&begun](int) -> Task<> {
        ++begun;
        co_await sleep(100'000);
      };
      static std::optional<WorkerPool<int>> outlives;
      outlives.emplace(f, leat::worker_threads::WorkerPoolOptions{.maxThreads = 2});
      std::vector<Promise<>> all;
      for (int i = 0; i < 4; ++i) all.push_back(outlives->run(i));
      if (round > 0) co_await until([&] { return begun.load() >= before + round % 3; });
      if (round == 4) outlives->close();
      EventLoop::current().stop();
      co_await sleep(100'000);
    });
  }
  CHECK(begun.load() >= 3);
}

TEST_CASE("a listener that holds its pool goes with the pool's end, or with the loop") {
  const auto witness = std::make_shared<int>(0);
  run([&]() -> Task<> {
    const auto make = [&] {
      const WorkerPool<int, int> pool(square, {.maxThreads = 1});
      pool.on<"error">([pool, witness] {});
      return pool;
    };
    const auto close = [&]() -> Task<> { co_await make().close(); };
    co_await close();
    co_await leat::nextImmediate();
    CHECK(witness.use_count() == 1);
    (void)make();
    CHECK(witness.use_count() == 2);
  });
  CHECK(witness.use_count() == 1);
}

TEST_CASE("an idle pool does not hold its loop") {
  const int code = run([]() -> Task<> {
    static std::optional<WorkerPool<int, int>> pool;
    pool.emplace(square, leat::worker_threads::WorkerPoolOptions{.maxThreads = 2});
    const int four = co_await pool->run(2);
    CHECK(four == 4);
  });
  CHECK(code == 0);
}

TEST_CASE("the bytes of a Buffer go to a worker and back without a copy") {
  run([]() -> Task<> {
    leat::Buffer bytes = leat::Buffer::alloc(100'000, 'a');
    const auto* const place = bytes.data();
    const auto f = [](leat::Buffer buffer) {
      buffer[0] = 'b';
      return buffer;
    };
    const WorkerPool<leat::Buffer, leat::Buffer> pool(f, {.maxThreads = 1});
    const leat::Buffer back = co_await pool.run(std::move(bytes));
    CHECK(back.data() == place);
    CHECK(back[0] == 'b');
  });
}

TEST_CASE("tasks and results that can only be moved") {
  run([]() -> Task<> {
    const auto f = [](std::unique_ptr<int> i) { return std::make_unique<int>(*i + 1); };
    const WorkerPool<std::unique_ptr<int>, std::unique_ptr<int>> pool(f, {.maxThreads = 1});
    const std::unique_ptr<int> two = co_await pool.run(std::make_unique<int>(1));
    CHECK(*two == 2);
  });
}

TEST_CASE("each worker of a pool has a copy of the data, and the options of a Worker") {
  run([]() -> Task<> {
    Meeting meeting(2);
    const auto f = [&meeting](int i, std::vector<int>& mine) {
      meeting.pass();
      mine.push_back(i);
      char name[16] = {};
      ::pthread_getname_np(::pthread_self(), name, sizeof name);
      return std::string(name) + " " + std::to_string(workerData<std::vector<int>>().size());
    };
    const WorkerPool<int, std::string> pool(f, {.maxThreads = 2, .name = "test-pool"},
                                            std::vector<int>{1, 2, 3});
    Promise<std::string> a = pool.run(4);
    Promise<std::string> b = pool.run(5);
    for (Promise<std::string>* each : {&a, &b}) {
      const std::string text = co_await *each;
      CHECK(text == "test-pool 4");
    }
  });
}

TEST_CASE("the stores of who gives a task stay at home") {
  run([]() -> Task<> {
    static const leat::AsyncLocalStorage<int> storage;
    const auto f = [](int) { return static_cast<bool>(storage.getStore()); };
    const WorkerPool<int, bool> pool(f, {.maxThreads = 1});
    const auto inside = [&]() -> Task<> {
      const bool there = co_await pool.run(0);
      CHECK_FALSE(there);
      CHECK(*storage.getStore() == 5);
    };
    co_await storage.run(5, inside);
  });
}

TEST_CASE("a pool whose workers cannot be started says so") {
  run([]() -> Task<> {
    const WorkerPool<int, int> lazy(square, {.minThreads = 0, .maxThreads = 1});
    const WorkerPool<int, int> some(square, {.minThreads = 1, .maxThreads = 2});
    co_await some.ready();
    leat::sys::fault.store([](leat::sys::Call call) noexcept {
      return call == leat::sys::Call::pthread_create ? EAGAIN : 0;
    });
    std::string code;
    try {
      const WorkerPool<int, int> pool(square, {.maxThreads = 2});
    } catch (const leat::Error& error) {
      code = error.code();
    }
    const std::string refused = co_await failure(lazy.run(1));
    // Where there is a worker, the task waits for that.
    Promise<int> all[] = {some.run(1), some.run(2), some.run(3)};
    int sum = 0;
    for (Promise<int>& each : all) sum += co_await each;
    leat::sys::fault.store(nullptr);
    CHECK(code == "ERR_WORKER_INIT_FAILED");
    CHECK(refused == "ERR_WORKER_INIT_FAILED");
    CHECK(sum == 14);
    const int nine = co_await lazy.run(3);
    CHECK(nine == 9);
  });
}

TEST_CASE(
    "a worker whose loop cannot be made fails ready and what waits, and is not tried for ever") {
  run([]() -> Task<> {
    WorkerPool<int, int> pool(square, {.maxThreads = 1, .loop = {.backend = "none such"}});
    const std::string ready = co_await failure(Promise<>(pool.ready()));
    CHECK(ready != "none");
    const std::string task = co_await failure(pool.run(1));
    CHECK(task == ready);
    CHECK(pool.statistics().threads == 0);
  });
}

TEST_CASE("what waited for a worker that cannot be started goes to one that has room, or comes") {
  const int code = run([]() -> Task<> {
    std::atomic<bool> came{false};
    std::atomic<bool> open{false};
    const auto f = [&](int i) -> Task<int> {
      if (i == 2) came = true;
      while (!open.load()) co_await sleep(1);
      if (i == 0) leat::process::exit(3);
      co_return i;
    };
    const WorkerPool<int, int> shared(
        f, {.minThreads = 1, .maxThreads = 2, .concurrentTasksPerWorker = 2});
    const WorkerPool<int, int> alone(f, {.minThreads = 1, .maxThreads = 2});
    co_await shared.ready();
    co_await alone.ready();
    Promise<int> waits = shared.run(1);
    // Told of as soon as it fails.
    const Promise<std::string> exits = failure(Promise<int>(alone.run(0)));
    leat::sys::fault.store([](leat::sys::Call call) noexcept {
      return call == leat::sys::Call::eventfd ? EMFILE : 0;
    });
    Promise<int> behind = alone.run(4);
    co_await until([&] { return alone.statistics().threads == 1; });
    CHECK(alone.statistics().queueSize == 1);
    // For this one the first waits.
    Promise<int> opens = shared.run(2);
    co_await until([&] { return shared.statistics().threads == 1 && came.load(); });
    // Before any worker ends, whose follower must be started.
    leat::sys::fault.store(nullptr);
    open = true;
    const int opened = co_await opens;
    const int waited = co_await waits;
    CHECK(opened == 2);
    CHECK(waited == 1);
    // The last worker ends, and nothing else happens.
    const std::string exited = co_await exits;
    CHECK(exited == "ERR_WORKER_EXITED");
    const int last = co_await behind;
    CHECK(last == 4);
  });
  leat::sys::fault.store(nullptr);
  CHECK(code == 0);
}

TEST_CASE("options of a pool that make no sense are refused") {
  run([] {
    using Options = leat::worker_threads::WorkerPoolOptions;
    for (const Options& wrong :
         {Options{.minThreads = 3, .maxThreads = 2}, Options{.minThreads = -2},
          Options{.maxThreads = -1}, Options{.maxThreads = 1, .idleTimeout = -1},
          Options{.maxThreads = 1, .concurrentTasksPerWorker = 0},
          Options{.maxThreads = 1, .stackSizeMb = 0}}) {
      CHECK_THROWS_AS((WorkerPool<int, int>(square, wrong)), leat::RangeError);
    }
    try {
      const WorkerPool<int, int> pool(square, {.minThreads = 3, .maxThreads = 2});
    } catch (const leat::RangeError& error) {
      CHECK(error.message() == "WorkerPool: minThreads must be 0 to 2, not 3");
    }
  });
}

TEST_CASE("a pool belongs to the loop that made it") {
  run([]() -> Task<> {
    const WorkerPool<int, int> pool(square, {.maxThreads = 1});
    std::string code;
    std::thread([&] {
      run([&] {
        try {
          (void)pool.run(1);
        } catch (const leat::Error& error) {
          code = error.code();
        }
      });
    }).join();
    CHECK(code == "ERR_WRONG_THREAD");
    co_await pool.close();
  });
}

TEST_CASE("the statistics of a pool") {
  run([]() -> Task<> {
    Door door;
    const WorkerPool<int> pool([&door](int) { door.pass(); }, {.maxThreads = 2});
    co_await pool.ready();
    CHECK(pool.statistics().idle == 2);
    CHECK(pool.statistics().utilization == 0);
    Promise<> task = pool.run(0);
    door.await(1);
    const auto busy = pool.statistics();
    CHECK(busy.threads == 2);
    CHECK(busy.idle == 1);
    CHECK(busy.running == 1);
    CHECK(busy.utilization > 0);
    CHECK(busy.utilization < 0.51);
    door.open = true;
    co_await task;
    CHECK(pool.statistics().running == 0);
    CHECK(pool.statistics().completed == 1);
  });
}

TEST_CASE("a task that nobody waits for any more is aborted") {
  run([]() -> Task<> {
    std::atomic<int> begun{0};
    std::atomic<int> aborted{0};
    const auto f = [&](int) -> Task<> {
      ++begun;
      const auto slept = co_await leat::asResult(sleep(100'000));
      if (codeOf(slept.error()) == "ABORT_ERR") ++aborted;
    };
    const WorkerPool<int> pool(f, {.maxThreads = 1});
    const auto both = [&]() -> Task<> {
      co_await leat::raceScoped(pool.run(0), until([&] { return begun.load() == 1; }));
    };
    co_await both();
    co_await until([&] { return aborted.load() == 1; });
  });
}

TEST_CASE("tasks are lost neither by workers that end at random nor by aborts") {
  run([]() -> Task<> {
    const auto f = [](int i) -> Task<int> {
      if (i % 97 == 0) leat::process::exit(3);
      if (i % 89 == 0) leat::nextTick([] { throw leat::Error("tick", "ERR_TICK"); });
      if (i % 5 == 0) co_await leat::nextImmediate();
      if (i % 11 == 0) throw leat::RangeError("eleven");
      co_return i;
    };
    const WorkerPool<int, int> pool(f, {.minThreads = 1,
                                        .maxThreads = 3,
                                        .idleTimeout = 0,
                                        .maxQueue = 20,
                                        .concurrentTasksPerWorker = 3});
    int errors = 0;
    pool.on<"error">([&] { ++errors; });
    constexpr int tasks = 2000;
    std::vector<int> ends(tasks, 0);
    int wrong = 0;
    const auto one = [&](int i) -> Promise<> {
      const leat::AbortController controller;
      if (i % 13 == 0) leat::setImmediate([controller] { controller.abort(); });
      const auto result = co_await leat::asResult(pool.run(i, {.signal = controller}));
      ++ends[static_cast<std::size_t>(i)];
      if (result.ok()) {
        if (result.value() != i) ++wrong;
        co_return;
      }
      const std::string code = codeOf(result.error());
      const bool expected = code == "ERR_WORKER_EXITED" ||
                            (code == "ERR_OUT_OF_RANGE" && i % 11 == 0) ||
                            (code == "ABORT_ERR" && i % 13 == 0);
      if (!expected) ++wrong;
    };
    std::vector<Promise<>> all;
    for (int i = 0; i < tasks; ++i) all.push_back(one(i));
    for (Promise<>& each : all) co_await each;
    CHECK(wrong == 0);
    CHECK(ends == std::vector<int>(tasks, 1));
    co_await pool.close();
    CHECK(pool.statistics().threads == 0);
  });
}
