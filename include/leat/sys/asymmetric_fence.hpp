// SPDX-License-Identifier: MIT
// Two fences that order as two full ones do, where one is passed often and the other seldom: the light one
// costs nothing, as the heavy one has every running thread of the process pass a fence. membarrier(2).
#pragma once

#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::sys {

/// Whether the light fence may be none: once the kernel has said that it has the heavy one.
LEAT_API inline constinit detail::Atomic<bool> asymmetricFences{false};

/// Before the first fence, and again in a child of fork().
LEAT_INLINE void prepareFences() noexcept;

#if LEAT_BODIES
LEAT_INLINE void prepareFences() noexcept {
#if !LEAT_TSAN
  constexpr int registerPrivateExpedited = 1 << 4;
  asymmetricFences.store(membarrier(registerPrivateExpedited) == 0);
#endif
}
#endif

LEAT_ALWAYS_INLINE inline void lightFence() noexcept {
  if (asymmetricFences.load(detail::relaxed)) [[likely]] {
    __asm__ __volatile__("" ::: "memory");
  } else {
    detail::fullFence();
  }
}

LEAT_INLINE void heavyFence() noexcept;

#if LEAT_BODIES
LEAT_INLINE void heavyFence() noexcept {
  constexpr int privateExpedited = 1 << 3;
  detail::fullFence();
  if (!asymmetricFences.load(detail::relaxed)) return;
  // A filter of system calls that came later: from now on both are full.
  if (membarrier(privateExpedited) < 0) asymmetricFences.store(false);
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
