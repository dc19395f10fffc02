// SPDX-License-Identifier: MIT
// What a connection, its awaiters and its server say to each other.
#pragma once

#include <leat/core/system_error.hpp>
#include <leat/core/waiter.hpp>

namespace leat::inline LEAT_ABI::net::detail {

/// Who waits for the bytes of a receive.
struct Receiver {
  /// On the loop's thread: bytes received, 0 at the end, -errno.
  void (*done)(Receiver&, int result) noexcept;
};

/// Who waits for a connection. One that was promised is there when the waiter goes on.
struct AcceptWaiter : leat::detail::Waiter {
  using Waiter::Waiter;
  bool promised = false;
};

/// Told once, when a connection is destroyed or has gone: its server.
struct CloseListener {
  void (*closed)(CloseListener&) noexcept;
};

/// What became of bytes that were to be sent.
enum class Sent : unsigned char {
  Taken,    // and there is room for more
  Full,     // taken, and the limit of unsent bytes is reached; or the socket broke
  Refused,  // the socket cannot send any more
};

/// An error of a socket, worded as Node does: "read ECONNRESET".
inline std::exception_ptr socketError(int number, std::string_view call) noexcept {
  return std::make_exception_ptr(SystemError::ofAddress(number, call, {}, -1));
}

/// What a write after the end gets; in Node its words depend on who ended.
inline Error writeAfterEnd(bool byPeer) {
  return byPeer ? Error("This socket has been ended by the other party", "EPIPE")
                : Error("write after end", "ERR_STREAM_WRITE_AFTER_END");
}

inline void wakeAll(leat::detail::List<leat::detail::Waiter>& waiters) noexcept {
  while (!waiters.empty()) waiters.front().wake();
}

}  // namespace leat::inline LEAT_ABI::net::detail
