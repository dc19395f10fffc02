// SPDX-License-Identifier: MIT
// Writable: a sink of chunks that tells when it has enough. Node: stream.Writable.
#pragma once

#include <leat/stream/detail/hooks.hpp>
#include <leat/stream/detail/stream_methods.hpp>

namespace leat::inline LEAT_ABI {

/// What `write` gives: Node's answer as a bool, and a wait for room.
class WriteResult {
 public:
  using LoopBound = void;
  class Awaiter;
  WriteResult(detail::Ref<detail::StreamCore> stream, bool room, std::exception_ptr error) noexcept
      : stream_(std::move(stream)), error_(std::move(error)), room_(room) {}
  operator bool() const noexcept { return room_; }
  Awaiter operator co_await() const noexcept;

 private:
  detail::Ref<detail::StreamCore> stream_;
  std::exception_ptr error_;
  bool room_;
};

class WriteResult::Awaiter : private detail::Waiter {
 public:
  Awaiter(detail::Ref<detail::StreamCore> stream, std::exception_ptr error) noexcept
      : stream_(std::move(stream)), error_(std::move(error)) {}
  bool await_ready() const noexcept {
    stream_->flags.set(detail::StreamFlag::Awaited);
    return error_ || over() || !stream_->writable()->needDrain();
  }
  void await_suspend(std::coroutine_handle<> handle) {
    wait(handle, stream_->writable()->drainWaiters);
  }
  void await_resume() {
    finish();
    if (stream_->errored) stream_->tell(stream_->errored);
    if (error_) std::rethrow_exception(error_);
    if (over() && !stream_->writable()->finished())
      std::rethrow_exception(detail::streamDestroyed("write"));
  }

 private:
  bool over() const noexcept {
    return stream_->flags.any(detail::StreamFlag::Destroyed, detail::StreamFlag::ErrorEmitted);
  }
  detail::Ref<detail::StreamCore> stream_;
  std::exception_ptr error_;
};

#if LEAT_BODIES
LEAT_INLINE WriteResult::Awaiter WriteResult::operator co_await() const noexcept {
  return Awaiter(stream_, error_);
}
#endif

namespace detail {

/// The callback of `write` or `end` in the form in which it is kept: `f(error)`, or `f()`.
template <class F>
WriteDone keepDone(F&& f) {
  if constexpr (std::is_invocable_v<std::decay_t<F>&, const std::exception_ptr&>) {
    return makeOwned<DoneFunction>(keepCallback<const std::exception_ptr&>(std::forward<F>(f)));
  } else {
    return makeOwned<DoneFunction>([kept = keepCallback<>(std::forward<F>(f))](
                                       const std::exception_ptr&) mutable { (void)kept(); });
  }
}

template <class F>
concept DoneCallback = std::is_invocable_v<std::decay_t<F>&, const std::exception_ptr&> ||
                       std::is_invocable_v<std::decay_t<F>&>;

/// The methods of the writing side, for the handles that have one.
template <class Self, class T>
class WritableMethods {
 public:
  using WriteChunk = T;

  /// Takes a chunk: gives it to the implementation, or keeps it while that has another one. As a bool:
  /// false when `highWaterMark` is reached, as Node's `write`; wait for "drain" then. Awaited: goes on
  /// when there is room again, and throws the stream's error.
  ///
  /// Throws, when awaited: what the stream failed with, Error ERR_STREAM_WRITE_AFTER_END,
  /// ERR_STREAM_DESTROYED. Not awaited these are "error" events. Cancel: AbortError; the chunk stays.
  WriteResult write(T chunk) const { return put(std::move(chunk), nullptr); }
  /// `done(error)` or `done()` is called when the chunk was written; the error is null, or why not.
  template <DoneCallback F>
  WriteResult write(T chunk, F&& done) const {
    return put(std::move(chunk), keepDone(std::forward<F>(done)));
  }
  WriteResult write(std::string_view text) const
    requires countsBytes<T>
  {
    return put(T::from(text), nullptr);
  }
  template <DoneCallback F>
    requires countsBytes<T>
  WriteResult write(std::string_view text, F&& done) const {
    return put(T::from(text), keepDone(std::forward<F>(done)));
  }
  /// The bytes that the text is in this encoding: `write("aGk=", "base64")`.
  /// Throws: TypeError ERR_UNKNOWN_ENCODING.
  WriteResult write(std::string_view text, EncodingName encoding) const
    requires countsBytes<T>
  {
    return put(T::from(text, encoding), nullptr);
  }
  /// Throws: as the form before.
  template <DoneCallback F>
    requires countsBytes<T>
  WriteResult write(std::string_view text, EncodingName encoding, F&& done) const {
    return put(T::from(text, encoding), keepDone(std::forward<F>(done)));
  }
  /// Nothing comes after what was written. Awaited: goes on after "finish", whatever the ambient signal
  /// says, and throws the stream's error. Node: `end`.
  StreamEnd end() const { return finish(nullptr, nullptr); }
  StreamEnd end(T last) const { return finish(nullptr, putLast(std::move(last))); }
  StreamEnd end(std::string_view last) const
    requires countsBytes<T>
  {
    return finish(nullptr, putLast(T::from(last)));
  }
  /// Throws: TypeError ERR_UNKNOWN_ENCODING, and then it does not end.
  StreamEnd end(std::string_view last, EncodingName encoding) const
    requires countsBytes<T>
  {
    return finish(nullptr, putLast(T::from(last, encoding)));
  }
  template <DoneCallback F>
  StreamEnd end(F&& done) const {
    return finish(keepDone(std::forward<F>(done)), nullptr);
  }
  template <DoneCallback F>
  StreamEnd end(T last, F&& done) const {
    WriteDone kept = keepDone(std::forward<F>(done));
    std::exception_ptr refused = putLast(std::move(last));
    return finish(std::move(kept), std::move(refused));
  }
  template <DoneCallback F>
    requires countsBytes<T>
  StreamEnd end(std::string_view last, F&& done) const {
    return end(T::from(last), std::forward<F>(done));
  }
  /// Throws: as the form before.
  template <DoneCallback F>
    requires countsBytes<T>
  StreamEnd end(std::string_view last, EncodingName encoding, F&& done) const {
    return end(T::from(last, encoding), std::forward<F>(done));
  }

