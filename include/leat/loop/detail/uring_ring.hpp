// SPDX-License-Identifier: MIT
// The two queues that a process shares with the kernel. This and liburing_ring.hpp are the only files
// that know which of the two is used. ThreadSanitizer needs no annotations: the words that both sides
// change are read and written by __atomic_* alone, entries before their tail is told and completions
// after it was read, and the kernel's own accesses it does not see.
#pragma once

#include <leat/base/config.hpp>

#if LEAT_USE_LIBURING
#include <leat/loop/detail/liburing_ring.hpp>
#else

#include <leat/loop/detail/uring_probe.hpp>
#include <leat/sys/fd.hpp>
#include <leat/sys/fork.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Not shared between threads: the one that calls `start` first is the one that may `enter`.
class UringRing {
 public:
  UringRing() noexcept = default;
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;
  ~UringRing() { close(); }

  /// Makes the ring in the best way that the kernel has. 0 or -errno; then `mode` says what was missing.
  int open(unsigned entries, unsigned completions) noexcept;
  /// Lets the ring go; in the child of a fork only its descriptor.
  void close() noexcept;
  /// How the ring was made, or why it was not.
  const char* mode() const noexcept { return mode_; }
  int fd() const noexcept { return fd_.get(); }
  /// Whether completions come only from inside of `enter`, on the thread that enters.
  bool deferred() const noexcept { return (flags_ & uring::setupDeferTaskrun) != 0; }
  unsigned entries() const noexcept { return sqMask_ + 1; }
  unsigned completions() const noexcept { return cqMask_ + 1; }

  /// A blank entry, which the next `enter` submits; null when the queue is full.
  uring::Sqe* next() noexcept;
  /// Entries that have not been submitted.
  unsigned unsubmitted() const noexcept { return tail_ - load(sqHead_, acquire); }
  unsigned room() const noexcept { return entries() - unsubmitted(); }
  /// Makes those of them that `match` do nothing.
  template <class Match>
  void neutralize(Match match) noexcept;

  /// Submits, and waits until `wanted` completions are there, at most `timeoutNs` (negative: for ever).
  /// 0, or -errno: -ETIME is none, -EINTR is.
  int enter(unsigned wanted, std::int64_t timeoutNs) noexcept;
  /// Whether `enter` would find something that the queue of completions does not show yet.
  bool needsEnter() const noexcept {
    return (load(sqFlags_, relaxed) & (uring::sqOverflow | uring::sqTaskrun)) != 0;
  }
  /// The next completion, or null. `pop` gives its place back.
  const uring::Cqe* peek() const noexcept {
    return head_ == load(cqTail_, acquire) ? nullptr : &cqes_[head_ & cqMask_];
  }
  void pop() noexcept { __atomic_store_n(cqHead_, ++head_, __ATOMIC_RELEASE); }

  /// The eventfd is told of completions. 0 or -errno.
  int tellEventfd(int fd) noexcept;
  /// What group 0 of the buffers to receive into is. 0 or -errno.
  int tellBuffers(uring::Buffer* entries, unsigned count) noexcept;

 private:
  template <class Ring>
  friend int probeUring(Ring&, unsigned, unsigned, const char*&) noexcept;

  static unsigned load(const unsigned* word, MemoryOrder order) noexcept {
    return __atomic_load_n(word, order);
  }
  int setup(unsigned entries, unsigned completions, unsigned flags) noexcept;
  int map(const uring::Params& params) noexcept;
  int start() noexcept;

  sys::UniqueFd fd_;
  unsigned generation_ = 0;
  unsigned flags_ = 0;
  bool started_ = false;
  const char* mode_ = "not opened";

  void* rings_ = nullptr;
  size_t ringsSize_ = 0;
  uring::Sqe* sqes_ = nullptr;
  size_t sqesSize_ = 0;
  uring::Cqe* cqes_ = nullptr;
  unsigned* sqHead_ = nullptr;
  unsigned* sqTail_ = nullptr;
  unsigned* sqFlags_ = nullptr;
  unsigned* cqHead_ = nullptr;
  unsigned* cqTail_ = nullptr;
  unsigned sqMask_ = 0;
  unsigned cqMask_ = 0;
  unsigned tail_ = 0;  // of the submissions, not yet told to the kernel
  unsigned head_ = 0;  // of the completions
};

// ---- making it ----

#if LEAT_BODIES
LEAT_INLINE int UringRing::open(unsigned entries, unsigned completions) noexcept {
  generation_ = sys::watchForks();
  return probeUring(*this, entries, completions, mode_);
}

