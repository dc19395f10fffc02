// SPDX-License-Identifier: MIT
// How a ring is made on kernels of several ages, and what is said where none can be made.
#pragma once

#include <leat/sys/uring_calls.hpp>

namespace leat::inline LEAT_ABI::detail {

namespace uring = sys::uring;

/// What the back end cannot do without: Linux 5.11.
constexpr unsigned uringNeeds =
    uring::featureSingleMmap | uring::featureNoDrop | uring::featureFastPoll | uring::featureExtArg;

constexpr const char* uringRefusal(int error) noexcept {
  return error == -EPERM        ? "io_uring_setup is not permitted"
         : error == -ENOSYS     ? "the kernel has no io_uring, or refuses it"
         : error == -ENOMEM     ? "there is not enough memory, or memory that may be locked"
         : error == -EOPNOTSUPP ? "the kernel's io_uring is too old (before Linux 5.11)"
                                : "io_uring_setup failed";
}

/// Calls `ring.setup(entries, completions, flags)`, the best way first, until it succeeds. A kernel that
/// does not know a flag answers EINVAL. One that refuses rings altogether answers EPERM or ENOSYS, and
/// then there is no use in asking again. `mode` says how it was made, or why it was not.
template <class Ring>
int probeUring(Ring& ring, unsigned entries, unsigned completions, const char*& mode) noexcept {
  struct Step {
    unsigned flags;
    const char* mode;
  };
  constexpr unsigned base = uring::setupClamp | uring::setupCqSize;
  // One entry that the kernel does not know (Linux 5.19: each receive that goes on) does not keep those
  // behind it back.
  constexpr unsigned newer = base | uring::setupSubmitAll | uring::setupTaskrunFlag;
  constexpr Step steps[] = {
      {newer | uring::setupSingleIssuer | uring::setupDeferTaskrun | uring::setupDisabled,
       "with SINGLE_ISSUER and DEFER_TASKRUN"},
      {newer | uring::setupCoopTaskrun,
       "with COOP_TASKRUN, as the kernel has no DEFER_TASKRUN (Linux 6.1)"},
      {base, "without flags, as the kernel has no COOP_TASKRUN (Linux 5.19)"},
  };
  int error = -EINVAL;
  for (const Step& step : steps) {
    mode = step.mode;
    error = ring.setup(entries, completions, step.flags);
    // Before Linux 5.12 the queues count as locked memory, of which there may be little.
    if (error == -ENOMEM) error = ring.setup(32, 64, step.flags);
    if (error != -EINVAL) break;
  }
  if (error != 0) mode = uringRefusal(error);
  return error;
}

}  // namespace leat::inline LEAT_ABI::detail
