// SPDX-License-Identifier: MIT
// MessagePort and MessageChannel: typed messages from one thread's loop to another's, in order.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/events/emitter_handle.hpp>
#include <leat/worker/detail/port_core.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What a listener for "removeListener" throws is uncaught.
template <class Emitter>
void dropListeners(Emitter& emitter) noexcept {
  try {
    emitter.removeAllListeners();
  } catch (...) {
    LateReport::start(std::current_exception());
  }
}

/// A port, or what is derived from one, with its listeners.
template <class Core, class In, class... More>
class PortListeners : public Core,
                      public TypedEmitter<Event<"message", const In&>,
                                          Event<"messageerror", std::exception_ptr>, More...> {
 public:
  template <class... Args>
  explicit PortListeners(Args&&... args) : Core(std::forward<Args>(args)...) {
    this->anchor()->changed = [](EmitterBase& emitter) noexcept {
      static_cast<PortListeners&>(emitter).listenersChanged();
    };
  }

 private:
  bool listens() const noexcept override { return this->template listenerCount<"message">() > 0; }
  void tell(MessageBox message) override {
    this->template emit<"message">(std::as_const(message.template as<In>()));
  }
  void forgetListeners() noexcept override { dropListeners(*this); }
};

template <class In>
class PortState final : public PortListeners<PortCore, In, Event<"close">> {
 public:
  using PortListeners<PortCore, In, Event<"close">>::PortListeners;

 private:
  void tellClosed() override { this->template emit<"close">(); }
};

[[noreturn]] LEAT_INLINE void throwPortClosed(const char* what);

#if LEAT_BODIES
[[noreturn]] LEAT_INLINE void throwPortClosed(const char* what) {
  throwError(
      SharedText({what, ": the message port is closed, or was given to another thread"}).view(),
      "ERR_CLOSED_MESSAGE_PORT");
}
#endif

/// Waits for the next message of a port.
template <class In>
class NextMessageAwaiter : private PortWaiter {
 public:
  NextMessageAwaiter(Ref<PortCore> port, SignalRef signal) noexcept
      : PortWaiter(signal), port_(std::move(port)) {}
  ~NextMessageAwaiter() {
    unlink();
    if (this->message) port_->putBack(std::move(this->message));
    port_->update();
  }
  bool await_ready() {
    if (aborted()) return false;
    this->message = port_->takeAtOnce();
    return this->message || (error = port_->takeError()) || port_->ended();
  }
  void await_suspend(std::coroutine_handle<> handle) { port_->waitForMessage(*this, handle); }
  std::optional<In> await_resume() {
    finish();
    if (this->message) {
      const MessageBox taken = std::move(this->message);
      return std::optional<In>(std::move(taken.as<In>()));
    }
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
    return std::nullopt;
  }

 private:
  Ref<PortCore> port_;
};

/// Waits until there is room for another message.
class RoomAwaiter : private PortWaiter {
 public:
  RoomAwaiter(Ref<PortCore> port, bool accepted) noexcept
      : port_(std::move(port)), accepted_(accepted) {}
  ~RoomAwaiter() {
    unlink();
    port_->update();
  }
  bool await_ready() noexcept {
    return !aborted() && (!accepted_ || port_->gone() || port_->room());
  }
  void await_suspend(std::coroutine_handle<> handle) { port_->waitForRoom(*this, handle); }
  /// Throws: AbortError, Error ERR_CLOSED_MESSAGE_PORT.
  void await_resume() {
    finish();
    if (!accepted_ || port_->gone()) throwPortClosed("postMessage");
  }

 private:
  Ref<PortCore> port_;
  bool accepted_;
};

template <class In>
class [[nodiscard("nothing is received until this is awaited")]] PendingMessage {
 public:
  PendingMessage(Ref<PortCore> port, WaitOptions options)
      : port_(std::move(port)), signal_(options.signal.state()) {}
  NextMessageAwaiter<In> operator co_await() && {
    port_->noteAwait();
    return NextMessageAwaiter<In>(std::move(port_), SignalRef(signal_.get()));
  }

 private:
  Ref<PortCore> port_;
  Ref<AbortState> signal_;
};

template <class T, class X>
MessageBox makeMessage(X&& value) {
  return MessageBox(new MessageOf<T>(std::in_place, std::forward<X>(value)));
}

}  // namespace detail

