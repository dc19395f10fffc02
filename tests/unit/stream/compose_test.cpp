// SPDX-License-Identifier: MIT
// A row of stages as one stream: what goes through it, how it ends, and whose error it has.
#include "stream_rig.hpp"

#include <leat/stream/compose.hpp>

#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::CountingSink;
using leat_test::CountingTransform;
using leat_test::fresh;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

using Numbers = std::vector<int>;
Transform<int> through(std::shared_ptr<Seen> seen, int failAt = 0, Token token = {}) {
  return Transform<int>(CountingTransform{std::move(seen), failAt, std::move(token)});
}
Transform<int> plus(int n) {
  return Transform<int>([n](int item) { return item + n; });
}
AsyncGenerator<int> doubled(ChunkIterator<int> chunks) {
  while (auto chunk = co_await chunks.next()) co_yield *chunk * 2;
}
AsyncGenerator<std::string> composedText(ChunkIterator<int> chunks) {
  while (auto chunk = co_await chunks.next()) co_yield std::to_string(*chunk);
}

}  // namespace

TEST_CASE("what is written to a composed stream comes out of its last stage") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto row = compose(plus(1), doubled, through(seen, 0, token), composedText);
    static_assert(std::is_same_v<std::decay_t<decltype(row)>, Duplex<std::string, int>>);
    for (int i = 0; i < 3; ++i) row.write(i);
    row.end();
    const auto all = co_await row.toArray();
    CHECK(all == std::vector<std::string>{"2", "4", "6"});
    co_await row.closed();
    CHECK(!row.errored());
    CHECK(row.writableFinished());
    CHECK(seen->destroys == 1);
  });
}

TEST_CASE("a composed stream is a stage like any other") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto row = compose(plus(1), plus(10));
    const Writable<int> sink(CountingSink{seen, 0, token});
    co_await pipeline(counting(fresh(), 50, 0, token), row, sink);
    CHECK(seen->chunks == 50);
    const auto nested = compose(compose(plus(1), plus(2)), compose(doubled, plus(3)));
    nested.end(0);
    const Numbers one = co_await nested.toArray();
    CHECK(one == Numbers{9});
  });
}

TEST_CASE("without a writing side at its beginning, or a reading side at its end, it has none") {
  leavesNothing([](Token token) -> Task<> {
    const auto source = compose(counting(fresh(), 3, 0, token), doubled);
    CHECK(!source.writable());
    const Numbers all = co_await source.toArray();
    CHECK(all == Numbers{2, 4, 6});
    const auto ranged = compose(std::vector<int>{1, 2}, plus(1));
    const Numbers two = co_await ranged.toArray();
    CHECK(two == Numbers{2, 3});
    const auto seen = fresh();
    const auto sink = compose(doubled, Writable<int>(CountingSink{seen, 0, token}));
    CHECK(!sink.readable());
    sink.write(1);
    co_await sink.end(2);
    CHECK(seen->chunks == 2);
    int sum = 0;
    const auto summing = compose(plus(1), [&sum, token](ChunkIterator<int> chunks) -> Task<> {
      return [](ChunkIterator<int> items, int& to) -> Task<> {
        while (auto item = co_await items.next()) to += *item;
      }(std::move(chunks), sum);
    });
    co_await summing.end(41);
    CHECK(sum == 42);
    const auto whole =
        compose(counting(fresh(), 3, 0, token), Writable<int>(CountingSink{seen, 0, token}));
    CHECK(!whole.readable());
    CHECK(!whole.writable());
    co_await whole.closed();
    CHECK(!whole.errored());
    CHECK(seen->chunks == 5);
  });
}

TEST_CASE("compose of one stage is duplexFrom") {
  leavesNothing([](Token token) -> Task<> {
    const auto same = plus(1);
    CHECK(compose(same) == same);
    same.destroy();
    const auto text = compose(composedText);
    text.end(7);
    const auto all = co_await text.toArray();
    CHECK(all == std::vector<std::string>{"7"});
    const Numbers read = co_await compose(counting(fresh(), 2, 0, token)).toArray();
    CHECK(read == Numbers{1, 2});
  });
}

