// SPDX-License-Identifier: MIT
// StringDecoder: text out of pieces of bytes, whose characters may be cut anywhere.
#pragma once

#include <leat/buffer/encoding.hpp>

namespace leat::inline LEAT_ABI {

/// Keeps the bytes of a character, or the rest of a group of base64, until the others come.
///
/// Node: `StringDecoder`. In utf16le half of a surrogate pair is kept too; Node gives it out when it came
/// in odd pieces, which a UTF-8 text cannot hold.
class StringDecoder {
 public:
  /// Throws: TypeError ERR_UNKNOWN_ENCODING.
  explicit StringDecoder(detail::EncodingName encoding = "utf8") : encoding_(encoding.value()) {}

  /// The text of the bytes that came so far and were not given yet.
  std::string write(std::span<const std::byte> bytes);
  std::string write(const Buffer& bytes);
  /// The same, and then the text of what is kept, which has an end now. Ready for other bytes.
  std::string end();
  std::string end(const Buffer& bytes);
  /// utf8, utf16le, base64, base64url, latin1, ascii or hex.
  std::string_view encoding() const noexcept;
  /// How many bytes the character lacks that has begun, and how many it has in all; 0 when none has.
  std::size_t lastNeed() const noexcept { return missing_; }
  std::size_t lastTotal() const noexcept { return std::size_t{kept_} + missing_; }

 private:
  std::string text(std::string_view bytes) const;
  std::string_view completed(std::string_view bytes, std::string& out);
  void keepUtf8(std::string_view bytes) noexcept;
  void keepUtf16(std::string_view bytes) noexcept;
  void keep(std::string_view bytes) noexcept;

  const BufferEncoding encoding_;
  std::uint8_t kept_ = 0;     // bytes in bytes_
  std::uint8_t missing_ = 0;  // bytes that the character lacks
  char bytes_[4] = {};
};

#if LEAT_BODIES
LEAT_INLINE std::string_view StringDecoder::encoding() const noexcept {
  switch (encoding_) {
    case BufferEncoding::utf8:
      return "utf8";
    case BufferEncoding::utf16le:
      return "utf16le";
    case BufferEncoding::latin1:
      return "latin1";
    case BufferEncoding::ascii:
      return "ascii";
    case BufferEncoding::base64:
      return "base64";
    case BufferEncoding::base64url:
      return "base64url";
    case BufferEncoding::hex:
      break;
  }
  return "hex";
}

LEAT_INLINE std::string StringDecoder::text(std::string_view bytes) const {
  return detail::textOf(encoding_, detail::octets(bytes), bytes.size());
}

/// Feeds the character that has begun; what is left of `bytes`.
LEAT_INLINE std::string_view StringDecoder::completed(std::string_view bytes, std::string& out) {
  while (missing_ > 0 && !bytes.empty()) {
    if (encoding_ == BufferEncoding::utf8 && (bytes[0] & 0xc0) != 0x80) {
      missing_ = 0;  // cut off by a byte that goes on with nothing
      break;
    }
    bytes_[kept_++] = bytes[0];
    bytes.remove_prefix(1);
    --missing_;
  }
  if (missing_ > 0) return bytes;
  out = text({bytes_, kept_});
  kept_ = 0;
  return bytes;
}

/// Keeps the character at the end of `bytes` that is not whole.
LEAT_INLINE void StringDecoder::keepUtf8(std::string_view bytes) noexcept {
  for (std::size_t back = 1; back < 4 && back <= bytes.size(); ++back) {
    const unsigned byte = static_cast<std::uint8_t>(bytes[bytes.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const unsigned length = (byte & 0xe0) == 0xc0   ? 2
                            : (byte & 0xf0) == 0xe0 ? 3
                            : (byte & 0xf8) == 0xf0 ? 4
                                                    : 0;
    if (back >= length) return;
    kept_ = static_cast<std::uint8_t>(back);
    missing_ = static_cast<std::uint8_t>(length - back);
    return;
  }
}

LEAT_INLINE void StringDecoder::keepUtf16(std::string_view bytes) noexcept {
  const std::size_t odd = bytes.size() % 2;
  const std::size_t whole = bytes.size() - odd;
  const bool high = whole >= 2 && (static_cast<std::uint8_t>(bytes[whole - 1]) & 0xfc) == 0xd8;
  kept_ = static_cast<std::uint8_t>(odd + (high ? 2 : 0));
  missing_ = kept_ == 0 ? 0 : static_cast<std::uint8_t>(odd != 0 ? 1 : 2);
}

LEAT_INLINE void StringDecoder::keep(std::string_view bytes) noexcept {
  switch (encoding_) {
    case BufferEncoding::utf8:
      return keepUtf8(bytes);
    case BufferEncoding::utf16le:
      return keepUtf16(bytes);
    case BufferEncoding::base64:
    case BufferEncoding::base64url:
      break;
    default:
      return;
  }
  kept_ = static_cast<std::uint8_t>(bytes.size() % 3);
  missing_ = kept_ == 0 ? 0 : static_cast<std::uint8_t>(3 - kept_);
}

LEAT_INLINE std::string StringDecoder::write(std::span<const std::byte> bytes) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string out, joined;
  if (kept_ > 0 && encoding_ == BufferEncoding::utf16le) {
    joined.assign(bytes_, kept_).append(rest);
    rest = joined;
    kept_ = missing_ = 0;
  } else if (kept_ > 0) {
    rest = completed(rest, out);
  }
  if (rest.empty()) return out;
  keep(rest);
  std::memcpy(bytes_, rest.data() + rest.size() - kept_, kept_);
  rest.remove_suffix(kept_);
  if (out.empty()) return text(rest);
  return out += text(rest);
}

LEAT_INLINE std::string StringDecoder::write(const Buffer& bytes) {
  return write(std::span<const std::byte>(bytes.data(), bytes.size()));
}

LEAT_INLINE std::string StringDecoder::end() {
  std::string out = text({bytes_, kept_});
  kept_ = missing_ = 0;
  return out;
}

LEAT_INLINE std::string StringDecoder::end(const Buffer& bytes) {
  std::string out = write(bytes);
  return out += end();
}
#endif

}  // namespace leat::inline LEAT_ABI
