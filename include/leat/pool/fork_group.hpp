// SPDX-License-Identifier: MIT
// A fork of a range: who runs which of its children, and who goes on when all have ended.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/task.hpp>
#include <leat/pool/pool_core.hpp>

namespace leat::inline LEAT_ABI::detail {

/// The counts of a group of children. A chain is what runs one child after the other; the first is that of who
/// forks. In the deques lies the group itself, once at most: the token. Who takes it out is alone with it,
/// begins a chain of its own, and puts the token where the next one finds it as long as there are children.
/// So the deque sees one push and one pop, however many children there are, and a child costs one addition.
///
/// Nobody leaves a child behind: a chain ends when it has run all that it has claimed, and the token only when
/// none is left to be claimed. The chains that have not ended and the token are the parts of the group. Who takes the last away
/// goes on with the parent; until then the group stays, as each part is somebody's who uses it. A part is added
/// only by who has the token, which is one itself.
template <class Atomics = RealAtomics>
class ForkClaims {
 public:
  /// Before the token is seen by anybody. The caller's chain has the first child.
  void begin(std::size_t children) noexcept {
    children_ = children;
    next_.store(1, relaxed);
    parts_.store(children > 1 ? 2 : 1, relaxed);
  }
  std::size_t children() const noexcept { return children_; }
  /// The number of a child that is the caller's now; `children()` or more when none is left. That ends a chain or
  /// the token, so the number does not grow much further. Additions give each number once, and in relaxed order,
  /// as what they are numbers of has been seen with the token.
  std::size_t claim() noexcept { return next_.fetchAdd(1, relaxed); }
  /// By who has the token and has claimed `child`. True: the token is a part of its own, to be put into a deque,
  /// beside the new chain. False: there is nothing more for it to give, and it has become the new chain.
  bool divide(std::size_t child) noexcept {
    if (child + 1 >= children_) return false;
    // Nobody can take the last part away meanwhile: the token is the caller's.
    parts_.fetchAdd(1, relaxed);
    return true;
  }
  /// Whether `parts` of the caller's are the last ones; all that the others have done is seen then. There is
  /// nobody left who could add or take away any. Each chain that was there has released what it did when it took
  /// its part away, and the number read now comes from the last of those, or from additions after it, which
  /// are read-modify-writes, too, and hand the release on.
  bool alone(unsigned parts) const noexcept { return parts_.load(acquire) == parts; }
  /// Takes them away. True: they were the last. Who is not the last releases what it has done, who is sees it.
  bool leave(unsigned parts) noexcept { return parts_.fetchSub(parts, acqRel) == parts; }

 private:
  std::size_t children_ = 0;
  typename Atomics::template Word<std::size_t> next_{0};
  typename Atomics::template Word<unsigned> parts_{0};
};

/// The token, and what each child goes on to: the part that does not depend on the tasks.
class ForkGroup : protected CallbackFrame, protected PoolJob {
 public:
  ForkGroup(const ForkGroup&) = delete;
  ForkGroup& operator=(const ForkGroup&) = delete;
  /// What a child without an outcome ends with: one that was not begun, or has no `co_return`. Throws: AbortError.
  [[noreturn]] void throwNotBegun() const {
    if (!aborted()) throwNoValue();
    throw AbortError(context_->signal()->reason);
  }

 protected:
  ForkGroup(void (*onChildDone)(CallbackFrame*), Act onTaken) noexcept
      : CallbackFrame(inPlaceOfFrame(onChildDone)), PoolJob(onTaken) {}
  static ForkGroup& of(CallbackFrame* frame) noexcept { return static_cast<ForkGroup&>(*frame); }
  static ForkGroup& of(PoolJob& job) noexcept { return static_cast<ForkGroup&>(job); }

