// SPDX-License-Identifier: MIT
#include <leat/abort.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat/worker/shared_buffer.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <climits>
#include <memory>
#include <thread>
#include <vector>

#include "worker_rig.hpp"

using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::Task;
using leat::worker_threads::Atomics;
using leat::worker_threads::CellWaitResult;
using leat::worker_threads::MessagePort;
using leat::worker_threads::SharedBuffer;
using leat::worker_threads::Worker;
using leat_test::settle;

TEST_CASE("a shared buffer is zero at first, and the same for all handles") {
  const SharedBuffer bytes(19);
  CHECK(bytes.size() == 19);
  CHECK(bytes.as<int>().size() == 4);
  CHECK(bytes.as<double>().size() == 2);
  for (const std::byte& each : std::span(bytes.data(), bytes.size())) CHECK(each == std::byte{0});
  const SharedBuffer same = bytes;
  same.as<int>()[3] = 7;
  CHECK(bytes.as<int>()[3] == 7);
  CHECK(same == bytes);
  CHECK_FALSE(SharedBuffer(0) == bytes);
  CHECK(SharedBuffer(0).as<int>().empty());
}

TEST_CASE("a shared buffer that was moved from has no bytes") {
  SharedBuffer bytes(19);
  const SharedBuffer moved = std::move(bytes);
  CHECK(moved.size() == 19);
  CHECK(bytes.data() == nullptr);
  CHECK(bytes.size() == 0);
  CHECK(bytes.as<int>().empty());
}

TEST_CASE("the atomic operations give what was there before") {
  const SharedBuffer bytes(8);
  int& cell = bytes.as<int>()[1];
  Atomics::store(cell, 5);
  CHECK(Atomics::add(cell, 2) == 5);
  CHECK(Atomics::sub(cell, 1) == 7);
  CHECK(Atomics::exchange(cell, 9) == 6);
  CHECK(Atomics::compareExchange(cell, 1, 2) == 9);
  CHECK(Atomics::compareExchange(cell, 9, 2) == 9);
  CHECK(Atomics::load(cell) == 2);
}

TEST_CASE("a worker and its parent wait for each other's writes") {
  long sum = 0;
  run([&]() -> Task<> {
    const SharedBuffer shared(2 * sizeof(int));
    int& turn = shared.as<int>()[0];
    int& value = shared.as<int>()[1];
    const Worker<> worker(
        [](MessagePort<std::monostate>, const SharedBuffer& mine) -> Task<> {
          const auto cells = mine.as<int>();
          for (int i = 1; i <= 200; ++i) {
            while (Atomics::load(cells[0]) == 0) co_await Atomics::waitAsync(cells[0], 0);
            cells[1] *= 2;
            Atomics::store(cells[0], 0);
            Atomics::notify(cells[0]);
          }
        },
        {}, shared);
    for (int i = 1; i <= 200; ++i) {
      value = i;
      Atomics::store(turn, 1);
      Atomics::notify(turn);
      while (Atomics::load(turn) == 1) co_await Atomics::waitAsync(turn, 1);
      sum += value;
    }
  });
  CHECK(sum == 200 * 201);
}

TEST_CASE("a wait for a cell that holds another value is over at once") {
  run([]() -> Task<> {
    const SharedBuffer shared(4);
    int& cell = shared.as<int>()[0];
    const bool notified = co_await Atomics::waitAsync(cell, 1);
    CHECK_FALSE(notified);
    CHECK(Atomics::wait(cell, 1) == CellWaitResult::NotEqual);
    CHECK(Atomics::wait(cell, 0, 1) == CellWaitResult::TimedOut);
    CHECK(Atomics::notify(cell) == 0);
  });
}

TEST_CASE("who has waited longest is notified first, and only as many as are meant") {
  std::string trace;
  run([&]() -> Task<> {
    const SharedBuffer shared(8);
    int& cell = shared.as<int>()[0];
    int& other = shared.as<int>()[1];
    const auto waits = [&trace](const int& of, char name) -> Promise<> {
      const bool notified = co_await Atomics::waitAsync(of, 0);
      CHECK(notified);
      trace += name;
    };
    std::vector<Promise<>> all{waits(cell, 'a'), waits(cell, 'b'), waits(cell, 'c'),
                               waits(other, 'o')};
    CHECK(Atomics::notify(cell, 2) == 2);
    co_await settle();
    CHECK(trace == "ab");
    CHECK(Atomics::notify(cell) == 1);
    CHECK(Atomics::notify(other) == 1);
    co_await leat::all(std::move(all));
  });
  CHECK(trace == "abco");
}

