// SPDX-License-Identifier: MIT
// AbortController and AbortSignal. A signal that came down with the context cancels every operation
// under it; a signal given in the options cancels that one.
#pragma once

#include <leat/core/callback.hpp>

#include <type_traits>

namespace leat::inline LEAT_ABI {

class AbortSignal;

namespace detail {

/// The part of an abort that any thread may do: who asks sees it, who listens is told by `tellAborted`. False
/// when it was aborted before.
LEAT_INLINE bool markAborted(AbortState& state, std::exception_ptr reason) noexcept;
/// The rest: the listeners in order, then the signals that follow this one.
LEAT_INLINE void tellAborted(AbortState& state) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool markAborted(AbortState& state, std::exception_ptr reason) noexcept {
  unsigned char none = 0;
  if (!state.aborted.compareExchange(none, AbortState::claimed, acqRel)) return false;
  state.reason = std::move(reason);
  state.aborted.store(1, release);
  return true;
}

LEAT_INLINE void tellListeners(AbortState& state) noexcept {
  List<AbortListener> told;
  told.append(state.listeners);
  while (!told.empty()) {
    AbortListener& listener = told.popFront();
    listener.notify(listener);
  }
}

/// Without recursion, as a chain of signals may be long.
LEAT_INLINE void tellAborted(AbortState& state) noexcept {
  Ref<AbortState> at(&state);
  tellListeners(*at);
  while (at) {
    if (at->followers.empty()) {
      at = Ref<AbortState>::adopt(std::exchange(at->toldWithin, nullptr));
      continue;
    }
    auto& link = static_cast<FollowedSignal&>(at->followers.popFront());
    // Held, as its last handle may go meanwhile, and the link with it.
    Ref<AbortState> follower = link.lockFollower();
    if (!follower || !markAborted(*follower, at->reason)) continue;
    tellListeners(*follower);
    follower->toldWithin = at.leak();
    at = std::move(follower);
  }
}
#endif

/// Aborts once.
inline void abortNow(AbortState& state, std::exception_ptr reason) noexcept {
  if (markAborted(state, std::move(reason))) tellAborted(state);
}

inline bool isAborted(const AbortState& state) noexcept { return state.aborted.load(acquire) == 1; }

/// A callback of `onAbort`, owned by the registration and, while it runs, by the dispatch. It runs in the
/// context of whoever aborts, as Node's listeners do.
struct AbortCallbackBase : AbortListener, Counted<AbortCallbackBase> {
  explicit AbortCallbackBase(Ref<AbortState> s) noexcept
      : AbortListener(dispatch), state(std::move(s)) {}
  virtual ~AbortCallbackBase() = default;
  virtual void call() = 0;
  static LEAT_INLINE void dispatch(AbortListener& listener) noexcept;
  /// Is no listener from now on.
  void leave() noexcept {
    if (seen && linked()) --state->seenListeners;
    unlink();
  }

  // Counted by the signal.
  bool seen = false;
  Ref<AbortState> state;
};

/// An exception of a listener stops no other; it is reported as uncaught in the next tick. A thread without
/// a loop has none: the program ends.
class LateReport : private Job, public FrameAllocated {
 public:
  static void start(std::exception_ptr error) noexcept {
    if (threadState.queue == nullptr) std::rethrow_exception(std::move(error));
    threadState.queue->pushTick(*new LateReport(std::move(error)));
  }

 private:
  explicit LateReport(std::exception_ptr error) noexcept : Job(onJob), error_(std::move(error)) {}
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<LateReport&>(job);
    std::exception_ptr error = std::move(self.error_);
    delete &self;
    if (action == JobAction::Run) threadState.queue->report(std::move(error));
  }
  std::exception_ptr error_;
};

#if LEAT_BODIES
LEAT_INLINE void AbortCallbackBase::dispatch(AbortListener& listener) noexcept {
  auto& self = static_cast<AbortCallbackBase&>(listener);
  Ref<AbortCallbackBase> alive(&self);
  try {
    self.call();
  } catch (...) {
    LateReport::start(std::current_exception());
  }
}
#endif

template <class F>
struct AbortCallback final : AbortCallbackBase {
  template <class X>
  AbortCallback(Ref<AbortState> s, X&& f)
      : AbortCallbackBase(std::move(s)), callable(std::forward<X>(f)) {}
  void call() override { (void)callable(); }
  F callable;
};

/// A signal that was aborted before the listener came: the listener is told in a microtask.
class LateAbort : private Job, public FrameAllocated {
 public:
  static void start(Ref<AbortCallbackBase> callback) {
    currentQueue().pushMicrotask(*new LateAbort(std::move(callback)));
  }

 private:
  explicit LateAbort(Ref<AbortCallbackBase> c) noexcept
      : Job(onJob), callback_(std::move(c)), context_(currentContext()) {}
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<LateAbort&>(job);
    // Only the queue holds a callback whose registration is gone.
    if (action == JobAction::Run && self.callback_->useCount() > 1) {
      ContextScope scope(std::move(self.context_));
      AbortCallbackBase::dispatch(*self.callback_);
    }
    delete &self;
  }
  Ref<AbortCallbackBase> callback_;
  ContextRef context_;
};

