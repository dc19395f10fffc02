// SPDX-License-Identifier: MIT
// Files as streams. Node: fs.createReadStream, fs.createWriteStream.
#pragma once

#include <leat/fs/detail/stream_file_write.hpp>
#include <leat/stream/finished.hpp>

namespace leat::inline LEAT_ABI::fs {

/// A file as a source of Buffers. Besides the events of Readable: "open" (int descriptor) and "ready".
/// Node: `fs.ReadStream`.
class ReadStream : public leat::detail::StreamMethods<ReadStream>,
                   public leat::detail::ReadableMethods<ReadStream, Buffer> {
 public:
  static constexpr bool hasReadable = true;
  static constexpr bool hasWritable = false;

  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  ReadStream() noexcept = default;

  std::uint64_t bytesRead() const { return state().file.bytes; }
  /// As it was given; empty of a FileHandle or a descriptor.
  std::string_view path() const { return state().file.path; }
  /// The file is not open yet.
  bool pending() const { return !state().file.handle; }
  /// Destroys it. Node: `close`.
  void close() const { destroy(); }
  /// The same, with a callback as of `finished`: `callback(error)`, with ERR_STREAM_PREMATURE_CLOSE before its
  /// end.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&, const std::exception_ptr&>
  void close(F&& callback) const {
    (void)finished(*this, std::forward<F>(callback));
    destroy();
  }

  /// Internal.
  explicit ReadStream(leat::detail::Ref<leat::detail::FileReadState> state) noexcept
      : state_(state.get()), handle_(std::move(state)) {}
  leat::detail::StreamCore& core() const { return handle_.core(); }
  leat::detail::ReadableState<Buffer>& readSide() const { return state(); }
  template <FixedString name>
  auto ownSlot() const {
    return leat::detail::fileStreamSlot<name>(state().file);
  }

 private:
  leat::detail::FileReadState& state() const {
    (void)handle_.core();
    return *state_;
  }
  leat::detail::FileReadState* state_ = nullptr;
  leat::detail::StreamHandle handle_;
};

/// A file as a sink of Buffers. Besides the events of Writable: "open" (int descriptor) and "ready".
/// Node: `fs.WriteStream`.
class WriteStream : public leat::detail::StreamMethods<WriteStream>,
                    public leat::detail::WritableMethods<WriteStream, Buffer> {
 public:
  static constexpr bool hasReadable = false;
  static constexpr bool hasWritable = true;
  using leat::detail::WritableMethods<WriteStream, Buffer>::end;

  /// A handle without a stream; to use it throws Error ERR_INVALID_STATE.
  WriteStream() noexcept = default;

  std::uint64_t bytesWritten() const { return state().bytesWritten(); }
  std::string_view path() const { return state().file.path; }
  bool pending() const { return !state().file.handle; }
  /// Ends it, and has the file closed then, also without `autoClose`. Node: `close`.
  void close() const {
    if (writableFinished() || errored()) return void(destroy());
    core().flags.set(leat::detail::StreamFlag::AutoDestroy);
    end();
  }
  /// The same; `callback()` is told by "close", and so not without `emitClose`; in the next tick when it is closed
  /// already.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  void close(F&& callback) const {
    if (closed()) return nextTick(std::forward<F>(callback));
    this->template on<"close">(std::forward<F>(callback));
    close();
  }

  /// Internal.
  explicit WriteStream(leat::detail::Ref<leat::detail::FileWriteState> state) noexcept
      : state_(state.get()), handle_(std::move(state)) {}
  leat::detail::StreamCore& core() const { return handle_.core(); }
  leat::detail::WritableState<Buffer>& writeSide() const { return state(); }
  template <FixedString name>
  auto ownSlot() const {
    return leat::detail::fileStreamSlot<name>(state().file);
  }

 private:
  leat::detail::FileWriteState& state() const {
    (void)handle_.core();
    return *state_;
  }
  leat::detail::FileWriteState* state_ = nullptr;
  leat::detail::StreamHandle handle_;
};

}  // namespace leat::inline LEAT_ABI::fs

