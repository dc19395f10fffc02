// SPDX-License-Identifier: MIT
// Whole files: opened, read, written, cut.
#pragma once

#include <leat/fs/file_handle.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
LEAT_INLINE Buffer readPath(FileRequest& request) {
  const sys::UniqueFd file = openRequested(request);
  struct ::statx known;
  if (const int error = statFd(file.get(), known)) throwFile(error, "fstat");
  learnFolder(request.path, file.get(), known);
  return readRest(request, file.get(), known);
}

LEAT_INLINE bool readPathAtOnce(FileRequest& request, Slot<Buffer>& result) {
  Buffer whole;
  if (!readPathCached(request, whole)) return false;
  result.emplace(std::move(whole));
  return true;
}

LEAT_INLINE void writePath(FileRequest& request) {
  sys::UniqueFd file = openFile(request.path, request.flags, request.mode);
  writeWhole(request, file.get(), request.buffers[0].view());
  if (request.flag && !request.left())
    if (const int error = sys::fsync(file.get())) throwFile(error, "fsync");
  closeFile(file);
}

LEAT_INLINE void truncatePath(FileRequest& request) {
  sys::UniqueFd file = openFile(request.path, O_RDWR);
  if (const int error = sys::ftruncate(file.get(), request.length)) throwFile(error, "ftruncate");
  closeFile(file);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// Opens a file. Node: `fs.promises.open`. The descriptor is not inherited by child processes.
LEAT_INLINE Operation<FileHandle> open(std::string_view path, Flags flags = O_RDONLY,
                                       FileMode mode = 0666, FileOptions options = {});
/// The bytes of a file. Of one without a size (in /proc, a pipe) up to its end.
/// Throws: RangeError ERR_FS_FILE_TOO_LARGE over 2 GiB.
LEAT_INLINE Operation<Buffer> readFile(std::string_view path, ReadFileOptions options = {});
/// The same as text, whose encoding is "utf8" or "utf-8". Node replaces what is no UTF-8; here the bytes
/// stay as they are.
LEAT_INLINE Operation<std::string> readFile(std::string_view path, std::string_view encoding,
                                            ReadFileOptions options = {});
/// Writes a whole file, by default in the place of what was there.
/// Cancel: what was written by then stays.
LEAT_INLINE Operation<void> writeFile(std::string_view path, Buffer data,
                                      WriteFileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<FileHandle> open(std::string_view path, Flags flags, FileMode mode,
                                       FileOptions options) {
  using namespace leat::detail;
  FileDraft<FileHandle> draft(openHandle, FileCall::open, path);
  draft->flags = flags.value();
  draft->mode = mode.value();
  return std::move(draft).quickly(openHandleAtOnce).with(options.signal);
}

LEAT_INLINE Operation<Buffer> readFile(std::string_view path, ReadFileOptions options) {
  using namespace leat::detail;
  FileDraft<Buffer> draft(readPath, FileCall::readFile, path);
  draft->flags = options.flag.value();
  draft->mode = 0666;  // of one that a flag like "w+" makes
  return std::move(draft).quickly(readPathAtOnce).with(options.signal);
}

LEAT_INLINE Operation<std::string> readFile(std::string_view path, std::string_view encoding,
                                            ReadFileOptions options) {
  using namespace leat::detail;
  checkEncoding(encoding);
  const auto body = [](FileRequest& r) { return std::string(readPath(r).view()); };
  const auto quick = [](FileRequest& r, Slot<std::string>& result) {
    Buffer whole;
    if (!readPathCached(r, whole)) return false;
    result.emplace(whole.view());
    return true;
  };
  FileDraft<std::string> draft(body, FileCall::readFile, path);
  draft->flags = options.flag.value();
  draft->mode = 0666;  // of one that a flag like "w+" makes
  return std::move(draft).quickly(quick).with(options.signal);
}

LEAT_INLINE Operation<void> writeFile(std::string_view path, Buffer data,
                                      WriteFileOptions options) {
  using namespace leat::detail;
  FileDraft<void> draft(writePath, FileCall::writeFile, path);
  draft->flags = options.flag.value();
  draft->mode = options.mode.value();
  draft->flag = options.flush;
  draft->buffers.push_back(std::move(data));
  return std::move(draft).with(options.signal);
}
#endif
LEAT_INLINE Operation<void> writeFile(std::string_view path, std::string_view data,
                                      WriteFileOptions options = {});
LEAT_INLINE Operation<void> writeFile(std::string_view path, std::string_view data,
                                      std::string_view encoding, WriteFileOptions options = {});
/// Writes behind what is there, or makes the file.
LEAT_INLINE Operation<void> appendFile(std::string_view path, Buffer data,
                                       AppendFileOptions options = {});
LEAT_INLINE Operation<void> appendFile(std::string_view path, std::string_view data,
                                       AppendFileOptions options = {});
LEAT_INLINE Operation<void> appendFile(std::string_view path, std::string_view data,
                                       std::string_view encoding, AppendFileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> writeFile(std::string_view path, std::string_view data,
                                      WriteFileOptions options) {
  return writeFile(path, Buffer::from(data), options);
}

LEAT_INLINE Operation<void> writeFile(std::string_view path, std::string_view data,
                                      std::string_view encoding, WriteFileOptions options) {
  leat::detail::checkEncoding(encoding);
  return writeFile(path, data, options);
}

LEAT_INLINE Operation<void> appendFile(std::string_view path, Buffer data,
                                       AppendFileOptions options) {
  WriteFileOptions all;
  all.flag = options.flag;
  all.mode = options.mode;
  all.flush = options.flush;
  all.signal = options.signal;
  return writeFile(path, std::move(data), all);
}

LEAT_INLINE Operation<void> appendFile(std::string_view path, std::string_view data,
                                       AppendFileOptions options) {
  return appendFile(path, Buffer::from(data), options);
}

LEAT_INLINE Operation<void> appendFile(std::string_view path, std::string_view data,
                                       std::string_view encoding, AppendFileOptions options) {
  leat::detail::checkEncoding(encoding);
  return appendFile(path, data, options);
}
#endif

/// With a handle in the place of a path: from its position on, and it stays open.
inline Operation<Buffer> readFile(const FileHandle& file, FileOptions options = {}) {
  return file.readFile(options);
}
inline Operation<std::string> readFile(const FileHandle& file, std::string_view encoding,
                                       FileOptions options = {}) {
  return file.readFile(encoding, options);
}
inline Operation<void> writeFile(const FileHandle& file, Buffer data, FileOptions options = {}) {
  return file.writeFile(std::move(data), options);
}
inline Operation<void> writeFile(const FileHandle& file, std::string_view data,
                                 FileOptions options = {}) {
  return file.writeFile(data, options);
}
inline Operation<void> appendFile(const FileHandle& file, Buffer data, FileOptions options = {}) {
  return file.appendFile(std::move(data), options);
}
inline Operation<void> appendFile(const FileHandle& file, std::string_view data,
                                  FileOptions options = {}) {
  return file.appendFile(data, options);
}

/// Makes a file `length` bytes long: cuts it off, or fills it up with zeros.
LEAT_INLINE Operation<void> truncate(std::string_view path, std::int64_t length = 0,
                                     FileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> truncate(std::string_view path, std::int64_t length,
                                     FileOptions options) {
  using namespace leat::detail;
  FileDraft<void> draft(truncatePath, FileCall::truncate, path);
  draft->length = length < 0 ? 0 : length;
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
