// SPDX-License-Identifier: MIT
// What the functions of Buffer take: numbers that may be left out, names of encodings, and what is
// thrown, in Node's words, when they are wrong.
#pragma once

#include <leat/core/out_of_range.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace leat::inline LEAT_ABI {

/// How bytes stand for text. Node: the names of the same; "ucs2" is utf16le, "binary" is latin1.
enum class BufferEncoding : std::uint8_t { utf8, utf16le, latin1, ascii, base64, base64url, hex };

namespace detail {

/// A whole number of any integral type as an argument, with its sign; or, as `{}`, none, which is
/// Node's `undefined`. A floating-point number does not compile.
class Integer {
 public:
  constexpr Integer() noexcept = default;
  template <std::integral Number>
  constexpr Integer(Number number) noexcept
      : bits_(static_cast<std::uint64_t>(number)), given_(true) {
    if constexpr (std::is_signed_v<Number>) negative_ = number < 0;
  }

  constexpr bool given() const noexcept { return given_; }
  constexpr bool negative() const noexcept { return negative_; }
  /// Two's complement.
  constexpr std::uint64_t bits() const noexcept { return bits_; }
  constexpr bool zeroTo(std::uint64_t most) const noexcept { return !negative_ && bits_ <= most; }
  constexpr bool between(std::int64_t least, std::uint64_t most) const noexcept {
    return negative_ ? static_cast<std::int64_t>(bits_) >= least : bits_ <= most;
  }
  /// As a place in `size` bytes: from the end when negative, `missing` when none, cut to 0 and `size`.
  constexpr std::size_t place(std::size_t size, std::size_t missing) const noexcept {
    if (!given_) return missing;
    if (!negative_) return bits_ < size ? bits_ : size;
    const std::uint64_t back = 0 - bits_;
    return back < size ? size - back : 0;
  }

 private:
  std::uint64_t bits_ = 0;
  bool given_ = false;
  bool negative_ = false;
};

/// An encoding as an argument: a BufferEncoding, or one of Node's names for one, in any case.
class EncodingName {
 public:
  constexpr EncodingName(BufferEncoding encoding) noexcept : known_(true), encoding_(encoding) {}
  template <class Text>
    requires std::is_convertible_v<const Text&, std::string_view>
  constexpr EncodingName(const Text& name) noexcept : name_(name) {}

  /// Throws: TypeError ERR_UNKNOWN_ENCODING, also for "".
  BufferEncoding strict() const;
  /// The same, but "" is utf8.
  BufferEncoding value() const {
    return !known_ && name_.empty() ? BufferEncoding::utf8 : strict();
  }
  /// Whether there is such an encoding, which it then gives.
  bool find(BufferEncoding& found) const noexcept;
  /// The same, but "" leaves `found`.
  bool findOr(BufferEncoding& found) const noexcept { return absent() || find(found); }

 private:
  bool absent() const noexcept { return !known_ && name_.empty(); }

  std::string_view name_;
  bool known_ = false;
  BufferEncoding encoding_ = BufferEncoding::utf8;
};

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwOutOfRange(std::string_view name,
                                                                  const SharedText& range,
                                                                  Integer received,
                                                                  bool big = false) {
  throwOutOfRange(name, range.view(), IntegerText(received.bits(), received.negative(), big));
}

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwNotUpTo(std::string_view name,
                                                               std::size_t most, Integer received) {
  const Decimal limit(static_cast<long long>(most));
  throwOutOfRange(name, SharedText{">= 0 && <= ", limit}, received);
}

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwRange(std::string_view message,
                                                             std::string_view code) {
  throw RangeError(message, code);
}

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwUnknownEncoding(std::string_view name) {
  throw TypeError(SharedText{"Unknown encoding: ", name}.view(), "ERR_UNKNOWN_ENCODING");
}

/// `number` when it is none of more than `most`, or `missing` when there is none.
LEAT_INLINE std::size_t checkedUpTo(std::string_view name, Integer number, std::size_t most,
                                    std::size_t missing = 0);

#if LEAT_BODIES
LEAT_INLINE std::size_t checkedUpTo(std::string_view name, Integer number, std::size_t most,
                                    std::size_t missing) {
  if (!number.given()) return missing;
  if (!number.zeroTo(most)) [[unlikely]]
    throwNotUpTo(name, most, number);
  return number.bits();
}

LEAT_INLINE bool sameIgnoringCase(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

LEAT_INLINE bool EncodingName::find(BufferEncoding& found) const noexcept {
  using enum BufferEncoding;
  struct Known {
    std::string_view name;
    BufferEncoding encoding;
  };
  static constexpr Known all[] = {
      {"utf8", utf8},     {"hex", hex},      {"base64", base64},       {"latin1", latin1},
      {"ascii", ascii},   {"utf-8", utf8},   {"base64url", base64url}, {"utf16le", utf16le},
      {"binary", latin1}, {"ucs2", utf16le}, {"utf-16le", utf16le},    {"ucs-2", utf16le}};
  found = encoding_;
  if (known_) return true;
  for (const Known& known : all) {
    if (!sameIgnoringCase(name_, known.name)) continue;
    found = known.encoding;
    return true;
  }
  return false;
}

LEAT_INLINE BufferEncoding EncodingName::strict() const {
  BufferEncoding found;
  if (!find(found)) [[unlikely]]
    throwUnknownEncoding(name_);
  return found;
}
#endif

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
