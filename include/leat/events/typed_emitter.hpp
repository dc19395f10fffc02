// SPDX-License-Identifier: MIT
// TypedEmitter: events whose names and arguments the compiler checks. Each event is a slot of the object:
// no map is searched and nothing is allocated to emit.
#pragma once

#include <leat/events/detail/adapt.hpp>
#include <leat/events/detail/unhandled.hpp>
#include <leat/events/event_listener.hpp>

namespace leat::inline LEAT_ABI {

// In the first line of an error these tell what is wrong with which event.
template <FixedString name>
struct TheEmitterHasNoEvent;
template <FixedString name, class... Args>
struct TheListenerDoesNotTakeTheArgumentsOfEvent;
template <FixedString name, class... Args>
struct WrongArgumentsToEmitEvent;

namespace detail {

template <class E>
struct EventSlot;
template <FixedString name, class... Args>
struct EventSlot<Event<name, Args...>> : ListenerSlot<PassedArg<Args>...> {
  using Name = EventName<name>;
  using Arguments = std::tuple<Args...>;
  /// The arguments as they are kept after the emit.
  using Kept = std::tuple<OwnedArg<PassedArg<Args>>...>;
  using Handle = EventListener<Args...>;
  static constexpr std::string_view eventName = name.view();
  /// Whether a callable may listen.
  template <class F>
  static constexpr bool takes = isListener<std::decay_t<F>, PassedArg<Args>...>;
  template <class... X>
  static constexpr bool emittedWith = [] {
    if constexpr (sizeof...(X) == sizeof...(Args)) {
      return (convertsToArg<Args, X> && ...);
    } else {
      return false;
    }
  }();
  template <class F>
  static Ref<ListenerRecord> make(EmitterBase& emitter, F&& f) {
    return makeListener<PassedArg<Args>...>(emitter, eventName, std::forward<F>(f));
  }
  static constexpr auto onceCall() noexcept { return &callOnce<PassedArg<Args>...>; }
  template <class... X>
  LEAT_ALWAYS_INLINE bool tell(X&&... args) const {
    return this->emit(toArg<Args>(std::forward<X>(args))...);
  }
};

template <class... Es>
struct EventSlots : EventSlot<Es>... {};

template <FixedString name, class... Args>
EventSlot<Event<name, Args...>>* findSlot(EventSlot<Event<name, Args...>>*);
template <FixedString name>
void findSlot(...);

/// The slot of an event, or an error that names the event.
template <FixedString name, class Found>
struct KnownSlot : std::remove_pointer_t<Found> {};
template <FixedString name>
struct KnownSlot<name, void> : TheEmitterHasNoEvent<name> {};

/// Every emitter has these, declared or not.
template <class... Args>
struct MonitorOf;
template <class... Args>
struct MonitorOf<EventSlot<Event<"error", Args...>>> {
  using Type = Event<"events.errorMonitor", Args...>;
};

template <class... Es>
struct AllSlots {
  static constexpr bool declaresError =
      !std::is_void_v<decltype(findSlot<"error">(static_cast<EventSlots<Es...>*>(nullptr)))>;
  template <class... Declared>
  struct Complete {
    using Error = std::remove_pointer_t<decltype(findSlot<"error">(
        static_cast<EventSlots<Declared...>*>(nullptr)))>;
    using Type = EventSlots<Declared..., typename MonitorOf<Error>::Type,
                            Event<"newListener", std::string_view, Listener>,
                            Event<"removeListener", std::string_view, Listener>>;
  };
  using Type =
      typename std::conditional_t<declaresError, Complete<Es...>,
                                  Complete<Es..., Event<"error", std::exception_ptr>>>::Type;
};

/// Tells the generic functions that an emitter has events by compile-time names.
struct TypedEmitterKind {};

}  // namespace detail

/// Node's EventEmitter with events that are known at compile time:
/// `TypedEmitter<Event<"data", Buffer>, Event<"end">>`. An unknown name or wrong arguments do not compile.
/// A listener may take fewer arguments than the event has, and may be a coroutine.
///
/// Besides those named there are "error" (std::exception_ptr, unless declared otherwise), errorMonitor,
/// "newListener" and "removeListener" (std::string_view name, Listener).
///
/// Node: `EventEmitter`. A plain object or base, neither copied nor moved; one thread at a time; without
/// coroutines it needs no loop. Listeners are called in the context of the emit.
/// Lifetime: it may be destroyed by one of its listeners; those that the emit began with are still called.
template <class... Events>
class TypedEmitter : public detail::EmitterBase {
 public:
  using EmitterKind = detail::TypedEmitterKind;
  /// What `once` and `on` give for an event: its arguments as a std::tuple. Views become strings.
  template <FixedString name>
  using Kept = typename detail::KnownSlot<
      name, decltype(detail::findSlot<name>(
                static_cast<typename detail::AllSlots<Events...>::Type*>(nullptr)))>::Kept;

