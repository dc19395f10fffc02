// SPDX-License-Identifier: MIT
// Duplex: a stream with two sides that are independent, as a socket. Node: stream.Duplex.
#pragma once

#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A stream with two sides, without its implementation.
template <class R, class W>
class DuplexState : public StreamCore, public ReadableState<R>, public WritableState<W> {
 protected:
  DuplexState(const EmitterOps& ops, const DuplexOptions& options)
      : StreamCore(ops, options.emitClose, options.autoDestroy),
        ReadableState<R>(static_cast<StreamCore&>(*this),
                         markOf<R>(options.readableHighWaterMark, options.highWaterMark)),
        WritableState<W>(static_cast<StreamCore&>(*this),
                         markOf<W>(options.writableHighWaterMark, options.highWaterMark)) {
    this->attach(this, this);
    StreamCore::flags.put(StreamFlag::AllowHalfOpen, options.allowHalfOpen);
    if (!options.readable)
      ReadableCore::flags.set(ReadFlag::Disabled, ReadFlag::Ended, ReadFlag::EndEmitted);
    if (!options.writable)
      WritableCore::flags.set(WriteFlag::Disabled, WriteFlag::Ending, WriteFlag::Ended,
                              WriteFlag::Finished);
  }
  void abortBySignal(const DuplexOptions& options) {
    if (AbortState* signal = options.signal.state())
      this->abortBy(AbortSignal(Ref<AbortState>(signal)));
  }
  void letGo() noexcept final {
    const Ref<StreamCore> alive(this);
    ReadableState<R>::letGo();
    WritableState<W>::letGo();
    StreamCore::dropListeners();
    letSocketGo();
  }
  virtual void letSocketGo() noexcept {}
};

inline constexpr EmitterOps duplexOps{"Duplex", &StreamOps::emitError, &StreamOps::removed};

}  // namespace detail

/// A stream that is read (chunks of type R) and written (chunks of type W). Copies are handles to the same
/// stream; it is also a Readable<R> and a Writable<W>.
///
/// The implementation has the methods that those of Readable and Writable have; a handle that they take
/// is a Duplex. "error" and "close" are those of both sides. Node: `stream.Duplex`.
template <class R = Buffer, class W = R>
class Duplex : public detail::StreamMethods<Duplex<R, W>>,
               public detail::ReadableMethods<Duplex<R, W>, R>,
               public detail::WritableMethods<Duplex<R, W>, W> {
 public:
  static constexpr bool hasReadable = true;
  static constexpr bool hasWritable = true;

  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  Duplex() noexcept = default;
  template <class I>
    requires detail::StreamPart<I>
  explicit Duplex(I&& implementation, DuplexOptions options = {});

  bool allowHalfOpen() const { return core().flags.any(detail::StreamFlag::AllowHalfOpen); }

  /// Internal.
  explicit Duplex(detail::Ref<detail::DuplexState<R, W>> state) noexcept
      : readSide_(state.get()),
        writeSide_(state.get()),
        handle_(detail::Ref<detail::StreamCore>(std::move(state))) {}
  Duplex(detail::Ref<detail::StreamCore> stream, detail::DuplexState<R, W>& state) noexcept
      : readSide_(&state), writeSide_(&state), handle_(std::move(stream)) {}
  detail::StreamCore& core() const { return handle_.core(); }
  detail::ReadableState<R>& readSide() const {
    (void)handle_.core();
    return *readSide_;
  }
  detail::WritableState<W>& writeSide() const {
    (void)handle_.core();
    return *writeSide_;
  }
  friend bool operator==(const Duplex& a, const Duplex& b) noexcept {
    return a.handle_ == b.handle_;
  }

 private:
  detail::ReadableState<R>* readSide_ = nullptr;
  detail::WritableState<W>* writeSide_ = nullptr;
  detail::StreamHandle handle_;
};

namespace detail {

/// A Duplex with its implementation.
template <class R, class W, class I>
class DuplexOf final : public DuplexState<R, W> {
 public:
  template <class X>
  DuplexOf(X&& implementation, const DuplexOptions& options)
      : DuplexState<R, W>(duplexOps, options), impl_(std::forward<X>(implementation)) {
    this->hasWritev = hasHook<WritevHook, I, Duplex<R, W>, std::vector<W>>;
    if constexpr (hasHook<FinalHook, I, Duplex<R, W>>) WritableCore::flags.set(WriteFlag::HasFinal);
    this->abortBySignal(options);
    if constexpr (hasHook<ConstructHook, I, Duplex<R, W>>) this->startConstruction();
  }

 private:
  auto self() {
    return [this] { return Duplex<R, W>(Ref<StreamCore>(this), *this); };
  }
  void callRead(std::size_t size) override {
    readWith(impl_, *this, static_cast<ReadableState<R>&>(*this), size, self());
  }
  bool callWrite(W&& chunk) override {
    return writeWith<W>(impl_, *this, std::move(chunk), self());
  }
  void callWritev(std::vector<W>&& chunks) override {
    if constexpr (hasHook<WritevHook, I, Duplex<R, W>, std::vector<W>>)
      answerHook<WritevHook>(impl_, *this, &answerWrite, self(), std::move(chunks));
  }
  void letSocketGo() noexcept override {
    if constexpr (requires { impl_.letSocketGo(); }) impl_.letSocketGo();
  }
  DirectSink* directSink() noexcept override {
    if constexpr (requires { impl_.directSink(); }) return impl_.directSink();
    return nullptr;
  }
  void callFinal() override {
    if constexpr (hasHook<FinalHook, I, Duplex<R, W>>)
      answerHook<FinalHook>(impl_, *this, &answerFinal, self());
  }
  void callDestroy(std::exception_ptr error) override {
    destroyWith(impl_, *this, std::move(error), self());
  }
  void callConstruct() override {
    if constexpr (hasHook<ConstructHook, I, Duplex<R, W>>)
      answerHook<ConstructHook>(impl_, *this, &answerConstruct, self());
  }

  I impl_;
};

}  // namespace detail

template <class R, class W>
template <class I>
  requires detail::StreamPart<I>
Duplex<R, W>::Duplex(I&& implementation, DuplexOptions options)
    : Duplex(detail::Ref<detail::DuplexState<R, W>>(
          detail::makeRef<detail::DuplexOf<R, W, std::decay_t<I>>>(std::forward<I>(implementation),
                                                                   options))) {}

}  // namespace leat::inline LEAT_ABI
