// SPDX-License-Identifier: MIT
// What the handles of all streams have: the methods of an emitter, and destroy.
#pragma once

#include <leat/events/emitter_methods.hpp>
#include <leat/stream/detail/readable_state.hpp>
#include <leat/stream/detail/writable_state.hpp>

namespace leat::inline LEAT_ABI {

/// What `end` and `closed` give: a wait that may be left out. As a bool, whether it is over.
class StreamEnd {
 public:
  using LoopBound = void;
  enum class Of : unsigned char { Finish, Close };
  class Awaiter;
  StreamEnd(detail::Ref<detail::StreamCore> stream, Of of) noexcept
      : stream_(std::move(stream)), of_(of) {}
  operator bool() const noexcept {
    return of_ == Of::Close ? stream_->flags.any(detail::StreamFlag::Closed)
                            : stream_->writable()->finished();
  }
  Awaiter operator co_await() const noexcept;

 private:
  detail::Ref<detail::StreamCore> stream_;
  Of of_;
};

class StreamEnd::Awaiter : private detail::Waiter {
 public:
  Awaiter(detail::Ref<detail::StreamCore> stream, Of of) noexcept
      : stream_(std::move(stream)), of_(of) {}
  bool await_ready() const noexcept {
    if (of_ == Of::Finish) stream_->flags.set(detail::StreamFlag::Awaited);
    if (stream_->closeEmitted()) return true;
    return of_ == Of::Finish && (stream_->writable()->finished() ||
                                 stream_->flags.any(detail::StreamFlag::ErrorEmitted));
  }
  /// What is flushed to clean up is not to be cancelled.
  void await_suspend(std::coroutine_handle<> handle) {
    if (of_ == Of::Finish) {
      wait(handle, stream_->writable()->finishWaiters, false);
    } else {
      wait(handle, stream_->closeWaiters);
    }
  }
  void await_resume() {
    finish();
    if (of_ == Of::Close || stream_->writable()->finished()) return;
    stream_->tell(stream_->errored ? stream_->errored : detail::prematureClose());
  }

