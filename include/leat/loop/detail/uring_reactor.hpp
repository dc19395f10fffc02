// SPDX-License-Identifier: MIT
// What a ring tells the kernel, what the kernel answers, and what came before it was asked for.
#pragma once

#include <leat/loop/detail/uring_core.hpp>

namespace leat::inline LEAT_ABI::detail {

// ---- to the kernel ----

#if LEAT_BODIES
LEAT_INLINE void UringReactor::clearSignal() noexcept {
  std::uint64_t count;
  if (signal_) (void)sys::read(signal_.get(), &count, sizeof count);
}

LEAT_INLINE void UringReactor::armAll() noexcept {
  if (!waking_) {
    uring::Sqe* const wake = entry();
    if (wake == nullptr) return;
    wake->opcode = uring::opPollAdd;
    wake->fd = wakeFd_.get();
    wake->opFlags = pollWord(POLLIN);
    wake->len = uring::pollMultishot;
    wake->userData = wakeWord;
    waking_ = true;
  }
  while (!toArm_.empty()) {
    if (ring_.room() < perFile && !makeRoom()) return;
    arm(toArm_.popFront());
  }
}

/// False where the kernel takes nothing: then it is told in the next turn.
LEAT_INLINE bool UringReactor::makeRoom() noexcept {
  buffers_.publish();
  (void)ring_.enter(0, 0);
  return ring_.room() >= perFile;
}

LEAT_INLINE void UringReactor::arm(File& file) noexcept {
  IoHandle& handle = *file.handle;
  if (file.staged != nullptr && !file.inKernel(File::send)) armSend(file);
  if (handle.readers.empty()) {
    withdraw(file, file.asked & File::bit(File::accept));
  } else if (!handle.readable) {
    armReader(file, handle.readers.front());
  }
  if (!handle.writers.empty() && !handle.writable) armPoll(file, File::pollOut, POLLOUT);
  if (handle.changed || handle.watchers.empty()) return;
  unsigned wanted = 0;
  for (Op* op = handle.watchers.first(); op != nullptr; op = handle.watchers.after(*op))
    wanted |= static_cast<unsigned>(op->size);
  if (wanted & POLLIN) armPoll(file, File::pollIn, POLLIN);
  if (wanted & POLLOUT) armPoll(file, File::pollOut, POLLOUT);
  // Errors and hang-ups are told always.
  if ((wanted & POLLPRI) || wanted == 0) armPoll(file, File::pollPri, POLLPRI);
}

LEAT_INLINE void UringReactor::armSend(File& file) noexcept {
  UringStage& stage = *file.staged;
  if (stage.from == stage.to) return freeStage(file);
  if (!file.handle->writable) return;
  if (const int error = sys::passes(sys::Call::send)) return foldSend(file, error);
  uring::Sqe& e = ask(file, File::send, uring::opSend);
  e.addr = reinterpret_cast<std::uint64_t>(stage.bytes + stage.from);
  e.len = static_cast<std::uint32_t>(stage.to - stage.from);
  // Never waits in the kernel, so it completes inside of `enter`.
  e.opFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  ++sends_;
}

LEAT_INLINE void UringReactor::armReader(File& file, const Op& op) noexcept {
  if (file.polls || op.kind == OpKind::read) return armPoll(file, File::pollIn, POLLIN);
  if (op.kind == OpKind::recv) return armReceive(file);
  if (file.inKernel(File::accept)) return;
  uring::Sqe& e = ask(file, File::accept, uring::opAccept);
  e.opFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (op.multishot) e.ioprio = uring::acceptMultishot;
}

LEAT_INLINE void UringReactor::armReceive(File& file) noexcept {
  if (file.bulk) {
    withdraw(file, file.asked & File::bit(File::recv));
    if (file.inKernel(File::recv) || file.inKernel(File::arrivals)) return;
    uring::Sqe& e = ask(file, File::arrivals, uring::opPollAdd);
    e.opFlags = pollWord(POLLIN | POLLRDHUP);
    e.len = uring::pollMultishot;
    return;
  }
  withdraw(file, file.asked & File::bit(File::arrivals));
  if (file.inKernel(File::recv)) return;
  uring::Sqe& e = ask(file, File::recv, uring::opRecv);
  e.flags = uring::sqeBufferSelect;
  e.ioprio = uring::recvMultishot;
}

LEAT_INLINE void UringReactor::armPoll(File& file, File::Request request, short events) noexcept {
  if (file.inKernel(request)) return;
  ask(file, request, uring::opPollAdd).opFlags = pollWord(events);
}

/// There is room: see `armAll`.
LEAT_INLINE uring::Sqe& UringReactor::ask(File& file, File::Request request,
                                          uring::Opcode opcode) noexcept {
  uring::Sqe& e = *ring_.next();
  e.opcode = opcode;
  e.fd = file.fd;
  e.userData = file.word(request);
  file.asked |= File::bit(request);
  file.withdrawn &= ~File::bit(request);
  return e;
}

/// Each answers once more, with ECANCELED or with what came before.
LEAT_INLINE void UringReactor::withdraw(File& file, unsigned requests) noexcept {
  requests &= ~(file.withdrawn | File::bit(File::send));
  for (unsigned r = 0; requests >> r != 0; ++r) {
    if (((requests >> r) & 1) == 0) continue;
    uring::Sqe* const e = entry();
    if (e == nullptr) return;
    e->opcode = uring::opAsyncCancel;
    e->fd = -1;
    e->addr = file.word(static_cast<File::Request>(r));
    file.withdrawn |= 1U << r;
  }
}

/// What epoll would refuse: files, which are always ready, and what is attached already. Another open
/// file may have got the number of one that was closed too early.
LEAT_INLINE int UringReactor::checkForeign(File& file, const File* there,
                                           const struct ::stat& found) noexcept {
  file.device = found.st_dev;
  file.inode = found.st_ino;
  if (there != nullptr &&
      (there->handle->ownSocket || (there->device == file.device && there->inode == file.inode)))
    return -EEXIST;
  if (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) return -EPERM;
  if (!S_ISCHR(found.st_mode) && !S_ISBLK(found.st_mode)) return 0;
  sys::UniqueFd judge(sys::epoll_create1(EPOLL_CLOEXEC));
  epoll_event none{};
  return judge ? sys::epoll_ctl(judge.get(), EPOLL_CTL_ADD, file.fd, &none) : 0;
}

LEAT_INLINE UringFile** UringReactor::place(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (index < numbers_) return &byNumber_[index];
  std::size_t wanted = numbers_ < 64 ? 64 : numbers_;
  while (wanted <= index) wanted *= 2;
  auto** const grown = new (std::nothrow) File*[wanted]();
  if (grown == nullptr) return nullptr;
  for (std::size_t i = 0; i < numbers_; ++i) grown[i] = byNumber_[i];
  delete[] byNumber_;
  byNumber_ = grown;
  numbers_ = wanted;
  return &byNumber_[index];
}

LEAT_INLINE uring::Sqe* UringReactor::entry() noexcept {
  if (ring_.room() == 0) (void)makeRoom();
  return ring_.next();
}
#endif

/// The kernel reads the two halves of the word in the order of little-endian machines.
constexpr std::uint32_t UringReactor::pollWord(short events) noexcept {
  const auto word = static_cast<std::uint32_t>(static_cast<unsigned short>(events));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return word << 16;
#else
  return word;
#endif
}

// ---- files ----

#if LEAT_BODIES
LEAT_INLINE void UringReactor::tellArrived() noexcept {
  while (!arrived_.empty()) {
    FileRead& read = arrived_.popFront();
    read.arrived(read, read.answer);
  }
}

// ---- from the kernel ----

LEAT_INLINE int UringReactor::reap() noexcept {
  int count = 0;
  while (const uring::Cqe* at = ring_.peek()) {
    const uring::Cqe completion = *at;
    ring_.pop();
    ++count;
    if (completion.userData == wakeWord) {
      if ((completion.flags & uring::cqeMore) == 0) waking_ = false;
    } else if ((completion.userData & 7) == readTag) {
      FileRead& read = *reinterpret_cast<FileRead*>(completion.userData & ~std::uint64_t{7});
      read.answer = completion.res;
      --reads_;
      arrived_.pushBack(read);
    } else if (completion.userData != 0) {
      fold(completion);
    }
  }
  return count;
}

LEAT_INLINE void UringReactor::fold(const uring::Cqe& completion) noexcept {
  File& file = *File::ofWord(completion.userData);
  const File::Request request = File::requestOf(completion.userData);
  if ((completion.flags & uring::cqeMore) == 0) {
    file.asked &= ~File::bit(request);
    file.withdrawn &= ~File::bit(request);
  }
  if (request == File::send) --sends_;
  if (file.handle == nullptr) return foldDetached(file, request, completion);
  IoHandle& handle = *file.handle;
  switch (request) {
    case File::recv:
      foldReceive(file, completion);
      break;
    case File::accept:
      foldAccept(file, completion.res);
      break;
    case File::send:
      foldSend(file, completion.res);
      return;
    default:
      foldPoll(file, request, completion.res);
  }
  makeReady(handle);
  if (!handle.linked()) armLater(file);
}

/// What comes for a descriptor that has gone is given back.
LEAT_INLINE void UringReactor::foldDetached(File& file, File::Request request,
                                            const uring::Cqe& completion) noexcept {
  if (request == File::accept && completion.res >= 0) sys::close(completion.res);
  if (completion.flags & uring::cqeBuffer)
    buffers_.recycle(static_cast<unsigned short>(completion.flags >> uring::cqeBufferShift));
  if (file.asked == 0) freeFile(file);
}

LEAT_INLINE void UringReactor::foldReceive(File& file, const uring::Cqe& completion) noexcept {
  IoHandle& handle = *file.handle;
  const int result = completion.res;
  if (completion.flags & uring::cqeBuffer) {
    const auto id = static_cast<unsigned short>(completion.flags >> uring::cqeBufferShift);
    if (result > 0) {
      keepPiece(file, id, static_cast<unsigned>(result));
    } else {
      buffers_.recycle(id);
    }
  }
  if (result == -ECANCELED) return;
  handle.readable = true;
  // The end, and what the kernel could not do this way, is found again by asking directly.
  file.moreToRead = result <= 0 || (completion.flags & uring::cqeNonEmpty) != 0;
  if (result >= 0 || result == -EINTR) return;
  if (result == -ENOBUFS) {
    buffers_.grow();
  } else if (result == -EAGAIN || result == -EINVAL || result == -EOPNOTSUPP) {
    file.polls = true;
  } else {
    file.failure = result;
  }
}

LEAT_INLINE void UringReactor::foldAccept(File& file, int result) noexcept {
  if (result >= 0) {
    keepAccepted(file, result);
  } else if (result == -EAGAIN || result == -EINVAL || result == -EOPNOTSUPP) {
    file.polls = true;
    file.handle->readable = true;
  } else if (result != -ECANCELED && result != -EINTR && result != -ECONNABORTED &&
             result != -EPROTO) {
    file.failure = result;
    file.handle->readable = true;
  }
}

/// Success is no news. What the socket had no room for goes back to the owner.
LEAT_INLINE void UringReactor::foldSend(File& file, int result) noexcept {
  IoHandle& handle = *file.handle;
  UringStage& stage = *file.staged;
  if (result > 0) stage.from += static_cast<unsigned>(result);
  const bool failed = result < 0 && result != -EAGAIN && result != -EINTR;
  if (failed) stage.from = stage.to;
  if (stage.from == stage.to) freeStage(file);
  if (!failed && file.staged == nullptr) return;
  if (!failed) handle.writable = false;
  if (!handle.leftover->busy()) completeLater(*handle.leftover, failed ? result : 0);
}

LEAT_INLINE void UringReactor::foldPoll(File& file, File::Request request, int result) noexcept {
  IoHandle& handle = *file.handle;
  if (result == -ECANCELED) return;
  if (request == File::pollIn) handle.readable = true;
  if (request == File::pollOut) handle.writable = true;
  if (request == File::arrivals) {
    handle.readable = true;
    if (result < 0 || (result & (POLLRDHUP | POLLHUP)) != 0) handle.lasting = true;
  }
  handle.changed = true;
}

// ---- what came before it was asked for ----

LEAT_INLINE int UringReactor::receiveNow(File& file, Op& op) noexcept {
  const int result = performNow(op);
  if (!file.bulk || result <= 0) return result;
  if (!op.handle->readable) doubt(file);
  if (static_cast<unsigned>(result) >= bulkFrom / 2) {
    file.littles = 0;
  } else if (++file.littles == bulkFor) {
    file.bulk = false;
  }
  return result;
}

/// A receive that was short found the end of what has come, or an urgent mark, and no event tells of what
/// is behind that (a poll that stays armed gives the hint of the waker, which is the same for all bytes).
/// To ask costs a system call, and mostly the next message comes before: so that is left for later, but
/// where somebody else waits for this reactor, or too many are in doubt.
LEAT_INLINE void UringReactor::doubt(File& file) noexcept {
  if (file.doubted) return;
  if (signal_ || doubts_ == maxDoubts) {
    file.handle->readable = true;
    return;
  }
  file.doubted = true;
  doubtful_[doubts_++] = &file;
}

/// When nothing new has come, or has been coming for long.
LEAT_INLINE void UringReactor::settleDoubts() noexcept {
  const bool busy = ring_.needsEnter() || ring_.peek() != nullptr;
  if (busy && ++busyFetches_ < maxDoubts) return;
  busyFetches_ = 0;
  while (doubts_ > 0) {
    File& file = *doubtful_[--doubts_];
    file.doubted = false;
    if (file.handle == nullptr || !file.bulk || file.handle->readable) continue;
    if (sys::poll(file.fd, POLLIN) == 0) continue;
    file.handle->readable = true;
    makeReady(*file.handle);
  }
}

LEAT_INLINE void UringReactor::keepPiece(File& file, unsigned short id, unsigned size) noexcept {
  buffers_.piece(id) = {UringBuffers::none, 0, size};
  if (file.received()) {
    buffers_.piece(file.lastPiece).next = id;
  } else {
    file.firstPiece = id;
  }
  file.lastPiece = id;
  // Nobody reads: what else comes stays in the socket, and its sender waits.
  if (++file.pieces >= maxPieces && file.handle->readers.empty())
    withdraw(file, file.asked & File::bit(File::recv));
}

LEAT_INLINE void UringReactor::dropPiece(File& file) noexcept {
  const unsigned short id = file.firstPiece;
  file.firstPiece = buffers_.piece(id).next;
  buffers_.recycle(id);
  --file.pieces;
}

LEAT_INLINE int UringReactor::takeReceived(File& file, Op& op) noexcept {
  auto* const into = static_cast<char*>(op.data);
  std::size_t taken = 0;
  while (file.received() && taken < op.size) {
    const unsigned short id = file.firstPiece;
    UringBuffers::Piece& piece = buffers_.piece(id);
    const std::size_t room = op.size - taken;
    const unsigned count = room < piece.left ? static_cast<unsigned>(room) : piece.left;
    std::memcpy(into + taken, buffers_.data(id) + piece.offset, count);
    taken += count;
    piece.offset += count;
    piece.left -= count;
    if (piece.left == 0) dropPiece(file);
  }
  if (taken >= bulkFrom) {
    // At once: who always finds something never waits, and would go on to copy.
    if (!std::exchange(file.bulk, true)) withdraw(file, file.asked & File::bit(File::recv));
    file.littles = 0;
  }
  op.handle->readable =
      file.received() || file.failure != 0 || (file.moreToRead && !file.inKernel(File::recv));
  return static_cast<int>(taken);
}

LEAT_INLINE int UringReactor::takeAccepted(File& file) noexcept {
  const int fd = file.accepted[file.acceptedFrom++];
  file.handle->readable = file.acceptedFrom < file.acceptedTo || file.failure != 0;
  return fd;
}

LEAT_INLINE void UringReactor::keepAccepted(File& file, int fd) noexcept {
  if (file.acceptedFrom == file.acceptedTo) file.acceptedFrom = file.acceptedTo = 0;
  if (file.acceptedTo == file.acceptedRoom) {
    const unsigned room = file.acceptedRoom == 0 ? 16 : file.acceptedRoom * 2;
    auto* const grown = new (std::nothrow) int[room];
    if (grown == nullptr) {
      sys::close(fd);
      file.failure = -ENOMEM;
      file.handle->readable = true;
      return;
    }
    for (unsigned i = 0; i < file.acceptedTo; ++i) grown[i] = file.accepted[i];
    delete[] file.accepted;
    file.accepted = grown;
    file.acceptedRoom = room;
  }
  file.accepted[file.acceptedTo++] = fd;
  file.handle->readable = true;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
