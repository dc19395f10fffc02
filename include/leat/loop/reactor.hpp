// SPDX-License-Identifier: MIT
// What a loop asks of its back end: operations that are submitted and complete. Shaped for io_uring,
// where the kernel holds the buffers; epoll meets the same contract.
#pragma once

#include <leat/base/list.hpp>
#include <leat/sys/calls.hpp>

#include <cstddef>
#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

class Reactor;
struct IoHandle;

enum class OpKind : unsigned char { poll, accept, connect, recv, send, read, write };

/// One operation. Lives in its awaiter or, where abandoning must lose nothing (every receive of a
/// socket, multishot accept), in the state of the Socket or Server. The buffers it names, the iovec
/// array and the address must stay until it has completed or was abandoned.
/// May not be destroyed while `busy()`: `abandon` it first.
struct Op : ListNode {
  enum class State : unsigned char {
    idle,       // with its owner
    pending,    // submitted, not yet told to the kernel (back ends that batch)
    inflight,   // waiting: in the kernel, or in the wait list of its handle
    completed,  // has its result; `done` comes in the next turn
  };
  /// Called on the loop's thread from `turn`, through the loop's dispatcher, never from inside
  /// `submit` or `cancel`. Once for each submit unless abandoned; a multishot operation n times, all
  /// but the last with `more`. The operation is idle again (unless `more`) and may be submitted anew
  /// or destroyed, as may its handle.
  /// `result` is a byte count, a descriptor (accept), the events that hold (poll), 0, or -errno.
  using Done = void (*)(Op& op, int result, unsigned flags) noexcept;
  static constexpr unsigned more = 1;

  constexpr Op() noexcept = default;
  explicit constexpr Op(Done whenDone) noexcept : done(whenDone) {}

  bool busy() const noexcept { return state != State::idle; }

  /// Completes with the events of `events` (POLLIN, POLLOUT, POLLPRI; POLLERR and POLLHUP always).
  void preparePoll(IoHandle& on, short events) noexcept {
    prepare(OpKind::poll, on, nullptr, static_cast<unsigned short>(events));
  }
  /// Completes with a descriptor, non-blocking and close-on-exec.
  void prepareAccept(IoHandle& on) noexcept { prepare(OpKind::accept, on, nullptr, 0); }
  void prepareConnect(IoHandle& on, const sockaddr* address, socklen_t length) noexcept {
    prepare(OpKind::connect, on, const_cast<sockaddr*>(address), length);
  }
  /// Completes with what one receive gave: at most `bytes`, 0 at the end of the stream.
  void prepareRecv(IoHandle& on, void* buffer, std::size_t bytes) noexcept {
    prepare(OpKind::recv, on, buffer, bytes);
  }
  /// Completes with what one send took, which may be less than was given. Never raises SIGPIPE.
  void prepareSend(IoHandle& on, const iovec* vectors, std::size_t count) noexcept {
    prepare(OpKind::send, on, const_cast<iovec*>(vectors), count);
  }
  /// As recv and send, for pipes, terminals and other descriptors that are not sockets.
  void prepareRead(IoHandle& on, void* buffer, std::size_t bytes) noexcept {
    prepare(OpKind::read, on, buffer, bytes);
  }
  void prepareWrite(IoHandle& on, const iovec* vectors, std::size_t count) noexcept {
    prepare(OpKind::write, on, const_cast<iovec*>(vectors), count);
  }

  Done done = nullptr;
  IoHandle* handle = nullptr;
  void* data = nullptr;  // recv, read: buffer; send, write: iovec array; connect: address
  std::size_t size = 0;  // bytes; vectors; length of the address; poll: the events
  int result = 0;        // of a completed operation not yet dispatched
  OpKind kind = OpKind::poll;
  State state = State::idle;
  bool multishot = false;  // accept only: stays submitted until it fails or is cancelled
  bool started = false;    // connect: the kernel is at it

