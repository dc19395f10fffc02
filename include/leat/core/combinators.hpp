// SPDX-License-Identifier: MIT
// all, allSettled, race and any over packs and ranges.
#pragma once

#include <leat/core/combinator.hpp>

#include <tuple>
#include <variant>
#include <vector>

namespace leat::inline LEAT_ABI {
namespace detail {

template <class... Parts>
inline constexpr bool isCopyable<std::tuple<Parts...>> = (isCopyable<Parts> && ...);
template <class T>
inline constexpr bool isCopyable<Result<T>> = isCopyable<StoredType<T>>;

/// How a T stands in a tuple, vector or variant: void as std::monostate, a reference as a pointer.
template <class T>
using ItemType = std::conditional_t<std::is_void_v<T>, std::monostate, StoredType<T>>;

/// The value that an input of a combinator stands for.
template <class X>
using InputType = AdoptedType<std::remove_cvref_t<X>>;

/// The promise of an input. A task starts at once, as the call of an async function would; another
/// awaitable is a thenable, and anything else a value. One that throws when it is copied is an input that rejects.
template <class X>
Promise<InputType<X>> asPromise(X&& input) {
  using T = InputType<X>;
  if constexpr (isPromise<std::remove_cvref_t<X>> ||
                std::is_same_v<std::remove_cvref_t<X>, Task<T>>) {
    return Promise<T>(std::forward<X>(input));
  } else {
    try {
      return Promise<T>::resolve(std::forward<X>(input));
    } catch (...) {
      return Promise<T>::reject(std::current_exception());
    }
  }
}

template <class T>
ItemType<T> takeItem(CombinatorInput& input) {
  auto& source = static_cast<PromiseState<T>&>(*input.source);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_reference_v<T>) {
    return source.value;
  } else {
    return source.take(1);
  }
}

template <class T>
Result<T> takeResult(CombinatorInput& input) {
  if (input.rejected()) return Result<T>::failure(input.source->error);
  if constexpr (std::is_void_v<T>) {
    return Result<T>::success();
  } else if constexpr (std::is_reference_v<T>) {
    return Result<T>::success(*takeItem<T>(input));
  } else {
    return Result<T>::success(takeItem<T>(input));
  }
}

template <class... T>
struct AllOfPack {
  using Value = std::tuple<ItemType<T>...>;
  static void empty(Combinator<Value>& self) { self.fulfill(); }
  static void apply(Combinator<Value>& self, CombinatorInput& input) {
    if (input.rejected()) return self.reject(input.source->error);
    if (self.lastSettled()) finish(self, std::index_sequence_for<T...>());
  }
  template <std::size_t... I>
  static void finish(Combinator<Value>& self, std::index_sequence<I...>) {
    self.fulfill(takeItem<T>(self.input(I))...);
  }
};

template <class T>
struct AllOfRange {
  using Value = std::vector<ItemType<T>>;
  static void empty(Combinator<Value>& self) { self.fulfill(); }
  static void apply(Combinator<Value>& self, CombinatorInput& input) {
    if (input.rejected()) return self.reject(input.source->error);
    if (!self.lastSettled()) return;
    Value values;
    values.reserve(self.size());
    for (std::size_t i = 0; i < self.size(); ++i) values.push_back(takeItem<T>(self.input(i)));
    self.fulfill(std::move(values));
  }
};

template <class... T>
struct SettledOfPack {
  using Value = std::tuple<Result<T>...>;
  static void empty(Combinator<Value>& self) { self.fulfill(); }
  static void apply(Combinator<Value>& self, CombinatorInput&) {
    if (self.lastSettled()) finish(self, std::index_sequence_for<T...>());
  }
  template <std::size_t... I>
  static void finish(Combinator<Value>& self, std::index_sequence<I...>) {
    self.fulfill(takeResult<T>(self.input(I))...);
  }
};

template <class T>
struct SettledOfRange {
  using Value = std::vector<Result<T>>;
  static void empty(Combinator<Value>& self) { self.fulfill(); }
  static void apply(Combinator<Value>& self, CombinatorInput&) {
    if (!self.lastSettled()) return;
    Value results;
    results.reserve(self.size());
    for (std::size_t i = 0; i < self.size(); ++i) results.push_back(takeResult<T>(self.input(i)));
    self.fulfill(std::move(results));
  }
};

/// The types of a list, each once.
template <class Kept, class... Rest>
struct Distinct {
  using Type = Kept;
};
template <class... Kept, class First, class... Rest>
struct Distinct<std::variant<Kept...>, First, Rest...>
    : std::conditional_t<(std::is_same_v<Kept, First> || ...),
                         Distinct<std::variant<Kept...>, Rest...>,
                         Distinct<std::variant<Kept..., First>, Rest...>> {};

/// The one type of several outcomes: the same, else the common one, else a variant.
template <class First, class... Rest>
auto oneOf() {
  if constexpr ((std::is_same_v<First, Rest> && ...)) {
    return std::type_identity<First>();
  } else if constexpr (requires {
                         typename std::common_type_t<ItemType<First>, ItemType<Rest>...>;
                       }) {
    return std::type_identity<std::common_type_t<ItemType<First>, ItemType<Rest>...>>();
  } else {
    return std::type_identity<
        typename Distinct<std::variant<>, ItemType<First>, ItemType<Rest>...>::Type>();
  }
}
template <class... T>
using OneOf = typename decltype(oneOf<T...>())::type;

template <class>
inline constexpr bool isVariant = false;
template <class... T>
inline constexpr bool isVariant<std::variant<T...>> = true;

/// Fulfills with the value of an input of type T.
template <class T, class U>
void fulfillFrom(Combinator<U>& self, CombinatorInput& input) {
  if constexpr (std::is_void_v<U>) {
    self.fulfill();
  } else if constexpr (std::is_reference_v<U>) {
    self.fulfill(*takeItem<T>(input));
  } else if constexpr (isVariant<U> &&
                       std::is_constructible_v<U, std::in_place_type_t<ItemType<T>>, ItemType<T>>) {
    self.fulfill(std::in_place_type<ItemType<T>>, takeItem<T>(input));
  } else {
    self.fulfill(static_cast<U>(takeItem<T>(input)));
  }
}

template <class... T>
struct FirstOfPack {
  using Value = OneOf<T...>;
  static void fulfill(Combinator<Value>& self, CombinatorInput& input) {
    select(self, input, std::index_sequence_for<T...>());
  }
  template <std::size_t... I>
  static void select(Combinator<Value>& self, CombinatorInput& input, std::index_sequence<I...>) {
    const std::size_t index = self.indexOf(input);
    (void)((index == I && (fulfillFrom<T>(self, input), true)) || ...);
  }
};

template <class T>
struct FirstOfRange {
  using Value = T;
  static void fulfill(Combinator<T>& self, CombinatorInput& input) { fulfillFrom<T>(self, input); }
};

template <class First>
struct RaceRule {
  using Value = typename First::Value;
  static void empty(Combinator<Value>&) noexcept {}
  static void apply(Combinator<Value>& self, CombinatorInput& input) {
    if (input.rejected()) return self.reject(input.source->error);
    First::fulfill(self, input);
  }
};

template <class First>
struct AnyRule {
  using Value = typename First::Value;
  static void empty(Combinator<Value>& self) {
    self.reject(std::make_exception_ptr(AggregateError(nullptr, 0)));
  }
  static void apply(Combinator<Value>& self, CombinatorInput& input) {
    if (!input.rejected()) return First::fulfill(self, input);
    if (!self.lastSettled()) return;
    std::vector<std::exception_ptr> errors;
    errors.reserve(self.size());
    for (std::size_t i = 0; i < self.size(); ++i) errors.push_back(self.input(i).source->error);
    self.reject(std::make_exception_ptr(AggregateError(errors.data(), errors.size())));
  }
};

template <class Rule, class... A>
Promise<typename Rule::Value> combine(A&&... inputs) {
  using Value = typename Rule::Value;
  auto self = Combinator<Value>::make(sizeof...(A), Rule::apply, std::source_location());
  (self->add(asPromise(std::forward<A>(inputs))), ...);
  self->start();
  if constexpr (sizeof...(A) == 0) Rule::empty(*self);
  return Promise<Value>(Ref<PromiseState<Value>>(std::move(self)));
}

template <class R>
concept InputRange = !Awaitable<R> && requires(R& range) {
  std::begin(range) != std::end(range);
  *std::begin(range);
};
template <class R>
using RangeInput = InputType<decltype(*std::begin(std::declval<R&>()))>;
/// Whether a call is about the elements of its one argument.
template <class... A>
inline constexpr bool isRangeCall = sizeof...(A) == 1 && (InputRange<A> && ...);

/// The elements of a container given up by the caller are moved; a view only refers to them.
template <class R, class E>
decltype(auto) rangeElement(E&& element) {
  if constexpr (!std::is_lvalue_reference_v<R> && std::is_lvalue_reference_v<E> &&
                !std::is_trivially_destructible_v<R>) {
    return std::move(element);
  } else {
    static_assert(std::is_constructible_v<std::remove_cvref_t<E>, E>,
                  "tasks are moved into a combinator: pass the range with std::move");
    return static_cast<E&&>(element);
  }
}

template <class Rule, class R>
Promise<typename Rule::Value> combineRange(R&& range, std::source_location where) {
  using Value = typename Rule::Value;
  using T = RangeInput<R>;
  const auto finish = [where](auto size, auto&& each) {
    auto self = Combinator<Value>::make(size, Rule::apply, where);
    each(*self);
    self->start();
    if (self->size() == 0) Rule::empty(*self);
    return Promise<Value>(Ref<PromiseState<Value>>(std::move(self)));
  };
  if constexpr (requires { std::size(range); }) {
    return finish(std::size(range), [&](Combinator<Value>& self) {
      for (auto&& element : range)
        self.add(asPromise(rangeElement<R>(static_cast<decltype(element)&&>(element))));
    });
  } else {
    std::vector<Promise<T>> promises;
    for (auto&& element : range)
      promises.push_back(asPromise(rangeElement<R>(static_cast<decltype(element)&&>(element))));
    return finish(promises.size(), [&](Combinator<Value>& self) {
      for (Promise<T>& promise : promises) self.add(std::move(promise));
    });
  }
}

}  // namespace detail

