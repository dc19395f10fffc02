// SPDX-License-Identifier: MIT
// Compiled alone: its helpers have the names of those in reactor_test.cpp.
// What only the io_uring back end has: how the ring is made, what the kernel holds, what comes late.
#include <leat_test.hpp>
#include <child.hpp>
#include <old_kernel.hpp>

#include <leat/loop/detail/uring_reactor.hpp>
#include <leat/loop/run.hpp>
#include <leat/testing/fuse.hpp>

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat::detail::IoHandle;
using leat::detail::Op;
using leat::detail::UringReactor;
using leat::sys::Call;
using leat::sys::UniqueFd;
using leat::testing::FaultInjector;
using leat_test::containsText;

constexpr std::int64_t ms = 1'000'000;

int openDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

struct SameDescriptors {
  int before = openDescriptors();
  ~SameDescriptors() { CHECK(openDescriptors() == before); }
};

template <class Done>
bool until(UringReactor& reactor, Done done) {
  const std::int64_t end = leat::sys::monotonicNs() + 20'000 * ms;
  while (!done()) {
    if (leat::sys::monotonicNs() > end || reactor.turn(20 * ms) < 0) return false;
  }
  return true;
}

struct Probe : Op {
  Probe() : Op(&Probe::finished) {}
  static void finished(Op& op, int result, unsigned) noexcept {
    auto& self = static_cast<Probe&>(op);
    ++self.calls;
    self.last = result;
    self.results.push_back(result);
  }
  int calls = 0;
  int last = -1;
  std::vector<int> results;
};

struct Pair {
  UniqueFd a, b;
};
Pair unixPair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}
void put(int fd, const std::string& text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

struct Listener {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  Listener() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd.get(), generic, sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 64) == 0);
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(fd.get(), generic, &length) == 0);
  }
  UniqueFd dial() const {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    return client;
  }
};

/// Reads what comes next, through the reactor.
std::string take(UringReactor& reactor, IoHandle& handle, std::size_t size = 64) {
  std::string text(size, '\0');
  Probe recv;
  recv.prepareRecv(handle, text.data(), size);
  reactor.submit(recv);
  const bool came = until(reactor, [&] { return recv.calls == 1; });
  reactor.abandon(recv);
  text.resize(came && recv.last > 0 ? static_cast<std::size_t>(recv.last) : 0);
  return text;
}

/// A message there and back, and an accept: what every way of making a ring must be able to do.
void works(UringReactor& reactor) {
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(reactor.attach(handle) == 0);
  for (int i = 0; i < 3; ++i) {
    put(pair.b.get(), "hello");
    CHECK(take(reactor, handle) == "hello");
  }
  Probe never;
  handle.leftover = &never;
  char text[] = "answer";
  const iovec vector{text, 6};
  REQUIRE(reactor.stage(handle, &vector, 1));
  reactor.turn(0);
  char heard[8];
  CHECK(::recv(pair.b.get(), heard, 8, MSG_DONTWAIT) == 6);
  Listener listener;
  IoHandle server(listener.fd.get());
  REQUIRE(reactor.attach(server) == 0);
  Probe accept;
  accept.prepareAccept(server);
  reactor.submit(accept);
  reactor.turn(0);
  const UniqueFd client = listener.dial();
  REQUIRE(until(reactor, [&] { return accept.calls == 1; }));
  CHECK(UniqueFd(accept.last));
  const std::int64_t start = leat::sys::monotonicNs();
  CHECK(reactor.turn(3 * ms) == 0);
  CHECK(leat::sys::monotonicNs() - start >= 3 * ms);
  reactor.abandonAll();
}

}  // namespace

// ---- how the ring is made ----

TEST_CASE("a ring is made in the best way that the kernel has, and says which") {
  const char* const modes[] = {"DEFER_TASKRUN", "with COOP_TASKRUN", "without flags"};
  for (int refused = 0; refused < 3; ++refused) {
    CAPTURE(refused);
    SameDescriptors same;
    UringReactor reactor;
    {
      FaultInjector injector;
      injector.fail(Call::io_uring_setup, EINVAL, 1, refused);
      REQUIRE(reactor.open() == 0);
      CHECK(injector.blown() == refused);
    }
    CHECK_THAT(std::string(reactor.mode()), containsText(modes[refused]));
    works(reactor);
  }
}

TEST_CASE("a loop on a ring that was asked for says by whom, and how the ring was made") {
  const auto end = leat_test::inChild([] {
    const auto says = [](std::string_view who, leat::LoopOptions options = {}) {
      const std::string ways[] = {"with SINGLE_ISSUER and DEFER_TASKRUN", "with COOP_TASKRUN, as "};
      for (int refused = 0; refused < 2; ++refused) {
        FaultInjector injector;
        injector.fail(Call::io_uring_setup, EINVAL, 1, refused);
        const leat::EventLoop loop(options);
        const std::string text(loop.backendReason());
        if (!text.starts_with(std::string(who) + ways[refused]))
          std::fprintf(stderr, "%s\n", text.c_str());
      }
    };
    ::setenv("LEAT_BACKEND", "io_uring", 1);
    says("asked for by LEAT_BACKEND, ");
    says("asked for by the program, ", {.backend = "io_uring"});
    ::unsetenv("LEAT_BACKEND");
    says("");
    return 0;
  });
  CHECK(end.code == 0);
  CHECK(end.err == "");
}

