// SPDX-License-Identifier: MIT
// A file under a stream: opened first, read one piece at a time, closed when nothing is in flight. Node:
// lib/internal/fs/streams.js.
#pragma once

#include <leat/fs/detail/chunk_shelf.hpp>
#include <leat/fs/files.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>
#if LEAT_BODIES
#include <leat/fs/detail/stream_file_move.hpp>
#endif

namespace leat::inline LEAT_ABI::fs {

/// Options of `createReadStream`.
struct ReadStreamOptions {
  Flags flags = O_RDONLY;
  /// An open file instead of the path, which is ignored. The stream closes it, but for `autoClose`: without
  /// that only `destroy` does. Neither "open" nor "ready" is told. It should be one that blocks.
  std::optional<int> fd{};
  FileMode mode = 0666;
  /// Whether the file is closed at the end and by an error; else by `destroy`.
  bool autoClose = true;
  bool emitClose = true;
  /// The first byte to read; by default from where the file stands.
  std::int64_t start = currentPosition;
  /// The last byte to read, itself included; by default all.
  std::int64_t end = wholeLength;
  /// How many bytes are read at a time, and buffered.
  std::size_t highWaterMark = 64 * 1024;
  SignalRef signal{};
};

/// Options of `createWriteStream`.
struct WriteStreamOptions {
  Flags flags = O_WRONLY | O_CREAT | O_TRUNC;
  /// As for a ReadStream. It is not emptied.
  std::optional<int> fd{};
  FileMode mode = 0666;
  bool autoClose = true;
  bool emitClose = true;
  /// Where the first byte goes; by default where the file stands.
  std::int64_t start = currentPosition;
  /// Has the data on the disk before the file is closed.
  bool flush = false;
  std::size_t highWaterMark = 16 * 1024;
  SignalRef signal{};
};

}  // namespace leat::inline LEAT_ABI::fs