/// The reason when none is given.
LEAT_INLINE std::exception_ptr abortReason(std::exception_ptr reason) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::exception_ptr abortReason(std::exception_ptr reason) noexcept {
  if (reason) return reason;
  return errorOfMade([] { return AbortError(std::string_view("This operation was aborted")); });
}
#endif
/// Of what is no exception_ptr.
template <class R>
std::exception_ptr abortReasonOf(R&& reason) noexcept {
  constexpr bool error = std::is_base_of_v<std::exception, std::remove_cvref_t<R>>;
  static_assert(error || std::is_convertible_v<R, std::string_view>,
                "abort(reason): the reason is an exception, a std::exception_ptr or a text");
  return errorOfMade([&]() -> decltype(auto) {
    if constexpr (error) {
      return std::forward<R>(reason);
    } else {
      return Error(std::string_view(std::forward<R>(reason)));
    }
  });
}

}  // namespace detail

/// Keeps a listener of a signal; destroyed or `off()`, the listener is gone.
class [[nodiscard(
    "the listener is removed when the registration is destroyed")]] AbortRegistration {
 public:
  using LoopBound = void;
  AbortRegistration() noexcept = default;
  explicit AbortRegistration(detail::Ref<detail::AbortCallbackBase> callback) noexcept
      : callback_(std::move(callback)) {}
  AbortRegistration(AbortRegistration&&) noexcept = default;
  AbortRegistration& operator=(AbortRegistration&& other) noexcept {
    off();
    callback_ = std::move(other.callback_);
    return *this;
  }
  ~AbortRegistration() { off(); }
  void off() noexcept {
    if (callback_) callback_->leave();
    callback_ = nullptr;
  }

 private:
  detail::Ref<detail::AbortCallbackBase> callback_;
};

/// Tells operations to stop. Copies are handles to the same signal.
///
/// Node: `AbortSignal`. Thread: `aborted()` anywhere, the rest on the controller's thread.
class AbortSignal {
 public:
  /// Node: `AbortSignal.abort(reason)`: aborted already, by default with an AbortError.
  static AbortSignal abort(std::exception_ptr reason = nullptr);
  /// With an exception, or with a text, which stands for `Error(text)`.
  template <class R>
    requires(!std::is_convertible_v<R, std::exception_ptr>)
  static AbortSignal abort(R&& reason);
  /// Node: `AbortSignal.timeout(ms)`: aborts with a TimeoutError; does not hold the loop. Also a duration.
  /// Defined in loop/abort_timeout.hpp.
  template <class D>
  static AbortSignal timeout(const D& delay);
  /// Node: `AbortSignal.any(signals)`: follows the first to abort, with its reason. Its listeners
  /// are called after those of the source.
  template <class... Signals>
    requires(std::is_same_v<std::remove_cvref_t<Signals>, AbortSignal> && ...)
  static AbortSignal any(const Signals&... signals);
  /// The same for a range of signals.
  template <class Range>
    requires requires(const Range& r) { static_cast<const AbortSignal&>(*r.begin()); }
  static AbortSignal any(const Range& signals);

  bool aborted() const noexcept { return detail::isAborted(*state_); }
  /// Null until aborted.
  std::exception_ptr reason() const noexcept {
    return aborted() ? state_->reason : std::exception_ptr();
  }
  /// Throws: the reason itself.
  void throwIfAborted() const {
    if (aborted()) std::rethrow_exception(state_->reason);
  }
  /// Calls `listener()` inside `abort()`, in order of registration; when aborted already, in a
  /// microtask. What it throws is reported as an uncaught exception in the next tick; on a thread without
  /// a loop it ends the program (`std::terminate`). It is not counted:
  /// `addAbortListener` is for listeners whose number a limit watches.
  template <class F>
  AbortRegistration onAbort(F&& listener) const;

  friend bool operator==(const AbortSignal& a, const AbortSignal& b) noexcept {
    return a.state_ == b.state_;
  }

  /// Internal: shares the state.
  explicit AbortSignal(detail::Ref<detail::AbortState> state) noexcept : state_(std::move(state)) {}
  detail::AbortState* state() const noexcept { return state_.get(); }

 private:
  detail::Ref<detail::AbortState> state_;
};

/// Node: `AbortController`.
class AbortController {
 public:
  AbortController() : signal_(detail::makeRef<detail::AbortState>()) {}
  const AbortSignal& signal() const noexcept { return signal_; }
  /// Tells the listeners, then aborts the operations; none goes on inside of this call. Later calls
  /// do nothing. By default the reason is an AbortError.
  void abort(std::exception_ptr reason = nullptr) const noexcept;
  /// With an exception, or with a text, which stands for `Error(text)`.
  template <class R>
    requires(!std::is_convertible_v<R, std::exception_ptr>)
  void abort(R&& reason) const noexcept {
    abort(detail::abortReasonOf(std::forward<R>(reason)));
  }

