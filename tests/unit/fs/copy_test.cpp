// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <sys/socket.h>
#include <sys/un.h>

namespace fs = leat::fs;
namespace stdfs = std::filesystem;
using leat::asResult;
using leat::run;
using leat::Task;
using leat_test::codeOf;
using leat_test::Gate;
using leat_test::get;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;

TEST_CASE("copyFile copies bytes and mode, and can insist on a new name") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string text(3'000'000, 'x');
    put("f", text);
    stdfs::permissions("f", stdfs::perms(0640));
    co_await fs::copyFile("f", "g");
    CHECK((get("g") == text));
    const auto copy = co_await fs::stat("g");
    CHECK((copy.mode & 07777) == 0640);
    put("h", "what was there, and longer");
    put("short", "short");
    co_await fs::copyFile("short", "h", fs::COPYFILE_FICLONE);
    CHECK(get("h") == "short");
    auto exists = co_await asResult(fs::copyFile("f", "h", fs::COPYFILE_EXCL));
    CHECK(messageOf(exists) == "EEXIST: file already exists, copyfile 'f' -> 'h'");
    co_await fs::copyFile("h", "h");
    CHECK(get("h") == "short");
    auto none = co_await asResult(fs::copyFile("no", "x"));
    CHECK(messageOf(none) == "ENOENT: no such file or directory, copyfile 'no' -> 'x'");
    CHECK_FALSE(stdfs::exists("x"));
    stdfs::create_directory("d");
    auto aFolder = co_await asResult(fs::copyFile("d", "h"));
    CHECK(messageOf(aFolder) == "EISDIR: illegal operation on a directory, copyfile 'd' -> 'h'");
    CHECK(get("h") == "short");
    co_await fs::copyFile("/proc/self/status", "status");
    CHECK(get("status").starts_with("Name:"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("where the kernel does not copy, a buffer does, and a copy that fails is removed") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    leat::testing::FaultInjector injector;
    const std::string text(700'000, 'y');
    put("f", text);
    for (const int error : {EXDEV, ENOSYS, EINVAL, EOPNOTSUPP}) {
      injector.fail(leat::sys::Call::copy_file_range, error);
      co_await fs::copyFile("f", "g");
      CHECK((get("g") == text));
    }
    injector.fail(leat::sys::Call::copy_file_range, ENOSPC);
    auto full = co_await asResult(fs::copyFile("f", "g"));
    CHECK(messageOf(full) == "ENOSPC: no space left on device, copyfile 'f' -> 'g'");
    CHECK_FALSE(stdfs::exists("g"));
    injector.fail(leat::sys::Call::ioctl, EOPNOTSUPP);
    co_await fs::copyFile("f", "clone", fs::COPYFILE_FICLONE);
    CHECK((get("clone") == text));
    injector.fail(leat::sys::Call::ioctl, EOPNOTSUPP);
    auto forced = co_await asResult(fs::copyFile("f", "forced", fs::COPYFILE_FICLONE_FORCE));
    CHECK(codeOf(forced) == "ENOTSUP");
    CHECK_FALSE(stdfs::exists("forced"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("of a device or a pipe the copy is an empty file, and cp refuses pipes and sockets") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "text");
    for (const char* const device : {"/dev/zero", "/dev/null"}) {
      co_await fs::copyFile(device, "copy");
      CHECK(stdfs::file_size("copy") == 0);
      co_await fs::copyFile("f", "copy");
      co_await fs::cp(device, "copy");
      CHECK(stdfs::file_size("copy") == 0);
    }
    co_await fs::cp("/proc/self/status", "status");
    CHECK(get("status").starts_with("Name:"));
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    const leat::sys::UniqueFd ends(::open("pipe", O_RDWR | O_CLOEXEC));
    CHECK(::write(ends.get(), "x", 1) == 1);
    co_await fs::copyFile("pipe", "copy");
    CHECK(stdfs::file_size("copy") == 0);
    auto refused = co_await asResult(fs::cp("pipe", "other"));
    CHECK(codeOf(refused) == "ERR_FS_CP_FIFO_PIPE");
    // Onto what cannot be emptied.
    auto onto = co_await asResult(fs::copyFile("f", "pipe"));
    CHECK(messageOf(onto) == "EINVAL: invalid argument, copyfile 'f' -> 'pipe'");
    CHECK(stdfs::is_fifo("pipe"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("cp copies trees with their links, modes and times") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    stdfs::create_directories("a/b/c");
    put("a/f", "f");
    put("a/b/g", "g");
    stdfs::permissions("a/b/g", stdfs::perms(0400));
    stdfs::permissions("a/b", stdfs::perms(0750));
    stdfs::create_symlink("f", "a/l");
    stdfs::create_symlink("nowhere", "a/broken");
    co_await fs::utimes("a/b/g", 100, 200);
    co_await fs::cp("a", "new/place", {.recursive = true, .preserveTimestamps = true});
    CHECK(get("new/place/b/g") == "g");
    CHECK(stdfs::is_directory("new/place/b/c"));
    const auto g = co_await fs::stat("new/place/b/g");
    CHECK((g.mode & 07777) == 0400);
    CHECK(g.mtimeMs == 200e3);
    const auto b = co_await fs::stat("new/place/b");
    CHECK((b.mode & 07777) == 0750);
    const std::string real = stdfs::canonical(folder.path()).string();
    CHECK(stdfs::read_symlink("new/place/l") == real + "/a/f");
    co_await fs::cp("a", "verbatim", {.recursive = true, .verbatimSymlinks = true});
    CHECK(stdfs::read_symlink("verbatim/l") == "f");
    // Node too wants to know where an old link leads before it is replaced.
    co_await fs::unlink("a/broken");
    put("a/f", "changed");
    co_await fs::cp("a", "verbatim", {.recursive = true, .force = false});
    CHECK(get("verbatim/f") == "f");
    co_await fs::cp("a", "followed", {.recursive = true, .dereference = true});
    CHECK_FALSE(stdfs::is_symlink("followed/l"));
    CHECK(get("followed/l") == "changed");
    co_await fs::cp("a", "followed", {.recursive = true, .dereference = true});
    CHECK(get("followed/f") == "changed");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("cp refuses what Node's refuses, in its words") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    stdfs::create_directories("d/e");
    put("f", "f");
    put("g", "g");
    const auto refused = [](std::string_view src, std::string_view dest,
                            fs::CpOptions options) -> Task<std::string> {
      auto result = co_await asResult(fs::cp(src, dest, options));
      co_return codeOf(result) + ": " + messageOf(result);
    };
    fs::CpOptions recursive;
    recursive.recursive = true;
    fs::CpOptions exclusive;
    exclusive.force = false;
    exclusive.errorOnExist = true;
    std::string said = co_await refused("d", "x", fs::CpOptions());
    CHECK(
        said ==
        "ERR_FS_EISDIR: Path is a directory: cp returned EISDIR (d is a directory (not copied)) d");
    said = co_await refused("f", "f", fs::CpOptions());
    CHECK(said ==
          "ERR_FS_CP_EINVAL: Invalid src or dest: cp returned EINVAL (src and dest cannot be the "
          "same) f");
    said = co_await refused("f", "g", exclusive);
    CHECK(said ==
          "ERR_FS_CP_EEXIST: Target already exists: cp returned EEXIST (g already exists) g");
    said = co_await refused("d", "f", recursive);
    CHECK(said ==
          "ERR_FS_CP_DIR_TO_NON_DIR: Cannot overwrite non-directory with directory: cp returned "
          "EISDIR (cannot overwrite non-directory f with directory d) f");
    said = co_await refused("f", "d", recursive);
    CHECK(said ==
          "ERR_FS_CP_NON_DIR_TO_DIR: Cannot overwrite directory with non-directory: cp returned "
          "ENOTDIR (cannot overwrite directory d with non-directory f) d");
    said = co_await refused("d", "d/e/x", recursive);
    CHECK(said ==
          "ERR_FS_CP_EINVAL: Invalid src or dest: cp returned EINVAL (cannot copy d to a "
          "subdirectory of self d/e/x) d/e/x");
    stdfs::create_directory_symlink("d", "into");
    said = co_await refused("d", "into/e/x", recursive);
    CHECK(
        said.starts_with("ERR_FS_CP_EINVAL: Invalid src or dest: cp returned EINVAL (cannot copy"));
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    said = co_await refused("pipe", "x", fs::CpOptions());
    CHECK(said ==
          "ERR_FS_CP_FIFO_PIPE: Cannot copy a FIFO pipe: cp returned EINVAL (cannot copy a FIFO "
          "pipe: x) x");
    said = co_await refused("no", "x", fs::CpOptions());
    CHECK(said == "ENOENT: ENOENT: no such file or directory, lstat 'no'");
    CHECK_FALSE(stdfs::exists("x"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a tree copy that nobody waits for stops") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    stdfs::create_directory("a");
    for (int i = 0; i < 50; ++i) put("a/" + std::to_string(i), "x");
    {
      Gate gate(leat::sys::Call::copy_file_range);
      const leat::AbortController nobody;
      leat::Promise<> copying =
          leat::spawn(leat::withSignal(nobody.signal(), fs::cp("a", "b", {.recursive = true})));
      co_await gate.reached();
      nobody.abort();
      auto left = co_await asResult(copying);
      CHECK(codeOf(left) == "ABORT_ERR");
    }
    co_await folder.awaitClosed();
    long copied = 0;
    for (const auto& entry : stdfs::directory_iterator("b")) copied += entry.exists() ? 1 : 0;
    CHECK(copied <= 1);
  };
  CHECK(run(main) == 0);
}
