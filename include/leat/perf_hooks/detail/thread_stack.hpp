// SPDX-License-Identifier: MIT
// The stack of another thread of this process: a signal makes that thread look at its own.
#pragma once

#include <leat/sys/calls.hpp>

#include <unwind.h>

#include <cstdint>
#include <vector>

namespace leat::inline LEAT_ABI::detail {

/// One at a time in the process. All of it is static, as a handler may come late.
class ThreadStack {
 public:
  /// The addresses of the calls, innermost first. Empty where the thread does not answer within `waitNs`, or
  /// where the program has a handler of its own for the signal.
  static std::vector<std::uintptr_t> of(int thread, std::int64_t waitNs);
  /// On a thread of the library, which is made with all signals blocked: it takes this one from now on.
  static void allowHere() noexcept {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, number);
    (void)sys::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  }

 private:
  // Ignored where nobody handles it, so one that comes late does no harm; Go takes it for the same.
  static constexpr int number = SIGURG;
  static constexpr unsigned capacity = 64;
  // Idle: nobody asks. Asked: the thread `target_` may take it. Taking: it does. Taken: it has.
  enum State : unsigned { Idle, Asked, Taking, Taken };

  static void onSignal(int, siginfo_t* info, void*) noexcept;
  static _Unwind_Reason_Code onFrame(_Unwind_Context* context, void*) noexcept;
  static void await(int thread, std::int64_t waitNs) noexcept;

  LEAT_API static inline constinit Atomic<unsigned> busy_{0};
  LEAT_API static inline constinit Atomic<unsigned> state_{Idle};
  LEAT_API static inline constinit Atomic<int> target_{0};
  // Of who has made it Taking, until it is Taken.
  LEAT_API static inline constinit unsigned count_ = 0;
  LEAT_API static inline constinit std::uintptr_t frames_[capacity] = {};
};

#if LEAT_BODIES
LEAT_INLINE std::vector<std::uintptr_t> ThreadStack::of(int thread, std::int64_t waitNs) {
  std::vector<std::uintptr_t> frames;
  while (busy_.exchange(1, acquire) != 0) ::sched_yield();
  struct ::sigaction ours{};
  struct ::sigaction before{};
  ours.sa_sigaction = onSignal;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigfillset(&ours.sa_mask);
  if (sys::sigaction(number, nullptr, &before) == 0 && (before.sa_flags & SA_SIGINFO) == 0 &&
      (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) &&
      sys::sigaction(number, &ours, nullptr) == 0) {
    await(thread, waitNs);
    sys::sigaction(number, &before, nullptr);
    if (state_.exchange(Idle) == Taken) frames.assign(frames_, frames_ + count_);
  }
  busy_.store(0, release);
  return frames;
}

LEAT_INLINE void ThreadStack::await(int thread, std::int64_t waitNs) noexcept {
  target_.store(thread);
  state_.store(Asked);
  const std::int64_t deadline = sys::monotonicNs() + waitNs;
  const bool sent = sys::tgkill(thread, number) == 0;
  for (;;) {
    const unsigned state = state_.load(acquire);
    if (state == Taken) return;
    const std::int64_t left = sent ? deadline - sys::monotonicNs() : 0;
    // Once it has begun it will end.
    unsigned asked = Asked;
    if (left <= 0 && state_.compareExchange(asked, Idle)) return;
    (void)sys::futexWait(state_.address(), state, left > 0 ? left : 1'000'000);
  }
}

LEAT_INLINE void ThreadStack::onSignal(int, siginfo_t* info, void*) noexcept {
  const int error = errno;
  unsigned asked = Asked;
  if (info->si_code == SI_TKILL && ::gettid() == target_.load() &&
      state_.compareExchange(asked, Taking)) {
    count_ = 0;
    _Unwind_Backtrace(onFrame, nullptr);
    state_.store(Taken, release);
    (void)sys::futexWake(state_.address(), 1);
  }
  errno = error;
}

LEAT_INLINE _Unwind_Reason_Code ThreadStack::onFrame(_Unwind_Context* context, void*) noexcept {
  int before = 0;
  const std::uintptr_t next = _Unwind_GetIPInfo(context, &before);
  // What the signal has interrupted: above it is only the handler.
  if (before != 0) count_ = 0;
  if (next == 0 || count_ == capacity) return _URC_END_OF_STACK;
  // Behind a call it is the address to return to, which may be another function's already.
  frames_[count_++] = before != 0 ? next : next - 1;
  return _URC_NO_REASON;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
