// SPDX-License-Identifier: MIT
// What a pipeline holds and lets go: its streams are destroyed once, its functions live as long as they run.
#include "stream_rig.hpp"

#include <leat/core/combinators.hpp>

#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::CountingSink;
using leat_test::CountingTransform;
using leat_test::fresh;
using leat_test::leavesNothing;
using leat_test::leavesNothingWithin;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

using Numbers = std::vector<int>;

Writable<int> sink(std::shared_ptr<Seen> seen, int failAt = 0, Token token = {}) {
  return Writable<int>(CountingSink{std::move(seen), failAt, std::move(token)},
                       {.highWaterMark = 2});
}
Transform<int, int> through(std::shared_ptr<Seen> seen, int failAt = 0, Token token = {}) {
  return Transform<int, int>(CountingTransform{std::move(seen), failAt, std::move(token)});
}

/// Passes chunks on, and says while it runs.
AsyncGenerator<int> passing(ChunkIterator<int> chunks, std::shared_ptr<Seen> seen, int failAt) {
  struct Open {
    explicit Open(Seen& s) : seen(s) { ++seen.open; }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    ~Open() {
      --seen.open;
      ++seen.destroys;
    }
    Seen& seen;
  } const open(*seen);
  while (const auto chunk = co_await chunks.next()) {
    if (++seen->chunks == failAt) throw std::runtime_error("generator");
    co_yield *chunk;
  }
}

}  // namespace

TEST_CASE("whichever stage of a pipeline fails, each is destroyed once and its error is thrown") {
  struct Failure {
    int source, transform, generator, sink;
    const char* error;
  };
  for (const Failure at :
       {Failure{0, 0, 0, 0, "ok"}, Failure{3, 0, 0, 0, "source"}, Failure{0, 3, 0, 0, "transform"},
        Failure{0, 0, 3, 0, "generator"}, Failure{0, 0, 0, 3, "sink"},
        Failure{1, 0, 0, 0, "source"}, Failure{0, 1, 0, 0, "transform"},
        Failure{0, 0, 1, 0, "generator"}, Failure{0, 0, 0, 1, "sink"}}) {
    leavesNothing([at](Token token) -> Task<> {
      const auto source = fresh(), first = fresh(), generated = fresh(), second = fresh(),
                 last = fresh();
      const auto from = counting(source, 20, at.source, token);
      const auto to = sink(last, at.sink, token);
      const auto stage = [generated, token, at](ChunkIterator<int> chunks) {
        return passing(std::move(chunks), generated, at.generator);
      };
      const auto one = through(first, at.transform, token), two = through(second, 0, token);
      const auto piped = pipeline(from, one, stage, two, to);
      const std::string failure = co_await outcome(piped);
      CHECK(failure == at.error);
      co_await from.closed();
      co_await one.closed();
      co_await two.closed();
      co_await to.closed();
      co_await turns(3);
      for (const auto& each : {source, first, generated, second, last}) CHECK(each->destroys == 1);
      CHECK(generated->open == 0);
      if (failure == "ok") CHECK(last->chunks == 20);
    });
  }
}

TEST_CASE("functions that a pipeline is given live until it is over, and no longer") {
  leavesNothing([](Token token) -> Task<> {
    Numbers got;
    {
      // Coroutines of closures: these are the pipeline's as soon as it has them.
      auto first = [token]() -> AsyncGenerator<int> {
        for (int i = 1; i <= 5; ++i) {
          co_await turns(1);
          co_yield i + *token;
        }
      };
      auto middle = [token](ChunkIterator<int> chunks) -> AsyncGenerator<int> {
        while (const auto chunk = co_await chunks.next()) {
          co_await turns(1);
          co_yield *chunk * 2 + *token;
        }
      };
      auto last = [token, &got](ChunkIterator<int> chunks) -> Promise<> {
        while (const auto chunk = co_await chunks.next()) {
          co_await turns(1);
          got.push_back(*chunk + *token);
        }
      };
      auto piped = pipeline(moved(first), moved(middle), moved(last));
      co_await piped;
    }
    CHECK(got == Numbers{2, 4, 6, 8, 10});
    co_await turns(2);
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("a generator that waits when its pipeline fails is destroyed when it goes on") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    bool ended = false;
    auto first = [token, &ended]() -> AsyncGenerator<int> {
      const std::shared_ptr<void> atEnd(nullptr, [&ended](void*) { ended = true; });
      co_yield 1;
      co_await turns(6);
      co_yield 2;
      CHECK(false);
    };
    const auto to = sink(seen, 1, token);
    auto piped = pipeline(moved(first), to);
    const std::string failure = co_await outcome(piped);
    CHECK(failure == "sink");
    co_await to.closed();
    co_await turns(10);
    CHECK(ended);
    CHECK(seen->destroys == 1);
  });
}

