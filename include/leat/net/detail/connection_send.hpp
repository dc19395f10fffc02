// SPDX-License-Identifier: MIT
// How a connection sends: at once, or staged for the end of the turn where the back end sends for all
// sockets together; and what waits when the kernel has no room.
#pragma once

#include <leat/net/detail/connection.hpp>

namespace leat::inline LEAT_ABI::net::detail {

#if LEAT_BODIES
LEAT_INLINE Sent Connection::send(std::span<const std::byte> bytes, const Buffer* owner) {
  if (refusesWrites()) return Sent::Refused;
  bytesWritten += bytes.size();
  const iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
  if (stage({&vector, 1})) return room();
  if (closed_) return Sent::Full;
  if (queue_.empty() && !bytes.empty()) {
    const int sent = sendNow({&vector, 1});
    if (sent < 0) return Sent::Full;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  if (!bytes.empty()) try {
      queue_.push(owner != nullptr ? owner->subarray(-static_cast<std::ptrdiff_t>(bytes.size()))
                                   : Buffer::from(bytes));
      submitSend();
    } catch (const std::bad_alloc&) {
      // Some of it may have been sent: whoever wrote it again would say that twice.
      destroy(std::current_exception());
      throw;
    }
  return room();
}

LEAT_INLINE Sent Connection::sendAll(std::span<const Buffer> buffers) {
  if (refusesWrites()) return Sent::Refused;
  sendStaged();
  if (closed_) return Sent::Full;
  const bool idle = queue_.empty();
  for (const Buffer& buffer : buffers) {
    bytesWritten += buffer.size();
    queue_.push(buffer);
  }
  if (idle && stage(queue_.gather())) {
    queue_.clear();
    return room();
  }
  while (idle && !queue_.empty()) {
    const int sent = sendNow(queue_.gather());
    if (sent < 0) return Sent::Full;
    if (sent == 0) break;
    queue_.consume(static_cast<std::size_t>(sent));
  }
  submitSend();
  return room();
}

/// Whether the back end took the bytes, to send them with those of other sockets. Where it does not,
/// those that it took before go first.
LEAT_INLINE bool Connection::stage(std::span<const iovec> vectors) noexcept {
  if (!queue_.empty()) return false;
  if (loop().reactor().stage(handle_, vectors.data(), vectors.size())) {
    idle_.touch();
    return true;
  }
  sendStaged();
  return false;
}

LEAT_INLINE std::span<const std::byte> Connection::takeStaged() noexcept {
  const iovec rest = loop().reactor().unstage(handle_);
  return {static_cast<const std::byte*>(rest.iov_base), rest.iov_len};
}

/// Sends now what was to go with the turn.
LEAT_INLINE void Connection::sendStaged() {
  const std::span<const std::byte> bytes = takeStaged();
  if (bytes.empty()) return;
  if (sending_) return keepStaged(bytes);
  const iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const int sent = sendNow({&vector, 1});
  if (sent >= 0) keepStaged(bytes.subspan(static_cast<std::size_t>(sent)));
}

LEAT_INLINE bool Connection::sentAll() {
  if (!usable() || ending_) return false;
  sendStaged();
  return !closed_ && !sending_ && queue_.empty();
}

LEAT_INLINE void Connection::keepStaged(std::span<const std::byte> rest) {
  if (rest.empty()) return;
  // What was written since stands behind.
  abandonSend();
  try {
    queue_.pushFront(Buffer::from(rest));
    submitSend();
  } catch (const std::bad_alloc&) {
    // They are lost, and what follows would stand in their place.
    destroy(std::current_exception());
  }
}

/// The socket had no room, or broke.
LEAT_INLINE void Connection::onLeftover(Op& op, int result, unsigned) noexcept {
  Connection& self = static_cast<ConnectionOp&>(op).connection;
  if (self.closed_) return;
  Ref<Connection> alive(&self);
  if (result < 0) return self.destroy(socketError(-result, "write"));
  self.keepStaged(self.takeStaged());
}

/// The last chance of what is staged: gives what the kernel did not take.
LEAT_INLINE std::span<const std::byte> Connection::sendLast() noexcept {
  const std::span<const std::byte> bytes = takeStaged();
  if (bytes.empty() || sendOp_.busy()) return bytes;
  const iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
  sendOp_.prepareSend(handle_, &vector, 1);
  const int sent = loop().reactor().tryNow(sendOp_);
  if (sent == -EAGAIN) return bytes;
  return sent < 0 ? std::span<const std::byte>() : bytes.subspan(static_cast<std::size_t>(sent));
}

/// The last handle went while bytes were staged. What the kernel does not take at once needs a
/// connection that lives until it is sent.
LEAT_INLINE void Connection::leaveToHeir() noexcept {
  const std::span<const std::byte> rest = sendLast();
  if (rest.empty()) return;
  auto heir = leat::detail::makeRef<Connection>(loop());
  heir->queue_.push(Buffer::from(rest));
  heir->closeListener = std::exchange(closeListener, nullptr);
  loop().reactor().detach(handle_);
  heir->open(std::move(fd_), handle_.shortMeansBlocked);
  heir->submitSend();
}

/// What the kernel took at once; negative when the socket is destroyed for it.
LEAT_INLINE int Connection::sendNow(std::span<const iovec> vectors) noexcept {
  if (inlineSends_ >= maxInlineSends) return 0;
  ++inlineSends_;
  sendOp_.prepareSend(handle_, vectors.data(), vectors.size());
  const int sent = loop().reactor().tryNow(sendOp_);
  if (sent == -EAGAIN) return 0;
  if (sent < 0) {
    destroy(socketError(-sent, "write"));
  } else {
    idle_.touch();
  }
  return sent;
}

LEAT_INLINE Sent Connection::room() noexcept {
  if (!queue_.empty() && queue_.bytes() >= highWaterMark) needDrain_ = true;
  return needDrain_ ? Sent::Full : Sent::Taken;
}

LEAT_INLINE void Connection::submitSend() {
  if (queue_.empty() || sending_) return;
  const std::span<const iovec> vectors = queue_.gather();
  sendOp_.prepareSend(handle_, vectors.data(), vectors.size());
  sending_ = true;
  hold();
  loop().reactor().submit(sendOp_);
}

LEAT_INLINE void Connection::abandonSend() noexcept {
  // Not a question of busy(): a loop that was stopped by an exception may have taken its completion.
  if (!std::exchange(sending_, false)) return;
  if (sendOp_.busy()) loop().reactor().abandon(sendOp_);
  letGo();
}

LEAT_INLINE void Connection::onSent(Op& op, int result, unsigned) noexcept {
  Connection& self = static_cast<ConnectionOp&>(op).connection;
  Ref<Connection> alive(&self);
  self.passedLoop();
  self.sending_ = false;
  self.letGo();
  if (self.closed_) return;
  if (result < 0) return self.destroy(socketError(-result, "write"));
  self.idle_.touch();
  self.queue_.consume(static_cast<std::size_t>(result));
  if (!self.queue_.empty()) return self.submitSend();
  self.needDrain_ = false;
  wakeAll(self.drainWaiters_);
  if (self.ending_) self.shutDownWhenSent();
}

/// After the end a write is an error of the socket, as in Node.
LEAT_INLINE bool Connection::refusesWrites() noexcept {
  if (!closed_ && ending_) destroy(std::make_exception_ptr(writeAfterEnd(endedByPeer())));
  return closed_;
}

LEAT_INLINE void Connection::throwUnwritable() const {
  if (!error_ && endedByPeer()) throw writeAfterEnd(true);
  throwGone("Cannot call write after a stream was destroyed", "ERR_STREAM_DESTROYED");
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
