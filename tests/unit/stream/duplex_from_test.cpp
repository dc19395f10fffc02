// SPDX-License-Identifier: MIT
// Streams with two sides out of other things: what goes where, how they end, and whose error is whose.
#include "stream_rig.hpp"

#include <leat/stream/compose.hpp>
#include <leat/stream/duplex_from.hpp>
#include <leat/stream/duplex_pair.hpp>
#include <leat/stream/transform.hpp>

#include <list>
#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::CountingSink;
using leat_test::fresh;
using leat_test::leavesNothing;
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

AsyncGenerator<std::string> asText(ChunkIterator<int> chunks) {
  while (auto chunk = co_await chunks.next()) co_yield std::to_string(*chunk);
  co_yield "end";
}
AsyncGenerator<int> first(ChunkIterator<int> chunks) {
  auto chunk = co_await chunks.next();
  co_yield *chunk;
}

}  // namespace

TEST_CASE("a duplex of two streams writes to one and reads from the other") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto readSeen = fresh();
    const auto both = duplexFrom(counting(readSeen, 30, 0, token), sink(seen, 0, token));
    for (int i = 0; i < 20; ++i) co_await both.write(i);
    both.end();
    const Numbers all = co_await both.toArray();
    CHECK(all.size() == 30);
    CHECK(seen->chunks == 20);
    co_await both.closed();
    CHECK(both.writableFinished());
    CHECK(seen->destroys == 1);
    CHECK(readSeen->destroys == 1);
    CHECK(!both.errored());
  });
}

TEST_CASE("a duplex of two streams obeys the mark of the sink") {
  leavesNothing([](Token) -> Task<> {
    int taken = 0;
    const Writable<int> slow([&taken](int, StreamCallback) { ++taken; }, {.highWaterMark = 2});
    const auto both = duplexFrom(slow);
    for (int i = 0; i < 40; ++i) both.write(i);
    co_await turns(3);
    CHECK(taken == 1);
    CHECK(slow.writableLength() == 2);
    CHECK(both.writableNeedDrain());
    CHECK(both.writableLength() == 39);
    CHECK(!both.readable());
    both.on<"error">([] {});
    slow.destroy();
    co_await both.closed();
  });
}

TEST_CASE("an error of either stream is that of the duplex, and destroys the other") {
  leavesNothing([](Token token) -> Task<> {
    {
      const auto seen = fresh();
      const auto from = counting(fresh(), 1000, 0, token);
      const auto both = duplexFrom(from, sink(seen, 2, token));
      both.write(1);
      both.write(2);
      const std::string told = co_await outcome(both.toArray());
      CHECK(told == "sink");
      co_await both.closed();
      CHECK(from.destroyed());
      CHECK(seen->destroys == 1);
    }
    const auto seen = fresh();
    const auto both = duplexFrom(counting(fresh(), 10, 3, token), sink(seen, 0, token));
    const std::string told = co_await outcome(both.toArray());
    CHECK(told == "source");
    co_await both.closed();
    co_await turns(2);
    CHECK(seen->destroys == 1);
  });
}

TEST_CASE("to destroy a duplex of two streams destroys both, also when one has ended") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto from = counting(fresh(), 1000, 0, token);
    const auto to = sink(seen, 0, token);
    const auto both = duplexFrom(from, to);
    both.on<"error">([] {});
    both.destroy();
    co_await both.closed();
    CHECK(from.destroyed());
    CHECK(to.destroyed());
    const auto endless = counting(fresh(), 1000, 0, token);
    const auto done = sink(fresh(), 0, token);
    const auto half = duplexFrom(endless, done);
    co_await half.end();
    co_await done.closed();
    CHECK(!endless.destroyed());
    half.on<"error">([] {});
    half.destroy();
    co_await half.closed();
    CHECK(endless.destroyed());
  });
}

