// SPDX-License-Identifier: MIT
// spawn: starts a task now and gives its promise.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/core/promise_then.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Keeps the callable, whose captures its coroutine refers to, and the arguments.
template <class T, class F, class... Args>
Promise<T> callAndKeep(Drives<std::invoke_result_t<F&, Args...>>, Ref<CallbackBlock<F>> block,
                       Args... args) {
  threadState.thrownAt = {};
  auto&& made = block->callable(std::move(args)...);
  co_await TakePlace(made);
  co_return co_await static_cast<std::invoke_result_t<F&, Args...>&&>(made);
}

}  // namespace detail

/// Starts a task or an operation now (a promise is given back as it is); it runs to its first suspension before this returns. Dropping the
/// promise does not stop it, and an exception that nobody handles is an unhandled rejection.
///
/// Node: calling an async function. Cancel: the ambient signal of the caller.
template <class A>
  requires(Awaitable<A &&> && !std::is_invocable_v<std::decay_t<A>&>)
auto spawn(A&& awaitable, std::source_location where = std::source_location::current()) {
  if constexpr (detail::isPromise<std::remove_cvref_t<A>>) {
    return std::remove_cvref_t<A>(std::forward<A>(awaitable));
  } else {
    return Promise<detail::AdoptedType<std::remove_cvref_t<A>>>(std::forward<A>(awaitable), where);
  }
}

/// Calls `f(args...)`, which gives an awaitable, and keeps the callable and copies of the arguments
/// until it has ended: a lambda with captures may be a coroutine here.
template <class F, class... Args>
  requires detail::AsyncCallback<std::decay_t<F>, std::decay_t<Args>...>
auto spawn(F&& f, Args&&... args) {
  LEAT_GUARD_CLOSURE(F);
  using Callable = std::decay_t<F>;
  using T =
      std::remove_cvref_t<AwaitResult<std::invoke_result_t<Callable&, std::decay_t<Args>...>>>;
  auto block = detail::makeRef<detail::CallbackBlock<Callable>>(std::forward<F>(f));
  return detail::callAndKeep<T, Callable, std::decay_t<Args>...>({}, std::move(block),
                                                                 std::forward<Args>(args)...);
}

}  // namespace leat::inline LEAT_ABI
