// SPDX-License-Identifier: MIT
// Node's timers as a data structure: a list for each duration, a heap of the lists by expiry, a hash
// from duration to list. Its order is a contract, because programs see it (lib/internal/timers.js).
#pragma once

#include <leat/base/heap.hpp>
#include <leat/base/list.hpp>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

struct TimerList;

/// A timer; linked while it waits. Destroyed early it leaves its list, but clear it with `remove`:
/// that is what keeps Node's order.
struct TimerNode : ListNode {
  std::int64_t startMs = 0;
  std::int32_t durationMs = 0;
  std::uint32_t ownerState = 0;  // not looked at here; it would be padding otherwise
};

/// The timers of one duration, oldest start first.
struct TimerList {
  List<TimerNode> timers;
  std::int64_t expiry = 0;
  std::uint64_t id = 0;  // never used twice; of two lists with one expiry the younger is second
  std::size_t position = 0;
  std::int32_t durationMs = 0;
  bool live = false;  // Node has such a list. A dead one is only kept for the next timer to use.
  TimerList* nextFree = nullptr;

  /// `timers` is the first member.
  static TimerList& of(List<TimerNode>& timers) noexcept {
    return reinterpret_cast<TimerList&>(timers);
  }
};
static_assert(std::is_standard_layout_v<TimerList>);

/// Times are whole milliseconds of one clock: starts rounded up and the `now` of `process` rounded
/// down, so that no timer fires early. Durations are at least 1.
///
/// A list that Node would delete stays behind, dead, until its place in the heap comes up or dead lists
/// are the majority: starting and clearing touches the heap only when the duration is new. For the same
/// reason an entry of the heap may hold an older key than its list; it is put right when it surfaces.
class TimerLists {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  TimerLists() noexcept = default;
  TimerLists(const TimerLists&) = delete;
  TimerLists& operator=(const TimerLists&) = delete;
  ~TimerLists();

  /// Starts `timer`, or starts it again when it waits already (Node's `refresh`).
  /// Throws std::bad_alloc when the duration is new; the timer is then not started.
  void insert(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs);
  /// Clears a waiting timer; nothing when it does not wait. `refed` tells whether it held the loop:
  /// as in Node, the list that it leaves empty is given up only then.
  void remove(TimerNode& timer, bool refed = true) noexcept;
  /// The same for a timer that is cleared while it fires: Node gives up the list then, too.
  void removeFiring(const TimerNode& timer, bool refed = true) noexcept;

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

  TimerList& obtain(std::int32_t durationMs, std::int64_t expiry);
  TimerList* find(std::int32_t durationMs) const noexcept;
  void growTable();
  void addBlock();
  void putInTable(TimerList& list) noexcept;
  void forget(TimerList& list) noexcept;
  std::size_t slotOf(std::int32_t durationMs) const noexcept {
    return (static_cast<std::uint32_t>(durationMs) * 0x9e3779b1U) >> shift_;
  }

  TimerList* last_ = nullptr;  // the list used last: most programs use few durations
  Heap<Entry, Order> heap_;
  std::size_t dead_ = 0;
  std::uint64_t nextId_ = 0;
  // Open addressing, at most half full. The key beside the pointer saves a look at other lists.
  struct Slot {
    TimerList* list = nullptr;
    std::int32_t durationMs = 0;
  };
  Slot* table_ = nullptr;
  std::size_t mask_ = 0;
  int shift_ = 32;
  TimerList* free_ = nullptr;
  Block* blocks_ = nullptr;  // freed only at the end: a stale list is safe to look at
};

inline TimerLists::~TimerLists() {
  delete[] table_;
  while (blocks_ != nullptr) {
    Block* block = blocks_;
    blocks_ = block->next;
    delete block;
  }
}

// ---- starting and clearing ----

inline void TimerLists::insert(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs) {
  TimerList* list = last_;
  if (list == nullptr || list->durationMs != durationMs) list = find(durationMs);
  if (list == nullptr) {
    list = &obtain(durationMs, startMs + durationMs);
  } else if (!list->live) {
    revive(*list, startMs + durationMs);
  }
  last_ = list;
  timer.unlink();
  timer.startMs = startMs;
  timer.durationMs = durationMs;
  list->timers.pushBack(timer);
}

inline void TimerLists::remove(TimerNode& timer, bool refed) noexcept {
  if (!timer.linked()) return;
  List<TimerNode>* emptied = List<TimerNode>::ifOnly(timer);
  timer.unlink();
  if (refed && emptied != nullptr) drop(TimerList::of(*emptied));
}

inline void TimerLists::removeFiring(const TimerNode& timer, bool refed) noexcept {
  TimerList* list = refed && !timer.linked() ? find(timer.durationMs) : nullptr;
  if (list != nullptr && list->live && list->timers.empty()) drop(*list);
}

inline void TimerLists::drop(TimerList& list) noexcept {
  list.live = false;
  ++dead_;
  if (dead_ > 64 && dead_ * 2 > heap_.size()) sweep();
}

