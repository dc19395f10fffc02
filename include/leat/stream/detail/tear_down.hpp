// SPDX-License-Identifier: MIT
// How a stream begins and ends: the bodies of StreamCore, which both sides take part in.
#pragma once

#include <leat/stream/detail/readable_core.hpp>
#include <leat/stream/detail/writable_core.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
LEAT_INLINE StreamCore::StreamCore(const EmitterOps& ops, bool emitClose, bool autoDestroy)
    : EmitterBase(ops, {}), LoopOwned(onLoopEnd) {
  flags.put(Flag::EmitClose, emitClose);
  flags.put(Flag::AutoDestroy, autoDestroy);
  flags.set(Flag::AllowHalfOpen);
  currentQueue().own(*this);
}

// ---- tear-down ----

LEAT_INLINE void StreamCore::destroy(std::exception_ptr error) {
  if (destroyed()) return;
  if (readable_ != nullptr) readable_->stopMove();
  if (writable_ != nullptr) {
    writable_->stopMove();
    writable_->beforeDestroy();
  }
  noteError(error);
  flags.set(Flag::Destroyed);
  noLongerPlain();
  destroyedBy = std::move(error);
  // Else the end of the construction goes on with it.
  if (flags.any(Flag::Constructed)) runDestroy();
}

LEAT_INLINE void StreamCore::noLongerPlain() noexcept {
  if (readable_ != nullptr) readable_->flags.clear(ReadFlag::Direct);
  if (writable_ != nullptr) writable_->flags.clear(WriteFlag::Plain);
}

LEAT_INLINE void StreamCore::runDestroy() {
  const Ref<StreamCore> alive(this);
  flags.set(Flag::Destroying);
  try {
    withoutSignal([this] { callDestroy(destroyedBy); });
  } catch (...) {
    onDestroyed(std::current_exception());
  }
}

LEAT_INLINE void StreamCore::onDestroyed(std::exception_ptr error) {
  if (!flags.any(Flag::Destroying)) return;
  flags.clear(Flag::Destroying);
  destroyedBy = nullptr;
  noteError(error);
  flags.set(Flag::Closed);
  if (error) {
    inTick([error](StreamCore& stream) {
      stream.emitErrorOnce(error);
      stream.emitClose();
    });
  } else {
    inTick([](StreamCore& stream) { stream.emitClose(); });
  }
}

LEAT_INLINE void StreamCore::fail(std::exception_ptr error, bool sync) {
  if (destroyed()) return;
  if (flags.any(Flag::AutoDestroy)) return destroy(std::move(error));
  if (!error) return;
  noteError(error);
  if (!sync) return emitErrorOnce(error);
  inTick([error](StreamCore& stream) { stream.emitErrorOnce(error); });
}

LEAT_INLINE bool StreamCore::over() const noexcept {
  return (readable_ == nullptr || readable_->flags.any(ReadFlag::EndEmitted, ReadFlag::Disabled)) &&
         (writable_ == nullptr || writable_->flags.any(WriteFlag::Finished, WriteFlag::Disabled));
}

LEAT_INLINE void StreamCore::destroyWhenOver() {
  if (!over()) return;
  if (flags.any(Flag::AutoDestroy)) return destroy();
  dropSignals();
}

LEAT_INLINE void StreamCore::abortBy(const AbortSignal& signal) {
  // The registration is this stream's, and ends with it.
  const auto abort = [this, state = signal.state()] {
    if (destroyed()) return;
    // It was asked for: no "error" that somebody must listen for.
    flags.set(Flag::Quiet);
    destroy(std::make_exception_ptr(AbortError(state->reason)));
  };
  if (signal.aborted()) return abort();
  signals.push_back(signal.onAbort(abort));
  if (!willEmitClose() && (flags.any(Flag::ErrorEmitted) || over()))
    inTick([](StreamCore& stream) { stream.dropSignals(); });
}

// ---- construction ----

LEAT_INLINE void StreamCore::startConstruction() {
  flags.clear(Flag::Constructed);
  inTick([](StreamCore& stream) { stream.constructNow(); });
}

LEAT_INLINE void StreamCore::constructNow() {
  try {
    withoutSignal([this] { callConstruct(); });
  } catch (...) {
    onConstructed(std::current_exception());
  }
}

