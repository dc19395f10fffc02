// SPDX-License-Identifier: MIT
// Mutex, Semaphore, ManualResetEvent and Latch.
#include <leat/core/latch.hpp>
#include <leat/core/mutex.hpp>
#include <leat/core/semaphore.hpp>
#include <leat/core/with_context.hpp>

#include <limits>
#include <memory>
#include <queue_fixture.hpp>

using leat::AbortController;
using leat::AbortSignal;
using leat::Latch;
using leat::ManualResetEvent;
using leat::Mutex;
using leat::Promise;
using leat::Semaphore;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;

namespace {

Task<> enter(Mutex& mutex, std::string& trace, char name, leat::WaitOptions options = {}) {
  auto guard = co_await mutex.lock(options);
  trace += name;
  co_await Promise<>::resolve();
  trace += name;
}
Task<> pass(ManualResetEvent& event, int& passed, leat::WaitOptions options = {}) {
  co_await event.wait(options);
  ++passed;
}
Task<> permit(Semaphore& semaphore, ManualResetEvent& gate, int& inside) {
  auto held = co_await semaphore.acquire();
  ++inside;
  co_await gate.wait();
  --inside;
}

}  // namespace

TEST_CASE("a mutex is taken at once when free, and handed on in order") {
  QueueFixture queues;
  Mutex mutex;
  std::string trace;
  Running<> a(enter(mutex, trace, 'a'));
  REQUIRE(trace == "a");
  REQUIRE(mutex.locked());
  REQUIRE_FALSE(mutex.tryLock());
  Running<> b(enter(mutex, trace, 'b'));
  Running<> c(enter(mutex, trace, 'c'));
  queues.drain();
  REQUIRE(trace == "aabbcc");
  REQUIRE_FALSE(mutex.locked());
}

TEST_CASE("a guard moves, and unlocks once") {
  Mutex mutex;
  auto guard = mutex.tryLock();
  REQUIRE(guard);
  Mutex::Guard other = std::move(guard);
  REQUIRE_FALSE(guard);
  other.unlock();
  other.unlock();
  REQUIRE_FALSE(mutex.locked());
  guard = mutex.tryLock();
  guard = Mutex::Guard();
  REQUIRE_FALSE(mutex.locked());
}

TEST_CASE("a waiter for a mutex is aborted by either signal, before and while it waits") {
  QueueFixture queues;
  Mutex mutex;
  std::string trace;
  AbortController option, ambient;
  auto guard = mutex.tryLock();
  Running<> a(enter(mutex, trace, 'a', {.signal = option.signal()}));
  auto under = [&]() -> Task<> {
    co_await leat::withSignal(ambient.signal(), enter(mutex, trace, 'b'));
  };
  Running<> b(under());
  Running<> c(enter(mutex, trace, 'c'));
  option.abort();
  ambient.abort();
  REQUIRE_FALSE(a.done());
  queues.drain();
  REQUIRE(codeOf(a.error()) == "ABORT_ERR");
  REQUIRE(codeOf(b.error()) == "ABORT_ERR");
  guard.unlock();
  queues.drain();
  REQUIRE(trace == "cc");
  Running<> late(enter(mutex, trace, 'd', {.signal = option.signal()}));
  queues.drain();
  REQUIRE(codeOf(late.error()) == "ABORT_ERR");
  REQUIRE_FALSE(mutex.locked());
}

TEST_CASE("an abort after the mutex was granted comes too late") {
  QueueFixture queues;
  Mutex mutex;
  std::string trace;
  AbortController controller;
  auto guard = mutex.tryLock();
  Running<> a(enter(mutex, trace, 'a', {.signal = controller.signal()}));
  guard.unlock();
  controller.abort();
  queues.drain();
  REQUIRE(trace == "aa");
  a.get();
}

TEST_CASE("a waiter for a mutex that is destroyed, queued or granted, passes it on") {
  for (bool granted : {false, true}) {
    QueueFixture queues;
    Mutex mutex;
    std::string trace;
    auto guard = mutex.tryLock();
    auto a = std::make_unique<Running<>>(enter(mutex, trace, 'a'));
    Running<> b(enter(mutex, trace, 'b'));
    if (granted) guard.unlock();
    a.reset();
    guard.unlock();
    queues.drain();
    REQUIRE(trace == "bb");
    REQUIRE_FALSE(mutex.locked());
  }
}

