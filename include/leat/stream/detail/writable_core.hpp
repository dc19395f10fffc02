// SPDX-License-Identifier: MIT
// The writing side of a stream without the type of its chunks: what waits, when it drains, how it ends.
// Node: lib/internal/streams/writable.js.
#pragma once

#include <leat/base/owned.hpp>
#include <leat/stream/detail/stream_core.hpp>

#include <vector>

namespace leat::inline LEAT_ABI::detail {

enum class WriteFlag : unsigned {
  Sync = 1,
  FinalCalled = 2,
  NeedDrain = 4,
  // end() was called; has returned.
  Ending = 8,
  Ended = 16,
  Finished = 32,
  // The implementation has a chunk, and may answer once.
  Writing = 64,
  ExpectAnswer = 128,
  BufferProcessing = 256,
  Prefinished = 512,
  AfterWritePending = 1024,
  Disabled = 2048,
  HasFinal = 4096,
  // Chunks wait.
  Buffered = 8192,
  Corked = 16384,
  // The implementation has taken chunks that it is still at.
  Behind = 32768,
  // The stream is constructed and has not failed, and no chunk has a callback: `write` may go the short
  // way. Who changes that clears it; the long way sets it again.
  Plain = 65536,
};

/// What a user gave to `write` or `end`; null when nothing.
using DoneFunction = Function<void(const std::exception_ptr&)>;
using WriteDone = Owned<DoneFunction>;

class DirectSink;

class WritableCore {
 public:
  using Flag = WriteFlag;

  WritableCore(const WritableCore&) = delete;
  WritableCore& operator=(const WritableCore&) = delete;

  StreamCore& stream() const noexcept { return stream_; }
  bool ending() const noexcept { return flags.any(Flag::Ending); }
  bool finished() const noexcept { return flags.any(Flag::Finished); }
  /// Node: `stream.writable`.
  bool isWritable() const noexcept {
    return !flags.any(Flag::Disabled, Flag::Ending, Flag::Ended) && !stream_.failed();
  }
  /// Node: `writableNeedDrain`.
  bool needDrain() const noexcept {
    return flags.any(Flag::NeedDrain) && !ending() && !stream_.destroyed();
  }

  /// No answer is pending.
  bool idle() const noexcept { return pending == 0; }

  void cork() noexcept {
    stopMove();
    ++corked;
    flags.set(Flag::Corked);
  }
  void uncork();
  /// What `end` does once its chunk is written, or was refused with this error.
  void end(WriteDone done = nullptr, std::exception_ptr error = nullptr);
  /// The implementation's answers.
  void onWrite(std::exception_ptr error);
  void onFinal(std::exception_ptr error);
  /// What `destroy` does before all else: nobody shall wait for what is not written.
  void beforeDestroy();
  virtual LEAT_INLINE void onConstructed();

  /// The sink, where the kernel can move bytes to it that nobody has seen; or null.
  virtual DirectSink* directSink() noexcept { return nullptr; }
  /// Whether it may begin: nothing else is on its way.
  bool mayFill() const noexcept {
    return pending == 0 && length == 0 &&
           !flags.any(Flag::Ending, Flag::Writing, Flag::Corked, Flag::NeedDrain, Flag::Buffered,
                      Flag::AfterWritePending) &&
           stream_.sound();
  }
  /// The same after a "drain", which is to come now.
  bool willDrain() noexcept {
    if (!flags.any(Flag::Writing, Flag::AfterWritePending, Flag::Behind) ||
        flags.any(Flag::Ending, Flag::Corked) ||
        stream_.flags.any(StreamFlag::Destroyed, StreamFlag::Errored))
      return false;
    flags.set(Flag::NeedDrain);
    return true;
  }
  /// As a write that nobody has called: what is written meanwhile waits, and so does the end.
  void beginFill() noexcept {
    ++pending;
    beginWrite(0);
    flags.clear(Flag::Sync);
  }
  void endFill() { onWrite(nullptr); }
  /// The implementation goes on with chunks that count as written: the end waits for it.
  void beginBehind() noexcept {
    ++pending;
    flags.set(Flag::Behind);
  }
  bool behind() const noexcept { return flags.any(Flag::Behind); }
  /// It has done all of them, or has failed.
  void endBehind(const std::exception_ptr& error) {
    flags.clear(Flag::Behind);
    if (!error) return afterWrite(nullptr);
    stream_.noteError(error);
    writeFailed(error, nullptr);
  }
  /// What comes to fill it stops soon: something else wants to be written.
  void stopMove() noexcept {
    if (moving != nullptr) moving->store(true, relaxed);
  }

