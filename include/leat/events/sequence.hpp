// SPDX-License-Identifier: MIT
// on: the emits of an event one after the other, as an asynchronous sequence.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/events/emitter.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

/// Options of `on`.
struct OnOptions {
  /// Ends the sequence with AbortError, besides the ambient signal.
  SignalRef signal{};
  /// With more events than this waiting the emitter's `pause()` is called, with fewer than
  /// `lowWaterMark` its `resume()`. Only for emitters that have both. A handle is kept for it.
  std::size_t highWaterMark = static_cast<std::size_t>(-1);
  std::size_t lowWaterMark = 1;
  /// The events that end the sequence, such as "close" or "end".
  std::string_view close[4]{};
};

namespace detail {

/// What a sequence, its listeners and the signal share.
template <class Item>
class SequenceState final : public CancelHooks, public Counted<SequenceState<Item>> {
 public:
  using Next = std::optional<Item>;
  explicit SequenceState(const OnOptions& options)
      : CancelHooks(onCancel, options.signal.state()),
        high_(options.highWaterMark),
        low_(options.lowWaterMark) {}

  void event(Item&& item);
  void fail(std::exception_ptr error) noexcept;
  /// Whoever waits is told that there is no more; what is kept can still be taken.
  void close() noexcept;
  /// The emitter has gone, and its listeners with it.
  void gone() noexcept {
    if (finished_) return;
    fail(std::make_exception_ptr(
        Error("the emitter was destroyed while on() listened to it", "ERR_BROKEN_PROMISE")));
  }
  Promise<Next> next(std::source_location where);

  bool finished() const noexcept { return finished_; }
  bool paused() const noexcept { return paused_; }
  std::size_t waiting() const noexcept { return items_.size(); }
  void keep(Listener listener) { listeners_.push_back(std::move(listener)); }

  // pause (true) and resume of the emitter, where there are marks.
  Ref<CallbackBlock<Function<void(bool)>>> flow;

 private:
  /// What listens to that may end this.
  void setFlow(bool pause) {
    if (const auto kept = flow) kept->callable(pause);
  }
  static void onCancel(CancelHooks& hooks) noexcept {
    const Ref<SequenceState> self(&static_cast<SequenceState&>(hooks));
    self->fail(abortErrorOf(*self));
  }

  Fifo<Item> items_;
  Fifo<Resolver<Next>> takers_;
  std::vector<Listener> listeners_;
  std::exception_ptr error_;
  const std::size_t high_;
  const std::size_t low_;
  bool paused_ = false;
  bool finished_ = false;
};

/// A listener's share of the state. The last thing that an emitter does to a listener is to drop it.
template <class Item>
class SequenceHook {
 public:
  explicit SequenceHook(const Ref<SequenceState<Item>>& state) : state_(state) {}
  SequenceHook(SequenceHook&&) noexcept = default;
  SequenceHook& operator=(SequenceHook&&) = delete;
  ~SequenceHook() {
    if (state_) state_->gone();
  }
  SequenceState<Item>* operator->() const noexcept { return state_.get(); }

 private:
  Ref<SequenceState<Item>> state_;
};

}  // namespace detail

/// The emits of an event. Moved, not copied; destroyed, it stops listening.
///
/// Node: what `events.on` gives.
template <class Item>
class [[nodiscard("it stops listening when it is destroyed")]] EventSequence {
 public:
  explicit EventSequence(detail::Ref<detail::SequenceState<Item>> state) noexcept
      : state_(std::move(state)) {}
  EventSequence(EventSequence&&) noexcept = default;
  EventSequence& operator=(EventSequence&& other) noexcept {
    return_();
    state_ = std::move(other.state_);
    return *this;
  }
  ~EventSequence() { return_(); }

