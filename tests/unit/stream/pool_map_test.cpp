// SPDX-License-Identifier: MIT
// poolMap: in which order its chunks come, how many are with the pool, and what an error or an end stops.
#include <leat/abort.hpp>
#include <leat/pool.hpp>
#include <leat/process/process.hpp>
#include <leat/stream/pool_map.hpp>

#include "stream_rig.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

using namespace leat;
using detail::Atomic;
using leat_test::counting;
using leat_test::fresh;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

using Numbers = std::vector<int>;

Numbers upTo(int count, int factor = 1) {
  Numbers all;
  for (int i = 1; i <= count; ++i) all.push_back(factor * i);
  return all;
}

/// Calls in progress, on any thread.
struct Gauge {
  Atomic<int> now{0};
  Atomic<int> most{0};
  Atomic<int> calls{0};
  Atomic<bool> open{true};
  void enter() {
    calls.fetchAdd(1);
    const int mine = now.fetchAdd(1) + 1;
    int seen = most.load();
    while (seen < mine && !most.compareExchange(seen, mine)) {
    }
  }
  void waitUntilOpen() const {
    while (!open.load()) ::sched_yield();
  }
  void leave() { now.fetchSub(1); }
};

/// Ten times its chunk; what it holds is seen by the token.
struct TenTimes {
  int operator()(int chunk) const {
    gauge->enter();
    gauge->waitUntilOpen();
    gauge->leave();
    if (chunk == failAt) throw std::runtime_error("call");
    return 10 * chunk;
  }
  Gauge* gauge;
  Token token{};
  int failAt = 0;
};

/// As `leavesNothing`; calls that had begun may end later than the loop, and let go then.
template <class F>
void leavesNothingLater(F body) {
  const Token token = std::make_shared<int>(0);
  CHECK(run([&] { return body(token); }) == 0);
  while (token.use_count() > 1) ::sched_yield();
}

int negative(int chunk) { return -chunk; }

}  // namespace

TEST_CASE("poolMap keeps the order and has no more chunks with the pool than it is told") {
  for (const std::size_t concurrency : {1U, 2U, 3U, 8U}) {
    Gauge gauge;
    WorkStealingPool pool({.threads = 3});
    leavesNothing([&, concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      const auto source = counting(seen, 100, 0, token);
      const PoolMapOptions options{.concurrency = concurrency, .pool = &pool};
      const auto mapped = poolMap(TenTimes{&gauge, token}, options);
      const auto row = compose(source, mapped);
      const Numbers all = co_await row.toArray();
      CHECK(all == upTo(100, 10));
      CHECK(seen->destroys == 1);
    });
    CHECK(gauge.calls.load() == 100);
    CHECK(gauge.most.load() <= static_cast<int>(concurrency));
    CHECK(pool.statistics().queued == 0);
  }
}

TEST_CASE("poolMap gives chunks as they are done, when the order does not matter") {
  WorkStealingPool pool({.threads = 2});
  for (const bool ordered : {true, false}) {
    Numbers got;
    leavesNothing([&, ordered](Token token) -> Task<> {
      const auto second = std::make_shared<Atomic<bool>>(false);
      // The first is done when the second has been read or, in order, has been made.
      const auto call = [second, token, ordered](int chunk) {
        if (chunk == 1) {
          while (!second->load()) ::sched_yield();
        } else if (chunk == 2 && ordered) {
          second->store(true);
        }
        return chunk;
      };
      const auto seen = std::make_shared<Seen>();
      const auto source = counting(seen, 5);
      const auto stage = poolMap(call, {.concurrency = 2, .ordered = ordered, .pool = &pool});
      const auto row = compose(source, stage);
      while (auto chunk = co_await row.next()) {
        got.push_back(*chunk);
        if (*chunk == 2) second->store(true);
      }
    });
    if (ordered) {
      CHECK(got == upTo(5));
    } else {
      REQUIRE(got.size() == 5);
      CHECK(got[0] == 2);
      std::sort(got.begin(), got.end());
      CHECK(got == upTo(5));
    }
  }
}

