// SPDX-License-Identifier: MIT
// The timers of one duration, oldest start first. Not a list through the timers themselves: a million of
// them are more memory than any cache holds, and starting or clearing one would touch its neighbours.
#pragma once

#include <leat/core/frame_slabs.hpp>

#include <cstdint>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

class TimerQueue;

/// A timer; linked while it waits. Destroyed early it leaves its queue, but clear it with
/// `TimerLists::remove`: that is what keeps Node's order.
struct TimerNode {
  TimerNode() noexcept = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  ~TimerNode();

  bool linked() const noexcept { return slot != nullptr; }

  TimerNode** slot = nullptr;   // what points to it
  TimerQueue* queue = nullptr;  // null: it has been started, but not been put in a queue yet
  std::int64_t startMs = 0;
  std::int32_t durationMs = 0;
  std::uint32_t ownerState = 0;  // not looked at here; it would be padding otherwise
};

/// A cache line of a queue. A slot is null before and after its timer.
struct alignas(64) TimerChunk {
  static constexpr std::size_t bytes = 64;
  static constexpr std::size_t size = bytes / sizeof(void*) - 1;

  static TimerChunk& of(TimerNode** slot) noexcept {
    return *reinterpret_cast<TimerChunk*>(reinterpret_cast<std::uintptr_t>(slot) & ~(bytes - 1));
  }
  /// Behind the last slot of a chunk; null, too.
  static bool outside(TimerNode** slot) noexcept {
    return reinterpret_cast<std::uintptr_t>(slot) % bytes == 0;
  }
  bool empty() const noexcept {
    for (const TimerNode* timer : slots)
      if (timer != nullptr) return false;
    return true;
  }

  TimerChunk* next;
  TimerNode* slots[size];
};
static_assert(sizeof(TimerChunk) == TimerChunk::bytes);

/// The chunks of many queues, close together. Some are kept for the next to need them.
class TimerChunks {
 public:
  TimerChunks() noexcept = default;
  TimerChunks(const TimerChunks&) = delete;
  TimerChunks& operator=(const TimerChunks&) = delete;
  ~TimerChunks() {
    while (count_ > 0) slabs_.giveBack(&pop(), sizeof(TimerChunk));
  }
  /// Sees to it that `take` can be called so many times. Throws std::bad_alloc.
  void reserve(std::size_t count) {
    while (count_ < count) push(*::new (slabs_.take(sizeof(TimerChunk))) TimerChunk);
  }
  TimerChunk& take() noexcept { return *::new (&pop()) TimerChunk{}; }
  void giveBack(TimerChunk& chunk) noexcept {
    if (count_ == kept) return slabs_.giveBack(&chunk, sizeof(TimerChunk));
    push(chunk);
  }

 private:
  static constexpr std::size_t kept = 64;

  void push(TimerChunk& chunk) noexcept {
    chunk.next = spare_;
    spare_ = &chunk;
    ++count_;
  }
  TimerChunk& pop() noexcept {
    TimerChunk& chunk = *spare_;
    spare_ = chunk.next;
    --count_;
    return chunk;
  }

  FrameSlabs slabs_;
  TimerChunk* spare_ = nullptr;
  std::size_t count_ = 0;
};

/// A queue that its timers may leave out of turn. They leave holes; chunks that are nothing but holes
/// are given back when there are many, because looking at once would cost more than the rest.
class TimerQueue {
 public:
  TimerQueue() noexcept = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  /// The first timer or null.
  TimerNode* first(TimerChunks& chunks) noexcept {
    if (count_ == 0) return nullptr;
    while (*begin_ == nullptr) advance(chunks);
    return *begin_;
  }
  void pushBack(TimerNode& timer, TimerChunks& chunks) noexcept {
    if (TimerChunk::outside(end_)) addChunk(chunks);
    *end_ = &timer;
    timer.slot = end_++;
    timer.queue = this;
    ++count_;
  }
  /// Takes out a timer. `left` must follow.
  static TimerQueue& leave(TimerNode& timer) noexcept {
    *timer.slot = nullptr;
    timer.slot = nullptr;
    return *timer.queue;
  }
  /// A timer has left.
  void left(TimerChunks& chunks) noexcept {
    ++holes_;
    if (--count_ == 0) {
      rewind(chunks);
    } else if (holes_ > holesAllowed_) {
      dropChunks(chunks);
    }
  }
  /// The first timer was taken out, and `first` is called again soon.
  void leftInTurn() noexcept { --count_; }
  /// Has the memory fetched that `pushBack` writes to.
  LEAT_ALWAYS_INLINE void prefetchEnd() const noexcept { __builtin_prefetch(end_, 1); }
  /// The same for a timer some places behind the first.
  LEAT_ALWAYS_INLINE void prefetch() const noexcept {
    if (const TimerChunk* next = TimerChunk::of(begin_).next) {
      __builtin_prefetch(next->next);
      __builtin_prefetch(next->slots[begin_ - TimerChunk::of(begin_).slots]);
    }
  }
  /// Lets go of all timers and of all memory.
  void release(TimerChunks& chunks) noexcept;

