// SPDX-License-Identifier: MIT
// What connects a source to a sink: listeners on both, in Node's order, until either is over.
#pragma once

#include <leat/stream/detail/readable_state.hpp>
#include <leat/stream/detail/writable_state.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Owned by its listeners and by its source.
template <class T>
class Pipe : public Counted<Pipe<T>>, public FrameAllocated {
 public:
  Pipe(ReadableState<T>& source, WritableState<T>& sink) noexcept
      : from_(&source.stream()), to_(&sink.stream()), source_(source), sink_(sink) {}
  /// Its listeners may have been taken away, without its clean-up.
  ~Pipe() { giveUpDirect(); }

  void start(bool end);
  void take(T&& chunk) {
    if (!give(std::move(chunk))) pauseSource();
  }
  bool goesTo(const WritableCore& sink) const noexcept {
    return &sink == static_cast<const WritableCore*>(&sink_);
  }
  WritableState<T>& sink() const noexcept { return sink_; }
  /// Whether nobody else sees what goes through it, nor when.
  bool alone() const noexcept;
  /// Whether the source is paused until the sink drains.
  bool waits() const noexcept { return !source_.awaitedSinks.empty(); }
  void hold() {
    if (!cleanedUp_) pauseSource();
  }

 private:
  template <class Slot, class F>
  Listener listen(StreamCore& stream, Slot& slot, F&& f, bool once = false, bool front = false) {
    return joinStream(stream, slot, Slot::eventName, Slot::make(stream, std::forward<F>(f)),
                      once ? reinterpret_cast<ListenerRecord::Call>(Slot::onceCall()) : nullptr,
                      front);
  }
  bool give(T&& chunk) {
    if constexpr (countsBytes<T>) {
      struct Feeding {
        WritableState<T>& sink;
        ~Feeding() { sink.feeder = nullptr; }
      };
      sink_.feeder = this;
      const Feeding feeding{sink_};
      return sink_.write(std::move(chunk));
    } else {
      return sink_.write(std::move(chunk));
    }
  }
  void listenToSink(const Ref<Pipe>& self);
  void pauseSource();
  void giveUpDirect() noexcept;
  void onDrain();
  void onError(const std::exception_ptr& error);
  void cleanUp();
  void unpipe() { source_.unpipe(sink_); }

  Ref<StreamCore> from_;
  Ref<StreamCore> to_;
  ReadableState<T>& source_;
  WritableState<T>& sink_;
  Listener data_;
  Listener end_;
  Listener unpipe_;
  Listener error_;
  Listener close_;
  Listener finish_;
  Listener drain_;
  bool listensToDrain_ = false;
  bool cleanedUp_ = false;
};

template <class T>
void Pipe<T>::start(bool end) {
  const Ref<Pipe> self(this);
  if (source_.pipes.size() == 1) source_.severalSinks = true;
  source_.pipes.push_back(self);
  end = end && !to_->flags.any(StreamFlag::Shared);
  const auto atEnd = [self, end] {
    if (end) {
      self->sink_.end();
    } else {
      self->unpipe();
    }
  };
  if (source_.endEmitted()) {
    nextTick(atEnd);
  } else {
    end_ = listen(*from_, source_.endSlot, atEnd, true);
  }
  unpipe_ = listen(*to_, sink_.unpipeSlot, [self](const Readable<T>& source) {
    if (&source.readSide() != &self->source_ || *self->sink_.unpiped) return;
    *self->sink_.unpiped = true;
    self->cleanUp();
  });
  data_ = listen(*from_, source_.dataSlot, [self](const T& chunk) {
    if constexpr (isCopyable<T>) {
      self->take(T(chunk));
    } else {
      throwTypeError("a stream of chunks that cannot be copied goes to one listener or pipe only",
                     "ERR_INVALID_STATE");
    }
  });
  source_.direct = this;
  source_.directListener = data_.registration();
  source_.dataListenerAdded();
  listenToSink(self);
  sink_.pipeSlot.emit(Readable<T>(from_, source_));
  if (sink_.needDrain()) {
    pauseSource();
  } else if (!source_.flowing()) {
    source_.resume();
  }
}