TEST_CASE("a ring that cannot be made says why, and leaves nothing") {
  struct Refusal {
    Call call;
    int error;
    long times;
    const char* why;
  };
  const Refusal refusals[] = {
      {Call::io_uring_setup, EPERM, 100, "not permitted"},
      {Call::io_uring_setup, ENOSYS, 100, "has no io_uring"},
      {Call::io_uring_setup, EINVAL, 100, "failed"},
      {Call::io_uring_setup, ENOMEM, 100, "memory"},
      {Call::mmap, ENOMEM, 100, "memory"},
      {Call::madvise, EINVAL, 100, "failed"},
      {Call::io_uring_register, EINVAL, 1, "rings of buffers"},
      {Call::io_uring_register, ENOMEM, 1, "memory for receives could not be had"},
      {Call::io_uring_register, EPERM, 1, "io_uring_register is not permitted"},
      {Call::io_uring_register, ENOSYS, 1, "no io_uring_register, or refuses it"},
      {Call::io_uring_register, EBUSY, 1, "did not take the memory"},
      {Call::eventfd, EMFILE, 1, "eventfd"},
  };
  for (const Refusal& refusal : refusals) {
    CAPTURE(leat::sys::name(refusal.call), refusal.error);
    SameDescriptors same;
    UringReactor reactor;
    FaultInjector injector;
    injector.fail(refusal.call, refusal.error, 1, refusal.times);
    CHECK(reactor.open() == -refusal.error);
    CHECK_THAT(std::string(reactor.mode()), containsText(refusal.why));
  }
}

TEST_CASE("where memory may not be locked a smaller ring is made") {
  UringReactor reactor;
  {
    FaultInjector injector;
    injector.fail(Call::io_uring_setup, ENOMEM);
    REQUIRE(reactor.open() == 0);
  }
  works(reactor);
  const auto end = leat_test::inChild([] {
    const rlimit little{65536, 65536};
    if (::setrlimit(RLIMIT_MEMLOCK, &little) != 0) return 2;
    const leat::EventLoop loop({.backend = "io_uring"});
    return loop.backend() == "io_uring" ? 0 : 1;
  });
  CHECK(end.code == 0);
}

