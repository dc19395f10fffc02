// SPDX-License-Identifier: MIT
// What the handles of a promise share: status, value, reactions. Counted plainly; it belongs to the
// loop on whose thread it was made.
#pragma once

#include <leat/base/result.hpp>
#include <leat/core/microtask_queue.hpp>

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace leat::inline LEAT_ABI {

enum class PromiseStatus : unsigned char { Pending, Fulfilled, Rejected };

namespace detail {

struct PromiseStateBase {
  using Dispose = void (*)(PromiseStateBase&) noexcept;

  PromiseStateBase(Dispose d, std::source_location place) noexcept
      : home(threadState.home), dispose(d), where(place) {}
  /// One whose rejection is somebody's business already.
  struct Handled {};
  PromiseStateBase(Dispose d, Handled) noexcept
      : handled(true), home(threadState.home), dispose(d) {}
  PromiseStateBase(const PromiseStateBase&) = delete;
  PromiseStateBase& operator=(const PromiseStateBase&) = delete;

  void retain() noexcept { ++refs; }
  void release() noexcept { releaseHere(); }
  /// The same, without a call.
  LEAT_ALWAYS_INLINE void releaseHere() noexcept {
    if (--refs == 0) dispose(*this);
  }

  bool pending() const noexcept { return status == PromiseStatus::Pending; }
  bool onHomeThread() const noexcept { return threadState.home == home; }
  /// On the home thread.
  static MicrotaskQueue& queue() noexcept { return *threadState.queue; }
  /// Throws: Error ERR_WRONG_THREAD, ERR_NO_LOOP.
  void checkThread() const {
    if (!onHomeThread()) [[unlikely]]
      throwWrongThread();
  }
  LEAT_NOINLINE Error wrongThread() const {
    return Error(homeEndedHere(home)
                     ? "a promise was used after the end of the event loop it was made on"
                     : "a promise was used on the thread of another event loop than the one "
                       "it was made on; use EventLoop::post to go there",
                 "ERR_WRONG_THREAD");
  }
  /// A coroutine of this promise ends here.
  void checkEnd() const noexcept {
    if (!onHomeThread()) [[unlikely]]
      endedAway();
  }
  /// Calls `reaction` in a microtask once this is settled; the rejection counts as handled.
  void react(Job& reaction) {
    checkThread();
    reactHere(reaction);
  }
  /// After `checkThread`.
  void reactHere(Job& reaction) {
    if (!handled) markHandled();
    if (pending()) {
      // A reaction keeps its promise; nobody is left to end that.
      resolvers > 0 ? reactions.pushBack(reaction) : queue().keepForEver(reaction);
    } else {
      queue().pushMicrotask(reaction);
    }
  }
  void markHandled() {
    if (reported) [[unlikely]]
      tellHandled();
    handled = true;
  }
  /// The value is in place already.
  void fulfilled() noexcept { settle(PromiseStatus::Fulfilled); }
  void reject(std::exception_ptr reason) {
    error = std::move(reason);
    settle(PromiseStatus::Rejected);
    if (!handled) queue().noteRejection(*this);
  }
  void addResolver() noexcept { ++resolvers; }
  void dropResolver() noexcept {
    if (--resolvers == 0 && pending()) abandoned();
  }

  unsigned refs = 1;
  unsigned resolvers = 0;
  // resolve() was called; what it was given may still be pending.
  bool locked = false;
  PromiseStatus status = PromiseStatus::Pending;
  bool handled = false;
  // unhandledRejection was emitted for it.
  bool reported = false;
  // For a class derived from this: whether it has more to destroy.
  bool keeps = false;
  const HomeId home;
  List<Job> reactions;
  const Dispose dispose;
  std::source_location where;
  std::exception_ptr error;

 protected:
  ~PromiseStateBase() {
    if (!reactions.empty()) [[unlikely]]
      dropReactions();
  }
  /// Whether there is nothing to destroy but the value.
  bool isBare() const noexcept { return reactions.empty() && !error; }

 private:
  LEAT_NOINLINE void tellHandled() { queue().noteHandled(*this); }
  void settle(PromiseStatus to) noexcept {
    status = to;
    locked = true;
    if (!reactions.empty()) queueReactions();
  }
  LEAT_NOINLINE void queueReactions() noexcept { queue().pushMicrotasks(reactions); }
  // A job that is dropped may dispose of the next promise of a chain: they line up instead of nesting.
  LEAT_NOINLINE void dropReactions() noexcept {
    if (reactions.empty()) return;
    if (threadState.dropping != nullptr) return threadState.dropping->append(reactions);
    List<Job> all;
    all.append(reactions);
    threadState.dropping = &all;
    while (!all.empty()) all.popFront().drop();
    threadState.dropping = nullptr;
  }
  LEAT_INLINE void abandoned() noexcept;
  // Whatever is done now races with the home thread, the destructors of the coroutine included.
  [[noreturn]] LEAT_NOINLINE void endedAway() const noexcept {
    std::fprintf(
        stderr,
        "leat: a coroutine that went to another event loop with resumeOn ended there; it must "
        "co_await resumeOn(home) before it ends\n    of the promise made at %s:%u (%s)\n",
        where.file_name(), static_cast<unsigned>(where.line()), where.function_name());
    std::abort();
  }
  [[noreturn]] void throwWrongThread() const {
    if (threadState.queue == nullptr) (void)currentQueue();
    throw wrongThread();
  }
};

#if LEAT_BODIES
/// Nobody is left who could settle it: it rejects, or, when its loop is gone, lets go of who waits.
LEAT_INLINE void PromiseStateBase::abandoned() noexcept {
  if (!onHomeThread()) {
    if (threadState.queue == nullptr || homeEndedHere(home)) dropReactions();
    return;
  }
  if (queue().closing()) return dropReactions();
  // Where nobody waits there is nothing to report: a later reaction still sees it.
  if (reactions.empty()) handled = true;
  reject(std::make_exception_ptr(
      Error("the last resolver of a pending promise was dropped", "ERR_BROKEN_PROMISE")));
}
#endif

template <class T>
struct PromiseState : PromiseStateBase {
  using Type = StoredType<T>;

  explicit PromiseState(std::source_location place, Dispose d = destroySelf) noexcept
      : PromiseStateBase(d, place) {}
  PromiseState(Dispose d, Handled handledBy) noexcept : PromiseStateBase(d, handledBy) {}
  ~PromiseState() {
    if (status == PromiseStatus::Fulfilled) value.~Type();
  }
  static Ref<PromiseState> make(std::source_location place) {
    if (threadState.home == 0) [[unlikely]]
      (void)currentQueue();
    return Ref<PromiseState>::adopt(::new (allocateFrame(sizeof(PromiseState)))
                                        PromiseState(place));
  }
  static void destroySelf(PromiseStateBase& base) noexcept {
    auto& self = static_cast<PromiseState&>(base);
    if (!self.destroyBare()) [[unlikely]]
      destroyFull(self);
    freeFrame(&self, sizeof(PromiseState));
  }
  /// Destroys the value, if that is all that there is.
  LEAT_ALWAYS_INLINE bool destroyBare() noexcept {
    if (!isBare()) [[unlikely]]
      return false;
    if constexpr (!std::is_trivially_destructible_v<Type>) {
      if (status == PromiseStatus::Fulfilled) value.~Type();
    }
    return true;
  }
  LEAT_NOINLINE static void destroyFull(PromiseState& self) noexcept { self.~PromiseState(); }

  template <class... Args>
  void fulfill(Args&&... args) {
    if constexpr (std::is_reference_v<T>) {
      ::new (static_cast<void*>(&value)) Type(&args...);
    } else {
      ::new (static_cast<void*>(&value)) Type(std::forward<Args>(args)...);
    }
    fulfilled();
  }
  /// Takes over what a task left. Throws: Error ERR_MISSING_CO_RETURN.
  void settleFrom(Slot<T>& slot) {
    checkEnd();
    if (slot.state() == Slot<T>::Error) [[unlikely]]
      return rejectWith(slot.error());
    if constexpr (!std::is_void_v<T>) {
      if (slot.state() == Slot<T>::Empty) [[unlikely]]
        throwNoValue();
    }
    if constexpr (std::is_reference_v<T>) {
      fulfill(*slot.stored());
    } else {
      fulfill(std::move(slot.stored()));
    }
  }
  /// Of a coroutine. When it threw behind its `co_return`, as a destructor may, that is the outcome, as with a
  /// throw in Node's `finally`; who waits stands in the queue and has seen nothing.
  void rejectInstead(std::exception_ptr reason) {
    if (status == PromiseStatus::Rejected) {
      error = std::move(reason);  // noted already
    } else {
      if (status == PromiseStatus::Fulfilled) value.~Type();
      reject(std::move(reason));
    }
  }
  LEAT_NOINLINE void rejectWith(const std::exception_ptr& reason) { reject(reason); }
  /// The value as `co_await` of an lvalue gives it. Throws: the reason.
  decltype(auto) peek() const {
    if (status == PromiseStatus::Rejected) [[unlikely]]
      std::rethrow_exception(error);
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value);
    } else if constexpr (!std::is_void_v<T>) {
      return static_cast<const T&>(value);
    }
  }
  /// The value for the caller who holds `mine` handles: moved when nobody else has one. Those who
  /// can only settle the promise count as handles too, but never read it.
  T take(unsigned mine) {
    if constexpr (std::is_object_v<T>) {
      if (status == PromiseStatus::Rejected) [[unlikely]]
        std::rethrow_exception(error);
      if (refs - resolvers == mine) return std::move(value);
      if constexpr (isCopyable<T>) {
        return std::as_const(value);
      } else {
        throwTypeError(
            "a promise with a move-only value was consumed while other handles to it exist",
            "ERR_PROMISE_SHARED");
      }
    } else {
      return peek();
    }
  }

  union {
    Type value;
  };
};

