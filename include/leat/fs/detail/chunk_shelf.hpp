// SPDX-License-Identifier: MIT
// Memory of chunks that a file's stream has read and nobody holds any more, for those that come next: the
// heap would give it back to the system, chunk by chunk, and have it again page by page.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/loop/event_loop.hpp>

#include <new>

namespace leat::inline LEAT_ABI::detail {

/// One of a loop. The chunks keep it: they may outlive the loop, and end on any thread.
class ChunkShelf : public SharedCounted<ChunkShelf> {
 public:
  ChunkShelf() noexcept = default;
  ChunkShelf(const ChunkShelf&) = delete;
  ChunkShelf& operator=(const ChunkShelf&) = delete;
  ~ChunkShelf() {
    drop(ours_);
    drop(returned_.load(acquire));
  }

  /// A Buffer whose bytes are whatever was there. The loop's thread. Null: no shelf.
  static Buffer chunkOf(ChunkShelf* shelf, std::size_t size);
  /// That of the loop of this thread; null where there is no memory for it.
  static Ref<ChunkShelf> ofLoop() noexcept;

 private:
  // What is lent is a Chunk, what is not a Spare.
  struct Chunk final : BufferStorage {
    Chunk(Ref<ChunkShelf> s, std::size_t n) noexcept
        : BufferStorage(onDispose), shelf(std::move(s)), size(n) {}
    Ref<ChunkShelf> shelf;
    std::size_t size;
  };
  struct Spare {
    Spare* next;
    std::size_t size;
  };
  struct Part;
  // Shorter ones the heap keeps, and longer ones are read in longer than their pages take.
  static constexpr std::size_t least = 16384, greatest = 262144, most = std::size_t{1} << 20;

  void* take(std::size_t size) noexcept;
  void put(void* memory, std::size_t size) noexcept;
  void drop(Spare* first) noexcept;
  static void onDispose(BufferStorage& storage) noexcept;

  // Bytes of the spares.
  Atomic<std::size_t> held_{0};
  Atomic<Spare*> returned_{nullptr};
  Spare* ours_ = nullptr;
};

struct ChunkShelf::Part final : LoopPart {
  explicit Part(const void* part) : LoopPart(part), shelf(makeRef<ChunkShelf>()) {}
  Ref<ChunkShelf> shelf;
};

#if LEAT_BODIES
LEAT_INLINE Ref<ChunkShelf> ChunkShelf::ofLoop() noexcept {
#if LEAT_RECYCLE_FRAMES
  try {
    return EventLoop::current().parts().get<Part>().shelf;
  } catch (...) {
  }
#endif
  return nullptr;
}

LEAT_INLINE Buffer ChunkShelf::chunkOf(ChunkShelf* shelf, std::size_t size) {
  if (shelf == nullptr || size < least || size > greatest) return Buffer::allocUnsafe(size);
  void* memory = shelf->take(size);
  if (memory == nullptr) memory = ::operator new(sizeof(Chunk) + size);
  Chunk* const chunk = ::new (memory) Chunk(Ref<ChunkShelf>(shelf), size);
  return Buffer(Ref<BufferStorage>::adopt(chunk), reinterpret_cast<std::byte*>(chunk + 1), size);
}

LEAT_INLINE void* ChunkShelf::take(std::size_t size) noexcept {
  if (ours_ == nullptr) ours_ = returned_.exchange(nullptr, acquire);
  // Of another size: they have had their time.
  if (ours_ != nullptr && ours_->size != size) drop(std::exchange(ours_, nullptr));
  if (ours_ == nullptr) return nullptr;
  Spare* const first = ours_;
  ours_ = first->next;
  held_.fetchSub(size, relaxed);
  return first;
}

LEAT_INLINE void ChunkShelf::put(void* memory, std::size_t size) noexcept {
  if (held_.fetchAdd(size, relaxed) + size > most) {
    held_.fetchSub(size, relaxed);
    return ::operator delete(memory);
  }
  auto* const spare = ::new (memory) Spare{returned_.load(relaxed), size};
  while (!returned_.compareExchange(spare->next, spare, acqRel)) {
  }
}

LEAT_INLINE void ChunkShelf::drop(Spare* first) noexcept {
  while (first != nullptr) {
    Spare* const next = first->next;
    held_.fetchSub(first->size, relaxed);
    ::operator delete(first);
    first = next;
  }
}

LEAT_INLINE void ChunkShelf::onDispose(BufferStorage& storage) noexcept {
  auto& chunk = static_cast<Chunk&>(storage);
  const Ref<ChunkShelf> shelf = std::move(chunk.shelf);
  const std::size_t size = chunk.size;
  chunk.~Chunk();
  shelf->put(&chunk, size);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
