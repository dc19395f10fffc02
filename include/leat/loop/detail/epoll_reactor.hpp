// SPDX-License-Identifier: MIT
// The back end on epoll: readiness turned into completions. Edge-triggered, one registration for each
// descriptor's life. What is known of readiness is remembered, so that an echo costs one receive and
// one send, and no receive that only finds out that there is nothing.
#pragma once

#include <leat/loop/detail/readiness_reactor.hpp>

namespace leat::inline LEAT_ABI::detail {

class EpollReactor final : public ReadinessReactor {
 public:
  ~EpollReactor() override {
    abandonAll();
    while (!ghosts_.empty()) delete &ghosts_.popFront();
  }

  /// Makes the kernel objects. 0 or -errno; nothing else may be called before it succeeded.
  int open() noexcept;

  const char* name() const noexcept override { return "epoll"; }
  const char* attachCall() const noexcept override { return "epoll_ctl"; }
  const char* turnCall() const noexcept override { return "epoll_wait"; }
  LEAT_INLINE int attach(IoHandle& handle) noexcept override;
  LEAT_INLINE void detach(IoHandle& handle) noexcept override;

 private:
  static constexpr int capacity = 1024;  // events fetched at once

  /// A registration that the kernel would not remove; its events name a handle that may be gone.
  struct Ghost : ListNode {
    Ghost(IoHandle* h, int f) noexcept : handle(h), fd(f) {}
    IoHandle* const handle;  // an address only
    const int fd;
  };
  int replaceGhost(int fd, epoll_event& event) noexcept;
  bool isGhost(IoHandle* handle) noexcept;
  LEAT_INLINE int fetch(std::int64_t timeoutNs) noexcept override;
  int waitFd() const noexcept override { return epoll_.get(); }

  sys::UniqueFd epoll_;
  List<Ghost> ghosts_;
  epoll_event events_[capacity];
};

#if LEAT_BODIES
LEAT_INLINE int EpollReactor::open() noexcept {
  const int epoll = sys::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return epoll;
  sys::UniqueFd epollFd(epoll);
  const int wake = openWakeFd();
  if (wake < 0) return wake;
  // Edge-triggered and never read: every write is an edge, and the count cannot overflow in practice.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (const int error = sys::epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event)) {
    wakeFd_.reset();
    return error;
  }
  epoll_ = static_cast<sys::UniqueFd&&>(epollFd);
  return 0;
}

LEAT_INLINE int EpollReactor::attach(IoHandle& handle) noexcept {
  if (inChild()) return -ECHILD;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &handle;
  int error = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, handle.fd, &event);
  if (error == -EEXIST) error = replaceGhost(handle.fd, event);
  if (error) return error;
  enlist(handle);
  return 0;
}

LEAT_INLINE void EpollReactor::detach(IoHandle& handle) noexcept {
  if (handle.reactor != this) return;
  // Closing would not do: a duplicate of the descriptor keeps the registration, and its pointer, alive.
  if (!inChild()) {
    const int error = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, handle.fd, nullptr);
    if (error != 0 && error != -ENOENT) ghosts_.pushBack(*new Ghost(&handle, handle.fd));
  }
  dismiss(handle);
}

/// The descriptor is registered already: taken over from a ghost, but not from another handle.
LEAT_INLINE int EpollReactor::replaceGhost(int fd, epoll_event& event) noexcept {
  for (IoHandle::Link* link = attached_.first(); link != nullptr; link = attached_.after(*link))
    if (link->handle.fd == fd) return -EEXIST;
  for (Ghost* ghost = ghosts_.first(); ghost != nullptr; ghost = ghosts_.after(*ghost)) {
    if (ghost->fd != fd) continue;
    const int error = sys::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    if (error == 0) delete ghost;
    return error;
  }
  return -EEXIST;
}

/// Whether an event names a handle that is not attached any more. A handle that took its address may be
/// told of readiness that it has not, which costs it a call.
LEAT_INLINE bool EpollReactor::isGhost(IoHandle* handle) noexcept {
  bool named = false;
  for (Ghost* ghost = ghosts_.first(); ghost != nullptr; ghost = ghosts_.after(*ghost))
    named = named || ghost->handle == handle;
  if (!named) return false;
  for (IoHandle::Link* link = attached_.first(); link != nullptr; link = attached_.after(*link))
    if (&link->handle == handle) return false;
  return true;
}

LEAT_INLINE int EpollReactor::fetch(std::int64_t timeoutNs) noexcept {
  const int count = sys::epoll_wait(epoll_.get(), events_, capacity, timeoutNs);
  more_ = count == capacity;
  for (int i = 0; i < count; ++i) {
    auto* handle = static_cast<IoHandle*>(events_[i].data.ptr);
    if (handle == nullptr || (!ghosts_.empty() && isGhost(handle))) continue;
    const std::uint32_t events = events_[i].events;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) handle->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) handle->writable = true;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) handle->lasting = true;
    handle->changed = true;
    makeReady(*handle);
  }
  return count;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
