// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cmath>

namespace fs = leat::fs;
using leat::asResult;
using leat::run;
using leat::Task;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;

TEST_CASE("what is known of files, links, folders and file systems") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", std::string(5000, 'x'));
    std::filesystem::create_directory("d");
    std::filesystem::create_symlink("f", "s");
    REQUIRE(::mkfifo("p", 0600) == 0);
    struct ::stat known;
    REQUIRE(::stat("f", &known) == 0);
    const auto file = co_await fs::stat("f");
    CHECK((file.isFile() && !file.isDirectory() && !file.isSymbolicLink()));
    CHECK(file.size == 5000);
    CHECK(file.dev == known.st_dev);
    CHECK(file.ino == known.st_ino);
    CHECK(file.mode == known.st_mode);
    CHECK(file.nlink == 1);
    CHECK(file.blocks == known.st_blocks);
    CHECK(file.blksize == known.st_blksize);
    CHECK(file.mtimeNs ==
          std::int64_t{known.st_mtim.tv_sec} * 1'000'000'000 + known.st_mtim.tv_nsec);
    CHECK(file.birthtimeNs <= file.mtimeNs);
    const auto through = co_await fs::stat("s");
    CHECK(through.ino == file.ino);
    const auto link = co_await fs::lstat("s");
    CHECK(link.isSymbolicLink());
    CHECK(link.size == 1);
    const auto inner = co_await fs::stat("d");
    CHECK(inner.isDirectory());
    const auto pipe = co_await fs::lstat("p");
    CHECK(pipe.isFIFO());
    const auto null = co_await fs::stat("/dev/null");
    CHECK((null.isCharacterDevice() && !null.isBlockDevice() && !null.isSocket()));
    CHECK(null.rdev == makedev(1, 3));
    struct ::statfs system;
    REQUIRE(::statfs(".", &system) == 0);
    const auto space = co_await fs::statfs(".");
    CHECK(space.type == static_cast<std::uint64_t>(system.f_type));
    CHECK(space.bsize == static_cast<std::uint64_t>(system.f_bsize));
    CHECK(space.blocks == system.f_blocks);
    CHECK(space.files == system.f_files);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("names are made, changed and removed") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    co_await fs::rename("f", "g");
    co_await fs::link("g", "h");
    const auto two = co_await fs::stat("g");
    CHECK(two.nlink == 2);
    co_await fs::symlink("h", "s");
    const std::string says = co_await fs::readlink("s");
    CHECK(says == "h");
    const std::string far(1000, 'y');
    co_await fs::symlink(far, "far");
    const std::string saysFar = co_await fs::readlink("far");
    CHECK(saysFar == far);
    const std::string real = co_await fs::realpath("./s");
    CHECK(real == std::filesystem::canonical(folder.path()).string() + "/h");
    co_await fs::unlink("s");
    co_await fs::unlink("g");
    auto gone = co_await asResult(fs::unlink("g"));
    CHECK(messageOf(gone) == "ENOENT: no such file or directory, unlink 'g'");
    auto notALink = co_await asResult(fs::readlink("h"));
    CHECK(messageOf(notALink) == "EINVAL: invalid argument, readlink 'h'");
    const std::string odd = " \n\t\xff'\"\\*?";
    co_await fs::rename("h", odd);
    const auto oddly = co_await fs::stat(odd);
    CHECK(oddly.size == 4);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("modes, owners, times and rights change") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "x");
    co_await fs::symlink("f", "s");
    co_await fs::chmod("f", 0751);
    co_await fs::chown("f", ::getuid(), ::getgid());
    co_await fs::lchown("s", static_cast<unsigned>(-1), ::getgid());
    co_await fs::access("f");
    co_await fs::access("f", R_OK | X_OK);
    auto absent = co_await asResult(fs::access("no"));
    CHECK(messageOf(absent) == "ENOENT: no such file or directory, access 'no'");
    const std::chrono::system_clock::time_point when(std::chrono::milliseconds(1'000'000'000'123));
    co_await fs::utimes("s", when, 0.25);
    co_await fs::lutimes("s", -1.5, fs::FileTime::fromNs(-1));
    const auto file = co_await fs::stat("f");
    CHECK((file.mode & 07777) == 0751);
    CHECK(file.atimeNs == 1'000'000'000'123'000'000);
    CHECK(file.atimeMs == 1'000'000'000'123.0);
    CHECK(file.mtimeNs == 250'000'000);
    const auto link = co_await fs::lstat("s");
    CHECK(link.atimeNs == -1'500'000'000);
    CHECK(link.mtimeNs == -1);
    for (const double never : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      const std::string shown = never != never ? "NaN" : never > 0 ? "Infinity" : "-Infinity";
      CHECK(leat_test::thrownBy([never] { return fs::utimes("f", never, 2); }) ==
            "ERR_INVALID_ARG_TYPE: The \"time\" argument must be an instance of Date or an Time in "
            "seconds. Received type number (" +
                shown + ")");
    }
    // The farthest that 64 bits can say, instead of what the conversion happens to give.
    CHECK(fs::FileTime(1e300).value().tv_sec == 9'000'000'000'000'000'000);
    CHECK(fs::FileTime(-1e300).value().tv_sec == -9'000'000'000'000'000'000);
    CHECK(fs::FileTime(3.5F).value().tv_nsec == 500'000'000);
    auto nobody = co_await asResult(fs::utimes("no", 1, 2));
    CHECK(messageOf(nobody) == "ENOENT: no such file or directory, utime 'no'");
    auto nobodyElse = co_await asResult(fs::lutimes("no", 1, 2));
    CHECK(messageOf(nobodyElse) == "ENOENT: no such file or directory, lutime 'no'");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("times come from clocks that count in fractions, too") {
  using Seconds = std::chrono::duration<double>;
  const fs::FileTime time(
      std::chrono::time_point<std::chrono::system_clock, Seconds>(Seconds(12.75)));
  CHECK(time.value().tv_sec == 12);
  CHECK(time.value().tv_nsec == 750'000'000);
}