 private:
  void prepare(OpKind what, IoHandle& on, void* where, std::size_t much) noexcept {
    kind = what;
    handle = &on;
    data = where;
    size = much;
    started = false;
  }
};

/// The registration of one descriptor, from `attach` to `detach`: at most one for each open
/// descriptor. Belongs to the Socket, Server or pipe that owns the descriptor and has an address.
/// The descriptor must be non-blocking.
struct IoHandle : ListNode {
  explicit IoHandle(int descriptor = -1) noexcept : fd(descriptor), attached(*this) {}
  /// Detaches. Close the descriptor only after that.
  ~IoHandle();

  /// Whether a waiting operation may be tried.
  bool runnable() noexcept {
    return (readable && !readers.empty()) || (writable && !writers.empty()) ||
           (changed && !watchers.empty());
  }

  int fd;
  /// Set by the owner: a transfer shorter than asked for means that the next one would block. True
  /// of TCP and of pipes. Not of Unix sockets, which also stop short at passed descriptors.
  bool shortMeansBlocked = false;
  /// Set by the owner: it is a socket that nobody else has attached, so there is nothing to check.
  bool ownSocket = false;
  /// Set by the owner that stages bytes: completes, without having been submitted, when some of them
  /// could not be sent: with 0, then `unstage` gives them back, or with -errno.
  Op* leftover = nullptr;

  // The rest belongs to the back end.
  bool readable = true;  // the next receive may find something
  bool writable = true;
  bool changed = true;  // an event came since the watchers were last asked
  bool lasting =
      false;  // end, hang-up or urgent data seen: a short receive is no proof of emptiness
  Reactor* reactor = nullptr;
  void* file = nullptr;
  List<Op> readers;   // recv, read, accept
  List<Op> writers;   // send, write, connect
  List<Op> watchers;  // poll
  struct Link : ListNode {
    explicit Link(IoHandle& owner) noexcept : handle(owner) {}
    IoHandle& handle;
  };
  Link attached;
};

/// A read of a file that the kernel does on its own. It and its bytes stay where they are until `arrived`,
/// whoever wanted them: there is no abandoning.
struct FileRead : ListNode {
  using Arrived = void (*)(FileRead&, int result) noexcept;
  explicit FileRead(Arrived whenArrived) noexcept : arrived(whenArrived) {}
  /// Called once, on the loop's thread, perhaps at the end of the loop: it may only take note. `result` is
  /// a byte count or -errno.
  Arrived arrived;
  int fd = -1;
  unsigned size = 0;
  void* data = nullptr;
  std::int64_t position = 0;
  int answer = 0;  // of one that has come and not been told
};

struct ReactorStats {
  std::uint64_t turns = 0;
  std::uint64_t events = 0;       // events the kernel reported
  std::uint64_t completions = 0;  // calls of `done`
  std::int64_t blockedNs = 0;     // time in turns that were allowed to wait, busy polling included
  const std::int64_t startedNs = sys::monotonicNs();
};

/// A back end. Everything but `wake` belongs to the loop's thread. In the child of a fork() nothing
/// here touches what is shared with the parent: calls do nothing, `turn` answers -ECHILD.
class Reactor {
 public:
  /// How a completion reaches `op.done`: the loop sets context and trace before, drains its queues
  /// after. `op` may be gone after `op.done` returns.
  using Dispatch = void (*)(void* context, Op& op, int result, unsigned flags) noexcept;

  Reactor() noexcept = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  /// Abandons every operation and detaches every handle.
  virtual ~Reactor() = default;

  virtual const char* name() const noexcept = 0;
  /// What the kernel was asked in vain when `attach` or `turn` gives an error, for messages.
  virtual const char* attachCall() const noexcept = 0;
  virtual const char* turnCall() const noexcept = 0;
  /// 0 or -errno: -EPERM for what cannot be waited for (regular files), -EEXIST for a descriptor that
  /// another handle has attached.
  virtual int attach(IoHandle& handle) noexcept = 0;
  /// Before the descriptor is closed. Operations of the handle complete with -ECANCELED in the next
  /// turn; the handle may be destroyed at once.
  virtual void detach(IoHandle& handle) noexcept = 0;

