// SPDX-License-Identifier: MIT
// Node's timers as a data structure: a list for each duration, a heap of the lists by expiry, a hash
// from duration to list. Its order is a contract, because programs see it (lib/internal/timers.js).
#pragma once

#include <leat/loop/timer_heap.hpp>
#include <leat/loop/timer_starts.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// Times are whole milliseconds of one clock: starts rounded up and the `now` of `process` rounded
/// down, so that no timer fires early. Durations are at least 1.
///
/// A start is only written down until somebody looks at the lists: many timers are cleared before, and
/// never come near them. With few durations that is soon, while the timers are in the cache; with many
/// the lists are not in the cache. For the same reason what is cleared out of them waits in a ring while
/// memory is fetched. Of starts and ring one is empty, so that everything happens in the order in which
/// it was asked for.
///
/// Of a start that was cleared it stays written down when that was, because it shows: the list may have come
/// with it, and was not given up before. This is forgotten when no start waits any more, when the lists are
/// brought up to date, and before memory is taken for more starts than wait.
class TimerLists {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  TimerLists() noexcept = default;
  TimerLists(const TimerLists&) = delete;
  TimerLists& operator=(const TimerLists&) = delete;
  ~TimerLists();

  /// Starts `timer`, or starts it again when it waits already (Node's `refresh`): then it answers false.
  /// Throws std::bad_alloc, and then has not changed. When many are started at once the lists' own memory
  /// is asked for later: what there is none for then waits until there is.
  bool insert(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs);
  /// The same for one that is known not to wait.
  void insertNew(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs);
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
  /// When `over()` the rest stays where it is.
  template <class Fire, class Between, class Over>
  void process(std::int64_t nowMs, Fire&& fire, Between&& between, Over&& over);
  template <class Fire, class Between>
  void process(std::int64_t nowMs, Fire&& fire, Between&& between) {
    process(nowMs, fire, between, [] { return false; });
  }

 private:
  template <class Fire, class Between, class Over>
  bool processList(TimerList& list, std::int64_t nowMs, Fire& fire, Between& between, Over& over);
  TimerList* due(std::int64_t nowMs) noexcept;

  void settle() noexcept;
  void placeStarts() noexcept;
  std::uint32_t placeSome(TimerStart* from, TimerStart* to, std::uint32_t number) noexcept;
  void place(const TimerStart& start, TimerList* hint, std::uint32_t number) noexcept;
  TimerList& listFor(std::int32_t durationMs, TimerList* hint, std::int64_t expiry,
                     std::uint32_t number) noexcept;
  void giveUpOutlived() noexcept;
  void startAgain(TimerNode& timer, std::int32_t durationMs, std::int64_t startMs);
  void clearStarted(TimerNode& timer) noexcept;
  void clearOldest() noexcept;
  void makeRoom();
  void open() noexcept {
    if (credit_ >= TimerStarts::few) starts_.open();
  }
  void reserve();
  bool hasCredit() noexcept;

  static constexpr std::uint32_t reserved = 2 * TimerStarts::few;

  TimerStarts starts_;
  // 0: if the timer that was started last were cleared now, no trace would be left of it. Otherwise a pass is
  // in progress, there may be a live list without timers, or this many starts have no timer any more.
  std::uint32_t traces_ = 0;
  static constexpr std::uint32_t processing = std::uint32_t{1} << 31;
  static constexpr std::uint32_t emptyLive = std::uint32_t{1} << 30;
  static constexpr std::uint32_t clearedStarts = emptyLive - 1;
  std::uint32_t credit_ = 0;       // for so many starts the lists have memory
  TimerList* last_ = nullptr;      // the list used last: most programs use few durations
  TimerList* outlived_ = nullptr;  // lists that a cleared start was in, through `nextFree`
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

  TimerHeap lists_;
  // Chosen to fire after the drain in progress, though it may have gone meanwhile.
  TimerNode* next_ = nullptr;
  std::int64_t passMs_ = 0;  // the `nowMs` of the pass
};

#if LEAT_BODIES
LEAT_INLINE TimerLists::~TimerLists() {
  settle();
  while (TimerNode* timer = starts_.takeAny()) static_cast<void>(timer);
}

// ---- starting and clearing ----

LEAT_INLINE bool TimerLists::insert(TimerNode& timer, std::int32_t durationMs,
                                    std::int64_t startMs) {
  const bool waits = timer.linked();
  waits ? startAgain(timer, durationMs, startMs) : insertNew(timer, durationMs, startMs);
  return !waits;
}

