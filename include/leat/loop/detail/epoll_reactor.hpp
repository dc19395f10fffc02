// SPDX-License-Identifier: MIT
// The back end on epoll: readiness turned into completions. Edge-triggered, one registration for each
// descriptor's life. What is known of readiness is remembered, so that an echo costs one receive and
// one send, and no receive that only finds out that there is nothing.
#pragma once

#include <leat/base/list.hpp>
#include <leat/loop/reactor.hpp>
#include <leat/sys/fd.hpp>
#include <leat/sys/fork.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Two queues of work: `completed_`, operations whose result is known, and `ready_`, handles of which
/// an operation may be tried. A handle is served one operation at a time, and is back in a queue (or
/// in none) before the callback runs, so a callback may destroy or detach any handle, also one whose
/// event is already here: events of a batch are folded into their handles before the first callback.
class EpollReactor final : public Reactor {
 public:
  EpollReactor() noexcept = default;
  ~EpollReactor() override { abandonAll(); }

  /// Makes the kernel objects. 0 or -errno; nothing else may be called before it succeeded.
  int open() noexcept;

  const char* name() const noexcept override { return "epoll"; }
  int attach(IoHandle& handle) noexcept override;
  void detach(IoHandle& handle) noexcept override;
  void submit(Op& op) noexcept override;
  int tryNow(Op& op) noexcept override;
  void cancel(Op& op) noexcept override;
  void abandon(Op& op) noexcept override;
  void abandonAll() noexcept override;
  int turn(std::int64_t timeoutNs) noexcept override;
  void wake() noexcept override;
  int backendFd() noexcept override;
  bool hasReady() const noexcept override { return !ready_.empty() || !completed_.empty(); }

 private:
  // Of `wakeState_`. A waker swaps in `notified` and writes to the eventfd if it found `asleep`. The
  // loop swaps in `asleep` before it waits, and does not wait if it found `notified`.
  enum : int { awake, asleep, notified };
  static constexpr int capacity = 1024;        // events fetched at once
  static constexpr int maxFetches = 48;        // of full batches in one turn (libuv's figure)
  static constexpr int maxVisits = 1024;       // of handles in one round: accept storms end
  static constexpr int wouldBlock = -0x10000;  // no errno: the operation has to wait

  bool inChild() const noexcept { return generation_ != sys::forkGeneration(); }
  int wait(std::int64_t timeoutNs) noexcept;
  int sleep(std::int64_t timeoutNs) noexcept;
  int spin(std::int64_t untilNs) noexcept;
  void fold(int count) noexcept;
  int dispatchCompleted() noexcept;
  int dispatchReady() noexcept;
  int serve(IoHandle& handle, List<IoHandle>& batch) noexcept;
  Op* tryFront(List<Op>& waiting, bool& ready, int& result) noexcept;
  Op* tryWatchers(IoHandle& handle, int& result) noexcept;
  void completeLater(Op& op, int result) noexcept;

  static List<Op>& waitersOf(Op& op) noexcept;
  static int perform(Op& op) noexcept;
  static int accept(Op& op) noexcept;
  static int connect(Op& op) noexcept;
  static int receive(Op& op) noexcept;
  static int send(Op& op) noexcept;

  sys::UniqueFd epoll_;
  sys::UniqueFd wakeFd_;
  unsigned generation_ = 0;
  Atomic<int> wakeState_{awake};
  int restState_ = awake;  // what it is outside of turns
  List<Op> completed_;
  List<IoHandle> ready_;
  List<IoHandle::Link> attached_;
  epoll_event events_[capacity];
};

inline int EpollReactor::open() noexcept {
  generation_ = sys::watchForks();
  const int epoll = sys::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return epoll;
  sys::UniqueFd epollFd(epoll);
  const int wake = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return wake;
  sys::UniqueFd wakeFd(wake);
  // Edge-triggered and never read: every write is an edge, and the count cannot overflow in practice.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (const int error = sys::epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event)) return error;
  epoll_ = static_cast<sys::UniqueFd&&>(epollFd);
  wakeFd_ = static_cast<sys::UniqueFd&&>(wakeFd);
  return 0;
}

