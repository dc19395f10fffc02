// SPDX-License-Identifier: MIT
// watch: what changes in a file or a folder, told by inotify. The loop waits for the descriptor; what may
// touch the disk (adding folders, looking into them) is done on the blocking pool.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/core/as_result.hpp>
#include <leat/core/task.hpp>
#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>
#include <leat/loop/wait_fd.hpp>

#include <optional>
#include <vector>

namespace leat::inline LEAT_ABI::fs {

struct WatchOptions {
  /// Whether who waits in `next()` holds the loop.
  bool persistent = true;
  /// Folders below too, also those that are made later.
  bool recursive = false;
  /// Ends the watch: `next()` throws AbortError.
  SignalRef signal{};
};

/// Node: { eventType, filename }.
struct WatchEvent {
  /// "rename" when a name appeared or went, "change" when a file did.
  std::string_view eventType;
  /// From the folder that is watched; of a file its name. Empty when the system lost events, as more came than
  /// it keeps for who does not read them: look again. From then on all is told as before, also of folders that
  /// are new since.
  std::string filename;
};

}  // namespace leat::inline LEAT_ABI::fs

namespace leat::inline LEAT_ABI::detail {

/// Folders by the numbers of their watches, which grow: a vector in order.
class WatchedFolders {
 public:
  struct Folder {
    int watch;
    std::string prefix;  // of the names in it
  };
  /// Null when there is no such watch.
  Folder* find(int watch) noexcept {
    Folder* const at = lowerBound(watch);
    return at != folders_.data() + folders_.size() && at->watch == watch ? at : nullptr;
  }
  void set(int watch, const std::string& prefix);
  void erase(Folder& folder) noexcept;
  std::vector<Folder> takeAll() noexcept { return std::exchange(folders_, {}); }
  /// Of those in a folder `gone` is called with the watch, and they are erased.
  template <class F>
  void eraseBelow(const std::string& prefix, F gone) {
    std::erase_if(folders_, [&](const Folder& folder) {
      const bool below = folder.prefix.starts_with(prefix);
      if (below) gone(folder.watch);
      return below;
    });
  }

 private:
  Folder* lowerBound(int watch) noexcept {
    Folder* first = folders_.data();
    for (std::size_t count = folders_.size(); count > 0;) {
      Folder* const middle = first + count / 2;
      if (middle->watch < watch) {
        first = middle + 1;
        count -= count / 2 + 1;
      } else {
        count /= 2;
      }
    }
    return first;
  }
  std::vector<Folder> folders_;
};

/// Counted by the handles and by what is on its way to the pool. The folders are the worker's that has
/// `workMutex_`; the events are guarded for moments.
class WatchState final : public ClosingJob {
 public:
  WatchState(std::string path, bool recursive) : root_(std::move(path)), recursive_(recursive) {}

  // On a worker. Throw: SystemError.
  void start(const FileRequest& request);
  void collect(const FileRequest& request);
  // On the loop's thread.
  std::optional<fs::WatchEvent> pop();
  int fd() const noexcept { return fd_; }

  AbortController closer;
  bool closed = false;
  bool persistent = true;
  // The signal of the options; keeps `closer` told.
  Ref<AbortState> signal;

 private:
  static constexpr std::uint32_t mask = IN_ATTRIB | IN_CREATE | IN_MODIFY | IN_DELETE |
                                        IN_DELETE_SELF | IN_MOVE_SELF | IN_MOVED_FROM | IN_MOVED_TO;
  bool isOpen() const noexcept override { return fd_ >= 0; }
  void shut() noexcept override {
    const int fd = std::exchange(fd_, -1);
    if (fd >= 0) (void)sys::close(fd);
  }
  void push(std::string_view type, std::string name);
  std::string pathOf(const std::string& prefix) const;
  int add(const std::string& prefix);
  /// Whether it is there. Folders come and go, and may belong to others: that is no error.
  static bool checkFolder(const FileRequest& request, int error) {
    if (error == -ENOENT || error == -ENOTDIR || error == -EACCES) return false;
    request.check(error);
    return true;
  }
  /// Why a tree is walked: the watch begins, looks again, or a folder is new.
  enum class Walk { begin, again, tell };
  void addTree(const FileRequest& request, std::string prefix, Walk why);
  void forget(const std::string& prefix);
  void lookAgain(const FileRequest& request);
  void take(const FileRequest& request, const inotify_event& event);