  /// Keeps what is written until `uncork` was called as often; then it goes at once to `writev`.
  void cork() const { side().cork(); }
  void uncork() const {
    const Ref<StreamCore> alive(&core());
    side().uncork();
  }

  // ---- the state: Node's properties ----

  bool writable() const { return side().isWritable(); }
  bool writableEnded() const { return side().ending(); }
  bool writableFinished() const { return side().finished(); }
  bool writableNeedDrain() const { return side().needDrain(); }
  /// Bytes or items.
  std::size_t writableLength() const { return side().length; }
  std::size_t writableHighWaterMark() const { return side().highWaterMark; }
  unsigned writableCorked() const { return side().corked; }
  static constexpr bool writableObjectMode() noexcept { return !countsBytes<T>; }
  bool writableAborted() const {
    return !side().flags.any(WriteFlag::Disabled, WriteFlag::Finished) && core().failed();
  }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
  StreamCore& core() const { return self().core(); }
  WritableState<T>& side() const { return self().writeSide(); }
  WriteResult put(T&& chunk, WriteDone done) const {
    Ref<StreamCore> alive(&core());
    std::exception_ptr error;
    const bool room = side().write(std::move(chunk), std::move(done), &error);
    return WriteResult(std::move(alive), room, std::move(error));
  }
  /// Gives why the chunk was refused, or null.
  std::exception_ptr putLast(T&& chunk) const {
    const Ref<StreamCore> alive(&core());
    std::exception_ptr error;
    (void)side().write(std::move(chunk), nullptr, &error);
    return error;
  }
  StreamEnd finish(WriteDone done, std::exception_ptr refused) const {
    Ref<StreamCore> alive(&core());
    side().end(std::move(done), std::move(refused));
    return StreamEnd(std::move(alive), StreamEnd::Of::Finish);
  }
};

/// Gives a chunk to an implementation. True: that has taken it when it returned.
template <class T, class I, class Self>
LEAT_ALWAYS_INLINE inline bool writeWith(I& impl, StreamCore& stream, T&& chunk, Self&& self) {
  using Handle = decltype(self());
  if constexpr (returnsWhenDone<WriteHook, I, Handle, T>) {
    try {
      callPlain<WriteHook>(impl, self, std::move(chunk));
    } catch (...) {
      answerWrite(stream, std::current_exception());
      return false;
    }
    return true;
  } else if constexpr (hasHook<WriteHook, I, Handle, T>) {
    answerHook<WriteHook>(impl, stream, &answerWrite, self, std::move(chunk));
  } else {
    static_assert(
        hasHook<WritevHook, I, Handle, std::vector<T>>,
        "the sink of a Writable has write(chunk), write(chunk, done) or the same of writev "
        "with a std::vector of chunks");
    std::vector<T> one;
    one.push_back(std::move(chunk));
    answerHook<WritevHook>(impl, stream, &answerWrite, self, std::move(one));
  }
  return false;
}

template <class T, class I>
class WritableOf;

}  // namespace detail

/// A sink of chunks. Copies are handles to the same stream.
///
/// The implementation is a callable, or an object with some of these methods. `write(chunk)` is done when
/// it returns, or when the coroutine that it is has ended; `write(chunk, done)` when it calls the
/// StreamCallback. The next chunk comes after that. `writev(chunks)` takes what has gathered, as a
/// `std::vector<T>`; `final` is called at the end, before "finish"; `construct` first, `destroy(error)`
/// last. Each may also take the handle first. What they throw is the stream's error; but of `write` and
/// `writev` with `done` it comes out of `write`, as in Node, and the chunk stays unanswered: call
/// `done(error)`.
///
/// Events: "drain", "finish", "pipe" and "unpipe" (Readable<T>), "error" (std::exception_ptr), "close". An
/// "error" without a listener is an uncaught exception, unless a coroutine waits, or has waited, for the
/// stream: then the next wait throws it, or it is an uncaught exception when the stream goes.
///
/// Node: `stream.Writable`, with its order of events. Thread, lifetime: as for Readable.
template <class T = Buffer>
class Writable : public detail::StreamMethods<Writable<T>>,
                 public detail::WritableMethods<Writable<T>, T> {
 public:
  static constexpr bool hasReadable = false;
  static constexpr bool hasWritable = true;

  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  Writable() noexcept = default;
  template <class I>
    requires detail::StreamPart<I>
  explicit Writable(I&& implementation, StreamOptions options = {});
  /// The writing side of a stream with two.
  template <class S>
    requires(detail::WritesChunks<S, T> && !std::is_same_v<S, Writable>)
  Writable(const S& stream)
      : Writable(detail::Ref<detail::StreamCore>(&stream.core()), stream.writeSide()) {}

  template <detail::HasStream S>
  Writable(const S& owner) : Writable(owner.stream()) {}

  /// Internal.
  Writable(detail::Ref<detail::StreamCore> stream, detail::WritableState<T>& side) noexcept
      : handle_(std::move(stream)), side_(&side) {}
  detail::StreamCore& core() const { return handle_.core(); }
  detail::WritableState<T>& writeSide() const {
    (void)handle_.core();
    return *side_;
  }
  friend bool operator==(const Writable& a, const Writable& b) noexcept {
    return a.handle_ == b.handle_;
  }

 private:
  detail::StreamHandle handle_;
  detail::WritableState<T>* side_ = nullptr;
};

namespace detail {

inline constexpr EmitterOps writableOps{"Writable", &StreamOps::emitError, &StreamOps::removed};

/// A Writable with its implementation.
template <class T, class I>
class WritableOf final : public StreamCore, public WritableState<T> {
 public:
  template <class X>
  WritableOf(X&& implementation, const StreamOptions& options)
      : StreamCore(writableOps, options.emitClose, options.autoDestroy),
        WritableState<T>(static_cast<StreamCore&>(*this), markOf<T>(options.highWaterMark)),
        impl_(std::forward<X>(implementation)) {
    this->attach(nullptr, this);
    this->hasWritev = hasHook<WritevHook, I, Writable<T>, std::vector<T>>;
    if constexpr (hasHook<FinalHook, I, Writable<T>>) WritableCore::flags.set(WriteFlag::HasFinal);
    if (AbortState* signal = options.signal.state())
      this->abortBy(AbortSignal(Ref<AbortState>(signal)));
    if constexpr (hasHook<ConstructHook, I, Writable<T>>) this->startConstruction();
  }

