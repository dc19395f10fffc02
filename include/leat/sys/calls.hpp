// SPDX-License-Identifier: MIT
// The seam: one thin function for each system call that the library makes. All answer the same way,
// a value >= 0 or -errno, and all pass one hook, so that tests can count and fail any of them.
#pragma once

#include <leat/base/atomic.hpp>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace leat::inline LEAT_ABI::sys {

// clang-format off
#define LEAT_SYS_CALLS(X)                                                                       \
  X(read) X(write) X(readv) X(writev) X(recv) X(send) X(recvmsg) X(sendmsg) X(accept4)          \
  X(connect) X(socket) X(socketpair) X(bind) X(listen) X(shutdown) X(close) X(getsockopt)       \
  X(setsockopt) X(getsockname) X(getpeername) X(epoll_create1) X(epoll_ctl) X(epoll_wait)       \
  X(eventfd) X(pipe2) X(fcntl) X(ioctl) X(poll) X(open) X(unlink) X(sigaction)                  \
  X(pthread_sigmask) X(getaddrinfo) X(getnameinfo) X(futex) X(pthread_create) X(fstat) X(mmap)    \
  X(munmap) X(madvise) X(io_uring_setup) X(io_uring_enter) X(io_uring_register)                  \
  X(pread) X(pwrite) X(preadv) X(pwritev) X(statx) X(statfs) X(mkdir) X(mkdtemp) X(rmdir)       \
  X(rename) X(opendir) X(readdir) X(closedir) X(copy_file_range) X(symlink) X(readlink)         \
  X(link) X(ftruncate) X(fsync) X(fdatasync) X(fchmodat) X(fchmod) X(fchownat) X(fchown)        \
  X(utimensat) X(futimens) X(access) X(realpath) X(inotify_init1) X(inotify_add_watch)          \
  X(inotify_rm_watch) X(openat2) X(preadv2) X(fstatfs) X(sendfile) X(splice) X(tgkill)         \
  X(membarrier)
// clang-format on

/// Every call of the seam. `count` is how many there are.
enum class Call : unsigned char {
#define LEAT_SYS_ENUMERATOR(name) name,
  LEAT_SYS_CALLS(LEAT_SYS_ENUMERATOR)
#undef LEAT_SYS_ENUMERATOR
      count
};

/// The name as the manual spells it, for messages.
constexpr const char* name(Call call) noexcept {
  constexpr const char* names[] = {
#define LEAT_SYS_NAME(name) #name,
      LEAT_SYS_CALLS(LEAT_SYS_NAME)
#undef LEAT_SYS_NAME
          "?"};
  return names[call < Call::count ? static_cast<int>(call) : static_cast<int>(Call::count)];
}
#undef LEAT_SYS_CALLS

/// Asked before each call: 0 lets it go ahead, an errno fails it with that. It may be called on any
/// thread. `close` asks too, but always closes first, as the kernel does.
using FaultHook = int (*)(Call) noexcept;
LEAT_API inline constinit detail::Atomic<FaultHook> fault{nullptr};

/// Whether the hook fails this call; errno says with what.
LEAT_INLINE bool fails(Call call) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool fails(Call call) noexcept {
  const FaultHook hook = fault.load(detail::acquire);
  if (hook == nullptr) [[likely]]
    return false;
  const int error = hook(call);
  if (error == 0) return false;
  errno = error;
  return true;
}
#endif
inline int outcome(int value) noexcept { return value < 0 ? -errno : value; }
inline ssize_t outcome(ssize_t value) noexcept { return value < 0 ? -errno : value; }
/// A call that was interrupted before it did anything is made again.
inline bool interrupted(ssize_t value) noexcept { return value < 0 && errno == EINTR; }

/// For a call that the kernel has made already, through a ring: 0, or -errno when the hook fails it.
LEAT_INLINE int passes(Call call) noexcept;
LEAT_INLINE ssize_t read(int fd, void* data, size_t size) noexcept;
LEAT_INLINE ssize_t write(int fd, const void* data, size_t size) noexcept;
LEAT_INLINE ssize_t readv(int fd, const iovec* vectors, int count) noexcept;
LEAT_INLINE ssize_t writev(int fd, const iovec* vectors, int count) noexcept;
LEAT_INLINE ssize_t recv(int fd, void* data, size_t size, int flags) noexcept;
LEAT_INLINE ssize_t send(int fd, const void* data, size_t size, int flags) noexcept;
LEAT_INLINE ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept;
LEAT_INLINE ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept;
/// From a file to a socket, from a place, which moves; a null one is the current position.
LEAT_INLINE ssize_t sendfile(int to, int from, off_t* at, size_t size) noexcept;
/// Between a pipe and another descriptor. Of a file `toAt` is the place, which moves; a null one is the
/// current position. Never waits for a pipe or a socket.
LEAT_INLINE ssize_t splice(int from, int to, off_t* toAt, size_t size) noexcept;
LEAT_INLINE int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept;
/// Never made twice: interrupted, the connection goes on being made, which is -EINPROGRESS.
LEAT_INLINE int connect(int fd, const sockaddr* address, socklen_t length) noexcept;

