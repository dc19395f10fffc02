// SPDX-License-Identifier: MIT
// What the handles of a socket share: the descriptor, its operations, what waits to be sent, and how
// it all ends. Sockets and servers talk to it; users do not.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/core/system_error.hpp>
#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/net/detail/send_queue.hpp>
#include <leat/sys/fd.hpp>

#include <span>

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::Counted;
using leat::detail::IoHandle;
using leat::detail::Job;
using leat::detail::JobAction;
using leat::detail::List;
using leat::detail::LoopOwned;
using leat::detail::LoopTimer;
using leat::detail::Op;
using leat::detail::Ref;
using leat::detail::Waiter;
using leat::detail::threadState;

/// Who waits for the bytes of a receive.
struct Receiver {
  /// On the loop's thread: bytes received, 0 at the end, -errno.
  void (*done)(Receiver&, int result) noexcept;
};

/// Told once, when a connection has closed or has gone: its server.
struct CloseListener {
  void (*closed)(CloseListener&) noexcept;
};

/// Counted by its handles, by operations in flight and by unsent bytes: dropping the last handle of a
/// socket sends what was accepted, then closes.
class Connection : public Counted<Connection>, private LoopOwned {
 public:
  explicit Connection(EventLoop& loop) noexcept;
  ~Connection();

  /// Takes over a connected or fresh descriptor. Throws: SystemError.
  void open(sys::UniqueFd fd, bool stream);
  bool usable() const noexcept { return threadState.loop == loop_ && !closed_; }
  int fd() const noexcept { return fd_.get(); }
  EventLoop& loop() noexcept { return *loop_; }
  IoHandle& handle() noexcept { return handle_; }

  // ---- receiving: one operation at a time, owned here ----

  /// The bytes if there are some now, 0 at the end, -errno, -EAGAIN: then `receive`.
  int receiveNow(void* into, std::size_t size) noexcept;
  void receive(Receiver& receiver, void* into, std::size_t size) noexcept;
  bool receiving() const noexcept { return receiver_ != nullptr; }
  /// The receiver is told -ECANCELED, or the result that came first.
  void cancelReceive() noexcept { loop_->reactor().cancel(receiveOp_); }
  /// The receiver goes away; what has been received stays for the next one.
  void abandonReceive() noexcept;

  // ---- sending ----

  /// Takes the bytes: sends what the kernel has room for, keeps the rest. False when the limit of
  /// unsent bytes is reached, or the socket cannot send (see `error`).
  bool send(std::span<const std::byte> bytes, const Buffer* owner = nullptr);
  bool sendAll(std::span<const Buffer> buffers);
  /// A write would be refused. After the end that is an error of the socket, as in Node.
  bool refusesWrites() noexcept;
  std::size_t unsent() const noexcept { return queue_.bytes(); }
  /// A waiter for the queue to be empty stands here.
  List<Waiter>& drainWaiters() noexcept { return drainWaiters_; }
  bool needDrain() const noexcept { return needDrain_; }

  // ---- the end ----

