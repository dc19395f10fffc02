// SPDX-License-Identifier: MIT
// net.Socket: a connected TCP or Unix socket, as a handle.
#pragma once

#include <leat/core/task.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/net/detail/names.hpp>
#include <leat/net/socket_operations.hpp>

#include <netinet/tcp.h>

#include <string>

namespace leat::inline LEAT_ABI {

template <class R, class W>
class Duplex;

}  // namespace leat::inline LEAT_ABI

namespace leat::inline LEAT_ABI::net {

/// A connection. Copies are handles to the same socket; when the last one goes, what was written is
/// sent and the socket closed.
///
/// Node: `net.Socket`. Reads and writes take effect at once, without passing the loop, where they can.
/// An error of the socket destroys it and is thrown by whoever waits and by every later operation.
/// Thread: the loop's. Throws, all of it: Error ERR_WRONG_THREAD elsewhere and after the loop's end.
class Socket {
 public:
  using LoopBound = void;
  /// Refers to no connection, as one that was moved from: it answers like a socket that was destroyed, and
  /// to use it throws Error ERR_SOCKET_CLOSED.
  Socket() noexcept = default;
  explicit Socket(leat::detail::Ref<detail::Connection> connection) noexcept
      : connection_(std::move(connection)) {}

  /// Receives at least one byte into `buffer`: gives how many, 0 at the end of the stream.
  ///
  /// Lifetime: borrows `buffer` until it has completed. Overlap: one read at a time.
  /// Cancel: AbortError; nothing that was received is lost. Throws: SystemError (ECONNRESET, ...), Error
  /// ERR_STREAM_DESTROYED, ERR_READ_IN_PROGRESS.
  ReadOperation read(std::span<std::byte> buffer, SignalRef signal = {}) const;
  ReadOperation read(std::span<char> buffer, SignalRef signal = {}) const;
  /// Receives what is there, at most `size` bytes: an empty Buffer is the end of the stream.
  ReadBufferOperation read(std::size_t size = 65536, SignalRef signal = {}) const;
  /// Fills `buffer`. Throws: also Error ERR_STREAM_PREMATURE_CLOSE when the stream ends before.
  /// Where it throws or is abandoned, what it has received is given to the next read.
  LEAT_ON_USE
  Task<> readExactly(std::span<std::byte> buffer, SignalRef signal = {}) const;
  LEAT_ON_USE
  Task<> readExactly(std::span<char> buffer, SignalRef signal = {}) const;
  /// Receives up to and including `delimiter`, at most `limit` bytes; the empty string at the end of the
  /// stream, and what came before it when the last piece has no delimiter. What lies behind the
  /// delimiter stays for the next read.
  /// Throws: also RangeError ERR_OUT_OF_RANGE when `limit` bytes have none; they stay readable. Where it
  /// throws or is abandoned, what it has received is given to the next read.
  LEAT_ON_USE
  Task<std::string> readUntil(std::string_view delimiter, std::size_t limit = 65536,
                              SignalRef signal = {}) const;
  /// Puts bytes back in front of what the next read gives. Node: `readable.unshift`.
  void unshift(Buffer bytes) const;

  /// Takes the bytes: sends what the kernel has room for, keeps the rest (copied, unless they come as a
  /// Buffer). As a bool: false when `highWaterMark` bytes wait, as Node's `write`. Awaited: goes on
  /// when there is room again, and throws the socket's error.
  ///
  /// Cancel: what the kernel has room for is sent under an aborted signal, too; an abort while part of the
  /// bytes is unsent destroys the socket, since the peer would see half a message. Throws, when awaited: SystemError (EPIPE, ECONNRESET), Error
  /// ERR_STREAM_WRITE_AFTER_END, ERR_STREAM_DESTROYED.
  WriteResult write(std::string_view bytes) const;
  WriteResult write(std::span<const std::byte> bytes) const;
  WriteResult write(const Buffer& bytes) const;
  /// The same for several pieces, in one system call where possible.
  WriteResult writev(std::span<const Buffer> pieces) const;
  /// Ends the writing side once all is sent. Awaited: goes on when it is, whatever the ambient signal
  /// says. Node: `socket.end()`. Throws, when awaited: the socket's error, Error ERR_STREAM_DESTROYED.
  SocketEnd end() const;
  SocketEnd end(std::string_view bytes) const;
  /// Closes at once; what was not sent is dropped. Node: `socket.destroy(error)`.
  void destroy(std::exception_ptr error = nullptr) const;
  /// Closes with a reset. Node: `socket.resetAndDestroy()`.
  void resetAndDestroy() const;
  /// Waits for the close phase in which the socket is closed, however that came about.
  SocketEnd closed() const;

