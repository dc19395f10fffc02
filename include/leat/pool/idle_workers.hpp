// SPDX-License-Identifier: MIT
// Where the workers of a pool wait for work, and how they are woken: at most one is on its way at a time,
// and wakes the next when it has found something and there is more.
#pragma once

#include <leat/pool/work_deque.hpp>
#include <leat/sys/calls.hpp>

#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// A semaphore to sleep on.
///
/// Who takes a permit sees what was done before it was posted: `post` releases, the exchange in `wait` acquires, and
/// exchanges of others in between belong to what was released. That it releases, too, nobody relies on.
struct FutexGate {
  void post(int count) noexcept {
    // First the permit, then the call: a waiter that the call does not find asleep compares the word in the kernel.
    permits.fetchAdd(static_cast<unsigned>(count), release);
    (void)sys::futexWake(permits.address(), count);
  }
  void wait() noexcept {
    for (;;) {
      // A guess: the exchange checks it when it is not 0, else the kernel.
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
///
/// A worker publishes at each fork, so its fence is the light one. Who looks passes the heavy one when there
/// are workers that may be about to read the word: those that neither search nor sleep. One that did either
/// when the word was changed changes it again before it publishes, and reads that or later.
template <class Atomics = RealAtomics, class Gate = FutexGate>
class IdleWorkers {
  // A checker's may throw.
  static constexpr bool waitsSafely = noexcept(std::declval<Gate&>().wait());

 public:
  explicit IdleWorkers(unsigned workers) noexcept : workers_(workers) {}

  /// Work was published: wakes a worker, unless one is awake and searches.
  LEAT_ALWAYS_INLINE void notify() noexcept {
    Atomics::fence();
    wakeIfNoneSearches();
  }
  /// The same from a worker, which does not search.
  LEAT_ALWAYS_INLINE void notifyFromInside() noexcept {
    Atomics::lightFence();
    wakeIfNoneSearches();
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
  /// It has found some. True: it was the last, and looks whether another one, that sleeps, is needed.
  bool endSearch() noexcept {
    const std::uint64_t now = state_.fetchSub(oneSearching, seqCst) - oneSearching;
    if (searching(now) > 0 || sleeping(now) == 0) return false;
    fenceBeforeLook(now, 1);
    return true;
  }
  /// It sleeps from now on, as far as others can see: it must look for work once more, and then call
  /// `sleep` or `stayAwake`.
  void announceSleep(bool searched) noexcept {
    const std::uint64_t change = searched ? 1 - oneSearching : 1;
    fenceBeforeLook(state_.fetchAdd(change, seqCst) + change, 0);
  }
  /// Until woken. It searches then.
  void sleep() noexcept(waitsSafely) { gate_.wait(); }
  /// There was work after all. It searches then.
  void stayAwake() noexcept(waitsSafely) {
    std::uint64_t now = state_.load(relaxed);
    while (sleeping(now) > 0)
      if (state_.compareExchange(now, now - 1 + oneSearching, seqCst)) return;
    // All that sleep have been called, this one too.
    gate_.wait();
  }
  unsigned sleepers() const noexcept {
    return static_cast<unsigned>(sleeping(state_.load(relaxed)));
  }
  /// Those that sleep and those that search.
  unsigned atRest() const noexcept {
    const std::uint64_t now = state_.load(relaxed);
    return static_cast<unsigned>(sleeping(now) + searching(now));
  }

 private:
  static constexpr std::uint64_t oneSearching = std::uint64_t{1} << 32;
  static std::uint64_t sleeping(std::uint64_t state) noexcept { return state & (oneSearching - 1); }
  static std::uint64_t searching(std::uint64_t state) noexcept { return state >> 32; }

  LEAT_ALWAYS_INLINE void wakeIfNoneSearches() noexcept {
    const std::uint64_t now = state_.load(relaxed);
    if (now - 1 < oneSearching - 1) [[unlikely]]
      wakeOne();
  }
  /// `mine`: 1 when the caller is counted neither as one that searches nor as one that sleeps.
  void fenceBeforeLook(std::uint64_t now, unsigned mine) noexcept {
    if (sleeping(now) + searching(now) + mine < workers_) {
      Atomics::heavyFence();
    } else {
      Atomics::fence();
    }
  }

  typename Atomics::template Word<std::uint64_t> state_{0};
  Gate gate_;
  const unsigned workers_;
};

}  // namespace leat::inline LEAT_ABI::detail
