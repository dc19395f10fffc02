// SPDX-License-Identifier: MIT
// Task: a lazy coroutine with one owner and one awaiter. Awaiting it is a call: control goes straight
// in and straight back, no tick passes and nothing is allocated but the recycled frame.
#pragma once

#include <leat/base/result.hpp>
#include <leat/core/awaitable.hpp>
#include <leat/core/error.hpp>
#include <leat/core/nested_destroy.hpp>
#include <leat/core/resume.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI {

template <class T = void>
class Task;

namespace detail {

struct TaskPromiseBase;
template <class T>
void startTask(Task<T>& task, CallbackFrame& onDone) noexcept;
template <class T>
Slot<T>& taskResult(Task<T>& task) noexcept;
struct TaskOwner;
template <class T>
TaskOwner& taskOwner(Task<T>& task) noexcept;

/// Where a coroutine keeps a child. The handle names the part of the promise that chains are made of;
/// that part is where any promise of at most the alignment of the frame's two pointers begins.
struct TaskOwner {
  std::coroutine_handle<TaskPromiseBase> frame{};
};
inline constexpr std::size_t promiseAlign = 2 * alignof(void*);

template <class P>
std::coroutine_handle<TaskPromiseBase> frameOf(P& promise) noexcept {
  static_assert(std::is_base_of_v<TaskPromiseBase, P> && alignof(P) <= promiseAlign);
  return std::coroutine_handle<TaskPromiseBase>::from_address(
      std::coroutine_handle<P>::from_promise(promise).address());
}

/// A Slot of any alignment in a promise of `promiseAlign`. It destroys no error, see TaskPromiseBase.
template <class T>
class PromiseSlot {
 public:
  PromiseSlot() noexcept : slot_() {}
  ~PromiseSlot() { slot_.dropValue(); }
  Slot<T>& get() noexcept { return slot_; }

 private:
  union {
    Slot<T> slot_;
  };
};
template <class T>
  requires(alignof(Slot<T>) > promiseAlign)
class PromiseSlot<T> {
 public:
  PromiseSlot() noexcept { ::new (place()) Slot<T>; }
  ~PromiseSlot() { get().dropValue(); }
  Slot<T>& get() noexcept { return *static_cast<Slot<T>*>(place()); }

 private:
  void* place() noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_);
    return bytes_ + (-address & (alignof(Slot<T>) - 1));
  }
  std::byte bytes_[sizeof(Slot<T>) + alignof(Slot<T>) - 1];
};

/// The part of a task's promise that does not depend on its result.
struct TaskPromiseBase : FrameAllocated {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) const noexcept {
      return transfer(self.promise().continuation);
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }

  /// For `awaiting` of a coroutine that has left an error. Its owner, who looks there before it destroys the
  /// frame, destroys the error first: a frame that called for that would keep registers for the call.
  void failWith(std::exception_ptr& error) noexcept {
    awaiting = reinterpret_cast<TaskOwner*>(reinterpret_cast<std::uintptr_t>(&error) | failed);
  }
  /// The task that this one awaits now, or null. An error is destroyed.
  TaskOwner* awaitingNow() noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(awaiting);
    if ((address & failed) == 0) return awaiting;
    reinterpret_cast<std::exception_ptr*>(address - failed)->~exception_ptr();
    return awaiting = nullptr;
  }

  static constexpr std::uintptr_t failed = 1;
  union {
    std::coroutine_handle<> continuation{};
    TaskOwner* unlinked;  // afterwards: what a parent that keeps nothing of this one clears
  };
  // The task that this one awaits now. Destruction walks these to the leaf.
  TaskOwner* awaiting = nullptr;
};

