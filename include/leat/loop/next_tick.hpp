// SPDX-License-Identifier: MIT
// nextTick and queueMicrotask.
#pragma once

#include <leat/core/callback.hpp>

namespace leat::inline LEAT_ABI {

/// Calls `f(args...)` after the callback in progress, before any microtask. A callback that returns an
/// awaitable is driven.
///
/// Node: `process.nextTick`. Throws: Error ERR_NO_LOOP.
template <class F, class... Args>
void nextTick(F&& f, Args&&... args) {
  using Callable = decltype(detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...));
  detail::CallbackJob<Callable, true>::start(
      detail::currentQueue(),
      detail::bindCallback(std::forward<F>(f), std::forward<Args>(args)...));
}

/// Calls `f()` when the ticks are done, in order with the reactions of promises.
///
/// Node: `queueMicrotask`. Throws: Error ERR_NO_LOOP.
template <class F>
void queueMicrotask(F&& f) {
  using Callable = decltype(detail::bindCallback(std::forward<F>(f)));
  detail::CallbackJob<Callable, false>::start(detail::currentQueue(),
                                              detail::bindCallback(std::forward<F>(f)));
}

}  // namespace leat::inline LEAT_ABI
