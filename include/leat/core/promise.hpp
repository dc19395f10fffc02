// SPDX-License-Identifier: MIT
// Promise: eager, shared, settled once; as the return type of a coroutine, an async function. The ticks
// between settling and going on are V8's. The bodies of then, catch_ and finally: promise_then.hpp.
#pragma once

#include <leat/core/adopt.hpp>

namespace leat::inline LEAT_ABI {

template <class T>
class Resolver;
template <class T>
class Rejecter;

namespace detail {

template <class T>
class PromiseAwaiter;
template <class T>
class PromiseValueAwaiter;
template <class T>
struct PromiseCoroutine;
/// Calls an executor whose outcome is awaited. In core/callback.hpp.
template <class Outcome>
struct DrivenExecutor;

[[noreturn]] LEAT_NOINLINE inline void throwPromiseConsumed() {
  throwTypeError("co_await of a Promise that was moved from or already awaited",
                 "ERR_PROMISE_CONSUMED");
}

}  // namespace detail

/// A value that is there or will be. Copies are handles to the same promise.
///
/// Node: `Promise`. A coroutine that returns Promise is an async function: it runs at once to its
/// first suspension, and is kept alive by the loop.
/// Lifetime: dropping all handles neither cancels the work nor hides its rejection.
/// Throws: Error ERR_NO_LOOP where the thread has no loop, ERR_WRONG_THREAD on another loop's thread.
template <class T>
class Promise {
 public:
  using LoopBound = void;
  using promise_type = detail::PromiseCoroutine<T>;
  using ValueType = T;
  struct Resolvers;

  /// Node: `new Promise(executor)`. `executor(resolve, reject)` or `executor(resolve)`; what it throws
  /// rejects. Both are copyable; when the last one goes unused the promise rejects with
  /// ERR_BROKEN_PROMISE. The executor may be a coroutine; what that throws is an unhandled rejection, as in Node. A
  /// copy of it is kept until that has ended; where it has a name and cannot be copied, it is referred to.
  template <class Executor>
    requires(std::is_invocable_v<Executor&, Resolver<T>, Rejecter<T>> ||
             std::is_invocable_v<Executor&, Resolver<T>>)
  explicit Promise(Executor&& executor,
                   std::source_location where = std::source_location::current());
  /// Starts a task or an operation now.
  template <class A>
    requires(!detail::isPromise<std::remove_cvref_t<A>> && Awaitable<A &&> &&
             std::is_same_v<detail::AdoptedType<std::remove_cvref_t<A>>, T>)
  Promise(A&& awaitable, std::source_location where = std::source_location::current());

  /// Node: `Promise.resolve()`. Of a promise: that promise.
  template <class... X>
  static Promise resolve(X&&... value);
  /// Node: `Promise.reject()`. Any exception, or an exception_ptr; a null one is a TypeError.
  template <class E>
  static Promise reject(E&& reason, std::source_location where = std::source_location::current());
  /// Node: `Promise.withResolvers()`: {promise, resolve, reject}.
  static Resolvers withResolvers(std::source_location where = std::source_location::current());
  /// Node's names of the functions `leat::all`, `allSettled`, `race` and `any`, which say what they do:
  /// `Promise<>::all(a, b)`. In core/combinators.hpp.
  template <class... A>
  static auto all(A&&... inputs);
  template <class... A>
  static auto allSettled(A&&... inputs);
  template <class... A>
  static auto race(A&&... inputs);
  template <class... A>
  static auto any(A&&... inputs);

  /// Node: `then(onFulfilled)`. The callback takes the value or nothing; a promise or awaitable that
  /// it returns is adopted.
  template <class F>
  auto then(F&& onFulfilled, std::source_location where = std::source_location::current()) const;
  /// Node: `then(onFulfilled, onRejected)`. Where the first gives a value, so does the second.
  template <class F, class G>
    requires(!std::is_same_v<std::remove_cvref_t<G>, std::source_location>)
  auto then(F&& onFulfilled, G&& onRejected,
            std::source_location where = std::source_location::current()) const;
  /// Node: `catch(onRejected)`. The callback takes an exception_ptr, a `const std::exception&` or
  /// nothing; with a given E it is called only for an E, anything else passes on. It gives a value like the promise's.
  template <class E = void, class G>
  Promise catch_(G&& onRejected,
                 std::source_location where = std::source_location::current()) const;
  /// Node: `finally(onFinally)`.
  template <class F>
  Promise finally(F&& onFinally,
                  std::source_location where = std::source_location::current()) const;

