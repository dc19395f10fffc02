// SPDX-License-Identifier: MIT
// How often this process has come out of a fork(): what holds kernel objects or threads compares the
// count with the one it was made under, and in the child leaves the parent's things alone.
#pragma once

#include <leat/base/atomic.hpp>

#include <pthread.h>

namespace leat::inline LEAT_ABI::sys {

LEAT_API inline constinit detail::Atomic<unsigned> forkCount{0};

/// The count now. Cheap: no system call.
inline unsigned forkGeneration() noexcept { return forkCount.load(detail::relaxed); }

/// Sees to it that forks are counted, and tells the count now. Children of raw clone() are not seen.
LEAT_INLINE unsigned watchForks() noexcept;

/// What the threads of a process share: made when first asked for, never destroyed. A child of fork() gets one
/// of its own, as a thread of the parent may have been inside of the other. `T` derives from this, and is
/// LEAT_API: nothing made of a hidden type is visible.
template <class T>
class OfProcess {
 public:
  /// Throws: std::bad_alloc.
  static T& ofProcess() {
    T* found = shared_.load(detail::acquire);
    while (found == nullptr || found->generation_ != forkGeneration()) {
      auto* fresh = new T;
      fresh->ofParent_ = found;
      if (shared_.compareExchange(found, fresh, detail::seqCst)) return *fresh;
      delete fresh;
    }
    return *found;
  }

 private:
  LEAT_API static inline constinit detail::Atomic<T*> shared_{nullptr};

  const unsigned generation_ = watchForks();
  T* ofParent_ = nullptr;  // out of use, but no leak to leak checkers
};

#if LEAT_BODIES
LEAT_INLINE unsigned watchForks() noexcept {
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { forkCount.fetchAdd(1, detail::relaxed); });
  static_cast<void>(registered);
  return forkGeneration();
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