#if LEAT_BODIES
namespace leat::inline LEAT_ABI::detail {

LEAT_ON_USE
void checkStreamPlace(const char* what, std::int64_t value) {
  if (value >= -1 && value <= 9007199254740991) return;
  throwOutOfRange(what, ">= 0 && <= 9007199254740991", IntegerText(value));
}

/// An open file of a descriptor, which stays open without `autoClose` when the last handle goes. Asks nobody
/// who may let it wait: of a device that is not known yet, workers read. Throws: RangeError.
LEAT_INLINE fs::FileHandle streamHandle(int fd, bool autoClose) {
  if (fd < 0) throwOutOfRange("fd", ">= 0 && <= 2147483647", IntegerText(fd));
  Ref<FileState> state = makeRef<FileState>(-1);
  struct ::statx known;
  const bool found = sys::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, known) == 0;
  if (found && S_ISREG(known.stx_mode) &&
      localDevices.recall(deviceKeyOf(known)) == KnownPlaces::Answer::yes)
    state->setPlain((sys::fcntl(fd, F_GETFL) & O_DIRECT) != 0);
  if (!autoClose) state->lend();
  state->adopt(fd);
  return fs::FileHandle(std::move(state));
}

template <class = void>
fs::ReadStream makeReadStream(std::string_view path, std::optional<fs::FileHandle> handle,
                              const fs::ReadStreamOptions& options) {
  checkStreamPlace("start", options.start);
  checkStreamPlace("end", options.end);
  if (options.end != fs::wholeLength && options.start > options.end)
    throwOutOfRange("start", SharedText{"<= \"end\" (here: ", Decimal(options.end), ")"}.view(),
                    IntegerText(options.start));
  if (options.fd && !handle) {
    handle = streamHandle(*options.fd, options.autoClose);
    path = {};
  }
  return fs::ReadStream(
      Ref<FileReadState>(makeRef<FileReadStream<>>(path, std::move(handle), options)));
}

template <class = void>
fs::WriteStream makeWriteStream(std::string_view path, std::optional<fs::FileHandle> handle,
                                const fs::WriteStreamOptions& options) {
  checkStreamPlace("start", options.start);
  if (options.fd && !handle) {
    handle = streamHandle(*options.fd, options.autoClose);
    path = {};
  }
  return fs::WriteStream(
      Ref<FileWriteState>(makeRef<FileWriteStream<>>(path, std::move(handle), options)));
}

}  // namespace leat::inline LEAT_ABI::detail
#endif

namespace leat::inline LEAT_ABI::fs {

/// Reads a file: it is opened at once, and read when somebody listens or pipes.
///
/// Node: `fs.createReadStream`. Throws: RangeError of `start`, `end` and `fd`; all else is an "error".
LEAT_ON_USE
ReadStream createReadStream(std::string_view path, ReadStreamOptions options = {});
/// Of an open file, which the stream closes (see `autoClose`).
LEAT_ON_USE
ReadStream createReadStream(FileHandle file, ReadStreamOptions options = {});
/// Writes a file: it is opened, and by default emptied, at once.
///
/// Node: `fs.createWriteStream`. Throws: RangeError of `start` and `fd`; all else is an "error".
LEAT_ON_USE
WriteStream createWriteStream(std::string_view path, WriteStreamOptions options = {});
/// Of an open file, which the stream closes (see `autoClose`).
LEAT_ON_USE
WriteStream createWriteStream(FileHandle file, WriteStreamOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
ReadStream createReadStream(std::string_view path, ReadStreamOptions options) {
  return leat::detail::makeReadStream(path, std::nullopt, options);
}

LEAT_ON_USE_BODY
ReadStream createReadStream(FileHandle file, ReadStreamOptions options) {
  return leat::detail::makeReadStream({}, std::move(file), options);
}

LEAT_ON_USE_BODY
WriteStream createWriteStream(std::string_view path, WriteStreamOptions options) {
  return leat::detail::makeWriteStream(path, std::nullopt, options);
}

LEAT_ON_USE_BODY
WriteStream createWriteStream(FileHandle file, WriteStreamOptions options) {
  return leat::detail::makeWriteStream({}, std::move(file), options);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
