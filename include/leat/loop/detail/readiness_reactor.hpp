// SPDX-License-Identifier: MIT
// What the back ends have in common: operations that wait for their descriptor to become ready, in
// order, the turn, and waking from other threads.
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
class ReadinessReactor : public Reactor {
 public:
  LEAT_INLINE void submit(Op& op) noexcept override;
  LEAT_INLINE int tryNow(Op& op) noexcept override;
  LEAT_INLINE void cancel(Op& op) noexcept override;
  LEAT_INLINE void abandon(Op& op) noexcept override;
  LEAT_INLINE void abandonAll() noexcept override;
  LEAT_INLINE int turn(std::int64_t timeoutNs) noexcept override;
  LEAT_INLINE void wake() noexcept override;
  LEAT_INLINE int backendFd() noexcept override;
  bool hasReady() const noexcept override { return !ready_.empty() || !completed_.empty(); }

 protected:
  // Of `wakeState_`. A waker swaps in `notified` and writes to the eventfd if it found `asleep`, or to
  // that of `backendFd` if it found `resting`. The loop swaps in `asleep` before it waits, and does not
  // wait if it found `notified`.
  enum : int { awake, asleep, notified, resting };
  static constexpr int maxFetches = 48;        // in one turn, while there is more (libuv's figure)
  static constexpr int maxVisits = 1024;       // of handles in one round: accept storms end
  static constexpr int wouldBlock = -0x10000;  // no errno: the operation has to wait

  /// Asks the kernel for events, waits for them at most so long, and folds them into their handles.
  /// How many there were, or -errno. Sets `more_`.
  virtual int fetch(std::int64_t timeoutNs) noexcept = 0;
  /// Tries an operation: its result, or `wouldBlock`.
  virtual int perform(Op& op) noexcept { return performNow(op); }
  /// The handle has operations that wait, or had: what the kernel is to watch may have changed.
  virtual void rest(IoHandle&) noexcept {}
  /// The descriptor that shows whether there are events.
  virtual int waitFd() const noexcept = 0;
  /// What makes that one readable when it is written to.
  virtual int restFd() const noexcept { return wakeFd_.get(); }

  int openWakeFd() noexcept;
  bool inChild() const noexcept { return generation_ != sys::forkGeneration(); }
  /// What does not depend on the back end of attaching and detaching.
  void enlist(IoHandle& handle) noexcept;
  void dismiss(IoHandle& handle) noexcept;
  void makeReady(IoHandle& handle) noexcept {
    if (!handle.linked() && handle.runnable()) ready_.pushBack(handle);
  }
  void completeLater(Op& op, int result) noexcept;

  static List<Op>& waitersOf(Op& op) noexcept;
  static int performNow(Op& op) noexcept;
  static int accept(Op& op) noexcept;
  static int connect(Op& op) noexcept;
  static int receive(Op& op) noexcept;
  static int send(Op& op) noexcept;

  List<IoHandle::Link> attached_;
  List<Op> completed_;
  List<IoHandle> ready_;
  sys::UniqueFd wakeFd_;
  bool more_ = false;  // the kernel may have more than the last fetch gave

 private:
  int wait(std::int64_t timeoutNs) noexcept;
  int sleep(std::int64_t timeoutNs) noexcept;
  int spin(std::int64_t untilNs) noexcept;
  int dispatchCompleted() noexcept;
  int dispatchReady() noexcept;
  int serve(IoHandle& handle, List<IoHandle>& batch) noexcept;
  Op* tryFront(List<Op>& waiting, bool& ready, int& result) noexcept;
  Op* tryWatchers(IoHandle& handle, int& result) noexcept;

  unsigned generation_ = 0;
  Atomic<int> wakeState_{awake};
  int restState_ = awake;  // what it is outside of turns
};

#if LEAT_BODIES
LEAT_INLINE int ReadinessReactor::openWakeFd() noexcept {
  generation_ = sys::watchForks();
  const int fd = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd >= 0) wakeFd_.reset(fd);
  return fd;
}