LEAT_INLINE int UringRing::setup(unsigned entries, unsigned completions, unsigned flags) noexcept {
  uring::Params params{};
  params.flags = flags;
  params.cqEntries = completions;
  const int fd = sys::io_uring_setup(entries, params);
  if (fd < 0) return fd;
  fd_.reset(fd);
  flags_ = flags;
  const int error = (params.features & uringNeeds) == uringNeeds ? map(params) : -EOPNOTSUPP;
  if (error != 0) {
    close();
    return error;
  }
  return 0;
}

LEAT_INLINE int UringRing::map(const uring::Params& p) noexcept {
  const size_t submissions = p.sq.array + p.sqEntries * sizeof(unsigned);
  const size_t completions = p.cq.cqes + p.cqEntries * sizeof(uring::Cqe);
  const size_t size = submissions > completions ? submissions : completions;
  void* rings = nullptr;
  void* sqes = nullptr;
  if (const int error = sys::mapUnshared(size, fd_.get(), uring::offsetRings, rings)) return error;
  rings_ = rings;
  ringsSize_ = size;
  sqesSize_ = p.sqEntries * sizeof(uring::Sqe);
  if (const int error = sys::mapUnshared(sqesSize_, fd_.get(), uring::offsetSqes, sqes))
    return error;
  sqes_ = static_cast<uring::Sqe*>(sqes);
  auto* const bytes = static_cast<char*>(rings);
  const auto word = [bytes](unsigned offset) {
    return reinterpret_cast<unsigned*>(bytes + offset);
  };
  sqHead_ = word(p.sq.head);
  sqTail_ = word(p.sq.tail);
  sqFlags_ = word(p.sq.flags);
  cqHead_ = word(p.cq.head);
  cqTail_ = word(p.cq.tail);
  cqes_ = reinterpret_cast<uring::Cqe*>(bytes + p.cq.cqes);
  sqMask_ = p.sqEntries - 1;
  cqMask_ = p.cqEntries - 1;
  tail_ = load(sqTail_, relaxed);
  head_ = load(cqHead_, relaxed);
  for (unsigned i = 0; i < p.sqEntries; ++i) word(p.sq.array)[i] = i;
  return 0;
}

LEAT_INLINE void UringRing::close() noexcept {
  const bool mine = generation_ == sys::forkGeneration();
  if (mine && sqes_ != nullptr) sys::munmap(sqes_, sqesSize_);
  if (mine && rings_ != nullptr) sys::munmap(rings_, ringsSize_);
  sqes_ = nullptr;
  rings_ = nullptr;
  fd_.reset();
  started_ = false;
}

/// The thread that enters first is the ring's from then on.
LEAT_INLINE int UringRing::start() noexcept {
  if (flags_ & uring::setupDisabled) {
    const int error = sys::io_uring_register(fd_.get(), uring::registerEnableRings, nullptr, 0);
    if (error < 0) return error;
  }
  started_ = true;
  return 0;
}

LEAT_INLINE int UringRing::tellEventfd(int fd) noexcept {
  return sys::io_uring_register(fd_.get(), uring::registerEventfd, &fd, 1);
}

LEAT_INLINE int UringRing::tellBuffers(uring::Buffer* entries, unsigned count) noexcept {
  uring::BufferRegistration registration{};
  registration.ringAddress = reinterpret_cast<std::uint64_t>(entries);
  registration.ringEntries = count;
  return sys::io_uring_register(fd_.get(), uring::registerPbufRing, &registration, 1);
}

// ---- using it ----

LEAT_INLINE uring::Sqe* UringRing::next() noexcept {
  if (unsubmitted() > sqMask_) return nullptr;
  uring::Sqe& entry = sqes_[tail_++ & sqMask_];
  entry = uring::Sqe{};
  return &entry;
}
#endif

template <class Match>
void UringRing::neutralize(Match match) noexcept {
  for (unsigned i = load(sqHead_, acquire); i != tail_; ++i) {
    uring::Sqe& entry = sqes_[i & sqMask_];
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
  __atomic_store_n(sqTail_, tail_, __ATOMIC_RELEASE);
  uring::Timespec time{timeoutNs / 1'000'000'000, timeoutNs % 1'000'000'000};
  uring::EventsArg arg{0, 0, 0, reinterpret_cast<std::uint64_t>(&time)};
  const bool limited = wanted > 0 && timeoutNs >= 0;
  const unsigned flags = uring::enterGetEvents | (limited ? uring::enterExtArg : 0U);
  const int r = sys::io_uring_enter(fd_.get(), unsubmitted(), wanted, flags,
                                    limited ? &arg : nullptr, limited ? sizeof arg : 0);
  return r >= 0 || r == -ETIME ? 0 : r;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

#endif
