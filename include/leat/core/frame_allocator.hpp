// SPDX-License-Identifier: MIT
// Memory of coroutine frames and of the small blocks beside them: per-thread magazines of 64-byte
// classes up to 1088 bytes over a global depot, after Bonwick's magazines. A block may be freed on another
// thread than it was made on; full magazines travel back through the depot.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/core/frame_slabs.hpp>
#include <leat/core/thread_state.hpp>

#include <pthread.h>
#include <sched.h>

#include <new>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// What a block is aligned to: the greatest power of two that divides its size, which the slabs keep, too.
/// Compilers place over-aligned locals relative to the frame. g++ rounds the size of a frame up to the
/// highest alignment in it, as that of a class; clang does not, but tells the alignment when it is called with
/// -fcoro-aligned-allocation.
inline constexpr std::size_t maxFrameAlign = 1024;
constexpr std::size_t frameAlignOf(std::size_t size) noexcept {
  const std::size_t highest = size & (~size + 1);
  return highest < frameGrain ? frameGrain : highest < maxFrameAlign ? highest : maxFrameAlign;
}

/// The size of a block that is aligned so.
constexpr std::size_t alignedSize(std::size_t size, std::align_val_t align) noexcept {
  const std::size_t mask = static_cast<std::size_t>(align) - 1;
  return (size + mask) & ~mask;
}

/// `size` must be the same in allocate and free; that is what sized deletes give.
void* allocateFrame(std::size_t size);
void freeFrame(void* block, std::size_t size) noexcept;

/// Base of what lives in recycled memory. It has no placement form: a coroutine with one pointer as its
/// parameter would take that for the place of its frame.
struct FrameAllocated {
  LEAT_ALWAYS_INLINE static void* operator new(std::size_t size) { return allocateFrame(size); }
  LEAT_ALWAYS_INLINE static void operator delete(void* block, std::size_t size) noexcept {
    freeFrame(block, size);
  }
  static void* operator new(std::size_t size, std::align_val_t align) {
    return allocateFrame(alignedSize(size, align));
  }
  static void operator delete(void* block, std::size_t size, std::align_val_t align) noexcept {
    freeFrame(block, alignedSize(size, align));
  }
};

#if LEAT_RECYCLE_FRAMES

static_assert(frameGrain << (neverMagazines - 1) == maxFrameAlign);
/// How many blocks a magazine takes: more of the small ones, which go to the depot by the hundred.
constexpr int magazineSize(std::size_t cls) noexcept {
  const std::size_t blocks = 16384 / ((cls + 1) * frameGrain);
  return blocks < 32 ? 32 : blocks > 128 ? 128 : static_cast<int>(blocks);
}
inline constexpr unsigned depotMagazines = 64;  // per class; more are given back to the heap

struct FrameDepot {
  Atomic<unsigned> locked{0};
  FreeFrame* full[frameClasses]{};
  unsigned count[frameClasses]{};
  FrameSlabs slabs[frameClasses]{};

  void lock() noexcept {
    while (locked.exchange(1, acquire) != 0) ::sched_yield();
  }
  void unlock() noexcept { locked.store(0, release); }
};
// Never destroyed: frames may be freed by the last destructors of the program.
LEAT_API inline constinit FrameDepot frameDepot{};
static_assert(std::is_trivially_destructible_v<FrameDepot>);

constexpr std::size_t frameClass(std::size_t size) noexcept { return (size - 1) / frameGrain; }

constexpr std::size_t classBytes(std::size_t cls) noexcept { return (cls + 1) * frameGrain; }

/// Leaves it empty, with room for none.
LEAT_INLINE void drainMagazine(Magazine& magazine, std::size_t cls) noexcept;
/// A block that no magazine may keep: the thread is ending.
LEAT_INLINE void freeToSlab(void* block, std::size_t cls) noexcept;
/// Fills an empty magazine: with a full one of the depot, or with as many new blocks as make a page.
LEAT_INLINE void fillMagazine(Magazine& magazine, std::size_t cls);
/// A block for a thread that keeps none.
LEAT_INLINE void* allocateFromSlab(std::size_t cls);
/// The first use on a thread: from here on it keeps frames, and gives them back when it ends.
LEAT_INLINE void bearFrameCache();

