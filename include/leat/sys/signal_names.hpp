// SPDX-License-Identifier: MIT
// The names of signals, as Node and kill(1) spell them.
#pragma once

#include <leat/base/config.hpp>

#include <signal.h>

#include <string_view>

namespace leat::inline LEAT_ABI::sys {

struct SignalName {
  int number;
  const char* name;
};

// A second name for a number comes after the first.
inline constexpr SignalName signalNames[] = {
#define LEAT_SIGNAL(name) {name, #name}
    LEAT_SIGNAL(SIGHUP),    LEAT_SIGNAL(SIGINT),    LEAT_SIGNAL(SIGQUIT), LEAT_SIGNAL(SIGILL),
    LEAT_SIGNAL(SIGTRAP),   LEAT_SIGNAL(SIGABRT),   LEAT_SIGNAL(SIGBUS),  LEAT_SIGNAL(SIGFPE),
    LEAT_SIGNAL(SIGKILL),   LEAT_SIGNAL(SIGUSR1),   LEAT_SIGNAL(SIGSEGV), LEAT_SIGNAL(SIGUSR2),
    LEAT_SIGNAL(SIGPIPE),   LEAT_SIGNAL(SIGALRM),   LEAT_SIGNAL(SIGTERM), LEAT_SIGNAL(SIGCHLD),
    LEAT_SIGNAL(SIGCONT),   LEAT_SIGNAL(SIGSTOP),   LEAT_SIGNAL(SIGTSTP), LEAT_SIGNAL(SIGTTIN),
    LEAT_SIGNAL(SIGTTOU),   LEAT_SIGNAL(SIGURG),    LEAT_SIGNAL(SIGXCPU), LEAT_SIGNAL(SIGXFSZ),
    LEAT_SIGNAL(SIGPROF),   LEAT_SIGNAL(SIGVTALRM), LEAT_SIGNAL(SIGIO),   LEAT_SIGNAL(SIGWINCH),
    LEAT_SIGNAL(SIGSYS),
#ifdef SIGSTKFLT
    LEAT_SIGNAL(SIGSTKFLT),
#endif
#ifdef SIGPWR
    LEAT_SIGNAL(SIGPWR),
#endif
#ifdef SIGPOLL
    LEAT_SIGNAL(SIGPOLL),
#endif
    {SIGABRT, "SIGIOT"},
#undef LEAT_SIGNAL
};

/// "SIGTERM"; empty for a number without a name, as those of real-time signals.
constexpr std::string_view signalName(int number) noexcept {
  for (const SignalName& entry : signalNames)
    if (entry.number == number) return entry.name;
  return {};
}

/// 0 for a name that is none.
constexpr int signalNumber(std::string_view name) noexcept {
  for (const SignalName& entry : signalNames)
    if (entry.name == name) return entry.number;
  return 0;
}

}  // namespace leat::inline LEAT_ABI::sys
