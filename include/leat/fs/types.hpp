// SPDX-License-Identifier: MIT
// What the functions of fs take besides paths: open flags as Node spells them, times, options.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/inspected.hpp>
#include <leat/loop/out_of_range.hpp>

#include <fcntl.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI {

namespace detail {

[[noreturn]] inline void throwModeOutOfRange(std::string_view value) {
  throwOutOfRange("mode", ">= 0 && <= 4294967295", value);
}
[[noreturn]] inline void throwModeOutOfRange(std::int64_t value) {
  throwModeOutOfRange(IntegerText(value));
}

/// The modes of access and copyFile, whose message is Node's. Throws: RangeError ERR_OUT_OF_RANGE.
inline void checkThreeBits(int mode) {
  if (mode < 0 || mode > 7) throw RangeError("mode is out of range: >= 0 && <= 7");
}

[[noreturn]] LEAT_NOINLINE inline void throwNoFileTime(double seconds) {
  throw TypeError(
      SharedText{"The \"time\" argument must be an instance of Date or an Time in seconds. "
                 "Received type number (",
                 NumberText(seconds), ")"}
          .view(),
      "ERR_INVALID_ARG_TYPE");
}

}  // namespace detail

namespace fs {

/// How to open a file: "r", "r+", "rs+", "w", "wx", "w+", "wx+", "a", "ax", "a+", "ax+" and their
/// like, or the system's O_RDONLY | ... themselves.
/// Throws: TypeError ERR_INVALID_ARG_VALUE when the text is none of Node's.
class Flags {
 public:
  template <class Text>
    requires std::is_convertible_v<const Text&, std::string_view>
  Flags(const Text& text) : value_(parse(text)) {}
  constexpr Flags(int value) noexcept : value_(value) {}
  constexpr int value() const noexcept { return value_; }

 private:
  static int parse(std::string_view text);
  int value_;
};

/// The rights of a file: a number (0644), or octal digits as a text ("644").
/// Throws: TypeError ERR_INVALID_ARG_VALUE for another text; RangeError ERR_OUT_OF_RANGE for a number that
/// has no 32 bits.
class FileMode {
 public:
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  constexpr FileMode(Number value) : value_(static_cast<unsigned>(value)) {
    if (!std::in_range<unsigned>(value)) [[unlikely]]
      leat::detail::throwModeOutOfRange(static_cast<std::int64_t>(value));
  }
  template <class Text>
    requires std::is_convertible_v<const Text&, std::string_view>
  FileMode(const Text& text) : value_(parse(text)) {}
  constexpr unsigned value() const noexcept { return value_; }

