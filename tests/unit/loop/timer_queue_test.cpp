// SPDX-License-Identifier: MIT
// The queue of timers in chunks, and what TimerLists keeps in front of it: holes, memory, early ends.
#include <leat_test.hpp>

#include <leat/loop/timer_lists.hpp>

#include <deque>
#include <memory>
#include <vector>

namespace {

using leat::detail::TimerChunk;
using leat::detail::TimerChunks;
using leat::detail::TimerLists;
using leat::detail::TimerNode;
using leat::detail::TimerQueue;

struct Queue {
  ~Queue() { queue.release(chunks); }
  void push(TimerNode& timer) {
    chunks.reserve(1);
    queue.pushBack(timer, chunks);
  }
  void take(TimerNode& timer) { TimerQueue::leave(timer).left(chunks); }
  TimerNode* first() { return queue.first(chunks); }
  /// Empties it from the front.
  std::vector<const TimerNode*> drain() {
    std::vector<const TimerNode*> order;
    while (TimerNode* timer = first()) {
      order.push_back(timer);
      TimerQueue::leave(*timer).leftInTurn();
    }
    return order;
  }
  std::size_t chunkCount() {
    std::size_t count = 0;
    for (const TimerChunk* chunk = &TimerChunk::of(first()->slot); chunk != nullptr; ++count)
      chunk = chunk->next;
    return count;
  }
  TimerChunks chunks;
  TimerQueue queue;
};

std::vector<const TimerNode*> pointers(const std::deque<TimerNode>& timers, std::size_t from,
                                       std::size_t step) {
  std::vector<const TimerNode*> all;
  for (std::size_t i = from; i < timers.size(); i += step) all.push_back(&timers[i]);
  return all;
}

std::vector<const TimerNode*> firedAt(TimerLists& lists, std::int64_t now) {
  std::vector<const TimerNode*> order;
  const auto fire = [&](TimerNode& timer) {
    order.push_back(&timer);
    return true;
  };
  lists.process(now, fire, [] {});
  return order;
}

}  // namespace

TEST_CASE("a queue keeps its order while chunks in its middle become empty") {
  std::deque<TimerNode> timers(TimerChunk::size * 20);
  Queue queue;
  for (TimerNode& timer : timers) queue.push(timer);
  CHECK(queue.chunkCount() == 20);
  std::vector<const TimerNode*> left;
  for (std::size_t i = 0; i < timers.size(); ++i) {
    const bool middle = i >= TimerChunk::size * 2 && i < TimerChunk::size * 18;
    if (middle) queue.take(timers[i]);
    CHECK(timers[i].linked() != middle);
    if (!middle) left.push_back(&timers[i]);
  }
  CHECK(queue.chunkCount() < 12);
  CHECK(queue.drain() == left);
  CHECK(queue.queue.empty());
  CHECK(queue.first() == nullptr);
}

TEST_CASE("one timer left in each chunk stays where it is") {
  std::deque<TimerNode> timers(TimerChunk::size * 100);
  Queue queue;
  for (TimerNode& timer : timers) queue.push(timer);
  for (std::size_t i = 0; i < timers.size(); ++i)
    if (i % TimerChunk::size != 3) queue.take(timers[i]);
  CHECK(queue.chunkCount() == 100);
  CHECK(queue.drain() == pointers(timers, 3, TimerChunk::size));
}

TEST_CASE("timers that come and go behind one that stays do not make a queue grow") {
  TimerNode stays;
  Queue queue;
  queue.push(stays);
  std::deque<TimerNode> others(3);
  for (int i = 0; i < 10'000; ++i) {
    TimerNode& timer = others[static_cast<std::size_t>(i % 3)];
    if (timer.linked()) queue.take(timer);
    queue.push(timer);
  }
  CHECK(queue.chunkCount() < 16);
  CHECK(queue.drain().size() == 4);
}

TEST_CASE("a queue may be filled again after it was emptied in any way") {
  std::deque<TimerNode> timers(TimerChunk::size * 3);
  Queue queue;
  for (int round = 0; round < 3; ++round) {
    for (TimerNode& timer : timers) queue.push(timer);
    if (round == 0) {
      for (TimerNode& timer : timers) queue.take(timer);
    } else {
      CHECK(queue.drain() == pointers(timers, 0, 1));
    }
    CHECK(queue.queue.empty());
  }
  {
    // Destroyed in the queue, they leave the last chunk full of holes.
    std::deque<TimerNode> short_(TimerChunk::size);
    for (TimerNode& timer : short_) queue.push(timer);
  }
  CHECK(queue.queue.empty());
  for (TimerNode& timer : timers) queue.push(timer);
  CHECK(queue.drain() == pointers(timers, 0, 1));
}

