// SPDX-License-Identifier: MIT
// Which way an operation takes: at once, through the ring, or by a worker; and that nobody sees which.
#include "fs_rig.hpp"

#include <leat/core/combinators.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/timers.hpp>

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <thread>

namespace fs = leat::fs;
using leat::AbortController;
using leat::asResult;
using leat::Buffer;
using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::Task;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::codeOf;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;

namespace {

constexpr std::size_t pageSize = 4096;
constexpr std::size_t pages = 256;

/// As if workers had found out about the device of `path` and, for reads, its folder.
void know(const std::string& path) {
  struct ::statx found;
  REQUIRE(leat::sys::statx(AT_FDCWD, path.c_str(), 0, found) == 0);
  leat::detail::localDevices.tell(leat::detail::deviceKeyOf(found), true);
  leat::detail::waitingDevices.tell(leat::detail::deviceKeyOf(found), false);
  leat::detail::plainFolders.tell(leat::detail::folderKey(path), true);
  leat::detail::noCachedOpens.store(false);
}

/// What kernel and file system can do without waiting, asked for without leat.
struct AtOnce {
  bool opens = false;
  bool reads = false;
};
AtOnce possibleAtOnce(const std::string& path) {
  constexpr std::uint64_t resolveCached = 0x20;
  AtOnce can;
  // What is in memory may be gone for a moment; other errors than that stay.
  for (int tries = 0; tries < 500 && !can.reads; ++tries) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC;
    how.resolve = resolveCached;
    const long fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
    if (fd < 0 && errno == EAGAIN) continue;
    if (fd < 0) break;
    can.opens = true;
    const leat::sys::UniqueFd file(static_cast<int>(fd));
    char byte;
    const iovec vector{&byte, 1};
    can.reads = ::preadv2(file.get(), &vector, 1, 0, RWF_NOWAIT) == 1;
    if (!can.reads && errno != EAGAIN) break;
  }
  return can;
}

/// Does it until the loop's thread did it without a worker: what is in memory may be gone for a moment.
template <class Make, class Check>
Task<bool> seenAtOnce(std::string path, Call worker, Make make, Check check) {
  for (int tries = 0; tries < 500; ++tries) {
    know(path);
    FaultInjector injector;
    auto result = co_await make();
    check(result);
    if (injector.count(Call::openat2) == 1 && injector.count(worker) == 0) co_return true;
  }
  co_return false;
}

std::string patterned() {
  std::string bytes(pages * pageSize, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i / pageSize * 7 + i % 251);
  return bytes;
}
/// On the disk, and not in memory if the file system goes along with it.
void makeCold(const std::string& path, const std::string& bytes) {
  put(path, bytes);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(::fsync(fd) == 0);
  CHECK(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
  CHECK(::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0);
  ::close(fd);
}
bool onRing() { return EventLoop::current().backend() == "io_uring"; }

Promise<Buffer> readOne(std::string path, leat::SignalRef signal = {}) {
  co_return co_await fs::readFile(path, {.signal = signal});
}
Promise<fs::ReadResult> readPage(fs::FileHandle file, std::size_t page,
                                 leat::SignalRef signal = {}) {
  co_return co_await file.read({.length = pageSize,
                                .position = static_cast<std::int64_t>(page * pageSize),
                                .signal = signal});
}

/// Adds `name` and the code of the error with which it fails.
template <class Operation>
Promise<> noted(std::string& trace, char name, Operation operation) {
  auto result = co_await asResult(std::move(operation));
  trace += name;
  trace += ":" + codeOf(result) + " ";
}

}  // namespace

