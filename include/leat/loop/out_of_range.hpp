// SPDX-License-Identifier: MIT
// Numbers that are out of range, in Node's words; the timeouts of sockets.
#pragma once

#include <leat/core/out_of_range.hpp>
#include <leat/loop/duration.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leat::inline LEAT_ABI::detail {

/// A number as Node shows it in a message: -5, 0.5, NaN, 5_000_000_000.
class NumberText {
 public:
  explicit NumberText(double number) noexcept;
  operator std::string_view() const noexcept { return text_; }

 private:
  char text_[40] = "NaN";
};

/// Throws: RangeError, always: "The value of "name" is out of range. It must be range. Received -5".
[[noreturn]] LEAT_INLINE void throwNumberOutOfRange(std::string_view name, std::string_view range,
                                                    double received);

/// Of options that are whole milliseconds. Throws: RangeError ERR_OUT_OF_RANGE below 0.
inline void checkNotNegative(std::string_view name, double ms) {
  if (!(ms >= 0)) throwNumberOutOfRange(name, ">= 0 && <= 2147483647", ms);
}

/// Node's rule for the timeouts of sockets: what no timer can take is the longest that one can.
/// Throws: RangeError ERR_OUT_OF_RANGE unless it is a number from 0.
LEAT_INLINE double checkedTimeout(std::string_view name, double ms);
/// The same for a timer; 0 is none.
LEAT_INLINE std::int32_t idleTimeoutMs(std::string_view name, double ms);

#if LEAT_BODIES
LEAT_INLINE NumberText::NumberText(double number) noexcept {
  constexpr double most = 1.7976931348623157e308;
  if (number != number) return;
  if (number > most || number < -most) {
    std::snprintf(text_, sizeof text_, number < 0 ? "-Infinity" : "Infinity");
  } else if (number > -9e18 && number < 9e18 &&
             number == static_cast<double>(static_cast<std::int64_t>(number))) {
    const IntegerText whole(static_cast<std::int64_t>(number));
    const std::string_view digits = whole;
    std::memcpy(text_, digits.data(), digits.size());
    text_[digits.size()] = '\0';
  } else {
    // The fewest digits that mean this number.
    for (int digits = 1; digits <= 17; ++digits) {
      std::snprintf(text_, sizeof text_, "%.*g", digits, number);
      if (std::strtod(text_, nullptr) == number) return;
    }
  }
}

LEAT_INLINE void throwNumberOutOfRange(std::string_view name, std::string_view range,
                                       double received) {
  throwOutOfRange(name, range, NumberText(received));
}

LEAT_INLINE double checkedTimeout(std::string_view name, double ms) {
  constexpr double longest = 2147483647;
  if (!(ms >= 0 && ms - ms == 0)) throwNumberOutOfRange(name, "a non-negative finite number", ms);
  return ms > longest ? longest : ms;
}

LEAT_INLINE std::int32_t idleTimeoutMs(std::string_view name, double ms) {
  const double checked = checkedTimeout(name, ms);
  return checked > 0 ? timerMs(checked) : 0;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