 private:
  AbortSignal signal_;
};

/// A signal in an options aggregate: refers to an AbortSignal, which must live until the call that
/// takes the options has returned; the operation then holds the signal itself.
class SignalRef {
 public:
  constexpr SignalRef() noexcept = default;
  SignalRef(const AbortSignal& signal) noexcept : state_(signal.state()) {}
  SignalRef(const AbortController& controller) noexcept : state_(controller.signal().state()) {}
  /// Internal: of a state that somebody holds.
  explicit SignalRef(detail::AbortState* state) noexcept : state_(state) {}
  detail::AbortState* state() const noexcept { return state_; }

 private:
  detail::AbortState* state_ = nullptr;
};

namespace detail {

/// Has `follower` abort with `source`. False when `source` is aborted already, and with it `follower`.
/// Throws: Error ERR_WRONG_THREAD.
LEAT_INLINE bool followSignal(AbortState& source, AbortState& follower);
/// The same, but follows in the place of a combined signal what that follows, as Node does: a chain of them
/// keeps nothing but its ends.
LEAT_INLINE bool followCombined(AbortState& source, AbortState& follower);
inline bool followAny(AbortState& source, AbortState& follower) {
  follower.combined = true;
  return source.combined && !isAborted(source) ? followCombined(source, follower)
                                               : followSignal(source, follower);
}

#if LEAT_BODIES
LEAT_INLINE bool followSignal(AbortState& source, AbortState& follower) {
  if (isAborted(source)) {
    abortNow(follower, source.reason);
    return false;
  }
  auto* link = new FollowedSignal(source, follower);
  if (!FollowedSignal::claim(source)) {
    delete link;
    throwError(
        "an AbortSignal was combined (AbortSignal::any, withSignal) on another thread than the one "
        "that follows it already; use EventLoop::post to go there",
        "ERR_WRONG_THREAD");
  }
  source.reap();
  // What is combined of several that follow the same one follows it once.
  if (!source.followers.empty() &&
      static_cast<FollowedSignal&>(source.followers.back()).isOf(follower)) {
    (void)link->leave();
    return true;
  }
  source.followers.pushBack(*link);
  link->next = FollowedSignal::firstOf(follower);
  follower.source = link;
  follower.dispose = FollowedSignal::leaveAll;
  return true;
}

LEAT_INLINE bool followCombined(AbortState& source, AbortState& follower) {
  FollowedSignal* const first = FollowedSignal::firstOf(source);
  for (const FollowedSignal* link = first; link != nullptr; link = link->next) {
    // It is about to be aborted, too; or may not be followed here.
    if (isAborted(*link->source) || link->thread != threadNumber())
      return followSignal(source, follower);
  }
  for (const FollowedSignal* link = first; link != nullptr; link = link->next)
    (void)followSignal(*link->source, follower);
  return true;
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE AbortSignal AbortSignal::abort(std::exception_ptr reason) {
  AbortController controller;
  controller.abort(std::move(reason));
  return controller.signal();
}
#endif

template <class R>
  requires(!std::is_convertible_v<R, std::exception_ptr>)
AbortSignal AbortSignal::abort(R&& reason) {
  return abort(detail::abortReasonOf(std::forward<R>(reason)));
}

template <class... Signals>
  requires(std::is_same_v<std::remove_cvref_t<Signals>, AbortSignal> && ...)
AbortSignal AbortSignal::any(const Signals&... signals) {
  auto state = detail::makeRef<detail::AbortState>();
  (void)(detail::followAny(*signals.state_, *state) && ...);
  return AbortSignal(std::move(state));
}

template <class Range>
  requires requires(const Range& r) { static_cast<const AbortSignal&>(*r.begin()); }
AbortSignal AbortSignal::any(const Range& signals) {
  auto state = detail::makeRef<detail::AbortState>();
  for (const AbortSignal& signal : signals)
    if (!detail::followAny(*signal.state_, *state)) break;
  return AbortSignal(std::move(state));
}

template <class F>
AbortRegistration AbortSignal::onAbort(F&& listener) const {
  using Callback =
      detail::AbortCallback<decltype(detail::keepCallback<>(std::forward<F>(listener)))>;
  auto callback = detail::Ref<detail::AbortCallbackBase>::adopt(
      new Callback(state_, detail::keepCallback<>(std::forward<F>(listener))));
  if (aborted()) {
    detail::LateAbort::start(callback);
  } else {
    state_->listeners.pushBack(*callback);
  }
  return AbortRegistration(std::move(callback));
}

#if LEAT_BODIES
LEAT_INLINE void AbortController::abort(std::exception_ptr reason) const noexcept {
  detail::abortNow(*signal_.state(), detail::abortReason(std::move(reason)));
}
#endif

}  // namespace leat::inline LEAT_ABI
