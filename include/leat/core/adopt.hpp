// SPDX-License-Identifier: MIT
// How a promise takes over what a task, an operation or another promise will give: each in as many
// ticks as V8 takes.
#pragma once

#include <leat/core/promise_state.hpp>
#include <leat/core/task.hpp>

namespace leat::inline LEAT_ABI {

template <class T = void>
class Promise;

namespace detail {

template <class T>
inline constexpr bool isPromise = false;
template <class T>
inline constexpr bool isPromise<Promise<T>> = true;
template <class>
inline constexpr bool isTask = false;
template <class T>
inline constexpr bool isTask<Task<T>> = true;

/// What a promise made of an X settles with: promises and awaitables are adopted.
template <class X>
struct Adopted {
  using Type = X;
};
template <class X>
  requires(!std::is_void_v<X> && Awaitable<X>)
struct Adopted<X> {
  using Type =
      std::remove_cv_t<std::conditional_t<std::is_lvalue_reference_v<AwaitResult<X>>,
                                          AwaitResult<X>, std::remove_cvref_t<AwaitResult<X>>>>;
};
template <class T>
struct Adopted<Promise<T>> {
  using Type = T;
};
template <class X>
using AdoptedType = typename Adopted<X>::Type;

/// Whether an X stands for a T to come rather than being one.
template <class T, class X>
inline constexpr bool adoptable =
    Awaitable<X> && (std::is_void_v<T> || !std::is_constructible_v<StoredType<T>, X>);

/// A task that runs for a promise. Owned by the loop until it ends.
template <class T>
class TaskIntoState : private LoopOwned, public FrameAllocated {
 public:
  static void start(Task<T>&& task, Ref<PromiseState<T>> outer) {
    auto* self = new TaskIntoState(std::move(task), std::move(outer));
    PromiseStateBase::queue().own(*self);
    const ContextStays context;
    self->runner_.start();
  }

 private:
  TaskIntoState(Task<T>&& task, Ref<PromiseState<T>> outer) noexcept
      : LoopOwned(onDrop), outer_(std::move(outer)), runner_(std::move(task), *this) {
    outer_->addResolver();
  }
  ~TaskIntoState() { outer_->dropResolver(); }
  static void onDrop(LoopOwned& owned) noexcept { delete &static_cast<TaskIntoState&>(owned); }
  static void onDone(CallbackFrame* frame) noexcept {
    TaskIntoState& self = static_cast<Runner*>(frame)->self;
    try {
      if (self.outer_->pending()) self.outer_->settleFrom(self.runner_.result());
    } catch (...) {
      self.outer_->reject(std::current_exception());
    }
    delete &self;
  }
  struct Runner : CallbackFrame {
    Runner(Task<T>&& t, TaskIntoState& s) noexcept
        : CallbackFrame(onDone), self(s), task(std::move(t)) {}
    void start() noexcept { startTask(task, *this); }
    Slot<T>& result() noexcept { return taskResult(task); }
    TaskIntoState& self;
    Task<T> task;
  };

  Ref<PromiseState<T>> outer_;
  Runner runner_;
};

template <class T, class A>
Task<T> awaitAsTask(A awaitable) {
  co_return static_cast<T>(co_await std::move(awaitable));
}

/// Starts what an awaitable does, for `outer`.
template <class T, class A>
void startInto(A&& awaitable, Ref<PromiseState<T>> outer) {
  if constexpr (std::is_same_v<std::remove_cvref_t<A>, Task<T>>) {
    if (!awaitable.valid()) [[unlikely]] {
      if (outer->pending()) outer->reject(taskConsumed());  // else see rejectInstead
      return;
    }
    TaskIntoState<T>::start(std::forward<A>(awaitable), std::move(outer));
  } else {
    TaskIntoState<T>::start(awaitAsTask<T, std::remove_cvref_t<A>>(std::forward<A>(awaitable)),
                            std::move(outer));
  }
}

/// resolve(promise): one tick to subscribe, one for the reaction; the outer's reactions then wait
/// the third. Node: NewPromiseResolveThenableJob.
template <class T, class U>
class AdoptJob : private Job, public FrameAllocated {
 public:
  static void start(Ref<PromiseState<T>> outer, Ref<PromiseState<U>> inner) {
    auto* self = new AdoptJob(std::move(outer), std::move(inner));
    PromiseStateBase::queue().pushMicrotask(*self);
  }

