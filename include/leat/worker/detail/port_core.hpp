// SPDX-License-Identifier: MIT
// A port on the thread of its loop: takes messages out of its lane, one callback with a drain for each, and
// decides what holds the loop. Node: src/node_messaging.cc, lib/internal/worker/io.js.
#pragma once

#include <leat/core/wait_options.hpp>
#include <leat/core/waiter.hpp>
#include <leat/loop/loop_hold.hpp>
#include <leat/worker/detail/port_lane.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Waits for a message, for room, or for a pool of workers.
struct PortWaiter : Waiter {
  explicit PortWaiter(SignalRef signal = {}) noexcept : Waiter(signal) {}
  MessageBox message;
  std::exception_ptr error;
};

/// Of a list of PortWaiters.
LEAT_INLINE void wakeAll(List<Waiter>& waiters, const std::exception_ptr& error = nullptr) noexcept;

#if LEAT_BODIES
LEAT_INLINE void wakeAll(List<Waiter>& waiters, const std::exception_ptr& error) noexcept {
  while (!waiters.empty()) {
    auto& waiter = static_cast<PortWaiter&>(waiters.front());
    waiter.error = error;
    waiter.wake();
  }
}
#endif

/// Counted by its handles and by who waits; and by itself while it is open and somebody listens.
class PortCore : public Counted<PortCore>, public PortReceiver {
 public:
  PortCore(Ref<PortPair> pair, int side);
  PortCore(const PortCore&) = delete;
  PortCore& operator=(const PortCore&) = delete;
  LEAT_INLINE virtual ~PortCore();

  // ---- what the handles do ----

  /// Throws: Error ERR_WRONG_THREAD.
  void checkThread() const { hold_.checkThread("a worker or message port"); }
  bool open() const noexcept { return state_ == State::Open; }
  /// False when it went nowhere: one of the ends is closed.
  bool post(MessageBox message) noexcept { return open() && out().push(std::move(message)); }
  /// What is posted now goes nowhere.
  bool gone() noexcept { return !open() || out().receiverGone(); }
  bool room() noexcept { return !gone() && out().room(); }
  /// Node: `port.ref()`, `unref()`; a listener for messages that comes first refs it too.
  virtual void setReferenced(bool to) noexcept {
    referenced_ = to;
    unreferenced_ = !to;
    update();
  }
  virtual bool hasRef() const noexcept { return held_; }
  /// In the close phase; what is delivered now goes on until then, as in Node.
  void close() noexcept;
  /// Gives the end up to another thread. Null when it is not open.
  Ref<PortPair> detach() noexcept;
  int side() const noexcept { return side_; }

  // ---- messages ----

  /// The oldest message that waits, if there is any. Tells the other side when there is room again.
  MessageBox take() noexcept;
  /// As `take`, for who takes one after the other without going back to the loop: nothing when it has
  /// done so for too long.
  MessageBox takeAtOnce() noexcept {
    if (atOnce_ == 0) return MessageBox();
    MessageBox message = take();
    if (message) --atOnce_;
    return message;
  }
  void putBack(MessageBox message) noexcept {
    if (hold_.onThread() && pair_->here()) (void)in().putBack(std::move(message));
  }
  /// What the other side failed with, if nobody else was told: for whoever awaits.
  virtual std::exception_ptr takeError() noexcept { return nullptr; }
  /// Somebody awaits, now and perhaps again.
  virtual void noteAwait() noexcept {}
  /// Nothing will come any more.
  virtual bool ended() noexcept { return state_ == State::Closed || in().over(); }

  void waitForMessage(PortWaiter& waiter, std::coroutine_handle<> handle) {
    waiter.wait(handle, messageWaiters_);
    // What is there already was left because of `atOnce_`.
    update();
    if (in().size() > 0) wake_->wake();
  }
  void waitForRoom(PortWaiter& waiter, std::coroutine_handle<> handle) {
    waiter.wait(handle, roomWaiters_);
    update();
    if (out().room(true)) wake_->wake();
  }
  /// One of them has gone.
  void update() noexcept;