TEST_CASE(
    "an error of any stage is that of the composed stream, and every stage is destroyed once") {
  for (int at = 0; at < 3; ++at) {
    leavesNothing([at](Token token) -> Task<> {
      std::vector<std::shared_ptr<Seen>> seen;
      for (int i = 0; i < 3; ++i) seen.push_back(fresh());
      const auto row = compose(through(seen[0], at == 0 ? 2 : 0, token),
                               through(seen[1], at == 1 ? 2 : 0, token),
                               through(seen[2], at == 2 ? 2 : 0, token));
      for (int i = 0; i < 5; ++i) row.write(i);
      const std::string told = co_await outcome(row.toArray());
      CHECK(told == "transform");
      co_await row.closed();
      co_await turns(2);
      for (const auto& each : seen) CHECK(each->destroys == 1);
    });
  }
}

TEST_CASE("a last stage that fails when all has been written is an error of the composed stream") {
  struct FailingFinal {
    Token token;
    void write(int) {}
    void final() { throw std::runtime_error("final"); }
  };
  struct StaysOpen {
    Token token;
    void write(int) {}
    void read(Duplex<int>&) {}
  };
  leavesNothing([](Token token) -> Task<> {
    // All of it waits in front of the sink when that fails.
    const auto first = compose(plus(1), Writable<int>(CountingSink{fresh(), 1, token}));
    const std::vector<int> three{1, 2, 3};
    const std::string piped = co_await outcome(pipeline(readableFrom(three), first));
    CHECK(piped == "sink");
    const auto second = compose(plus(1), Writable<int>(CountingSink{fresh(), 1, token}));
    std::string told;
    second.end(1, [&](const std::exception_ptr& error) { told = leat_test::text(error); });
    const std::string ended = co_await outcome(second.end());
    CHECK(ended == "sink");
    CHECK(told == "sink");
    const auto third = compose(plus(1), Writable<int>(FailingFinal{token}));
    const std::string final = co_await outcome(pipeline(readableFrom(three), third));
    CHECK(final == "final");
    const Duplex<int> open(StaysOpen{token});
    const auto fourth = compose(plus(1), open);
    fourth.end(1);
    co_await turns(3);
    open.on<"error">([] {});
    open.destroy(std::runtime_error("late"));
    const std::string read = co_await outcome(fourth.toArray());
    CHECK(read == "late");
  });
}

TEST_CASE("to destroy a composed stream destroys its stages, with its error") {
  leavesNothing([](Token token) -> Task<> {
    for (const bool fails : {false, true}) {
      const auto first = fresh();
      const auto last = fresh();
      const auto row = compose(through(first, 0, token), doubled, through(last, 0, token));
      row.write(1);
      std::string told;
      row.on<"error">([&told](const std::exception_ptr& error) { told = leat_test::text(error); });
      if (fails) {
        row.destroy(std::runtime_error("enough"));
      } else {
        row.destroy();
      }
      co_await row.closed();
      co_await turns(3);
      CHECK(told == (fails ? "enough" : "ABORT_ERR"));
      CHECK(first->destroys == 1);
      CHECK(last->destroys == 1);
    }
  });
}

TEST_CASE("a composed stream takes no more than its stages have room for") {
  leavesNothing([](Token) -> Task<> {
    DuplexOptions small;
    small.highWaterMark = 2;
    const auto pass = [small] { return PassThrough<int>(small); };
    const auto row = compose(pass(), pass());
    int written = 0;
    while (row.write(written) && written < 1000) ++written;
    co_await turns(5);
    while (!row.writableNeedDrain() && written < 1000) {
      row.write(written++);
      co_await turns(2);
    }
    CHECK(written < 60);
    const auto one = co_await row.next();
    CHECK(one == 0);
    row.on<"error">([] {});
    row.destroy();
    co_await row.closed();
  });
}

TEST_CASE("a composed stream that is not ended goes with the loop") {
  leat_test::leavesNothingWithin(3, [](Token token) {
    const auto row = compose(through(fresh(), 0, token), doubled, composedText);
    row.write(1);
    row.on<"data">([token](const std::string&) {});
  });
}
