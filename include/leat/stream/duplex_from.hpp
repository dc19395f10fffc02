// SPDX-License-Identifier: MIT
// duplexFrom: streams with two sides out of streams with one, of functions, ranges and promises.
// Node: stream.Duplex.from, lib/internal/streams/duplexify.js.
#pragma once

#include <leat/core/promise.hpp>
#include <leat/stream/detail/inner.hpp>
#include <leat/stream/from.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

// ---- of streams ----

template <class R, class W>
class PairedDuplex final : public OuterDuplex<R, W> {
 public:
  using Self = Ref<PairedDuplex>;
  explicit PairedDuplex(const DuplexOptions& options) : OuterDuplex<R, W>(options, false) {}

  void startWriting(const Writable<W>& to) {
    writes_ = true;
    watchEnd(to.core(), {}, [self = Self(this)](const std::exception_ptr& error) {
      if (error && self->reads_) destroyInner(self->from_.core(), error);
      self->onOver(error);
    });
    this->writeTo(to);
    this->listen(to, to.writeSide().finishSlot, [self = Self(this)] { self->finished(); });
  }
  void startReading(const Readable<R>& from) {
    reads_ = true;
    watchEnd(from.core(), {},
             [self = Self(this)](const std::exception_ptr& error) { self->onOver(error); });
    this->readFrom(from);
  }

 private:
  void destroyInners(const std::exception_ptr& error) override {
    if (writes_) destroyOne(this->to_.core(), error);
    if (reads_) destroyOne(this->from_.core(), error);
  }
  void destroyOne(StreamCore& stream, const std::exception_ptr& error) {
    if (!this->over() || isOpen(stream)) destroyInner(stream, error);
  }

  bool writes_ = false;
  bool reads_ = false;
};

/// A side that is over, or that there is none of, is none of the Duplex either.
template <class R, class W>
Duplex<R, W> pairedDuplex(const Readable<R>* from, const Writable<W>* to) {
  DuplexOptions options;
  options.readable = from != nullptr && from->readable();
  options.writable = to != nullptr && to->writable();
  const auto made = makeRef<PairedDuplex<R, W>>(options);
  if (options.writable) made->startWriting(*to);
  if (options.readable) made->startReading(*from);
  return Duplex<R, W>(Ref<DuplexState<R, W>>(made));
}

// ---- of functions ----

/// The chunk of the ChunkIterator that a function takes.
template <class Made, class T>
T chunkTaken(Made (*)(ChunkIterator<T>));
template <class Made, class F, class T>
T chunkTaken(Made (F::*)(ChunkIterator<T>));
template <class Made, class F, class T>
T chunkTaken(Made (F::*)(ChunkIterator<T>) const);
template <class F>
struct ChunkTaken {};
template <class F>
  requires requires { chunkTaken(&F::operator()); }
struct ChunkTaken<F> {
  using Type = decltype(chunkTaken(&F::operator()));
};
template <class F>
  requires(std::is_pointer_v<F> && requires(F f) { chunkTaken(f); })
struct ChunkTaken<F> {
  using Type = decltype(chunkTaken(std::declval<F>()));
};
/// A function of a ChunkIterator, with types.
template <class F>
concept ChunkFunction = requires { typename ChunkTaken<std::decay_t<F>>::Type; };

/// What is written to the Duplex, on its way to the function: a chunk when that asks for one, which then is
/// written. The end is written when it was asked for, of a coroutine when that has ended.
template <class T>
struct FunctionInput : Counted<FunctionInput<T>> {
  /// Nothing is the end.
  void put(std::optional<T> chunk, StreamCallback callback) {
    next = std::move(chunk);
    done.emplace(std::move(callback));
    left ? refuse() : give();
  }
  void give() {
    if (!asked || !done || to == nullptr) return;
    const Ref<StreamCore> alive(&to->stream());
    const StreamCallback callback = *std::exchange(done, std::nullopt);
    asked = false;
    if (next) {
      nextTick([callback] { callback(); });
      to->push(*std::exchange(next, std::nullopt));
    } else {
      written(callback);
      to->pushEnd();
    }
  }
  /// The function takes no more.
  void leave() {
    left = true;
    to = nullptr;
    if (done) refuse();
  }

