// SPDX-License-Identifier: MIT
// What the handles of some bytes share: a counted block, or a container that was taken over.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/core/frame_allocator.hpp>

#include <cstddef>
#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

/// What the handles of some bytes share. Counted atomically: buffers travel between threads.
class BufferStorage {
 public:
  using Dispose = void (*)(BufferStorage&) noexcept;

  explicit BufferStorage(Dispose dispose, std::uint32_t blockSize = 0) noexcept
      : blockSize_(blockSize), dispose_(dispose) {}
  BufferStorage(const BufferStorage&) = delete;
  BufferStorage& operator=(const BufferStorage&) = delete;

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) dispose_(*this);
  }
  /// Whether the caller's is the only handle; then what the others wrote is visible.
  bool unique() const noexcept { return count_.load(acquire) == 1; }

  /// A storage with `size` bytes behind it, in one block; short ones in recycled memory.
  static Ref<BufferStorage> withBytes(std::size_t size);
  /// The same, always from the heap.
  static Ref<BufferStorage> onHeap(std::size_t size);
  std::byte* bytesBehind() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

 protected:
  ~BufferStorage() = default;

 private:
  static void disposeBlock(BufferStorage& storage) noexcept;

  Atomic<std::uint32_t> count_{1};
  const std::uint32_t blockSize_;  // 0 when the block came from the heap
  const Dispose dispose_;
};
static_assert(sizeof(BufferStorage) == 16);

/// A string or vector that was taken over.
template <class Container>
struct BufferContainer final : BufferStorage {
  explicit BufferContainer(Container&& c) : BufferStorage(disposeThis), container(std::move(c)) {}
  static void disposeThis(BufferStorage& storage) noexcept {
    delete &static_cast<BufferContainer&>(storage);
  }
  Container container;
};

/// An owner of bytes in one piece: std::string, std::vector<std::byte>, std::vector<char>, ...
template <class C>
concept ByteContainer = requires(C& c) {
  typename C::allocator_type;
  requires sizeof(*c.data()) == 1 && !std::is_const_v<std::remove_reference_t<decltype(*c.data())>>;
  c.size();
};

#if LEAT_BODIES
LEAT_INLINE Ref<BufferStorage> BufferStorage::withBytes(std::size_t size) {
  const std::size_t block = sizeof(BufferStorage) + size;
  if (block > frameGrain * frameClasses) return onHeap(size);
  void* memory = allocateFrame(block);
  return Ref<BufferStorage>::adopt(
      ::new (memory) BufferStorage(disposeBlock, static_cast<std::uint32_t>(block)));
}

LEAT_INLINE Ref<BufferStorage> BufferStorage::onHeap(std::size_t size) {
  void* memory = ::operator new(sizeof(BufferStorage) + size);
  return Ref<BufferStorage>::adopt(::new (memory) BufferStorage(disposeBlock));
}

LEAT_INLINE void BufferStorage::disposeBlock(BufferStorage& storage) noexcept {
  const std::uint32_t block = storage.blockSize_;
  storage.~BufferStorage();
  if (block != 0) {
    freeFrame(&storage, block);
  } else {
    ::operator delete(&storage);
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