 private:
  detail::Ref<detail::StreamCore> stream_;
  Of of_;
};

#if LEAT_BODIES
LEAT_INLINE StreamEnd::Awaiter StreamEnd::operator co_await() const noexcept {
  return Awaiter(stream_, of_);
}
#endif

namespace detail {

/// A handle of a stream.
template <class S>
concept StreamLike = requires(const S& s) {
  { s.core() } -> std::same_as<StreamCore&>;
};

/// What has a stream, as a socket does: it stands where a stream may.
template <class S>
concept HasStream = !StreamLike<S> && requires(const S& s) {
  { s.stream() } -> StreamLike;
};
/// What the methods of a stream may be called of.
template <class I>
concept StreamPart = !StreamLike<std::remove_cvref_t<I>> && !HasStream<std::remove_cvref_t<I>>;
template <class S>
decltype(auto) asStream(S&& s) {
  if constexpr (HasStream<std::remove_cvref_t<S>>) {
    return s.stream();
  } else {
    return std::forward<S>(s);
  }
}

/// Whether S is a handle that chunks of type T can be read from, or written to.
template <class S, class T>
concept ReadsChunks = requires(const S& s) {
  { s.readSide() } -> std::same_as<ReadableState<T>&>;
};
template <class S, class T>
concept WritesChunks = requires(const S& s) {
  { s.writeSide() } -> std::same_as<WritableState<T>&>;
};

/// The slot of an event, looked for in what the stream has; null of a type that names what is missing.
template <FixedString name, class Self>
auto findStreamSlot(const Self& self) noexcept {
  constexpr std::string_view wanted = name.view();
  if constexpr (wanted == "close") {
    return &self.core().closeSlot;
  } else if constexpr (wanted == "error") {
    return &self.core().errorSlot;
  } else if constexpr (wanted == "events.errorMonitor") {
    return &self.core().monitorSlot;
  } else if constexpr (wanted == "newListener") {
    return &self.core().addedSlot;
  } else if constexpr (wanted == "removeListener") {
    return &self.core().removedSlot;
  } else if constexpr (Self::hasReadable && wanted == "data") {
    return &self.readSide().dataSlot;
  } else if constexpr (Self::hasReadable && wanted == "readable") {
    return &self.readSide().readableSlot;
  } else if constexpr (Self::hasReadable && wanted == "end") {
    return &self.readSide().endSlot;
  } else if constexpr (Self::hasReadable && wanted == "pause") {
    return &self.readSide().pauseSlot;
  } else if constexpr (Self::hasReadable && wanted == "resume") {
    return &self.readSide().resumeSlot;
  } else if constexpr (Self::hasWritable && wanted == "drain") {
    return &self.writeSide().drainSlot;
  } else if constexpr (Self::hasWritable && wanted == "prefinish") {
    return &self.writeSide().prefinishSlot;
  } else if constexpr (Self::hasWritable && wanted == "finish") {
    return &self.writeSide().finishSlot;
  } else if constexpr (Self::hasWritable && wanted == "pipe") {
    return &self.writeSide().pipeSlot;
  } else if constexpr (Self::hasWritable && wanted == "unpipe") {
    return &self.writeSide().unpipeSlot;
  } else if constexpr (requires { self.template ownSlot<name>(); }) {
    return self.template ownSlot<name>();
  } else {
    return static_cast<TheEmitterHasNoEvent<name>*>(nullptr);
  }
}

/// What streams have besides those of every emitter.
template <FixedString... names>
struct EventList {};
using StreamEvents = EventList<"close", "error", "data", "readable", "end", "pause", "resume",
                               "drain", "prefinish", "finish", "pipe", "unpipe", "open", "ready">;

/// A listener comes, as to any emitter.
LEAT_INLINE Listener joinStream(StreamCore& stream, SlotBase& slot, std::string_view name,
                                Ref<ListenerRecord> record, ListenerRecord::Call once, bool front);
/// All listeners go, event by event, those for "removeListener" last.
LEAT_INLINE void clearStream(StreamCore& stream, const std::vector<SlotBase*>& heard);

#if LEAT_BODIES
LEAT_INLINE Listener joinStream(StreamCore& stream, SlotBase& slot, std::string_view name,
                                Ref<ListenerRecord> record, ListenerRecord::Call once, bool front) {
  Listener handle{Ref<Registration>(record)};
  const Ref<StreamCore> alive(&stream);
  stream.addedSlot.emit(name, handle);
  record->once = once != nullptr;
  if (stream.readable() != nullptr) stream.readable()->flags.clear(ReadFlag::Direct);
  stream.add(slot, *record, once != nullptr ? once : record->plain, front, name);
  return handle;
}

LEAT_INLINE void clearStream(StreamCore& stream, const std::vector<SlotBase*>& heard) {
  if (stream.readable() != nullptr) stream.readable()->flags.clear(ReadFlag::Direct);
  for (SlotBase* each : heard)
    if (each != &stream.removedSlot) stream.removeAll(*each, !stream.removedSlot.empty());
  stream.removeAll(stream.removedSlot, true);
}
#endif

/// Self derives from this, and has core() and, as hasReadable and hasWritable say, readSide() and
/// writeSide().
template <class Self>
class StreamMethods : public EmitterMethods<StreamMethods<Self>> {
 public:
  template <FixedString name>
  using SlotOf = std::remove_pointer_t<decltype(findStreamSlot<name>(std::declval<const Self&>()))>;
  template <FixedString name>
  using Kept = typename SlotOf<name>::Kept;

  // ---- events: with EmitterMethods the methods of TypedEmitter ----

  template <FixedString name, class... Args>
  bool emit(Args&&... args) const {
    const Ref<StreamCore> alive(&core());
    if constexpr (name.view() == "error") {
      const std::exception_ptr error = asReason(std::forward<Args>(args)...);
      if (!error && core().errorSlot.empty()) throwUnhandled(error);
      core().emitError(error);
      return true;
    } else {
      return eventSlot<name>().tell(std::forward<Args>(args)...);
    }
  }
  template <FixedString name, class... Args>
  bool emit(EventName<name>, Args&&... args) const {
    return this->template emit<name>(std::forward<Args>(args)...);
  }
  /// Of the events that somebody listens to, in the order in which that began.
  std::vector<std::string_view> eventNames() const { return namesOf(heard()); }
  void setMaxListeners(int count) const { core().setMaxListeners(count); }
  int getMaxListeners() const { return core().getMaxListeners(); }

  /// Internal: calls `f(slot)` for the event of this name; false when there is none.
  template <class F>
  static bool withEvent(std::string_view name, F&& f) {
    return withEventOf(StreamEvents(), name, f);
  }

  // ---- the end ----

  /// Ends the stream, with "error" when there is one, and "close". What waits to be written is dropped; what
  /// is buffered to be read stays there for `read()`. Later calls do nothing. Node: `destroy(error)`.
  const Self& destroy() const {
    tearDown(nullptr);
    return self();
  }
  template <class E>
  const Self& destroy(E&& error) const {
    tearDown(asReason(std::forward<E>(error)));
    return self();
  }
  bool destroyed() const { return core().destroyed(); }
  /// Awaited: goes on when "close" has been or would have been emitted. Node: `closed`, as a bool.
  StreamEnd closed() const { return StreamEnd(Ref<StreamCore>(&core()), StreamEnd::Of::Close); }
  /// What it failed with, or null. Node: `errored`.
  std::exception_ptr errored() const { return core().errored; }

