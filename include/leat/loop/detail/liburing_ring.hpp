// SPDX-License-Identifier: MIT
// The ring of uring_ring.hpp on liburing (2.3 or newer), for those who prefer the kernel's own library.
#pragma once

#include <leat/base/config.hpp>

#if LEAT_USE_LIBURING

#include <leat/loop/detail/uring_probe.hpp>
#include <leat/sys/fd.hpp>
#include <leat/sys/fork.hpp>

#include <liburing.h>

namespace leat::inline LEAT_ABI::detail {

/// What each operation promises is told in uring_ring.hpp. The seam of sys/ is asked before each call of
/// the library, once, under the name of the system call that it stands for; what else the library asks
/// the kernel (the mappings of the queues) does not pass it.
class UringRing {
 public:
  UringRing() noexcept = default;
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;
  ~UringRing() { close(); }

  int open(unsigned entries, unsigned completions) noexcept;
  void close() noexcept;
  const char* mode() const noexcept { return mode_; }
  int fd() const noexcept { return ring_.ring_fd; }
  bool deferred() const noexcept { return (ring_.flags & uring::setupDeferTaskrun) != 0; }
  unsigned entries() const noexcept { return ring_.sq.ring_entries; }
  unsigned completions() const noexcept { return ring_.cq.ring_entries; }

  uring::Sqe* next() noexcept;
  unsigned unsubmitted() const noexcept { return ::io_uring_sq_ready(&ring_); }
  unsigned room() const noexcept { return ::io_uring_sq_space_left(&ring_); }
  template <class Match>
  void neutralize(Match match) noexcept;

  int enter(unsigned wanted, std::int64_t timeoutNs) noexcept;
  bool needsEnter() const noexcept {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (uring::sqOverflow | uring::sqTaskrun)) != 0;
  }
  const uring::Cqe* peek() const noexcept;
  void pop() noexcept { ::io_uring_cq_advance(&ring_, 1); }

  int tellEventfd(int fd) noexcept;
  int tellBuffers(uring::Buffer* entries, unsigned count) noexcept;

 private:
  template <class Ring>
  friend int probeUring(Ring&, unsigned, unsigned, const char*&) noexcept;

  /// The structures of sys/uring_calls.hpp are the kernel's, as those of the library are.
  static uring::Sqe* own(::io_uring_sqe* entry) noexcept {
    static_assert(sizeof(uring::Sqe) == sizeof *entry);
    return reinterpret_cast<uring::Sqe*>(entry);
  }
  int setup(unsigned entries, unsigned completions, unsigned flags) noexcept;
  int start() noexcept;

  ::io_uring ring_ = none();
  unsigned generation_ = 0;
  bool open_ = false;
  bool started_ = false;
  const char* mode_ = "not opened";

  static ::io_uring none() noexcept {
    ::io_uring ring{};
    ring.ring_fd = -1;
    return ring;
  }
};

#if LEAT_BODIES
LEAT_INLINE int UringRing::open(unsigned entries, unsigned completions) noexcept {
  generation_ = sys::watchForks();
  return probeUring(*this, entries, completions, mode_);
}

LEAT_INLINE int UringRing::setup(unsigned entries, unsigned completions, unsigned flags) noexcept {
  if (sys::fails(sys::Call::io_uring_setup)) return -errno;
  ::io_uring_params params{};
  params.flags = flags;
  params.cq_entries = completions;
  if (const int error = ::io_uring_queue_init_params(entries, &ring_, &params)) {
    ring_ = none();
    return error;
  }
  open_ = true;
  int error = (ring_.features & uringNeeds) == uringNeeds ? 0 : -EOPNOTSUPP;
  if (error == 0) error = sys::passes(sys::Call::madvise);
  if (error == 0) error = ::io_uring_ring_dontfork(&ring_);
  if (error != 0) close();
  return error;
}

/// A child of fork() has not got the mappings, and something else may be there.
LEAT_INLINE void UringRing::close() noexcept {
  if (!open_) return;
  open_ = started_ = false;
  if (generation_ == sys::forkGeneration()) {
    ::io_uring_queue_exit(&ring_);
  } else {
    sys::close(ring_.ring_fd);
  }
  ring_ = none();
}

/// The shared library of 2.3 forgot to export io_uring_enable_rings.
LEAT_INLINE int UringRing::start() noexcept {
  if (ring_.flags & uring::setupDisabled) {
    if (sys::fails(sys::Call::io_uring_register)) return -errno;
    const auto fd = static_cast<unsigned>(ring_.ring_fd);
    const int error = ::io_uring_register(fd, uring::registerEnableRings, nullptr, 0);
    if (error < 0) return error;
  }
  started_ = true;
  return 0;
}

LEAT_INLINE int UringRing::tellEventfd(int fd) noexcept {
  if (sys::fails(sys::Call::io_uring_register)) return -errno;
  return ::io_uring_register_eventfd(&ring_, fd);
}

LEAT_INLINE int UringRing::tellBuffers(uring::Buffer* entries, unsigned count) noexcept {
  if (sys::fails(sys::Call::io_uring_register)) return -errno;
  ::io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries);
  registration.ring_entries = count;
  return ::io_uring_register_buf_ring(&ring_, &registration, 0);
}

LEAT_INLINE uring::Sqe* UringRing::next() noexcept {
  uring::Sqe* const entry = own(::io_uring_get_sqe(&ring_));
  if (entry != nullptr) *entry = uring::Sqe{};
  return entry;
}
#endif

template <class Match>
void UringRing::neutralize(Match match) noexcept {
  const unsigned end = ring_.sq.sqe_tail;
  for (unsigned i = end - unsubmitted(); i != end; ++i) {
    uring::Sqe& entry = *own(&ring_.sq.sqes[i & ring_.sq.ring_mask]);
    if (!match(entry)) continue;
    const std::uint64_t userData = entry.userData;
    entry = uring::Sqe{};
    entry.opcode = uring::opNop;
    entry.userData = userData;
  }
}

#if LEAT_BODIES
LEAT_INLINE int UringRing::enter(unsigned wanted, std::int64_t timeoutNs) noexcept {
  if (!started_)
    if (const int error = start()) return error;
  if (sys::fails(sys::Call::io_uring_enter)) return -errno;
  int r;
  if (wanted == 0) {
    r = ::io_uring_submit_and_get_events(&ring_);
  } else if (timeoutNs < 0) {
    r = ::io_uring_submit_and_wait(&ring_, wanted);
  } else {
    ::__kernel_timespec time{timeoutNs / 1'000'000'000, timeoutNs % 1'000'000'000};
    ::io_uring_cqe* first = nullptr;
    r = ::io_uring_submit_and_wait_timeout(&ring_, &first, wanted, &time, nullptr);
  }
  return r >= 0 || r == -ETIME ? 0 : r;
}

/// Where nothing is ready the library would ask the kernel, which is for `enter`.
LEAT_INLINE const uring::Cqe* UringRing::peek() const noexcept {
  if (::io_uring_cq_ready(&ring_) == 0) return nullptr;
  const ::io_uring_cqe* const at =
      &ring_.cq.cqes[IO_URING_READ_ONCE(*ring_.cq.khead) & ring_.cq.ring_mask];
  static_assert(sizeof(uring::Cqe) == sizeof *at);
  return reinterpret_cast<const uring::Cqe*>(at);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

#endif
