// SPDX-License-Identifier: MIT
// The listeners of `process` on one loop, and what happens when the loop tells of an exception.
#pragma once

#include <leat/base/fixed_string.hpp>
#include <leat/loop/listener.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/process/warning.hpp>

namespace leat::inline LEAT_ABI::detail {

class ProcessEvents final : public ProcessHooks {
 public:
  explicit ProcessEvents(EventLoop& loop) noexcept : loop_(loop) {}

  /// Of this thread's loop, installed there when first asked for.
  static ProcessEvents& current() {
    EventLoop& loop = EventLoop::current();
    if (loop.hooks() == nullptr) loop.setHooks(new ProcessEvents(loop));
    return static_cast<ProcessEvents&>(*loop.hooks());
  }

  LEAT_INLINE HookAnswer uncaughtException(const std::exception_ptr& error,
                                           ExceptionOrigin origin) noexcept override;
  LEAT_INLINE HookAnswer unhandledRejection(PromiseStateBase& promise) noexcept override;
  LEAT_INLINE bool rejectionHandled(PromiseStateBase& promise) noexcept override;
  void beforeExit(int code) override { beforeExitListeners.emit(code); }
  /// Once: an exit inside of a listener calls no more of them.
  LEAT_INLINE void exit(int code) noexcept override;
  void warning(std::string_view name, std::string_view text) override {
    tell(process::Warning(text, name));
  }
  void warn(const process::Warning& warning) noexcept;

  ListenerList<std::exception_ptr, ExceptionOrigin> uncaughtListeners;
  ListenerList<std::exception_ptr, ExceptionOrigin> monitors;
  ListenerList<std::exception_ptr, process::RejectedPromise> unhandledListeners;
  ListenerList<process::RejectedPromise> handledListeners;
  ListenerList<int> beforeExitListeners;
  ListenerList<int> exitListeners;
  ListenerList<process::Warning> warningListeners;

 private:
  void thrownByListener(const std::exception_ptr& error) noexcept;
  void tell(const process::Warning& warning);

  EventLoop& loop_;
  bool exiting_ = false;
};

/// An event by its name; those that there are have a member `list`.
template <FixedString name>
struct ProcessEvent {};
#define LEAT_PROCESS_EVENT(name, member)                                        \
  template <>                                                                   \
  struct ProcessEvent<name> {                                                   \
    static auto& list(ProcessEvents& events) noexcept { return events.member; } \
  }
LEAT_PROCESS_EVENT("uncaughtException", uncaughtListeners);
LEAT_PROCESS_EVENT("uncaughtExceptionMonitor", monitors);
LEAT_PROCESS_EVENT("unhandledRejection", unhandledListeners);
LEAT_PROCESS_EVENT("rejectionHandled", handledListeners);
LEAT_PROCESS_EVENT("beforeExit", beforeExitListeners);
LEAT_PROCESS_EVENT("exit", exitListeners);
LEAT_PROCESS_EVENT("warning", warningListeners);
#undef LEAT_PROCESS_EVENT

LEAT_INLINE void printWarning(const process::Warning& warning) noexcept;

#if LEAT_BODIES
LEAT_INLINE HookAnswer ProcessEvents::uncaughtException(const std::exception_ptr& error,
                                                        ExceptionOrigin origin) noexcept {
  try {
    monitors.emit(error, origin);
    return uncaughtListeners.emit(error, origin) ? HookAnswer::Handled : HookAnswer::Unhandled;
  } catch (...) {
    constexpr int handlerThrew = 7;
    exiting_ = true;  // as in Node, "exit" is not emitted then
    loop_.fatal(std::current_exception(), ExceptionOrigin::UncaughtException, nullptr,
                handlerThrew);
    return HookAnswer::Threw;
  }
}

/// A listener of another event than uncaughtException threw: an uncaught exception like any other.
LEAT_INLINE void ProcessEvents::thrownByListener(const std::exception_ptr& error) noexcept {
  constexpr auto origin = ExceptionOrigin::UncaughtException;
  const bool handled = !loop_.dead() && uncaughtException(error, origin) != HookAnswer::Unhandled;
  if (!handled) loop_.fatal(error, origin, nullptr, 1);
}

LEAT_INLINE HookAnswer ProcessEvents::unhandledRejection(PromiseStateBase& promise) noexcept {
  try {
    const process::RejectedPromise id(promise);
    return unhandledListeners.emit(promise.error, id) ? HookAnswer::Handled : HookAnswer::Unhandled;
  } catch (...) {
    thrownByListener(std::current_exception());
    return HookAnswer::Threw;
  }
}

LEAT_INLINE bool ProcessEvents::rejectionHandled(PromiseStateBase& promise) noexcept {
  try {
    if (!handledListeners.emit(process::RejectedPromise(promise)))
      warn(process::Warning("Promise rejection was handled asynchronously",
                            "PromiseRejectionHandledWarning"));
  } catch (...) {
    thrownByListener(std::current_exception());
  }
  return true;
}

LEAT_INLINE void ProcessEvents::exit(int code) noexcept {
  if (std::exchange(exiting_, true)) return;
  try {
    exitListeners.emit(code);
  } catch (...) {
    thrownByListener(std::current_exception());
  }
}

LEAT_INLINE void printWarning(const process::Warning& warning) noexcept {
  std::string name;
  if (!warning.code().empty()) name.append("[").append(warning.code()).append("] ");
  name += warning.name();
  std::string text(warning.message());
  if (!warning.detail().empty()) text.append("\n").append(warning.detail());
  printWarning(name, text);
}

LEAT_INLINE void ProcessEvents::tell(const process::Warning& warning) {
  printWarning(warning);
  warningListeners.emit(warning);
}

/// Prints and tells it in the next tick.
LEAT_INLINE void ProcessEvents::warn(const process::Warning& warning) noexcept {
  nextTick([this, warning] { tell(warning); });
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