 private:
  auto self() {
    return [this] { return Writable<T>(Ref<StreamCore>(this), *this); };
  }
  bool callWrite(T&& chunk) override {
    return writeWith<T>(impl_, *this, std::move(chunk), self());
  }
  void callWritev(std::vector<T>&& chunks) override {
    if constexpr (hasHook<WritevHook, I, Writable<T>, std::vector<T>>)
      answerHook<WritevHook>(impl_, *this, &answerWrite, self(), std::move(chunks));
  }
  DirectSink* directSink() noexcept override {
    if constexpr (requires { impl_.directSink(); }) return impl_.directSink();
    return nullptr;
  }
  void callFinal() override {
    if constexpr (hasHook<FinalHook, I, Writable<T>>)
      answerHook<FinalHook>(impl_, *this, &answerFinal, self());
  }
  void callDestroy(std::exception_ptr error) override {
    destroyWith(impl_, *this, std::move(error), self());
  }
  void callConstruct() override {
    if constexpr (hasHook<ConstructHook, I, Writable<T>>)
      answerHook<ConstructHook>(impl_, *this, &answerConstruct, self());
  }
  void letGo() noexcept override {
    const Ref<StreamCore> alive(this);
    WritableState<T>::letGo();
    StreamCore::dropListeners();
  }

  I impl_;
};

}  // namespace detail

template <class T>
template <class I>
  requires detail::StreamPart<I>
Writable<T>::Writable(I&& implementation, StreamOptions options) {
  using State = detail::WritableOf<T, std::decay_t<I>>;
  auto made = detail::makeRef<State>(std::forward<I>(implementation), options);
  side_ = made.get();
  handle_ = detail::StreamHandle(detail::Ref<detail::StreamCore>(std::move(made)));
}

}  // namespace leat::inline LEAT_ABI
