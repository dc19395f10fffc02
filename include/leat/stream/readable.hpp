// SPDX-License-Identifier: MIT
// Readable: a source of chunks that is asked for more only when there is room. Node: stream.Readable.
#pragma once

#include <leat/core/wait_options.hpp>
#include <leat/stream/detail/hooks.hpp>
#include <leat/stream/detail/pipe.hpp>
#include <leat/stream/next.hpp>

namespace leat::inline LEAT_ABI {

/// Options of `pipe`.
struct PipeOptions {
  /// Whether the end of the source ends the sink. Standard output and standard error stay open.
  bool end = true;
};

/// Options of `iterator`.
struct IteratorOptions {
  /// Whether an iteration that is left early destroys the stream.
  bool destroyOnReturn = true;
};

/// Options of `map`, `filter`, `flatMap`, `forEach`, `find`, `some` and `every`.
struct OperatorOptions {
  /// How many calls may be in progress, from 1; else RangeError ERR_OUT_OF_RANGE. What comes out stays in order.
  std::size_t concurrency = 1;
  /// Ends it with an AbortError, and destroys the source. It is the ambient signal of the calls.
  SignalRef signal{};
};

template <class T>
class ChunkIterator;

namespace detail {

/// The methods of the reading side, for the handles that have one.
template <class Self, class T>
class ReadableMethods {
 public:
  using ReadChunk = T;

  // ---- for the source ----

  /// Adds a chunk. False: enough is buffered, and `read` will be called when there is room.
  /// "error" ERR_STREAM_PUSH_AFTER_EOF after the end. Node: `push`.
  bool push(T chunk) const {
    const Ref<StreamCore> alive(&core());
    return side().push(std::move(chunk));
  }
  /// The end: there is no more. Node: `push(null)`.
  bool push(decltype(nullptr)) const {
    const Ref<StreamCore> alive(&core());
    side().pushEnd();
    return false;
  }
  bool push(const char* text) const
    requires countsBytes<T>
  {
    return push(T::from(std::string_view(text)));
  }
  bool push(std::string_view text) const
    requires countsBytes<T>
  {
    return push(T::from(text));
  }
  /// Throws: TypeError ERR_UNKNOWN_ENCODING.
  bool push(std::string_view text, EncodingName encoding) const
    requires countsBytes<T>
  {
    return push(T::from(text, encoding));
  }
  /// Puts a chunk back in front of the others. "error" ERR_STREAM_UNSHIFT_AFTER_END_EVENT after "end".
  bool unshift(T chunk) const {
    const Ref<StreamCore> alive(&core());
    return side().unshift(std::move(chunk));
  }
  bool unshift(std::string_view text) const
    requires countsBytes<T>
  {
    return unshift(T::from(text));
  }
  /// Throws: TypeError ERR_UNKNOWN_ENCODING.
  bool unshift(std::string_view text, EncodingName encoding) const
    requires countsBytes<T>
  {
    return unshift(T::from(text, encoding));
  }

  // ---- for who reads ----

  /// What is buffered: of Buffers all of it as one, or `size` bytes, or nothing when there are fewer
  /// and more may come; else one item. Node: `read(size)`. Throws: RangeError of more than 1 GiB.
  std::optional<T> read(std::size_t size = ReadableCore::whole) const {
    const Ref<StreamCore> alive(&core());
    return side().read(size);
  }
  /// Waits for a chunk; empty at the end: `while (auto chunk = co_await stream.next())`. Goes on at once
  /// when one is buffered.
  ///
  /// Node: `for await`, one step of it. Throws: what the stream failed with, Error
  /// ERR_STREAM_PREMATURE_CLOSE when it was destroyed before its end. Cancel: AbortError; nothing is
  /// lost. Lifetime: the error of a stream that a coroutine reads needs no listener.
  NextChunk<T> next(SignalRef signal = {}) const {
    return NextChunk<T>(Ref<StreamCore>(&core()), side(), signal);
  }
  /// The same as an object, which destroys the stream when it goes before the end. Node: `iterator`.
  ChunkIterator<T> iterator(IteratorOptions options = {}) const;

  /// The text of the bytes that come, as a stream that stands for this one from now on: its end, its errors
  /// and its `destroy` are this one's. Characters that are cut by the chunks come whole. In decode.hpp.
  /// Node: `setEncoding`, which changes the stream itself. Throws: TypeError ERR_UNKNOWN_ENCODING.
  Readable<std::string> setEncoding(EncodingName encoding = "utf8") const
    requires countsBytes<T>;

