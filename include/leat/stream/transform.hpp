// SPDX-License-Identifier: MIT
// Transform: a Duplex whose reading side gives what becomes of what is written. Node: stream.Transform,
// stream.PassThrough.
#pragma once

#include <leat/stream/duplex.hpp>

namespace leat::inline LEAT_ABI {

template <class In, class Out>
class Transform;

namespace detail {

/// A Transform without its implementation.
template <class In, class Out>
class TransformState : public DuplexState<Out, In> {
 public:
  /// The implementation's answer for a chunk.
  void onTransformed(std::exception_ptr error, std::optional<Out>&& out);
  /// The implementation's answer at the end.
  void onFlushed(std::exception_ptr error, std::optional<Out>&& out);

 protected:
  TransformState(const EmitterOps& ops, const DuplexOptions& options)
      : DuplexState<Out, In>(ops, withoutDoubleBuffer(options)) {
    ReadableCore::flags.clear(ReadFlag::Sync);
    WritableCore::flags.set(WriteFlag::HasFinal);
  }
  void callRead(std::size_t) final {
    if (!std::exchange(waiting_, false)) return;
    this->onWrite(nullptr);
  }
  void began() noexcept { lengthBefore_ = ReadableCore::length; }
  /// Whether the chunk's answer is due now; else it comes when there is room.
  bool mayGoOn();

 private:
  /// With a readable mark of 0 nothing is to be buffered on the other side either.
  static DuplexOptions withoutDoubleBuffer(DuplexOptions options) {
    const std::size_t mark =
        options.highWaterMark != unsetMark ? options.highWaterMark : options.readableHighWaterMark;
    if (mark != 0) return options;
    options.highWaterMark = unsetMark;
    options.readableHighWaterMark = 0;
    if (options.writableHighWaterMark == unsetMark) options.writableHighWaterMark = 0;
    return options;
  }

  std::size_t lengthBefore_ = 0;
  // A chunk's answer is kept until there is room for more.
  bool waiting_ = false;
};

template <class In, class Out>
LEAT_ALWAYS_INLINE inline bool TransformState<In, Out>::mayGoOn() {
  if (this->ended()) [[unlikely]] {
    // Pushed by the implementation: what follows from that comes first.
    this->inTick([](StreamCore& stream) { stream.writable()->onWrite(nullptr); });
    return false;
  }
  if (ReadableCore::length < ReadableCore::highWaterMark ||
      WritableCore::flags.any(WriteFlag::Ended) || lengthBefore_ == ReadableCore::length)
    return true;
  waiting_ = true;
  return false;
}

template <class In, class Out>
void TransformState<In, Out>::onTransformed(std::exception_ptr error, std::optional<Out>&& out) {
  if (error) return this->onWrite(std::move(error));
  if (out) this->push(std::move(*out));
  if (mayGoOn()) this->onWrite(nullptr);
}

template <class In, class Out>
void TransformState<In, Out>::onFlushed(std::exception_ptr error, std::optional<Out>&& out) {
  if (error) return this->onFinal(std::move(error));
  if (out) this->push(std::move(*out));
  this->pushEnd();
  this->onFinal(nullptr);
}

inline constexpr EmitterOps transformOps{"Transform", &StreamOps::emitError, &StreamOps::removed};

template <class In, class Out, class I>
class TransformOf;

}  // namespace detail

/// What the implementation of a Transform calls when it is done with a chunk, once: `done()`,
/// `done(error)`, or `done(nullptr, out)`. Node: the `callback` of `_transform` and `_flush`.
template <class In, class Out>
class TransformCallback {
 public:
  using LoopBound = void;
  using Answer = void (detail::TransformState<In, Out>::*)(std::exception_ptr,
                                                           std::optional<Out>&&);
  TransformCallback(detail::TransformState<In, Out>& state, Answer answer)
      : hold_(state), answer_(answer) {}
  void operator()() const { tell(nullptr, std::nullopt); }
  template <class E>
  void operator()(E&& error) const {
    tell(detail::asReason(std::forward<E>(error)), std::nullopt);
  }
  template <class X>
  void operator()(decltype(nullptr), X&& out) const {
    tell(nullptr, std::optional<Out>(std::forward<X>(out)));
  }