TEST_CASE("a timer may be destroyed at every distance from its start") {
  for (std::size_t later = 0; later < 80; ++later) {
    TimerLists lists;
    auto early = std::make_unique<TimerNode>();
    lists.insert(*early, 7, 0);
    std::deque<TimerNode> others(later);
    for (TimerNode& timer : others) lists.insert(timer, 7, 0);
    early.reset();
    CHECK(firedAt(lists, 7) == pointers(others, 0, 1));
    CHECK(lists.nextExpiry() == TimerLists::never);
  }
}

TEST_CASE("a timer may be cleared at every distance from its start, and destroyed at once") {
  for (std::size_t later = 0; later < 80; ++later) {
    for (const bool refed : {true, false}) {
      TimerLists lists;
      auto early = std::make_unique<TimerNode>();
      lists.insert(*early, 7, 0);
      std::deque<TimerNode> others(later);
      for (TimerNode& timer : others) lists.insert(timer, 5 + static_cast<int>(later & 3), 1);
      lists.remove(*early, refed);
      CHECK_FALSE(early->linked());
      early.reset();
      CHECK(firedAt(lists, 20) == pointers(others, 0, 1));
    }
  }
}

TEST_CASE("many timers cleared one after the other, and the same at once started again") {
  std::deque<TimerNode> timers(500);
  TimerLists lists;
  for (TimerNode& timer : timers) lists.insert(timer, 10, 0);
  for (std::size_t i = 0; i < timers.size(); i += 2) lists.remove(timers[i]);
  for (std::size_t i = 0; i < timers.size(); i += 2) lists.insert(timers[i], 10, 1);
  for (std::size_t i = 1; i < timers.size(); i += 2) lists.insert(timers[i], 10, 2);
  CHECK(lists.nextExpiry() == 10);
  CHECK(firedAt(lists, 11) == pointers(timers, 0, 2));
  CHECK(firedAt(lists, 12) == pointers(timers, 1, 2));
}

TEST_CASE("what is started and cleared at once leaves the lists as they were") {
  TimerLists lists;
  TimerNode first, second, other, probe;
  lists.insert(first, 10, 0);
  for (int i = 0; i < 100; ++i) {
    lists.insert(probe, 10, 1);
    lists.remove(probe);
    lists.insert(probe, 3, 1);
    lists.remove(probe);
  }
  lists.insert(other, 8, 2);
  lists.insert(second, 10, 0);
  CHECK(firedAt(lists, 10) == std::vector<const TimerNode*>{&first, &second, &other});
  CHECK(lists.nextExpiry() == TimerLists::never);
}

TEST_CASE("a kept list without timers is given up by the next that is started and cleared") {
  for (const bool probed : {false, true}) {
    TimerLists lists;
    TimerNode unrefed, probe, other, again;
    lists.insert(unrefed, 10, 0);
    lists.remove(unrefed, false);
    if (probed) {
      lists.insert(probe, 10, 0);
      lists.remove(probe);
    }
    lists.insert(other, 7, 3);
    lists.insert(again, 10, 0);
    using Order = std::vector<const TimerNode*>;
    CHECK(firedAt(lists, 10) == (probed ? Order{&other, &again} : Order{&again, &other}));
  }
}

TEST_CASE("timers that still wait are let go of by the end of their lists") {
  std::deque<TimerNode> timers(100);
  {
    TimerLists lists;
    for (std::size_t i = 0; i < timers.size(); ++i)
      lists.insert(timers[i], 1 + static_cast<int>(i % 7), 0);
    for (std::size_t i = 0; i < timers.size(); i += 9) lists.remove(timers[i]);
  }
  for (const TimerNode& timer : timers) CHECK_FALSE(timer.linked());
}

TEST_CASE("so is the list of the timer that fires, while that was its last") {
  for (const bool probed : {false, true}) {
    TimerLists lists;
    TimerNode firing, probe, other, again;
    lists.insert(firing, 10, 0);
    std::vector<const TimerNode*> order;
    const auto fire = [&](TimerNode& timer) {
      order.push_back(&timer);
      if (&timer != &firing) return true;
      if (probed) {
        lists.insert(probe, 10, 10);
        lists.remove(probe);
      }
      lists.insert(again, 10, 10);
      lists.insert(other, 7, 13);
      return true;
    };
    lists.process(10, fire, [] {});
    lists.process(20, fire, [] {});
    using Order = std::vector<const TimerNode*>;
    CHECK(order == (probed ? Order{&firing, &again, &other} : Order{&firing, &other, &again}));
  }
}
