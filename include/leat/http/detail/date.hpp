// SPDX-License-Identifier: MIT
// The Date field, written once a second.
#pragma once

#include <leat/loop/loop_part.hpp>
#include <leat/sys/calls.hpp>

#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI::http::detail {

/// As RFC 9110 section 5.6.7 wants it: "Sun, 06 Nov 1994 08:49:37 GMT".
inline std::string_view writeDate(char (&into)[32], std::int64_t seconds) noexcept {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  const int size = std::snprintf(into, sizeof into, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 days[parts.tm_wday % 7], parts.tm_mday % 100,
                                 months[parts.tm_mon % 12], (parts.tm_year + 1900) % 10000,
                                 parts.tm_hour % 100, parts.tm_min % 100, parts.tm_sec % 100);
  return {into, static_cast<std::size_t>(size)};
}

/// Of the loop.
class LEAT_API DateCache : public leat::detail::LoopPart {
 public:
  explicit DateCache(const void* k) noexcept : LoopPart(k) {}
  /// "Date: ...", with the end of its line.
  std::string_view field() {
    const std::int64_t second = sys::realtimeNs() / 1'000'000'000;
    if (second != second_) {
      second_ = second;
      char date[32];
      field_.assign("Date: ").append(writeDate(date, second)).append("\r\n");
    }
    return field_;
  }

 private:
  std::int64_t second_ = -1;
  std::string field_;
};

}  // namespace leat::inline LEAT_ABI::http::detail
