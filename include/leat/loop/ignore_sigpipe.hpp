// SPDX-License-Identifier: MIT
// A write to a pipe or socket that nobody reads is an error of that write, not the end of the program.
#pragma once

#include <leat/core/system_error.hpp>
#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
/// Where SIGPIPE has its default action it is ignored from now on; a program that chose otherwise is
/// left alone. Throws: SystemError.
LEAT_INLINE void ignoreSigpipe() {
  struct ::sigaction action{};
  int error = sys::sigaction(SIGPIPE, nullptr, &action);
  if (error == 0 && (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
    action.sa_handler = SIG_IGN;
    error = sys::sigaction(SIGPIPE, &action, nullptr);
  }
  if (error < 0) throw SystemError(-error, "sigaction", "SIGPIPE");
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
