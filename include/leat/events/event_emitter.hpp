// SPDX-License-Identifier: MIT
// EventEmitter: events by names that are known at run time.
#pragma once

#include <leat/base/list.hpp>
#include <leat/events/detail/dynamic_listener.hpp>
#include <leat/events/detail/name_table.hpp>
#include <leat/events/event_listener.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {
/// Tells the generic functions that an emitter has events by run-time names.
struct NamedEmitterKind {};
}  // namespace detail

/// A listener of an EventEmitter, as `listeners` gives it: `listener("text", 3)`. The callable lives as
/// long as this does, also after the listener was removed.
class NamedListener : public EventListener<const detail::Emission&> {
 public:
  using EventListener::EventListener;
  /// Of `rawListeners` a listener for once removes itself, and is called once.
  /// Throws: TypeError ERR_INVALID_ARG_TYPE, what the listener throws.
  template <class... Args>
  void operator()(const Args&... args) const {
    const auto call = [this](const detail::Emission& emission) {
      EventListener::operator()(emission);
    };
    const std::string name = eventName();
    detail::withEmission(name, call, args...);
  }
  /// Empty when it was removed. A copy: the name goes with the last listener, which this may be.
  std::string eventName() const { return std::string(EventListener::eventName()); }
  /// What was given to `once`. Node: `rawListener.listener`.
  NamedListener listener() const noexcept { return NamedListener(EventListener::listener()); }

 private:
  explicit NamedListener(const EventListener& other) noexcept : EventListener(other) {}
};

/// Node's EventEmitter: any name, any arguments.
///
/// What is emitted is brought to a few types: text of any kind to std::string, integers to long long,
/// floating-point numbers to double. A listener names the types that it wants, and may take fewer
/// arguments than are emitted; another text or number type of the same kind will do when the value fits.
/// What does not fit is a TypeError out of `emit`, which names the event and the types. Other types are
/// taken as exactly what they are, by value or const reference; exceptions also as std::exception_ptr or
/// `const std::exception&`; all together as EventArgs. See TypedEmitter for events that the compiler checks.
///
/// A plain object or base, neither copied nor moved; one thread at a time; without coroutines it needs no
/// loop. Listeners are called in the context of the emit.
/// Lifetime: it may be destroyed by one of its listeners; those that the emit began with are still called.
class EventEmitter : public detail::EmitterBase {
 public:
  using EmitterKind = detail::NamedEmitterKind;

  explicit EventEmitter(EmitterOptions options = {}) noexcept : EmitterBase(ops, options) {}
  ~EventEmitter();

  /// Adds a listener behind the others, also one that is there already.
  /// Throws: what a listener for "newListener" (std::string name, Listener) throws.
  template <class F>
  Listener on(std::string_view event, F&& listener) {
    return attach(event, detail::makeDynamic(*this, event, std::forward<F>(listener)), false,
                  false);
  }
  template <class F>
  Listener addListener(std::string_view event, F&& listener) {
    return on(event, std::forward<F>(listener));
  }
  /// For the next time only: it leaves before it is called.
  template <class F>
  Listener once(std::string_view event, F&& listener) {
    return attach(event, detail::makeDynamic(*this, event, std::forward<F>(listener)), true, false);
  }
  /// In front of the others.
  template <class F>
  Listener prependListener(std::string_view event, F&& listener) {
    return attach(event, detail::makeDynamic(*this, event, std::forward<F>(listener)), false, true);
  }
  template <class F>
  Listener prependOnceListener(std::string_view event, F&& listener) {
    return attach(event, detail::makeDynamic(*this, event, std::forward<F>(listener)), true, true);
  }

  /// Calls the listeners that there are now, in order. False when there are none.
  /// Throws: what a listener throws, and then those behind it are not called; TypeError
  /// ERR_INVALID_ARG_TYPE. "error" without a listener: the error itself, or Error ERR_UNHANDLED_ERROR when
  /// it is no exception.
  template <class... Args>
  bool emit(std::string_view event, const Args&... args);

  /// Removes the newest listener that equals this one: a handle, a pointer to a function, a closure
  /// without captures, a SharedListener, whatever has `operator==`.
  template <class F>
  void off(std::string_view event, const F& listener) {
    const detail::SlotBase* slot = table_.find(event);
    if (slot == nullptr) return;
    if (detail::ListenerRecord* found = detail::findListener(*slot, listener)) found->off();
  }
  template <class F>
  void removeListener(std::string_view event, const F& listener) {
    off(event, listener);
  }
  void removeAllListeners(std::string_view event);
  void removeAllListeners();

  std::size_t listenerCount(std::string_view event) const noexcept {
    const detail::SlotBase* slot = table_.find(event);
    return slot == nullptr ? 0 : slot->size();
  }
  /// How many of them equal this one.
  template <class F>
  std::size_t listenerCount(std::string_view event, const F& listener) const {
    const detail::SlotBase* slot = table_.find(event);
    return slot == nullptr ? 0 : detail::countListeners(*slot, listener);
  }
  /// Copies; call them, or remove them by `off()`.
  std::vector<NamedListener> listeners(std::string_view event) const {
    return handles(event, false);
  }
  /// Those for once remove themselves when called. Node: `rawListeners`.
  std::vector<NamedListener> rawListeners(std::string_view event) const {
    return handles(event, true);
  }
  /// Of the events that somebody listens to, in the order in which that began.
  std::vector<std::string> eventNames() const;

