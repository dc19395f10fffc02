// SPDX-License-Identifier: MIT
// EventTarget: the listeners of the web, with Node's order of adding and removing during a dispatch.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/events/detail/dynamic_listener.hpp>
#include <leat/events/dom_event.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

/// Options of `addEventListener`.
struct AddEventListenerOptions {
  /// Listeners with and without are told apart; there is no tree that could be captured from.
  bool capture = false;
  bool once = false;
  /// Changes nothing, as in Node.
  bool passive = false;
  /// Aborted, it removes the listener.
  SignalRef signal{};
};
/// Options of `removeEventListener`.
struct RemoveEventListenerOptions {
  bool capture = false;
};

namespace detail {

/// The listeners of one type. It is let go of when empty, as in Node; a dispatch in it goes on.
struct TargetRoot;

struct TargetListener : Registration {
  LEAT_INLINE void off() noexcept final;
  bool active() const noexcept final { return root.get() != nullptr; }
  virtual void call(Event<>& event) = 0;
  virtual bool same(const void* kind, const void* other) const noexcept = 0;
  /// Lets go of the callable, which may own a handle to this.
  virtual void drop() noexcept = 0;
  /// Out of the chain. In a dispatch, which may be at it, it still knows who came after it.
  void remove() noexcept;

  Ref<TargetAnchor> anchor;
  Ref<TargetRoot> root;
  TargetListener* previous = nullptr;
  Ref<TargetListener> next;
  // Another one that has left in this dispatch.
  Ref<TargetListener> alsoLeft;
  AbortRegistration aborted;
  bool capture = false;
  bool once = false;
  bool removed = false;
};

struct TargetRoot : Counted<TargetRoot> {
  explicit TargetRoot(std::string_view t) : type(t) {}
  ~TargetRoot() {
    // Not one destructor inside of the other.
    while (first) {
      first->drop();
      first = std::exchange(first->next, nullptr);
    }
  }
  const std::string type;
  Ref<TargetListener> first;
  TargetListener* last = nullptr;
  unsigned size = 0;
  // In progress, and who has left meanwhile.
  unsigned dispatches = 0;
  Ref<TargetListener> left;
};

/// A dispatch in a root. When the last one ends nobody is at those that have left.
class InDispatch {
 public:
  explicit InDispatch(TargetRoot& root) noexcept : root_(root) { ++root_.dispatches; }
  InDispatch(const InDispatch&) = delete;
  InDispatch& operator=(const InDispatch&) = delete;
  ~InDispatch() {
    if (--root_.dispatches > 0) return;
    while (const Ref<TargetListener> gone = root_.left) {
      root_.left = std::exchange(gone->alsoLeft, nullptr);
      gone->next = nullptr;
    }
  }

 private:
  TargetRoot& root_;
};

inline constexpr int noLimit = 0;

}  // namespace detail

/// Node's EventTarget. Each listener is called, whatever others throw: that is reported as an uncaught
/// exception in the next tick, and so is what coroutines throw. A listener takes `Event<>&`, a
/// `CustomEvent<T>&`, or nothing; a coroutine takes the event by value or const reference and gets a copy.
///
/// Listeners that are added while the event is dispatched are called, but for those that the last one
/// adds; those that are removed are not.
/// A plain object or base; one thread at a time. Without exceptions and coroutines it needs no loop.
/// Lifetime: it may be destroyed by one of its listeners; those behind it are still called.
class EventTarget {
 public:
  EventTarget() : anchor_(detail::makeRef<detail::TargetAnchor>(*this)) {}
  EventTarget(const EventTarget&) = delete;
  EventTarget& operator=(const EventTarget&) = delete;
  ~EventTarget();

  /// Adds a listener, unless an equal one is there with the same `capture`: a pointer to a function, a
  /// closure without captures, a SharedListener, whatever has `operator==`. Gives the listener that is
  /// there now.
  template <class F>
  Listener addEventListener(std::string_view type, F&& listener,
                            AddEventListenerOptions options = {});
  /// By an equal one, or by the handle that `addEventListener` gave.
  template <class F>
  void removeEventListener(std::string_view type, const F& listener,
                           RemoveEventListenerOptions options = {});
  /// Calls the listeners of the event's type. False when a listener prevented the default.
  /// Throws: Error ERR_EVENT_RECURSION when the event is being dispatched already.
  bool dispatchEvent(Event<>& event);
  bool dispatchEvent(Event<>&& event) { return dispatchEvent(event); }

  /// How many listeners a type may have before a warning tells of a leak, once; 0: as many as come.
  /// Node: `events.setMaxListeners(n, target)`. Throws: RangeError ERR_OUT_OF_RANGE.
  void setMaxListeners(int count);
  int getMaxListeners() const noexcept {
    return maxListeners_ < 0 ? detail::defaultMaxListenersValue.load(detail::relaxed)
                             : maxListeners_;
  }
  /// Node: `events.getEventListeners(target, type)`.
  std::vector<Listener> listeners(std::string_view type) const;

