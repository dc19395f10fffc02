// SPDX-License-Identifier: MIT
// Structured concurrency: children end before the scope that started them does, and the first failure
// aborts the rest.
#pragma once

#include <leat/core/combinators.hpp>
#include <leat/core/with_context.hpp>

namespace leat::inline LEAT_ABI {

class TaskScope;

namespace detail {

LEAT_INLINE bool isAbortError(const std::exception_ptr& error) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool isAbortError(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const AbortError&) {
    return true;
  } catch (...) {
    return false;
  }
}
#endif

struct ScopeChildBase : ListNode {
  explicit ScopeChildBase(void (*function)(ScopeChildBase&) noexcept) noexcept : drop(function) {}
  void (*drop)(ScopeChildBase&) noexcept;
};

template <class F>
using ScopeBodyType = WithoutRvalue<AwaitResult<std::invoke_result_t<F&, TaskScope&>>>;

}  // namespace detail

/// The children of a scope. Made by `scoped`.
class TaskScope {
 public:
  TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  /// Destroys the children that have not ended, which happens only when the scope is abandoned.
  ~TaskScope();

  /// Starts a task or another awaitable now, under the scope's signal. The promise is for the result;
  /// the scope waits for the child and takes care of its failure with or without it.
  template <class A>
  auto spawn(A&& awaitable);
  /// Aborts the children and the body. The AbortErrors of children that follow from it are no failures.
  void cancel(std::exception_ptr reason = nullptr) noexcept;
  /// Ambient inside of the scope; follows the ambient signal around it.
  AbortSignal signal() const noexcept { return AbortSignal(signal_); }
  bool empty() const noexcept { return children_.empty(); }

  // Internal.

  /// Waits for all children. Not to be aborted.
  class Join;
  Join join() noexcept;
  /// Starts a child whose failure is its promise's business alone.
  template <class A>
  auto spawnQuietly(A&& awaitable);
  void fail(std::exception_ptr error) noexcept;
  const std::exception_ptr& failure() const noexcept { return failure_; }
  detail::AbortState* state() const noexcept { return signal_.get(); }

 private:
  template <class T>
  class Child;
  template <class T, class A>
  Promise<T> start(A&& awaitable, bool quiet);
  /// Who goes on when a child has ended.
  std::coroutine_handle<> ended() noexcept;

  detail::Ref<detail::AbortState> signal_;
  detail::List<detail::ScopeChildBase> children_;
  std::exception_ptr failure_;
  detail::Continuation joiner_;
  bool joining_ = false;
  bool cancelled_ = false;
};

class TaskScope::Join {
 public:
  explicit Join(TaskScope& scope) noexcept : scope_(scope) {}
  bool await_ready() const noexcept { return scope_.children_.empty(); }
  void await_suspend(std::coroutine_handle<> handle) noexcept {
    scope_.joiner_.capture(handle);
    scope_.joining_ = true;
  }
  void await_resume() const noexcept {}

 private:
  TaskScope& scope_;
};