  /// Node: `setNoDelay`, `setKeepAlive(enable, initialDelay)`. The delay is cut to whole seconds, at most the
  /// 32767 that the kernel takes; less than one leaves the system's. Throws: SystemError.
  const Socket& setNoDelay(bool enable = true) const;
  template <Duration D = int>
  const Socket& setKeepAlive(bool enable = true, D initialDelay = 0) const;
  /// Calls `onTimeout` when nothing was sent or received for so long; it only tells, as in Node. 0 turns
  /// it off. Throws: RangeError ERR_OUT_OF_RANGE below 0 and of what is no finite number.
  template <Duration D, class F>
  const Socket& setTimeout(D timeout, F&& onTimeout) const;
  template <Duration D>
  const Socket& setTimeout(D timeout) const;
  /// How many unsent bytes make `write` false. Default 16 KiB.
  const Socket& setHighWaterMark(std::size_t bytes) const;
  const Socket& ref() const { return setReferenced(true); }
  const Socket& unref() const { return setReferenced(false); }

  /// Node: `address()`, and `remoteAddress`, `remotePort`, `remoteFamily` in one. Empty when closed.
  SocketAddress localAddress() const noexcept;
  SocketAddress remoteAddress() const noexcept;
  std::uint64_t bytesRead() const noexcept { return connection_ ? connection_->bytesRead : 0; }
  /// Counts what was accepted, sent or not.
  std::uint64_t bytesWritten() const noexcept {
    return connection_ ? connection_->bytesWritten : 0;
  }
  /// Bytes accepted and not sent. Node: `writableLength`.
  std::size_t writableLength() const noexcept { return connection_ ? connection_->unsent() : 0; }
  bool writableNeedDrain() const noexcept { return connection_ && connection_->needDrain(); }
  bool destroyed() const noexcept { return !connection_ || connection_->closed(); }
  bool writableEnded() const noexcept { return connection_ && connection_->writableEnded(); }
  bool writableFinished() const noexcept { return connection_ && connection_->writableFinished(); }
  bool readableEnded() const noexcept { return connection_ && connection_->readableEnded(); }
  /// What the socket was destroyed with, or null. Node: `errored`.
  std::exception_ptr errored() const noexcept {
    return connection_ ? connection_->error() : std::exception_ptr();
  }
  /// The descriptor, -1 when closed; stays the socket's.
  int fd() const noexcept { return connection_ ? connection_->fd() : -1; }
  friend bool operator==(const Socket& a, const Socket& b) noexcept {
    return a.connection_ == b.connection_;
  }

  /// The socket as a stream, for its events and for `pipe`; the same one as long as it lives. `pipeline`,
  /// `compose`, `finished` and `pipe` also take the socket itself. While there is a stream the socket is
  /// read and written through it alone. See `duplexFrom`.
  LEAT_ON_USE
  Duplex<Buffer, Buffer> stream() const;

  detail::Connection& connection() const { return *connection_; }

 private:
  const Socket& setReferenced(bool to) const;
  void setIdle(std::int32_t ms, detail::KeptCallback<> onTimeout) const;
  /// What is closed may be told to close anywhere, as by a destructor that runs after the loop.
  void checkThreadIfOpen() const {
    if (!connection_->closed()) connection_->checkThread();
  }
  detail::ConnectionHandle connection_;
};

// ---- reading ----

#if LEAT_BODIES
LEAT_INLINE ReadOperation Socket::read(std::span<std::byte> buffer, SignalRef signal) const {
  return ReadOperation(connection_, buffer.data(), buffer.size(), signal);
}

LEAT_INLINE ReadOperation Socket::read(std::span<char> buffer, SignalRef signal) const {
  return ReadOperation(connection_, buffer.data(), buffer.size(), signal);
}

LEAT_INLINE ReadBufferOperation Socket::read(std::size_t size, SignalRef signal) const {
  return ReadBufferOperation(connection_, size, signal);
}

LEAT_INLINE void Socket::unshift(Buffer bytes) const {
  connection_->checkThread();
  connection_->putBack(std::move(bytes));
}

namespace detail {

using SignalHold = Ref<AbortState>;

/// Received bytes of a read that wants more: put back for the next read where it fails or is abandoned.
class Gathered {
 public:
  explicit Gathered(ConnectionRef connection) noexcept : connection_(std::move(connection)) {}
  Gathered(const Gathered&) = delete;
  Gathered& operator=(const Gathered&) = delete;
  ~Gathered() {
    if (!bytes.empty()) connection_->putBack(Buffer::adopt(std::move(bytes)));
  }
  std::string bytes;

