// SPDX-License-Identifier: MIT
// then, catch_ and finally. Each allocates one block: the callback, the job and the derived promise.
#pragma once

#include <leat/core/promise.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {
namespace detail {

/// Stands for a callback that was not given: the outcome passes through.
struct PassThrough {};

/// What `f` gives for a value of type T.
template <class F, class T>
auto fulfilledResult() {
  if constexpr (std::is_void_v<T>) {
    return std::type_identity<std::invoke_result_t<F&>>();
  } else if constexpr (std::is_invocable_v<F&, T>) {
    return std::type_identity<std::invoke_result_t<F&, T>>();
  } else if constexpr (std::is_invocable_v<F&, const std::remove_reference_t<T>&>) {
    return std::type_identity<std::invoke_result_t<F&, const std::remove_reference_t<T>&>>();
  } else {
    static_assert(std::is_invocable_v<F&>,
                  "then(f): f takes neither the promise's value nor nothing");
    return std::type_identity<std::invoke_result_t<F&>>();
  }
}
template <class F, class T>
using FulfilledResult = typename decltype(fulfilledResult<F, T>())::type;

template <class F, class T>
decltype(auto) callFulfilled(F& f, PromiseState<T>& source) {
  if constexpr (std::is_void_v<T>) {
    return f();
  } else if constexpr (std::is_reference_v<T>) {
    if constexpr (std::is_invocable_v<F&, T>) {
      return f(static_cast<T>(*source.value));
    } else {
      return f();
    }
  } else if constexpr (std::is_invocable_v<F&, const T&>) {
    // A copy of what is trivial is as good as the value itself.
    if constexpr (std::is_invocable_v<F&, T> && !std::is_trivially_copyable_v<T> &&
                  std::is_same_v<FulfilledResult<F, T>, std::invoke_result_t<F&, const T&>>) {
      if (source.refs - source.resolvers == 1) return f(std::move(source.value));
    }
    return f(std::as_const(source.value));
  } else if constexpr (std::is_invocable_v<F&, T>) {
    return f(source.take(1));
  } else {
    return f();
  }
}

/// Calls `g` with the reason in the form that it takes.
template <class G>
decltype(auto) callRejected(G& g, const std::exception_ptr& error) {
  if constexpr (std::is_invocable_v<G&, std::exception_ptr>) {
    return g(error);
  } else if constexpr (std::is_invocable_v<G&, const std::exception&>) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      return g(e);
    }
  } else {
    static_assert(std::is_invocable_v<G&>,
                  "onRejected takes a std::exception_ptr, a const std::exception& or nothing");
    return g();
  }
}
template <class G>
using RejectedResult =
    std::remove_cvref_t<decltype(callRejected(std::declval<G&>(), std::exception_ptr()))>;

/// `catch_<E>`: only an E reaches the callback; what else there is goes on.
template <class E, class G>
class CatchOnly {
 public:
  explicit CatchOnly(G&& g) : g_(std::move(g)) {}
  explicit CatchOnly(const G& g) : g_(g) {}
  decltype(auto) operator()(std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const E& e) {
      if constexpr (std::is_invocable_v<G&, const E&>) {
        return g_(e);
      } else {
        return g_();
      }
    }
  }

 private:
  G g_;
};

template <class U, class T, class F, class G>
class ThenState : public PromiseState<U>, private Job {
 public:
  template <class A, class B>
  static Promise<U> attach(PromiseState<T>& source, A&& f, B&& g, std::source_location place) {
    source.checkThread();
    void* block = allocateFrame(sizeof(ThenState));
    ThenState* self;
    try {
      self = ::new (block) ThenState(source, std::forward<A>(f), std::forward<B>(g), place);
    } catch (...) {
      freeFrame(block, sizeof(ThenState));
      throw;
    }
    try {
      source.reactHere(*self);
    } catch (...) {
      self->giveUp();
      throw;
    }
    return Promise<U>(Ref<PromiseState<U>>::adopt(self));
  }

 private:
  struct Work {
    template <class A, class B>
    Work(PromiseState<T>& s, A&& a, B&& b)
        : source(&s), context(threadState.context), f(std::forward<A>(a)), g(std::forward<B>(b)) {}
    PromiseState<T>* source;  // both with a count
    ContextNode* context;
    [[no_unique_address]] F f;
    [[no_unique_address]] G g;
  };