TEST_CASE("poolMap takes no more than its marks and its concurrency while nobody reads") {
  Gauge gauge;
  WorkStealingPool pool({.threads = 2});
  leavesNothing([&](Token token) -> Task<> {
    const auto seen = std::make_shared<Seen>();
    const auto source = counting(seen, 1000, 0, token);
    const PoolMapOptions options{.concurrency = 3, .pool = &pool, .highWaterMark = 4};
    const auto stage = poolMap(TenTimes{&gauge, token}, options);
    source.pipe(stage);
    // Four are buffered, three are done and wait for room.
    while (gauge.calls.load() < 7) co_await turns(1);
    for (int i = 0; i < 20; ++i) co_await turns(5);
    CHECK(gauge.calls.load() == 7);
    CHECK(stage.readableLength() == 4);
    CHECK(stage.writableLength() <= 5);
    CHECK_FALSE(stage.readableEnded());
    Numbers all = co_await stage.toArray();
    CHECK(all == upTo(1000, 10));
    CHECK(stage.writableFinished());
  });
}

TEST_CASE("what fails on the pool destroys the row once, and what has not begun never does") {
  for (const bool ordered : {true, false}) {
    Gauge gauge;
    WorkStealingPool pool({.threads = 1});
    leavesNothingLater([&, ordered](Token token) -> Task<> {
      gauge.open.store(false);
      const auto seen = std::make_shared<Seen>();
      const auto got = std::make_shared<Seen>();
      const auto source = counting(seen, 100, 0, token);
      const Writable<int> sink(leat_test::CountingSink{got, 0, token});
      const PoolMapOptions options{.concurrency = 4, .ordered = ordered, .pool = &pool};
      const auto stage = poolMap(TenTimes{&gauge, token, 3}, options);
      int errors = 0;
      stage.on<"error">([&errors](const std::exception_ptr&) { ++errors; });
      Promise<> piped = pipeline(source, stage, sink);
      while (pool.statistics().queued < 3) co_await turns(1);
      gauge.open.store(true);
      const std::string text = co_await outcome(piped);
      CHECK(text == "call");
      CHECK(errors == 1);
      CHECK(seen->destroys == 1);
      CHECK(got->destroys == 1);
      // Two done before it; at most those that were with the pool by then have begun.
      CHECK(gauge.calls.load() <= 3 + 4);
    });
  }
}

TEST_CASE("a row that is aborted closes at once, and takes its chunks back from the pool") {
  Gauge gauge;
  WorkStealingPool pool({.threads = 1});
  gauge.open.store(false);
  leavesNothingLater([&](Token token) -> Task<> {
    const auto seen = std::make_shared<Seen>();
    const auto source = counting(seen, 100);
    const Writable<int> sink(leat_test::CountingSink{seen});
    AbortController controller;
    const PoolMapOptions options{.concurrency = 6, .pool = &pool};
    const auto stage = poolMap(TenTimes{&gauge, token}, options);
    const PipelineOptions stoppable{.signal = controller.signal()};
    Promise<> piped = pipeline(stoppable, source, stage, sink);
    while (gauge.calls.load() < 1 || pool.statistics().queued < 5) co_await turns(1);
    controller.abort();
    const std::string text = co_await outcome(piped);
    CHECK(text == "ABORT_ERR");
    CHECK(stage.destroyed());
    CHECK(pool.statistics().queued == 0);
    gauge.open.store(true);
  });
  CHECK(gauge.calls.load() == 1);
}

