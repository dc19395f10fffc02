// SPDX-License-Identifier: MIT
// The memory that the kernel receives into. A receive takes a piece only when its bytes are there, so
// connections that wait cost none. How much is in use grows with need.
#pragma once

#include <leat/loop/detail/uring_ring.hpp>

namespace leat::inline LEAT_ABI::detail {

class UringBuffers {
 public:
  static constexpr unsigned size = 16384;
  static constexpr unsigned short none = 0xffff;

  UringBuffers() noexcept = default;
  UringBuffers(const UringBuffers&) = delete;
  UringBuffers& operator=(const UringBuffers&) = delete;
  ~UringBuffers() { close(); }

  /// Tells the kernel of them. 0 or -errno (-EINVAL: before Linux 5.19).
  int open(UringRing& ring) noexcept;
  /// When the kernel is through with them; in the child of a fork there is nothing to do.
  void close() noexcept;

  char* data(unsigned short id) const noexcept { return pieces_ + id * stride; }
  /// Gives a buffer to the kernel.
  void recycle(unsigned short id) noexcept {
    uring::Buffer& entry = entries_[tail_ & (limit - 1)];
    entry.address = reinterpret_cast<std::uint64_t>(data(id));
    entry.size = size;
    entry.id = id;
    ++tail_;
  }
  /// Before the kernel is entered.
  void publish() noexcept {
    if (tail_ == published_) return;
    __atomic_store_n(&entries_[0].tail, tail_, __ATOMIC_RELEASE);
    published_ = tail_;
  }
  /// There were too few: twice as many from now on.
  void grow() noexcept;
  unsigned count() const noexcept { return count_; }

  // Bytes of a buffer that is in a queue of a descriptor, and the one behind it.
  struct Piece {
    unsigned short next;
    unsigned offset;
    unsigned left;
  };
  Piece& piece(unsigned short id) noexcept { return info_[id]; }

 private:
  static constexpr unsigned first = 64;
  static constexpr unsigned limit = 1024;
  // Not a power of two: the heads of all buffers would fall into the same lines of the cache.
  static constexpr size_t stride = size + 192;
  static constexpr size_t ringSize = limit * sizeof(uring::Buffer);

  void* memory_ = nullptr;
  size_t memorySize_ = 0;
  uring::Buffer* entries_ = nullptr;
  char* pieces_ = nullptr;
  Piece* info_ = nullptr;
  unsigned generation_ = 0;
  unsigned count_ = 0;
  unsigned short tail_ = 0;
  unsigned short published_ = 0;
};

#if LEAT_BODIES
LEAT_INLINE int UringBuffers::open(UringRing& ring) noexcept {
  generation_ = sys::watchForks();
  memorySize_ = ringSize + limit * stride + limit * sizeof(Piece);
  if (const int error = sys::mapUnshared(memorySize_, -1, 0, memory_)) return error;
  auto* const bytes = static_cast<char*>(memory_);
  entries_ = static_cast<uring::Buffer*>(memory_);
  pieces_ = bytes + ringSize;
  info_ = reinterpret_cast<Piece*>(pieces_ + limit * stride);
  if (const int error = ring.tellBuffers(entries_, limit); error < 0) {
    close();
    return error;
  }
  while (count_ < first) recycle(static_cast<unsigned short>(count_++));
  return 0;
}

LEAT_INLINE void UringBuffers::close() noexcept {
  if (memory_ != nullptr && generation_ == sys::forkGeneration()) sys::munmap(memory_, memorySize_);
  memory_ = nullptr;
}

LEAT_INLINE void UringBuffers::grow() noexcept {
  const unsigned wanted = count_ * 2 < limit ? count_ * 2 : limit;
  while (count_ < wanted) recycle(static_cast<unsigned short>(count_++));
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
