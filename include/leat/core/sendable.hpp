// SPDX-License-Identifier: MIT
// What may go to another thread: all but the handles of a loop, which say so with a member `LoopBound`.
#pragma once

#include <leat/base/config.hpp>

#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI {

namespace detail {
template <class T>
consteval bool looksSendable();
}

/// False for the handles of a loop (Promise, Resolver, Timeout, Immediate, Socket, Server, ...), for containers,
/// pairs, tuples and variants of them, and for pointers to them, also those that own. What a closure has
/// captured, and what the members of a class are, nobody can see. Specialise it for types of your own.
template <class T>
inline constexpr bool isSendable = detail::looksSendable<T>();
template <class T>
inline constexpr bool isSendable<T*> = isSendable<T>;
template <class T>
inline constexpr bool isSendable<const T> = isSendable<T>;

namespace detail {

template <class T, std::size_t... at>
consteval bool partsSendable(std::index_sequence<at...>) {
  return (isSendable<std::remove_reference_t<std::tuple_element_t<at, T>>> && ...);
}
template <template <class...> class Variant, class... T>
consteval bool alternativesSendable(const Variant<T...>*) {
  return (isSendable<T> && ...);
}

template <class T>
consteval bool looksSendable() {
  if constexpr (requires { typename T::LoopBound; }) {
    return false;
  } else if constexpr (requires { typename T::value_type; }) {
    // A tree of values may be made of itself.
    if constexpr (std::is_same_v<T, typename T::value_type>) {
      return true;
    } else {
      return isSendable<typename T::value_type>;
    }
  } else if constexpr (requires { typename T::element_type; }) {
    return isSendable<typename T::element_type>;
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return partsSendable<T>(std::make_index_sequence<std::tuple_size<T>::value>());
  } else if constexpr (requires(const T& t) { t.valueless_by_exception(); }) {
    return alternativesSendable(static_cast<const T*>(nullptr));
  } else {
    return true;
  }
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
