// SPDX-License-Identifier: MIT
// Listeners of an EventEmitter: their parameter types are read off the callable, and the arguments of an
// emit are brought to them.
#pragma once

#include <leat/events/detail/adapt.hpp>
#include <leat/events/event_args.hpp>

namespace leat::inline LEAT_ABI::detail {

/// The parameter types of a callable that is not a template.
template <class F>
struct ParametersOf {};
template <class R, class... Args>
struct ParametersOf<R(Args...)> {
  using Type = std::tuple<Args...>;
};
template <class R, class... Args>
struct ParametersOf<R (*)(Args...)> : ParametersOf<R(Args...)> {};
template <class R, class... Args>
struct ParametersOf<R (*)(Args...) noexcept> : ParametersOf<R(Args...)> {};
template <class R, class C, class... Args>
struct ParametersOf<R (C::*)(Args...)> : ParametersOf<R(Args...)> {};
template <class R, class C, class... Args>
struct ParametersOf<R (C::*)(Args...) const> : ParametersOf<R(Args...)> {};
template <class R, class C, class... Args>
struct ParametersOf<R (C::*)(Args...) noexcept> : ParametersOf<R(Args...)> {};
template <class R, class C, class... Args>
struct ParametersOf<R (C::*)(Args...) const noexcept> : ParametersOf<R(Args...)> {};
template <class F>
  requires requires { &F::operator(); }
struct ParametersOf<F> : ParametersOf<decltype(&F::operator())> {};
template <class F>
  requires requires { typename F::Callable; } && (!requires { &F::operator(); })
struct ParametersOf<F> : ParametersOf<typename F::Callable> {};

template <class F>
concept NamesParameters = requires { typename ParametersOf<F>::Type; };

/// A callable that is no coroutine, called with what it takes.
template <class F>
struct PlainTarget {
  template <class... Args>
  LEAT_ALWAYS_INLINE void operator()(Args&&... args) {
    (void)callable(std::forward<Args>(args)...);
  }
  const auto& original() const noexcept { return originalOf(callable); }
  F callable;
};

template <class P>
inline constexpr bool takenByValue =
    (!std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>) &&
    !std::is_same_v<std::decay_t<P>, const char*>;

/// A listener with parameters of these (decayed) types.
template <class Target, class... Ps>
struct DynamicListener {
  LEAT_ALWAYS_INLINE void operator()(const Emission& emission) {
    call(emission, std::index_sequence_for<Ps...>());
  }
  template <std::size_t... i>
  LEAT_ALWAYS_INLINE void call(const Emission& emission, std::index_sequence<i...>) {
    if constexpr (sizeof...(Ps) > 0) {
      if (emission.size < sizeof...(Ps) || !(fitsParameter<Ps>(emission.args[i]) && ...))
          [[unlikely]]
        mismatch(emission);
    }
    target(parameterOf<Ps>(emission.args[i])...);
  }
  [[noreturn]] LEAT_NOINLINE static void mismatch(const Emission& emission) {
    static constexpr const std::type_info* taken[] = {&typeid(Ps)..., nullptr};
    throwArgMismatch(emission, taken, sizeof...(Ps));
  }
  const auto& original() const noexcept { return target.original(); }
  Target target;
};

/// A listener whose only parameter is an exception: of type E, or of a type derived from it.
template <class Target, class E>
struct DynamicExceptionListener {
  void operator()(const Emission& emission) {
    if (emission.size == 0 || emission.args[0].type->asException == nullptr) mismatch(emission);
    if (emission.args[0].template is<E>()) return target(emission.args[0].template as<E>());
    const std::exception_ptr thrown = emission.args[0].type->asException(emission.args[0].value);
    bool matched = false;
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const E& error) {
      matched = true;
      target(error);
    } catch (...) {
      // Of another type: told below.
    }
    if (!matched) mismatch(emission);
  }
  [[noreturn]] static void mismatch(const Emission& emission) {
    static constexpr const std::type_info* taken[] = {&typeid(E)};
    throwArgMismatch(emission, taken, 1);
  }
  const auto& original() const noexcept { return target.original(); }
  Target target;
};

/// A listener that takes all arguments, kept.
template <class Target>
struct AllArgumentsListener {
  void operator()(const Emission& emission) { target(EventArgs(emission)); }
  const auto& original() const noexcept { return target.original(); }
  Target target;
};

/// A listener of the library itself, called with the emission as it is.
template <class Target>
struct EmissionListener {
  void operator()(const Emission& emission) { target(emission); }
  const auto& original() const noexcept { return target.original(); }
  Target target;
};