  /// From here on other threads may begin children, all but the first.
  void begin(std::coroutine_handle<> parent, std::size_t count) noexcept {
    parent_ = parent;
    PoolWorker* const worker = PoolWorker::current();
    worker_ = worker;
    pool_ = &worker->pool();
    claims_.begin(count);
    if (threadState.context != nullptr) [[unlikely]]
      context_ = currentContext();
    if (count > 1) worker->push(*this);
  }
  ForkGroup& group() noexcept { return *this; }
  std::size_t claim() noexcept { return claims_.claim(); }
  bool isChild(std::size_t number) const noexcept { return number < claims_.children(); }
  bool divide(std::size_t number) noexcept { return claims_.divide(number); }
  PoolJob& token() noexcept { return *this; }
  const ContextRef& context() const noexcept { return context_; }
  /// `task` is to be begun, and goes on here.
  std::coroutine_handle<> prepare(TaskOwner& task) noexcept {
    task.frame.promise().continuation = handle();
    return task.frame;
  }
  /// Whether this is a worker of the pool: a task may have ended elsewhere.
  bool isHere() const noexcept {
    const PoolWorker* const here = PoolWorker::current();
    return here != nullptr && &here->pool() == pool_;
  }
  /// Whether that is so, and a child is begun without a look at contexts.
  bool isPlain() const noexcept {
    return PoolWorker::current() == worker_ && !context_ && threadState.context == nullptr;
  }
  bool aborted() const noexcept {
    if (!context_) [[likely]]
      return false;
    const AbortState* const signal = context_->signal();
    return signal != nullptr && isAborted(*signal);
  }
  /// What a task has entered is not for the next one.
  void restoreContext() noexcept {
    if (threadState.context != context_.get()) [[unlikely]]
      (void)swapContext(context_);
  }
  /// The end of a chain, on a worker of the pool. What goes on now, or nothing.
  std::coroutine_handle<> endChain() noexcept;
  /// The same of so many parts.
  std::coroutine_handle<> leave(unsigned parts) noexcept;

 private:
  std::coroutine_handle<> joined() noexcept {
    restoreContext();
    return parent_;
  }

  // Set by `begin`.
  std::coroutine_handle<> parent_;
  // To be compared only: when a task ends elsewhere the pool may be gone.
  const PoolWorker* worker_;
  const PoolCore* pool_;
  ForkClaims<> claims_;
  ContextRef context_;
};

#if LEAT_BODIES
LEAT_INLINE std::coroutine_handle<> ForkGroup::endChain() noexcept {
  // The token may be in this worker's deque: that of who forks, or of a thief who has put it there.
  return leave(PoolWorker::current()->popIf(token()) ? 2 : 1);
}

LEAT_INLINE std::coroutine_handle<> ForkGroup::leave(unsigned parts) noexcept {
  if (claims_.alone(parts)) return joined();
  // The stores may be used by one thread at last: none is kept by a worker that has told of its end.
  if (threadState.context != nullptr) [[unlikely]]
    (void)swapContext(nullptr);
  return claims_.leave(parts) ? joined() : std::noop_coroutine();
}
#endif

/// The part that does: `Self::child(number)` gives what is to be resumed to begin that child, or null if it has
/// failed already; `Self::skip(number)` is told of one that is not begun any more.
template <class Self>
class ForkSteps : public ForkGroup {
 protected:
  ForkSteps() noexcept : ForkGroup(onChildDone, onTaken) {}
  /// As `await_suspend`. What `child` uses stays until the join.
  std::coroutine_handle<> start(std::coroutine_handle<> parent, std::size_t count) noexcept {
    begin(parent, count);
    return transfer(beginOr(0));
  }

 private:
  LEAT_ALWAYS_INLINE std::coroutine_handle<> child(std::size_t number) noexcept {
    return static_cast<Self&>(*this).child(number);
  }
  /// Child `number`, or what follows when it has failed.
  std::coroutine_handle<> beginOr(std::size_t number) noexcept {
    const auto begun = child(number);
    return begun ? begun : goOn();
  }
  /// Whether `number`, or another one instead of it, is a child that may begin.
  bool isMine(std::size_t& number) noexcept {
    for (; isChild(number); number = claim()) {
      if (!aborted()) return true;
      static_cast<Self&>(*this).skip(number);
    }
    return false;
  }
  /// The next child of a chain, and if there is none what comes after it.
  LEAT_NOINLINE std::coroutine_handle<> goOn() noexcept {
    // Who has the token, or takes it, does the rest.
    if (!isHere()) return leave(1);
    for (std::size_t number = claim(); isMine(number); number = claim()) {
      restoreContext();
      if (const auto begun = child(number)) return begun;
    }
    return endChain();
  }
  /// A child of a chain has ended.
  LEAT_GOES_ON static void onChildDone(CallbackFrame* frame) {
    auto& self = static_cast<ForkSteps&>(of(frame));
    std::coroutine_handle<> following{};
    if (self.isPlain()) [[likely]] {
      const std::size_t number = self.claim();
      following = self.isChild(number) ? self.child(number) : self.endChain();
    }
    if (!following) [[unlikely]]
      following = self.goOn();
    LEAT_GO_ON(following);
  }
  /// A worker has taken the token out of a deque, perhaps a thief.
  static void onTaken(PoolJob& job, bool) noexcept {
    auto& self = static_cast<ForkSteps&>(of(job));
    ContextScope scope(self.context());
    std::size_t number = self.claim();
    if (!self.isMine(number)) return detail::run(self.leave(1));
    if (self.divide(number)) PoolWorker::current()->push(self.token());
    detail::run(self.beginOr(number));
  }
};

}  // namespace leat::inline LEAT_ABI::detail
