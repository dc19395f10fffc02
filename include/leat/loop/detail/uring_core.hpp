// SPDX-License-Identifier: MIT
// The back end on io_uring. One system call a turn: it hands over every request that came up since the
// last, and waits. The kernel is given memory of the reactor only: it receives into pieces that it
// picks when bytes are there, and sends from staged copies without waiting. So no operation's memory is
// ever in the kernel, and to abandon one is to forget it. Only reads of files fill memory of others, who
// keep it until the kernel has answered.
#pragma once

#include <leat/loop/detail/readiness_reactor.hpp>
#include <leat/loop/detail/uring_file.hpp>

#include <cstring>
#include <new>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// What the ring does: receives and accepts, which belong to the descriptor and not to an operation
/// (bytes and connections that come when the operation has gone are kept for the next one); short sends
/// for all sockets at once; polls for the rest, which is then done by system calls, as with epoll.
class UringReactor final : public ReadinessReactor {
 public:
  LEAT_INLINE ~UringReactor() override;

  /// Makes the ring. 0 or -errno; nothing else may be called before it succeeded.
  int open(unsigned submissions = 256, unsigned completions = 2048) noexcept;
  /// How the ring was made; after a failure, why it was not.
  const char* mode() const noexcept { return mode_; }
  unsigned buffers() const noexcept { return buffers_.count(); }

  const char* name() const noexcept override { return "io_uring"; }
  const char* attachCall() const noexcept override { return "fstat"; }
  const char* turnCall() const noexcept override { return "io_uring_enter"; }
  LEAT_INLINE int attach(IoHandle& handle) noexcept override;
  LEAT_INLINE void detach(IoHandle& handle) noexcept override;
  LEAT_INLINE void abandonAll() noexcept override;
  LEAT_INLINE bool stage(IoHandle& handle, const iovec* vectors,
                         std::size_t count) noexcept override;
  LEAT_INLINE iovec unstage(IoHandle& handle) noexcept override;
  LEAT_INLINE void flush() noexcept override;
  bool holdsNothing(IoHandle& handle) noexcept override {
    const File& file = fileOf(handle);
    return file.bulk && !file.received() && !file.inKernel(File::recv) && file.failure == 0;
  }
  LEAT_INLINE void endAccepts(IoHandle& handle) noexcept override;
  LEAT_INLINE bool readFile(FileRead& read) noexcept override;
  LEAT_INLINE int turn(std::int64_t timeoutNs) noexcept override;
  LEAT_INLINE int backendFd() noexcept override;
  bool hasReady() const noexcept override {
    if (ReadinessReactor::hasReady() || !toArm_.empty() || doubts_ > 0 || !arrived_.empty())
      return true;
    // A child of fork() does not have the ring's memory.
    return !inChild() && (ring_.unsubmitted() > 0 || ring_.peek() != nullptr || ring_.needsEnter());
  }

 private:
  using File = UringFile;
  // By measurement: from here on a copy costs more than the system call that it spares. Left again
  // after so many receives in a row of less than half.
  static constexpr unsigned bulkFrom = 8192;
  static constexpr unsigned bulkFor = 4;
  static constexpr unsigned maxPieces = 4;  // held for who does not read
  static constexpr unsigned perFile = 6;    // requests that `arm` makes at most
  static constexpr unsigned maxSpareStages = 1024;
  // So many are not waited for: a newer kernel (6.18) hands over 20 events at once, or as many as are
  // waited for, and what comes in larger batches has left the caches when it is answered.
  static constexpr unsigned manySends = 16;
  static constexpr unsigned maxDoubts = 64;  // at once, and busy fetches that they outlast
  // Words of completions besides those of `File`: 0 is of no interest, a FileRead has `readTag`.
  static constexpr std::uint64_t wakeWord = 7;
  static constexpr std::uint64_t readTag = 7;

  static File& fileOf(IoHandle& handle) noexcept { return *static_cast<File*>(handle.file); }

  LEAT_INLINE int fetch(std::int64_t timeoutNs) noexcept override;
  LEAT_INLINE int perform(Op& op) noexcept override;
  void rest(IoHandle& handle) noexcept override { armLater(fileOf(handle)); }
  int restFd() const noexcept override { return signal_ ? signal_.get() : wakeFd_.get(); }
  int waitFd() const noexcept override { return signal_ ? signal_.get() : ring_.fd(); }