// ---- registration ----

inline int EpollReactor::attach(IoHandle& handle) noexcept {
  if (inChild()) return -ECHILD;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &handle;
  if (const int error = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, handle.fd, &event))
    return error;
  handle.reactor = this;
  handle.readable = handle.writable = handle.changed = true;
  handle.lasting = false;
  attached_.pushBack(handle.attached);
  return 0;
}

inline void EpollReactor::detach(IoHandle& handle) noexcept {
  if (handle.reactor != this) return;
  handle.reactor = nullptr;
  handle.unlink();
  handle.attached.unlink();
  // Closing would not do: a duplicate of the descriptor keeps the registration, and its pointer, alive.
  if (!inChild()) sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, handle.fd, nullptr);
  List<Op>* const lists[] = {&handle.readers, &handle.writers, &handle.watchers};
  for (List<Op>* waiting : lists)
    while (!waiting->empty()) {
      Op& op = waiting->popFront();
      op.handle = nullptr;
      completeLater(op, -ECANCELED);
    }
}

inline void EpollReactor::abandonAll() noexcept {
  while (!attached_.empty()) detach(attached_.front().handle);
  while (!completed_.empty()) completed_.popFront().state = Op::State::idle;
}

// ---- operations ----

inline List<Op>& EpollReactor::waitersOf(Op& op) noexcept {
  switch (op.kind) {
    case OpKind::connect:
    case OpKind::send:
    case OpKind::write:
      return op.handle->writers;
    case OpKind::poll:
      return op.handle->watchers;
    case OpKind::accept:
    case OpKind::recv:
    case OpKind::read:
      break;
  }
  return op.handle->readers;
}

inline void EpollReactor::submit(Op& op) noexcept {
  if (op.busy() || inChild()) return;
  if (op.handle == nullptr || op.handle->reactor != this) return completeLater(op, -EBADF);
  IoHandle& handle = *op.handle;
  op.state = Op::State::inflight;
  waitersOf(op).pushBack(op);
  if (op.kind == OpKind::poll) handle.changed = true;  // the level counts, not only the next edge
  if (op.kind == OpKind::connect) handle.writable = true;  // must be started
  if (!handle.linked() && handle.runnable()) ready_.pushBack(handle);
}

inline int EpollReactor::tryNow(Op& op) noexcept {
  if (op.busy() || inChild()) return -EAGAIN;
  if (op.handle == nullptr || op.handle->reactor != this) return -EBADF;
  if (op.kind == OpKind::connect || op.kind == OpKind::poll || op.multishot) return -EAGAIN;
  List<Op>& waiting = waitersOf(op);
  bool& ready = &waiting == &op.handle->writers ? op.handle->writable : op.handle->readable;
  if (!ready || !waiting.empty()) return -EAGAIN;
  const int result = perform(op);
  if (result != wouldBlock)
    return result == -ECONNABORTED && op.kind == OpKind::accept ? -EAGAIN : result;
  ready = false;
  return -EAGAIN;
}

inline void EpollReactor::cancel(Op& op) noexcept {
  if (op.state != Op::State::inflight || inChild()) return;
  op.unlink();
  completeLater(op, -ECANCELED);
}

inline void EpollReactor::abandon(Op& op) noexcept {
  op.unlink();
  op.state = Op::State::idle;
}

inline void EpollReactor::completeLater(Op& op, int result) noexcept {
  op.state = Op::State::completed;
  op.result = result;
  completed_.pushBack(op);
}

// ---- a turn ----

inline int EpollReactor::turn(std::int64_t timeoutNs) noexcept {
  if (inChild()) return -ECHILD;
  ++stats_.turns;
  int served = dispatchCompleted();
  served += dispatchReady();
  for (int fetches = 0; fetches < maxFetches; ++fetches) {
    const bool idle = served == 0 && ready_.empty() && completed_.empty();
    const int count = wait(idle ? timeoutNs : 0);
    if (count == -EINTR) break;
    if (count < 0) return count;
    fold(count);
    served += dispatchCompleted();
    served += dispatchReady();
    if (count < capacity) break;
  }
  return served;
}

