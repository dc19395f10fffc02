// SPDX-License-Identifier: MIT
// On which file systems a call that finds all it needs in memory never waits, found out by the workers
// and believed for moments only: what is mounted where may change.
#pragma once

#include <leat/base/atomic.hpp>
#include <leat/sys/file_calls.hpp>

#include <sys/sysmacros.h>

#include <string_view>

namespace leat::inline LEAT_ABI::detail {

/// Answers to yes-or-no questions about numbers, each for at most three seconds. When one is a second old
/// the next who asks hears `unknown` and finds out anew, while the others go on.
class KnownPlaces {
 public:
  enum class Answer : unsigned char { unknown, no, yes };

  Answer ask(std::uint64_t key) noexcept;
  /// For who can find out: only what is younger than a second.
  Answer recall(std::uint64_t key) noexcept;
  void tell(std::uint64_t key, bool yes) noexcept;

 private:
  // A word: 36 bits of the key, the other bits of which choose the place, then 24 of the time until
  // which it holds, then whether somebody finds out anew, then the answer.
  static constexpr std::uint64_t yesBit = 1, renewing = 2, timeMask = 0xffffff, keyShift = 28;
  static constexpr std::uint64_t keyMask = 0xfffffffff, holds = 3, young = 2;
  Atomic<std::uint64_t>& place(std::uint64_t key) noexcept { return words_[key >> 36 & 63]; }
  /// Seconds that the word still holds for this key; 0 when it does not.
  static std::uint64_t secondsLeft(std::uint64_t word, std::uint64_t key) noexcept {
    if (word == 0 || word >> keyShift != (key & keyMask)) return 0;
    const std::uint64_t left = ((word >> 2) - sys::coarseSeconds()) & timeMask;
    return left > holds ? 0 : left;
  }

  Atomic<std::uint64_t> words_[64]{};
};

#if LEAT_BODIES
LEAT_INLINE KnownPlaces::Answer KnownPlaces::ask(std::uint64_t key) noexcept {
  Atomic<std::uint64_t>& at = place(key);
  std::uint64_t word = at.load(relaxed);
  const std::uint64_t left = secondsLeft(word, key);
  if (left == 0) return Answer::unknown;
  const bool old = left < young && (word & renewing) == 0;
  if (old && at.compareExchange(word, word | renewing, relaxed)) return Answer::unknown;
  return (word & yesBit) != 0 ? Answer::yes : Answer::no;
}

LEAT_INLINE KnownPlaces::Answer KnownPlaces::recall(std::uint64_t key) noexcept {
  const std::uint64_t word = place(key).load(relaxed);
  if (secondsLeft(word, key) < young) return Answer::unknown;
  return (word & yesBit) != 0 ? Answer::yes : Answer::no;
}

LEAT_INLINE void KnownPlaces::tell(std::uint64_t key, bool yes) noexcept {
  const std::uint64_t until = (sys::coarseSeconds() + holds) & timeMask;
  place(key).store((key & keyMask) << keyShift | until << 2 | (yes ? yesBit : 0), relaxed);
}
#endif

// By device: whether it is a file system of this machine, and whether its reads can promise not to wait.
// By folder, as paths spell it: whether plain files of such a one were read in it. A path that leads
// elsewhere since then is noticed once it is open.
LEAT_API inline constinit KnownPlaces localDevices{};
LEAT_API inline constinit KnownPlaces waitingDevices{};
LEAT_API inline constinit KnownPlaces plainFolders{};
/// Set for good where the kernel, or who guards it, knows nothing of `openCached`.
LEAT_API inline constinit Atomic<bool> noCachedOpens{false};

constexpr std::uint64_t deviceKey(std::uint64_t device) noexcept {
  return device * 0x9e3779b97f4a7c15ULL;
}
inline std::uint64_t deviceKeyOf(const struct ::statx& found) noexcept {
  return deviceKey(makedev(found.stx_dev_major, found.stx_dev_minor));
}
LEAT_INLINE std::uint64_t folderKey(std::string_view path) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::uint64_t folderKey(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : path.substr(0, slash == std::string_view::npos ? 0 : slash + 1))
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return deviceKey(hash);
}
#endif

/// File systems whose data is here, by the numbers of <linux/magic.h>. Not among them: those that ask
/// another machine or another process, which may be this one, and those that compute what is read.
constexpr bool isLocal(std::uint64_t type) noexcept {
  constexpr std::uint32_t known[] = {
      0xef53,      // ext2, ext3, ext4
      0x58465342,  // xfs
      0x9123683e,  // btrfs
      0xf2f52010,  // f2fs
      0xca451a4e,  // bcachefs
      0x2fc12fc1,  // zfs
      0x01021994,  // tmpfs
      0x858458f6,  // ramfs
      0x794c7630,  // overlayfs
      0x73717368,  // squashfs
      0xe0f5e1e2,  // erofs
      0x9660,      // isofs
      0x4d44,      // fat
      0x2011bab0,  // exfat
  };
  for (const std::uint32_t one : known)
    if (type == one) return true;
  return false;
}

#if LEAT_BODIES
/// On a worker: whether the open file is on such a device, which is found out where it is not known.
LEAT_INLINE bool learnDevice(int fd, std::uint64_t key) noexcept {
  const KnownPlaces::Answer known = localDevices.recall(key);
  if (known != KnownPlaces::Answer::unknown) return known == KnownPlaces::Answer::yes;
  struct ::statfs found;
  if (sys::fstatfs(fd, found) != 0) return false;
  const bool local = isLocal(static_cast<std::uint32_t>(found.f_type));
  localDevices.tell(key, local);
  return local;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
