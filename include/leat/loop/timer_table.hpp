// SPDX-License-Identifier: MIT
// From a duration to the list of its timers.
#pragma once

#include <leat/loop/timer_queue.hpp>

#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

/// The timers of one duration, oldest start first.
struct alignas(64) TimerList {
  TimerQueue timers;
  std::int64_t expiry = 0;
  std::uint64_t id = 0;  // never used twice; of two lists with one expiry the younger is second
  std::uint32_t position = 0;
  std::uint32_t givenUpAt = 0;  // see `outlived`
  std::int32_t durationMs = 0;  // 0 when it is in no table
  bool live = false;  // Node has such a list. A dead one is only kept for the next timer to use.
  // Only while starts are put in lists: a cleared one was in it. Left without timers it was given up
  // before the start with the number `givenUpAt`.
  bool outlived = false;
  TimerList* nextFree = nullptr;

  /// `timers` is the first member.
  static TimerList& of(TimerQueue& timers) noexcept { return reinterpret_cast<TimerList&>(timers); }
};
static_assert(std::is_standard_layout_v<TimerList>);

/// Open addressing, at most half full. The key beside the pointer saves a look at other lists.
class TimerTable {
 public:
  TimerTable() noexcept = default;
  TimerTable(const TimerTable&) = delete;
  TimerTable& operator=(const TimerTable&) = delete;
  ~TimerTable() { delete[] table_; }

  /// Sees to it that there is room for so many lists. Throws std::bad_alloc, and then has not changed.
  void reserve(std::size_t lists) {
    while (table_ == nullptr || lists * 2 > mask_ + 1) grow();
  }
  LEAT_ALWAYS_INLINE void prefetch(std::int32_t durationMs) const noexcept {
    __builtin_prefetch(&table_[slotOf(durationMs)]);
  }
  TimerList* find(std::int32_t durationMs) const noexcept {
    if (table_ == nullptr) return nullptr;
    for (std::size_t slot = slotOf(durationMs);; slot = (slot + 1) & mask_) {
      const Slot& entry = table_[slot];
      if (entry.list == nullptr || entry.durationMs == durationMs) return entry.list;
    }
  }
  void add(TimerList& list) noexcept {
    std::size_t slot = slotOf(list.durationMs);
    while (table_[slot].list != nullptr) slot = (slot + 1) & mask_;
    table_[slot] = {&list, list.durationMs};
  }
  void remove(TimerList& list) noexcept;

 private:
  struct Slot {
    TimerList* list = nullptr;
    std::int32_t durationMs = 0;
  };
  std::size_t slotOf(std::int32_t durationMs) const noexcept {
    return (static_cast<std::uint32_t>(durationMs) * 0x9e3779b1U) >> shift_;
  }
  void grow();

  Slot* table_ = nullptr;
  std::size_t mask_ = 0;
  int shift_ = 32;
};

#if LEAT_BODIES
LEAT_INLINE void TimerTable::grow() {
  const std::size_t before = table_ == nullptr ? 0 : mask_ + 1;
  const std::size_t size = before == 0 ? 64 : before * 2;
  Slot* old = table_;
  table_ = new Slot[size];
  mask_ = size - 1;
  shift_ = 32 - __builtin_ctzll(size);
  for (std::size_t i = 0; i < before; ++i)
    if (old[i].list != nullptr) add(*old[i].list);
  delete[] old;
}

/// The entries behind it move up, as linear probing needs.
LEAT_INLINE void TimerTable::remove(TimerList& list) noexcept {
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
  list.durationMs = 0;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
