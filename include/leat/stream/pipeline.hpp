// SPDX-License-Identifier: MIT
// pipeline: streams in a row that end, fail and are destroyed together. Node: stream.pipeline,
// lib/internal/streams/pipeline.js.
#pragma once

#include <leat/stream/finished.hpp>
#include <leat/stream/from.hpp>

#include <tuple>

namespace leat::inline LEAT_ABI {

/// Options of `pipeline`, its last argument.
struct PipelineOptions {
  /// Aborts it: every stream is destroyed with an AbortError.
  SignalRef signal{};
  /// Whether the end of the source ends the sink.
  bool end = true;
};

namespace detail {

/// What the streams of a pipeline share. Owned by its listeners.
class PipelineState : public Counted<PipelineState>, public FrameAllocated {
 public:
  explicit PipelineState(EndWatch::Callback done) noexcept : done_(std::move(done)) {}

  /// A stream of the row, at this place.
  void add(StreamCore& stream, bool reading, bool writing, bool end);
  /// Connects two that stand beside each other; whether the second is the last of the row.
  template <class T>
  void connect(ReadableState<T>& from, WritableState<T>& to, bool end, bool last);
  /// The function at the end of the row.
  void wait(const Promise<>& reading);
  /// There is a function in the row.
  void hasFunction() noexcept { functions_ = true; }
  void abortBy(AbortState& signal);
  void started(AbortState& signal);

 private:
  /// Destroys a stream that has not ended when another one fails.
  struct Destroyer : Counted<Destroyer>, FrameAllocated {
    // Until it is called; a stream that goes on to be open does not hold itself by its listeners.
    Ref<StreamCore> stream;
    bool finished = false;
    void destroy(const std::exception_ptr& error);
  };
  template <class Slot, class F>
  static Listener listen(StreamCore& stream, Slot& slot, F&& f, bool once = false) {
    // After "close" nothing comes, and nobody would clear the listener any more.
    if (stream.closeEmitted()) return {};
    return joinStream(stream, slot, Slot::eventName, Slot::make(stream, std::forward<F>(f)),
                      once ? reinterpret_cast<ListenerRecord::Call>(Slot::onceCall()) : nullptr,
                      false);
  }
  void abort(AbortState& signal);
  void finish(const std::exception_ptr& error) { finish(error, --pending_ == 0); }
  void finish(const std::exception_ptr& error, bool last);
  /// Whether this may only follow from another error, that is still to be told: a function that fails
  /// destroys what it reads.
  bool follows(const std::exception_ptr& error) const {
    return functions_ && (hasCode(error, "ERR_STREAM_PREMATURE_CLOSE") ||
                          (!aborted_ && hasCode(error, "ABORT_ERR")));
  }
  std::exception_ptr causeOf(const std::exception_ptr& error) const;
  void sourceOver(StreamCore& source, const std::exception_ptr& error);