  // To the kernel.
  void armLater(File& file) noexcept {
    if (!file.linked()) toArm_.pushBack(file);
  }
  void armAll() noexcept;
  void arm(File& file) noexcept;
  void armSend(File& file) noexcept;
  void armReader(File& file, const Op& op) noexcept;
  void armReceive(File& file) noexcept;
  void armPoll(File& file, File::Request request, short events) noexcept;
  uring::Sqe& ask(File& file, File::Request request, uring::Opcode opcode) noexcept;
  void withdraw(File& file, unsigned requests) noexcept;
  uring::Sqe* entry() noexcept;
  bool makeRoom() noexcept;
  static constexpr std::uint32_t pollWord(short events) noexcept;

  // From the kernel.
  int reap() noexcept;
  void clearSignal() noexcept;
  void fold(const uring::Cqe& completion) noexcept;
  void foldDetached(File& file, File::Request request, const uring::Cqe& completion) noexcept;
  void foldReceive(File& file, const uring::Cqe& completion) noexcept;
  void foldAccept(File& file, int result) noexcept;
  void foldSend(File& file, int result) noexcept;
  void foldPoll(File& file, File::Request request, int result) noexcept;

  void keepPiece(File& file, unsigned short id, unsigned size) noexcept;
  void dropPiece(File& file) noexcept;
  int receiveNow(File& file, Op& op) noexcept;
  int takeReceived(File& file, Op& op) noexcept;
  void doubt(File& file) noexcept;
  void settleDoubts() noexcept;
  int takeAccepted(File& file) noexcept;
  void keepAccepted(File& file, int fd) noexcept;

  void tellArrived() noexcept;

  static int checkForeign(File& file, const File* there, const struct ::stat& found) noexcept;
  File* newFile(IoHandle& handle) noexcept;
  void freeFile(File& file) noexcept;
  File** place(int fd) noexcept;
  UringStage* newStage() noexcept;
  void freeStage(File& file) noexcept;
  void settle() noexcept;

  UringRing ring_;
  sys::UniqueFd signal_;  // see backendFd
  UringBuffers buffers_;
  const char* mode_ = "";
  List<File> toArm_;
  unsigned sends_ = 0;  // asked for since the last `enter`: they complete within it
  unsigned live_ = 0;   // files that the kernel may still name
  unsigned reads_ = 0;  // that it has not answered
  List<FileRead> arrived_;
  File* doubtful_[maxDoubts];  // that received less than they asked for: see `doubt`
  unsigned doubts_ = 0, busyFetches_ = 0;
  bool waking_ = false;
  File** byNumber_ = nullptr;
  std::size_t numbers_ = 0;
  File* files_ = nullptr;  // all that were ever made
  File* freeFiles_ = nullptr;
  UringStage* freeStages_ = nullptr;
  unsigned spareStages_ = 0;
};

// ---- making and ending it ----

#if LEAT_BODIES
LEAT_INLINE int UringReactor::open(unsigned submissions, unsigned completions) noexcept {
  const int wake = openWakeFd();
  if (wake < 0) {
    mode_ = "there is no eventfd";
    return wake;
  }
  int error = ring_.open(submissions, completions);
  mode_ = ring_.mode();
  if (error != 0) return error;
  error = buffers_.open(ring_);
  if (error == 0) return 0;
  mode_ = error == -EINVAL   ? "the kernel has no rings of buffers (before Linux 5.19)"
          : error == -ENOMEM ? "the memory for receives could not be had"
          : error == -EPERM  ? "io_uring_register is not permitted"
          : error == -ENOSYS ? "the kernel has no io_uring_register, or refuses it"
                             : "the kernel did not take the memory for receives";
  ring_.close();
  return error;
}

LEAT_INLINE UringReactor::~UringReactor() {
  abandonAll();
  ring_.close();
  buffers_.close();
  while (files_ != nullptr) {
    File* const file = files_;
    files_ = file->nextMade;
    freeStage(*file);
    delete[] file->accepted;
    delete file;
  }
  while (freeStages_ != nullptr) {
    UringStage* const stage = freeStages_;
    freeStages_ = stage->next;
    delete stage;
  }
  delete[] byNumber_;
}

LEAT_INLINE void UringReactor::abandonAll() noexcept {
  ReadinessReactor::abandonAll();
  if (inChild()) return;
  settle();
  tellArrived();
}

/// The kernel answers what it was told to end at once, and reads of files as soon as their disk does.
/// Where it does not, as on a thread that is not the ring's, closing the ring ends it all; nothing but
/// this object's memory is named in there, and that of reads, who are never told and keep it.
LEAT_INLINE void UringReactor::settle() noexcept {
  if (reads_ > 0) {
    if (uring::Sqe* const all = entry()) {
      all->opcode = uring::opAsyncCancel;
      all->fd = -1;
      all->opFlags = uring::cancelAll | uring::cancelAny;
    }
  }
  for (int tries = 0; live_ + reads_ > 0 && tries < 100; ++tries) {
    const int error = ring_.enter(1, 50'000'000);
    if (reap() == 0 && error != 0 && error != -EINTR) break;
  }
}

