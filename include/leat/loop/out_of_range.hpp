// SPDX-License-Identifier: MIT
// Numbers that are out of range, in Node's words; the timeouts of sockets.
#pragma once

#include <leat/core/out_of_range.hpp>
#include <leat/loop/duration.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leat::inline LEAT_ABI::detail {

/// A finite number as JavaScript writes it: the fewest digits that mean it, and below 1e21 no exponent. Gives
/// its end.
LEAT_INLINE char* writeNumber(double number, char (&text)[40]) noexcept;

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
LEAT_INLINE char* writeNumber(double number, char (&text)[40]) noexcept {
  constexpr int most = 17;  // digits that tell any two apart
  char scientific[32];
  if (number == 0) number = 0;  // not -0
  for (int more = 0; more < most; ++more) {
    std::snprintf(scientific, sizeof scientific, "%.*e", more, number);
    if (std::strtod(scientific, nullptr) == number) break;
  }
  const char* at = scientific;
  char* to = text;
  if (*at == '-') *to++ = *at++;
  char digits[most];
  int count = 0;
  for (; *at != 'e'; ++at)
    if (*at >= '0' && *at <= '9') digits[count++] = *at;
  const int point = std::atoi(at + 1) + 1;  // so many stand before it
  const bool scales = point < -5 || point > 21;
  if (!scales && point <= 0) {
    *to++ = '0';
    *to++ = '.';
    for (int i = point; i < 0; ++i) *to++ = '0';
  }
  for (int i = 0; i < count || (!scales && i < point); ++i) {
    if (i > 0 && i == (scales ? 1 : point)) *to++ = '.';
    *to++ = i < count ? digits[i] : '0';
  }
  *to = '\0';
  return scales ? to + std::snprintf(to, 16, "e%+d", point - 1) : to;
}

LEAT_INLINE NumberText::NumberText(double number) noexcept {
  constexpr double most = 1.7976931348623157e308;
  constexpr double plain = 4294967296;
  if (number != number) return;
  if (number > most || number < -most) {
    std::snprintf(text_, sizeof text_, number < 0 ? "-Infinity" : "Infinity");
    return;
  }
  char* const end = writeNumber(number, text_);
  if ((number >= -plain && number <= plain) || std::strpbrk(text_, ".e") != nullptr) return;
  char* const first = number < 0 ? text_ + 1 : text_;
  for (char* at = end - 3; at > first; at -= 3) {
    std::memmove(at + 1, at, std::strlen(at) + 1);
    *at = '_';
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
