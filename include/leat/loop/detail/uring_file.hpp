// SPDX-License-Identifier: MIT
// What a ring knows of a descriptor. It outlives the handle until the kernel has answered every request
// that names it, so that no completion ever points to what is gone.
#pragma once

#include <leat/loop/detail/uring_buffers.hpp>
#include <leat/loop/reactor.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Bytes on their way from a socket's owner to the kernel.
struct UringStage {
  // By measurement: up to here a copy costs less than a system call of its own. The structure is no
  // power of two, or all blocks would fall into the same lines of the cache.
  static constexpr std::size_t capacity = 4096;
  UringStage* next = nullptr;
  std::size_t from = 0;
  std::size_t to = 0;
  char bytes[capacity];
  char pad[104];
};

struct alignas(8) UringFile : ListNode {
  /// The requests that a descriptor may have with the kernel, at most one of each. With the address of
  /// the file they make the word that a completion carries.
  enum Request : unsigned char { recv, accept, send, pollIn, pollOut, pollPri, arrivals, requests };

  explicit UringFile(IoHandle& h) noexcept : handle(&h), fd(h.fd) {}

  /// As new, for another descriptor.
  void reuse(IoHandle& h) noexcept {
    handle = &h;
    fd = h.fd;
    withdrawn = acceptedFrom = acceptedTo = 0;
    failure = 0;
    moreToRead = polls = bulk = false;
    littles = 0;
  }
  std::uint64_t word(Request request) const noexcept {
    return reinterpret_cast<std::uint64_t>(this) | request;
  }
  static UringFile* ofWord(std::uint64_t word) noexcept {
    return reinterpret_cast<UringFile*>(word & ~std::uint64_t{7});
  }
  static Request requestOf(std::uint64_t word) noexcept { return static_cast<Request>(word & 7); }
  static constexpr unsigned bit(Request request) noexcept { return 1U << request; }
  bool inKernel(Request request) const noexcept { return (asked & bit(request)) != 0; }
  bool received() const noexcept { return firstPiece != UringBuffers::none; }

  IoHandle* handle;  // null when it was detached
  UringFile* nextFree = nullptr;
  UringFile* nextMade = nullptr;
  int fd;
  unsigned asked = 0;       // requests that the kernel has
  unsigned withdrawn = 0;   // those of them that it was told to end
  int failure = 0;          // of a receive or an accept for which nobody waited
  bool moreToRead = false;  // the socket has more than the kernel gave
  bool polls = false;       // the kernel cannot wait for it but by polling
  bool bulk = false;        // much comes at once: better received without a copy
  bool doubted = false;     // it is among the doubtful
  unsigned char littles = 0;
  // Received and not taken.
  unsigned short firstPiece = UringBuffers::none;
  unsigned short lastPiece = UringBuffers::none;
  unsigned pieces = 0;
  // Accepted and not taken.
  int* accepted = nullptr;
  unsigned acceptedFrom = 0;
  unsigned acceptedTo = 0;
  unsigned acceptedRoom = 0;
  // Bytes to send.
  UringStage* staged = nullptr;
  // What an own descriptor is, to tell it from another of the same number.
  unsigned long long device = 0;
  unsigned long long inode = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