  ReadableState<T>* to = nullptr;
  std::optional<T> next;
  std::optional<StreamCallback> done;
  // Of a coroutine.
  std::optional<Promise<>> over;
  bool asked = false;
  bool left = false;

 private:
  void written(const StreamCallback& callback) const {
    if (!over) return nextTick([callback] { callback(); });
    const auto later = [callback](const std::exception_ptr& error) {
      nextTick([callback, error] { error ? callback(error) : callback(); });
    };
    const auto well = [later] { later(nullptr); };
    (void)over->then(well, later);
  }
  /// When the function's own error, if it has one, has been told.
  void refuse() {
    const StreamCallback callback = *std::exchange(done, std::nullopt);
    if (!next) return written(callback);
    next.reset();
    const auto later = [callback] { nextTick([callback] { callback(AbortError()); }); };
    if (!over) return later();
    (void)over->then(later, later);
  }
};

template <class S>
inline constexpr bool isAsyncGenerator = false;
template <class T>
inline constexpr bool isAsyncGenerator<AsyncGenerator<T>> = true;

template <class T>
struct InputSource {
  explicit InputSource(Ref<FunctionInput<T>> i) noexcept : input(std::move(i)) {}
  InputSource(InputSource&&) noexcept = default;
  InputSource& operator=(InputSource&&) = delete;
  ~InputSource() {
    if (input) input->to = nullptr;
  }
  void read(Readable<T>&) {
    input->asked = true;
    input->give();
  }
  void destroy() { input->leave(); }
  Ref<FunctionInput<T>> input;
};
template <class T>
Readable<T> inputStream(const Ref<FunctionInput<T>>& input) {
  StreamOptions options;
  options.highWaterMark = 0;
  Readable<T> stream(InputSource<T>(input), options);
  input->to = &stream.readSide();
  return stream;
}

/// The parts of a Duplex that write to a function.
template <class W>
struct FunctionWriter {
  FunctionWriter() : input(makeRef<FunctionInput<W>>()), stream(inputStream(input)) {}
  void leave() {
    if (stream.destroyed()) return;
    stream.core().flags.set(StreamFlag::Quiet);
    stream.destroy(AbortError());
  }
  Ref<FunctionInput<W>> input;
  Readable<W> stream;
};

/// A Duplex whose reading side is a generator of what is written.
template <class R, class W, class F, class Item>
struct GeneratorDuplex {
  void read(Duplex<R, W>& self) {
    Readable<R> reading(self);
    source.read(reading);
  }
  void write(W chunk, StreamCallback done) {
    writer.input->put(std::optional<W>(std::move(chunk)), std::move(done));
  }
  void final(StreamCallback done) { writer.input->put(std::nullopt, std::move(done)); }
  void destroy(std::exception_ptr error, StreamCallback done) {
    writer.leave();
    source.destroy(std::move(error), std::move(done));
  }
  FunctionWriter<W> writer;
  Ref<CallbackBlock<F>> function;
  GeneratorSource<R, Item> source;
};

/// A Duplex that a coroutine reads what is written to.
template <class T>
struct ReaderDuplex {
  void read(Duplex<T>&) {}
  void write(T chunk, StreamCallback done) {
    writer.input->put(std::optional<T>(std::move(chunk)), std::move(done));
  }
  void final(StreamCallback done) { writer.input->put(std::nullopt, std::move(done)); }
  void destroy(std::exception_ptr error, const StreamCallback& done) {
    writer.leave();
    done(std::move(error));
  }
  FunctionWriter<T> writer;
};

template <class F, class T>
Promise<> readFrom(Ref<CallbackBlock<F>> block, ChunkIterator<T> chunks) {
  auto made = block->callable(std::move(chunks));
  (void)co_await std::move(made);
}

