// SPDX-License-Identifier: MIT
// Operations on one or two names: what is known of a file, and what it is called.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

namespace leat::inline LEAT_ABI::detail {

LEAT_INLINE fs::Stats statOf(FileRequest& request);
LEAT_INLINE bool statAtOnce(FileRequest& request, Slot<fs::Stats>& result);
LEAT_INLINE fs::StatFs statFsOf(FileRequest& request);
LEAT_INLINE std::string realPath(FileRequest& request);
LEAT_INLINE fs::Operation<void> changeOwner(FileCall call, std::string_view path, unsigned uid,
                                            unsigned gid, SignalRef signal);

#if LEAT_BODIES
LEAT_INLINE fs::Stats statOf(FileRequest& request) {
  struct ::statx found;
  request.check(statPath(request.path, request.call != FileCall::lstat, found));
  if (localDevices.recall(deviceKeyOf(found)) == KnownPlaces::Answer::unknown)
    learnDeviceOf(request.path, request.call != FileCall::lstat);
  return fs::Stats(found);
}

LEAT_INLINE bool statAtOnce(FileRequest& request, Slot<fs::Stats>& result) {
  struct ::statx found;
  if (!statCached(request, found)) return false;
  result.emplace(found);
  return true;
}

LEAT_INLINE fs::StatFs statFsOf(FileRequest& request) {
  struct ::statfs s;
  request.check(sys::statfs(request.path.c_str(), s));
  const auto number = [](auto value) { return static_cast<std::uint64_t>(value); };
  return fs::StatFs{number(s.f_type),   number(s.f_bsize), number(s.f_blocks), number(s.f_bfree),
                    number(s.f_bavail), number(s.f_files), number(s.f_ffree)};
}

/// What a link says. Throws: SystemError.
LEAT_INLINE std::string linkTarget(const FileRequest& request) {
  std::string target(255, '\0');
  for (;;) {
    const auto n = static_cast<std::size_t>(
        request.check(sys::readlink(request.path.c_str(), target.data(), target.size())));
    const bool whole = n < target.size();
    target.resize(whole ? n : 2 * n);
    if (whole) return target;
  }
}

LEAT_INLINE std::string realPath(FileRequest& request) {
  struct Freed {
    ~Freed() { ::free(text); }
    char* text = nullptr;
  };
  Freed found;
  request.check(sys::realpath(request.path.c_str(), found.text));
  return found.text;
}

LEAT_INLINE fs::Operation<void> changeTimes(FileCall call, std::string_view path,
                                            fs::FileTime atime, fs::FileTime mtime,
                                            SignalRef signal) {
  const auto body = [](FileRequest& r) {
    const int flags = r.call == FileCall::lutimes ? AT_SYMLINK_NOFOLLOW : 0;
    r.check(sys::utimensat(r.path.c_str(), r.times, flags));
  };
  FileDraft<void> draft(body, call, path);
  draft->times[0] = atime.value();
  draft->times[1] = mtime.value();
  return std::move(draft).with(signal);
}

LEAT_INLINE fs::Operation<void> changeOwner(FileCall call, std::string_view path, unsigned uid,
                                            unsigned gid, SignalRef signal) {
  const auto body = [](FileRequest& r) {
    const int flags = r.call == FileCall::lchown ? AT_SYMLINK_NOFOLLOW : 0;
    r.check(sys::fchownat(r.path.c_str(), r.uid, r.gid, flags));
  };
  FileDraft<void> draft(body, call, path);
  draft->uid = uid;
  draft->gid = gid;
  return std::move(draft).with(signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// What is known of the file that the path leads to.
LEAT_INLINE Operation<Stats> stat(std::string_view path, FileOptions options = {});
/// The same, but of a symbolic link itself.
LEAT_INLINE Operation<Stats> lstat(std::string_view path, FileOptions options = {});
/// What is known of the file system that the file is on.
LEAT_INLINE Operation<StatFs> statfs(std::string_view path, FileOptions options = {});

/// Fails unless the process may do what `mode` says: F_OK, or bits of R_OK, W_OK, X_OK.
/// Throws: RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE Operation<void> access(std::string_view path, int mode = F_OK,
                                   FileOptions options = {});
LEAT_INLINE Operation<void> chmod(std::string_view path, FileMode mode, FileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<Stats> stat(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  return FileDraft<Stats>(statOf, FileCall::stat, path).quickly(statAtOnce).with(options.signal);
}

LEAT_INLINE Operation<Stats> lstat(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  return FileDraft<Stats>(statOf, FileCall::lstat, path).quickly(statAtOnce).with(options.signal);
}

LEAT_INLINE Operation<StatFs> statfs(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  return FileDraft<StatFs>(statFsOf, FileCall::statfs, path).with(options.signal);
}

LEAT_INLINE Operation<void> access(std::string_view path, int mode, FileOptions options) {
  using namespace leat::detail;
  checkThreeBits(mode);
  const auto body = [](FileRequest& r) { r.check(sys::access(r.path.c_str(), r.flags)); };
  FileDraft<void> draft(body, FileCall::access, path);
  draft->flags = mode;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<void> chmod(std::string_view path, FileMode mode, FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::fchmodat(r.path.c_str(), r.mode)); };
  FileDraft<void> draft(body, FileCall::chmod, path);
  draft->mode = mode.value();
  return std::move(draft).with(options.signal);
}
#endif
/// Changes the owner; an id of -1 leaves it as it is.
inline Operation<void> chown(std::string_view path, unsigned uid, unsigned gid,
                             FileOptions options = {}) {
  return leat::detail::changeOwner(leat::detail::FileCall::chown, path, uid, gid, options.signal);
}
/// The same, but of a symbolic link itself.
inline Operation<void> lchown(std::string_view path, unsigned uid, unsigned gid,
                              FileOptions options = {}) {
  return leat::detail::changeOwner(leat::detail::FileCall::lchown, path, uid, gid, options.signal);
}
/// Sets when the file was last read and written. Node keeps microseconds; here it is nanoseconds.
LEAT_INLINE Operation<void> utimes(std::string_view path, FileTime atime, FileTime mtime,
                                   FileOptions options = {});
/// The same, but of a symbolic link itself.
LEAT_INLINE Operation<void> lutimes(std::string_view path, FileTime atime, FileTime mtime,
                                    FileOptions options = {});
LEAT_INLINE Operation<void> rename(std::string_view oldPath, std::string_view newPath,
                                   FileOptions options = {});
LEAT_INLINE Operation<void> unlink(std::string_view path, FileOptions options = {});
LEAT_INLINE Operation<void> link(std::string_view existingPath, std::string_view newPath,
                                 FileOptions options = {});
/// Makes `path` a symbolic link that says `target`.
LEAT_INLINE Operation<void> symlink(std::string_view target, std::string_view path,
                                    FileOptions options = {});
/// What a symbolic link says.
LEAT_INLINE Operation<std::string> readlink(std::string_view path, FileOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> utimes(std::string_view path, FileTime atime, FileTime mtime,
                                   FileOptions options) {
  return leat::detail::changeTimes(leat::detail::FileCall::utimes, path, atime, mtime,
                                   options.signal);
}

LEAT_INLINE Operation<void> lutimes(std::string_view path, FileTime atime, FileTime mtime,
                                    FileOptions options) {
  return leat::detail::changeTimes(leat::detail::FileCall::lutimes, path, atime, mtime,
                                   options.signal);
}

LEAT_INLINE Operation<void> rename(std::string_view oldPath, std::string_view newPath,
                                   FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::rename(r.path.c_str(), r.dest.c_str())); };
  return FileDraft<void>(body, FileCall::rename, oldPath, "oldPath", newPath, "newPath")
      .with(options.signal);
}

LEAT_INLINE Operation<void> unlink(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::unlink(r.path.c_str())); };
  return FileDraft<void>(body, FileCall::unlink, path).with(options.signal);
}

LEAT_INLINE Operation<void> link(std::string_view existingPath, std::string_view newPath,
                                 FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::link(r.path.c_str(), r.dest.c_str())); };
  return FileDraft<void>(body, FileCall::link, existingPath, "existingPath", newPath, "newPath")
      .with(options.signal);
}

LEAT_INLINE Operation<void> symlink(std::string_view target, std::string_view path,
                                    FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::symlink(r.path.c_str(), r.dest.c_str())); };
  return FileDraft<void>(body, FileCall::symlink, target, "target", path, "path")
      .with(options.signal);
}

LEAT_INLINE Operation<std::string> readlink(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { return linkTarget(r); };
  return FileDraft<std::string>(body, FileCall::readlink, path).with(options.signal);
}
#endif
/// The absolute path without links, "." and "..".
inline Operation<std::string> realpath(std::string_view path, FileOptions options = {}) {
  using namespace leat::detail;
  return FileDraft<std::string>(realPath, FileCall::realpath, path).with(options.signal);
}

}  // namespace leat::inline LEAT_ABI::fs
