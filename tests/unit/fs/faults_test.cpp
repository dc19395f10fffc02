// SPDX-License-Identifier: MIT
// Each system call of each operation failed once: it ends, with an error that says so, and leaves no
// descriptor open.
#include "fs_rig.hpp"

#include <leat/loop/with_timeout.hpp>
#include <leat/process/stdio.hpp>

#include <child.hpp>

#include <sys/resource.h>

#include <csignal>

namespace fs = leat::fs;
namespace stdfs = std::filesystem;
using leat::asResult;
using leat::run;
using leat::Task;
using leat::sys::Call;
using leat_test::put;
using leat_test::TempFolder;

namespace {

/// Only calls of files, so that the loop itself goes on.
leat::testing::CallSet fileCalls() {
  return leat::testing::calls(
      Call::open, Call::close, Call::read, Call::write, Call::readv, Call::writev, Call::pread,
      Call::pwrite, Call::preadv, Call::pwritev, Call::statx, Call::statfs, Call::mkdir,
      Call::mkdtemp, Call::rmdir, Call::rename, Call::opendir, Call::readdir, Call::closedir,
      Call::copy_file_range, Call::symlink, Call::readlink, Call::link, Call::ftruncate,
      Call::fsync, Call::fdatasync, Call::fchmodat, Call::fchmod, Call::fchownat, Call::fchown,
      Call::utimensat, Call::futimens, Call::access, Call::realpath, Call::unlink, Call::ioctl,
      Call::inotify_init1, Call::inotify_add_watch, Call::openat2, Call::preadv2, Call::fstatfs);
}

Task<> handleSession() {
  auto file = co_await fs::open("f", "w+");
  co_await file.writeFile("some text");
  co_await file.write("AB", 2);
  std::vector<leat::Buffer> parts;
  parts.push_back(leat::Buffer::alloc(3));
  parts.push_back(leat::Buffer::alloc(3));
  co_await file.readv(parts, 0);
  co_await file.writev(parts, 1);
  co_await file.writev(parts);
  co_await file.readv(parts);
  co_await file.read({.length = 4, .position = 1});
  co_await file.read();
  co_await file.readFile();
  co_await file.stat();
  co_await file.truncate(3);
  co_await file.sync();
  co_await file.datasync();
  co_await file.chmod(0600);
  co_await file.chown(::getuid(), ::getgid());
  co_await file.utimes(1, 2);
  co_await file.close();
}

Task<> nameSession() {
  co_await fs::writeFile("f", "text", {.flush = true});
  co_await fs::appendFile("f", "text");
  co_await fs::readFile("f");
  co_await fs::truncate("f", 2);
  co_await fs::stat("f");
  co_await fs::lstat("f");
  co_await fs::statfs("f");
  co_await fs::access("f");
  co_await fs::chmod("f", 0600);
  co_await fs::chown("f", ::getuid(), ::getgid());
  co_await fs::lchown("f", ::getuid(), ::getgid());
  co_await fs::utimes("f", 1, 2);
  co_await fs::lutimes("f", 1, 2);
  co_await fs::link("f", "g");
  co_await fs::symlink("f", "s");
  co_await fs::readlink("s");
  co_await fs::realpath("s");
  co_await fs::rename("g", "h");
  co_await fs::copyFile("f", "copy", fs::COPYFILE_FICLONE);
  co_await fs::unlink("h");
}

Task<> folderSession() {
  co_await fs::mkdir("d/e/x", {.recursive = true});
  co_await fs::mkdir("d/y");
  co_await fs::rmdir("d/y");
  co_await fs::mkdtemp("d/t");
  co_await fs::writeFile("d/e/f", "text");
  co_await fs::symlink("f", "d/e/s");
  co_await fs::readdir("d", fs::withFileTypes, {.recursive = true});
  co_await fs::cp("d", "copy", {.recursive = true, .preserveTimestamps = true});
  auto dir = co_await fs::opendir("copy", {.recursive = true});
  std::optional<fs::Dirent> entry;
  do entry = co_await dir.next();
  while (entry);
  co_await dir.close();
  auto watcher = co_await fs::watch("d", {.recursive = true});
  co_await fs::writeFile("d/e/new", "text");
  co_await leat::withTimeout(10'000, watcher.next());
  co_await fs::rm("copy", {.recursive = true});
}

template <class Session>
void failEach(Session session, long least) {
  const TempFolder folder;
  long failed = 0;
  const auto body = [&](leat::testing::FaultInjector& injector) {
    // Closing in the background, and what makes the folder empty, come after.
    for (const auto& entry : stdfs::directory_iterator(".")) stdfs::remove_all(entry.path());
    std::string error;
    const auto main = [&]() -> Task<> {
      auto ended = co_await asResult(session());
      if (!ended.ok()) error = leat_test::codeOf(ended);
      co_await folder.awaitClosed();
    };
    CHECK(run(main) == 0);
    if (!error.empty()) {
      ++failed;
      if (error != "EIO") FAIL(error << " after " << leat::sys::name(injector.lastBlown()));
    } else if (injector.blown() != 0) {
      // What has another way is taken another way, closing in the background tells nobody, and
      // the loop reads and writes what wakes it.
      const Call last = injector.lastBlown();
      INFO(leat::sys::name(last));
      CHECK((last == Call::close || last == Call::ioctl || last == Call::closedir ||
             last == Call::statx || last == Call::readlink || last == Call::opendir ||
             last == Call::readdir || last == Call::write || last == Call::read ||
             last == Call::openat2 || last == Call::preadv2 || last == Call::fstatfs ||
             last == Call::pread));
    }
  };
  // Call by call: how often a worker wakes the loop, which is a `write`, is up to the scheduler, and would
  // move the places of the others from run to run.
  long runs = 0;
  for (int n = 0; n < static_cast<int>(Call::count); ++n) {
    const Call call = static_cast<Call>(n);
    if (fileCalls().has(call))
      runs += leat::testing::fuse(body, EIO, leat::testing::calls(call)).runs;
  }
  CHECK(runs >= least);
  CHECK(failed >= least * 2 / 3);
}

}  // namespace

TEST_CASE("whatever system call of a file handle fails, its operation says so and nothing leaks") {
  failEach(handleSession, 17);
}
TEST_CASE("whatever system call of a name fails, its operation says so and nothing leaks") {
  failEach(nameSession, 35);
}
TEST_CASE("whatever system call of a folder fails, its operation says so and nothing leaks") {
  failEach(folderSession, 40);
}

TEST_CASE("calls on files that are interrupted are made again") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    leat::testing::FaultInjector injector;
    injector.fail(leat::testing::calls(Call::open, Call::write, Call::read, Call::pread,
                                       Call::fsync, Call::ftruncate, Call::statfs),
                  EINTR, 1, 20);
    co_await fs::writeFile("f", "text", {.flush = true});
    co_await fs::truncate("f", 3);
    co_await fs::statfs("f");
    const std::string text = co_await fs::readFile("f", "utf8");
    CHECK(text == "tex");
    CHECK(injector.blown() == 20);
  };
  CHECK(run(main) == 0);
}

