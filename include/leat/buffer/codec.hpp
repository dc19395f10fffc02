// SPDX-License-Identifier: MIT
// Bytes to text and back, in each encoding, with Node's rules for what does not belong there.
#pragma once

#include <leat/buffer/arguments.hpp>
#include <leat/buffer/utf8.hpp>

#include <functional>

namespace leat::inline LEAT_ABI::detail {

inline constexpr char base64Alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr char base64UrlAlphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a character is worth; 255 when it is no digit.
struct DigitTable {
  std::uint8_t worth[256];
};
consteval DigitTable digitTable(bool base64) {
  DigitTable table{};
  for (std::uint8_t& worth : table.worth) worth = 255;
  const auto put = [&table](char digit, int worth) {
    table.worth[static_cast<unsigned char>(digit)] = static_cast<std::uint8_t>(worth);
  };
  if (base64) {
    for (int i = 0; i < 64; ++i) put(base64UrlAlphabet[i], i);
    for (int i = 62; i < 64; ++i) put(base64Alphabet[i], i);
  } else {
    for (int i = 0; i < 10; ++i) put(static_cast<char>('0' + i), i);
    for (int i = 10; i < 16; ++i) put(static_cast<char>('a' + i - 10), i);
    for (int i = 10; i < 16; ++i) put(static_cast<char>('A' + i - 10), i);
  }
  return table;
}
inline constexpr DigitTable hexDigits = digitTable(false);
inline constexpr DigitTable base64Digits = digitTable(true);

/// The two digits of each byte.
struct HexPairs {
  char pair[256][2];
};
consteval HexPairs hexPairTable() {
  HexPairs table{};
  for (int i = 0; i < 256; ++i) {
    table.pair[i][0] = "0123456789abcdef"[i >> 4];
    table.pair[i][1] = "0123456789abcdef"[i & 15];
  }
  return table;
}
inline constexpr HexPairs hexPairs = hexPairTable();

inline void writeHex(const std::uint8_t* bytes, std::size_t size, char* out) noexcept {
  for (std::size_t i = 0; i < size; ++i) std::memcpy(out + 2 * i, hexPairs.pair[bytes[i]], 2);
}

/// Until a pair is none.
LEAT_INLINE std::size_t readHex(std::string_view text, std::uint8_t* out,
                                std::size_t room) noexcept;
LEAT_INLINE std::size_t base64Length(std::size_t size, bool padded) noexcept;
LEAT_INLINE void writeBase64(const std::uint8_t* in, std::size_t size, char* out,
                             bool padded) noexcept;
/// Takes both alphabets, skips what is in neither, ends at the first '='.
LEAT_INLINE std::size_t readBase64(std::string_view text, std::uint8_t* out,
                                   std::size_t room) noexcept;
/// Whole units only.
LEAT_INLINE std::size_t readUtf16(std::string_view text, std::uint8_t* out,
                                  std::size_t room) noexcept;
/// Writes the bytes that the text stands for, at most `room`; how many that were.
LEAT_INLINE std::size_t readText(BufferEncoding encoding, std::string_view text, std::uint8_t* out,
                                 std::size_t room);
LEAT_INLINE std::string textOfUtf16(const std::uint8_t* bytes, std::size_t size);
/// The text that the bytes stand for; always UTF-8.
LEAT_INLINE std::string textOf(BufferEncoding encoding, const std::uint8_t* bytes,
                               std::size_t size);

#if LEAT_BODIES
/// What a digit of base64 is worth in each place of a group of four; with a high bit when it is none.
struct Base64Places {
  std::uint32_t worth[4][256];
};
consteval Base64Places base64PlaceTable() {
  Base64Places table{};
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned place = 0; place < 4; ++place)
      table.worth[place][i] = base64Digits.worth[i] > 63
                                  ? 1u << 31
                                  : std::uint32_t{base64Digits.worth[i]} << (18 - 6 * place);
  return table;
}
inline constexpr Base64Places base64Places = base64PlaceTable();

