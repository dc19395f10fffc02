// SPDX-License-Identifier: MIT
// The lists of timers: one for each duration, in a heap by expiry and in a table by duration.
#pragma once

#include <leat/base/heap.hpp>
#include <leat/loop/timer_table.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

/// A list that Node would delete stays behind, dead, until its place in the heap comes up or dead lists
/// are the majority: starting and clearing touches the heap only when the duration is new. For the same
/// reason an entry of the heap may hold an older key than its list; it is put right when it surfaces.
class TimerHeap {
 public:
  TimerHeap() noexcept = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;
  ~TimerHeap();

  /// Sees to it that so many timers can be put in lists, each in one of its own.
  /// Throws std::bad_alloc.
  void reserve(std::uint32_t timers);

  /// How many lists there are, dead ones too.
  std::size_t size() const noexcept { return heap_.size(); }
  TimerChunks& chunks() noexcept { return chunks_; }
  void prefetch(std::int32_t durationMs) const noexcept { table_.prefetch(durationMs); }
  /// Null: there is none. It may be dead.
  TimerList* find(std::int32_t durationMs) const noexcept { return table_.find(durationMs); }
  /// A live list for a duration that has none. `reserve` has seen to the memory.
  TimerList& obtain(std::int32_t durationMs, std::int64_t expiry) noexcept;
  void revive(TimerList& list, std::int64_t expiry) noexcept {
    list.live = true;
    --dead_;
    makeAnew(list, expiry);
  }
  /// As if it had been given up and another had come.
  void makeAnew(TimerList& list, std::int64_t expiry) noexcept;
  void drop(TimerList& list) noexcept {
    list.live = false;
    ++dead_;
    if (dead_ > 64 && dead_ * 2 > heap_.size()) sweep();
  }
  void rearm(TimerList& list, std::int64_t expiry) noexcept;

  /// The live list with the first expiry, or null.
  TimerList* first() noexcept;
  /// False: no list is due. True: one may be.
  bool mayBeDue(std::int64_t nowMs) noexcept { return !heap_.empty() && heap_[0].expiry <= nowMs; }

 private:
  struct Entry {
    std::int64_t expiry;
    std::uint64_t id;
    TimerList* list;
  };
  struct Order {
    static bool before(const Entry& a, const Entry& b) noexcept {
      return a.expiry != b.expiry ? a.expiry < b.expiry : a.id < b.id;
    }
    static void moved(Entry& entry, std::size_t position) noexcept {
      entry.list->position = static_cast<std::uint32_t>(position);
    }
  };
  static constexpr std::size_t listsPerBlock = 32;
  struct Block {
    Block* next = nullptr;
    TimerList lists[listsPerBlock];
  };

  void sweep() noexcept;
  void addBlock();
  void forget(TimerList& list) noexcept;

  TimerTable table_;
  TimerChunks chunks_;
  Heap<Entry, Order> heap_;
  std::size_t dead_ = 0;
  std::uint64_t nextId_ = 0;
  TimerList* free_ = nullptr;
  std::size_t freeCount_ = 0;
  Block* blocks_ = nullptr;  // freed only at the end: a stale list is safe to look at
};

#if LEAT_BODIES
LEAT_INLINE TimerHeap::~TimerHeap() {
  for (std::size_t i = 0; i < heap_.size(); ++i) heap_[i].list->timers.release(chunks_);
  while (blocks_ != nullptr) {
    Block* block = blocks_;
    blocks_ = block->next;
    delete block;
  }
}

LEAT_NOINLINE LEAT_INLINE void TimerHeap::reserve(std::uint32_t timers) {
  chunks_.reserve(timers);
  while (freeCount_ < timers) addBlock();
  heap_.reserve(heap_.size() + timers);
  table_.reserve(heap_.size() + timers);
}

LEAT_INLINE TimerList& TimerHeap::obtain(std::int32_t durationMs, std::int64_t expiry) noexcept {
  TimerList& list = *free_;
  heap_.push(Entry{expiry, nextId_, &list});
  free_ = list.nextFree;
  --freeCount_;
  list.durationMs = durationMs;
  list.expiry = expiry;
  list.id = nextId_++;
  list.live = true;
  table_.add(list);
  return list;
}

LEAT_INLINE void TimerHeap::makeAnew(TimerList& list, std::int64_t expiry) noexcept {
  list.expiry = expiry;
  list.id = nextId_++;
  // Later than the heap believes is put right when the entry surfaces; sooner must be put right now.
  if (expiry < heap_[list.position].expiry)
    heap_.update(list.position, Entry{expiry, list.id, &list});
}

LEAT_INLINE void TimerHeap::rearm(TimerList& list, std::int64_t expiry) noexcept {
  list.expiry = expiry;
  list.id = nextId_++;
  heap_.update(list.position, Entry{expiry, list.id, &list});
}

LEAT_INLINE TimerList* TimerHeap::first() noexcept {
  while (!heap_.empty()) {
    const Entry top = heap_[0];
    TimerList& list = *top.list;
    if (!list.live) {
      heap_.removeAt(0);
      forget(list);
      --dead_;
    } else if (top.id != list.id) {
      heap_.update(0, Entry{list.expiry, list.id, &list});
    } else {
      return &list;
    }
  }
  return nullptr;
}

LEAT_INLINE void TimerHeap::sweep() noexcept {
  heap_.removeIf([this](const Entry& entry) {
    if (entry.list->live) return false;
    forget(*entry.list);
    return true;
  });
  dead_ = 0;
}

LEAT_INLINE void TimerHeap::addBlock() {
  auto* block = new Block;
  block->next = blocks_;
  blocks_ = block;
  for (std::size_t i = listsPerBlock; i-- > 0;) {
    block->lists[i].nextFree = free_;
    free_ = &block->lists[i];
  }
  freeCount_ += listsPerBlock;
}

/// Keeps a list that has left the heap for another duration.
LEAT_INLINE void TimerHeap::forget(TimerList& list) noexcept {
  table_.remove(list);
  list.timers.release(chunks_);
  list.nextFree = free_;
  free_ = &list;
  ++freeCount_;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