#if !LEAT_TSAN  // which keeps signals back, and allows no threads after a fork of a program that has some

TEST_CASE("what would grow a file beyond its limit fails, on this thread and on others") {
  const TempFolder folder;
  const auto end = leat_test::inChild([] {
    const rlimit little{10, 10};
    ::signal(SIGXFSZ, SIG_DFL);
    const int log = ::open("log", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (::dup2(log, 2) != 2 || ::setrlimit(RLIMIT_FSIZE, &little) != 0) return 2;
    std::string told;
    const int code = run([&]() -> Task<> {
      const auto note = [&](auto outcome) { told += leat_test::codeOf(outcome) + ", "; };
      note(co_await asResult(fs::writeFile("f", "0123456789")));
      note(co_await asResult(fs::appendFile("f", "x")));
      note(co_await asResult(fs::truncate("f", 11)));
      note(co_await asResult(fs::writeFile("g", "0123456789abc")));
      const auto standard = leat::process::stderr_();
      standard.on<"error">([&](const std::exception_ptr&) { told += "error"; });
      note(co_await asResult(standard.write("0123456789")));
      note(co_await asResult(standard.write("x")));
    });
    leat_test::say(told);
    return code;
  });
  CHECK(end.signal == 0);
  CHECK(end.code == 0);
  CHECK(end.out == "no error, EFBIG, EFBIG, EFBIG, no error, EFBIG, error\n");
  CHECK(leat_test::get("g") == "0123456789");
  CHECK(leat_test::get("log") == "0123456789");
}

TEST_CASE("a program that wants to be told of files beyond their limit is told") {
  const auto end = leat_test::inChild([] {
    ::signal(SIGXFSZ, [](int) { ::_exit(7); });
    (void)run([] {});
    ::raise(SIGXFSZ);
    return 0;
  });
  CHECK(end.code == 7);
}

#endif