  // One handle is the caller's, the other one the job's.
  template <class A, class B>
  ThenState(PromiseState<T>& source, A&& f, B&& g, std::source_location place)
      : PromiseState<U>(place, destroy),
        Job(onJob),
        work_(source, std::forward<A>(f), std::forward<B>(g)) {
    source.retain();
    if (work_.context != nullptr) work_.context->retain();
    this->refs = 2;
    this->resolvers = 1;
    this->keeps = true;
  }
  ~ThenState() {}
  LEAT_NOINLINE void giveUp() noexcept {
    this->refs = 1;
    this->resolvers = 0;
    this->release();
  }
  static void destroy(PromiseStateBase& base) noexcept {
    auto& self = static_cast<ThenState&>(base);
    if (self.keeps) [[unlikely]]
      self.dropWork();
    if (!self.destroyBare()) [[unlikely]]
      destroyFull(self);
    freeFrame(&self, sizeof(ThenState));
  }
  LEAT_NOINLINE static void destroyFull(ThenState& self) noexcept { self.~ThenState(); }
  LEAT_NOINLINE void dropWork() noexcept {
    this->keeps = false;
    this->unlink();
    ContextNode* context = work_.context;
    PromiseState<T>* source = work_.source;
    work_.~Work();
    if (context != nullptr) context->release();
    if (source != nullptr) source->release();
  }

  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<ThenState&>(job);
    if (action != JobAction::Run) [[unlikely]]
      return self.endUnsettled();
    enterFromQueue(std::exchange(self.work_.context, nullptr));
    PromiseState<T>& source = *self.work_.source;
    try {
      if (source.status == PromiseStatus::Fulfilled) {
        self.onFulfilled(source);
      } else {
        self.onRejected(source);
      }
    } catch (...) {
      self.rejectCaught();
    }
    if (self.pending()) [[unlikely]]
      return self.endUnsettled();
    // Settled, it lets go of its callbacks and of the promise that it came from.
    self.keeps = false;
    self.work_.~Work();
    source.releaseHere();
    if (self.refs == 1) return destroy(self);
    --self.refs;
    --self.resolvers;
  }
  LEAT_NOINLINE void rejectCaught() noexcept { this->reject(std::current_exception()); }
  LEAT_NOINLINE void endUnsettled() noexcept {
    // A callback that is a coroutine and goes on refers to its closure: that stays until there is an outcome.
    if (this->locked) {
      std::exchange(work_.source, nullptr)->release();
      this->function = onAdopted;
      this->reactions.pushBack(*this);
    } else {
      dropWork();
    }
    this->dropResolver();
    this->release();
  }
  /// Its own reaction, which keeps nothing: what the callback gave has settled.
  static void onAdopted(Job& job, JobAction) noexcept {
    auto& self = static_cast<ThenState&>(job);
    self.retain();  // the callback may hold the last handle
    self.dropWork();
    self.release();
  }
  void onFulfilled(PromiseState<T>& source) {
    if constexpr (!std::is_same_v<F, PassThrough>) {
      resolveFrom([&]() -> decltype(auto) { return callFulfilled(work_.f, source); });
    } else if constexpr (std::is_void_v<T>) {
      this->fulfill();
    } else {
      this->fulfill(source.take(1));
    }
  }
  void onRejected(PromiseState<T>& source) {
    if constexpr (!std::is_same_v<G, PassThrough>) {
      resolveFrom([&]() -> decltype(auto) { return callRejected(work_.g, source.error); });
    } else {
      this->reject(source.error);
    }
  }
  template <class Call>
  void resolveFrom(Call&& call) {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      this->fulfill();
    } else {
      resolveInto(static_cast<PromiseState<U>&>(*this), call());
    }
  }

  union {
    Work work_;
  };
};

/// Whether `g` gives something that a promise of a U may settle with.
template <class U, class G>
inline constexpr bool standsFor =
    std::is_void_v<U> || !std::is_void_v<AdoptedType<RejectedResult<G>>>;

