// SPDX-License-Identifier: MIT
// Every resume and every transfer between coroutines. Where the compiler does not make symmetric
// transfer a tail call (g++ below -O2 or with sanitizers), transfers check the depth of the stack and
// park the coroutine for the innermost run(), so that a million awaits in a row need a bounded stack.
#pragma once

#include <leat/core/thread_state.hpp>

#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// Resumes `handle`, and what it parked, until control comes back.
#if LEAT_STACK_CHECK
LEAT_NOINLINE inline void run(std::coroutine_handle<> handle) noexcept {
  ThreadState& thread = threadState;
  char* const limit = thread.stackLimit;
  const std::coroutine_handle<> next = std::exchange(thread.next, {});
  thread.stackLimit = static_cast<char*>(__builtin_frame_address(0)) - LEAT_STACK_BUDGET;
  do {
    handle.resume();
    handle = std::exchange(thread.next, {});
  } while (handle);
  thread.stackLimit = limit;
  thread.next = next;
}
#else
inline void run(std::coroutine_handle<> handle) noexcept { handle.resume(); }
#endif

/// What `await_suspend` returns to go on with `handle`.
inline std::coroutine_handle<> transfer(std::coroutine_handle<> handle) noexcept {
#if LEAT_STACK_CHECK
  if (static_cast<char*>(__builtin_frame_address(0)) < threadState.stackLimit) [[unlikely]] {
    threadState.next = handle;
    return std::noop_coroutine();
  }
#endif
  return handle;
}

/// Looks like a suspended coroutine to whom it is handed as a continuation; resumed, it calls a
/// function. Frames begin with the two pointers in the ABI that g++ and clang share.
struct CallbackFrame {
  explicit CallbackFrame(void (*function)(CallbackFrame*) noexcept) noexcept : resume(function) {}
  std::coroutine_handle<> handle() noexcept {
    return std::coroutine_handle<>::from_address(this);
  }

  void (*resume)(CallbackFrame*) noexcept;
  void (*destroy)(CallbackFrame*) noexcept = [](CallbackFrame*) noexcept {};
};

}  // namespace leat::inline LEAT_ABI::detail
