// SPDX-License-Identifier: MIT
// Which bytes are written as %XX where in a URL, and reading them again (WHATWG URL, section 1.3).
#pragma once

#include <leat/base/ip_text.hpp>
#include <leat/buffer/codec.hpp>

#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI::detail::url {

/// What a byte is. Those of the sets are percent-encoded, and with them all that are no ASCII.
enum ByteClass : std::uint16_t {
  inControls = 1,
  inFragment = 2,
  inQuery = 4,
  inSpecialQuery = 8,
  inPath = 16,
  inUserinfo = 32,
  inForm = 64,
  /// May not stand in the host of a scheme that is not special; and of one that is.
  noHost = 128,
  noDomain = 256,
  schemeByte = 512,
  lineBreak = 1024,
};

struct ByteTable {
  std::uint16_t of[256] = {};
  constexpr void add(std::string_view bytes, unsigned what) {
    for (const char c : bytes) set(static_cast<unsigned char>(c), what);
  }
  constexpr void set(unsigned byte, unsigned what) {
    of[byte] = static_cast<std::uint16_t>(of[byte] | what);
  }
};
constexpr ByteTable byteTable() {
  constexpr unsigned query = inQuery | inSpecialQuery | inPath | inUserinfo;
  ByteTable table;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool plain = byte < 0x80 && (isDigit(c) || isLetter(c));
    if (plain) table.set(byte, schemeByte);
    if (!plain && std::string_view("*-._").find(c) == std::string_view::npos)
      table.set(byte, inForm);
    if (byte < 0x20 || byte > 0x7e) table.set(byte, inControls | inFragment | query | noDomain);
  }
  table.add(" \"<>", inFragment | query);
  table.add("`", inFragment);
  table.add("#", query);
  table.add("'", inSpecialQuery);
  table.add("?`{}", inPath | inUserinfo);
  table.add("/:;=@[\\]^|", inUserinfo);
  table.add("+-.", schemeByte);
  table.add("\t\n\r", lineBreak);
  table.add(std::string_view("\0\t\n\r #/:<>?@[\\]^|", 17), noHost | noDomain);
  table.add("%", noDomain);
  return table;
}
inline constexpr ByteTable byteClasses = byteTable();

LEAT_ALWAYS_INLINE inline bool is(ByteClass what, char c) noexcept {
  return (byteClasses.of[static_cast<unsigned char>(c)] & what) != 0;
}
/// Adds the text with those of its bytes that are in `set` as %XX.
LEAT_INLINE void appendEncoded(std::string& out, std::string_view text, ByteClass set);

#if LEAT_BODIES
LEAT_INLINE bool hasAny(ByteClass what, std::string_view text) noexcept {
  for (const char c : text)
    if (is(what, c)) return true;
  return false;
}

LEAT_INLINE void appendEncoded(std::string& out, std::string_view text, ByteClass set) {
  std::size_t plain = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is(set, text[at])) continue;
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(text[at]);
    const char encoded[] = {'%', digits[byte >> 4], digits[byte & 15]};
    out.append(text.substr(plain, at - plain)).append(encoded, sizeof encoded);
    plain = at + 1;
  }
  out.append(text.substr(plain));
}
#endif

/// What the digit is worth; 16 or more for what is none.
inline unsigned hexDigit(char c) noexcept { return hexDigits.worth[static_cast<unsigned char>(c)]; }

/// The bytes that the text stands for; a % without two digits behind it stands for itself.
LEAT_INLINE std::string decoded(std::string_view text);

#if LEAT_BODIES
LEAT_INLINE std::string decoded(std::string_view text) {
  if (text.find('%') == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '%' && at + 2 < text.size()) {
      const unsigned high = hexDigit(text[at + 1]);
      const unsigned low = hexDigit(text[at + 2]);
      if ((high | low) < 16) {
        c = static_cast<char>(high << 4 | low);
        at += 2;
      }
    }
    out += c;
  }
  return out;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail::url