/// A child, which is the promise of its result, too. The scope has a handle until the child ends.
template <class T>
class TaskScope::Child : public detail::PromiseState<T>,
                         public detail::ScopeChildBase,
                         private detail::CallbackFrame {
 public:
  static detail::Ref<detail::PromiseState<T>> start(TaskScope& scope, Task<T>&& task, bool quiet) {
    auto* self = ::new (detail::allocateFrame(sizeof(Child))) Child(scope, std::move(task), quiet);
    auto outcome = detail::Ref<detail::PromiseState<T>>::adopt(self);
    scope.children_.pushBack(*self);
    if (self->task_.valid()) [[likely]] {
      detail::startTask(self->task_, *self);
    } else {
      detail::runInside(self->failed(detail::taskConsumed()));
    }
    return outcome;
  }

 private:
  using Slot = detail::Slot<T>;

  Child(TaskScope& scope, Task<T>&& task, bool quiet) noexcept
      : detail::PromiseState<T>(onLast, detail::PromiseStateBase::Handled()),
        ScopeChildBase(onDrop),
        CallbackFrame(detail::inPlaceOfFrame(onDone)),
        scope_(scope),
        task_(std::move(task)),
        quiet_(quiet) {
    this->refs = 2;
    this->resolvers = 1;
  }
  static void onLast(detail::PromiseStateBase& base) noexcept {
    auto& self = static_cast<Child&>(base);  // which has left the scope
    if (!self.destroyBare()) [[unlikely]]
      destroyFull(self);
    detail::freeFrame(&self, sizeof(Child));
  }
  LEAT_NOINLINE static void destroyFull(Child& self) noexcept { self.~Child(); }
  static void onDrop(ScopeChildBase& base) noexcept {
    auto& self = static_cast<Child&>(base);
    // It is about to leave, and what its task held ends the scope.
    if (self.resolvers == 0) return;
    self.dropResolver();
    (void)self.leave();
  }
  LEAT_GOES_ON static void onDone(CallbackFrame* frame) {
    LEAT_GO_ON(static_cast<Child*>(frame)->done());
  }
  /// Who goes on.
  std::coroutine_handle<> done() noexcept {
    Slot& slot = detail::taskResult(task_);
    if (slot.state() != Slot::Value) [[unlikely]]
      return failed(slot.state() == Slot::Error ? slot.error() : std::exception_ptr());
    try {
      this->settleFrom(slot);
    } catch (...) {
      this->error = std::current_exception();
    }
    // Not in the handler, as who waits for the scope may go on from here.
    if (this->pending()) [[unlikely]]
      return failed(this->error);
    return ended();
  }
  LEAT_NOINLINE std::coroutine_handle<> failed(std::exception_ptr reason) noexcept {
    this->checkEnd();
    if (!reason) {
      try {
        this->settleFrom(detail::taskResult(task_));
      } catch (...) {
        reason = std::current_exception();
      }
    }
    this->reject(reason);
    --this->resolvers;
    // While the child is in the scope, which ends with the last one, and may end with what a listener drops.
    if (!quiet_ && !(scope_.cancelled_ && detail::isAbortError(reason)))
      scope_.fail(std::move(reason));
    reason = nullptr;
    return left();
  }
  std::coroutine_handle<> ended() noexcept {
    --this->resolvers;
    return left();
  }
  std::coroutine_handle<> left() noexcept {
    TaskScope& scope = scope_;
    return leave() ? scope.ended() : std::noop_coroutine();
  }
  /// Whether the scope is still there.
  bool leave() noexcept {
    {
      const Task<T> last = std::move(task_);
    }
    const bool left = this->linked();
    if (left && this->refs == 1 && !isTrivial()) return leaveWithResult();
    this->unlink();
    this->releaseHere();
    return left;
  }
  bool isTrivial() const noexcept {
    return std::is_trivially_destructible_v<detail::StoredType<T>> && this->isBare();
  }
  /// What the result keeps may end the scope, when it goes: something else is the child meanwhile.
  LEAT_NOINLINE bool leaveWithResult() noexcept {
    detail::ScopeChildBase place([](detail::ScopeChildBase&) noexcept {});
    scope_.children_.pushBack(place);
    this->unlink();
    this->releaseHere();
    return place.linked();
  }

  TaskScope& scope_;
  Task<T> task_;
  bool quiet_;
};

#if LEAT_BODIES
LEAT_INLINE TaskScope::TaskScope() : signal_(detail::makeRef<detail::AbortState>()) {
  if (detail::AbortState* around = detail::ambientSignal())
    (void)detail::followSignal(*around, *signal_);
}

LEAT_INLINE TaskScope::~TaskScope() {
  while (!children_.empty()) {
    detail::ScopeChildBase& child = children_.popFront();
    child.drop(child);
  }
}

LEAT_INLINE void TaskScope::cancel(std::exception_ptr reason) noexcept {
  cancelled_ = true;
  detail::abortNow(*signal_, detail::abortReason(std::move(reason)));
}

LEAT_INLINE void TaskScope::fail(std::exception_ptr error) noexcept {
  if (failure_) return;
  failure_ = error;
  detail::abortNow(*signal_, std::move(error));
}

LEAT_INLINE TaskScope::Join TaskScope::join() noexcept { return Join(*this); }
#endif

inline std::coroutine_handle<> TaskScope::ended() noexcept {
  if (!joining_ || !children_.empty()) return std::noop_coroutine();
  joining_ = false;
  return joiner_.goOn();
}

