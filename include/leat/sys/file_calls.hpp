// SPDX-License-Identifier: MIT
// The system calls of files and folders, through the seam.
#pragma once

#include <leat/sys/calls.hpp>

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstdio>
#include <cstdlib>

namespace leat::inline LEAT_ABI::sys {

static_assert(sizeof(off_t) == 8, "leat needs file offsets of 64 bits: -D_FILE_OFFSET_BITS=64");

LEAT_INLINE ssize_t pread(int fd, void* data, size_t size, off_t offset) noexcept;
LEAT_INLINE ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) noexcept;
LEAT_INLINE ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) noexcept;
LEAT_INLINE ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) noexcept;
/// Between the current positions of both.
LEAT_INLINE ssize_t copy_file_range(int from, int to, size_t size) noexcept;
/// Between places, which move; a null one is the current position.
LEAT_INLINE ssize_t copy_file_range(int from, off_t* fromAt, int to, off_t* toAt,
                                    size_t size) noexcept;
LEAT_INLINE int ftruncate(int fd, off_t size) noexcept;
LEAT_INLINE int fsync(int fd) noexcept;
LEAT_INLINE int fdatasync(int fd) noexcept;
/// Opens for `preadv2` and `statx` what the kernel can find without asking a disk; else -EAGAIN. With
/// `plainly` no link is followed. Before Linux 5.6 -ENOSYS, before 5.12 -EINVAL.
LEAT_INLINE int openCached(const char* path, int flags, bool plainly) noexcept;
/// Bytes that are in memory, perhaps fewer than asked for; -EAGAIN when there are none. -1 is the current
/// position. File systems that cannot promise not to wait answer -EOPNOTSUPP.
LEAT_INLINE ssize_t readCached(int fd, void* data, size_t size, std::int64_t offset) noexcept;
/// Seconds of the steady clock, quickly. Cannot fail, so the hook is not asked.
LEAT_INLINE std::uint64_t coarseSeconds() noexcept;

// ---- bytes at a place ----

