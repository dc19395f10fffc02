// SPDX-License-Identifier: MIT
// A kernel that knows less of io_uring than this one: what it would refuse is made refusable, and refused by the kernel itself.
#pragma once

#include <leat/sys/uring_calls.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace leat_test {

/// While it lives, rings are made as Linux 5.19 makes them, without DEFER_TASKRUN, and what it is told to refuse (accepts or
/// receives that go on, both since 5.19 and 6.0) answers -EINVAL: just before the kernel is entered, the requests in the queue get
/// a flag that no kernel knows. One at a time; rings are of the thread that enters, and none ends meanwhile on another.
class OldKernel {
 public:
  enum Refusal : unsigned { receives = 1, accepts = 2 };

  explicit OldKernel(unsigned refusals = receives | accepts) noexcept {
    which_ = refusals;
    refused_ = setups_ = enters_ = 0;
    before_ = leat::sys::fault.exchange(&hook);
  }
  OldKernel(const OldKernel&) = delete;
  OldKernel& operator=(const OldKernel&) = delete;
  ~OldKernel() { leat::sys::fault.store(before_); }

  /// How many requests were.
  static long refused() noexcept { return refused_; }
  static long enters() noexcept { return enters_; }

 private:
  using Call = leat::sys::Call;
  using Sqe = leat::sys::uring::Sqe;
  static constexpr std::uint16_t unknown = 0x8000;

  static int hook(Call call) noexcept {
    if (call == Call::io_uring_setup) return setups_++ % 2 == 0 ? EINVAL : 0;
    if (call != Call::io_uring_enter) return 0;
    ++enters_;
    eachQueue();
    return 0;
  }
  static bool refuses(const Sqe& entry) noexcept {
    namespace uring = leat::sys::uring;
    if ((entry.ioprio & unknown) != 0) return false;
    const bool receive = entry.opcode == uring::opRecv && (entry.ioprio & uring::recvMultishot);
    const bool accept = entry.opcode == uring::opAccept && (entry.ioprio & uring::acceptMultishot);
    return (receive && (which_ & receives)) || (accept && (which_ & accepts));
  }
  static void spoil(Sqe* entries, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      if (!refuses(entries[i])) continue;
      entries[i].ioprio |= unknown;
      ++refused_;
    }
  }
  /// The mappings of rings at the place where the kernel has their entries.
  static void eachQueue() noexcept {
    std::FILE* const maps = std::fopen("/proc/self/maps", "re");
    if (maps == nullptr) return;
    char line[512];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long long from = 0, to = 0, offset = 0;
      if (std::strstr(line, "[io_uring]") == nullptr ||
          std::sscanf(line, "%llx-%llx %*s %llx", &from, &to, &offset) != 3 ||
          offset != leat::sys::uring::offsetSqes)
        continue;
      spoil(reinterpret_cast<Sqe*>(from), static_cast<std::size_t>(to - from) / sizeof(Sqe));
    }
    std::fclose(maps);
  }

  static inline unsigned which_;
  static inline long refused_, setups_, enters_;
  leat::sys::FaultHook before_;
};

}  // namespace leat_test