 private:
  Listener attach(std::string_view event, detail::Ref<detail::ListenerRecord> record, bool once,
                  bool front);
  void clear(detail::NamedSlot& slot);
  bool watchesRemoval() const noexcept { return table_.find("removeListener") != nullptr; }
  std::vector<NamedListener> handles(std::string_view event, bool raw) const {
    const detail::SlotBase* slot = table_.find(event);
    if (slot == nullptr) return {};
    return detail::listenersOf<std::vector<NamedListener>>(*slot, raw);
  }
  /// "error", and events that nobody listens to.
  bool emitRare(detail::NamedSlot* slot, const detail::Emission& emission);
  static void emitError(EmitterBase& base, const std::exception_ptr& error) {
    static_cast<EventEmitter&>(base).emit("error", error);
  }
  static void removed(EmitterBase& base, detail::SlotBase& slot, std::string_view name,
                      const Listener& listener);

  static constexpr detail::EmitterOps ops{"EventEmitter", emitError, removed};

  detail::NameTable table_;
};

template <class... Args>
LEAT_ALWAYS_INLINE inline bool EventEmitter::emit(std::string_view event, const Args&... args) {
  detail::NamedSlot* const slot = table_.find(event);
  return detail::withEmission(
      event,
      [this, slot](const detail::Emission& emission) {
        if (slot == nullptr || slot->isError) [[unlikely]]
          return emitRare(slot, emission);
        return slot->emit(emission);
      },
      args...);
}

#if LEAT_BODIES
LEAT_INLINE EventEmitter::~EventEmitter() {
  end();
  // The closures of the others may own handles: nobody is told that those go.
  if (detail::NamedSlot* told = table_.find("removeListener")) told->clear();
}

LEAT_INLINE Listener EventEmitter::attach(std::string_view event,
                                          detail::Ref<detail::ListenerRecord> record, bool once,
                                          bool front) {
  Listener handle{detail::Ref<detail::Registration>(record)};
  if (table_.find("newListener") != nullptr) {
    const detail::Survival survival(*this);
    emit("newListener", event, handle);
    if (!survival) return detail::neverAdded(*record, std::move(handle));
  }
  detail::NamedSlot& slot = table_.get(event);
  record->once = once;
  const auto call = once ? reinterpret_cast<detail::ListenerRecord::Call>(
                               &detail::callOnce<const detail::Emission&>)
                         : record->plain;
  add(slot, *record, call, front, slot.name);
  return handle;
}

LEAT_INLINE void EventEmitter::removed(EmitterBase& base, detail::SlotBase& left,
                                       std::string_view name, const Listener& listener) {
  auto& self = static_cast<EventEmitter&>(base);
  auto& slot = static_cast<detail::NamedSlot&>(left);
  const auto gone = slot.empty() ? self.table_.take(slot) : detail::NameTable::Taken();
  // `name` lives in the slot, which goes with its last listener: that may happen during the emit.
  if (self.watchesRemoval()) self.emit("removeListener", std::string(name), listener);
}

LEAT_INLINE bool EventEmitter::emitRare(detail::NamedSlot* slot, const detail::Emission& emission) {
  if (emission.name != "error") return false;
  if (detail::NamedSlot* monitor = table_.find(errorMonitor)) {
    const detail::Survival survival(*this);
    monitor->emit(emission);
    if (!survival) return true;
    slot = table_.find("error");
  }
  if (slot == nullptr) detail::throwUnhandledEmission(emission);
  return slot->emit(emission);
}

LEAT_INLINE void EventEmitter::clear(detail::NamedSlot& slot) {
  if (watchesRemoval()) return removeAll(slot, true);
  const auto gone = table_.take(slot);
  removeAll(*gone, false);
}

LEAT_INLINE void EventEmitter::removeAllListeners(std::string_view event) {
  if (detail::NamedSlot* slot = table_.find(event)) clear(*slot);
}

LEAT_INLINE void EventEmitter::removeAllListeners() {
  const detail::Survival survival(*this);
  for (const std::string& name : eventNames()) {
    if (name == "removeListener") continue;
    removeAllListeners(name);
    if (!survival) return;
  }
  removeAllListeners("removeListener");
  if (!survival) return;
  // What came meanwhile goes too, and nobody is told, as in Node.
  for (const std::string& name : eventNames()) {
    if (detail::NamedSlot* slot = table_.find(name)) {
      const auto gone = table_.take(*slot);
      removeAll(*gone, false);
    }
    if (!survival) return;
  }
}

LEAT_INLINE std::vector<std::string> EventEmitter::eventNames() const {
  std::vector<std::string> names;
  table_.each([&names](const detail::NamedSlot& slot) { names.push_back(slot.name); });
  return names;
}
#endif

}  // namespace leat::inline LEAT_ABI
