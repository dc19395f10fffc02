// SPDX-License-Identifier: MIT
// FileHandle: an open file, and what can be done with it.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

#include <span>

namespace leat::inline LEAT_ABI::fs {

struct ReadResult {
  std::size_t bytesRead;
  /// The buffer that was given, or made.
  Buffer buffer;
};
struct WriteResult {
  std::size_t bytesWritten;
  Buffer buffer;
};
struct ReadvResult {
  std::size_t bytesRead;
  std::vector<Buffer> buffers;
};
struct WritevResult {
  std::size_t bytesWritten;
  std::vector<Buffer> buffers;
};

/// An open file. Copies are handles to the same; when the last one goes, and no operation on it is in
/// flight, the file is closed in the background. To know of an error of closing, `co_await close()`.
///
/// Node: `FileHandle`. Overlap: operations at positions of their own may overlap; those at the current
/// position are done in an order that nobody knows.
class FileHandle {
 public:
  /// The descriptor, which stays the file's; -1 from `close()` on.
  int fd() const noexcept { return state_->closing() ? -1 : state_->fd(); }

  /// Reads up to `length` bytes to `buffer`, from `offset` on; 0 at the end of the file.
  /// Cancel: the buffer may still be written to; do not use it again. The same holds for `readv`.
  Operation<ReadResult> read(Buffer buffer, TransferOptions options = {}) const;
  /// The same with a new buffer of `offset + length` bytes, or 16384.
  Operation<ReadResult> read(TransferOptions options = {}) const;
  /// Fills one buffer after the other with one call.
  Operation<ReadvResult> readv(std::span<const Buffer> buffers,
                               std::int64_t position = currentPosition,
                               FileOptions options = {}) const;
  /// May write less than was asked for, as the system may. `writeFile` writes all. Cancel: the buffer may still be read.
  Operation<WriteResult> write(Buffer buffer, TransferOptions options = {}) const;
  Operation<WriteResult> write(std::string_view text, std::int64_t position = currentPosition,
                               FileOptions options = {}) const;
  Operation<WritevResult> writev(std::span<const Buffer> buffers,
                                 std::int64_t position = currentPosition,
                                 FileOptions options = {}) const;
  /// From the current position to the end. Throws: RangeError ERR_FS_FILE_TOO_LARGE over 2 GiB.
  Operation<Buffer> readFile(FileOptions options = {}) const;
  /// The same as text: the bytes as they are. The encoding is "utf8" or "utf-8".
  Operation<std::string> readFile(std::string_view encoding, FileOptions options = {}) const;
  /// All of it, at the current position.
  Operation<void> writeFile(Buffer data, FileOptions options = {}) const;
  Operation<void> writeFile(std::string_view data, FileOptions options = {}) const;
  /// The same: whether it appends is for the flag that the file was opened with to say.
  Operation<void> appendFile(Buffer data, FileOptions options = {}) const {
    return writeFile(std::move(data), options);
  }
  Operation<void> appendFile(std::string_view data, FileOptions options = {}) const {
    return writeFile(data, options);
  }
  Operation<Stats> stat(FileOptions options = {}) const;
  Operation<void> truncate(std::int64_t length = 0, FileOptions options = {}) const;
  /// Has data, and for `sync` also what is known of the file, on the disk before it ends.
  Operation<void> sync(FileOptions options = {}) const;
  Operation<void> datasync(FileOptions options = {}) const;
  Operation<void> chmod(FileMode mode, FileOptions options = {}) const;
  Operation<void> chown(unsigned uid, unsigned gid, FileOptions options = {}) const;
  Operation<void> utimes(FileTime atime, FileTime mtime, FileOptions options = {}) const;

  /// Waits for those in flight and closes. From here on the others throw Error EBADF ("file closed"). Once more while
  /// it waits, it waits for the same and has its outcome; later it does nothing. Cancel: it cannot be.
  Operation<void> close() const {
    return Operation<void>(leat::detail::Ref<leat::detail::FileJob<void>>(
                               leat::detail::makeRef<leat::detail::CloseFileJob>(state_)),
                           SignalRef(), false);
  }

  /// Internal.
  explicit FileHandle(leat::detail::Ref<leat::detail::FileState> state) noexcept
      : state_(std::move(state)) {}
  const leat::detail::Ref<leat::detail::FileState>& state() const noexcept { return state_; }

 private:
  leat::detail::Ref<leat::detail::FileState> state_;
};

}  // namespace leat::inline LEAT_ABI::fs