 protected:
  enum class State : unsigned char { Open, Closing, Closed };

  // What the kinds of ports do. Those that are not noexcept may throw what listeners throw.
  virtual bool listens() const noexcept = 0;
  virtual void tell(MessageBox message) = 0;
  virtual void tellClosed() {}
  /// Lets go of all listeners.
  virtual void forgetListeners() noexcept = 0;
  /// At the start of a wake, and when all messages that anybody wants have been told.
  virtual void beforeMessages() {}
  virtual void afterMessages() noexcept {
    if (in().over()) close();
  }
  /// What else holds the loop, and what keeps this; nothing does that when it is done.
  virtual bool isBusy() const noexcept { return false; }
  virtual bool isKept() const noexcept { return false; }
  virtual bool isDone() const noexcept { return false; }

  /// A callback of the loop with its drain. False when it threw, which is reported in a tick as what Node's
  /// ports throw is, or when the loop has ended in it.
  template <class F>
  bool callback(F&& f) noexcept;
  /// The same for the last event: the listeners that there are go with it.
  template <class F>
  bool lastCallback(F&& f) noexcept {
    struct Forget {
      ~Forget() { port.forgetListeners(); }
      PortCore& port;
    };
    return callback([&] {
      const Forget last{*this};
      f();
    });
  }
  EventLoop& loop() const noexcept { return hold_.loop(); }
  PortLane& in() noexcept { return pair_->lanes[side_]; }
  PortLane& out() noexcept { return pair_->lanes[1 - side_]; }
  PortPair& pair() noexcept { return *pair_; }
  void wakeSelf() noexcept { wake_->wake(); }
  /// The end of everything but the event.
  void shut() noexcept;
  /// A listener has come or gone: the first refs the port and the last unrefs it, as in Node.
  void listenersChanged() noexcept;

  List<Waiter> messageWaiters_;

 private:
  struct Ending : LoopOwned {
    explicit Ending(PortCore& p) noexcept : LoopOwned(onLoopEnd), port(p) {}
    static void onLoopEnd(LoopOwned& owned) noexcept {
      PortCore& port = static_cast<Ending&>(owned).port;
      const Ref<PortCore> alive(&port);
      port.shut();
      port.forgetListeners();
    }
    PortCore& port;
  };
  struct Closing : Job {
    explicit Closing(PortCore& p) noexcept : Job(onClose), port(p) {}
    static void onClose(Job& job, JobAction action) noexcept {
      const auto port = Ref<PortCore>::adopt(&static_cast<Closing&>(job).port);
      port->shut();
      if (action != JobAction::Run) return port->forgetListeners();
      (void)port->lastCallback([&] { port->tellClosed(); });
    }
    PortCore& port;
  };

  LEAT_INLINE void onWake() noexcept override;
  bool deliver(std::size_t most) noexcept;

  static constexpr std::size_t leastBatch = 1000;  // Node's

  Ref<PortPair> pair_;
  const int side_;
  LoopHold hold_;
  Ref<PortWake> wake_;
  Ending ending_;
  Closing closing_;
  const ContextRef context_ = currentContext();
  List<Waiter> roomWaiters_;
  std::size_t atOnce_ = leastBatch;
  State state_ = State::Open;
  bool referenced_ = false;
  bool unreferenced_ = false;
  bool listening_ = false;
  bool hears_ = false;
  bool held_ = false;
  bool kept_ = false;
};

#if LEAT_BODIES
LEAT_INLINE PortCore::PortCore(Ref<PortPair> pair, int side)
    : pair_(std::move(pair)),
      side_(side),
      hold_(EventLoop::current()),
      wake_(makeRef<PortWake>(*this, EventLoop::current().ref())),
      ending_(*this),
      closing_(*this) {
  loop().queue().own(ending_);
  in().attach(wake_);
}