template <class U, class T, class F, class G>
Promise<U> attachThen(PromiseState<T>& source, F&& f, G&& g, std::source_location where) {
  using State = ThenState<U, T, std::decay_t<F>, std::decay_t<G>>;
  return State::attach(source, std::forward<F>(f), std::forward<G>(g), where);
}

template <class F>
struct SharedCallable : Counted<SharedCallable<F>> {
  template <class X>
  explicit SharedCallable(X&& f) : callable(std::forward<X>(f)) {}
  F callable;
};

/// The promise of what a callback of `finally` gave.
template <class F>
auto callFinally(F& f) {
  using R = std::invoke_result_t<F&>;
  if constexpr (isPromise<std::remove_cvref_t<R>>) {
    return f();
  } else if constexpr (std::is_void_v<R>) {
    f();
    return Promise<void>::resolve();
  } else if constexpr (Awaitable<R>) {
    return Promise<AdoptedType<std::remove_cvref_t<R>>>::resolve(f());
  } else {
    (void)f();
    return Promise<void>::resolve();
  }
}

}  // namespace detail

template <class T>
template <class F>
auto Promise<T>::then(F&& onFulfilled, std::source_location where) const {
  LEAT_GUARD_CLOSURE(F);
  using U = detail::AdoptedType<std::remove_cvref_t<detail::FulfilledResult<std::decay_t<F>, T>>>;
  return detail::attachThen<U>(*state_, std::forward<F>(onFulfilled), detail::PassThrough(), where);
}

template <class T>
template <class F, class G>
  requires(!std::is_same_v<std::remove_cvref_t<G>, std::source_location>)
auto Promise<T>::then(F&& onFulfilled, G&& onRejected, std::source_location where) const {
  LEAT_GUARD_CLOSURE(F);
  LEAT_GUARD_CLOSURE(G);
  using U = detail::AdoptedType<std::remove_cvref_t<detail::FulfilledResult<std::decay_t<F>, T>>>;
  static_assert(detail::standsFor<U, std::decay_t<G>>,
                "then(f, g): g must give a value as f does, or be declared to and throw");
  return detail::attachThen<U>(*state_, std::forward<F>(onFulfilled), std::forward<G>(onRejected),
                               where);
}

template <class T>
template <class E, class G>
Promise<T> Promise<T>::catch_(G&& onRejected, std::source_location where) const {
  LEAT_GUARD_CLOSURE(G);
  if constexpr (std::is_void_v<E>) {
    static_assert(detail::standsFor<T, std::decay_t<G>>,
                  "catch_(f): f must give the value that stands for the promise's, or throw");
    return detail::attachThen<T>(*state_, detail::PassThrough(), std::forward<G>(onRejected),
                                 where);
  } else {
    using Only = detail::CatchOnly<E, std::decay_t<G>>;
    static_assert(detail::standsFor<T, Only>,
                  "catch_<E>(f): f must give the value that stands for the promise's, or throw");
    return detail::attachThen<T>(*state_, detail::PassThrough(), Only(std::forward<G>(onRejected)),
                                 where);
  }
}

template <class T>
template <class F>
Promise<T> Promise<T>::finally(F&& onFinally, std::source_location where) const {
  LEAT_GUARD_CLOSURE(F);
  // One callback serves both outcomes; only one of them happens.
  auto shared =
      detail::makeRef<detail::SharedCallable<std::decay_t<F>>>(std::forward<F>(onFinally));
  auto rethrow = [shared, where](std::exception_ptr error) {
    auto done = detail::callFinally(shared->callable);
    auto again = [error]() -> T { std::rethrow_exception(error); };
    return detail::attachThen<T>(done.state(), std::move(again), detail::PassThrough(), where);
  };
  if constexpr (std::is_void_v<T>) {
    auto pass = [shared] { return detail::callFinally(shared->callable); };
    return detail::attachThen<T>(*state_, std::move(pass), std::move(rethrow), where);
  } else {
    auto pass = [shared, where](T value) {
      auto done = detail::callFinally(shared->callable);
      auto give = [v = std::forward<T>(value)]() mutable -> T { return std::forward<T>(v); };
      return detail::attachThen<T>(done.state(), std::move(give), detail::PassThrough(), where);
    };
    return detail::attachThen<T>(*state_, std::move(pass), std::move(rethrow), where);
  }
}

}  // namespace leat::inline LEAT_ABI
