// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/sys/fd.hpp>
#include <leat/testing/fuse.hpp>

#include <sys/resource.h>

#include <leat_test.hpp>
#include <dirent.h>
#include <started.hpp>
#include <vector>

using leat::AbortController;
using leat::EventLoop;
using leat::Ready;
using leat::run;
using leat::spawn;
using leat::Task;
using leat::wait;
using leat::sys::UniqueFd;

namespace {

struct Pair {
  Pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
  UniqueFd a, b;
};

void put(const UniqueFd& fd) { REQUIRE(::write(fd.get(), "x", 1) == 1); }
void take(const UniqueFd& fd) {
  char byte;
  REQUIRE(::read(fd.get(), &byte, 1) == 1);
}
void fill(const UniqueFd& fd) {
  const std::string block(65536, 'x');
  while (::write(fd.get(), block.data(), block.size()) > 0) {
  }
}

int openDescriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// The code with which a wait ends.
Task<std::string> codeOf(int fd, leat::WaitFdOptions options) {
  std::string code = "ready";
  try {
    (void)co_await wait(fd, Ready::Readable, options);
  } catch (const leat::Error& e) {
    code = e.code();
  }
  co_return code;
}

}  // namespace

TEST_CASE("a wait ends when the descriptor is ready, and tells for what") {
  Pair pair;
  std::vector<int> got;
  run([&]() -> Task<> {
    leat::setTimeout([&] { put(pair.b); }, 5);
    got.push_back(static_cast<int>(co_await wait(pair.a.get(), Ready::Readable)));
    got.push_back(static_cast<int>(co_await wait(pair.a.get(), Ready::Writable)));
    got.push_back(static_cast<int>(co_await wait(pair.a.get(), Ready::Readable | Ready::Writable)));
    pair.b.reset();
    const Ready end = co_await wait(pair.a.get(), Ready::Readable);
    CHECK(has(end, Ready::Readable));
    CHECK(has(end, Ready::HangUp));
    CHECK_FALSE(has(end, Ready::Writable));
  });
  CHECK(got == std::vector<int>{1, 2, 3});
}

TEST_CASE("a wait tells the state: what nobody has read is ready again") {
  Pair pair;
  int rounds = 0;
  run([&]() -> Task<> {
    put(pair.b);
    for (; rounds < 5; ++rounds) (void)co_await wait(pair.a.get(), Ready::Readable);
    take(pair.a);
    leat::setTimeout([&] { put(pair.b); }, 3);
    (void)co_await wait(pair.a.get(), Ready::Readable);
    ++rounds;
  });
  CHECK(rounds == 6);
}

TEST_CASE("a wait never ends at once, and an immediate comes in between") {
  Pair pair;
  std::string trace;
  run([&]() -> Task<> {
    leat::setImmediate([&] { trace += "i"; });
    (void)co_await wait(pair.a.get(), Ready::Writable);
    trace += "w";
  });
  CHECK(trace == "wi");
}

TEST_CASE("several coroutines wait for one descriptor, for reading and for writing") {
  Pair pair;
  std::string trace;
  fill(pair.a);
  run([&] {
    const auto waits = [&](Ready what, char name) -> Task<> {
      (void)co_await wait(pair.a.get(), what);
      trace += name;
    };
    (void)spawn(waits, Ready::Readable, 'r');
    (void)spawn(waits, Ready::Writable, 'w');
    (void)spawn(waits, Ready::Readable, 's');
    const auto peer = [&]() -> Task<> {
      co_await leat::sleep(2);
      put(pair.b);
      while (trace.size() < 2) co_await leat::sleep(1);
      trace += "|";
      std::string block(1 << 20, ' ');
      while (::read(pair.b.get(), block.data(), block.size()) > 0) {
      }
    };
    (void)spawn(peer);
  });
  CHECK(trace == "rs|w");
}

TEST_CASE("after the last wait the descriptor may be closed and its number used again") {
  std::string trace;
  run([&]() -> Task<> {
    for (int i = 0; i < 3; ++i) {
      Pair pair;
      put(pair.b);
      (void)co_await wait(pair.a.get(), Ready::Readable);
      trace += "r";
    }
  });
  CHECK(trace == "rrr");
}

TEST_CASE("a regular file, a closed descriptor and none are refused with the descriptor named") {
  FILE* file = std::tmpfile();
  const int fd = ::fileno(file);
  run([&]() -> Task<> {
    try {
      (void)co_await wait(fd, Ready::Readable);
      FAIL("a file was waited for");
    } catch (const leat::SystemError& e) {
      CHECK(e.code() == "EPERM");
      CHECK_THAT(e.what(), leat_test::containsText("fd " + std::to_string(fd)));
    }
    const auto got1 = co_await codeOf(-1, {});
    CHECK(got1 == "EBADF");
    const auto got2 = co_await codeOf(100000, {});
    CHECK(got2 == "EBADF");
    // The loop is not held by what failed.
    CHECK(EventLoop::current().metrics().references == 0);
  });
  std::fclose(file);
}

