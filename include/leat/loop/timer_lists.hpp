// SPDX-License-Identifier: MIT
// Node's timers as a data structure: a list for each duration, a heap of the lists by expiry, a hash
// from duration to list. Its order is a contract, because programs see it (lib/internal/timers.js).
#pragma once

#include <leat/base/heap.hpp>
#include <leat/loop/timer_table.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// Times are whole milliseconds of one clock: starts rounded up and the `now` of `process` rounded
/// down, so that no timer fires early. Durations are at least 1.
///
/// A list that Node would delete stays behind, dead, until its place in the heap comes up or dead lists
/// are the majority: starting and clearing touches the heap only when the duration is new. For the same
/// reason an entry of the heap may hold an older key than its list; it is put right when it surfaces.
///
/// With many durations the lists are not in the cache. What was started or cleared last therefore waits
/// in a ring while memory is fetched, and nothing looks at the lists before `settle`. At any time one
/// of the rings is empty, so that everything happens in the order in which it was asked for.
class TimerLists {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  TimerLists() noexcept = default;
  TimerLists(const TimerLists&) = delete;
  TimerLists& operator=(const TimerLists&) = delete;
  ~TimerLists();

  /// Starts `timer`, or starts it again when it waits already (Node's `refresh`).
  /// Throws std::bad_alloc, and then has not changed.
  void insert(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs);
  /// Clears a waiting timer; nothing when it does not wait. `refed` tells whether it held the loop:
  /// as in Node, the list that it leaves empty is given up only then.
  void remove(TimerNode& timer, bool refed = true) noexcept;
  /// The same for a timer that is cleared while it fires: Node gives up the list then, too.
  void removeFiring(const TimerNode& timer, bool refed = true) noexcept;

  /// Takes out any timer, or gives null: for the end of a loop.
  TimerNode* takeAny() noexcept;

  /// When `process` has something to do; `never` when nothing waits.
  std::int64_t nextExpiry() noexcept;

  /// Calls `fire(TimerNode&)` for each timer due at `nowMs`, taken out of its list before, and
  /// `between()` between two of them, where Node drains its queues (the drain after the last is the
  /// caller's). `fire` answers false when the callback threw and the exception was dealt with: then
  /// the next timer fires without a drain between. Both may insert, remove and destroy timers.
  template <class Fire, class Between>
  void process(std::int64_t nowMs, Fire&& fire, Between&& between);

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
      entry.list->position = position;
    }
  };
  static constexpr std::size_t listsPerBlock = 32;
  struct Block {
    Block* next = nullptr;
    TimerList lists[listsPerBlock];
  };

  template <class Fire, class Between>
  bool processList(TimerList& list, std::int64_t nowMs, Fire& fire, Between& between);
  TimerList* due(std::int64_t nowMs) noexcept;
  bool settleTop() noexcept;
  void rearm(TimerList& list, std::int64_t expiry) noexcept;
  void drop(TimerList& list) noexcept;
  void sweep() noexcept;
  void revive(TimerList& list, std::int64_t expiry) noexcept;

  void settle() noexcept;
  void lookAhead(std::uint32_t waiting) noexcept;
  void placeOldest() noexcept;
  void place(TimerNode& timer, TimerList* hint) noexcept;
  void startAgain(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs) noexcept;
  bool takeBack(TimerNode& timer) noexcept;
  void clearOldest() noexcept;

  void reserve();
  TimerList& obtain(std::int32_t durationMs, std::int64_t expiry) noexcept;
  void addBlock();
  void forget(TimerList& list) noexcept;

  // Started, and not in a list yet: numbers placed_ to started_. Null: cleared by destruction.
  static constexpr std::uint32_t ringSize = 32;
  static constexpr std::uint32_t lookupDistance = 8;
  static constexpr std::uint32_t slotDistance = 16;
  static constexpr std::uint32_t placeDistance = 24;
  struct Started {
    TimerNode* timer;
    TimerList* hint;  // its list, if it still is that of the duration
  };
  std::uint32_t started_ = 0;
  std::uint32_t placed_ = 0;
  std::uint32_t credit_ = 0;  // how many starts there is memory for, besides those in the ring
  bool processing_ = false;
  bool emptyLive_ = false;     // there may be a live list without timers
  TimerList* last_ = nullptr;  // the list used last: most programs use few durations
  Started ring_[ringSize];
  // Cleared, and still in their slots, from where nobody may follow them.
  struct Cleared {
    TimerNode** slot;
    TimerQueue* queue;
    bool refed;
  };
  static constexpr std::uint32_t clearedSize = 16;
  std::uint32_t cleared_ = 0;
  std::uint32_t settled_ = 0;
  Cleared clearedRing_[clearedSize];

  TimerTable table_;
  TimerChunks chunks_;
  Heap<Entry, Order> heap_;
  std::size_t dead_ = 0;
  std::uint64_t nextId_ = 0;
  TimerList* free_ = nullptr;
  std::size_t freeCount_ = 0;
  Block* blocks_ = nullptr;  // freed only at the end: a stale list is safe to look at
  // Chosen to fire after the drain in progress, though it may have gone meanwhile.
  TimerNode* next_ = nullptr;
  std::int64_t passMs_ = 0;  // the `nowMs` of the pass
};