inline int EpollReactor::wait(std::int64_t timeoutNs) noexcept {
  if (timeoutNs == 0) {
    if (wakeState_.load(relaxed) == notified) wakeState_.exchange(restState_);
    return sys::epoll_wait(epoll_.get(), events_, capacity, 0);
  }
  const std::int64_t start = sys::monotonicNs();
  int count = 0;
  std::int64_t remaining = timeoutNs;
  if (busyPollNs_ > 0) {
    count = spin(start + (timeoutNs < 0 || timeoutNs > busyPollNs_ ? busyPollNs_ : timeoutNs));
    if (timeoutNs > 0) remaining = start + timeoutNs - sys::monotonicNs();
  }
  if (count == 0 && (timeoutNs < 0 || remaining > 0)) count = sleep(remaining);
  stats_.blockedNs += sys::monotonicNs() - start;
  return count;
}

inline int EpollReactor::sleep(std::int64_t timeoutNs) noexcept {
  if (wakeState_.exchange(asleep) == notified) timeoutNs = 0;
  const int count = sys::epoll_wait(epoll_.get(), events_, capacity, timeoutNs);
  wakeState_.exchange(restState_);
  return count;
}

/// Asks until `untilNs`. The wake-up that ends it stays `notified`, so that `sleep` does not wait.
inline int EpollReactor::spin(std::int64_t untilNs) noexcept {
  do {
    const int count = sys::epoll_wait(epoll_.get(), events_, capacity, 0);
    if (count != 0 || wakeState_.load(acquire) == notified) return count;
  } while (sys::monotonicNs() < untilNs);
  return 0;
}

inline void EpollReactor::fold(int count) noexcept {
  stats_.events += static_cast<std::uint64_t>(count);
  for (int i = 0; i < count; ++i) {
    auto* handle = static_cast<IoHandle*>(events_[i].data.ptr);
    if (handle == nullptr) continue;
    const std::uint32_t events = events_[i].events;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) handle->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) handle->writable = true;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) handle->lasting = true;
    handle->changed = true;
    if (!handle->linked() && handle->runnable()) ready_.pushBack(*handle);
  }
}

/// Only what was there at the start: a callback that submits and cancels again cannot keep the turn.
inline int EpollReactor::dispatchCompleted() noexcept {
  int served = 0;
  List<Op> batch;
  batch.append(completed_);
  while (!batch.empty()) {
    Op& op = batch.popFront();
    op.state = Op::State::idle;
    deliver(op, op.result, 0);
    ++served;
  }
  return served;
}

/// Handles that become ready through a callback wait for the next round; those of this round with
/// more to do come again after the others.
inline int EpollReactor::dispatchReady() noexcept {
  int served = 0;
  List<IoHandle> batch;
  batch.append(ready_);
  for (int visits = 0; visits < maxVisits && !batch.empty(); ++visits)
    served += serve(batch.popFront(), batch);
  batch.append(ready_);
  ready_.append(batch);
  return served;
}

inline int EpollReactor::serve(IoHandle& handle, List<IoHandle>& batch) noexcept {
  int result = 0;
  Op* op = tryFront(handle.readers, handle.readable, result);
  if (op == nullptr) op = tryFront(handle.writers, handle.writable, result);
  if (op == nullptr && handle.changed) op = tryWatchers(handle, result);
  unsigned flags = 0;
  if (op != nullptr) {
    if (op->multishot && result >= 0) {
      flags = Op::more;
    } else {
      op->unlink();
      op->state = Op::State::idle;
    }
  }
  if (handle.runnable()) batch.pushBack(handle);
  if (op == nullptr) return 0;
  deliver(*op, result, flags);
  return 1;
}

inline Op* EpollReactor::tryFront(List<Op>& waiting, bool& ready, int& result) noexcept {
  if (!ready || waiting.empty()) return nullptr;
  Op& op = waiting.front();
  result = perform(op);
  if (result == wouldBlock) {
    ready = false;
    return nullptr;
  }
  // A connection that was given up while it waited is no result; there may be others behind it.
  return op.kind == OpKind::accept && result == -ECONNABORTED ? nullptr : &op;
}

