// SPDX-License-Identifier: MIT
// The deque of a worker: its order, its growth, and that every item is taken once, by whomever.
#include <leat/pool/work_deque.hpp>
#include <leat_test.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using leat::detail::WorkDeque;

TEST_CASE("the owner takes the youngest item, a thief the oldest") {
  WorkDeque<int> deque;
  int items[4] = {};
  for (int& item : items) REQUIRE(deque.push(&item));
  CHECK(deque.size() == 4);
  CHECK(deque.steal() == &items[0]);
  CHECK(deque.pop() == &items[3]);
  CHECK(deque.pop() == &items[2]);
  CHECK(deque.steal() == &items[1]);
  CHECK(deque.pop() == nullptr);
  CHECK(deque.steal() == nullptr);
  CHECK(deque.empty());
}

TEST_CASE("popIf takes the youngest item only if it is the one that is meant") {
  WorkDeque<int> deque;
  int items[3] = {};
  CHECK_FALSE(deque.popIf(&items[0]));
  REQUIRE(deque.push(&items[0]));
  REQUIRE(deque.push(&items[1]));
  CHECK_FALSE(deque.popIf(&items[0]));
  CHECK(deque.popIf(&items[1]));
  CHECK(deque.popIf(&items[0]));
  // Its place still holds it, but it is gone.
  CHECK_FALSE(deque.popIf(&items[0]));
  REQUIRE(deque.push(&items[2]));
  CHECK(deque.steal() == &items[2]);
  CHECK_FALSE(deque.popIf(&items[2]));
  CHECK(deque.empty());
}

TEST_CASE("a deque grows, also when its items stand across the end of the ring") {
  WorkDeque<int> deque;
  std::vector<int> items(5000);
  std::size_t pushed = 0;
  std::size_t stolen = 0;
  while (pushed < items.size()) {
    for (int i = 0; i < 7 && pushed < items.size(); ++i) REQUIRE(deque.push(&items[pushed++]));
    REQUIRE(deque.steal() == &items[stolen++]);
  }
  while (stolen < pushed) REQUIRE(deque.pop() == &items[--pushed]);
  CHECK(deque.empty());
}

TEST_CASE("each item is taken once, by the owner or a thief") {
  constexpr int count = 200'000;
  const auto taken = std::make_unique<std::atomic<int>[]>(count);
  std::vector<int> items(count);
  for (int i = 0; i < count; ++i) items[static_cast<std::size_t>(i)] = i;
  WorkDeque<int> deque;
  std::atomic<bool> done{false};
  std::atomic<int> left{count};
  const auto take = [&](const int* item) {
    if (item == nullptr) return;
    taken[static_cast<std::size_t>(*item)].fetch_add(1);
    left.fetch_sub(1);
  };
  std::vector<std::thread> thieves;
  for (int i = 0; i < 3; ++i)
    thieves.emplace_back([&] {
      while (!done.load()) take(deque.steal());
    });
  // Often down to one item, where owner and thieves meet; sometimes far above the first ring.
  int next = 0;
  unsigned random = 1;
  while (next < count) {
    random = random * 1664525 + 1013904223;
    const unsigned burst = random >> 24 == 0 ? 2000 : random >> 30;
    for (unsigned i = 0; i <= burst && next < count; ++i) {
      if (!deque.push(&items[static_cast<std::size_t>(next)])) std::terminate();
      ++next;
    }
    for (unsigned i = 0; i <= (random >> 28 & 3); ++i) {
      const int* const top = next > 0 ? &items[static_cast<std::size_t>(next - 1)] : nullptr;
      if ((random & 1) != 0 && deque.popIf(top)) {
        take(top);
      } else {
        take(deque.pop());
      }
    }
  }
  while (left.load() > 0) take(deque.pop());
  done.store(true);
  for (std::thread& thief : thieves) thief.join();
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += taken[static_cast<std::size_t>(i)].load() != 1;
  CHECK(wrong == 0);
}
