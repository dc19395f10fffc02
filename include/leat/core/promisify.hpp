// SPDX-License-Identifier: MIT
// promisify and callbackify: between functions that take a callback last and functions that return
// something to await.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/core/promise_then.hpp>

#include <tuple>

namespace leat::inline LEAT_ABI {
namespace detail {

/// The callback that a promisified function is given: `(error)` or `(error, value)`.
template <class T>
class NodeCallback {
 public:
  explicit NodeCallback(Resolver<T> resolver) noexcept : resolver_(std::move(resolver)) {}
  template <class E, class... X>
  void operator()(E&& error, X&&... value) const {
    static_assert(sizeof...(X) <= 1, "promisify: the callback is called with more than one value");
    if (isError(error)) return resolver_.reject(std::forward<E>(error));
    if constexpr (std::is_void_v<T>) {
      resolver_.resolve();
    } else if constexpr (sizeof...(X) == 1) {
      resolver_.resolve(std::forward<X>(value)...);
    } else {
      resolver_.reject(
          TypeError("promisify: the callback was called with neither an error nor a value"));
    }
  }

 private:
  template <class E>
  static bool isError(const E& error) noexcept {
    if constexpr (std::is_same_v<E, decltype(nullptr)>) {
      return false;
    } else if constexpr (std::is_constructible_v<bool, const E&>) {
      return static_cast<bool>(error);
    } else {
      return true;
    }
  }
  Resolver<T> resolver_;
};

template <class T, class F>
class Promisified {
 public:
  explicit Promisified(F&& function) : function_(std::move(function)) {}
  explicit Promisified(const F& function) : function_(function) {}
  template <class... Args>
  Promise<T> operator()(Args&&... args) {
    auto [promise, resolve, reject] = Promise<T>::withResolvers();
    try {
      function_(std::forward<Args>(args)..., NodeCallback<T>(std::move(resolve)));
    } catch (...) {
      reject(std::current_exception());
    }
    return promise;
  }

 private:
  F function_;
};

/// `callback` in the form in which the library keeps it, where it is a coroutine: see keepCallback.
template <class T, class Callback>
auto keepBack(Callback&& callback) {
  if constexpr (std::is_invocable_v<Callback&, Result<T>>) {
    return keepCallback<Result<T>>(std::move(callback));
  } else if constexpr (std::is_void_v<T>) {
    return keepCallback<std::exception_ptr>(std::move(callback));
  } else if constexpr (std::is_invocable_v<Callback&, std::exception_ptr, std::optional<T>>) {
    return keepCallback<std::exception_ptr, std::optional<T>>(std::move(callback));
  } else {
    static_assert(std::is_invocable_v<Callback&, std::exception_ptr, T>,
                  "callbackify: the callback takes a Result<T>, (std::exception_ptr, "
                  "std::optional<T>) or (std::exception_ptr, T)");
    return keepCallback<std::exception_ptr, T>(std::move(callback));
  }
}

/// Calls `callback`, which `keepBack` made, with the outcome in the form that it takes.
template <class T, class Callback>
void callBack(Callback& callback, Result<T> result) {
  if constexpr (std::is_invocable_v<Callback&, Result<T>>) {
    callback(std::move(result));
  } else if constexpr (std::is_void_v<T>) {
    callback(result.error());
  } else if constexpr (std::is_invocable_v<Callback&, std::exception_ptr, std::optional<T>>) {
    std::exception_ptr error = result.error();
    callback(error, error ? std::optional<T>() : std::optional<T>(std::move(result).value()));
  } else if (result) {
    callback(std::exception_ptr(), std::move(result).value());
  } else {
    callback(result.error(), T());
  }
}

template <class F>
class Callbackified {
 public:
  explicit Callbackified(F&& function) : function_(std::move(function)) {}
  explicit Callbackified(const F& function) : function_(function) {}
  template <class... Args>
    requires(sizeof...(Args) > 0)
  void operator()(Args&&... args) {
    constexpr std::size_t last = sizeof...(Args) - 1;
    split(std::forward_as_tuple(std::forward<Args>(args)...), std::make_index_sequence<last>());
  }

 private:
  template <class Tuple, std::size_t... I>
  void split(Tuple args, std::index_sequence<I...>) {
    using Last = std::tuple_element_t<sizeof...(I), Tuple>;
    start(std::decay_t<Last>(std::get<sizeof...(I)>(std::move(args))),
          function_(std::get<I>(std::move(args))...));
  }
  template <class Callback, class Started>
  static void start(Callback callback, Started&& started) {
    using T = AdoptedType<std::remove_cvref_t<Started>>;
    Promise<T> promise(std::forward<Started>(started));
    auto kept = keepBack<T>(std::move(callback));
    Settled<T, decltype(kept)>::attach(promise, std::move(kept));
  }

  /// Waits for the promise, then hands its outcome to a tick.
  template <class T, class Callback>
  class Settled : private Job, public FrameAllocated {
   public:
    static void attach(const Promise<T>& promise, Callback&& callback) {
      auto* self = new Settled(promise, std::move(callback));
      self->source_->react(*self);
    }

   private:
    Settled(const Promise<T>& promise, Callback&& callback)
        : Job(onJob),
          source_(&promise.state()),
          callback_(std::move(callback)),
          context_(currentContext()) {}
    static void onJob(Job& job, JobAction action) noexcept {
      auto& self = static_cast<Settled&>(job);
      if (action == JobAction::Run) self.hand();
      delete &self;
    }
    void hand() {
      ContextScope scope(std::move(context_));
      auto call = [callback = std::move(callback_), source = std::move(source_)]() mutable {
        callBack<T>(callback, outcome(*source));
      };
      CallbackJob<decltype(call), true>::start(*threadState.queue, std::move(call));
    }
    static Result<T> outcome(PromiseState<T>& source) {
      if (source.status == PromiseStatus::Rejected) return Result<T>::failure(source.error);
      if constexpr (std::is_void_v<T>) {
        return Result<T>::success();
      } else {
        return Result<T>::success(source.take(1));
      }
    }
    Ref<PromiseState<T>> source_;
    Callback callback_;
    ContextRef context_;
  };

  F function_;
};

}  // namespace detail

/// A function that returns a Promise<T>, made of one that takes a callback `(error, value)` last, or
/// `(error)` when T is void. An error that is not null, or true as a bool, rejects.
///
/// Node: `util.promisify`. A callback that is dropped uncalled rejects with ERR_BROKEN_PROMISE; the
/// first call counts. Thread: the callback is called on the loop's.
template <class T = void, class F>
auto promisify(F&& function) {
  return detail::Promisified<T, std::decay_t<F>>(std::forward<F>(function));
}

/// A function that takes a callback last, made of one that returns something to await. The callback,
/// called in the nextTick queue, takes a Result<T>, (std::exception_ptr, std::optional<T>) or
/// (std::exception_ptr, T); of void only (std::exception_ptr).
///
/// Node: `util.callbackify`. What the callback throws is an uncaught exception. It may be a coroutine, which is
/// kept with its closure until it has ended.
template <class F>
auto callbackify(F&& function) {
  return detail::Callbackified<std::decay_t<F>>(std::forward<F>(function));
}

}  // namespace leat::inline LEAT_ABI
