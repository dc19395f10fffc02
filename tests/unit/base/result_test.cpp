// SPDX-License-Identifier: MIT
#include <leat/base/result.hpp>

#include <leat_test.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using leat::Result;

TEST_CASE("a result holds a value") {
  auto r = Result<std::string>::success("abc");
  REQUIRE(r.ok());
  REQUIRE(r.error() == nullptr);
  REQUIRE(r.value() == "abc");
  REQUIRE(*r == "abc");
  REQUIRE(r->size() == 3);
}

TEST_CASE("a result throws its error at every look at the value") {
  auto r = Result<int>::failure(std::make_exception_ptr(std::runtime_error("no")));
  REQUIRE_FALSE(r);
  REQUIRE(r.error() != nullptr);
  REQUIRE_THROWS_AS(r.value(), std::runtime_error);
  REQUIRE_THROWS_AS(*r, std::runtime_error);
  REQUIRE_THROWS_AS(std::move(r).value(), std::runtime_error);
}

TEST_CASE("a result of void and one of a reference") {
  auto v = Result<>::success();
  REQUIRE(v.ok());
  v.value();
  int x = 1;
  auto r = Result<int&>::success(x);
  REQUIRE(&r.value() == &x);
  auto moved = std::move(r);
  REQUIRE(&moved.value() == &x);
}

TEST_CASE("a result of something that only moves") {
  auto r = Result<std::unique_ptr<int>>::success(std::make_unique<int>(5));
  std::vector<Result<std::unique_ptr<int>>> all;
  all.push_back(std::move(r));
  all.push_back(Result<std::unique_ptr<int>>::failure(std::make_exception_ptr(1)));
  auto p = std::move(all[0]).value();
  REQUIRE(*p == 5);
  REQUIRE_THROWS_AS(all[1].value(), int);
}

TEST_CASE("a result is copied when its value can be, and assigned") {
  auto a = Result<std::string>::success(std::size_t{40}, 'x');
  auto b = a;
  REQUIRE(b.value() == a.value());
  a = Result<std::string>::failure(std::make_exception_ptr(std::logic_error("e")));
  REQUIRE_FALSE(a.ok());
  auto c = a;
  REQUIRE_THROWS_AS(c.value(), std::logic_error);
  a = std::move(b);
  REQUIRE(a.value().size() == 40);
}

TEST_CASE("whether a value can be copied asks what a container holds") {
  REQUIRE(leat::detail::isCopyable<std::vector<int>>);
  REQUIRE_FALSE(leat::detail::isCopyable<std::vector<std::unique_ptr<int>>>);
  REQUIRE_FALSE(leat::detail::isCopyable<std::vector<std::vector<std::unique_ptr<int>>>>);
  REQUIRE(leat::detail::isCopyable<std::shared_ptr<std::unique_ptr<int>>>);
}
