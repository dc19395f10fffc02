// SPDX-License-Identifier: MIT
// Compiled alone: it replaces the allocation operators.
// Allocations that fail, and callables that throw when they are copied: the error reaches the caller, and
// nothing is leaked.
#include <leat/core/promise_then.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/run.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <failing_memory.hpp>
#include <memory>
#include <new>
#include <optional>
#include <queue_fixture.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using leat::AbortSignal;
using leat::EventLoop;
using leat::Promise;
using leat_test::allowedBlocks;
using leat_test::failsOnce;

namespace leat_test {
constinit thread_local long allowedBlocks = -1;
constinit thread_local bool failsOnce = false;
}  // namespace leat_test

namespace {

// Blocks from `operator new` that live, of all threads.
std::atomic<long> live{0};

void* allocate(std::size_t size, std::size_t align) {
  if (allowedBlocks == 0) {
    if (failsOnce) allowedBlocks = -1;
    throw std::bad_alloc();
  }
  if (allowedBlocks > 0) --allowedBlocks;
  void* block = nullptr;
  if (::posix_memalign(&block, align < sizeof(void*) ? sizeof(void*) : align, size) != 0)
    throw std::bad_alloc();
  ++live;
  return block;
}
void deallocate(void* block) noexcept {
  if (block == nullptr) return;
  --live;
  std::free(block);
}

/// Calls `f` again and again, with the first, the second ... allocation in it failing, until none fails.
/// How often it threw.
template <class F>
int failEach(F&& f) {
  for (int count = 0;; ++count) {
    allowedBlocks = count;
    try {
      f();
      allowedBlocks = -1;
      return count;
    } catch (const std::bad_alloc&) {
      allowedBlocks = -1;
    }
  }
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t align) {
  return allocate(size, static_cast<std::size_t>(align));
}
void* operator new[](std::size_t size, std::align_val_t align) {
  return allocate(size, static_cast<std::size_t>(align));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(size);
  } catch (...) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return ::operator new(size, std::nothrow);
}
void* operator new(std::size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(size, align);
  } catch (...) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  return ::operator new(size, align, std::nothrow);
}
void operator delete(void* block) noexcept { deallocate(block); }
void operator delete[](void* block) noexcept { deallocate(block); }
void operator delete(void* block, std::size_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::size_t) noexcept { deallocate(block); }
void operator delete(void* block, std::align_val_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::align_val_t) noexcept { deallocate(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { deallocate(block); }

TEST_CASE("to await a promise takes no memory") {
  leat_test::QueueFixture queues;
  const Promise<int> settled = Promise<int>::resolve(1);
  auto later = Promise<int>::withResolvers();
  int sum = 0;
  const auto body = [&]() -> leat::Task<> {
    allowedBlocks = 0;
    sum += co_await settled;
    sum += co_await later.promise;
    sum += co_await later.promise;
  };
  leat_test::Running<> running(body());
  queues.drain();
  const long beforeLater = allowedBlocks;
  const int sumBefore = sum;
  later.resolve(2);
  queues.drain();
  allowedBlocks = -1;
  CHECK(beforeLater == 0);
  CHECK(sumBefore == 1);
  CHECK(running.done());
  CHECK(sum == 5);
}

TEST_CASE("a timeout signal for which there is no memory is not made, and leaves nothing behind") {
  const auto once = [] {
    EventLoop loop;
    const auto make = [] { (void)AbortSignal::timeout(100000); };
    const int failed = failEach(make);
    REQUIRE(EventLoop::current().metrics().timers == 0);
    return failed;
  };
  (void)once();  // what is kept for later is made now
  const long before = live.load();
  const int failed = once();
  REQUIRE(failed > 1);
  CHECK(live.load() == before);
}

TEST_CASE("a timeout signal may go on another thread that has no memory left") {
  const auto once = [] {
    EventLoop loop;
    std::optional<AbortSignal> signal = AbortSignal::timeout(100000);
    std::thread([&] {
      allowedBlocks = 0;
      signal.reset();
      allowedBlocks = -1;
    }).join();
    REQUIRE_FALSE(signal);
    loop.runOnce(0);
  };
  once();
  const long before = live.load();
  once();
  CHECK(live.load() == before);
}

namespace {

using leat::detail::TimerLists;
using leat::detail::TimerNode;

/// So many durations that what is started waits for its list until somebody asks.
std::int32_t spread(std::size_t i) { return static_cast<std::int32_t>(1000 + i * 7919 % 1000); }

/// What `f()` gives, which may not allocate.
template <class F>
auto withoutMemory(F&& f) {
  allowedBlocks = 0;
  const auto result = f();
  allowedBlocks = -1;
  return result;
}

/// Durations in the order in which the timers fire.
std::vector<std::int32_t> firedAt(TimerLists& lists, std::int64_t now) {
  std::vector<std::int32_t> order;
  lists.process(
      now,
      [&](TimerNode& timer) {
        order.push_back(timer.durationMs);
        return true;
      },
      [] {});
  return order;
}

}  // namespace

TEST_CASE(
    "timers that are cleared or destroyed at once take memory for no more than those that wait") {
  for (const bool cleared : {true, false}) {
    TimerLists lists;
    std::vector<std::unique_ptr<TimerNode>> window(100);
    const long before = live.load();
    long most = 0;
    for (std::size_t i = 0; i < 300'000; ++i) {
      std::unique_ptr<TimerNode>& timer = window[i % window.size()];
      if (timer != nullptr && cleared) lists.remove(*timer);
      timer = std::make_unique<TimerNode>();
      lists.insert(*timer, spread(i), 0);
      most = std::max(most, live.load() - before);
    }
    // The timers, a list for each duration, 32 in a block, and little else.
    CHECK(most < 100 + 1000 / 32 + 100);
    CHECK(firedAt(lists, 5000).size() == window.size());
  }
}

TEST_CASE("when the last of many started timers is cleared their memory goes") {
  TimerLists lists;
  std::vector<TimerNode> timers(100'000);
  const auto clearAll = [&] {
    for (std::size_t i = 0; i < timers.size(); ++i) lists.insert(timers[i], spread(i), 0);
    const long held = live.load();
    for (TimerNode& timer : timers) lists.remove(timer);
    return held;
  };
  (void)clearAll();
  const long before = live.load();
  CHECK(clearAll() > before + 50);
  CHECK(live.load() == before);
  CHECK(lists.nextExpiry() == TimerLists::never);
}

TEST_CASE("started timers for whose lists there is no memory wait until there is, in their order") {
  std::vector<TimerNode> timers(3000);
  std::optional<TimerLists> lists(std::in_place);
  for (std::size_t i = 0; i < timers.size(); ++i) lists->insert(timers[i], spread(i), 0);
  std::size_t placed = 0;
  const std::int64_t next = withoutMemory([&] {
    const std::int64_t expiry = lists->nextExpiry();
    lists->process(5000, [&](TimerNode&) { return ++placed > 0; }, [] {});
    return expiry;
  });
  CHECK(next == 1000);
  CHECK(placed > 0);
  CHECK(placed < 200);
  SECTION("they fire") {
    const std::vector<std::int32_t> order = firedAt(*lists, 5000);
    CHECK(order.size() == timers.size() - placed);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(lists->nextExpiry() == TimerLists::never);
  }
  SECTION("they can be cleared, and started again when there is memory") {
    for (const bool refed : {true, false}) {
      TimerNode& timer = timers[timers.size() - (refed ? 1 : 2)];
      REQUIRE(timer.linked());
      withoutMemory([&] { return lists->remove(timer, refed), 0; });
      CHECK_FALSE(timer.linked());
    }
    TimerNode& again = timers[timers.size() - 3];
    const bool threw = withoutMemory([&] {
      try {
        lists->insert(again, 9000, 0);
        return false;
      } catch (const std::bad_alloc&) {
        return true;
      }
    });
    CHECK(threw);
    CHECK(again.linked());
    lists->insert(again, 9000, 0);
    CHECK(firedAt(*lists, 5000).size() == timers.size() - placed - 3);
    CHECK(firedAt(*lists, 9000) == std::vector<std::int32_t>{9000});
  }
  SECTION("they are let go of by the end") {
    const auto take = [&](std::size_t count) {
      for (; count > 0 && lists->takeAny() != nullptr; --count) continue;
      return count;
    };
    CHECK(withoutMemory([&] { return take(1000); }) == 0);
    withoutMemory([&] { return lists.reset(), 0; });
    for (const TimerNode& timer : timers) CHECK_FALSE(timer.linked());
  }
}

TEST_CASE("a start for which there is no memory throws, and leaves what waits alone") {
  std::vector<TimerNode> timers(3000);
  TimerLists lists;
  std::size_t started = 0;
  allowedBlocks = 10;
  try {
    for (; started < timers.size(); ++started) lists.insert(timers[started], spread(started), 0);
  } catch (const std::bad_alloc&) {
  }
  allowedBlocks = -1;
  REQUIRE(started > 0);
  REQUIRE(started < timers.size());
  CHECK_FALSE(timers[started].linked());
  CHECK(firedAt(lists, 5000).size() == started);
}

namespace {

struct ThrowsWhenCopied {
  ThrowsWhenCopied() = default;
  ThrowsWhenCopied(const ThrowsWhenCopied&) { throw std::runtime_error("not copied"); }
  int operator()(int value = 0) const { return value; }
};

}  // namespace

TEST_CASE("a callback that throws when it is copied is told to who calls then, and leaks nothing") {
  EventLoop loop;
  const Promise<int> promise = Promise<int>::resolve(1);
  const ThrowsWhenCopied callback;
  const auto many = [&] {
    for (int i = 0; i < 3000; ++i) {
      REQUIRE_THROWS_AS(promise.then(callback), std::runtime_error);
      REQUIRE_THROWS_AS(promise.then(callback, callback), std::runtime_error);
      REQUIRE_THROWS_AS(promise.catch_(callback), std::runtime_error);
      REQUIRE_THROWS_AS(promise.finally(callback), std::runtime_error);
    }
  };
  many();
  const long before = live.load();
  many();
  // Blocks are recycled: those that were lost would be replaced by new ones.
  CHECK(live.load() <= before + 2);
  CHECK(promise.status() == leat::PromiseStatus::Fulfilled);
}

TEST_CASE(
    "a reaction for which there is no memory is not made, and the rejection stays unhandled") {
  std::string trace;
  const auto once = [&trace] {
    EventLoop loop;
    trace.clear();
    trace.reserve(100);
    leat::process::on<"unhandledRejection">([&trace] { trace += "unhandled "; });
    leat::process::on<"rejectionHandled">([&trace] { trace += "handled "; });
    const auto rejected = Promise<int>::reject(leat::Error("expected"));
    loop.run();
    const auto callback = [&trace] {
      trace += "caught ";
      return 0;
    };
    const auto attach = [&] { (void)rejected.catch_(callback); };
    (void)failEach(attach);
    loop.run();
  };
  once();
  CHECK(trace == "unhandled caught handled ");
  const long before = live.load();
  once();
  CHECK(trace == "unhandled caught handled ");
  CHECK(live.load() == before);
}
