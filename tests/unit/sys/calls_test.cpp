// SPDX-License-Identifier: MIT
// The seam of system calls, the owner of a descriptor, the threads, and the tool that fails calls.
#include <leat_test.hpp>

#include <leat/sys/fd.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/mutex.hpp>
#include <leat/testing/fuse.hpp>

#include <sys/wait.h>

#include <string>
#include <utility>

namespace {

using leat::sys::Call;
using leat::sys::UniqueFd;
using leat::testing::calls;
using leat::testing::CallSet;
using leat::testing::FaultInjector;
namespace sys = leat::sys;

bool isOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

struct Pipe {
  UniqueFd reading, writing;
  Pipe() {
    int fds[2];
    REQUIRE(sys::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    reading.reset(fds[0]);
    writing.reset(fds[1]);
  }
};

}  // namespace

TEST_CASE("a call answers its value, or minus the errno") {
  Pipe pipe;
  char buffer[8];
  CHECK(sys::read(pipe.reading.get(), buffer, 8) == -EAGAIN);
  CHECK(sys::write(pipe.writing.get(), "abc", 3) == 3);
  CHECK(sys::read(pipe.reading.get(), buffer, 8) == 3);
  CHECK(sys::read(-1, buffer, 8) == -EBADF);
  CHECK(sys::socket(-1, SOCK_STREAM, 0) == -EAFNOSUPPORT);
  CHECK(sys::open("/nonexistent/file", O_RDONLY) == -ENOENT);
  CHECK(sys::unlink("/nonexistent/file") == -ENOENT);
  CHECK(sys::poll(pipe.writing.get(), POLLOUT) == POLLOUT);
  CHECK(sys::poll(pipe.reading.get(), POLLIN) == 0);
  UniqueFd file(sys::open("/dev/null", O_RDONLY));
  CHECK((sys::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("the hook counts calls and fails the ones it is told to") {
  Pipe pipe;
  char buffer[4];
  {
    FaultInjector injector;
    injector.fail(Call::read, EIO, 2, 2);
    CHECK(sys::read(pipe.reading.get(), buffer, 4) == -EAGAIN);
    CHECK(sys::read(pipe.reading.get(), buffer, 4) == -EIO);
    CHECK(sys::write(pipe.writing.get(), "x", 1) == 1);
    CHECK(sys::read(pipe.reading.get(), buffer, 4) == -EIO);
    CHECK(sys::read(pipe.reading.get(), buffer, 4) == 1);
    CHECK(injector.blown() == 2);
    CHECK(injector.lastBlown() == Call::read);
    CHECK(injector.seen() == 4);
    CHECK(injector.count(Call::read) == 4);
    CHECK(injector.count(Call::write) == 1);
    CHECK(injector.total() == 5);
    injector.fail(calls(Call::read, Call::write).without(Call::read), EPIPE);
    CHECK(sys::read(pipe.reading.get(), buffer, 4) == -EAGAIN);
    CHECK(sys::write(pipe.writing.get(), "x", 1) == -EPIPE);
  }
  CHECK(sys::write(pipe.writing.get(), "x", 1) == 1);
  CHECK(std::string(sys::name(Call::accept4)) == "accept4");
  CHECK(std::string(sys::name(Call::pthread_create)) == "pthread_create");
}

TEST_CASE("an interrupted call is made again, but close and connect are not, nor is a wait") {
  Pipe pipe;
  char buffer[4];
  iovec vector{buffer, 1};
  msghdr message{};
  epoll_event event{};
  FaultInjector injector;
  const auto attempts = [&](Call call, auto make) {
    injector.resetCounts();
    injector.fail(call, EINTR, 1, 3);
    make();
    return injector.count(call);
  };
  CHECK(attempts(Call::read, [&] { sys::read(pipe.reading.get(), buffer, 4); }) == 4);
  CHECK(attempts(Call::write, [&] { sys::write(pipe.writing.get(), "x", 1); }) == 4);
  CHECK(attempts(Call::readv, [&] { sys::readv(pipe.reading.get(), &vector, 1); }) == 4);
  CHECK(attempts(Call::writev, [&] { sys::writev(pipe.writing.get(), &vector, 1); }) == 4);
  CHECK(attempts(Call::recv, [&] { sys::recv(-1, buffer, 4, 0); }) == 4);
  CHECK(attempts(Call::send, [&] { sys::send(-1, buffer, 4, 0); }) == 4);
  CHECK(attempts(Call::recvmsg, [&] { sys::recvmsg(-1, &message, 0); }) == 4);
  CHECK(attempts(Call::sendmsg, [&] { sys::sendmsg(-1, &message, 0); }) == 4);
  CHECK(attempts(Call::accept4, [&] { sys::accept4(-1, nullptr, nullptr, 0); }) == 4);
  CHECK(attempts(Call::open, [&] { UniqueFd(sys::open("/dev/null", O_RDONLY)); }) == 4);
  CHECK(attempts(Call::connect, [&] { CHECK(sys::connect(-1, nullptr, 0) == -EINPROGRESS); }) == 1);
  CHECK(attempts(Call::epoll_wait, [&] { CHECK(sys::epoll_wait(-1, &event, 1, 0) == -EINTR); }) ==
        1);
  const int fd = pipe.reading.release();
  CHECK(attempts(Call::close, [&] { CHECK(sys::close(fd) == -EINTR); }) == 1);
  CHECK_FALSE(isOpen(fd));
}

TEST_CASE("a fuse fails each call in turn until there is none left to fail") {
  int finished = 0;
  std::string failed;
  const auto report = leat::testing::fuse(
      [&](FaultInjector& injector) {
        int fds[2];
        if (sys::pipe2(fds, O_CLOEXEC) == 0) {
          UniqueFd reading(fds[0]), writing(fds[1]);
          if (sys::write(writing.get(), "x", 1) == 1) ++finished;
        }
        if (injector.blown()) failed += std::string(sys::name(injector.lastBlown())) + ' ';
      },
      EIO);
  CHECK(failed == "pipe2 write close close ");
  CHECK(finished == 3);
  CHECK(report.runs == 4);
  CHECK(report.calls == 4);
  CHECK(leat::testing::fuse([] {}, EIO).runs == 0);
}

TEST_CASE("a descriptor has one owner, which closes it") {
  Pipe pipe;
  const int fd = pipe.reading.get();
  UniqueFd moved(std::move(pipe.reading));
  CHECK_FALSE(pipe.reading);
  CHECK(moved.get() == fd);
  UniqueFd assigned;
  assigned = std::move(moved);
  CHECK(isOpen(fd));
  const int kept = assigned.release();
  assigned.reset();
  CHECK(isOpen(kept));
  assigned.reset(kept);
  assigned = UniqueFd();
  CHECK_FALSE(isOpen(kept));
}

TEST_CASE("threads start, share under a mutex, wait for a condition and are joined") {
  struct Shared {
    sys::Mutex mutex;
    sys::Condition changed;
    int count = 0;
  } shared;
  sys::Thread threads[4];
  for (sys::Thread& thread : threads) {
    REQUIRE(thread.start(
                [](void* argument) -> void* {
                  auto& all = *static_cast<Shared*>(argument);
                  for (int i = 0; i < 500; ++i) {
                    const sys::MutexLock lock(all.mutex);
                    ++all.count;
                    all.changed.notifyAll();
                  }
                  return nullptr;
                },
                &shared) == 0);
    CHECK(thread.started());
  }
  {
    const sys::MutexLock lock(shared.mutex);
    while (shared.count < 2000) shared.changed.wait(shared.mutex);
    const std::int64_t deadline = sys::monotonicNs() + 3'000'000;
    while (shared.changed.waitUntil(shared.mutex, deadline)) {
    }
    CHECK(sys::monotonicNs() >= deadline);
  }
  for (sys::Thread& thread : threads) thread.join();
  CHECK(shared.mutex.tryLock());
  shared.mutex.unlock();
}

TEST_CASE("a futex wakes its sleeper, gives up in time and does not sleep on another value") {
  unsigned word = 1;
  CHECK(sys::futexWait(&word, 0, -1) == -EAGAIN);
  CHECK(sys::futexWait(&word, 1, 2'000'000) == -ETIMEDOUT);
  sys::Thread thread;
  REQUIRE(thread.start(
              [](void* argument) -> void* {
                auto* shared = static_cast<unsigned*>(argument);
                __atomic_store_n(shared, 2U, __ATOMIC_SEQ_CST);
                sys::futexWake(shared, 1);
                return nullptr;
              },
              &word) == 0);
  while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 1) sys::futexWait(&word, 1, -1);
  thread.join();
  CHECK(word == 2);
}

TEST_CASE("forks are counted in the child and not in the parent") {
  const unsigned before = sys::watchForks();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(sys::forkGeneration() != before ? 0 : 1);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(sys::forkGeneration() == before);
}
