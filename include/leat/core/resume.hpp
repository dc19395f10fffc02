// SPDX-License-Identifier: MIT
// Every resume and every transfer between coroutines. Where the compiler does not make symmetric
// transfer a tail call (g++ below -O2 or with sanitizers), transfers check the depth of the stack and
// park the coroutine for the innermost run(), so that a million awaits in a row need a bounded stack.
#pragma once

#include <leat/core/thread_state.hpp>

#include <utility>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_STACK_CHECK
/// Whether the stack has grown past the limit. Where it can, this looks at the stack pointer: a function that
/// asks for the address of its frame has to make one.
LEAT_ALWAYS_INLINE inline bool isBelowLimit() noexcept {
#if defined(__x86_64__) && defined(__LP64__)
  bool below;
  // In the words of either dialect: see -masm.
  __asm__("{cmpq %1, %%rsp|cmp rsp, %1}" : "=@ccb"(below) : "m"(threadState.stackLimit));
  return below;
#else
  return static_cast<char*>(__builtin_frame_address(0)) < threadState.stackLimit;
#endif
}
#endif

/// Sets the depth below which transfers are parked for who resumes in this scope. One for a whole
/// drain of a queue is enough.
#if LEAT_STACK_CHECK
class RunScope {
 public:
  LEAT_ALWAYS_INLINE RunScope() noexcept
      : limit_(threadState.stackLimit), next_(std::exchange(threadState.next, {})) {
    threadState.stackLimit = static_cast<char*>(__builtin_frame_address(0)) - LEAT_STACK_BUDGET;
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  ~RunScope() {
    threadState.stackLimit = limit_;
    threadState.next = next_;
  }

 private:
  char* limit_;
  std::coroutine_handle<> next_;
};

LEAT_NOINLINE inline void runParkedSlow() noexcept {
  while (const auto handle = std::exchange(threadState.next, {})) handle.resume();
}
/// Inside of a RunScope, after a `resume()`: resumes what was parked meanwhile.
inline void runParked() noexcept {
  if (threadState.next) [[unlikely]]
    runParkedSlow();
}
#else
class RunScope {
 public:
  RunScope() noexcept = default;
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
};
inline void runParked() noexcept {}
#endif

/// Resumes `handle`, and what it parked, until control comes back.
LEAT_NOINLINE inline void run(std::coroutine_handle<> handle) noexcept {
  [[maybe_unused]] const RunScope scope;
  handle.resume();
  runParked();
}

/// The same where something that runs in the loop starts a coroutine: in the budget of the run around, if there
/// is one and some is left.
inline void runInside(std::coroutine_handle<> handle) noexcept {
#if LEAT_STACK_CHECK
  if (threadState.stackLimit != nullptr && !isBelowLimit() && !threadState.next) [[likely]] {
    handle.resume();
    return runParked();
  }
#endif
  run(handle);
}

/// What `await_suspend` returns to go on with `handle`.
inline std::coroutine_handle<> transfer(std::coroutine_handle<> handle) noexcept {
#if LEAT_STACK_CHECK
  if (isBelowLimit()) [[unlikely]] {
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
  std::coroutine_handle<> handle() noexcept { return std::coroutine_handle<>::from_address(this); }

  void (*resume)(CallbackFrame*) noexcept;
  void (*destroy)(CallbackFrame*) noexcept = [](CallbackFrame*) noexcept {};
};

/// Resumes as the last act of a function that throws nothing. g++ makes that a jump only where the coroutine is
/// said to throw nothing either, as is true.
LEAT_ALWAYS_INLINE inline void resumeLast(std::coroutine_handle<> handle) noexcept {
#if defined(__clang__)
  handle.resume();
#else
  auto* const frame = static_cast<CallbackFrame*>(handle.address());
  frame->resume(frame);
#endif
}

/// The last act of a function in the place of a coroutine: goes on with another one. g++ checks the depth of
/// the stack, as in every transfer; clang makes the tail call. LEAT_GOES_ON stands before the function.
#if defined(__clang__)
#define LEAT_GO_ON(next)                                                              \
  auto* const target = static_cast<::leat::detail::CallbackFrame*>((next).address()); \
  [[clang::musttail]] return target->resume(target)
// What stands in the frame of a real coroutine has another parameter, which is as good.
#define LEAT_GOES_ON [[clang::no_sanitize("function")]]
#else
#define LEAT_GO_ON(next) ::leat::detail::transfer(next).resume()
#define LEAT_GOES_ON
#endif

/// Such a function for a frame. It throws nothing, but no compiler makes the call at the end of a function that
/// says so a jump.
inline auto inPlaceOfFrame(void (*function)(CallbackFrame*)) noexcept {
  return reinterpret_cast<void (*)(CallbackFrame*) noexcept>(function);
}

}  // namespace leat::inline LEAT_ABI::detail