 private:
  static unsigned parse(std::string_view text);
  unsigned value_;
};

/// A moment for `utimes`: seconds since 1970, as in Node, or any std::chrono::time_point of the system
/// clock. Throws: TypeError ERR_INVALID_ARG_TYPE of seconds that are NaN or infinite.
class FileTime {
 public:
  template <class Number>
    requires std::is_arithmetic_v<Number>
  constexpr FileTime(Number seconds) noexcept(std::is_integral_v<Number>) {
    if constexpr (std::is_floating_point_v<Number>) seconds = possible(seconds);
    seconds_ = static_cast<std::int64_t>(seconds);
    nanoseconds_ = std::int64_t((static_cast<double>(seconds) - double(seconds_)) * 1e9);
    normalize();
  }
  template <class TimePoint>
    requires requires(const TimePoint& t) { t.time_since_epoch().count(); }
  constexpr FileTime(const TimePoint& time) noexcept(
      std::is_integral_v<typename TimePoint::duration::rep>) {
    using Period = typename TimePoint::duration::period;
    const auto given = time.time_since_epoch().count();
    if constexpr (std::is_floating_point_v<typename TimePoint::duration::rep>) {
      *this = FileTime(given * static_cast<decltype(given)>(Period::num) / Period::den);
      return;
    }
    const auto count = static_cast<std::int64_t>(given);
    seconds_ = count / Period::den * Period::num;
    nanoseconds_ = count % Period::den * (1'000'000'000 / Period::den) * Period::num;
    normalize();
  }
  static constexpr FileTime fromNs(std::int64_t ns) noexcept {
    FileTime time(0);
    time.seconds_ = ns / 1'000'000'000;
    time.nanoseconds_ = ns % 1'000'000'000;
    time.normalize();
    return time;
  }
  timespec value() const noexcept {
    return {static_cast<time_t>(seconds_), static_cast<long>(nanoseconds_)};
  }

 private:
  /// What has no place in 64 bits is a moment beyond every file system, which the kernel cuts off.
  template <class Number>
  static constexpr Number possible(Number seconds) {
    constexpr auto most = static_cast<Number>(9e18);
    if (seconds - seconds != 0) leat::detail::throwNoFileTime(static_cast<double>(seconds));
    return seconds > most ? most : seconds < -most ? -most : seconds;
  }
  constexpr void normalize() noexcept {
    seconds_ += nanoseconds_ / 1'000'000'000;
    nanoseconds_ %= 1'000'000'000;
    if (nanoseconds_ >= 0) return;
    nanoseconds_ += 1'000'000'000;
    --seconds_;
  }
  std::int64_t seconds_ = 0;
  std::int64_t nanoseconds_ = 0;
};

/// Node: `fs.constants`; those of the system (O_RDONLY, R_OK, S_IFMT, ...) are its macros.
/// Modes of `copyFile`: the destination must not be there; shares blocks where the file system can; or fails.
inline constexpr int COPYFILE_EXCL = 1;
inline constexpr int COPYFILE_FICLONE = 2;
inline constexpr int COPYFILE_FICLONE_FORCE = 4;

/// The file's own position, in the place of a number of bytes.
inline constexpr std::int64_t currentPosition = -1;
/// As many bytes as the buffer has behind the offset.
inline constexpr std::int64_t wholeLength = -1;

/// Options of what has no others.
struct FileOptions {
  /// Aborts the operation, besides the ambient signal.
  SignalRef signal{};
};
struct ReadFileOptions {
  Flags flag = O_RDONLY;
  SignalRef signal{};
};
struct WriteFileOptions {
  Flags flag = O_WRONLY | O_CREAT | O_TRUNC;
  FileMode mode = 0666;
  /// Has the data on the disk before it ends.
  bool flush = false;
  SignalRef signal{};
};
struct AppendFileOptions {
  Flags flag = O_WRONLY | O_CREAT | O_APPEND;
  FileMode mode = 0666;
  bool flush = false;
  SignalRef signal{};
};
/// Of `FileHandle::read` and `write`.
struct TransferOptions {
  std::int64_t offset = 0;
  std::int64_t length = wholeLength;
  std::int64_t position = currentPosition;
  SignalRef signal{};
};
struct MkdirOptions {
  bool recursive = false;
  FileMode mode = 0777;
  SignalRef signal{};
};
struct RmOptions {
  bool recursive = false;
  /// What is not there is no error.
  bool force = false;
  /// Of EBUSY, EMFILE, ENFILE, ENOTEMPTY and EPERM, when recursive.
  unsigned maxRetries = 0;
  /// Milliseconds before the first retry; the second waits twice as long, and so on.
  unsigned retryDelay = 100;
  SignalRef signal{};
};
struct ReaddirOptions {
  bool recursive = false;
  SignalRef signal{};
};
struct OpendirOptions {
  /// Entries that are fetched at once: from 1, else RangeError ERR_OUT_OF_RANGE.
  unsigned bufferSize = 32;
  bool recursive = false;
  SignalRef signal{};
};
struct CpOptions {
  /// Folders with all in them; else a folder is an error, ERR_FS_EISDIR.
  bool recursive = false;
  /// A file that is there is removed first. Without it such a file stays as it is. Links always take the place of links.
  bool force = true;
  /// Without `force`: a file that is there is an error, ERR_FS_CP_EEXIST.
  bool errorOnExist = false;
  /// Copies what links lead to, not the links.
  bool dereference = false;
  /// Files get the times of their sources; folders do not.
  bool preserveTimestamps = false;
  /// Links keep their text; else a relative one is made absolute. Not with `dereference`.
  bool verbatimSymlinks = false;
  /// COPYFILE_ bits for each file: see `copyFile`.
  int mode = 0;
  SignalRef signal{};
};

#if LEAT_BODIES
LEAT_INLINE int Flags::parse(std::string_view text) {
  struct Known {
    std::string_view name;
    int flags;
  };
  constexpr int create = O_CREAT | O_TRUNC;
  constexpr int append = O_CREAT | O_APPEND;
  static constexpr Known known[] = {
      {"r", O_RDONLY},
      {"rs", O_RDONLY | O_SYNC},
      {"sr", O_RDONLY | O_SYNC},
      {"r+", O_RDWR},
      {"rs+", O_RDWR | O_SYNC},
      {"sr+", O_RDWR | O_SYNC},
      {"w", create | O_WRONLY},
      {"wx", create | O_WRONLY | O_EXCL},
      {"xw", create | O_WRONLY | O_EXCL},
      {"w+", create | O_RDWR},
      {"wx+", create | O_RDWR | O_EXCL},
      {"xw+", create | O_RDWR | O_EXCL},
      {"a", append | O_WRONLY},
      {"ax", append | O_WRONLY | O_EXCL},
      {"xa", append | O_WRONLY | O_EXCL},
      {"as", append | O_WRONLY | O_SYNC},
      {"sa", append | O_WRONLY | O_SYNC},
      {"a+", append | O_RDWR},
      {"ax+", append | O_RDWR | O_EXCL},
      {"xa+", append | O_RDWR | O_EXCL},
      {"as+", append | O_RDWR | O_SYNC},
      {"sa+", append | O_RDWR | O_SYNC},
  };
  for (const Known& one : known)
    if (one.name == text) return one.flags;
  using leat::detail::Inspected;
  using leat::detail::SharedText;
  throw TypeError(SharedText{"The argument 'flags' is invalid. Received ", Inspected(text)}.view());
}

LEAT_INLINE unsigned FileMode::parse(std::string_view text) {
  using namespace leat::detail;
  std::uint64_t value = 0;
  bool octal = !text.empty();
  bool huge = false;
  for (const char c : text) {
    octal = octal && c >= '0' && c <= '7';
    huge = huge || value >> 50 != 0;
    value = value << 3 | static_cast<std::uint64_t>(c & 7);
  }
  if (!octal)
    throw TypeError(
        SharedText{"The argument 'mode' must be a 32-bit unsigned integer or an octal string. "
                   "Received ",
                   Inspected(text)}
            .view());
  if (huge) throwModeOutOfRange(Inspected(text));
  if (value > 0xffffffff) throwModeOutOfRange(static_cast<std::int64_t>(value));
  return static_cast<unsigned>(value);
}
#endif

}  // namespace fs
}  // namespace leat::inline LEAT_ABI
