// SPDX-License-Identifier: MIT
// What the handles of a server share: the listening descriptor, the accept that is always the
// server's, connections that came and were not taken, and the count of those that live.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/net/detail/connection.hpp>
#include <leat/net/detail/names.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <vector>

namespace leat::inline LEAT_ABI::net::detail {

/// Who waits for a connection. One that was promised is there when the waiter goes on.
struct AcceptWaiter : Waiter {
  using Waiter::Waiter;
  bool promised = false;
};

/// Counted by its handles, by its connections and, while it listens for a handler, by itself.
class Listener : public Counted<Listener>, private LoopOwned, public CloseListener {
 public:
  using Handler = leat::Function<void(Ref<Connection>)>;
  using DropHandler = leat::Function<void(SocketAddress, SocketAddress)>;

  explicit Listener(EventLoop& loop) noexcept
      : LoopOwned(onLoopEnd), CloseListener{onConnectionClosed}, loop_(&loop) {}
  ~Listener();

  /// Takes over a descriptor that listens. Throws: SystemError.
  /// A Unix socket's file is removed when the server closes.
  void start(sys::UniqueFd fd, bool tcp, std::string file);
  bool listening() const noexcept { return fd_.get() >= 0; }
  int fd() const noexcept { return fd_.get(); }
  EventLoop& loop() noexcept { return *loop_; }
  bool usable() const noexcept { return threadState.loop == loop_; }

  /// Stops accepting. What was accepted and not taken is closed.
  void close() noexcept;
  bool closed() const noexcept { return closed_; }
  /// Closed, and the last connection gone: the close phase has told.
  bool finished() const noexcept { return finished_; }
  List<Waiter>& closeWaiters() noexcept { return closeWaiters_; }

  // Connections for `accept`, one for each waiter.
  List<Waiter>& acceptWaiters() noexcept { return acceptWaiters_; }
  /// Promises the connections that are there to those who wait, in order.
  void promise() noexcept;
  Ref<Connection> takePromised(AcceptWaiter& waiter);
  /// The waiter goes away: the next one gets its connection.
  void giveBack(AcceptWaiter& waiter) noexcept;
  /// Starts accepting if somebody wants a connection.
  void want() noexcept;

  void setReferenced(bool to) noexcept;
  std::size_t connections() const noexcept { return connections_; }

  Handler handler;
  DropHandler onDrop;
  std::size_t maxConnections = 0;  // 0: no limit
  bool allowHalfOpen = false;
  bool noDelay = false;
  bool keepAlive = false;
  std::size_t highWaterMark = 16 * 1024;

 private:
  struct ListenerOp : Op {
    explicit ListenerOp(Listener& l) noexcept : Op(onAccepted), listener(l) {}
    Listener& listener;
  };
  struct PauseTimer : LoopTimer {
    explicit PauseTimer(Listener& l) noexcept : LoopTimer(onPauseEnd), listener(l) {}
    Listener& listener;
  };
  struct CloseJob : Job {
    explicit CloseJob(Listener& l) noexcept : Job(onClosed), listener(l) {}
    Listener& listener;
  };
  static void onAccepted(Op& op, int result, unsigned flags) noexcept;
  static void onPauseEnd(LoopTimer& timer, JobAction action) noexcept;
  static void onClosed(Job& job, JobAction action) noexcept;
  static void onConnectionClosed(CloseListener& base) noexcept;
  static void onLoopEnd(LoopOwned& owned) noexcept;

  void arrived(sys::UniqueFd fd) noexcept;
  void pause(int error) noexcept;
  void stopAccepting() noexcept;
  void finishWhenEmpty() noexcept;
  Ref<Connection> adopt(sys::UniqueFd fd);
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

  // How long a server that ran out of descriptors leaves connections in the backlog.
  static constexpr std::int32_t pauseMs = 100;

