// SPDX-License-Identifier: MIT
// What is known of a file, a file system and an entry of a folder.
#pragma once

#include <leat/sys/file_calls.hpp>

#include <sys/sysmacros.h>

#include <cstdint>
#include <string>

namespace leat::inline LEAT_ABI::fs {

/// The kind of a file: the S_IFMT bits of a mode, or 0 when not known.
class FileKind {
 public:
  constexpr explicit FileKind(unsigned mode) noexcept : bits_(mode & S_IFMT) {}
  constexpr bool isFile() const noexcept { return bits_ == S_IFREG; }
  constexpr bool isDirectory() const noexcept { return bits_ == S_IFDIR; }
  constexpr bool isSymbolicLink() const noexcept { return bits_ == S_IFLNK; }
  constexpr bool isFIFO() const noexcept { return bits_ == S_IFIFO; }
  constexpr bool isSocket() const noexcept { return bits_ == S_IFSOCK; }
  constexpr bool isBlockDevice() const noexcept { return bits_ == S_IFBLK; }
  constexpr bool isCharacterDevice() const noexcept { return bits_ == S_IFCHR; }

 private:
  unsigned bits_;
};

/// Node: `fs.Stats`; all integers, as with `bigint: true`, with milliseconds beside the nanoseconds.
class Stats : public FileKind {
 public:
  explicit Stats(const struct ::statx& from) noexcept;
  std::uint64_t dev;
  std::uint64_t ino;
  unsigned mode;
  std::uint64_t nlink;
  unsigned uid;
  unsigned gid;
  std::uint64_t rdev;
  std::int64_t size;
  std::int64_t blksize;
  std::int64_t blocks;
  std::int64_t atimeNs;
  std::int64_t mtimeNs;
  std::int64_t ctimeNs;
  std::int64_t birthtimeNs;
  double atimeMs;
  double mtimeMs;
  double ctimeMs;
  double birthtimeMs;
};

/// Node: `fs.StatFs`.
struct StatFs {
  std::uint64_t type;
  std::uint64_t bsize;
  std::uint64_t blocks;
  std::uint64_t bfree;
  std::uint64_t bavail;
  std::uint64_t files;
  std::uint64_t ffree;
};

/// Node: `fs.Dirent`.
class Dirent : public FileKind {
 public:
  Dirent(std::string itsName, std::string itsFolder, unsigned mode)
      : FileKind(mode), name(std::move(itsName)), parentPath(std::move(itsFolder)) {}
  std::string name;
  /// Of the folder, as it was given.
  std::string parentPath;
};

/// Asks for `Dirent`s instead of names: `readdir(path, withFileTypes)`.
struct WithFileTypes {};
inline constexpr WithFileTypes withFileTypes{};

#if LEAT_BODIES
LEAT_INLINE Stats::Stats(const struct ::statx& s) noexcept
    : FileKind(s.stx_mode),
      dev(static_cast<std::uint64_t>(makedev(s.stx_dev_major, s.stx_dev_minor))),
      ino(s.stx_ino),
      mode(s.stx_mode),
      nlink(s.stx_nlink),
      uid(s.stx_uid),
      gid(s.stx_gid),
      rdev(static_cast<std::uint64_t>(makedev(s.stx_rdev_major, s.stx_rdev_minor))),
      size(static_cast<std::int64_t>(s.stx_size)),
      blksize(s.stx_blksize),
      blocks(static_cast<std::int64_t>(s.stx_blocks)) {
  const auto ns = [](const auto& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  const auto ms = [](const auto& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
  };
  atimeNs = ns(s.stx_atime);
  mtimeNs = ns(s.stx_mtime);
  ctimeNs = ns(s.stx_ctime);
  birthtimeNs = ns(s.stx_btime);
  atimeMs = ms(s.stx_atime);
  mtimeMs = ms(s.stx_mtime);
  ctimeMs = ms(s.stx_ctime);
  birthtimeMs = ms(s.stx_btime);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
