// SPDX-License-Identifier: MIT
// Text that is written piece by piece into room for all of it.
#pragma once

#include <leat/base/config.hpp>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat::inline LEAT_ABI::http::detail {

/// To a std::string or a TextBuffer.
template <class Text>
void appendNumber(Text& out, std::uint64_t number, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base);
  out.append(std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)));
}

// A head is written in one go into room for all of it: these copy, and give the place behind.

/// A literal, whose size is known.
template <std::size_t size>
LEAT_ALWAYS_INLINE inline char* put(char* to, const char (&text)[size]) noexcept {
  std::memcpy(to, text, size - 1);
  return to + size - 1;
}
/// What is seldom short.
LEAT_ALWAYS_INLINE inline char* put(char* to, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
/// At most 20 digits.
LEAT_INLINE char* putNumber(char* to, std::uint64_t number) noexcept;
/// What is said of a connection that stays.
struct KeepAlive {
  /// Without a request; 0: who knows.
  unsigned seconds = 0;
  /// Requests altogether; 0: no limit.
  unsigned most = 0;
  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};
/// At most 96 bytes.
LEAT_INLINE char* putKept(char* to, KeepAlive kept) noexcept;

#if LEAT_BODIES
LEAT_INLINE char* putNumber(char* to, std::uint64_t number) noexcept {
  if (number >= 10 && number < 100) {
    *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
    return to;
  }
  return std::to_chars(to, to + 20, number).ptr;
}

LEAT_INLINE char* putKept(char* to, KeepAlive kept) noexcept {
  to = put(to, "Connection: keep-alive\r\n");
  if (kept.seconds == 0) return to;
  to = putNumber(put(to, "Keep-Alive: timeout="), kept.seconds);
  if (kept.most > 0) to = putNumber(put(to, ", max="), kept.most);
  return put(to, "\r\n");
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