LEAT_INLINE DuplexOptions oneSided(bool readable) noexcept;

#if LEAT_BODIES
LEAT_INLINE DuplexOptions oneSided(bool readable) noexcept {
  DuplexOptions options;
  options.readable = readable;
  options.writable = !readable;
  options.readableHighWaterMark = 1;
  return options;
}
#endif

template <class T, class F, class Item>
auto generatorDuplex(F&& f, AsyncGenerator<Item> (*)()) {
  using Kept = std::decay_t<F>;
  using R = std::remove_cvref_t<Item>;
  DuplexOptions options;
  options.highWaterMark = 1;
  FunctionWriter<T> writer;
  auto block = makeRef<CallbackBlock<Kept>>(std::forward<F>(f));
  auto generator = block->callable(writer.stream.iterator());
  GeneratorSource<R, Item> source(std::move(generator));
  return Duplex<R, T>(
      GeneratorDuplex<R, T, Kept, Item>{std::move(writer), std::move(block), std::move(source)},
      options);
}

template <class T, class F>
Duplex<T> readerDuplex(F&& f) {
  using Kept = std::decay_t<F>;
  FunctionWriter<T> writer;
  const Ref<FunctionInput<T>> input = writer.input;
  auto block = makeRef<CallbackBlock<Kept>>(std::forward<F>(f));
  Promise<> reading = readFrom<Kept, T>(std::move(block), writer.stream.iterator());
  input->over.emplace(reading);
  const Duplex<T> made(ReaderDuplex<T>{std::move(writer)}, oneSided(false));
  const auto fail = [made](const std::exception_ptr& error) { destroyInner(made.core(), error); };
  (void)reading.then([] {}, fail);
  return made;
}

// ---- of other sources ----

/// Is pushed to from outside.
template <class T>
struct PushedSource {
  void read(Readable<T>&) {}
};

/// The source of a Readable as that of a Duplex.
template <class T, class Source>
struct ReadingDuplex {
  void write(T) {}
  void read(Duplex<T>& self) {
    Readable<T> reading(self);
    source.read(reading);
  }
  void destroy(std::exception_ptr error, StreamCallback done) {
    if constexpr (requires { source.destroy(error, done); }) {
      source.destroy(std::move(error), std::move(done));
    } else {
      done(std::move(error));
    }
  }
  Source source;
};
template <class T, class Source>
Duplex<T> readingDuplex(Source source) {
  return Duplex<T>(ReadingDuplex<T, Source>{std::move(source)}, oneSided(true));
}

template <class S>
concept DuplexLike = StreamLike<S> && S::hasReadable && S::hasWritable;
template <class S>
concept ReadableLike = StreamLike<S> && S::hasReadable && !S::hasWritable;
template <class S>
concept WritableLike = StreamLike<S> && !S::hasReadable && S::hasWritable;

}  // namespace detail

/// A stream with two sides out of two streams: what is written to it goes to `to`, what is read from it
/// comes from `from`. It ends and fails with them, and destroys them. Two streams of one process, of a
/// child, of a protocol look like a socket then.
///
/// Node: `Duplex.from({readable, writable})`.
template <class From, class To>
  requires(detail::StreamLike<From> && From::hasReadable && detail::StreamLike<To> &&
           To::hasWritable)