LEAT_INLINE void StreamCore::onConstructed(std::exception_ptr error) {
  inTick([error](StreamCore& stream) {
    // Destroyed before there was anything to construct.
    if (stream.flags.any(Flag::Closed)) return;
    if (stream.flags.any(Flag::Constructed)) return stream.fail(error ? error : calledTwice());
    stream.flags.set(Flag::Constructed);
    if (stream.destroyed()) {
      stream.destroyedBy = joinErrors(error, stream.destroyedBy);
      return stream.runDestroy();
    }
    if (error) return stream.fail(error, true);
    if (stream.readable_ != nullptr && stream.readable_->flags.any(ReadFlag::NeedReadable))
      stream.readable_->maybeReadMore();
    if (stream.writable_ != nullptr) stream.writable_->onConstructed();
  });
}

// ---- events ----

/// Who goes on with the error. For "close" one waits whatever has happened.
LEAT_INLINE bool StreamCore::someoneWaits() const noexcept {
  return (readable_ != nullptr && !readable_->readers.empty()) ||
         (writable_ != nullptr && writable_->someoneWaits());
}

LEAT_INLINE void StreamCore::emitError(const std::exception_ptr& error) {
  const bool wakes = someoneWaits();
  dropSignals();
  wakeAll();
  monitorSlot.emit(error);
  if (!errorSlot.empty()) {
    errorSlot.emit(error);
  } else if (!flags.any(Flag::Awaited, Flag::Quiet)) {
    std::rethrow_exception(error);
  } else if (!wakes && !flags.any(Flag::Quiet)) {
    flags.set(Flag::Untold);
  }
}

LEAT_INLINE void StreamCore::emitClose() {
  flags.set(Flag::CloseEmitted);
  if (flags.any(Flag::EmitClose)) closeSlot.emit();
  wakeAll();
  // Nothing is emitted after this; listeners may lead to other streams and back.
  letGo();
}

LEAT_INLINE void StreamCore::wakeAll() noexcept {
  if (readable_ != nullptr) readable_->wakeReaders();
  if (writable_ != nullptr) writable_->wakeAll();
  if (closeEmitted()) wakeWaiters(closeWaiters);
}

LEAT_INLINE void StreamCore::eachSlot(void (*f)(void*, SlotBase&), void* with) {
  f(with, closeSlot);
  f(with, errorSlot);
  f(with, monitorSlot);
  f(with, addedSlot);
  f(with, removedSlot);
  if (readable_ != nullptr) {
    f(with, readable_->readableSlot);
    f(with, readable_->endSlot);
    f(with, readable_->pauseSlot);
    f(with, readable_->resumeSlot);
  }
  if (writable_ != nullptr) {
    f(with, writable_->drainSlot);
    f(with, writable_->prefinishSlot);
    f(with, writable_->finishSlot);
  }
}

LEAT_INLINE void StreamCore::dropListeners() noexcept {
  const Ref<StreamCore> alive(this);
  dropSignals();
  eachSlot([](void*, SlotBase& slot) { slot.clear(); }, nullptr);
}

LEAT_INLINE void StreamCore::onLoopEnd(LoopOwned& owned) noexcept {
  const Ref<StreamCore> stream(&static_cast<StreamCore&>(owned));
  stream->letGo();
  if (stream->answers) AnswerHold::drop(*stream->answers);
}

LEAT_INLINE void StreamOps::removed(EmitterBase& base, SlotBase& slot, std::string_view name,
                                    const Listener& listener) {
  auto& stream = static_cast<StreamCore&>(base);
  const Ref<StreamCore> alive(&stream);
  if (stream.readable() != nullptr) stream.readable()->flags.clear(ReadFlag::Direct);
  stream.removedSlot.emit(name, listener);
  if (ReadableCore* side = stream.readable(); side != nullptr && &slot == &side->readableSlot)
    side->readableListenerRemoved();
}

// ---- the end of the readable side ----

LEAT_INLINE void ReadableCore::endNow() {
  // An unshift may have come in between.
  if (stream_.flags.any(StreamFlag::Errored, StreamFlag::CloseEmitted) || endEmitted() ||
      length > 0)
    return;
  flags.set(Flag::EndEmitted);
  endSlot.emit();
  wakeReaders();
  WritableCore* const other = stream_.writable();
  if (other != nullptr && other->isWritable() && !stream_.flags.any(StreamFlag::AllowHalfOpen)) {
    stream_.inTick([](StreamCore& stream) {
      if (stream.writable()->isWritable() && !stream.destroyed()) stream.writable()->end();
    });
  } else {
    stream_.destroyWhenOver();
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
