// SPDX-License-Identifier: MIT
#include <leat/base/owned.hpp>

#include <leat_test.hpp>

namespace {

struct Counting {
  explicit Counting(int& count) : live(count) { ++live; }
  virtual ~Counting() { --live; }
  int& live;
};
struct CountingMore : Counting {
  using Counting::Counting;
  ~CountingMore() override { live -= 10; }
};
/// Looks at its own handle while it goes.
struct Looking {
  ~Looking() { *seen = static_cast<bool>(*handle); }
  leat::detail::Owned<Looking>* handle;
  bool* seen;
};
using leat::detail::makeOwned;
using leat::detail::Owned;

static_assert(!std::is_copy_constructible_v<Owned<Counting>>);
static_assert(!std::is_copy_assignable_v<Owned<Counting>>);
static_assert(std::is_nothrow_move_constructible_v<Owned<Counting>>);
static_assert(!std::is_convertible_v<Owned<Counting>, Owned<CountingMore>>);

}  // namespace

TEST_CASE("an owned object goes with its handle") {
  int live = 0;
  {
    auto a = makeOwned<Counting>(live);
    REQUIRE(live == 1);
    Owned<Counting> b = std::move(a);
    REQUIRE_FALSE(a);
    REQUIRE(b);
    REQUIRE(b.get() == &*b);
    REQUIRE(live == 1);
    a = makeOwned<Counting>(live);
    REQUIRE(live == 2);
    b = std::move(a);
    REQUIRE(live == 1);
    b = nullptr;
    REQUIRE(live == 0);
    b = makeOwned<Counting>(live);
  }
  REQUIRE(live == 0);
}

TEST_CASE("an owned object that is moved to its own handle stays") {
  int live = 0;
  auto a = makeOwned<Counting>(live);
  Owned<Counting>& same = a;
  a = std::move(same);
  REQUIRE(a);
  REQUIRE(live == 1);
}

TEST_CASE("what was leaked is the caller's") {
  int live = 0;
  auto a = makeOwned<Counting>(live);
  Counting* const object = a.leak();
  REQUIRE_FALSE(a);
  REQUIRE(live == 1);
  delete object;
  REQUIRE(live == 0);
}

TEST_CASE("an owned object goes as what it was made") {
  int live = 0;
  {
    const Owned<Counting> base = makeOwned<CountingMore>(live);
    REQUIRE(base->live == 1);
  }
  REQUIRE(live == -10);
}

TEST_CASE("a handle is null before its object goes") {
  bool seen = true;
  auto a = makeOwned<Looking>();
  a->handle = &a;
  a->seen = &seen;
  a.reset();
  REQUIRE_FALSE(seen);
}
