// SPDX-License-Identifier: MIT
// What Node's module `buffer` has beside the class: isUtf8, isAscii, transcode, constants, atob, btoa.
#pragma once

#include <leat/buffer/encoding.hpp>

namespace leat::inline LEAT_ABI {

/// A character that cannot be base64, or cannot become it. Node: a DOMException of that name.
class LEAT_API InvalidCharacterError : public Error {
 public:
  explicit InvalidCharacterError(std::string_view message)
      : Error(message, "INVALID_CHARACTER_ERR") {}
  std::string_view name() const noexcept override { return "InvalidCharacterError"; }
};

/// Each character of the text, at most U+00FF, as a byte, in base64. Node: `btoa`.
/// Throws: InvalidCharacterError.
LEAT_INLINE std::string btoa(std::string_view text);

/// The reverse: white space is skipped, anything else that is no base64 is an error. Node: `atob`. The
/// bytes over 127 become characters of two bytes; `Buffer::from(text, "base64")` has the bytes.
/// Throws: InvalidCharacterError.
LEAT_INLINE std::string atob(std::string_view text);

namespace buffer {

using leat::atob;
using leat::btoa;
using leat::Buffer;

/// Whether the bytes are UTF-8; no bytes are.
inline bool isUtf8(std::string_view bytes) noexcept {
  return detail::utf8Prefix(detail::octets(bytes), bytes.size()) == bytes.size();
}
inline bool isUtf8(const Buffer& bytes) noexcept { return isUtf8(bytes.view()); }
inline bool isAscii(std::string_view bytes) noexcept {
  return detail::asciiPrefix(detail::octets(bytes), bytes.size()) == bytes.size();
}
inline bool isAscii(const Buffer& bytes) noexcept { return isAscii(bytes.view()); }

/// The text in `source` in another encoding: utf8, utf16le, latin1 or ascii. What the other has no
/// character for is '?'.
/// Throws: Error U_ILLEGAL_ARGUMENT_ERROR for other encodings, U_INVALID_CHAR_FOUND for text that is none
/// between utf8 and utf16le.
Buffer transcode(const Buffer& source, detail::EncodingName fromEncoding,
                 detail::EncodingName toEncoding);

namespace constants {
inline constexpr std::size_t MAX_LENGTH = Buffer::maxSize;
inline constexpr std::size_t MAX_STRING_LENGTH = Buffer::maxSize;
}  // namespace constants
inline constexpr std::size_t kMaxLength = constants::MAX_LENGTH;
inline constexpr std::size_t kStringMaxLength = constants::MAX_STRING_LENGTH;

}  // namespace buffer

namespace detail {

#if LEAT_BODIES
/// Code points that show nothing, and for which transcode puts no '?' either.
LEAT_INLINE bool showsNothing(std::uint32_t point) noexcept {
  struct Stretch {
    std::uint32_t first, last;
  };
  static constexpr Stretch all[] = {
      {0xad, 0xad},       {0x34f, 0x34f},    {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
      {0x180b, 0x180f},   {0x200b, 0x200f},  {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
      {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3},
      {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
  for (const Stretch& stretch : all)
    if (point >= stretch.first && point <= stretch.last) return true;
  return false;
}
#endif

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwNoTranscoding(std::string_view code) {
  throw Error(SharedText{"Unable to transcode Buffer [", code, "]"}.view(), code);
}

#if LEAT_BODIES
/// The characters up to `last`, a byte each; '?' for the others.
LEAT_INLINE std::string narrowed(std::string_view text, std::uint32_t last) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    Utf8Step step{static_cast<std::uint8_t>(text[0]), 1, true};
    if (step.point > 0x7f) step = utf8Step(octets(text), text.size());
    text.remove_prefix(step.length);
    if (step.point <= last) {
      out += static_cast<char>(step.point);
    } else if (!showsNothing(step.point)) {
      out += '?';
    }
  }
  return out;
}

/// Whether the bytes are UTF-16 of whole characters, and at least one.
LEAT_INLINE bool isUtf16(const Buffer& units) noexcept {
  const std::uint8_t* const bytes = units.begin();
  const auto unitAt = [bytes](std::size_t at) { return bytes[at] | unsigned{bytes[at + 1]} << 8; };
  for (std::size_t at = 0; at + 2 <= units.size(); at += 2) {
    const unsigned unit = unitAt(at);
    if (isLowSurrogate(unit)) return false;
    if (!isHighSurrogate(unit)) continue;
    at += 2;
    if (at + 2 > units.size() || !isLowSurrogate(unitAt(at))) return false;
  }
  return units.size() >= 2;
}

/// Every byte over 127 is U+FFFD.
LEAT_INLINE std::string strictAscii(const Buffer& source) {
  std::string text;
  for (const std::uint8_t byte : source)
    byte < 0x80 ? text += static_cast<char>(byte) : text += "\xef\xbf\xbd";
  return text;
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE Buffer buffer::transcode(const Buffer& source, detail::EncodingName fromEncoding,
                                     detail::EncodingName toEncoding) {
  using enum BufferEncoding;
  if (source.empty()) return {};
  BufferEncoding from = utf8, to = utf8;
  const bool known = fromEncoding.findOr(from) && toEncoding.findOr(to);
  if (!known || from > ascii || to > ascii) detail::throwNoTranscoding("U_ILLEGAL_ARGUMENT_ERROR");
  if ((from == utf8 && to == utf16le && !isUtf8(source)) ||
      (from == utf16le && to == utf8 && !detail::isUtf16(source)))
    detail::throwNoTranscoding("U_INVALID_CHAR_FOUND");
  // As in Node, ascii to utf16le takes the bytes for latin1.
  std::string text = from == ascii && to != utf16le
                         ? detail::strictAscii(source)
                         : source.toString(from == ascii ? latin1 : from);
  // Half a unit is one U+FFFD, together with half a pair in front of it.
  if (to == utf16le && from == utf16le && source.size() % 2 != 0 &&
      (source.size() == 1 || !detail::isHighSurrogate(source[source.size() - 2] * 256u)))
    text += "\xef\xbf\xbd";
  if (to == latin1 || to == ascii)
    return Buffer::adopt(detail::narrowed(text, to == latin1 ? 0xff : 0x7f));
  return to == utf8 ? Buffer::adopt(std::move(text)) : Buffer::from(text, to);
}

LEAT_INLINE std::string btoa(std::string_view text) {
  std::string bytes;
  detail::Utf16Reader units(text);
  for (std::uint16_t unit; units.next(unit);) {
    if (unit > 0xff) throw InvalidCharacterError("Invalid character");
    bytes += static_cast<char>(unit);
  }
  return detail::textOf(BufferEncoding::base64, detail::octets(bytes), bytes.size());
}

LEAT_INLINE std::string atob(std::string_view text) {
  std::string digits;
  for (const char c : text)
    if (c != ' ' && c != '\t' && c != '\n' && c != '\f' && c != '\r') digits += c;
  std::size_t padding = 0;
  while (padding < 2 && padding < digits.size() && digits[digits.size() - 1 - padding] == '=')
    ++padding;
  const std::size_t count = digits.size() - padding;
  for (std::size_t i = 0; i < count; ++i)
    if (detail::base64Digits.worth[static_cast<std::uint8_t>(digits[i])] > 63 || digits[i] == '-' ||
        digits[i] == '_')
      throw InvalidCharacterError("Invalid character");
  if (count % 4 == 1)
    throw InvalidCharacterError("The string to be decoded is not correctly encoded.");
  if (padding != 0 && digits.size() % 4 != 0) throw InvalidCharacterError("Invalid character");
  return Buffer::from(digits, BufferEncoding::base64).toString(BufferEncoding::latin1);
}
#endif

}  // namespace leat::inline LEAT_ABI
