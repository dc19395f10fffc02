// SPDX-License-Identifier: MIT
// What owns a descriptor of the file system. The last handle hands it to the blocking pool to be closed,
// as closing can wait for a disk or a server; it may go on any thread.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/pool/blocking_pool.hpp>
#include <leat/sys/calls.hpp>

#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// Counted by its handles and by the operations on it, which travel.
class ClosingJob : public BlockingJob {
 public:
  ClosingJob(const ClosingJob&) = delete;
  ClosingJob& operator=(const ClosingJob&) = delete;

 protected:
  ClosingJob() noexcept : BlockingJob(operations) {}
  virtual ~ClosingJob() = default;
  virtual bool isOpen() const noexcept = 0;
  /// May block.
  virtual void shut() noexcept = 0;

 private:
  static void run(BlockingJob& job) noexcept { static_cast<ClosingJob&>(job).shut(); }
  static void done(BlockingJob&) noexcept {}
  /// The first time the last count goes, the pool gets one; the second time all is closed. A pool that
  /// has stopped drops what was queued: then it is closed here.
  static void dispose(BlockingJob& job) noexcept {
    auto& self = static_cast<ClosingJob&>(job);
    if (!self.isOpen()) {
      delete &self;
      return;
    }
    self.retain();
    if (BlockingPool::shared().submit(self) != 0) self.shut();
    self.release();
  }
  static constexpr Operations operations{run, done, dispose};
};

/// Whether trying is worth it: what failed again and again is tried more and more seldom. Loops of several
/// threads may read one file: they disturb each other's counting, and nothing else.
class Attempts {
 public:
  bool worthwhile() noexcept {
    const unsigned skip = skip_.load(relaxed);
    if (skip > 0) skip_.store(static_cast<unsigned char>(skip - 1), relaxed);
    return skip <= 1;
  }
  void succeeded() noexcept {
    if (penalty_.load(relaxed) != 0) penalty_.store(0, relaxed);
  }
  void failed() noexcept {
    unsigned penalty = penalty_.load(relaxed);
    if (penalty < 64) penalty = 2 * penalty + 1;
    penalty_.store(static_cast<unsigned char>(penalty), relaxed);
    skip_.store(static_cast<unsigned char>(penalty), relaxed);
  }

 private:
  Atomic<unsigned char> skip_{0};
  Atomic<unsigned char> penalty_{0};
};

/// A descriptor and who uses it now. `close` takes effect when the last use has ended.
class FileState final : public ClosingJob {
 public:
  explicit FileState(int fd) noexcept : fd_(fd) {}

  /// Before there are handles.
  void adopt(int fd) noexcept { fd_ = fd; }
  /// Somebody else closes it, unless `close` is called.
  void lend() noexcept { lent_ = true; }
  /// It is a file with a size and positions on a disk of this machine, so that a ring can read it; and,
  /// unless it was opened with O_DIRECT, reads of what is in memory need not wait.
  void setPlain(bool direct) noexcept {
    plain_.store(true, relaxed);
    cached_.store(!direct, relaxed);
  }
  /// The descriptor, as long as there is a use.
  int fd() const noexcept { return fd_; }

  // The loop's thread.
  bool closing() const noexcept { return closing_; }
  bool plain() const noexcept { return plain_.load(relaxed); }
  bool cached() const noexcept { return cached_.load(relaxed); }
  /// The file system cannot promise it. To a ring it would be work for threads then, as here.
  void onlyByWorkers() noexcept {
    plain_.store(false, relaxed);
    cached_.store(false, relaxed);
  }
  Attempts& attempts() noexcept { return attempts_; }
  void beginClose() noexcept { closing_ = true; }
  void beginUse() noexcept { uses_.fetchAdd(1, relaxed); }
  using Start = void (*)(BlockingJob&) noexcept;
  /// Gives up the use of the handle itself. The last use to end has `start(closer)` called, on any
  /// thread; false when there is none, and nothing is called.
  bool closeLater(BlockingJob& closer, Start start) noexcept {
    closer_ = Ref<BlockingJob>(&closer);
    start_ = start;
    if (uses_.fetchSub(1, acqRel) != 1) return true;
    closer_ = nullptr;
    return false;
  }
  /// One more close while the first waits: `start` gets this one then, `before` leads to the others. False
  /// when the first has been started.
  bool closeLaterToo(BlockingJob& closer, Ref<BlockingJob>& before) noexcept {
    unsigned uses = uses_.load(relaxed);
    do {
      if (uses == 0) return false;
    } while (!uses_.compareExchange(uses, uses + 1, acqRel));
    // With a use of its own, nobody else looks at these.
    before = std::exchange(closer_, Ref<BlockingJob>(&closer));
    endUse();
    return true;
  }

  // Any thread.
  void endUse() noexcept {
    if (uses_.fetchSub(1, acqRel) != 1) return;
    const Ref<BlockingJob> closer = std::move(closer_);
    if (closer) start_(*closer);
  }
  /// 0 or -errno, the same for all that close. On a worker, without any use.
  int close() noexcept {
    const sys::MutexLock lock(closeMutex_);
    const int fd = std::exchange(fd_, -1);
    if (fd >= 0) closeError_ = sys::close(fd);
    return closeError_;
  }

 private:
  bool isOpen() const noexcept override { return fd_ >= 0 && !lent_; }
  void shut() noexcept override { (void)close(); }

  int fd_;
  bool closing_ = false;
  bool lent_ = false;
  Atomic<bool> plain_{false};
  Atomic<bool> cached_{false};
  Attempts attempts_;
  Atomic<unsigned> uses_{1};
  Ref<BlockingJob> closer_;
  Start start_ = nullptr;
  sys::Mutex closeMutex_;
  int closeError_ = 0;
};

/// One use of a file, from the call to the end of the work.
class FileUse {
 public:
  FileUse() noexcept = default;
  explicit FileUse(Ref<FileState> file) noexcept : file_(std::move(file)) {}
  FileUse(FileUse&& other) noexcept
      : file_(std::move(other.file_)), begun_(std::exchange(other.begun_, false)) {}
  FileUse& operator=(FileUse&&) = delete;
  ~FileUse() { end(); }
  explicit operator bool() const noexcept { return static_cast<bool>(file_); }
  FileState& state() const noexcept { return *file_; }
  int fd() const noexcept { return file_->fd(); }
  void begin() noexcept {
    if (std::exchange(begun_, true)) return;
    file_->beginUse();
  }
  void end() noexcept {
    if (std::exchange(begun_, false)) file_->endUse();
    file_ = nullptr;
  }

 private:
  Ref<FileState> file_;
  bool begun_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