#if LEAT_BODIES
LEAT_INLINE void drainMagazine(Magazine& magazine, std::size_t cls) noexcept {
  void* block = std::exchange(magazine.head, nullptr);
  const bool full = std::exchange(magazine.room, 0) == 0;
  if (block == nullptr) return;
  frameDepot.lock();
  if (full && frameDepot.count[cls] < depotMagazines) {
    auto* first = static_cast<FreeFrame*>(block);
    first->nextMagazine = frameDepot.full[cls];
    frameDepot.full[cls] = first;
    ++frameDepot.count[cls];
  } else {
    while (block != nullptr) {
      void* next = static_cast<FreeFrame*>(block)->next;
      frameDepot.slabs[cls].giveBack(block, classBytes(cls));
      block = next;
    }
  }
  frameDepot.unlock();
}

LEAT_INLINE void freeToSlab(void* block, std::size_t cls) noexcept {
  frameDepot.lock();
  frameDepot.slabs[cls].giveBack(block, classBytes(cls));
  frameDepot.unlock();
}

LEAT_INLINE void fillMagazine(Magazine& magazine, std::size_t cls) {
  frameDepot.lock();
  try {
    FreeFrame* first = frameDepot.full[cls];
    if (first != nullptr) {
      frameDepot.full[cls] = first->nextMagazine;
      --frameDepot.count[cls];
      magazine = {first, 0};
    } else {
      for (std::size_t wanted = 4096 / classBytes(cls); wanted > 0; --wanted) {
        auto* block = static_cast<FreeFrame*>(frameDepot.slabs[cls].take(classBytes(cls)));
        block->next = static_cast<FreeFrame*>(magazine.head);
        magazine.head = block;
        --magazine.room;
      }
    }
  } catch (...) {
    frameDepot.unlock();
    if (magazine.head == nullptr) throw;
    return;
  }
  frameDepot.unlock();
}

LEAT_INLINE void* allocateFromSlab(std::size_t cls) {
  frameDepot.lock();
  void* block;
  try {
    block = frameDepot.slabs[cls].take(classBytes(cls));
  } catch (...) {
    frameDepot.unlock();
    throw;
  }
  frameDepot.unlock();
  return block;
}

LEAT_INLINE void flushFrames() noexcept {
  for (std::size_t cls = 0; cls < frameClasses; ++cls) {
    drainMagazine(threadState.loaded[cls], cls);
    drainMagazine(threadState.spare[cls], cls);
  }
}

LEAT_INLINE void bearFrameCache() {
  ThreadState& thread = threadState;
  if (thread.frameCache != FrameCache::Unborn) return;
  thread.frameCache = FrameCache::Live;
  // A child of fork() finds the depot whole and unlocked.
  static const int guarded = ::pthread_atfork(
      [] { frameDepot.lock(); }, [] { frameDepot.unlock(); }, [] { frameDepot.unlock(); });
  static_cast<void>(guarded);
  for (std::size_t cls = 0; cls < frameClasses; ++cls)
    thread.loaded[cls].room = thread.spare[cls].room = magazineSize(cls);
  flushFramesAtThreadExit<flushFrames>();
}
#endif

LEAT_NOINLINE inline void* allocateFrameSlow(std::size_t cls) {
  ThreadState& thread = threadState;
  bearFrameCache();
  if (thread.frameCache == FrameCache::Dead) return allocateFromSlab(cls);
  Magazine& magazine = thread.loaded[cls];
  if (thread.spare[cls].head != nullptr) {
    std::swap(magazine, thread.spare[cls]);
  } else {
    fillMagazine(magazine, cls);
  }
  void* block = magazine.head;
  magazine.head = static_cast<FreeFrame*>(block)->next;
  ++magazine.room;
  return block;
}