#if LEAT_BODIES
LEAT_INLINE MicrotaskQueue::Rejection::Rejection(Ref<PromiseStateBase> p) noexcept
    : promise(std::move(p)) {}
#endif
inline MicrotaskQueue::Rejection::~Rejection() = default;

#if LEAT_BODIES
LEAT_INLINE void MicrotaskQueue::noteRejection(PromiseStateBase& promise) {
  rejections_.pushBack(*new Rejection(Ref<PromiseStateBase>(&promise)));
}

LEAT_INLINE void MicrotaskQueue::noteHandled(PromiseStateBase& promise) {
  handledLate_.pushBack(*new Rejection(Ref<PromiseStateBase>(&promise)));
}

LEAT_INLINE void MicrotaskQueue::reportRejections() noexcept {
  while (!handledLate_.empty() && !stopped_) {
    Rejection& late = handledLate_.popFront();
    hooks_.rejectionHandled(*late.promise);
    delete &late;
  }
  // Those added by the hooks wait for the next round.
  for (unsigned long left = rejections_.size(); left > 0 && !stopped_; --left) {
    Rejection& entry = rejections_.popFront();
    if (!entry.promise->handled) {
      entry.promise->reported = true;
      hooks_.unhandledRejection(*entry.promise);
    }
    delete &entry;
  }
}

LEAT_INLINE void MicrotaskQueue::clear() noexcept {
  // Newest first, also of what their destructors start, which may use what an older one owns; but not for ever.
  unsigned long left = 2 * owned_.size() + (closing_ ? 16 : 10'000);
  closing_ = true;
  for (; left > 0 && !owned_.empty(); --left) {
    LoopOwned& last = owned_.popBack();
    last.drop(last);
  }
  List<Job> jobs;
  jobs.append(ticks_);
  jobs.append(microtasks_);
  jobs.append(never_);
  while (!jobs.empty()) jobs.popFront().drop();
  List<Rejection> rejections;
  rejections.append(rejections_);
  rejections.append(handledLate_);
  while (!rejections.empty()) delete &rejections.popFront();
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