namespace leat::inline LEAT_ABI::detail {

/// A file under a stream: opened first, and closed when nothing is in flight.
struct StreamFile {
  std::string path;
  std::optional<fs::FileHandle> handle;
  fs::Flags flags = O_RDONLY;
  fs::FileMode mode = 0666;
  bool flush = false;
  // A read or write is in flight, and what the stream was destroyed with meanwhile.
  bool busy = false;
  bool closeWhenIdle = false;
  std::exception_ptr closeError;
  std::int64_t position = fs::currentPosition;
  std::uint64_t bytes = 0;
  EventSlot<Event<"open", int>> openSlot;
  EventSlot<Event<"ready">> readySlot;
};

LEAT_ON_USE
Promise<> openStreamFile(Ref<StreamCore> stream, StreamFile& file);
/// The descriptor is not to be closed, and then perhaps another file's, while something is in flight.
LEAT_ON_USE
void destroyStreamFile(StreamCore& stream, StreamFile& file, std::exception_ptr error);
/// What was in flight is done. True: the stream was destroyed meanwhile.
LEAT_ON_USE
bool streamFileIdle(StreamCore& stream, StreamFile& file, const std::exception_ptr& error);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Promise<> openStreamFile(Ref<StreamCore> stream, StreamFile& file) {
  std::exception_ptr error;
  try {
    fs::FileHandle opened = co_await fs::open(file.path, file.flags, file.mode);
    file.handle.emplace(std::move(opened));
  } catch (...) {
    error = std::current_exception();
  }
  stream->onConstructed(error);
  if (error) co_return;
  file.openSlot.emit(file.handle->fd());
  file.readySlot.emit();
}

LEAT_ON_USE Promise<> closeStreamFile(Ref<StreamCore> stream, StreamFile& file,
                                      std::exception_ptr error) {
  fs::FileHandle handle = *std::exchange(file.handle, std::nullopt);
  if (file.flush) {
    try {
      co_await handle.sync();
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  try {
    co_await handle.close();
  } catch (...) {
    error = std::current_exception();
  }
  stream->onDestroyed(error);
}

LEAT_ON_USE_BODY
void destroyStreamFile(StreamCore& stream, StreamFile& file, std::exception_ptr error) {
  if (file.busy) {
    file.closeWhenIdle = true;
    file.closeError = std::move(error);
  } else if (!file.handle) {
    stream.onDestroyed(std::move(error));
  } else {
    (void)closeStreamFile(Ref<StreamCore>(&stream), file, std::move(error));
  }
}

LEAT_ON_USE_BODY
bool streamFileIdle(StreamCore& stream, StreamFile& file, const std::exception_ptr& error) {
  file.busy = false;
  if (!file.closeWhenIdle) return stream.destroyed();
  file.closeWhenIdle = false;
  destroyStreamFile(stream, file, file.closeError ? std::move(file.closeError) : error);
  return true;
}
#endif

inline constexpr EmitterOps readStreamOps{"ReadStream", &StreamOps::emitError, &StreamOps::removed};
inline constexpr EmitterOps writeStreamOps{"WriteStream", &StreamOps::emitError,
                                           &StreamOps::removed};

// ---- reading ----

struct FileReadState : StreamCore, ReadableState<Buffer> {
  explicit FileReadState(const fs::ReadStreamOptions& options);
  void took(std::size_t count) noexcept {
    file.bytes += count;
    if (file.position != fs::currentPosition) file.position += static_cast<std::int64_t>(count);
    if (left != fs::wholeLength) left -= static_cast<std::int64_t>(count);
  }
  StreamFile file;
  Ref<ChunkShelf> shelf = ChunkShelf::ofLoop();
  // How many bytes are still wanted.
  std::int64_t left;
  // The last read gave all that it was asked for, so that there is more; the kernel has not refused yet.
  bool more = false;
  bool movable = true;
};

#if LEAT_BODIES
LEAT_INLINE FileReadState::FileReadState(const fs::ReadStreamOptions& options)
    : StreamCore(readStreamOps, options.emitClose, options.autoClose),
      ReadableState<Buffer>(static_cast<StreamCore&>(*this), options.highWaterMark),
      left(options.end == fs::wholeLength ? fs::wholeLength : options.end + 1) {
  this->attach(this, nullptr);
  file.position = options.start;
  if (left != fs::wholeLength && options.start != fs::currentPosition) left -= options.start;
}

LEAT_ON_USE
Promise<> readStreamFile(Ref<StreamCore> stream, FileReadState& state, std::size_t size) {
  StreamFile& file = state.file;
  file.busy = true;
  std::exception_ptr error;
  Buffer chunk;
  std::size_t count = 0;
  try {
    fs::TransferOptions options;
    options.position = file.position;
    options.length = static_cast<std::int64_t>(size);
    Buffer room = ChunkShelf::chunkOf(state.shelf.get(), size);
    fs::ReadResult result = co_await file.handle->read(std::move(room), options);
    count = result.bytesRead;
    chunk = std::move(result.buffer);
  } catch (...) {
    error = std::current_exception();
  }
  if (streamFileIdle(*stream, file, error)) co_return;
  if (error) {
    // Node: a stream goes with its handle, and that is no error.
    if (file.handle && file.handle->state()->closing()) {
      stream->destroy();
    } else {
      stream->fail(error);
    }
    co_return;
  }
  if (count == 0) {
    state.pushEnd();
    co_return;
  }
  state.took(count);
  state.more = count == size;
  // A little in a large block is copied, so that the block can go.
  if (count < size) {
    const auto part = chunk.subarray(0, static_cast<std::ptrdiff_t>(count));
    chunk = count < size / 2 ? Buffer::from(part) : part;
  }
  state.push(std::move(chunk));
}

/// Has the kernel move some to the sink of the only pipe. Where it cannot, and at the end, a read goes on
/// in the same place: its errors are those that there are.
LEAT_ON_USE
Promise<> moveStreamFile(Ref<StreamCore> stream, FileReadState& state, std::size_t size) {
  StreamFile& file = state.file;
  file.busy = true;
  DirectMove move(state);
  std::size_t count = 0;
  ssize_t answer = 0;
  bool full = true;
  if (auto taker = move.begin()) {
    try {
      auto job =
          makeRef<MoveFileJob>(file.handle->state(), file.position, state.left, std::move(taker));
      move.stopBy(&job->request.abandoned);
      fs::Operation<MoveResult> moving(Ref<FileJob<MoveResult>>(std::move(job)), SignalRef(),
                                       false);
      const MoveResult result = co_await std::move(moving);
      count = result.count;
      answer = result.last;
      full = answer == -EAGAIN;
    } catch (...) {
      full = false;
    }
    state.took(count);
    move.end(count, answer);
  }
  if (streamFileIdle(*stream, file, nullptr)) co_return;
  // A sink that has no room now takes a chunk, and tells when it has some.
  state.more = !full;
  if (count > 0) {
    state.push(Buffer());
    co_return;
  }
  if (!full) state.movable = false;
  try {
    (void)readStreamFile(stream, state, size);
  } catch (...) {
    stream->fail(std::current_exception());
  }
}

template <class = void>
class FileReadStream final : public FileReadState {
 public:
  FileReadStream(std::string_view path, std::optional<fs::FileHandle> handle,
                 const fs::ReadStreamOptions& options)
      : FileReadState(options) {
    file.path = path;
    file.flags = options.flags;
    file.mode = options.mode;
    file.handle = std::move(handle);
    if (AbortState* signal = options.signal.state())
      this->abortBy(AbortSignal(Ref<AbortState>(signal)));
    // Nothing is opened, and emptied, for a signal that is aborted.
    if (!this->destroyed()) this->startConstruction();
  }

 private:
  void callConstruct() override {
    if (file.handle) return StreamCore::onConstructed(nullptr);
    (void)openStreamFile(Ref<StreamCore>(this), file);
  }
  void callRead(std::size_t size) override {
    if (left != fs::wholeLength && left < static_cast<std::int64_t>(size))
      size = static_cast<std::size_t>(left < 0 ? 0 : left);
    if (size == 0) return this->pushEnd();
    const DirectWay way = movable && more ? directWayOf(*this) : DirectWay::None;
    if (way == DirectWay::Later) return ReadableCore::flags.clear(ReadFlag::Reading);
    // These are busy when they have begun, for which there has to be memory.
    if (way == DirectWay::Now) return void(moveStreamFile(Ref<StreamCore>(this), *this, size));
    (void)readStreamFile(Ref<StreamCore>(this), *this, size);
  }
  void callDestroy(std::exception_ptr error) override {
    destroyStreamFile(*this, file, std::move(error));
  }
  void letGo() noexcept override {
    const Ref<StreamCore> alive(this);
    file.openSlot.clear();
    file.readySlot.clear();
    ReadableState<Buffer>::letGo();
    StreamCore::dropListeners();
  }
};
#endif

/// The part of a handle that a file's stream has besides.
template <FixedString name>
auto fileStreamSlot(StreamFile& file) noexcept {
  if constexpr (name.view() == "open") {
    return &file.openSlot;
  } else if constexpr (name.view() == "ready") {
    return &file.readySlot;
  } else {
    return static_cast<TheEmitterHasNoEvent<name>*>(nullptr);
  }
}

}  // namespace leat::inline LEAT_ABI::detail
