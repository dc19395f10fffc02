// SPDX-License-Identifier: MIT
// The writing side of a stream: the chunks that wait, and the implementation that takes them.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/stream/detail/tear_down.hpp>

namespace leat::inline LEAT_ABI {

template <class T>
class Readable;

namespace detail {

template <class T>
class Pipe;

template <class T>
class WritableState : public WritableCore {
 public:
  using Chunk = T;

  WritableState(StreamCore& stream, std::size_t mark) noexcept
      : WritableCore(stream, mark, !countsBytes<T>) {}

  /// Node's answer.
  bool write(T&& chunk);
  /// `error`, where it is given, tells why a chunk was refused.
  bool write(T&& chunk, WriteDone done, std::exception_ptr* error);
  void letGo() noexcept {
    pipeSlot.clear();
    unpipeSlot.clear();
    // Nobody will answer any more, and what users gave may hold the stream.
    if (threadState.queue->closing()) {
      dropCallbacks();
      buffer_.clear();
    }
  }
  std::size_t buffered() const noexcept { return buffer_.size(); }

  EventSlot<Event<"pipe", Readable<T>>> pipeSlot;
  EventSlot<Event<"unpipe", Readable<T>>> unpipeSlot;
  // Whether a pipe has answered to the "unpipe" that is being emitted.
  bool* unpiped = nullptr;
  // The pipe whose chunk is being written.
  const Pipe<T>* feeder = nullptr;

 protected:
  struct Waiting {
    T chunk;
    WriteDone done;
  };
  ~WritableState() = default;
  void clearBuffer() final;
  void failBuffered(const std::exception_ptr& error) final;
  /// True: the implementation has taken the chunk; else it answers by `onWrite`, now or later.
  virtual bool callWrite(T&& chunk) = 0;
  virtual void callWritev(std::vector<T>&&) {}
  bool hasWritev = false;

 private:
  bool handOver(T&& chunk) {
    return ambientSignal() == nullptr ? callWrite(std::move(chunk))
                                      : handOverUnderSignal(std::move(chunk));
  }
  LEAT_NOINLINE bool handOverUnderSignal(T&& chunk) {
    return withoutSignal([&] { return callWrite(std::move(chunk)); });
  }
  void clearByWritev();
  bool writeLong(T&& chunk);
  bool endLong(bool taken);

  Fifo<Waiting> buffer_;
};

/// Nothing waits and nothing has gone wrong: the chunk goes to the implementation, which often has taken
/// it when that returns. All else takes the long way.
template <class T>
bool WritableState<T>::write(T&& chunk) {
  if (!flags.match(Flags<Flag>(Flag::Plain, Flag::Ending, Flag::Writing, Flag::Corked),
                   Flags<Flag>(Flag::Plain)))
    return writeLong(std::move(chunk));
  ++pending;
  const std::size_t size = chunkSize(chunk);
  length += size;
  beginWrite(size);
  if (!handOver(std::move(chunk))) return endLong(false);
  // Streams of objects always have the tick: here it is queued already.
  constexpr Flags<Flag> noTick =
      countsBytes<T> ? Flags<Flag>() : Flags<Flag>(Flag::AfterWritePending);
  constexpr Flags<Flag> begun(Flag::Plain, Flag::Writing, Flag::ExpectAnswer);
  if (!flags.match(begun | noTick | Flags<Flag>(Flag::Ending, Flag::Buffered, Flag::NeedDrain),
                   begun | noTick) ||
      length != writing_)
    return endLong(true);
  length = 0;
  writing_ = 0;
  flags.clear(Flag::Writing, Flag::ExpectAnswer, Flag::Sync);
  --pending;
  return true;
}

template <class T>
LEAT_NOINLINE bool WritableState<T>::writeLong(T&& chunk) {
  const bool room = write(std::move(chunk), nullptr, nullptr);
  notePlain();
  return room;
}

/// What comes after `handOver`.
template <class T>
LEAT_NOINLINE bool WritableState<T>::endLong(bool taken) {
  if (taken) answered();
  flags.clear(Flag::Sync);
  return roomLeft();
}

template <class T>
bool WritableState<T>::write(T&& chunk, WriteDone done, std::exception_ptr* error) {
  if (flags.any(Flag::Ending) || stream().destroyed()) [[unlikely]] {
    std::exception_ptr refusal = refuse(std::move(done));
    if (error != nullptr) *error = std::move(refusal);
    return false;
  }
  const std::size_t size = chunkSize(chunk);
  if (busy()) {
    stopMove();
    // Without memory for it, it is not counted.
    buffer_.push(Waiting{std::move(chunk), std::move(done)});
    ++pending;
    length += size;
    flags.set(Flag::Buffered);
  } else {
    ++pending;
    length += size;
    beginWrite(size, std::move(done));
    if (handOver(std::move(chunk))) answered();
    flags.clear(Flag::Sync);
  }
  return roomLeft();
}

template <class T>
void WritableState<T>::clearBuffer() {
  if (!mayClearBuffer() || buffer_.empty()) return;
  flags.set(Flag::BufferProcessing);
  if (buffer_.size() > 1 && hasWritev) {
    clearByWritev();
  } else {
    do {
      Waiting next = buffer_.pop();
      beginWrite(chunkSize(next.chunk), std::move(next.done));
      if (stream().destroyed()) {
        onWrite(streamDestroyed("write"));
      } else if (handOver(std::move(next.chunk))) {
        onWrite(nullptr);
      }
      flags.clear(Flag::Sync);
    } while (!buffer_.empty() && !flags.any(Flag::Writing));
  }
  if (buffer_.empty()) flags.clear(Flag::Buffered);
  flags.clear(Flag::BufferProcessing);
}

template <class T>
void WritableState<T>::clearByWritev() {
  pending -= static_cast<unsigned>(buffer_.size()) - 1;
  std::vector<T> chunks;
  std::vector<WriteDone> all;
  chunks.reserve(buffer_.size());
  while (!buffer_.empty()) {
    Waiting next = buffer_.pop();
    chunks.push_back(std::move(next.chunk));
    if (next.done) all.push_back(std::move(next.done));
  }
  WriteDone done;
  if (!all.empty()) {
    auto tellAll = [all = std::move(all)](const std::exception_ptr& error) {
      for (const WriteDone& each : all) (*each)(error);
    };
    done = makeOwned<DoneFunction>(std::move(tellAll));
  }
  beginWrite(length, std::move(done));
  withoutSignal([&] { callWritev(std::move(chunks)); });
  flags.clear(Flag::Sync);
}

template <class T>
void WritableState<T>::failBuffered(const std::exception_ptr& error) {
  while (!buffer_.empty()) {
    Waiting next = buffer_.pop();
    length -= chunkSize(next.chunk);
    if (next.done) (*next.done)(error);
  }
  flags.clear(Flag::Buffered);
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
