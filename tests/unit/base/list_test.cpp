// SPDX-License-Identifier: MIT
#include <leat/base/list.hpp>

#include <leat_test.hpp>
#include <vector>

namespace {

struct Node : leat::detail::ListNode {
  explicit Node(int v) : value(v) {}
  int value;
};
using List = leat::detail::List<Node>;

std::vector<int> drainAll(List& list) {
  std::vector<int> out;
  while (!list.empty()) out.push_back(list.popFront().value);
  return out;
}

}  // namespace

TEST_CASE("a list keeps the order of pushes at both ends") {
  List list;
  Node a(1), b(2), c(3);
  REQUIRE(list.empty());
  REQUIRE(list.first() == nullptr);
  list.pushBack(a);
  list.pushBack(b);
  list.pushFront(c);
  REQUIRE(list.size() == 3);
  REQUIRE(list.front().value == 3);
  REQUIRE(list.back().value == 2);
  REQUIRE(list.after(c) == &a);
  REQUIRE(list.after(b) == nullptr);
  REQUIRE(drainAll(list) == std::vector<int>{3, 1, 2});
  REQUIRE_FALSE(a.linked());
}

TEST_CASE("a list gives up its last node") {
  List list;
  Node a(1), b(2);
  list.pushBack(a);
  list.pushBack(b);
  REQUIRE(list.popBack().value == 2);
  REQUIRE_FALSE(b.linked());
  REQUIRE(list.popBack().value == 1);
  REQUIRE(list.empty());
}

TEST_CASE("a node that is destroyed leaves its list") {
  List list;
  Node a(1), c(3);
  list.pushBack(a);
  {
    Node b(2);
    list.pushBack(b);
    list.pushBack(c);
  }
  REQUIRE(drainAll(list) == std::vector<int>{1, 3});
}

TEST_CASE("unlinking twice does nothing") {
  List list;
  Node a(1);
  list.pushBack(a);
  a.unlink();
  a.unlink();
  REQUIRE(list.empty());
  list.pushBack(a);
  REQUIRE(list.size() == 1);
}

TEST_CASE("appending moves all nodes and leaves the other list usable") {
  List one, two;
  Node a(1), b(2), c(3), d(4);
  one.pushBack(a);
  two.pushBack(b);
  two.pushBack(c);
  one.append(two);
  REQUIRE(two.empty());
  two.pushBack(d);
  one.append(two);
  List none;
  one.append(none);
  REQUIRE(drainAll(one) == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("a list that dies before its nodes lets go of them") {
  Node a(1);
  {
    List list;
    list.pushBack(a);
  }
  REQUIRE_FALSE(a.linked());
}
