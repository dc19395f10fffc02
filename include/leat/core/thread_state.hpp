// SPDX-License-Identifier: MIT
// What the library keeps per thread, and the only `thread_local` in it. Constant-initialised and
// trivially destructible, so that no guard is called and no order of destruction matters; marked
// LEAT_API so that a program and its shared libraries see one instance.
#pragma once

#include <leat/base/config.hpp>

#include <coroutine>
#include <cstddef>

namespace leat::inline LEAT_ABI {
class EventLoop;
}

namespace leat::inline LEAT_ABI::detail {

class ContextNode;
class MicrotaskQueue;
struct Job;
template <class>
class List;

/// A stack of free frames of one size class.
struct Magazine {
  void* head;
  unsigned count;
};

inline constexpr std::size_t frameGrain = 64;
inline constexpr std::size_t frameClasses = 16;

enum class FrameCache : unsigned char { Unborn, Live, Dead };

struct ThreadState {
  // Transfers below this address unwind to the innermost run(); null outside of run().
  char* stackLimit = nullptr;
  // Where a transfer parks the coroutine that run() resumes next.
  std::coroutine_handle<> next{};
  // The context of what runs now; this word owns a count.
  ContextNode* context = nullptr;
  // The queues of the loop that runs on this thread, or null.
  MicrotaskQueue* queue = nullptr;
  EventLoop* loop = nullptr;
  // Jobs of dropped promises that wait to be dropped in their turn; null while nobody drops.
  List<Job>* dropping = nullptr;
  FrameCache frameCache = FrameCache::Unborn;
  // How many free frames a magazine may hold: none before the first use and after the last.
  unsigned frameCapacity = 0;
  Magazine loaded[frameClasses]{};
  Magazine spare[frameClasses]{};
};

LEAT_API inline constinit thread_local ThreadState threadState{};

/// Runs `flush` when the thread ends, once per thread; called on the slow path of the allocator.
template <void (*flush)() noexcept>
inline void flushFramesAtThreadExit() {
  struct Reaper {
    ~Reaper() {
      threadState.frameCache = FrameCache::Dead;
      threadState.frameCapacity = 0;
      flush();
    }
  };
  static thread_local Reaper reaper;
  (void)&reaper;
}

}  // namespace leat::inline LEAT_ABI::detail