TEST_CASE("a number that is no descriptor takes no memory, however large it is") {
  run([]() -> Task<> {
    constexpr int large = 30'000'000;
    rusage before{};
    rusage after{};
    REQUIRE(::getrusage(RUSAGE_SELF, &before) == 0);
    const auto code = co_await codeOf(large, {});
    REQUIRE(::getrusage(RUSAGE_SELF, &after) == 0);
    CHECK(code == "EBADF");
    CHECK(after.ru_maxrss - before.ru_maxrss < long{large} * 8 / 1024 / 4);
  });
}

TEST_CASE("a wait is aborted before it begins and later") {
  Pair pair;
  std::string trace;
  run([&]() -> Task<> {
    AbortController controller;
    leat::setTimeout(
        [&, controller] {
          controller.abort();
          trace += "abort ";
        },
        2);
    trace += co_await codeOf(pair.a.get(), {.signal = controller});
    trace += " " + co_await codeOf(pair.a.get(), {.signal = controller});
    put(pair.b);
    trace += " " + co_await codeOf(pair.a.get(), {});
  });
  CHECK(trace == "abort ABORT_ERR ABORT_ERR ready");
}

TEST_CASE("an abort in the turn in which the descriptor becomes ready gives one outcome") {
  for (int order = 0; order < 2; ++order) {
    Pair pair;
    std::string outcome;
    run([&]() -> Task<> {
      AbortController controller;
      leat::setTimeout(
          [&, controller] {
            if (order == 0) controller.abort();
            put(pair.b);
            if (order == 1) controller.abort();
          },
          1);
      outcome = co_await codeOf(pair.a.get(), {.signal = controller});
    });
    CHECK(outcome == "ABORT_ERR");
  }
}

TEST_CASE("a wait without a reference does not hold the loop") {
  Pair pair;
  bool went = false;
  run([&] {
    (void)spawn([&]() -> Task<> {
      (void)co_await wait(pair.a.get(), Ready::Readable, {.ref = false});
      went = true;
    });
  });
  CHECK_FALSE(went);
}

TEST_CASE("a coroutine that is destroyed while it waits takes its wait along") {
  Pair pair;
  const int before = openDescriptors();
  run([&] {
    const auto waits = [&]() -> Task<> { (void)co_await wait(pair.a.get(), Ready::Readable); };
    (void)spawn(waits);
    (void)spawn(waits);
    leat::setTimeout([] { EventLoop::current().stop(); }, 2);
  });
  CHECK(openDescriptors() == before);
  // In a loop that goes on, the other wait is not disturbed.
  std::string outcome;
  run([&]() -> Task<> {
    const long references = EventLoop::current().metrics().references;
    leat_test::Started<std::string> alone(codeOf(pair.a.get(), {}));
    CHECK(EventLoop::current().metrics().references == references + 1);
    alone.drop();
    CHECK(EventLoop::current().metrics().references == references);
    AbortController controller;
    const auto waits = [&]() -> Task<std::string> {
      std::string code = co_await codeOf(pair.a.get(), {.signal = controller});
      co_return code;
    };
    auto aborted = spawn(waits);
    leat_test::Started<std::string> dropped(codeOf(pair.a.get(), {}));
    auto stays = spawn(codeOf(pair.a.get(), {}));
    controller.abort();
    dropped.drop();
    leat::setTimeout([&] { put(pair.b); }, 2);
    outcome = co_await aborted + " " + co_await stays;
    CHECK_FALSE(dropped.done());
  });
  CHECK(outcome == "ABORT_ERR ready");
}

TEST_CASE("whichever system call of a wait fails, it is told and nothing leaks") {
  const auto report = leat::testing::fuse([](leat::testing::FaultInjector& injector) {
    Pair pair;
    put(pair.b);
    const int before = openDescriptors();
    std::string outcome = "none";
    try {
      run([&]() -> Task<> { outcome = co_await codeOf(pair.a.get(), {}); });
    } catch (const leat::SystemError& e) {
      outcome = e.code();
    }
    CHECK((outcome == "ready" || outcome == "EIO" || outcome == "none"));
    if (injector.blown() == 0) CHECK(outcome == "ready");
    CHECK(openDescriptors() == before);
  });
  CHECK(report.runs > 3);
}

TEST_CASE("a descriptor that is closed too early, with a duplicate about, does no harm") {
  std::string trace;
  run([&]() -> Task<> {
    Pair pair;
    const UniqueFd duplicate(::dup(pair.a.get()));
    AbortController controller;
    const int number = pair.a.get();
    auto waits = spawn(codeOf(number, {.signal = controller}));
    pair.a.reset();
    controller.abort();
    trace += co_await waits;
    put(pair.b);
    co_await leat::sleep(2);
    // The number is used again, for something else.
    Pair other;
    CHECK(other.a.get() == number);
    put(other.b);
    trace += " " + co_await codeOf(number, {});
  });
  CHECK(trace == "ABORT_ERR ready");
}
