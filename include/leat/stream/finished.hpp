// SPDX-License-Identifier: MIT
// finished: tells when a stream is over, or has failed. Node: stream.finished,
// lib/internal/streams/end-of-stream.js.
#pragma once

#include <leat/stream/duplex.hpp>

namespace leat::inline LEAT_ABI {

/// Options of `finished`.
struct FinishedOptions {
  /// Which sides have to be over; by default those that the stream has.
  bool readable = true;
  bool writable = true;
  /// Whether an "error" counts, or only what comes after it.
  bool error = true;
  /// Ends the wait with an AbortError; the stream goes on.
  SignalRef signal{};
};

namespace detail {

/// A wait for the end of a stream. The stream's listeners own it, not it the stream; it calls once.
class EndWatch : public Counted<EndWatch>, public FrameAllocated {
 public:
  using Callback = Function<void(const std::exception_ptr&)>;
  EndWatch(StreamCore& stream, const FinishedOptions& options, Callback callback);

  void start(const FinishedOptions& options);
  /// Adds its listeners to those of one that its callback leads to, and that ends them.
  void appendTo(std::vector<Listener>& all) const;
  /// Listens no longer, and calls no more.
  void cleanUp();

 private:
  template <class Slot, class F>
  Listener listen(Slot& slot, F&& f) {
    return joinStream(stream_, slot, Slot::eventName, Slot::make(stream_, std::forward<F>(f)),
                      nullptr, false);
  }
  void call(const std::exception_ptr& error);
  void later(void (EndWatch::*f)());
  bool readableOver() const noexcept;
  bool writableOver() const noexcept;
  void onFinish();
  void onEnd();
  void onClose();
  void onClosed() { call(stream_.errored); }
  void startLate();
  void startListening(const Ref<EndWatch>& self, bool error);
  void abortBy(AbortState& signal);

  StreamCore& stream_;
  Callback callback_;
  AbortRegistration abort_;
  Listener finish_;
  Listener end_;
  Listener error_;
  Listener close_;
  // The sides that there are, and those that are waited for.
  const bool hasReadable_;
  const bool hasWritable_;
  const bool readable_;
  const bool writable_;
  bool readableFinished_;
  bool writableFinished_;
  bool willEmitClose_;
};

inline bool hasReadableSide(const StreamCore& stream) noexcept {
  const ReadableCore* side = stream.readable();
  return side != nullptr && !(stream.writable() != nullptr && side->flags.any(ReadFlag::Disabled));
}
inline bool hasWritableSide(const StreamCore& stream) noexcept {
  const WritableCore* side = stream.writable();
  return side != nullptr && !(stream.readable() != nullptr && side->flags.any(WriteFlag::Disabled));
}

LEAT_INLINE Ref<EndWatch> watchEnd(StreamCore& stream, const FinishedOptions& options,
                                   EndWatch::Callback callback);

#if LEAT_BODIES
LEAT_INLINE void EndWatch::appendTo(std::vector<Listener>& all) const {
  for (const Listener& each : {finish_, end_, error_, close_}) all.push_back(each);
}

LEAT_INLINE void EndWatch::cleanUp() {
  callback_.reset();
  abort_.off();
  finish_.off();
  end_.off();
  error_.off();
  close_.off();
}

LEAT_INLINE void EndWatch::call(const std::exception_ptr& error) {
  if (!callback_) return;
  const Ref<EndWatch> alive(this);
  Callback told = std::move(callback_);
  callback_.reset();
  abort_.off();
  told(error);
}

LEAT_INLINE void EndWatch::later(void (EndWatch::*f)()) {
  nextTick([self = Ref<EndWatch>(this), kept = Ref<StreamCore>(&stream_), f] { ((*self).*f)(); });
}

LEAT_INLINE EndWatch::EndWatch(StreamCore& stream, const FinishedOptions& options,
                               Callback callback)
    : stream_(stream),
      callback_(std::move(callback)),
      hasReadable_(hasReadableSide(stream)),
      hasWritable_(hasWritableSide(stream)),
      readable_(options.readable && hasReadable_),
      writable_(options.writable && hasWritable_),
      readableFinished_(readableOver()),
      writableFinished_(writableOver()),
      willEmitClose_(stream.willEmitClose() && hasReadable_ == readable_ &&
                     hasWritable_ == writable_) {}

LEAT_INLINE bool EndWatch::readableOver() const noexcept {
  if (!hasReadable_ || stream_.errored) return false;
  const ReadableCore& side = *stream_.readable();
  return side.endEmitted() || (side.ended() && side.length == 0);
}

LEAT_INLINE bool EndWatch::writableOver() const noexcept {
  if (!hasWritable_) return false;
  const WritableCore& side = *stream_.writable();
  if (side.finished()) return true;
  return !stream_.errored && side.flags.any(WriteFlag::Ended) && side.length == 0;
}

LEAT_INLINE void EndWatch::onFinish() {
  writableFinished_ = true;
  if (stream_.destroyed()) willEmitClose_ = false;
  const bool stillReadable = hasReadable_ && stream_.readable()->isReadable();
  if (willEmitClose_ && (!stillReadable || readable_)) return;
  if (!readable_ || readableFinished_) call(nullptr);
}

LEAT_INLINE void EndWatch::onEnd() {
  readableFinished_ = true;
  if (stream_.destroyed()) willEmitClose_ = false;
  const bool stillWritable = hasWritable_ && stream_.writable()->isWritable();
  if (willEmitClose_ && (!stillWritable || writable_)) return;
  if (!writable_ || writableFinished_) call(nullptr);
}

LEAT_INLINE void EndWatch::onClose() {
  if (stream_.errored) return call(stream_.errored);
  if ((readable_ && !readableFinished_ && !readableOver()) ||
      (writable_ && !writableFinished_ && !writableOver()))
    return call(prematureClose());
  call(nullptr);
}

/// What is over already tells nothing any more.
LEAT_INLINE void EndWatch::startLate() {
  const StreamCore& stream = stream_;
  const bool stillReadable = hasReadable_ && !stream.destroyed() && stream.readable()->isReadable();
  const bool stillWritable = hasWritable_ && !stream.destroyed() && stream.writable()->isWritable();
  if (stream.flags.any(StreamFlag::Closed)) {
    later(&EndWatch::onClose);
  } else if (stream.flags.any(StreamFlag::ErrorEmitted)) {
    if (!willEmitClose_) later(&EndWatch::onClosed);
  } else if (!readable_ && (!willEmitClose_ || stillReadable) &&
             (writableFinished_ || (stream.writable() != nullptr && !stillWritable)) &&
             (stream.writable() == nullptr || stream.writable()->idle())) {
    later(&EndWatch::onClosed);
  } else if (!writable_ && (!willEmitClose_ || stillWritable) &&
             (readableFinished_ || (stream.readable() != nullptr && !stillReadable))) {
    later(&EndWatch::onClosed);
  }
}

LEAT_INLINE void EndWatch::start(const FinishedOptions& options) {
  const Ref<EndWatch> self(this);
  startListening(self, options.error);
  startLate();
  AbortState* const signal = options.signal.state();
  if (signal != nullptr && !stream_.flags.any(StreamFlag::Closed)) abortBy(*signal);
}

LEAT_INLINE void EndWatch::startListening(const Ref<EndWatch>& self, bool error) {
  // After "close" nothing comes, and nobody would clear the listeners any more.
  if (stream_.closeEmitted()) return;
  if (ReadableCore* side = stream_.readable())
    end_ = listen(side->endSlot, [self] { self->onEnd(); });
  if (WritableCore* side = stream_.writable())
    finish_ = listen(side->finishSlot, [self] { self->onFinish(); });
  if (error)
    error_ = listen(stream_.errorSlot,
                    [self](const std::exception_ptr& failure) { self->call(failure); });
  close_ = listen(stream_.closeSlot, [self] { self->onClose(); });
}

LEAT_INLINE void EndWatch::abortBy(AbortState& signal) {
  // The registration is this watch's, and ends with it.
  const auto abort = [this, state = Ref<AbortState>(&signal)] {
    const Ref<EndWatch> alive(this);
    Callback told = std::move(callback_);
    cleanUp();
    if (told) told(std::make_exception_ptr(AbortError(state->reason)));
  };
  if (isAborted(signal)) return nextTick([self = Ref<EndWatch>(this), abort] { abort(); });
  abort_ = AbortSignal(Ref<AbortState>(&signal)).onAbort(abort);
}

LEAT_INLINE Ref<EndWatch> watchEnd(StreamCore& stream, const FinishedOptions& options,
                                   EndWatch::Callback callback) {
  auto watch = makeRef<EndWatch>(stream, options, std::move(callback));
  watch->start(options);
  return watch;
}
#endif

}  // namespace detail

/// What `finished` with a callback gives: stops listening when told to.
class FinishedWatch {
 public:
  using LoopBound = void;
  explicit FinishedWatch(detail::Ref<detail::EndWatch> watch) noexcept : watch_(std::move(watch)) {}
  void operator()() const { watch_->cleanUp(); }

