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
  void add(T&& chunk, bool front);
  T take(std::size_t amount);
  /// "data", with the chunk itself where a pipe is all that listens.
  void deliver(T&& chunk);
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
void ReadableState<T>::add(T&& chunk, bool front) {
  if (length == 0 && !dataSlot.empty() &&
      flags.match(Flags<Flag>(Flag::Flowing, Flag::Sync), Flags<Flag>(Flag::Flowing))) {
    clearAwaitDrain();
    deliver(std::move(chunk));
  } else {
    length += chunkSize(chunk);
    if (front) {
      buffer_.pushFront(std::move(chunk));
    } else {
      buffer_.push(std::move(chunk));
    }
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
  const std::size_t amount = beforeRead(whole);
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
void ReadableState<T>::deliver(T&& chunk) {
  flags.set(Flag::DataEmitted);
  if (dataSlot.size() == 1 && dataSlot.block()->entries()[0].record == directListener) {
    const Ref<Pipe<T>> pipe(direct);
    return pipe->take(std::move(chunk));
  }
  dataSlot.emit(chunk);
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
  dataSlot.clear();
  direct = nullptr;
  directListener = nullptr;
  if (threadState.queue->closing()) std::exchange(pipes, {}).clear();
}

}  // namespace leat::inline LEAT_ABI::detail
