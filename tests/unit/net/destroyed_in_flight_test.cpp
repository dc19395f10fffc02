// SPDX-License-Identifier: MIT
// Coroutines that are dropped while they wait, in a loop that goes on: nothing of them stays, and the
// loop ends as if they had not been there.
#include "net_rig.hpp"

#include <signal.h>

#include <functional>
#include <memory>
#include <optional>

#include <leat/loop/blocking.hpp>
#include <leat/loop/signals.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/net/connect.hpp>

#include <started.hpp>

using namespace net_rig;
using leat_test::Started;

namespace {

/// What a coroutine holds: afterwards nobody may.
using Token = std::shared_ptr<int>;

/// Descriptors of functions that block, until their thread has closed them.
leat::detail::Atomic<int> blockedOn{0};

/// What the rows wait for. None of it comes by itself.
struct Still {
  Still() : server(net::createServer()) {
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    // So much that no drain comes before the peer reads.
    (void)full.socket.write(std::string(1 << 20, 'x'));
  }
  Still(const Still&) = delete;
  Still& operator=(const Still&) = delete;
  ~Still() {
    full.socket.destroy();
    for (const int fd : pipe) ::close(fd);
  }
  Duo idle;
  Duo full{4096};
  Server server;
  leat::Interval interval{100'000};
  leat::Promise<>::Resolvers never = leat::Promise<>::withResolvers();
  int pipe[2];
};

struct Row {
  const char* what;
  Task<> (*wait)(Still&, Token);
  /// Whether it still waits some turns later.
  bool lasts = true;
};

// The names are those of the stand-in in connect_test.cpp: the system's look-up opens files on a thread for which
// nobody waits.
const Row rows[] = {
    {"sleep", [](Still&, Token) -> Task<> { co_await leat::sleep(100'000); }},
    {"nextImmediate", [](Still&, Token) -> Task<> { co_await leat::nextImmediate(); }, false},
    {"yield", [](Still&, Token) -> Task<> { co_await leat::yield(); }, false},
    {"Interval::next", [](Still& s, Token) -> Task<> { co_await s.interval.next(); }},
    {"wait(fd)",
     [](Still& s, Token) -> Task<> {
       (void)co_await leat::wait(s.pipe[0], leat::Ready::Readable);
     }},
    {"nextSignal", [](Still&, Token) -> Task<> { (void)co_await leat::nextSignal(SIGUSR2); }},
    {"blocking",
     [](Still& s, Token) -> Task<> {
       // A descriptor of its own: it may still read when the pipe is closed.
       const std::shared_ptr<int> own(new int(::dup(s.pipe[0])), [](const int* fd) {
         ::close(*fd);
         delete fd;
         blockedOn.fetchAdd(-1);
       });
       blockedOn.fetchAdd(1);
       const auto block = [own] {
         char byte;
         if (::read(*own, &byte, 1) != 1) throw leat::Error("nothing to read");
       };
       co_await leat::blocking(block);
     }},
    {"withTimeout of a Task",
     [](Still&, Token) -> Task<> { co_await leat::withTimeout(100'000, leat::sleep(90'000)); }},
    {"withTimeout of a Promise",
     [](Still& s, Token) -> Task<> { co_await leat::withTimeout(100'000, s.never.promise); }},
    {"a promise", [](Still& s, Token) -> Task<> { co_await s.never.promise; }},
    {"read", [](Still& s, Token) -> Task<> { (void)co_await s.idle.socket.read(); }},
    {"readUntil", [](Still& s, Token) -> Task<> { (void)co_await s.idle.socket.readUntil("\n"); }},
    {"write that waits for room",
     [](Still& s, Token) -> Task<> { co_await s.full.socket.write("more"); }},
    {"end", [](Still& s, Token) -> Task<> { co_await s.full.socket.end(); }},
    {"closed of a socket", [](Still& s, Token) -> Task<> { co_await s.idle.socket.closed(); }},
    {"listen, in its look-up",
     [](Still& s, Token) -> Task<> { co_await s.server.listen(0, "one.leat.test"); }, false},
    {"connect, in its look-up",
     [](Still&, Token) -> Task<> { (void)co_await net::connect(1, "one.leat.test"); }, false},
};

struct Counts {
  Counts() {
    const leat::LoopMetrics metrics = leat::EventLoop::current().metrics();
    references = metrics.references;
    timers = metrics.timers;
    immediates = metrics.immediates;
  }
  friend bool operator==(const Counts&, const Counts&) = default;
  long references;
  std::size_t timers, immediates;
};

/// Starts the row, drops it some turns later and looks at what is left.
Task<> startAndDrop(const Row& row, int turns) {
  const Token token = std::make_shared<int>(0);
  Still still;
  co_await leat::nextImmediate();
  const Counts before;
  struct sigaction action;
  {
    Started<> started(row.wait(still, token));
    CHECK(token.use_count() == 2);
    for (int turn = 0; turn < turns; ++turn) co_await leat::nextImmediate();
    CHECK_FALSE(started.done());
    started.drop();
    CHECK(token.use_count() == 1);
    // The loop goes on: what was dropped does not come back.
    co_await leat::sleep(1);
    CHECK_FALSE(started.done());
  }
  const Counts after;
  CHECK(after == before);
  ::sigaction(SIGUSR2, nullptr, &action);
  CHECK(action.sa_handler == SIG_DFL);
  // Who blocks is released, which nobody but this test waits for.
  CHECK(::write(still.pipe[1], "x", 1) == 1);
  co_await until([] { return blockedOn.load() == 0; });
}

}  // namespace

TEST_CASE(
    "a coroutine that is dropped while it waits leaves nothing behind in a loop that goes on") {
  for (const Row& row : rows) {
    for (const int turns : {0, 3}) {
      if (turns > 0 && !row.lasts) continue;
      INFO(row.what << ", dropped after " << turns << " turns");
      run([&]() -> Task<> {
        const Counts begun;
        co_await startAndDrop(row, turns);
        co_await leat::nextImmediate();
        const Counts left;
        CHECK(left.references == begun.references);
        CHECK(left.timers == begun.timers);
        CHECK(left.immediates == begun.immediates);
      });
    }
  }
}

TEST_CASE("one who is dropped in the batch that would resume it is not resumed") {
  const struct {
    const char* what;
    Task<> (*wait)(Token);
    void (*before)(std::function<void()>);
  } batches[] = {
      {"a sleep", [](Token) -> Task<> { co_await leat::sleep(2); },
       [](std::function<void()> drop) { leat::setTimeout(std::move(drop), 2); }},
      {"an immediate", [](Token) -> Task<> { co_await leat::nextImmediate(); },
       [](std::function<void()> drop) { leat::setImmediate(std::move(drop)); }},
      {"a microtask", [](Token) -> Task<> { co_await leat::yield(); },
       [](std::function<void()> drop) { leat::queueMicrotask(std::move(drop)); }},
  };
  for (const auto& batch : batches) {
    INFO(batch.what);
    run([&]() -> Task<> {
      const Counts before;
      const Token token = std::make_shared<int>(0);
      auto started = std::make_unique<std::optional<Started<>>>();
      bool dropped = false;
      // Both are due in the same batch, the one that drops first.
      batch.before([&] {
        CHECK_FALSE((*started)->done());
        (*started)->drop();
        dropped = true;
      });
      started->emplace(batch.wait(token));
      co_await until([&dropped] { return dropped; });
      co_await leat::sleep(3);
      CHECK_FALSE((*started)->done());
      CHECK(token.use_count() == 1);
      const Counts after;
      CHECK(after == before);
    });
  }
}