namespace leat::inline LEAT_ABI::detail {

// ---- on a worker ----

/// How FileHandle and the functions that open files get theirs. Throws: SystemError.
LEAT_INLINE fs::FileHandle openHandle(FileRequest& request);

#if LEAT_BODIES
LEAT_INLINE fs::FileHandle openHandle(FileRequest& request) {
  // Before the file, so that nothing is left open where there is no memory.
  Ref<FileState> state = makeRef<FileState>(-1);
  sys::UniqueFd file = openRequested(request);
  struct ::statx known;
  if (statFd(file.get(), known) == 0 && S_ISREG(known.stx_mode)) {
    if (learnDevice(file.get(), deviceKeyOf(known)))
      state->setPlain((request.flags & O_DIRECT) != 0);
    if (request.flags == O_RDONLY) learnFolder(request.path, file.get(), known);
  }
  state->adopt(file.release());
  return fs::FileHandle(std::move(state));
}

/// The same without waiting, to read.
LEAT_INLINE bool openHandleAtOnce(FileRequest& request, Slot<fs::FileHandle>& result) {
  struct ::stat known;
  if (!openPathCached(request, known)) return false;
  Ref<FileState> state = makeRef<FileState>(-1);
  (void)sys::fcntl(request.opened.get(), F_SETFL, O_RDONLY);
  state->setPlain(false);
  state->adopt(request.opened.release());
  result.emplace(std::move(state));
  return true;
}

/// What is still to be read: some may have come already.
LEAT_INLINE std::size_t readBytes(FileRequest& r) {
  const std::size_t size = static_cast<std::size_t>(r.length) - r.begun;
  if (size == 0) return r.begun;
  std::byte* const to = r.buffers[0].data() + r.offset + r.begun;
  const off_t at = r.position + static_cast<off_t>(r.begun);
  const ssize_t n =
      r.position < 0 ? sys::read(r.file.fd(), to, size) : sys::pread(r.file.fd(), to, size, at);
  if (n < 0 && r.begun > 0) return r.begun;
  return r.begun + static_cast<std::size_t>(r.check(n));
}
#endif

/// A read: at once where it is short and in memory, else by the kernel, else by a worker.
class ReadJob final : public FileJob<fs::ReadResult>, private FileRead {
 public:
  template <class... Args>
  explicit ReadJob(Body body, Args&&... args)
      : FileJob(body, std::forward<Args>(args)...), FileRead(onArrived) {
    setQuick(readAtOnce);
  }

