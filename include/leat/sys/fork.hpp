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

#if LEAT_BODIES
LEAT_INLINE unsigned watchForks() noexcept {
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { forkCount.fetchAdd(1, detail::relaxed); });
  static_cast<void>(registered);
  return forkGeneration();
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
