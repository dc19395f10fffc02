// SPDX-License-Identifier: MIT
// What the handles of a server share: the listening descriptor, the accept that is always the
// server's, connections that came and were not taken, and the count of those that live.
#pragma once

#include <leat/net/detail/bind.hpp>
#include <leat/net/detail/connection_send.hpp>
#include <leat/net/detail/names.hpp>

#include <netinet/tcp.h>
#include <vector>

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::AbortListener;
using leat::detail::AbortState;

[[noreturn]] inline void throwClosedBefore() {
  throw Error("Server was closed before it listened.", "ERR_SERVER_NOT_RUNNING");
}

/// Counted by its handles, by its connections and, while it listens for a handler, by itself.
class Listener : public Counted<Listener>,
                 private LoopOwned,
                 private HoldsLoop<Listener>,
                 public CloseListener {
  friend HoldsLoop<Listener>;

 public:
  explicit Listener(EventLoop& loop) noexcept;
  ~Listener();

  /// Whether a `start` may come. Throws: Error ERR_SERVER_ALREADY_LISTEN.
  void checkStart() const;
  /// Takes over a descriptor that listens; when it throws, it has not. A closed server is open again. An
  /// abort closes the server.
  /// Throws: SystemError; Error ERR_SERVER_NOT_RUNNING when it was closed in between.
  void start(BoundSocket&& bound, AbortState* signal);
  bool listening() const noexcept { return fd_.get() >= 0 && !leaving_; }
  /// Negative when it does not listen.
  int fd() const noexcept { return listening() ? fd_.get() : -1; }
  /// Throws: Error ERR_WRONG_THREAD.
  void checkThread() const { hold_.checkThread("a server"); }

  /// Stops accepting. What was accepted and not taken is closed. With a handler, on a port that others may
  /// share, those who have been told that they are connected come through before: see `leave`.
  void close() noexcept;
  bool closed() const noexcept { return closed_; }
  /// For how long one that shares its port hands it over, and whether it does. That is how long the third
  /// packet of a handshake may take.
  static constexpr std::int32_t leaveMs = 200;
  bool leaving() const noexcept { return leaving_; }
  /// How often `close` was called: who is about to start compares.
  unsigned closes() const noexcept { return closes_; }
  /// Closed, and the last connection gone, and that has been told: in a tick, before the last socket's
  /// close phase, as in Node.
  bool finished() const noexcept { return finished_; }
  List<Waiter>& closeWaiters() noexcept { return closeWaiters_; }

  // Connections for `accept`, one for each waiter.
  List<Waiter>& acceptWaiters() noexcept { return acceptWaiters_; }
  /// Promises the connections that are there to those who wait, in order.
  void promise() noexcept;
  Ref<Connection> takePromised(AcceptWaiter& waiter);
  /// The waiter goes away: the next one gets its connection. Without waiters nothing is accepted.
  void leave(AcceptWaiter& waiter) noexcept;
  /// Starts accepting if somebody wants a connection.
  void want() noexcept;

  void setReferenced(bool to) noexcept { hold_.setReferenced(to); }
  std::size_t connections() const noexcept { return connections_; }

  KeptCallback<Ref<Connection>> handler;
  KeptCallback<SocketAddress, SocketAddress> onDrop;
  std::size_t maxConnections = 0;  // 0: no limit
  bool allowHalfOpen = false;
  bool noDelay = false;
  bool keepAlive = false;
  std::size_t highWaterMark = 16 * 1024;
  bool starting = false;

 private:
  /// What is called, and whose it is.
  template <class Base>
  struct Of : Base {
    template <class F>
    Of(Listener& l, F f) noexcept : Base(f), listener(l) {}
    Listener& listener;
  };
  static void onAccepted(Op& op, int result, unsigned flags) noexcept;
  static void onPauseEnd(LoopTimer& timer, JobAction action) noexcept;
  static void onLeft(LoopTimer& timer, JobAction action) noexcept;
  static void onClosed(Job& job, JobAction action) noexcept;
  static void onAborted(AbortListener& hook) noexcept;
  static void onConnectionClosed(CloseListener& base) noexcept;
  static void onLoopEnd(LoopOwned& owned) noexcept;

  void arrived(sys::UniqueFd fd) noexcept;
  void handOver(sys::UniqueFd fd) noexcept;
  void pause(const SystemError& why) noexcept;
  void rest() noexcept;
  void leave() noexcept;
  bool acceptRest() noexcept;
  void endAccept() noexcept;
  void takeRest();
  void stopAccepting() noexcept;
  void end() noexcept;
  void finishWhenEmpty() noexcept;
  Ref<Connection> adopt(sys::UniqueFd&& fd);

  // How long a server that ran out of descriptors leaves connections in the backlog.
  static constexpr std::int32_t pauseMs = 100;

  sys::UniqueFd fd_;
  SocketFile file_;
  IoHandle handle_;
  Of<Op> acceptOp_{*this, onAccepted};
  Of<LoopTimer> pauseTimer_{*this, onPauseEnd};
  Of<LoopTimer> leaveTimer_{*this, onLeft};
  Of<Job> closeJob_{*this, onClosed};
  Ref<AbortState> signal_;
  Of<AbortListener> closeHook_{*this, onAborted};
  // Accepted. Those that wait for `accept`, or, of a server with a handler, for memory.
  std::vector<sys::UniqueFd> ready_;
  List<Waiter> acceptWaiters_;
  List<Waiter> closeWaiters_;
  std::size_t promised_ = 0;  // of the front of ready_
  std::size_t connections_ = 0;
  unsigned closes_ = 0;
  unsigned starts_ = 0;
  bool accepting_ = false;
  bool tcp_ = true;
  bool shared_ = false;
  bool leaving_ = false;
  bool paused_ = false;
  bool warned_ = false;
  bool closed_ = false;
  bool closing_ = false;
  bool finished_ = false;
};

