// SPDX-License-Identifier: MIT
// The pool for blocking calls: how it grows and shrinks, what waits, what is cancelled, how it ends.
#include <leat_test.hpp>

#include <leat/pool/blocking_pool.hpp>
#include <leat/testing/fuse.hpp>

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat::detail::Atomic;
using leat::detail::BlockingJob;
using leat::detail::BlockingPool;
using leat::sys::Call;
using leat::testing::FaultInjector;

constexpr std::int64_t ms = 1'000'000;

/// True when `done()` comes true within ten seconds.
template <class Done>
bool eventually(Done done) {
  const std::int64_t end = leat::sys::monotonicNs() + 10'000 * ms;
  while (!done()) {
    if (leat::sys::monotonicNs() > end) return false;
    ::usleep(200);
  }
  return true;
}

/// What the jobs of a test did. Outlives them.
struct Board {
  Atomic<int> ran{0};
  Atomic<int> running{0};
  Atomic<int> most{0};
  Atomic<int> done{0};
  Atomic<int> disposed{0};
  Atomic<bool> gateOpen{false};
};

/// Opens the gate, also when a test fails, so that the end of the pool need not wait for ever.
struct GateKeeper {
  Board& board;
  ~GateKeeper() { board.gateOpen.store(true); }
};

/// Waits at the gate, unless told not to.
struct Job : BlockingJob {
  Job(Board& where, Class kind, bool waits)
      : BlockingJob(operations, kind), board(where), waitsAtGate(waits) {}
  static void run(BlockingJob& job) noexcept {
    auto& self = static_cast<Job&>(job);
    Board& board = self.board;
    const int now = board.running.fetchAdd(1) + 1;
    int most = board.most.load();
    while (now > most && !board.most.compareExchange(most, now)) {
    }
    while (self.waitsAtGate && !board.gateOpen.load()) ::usleep(100);
    self.output = self.input * 2;
    board.running.fetchSub(1);
    board.ran.fetchAdd(1);
  }
  static void finish(BlockingJob& job) noexcept {
    auto& self = static_cast<Job&>(job);
    self.finished.store(true);
    self.board.done.fetchAdd(1);
  }
  static void dispose(BlockingJob& job) noexcept {
    auto& self = static_cast<Job&>(job);
    Board& board = self.board;
    delete &self;
    board.disposed.fetchAdd(1);
  }
  static constexpr Operations operations{run, finish, dispose};

  Board& board;
  bool waitsAtGate;
  int input = 21;
  int output = 0;
  Atomic<bool> finished{false};
};

Job* makeJob(Board& board, bool waits, BlockingJob::Class kind = BlockingJob::Class::quick) {
  return new Job(board, kind, waits);
}
/// Submits a job that nobody else holds.
void launch(BlockingPool& pool, Board& board, bool waits,
            BlockingJob::Class kind = BlockingJob::Class::quick) {
  Job* job = makeJob(board, waits, kind);
  CHECK(pool.submit(*job) == 0);
  job->release();
}

}  // namespace

