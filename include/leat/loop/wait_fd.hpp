// SPDX-License-Identifier: MIT
// Waiting until a descriptor that belongs to somebody else can be read or written.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

/// What a descriptor is ready for; a set of bits.
enum class Ready : unsigned char {
  None = 0,
  Readable = 1,  ///< also at the end of the stream
  Writable = 2,
  Priority = 4,  ///< urgent data and the like, as POLLPRI
  HangUp = 8,    ///< the other end is gone; told whether asked for or not
  Error = 16,    ///< told whether asked for or not
};
constexpr Ready operator|(Ready a, Ready b) noexcept {
  return static_cast<Ready>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Ready operator&(Ready a, Ready b) noexcept {
  return static_cast<Ready>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
/// Whether `set` has one of the bits of `what`.
constexpr bool has(Ready set, Ready what) noexcept { return (set & what) != Ready::None; }

/// Options of `wait`.
struct WaitFdOptions {
  /// Aborts the wait, besides the ambient signal.
  SignalRef signal{};
  /// Whether the wait holds the loop.
  bool ref = true;
};

namespace detail {

constexpr short pollEvents(Ready ready) noexcept {
  return static_cast<short>((has(ready, Ready::Readable) ? POLLIN : 0) |
                            (has(ready, Ready::Writable) ? POLLOUT : 0) |
                            (has(ready, Ready::Priority) ? POLLPRI : 0));
}
constexpr Ready readyOf(int events) noexcept {
  Ready ready = Ready::None;
  if (events & POLLIN) ready = ready | Ready::Readable;
  if (events & POLLOUT) ready = ready | Ready::Writable;
  if (events & POLLPRI) ready = ready | Ready::Priority;
  if (events & POLLHUP) ready = ready | Ready::HangUp;
  if (events & (POLLERR | POLLNVAL)) ready = ready | Ready::Error;
  return ready;
}

/// A descriptor that somebody waits for; all who wait share it. It is registered only meanwhile, as
/// its owner may close it at any other time. Kept until the end of the loop: where the owner closed
/// it too early and has a duplicate, the kernel goes on telling of it, and nobody can take that back.
struct WatchedFd : Counted<WatchedFd> {
  explicit WatchedFd(int fd) noexcept : handle(fd) {}
  IoHandle handle;
  unsigned waiting = 0;
  // False when the loop has ended: nothing is left to unregister from.
  bool inLoop = true;
};

#if LEAT_BODIES
/// The descriptors that a loop watches, by number.
class LEAT_API FdTable : public LoopPart {
 public:
  FdTable(const void* k, EventLoop& loop) noexcept : LoopPart(k), loop_(loop) {}
  ~FdTable() override {
    for (const Ref<WatchedFd>& watched : byNumber_) {
      if (!watched) continue;
      loop_.reactor().detach(watched->handle);
      watched->inLoop = false;
    }
  }
  /// One more waits. Throws: SystemError.
  Ref<WatchedFd> join(int fd);
  void leave(WatchedFd& watched) noexcept;

 private:
  EventLoop& loop_;
  std::vector<Ref<WatchedFd>> byNumber_;
};

LEAT_INLINE Ref<WatchedFd> FdTable::join(int fd) {
  Ref<WatchedFd> watched;
  // What is no descriptor gets its error from the kernel, and no place in the table.
  const auto index = static_cast<std::size_t>(fd < 0 ? 0 : fd);
  if (fd >= 0 && index < byNumber_.size()) watched = byNumber_[index];
  if (!watched) watched = makeRef<WatchedFd>(fd);
  if (watched->waiting == 0) {
    if (const int error = loop_.reactor().attach(watched->handle))
      throw SystemError(-error, "wait", SharedText({"fd ", Decimal(fd)}).view());
    if (index >= byNumber_.size()) byNumber_.resize(index + 1);
    byNumber_[index] = watched;
  }
  ++watched->waiting;
  return watched;
}

LEAT_INLINE void FdTable::leave(WatchedFd& watched) noexcept {
  if (--watched.waiting == 0) loop_.reactor().detach(watched.handle);
}
#endif

/// Waits for a descriptor. Nothing is allocated but the shared registration.
class FdAwaiter : private Op, private Job {
 public:
  FdAwaiter(int fd, Ready want, AbortState* signal, bool ref) noexcept
      : Op(onReady),
        Job(onAborted),
        hooks_(*this, signal),
        fd_(fd),
        want_(want),
        referenced_(ref) {}
  ~FdAwaiter() { stop(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine);
  /// What is ready. Throws: AbortError, SystemError.
  Ready await_resume() const;

 private:
  struct Hooks : CancelHooks {
    Hooks(FdAwaiter& o, AbortState* signal) noexcept : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      FdAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.stop();
      self.loop_->queue().pushMicrotask(self);
    }
    FdAwaiter& owner;
  };
  void stop() noexcept;
  static void onReady(Op& op, int result, unsigned) noexcept {
    auto& self = static_cast<FdAwaiter&>(op);
    self.result_ = result;
    self.stop();
    self.hooks_.disarm();
    self.continuation_.resume();
  }
  static void onAborted(Job& job, JobAction action) noexcept {
    if (action == JobAction::Run) static_cast<FdAwaiter&>(job).continuation_.resume();
  }

  EventLoop* loop_ = nullptr;
  Ref<WatchedFd> watched_;
  Continuation continuation_;
  Hooks hooks_;
  int fd_;
  int result_ = 0;
  Ready want_;
  bool referenced_;
};

#if LEAT_BODIES
LEAT_INLINE void FdAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  loop_ = &EventLoop::current();
  if (!hooks_.check()) {
    continuation_.capture(coroutine);
    return loop_->queue().pushMicrotask(*this);
  }
  watched_ = loop_->parts().get<FdTable>(*loop_).join(fd_);
  continuation_.capture(coroutine);
  (void)hooks_.arm();
  preparePoll(watched_->handle, pollEvents(want_));
  loop_->reactor().submit(*this);
  if (referenced_) loop_->hold();
}

LEAT_INLINE Ready FdAwaiter::await_resume() const {
  if (hooks_.fired()) hooks_.throwAborted();
  if (result_ < 0) throw SystemError(-result_, "wait", SharedText({"fd ", Decimal(fd_)}).view());
  return readyOf(result_);
}

LEAT_INLINE void FdAwaiter::stop() noexcept {
  if (!watched_) return;
  if (watched_->inLoop) {
    loop_->reactor().abandon(*this);
    loop_->parts().get<FdTable>(*loop_).leave(*watched_);
    if (referenced_) loop_->letGo();
  }
  watched_ = nullptr;
}
#endif

}  // namespace detail

/// A wait that starts when it is awaited. What `wait` gives.
class [[nodiscard("a wait does nothing until it is awaited")]] WaitFd {
 public:
  WaitFd(int fd, Ready want, WaitFdOptions options) noexcept
      : signal_(options.signal.state()), fd_(fd), want_(want), ref_(options.ref) {}
  detail::FdAwaiter operator co_await() && noexcept {
    return detail::FdAwaiter(fd_, want_, signal_.get(), ref_);
  }

 private:
  detail::Ref<detail::AbortState> signal_;
  int fd_;
  Ready want_;
  bool ref_;
};

/// Waits until `fd`, which belongs to another library, is ready for one of `want`, and gives what it is
/// ready for: `co_await wait(fd, Ready::Readable)`. Several coroutines may wait for the same
/// descriptor at once. It tells the state, not its changes: what is ready stays ready until it is used.
///
/// Node: no counterpart; libuv's `uv_poll_t`. Completes: in the poll phase, never at once.
/// Cancel: AbortError. Lifetime: the descriptor must stay open until the wait has ended.
/// Throws: SystemError EPERM for regular files, which are always ready; EBADF; EEXIST for a descriptor
/// of a socket of the library.
inline WaitFd wait(int fd, Ready want, WaitFdOptions options = {}) noexcept {
  return WaitFd(fd, want, options);
}

}  // namespace leat::inline LEAT_ABI
