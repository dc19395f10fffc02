// SPDX-License-Identifier: MIT
// A timer as the loop keeps it.
#pragma once

#include <leat/core/microtask_queue.hpp>
#include <leat/loop/timer_lists.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Called with Run when it is due, with Drop at the end of the loop; it is not armed any more then.
struct LoopTimer : TimerNode {
  using Function = void (*)(LoopTimer&, JobAction) noexcept;
  explicit LoopTimer(Function f) noexcept : fire(f) {}
  Function fire;
};

}  // namespace leat::inline LEAT_ABI::detail