TEST_CASE("a function at the end that leaves early ends the pipeline, and destroys what it read") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto from = counting(seen, 1000, 0, token);
    const auto one = [token](ChunkIterator<int> chunks) -> Promise<> {
      (void)co_await chunks.next();
    };
    const std::string left = co_await outcome(pipeline(from, one));
    CHECK(left == "ok");
    co_await from.closed();
    CHECK(seen->destroys == 1);
    const auto other = counting(seen, 1000, 0, token);
    const auto nothing = [token](ChunkIterator<int>) -> Promise<> { co_return; };
    const std::string unread = co_await outcome(pipeline(other, nothing));
    CHECK(unread == "ok");
    co_await other.closed();
    CHECK(seen->destroys == 2);
  });
}

TEST_CASE("the error of a function is that of its pipeline, though it destroys what it read") {
  leavesNothing([](Token token) -> Task<> {
    const auto fails = [token](ChunkIterator<int> chunks) -> Promise<> {
      (void)co_await chunks.next();
      throw std::runtime_error("function");
    };
    const auto from = counting(fresh(), 1000, 0, token);
    const auto first = through(fresh(), 0, token);
    const std::string behind = co_await outcome(pipeline(from, first, fails));
    CHECK(behind == "function");
    const std::string alone = co_await outcome(pipeline(counting(fresh(), 9, 0, token), fails));
    CHECK(alone == "function");
    AbortController controller;
    PipelineOptions options;
    options.signal = controller.signal();
    const auto other = counting(fresh(), 1000, 0, token);
    const auto second = through(fresh(), 0, token);
    const auto piped = pipeline(options, other, second, fails);
    controller.abort();
    const std::string aborted = co_await outcome(piped);
    CHECK(aborted == "ABORT_ERR");
  });
}

TEST_CASE("a pipeline that is under way is dropped with its loop") {
  for (const bool withSignal : {false, true}) {
    AbortController* controller = nullptr;
    for (int count = 0; count < 25; ++count) {
      leavesNothingWithin(count, [&](const Token& token) {
        AbortController mine;
        controller = &mine;
        const auto stage = [token](ChunkIterator<int> chunks) {
          return passing(std::move(chunks), fresh(), 0);
        };
        PipelineOptions options;
        if (withSignal) options.signal = controller->signal();
        (void)pipeline(options, counting(fresh(), 1000, 0, token), through(fresh(), 0, token),
                       stage, sink(fresh(), 0, token));
      });
    }
  }
}

