// SPDX-License-Identifier: MIT
// The flush of stdio before the process ends without std::exit.
#pragma once

#include <leat/sys/mutex.hpp>

#include <cstdio>

namespace leat::inline LEAT_ABI::detail {

/// Flushes all streams of stdio. A stream that a thread has locked, as one that waits for input does, would
/// keep the process for ever: after `waitNs` nothing is waited for any more. To be followed by _exit.
class StdioFlush {
 public:
  static constexpr std::int64_t waitNs = 200'000'000;

  static void run() {
    // Never destroyed: a thread that waits may use it until the process is gone.
    auto* const self = new StdioFlush;
    if (self->thread_.start(threadMain, self) != 0) return (void)std::fflush(stdout);
    if (self->flushedInTime()) self->thread_.join();
  }

 private:
  bool flushedInTime() {
    const std::int64_t deadline = sys::monotonicNs() + waitNs;
    const sys::MutexLock lock(mutex_);
    while (!flushed_ && changed_.waitUntil(mutex_, deadline)) {
    }
    return flushed_;
  }
  static void* threadMain(void* argument) {
    auto& self = *static_cast<StdioFlush*>(argument);
    std::fflush(nullptr);
    const sys::MutexLock lock(self.mutex_);
    self.flushed_ = true;
    self.changed_.notifyAll();
    return nullptr;
  }

  sys::Thread thread_;
  sys::Mutex mutex_;
  sys::Condition changed_;
  bool flushed_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
