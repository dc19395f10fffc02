// SPDX-License-Identifier: MIT
// resumeOn: a coroutine goes on on the thread of another loop, and later comes home.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/loop/event_loop.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Goes with the context of a coroutine that has left a loop: the loop, which is held until the
/// coroutine is back, and the ambient signal, whose listeners belong to that loop's thread.
struct AwayNote : StoreBase {
  AwayNote(LoopRef h, AbortState* s, AwayNote* o) : home(std::move(h)), signal(s), outer(o) {}
  /// Any thread.
  void letGoHome() noexcept {
    if (held.exchange(0) == 0) return;
    if (home.isCurrent()) {
      EventLoop::current().letGo();
    } else {
      (void)home.post([] { EventLoop::current().letGo(); });
    }
  }
  static StoreKey* key() {
    static StoreKey* const made = new StoreKey;
    return made;
  }
  static AwayNote* current() noexcept {
    const ContextNode* context = threadState.context;
    return context == nullptr ? nullptr : static_cast<AwayNote*>(context->find(key()));
  }

  const LoopRef home;
  const Ref<AbortState> signal;
  const Ref<AwayNote> outer;
  Atomic<unsigned char> held{1};
  // The visited loop's thread.
  LoopOwned* visit = nullptr;
};

/// Kept by the loop that a coroutine visits: should it end first, the coroutine will never come home,
/// and home must not wait for it.
class Visit : private LoopOwned, public FrameAllocated {
 public:
  static void begin(AwayNote& note) {
    auto* self = new Visit(note);
    note.visit = self;
    EventLoop::current().tellEnd(*self);
  }
  static void end(AwayNote& note) noexcept {
    if (note.visit != nullptr) delete static_cast<Visit*>(std::exchange(note.visit, nullptr));
  }

 private:
  explicit Visit(AwayNote& note) noexcept : LoopOwned(onDrop), note_(&note) {}
  static void onDrop(LoopOwned& owned) noexcept {
    auto& self = static_cast<Visit&>(owned);
    for (AwayNote* note = self.note_.get(); note != nullptr; note = note->outer.get())
      note->letGoHome();
    self.note_->visit = nullptr;
    delete &self;
  }
  Ref<AwayNote> note_;
};

/// A coroutine on its way. In the queue of a loop and held by its awaiter, in no frame.
class Hop : private PostedJob {
 public:
  Hop(LoopRef target, std::coroutine_handle<> handle)
      : PostedJob(act), target_(std::move(target)), handle_(handle), before_(currentContext()) {
    if (threadState.loop != nullptr) origin_.emplace(EventLoop::current().ref());
    prepare();
  }
  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) delete this;
  }
  /// False when the target has ended. Afterwards the coroutine may be running elsewhere.
  bool start() noexcept {
    if (leaving_) EventLoop::current().hold();
    retain();
    if (target_.postJob(*this)) return true;
    failed_ = true;
    state_.store(Taken);
    stay();
    release();
    return false;
  }
  /// The awaiter is gone.
  void cancel() noexcept {
    if (state_.exchange(Cancelled) != Waiting) return;
    if (leaving_ && origin_->isCurrent()) EventLoop::current().letGo();
  }
  bool failed() const noexcept { return failed_; }

 private:
  enum State : unsigned char { Waiting, Taken, Cancelled };

  void prepare();
  void arrive() noexcept;
  /// Takes back what was done for leaving.
  void stay() noexcept {
    if (leaving_) EventLoop::current().letGo();
    if (from_) Visit::begin(*from_);
  }
  static void act(PostedJob& job, bool run) noexcept;

  const LoopRef target_;
  std::optional<LoopRef> origin_;
  const std::coroutine_handle<> handle_;
  ContextRef before_;  // to go on with when the target has ended
  ContextRef after_;
  Ref<AwayNote> from_;     // the note that it has where it leaves
  Ref<AwayNote> leaving_;  // made for this hop, unless it leads home
  Ref<AwayNote> top_;      // the note that it has where it arrives
  Atomic<unsigned> count_{1};
  Atomic<unsigned char> state_{Waiting};
  bool failed_ = false;
};