  EventLoop* loop_;
  sys::UniqueFd fd_;
  IoHandle handle_;
  ListenerOp acceptOp_{*this};
  PauseTimer pauseTimer_{*this};
  CloseJob closeJob_{*this};
  std::string file_;
  std::vector<sys::UniqueFd> ready_;
  List<Waiter> acceptWaiters_;
  List<Waiter> closeWaiters_;
  std::size_t promised_ = 0;  // of the front of ready_
  std::size_t connections_ = 0;
  unsigned holding_ = 0;
  bool tcp_ = true;
  bool paused_ = false;
  bool warned_ = false;
  bool closed_ = false;
  bool closing_ = false;
  bool finished_ = false;
  bool referenced_ = true;
};

inline Listener::~Listener() {
  if (usable() && !closed_) stopAccepting();
}

inline void Listener::start(sys::UniqueFd fd, bool tcp, std::string file) {
  handle_.fd = fd.get();
  if (const int error = loop_->reactor().attach(handle_)) throw SystemError(-error, "epoll_ctl");
  fd_ = std::move(fd);
  tcp_ = tcp;
  file_ = std::move(file);
  loop_->queue().own(*this);
  want();
}

inline void Listener::want() noexcept {
  if (closed_ || paused_ || acceptOp_.busy() || !listening()) return;
  if (!handler && acceptWaiters_.empty()) return;
  acceptOp_.prepareAccept(handle_);
  acceptOp_.multishot = static_cast<bool>(handler);
  hold();
  loop_->reactor().submit(acceptOp_);
}

inline void Listener::onAccepted(Op& op, int result, unsigned flags) noexcept {
  Listener& self = static_cast<ListenerOp&>(op).listener;
  Ref<Listener> alive(&self);
  if ((flags & Op::more) == 0) self.letGo();
  if (result >= 0) {
    self.warned_ = false;
    self.arrived(sys::UniqueFd(result));
  } else if (result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM) {
    return self.pause(-result);
  } else if (result != -ECANCELED) {
    leat::detail::printWarning("Warning", SystemError(-result, "accept").message());
    return self.pause(-result);
  }
  self.want();
}

/// No descriptors are left: the connections stay in the backlog, and the processor stays idle.
inline void Listener::pause(int error) noexcept {
  if (closed_) return;
  if (!std::exchange(warned_, true))
    leat::detail::printWarning("Warning", leat::detail::SharedText({"accept is paused: ", SystemError(error, "accept").message()}).view());
  paused_ = true;
  hold();
  loop_->arm(pauseTimer_, pauseMs);
}

inline void Listener::onPauseEnd(LoopTimer& timer, JobAction action) noexcept {
  Listener& self = static_cast<PauseTimer&>(timer).listener;
  Ref<Listener> alive(&self);
  self.paused_ = false;
  self.letGo();
  if (action == JobAction::Run) self.want();
}

inline void Listener::arrived(sys::UniqueFd fd) noexcept {
  if (maxConnections > 0 && connections_ >= maxConnections) {
    if (!onDrop) return;
    const SocketAddress local = localAddressOf(fd.get());
    const SocketAddress remote = remoteAddressOf(fd.get());
    return loop_->callback([&] { onDrop(local, remote); });
  }
  if (handler) {
    return loop_->callback([&] { handler(adopt(std::move(fd))); });
  }
  ready_.push_back(std::move(fd));
  promise();
}

inline Ref<Connection> Listener::adopt(sys::UniqueFd fd) {
  auto connection = leat::detail::makeRef<Connection>(*loop_);
  connection->allowHalfOpen = allowHalfOpen;
  connection->highWaterMark = highWaterMark;
  connection->open(std::move(fd), tcp_);
  connection->closeListener = this;
  ++connections_;
  retain();
  if (tcp_ && noDelay) connection->setOption(IPPROTO_TCP, TCP_NODELAY, 1);
  if (tcp_ && keepAlive) connection->setOption(SOL_SOCKET, SO_KEEPALIVE, 1);
  return connection;
}

inline void Listener::promise() noexcept {
  while (ready_.size() > promised_ && !acceptWaiters_.empty()) {
    auto& waiter = static_cast<AcceptWaiter&>(acceptWaiters_.front());
    waiter.promised = true;
    ++promised_;
    waiter.wake();
  }
}

inline Ref<Connection> Listener::takePromised(AcceptWaiter& waiter) {
  waiter.promised = false;
  --promised_;
  sys::UniqueFd fd = std::move(ready_.front());
  ready_.erase(ready_.begin());
  return adopt(std::move(fd));
}

inline void Listener::giveBack(AcceptWaiter& waiter) noexcept {
  if (!std::exchange(waiter.promised, false)) return;
  --promised_;
  promise();
}

inline void Listener::onConnectionClosed(CloseListener& base) noexcept {
  auto& self = static_cast<Listener&>(base);
  --self.connections_;
  self.finishWhenEmpty();
  self.release();
}

inline void Listener::stopAccepting() noexcept {
  closed_ = true;
  LoopOwned::unlink();
  if (acceptOp_.busy()) {
    loop_->reactor().abandon(acceptOp_);
    letGo();
  }
  if (paused_) {
    loop_->disarm(pauseTimer_);
    paused_ = false;
    letGo();
  }
  if (handle_.reactor != nullptr) handle_.reactor->detach(handle_);
  fd_.reset();
  // What was promised stays for those who go on in this drain.
  ready_.resize(promised_);
  if (!file_.empty()) (void)sys::unlink(file_.c_str());
}

inline void Listener::close() noexcept {
  if (closed_ || !usable()) return;
  Ref<Listener> alive(this);
  stopAccepting();
  while (!acceptWaiters_.empty()) acceptWaiters_.front().wake();
  finishWhenEmpty();
}

inline void Listener::finishWhenEmpty() noexcept {
  if (!closed_ || connections_ > 0 || closing_ || !usable()) return;
  closing_ = true;
  retain();
  loop_->pushClosing(closeJob_);
}

inline void Listener::onClosed(Job& job, JobAction action) noexcept {
  Listener& self = static_cast<CloseJob&>(job).listener;
  self.finished_ = true;
  if (action == JobAction::Run)
    while (!self.closeWaiters_.empty()) self.closeWaiters_.front().wake();
  self.handler.reset();
  self.onDrop.reset();
  self.release();
}

inline void Listener::onLoopEnd(LoopOwned& owned) noexcept {
  auto& self = static_cast<Listener&>(owned);
  Ref<Listener> alive(&self);
  self.stopAccepting();
  self.handler.reset();
  self.onDrop.reset();
}

inline void Listener::setReferenced(bool to) noexcept {
  if (referenced_ == to || !usable()) return;
  referenced_ = to;
  for (unsigned i = 0; i < holding_; ++i) to ? loop_->hold() : loop_->letGo();
}

}  // namespace leat::inline LEAT_ABI::net::detail