namespace worker_threads {

/// What `postMessage` gives: the message is on its way already. As a bool, whether there is room for more:
/// false when as many wait as the bound allows, or when a port is closed and the message went nowhere.
/// Awaited it goes on when there is room.
///
/// Cancel: the wait only. Throws, awaited: AbortError; Error ERR_CLOSED_MESSAGE_PORT, also when the port is
/// transferred meanwhile: nobody posts here any more, though this message goes along.
class Posted {
 public:
  using LoopBound = void;
  Posted(leat::detail::Ref<leat::detail::PortCore> port, bool accepted) noexcept
      : port_(std::move(port)), accepted_(accepted) {}
  operator bool() const noexcept { return accepted_ && port_->room(); }
  leat::detail::RoomAwaiter operator co_await() const noexcept {
    return leat::detail::RoomAwaiter(port_, accepted_);
  }

 private:
  leat::detail::Ref<leat::detail::PortCore> port_;
  bool accepted_;
};

/// What MessagePort, Worker and BroadcastChannel have. `Self` has `core()`.
template <class Self, class In, class Out>
class PortMethods : public EmitterHandle<Self> {
  static_assert(
      isMessage<In> && isMessage<Out>,
      "a message is a value that owns what it holds and may go to another thread: no pointer, "
      "no view, no handle of a loop; a port goes as a TransferredPort");

 public:
  /// Sends it at once, and in order. Move a Buffer into it: its bytes are not copied, and whoever keeps a
  /// handle shares them with the other thread. To a closed port it goes nowhere, as in Node.
  /// Throws: what moving or copying the message throws; Error ERR_WRONG_THREAD.
  Posted postMessage(Out message) const {
    leat::detail::PortCore& port = self().core();
    port.checkThread();
    auto box = leat::detail::makeMessage<Out>(std::move(message));
    const bool accepted = port.post(std::move(box));
    return Posted(leat::detail::Ref<leat::detail::PortCore>(&port), accepted);
  }
  /// `while (auto message = co_await port.next()) ...`: nothing when no more can come. Without a tick when
  /// a message waits; who takes many is sent through the loop from time to time. Holds the loop, unless
  /// `unref()`. Goes before the listeners for "message".
  ///
  /// Cancel: no message is lost. Throws: AbortError, Error ERR_WRONG_THREAD; of a Worker its error.
  leat::detail::PendingMessage<In> next(WaitOptions options = {}) const {
    self().core().checkThread();
    return leat::detail::PendingMessage<In>(
        leat::detail::Ref<leat::detail::PortCore>(&self().core()), options);
  }
  const Self& ref() const {
    self().core().checkThread();
    self().core().setReferenced(true);
    return self();
  }
  /// It does not hold the loop any more.
  const Self& unref() const {
    self().core().checkThread();
    self().core().setReferenced(false);
    return self();
  }
  bool hasRef() const noexcept { return self().core().hasRef(); }
  friend bool operator==(const PortMethods& a, const PortMethods& b) noexcept {
    return &a.self().core() == &b.self().core();
  }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

/// One end of a channel, on its way between threads. Whoever has it, on any thread, makes a MessagePort of it,
/// once; what was posted meanwhile is there. The last copy gone, the end is closed.
template <class In, class Out = In>
class TransferredPort {
 public:
  TransferredPort(leat::detail::Ref<leat::detail::PortPair> pair, int side)
      : token_(leat::detail::makeRef<Token>(std::move(pair), side)) {}