#if LEAT_BODIES
LEAT_INLINE int passes(Call call) noexcept {
  int error;
  do error = fails(call) ? errno : 0;
  while (error == EINTR);
  return -error;
}

// ---- bytes ----

LEAT_INLINE ssize_t read(int fd, void* data, size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::read) ? -1 : ::read(fd, data, size);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t write(int fd, const void* data, size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::write) ? -1 : ::write(fd, data, size);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t readv(int fd, const iovec* vectors, int count) noexcept {
  ssize_t n;
  do n = fails(Call::readv) ? -1 : ::readv(fd, vectors, count);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t writev(int fd, const iovec* vectors, int count) noexcept {
  ssize_t n;
  do n = fails(Call::writev) ? -1 : ::writev(fd, vectors, count);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t recv(int fd, void* data, size_t size, int flags) noexcept {
  ssize_t n;
  do n = fails(Call::recv) ? -1 : ::recv(fd, data, size, flags);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t send(int fd, const void* data, size_t size, int flags) noexcept {
  ssize_t n;
  do n = fails(Call::send) ? -1 : ::send(fd, data, size, flags);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  ssize_t n;
  do n = fails(Call::recvmsg) ? -1 : ::recvmsg(fd, message, flags);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept {
  ssize_t n;
  do n = fails(Call::sendmsg) ? -1 : ::sendmsg(fd, message, flags);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t sendfile(int to, int from, off_t* at, size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::sendfile) ? -1 : ::sendfile(to, from, at, size);
  while (interrupted(n));
  return outcome(n);
}

LEAT_INLINE ssize_t splice(int from, int to, off_t* toAt, size_t size) noexcept {
  ssize_t n;
  do n = fails(Call::splice) ? -1 : ::splice(from, nullptr, to, toAt, size, SPLICE_F_NONBLOCK);
  while (interrupted(n));
  return outcome(n);
}

// ---- sockets ----

LEAT_INLINE int accept4(int fd, sockaddr* address, socklen_t* length, int flags) noexcept {
  int r;
  do r = fails(Call::accept4) ? -1 : ::accept4(fd, address, length, flags);
  while (interrupted(r));
  return outcome(r);
}

LEAT_INLINE int connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  const int r = fails(Call::connect) ? -1 : ::connect(fd, address, length);
  if (interrupted(r)) return -EINPROGRESS;
  return outcome(r);
}
#endif
inline int socket(int domain, int type, int protocol) noexcept {
  return outcome(fails(Call::socket) ? -1 : ::socket(domain, type, protocol));
}
inline int socketpair(int domain, int type, int protocol, int (&fds)[2]) noexcept {
  return outcome(fails(Call::socketpair) ? -1 : ::socketpair(domain, type, protocol, fds));
}
inline int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  return outcome(fails(Call::bind) ? -1 : ::bind(fd, address, length));
}
inline int listen(int fd, int backlog) noexcept {
  return outcome(fails(Call::listen) ? -1 : ::listen(fd, backlog));
}
inline int shutdown(int fd, int how) noexcept {
  return outcome(fails(Call::shutdown) ? -1 : ::shutdown(fd, how));
}
inline int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  return outcome(fails(Call::getsockopt) ? -1 : ::getsockopt(fd, level, option, value, length));
}
inline int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  return outcome(fails(Call::setsockopt) ? -1 : ::setsockopt(fd, level, option, value, length));
}
inline int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  return outcome(fails(Call::getsockname) ? -1 : ::getsockname(fd, address, length));
}
inline int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return outcome(fails(Call::getpeername) ? -1 : ::getpeername(fd, address, length));
}

// ---- descriptors ----