TEST_CASE("the holder of a mutex may be destroyed") {
  QueueFixture queues;
  Mutex mutex;
  std::string trace;
  auto a = std::make_unique<Running<>>(enter(mutex, trace, 'a'));
  Running<> b(enter(mutex, trace, 'b'));
  a.reset();
  queues.drain();
  REQUIRE(trace == "abb");
}

TEST_CASE("a lock converts to a promise") {
  QueueFixture queues;
  Mutex mutex;
  auto held = mutex.tryLock();
  Promise<Mutex::Guard> promise = mutex.lock();
  queues.drain();
  REQUIRE(promise.status() == leat::PromiseStatus::Pending);
  held.unlock();
  queues.drain();
  REQUIRE(promise.status() == leat::PromiseStatus::Fulfilled);
  REQUIRE(mutex.locked());
}

TEST_CASE("a semaphore lets in as many as it has permits") {
  QueueFixture queues;
  Semaphore semaphore(2);
  ManualResetEvent gate;
  int inside = 0;
  std::vector<std::unique_ptr<Running<>>> all;
  for (int i = 0; i < 5; ++i)
    all.push_back(std::make_unique<Running<>>(permit(semaphore, gate, inside)));
  queues.drain();
  REQUIRE(inside == 2);
  REQUIRE(semaphore.available() == 0);
  REQUIRE_FALSE(semaphore.tryAcquire());
  semaphore.release();
  queues.drain();
  REQUIRE(inside == 3);
  all[0].reset();
  queues.drain();
  REQUIRE(inside == 4);  // Destroyed, the first one never counted itself out.
  gate.set();
  queues.drain();
  REQUIRE(semaphore.available() == 3);
}

TEST_CASE("a semaphore has no more permits than can be counted") {
  constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  REQUIRE_THROWS_AS(Semaphore(most + 1), leat::RangeError);
  Semaphore semaphore(2);
  auto held = semaphore.tryAcquire();
  CHECK_THROWS_WITH(semaphore.release(std::numeric_limits<std::size_t>::max()),
                    "The value of \"permits\" is out of range. It must be <= "
                    "9_223_372_036_854_775_806. Received 18_446_744_073_709_551_615");
  CHECK(semaphore.available() == 1);
  semaphore.release(most - 1);
  held.release();
  CHECK(semaphore.available() == most + 1);
  CHECK_THROWS_AS(semaphore.release(), leat::RangeError);
}

TEST_CASE("a permit that is kept is given back by release") {
  Semaphore semaphore(1);
  auto held = semaphore.tryAcquire();
  held.keep();
  REQUIRE_FALSE(held);
  REQUIRE(semaphore.available() == 0);
  semaphore.release(2);
  REQUIRE(semaphore.available() == 2);
}

TEST_CASE("a waiter for a semaphore that is destroyed, queued or granted, loses no permit") {
  for (bool granted : {false, true}) {
    QueueFixture queues;
    Semaphore semaphore(0);
    ManualResetEvent gate;
    int inside = 0;
    auto a = std::make_unique<Running<>>(permit(semaphore, gate, inside));
    Running<> b(permit(semaphore, gate, inside));
    if (granted) semaphore.release();
    a.reset();
    if (!granted) semaphore.release();
    queues.drain();
    REQUIRE(inside == 1);
    gate.set();
    queues.drain();
    REQUIRE(b.done());
    REQUIRE(semaphore.available() == 1);
  }
}

TEST_CASE(
    "a permit that comes back from a destroyed waiter does so beyond the most that release adds") {
  QueueFixture queues;
  Semaphore semaphore(0);
  ManualResetEvent gate;
  int inside = 0;
  constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  auto granted = std::make_unique<Running<>>(permit(semaphore, gate, inside));
  semaphore.release();
  semaphore.release(most);
  granted.reset();
  CHECK(semaphore.available() == most + 1);
}

TEST_CASE("an event lets everybody pass who waits, and who comes while it is set") {
  QueueFixture queues;
  ManualResetEvent event;
  int passed = 0;
  Running<> a(pass(event, passed));
  Running<> b(pass(event, passed));
  event.set();
  event.reset();
  REQUIRE(passed == 0);
  queues.drain();
  REQUIRE(passed == 2);
  Running<> c(pass(event, passed));
  queues.drain();
  REQUIRE(passed == 2);
  event.set();
  queues.drain();
  REQUIRE(event.isSet());
  Running<> d(pass(event, passed));
  REQUIRE(passed == 4);
}