/// The loaded magazine has just said that it has no room.
LEAT_NOINLINE inline void freeFrameSlow(void* block, std::size_t cls) noexcept {
  ThreadState& thread = threadState;
  Magazine& magazine = thread.loaded[cls];
  magazine.room = 0;
  if (cls >= frameClasses)
    return ::operator delete(block, std::align_val_t(frameGrain << (cls - frameClasses)));
  if (thread.frameCache == FrameCache::Dead) return freeToSlab(block, cls);
  if (thread.frameCache == FrameCache::Live) {
    drainMagazine(thread.spare[cls], cls);
    thread.spare[cls] = magazine;
  } else {
    bearFrameCache();
  }
  static_cast<FreeFrame*>(block)->next = nullptr;
  magazine = {block, magazineSize(cls) - 1};
}

LEAT_ALWAYS_INLINE inline void* allocateFrame(std::size_t size) {
  const std::size_t cls = frameClass(size);
  if (cls >= frameClasses) [[unlikely]]
    return ::operator new(size, std::align_val_t(frameAlignOf(size)));
  Magazine& magazine = threadState.loaded[cls];
  void* block = magazine.head;
  if (block == nullptr) [[unlikely]]
    return allocateFrameSlow(cls);
  magazine.head = static_cast<FreeFrame*>(block)->next;
  ++magazine.room;
  return block;
}

LEAT_ALWAYS_INLINE inline void putFrame(Magazine& magazine, void* block, std::size_t cls) noexcept {
  if (--magazine.room < 0) [[unlikely]]
    return freeFrameSlow(block, cls);
  static_cast<FreeFrame*>(block)->next = static_cast<FreeFrame*>(magazine.head);
  magazine.head = block;
}

LEAT_ALWAYS_INLINE inline void freeFrame(void* block, std::size_t size) noexcept {
  const std::size_t cls = frameClass(size);
  if (cls >= frameClasses) [[unlikely]]
    return ::operator delete(block, std::align_val_t(frameAlignOf(size)));
  putFrame(threadState.loaded[cls], block, cls);
}

#if LEAT_FREE_FRAMES
/// How the frame of a coroutine is freed that has ended, in a byte: into one of the magazines, to the heap with
/// one of the alignments, or by the coroutine.
inline constexpr std::size_t freedByCoroutine = frameClasses + neverMagazines;
constexpr unsigned char freedAs(std::size_t size) noexcept {
  std::size_t kind = frameClass(size);
  if (kind >= frameClasses) {
    kind = frameClasses;
    for (std::size_t align = frameAlignOf(size); align > frameGrain; align /= 2) ++kind;
  }
  return static_cast<unsigned char>(kind);
}

/// Small frames have a function for each class: an address that has to be computed keeps the next allocation
/// waiting.
using FreeEnded = void (*)(void* frame, std::size_t kind) noexcept;
template <std::size_t Kind>
void freeEndedSmall(void* frame, std::size_t) noexcept {
  putFrame(threadState.loaded[Kind], frame, Kind);
}
inline void freeEndedOther(void* frame, std::size_t kind) noexcept {
  if (kind == freedByCoroutine) return std::coroutine_handle<>::from_address(frame).destroy();
  putFrame(threadState.loaded[kind], frame, kind);
}
struct FreeEndedTable {
  constexpr FreeEndedTable() noexcept
      : functions{freeEndedSmall<0>, freeEndedSmall<1>, freeEndedSmall<2>,
                  freeEndedSmall<3>, freeEndedSmall<4>, freeEndedSmall<5>} {
    // By number: with -fsanitize=undefined g++ 12 cannot compare the addresses of functions at compile time.
    for (std::size_t kind = 6; kind <= freedByCoroutine; ++kind) functions[kind] = freeEndedOther;
  }
  FreeEnded functions[freedByCoroutine + 1];
};
inline constexpr FreeEndedTable freeEnded;
LEAT_ALWAYS_INLINE inline void freeEndedFrame(void* frame, std::size_t kind) noexcept {
  freeEnded.functions[kind](frame, kind);
}
#endif

#else

inline void* allocateFrame(std::size_t size) {
  return ::operator new(size, std::align_val_t(frameAlignOf(size)));
}
inline void freeFrame(void* block, std::size_t size) noexcept {
  ::operator delete(block, std::align_val_t(frameAlignOf(size)));
}

#endif

}  // namespace leat::inline LEAT_ABI::detail
