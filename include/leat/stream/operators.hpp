// SPDX-License-Identifier: MIT
// What can be done with each chunk of a Readable: map, filter, reduce and the others of Node's iterator
// helpers. Node: lib/internal/streams/operators.js.
#pragma once

#include <leat/core/channel.hpp>
#include <leat/stream/from.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What a callable gives for a chunk, awaited where it is to be.
template <class F, class... Args>
struct Outcome {
  using Made = std::invoke_result_t<F&, Args...>;
  static constexpr bool later = isAwaited<Made>;
  template <class M>
  struct Of {
    using Type = M;
  };
  template <Awaitable M>
  struct Of<M> {
    using Type = AwaitResult<M>;
  };
  using Type = std::remove_cvref_t<typename Of<Made>::Type>;
};
template <class F, class... Args>
using OutcomeOf = typename Outcome<F, Args...>::Type;

/// One chunk through one callable.
template <class F, class T>
Task<OutcomeOf<F, T>> applied(F& f, T chunk) {
  if constexpr (!Outcome<F, T>::later) {
    co_return f(std::move(chunk));
  } else if constexpr (std::is_void_v<OutcomeOf<F, T>>) {
    co_await f(std::move(chunk));
  } else {
    co_return co_await f(std::move(chunk));
  }
}

template <class T, class F>
AsyncGenerator<OutcomeOf<F, T>> mapChunks(ChunkIterator<T> chunks, F f) {
  while (auto chunk = co_await chunks.next()) {
    auto made = co_await applied(f, std::move(*chunk));
    co_yield std::move(made);
  }
}

/// Stops the reader of `mapMany` when its generator goes.
template <class U>
struct MapGuard {
  explicit MapGuard(Channel<Promise<U>> c) : results(std::move(c)) {}
  MapGuard(const MapGuard&) = delete;
  MapGuard& operator=(const MapGuard&) = delete;
  ~MapGuard() {
    results.close();
    stop.abort();
  }
  Channel<Promise<U>> results;
  AbortController stop;
};

template <class T, class F>
Promise<OutcomeOf<F, T>> startApplied(Ref<CallbackBlock<F>> f, T chunk) {
  co_return co_await applied(f->callable, std::move(chunk));
}

