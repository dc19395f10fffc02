// SPDX-License-Identifier: MIT
// The reading side of a stream: its chunks, and whom they go to.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/stream/detail/tear_down.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::detail {

template <class T>
class Pipe;

template <class T>
class ReadableState : public ReadableCore {
 public:
  using Chunk = T;

  ReadableState(StreamCore& stream, std::size_t mark) noexcept
      : ReadableCore(stream, mark, !countsBytes<T>) {}

  /// What the source has. False: it shall wait until it is asked again.
  bool push(T&& chunk);
  bool unshift(T&& chunk);
  std::optional<T> read(std::size_t wanted = whole);
  bool listenedTo() const noexcept final { return !dataSlot.empty(); }
  void letGo() noexcept;
  void unpipe();
  void unpipe(const WritableCore& sink);

  EventSlot<Event<"data", T>> dataSlot;
  std::vector<Ref<Pipe<T>>> pipes;
  // The last that came, whose listener its handle keeps.
  Pipe<T>* direct = nullptr;
  const Registration* directListener = nullptr;
  // The sinks whose "drain" is waited for; whether there ever were two, and no wait for one alone since.
  std::vector<const WritableCore*> awaitedSinks;
  bool severalSinks = false;

 protected:
  ~ReadableState() = default;

 private:
  bool pushLong(T&& chunk);
  bool pushed();
  void add(T&& chunk, bool front);
  T take(std::size_t amount);
  /// "data", with the chunk itself where a pipe is all that listens.
  void deliver(T&& chunk);
  void deliverLong(T&& chunk);
  void handOver(T&& chunk);
  bool readLong(std::size_t amount);
  bool readForListeners() final;
  std::size_t frontSize() noexcept final { return chunkSize(buffer_.front()); }
  void clearAwaitDrain() noexcept final {
    if (!awaitedSinks.empty()) awaitedSinks.clear();
  }

  Fifo<T> buffer_;
};

template <class T>
bool ReadableState<T>::push(T&& chunk) {
  if constexpr (countsBytes<T>) {
    if (chunk.empty()) {
      flags.clear(Flag::Reading);
      maybeReadMore();
      return canPushMore();
    }
  }
  if (length != 0 || !flags.match(Flags<Flag>(Flag::Direct, Flag::Flowing, Flag::Sync, Flag::Ended),
                                  Flags<Flag>(Flag::Direct, Flag::Flowing)))
    return pushLong(std::move(chunk));
  flags.clear(Flag::Reading);
  flags.set(Flag::DataEmitted);
  handOver(std::move(chunk));
  if (length != 0 ||
      !flags.match(Flags<Flag>(Flag::ReadingMore, Flag::Ended), Flags<Flag>(Flag::ReadingMore)))
    return pushed();
  return true;
}

/// What comes after a chunk.
template <class T>
LEAT_NOINLINE bool ReadableState<T>::pushed() {
  maybeReadMore();
  return canPushMore();
}

template <class T>
LEAT_NOINLINE bool ReadableState<T>::pushLong(T&& chunk) {
  if (ended()) [[unlikely]] {
    stream().fail(pushAfterEof());
    return false;
  }
  if (stream().failed()) [[unlikely]]
    return false;
  flags.clear(Flag::Reading);
  add(std::move(chunk), false);
  return canPushMore();
}

template <class T>
bool ReadableState<T>::unshift(T&& chunk) {
  if constexpr (countsBytes<T>) {
    if (chunk.empty()) return canPushMore();
  }
  if (endEmitted()) {
    stream().fail(unshiftAfterEnd());
  } else if (stream().failed()) {
    return false;
  } else {
    add(std::move(chunk), true);
  }
  return canPushMore();
}

template <class T>
LEAT_ALWAYS_INLINE inline void ReadableState<T>::add(T&& chunk, bool front) {
  if (length == 0 && !dataSlot.empty() &&
      flags.match(Flags<Flag>(Flag::Flowing, Flag::Sync), Flags<Flag>(Flag::Flowing))) {
    clearAwaitDrain();
    deliver(std::move(chunk));
  } else {
    // Without memory for it, it is not counted.
    const std::size_t size = chunkSize(chunk);
    if (front) {
      buffer_.pushFront(std::move(chunk));
    } else {
      buffer_.push(std::move(chunk));
    }
    length += size;
    if (flags.any(Flag::NeedReadable)) emitReadable();
  }
  maybeReadMore();
}