  /// No more to send: once all is sent, the peer is told.
  void end() noexcept;
  /// The peer has ended.
  void endReading() noexcept;
  void destroy(std::exception_ptr error) noexcept;
  void reset() noexcept;
  bool closed() const noexcept { return closed_; }
  bool writableEnded() const noexcept { return ending_; }
  bool writableFinished() const noexcept { return shutDown_; }
  bool readableEnded() const noexcept { return readEnded_; }
  List<Waiter>& finishWaiters() noexcept { return finishWaiters_; }
  List<Waiter>& closeWaiters() noexcept { return closeWaiters_; }
  /// True in the close phase and after.
  bool closeEmitted() const noexcept { return closeEmitted_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Throws the error that the socket was destroyed with, or `otherwise` as an Error.
  [[noreturn]] void throwGone(std::string_view otherwise, std::string_view code) const;

  /// Throws: SystemError; Error ERR_SOCKET_CLOSED.
  void setOption(int level, int option, int value);
  void setReferenced(bool to) noexcept;
  bool referenced() const noexcept { return referenced_; }
  void setIdleTimeout(std::int32_t ms, leat::Function<void()> onTimeout);
  std::int32_t idleTimeout() const noexcept { return idleMs_; }

  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
  std::size_t highWaterMark = 16 * 1024;
  bool allowHalfOpen = false;
  CloseListener* closeListener = nullptr;
  // Received, but given back by a reader that wanted less.
  Buffer unread;

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
  struct IdleTimer : LoopTimer {
    explicit IdleTimer(Connection& c) noexcept : LoopTimer(onIdle), connection(c) {}
    Connection& connection;
  };
  static void onReceived(Op& op, int result, unsigned) noexcept;
  static void onSent(Op& op, int result, unsigned) noexcept;
  static void onIdle(LoopTimer& timer, JobAction action) noexcept;
  static void onClose(Job& job, JobAction action) noexcept;
  static void onReceiverGone(Job& job, JobAction action) noexcept;
  static void onLoopEnd(LoopOwned& owned) noexcept;

  int noteReceived(int result) noexcept;
  int sendNow(std::span<const iovec> vectors) noexcept;
  bool room() noexcept;
  void submitSend();
  void allSent() noexcept;
  void shutDownWhenSent() noexcept;
  void destroyWhenDone() noexcept;
  static void wakeAll(List<Waiter>& waiters) noexcept {
    while (!waiters.empty()) waiters.front().wake();
  }
  void closeDescriptor() noexcept;
  void tellListener() noexcept {
    if (CloseListener* listener = std::exchange(closeListener, nullptr)) listener->closed(*listener);
  }
  void hold() noexcept {
    if (referenced_) loop_->hold();
    retain();
    ++holding_;
  }
  void letGo() noexcept {
    if (referenced_) loop_->letGo();
    --holding_;
    release();
  }
  void activity() noexcept {
    if (idleMs_ > 0 && !closed_) loop_->arm(idleTimer_, idleMs_);
  }

  // Receives in a row that did not pass the loop: then others get their turn.
  static constexpr unsigned maxInlineReceives = 16;

  EventLoop* loop_;
  sys::UniqueFd fd_;
  IoHandle handle_;
  ConnectionOp receiveOp_{*this, onReceived};
  ConnectionOp sendOp_{*this, onSent};
  ConnectionJob closeJob_{*this, onClose};
  ConnectionJob receiverGone_{*this, onReceiverGone};
  Receiver* receiver_ = nullptr;
  SendQueue queue_;
  List<Waiter> drainWaiters_;
  List<Waiter> finishWaiters_;
  List<Waiter> closeWaiters_;
  std::exception_ptr error_;
  IdleTimer idleTimer_{*this};
  leat::Function<void()> onTimeout_;
  std::int32_t idleMs_ = 0;
  unsigned holding_ = 0;
  unsigned inlineReceives_ = 0;
  bool needDrain_ = false;
  bool ending_ = false;
  bool shutDown_ = false;
  bool readEnded_ = false;
  bool closed_ = false;
  bool closeEmitted_ = false;
  bool referenced_ = true;
};

inline Connection::Connection(EventLoop& loop) noexcept : LoopOwned(onLoopEnd), loop_(&loop) {}

inline Connection::~Connection() {
  if (threadState.loop == loop_ && !closed_) {
    if (idleMs_ > 0) loop_->disarm(idleTimer_);
    closeDescriptor();
  }
  tellListener();
}

inline void Connection::open(sys::UniqueFd fd, bool shortMeansBlocked) {
  handle_.fd = fd.get();
  handle_.shortMeansBlocked = shortMeansBlocked;
  if (const int error = loop_->reactor().attach(handle_)) throw SystemError(-error, "epoll_ctl");
  fd_ = std::move(fd);
  loop_->queue().own(*this);
}

inline int Connection::receiveNow(void* into, std::size_t size) noexcept {
  if (inlineReceives_ >= maxInlineReceives) return -EAGAIN;
  receiveOp_.prepareRecv(handle_, into, size);
  const int result = loop_->reactor().tryNow(receiveOp_);
  if (result == -EAGAIN) return result;
  ++inlineReceives_;
  return noteReceived(result);
}

inline void Connection::receive(Receiver& receiver, void* into, std::size_t size) noexcept {
  receiver_ = &receiver;
  receiveOp_.prepareRecv(handle_, into, size);
  hold();
  loop_->reactor().submit(receiveOp_);
}

inline void Connection::abandonReceive() noexcept {
  if (std::exchange(receiver_, nullptr) == nullptr || threadState.loop != loop_) return;
  receiverGone_.unlink();
  if (receiveOp_.busy()) loop_->reactor().abandon(receiveOp_);
  letGo();
}

inline int Connection::noteReceived(int result) noexcept {
  if (result > 0) {
    bytesRead += static_cast<std::uint64_t>(result);
    activity();
  }
  return result;
}

inline void Connection::onReceived(Op& op, int result, unsigned) noexcept {
  Connection& self = static_cast<ConnectionOp&>(op).connection;
  self.inlineReceives_ = 0;
  result = self.noteReceived(result);
  Receiver* receiver = std::exchange(self.receiver_, nullptr);
  Ref<Connection> alive(&self);
  self.letGo();
  receiver->done(*receiver, result);
}

inline void Connection::onReceiverGone(Job& job, JobAction action) noexcept {
  Connection& self = static_cast<ConnectionJob&>(job).connection;
  Ref<Connection> alive(&self);
  Receiver* receiver = std::exchange(self.receiver_, nullptr);
  if (receiver == nullptr) return;
  self.letGo();
  if (action == JobAction::Run) receiver->done(*receiver, -ECANCELED);
}

// ---- sending ----

inline bool Connection::send(std::span<const std::byte> bytes, const Buffer* owner) {
  if (refusesWrites()) return false;
  bytesWritten += bytes.size();
  if (queue_.empty() && !bytes.empty()) {
    const iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const int sent = sendNow({&vector, 1});
    if (sent < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  if (!bytes.empty()) {
    queue_.push(owner != nullptr ? owner->subarray(-static_cast<std::ptrdiff_t>(bytes.size()))
                                 : Buffer::from(bytes));
    submitSend();
  }
  return room();
}

inline bool Connection::sendAll(std::span<const Buffer> buffers) {
  if (refusesWrites()) return false;
  const bool idle = queue_.empty();
  for (const Buffer& buffer : buffers) {
    bytesWritten += buffer.size();
    queue_.push(buffer);
  }
  while (idle && !queue_.empty()) {
    const int sent = sendNow(queue_.gather());
    if (sent < 0) return false;
    if (sent == 0) break;
    queue_.consume(static_cast<std::size_t>(sent));
  }
  submitSend();
  return room();
}

/// What the kernel took at once; negative when the socket is destroyed for it.
inline int Connection::sendNow(std::span<const iovec> vectors) noexcept {
  sendOp_.prepareSend(handle_, vectors.data(), vectors.size());
  const int sent = loop_->reactor().tryNow(sendOp_);
  if (sent == -EAGAIN) return 0;
  if (sent < 0) {
    destroy(std::make_exception_ptr(SystemError(-sent, "write")));
  } else {
    activity();
  }
  return sent;
}

inline bool Connection::room() noexcept {
  if (queue_.bytes() >= highWaterMark) needDrain_ = true;
  return !needDrain_;
}

inline void Connection::submitSend() {
  if (queue_.empty() || sendOp_.busy()) return;
  const std::span<const iovec> vectors = queue_.gather();
  sendOp_.prepareSend(handle_, vectors.data(), vectors.size());
  hold();
  loop_->reactor().submit(sendOp_);
}

inline void Connection::onSent(Op& op, int result, unsigned) noexcept {
  Connection& self = static_cast<ConnectionOp&>(op).connection;
  Ref<Connection> alive(&self);
  self.letGo();
  if (self.closed_) return;
  if (result < 0)
    return self.destroy(std::make_exception_ptr(SystemError(-result, "write")));
  self.activity();
  self.queue_.consume(static_cast<std::size_t>(result));
  if (!self.queue_.empty()) return self.submitSend();
  self.allSent();
}

inline void Connection::allSent() noexcept {
  needDrain_ = false;
  wakeAll(drainWaiters_);
  if (ending_) shutDownWhenSent();
}

inline bool Connection::refusesWrites() noexcept {
  if (!closed_ && ending_)
    destroy(std::make_exception_ptr(Error("write after end", "ERR_STREAM_WRITE_AFTER_END")));
  return closed_ || threadState.loop != loop_;
}

// ---- the end ----

inline void Connection::end() noexcept {
  if (closed_ || ending_) return;
  ending_ = true;
  shutDownWhenSent();
}

inline void Connection::shutDownWhenSent() noexcept {
  if (closed_ || shutDown_ || !queue_.empty()) return;
  const int error = sys::shutdown(fd_.get(), SHUT_WR);
  if (error < 0 && error != -ENOTCONN)
    return destroy(std::make_exception_ptr(SystemError(-error, "shutdown")));
  shutDown_ = true;
  wakeAll(finishWaiters_);
  destroyWhenDone();
}

inline void Connection::endReading() noexcept {
  if (std::exchange(readEnded_, true) || closed_) return;
  if (!allowHalfOpen) end();
  destroyWhenDone();
}

/// Node's autoDestroy: both directions have ended.
inline void Connection::destroyWhenDone() noexcept {
  if (readEnded_ && shutDown_) destroy(nullptr);
}

inline void Connection::destroy(std::exception_ptr error) noexcept {
  if (closed_ || threadState.loop != loop_) return;
  Ref<Connection> alive(this);
  closed_ = true;
  error_ = std::move(error);
  if (sendOp_.busy()) {
    loop_->reactor().abandon(sendOp_);
    letGo();
  }
  if (receiver_ != nullptr) {
    if (receiveOp_.busy()) loop_->reactor().abandon(receiveOp_);
    loop_->queue().pushMicrotask(receiverGone_);
  }
  if (idleMs_ > 0) loop_->disarm(idleTimer_);
  idleMs_ = 0;
  onTimeout_.reset();
  queue_.clear();
  closeDescriptor();
  wakeAll(drainWaiters_);
  wakeAll(finishWaiters_);
  retain();
  loop_->pushClosing(closeJob_);
}

inline void Connection::closeDescriptor() noexcept {
  LoopOwned::unlink();
  if (handle_.reactor != nullptr) handle_.reactor->detach(handle_);
  fd_.reset();
}

inline void Connection::onClose(Job& job, JobAction action) noexcept {
  Connection& self = static_cast<ConnectionJob&>(job).connection;
  self.closeEmitted_ = true;
  if (action == JobAction::Run) self.wakeAll(self.closeWaiters_);
  self.tellListener();
  self.release();
}

/// The loop ends with the socket open: nothing more is sent, whoever waits is destroyed by others.
inline void Connection::onLoopEnd(LoopOwned& owned) noexcept {
  auto& self = static_cast<Connection&>(owned);
  Ref<Connection> alive(&self);
  self.closed_ = true;
  if (self.idleMs_ > 0) self.loop_->disarm(self.idleTimer_);
  if (self.sendOp_.busy()) {
    self.loop_->reactor().abandon(self.sendOp_);
    self.letGo();
  }
  self.abandonReceive();
  self.closeDescriptor();
}

inline void Connection::reset() noexcept {
  if (closed_) return;
  const linger now{1, 0};
  (void)sys::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  destroy(nullptr);
}

inline void Connection::throwGone(std::string_view otherwise, std::string_view code) const {
  if (error_) std::rethrow_exception(error_);
  throw Error(otherwise, code);
}

inline void Connection::setOption(int level, int option, int value) {
  if (!usable()) throwGone("Socket is closed", "ERR_SOCKET_CLOSED");
  const int error = sys::setsockopt(fd_.get(), level, option, &value, sizeof value);
  if (error < 0) throw SystemError(-error, "setsockopt");
}

inline void Connection::setReferenced(bool to) noexcept {
  if (referenced_ == to || threadState.loop != loop_) return;
  referenced_ = to;
  for (unsigned i = 0; i < holding_; ++i) to ? loop_->hold() : loop_->letGo();
}

inline void Connection::setIdleTimeout(std::int32_t ms, leat::Function<void()> onTimeout) {
  if (!usable()) return;
  if (idleMs_ > 0) loop_->disarm(idleTimer_);
  idleMs_ = ms;
  if (onTimeout) onTimeout_ = std::move(onTimeout);
  activity();
}

inline void Connection::onIdle(LoopTimer& timer, JobAction action) noexcept {
  Connection& self = static_cast<IdleTimer&>(timer).connection;
  if (action != JobAction::Run || !self.onTimeout_) return;
  Ref<Connection> alive(&self);
  self.loop_->callback([&self] { self.onTimeout_(); });
}

}  // namespace leat::inline LEAT_ABI::net::detail
