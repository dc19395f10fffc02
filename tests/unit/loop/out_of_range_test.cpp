// SPDX-License-Identifier: MIT
#include <leat/core/abort.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/loop/run.hpp>

#include <cmath>
#include <limits>
#include <string>

#include <leat_test.hpp>

using leat::detail::checkedTimeout;
using leat::detail::idleTimeoutMs;
using leat::detail::NumberText;

namespace {

std::string shown(double number) { return std::string(std::string_view(NumberText(number))); }
std::string shownWhole(std::int64_t number) {
  return std::string(std::string_view(leat::detail::IntegerText(number)));
}

}  // namespace

TEST_CASE("a number in a message is written as Node writes it") {
  // node: each of them as the timeout of a socket.
  CHECK(shown(0) == "0");
  CHECK(shown(-5) == "-5");
  CHECK(shown(-0.5) == "-0.5");
  CHECK(shown(-1.1) == "-1.1");
  CHECK(shown(-0.1 - 0.2) == "-0.30000000000000004");
  CHECK(shown(std::nan("")) == "NaN");
  CHECK(shown(HUGE_VAL) == "Infinity");
  CHECK(shown(-HUGE_VAL) == "-Infinity");
  CHECK(shown(-4294967296.0) == "-4294967296");
  CHECK(shown(-4294967297.0) == "-4_294_967_297");
  CHECK(shown(-1e12) == "-1_000_000_000_000");
  CHECK(shown(-123456789012.0) == "-123_456_789_012");
  CHECK(shown(-9007199254740994.0) == "-9_007_199_254_740_994");
  CHECK(shown(-0x1p62) == "-4_611_686_018_427_388_000");
  CHECK(shown(-12345678901234567890.0) == "-12_345_678_901_234_567_000");
  CHECK(shown(-1e20) == "-100_000_000_000_000_000_000");
  CHECK(shown(-4294967296.5) == "-4294967296.5");
  CHECK(shown(-0.0) == "0");
  CHECK(shown(-1e-5) == "-0.00001");
  CHECK(shown(-1.234e-6) == "-0.000001234");
  CHECK(shown(-1e-7) == "-1e-7");
  CHECK(shown(-1.5e-10) == "-1.5e-10");
  CHECK(shown(-std::numeric_limits<double>::denorm_min()) == "-5e-324");
  // Here Node puts underscores, too: "-1e+_300".
  CHECK(shown(-1e300) == "-1e+300");
  CHECK(shown(-std::numeric_limits<double>::max()) == "-1.7976931348623157e+308");
}

TEST_CASE("whole numbers are shown with Node's separators") {
  CHECK(shownWhole(0) == "0");
  CHECK(shownWhole(-12345) == "-12345");
  CHECK(shownWhole(4'294'967'296) == "4294967296");
  CHECK(shownWhole(4'294'967'297) == "4_294_967_297");
  CHECK(shownWhole(-123'456'789'012) == "-123_456_789_012");
  CHECK(shownWhole(INT64_MIN) == "-9_223_372_036_854_775_808");
}

TEST_CASE("a timeout is a number from 0, and what no timer can take is the longest") {
  CHECK(idleTimeoutMs("msecs", 0) == 0);
  CHECK(idleTimeoutMs("msecs", 0.25) == 1);
  CHECK(idleTimeoutMs("msecs", 7.9) == 7);
  CHECK(idleTimeoutMs("msecs", 2147483647) == 2147483647);
  CHECK(idleTimeoutMs("msecs", 2147483648.0) == 2147483647);
  CHECK(idleTimeoutMs("msecs", 1e300) == 2147483647);
  CHECK(checkedTimeout("msecs", 0.25) == 0.25);
  CHECK(checkedTimeout("msecs", 1e300) == 2147483647);
  for (const double bad : {-1.0, -0.25, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const std::string text =
        "The value of \"msecs\" is out of range. It must be a non-negative finite number. "
        "Received " +
        shown(bad);
    CHECK_THROWS_WITH(idleTimeoutMs("msecs", bad), text);
    CHECK_THROWS_AS(checkedTimeout("msecs", bad), leat::RangeError);
  }
}

TEST_CASE("AbortSignal::timeout of what is no time says what it was") {
  CHECK(leat::run([] {
          const std::string text =
              "The value of \"delay\" is out of range. It must be >= 0 && <= 2147483647. Received ";
          CHECK_THROWS_WITH(leat::AbortSignal::timeout(-1), text + "-1");
          CHECK_THROWS_WITH(leat::AbortSignal::timeout(std::nan("")), text + "NaN");
          CHECK_THROWS_WITH(leat::AbortSignal::timeout(HUGE_VAL), text + "Infinity");
          CHECK_THROWS_WITH(leat::AbortSignal::timeout(1e12), text + "1_000_000_000_000");
        }) == 0);
}
