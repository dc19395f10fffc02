// SPDX-License-Identifier: MIT
// Channel: values from some coroutines of a loop to others, bounded, in order, none lost.
#pragma once

#include <leat/base/result.hpp>
#include <leat/core/wait_options.hpp>

#include <deque>
#include <optional>

namespace leat::inline LEAT_ABI {

template <class T>
class Channel;

namespace detail {

template <class T>
class ReceiveAwaiter;
template <class T>
class SendAwaiter;

/// What the handles of a channel share. A sender waits only when the buffer is full, a receiver only when
/// it is empty and no sender waits. Values are numbered when they are accepted, so that one that comes
/// back from an abandoned receiver finds its place.
template <class T>
struct ChannelState : Counted<ChannelState<T>> {
  struct Item {
    template <class X>
    Item(unsigned long long n, X&& x) : number(n), value(std::forward<X>(x)) {}
    unsigned long long number;
    T value;
  };

  explicit ChannelState(std::size_t c) : capacity(c) {}

  /// Accepts a value if there is room for it or somebody waits for it.
  bool offer(T& value) {
    if (Waiter::next(receivers) != nullptr) {
      grant(Item(nextNumber++, std::move(value)));
      return true;
    }
    if (items.size() >= capacity) return false;
    items.emplace_back(nextNumber++, std::move(value));
    return true;
  }
  /// The next value, if there is one; makes room for the sender who waits longest. One that throws on its way
  /// stays.
  bool poll(std::optional<Item>& next) {
    if (!items.empty()) {
      if (items.size() <= capacity)
        (void)acceptFirst([this](auto&&... item) { items.emplace_back(std::move(item)...); });
      next.emplace(std::move(items.front()));
      items.pop_front();
    } else {
      (void)acceptFirst([&next](auto&&... item) { next.emplace(std::move(item)...); });
    }
    return next.has_value();
  }
  /// From a receiver that was given it and is gone.
  void putBack(Item&& item) {
    if (Waiter::next(receivers) != nullptr) return grant(std::move(item));
    auto place = items.begin();
    while (place != items.end() && place->number < item.number) ++place;
    if (place == items.begin()) {
      items.push_front(std::move(item));
    } else {
      insert(static_cast<std::size_t>(place - items.begin()), std::move(item));
    }
  }
  /// The value for who receives it. One that throws on its way comes back, if it can.
  std::optional<T> give(Item&& item) {
    try {
      return std::optional<T>(std::move(item.value));
    } catch (...) {
      putBack(std::move(item));
      throw;
    }
  }
  void close() {
    while (Waiter* const waiter = Waiter::next(receivers)) waiter->wake();
    closed = true;
  }

  const std::size_t capacity;
  bool closed = false;
  unsigned long long nextNumber = 0;
  std::deque<Item> items;
  List<Waiter> senders;
  List<Waiter> receivers;

 private:
  void grant(Item&& item);
  /// `accept(number, value)` of the sender who waits longest, who goes on then. One whose value cannot be moved
  /// is told, and the next one's turn has come. False when nobody is left.
  template <class Accept>
  bool acceptFirst(Accept accept);
  // Without assignment, which a T need not have.
  void insert(std::size_t index, Item&& item) {
    std::deque<Item> kept;
    for (std::size_t i = 0; i < index; ++i) {
      kept.push_back(std::move(items.front()));
      items.pop_front();
    }
    items.push_front(std::move(item));
    for (; !kept.empty(); kept.pop_back()) items.push_front(std::move(kept.back()));
  }
};

template <class T>
class SendAwaiter : private Waiter {
 public:
  SendAwaiter(Ref<ChannelState<T>> state, T&& value, SignalRef signal)
      : Waiter(signal), state_(std::move(state)), value_(std::move(value)) {}
  bool await_ready() {
    if (state_->closed) throwError("Channel::send: the channel is closed", "ERR_CHANNEL_CLOSED");
    return !aborted() && state_->offer(value_);
  }
  void await_suspend(std::coroutine_handle<> handle) { wait(handle, state_->senders); }
  void await_resume() {
    finish();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  friend struct ChannelState<T>;
  Ref<ChannelState<T>> state_;
  T value_;
  std::exception_ptr error_;
};

template <class T>
class ReceiveAwaiter : private Waiter {
 public:
  ReceiveAwaiter(Ref<ChannelState<T>> state, SignalRef signal) noexcept
      : Waiter(signal), state_(std::move(state)) {}
  ~ReceiveAwaiter() {
    if (granted() && item_) state_->putBack(std::move(*item_));
  }
  bool await_ready() { return !aborted() && (state_->poll(item_) || state_->closed); }
  void await_suspend(std::coroutine_handle<> handle) { wait(handle, state_->receivers); }
  std::optional<T> await_resume() {
    finish();
    // Woken by the close, there may be a value again that came back.
    if (!item_ && !state_->poll(item_)) return std::nullopt;
    return state_->give(std::move(*item_));
  }

