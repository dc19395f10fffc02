// SPDX-License-Identifier: MIT
// AsyncLocalStorage: a value that callbacks, promises, timers and tasks inherit from where they were made.
#pragma once

#include <leat/core/with_context.hpp>

namespace leat::inline LEAT_ABI {

template <class T = void>
class AsyncLocalStorage;

namespace detail {

template <class T>
struct Store final : StoreBase {
  template <class X>
  explicit Store(X&& x) : value(std::forward<X>(x)) {}
  T value;
};

/// Puts a store into the context around the co_await; no store removes it.
class WithStore {
 public:
  WithStore(Ref<StoreKey> key, Ref<StoreBase> store) noexcept
      : key_(std::move(key)), store_(std::move(store)) {}
  ContextRef operator()() const {
    return ContextNode::withStore(threadState.context, key_.get(), store_);
  }

 private:
  Ref<StoreKey> key_;
  Ref<StoreBase> store_;
};

/// The context of another place, whatever there is around.
class WithCaptured {
 public:
  explicit WithCaptured(ContextRef context) noexcept : context_(std::move(context)) {}
  ContextRef operator()() const noexcept { return context_; }

 private:
  ContextRef context_;
};

/// Calls `fn` in the context that `derive` makes. What it returns keeps the context when awaited.
template <class Derive, class F, class... Args>
decltype(auto) callInContext(Derive derive, F&& fn, Args&&... args) {
  using Made = std::invoke_result_t<F, Args...>;
  ContextScope scope(derive());
  // A promise runs already, and has taken the context with it.
  if constexpr (Awaitable<Made> && !requires { typename std::remove_cvref_t<Made>::Resolvers; }) {
    return InContext<Made, Derive>(std::move(derive),
                                   std::forward<F>(fn)(std::forward<Args>(args)...));
  } else {
    return std::forward<F>(fn)(std::forward<Args>(args)...);
  }
}

}  // namespace detail

/// A handle to the store of an AsyncLocalStorage, or empty. Keeps the store alive.
template <class T>
class StoreHandle {
 public:
  StoreHandle() noexcept = default;
  explicit operator bool() const noexcept { return static_cast<bool>(store_); }
  T& operator*() const noexcept { return store_->value; }
  T* operator->() const noexcept { return &store_->value; }
  T* get() const noexcept { return store_ ? &store_->value : nullptr; }

 private:
  friend class AsyncLocalStorage<T>;
  explicit StoreHandle(detail::Store<T>* store) noexcept : store_(store) {}
  detail::Ref<detail::Store<T>> store_;
};

/// Calls functions in the context where it was made: with the stores of there, and the ambient abort signal,
/// as the callback of a timer that was set there. Copies share the context.
///
/// Node: what `AsyncLocalStorage.snapshot()` gives.
class ContextSnapshot {
 public:
  ContextSnapshot() noexcept : captured_(detail::currentContext()) {}
  /// Gives what `fn(args...)` gives. A task or operation keeps the context when it is awaited.
  template <class F, class... Args>
  decltype(auto) operator()(F&& fn, Args&&... args) const {
    LEAT_GUARD_CLOSURE(F);
    return detail::callInContext(captured_, std::forward<F>(fn), std::forward<Args>(args)...);
  }

 private:
  detail::WithCaptured captured_;
};

/// A function that is called in the context where it was bound. Node: what `AsyncLocalStorage.bind()` gives.
template <class F>
class ContextBound {
 public:
  template <class X>
    requires std::is_constructible_v<F, X>
  ContextBound(detail::WithCaptured captured, X&& f)
      : captured_(std::move(captured)), f_(std::forward<X>(f)) {}
  template <class... Args>
    requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return detail::callInContext(captured_, f_, std::forward<Args>(args)...);
  }
  template <class... Args>
    requires std::is_invocable_v<const F&, Args...>
  decltype(auto) operator()(Args&&... args) const {
    return detail::callInContext(captured_, f_, std::forward<Args>(args)...);
  }

 private:
  detail::WithCaptured captured_;
  F f_;
};

/// Node: `AsyncLocalStorage`. Any number may exist; each has its own store in a context.
///
/// Thread: a store goes wherever its context goes, also to a pool; guard what two threads change.
template <class T>
class AsyncLocalStorage {
 public:
  AsyncLocalStorage() : key_(detail::makeRef<detail::StoreKey>()) {}
  AsyncLocalStorage(const AsyncLocalStorage&) = delete;
  AsyncLocalStorage& operator=(const AsyncLocalStorage&) = delete;

  /// Calls `fn(args...)` with `store` and gives what it returns. A task or operation that it returns
  /// keeps the store through all its awaits, wherever it is awaited.
  ///
  /// Node: `run(store, callback, ...args)`.
  template <class X, class F, class... Args>
    requires std::is_constructible_v<T, X>
  decltype(auto) run(X&& store, F&& fn, Args&&... args) const {
    LEAT_GUARD_CLOSURE(F);
    return detail::callInContext(detail::WithStore(key_, make(std::forward<X>(store))),
                                 std::forward<F>(fn), std::forward<Args>(args)...);
  }
  /// Calls `fn(args...)` without a store. Node: `exit(callback, ...args)`.
  template <class F, class... Args>
  decltype(auto) exit(F&& fn, Args&&... args) const {
    LEAT_GUARD_CLOSURE(F);
    return detail::callInContext(detail::WithStore(key_, nullptr), std::forward<F>(fn),
                                 std::forward<Args>(args)...);
  }
  /// Empty outside of `run` and `enterWith`. Node: `getStore()`, undefined outside.
  StoreHandle<T> getStore() const noexcept {
    const detail::ContextNode* context = detail::threadState.context;
    if (context == nullptr) return StoreHandle<T>();
    return StoreHandle<T>(static_cast<detail::Store<T>*>(context->find(key_.get())));
  }
  /// From here to the end of the running callback, and in all that starts from it. A task that calls
  /// it changes the context of whoever awaits the task. Node: `enterWith(store)`.
  template <class X>
    requires std::is_constructible_v<T, X>
  void enterWith(X&& store) const {
    detail::swapContext(detail::WithStore(key_, make(std::forward<X>(store)))());
  }
  /// Forgets every store: in all contexts that exist `getStore` gives nothing from now on.
  /// Node: `disable()`.
  void disable() { key_ = detail::makeRef<detail::StoreKey>(); }

  /// The stores of all storages as they are here, to call functions with later:
  /// `auto there = AsyncLocalStorage<>::snapshot(); ... there(fn, args...)`.
  /// Node: `AsyncLocalStorage.snapshot()`.
  [[nodiscard]] static ContextSnapshot snapshot() noexcept { return {}; }
  /// `fn`, to be called with the stores of all storages as they are here. Node: `AsyncLocalStorage.bind(fn)`.
  template <class F>
  [[nodiscard]] static ContextBound<std::decay_t<F>> bind(F&& fn) {
    return ContextBound<std::decay_t<F>>(detail::WithCaptured(detail::currentContext()),
                                         std::forward<F>(fn));
  }

 private:
  template <class X>
  static detail::Ref<detail::StoreBase> make(X&& store) {
    return detail::makeRef<detail::Store<T>>(std::forward<X>(store));
  }

  detail::Ref<detail::StoreKey> key_;
};

}  // namespace leat::inline LEAT_ABI
