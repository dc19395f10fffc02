// SPDX-License-Identifier: MIT
// The dates of header fields (RFC 9110 section 5.6.7), as seconds since 1970.
#pragma once

#include <leat/base/config.hpp>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

namespace leat::inline LEAT_ABI::http::detail {

inline constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
inline constexpr std::string_view monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Two digits or four.
constexpr char* putDigits(char* at, int count, int number) noexcept {
  for (int i = count; i-- > 0; number /= 10) at[i] = static_cast<char>('0' + number % 10);
  return at + count;
}
/// "Sun, 06 Nov 1994 08:49:37 GMT".
LEAT_INLINE std::string_view writeDate(char (&into)[32], std::int64_t seconds) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::string_view writeDate(char (&into)[32], std::int64_t seconds) noexcept {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char* at = into;
  const auto text = [&at](std::string_view piece) {
    for (const char c : piece) *at++ = c;
  };
  const auto number = [&at](int digits, int value, char behind) {
    at = putDigits(at, digits, value);
    *at++ = behind;
  };
  text(weekdays.substr(static_cast<std::size_t>(parts.tm_wday) * 3, 3));
  text(", ");
  number(2, parts.tm_mday, ' ');
  text(monthNames.substr(static_cast<std::size_t>(parts.tm_mon) * 3, 3));
  *at++ = ' ';
  number(4, parts.tm_year + 1900, ' ');
  number(2, parts.tm_hour, ':');
  number(2, parts.tm_min, ':');
  number(2, parts.tm_sec, ' ');
  text("GMT");
  return {into, static_cast<std::size_t>(at - into)};
}
#endif

/// What a date was read as.
struct DateParts {
  int day = 0;
  int month = -1;
  int year = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;

  /// As the form says: D, Y, h, m and s are digits, N__ is the name of a month, a a letter, all else itself.
  constexpr bool read(std::string_view text, std::string_view form) noexcept {
    if (text.size() != form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i) {
      const char c = text[i];
      int* const number = partOf(form[i]);
      if (number != nullptr) {
        // Of a day in asctime's form.
        const bool blank = c == ' ' && form[i] == 'D' && *number == 0;
        if (!blank && (c < '0' || c > '9')) return false;
        *number = *number * 10 + (blank ? 0 : c - '0');
      } else if (form[i] == 'N') {
        const std::size_t at = monthNames.find(text.substr(i, 3));
        if (at == std::string_view::npos || at % 3 != 0) return false;
        month = static_cast<int>(at / 3);
        i += 2;
      } else if (form[i] == 'a' ? (c | 0x20) < 'a' || (c | 0x20) > 'z' : c != form[i]) {
        return false;
      }
    }
    return day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60;
  }
  std::int64_t seconds() const noexcept {
    std::tm parts{};
    parts.tm_mday = day;
    parts.tm_mon = month;
    parts.tm_year = year - 1900;
    parts.tm_hour = hour;
    parts.tm_min = minute;
    parts.tm_sec = second;
    return ::timegm(&parts);
  }

 private:
  constexpr int* partOf(char kind) noexcept {
    switch (kind) {
      case 'D':
        return &day;
      case 'Y':
        return &year;
      case 'h':
        return &hour;
      case 'm':
        return &minute;
      case 's':
        return &second;
      default:
        return nullptr;
    }
  }
};

/// In each of the three forms that there are; nothing of what is none. `now` tells the century of two digits.
LEAT_INLINE std::optional<std::int64_t> readDate(std::string_view text, std::int64_t now) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::optional<std::int64_t> readDate(std::string_view text, std::int64_t now) noexcept {
  DateParts date;
  if (date.read(text, "aaa, DD N__ YYYY hh:mm:ss GMT")) return date.seconds();
  date = DateParts();
  if (date.read(text, "aaa N__ DD hh:mm:ss YYYY")) return date.seconds();
  date = DateParts();
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || !date.read(text.substr(comma), ", DD-N__-YY hh:mm:ss GMT"))
    return std::nullopt;
  std::tm today{};
  const auto time = static_cast<std::time_t>(now);
  ::gmtime_r(&time, &today);
  const int thisYear = today.tm_year + 1900;
  date.year += thisYear - thisYear % 100;
  // What seems more than 50 years ahead is in the past.
  if (date.year > thisYear + 50) date.year -= 100;
  return date.seconds();
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