  /// Internal: tells whether this is still there.
  const detail::Ref<detail::TargetAnchor>& anchor() const noexcept { return anchor_; }

 private:
  friend struct detail::TargetListener;
  detail::Ref<detail::TargetRoot> find(std::string_view type) const noexcept;
  void drop(detail::TargetRoot& root) noexcept;
  template <class F>
  static detail::TargetListener* equalListener(const detail::Ref<detail::TargetRoot>& root,
                                               const F& listener, bool capture) noexcept;
  void append(std::string_view type, detail::TargetListener& added);
  static void callEach(detail::TargetRoot& root, Event<>& event);
  void warnOfLeak(const detail::TargetRoot& root);

  detail::Ref<detail::TargetAnchor> anchor_;
  std::vector<detail::Ref<detail::TargetRoot>> roots_;
  int maxListeners_ = -1;
  bool warned_ = false;
};

namespace detail {

/// The event class that a listener names; Event<> when it names none.
template <class F>
struct EventTaken {
  using Type = Event<>;
};
template <class F>
  requires NamesParameters<F> && (std::tuple_size_v<typename ParametersOf<F>::Type> == 1)
struct EventTaken<F> {
  using Type = std::remove_cvref_t<std::tuple_element_t<0, typename ParametersOf<F>::Type>>;
};

template <class F>
struct TargetListenerOf final : TargetListener {
  using Taken = typename EventTaken<F>::Type;
  static constexpr bool plain = std::is_invocable_v<F&, Taken&>;
  static constexpr bool whole = plain || std::is_invocable_v<F&, const Taken&>;
  static_assert(whole || std::is_invocable_v<F&>,
                "a listener of an EventTarget takes Event<>&, a CustomEvent<T>&, or nothing");

  template <class X>
  explicit TargetListenerOf(X&& f) : block(makeRef<CallbackBlock<F>>(std::forward<X>(f))) {}
  static decltype(auto) invoke(F& f, Taken& event) {
    if constexpr (whole) {
      return f(event);
    } else {
      return f();
    }
  }
  using Result = decltype(invoke(std::declval<F&>(), std::declval<Taken&>()));

  /// The coroutine owns the closure and a copy of the event.
  static Promise<> drive(Ref<CallbackBlock<F>> kept, Taken event) {
    (void)co_await invoke(kept->callable, event);
  }
  void call(Event<>& event) override {
    auto* taken = dynamic_cast<Taken*>(&event);
    if (taken == nullptr)
      throwTypeError("a listener for '" + event.type() + "' takes a " + typeName(typeid(Taken)) +
                         ", but a " + typeName(typeid(event)) + " was dispatched",
                     "ERR_INVALID_ARG_TYPE");
    const auto kept = block;
    if constexpr (toBeDriven<Result>) {
      const auto report = [](const std::exception_ptr& error) { LateReport::start(error); };
      (void)drive(kept, *taken).catch_(report);
    } else {
      (void)invoke(kept->callable, *taken);
    }
  }
  bool same([[maybe_unused]] const void* kind,
            [[maybe_unused]] const void* other) const noexcept override {
    if constexpr (ComparesToItself<F>) {
      return kind == &callableKind<F> && block->callable == *static_cast<const F*>(other);
    } else {
      return false;
    }
  }
  void drop() noexcept override {
    [[maybe_unused]] const auto last = std::exchange(block, nullptr);
  }

