// SPDX-License-Identifier: MIT
// BroadcastChannel: what one posts all others of the same name are told, on every thread of the process.
#pragma once

#include <leat/loop/warn.hpp>
#include <leat/worker/message_port.hpp>

#include <string>
#include <typeinfo>
#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A channel as the others see it.
struct BroadcastMember : SharedCounted<BroadcastMember> {
  BroadcastMember(std::string n, const std::type_info& t)
      : name(std::move(n)), type(t), pair(makeRef<PortPair>(std::size_t{0})) {}
  const std::string name;
  const std::type_info& type;
  const Ref<PortPair> pair;
  /// The type of a message that came and is another one; null when there is none.
  const std::type_info* takeRefused() noexcept {
    const sys::MutexLock lock(mutex);
    if (refused.empty()) return nullptr;
    const std::type_info* first = refused.front();
    refused.erase(refused.begin());
    return first;
  }
  sys::Mutex mutex;
  std::vector<const std::type_info*> refused;  // guarded
};
using BroadcastMembers = std::vector<Ref<BroadcastMember>>;

/// Those of the process.
class LEAT_API BroadcastRegistry : public sys::OfProcess<BroadcastRegistry> {
 public:
  void join(Ref<BroadcastMember> member) {
    const sys::MutexLock lock(mutex_);
    members_.push_back(std::move(member));
  }
  void leave(const BroadcastMember& member) noexcept {
    Ref<BroadcastMember> gone;
    const sys::MutexLock lock(mutex_);
    for (Ref<BroadcastMember>& each : members_) {
      if (each.get() != &member) continue;
      gone = std::move(each);
      each = std::move(members_.back());
      return members_.pop_back();
    }
  }
  BroadcastMembers others(const BroadcastMember& member) {
    BroadcastMembers found;
    const sys::MutexLock lock(mutex_);
    for (const Ref<BroadcastMember>& each : members_)
      if (each.get() != &member && each->name == member.name) found.push_back(each);
    return found;
  }

 private:
  sys::Mutex mutex_;
  BroadcastMembers members_;
};

class BroadcastCore : public PortCore {
 public:
  explicit BroadcastCore(Ref<BroadcastMember> member)
      : PortCore(member->pair, 0), member_(std::move(member)) {
    BroadcastRegistry::ofProcess().join(member_);
  }
  LEAT_INLINE ~BroadcastCore() override {
    // In a child of fork() it is in the registry of the parent.
    if (member_->pair->here()) BroadcastRegistry::ofProcess().leave(*member_);
  }
  const BroadcastMember& member() const noexcept { return *member_; }

 protected:
  /// False when nobody listens.
  virtual bool tellRefused(const std::exception_ptr& error) = 0;

 private:
  void beforeMessages() override {
    while (const std::type_info* type = member_->takeRefused()) {
      const std::string text = "BroadcastChannel '" + member_->name + "': a message of type " +
                               typeName(*type) + " came, not " + typeName(member_->type);
      if (!tellRefused(std::make_exception_ptr(TypeError(text, "ERR_INVALID_ARG_TYPE"))))
        warnLater("BroadcastChannelWarning", text);
    }
  }

  const Ref<BroadcastMember> member_;
};

template <class T>
class BroadcastState final : public PortListeners<BroadcastCore, T, Event<"close">> {
 public:
  using PortListeners<BroadcastCore, T, Event<"close">>::PortListeners;

 private:
  void tellClosed() override { this->template emit<"close">(); }
  bool tellRefused(const std::exception_ptr& error) override {
    return this->template emit<"messageerror">(error);
  }
};

}  // namespace detail

namespace worker_threads {

/// Tells messages of type `T` to all other channels of the same name in the process, and is told theirs: on
/// other threads and on this one, those of one sender in order. Copies are handles to the same channel.
///
/// Events: as those of MessagePort; "messageerror" (std::exception_ptr) when a channel of the same name posts
/// another type, which is a warning of the process while nobody listens to that.
///
/// Node: `BroadcastChannel`, which holds its loop until it is closed; this one as a MessagePort does, while
/// somebody listens for messages. Thread: one loop's.
template <class T>
class BroadcastChannel : public EmitterHandle<BroadcastChannel<T>> {
  static_assert(isMessage<T> && std::is_copy_constructible_v<T>,
                "each channel is told a copy of the message, which owns what it holds");

 public:
  using EmitterType = leat::detail::BroadcastState<T>;

  /// Throws: Error ERR_NO_LOOP.
  explicit BroadcastChannel(std::string_view name)
      : state_((EventLoop::current(), leat::detail::Ref<EmitterType>::adopt(new EmitterType(
                                          leat::detail::makeRef<leat::detail::BroadcastMember>(
                                              std::string(name), typeid(T)))))) {}

  std::string_view name() const noexcept { return state_->member().name; }
  /// A copy for each of the others. The bytes of a Buffer are shared between these.
  /// Throws: Error ERR_INVALID_STATE when it is closed, ERR_WRONG_THREAD; what copying throws, and then
  /// nobody was told.
  void postMessage(const T& message) const;
  /// As `MessagePort::next`.
  leat::detail::PendingMessage<T> next(WaitOptions options = {}) const {
    state_->checkThread();
    return leat::detail::PendingMessage<T>(state_, options);
  }
  void close() const {
    state_->checkThread();
    state_->close();
  }
  const BroadcastChannel& ref() const { return setReferenced(true); }
  const BroadcastChannel& unref() const { return setReferenced(false); }
  bool hasRef() const noexcept { return state_->hasRef(); }
  friend bool operator==(const BroadcastChannel& a, const BroadcastChannel& b) noexcept {
    return a.state_ == b.state_;
  }

  /// Internal.
  EmitterType& emitter() const {
    state_->checkThread();
    return *state_;
  }

 private:
  const BroadcastChannel& setReferenced(bool to) const {
    state_->checkThread();
    state_->setReferenced(to);
    return *this;
  }
  leat::detail::Ref<EmitterType> state_;
};

template <class T>
void BroadcastChannel<T>::postMessage(const T& message) const {
  using namespace leat::detail;
  state_->checkThread();
  if (!state_->open()) throwError("BroadcastChannel is closed", "ERR_INVALID_STATE");
  const BroadcastMembers others = BroadcastRegistry::ofProcess().others(state_->member());
  std::vector<MessageBox> copies;
  copies.reserve(others.size());
  for (const Ref<BroadcastMember>& each : others)
    copies.push_back(each->type == typeid(T) ? makeMessage<T>(message) : MessageBox());
  for (std::size_t i = 0; i < others.size(); ++i) {
    BroadcastMember& member = *others[i];
    if (copies[i]) {
      (void)member.pair->lanes[0].push(std::move(copies[i]));
      continue;
    }
    {
      const sys::MutexLock lock(member.mutex);
      member.refused.push_back(&typeid(T));
    }
    member.pair->lanes[0].wake();
  }
}

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
