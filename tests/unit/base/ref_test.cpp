// SPDX-License-Identifier: MIT
#include <leat/base/ref.hpp>

#include <leat_test.hpp>

namespace {

struct Thing : leat::detail::Counted<Thing> {
  explicit Thing(int& count) : live(count) { ++live; }
  virtual ~Thing() { --live; }
  int& live;
};
struct Derived : Thing {
  using Thing::Thing;
};
struct Shared : leat::detail::SharedCounted<Shared> {
  explicit Shared(int& count) : live(count) { ++live; }
  ~Shared() { --live; }
  int& live;
};
using leat::detail::makeRef;
using leat::detail::Ref;

}  // namespace

TEST_CASE("the last handle disposes of the object") {
  int live = 0;
  {
    auto a = makeRef<Thing>(live);
    REQUIRE(a->useCount() == 1);
    Ref<Thing> b = a;
    REQUIRE(a->useCount() == 2);
    Ref<Thing> c = std::move(b);
    REQUIRE_FALSE(b);
    REQUIRE(c == a);
    a = nullptr;
    REQUIRE(live == 1);
    const Ref<Thing>& same = c;
    c = same;
    REQUIRE(live == 1);
  }
  REQUIRE(live == 0);
}

TEST_CASE("a handle converts to one of a base, and gives its count up") {
  int live = 0;
  Ref<Thing> base = makeRef<Derived>(live);
  REQUIRE(base->useCount() == 1);
  Thing* raw = base.leak();
  REQUIRE_FALSE(base);
  REQUIRE(live == 1);
  Ref<Thing>::adopt(raw);
  REQUIRE(live == 0);
}

TEST_CASE("an atomic count behaves alike") {
  int live = 0;
  {
    auto a = makeRef<Shared>(live);
    Ref<Shared> b(a.get());
    REQUIRE(a->useCount() == 2);
  }
  REQUIRE(live == 0);
}