template <class T>
void Pipe<T>::listenToSink(const Ref<Pipe>& self) {
  error_ = listen(
      *to_, to_->errorSlot, [self](const std::exception_ptr& error) { self->onError(error); },
      false, true);
  close_ = listen(
      *to_, to_->closeSlot,
      [self] {
        self->finish_.off();
        self->unpipe();
      },
      true);
  finish_ = listen(
      *to_, sink_.finishSlot,
      [self] {
        self->close_.off();
        self->unpipe();
      },
      true);
}

template <class T>
void Pipe<T>::pauseSource() {
  if (!cleanedUp_) {
    if (source_.pipes.size() == 1) {
      source_.awaitedSinks.clear();
      source_.severalSinks = false;
    }
    std::erase(source_.awaitedSinks, &sink_);
    source_.awaitedSinks.push_back(&sink_);
    source_.flags.clear(ReadFlag::Direct);
    source_.pause();
  }
  if (std::exchange(listensToDrain_, true)) return;
  drain_ = listen(*to_, sink_.drainSlot, [self = Ref<Pipe>(this)] { self->onDrain(); });
}

template <class T>
bool Pipe<T>::alone() const noexcept {
  return source_.pipes.size() == 1 && source_.dataSlot.size() == 1 &&
         source_.dataSlot.block()->entries()[0].record == source_.directListener &&
         source_.pauseSlot.empty() && source_.resumeSlot.empty() &&
         source_.readableListeners() == 0 && sink_.drainWaiters.empty() &&
         sink_.drainSlot.size() == (listensToDrain_ ? 1 : 0);
}

/// Another one that is left may be all that listens now.
template <class T>
void Pipe<T>::giveUpDirect() noexcept {
  if (source_.direct != this) return;
  source_.flags.clear(ReadFlag::Direct);
  source_.direct = source_.pipes.empty() ? nullptr : source_.pipes.back().get();
  source_.directListener =
      source_.direct == nullptr ? nullptr : source_.direct->data_.registration();
}

template <class T>
void Pipe<T>::onDrain() {
  std::erase(source_.awaitedSinks, &sink_);
  if (source_.awaitedSinks.empty() && source_.listenedTo()) source_.resume();
}

/// A listener of the pipe shall not hide that nobody listens.
template <class T>
void Pipe<T>::onError(const std::exception_ptr& error) {
  unpipe();
  error_.off();
  if (!to_->errorSlot.empty()) return;
  if (to_->flags.any(StreamFlag::ErrorEmitted)) return to_->emitError(error);
  to_->fail(error);
}

template <class T>
void Pipe<T>::cleanUp() {
  close_.off();
  finish_.off();
  if (listensToDrain_) drain_.off();
  error_.off();
  unpipe_.off();
  end_.off();
  data_.off();
  giveUpDirect();
  cleanedUp_ = true;
  // Also of a sink that has ended or failed: its "drain" does not come, and the others shall go on.
  if (listensToDrain_ && (source_.severalSinks || !source_.awaitedSinks.empty()) &&
      sink_.flags.any(WriteFlag::NeedDrain))
    onDrain();
}

template <class T>
void ReadableState<T>::unpipe() {
  if (pipes.empty()) return;
  const auto all = std::exchange(pipes, {});
  pause();
  for (const Ref<Pipe<T>>& each : all) {
    bool answered = false;
    bool* const before = std::exchange(each->sink().unpiped, &answered);
    const Ref<StreamCore> kept(&each->sink().stream());
    each->sink().unpipeSlot.emit(Readable<T>(Ref<StreamCore>(&stream()), *this));
    each->sink().unpiped = before;
  }
}

template <class T>
void ReadableState<T>::unpipe(const WritableCore& sink) {
  for (std::size_t i = 0; i < pipes.size(); ++i) {
    if (!pipes[i]->goesTo(sink)) continue;
    const Ref<Pipe<T>> gone = pipes[i];
    const Ref<StreamCore> kept(&sink.stream());
    pipes.erase(pipes.begin() + static_cast<std::ptrdiff_t>(i));
    if (pipes.empty()) pause();
    bool answered = false;
    bool* const before = std::exchange(gone->sink().unpiped, &answered);
    gone->sink().unpipeSlot.emit(Readable<T>(Ref<StreamCore>(&stream()), *this));
    gone->sink().unpiped = before;
    return;
  }
}

}  // namespace leat::inline LEAT_ABI::detail
