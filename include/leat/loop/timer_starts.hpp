// SPDX-License-Identifier: MIT
// The timers that were started since anybody asked for their order. Many are cleared before that.
#pragma once

#include <leat/loop/timer_queue.hpp>

#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// One start. Without a timer and not cleared: it left no trace.
struct TimerStart {
  union {
    TimerNode* timer;
    std::int64_t startMs;  // of one that was cleared
  };
  std::int32_t durationMs;
  std::uint32_t clearedAt;  // so many starts there had been by then; 0: it waits

  /// `timer` is the first member.
  static TimerStart& of(TimerNode** slot) noexcept { return *reinterpret_cast<TimerStart*>(slot); }
  bool waits() const noexcept { return clearedAt == 0 && timer != nullptr; }
  bool nothing() const noexcept { return clearedAt == 0 && timer == nullptr; }
};
static_assert(std::is_standard_layout_v<TimerStart>);

/// Starts in their order: some here, the rest in blocks.
class TimerStarts {
 public:
  static constexpr std::uint32_t few = 32;

  TimerStarts() noexcept = default;
  TimerStarts(const TimerStarts&) = delete;
  TimerStarts& operator=(const TimerStarts&) = delete;
  ~TimerStarts() {
    clear();
    delete spare_;
  }

  bool empty() const noexcept { return next_ == few_; }
  /// No room for another, or `close` was called.
  bool full() const noexcept { return next_ == limit_; }
  std::uint32_t count() const noexcept {
    return before_ + static_cast<std::uint32_t>(next_ - begin_);
  }
  /// Needs room.
  void add(TimerNode& timer, std::int32_t durationMs) noexcept {
    TimerStart& start = *next_++;
    start.timer = &timer;
    start.durationMs = durationMs;
    start.clearedAt = 0;
    timer.slot = &start.timer;
    timer.queue = nullptr;
  }
  /// Whether a timer that is here was started last.
  bool isLast(const TimerNode& timer) const noexcept {
    return &TimerStart::of(timer.slot) + 1 == next_;
  }
  /// Takes back the last start.
  void takeBack(TimerNode& timer) noexcept {
    --next_;
    timer.slot = nullptr;
  }
  /// Has `full` answer true until `open`.
  void close() noexcept { limit_ = next_; }
  /// Room for `few`, if there are none.
  void open() noexcept {
    if (empty()) limit_ = few_ + few;
  }
  /// Another block. False: there is no memory.
  bool grow() noexcept;
  /// Whether many of the last durations differ. For when there is no room.
  bool spread() const noexcept;
  /// Whether there are about four times as many as when it answered true before. For when there is no room.
  bool fourfold() const noexcept {
    constexpr std::uint32_t powersOf4 = 0x55555555;
    const std::uint32_t blocks = count() / blockSize;
    return (blocks & (blocks - 1)) == 0 && (blocks & powersOf4) != 0;
  }
  /// Forgets all.
  void clear() noexcept;
  /// Forgets the first `count`. How many of all have no timer.
  std::uint32_t forget(std::uint32_t count) noexcept;
  /// Takes out any timer that waits, or gives null.
  TimerNode* takeAny() noexcept;
  /// When the first of those that wait is due.
  std::int64_t earliest() noexcept;

  /// Calls `f(from, to)` for stretches of at most `few`, in order, while it answers true.
  template <class F>
  bool forEach(F&& f) noexcept;

 private:
  static constexpr std::uint32_t blockSize = 1023;
  struct Block {
    Block* next = nullptr;
    TimerStart starts[blockSize];
  };

  TimerStart* next_ = few_;
  TimerStart* limit_ = few_;
  TimerStart* begin_ = few_;  // of those here, or of the last block
  std::uint32_t before_ = 0;  // so many starts are before it
  Block* blocks_ = nullptr;
  Block* last_ = nullptr;
  Block* spare_ = nullptr;  // kept for the next time
  TimerStart few_[few];
};

template <class F>
bool TimerStarts::forEach(F&& f) noexcept {
  TimerStart* from = few_;
  for (Block* block = blocks_;; block = block->next) {
    TimerStart* const end = from == begin_ ? next_ : from + (from == few_ ? few : blockSize);
    while (from != end) {
      TimerStart* const to = end - from > few ? from + few : end;
      if (!f(from, to)) return false;
      from = to;
    }
    if (block == nullptr) return true;
    from = block->starts;
  }
}

#if LEAT_BODIES
LEAT_INLINE bool TimerStarts::grow() noexcept {
  Block* block = std::exchange(spare_, nullptr);
  if (block == nullptr) block = new (std::nothrow) Block;
  if (block == nullptr) return false;
  before_ = count();
  (blocks_ == nullptr ? blocks_ : last_->next) = block;
  last_ = block;
  begin_ = next_ = block->starts;
  limit_ = next_ + blockSize;
  return true;
}

LEAT_INLINE bool TimerStarts::spread() const noexcept {
  std::uint64_t seen = 0;
  for (const TimerStart* start = next_ - few; start != next_; ++start)
    seen |=
        std::uint64_t{1} << ((static_cast<std::uint32_t>(start->durationMs) * 0x9e3779b1U) >> 26);
  return __builtin_popcountll(seen) * 2 >= static_cast<int>(few);
}

LEAT_INLINE void TimerStarts::clear() noexcept {
  next_ = limit_ = begin_ = few_;
  before_ = 0;
  while (blocks_ != nullptr) {
    Block* block = blocks_;
    blocks_ = block->next;
    block->next = nullptr;
    delete std::exchange(spare_, block);
  }
}

LEAT_INLINE std::uint32_t TimerStarts::forget(std::uint32_t count) noexcept {
  std::uint32_t without = 0;
  forEach([&](TimerStart* start, TimerStart* end) {
    for (; start != end && count > 0; ++start, --count, ++without) *start = {{nullptr}, 0, 0};
    for (; start != end; ++start) without += start->waits() ? 0 : 1;
    return true;
  });
  return without;
}

LEAT_INLINE TimerNode* TimerStarts::takeAny() noexcept {
  TimerNode* timer = nullptr;
  forEach([&](TimerStart* start, TimerStart* end) {
    while (start != end && !start->waits()) ++start;
    if (start == end) return true;
    timer = std::exchange(start->timer, nullptr);
    timer->slot = nullptr;
    return false;
  });
  return timer;
}

LEAT_INLINE std::int64_t TimerStarts::earliest() noexcept {
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  forEach([&](TimerStart* start, TimerStart* end) {
    for (; start != end; ++start) {
      if (!start->waits()) continue;
      const std::int64_t expiry = start->timer->startMs + start->durationMs;
      if (expiry < first) first = expiry;
    }
    return true;
  });
  return first;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