template <class T>
std::optional<T> ReadableState<T>::read(std::size_t wanted) {
  const std::size_t amount = beforeRead(wanted);
  if (amount == refused) return std::nullopt;
  std::optional<T> chunk;
  if (amount > 0) chunk.emplace(take(amount));
  afterRead(wanted, amount > 0, amount);
  if (amount > 0 && !stream().flags.any(StreamFlag::ErrorEmitted, StreamFlag::CloseEmitted)) {
    flags.set(Flag::DataEmitted);
    dataSlot.emit(*chunk);
  }
  return chunk;
}

template <class T>
bool ReadableState<T>::readForListeners() {
  if constexpr (!countsBytes<T>) {
    // Items that stay while one goes: as below, without what cannot be.
    if (length > 1 && flags.any(Flag::Direct)) {
      flags.clear(Flag::EmittedReadable);
      if ((length <= highWaterMark || flags.any(Flag::NeedReadable)) &&
          !flags.any(Flag::Reading, Flag::Ended))
        askSource();
      if (length < 2 || !flags.any(Flag::Direct)) return readLong(length == 0 ? 0 : 1);
      T chunk = buffer_.pop();
      --length;
      flags.set(Flag::DataEmitted);
      handOver(std::move(chunk));
      return true;
    }
  }
  return readLong(beforeRead(whole));
}

template <class T>
LEAT_NOINLINE bool ReadableState<T>::readLong(std::size_t amount) {
  if (amount == refused) return false;
  if (amount == 0) {
    afterRead(whole, false, 0);
    return false;
  }
  T chunk = take(amount);
  afterRead(whole, true, amount);
  if (!stream().flags.any(StreamFlag::ErrorEmitted, StreamFlag::CloseEmitted))
    deliver(std::move(chunk));
  return true;
}

template <class T>
LEAT_ALWAYS_INLINE inline void ReadableState<T>::deliver(T&& chunk) {
  flags.set(Flag::DataEmitted);
  if (!flags.any(Flag::Direct)) return deliverLong(std::move(chunk));
  handOver(std::move(chunk));
}

template <class T>
LEAT_NOINLINE void ReadableState<T>::deliverLong(T&& chunk) {
  if (dataSlot.size() != 1 || dataSlot.block()->entries()[0].record != directListener)
    return void(dataSlot.emit(chunk));
  if (stream().sound()) flags.set(Flag::Direct);
  handOver(std::move(chunk));
}

/// The pipe keeps both streams.
template <class T>
LEAT_ALWAYS_INLINE inline void ReadableState<T>::handOver(T&& chunk) {
  Pipe<T>& pipe = *direct;
  pipe.retain();
  const auto kept = Ref<Pipe<T>>::adopt(&pipe);
  pipe.take(std::move(chunk));
}

/// There is so much.
template <class T>
T ReadableState<T>::take(std::size_t amount) {
  if constexpr (!countsBytes<T>) {
    return buffer_.pop();
  } else {
    T& front = buffer_.front();
    if (amount == front.size()) return buffer_.pop();
    if (amount < front.size()) {
      T part = front.subarray(0, static_cast<std::ptrdiff_t>(amount));
      front = front.subarray(static_cast<std::ptrdiff_t>(amount));
      return part;
    }
    T joined = T::allocUnsafe(amount);
    for (std::size_t at = 0; at < amount;) {
      T& next = buffer_.front();
      const std::size_t some = next.size() < amount - at ? next.size() : amount - at;
      std::memcpy(joined.data() + at, next.data(), some);
      at += some;
      if (some == next.size()) {
        buffer_.drop();
      } else {
        next = next.subarray(static_cast<std::ptrdiff_t>(some));
      }
    }
    return joined;
  }
}

/// The pipes of a stream that is closed stay until their sinks are over, which then are told "unpipe".
template <class T>
void ReadableState<T>::letGo() noexcept {
  flags.clear(Flag::Direct);
  dataSlot.clear();
  direct = nullptr;
  directListener = nullptr;
  if (threadState.queue->closing()) std::exchange(pipes, {}).clear();
}

}  // namespace leat::inline LEAT_ABI::detail
