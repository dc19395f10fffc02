// SPDX-License-Identifier: MIT
#include <leat/core/error.hpp>
#include <leat/core/inspected.hpp>
#include <leat/core/system_error.hpp>

#include <leat_test.hpp>
#include <cerrno>
#include <limits>
#include <string>

using namespace leat;

TEST_CASE("errors have Node's names and codes") {
  Error plain("message", "ERR_X");
  REQUIRE(plain.what() == std::string("message"));
  REQUIRE(plain.code() == "ERR_X");
  REQUIRE(plain.name() == "Error");
  REQUIRE(plain.cause() == nullptr);
  REQUIRE(TypeError("t").name() == "TypeError");
  REQUIRE(RangeError("r").code() == "ERR_OUT_OF_RANGE");
  REQUIRE(AbortError().code() == "ABORT_ERR");
  REQUIRE(AbortError().message() == "The operation was aborted");
  REQUIRE(TimeoutError().code() == "TIMEOUT_ERR");
}

TEST_CASE("an error may be copied, assigned and caught as its bases") {
  Error a("first", "A", std::make_exception_ptr(1));
  Error b = a;
  b = Error("second", "B");
  REQUIRE(a.message() == "first");
  REQUIRE(b.message() == "second");
  REQUIRE(a.cause() != nullptr);
  REQUIRE_THROWS_AS([] { throw AbortError(); }(), Error);
  REQUIRE_THROWS_AS([] { throw TypeError("x"); }(), std::exception);
  REQUIRE(Error("").what() == std::string());
}

TEST_CASE("an aggregate keeps its errors in order") {
  const std::exception_ptr errors[] = {std::make_exception_ptr(1), std::make_exception_ptr(2)};
  AggregateError aggregate(errors, 2);
  AggregateError copy = aggregate;
  REQUIRE(copy.errors().size() == 2);
  int sum = 0;
  for (const auto& error : copy.errors()) {
    try {
      std::rethrow_exception(error);
    } catch (int number) {
      sum = sum * 10 + number;
    }
  }
  REQUIRE(sum == 12);
  REQUIRE(AggregateError(nullptr, 0).errors().size() == 0);
}

TEST_CASE("numbers in messages") {
  const auto text = [](long long n) { return std::string(std::string_view(detail::Decimal(n))); };
  REQUIRE(text(0) == "0");
  REQUIRE(text(-12) == "-12");
  REQUIRE(text(std::numeric_limits<long long>::min()) == "-9223372036854775808");
  REQUIRE(text(std::numeric_limits<long long>::max()) == "9223372036854775807");
  detail::Decimal one(1234);
  const detail::Decimal copy = one;
  REQUIRE(std::string_view(copy) == "1234");
  REQUIRE(detail::SharedText({"a", detail::Decimal(5), "c"}).view() == "a5c");
}

TEST_CASE("a failure without an error is a TypeError") {
  auto failed = leat::Result<int>::failure(nullptr);
  REQUIRE_FALSE(failed.ok());
  REQUIRE(failed.error() != nullptr);
  REQUIRE_THROWS_AS(failed.value(), leat::TypeError);
}

TEST_CASE("a port that is none is not told") {
  const auto refused = SystemError::ofAddress(ECONNREFUSED, "connect", "127.0.0.1", 0);
  REQUIRE(refused.message() == "connect ECONNREFUSED 127.0.0.1");
  REQUIRE(refused.port() == -1);
  REQUIRE(SystemError::ofAddress(ECONNREFUSED, "connect", "::1", 80).message() ==
          "connect ECONNREFUSED ::1:80");
}

TEST_CASE("control characters in messages are those of Node's inspect") {
  const detail::Inspected text(std::string_view("\0\b\t\n\v\f\r\x1b\x7f\xc2\x80\xc2\x9f", 13));
  REQUIRE(std::string_view(text) == R"('\x00\b\t\n\x0B\f\r\x1B\x7F\x80\x9F')");
}
