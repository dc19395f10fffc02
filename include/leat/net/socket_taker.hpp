// SPDX-License-Identifier: MIT
// A socket as a sink that the kernel moves bytes to: for the stream of a socket, and for protocols whose
// messages end with bytes that nobody looks at.
#pragma once

#include <leat/net/socket.hpp>
#include <leat/stream/direct.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
/// With a descriptor of its own: the socket may close, and its number be another one's, while a worker is
/// at it.
class SocketTaker final : public DirectTaker {
 public:
  explicit SocketTaker(sys::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  ssize_t take(int from, std::int64_t& at, std::size_t most) noexcept override {
    for (;;) {
      const ssize_t n = sys::sendfile(fd_.get(), from, at < 0 ? nullptr : &at, most);
      // A peer that reads soon is waited for; a slow one holds no worker.
      if (n != -EAGAIN || sys::poll(fd_.get(), POLLOUT, soonMs) <= 0) return n;
    }
  }
  static constexpr int soonMs = 2;

 private:
  sys::UniqueFd fd_;
};
#endif

/// Whether a socket is broken that answers so. The kernel tells it once: the next receive gives the end.
LEAT_INLINE bool breaksSocket(ssize_t answer) noexcept;
/// Null when bytes that were written before are still to go, or there is no descriptor left. Nothing is
/// written to the socket before `noteTaken`.
LEAT_INLINE Owned<DirectTaker> takerOf(const net::Socket& socket);
/// So many bytes were taken, and this was the last answer.
LEAT_INLINE void noteTaken(net::detail::Connection& connection, std::size_t count, ssize_t answer);

#if LEAT_BODIES
LEAT_INLINE bool breaksSocket(ssize_t answer) noexcept {
  switch (-answer) {
    case ECONNRESET:
    case ECONNABORTED:
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
      return true;
    default:
      return false;
  }
}

LEAT_INLINE Owned<DirectTaker> takerOf(const net::Socket& socket) {
  if (socket.destroyed() || !socket.connection().sentAll()) return nullptr;
  const int fd = sys::fcntl(socket.fd(), F_DUPFD_CLOEXEC);
  if (fd < 0) return nullptr;
  return makeOwned<SocketTaker>(sys::UniqueFd(fd));
}

LEAT_INLINE void noteTaken(net::detail::Connection& connection, std::size_t count, ssize_t answer) {
  connection.noteSent(count);
  if (breaksSocket(answer))
    connection.destroy(net::detail::socketError(static_cast<int>(-answer), "write"));
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
