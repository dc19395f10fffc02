// SPDX-License-Identifier: MIT
// What a connection waits for that does not read now.
#pragma once

#include <leat/core/event.hpp>
#include <leat/core/scope.hpp>
#include <leat/net/socket.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// Something has changed, or the socket has closed. A template of its parameter, so that what it races is made
/// when it is used. Lifetime: refers to both.
template <class Wake>
Task<> wokenOrClosed(Wake& wake, const net::Socket& socket) {
  wake.reset();
  co_await raceScoped(wake.wait(), socket.closed());
}

}  // namespace leat::inline LEAT_ABI::http::detail
