// SPDX-License-Identifier: MIT
// UTF-8 as Node reads it: what is none becomes U+FFFD, one for each part that could have begun a
// character (the WHATWG rule).
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI::detail {

inline const std::uint8_t* octets(std::string_view text) noexcept {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// How many of `size` bytes come before the first that is not ASCII.
LEAT_INLINE std::size_t asciiPrefix(const std::uint8_t* bytes, std::size_t size) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::size_t asciiPrefix(const std::uint8_t* bytes, std::size_t size) noexcept {
  constexpr std::uint64_t high = 0x8080808080808080u;
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    std::uint64_t words[4];
    for (; at + 32 <= size; at += 32) {
      std::memcpy(words, bytes + at, 32);
      if (((words[0] | words[1] | words[2] | words[3]) & high) != 0) break;
    }
    if (at + 8 > size) break;
    std::memcpy(words, bytes + at, 8);
    const std::uint64_t found = words[0] & high;
    if (found == 0) continue;
    const int bits =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_ctzll(found) : __builtin_clzll(found);
    return at + static_cast<std::size_t>(bits) / 8;
  }
  while (at < size && bytes[at] < 0x80) ++at;
  return at;
}
#endif

/// What stands at a place of a text: a character, or a part of none.
struct Utf8Step {
  std::uint32_t point;  // U+FFFD for what is none
  unsigned length;
  bool valid;
};

/// The step at `bytes`, of which there is at least one; the first is not ASCII.
LEAT_ALWAYS_INLINE inline Utf8Step utf8Step(const std::uint8_t* bytes, std::size_t size) noexcept {
  const unsigned lead = bytes[0];
  if (lead < 0xc2 || lead > 0xf4) return {0xfffd, 1, false};
  const unsigned length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // Of some leads not every second byte is allowed: overlong forms, surrogates, over U+10FFFF.
  unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::uint32_t point = lead & (0x7fu >> length);
  for (unsigned at = 1; at < length; ++at) {
    if (at == size || bytes[at] < least || bytes[at] > most) return {0xfffd, at, false};
    point = point << 6 | (bytes[at] & 0x3fu);
    least = 0x80;
    most = 0xbf;
  }
  return {point, length, true};
}

/// How many of `size` bytes are UTF-8 from the beginning on.
LEAT_INLINE std::size_t utf8Prefix(const std::uint8_t* bytes, std::size_t size) noexcept;
/// The text with U+FFFD in the places where it is no UTF-8.
LEAT_INLINE std::string wellFormed(std::string_view text);

#if LEAT_BODIES
LEAT_INLINE std::size_t utf8Prefix(const std::uint8_t* bytes, std::size_t size) noexcept {
  std::size_t at = 0;
  for (;;) {
    at += asciiPrefix(bytes + at, size - at);
    if (at == size) return at;
    const Utf8Step step = utf8Step(bytes + at, size - at);
    if (!step.valid) return at;
    at += step.length;
  }
}

LEAT_INLINE std::string wellFormed(std::string_view text) {
  std::size_t valid = utf8Prefix(octets(text), text.size());
  if (valid == text.size()) return std::string(text);
  std::string out;
  out.reserve(text.size() + text.size() / 8 + 16);
  for (;;) {
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) return out;
    text.remove_prefix(utf8Step(octets(text), text.size()).length);
    out.append("\xef\xbf\xbd");
    valid = utf8Prefix(octets(text), text.size());
  }
}

/// Writes a code point, and gives the place behind it.
LEAT_INLINE char* writePoint(char* out, std::uint32_t point) noexcept {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
    return out;
  }
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xe0 | point >> 12);
    } else {
      put(0xf0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3f));
    }
    put(0x80 | (point >> 6 & 0x3f));
  }
  put(0x80 | (point & 0x3f));
  return out;
}
#endif

/// Reads a text as the 16-bit units that a string of JavaScript has.
class Utf16Reader {
 public:
  explicit Utf16Reader(std::string_view text) noexcept
      : at_(octets(text)), end_(at_ + text.size()) {}

  bool next(std::uint16_t& unit) noexcept {
    if (low_ != 0) {
      unit = low_;
      low_ = 0;
      return true;
    }
    if (at_ == end_) return false;
    if (*at_ < 0x80) {
      unit = *at_++;
      return true;
    }
    const Utf8Step step = utf8Step(at_, static_cast<std::size_t>(end_ - at_));
    at_ += step.length;
    if (step.point >= 0x10000) {
      unit = static_cast<std::uint16_t>(0xd7c0 + (step.point >> 10));
      low_ = static_cast<std::uint16_t>(0xdc00 | (step.point & 0x3ff));
    } else {
      unit = static_cast<std::uint16_t>(step.point);
    }
    return true;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint16_t low_ = 0;
};

/// The length that JavaScript gives the text.
LEAT_INLINE std::size_t utf16Length(std::string_view text) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::size_t utf16Length(std::string_view text) noexcept {
  const std::size_t ascii = asciiPrefix(octets(text), text.size());
  text.remove_prefix(ascii);
  const std::uint8_t* const bytes = octets(text);
  const std::size_t valid = utf8Prefix(bytes, text.size());
  // Of what is UTF-8 all but the bytes behind the first of a character, and two for the long ones.
  std::size_t count = ascii + valid;
  for (std::size_t at = 0; at < valid; ++at)
    count += std::size_t{bytes[at] >= 0xf0} - std::size_t{(bytes[at] & 0xc0) == 0x80};
  Utf16Reader rest(text.substr(valid));
  for (std::uint16_t unit; rest.next(unit);) ++count;
  return count;
}
#endif

inline bool isHighSurrogate(unsigned unit) noexcept { return (unit & 0xfc00) == 0xd800; }
inline bool isLowSurrogate(unsigned unit) noexcept { return (unit & 0xfc00) == 0xdc00; }

}  // namespace leat::inline LEAT_ABI::detail
