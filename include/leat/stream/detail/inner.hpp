// SPDX-License-Identifier: MIT
// A Duplex that stands for other streams: what is written goes to one, what is read comes from another.
// Node: lib/internal/streams/duplexify.js, lib/internal/streams/compose.js.
#pragma once

#include <leat/stream/finished.hpp>

namespace leat::inline LEAT_ABI::detail {

inline bool isOpen(const StreamCore& stream) noexcept {
  return (stream.readable() != nullptr && stream.readable()->isReadable()) ||
         (stream.writable() != nullptr && stream.writable()->isWritable());
}
/// Destroys a stream, one that has not ended with an AbortError where there is no other error.
/// Node: destroyer.
LEAT_INLINE void destroyInner(StreamCore& stream, std::exception_ptr error);

#if LEAT_BODIES
LEAT_INLINE void destroyInner(StreamCore& stream, std::exception_ptr error) {
  if (stream.destroyed()) return;
  if (!error && isOpen(stream)) error = std::make_exception_ptr(AbortError());
  stream.destroy(std::move(error));
}
#endif

/// The Duplex, without how it comes to its end.
template <class R, class W>
class OuterDuplex : public DuplexState<R, W> {
 public:
  using Self = Ref<OuterDuplex>;

  /// The streams are over, with an error or null.
  void onOver(const std::exception_ptr& error) {
    const bool closing = std::exchange(closing_, false);
    over_ = true;
    if (closing) {
      this->onDestroyed(error);
    } else if (error || destroyAtEnd_) {
      StreamCore::destroy(error);
    }
  }
  /// What is written goes there; for `final` see `finished`.
  void writeTo(const Writable<W>& to) {
    to_ = to;
    listen(to, to.writeSide().drainSlot, [self = Self(this)] {
      if (std::exchange(self->awaitsDrain_, false)) self->onWrite(nullptr);
    });
  }
  /// What is read comes from there.
  void readFrom(const Readable<R>& from) {
    from_ = from;
    if (from.core().closeEmitted()) return;
    from.template on<"readable">([self = Self(this)] {
      if (std::exchange(self->awaitsReadable_, false)) self->callRead(0);
    });
    listen(from, from.readSide().endSlot, [self = Self(this)] { self->pushEnd(); });
  }
  void finished() {
    if (std::exchange(awaitsFinish_, false)) this->onFinal(nullptr);
  }
  template <class S, class Slot, class F>
  static void listen(const S& stream, Slot& slot, F&& f) {
    // After "close" nothing comes, and nobody would clear the listener any more.
    if (stream.core().closeEmitted()) return;
    joinStream(stream.core(), slot, Slot::eventName, Slot::make(stream.core(), std::forward<F>(f)),
               nullptr, false);
  }

 protected:
  OuterDuplex(const DuplexOptions& options, bool destroyAtEnd)
      : DuplexState<R, W>(duplexOps, options), destroyAtEnd_(destroyAtEnd) {
    WritableCore::flags.set(WriteFlag::HasFinal);
  }
  /// Destroys the streams that stand behind it, when it is destroyed first.
  virtual void destroyInners(const std::exception_ptr& error) = 0;
  bool over() const noexcept { return over_; }

  Readable<R> from_;
  Writable<W> to_;

 private:
  void callRead(std::size_t) final {
    while (auto chunk = from_.read()) {
      if (!this->push(std::move(*chunk))) return;
    }
    awaitsReadable_ = true;
  }
  bool callWrite(W&& chunk) final {
    if (to_.writeSide().write(std::move(chunk))) return true;
    awaitsDrain_ = true;
    return false;
  }
  void callFinal() final {
    awaitsFinish_ = true;
    to_.end();
  }
  void callDestroy(std::exception_ptr error) final {
    if (!error && !over_) error = std::make_exception_ptr(AbortError());
    awaitsReadable_ = awaitsDrain_ = awaitsFinish_ = false;
    closing_ = !over_;
    if (over_) this->onDestroyed(error);
    destroyInners(error);
  }

  const bool destroyAtEnd_;
  // What the implementation owes an answer until the streams have told.
  bool awaitsReadable_ = false;
  bool awaitsDrain_ = false;
  bool awaitsFinish_ = false;
  bool closing_ = false;
  bool over_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