/// Fulfills with all values, in the order of the inputs, or rejects with the first rejection. Inputs
/// are promises, tasks (started here, left to right), other awaitables and values; the result is a
/// tuple, in which void is std::monostate and a T& a T*.
///
/// Node: `Promise.all`. The others go on after a rejection; what they reject with is dropped.
template <class... A>
  requires(!detail::isRangeCall<A...>)
auto all(A&&... inputs) {
  return detail::combine<detail::AllOfPack<detail::InputType<A>...>>(std::forward<A>(inputs)...);
}
/// The same over a range, into a vector. Tasks are moved out of a range passed with `std::move`.
template <detail::InputRange R>
auto all(R&& range, std::source_location where = std::source_location::current()) {
  return detail::combineRange<detail::AllOfRange<detail::RangeInput<R>>>(std::forward<R>(range),
                                                                         where);
}

/// Fulfills with a Result of each input, a tuple or, over a range, a vector. Never rejects.
///
/// Node: `Promise.allSettled`.
template <class... A>
  requires(!detail::isRangeCall<A...>)
auto allSettled(A&&... inputs) {
  return detail::combine<detail::SettledOfPack<detail::InputType<A>...>>(
      std::forward<A>(inputs)...);
}
template <detail::InputRange R>
auto allSettled(R&& range, std::source_location where = std::source_location::current()) {
  return detail::combineRange<detail::SettledOfRange<detail::RangeInput<R>>>(std::forward<R>(range),
                                                                             where);
}