 private:
  detail::Ref<detail::EndWatch> watch_;
};

/// Calls `callback(error)` once when the stream is over, has failed or was destroyed before its end (then
/// with ERR_STREAM_PREMATURE_CLOSE); the error is null when all is well. Its listeners stay, also that for
/// "error", until the stream closes or the result is called. Node: `stream.finished(stream, callback)`.
template <detail::StreamLike S, class F>
  requires std::is_invocable_v<std::decay_t<F>&, const std::exception_ptr&>
FinishedWatch finished(const S& stream, F&& callback, FinishedOptions options = {}) {
  return FinishedWatch(detail::watchEnd(stream.core(), options,
                                        detail::EndWatch::Callback(std::forward<F>(callback))));
}
/// The same to be awaited. Throws: what the stream failed with, Error ERR_STREAM_PREMATURE_CLOSE.
/// Cancel: AbortError, by the signal of the options. Node: `finished` of `stream/promises`.
template <detail::StreamLike S>
Promise<> finished(const S& stream, FinishedOptions options = {},
                   std::source_location where = std::source_location::current()) {
  auto made = Promise<>::withResolvers(where);
  detail::watchEnd(stream.core(), options,
                   [settle = std::move(made.resolve)](const std::exception_ptr& error) {
                     error ? settle.reject(error) : settle.resolve();
                   });
  return made.promise;
}

template <detail::HasStream S, class... More>
auto finished(const S& owner, More&&... more) {
  return finished(owner.stream(), std::forward<More>(more)...);
}

/// Destroys a stream with an AbortError when the signal aborts. Gives the stream.
/// Node: `stream.addAbortSignal`.
template <detail::StreamLike S>
S addAbortSignal(const AbortSignal& signal, S stream) {
  stream.core().abortBy(signal);
  return stream;
}

}  // namespace leat::inline LEAT_ABI
