// SPDX-License-Identifier: MIT
// What can be done with each chunk of a Readable: map, filter, reduce and the others of Node's iterator
// helpers. Node: lib/internal/streams/operators.js.
#pragma once

#include <leat/core/channel.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/stream/consumers.hpp>
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

/// How many calls may be in progress. Throws: RangeError of none, as in Node.
inline std::size_t callsAtOnce(const OperatorOptions& options) {
  if (options.concurrency > 0) return options.concurrency;
  throwNumberOutOfRange("options.concurrency", ">= 1 && <= 9007199254740991", 0);
}

/// The context around, with the signal of options where they have one.
inline ContextRef contextUnderOption(AbortState* signal) {
  return signal == nullptr ? currentContext() : contextUnder(Ref<AbortState>(signal));
}

template <class T, class F>
AsyncGenerator<OutcomeOf<F, T>> mapChunks(ChunkIterator<T> chunks, F f) {
  while (auto chunk = co_await chunks.next()) {
    auto made = co_await applied(f, std::move(*chunk));
    co_yield std::move(made);
  }
}

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

/// Up to `concurrency` calls in progress, two at least. Their results come in the order of the chunks; the
/// reader of the chunks is stopped when this goes.
template <class T, class F>
class CallsInOrder {
 public:
  using U = OutcomeOf<F, T>;
  // One more waits to be sent, one is waited for by who receives.
  CallsInOrder(ChunkIterator<T> chunks, F f, std::size_t concurrency) : results(concurrency - 2) {
    auto kept = makeRef<CallbackBlock<F>>(std::move(f));
    (void)startAll<T, F, U>(std::move(chunks), std::move(kept), results, stop_.signal());
  }
  CallsInOrder(const CallsInOrder&) = delete;
  CallsInOrder& operator=(const CallsInOrder&) = delete;
  ~CallsInOrder() {
    results.close();
    stop_.abort();
  }
  Channel<Promise<U>> results;

 private:
  AbortController stop_;
};

template <class T, class F>
AsyncGenerator<OutcomeOf<F, T>> mapMany(ChunkIterator<T> chunks, F f, std::size_t concurrency) {
  CallsInOrder<T, F> calls(std::move(chunks), std::move(f), concurrency);
  while (auto started = co_await calls.results.receive()) {
    auto made = co_await std::move(*started);
    co_yield std::move(made);
  }
}

/// Gives the chunks for which `f` gives `wanted`.
template <class T, class F>
struct ChosenBy {
  Task<std::optional<T>> operator()(T chunk) {
    const bool is = co_await applied<F, const T&>(f, chunk);
    std::optional<T> chosen;
    if (is == wanted) chosen.emplace(std::move(chunk));
    co_return chosen;
  }
  F f;
  bool wanted = true;
};

