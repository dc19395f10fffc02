// SPDX-License-Identifier: MIT
// What the library keeps per thread, and the only `thread_local` in it. Constant-initialised and
// trivially destructible, so that no guard is called and no order of destruction matters; marked
// LEAT_API so that a program and its shared libraries see one instance.
#pragma once

#include <leat/base/atomic.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>

namespace leat::inline LEAT_ABI {
class EventLoop;
}

namespace leat::inline LEAT_ABI::detail {

class ContextNode;
class MicrotaskQueue;
class PoolWorker;
struct Job;
template <class>
class List;

/// A stack of free frames of one size class.
struct Magazine {
  void* head;
  int room;  // how many more it takes: none before the thread's first use and after the last
};

inline constexpr std::size_t frameGrain = 64;
// The last is for a KiB with a head in front of it, as a Buffer has.
inline constexpr std::size_t frameClasses = 17;
// Behind them, for what is freed to the heap, one of each alignment that never has room.
inline constexpr std::size_t neverMagazines = 5;

enum class FrameCache : unsigned char { Unborn, Live, Dead };

/// Which queues a promise or timer belongs to: the number of their thread above the number of the queues
/// among those of that thread. Never given twice, as an address would be; 0 is none.
using HomeId = std::uint64_t;

struct ThreadState {
  // Transfers below this address unwind to the innermost run(); null outside of run().
  char* stackLimit = nullptr;
  // Where a transfer parks the coroutine that run() resumes next.
  std::coroutine_handle<> next{};
  // The context of what runs now; this word owns a count.
  ContextNode* context = nullptr;
  // The same, while somebody wants to have it back with this count: see ContextStays.
  ContextNode* contextLent = nullptr;
  // The queues of the loop that runs on this thread, or null.
  MicrotaskQueue* queue = nullptr;
  EventLoop* loop = nullptr;
  // The identity of `queue`.
  HomeId home = 0;
  // Jobs of dropped promises that wait to be dropped in their turn; null while nobody drops.
  List<Job>* dropping = nullptr;
  FrameCache frameCache = FrameCache::Unborn;
  Magazine loaded[frameClasses + neverMagazines]{};
  Magazine spare[frameClasses]{};
  // The number of this thread, or 0 when nobody has asked (threadNumber), and how many queues it has had.
  std::uint32_t number = 0;
  std::uint32_t homes = 0;
  // The task that an exception left last.
  std::source_location thrownAt{};
  // Frames that are destroyed below this address are destroyed on another stack; null while none is.
  char* destroyLimit = nullptr;
  // What this thread is of a WorkStealingPool, or null.
  PoolWorker* worker = nullptr;
};

LEAT_API inline constinit thread_local ThreadState threadState{};
LEAT_API inline constinit Atomic<std::uint32_t> lastThreadNumber{0};
// The homes of the process that have not ended, each in the first free slot from that of its thread's number on.
// Beyond so many at once the others are not known. Without a lock, which a fork() could leave taken.
inline constexpr std::uint32_t homeSlots = 512;
LEAT_API inline constinit Atomic<HomeId> livingHomes[homeSlots]{};

/// Tells this thread from every other of the process, ended ones too.
LEAT_INLINE std::uint32_t threadNumber() noexcept;
/// Gives this thread queues, with an identity of their own, or takes them away.
LEAT_INLINE void enterHome(MicrotaskQueue& queue) noexcept;
LEAT_INLINE void leaveHome() noexcept;
inline Atomic<HomeId>& homeSlot(std::uint32_t thread, std::uint32_t i) noexcept {
  return livingHomes[(thread + i) % homeSlots];
}
LEAT_INLINE Atomic<HomeId>* findHome(HomeId home) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::uint32_t threadNumber() noexcept {
  ThreadState& thread = threadState;
  if (thread.number == 0) thread.number = lastThreadNumber.fetchAdd(1, relaxed) + 1;
  return thread.number;
}

LEAT_INLINE void enterHome(MicrotaskQueue& queue) noexcept {
  ThreadState& thread = threadState;
  thread.queue = &queue;
  thread.home = HomeId{threadNumber()} << 32 | ++thread.homes;
  for (std::uint32_t i = 0; i < homeSlots; ++i) {
    HomeId none = 0;
    if (homeSlot(thread.number, i).compareExchange(none, thread.home, acqRel)) return;
  }
}
LEAT_INLINE void leaveHome() noexcept {
  ThreadState& thread = threadState;
  if (Atomic<HomeId>* const slot = findHome(thread.home)) slot->store(0, release);
  thread.queue = nullptr;
  thread.home = 0;
}
LEAT_INLINE Atomic<HomeId>* findHome(HomeId home) noexcept {
  for (std::uint32_t i = 0; home != 0 && i < homeSlots; ++i) {
    Atomic<HomeId>& slot = homeSlot(static_cast<std::uint32_t>(home >> 32), i);
    if (slot.load(acquire) == home) return &slot;
  }
  return nullptr;
}
#endif
/// Whether the queues of `home` are there still. Any thread.
inline bool homeLives(HomeId home) noexcept { return findHome(home) != nullptr; }
/// Whether `home` was this thread's and is not any more.
inline bool homeEndedHere(HomeId home) noexcept {
  return home >> 32 == threadState.number && home != threadState.home;
}

/// Runs `flush` when the thread ends, once per thread; called on the slow path of the allocator.
template <void (*flush)() noexcept>
inline void flushFramesAtThreadExit() {
  struct Reaper {
    ~Reaper() {
      threadState.frameCache = FrameCache::Dead;
      flush();
    }
  };
  static thread_local Reaper reaper;
  (void)&reaper;
}

}  // namespace leat::inline LEAT_ABI::detail
