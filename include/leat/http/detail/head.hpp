// SPDX-License-Identifier: MIT
// The head of a message as it came: one text, and where in it the parts are.
#pragma once

#include <leat/http/detail/chars.hpp>
#include <leat/http/detail/text_buffer.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::http::detail {

/// Bytes that a head may have; 0 is the default, as in Node.
constexpr std::uint32_t headLimit(std::uint32_t said) noexcept {
  return said == 0 ? 16 * 1024 : said;
}

/// A piece of the text of a head.
struct HeadPart {
  std::uint32_t at = 0;
  std::uint32_t size = 0;
};
struct FieldParts {
  HeadPart name;
  HeadPart value;
};
/// Where the fields of a text are. Unlike a vector it knows how many they are without a calculation, and nothing is to be
/// done for those that go.
class FieldPlaces {
 public:
  FieldPlaces() noexcept = default;
  FieldPlaces(const FieldPlaces& other) { append(other); }
  FieldPlaces(FieldPlaces&& other) noexcept { swap(other); }
  FieldPlaces& operator=(FieldPlaces other) noexcept {
    swap(other);
    return *this;
  }
  ~FieldPlaces() { ::operator delete(all_); }
  void swap(FieldPlaces& other) noexcept {
    std::swap(all_, other.all_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == capacity_; }
  FieldParts* begin() noexcept { return all_; }
  FieldParts* end() noexcept { return all_ + size_; }
  const FieldParts* begin() const noexcept { return all_; }
  const FieldParts* end() const noexcept { return all_ + size_; }
  FieldParts& operator[](std::size_t i) noexcept { return all_[i]; }
  const FieldParts& operator[](std::size_t i) const noexcept { return all_[i]; }

  /// Throws std::bad_alloc.
  LEAT_ALWAYS_INLINE void push(const FieldParts& field) {
    if (full()) [[unlikely]]
      grow(8);
    pushHere(field);
  }
  /// Where there is room.
  LEAT_ALWAYS_INLINE void pushHere(const FieldParts& field) noexcept { all_[size_++] = field; }
  void remove(std::size_t place) noexcept {
    --size_;
    std::memmove(all_ + place, all_ + place + 1, (size_ - place) * sizeof(FieldParts));
  }
  /// At least so many more. Throws std::bad_alloc.
  LEAT_NOINLINE void grow(std::size_t more) {
    const std::size_t wanted = size_ + more > 2 * capacity_ ? size_ + more : 2 * capacity_;
    FieldParts* const all = static_cast<FieldParts*>(::operator new(wanted * sizeof(FieldParts)));
    if (size_ > 0) std::memcpy(all, all_, size_ * sizeof(FieldParts));
    ::operator delete(std::exchange(all_, all));
    capacity_ = wanted;
  }
  /// The memory stays.
  void clear() noexcept { size_ = 0; }

 private:
  void append(const FieldPlaces& other) {
    if (other.size_ == 0) return;
    grow(other.size_);
    std::memcpy(all_, other.all_, other.size_ * sizeof(FieldParts));
    size_ = other.size_;
  }

  FieldParts* all_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A header field. Lifetime: of the message.
struct FieldView {
  std::string_view name;
  std::string_view value;
};

/// How the body of a message ends (RFC 9112 section 6).
enum class Framing : unsigned char { None, Length, Chunked, UntilClose };

struct Head {
  TextBuffer text;
  FieldPlaces fields;
  HeadPart method;  // of a request
  HeadPart target;
  HeadPart reason;  // of a response
  std::uint64_t contentLength = 0;
  std::uint16_t status = 0;
  std::uint8_t minorVersion = 1;
  Framing framing = Framing::None;
  bool keepAlive = true;
  /// It asks for another protocol: `Upgrade`, and `Connection` says so.
  bool upgrade = false;
  bool hasExpect = false;
  bool hasLength = false;

  std::string_view view(HeadPart part) const noexcept { return {text.data() + part.at, part.size}; }
  FieldView field(const FieldParts& parts) const noexcept {
    return {view(parts.name), view(parts.value)};
  }
  /// For another message; the memory stays.
  void clear() noexcept {
    text.clear();
    fields.clear();
    method = target = reason = HeadPart();
    contentLength = 0;
    status = 0;
    minorVersion = 1;
    framing = Framing::None;
    keepAlive = true;
    upgrade = hasExpect = hasLength = false;
  }
  /// So much memory, a power of two, or more is not worth keeping for the next message.
  static constexpr std::size_t keptMemory = 1024;
  /// Of several sizes or-ed together: whether one of them is as much.
  static constexpr bool isMuch(std::size_t sizes) noexcept { return sizes >= keptMemory; }
  std::size_t memory() const noexcept {
    return text.capacity() | (fields.capacity() * sizeof(FieldParts));
  }
};

}  // namespace leat::inline LEAT_ABI::http::detail
