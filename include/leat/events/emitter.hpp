// SPDX-License-Identifier: MIT
// What the generic functions ask of an emitter.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/events/event_emitter.hpp>
#include <leat/events/typed_emitter.hpp>

namespace leat::inline LEAT_ABI {

/// TypedEmitter, what is derived from one, and handles with the same methods.
template <class E>
concept EmitterOfTypes =
    std::is_same_v<typename std::remove_cvref_t<E>::EmitterKind, detail::TypedEmitterKind>;
/// EventEmitter, and what is derived from it.
template <class E>
concept EmitterOfNames =
    std::is_same_v<typename std::remove_cvref_t<E>::EmitterKind, detail::NamedEmitterKind>;
/// What `once` and `on` take.
template <class E>
concept Emitter = EmitterOfTypes<E> || EmitterOfNames<E>;

namespace detail {

/// The first argument of an "error" as the reason of a rejection.
inline std::exception_ptr reasonOfError() {
  return std::make_exception_ptr(Error("Unhandled error. (undefined)", "ERR_UNHANDLED_ERROR"));
}
template <class X, class... More>
std::exception_ptr reasonOfError(const X& error, const More&...) {
  if constexpr (std::is_convertible_v<const X&, std::exception_ptr> || isException<X>) {
    return wholeReason(error);
  } else {
    return std::make_exception_ptr(
        Error("Unhandled error. (" + inspectArg(error) + ")", "ERR_UNHANDLED_ERROR"));
  }
}
LEAT_INLINE std::exception_ptr reasonOfEmission(const Emission& emission);
/// The AbortError of a signal that has fired.
LEAT_INLINE std::exception_ptr abortErrorOf(const CancelHooks& hooks);
/// Takes a listener away where nothing may be thrown.
LEAT_INLINE void offQuietly(Listener& listener) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::exception_ptr reasonOfEmission(const Emission& emission) {
  try {
    throwUnhandledEmission(emission);
  } catch (...) {
    return std::current_exception();
  }
}

LEAT_INLINE std::exception_ptr abortErrorOf(const CancelHooks& hooks) {
  try {
    hooks.throwAborted();
  } catch (...) {
    return std::current_exception();
  }
}

LEAT_INLINE void offQuietly(Listener& listener) noexcept {
  try {
    std::exchange(listener, Listener()).off();
  } catch (...) {
    LateReport::start(std::current_exception());
  }
}
#endif

/// The arguments of an emission as these types. Throws: TypeError ERR_INVALID_ARG_TYPE.
template <class... Ts>
std::tuple<Ts...> tupleOf(const Emission& emission) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    static constexpr const std::type_info* taken[] = {&typeid(Ts)..., nullptr};
    if (emission.size < sizeof...(Ts) || !(fitsParameter<Ts>(emission.args[i]) && ...))
      throwArgMismatch(emission, taken, sizeof...(Ts));
    return std::tuple<Ts...>(parameterOf<Ts>(emission.args[i])...);
  }(std::index_sequence_for<Ts...>());
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