#if LEAT_BODIES
LEAT_INLINE TimerLists::~TimerLists() {
  settle();
  for (std::size_t i = 0; i < heap_.size(); ++i) heap_[i].list->timers.release(chunks_);
  while (blocks_ != nullptr) {
    Block* block = blocks_;
    blocks_ = block->next;
    delete block;
  }
}

// ---- starting and clearing ----

LEAT_INLINE void TimerLists::insert(TimerNode& timer, std::int32_t durationMs,
                                    std::int64_t startMs) {
  if (credit_ == 0) reserve();
  --credit_;
  if (timer.linked()) return startAgain(timer, durationMs, startMs);
  if (cleared_ != settled_) settle();
  Started& entry = ring_[started_++ % ringSize];
  entry = {&timer, last_};
  timer.slot = &entry.timer;
  timer.queue = nullptr;
  timer.startMs = startMs;
  timer.durationMs = durationMs;
  table_.prefetch(durationMs);
  if (started_ - placed_ > lookupDistance) lookAhead(started_ - placed_);
}

/// The stages on the way into a list, each of which touches what the one before has had fetched.
LEAT_NOINLINE LEAT_INLINE void TimerLists::lookAhead(std::uint32_t waiting) noexcept {
  Started& entry = ring_[(started_ - 1 - lookupDistance) % ringSize];
  if (entry.timer != nullptr) {
    if (entry.hint == nullptr || entry.hint->durationMs != entry.timer->durationMs)
      entry.hint = table_.find(entry.timer->durationMs);
    if (entry.hint != nullptr) __builtin_prefetch(entry.hint, 1);
  }
  if (waiting <= slotDistance) return;
  if (const TimerList* list = ring_[(started_ - 1 - slotDistance) % ringSize].hint)
    list->timers.prefetchEnd();
  if (waiting > placeDistance) placeOldest();
}

LEAT_INLINE void TimerLists::placeOldest() noexcept {
  const Started entry = ring_[placed_++ % ringSize];
  if (entry.timer != nullptr) place(*entry.timer, entry.hint);
}

LEAT_INLINE void TimerLists::place(TimerNode& timer, TimerList* list) noexcept {
  const std::int32_t durationMs = timer.durationMs;
  if (list == nullptr || list->durationMs != durationMs) list = table_.find(durationMs);
  if (list == nullptr) {
    list = &obtain(durationMs, timer.startMs + durationMs);
  } else if (!list->live) {
    revive(*list, timer.startMs + durationMs);
  }
  last_ = list;
  list->timers.pushBack(timer, chunks_);
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::startAgain(TimerNode& timer, std::int32_t durationMs,
                                                      std::int64_t startMs) noexcept {
  settle();
  // One that fires now anyway is not started again, as in Node. What has come in its place is not due.
  if (&timer == next_ && timer.durationMs == durationMs && passMs_ - timer.startMs >= durationMs)
    return;
  TimerQueue& queue = TimerQueue::leave(timer);
  queue.left(chunks_);
  timer.startMs = startMs;
  timer.durationMs = durationMs;
  place(timer, &TimerList::of(queue));
  if (queue.empty()) emptyLive_ = true;
}

/// Brings the lists up to date.
LEAT_NOINLINE LEAT_INLINE void TimerLists::settle() noexcept {
  while (cleared_ != settled_) clearOldest();
  while (started_ != placed_) placeOldest();
}

LEAT_INLINE void TimerLists::remove(TimerNode& timer, bool refed) noexcept {
  if (!timer.linked()) return;
  if (started_ != placed_) {
    if (refed && takeBack(timer)) return;
    settle();
  }
  __builtin_prefetch(timer.slot, 1);
  __builtin_prefetch(timer.queue, 1);
  clearedRing_[cleared_++ % clearedSize] = {std::exchange(timer.slot, nullptr), timer.queue, refed};
  if (cleared_ - settled_ == clearedSize) clearOldest();
}

/// Undoes the last start, if the lists would then be as if it had not been: they are, but for a list that
/// its coming would have filled and its going given up.
LEAT_INLINE bool TimerLists::takeBack(TimerNode& timer) noexcept {
  if (timer.slot != &ring_[(started_ - 1) % ringSize].timer || processing_ || emptyLive_)
    return false;
  timer.slot = nullptr;
  --started_;
  ++credit_;
  return true;
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::clearOldest() noexcept {
  const Cleared entry = clearedRing_[settled_++ % clearedSize];
  *entry.slot = nullptr;
  entry.queue->left(chunks_);
  if (!entry.queue->empty()) return;
  if (entry.refed) {
    drop(TimerList::of(*entry.queue));
  } else {
    emptyLive_ = true;
  }
}

LEAT_INLINE void TimerLists::removeFiring(const TimerNode& timer, bool refed) noexcept {
  settle();
  TimerList* list = refed && !timer.linked() ? table_.find(timer.durationMs) : nullptr;
  if (list != nullptr && list->live && list->timers.empty()) drop(*list);
}

LEAT_INLINE void TimerLists::drop(TimerList& list) noexcept {
  list.live = false;
  ++dead_;
  if (dead_ > 64 && dead_ * 2 > heap_.size()) sweep();
}

LEAT_INLINE void TimerLists::sweep() noexcept {
  heap_.removeIf([this](const Entry& entry) {
    if (entry.list->live) return false;
    forget(*entry.list);
    return true;
  });
  dead_ = 0;
}

LEAT_INLINE void TimerLists::revive(TimerList& list, std::int64_t expiry) noexcept {
  list.live = true;
  list.expiry = expiry;
  list.id = nextId_++;
  --dead_;
  // Later than the heap believes is put right when the entry surfaces; sooner must be put right now.
  if (expiry < heap_[list.position].expiry)
    heap_.update(list.position, Entry{expiry, list.id, &list});
}

// ---- firing ----

/// Whether there is a first entry; if so it is live and holds the key of its list.
LEAT_INLINE bool TimerLists::settleTop() noexcept {
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
      return true;
    }
  }
  return false;
}