  const std::string root_;
  const bool recursive_;
  int fd_ = -1;
  sys::Mutex workMutex_;
  WatchedFolders folders_;
  sys::Mutex listMutex_;
  Fifo<fs::WatchEvent> events_;
};

#if LEAT_BODIES
LEAT_INLINE void WatchedFolders::set(int watch, const std::string& prefix) {
  if (Folder* const known = find(watch)) {
    known->prefix = prefix;
  } else {
    folders_.insert(folders_.begin() + (lowerBound(watch) - folders_.data()),
                    Folder{watch, prefix});
  }
}

LEAT_INLINE void WatchedFolders::erase(Folder& folder) noexcept {
  folders_.erase(folders_.begin() + (&folder - folders_.data()));
}

LEAT_INLINE std::optional<fs::WatchEvent> WatchState::pop() {
  const sys::MutexLock lock(listMutex_);
  if (events_.empty()) return std::nullopt;
  return events_.pop();
}

LEAT_INLINE void WatchState::push(std::string_view type, std::string name) {
  const sys::MutexLock lock(listMutex_);
  events_.push(fs::WatchEvent{type, std::move(name)});
}

LEAT_INLINE std::string WatchState::pathOf(const std::string& prefix) const {
  return prefix.empty() ? root_ : root_ + '/' + prefix.substr(0, prefix.size() - 1);
}

LEAT_INLINE int WatchState::add(const std::string& prefix) {
  // What is below is a folder itself: where a link has taken its place, the tree ends.
  const std::uint32_t below = prefix.empty() ? 0 : IN_ONLYDIR | IN_DONT_FOLLOW;
  const int watch = sys::inotify_add_watch(fd_, pathOf(prefix).c_str(), mask | below);
  if (watch < 0) return watch;
  folders_.set(watch, prefix);
  return 0;
}

LEAT_INLINE void WatchState::start(const FileRequest& request) {
  const sys::MutexLock lock(workMutex_);
  fd_ = static_cast<int>(request.check(sys::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)));
  request.check(add(""));
  if (!recursive_) return;
  struct ::statx found;
  request.check(statPath(root_, true, found));
  if (S_ISDIR(found.stx_mode)) addTree(request, "", Walk::begin);
}

/// Watches the folders below one that is watched. `tell`: what is in them came before the watch did, and
/// is told now; the watch may tell of some of it again. Who no longer waits for the next event has not given up
/// the watch, so that only its beginning is broken off.
LEAT_INLINE void WatchState::addTree(const FileRequest& request, std::string prefix, Walk why) {
  std::vector<std::string> todo;
  todo.push_back(std::move(prefix));
  while (!todo.empty() && !(why == Walk::begin && request.left())) {
    const std::string folder = std::move(todo.back());
    todo.pop_back();
    std::vector<FolderEntry> entries;
    (void)checkFolder(request, listFolder(pathOf(folder), entries, folder.empty()));
    for (const FolderEntry& entry : entries) {
      if (why == Walk::tell) push("rename", folder + entry.name);
      if (!S_ISDIR(entry.mode)) continue;
      std::string inner = folder + entry.name + '/';
      if (checkFolder(request, add(inner))) todo.push_back(std::move(inner));
    }
  }
}

/// A folder was moved away: it and those below are not watched any more.
LEAT_INLINE void WatchState::forget(const std::string& prefix) {
  folders_.eraseBelow(prefix, [this](int watch) { (void)sys::inotify_rm_watch(fd_, watch); });
}

/// Folders may have come, moved and gone without a word. What is watched already keeps its number. When not all
/// can be seen, what was watched still is.
LEAT_INLINE void WatchState::lookAgain(const FileRequest& request) {
  const std::vector<WatchedFolders::Folder> before = folders_.takeAll();
  try {
    if (checkFolder(request, add(""))) addTree(request, "", Walk::again);
  } catch (...) {
    for (const WatchedFolders::Folder& folder : before)
      if (folders_.find(folder.watch) == nullptr) folders_.set(folder.watch, folder.prefix);
    throw;
  }
  for (const WatchedFolders::Folder& folder : before)
    if (folders_.find(folder.watch) == nullptr) (void)sys::inotify_rm_watch(fd_, folder.watch);
}

LEAT_INLINE void WatchState::take(const FileRequest& request, const inotify_event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    push("rename", std::string());
    return recursive_ ? lookAgain(request) : void();
  }
  WatchedFolders::Folder* const folder = folders_.find(event.wd);
  if (folder == nullptr) return;
  if ((event.mask & IN_IGNORED) != 0) return folders_.erase(*folder);
  const std::string prefix = folder->prefix;
  // Of folders below, what happens to themselves is told by the folder around them.
  if (event.len == 0 && !prefix.empty()) return;
  std::string name = event.len == 0 ? std::string(nameOf(root_)) : prefix + event.name;
  const bool changed =
      (event.mask & ~static_cast<std::uint32_t>(IN_ATTRIB | IN_MODIFY | IN_ISDIR)) == 0;
  push(changed ? "change" : "rename", name);
  if (!recursive_ || (event.mask & IN_ISDIR) == 0 || event.len == 0) return;
  name += '/';
  if ((event.mask & IN_MOVED_FROM) != 0) forget(name);
  if ((event.mask & (IN_CREATE | IN_MOVED_TO)) == 0) return;
  if (checkFolder(request, add(name))) addTree(request, name, Walk::tell);
}

