// SPDX-License-Identifier: MIT
// Texts of a user in messages of errors.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <string_view>

namespace leat::inline LEAT_ABI::detail {

/// A text as Node shows it in messages: in quotes, what cannot be printed escaped, at most 128 long.
class Inspected {
 public:
  explicit Inspected(std::string_view text) noexcept;
  operator std::string_view() const noexcept { return {text_, size_}; }

 private:
  static constexpr std::size_t limit = 128;
  void put(char c) noexcept {
    if (size_ < limit) {
      text_[size_++] = c;
    } else {
      cut_ = true;
    }
  }
  void putEscaped(char c, char quote) noexcept;
  void putHex(unsigned char byte) noexcept;

  char text_[limit + 3];
  std::size_t size_ = 0;
  bool cut_ = false;
};

#if LEAT_BODIES
LEAT_INLINE Inspected::Inspected(std::string_view text) noexcept {
  const auto holds = [text](char c) { return text.find(c) != std::string_view::npos; };
  const char quote = !holds('\'') ? '\'' : !holds('"') ? '"' : !holds('`') ? '`' : '\'';
  put(quote);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (text[i] == '\xc2' && next >= 0x80 && next < 0xa0) {
      putHex(next);  // U+0080 to U+009F are controls, too
      ++i;
    } else {
      putEscaped(text[i], quote);
    }
  }
  put(quote);
  if (cut_)
    for (int i = 0; i < 3; ++i) text_[size_++] = '.';
}

LEAT_INLINE void Inspected::putEscaped(char c, char quote) noexcept {
  constexpr std::string_view plain = "btn fr";  // \b is 8, \t is 9, ..., for 11 there is none
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 32 && byte != 127) {
    if (c == quote || c == '\\') put('\\');
    return put(c);
  }
  if (byte < 8 || byte > 13 || byte == 11) return putHex(byte);
  put('\\');
  put(plain[byte - 8]);
}

LEAT_INLINE void Inspected::putHex(unsigned char byte) noexcept {
  constexpr std::string_view digits = "0123456789ABCDEF";
  put('\\');
  put('x');
  put(digits[byte >> 4]);
  put(digits[byte & 15]);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