#if LEAT_BODIES
LEAT_INLINE Listener::Listener(EventLoop& loop) noexcept
    : LoopOwned(onLoopEnd), HoldsLoop(loop), CloseListener{onConnectionClosed} {
  loop.queue().own(*this);
}

LEAT_INLINE Listener::~Listener() {
  if (hold_.onThread() && !closed_) stopAccepting();
}

LEAT_INLINE void Listener::checkStart() const {
  checkThread();
  if (starting || listening())
    throw Error("Listen method has been called more than once without closing.",
                "ERR_SERVER_ALREADY_LISTEN");
}

/// It listens again before the time of the socket before is over, which is closed now.
LEAT_INLINE void Listener::takeRest() {
  const unsigned closes = closes_;
  (void)acceptRest();
  if (closes_ != closes) throwClosedBefore();
  if (leaving_) end();
}

LEAT_INLINE void Listener::start(BoundSocket&& bound, AbortState* signal) {
  if (leaving_) takeRest();
  handle_.fd = bound.fd.get();
  handle_.ownSocket = true;
  leat::detail::Reactor& reactor = hold_.loop().reactor();
  if (const int error = reactor.attach(handle_)) throw SystemError(-error, reactor.attachCall());
  closed_ = finished_ = false;
  ++starts_;
  fd_ = std::move(bound.fd);
  tcp_ = bound.tcp;
  shared_ = bound.shared;
  file_ = std::move(bound.file);
  if (signal != nullptr) {
    signal_ = Ref<AbortState>(signal);
    signal->listeners.pushBack(closeHook_);
  }
  want();
}

// ---- accepting ----

LEAT_INLINE void Listener::want() noexcept {
  if (closed_ || paused_ || accepting_ || !listening()) return;
  if (!handler && acceptWaiters_.empty()) return;
  acceptOp_.prepareAccept(handle_);
  acceptOp_.multishot = static_cast<bool>(handler);
  accepting_ = true;
  hold();
  hold_.loop().reactor().submit(acceptOp_);
}

LEAT_INLINE void Listener::onAccepted(Op& op, int result, unsigned flags) noexcept {
  Listener& self = static_cast<Of<Op>&>(op).listener;
  Ref<Listener> alive(&self);
  if ((flags & Op::more) == 0) {
    self.accepting_ = false;
    self.letGo();
  }
  if (result >= 0) {
    self.warned_ = false;
    self.arrived(sys::UniqueFd(result));
  } else if (result != -ECANCELED && !self.closed_ && !self.paused_) {
    try {
      self.pause(SystemError(-result, "accept"));
    } catch (const std::bad_alloc&) {
      self.rest();
    }
  }
  self.want();
}