TEST_CASE("what is in memory is read, opened and asked for by the loop's thread") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    const std::string path = folder.path() + "/f";
    put(path, "in memory");
    const AtOnce can = possibleAtOnce(path);
    const auto read = [&] { return fs::readFile(path); };
    const auto isText = [](const Buffer& bytes) { CHECK(bytes == "in memory"); };
    const bool wasRead = co_await seenAtOnce(path, Call::read, read, isText);
    CHECK(wasRead == can.reads);
    const auto text = [&] { return fs::readFile(path, "utf8"); };
    const auto isString = [](const std::string& bytes) { CHECK(bytes == "in memory"); };
    const bool textRead = co_await seenAtOnce(path, Call::read, text, isString);
    CHECK(textRead == can.reads);
    const auto stat = [&] { return fs::stat(path); };
    const auto isNine = [](const fs::Stats& stats) {
      CHECK(stats.isFile());
      CHECK(stats.size == 9);
    };
    const bool asked = co_await seenAtOnce(path, Call::fstatfs, stat, isNine);
    CHECK(asked == can.opens);
    ::symlink("nowhere", "link");
    const auto lstat = [&] { return fs::lstat("link"); };
    const auto isLink = [](const fs::Stats& stats) { CHECK(stats.isSymbolicLink()); };
    const bool linkAsked = co_await seenAtOnce(path, Call::fstatfs, lstat, isLink);
    CHECK(linkAsked == can.opens);
    const auto open = [&] { return fs::open(path); };
    const auto plain = [](const fs::FileHandle& file) {
      CHECK((::fcntl(file.fd(), F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == O_RDONLY);
      CHECK((::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    };
    const bool opened = co_await seenAtOnce(path, Call::open, open, plain);
    CHECK(opened == can.opens);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("reads of an open file that are in memory make one system call on the loop's thread") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "0123456789");
    const AtOnce can = possibleAtOnce("f");
    auto file = co_await fs::open("f");
    bool positioned = false;
    for (int tries = 0; tries < 500 && !positioned; ++tries) {
      FaultInjector injector;
      const auto got = co_await file.read({.length = 4, .position = 3});
      CHECK(got.buffer == "3456");
      positioned = injector.count(Call::preadv2) == 1 && injector.count(Call::pread) == 0;
    }
    CHECK(positioned == can.reads);
    const auto first = co_await file.read({.length = 6});
    CHECK(first.buffer == "012345");
    const auto rest = co_await file.read({.length = 6});
    CHECK(rest.bytesRead == 4);
    CHECK(rest.buffer.subarray(0, 4) == "6789");
    const auto end = co_await file.read({.length = 6});
    CHECK(end.bytesRead == 0);
    const auto beyond = co_await file.read({.length = 6, .position = 100});
    CHECK(beyond.bytesRead == 0);
    const auto stats = co_await file.stat();
    CHECK(stats.size == 10);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("where the kernel cannot open or read without waiting a worker does it") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    for (const Call call : {Call::openat2, Call::preadv2})
      for (const int error : {EAGAIN, ENOSYS, EPERM, EINVAL, EOPNOTSUPP, EIO}) {
        know("f");
        FaultInjector injector;
        injector.fail(call, error, 1, 1000);
        INFO(leat::sys::name(call) << " " << error);
        const Buffer bytes = co_await fs::readFile("f");
        CHECK(bytes == "text");
        const auto stats = co_await fs::stat("f");
        CHECK(stats.size == 4);
        auto file = co_await fs::open("f");
        const auto part = co_await file.read({.length = 2, .position = 1});
        CHECK(part.buffer == "ex");
        const auto next = co_await file.read({.length = 3});
        CHECK(next.buffer == "tex");
        const auto known = co_await file.stat();
        CHECK(known.size == 4);
        CHECK(injector.blown() >= 1);
        auto missing = co_await asResult(fs::readFile("missing"));
        CHECK(messageOf(missing) == "ENOENT: no such file or directory, open 'missing'");
        auto unknown = co_await asResult(fs::stat("missing"));
        CHECK(messageOf(unknown) == "ENOENT: no such file or directory, stat 'missing'");
      }
    know("f");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what can never be done at once is not tried again and again") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    for (const int error : {ENOSYS, EPERM, EINVAL}) {
      know("f");
      FaultInjector injector;
      injector.fail(Call::openat2, error, 1, 1000);
      for (int i = 0; i < 20; ++i) {
        co_await fs::readFile("f");
        co_await fs::stat("f");
      }
      CHECK(injector.count(Call::openat2) == 1);
    }
    know("f");
    {
      FaultInjector injector;
      injector.fail(Call::preadv2, EOPNOTSUPP, 1, 1000);
      for (int i = 0; i < 20; ++i) co_await fs::readFile("f");
      CHECK(injector.count(Call::preadv2) <= 3);
    }
    know("f");
    {
      FaultInjector injector;
      injector.fail(Call::openat2, EAGAIN, 1, 10000);
      for (int i = 0; i < 200; ++i) co_await fs::stat("f");
      CHECK(injector.count(Call::openat2) < 60);
    }
    know("f");
    auto file = co_await fs::open("f");
    FaultInjector injector;
    injector.fail(Call::preadv2, EAGAIN, 1, 10000);
    for (int i = 0; i < 200; ++i) co_await file.read({.length = 2, .position = 1});
    CHECK(injector.count(Call::preadv2) < 60);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what ends at once is told later, in order, after ticks and microtasks") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    co_await fs::readFile("f");
    know("f");
    std::vector<Promise<>> all;
    const auto note = [&trace](char c) { return [&trace, c](const auto&) { trace += c; }; };
    all.push_back(readOne("f").then(note('1')));
    all.push_back(readOne("f").then(note('2')));
    all.push_back(readOne("f").then(note('3')));
    leat::nextTick([&] { trace += 't'; });
    leat::queueMicrotask([&] { trace += 'm'; });
    trace += 'c';
    co_await leat::all(std::move(all));
  };
  CHECK(run(main) == 0);
  // Where one of them had to go to a worker it may come later.
  std::string sorted = trace.substr(3);
  std::sort(sorted.begin(), sorted.end());
  CHECK(trace.substr(0, 3) == "ctm");
  CHECK(sorted == "123");
}

