// SPDX-License-Identifier: MIT
// Which bytes may stand where in HTTP (RFC 9110 section 5, RFC 9112), and finding where they end.
#pragma once

#include <leat/base/ip_text.hpp>

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace leat::inline LEAT_ABI::http::detail {

/// What a byte may be part of.
enum CharClass : unsigned char {
  charToken = 1,
  charTarget = 2,
  charHost = 4,
};

struct CharTable {
  unsigned char of[256] = {};
  constexpr void add(std::string_view chars, unsigned char what) {
    for (const char c : chars) of[static_cast<unsigned char>(c)] |= what;
  }
  constexpr void addAlphanumeric(unsigned char what) {
    for (unsigned c = 0; c < 26; ++c) of['a' + c] |= what, of['A' + c] |= what;
    for (unsigned c = '0'; c <= '9'; ++c) of[c] |= what;
  }
};
constexpr CharTable charTable() {
  CharTable table;
  table.addAlphanumeric(charToken | charHost);
  table.add("!#$%&'*+-.^_`|~", charToken);
  // Of the targets that RFC 3986 does not allow, clients send all that can be printed; a fragment never.
  for (unsigned c = 0x21; c < 0x7f; ++c)
    if (c != '#') table.of[c] |= charTarget;
  table.add("-._~!$&'()*+,;=%", charHost);
  return table;
}
inline constexpr CharTable chars = charTable();

LEAT_ALWAYS_INLINE inline bool is(CharClass what, char c) noexcept {
  return (chars.of[static_cast<unsigned char>(c)] & what) != 0;
}
/// The first byte from `at` that is not of the class; `end` when all are.
LEAT_ALWAYS_INLINE inline const char* endOf(CharClass what, const char* at,
                                            const char* end) noexcept {
  while (at != end && is(what, *at)) ++at;
  return at;
}
constexpr bool isBlank(char c) noexcept { return c == ' ' || c == '\t'; }
/// No control character but the tab: what values of fields, reasons and chunk extensions are made of.
constexpr bool isText(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 ? byte != 0x7f : byte == '\t';
}
#if defined(__SSE2__)
/// A bit for each of 16 bytes that is from `first` to `last`.
LEAT_ALWAYS_INLINE inline __m128i between(__m128i bytes, char first, char last) noexcept {
  const __m128i offsets = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(offsets, _mm_set1_epi8(static_cast<char>(last - first))),
                        offsets);
}
LEAT_ALWAYS_INLINE inline __m128i equal(__m128i bytes, char c) noexcept {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}
/// A bit for each byte that was found.
LEAT_ALWAYS_INLINE inline unsigned bitsOf(__m128i found) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(found));
}
LEAT_ALWAYS_INLINE inline __m128i loadBytes(const char* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
/// Sixteen bytes at a time, goes to the first of which `Fits` does not say that it does, or to one of the last 15. Whether
/// `usual` stands there.
template <char usual, class Fits>
LEAT_ALWAYS_INLINE inline bool skipTo(const char*& at, const char* end, Fits fits) noexcept {
  for (; end - at >= 16; at += 16) {
    const unsigned others = bitsOf(fits(loadBytes(at))) ^ 0xffffU;
    if (others == 0) continue;
    at += static_cast<unsigned>(__builtin_ctz(others));
    return *at == usual;
  }
  return at != end && *at == usual;
}
/// A text of 8 to 15 bytes, and NUL behind it.
LEAT_ALWAYS_INLINE inline __m128i loadShort(std::string_view text) noexcept {
  std::uint64_t first;
  std::uint64_t last;
  std::memcpy(&first, text.data(), 8);
  std::memcpy(&last, text.data() + text.size() - 8, 8);
  // Those of the last 8 that are among the first go.
  last = last >> 8 >> (8 * (15 - text.size()));
  return _mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first));
}
/// The same of all of 8 bytes or more: those at the end are looked at once more.
template <class Fits>
LEAT_ALWAYS_INLINE inline bool allFit(std::string_view text, Fits fits) noexcept {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); end - at > 16; at += 16)
    if (bitsOf(fits(loadBytes(at))) != 0xffff) return false;
  if (text.size() >= 16) return bitsOf(fits(loadBytes(end - 16))) == 0xffff;
  return bitsOf(fits(_mm_unpacklo_epi64(
             _mm_loadl_epi64(reinterpret_cast<const __m128i*>(text.data())),
             _mm_loadl_epi64(reinterpret_cast<const __m128i*>(end - 8))))) == 0xffff;
}
struct FitsText {
  LEAT_ALWAYS_INLINE __m128i operator()(__m128i bytes) const noexcept {
    const __m128i blank = _mm_set1_epi8(' ');
    const __m128i above = _mm_cmpeq_epi8(_mm_max_epu8(bytes, blank), bytes);
    return _mm_or_si128(equal(bytes, '\t'), _mm_andnot_si128(equal(bytes, 0x7f), above));
  }
};
/// What nearly all names are made of: letters, digits and '-'.
struct FitsUsualName {
  LEAT_ALWAYS_INLINE __m128i operator()(__m128i bytes) const noexcept {
    const __m128i letters = between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    return _mm_or_si128(_mm_or_si128(letters, equal(bytes, '-')), between(bytes, '0', '9'));
  }
};
#endif
/// The first byte from `at` that is no text; `end` when all is.
LEAT_ALWAYS_INLINE inline const char* endOfText(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  if (skipTo<'\r'>(at, end, FitsText())) [[likely]]
    return at;
#endif
  while (at != end && isText(*at)) ++at;
  return at;
}
/// Goes to the end of a token. Whether a colon stands there. What nearly all names are made of goes fast.
LEAT_ALWAYS_INLINE inline bool skipName(const char*& at, const char* end) noexcept {
#if defined(__SSE2__)
  if (skipTo<':'>(at, end, FitsUsualName())) [[likely]]
    return true;
#endif
  at = endOf(charToken, at, end);
  return at != end && *at == ':';
}
/// The same of a target and a blank.
LEAT_ALWAYS_INLINE inline bool skipTarget(const char*& at, const char* end) noexcept {
#if defined(__SSE2__)
  const auto fits = [](__m128i bytes) {
    return _mm_andnot_si128(equal(bytes, '#'), between(bytes, 0x21, 0x7e));
  };
  if (skipTo<' '>(at, end, fits)) [[likely]]
    return true;
#endif
  at = endOf(charTarget, at, end);
  return at != end && *at == ' ';
}
LEAT_INLINE bool isText(std::string_view text) noexcept;
LEAT_INLINE bool isToken(std::string_view text) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool isText(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
#if defined(__SSE2__)
  if (text.size() >= 8) return allFit(text, FitsText());
#endif
  return endOfText(text.data(), end) == end;
}