/// Settles as the first input that settles. The value has the type of the inputs, else their common
/// type, else it is a variant of them.
///
/// Node: `Promise.race`. Of an empty range: pending for ever. To stop the losers: raceScoped.
template <class... A>
  requires(sizeof...(A) > 0 && !detail::isRangeCall<A...>)
auto race(A&&... inputs) {
  using First = detail::FirstOfPack<detail::InputType<A>...>;
  return detail::combine<detail::RaceRule<First>>(std::forward<A>(inputs)...);
}
template <detail::InputRange R>
auto race(R&& range, std::source_location where = std::source_location::current()) {
  using First = detail::FirstOfRange<detail::RangeInput<R>>;
  return detail::combineRange<detail::RaceRule<First>>(std::forward<R>(range), where);
}

/// Fulfills with the first value; rejects with an AggregateError of all reasons, in the order of the
/// inputs, when none fulfills.
///
/// Node: `Promise.any`. To stop the losers: anyScoped.
template <class... A>
  requires(sizeof...(A) > 0 && !detail::isRangeCall<A...>)
auto any(A&&... inputs) {
  using First = detail::FirstOfPack<detail::InputType<A>...>;
  return detail::combine<detail::AnyRule<First>>(std::forward<A>(inputs)...);
}
template <detail::InputRange R>
auto any(R&& range, std::source_location where = std::source_location::current()) {
  using First = detail::FirstOfRange<detail::RangeInput<R>>;
  return detail::combineRange<detail::AnyRule<First>>(std::forward<R>(range), where);
}

// ---- the same under Node's names ----

template <class T>
template <class... A>
auto Promise<T>::all(A&&... inputs) {
  return ::leat::all(std::forward<A>(inputs)...);
}
template <class T>
template <class... A>
auto Promise<T>::allSettled(A&&... inputs) {
  return ::leat::allSettled(std::forward<A>(inputs)...);
}
template <class T>
template <class... A>
auto Promise<T>::race(A&&... inputs) {
  return ::leat::race(std::forward<A>(inputs)...);
}
template <class T>
template <class... A>
auto Promise<T>::any(A&&... inputs) {
  return ::leat::any(std::forward<A>(inputs)...);
}

}  // namespace leat::inline LEAT_ABI