 private:
  void tell(std::exception_ptr error, std::optional<Out>&& out) const {
    detail::StreamCore* const stream = hold_.stream();
    if (stream == nullptr) return;
    auto& state = static_cast<detail::TransformState<In, Out>&>(*stream);
    (state.*answer_)(std::move(error), std::move(out));
  }
  detail::AnswerHold hold_;
  Answer answer_;
};

/// A stream that is written chunks of type In and read chunks of type Out: a Duplex<Out, In>.
///
/// The implementation is a callable, or an object with `transform` and perhaps `flush`, which is called at
/// the end, and `construct` and `destroy` as for Readable. `transform(chunk)` and `flush()` give an Out, a
/// `std::optional<Out>`, nothing, or are a coroutine that does. `transform(chunk, self)`, `flush(self)` may
/// also push any number of them; `transform(chunk, done)`, `flush(done)` call the TransformCallback.
/// What they throw is the stream's error; but what `transform` with `done` throws comes out of `write`, as in
/// Node, and the chunk stays unanswered: call `done(error)`.
///
/// Node: `stream.Transform`.
template <class In = Buffer, class Out = In>
class Transform : public Duplex<Out, In> {
 public:
  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  Transform() noexcept = default;
  template <class I>
    requires detail::StreamPart<I>
  explicit Transform(I&& implementation, DuplexOptions options = {});
  /// Internal.
  Transform(detail::Ref<detail::StreamCore> stream, detail::DuplexState<Out, In>& state) noexcept
      : Duplex<Out, In>(std::move(stream), state) {}
};

namespace detail {

/// What a hook of a Transform gave, as what is to be pushed.
template <class Out, class X>
std::optional<Out> asOutput(X&& made) {
  return std::optional<Out>(std::forward<X>(made));
}

template <class In, class Out, class Made, class Kept>
Promise<> driveTransform(Ref<TransformState<In, Out>> state,
                         typename TransformCallback<In, Out>::Answer answer, Made made, Kept) {
  std::exception_ptr error;
  std::optional<Out> out;
  try {
    if constexpr (std::is_void_v<AwaitResult<Made>>) {
      co_await std::move(made);
    } else {
      out = asOutput<Out>(co_await std::move(made));
    }
  } catch (...) {
    error = std::current_exception();
  }
  ((*state).*answer)(std::move(error), std::move(out));
}

/// A Transform with its implementation.
template <class In, class Out, class I>
class TransformOf final : public TransformState<In, Out> {
 public:
  using Handle = Transform<In, Out>;
  using Callback = TransformCallback<In, Out>;
  using State = TransformState<In, Out>;

  template <class X>
  TransformOf(X&& implementation, const DuplexOptions& options)
      : State(transformOps, options), impl_(std::forward<X>(implementation)) {
    this->abortBySignal(options);
    if constexpr (hasHook<ConstructHook, I, Handle>) this->startConstruction();
  }

