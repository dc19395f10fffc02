// SPDX-License-Identifier: MIT
// Hex and base64 as Transforms of bytes, whatever the pieces they come in.
#pragma once

#include <leat/buffer/codec.hpp>
#include <leat/stream/transform.hpp>

#include <string>

namespace leat::inline LEAT_ABI {

namespace detail {

struct HexEncode {
  Buffer transform(const Buffer& bytes) const {
    Buffer text = Buffer::allocUnsafe(2 * bytes.size());
    writeHex(bytes.begin(), bytes.size(), reinterpret_cast<char*>(text.data()));
    return text;
  }
};

class HexDecode {
 public:
  Buffer transform(const Buffer& chunk) {
    std::string_view text = chunk.view();
    if (ended_ || text.empty()) return {};
    Buffer bytes = Buffer::allocUnsafe((text.size() + 1) / 2);
    std::size_t size = 0;
    if (half_) {
      const char pair[] = {*half_, text[0]};
      text.remove_prefix(1);
      half_.reset();
      size = decode({pair, 2}, bytes.begin(), 1);
    }
    if (!ended_) size += decode(text, bytes.begin() + size, text.size() / 2);
    if (!ended_ && text.size() % 2 != 0) half_ = text.back();
    return std::move(bytes).subarray(0, size);
  }

 private:
  std::size_t decode(std::string_view text, std::uint8_t* out, std::size_t pairs) noexcept {
    const std::size_t size = readHex(text, out, pairs);
    ended_ = size < pairs;
    return size;
  }
  std::optional<char> half_;
  bool ended_ = false;
};

class Base64Encode {
 public:
  explicit Base64Encode(bool url) noexcept : url_(url) {}
  Buffer transform(const Buffer& chunk) {
    const std::size_t all = kept_ + chunk.size();
    std::size_t at = 0;
    if (all < 3) {
      for (; at < chunk.size(); ++at) bytes_[kept_++] = chunk[at];
      return {};
    }
    Buffer text = Buffer::allocUnsafe(all / 3 * 4);
    auto* out = reinterpret_cast<char*>(text.data());
    if (kept_ > 0) {
      while (kept_ < 3) bytes_[kept_++] = chunk[at++];
      writeBase64(bytes_, 3, out, !url_);
      out += 4;
    }
    kept_ = all % 3;
    const std::size_t end = chunk.size() - kept_;
    writeBase64(chunk.begin() + at, end - at, out, !url_);
    for (std::size_t i = 0; i < kept_; ++i) bytes_[i] = chunk[end + i];
    return text;
  }
  Buffer flush() const {
    Buffer text = Buffer::allocUnsafe(base64Length(kept_, !url_));
    if (kept_ > 0) writeBase64(bytes_, kept_, reinterpret_cast<char*>(text.data()), !url_);
    return text;
  }

 private:
  const bool url_;
  std::size_t kept_ = 0;
  std::uint8_t bytes_[3] = {};
};

class Base64Decode {
 public:
  Buffer transform(const Buffer& chunk) {
    if (ended_) return {};
    std::string_view text = chunk.view();
    if (const std::size_t end = text.find('='); end != text.npos) {
      ended_ = true;
      text = text.substr(0, end);
    }
    // The digits alone.
    digits_.resize(kept_ + text.size());
    char* out = digits_.data() + kept_;
    for (const char c : text) {
      *out = c;
      out += base64Digits.worth[static_cast<unsigned char>(c)] < 64;
    }
    const auto count = static_cast<std::size_t>(out - digits_.data());
    // At the end the rest too, of which one digit alone is nothing.
    const std::size_t whole = ended_ ? count : count / 4 * 4;
    Buffer bytes = decode(whole);
    kept_ = count - whole;
    if (kept_ > 0) std::memmove(digits_.data(), digits_.data() + whole, kept_);
    return bytes;
  }
  Buffer flush() { return decode(kept_); }

 private:
  Buffer decode(std::size_t count) const {
    Buffer bytes = Buffer::allocUnsafe(count * 3 / 4);
    readBase64({digits_.data(), count}, bytes.begin(), bytes.size());
    return bytes;
  }
  std::string digits_;
  std::size_t kept_ = 0;  // at the beginning of digits_
  bool ended_ = false;
};

}  // namespace detail

/// Bytes to hex digits. Node: `buffer.toString('hex')` of all of them.
class HexEncoder : public Transform<> {
 public:
  explicit HexEncoder(const DuplexOptions& options = {})
      : Transform(detail::HexEncode(), options) {}
};

/// Hex digits to bytes. As in Node, what follows the first pair that is none is left out, without an
/// error, and so is a last digit alone. Node: `Buffer.from(text, 'hex')`.
class HexDecoder : public Transform<> {
 public:
  explicit HexDecoder(const DuplexOptions& options = {})
      : Transform(detail::HexDecode(), options) {}
};

/// Bytes to base64, with "=" at the end as needed and without line breaks. Node:
/// `buffer.toString('base64')` of all of them.
class Base64Encoder : public Transform<> {
 public:
  explicit Base64Encoder(const DuplexOptions& options = {})
      : Transform(detail::Base64Encode(false), options) {}
};

/// The same with "-" and "_" for "+" and "/", without "=". Node: `buffer.toString('base64url')`.
class Base64UrlEncoder : public Transform<> {
 public:
  explicit Base64UrlEncoder(const DuplexOptions& options = {})
      : Transform(detail::Base64Encode(true), options) {}
};

/// Base64 and base64url to bytes. As in Node, what is in neither alphabet is skipped, as are line breaks,
/// and the first "=" ends it. Node: `Buffer.from(text, 'base64')`.
class Base64Decoder : public Transform<> {
 public:
  explicit Base64Decoder(const DuplexOptions& options = {})
      : Transform(detail::Base64Decode(), options) {}
};

}  // namespace leat::inline LEAT_ABI