/// Takes what the kernel has, all of it also where one event fails. Two that wait for the same watch may both come
/// here.
LEAT_INLINE void WatchState::collect(const FileRequest& request) {
  const sys::MutexLock lock(workMutex_);
  if (fd_ < 0) return;
  alignas(inotify_event) char bytes[8192];
  const ssize_t size = sys::read(fd_, bytes, sizeof bytes);
  if (size == -EAGAIN) return;
  request.check(size);
  std::exception_ptr error;
  for (ssize_t at = 0; at < size;) {
    const auto& event = *reinterpret_cast<const inotify_event*>(bytes + at);
    at += static_cast<ssize_t>(sizeof event + event.len);
    try {
      take(request, event);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// A watch that has begun: `while (auto event = co_await watcher.next())`. Copies are handles to the
/// same; the last one ends it.
class Watcher {
 public:
  /// The next change; nothing after `close()`. Changes that come while nobody waits are kept.
  /// Cancel: AbortError; no event is lost, and by the ambient signal the watch does not end.
  /// Throws: SystemError, also ENOSPC when a new folder needs more watches than the system allows.
  LEAT_ON_USE
  Task<std::optional<WatchEvent>> next() const { return nextOf(state_); }
  /// Ends the watch, and who waits in `next()` gets nothing.
  void close() const {
    if (std::exchange(state_->closed, true)) return;
    state_->closer.abort();
  }

  /// Internal.
  explicit Watcher(leat::detail::Ref<leat::detail::WatchState> state) noexcept
      : state_(std::move(state)) {}

 private:
  using State = leat::detail::WatchState;
  LEAT_ON_USE
  static Task<std::optional<WatchEvent>> nextOf(leat::detail::Ref<State> state);
  static Operation<void> collect(const leat::detail::Ref<State>& state) {
    using namespace leat::detail;
    const auto body = [](FileRequest& r) { static_cast<State&>(*r.object).collect(r); };
    FileDraft<void> draft(body, FileCall::watch);
    draft->object = state;
    return std::move(draft).with(state->closer);
  }

  leat::detail::Ref<State> state_;
};

/// Watches a file, or the names in a folder and their files. What happens after this has gone on is told.
///
/// Node: `fs.promises.watch`, which begins with its first `next()`; recursive it looks at each file by
/// itself, here it is inotify as well.
/// Throws: SystemError ("ENOENT: no such file or directory, watch 'x'").
LEAT_INLINE Operation<Watcher> watch(std::string_view path, WatchOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<std::optional<WatchEvent>> Watcher::nextOf(leat::detail::Ref<State> state) {
  for (;;) {
    if (state->signal && leat::detail::isAborted(*state->signal))
      throw AbortError(state->signal->reason);
    if (state->closed) co_return std::nullopt;
    std::optional<WatchEvent> event = state->pop();
    if (event) co_return event;
    WaitFdOptions options;
    options.signal = state->closer;
    options.ref = state->persistent;
    Result<Ready> ready = co_await asResult(wait(state->fd(), Ready::Readable, options));
    if (!ready && !state->closer.signal().aborted()) ready.value();
    if (!ready) continue;
    Result<void> collected = co_await asResult(collect(state));
    if (!collected && !state->closer.signal().aborted()) collected.value();
  }
}

LEAT_INLINE Operation<Watcher> watch(std::string_view path, WatchOptions options) {
  using namespace leat::detail;
  const auto body = [](FileRequest& r) {
    auto& state = static_cast<WatchState&>(*r.object);
    state.start(r);
    return Watcher(Ref<WatchState>(&state));
  };
  FileDraft<Watcher> draft(body, FileCall::watch, path);
  if (path.empty()) draft->paths = 0;  // Node leaves it out of the message
  auto state = makeRef<WatchState>(draft->path, options.recursive);
  state->persistent = options.persistent;
  if (options.signal.state() != nullptr) {
    state->signal = Ref<AbortState>(options.signal.state());
    (void)followSignal(*state->signal, *state->closer.signal().state());
  }
  draft->object = std::move(state);
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
