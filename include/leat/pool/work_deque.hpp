// SPDX-License-Identifier: MIT
// The deque of a worker: its owner pushes and pops at one end without locks, thieves take the oldest at
// the other. After Chase and Lev (2005), with the memory orders of Lê, Pop, Cohen and Zappa Nardelli (2013).
#pragma once

#include <leat/sys/asymmetric_fence.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace leat::inline LEAT_ABI::detail {

/// The words and the fences that the pool's algorithms are written against, so that a checker can put its
/// own in their place.
struct RealAtomics {
  template <class T>
  using Word = Atomic<T>;
  static void fence() noexcept { fullFence(); }
  LEAT_ALWAYS_INLINE static void lightFence() noexcept { sys::lightFence(); }
  static void heavyFence() noexcept { sys::heavyFence(); }
};

/// Items are pointers; null is none. `push`, `pop` and `popIf` belong to one thread. `FirstSize`: a power of two.
template <class T, class Atomics = RealAtomics, std::int64_t FirstSize = 256>
class WorkDeque {
 public:
  WorkDeque() noexcept = default;
  WorkDeque(const WorkDeque&) = delete;
  WorkDeque& operator=(const WorkDeque&) = delete;
  ~WorkDeque() {
    Ring* ring = ring_.load(relaxed);
    while (ring != nullptr) {
      Ring* const older = ring->older;
      ring->~Ring();
      ::operator delete(ring);
      ring = older;
    }
  }

  /// False when there is no memory to grow; then nothing was pushed.
  bool push(T* item) noexcept {
    const std::int64_t bottom = bottom_.load(relaxed);
    if (bottom - knownTop_ >= room_) [[unlikely]]
      if (!makeRoom(bottom)) return false;
    owned_->at(bottom).store(item, relaxed);
    // Who sees the new bottom sees the item, and what the item points to.
    bottom_.store(bottom + 1, detail::release);
    return true;
  }
  /// The youngest.
  T* pop() noexcept {
    const std::int64_t bottom = bottom_.load(relaxed) - 1;
    // The owner says that it takes the item at `bottom` before it looks at the top, and a thief looks at
    // the bottom after the top: of two that want the same last item, one at least sees the other.
    bottom_.store(bottom, detail::release);
    Atomics::fence();
    std::int64_t top = top_.load(relaxed);
    if (top > bottom) {
      bottom_.store(bottom + 1, detail::release);
      return nullptr;
    }
    T* item = owned_->at(bottom).load(relaxed);
    if (top < bottom) return item;
    // The last: whoever moves the top has it.
    if (!top_.compareExchange(top, top + 1, seqCst)) item = nullptr;
    bottom_.store(bottom + 1, detail::release);
    return item;
  }
  /// The youngest, if it is this one.
  bool popIf(const T* item) noexcept {
    // The slot may be stale, when its item was stolen; then `pop` finds none.
    if (owned_ == nullptr || owned_->at(bottom_.load(relaxed) - 1).load(relaxed) != item)
      return false;
    return pop() != nullptr;
  }
  /// The oldest; null also when another thread was faster. Any thread.
  T* steal() noexcept {
    // With the top comes what its last mover had seen; the fence sets this look and the next against the
    // owner's in `pop`.
    std::int64_t top = top_.load(acquire);
    Atomics::fence();
    // With the bottom that `push` has released come the item below it, in its place, and what the item points
    // to; and the ring that it was put into, or a later one.
    const std::int64_t bottom = bottom_.load(acquire);
    if (top >= bottom) return nullptr;
    // A ring that is newer than this bottom was released with the items in it. The place may have another item
    // by now, but only when the top has moved, and it never moves back: then the exchange fails and nobody uses
    // what was read here.
    T* const item = ring_.load(acquire)->at(top).load(relaxed);
    // Who moves the top from `top` has the item. As a release it says that the place was read before, which
    // `makeRoom` acquires; seqCst, here as in `pop`, puts all moves of the top into the one order that the
    // fences are in.
    return top_.compareExchange(top, top + 1, seqCst) ? item : nullptr;
  }
  /// Any thread; of another one's deque it is soon out of date.
  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept {
    const std::int64_t top = top_.load(relaxed);
    const std::int64_t bottom = bottom_.load(relaxed);
    return bottom > top ? static_cast<std::size_t>(bottom - top) : 0;
  }

 private:
  template <class U>
  using Word = typename Atomics::template Word<U>;

  /// A power of two of places; item n is at n modulo the size. Old rings stay until the end, for a thief
  /// may still read one: together they are no larger than the present one.
  struct Ring {
    Word<T*>& at(std::int64_t index) noexcept {
      return reinterpret_cast<Word<T*>*>(this + 1)[index & mask];
    }
    Ring* older;
    std::int64_t mask;
  };

  LEAT_NOINLINE bool makeRoom(std::int64_t bottom) noexcept {
    // The places below this top are written to again from here on. Who moved it had read them before and has released
    // that by its move, so no thief that got an item can have read what is put there now.
    knownTop_ = top_.load(acquire);
    if (bottom - knownTop_ < room_) return true;
    const std::int64_t size = room_ == 0 ? FirstSize : 2 * room_;
    const auto bytes = sizeof(Ring) + static_cast<std::size_t>(size) * sizeof(Word<T*>);
    void* const block = ::operator new(bytes, std::nothrow);
    if (block == nullptr) return false;
    auto* const ring = ::new (block) Ring{owned_, size - 1};
    for (std::int64_t i = 0; i < size; ++i)
      ::new (static_cast<void*>(&ring->at(i))) Word<T*>(nullptr);
    for (std::int64_t i = knownTop_; i < bottom; ++i)
      ring->at(i).store(owned_->at(i).load(relaxed), relaxed);
    owned_ = ring;
    room_ = size;
    // A thief that sees the new ring sees the items in it; one with the old ring finds them there.
    ring_.store(ring, detail::release);
    return true;
  }

  // The thieves' line, the owner's, and what only the owner uses.
  alignas(64) Word<std::int64_t> top_{0};
  alignas(64) Word<std::int64_t> bottom_{0};
  Ring* owned_ = nullptr;
  std::int64_t room_ = 0;
  std::int64_t knownTop_ = 0;  // at most the top
  alignas(64) Word<Ring*> ring_{nullptr};
};

}  // namespace leat::inline LEAT_ABI::detail