TEST_CASE("a duplex of one stream has its side only; a duplex is itself") {
  leavesNothing([](Token token) -> Task<> {
    const auto reading = duplexFrom(counting(fresh(), 3, 0, token));
    CHECK(!reading.writable());
    const Numbers all = co_await reading.toArray();
    CHECK(all == Numbers{1, 2, 3});
    const auto seen = fresh();
    const auto writing = duplexFrom(sink(seen, 0, token));
    CHECK(!writing.readable());
    co_await writing.end(7);
    CHECK(seen->chunks == 1);
    const auto [a, b] = duplexPair<int>();
    CHECK(duplexFrom(a) == a);
    a.destroy();
    b.resume();
    b.end();
  });
}

TEST_CASE("a generator function is a duplex from what is written to what it yields") {
  leavesNothing([](Token token) -> Task<> {
    const auto text = duplexFrom(asText);
    for (int i = 0; i < 3; ++i) text.write(i);
    text.end();
    const auto all = co_await text.toArray();
    CHECK(all == std::vector<std::string>{"0", "1", "2", "end"});
    co_await text.closed();
    CHECK(text.writableFinished());
    const auto doubled = duplexFrom<int>([token](auto chunks) -> AsyncGenerator<int> {
      return [](auto items) -> AsyncGenerator<int> {
        while (auto item = co_await items.next()) co_yield *item * 2;
      }(std::move(chunks));
    });
    doubled.end(21);
    const Numbers twice = co_await doubled.toArray();
    CHECK(twice == Numbers{42});
  });
}

TEST_CASE("what is written to a generator function waits until that asks") {
  leavesNothing([](Token) -> Task<> {
    const auto text = duplexFrom(asText);
    int done = 0;
    for (int i = 0; i < 5; ++i) text.write(i, [&done] { ++done; });
    co_await turns(5);
    const int before = done;
    CHECK(before <= 3);
    CHECK(text.writableNeedDrain());
    const auto some = co_await text.next();
    CHECK(some == "0");
    co_await turns(3);
    CHECK(done > before);
    text.on<"error">([] {});
    text.destroy();
    co_await text.closed();
  });
}

TEST_CASE(
    "a function of a duplex that fails is its error, one that leaves early aborts the writing") {
  leavesNothing([](Token) -> Task<> {
    const auto failing = duplexFrom([](ChunkIterator<int> chunks) -> AsyncGenerator<int> {
      (void)co_await chunks.next();
      throw std::runtime_error("generator");
      co_yield 0;
    });
    failing.write(1);
    failing.write(2);
    const std::string told = co_await outcome(failing.toArray());
    CHECK(told == "generator");
    const auto leaving = duplexFrom(first);
    leaving.write(1);
    const auto one = co_await leaving.next();
    CHECK(one == 1);
    const std::string aborted = co_await outcome([](Duplex<int> s) -> Task<> {
      for (int i = 0; i < 100; ++i) {
        co_await s.write(i);
        co_await turns(1);
      }
    }(leaving));
    CHECK(aborted == "ABORT_ERR");
  });
}

TEST_CASE("a coroutine function is a duplex that is finished when it has ended") {
  leavesNothing([](Token token) -> Task<> {
    int sum = 0;
    const auto summing = duplexFrom([token, &sum](ChunkIterator<int> chunks) -> Task<> {
      return [](ChunkIterator<int> items, int& to) -> Task<> {
        while (auto item = co_await items.next()) to += *item;
        co_await turns(3);
        to += 100;
      }(std::move(chunks), sum);
    });
    CHECK(!summing.readable());
    for (int i = 1; i <= 4; ++i) co_await summing.write(i);
    co_await summing.end();
    CHECK(sum == 110);
    const auto failing = duplexFrom([](ChunkIterator<int> chunks) -> Task<> {
      (void)co_await chunks.next();
      throw std::runtime_error("reader");
    });
    failing.write(1);
    failing.write(2);
    const std::string told = co_await outcome(failing.end());
    CHECK(told == "reader");
    // Also when it has left what is written long before.
    const auto late = duplexFrom([](ChunkIterator<int> chunks) -> Task<> {
      {
        const auto left = std::move(chunks);
        (void)co_await left.next();
      }
      co_await turns(3);
      throw std::runtime_error("late");
    });
    late.write(1);
    late.write(2);
    const std::string toldLate = co_await outcome(late.end());
    CHECK(toldLate == "late");
    const auto leaving =
        duplexFrom([](ChunkIterator<int> chunks) -> Task<> { (void)co_await chunks.next(); });
    leaving.write(1);
    leaving.write(2);
    const std::string aborted = co_await outcome(leaving.end());
    CHECK(aborted == "ABORT_ERR");
    const auto never = duplexFrom([](ChunkIterator<int>) -> Task<> { co_return; });
    const std::string ended = co_await outcome(never.end());
    CHECK(ended == "ok");
  });
}

