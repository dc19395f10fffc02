// SPDX-License-Identifier: MIT
// Text that grows at its end: heads as they come and as they go.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace leat::inline LEAT_ABI::http::detail {

/// Copies, and gives the place behind. What is short goes without a call.
LEAT_ALWAYS_INLINE inline char* copyText(char* to, std::string_view text) noexcept {
  const std::size_t size = text.size();
  const char* const from = text.data();
  if (size > 16 || size < 4) {
    if (size > 0) std::memcpy(to, from, size);
  } else if (size >= 8) {
    // What lies in the middle is copied twice.
    std::uint64_t first;
    std::uint64_t last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, from + size - 8, 8);
    std::memcpy(to, &first, 8);
    std::memcpy(to + size - 8, &last, 8);
  } else {
    std::uint32_t first;
    std::uint32_t last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + size - 4, 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + size - 4, &last, 4);
  }
  return to + size;
}

/// Unlike a std::string it gives room that nobody has cleared, to be written into, and an append is no call.
class TextBuffer {
 public:
  TextBuffer() noexcept = default;
  TextBuffer(const TextBuffer& other) { append(other); }
  TextBuffer(TextBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  TextBuffer& operator=(TextBuffer other) noexcept {
    swap(other);
    return *this;
  }
  ~TextBuffer() { ::operator delete(data_); }
  void swap(TextBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  const char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  operator std::string_view() const noexcept { return {data_, size_}; }

  /// Where so much more may be written. Throws std::bad_alloc.
  LEAT_ALWAYS_INLINE char* room(std::size_t more) {
    if (more > capacity_ - size_) [[unlikely]]
      grow(more);
    return data_ + size_;
  }
  /// Whether that moves nothing.
  bool fits(std::size_t more) const noexcept { return more <= capacity_ - size_; }
  /// So far it was written.
  void endAt(const char* end) noexcept { size_ = static_cast<std::size_t>(end - data_); }
  /// Of another text. Throws std::bad_alloc.
  LEAT_ALWAYS_INLINE void append(std::string_view text) {
    endAt(copyText(room(text.size()), text));
  }
  /// What is behind goes.
  void cut(std::size_t size) noexcept { size_ = size; }
  /// The memory stays.
  void clear() noexcept { size_ = 0; }

 private:
  LEAT_NOINLINE void grow(std::size_t more) {
    constexpr std::size_t least = 64;
    std::size_t wanted = size_ + more > 2 * capacity_ ? size_ + more : 2 * capacity_;
    if (wanted < least) wanted = least;
    char* const data = static_cast<char*>(::operator new(wanted));
    if (size_ > 0) std::memcpy(data, data_, size_);
    ::operator delete(std::exchange(data_, data));
    capacity_ = wanted;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace leat::inline LEAT_ABI::http::detail
