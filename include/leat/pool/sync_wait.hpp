// SPDX-License-Identifier: MIT
// syncWait: from a plain thread into the world of coroutines and back.
#pragma once

#include <leat/core/promise.hpp>
#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI {
namespace detail {

/// Stands for the parent of a task: the thread that sleeps until the task has ended, on whatever thread.
class SleepingParent : public CallbackFrame {
 public:
  SleepingParent() noexcept : CallbackFrame(onDone) {}
  void wait() noexcept {
    while (done_.load(acquire) == 0) (void)sys::futexWait(done_.address(), 0, -1);
  }

 private:
  static void onDone(CallbackFrame* frame) noexcept {
    // Once the word is set the sleeper may be gone; waking its address wakes nobody then.
    Atomic<unsigned>& done = static_cast<SleepingParent*>(frame)->done_;
    const unsigned* const word = done.address();
    done.store(1, release);
    (void)sys::futexWake(word, 1);
  }
  // 0: runs. 1: ended; the sleeper owns everything again.
  Atomic<unsigned> done_{0};
};

}  // namespace detail

/// Starts an awaitable on this thread, blocks until it has ended, wherever, and gives its result.
///
/// Throws: what it threw; Error ERR_LOOP_THREAD on the thread of an event loop, which would never turn
/// again. Promises belong to a loop and cannot be awaited here.
template <class A>
  requires Awaitable<A>
auto syncWait(A&& awaitable) -> detail::AdoptedType<std::remove_cvref_t<A>> {
  using T = detail::AdoptedType<std::remove_cvref_t<A>>;
  if (detail::threadState.queue != nullptr)
    detail::throwError(
        "syncWait on the thread of an event loop would block it for ever; use co_await",
        "ERR_LOOP_THREAD");
  if (detail::threadState.worker != nullptr)
    detail::throwError(
        "syncWait on a worker of a pool, which may be the one that would have to do the work; use "
        "co_await",
        "ERR_POOL_THREAD");
  Task<T> task;
  if constexpr (std::is_same_v<std::remove_cvref_t<A>, Task<T>>) {
    task = std::forward<A>(awaitable);
  } else {
    task = detail::awaitAsTask<T, std::remove_cvref_t<A>>(std::forward<A>(awaitable));
  }
  if (!task.valid())
    detail::throwTypeError("syncWait of a Task that was moved from or already awaited",
                           "ERR_TASK_CONSUMED");
  detail::SleepingParent parent;
  detail::startTask(task, parent);
  parent.wait();
  return detail::taskResult(task).take();
}

}  // namespace leat::inline LEAT_ABI
