// SPDX-License-Identifier: MIT
#include <leat_test.hpp>

#include <leat/base/fifo.hpp>

#include <deque>
#include <memory>

TEST_CASE("a Fifo is a queue at both ends, whatever stands where in its circle") {
  leat::detail::Fifo<std::unique_ptr<int>> fifo;
  std::deque<int> expected;
  unsigned state = 1;
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    state = state * 1664525U + 1013904223U;
    // Grows to some hundreds, and becomes empty at times.
    const unsigned choice = (state >> 16) % 8;
    const bool growing = step / 2500 % 2 == 0;
    if (choice < (growing ? 5U : 2U)) {
      fifo.push(std::make_unique<int>(next));
      expected.push_back(next++);
    } else if (choice == 5) {
      fifo.pushFront(std::make_unique<int>(next));
      expected.push_front(next++);
    } else if (!expected.empty()) {
      REQUIRE(*fifo.front() == expected.front());
      REQUIRE(*fifo[expected.size() - 1] == expected.back());
      REQUIRE(*fifo.pop() == expected.front());
      expected.pop_front();
    }
    REQUIRE(fifo.size() == expected.size());
    REQUIRE(fifo.empty() == expected.empty());
  }
  while (!expected.empty()) {
    REQUIRE(*fifo.pop() == expected.front());
    expected.pop_front();
  }
  fifo.push(std::make_unique<int>(1));
  fifo.clear();
  CHECK(fifo.empty());
}

TEST_CASE("an empty Fifo that was large can be used again") {
  leat::detail::Fifo<int> fifo;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) fifo.push(int{i});
    for (int i = 0; i < 5000; ++i) REQUIRE(fifo.pop() == i);
    CHECK(fifo.empty());
  }
}