/// Never made twice: whatever it answers, the descriptor is gone.
inline int close(int fd) noexcept {
  const int r = ::close(fd);
  return outcome(fails(Call::close) ? -1 : r);
}
inline int pipe2(int (&fds)[2], int flags) noexcept {
  return outcome(fails(Call::pipe2) ? -1 : ::pipe2(fds, flags));
}
inline int eventfd(unsigned value, int flags) noexcept {
  return outcome(fails(Call::eventfd) ? -1 : ::eventfd(value, flags));
}
LEAT_INLINE int fcntl(int fd, int command, int argument = 0) noexcept;

#if LEAT_BODIES
LEAT_INLINE int fcntl(int fd, int command, int argument) noexcept {
  int r;
  do r = fails(Call::fcntl) ? -1 : ::fcntl(fd, command, argument);
  while (interrupted(r));
  return outcome(r);
}
#endif
inline int ioctl(int fd, unsigned long request, void* argument) noexcept {
  return outcome(fails(Call::ioctl) ? -1 : ::ioctl(fd, request, argument));
}
LEAT_INLINE int open(const char* path, int flags, unsigned mode = 0) noexcept;

#if LEAT_BODIES
LEAT_INLINE int open(const char* path, int flags, unsigned mode) noexcept {
  int r;
  do r = fails(Call::open) ? -1 : ::open(path, flags | O_CLOEXEC, mode);
  while (interrupted(r));
  return outcome(r);
}
#endif
inline int unlink(const char* path) noexcept {
  return outcome(fails(Call::unlink) ? -1 : ::unlink(path));
}
/// Whether one of `events` (POLLIN, POLLOUT, ...) holds, now or within so long; the events that do, or 0.
LEAT_INLINE int poll(int fd, short events, int milliseconds = 0) noexcept;
/// Waits as long as it takes for one of `events`: 0 or -errno.
LEAT_INLINE int waitFor(int fd, short events) noexcept;

#if LEAT_BODIES
LEAT_INLINE int poll(int fd, short events, int milliseconds) noexcept {
  pollfd entry{fd, events, 0};
  int r;
  do r = fails(Call::poll) ? -1 : ::poll(&entry, 1, milliseconds);
  while (interrupted(r));
  return r < 0 ? -errno : r == 0 ? 0 : entry.revents;
}

LEAT_INLINE int waitFor(int fd, short events) noexcept {
  constexpr int forever = -1;
  pollfd entry{fd, events, 0};
  int r;
  do r = fails(Call::poll) ? -1 : ::poll(&entry, 1, forever);
  while (interrupted(r));
  return r < 0 ? -errno : 0;
}
#endif

// ---- epoll ----

inline int epoll_create1(int flags) noexcept {
  return outcome(fails(Call::epoll_create1) ? -1 : ::epoll_create1(flags));
}
inline int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return outcome(fails(Call::epoll_ctl) ? -1 : ::epoll_ctl(epoll, operation, fd, event));
}

/// Whether the kernel lacks epoll_pwait2 (before 5.11): found out once, by trying.
LEAT_API inline constinit detail::Atomic<bool> coarseEpoll{false};

/// Waits at most `timeoutNs`, for ever when it is negative. Not repeated when interrupted: a signal
/// is a reason for the loop to turn. Where the kernel counts milliseconds, rounds up.
LEAT_INLINE int epoll_wait(int epoll, epoll_event* events, int capacity,
                           std::int64_t timeoutNs) noexcept;
/// Nanoseconds of the steady clock. Cannot fail, so the hook is not asked.
LEAT_INLINE std::int64_t monotonicNs() noexcept;
/// Nanoseconds since 1970. Cannot fail either.
LEAT_INLINE std::int64_t realtimeNs() noexcept;

#if LEAT_BODIES
LEAT_INLINE int epoll_wait(int epoll, epoll_event* events, int capacity,
                           std::int64_t timeoutNs) noexcept {
  if (fails(Call::epoll_wait)) return -errno;
  if (timeoutNs <= 0) return outcome(::epoll_wait(epoll, events, capacity, timeoutNs < 0 ? -1 : 0));
#ifdef SYS_epoll_pwait2
  if (!coarseEpoll.load(detail::relaxed)) {
    const long long time[2] = {timeoutNs / 1'000'000'000, timeoutNs % 1'000'000'000};
    const long r = ::syscall(SYS_epoll_pwait2, epoll, events, capacity, time, nullptr, 0);
    if (r >= 0 || (errno != ENOSYS && errno != EPERM)) return outcome(static_cast<int>(r));
    coarseEpoll.store(true, detail::relaxed);
  }
#endif
  const std::int64_t ms = (timeoutNs - 1) / 1'000'000 + 1;
  const int limit = 0x7fffffff;
  return outcome(::epoll_wait(epoll, events, capacity, ms > limit ? limit : static_cast<int>(ms)));
}

