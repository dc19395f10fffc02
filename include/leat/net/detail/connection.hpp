// SPDX-License-Identifier: MIT
// What the handles of a socket share: the descriptor, its operations, what waits to be sent, and how
// it all ends. Sockets and servers talk to it; users do not.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/loop/loop_hold.hpp>
#include <leat/net/detail/idle_timeout.hpp>
#include <leat/net/detail/send_queue.hpp>
#include <leat/net/detail/socket_types.hpp>
#include <leat/sys/fd.hpp>

#include <span>

namespace leat::inline LEAT_ABI::detail {

class StreamCore;

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::Counted;
using leat::detail::HoldsLoop;
using leat::detail::IoHandle;
using leat::detail::Job;
using leat::detail::List;
using leat::detail::LoopOwned;
using leat::detail::Op;
using leat::detail::Ref;
using leat::detail::Waiter;

/// What a connection does with the stream of its socket, which it does not know more of.
struct KeptStream {
  void (*release)(leat::detail::StreamCore&) noexcept;
  /// False: it was destroyed before.
  bool (*destroy)(leat::detail::StreamCore&, const std::exception_ptr&);
};

/// Counted by its handles, by operations in flight and by unsent bytes: dropping the last handle of a
/// socket sends what was accepted, then closes.
class Connection : public Counted<Connection>, private LoopOwned, private HoldsLoop<Connection> {
  friend HoldsLoop<Connection>;

 public:
  explicit Connection(EventLoop& loop) noexcept;
  ~Connection();

  /// Takes over a connected or fresh descriptor; when it throws, it has not. `shortMeansBlocked`: see
  /// IoHandle. Throws: SystemError.
  void open(sys::UniqueFd&& fd, bool shortMeansBlocked);
  /// False also on other threads and after the end of the loop.
  bool usable() const noexcept { return hold_.onThread() && !closed_; }
  /// Throws: Error ERR_WRONG_THREAD.
  void checkThread() const { hold_.checkThread("a socket"); }
  int fd() const noexcept { return fd_.get(); }
  EventLoop& loop() noexcept { return hold_.loop(); }
  IoHandle& handle() noexcept { return handle_; }

  // ---- receiving: one operation at a time, owned here ----

  /// The bytes if there are some now, 0 at the end, -errno, -EAGAIN: then `receive`.
  int receiveNow(void* into, std::size_t size) noexcept;
  void receive(Receiver& receiver, void* into, std::size_t size) noexcept;
  bool receiving() const noexcept { return receiver_ != nullptr; }
  /// Throws: Error ERR_READ_IN_PROGRESS.
  void checkNotReceiving() const {
    if (receiving())
      throw Error("a read of this socket is in progress already", "ERR_READ_IN_PROGRESS");
  }
  /// The receiver is told -ECANCELED, or the result that came first.
  void cancelReceive() noexcept { loop().reactor().cancel(receiveOp_); }
  /// The receiver goes away; what has been received stays for the next one.
  void abandonReceive() noexcept;
  /// In front of what the next read gives.
  void putBack(Buffer bytes);
  /// From there.
  std::size_t takeUnread(std::span<std::byte> into) noexcept;
  /// Whether others may receive in its place: then nothing is here that came before.
  bool receivesElsewhere() noexcept {
    return usable() && !receiving() && unread.empty() && !readEnded_ &&
           loop().reactor().holdsNothing(handle_);
  }
  /// As `receiveNow`, into a pipe.
  ssize_t receivePiped(int pipe, std::size_t size) noexcept;
  /// Others have received so many bytes.
  void noteReceived(std::size_t count) noexcept {
    bytesRead += count;
    if (!closed_) idle_.touch();
  }

  // ---- sending ----

  /// Takes the bytes: sends what the kernel has room for, keeps the rest.
  Sent send(std::span<const std::byte> bytes, const Buffer* owner = nullptr);
  Sent sendAll(std::span<const Buffer> buffers);
  std::size_t unsent() const noexcept { return queue_.bytes(); }
  /// A waiter for the queue to be empty stands here.
  List<Waiter>& drainWaiters() noexcept { return drainWaiters_; }
  bool needDrain() const noexcept { return needDrain_; }
  /// Who waits for room now waits until all was sent.
  void wantDrain() noexcept { needDrain_ = needDrain_ || !queue_.empty(); }
  /// Whether all that it took has gone to the kernel, so that others may send behind it.
  bool sentAll();
  /// Others have sent so many bytes.
  void noteSent(std::size_t count) noexcept {
    bytesWritten += count;
    if (!closed_) idle_.touch();
  }
  /// Throws what a write gets that was refused or cut short.
  [[noreturn]] void throwUnwritable() const;