  /// What has become of it by now; one that follows another promise is pending until that has settled. Asking handles no
  /// rejection. Not of a promise that was moved from.
  PromiseStatus status() const noexcept { return state_->status; }
  friend bool operator==(const Promise& a, const Promise& b) noexcept {
    return a.state_ == b.state_;
  }

  /// Waits one microtask or more. Of an lvalue: a `const T&`, valid while a handle is held.
  /// Throws: TypeError ERR_PROMISE_CONSUMED when it was moved from, and may only be assigned to or destroyed.
  detail::PromiseAwaiter<T> operator co_await() const& {
    if (!state_) [[unlikely]]
      detail::throwPromiseConsumed();
    return detail::PromiseAwaiter<T>(state_);
  }
  /// Of an rvalue: the T, moved when this is the only handle, else copied.
  /// Throws: TypeError ERR_PROMISE_SHARED when T is move-only and there are other handles; ERR_PROMISE_CONSUMED.
  detail::PromiseValueAwaiter<T> operator co_await() && {
    if (!state_) [[unlikely]]
      detail::throwPromiseConsumed();
    return detail::PromiseValueAwaiter<T>(std::move(state_));
  }

  /// Internal: shares the state.
  explicit Promise(detail::Ref<detail::PromiseState<T>> state) noexcept
      : state_(std::move(state)) {}
  detail::PromiseState<T>& state() const noexcept { return *state_; }

 private:
  detail::Ref<detail::PromiseState<T>> state_;
};

/// Settles a promise; copies settle the same one. The first call wins, later ones do nothing.
/// Thread: the loop's. From elsewhere go through `EventLoop::post`.
template <class T>
class Resolver {
 public:
  using LoopBound = void;
  explicit Resolver(detail::Ref<detail::PromiseState<T>> state) noexcept
      : state_(std::move(state)) {
    state_->addResolver();
  }
  Resolver(const Resolver& other) noexcept : state_(other.state_) {
    if (state_) state_->addResolver();
  }
  Resolver(Resolver&&) noexcept = default;
  Resolver& operator=(Resolver other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Resolver() {
    if (state_) state_->dropResolver();
  }

  /// With a value, nothing (void), a promise or an awaitable, which are adopted.
  template <class... X>
  void resolve(X&&... value) const;
  /// With an exception or an exception_ptr; a null one is a TypeError.
  template <class E>
  void reject(E&& reason) const;
  /// As the executor's argument: `resolve(value)`.
  template <class... X>
  void operator()(X&&... value) const {
    resolve(std::forward<X>(value)...);
  }

 private:
  detail::Ref<detail::PromiseState<T>> state_;
};

/// The rejecting half of `withResolvers` and of an executor's arguments.
template <class T>
class Rejecter {
 public:
  using LoopBound = void;
  explicit Rejecter(Resolver<T> resolver) noexcept : resolver_(std::move(resolver)) {}
  template <class E>
  void operator()(E&& reason) const {
    resolver_.reject(std::forward<E>(reason));
  }

 private:
  Resolver<T> resolver_;
};

template <class T>
struct Promise<T>::Resolvers {
  using LoopBound = void;
  Promise promise;
  Resolver<T> resolve;
  Rejecter<T> reject;
};

namespace detail {

/// The awaiter is the entry of the queue: awaiting a promise allocates nothing.
template <class T>
class PromiseAwaiterBase : private ResumeJob {
 public:
  explicit PromiseAwaiterBase(Ref<PromiseState<T>> state) noexcept : state_(std::move(state)) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    state_->react(*this);
    capture(handle);
  }

 protected:
  Ref<PromiseState<T>> state_;
};

template <class T>
class PromiseAwaiter : public PromiseAwaiterBase<T> {
 public:
  using PromiseAwaiterBase<T>::PromiseAwaiterBase;
  decltype(auto) await_resume() const { return this->state_->peek(); }
};

template <class T>
class PromiseValueAwaiter : public PromiseAwaiterBase<T> {
 public:
  using PromiseAwaiterBase<T>::PromiseAwaiterBase;
  T await_resume() { return this->state_->take(1); }
};

template <class E>
std::exception_ptr asReason(E&& reason) {
  if constexpr (std::is_convertible_v<E, std::exception_ptr>) {
    return std::forward<E>(reason);
  } else {
    return std::make_exception_ptr(std::forward<E>(reason));
  }
}
/// The same, where there must be one.
template <class E>
std::exception_ptr asRejection(E&& reason) {
  std::exception_ptr given = asReason(std::forward<E>(reason));
  return given ? std::move(given) : nullReason();
}

/// The part of an async function's promise that does not depend on how it returns.
template <class T>
struct PromiseCoroutineBase : LoopOwned, FrameAllocated {
  using Handle = std::coroutine_handle<PromiseCoroutine<T>>;