LEAT_INLINE PortCore::~PortCore() {
  if (state_ != State::Closed && hold_.onThread()) shut();
}
#endif

template <class F>
bool PortCore::callback(F&& f) noexcept {
  bool threw = false;
  try {
    const ContextScope scope(context_);
    f();
  } catch (...) {
    threw = true;
    LateReport::start(std::current_exception());
  }
  loop().drain();
  return !threw && !loop().dead();
}

#if LEAT_BODIES
LEAT_INLINE void PortCore::update() noexcept {
  const bool open = state_ != State::Closed;
  const bool alive = open && !isDone();
  const bool waited = !messageWaiters_.empty();
  const bool holds =
      alive && (referenced_ || isBusy() || (!unreferenced_ && (waited || !roomWaiters_.empty())));
  if (holds != held_) {
    held_ = holds;
    holds ? hold_.take() : hold_.drop();
  }
  const bool listening = open && (listening_ || waited);
  if (listening != hears_) {
    hears_ = listening;
    if (open && pair_->here()) in().listen(listening);
  }
  const bool keep = alive && (listening_ || holds || isKept());
  if (keep == kept_) return;
  kept_ = keep;
  keep ? retain() : release();
}

LEAT_INLINE void PortCore::listenersChanged() noexcept {
  if (listens() == listening_ || state_ == State::Closed) return;
  listening_ = !listening_;
  referenced_ = listening_;
  update();
}

LEAT_INLINE MessageBox PortCore::take() noexcept {
  if (state_ == State::Closed) return MessageBox();
  PortLane::Taken taken = in().take();
  if (taken.room) out().wake();
  if (taken.last) wake_->wake();
  return std::move(taken.message);
}

LEAT_INLINE void PortCore::close() noexcept {
  if (state_ != State::Open) return;
  state_ = State::Closing;
  retain();
  loop().pushClosing(closing_);
}

LEAT_INLINE Ref<PortPair> PortCore::detach() noexcept {
  if (state_ != State::Open) return nullptr;
  in().detach();
  Ref<PortPair> pair = pair_;
  const Ref<PortCore> alive(this);
  pair_ = makeRef<PortPair>(std::size_t{0});
  shut();
  forgetListeners();
  return pair;
}

LEAT_INLINE void PortCore::shut() noexcept {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  wake_->leave();
  ending_.unlink();
  pair_->close(side_);
  wakeAll(messageWaiters_);
  wakeAll(roomWaiters_);
  update();
}

LEAT_INLINE void PortCore::onWake() noexcept {
  const Ref<PortCore> alive(this);
  if (state_ != State::Open) return;
  atOnce_ = leastBatch;
  const ContextScope nobody(nullptr);
  if (!callback([this] { beforeMessages(); })) return wakeSelf();
  if (state_ != State::Open) return;
  if (!roomWaiters_.empty() && out().room(true)) {
    wakeAll(roomWaiters_);
    loop().drain();
  }
  const std::size_t size = in().size();
  if (!deliver(size > leastBatch ? size : leastBatch)) {
    if (state_ != State::Closed && !loop().dead()) wakeSelf();
    return;
  }
  if (state_ == State::Open) afterMessages();
}

/// False: there is more to do in another turn, or nothing ever.
LEAT_INLINE bool PortCore::deliver(std::size_t most) noexcept {
  while (state_ != State::Closed) {
    if (messageWaiters_.empty() && !listening_) return true;
    MessageBox message = take();
    if (!message) return true;
    if (!messageWaiters_.empty()) {
      auto& waiter = static_cast<PortWaiter&>(messageWaiters_.front());
      waiter.message = std::move(message);
      waiter.wake();
      loop().drain();
      if (loop().dead()) return false;
    } else if (!callback([&] { tell(std::move(message)); })) {
      return false;
    }
    if (--most == 0) return false;
  }
  return false;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