TEST_CASE("a pipeline keeps its streams, and lets them go when it is over") {
  leavesNothing([](Token token) -> Task<> {
    const auto last = fresh();
    auto piped =
        pipeline(counting(fresh(), 9, 0, token), through(fresh(), 0, token), sink(last, 0, token));
    co_await turns(1);
    CHECK(token.use_count() > 2);
    co_await piped;
    CHECK(last->chunks == 9);
    co_await turns(2);
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("streams that are not destroyed are let go after their pipeline too") {
  leavesNothing([](Token token) -> Task<> {
    {
      const Readable<int> from(leat_test::CountingSource{fresh(), 5, 0, token},
                               {.autoDestroy = false});
      const Writable<int> to(CountingSink{fresh(), 0, token}, {.autoDestroy = false});
      co_await pipeline(from, to);
      CHECK_FALSE(from.destroyed());
      CHECK_FALSE(to.destroyed());
    }
    co_await turns(2);
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("an abort destroys each stream of a pipeline once") {
  leavesNothing([](Token token) -> Task<> {
    for (int after = 0; after < 12; ++after) {
      const auto source = fresh(), middle = fresh(), last = fresh();
      AbortController controller;
      const auto from = counting(source, 1000, 0, token);
      const auto to = sink(last, 0, token);
      PipelineOptions options;
      options.signal = controller.signal();
      const auto piped = pipeline(options, from, through(middle, 0, token), to);
      co_await turns(after + 1);
      controller.abort();
      const std::string failure = co_await outcome(piped);
      CHECK(failure == "ABORT_ERR");
      co_await from.closed();
      co_await to.closed();
      co_await turns(2);
      CHECK(source->destroys == 1);
      CHECK(middle->destroys == 1);
      CHECK(last->destroys == 1);
    }
  });
}

TEST_CASE("a slow sink stops the source of a long pipeline") {
  leavesNothing([](Token token) -> Task<> {
    const auto source = fresh(), last = fresh();
    const Writable<int> stuck([last](int, StreamCallback) { ++last->chunks; },
                              {.highWaterMark = 1});
    DuplexOptions two;
    two.highWaterMark = 2;
    const auto pass = [&two, token] {
      return Transform<int, int>(CountingTransform{fresh(), 0, token}, two);
    };
    const auto from = counting(source, 10'000, 0, token);
    const auto piped = pipeline(from, pass(), pass(), pass(), stuck);
    co_await turns(200);
    CHECK(last->chunks == 1);
    // Each of the three has two marks of 2, the source one of 16.
    CHECK(source->reads < 16 + 3 * 4 + 6);
    from.destroy();
    const std::string failure = co_await outcome(piped);
    CHECK(failure == "ERR_STREAM_PREMATURE_CLOSE");
    stuck.destroy();
    co_await stuck.closed();
  });
}

TEST_CASE("chunks that cannot be copied pass a pipeline") {
  leavesNothing([](Token) -> Task<> {
    using Chunk = std::unique_ptr<int>;
    int at = 0, sum = 0;
    const Readable<Chunk> from([&at](Readable<Chunk>& self) {
      if (++at > 10) return (void)self.push(nullptr);
      self.push(std::make_unique<int>(at));
    });
    const Transform<Chunk, Chunk> doubled([](Chunk chunk) {
      *chunk *= 2;
      return chunk;
    });
    const Writable<Chunk> to([&sum](Chunk chunk) { sum += *chunk; });
    co_await pipeline(from, doubled, to);
    CHECK(sum == 110);
  });
}

TEST_CASE("what a callback of a pipeline throws is an uncaught exception") {
  CHECK(run([] {
          pipeline(counting(fresh(), 2), sink(fresh()),
                   [](const std::exception_ptr&) { throw std::runtime_error("callback"); });
        }) == 1);
}

TEST_CASE("a pipeline with a callback gives its last stream") {
  struct Holder {
    const Transform<int, int>& stream() const { return kept; }
    Transform<int, int> kept;
  };
  leavesNothing([](Token token) -> Task<> {
    int calls = 0;
    const auto called = [&calls, token](const std::exception_ptr& error) {
      calls += error ? 0 : 1;
    };
    const auto last = through(fresh(), 0, token);
    // It is read on from.
    const auto given = pipeline(counting(fresh(), 3, 0, token), through(fresh()), last, called);
    static_assert(std::is_same_v<decltype(given), const Transform<int, int>>);
    CHECK(given == last);
    const Numbers passed = co_await given.toArray();
    CHECK(passed.size() == 3);
    const Holder holder{through(fresh(), 0, token)};
    const auto held = pipeline({.end = true}, counting(fresh(), 2, 0, token), holder, called);
    CHECK(held == holder.kept);
    const Numbers two = co_await held.toArray();
    CHECK(two.size() == 2);
    const auto made = pipeline(Numbers{1}, sink(fresh(), 0, token), called);
    co_await finished(made);
    const auto reads = [](ChunkIterator<int> chunks) -> Task<> { (void)co_await chunks.next(); };
    static_assert(std::is_void_v<decltype(pipeline(Numbers{1}, reads, called))>);
    pipeline(Numbers{1}, reads, called);
    co_await turns(3);
    CHECK(calls == 4);
  });
}

TEST_CASE("pipelines that share a sink end it when the last one does") {
  leavesNothing([](Token token) -> Task<> {
    const auto last = fresh();
    const auto to = sink(last, 0, token);
    // As in Node each of them leaves listeners until the sink closes.
    to.setMaxListeners(20);
    PipelineOptions open;
    open.end = false;
    for (int i = 0; i < 3; ++i) {
      const auto piped = pipeline(open, counting(fresh(), 4, 0, token), to);
      co_await piped;
      CHECK(to.writable());
    }
    co_await pipeline(counting(fresh(), 1, 0, token), to);
    CHECK(last->chunks == 13);
    CHECK(to.writableFinished());
  });
}
