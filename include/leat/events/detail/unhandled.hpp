// SPDX-License-Identifier: MIT
// What an emit converts, and what it throws for an `error` that nobody listens to.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/core/promise.hpp>
#include <leat/events/event.hpp>

#include <typeinfo>

namespace leat::inline LEAT_ABI::detail {

/// The exception that is being caught, when `x` is it, or a base of it; else null.
template <class E>
std::exception_ptr caughtAs(const E& x) noexcept {
  const std::exception_ptr current = std::current_exception();
  if (!current) return nullptr;
  try {
    std::rethrow_exception(current);
  } catch (const E& caught) {
    if (__builtin_addressof(caught) == __builtin_addressof(x)) return current;
  } catch (...) {
    // Another one.
  }
  return nullptr;
}

/// As `asReason`, but of an exception that is known by its base, `catch (const std::exception& e)`, not the
/// base alone.
template <class X>
std::exception_ptr wholeReason(X&& x) {
  if constexpr (isException<X>)
    if (typeid(x) != typeid(std::remove_cvref_t<X>))
      if (const std::exception_ptr whole = caughtAs<std::remove_cvref_t<X>>(x)) return whole;
  return asReason(std::forward<X>(x));
}

/// Whether an X is passed as a reference of type A itself. Where it is converted, the reference would be to an
/// object that is gone with the conversion; only what is const and not volatile can be bound to such a one.
template <class A, class X>
inline constexpr bool refersTo =
    std::is_convertible_v<std::remove_reference_t<X>*, std::remove_reference_t<A>*> ||
    (std::is_lvalue_reference_v<A> &&
     std::is_convertible_v<X, volatile std::remove_reference_t<A>&>);

/// `x` as an argument declared as A; of the same type it is not copied. What is converted for a reference is
/// a value, which lives as long as the call that it is given to.
template <class A, class X>
LEAT_ALWAYS_INLINE inline decltype(auto) toArg(X&& x) {
  if constexpr (std::is_same_v<std::remove_cvref_t<X>, A>) {
    return static_cast<const A&>(x);
  } else if constexpr (std::is_reference_v<A> && refersTo<A, X>) {
    return static_cast<A>(std::forward<X>(x));
  } else if constexpr (std::is_reference_v<A>) {
    return static_cast<std::remove_cvref_t<A>>(std::forward<X>(x));
  } else if constexpr (std::is_same_v<A, std::exception_ptr>) {
    return wholeReason(std::forward<X>(x));
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
    if (typeid(error) != typeid(X))
      if (const std::exception_ptr whole = caughtAs(error)) std::rethrow_exception(whole);
    throw error;
  } else {
    throwUnhandledText(inspectArg(error));
  }
}

}  // namespace leat::inline LEAT_ABI::detail