template <class T, class A>
Promise<T> TaskScope::start(A&& awaitable, bool quiet) {
  (void)detail::currentQueue();
  std::optional<detail::ContextScope> context;
  if (detail::ambientSignal() != signal_.get()) [[unlikely]]
    context.emplace(detail::WithAmbient(signal_.get())());
  const detail::ContextStays stays;
  if constexpr (std::is_same_v<std::remove_cvref_t<A>, Task<T>>) {
    return Promise<T>(Child<T>::start(*this, std::forward<A>(awaitable), quiet));
  } else {
    return Promise<T>(Child<T>::start(
        *this, detail::awaitAsTask<T, std::remove_cvref_t<A>>(std::forward<A>(awaitable)), quiet));
  }
}

template <class A>
auto TaskScope::spawn(A&& awaitable) {
  return start<detail::InputType<A>>(std::forward<A>(awaitable), false);
}

template <class A>
auto TaskScope::spawnQuietly(A&& awaitable) {
  return start<detail::InputType<A>>(std::forward<A>(awaitable), true);
}

namespace detail {

template <class T, class F>
Task<T> scopedTask(F body) {
  TaskScope scope;
  auto work = [&] { return body(scope); };
  auto outcome =
      co_await asResult(InContext<decltype(work)&, WithAmbient>(WithAmbient(scope.state()), work));
  if (!outcome) scope.fail(outcome.error());
  co_await scope.join();
  if (scope.failure()) std::rethrow_exception(scope.failure());
  co_return std::move(outcome).value();
}

/// Starts all, takes the outcome of `first` over their promises, stops the others and waits for them.
template <class T, class First, class... A>
Task<T> firstScoped(First first, A... inputs) {
  TaskScope scope;
  std::tuple started{scope.spawnQuietly(std::move(inputs))...};  // in this order
  Result<T> outcome = co_await asResult(std::apply(first, std::move(started)));
  scope.cancel();
  co_await scope.join();
  co_return std::move(outcome).value();
}

template <class T, class First, class R>
Task<T> firstScopedOf(First first, R range) {
  TaskScope scope;
  std::vector<Promise<T>> started;
  for (auto& input : range) started.push_back(scope.spawnQuietly(std::move(input)));
  Result<T> outcome = co_await asResult(first(std::move(started)));
  scope.cancel();
  co_await scope.join();
  co_return std::move(outcome).value();
}

struct RaceOf {
  template <class... P>
  auto operator()(P... promises) const {
    return race(std::move(promises)...);
  }
};
struct AnyOf {
  template <class... P>
  auto operator()(P... promises) const {
    return any(std::move(promises)...);
  }
};

}  // namespace detail

/// `co_await scoped([](TaskScope& scope) -> Task<T> {...})` runs the body and what it spawns, and gives
/// the body's result when all of them have ended. The first failure aborts the rest and is thrown.
///
/// Completes: when the body and all children have ended, always.
/// Cancel: aborts the body and the children.
template <class F>
  requires std::is_invocable_v<std::decay_t<F>&, TaskScope&>
auto scoped(F&& body) {
  LEAT_GUARD_CLOSURE(F);
  using Body = std::decay_t<F>;
  return detail::scopedTask<detail::ScopeBodyType<Body>, Body>(std::forward<F>(body));
}

/// As `race`, but the losers are aborted and have ended when it goes on. Of an empty range: pending for ever.
template <class... A>
  requires(sizeof...(A) > 0 && !detail::isRangeCall<A...>)
auto raceScoped(A&&... inputs) {
  using T = detail::OneOf<detail::InputType<A>...>;
  return detail::firstScoped<T>(detail::RaceOf(), std::forward<A>(inputs)...);
}
template <detail::InputRange R>
auto raceScoped(R&& range) {
  using T = detail::RangeInput<R>;
  return detail::firstScopedOf<T, detail::RaceOf, std::decay_t<R>>(detail::RaceOf(),
                                                                   std::forward<R>(range));
}

/// As `any`, but the losers are aborted and have ended when it goes on.
template <class... A>
  requires(sizeof...(A) > 0 && !detail::isRangeCall<A...>)
auto anyScoped(A&&... inputs) {
  using T = detail::OneOf<detail::InputType<A>...>;
  return detail::firstScoped<T>(detail::AnyOf(), std::forward<A>(inputs)...);
}
template <detail::InputRange R>
auto anyScoped(R&& range) {
  using T = detail::RangeInput<R>;
  return detail::firstScopedOf<T, detail::AnyOf, std::decay_t<R>>(detail::AnyOf(),
                                                                  std::forward<R>(range));
}

}  // namespace leat::inline LEAT_ABI