TEST_CASE("to destroy a duplex of a function that waits for more wakes it with an AbortError") {
  leavesNothing([](Token token) -> Task<> {
    std::string told;
    const auto waiting =
        duplexFrom<int>([token, &told](ChunkIterator<int> chunks) -> AsyncGenerator<int> {
          return [](ChunkIterator<int> items, std::string& to) -> AsyncGenerator<int> {
            std::exception_ptr error;
            try {
              (void)co_await items.next();
            } catch (...) {
              error = std::current_exception();
            }
            to = leat_test::text(error);
            co_yield 0;
          }(std::move(chunks), told);
        });
    waiting.resume();
    co_await turns(2);
    waiting.destroy();
    co_await waiting.closed();
    CHECK(told == "ABORT_ERR");
    CHECK(!waiting.errored());
  });
}

TEST_CASE("a range, a generator and a promise are duplexes that are only read") {
  leavesNothing([](Token token) -> Task<> {
    std::list<int> items = {1, 2, 3};
    const auto ranged = duplexFrom(items);
    CHECK(!ranged.writable());
    const Numbers all = co_await ranged.toArray();
    CHECK(all == Numbers{1, 2, 3});
    const auto generate = [](Token) -> AsyncGenerator<int> {
      for (int i = 0; i < 3; ++i) {
        co_await turns(1);
        co_yield i;
      }
    };
    const Numbers made = co_await duplexFrom(generate(token)).toArray();
    CHECK(made == Numbers{0, 1, 2});
    const auto later = [](bool fails) -> Promise<int> {
      co_await turns(1);
      if (fails) throw std::runtime_error("promise");
      co_return 5;
    };
    const auto given = later(false);
    const Numbers one = co_await duplexFrom(given).toArray();
    CHECK(one == Numbers{5});
    const auto broken = later(true);
    const std::string told = co_await outcome(duplexFrom(broken).toArray());
    CHECK(told == "promise");
  });
}

TEST_CASE("a text and a Buffer are duplexes of one chunk") {
  leavesNothing([](Token) -> Task<> {
    const std::string text = "some text";
    const std::string_view view = text;
    const Buffer buffer = Buffer::from(text);
    for (const Duplex<Buffer>& one :
         {duplexFrom("some text"), duplexFrom(text), duplexFrom(std::string(text)),
          duplexFrom(view), duplexFrom(buffer), compose(text), compose("some text")}) {
      CHECK(!one.writable());
      CHECK(one.readableHighWaterMark() == getDefaultHighWaterMark());
      const std::vector<Buffer> chunks = co_await one.toArray();
      CHECK(chunks.size() == 1);
      CHECK((!chunks.empty() && chunks[0].toString() == text));
    }
    const std::vector<Buffer> none = co_await duplexFrom(Buffer()).toArray();
    CHECK(none.empty());
  });
}

TEST_CASE("a duplex of streams that never end goes with the loop") {
  leat_test::leavesNothingWithin(3, [](Token token) {
    const Readable<int> from([token](Readable<int>&) {});
    const Writable<int> to([token](int, StreamCallback) {});
    duplexFrom(from, to).write(1);
    const auto text =
        duplexFrom([token](ChunkIterator<int> chunks) { return asText(std::move(chunks)); });
    text.write(1);
    text.on<"data">([token](const std::string&) {});
  });
}
