// SPDX-License-Identifier: MIT
// What both sides of a stream share: the handles' count, construction, errors, tear-down. In Node's order
// of events and ticks. Node: lib/internal/streams/destroy.js.
#pragma once

#include <leat/events/emitter.hpp>
#include <leat/stream/detail/stream_errors.hpp>
#include <leat/stream/options.hpp>

#include <vector>

namespace leat::inline LEAT_ABI::detail {

class ReadableCore;
class WritableCore;
class StreamCore;

/// A tick of a stream that is queued at most once at a time, without a block of its own.
class StreamTick : private Job {
 public:
  using Function = void (*)(StreamCore&);
  StreamTick(StreamCore& stream, Function onTick) noexcept
      : Job(onJob), stream_(stream), function_(onTick) {}
  void schedule();
  bool queued() const noexcept { return linked(); }

 private:
  static void onJob(Job& job, JobAction action) noexcept;

  StreamCore& stream_;
  const Function function_;
  ContextRef context_;
};

enum class StreamFlag : unsigned {
  Destroyed = 1,
  Closed = 2,
  CloseEmitted = 4,
  Errored = 8,
  ErrorEmitted = 16,
  Constructed = 32,
  EmitClose = 64,
  AutoDestroy = 128,
  AllowHalfOpen = 256,
  // The implementation's destroy has been called, and may answer once.
  Destroying = 512,
  // Somebody has waited for it: an error without a listener is theirs.
  Awaited = 1024,
  // It is kept for the next wait: nobody has been told.
  Untold = 2048,
  // Nobody has to be told.
  Quiet = 4096,
  // It is the process's, and others write to it too: the end of a source that is piped into it is not its end.
  Shared = 8192,
};

/// A set of the bits of an enumeration.
template <class Flag>
class Flags {
 public:
  using Word = std::underlying_type_t<Flag>;
  constexpr Flags() noexcept = default;
  template <class... More>
  constexpr explicit Flags(More... more) noexcept : bits_((static_cast<Word>(more) | ... | 0)) {}
  template <class... More>
  constexpr bool any(More... more) const noexcept {
    return (bits_ & (static_cast<Word>(more) | ...)) != 0;
  }
  template <class... More>
  constexpr void set(More... more) noexcept {
    bits_ |= (static_cast<Word>(more) | ...);
  }
  template <class... More>
  constexpr void clear(More... more) noexcept {
    bits_ &= ~(static_cast<Word>(more) | ...);
  }
  constexpr Flags operator|(Flags other) const noexcept {
    other.bits_ |= bits_;
    return other;
  }
  constexpr void put(Flag flag, bool to) noexcept { to ? set(flag) : clear(flag); }
  /// Whether of these bits exactly those of `wanted` are set.
  constexpr bool match(Flags these, Flags wanted) const noexcept {
    return (bits_ & these.bits_) == wanted.bits_;
  }

 private:
  Word bits_ = 0;
};

/// What holds a stream for all the answers that its implementation owes.
struct AnswerLink : Counted<AnswerLink>, FrameAllocated {
  // Null when nothing is owed, and after the end of the loop.
  StreamCore* stream = nullptr;
  unsigned holds = 0;
};

/// A stream without the type of its chunks. Counted; what is pending at the end of the loop is dropped.
class StreamCore : public EmitterBase, public LoopOwned, public Counted<StreamCore> {
 public:
  using Flag = StreamFlag;
  using CloseSlot = EventSlot<Event<"close">>;
  using ErrorSlot = EventSlot<Event<"error", std::exception_ptr>>;
  using MonitorSlot = EventSlot<Event<"events.errorMonitor", std::exception_ptr>>;
  using AddedSlot = EventSlot<Event<"newListener", std::string_view, Listener>>;
  using RemovedSlot = EventSlot<Event<"removeListener", std::string_view, Listener>>;

  virtual ~StreamCore() {
    end();
    // Nobody came who could be told.
    if (flags.any(Flag::Untold)) LateReport::start(std::move(errored));
  }

  // ---- the state ----
  bool destroyed() const noexcept { return flags.any(Flag::Destroyed); }
  bool failed() const noexcept { return flags.any(Flag::Destroyed, Flag::Errored); }
  /// It is constructed, and neither failed nor destroyed: one comparison.
  bool sound() const noexcept {
    return flags.match(Flags<Flag>(Flag::Destroyed, Flag::Errored, Flag::Constructed),
                       Flags<Flag>(Flag::Constructed));
  }
  bool closeEmitted() const noexcept { return flags.any(Flag::CloseEmitted); }
  /// Whether a "close" is still to come.
  bool willEmitClose() const noexcept {
    return flags.match(Flags<Flag>(Flag::AutoDestroy, Flag::EmitClose, Flag::Closed),
                       Flags<Flag>(Flag::AutoDestroy, Flag::EmitClose));
  }
  ReadableCore* readable() const noexcept { return readable_; }
  WritableCore* writable() const noexcept { return writable_; }

  // ---- tear-down ----
  /// The first call counts. Errors of a stream under construction wait for its end.
  void destroy(std::exception_ptr error = nullptr);
  /// The answer of the implementation's destroy.
  void onDestroyed(std::exception_ptr error);
  /// `destroy`, or without autoDestroy only the "error", in a tick when `sync`.
  void fail(std::exception_ptr error, bool sync = false);
  void noteError(const std::exception_ptr& error) noexcept {
    if (!error || flags.any(Flag::Errored)) return;
    errored = error;
    flags.set(Flag::Errored);
    noLongerPlain();
  }
  /// Both sides are over, as far as this stream has them.
  bool over() const noexcept;
  void destroyWhenOver();

