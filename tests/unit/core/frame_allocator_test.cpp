// SPDX-License-Identifier: MIT
#include <leat/core/async_generator.hpp>
#include <leat/core/callback.hpp>
#include <leat/core/frame_allocator.hpp>
#include <leat/core/promise_then.hpp>

#include <leat_test.hpp>
#include <cstring>
#include <memory>
#include <queue_fixture.hpp>
#include <thread>
#include <vector>

using leat::detail::allocateFrame;
using leat::detail::freeFrame;

TEST_CASE("frames of every size are writable, distinct and aligned") {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (std::size_t size = 1; size <= 1500; size += 7) {
    auto* block = static_cast<char*>(allocateFrame(size));
    REQUIRE(reinterpret_cast<std::size_t>(block) % alignof(std::max_align_t) == 0);
    std::memset(block, static_cast<int>(size & 0x7f), size);
    blocks.emplace_back(block, size);
  }
  bool intact = true;
  for (auto [block, size] : blocks) {
    intact = intact && block[0] == static_cast<char>(size & 0x7f) &&
             block[size - 1] == static_cast<char>(size & 0x7f);
    freeFrame(block, size);
  }
  REQUIRE(intact);
}

#if LEAT_RECYCLE_FRAMES
TEST_CASE("a freed frame is the next one of its size") {
  void* first = allocateFrame(100);
  freeFrame(first, 100);
  void* second = allocateFrame(128);
  REQUIRE(first == second);
  freeFrame(second, 128);
}
#endif

TEST_CASE("frames may be freed on another thread, and while a thread ends") {
  constexpr int rounds = 20, count = 200;
  for (int round = 0; round < rounds; ++round) {
    std::vector<void*> blocks;
    std::thread maker([&] {
      for (int i = 0; i < count; ++i) {
        blocks.push_back(allocateFrame(200));
        std::memset(blocks.back(), 1, 200);
      }
    });
    maker.join();
    std::thread user([&] {
      for (void* block : blocks) freeFrame(block, 200);
      void* again = allocateFrame(200);
      std::memset(again, 2, 200);
      freeFrame(again, 200);
    });
    user.join();
  }
  void* mine = allocateFrame(200);
  std::memset(mine, 3, 200);
  freeFrame(mine, 200);
}

TEST_CASE("two threads pass frames both ways at once") {
  constexpr int count = 20000;
  leat::detail::Atomic<void*> mailbox{nullptr};
  std::thread other([&] {
    for (int taken = 0; taken < count;) {
      if (void* block = mailbox.exchange(nullptr)) {
        freeFrame(block, 64);
        ++taken;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (int i = 0; i < count; ++i) {
    void* block = allocateFrame(64);
    std::memset(block, 4, 64);
    void* expected = nullptr;
    while (!mailbox.compareExchange(expected, block)) {
      expected = nullptr;
      std::this_thread::yield();
    }
  }
  other.join();
}

namespace {

template <std::size_t align>
struct alignas(align) Aligned {
  Aligned() = default;
  Aligned(const Aligned& other) : value(other.value) {}
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { value = 0; }
  int value = 7;
};

/// Where it is, by way of memory that the compiler cannot see through.
template <class T>
std::size_t offBy(const T& object) {
  const volatile auto address = reinterpret_cast<std::uintptr_t>(&object);
  return address % alignof(T);
}

struct Waits {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
  void await_resume() const noexcept {}
  std::coroutine_handle<>& waiting;
};

template <std::size_t align>
leat::Task<Aligned<align>> give(Aligned<align> parameter, std::coroutine_handle<>& waiting,
                                std::size_t& off) {
  const Aligned<align> local;
  Waits waits{waiting};
  co_await waits;
  off |= offBy(parameter) | offBy(local);
  co_return parameter;
}

template <std::size_t align>
leat::AsyncGenerator<Aligned<align>> yields(Aligned<align> parameter, std::size_t& off) {
  const Aligned<align> local;
  for (int i = 0; i < 3; ++i) {
    off |= offBy(parameter) | offBy(local);
    co_yield local;
  }
}

template <std::size_t align>
leat::Task<> takes(std::coroutine_handle<>& waiting, std::size_t& off) {
  const Aligned<align> local;
  auto given = give<align>(local, waiting, off);
  const Aligned<align> result = co_await std::move(given);
  off |= offBy(result) | offBy(local);
  auto generator = yields<align>(result, off);
  while (auto value = co_await generator.next()) off |= offBy(*value);
}

template <std::size_t align>
leat::Promise<Aligned<align>> promises(Aligned<align> parameter, std::size_t& off) {
  const Aligned<align> local;
  co_await leat::Promise<>::resolve();
  off |= offBy(parameter) | offBy(local);
  co_return local;
}

/// clang places what is aligned to more than a cache line right only with -fcoro-aligned-allocation.
#if defined(__clang__) && !defined(LEAT_TEST_ALIGNED_FRAMES)
constexpr std::size_t maxInFrames = 64;
#else
constexpr std::size_t maxInFrames = 1024;
#endif

/// All frames together, so that those of a size lie beside each other.
template <std::size_t align>
void checkAlignment() {
  leat_test::QueueFixture loop;
  std::size_t off = 0;
  std::vector<std::coroutine_handle<>> waiting(20);
  std::vector<std::unique_ptr<leat_test::Running<>>> tasks;
  std::vector<leat::Promise<Aligned<align>>> all;
  int called = 0;
  for (std::coroutine_handle<>& each : waiting) {
    constexpr std::size_t inFrames = align < maxInFrames ? align : maxInFrames;
    tasks.push_back(std::make_unique<leat_test::Running<>>(takes<inFrames>(each, off)));
    (void)promises<inFrames>({}, off);
    all.push_back(leat::Promise<Aligned<align>>::resolve(Aligned<align>()));
    const Aligned<align> capture;
    const auto callback = [capture, &off, &called](const Aligned<align>& value) {
      off |= offBy(capture) | offBy(value);
      ++called;
    };
    (void)all.back().then(callback);
    const auto job = [capture, &off, &called] {
      off |= offBy(capture);
      ++called;
    };
    leat::detail::CallbackJob<decltype(job), false>::start(loop.queue, job);
  }
  for (const std::coroutine_handle<> each : waiting) leat::detail::run(each);
  loop.drain();
  for (const auto& task : tasks) REQUIRE(task->done());
  REQUIRE(called == 40);
  REQUIRE(off == 0);
}

}  // namespace

TEST_CASE("values of high alignment may be kept in frames, captures and promises") {
  SECTION("32") { checkAlignment<32>(); }
  SECTION("64") { checkAlignment<64>(); }
  SECTION("128") { checkAlignment<128>(); }
  SECTION("256") { checkAlignment<256>(); }
  SECTION("512") { checkAlignment<512>(); }
  SECTION("1024") { checkAlignment<1024>(); }
}