  const Self& pause() const {
    const Ref<StreamCore> alive(&core());
    side().pause();
    return self();
  }
  const Self& resume() const {
    side().resume();
    return self();
  }
  bool isPaused() const { return side().isPaused(); }
  /// Writes all chunks to a sink, which slows this down, and ends it, unless it is standard output or
  /// standard error. Gives the sink. Errors are not passed on: see `pipeline`. Node: `pipe`.
  template <class Sink>
    requires WritesChunks<Sink, T>
  Sink pipe(Sink sink, PipeOptions options = {}) const {
    const auto pipe = makeRef<Pipe<T>>(side(), sink.writeSide());
    pipe->start(options.end);
    return sink;
  }
  template <HasStream Sink>
  Sink pipe(Sink sink, PipeOptions options = {}) const {
    pipe(sink.stream(), options);
    return sink;
  }
  const Self& unpipe() const {
    const Ref<StreamCore> alive(&core());
    side().unpipe();
    return self();
  }
  template <class Sink>
    requires WritesChunks<Sink, T>
  const Self& unpipe(const Sink& sink) const {
    const Ref<StreamCore> alive(&core());
    side().unpipe(sink.writeSide());
    return self();
  }
  template <HasStream Sink>
  const Self& unpipe(const Sink& sink) const {
    return unpipe(sink.stream());
  }

  // ---- for each chunk, in operators.hpp; callables may be coroutines, and what they throw is the
  //      error of the streams. Those with WaitOptions end with an AbortError by the signal, too.
  //      Promises are rejected with the stream's error ----

  /// A stream of what `f(chunk)` gives.
  template <class F>
  auto map(F&& f, OperatorOptions options = {}) const;
  /// A stream of the chunks for which `f(chunk)` is true.
  template <class F>
  auto filter(F&& f, OperatorOptions options = {}) const;
  /// A stream of the items of the ranges that `f(chunk)` gives.
  template <class F>
  auto flatMap(F&& f, OperatorOptions options = {}) const;
  /// The first chunks; then this is destroyed.
  Readable<T> take(std::size_t count, WaitOptions options = {}) const;
  /// All but the first chunks.
  Readable<T> drop(std::size_t count, WaitOptions options = {}) const;
  template <class F>
  Promise<> forEach(F&& f, OperatorOptions options = {}) const;
  Promise<std::vector<T>> toArray(WaitOptions options = {}) const;
  /// The first chunk for which `f(chunk)` is true; then this is destroyed.
  template <class F>
  Promise<std::optional<T>> find(F&& f, OperatorOptions options = {}) const;
  template <class F>
  Promise<bool> some(F&& f, OperatorOptions options = {}) const;
  template <class F>
  Promise<bool> every(F&& f, OperatorOptions options = {}) const;
  /// `value = f(value, chunk)` for each.
  template <class F, class U>
  Promise<U> reduce(F&& f, U initial, WaitOptions options = {}) const;
  /// The same, begun with the first chunk. Throws: TypeError ERR_MISSING_ARGS when there is none.
  template <class F>
  Promise<T> reduce(F&& f, WaitOptions options = {}) const;

  // ---- the state: Node's properties ----