  explicit TypedEmitter(EmitterOptions options = {}) noexcept : EmitterBase(ops, options) {}
  ~TypedEmitter() { this->end(); }

  /// Adds a listener behind the others, also one that is there already.
  /// Throws: what a listener for "newListener" throws.
  template <FixedString name, class F>
  Listener on(F&& listener) {
    return attach<name>(std::forward<F>(listener), false, false);
  }
  template <FixedString name, class F>
  Listener addListener(F&& listener) {
    return attach<name>(std::forward<F>(listener), false, false);
  }
  /// For the next time only: it leaves before it is called.
  template <FixedString name, class F>
  Listener once(F&& listener) {
    return attach<name>(std::forward<F>(listener), true, false);
  }
  /// In front of the others.
  template <FixedString name, class F>
  Listener prependListener(F&& listener) {
    return attach<name>(std::forward<F>(listener), false, true);
  }
  template <FixedString name, class F>
  Listener prependOnceListener(F&& listener) {
    return attach<name>(std::forward<F>(listener), true, true);
  }

  /// Calls the listeners that there are now, in order. False when there are none.
  /// Throws: what a listener throws, and then those behind it are not called. "error" without a listener:
  /// the error itself, or Error ERR_UNHANDLED_ERROR when it is no exception.
  template <FixedString name, class... Args>
  bool emit(Args&&... args);

  /// Removes the newest listener that equals this one: a handle, a pointer to a function, a closure
  /// without captures, a SharedListener, whatever has `operator==`.
  template <FixedString name, class F>
  void off(const F& listener) {
    if (detail::ListenerRecord* found = detail::findListener(slot<name>(), listener)) found->off();
  }
  template <FixedString name, class F>
  void removeListener(const F& listener) {
    off<name>(listener);
  }
  template <FixedString name>
  void removeAllListeners() {
    this->removeAll(slot<name>(), !slot<"removeListener">().empty());
  }
  void removeAllListeners();

  template <FixedString name>
  std::size_t listenerCount() const {
    return slot<name>().size();
  }
  /// How many of them equal this one.
  template <FixedString name, class F>
  std::size_t listenerCount(const F& listener) const {
    return detail::countListeners(slot<name>(), listener);
  }
  /// Copies; call them, or remove them by `off()`.
  template <FixedString name>
  auto listeners() const {
    return detail::listenersOf<std::vector<Handle<name>>>(slot<name>(), false);
  }
  /// Those for once remove themselves when called. Node: `rawListeners`.
  template <FixedString name>
  auto rawListeners() const {
    return detail::listenersOf<std::vector<Handle<name>>>(slot<name>(), true);
  }
  /// Of the events that somebody listens to, in the order in which that began.
  std::vector<std::string_view> eventNames() const;