LEAT_INLINE std::int64_t TimerLists::nextExpiry() noexcept {
  settle();
  if (settleTop()) return heap_[0].expiry;
  emptyLive_ = false;
  return never;
}

LEAT_NOINLINE LEAT_INLINE TimerNode* TimerLists::takeAny() noexcept {
  while (nextExpiry() != never) {
    TimerList& list = *heap_[0].list;
    if (TimerNode* timer = list.timers.first(chunks_)) {
      TimerQueue::leave(*timer).leftInTurn();
      return timer;
    }
    drop(list);
  }
  return nullptr;
}

LEAT_INLINE TimerList* TimerLists::due(std::int64_t nowMs) noexcept {
  settle();
  if (heap_.empty() || heap_[0].expiry > nowMs) return nullptr;
  return settleTop() && heap_[0].expiry <= nowMs ? heap_[0].list : nullptr;
}

LEAT_INLINE void TimerLists::rearm(TimerList& list, std::int64_t expiry) noexcept {
  list.expiry = expiry;
  list.id = nextId_++;
  heap_.update(list.position, Entry{expiry, list.id, &list});
}
#endif

template <class Fire, class Between>
void TimerLists::process(std::int64_t nowMs, Fire&& fire, Between&& between) {
  bool ran = false;
  passMs_ = nowMs;
  const bool nested = std::exchange(processing_, true);
  while (TimerList* list = due(nowMs)) {
    if (ran) {
      const std::uint64_t id = list->id;
      between();
      settle();
      if (!list->live || list->id != id) continue;
    }
    ran = processList(*list, nowMs, fire, between);
  }
  processing_ = nested;
}

/// False when a callback threw: the pass begins anew, as Node's does. `nowMs` stays the same through
/// the pass, so that a timer started in it waits for another turn.
template <class Fire, class Between>
bool TimerLists::processList(TimerList& list, std::int64_t nowMs, Fire& fire, Between& between) {
  const std::uint64_t id = list.id;
  const auto isDue = [&](const TimerNode& timer) {
    return nowMs - timer.startMs >= list.durationMs;
  };
  bool ran = false;
  while (TimerNode* timer = list.timers.first(chunks_)) {
    if (!isDue(*timer)) {
      rearm(list, timer->startMs + list.durationMs);
      return true;
    }
    if (ran) {
      next_ = timer;
      between();
      next_ = nullptr;
      settle();
      // What ran may have given up this list, and its memory may hold another one now.
      if (!list.live || list.id != id) return true;
      if (list.timers.first(chunks_) != timer || !isDue(*timer)) continue;
    }
    ran = true;
    list.timers.prefetch();
    TimerQueue::leave(*timer).leftInTurn();
    const bool went = fire(*timer);
    settle();
    if (!went) return false;
    if (!list.live || list.id != id) return true;
  }
  drop(list);
  return true;
}

// ---- the lists ----

#if LEAT_BODIES
/// Memory for so many starts that one in a ring has it, too.
LEAT_NOINLINE LEAT_INLINE void TimerLists::reserve() {
  constexpr std::size_t wanted = std::size_t{2} * ringSize;
  chunks_.reserve(wanted);
  while (freeCount_ < wanted) addBlock();
  heap_.reserve(heap_.size() + wanted);
  table_.reserve(heap_.size() + wanted);
  credit_ = ringSize;
}

/// A live list for a duration that has none. `reserve` has seen to the memory.
LEAT_INLINE TimerList& TimerLists::obtain(std::int32_t durationMs, std::int64_t expiry) noexcept {
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

LEAT_INLINE void TimerLists::addBlock() {
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
LEAT_INLINE void TimerLists::forget(TimerList& list) noexcept {
  if (last_ == &list) last_ = nullptr;
  table_.remove(list);
  list.timers.release(chunks_);
  list.nextFree = free_;
  free_ = &list;
  ++freeCount_;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