  /// Starts an idle, prepared operation. Operations of one direction of a handle are tried in order.
  virtual void submit(Op& op) noexcept = 0;
  /// Performs the operation now if that needs no waiting: its result, or -EAGAIN. Not for connect,
  /// multishot and poll. An operation that succeeds here did not pass the loop, so a caller that
  /// never waits starves the others: it must go through `submit` now and then.
  virtual int tryNow(Op& op) noexcept = 0;
  /// Asks a busy operation to end: `done` still comes, with -ECANCELED or the real result.
  virtual void cancel(Op& op) noexcept = 0;
  /// Ends a busy operation: on return nothing touches it or its buffers any more, and `done` is not
  /// called. Idle operations are left alone.
  virtual void abandon(Op& op) noexcept = 0;
  /// `abandon` for every operation and `detach` for every handle: the end of a loop, not in a turn.
  virtual void abandonAll() noexcept = 0;

  /// Takes a few bytes that are to be sent on a socket; they go with those of all others, in one system
  /// call, when the turn ends. False: not now, not here, or too many; then use `tryNow`.
  virtual bool stage(IoHandle&, const iovec*, std::size_t) noexcept { return false; }
  /// Gives the bytes back that are staged and not sent; valid until the handle stages again.
  virtual iovec unstage(IoHandle&) noexcept { return {nullptr, 0}; }
  /// Tells the kernel now what it would be told in the next turn: where there may be no next turn.
  virtual void flush() noexcept {}

  /// Whether what a socket receives is in the kernel, and stays there until somebody asks.
  virtual bool holdsNothing(IoHandle&) noexcept { return true; }

  /// The kernel accepts no more on its own for who has abandoned a multishot accept; what it has accepted
  /// is there for `tryNow`.
  virtual void endAccepts(IoHandle&) noexcept {}

  /// Has a file read. False where there is no such way, or no room: then nothing has happened.
  virtual bool readFile(FileRead&) noexcept { return false; }

  /// Dispatches what has completed; if nothing has, waits at most `timeoutNs` (0: not at all,
  /// negative: for ever). Returns early when woken. How many were dispatched, or -errno.
  /// On return the caller looks at what `wake` was called for.
  virtual int turn(std::int64_t timeoutNs) noexcept = 0;
  /// Any thread: makes the turn in progress, or else the next one, not wait. What was written before
  /// is visible to the loop after that turn. A system call only when the loop sleeps.
  virtual void wake() noexcept = 0;
  /// A descriptor that is readable when a turn has something to do. Asking for it once makes every
  /// `wake` a system call, since somebody else may be waiting.
  virtual int backendFd() noexcept = 0;
  /// Whether the next turn has something to do that `backendFd` does not tell.
  virtual bool hasReady() const noexcept = 0;

  /// How long a turn asks again and again before it sleeps; 0 is never.
  void setBusyPoll(std::int64_t ns) noexcept { busyPollNs_ = ns; }
  void setDispatch(Dispatch dispatch, void* context) noexcept {
    dispatch_ = dispatch;
    dispatchContext_ = context;
  }
  const ReactorStats& stats() const noexcept { return stats_; }

 protected:
  /// The last thing done for an operation: `op` and its handle may be gone afterwards.
  void deliver(Op& op, int result, unsigned flags) noexcept {
    ++stats_.completions;
    dispatch_(dispatchContext_, op, result, flags);
  }

  ReactorStats stats_;
  std::int64_t busyPollNs_ = 0;

 private:
  Dispatch dispatch_ = [](void*, Op& op, int result, unsigned flags) noexcept {
    op.done(op, result, flags);
  };
  void* dispatchContext_ = nullptr;
};

#if LEAT_BODIES
LEAT_INLINE IoHandle::~IoHandle() {
  if (reactor != nullptr) reactor->detach(*this);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