  Ref<CallbackBlock<F>> block;
};

#if LEAT_BODIES
LEAT_INLINE void TargetListener::remove() noexcept {
  removed = true;
  const Ref<TargetListener> self(this);
  const Ref<TargetRoot> from = std::exchange(root, nullptr);
  --from->size;
  (previous == nullptr ? from->first : previous->next) = next;
  if (next) {
    next->previous = previous;
  } else {
    from->last = previous;
  }
  // Else those that have left would keep each other, as long as somebody has a handle to the first.
  if (from->dispatches == 0) {
    next = nullptr;
  } else {
    alsoLeft = std::exchange(from->left, self);
  }
  aborted.off();
}

LEAT_INLINE void TargetListener::off() noexcept {
  if (!root) return;
  const Ref<TargetListener> self(this);
  const Ref<TargetRoot> from = root;
  remove();
  drop();
  if (from->size == 0 && anchor->target != nullptr) anchor->target->drop(*from);
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE EventTarget::~EventTarget() {
  anchor_->target = nullptr;
  for (const detail::Ref<detail::TargetRoot>& root : roots_)
    for (auto listener = root->first; listener; listener = listener->next) {
      listener->root = nullptr;
      listener->aborted.off();
    }
}

LEAT_INLINE detail::Ref<detail::TargetRoot> EventTarget::find(
    std::string_view type) const noexcept {
  for (const detail::Ref<detail::TargetRoot>& root : roots_)
    if (root->type == type) return root;
  return nullptr;
}

LEAT_INLINE void EventTarget::drop(detail::TargetRoot& root) noexcept {
  for (auto at = roots_.begin(); at != roots_.end(); ++at) {
    if (at->get() != &root) continue;
    roots_.erase(at);
    return;
  }
}
#endif

template <class F>
detail::TargetListener* EventTarget::equalListener(const detail::Ref<detail::TargetRoot>& root,
                                                   const F& listener, bool capture) noexcept {
  if constexpr (std::is_function_v<F>) {
    return equalListener<F*>(root, &listener, capture);
  } else {
    if (!root) return nullptr;
    for (detail::TargetListener* at = root->first.get(); at != nullptr; at = at->next.get()) {
      if constexpr (std::is_convertible_v<const F&, Listener>) {
        if (Listener(listener).registration() == at) return at;
      } else if (at->capture == capture && at->same(&detail::callableKind<F>, &listener)) {
        return at;
      }
    }
    return nullptr;
  }
}

template <class F>
Listener EventTarget::addEventListener(std::string_view type, F&& listener,
                                       AddEventListenerOptions options) {
  using Callable = std::decay_t<F>;
  detail::AbortState* signal = options.signal.state();
  if (signal != nullptr && detail::isAborted(*signal)) return Listener();
  Callable callable(std::forward<F>(listener));
  if (auto* equal = equalListener(find(type), callable, options.capture))
    return Listener{detail::Ref<detail::Registration>(equal)};
  detail::Ref<detail::TargetListener> made =
      detail::makeRef<detail::TargetListenerOf<Callable>>(std::move(callable));
  made->capture = options.capture;
  made->once = options.once;
  append(type, *made);
  if (signal != nullptr)
    made->aborted = AbortSignal(detail::Ref<detail::AbortState>(signal)).onAbort([at = made.get()] {
      at->off();
    });
  return Listener{detail::Ref<detail::Registration>(std::move(made))};
}

template <class F>
void EventTarget::removeEventListener(std::string_view type, const F& listener,
                                      RemoveEventListenerOptions options) {
  if (auto* equal = equalListener(find(type), listener, options.capture)) equal->off();
}

#if LEAT_BODIES
LEAT_INLINE void EventTarget::append(std::string_view type, detail::TargetListener& added) {
  detail::Ref<detail::TargetRoot> root = find(type);
  if (!root) roots_.push_back(root = detail::makeRef<detail::TargetRoot>(type));
  added.anchor = anchor_;
  added.root = root;
  added.previous = root->last;
  const detail::Ref<detail::TargetListener> listener(&added);
  (root->last == nullptr ? root->first : root->last->next) = listener;
  root->last = &added;
  ++root->size;
  const int most = getMaxListeners();
  if (most > 0 && root->size > static_cast<unsigned>(most) && !warned_) warnOfLeak(*root);
}

LEAT_INLINE void EventTarget::warnOfLeak(const detail::TargetRoot& root) {
  warned_ = true;
  std::string text = "Possible EventTarget memory leak detected. ";
  text.append(std::to_string(root.size)).append(" ").append(root.type);
  text.append(" listeners added to EventTarget. MaxListeners is ");
  text.append(std::to_string(getMaxListeners()));
  detail::emitLeakWarning(text.append(". Use events.setMaxListeners() to increase limit"));
}

LEAT_INLINE bool EventTarget::dispatchEvent(Event<>& event) {
  if (event.dispatched_)
    detail::throwError("The event \"" + event.type() + "\" is already being dispatched",
                       "ERR_EVENT_RECURSION");
  event.target_ = anchor_;
  event.dispatched_ = true;
  if (const auto root = find(event.type())) callEach(*root, event);
  event.dispatched_ = false;
  return !event.defaultPrevented();
}

LEAT_INLINE void EventTarget::callEach(detail::TargetRoot& root, Event<>& event) {
  const detail::InDispatch dispatch(root);
  detail::Ref<detail::TargetListener> listener = root.first;
  while (listener && !event.stoppedNow_) {
    // Read before the call: what this one adds at the end is not called, if it is the last.
    detail::Ref<detail::TargetListener> next = listener->next;
    if (!listener->removed) {
      const bool last = listener->once && listener->root;
      if (last) listener->remove();
      try {
        listener->call(event);
        event.dispatched_ = false;  // as in Node: a later listener may dispatch it again
      } catch (...) {
        detail::LateReport::start(std::current_exception());
      }
      if (last) listener->drop();
    }
    listener = std::move(next);
  }
}

LEAT_INLINE void EventTarget::setMaxListeners(int count) {
  detail::checkMaxListeners(count);
  maxListeners_ = count;
  warned_ = false;
}

LEAT_INLINE std::vector<Listener> EventTarget::listeners(std::string_view type) const {
  std::vector<Listener> all;
  const auto root = find(type);
  for (auto* at = root ? root->first.get() : nullptr; at != nullptr; at = at->next.get())
    all.emplace_back(detail::Ref<detail::Registration>(at));
  return all;
}
#endif

}  // namespace leat::inline LEAT_ABI
