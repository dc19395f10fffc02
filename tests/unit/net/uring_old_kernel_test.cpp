// SPDX-License-Identifier: MIT
// Kernels that are older than this one: what their io_uring lacks is gone around, or said.
#include "net_rig.hpp"

#include <leat/net/connect.hpp>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <child.hpp>
#include <old_kernel.hpp>
#include <optional>

using namespace net_rig;
using leat_test::OldKernel;

// ---- what a ring must have ----

namespace {

/// Calls `body` in a child whose io_uring_setup never tells of the features `lacking`: a tracer takes them out of the
/// answer. Its exit code; 77 where processes may not be traced.
template <class Body>
int withoutFeatures(unsigned lacking, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    try {
      ::_exit(body());
    } catch (...) {
      ::_exit(76);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  unsigned long long params = 0;
  for (int pass = 0;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, static_cast<long>(pass));
    if (::waitpid(child, &status, 0) != child) return -1;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return -WTERMSIG(status);
    pass = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
    if (pass != 0) continue;
    __ptrace_syscall_info info{};
    const auto size = ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
    if (size <= 0) continue;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
      params = info.entry.nr == leat::sys::uring::setupNumber ? info.entry.args[1] : 0;
    if (info.op != PTRACE_SYSCALL_INFO_EXIT || params == 0) continue;
    // A word of the machine holds two of the structure's: what stands beside the features stays.
    const unsigned long long at = params + offsetof(leat::sys::uring::Params, features);
    const unsigned long long aligned = at & ~7ULL;
    long word = ::ptrace(PTRACE_PEEKDATA, child, aligned, nullptr);
    auto* const bytes = reinterpret_cast<char*>(&word) + (at - aligned);
    unsigned features;
    std::memcpy(&features, bytes, sizeof features);
    features &= ~lacking;
    std::memcpy(bytes, &features, sizeof features);
    ::ptrace(PTRACE_POKEDATA, child, aligned, word);
  }
}

/// 0: a loop runs on epoll and says that the kernel is too old.
int fallsBack() {
  ::unsetenv("LEAT_BACKEND");
  const leat::EventLoop loop;
  const bool said = loop.backendReason() == "the kernel's io_uring is too old (before Linux 5.11)";
  return loop.backend() == "epoll" && said ? 0 : 1;
}
int keepsRing() {
  const leat::EventLoop loop({.backend = "io_uring"});
  return loop.backend() == "io_uring" ? 0 : 1;
}

}  // namespace

TEST_CASE("a ring that lacks a feature is too old, and a loop says so and runs on epoll") {
  namespace uring = leat::sys::uring;
  INFO("a process must be allowed to trace its child");
  REQUIRE(withoutFeatures(0, keepsRing) != 77);
  // Nothing that leat does without.
  const unsigned needed = uring::featureSingleMmap | uring::featureNoDrop | uring::featureFastPoll |
                          uring::featureExtArg;
  CHECK(withoutFeatures(~needed, keepsRing) == 0);
  for (const unsigned feature : {uring::featureSingleMmap, uring::featureNoDrop,
                                 uring::featureFastPoll, uring::featureExtArg}) {
    CAPTURE(feature);
    CHECK(withoutFeatures(feature, fallsBack) == 0);
  }
}

// ---- requests that go on ----
// With LEAT_BACKEND=epoll there is nothing to see.

namespace {

/// Until the kernel was told what was asked for: the poll phase lies between two timers.
Task<> told() {
  co_await leat::sleep(1);
  co_await leat::sleep(1);
}

leat::Promise<> sendPieces(Socket socket, std::string text, std::size_t piece) {
  for (std::size_t at = 0; at < text.size(); at += piece) {
    co_await socket.write(text.substr(at, piece));
    co_await leat::sleep(0);
  }
  socket.end();
}

leat::Promise<std::string> reading(Socket socket, leat::AbortSignal signal) {
  std::string result;
  try {
    const leat::Buffer chunk = co_await leat::withSignal(signal, socket.read());
    result = chunk.view();
  } catch (const leat::Error& error) {
    result = error.code();
  }
  co_return result;
}

}  // namespace

