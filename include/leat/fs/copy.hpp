// SPDX-License-Identifier: MIT
// copyFile: one file, in the kernel where it can be.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

namespace leat::inline LEAT_ABI::detail {

/// FICLONE of <linux/fs.h>, which clashes with <sys/mount.h>: _IOW(0x94, 9, int).
constexpr unsigned long ficlone = _IOW(0x94, 9, int);

#if LEAT_BODIES
/// Copies what there is by way of a buffer. 0 or -errno.
LEAT_INLINE int pumpBytes(const FileRequest& request, int from, int to) {
  const Buffer buffer = Buffer::allocUnsafe(std::size_t{256} << 10);
  while (!request.left()) {
    const ssize_t n = sys::read(from, buffer.data(), buffer.size());
    if (n <= 0) return static_cast<int>(n);
    for (ssize_t done = 0; done < n;) {
      const ssize_t written =
          sys::write(to, buffer.data() + done, static_cast<std::size_t>(n - done));
      if (written < 0) return static_cast<int>(written);
      done += written;
    }
  }
  return -ECANCELED;
}

/// Copies the bytes from the current positions on. What the kernel cannot copy by itself (another kind
/// of file system, /proc) goes through a buffer.
LEAT_INLINE int copyBytes(const FileRequest& request, int from, int to) {
  bool copied = false;
  while (!request.left()) {
    const ssize_t n = sys::copy_file_range(from, to, std::size_t{64} << 20);
    if (n == 0 && copied) return 0;
    const bool refused = n == -EXDEV || n == -EINVAL || n == -ENOSYS || n == -EOPNOTSUPP ||
                         n == -EPERM || n == -EBADF;
    // Files of /proc give nothing here, but have something to read.
    if (n == 0 || (refused && !copied)) return pumpBytes(request, from, to);
    if (n < 0) return static_cast<int>(n);
    copied = true;
  }
  return -ECANCELED;
}

/// With both files open. 0 or -errno.
LEAT_INLINE int fillCopy(const FileRequest& request, int from, int to, const struct ::statx& known,
                         int mode) {
  if (const int error = sys::ftruncate(to, 0)) return error;
  if (const int error = sys::fchmod(to, known.stx_mode & 07777u)) return error;
  if ((mode & (fs::COPYFILE_FICLONE | fs::COPYFILE_FICLONE_FORCE)) != 0) {
    const int error =
        sys::ioctl(to, ficlone, reinterpret_cast<void*>(static_cast<std::intptr_t>(from)));
    if (error == 0 || (mode & fs::COPYFILE_FICLONE_FORCE) != 0) return error;
  }
  // Of a device or a pipe there is nothing that it holds, and /dev/zero has no end.
  return S_ISREG(known.stx_mode) ? copyBytes(request, from, to) : 0;
}

/// 0 or -errno. A copy that failed or was left half-way is removed; a destination that is the source itself,
/// or no plain file, stays.
LEAT_INLINE int copyOne(const FileRequest& request, const char* src, const char* dest, int mode) {
  const int source = sys::open(src, O_RDONLY);
  if (source < 0) return source;
  const sys::UniqueFd from(source);
  struct ::statx known;
  if (const int error = statFd(from.get(), known)) return error;
  if (S_ISDIR(known.stx_mode)) return -EISDIR;
  const int exclusive = (mode & fs::COPYFILE_EXCL) != 0 ? O_EXCL : 0;
  const int opened = sys::open(dest, O_WRONLY | O_CREAT | exclusive, known.stx_mode & 07777u);
  if (opened < 0) return opened;
  sys::UniqueFd to(opened);
  struct ::statx there;
  int error = statFd(to.get(), there);
  if (error == 0 && sameFile(known, there)) return 0;
  const bool plain = error != 0 || S_ISREG(there.stx_mode);
  if (error == 0) error = fillCopy(request, from.get(), to.get(), known, mode);
  const int closed = sys::close(to.release());
  if (error == 0) error = closed;
  if (error != 0 && plain) (void)sys::unlink(dest);
  return error;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// Copies a file and its mode. `mode` is bits of COPYFILE_EXCL (`dest` must not exist), COPYFILE_FICLONE
/// (shares the blocks where the file system can) and COPYFILE_FICLONE_FORCE (or fails).
/// Of a device or a pipe the copy is an empty file.
/// Node: copying a folder empties `dest` before it fails, and a copy onto a device fails and removes it; here
/// both stay as they were. What is in files of /proc and /sys, which say that they are empty, is copied.
/// Throws: SystemError; RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE Operation<void> copyFile(std::string_view src, std::string_view dest, int mode = 0,
                                     FileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> copyFile(std::string_view src, std::string_view dest, int mode,
                                     FileOptions options) {
  using namespace leat::detail;
  checkThreeBits(mode);
  const auto body = [](FileRequest& r) {
    r.check(copyOne(r, r.path.c_str(), r.dest.c_str(), r.flags));
  };
  FileDraft<void> draft(body, FileCall::copyFile, src, "src", dest, "dest");
  draft->flags = mode;
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