  /// The arguments of the next emit, in an optional that is empty when the sequence has ended:
  /// `while (auto event = co_await events.next()) { auto& [chunk] = *event; ... }`. May be called again
  /// before it has settled. Throws: what "error" was emitted with, AbortError, once.
  Promise<std::optional<Item>> next(
      std::source_location where = std::source_location::current()) const {
    return state_->next(where);
  }
  /// Stops listening; what was emitted already can still be taken. Node: `return()`.
  void return_() const noexcept {
    if (state_) state_->close();
  }
  /// Ends it with an error. Node: `throw(error)`.
  template <class E>
  void throw_(E&& error) const {
    state_->fail(detail::asReason(std::forward<E>(error)));
  }
  /// How many emits wait to be taken, and whether the emitter is paused for that.
  std::size_t size() const noexcept { return state_->waiting(); }
  bool paused() const noexcept { return state_->paused(); }

  /// Internal.
  const detail::Ref<detail::SequenceState<Item>>& state() const noexcept { return state_; }

 private:
  detail::Ref<detail::SequenceState<Item>> state_;
};

namespace detail {

template <class Item>
void SequenceState<Item>::event(Item&& item) {
  if (finished_) return;
  if (!takers_.empty()) return takers_.pop().resolve(Next(std::move(item)));
  if (!paused_ && items_.size() + 1 > high_) {
    paused_ = true;
    setFlow(true);
  }
  items_.push(std::move(item));
}

template <class Item>
void SequenceState<Item>::fail(std::exception_ptr error) noexcept {
  if (takers_.empty()) {
    error_ = std::move(error);
  } else {
    takers_.pop().reject(std::move(error));
  }
  close();
}

template <class Item>
void SequenceState<Item>::close() noexcept {
  finished_ = true;
  disarm();
  // The listeners own this.
  const Ref<SequenceState> self(this);
  for (Listener& listener : std::exchange(listeners_, {})) offQuietly(listener);
  while (!takers_.empty()) takers_.pop().resolve(Next());
  // As in Node a paused emitter is resumed when what it has emitted is taken.
  if (!paused_) flow = nullptr;
}

template <class Item>
Promise<std::optional<Item>> SequenceState<Item>::next(std::source_location where) {
  if (!items_.empty()) {
    auto item = Promise<Next>::resolve(Next(items_.pop()));
    if (paused_ && items_.size() < low_) {
      const Ref<SequenceState> self(this);
      setFlow(false);
      paused_ = false;
      if (finished_) flow = nullptr;
    }
    return item;
  }
  if (error_) return Promise<Next>::reject(std::exchange(error_, nullptr), where);
  if (finished_) return Promise<Next>::resolve(Next());
  auto made = Promise<Next>::withResolvers(where);
  takers_.push(std::move(made.resolve));
  return made.promise;
}

LEAT_INLINE void checkMarks(const OnOptions& options, bool canPause);

#if LEAT_BODIES
LEAT_INLINE void checkMarks(const OnOptions& options, bool canPause) {
  if (options.highWaterMark == 0 || options.lowWaterMark == 0)
    throw RangeError(
        "The value of \"options.highWaterMark\" and \"options.lowWaterMark\" must be 1 or more");
  if (options.highWaterMark != OnOptions().highWaterMark && !canPause)
    throwTypeError("on() with a highWaterMark needs an emitter with pause() and resume()",
                   "ERR_INVALID_ARG_TYPE");
}
#endif

template <class E>
concept Pausable = requires(E& emitter) {
  emitter.pause();
  emitter.resume();
};

/// Pauses and resumes an emitter as long as it is there. A handle is kept.
template <class E>
auto flowOf(E& emitter) {
  if constexpr (requires { emitter.anchor()->present(); }) {
    return [anchor = emitter.anchor(), &emitter](bool pause) {
      if (anchor->present()) (void)(pause ? emitter.pause() : emitter.resume());
    };
  } else {
    return [handle = std::remove_cv_t<E>(emitter)](bool pause) mutable {
      (void)(pause ? handle.pause() : handle.resume());
    };
  }
}

/// Throws: AbortError when a signal is aborted already.
template <class Item, class E>
Ref<SequenceState<Item>> makeSequence(E& emitter, const OnOptions& options) {
  checkMarks(options, Pausable<E>);
  auto state = makeRef<SequenceState<Item>>(options);
  if (!state->arm()) state->throwAborted();
  if constexpr (Pausable<E>)
    if (options.highWaterMark != OnOptions().highWaterMark)
      state->flow = makeRef<CallbackBlock<Function<void(bool)>>>(flowOf(emitter));
  return state;
}

template <FixedString name, class E>
auto sequenceOf(E& emitter, const OnOptions& options) {
  using Item = typename E::template Kept<name>;
  for (std::string_view event : options.close)
    if (!event.empty() && !E::withEvent(event, [](auto*) {}))
      throwTypeError("on(): the emitter has no event '" + std::string(event) + "' to close by",
                     "ERR_INVALID_ARG_VALUE");
  EventSequence<Item> made(makeSequence<Item>(emitter, options));
  const auto& state = made.state();
  using Hook = SequenceHook<Item>;
  const auto survives = survivalOf(emitter);
  state->keep(emitter.on(EventName<name>(),
                         [hook = Hook(state)](auto&&... args) { hook->event(Item(args...)); }));
  if constexpr (name.view() != "error")
    if (survives)
      state->keep(emitter.on(EventName<"error">(), [hook = Hook(state)](const auto&... args) {
        hook->fail(reasonOfError(args...));
      }));
  for (std::string_view event : options.close) {
    if (!survives) break;
    E::withEvent(event, [&](auto* slot) {
      using Name = typename std::remove_pointer_t<decltype(slot)>::Name;
      state->keep(emitter.on(Name(), [hook = Hook(state)]() { hook->close(); }));
    });
  }
  return made;
}

template <class Item, class Keep, class E>
EventSequence<Item> sequenceOfNamed(E& emitter, std::string_view name, const OnOptions& options,
                                    Keep keep) {
  EventSequence<Item> made(makeSequence<Item>(emitter, options));
  const auto& state = made.state();
  using Hook = SequenceHook<Item>;
  const auto survives = survivalOf(emitter);
  state->keep(emitter.on(
      name, [hook = Hook(state), keep](const Emission& emission) { hook->event(keep(emission)); }));
  if (survives && name != "error")
    state->keep(emitter.on("error", [hook = Hook(state)](const Emission& emission) {
      hook->fail(reasonOfEmission(emission));
    }));
  for (std::string_view event : options.close)
    if (survives && !event.empty())
      state->keep(emitter.on(event, [hook = Hook(state)]() { hook->close(); }));
  return made;
}

}  // namespace detail

