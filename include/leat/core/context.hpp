// SPDX-License-Identifier: MIT
// What flows down through awaits and callbacks without being passed: the ambient abort signal and the
// stores of AsyncLocalStorage. A context is immutable and counted atomically; none at all is a null
// pointer and costs a comparison.
#pragma once

#include <leat/base/list.hpp>
#include <leat/base/ref.hpp>
#include <leat/core/frame_allocator.hpp>
#include <leat/core/resume.hpp>

#include <sched.h>

#include <exception>
#include <new>

namespace leat::inline LEAT_ABI::detail {

/// Who wants to know of an abort. Called once, on the thread that aborts, and unlinked before.
struct AbortListener : ListNode {
  explicit AbortListener(void (*function)(AbortListener&) noexcept) noexcept : notify(function) {}
  void (*notify)(AbortListener&) noexcept;
};

struct FollowedSignal;

/// What the handles of a signal share. The flag may be read on any thread, and the last handle may go on
/// any; all else belongs to the thread of the controller.
struct AbortState : SharedCounted<AbortState>, FrameAllocated {
  using Dispose = void (*)(AbortState&) noexcept;
  ~AbortState() {
    if (dispose != nullptr) dispose(*this);
    reap();
  }
  /// Ends the links that were left. On the thread of the followers, or that of the last handle.
  LEAT_INLINE void reap() noexcept;

  // 0: not, 1: aborted. Who makes it `claimed` writes the reason, then 1.
  static constexpr unsigned char claimed = 2;
  Atomic<unsigned char> aborted{0};
  std::exception_ptr reason;
  // Signals that follow this one are told after all of its listeners, as in Node.
  List<AbortListener> listeners;
  List<ListNode> followers;  // FollowedSignals
  // While its followers are told: who is told of before it, and held.
  AbortState* toldWithin = nullptr;
  // What a timeout or a combined signal keeps; freed by `dispose`.
  void* source = nullptr;
  Dispose dispose = nullptr;
  // The thread whose links are in `followers`, above how many of these are of signals that live.
  Atomic<std::uint64_t> following{0};
  // The others: their signal was dropped on another thread, which may not unlink them.
  Atomic<FollowedSignal*> left{nullptr};
  // Of events/signal_target.hpp: how many of the listeners its user sees, and how many of these there may be
  // before a warning; negative: the limit of all.
  unsigned seenListeners = 0;
  int maxListeners = -1;
  bool warned = false;
  // Aborts only with what it follows (AbortSignal::any), which may be followed in its place.
  bool combined = false;
};

/// What a combined signal keeps: a link in each source, and the sources alive.
struct FollowedSignal : ListNode, FrameAllocated {
  FollowedSignal(AbortState& s, AbortState& f) noexcept : source(&s), follower(&f) {}
  /// Counts a link of this thread: all that are counted are of one, so that when the last has gone another
  /// thread may follow the source. False when there are links of another one.
  static bool claim(AbortState& source) noexcept {
    const std::uint64_t here = std::uint64_t{threadNumber()} << 32;
    std::uint64_t before = source.following.load(relaxed);
    std::uint64_t count;
    do {
      count = before & 0xffffffff;
      if (count != 0 && before - count != here) return false;
    } while (!source.following.compareExchange(before, here + count + 1, acquire));
    return true;
  }
  static FollowedSignal* firstOf(const AbortState& follower) noexcept {
    return static_cast<FollowedSignal*>(follower.source);
  }
  /// The follower goes, and with it perhaps what it follows: a chain of any length without recursion.
  static void leaveAll(AbortState& gone) noexcept {
    FollowedSignal* first = firstOf(gone);
    while (first != nullptr) {
      const Ref<AbortState> from = std::exchange(first, first->next)->leave();
      if (from->useCount() != 1 || from->dispose != leaveAll) continue;
      FollowedSignal* taken = static_cast<FollowedSignal*>(std::exchange(from->source, nullptr));
      while (taken != nullptr) {
        taken->forget();  // before `from` is gone
        FollowedSignal* const next = std::exchange(taken->next, first);
        first = std::exchange(taken, next);
      }
    }
  }
  /// The follower is gone; gives the source. Elsewhere than on the thread of the link the source's next
  /// user unlinks it.
  Ref<AbortState> leave() noexcept {
    Ref<AbortState> from = std::move(source);
    if (thread == threadState.number) {
      delete this;
    } else {
      forget();
      next = from->left.load(relaxed);
      while (!from->left.compareExchange(next, this, detail::release)) {
      }
    }
    // Whoever sees that it was the last sees what was done here.
    from->following.fetchSub(1, detail::release);
    return from;
  }
  /// The follower, unless its last handle is on its way out.
  Ref<AbortState> lockFollower() noexcept {
    lock();
    const bool alive = follower != nullptr && follower->tryRetain();
    auto held = Ref<AbortState>::adopt(alive ? follower : nullptr);
    unlock();
    return held;
  }
  void forget() noexcept {
    lock();
    follower = nullptr;
    unlock();
  }
  bool isOf(const AbortState& state) noexcept {
    lock();
    const bool same = follower == &state;
    unlock();
    return same;
  }
  void lock() noexcept {
    while (locked.exchange(1, acquire) != 0) ::sched_yield();
  }
  void unlock() noexcept { locked.store(0, detail::release); }

