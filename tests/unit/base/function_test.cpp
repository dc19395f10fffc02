// SPDX-License-Identifier: MIT
#include <leat/base/function.hpp>

#include <leat_test.hpp>
#include <array>
#include <memory>
#include <string>

using leat::Function;

TEST_CASE("an empty function is false, also after a move from it") {
  Function<int()> f;
  REQUIRE_FALSE(f);
  f = [] { return 3; };
  REQUIRE(f);
  Function<int()> g = std::move(f);
  REQUIRE_FALSE(f);
  REQUIRE(g() == 3);
  g = nullptr;
  REQUIRE_FALSE(g);
}

TEST_CASE("a function owns a callable that only moves, small or big, and destroys it once") {
  auto counter = std::make_shared<int>(0);
  {
    auto small = [counter, p = std::make_unique<int>(2)] { return *p; };
    Function<int()> f = std::move(small);
    std::array<char, 200> bulk{};
    bulk[199] = 7;
    auto big = [counter, bulk, p = std::make_unique<int>(3)] { return *p + bulk[199]; };
    Function<int()> g = std::move(big);
    REQUIRE(f() == 2);
    REQUIRE(g() == 10);
    f = std::move(g);
    REQUIRE(f() == 10);
    REQUIRE(counter.use_count() == 2);
  }
  REQUIRE(counter.use_count() == 1);
}

TEST_CASE("arguments pass through a function without a copy") {
  Function<std::string(std::unique_ptr<int>, std::string&)> f = [](std::unique_ptr<int> p,
                                                                   std::string& s) {
    s += "!";
    return s + std::to_string(*p);
  };
  std::string text = "a";
  REQUIRE(f(std::make_unique<int>(4), text) == "a!4");
  REQUIRE(text == "a!");
}

TEST_CASE("a function that returns void drops a result") {
  int calls = 0;
  Function<void()> f = [&] { return ++calls; };
  f();
  REQUIRE(calls == 1);
}