 private:
  friend struct ChannelState<T>;
  Ref<ChannelState<T>> state_;
  std::optional<typename ChannelState<T>::Item> item_;
};

template <class T>
void ChannelState<T>::grant(Item&& item) {
  auto& receiver = static_cast<ReceiveAwaiter<T>&>(receivers.front());
  receiver.item_.emplace(std::move(item));
  receiver.wake();
}

template <class T>
template <class Accept>
bool ChannelState<T>::acceptFirst(Accept accept) {
  while (Waiter* const waiter = Waiter::next(senders)) {
    auto& sender = static_cast<SendAwaiter<T>&>(*waiter);
    try {
      accept(nextNumber++, std::move(sender.value_));
    } catch (...) {
      sender.error_ = std::current_exception();
    }
    sender.wake();
    if (!sender.error_) return true;
  }
  return false;
}

template <class T>
class [[nodiscard("nothing is sent until this is awaited")]] PendingSend {
 public:
  PendingSend(Ref<ChannelState<T>> state, T&& value, WaitOptions options)
      : state_(std::move(state)), value_(std::move(value)), signal_(options.signal.state()) {}
  SendAwaiter<T> operator co_await() && {
    return SendAwaiter<T>(std::move(state_), std::move(value_), SignalRef(signal_.get()));
  }

 private:
  Ref<ChannelState<T>> state_;
  T value_;
  Ref<AbortState> signal_;
};

template <class T>
class [[nodiscard("nothing is received until this is awaited")]] PendingReceive {
 public:
  PendingReceive(Ref<ChannelState<T>> state, WaitOptions options)
      : state_(std::move(state)), signal_(options.signal.state()) {}
  ReceiveAwaiter<T> operator co_await() && {
    return ReceiveAwaiter<T>(std::move(state_), SignalRef(signal_.get()));
  }

 private:
  Ref<ChannelState<T>> state_;
  Ref<AbortState> signal_;
};

}  // namespace detail

/// A bounded queue between coroutines of one loop. Copies are handles to the same channel.
///
/// Node: no counterpart; a stream in object mode is the nearest. Thread: one loop's.
template <class T>
class Channel {
 public:
  using LoopBound = void;
  /// With room for `capacity` values; with none each send waits for a receiver.
  explicit Channel(std::size_t capacity = 0)
      : state_(detail::makeRef<detail::ChannelState<T>>(capacity)) {}

  /// `co_await channel.send(value);` Without a tick when there is room.
  ///
  /// Completes: when the value is accepted; from then on it is received or waits to be.
  /// Cancel: the value was not accepted. Throws: AbortError, Error ERR_CHANNEL_CLOSED, what
  /// moving the value throws.
  detail::PendingSend<T> send(T value, WaitOptions options = {}) const {
    return detail::PendingSend<T>(state_, std::move(value), options);
  }
  /// False when there is no room or the channel is closed; then `value` is left alone.
  bool trySend(T&& value) const { return !state_->closed && state_->offer(value); }
  bool trySend(const T& value) const {
    T copy(value);
    return trySend(std::move(copy));
  }

  /// `while (auto value = co_await channel.receive()) ...`: nothing when the channel is closed and all
  /// values are out. Without a tick when there is a value.
  ///
  /// Cancel: no value is lost. Throws: AbortError; what moving the value throws: it stays in the channel, unless
  /// that throws as well.
  detail::PendingReceive<T> receive(WaitOptions options = {}) const {
    return detail::PendingReceive<T>(state_, options);
  }
  /// As `receive`, under the name that streams and generators have.
  detail::PendingReceive<T> next(WaitOptions options = {}) const { return receive(options); }
  /// Nothing when there is no value now. Throws: as `receive` does.
  std::optional<T> tryReceive() const {
    std::optional<typename detail::ChannelState<T>::Item> item;
    return state_->poll(item) ? state_->give(std::move(*item)) : std::nullopt;
  }

  /// No more sends begin. What is buffered and what senders wait with is still received.
  /// Throws: Error ERR_WRONG_THREAD, when one waits on another thread.
  void close() const { state_->close(); }
  bool closed() const noexcept { return state_->closed; }
  /// How many values are buffered.
  std::size_t size() const noexcept { return state_->items.size(); }
  std::size_t capacity() const noexcept { return state_->capacity; }
  friend bool operator==(const Channel& a, const Channel& b) noexcept {
    return a.state_ == b.state_;
  }

 private:
  detail::Ref<detail::ChannelState<T>> state_;
};

}  // namespace leat::inline LEAT_ABI