template <class T>
struct ResultPromise : TaskPromiseBase {
  LEAT_NOINLINE void unhandled_exception(
      std::source_location where = std::source_location::current()) noexcept {
    threadState.thrownAt = where;
    result.get().fail(std::current_exception());
    failWith(result.get().ownError());
  }
#if LEAT_FREE_FRAMES && !defined(__clang__)
  LEAT_ALWAYS_INLINE static void* operator new(std::size_t size) {
    return allocate(size, freedByCoroutine);
  }
  /// Notes `kind` where it is when the promise has been constructed there, which sets all but that.
  LEAT_ALWAYS_INLINE static void* allocate(std::size_t size, unsigned char kind) {
    void* frame = FrameAllocated::operator new(size);
    auto& promise = std::coroutine_handle<ResultPromise>::from_address(frame).promise();
    static_cast<volatile unsigned char&>(promise.result.get().spareByte()) = kind;
    return frame;
  }
#endif
  /// Destroys a coroutine that has left a value: it awaits nothing and has no error.
  LEAT_ALWAYS_INLINE void destroyEnded() noexcept {
    const auto frame = frameOf(*this);
#if LEAT_FREE_FRAMES
    const unsigned char kind = static_cast<volatile unsigned char&>(result.get().spareByte());
    if constexpr (!std::is_trivially_destructible_v<StoredType<T>>) {
      if (kind != freedByCoroutine) result.get().dropValue();
    }
    freeEndedFrame(frame.address(), kind);
#else
    frame.destroy();
#endif
  }
  PromiseSlot<T> result;
};

template <class T>
struct TaskPromise : ResultPromise<T> {
  Task<T> get_return_object() noexcept;
  template <class U = T>
    requires(std::is_constructible_v<StoredType<T>, U &&> || std::is_reference_v<T>)
  void return_value(U&& value) {
    this->result.get().emplace(std::forward<U>(value));
  }
};

template <>
struct TaskPromise<void> : ResultPromise<void> {
  Task<void> get_return_object() noexcept;
  void return_void() noexcept { result.get().emplace(); }
};

#if LEAT_FREE_FRAMES
#if defined(__clang__)
/// The promise of a coroutine that clang makes and g++ may await. It notes nothing in its operator new: clang may
/// do without the call, or fill the promise before it is constructed. Its name is another one than that of g++'s.
template <class T>
struct OwnTaskPromise : TaskPromise<T> {
  OwnTaskPromise() noexcept { this->result.get().spareByte() = freedByCoroutine; }
};
#else
/// The promise of a coroutine in whose frame there is nothing to destroy at the end but this.
template <class T>
struct PlainTaskPromise : TaskPromise<T> {
  LEAT_ALWAYS_INLINE static void* operator new(std::size_t size) {
    return TaskPromise<T>::allocate(size, freedAs(size));
  }
};
#endif
#endif

/// Destroys a suspended chain of tasks leaf first, without recursion.
LEAT_INLINE void destroyLeafFirst(TaskOwner& root) noexcept;

#if LEAT_BODIES
LEAT_INLINE void destroyLeafFirst(TaskOwner& root) noexcept {
  // Down: each promise's `awaiting` is turned round to point at its own owner's parent.
  TaskOwner* owner = &root;
  TaskOwner* parent = nullptr;
  while (TaskOwner* child = owner->frame.promise().awaitingNow()) {
    owner->frame.promise().awaiting = parent;
    parent = owner;
    owner = child;
  }
  // Up again: `parent` is the owner of the frame that holds `owner`.
  for (;;) {
    std::exchange(owner->frame, {}).destroy();
    if (parent == nullptr) return;
    owner = parent;
    parent = std::exchange(owner->frame.promise().awaiting, nullptr);
  }
}
#endif
LEAT_NOINLINE inline void destroyChain(TaskOwner& root) noexcept {
  nestDestroy([&root] { destroyLeafFirst(root); });
}
/// Takes the handle: a coroutine that passed a place in its frame would keep a register for it.
LEAT_NOINLINE inline void destroyFrame(std::coroutine_handle<TaskPromiseBase> frame) noexcept {
  if (frame.promise().awaiting == nullptr) return frame.destroy();
  TaskOwner root{frame};
  destroyChain(root);
}

/// What comes of a task that is not `valid`.
LEAT_NOINLINE inline std::exception_ptr taskConsumed() noexcept {
  return errorOfMade([] {
    return TypeError("a Task was used that had been moved from or awaited already",
                     "ERR_TASK_CONSUMED");
  });
}
[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwTaskConsumed() {
  std::rethrow_exception(taskConsumed());
}

}  // namespace detail

