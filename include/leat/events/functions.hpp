// SPDX-License-Identifier: MIT
// The functions of Node's `events` module that are no methods: for emitters, targets and signals alike.
#pragma once

#include <leat/events/sequence.hpp>
#include <leat/events/signal_target.hpp>

namespace leat::inline LEAT_ABI {

/// The limit of emitters and targets that have none of their own. Node: `events.defaultMaxListeners`.
/// Thread: any.
inline int defaultMaxListeners() noexcept {
  return detail::defaultMaxListenersValue.load(detail::relaxed);
}
/// Node: `events.setMaxListeners(n)` without, and with emitters, targets and signals.
/// Throws: RangeError ERR_OUT_OF_RANGE.
template <class... Targets>
void setMaxListeners(int count, Targets&... targets) {
  detail::checkMaxListeners(count);
  if constexpr (sizeof...(Targets) == 0) {
    detail::defaultMaxListenersValue.store(count, detail::relaxed);
  } else {
    (detail::limitListeners(targets, count), ...);
  }
}
/// Node: `events.getMaxListeners`.
template <class T>
int getMaxListeners(const T& emitterOrTarget) noexcept {
  return emitterOrTarget.getMaxListeners();
}
inline int getMaxListeners(const AbortSignal& signal) noexcept {
  return detail::maxListenersOf(*signal.state());
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
/// Of a signal those that `addAbortListener`, `addEventListener` and `once` have added.
template <FixedString name>
  requires(name.view() == "abort")
std::vector<Listener> getEventListeners(const AbortSignal& signal, EventName<name>) {
  return detail::signalListeners(*signal.state());
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

/// Waits for an event of a target and gives a copy of it; of a CustomEvent the part that is Event.
///
/// Node: `events.once(target, type)`. Cancel: AbortError.
/// Lifetime: as for emitters.
template <class Target>
  requires std::is_base_of_v<EventTarget, Target>
Promise<std::tuple<Event<>>> once(Target& target, std::string_view type, OnceOptions options = {},
                                  std::source_location where = std::source_location::current());
/// Every event of a type that a target is given from now on, copied; of a CustomEvent the part that is
/// Event. No "error" ends it. Without `pause()` a target takes no marks.
///
/// Node: `events.on(target, type)`. Throws, Cancel, Lifetime: as for emitters.
template <class Target>
  requires std::is_base_of_v<EventTarget, Target>
EventSequence<std::tuple<Event<>>> on(Target& target, std::string_view type,
                                      OnOptions options = {});

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

template <class Target>
  requires std::is_base_of_v<EventTarget, Target>
EventSequence<std::tuple<Event<>>> on(Target& target, std::string_view type, OnOptions options) {
  using Item = std::tuple<Event<>>;
  using Hook = detail::SequenceHook<Item>;
  EventSequence<Item> made(detail::makeSequence<Item>(target, options));
  const auto& state = made.state();
  state->keep(target.addEventListener(
      type, [hook = Hook(state)](Event<>& event) { hook->event(Item(event)); }));
  for (std::string_view closing : options.close)
    if (!closing.empty())
      state->keep(target.addEventListener(closing, [hook = Hook(state)] { hook->close(); }));
  return made;
}

}  // namespace leat::inline LEAT_ABI
