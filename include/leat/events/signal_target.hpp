// SPDX-License-Identifier: MIT
// An AbortSignal as the target of its only event: listeners that its limit counts. Those of `onAbort`, and
// the operations that wait under a signal, are not counted.
#pragma once

#include <leat/events/event_target.hpp>
#include <leat/events/once.hpp>

namespace leat::inline LEAT_ABI {

/// Calls `listener()` when the signal aborts; when it has, in a microtask. What a listener throws stops
/// no other. The registration removes it when it is destroyed, as Node's disposable does.
///
/// Node: `events.addAbortListener`.
template <class F>
AbortRegistration addAbortListener(const AbortSignal& signal, F&& listener);
/// A signal as the target of its only event: `listener(event)` or `listener()`, as long as the
/// registration lives. For a signal that is aborted already it is not called, as in Node.
///
/// Node: `signal.addEventListener('abort', listener)`.
template <class F>
AbortRegistration addEventListener(const AbortSignal& signal, EventName<"abort">, F&& listener,
                                   AddEventListenerOptions options = {});
/// Waits until the signal aborts: `co_await once(signal, "abort"_e)`. One that is aborted already does not
/// do so again, as in Node.
///
/// Node: `events.once(signal, 'abort')`. Cancel: AbortError, by another signal.
/// Lifetime: keeps the signal until it aborts or the loop ends; does not hold the loop.
template <FixedString name>
  requires(name.view() == "abort")
Promise<std::tuple<Event<>>> once(const AbortSignal& signal, EventName<name>,
                                  OnceOptions options = {},
                                  std::source_location where = std::source_location::current());

namespace detail {

struct SignalCallbackBase;

/// A listener of a signal as `getEventListeners` gives it, which may outlive it.
struct SignalEntry final : Registration {
  explicit SignalEntry(SignalCallbackBase& c) noexcept : callback(&c) {}
  LEAT_INLINE void off() noexcept override;
  LEAT_INLINE bool active() const noexcept override;
  SignalCallbackBase* callback;
};

/// A listener that the limit of its signal counts.
struct SignalCallbackBase : AbortCallbackBase {
  explicit SignalCallbackBase(Ref<AbortState> s) noexcept : AbortCallbackBase(std::move(s)) {
    notify = heard;
    seen = true;
  }
  ~SignalCallbackBase() override {
    if (entry) entry->callback = nullptr;
  }
  /// Its address tells these from the others of a signal.
  LEAT_API static LEAT_INLINE void heard(AbortListener& listener) noexcept;
  LEAT_INLINE Listener handle();