 private:
  auto self() {
    return [this] { return Handle(Ref<StreamCore>(this), *this); };
  }
  template <class Call, class Kept = NoHandle>
  LEAT_ALWAYS_INLINE void answer(typename Callback::Answer to, Call&& call, const Kept& kept = {}) {
    using Made = std::remove_cvref_t<decltype(call())>;
    std::exception_ptr error;
    std::optional<Out> out;
    try {
      if constexpr (isAwaited<Made>) {
        (void)driveTransform<In, Out, Made, Kept>(Ref<State>(this), to, call(), kept);
        return;
      } else if constexpr (std::is_void_v<Made>) {
        call();
      } else {
        static_assert(std::is_constructible_v<std::optional<Out>, Made>,
                      "transform() and flush() give an Out, a std::optional<Out> or nothing");
        out = asOutput<Out>(call());
      }
    } catch (...) {
      error = std::current_exception();
    }
    (static_cast<State&>(*this).*to)(std::move(error), std::move(out));
  }
  template <class Hook, class... A>
  LEAT_ALWAYS_INLINE void callHook(typename Callback::Answer to, A&&... args) {
    constexpr Hook hook;
    if constexpr (takes<Hook, I, A..., Callback>) {
      (void)hook(impl_, std::forward<A>(args)..., Callback(*this, to));
    } else if constexpr (takes<Hook, I, A..., Handle&, Callback>) {
      Handle handle = self()();
      (void)hook(impl_, std::forward<A>(args)..., handle, Callback(*this, to));
    } else if constexpr (takes<Hook, I, A...>) {
      answer(to, [&]() -> decltype(auto) { return hook(impl_, std::forward<A>(args)...); });
    } else {
      static_assert(takes<Hook, I, A..., Handle&>,
                    "a Transform calls transform(chunk), transform(chunk, self) or "
                    "transform(chunk, done), and flush with the same but the chunk");
      const KeptHandle<Handle> kept(self()());
      answer(
          to, [&]() -> decltype(auto) { return hook(impl_, std::forward<A>(args)..., kept.get()); },
          kept);
    }
  }
  static constexpr bool answersInCall() {
    if constexpr (takes<TransformHook, I, In, Callback> ||
                  takes<TransformHook, I, In, Handle&, Callback>) {
      return false;
    } else if constexpr (takes<TransformHook, I, In>) {
      return !isAwaited<std::invoke_result_t<TransformHook, I&, In>>;
    } else if constexpr (takes<TransformHook, I, In, Handle&>) {
      return !isAwaited<std::invoke_result_t<TransformHook, I&, In, Handle&>>;
    } else {
      return false;
    }
  }
  template <class... More>
  LEAT_ALWAYS_INLINE std::optional<Out> outputOf(In&& chunk, More&... more) {
    constexpr TransformHook hook;
    using Made = std::invoke_result_t<TransformHook, I&, In, More&...>;
    if constexpr (std::is_void_v<Made>) {
      hook(impl_, std::move(chunk), more...);
      return std::nullopt;
    } else {
      static_assert(std::is_constructible_v<std::optional<Out>, Made>,
                    "transform() gives an Out, a std::optional<Out> or nothing");
      return std::optional<Out>(hook(impl_, std::move(chunk), more...));
    }
  }
  LEAT_ALWAYS_INLINE bool transformNow(In&& chunk) {
    std::optional<Out> out;
    try {
      if constexpr (takes<TransformHook, I, In>) {
        out = outputOf(std::move(chunk));
      } else {
        Handle handle = self()();
        out = outputOf(std::move(chunk), handle);
      }
    } catch (...) {
      this->onWrite(std::current_exception());
      return false;
    }
    if (out) this->push(std::move(*out));
    return this->mayGoOn();
  }
  bool callWrite(In&& chunk) override {
    this->began();
    if constexpr (answersInCall()) {
      return transformNow(std::move(chunk));
    } else {
      callHook<TransformHook>(&State::onTransformed, std::move(chunk));
      return false;
    }
  }
  void callFinal() override {
    if constexpr (takes<FlushHook, I> || takes<FlushHook, I, Handle&> ||
                  takes<FlushHook, I, Callback> || takes<FlushHook, I, Handle&, Callback>) {
      callHook<FlushHook>(&State::onFlushed);
    } else {
      this->onFlushed(nullptr, std::nullopt);
    }
  }
  void callDestroy(std::exception_ptr error) override {
    destroyWith(impl_, *this, std::move(error), self());
  }
  void callConstruct() override {
    if constexpr (hasHook<ConstructHook, I, Handle>)
      answerHook<ConstructHook>(impl_, *this, &answerConstruct, self());
  }

  I impl_;
};

struct PassOn {
  template <class T>
  T transform(T chunk) {
    return chunk;
  }
};

}  // namespace detail

template <class In, class Out>
template <class I>
  requires detail::StreamPart<I>
Transform<In, Out>::Transform(I&& implementation, DuplexOptions options)
    : Duplex<Out, In>(detail::Ref<detail::DuplexState<Out, In>>(
          detail::makeRef<detail::TransformOf<In, Out, std::decay_t<I>>>(
              std::forward<I>(implementation), options))) {}

/// Gives what it is written. Node: `stream.PassThrough`.
template <class T = Buffer>
class PassThrough : public Transform<T, T> {
 public:
  explicit PassThrough(DuplexOptions options = {}) : Transform<T, T>(detail::PassOn(), options) {}
};

}  // namespace leat::inline LEAT_ABI
