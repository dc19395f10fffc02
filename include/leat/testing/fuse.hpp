// SPDX-License-Identifier: MIT
// Test tool: fails and counts the system calls of the library, which all pass sys/calls.hpp.
#pragma once

#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::testing {

/// A set of system calls: `calls(Call::recv, Call::send)`, or everything.
class CallSet {
 public:
  constexpr CallSet() noexcept = default;
  constexpr bool has(sys::Call call) const noexcept {
    return (words_[word(call)] & bit(call)) != 0;
  }
  constexpr CallSet with(sys::Call call) const noexcept {
    CallSet set = *this;
    set.words_[word(call)] |= bit(call);
    return set;
  }
  constexpr CallSet without(sys::Call call) const noexcept {
    CallSet set = *this;
    set.words_[word(call)] &= ~bit(call);
    return set;
  }
  static constexpr CallSet all() noexcept {
    CallSet set;
    for (std::uint64_t& bits : set.words_) bits = ~std::uint64_t{0};
    return set;
  }

 private:
  friend class SharedCallSet;
  static constexpr int words = (static_cast<int>(sys::Call::count) + 63) / 64;
  static constexpr int word(sys::Call call) noexcept { return static_cast<int>(call) / 64; }
  static constexpr std::uint64_t bit(sys::Call call) noexcept {
    return std::uint64_t{1} << (static_cast<int>(call) % 64);
  }
  std::uint64_t words_[words] = {};
};

template <class... Calls>
constexpr CallSet calls(Calls... call) noexcept {
  CallSet set;
  ((set = set.with(call)), ...);
  return set;
}

/// One that is replaced while threads of the pool, which close files in the background, look at it.
class SharedCallSet {
 public:
  bool has(sys::Call call) const noexcept {
    return (words_[CallSet::word(call)].load(detail::acquire) & CallSet::bit(call)) != 0;
  }
  void operator=(const CallSet& set) noexcept {
    for (int n = 0; n < CallSet::words; ++n) words_[n].store(set.words_[n], detail::release);
  }

 private:
  detail::Atomic<std::uint64_t> words_[CallSet::words]{};
};

/// What the hook looks at. Process-wide, as the hook is.
struct FuseState {
  SharedCallSet which;
  detail::Atomic<int> error{0};
  detail::Atomic<long> from{0};
  detail::Atomic<long> to{0};
  detail::Atomic<long> seen{0};
  detail::Atomic<long> blown{0};
  detail::Atomic<int> last{static_cast<int>(sys::Call::count)};
  detail::Atomic<long> counts[static_cast<int>(sys::Call::count)]{};
};
LEAT_API inline constinit FuseState fuseState{};

/// While it lives, calls of this process pass it: it counts them and fails those it was told to.
/// One at a time; the hook that was there before is put back.
class FaultInjector {
 public:
  FaultInjector() noexcept;
  FaultInjector(const FaultInjector&) = delete;
  FaultInjector& operator=(const FaultInjector&) = delete;
  ~FaultInjector() { sys::fault.store(before_, detail::release); }

  /// The `nth` call from now (the first is 1) that is in `which` fails with `error`, and so do the
  /// `times - 1` calls of the set after it. Replaces what was asked for before.
  void fail(CallSet which, int error, long nth = 1, long times = 1) noexcept;
  void fail(sys::Call call, int error, long nth = 1, long times = 1) noexcept {
    fail(calls(call), error, nth, times);
  }
  /// How many calls were failed since the last `fail`, and which was the last.
  long blown() const noexcept { return state.blown.load(detail::acquire); }
  sys::Call lastBlown() const noexcept {
    return static_cast<sys::Call>(state.last.load(detail::acquire));
  }
  /// How often `call` was made (failed or not) since the injector was made or `resetCounts`.
  long count(sys::Call call) const noexcept {
    return state.counts[static_cast<int>(call)].load(detail::relaxed);
  }
  long total() const noexcept;
  /// How many calls of the set of the last `fail` were made since.
  long seen() const noexcept { return state.seen.load(detail::acquire); }
  void resetCounts() noexcept;

 private:
  static int hook(sys::Call call) noexcept;
  static constexpr FuseState& state = fuseState;

  sys::FaultHook before_;
};

/// What a fuse did: how many runs failed a call, and how many calls of the set the last run made.
struct FuseReport {
  long runs = 0;
  long calls = 0;
};

/// Runs `body` with the 1st, then the 2nd, 3rd, ... call of `which` failing with `error`, until a run
/// passes in which no call was left to fail. `body` checks itself that each run ends as it should;
/// it may take the injector to ask whether and where the fuse blew.
template <class Body>
FuseReport fuse(Body&& body, int error = EIO, CallSet which = CallSet::all(), long limit = 10000) {
  FuseReport report;
  FaultInjector injector;
  for (long nth = 1; nth <= limit; ++nth) {
    injector.resetCounts();
    injector.fail(which, error, nth);
    if constexpr (requires { body(injector); }) {
      body(injector);
    } else {
      body();
    }
    report.calls = injector.seen();
    if (injector.blown() == 0) return report;
    ++report.runs;
  }
  return report;
}

#if LEAT_BODIES
LEAT_INLINE FaultInjector::FaultInjector() noexcept {
  state.which = CallSet();
  resetCounts();
  before_ = sys::fault.exchange(&hook, detail::acqRel);
}

LEAT_INLINE void FaultInjector::fail(CallSet which, int error, long nth, long times) noexcept {
  state.which = CallSet();
  state.error.store(error, detail::relaxed);
  state.from.store(nth, detail::relaxed);
  state.to.store(nth + times - 1, detail::relaxed);
  state.seen.store(0, detail::relaxed);
  state.blown.store(0, detail::relaxed);
  state.which = which;
}

LEAT_INLINE int FaultInjector::hook(sys::Call call) noexcept {
  state.counts[static_cast<int>(call)].fetchAdd(1, detail::relaxed);
  if (!state.which.has(call)) return 0;
  const long nth = state.seen.fetchAdd(1, detail::relaxed) + 1;
  if (nth < state.from.load(detail::relaxed) || nth > state.to.load(detail::relaxed)) return 0;
  state.last.store(static_cast<int>(call), detail::release);
  state.blown.fetchAdd(1, detail::acqRel);
  return state.error.load(detail::relaxed);
}

LEAT_INLINE long FaultInjector::total() const noexcept {
  long sum = 0;
  for (const detail::Atomic<long>& count : state.counts) sum += count.load(detail::relaxed);
  return sum;
}

LEAT_INLINE void FaultInjector::resetCounts() noexcept {
  for (detail::Atomic<long>& count : state.counts) count.store(0, detail::relaxed);
}
#endif

}  // namespace leat::inline LEAT_ABI::testing
