// SPDX-License-Identifier: MIT
// cp: whole trees of files, by the rules of Node's.
#pragma once

#include <leat/core/with_context.hpp>
#include <leat/fs/copy.hpp>
#include <leat/fs/directories.hpp>
#include <leat/fs/paths.hpp>

namespace leat::inline LEAT_ABI::detail {

/// A part of the copy of a tree: a file, a link, a folder without what is in it, or when `completed` the
/// mode of a folder.
struct CopyStep {
  std::string src;
  std::string dest;
  bool completed;
  unsigned mode;
};

#if LEAT_BODIES
/// Copies trees without recursion.
class TreeCopy {
 public:
  TreeCopy(const FileRequest& request, const fs::CpOptions& options) noexcept
      : request_(request), options_(options) {}
  // All throw SystemError.
  /// All of it.
  void copy(const std::string& src, const std::string& dest);
  /// The outermost part.
  void begin(const std::string& src, const std::string& dest);
  void perform(const CopyStep& step);
  /// What is to be done after that, the next last.
  std::vector<CopyStep> rest() { return std::move(todo_); }

 private:
  using Found = struct ::statx;
  /// What is known of both; false: there is no `dest`. Refuses what must not be copied.
  bool examine(const std::string& src, const std::string& dest, Found& from, Found& to) const;
  void refuseSelf(const std::string& src, const Found& from, const std::string& dest) const;
  void copyAny(const std::string& src, const std::string& dest, const Found& from, bool exists);
  void copyFolder(const std::string& src, const std::string& dest, const Found& from, bool exists);
  void copyFile(const std::string& src, const std::string& dest, const Found& from, bool exists);
  void copyLink(const std::string& src, const std::string& dest, bool exists);
  void setTimes(const std::string& src, const std::string& dest, unsigned mode) const;
  static std::string readLink(const std::string& path);
  static std::string resolved(std::string_view path);
  static bool isWithin(const std::string& outer, const std::string& inner) {
    const std::string o = resolved(outer);
    const std::string i = resolved(inner);
    return o == "/" || (i.starts_with(o) && (i.size() == o.size() || i[o.size()] == '/'));
  }
  static void check(int error, std::string_view syscall, std::string_view path,
                    std::string_view dest = {}) {
    if (error != 0) throwFile(error, syscall, path, dest);
  }
  [[noreturn]] static void refuse(int error, std::string_view path, std::string_view code,
                                  std::string_view text, std::string_view reason) {
    throw SystemError::ofFile(error, "cp", path, code, text, reason);
  }
  [[noreturn]] static void refuseSubdirectory(std::string_view src, std::string_view shown,
                                              std::string_view dest) {
    const SharedText reason{"cannot copy ", src, " to a subdirectory of self ", shown};
    refuse(EINVAL, dest, "ERR_FS_CP_EINVAL", "Invalid src or dest", reason.view());
  }

