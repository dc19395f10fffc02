// SPDX-License-Identifier: MIT
// once: a promise of the next time that an event is emitted.
#pragma once

#include <leat/events/emitter.hpp>

namespace leat::inline LEAT_ABI {

/// Options of `once`.
struct OnceOptions {
  /// Ends the wait, besides the ambient signal.
  SignalRef signal{};
};

namespace detail {

/// A wait for one event. Its listeners own it, so it ends with the emitter at the latest: then the
/// promise rejects with ERR_BROKEN_PROMISE, as nobody is left who could settle it.
template <class Result>
struct OnceState final : CancelHooks, Counted<OnceState<Result>> {
  OnceState(Resolver<Result> r, AbortState* signal)
      : CancelHooks(onCancel, signal), resolver(std::move(r)) {}

  template <class F>
  void settle(F&& with) noexcept {
    if (!resolver) return;
    const Resolver<Result> mine = *std::exchange(resolver, std::nullopt);
    disarm();
    offQuietly(event);
    offQuietly(error);
    try {
      with(mine);
    } catch (...) {
      mine.reject(std::current_exception());
    }
  }
  static void onCancel(CancelHooks& hooks) noexcept {
    const Ref<OnceState> self(&static_cast<OnceState&>(hooks));
    self->settle([&](const Resolver<Result>& mine) { mine.reject(abortErrorOf(*self)); });
  }

  std::optional<Resolver<Result>> resolver;
  Listener event;
  Listener error;
};

/// The promise that `once` gives settles as an async function's that returns another promise.
/// `listen(state)` adds the listeners.
template <class Result, class Listen>
Promise<Result> startOnce(OnceOptions options, std::source_location where, Listen&& listen) {
  auto inner = Promise<Result>::withResolvers(where);
  auto state = makeRef<OnceState<Result>>(inner.resolve, options.signal.state());
  if (!state->arm()) return Promise<Result>::reject(abortErrorOf(*state), where);
  listen(state);
  auto outer = Promise<Result>::withResolvers(where);
  outer.resolve.resolve(inner.promise);
  return outer.promise;
}

template <FixedString name, class E>
auto onceTyped(E& emitter, OnceOptions options, std::source_location where) {
  using Result = typename std::remove_cvref_t<E>::template Kept<name>;
  return startOnce<Result>(options, where, [&emitter](const Ref<OnceState<Result>>& state) {
    [[maybe_unused]] const auto survives = survivalOf(emitter);
    state->event = emitter.once(EventName<name>(), [state](auto&&... args) {
      state->settle([&](const Resolver<Result>& mine) { mine.resolve(Result(args...)); });
    });
    if constexpr (name.view() != "error")
      if (survives)
        state->error = emitter.once(EventName<"error">(), [state](const auto&... args) {
          state->settle([&](const Resolver<Result>& mine) { mine.reject(reasonOfError(args...)); });
        });
  });
}

/// `keep(emission)` gives the result.
template <class Result, class Keep, class E>
Promise<Result> onceNamed(E& emitter, std::string_view name, OnceOptions options,
                          std::source_location where, Keep keep) {
  return startOnce<Result>(options, where, [&](const Ref<OnceState<Result>>& state) {
    const auto survives = survivalOf(emitter);
    state->event = emitter.once(name, [state, keep](const Emission& emission) {
      state->settle([&](const Resolver<Result>& mine) { mine.resolve(keep(emission)); });
    });
    if (survives && name != "error")
      state->error = emitter.once("error", [state](const Emission& emission) {
        state->settle(
            [&](const Resolver<Result>& mine) { mine.reject(reasonOfEmission(emission)); });
      });
  });
}

}  // namespace detail

/// The next emit of an event: `auto [chunk] = co_await once<"data">(emitter);`. It listens from the call
/// on, so it may be awaited later. An "error" before that rejects, unless it is waited for.
///
/// Node: `events.once`, with its ticks. Cancel: AbortError, inside of `abort()`.
/// Lifetime: does not hold the loop. An emitter that is destroyed first rejects with ERR_BROKEN_PROMISE.
template <FixedString name, EmitterOfTypes E>
auto once(E& emitter, OnceOptions options = {},
          std::source_location where = std::source_location::current()) {
  return detail::onceTyped<name>(emitter, options, where);
}
template <FixedString name, EmitterOfTypes E>
auto once(E& emitter, EventName<name>, OnceOptions options = {},
          std::source_location where = std::source_location::current()) {
  return detail::onceTyped<name>(emitter, options, where);
}
/// By a name of run time: the arguments as EventArgs.
template <EmitterOfNames E>
Promise<EventArgs> once(E& emitter, std::string_view event, OnceOptions options = {},
                        std::source_location where = std::source_location::current()) {
  return detail::onceNamed<EventArgs>(
      emitter, event, options, where,
      [](const detail::Emission& emission) { return EventArgs(emission); });
}
/// As these types: `auto [text, number] = co_await once<std::string, int>(emitter, "line");`.
/// Throws: TypeError ERR_INVALID_ARG_TYPE when others were emitted.
template <class First, class... More, EmitterOfNames E>
  requires(!Emitter<First>)
Promise<std::tuple<First, More...>> once(
    E& emitter, std::string_view event, OnceOptions options = {},
    std::source_location where = std::source_location::current()) {
  return detail::onceNamed<std::tuple<First, More...>>(emitter, event, options, where,
                                                       detail::tupleOf<First, More...>);
}

}  // namespace leat::inline LEAT_ABI
