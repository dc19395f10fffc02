// SPDX-License-Identifier: MIT
// Text in and out of a Buffer, in each of Node's encodings; and for a person: inspect, toJSON.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/buffer/codec.hpp>

namespace leat::inline LEAT_ABI {

#if LEAT_BODIES
LEAT_INLINE bool Buffer::isEncoding(std::string_view name) noexcept {
  BufferEncoding found;
  return EncodingName(name).find(found);
}

LEAT_INLINE std::size_t Buffer::byteLength(std::string_view text, EncodingName encoding) noexcept {
  BufferEncoding found;
  return detail::bytesFor(encoding.find(found) ? found : BufferEncoding::utf8, text);
}

LEAT_INLINE Buffer Buffer::from(std::string_view text, EncodingName encoding) {
  const BufferEncoding known = encoding.value();
  if (known == BufferEncoding::utf8) return from(text);
  Buffer buffer = allocUnsafe(detail::bytesFor(known, text));
  buffer.size_ = detail::readText(known, text, buffer.begin(), buffer.size_);
  if (buffer.size_ == 0) return {};
  return buffer;
}

LEAT_INLINE std::string Buffer::toString(EncodingName encoding, Integer start, Integer end) const {
  // Unlike those of subarray, negative positions are zero.
  const std::size_t first = start.negative() ? 0 : start.place(size_, 0);
  const std::size_t last = end.negative() ? 0 : end.place(size_, size_);
  if (first >= last) return {};
  return detail::textOf(encoding.strict(), begin() + first, last - first);
}

LEAT_INLINE std::size_t Buffer::write(std::string_view text, Integer offset, Integer length,
                                      EncodingName encoding) const {
  const std::size_t first = detail::checkedUpTo("offset", offset, size_);
  const std::size_t most = detail::checkedUpTo("length", length, size_, size_ - first);
  const std::size_t room = most < size_ - first ? most : size_ - first;
  return detail::readText(encoding.value(), text, begin() + first, room);
}

LEAT_INLINE std::size_t Buffer::write(std::string_view text, Integer offset,
                                      EncodingName encoding) const {
  return write(text, offset, {}, encoding);
}

LEAT_INLINE std::size_t Buffer::write(std::string_view text, EncodingName encoding) const {
  return write(text, 0, {}, encoding);
}

LEAT_INLINE std::string Buffer::inspect(std::size_t most) const {
  const std::size_t shown = size_ < most ? size_ : most;
  std::string text = "<Buffer ";
  for (std::size_t i = 0; i < shown; ++i) {
    if (i != 0) text += ' ';
    text.append(detail::hexPairs.pair[begin()[i]], 2);
  }
  if (shown < size_) {
    text.append(" ... ").append(detail::Decimal(static_cast<long long>(size_ - shown)));
    text.append(size_ - shown == 1 ? " more byte" : " more bytes");
  }
  text += '>';
  return text;
}

LEAT_INLINE std::string Buffer::toJSON() const {
  std::string text = R"({"type":"Buffer","data":[)";
  text.reserve(text.size() + 4 * size_ + 2);
  for (std::size_t i = 0; i < size_; ++i) {
    if (i != 0) text += ',';
    text.append(detail::Decimal(begin()[i]));
  }
  text.append("]}");
  return text;
}
#endif

/// The indices of a buffer, for a range-based `for`.
class BufferKeys {
 public:
  class Iterator {
   public:
    explicit Iterator(std::size_t index) noexcept : index_(index) {}
    std::size_t operator*() const noexcept { return index_; }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    std::size_t index_;
  };

  explicit BufferKeys(std::size_t size) noexcept : size_(size) {}
  Iterator begin() const noexcept { return Iterator(0); }
  Iterator end() const noexcept { return Iterator(size_); }

 private:
  std::size_t size_;
};

/// The bytes of a buffer with their indices, for `for (auto [index, byte] : buffer.entries())`.
/// Lifetime: keeps the bytes.
class BufferEntries {
 public:
  struct Entry {
    std::size_t index;
    std::uint8_t& byte;
  };
  class Iterator {
   public:
    Iterator(std::uint8_t* bytes, std::size_t index) noexcept : bytes_(bytes), index_(index) {}
    Entry operator*() const noexcept { return {index_, bytes_[index_]}; }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    std::uint8_t* bytes_;
    std::size_t index_;
  };

  explicit BufferEntries(Buffer buffer) noexcept : buffer_(std::move(buffer)) {}
  Iterator begin() const noexcept { return Iterator(buffer_.begin(), 0); }
  Iterator end() const noexcept { return Iterator(buffer_.begin(), buffer_.size()); }

 private:
  Buffer buffer_;
};

#if LEAT_BODIES
LEAT_INLINE BufferKeys Buffer::keys() const noexcept { return BufferKeys(size_); }

LEAT_INLINE BufferEntries Buffer::entries() const { return BufferEntries(*this); }
#endif

}  // namespace leat::inline LEAT_ABI