inline void TimerLists::sweep() noexcept {
  heap_.removeIf([this](const Entry& entry) {
    if (entry.list->live) return false;
    forget(*entry.list);
    return true;
  });
  dead_ = 0;
}

inline void TimerLists::revive(TimerList& list, std::int64_t expiry) noexcept {
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
inline bool TimerLists::settleTop() noexcept {
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

inline std::int64_t TimerLists::nextExpiry() noexcept {
  return settleTop() ? heap_[0].expiry : never;
}

inline TimerList* TimerLists::due(std::int64_t nowMs) noexcept {
  if (heap_.empty() || heap_[0].expiry > nowMs) return nullptr;
  return settleTop() && heap_[0].expiry <= nowMs ? heap_[0].list : nullptr;
}

inline void TimerLists::rearm(TimerList& list, std::int64_t expiry) noexcept {
  list.expiry = expiry;
  list.id = nextId_++;
  heap_.update(list.position, Entry{expiry, list.id, &list});
}

template <class Fire, class Between>
void TimerLists::process(std::int64_t nowMs, Fire&& fire, Between&& between) {
  bool ran = false;
  while (TimerList* list = due(nowMs)) {
    if (ran) {
      const std::uint64_t id = list->id;
      between();
      if (!list->live || list->id != id) continue;
    }
    ran = processList(*list, nowMs, fire, between);
  }
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
  while (TimerNode* timer = list.timers.first()) {
    if (!isDue(*timer)) {
      rearm(list, timer->startMs + list.durationMs);
      return true;
    }
    if (ran) {
      between();
      // What ran may have given up this list, and its memory may hold another one now.
      if (!list.live || list.id != id) return true;
      if (list.timers.first() != timer || !isDue(*timer)) continue;
    }
    ran = true;
    list.timers.popFront();
    if (TimerNode* next = list.timers.first()) __builtin_prefetch(list.timers.after(*next));
    if (!fire(*timer)) return false;
    if (!list.live || list.id != id) return true;
  }
  drop(list);
  return true;
}

// ---- the lists ----

inline TimerList* TimerLists::find(std::int32_t durationMs) const noexcept {
  if (table_ == nullptr) return nullptr;
  for (std::size_t slot = slotOf(durationMs);; slot = (slot + 1) & mask_) {
    const Slot& entry = table_[slot];
    if (entry.list == nullptr || entry.durationMs == durationMs) return entry.list;
  }
}

/// A live list for a duration that has none. All memory is there before anything changes.
inline TimerList& TimerLists::obtain(std::int32_t durationMs, std::int64_t expiry) {
  if (free_ == nullptr) addBlock();
  if (table_ == nullptr || (heap_.size() + 1) * 2 > mask_ + 1) growTable();
  TimerList& list = *free_;
  heap_.push(Entry{expiry, nextId_, &list});
  free_ = list.nextFree;
  list.durationMs = durationMs;
  list.expiry = expiry;
  list.id = nextId_++;
  list.live = true;
  putInTable(list);
  return list;
}

inline void TimerLists::addBlock() {
  auto* block = new Block;
  block->next = blocks_;
  blocks_ = block;
  for (std::size_t i = listsPerBlock; i-- > 0;) {
    block->lists[i].nextFree = free_;
    free_ = &block->lists[i];
  }
}

inline void TimerLists::growTable() {
  const std::size_t size = table_ == nullptr ? 16 : (mask_ + 1) * 2;
  auto* table = new Slot[size];
  delete[] table_;
  table_ = table;
  mask_ = size - 1;
  shift_ = 32 - __builtin_ctzll(size);
  for (std::size_t i = 0; i < heap_.size(); ++i) putInTable(*heap_[i].list);
}

inline void TimerLists::putInTable(TimerList& list) noexcept {
  std::size_t slot = slotOf(list.durationMs);
  while (table_[slot].list != nullptr) slot = (slot + 1) & mask_;
  table_[slot] = {&list, list.durationMs};
}

/// Takes a list that has left the heap out of the table. The entries behind it move up, as linear
/// probing needs.
inline void TimerLists::forget(TimerList& list) noexcept {
  if (last_ == &list) last_ = nullptr;
  std::size_t hole = slotOf(list.durationMs);
  while (table_[hole].list != &list) hole = (hole + 1) & mask_;
  table_[hole] = {};
  for (std::size_t slot = (hole + 1) & mask_; table_[slot].list != nullptr;
       slot = (slot + 1) & mask_) {
    const std::size_t home = slotOf(table_[slot].durationMs);
    if (((slot - home) & mask_) < ((slot - hole) & mask_)) continue;
    table_[hole] = table_[slot];
    table_[slot] = {};
    hole = slot;
  }
  list.nextFree = free_;
  free_ = &list;
}

}  // namespace leat::inline LEAT_ABI::detail
