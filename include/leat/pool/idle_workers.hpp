// SPDX-License-Identifier: MIT
// Where the workers of a pool wait for work, and how they are woken: at most one is on its way at a time,
// and wakes the next when it has found something and there is more.
#pragma once

#include <leat/pool/work_deque.hpp>
#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::detail {

/// A semaphore to sleep on.
struct FutexGate {
  void post(int count) noexcept {
    permits.fetchAdd(static_cast<unsigned>(count), release);
    (void)sys::futexWake(permits.address(), count);
  }
  void wait() noexcept {
    for (;;) {
      unsigned now = permits.load(relaxed);
      while (now > 0)
        if (permits.compareExchange(now, now - 1, acqRel)) return;
      (void)sys::futexWait(permits.address(), 0, -1);
    }
  }
  Atomic<unsigned> permits{0};
};

/// Counts of the workers that search for work and of those that sleep, in one word.
///
/// No wake-up is lost. Who has published work fences and reads the word. It wakes nobody when
/// - nobody sleeps: every worker looks everywhere after it has said that it sleeps, and before it does;
/// - somebody searches: that one looks everywhere after it has said that it searches no more, and sleeps
///   or wakes another one.
/// Both looks come after a change of the word that the read has not seen, so their fence is the later one.
template <class Atomics = RealAtomics, class Gate = FutexGate>
class IdleWorkers {
 public:
  /// Work was published: wakes a worker, unless one is awake and searches.
  LEAT_ALWAYS_INLINE void notify() noexcept {
    Atomics::fence();
    const std::uint64_t now = state_.load(relaxed);
    if (now - 1 < oneSearching - 1) [[unlikely]]
      wakeOne();
  }
  /// The same without a fence.
  void wakeOne() noexcept {
    std::uint64_t now = state_.load(relaxed);
    while (sleeping(now) > 0 && searching(now) == 0)
      if (state_.compareExchange(now, now - 1 + oneSearching, seqCst)) return gate_.post(1);
  }
  /// All wake, and search.
  void wakeAll() noexcept {
    // As in `notify`: who sleeps later sees why all were to wake.
    Atomics::fence();
    std::uint64_t now = state_.load(relaxed);
    while (sleeping(now) > 0)
      if (state_.compareExchange(now, now + sleeping(now) * (oneSearching - 1), seqCst))
        return gate_.post(static_cast<int>(sleeping(now)));
  }
  /// A worker without work begins to search. False: enough do.
  bool beginSearch(unsigned most) noexcept {
    if (searching(state_.load(relaxed)) >= most) return false;
    state_.fetchAdd(oneSearching, seqCst);
    return true;
  }
  /// It has found some. True: it was the last, and looks whether another one is needed.
  bool endSearch() noexcept {
    if (searching(state_.fetchSub(oneSearching, seqCst)) != 1) return false;
    Atomics::fence();
    return true;
  }
  /// It sleeps from now on, as far as others can see: it must look for work once more, and then call
  /// `sleep` or `stayAwake`.
  void announceSleep(bool searched) noexcept {
    state_.fetchAdd(searched ? 1 - oneSearching : 1, seqCst);
    Atomics::fence();
  }
  /// Until woken. It searches then.
  void sleep() noexcept { gate_.wait(); }
  /// There was work after all. It searches then.
  void stayAwake() noexcept {
    std::uint64_t now = state_.load(relaxed);
    while (sleeping(now) > 0)
      if (state_.compareExchange(now, now - 1 + oneSearching, seqCst)) return;
    // All that sleep have been called, this one too.
    gate_.wait();
  }
  unsigned sleepers() const noexcept {
    return static_cast<unsigned>(sleeping(state_.load(relaxed)));
  }

 private:
  static constexpr std::uint64_t oneSearching = std::uint64_t{1} << 32;
  static std::uint64_t sleeping(std::uint64_t state) noexcept { return state & (oneSearching - 1); }
  static std::uint64_t searching(std::uint64_t state) noexcept { return state >> 32; }

  typename Atomics::template Word<std::uint64_t> state_{0};
  Gate gate_;
};

}  // namespace leat::inline LEAT_ABI::detail