#if LEAT_BODIES
LEAT_INLINE void Hop::prepare() {
  from_ = Ref<AwayNote>(AwayNote::current());
  AwayNote* home = from_.get();
  while (home != nullptr && !(home->home == target_)) home = home->outer.get();
  Ref<AbortState> signal;
  if (home != nullptr) {
    signal = home->signal;
    top_ = home->outer;
  } else if (origin_) {
    leaving_ = makeRef<AwayNote>(*origin_, ambientSignal(), from_.get());
    top_ = leaving_;
  } else {
    // From a worker, where `schedule` has brought it: as far away from home as before.
    top_ = from_;
  }
  const ContextRef moved = ContextNode::withSignal(before_.get(), std::move(signal));
  after_ = top_ || from_ ? ContextNode::withStore(moved.get(), AwayNote::key(), top_) : moved;
}

/// On the target's thread.
LEAT_INLINE void Hop::arrive() noexcept {
  if (!leaving_) {
    // Home again: this loop, and those in between, need not wait any more.
    for (AwayNote* note = from_.get(); note != top_.get(); note = note->outer.get())
      note->letGoHome();
  }
  if (top_) Visit::begin(*top_);
}

LEAT_INLINE void Hop::act(PostedJob& job, bool run) noexcept {
  auto& self = static_cast<Hop&>(job);
  if (!run && !self.failed_) {
    // The target has ended: back to where it came from, or, without a loop there, on right here.
    self.failed_ = true;
    if (self.origin_ && self.origin_->postJob(self)) return;
    run = !self.origin_;
  }
  auto hop = Ref<Hop>::adopt(&self);
  if (!run || self.state_.exchange(Taken) != Waiting) return;
  if (!self.failed_) {
    self.arrive();
  } else if (self.origin_) {
    self.stay();
  }
  ContextScope scope(self.failed_ ? std::move(self.before_) : std::move(self.after_));
  detail::run(self.handle_);
}
#endif

class ResumeOnAwaiter {
 public:
  explicit ResumeOnAwaiter(LoopRef target) noexcept : target_(std::move(target)) {}
  ResumeOnAwaiter(const ResumeOnAwaiter&) = delete;
  ResumeOnAwaiter& operator=(const ResumeOnAwaiter&) = delete;
  ~ResumeOnAwaiter() {
    if (hop_) hop_->cancel();
  }
  bool await_ready() const {
    if (AbortState* signal = ambientSignal(); signal != nullptr && isAborted(*signal))
      throw AbortError(signal->reason);
    return target_.isCurrent();
  }
  LEAT_NOINLINE bool await_suspend(std::coroutine_handle<> handle) {
    hop_ = Ref<Hop>::adopt(new Hop(target_, handle));
    // From here on this awaiter may be in use on the other thread, or gone.
    const Ref<Hop> hop = hop_;
    if (AwayNote* note = AwayNote::current()) Visit::end(*note);
    return hop->start();
  }
  void await_resume() const {
    if (hop_ && hop_->failed())
      throwError("the event loop to go on on has ended", "ERR_LOOP_ENDED");
  }

 private:
  LoopRef target_;
  Ref<Hop> hop_;
};

}  // namespace detail

/// What `resumeOn` gives.
class [[nodiscard("it goes nowhere until it is awaited")]] ResumeOn {
 public:
  explicit ResumeOn(LoopRef target) noexcept : target_(std::move(target)) {}
  detail::ResumeOnAwaiter operator co_await() && noexcept {
    return detail::ResumeOnAwaiter(std::move(target_));
  }

 private:
  LoopRef target_;
};

/// The coroutine goes on on the thread of another loop, in its poll phase; on that loop already, at once.
/// It must come home, `co_await resumeOn(home)`, before it ends and before it touches what belongs to
/// its own loop; until then its own loop is held. One that ends away ends the process, with a message.
/// Stores of AsyncLocalStorage go along. The ambient abort signal stays at home and is there again when
/// the coroutine is back.
///
/// Node: no counterpart; MessagePort between workers.
/// Cancel: before it leaves: AbortError. On its way it arrives.
/// Lifetime: on its way it may be destroyed, by its own loop's thread; while it runs elsewhere its own
/// loop must not be destroyed. When the other loop ends with the coroutine suspended there, the
/// coroutine is not continued; it is destroyed with its own loop.
/// Throws: Error ERR_LOOP_ENDED when the other loop has ended; the coroutine is where it was then.
inline ResumeOn resumeOn(LoopRef loop) noexcept { return ResumeOn(std::move(loop)); }

}  // namespace leat::inline LEAT_ABI