  Ref<AbortState> source;
  AbortState* follower;            // guarded by `locked`
  FollowedSignal* next = nullptr;  // of the follower's, later of those that were left
  const std::uint32_t thread = threadNumber();
  Atomic<unsigned char> locked{0};
};

#if LEAT_BODIES
LEAT_INLINE void AbortState::reap() noexcept {
  if (left.load(relaxed) == nullptr) [[likely]]
    return;
  FollowedSignal* link = left.exchange(nullptr, acquire);
  while (link != nullptr) delete std::exchange(link, link->next);
}
#endif

/// A store of AsyncLocalStorage, type-erased.
struct StoreBase : SharedCounted<StoreBase> {
  virtual ~StoreBase() = default;
};

/// Identity of an AsyncLocalStorage, counted so that an address is not used again while in a context.
struct StoreKey : SharedCounted<StoreKey> {};

class ContextNode {
 public:
  /// A copy of `base` (which may be null) with another signal or none. Null when nothing is left.
  static Ref<ContextNode> withSignal(const ContextNode* base, Ref<AbortState> signal);
  /// A copy of `base` in which `key` has `value`; a null value removes it. Null when nothing is left.
  static Ref<ContextNode> withStore(const ContextNode* base, StoreKey* key, Ref<StoreBase> value);

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) dispose();
  }
  AbortState* signal() const noexcept { return signal_.get(); }
  StoreBase* find(const StoreKey* key) const noexcept;

 private:
  struct Entry {
    Ref<StoreKey> key;
    Ref<StoreBase> value;
  };
  ContextNode() noexcept = default;
  static ContextNode* allocate(std::size_t entries);
  void dispose() noexcept;
  Entry* entries() noexcept { return reinterpret_cast<Entry*>(this + 1); }
  const Entry* entries() const noexcept { return reinterpret_cast<const Entry*>(this + 1); }
  void add(const Ref<StoreKey>& key, const Ref<StoreBase>& value) {
    ::new (static_cast<void*>(entries() + size_++)) Entry{key, value};
  }

  Atomic<unsigned> count_{1};
  unsigned size_ = 0;
  Ref<AbortState> signal_;
};

using ContextRef = Ref<ContextNode>;

/// The context of what runs now.
inline ContextRef currentContext() noexcept { return ContextRef(threadState.context); }
inline AbortState* ambientSignal() noexcept {
  return threadState.context == nullptr ? nullptr : threadState.context->signal();
}
/// Replaces the context of what runs now and gives the one before.
inline ContextRef swapContext(ContextRef next) noexcept {
  ContextNode* before = std::exchange(threadState.context, next.leak());
  if (before != nullptr && before == threadState.contextLent) {
    threadState.contextLent = nullptr;  // that count is not to be had, here is another
    before->retain();
  }
  return ContextRef::adopt(before);
}

/// Makes `context` current until the end of the block, whatever replaces it meanwhile.
class ContextScope {
 public:
  explicit ContextScope(ContextRef context) noexcept
      : saved_(std::exchange(threadState.context, context.leak())) {}
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope() {
    ContextNode* mine = std::exchange(threadState.context, saved_);
    if (mine != nullptr) mine->release();
  }

 private:
  ContextNode* saved_;
};

/// Calls `f()` without the ambient signal: what it does works for an object that others use, too, and does not
/// end with whoever happens to call.
template <class F>
LEAT_ALWAYS_INLINE inline decltype(auto) withoutSignal(F&& f) {
  if (ambientSignal() == nullptr) [[likely]]
    return f();
  const ContextScope scope(ContextNode::withSignal(threadState.context, nullptr));
  return f();
}

/// Leaves the context as it is, and puts it back at the end of the block if it was replaced meanwhile. It is
/// counted only then.
class ContextStays {
 public:
  ContextStays() noexcept
      : here_(threadState.context), lent_(std::exchange(threadState.contextLent, here_)) {}
  ContextStays(const ContextStays&) = delete;
  ContextStays& operator=(const ContextStays&) = delete;
  ~ContextStays() {
    if (threadState.contextLent != here_ || threadState.context != here_) [[unlikely]]
      putBack();
    threadState.contextLent = lent_;
  }

 private:
  LEAT_NOINLINE void putBack() noexcept {
    ContextNode* left = std::exchange(threadState.context, here_);
    if (left != nullptr) left->release();
  }