TEST_CASE("the signal of poolMap destroys it, that of who writes does not") {
  Gauge gauge;
  WorkStealingPool pool({.threads = 1});
  gauge.open.store(false);
  CHECK(run([&]() -> Task<> {
          AbortController own;
          AbortController writer;
          const PoolMapOptions options{.concurrency = 2, .pool = &pool, .signal = own.signal()};
          const auto stage = poolMap(TenTimes{&gauge}, options);
          std::string error;
          stage.on<"error">([&error](const std::exception_ptr& e) { error = leat_test::text(e); });
          const auto write = [&]() -> Task<> {
            stage.write(1);
            co_await nextImmediate();
          };
          co_await withSignal(writer.signal(), write());
          writer.abort();
          co_await turns(2);
          CHECK_FALSE(stage.destroyed());
          own.abort();
          co_await turns(2);
          CHECK(stage.destroyed());
          CHECK(error == "ABORT_ERR");
          gauge.open.store(true);
        }) == 0);
}

TEST_CASE("poolMap takes functions, coroutines, and callables whose chunk is told") {
  WorkStealingPool pool({.threads = 2});
  CHECK(run([&]() -> Task<> {
          const PoolMapOptions options{.pool = &pool};
          const auto plain = compose(readableFrom(upTo(3)), poolMap(negative, options));
          const Numbers a = co_await plain.toArray();
          CHECK(a == Numbers{-1, -2, -3});
          const auto coroutine = [](std::string chunk) -> Task<std::size_t> {
            co_return chunk.size();
          };
          const std::vector<std::string> texts{"one", "three"};
          const auto sizes = compose(readableFrom(texts), poolMap(coroutine, options));
          const std::vector<std::size_t> b = co_await sizes.toArray();
          CHECK(b == std::vector<std::size_t>{3, 5});
          const auto any = [](auto chunk) { return chunk + 1; };
          const auto next = compose(readableFrom(upTo(3)), poolMap<int>(any, options));
          const Numbers c = co_await next.toArray();
          CHECK(c == Numbers{2, 3, 4});
          const auto twice = [](const Buffer& bytes) {
            return Buffer::from(bytes.toString() + bytes.toString());
          };
          const auto text = compose(readableFrom("ab"), poolMap(twice));  // of the shared pool
          const std::string d = co_await consumers::text(text);
          CHECK(d == "abab");
          const auto none = compose(readableFrom(Numbers()), poolMap(negative, options));
          const Numbers e = co_await none.toArray();
          CHECK(e.empty());
        }) == 0);
}

TEST_CASE("chunks that cannot be copied are moved through the pool") {
  WorkStealingPool pool({.threads = 1});
  CHECK(run([&]() -> Task<> {
          const auto pass = [](std::unique_ptr<int> chunk) { return chunk; };
          const PoolMapOptions options{.concurrency = 2, .pool = &pool};
          const auto stage = poolMap(pass, options);
          for (int i = 0; i < 3; ++i) stage.write(std::make_unique<int>(i));
          stage.end();
          int sum = 0;
          while (auto chunk = co_await stage.next()) sum += 1 + **chunk;
          CHECK(sum == 6);
        }) == 0);
}

TEST_CASE("poolMap may be destroyed, written and read by who gets its chunks") {
  Gauge gauge;
  WorkStealingPool pool({.threads = 2});
  for (const int destroyAt : {1, 2, 5}) {
    leavesNothingLater([&, destroyAt](Token token) -> Task<> {
      const PoolMapOptions options{.concurrency = 3, .pool = &pool};
      const auto stage = poolMap(TenTimes{&gauge, token}, options);
      int got = 0;
      bool closed = false;
      stage.on<"data">([&, handle = stage](int) {
        if (++got == destroyAt) handle.destroy();
        if (got < destroyAt) handle.write(got);
      });
      stage.on<"close">([&closed] { closed = true; });
      for (int i = 1; i <= 10; ++i) stage.write(i);
      while (!closed) co_await turns(1);
      CHECK(got == destroyAt);
    });
  }
}

