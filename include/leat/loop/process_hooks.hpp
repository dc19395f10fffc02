// SPDX-License-Identifier: MIT
// What a loop asks of the `process` module above it, which installs itself here when it is used.
#pragma once

#include <leat/core/promise_state.hpp>

#include <string_view>

namespace leat::inline LEAT_ABI::detail {

enum class HookAnswer : unsigned char {
  Unhandled,  // nobody listens: the default happens
  Handled,
  Threw,  // the listener itself threw: exit code 7; the new exception has been printed
};

class ProcessHooks {
 public:
  virtual ~ProcessHooks() = default;
  virtual HookAnswer uncaughtException(const std::exception_ptr& error,
                                       ExceptionOrigin origin) noexcept = 0;
  virtual HookAnswer unhandledRejection(PromiseStateBase& promise) noexcept = 0;
  virtual bool rejectionHandled(PromiseStateBase& promise) noexcept = 0;
  virtual void beforeExit(int code) = 0;
  virtual void exit(int code) = 0;
  /// Of modules below: prints it and tells the listeners, now. They call it in a tick.
  virtual void warning(std::string_view name, std::string_view text) = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