template <class T, class F>
AsyncGenerator<T> filterMany(ChunkIterator<T> chunks, F f, std::size_t concurrency) {
  CallsInOrder<T, ChosenBy<T, F>> calls(std::move(chunks), {std::move(f)}, concurrency);
  while (auto started = co_await calls.results.receive()) {
    auto chosen = co_await std::move(*started);
    if (chosen) co_yield std::move(*chosen);
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

/// Whether the items of a range are its own: what looks at those of others gives them unchanged by its const.
template <class Range>
inline constexpr bool ownsItems = requires(Range& range, const Range& fixed) {
  requires std::is_lvalue_reference_v<decltype(*range.begin())>;
  requires !std::is_same_v<decltype(*range.begin()), decltype(*fixed.begin())>;
};
/// An item of a range that goes when all are given. It stays where it is if it is somebody else's.
template <class Range, class Item>
auto itemTakenFrom(Item&& item) {
  using T = typename ItemOf<Range>::Type;
  if constexpr (ownsItems<Range> || !isCopyable<T>) {
    return T(std::move(item));
  } else {
    return T(std::forward<Item>(item));
  }
}

template <class T, class F>
auto flatMapChunks(ChunkIterator<T> chunks, F f)
    -> AsyncGenerator<typename ItemOf<OutcomeOf<F, T>>::Type> {
  while (auto chunk = co_await chunks.next()) {
    auto many = co_await applied(f, std::move(*chunk));
    using Many = decltype(many);
    for (auto&& each : many) co_yield itemTakenFrom<Many>(std::forward<decltype(each)>(each));
  }
}

template <class T, class F>
auto flatMapMany(ChunkIterator<T> chunks, F f, std::size_t concurrency)
    -> AsyncGenerator<typename ItemOf<OutcomeOf<F, T>>::Type> {
  CallsInOrder<T, F> calls(std::move(chunks), std::move(f), concurrency);
  while (auto started = co_await calls.results.receive()) {
    auto many = co_await std::move(*started);
    using Many = decltype(many);
    for (auto&& each : many) co_yield itemTakenFrom<Many>(std::forward<decltype(each)>(each));
  }
}

// ---- those that end with a value ----

template <class T, class F>
Promise<> eachChunk(ChunkIterator<T> chunks, F f) {
  while (auto chunk = co_await chunks.next()) (void)co_await applied(f, std::move(*chunk));
}

/// Calls, and gives that it has.
template <class T, class F>
struct CalledBy {
  Task<bool> operator()(T chunk) {
    (void)co_await applied(f, std::move(chunk));
    co_return true;
  }
  F f;
};

template <class T, class F>
Promise<> eachOfMany(ChunkIterator<T> chunks, F f, std::size_t concurrency) {
  CallsInOrder<T, CalledBy<T, F>> calls(std::move(chunks), {std::move(f)}, concurrency);
  while (auto started = co_await calls.results.receive()) (void)co_await std::move(*started);
}

template <class T>
Promise<std::vector<T>> gatherChunks(ChunkIterator<T> chunks) {
  std::vector<T> all;
  while (auto chunk = co_await chunks.next()) all.push_back(std::move(*chunk));
  co_return all;
}

/// What a call has given after it was aborted does not count.
inline void throwIfAbortedAround() {
  const AbortState* const around = ambientSignal();
  if (around != nullptr && isAborted(*around)) throw AbortError(around->reason);
}

/// The first chunk for which `f` gives `wanted`.
template <class T, class F>
Promise<std::optional<T>> findChunk(ChunkIterator<T> chunks, F f, bool wanted) {
  std::optional<T> found;
  while (auto chunk = co_await chunks.next()) {
    const bool is = co_await applied<F, const T&>(f, *chunk);
    if (is != wanted) continue;
    throwIfAbortedAround();
    found = std::move(chunk);
    break;
  }
  co_return found;
}

template <class T, class F>
Promise<std::optional<T>> findOfMany(ChunkIterator<T> chunks, F f, bool wanted,
                                     std::size_t concurrency) {
  std::optional<T> found;
  CallsInOrder<T, ChosenBy<T, F>> calls(std::move(chunks), {std::move(f), wanted}, concurrency);
  while (auto started = co_await calls.results.receive()) {
    auto chosen = co_await std::move(*started);
    if (!chosen) continue;
    throwIfAbortedAround();
    found = std::move(chosen);
    break;
  }
  co_return found;
}

template <class T, class F>
Promise<std::optional<T>> findBy(ChunkIterator<T> chunks, F f, bool wanted,
                                 const OperatorOptions& options) {
  const ContextScope scope(contextUnderOption(options.signal.state()));
  const std::size_t many = callsAtOnce(options);
  if (many < 2) return findChunk<T, F>(std::move(chunks), std::move(f), wanted);
  return findOfMany<T, F>(std::move(chunks), std::move(f), wanted, many);
}

template <class T>
Promise<bool> hasFound(Promise<std::optional<T>> finding, bool wanted) {
  const auto found = co_await std::move(finding);
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

template <class T, class F>
Promise<T> foldFromFirst(ChunkIterator<T> chunks, F f) {
  auto first = co_await chunks.next();
  if (!first)
    throwTypeError("Reduce of an empty stream requires an initial value", "ERR_MISSING_ARGS");
  co_return co_await foldChunks<T, F, T>(std::move(chunks), std::move(f), std::move(*first));
}

/// What a generator makes of the chunks, until the signal aborts.
template <class Item>
auto operatorStream(AsyncGenerator<Item> made, SignalRef signal, std::size_t mark = unsetMark) {
  using T = std::remove_cvref_t<Item>;
  StreamOptions options;
  options.highWaterMark = mark;
  options.signal = signal;
  return Readable<T>(GeneratorSource<T, Item>(std::move(made), signal.state()),
                     fromOptions(options));
}

template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::map(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  using Kept = std::decay_t<F>;
  const std::size_t many = callsAtOnce(options);
  if (many < 2)
    return operatorStream(mapChunks<T, Kept>(iterator(), std::forward<F>(f)), options.signal, many);
  return operatorStream(mapMany<T, Kept>(iterator(), std::forward<F>(f), many), options.signal,
                        many);
}
template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::filter(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  using Kept = std::decay_t<F>;
  const std::size_t many = callsAtOnce(options);
  if (many < 2)
    return operatorStream(filterChunks<T, Kept>(iterator(), std::forward<F>(f)), options.signal);
  return operatorStream(filterMany<T, Kept>(iterator(), std::forward<F>(f), many), options.signal,
                        many);
}
template <class Self, class T>
template <class F>
auto ReadableMethods<Self, T>::flatMap(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  using Kept = std::decay_t<F>;
  const std::size_t many = callsAtOnce(options);
  if (many < 2)
    return operatorStream(flatMapChunks<T, Kept>(iterator(), std::forward<F>(f)), options.signal);
  return operatorStream(flatMapMany<T, Kept>(iterator(), std::forward<F>(f), many), options.signal,
                        many);
}
template <class Self, class T>
Readable<T> ReadableMethods<Self, T>::take(std::size_t count, WaitOptions options) const {
  return operatorStream(takeChunks<T>(iterator(), count), options.signal);
}
template <class Self, class T>
Readable<T> ReadableMethods<Self, T>::drop(std::size_t count, WaitOptions options) const {
  return operatorStream(dropChunks<T>(iterator(), count), options.signal);
}
template <class Self, class T>
template <class F>
Promise<> ReadableMethods<Self, T>::forEach(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  using Kept = std::decay_t<F>;
  const ContextScope scope(contextUnderOption(options.signal.state()));
  const std::size_t many = callsAtOnce(options);
  if (many < 2) return eachChunk<T, Kept>(iterator(), std::forward<F>(f));
  return eachOfMany<T, Kept>(iterator(), std::forward<F>(f), many);
}
template <class Self, class T>
Promise<std::vector<T>> ReadableMethods<Self, T>::toArray(WaitOptions options) const {
  const ContextScope scope(contextUnderOption(options.signal.state()));
  return gatherChunks<T>(iterator());
}
template <class Self, class T>
template <class F>
Promise<std::optional<T>> ReadableMethods<Self, T>::find(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  return findBy<T, std::decay_t<F>>(iterator(), std::forward<F>(f), true, options);
}
template <class Self, class T>
template <class F>
Promise<bool> ReadableMethods<Self, T>::some(F&& f, OperatorOptions options) const {
  return hasFound<T>(find(std::forward<F>(f), options), true);
}
template <class Self, class T>
template <class F>
Promise<bool> ReadableMethods<Self, T>::every(F&& f, OperatorOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  return hasFound<T>(findBy<T, std::decay_t<F>>(iterator(), std::forward<F>(f), false, options),
                     false);
}
template <class Self, class T>
template <class F, class U>
Promise<U> ReadableMethods<Self, T>::reduce(F&& f, U initial, WaitOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  const ContextScope scope(contextUnderOption(options.signal.state()));
  return foldChunks<T, std::decay_t<F>, U>(iterator(), std::forward<F>(f), std::move(initial));
}
template <class Self, class T>
template <class F>
Promise<T> ReadableMethods<Self, T>::reduce(F&& f, WaitOptions options) const {
  LEAT_GUARD_CLOSURE(F);
  const ContextScope scope(contextUnderOption(options.signal.state()));
  return foldFromFirst<T, std::decay_t<F>>(iterator(), std::forward<F>(f));
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