auto duplexFrom(const From& from, const To& to) {
  using R = typename From::ReadChunk;
  using W = typename To::WriteChunk;
  const Readable<R> reading(from);
  const Writable<W> writing(to);
  return detail::pairedDuplex<R, W>(&reading, &writing);
}
/// The same stream.
template <detail::DuplexLike S>
S duplexFrom(S stream) {
  return stream;
}
/// Without a writing side.
template <detail::ReadableLike S>
auto duplexFrom(const S& from) {
  using T = typename S::ReadChunk;
  const Readable<T> reading(from);
  return detail::pairedDuplex<T, T>(&reading, static_cast<const Writable<T>*>(nullptr));
}
/// Without a reading side.
template <detail::WritableLike S>
auto duplexFrom(const S& to) {
  using T = typename S::WriteChunk;
  const Writable<T> writing(to);
  return detail::pairedDuplex<T, T>(static_cast<const Readable<T>*>(nullptr), &writing);
}
/// Of a function of a `ChunkIterator<T>`, which gets what is written. What a generator yields is read; of a
/// coroutine there is no reading side, and "finish" comes when it has ended. Where the parameter of `f` has
/// no type of its own, T is to be told: `duplexFrom<int>(f)`.
///
/// A function that ends before what is written has is an AbortError of the next write.
/// Node: `Duplex.from(function)`.
template <class T, class F>
  requires std::is_invocable_v<std::decay_t<F>&, ChunkIterator<T>>
auto duplexFrom(F&& f) {
  using Made = std::invoke_result_t<std::decay_t<F>&, ChunkIterator<T>>;
  if constexpr (requires { static_cast<typename detail::ItemOf<Made>::Type*>(nullptr); }) {
    return detail::generatorDuplex<T>(std::forward<F>(f), static_cast<Made (*)()>(nullptr));
  } else {
    static_assert(Awaitable<Made>, "duplexFrom(f): f is an AsyncGenerator or a coroutine");
    return detail::readerDuplex<T>(std::forward<F>(f));
  }
}
template <detail::ChunkFunction F>
auto duplexFrom(F&& f) {
  return duplexFrom<typename detail::ChunkTaken<std::decay_t<F>>::Type>(std::forward<F>(f));
}
/// What `readableFrom` takes, without a writing side. Node: `Duplex.from(iterable)`.
template <class Item>
auto duplexFrom(AsyncGenerator<Item> generator) {
  using T = std::remove_cvref_t<Item>;
  return detail::readingDuplex<T>(detail::GeneratorSource<T, Item>(std::move(generator)));
}
template <class Range>
  requires(requires {
    typename detail::ItemOf<std::decay_t<Range>>::Type;
  } && !detail::StreamLike<std::decay_t<Range>> && !detail::isAsyncGenerator<std::decay_t<Range>> &&
           !std::is_convertible_v<Range, std::string_view> &&
           !std::is_same_v<std::decay_t<Range>, Buffer>)
auto duplexFrom(Range&& range) {
  using Kept = std::decay_t<Range>;
  using T = typename detail::ItemOf<Kept>::Type;
  return detail::readingDuplex<T>(detail::RangeSource<T, Kept>(Kept(std::forward<Range>(range))));
}
/// One chunk. Node: `Duplex.from(text)`.
LEAT_ON_USE
Duplex<Buffer> duplexFrom(std::string_view text);
LEAT_ON_USE
Duplex<Buffer> duplexFrom(Buffer bytes);
/// What it settles with is the only chunk, or the error. Node: `Duplex.from(promise)`.
template <class T>
  requires(!std::is_void_v<T>)
Duplex<T> duplexFrom(const Promise<T>& promise) {
  const auto made = detail::readingDuplex<T>(detail::PushedSource<T>());
  const auto give = [made](T value) {
    made.push(std::move(value));
    made.push(nullptr);
  };
  const auto fail = [made](const std::exception_ptr& error) {
    detail::destroyInner(made.core(), error);
  };
  (void)promise.then(give, fail);
  return made;
}

#if LEAT_BODIES
LEAT_ON_USE_BODY
Duplex<Buffer> duplexFrom(std::string_view text) { return duplexFrom(Buffer::from(text)); }

LEAT_ON_USE_BODY
Duplex<Buffer> duplexFrom(Buffer bytes) {
  using Source = detail::OneSource<Buffer>;
  DuplexOptions options;
  options.writable = false;
  return Duplex<Buffer>(detail::ReadingDuplex<Buffer, Source>{Source{std::move(bytes)}}, options);
}
#endif

}  // namespace leat::inline LEAT_ABI
