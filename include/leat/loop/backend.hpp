// SPDX-License-Identifier: MIT
// Which back end a loop gets, and why.
#pragma once

#include <leat/core/error.hpp>
#include <leat/loop/loop_options.hpp>
#include <leat/loop/reactor.hpp>

#include <string_view>
#if LEAT_BODIES
#include <leat/base/owned.hpp>
#include <leat/core/system_error.hpp>
#include <leat/loop/detail/epoll_reactor.hpp>
#include <leat/loop/detail/uring_reactor.hpp>
#include <leat/loop/out_of_range.hpp>

#include <cstdlib>
#endif

namespace leat::inline LEAT_ABI::detail {

/// Throws: RangeError ERR_UNKNOWN_BACKEND for a name that this version does not have, ERR_OUT_OF_RANGE for a
/// `busyPoll` that is none, SystemError when the back end cannot start. `reason`: who asked for it, and how
/// the ring was made or why there is none.
LEAT_INLINE Reactor* makeReactor(const LoopOptions& options, SharedText& reason);

#if LEAT_BODIES
LEAT_INLINE Reactor* makeEpoll() {
  auto reactor = makeOwned<EpollReactor>();
  const int error = reactor->open();
  if (error != 0) throw SystemError(-error, "epoll_create1");
  return reactor.leak();
}

LEAT_INLINE Reactor* makeReactorOf(std::string_view wanted, SharedText& reason) {
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
  if (wanted == "epoll") {
    reason = SharedText(who);
    return makeEpoll();
  }
  auto reactor = makeOwned<UringReactor>();
  const int error = reactor->open();
  if (error != 0 && !wanted.empty())
    throw SystemError(-error, "io_uring_setup", SharedText({reactor->mode(), "; ", who}).view());
  reason = wanted.empty() ? SharedText(reactor->mode()) : SharedText({who, ", ", reactor->mode()});
  if (error == 0) return reactor.leak();
  reactor.reset();
  return makeEpoll();
}

LEAT_INLINE Reactor* makeReactor(const LoopOptions& options, SharedText& reason) {
  if (options.busyPoll < 0 || options.busyPoll > 2147483647)
    throwNumberOutOfRange("options.busyPoll", ">= 0 && <= 2147483647",
                          static_cast<double>(options.busyPoll));
  Reactor* const reactor = makeReactorOf(options.backend, reason);
  reactor->setBusyPoll(static_cast<std::int64_t>(options.busyPoll) * 1000);
  return reactor;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
