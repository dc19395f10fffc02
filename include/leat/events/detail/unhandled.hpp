// SPDX-License-Identifier: MIT
// What an emit converts, and what it throws for an `error` that nobody listens to.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/core/promise.hpp>
#include <leat/events/event.hpp>

namespace leat::inline LEAT_ABI::detail {

/// `x` as an argument declared as A; of the same type it is not copied.
template <class A, class X>
LEAT_ALWAYS_INLINE inline decltype(auto) toArg(X&& x) {
  if constexpr (std::is_same_v<std::remove_cvref_t<X>, A>) {
    return static_cast<const A&>(x);
  } else if constexpr (std::is_reference_v<A>) {
    return static_cast<A>(std::forward<X>(x));
  } else if constexpr (std::is_same_v<A, std::exception_ptr>) {
    return asReason(std::forward<X>(x));
  } else {
    return A(std::forward<X>(x));
  }
}

/// An argument in the words of Node's `util.inspect`, as far as it goes.
template <class X>
std::string inspectArg(const X& x) {
  if constexpr (std::is_same_v<X, bool>) {
    return x ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<X>) {
    return std::to_string(x);
  } else if constexpr (std::is_convertible_v<const X&, std::string_view>) {
    return "'" + std::string(std::string_view(x)) + "'";
  } else {
    return "[" + typeName(typeid(X)) + "]";
  }
}

[[noreturn]] LEAT_NOINLINE inline void throwUnhandledText(const std::string& text) {
  throw Error("Unhandled error. (" + text + ")", "ERR_UNHANDLED_ERROR");
}

[[noreturn]] inline void throwUnhandled() { throwUnhandledText("undefined"); }
/// Throws the first argument of an `error` that nobody listens to.
template <class X, class... More>
[[noreturn]] LEAT_NOINLINE void throwUnhandled(const X& error, const More&...) {
  if constexpr (std::is_convertible_v<const X&, std::exception_ptr>) {
    const std::exception_ptr thrown = error;
    if (thrown) std::rethrow_exception(thrown);
    throwUnhandledText("null");
  } else if constexpr (isException<X>) {
    throw error;
  } else {
    throwUnhandledText(inspectArg(error));
  }
}

}  // namespace leat::inline LEAT_ABI::detail
