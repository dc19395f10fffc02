// SPDX-License-Identifier: MIT
// The way into a loop from other threads: a counted handle that outlives the loop.
#pragma once

#include <leat/base/function.hpp>
#include <leat/base/mpsc_queue.hpp>
#include <leat/base/ref.hpp>
#include <leat/core/sendable.hpp>
#include <leat/core/thread_state.hpp>
#include <leat/sys/fork.hpp>

#include <sched.h>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Work on its way into a loop. `run` on the loop's thread, or `drop` there when the loop has ended.
struct PostedJob : MpscNode {
  explicit PostedJob(void (*function)(PostedJob&, bool run) noexcept) noexcept : act(function) {}
  void (*act)(PostedJob&, bool run) noexcept;
};

template <class F>
struct PostedCallback final : PostedJob {
  template <class X>
  explicit PostedCallback(X&& f);
  F callable;
};

struct LoopShared : SharedCounted<LoopShared> {
  using Wake = void (*)(void*) noexcept;
  LoopShared(void* l, Wake w) noexcept : loop(l), wake(w) {}

  /// Any thread. False, and the job untouched, when the loop has ended.
  bool post(PostedJob& job) noexcept {
    posters.fetchAdd(1);
    const bool open = closed.load() == 0;
    if (open && queue.push(job)) wake(loop);
    posters.fetchSub(1);
    return open;
  }
  /// The loop's thread, at its end: afterwards no post succeeds and none is half done. In a child of fork()
  /// nobody goes on with those of the parent's threads.
  void close() noexcept {
    closed.store(1);
    while (posters.load() != 0 && generation == sys::forkGeneration()) ::sched_yield();
  }
  /// The same: destroys what was posted.
  void drop() noexcept {
    MpscNode* node = queue.takeAll();
    while (node != nullptr) {
      auto& job = static_cast<PostedJob&>(*node);
      node = node->mpscNext;
      job.act(job, false);
    }
  }

  MpscQueue<PostedJob> queue;
  // Those inside of post(): the loop's end waits for them, so that `wake` finds a living loop.
  Atomic<unsigned> posters{0};
  Atomic<unsigned char> closed{0};
  void* const loop;
  const Wake wake;
  const unsigned generation = sys::watchForks();
};

}  // namespace detail

/// Refers to an event loop from any thread, also after its end.
class LoopRef {
 public:
  explicit LoopRef(detail::Ref<detail::LoopShared> shared) noexcept : shared_(std::move(shared)) {}

  /// Has `f()` called on the loop's thread, in its poll phase, in order of posting. False, and `f`
  /// dropped, when the loop has ended. Does not hold the loop: one that has nothing else to do ends.
  /// Thread: any.
  template <class F>
  bool post(F&& f) const;
  bool alive() const noexcept { return shared_->closed.load() == 0; }
  /// Whether it is the loop of this thread.
  bool isCurrent() const noexcept { return alive() && shared_->loop == detail::threadState.loop; }
  friend bool operator==(const LoopRef& a, const LoopRef& b) noexcept {
    return a.shared_ == b.shared_;
  }

  /// Internal: `job` is untouched when the loop has ended.
  bool postJob(detail::PostedJob& job) const noexcept { return shared_->post(job); }
  /// Internal.
  detail::LoopShared& shared() const noexcept { return *shared_; }

 private:
  detail::Ref<detail::LoopShared> shared_;
};

}  // namespace leat::inline LEAT_ABI