TEST_CASE("what fails is told later, too, after ticks and microtasks") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    const AtOnce can = possibleAtOnce("f");
    auto file = co_await fs::open("f", "a");
    know("f");
    FaultInjector injector;
    std::vector<Promise<>> all;
    all.push_back(noted(trace, 'a', fs::readFile("missing")));
    all.push_back(noted(trace, 'b', fs::open("missing")));
    all.push_back(noted(trace, 'c', fs::stat("missing")));
    all.push_back(noted(trace, 'd', fs::lstat("missing")));
    all.push_back(noted(trace, 'e', fs::access("missing")));
    all.push_back(noted(trace, 'f', file.read({.length = 2})));
    all.push_back(noted(trace, 'g', file.read({.length = 2, .position = 1})));
    leat::nextTick([&] { trace += "tick "; });
    leat::queueMicrotask([&] { trace += "microtask "; });
    trace += "called ";
    co_await leat::all(std::move(all));
    // The loop's thread has tried, and left the wording to a worker.
    CHECK((injector.count(Call::openat2) > 0) == can.opens);
    CHECK(injector.count(Call::access) == 1);
  };
  CHECK(run(main) == 0);
  const std::string before = "called tick microtask ";
  CHECK(trace.substr(0, before.size()) == before);
  // Workers are not in order.
  std::istringstream words(trace.substr(before.size()));
  std::vector<std::string> failed{std::istream_iterator<std::string>(words), {}};
  std::sort(failed.begin(), failed.end());
  CHECK(failed == std::vector<std::string>{"a:ENOENT", "b:ENOENT", "c:ENOENT", "d:ENOENT",
                                           "e:ENOENT", "f:EBADF", "g:EBADF"});
}

TEST_CASE("many reads at once leave the loop time for others") {
  const TempFolder folder;
  int done = 0;
  int doneBefore = -1;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    know("f");
    std::vector<Promise<>> all;
    for (int i = 0; i < 2000; ++i)
      all.push_back(readOne("f").then([&](const Buffer& bytes) {
        CHECK(bytes == "text");
        ++done;
      }));
    leat::setImmediate([&] { doneBefore = done; });
    co_await leat::all(std::move(all));
  };
  CHECK(run(main) == 0);
  CHECK(done == 2000);
  CHECK(doneBefore < 1000);
  CHECK(doneBefore >= 0);
}

TEST_CASE("reads that wait for their turn end with an abort, or with who wanted them") {
  const TempFolder folder;
  put("f", "text");
  const auto main = [&]() -> Task<> {
    know("f");
    AbortController controller;
    std::vector<Promise<Buffer>> reads;
    for (int i = 0; i < 300; ++i) reads.push_back(readOne("f", controller));
    controller.abort();
    for (Promise<Buffer>& each : reads) {
      auto ended = co_await asResult(each);
      CHECK(codeOf(ended) == "ABORT_ERR");
    }
  };
  CHECK(run(main) == 0);
  {
    EventLoop loop;
    know("f");
    std::vector<Promise<Buffer>> reads;
    for (int i = 0; i < 300; ++i) reads.push_back(readOne("f"));
    loop.runOnce(0);
    for (int i = 0; i < 300; ++i) reads.push_back(readOne("f"));
  }
}