/// How the arguments for a list of parameter types are brought to a target.
template <class Target, class... Ps>
struct DynamicForm {
  static_assert(
      (takenByValue<Ps> && ...),
      "a listener of an EventEmitter takes its arguments by value or const reference, and "
      "text as std::string or std::string_view; to share an object emit a pointer or handle");
  using Type = DynamicListener<Target, std::remove_cvref_t<Ps>...>;
};
template <class Target, class P>
  requires isException<P>
struct DynamicForm<Target, P> {
  using Type = DynamicExceptionListener<Target, std::remove_cvref_t<P>>;
};
template <class Target, class P>
  requires std::is_same_v<std::remove_cvref_t<P>, EventArgs>
struct DynamicForm<Target, P> {
  using Type = AllArgumentsListener<Target>;
};

template <class Target>
struct DynamicForm<Target, const Emission&> {
  using Type = EmissionListener<Target>;
};

template <class F, class... Ps>
Ref<ListenerRecord> makeDynamicFrom(EmitterBase& emitter, std::string_view name, F&& f,
                                    std::type_identity<std::tuple<Ps...>>) {
  using Callable = std::decay_t<F>;
  if constexpr (toBeDriven<std::invoke_result_t<Callable&, Ps...>>) {
    if constexpr (sizeof...(Ps) == 1 && (isException<Ps> && ...)) {
      // The coroutine keeps the exception by the exception_ptr.
      using Wrapped = TakesException<Callable, std::remove_cvref_t<Ps>...>;
      return makeDynamicFrom(emitter, name, Wrapped{std::forward<F>(f)},
                             std::type_identity<std::tuple<std::exception_ptr>>());
    } else {
      using Target = AsyncListener<Callable, static_cast<int>(sizeof...(Ps)),
                                   PassedArg<std::remove_cvref_t<Ps>>...>;
      return makeRecord<const Emission&>(typename DynamicForm<Target, Ps...>::Type{
          Target(emitter, name, Callable(std::forward<F>(f)))});
    }
  } else {
    using Target = PlainTarget<Callable>;
    return makeRecord<const Emission&>(
        typename DynamicForm<Target, Ps...>::Type{Target{std::forward<F>(f)}});
  }
}

template <class F>
Ref<ListenerRecord> makeDynamic(EmitterBase& emitter, std::string_view name, F&& f) {
  using Callable = std::decay_t<F>;
  if constexpr (NamesParameters<Callable>) {
    return makeDynamicFrom(emitter, name, std::forward<F>(f),
                           std::type_identity<typename ParametersOf<Callable>::Type>());
  } else {
    static_assert(std::is_invocable_v<Callable&>,
                  "a listener of an EventEmitter names the types of its parameters: write "
                  "[](std::string text), not [](auto text)");
    return makeDynamicFrom(emitter, name, std::forward<F>(f), std::type_identity<std::tuple<>>());
  }
}

/// `x` in the type in which it travels; what keeps its type is not copied.
template <class X>
LEAT_ALWAYS_INLINE inline decltype(auto) normalArg(const X& x) {
  if constexpr (std::is_same_v<NormalType<X>, X>) {
    return static_cast<const X&>(x);
  } else {
    return NormalType<X>(x);
  }
}

template <class F, class... Normal>
LEAT_ALWAYS_INLINE inline decltype(auto) withNormal(std::string_view name, F& f,
                                                    const Normal&... args) {
  const EventArg list[] = {
      EventArg{static_cast<const void*>(__builtin_addressof(args)), &argType<Normal>}...};
  return f(Emission{name, list, sizeof...(Normal)});
}

/// Calls `f(emission)` with the arguments as they travel.
template <class F, class... Args>
LEAT_ALWAYS_INLINE inline decltype(auto) withEmission(std::string_view name, F&& f,
                                                      const Args&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return f(Emission{name, nullptr, 0});
  } else {
    return withNormal(name, f, normalArg(args)...);
  }
}

/// "error" without a listener.
[[noreturn]] LEAT_NOINLINE inline void throwUnhandledEmission(const Emission& emission) {
  if (emission.size == 0) throwUnhandled();
  const EventArg& arg = emission.args[0];
  if (arg.type->asException != nullptr) throwUnhandled(arg.type->asException(arg.value));
  switch (arg.type->kind) {
    case ArgKind::Bool:
      throwUnhandled(arg.as<bool>());
    case ArgKind::Integer:
      throwUnhandled(arg.as<long long>());
    case ArgKind::Unsigned:
      throwUnhandled(arg.as<unsigned long long>());
    case ArgKind::Number:
      throwUnhandled(arg.as<double>());
    case ArgKind::Text:
      throwUnhandled(arg.as<std::string_view>());
    case ArgKind::Other:
      break;
  }
  throwUnhandledText("[" + typeName(arg.type->type) + "]");
}

}  // namespace leat::inline LEAT_ABI::detail