TEST_CASE("a wait for a cell may be aborted, and the notification goes to the next") {
  std::string trace;
  run([&]() -> Task<> {
    const SharedBuffer shared(4);
    int& cell = shared.as<int>()[0];
    const auto late = co_await leat::asResult(leat::withTimeout(1, Atomics::waitAsync(cell, 0)));
    CHECK_FALSE(late.ok());
    CHECK(Atomics::notify(cell) == 0);
    const auto waits = [&](char name) -> Task<> {
      co_await Atomics::waitAsync(cell, 0);
      trace += name;
    };
    const leat::AbortController stop;
    auto first = leat::spawn(leat::withSignal(stop.signal(), waits('x')));
    auto second = leat::spawn(waits('b'));
    CHECK(Atomics::notify(cell, 1) == 1);
    stop.abort();
    const auto aborted = co_await leat::asResult(first);
    CHECK_FALSE(aborted.ok());
    co_await second;
    const leat::AbortController before;
    before.abort();
    auto third = leat::spawn(leat::withSignal(before.signal(), waits('y')));
    const auto never = co_await leat::asResult(third);
    CHECK_FALSE(never.ok());
  });
  CHECK(trace == "b");
}

TEST_CASE("threads sleep until a loop notifies them, and the other way round") {
  const SharedBuffer shared(8);
  int& ready = shared.as<int>()[0];
  int& go = shared.as<int>()[1];
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([shared, &ready, &go] {
      Atomics::add(ready, 1);
      Atomics::notify(ready);
      while (Atomics::load(go) == 0) (void)Atomics::wait(go, 0);
    });
  run([&]() -> Task<> {
    for (int seen = Atomics::load(ready); seen < 3; seen = Atomics::load(ready))
      co_await Atomics::waitAsync(ready, seen);
    Atomics::store(go, 1);
    Atomics::notify(go);
  });
  for (std::thread& thread : threads) thread.join();
  CHECK(Atomics::load(ready) == 3);
}

TEST_CASE("a thread that waits longer than a clock can tell is notified") {
  const SharedBuffer shared(4);
  int& cell = shared.as<int>()[0];
  auto result = CellWaitResult::NotEqual;
  std::thread waiting([&] { result = Atomics::wait(cell, 0, LONG_MAX); });
  while (Atomics::notify(cell) == 0) std::this_thread::yield();
  waiting.join();
  CHECK(result == CellWaitResult::Ok);
}

TEST_CASE("a loop that ends with waits for cells leaves nothing behind") {
  const auto cell = std::make_shared<int>(0);
  for (int round = 0; round < 20; ++round) {
    std::thread other([cell] {
      for (int i = 0; i < 200; ++i) Atomics::notify(*cell, 1);
    });
    run([&] {
      for (int i = 0; i < 10; ++i)
        (void)leat::spawn([](std::shared_ptr<int> mine) -> Task<> {
          for (;;) co_await Atomics::waitAsync(*mine, 0);
        }(cell));
      leat::setTimeout([] { EventLoop::current().stop(); }, 1);
    });
    other.join();
  }
  CHECK(Atomics::notify(*cell) == 0);
}

#if !LEAT_TSAN
TEST_CASE("a child of fork() uses cells, though a thread of its parent was just at them") {
  const SharedBuffer shared(4);
  int& cell = shared.as<int>()[0];
  run([&]() -> Task<> {
    // Of a wait of the parent the child knows nothing.
    auto waits =
        leat::spawn([](const int& mine) -> Task<> { co_await Atomics::waitAsync(mine, 0); }(cell));
    auto& bucket = leat::detail::CellTable::bucketOf(&cell);
    bucket.mutex.lock();
    const auto end = leat_test::inChild([&cell] {
      return Atomics::notify(cell) == 0 && Atomics::wait(cell, 0, 1) == CellWaitResult::TimedOut
                 ? 5
                 : 1;
    });
    bucket.mutex.unlock();
    CHECK(end.code == 5);
    CHECK(Atomics::notify(cell) == 1);
    co_await waits;
  });
}
#endif
