// SPDX-License-Identifier: MIT
// The system calls of io_uring and of the memory that is shared with it, through the seam. The numbers
// and structures are the kernel's, written out, so that no header of a certain age is needed.
#pragma once

#include <leat/sys/calls.hpp>

#include <sys/mman.h>
#include <sys/stat.h>

namespace leat::inline LEAT_ABI::sys {

namespace uring {

// The same on every architecture that has them, but for alpha.
constexpr long setupNumber = 425, enterNumber = 426, registerNumber = 427;

enum SetupFlag : unsigned {
  setupCqSize = 1U << 3,
  setupClamp = 1U << 4,
  setupDisabled = 1U << 6,
  setupSubmitAll = 1U << 7,
  setupCoopTaskrun = 1U << 8,
  setupTaskrunFlag = 1U << 9,
  setupSingleIssuer = 1U << 12,
  setupDeferTaskrun = 1U << 13,
};
enum Feature : unsigned {
  featureSingleMmap = 1U << 0,
  featureNoDrop = 1U << 1,
  featureFastPoll = 1U << 5,
  featureExtArg = 1U << 8,
};
enum EnterFlag : unsigned {
  enterGetEvents = 1U << 0,
  enterExtArg = 1U << 3,
};
enum RegisterCode : unsigned {
  registerEventfd = 4,
  registerEnableRings = 12,
  registerPbufRing = 22,
};
enum SqFlag : unsigned { sqOverflow = 1U << 1, sqTaskrun = 1U << 2 };
enum Opcode : unsigned char {
  opNop = 0,
  opPollAdd = 6,
  opAccept = 13,
  opAsyncCancel = 14,
  opRead = 22,
  opSend = 26,
  opRecv = 27,
};
enum SqeFlag : unsigned char { sqeBufferSelect = 1U << 5 };
constexpr unsigned short acceptMultishot = 1, recvPollFirst = 1, recvMultishot = 2;
constexpr unsigned pollMultishot = 1;
constexpr unsigned cancelAll = 1, cancelAny = 4;
enum CqeFlag : unsigned { cqeBuffer = 1, cqeMore = 2, cqeNonEmpty = 4 };
constexpr unsigned cqeBufferShift = 16;
constexpr std::int64_t offsetRings = 0, offsetSqes = 0x10000000;

struct Sqe {
  std::uint8_t opcode;
  std::uint8_t flags;
  std::uint16_t ioprio;
  std::int32_t fd;
  std::uint64_t off;
  std::uint64_t addr;
  std::uint32_t len;
  std::uint32_t opFlags;
  std::uint64_t userData;
  std::uint16_t bufferGroup;
  std::uint16_t personality;
  std::int32_t fileIndex;
  std::uint64_t addr3;
  std::uint64_t pad;
};
static_assert(sizeof(Sqe) == 64);

struct Cqe {
  std::uint64_t userData;
  std::int32_t res;
  std::uint32_t flags;
};
static_assert(sizeof(Cqe) == 16);

struct SqOffsets {
  std::uint32_t head, tail, ringMask, ringEntries, flags, dropped, array, reserved;
  std::uint64_t userAddress;
};
struct CqOffsets {
  std::uint32_t head, tail, ringMask, ringEntries, overflow, cqes, flags, reserved;
  std::uint64_t userAddress;
};
struct Params {
  std::uint32_t sqEntries, cqEntries, flags, sqThreadCpu, sqThreadIdle, features, wqFd, reserved[3];
  SqOffsets sq;
  CqOffsets cq;
};
static_assert(sizeof(Params) == 120);

struct Timespec {
  std::int64_t seconds, nanoseconds;
};
struct EventsArg {
  std::uint64_t sigmask;
  std::uint32_t sigmaskSize;
  std::uint32_t minWaitUs;
  std::uint64_t timespec;
};
struct BufferRegistration {
  std::uint64_t ringAddress;
  std::uint32_t ringEntries;
  std::uint16_t group;
  std::uint16_t flags;
  std::uint64_t reserved[3];
};
/// An entry of a ring of buffers; the `tail` of the first is that of the ring.
struct Buffer {
  std::uint64_t address;
  std::uint32_t size;
  std::uint16_t id;
  std::uint16_t tail;
};
static_assert(sizeof(Buffer) == 16);
}  // namespace uring

inline int io_uring_setup(unsigned entries, uring::Params& params) noexcept {
  if (fails(Call::io_uring_setup)) return -errno;
  return outcome(static_cast<int>(::syscall(uring::setupNumber, entries, &params)));
}
/// Not repeated when interrupted: a signal is a reason for the loop to turn.
LEAT_INLINE int io_uring_enter(int fd, unsigned submit, unsigned wanted, unsigned flags,
                               const void* arg, size_t size) noexcept;

#if LEAT_BODIES
LEAT_INLINE int io_uring_enter(int fd, unsigned submit, unsigned wanted, unsigned flags,
                               const void* arg, size_t size) noexcept {
  if (fails(Call::io_uring_enter)) return -errno;
  return outcome(
      static_cast<int>(::syscall(uring::enterNumber, fd, submit, wanted, flags, arg, size)));
}
#endif
inline int io_uring_register(int fd, unsigned code, void* arg, unsigned count) noexcept {
  if (fails(Call::io_uring_register)) return -errno;
  return outcome(static_cast<int>(::syscall(uring::registerNumber, fd, code, arg, count)));
}

#if LEAT_BODIES
/// 0 or -errno. A child of fork() does not get the memory: the kernel goes on writing to the parent's.
LEAT_INLINE int mapUnshared(size_t size, int fd, std::int64_t offset, void*& at) noexcept {
  const int flags =
      fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED | MAP_POPULATE;
  void* const got = fails(Call::mmap) ? MAP_FAILED
                                      : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd,
                                               static_cast<off_t>(offset));
  if (got == MAP_FAILED) return -errno;
  if (fails(Call::madvise) || ::madvise(got, size, MADV_DONTFORK) != 0) {
    const int error = errno;
    ::munmap(got, size);
    return -error;
  }
  at = got;
  return 0;
}
#endif
/// Whatever the hook says, the memory is gone, as with close.
inline int munmap(void* at, size_t size) noexcept {
  const int r = ::munmap(at, size);
  return outcome(fails(Call::munmap) ? -1 : r);
}
inline int fstat(int fd, struct ::stat& found) noexcept {
  return outcome(fails(Call::fstat) ? -1 : ::fstat(fd, &found));
}

}  // namespace leat::inline LEAT_ABI::sys