namespace {

/// What a container's profile does: io_uring_setup or another `call` answers `error`, and nothing else
/// changes.
bool refuseRings(int error, unsigned call) {
  const unsigned answer = SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

TEST_CASE("where a profile refuses rings a loop runs on epoll and says why") {
  struct Profile {
    unsigned call;
    int error;
    const char* why;
  };
  const Profile profiles[] = {
      {SYS_io_uring_setup, EPERM, "io_uring_setup is not permitted"},
      {SYS_io_uring_setup, ENOSYS, "the kernel has no io_uring, or refuses it"},
      {SYS_io_uring_register, EPERM, "io_uring_register is not permitted"},
      {SYS_io_uring_register, ENOSYS, "the kernel has no io_uring_register, or refuses it"},
  };
  for (const Profile& profile : profiles) {
    const auto end = leat_test::inChild([&profile] {
      ::unsetenv("LEAT_BACKEND");
      if (!refuseRings(profile.error, profile.call)) return 2;
      std::string said;
      const int code = leat::run([&] {
        const leat::EventLoop& loop = leat::EventLoop::current();
        said = std::string(loop.backend()) + ": " + std::string(loop.backendReason());
      });
      std::fprintf(stderr, "%s\n", said.c_str());
      try {
        const leat::EventLoop loop({.backend = "io_uring"});
      } catch (const leat::SystemError& refused) {
        std::fprintf(stderr, "%s\n", refused.what());
      }
      return code;
    });
    const std::string why = profile.why;
    CAPTURE(why);
    CHECK(end.code == 0);
    CHECK_THAT(end.err, containsText("epoll: " + why));
    CHECK_THAT(end.err, containsText(profile.error == EPERM ? "EPERM" : "ENOSYS"));
    CHECK_THAT(end.err, containsText(why + "; asked for by the program"));
  }
}

TEST_CASE("a kernel that grants fewer entries says how many, and all of them can be used") {
  leat::detail::UringRing ring;
  REQUIRE(ring.open(100'000, 200'000) == 0);
  CHECK(ring.entries() < 100'000);
  CHECK(ring.completions() < 200'000);
  REQUIRE(ring.completions() >= ring.entries());
  std::uint64_t asked = 0, answered = 0;
  for (int round = 0; round < 3; ++round) {
    unsigned count = 0;
    for (; leat::detail::uring::Sqe* const entry = ring.next(); ++count) {
      entry->opcode = leat::detail::uring::opNop;
      entry->userData = ++asked;
    }
    CHECK(count == ring.entries());
    CHECK(ring.room() == 0);
    REQUIRE(ring.enter(count, 3000 * ms) == 0);
    CHECK(ring.unsubmitted() == 0);
    bool inOrder = true;
    while (const auto* const completion = ring.peek()) {
      inOrder = inOrder && completion->userData == ++answered;
      ring.pop();
    }
    CHECK(inOrder);
    CHECK(answered == asked);
  }
}

TEST_CASE("a loop's back end works on a ring that is smaller than it asked for") {
  UringReactor reactor;
  REQUIRE(reactor.open(100'000, 200'000) == 0);
  works(reactor);
}

// ---- threads and processes ----

TEST_CASE("a ring made on one thread runs on another") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  std::thread([&] { works(reactor); }).join();
}

TEST_CASE("a ring that is used or ended on a thread that is not its own fails and does not hang") {
  SameDescriptors same;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  char buffer[8];
  Probe recv;
  const std::int64_t start = leat::sys::monotonicNs();
  {
    UringReactor reactor;
    REQUIRE(reactor.open() == 0);
    std::thread([&] {
      REQUIRE(reactor.attach(handle) == 0);
      recv.prepareRecv(handle, buffer, sizeof buffer);
      reactor.submit(recv);
      reactor.turn(0);
    }).join();
    CHECK(reactor.turn(-1) == -EEXIST);
  }
  CHECK(leat::sys::monotonicNs() - start < 20'000 * ms);
  CHECK(handle.reactor == nullptr);
  CHECK(recv.calls == 0);
}

TEST_CASE("after a fork the parent goes on receiving, and the child may end what it inherited") {
  auto reactor = std::make_unique<UringReactor>();
  REQUIRE(reactor->open() == 0);
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(reactor->attach(handle) == 0);
  char buffer[8];
  Probe recv;
  recv.prepareRecv(handle, buffer, sizeof buffer);
  reactor->submit(recv);
  reactor->turn(0);
  for (int round = 0; round < 3; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      reactor->wake();
      reactor->flush();
      (void)reactor->hasReady();  // looks into no ring
      const bool good = reactor->turn(-1) == -ECHILD && !reactor->stage(handle, nullptr, 0);
      reactor.reset();
      ::_exit(good && handle.reactor == nullptr ? 0 : 1);
    }
    put(pair.b.get(), "x");
    REQUIRE(until(*reactor, [&] { return recv.calls == round + 1; }));
    CHECK(recv.last == 1);
    reactor->submit(recv);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  reactor->abandon(recv);
  works(*reactor);
}

// ---- small queues ----

TEST_CASE("more completions than the queue has places are all delivered") {
  UringReactor reactor;
  REQUIRE(reactor.open(8, 16) == 0);
  constexpr std::size_t count = 300;
  std::vector<UniqueFd> fds;
  std::vector<std::unique_ptr<IoHandle>> handles;
  std::vector<Probe> polls(count);
  for (std::size_t i = 0; i < count; ++i) {
    fds.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    handles.push_back(std::make_unique<IoHandle>(fds.back().get()));
    REQUIRE(reactor.attach(*handles.back()) == 0);
    polls[i].preparePoll(*handles.back(), POLLIN);
    reactor.submit(polls[i]);
  }
  for (int i = 0; i < 3; ++i) CHECK(reactor.turn(0) == 0);
  const std::uint64_t one = 1;
  for (UniqueFd& fd : fds) REQUIRE(::write(fd.get(), &one, sizeof one) == sizeof one);
  int served = 0;
  for (int i = 0; i < 100 && served < static_cast<int>(count); ++i) served += reactor.turn(20 * ms);
  CHECK(served == static_cast<int>(count));
  for (const Probe& poll : polls) CHECK(poll.last == POLLIN);
}

TEST_CASE("operations are abandoned while the queue is full, told to the kernel or not") {
  UringReactor reactor;
  REQUIRE(reactor.open(8, 16) == 0);
  constexpr std::size_t count = 60;
  std::vector<Pair> pairs;
  std::vector<std::unique_ptr<IoHandle>> handles;
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back(unixPair());
    handles.push_back(std::make_unique<IoHandle>(pairs.back().a.get()));
    REQUIRE(reactor.attach(*handles.back()) == 0);
  }
  for (const bool told : {false, true}) {
    auto buffers = std::make_unique<char[]>(count);
    std::vector<Probe> recvs(count);
    for (std::size_t i = 0; i < count; ++i) {
      recvs[i].prepareRecv(*handles[i], &buffers[i], 1);
      reactor.submit(recvs[i]);
    }
    if (told) {
      reactor.turn(0);
      for (Pair& pair : pairs) put(pair.b.get(), "x");
    }
    for (Probe& recv : recvs) reactor.abandon(recv);
    buffers.reset();
    CHECK(reactor.turn(0) == 0);
    for (const Probe& recv : recvs) CHECK(recv.calls == 0);
  }
  for (std::size_t i = 0; i < count; ++i) CHECK(take(reactor, *handles[i]) == "x");
}

// ---- what comes late ----

TEST_CASE(
    "connections that come when the accept was given up wait for the next one, or are closed") {
  SameDescriptors same;
  Listener listener;
  std::vector<UniqueFd> clients;
  {
    UringReactor reactor;
    REQUIRE(reactor.open() == 0);
    IoHandle handle(listener.fd.get());
    REQUIRE(reactor.attach(handle) == 0);
    for (const bool cancel : {false, true}) {
      Probe accept;
      accept.prepareAccept(handle);
      accept.multishot = true;
      reactor.submit(accept);
      reactor.turn(0);
      for (int i = 0; i < 4; ++i) clients.push_back(listener.dial());
      if (cancel) {
        reactor.cancel(accept);
        reactor.turn(0);
        CHECK(accept.last == -ECANCELED);
      } else {
        reactor.abandon(accept);
        reactor.turn(5 * ms);
        CHECK(accept.calls == 0);
      }
      for (const int fd : accept.results)
        if (fd >= 0) ::close(fd);  // one that was left of the round before
      Probe next;
      next.prepareAccept(handle);
      for (int i = 0; i < 3; ++i) {
        reactor.submit(next);
        REQUIRE(until(reactor, [&] { return next.calls == i + 1; }));
        CHECK(UniqueFd(next.last));
      }
    }
    Probe last;
    last.prepareAccept(handle);
    last.multishot = true;
    reactor.submit(last);
    reactor.turn(0);
    clients.push_back(listener.dial());
    // Accepted by the kernel or not: detaching closes it or leaves it to the backlog.
    reactor.detach(handle);
    reactor.abandon(last);
    reactor.turn(0);
    for (const int fd : last.results) CHECK(UniqueFd(fd));
  }
  clients.clear();
}

namespace {

/// A listener whose connections the kernel accepts on its own.
struct Accepting {
  UringReactor reactor;
  Listener listener;
  IoHandle handle{listener.fd.get()};
  Probe accept;
  Accepting() {
    REQUIRE(reactor.open() == 0);
    REQUIRE(reactor.attach(handle) == 0);
    accept.prepareAccept(handle);
    accept.multishot = true;
    reactor.submit(accept);
    reactor.turn(0);
  }
};

}  // namespace

TEST_CASE("an accept that was given up accepts no more") {
  Accepting at;
  auto& [reactor, listener, handle, accept] = at;
  reactor.abandon(accept);
  reactor.turn(5 * ms);
  const int before = openDescriptors();
  const UniqueFd client = listener.dial();
  reactor.turn(5 * ms);
  CHECK(openDescriptors() == before + 1);  // the client
  const UniqueFd taken(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(taken);
}

TEST_CASE(
    "what was accepted on its own is there when accepts have ended, and nobody else is accepted") {
  Accepting at;
  auto& [reactor, listener, handle, accept] = at;
  reactor.turn(0);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(listener.dial());
  // The kernel has been told of nothing, and what it has accepted nobody has fetched.
  reactor.abandon(accept);
  reactor.endAccepts(handle);
  for (int i = 0; i < 3; ++i) clients.push_back(listener.dial());
  accept.multishot = false;
  int taken = 0;
  for (UniqueFd fd(reactor.tryNow(accept)); fd; fd.reset(reactor.tryNow(accept))) ++taken;
  while (UniqueFd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC))) ++taken;
  CHECK(taken == 23);
  CHECK(accept.calls == 0);
  // It may accept again.
  accept.multishot = true;
  reactor.submit(accept);
  clients.push_back(listener.dial());
  REQUIRE(until(reactor, [&] { return accept.calls == 1; }));
  CHECK(UniqueFd(accept.last));
  reactor.abandonAll();
}

namespace {

/// A read of a pipe, which ends when there are bytes.
struct Reading : leat::detail::FileRead {
  explicit Reading(int pipe) : FileRead(&Reading::finished) {
    fd = pipe;
    data = bytes;
    size = sizeof bytes;
  }
  static void finished(FileRead& read, int result) noexcept {
    static_cast<Reading&>(read).result = result;
  }
  static constexpr int none = -1000;
  int result = none;
  char bytes[8];
};

struct Pipe {
  UniqueFd from, to;
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    from.reset(fds[0]);
    to.reset(fds[1]);
  }
};

}  // namespace

TEST_CASE("a read of a file that is done when accepts have ended is told, and not waited for") {
  Accepting at;
  auto& [reactor, listener, handle, accept] = at;
  reactor.turn(0);
  Pipe pipe;
  put(pipe.to.get(), "bytes");
  Reading reading(pipe.from.get());
  REQUIRE(reactor.readFile(reading));
  reactor.abandon(accept);
  reactor.endAccepts(handle);
  CHECK(reading.result == Reading::none);
  CHECK(reactor.hasReady());
  // Nothing else comes.
  const std::int64_t blocked = reactor.stats().blockedNs;
  reactor.turn(1'000 * ms);
  CHECK(reading.result == 5);
  CHECK(reactor.stats().blockedNs == blocked);
}

TEST_CASE("accepts that the kernel cannot be told to end are not waited for") {
  // How often this thread slept: not at all, unless something else had it wait.
  const auto sleeps = [] {
    rusage used{};
    REQUIRE(::getrusage(RUSAGE_THREAD, &used) == 0);
    return used.ru_nvcsw;
  };
  long fewest = 1'000;
  for (int tries = 0; tries < 5; ++tries) {
    Pipe pipe;
    std::vector<std::unique_ptr<Reading>> readings;
    Accepting at;
    auto& [reactor, listener, handle, accept] = at;
    reactor.turn(0);
    // A queue that is full of what does not end.
    for (int i = 0; i < 256; ++i) {
      readings.push_back(std::make_unique<Reading>(pipe.from.get()));
      REQUIRE(reactor.readFile(*readings.back()));
    }
    reactor.abandon(accept);
    FaultInjector injector;
    injector.fail(Call::io_uring_enter, EAGAIN);
    const long before = sleeps();
    reactor.endAccepts(handle);
    fewest = std::min(fewest, sleeps() - before);
    // It was told in the end.
    const UniqueFd client = listener.dial();
    CHECK(UniqueFd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    reactor.abandonAll();
  }
  CHECK(fewest == 0);
}

TEST_CASE("a detached descriptor is closed by closing it, whatever the kernel was doing with it") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  Pair pair = unixPair();
  auto handle = std::make_unique<IoHandle>(pair.a.get());
  REQUIRE(reactor.attach(*handle) == 0);
  char buffer[8];
  Probe recv;
  recv.prepareRecv(*handle, buffer, sizeof buffer);
  reactor.submit(recv);
  reactor.turn(0);
  handle.reset();
  pair.a.reset();
  CHECK(::recv(pair.b.get(), buffer, 8, MSG_DONTWAIT) == 0);
  reactor.turn(0);
  CHECK(recv.last == -ECANCELED);
}

TEST_CASE("more bytes than there are buffers are received all the same, each in its place") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit wide = before;
  wide.rlim_cur = wide.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &wide) == 0);
  {
    UringReactor reactor;
    REQUIRE(reactor.open() == 0);
    const unsigned first = reactor.buffers();
    constexpr std::size_t count = 400, size = 80'000;
    REQUIRE(wide.rlim_cur > 2 * count + 50);
    std::vector<Pair> pairs;
    std::vector<std::unique_ptr<IoHandle>> handles;
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    for (std::size_t i = 0; i < count; ++i) {
      pairs.push_back(unixPair());
      handles.push_back(std::make_unique<IoHandle>(pairs.back().a.get()));
      REQUIRE(reactor.attach(*handles.back()) == 0);
      // The first byte leaves a receive with the kernel for which nobody waits.
      put(pairs.back().b.get(), "!");
      char byte = 0;
      Probe recv;
      recv.prepareRecv(*handles.back(), &byte, 1);
      reactor.submit(recv);
      reactor.turn(0);
      REQUIRE(until(reactor, [&] { return recv.calls == 1; }));
      reactor.submit(recv);
      reactor.turn(0);
      reactor.abandon(recv);
    }
    for (Pair& pair : pairs) put(pair.b.get(), text);
    for (int i = 0; i < 50; ++i) reactor.turn(0);
    CHECK(reactor.buffers() > first);
    for (std::size_t i = 0; i < count; ++i) {
      std::string got;
      while (got.size() < size) {
        const std::string part = take(reactor, *handles[i], 50'000);
        if (part.empty()) break;
        got += part;
      }
      REQUIRE((got == text));
    }
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("no memory for receives is lost, however they end") {
  for (int refused = 0; refused < 3; ++refused) {
    CAPTURE(refused);
    UringReactor reactor;
    {
      FaultInjector injector;
      injector.fail(Call::io_uring_setup, EINVAL, 1, refused);
      REQUIRE(reactor.open() == 0);
    }
    const unsigned first = reactor.buffers();
    // Each end more often than there are buffers.
    for (unsigned i = 0; i < 5 * (first + 10); ++i) {
      Pair pair = unixPair();
      IoHandle handle(pair.a.get());
      REQUIRE(reactor.attach(handle) == 0);
      char bytes[8];
      Probe recv;
      recv.prepareRecv(handle, bytes, sizeof bytes);
      reactor.submit(recv);
      reactor.turn(0);
      if (i % 5 == 0) {  // taken
        put(pair.b.get(), "hello");
        REQUIRE(until(reactor, [&] { return recv.calls == 1; }));
        CHECK(recv.last == 5);
      } else if (i % 5 == 1) {  // detached when the kernel has received, which is not known yet
        put(pair.b.get(), "hello");
      } else if (i % 5 == 2) {  // given up, and received for nobody
        reactor.abandon(recv);
        put(pair.b.get(), "hello");
        for (int turn = 0; turn < 3; ++turn) reactor.turn(0);
      } else if (i % 5 == 3) {  // cancelled when the bytes are there
        put(pair.b.get(), "hello");
        reactor.cancel(recv);
        reactor.turn(0);
        CHECK(recv.calls == 1);
      } else {  // the end, behind some bytes
        put(pair.b.get(), "hello");
        REQUIRE(until(reactor, [&] { return recv.calls == 1; }));
        recv.prepareRecv(handle, bytes, sizeof bytes);
        reactor.submit(recv);
        reactor.turn(0);
        pair.b.reset();
        REQUIRE(until(reactor, [&] { return recv.calls == 2; }));
        CHECK(recv.last == 0);
      }
      reactor.detach(handle);
      reactor.abandon(recv);
      reactor.turn(0);
    }
    CHECK(reactor.buffers() == first);
  }
}

namespace {

/// As kernels answer that give a piece although nothing was received: of completions that wait to be
/// fetched, each that has a piece with `size` bytes gets none instead. How many did.
int emptyPieces(int size) {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long from = 0, to = 0, offset = 0;
    if (line.find("[io_uring]") == std::string::npos ||
        std::sscanf(line.c_str(), "%llx-%llx %*s %llx", &from, &to, &offset) != 3 || offset != 0)
      continue;
    for (; from < to; from += sizeof(leat::detail::uring::Cqe)) {
      auto& completion = *reinterpret_cast<leat::detail::uring::Cqe*>(from);
      if (completion.res != size || (completion.flags & leat::detail::uring::cqeBuffer) == 0)
        continue;
      completion.res = 0;
      ++count;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("nor is memory lost that comes with the end of a connection") {
  UringReactor reactor;
  {
    FaultInjector injector;
    injector.fail(Call::io_uring_setup,
                  EINVAL);  // completions are there before the kernel is entered
    REQUIRE(reactor.open() == 0);
  }
  const unsigned first = reactor.buffers();
  for (unsigned i = 0; i < first + 10; ++i) {
    Pair pair = unixPair();
    IoHandle handle(pair.a.get());
    REQUIRE(reactor.attach(handle) == 0);
    char bytes[8];
    Probe recv;
    recv.prepareRecv(handle, bytes, sizeof bytes);
    reactor.submit(recv);
    reactor.turn(0);
    put(pair.b.get(), "hello");
    REQUIRE(emptyPieces(5) == 1);
    pair.b.reset();
    REQUIRE(until(reactor, [&] { return recv.calls == 1; }));
    CHECK(recv.last == 0);
    reactor.detach(handle);
  }
  CHECK(reactor.buffers() == first);
}

// ---- staged sends ----

namespace {

struct Talker {
  UringReactor& reactor;
  Pair pair = unixPair();
  IoHandle handle{pair.a.get()};
  Probe leftover;
  explicit Talker(UringReactor& r) : reactor(r) {
    handle.ownSocket = true;
    handle.leftover = &leftover;
    REQUIRE(reactor.attach(handle) == 0);
  }
  bool stage(const std::string& text) {
    const iovec vector{const_cast<char*>(text.data()), text.size()};
    return reactor.stage(handle, &vector, 1);
  }
  std::string hear() const {
    std::string text(100'000, '\0');
    const ssize_t count = ::recv(pair.b.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
};

}  // namespace

TEST_CASE("what many sockets send in a turn goes in one system call, in order") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  std::vector<std::unique_ptr<Talker>> talkers;
  for (int i = 0; i < 50; ++i) talkers.push_back(std::make_unique<Talker>(reactor));
  reactor.turn(0);
  FaultInjector counter;
  for (int round = 0; round < 10; ++round) {
    for (auto& talker : talkers) {
      REQUIRE(talker->stage("one "));
      REQUIRE(talker->stage("two"));
    }
    CHECK(reactor.hasReady());
    reactor.turn(0);
    for (auto& talker : talkers) CHECK(talker->hear() == "one two");
  }
  CHECK(counter.count(Call::io_uring_enter) == 10);
  CHECK(counter.total() <= 10 + counter.count(Call::send));
  for (auto& talker : talkers) CHECK(talker->leftover.calls == 0);
}

TEST_CASE(
    "a turn in which many sockets send waits, and one in which many have something serves all") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  std::vector<std::unique_ptr<Talker>> talkers;
  std::vector<std::unique_ptr<Probe>> reads;
  char bytes[120];
  for (char& byte : bytes) {
    talkers.push_back(std::make_unique<Talker>(reactor));
    reads.push_back(std::make_unique<Probe>());
    reads.back()->prepareRecv(talkers.back()->handle, &byte, 1);
    reactor.submit(*reads.back());
  }
  reactor.turn(0);
  for (auto& talker : talkers) REQUIRE(talker->stage("hello"));
  const std::int64_t start = leat::sys::monotonicNs();
  CHECK(reactor.turn(3 * ms) == 0);
  CHECK(leat::sys::monotonicNs() - start >= 3 * ms);
  for (auto& talker : talkers) {
    CHECK(talker->hear() == "hello");
    put(talker->pair.b.get(), "!");
    REQUIRE(talker->stage("bye"));
  }
  CHECK(reactor.turn(3000 * ms) == 120);
  for (auto& talker : talkers) CHECK(talker->hear() == "bye");
  for (auto& read : reads) CHECK(read->last == 1);
  reactor.abandonAll();
}

TEST_CASE("large messages stay in the kernel until they are asked for, small ones come before") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  Talker talker(reactor);
  Probe recv;
  std::string into(65536, ' ');
  const auto hear = [&](std::size_t size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    recv.calls = 0;
    recv.prepareRecv(talker.handle, into.data(), into.size());
    reactor.submit(recv);
    reactor.turn(0);
    put(talker.pair.b.get(), text);
    REQUIRE(until(reactor, [&] { return recv.calls == 1; }));
    return into.compare(0, static_cast<std::size_t>(recv.last), text) == 0;
  };
  const auto leavesToKernel = [&] {
    Probe none;
    char byte;
    none.prepareRecv(talker.handle, &byte, 1);
    reactor.submit(none);
    for (int i = 0; i < 4; ++i) reactor.turn(0);
    reactor.abandon(none);
    return reactor.holdsNothing(talker.handle);
  };
  CHECK(hear(4000));
  CHECK_FALSE(leavesToKernel());
  CHECK(hear(16384));
  CHECK(leavesToKernel());
  for (int i = 0; i < 3; ++i) CHECK(hear(16384));
  CHECK(leavesToKernel());
  for (int i = 0; i < 4; ++i) CHECK(hear(2000));
  CHECK_FALSE(leavesToKernel());
  CHECK(talker.stage(std::string(4096, 'x')));
  CHECK_FALSE(talker.stage("y"));
}

TEST_CASE("a turn that has nothing to tell and nothing to wait for makes no system call") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  Talker talker(reactor);
  reactor.turn(0);
  FaultInjector counter;
  for (int i = 0; i < 100; ++i) CHECK(reactor.turn(0) == 0);
  CHECK(counter.total() == 0);
}

TEST_CASE(
    "staged bytes can be taken back, and come back when the socket has no room or is broken") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  Talker talker(reactor);
  REQUIRE(talker.stage("abc"));
  iovec rest = reactor.unstage(talker.handle);
  CHECK(std::string(static_cast<char*>(rest.iov_base), rest.iov_len) == "abc");
  CHECK(reactor.unstage(talker.handle).iov_len == 0);
  reactor.turn(0);
  CHECK(talker.hear().empty());

  CHECK_FALSE(talker.stage(std::string(1'000'000, 'x')));
  // Fill the socket.
  while (::send(talker.pair.a.get(), std::string(5000, '-').data(), 5000, MSG_DONTWAIT) > 0) {
  }
  const std::string text = "0123456789";
  REQUIRE(talker.stage(text));
  reactor.turn(0);
  REQUIRE(until(reactor, [&] { return talker.leftover.calls == 1; }));
  CHECK(talker.leftover.last == 0);
  CHECK_FALSE(talker.handle.writable);
  CHECK_FALSE(talker.stage("more"));
  rest = reactor.unstage(talker.handle);
  CHECK(std::string(static_cast<char*>(rest.iov_base), rest.iov_len) == text);

  Talker broken(reactor);
  broken.pair.b.reset();
  REQUIRE(broken.stage("x"));
  REQUIRE(until(reactor, [&] { return broken.leftover.calls == 1; }));
  CHECK(broken.leftover.last == -EPIPE);
}

TEST_CASE("an error of enter keeps what was to be told for the next turn") {
  UringReactor reactor;
  REQUIRE(reactor.open() == 0);
  Talker talker(reactor);
  reactor.turn(0);
  REQUIRE(talker.stage("later"));
  {
    FaultInjector injector;
    injector.fail(Call::io_uring_enter, EIO);
    CHECK(reactor.turn(0) == -EIO);
  }
  CHECK(talker.hear().empty());
  reactor.turn(0);
  CHECK(talker.hear() == "later");
  // One that is told nothing before its descriptor goes is not told of the next one of that number.
  REQUIRE(talker.stage("never"));
  {
    FaultInjector injector;
    injector.fail(Call::io_uring_enter, EIO, 1, 100);
    CHECK(reactor.turn(0) == -EIO);
    reactor.detach(talker.handle);
  }
  reactor.turn(0);
  CHECK(talker.hear().empty());
}

// ---- everything at random ----

namespace {

const std::string& counting() {
  static const std::string text = [] {
    std::string all(60'000, '\0');
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);
    return all;
  }();
  return text;
}

/// A connection whose bytes count up, so that a lost or doubled one shows.
struct Stream {
  UringReactor& reactor;
  Pair pair = unixPair();
  std::unique_ptr<IoHandle> handle = std::make_unique<IoHandle>(pair.a.get());
  std::unique_ptr<Probe> recv;
  std::unique_ptr<char[]> buffer;
  unsigned char sent = 0;
  unsigned char received = 0;
  static inline std::size_t moved;
  bool good = true;
  explicit Stream(UringReactor& r) : reactor(r) { good = reactor.attach(*handle) == 0; }
  ~Stream() {
    if (recv) reactor.abandon(*recv);
    handle.reset();
  }
  void say(std::size_t size) {
    const ssize_t went =
        ::send(pair.b.get(), counting().data() + sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (went > 0) sent = static_cast<unsigned char>(sent + went);
  }
  void check() {
    if (recv->last > 0) {
      const auto count = static_cast<std::size_t>(recv->last);
      good = good && std::memcmp(buffer.get(), counting().data() + received, count) == 0;
      received = static_cast<unsigned char>(received + count);
      moved += count;
    }
    recv.reset();
    buffer.reset();
  }
  void step(unsigned dice) {
    if (recv && recv->calls > 0) check();
    switch (dice % 8) {
      case 0:
      case 1:
        return say(1 + dice / 8 % 40);
      case 2:
        return say(1 + dice / 8 % (dice % 64 < 8 ? 20'000 : 200));
      case 3:
        if (recv) reactor.cancel(*recv);
        return;
      case 4:
        if (recv) reactor.abandon(*recv);
        if (recv && recv->calls == 0) recv.reset();
        return;
      default:
        if (recv) return;
        recv = std::make_unique<Probe>();
        buffer = std::make_unique<char[]>(dice / 8 % 50 == 0 ? 50'000 : 100);
        recv->prepareRecv(*handle, buffer.get(), dice / 8 % 50 == 0 ? 50'000 : 1 + dice / 8 % 100);
        reactor.submit(*recv);
    }
  }
};

}  // namespace

namespace {

void operateAtRandom(int steps) {
  SameDescriptors same;
  Stream::moved = 0;
  UringReactor reactor;
  REQUIRE(reactor.open(64, 128) == 0);
  Listener listener;
  IoHandle server(listener.fd.get());
  REQUIRE(reactor.attach(server) == 0);
  std::vector<std::unique_ptr<Stream>> streams(40);
  auto accept = std::make_unique<Probe>();
  std::vector<UniqueFd> clients;
  unsigned random = 12345;
  const auto roll = [&random] { return (random = random * 1664525 + 1013904223) >> 8; };
  bool good = true;
  for (int i = 0; i < steps && good; ++i) {
    auto& stream = streams[roll() % streams.size()];
    if (!stream || roll() % 400 == 0) {
      if (stream) good = good && stream->good;
      stream = nullptr;
      stream = std::make_unique<Stream>(reactor);
    }
    stream->step(roll());
    good = good && stream->good;
    if (roll() % 8 == 0) good = good && reactor.turn(0) >= 0;
    if (roll() % 200 != 0) continue;
    for (const int fd : accept->results)
      if (fd >= 0) ::close(fd);
    accept->results.clear();
    if (roll() % 2 == 0) {
      reactor.abandon(*accept);
      accept = std::make_unique<Probe>();
    }
    accept->prepareAccept(server);
    accept->multishot = !accept->busy() ? roll() % 2 == 0 : accept->multishot;
    reactor.submit(*accept);
    if (roll() % 4 == 0 && clients.size() < 30) clients.push_back(listener.dial());
    if (roll() % 40 == 0) clients.clear();
  }
  CHECK(good);
  CHECK(Stream::moved > static_cast<std::size_t>(steps));
  for (auto& stream : streams) {
    if (!stream) continue;
    // What is still on its way must be what comes next.
    while (good && stream->received != stream->sent) {
      if (!stream->recv) stream->step(5);
      good = until(reactor, [&] { return stream->recv->calls > 0; });
      stream->check();
      good = good && stream->good;
    }
    CHECK(good);
    stream = nullptr;
  }
  reactor.abandon(*accept);
  for (const int fd : accept->results)
    if (fd >= 0) ::close(fd);
}

}  // namespace

TEST_CASE("a million random operations with cancels and destroys lose nothing and leak nothing") {
  operateAtRandom(LEAT_TSAN ? 200'000 : 1'000'000);
}

TEST_CASE("nor do they where the kernel refuses receives and accepts that go on") {
  const leat_test::OldKernel old;
  operateAtRandom(LEAT_TSAN ? 20'000 : 100'000);
  CHECK(leat_test::OldKernel::refused() > 10);
}
