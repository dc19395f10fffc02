// SPDX-License-Identifier: MIT
#include <leat/base/mpsc_queue.hpp>

#include <leat_test.hpp>
#include <memory>
#include <thread>
#include <vector>

namespace {

struct Node : leat::detail::MpscNode {
  int producer = 0;
  int number = 0;
};
using Queue = leat::detail::MpscQueue<Node>;

}  // namespace

TEST_CASE("a queue gives nodes in the order of arrival and says when it was empty") {
  Queue queue;
  Node a, b, c;
  REQUIRE(queue.empty());
  REQUIRE(queue.push(a));
  REQUIRE_FALSE(queue.push(b));
  REQUIRE_FALSE(queue.push(c));
  Node* first = queue.takeAll();
  REQUIRE(first == &a);
  REQUIRE(a.mpscNext == &b);
  REQUIRE(b.mpscNext == &c);
  REQUIRE(c.mpscNext == nullptr);
  REQUIRE(queue.takeAll() == nullptr);
  REQUIRE(queue.push(a));
}

TEST_CASE("of several producers nothing is lost and each one's order is kept") {
  constexpr int producers = 3, each = 5000;
  Queue queue;
  std::vector<std::vector<Node>> nodes(producers);
  for (auto& own : nodes) own = std::vector<Node>(each);
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&queue, &own = nodes[static_cast<std::size_t>(p)], p] {
      for (int i = 0; i < each; ++i) {
        Node& node = own[static_cast<std::size_t>(i)];
        node.producer = p;
        node.number = i;
        queue.push(node);
      }
    });
  std::vector<int> next(producers, 0);
  int total = 0;
  bool ordered = true;
  while (total < producers * each) {
    Node* node = queue.takeAll();
    if (node == nullptr) std::this_thread::yield();
    for (; node != nullptr; node = static_cast<Node*>(node->mpscNext), ++total)
      ordered = ordered && next[static_cast<std::size_t>(node->producer)]++ == node->number;
  }
  for (auto& thread : threads) thread.join();
  REQUIRE(ordered);
  REQUIRE(queue.empty());
}