template <class T, class F, class U>
Promise<> startAll(ChunkIterator<T> chunks, Ref<CallbackBlock<F>> f, Channel<Promise<U>> results,
                   AbortSignal stop) {
  const WaitOptions untilStopped(stop);
  std::exception_ptr error;
  try {
    while (auto chunk = co_await chunks.next(stop)) {
      Promise<U> started = startApplied<T, F>(f, std::move(*chunk));
      // Who takes it handles it; if nobody does any more, nobody is to be told.
      started.state().markHandled();
      co_await results.send(std::move(started), untilStopped);
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (stop.aborted() || results.closed()) co_return;
  if (error) {
    Promise<U> failed = Promise<U>::reject(error);
    failed.state().markHandled();
    try {
      co_await results.send(std::move(failed), untilStopped);
    } catch (const AbortError&) {
      co_return;
    }
  }
  results.close();
}

/// In order, though up to `concurrency` calls are in progress.
template <class T, class F>
AsyncGenerator<OutcomeOf<F, T>> mapMany(ChunkIterator<T> chunks, F f, std::size_t concurrency) {
  using U = OutcomeOf<F, T>;
  // One more waits to be sent, one is waited for here.
  MapGuard<U> guard(Channel<Promise<U>>(concurrency - 2));
  auto kept = makeRef<CallbackBlock<F>>(std::move(f));
  (void)startAll<T, F, U>(std::move(chunks), std::move(kept), guard.results, guard.stop.signal());
  while (auto started = co_await guard.results.receive()) {
    auto made = co_await std::move(*started);
    co_yield std::move(made);
  }
}

template <class T, class F>
AsyncGenerator<T> filterChunks(ChunkIterator<T> chunks, F f) {
  while (auto chunk = co_await chunks.next()) {
    const bool wanted = co_await applied<F, const T&>(f, *chunk);
    if (wanted) co_yield std::move(*chunk);
  }
}

template <class T>
AsyncGenerator<T> takeChunks(ChunkIterator<T> chunks, std::size_t count) {
  while (count > 0) {
    auto chunk = co_await chunks.next();
    if (!chunk) break;
    --count;
    co_yield std::move(*chunk);
  }
}

template <class T>
AsyncGenerator<T> dropChunks(ChunkIterator<T> chunks, std::size_t count) {
  while (auto chunk = co_await chunks.next()) {
    if (count > 0) {
      --count;
      continue;
    }
    co_yield std::move(*chunk);
  }
}

template <class T, class F>
auto flatMapChunks(ChunkIterator<T> chunks, F f)
    -> AsyncGenerator<typename ItemOf<OutcomeOf<F, T>>::Type> {
  while (auto chunk = co_await chunks.next()) {
    auto many = co_await applied(f, std::move(*chunk));
    for (auto& each : many) co_yield std::move(each);
  }
}

// ---- those that end with a value ----

template <class T, class F>
Promise<> eachChunk(ChunkIterator<T> chunks, F f) {
  while (auto chunk = co_await chunks.next()) (void)co_await applied(f, std::move(*chunk));
}

template <class T>
Promise<std::vector<T>> gatherChunks(ChunkIterator<T> chunks) {
  std::vector<T> all;
  while (auto chunk = co_await chunks.next()) all.push_back(std::move(*chunk));
  co_return all;
}

/// The first chunk for which `f` gives `wanted`.
template <class T, class F>
Promise<std::optional<T>> findChunk(ChunkIterator<T> chunks, F f, bool wanted) {
  std::optional<T> found;
  while (auto chunk = co_await chunks.next()) {
    const bool is = co_await applied<F, const T&>(f, *chunk);
    if (is != wanted) continue;
    found = std::move(chunk);
    break;
  }
  co_return found;
}

template <class T, class F>
Promise<bool> hasChunk(ChunkIterator<T> chunks, F f, bool wanted) {
  const auto found = co_await findChunk<T, F>(std::move(chunks), std::move(f), wanted);
  co_return found.has_value() == wanted;
}

template <class T, class F, class U>
Promise<U> foldChunks(ChunkIterator<T> chunks, F f, U value) {
  while (auto chunk = co_await chunks.next()) {
    if constexpr (Outcome<F, U, T>::later) {
      value = co_await f(std::move(value), std::move(*chunk));
    } else {
      value = f(std::move(value), std::move(*chunk));
    }
  }
  co_return value;
}

template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::map(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  StreamOptions made;
  made.highWaterMark = options.concurrency;
  if (options.concurrency < 2)
    return readableFrom(mapChunks<T, std::decay_t<F>>(iterator(), std::forward<F>(f)), made);
  return readableFrom(
      mapMany<T, std::decay_t<F>>(iterator(), std::forward<F>(f), options.concurrency), made);
}
template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::filter(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return readableFrom(filterChunks<T, std::decay_t<F>>(iterator(), std::forward<F>(f)));
}
template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::flatMap(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return readableFrom(flatMapChunks<T, std::decay_t<F>>(iterator(), std::forward<F>(f)));
}
template <class Self, class T>
Readable<T> ReadableMethods<Self, T>::take(std::size_t count) const {
  return readableFrom(takeChunks<T>(iterator(), count));
}
template <class Self, class T>
Readable<T> ReadableMethods<Self, T>::drop(std::size_t count) const {
  return readableFrom(dropChunks<T>(iterator(), count));
}
template <class Self, class T>
template <class F>
Promise<> ReadableMethods<Self, T>::forEach(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return eachChunk<T, std::decay_t<F>>(iterator(), std::forward<F>(f));
}
template <class Self, class T>
Promise<std::vector<T>> ReadableMethods<Self, T>::toArray() const {
  return gatherChunks<T>(iterator());
}
template <class Self, class T>
template <class F>
Promise<std::optional<T>> ReadableMethods<Self, T>::find(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return findChunk<T, std::decay_t<F>>(iterator(), std::forward<F>(f), true);
}
template <class Self, class T>
template <class F>
Promise<bool> ReadableMethods<Self, T>::some(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return hasChunk<T, std::decay_t<F>>(iterator(), std::forward<F>(f), true);
}
template <class Self, class T>
template <class F>
Promise<bool> ReadableMethods<Self, T>::every(F&& f) const {
  LEAT_GUARD_CLOSURE(F);
  return hasChunk<T, std::decay_t<F>>(iterator(), std::forward<F>(f), false);
}
template <class Self, class T>
template <class F, class U>
Promise<U> ReadableMethods<Self, T>::reduce(F&& f, U initial) const {
  LEAT_GUARD_CLOSURE(F);
  return foldChunks<T, std::decay_t<F>, U>(iterator(), std::forward<F>(f), std::move(initial));
}

}  // namespace detail

/// All that comes out of a stream, as one. Node: stream/consumers.
namespace consumers {

namespace detail {
using namespace leat::detail;

template <class T>
Promise<std::string> gatherText(ChunkIterator<T> chunks) {
  std::string all;
  while (auto chunk = co_await chunks.next()) {
    if constexpr (countsBytes<T>) {
      all.append(chunk->view());
    } else {
      all.append(*chunk);
    }
  }
  co_return all;
}

template <class S, class Parse>
auto parseAll(S stream, Parse parse) -> Promise<std::invoke_result_t<Parse&, std::string>> {
  std::string all = co_await gatherText<typename S::ReadChunk>(stream.iterator());
  co_return parse(std::move(all));
}

}  // namespace detail

/// The bytes of a stream of Buffers, or of strings, one behind the other. They are not checked to be
/// UTF-8. Throws: what the stream fails with.
template <class S>
Promise<std::string> text(const S& stream) {
  return detail::gatherText<typename S::ReadChunk>(stream.iterator());
}
/// Node: `consumers.buffer`.
template <class S>
Promise<Buffer> buffer(const S& stream) {
  return text(stream).then([](std::string all) { return Buffer::adopt(std::move(all)); });
}
/// What `parse(text)` makes of it: the hook for a JSON library. Node: `consumers.json`.
template <class S, class Parse>
auto json(const S& stream, Parse&& parse) {
  LEAT_GUARD_CLOSURE(Parse);
  return detail::parseAll<S, std::decay_t<Parse>>(stream, std::forward<Parse>(parse));
}

}  // namespace consumers
}  // namespace leat::inline LEAT_ABI