/// No descriptors or no memory are left: the connections stay in the backlog, and the processor idle.
LEAT_INLINE void Listener::pause(const SystemError& why) noexcept {
  if (closed_ || paused_) return;
  if (!std::exchange(warned_, true)) try {
      const leat::detail::SharedText text({"a server pauses: ", why.message()});
      leat::detail::printWarning("Warning", text.view());
    } catch (const std::bad_alloc&) {
    }
  rest();
}

LEAT_INLINE void Listener::rest() noexcept {
  hold_.loop().reactor().cancel(acceptOp_);
  paused_ = true;
  hold();
  hold_.loop().arm(pauseTimer_, pauseMs);
}

LEAT_INLINE void Listener::onPauseEnd(LoopTimer& timer, JobAction action) noexcept {
  Listener& self = static_cast<Of<LoopTimer>&>(timer).listener;
  Ref<Listener> alive(&self);
  self.paused_ = false;
  self.letGo();
  if (action != JobAction::Run) return;
  if (self.handler) {
    std::vector<sys::UniqueFd> again = std::exchange(self.ready_, {});
    for (sys::UniqueFd& fd : again) self.arrived(std::move(fd));
  }
  self.want();
}

LEAT_INLINE void Listener::arrived(sys::UniqueFd fd) noexcept {
  // An exception that nobody caught has ended the loop: no handler runs any more.
  if (closed_ || hold_.loop().dead()) return;
  if (maxConnections > 0 && connections_ + ready_.size() >= maxConnections) {
    if (!onDrop) return;
    return onDrop.call(hold_.loop(), localAddressOf(fd.get()), remoteAddressOf(fd.get()));
  }
  if (handler && !paused_) return handOver(std::move(fd));
  ready_.push_back(std::move(fd));
  if (!handler) promise();
}

LEAT_INLINE void Listener::handOver(sys::UniqueFd fd) noexcept {
  Ref<Connection> connection;
  try {
    connection = adopt(std::move(fd));
  } catch (const SystemError& error) {
    // It has been accepted, so it is not lost.
    ready_.push_back(std::move(fd));
    return pause(error);
  } catch (const std::bad_alloc&) {
    return;  // its client is told by the end of it
  }
  handler.call(hold_.loop(), std::move(connection));
}

LEAT_INLINE Ref<Connection> Listener::adopt(sys::UniqueFd&& fd) {
  auto connection = leat::detail::makeRef<Connection>(hold_.loop());
  connection->allowHalfOpen = allowHalfOpen;
  connection->highWaterMark = highWaterMark;
  connection->open(std::move(fd), tcp_);
  connection->closeListener = this;
  ++connections_;
  retain();
  // One that the client has given up already may refuse; its first read tells.
  if (tcp_ && noDelay) (void)setFlag(connection->fd(), IPPROTO_TCP, TCP_NODELAY, true);
  if (tcp_ && keepAlive) (void)setFlag(connection->fd(), SOL_SOCKET, SO_KEEPALIVE, true);
  return connection;
}

LEAT_INLINE void Listener::promise() noexcept {
  while (ready_.size() > promised_ && !acceptWaiters_.empty()) {
    auto& waiter = static_cast<AcceptWaiter&>(acceptWaiters_.front());
    waiter.promised = true;
    ++promised_;
    waiter.wake();
  }
}

LEAT_INLINE Ref<Connection> Listener::takePromised(AcceptWaiter& waiter) {
  waiter.promised = false;
  --promised_;
  sys::UniqueFd fd = std::move(ready_.front());
  ready_.erase(ready_.begin());
  finishWhenEmpty();  // where it cannot be adopted it is the last
  return adopt(std::move(fd));
}

LEAT_INLINE void Listener::leave(AcceptWaiter& waiter) noexcept {
  if (!hold_.onThread()) return;
  waiter.unlink();
  if (std::exchange(waiter.promised, false)) {
    --promised_;
    if (closed_) {
      ready_.resize(promised_);
      finishWhenEmpty();
    } else {
      promise();
    }
  }
  // What came first comes through, and waits for the next `accept`.
  if (!handler && acceptWaiters_.empty()) hold_.loop().reactor().cancel(acceptOp_);
}

// ---- the end ----

LEAT_INLINE void Listener::onConnectionClosed(CloseListener& base) noexcept {
  auto& self = static_cast<Listener&>(base);
  --self.connections_;
  self.finishWhenEmpty();
  self.release();
}