/// A lazy asynchronous computation. It starts when awaited, spawned, given to a combinator or
/// converted to a Promise; destroyed before, it never runs; destroyed while suspended, it and all it
/// awaits are torn down leaf first. One that was moved from or awaited already gives a TypeError ERR_TASK_CONSUMED.
///
/// Node: no counterpart; an async function is a coroutine that returns Promise.
/// Resumes: in place, without a tick, on the thread that finished the last thing it awaited.
/// Throws: what the body threw, at the `co_await`.
template <class T>
class [[nodiscard("a Task does nothing until it is awaited or spawned")]] Task
    : private detail::TaskOwner {
 public:
  using promise_type = detail::TaskPromise<T>;
  class Awaiter;

  Task() noexcept = default;
  Task(Task&& other) noexcept : TaskOwner{std::exchange(other.frame, {})} {}
  Task& operator=(Task&& other) noexcept {
    Task old(std::move(*this));
    frame = std::exchange(other.frame, {});
    return *this;
  }
  LEAT_ALWAYS_INLINE ~Task() {
    if (!frame) return;
    if (frame.promise().awaiting != nullptr) [[unlikely]] {
      detail::destroyFrame(frame);
    } else {
      frame.destroy();
    }
  }

  /// False when moved from or awaited to the end.
  bool valid() const noexcept { return static_cast<bool>(frame); }
  /// Throws: TypeError ERR_TASK_CONSUMED when there is nothing left to await.
  Awaiter operator co_await() &&;
  /// A task is awaited once, and used up: write `co_await std::move(task)`.
  Awaiter operator co_await() & = delete;

 private:
  friend promise_type;
  template <class U>
  friend void detail::startTask(Task<U>& task, detail::CallbackFrame& onDone) noexcept;
  template <class U>
  friend detail::Slot<U>& detail::taskResult(Task<U>& task) noexcept;
  template <class U>
  friend detail::TaskOwner& detail::taskOwner(Task<U>& task) noexcept;
  explicit Task(promise_type& own) noexcept : TaskOwner{detail::frameOf(own)} {}
  detail::Slot<T>& result() noexcept {
    return static_cast<promise_type&>(frame.promise()).result.get();
  }
};

template <class T>
class Task<T>::Awaiter {
 public:
  explicit Awaiter(Task&& task) noexcept : task_{std::exchange(task.frame, {})} {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  LEAT_ALWAYS_INLINE ~Awaiter() {
    if (!task_.frame) return;
    if (promise().result.get().state() == detail::Slot<T>::Value) [[likely]] {
      promise().destroyEnded();
    } else {
      detail::destroyFrame(task_.frame);
    }
  }
  bool await_ready() const noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    const auto child = task_.frame;  // what is stored now might be anything to the compiler
    child.promise().continuation = parent;
    if constexpr (std::is_base_of_v<detail::TaskPromiseBase, P>) {
      link_ = &parent.promise().awaiting;
      *link_ = &task_;
    } else {
      link_ = &child.promise().unlinked;
    }
    return detail::transfer(child);
  }
  T await_resume() {
    *link_ = nullptr;
    return promise().result.get().take();
  }

 private:
  promise_type& promise() noexcept { return static_cast<promise_type&>(task_.frame.promise()); }

  detail::TaskOwner task_;  // here, so that the chain has no link that another object could break
  // What the parent's promise keeps of the task, or of another kind of parent nothing.
  detail::TaskOwner** link_;
};

template <class T>
typename Task<T>::Awaiter Task<T>::operator co_await() && {
  if (!frame) [[unlikely]]
    detail::throwTaskConsumed();
  return Awaiter(std::move(*this));
}

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(*this);
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept { return Task<void>(*this); }

/// Starts a task from outside of a coroutine: `onDone` is resumed in the place of a parent, perhaps
/// before this returns.
template <class T>
void startTask(Task<T>& task, CallbackFrame& onDone) noexcept {
  task.frame.promise().continuation = onDone.handle();
  runInside(task.frame);
}
/// What a task that has ended left.
template <class T>
Slot<T>& taskResult(Task<T>& task) noexcept {
  return task.result();
}
/// What a coroutine that awaits `task` by other means than `co_await` puts into its `awaiting`.
template <class T>
TaskOwner& taskOwner(Task<T>& task) noexcept {
  return task;
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI

#if LEAT_FREE_FRAMES
#if defined(__clang__)
template <class T, class... Parameters>
struct std::coroutine_traits<leat::Task<T>, Parameters...> {
  using promise_type = leat::detail::OwnTaskPromise<T>;
};
#else
/// A coroutine whose copies of its parameters need no destructor.
template <class T, class... Parameters>
  requires(std::is_trivially_destructible_v<Parameters> && ...)
struct std::coroutine_traits<leat::Task<T>, Parameters...> {
  using promise_type = leat::detail::PlainTaskPromise<T>;
};
#endif
#endif
