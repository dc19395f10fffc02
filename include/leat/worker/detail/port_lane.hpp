// SPDX-License-Identifier: MIT
// One direction of a channel between threads: messages in the order in which they were posted, and whom to
// wake when there are some.
#pragma once

#include <leat/base/list.hpp>
#include <leat/core/sendable.hpp>
#include <leat/loop/loop_ref.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/mutex.hpp>

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace leat::inline LEAT_ABI {

template <class T>
class Task;

namespace detail {

/// Whether a value refers to what somebody else owns, as far as its type tells: pointers to objects, views,
/// and tasks, whose frames do; also inside of what holds them. A tree of values is made of itself: `Seen` are
/// asked already.
template <class T, class... Seen>
inline constexpr bool isBorrowed = false;
template <class T, class... Seen>
inline constexpr bool isBorrowed<const T, Seen...> = isBorrowed<T, Seen...>;
template <class T, class... Seen>
inline constexpr bool isBorrowed<T*, Seen...> = !std::is_function_v<T>;
template <class T, class... Seen>
  requires(!(std::is_same_v<T, Seen> || ...) && requires { typename T::value_type; })
inline constexpr bool isBorrowed<T, Seen...> = isBorrowed<typename T::value_type, Seen..., T>;
template <class C, class Traits, class... Seen>
inline constexpr bool isBorrowed<std::basic_string_view<C, Traits>, Seen...> = true;
template <class T, std::size_t n, class... Seen>
inline constexpr bool isBorrowed<std::span<T, n>, Seen...> = true;
template <class T, class... Seen>
inline constexpr bool isBorrowed<std::reference_wrapper<T>, Seen...> = true;
template <class T, class... Seen>
inline constexpr bool isBorrowed<Task<T>, Seen...> = true;
template <class A, class B, class... Seen>
inline constexpr bool isBorrowed<std::pair<A, B>, Seen...> =
    isBorrowed<A, Seen...> || isBorrowed<B, Seen...>;
template <class... T, class... Seen>
inline constexpr bool isBorrowed<std::tuple<T...>, Seen...> = (isBorrowed<T, Seen...> || ...);
template <class... T, class... Seen>
inline constexpr bool isBorrowed<std::variant<T...>, Seen...> = (isBorrowed<T, Seen...> || ...);
template <class T, class... Seen>
inline constexpr bool isBorrowed<T&, Seen...> = true;

}  // namespace detail

namespace worker_threads {

/// What a message may be: a value of its own that moves, without references and views into the memory of
/// who posts it, and no handle of a loop. A port goes as a TransferredPort. Looks into containers, optionals,
/// pairs, tuples and variants; what a struct, a closure or a smart pointer refers to it does not see.
template <class T>
inline constexpr bool isMessage =
    std::is_same_v<T, std::decay_t<T>> && std::is_move_constructible_v<T> && isSendable<T> &&
    !leat::detail::isBorrowed<T>;
/// A view, of what goes with its expression.
template <class T>
inline constexpr bool isMessage<std::initializer_list<T>> = false;

}  // namespace worker_threads

namespace detail {

/// On its way. In the queue of a lane, or with whoever took it.
struct Message : ListNode {
  virtual ~Message() = default;
  // In which place it was posted: one that comes back from an abandoned wait finds that again.
  unsigned long long number = 0;
};
template <class T>
struct MessageOf final : Message {
  template <class X>
  explicit MessageOf(std::in_place_t, X&& x) : value(std::forward<X>(x)) {}
  T value;
};

/// Owns a message that is in no queue.
class MessageBox {
 public:
  explicit MessageBox(Message* message = nullptr) noexcept : message_(message) {}
  MessageBox(MessageBox&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageBox& operator=(MessageBox&& other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageBox() { delete message_; }
  explicit operator bool() const noexcept { return message_ != nullptr; }
  Message* leak() noexcept { return std::exchange(message_, nullptr); }
  template <class T>
  T& as() const noexcept {
    return static_cast<MessageOf<T>*>(message_)->value;
  }

 private:
  Message* message_;
};

inline void dropMessages(List<Message>& all) noexcept {
  while (!all.empty()) delete &all.popFront();
}

/// What a lane leads to, on the thread of its loop.
class PortReceiver {
 public:
  virtual void onWake() noexcept = 0;

 protected:
  ~PortReceiver() = default;
};

/// Brings a receiver to look at its lanes, in the poll phase. Posted at most once at a time, by any thread.
class PortWake final : public SharedCounted<PortWake>, private PostedJob {
 public:
  PortWake(PortReceiver& receiver, LoopRef home) noexcept
      : PostedJob(act), receiver_(&receiver), home_(std::move(home)) {}
  void wake() noexcept {
    if (pending_.exchange(1) != 0) return;
    retain();
    if (!home_.postJob(*this)) release();
  }
  /// The receiver has gone. On its thread.
  void leave() noexcept { receiver_ = nullptr; }

 private:
  static void act(PostedJob& job, bool run) noexcept {
    const auto self = Ref<PortWake>::adopt(&static_cast<PortWake&>(job));
    // First, so that what comes from now on wakes again.
    self->pending_.store(0);
    if (run && self->receiver_ != nullptr) self->receiver_->onWake();
  }

  PortReceiver* receiver_;
  const LoopRef home_;
  Atomic<unsigned char> pending_{0};
};

/// Its sender and its receiver are ports on two threads; each of them may close it.
class PortLane {
 public:
  struct Taken {
    MessageBox message;
    bool room = false;  // and the sender waits for it
    bool last = false;  // and no more will come
  };

  PortLane() noexcept = default;
  PortLane(const PortLane&) = delete;
  PortLane& operator=(const PortLane&) = delete;
  ~PortLane() { dropMessages(messages_); }

  // ---- the sender ----

  /// False when nobody will take it.
  bool push(MessageBox message) noexcept {
    const sys::MutexLock lock(mutex_);
    if (senderGone_ || receiverGone_) return false;
    Message* added = message.leak();
    added->number = nextNumber_++;
    messages_.pushBack(*added);
    ++size_;
    if (listening_) wakeHeld();
    return true;
  }
  /// Whether fewer wait than the bound allows, or the receiver is gone. If not, and `wait`, the sender is
  /// told later.
  bool room(bool wait = false) noexcept {
    const sys::MutexLock lock(mutex_);
    const bool there = receiverGone_ || bound_ == 0 || size_ < bound_;
    if (!there && wait) senderWaits_ = true;
    return there;
  }
  bool receiverGone() noexcept {
    const sys::MutexLock lock(mutex_);
    return receiverGone_;
  }
  /// What was posted is still received.
  void closeSender() noexcept {
    const sys::MutexLock lock(mutex_);
    senderGone_ = true;
    wakeHeld();
  }

  // ---- the receiver ----

  void attach(Ref<PortWake> wake) noexcept {
    const sys::MutexLock lock(mutex_);
    wake_ = std::move(wake);
    if (senderGone_) wakeHeld();
  }
  /// On its way to another thread.
  void detach() noexcept {
    const sys::MutexLock lock(mutex_);
    wake_ = nullptr;
    listening_ = false;
  }
  /// Whether it is told of messages.
  void listen(bool to) noexcept {
    const sys::MutexLock lock(mutex_);
    listening_ = to;
    if (to && size_ > 0) wakeHeld();
  }
  /// The oldest one, if there is any.
  Taken take() noexcept {
    const sys::MutexLock lock(mutex_);
    Taken taken;
    if (size_ > 0) {
      taken.message = MessageBox(&messages_.popFront());
      --size_;
    }
    taken.room = senderWaits_ && size_ < bound_;
    if (taken.room) senderWaits_ = false;
    taken.last = taken.message && senderGone_ && size_ == 0;
    return taken;
  }
  /// False when it was closed meanwhile.
  bool putBack(MessageBox message) noexcept {
    const sys::MutexLock lock(mutex_);
    if (receiverGone_) return false;
    Message* back = message.leak();
    List<Message> before;
    while (!messages_.empty() && messages_.front().number < back->number)
      before.pushBack(messages_.popFront());
    messages_.pushFront(*back);
    before.append(messages_);
    messages_.append(before);
    ++size_;
    if (listening_) wakeHeld();
    return true;
  }
  /// Nothing is taken any more; what waits is dropped.
  void closeReceiver() noexcept {
    List<Message> dropped;
    {
      const sys::MutexLock lock(mutex_);
      receiverGone_ = true;
      size_ = 0;
      wake_ = nullptr;
      dropped.append(messages_);
    }
    dropMessages(dropped);
  }
  void wake() noexcept {
    const sys::MutexLock lock(mutex_);
    wakeHeld();
  }
  /// Nothing is there, and nothing will come.
  bool over() noexcept {
    const sys::MutexLock lock(mutex_);
    return senderGone_ && size_ == 0;
  }
  std::size_t size() noexcept {
    const sys::MutexLock lock(mutex_);
    return size_;
  }
  /// Before the lane is in use; 0 is no bound.
  void setBound(std::size_t bound) noexcept { bound_ = bound; }

 private:
  void wakeHeld() noexcept {
    if (wake_) wake_->wake();
  }

  sys::Mutex mutex_;
  // All below is guarded by it.
  List<Message> messages_;
  std::size_t size_ = 0;
  std::size_t bound_ = 0;
  unsigned long long nextNumber_ = 0;
  Ref<PortWake> wake_;  // null while the receiver is nowhere
  bool listening_ = false;
  bool senderWaits_ = false;
  bool senderGone_ = false;
  bool receiverGone_ = false;
};

/// A channel: `lanes[side]` leads to the port of that side.
struct PortPair : SharedCounted<PortPair> {
  explicit PortPair(std::size_t bound) noexcept {
    lanes[0].setBound(bound);
    lanes[1].setBound(bound);
  }
  /// False in a child of fork(): another thread of the parent may have been inside of a lane, whose mutex is
  /// locked for ever then.
  bool here() const noexcept { return generation == sys::forkGeneration(); }
  /// The port of this side is gone.
  void close(int side) noexcept {
    if (!here()) return;
    lanes[side].closeReceiver();
    lanes[1 - side].closeSender();
  }
  PortLane lanes[2];
  const unsigned generation = sys::watchForks();
};

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