  bool someoneWaits() const noexcept { return !drainWaiters.empty() || !finishWaiters.empty(); }
  void wakeAll() noexcept {
    wakeWaiters(drainWaiters);
    wakeWaiters(finishWaiters);
  }

  // Set while a worker moves bytes to here.
  Atomic<bool>* moving = nullptr;
  std::size_t highWaterMark;
  std::size_t length = 0;
  unsigned corked = 0;
  Flags<Flag> flags{Flag::Sync};
  EventSlot<Event<"drain">> drainSlot;
  EventSlot<Event<"prefinish">> prefinishSlot;
  EventSlot<Event<"finish">> finishSlot;
  List<Waiter> drainWaiters;
  List<Waiter> finishWaiters;

 protected:
  WritableCore(StreamCore& stream, std::size_t mark, bool items) noexcept
      : highWaterMark(mark),
        stream_(stream),
        items_(items),
        afterWriteTick_(stream, [](StreamCore& s) { s.writable()->afterWrite(nullptr); }) {}
  ~WritableCore() = default;

  /// Whether a chunk must wait in the buffer.
  bool busy() const noexcept {
    return flags.any(Flag::Writing, Flag::Corked) ||
           !stream_.flags.match(Flags<StreamFlag>(StreamFlag::Errored, StreamFlag::Constructed),
                                Flags<StreamFlag>(StreamFlag::Constructed));
  }
  /// Of a stream that has ended or is gone.
  std::exception_ptr refuse(WriteDone done);
  bool roomLeft() noexcept {
    const bool room = length < highWaterMark || length == 0;
    if (!room) flags.set(Flag::NeedDrain);
    return room && !stream_.failed();
  }
  void beginWrite(std::size_t size, WriteDone done) noexcept {
    done_ = std::move(done);
    flags.clear(Flag::Plain);
    beginWrite(size);
  }
  void beginWrite(std::size_t size) noexcept {
    writing_ = size;
    flags.set(Flag::Writing, Flag::Sync, Flag::ExpectAnswer);
  }
  /// The next `write` may be short.
  void notePlain() noexcept {
    if (!done_ && stream_.sound()) flags.set(Flag::Plain);
  }
  bool mayClearBuffer() const noexcept {
    return !flags.any(Flag::BufferProcessing) && corked == 0 &&
           stream_.flags.match(Flags<StreamFlag>(StreamFlag::Destroyed, StreamFlag::Constructed),
                               Flags<StreamFlag>(StreamFlag::Constructed));
  }

  bool hasBuffered() const noexcept { return flags.any(Flag::Buffered); }
  /// The implementation has taken the chunk while it was called.
  LEAT_ALWAYS_INLINE void answered();
  /// Gives what is buffered to the implementation, as far as it takes it at once.
  virtual void clearBuffer() = 0;
  /// Tells those whose chunks will never be written.
  virtual void failBuffered(const std::exception_ptr& error) = 0;
  virtual void callFinal() = 0;
  /// For transforms: all is written, and there is no `final`.
  virtual void prefinished() {}

  void dropCallbacks() noexcept {
    std::exchange(done_, nullptr).reset();
    std::exchange(ends_, {}).clear();
  }

  unsigned pending = 0;
  // The size of the chunk that the implementation has.
  std::size_t writing_ = 0;

