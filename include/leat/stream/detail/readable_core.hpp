// SPDX-License-Identifier: MIT
// The reading side of a stream without the type of its chunks: when it flows, when it asks its source for
// more, when it tells "readable" and "end". Node: lib/internal/streams/readable.js.
#pragma once

#include <leat/core/out_of_range.hpp>
#include <leat/stream/detail/stream_core.hpp>

namespace leat::inline LEAT_ABI::detail {

enum class ReadFlag : unsigned {
  // The source has told the end, "end" was emitted.
  Ended = 1,
  EndEmitted = 2,
  // The source has been asked and has not answered; it is being asked now.
  Reading = 4,
  Sync = 8,
  // Somebody is to be told when there is something; was told.
  NeedReadable = 16,
  EmittedReadable = 32,
  ReadableListening = 64,
  ResumeScheduled = 128,
  ReadingMore = 256,
  DataEmitted = 512,
  // Node's `flowing`, which is null until somebody decides.
  HasFlowing = 1024,
  Flowing = 2048,
  HasPaused = 4096,
  Paused = 8192,
  // A Duplex that was made without this side.
  Disabled = 16384,
  // A pipe is all that listens for "data", no "drain" is waited for, and the stream has not failed: a chunk
  // may go the short way. Who changes that clears it; the long way sets it again.
  Direct = 32768,
};

class ReadableCore {
 public:
  using Flag = ReadFlag;
  /// As the size of `read`: all that there is, or the next chunk where it flows.
  static constexpr std::size_t whole = static_cast<std::size_t>(-1);

  ReadableCore(const ReadableCore&) = delete;
  ReadableCore& operator=(const ReadableCore&) = delete;

  StreamCore& stream() const noexcept { return stream_; }
  bool ended() const noexcept { return flags.any(Flag::Ended); }
  bool endEmitted() const noexcept { return flags.any(Flag::EndEmitted); }
  bool flowing() const noexcept { return flags.any(Flag::Flowing); }
  bool explicitlyPaused() const noexcept {
    return flags.match(Flags<Flag>(Flag::HasFlowing, Flag::Flowing), Flags<Flag>(Flag::HasFlowing));
  }
  bool isPaused() const noexcept { return flags.any(Flag::Paused) || explicitlyPaused(); }
  /// Node: `stream.readable`.
  bool isReadable() const noexcept {
    return !flags.any(Flag::Disabled, Flag::EndEmitted) && !stream_.destroyed() &&
           !stream_.flags.any(StreamFlag::ErrorEmitted);
  }
  /// Node: `stream.readableAborted`.
  bool aborted() const noexcept {
    return !flags.any(Flag::Disabled, Flag::EndEmitted) && stream_.failed();
  }
  bool canPushMore() const noexcept { return !ended() && (length < highWaterMark || length == 0); }

  void pause();
  void resume();
  /// The source has no more.
  void pushEnd();
  void emitReadable();
  void maybeReadMore() {
    if (flags.any(Flag::ReadingMore) || !stream_.flags.any(StreamFlag::Constructed)) return;
    flags.set(Flag::ReadingMore);
    readMoreTick_.schedule();
  }
  void readZero() {
    if (beforeRead(0) != refused) afterRead(0, false, 0);
  }
  /// What `on` does besides adding.
  void dataListenerAdded();
  void readableListenerAdded();
  void readableListenerRemoved();
  /// All have gone. As in Node what flows goes on.
  void allListenersRemoved(bool flows);
  /// A coroutine waits: it counts as a listener for "readable" until it goes on.
  void addReader(Job& reader);
  /// It has been woken, and there was nothing for it.
  void waitAgain(Job& reader) noexcept { readers.pushBack(reader); }
  void removeReader();
  void wakeReaders() noexcept;
  std::size_t readableListeners() const noexcept {
    return readableSlot.size() + (reading_ > 0 ? 1 : 0);
  }
  virtual bool listenedTo() const noexcept = 0;

  /// What is moved without being seen stops soon: from now on somebody sees it, or wants no more.
  void stopMove() noexcept {
    if (moving != nullptr) moving->store(true, relaxed);
  }

  // Set while a worker moves bytes from here to a sink.
  Atomic<bool>* moving = nullptr;
  std::size_t highWaterMark;
  std::size_t length = 0;
  Flags<Flag> flags{Flag::Sync};
  EventSlot<Event<"readable">> readableSlot;
  EventSlot<Event<"end">> endSlot;
  EventSlot<Event<"pause">> pauseSlot;
  EventSlot<Event<"resume">> resumeSlot;
  List<Job> readers;