  /// Node: addAbortSignal.
  void abortBy(const AbortSignal& signal);

  // ---- construction ----
  void startConstruction();
  void onConstructed(std::exception_ptr error);

  // ---- events ----
  void emitError(const std::exception_ptr& error);
  void emitErrorOnce(const std::exception_ptr& error) {
    if (flags.any(Flag::ErrorEmitted)) return;
    flags.set(Flag::ErrorEmitted);
    emitError(error);
  }
  void emitClose();
  /// Throws an error to somebody who waited for the stream. If that is why it failed, and its "error" is still
  /// to come, that is for listeners alone.
  [[noreturn]] void tell(std::exception_ptr error) {
    if (error == errored) {
      flags.clear(Flag::Untold);
      if (!flags.any(Flag::ErrorEmitted)) flags.set(Flag::Quiet);
    }
    std::rethrow_exception(std::move(error));
  }
  template <class F>
  void inTick(F&& f) {
    nextTick([self = Ref<StreamCore>(this), f = std::forward<F>(f)]() mutable { f(*self); });
  }
  /// Calls `f` for each event that has no chunk.
  void eachSlot(void (*f)(void*, SlotBase&), void* with);

  CloseSlot closeSlot;
  ErrorSlot errorSlot;
  MonitorSlot monitorSlot;
  AddedSlot addedSlot;
  RemovedSlot removedSlot;
  Flags<Flag> flags{Flag::Constructed};
  std::exception_ptr errored;
  // Until that is done. What failed since then is noted in `errored` and is nobody's "error".
  std::exception_ptr destroyedBy;
  // Who waits for the end of all.
  List<Waiter> closeWaiters;
  // Made when the first answer is owed.
  Ref<AnswerLink> answers;
  // The signals that destroy it.
  std::vector<AbortRegistration> signals;

  using EmitterBase::add;
  using EmitterBase::removeAll;

 protected:
  StreamCore(const EmitterOps& ops, bool emitClose, bool autoDestroy);
  void attach(ReadableCore* readable, WritableCore* writable) noexcept {
    readable_ = readable;
    writable_ = writable;
  }
  /// The hooks of the implementation.
  virtual void callDestroy(std::exception_ptr error) { onDestroyed(std::move(error)); }
  virtual void callConstruct() { onConstructed(nullptr); }
  /// The loop ends: whatever leads to other streams and back goes.
  virtual void letGo() noexcept = 0;
  void dropListeners() noexcept;

 private:
  static void onLoopEnd(LoopOwned& owned) noexcept;
  void runDestroy();
  void constructNow();
  void wakeAll() noexcept;
  bool someoneWaits() const noexcept;
  /// What is over or has failed is not aborted any more.
  void dropSignals() noexcept { std::exchange(signals, {}).clear(); }
  /// It has failed or is destroyed: what its sides have noted does not hold any more.
  void noLongerPlain() noexcept;

  ReadableCore* readable_ = nullptr;
  WritableCore* writable_ = nullptr;
};

/// Holds a stream until its implementation has answered. That may keep this, though the stream keeps the
/// implementation: the end of the loop lets go.
class AnswerHold {
 public:
  explicit AnswerHold(StreamCore& stream) {
    if (!stream.answers) stream.answers = makeRef<AnswerLink>();
    link_ = stream.answers;
    if (link_->holds++ > 0) return;
    stream.retain();
    link_->stream = &stream;
  }
  AnswerHold(const AnswerHold& other) noexcept : link_(other.link_) {
    if (link_) ++link_->holds;
  }
  AnswerHold(AnswerHold&&) noexcept = default;
  AnswerHold& operator=(AnswerHold other) noexcept {
    std::swap(link_, other.link_);
    return *this;
  }
  ~AnswerHold() {
    if (link_ && --link_->holds == 0) drop(*link_);
  }
  /// Null after the end of the loop.
  StreamCore* stream() const noexcept { return link_ ? link_->stream : nullptr; }
  static void drop(AnswerLink& link) noexcept {
    if (StreamCore* const held = std::exchange(link.stream, nullptr)) held->release();
  }

 private:
  Ref<AnswerLink> link_;
};

/// The EmitterOps of a kind of stream.
struct StreamOps {
  static void emitError(EmitterBase& base, const std::exception_ptr& error) {
    static_cast<StreamCore&>(base).destroy(error);
  }
  static void removed(EmitterBase& base, SlotBase& slot, std::string_view name,
                      const Listener& listener);
};

/// What listeners throw is uncaught, in a tick, and no matter of who has called them.
template <class F>
void tellListeners(F&& f) {
  try {
    f();
  } catch (...) {
    nextTick([error = std::current_exception()] { std::rethrow_exception(error); });
  }
}

inline void wakeWaiters(List<Waiter>& waiters) noexcept {
  while (!waiters.empty()) waiters.front().wake();
}

#if LEAT_BODIES
LEAT_INLINE void StreamTick::schedule() {
  MicrotaskQueue& queue = currentQueue();
  stream_.retain();
  context_ = currentContext();
  queue.pushTick(*this);
}

LEAT_INLINE void StreamTick::onJob(Job& job, JobAction action) noexcept {
  auto& self = static_cast<StreamTick&>(job);
  const auto stream = Ref<StreamCore>::adopt(&self.stream_);
  ContextScope scope(std::move(self.context_));
  if (action != JobAction::Run) return;
  try {
    self.function_(*stream);
  } catch (...) {
    threadState.queue->report(std::current_exception());
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
