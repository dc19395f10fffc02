// SPDX-License-Identifier: MIT
// Dir: the entries of a folder one at a time, for folders that are large.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/core/task.hpp>
#include <leat/fs/detail/worker.hpp>
#include <leat/fs/operation.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::detail {

/// A stream and what it has given ahead. The stream is used under `streamMutex_` by one worker at a time,
/// the entries under `listMutex_` for moments, also by the loop. So what an abandoned read has fetched
/// is there for the next.
class DirState final : public ClosingJob {
 public:
  DirState(std::string path, bool recursive, unsigned batch)
      : path_(std::move(path)), recursive_(recursive), batch_(batch == 0 ? 1 : batch) {}

  const std::string& path() const noexcept { return path_; }
  std::optional<fs::Dirent> pop(bool& ended);
  // On a worker. 0 or -errno; `fetch`, which fetches some entries unless there are, throws SystemError.
  int open() noexcept { return stream_.open(path_.c_str()); }
  void fetch(const FileRequest& request);
  int close(const FileRequest& request);

  // The loop's thread.
  bool closing = false;
  /// Who waits for `fetch`; a close that comes later leaves an entry for each.
  struct Waiting {
    explicit Waiting(DirState& dir) noexcept : state(dir) { state.waiting_.fetchAdd(1, relaxed); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { state.waiting_.fetchSub(1, relaxed); }
    DirState& state;
  };

 private:
  bool isOpen() const noexcept override { return stream_.isOpen(); }
  void shut() noexcept override { (void)stream_.close(); }
  int nextEntry(const dirent*& entry);
  void fetchTo(const FileRequest& request, std::size_t wanted);

  std::string path_;  // of the folder that is being read
  const bool recursive_;
  const unsigned batch_;
  sys::Mutex streamMutex_;
  FolderStream stream_;
  std::vector<std::string> folders_;  // still to be read
  sys::Mutex listMutex_;
  Fifo<fs::Dirent> entries_;
  bool ended_ = false;
  Atomic<unsigned> waiting_{0};
};

#if LEAT_BODIES
LEAT_INLINE std::optional<fs::Dirent> DirState::pop(bool& ended) {
  const sys::MutexLock lock(listMutex_);
  ended = ended_ && entries_.empty();
  if (entries_.empty()) return std::nullopt;
  return entries_.pop();
}

/// The next entry of this folder or of one below.
LEAT_INLINE int DirState::nextEntry(const dirent*& entry) {
  for (;;) {
    const int more = stream_.next(entry);
    if (more != 0 || folders_.empty()) return more;
    path_ = std::move(folders_.back());
    folders_.pop_back();
    if (const int error = stream_.close()) return error;
    if (const int error = stream_.open(path_.c_str())) return error;
  }
}

LEAT_INLINE void DirState::fetch(const FileRequest& request) {
  const sys::MutexLock lock(streamMutex_);
  fetchTo(request, 1);
}

/// A batch, unless so many are there.
LEAT_INLINE void DirState::fetchTo(const FileRequest& request, std::size_t wanted) {
  {
    const sys::MutexLock lock(listMutex_);
    if (!stream_.isOpen()) ended_ = true;  // closed meanwhile, or a folder could not be opened
    if (entries_.size() >= wanted || ended_) return;
  }
  for (unsigned i = 0; i < batch_; ++i) {
    const dirent* entry = nullptr;
    const int more = nextEntry(entry);
    if (more < 0) throwFile(more, syscallOf(request.call), path_);
    const sys::MutexLock lock(listMutex_);
    if (more == 0) {
      ended_ = true;
      return;
    }
    unsigned mode = modeOfEntry(entry->d_type);
    struct ::statx known;
    if (entry->d_type == DT_UNKNOWN && statPath(path_ + '/' + entry->d_name, false, known) == 0)
      mode = known.stx_mode & S_IFMT;
    if (recursive_ && S_ISDIR(mode)) folders_.push_back(joinedPath(path_, entry->d_name));
    entries_.push(fs::Dirent(entry->d_name, path_, mode));
  }
}

LEAT_INLINE int DirState::close(const FileRequest& request) {
  const sys::MutexLock lock(streamMutex_);
  const std::size_t waiting = waiting_.load(relaxed);
  try {
    for (std::size_t batches = 0; batches < waiting; ++batches) fetchTo(request, waiting);
  } catch (...) {
    // Of reading, and not of closing.
  }
  return stream_.close();
}
#endif

class CloseDirJob final : public FileJob<void> {
 public:
  explicit CloseDirJob(Ref<DirState> dir) : FileJob(closeNow, FileCall::closedir) {
    request.object = std::move(dir);
  }
  void begin() override {
    auto& dir = static_cast<DirState&>(*request.object);
    if (std::exchange(dir.closing, true)) throwDirClosed();
  }
  [[noreturn]] LEAT_NOINLINE static void throwDirClosed() {
    throwError("Directory handle was closed", "ERR_DIR_CLOSED");
  }

