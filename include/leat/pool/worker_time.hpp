// SPDX-License-Identifier: MIT
// How long a worker of a pool has been there, and how much of that it has slept. Costs a look at the clock when it goes to
// sleep and one when it wakes; nothing while it works.
#pragma once

#include <leat/base/atomic.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

/// Written by one thread, read by any. Times are of one clock that does not go back, in nanoseconds.
class WorkerTime {
 public:
  struct Reading {
    std::uint64_t activeNs = 0;
    std::uint64_t idleNs = 0;
  };

  void begin(std::int64_t now) noexcept { begun_.store(now, release); }
  void sleep(std::int64_t now) noexcept { put(idle() - of(now), asleep); }
  void wake(std::int64_t now) noexcept { put(idle() + of(now), 0); }
  void end(std::int64_t now) noexcept { ended_.store(now, release); }

  /// `clock()` is read last: what was written before is not of its future.
  template <class Clock>
  Reading read(Clock clock) const noexcept {
    const std::int64_t begun = begun_.load(acquire);
    if (begun == 0) return {};
    // What is true of a worker that has ended stays so.
    const std::int64_t ended = ended_.load(acquire);
    const std::uint64_t word = word_.load(acquire);
    const std::int64_t now = ended != 0 ? ended : clock();
    const std::uint64_t idle = (word >> 1) + ((word & asleep) != 0 ? of(now) : 0);
    const std::uint64_t idleNs = idle & (~std::uint64_t{0} >> 1);
    const std::uint64_t all = of(now) - of(begun);
    return {all > idleNs ? all - idleNs : 0, idleNs};
  }

 private:
  static constexpr std::uint64_t asleep = 1;
  static std::uint64_t of(std::int64_t time) noexcept { return static_cast<std::uint64_t>(time); }
  std::uint64_t idle() const noexcept { return word_.load(relaxed) >> 1; }
  void put(std::uint64_t idle, std::uint64_t how) noexcept {
    word_.store(idle << 1 | how, release);
  }

  // Doubled, how long it has slept; while it sleeps less the time at which it began to, and odd. One word,
  // so that a reader never counts a sleep twice or not at all.
  Atomic<std::uint64_t> word_{0};
  Atomic<std::int64_t> begun_{0};  // 0: not yet
  Atomic<std::int64_t> ended_{0};
};

}  // namespace leat::inline LEAT_ABI::detail
