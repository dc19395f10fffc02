// SPDX-License-Identifier: MIT
// Where recycled blocks come from: slabs of one size class each, carved on demand and given back to
// the heap when all their blocks are back. The heap itself would cost more than the rest of starting
// a coroutine or a timer. Behind the depot's lock; a thread comes here once for a whole magazine.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace leat::inline LEAT_ABI::detail {

/// A free block. `nextMagazine` links full magazines in the depot, through their first block.
struct FreeFrame {
  FreeFrame* next;
  FreeFrame* nextMagazine;
};

/// The head of an aligned stretch of memory; the blocks follow, aligned to the greatest power of two that
/// divides their size.
struct alignas(64) FrameSlab {
  static constexpr std::size_t bytes = 65536;

  static FrameSlab& of(void* block) noexcept {
    return *reinterpret_cast<FrameSlab*>(reinterpret_cast<std::uintptr_t>(block) & ~(bytes - 1));
  }
  /// Where the first block begins.
  static std::size_t headBytes(std::size_t size) noexcept {
    const std::size_t align = size & (~size + 1);
    return align < sizeof(FrameSlab) ? sizeof(FrameSlab) : align;
  }
  std::byte* blockAt(std::size_t index, std::size_t size) noexcept {
    return reinterpret_cast<std::byte*>(this) + headBytes(size) + index * size;
  }

  // Links among the slabs with room. Plain pointers: the list must have no destructor.
  FrameSlab* next = nullptr;
  FrameSlab* prev = nullptr;
  FreeFrame* free = nullptr;  // blocks that came back
  unsigned carved = 0;        // blocks that were ever given out
  unsigned live = 0;          // blocks given out now
};
static_assert(sizeof(FrameSlab) == 64);

/// The slabs of one class that have room.
class FrameSlabs {
 public:
  constexpr FrameSlabs() noexcept = default;
  /// One block of `size` bytes. Throws: std::bad_alloc.
  void* take(std::size_t size);
  void giveBack(void* block, std::size_t size) noexcept;

 private:
  static constexpr std::size_t prefetchDistance = 2048;

  static unsigned capacity(std::size_t size) noexcept {
    return static_cast<unsigned>((FrameSlab::bytes - FrameSlab::headBytes(size)) / size);
  }
  void link(FrameSlab& slab) noexcept;
  void unlink(FrameSlab& slab) noexcept;

  FrameSlab* withRoom_ = nullptr;
};

#if LEAT_BODIES
LEAT_INLINE void FrameSlabs::link(FrameSlab& slab) noexcept {
  slab.prev = nullptr;
  slab.next = withRoom_;
  if (withRoom_ != nullptr) withRoom_->prev = &slab;
  withRoom_ = &slab;
}

LEAT_INLINE void FrameSlabs::unlink(FrameSlab& slab) noexcept {
  if (slab.next != nullptr) slab.next->prev = slab.prev;
  (slab.prev != nullptr ? slab.prev->next : withRoom_) = slab.next;
}

LEAT_INLINE void* FrameSlabs::take(std::size_t size) {
  if (withRoom_ == nullptr) {
    void* memory = ::operator new(FrameSlab::bytes, std::align_val_t(FrameSlab::bytes));
    link(*::new (memory) FrameSlab);
  }
  FrameSlab& slab = *withRoom_;
  void* block = slab.free;
  if (block != nullptr) {
    slab.free = slab.free->next;
  } else {
    block = slab.blockAt(slab.carved++, size);
    // What is carved soon; beyond the end of the slab it does no harm.
    const auto ahead = reinterpret_cast<std::uintptr_t>(block) + prefetchDistance;
    __builtin_prefetch(reinterpret_cast<const void*>(ahead), 1);
  }
  if (++slab.live == capacity(size)) unlink(slab);
  return block;
}

LEAT_INLINE void FrameSlabs::giveBack(void* block, std::size_t size) noexcept {
  FrameSlab& slab = FrameSlab::of(block);
  auto* frame = static_cast<FreeFrame*>(block);
  frame->next = slab.free;
  slab.free = frame;
  if (slab.live-- == capacity(size)) link(slab);
  if (slab.live > 0) return;
  unlink(slab);
  ::operator delete(&slab, std::align_val_t(FrameSlab::bytes));
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