 protected:
  ReadableCore(StreamCore& stream, std::size_t mark, bool items) noexcept
      : highWaterMark(mark),
        stream_(stream),
        items_(items),
        resumeTick_(stream, [](StreamCore& s) { s.readable()->resumeNow(); }),
        readMoreTick_(stream, [](StreamCore& s) { s.readable()->readMoreNow(); }),
        updateTick_(stream, [](StreamCore& s) { s.readable()->updateListening(); }) {}
  ~ReadableCore() = default;

  static constexpr std::size_t refused = static_cast<std::size_t>(-1);
  /// Asks the source where that is due; gives how much is to be taken, or `refused`.
  std::size_t beforeRead(std::size_t wanted);
  void afterRead(std::size_t wanted, bool got, std::size_t taken);
  void askSource();

  /// The implementation's read.
  virtual void callRead(std::size_t size) = 0;
  /// `read()` whose chunk goes to the listeners only; false when there was none.
  virtual bool readForListeners() = 0;
  virtual std::size_t frontSize() noexcept = 0;
  virtual void clearAwaitDrain() noexcept = 0;

 private:
  std::size_t howMuch(std::size_t wanted) noexcept;
  void emitReadableNow();
  void endReadable();
  void endNow();
  void scheduleResume();
  void resumeNow();
  void readMoreNow();
  void updateListening(bool flows = false);
  void flow() {
    while (flowing() && readForListeners()) {
    }
  }

