// SPDX-License-Identifier: MIT
// A socket as a stream, for `pipe` and `pipeline`.
#pragma once

#include <leat/net/socket.hpp>
#include <leat/stream/direct.hpp>
#include <leat/stream/duplex.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A socket as a sink of files, with a descriptor of its own: the socket may close, and its number be
/// another one's, while a worker is at it.
class SocketTaker final : public DirectTaker {
 public:
  explicit SocketTaker(sys::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  ssize_t take(int from, std::int64_t& at, std::size_t most) noexcept override {
    for (;;) {
      const ssize_t n = sys::sendfile(fd_.get(), from, at < 0 ? nullptr : &at, most);
      // A peer that reads soon is waited for; a slow one holds no worker.
      constexpr int soonMs = 2;
      if (n != -EAGAIN || sys::poll(fd_.get(), POLLOUT, soonMs) <= 0) return n;
    }
  }

 private:
  sys::UniqueFd fd_;
};

/// Reads and writes a socket as the streams ask for it.
template <class = void>
class SocketEnds : private DirectSink {
 public:
  explicit SocketEnds(net::Socket s) noexcept : socket(std::move(s)) {}
  DirectSink* directSink() noexcept { return this; }
  Task<> read(Duplex<Buffer>& self) {
    Buffer bytes = co_await socket.read();
    if (!bytes.empty()) {
      self.push(std::move(bytes));
    } else {
      self.push(nullptr);
      // The end is seen even if nobody reads, once all that came has been read.
      (void)self.read(0);
    }
  }
  Task<> write(Buffer chunk) { co_await socket.write(chunk); }
  Task<> writev(std::vector<Buffer> chunks) {
    const std::span<const Buffer> all(chunks);
    co_await socket.writev(all);
  }
  Task<> final() { co_await socket.end(); }
  Task<> destroy(std::exception_ptr error) {
    socket.destroy(error);
    co_await socket.closed();
  }
  net::Socket socket;

 private:
  std::unique_ptr<DirectTaker> beginTaking() override {
    if (socket.destroyed() || !socket.connection().sentAll()) return nullptr;
    const int fd = sys::fcntl(socket.fd(), F_DUPFD_CLOEXEC);
    return fd < 0 ? nullptr : std::make_unique<SocketTaker>(sys::UniqueFd(fd));
  }
  void endTaking(std::size_t count) override { socket.connection().noteSent(count); }
};

/// Node's sockets are not half-open unless they are told to be.
inline DuplexOptions socketOptions() noexcept {
  DuplexOptions options;
  options.allowHalfOpen = false;
  return options;
}

}  // namespace detail

/// A socket as a stream: `co_await pipeline(fs::createReadStream(path), duplexFrom(socket))`. While it
/// lives, the socket is read and written through it alone. It is received only when there is room, so the
/// peer is slowed down; the end of what is received ends what is sent, unless `allowHalfOpen`. The end or
/// an error of the stream closes the socket.
///
/// Node: `net.Socket` is a stream. Throws: Error ERR_NO_LOOP.
template <class S>
  requires std::is_same_v<S, net::Socket>
Duplex<Buffer> duplexFrom(S socket, DuplexOptions options = detail::socketOptions()) {
  Duplex<Buffer> stream(detail::SocketEnds<>(std::move(socket)), options);
  // What the peer does is seen, though nobody reads yet.
  if (options.readable) (void)stream.read(0);
  return stream;
}

}  // namespace leat::inline LEAT_ABI