  const FileRequest& request_;
  const fs::CpOptions& options_;
  std::vector<CopyStep> todo_;
};
#endif

LEAT_INLINE void checkCpOptions(const fs::CpOptions& options);
/// Does one step, and gives those that follow from it. `offset`: whether it is the first of all.
LEAT_INLINE fs::Operation<std::vector<CopyStep>> copyStep(const CopyStep& step, bool first,
                                                          const fs::CpOptions& options);

#if LEAT_BODIES
LEAT_INLINE std::string TreeCopy::resolved(std::string_view path) {
  if (path.starts_with('/')) return normalizedPath(path);
  char* here = nullptr;
  check(sys::realpath(".", here), "uv_cwd", {});
  std::string whole(here);
  ::free(here);
  return joinedPath(whole, path);
}

LEAT_INLINE std::string TreeCopy::readLink(const std::string& path) {
  FileRequest request(FileCall::readlink, path);
  return linkTarget(request);
}

LEAT_INLINE void TreeCopy::copy(const std::string& src, const std::string& dest) {
  begin(src, dest);
  while (!todo_.empty() && !request_.left()) {
    const CopyStep step = std::move(todo_.back());
    todo_.pop_back();
    perform(step);
  }
}

LEAT_INLINE void TreeCopy::begin(const std::string& src, const std::string& dest) {
  Found from;
  Found to;
  const bool exists = examine(src, dest, from, to);
  refuseSelf(src, from, dest);
  std::string parent(folderOf(dest));
  const int error = statPath(parent, true, to);
  if (error == -ENOENT) {
    std::string first;
    const int refused = makeFolders(parent, 0777, first);
    check(refused, "mkdir", parent);
  } else {
    check(error, "stat", parent);
  }
  copyAny(src, dest, from, exists);
}

LEAT_INLINE void TreeCopy::perform(const CopyStep& step) {
  if (step.completed) return check(sys::fchmodat(step.dest.c_str(), step.mode), "chmod", step.dest);
  Found from;
  Found to;
  const bool exists = examine(step.src, step.dest, from, to);
  copyAny(step.src, step.dest, from, exists);
}

LEAT_INLINE bool TreeCopy::examine(const std::string& src, const std::string& dest, Found& from,
                                   Found& to) const {
  const bool follow = options_.dereference;
  const char* const syscall = follow ? "stat" : "lstat";
  check(statPath(src, follow, from), syscall, src);
  const int error = statPath(dest, follow, to);
  if (error != -ENOENT) check(error, syscall, dest);
  const bool exists = error == 0;
  const bool fromFolder = S_ISDIR(from.stx_mode);
  if (exists && sameFile(from, to))
    refuse(EINVAL, dest, "ERR_FS_CP_EINVAL", "Invalid src or dest",
           "src and dest cannot be the same");
  if (exists && fromFolder && !S_ISDIR(to.stx_mode)) {
    const SharedText why{"cannot overwrite non-directory ", dest, " with directory ", src};
    refuse(EISDIR, dest, "ERR_FS_CP_DIR_TO_NON_DIR",
           "Cannot overwrite non-directory with directory", why.view());
  }
  if (exists && !fromFolder && S_ISDIR(to.stx_mode)) {
    const SharedText why{"cannot overwrite directory ", dest, " with non-directory ", src};
    refuse(ENOTDIR, dest, "ERR_FS_CP_NON_DIR_TO_DIR",
           "Cannot overwrite directory with non-directory", why.view());
  }
  if (fromFolder && isWithin(src, dest)) refuseSubdirectory(src, dest, dest);
  return exists;
}

/// Looks at the folders around `dest`: by their identity, as links may lead into the source.
LEAT_INLINE void TreeCopy::refuseSelf(const std::string& src, const Found& from,
                                      const std::string& dest) const {
  const std::string srcParent = resolved(folderOf(src));
  std::string outer = resolved(folderOf(dest));
  std::string inner = dest;
  while (outer != srcParent && outer != "/") {
    Found found;
    const int error = statPath(outer, true, found);
    if (error == -ENOENT) return;
    check(error, "stat", outer);
    if (sameFile(from, found)) refuseSubdirectory(src, inner, inner);
    inner = outer;
    outer = std::string(folderOf(outer));
  }
}

LEAT_INLINE void TreeCopy::copyAny(const std::string& src, const std::string& dest,
                                   const Found& from, bool exists) {
  const unsigned mode = from.stx_mode;
  if (S_ISDIR(mode)) return copyFolder(src, dest, from, exists);
  if (S_ISREG(mode) || S_ISCHR(mode) || S_ISBLK(mode)) return copyFile(src, dest, from, exists);
  if (S_ISLNK(mode)) return copyLink(src, dest, exists);
  const bool socket = S_ISSOCK(mode);
  const std::string_view what = socket ? "socket file" : "FIFO pipe";
  const SharedText text{"Cannot copy a ", what};
  const SharedText why{"cannot copy a ", what, ": ", dest};
  refuse(EINVAL, dest, socket ? "ERR_FS_CP_SOCKET" : "ERR_FS_CP_FIFO_PIPE", text.view(),
         why.view());
}

LEAT_INLINE void TreeCopy::copyFolder(const std::string& src, const std::string& dest,
                                      const Found& from, bool exists) {
  if (!options_.recursive) {
    const SharedText why{src, " is a directory (not copied)"};
    refuse(EISDIR, src, "ERR_FS_EISDIR", "Path is a directory", why.view());
  }
  if (!exists) {
    check(sys::mkdir(dest.c_str(), 0777), "mkdir", dest);
    todo_.push_back(CopyStep{std::string(), dest, true, from.stx_mode & 07777u});
  }
  std::vector<FolderEntry> entries;
  check(listFolder(src, entries), "opendir", src);
  for (std::size_t i = entries.size(); i-- > 0;)
    todo_.push_back(
        CopyStep{joinedPath(src, entries[i].name), joinedPath(dest, entries[i].name), false, 0});
}

LEAT_INLINE void TreeCopy::copyFile(const std::string& src, const std::string& dest,
                                    const Found& from, bool exists) {
  if (exists && !options_.force) {
    if (!options_.errorOnExist) return;
    const SharedText why{dest, " already exists"};
    refuse(EEXIST, dest, "ERR_FS_CP_EEXIST", "Target already exists", why.view());
  }
  if (exists) check(sys::unlink(dest.c_str()), "unlink", dest);
  check(copyOne(request_, src.c_str(), dest.c_str(), options_.mode), "copyfile", src, dest);
  const unsigned mode = from.stx_mode & 07777u;
  if (options_.preserveTimestamps) setTimes(src, dest, mode);
  check(sys::fchmodat(dest.c_str(), mode), "chmod", dest);
}

LEAT_INLINE void TreeCopy::setTimes(const std::string& src, const std::string& dest,
                                    unsigned mode) const {
  if ((mode & 0200u) == 0) check(sys::fchmodat(dest.c_str(), mode | 0200u), "chmod", dest);
  Found now;
  check(statPath(src, true, now), "stat", src);
  const timespec times[2] = {
      {static_cast<time_t>(now.stx_atime.tv_sec), static_cast<long>(now.stx_atime.tv_nsec)},
      {static_cast<time_t>(now.stx_mtime.tv_sec), static_cast<long>(now.stx_mtime.tv_nsec)}};
  check(sys::utimensat(dest.c_str(), times, 0), "utime", dest);
}

LEAT_INLINE void TreeCopy::copyLink(const std::string& src, const std::string& dest, bool exists) {
  std::string target = readLink(src);
  if (!options_.verbatimSymlinks && !target.starts_with('/'))
    target = resolved(joinedPath(folderOf(src), target));
  char byte;
  if (exists && sys::readlink(dest.c_str(), &byte, 1) >= 0) {
    std::string old = readLink(dest);
    if (!old.starts_with('/')) old = resolved(joinedPath(folderOf(dest), old));
    if (isWithin(target, old)) refuseSubdirectory(target, old, dest);
    Found found;
    check(statPath(src, true, found), "stat", src);
    if (S_ISDIR(found.stx_mode) && isWithin(old, target)) {
      const SharedText why{"cannot overwrite ", old, " with ", target};
      refuse(EINVAL, dest, "ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY",
             "Cannot overwrite symlink in subdirectory of self", why.view());
    }
    check(sys::unlink(dest.c_str()), "unlink", dest);
  }
  check(sys::symlink(target.c_str(), dest.c_str()), "symlink", target, dest);
}

// ---- on the loop's thread ----

LEAT_INLINE void checkCpOptions(const fs::CpOptions& options) {
  checkThreeBits(options.mode);
  if (options.dereference && options.verbatimSymlinks)
    throwTypeError(
        "Option \"dereference\" cannot be used in combination with option \"verbatimSymlinks\"",
        "ERR_INCOMPATIBLE_OPTION_PAIR");
}

LEAT_INLINE void packCpOptions(FileRequest& request, const fs::CpOptions& options) {
  request.length = (options.recursive ? 1 : 0) | (options.force ? 2 : 0) |
                   (options.errorOnExist ? 4 : 0) | (options.dereference ? 8 : 0) |
                   (options.preserveTimestamps ? 16 : 0) | (options.verbatimSymlinks ? 32 : 0);
  request.flags = options.mode;
}

LEAT_INLINE fs::CpOptions cpOptionsOf(const FileRequest& request) {
  const auto has = [&](int bit) { return (request.length & bit) != 0; };
  fs::CpOptions options;
  options.recursive = has(1);
  options.force = has(2);
  options.errorOnExist = has(4);
  options.dereference = has(8);
  options.preserveTimestamps = has(16);
  options.verbatimSymlinks = has(32);
  options.mode = request.flags;
  return options;
}

LEAT_INLINE fs::Operation<std::vector<CopyStep>> copyStep(const CopyStep& step, bool first,
                                                          const fs::CpOptions& options) {
  using Steps = std::vector<CopyStep>;
  const auto body = [](FileRequest& r) {
    const fs::CpOptions asked = cpOptionsOf(r);
    TreeCopy tree(r, asked);
    if (r.offset != 0) {
      tree.begin(r.path, r.dest);
    } else {
      tree.perform(CopyStep{std::move(r.path), std::move(r.dest), r.flag, r.mode});
    }
    return tree.rest();
  };
  FileDraft<Steps> draft(body, FileCall::cp, step.src, "src", step.dest, "dest");
  packCpOptions(*draft.operator->(), options);
  draft->offset = first ? 1 : 0;
  draft->flag = step.completed;
  draft->mode = step.mode;
  return std::move(draft).with(SignalRef());
}
#endif

template <class F>
concept CpFilter = std::is_invocable_v<F&, const std::string&, const std::string&>;

/// Asks the filter on the loop's thread, does each step on a worker. `options`: without the signal, which
/// is the ambient one here.
template <class F>
Task<void> filteredCopy(F filter, CopyStep whole, fs::CpOptions options) {
  std::vector<CopyStep> todo;
  todo.push_back(std::move(whole));
  for (bool first = true; !todo.empty(); first = false) {
    const CopyStep step = std::move(todo.back());
    todo.pop_back();
    if (AbortState* const around = ambientSignal(); around != nullptr && isAborted(*around))
      throw AbortError(around->reason);
    if (!step.completed) {
      bool wanted;
      if constexpr (Awaitable<std::invoke_result_t<F&, const std::string&, const std::string&>>) {
        auto&& asked = filter(step.src, step.dest);
        wanted = static_cast<bool>(co_await std::forward<decltype(asked)>(asked));
      } else {
        wanted = static_cast<bool>(filter(step.src, step.dest));
      }
      if (!wanted) continue;
    }
    auto inner = co_await copyStep(step, first, options);
    for (CopyStep& each : inner) todo.push_back(std::move(each));
  }
}

LEAT_ON_USE
Task<void> underSignal(Task<void> work, AbortSignal signal);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<void> underSignal(Task<void> work, AbortSignal signal) {
  co_await withSignal(signal, std::move(work));
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// Copies a file, or when recursive a folder with all in it. Links are copied as links that lead to the
/// same place, unless `dereference`; with `verbatimSymlinks` they say the same. A device becomes an empty file,
/// a pipe or a socket is an error. With `force` a destination that is there is removed first, also a device.
/// Cancel: what was copied by then stays.
/// Throws: SystemError; TypeError ERR_INCOMPATIBLE_OPTION_PAIR; RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE Operation<void> cp(std::string_view src, std::string_view dest, CpOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> cp(std::string_view src, std::string_view dest, CpOptions options) {
  using namespace leat::detail;
  checkCpOptions(options);
  const auto body = [](FileRequest& r) {
    const CpOptions asked = cpOptionsOf(r);
    TreeCopy(r, asked).copy(r.path, r.dest);
  };
  FileDraft<void> draft(body, FileCall::cp, src, "src", dest, "dest");
  packCpOptions(*draft.operator->(), options);
  return std::move(draft).with(options.signal);
}
#endif

/// The same for what `filter(src, dest)` answers true to, at once or when awaited. A folder that it
/// refuses is not looked into.
///
/// Node: the option `filter`. Overlap: one call of it at a time, each just before its file is copied.
/// Throws: what the filter throws.
template <leat::detail::CpFilter F>
Task<void> cp(std::string_view src, std::string_view dest, F&& filter, CpOptions options = {}) {
  LEAT_GUARD_CLOSURE(F);
  using namespace leat::detail;
  checkCpOptions(options);
  CopyStep whole{ownPath(src, "src"), ownPath(dest, "dest"), false, 0};
  const Ref<AbortState> signal(options.signal.state());
  options.signal = SignalRef();
  auto work = filteredCopy<std::decay_t<F>>(std::forward<F>(filter), std::move(whole), options);
  return signal ? underSignal(std::move(work), AbortSignal(signal)) : std::move(work);
}

}  // namespace leat::inline LEAT_ABI::fs