#if LEAT_BODIES
LEAT_INLINE ssize_t pread(int fd, void* data, size_t size, off_t offset) noexcept {
  ssize_t n;
  do n = fails(Call::pread) ? -1 : ::pread(fd, data, size, offset);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) noexcept {
  ssize_t n;
  do n = fails(Call::pwrite) ? -1 : ::pwrite(fd, data, size, offset);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) noexcept {
  ssize_t n;
  do n = fails(Call::preadv) ? -1 : ::preadv(fd, vectors, count, offset);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) noexcept {
  ssize_t n;
  do n = fails(Call::pwritev) ? -1 : ::pwritev(fd, vectors, count, offset);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t copy_file_range(int from, int to, size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::copy_file_range) ? -1 : ::copy_file_range(from, nullptr, to, nullptr, size, 0);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t copy_file_range(int from, off_t* fromAt, int to, off_t* toAt,
                                    size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::copy_file_range) ? -1 : ::copy_file_range(from, fromAt, to, toAt, size, 0);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE int ftruncate(int fd, off_t size) noexcept {
  int r;
  do r = fails(Call::ftruncate) ? -1 : ::ftruncate(fd, size);
  while (interrupted(r));
  return outcome(r);
}

LEAT_INLINE int fsync(int fd) noexcept {
  int r;
  do r = fails(Call::fsync) ? -1 : ::fsync(fd);
  while (interrupted(r));
  return outcome(r);
}

LEAT_INLINE int fdatasync(int fd) noexcept {
  int r;
  do r = fails(Call::fdatasync) ? -1 : ::fdatasync(fd);
  while (interrupted(r));
  return outcome(r);
}

// ---- only what is in memory ----

LEAT_INLINE int openCached(const char* path, int flags, bool plainly) noexcept {
  constexpr long number = 437;  // the same on every architecture but alpha
  constexpr std::uint64_t noSymlinks = 0x04, cached = 0x20;
  struct {
    std::uint64_t flags, mode, resolve;
  } how{static_cast<unsigned>(flags | O_CLOEXEC), 0, cached | (plainly ? noSymlinks : 0)};
  if (fails(Call::openat2)) return -errno;
  return outcome(static_cast<int>(::syscall(number, AT_FDCWD, path, &how, sizeof how)));
}

LEAT_INLINE ssize_t readCached(int fd, void* data, size_t size, std::int64_t offset) noexcept {
  constexpr int noWait = 8;
  const iovec vector{data, size};
  if (fails(Call::preadv2)) return -errno;
  const long n = ::syscall(SYS_preadv2, fd, &vector, 1, static_cast<long>(offset),
                           static_cast<long>(offset >> 32), noWait);
  return outcome(static_cast<ssize_t>(n));
}

/// Whether a pipe has, or since it was opened had, a writer; looks for a moment. `spare` is the end to write
/// to of another, empty one. Takes nothing out of it. Not asked of the hook.
LEAT_INLINE bool hadWriter(int fd, int spare) noexcept {
  constexpr int momentMs = 5;
  pollfd entry{fd, POLLIN, 0};
  if (::poll(&entry, 1, momentMs) > 0) return true;
  // Empty: the end, which is 0, without a writer.
  const ssize_t n = ::tee(fd, spare, 1, SPLICE_F_NONBLOCK);
  return n > 0 || (n < 0 && errno == EAGAIN);
}

/// Fewer, larger pages for much memory that is about to be filled. It is only advice, and the hook is not
/// asked.
LEAT_INLINE void adviseHugePages(void* data, size_t size) noexcept {
  constexpr std::uintptr_t huge = 2U << 20;
  const std::uintptr_t from = (reinterpret_cast<std::uintptr_t>(data) + huge - 1) & ~(huge - 1);
  const std::uintptr_t to = (reinterpret_cast<std::uintptr_t>(data) + size) & ~(huge - 1);
  if (size >= 4 * huge) (void)::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
}

LEAT_INLINE std::uint64_t coarseSeconds() noexcept {
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<std::uint64_t>(time.tv_sec);
}
#endif

// ---- what is known of a file ----

/// The whole of it. With an empty path and AT_EMPTY_PATH that of `folder`, a descriptor.
inline int statx(int folder, const char* path, int flags, struct ::statx& found) noexcept {
  constexpr unsigned wanted = STATX_BASIC_STATS | STATX_BTIME;
  return outcome(fails(Call::statx) ? -1 : ::statx(folder, path, flags, wanted, &found));
}
LEAT_INLINE int statfs(const char* path, struct ::statfs& found) noexcept;
LEAT_INLINE int fstatfs(int fd, struct ::statfs& found) noexcept;

#if LEAT_BODIES
LEAT_INLINE int statfs(const char* path, struct ::statfs& found) noexcept {
  int r;
  do r = fails(Call::statfs) ? -1 : ::statfs(path, &found);
  while (interrupted(r));
  return outcome(r);
}

LEAT_INLINE int fstatfs(int fd, struct ::statfs& found) noexcept {
  int r;
  do r = fails(Call::fstatfs) ? -1 : ::fstatfs(fd, &found);
  while (interrupted(r));
  return outcome(r);
}
#endif
inline int access(const char* path, int mode) noexcept {
  return outcome(fails(Call::access) ? -1 : ::access(path, mode));
}
inline int fchmodat(const char* path, unsigned mode) noexcept {
  return outcome(fails(Call::fchmodat) ? -1 : ::fchmodat(AT_FDCWD, path, mode, 0));
}
inline int fchmod(int fd, unsigned mode) noexcept {
  return outcome(fails(Call::fchmod) ? -1 : ::fchmod(fd, mode));
}
inline int fchownat(const char* path, uid_t uid, gid_t gid, int flags) noexcept {
  return outcome(fails(Call::fchownat) ? -1 : ::fchownat(AT_FDCWD, path, uid, gid, flags));
}
inline int fchown(int fd, uid_t uid, gid_t gid) noexcept {
  return outcome(fails(Call::fchown) ? -1 : ::fchown(fd, uid, gid));
}
inline int utimensat(const char* path, const timespec (&times)[2], int flags) noexcept {
  return outcome(fails(Call::utimensat) ? -1 : ::utimensat(AT_FDCWD, path, times, flags));
}
inline int futimens(int fd, const timespec (&times)[2]) noexcept {
  return outcome(fails(Call::futimens) ? -1 : ::futimens(fd, times));
}

// ---- names ----

inline int mkdir(const char* path, unsigned mode) noexcept {
  return outcome(fails(Call::mkdir) ? -1 : ::mkdir(path, mode));
}
/// Replaces the six X at the end of `pattern`.
inline int mkdtemp(char* pattern) noexcept {
  return outcome(fails(Call::mkdtemp) || ::mkdtemp(pattern) == nullptr ? -1 : 0);
}
inline int rmdir(const char* path) noexcept {
  return outcome(fails(Call::rmdir) ? -1 : ::rmdir(path));
}
inline int rename(const char* from, const char* to) noexcept {
  return outcome(fails(Call::rename) ? -1 : ::rename(from, to));
}
inline int symlink(const char* target, const char* path) noexcept {
  return outcome(fails(Call::symlink) ? -1 : ::symlink(target, path));
}
inline ssize_t readlink(const char* path, char* target, size_t size) noexcept {
  return outcome(fails(Call::readlink) ? -1 : ::readlink(path, target, size));
}
inline int link(const char* from, const char* to) noexcept {
  return outcome(fails(Call::link) ? -1 : ::link(from, to));
}
/// `found` is for the caller to free().
inline int realpath(const char* path, char*& found) noexcept {
  found = fails(Call::realpath) ? nullptr : ::realpath(path, nullptr);
  return found == nullptr ? -errno : 0;
}

// ---- folders ----

inline int opendir(const char* path, DIR*& stream) noexcept {
  stream = fails(Call::opendir) ? nullptr : ::opendir(path);
  return stream == nullptr ? -errno : 0;
}
/// The same of what is a folder itself: -ENOTDIR where a link leads to one.
LEAT_INLINE int opendirNoFollow(const char* path, DIR*& stream) noexcept;
/// 1 and an entry, which is good until the next call; 0 at the end.
LEAT_INLINE int readdir(DIR* stream, const dirent*& entry) noexcept;

#if LEAT_BODIES
LEAT_INLINE int opendirNoFollow(const char* path, DIR*& stream) noexcept {
  stream = nullptr;
  if (fails(Call::opendir)) return -errno;
  const int fd = ::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  stream = ::fdopendir(fd);
  if (stream != nullptr) return 0;
  const int error = -errno;
  (void)::close(fd);
  return error;
}
LEAT_INLINE int readdir(DIR* stream, const dirent*& entry) noexcept {
  entry = nullptr;
  if (fails(Call::readdir)) return -errno;
  errno = 0;
  entry = ::readdir(stream);
  return entry != nullptr ? 1 : -errno;
}
#endif
/// Never made twice, as `close`.
inline int closedir(DIR* stream) noexcept {
  const int r = ::closedir(stream);
  return outcome(fails(Call::closedir) ? -1 : r);
}

// ---- changes, and waiting for them ----

/// Not asked of the hook: it cannot fail.
LEAT_INLINE void sleepNs(std::int64_t ns) noexcept;

#if LEAT_BODIES
LEAT_INLINE void sleepNs(std::int64_t ns) noexcept {
  timespec rest{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (::nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}
#endif

inline int inotify_init1(int flags) noexcept {
  return outcome(fails(Call::inotify_init1) ? -1 : ::inotify_init1(flags));
}
inline int inotify_add_watch(int fd, const char* path, std::uint32_t mask) noexcept {
  return outcome(fails(Call::inotify_add_watch) ? -1 : ::inotify_add_watch(fd, path, mask));
}
inline int inotify_rm_watch(int fd, int watch) noexcept {
  return outcome(fails(Call::inotify_rm_watch) ? -1 : ::inotify_rm_watch(fd, watch));
}

}  // namespace leat::inline LEAT_ABI::sys