TEST_CASE("a waiter for an event is aborted, or destroyed, queued or woken") {
  QueueFixture queues;
  ManualResetEvent event;
  int passed = 0;
  AbortController controller;
  Running<> aborted(pass(event, passed, {.signal = controller.signal()}));
  Running<> both(pass(event, passed, {.signal = controller}));
  auto queued = std::make_unique<Running<>>(pass(event, passed));
  auto woken = std::make_unique<Running<>>(pass(event, passed));
  auto abandoned = std::make_unique<Running<>>(pass(event, passed, {.signal = controller}));
  queued.reset();
  controller.abort();
  abandoned.reset();
  event.set();
  woken.reset();
  queues.drain();
  REQUIRE(codeOf(aborted.error()) == "ABORT_ERR");
  REQUIRE(codeOf(both.error()) == "ABORT_ERR");
  REQUIRE(passed == 0);
}

TEST_CASE("an aborted operation carries the signal's reason as its cause") {
  QueueFixture queues;
  ManualResetEvent event;
  int passed = 0;
  auto signal = AbortSignal::abort(std::make_exception_ptr(std::runtime_error("why")));
  Running<> running(pass(event, passed, {.signal = signal}));
  queues.drain();
  try {
    running.get();
    FAIL("it did not throw");
  } catch (const leat::AbortError& e) {
    REQUIRE(leat_test::textOf(e.cause()) == "why");
  }
}

TEST_CASE("a latch opens at zero and stays open") {
  QueueFixture queues;
  Latch latch(3);
  int passed = 0;
  auto wait = [&]() -> Task<> {
    co_await latch.wait();
    ++passed;
  };
  auto arrive = [&]() -> Task<> {
    co_await latch.arriveAndWait();
    ++passed;
  };
  Running<> a(wait());
  Running<> b(arrive());
  queues.drain();
  REQUIRE(passed == 0);
  REQUIRE(latch.count() == 2);
  latch.countDown(2);
  queues.drain();
  REQUIRE(passed == 2);
  Running<> c(wait());
  REQUIRE(passed == 3);
  REQUIRE_THROWS_WITH(latch.countDown(4), "Latch::countDown(4): only 0 left to count");
}

TEST_CASE("who waits for a latch may be destroyed or aborted; who arrived has arrived") {
  QueueFixture queues;
  Latch latch(3);
  AbortController controller;
  int passed = 0;
  const auto wait = [&](leat::WaitOptions options) -> Task<> {
    co_await latch.wait(options);
    ++passed;
  };
  const auto arrive = [&](leat::WaitOptions options) -> Task<> {
    co_await latch.arriveAndWait(options);
    ++passed;
  };
  auto gone = std::make_unique<Running<>>(wait({}));
  auto goneToo = std::make_unique<Running<>>(arrive({}));
  Running<> aborted(wait({.signal = controller.signal()}));
  Running<> abortedToo(arrive({.signal = controller.signal()}));
  Running<> stays(wait({}));
  gone.reset();
  goneToo.reset();
  controller.abort();
  queues.drain();
  REQUIRE(codeOf(aborted.error()) == "ABORT_ERR");
  REQUIRE(codeOf(abortedToo.error()) == "ABORT_ERR");
  REQUIRE(latch.count() == 1);
  REQUIRE(passed == 0);
  latch.countDown();
  queues.drain();
  REQUIRE(stays.done());
  REQUIRE(passed == 1);
}

TEST_CASE("who waits on a loop that has ended is passed over") {
  auto queues = std::make_unique<QueueFixture>();
  Mutex mutex;
  Semaphore semaphore(0);
  ManualResetEvent event;
  std::string trace;
  int inside = 0;
  int passed = 0;
  auto held = mutex.tryLock();
  Running<> locker(enter(mutex, trace, 'a'));
  Running<> taker(permit(semaphore, event, inside));
  Running<> waiter(pass(event, passed));
  queues = nullptr;
  queues = std::make_unique<QueueFixture>();
  Running<> other(enter(mutex, trace, 'b'));
  Running<> otherTaker(permit(semaphore, event, inside));
  held.unlock();
  semaphore.release();
  queues->drain();
  REQUIRE(trace == "bb");
  REQUIRE_FALSE(mutex.locked());
  REQUIRE(inside == 1);
  semaphore.release();
  REQUIRE(semaphore.available() == 1);
  event.set();
  queues->drain();
  REQUIRE(otherTaker.done());
  REQUIRE_FALSE(waiter.done());
  REQUIRE(passed == 0);
}
