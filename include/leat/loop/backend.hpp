// SPDX-License-Identifier: MIT
// Which back end a loop gets, and why.
#pragma once

#include <leat/loop/reactor.hpp>

#include <string_view>
#if LEAT_BODIES
#include <leat/core/system_error.hpp>
#include <leat/loop/detail/epoll_reactor.hpp>
#include <leat/loop/detail/uring_reactor.hpp>

#include <cstdlib>
#endif

namespace leat::inline LEAT_ABI::detail {

/// Throws: RangeError ERR_UNKNOWN_BACKEND for a name that this version does not have, SystemError when
/// the back end cannot start.
LEAT_INLINE Reactor* makeReactor(std::string_view wanted, std::string_view& reason);

#if LEAT_BODIES
LEAT_INLINE Reactor* makeEpoll() {
  auto* reactor = new EpollReactor;
  const int error = reactor->open();
  if (error == 0) return reactor;
  delete reactor;
  throw SystemError(-error, "epoll_create1");
}

/// Null, and why, when the ring cannot be made.
LEAT_INLINE UringReactor* tryUring(std::string_view& reason, int& error) {
  auto* reactor = new UringReactor;
  error = reactor->open();
  reason = reactor->mode();
  if (error == 0) return reactor;
  delete reactor;
  return nullptr;
}

LEAT_INLINE Reactor* makeReactor(std::string_view wanted, std::string_view& reason) {
  std::string_view who = "asked for by the program";
  if (wanted.empty()) {
    const char* variable = std::getenv("LEAT_BACKEND");
    wanted = variable == nullptr ? "" : variable;
    who = "asked for by LEAT_BACKEND";
  }
  if (!wanted.empty() && wanted != "epoll" && wanted != "io_uring")
    throw RangeError(
        SharedText({"unknown back end '", wanted, "'; this version has: epoll, io_uring"}).view(),
        "ERR_UNKNOWN_BACKEND");
  if (wanted != "epoll") {
    int error = 0;
    if (Reactor* const reactor = tryUring(reason, error)) {
      if (!wanted.empty()) reason = who;
      return reactor;
    }
    if (!wanted.empty())
      throw SystemError(-error, "io_uring_setup", SharedText({reason, "; ", who}).view());
  } else {
    reason = who;
  }
  return makeEpoll();
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