// ---- time, signals, threads, names ----

LEAT_INLINE std::int64_t monotonicNs() noexcept {
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

LEAT_INLINE std::int64_t realtimeNs() noexcept {
  timespec time;
  ::clock_gettime(CLOCK_REALTIME, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}
#endif
inline int sigaction(int number, const struct ::sigaction* now, struct ::sigaction* was) noexcept {
  return outcome(fails(Call::sigaction) ? -1 : ::sigaction(number, now, was));
}
/// A signal for one thread of this process.
inline int tgkill(int thread, int signal) noexcept {
  if (fails(Call::tgkill)) return -errno;
  return outcome(static_cast<int>(::syscall(SYS_tgkill, ::getpid(), thread, signal)));
}
inline int pthread_sigmask(int how, const sigset_t* now, sigset_t* was) noexcept {
  return fails(Call::pthread_sigmask) ? -errno : -::pthread_sigmask(how, now, was);
}
LEAT_INLINE int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                               void* (*entry)(void*), void* argument) noexcept;
/// Answers 0 or an EAI_ code, as the call does; EAI_SYSTEM leaves the reason in errno.
LEAT_INLINE int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                            addrinfo** found) noexcept;
/// Answers 0 or an EAI_ code, as the call does; EAI_SYSTEM leaves the reason in errno.
LEAT_INLINE int getnameinfo(const sockaddr* address, socklen_t length, char* host,
                            socklen_t hostSize, char* service, socklen_t serviceSize,
                            int flags) noexcept;

#if LEAT_BODIES
LEAT_INLINE int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                               void* (*entry)(void*), void* argument) noexcept {
  if (fails(Call::pthread_create)) return -errno;
  return -::pthread_create(thread, attributes, entry, argument);
}

LEAT_INLINE int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                            addrinfo** found) noexcept {
  if (fails(Call::getaddrinfo)) return EAI_SYSTEM;
  return ::getaddrinfo(host, service, hints, found);
}

LEAT_INLINE int getnameinfo(const sockaddr* address, socklen_t length, char* host,
                            socklen_t hostSize, char* service, socklen_t serviceSize,
                            int flags) noexcept {
  if (fails(Call::getnameinfo)) return EAI_SYSTEM;
  return ::getnameinfo(address, length, host, hostSize, service, serviceSize, flags);
}
#endif

#ifdef SYS_futex
/// Sleeps while `word` holds `expected`, at most `timeoutNs`, for ever when it is negative.
/// 0 when woken, else -EAGAIN (another value), -ETIMEDOUT or -EINTR.
LEAT_INLINE int futexWait(const unsigned* word, unsigned expected, std::int64_t timeoutNs) noexcept;
/// Wakes at most `count` sleepers of `word`; how many it woke. The hook is not asked: it cannot fail.
LEAT_INLINE int futexWake(const unsigned* word, int count) noexcept;

#if LEAT_BODIES
LEAT_INLINE int futexWait(const unsigned* word, unsigned expected,
                          std::int64_t timeoutNs) noexcept {
  constexpr int waitPrivate = 0 | 128;
  if (fails(Call::futex)) return -errno;
  timespec time{};
  if (timeoutNs >= 0) {
    time.tv_sec = static_cast<time_t>(timeoutNs / 1'000'000'000);
    time.tv_nsec = static_cast<long>(timeoutNs % 1'000'000'000);
  }
  const timespec* limit = timeoutNs < 0 ? nullptr : &time;
  return outcome(
      static_cast<int>(::syscall(SYS_futex, word, waitPrivate, expected, limit, nullptr, 0)));
}

LEAT_INLINE int futexWake(const unsigned* word, int count) noexcept {
  constexpr int wakePrivate = 1 | 128;
  return outcome(
      static_cast<int>(::syscall(SYS_futex, word, wakePrivate, count, nullptr, nullptr, 0)));
}
#endif
#endif

LEAT_INLINE int membarrier(int command) noexcept;

#if LEAT_BODIES
LEAT_INLINE int membarrier(int command) noexcept {
  if (fails(Call::membarrier)) return -errno;
#ifdef SYS_membarrier
  return outcome(static_cast<int>(::syscall(SYS_membarrier, command, 0, 0)));
#else
  return static_cast<void>(command), -ENOSYS;
#endif
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