// ---- registration ----

LEAT_INLINE int UringReactor::attach(IoHandle& handle) noexcept {
  if (inChild()) return -ECHILD;
  if (handle.fd < 0) return -EBADF;
  struct ::stat found{};
  // Before there is a place for its number, which may be any.
  if (!handle.ownSocket)
    if (const int error = sys::fstat(handle.fd, found)) return error;
  File** const at = place(handle.fd);
  File* const file = at == nullptr ? nullptr : newFile(handle);
  if (file == nullptr) return -ENOMEM;
  if (!handle.ownSocket) {
    if (const int error = checkForeign(*file, *at, found)) {
      freeFile(*file);
      return error;
    }
  }
  *at = file;
  handle.file = file;
  enlist(handle);
  return 0;
}

/// The kernel gives up the open file before this returns, so that closing the descriptor closes it.
LEAT_INLINE void UringReactor::detach(IoHandle& handle) noexcept {
  if (handle.reactor != this) return;
  File& file = fileOf(handle);
  handle.file = nullptr;
  dismiss(handle);
  if (inChild()) return;
  file.unlink();
  file.handle = nullptr;
  if (byNumber_[file.fd] == &file) byNumber_[file.fd] = nullptr;
  while (file.received()) dropPiece(file);
  while (file.acceptedFrom < file.acceptedTo) sys::close(file.accepted[file.acceptedFrom++]);
  if (file.asked != 0) {
    withdraw(file, file.asked);
    (void)ring_.enter(0, 0);
    if (ring_.unsubmitted() > 0)
      ring_.neutralize([&file](const uring::Sqe& e) { return File::ofWord(e.userData) == &file; });
  }
  if (file.asked == 0) freeFile(file);
}

/// The thread that withdraws a request is the one that the kernel answers it on, so this does not wait.
LEAT_INLINE void UringReactor::endAccepts(IoHandle& handle) noexcept {
  if (handle.reactor != this || inChild()) return;
  File& file = fileOf(handle);
  for (int tries = 0; file.inKernel(File::accept) && tries < 20; ++tries) {
    withdraw(file, File::bit(File::accept));
    buffers_.publish();
    // What the kernel has not been told it does not answer.
    const bool told = (file.withdrawn & File::bit(File::accept)) != 0;
    const int error = ring_.enter(told ? 1 : 0, 50'000'000);
    if (reap() == 0 && error != 0 && error != -EINTR) return;
  }
}

LEAT_INLINE UringFile* UringReactor::newFile(IoHandle& handle) noexcept {
  File* file = freeFiles_;
  if (file != nullptr) {
    freeFiles_ = file->nextFree;
    file->reuse(handle);
  } else {
    file = new (std::nothrow) File(handle);
    if (file == nullptr) return nullptr;
    file->nextMade = files_;
    files_ = file;
  }
  ++live_;
  return file;
}

LEAT_INLINE void UringReactor::freeFile(File& file) noexcept {
  freeStage(file);
  file.nextFree = freeFiles_;
  freeFiles_ = &file;
  --live_;
}

// ---- sending ----

LEAT_INLINE bool UringReactor::stage(IoHandle& handle, const iovec* vectors,
                                     std::size_t count) noexcept {
  if (handle.reactor != this || handle.leftover == nullptr || inChild()) return false;
  if (!handle.writable || !handle.writers.empty()) return false;
  File& file = fileOf(handle);
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += vectors[i].iov_len;
  if (total > UringStage::capacity || file.inKernel(File::send)) return false;
  if (file.staged == nullptr && (file.staged = newStage()) == nullptr) return false;
  UringStage& stage = *file.staged;
  if (stage.from == stage.to) stage.from = stage.to = 0;
  if (total > UringStage::capacity - stage.to) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (vectors[i].iov_len > 0)
      std::memcpy(stage.bytes + stage.to, vectors[i].iov_base, vectors[i].iov_len);
    stage.to += vectors[i].iov_len;
  }
  armLater(file);
  return true;
}

LEAT_INLINE iovec UringReactor::unstage(IoHandle& handle) noexcept {
  if (handle.reactor != this || inChild()) return {nullptr, 0};
  File& file = fileOf(handle);
  if (file.staged == nullptr || file.inKernel(File::send)) return {nullptr, 0};
  UringStage& stage = *file.staged;
  const iovec rest{stage.bytes + stage.from, stage.to - stage.from};
  stage.from = stage.to;
  return rest;
}

LEAT_INLINE UringStage* UringReactor::newStage() noexcept {
  UringStage* stage = freeStages_;
  if (stage == nullptr) return new (std::nothrow) UringStage;
  --spareStages_;
  freeStages_ = stage->next;
  stage->from = stage->to = 0;
  return stage;
}

