// SPDX-License-Identifier: MIT
// A write that nobody reads, and one behind the size that a file may have (`ulimit -f`), is an error of
// that write, not the end of the program.
#pragma once

#include <leat/core/system_error.hpp>
#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
/// Where SIGPIPE or SIGXFSZ has its default action it is ignored from now on; a program that chose
/// otherwise is left alone. Throws: SystemError.
LEAT_INLINE void ignoreSignalsOfWrites() {
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    struct ::sigaction action{};
    int error = sys::sigaction(number, nullptr, &action);
    if (error == 0 && (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
      action.sa_handler = SIG_IGN;
      error = sys::sigaction(number, &action, nullptr);
    }
    if (error < 0)
      throw SystemError(-error, "sigaction", number == SIGPIPE ? "SIGPIPE" : "SIGXFSZ");
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
