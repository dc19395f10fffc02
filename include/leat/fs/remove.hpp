// SPDX-License-Identifier: MIT
// rm: files and whole trees of them.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

namespace leat::inline LEAT_ABI::detail {

#if LEAT_BODIES
/// Removes trees without recursion, so that depth is only memory.
class TreeRemoval {
 public:
  explicit TreeRemoval(const FileRequest& request) noexcept : request_(request) {}
  /// Throws: SystemError.
  void remove(const std::string& root);

 private:
  struct Step {
    std::string path;
    bool emptied;  // a folder whose entries are gone
  };
  static bool mayRetry(int error) noexcept {
    return error == -EBUSY || error == -EMFILE || error == -ENFILE || error == -ENOTEMPTY ||
           error == -EPERM;
  }
  /// What `call` answers in the end; what is gone already is no error.
  template <class Call>
  int tried(Call call) const;
  void pause(std::int64_t milliseconds) const;
  void removeFolder(Step&& step);

  const FileRequest& request_;
  std::vector<Step> todo_;
};

template <class Call>
int TreeRemoval::tried(Call call) const {
  for (std::int64_t tries = 1;; ++tries) {
    const int error = call();
    if (error == -ENOENT) return 0;
    if (!mayRetry(error) || tries > request_.length || request_.left()) return error;
    pause(tries * request_.offset);
  }
}

/// In pieces, so that who no longer waits keeps no worker.
LEAT_INLINE void TreeRemoval::pause(std::int64_t milliseconds) const {
  constexpr std::int64_t piece = 10;
  for (; milliseconds > 0 && !request_.left(); milliseconds -= piece)
    sys::sleepNs((milliseconds < piece ? milliseconds : piece) * 1'000'000);
}

LEAT_INLINE void TreeRemoval::remove(const std::string& root) {
  todo_.push_back(Step{root, false});
  while (!todo_.empty() && !request_.left()) {
    Step step = std::move(todo_.back());
    todo_.pop_back();
    if (step.emptied) {
      const int error = tried([&] { return sys::rmdir(step.path.c_str()); });
      if (error != 0) throwFile(error, "rmdir", step.path);
      continue;
    }
    const int error = tried([&] {
      const int e = sys::unlink(step.path.c_str());
      // A folder: EISDIR on Linux, EPERM by POSIX, EACCES where nothing may be removed.
      struct ::statx found;
      const bool unclear = e == -EPERM || e == -EACCES;
      if (unclear && statPath(step.path, false, found) == 0 && S_ISDIR(found.stx_mode))
        return -EISDIR;
      return e;
    });
    if (error == -EISDIR) {
      removeFolder(std::move(step));
    } else if (error != 0) {
      throwFile(error, "unlink", step.path);
    }
  }
}

LEAT_INLINE void TreeRemoval::removeFolder(Step&& step) {
  const int empty = sys::rmdir(step.path.c_str());
  if (empty == 0 || empty == -ENOENT) return;
  if (empty != -ENOTEMPTY && empty != -EEXIST && empty != -EPERM)
    throwFile(empty, "rmdir", step.path);
  std::vector<FolderEntry> entries;
  const int error = tried([&] {
    entries.clear();
    return listFolder(step.path, entries, false);
  });
  if (error != 0) throwFile(error, "scandir", step.path);
  const std::string prefix = step.path + '/';
  todo_.push_back(Step{std::move(step.path), true});
  for (std::size_t i = entries.size(); i-- > 0;)
    todo_.push_back(Step{prefix + entries[i].name, false});
}

/// `flag`: recursive, `flags`: force, `length`: retries, `offset`: their delay in milliseconds.
LEAT_INLINE void removePath(FileRequest& r) {
  struct ::statx found;
  const int error = statPath(r.path, false, found);
  if (error == -ENOENT && r.flags != 0) return;
  if (error != 0) throwFile(error, "lstat", r.path);
  if (S_ISDIR(found.stx_mode) && !r.flag)
    throw SystemError::ofFile(EISDIR, "rm", r.path, "ERR_FS_EISDIR", "Path is a directory",
                              "is a directory");
  TreeRemoval(r).remove(r.path);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// Removes a file, or when recursive a folder with all in it. Links are removed, not followed.
/// Cancel: what was removed by then is gone.
LEAT_INLINE Operation<void> rm(std::string_view path, RmOptions options = {});

#if LEAT_BODIES
LEAT_INLINE Operation<void> rm(std::string_view path, RmOptions options) {
  using namespace leat::detail;
  FileDraft<void> draft(removePath, FileCall::rm, path);
  draft->flag = options.recursive;
  draft->flags = options.force ? 1 : 0;
  draft->length = options.recursive ? options.maxRetries : 0;
  draft->offset = options.retryDelay;
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
