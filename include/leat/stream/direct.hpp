// SPDX-License-Identifier: MIT
// Bytes that go from a source to a sink inside of the kernel, because nobody between them looks at them.
// Sources ask for it where they would read (fs, net); this is what they ask.
#pragma once

#include <leat/base/owned.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>

#include <sys/types.h>

#include <cerrno>
#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

/// A sink as a worker sees it. Owns what it needs: the stream may be gone meanwhile.
class DirectTaker {
 public:
  virtual ~DirectTaker() = default;
  /// Takes at most `most` bytes of the file `from`, from `at` on, which moves; where that is negative,
  /// from where the file stands. How many, 0 at the end, -errno; -EAGAIN when there is no room. May block.
  virtual ssize_t take(int from, std::int64_t& at, std::size_t most) noexcept = 0;
  /// The same out of a pipe that has so many.
  virtual ssize_t takePiped(int, std::size_t) noexcept { return -EOPNOTSUPP; }
};

/// A sink that the kernel can move bytes to. The loop's thread.
class DirectSink {
 public:
  /// It is busy until `endTaking`. Null when it cannot now.
  virtual Owned<DirectTaker> beginTaking() = 0;
  /// So many bytes came, and this was the last answer.
  virtual void endTaking(std::size_t count, ssize_t answer) = 0;
  /// Whether `takeNow` is a way now, and whether a worker ever is from a pipe.
  virtual bool takesNow() { return false; }
  virtual bool takesPipesOnWorker() { return true; }
  /// Takes out of a pipe without waiting: as `takePiped`.
  virtual ssize_t takeNow(int, std::size_t) { return -EOPNOTSUPP; }

 protected:
  ~DirectSink() = default;
};

enum class DirectWay {
  None,  // by chunks
  Later,  // something goes first, or the sink has enough; the source is asked again when that is over
  Now,
};

/// What a source that is asked for more may do instead.
LEAT_INLINE DirectWay directWayOf(ReadableState<Buffer>& source);

#if LEAT_BODIES
LEAT_INLINE DirectWay directWayOf(ReadableState<Buffer>& source) {
  Pipe<Buffer>* const pipe = source.direct;
  const AbortState* const signal = ambientSignal();
  if (signal != nullptr && isAborted(*signal)) return DirectWay::None;
  if (pipe == nullptr || !pipe->alone() || pipe->sink().directSink() == nullptr)
    return DirectWay::None;
  // Who resumes a source that waits for its sink goes over the mark, and "drain" would not ask again.
  if (pipe->waits()) return source.flowing() ? DirectWay::None : DirectWay::Later;
  if (!source.flowing()) return DirectWay::None;
  // What is buffered goes first, and then it is asked again.
  if (source.length > 0) return DirectWay::Later;
  if (pipe->sink().mayFill()) return DirectWay::Now;
  if (!pipe->sink().willDrain()) return DirectWay::None;
  // It has room for more chunks, but not while one is being written.
  pipe->hold();
  return DirectWay::Later;
}

/// One move of bytes, from the question to the answer: both streams are kept, and the sink takes nothing
/// else meanwhile.
class DirectMove {
 public:
  explicit DirectMove(ReadableState<Buffer>& source)
      : pipe_(source.direct), source_(source), sink_(pipe_->sink()), to_(&sink_.stream()) {}
  DirectMove(const DirectMove&) = delete;
  DirectMove& operator=(const DirectMove&) = delete;
  ~DirectMove() { stopBy(nullptr); }

  /// Null when it cannot be.
  Owned<DirectTaker> begin() {
    Owned<DirectTaker> taker = sink_.directSink()->beginTaking();
    if (taker) sink_.beginFill();
    return taker;
  }
  /// Whoever comes in between sets this.
  void stopBy(Atomic<bool>* stop) noexcept { source_.moving = sink_.moving = stop; }
  /// What `begin` gave is not needed any more. The source asks for more after this.
  void end(std::size_t count, ssize_t answer = 0) {
    stopBy(nullptr);
    if (count > 0) source_.flags.set(ReadFlag::DataEmitted);
    sink_.directSink()->endTaking(count, answer);
    sink_.endFill();
    // As after a chunk: the source waits for a "drain", which may not come.
    if (to_->failed() || sink_.flags.any(WriteFlag::Ending, WriteFlag::NeedDrain)) pipe_->hold();
  }

 private:
  Ref<Pipe<Buffer>> pipe_;
  ReadableState<Buffer>& source_;
  WritableState<Buffer>& sink_;
  Ref<StreamCore> to_;
};
#endif

}  // namespace leat::inline LEAT_ABI::detail