// ---- registration ----

LEAT_INLINE void ReadinessReactor::enlist(IoHandle& handle) noexcept {
  handle.reactor = this;
  handle.readable = handle.writable = handle.changed = true;
  handle.lasting = false;
  attached_.pushBack(handle.attached);
}

LEAT_INLINE void ReadinessReactor::dismiss(IoHandle& handle) noexcept {
  handle.reactor = nullptr;
  handle.unlink();
  handle.attached.unlink();
  List<Op>* const lists[] = {&handle.readers, &handle.writers, &handle.watchers};
  for (List<Op>* waiting : lists)
    while (!waiting->empty()) {
      Op& op = waiting->popFront();
      op.handle = nullptr;
      completeLater(op, -ECANCELED);
    }
}

LEAT_INLINE void ReadinessReactor::abandonAll() noexcept {
  while (!attached_.empty()) detach(attached_.front().handle);
  while (!completed_.empty()) completed_.popFront().state = Op::State::idle;
}

// ---- operations ----

LEAT_INLINE List<Op>& ReadinessReactor::waitersOf(Op& op) noexcept {
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

LEAT_INLINE void ReadinessReactor::submit(Op& op) noexcept {
  if (op.busy() || inChild()) return;
  if (op.handle == nullptr || op.handle->reactor != this) return completeLater(op, -EBADF);
  IoHandle& handle = *op.handle;
  op.state = Op::State::inflight;
  waitersOf(op).pushBack(op);
  if (op.kind == OpKind::poll) handle.changed = true;  // the level counts, not only the next edge
  if (op.kind == OpKind::connect) handle.writable = true;  // must be started
  if (handle.linked()) return;
  if (handle.runnable()) {
    ready_.pushBack(handle);
  } else {
    rest(handle);
  }
}

LEAT_INLINE int ReadinessReactor::tryNow(Op& op) noexcept {
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

LEAT_INLINE void ReadinessReactor::cancel(Op& op) noexcept {
  if (op.state != Op::State::inflight || inChild()) return;
  op.unlink();
  if (op.kind == OpKind::accept) rest(*op.handle);
  completeLater(op, -ECANCELED);
}

LEAT_INLINE void ReadinessReactor::abandon(Op& op) noexcept {
  op.unlink();
  const bool waited = op.state == Op::State::inflight && op.kind == OpKind::accept;
  op.state = Op::State::idle;
  if (waited && !inChild()) rest(*op.handle);
}

LEAT_INLINE void ReadinessReactor::completeLater(Op& op, int result) noexcept {
  op.state = Op::State::completed;
  op.result = result;
  completed_.pushBack(op);
}

// ---- a turn ----

LEAT_INLINE int ReadinessReactor::turn(std::int64_t timeoutNs) noexcept {
  if (inChild()) return -ECHILD;
  ++stats_.turns;
  int served = dispatchCompleted();
  served += dispatchReady();
  for (int fetches = 0; fetches < maxFetches; ++fetches) {
    // Only the first waits: a `wake` while it does so is for this turn, and it is spent.
    const bool idle = fetches == 0 && served == 0 && ready_.empty() && completed_.empty();
    const int count = wait(idle ? timeoutNs : 0);
    if (count == -EINTR) break;
    if (count < 0) return count;
    stats_.events += static_cast<std::uint64_t>(count);
    served += dispatchCompleted();
    served += dispatchReady();
    if (!more_) break;
  }
  return served;
}

LEAT_INLINE int ReadinessReactor::wait(std::int64_t timeoutNs) noexcept {
  if (timeoutNs == 0) {
    if (wakeState_.load(relaxed) == notified) wakeState_.exchange(restState_);
    return fetch(0);
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

LEAT_INLINE int ReadinessReactor::sleep(std::int64_t timeoutNs) noexcept {
  if (wakeState_.exchange(asleep) == notified) timeoutNs = 0;
  const int count = fetch(timeoutNs);
  wakeState_.exchange(restState_);
  return count;
}

/// Asks until `untilNs`. The wake-up that ends it stays `notified`, so that `sleep` does not wait.
LEAT_INLINE int ReadinessReactor::spin(std::int64_t untilNs) noexcept {
  do {
    const int count = fetch(0);
    if (count != 0 || wakeState_.load(acquire) == notified) return count;
  } while (sys::monotonicNs() < untilNs);
  return 0;
}

/// Only what was there at the start: a callback that submits and cancels again cannot keep the turn.
LEAT_INLINE int ReadinessReactor::dispatchCompleted() noexcept {
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
LEAT_INLINE int ReadinessReactor::dispatchReady() noexcept {
  int served = 0;
  List<IoHandle> batch;
  batch.append(ready_);
  for (int visits = 0; visits < maxVisits && !batch.empty(); ++visits)
    served += serve(batch.popFront(), batch);
  batch.append(ready_);
  ready_.append(batch);
  return served;
}

LEAT_INLINE int ReadinessReactor::serve(IoHandle& handle, List<IoHandle>& batch) noexcept {
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
  if (handle.runnable()) {
    batch.pushBack(handle);
  } else {
    rest(handle);
  }
  if (op == nullptr) return 0;
  deliver(*op, result, flags);
  return 1;
}

LEAT_INLINE Op* ReadinessReactor::tryFront(List<Op>& waiting, bool& ready, int& result) noexcept {
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
LEAT_INLINE Op* ReadinessReactor::tryWatchers(IoHandle& handle, int& result) noexcept {
  for (Op* op = handle.watchers.first(); op != nullptr; op = handle.watchers.after(*op)) {
    result = sys::poll(handle.fd, static_cast<short>(op->size));
    if (result != 0) return op;
  }
  handle.changed = false;
  return nullptr;
}

// ---- the system calls of the operations ----

LEAT_INLINE int ReadinessReactor::performNow(Op& op) noexcept {
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

LEAT_INLINE int ReadinessReactor::accept(Op& op) noexcept {
  const int fd = sys::accept4(op.handle->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd == -EAGAIN ? wouldBlock : fd == -EPROTO ? -ECONNABORTED : fd;
}

LEAT_INLINE int ReadinessReactor::connect(Op& op) noexcept {
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

LEAT_INLINE int ReadinessReactor::receive(Op& op) noexcept {
  IoHandle& handle = *op.handle;
  const ssize_t n = op.kind == OpKind::recv ? sys::recv(handle.fd, op.data, op.size, MSG_DONTWAIT)
                                            : sys::read(handle.fd, op.data, op.size);
  if (n == -EAGAIN) return wouldBlock;
  // Whatever arrives from now on is a new edge; what had arrived before was taken.
  if (n > 0 && static_cast<std::size_t>(n) < op.size && handle.shortMeansBlocked && !handle.lasting)
    handle.readable = false;
  return static_cast<int>(n);
}

LEAT_INLINE int ReadinessReactor::send(Op& op) noexcept {
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

LEAT_INLINE void ReadinessReactor::wake() noexcept {
  if (inChild()) return;
  const int was = wakeState_.exchange(notified);
  if (was != asleep && was != resting) return;
  const int fd = was == asleep ? wakeFd_.get() : restFd();
  // It cannot fail, but a lost wake-up would be a loop that hangs: try again rather than believe it.
  const std::uint64_t one = 1;
  for (int tries = 0; tries < 8; ++tries)
    if (sys::write(fd, &one, sizeof one) == sizeof one) return;
}

LEAT_INLINE int ReadinessReactor::backendFd() noexcept {
  restState_ = resting;
  if (wakeState_.exchange(resting) == notified) wake();  // that one was not written
  return waitFd();
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
