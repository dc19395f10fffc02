// SPDX-License-Identifier: MIT

// A hand-written limit: the least a lazy coroutine task can do with recycled frames, symmetric
// transfer and a ring of handles. It has no exceptions, cancellation, stack check or abandonment.

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#include "bench.hpp"

namespace {

// Frames go to a free list per size class and come back from there.
class FrameCache {
 public:
  void* allocate(std::size_t size) {
    const std::size_t index = classOf(size);
    if (index >= kClasses) return checked(std::malloc(size));
    Frame* frame = free_[index];
    if (!frame) return checked(std::malloc(index * kGranule));
    free_[index] = frame->next;
    return frame;
  }

  void release(void* memory, std::size_t size) {
    const std::size_t index = classOf(size);
    if (index >= kClasses) return std::free(memory);
    free_[index] = new (memory) Frame{free_[index]};
  }

 private:
  struct Frame {
    Frame* next;
  };
  static constexpr std::size_t kGranule = 32;
  static constexpr std::size_t kClasses = 33;

  static std::size_t classOf(std::size_t size) { return (size + kGranule - 1) / kGranule; }

  static void* checked(void* memory) {
    if (!memory) std::abort();
    return memory;
  }

  Frame* free_[kClasses] = {};
};

constinit thread_local FrameCache frameCache;

// Ready handles in the order in which they were pushed; the benches never hold more than fit.
class Ring {
 public:
  void push(std::coroutine_handle<> handle) { slots_[end_++ % kSlots] = handle; }

  void run() {
    while (begin_ != end_) slots_[begin_++ % kSlots].resume();
  }

 private:
  static constexpr std::size_t kSlots = 4096;
  std::coroutine_handle<> slots_[kSlots];
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

constinit Ring ring;

struct PromiseBase {
  static void* operator new(std::size_t size) { return frameCache.allocate(size); }
  static void operator delete(void* memory, std::size_t size) { frameCache.release(memory, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() { std::abort(); }
};

class Task {
 public:
  struct promise_type : PromiseBase {
    std::coroutine_handle<> continuation;
    int value = 0;

    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        return self.promise().continuation;
      }
      void await_resume() noexcept {}
    };

    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    Final final_suspend() noexcept { return {}; }
    void return_value(int result) { value = result; }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    return handle_;
  }
  int await_resume() const noexcept { return handle_.promise().value; }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_;
};

// The outermost coroutine: it is driven by the ring and destroyed by `run`.
struct Root {
  struct promise_type : PromiseBase {
    Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
  };
  std::coroutine_handle<promise_type> handle;
};

void run(Root root) {
  ring.push(root.handle);
  ring.run();
  root.handle.destroy();
}

struct Yield {
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) noexcept { ring.push(self); }
  void await_resume() noexcept {}
};

struct Join {
  std::size_t running;
  std::coroutine_handle<> waiter;

  bool await_ready() noexcept { return running == 0; }
  void await_suspend(std::coroutine_handle<> self) noexcept { waiter = self; }
  void await_resume() noexcept {}
};

// A detached coroutine that counts itself out of its Join, its first parameter, and frees itself.
struct Spawned {
  struct promise_type : PromiseBase {
    Join& join;

    promise_type(Join& owner, long&) : join(owner) {}

    struct Final {
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        Join& joined = self.promise().join;
        self.destroy();
        if (--joined.running == 0 && joined.waiter) ring.push(joined.waiter);
      }
      void await_resume() noexcept {}
    };

    Spawned get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    Final final_suspend() noexcept { return {}; }
    void return_void() {}
  };
  std::coroutine_handle<promise_type> handle;
};

BENCH_NOINLINE Task child(int i) { co_return i; }

BENCH_NOINLINE Task yieldingChild(int i) {
  co_await Yield{};
  co_return i;
}

BENCH_NOINLINE Task chain(int depth) {
  if (depth == 0) co_return 1;
  co_return 1 + co_await chain(depth - 1);
}

BENCH_NOINLINE Spawned count(Join&, long& sum) {
  ++sum;
  co_return;
}

BENCH_NOINLINE Root awaitChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await child(static_cast<int>(i));
}

BENCH_NOINLINE Root awaitYieldingChildren(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await yieldingChild(static_cast<int>(i));
}

BENCH_NOINLINE Root yieldOnly(long n) {
  for (long i = 0; i < n; ++i) co_await Yield{};
}

BENCH_NOINLINE Root awaitChains(long n, long& sum) {
  for (long i = 0; i < n; ++i) sum += co_await chain(1000);
}

BENCH_NOINLINE Root spawnAndJoin(long batches, long& sum) {
  for (long i = 0; i < batches; ++i) {
    Join join{1000, nullptr};
    for (int k = 0; k < 1000; ++k) ring.push(count(join, sum).handle);
    co_await join;
  }
}

}  // namespace

int main() {
  long sum = 0;
  bench("await_sync_child", 5'000'000, [&] { run(awaitChildren(5'000'000, sum)); });
  bench("await_yield_child", 3'000'000, [&] { run(awaitYieldingChildren(3'000'000, sum)); });
  bench("yield_only", 5'000'000, [] { run(yieldOnly(5'000'000)); });
  bench("chain1000_per_level", 2'000'000, [&] { run(awaitChains(2000, sum)); });
  bench("spawn_join_1000", 2'000'000, [&] { run(spawnAndJoin(2000, sum)); });
  keep(sum);
}