LEAT_INLINE void TimerLists::insertNew(TimerNode& timer, std::int32_t durationMs,
                                       std::int64_t startMs) {
  if (starts_.full()) makeRoom();
  starts_.add(timer, durationMs);
  timer.startMs = startMs;
  timer.durationMs = durationMs;
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::makeRoom() {
  if (!starts_.empty()) {
    const std::uint32_t count = starts_.count();
    // Those that were destroyed nobody has counted.
    if (starts_.fourfold()) traces_ = (traces_ & ~clearedStarts) | starts_.forget(0);
    const bool mostWait = (traces_ & clearedStarts) * 2 < count && count < clearedStarts / 4;
    if (mostWait && starts_.spread() && starts_.grow()) return;
  }
  settle();
  if (credit_ < TimerStarts::few) reserve();
  starts_.open();
  if (starts_.full() && !starts_.grow()) throw std::bad_alloc();
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::startAgain(TimerNode& timer, std::int32_t durationMs,
                                                      std::int64_t startMs) {
  settle();
  while (credit_ <= TimerStarts::few || timer.queue == nullptr) {
    reserve();
    settle();
    open();
  }
  // One that fires now anyway is not started again, as in Node. What has come in its place is not due.
  if (&timer == next_ && timer.durationMs == durationMs && passMs_ - timer.startMs >= durationMs)
    return;
  TimerQueue& queue = TimerQueue::leave(timer);
  queue.left(lists_.chunks());
  timer.startMs = startMs;
  // The list that it was in is alive, also when that was all it had.
  TimerList* list = &TimerList::of(queue);
  if (timer.durationMs != durationMs) list = &listFor(durationMs, nullptr, startMs + durationMs, 0);
  timer.durationMs = durationMs;
  list->timers.pushBack(timer, lists_.chunks());
  --credit_;
  if (queue.empty()) traces_ |= emptyLive;
}

/// Brings the lists up to date.
LEAT_NOINLINE LEAT_INLINE void TimerLists::settle() noexcept {
  while (cleared_ != settled_) clearOldest();
  if (!starts_.empty()) placeStarts();
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::placeStarts() noexcept {
  std::uint32_t placed = 0;
  starts_.forEach([&](TimerStart* from, TimerStart* to) {
    const std::uint32_t some = placeSome(from, to, placed);
    placed += some;
    return from + some == to;
  });
  giveUpOutlived();
  traces_ &= ~clearedStarts;
  if (placed == starts_.count()) {
    starts_.clear();
    open();
  } else {
    traces_ |= starts_.forget(placed);
  }
}

/// How many it had memory for.
LEAT_INLINE std::uint32_t TimerLists::placeSome(TimerStart* from, TimerStart* to,
                                                std::uint32_t number) noexcept {
  constexpr std::size_t manyLists = 512;
  TimerList* hints[TimerStarts::few];
  const bool far = lists_.size() >= manyLists;
  const auto count = static_cast<std::uint32_t>(to - from);
  // Each stage touches what the one before has had fetched.
  if (far) {
    for (std::uint32_t i = 0; i < count; ++i) {
      lists_.prefetch(from[i].durationMs);
      if (from[i].waits()) __builtin_prefetch(from[i].timer, 1);
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      hints[i] = lists_.find(from[i].durationMs);
      if (hints[i] != nullptr) __builtin_prefetch(hints[i], 1);
    }
    for (std::uint32_t i = 0; i < count; ++i)
      if (hints[i] != nullptr) hints[i]->timers.prefetchEnd();
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (from[i].nothing()) continue;
    if (!hasCredit()) return i;
    --credit_;
    place(from[i], far ? hints[i] : last_, number + i);
  }
  return count;
}

LEAT_INLINE void TimerLists::place(const TimerStart& start, TimerList* hint,
                                   std::uint32_t number) noexcept {
  if (start.clearedAt == 0) {
    TimerNode& timer = *start.timer;
    TimerList& list = listFor(start.durationMs, hint, timer.startMs + start.durationMs, number);
    list.timers.pushBack(timer, lists_.chunks());
    return;
  }
  TimerList& list = listFor(start.durationMs, hint, start.startMs + start.durationMs, number);
  if (list.givenUpAt < start.clearedAt) list.givenUpAt = start.clearedAt;
  if (list.outlived) return;
  list.outlived = true;
  list.nextFree = std::exchange(outlived_, &list);
}

/// The list for the start with that number.
LEAT_INLINE TimerList& TimerLists::listFor(std::int32_t durationMs, TimerList* list,
                                           std::int64_t expiry, std::uint32_t number) noexcept {
  if (list == nullptr || list->durationMs != durationMs) list = lists_.find(durationMs);
  if (list == nullptr) {
    list = &lists_.obtain(durationMs, expiry);
  } else if (!list->live) {
    lists_.revive(*list, expiry);
  } else if (list->outlived && list->givenUpAt <= number && list->timers.empty()) {
    lists_.makeAnew(*list, expiry);
  }
  last_ = list;
  return *list;
}

LEAT_INLINE void TimerLists::giveUpOutlived() noexcept {
  while (outlived_ != nullptr) {
    TimerList& list = *std::exchange(outlived_, outlived_->nextFree);
    list.outlived = false;
    list.givenUpAt = 0;
    if (list.timers.empty()) lists_.drop(list);
  }
}

LEAT_INLINE void TimerLists::remove(TimerNode& timer, bool refed) noexcept {
  if (!timer.linked()) return;
  if (timer.queue == nullptr && refed) {
    if (traces_ == 0 && starts_.isLast(timer)) return starts_.takeBack(timer);
    return clearStarted(timer);
  }
  if (!starts_.empty()) settle();
  if (timer.queue == nullptr) return clearStarted(timer);
  __builtin_prefetch(timer.slot, 1);
  __builtin_prefetch(timer.queue, 1);
  clearedRing_[cleared_++ % clearedSize] = {std::exchange(timer.slot, nullptr), timer.queue, refed};
  if (starts_.empty()) starts_.close();
  if (cleared_ - settled_ == clearedSize) clearOldest();
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::clearStarted(TimerNode& timer) noexcept {
  TimerStart& start = TimerStart::of(std::exchange(timer.slot, nullptr));
  start.startMs = timer.startMs;
  start.clearedAt = starts_.count();
  ++traces_;
  // As if none of them had been started.
  if (traces_ != starts_.count()) return;
  traces_ = 0;
  starts_.clear();
  open();
}

LEAT_NOINLINE LEAT_INLINE void TimerLists::clearOldest() noexcept {
  const Cleared entry = clearedRing_[settled_++ % clearedSize];
  *entry.slot = nullptr;
  entry.queue->left(lists_.chunks());
  if (!entry.queue->empty()) return;
  if (entry.refed) {
    lists_.drop(TimerList::of(*entry.queue));
  } else {
    traces_ |= emptyLive;
  }
}

LEAT_INLINE void TimerLists::removeFiring(const TimerNode& timer, bool refed) noexcept {
  settle();
  TimerList* list = refed && !timer.linked() ? lists_.find(timer.durationMs) : nullptr;
  if (list != nullptr && list->live && list->timers.empty()) lists_.drop(*list);
}

// ---- firing ----

LEAT_INLINE std::int64_t TimerLists::nextExpiry() noexcept {
  settle();
  const TimerList* list = lists_.first();
  if (list == nullptr) traces_ &= ~emptyLive;
  const std::int64_t expiry = list != nullptr ? list->expiry : never;
  if (starts_.empty()) return expiry;
  const std::int64_t unplaced = starts_.earliest();
  return unplaced < expiry ? unplaced : expiry;
}

LEAT_NOINLINE LEAT_INLINE TimerNode* TimerLists::takeAny() noexcept {
  settle();
  while (TimerList* list = lists_.first()) {
    if (TimerNode* timer = list->timers.first(lists_.chunks())) {
      TimerQueue::leave(*timer).leftInTurn();
      return timer;
    }
    lists_.drop(*list);
  }
  return starts_.takeAny();
}

LEAT_INLINE TimerList* TimerLists::due(std::int64_t nowMs) noexcept {
  settle();
  if (!lists_.mayBeDue(nowMs)) return nullptr;
  TimerList* list = lists_.first();
  return list != nullptr && list->expiry <= nowMs ? list : nullptr;
}

// ---- memory ----

LEAT_INLINE void TimerLists::reserve() {
  lists_.reserve(reserved);
  credit_ = reserved;
}

LEAT_INLINE bool TimerLists::hasCredit() noexcept {
  if (credit_ != 0) return true;
  try {
    reserve();
    return true;
  } catch (...) {
    return false;
  }
}
#endif

template <class Fire, class Between, class Over>
void TimerLists::process(std::int64_t nowMs, Fire&& fire, Between&& between, Over&& over) {
  bool ran = false;
  passMs_ = nowMs;
  const std::uint32_t nested = traces_ & processing;
  traces_ |= processing;
  while (TimerList* list = over() ? nullptr : due(nowMs)) {
    if (ran) {
      const std::uint64_t id = list->id;
      between();
      settle();
      if (!list->live || list->id != id) continue;
    }
    ran = processList(*list, nowMs, fire, between, over);
  }
  traces_ = (traces_ & ~processing) | nested;
}

/// False when a callback threw: the pass begins anew, as Node's does. `nowMs` stays the same through
/// the pass, so that a timer started in it waits for another turn.
template <class Fire, class Between, class Over>
bool TimerLists::processList(TimerList& list, std::int64_t nowMs, Fire& fire, Between& between,
                             Over& over) {
  const std::uint64_t id = list.id;
  const auto isDue = [&](const TimerNode& timer) {
    return nowMs - timer.startMs >= list.durationMs;
  };
  bool ran = false;
  while (TimerNode* timer = list.timers.first(lists_.chunks())) {
    if (!isDue(*timer)) {
      lists_.rearm(list, timer->startMs + list.durationMs);
      return true;
    }
    if (ran) {
      next_ = timer;
      between();
      next_ = nullptr;
      settle();
      // What ran may have given up this list, and its memory may hold another one now.
      if (!list.live || list.id != id) return true;
      if (list.timers.first(lists_.chunks()) != timer || !isDue(*timer)) continue;
    }
    if (over()) return true;
    ran = true;
    list.timers.prefetch();
    TimerQueue::leave(*timer).leftInTurn();
    const bool went = fire(*timer);
    settle();
    if (!went) return false;
    if (!list.live || list.id != id) return true;
  }
  lists_.drop(list);
  return true;
}

}  // namespace leat::inline LEAT_ABI::detail