 private:
  friend class EmitterMethods<StreamMethods>;

  template <FixedString name>
  auto& eventSlot() const {
    if constexpr (std::is_same_v<SlotOf<name>, TheEmitterHasNoEvent<name>>) {
      static_assert(sizeof(TheEmitterHasNoEvent<name>) > 0);
    } else {
      return *findStreamSlot<name>(self());
    }
  }
  template <FixedString name, bool once, bool front, class F>
  Listener attach(F&& listener) const {
    using Found = SlotOf<name>;
    if constexpr (std::is_same_v<Found, TheEmitterHasNoEvent<name>>) {
      static_assert(sizeof(TheEmitterHasNoEvent<name>) > 0);
    } else if constexpr (!Found::template takes<F>) {
      static_assert(
          sizeof(TheListenerDoesNotTakeTheArgumentsOfEvent<name, typename Found::Arguments>) > 0);
    } else {
      const auto onceCall = reinterpret_cast<ListenerRecord::Call>(Found::onceCall());
      // This handle may go when those of "newListener" are called.
      const Ref<StreamCore> alive(&core());
      const auto join = [&] {
        return joinStream(core(), eventSlot<name>(), Found::eventName,
                          Found::make(core(), std::forward<F>(listener)), once ? onceCall : nullptr,
                          front);
      };
      if constexpr (name.view() == "data" && !front) {
        auto& side = self().readSide();
        Listener handle = join();
        side.dataListenerAdded();
        return handle;
      } else if constexpr (name.view() == "readable" && !front) {
        auto& side = self().readSide();
        Listener handle = join();
        side.readableListenerAdded();
        return handle;
      } else {
        return join();
      }
    }
  }
  template <FixedString name>
  void clearEvent() const {
    // This handle may go when those of "removeListener" are called.
    const Self kept(self());
    if constexpr (name.view() == "data") kept.readSide().flags.clear(ReadFlag::Direct);
    kept.core().removeAll(*findStreamSlot<name>(kept), !kept.core().removedSlot.empty());
    if constexpr (name.view() == "readable") kept.readSide().readableListenerRemoved();
  }
  void clearEvents() const {
    const Self kept(self());
    const StreamMethods& methods = kept;
    if constexpr (Self::hasReadable) {
      auto& side = kept.readSide();
      const bool flows = side.listenedTo();
      methods.clearHeard();
      side.allListenersRemoved(flows);
    } else {
      methods.clearHeard();
    }
  }
  void clearHeard() const {
    clearStream(core(), heard());
    // What came meanwhile goes too, and nobody is told, as in Node.
    for (SlotBase* each : heard()) core().removeAll(*each, false);
  }
  std::vector<SlotBase*> heard() const {
    return [this]<FixedString... names>(EventList<names...>) {
      std::vector<SlotBase*> found;
      (noteEvent<names>(found), ...);
      noteHeard(found, core().monitorSlot);
      noteHeard(found, core().addedSlot);
      noteHeard(found, core().removedSlot);
      return found;
    }(StreamEvents());
  }
  template <FixedString name>
  void noteEvent(std::vector<SlotBase*>& found) const {
    if constexpr (!std::is_same_v<SlotOf<name>, TheEmitterHasNoEvent<name>>)
      noteHeard(found, eventSlot<name>());
  }
  template <FixedString... names, class F>
  static bool withEventOf(EventList<names...>, std::string_view name, F& f) {
    return (tryEvent<names>(name, f) || ...);
  }
  template <FixedString name, class F>
  static bool tryEvent(std::string_view wanted, F& f) {
    if constexpr (std::is_same_v<SlotOf<name>, TheEmitterHasNoEvent<name>>) {
      return false;
    } else {
      if (wanted != name.view()) return false;
      f(static_cast<SlotOf<name>*>(nullptr));
      return true;
    }
  }
  void tearDown(std::exception_ptr error) const {
    const Ref<StreamCore> alive(&core());
    core().destroy(std::move(error));
  }
  StreamCore& core() const { return self().core(); }
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

/// What a handle holds.
class StreamHandle {
 public:
  StreamHandle() noexcept = default;
  explicit StreamHandle(Ref<StreamCore> stream) noexcept : stream_(std::move(stream)) {}
  /// Internal. Throws: Error ERR_INVALID_STATE of a handle without a stream.
  StreamCore& core() const {
    if (!stream_) [[unlikely]]
      throwError("this handle has no stream: it was made without one, or moved from",
                 "ERR_INVALID_STATE");
    return *stream_;
  }
  const Ref<StreamCore>& ref() const {
    (void)core();
    return stream_;
  }
  friend bool operator==(const StreamHandle& a, const StreamHandle& b) noexcept {
    return a.stream_ == b.stream_;
  }

 private:
  Ref<StreamCore> stream_;
};

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
