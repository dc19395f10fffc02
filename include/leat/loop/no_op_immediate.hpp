// SPDX-License-Identifier: MIT
// An immediate that does nothing but be there. Node has the same, lib/internal/process/execution.js.
#pragma once

#include <leat/core/microtask_queue.hpp>

namespace leat::inline LEAT_ABI::detail {

/// After an exception that was dealt with the queues are drained with the next callback: this sees to it that
/// there is one. Counted among the referenced immediates.
class NoOpImmediate : public Job, public FrameAllocated {
 public:
  explicit NoOpImmediate(long& references) noexcept : Job(onJob), references_(references) {
    ++references_;
  }

 private:
  static void onJob(Job& job, JobAction) noexcept {
    auto& self = static_cast<NoOpImmediate&>(job);
    --self.references_;
    delete &self;
  }
  long& references_;
};

}  // namespace leat::inline LEAT_ABI::detail
