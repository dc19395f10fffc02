// SPDX-License-Identifier: MIT
// A coroutine that takes the chunks of a stream one after the other.
#pragma once

#include <leat/stream/detail/stream_methods.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Reads when it is awaited, and again whenever there may be something.
template <class T>
class ChunkAwaiter : private Job {
 public:
  ChunkAwaiter(Ref<StreamCore> stream, ReadableState<T>& side, AbortState* signal) noexcept
      : Job(onJob), hooks_(*this, signal), stream_(std::move(stream)), side_(side) {}
  ~ChunkAwaiter() {
    if (waiting_) stopWaiting();
  }

  bool await_ready() {
    stream_->flags.set(StreamFlag::Awaited);
    return !hooks_.check() || settle();
  }
  void await_suspend(std::coroutine_handle<> handle) {
    continuation_.capture(handle);
    queue_ = &currentQueue();
    if (!hooks_.arm()) return queue_->pushMicrotask(*this);
    startWaiting();
  }
  std::optional<T> await_resume() {
    if (hooks_.fired()) hooks_.throwAborted();
    if (error_) stream_->tell(error_);
    return std::move(chunk_);
  }

 private:
  struct Hooks : CancelHooks {
    Hooks(ChunkAwaiter& o, AbortState* signal) noexcept : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      ChunkAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.stopWaiting();
      self.queue_->pushMicrotask(self);
    }
    ChunkAwaiter& owner;
  };
  /// From here on it counts as a listener for "readable": also while it is woken.
  void startWaiting() {
    waiting_ = true;
    side_.addReader(*this);
  }
  void stopWaiting() noexcept {
    waiting_ = false;
    this->unlink();
    if (threadState.queue != nullptr && !threadState.queue->closing()) side_.removeReader();
  }
  /// Whether there is a chunk, the end or an error.
  bool settle() {
    if (!stream_->destroyed()) {
      if (auto chunk = side_.read()) {
        chunk_.emplace(std::move(*chunk));
        return true;
      }
    }
    const bool over = stream_->closeEmitted();
    if (stream_->flags.any(StreamFlag::ErrorEmitted) || (over && stream_->errored)) {
      error_ = stream_->errored;
      return true;
    }
    if (side_.endEmitted()) {
      return over || stream_->writable() != nullptr || !stream_->willEmitClose();
    }
    // One that was destroyed when all had been read, before it told the end, is at its end.
    if (over && !(side_.ended() && side_.length == 0)) error_ = prematureClose();
    return over;
  }
  static void onJob(Job& job, JobAction action) noexcept {
    if (action != JobAction::Run) return;
    auto& self = static_cast<ChunkAwaiter&>(job);
    if (!self.hooks_.fired()) {
      try {
        if (!self.settle()) return self.side_.waitAgain(self);
      } catch (...) {
        // Of a listener for "data".
        self.error_ = std::current_exception();
      }
      self.hooks_.disarm();
      self.stopWaiting();
    }
    self.continuation_.resumeFromQueue();
  }

  Continuation continuation_;
  Hooks hooks_;
  Ref<StreamCore> stream_;
  ReadableState<T>& side_;
  MicrotaskQueue* queue_ = nullptr;
  std::optional<T> chunk_;
  std::exception_ptr error_;
  bool waiting_ = false;
};

}  // namespace detail

/// What `next` gives: a read that starts when it is awaited.
template <class T>
class [[nodiscard("next() does nothing until it is awaited")]] NextChunk {
 public:
  using LoopBound = void;
  NextChunk(detail::Ref<detail::StreamCore> stream, detail::ReadableState<T>& side,
            SignalRef signal) noexcept
      : stream_(std::move(stream)), side_(side), signal_(signal.state()) {}
  detail::ChunkAwaiter<T> operator co_await() const noexcept {
    return detail::ChunkAwaiter<T>(stream_, side_, signal_.get());
  }

 private:
  detail::Ref<detail::StreamCore> stream_;
  detail::ReadableState<T>& side_;
  detail::Ref<detail::AbortState> signal_;
};

}  // namespace leat::inline LEAT_ABI