 private:
  void writeFailed(const std::exception_ptr& error, WriteDone done);
  void answeredInCall();
  void afterWrite(WriteDone done);
  void errorBuffer();
  bool needFinish() const noexcept;
  void prefinish();
  void finishMaybe(bool sync);
  void finishNow();
  void emitPrefinish() {
    prefinished();
    prefinishSlot.emit();
  }
  void tellEnds(const std::exception_ptr& error);

  StreamCore& stream_;
  WriteDone done_;
  std::vector<WriteDone> ends_;
  const bool items_;
  StreamTick afterWriteTick_;
};

// ---- writing ----

#if LEAT_BODIES
LEAT_INLINE std::exception_ptr WritableCore::refuse(WriteDone done) {
  std::exception_ptr error = ending() ? streamWriteAfterEnd() : streamDestroyed("write");
  if (done) nextTick([done = std::move(done), error] { (*done)(error); });
  stream_.fail(error, true);
  return error;
}
#endif

LEAT_ALWAYS_INLINE inline void WritableCore::answered() {
  if (flags.any(Flag::Buffered) || done_) [[unlikely]]
    return onWrite(nullptr);
  flags.clear(Flag::Writing, Flag::ExpectAnswer);
  length -= std::exchange(writing_, 0);
  answeredInCall();
}

/// Streams of objects always have the tick, as in Node.
LEAT_ALWAYS_INLINE inline void WritableCore::answeredInCall() {
  if ((items_ || (length == 0 && flags.any(Flag::NeedDrain))) &&
      !flags.any(Flag::AfterWritePending)) {
    flags.set(Flag::AfterWritePending);
    if (!afterWriteTick_.queued()) [[likely]]
      return afterWriteTick_.schedule();
    // The one that is queued is late: a callback's was in front of it.
    return stream_.inTick([](StreamCore& stream) { stream.writable()->afterWrite(nullptr); });
  }
  --pending;
  if (ending()) finishMaybe(true);
}

#if LEAT_BODIES
LEAT_INLINE void WritableCore::onWrite(std::exception_ptr error) {
  if (!flags.any(Flag::ExpectAnswer)) [[unlikely]]
    return stream_.fail(calledTwice());
  const bool sync = flags.any(Flag::Sync);
  WriteDone done = std::move(done_);
  flags.clear(Flag::Writing, Flag::ExpectAnswer);
  length -= std::exchange(writing_, 0);
  if (error) [[unlikely]] {
    stream_.noteError(error);
    if (!sync) return writeFailed(error, std::move(done));
    return stream_.inTick([error, done = std::move(done)](StreamCore& stream) mutable {
      stream.writable()->writeFailed(error, std::move(done));
    });
  }
  if (hasBuffered()) clearBuffer();
  if (!sync) return afterWrite(std::move(done));
  if (!done) return answeredInCall();
  // Writes without a callback that come before this tick need none of their own.
  flags.set(Flag::AfterWritePending);
  stream_.inTick([done = std::move(done)](StreamCore& stream) mutable {
    stream.writable()->afterWrite(std::move(done));
  });
}

LEAT_INLINE void WritableCore::writeFailed(const std::exception_ptr& error, WriteDone done) {
  --pending;
  if (done) (*done)(error);
  errorBuffer();
  stream_.fail(error);
}

LEAT_INLINE void WritableCore::afterWrite(WriteDone done) {
  flags.clear(Flag::AfterWritePending);
  if (length == 0 && flags.any(Flag::NeedDrain) && !ending() && !stream_.destroyed()) {
    flags.clear(Flag::NeedDrain);
    drainSlot.emit();
    wakeWaiters(drainWaiters);
  }
  --pending;
  if (done) (*done)(nullptr);
  if (stream_.destroyed()) errorBuffer();
  if (ending()) finishMaybe(true);
}

LEAT_INLINE void WritableCore::errorBuffer() {
  if (flags.any(Flag::Writing)) return;
  if (hasBuffered()) failBuffered(stream_.errored ? stream_.errored : streamDestroyed("write"));
  if (!ends_.empty()) tellEnds(stream_.errored ? stream_.errored : streamDestroyed("end"));
}

LEAT_INLINE void WritableCore::beforeDestroy() {
  if (!stream_.destroyed() && (hasBuffered() || !ends_.empty()))
    stream_.inTick([](StreamCore& stream) { stream.writable()->errorBuffer(); });
}

LEAT_INLINE void WritableCore::uncork() {
  if (corked == 0) return;
  if (--corked == 0) flags.clear(Flag::Corked);
  if (!flags.any(Flag::Writing)) clearBuffer();
}

LEAT_INLINE void WritableCore::onConstructed() {
  if (!flags.any(Flag::Writing)) clearBuffer();
  if (ending()) finishMaybe(false);
}

// ---- the end ----

LEAT_INLINE void WritableCore::end(WriteDone done, std::exception_ptr error) {
  stopMove();
  if (corked > 0) {
    corked = 1;
    uncork();
  }
  if (error) {
    // The chunk was refused.
  } else if (!ending() && !stream_.flags.any(StreamFlag::Errored)) {
    flags.set(Flag::Ending);
    finishMaybe(true);
    flags.set(Flag::Ended);
  } else if (finished()) {
    error = streamFinished("end");
  } else if (stream_.destroyed()) {
    error = streamDestroyed("end");
  }
  if (!done) return;
  if (!error && stream_.flags.any(StreamFlag::Errored)) error = stream_.errored;
  if (error || finished()) {
    nextTick([done = std::move(done), error] { (*done)(error); });
  } else {
    ends_.push_back(std::move(done));
  }
}

LEAT_INLINE bool WritableCore::needFinish() const noexcept {
  return flags.match(
             Flags<Flag>(Flag::Ending, Flag::Finished, Flag::Writing, Flag::BufferProcessing),
             Flags<Flag>(Flag::Ending)) &&
         stream_.flags.match(Flags<StreamFlag>(StreamFlag::Destroyed, StreamFlag::Constructed,
                                               StreamFlag::ErrorEmitted, StreamFlag::CloseEmitted,
                                               StreamFlag::Errored),
                             Flags<StreamFlag>(StreamFlag::Constructed)) &&
         length == 0 && !hasBuffered();
}

LEAT_INLINE void WritableCore::finishMaybe(bool sync) {
  if (!needFinish()) return;
  prefinish();
  if (pending > 0) return;
  if (sync) {
    ++pending;
    return stream_.inTick([](StreamCore& stream) {
      WritableCore& self = *stream.writable();
      if (self.needFinish()) return self.finishNow();
      --self.pending;
    });
  }
  if (!needFinish()) return;
  ++pending;
  finishNow();
}

LEAT_INLINE void WritableCore::prefinish() {
  if (flags.any(Flag::Prefinished, Flag::FinalCalled)) return;
  if (flags.any(Flag::HasFinal) && !stream_.destroyed()) {
    flags.set(Flag::FinalCalled, Flag::Sync);
    ++pending;
    try {
      withoutSignal([this] { callFinal(); });
    } catch (...) {
      onFinal(std::current_exception());
    }
    flags.clear(Flag::Sync);
  } else {
    flags.set(Flag::FinalCalled, Flag::Prefinished);
    emitPrefinish();
  }
}

LEAT_INLINE void WritableCore::onFinal(std::exception_ptr error) {
  if (flags.any(Flag::Prefinished)) return stream_.fail(error ? error : calledTwice());
  --pending;
  if (error) {
    tellEnds(error);
    return stream_.fail(error, flags.any(Flag::Sync));
  }
  if (!needFinish()) return;
  flags.set(Flag::Prefinished);
  emitPrefinish();
  ++pending;
  stream_.inTick([](StreamCore& stream) { stream.writable()->finishNow(); });
}

LEAT_INLINE void WritableCore::finishNow() {
  --pending;
  flags.set(Flag::Finished);
  tellEnds(nullptr);
  finishSlot.emit();
  wakeAll();
  stream_.destroyWhenOver();
}

LEAT_INLINE void WritableCore::tellEnds(const std::exception_ptr& error) {
  const std::vector<WriteDone> told = std::move(ends_);
  ends_.clear();
  for (const WriteDone& each : told) (*each)(error);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
