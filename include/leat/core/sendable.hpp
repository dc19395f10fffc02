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
}  // namespace detail

/// False for the handles of a loop (Promise, Resolver, Timeout, Immediate, Socket, Server, ...), for containers,
/// pairs, tuples and variants of them, and for pointers to them, also those that own. What a closure has
/// captured, and what the members of a class are, nobody can see. Specialise it for types of your own:
/// `template <> inline constexpr bool leat::isSendable<Mine> = false;`
// What somebody else wrote is no reference: so it is found without being asked for in the middle of it.
template <class T>
inline constexpr const bool& isSendable = std::bool_constant<detail::looksSendable<T>()>::value;

namespace detail {

template <class... T>
struct Types {};

template <class T, std::size_t... at>
Types<std::remove_reference_t<std::tuple_element_t<at, T>>...> elementsOf(
    std::index_sequence<at...>);
template <template <class...> class Variant, class... T>
Types<T...> alternativesOf(const Variant<T...>*);

/// What a T holds or points to.
template <class T>
consteval auto partsOf() {
  if constexpr (std::is_const_v<T>) {
    return Types<std::remove_const_t<T>>();
  } else if constexpr (std::is_pointer_v<T>) {
    return Types<std::remove_pointer_t<T>>();
  } else if constexpr (requires { typename T::value_type; }) {
    return Types<typename T::value_type>();
  } else if constexpr (requires { typename T::element_type; }) {
    return Types<typename T::element_type>();
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return decltype(elementsOf<T>(std::make_index_sequence<std::tuple_size<T>::value>()))();
  } else if constexpr (requires(const T& t) {
                         t.valueless_by_exception();
                         alternativesOf(&t);
                       }) {
    return decltype(alternativesOf(static_cast<const T*>(nullptr)))();
  } else {
    return Types<>();
  }
}

template <class... Seen>
consteval bool sendable(Types<>, Types<Seen...>) {
  return true;
}
/// Whether all of these are, and their parts. A tree of values is made of itself: each type is looked at once.
template <class T, class... More, class... Seen>
consteval bool sendable(Types<T, More...>, Types<Seen...> seen) {
  if constexpr ((std::is_same_v<T, Seen> || ...)) {
    return sendable(Types<More...>(), seen);
  } else if constexpr (!std::is_reference_v<decltype(isSendable<T>)>) {
    return isSendable<T> && sendable(Types<More...>(), seen);
  } else if constexpr (!std::is_const_v<T> && requires { typename T::LoopBound; }) {
    return false;
  } else {
    constexpr auto also = []<class... Part>(Types<Part...>) { return Types<Part..., More...>(); };
    return sendable(also(partsOf<T>()), Types<Seen..., T>());
  }
}

template <class T>
consteval bool looksSendable() {
  return sendable(Types<T>(), Types<>());
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
