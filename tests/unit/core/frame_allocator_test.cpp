// SPDX-License-Identifier: MIT
#include <leat/core/frame_allocator.hpp>

#include <leat_test.hpp>
#include <cstring>
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
