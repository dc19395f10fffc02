// SPDX-License-Identifier: MIT
// What every suspending operation shares: hooks into the signals that may cancel it, and, for those
// that wait in memory only, the entry that stands first in the wait list and then in the microtasks.
#pragma once

#include <leat/core/abort.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Hooks into the signal of the options and the ambient one. Armed when the operation suspends;
/// `onCancel` is called at most once, inside of `abort()`, and must not resume a coroutine.
class CancelHooks {
 public:
  using OnCancel = void (*)(CancelHooks&) noexcept;
  explicit CancelHooks(OnCancel onCancel, AbortState* option = nullptr) noexcept
      : onCancel_(onCancel), option_(*this), ambient_(*this) {
    if (option != nullptr) option_.state = Ref<AbortState>(option);
  }
  CancelHooks(const CancelHooks&) = delete;
  CancelHooks& operator=(const CancelHooks&) = delete;

  /// Links to the signals; `ambient` = false ignores the context's. False when one is aborted
  /// already: then nothing is linked, and `throwAborted` tells.
  bool arm(bool ambient = true) noexcept {
    if (!check(ambient)) return false;
    AbortState* around = ambient ? ambientSignal() : nullptr;
    if (option_.state) option_.state->listeners.pushBack(option_);
    if (around != nullptr && around != option_.state.get()) {
      ambient_.state = Ref<AbortState>(around);
      around->listeners.pushBack(ambient_);
    }
    return true;
  }
  /// The same, but links nothing: for `await_ready`.
  bool check(bool ambient = true) noexcept {
    AbortState* around = ambient ? ambientSignal() : nullptr;
    if (option_.state && isAborted(*option_.state)) return fire(*option_.state);
    if (around != nullptr && isAborted(*around)) return fire(*around);
    return true;
  }
  /// Whether `arm` would find a signal aborted.
  bool aborted() const noexcept {
    if (option_.state && isAborted(*option_.state)) return true;
    const AbortState* around = ambientSignal();
    return around != nullptr && isAborted(*around);
  }
  void disarm() noexcept {
    option_.unlink();
    ambient_.unlink();
  }
  bool fired() const noexcept { return static_cast<bool>(fired_); }
  /// Throws: AbortError whose cause is the signal's reason.
  [[noreturn]] void throwAborted() const { throw AbortError(fired_->reason); }

 private:
  struct Hook : AbortListener {
    explicit Hook(CancelHooks& o) noexcept : AbortListener(notifyHooks), owner(o) {}
    CancelHooks& owner;
    Ref<AbortState> state;
  };
  static void notifyHooks(AbortListener& listener) noexcept {
    auto& hook = static_cast<Hook&>(listener);
    CancelHooks& self = hook.owner;
    (void)self.fire(*hook.state);
    self.disarm();
    self.onCancel_(self);
  }
  bool fire(AbortState& state) noexcept {
    fired_ = Ref<AbortState>(&state);
    return false;
  }

  OnCancel onCancel_;
  Hook option_;
  Hook ambient_;
  Ref<AbortState> fired_;
};

/// An awaiter that waits for something in memory. It stands in a wait list, then, woken or aborted, in
/// the microtask queue; destroyed, it leaves either. A class that grants something when it wakes a
/// waiter derives from it and takes the grant back in its destructor when `granted()`.
class Waiter : public Job {
 public:
  explicit Waiter(SignalRef signal = {}) noexcept : Job(onJob), hooks_(*this, signal.state()) {}

  /// For `await_suspend`: stands last in `list`, unless a signal is aborted already: then it goes on in
  /// a microtask. `ambient` = false ignores the context's signal.
  void wait(std::coroutine_handle<> handle, List<Waiter>& list, bool ambient = true) {
    MicrotaskQueue& queue = currentQueue();
    home_ = threadState.home;
    continuation_.capture(handle);
    if (hooks_.arm(ambient)) {
      list.pushBack(*this);
    } else {
      queue.pushMicrotask(*this);
    }
  }
  /// Whether `wait` would only throw AbortError: for `await_ready`, before it takes anything.
  bool aborted() const noexcept { return hooks_.aborted(); }
  /// A signal ended the wait.
  bool cancelled() const noexcept { return hooks_.fired(); }
  /// Who stands first in `list` and can go on. Those in front of it whose loop has ended leave the list.
  /// Throws: Error ERR_WRONG_THREAD.
  static Waiter* next(List<Waiter>& list) {
    if (list.empty()) return nullptr;
    Waiter& waiter = list.front();
    return waiter.loopIsHere() ? &waiter : nextHere(list);
  }
  /// Goes on in a microtask; a later abort comes too late. Called on the loop's thread, as who came from `next`
  /// is; after the end of the loop it only leaves the list.
  void wake() noexcept {
    leave();
    if (!loopIsHere()) [[unlikely]]
      return;
    granted_ = true;
    threadState.queue->pushMicrotask(*this);
  }
  /// Woken, but has not gone on.
  bool granted() const noexcept { return granted_; }
  /// For `await_resume`. Throws: AbortError.
  void finish() {
    granted_ = false;
    if (hooks_.fired()) hooks_.throwAborted();
  }

 private:
  struct Hooks : CancelHooks {
    Hooks(Waiter& w, AbortState* signal) noexcept : CancelHooks(onCancel, signal), waiter(w) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      Waiter& self = static_cast<Hooks&>(hooks).waiter;
      // Nobody can be told but by the end of the program.
      if (!self.loopIsHere()) return self.leaveAway();
      self.unlink();
      threadState.queue->pushMicrotask(self);
    }
    Waiter& waiter;
  };
  bool loopIsHere() const noexcept { return threadState.home == home_; }
  void leave() noexcept {
    hooks_.disarm();
    unlink();
  }
  LEAT_NOINLINE static Waiter* nextHere(List<Waiter>& list) {
    while (!list.empty() && !list.front().loopIsHere()) list.front().leaveAway();
    return list.empty() ? nullptr : &list.front();
  }
  void leaveAway() {
    if (homeLives(home_))
      throwError(
          "a coroutine of another thread's event loop waits here; what it waits for belongs to "
          "that "
          "thread, too: use LoopRef::post to go there",
          "ERR_WRONG_THREAD");
    leave();
  }
  static void onJob(Job& job, JobAction action) noexcept {
    if (action == JobAction::Run) static_cast<Waiter&>(job).continuation_.resumeFromQueue();
  }

  HomeId home_ = 0;  // of the loop that it waits on; the waiter may outlive that
  Continuation continuation_;
  Hooks hooks_;
  bool granted_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
