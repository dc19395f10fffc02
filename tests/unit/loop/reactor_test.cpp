// SPDX-License-Identifier: MIT
// The back ends (that of LEAT_BACKEND): every operation with every ending, and what may happen between
// the two.
#include <leat_test.hpp>
#include <backend.hpp>

#include <leat/base/mpsc_queue.hpp>
#include <leat/loop/detail/epoll_reactor.hpp>
#include <leat/testing/fuse.hpp>

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat::detail::IoHandle;
using leat::detail::Op;
using leat::detail::Reactor;
using leat::sys::Call;
using leat::sys::UniqueFd;
using leat::testing::calls;
using leat::testing::FaultInjector;

constexpr std::int64_t ms = 1'000'000;

int openDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// Fails the test when it ends with more or fewer descriptors than it began with.
struct SameDescriptors {
  int before = openDescriptors();
  ~SameDescriptors() { CHECK(openDescriptors() == before); }
};

using leat_test::onUring;

std::unique_ptr<Reactor> makeReactor() {
  leat::detail::SharedText reason;
  return std::unique_ptr<Reactor>(leat::detail::makeReactor({}, reason));
}

struct Rig {
  SameDescriptors same;
  std::unique_ptr<Reactor> made = makeReactor();
  Reactor& reactor = *made;
  /// Turns until `done()`, at most 20 seconds.
  template <class Done>
  bool until(Done done) {
    const std::int64_t end = leat::sys::monotonicNs() + 20'000 * ms;
    while (!done()) {
      if (leat::sys::monotonicNs() > end) return false;
      if (reactor.turn(20 * ms) < 0) return false;
    }
    return true;
  }
};

/// Takes what is there: out of the socket, or what a ring has received and kept.
std::string take(Rig& rig, IoHandle& handle);

/// An operation that notes how it ended.
struct Probe : Op {
  Probe() : Op(&Probe::finished) {}
  static void finished(Op& op, int result, unsigned flags) noexcept {
    auto& self = static_cast<Probe&>(op);
    ++self.calls;
    self.last = result;
    self.flags = flags;
    self.results.push_back(result);
    if (self.then) self.then(self);
  }
  int calls = 0;
  int last = -1;
  unsigned flags = 0;
  std::vector<int> results;
  void (*then)(Probe&) = nullptr;
  void* user = nullptr;
};

std::string take(Rig& rig, IoHandle& handle) {
  char buffer[64];
  Probe recv;
  recv.prepareRecv(handle, buffer, sizeof buffer);
  rig.reactor.submit(recv);
  const bool came = rig.until([&] { return recv.calls == 1; });
  rig.reactor.abandon(recv);
  return came && recv.last > 0 ? std::string(buffer, static_cast<std::size_t>(recv.last)) : "";
}

void nonBlocking(int fd) { REQUIRE(leat::sys::fcntl(fd, F_SETFL, O_NONBLOCK) >= 0); }

struct Listening {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  Listening() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd.get(), generic(), sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 64) == 0);
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(fd.get(), generic(), &length) == 0);
  }
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address); }
  UniqueFd dial() {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), generic(), sizeof address) == 0);
    nonBlocking(client.get());
    return client;
  }
};

struct Pair {
  UniqueFd a, b;
};
Pair tcpPair() {
  Listening listener;
  Pair pair;
  pair.a = listener.dial();
  pollfd wait{listener.fd.get(), POLLIN, 0};
  REQUIRE(::poll(&wait, 1, 20'000) == 1);
  pair.b.reset(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  REQUIRE(pair.b);
  return pair;
}
Pair unixPair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}
/// `a` reads what is written to `b`.
Pair pipePair() {
  int fds[2];
  REQUIRE(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}
void put(int fd, const std::string& text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}
void resetConnection(UniqueFd& fd) {
  const linger now{1, 0};
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  fd.reset();
}

}  // namespace

// ---- receive and send ----

TEST_CASE("a receive waits for bytes and completes with them, never inside submit") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char buffer[16];
  Probe recv;
  recv.prepareRecv(handle, buffer, sizeof buffer);

  rig.reactor.submit(recv);
  CHECK(rig.reactor.turn(0) == 0);
  CHECK(recv.busy());
  put(pair.b.get(), "hello");
  REQUIRE(rig.until([&] { return recv.calls == 1; }));
  CHECK(std::string(buffer, 5) == "hello");
  CHECK(recv.last == 5);
  CHECK_FALSE(recv.busy());

  put(pair.b.get(), "again");
  rig.reactor.submit(recv);
  CHECK(recv.calls == 1);
  REQUIRE(rig.until([&] { return recv.calls == 2; }));
  CHECK(recv.last == 5);
}

TEST_CASE("a receive gives 0 at the end of the stream, every time it is asked") {
  Rig rig;
  for (const bool tcp : {true, false}) {
    Pair pair = tcp ? tcpPair() : unixPair();
    IoHandle handle(pair.a.get());
    handle.shortMeansBlocked = tcp;
    REQUIRE(rig.reactor.attach(handle) == 0);
    char buffer[16];
    Probe recv;
    recv.prepareRecv(handle, buffer, sizeof buffer);
    put(pair.b.get(), "end");
    pair.b.reset();
    for (const int expected : {3, 0, 0}) {
      rig.reactor.submit(recv);
      REQUIRE(rig.until([&] { return !recv.busy(); }));
      CHECK(recv.last == expected);
    }
  }
}

TEST_CASE("a receive and a send tell the error of a connection that was reset") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char buffer[16];
  iovec vector{buffer, 16};
  Probe recv, send;
  recv.prepareRecv(handle, buffer, sizeof buffer);
  rig.reactor.submit(recv);
  rig.reactor.turn(0);
  resetConnection(pair.b);
  REQUIRE(rig.until([&] { return recv.calls == 1; }));
  CHECK(recv.last == -ECONNRESET);
  send.prepareSend(handle, &vector, 1);
  rig.reactor.submit(send);
  REQUIRE(rig.until([&] { return send.calls == 1; }));
  CHECK(send.last == -EPIPE);  // and the process lives: no SIGPIPE
}

TEST_CASE("a send takes one vector or several") {
  Rig rig;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char one[] = "one ", two[] = "two";
  iovec vectors[2] = {{one, 4}, {two, 3}};
  Probe send;
  send.prepareSend(handle, vectors, 1);
  rig.reactor.submit(send);
  CHECK(send.calls == 0);
  CHECK(rig.reactor.turn(0) == 1);
  CHECK(send.last == 4);
  send.prepareSend(handle, vectors, 2);
  rig.reactor.submit(send);
  CHECK(rig.reactor.turn(0) == 1);
  CHECK(send.last == 7);
  char buffer[16];
  CHECK(::read(pair.b.get(), buffer, 16) == 11);
  CHECK(std::string(buffer, 11) == "one one two");
}