  PromiseCoroutineBase() noexcept : LoopOwned(onDrop) {}
  ~PromiseCoroutineBase() {
    if (state) state->dropResolver();
  }
  Promise<T> get_return_object(std::source_location where = std::source_location::current()) {
    state = PromiseState<T>::make(where);
    state->addResolver();
    PromiseStateBase::queue().own(*this);
    return Promise<T>(state);
  }
  std::suspend_never initial_suspend() const noexcept { return {}; }
  // The frame ends itself; who waits is in the queue already.
  std::suspend_never final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept {
    state->checkEnd();
    state->rejectInstead(std::current_exception());
  }
  static void onDrop(LoopOwned& owned) noexcept {
    Handle::from_promise(static_cast<PromiseCoroutine<T>&>(owned)).destroy();
  }

  Ref<PromiseState<T>> state;
};

template <class T>
struct PromiseCoroutine : PromiseCoroutineBase<T> {
  template <class X = T>
  void return_value(X&& value) {
    resolveInto(*this->state, std::forward<X>(value));
  }
};
template <>
struct PromiseCoroutine<void> : PromiseCoroutineBase<void> {
  void return_void() noexcept {
    state->checkEnd();
    state->fulfill();
  }
};

}  // namespace detail

template <class T>
template <class Executor>
  requires(std::is_invocable_v<Executor&, Resolver<T>, Rejecter<T>> ||
           std::is_invocable_v<Executor&, Resolver<T>>)
Promise<T>::Promise(Executor&& executor, std::source_location where)
    : state_(detail::PromiseState<T>::make(where)) {
  LEAT_GUARD_CLOSURE(Executor);
  const Resolver<T> resolver(state_);
  const auto call = [&]<class... Settle>(const Settle&... settle) {
    using Given = std::invoke_result_t<Executor&, Settle...>;
    if constexpr (!std::is_void_v<Given> && Awaitable<Given>) {
      detail::DrivenExecutor<Given>::start(std::forward<Executor>(executor), settle...);
    } else {
      (void)executor(Settle(settle)...);
    }
  };
  try {
    if constexpr (std::is_invocable_v<Executor&, Resolver<T>, Rejecter<T>>) {
      call(resolver, Rejecter<T>(resolver));
    } else {
      call(resolver);
    }
  } catch (...) {
    resolver.reject(std::current_exception());
  }
}

template <class T>
template <class A>
  requires(!detail::isPromise<std::remove_cvref_t<A>> && Awaitable<A &&> &&
           std::is_same_v<detail::AdoptedType<std::remove_cvref_t<A>>, T>)
Promise<T>::Promise(A&& awaitable, std::source_location where)
    : state_(detail::PromiseState<T>::make(where)) {
  state_->locked = true;
  detail::startInto<T>(std::forward<A>(awaitable), state_);
}

template <class T>
template <class... X>
Promise<T> Promise<T>::resolve(X&&... value) {
  if constexpr (sizeof...(X) == 1 && (std::is_same_v<std::remove_cvref_t<X>, Promise> && ...)) {
    return (static_cast<X&&>(value), ...);
  } else {
    Promise promise(detail::PromiseState<T>::make(std::source_location::current()));
    detail::resolveInto(*promise.state_, std::forward<X>(value)...);
    return promise;
  }
}

template <class T>
template <class E>
Promise<T> Promise<T>::reject(E&& reason, std::source_location where) {
  Promise promise(detail::PromiseState<T>::make(where));
  promise.state_->reject(detail::asRejection(std::forward<E>(reason)));
  return promise;
}

template <class T>
typename Promise<T>::Resolvers Promise<T>::withResolvers(std::source_location where) {
  Promise promise(detail::PromiseState<T>::make(where));
  Resolver<T> resolver(promise.state_);
  return Resolvers{std::move(promise), resolver, Rejecter<T>(resolver)};
}

template <class T>
template <class... X>
void Resolver<T>::resolve(X&&... value) const {
  detail::resolveInto(*state_, std::forward<X>(value)...);
}

template <class T>
template <class E>
void Resolver<T>::reject(E&& reason) const {
  state_->checkThread();
  if (!state_->locked) state_->reject(detail::asRejection(std::forward<E>(reason)));
}

}  // namespace leat::inline LEAT_ABI