/// The first watcher that has something. None has: they wait for the next event.
inline Op* EpollReactor::tryWatchers(IoHandle& handle, int& result) noexcept {
  for (Op* op = handle.watchers.first(); op != nullptr; op = handle.watchers.after(*op)) {
    result = sys::poll(handle.fd, static_cast<short>(op->size));
    if (result != 0) return op;
  }
  handle.changed = false;
  return nullptr;
}

// ---- the system calls of the operations ----

inline int EpollReactor::perform(Op& op) noexcept {
  switch (op.kind) {
    case OpKind::accept:
      return accept(op);
    case OpKind::connect:
      return connect(op);
    case OpKind::send:
    case OpKind::write:
      return send(op);
    case OpKind::poll:
      break;
    case OpKind::recv:
    case OpKind::read:
      return receive(op);
  }
  return -EINVAL;
}

inline int EpollReactor::accept(Op& op) noexcept {
  const int fd = sys::accept4(op.handle->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd == -EAGAIN ? wouldBlock : fd == -EPROTO ? -ECONNABORTED : fd;
}

inline int EpollReactor::connect(Op& op) noexcept {
  IoHandle& handle = *op.handle;
  if (!op.started) {
    const auto* address = static_cast<const sockaddr*>(op.data);
    const int r = sys::connect(handle.fd, address, static_cast<socklen_t>(op.size));
    if (r == -EINPROGRESS) {
      op.started = true;
      return wouldBlock;
    }
    if (r < 0) return r;
  } else {
    int error = 0;
    socklen_t length = sizeof error;
    if (const int r = sys::getsockopt(handle.fd, SOL_SOCKET, SO_ERROR, &error, &length)) return r;
    if (error != 0) return -error;
  }
  // A socket that is not connected counts as hung up; forget that.
  handle.lasting = false;
  handle.readable = handle.changed = true;
  return 0;
}

inline int EpollReactor::receive(Op& op) noexcept {
  IoHandle& handle = *op.handle;
  const ssize_t n = op.kind == OpKind::recv ? sys::recv(handle.fd, op.data, op.size, MSG_DONTWAIT)
                                            : sys::read(handle.fd, op.data, op.size);
  if (n == -EAGAIN) return wouldBlock;
  // Whatever arrives from now on is a new edge; what had arrived before was taken.
  if (n > 0 && static_cast<std::size_t>(n) < op.size && handle.shortMeansBlocked && !handle.lasting)
    handle.readable = false;
  return static_cast<int>(n);
}

inline int EpollReactor::send(Op& op) noexcept {
  IoHandle& handle = *op.handle;
  const auto* vectors = static_cast<const iovec*>(op.data);
  ssize_t n;
  if (op.kind == OpKind::write) {
    n = op.size == 1 ? sys::write(handle.fd, vectors->iov_base, vectors->iov_len)
                     : sys::writev(handle.fd, vectors, static_cast<int>(op.size));
  } else if (op.size == 1) {
    n = sys::send(handle.fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(vectors);
    message.msg_iovlen = op.size;
    n = sys::sendmsg(handle.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (n == -EAGAIN) return wouldBlock;
  if (n >= 0 && handle.shortMeansBlocked) {
    std::size_t asked = 0;
    for (std::size_t i = 0; i < op.size; ++i) asked += vectors[i].iov_len;
    if (static_cast<std::size_t>(n) < asked) handle.writable = false;
  }
  return static_cast<int>(n);
}

// ---- other threads ----

inline void EpollReactor::wake() noexcept {
  if (inChild() || wakeState_.exchange(notified) != asleep) return;
  // It cannot fail, but a lost wake-up would be a loop that hangs: try again rather than believe it.
  const std::uint64_t one = 1;
  for (int tries = 0; tries < 8; ++tries)
    if (sys::write(wakeFd_.get(), &one, sizeof one) == sizeof one) return;
}

inline int EpollReactor::backendFd() noexcept {
  restState_ = asleep;
  if (wakeState_.exchange(asleep) == notified) wake();  // that one was not written
  return epoll_.get();
}

}  // namespace leat::inline LEAT_ABI::detail
