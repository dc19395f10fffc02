// SPDX-License-Identifier: MIT
#pragma once
// A folder of its own for each test of files, which ends with it, and what such tests look at.

#include <leat/core/as_result.hpp>
#include <leat/core/with_context.hpp>
#include <leat/fs.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/testing/fuse.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <leat_test.hpp>

namespace leat_test {

/// Text that looks different everywhere.
inline std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>('0' + ((state = state * 1664525 + 1013904223) >> 26));
  return text;
}

/// Temporary, and the working folder while it lives, so that paths in messages are short. What is open at
/// the end and was not at the beginning is a failure.
class TempFolder {
 public:
  TempFolder() : before_(std::filesystem::current_path()), open_(openFiles()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "leat-fs-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    std::filesystem::current_path(path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    checkClosed();
    std::filesystem::current_path(before_);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  /// What goes on in the background for a moment closes files, and may open one before: the number must
  /// stay for a while, and is not asked for again.
  void checkClosed() const {
    Settling number(*this);
    while (number.goesOn()) ::usleep(500);
    CHECK(number.last == open_);
  }
  /// The same while the loop goes on.
  leat::Task<> awaitClosed() const {
    Settling number(*this);
    while (number.goesOn()) co_await leat::sleep(1);
    CHECK(number.last == open_);
  }
  static long openFiles() {
    long count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      // The loops of the process come and go on their own.
      if (!gone && target.find("anon_inode:[") == std::string::npos) ++count;
    }
    return count;
  }

 private:
  struct Settling {
    explicit Settling(const TempFolder& f) : folder(f) {}
    bool goesOn() {
      last = openFiles();
      stayed = last == folder.open_ ? stayed + 1 : 0;
      return stayed < 10 && ++looks < 4000;
    }
    const TempFolder& folder;
    long last = 0;
    int stayed = 0;
    int looks = 0;
  };

  std::filesystem::path before_;
  std::string path_;
  long open_;
};

inline void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}
inline std::string get(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(bytes).str();
}

/// The message of what an operation threw.
template <class R>
std::string messageOf(R& result) {
  if (result.ok()) return "no error";
  try {
    std::rethrow_exception(result.error());
  } catch (const leat::Error& error) {
    return std::string(error.message());
  } catch (const std::exception& error) {
    return std::string("not of the library: ") + error.what();
  }
}
template <class R>
std::string codeOf(R& result) {
  if (result.ok()) return "no error";
  try {
    std::rethrow_exception(result.error());
  } catch (const leat::Error& error) {
    return std::string(error.code());
  }
}

/// The message of what making an operation throws.
template <class F>
std::string thrownBy(F&& make) {
  try {
    (void)make();
  } catch (const leat::Error& error) {
    return std::string(error.code()) + ": " + std::string(error.message());
  }
  return "nothing";
}

/// While it lives, each `call` that a worker makes stops there until `open()`, and nothing is in memory for
/// the loop's thread, nor is there a ring to read files, so that workers do it all.
class Gate {
 public:
  explicit Gate(leat::sys::Call call) {
    opened.store(0);
    inside.store(0);
    entered.store(0);
    which.store(static_cast<int>(call));
    home.store(::pthread_self());
    before_ = leat::sys::fault.exchange(&hook);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    open();
    while (inside.load() != 0) ::usleep(100);
    leat::sys::fault.store(before_);
  }
  void open() { opened.store(1); }
  leat::Task<> reached() const {
    do co_await leat::sleep(1);
    while (entered.load() == 0);
  }

 private:
  static int hook(leat::sys::Call call) noexcept {
    using leat::sys::Call;
    if (::pthread_self() == home.load())
      return call == Call::openat2 || call == Call::preadv2 || call == Call::pread ? EAGAIN : 0;
    if (static_cast<int>(call) != which.load()) return 0;
    inside.fetchAdd(1);
    entered.fetchAdd(1);
    while (opened.load() == 0) ::usleep(100);
    inside.fetchSub(1);
    return 0;
  }
  static inline leat::detail::Atomic<int> opened{0}, inside{0}, entered{0}, which{0};
  static inline leat::detail::Atomic<pthread_t> home{0};
  leat::sys::FaultHook before_;
};

}  // namespace leat_test