  // ---- the end ----

  /// No more to send: once all is sent, the peer is told.
  void end() noexcept;
  /// The peer has ended. Unless half-open sockets are allowed this side ends too, in a tick: who has
  /// just read the end may still write. Node: endReadableNT.
  void endReading() noexcept;
  void destroy(std::exception_ptr error) noexcept;
  /// -errno of a call. Throws: SystemError.
  [[noreturn]] void fail(int result, const char* call);
  /// Of the socket, by its user: with the stream; the peer is told by a reset.
  void reset();
  bool closed() const noexcept { return closed_; }
  bool writableEnded() const noexcept { return ending_; }
  bool writableFinished() const noexcept { return shutDown_; }
  bool readableEnded() const noexcept { return readEnded_; }
  List<Waiter>& finishWaiters() noexcept { return finishWaiters_; }
  List<Waiter>& closeWaiters() noexcept { return closeWaiters_; }
  bool closeEmitted() const noexcept { return closeEmitted_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Throws the error that the socket was destroyed with, or `otherwise` as an Error.
  [[noreturn]] void throwGone(std::string_view otherwise, std::string_view code) const {
    if (error_) std::rethrow_exception(error_);
    throw Error(otherwise, code);
  }

  /// Throws: SystemError; Error ERR_SOCKET_CLOSED.
  void setOption(int level, int option, int value);
  void setReferenced(bool to) noexcept { hold_.setReferenced(to); }
  /// Of a socket that is open.
  IdleTimeout& idle() noexcept { return idle_; }

  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
  std::size_t highWaterMark = 16 * 1024;
  bool allowHalfOpen = false;
  CloseListener* closeListener = nullptr;
  // Received, but given back by a reader that wanted less.
  Buffer unread;
  /// Of a socket that has not closed: its stream, of which this takes over a count.
  void keepStream(leat::detail::StreamCore& stream, const KeptStream& how) noexcept {
    stream_ = &stream;
    keptStream_ = &how;
  }
  leat::detail::StreamCore* stream() const noexcept { return stream_; }
  /// Of the socket, by its user: with the stream.
  void destroyAll(const std::exception_ptr& error) {
    if (stream_ == nullptr || !keptStream_->destroy(*stream_, error)) destroy(error);
  }

 private:
  // The parts that point back to their connection.
  struct ConnectionOp : Op {
    ConnectionOp(Connection& c, Done d) noexcept : Op(d), connection(c) {}
    Connection& connection;
  };
  struct ConnectionJob : Job {
    ConnectionJob(Connection& c, Function f) noexcept : Job(f), connection(c) {}
    Connection& connection;
  };
  static void onReceived(Op& op, int result, unsigned) noexcept;
  static void onSent(Op& op, int result, unsigned) noexcept;
  static void onPeerEnded(Job& job, JobAction action) noexcept;
  static void onClose(Job& job, JobAction action) noexcept;
  static void onReceiverGone(Job& job, JobAction action) noexcept;
  static void onLeftover(Op& op, int result, unsigned) noexcept;
  static void onLoopEnd(LoopOwned& owned) noexcept;

  bool refusesWrites() noexcept;
  bool stage(std::span<const iovec> vectors) noexcept;
  void sendStaged();
  void keepStaged(std::span<const std::byte> rest);
  std::span<const std::byte> takeStaged() noexcept;
  std::span<const std::byte> sendLast() noexcept;
  void leaveToHeir() noexcept;
  int sendNow(std::span<const iovec> vectors) noexcept;
  Sent room() noexcept;
  void submitSend();
  void abandonSend() noexcept;
  void shutDownWhenSent() noexcept;
  void destroyWhenDone() noexcept;
  /// The peer ended, and this side with it: writes then fail otherwise than after `end()`, as in Node.
  bool endedByPeer() const noexcept { return readEnded_ && ending_ && !allowHalfOpen; }
  void closeDescriptor() noexcept;
  void tellListener() noexcept {
    if (CloseListener* listener = std::exchange(closeListener, nullptr))
      listener->closed(*listener);
  }
  void letStreamGo() noexcept {
    if (leat::detail::StreamCore* const stream = std::exchange(stream_, nullptr))
      keptStream_->release(*stream);
  }
  void passedLoop() noexcept { inlineReceives_ = inlineSends_ = 0; }

  // Transfers in a row that did not pass the loop: then others get their turn.
  static constexpr unsigned maxInlineReceives = 16;
  static constexpr unsigned maxInlineSends = 64;

  sys::UniqueFd fd_;
  IoHandle handle_;
  ConnectionOp receiveOp_{*this, onReceived};
  ConnectionOp sendOp_{*this, onSent};
  ConnectionOp leftoverOp_{*this, onLeftover};
  ConnectionJob closeJob_{*this, onClose};
  ConnectionJob peerEnded_{*this, onPeerEnded};
  ConnectionJob receiverGone_{*this, onReceiverGone};
  Receiver* receiver_ = nullptr;
  SendQueue queue_;
  List<Waiter> drainWaiters_;
  List<Waiter> finishWaiters_;
  List<Waiter> closeWaiters_;
  std::exception_ptr error_;
  leat::detail::StreamCore* stream_ = nullptr;
  const KeptStream* keptStream_ = nullptr;
  IdleTimeout idle_;
  unsigned inlineReceives_ = 0;
  unsigned inlineSends_ = 0;
  bool sending_ = false;
  bool needDrain_ = false;
  bool ending_ = false;
  bool shutDown_ = false;
  bool readEnded_ = false;
  bool closed_ = false;
  bool closeEmitted_ = false;
};

#if LEAT_BODIES
LEAT_INLINE Connection::Connection(EventLoop& loop) noexcept
    : LoopOwned(onLoopEnd), HoldsLoop(loop), idle_(loop) {}

LEAT_INLINE Connection::~Connection() {
  if (usable()) {
    idle_.stop();
    leaveToHeir();
    closeDescriptor();
  }
  tellListener();
  letStreamGo();
}

LEAT_INLINE void Connection::open(sys::UniqueFd&& fd, bool shortMeansBlocked) {
  handle_.fd = fd.get();
  handle_.shortMeansBlocked = shortMeansBlocked;
  handle_.ownSocket = true;
  handle_.leftover = &leftoverOp_;
  leat::detail::Reactor& reactor = loop().reactor();
  if (const int error = reactor.attach(handle_)) throw SystemError(-error, reactor.attachCall());
  fd_ = std::move(fd);
  loop().queue().own(*this);
}

// ---- receiving ----

LEAT_INLINE int Connection::receiveNow(void* into, std::size_t size) noexcept {
  if (inlineReceives_ >= maxInlineReceives) return -EAGAIN;
  receiveOp_.prepareRecv(handle_, into, size);
  const int result = loop().reactor().tryNow(receiveOp_);
  if (result == -EAGAIN) return result;
  ++inlineReceives_;
  if (result > 0) noteReceived(static_cast<std::size_t>(result));
  return result;
}

LEAT_INLINE ssize_t Connection::receivePiped(int pipe, std::size_t size) noexcept {
  if (inlineReceives_ >= maxInlineReceives) return -EAGAIN;
  const ssize_t result = sys::splice(fd_.get(), pipe, nullptr, size);
  if (result <= 0) return result;
  ++inlineReceives_;
  noteReceived(static_cast<std::size_t>(result));
  return result;
}

LEAT_INLINE void Connection::receive(Receiver& receiver, void* into, std::size_t size) noexcept {
  receiver_ = &receiver;
  receiveOp_.prepareRecv(handle_, into, size);
  hold();
  loop().reactor().submit(receiveOp_);
}

LEAT_INLINE void Connection::abandonReceive() noexcept {
  if (std::exchange(receiver_, nullptr) == nullptr || !hold_.onThread()) return;
  receiverGone_.unlink();
  if (receiveOp_.busy()) loop().reactor().abandon(receiveOp_);
  letGo();
}

LEAT_INLINE void Connection::onReceived(Op& op, int result, unsigned) noexcept {
  Connection& self = static_cast<ConnectionOp&>(op).connection;
  self.passedLoop();
  if (result > 0) self.noteReceived(static_cast<std::size_t>(result));
  Receiver* receiver = std::exchange(self.receiver_, nullptr);
  Ref<Connection> alive(&self);
  self.letGo();
  receiver->done(*receiver, result);
}

LEAT_INLINE void Connection::onReceiverGone(Job& job, JobAction action) noexcept {
  Connection& self = static_cast<ConnectionJob&>(job).connection;
  Ref<Connection> alive(&self);
  Receiver* receiver = std::exchange(self.receiver_, nullptr);
  if (receiver == nullptr) return;
  self.letGo();
  if (action == JobAction::Run) receiver->done(*receiver, -ECANCELED);
}

LEAT_INLINE void Connection::putBack(Buffer bytes) {
  if (unread.empty()) {
    unread = std::move(bytes);
  } else if (!bytes.empty()) {
    unread = Buffer::concat(bytes, unread);
  }
}

LEAT_INLINE std::size_t Connection::takeUnread(std::span<std::byte> into) noexcept {
  const std::size_t count = std::min(unread.size(), into.size());
  if (count == 0) return 0;
  std::memcpy(into.data(), unread.data(), count);
  unread = unread.subarray(static_cast<std::ptrdiff_t>(count));
  return count;
}

// ---- the end ----

LEAT_INLINE void Connection::fail(int result, const char* call) {
  const std::exception_ptr error = socketError(-result, call);
  destroy(error);
  std::rethrow_exception(error);
}

LEAT_INLINE void Connection::end() noexcept {
  if (closed_ || ending_) return;
  sendStaged();
  if (closed_) return;
  ending_ = true;
  shutDownWhenSent();
}

LEAT_INLINE void Connection::shutDownWhenSent() noexcept {
  if (closed_ || shutDown_ || !queue_.empty()) return;
  const int error = sys::shutdown(fd_.get(), SHUT_WR);
  if (error < 0 && error != -ENOTCONN) return destroy(socketError(-error, "shutdown"));
  shutDown_ = true;
  wakeAll(finishWaiters_);
  destroyWhenDone();
}

LEAT_INLINE void Connection::endReading() noexcept {
  if (std::exchange(readEnded_, true) || closed_) return;
  if (!allowHalfOpen && !ending_) loop().queue().pushTick(peerEnded_);
  destroyWhenDone();
}

LEAT_INLINE void Connection::onPeerEnded(Job& job, JobAction action) noexcept {
  if (action == JobAction::Run) static_cast<ConnectionJob&>(job).connection.end();
}

/// Node's autoDestroy: both directions have ended.
LEAT_INLINE void Connection::destroyWhenDone() noexcept {
  if (readEnded_ && shutDown_) destroy(nullptr);
}

LEAT_INLINE void Connection::destroy(std::exception_ptr error) noexcept {
  if (!usable()) return;
  Ref<Connection> alive(this);
  sendStaged();
  if (closed_) return;
  closed_ = true;
  error_ = std::move(error);
  abandonSend();
  if (receiver_ != nullptr) {
    if (receiveOp_.busy()) loop().reactor().abandon(receiveOp_);
    loop().queue().pushMicrotask(receiverGone_);
  }
  peerEnded_.unlink();
  queue_.clear();
  closeDescriptor();
  wakeAll(drainWaiters_);
  wakeAll(finishWaiters_);
  retain();
  loop().pushClosing(closeJob_);
  tellListener();
  idle_.clear();
}

LEAT_INLINE void Connection::closeDescriptor() noexcept {
  LoopOwned::unlink();
  if (handle_.reactor != nullptr) handle_.reactor->detach(handle_);
  fd_.reset();
}

LEAT_INLINE void Connection::onClose(Job& job, JobAction action) noexcept {
  Connection& self = static_cast<ConnectionJob&>(job).connection;
  self.closeEmitted_ = true;
  if (action == JobAction::Run) wakeAll(self.closeWaiters_);
  self.release();
}

/// The loop ends with the socket open: nothing more is sent, whoever waits is destroyed by others.
LEAT_INLINE void Connection::onLoopEnd(LoopOwned& owned) noexcept {
  auto& self = static_cast<Connection&>(owned);
  Ref<Connection> alive(&self);
  self.closed_ = self.closeEmitted_ = true;
  self.sendLast();
  self.abandonSend();
  self.abandonReceive();
  self.peerEnded_.unlink();
  self.closeDescriptor();
  self.idle_.clear();
  self.letStreamGo();
}

LEAT_INLINE void Connection::reset() {
  if (!usable()) return;
  const linger now{1, 0};
  (void)sys::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  destroyAll(nullptr);
}

LEAT_INLINE void Connection::setOption(int level, int option, int value) {
  checkThread();
  if (closed_) throwGone("Socket is closed", "ERR_SOCKET_CLOSED");
  const int error = sys::setsockopt(fd_.get(), level, option, &value, sizeof value);
  if (error < 0) throw SystemError(-error, "setsockopt");
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
