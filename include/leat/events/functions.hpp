// SPDX-License-Identifier: MIT
// The functions of Node's `events` module that are no methods: for emitters, targets and signals alike.
#pragma once

#include <leat/events/event_target.hpp>
#include <leat/events/once.hpp>

namespace leat::inline LEAT_ABI {

/// The limit of emitters and targets that have none of their own. Node: `events.defaultMaxListeners`.
/// Thread: any.
inline int defaultMaxListeners() noexcept {
  return detail::defaultMaxListenersValue.load(detail::relaxed);
}
/// Node: `events.setMaxListeners(n)` without, and with emitters and targets.
/// Throws: RangeError ERR_OUT_OF_RANGE.
template <class... Targets>
void setMaxListeners(int count, Targets&... targets) {
  detail::checkMaxListeners(count);
  if constexpr (sizeof...(Targets) == 0) {
    detail::defaultMaxListenersValue.store(count, detail::relaxed);
  } else {
    (targets.setMaxListeners(count), ...);
  }
}
/// Node: `events.getMaxListeners`.
template <class T>
int getMaxListeners(const T& emitterOrTarget) noexcept {
  return emitterOrTarget.getMaxListeners();
}

/// Whether emitters that are made from now on capture rejections. Node: `events.captureRejections`.
/// Thread: any.
inline void setCaptureRejections(bool capture) noexcept {
  detail::defaultCaptureRejections.store(capture, detail::relaxed);
}
inline bool captureRejections() noexcept {
  return detail::defaultCaptureRejections.load(detail::relaxed);
}

/// Node: `events.getEventListeners`.
template <FixedString name, EmitterOfTypes E>
auto getEventListeners(const E& emitter) {
  return emitter.template listeners<name>();
}
template <FixedString name, EmitterOfTypes E>
auto getEventListeners(const E& emitter, EventName<name>) {
  return emitter.template listeners<name>();
}
template <EmitterOfNames E>
auto getEventListeners(const E& emitter, std::string_view event) {
  return emitter.listeners(event);
}
inline std::vector<Listener> getEventListeners(const EventTarget& target, std::string_view type) {
  return target.listeners(type);
}
/// Node: `events.listenerCount`.
template <FixedString name, EmitterOfTypes E>
std::size_t listenerCount(const E& emitter, EventName<name>) {
  return emitter.template listenerCount<name>();
}
template <EmitterOfNames E>
std::size_t listenerCount(const E& emitter, std::string_view event) {
  return emitter.listenerCount(event);
}

/// Calls `listener()` when the signal aborts; when it has, in a microtask. What a listener throws stops
/// no other. The registration removes it when it is destroyed, as Node's disposable does.
///
/// Node: `events.addAbortListener`.
template <class F>
AbortRegistration addAbortListener(const AbortSignal& signal, F&& listener) {
  return signal.onAbort(std::forward<F>(listener));
}
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
/// Waits for an event of a target and gives a copy of it; of a CustomEvent the part that is Event.
///
/// Node: `events.once(target, type)`. Cancel: AbortError.
/// Lifetime: as for emitters.
template <class Target>
  requires std::is_base_of_v<EventTarget, Target>
Promise<std::tuple<Event<>>> once(Target& target, std::string_view type, OnceOptions options = {},
                                  std::source_location where = std::source_location::current());

namespace detail {

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

}  // namespace detail

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
    return signal.onAbort(std::forward<F>(listener));
  } else {
    return signal.onAbort(detail::SignalListener<Callable>{
        detail::makeRef<detail::CallbackBlock<Callable>>(std::forward<F>(listener))});
  }
}

template <class Target>
  requires std::is_base_of_v<EventTarget, Target>
Promise<std::tuple<Event<>>> once(Target& target, std::string_view type, OnceOptions options,
                                  std::source_location where) {
  using Result = std::tuple<Event<>>;
  return detail::startOnce<Result>(
      options, where, [&](const detail::Ref<detail::OnceState<Result>>& state) {
        state->event = target.addEventListener(
            type,
            [state](Event<>& event) {
              state->settle([&](const Resolver<Result>& mine) { mine.resolve(Result(event)); });
            },
            {.once = true});
      });
}

template <FixedString name>
  requires(name.view() == "abort")
Promise<std::tuple<Event<>>> once(const AbortSignal& signal, EventName<name>, OnceOptions options,
                                  std::source_location where) {
  using Result = std::tuple<Event<>>;
  return detail::startOnce<Result>(
      options, where, [&](const detail::Ref<detail::OnceState<Result>>& state) {
        [](AbortSignal kept, detail::Ref<detail::OnceState<Result>> waiting) -> Promise<> {
          auto aborted = Promise<>::withResolvers();
          if (kept.aborted()) co_return;
          const auto listener = kept.onAbort([&] {
            waiting->settle([](const Resolver<Result>& mine) { mine.resolve(Event<>("abort")); });
            aborted.resolve.resolve();
          });
          co_await aborted.promise;
        }(signal, state);
      });
}

}  // namespace leat::inline LEAT_ABI