 private:
  static void closeNow(FileRequest& r) { r.check(static_cast<DirState&>(*r.object).close(r)); }
};

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::fs {

/// A folder that is being read: `while (auto entry = co_await dir.next())`. Copies are handles to the
/// same; the last one closes it in the background.
///
/// Node: `fs.Dir`. Entries come in the order of the file system.
class Dir {
 public:
  std::string_view path() const noexcept { return path_; }
  /// The next entry, or nothing at the end. Node: `read()`; the end does not close.
  /// Cancel: AbortError; no entry is lost.
  /// Throws: SystemError; Error ERR_DIR_CLOSED.
  LEAT_ON_USE
  Task<std::optional<Dirent>> next() const { return nextOf(state_); }
  LEAT_ON_USE
  Task<std::optional<Dirent>> read() const { return nextOf(state_); }
  /// Who waits in `next()` still gets an entry.
  /// Throws: SystemError; Error ERR_DIR_CLOSED the second time.
  Operation<void> close() const;

  /// Internal.
  explicit Dir(leat::detail::Ref<leat::detail::DirState> state)
      : state_(std::move(state)), path_(state_->path()) {}

 private:
  using State = leat::detail::DirState;
  LEAT_ON_USE
  static Task<std::optional<Dirent>> nextOf(leat::detail::Ref<State> state);
  static Operation<void> fetch(const leat::detail::Ref<State>& state) {
    using namespace leat::detail;
    const auto body = [](FileRequest& r) { static_cast<State&>(*r.object).fetch(r); };
    FileDraft<void> draft(body, FileCall::readDirectory);
    draft->object = state;
    return std::move(draft).with(SignalRef());
  }

  leat::detail::Ref<State> state_;
  std::string path_;
};

/// Opens a folder to read its entries one at a time.
LEAT_INLINE Operation<Dir> opendir(std::string_view path, OpendirOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<std::optional<Dirent>> Dir::nextOf(leat::detail::Ref<State> state) {
  if (state->closing) leat::detail::CloseDirJob::throwDirClosed();
  bool ended = false;
  for (;;) {
    std::optional<Dirent> entry = state->pop(ended);
    if (entry || ended) co_return entry;
    const State::Waiting waiting(*state);
    co_await fetch(state);
  }
}

LEAT_INLINE Operation<void> Dir::close() const {
  return Operation<void>(leat::detail::makeRef<leat::detail::CloseDirJob>(state_), SignalRef(),
                         false);
}

LEAT_INLINE Operation<Dir> opendir(std::string_view path, OpendirOptions options) {
  using namespace leat::detail;
  if (options.bufferSize == 0)
    throwNumberOutOfRange("options.bufferSize", ">= 1 && <= 4294967295", 0);
  const auto body = [](FileRequest& r) {
    auto state = makeRef<DirState>(r.path, r.flag, static_cast<unsigned>(r.length));
    r.check(state->open());
    return Dir(std::move(state));
  };
  FileDraft<Dir> draft(body, FileCall::opendir, path);
  draft->flag = options.recursive;
  draft->length = options.bufferSize;
  return std::move(draft).with(options.signal);
}
#endif

}  // namespace leat::inline LEAT_ABI::fs