LEAT_INLINE bool isToken(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
#if defined(__SSE2__)
  if (text.size() >= 8 && allFit(text, FitsUsualName())) return true;
#endif
  return !text.empty() && endOf(charToken, text.data(), end) == end;
}
#endif
constexpr std::string_view trimBlanks(std::string_view text) noexcept {
  while (!text.empty() && isBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && isBlank(text.back())) text.remove_suffix(1);
  return text;
}

using leat::detail::lowered;
/// Names of fields and most of their words have no case. `lower` is in lower case.
constexpr bool equalsLower(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (lowered(text[i]) != lower[i]) return false;
  return true;
}
/// The same for a token, and letters and '-' to compare it with, of whom one bit tells the case.
template <std::size_t n>
LEAT_ALWAYS_INLINE inline bool isName(std::string_view token, const char (&lower)[n]) noexcept {
  constexpr std::size_t size = n - 1;
  static_assert(size >= 4);
  if (token.size() != size) return false;
  const auto same = [&](std::size_t at, auto word) {
    constexpr auto bits = static_cast<decltype(word)>(0x2020202020202020);
    decltype(word) a;
    decltype(word) b;
    std::memcpy(&a, token.data() + at, sizeof a);
    std::memcpy(&b, lower + at, sizeof b);
    return (a | bits) == b;
  };
  if constexpr (size < 8) {
    return same(0, std::uint32_t()) && same(size - 4, std::uint32_t());
  } else {
    bool all = same(size - 8, std::uint64_t());
    for (std::size_t at = 0; at + 8 < size; at += 8) all = all && same(at, std::uint64_t());
    return all;
  }
}
constexpr bool equalsIgnoringCase(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lowered(a[i]) != lowered(b[i])) return false;
  return true;
}

/// Takes the first member off a list with commas (RFC 9110 section 5.6.1), without blanks around it. Members
/// may be empty. Quoted strings are not known here: for lists of tokens.
constexpr std::string_view takeMember(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  const std::string_view member = trimBlanks(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  return member;
}

}  // namespace leat::inline LEAT_ABI::http::detail
