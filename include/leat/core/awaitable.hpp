// SPDX-License-Identifier: MIT
// What may be awaited, and what awaiting it gives.
#pragma once

#include <leat/base/config.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI {

namespace detail {

template <class A>
concept AwaiterLike = requires(A& a, std::coroutine_handle<> h) {
  { a.await_ready() } -> std::convertible_to<bool>;
  a.await_suspend(h);
  a.await_resume();
};
template <class A>
concept MemberCoAwait = requires(A&& a) { std::forward<A>(a).operator co_await(); };
template <class A>
concept FreeCoAwait = requires(A&& a) { operator co_await(std::forward<A>(a)); };

/// The awaiter of an expression, as the compiler would find it.
template <class A>
decltype(auto) getAwaiter(A&& awaitable) {
  if constexpr (MemberCoAwait<A>) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (FreeCoAwait<A>) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return static_cast<A&&>(awaitable);
  }
}

}  // namespace detail

/// Anything that `co_await` accepts in a coroutine of the library.
template <class A>
concept Awaitable = detail::MemberCoAwait<A> || detail::FreeCoAwait<A> ||
                    detail::AwaiterLike<std::remove_reference_t<A>>;

/// What `co_await` of an A gives.
template <Awaitable A>
using AwaitResult =
    decltype(std::declval<
                 std::remove_reference_t<decltype(detail::getAwaiter(std::declval<A>()))>&>()
                 .await_resume());

namespace detail {

#if LEAT_CLOSURE_GUARD
/// A closure with captures is not default constructible; std::function and named functors are.
template <class F>
inline constexpr bool safeInAwait =
    std::is_lvalue_reference_v<F> || !std::is_class_v<std::remove_cvref_t<F>> ||
    std::is_trivially_destructible_v<std::remove_cvref_t<F>> ||
    std::is_default_constructible_v<std::remove_cvref_t<F>>;
#else
template <class F>
inline constexpr bool safeInAwait = true;
#endif

}  // namespace detail

/// A named closure on its way into a call: `co_await withTimeout(ms, moved(work))`.
template <class F>
class Moved {
 public:
  explicit Moved(F& callable) : callable_(std::move(callable)) {}
  Moved() = delete;
  template <class... Args>
    requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return callable_(std::forward<Args>(args)...);
  }

 private:
  F callable_;
};

namespace detail {
#if LEAT_CLOSURE_GUARD
template <class F>
inline constexpr bool safeInAwait<Moved<F>> = true;
#endif
}  // namespace detail

/// Moves a closure that has a name into a call that is awaited. Works on every compiler; g++ 12 needs
/// it, as it destroys the captures of a closure written inside a `co_await` expression twice.
template <class F>
  requires(!std::is_lvalue_reference_v<F>)
Moved<F> moved(F&& callable) = delete;
template <class F>
Moved<F> moved(F& callable) {
  return Moved<F>(callable);
}

}  // namespace leat::inline LEAT_ABI

/// In functions that take a callable of type F and give something awaitable.
#define LEAT_GUARD_CLOSURE(F)                                                                \
  static_assert(::leat::detail::safeInAwait<F>,                                              \
                "g++ 12 destroys the captures of a closure twice when the call stands in a " \
                "co_await expression, so such closures are refused in every call: give the " \
                "closure a name and pass moved(name) or the name itself. See "               \
                "docs/gcc12-pitfalls.md (LEAT_CLOSURE_GUARD=0 turns this check off)")