/// Every emit of an event from now on, none lost: `auto events = on<"data">(emitter);`. An "error" ends it,
/// after what was emitted before. Without marks it keeps as much as is emitted.
///
/// Node: `events.on`. Throws: AbortError when a signal is aborted already; TypeError, RangeError of the
/// options. Cancel: AbortError out of `next()`, after what was emitted before.
/// Lifetime: does not hold the loop. An emitter that is destroyed ends it with ERR_BROKEN_PROMISE.
template <FixedString name, EmitterOfTypes E>
auto on(E& emitter, OnOptions options = {}) {
  return detail::sequenceOf<name>(emitter, options);
}
template <FixedString name, EmitterOfTypes E>
auto on(E& emitter, EventName<name>, OnOptions options = {}) {
  return detail::sequenceOf<name>(emitter, options);
}
/// By a name of run time: each item is EventArgs.
template <EmitterOfNames E>
EventSequence<EventArgs> on(E& emitter, std::string_view event, OnOptions options = {}) {
  return detail::sequenceOfNamed<EventArgs>(
      emitter, event, options,
      [](const detail::Emission& emission) { return EventArgs(emission); });
}
/// As these types: each item is a std::tuple. Other arguments are a TypeError out of `emit`.
template <class First, class... More, EmitterOfNames E>
  requires(!Emitter<First>)
EventSequence<std::tuple<First, More...>> on(E& emitter, std::string_view event,
                                             OnOptions options = {}) {
  return detail::sequenceOfNamed<std::tuple<First, More...>>(emitter, event, options,
                                                             detail::tupleOf<First, More...>);
}

}  // namespace leat::inline LEAT_ABI
