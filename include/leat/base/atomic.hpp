// SPDX-License-Identifier: MIT
// An atomic word over the compiler's builtins: <atomic> costs 0.2 s a translation unit.
#pragma once

#include <leat/base/config.hpp>

namespace leat::inline LEAT_ABI::detail {

enum MemoryOrder : int {
  relaxed = __ATOMIC_RELAXED,
  acquire = __ATOMIC_ACQUIRE,
  release = __ATOMIC_RELEASE,
  acqRel = __ATOMIC_ACQ_REL,
  seqCst = __ATOMIC_SEQ_CST,
};

/// A trivially copyable word of at most 8 bytes that several threads may touch.
template <class T>
class Atomic {
 public:
  constexpr Atomic() noexcept = default;
  constexpr explicit Atomic(T value) noexcept : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(MemoryOrder order = seqCst) const noexcept { return __atomic_load_n(&value_, order); }
  void store(T value, MemoryOrder order = seqCst) noexcept {
    __atomic_store_n(&value_, value, order);
  }
  T exchange(T value, MemoryOrder order = seqCst) noexcept {
    return __atomic_exchange_n(&value_, value, order);
  }
  /// On failure `expected` holds what was found.
  bool compareExchange(T& expected, T desired, MemoryOrder order = seqCst) noexcept {
    const int failure = order == acqRel ? acquire : order == release ? relaxed : order;
    return __atomic_compare_exchange_n(&value_, &expected, desired, false, order, failure);
  }
  T fetchAdd(T delta, MemoryOrder order = seqCst) noexcept {
    return __atomic_fetch_add(&value_, delta, order);
  }
  T fetchSub(T delta, MemoryOrder order = seqCst) noexcept {
    return __atomic_fetch_sub(&value_, delta, order);
  }
  T fetchOr(T bits, MemoryOrder order = seqCst) noexcept {
    return __atomic_fetch_or(&value_, bits, order);
  }
  T fetchAnd(T bits, MemoryOrder order = seqCst) noexcept {
    return __atomic_fetch_and(&value_, bits, order);
  }
  const T* address() const noexcept { return &value_; }

 private:
  T value_{};
};

/// Tells the processor that this thread only waits for another one.
inline void cpuRelax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Orders what this thread did before with what it does after, among all such fences.
LEAT_ALWAYS_INLINE inline void fullFence() noexcept {
#if LEAT_TSAN
  // ThreadSanitizer knows no fences; a word of its own that is exchanged gives it the same order.
  static Atomic<int> word{0};
  (void)word.exchange(0, seqCst);
#elif defined(__x86_64__)
  // Cheaper than the `mfence` of the builtin.
  __asm__ __volatile__("lock; orl $0, -4(%%rsp)" ::: "memory", "cc");
#else
  __atomic_thread_fence(seqCst);
#endif
}

}  // namespace leat::inline LEAT_ABI::detail