 private:
  template <class, class>
  friend class MessagePort;
  struct Token : leat::detail::SharedCounted<Token> {
    Token(leat::detail::Ref<leat::detail::PortPair> p, int s) noexcept
        : pair(std::move(p)), side(s) {}
    ~Token() {
      if (taken.load() == 0) pair->close(side);
    }
    const leat::detail::Ref<leat::detail::PortPair> pair;
    const int side;
    leat::detail::Atomic<unsigned char> taken{0};
  };
  leat::detail::Ref<Token> token_;
};

/// One end of a channel: what it is told is of type `In`, what it posts of type `Out`. Copies are handles to
/// the same port.
///
/// Events: "message" (In), in the poll phase, with a drain after each, in the order of posting; "close", in
/// the close phase, when this end or the other was closed and, at the other end, all that was posted has
/// been taken. "messageerror" is never emitted: a message has its type already.
/// Messages wait until somebody listens or awaits; none is dropped before the port is closed. The first
/// listener for "message" refs the port, so that it holds the loop, and the last to go unrefs it.
///
/// Node: `MessagePort`. Thread: one loop's; `transfer` takes it to another.
/// Lifetime: kept by the loop while somebody listens for messages. Dropped otherwise, it is closed. A
/// coroutine that listens needs a message that can be copied; what can only be moved is got by `next`.
template <class In, class Out = In>
class MessagePort : public PortMethods<MessagePort<In, Out>, In, Out> {
 public:
  using EmitterType = leat::detail::PortState<In>;

  /// The end of a channel that came from elsewhere, now of this thread's loop.
  /// Throws: Error ERR_CLOSED_MESSAGE_PORT when it was taken already, ERR_NO_LOOP.
  explicit MessagePort(const TransferredPort<In, Out>& arrived)
      : MessagePort((EventLoop::current(), claim(arrived)), arrived.token_->side) {}

  /// Ends both ends: the other when it has taken what was posted. Node: `port.close()`.
  void close() const {
    state_->checkThread();
    state_->close();
  }
  bool closed() const noexcept { return !state_->open(); }
  /// Gives this end up, with what waits in it, so that it can go to another thread: as a message, in the
  /// data of a worker. Listeners here are removed, and who awaits `next` gets nothing.
  ///
  /// Node: the transfer list. Throws: Error ERR_CLOSED_MESSAGE_PORT, ERR_WRONG_THREAD.
  TransferredPort<In, Out> transfer() const {
    state_->checkThread();
    leat::detail::Ref<leat::detail::PortPair> pair = state_->detach();
    if (!pair) leat::detail::throwPortClosed("transfer");
    return TransferredPort<In, Out>(std::move(pair), state_->side());
  }

  /// Internal.
  MessagePort(leat::detail::Ref<leat::detail::PortPair> pair, int side)
      : state_(leat::detail::Ref<EmitterType>::adopt(new EmitterType(std::move(pair), side))) {}
  explicit MessagePort(leat::detail::Ref<EmitterType> state) noexcept : state_(std::move(state)) {}
  leat::detail::PortCore& core() const noexcept { return *state_; }
  EmitterType& emitter() const {
    state_->checkThread();
    return *state_;
  }

 private:
  static leat::detail::Ref<leat::detail::PortPair> claim(const TransferredPort<In, Out>& arrived) {
    if (arrived.token_->taken.exchange(1) != 0) leat::detail::throwPortClosed("MessagePort");
    return arrived.token_->pair;
  }

  leat::detail::Ref<EmitterType> state_;
};

/// Options of a channel.
struct ChannelOptions {
  /// How many messages may wait at an end before `postMessage` is false and waits when awaited. 0: as many
  /// as come, as in Node.
  std::size_t highWaterMark = 0;
};

/// Two ports of this thread's loop that are connected: what one posts the other is told. `port1` receives `A`
/// and posts `B`.
///
/// Node: `MessageChannel`. Throws: Error ERR_NO_LOOP.
template <class A, class B = A>
class MessageChannel {
 public:
  using LoopBound = void;
  explicit MessageChannel(ChannelOptions options = {})
      : MessageChannel((EventLoop::current(),
                        leat::detail::makeRef<leat::detail::PortPair>(options.highWaterMark))) {}

  MessagePort<A, B> port1;
  MessagePort<B, A> port2;

 private:
  explicit MessageChannel(leat::detail::Ref<leat::detail::PortPair> pair)
      : port1(pair, 0), port2(std::move(pair), 1) {}
};

/// The oldest message that waits at a port, without going through the loop.
///
/// Node: `receiveMessageOnPort`. Throws: Error ERR_WRONG_THREAD.
template <class In, class Out>
std::optional<In> receiveMessageOnPort(const MessagePort<In, Out>& port) {
  port.core().checkThread();
  const leat::detail::MessageBox taken = port.core().take();
  if (!taken) return std::nullopt;
  return std::optional<In>(std::move(taken.template as<In>()));
}

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