 private:
  static bool readAtOnce(FileRequest& r, Slot<fs::ReadResult>& result);
  bool canTry() const noexcept override { return request.length > 0 && state().plain(); }
  LEAT_INLINE bool tryRing() noexcept override;
  static void onArrived(FileRead& read, int n) noexcept;
  FileState& state() const noexcept { return request.file.state(); }
};

#if LEAT_BODIES
LEAT_INLINE bool ReadJob::readAtOnce(FileRequest& r, Slot<fs::ReadResult>& result) {
  FileState& file = r.file.state();
  if (!file.cached() || r.length > atOnceSize) return false;
  const int error = readCached(file.fd(), r.buffers[0].data() + r.offset,
                               static_cast<std::size_t>(r.length), r.position, r.begun);
  if (error == 0) {
    result.emplace(r.begun, std::move(r.buffers[0]));
    return true;
  }
  r.missed = true;
  if (error != -EAGAIN) file.onlyByWorkers();
  return false;
}

/// Where the file stands is for one at a time to move, so without a position it is not the kernel's.
LEAT_INLINE bool ReadJob::tryRing() noexcept {
  if (!state().plain() || request.position < 0 || request.length > ringSize) return false;
  fd = request.file.fd();
  FileRead::data = request.buffers[0].data() + request.offset + request.begun;
  size = static_cast<unsigned>(request.length) - static_cast<unsigned>(request.begun);
  position = request.position + static_cast<std::int64_t>(request.begun);
  if (sys::fails(sys::Call::pread) || !EventLoop::current().reactor().readFile(*this)) return false;
  retain();
  return true;
}

LEAT_INLINE void ReadJob::onArrived(FileRead& read, int n) noexcept {
  const Ref<ReadJob> self = Ref<ReadJob>::adopt(&static_cast<ReadJob&>(read));
  FileRequest& r = self->request;
  // It cannot be done this way, or has to be done again.
  if (n == -EAGAIN || n == -EINTR || n == -EINVAL || n == -EOPNOTSUPP) return self->toPool();
  if (n < 0 && r.begun > 0) n = 0;
  if (n >= 0) {
    r.begun += static_cast<std::size_t>(n);
    self->result().emplace(r.begun, std::move(r.buffers[0]));
  } else {
    try {
      r.fail(n);
    } catch (...) {
      self->result().fail(std::current_exception());
    }
  }
  done(*self);
}

LEAT_INLINE std::size_t writeBytes(FileRequest& r) {
  const std::byte* const from = r.buffers[0].data() + r.offset;
  const auto size = static_cast<std::size_t>(r.length);
  return static_cast<std::size_t>(r.check(r.position < 0
                                              ? sys::write(r.file.fd(), from, size)
                                              : sys::pwrite(r.file.fd(), from, size, r.position)));
}

/// The system takes 1024 at a time, so a call of more ends early where the first did, or might wait: of a pipe.
LEAT_INLINE std::size_t transferVectors(FileRequest& r, bool in) {
  constexpr std::size_t most = 1024;
  std::size_t total = 0;
  std::vector<iovec> vectors;
  for (std::size_t first = 0; first < r.buffers.size() || first == 0; first += most) {
    vectors.clear();
    std::size_t size = 0;
    for (std::size_t i = first; i < r.buffers.size() && i - first < most; ++i) {
      vectors.push_back(iovec{r.buffers[i].data(), r.buffers[i].size()});
      size += r.buffers[i].size();
    }
    const int count = static_cast<int>(vectors.size());
    const off_t at = r.position + static_cast<off_t>(total);
    const int fd = r.file.fd();
    const ssize_t n = r.position < 0 ? in ? sys::readv(fd, vectors.data(), count)
                                          : sys::writev(fd, vectors.data(), count)
                      : in ? sys::preadv(fd, vectors.data(), count, at)
                                     : sys::pwritev(fd, vectors.data(), count, at);
    if (n < 0 && total > 0) break;
    total += static_cast<std::size_t>(r.check(n));
    if (static_cast<std::size_t>(n) < size || (in && !r.file.state().plain())) break;
  }
  return total;
}
#endif

// ---- on the loop's thread ----

[[noreturn]] LEAT_NOINLINE inline void throwTransferRange(std::string_view name,
                                                          std::string_view limit,
                                                          std::int64_t bound, std::int64_t given) {
  throwOutOfRange(name, SharedText{limit, Decimal(bound)}.view(), IntegerText(given));
}

#if LEAT_BODIES
/// Checks a part of a buffer as Node does, and fills in the length. A file that is closed is told of first,
/// when the operation is awaited.
LEAT_INLINE void checkTransfer(const Buffer& buffer, fs::TransferOptions& options, bool writes) {
  const auto size = static_cast<std::int64_t>(buffer.size());
  if (options.offset < 0)
    throwTransferRange("offset", ">= 0 && <= ", 9007199254740991, options.offset);
  if (writes && options.offset > size) throwTransferRange("offset", "<= ", size, options.offset);
  if (options.length == 0 && !writes) return;
  if (options.length == fs::wholeLength) options.length = size - options.offset;
  if (!writes && size == 0)
    throw TypeError("The argument 'buffer' is empty and cannot be written. Received <Buffer >");
  if (options.length < 0) throwTransferRange("length", ">= ", 0, options.length);
  if (options.length > size - options.offset)
    throwTransferRange("length", "<= ", size - options.offset, options.length);
}

LEAT_INLINE void checkEncoding(std::string_view encoding) {
  std::string lower(encoding);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (lower.empty() || lower == "utf8" || lower == "utf-8") return;
  throw TypeError(
      SharedText{"The argument 'encoding' is invalid encoding. Received ", Inspected(encoding)}
          .view());
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

#if LEAT_BODIES
LEAT_INLINE Operation<ReadResult> FileHandle::read(Buffer buffer, TransferOptions options) const {
  using namespace leat::detail;
  if (!state_->closing()) checkTransfer(buffer, options, false);
  const auto body = [](FileRequest& r) {
    const std::size_t n = readBytes(r);
    return ReadResult{n, std::move(r.buffers[0])};
  };
  FileDraft<ReadResult, ReadJob> draft(body, FileCall::read, state_);
  draft->buffers.push_back(std::move(buffer));
  draft->offset = options.offset;
  draft->length = options.length;
  draft->position = options.position;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<ReadResult> FileHandle::read(TransferOptions options) const {
  constexpr std::int64_t usual = 16384;
  const bool fits =
      options.length >= 0 && options.offset >= 0 && options.length <= INT64_MAX - options.offset;
  const std::int64_t size = fits ? options.offset + options.length : usual;
  return read(Buffer::alloc(static_cast<std::size_t>(size)), options);
}

LEAT_INLINE Operation<ReadvResult> FileHandle::readv(std::span<const Buffer> buffers,
                                                     std::int64_t position,
                                                     FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) {
    const std::size_t n = transferVectors(r, true);
    return ReadvResult{n, std::move(r.buffers)};
  };
  FileDraft<ReadvResult> draft(body, FileCall::readv, state_);
  draft->buffers.assign(buffers.begin(), buffers.end());
  draft->position = position;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<WriteResult> FileHandle::write(Buffer buffer, TransferOptions options) const {
  using namespace leat::detail;
  if (!state_->closing()) checkTransfer(buffer, options, true);
  const auto body = [](FileRequest& r) {
    const std::size_t n = writeBytes(r);
    return WriteResult{n, std::move(r.buffers[0])};
  };
  FileDraft<WriteResult> draft(body, FileCall::write, state_);
  draft->buffers.push_back(std::move(buffer));
  draft->offset = options.offset;
  draft->length = options.length;
  draft->position = options.position;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<WriteResult> FileHandle::write(std::string_view text, std::int64_t position,
                                                     FileOptions options) const {
  TransferOptions whole;
  whole.position = position;
  whole.signal = options.signal;
  return write(Buffer::from(text), whole);
}

LEAT_INLINE Operation<WritevResult> FileHandle::writev(std::span<const Buffer> buffers,
                                                       std::int64_t position,
                                                       FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) {
    const std::size_t n = r.buffers.empty() ? 0 : transferVectors(r, false);
    return WritevResult{n, std::move(r.buffers)};
  };
  FileDraft<WritevResult> draft(body, FileCall::write, state_);
  draft->buffers.assign(buffers.begin(), buffers.end());
  draft->position = position;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<Buffer> FileHandle::readFile(FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { return readWhole(r, r.file.fd()); };
  return FileDraft<Buffer>(body, FileCall::readFile, state_).with(options.signal);
}

LEAT_INLINE Operation<std::string> FileHandle::readFile(std::string_view encoding,
                                                        FileOptions options) const {
  using namespace leat::detail;
  checkEncoding(encoding);
  const auto body = [](FileRequest& r) { return std::string(readWhole(r, r.file.fd()).view()); };
  return FileDraft<std::string>(body, FileCall::readFile, state_).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::writeFile(Buffer data, FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { writeWhole(r, r.file.fd(), r.buffers[0].view()); };
  FileDraft<void> draft(body, FileCall::writeFile, state_);
  draft->buffers.push_back(std::move(data));
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::writeFile(std::string_view data,
                                                  FileOptions options) const {
  return writeFile(Buffer::from(data), options);
}

LEAT_INLINE Operation<Stats> FileHandle::stat(FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) {
    struct ::statx found;
    r.check(statFd(r.file.fd(), found));
    return Stats(found);
  };
  const auto quick = [](FileRequest& r, Slot<Stats>& result) {
    struct ::statx found;
    constexpr int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (!r.file.state().cached() || sys::statx(r.file.fd(), "", flags, found) != 0) return false;
    result.emplace(found);
    return true;
  };
  return FileDraft<Stats>(body, FileCall::fstat, state_).quickly(quick).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::truncate(std::int64_t length, FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::ftruncate(r.file.fd(), r.length)); };
  FileDraft<void> draft(body, FileCall::ftruncate, state_);
  draft->length = length < 0 ? 0 : length;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::sync(FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::fsync(r.file.fd())); };
  return FileDraft<void>(body, FileCall::fsync, state_).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::datasync(FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::fdatasync(r.file.fd())); };
  return FileDraft<void>(body, FileCall::fdatasync, state_).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::chmod(FileMode mode, FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::fchmod(r.file.fd(), r.mode)); };
  FileDraft<void> draft(body, FileCall::fchmod, state_);
  draft->mode = mode.value();
  return std::move(draft).with(options.signal);
}
LEAT_INLINE Operation<void> FileHandle::chown(unsigned uid, unsigned gid,
                                              FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::fchown(r.file.fd(), r.uid, r.gid)); };
  FileDraft<void> draft(body, FileCall::fchown, state_);
  draft->uid = uid;
  draft->gid = gid;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<void> FileHandle::utimes(FileTime atime, FileTime mtime,
                                               FileOptions options) const {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::futimens(r.file.fd(), r.times)); };
  FileDraft<void> draft(body, FileCall::futimes, state_);
  draft->times[0] = atime.value();
  draft->times[1] = mtime.value();
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