  bool readable() const { return side().isReadable(); }
  bool readableEnded() const { return side().endEmitted(); }
  /// Empty until somebody decides.
  std::optional<bool> readableFlowing() const {
    if (!side().flags.any(ReadFlag::HasFlowing)) return std::nullopt;
    return side().flowing();
  }
  /// Bytes or items.
  std::size_t readableLength() const { return side().length; }
  std::size_t readableHighWaterMark() const { return side().highWaterMark; }
  static constexpr bool readableObjectMode() noexcept { return !countsBytes<T>; }
  bool readableDidRead() const { return side().flags.any(ReadFlag::DataEmitted); }
  bool readableAborted() const { return side().aborted(); }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
  StreamCore& core() const { return self().core(); }
  ReadableState<T>& side() const { return self().readSide(); }
};

template <class T, class I>
class ReadableOf;

}  // namespace detail

/// A source of chunks. Copies are handles to the same stream.
///
/// The implementation is a callable, or an object with some of these methods. `read` is called when there
/// is room: `read(self, size)` or `read(self)` push, now or later; `read(size)` or `read()` give the next
/// chunk as a `std::optional<T>`, empty at the end, or as a coroutine that does. `construct` is called
/// first, `destroy(error)` last; each may end with a StreamCallback, or be a coroutine. What they throw
/// is the stream's error.
///
/// Events: "data" (T), "readable", "end", "pause", "resume", "error" (std::exception_ptr), "close". An
/// "error" without a listener is an uncaught exception, unless a coroutine waits, or has waited, for the
/// stream: then the next wait throws it, or it is an uncaught exception when the stream goes.
///
/// Node: `stream.Readable`, with its order of events. Thread: the loop's, which drops what is left of the
/// stream at its end. Throws: Error ERR_NO_LOOP where there is none.
/// Lifetime: a stream lives while there is a handle, a pipe or a pending answer of its implementation. It
/// does not hold the loop.
template <class T = Buffer>
class Readable : public detail::StreamMethods<Readable<T>>,
                 public detail::ReadableMethods<Readable<T>, T> {
 public:
  static constexpr bool hasReadable = true;
  static constexpr bool hasWritable = false;

  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  Readable() noexcept = default;
  template <class I>
    requires detail::StreamPart<I>
  explicit Readable(I&& implementation, StreamOptions options = {});
  /// The reading side of a stream with two.
  template <class S>
    requires(detail::ReadsChunks<S, T> && !std::is_same_v<S, Readable>)
  Readable(const S& stream)
      : Readable(detail::Ref<detail::StreamCore>(&stream.core()), stream.readSide()) {}

  template <detail::HasStream S>
  Readable(const S& owner) : Readable(owner.stream()) {}

  /// Internal.
  Readable(detail::Ref<detail::StreamCore> stream, detail::ReadableState<T>& side) noexcept
      : handle_(std::move(stream)), side_(&side) {}
  detail::StreamCore& core() const { return handle_.core(); }
  detail::ReadableState<T>& readSide() const {
    (void)handle_.core();
    return *side_;
  }
  friend bool operator==(const Readable& a, const Readable& b) noexcept {
    return a.handle_ == b.handle_;
  }

 private:
  detail::StreamHandle handle_;
  detail::ReadableState<T>* side_ = nullptr;
};

/// An iteration over a stream; when it goes before the end, the stream is destroyed.
template <class T>
class [[nodiscard]] ChunkIterator {
 public:
  using LoopBound = void;
  ChunkIterator(Readable<T> stream, IteratorOptions options) noexcept
      : stream_(std::move(stream)), options_(options), active_(true) {}
  ChunkIterator(ChunkIterator&& other) noexcept
      : stream_(std::move(other.stream_)),
        options_(other.options_),
        active_(std::exchange(other.active_, false)) {}
  ChunkIterator& operator=(ChunkIterator&&) = delete;
  ~ChunkIterator() {
    if (!active_ || !options_.destroyOnReturn) return;
    detail::StreamCore& core = stream_.core();
    if (core.failed() || stream_.readableEnded()) return;
    // It was asked for: no "error" that somebody must listen for.
    core.flags.set(detail::StreamFlag::Quiet);
    stream_.destroy(AbortError());
  }
  /// As `Readable::next`.
  NextChunk<T> next(SignalRef signal = {}) const { return stream_.next(signal); }

 private:
  Readable<T> stream_;
  IteratorOptions options_;
  bool active_;
};

namespace detail {

template <class Self, class T>
ChunkIterator<T> ReadableMethods<Self, T>::iterator(IteratorOptions options) const {
  return ChunkIterator<T>(Readable<T>(Ref<StreamCore>(&core()), side()), options);
}

inline constexpr EmitterOps readableOps{"Readable", &StreamOps::emitError, &StreamOps::removed};

/// A Readable with its implementation.
template <class T, class I>
class ReadableOf final : public StreamCore, public ReadableState<T> {
 public:
  template <class X>
  ReadableOf(X&& implementation, const StreamOptions& options)
      : StreamCore(readableOps, options.emitClose, options.autoDestroy),
        ReadableState<T>(static_cast<StreamCore&>(*this), markOf<T>(options.highWaterMark)),
        impl_(std::forward<X>(implementation)) {
    this->attach(this, nullptr);
    if (AbortState* signal = options.signal.state())
      this->abortBy(AbortSignal(Ref<AbortState>(signal)));
    if constexpr (hasHook<ConstructHook, I, Readable<T>>) this->startConstruction();
  }

 private:
  Readable<T> handle() { return Readable<T>(Ref<StreamCore>(this), *this); }
  void callRead(std::size_t size) override {
    readWith(impl_, *this, static_cast<ReadableState<T>&>(*this), size,
             [this] { return handle(); });
  }
  void callDestroy(std::exception_ptr error) override {
    destroyWith(impl_, *this, std::move(error), [this] { return handle(); });
  }
  void callConstruct() override {
    if constexpr (hasHook<ConstructHook, I, Readable<T>>)
      answerHook<ConstructHook>(impl_, *this, &answerConstruct, [this] { return handle(); });
  }
  void letGo() noexcept override {
    const Ref<StreamCore> alive(this);
    ReadableState<T>::letGo();
    StreamCore::dropListeners();
  }

  I impl_;
};

}  // namespace detail

template <class T>
template <class I>
  requires detail::StreamPart<I>
Readable<T>::Readable(I&& implementation, StreamOptions options) {
  using State = detail::ReadableOf<T, std::decay_t<I>>;
  auto made = detail::makeRef<State>(std::forward<I>(implementation), options);
  side_ = made.get();
  handle_ = detail::StreamHandle(detail::Ref<detail::StreamCore>(std::move(made)));
}

}  // namespace leat::inline LEAT_ABI