LEAT_INLINE void UringReactor::freeStage(File& file) noexcept {
  UringStage* const stage = std::exchange(file.staged, nullptr);
  if (stage == nullptr) return;
  if (spareStages_ == maxSpareStages) {
    delete stage;
    return;
  }
  ++spareStages_;
  stage->next = freeStages_;
  freeStages_ = stage;
}

// ---- the parts of its table ----

/// Where nothing is to be told and nothing to be waited for there is no system call.
LEAT_INLINE int UringReactor::fetch(std::int64_t timeoutNs) noexcept {
  if (doubts_ > 0) settleDoubts();
  armAll();
  const bool waits =
      timeoutNs != 0 && completed_.empty() && ready_.empty() && ring_.peek() == nullptr;
  const unsigned sends = sends_;
  int error = 0;
  if (waits || ring_.unsubmitted() > 0 || ring_.needsEnter()) {
    buffers_.publish();
    error = ring_.enter(waits && sends < manySends ? sends + 1 : 0, timeoutNs);
  }
  int count = reap();
  if (waits && sends >= manySends && error == 0 && completed_.empty() &&
      static_cast<unsigned>(count) == sends - sends_) {
    error = ring_.enter(1, timeoutNs);
    count += reap();
  }
  clearSignal();
  // Who polls from outside is not told once more of what came before the signal was cleared.
  while (signal_ && error == 0 && (ring_.needsEnter() || ring_.peek() != nullptr)) {
    buffers_.publish();
    error = ring_.needsEnter() ? ring_.enter(0, 0) : 0;
    const int more = reap();
    clearSignal();
    count += more;
    if (more == 0) break;
  }
  more_ = error == 0 && (ring_.needsEnter() || ring_.peek() != nullptr);
  // Busy and out of memory pass; the next turn tells the kernel again.
  if (count > 0 || error == -EBUSY || error == -EAGAIN) return count;
  return error;
}

LEAT_INLINE void UringReactor::flush() noexcept {
  if (inChild()) return;
  armAll();
  if (ring_.unsubmitted() == 0) return;
  buffers_.publish();
  (void)ring_.enter(0, 0);
}

/// The ring's own descriptor does not wake who polls it while completions wait for `enter`
/// (DEFER_TASKRUN); an eventfd that is registered with the ring is told of them.
LEAT_INLINE int UringReactor::backendFd() noexcept {
  if (!signal_ && !inChild()) {
    int fd = sys::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    sys::UniqueFd owner(fd);
    if (fd >= 0 && sys::io_uring_register(ring_.fd(), uring::registerEventfd, &fd, 1) == 0)
      signal_ = std::move(owner);
    flush();
  }
  return ReadinessReactor::backendFd();
}

LEAT_INLINE bool UringReactor::readFile(FileRead& read) noexcept {
  uring::Sqe* const e = inChild() ? nullptr : entry();
  if (e == nullptr) return false;
  e->opcode = uring::opRead;
  e->fd = read.fd;
  e->addr = reinterpret_cast<std::uint64_t>(read.data);
  e->len = read.size;
  e->off = static_cast<std::uint64_t>(read.position);
  e->userData = reinterpret_cast<std::uint64_t>(&read) | readTag;
  ++reads_;
  if (signal_) flush();  // who polls from outside may not come before it is answered
  return true;
}

/// Those who are told post to the loop, which would be a system call while the reactor counts as asleep.
LEAT_INLINE int UringReactor::turn(std::int64_t timeoutNs) noexcept {
  // `endAccepts` reaps too: then nothing else wakes who waits for these.
  if (!arrived_.empty()) timeoutNs = 0;
  const int served = ReadinessReactor::turn(timeoutNs);
  tellArrived();
  return served;
}

LEAT_INLINE int UringReactor::perform(Op& op) noexcept {
  File& file = fileOf(*op.handle);
  if (op.kind == OpKind::recv) {
    if (file.received()) {
      const int error = sys::passes(sys::Call::recv);
      return error != 0 ? error : takeReceived(file, op);
    }
    if (file.failure != 0) return std::exchange(file.failure, 0);
    if (file.inKernel(File::recv)) return wouldBlock;
    return receiveNow(file, op);
  } else if (op.kind == OpKind::accept) {
    if (file.acceptedFrom < file.acceptedTo) {
      const int error = sys::passes(sys::Call::accept4);
      return error == 0 ? takeAccepted(file) : error == -EPROTO ? -ECONNABORTED : error;
    }
    if (file.failure != 0) return std::exchange(file.failure, 0);
    if (file.inKernel(File::accept)) return wouldBlock;
  }
  return performNow(op);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