LEAT_INLINE std::size_t readHex(std::string_view text, std::uint8_t* out,
                                std::size_t room) noexcept {
  const std::uint8_t* const in = octets(text);
  const std::size_t most = text.size() / 2 < room ? text.size() / 2 : room;
  for (std::size_t i = 0; i < most; ++i) {
    const unsigned high = hexDigits.worth[in[2 * i]];
    const unsigned low = hexDigits.worth[in[2 * i + 1]];
    if ((high | low) > 15) return i;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return most;
}

LEAT_INLINE std::size_t base64Length(std::size_t size, bool padded) noexcept {
  const std::size_t rest = size % 3;
  if (rest == 0) return size / 3 * 4;
  return size / 3 * 4 + (padded ? 4 : rest + 1);
}

LEAT_INLINE void writeBase64(const std::uint8_t* in, std::size_t size, char* out,
                             bool padded) noexcept {
  const char* const digits = padded ? base64Alphabet : base64UrlAlphabet;
  const auto put = [&](std::uint32_t triple, int count) {
    for (int i = 0; i < count; ++i) *out++ = digits[triple >> (18 - 6 * i) & 63];
  };
  for (; size >= 3; size -= 3, in += 3) {
    const std::uint32_t triple = std::uint32_t{in[0]} << 16 | std::uint32_t{in[1]} << 8 | in[2];
    out[0] = digits[triple >> 18];
    out[1] = digits[triple >> 12 & 63];
    out[2] = digits[triple >> 6 & 63];
    out[3] = digits[triple & 63];
    out += 4;
  }
  if (size == 0) return;
  const std::uint32_t second = size == 2 ? in[1] : 0;
  put(std::uint32_t{in[0]} << 16 | second << 8, static_cast<int>(size) + 1);
  if (padded) std::memset(out, '=', 3 - size);
}

LEAT_INLINE std::size_t readBase64(std::string_view text, std::uint8_t* out,
                                   std::size_t room) noexcept {
  const std::uint8_t* in = octets(text);
  const std::uint8_t* const end = in + text.size();
  const std::uint8_t* const worth = base64Digits.worth;
  std::uint8_t* const begin = out;
  std::uint8_t* const full = out + room;
  for (;;) {
    for (; end - in >= 4 && full - out >= 3; in += 4, out += 3) {
      const auto& place = base64Places.worth;
      const std::uint32_t bits =
          place[0][in[0]] | place[1][in[1]] | place[2][in[2]] | place[3][in[3]];
      if (bits >> 31 != 0) break;
      out[0] = static_cast<std::uint8_t>(bits >> 16);
      out[1] = static_cast<std::uint8_t>(bits >> 8);
      out[2] = static_cast<std::uint8_t>(bits);
    }
    // One group with strangers in it, or at the end of either side.
    unsigned bits = 0;
    for (int digits = 0; digits < 4; ++in) {
      if (in == end || *in == '=') return static_cast<std::size_t>(out - begin);
      if (worth[*in] > 63) continue;
      bits = bits << 6 | worth[*in];
      if (digits++ == 0) continue;
      if (out == full) return room;
      *out++ = static_cast<std::uint8_t>(bits >> (8 - 2 * digits));
    }
  }
}

/// The text with the low byte of each of its units, which is how Node looks for digits in it; `kept`
/// holds it when it has to be made.
LEAT_INLINE std::string_view lowBytes(std::string_view text, std::string& kept) {
  if (asciiPrefix(octets(text), text.size()) == text.size()) return text;
  kept.reserve(text.size());
  Utf16Reader units(text);
  for (std::uint16_t unit; units.next(unit);) kept.push_back(static_cast<char>(unit & 255));
  return kept;
}

LEAT_INLINE std::size_t readLatin1(std::string_view text, std::uint8_t* out,
                                   std::size_t room) noexcept {
  const std::uint8_t* const in = octets(text);
  std::size_t at = 0, done = 0;
  // Characters up to U+00FF, without a branch on their length.
  for (; done < room && at + 2 <= text.size(); ++done) {
    const unsigned first = in[at], second = in[at + 1];
    const unsigned high = first >> 7;
    if (high != unsigned{(first & 0xfe) == 0xc2} || (high & (second >> 6 ^ 2)) != 0) break;
    const unsigned both = first << 6 | (second & 0x3f);
    out[done] = static_cast<std::uint8_t>(high != 0 ? both : first);
    at += 1 + high;
  }
  Utf16Reader rest(text.substr(at));
  for (std::uint16_t unit; done < room && rest.next(unit); ++done)
    out[done] = static_cast<std::uint8_t>(unit);
  return done;
}

LEAT_INLINE std::size_t readUtf16(std::string_view text, std::uint8_t* out,
                                  std::size_t room) noexcept {
  const std::size_t most = text.size() < room / 2 ? text.size() : room / 2;
  std::size_t at = asciiPrefix(octets(text), most);
  for (std::size_t i = 0; i < at; ++i) {
    out[2 * i] = octets(text)[i];
    out[2 * i + 1] = 0;
  }
  Utf16Reader rest(text.substr(at));
  at *= 2;
  for (std::uint16_t unit; at + 2 <= room && rest.next(unit); at += 2) {
    out[at] = static_cast<std::uint8_t>(unit);
    out[at + 1] = static_cast<std::uint8_t>(unit >> 8);
  }
  return at;
}

/// As many bytes of the text as fit without a part of a character.
LEAT_INLINE std::size_t fittingUtf8(std::string_view text, std::size_t room) noexcept {
  if (text.size() <= room) return text.size();
  const std::uint8_t* const bytes = octets(text);
  for (std::size_t back = 1; back < 4 && back <= room; ++back) {
    if ((bytes[room - back] & 0xc0) == 0x80) continue;
    if (bytes[room - back] < 0x80) return room;
    const Utf8Step step = utf8Step(bytes + room - back, text.size() - (room - back));
    return step.valid && step.length > back ? room - back : room;
  }
  return room;
}

/// How many bytes the text needs: for hex and base64 as many as it would need without errors.
LEAT_INLINE std::size_t bytesFor(BufferEncoding encoding, std::string_view text) noexcept {
  switch (encoding) {
    case BufferEncoding::utf8:
      return text.size();
    case BufferEncoding::utf16le:
      return 2 * utf16Length(text);
    case BufferEncoding::latin1:
    case BufferEncoding::ascii:
      return utf16Length(text);
    case BufferEncoding::hex:
      return utf16Length(text) / 2;
    case BufferEncoding::base64:
    case BufferEncoding::base64url:
      break;
  }
  std::size_t digits = utf16Length(text);
  if (digits > 0 && text.back() == '=') {
    --digits;
    text.remove_suffix(1);
  }
  if (digits > 1 && text.back() == '=') --digits;
  return digits / 4 * 3 + digits % 4 * 3 / 4;
}

LEAT_INLINE std::size_t readText(BufferEncoding encoding, std::string_view text, std::uint8_t* out,
                                 std::size_t room) {
  if (room == 0 || text.empty()) return 0;
  std::string kept;
  const auto* source = reinterpret_cast<const std::uint8_t*>(text.data());
  if (std::less<>()(source, out + room) && std::less<>()(out, source + text.size())) {
    const std::string apart(text);  // a view of the bytes that are written
    return readText(encoding, apart, out, room);
  }
  switch (encoding) {
    case BufferEncoding::utf8: {
      const std::size_t size = fittingUtf8(text, room);
      std::memcpy(out, text.data(), size);
      return size;
    }
    case BufferEncoding::utf16le:
      return readUtf16(text, out, room);
    case BufferEncoding::latin1:
    case BufferEncoding::ascii:
      return readLatin1(text, out, room);
    case BufferEncoding::hex:
      return readHex(lowBytes(text, kept), out, room);
    case BufferEncoding::base64:
    case BufferEncoding::base64url:
      return readBase64(lowBytes(text, kept), out, room);
  }
  return 0;
}

LEAT_INLINE std::string textOfUtf16(const std::uint8_t* bytes, std::size_t size) {
  std::string text(size / 2 * 3, '\0');
  char* out = text.data();
  const auto unitAt = [bytes](std::size_t at) {
    return std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8;
  };
  for (std::size_t at = 0; at + 2 <= size; at += 2) {
    std::uint32_t point = unitAt(at);
    if (isHighSurrogate(point) && at + 4 <= size && isLowSurrogate(unitAt(at + 2))) {
      point = 0x10000 + ((point & 0x3ff) << 10 | (unitAt(at + 2) & 0x3ff));
      at += 2;
    } else if (isHighSurrogate(point) || isLowSurrogate(point)) {
      point = 0xfffd;
    }
    out = writePoint(out, point);
  }
  text.resize(static_cast<std::size_t>(out - text.data()));
  return text;
}

LEAT_INLINE std::string textOfLatin1(const std::uint8_t* bytes, std::size_t size) {
  std::size_t high = 0;
  for (std::size_t i = 0; i < size; ++i) high += bytes[i] >> 7;
  std::string text(reinterpret_cast<const char*>(bytes), size);
  if (high == 0) return text;
  text.resize(size + high);
  char* out = text.data();
  // Two bytes each time, of which the second may be written over: no branch on the length.
  for (std::size_t i = 0; i + 1 < size; ++i) {
    const unsigned byte = bytes[i];
    out[0] = static_cast<char>(byte < 0x80 ? byte : 0xc0 | byte >> 6);
    out[1] = static_cast<char>(0x80 | (byte & 0x3f));
    out += 1 + (byte >> 7);
  }
  writePoint(out, bytes[size - 1]);
  return text;
}

LEAT_INLINE std::string textOf(BufferEncoding encoding, const std::uint8_t* bytes,
                               std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(bytes), size);
  std::string text;
  switch (encoding) {
    case BufferEncoding::utf8:
      return wellFormed(raw);
    case BufferEncoding::utf16le:
      return textOfUtf16(bytes, size);
    case BufferEncoding::latin1:
      return textOfLatin1(bytes, size);
    case BufferEncoding::ascii:
      text = raw;
      for (char& c : text) c &= 0x7f;
      return text;
    case BufferEncoding::hex:
      text.resize(2 * size);
      writeHex(bytes, size, text.data());
      return text;
    case BufferEncoding::base64:
    case BufferEncoding::base64url:
      break;
  }
  const bool padded = encoding == BufferEncoding::base64;
  text.resize(base64Length(size, padded));
  writeBase64(bytes, size, text.data(), padded);
  return text;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