  StreamCore& stream_;
  const bool items_;
  StreamTick resumeTick_;
  StreamTick readMoreTick_;
  StreamTick updateTick_;
  // Coroutines that wait, or were woken and have not gone on.
  unsigned reading_ = 0;
};

// ---- reading ----

inline std::size_t ReadableCore::howMuch(std::size_t wanted) noexcept {
  if (wanted == 0 || (length == 0 && ended())) return 0;
  if (items_) return 1;
  if (wanted == whole) return flowing() && length > 0 ? frontSize() : length;
  if (wanted <= length) return wanted;
  return ended() ? length : 0;
}

#if LEAT_BODIES
LEAT_INLINE void ReadableCore::askSource() {
  flags.set(Flag::Reading, Flag::Sync);
  try {
    withoutSignal([this] { callRead(highWaterMark); });
  } catch (...) {
    stream_.fail(std::current_exception());
  }
  flags.clear(Flag::Sync);
}

LEAT_INLINE std::size_t ReadableCore::beforeRead(std::size_t wanted) {
  // Who asks for more than the mark has it raised, to a power of two.
  if (wanted != whole && wanted > highWaterMark) {
    constexpr std::size_t most = std::size_t{1} << 30;
    if (wanted > most) throwOutOfRange("size", "<= 1GiB", IntegerText(wanted, false, false));
    std::size_t mark = 1;
    while (mark < wanted) mark *= 2;
    highWaterMark = mark;
  }
  if (wanted != 0) flags.clear(Flag::EmittedReadable);
  if (wanted == 0 && flags.any(Flag::NeedReadable) &&
      ((highWaterMark != 0 ? length >= highWaterMark : length > 0) || ended())) {
    length == 0 && ended() ? endReadable() : emitReadable();
    return refused;
  }
  std::size_t amount = howMuch(wanted);
  if (amount == 0 && ended()) {
    if (length == 0) endReadable();
    return refused;
  }
  const bool below = length == 0 || length - amount < highWaterMark;
  if ((flags.any(Flag::NeedReadable) || below) && !flags.any(Flag::Reading, Flag::Ended) &&
      stream_.flags.match(
          Flags<StreamFlag>(StreamFlag::Destroyed, StreamFlag::Errored, StreamFlag::Constructed),
          Flags<StreamFlag>(StreamFlag::Constructed))) {
    if (length == 0) flags.set(Flag::NeedReadable);
    askSource();
    // It may have read itself.
    if (!flags.any(Flag::Reading) || amount > length) amount = howMuch(wanted);
  }
  return length == 0 ? 0 : amount;
}

LEAT_INLINE void ReadableCore::afterRead(std::size_t wanted, bool got, std::size_t taken) {
  if (got) {
    length -= taken;
    clearAwaitDrain();
  } else {
    if (length <= highWaterMark) flags.set(Flag::NeedReadable);
    taken = 0;
  }
  if (length > 0) return;
  if (!ended()) {
    flags.set(Flag::NeedReadable);
  } else if (wanted != taken) {
    endReadable();
  }
}

LEAT_INLINE void ReadableCore::pushEnd() {
  flags.clear(Flag::Reading);
  if (ended()) return;
  flags.set(Flag::Ended);
  if (flags.any(Flag::Sync)) return emitReadable();
  flags.clear(Flag::NeedReadable);
  flags.set(Flag::EmittedReadable);
  emitReadableNow();
}

LEAT_INLINE void ReadableCore::emitReadable() {
  flags.clear(Flag::NeedReadable);
  if (flags.any(Flag::EmittedReadable)) return;
  flags.set(Flag::EmittedReadable);
  stream_.inTick([](StreamCore& stream) { stream.readable()->emitReadableNow(); });
}

LEAT_INLINE void ReadableCore::emitReadableNow() {
  if (!stream_.failed() && (length > 0 || ended())) {
    readableSlot.emit();
    wakeReaders();
    flags.clear(Flag::EmittedReadable);
  }
  if (!flags.any(Flag::Flowing, Flag::Ended) && length <= highWaterMark)
    flags.set(Flag::NeedReadable);
  flow();
}

LEAT_INLINE void ReadableCore::readMoreNow() {
  while (!flags.any(Flag::Reading, Flag::Ended) &&
         (length < highWaterMark || (flowing() && length == 0))) {
    const std::size_t before = length;
    readZero();
    if (length == before) break;
  }
  flags.clear(Flag::ReadingMore);
}

LEAT_INLINE void ReadableCore::endReadable() {
  if (endEmitted()) return;
  flags.set(Flag::Ended);
  stream_.inTick([](StreamCore& stream) { stream.readable()->endNow(); });
}

// ---- flowing ----

LEAT_INLINE void ReadableCore::resume() {
  if (!flowing()) {
    flags.set(Flag::HasFlowing);
    flags.put(Flag::Flowing, !flags.any(Flag::ReadableListening));
    scheduleResume();
  }
  flags.set(Flag::HasPaused);
  flags.clear(Flag::Paused);
}

LEAT_INLINE void ReadableCore::pause() {
  stopMove();
  if (!explicitlyPaused()) {
    flags.set(Flag::HasFlowing);
    flags.clear(Flag::Flowing);
    pauseSlot.emit();
  }
  flags.set(Flag::HasPaused, Flag::Paused);
}

LEAT_INLINE void ReadableCore::scheduleResume() {
  if (flags.any(Flag::ResumeScheduled)) return;
  flags.set(Flag::ResumeScheduled);
  resumeTick_.schedule();
}

LEAT_INLINE void ReadableCore::resumeNow() {
  if (!flags.any(Flag::Reading)) readZero();
  flags.clear(Flag::ResumeScheduled);
  resumeSlot.emit();
  flow();
  if (flowing() && !flags.any(Flag::Reading)) readZero();
}

// ---- who listens ----

LEAT_INLINE void ReadableCore::dataListenerAdded() {
  stopMove();
  if (readableListeners() > 0) flags.set(Flag::ReadableListening);
  if (!explicitlyPaused()) resume();
}

LEAT_INLINE void ReadableCore::readableListenerAdded() {
  stopMove();
  if (flags.any(Flag::EndEmitted, Flag::ReadableListening)) return;
  flags.set(Flag::ReadableListening, Flag::NeedReadable, Flag::HasFlowing);
  flags.clear(Flag::Flowing, Flag::EmittedReadable);
  if (length > 0) {
    emitReadable();
  } else if (!flags.any(Flag::Reading)) {
    stream_.inTick([](StreamCore& stream) { stream.readable()->readZero(); });
  }
}

LEAT_INLINE void ReadableCore::readableListenerRemoved() {
  if (!updateTick_.queued()) return updateTick_.schedule();
  stream_.inTick([](StreamCore& stream) { stream.readable()->updateListening(); });
}

LEAT_INLINE void ReadableCore::allListenersRemoved(bool flows) {
  if (!flows) return readableListenerRemoved();
  stream_.inTick([](StreamCore& stream) { stream.readable()->updateListening(true); });
}

LEAT_INLINE void ReadableCore::updateListening(bool flows) {
  flags.put(Flag::ReadableListening, readableListeners() > 0);
  if (flags.match(Flags<Flag>(Flag::HasPaused, Flag::Paused, Flag::ResumeScheduled),
                  Flags<Flag>(Flag::HasPaused, Flag::ResumeScheduled))) {
    // Else the resume that is to come would not flow.
    flags.set(Flag::HasFlowing, Flag::Flowing);
  } else if (flows || listenedTo()) {
    resume();
  } else if (!flags.any(Flag::ReadableListening)) {
    flags.clear(Flag::HasFlowing, Flag::Flowing);
  }
}

LEAT_INLINE void ReadableCore::addReader(Job& reader) {
  readers.pushBack(reader);
  stream_.flags.set(StreamFlag::Awaited);
  if (++reading_ == 1) readableListenerAdded();
}

LEAT_INLINE void ReadableCore::removeReader() {
  if (--reading_ == 0) readableListenerRemoved();
}

LEAT_INLINE void ReadableCore::wakeReaders() noexcept {
  while (!readers.empty()) threadState.queue->pushMicrotask(readers.popFront());
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
