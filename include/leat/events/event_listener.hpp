// SPDX-License-Identifier: MIT
// What `listeners` and `rawListeners` give, and a callable that can be told from others of its kind.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/events/detail/listeners.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

/// A listener that can be called, as those that `listeners` and `rawListeners` give. The callable lives as
/// long as this does, also after the listener was removed.
template <class... Args>
class EventListener {
 public:
  using LoopBound = void;

  EventListener(detail::ListenerRecord& record, detail::ListenerRecord::Call call) noexcept
      : record_(&record), call_(call) {
    record.addUse();
  }
  EventListener(const EventListener& other) noexcept : EventListener(*other.record_, other.call_) {}
  EventListener& operator=(const EventListener& other) noexcept {
    other.record_->addUse();
    call_ = other.call_;
    std::exchange(record_, other.record_)->dropUse();
    return *this;
  }
  ~EventListener() { record_->dropUse(); }

  /// Of `rawListeners` a listener for once removes itself, and is called once.
  void operator()(detail::PassedArg<Args>... args) const {
    const EventListener kept(*this);
    detail::ListenerSlot<detail::PassedArg<Args>...>::callOne(
        *kept.record_, kept.call_, static_cast<detail::PassedArg<Args>>(args)...);
  }
  /// What was given to `once`. Node: `rawListener.listener`.
  EventListener listener() const noexcept { return EventListener(*record_, record_->plain); }
  bool once() const noexcept { return record_->once; }
  /// Empty when it was removed.
  std::string_view eventName() const noexcept {
    return active() ? record_->slot->block()->name : std::string_view();
  }

  Listener handle() const noexcept { return Listener{detail::Ref<detail::Registration>(record_)}; }
  operator Listener() const noexcept { return handle(); }
  void off() const { record_->off(); }
  bool active() const noexcept { return record_->active(); }
  friend bool operator==(const EventListener& a, const EventListener& b) noexcept {
    return a.record_ == b.record_ && a.call_ == b.call_;
  }

 private:
  detail::ListenerRecord* record_;
  detail::ListenerRecord::Call call_;
};

/// A callable that equals its copies, as a function of JavaScript does: it can be given to `on` twice, to
/// `off` and to `listenerCount`. So can pointers to functions, closures without captures and whatever has
/// an `operator==`; for the rest there is the handle that `on` gives.
template <class F>
class SharedListener {
 public:
  using LoopBound = void;
  using Callable = F;

  explicit SharedListener(F callable) : block_(detail::makeRef<Block>(std::move(callable))) {}
  template <class... Args>
    requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) const {
    return block_->callable(std::forward<Args>(args)...);
  }
  friend bool operator==(const SharedListener& a, const SharedListener& b) noexcept {
    return a.block_ == b.block_;
  }

 private:
  struct Block : detail::Counted<Block> {
    explicit Block(F&& f) : callable(std::move(f)) {}
    F callable;
  };
  detail::Ref<Block> block_;
};

namespace detail {

/// The listeners of a slot, as `listeners` and `rawListeners` give them.
template <class Listeners>
Listeners listenersOf(const SlotBase& slot, bool raw) {
  Listeners all;
  all.reserve(slot.size());
  for (unsigned i = 0; i < slot.size(); ++i) {
    const ListenerEntry& entry = slot.block()->entries()[i];
    all.emplace_back(*entry.record, raw ? entry.call : entry.record->plain);
  }
  return all;
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