TEST_CASE("pages that are not in memory are read by the kernel where there is a ring") {
  const TempFolder folder;
  const std::string bytes = patterned();
  makeCold("cold", bytes);
  const auto main = [&]() -> Task<> {
    auto file = co_await fs::open("cold");
    FaultInjector injector;
    injector.fail(Call::preadv2, EAGAIN, 1, 100000);
    std::vector<Promise<fs::ReadResult>> reads;
    for (std::size_t i = 0; i < pages; ++i) reads.push_back(readPage(file, i * 37 % pages));
    const auto got = co_await leat::all(std::move(reads));
    for (std::size_t i = 0; i < pages; ++i) {
      CHECK(got[i].bytesRead == pageSize);
      CHECK((got[i].buffer.view() ==
             std::string_view(bytes).substr(i * 37 % pages * pageSize, pageSize)));
    }
    // Asked once before the kernel gets it, and by the worker where there is no ring.
    CHECK(injector.count(Call::pread) == static_cast<long>(onRing() ? pages : 2 * pages));
    const std::int64_t size = pages * pageSize;
    const auto last = co_await file.read({.length = 100, .position = size - 10});
    CHECK(last.bytesRead == 10);
    const auto end = co_await file.read({.length = 100, .position = size});
    CHECK(end.bytesRead == 0);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a read that neither the loop's thread nor the ring can do is a worker's") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "0123456789");
    const auto both = leat::testing::calls(Call::preadv2, Call::pread);
    FaultInjector injector;
    {
      auto file = co_await fs::open("f", "r+");
      injector.fail(both, EAGAIN, 1, 2);
      const auto got = co_await file.read({.length = 4, .position = 2});
      CHECK(got.buffer == "2345");
      CHECK(injector.seen() == 3);
    }
    for (const int error : {EINVAL, EOPNOTSUPP, EIO}) {
      auto file = co_await fs::open("f", "r+");
      injector.fail(both, error, 1, 1);
      const auto got = co_await file.read({.length = 4, .position = 2});
      CHECK(got.buffer == "2345");
      // Nothing is tried again that the file system cannot do.
      co_await file.read({.length = 4, .position = 2});
      CHECK(injector.seen() == 3);
    }
    auto file = co_await fs::open("f", "r+");
    injector.fail(both, EIO, 1, 2);
    auto failed = co_await asResult(file.read({.length = 4, .position = 2}));
    CHECK(messageOf(failed) == "EIO: i/o error, read");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("an answer of the ring that it cannot be done so is not the last word") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", std::string(8192, 'x'));
    auto opened = co_await asResult(fs::open("f", O_RDONLY | O_DIRECT));
    if (opened.ok()) {
      FaultInjector injector;
      const auto crookedBuffer = Buffer::alloc(8192).subarray(1);
      auto crooked =
          co_await asResult(opened.value().read(crookedBuffer, {.length = 4095, .position = 3}));
      CHECK(injector.count(Call::preadv2) == 0);
      // Some file systems read at any place.
      if (!crooked.ok()) {
        CHECK(messageOf(crooked) == "EINVAL: invalid argument, read");
        CHECK(injector.count(Call::pread) == 2);
      }
    }
    auto file = co_await fs::open("f", "a");
    auto refused = co_await asResult(file.read({.length = 4, .position = 0}));
    CHECK(messageOf(refused) == "EBADF: bad file descriptor, read");
    auto at = co_await asResult(file.read({.length = 4}));
    CHECK(messageOf(at) == "EBADF: bad file descriptor, read");
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "an aborted read of the ring ends at once, and its memory stays until the kernel is through") {
  const TempFolder folder;
  const std::string bytes = patterned();
  const auto main = [&]() -> Task<> {
    for (int round = 0; round < 5; ++round) {
      makeCold("cold", bytes);
      auto file = co_await fs::open("cold");
      FaultInjector injector;
      injector.fail(Call::preadv2, EAGAIN, 1, 100000);
      AbortController controller;
      std::vector<Promise<fs::ReadResult>> reads;
      for (std::size_t i = 0; i < pages; ++i) reads.push_back(readPage(file, i, controller));
      if (round % 2 == 1) co_await leat::nextImmediate();
      controller.abort();
      for (Promise<fs::ReadResult>& each : reads) {
        auto ended = co_await asResult(each);
        if (ended.ok()) {
          CHECK(round % 2 == 1);
        } else {
          CHECK(codeOf(ended) == "ABORT_ERR");
        }
      }
      co_await file.close();
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a loop that ends with reads in the ring waits for the kernel, not for who wanted them") {
  const TempFolder folder;
  const std::string bytes = patterned();
  for (int round = 0; round < 5; ++round) {
    makeCold("cold", bytes);
    EventLoop loop;
    std::vector<Promise<fs::ReadResult>> reads;
    {
      const int fd = ::open("cold", O_RDONLY | O_CLOEXEC);
      auto state = leat::detail::makeRef<leat::detail::FileState>(fd);
      state->setPlain(round % 2 == 1);
      const fs::FileHandle file(state);
      for (std::size_t i = 0; i < pages; ++i) reads.push_back(readPage(file, i));
    }
    if (round > 1) loop.runOnce(0);
    if (round > 3) reads.clear();
  }
}

TEST_CASE("a read of which one half is in memory comes whole") {
  const TempFolder folder;
  const std::string bytes = patterned();
  const auto main = [&]() -> Task<> {
    for (const std::int64_t position : {std::int64_t{0}, fs::currentPosition}) {
      makeCold("cold", bytes);
      auto file = co_await fs::open("cold");
      CHECK(::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_RANDOM) == 0);
      char page[pageSize];
      CHECK(::pread(file.fd(), page, pageSize, 0) == pageSize);
      const auto got = co_await file.read({.length = 8 * pageSize, .position = position});
      CHECK(got.bytesRead == 8 * pageSize);
      CHECK((got.buffer.view() == std::string_view(bytes).substr(0, 8 * pageSize)));
      const auto next = co_await file.read({.length = 8 * pageSize});
      const std::size_t from = position < 0 ? 8 * pageSize : 0;
      CHECK((next.buffer.view() == std::string_view(bytes).substr(from, 8 * pageSize)));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("files that are no plain ones are read by workers, from the first byte to the last") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    know("f");
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    ssize_t written = 0;
    std::thread writer([&written] {
      ::usleep(20'000);
      const int fd = ::open("pipe", O_WRONLY | O_CLOEXEC);
      for (const char* part : {"one ", "two ", "three"}) {
        written += ::write(fd, part, std::strlen(part));
        ::usleep(2'000);
      }
      ::close(fd);
    });
    const std::string piped = co_await fs::readFile("pipe", "utf8");
    writer.join();
    CHECK(written == 13);
    CHECK(piped == "one two three");
    know("f");
    ::mkdir("d", 0700);
    auto directory = co_await asResult(fs::readFile("d"));
    CHECK(messageOf(directory) == "EISDIR: illegal operation on a directory, read");
    ::symlink("f", "link");
    know("f");
    const std::string linked = co_await fs::readFile("link", "utf8");
    CHECK(linked == "text");
    know("f");
    put("empty", "");
    const std::string empty = co_await fs::readFile("empty", "utf8");
    CHECK(empty.empty());
    for (int i = 0; i < 3; ++i) {
      FaultInjector injector;
      const std::string status = co_await fs::readFile("/proc/self/status", "utf8");
      CHECK(status.find("Pid:") != std::string::npos);
      CHECK(injector.count(Call::preadv2) == 0);
      auto file = co_await fs::open("/proc/self/stat");
      const auto got = co_await file.read({.length = 1, .position = 0});
      CHECK(got.bytesRead == 1);
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a pipe is open when it has a writer, who need not write, and an abort ends the wait") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    for (const char* name : {"there", "back", "alone"}) REQUIRE(::mkfifo(name, 0600) == 0);
    // Writes only when it has been answered.
    ssize_t written = 0;
    std::thread peer([&written] {
      const int there = ::open("there", O_WRONLY | O_CLOEXEC);
      const int back = ::open("back", O_RDONLY | O_CLOEXEC);
      written = ::write(there, "late", 4);
      ::close(there);
      ::close(back);
    });
    know("f");
    auto there = co_await fs::open("there");
    CHECK((::fcntl(there.fd(), F_GETFL) & O_NONBLOCK) == 0);
    auto back = co_await fs::open("back", "w");
    const std::string got = co_await there.readFile("utf8");
    peer.join();
    CHECK(written == 4);
    CHECK(got == "late");
    co_await there.close();
    co_await back.close();
    know("f");
    AbortController controller;
    const auto openAlone = [](leat::SignalRef signal) -> Promise<fs::FileHandle> {
      co_return co_await fs::open("alone", O_RDONLY, 0666, {.signal = signal});
    };
    auto alone = openAlone(controller);
    co_await leat::sleep(20);
    controller.abort();
    auto ended = co_await asResult(alone);
    CHECK(codeOf(ended) == "ABORT_ERR");
    co_await folder.awaitClosed();
    // Where the pipe could not be opened at once a worker waits in the kernel.
    const leat::sys::UniqueFd release(::open("alone", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that changes is read as it is now") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    std::string text;
    for (int i = 0; i < 50; ++i) {
      text += static_cast<char>('a' + i % 26);
      if (i % 10 == 9) text.resize(text.size() / 2);
      put("f", text);
      know("f");
      const std::string got = co_await fs::readFile("f", "utf8");
      CHECK(got == text);
      const auto stats = co_await fs::stat("f");
      CHECK(stats.size == static_cast<std::int64_t>(text.size()));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "what was found out about a place holds for seconds, and one asks anew while others go on") {
  using Answer = leat::detail::KnownPlaces::Answer;
  leat::detail::KnownPlaces places;
  CHECK(places.ask(0) == Answer::unknown);
  places.tell(0, true);
  CHECK(places.ask(0) == Answer::yes);
  CHECK(places.recall(0) == Answer::yes);
  places.tell(0, false);
  CHECK(places.ask(0) == Answer::no);
  // The same place of the table, another key.
  CHECK(places.ask(5) == Answer::unknown);
  places.tell(5, true);
  CHECK(places.ask(5) == Answer::yes);
  CHECK(places.ask(0) == Answer::unknown);
  places.tell(7, true);
  int unknowns = 0;
  for (int i = 0; i < 400 && unknowns == 0; ++i) {
    ::usleep(10'000);
    if (places.ask(7) == Answer::unknown) ++unknowns;
  }
  CHECK(unknowns == 1);
  CHECK(places.recall(7) == Answer::unknown);
}

TEST_CASE("loops of several threads may read one open file") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", std::string(pageSize, 'x'));
    const auto file = co_await fs::open("f");
    constexpr int reads = 500;
    const auto readAll = [&file](int& wrong) {
      const auto body = [&file, &wrong]() -> Task<> {
        for (int i = 0; i < reads; ++i) {
          const auto got = co_await file.read({.length = 100, .position = i});
          const auto stats = co_await file.stat();
          if (got.bytesRead != 100 || stats.size != static_cast<std::int64_t>(pageSize)) ++wrong;
        }
      };
      run(body);
    };
    int wrong[2] = {0, 0};
    {
      FaultInjector injector;
      injector.fail(Call::preadv2, EAGAIN, 1, reads / 2);
      std::thread one([&] { readAll(wrong[0]); });
      std::thread other([&] { readAll(wrong[1]); });
      one.join();
      other.join();
    }
    CHECK(wrong[0] == 0);
    CHECK(wrong[1] == 0);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a loop that is polled from outside is told of what the ring has read") {
  const TempFolder folder;
  const std::string bytes = patterned();
  makeCold("cold", bytes);
  EventLoop loop;
  auto state = leat::detail::makeRef<leat::detail::FileState>(::open("cold", O_RDONLY | O_CLOEXEC));
  state->setPlain(true);
  const fs::FileHandle file(state);
  std::size_t got = 0;
  const int fd = loop.backendFd();
  loop.runOnce(0);
  for (std::size_t i = 0; i < 8; ++i)
    readPage(file, i * 16).then([&](const fs::ReadResult& r) { got += r.bytesRead; });
  while (got < 8 * pageSize) {
    pollfd entry{fd, POLLIN, 0};
    REQUIRE(::poll(&entry, 1, 30'000) == 1);
    loop.runOnce(0);
  }
}
