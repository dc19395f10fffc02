// SPDX-License-Identifier: MIT
// Looking for bytes in a Buffer, comparing parts, filling and turning bytes round.
#pragma once

#include <leat/buffer/encoding.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A text as `util.inspect` shows it.
LEAT_INLINE std::string quoted(std::string_view text);

#if LEAT_BODIES
/// Where a search for `needle` bytes begins in `size`, by Node's rules; -1 when it can find nothing.
LEAT_INLINE std::ptrdiff_t searchFrom(Integer offset, std::size_t size, std::size_t needle,
                                      bool forward) noexcept {
  const auto whole = static_cast<std::ptrdiff_t>(size);
  if (!offset.given()) offset = forward ? 0 : whole;
  if (offset.negative()) {
    const std::uint64_t back = 0 - offset.bits();
    if (back <= size) return whole - static_cast<std::ptrdiff_t>(back);
    return forward || needle == 0 ? 0 : -1;
  }
  if (offset.bits() <= size && needle <= size - offset.bits())
    return static_cast<std::ptrdiff_t>(offset.bits());
  if (needle == 0) return whole;
  return forward ? -1 : whole - 1;
}

/// The first place of `needle` in `hay` from `from` on, or SIZE_MAX; with `step` 2 an even one.
LEAT_INLINE std::size_t findFirst(std::string_view hay, std::string_view needle, std::size_t from,
                                  std::size_t step) noexcept {
  while (from <= hay.size() && needle.size() <= hay.size() - from) {
    const void* found =
        ::memmem(hay.data() + from, hay.size() - from, needle.data(), needle.size());
    if (found == nullptr) return SIZE_MAX;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - hay.data());
    if (at % step == 0) return at;
    from = at + 1;
  }
  return SIZE_MAX;
}

/// The last place that is not behind `from`.
LEAT_INLINE std::size_t findLast(std::string_view hay, std::string_view needle, std::size_t from,
                                 std::size_t step) noexcept {
  if (needle.size() > hay.size()) return SIZE_MAX;
  const std::size_t last = hay.size() - needle.size();
  std::size_t room = (from < last ? from : last) + 1;
  while (room > 0) {
    const void* found = ::memrchr(hay.data(), needle[0], room);
    if (found == nullptr) return SIZE_MAX;
    room = static_cast<std::size_t>(static_cast<const char*>(found) - hay.data());
    if (room % step == 0 && std::memcmp(found, needle.data(), needle.size()) == 0) return room;
  }
  return SIZE_MAX;
}

LEAT_INLINE std::string quoted(std::string_view text) {
  const auto has = [text](char c) { return text.find(c) != std::string_view::npos; };
  const char quote = !has('\'') ? '\'' : !has('"') ? '"' : !has('`') && !has('$') ? '`' : '\'';
  std::string out(1, quote);
  const auto escape = [&out](unsigned byte) {
    constexpr std::string_view letters = "btn\vfr";
    out += '\\';
    if (byte >= 8 && byte <= 13 && byte != 11) {
      out += letters[byte - 8];
    } else {
      const char* digits = hexPairs.pair[byte];
      out.append({'x', digits[0], digits[1] < 'a' ? digits[1] : static_cast<char>(digits[1] - 32)});
    }
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = octets(text)[i];
    if (byte == 0xc2 && i + 1 < text.size() && octets(text)[i + 1] < 0xa0) {
      escape(octets(text)[++i]);
    } else if (byte < 32 || byte == 127) {
      escape(byte);
    } else {
      if (text[i] == quote || text[i] == '\\') out += '\\';
      out += text[i];
    }
  }
  return out + quote;
}
#endif