 private:
  AdoptJob(Ref<PromiseState<T>> outer, Ref<PromiseState<U>> inner) noexcept
      : Job(onJob), outer_(std::move(outer)), inner_(std::move(inner)) {
    outer_->addResolver();
  }
  ~AdoptJob() { outer_->dropResolver(); }
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<AdoptJob&>(job);
    if (action == JobAction::Drop) return delete &self;
    if (!std::exchange(self.subscribed_, true)) return self.inner_->react(self);
    self.transfer();
    delete &self;
  }
  void transfer() noexcept {
    if (!outer_->pending()) return;  // see rejectInstead
    try {
      if (inner_->status == PromiseStatus::Rejected) {
        outer_->reject(inner_->error);
      } else if constexpr (std::is_void_v<T>) {
        outer_->fulfill();
      } else {
        outer_->fulfill(inner_->take(1));
      }
    } catch (...) {
      outer_->reject(std::current_exception());
    }
  }

  Ref<PromiseState<T>> outer_;
  Ref<PromiseState<U>> inner_;
  bool subscribed_ = false;
};

/// resolve(thenable): the awaitable is driven in a job of its own.
template <class T, class A>
class DriveJob : private Job, public FrameAllocated {
 public:
  template <class X>
  static void start(X&& awaitable, Ref<PromiseState<T>> outer) {
    auto* self = new DriveJob(std::forward<X>(awaitable), std::move(outer));
    PromiseStateBase::queue().pushMicrotask(*self);
  }

 private:
  template <class X>
  DriveJob(X&& awaitable, Ref<PromiseState<T>> outer)
      : Job(onJob),
        awaitable_(std::forward<X>(awaitable)),
        outer_(std::move(outer)),
        context_(currentContext()) {
    outer_->addResolver();
  }
  ~DriveJob() { outer_->dropResolver(); }
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<DriveJob&>(job);
    if (action == JobAction::Run) {
      ContextScope scope(std::move(self.context_));
      try {
        startInto<T>(std::move(self.awaitable_), self.outer_);
      } catch (...) {
        if (self.outer_->pending()) self.outer_->reject(std::current_exception());
      }
    }
    delete &self;
  }

  A awaitable_;
  Ref<PromiseState<T>> outer_;
  ContextRef context_;
};

template <class T, class U>
void adoptPromise(PromiseState<T>& state, const Promise<U>& inner) {
  if (static_cast<PromiseStateBase*>(&inner.state()) == &state)
    return state.reject(
        std::make_exception_ptr(TypeError("Chaining cycle detected for promise #<Promise>", "")));
  if (!inner.state().onHomeThread()) [[unlikely]]
    return state.reject(std::make_exception_ptr(inner.state().wrongThread()));
  state.locked = true;
  AdoptJob<T, U>::start(Ref<PromiseState<T>>(&state), Ref<PromiseState<U>>(&inner.state()));
}

/// Resolves with a value, or adopts a promise or an awaitable: one that throws when it is copied rejects, as a
/// thenable that throws does in Node. First call wins.
template <class T, class X>
void resolveInto(PromiseState<T>& state, X&& value) {
  state.checkThread();
  if (state.locked) return;
  if constexpr (isPromise<std::remove_cvref_t<X>>) {
    adoptPromise(state, value);
  } else if constexpr (adoptable<T, X>) {
    state.locked = true;
    try {
      DriveJob<T, std::remove_cvref_t<X>>::start(std::forward<X>(value),
                                                 Ref<PromiseState<T>>(&state));
    } catch (...) {
      state.reject(std::current_exception());
    }
  } else {
    state.fulfill(std::forward<X>(value));
  }
}
template <class T>
void resolveInto(PromiseState<T>& state) {
  state.checkThread();
  if (!state.locked) state.fulfill();
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
