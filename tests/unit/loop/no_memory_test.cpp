// SPDX-License-Identifier: MIT
// Compiled alone: it replaces the allocation operators.
// Allocations that fail, and callables that throw when they are copied: the error reaches the caller, and
// nothing is leaked.
#include <leat/core/promise_then.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/run.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using leat::AbortSignal;
using leat::EventLoop;
using leat::Promise;

namespace {

// Blocks from `operator new` that live, of all threads.
std::atomic<long> live{0};
// How many allocations this thread may make before one fails; negative: any number.
thread_local long allowed = -1;

void* allocate(std::size_t size, std::size_t align) {
  if (allowed == 0) throw std::bad_alloc();
  if (allowed > 0) --allowed;
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
    allowed = count;
    try {
      f();
      allowed = -1;
      return count;
    } catch (const std::bad_alloc&) {
      allowed = -1;
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
      allowed = 0;
      signal.reset();
      allowed = -1;
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