 private:
  ConnectionRef connection_;
};

/// The same, where they are gathered in the caller's memory.
class Filled {
 public:
  Filled(ConnectionRef connection, const std::byte* data) noexcept
      : connection_(std::move(connection)), data_(reinterpret_cast<const char*>(data)) {}
  Filled(const Filled&) = delete;
  Filled& operator=(const Filled&) = delete;
  ~Filled() {
    if (count > 0) connection_->putBack(Buffer::from(std::string_view(data_, count)));
  }
  std::size_t count = 0;

 private:
  ConnectionRef connection_;
  const char* data_;
};

LEAT_ON_USE
Task<> readExactly(Socket socket, ConnectionRef connection, std::byte* data, std::size_t size,
                   SignalHold signal) {
  Filled filled(std::move(connection), data);
  while (filled.count < size) {
    const std::span<std::byte> rest(data + filled.count, size - filled.count);
    const std::size_t count = co_await socket.read(rest, SignalRef(signal.get()));
    if (count == 0) throw Error("Premature close", "ERR_STREAM_PREMATURE_CLOSE");
    filled.count += count;
  }
  filled.count = 0;
}

/// Where `delimiter` ends in `text`, searched for from `from`; npos when it is not there.
inline std::size_t endOf(std::string_view text, std::string_view delimiter, std::size_t from) {
  const std::size_t at = text.find(delimiter, from);
  return at == text.npos ? at : at + delimiter.size();
}

[[noreturn]] LEAT_INLINE void throwNoDelimiter(const char* call, std::size_t limit) {
  throw RangeError(std::string(call) + ": no delimiter within the limit of " +
                   std::to_string(limit) + " bytes");
}

/// Whether `size` bytes, with a delimiter that ends at `end` or none, are within the limit.
inline void checkLimit(const char* call, std::size_t size, std::size_t end, std::size_t limit) {
  if (end == std::string_view::npos ? size < limit : end <= limit) return;
  throwNoDelimiter(call, limit);
}

/// From what is there already, without a copy of what lies behind; empty when that has no delimiter.
LEAT_INLINE std::string takeUntil(Connection& connection, std::string_view delimiter,
                                  std::size_t limit) {
  Buffer& unread = connection.unread;
  const std::size_t end = endOf(unread.view(), delimiter, 0);
  checkLimit("readUntil", unread.size(), end, limit);
  if (end == std::string_view::npos) return {};
  std::string line(unread.view().substr(0, end));
  unread = unread.subarray(static_cast<std::ptrdiff_t>(end));
  return line;
}

LEAT_ON_USE
Task<std::string> readUntil(Socket socket, ConnectionRef connection, std::string delimiter,
                            std::size_t limit, SignalHold signal) {
  std::string line;
  connection->checkThread();
  if (!connection->receiving()) line = takeUntil(*connection, delimiter, limit);
  if (!line.empty()) co_return line;
  Gathered gathered(connection);
  std::string& got = gathered.bytes;
  for (;;) {
    const Buffer chunk = co_await socket.read(std::size_t{65536}, SignalRef(signal.get()));
    if (chunk.empty()) co_return std::exchange(got, {});
    const std::size_t reach = delimiter.size() - 1;
    const std::size_t overlap = got.size() < reach ? got.size() : reach;
    const std::size_t from = got.size() - overlap;
    got.append(chunk.view());
    const std::size_t end = endOf(got, delimiter, from);
    checkLimit("readUntil", got.size(), end, limit);
    if (end == got.npos) continue;
    line = got.substr(0, end);
    const Buffer whole = Buffer::adopt(std::exchange(got, {}));
    connection->putBack(whole.subarray(static_cast<std::ptrdiff_t>(end)));
    co_return line;
  }
}

}  // namespace detail

LEAT_ON_USE_BODY
Task<> Socket::readExactly(std::span<std::byte> buffer, SignalRef signal) const {
  return detail::readExactly(*this, connection_, buffer.data(), buffer.size(),
                             detail::SignalHold(signal.state()));
}

LEAT_ON_USE_BODY
Task<> Socket::readExactly(std::span<char> buffer, SignalRef signal) const {
  return detail::readExactly(*this, connection_, reinterpret_cast<std::byte*>(buffer.data()),
                             buffer.size(), detail::SignalHold(signal.state()));
}

LEAT_ON_USE_BODY
Task<std::string> Socket::readUntil(std::string_view delimiter, std::size_t limit,
                                    SignalRef signal) const {
  if (delimiter.empty()) throw TypeError("readUntil: the delimiter is empty");
  return detail::readUntil(*this, connection_, std::string(delimiter), limit,
                           detail::SignalHold(signal.state()));
}

// ---- writing ----

LEAT_INLINE WriteResult Socket::write(std::span<const std::byte> bytes) const {
  connection_->checkThread();
  return WriteResult(connection_, connection_->send(bytes));
}

LEAT_INLINE WriteResult Socket::write(std::string_view bytes) const {
  return write(std::as_bytes(std::span(bytes)));
}

LEAT_INLINE WriteResult Socket::write(const Buffer& bytes) const {
  connection_->checkThread();
  return WriteResult(connection_, connection_->send(bytes.bytes(), &bytes));
}

LEAT_INLINE WriteResult Socket::writev(std::span<const Buffer> pieces) const {
  connection_->checkThread();
  return WriteResult(connection_, connection_->sendAll(pieces));
}

LEAT_INLINE SocketEnd Socket::end() const {
  checkThreadIfOpen();
  connection_->end();
  return SocketEnd(connection_, detail::SocketEvent::Finish);
}

LEAT_INLINE SocketEnd Socket::end(std::string_view bytes) const {
  (void)write(bytes);
  return end();
}

LEAT_INLINE SocketEnd Socket::closed() const {
  return SocketEnd(connection_, detail::SocketEvent::Close);
}

LEAT_INLINE void Socket::destroy(std::exception_ptr error) const {
  if (!connection_) return;
  checkThreadIfOpen();
  connection_->destroyAll(error);
}

LEAT_INLINE void Socket::resetAndDestroy() const {
  if (!connection_) return;
  checkThreadIfOpen();
  connection_->reset();
}

// ---- options ----

LEAT_INLINE const Socket& Socket::setNoDelay(bool enable) const {
  connection_->setOption(IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
  return *this;
}
#endif

namespace detail {

/// Whole seconds that the kernel takes; 0 leaves what is set.
inline int keepAliveSeconds(double ms) noexcept {
  constexpr int most = 32767;
  const double seconds = ms / 1000;
  return seconds >= most ? most : seconds >= 1 ? static_cast<int>(seconds) : 0;
}

template <Duration D>
std::int32_t idleMs(const D& timeout) {
  return leat::detail::idleTimeoutMs("msecs", leat::detail::milliseconds(timeout));
}

}  // namespace detail

template <Duration D>
const Socket& Socket::setKeepAlive(bool enable, D initialDelay) const {
  connection_->setOption(SOL_SOCKET, SO_KEEPALIVE, enable ? 1 : 0);
  const int seconds = detail::keepAliveSeconds(leat::detail::milliseconds(initialDelay));
  if (enable && seconds > 0) connection_->setOption(IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  return *this;
}

template <Duration D, class F>
const Socket& Socket::setTimeout(D timeout, F&& onTimeout) const {
  setIdle(detail::idleMs(timeout), detail::KeptCallback<>(std::forward<F>(onTimeout)));
  return *this;
}
template <Duration D>
const Socket& Socket::setTimeout(D timeout) const {
  setIdle(detail::idleMs(timeout), {});
  return *this;
}

#if LEAT_BODIES
LEAT_INLINE void Socket::setIdle(std::int32_t ms, detail::KeptCallback<> onTimeout) const {
  checkThreadIfOpen();
  if (!connection_->closed()) connection_->idle().set(ms, std::move(onTimeout));
}

LEAT_INLINE const Socket& Socket::setReferenced(bool to) const {
  checkThreadIfOpen();
  connection_->setReferenced(to);
  return *this;
}

LEAT_INLINE const Socket& Socket::setHighWaterMark(std::size_t bytes) const {
  connection_->highWaterMark = bytes;
  return *this;
}

LEAT_INLINE SocketAddress Socket::localAddress() const noexcept {
  return detail::localAddressOf(fd());
}

LEAT_INLINE SocketAddress Socket::remoteAddress() const noexcept {
  return detail::remoteAddressOf(fd());
}
#endif

}  // namespace leat::inline LEAT_ABI::net