 private:
  void advance(TimerChunks& chunks) noexcept;
  void addChunk(TimerChunks& chunks) noexcept;
  void rewind(TimerChunks& chunks) noexcept;
  void dropChunks(TimerChunks& chunks) noexcept;

  static constexpr std::uint32_t fewHoles = 16;

  TimerNode** end_ = nullptr;    // for the next timer; outside of a chunk or null: there is no room
  TimerNode** begin_ = nullptr;  // nothing but holes before it
  // Not `count_` beside `holes_`: compilers would load both with one instruction, which waits for the stores
  // of each to have left the processor, and so for every miss of the cache before them.
  std::uint32_t holes_ = 0;  // made since chunks were looked at
  std::uint32_t holesAllowed_ = fewHoles;
  std::uint32_t count_ = 0;
};

inline TimerNode::~TimerNode() {
  if (!linked()) return;
  *slot = nullptr;
  if (queue != nullptr) queue->leftInTurn();
}

#if LEAT_BODIES
LEAT_NOINLINE LEAT_INLINE void TimerQueue::addChunk(TimerChunks& chunks) noexcept {
  if (end_ != nullptr && count_ == 0) return rewind(chunks);
  TimerChunk& chunk = chunks.take();
  if (end_ == nullptr) {
    begin_ = chunk.slots;
  } else {
    TimerChunk::of(end_ - 1).next = &chunk;
  }
  end_ = chunk.slots;
}

LEAT_INLINE void TimerQueue::advance(TimerChunks& chunks) noexcept {
  if (!TimerChunk::outside(++begin_)) return;
  TimerChunk& passed = TimerChunk::of(begin_ - 1);
  begin_ = passed.next->slots;
  chunks.giveBack(passed);
}

/// Without timers: starts anew in the last chunk.
LEAT_INLINE void TimerQueue::rewind(TimerChunks& chunks) noexcept {
  TimerChunk* chunk = &TimerChunk::of(begin_);
  while (TimerChunk* next = chunk->next) {
    chunks.giveBack(*chunk);
    chunk = next;
  }
  begin_ = end_ = chunk->slots;
  holes_ = 0;
  holesAllowed_ = fewHoles;
}

/// Gives back what is empty: at the front, where most holes are, else all. The holes pay for the time that
/// takes, and what it leaves over is in proportion to what it keeps.
LEAT_NOINLINE LEAT_INLINE void TimerQueue::dropChunks(TimerChunks& chunks) noexcept {
  std::uint32_t passed = 0;
  for (; *begin_ == nullptr; ++passed) advance(chunks);
  if (passed >= holesAllowed_ / 2) {
    holes_ = passed < holes_ ? holes_ - passed : 0;
    return;
  }
  TimerChunk* kept = &TimerChunk::of(begin_);
  std::uint32_t count = 1;
  while (TimerChunk* chunk = kept->next) {
    TimerChunk* next = chunk->next;
    if (next != nullptr && chunk->empty()) {
      kept->next = next;
      chunks.giveBack(*chunk);
    } else {
      kept = chunk;
      ++count;
    }
  }
  holes_ = 0;
  const std::uint32_t half = count * (TimerChunk::size / 2);
  holesAllowed_ = half < fewHoles ? fewHoles : half;
}

LEAT_INLINE void TimerQueue::release(TimerChunks& chunks) noexcept {
  if (end_ == nullptr) return;
  for (TimerChunk* chunk = &TimerChunk::of(begin_); chunk != nullptr;) {
    for (TimerNode* timer : chunk->slots)
      if (timer != nullptr) timer->slot = nullptr;
    TimerChunk* next = chunk->next;
    chunks.giveBack(*chunk);
    chunk = next;
  }
  begin_ = end_ = nullptr;
  count_ = holes_ = 0;
  holesAllowed_ = fewHoles;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