  // Made when somebody asks.
  Ref<SignalEntry> entry;
  // The signal of `addEventListener` that removes it.
  AbortRegistration limit;
};

template <class F>
struct SignalCallback final : SignalCallbackBase {
  template <class X>
  SignalCallback(Ref<AbortState> s, X&& f)
      : SignalCallbackBase(std::move(s)), callable(std::forward<X>(f)) {}
  void call() override { (void)callable(); }
  F callable;
};

template <class F>
struct SignalListener {
  void operator()() {
    // Its own end may be what it is called for.
    const Ref<CallbackBlock<F>> kept = block;
    Event<> event("abort");
    (void)TargetListenerOf<F>::invoke(kept->callable, event);
  }
  Ref<CallbackBlock<F>> block;
};

/// Who waits for a signal. It is woken when it aborts, and when the wait ends otherwise.
struct SignalWait final : Registration {
  SignalWait(AbortRegistration l, Resolver<void> w) noexcept
      : listener(std::move(l)), waiter(std::move(w)) {}
  void off() override {
    listener.off();
    waiter.resolve();
  }
  bool active() const noexcept override { return true; }
  AbortRegistration listener;
  Resolver<void> waiter;
};

inline int maxListenersOf(const AbortState& signal) noexcept {
  return signal.maxListeners < 0 ? defaultMaxListenersValue.load(relaxed) : signal.maxListeners;
}
/// The last of the listeners, or the next to be told of one that is aborted. Warns once of too many.
LEAT_INLINE AbortRegistration joinSignal(Ref<SignalCallbackBase> callback,
                                         AbortState* limit = nullptr);
LEAT_INLINE std::vector<Listener> signalListeners(AbortState& signal);
LEAT_INLINE void limitListeners(const AbortSignal& signal, int count);
template <class T>
  requires(!std::is_convertible_v<T&, const AbortSignal&>)
void limitListeners(T& emitterOrTarget, int count) {
  emitterOrTarget.setMaxListeners(count);
}

/// A listener in the form in which the signal keeps it.
template <class F>
Ref<SignalCallbackBase> makeSignalCallback(const AbortSignal& signal, F&& listener) {
  using Callback = SignalCallback<decltype(keepCallback<>(std::forward<F>(listener)))>;
  return Ref<SignalCallbackBase>::adopt(
      new Callback(Ref<AbortState>(signal.state()), keepCallback<>(std::forward<F>(listener))));
}

#if LEAT_BODIES
LEAT_INLINE void SignalEntry::off() noexcept {
  if (callback != nullptr) callback->leave();
}

LEAT_INLINE bool SignalEntry::active() const noexcept {
  return callback != nullptr && callback->linked();
}

LEAT_INLINE void SignalCallbackBase::heard(AbortListener& listener) noexcept { dispatch(listener); }

LEAT_INLINE Listener SignalCallbackBase::handle() {
  if (!entry) entry = makeRef<SignalEntry>(*this);
  return Listener{Ref<Registration>(entry)};
}

LEAT_INLINE AbortRegistration joinSignal(Ref<SignalCallbackBase> callback, AbortState* limit) {
  AbortState& signal = *callback->state;
  if (isAborted(signal)) {
    LateAbort::start(Ref<AbortCallbackBase>(callback));
    return AbortRegistration(std::move(callback));
  }
  if (limit != nullptr)
    callback->limit =
        AbortSignal(Ref<AbortState>(limit)).onAbort([at = callback.get()] { at->leave(); });
  signal.listeners.pushBack(*callback);
  ++signal.seenListeners;
  AbortRegistration made(std::move(callback));
  const int most = maxListenersOf(signal);
  if (most <= 0 || signal.seenListeners <= static_cast<unsigned>(most) || signal.warned)
    return made;
  signal.warned = true;
  emitLeakWarning("Possible EventTarget memory leak detected. " +
                  std::to_string(signal.seenListeners) +
                  " abort listeners added to [AbortSignal]. MaxListeners is " +
                  std::to_string(most) + ". Use events.setMaxListeners() to increase limit");
  return made;
}

LEAT_INLINE std::vector<Listener> signalListeners(AbortState& signal) {
  std::vector<Listener> all;
  for (AbortListener* at = signal.listeners.first(); at != nullptr;
       at = signal.listeners.after(*at))
    if (at->notify == &SignalCallbackBase::heard)
      all.push_back(static_cast<SignalCallbackBase*>(at)->handle());
  return all;
}

LEAT_INLINE void limitListeners(const AbortSignal& signal, int count) {
  checkMaxListeners(count);
  signal.state()->maxListeners = count;
  signal.state()->warned = false;
}
#endif

}  // namespace detail

template <class F>
AbortRegistration addAbortListener(const AbortSignal& signal, F&& listener) {
  return detail::joinSignal(detail::makeSignalCallback(signal, std::forward<F>(listener)));
}

template <class F>
AbortRegistration addEventListener(const AbortSignal& signal, EventName<"abort">, F&& listener,
                                   AddEventListenerOptions options) {
  using Callable = std::decay_t<F>;
  using Result = typename detail::TargetListenerOf<Callable>::Result;
  static_assert(!detail::toBeDriven<Result> || std::is_invocable_v<Callable&>,
                "a coroutine that listens to a signal takes no event");
  detail::AbortState* limit = options.signal.state();
  if (signal.aborted() || (limit != nullptr && detail::isAborted(*limit))) return {};
  if constexpr (detail::toBeDriven<Result>) {
    return detail::joinSignal(detail::makeSignalCallback(signal, std::forward<F>(listener)), limit);
  } else {
    return detail::joinSignal(
        detail::makeSignalCallback(
            signal,
            detail::SignalListener<Callable>{
                detail::makeRef<detail::CallbackBlock<Callable>>(std::forward<F>(listener))}),
        limit);
  }
}

template <FixedString name>
  requires(name.view() == "abort")
Promise<std::tuple<Event<>>> once(const AbortSignal& signal, EventName<name>, OnceOptions options,
                                  std::source_location where) {
  using Result = std::tuple<Event<>>;
  return detail::startOnce<Result>(
      options, where, [&](const detail::Ref<detail::OnceState<Result>>& state) {
        [](AbortSignal kept, detail::Ref<detail::OnceState<Result>> waiting) -> Promise<> {
          auto over = Promise<>::withResolvers();
          if (kept.aborted()) co_return;
          auto listener = addAbortListener(kept, [&] {
            waiting->settle([](const Resolver<Result>& mine) { mine.resolve(Event<>("abort")); });
          });
          waiting->event = Listener{detail::Ref<detail::Registration>(
              detail::makeRef<detail::SignalWait>(std::move(listener), over.resolve))};
          co_await over.promise;
        }(signal, state);
      });
}

}  // namespace leat::inline LEAT_ABI