namespace {

/// Moves `total` bytes from `from` to `to` in chunks, both ends on the reactor; true when they match.
struct Transfer {
  static constexpr std::size_t total = 3'000'000;
  Reactor& reactor;
  IoHandle& from;
  IoHandle& to;
  bool sockets;
  std::string source = std::string(total, ' ');
  std::string sink;
  std::size_t sent = 0;
  char buffer[70'000];
  iovec vectors[2];
  Probe send, recv;
  int shortSends = 0;

  Transfer(Reactor& r, IoHandle& f, IoHandle& t, bool s) : reactor(r), from(f), to(t), sockets(s) {
    for (std::size_t i = 0; i < total; ++i) source[i] = static_cast<char>(i * 31 >> 3);
    send.user = recv.user = this;
    send.then = [](Probe& op) {
      auto& self = *static_cast<Transfer*>(op.user);
      if (op.last > 0) self.sent += static_cast<std::size_t>(op.last);
      if (op.last > 0 && self.sent < total) self.sendMore();
    };
    recv.then = [](Probe& op) {
      auto& self = *static_cast<Transfer*>(op.user);
      if (op.last > 0) self.sink.append(self.buffer, static_cast<std::size_t>(op.last));
      if (op.last > 0 && self.sink.size() < total) self.recvMore();
    };
    sendMore();
    recvMore();
  }
  void sendMore() {
    const std::size_t left = total - sent;
    const std::size_t first = left < 300'000 ? left / 2 : 200'000;
    vectors[0] = {source.data() + sent, first};
    vectors[1] = {source.data() + sent + first, left - first};
    if (sockets) {
      send.prepareSend(from, vectors, 2);
    } else {
      send.prepareWrite(from, vectors, 2);
    }
    reactor.submit(send);
  }
  void recvMore() {
    if (sockets) {
      recv.prepareRecv(to, buffer, sizeof buffer);
    } else {
      recv.prepareRead(to, buffer, sizeof buffer);
    }
    reactor.submit(recv);
  }
  bool complete() const { return sink.size() == total; }
};

}  // namespace

TEST_CASE("bytes arrive whole through short sends and short receives") {
  Rig rig;
  for (int variant = 0; variant < 5; ++variant) {
    CAPTURE(variant);
    const bool sockets = variant < 3;
    Pair pair = variant < 2 ? tcpPair() : variant == 2 ? unixPair() : pipePair();
    const int little = 50'000;
    ::setsockopt(pair.b.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    ::setsockopt(pair.a.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    IoHandle a(pair.a.get()), b(pair.b.get());
    a.shortMeansBlocked = b.shortMeansBlocked = variant == 1 || variant == 4;
    REQUIRE(rig.reactor.attach(a) == 0);
    REQUIRE(rig.reactor.attach(b) == 0);
    auto transfer = std::make_unique<Transfer>(rig.reactor, b, a, sockets);
    REQUIRE(rig.until([&] { return transfer->complete(); }));
    CHECK(transfer->send.calls > 1);
    CHECK(transfer->sink == transfer->source);
  }
}

TEST_CASE("an end that comes together with the last bytes is never missed") {
  Rig rig;
  constexpr int rounds = LEAT_TSAN ? 100 : 400;
  for (int round = 0; round < rounds; ++round) {
    const bool tcp = round % 2 == 0;
    Pair pair = tcp ? tcpPair() : pipePair();
    IoHandle handle(pair.a.get());
    handle.shortMeansBlocked = true;
    REQUIRE(rig.reactor.attach(handle) == 0);
    char buffer[64];
    struct Count {
      Reactor& reactor;
      long bytes = 0;
    } count{rig.reactor};
    Probe recv;
    recv.user = &count;
    recv.then = [](Probe& op) {
      auto& counted = *static_cast<Count*>(op.user);
      if (op.last <= 0) return;
      counted.bytes += op.last;
      counted.reactor.submit(op);
    };
    if (tcp) {
      recv.prepareRecv(handle, buffer, sizeof buffer);
    } else {
      recv.prepareRead(handle, buffer, sizeof buffer);
    }
    rig.reactor.submit(recv);
    long written = 0;
    std::thread writer([&] {
      unsigned random = static_cast<unsigned>(round) * 2654435761U + 1;
      for (int i = 0; i < 5; ++i) {
        random = random * 1664525 + 1013904223;
        const std::string text(1 + (random >> 16) % 90, 'x');
        written += ::write(pair.b.get(), text.data(), text.size());
        for (unsigned spin = 0; spin < (random >> 20) % 500; ++spin) asm volatile("");
      }
      pair.b.reset();
    });
    const bool ended = rig.until([&] { return recv.last == 0; });
    writer.join();
    REQUIRE(ended);
    REQUIRE(count.bytes == written);
  }
}

TEST_CASE("bytes behind an urgent mark are not stuck") {
  Rig rig;
  struct Case {
    bool before;
    std::size_t large;  // what is received first, after which a ring may wait otherwise
    bool busy;          // another socket has something in each turn
  };
  for (const auto [before, large, busy] : {Case{true, 0, false}, Case{false, 0, false},
                                           Case{false, 20'000, false}, Case{false, 20'000, true}}) {
    CAPTURE(before, large, busy);
    Pair other = tcpPair();
    IoHandle neighbour(other.a.get());
    REQUIRE(rig.reactor.attach(neighbour) == 0);
    Probe listen;
    char letter = 0;
    listen.prepareRecv(neighbour, &letter, 1);
    rig.reactor.submit(listen);
    rig.reactor.turn(0);
    Pair pair = tcpPair();
    IoHandle handle(pair.a.get());
    handle.shortMeansBlocked = true;
    REQUIRE(rig.reactor.attach(handle) == 0);
    std::vector<char> bytes(32'768);
    char* const buffer = bytes.data();
    Probe recv;
    recv.prepareRecv(handle, buffer, bytes.size());
    rig.reactor.submit(recv);
    if (!before) rig.reactor.turn(0);
    if (large > 0) {
      put(pair.b.get(), std::string(large, 'x'));
      std::size_t got = 0;
      REQUIRE(rig.until([&] {
        if (recv.busy()) return false;
        got += static_cast<std::size_t>(recv.last);
        rig.reactor.submit(recv);
        return got == large;
      }));
      for (int i = 0; i < 4; ++i) rig.reactor.turn(0);
    }
    put(pair.b.get(), "ab");
    REQUIRE(::send(pair.b.get(), "!", 1, MSG_OOB) == 1);
    put(pair.b.get(), "cd");
    std::string all;
    REQUIRE(rig.until([&] {
      if (!listen.busy()) rig.reactor.submit(listen);
      if (busy) put(other.b.get(), "z");
      if (!recv.busy()) {
        if (recv.last > 0) all.append(buffer, static_cast<std::size_t>(recv.last));
        if (all.size() < 4) rig.reactor.submit(recv);
      }
      return all.size() >= 4;
    }));
    CHECK(all == "abcd");
    rig.reactor.abandon(listen);
  }
}

TEST_CASE("an echo costs one receive, one send and at most one wait") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  handle.shortMeansBlocked = true;
  REQUIRE(rig.reactor.attach(handle) == 0);
  struct Echo {
    Reactor& reactor;
    IoHandle& handle;
    char buffer[256];
    iovec vector{};
    Probe recv, send;
  };
  Echo echo{rig.reactor, handle, {}, {}, {}, {}};
  echo.recv.user = &echo;
  echo.recv.prepareRecv(handle, echo.buffer, sizeof echo.buffer);
  echo.recv.then = [](Probe& op) {
    auto& self = *static_cast<Echo*>(op.user);
    self.vector = {self.buffer, static_cast<std::size_t>(op.last)};
    self.send.prepareSend(self.handle, &self.vector, 1);
    self.send.last = self.reactor.tryNow(self.send);
    self.reactor.submit(op);
  };
  rig.reactor.submit(echo.recv);
  rig.reactor.turn(0);
  constexpr int rounds = 500;
  FaultInjector injector;
  for (int i = 0; i < rounds; ++i) {
    put(pair.b.get(), std::string(64, 'x'));
    REQUIRE(rig.until([&] { return echo.recv.calls == i + 1; }));
    CHECK(echo.send.last == 64);
    char reply[64];
    REQUIRE(::recv(pair.b.get(), reply, 64, 0) == 64);
  }
  CHECK(injector.count(Call::recv) == rounds);
  CHECK(injector.count(Call::send) == rounds);
  CHECK(injector.count(Call::epoll_wait) <= rounds + 5);
  CHECK(injector.count(Call::epoll_ctl) == 0);
}

TEST_CASE("a registration that cannot be removed names nobody any more") {
  if (onUring()) return;  // which has none
  Rig rig;
  Pair pair = tcpPair();
  {
    auto gone = std::make_unique<IoHandle>(pair.a.get());
    REQUIRE(rig.reactor.attach(*gone) == 0);
    rig.reactor.turn(0);
    FaultInjector injector;
    injector.fail(Call::epoll_ctl, ENOMEM);
    rig.reactor.detach(*gone);
    REQUIRE(injector.blown() == 1);
  }
  const auto eventsBefore = rig.reactor.stats().events;
  put(pair.b.get(), "x");
  while (rig.reactor.stats().events == eventsBefore) REQUIRE(rig.reactor.turn(20 * ms) >= 0);
  SECTION("nor does a handle that is attached while it is there") {
    Pair other = tcpPair();
    IoHandle handle(other.a.get());
    REQUIRE(rig.reactor.attach(handle) == 0);
    char buffer[8];
    Probe recv;
    recv.prepareRecv(handle, buffer, sizeof buffer);
    rig.reactor.submit(recv);
    put(pair.b.get(), "y");
    put(other.b.get(), "abc");
    REQUIRE(rig.until([&] { return recv.calls == 1; }));
    CHECK(recv.last == 3);
  }
  SECTION("and gives way to a new handle of its descriptor") {
    IoHandle again(pair.a.get());
    REQUIRE(rig.reactor.attach(again) == 0);
    IoHandle second(pair.a.get());
    CHECK(rig.reactor.attach(second) == -EEXIST);
    char buffer[8];
    Probe recv;
    recv.prepareRecv(again, buffer, sizeof buffer);
    rig.reactor.submit(recv);
    REQUIRE(rig.until([&] { return recv.calls == 1; }));
    CHECK(recv.last == 1);
    recv.prepareRecv(again, buffer, sizeof buffer);
    rig.reactor.submit(recv);
    put(pair.b.get(), "yz");
    REQUIRE(rig.until([&] { return recv.calls == 2; }));
    CHECK(recv.last == 2);
  }
}

TEST_CASE(
    "tryNow performs what needs no waiting and otherwise answers EAGAIN without a system call") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char buffer[8];
  Probe recv;
  recv.prepareRecv(handle, buffer, sizeof buffer);
  CHECK(rig.reactor.tryNow(recv) == -EAGAIN);  // asked the kernel, and knows now
  {
    FaultInjector injector;
    CHECK(rig.reactor.tryNow(recv) == -EAGAIN);
    CHECK(injector.total() == 0);
  }
  put(pair.b.get(), "ab");
  // A ring watches only what somebody waits for.
  if (!onUring()) {
    REQUIRE(rig.until([&] { return handle.readable; }));
    CHECK(rig.reactor.tryNow(recv) == 2);
    CHECK(recv.calls == 0);
  } else {
    rig.reactor.submit(recv);
    REQUIRE(rig.until([&] { return recv.calls == 1; }));
    recv.calls = 0;
  }
  // One that waits already comes first.
  rig.reactor.submit(recv);
  put(pair.b.get(), "cd");
  Probe second;
  second.prepareRecv(handle, buffer, sizeof buffer);
  CHECK(rig.reactor.tryNow(second) == -EAGAIN);
  REQUIRE(rig.until([&] { return recv.calls == 1; }));
  CHECK(recv.last == 2);
}

TEST_CASE("operations of one direction complete in the order of their submission") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char buffers[3][2];
  Probe recv[3];
  static std::string order;
  order.clear();
  for (int i = 0; i < 3; ++i) {
    recv[i].prepareRecv(handle, buffers[i], 2);
    recv[i].then = [](Probe& op) { order.append(static_cast<const char*>(op.data), 2); };
    rig.reactor.submit(recv[i]);
    if (i == 0) rig.reactor.turn(0);
  }
  put(pair.b.get(), "aabbcc");
  REQUIRE(rig.until([&] { return recv[2].calls == 1; }));
  CHECK(order == "aabbcc");
}

TEST_CASE("a peer that never stops sending cannot keep a turn") {
  Rig rig;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char byte;
  struct Again {
    Reactor& reactor;
    int peer;
  } again{rig.reactor, pair.b.get()};
  Probe recv;
  recv.user = &again;
  recv.prepareRecv(handle, &byte, 1);
  recv.then = [](Probe& op) {
    auto& self = *static_cast<Again*>(op.user);
    static_cast<void>(!::write(self.peer, "xx", 2));
    self.reactor.submit(op);
  };
  put(pair.b.get(), "xx");
  rig.reactor.submit(recv);
  for (int i = 0; i < 20; ++i) CHECK(rig.reactor.turn(-1) <= 3);
  CHECK(rig.reactor.hasReady());
  rig.reactor.abandon(recv);
}

// ---- accept and connect ----

TEST_CASE("an accept waits for a connection; a multishot accept gives them all") {
  Rig rig;
  Listening listener;
  IoHandle handle(listener.fd.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  Probe accept;
  accept.prepareAccept(handle);
  rig.reactor.submit(accept);
  CHECK(rig.reactor.turn(0) == 0);
  UniqueFd client = listener.dial();
  REQUIRE(rig.until([&] { return accept.calls == 1; }));
  CHECK_FALSE(accept.busy());
  CHECK(accept.flags == 0);
  UniqueFd server(accept.last);
  CHECK((leat::sys::fcntl(server.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((leat::sys::fcntl(server.get(), F_GETFD) & FD_CLOEXEC) != 0);

  accept.multishot = true;
  accept.results.clear();
  rig.reactor.submit(accept);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(listener.dial());
  REQUIRE(rig.until([&] { return accept.results.size() == 5; }));
  CHECK(accept.flags == Op::more);
  CHECK(accept.busy());
  for (const int fd : accept.results) {
    CHECK(fd >= 0);
    ::close(fd);
  }
  rig.reactor.cancel(accept);
  CHECK(accept.results.size() == 5);
  rig.reactor.turn(0);
  CHECK(accept.last == -ECANCELED);
  CHECK(accept.flags == 0);
  CHECK_FALSE(accept.busy());
}

TEST_CASE(
    "an accept passes over connections that were given up and reports a lack of descriptors") {
  Rig rig;
  Listening listener;
  IoHandle handle(listener.fd.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  Probe accept;
  accept.prepareAccept(handle);
  UniqueFd client = listener.dial();
  FaultInjector injector;
  for (const int passed : {ECONNABORTED, EPROTO, EINTR}) {
    injector.fail(Call::accept4, passed, 1, 3);
    rig.reactor.submit(accept);
    REQUIRE(rig.until([&] { return !accept.busy(); }));
    CHECK(injector.blown() == 3);
    CHECK(accept.last >= 0);
    ::close(accept.last);
    client = listener.dial();
  }
  for (const int told : {EMFILE, ENFILE, ENOMEM}) {
    injector.fail(Call::accept4, told);
    accept.multishot = true;
    rig.reactor.submit(accept);
    REQUIRE(rig.until([&] { return !accept.busy(); }));
    CHECK(accept.last == -told);
  }
  // The connection is still there, and no new event is needed to find it.
  accept.multishot = false;
  rig.reactor.submit(accept);
  REQUIRE(rig.until([&] { return !accept.busy(); }));
  REQUIRE(accept.last >= 0);
  ::close(accept.last);
}

TEST_CASE("an accept reports EMFILE when the process has no descriptor left, and goes on later") {
  Rig rig;
  Listening listener;
  UniqueFd client = listener.dial();
  IoHandle handle(listener.fd.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  UniqueFd next(::dup(0));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next.get());
  next.reset();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  Probe accept;
  accept.prepareAccept(handle);
  rig.reactor.submit(accept);
  rig.reactor.turn(100 * ms);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(accept.last == -EMFILE);
  rig.reactor.submit(accept);
  REQUIRE(rig.until([&] { return accept.calls == 2; }));
  REQUIRE(accept.last >= 0);
  ::close(accept.last);
}

TEST_CASE("a connect completes with 0 or with the reason") {
  Rig rig;
  Listening listener;
  const auto attempt = [&](const sockaddr* address, socklen_t length) {
    UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    IoHandle handle(fd.get());
    REQUIRE(rig.reactor.attach(handle) == 0);
    rig.reactor.turn(0);
    if (!onUring()) CHECK(handle.lasting);  // a socket without a peer is reported as hung up
    Probe connect;
    connect.prepareConnect(handle, address, length);
    rig.reactor.submit(connect);
    CHECK(connect.calls == 0);
    REQUIRE(rig.until([&] { return connect.calls == 1; }));
    if (connect.last == 0) {
      CHECK_FALSE(handle.lasting);
      sockaddr_storage peer;
      socklen_t size = sizeof peer;
      CHECK(::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0);
    }
    return connect.last;
  };
  CHECK(attempt(listener.generic(), sizeof listener.address) == 0);
  {
    FaultInjector injector;
    injector.fail(Call::getsockopt, EIO);
    const int result = attempt(listener.generic(), sizeof listener.address);
    CHECK(result == (injector.blown() ? -EIO : 0));
  }
  const sockaddr_in address = listener.address;
  listener.fd.reset();
  CHECK(attempt(reinterpret_cast<const sockaddr*>(&address), sizeof address) == -ECONNREFUSED);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::strcpy(path.sun_path, "/nonexistent/socket");
  CHECK(attempt(reinterpret_cast<const sockaddr*>(&path), sizeof path) == -ENOENT);
}

TEST_CASE(
    "a connect that is interrupted goes on, and one in flight can be cancelled or abandoned") {
  Rig rig;
  // A full backlog that nobody empties keeps a further connect in flight.
  Listening listener;
  REQUIRE(::listen(listener.fd.get(), 0) == 0);
  std::vector<UniqueFd> fill;
  for (int i = 0; i < 4; ++i) {
    fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(fill.back().get(), listener.generic(), sizeof listener.address));
  }
  for (const bool abandon : {false, true}) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    IoHandle handle(fd.get());
    REQUIRE(rig.reactor.attach(handle) == 0);
    Probe connect;
    connect.prepareConnect(handle, listener.generic(), sizeof listener.address);
    rig.reactor.submit(connect);
    CHECK(rig.reactor.turn(20 * ms) == 0);
    CHECK(connect.busy());
    if (abandon) {
      rig.reactor.abandon(connect);
      rig.reactor.turn(0);
      CHECK(connect.calls == 0);
    } else {
      rig.reactor.cancel(connect);
      CHECK(connect.calls == 0);
      CHECK(rig.reactor.turn(-1) == 1);
      CHECK(connect.last == -ECANCELED);
    }
  }
  Listening open;
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(fd.get(), open.generic(), sizeof open.address) <= 0);
  IoHandle handle(fd.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  FaultInjector injector;
  injector.fail(Call::connect, EINTR);
  Probe connect;
  connect.prepareConnect(handle, open.generic(), sizeof open.address);
  rig.reactor.submit(connect);
  REQUIRE(rig.until([&] { return connect.calls == 1; }));
  CHECK(connect.last == 0);
  CHECK(injector.count(Call::connect) == 1);
}

// ---- poll, pipes, files ----

TEST_CASE("a poll tells what holds now, and otherwise waits for it") {
  Rig rig;
  Pair pair = pipePair();
  IoHandle reading(pair.a.get()), writing(pair.b.get());
  REQUIRE(rig.reactor.attach(reading) == 0);
  REQUIRE(rig.reactor.attach(writing) == 0);
  Probe in, out, both;
  out.preparePoll(writing, POLLOUT);
  rig.reactor.submit(out);
  CHECK(rig.reactor.turn(0) == 1);
  CHECK(out.last == POLLOUT);

  in.preparePoll(reading, POLLIN);
  both.preparePoll(reading, POLLPRI);
  rig.reactor.submit(both);
  rig.reactor.submit(in);
  CHECK(rig.reactor.turn(0) == 0);
  put(pair.b.get(), "x");
  REQUIRE(rig.until([&] { return in.calls == 1; }));
  CHECK(in.last == POLLIN);
  CHECK(both.calls == 0);
  // Nobody read: there is no new edge, but the level still holds.
  rig.reactor.submit(in);
  REQUIRE(rig.until([&] { return in.calls == 2; }));
  char byte;
  REQUIRE(::read(pair.a.get(), &byte, 1) == 1);
  rig.reactor.submit(in);
  rig.reactor.turn(0);
  CHECK(in.calls == 2);
  rig.reactor.detach(writing);
  pair.b.reset();
  REQUIRE(rig.until([&] { return in.calls == 3 && both.calls == 1; }));
  CHECK(in.last == POLLHUP);
  CHECK(both.last == POLLHUP);
}

TEST_CASE("a regular file and a descriptor that is attached twice are refused") {
  Rig rig;
  UniqueFd file(leat::sys::open("/proc/self/exe", O_RDONLY));
  REQUIRE(file);
  IoHandle handle(file.get());
  CHECK(rig.reactor.attach(handle) == -EPERM);
  Pair pair = unixPair();
  IoHandle first(pair.a.get()), second(pair.a.get()), none(-1);
  CHECK(rig.reactor.attach(first) == 0);
  CHECK(rig.reactor.attach(second) == -EEXIST);
  CHECK(rig.reactor.attach(none) == -EBADF);
  char byte;
  Probe recv;
  recv.prepareRecv(second, &byte, 1);
  rig.reactor.submit(recv);
  CHECK(rig.reactor.turn(0) == 1);
  CHECK(recv.last == -EBADF);
  CHECK(rig.reactor.tryNow(recv) == -EBADF);
}

// ---- cancel, abandon, detach ----

TEST_CASE("an operation that is cancelled completes with ECANCELED in the next turn, not at once") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char buffer[8];
  Probe recv;
  recv.prepareRecv(handle, buffer, sizeof buffer);
  SECTION("before the turn that would have tried it") { rig.reactor.submit(recv); }
  SECTION("while it waits") {
    rig.reactor.submit(recv);
    rig.reactor.turn(0);
  }
  SECTION("when its bytes are there but were not taken: they stay in the socket") {
    rig.reactor.submit(recv);
    rig.reactor.turn(0);
    put(pair.b.get(), "kept");
  }
  rig.reactor.cancel(recv);
  rig.reactor.cancel(recv);
  CHECK(recv.calls == 0);
  CHECK(rig.reactor.turn(-1) == 1);
  CHECK(recv.calls == 1);
  CHECK(recv.last == -ECANCELED);
  rig.reactor.cancel(recv);  // idle: nothing
  CHECK(rig.reactor.turn(0) == 0);
  if (::recv(pair.a.get(), buffer, 8, MSG_PEEK | MSG_DONTWAIT) == 4) {
    rig.reactor.submit(recv);
    REQUIRE(rig.until([&] { return recv.calls == 2; }));
    CHECK(recv.last == 4);
  }
}

TEST_CASE("cancelling while the operation completes gives exactly one of the two results") {
  Rig rig;
  constexpr int rounds = LEAT_TSAN ? 300 : 2000;
  Pair pair = unixPair();
  int cancelled = 0, received = 0;
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char byte;
  Probe recv;
  for (int i = 0; i < rounds; ++i) {
    recv.prepareRecv(handle, &byte, 1);
    rig.reactor.submit(recv);
    rig.reactor.turn(0);
    std::thread writer;
    if (i % 4 == 0) {
      writer = std::thread([&] { static_cast<void>(!::write(pair.b.get(), "x", 1)); });
    } else {
      put(pair.b.get(), "x");
    }
    if (i % 3 == 0) rig.reactor.turn(0);
    rig.reactor.cancel(recv);
    const int before = recv.calls;
    rig.reactor.turn(0);
    CHECK(recv.calls <= before + 1);
    CHECK_FALSE(recv.busy());
    if (writer.joinable()) writer.join();
    if (recv.last == 1) {
      ++received;
    } else {
      REQUIRE(recv.last == -ECANCELED);
      ++cancelled;
      REQUIRE(take(rig, handle) == "x");
    }
    CHECK(recv.calls == i + 1);
  }
  CHECK(cancelled > 0);
  CHECK(received > 0);
}

TEST_CASE("an abandoned operation may be freed at once, with its buffer, and is never completed") {
  Rig rig;
  Pair pair = tcpPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  static int completions;
  completions = 0;
  auto recv = std::make_unique<Probe>();
  recv->then = [](Probe&) { ++completions; };
  auto buffer = std::make_unique<char[]>(16);
  recv->prepareRecv(handle, buffer.get(), 16);
  SECTION("idle") {}
  SECTION("not tried yet") { rig.reactor.submit(*recv); }
  SECTION("waiting") {
    rig.reactor.submit(*recv);
    rig.reactor.turn(0);
  }
  SECTION("its bytes have arrived") {
    rig.reactor.submit(*recv);
    rig.reactor.turn(0);
    put(pair.b.get(), "late");
  }
  SECTION("cancelled, not dispatched") {
    rig.reactor.submit(*recv);
    rig.reactor.turn(0);
    rig.reactor.cancel(*recv);
  }
  rig.reactor.abandon(*recv);
  CHECK_FALSE(recv->busy());
  recv.reset();
  buffer.reset();
  put(pair.b.get(), "more");
  CHECK(rig.reactor.turn(10 * ms) == 0);
  CHECK(completions == 0);
  CHECK(take(rig, handle).size() >= 4);
}

namespace {

/// Two connections with bytes for both in one batch of events.
struct Victims {
  Rig rig;
  Pair pairs[2] = {tcpPair(), tcpPair()};
  std::unique_ptr<IoHandle> handles[2];
  std::unique_ptr<Probe> recvs[2];
  std::unique_ptr<char[]> buffers[2];
  static inline int completions;
  Victims() {
    completions = 0;
    for (int i = 0; i < 2; ++i) {
      handles[i] = std::make_unique<IoHandle>(pairs[i].a.get());
      REQUIRE(rig.reactor.attach(*handles[i]) == 0);
      buffers[i] = std::make_unique<char[]>(8);
      recvs[i] = std::make_unique<Probe>();
      recvs[i]->user = this;
      recvs[i]->prepareRecv(*handles[i], buffers[i].get(), 8);
      rig.reactor.submit(*recvs[i]);
    }
    rig.reactor.turn(0);
    for (Pair& pair : pairs) put(pair.b.get(), "x");
  }
  int other(Probe& op) const { return &op == recvs[0].get() ? 1 : 0; }
};

}  // namespace

TEST_CASE("a callback may destroy an operation or a handle whose event came in the same batch") {
  Victims victims;
  for (auto& recv : victims.recvs) {
    SECTION("the other operation" + std::to_string(&recv - victims.recvs)) {
      recv->then = [](Probe& op) {
        auto& all = *static_cast<Victims*>(op.user);
        ++Victims::completions;
        const int i = all.other(op);
        all.rig.reactor.abandon(*all.recvs[i]);
        all.recvs[i].reset();
        all.buffers[i].reset();
      };
    }
    SECTION("the other handle, its descriptor and its operation" +
            std::to_string(&recv - victims.recvs)) {
      recv->then = [](Probe& op) {
        auto& all = *static_cast<Victims*>(op.user);
        ++Victims::completions;
        const int i = all.other(op);
        all.rig.reactor.abandon(*all.recvs[i]);
        all.handles[i].reset();
        all.pairs[i].a.reset();
        all.recvs[i].reset();
      };
    }
    SECTION("its own handle, buffer and operation" + std::to_string(&recv - victims.recvs)) {
      recv->then = [](Probe& op) {
        auto& all = *static_cast<Victims*>(op.user);
        ++Victims::completions;
        const int i = 1 - all.other(op);
        all.handles[i].reset();
        all.buffers[i].reset();
        all.recvs[i].reset();
      };
    }
  }
  victims.rig.until([&] { return Victims::completions == 1; });
  victims.rig.reactor.turn(10 * ms);
  CHECK(Victims::completions == 1);
  victims.rig.reactor.abandonAll();
}

TEST_CASE("detaching completes what waits with ECANCELED, and the handle may go at once") {
  Rig rig;
  Pair pair = unixPair();
  auto handle = std::make_unique<IoHandle>(pair.a.get());
  REQUIRE(rig.reactor.attach(*handle) == 0);
  std::string big(8'000'000, 'x');
  iovec vector{big.data(), big.size()};
  char byte;
  Probe ops[4];
  ops[0].prepareRecv(*handle, &byte, 1);
  ops[1].prepareRecv(*handle, &byte, 1);
  ops[2].preparePoll(*handle, POLLPRI);
  ops[3].prepareSend(*handle, &vector, 1);
  ops[3].then = nullptr;
  rig.reactor.submit(ops[3]);
  rig.reactor.turn(0);
  CHECK(ops[3].calls == 1);
  for (Op& op : ops) rig.reactor.submit(op);
  rig.reactor.turn(0);
  // A duplicate keeps the open file alive: the kernel must have let go of the handle all the same.
  UniqueFd duplicate(::dup(pair.a.get()));
  handle.reset();
  pair.a.reset();
  put(pair.b.get(), "x");
  for (const Probe& op : ops) CHECK(op.busy());
  CHECK(rig.reactor.turn(10 * ms) == 4);
  for (const Probe& op : ops) {
    CHECK(op.last == -ECANCELED);
    CHECK(op.handle == nullptr);
  }
}

TEST_CASE("the end of a reactor leaves operations idle and handles detached") {
  SameDescriptors same;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  char byte;
  Probe waiting, cancelled, fresh;
  {
    const std::unique_ptr<Reactor> made = makeReactor();
    Reactor& reactor = *made;
    REQUIRE(reactor.attach(handle) == 0);
    for (Probe* op : {&waiting, &cancelled, &fresh}) op->prepareRecv(handle, &byte, 1);
    reactor.submit(waiting);
    reactor.submit(cancelled);
    reactor.turn(0);
    reactor.cancel(cancelled);
    reactor.submit(fresh);
  }
  CHECK(handle.reactor == nullptr);
  for (Probe* op : {&waiting, &cancelled, &fresh}) {
    CHECK_FALSE(op->busy());
    CHECK_FALSE(op->linked());
    CHECK(op->calls == 0);
  }
}

// ---- faults ----

TEST_CASE("calls that are interrupted are made again; an interrupted wait ends the turn") {
  Rig rig;
  Pair pair = tcpPair(), pipes = pipePair();
  IoHandle socket(pair.a.get()), reading(pipes.a.get()), writing(pipes.b.get());
  for (IoHandle* handle : {&socket, &reading, &writing}) REQUIRE(rig.reactor.attach(*handle) == 0);
  char buffer[8] = {};
  iovec vectors[2] = {{buffer, 4}, {buffer, 4}};
  FaultInjector injector;
  const auto completes = [&](Call call, int expected, auto prepare) {
    Probe op;
    prepare(op);
    injector.fail(call, EINTR, 1, 2);
    rig.reactor.submit(op);
    REQUIRE(rig.until([&] { return op.calls == 1; }));
    CHECK(op.last == expected);
    CHECK(injector.blown() == 2);
  };
  put(pair.b.get(), "abcd");
  completes(Call::recv, 4, [&](Op& op) { op.prepareRecv(socket, buffer, 8); });
  completes(Call::send, 4, [&](Op& op) { op.prepareSend(socket, vectors, 1); });
  completes(Call::sendmsg, 8, [&](Op& op) { op.prepareSend(socket, vectors, 2); });
  completes(Call::write, 4, [&](Op& op) { op.prepareWrite(writing, vectors, 1); });
  completes(Call::writev, 8, [&](Op& op) { op.prepareWrite(writing, vectors, 2); });
  completes(Call::read, 8, [&](Op& op) { op.prepareRead(reading, buffer, 8); });
  completes(Call::poll, POLLIN, [&](Op& op) { op.preparePoll(reading, POLLIN); });
  const auto waits = calls(Call::epoll_wait, Call::io_uring_enter);
  injector.fail(waits, EINTR);
  CHECK(rig.reactor.turn(-1) == 0);
  injector.fail(waits, EIO);
  CHECK(rig.reactor.turn(-1) == -EIO);
}

TEST_CASE("whichever system call fails, it is reported, nothing hangs and nothing leaks") {
  const auto run = [](FaultInjector& injector) {
    SameDescriptors same;
    Listening listener;
    std::unique_ptr<Reactor> made;
    try {
      made = makeReactor();
    } catch (const leat::SystemError& error) {
      CHECK(error.code() == "EIO");
      CHECK(injector.blown() == 1);
      return;
    }
    Reactor& reactor = *made;
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    UniqueFd accepted;
    IoHandle server(listener.fd.get()), client(fd.get()), peer;
    char out[4] = {'p', 'i', 'n', 'g'}, in[4] = {};
    iovec vector{out, 4};
    int turnError = 0;
    // The result of one operation. A turn that fails still keeps its operations.
    const auto await = [&](Probe& op) {
      reactor.submit(op);
      for (int i = 0; i < 100 && op.busy(); ++i) {
        turnError = reactor.turn(100 * ms);
        if (turnError == 0 || turnError == -EIO) continue;
        CHECK(turnError == 1);
      }
      CHECK_FALSE(op.busy());
      reactor.abandon(op);
      return op.last;
    };
    const auto scenario = [&]() -> int {
      if (const int error = reactor.attach(server)) return error;
      if (const int error = reactor.attach(client)) return error;
      Probe op;
      op.prepareConnect(client, listener.generic(), sizeof listener.address);
      if (const int error = await(op)) return error;
      op.prepareAccept(server);
      const int got = await(op);
      if (got < 0) return got;
      accepted.reset(got);
      peer.fd = got;
      if (const int error = reactor.attach(peer)) return error;
      op.preparePoll(client, POLLOUT);
      if (const int events = await(op); events < 0) return events;
      op.prepareSend(client, &vector, 1);
      if (const int sent = await(op); sent < 0) return sent;
      op.prepareRecv(peer, in, 4);
      const int received = await(op);
      return received < 0 ? received : std::memcmp(in, out, 4);
    };
    const int result = scenario();
    CHECK(result == (result == 0 ? 0 : -EIO));
    if (result == 0 && injector.blown()) {
      // Told by the turn; or by nobody, as there is nobody to tell.
      const Call blown = injector.lastBlown();
      CHECK((blown == Call::epoll_wait || blown == Call::close || blown == Call::epoll_ctl ||
             blown == Call::write || onUring()));
    }
    std::thread([&] { reactor.wake(); }).join();
    reactor.turn(-1);
    for (IoHandle* handle : {&peer, &client, &server}) reactor.detach(*handle);
  };
  const auto report = leat::testing::fuse(run, EIO);
  CHECK(report.runs == report.calls);
  CHECK(report.runs > 15);
}

// ---- waking and waiting ----

namespace {

struct Message : leat::detail::MpscNode {};

}  // namespace

TEST_CASE("no wake-up is lost between two threads that post and a loop that sleeps") {
  Rig rig;
  constexpr int each = LEAT_TSAN ? 20'000 : 100'000;
  leat::detail::MpscQueue<Message> queue;
  std::vector<Message> messages(2 * each);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        if (queue.push(messages[static_cast<std::size_t>(t * each + i)])) rig.reactor.wake();
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  int taken = 0;
  while (taken < 2 * each) {
    const std::int64_t blocked = rig.reactor.stats().blockedNs;
    REQUIRE(rig.reactor.turn(60'000 * ms) == 0);
    REQUIRE(rig.reactor.stats().blockedNs - blocked < 50'000 * ms);
    for (leat::detail::MpscNode* node = queue.takeAll(); node != nullptr; node = node->mpscNext)
      ++taken;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == 2 * each);
}

TEST_CASE("two loops that wake each other in turn never stall") {
  Rig one, two;
  constexpr int rounds = LEAT_TSAN ? 3'000 : 20'000;
  leat::detail::Atomic<int> ball{0};
  leat::detail::Atomic<bool> late{false};
  const auto play = [&](Rig& self, Rig& other, int parity) {
    for (int expected = parity; expected < 2 * rounds; expected += 2) {
      while (ball.load() != expected) {
        const std::int64_t blocked = self.reactor.stats().blockedNs;
        if (self.reactor.turn(60'000 * ms) < 0) return;
        if (self.reactor.stats().blockedNs - blocked > 50'000 * ms) late.store(true);
      }
      ball.store(expected + 1);
      other.reactor.wake();
    }
  };
  std::thread second([&] { play(two, one, 1); });
  play(one, two, 0);
  second.join();
  CHECK(ball.load() == 2 * rounds);
  CHECK_FALSE(late.load());
}

TEST_CASE("a wake-up before a turn makes that turn not wait; one is enough for many") {
  Rig rig;
  FaultInjector injector;
  rig.reactor.wake();
  rig.reactor.wake();
  CHECK(injector.count(Call::write) == 0);  // nobody sleeps: no system call
  const std::int64_t start = leat::sys::monotonicNs();
  CHECK(rig.reactor.turn(-1) == 0);
  CHECK(leat::sys::monotonicNs() - start < 20'000 * ms);
  CHECK(rig.reactor.turn(2 * ms) == 0);
  CHECK(leat::sys::monotonicNs() - start >= 2 * ms);
  // A turn that does not wait takes the wake-up, too.
  rig.reactor.wake();
  rig.reactor.turn(0);
  const std::int64_t again = leat::sys::monotonicNs();
  rig.reactor.turn(2 * ms);
  CHECK(leat::sys::monotonicNs() - again >= 2 * ms);
}

TEST_CASE("the descriptor of the back end is readable when there are events and after a wake-up") {
  Rig rig;
  rig.reactor.wake();
  const int fd = rig.reactor.backendFd();
  const auto readable = [&] {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
  };
  CHECK(readable());
  rig.reactor.turn(0);
  CHECK_FALSE(readable());
  for (int i = 0; i < 3; ++i) {
    rig.reactor.wake();
    CHECK(readable());
    rig.reactor.turn(i == 1 ? 1 * ms : 0);
    CHECK_FALSE(readable());
  }
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char byte;
  Probe recv;
  recv.prepareRecv(handle, &byte, 1);
  rig.reactor.submit(recv);
  CHECK(rig.reactor.hasReady());
  rig.reactor.turn(0);
  CHECK_FALSE(readable());
  CHECK_FALSE(rig.reactor.hasReady());
  put(pair.b.get(), "x");
  CHECK(readable());
  CHECK(rig.reactor.turn(0) == 1);
}

TEST_CASE("a turn waits for as long as it was told, also where the kernel counts milliseconds") {
  Rig rig;
  const auto lasts = [&](std::int64_t ns) {
    const std::int64_t start = leat::sys::monotonicNs();
    CHECK(rig.reactor.turn(ns) == 0);
    return leat::sys::monotonicNs() - start;
  };
  CHECK(lasts(300'000) >= 300'000);
  CHECK(lasts(3 * ms) >= 3 * ms);
  CHECK(lasts(1) < 20'000 * ms);
  const bool coarse = leat::sys::coarseEpoll.exchange(true);
  CHECK(lasts(1'200'000) >= 1'200'000);
  leat::sys::coarseEpoll.store(coarse);
  CHECK(rig.reactor.stats().turns == 4);
  CHECK(rig.reactor.stats().blockedNs >= 4'500'000);
}

TEST_CASE("busy polling finds events and wake-ups without sleeping, and still ends in time") {
  Rig rig;
  rig.reactor.setBusyPoll(50'000 * ms);
  FaultInjector injector;
  std::int64_t start = leat::sys::monotonicNs();
  CHECK(rig.reactor.turn(2 * ms) == 0);
  CHECK(leat::sys::monotonicNs() - start >= 2 * ms);
  CHECK(leat::sys::monotonicNs() - start < 20'000 * ms);
  if (!onUring()) {  // a ring asks without a call
    long turns = 1;
    while (injector.count(Call::epoll_wait) <= turns + 3 && turns < 1000) {
      rig.reactor.turn(2 * ms);
      ++turns;
    }
    CHECK(injector.count(Call::epoll_wait) > turns + 3);
  }
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char byte;
  Probe recv;
  recv.prepareRecv(handle, &byte, 1);
  rig.reactor.submit(recv);
  rig.reactor.turn(0);
  std::thread writer([&] { static_cast<void>(!::write(pair.b.get(), "x", 1)); });
  REQUIRE(rig.until([&] { return recv.calls == 1; }));
  writer.join();
  injector.resetCounts();
  start = leat::sys::monotonicNs();
  std::thread waker([&] { rig.reactor.wake(); });
  CHECK(rig.reactor.turn(-1) == 0);
  waker.join();
  CHECK(leat::sys::monotonicNs() - start < 20'000 * ms);
  CHECK(injector.count(Call::write) == 0);
  rig.reactor.setBusyPoll(1 * ms);
  CHECK(rig.reactor.turn(3 * ms) == 0);
}

TEST_CASE("more events than one fetch holds are served in one turn") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit wide = before;
  wide.rlim_cur = wide.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &wide) == 0);
  {
    Rig rig;
    constexpr std::size_t count = 1500;
    REQUIRE(wide.rlim_cur > count + 50);
    std::vector<UniqueFd> fds;
    std::vector<std::unique_ptr<IoHandle>> handles;
    std::vector<Probe> polls(count);
    for (std::size_t i = 0; i < count; ++i) {
      fds.emplace_back(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
      handles.push_back(std::make_unique<IoHandle>(fds.back().get()));
      REQUIRE(rig.reactor.attach(*handles.back()) == 0);
      polls[i].preparePoll(*handles.back(), POLLIN);
      rig.reactor.submit(polls[i]);
    }
    for (int i = 0; i < 3; ++i) CHECK(rig.reactor.turn(0) == 0);
    const std::uint64_t one = 1;
    for (UniqueFd& fd : fds) REQUIRE(::write(fd.get(), &one, sizeof one) == sizeof one);
    int served = rig.reactor.turn(-1);
    // A ring's queue holds fewer; the rest is with the kernel, and in the turn that does not wait.
    if (onUring()) served += rig.reactor.turn(-1);
    CHECK(served == static_cast<int>(count));
    for (const Probe& poll : polls) CHECK(poll.last == POLLIN);
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("every completion passes the dispatcher of the loop") {
  Rig rig;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  int drained = 0;
  rig.reactor.setDispatch(
      [](void* context, Op& op, int result, unsigned flags) noexcept {
        op.done(op, result, flags);
        ++*static_cast<int*>(context);
      },
      &drained);
  char byte;
  Probe recv;
  recv.prepareRecv(handle, &byte, 1);
  put(pair.b.get(), "x");
  rig.reactor.submit(recv);
  rig.reactor.turn(0);
  rig.reactor.submit(recv);
  rig.reactor.cancel(recv);
  rig.reactor.turn(0);
  CHECK(recv.calls == 2);
  CHECK(drained == 2);
  CHECK(rig.reactor.stats().completions == 2);
}

TEST_CASE("in the child of a fork the reactor touches nothing of its parent") {
  Rig rig;
  Pair pair = unixPair();
  IoHandle handle(pair.a.get());
  REQUIRE(rig.reactor.attach(handle) == 0);
  char byte;
  Probe recv;
  recv.prepareRecv(handle, &byte, 1);
  rig.reactor.submit(recv);
  rig.reactor.turn(0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    IoHandle other(pair.b.get());
    bool good = rig.reactor.turn(-1) == -ECHILD && rig.reactor.attach(other) == -ECHILD;
    rig.reactor.wake();
    rig.reactor.abandon(recv);
    good = good && !recv.busy();
    rig.reactor.submit(recv);
    good = good && !recv.busy() && rig.reactor.tryNow(recv) == -EAGAIN;
    rig.reactor.detach(handle);
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  put(pair.b.get(), "x");
  REQUIRE(rig.until([&] { return recv.calls == 1; }));
  CHECK(recv.last == 1);
}
