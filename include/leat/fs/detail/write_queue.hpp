// SPDX-License-Identifier: MIT
// Chunks on their way to a file: the loop's thread brings them, and a worker writes what there is until
// nothing more comes, so that neither waits for the other between two chunks.
#pragma once

#include <leat/fs/file_handle.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/sys/mutex.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Who is told on the loop's thread when a worker has taken what was too much.
class WriteRoom {
 public:
  virtual void roomCame() = 0;

 protected:
  ~WriteRoom() = default;
};

class WriteQueue final : public SharedCounted<WriteQueue>, private PostedJob {
 public:
  explicit WriteQueue(WriteRoom& owner)
      : PostedJob(onRoom), home_(EventLoop::current().ref()), owner_(&owner) {}

  // ---- the loop's thread ----

  /// How many bytes wait then. `tell`: more than `most` are too much, and then `roomCame` comes.
  std::size_t put(Buffer&& chunk, bool tell = false);
  std::size_t waiting() noexcept {
    const sys::MutexLock lock(mutex_);
    return bytes_;
  }
  bool empty() noexcept {
    const sys::MutexLock lock(mutex_);
    return chunks_.empty();
  }
  /// How many bytes were written since the last time; without `settle` only looks.
  std::size_t written() const noexcept { return written_.load(relaxed); }
  std::size_t settle() noexcept { return written_.exchange(0, relaxed); }
  /// No system call begins any more.
  void stop() noexcept { stopped_.store(true, relaxed); }
  void clear() noexcept;
  /// Nobody is to be told any more.
  void leave() noexcept { owner_ = nullptr; }

  // ---- a worker ----

  /// All there is; false when that is nothing.
  bool take(std::vector<Buffer>& chunks) noexcept;
  void wrote(std::size_t count) noexcept { written_.fetchAdd(count, relaxed); }
  bool stopped() const noexcept { return stopped_.load(relaxed); }

  static constexpr std::size_t most = 512 * 1024;

 private:
  static void onRoom(PostedJob& job, bool run) noexcept {
    const auto self = Ref<WriteQueue>::adopt(&static_cast<WriteQueue&>(job));
    if (run && self->owner_ != nullptr) self->owner_->roomCame();
  }

  const LoopRef home_;
  WriteRoom* owner_;
  Atomic<std::size_t> written_{0};
  Atomic<bool> stopped_{false};
  // Guarded by the mutex.
  sys::Mutex mutex_;
  std::vector<Buffer> chunks_;
  std::size_t bytes_ = 0;
  bool tell_ = false;
};

#if LEAT_BODIES
LEAT_INLINE std::size_t WriteQueue::put(Buffer&& chunk, bool tell) {
  const sys::MutexLock lock(mutex_);
  const std::size_t size = chunk.size();
  chunks_.push_back(std::move(chunk));
  bytes_ += size;
  if (tell && bytes_ >= most) tell_ = true;
  return bytes_;
}

LEAT_INLINE void WriteQueue::clear() noexcept {
  std::vector<Buffer> dropped;
  const sys::MutexLock lock(mutex_);
  dropped.swap(chunks_);
  bytes_ = 0;
  tell_ = false;
}

LEAT_INLINE bool WriteQueue::take(std::vector<Buffer>& chunks) noexcept {
  bool tell = false;
  {
    const sys::MutexLock lock(mutex_);
    if (chunks_.empty()) return false;
    chunks.swap(chunks_);
    bytes_ = 0;
    tell = std::exchange(tell_, false);
  }
  if (!tell) return true;
  this->retain();
  if (!home_.postJob(*this)) this->release();
  return true;
}
#endif

/// Gives whether the system takes none of the bytes.
class WriteFileJob final : public FileJob<bool> {
 public:
  WriteFileJob(Ref<FileState> file, std::int64_t position, Ref<WriteQueue> queue)
      : FileJob(nullptr, FileCall::write, std::move(file)), queue_(std::move(queue)) {
    request.position = position;
  }

 private:
  LEAT_INLINE void call() noexcept override;
  bool writeAll(std::vector<Buffer>& chunks);
  std::size_t writeSome(std::span<const Buffer> chunks, std::size_t skip);
  bool over() const noexcept { return request.left() || queue_->stopped(); }

  const Ref<WriteQueue> queue_;
  std::vector<iovec> vectors_;
};

#if LEAT_BODIES
LEAT_INLINE void WriteFileJob::call() noexcept {
  // Other work has its turn.
  constexpr std::int64_t turnNs = 50'000'000;
  const std::int64_t start = sys::monotonicNs();
  try {
    bool stuck = false;
    std::vector<Buffer> chunks;
    do {
      chunks.clear();
      if (!queue_->take(chunks)) break;
      stuck = !writeAll(chunks);
    } while (!stuck && !over() && sys::monotonicNs() - start < turnNs);
    result().emplace(stuck);
  } catch (...) {
    result().fail(std::current_exception());
  }
}

/// False when the system takes none of the bytes, as Node finds out. Throws: SystemError.
LEAT_INLINE bool WriteFileJob::writeAll(std::vector<Buffer>& chunks) {
  std::span<const Buffer> left(chunks);
  std::size_t skip = 0;
  int fruitless = 0;
  while (!left.empty()) {
    const std::size_t count = writeSome(left, skip);
    queue_->wrote(count);
    if (request.position >= 0) request.position += static_cast<std::int64_t>(count);
    skip += count;
    fruitless = count > 0 ? 0 : fruitless + 1;
    while (!left.empty() && skip >= left.front().size()) {
      skip -= left.front().size();
      left = left.subspan(1);
    }
    if (left.empty() || over()) break;
    if (fruitless > 5) return false;
  }
  return true;
}

/// With one call, from the byte `skip` on.
LEAT_INLINE std::size_t WriteFileJob::writeSome(std::span<const Buffer> chunks, std::size_t skip) {
  // The system takes no more at once.
  constexpr std::size_t most = 1024;
  vectors_.clear();
  for (const Buffer& each : chunks.first(chunks.size() < most ? chunks.size() : most)) {
    vectors_.push_back(iovec{each.data() + skip, each.size() - skip});
    skip = 0;
  }
  const int count = static_cast<int>(vectors_.size());
  const int fd = request.file.fd();
  const ssize_t n = request.position < 0
                        ? sys::writev(fd, vectors_.data(), count)
                        : sys::pwritev(fd, vectors_.data(), count, request.position);
  return n == -EAGAIN ? 0 : static_cast<std::size_t>(request.check(n));
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