  // The same with a name that is a value, which generic code reads better: `on("data"_e, f)`.
  template <FixedString name, class F>
  Listener on(EventName<name>, F&& listener) {
    return attach<name>(std::forward<F>(listener), false, false);
  }
  template <FixedString name, class F>
  Listener addListener(EventName<name>, F&& listener) {
    return attach<name>(std::forward<F>(listener), false, false);
  }
  template <FixedString name, class F>
  Listener once(EventName<name>, F&& listener) {
    return attach<name>(std::forward<F>(listener), true, false);
  }
  template <FixedString name, class F>
  Listener prependListener(EventName<name>, F&& listener) {
    return attach<name>(std::forward<F>(listener), false, true);
  }
  template <FixedString name, class F>
  Listener prependOnceListener(EventName<name>, F&& listener) {
    return attach<name>(std::forward<F>(listener), true, true);
  }
  /// Node's `on("name", f)`: here the compiler knows the names, and says so.
  template <class F>
  Listener on(std::string_view, F&&) {
    return detail::nameAtRunTime<F>();
  }
  template <class F>
  Listener once(std::string_view, F&&) {
    return detail::nameAtRunTime<F>();
  }
  template <FixedString name, class... Args>
  bool emit(EventName<name>, Args&&... args) {
    return this->template emit<name>(std::forward<Args>(args)...);
  }
  template <FixedString name, class F>
  void off(EventName<name>, const F& listener) {
    this->template off<name>(listener);
  }
  template <FixedString name, class F>
  void removeListener(EventName<name>, const F& listener) {
    this->template off<name>(listener);
  }
  template <FixedString name>
  void removeAllListeners(EventName<name>) {
    this->template removeAllListeners<name>();
  }
  template <FixedString name>
  std::size_t listenerCount(EventName<name>) const {
    return slot<name>().size();
  }
  template <FixedString name, class F>
  std::size_t listenerCount(EventName<name>, const F& listener) const {
    return detail::countListeners(slot<name>(), listener);
  }
  template <FixedString name>
  auto listeners(EventName<name>) const {
    return this->template listeners<name>();
  }
  template <FixedString name>
  auto rawListeners(EventName<name>) const {
    return this->template rawListeners<name>();
  }

  /// Internal.
  template <FixedString name>
  const auto& eventSlot() const noexcept {
    return slot<name>();
  }
  /// Internal: calls `f(slot)` for the event of this name; false when there is none.
  template <class F>
  static bool withEvent(std::string_view name, F&& f) {
    return withEventOf(static_cast<Slots*>(nullptr), name, f);
  }

 private:
  using Slots = typename detail::AllSlots<Events...>::Type;
  template <FixedString name>
  using SlotOf =
      std::remove_pointer_t<decltype(detail::findSlot<name>(static_cast<Slots*>(nullptr)))>;
  template <FixedString name>
  using Handle = typename SlotOf<name>::Handle;

  template <FixedString name>
  auto& slot() noexcept {
    if constexpr (std::is_void_v<SlotOf<name>>) {
      static_assert(sizeof(TheEmitterHasNoEvent<name>) > 0);
    } else {
      return static_cast<SlotOf<name>&>(slots_);
    }
  }
  template <FixedString name>
  const auto& slot() const noexcept {
    return const_cast<TypedEmitter*>(this)->template slot<name>();
  }
  template <FixedString name, class F>
  Listener attach(F&& listener, bool once, bool front);
  template <class Found>
  Listener join(Found& found, detail::Ref<detail::ListenerRecord> record, bool once, bool front);
  template <class Found, class... Args>
  bool emitError(const Found& found, Args&&... args);
  template <class... Es, class F>
  static bool withEventOf(detail::EventSlots<Es...>*, std::string_view name, F& f) {
    return ((name == detail::EventSlot<Es>::eventName &&
             (f(static_cast<detail::EventSlot<Es>*>(nullptr)), true)) ||
            ...);
  }
  template <class... Es>
  static std::vector<detail::SlotBase*> inOrder(detail::EventSlots<Es...>& slots);

  static constexpr detail::EmitterOps ops{
      "TypedEmitter",
      [](EmitterBase& base, const std::exception_ptr& error) {
        auto& self = static_cast<TypedEmitter&>(base);
        if constexpr (SlotOf<"error">::template emittedWith<const std::exception_ptr&>) {
          self.template emit<"error">(error);
        } else {
          std::rethrow_exception(error);
        }
      },
      [](EmitterBase& base, detail::SlotBase&, std::string_view name, const Listener& listener) {
        (void)static_cast<TypedEmitter&>(base).template slot<"removeListener">().emit(name,
                                                                                      listener);
      }};

