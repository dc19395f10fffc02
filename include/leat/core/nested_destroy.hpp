// SPDX-License-Identifier: MIT
// Frames that own one another are destroyed leaf first where links tell what is the leaf. Through a
// container, or with a task between two generators, there are none: destructors nest, and where they nest
// deep they go on on a stack of their own.
#pragma once

#include <leat/core/thread_state.hpp>

#include <new>
#include <utility>

#if defined(__GLIBC__)
#define LEAT_OWN_STACKS 1
#include <ucontext.h>
#else
#define LEAT_OWN_STACKS 0
#endif
#if LEAT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace leat::inline LEAT_ABI::detail {

#if LEAT_OWN_STACKS

/// A piece of stack for one call.
class OwnStack {
 public:
  OwnStack() noexcept : memory_(::operator new(bytes, align, std::nothrow)) {}
  OwnStack(const OwnStack&) = delete;
  OwnStack& operator=(const OwnStack&) = delete;
  ~OwnStack() { ::operator delete(memory_, align); }

  explicit operator bool() const noexcept { return memory_ != nullptr; }
  void run(void (*function)(void*) noexcept, void* argument) noexcept {
    function_ = function;
    argument_ = argument;
    ::getcontext(&there_);
    there_.uc_stack.ss_sp = memory_;
    there_.uc_stack.ss_size = bytes;
    there_.uc_link = &here_;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    ::makecontext(&there_, reinterpret_cast<void (*)()>(&enter), 2,
                  static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    char* const limit = threadState.destroyLimit;
    // That of the stack which is left says nothing of this one.
    char* const stackLimit = std::exchange(threadState.stackLimit, nullptr);
#if LEAT_ASAN
    void* mine = nullptr;
    __sanitizer_start_switch_fiber(&mine, memory_, bytes);
#endif
    ::swapcontext(&here_, &there_);
#if LEAT_ASAN
    __sanitizer_finish_switch_fiber(mine, nullptr, nullptr);
#endif
    threadState.destroyLimit = limit;
    threadState.stackLimit = stackLimit;
  }

 private:
  // What is left over is for the destructors of one frame.
  static constexpr std::size_t bytes = std::size_t{1} << 20;
  static constexpr std::size_t nestingBytes = bytes / 4;
  static constexpr std::align_val_t align{4096};

  static void enter(unsigned high, unsigned low) noexcept {
    auto& self = *reinterpret_cast<OwnStack*>(std::uintptr_t{high} << 32 | low);
#if LEAT_ASAN
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
#endif
    threadState.destroyLimit = static_cast<char*>(__builtin_frame_address(0)) - nestingBytes;
    self.function_(self.argument_);
#if LEAT_ASAN
    __sanitizer_start_switch_fiber(nullptr, bottom, size);
#endif
  }

  void* memory_;
  void (*function_)(void*) noexcept = nullptr;
  void* argument_ = nullptr;
  ucontext_t here_;
  ucontext_t there_;
};

#endif

template <class F>
LEAT_NOINLINE void onOwnStack(F& f) noexcept {
#if LEAT_OWN_STACKS
  OwnStack stack;
  if (stack) return stack.run([](void* call) noexcept { (*static_cast<F*>(call))(); }, &f);
#endif
  f();
}

/// Calls `f`, which destroys a frame, where there is stack enough for what nests in it.
template <class F>
void nestDestroy(F f) noexcept {
  char* const here = static_cast<char*>(__builtin_frame_address(0));
  char* const limit = threadState.destroyLimit;
  if (limit == nullptr) {
    threadState.destroyLimit = here - LEAT_STACK_BUDGET;
    f();
    threadState.destroyLimit = nullptr;
  } else if (here >= limit) {
    f();
  } else {
    onOwnStack(f);
  }
}

}  // namespace leat::inline LEAT_ABI::detail
