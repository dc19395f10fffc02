// SPDX-License-Identifier: MIT
// The names of events, and how the arguments of an event travel to its listeners.
#pragma once

#include <leat/base/fixed_string.hpp>

#include <exception>
#include <string>
#include <type_traits>

namespace leat::inline LEAT_ABI {

/// An event of a TypedEmitter: its name and what its listeners are given.
/// `TypedEmitter<Event<"data", Buffer>, Event<"end">>`. An argument type that is a reference is passed as
/// that reference; every other one as a value that listeners may not change.
template <FixedString name = "", class... Args>
struct Event {};
/// The event of an EventTarget: `Event event("change")`. In event_target.hpp.
template <>
struct Event<>;
struct EventInit;
Event(std::string_view) -> Event<>;
Event(std::string_view, EventInit) -> Event<>;

/// The name of an event as a value: `emitter.on("data"_e, f)`, where `emitter.template on<"data">(f)`
/// would be needed otherwise. It is also a std::string_view, for emitters with names of run time.
template <FixedString name>
struct EventName {
  static constexpr std::string_view view() noexcept { return name.view(); }
  constexpr operator std::string_view() const noexcept { return name.view(); }
};

inline namespace literals {
template <FixedString name>
consteval EventName<name> operator""_e() noexcept {
  return {};
}
}  // namespace literals

/// The name of an event that an `error` is first told to, whether anybody listens to `error` or not.
///
/// Node: `events.errorMonitor`.
inline constexpr EventName<"events.errorMonitor"> errorMonitor{};

namespace detail {

/// What a listener is called with for an argument declared as A.
template <class A>
using PassedArg = std::conditional_t<
    std::is_reference_v<A>, A,
    std::conditional_t<std::is_scalar_v<A> || std::is_same_v<A, std::string_view>, A, const A&>>;

/// How an argument that is passed so is kept for a coroutine: a reference that the event declares stays
/// one, all else is copied, and views become strings.
template <class Passed>
using OwnedArg = std::conditional_t<
    std::is_lvalue_reference_v<Passed> && !std::is_const_v<std::remove_reference_t<Passed>>, Passed,
    std::conditional_t<std::is_same_v<std::remove_cvref_t<Passed>, std::string_view>, std::string,
                       std::remove_cvref_t<Passed>>>;

/// `X` as an argument declared as `std::exception_ptr`: any exception will do.
template <class X>
inline constexpr bool isException = std::is_base_of_v<std::exception, std::remove_cvref_t<X>>;

template <class A, class X>
inline constexpr bool convertsToArg =
    std::is_convertible_v<X, A> || (std::is_same_v<A, std::exception_ptr> && isException<X>);

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