  Slots slots_;
};

template <class... Events>
template <FixedString name, class F>
Listener TypedEmitter<Events...>::attach(F&& listener, bool once, bool front) {
  if constexpr (std::is_void_v<SlotOf<name>>) {
    static_assert(sizeof(TheEmitterHasNoEvent<name>) > 0);
  } else if constexpr (!SlotOf<name>::template takes<F>) {
    static_assert(
        sizeof(TheListenerDoesNotTakeTheArgumentsOfEvent<name, typename SlotOf<name>::Arguments>) >
        0);
  } else {
    return join(slot<name>(), SlotOf<name>::make(*this, std::forward<F>(listener)), once, front);
  }
}

template <class... Events>
template <class Found>
Listener TypedEmitter<Events...>::join(Found& found, detail::Ref<detail::ListenerRecord> record,
                                       bool once, bool front) {
  Listener handle{detail::Ref<detail::Registration>(record)};
  if (const auto& told = slot<"newListener">(); !told.empty()) {
    const detail::Survival survival(*this);
    told.emit(Found::eventName, handle);
    if (!survival) return detail::neverAdded(*record, std::move(handle));
  }
  record->once = once;
  const auto call =
      once ? reinterpret_cast<detail::ListenerRecord::Call>(Found::onceCall()) : record->plain;
  this->add(found, *record, call, front, Found::eventName);
  return handle;
}

template <class... Events>
template <FixedString name, class... Args>
LEAT_ALWAYS_INLINE inline bool TypedEmitter<Events...>::emit(Args&&... args) {
  if constexpr (std::is_void_v<SlotOf<name>>) {
    static_assert(sizeof(TheEmitterHasNoEvent<name>) > 0);
    return false;
  } else if constexpr (!SlotOf<name>::template emittedWith<Args...>) {
    static_assert(sizeof(WrongArgumentsToEmitEvent<name, Args...>) > 0);
    return false;
  } else if constexpr (name.view() == "error") {
    return emitError(slot<name>(), std::forward<Args>(args)...);
  } else {
    return slot<name>().tell(std::forward<Args>(args)...);
  }
}

template <class... Events>
template <class Found, class... Args>
bool TypedEmitter<Events...>::emitError(const Found& found, Args&&... args) {
  if (const auto& monitor = slot<"events.errorMonitor">(); !monitor.empty()) {
    const detail::Survival survival(*this);
    monitor.tell(args...);
    if (!survival) return true;
  }
  if (found.empty()) detail::throwUnhandled(args...);
  return found.tell(std::forward<Args>(args)...);
}

template <class... Events>
template <class... Es>
std::vector<detail::SlotBase*> TypedEmitter<Events...>::inOrder(detail::EventSlots<Es...>& slots) {
  std::vector<detail::SlotBase*> found;
  (detail::noteHeard(found, static_cast<detail::EventSlot<Es>&>(slots)), ...);
  return found;
}

template <class... Events>
std::vector<std::string_view> TypedEmitter<Events...>::eventNames() const {
  return detail::namesOf(inOrder(const_cast<TypedEmitter*>(this)->slots_));
}

template <class... Events>
void TypedEmitter<Events...>::removeAllListeners() {
  detail::SlotBase& told = slot<"removeListener">();
  const detail::Survival survival(*this);
  for (detail::SlotBase* each : inOrder(slots_)) {
    if (each == &told) continue;
    this->removeAll(*each, !told.empty());
    if (!survival) return;
  }
  this->removeAll(told, true);
  // What came meanwhile goes too, and nobody is told, as in Node.
  if (!survival) return;
  for (detail::SlotBase* each : inOrder(slots_)) {
    this->removeAll(*each, false);
    if (!survival) return;
  }
}

}  // namespace leat::inline LEAT_ABI