  ContextNode* here_;
  ContextNode* lent_;
};

/// Puts the context back that is current now. In between it is none, or what the last job left.
class ContextKeeper {
 public:
  ContextKeeper() noexcept : kept_(std::exchange(threadState.context, nullptr)) {}
  ContextKeeper(const ContextKeeper&) = delete;
  ContextKeeper& operator=(const ContextKeeper&) = delete;
  ~ContextKeeper() { drop(kept_); }
  void drop(ContextNode* next = nullptr) noexcept {
    ContextNode* left = std::exchange(threadState.context, next);
    if (left != nullptr) [[unlikely]]
      left->release();
  }

 private:
  ContextNode* kept_;
};

/// What resumes may free the place that this was called from, and the release may run anything: it goes last.
LEAT_NOINLINE inline void resumeThenRelease(std::coroutine_handle<> handle,
                                            ContextNode* before) noexcept {
  handle.resume();
  before->release();
}

/// The last thing that a job of the queues does: a coroutine goes on in `context`, whose count it takes over.
/// Their drain runs what is parked, and puts back its own context.
LEAT_ALWAYS_INLINE inline void goOnFromQueue(std::coroutine_handle<> handle,
                                             ContextNode* context) noexcept {
  ContextNode* before = std::exchange(threadState.context, context);
  if (before != nullptr) [[unlikely]]
    return resumeThenRelease(handle, before);
  resumeLast(handle);
}

/// The first thing that another job of the queues does: as above, but the call comes later.
LEAT_NOINLINE inline void dropContextBefore() noexcept {
  while (ContextNode* before = std::exchange(threadState.context, nullptr)) before->release();
}
LEAT_ALWAYS_INLINE inline void enterFromQueue(ContextNode* context) noexcept {
  if (threadState.context != nullptr) [[unlikely]]
    dropContextBefore();
  threadState.context = context;
}

/// A coroutine that waits, with the context that it will go on in.
class Continuation {
 public:
  void capture(std::coroutine_handle<> handle) noexcept {
    handle_ = handle;
    if (context_.get() != threadState.context) context_ = currentContext();
  }
  /// Goes on from an entry of the loop; the caller's context is restored after.
  void resume() noexcept {
    ContextScope scope(std::move(context_));
    run(handle_);
  }
  /// For LEAT_GO_ON. What of the library resumed what ended here puts its own context back; after a resume by hand
  /// the one that is left here stays until the callback ends. That of what ended is kept until this captures again
  /// or goes, as what goes with it might destroy who goes on.
  std::coroutine_handle<> goOn() noexcept {
    context_ = swapContext(std::move(context_));
    return handle_;
  }
  void resumeFromQueue() noexcept { goOnFromQueue(handle_, context_.leak()); }
  std::coroutine_handle<> handle() const noexcept { return handle_; }

 private:
  std::coroutine_handle<> handle_;
  ContextRef context_;
};

#if LEAT_BODIES
LEAT_INLINE ContextNode* ContextNode::allocate(std::size_t entries) {
  static_assert(alignof(Entry) <= alignof(ContextNode));
  void* block = ::operator new(sizeof(ContextNode) + entries * sizeof(Entry));
  return ::new (block) ContextNode;
}

LEAT_INLINE void ContextNode::dispose() noexcept {
  for (unsigned i = 0; i < size_; ++i) entries()[i].~Entry();
  this->~ContextNode();
  ::operator delete(this);
}

LEAT_INLINE ContextRef ContextNode::withSignal(const ContextNode* base, Ref<AbortState> signal) {
  const unsigned size = base == nullptr ? 0 : base->size_;
  if (size == 0 && !signal) return nullptr;
  ContextNode* node = allocate(size);
  node->signal_ = std::move(signal);
  for (unsigned i = 0; i < size; ++i) node->add(base->entries()[i].key, base->entries()[i].value);
  return ContextRef::adopt(node);
}

LEAT_INLINE ContextRef ContextNode::withStore(const ContextNode* base, StoreKey* key,
                                              Ref<StoreBase> value) {
  const unsigned size = base == nullptr ? 0 : base->size_;
  ContextNode* node = allocate(size + 1);
  ContextRef result = ContextRef::adopt(node);
  if (base != nullptr) node->signal_ = base->signal_;
  for (unsigned i = 0; i < size; ++i) {
    const Entry& entry = base->entries()[i];
    if (entry.key.get() != key) node->add(entry.key, entry.value);
  }
  if (value) node->add(Ref<StoreKey>(key), value);
  if (node->size_ == 0 && !node->signal_) return nullptr;
  return result;
}

LEAT_INLINE StoreBase* ContextNode::find(const StoreKey* key) const noexcept {
  for (unsigned i = 0; i < size_; ++i)
    if (entries()[i].key.get() == key) return entries()[i].value.get();
  return nullptr;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