[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwNothingToFill(std::string shown) {
  if (utf16Length(shown) > 128) {
    std::uint8_t units[256];
    shown = textOfUtf16(units, readUtf16(shown, units, sizeof units)) + "...";
  }
  throw TypeError(SharedText{"The argument 'value' is invalid. Received ", shown}.view(),
                  "ERR_INVALID_ARG_VALUE");
}

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE int Buffer::compare(const Buffer& target, Integer targetStart, Integer targetEnd,
                                Integer sourceStart, Integer sourceEnd) const {
  const std::size_t first = detail::checkedUpTo("targetStart", targetStart, maxSize);
  const std::size_t last = detail::checkedUpTo("targetEnd", targetEnd, target.size_, target.size_);
  const std::size_t mine = detail::checkedUpTo("sourceStart", sourceStart, maxSize);
  const std::size_t mineEnd = detail::checkedUpTo("sourceEnd", sourceEnd, size_, size_);
  if (mine >= mineEnd) return first >= last ? 0 : -1;
  if (first >= last) return 1;
  const int order =
      view().substr(mine, mineEnd - mine).compare(target.view().substr(first, last - first));
  return (order > 0) - (order < 0);
}

LEAT_INLINE std::ptrdiff_t Buffer::find(std::string_view value, Integer offset, bool forward,
                                        bool units) const noexcept {
  const std::ptrdiff_t from = detail::searchFrom(offset, size_, value.size(), forward);
  if (value.empty() || from < 0 || size_ == 0) return value.empty() ? from : -1;
  std::string_view hay = view();
  auto start = static_cast<std::size_t>(from);
  if (forward && value.size() > size_ - start) return -1;
  if (units) {  // in steps of a unit, half a one at the end being none
    hay = hay.substr(0, size_ & ~std::size_t{1});
    value = value.substr(0, value.size() & ~std::size_t{1});
    start &= ~std::size_t{1};
    if (value.empty()) return -1;
  }
  const std::size_t step = units ? 2 : 1;
  const std::size_t at = forward ? detail::findFirst(hay, value, start, step)
                                 : detail::findLast(hay, value, start, step);
  return static_cast<std::ptrdiff_t>(at);
}

LEAT_INLINE std::ptrdiff_t Buffer::indexOf(int value, Integer offset) const noexcept {
  const char byte = static_cast<char>(value);
  return find({&byte, 1}, offset, true, false);
}

LEAT_INLINE std::ptrdiff_t Buffer::indexOf(std::string_view value, Integer offset,
                                           EncodingName encoding) const {
  const BufferEncoding known = encoding.strict();
  if (known == BufferEncoding::utf8) return find(value, offset, true, false);
  const bool units = known == BufferEncoding::utf16le;
  return cut(*this, 0, size_ - (units ? size_ % 2 : 0)).indexOf(from(value, known), offset, known);
}

LEAT_INLINE std::ptrdiff_t Buffer::indexOf(std::string_view value, EncodingName encoding) const {
  return indexOf(value, {}, encoding);
}

LEAT_INLINE std::ptrdiff_t Buffer::indexOf(const Buffer& value, Integer offset,
                                           EncodingName encoding) const {
  return find(value.view(), offset, true, encoding.strict() == BufferEncoding::utf16le);
}

LEAT_INLINE std::ptrdiff_t Buffer::lastIndexOf(int value, Integer offset) const noexcept {
  const char byte = static_cast<char>(value);
  return find({&byte, 1}, offset, false, false);
}

LEAT_INLINE std::ptrdiff_t Buffer::lastIndexOf(std::string_view value, Integer offset,
                                               EncodingName encoding) const {
  const BufferEncoding known = encoding.strict();
  if (known == BufferEncoding::utf8) return find(value, offset, false, false);
  const bool units = known == BufferEncoding::utf16le;
  return cut(*this, 0, size_ - (units ? size_ % 2 : 0))
      .lastIndexOf(from(value, known), offset, known);
}

LEAT_INLINE std::ptrdiff_t Buffer::lastIndexOf(std::string_view value,
                                               EncodingName encoding) const {
  return lastIndexOf(value, {}, encoding);
}

LEAT_INLINE std::ptrdiff_t Buffer::lastIndexOf(const Buffer& value, Integer offset,
                                               EncodingName encoding) const {
  return find(value.view(), offset, false, encoding.strict() == BufferEncoding::utf16le);
}

LEAT_INLINE Buffer Buffer::fill(int value, Integer offset, Integer end) const {
  const std::size_t first = detail::checkedUpTo("offset", offset, maxSize);
  const std::size_t last = detail::checkedUpTo("end", end, size_, size_);
  if (first < last) std::memset(data_ + first, value & 255, last - first);
  return *this;
}

/// Repeats the first `have` bytes behind `offset` up to `end`.
LEAT_INLINE void Buffer::fillWith(std::size_t have, std::size_t offset,
                                  std::size_t end) const noexcept {
  std::byte* const from = data_ + offset;
  for (const std::size_t whole = end - offset; have < whole;) {
    const std::size_t more = have < whole - have ? have : whole - have;
    std::memcpy(from + have, from, more);
    have += more;
  }
}

LEAT_INLINE Buffer Buffer::fill(std::string_view value, Integer offset, Integer end,
                                EncodingName encoding) const {
  const BufferEncoding known = encoding.value();
  if (value.empty()) return fill(0, offset, end);
  const std::size_t first = detail::checkedUpTo("offset", offset, maxSize);
  const std::size_t last = detail::checkedUpTo("end", end, size_, size_);
  if (first >= last) return *this;
  std::size_t have = last - first;
  if (known == BufferEncoding::utf8) {  // parts of characters too
    have = value.size() < have ? value.size() : have;
    std::memmove(data_ + first, value.data(), have);
  } else if (known == BufferEncoding::utf16le) {
    const Buffer bytes = from(value, known);
    have = bytes.copy(this->bytes().subspan(first, have));
  } else {
    have = detail::readText(known, value, begin() + first, have);
  }
  if (have == 0) detail::throwNothingToFill(detail::quoted(value));
  fillWith(have, first, last);
  return *this;
}

LEAT_INLINE Buffer Buffer::fill(std::string_view value, Integer offset,
                                EncodingName encoding) const {
  return fill(value, offset, {}, encoding);
}

LEAT_INLINE Buffer Buffer::fill(std::string_view value, EncodingName encoding) const {
  return fill(value, {}, {}, encoding);
}

LEAT_INLINE Buffer Buffer::fill(const Buffer& value, Integer offset, Integer end) const {
  const std::size_t first = detail::checkedUpTo("offset", offset, maxSize);
  const std::size_t last = detail::checkedUpTo("end", end, size_, size_);
  if (first >= last) return *this;
  if (value.empty()) detail::throwNothingToFill(value.inspect());
  fillWith(value.copy(bytes().subspan(first, last - first)), first, last);
  return *this;
}
#endif

namespace detail {

template <class Word>
void swapWords(std::byte* bytes, std::size_t size, Word (*swapped)(Word) noexcept,
               std::string_view bits) {
  if (size % sizeof(Word) != 0) [[unlikely]]
    throwRange(SharedText{"Buffer size must be a multiple of ", bits}.view(),
               "ERR_INVALID_BUFFER_SIZE");
  for (std::byte* const end = bytes + size; bytes != end; bytes += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes, sizeof word);
    word = swapped(word);
    std::memcpy(bytes, &word, sizeof word);
  }
}

inline std::uint16_t swapped16(std::uint16_t word) noexcept { return __builtin_bswap16(word); }
inline std::uint32_t swapped32(std::uint32_t word) noexcept { return __builtin_bswap32(word); }
inline std::uint64_t swapped64(std::uint64_t word) noexcept { return __builtin_bswap64(word); }

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE Buffer Buffer::swap16() const {
  detail::swapWords(data_, size_, detail::swapped16, "16-bits");
  return *this;
}

LEAT_INLINE Buffer Buffer::swap32() const {
  detail::swapWords(data_, size_, detail::swapped32, "32-bits");
  return *this;
}

LEAT_INLINE Buffer Buffer::swap64() const {
  detail::swapWords(data_, size_, detail::swapped64, "64-bits");
  return *this;
}
#endif

}  // namespace leat::inline LEAT_ABI