TEST_CASE("without receives that go on, bytes arrive all the same, each in its place") {
  if (!leat_test::onUring()) return;
  const OldKernel old(OldKernel::receives);
  run([]() -> Task<> {
    CHECK(leat::EventLoop::current().backendReason().find("COOP_TASKRUN") !=
          std::string_view::npos);
    const std::string small = pattern(3000), large = pattern(300'000);
    std::vector<Pair> pairs;
    std::vector<leat::Promise<std::string>> heard;
    std::vector<leat::Promise<>> said;
    for (int i = 0; i < 40; ++i) {
      pairs.emplace_back();
      heard.push_back(leat::spawn(readAll(pairs.back().b)));
    }
    co_await told();
    CHECK(OldKernel::refused() >= 40);
    for (std::size_t i = 0; i < pairs.size(); ++i)
      said.push_back(sendPieces(pairs[i].a, i % 2 == 0 ? small : large, i % 2 == 0 ? 100 : 30'000));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      co_await said[i];
      const std::string got = co_await heard[i];
      REQUIRE((got == (i % 2 == 0 ? small : large)));
    }
  });
}

TEST_CASE("without receives that go on, a read that is aborted or closed loses nothing") {
  if (!leat_test::onUring()) return;
  const OldKernel old(OldKernel::receives);
  run([]() -> Task<> {
    Duo duo;
    for (int round = 0; round < 3; ++round) {
      leat::AbortController controller;
      auto read = reading(duo.socket, controller.signal());
      if (round > 0) co_await told();
      controller.abort();
      const std::string aborted = co_await read;
      CHECK(aborted == "ABORT_ERR");
      duo.say("hello");
      auto next = reading(duo.socket, leat::AbortController().signal());
      const std::string text = co_await next;
      CHECK(text == "hello");
    }
    CHECK(OldKernel::refused() >= 1);
    for (const bool refused : {false, true}) {
      Duo other;
      auto read = reading(other.socket, leat::AbortController().signal());
      if (refused) co_await told();
      other.socket.destroy();
      const std::string closed = co_await read;
      CHECK(closed != "");
      CHECK(other.heardEnd());
    }
    Duo third;
    auto read = reading(third.socket, leat::AbortController().signal());
    co_await told();
    third.sayReset();
    const std::string reset = co_await read;
    CHECK(reset == "ECONNRESET");
  });
}

namespace {

Task<> serveMany() {
  int served = 0;
  const Server server = net::createServer([&](Socket socket) {
    ++served;
    socket.end("hello");
  });
  co_await server.listen(0, "127.0.0.1");
  co_await told();
  for (int round = 0; round < 10; ++round) {
    std::vector<leat::Promise<std::string>> heard;
    for (int i = 0; i < 10; ++i) {
      const Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
      heard.push_back(leat::spawn(readAll(client)));
    }
    for (auto& each : heard) {
      const std::string text = co_await each;
      if (text != "hello") throw leat::Error("heard " + text);
    }
  }
  if (served != 100) throw leat::Error("served " + std::to_string(served));
  co_await server.close();
}

}  // namespace

TEST_CASE("without accepts that go on, every connection arrives, and no server pauses") {
  if (!leat_test::onUring()) return;
  const auto end = leat_test::inChild([] {
    const OldKernel old(OldKernel::accepts);
    const int code = leat::run(serveMany);
    return OldKernel::refused() == 0 ? 2 : code;
  });
  CHECK(end.code == 0);
  CHECK(end.err == "");
}

TEST_CASE("without accepts that go on, one that is aborted or closed loses nothing") {
  if (!leat_test::onUring()) return;
  const OldKernel old;
  run([]() -> Task<> {
    const Server server = net::createServer();
    co_await server.listen(0, "127.0.0.1");
    leat::AbortController controller;
    auto waiting = accepting(server, controller.signal());
    co_await told();
    controller.abort();
    const std::string aborted = co_await waiting;
    CHECK(aborted == "ABORT_ERR");
    const leat::sys::UniqueFd client = dial(server.address());
    auto next = accepting(server, leat::AbortController().signal());
    const std::string came = co_await next;
    CHECK(came == "socket");
    auto last = accepting(server, leat::AbortController().signal());
    co_await told();
    co_await server.close();
    const std::string closed = co_await last;
    CHECK(closed == "nothing");
  });
}

TEST_CASE("requests that an older kernel refuses do not keep the others of a turn back") {
  if (!leat_test::onUring()) return;
  const OldKernel old;
  run([]() -> Task<> {
    std::vector<Pair> pairs;
    std::vector<leat::Promise<std::string>> heard;
    for (int i = 0; i < 100; ++i) {
      pairs.emplace_back();
      heard.push_back(leat::spawn(readAll(pairs.back().b)));
    }
    const long before = OldKernel::enters();
    co_await told();
    CHECK(OldKernel::refused() == 100);
    CHECK(OldKernel::enters() - before < 20);
    for (Pair& pair : pairs) pair.a.end("x");
    for (auto& each : heard) {
      const std::string text = co_await each;
      CHECK(text == "x");
    }
  });
}