  EndWatch::Callback done_;
  std::vector<Ref<Destroyer>> destroyers_;
  std::vector<Listener> lastListeners_;
  std::vector<Ref<EndWatch>> lastWatches_;
  AbortRegistration abort_;
  std::exception_ptr error_;
  int pending_ = 0;
  bool aborted_ = false;
  bool functions_ = false;
};

#if LEAT_BODIES
LEAT_INLINE void PipelineState::Destroyer::destroy(const std::exception_ptr& error) {
  const Ref<StreamCore> kept = std::move(stream);
  if (std::exchange(finished, true) || kept->destroyed()) return;
  kept->destroy(error ? error : streamDestroyed("pipe"));
}

LEAT_INLINE void PipelineState::add(StreamCore& stream, bool reading, bool writing, bool end) {
  const Ref<PipelineState> self(this);
  const bool last = !reading && stream.readable() != nullptr && stream.readable()->isReadable();
  if (end) {
    auto destroyer = makeRef<Destroyer>();
    destroyer->stream = Ref<StreamCore>(&stream);
    listen(stream, stream.closeSlot, [destroyer] { destroyer->finished = true; });
    auto watch =
        watchEnd(stream, {.readable = reading, .writable = writing},
                 [destroyer](const std::exception_ptr& error) { destroyer->finished = !error; });
    if (last) lastWatches_.push_back(std::move(watch));
    destroyers_.push_back(std::move(destroyer));
  }
  // Errors that come after all has been piped.
  Listener late = listen(stream, stream.errorSlot, [self](const std::exception_ptr& error) {
    if (!namesAbort(error) && !hasCode(error, "ERR_STREAM_PREMATURE_CLOSE")) self->finish(error);
  });
  if (last) lastListeners_.push_back(std::move(late));
}
#endif

template <class T>
void PipelineState::connect(ReadableState<T>& from, WritableState<T>& to, bool end, bool last) {
  const Ref<PipelineState> self(this);
  StreamCore& source = from.stream();
  StreamCore& sink = to.stream();
  pending_ += 2;
  struct Ended : Counted<Ended>, FrameAllocated {
    bool is = false;
  };
  const auto ended = makeRef<Ended>();
  listen(sink, sink.closeSlot, [self, ended] {
    if (!ended->is) self->finish(prematureClose());
  });
  makeRef<Pipe<T>>(from, to)->start(false);
  if (end) {
    const auto endSink = [ended, &to, kept = Ref<StreamCore>(&sink)] {
      ended->is = true;
      to.end();
    };
    if (from.endEmitted() && !source.errored) {
      nextTick(endSink);
    } else {
      listen(source, from.endSlot, endSink, true);
    }
  } else {
    finish(nullptr);
  }
  watchEnd(source, {.readable = true, .writable = false},
           [self, &source](const std::exception_ptr& error) { self->sourceOver(source, error); });
  const auto watch = watchEnd(sink, {.readable = false, .writable = true},
                              [self](const std::exception_ptr& error) { self->finish(error); });
  if (last && sink.readable() != nullptr && sink.readable()->isReadable())
    watch->appendTo(lastListeners_);
}

#if LEAT_BODIES
/// A source may close when its end is known and has not been told yet.
LEAT_INLINE void PipelineState::sourceOver(StreamCore& source, const std::exception_ptr& error) {
  ReadableCore& side = *source.readable();
  if (!hasCode(error, "ERR_STREAM_PREMATURE_CLOSE") || !side.ended() || source.errored ||
      source.flags.any(StreamFlag::ErrorEmitted))
    return finish(error);
  const Ref<PipelineState> self(this);
  listen(source, side.endSlot, [self] { self->finish(nullptr); }, true);
  listen(
      source, source.errorSlot, [self](const std::exception_ptr& late) { self->finish(late); },
      true);
}

LEAT_INLINE void PipelineState::wait(const Promise<>& reading) {
  ++pending_;
  const auto later = [self = Ref<PipelineState>(this)](std::exception_ptr error) {
    nextTick([self, error] { self->finish(error); });
  };
  const auto done = [later] { later(nullptr); };
  (void)reading.then(done, later);
}

LEAT_INLINE void PipelineState::abort(AbortState& signal) {
  aborted_ = true;
  finish(std::make_exception_ptr(AbortError(signal.reason)), false);
}

LEAT_INLINE void PipelineState::abortBy(AbortState& signal) {
  // The registration is this state's, and ends with it.
  const auto abort = [this, state = Ref<AbortState>(&signal)] { this->abort(*state); };
  if (isAborted(signal))
    return queueMicrotask([self = Ref<PipelineState>(this), abort] { abort(); });
  abort_ = AbortSignal(Ref<AbortState>(&signal)).onAbort(abort);
}

/// The row stands. The signal may be aborted since before; then a tick or a microtask comes first.
LEAT_INLINE void PipelineState::started(AbortState& signal) {
  if (!isAborted(signal)) return;
  nextTick(
      [self = Ref<PipelineState>(this), state = Ref<AbortState>(&signal)] { self->abort(*state); });
}

LEAT_INLINE std::exception_ptr PipelineState::causeOf(const std::exception_ptr& error) const {
  if (!follows(error)) return error;
  for (const Ref<Destroyer>& each : destroyers_) {
    const std::exception_ptr& other = each->stream->errored;
    if (other && !follows(other)) return other;
  }
  return error;
}

LEAT_INLINE void PipelineState::finish(const std::exception_ptr& error, bool last) {
  if (error && (!error_ || hasCode(error_, "ERR_STREAM_PREMATURE_CLOSE") ||
                (follows(error_) && !follows(error))))
    error_ = causeOf(error);
  if (!error_ && !last) return;
  const Ref<PipelineState> alive(this);
  auto all = std::exchange(destroyers_, {});
  for (const Ref<Destroyer>& each : all) each->destroy(error_);
  abort_.off();
  if (!last) return;
  if (!error_) {
    for (const Ref<EndWatch>& each : lastWatches_) each->cleanUp();
    for (Listener& each : lastListeners_) each.off();
  }
  if (!done_) return;
  nextTick([done = std::move(done_), told = error_]() mutable { done(told); });
  done_.reset();
}
#endif

// ---- stages ----

/// A function of a stage, and the generator that it has made.
template <class F, class Item>
struct FunctionSource {
  using T = std::remove_cvref_t<Item>;
  void read(Readable<T>& self) { source.read(self); }
  void destroy(std::exception_ptr error, StreamCallback done) {
    source.destroy(std::move(error), std::move(done));
  }
  // The generator may be a coroutine of the closure.
  Ref<CallbackBlock<F>> function;
  GeneratorSource<T, Item> source;
};

/// What a function has made of the stage in front of it, which it reads.
template <class T>
struct GeneratedStage {
  using ReadChunk = T;
  StreamCore& core() const { return stream.core(); }
  ReadableState<T>& readSide() const { return stream.readSide(); }
  ChunkIterator<T> iterator() const { return stream.iterator(); }
  Readable<T> stream;
};
template <class S>
inline constexpr bool isGenerated = false;
template <class T>
inline constexpr bool isGenerated<GeneratedStage<T>> = true;

/// A function at the end of the row that reads what stands in front of it.
struct FunctionSink {
  Promise<> reading;
};

template <class S>
inline constexpr bool isGenerator = false;
template <class T>
inline constexpr bool isGenerator<AsyncGenerator<T>> = true;

template <class F, class Item, class... Args>
auto generatedBy(F&& f, AsyncGenerator<Item> (*)(), Args... args) {
  using Kept = std::decay_t<F>;
  using T = std::remove_cvref_t<Item>;
  auto block = makeRef<CallbackBlock<Kept>>(std::forward<F>(f));
  auto generator = block->callable(std::move(args)...);
  return Readable<T>(
      FunctionSource<Kept, Item>{std::move(block), GeneratorSource<T, Item>(std::move(generator))},
      fromOptions({}));
}

template <class F, class T>
Promise<> readBy(Ref<CallbackBlock<F>> block, ChunkIterator<T> chunks) {
  auto made = block->callable(std::move(chunks));
  (void)co_await std::move(made);
}

/// The first of the row as a stream.
template <class S>
auto firstStage(S&& stage) {
  using Kept = std::decay_t<S>;
  if constexpr (StreamLike<Kept>) {
    return Kept(std::forward<S>(stage));
  } else if constexpr (std::is_invocable_v<Kept&>) {
    using Made = std::invoke_result_t<Kept&>;
    return generatedBy(std::forward<S>(stage), static_cast<Made (*)()>(nullptr));
  } else {
    return readableFrom(std::forward<S>(stage));
  }
}

/// A stage behind another one.
template <class Prev, class S>
auto nextStage(const Prev& prev, S&& stage) {
  using Kept = std::decay_t<S>;
  if constexpr (StreamLike<Kept>) {
    return Kept(std::forward<S>(stage));
  } else {
    using T = typename Prev::ReadChunk;
    static_assert(std::is_invocable_v<Kept&, ChunkIterator<T>>,
                  "pipeline(): a stage is a stream or a function of a ChunkIterator of the chunks "
                  "of the stage in front of it");
    using Made = std::invoke_result_t<Kept&, ChunkIterator<T>>;
    if constexpr (isGenerator<Made>) {
      auto made =
          generatedBy(std::forward<S>(stage), static_cast<Made (*)()>(nullptr), prev.iterator());
      return GeneratedStage<typename decltype(made)::ReadChunk>{std::move(made)};
    } else {
      static_assert(Awaitable<Made>,
                    "pipeline(): the function of a stage is an AsyncGenerator, that at the end of "
                    "the row a coroutine");
      return FunctionSink{
          readBy<Kept, T>(makeRef<CallbackBlock<Kept>>(std::forward<S>(stage)), prev.iterator())};
    }
  }
}

/// Connects the last stage that stands, and was added, with those behind it. `end`: of the options.
template <class A>
void connectStages(PipelineState&, bool, const A&) {}
template <class A, class Next, class... More>
void connectStages(PipelineState& state, bool end, const A& from, Next&& next, More&&... more) {
  const auto to = nextStage(from, std::forward<Next>(next));
  using B = std::remove_const_t<decltype(to)>;
  constexpr bool last = sizeof...(More) == 0;
  if constexpr (std::is_same_v<B, FunctionSink>) {
    static_assert(last, "pipeline(): only the last function gives no generator");
    state.hasFunction();
    state.wait(to.reading);
  } else if constexpr (isGenerated<B>) {
    static_assert(!last,
                  "pipeline(): the function at the end of the row is a coroutine that reads");
    state.hasFunction();
    state.add(to.core(), true, false, true);
    connectStages(state, end, to, std::forward<More>(more)...);
  } else {
    static_assert(std::is_same_v<typename A::ReadChunk, typename B::WriteChunk>,
                  "pipeline(): a stage is followed by one that takes other chunks");
    state.add(to.core(), !last, true, !last || end);
    state.connect(from.readSide(), to.writeSide(), !last || end, last);
    connectStages(state, end, to, std::forward<More>(more)...);
  }
}

template <class... Stages>
void startPipeline(const PipelineOptions& options, EndWatch::Callback done, Stages&&... stages) {
  static_assert(sizeof...(Stages) > 1, "pipeline() takes two stages or more");
  const auto state = makeRef<PipelineState>(std::move(done));
  const auto start = [&](auto&& first, auto&&... more) {
    const auto source = firstStage(std::forward<decltype(first)>(first));
    state->add(source.core(), true, false, true);
    connectStages(*state, options.end, source, std::forward<decltype(more)>(more)...);
  };
  AbortState* const signal = options.signal.state();
  if (signal != nullptr) state->abortBy(*signal);
  start(asStream(std::forward<Stages>(stages))...);
  if (signal != nullptr) state->started(*signal);
}

template <class S>
constexpr void guardStage() noexcept {
  using Kept = std::decay_t<S>;
  if constexpr (!StreamLike<Kept> && !HasStream<Kept> && !requires { typename ItemOf<Kept>::Type; })
    LEAT_GUARD_CLOSURE(S);
}

template <class S>
concept PipelineCallback = std::is_invocable_v<std::decay_t<S>&, const std::exception_ptr&> &&
                           !StreamLike<std::remove_cvref_t<S>>;

template <class... Stages>
using LastOf = std::tuple_element_t<sizeof...(Stages) - 1, std::tuple<Stages...>>;

}  // namespace detail

/// Pipes stages into one another: `co_await pipeline(source, transform, sink)`. Goes on when all of them
/// are over. When one fails or closes too early, all are destroyed with that error, which is thrown.
///
/// A stage is a stream, or a socket. The first may also be a range, an AsyncGenerator or a function that is one; one in
/// the middle a generator function of a `ChunkIterator<T>` of what stands in front of it; the last a
/// coroutine function of one. With `f(error)` as the last argument of all, that is called instead, in a
/// tick, with null when all went well, and the last stage is given, if it is a stream.
///
/// Node: `stream.pipeline`, and that of `stream/promises`. Throws: what a stage failed with, Error
/// ERR_STREAM_PREMATURE_CLOSE. Cancel: AbortError, by the signal of the options.
template <class... Stages>
auto pipeline(PipelineOptions options, Stages&&... stages) {
  static_assert(sizeof...(Stages) > 1, "pipeline() takes two stages or more");
  (detail::guardStage<Stages>(), ...);
  if constexpr (detail::PipelineCallback<detail::LastOf<Stages...>>) {
    constexpr std::size_t count = sizeof...(Stages) - 1;
    auto all = std::forward_as_tuple(std::forward<Stages>(stages)...);
    const auto start = [&]<std::size_t... i>(std::index_sequence<i...>) {
      detail::startPipeline(options, detail::EndWatch::Callback(std::get<count>(std::move(all))),
                            std::get<i>(std::move(all))...);
    };
    using Last = std::remove_cvref_t<decltype(std::get<count - 1>(all))>;
    if constexpr (detail::StreamLike<Last> || detail::HasStream<Last>) {
      auto last = detail::asStream(std::get<count - 1>(all));
      start(std::make_index_sequence<count>());
      return last;
    } else {
      start(std::make_index_sequence<count>());
    }
  } else {
    auto made = Promise<>::withResolvers();
    detail::startPipeline(
        options,
        [settle = std::move(made.resolve)](const std::exception_ptr& error) {
          error ? settle.reject(error) : settle.resolve();
        },
        std::forward<Stages>(stages)...);
    return made.promise;
  }
}
template <class First, class... More>
  requires(!std::is_same_v<std::remove_cvref_t<First>, PipelineOptions>)
auto pipeline(First&& first, More&&... more) {
  return pipeline(PipelineOptions(), std::forward<First>(first), std::forward<More>(more)...);
}

}  // namespace leat::inline LEAT_ABI