/// To close would reset those who are in the backlog, and those whose handshake is not done: the kernel has
/// chosen this socket for them and asks no other. So it asks others from now on, and closes when all whom it
/// sent here must have come.
LEAT_INLINE void Listener::leave() noexcept {
  leaving_ = true;
  hold();
  hold_.loop().arm(leaveTimer_, leaveMs);
}

LEAT_INLINE void Listener::onLeft(LoopTimer& timer, JobAction action) noexcept {
  Listener& self = static_cast<Of<LoopTimer>&>(timer).listener;
  const Ref<Listener> alive(&self);
  if (action != JobAction::Run) {
    self.leaving_ = false;
    return self.letGo();
  }
  const unsigned starts = self.starts_;
  const bool all = self.acceptRest();
  // The handler of one of them has it listen again.
  if (self.starts_ != starts || !self.leaving_) return;
  if (!all) return self.hold_.loop().arm(timer, leaveMs);
  self.end();
}

/// What the loop has not come to. False: there are not the descriptors for it.
LEAT_INLINE bool Listener::acceptRest() noexcept {
  leat::detail::Reactor& reactor = hold_.loop().reactor();
  endAccept();
  reactor.endAccepts(handle_);
  acceptOp_.prepareAccept(handle_);
  acceptOp_.multishot = false;
  while (!paused_ && leaving_ && !hold_.loop().dead()) {
    // First those that the back end has; then what it has not been told of.
    int fd = reactor.tryNow(acceptOp_);
    if (fd == -EAGAIN) fd = sys::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -EAGAIN) break;
    if (fd < 0 && fd != -ECONNABORTED) return false;
    if (fd >= 0) arrived(sys::UniqueFd(fd));
  }
  return !paused_;
}

LEAT_INLINE void Listener::endAccept() noexcept {
  // Not a question of busy(): a loop that was stopped by an exception may have taken its completion.
  if (!std::exchange(accepting_, false)) return;
  if (acceptOp_.busy()) hold_.loop().reactor().abandon(acceptOp_);
  letGo();
}

LEAT_INLINE void Listener::stopAccepting() noexcept {
  closed_ = true;
  if (std::exchange(leaving_, false)) {
    if (leaveTimer_.linked()) hold_.loop().disarm(leaveTimer_);
    letGo();
  }
  endAccept();
  if (std::exchange(paused_, false)) {
    hold_.loop().disarm(pauseTimer_);
    letGo();
  }
  if (handle_.reactor != nullptr) handle_.reactor->detach(handle_);
  fd_.reset();
  // What was promised stays for those who go on in this drain.
  ready_.resize(promised_);
  file_ = SocketFile();
  closeHook_.unlink();
  signal_ = nullptr;
}

LEAT_INLINE void Listener::close() noexcept {
  ++closes_;
  if (closed_ || leaving_ || !hold_.onThread()) return;
  const Ref<Listener> alive(this);
  if (shared_ && handler && listening() && ignoreNewcomers(fd_.get()) == 0) return leave();
  end();
}

LEAT_INLINE void Listener::end() noexcept {
  stopAccepting();
  wakeAll(acceptWaiters_);
  finishWhenEmpty();
}

LEAT_INLINE void Listener::finishWhenEmpty() noexcept {
  if (!closed_ || finished_ || connections_ + promised_ > 0 || closing_ || !hold_.onThread())
    return;
  closing_ = true;
  retain();
  hold_.loop().queue().pushTick(closeJob_);
}

LEAT_INLINE void Listener::onClosed(Job& job, JobAction action) noexcept {
  Listener& self = static_cast<Of<Job>&>(job).listener;
  self.closing_ = false;
  if (self.closed_ && self.connections_ > 0) return self.release();
  // It may be listening again: those who waited are told all the same, as in Node.
  self.finished_ = self.closed_;
  if (action == JobAction::Run) wakeAll(self.closeWaiters_);
  self.release();
}

LEAT_INLINE void Listener::onAborted(AbortListener& hook) noexcept {
  static_cast<Of<AbortListener>&>(hook).listener.close();
}

LEAT_INLINE void Listener::onLoopEnd(LoopOwned& owned) noexcept {
  auto& self = static_cast<Listener&>(owned);
  Ref<Listener> alive(&self);
  if (!self.closed_) self.stopAccepting();
  self.finished_ = true;
  self.handler.reset();
  self.onDrop.reset();
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