TEST_CASE("a job runs on a thread of the pool, tells that it is done, and is disposed of once") {
  Board board;
  BlockingPool pool({2, 5'000 * ms});
  CHECK(pool.threads() == 0);
  Job* job = makeJob(board, false);
  REQUIRE(pool.submit(*job) == 0);
  REQUIRE(eventually([&] { return job->finished.load(); }));
  CHECK(job->output == 42);
  CHECK(board.disposed.load() == 0);  // we hold it still
  CHECK(pool.threads() == 1);
  REQUIRE(eventually([&] { return job->useCount() == 1; }));
  job->release();
  CHECK(board.disposed.load() == 1);
}

TEST_CASE("the pool grows while jobs block, to its limit; the rest waits in order") {
  Board board;
  BlockingPool pool({3, 5'000 * ms});
  const GateKeeper keeper{board};
  for (int i = 0; i < 10; ++i) launch(pool, board, true);
  REQUIRE(eventually([&] { return board.running.load() == 3; }));
  CHECK(pool.threads() == 3);
  CHECK(pool.queued() == 7);
  board.gateOpen.store(true);
  REQUIRE(eventually([&] { return board.disposed.load() == 10; }));
  CHECK(board.most.load() == 3);
  CHECK(board.done.load() == 10);
}

TEST_CASE("a thread that is idle takes the next job, and no thread is made") {
  // A worker that the machine keeps from sleeping again is not idle, and another is made: not every time.
  std::size_t fewest = 4;
  for (int tries = 0; tries < 5 && fewest > 2; ++tries) {
    Board board;
    BlockingPool pool({4, 5'000 * ms});
    for (int i = 0; i < 20; ++i) {
      launch(pool, board, false);
      REQUIRE(eventually([&] { return board.disposed.load() == i + 1; }));
      ::usleep(2000);  // so that the worker sleeps again
    }
    fewest = std::min<std::size_t>(fewest, pool.threads());
  }
  CHECK(fewest <= 2);
}

TEST_CASE("idle threads end after their time, and come again when there is work") {
  Board board;
  BlockingPool pool({4, 20 * ms});
  const GateKeeper keeper{board};
  for (int round = 0; round < 3; ++round) {
    board.gateOpen.store(false);
    for (int i = 0; i < 4; ++i) launch(pool, board, true);
    REQUIRE(eventually([&] { return board.running.load() == 4; }));
    board.gateOpen.store(true);
    REQUIRE(eventually([&] { return pool.threads() == 0; }));
    CHECK(board.ran.load() == 4 * (round + 1));
  }
}

TEST_CASE("a job that comes while the only thread is leaving is not forgotten") {
  Board board;
  BlockingPool pool({1, 50'000});
  constexpr int jobs = LEAT_TSAN ? 300 : 2000;
  for (int i = 0; i < jobs; ++i) {
    launch(pool, board, false);
    if (i % 3 != 0) ::usleep(static_cast<useconds_t>(30 + i % 40));
    if (i % 16 == 0) REQUIRE(eventually([&] { return board.ran.load() == i + 1; }));
  }
  REQUIRE(eventually([&] { return board.ran.load() == jobs; }));
}

TEST_CASE("slow jobs never hold more than half of the threads, and quick ones pass them") {
  Board board, quick;
  BlockingPool pool({5, 5'000 * ms});
  const GateKeeper keeper{board};
  CHECK(pool.maxOfSlowClass() == 3);
  for (int i = 0; i < 8; ++i) launch(pool, board, true, BlockingJob::Class::names);
  REQUIRE(eventually([&] { return board.running.load() == 3; }));
  for (int i = 0; i < 6; ++i) launch(pool, quick, false);
  REQUIRE(eventually([&] { return quick.ran.load() == 6; }));
  CHECK(board.running.load() == 3);
  CHECK(pool.queued() == 5);
  board.gateOpen.store(true);
  REQUIRE(eventually([&] { return board.ran.load() == 8; }));
  CHECK(board.most.load() == 3);
}

TEST_CASE("look-ups and the calls of users leave each other threads, and both the disk") {
  Board calls, names, quick;
  BlockingPool pool({8, 5'000 * ms});
  const GateKeeper keepers[] = {{calls}, {names}};
  CHECK(pool.maxOfSlowClass() == 4);
  CHECK(pool.maxSlow() == 6);
  for (int i = 0; i < 10; ++i) launch(pool, calls, true, BlockingJob::Class::calls);
  REQUIRE(eventually([&] { return calls.running.load() == 4; }));
  for (int i = 0; i < 10; ++i) launch(pool, names, true, BlockingJob::Class::names);
  REQUIRE(eventually([&] { return names.running.load() == 2; }));
  for (int i = 0; i < 5; ++i) launch(pool, quick, false);
  REQUIRE(eventually([&] { return quick.ran.load() == 5; }));
  CHECK(pool.queued() == 6 + 8);
  // The threads of the calls that have ended are for those of both kinds that wait.
  calls.gateOpen.store(true);
  REQUIRE(eventually([&] { return calls.ran.load() == 10; }));
  REQUIRE(eventually([&] { return names.running.load() == 4; }));
  names.gateOpen.store(true);
  REQUIRE(eventually([&] { return names.ran.load() == 10; }));
  CHECK(calls.most.load() == 4);
  CHECK(names.most.load() == 4);
}

TEST_CASE("however few threads there are, each class has one, and the disk its own if it can") {
  const unsigned wanted[][3] = {{1, 1, 1}, {2, 1, 1}, {3, 2, 2}, {4, 2, 3}, {7, 4, 6}, {16, 8, 12}};
  for (const auto& [threads, ofClass, together] : wanted) {
    Board slow;
    BlockingPool pool({threads, 5'000 * ms});
    CHECK(pool.maxOfSlowClass() == ofClass);
    CHECK(pool.maxSlow() == together);
    {
      const GateKeeper keeper{slow};
      for (unsigned i = 0; i < 2 * threads; ++i)
        launch(pool, slow, true,
               i % 2 == 0 ? BlockingJob::Class::names : BlockingJob::Class::calls);
      REQUIRE(eventually([&] { return slow.running.load() == static_cast<int>(together); }));
      if (threads > 1) {
        Board quick;
        launch(pool, quick, false);
        REQUIRE(eventually([&] { return quick.disposed.load() == 1; }));
      }
    }
    REQUIRE(eventually([&] { return slow.ran.load() == static_cast<int>(2 * threads); }));
  }
}

TEST_CASE("a job that waits can be cancelled and leaves nothing behind; one that runs cannot") {
  Board board;
  BlockingPool pool({1, 5'000 * ms});
  const GateKeeper keeper{board};
  Job* running = makeJob(board, true);
  Job* waiting = makeJob(board, true);
  REQUIRE(pool.submit(*running) == 0);
  REQUIRE(eventually([&] { return board.running.load() == 1; }));
  REQUIRE(pool.submit(*waiting) == 0);
  CHECK(pool.cancel(*waiting));
  CHECK_FALSE(pool.cancel(*waiting));
  CHECK(waiting->useCount() == 1);
  waiting->release();
  CHECK(board.disposed.load() == 1);
  CHECK_FALSE(pool.cancel(*running));
  // Whoever waited leaves; the pool keeps the job, and what it uses, until it has ended.
  running->release();
  CHECK(board.disposed.load() == 1);
  board.gateOpen.store(true);
  REQUIRE(eventually([&] { return board.disposed.load() == 2; }));
  CHECK(board.done.load() == 1);
}

TEST_CASE("cancelling while jobs start gives each of them exactly one end") {
  Board board;
  BlockingPool pool({2, 5'000 * ms});
  constexpr int jobs = LEAT_TSAN ? 1000 : 5000;
  int cancelled = 0;
  for (int i = 0; i < jobs; ++i) {
    Job* job = makeJob(board, false);
    REQUIRE(pool.submit(*job) == 0);
    if (i % 2 == 0) ::sched_yield();
    if (i % 7 == 0) ::usleep(50);
    if (pool.cancel(*job)) ++cancelled;
    job->release();
  }
  REQUIRE(eventually([&] { return board.disposed.load() == jobs; }));
  CHECK(board.ran.load() == jobs - cancelled);
  CHECK(board.done.load() == jobs - cancelled);
}

TEST_CASE("many threads may submit and cancel at once") {
  Board board;
  Atomic<int> cancelled{0};
  constexpr int each = LEAT_TSAN ? 500 : 3000;
  {
    BlockingPool pool({4, 1 * ms});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          Job* job = makeJob(board, false, static_cast<BlockingJob::Class>(i % 3));
          if (pool.submit(*job) != 0) std::abort();
          if (i % 5 == t && pool.cancel(*job)) cancelled.fetchAdd(1);
          job->release();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(eventually([&] { return board.ran.load() + cancelled.load() == 4 * each; }));
  }
  CHECK(board.disposed.load() == 4 * each);
}

TEST_CASE("the end of a pool drops what waits, waits for what runs, and takes nothing more") {
  Board board;
  auto pool = std::make_unique<BlockingPool>(BlockingPool::Limits{1, 5'000 * ms});
  const GateKeeper keeper{board};
  launch(*pool, board, true);
  REQUIRE(eventually([&] { return board.running.load() == 1; }));
  for (int i = 0; i < 3; ++i) launch(*pool, board, true);
  CHECK_FALSE(pool->stop(5 * ms));
  CHECK(board.disposed.load() == 3);
  Job* late = makeJob(board, false);
  CHECK(pool->submit(*late) == -ECANCELED);
  CHECK(late->useCount() == 1);
  CHECK_FALSE(pool->cancel(*late));
  late->release();
  board.gateOpen.store(true);
  CHECK(pool->stop(-1));
  CHECK(board.disposed.load() == 5);
  CHECK(board.ran.load() == 1);
  CHECK(pool->threads() == 0);
  pool.reset();
}

namespace {

/// Opens the gate of its board when it is dropped.
struct Opener : BlockingJob {
  explicit Opener(Board& where) : BlockingJob(operations, Class::quick), board(where) {}
  static void nothing(BlockingJob&) noexcept {}
  static void dispose(BlockingJob& job) noexcept {
    auto& self = static_cast<Opener&>(job);
    self.board.gateOpen.store(true);
    delete &self;
  }
  static constexpr Operations operations{nothing, nothing, dispose};
  Board& board;
};

}  // namespace

TEST_CASE("a job that is cancelled while its pool ends has one end") {
  constexpr int jobs = LEAT_TSAN ? 2000 : 5000;
  Board busy;
  const GateKeeper keeper{busy};
  Board board;
  BlockingPool pool({1, 5'000 * ms});
  launch(pool, busy, true);
  REQUIRE(eventually([&] { return busy.running.load() == 1; }));
  auto* opener = new Opener(board);
  REQUIRE(pool.submit(*opener) == 0);
  opener->release();
  std::vector<Job*> waiting;
  for (int i = 0; i < jobs; ++i) {
    waiting.push_back(makeJob(board, false));
    REQUIRE(pool.submit(*waiting.back()) == 0);
  }
  std::thread canceller([&] {
    while (!board.gateOpen.load()) {
    }
    for (int i = jobs; i > 0; --i) {
      Job& job = *waiting[static_cast<std::size_t>(i - 1)];
      (void)pool.cancel(job);
      job.release();
    }
  });
  CHECK_FALSE(pool.stop(0));
  canceller.join();
  CHECK(board.disposed.load() == jobs);
  CHECK(board.ran.load() == 0);
  busy.gateOpen.store(true);
  CHECK(pool.stop(-1));
  CHECK(busy.disposed.load() == 1);
}

namespace {

/// Opens the gate of its board when it is dropped, and goes when the thread that was held there has ended.
struct SlowOpener : BlockingJob {
  SlowOpener(Board& where, BlockingPool& of)
      : BlockingJob(operations, Class::quick), board(where), pool(of) {}
  static void nothing(BlockingJob&) noexcept {}
  static void dispose(BlockingJob& job) noexcept {
    auto& self = static_cast<SlowOpener&>(job);
    self.board.gateOpen.store(true);
    (void)eventually([&] { return self.pool.threads() == 0; });
    delete &self;
  }
  static constexpr Operations operations{nothing, nothing, dispose};
  Board& board;
  BlockingPool& pool;
};

}  // namespace

TEST_CASE("what waits when a pool ends is not begun while the rest of it is dropped") {
  Board busy;
  const GateKeeper keeper{busy};
  Board board;
  BlockingPool pool({1, 5'000 * ms});
  launch(pool, busy, true);
  REQUIRE(eventually([&] { return busy.running.load() == 1; }));
  auto* opener = new SlowOpener(busy, pool);
  REQUIRE(pool.submit(*opener) == 0);
  opener->release();
  for (int i = 0; i < 3; ++i) launch(pool, board, false);
  CHECK(pool.stop(-1));
  CHECK(busy.ran.load() == 1);
  CHECK(board.ran.load() == 0);
  CHECK(board.disposed.load() == 3);
}

TEST_CASE("without a thread a job is refused with the reason; with one it waits for it") {
  Board board;
  BlockingPool pool({2, 5'000 * ms});
  const GateKeeper keeper{board};
  FaultInjector injector;
  for (const Call call : {Call::pthread_create, Call::pthread_sigmask}) {
    injector.fail(call, EAGAIN);
    Job* refused = makeJob(board, false);
    CHECK(pool.submit(*refused) == -EAGAIN);
    CHECK(refused->useCount() == 1);
    CHECK_FALSE(refused->linked());
    refused->release();
    CHECK(pool.threads() == 0);
  }
  board.disposed.store(0);
  launch(pool, board, true);
  REQUIRE(eventually([&] { return board.running.load() == 1; }));
  injector.fail(Call::pthread_create, EAGAIN);
  launch(pool, board, false);
  CHECK(injector.blown() == 1);
  CHECK(pool.threads() == 1);
  board.gateOpen.store(true);
  REQUIRE(eventually([&] { return board.disposed.load() == 2; }));
}

namespace {

/// Looks at the thread it runs on: 1 when it is as it should be, else 2.
struct Look : BlockingJob {
  Look() : BlockingJob(operations) {}
  static void run(BlockingJob& job) noexcept {
    sigset_t mask;
    char name[32] = {};
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    const bool good = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGSEGV) == 0 &&
                      std::string(name) == "leat-blocking";
    static_cast<Look&>(job).result.store(good ? 1 : 2);
  }
  static void nothing(BlockingJob&) noexcept {}
  static constexpr Operations operations{run, nothing, nothing};
  Atomic<int> result{0};
};

}  // namespace

TEST_CASE("signals are blocked on the threads of the pool, and they have a name") {
  Look look;
  BlockingPool pool({1, 5'000 * ms});
  sigset_t before, after;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
  REQUIRE(pool.submit(look) == 0);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &after);
  CHECK(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM));
  REQUIRE(eventually([&] { return look.result.load() != 0; }));
  CHECK(look.result.load() == 1);
  pool.stop(-1);
}

TEST_CASE("the limit comes from LEAT_BLOCKING_MAX when that is a number from 1 to 1024") {
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const auto usual = static_cast<unsigned>(std::min(128L, std::max(8L, 4 * processors)));
  const auto limit = [](const char* text) {
    ::setenv("LEAT_BLOCKING_MAX", text, 1);
    const unsigned threads = BlockingPool().maxThreads();
    ::unsetenv("LEAT_BLOCKING_MAX");
    return threads;
  };
  CHECK(BlockingPool().maxThreads() == usual);
  CHECK(limit("1") == 1);
  CHECK(limit("37") == 37);
  for (const char* bad : {"", "0", "-3", "1025", "7x", "many"}) CHECK(limit(bad) == usual);
}

#if !LEAT_TSAN  // which allows no threads after a fork of a program that has some

namespace {

/// Runs `body` in a child and gives its exit status; the child leaves through exit().
template <class Body>
int inChild(Body body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    body();
    std::exit(7);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Destroyed after everything that was made since main began, the end of the shared pool included.
struct UsesPoolAtExit {
  bool armed = false;
  Board* dropped = nullptr;  // of three jobs that had not started
  ~UsesPoolAtExit() {
    if (!armed) return;
    if (dropped->disposed.load() != 3 || dropped->ran.load() != 0) std::_Exit(4);
    static Board board;
    Job* job = makeJob(board, false);
    if (BlockingPool::shared().submit(*job) != -ECANCELED) std::_Exit(3);
    job->release();
  }
} usesPoolAtExit;

}  // namespace

TEST_CASE("a child of fork has a pool of its own, and its end leaves the parent's alone") {
  static Board board;
  launch(BlockingPool::shared(), board, false);
  REQUIRE(eventually([&] { return board.disposed.load() == 1; }));
  BlockingPool* parents = &BlockingPool::shared();
  CHECK(inChild([&] {
          if (&BlockingPool::shared() == parents) std::_Exit(1);
          launch(BlockingPool::shared(), board, false);
          std::_Exit(eventually([&] { return board.disposed.load() == 2; }) ? 0 : 2);
        }) == 0);
  CHECK(inChild([] {}) == 7);
  CHECK(&BlockingPool::shared() == parents);
  launch(BlockingPool::shared(), board, false);
  REQUIRE(eventually([&] { return board.disposed.load() == 2; }));
}

TEST_CASE("a process ends promptly though a call still blocks, also after using the pool at exit") {
  static Board board;
  const std::int64_t start = leat::sys::monotonicNs();
  CHECK(inChild([] {
          static Board waiting;
          usesPoolAtExit.armed = true;
          usesPoolAtExit.dropped = &waiting;
          ::setenv("LEAT_BLOCKING_MAX", "1", 1);
          launch(BlockingPool::shared(), board, true);
          if (!eventually([] { return board.running.load() == 1; })) std::_Exit(2);
          for (int i = 0; i < 3; ++i) launch(BlockingPool::shared(), waiting, false);
        }) == 7);
  CHECK(leat::sys::monotonicNs() - start < 5'000 * ms);
}

#endif
