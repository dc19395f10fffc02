// SPDX-License-Identifier: MIT
// Folders: made, removed, listed.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
/// Makes what is missing, the innermost folder last, in Node's order of trying. Gives the first that
/// was made, or "". Answers 0 or -errno; a refusal leaves in `path` the folder that could not be made.
LEAT_INLINE int makeFolders(std::string& path, unsigned mode, std::string& first) {
  // One for each folder in the path, and some more where another process removes what was made. There are folders in which
  // nothing can be made, and which say each time that they are not there: of /proc, or those that were removed.
  std::size_t missing = path.size() + 100;
  std::vector<std::string> todo;
  todo.push_back(path);
  while (!todo.empty()) {
    std::string next = std::move(todo.back());
    todo.pop_back();
    const int error = sys::mkdir(next.c_str(), mode);
    if (error == 0) {
      if (first.empty()) first = std::move(next);
    } else if (error == -EACCES || error == -ENOSPC || error == -ENOTDIR || error == -EPERM) {
      path = std::move(next);
      return error;
    } else if (error == -ENOENT) {
      std::string outer = next.substr(0, next.rfind('/'));
      if (outer == next || missing-- == 0) return error;
      todo.push_back(std::move(next));
      todo.push_back(std::move(outer));
    } else {
      struct ::statx found;
      const int known = statPath(next, true, found);
      if (known != 0) return error == -EEXIST ? known : error;
      if (!S_ISDIR(found.stx_mode)) return error == -EEXIST && !todo.empty() ? -ENOTDIR : -EEXIST;
      if (error != -EEXIST && todo.empty()) return error;
    }
  }
  return 0;
}

/// The entries of a folder and, when `r.flag`, of all below it, in Node's order. `take(path, prefix,
/// entry)`: the folder, what it is called in the result, and the entry.
template <class Take>
void walkFolders(FileRequest& r, Take take) {
  std::vector<FolderVisit> todo;
  todo.push_back(FolderVisit{r.path, ""});
  while (!todo.empty() && !r.left()) {
    const FolderVisit visit = std::move(todo.back());
    todo.pop_back();
    std::vector<FolderEntry> entries;
    if (const int error = listFolder(visit.path, entries))
      throwFile(error, syscallOf(r.call), visit.path);
    for (FolderEntry& entry : entries) {
      if (r.flag && S_ISDIR(entry.mode))
        todo.push_back(
            FolderVisit{joinedPath(visit.path, entry.name), visit.prefix + entry.name + '/'});
      take(visit, entry);
    }
  }
}

LEAT_INLINE std::vector<std::string> namesIn(FileRequest& r) {
  std::vector<std::string> names;
  walkFolders(r, [&](const FolderVisit& visit, FolderEntry& entry) {
    names.push_back(visit.prefix + entry.name);
  });
  return names;
}

LEAT_INLINE std::vector<fs::Dirent> entriesIn(FileRequest& r) {
  std::vector<fs::Dirent> entries;
  walkFolders(r, [&](const FolderVisit& visit, FolderEntry& entry) {
    entries.emplace_back(std::move(entry.name), visit.path, entry.mode);
  });
  return entries;
}

LEAT_INLINE std::string makeTemporary(FileRequest& r) {
  r.path += "XXXXXX";
  r.check(sys::mkdtemp(r.path.data()));
  return std::move(r.path);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// Makes a folder and, when recursive, those around it that are missing. Gives the outermost that it
/// made: empty when there was nothing to make, and when not recursive.
LEAT_INLINE Operation<std::optional<std::string>> mkdir(std::string_view path,
                                                        MkdirOptions options = {});
/// Makes a new folder whose name is `prefix` and six more characters, for this user alone.
/// Cancel: a folder that was made by then stays.
LEAT_INLINE Operation<std::string> mkdtemp(std::string_view prefix, FileOptions options = {});
/// Removes an empty folder.
LEAT_INLINE Operation<void> rmdir(std::string_view path, FileOptions options = {});
/// The names in a folder, sorted by their bytes; recursive, those below it too, as paths from it.
/// Node: follows symbolic links to folders when recursive; here a link is a name only.
LEAT_INLINE Operation<std::vector<std::string>> readdir(std::string_view path,
                                                        ReaddirOptions options = {});
/// The same with kinds: `readdir(path, withFileTypes)`.
LEAT_INLINE Operation<std::vector<Dirent>> readdir(std::string_view path, WithFileTypes,
                                                   ReaddirOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<std::optional<std::string>> mkdir(std::string_view path,
                                                        MkdirOptions options) {
  using namespace leat::detail;
  using Result = std::optional<std::string>;
  const auto body = [](FileRequest& r) {
    std::string first;
    const int error =
        r.flag ? makeFolders(r.path, r.mode, first) : sys::mkdir(r.path.c_str(), r.mode);
    r.check(error);
    return first.empty() ? Result() : Result(std::move(first));
  };
  FileDraft<Result> draft(body, FileCall::mkdir, path);
  draft->flag = options.recursive;
  draft->mode = options.mode.value();
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<std::string> mkdtemp(std::string_view prefix, FileOptions options) {
  using namespace leat::detail;
  FileDraft<std::string> draft(makeTemporary, FileCall::mkdtemp);
  draft->path = ownPath(prefix, "prefix");
  draft->paths = 1;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<void> rmdir(std::string_view path, FileOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) { r.check(sys::rmdir(r.path.c_str())); };
  return FileDraft<void>(body, FileCall::rmdir, path).with(options.signal);
}

LEAT_INLINE Operation<std::vector<std::string>> readdir(std::string_view path,
                                                        ReaddirOptions options) {
  using namespace leat::detail;
  FileDraft<std::vector<std::string>> draft(namesIn, FileCall::readdir, path);
  draft->flag = options.recursive;
  return std::move(draft).with(options.signal);
}

LEAT_INLINE Operation<std::vector<Dirent>> readdir(std::string_view path, WithFileTypes,
                                                   ReaddirOptions options) {
  using namespace leat::detail;
  FileDraft<std::vector<Dirent>> draft(entriesIn, FileCall::readdir, path);
  draft->flag = options.recursive;
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
