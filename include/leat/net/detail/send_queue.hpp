// SPDX-License-Identifier: MIT
// The bytes that a socket has accepted and the kernel has not.
#pragma once

#include <leat/buffer/buffer.hpp>

#include <sys/uio.h>

#include <span>
#include <vector>

namespace leat::inline LEAT_ABI::net::detail {

class SendQueue {
 public:
  std::size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return bytes_ == 0; }

  void push(Buffer buffer);
  void pushFront(Buffer buffer);
  /// The front of the queue for one gathered write; valid until the queue changes.
  std::span<const iovec> gather();
  /// So many bytes have gone.
  void consume(std::size_t count) noexcept;
  void clear() noexcept {
    buffers_.clear();
    head_ = bytes_ = 0;
  }

 private:
  static constexpr std::size_t maxVectors = 64;

  std::vector<Buffer> buffers_;
  std::vector<iovec> vectors_;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;
};

#if LEAT_BODIES
LEAT_INLINE void SendQueue::push(Buffer buffer) {
  const std::size_t size = buffer.size();
  if (size > 0) buffers_.push_back(std::move(buffer));
  bytes_ += size;
}

LEAT_INLINE void SendQueue::pushFront(Buffer buffer) {
  const std::size_t size = buffer.size();
  buffers_.insert(buffers_.begin() + static_cast<std::ptrdiff_t>(head_), std::move(buffer));
  bytes_ += size;
}

LEAT_INLINE std::span<const iovec> SendQueue::gather() {
  vectors_.clear();
  for (std::size_t i = head_; i < buffers_.size() && vectors_.size() < maxVectors; ++i)
    vectors_.push_back({buffers_[i].data(), buffers_[i].size()});
  // Of a pointer and a size: whether a vector is a range is long to find out.
  return {vectors_.data(), vectors_.size()};
}

LEAT_INLINE void SendQueue::consume(std::size_t count) noexcept {
  bytes_ -= count;
  while (count > 0) {
    Buffer& front = buffers_[head_];
    if (count < front.size()) {
      front = front.subarray(static_cast<std::ptrdiff_t>(count));
      break;
    }
    count -= front.size();
    front = Buffer();
    ++head_;
  }
  if (head_ == buffers_.size()) {
    buffers_.clear();
    head_ = 0;
  } else if (head_ > 64 && head_ * 2 > buffers_.size()) {
    buffers_.erase(buffers_.begin(), buffers_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
