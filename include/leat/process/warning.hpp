// SPDX-License-Identifier: MIT
// What `process` tells its listeners of warnings and of rejected promises.
#pragma once

#include <leat/core/error.hpp>
#include <leat/core/promise_state.hpp>

namespace leat::inline LEAT_ABI::process {

/// Something that the program should not do, told on stderr and to the listeners of "warning".
///
/// Node: the argument of `process.on('warning')`.
class LEAT_API Warning : public Error {
 public:
  explicit Warning(std::string_view message, std::string_view name = "Warning",
                   std::string_view code = {}, std::string_view detail = {})
      : Error(message, code), name_(name), detail_(detail) {}
  std::string_view name() const noexcept override { return name_.view(); }
  /// More text, printed on a line of its own.
  std::string_view detail() const noexcept { return detail_.view(); }

 private:
  leat::detail::SharedText name_;
  leat::detail::SharedText detail_;
};

/// Which promise was rejected: equal in "unhandledRejection" and in a later "rejectionHandled".
class RejectedPromise {
 public:
  explicit RejectedPromise(leat::detail::PromiseStateBase& state) noexcept : state_(&state) {}
  std::exception_ptr reason() const noexcept { return state_->error; }
  /// Where it was made, as far as the compiler tells.
  const std::source_location& where() const noexcept { return state_->where; }
  friend bool operator==(const RejectedPromise& a, const RejectedPromise& b) noexcept {
    return a.state_ == b.state_;
  }

 private:
  leat::detail::Ref<leat::detail::PromiseStateBase> state_;
};

}  // namespace leat::inline LEAT_ABI::process