TEST_CASE("what a listener of poolMap throws is uncaught, and the others of its chunks come") {
  std::vector<std::string> uncaught;
  leavesNothingLater([&uncaught](Token token) -> Task<> {
    process::on<"uncaughtException">([&uncaught](const std::exception_ptr& error) {
      uncaught.push_back(leat_test::text(error));
    });
    Gauge gauge;
    const auto row = poolMap(TenTimes{&gauge, token}, {.concurrency = 2});
    Numbers heard;
    row.on<"data">([&heard](int chunk) {
      heard.push_back(chunk);
      if (chunk == 20) throw std::runtime_error("heard");
    });
    co_await pipeline(counting(fresh(), 6, 0, token), Writable<int>(row));
    co_await row.closed();
    CHECK(heard == upTo(6, 10));
  });
  CHECK(uncaught == std::vector<std::string>{"heard"});
}

TEST_CASE("a pool without room or at its end fails poolMap") {
  CHECK(run([]() -> Task<> {
          Gauge gauge;
          WorkStealingPool full({.threads = 1, .maxQueued = 1, .whenFull = PoolFull::Throw});
          gauge.open.store(false);
          // Its thread is busy all the while, so that there is room for one.
          const Promise<int> busy = spawn(full.run(TenTimes{&gauge}, 1));
          while (gauge.calls.load() == 0) ::sched_yield();
          const PoolMapOptions options{.concurrency = 5, .pool = &full};
          const auto row = compose(readableFrom(upTo(9)), poolMap(TenTimes{&gauge}, options));
          const std::string text = co_await outcome(row.toArray());
          CHECK(text == "ERR_POOL_FULL");
          // Who waits for the write that failed is told.
          const auto refused = poolMap(TenTimes{&gauge}, options);
          refused.on<"error">([](const std::exception_ptr&) {});
          refused.write(1);  // has the room that the row before has left
          const std::string written = co_await outcome(refused.write(2));
          CHECK(written == "ERR_POOL_FULL");
          CHECK(refused.destroyed());
          gauge.open.store(true);
          const int done = co_await busy;
          CHECK(done == 10);
          // With a bound that lets wait all is well.
          WorkStealingPool bounded({.threads = 1, .maxQueued = 1});
          const PoolMapOptions waiting{.concurrency = 5, .pool = &bounded};
          const auto other = compose(readableFrom(upTo(9)), poolMap(TenTimes{&gauge}, waiting));
          const Numbers all = co_await other.toArray();
          CHECK(all == upTo(9, 10));
          auto ending = std::make_unique<WorkStealingPool>(PoolOptions{.threads = 1});
          WorkStealingPool& old = *ending;
          const PoolMapOptions last{.concurrency = 2, .pool = &old};
          const auto stage = poolMap(TenTimes{&gauge}, last);
          gauge.open.store(false);
          const int before = gauge.calls.load();
          stage.write(1);
          stage.write(2);
          while (gauge.calls.load() == before) ::sched_yield();
          std::thread opener([&] {
            while (old.statistics().queued > 0) ::sched_yield();
            gauge.open.store(true);
          });
          ending.reset();
          opener.join();
          const std::string closed = co_await outcome(stage.toArray());
          CHECK(closed == "ERR_POOL_CLOSED");
        }) == 0);
}

TEST_CASE("a loop may end while chunks are with the pool") {
  Gauge gauge;
  std::optional<WorkStealingPool> pool;
  pool.emplace(PoolOptions{.threads = 2});
  const Token token = std::make_shared<int>(0);
  for (int round = 0; round < 50; ++round) {
    EventLoop loop;
    const PoolMapOptions options{.concurrency = 4, .pool = &*pool};
    const auto stage = poolMap(TenTimes{&gauge, token}, options);
    for (int i = 1; i <= 10; ++i) stage.write(i);
    if (round % 2 == 0) stage.on<"data">([](int) {});
    for (int turn = 0; turn < round % 5; ++turn) (void)loop.runOnce(0);
  }
  // It waits for what runs.
  pool.reset();
  CHECK(token.use_count() == 1);
}
