// SPDX-License-Identifier: MIT
// Which back end a loop gets, and why.
#pragma once

#include <leat/core/system_error.hpp>
#include <leat/loop/detail/epoll_reactor.hpp>

#include <cstdlib>
#include <string_view>

namespace leat::inline LEAT_ABI::detail {

/// Throws: RangeError ERR_UNKNOWN_BACKEND for a name that this version does not have, SystemError when
/// the back end cannot start.
inline Reactor* makeReactor(std::string_view wanted, std::string_view& reason) {
  reason = "asked for by the program";
  if (wanted.empty()) {
    const char* variable = std::getenv("LEAT_BACKEND");
    wanted = variable == nullptr ? "" : variable;
    reason = wanted.empty() ? "the only back end of this version" : "asked for by LEAT_BACKEND";
  }
  if (!wanted.empty() && wanted != "epoll")
    throw RangeError(
        SharedText({"unknown back end '", wanted, "'; this version has: epoll"}).view(),
        "ERR_UNKNOWN_BACKEND");
  auto* reactor = new EpollReactor;
  const int error = reactor->open();
  if (error < 0) {
    delete reactor;
    throw SystemError(-error, "epoll_create1");
  }
  return reactor;
}

}  // namespace leat::inline LEAT_ABI::detail
