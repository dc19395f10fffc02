// SPDX-License-Identifier: MIT
// The table of the operations of fs, and what one of them owns while it travels.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/core/system_error.hpp>
#include <leat/fs/detail/closing_job.hpp>
#include <leat/fs/types.hpp>
#include <leat/sys/fd.hpp>

#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::detail {

/// Where an operation is done. Which way is the fastest was measured: bench/fs_ways*.cpp, docs/files.md.
enum class FileWay : unsigned char {
  Pool,    // as one job on the blocking pool, however many system calls it makes
  AtOnce,  // by the loop's thread when all it needs is in memory, else as Pool
  Ring,    // as AtOnce; else by the kernel where the loop has a ring, else as Pool
};

// clang-format off
/// Every operation: its name, what its errors call it, and its way.
#define LEAT_FILE_CALLS(X)                                                                      \
  X(open, "open", AtOnce)           X(close, "close", Pool)         X(read, "read", Ring)       \
  X(write, "write", Pool)           X(fstat, "fstat", AtOnce)       X(stat, "stat", AtOnce)     \
  X(lstat, "lstat", AtOnce)         X(statfs, "statfs", Pool)       X(access, "access", Pool)   \
  X(fsync, "fsync", Pool)           X(fdatasync, "fdatasync", Pool)                             \
  X(ftruncate, "ftruncate", Pool)   X(truncate, "open", Pool)       X(chmod, "chmod", Pool)     \
  X(fchmod, "fchmod", Pool)         X(chown, "chown", Pool)         X(lchown, "lchown", Pool)   \
  X(fchown, "fchown", Pool)         X(utimes, "utime", Pool)        X(lutimes, "lutime", Pool)  \
  X(futimes, "futime", Pool)        X(rename, "rename", Pool)       X(unlink, "unlink", Pool)   \
  X(link, "link", Pool)             X(symlink, "symlink", Pool)     X(readlink, "readlink", Pool) \
  X(realpath, "realpath", Pool)     X(mkdir, "mkdir", Pool)         X(mkdtemp, "mkdtemp", Pool) \
  X(rmdir, "rmdir", Pool)           X(readdir, "scandir", Pool)     X(opendir, "opendir", Pool) \
  X(readDirectory, "scandir", Pool) X(closedir, "closedir", Pool)   X(rm, "rm", Pool)           \
  X(readFile, "read", AtOnce)       X(writeFile, "write", Pool)     X(readv, "read", Pool)      \
  X(copyFile, "copyfile", Pool)     X(cp, "cp", Pool)               X(watch, "watch", Pool)
// clang-format on

enum class FileCall : unsigned char {
#define LEAT_FILE_ENUMERATOR(name, syscall, way) name,
  LEAT_FILE_CALLS(LEAT_FILE_ENUMERATOR)
#undef LEAT_FILE_ENUMERATOR
};

constexpr const char* syscallOf(FileCall call) noexcept {
  constexpr const char* names[] = {
#define LEAT_FILE_SYSCALL(name, syscall, way) syscall,
      LEAT_FILE_CALLS(LEAT_FILE_SYSCALL)
#undef LEAT_FILE_SYSCALL
  };
  return names[static_cast<int>(call)];
}
constexpr FileWay wayOf(FileCall call) noexcept {
  constexpr FileWay ways[] = {
#define LEAT_FILE_WAY(name, syscall, way) FileWay::way,
      LEAT_FILE_CALLS(LEAT_FILE_WAY)
#undef LEAT_FILE_WAY
  };
  return ways[static_cast<int>(call)];
}
#undef LEAT_FILE_CALLS

[[noreturn]] LEAT_NOINLINE inline void throwFile(int error, std::string_view syscall,
                                                 std::string_view path = {},
                                                 std::string_view dest = {}) {
  throw SystemError(error < 0 ? -error : error, syscall, path, dest);
}

/// A copy of a path that the system can take. Throws: TypeError ERR_INVALID_ARG_VALUE.
LEAT_INLINE std::string ownPath(std::string_view path, std::string_view name);

#if LEAT_BODIES
LEAT_INLINE std::string ownPath(std::string_view path, std::string_view name) {
  if (path.find('\0') != std::string_view::npos)
    throw TypeError(SharedText{
        "The argument '", name,
        "' must be a string, Uint8Array, or URL without null bytes. Received ", Inspected(path)}
                        .view());
  return std::string(path);
}
#endif

/// What an operation needs, all of it its own: it may outlive who asked for it. Which members mean
/// something depends on the call.
struct FileRequest {
  explicit FileRequest(FileCall c) noexcept : call(c) {}
  FileRequest(FileCall c, std::string_view p) : call(c), paths(1), path(ownPath(p, "path")) {}
  FileRequest(FileCall c, std::string_view p, std::string_view pathName, std::string_view d,
              std::string_view destName)
      : call(c), paths(2), path(ownPath(p, pathName)), dest(ownPath(d, destName)) {}
  FileRequest(FileCall c, Ref<FileState> f) noexcept : call(c), file(std::move(f)) {}

  /// Whether nobody waits any more, so that long work may stop half-way.
  bool left() const noexcept { return abandoned.load(relaxed); }
  /// Throws: SystemError when `result` is -errno.
  long check(long result) const {
    if (result < 0) [[unlikely]]
      fail(result);
    return result;
  }
  [[noreturn]] void fail(long error) const {
    throwFile(static_cast<int>(error), syscallOf(call),
              paths > 0 ? std::string_view(path) : std::string_view(),
              paths > 1 ? std::string_view(dest) : std::string_view());
  }

  FileCall call;
  unsigned char paths = 0;
  bool flag = false;  // recursive, flush, ...
  int flags = 0;
  unsigned mode = 0;
  unsigned uid = 0;
  unsigned gid = 0;
  std::int64_t position = -1;
  std::int64_t offset = 0;
  std::int64_t length = 0;
  timespec times[2] = {};
  std::string path;
  std::string dest;
  FileUse file;
  sys::UniqueFd opened;   // by the loop's thread, for the worker to go on with
  std::size_t begun = 0;  // bytes that were read already
  bool missed = false;    // what was tried at once was not in memory
  Ref<ClosingJob> object;
  std::vector<Buffer> buffers;
  Atomic<bool> abandoned{false};
};

}  // namespace leat::inline LEAT_ABI::detail
