// SPDX-License-Identifier: MIT
// Two connected streams: what one writes the other reads, as fast as it reads, and what happens when one goes.
#include "stream_rig.hpp"

#include <leat/stream/duplex_pair.hpp>

using namespace leat;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Token;
using leat_test::turns;

TEST_CASE("what is written to one of a pair is read from the other, both ways, to the end") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair();
    a.write("to b");
    b.write("to a");
    a.end();
    b.end("!");
    const std::string atB = co_await consumers::text(b);
    const std::string atA = co_await consumers::text(a);
    CHECK(atB == "to b");
    CHECK(atA == "to a!");
    co_await a.closed();
    co_await b.closed();
    CHECK(!a.errored());
  });
}

TEST_CASE("a pair may carry one type there and another one back") {
  leavesNothing([](Token) -> Task<> {
    const auto [client, server] = duplexPair<int, std::string>();
    server.on<"data">([server = server](int number) { server.write(std::to_string(number)); });
    server.on<"end">([server = server] { server.end(); });
    client.write(1);
    client.write(2);
    client.end();
    const auto answers = co_await client.toArray();
    CHECK(answers == std::vector<std::string>{"1", "2"});
  });
}

TEST_CASE("a write to one of a pair is done when the other asks for more") {
  leavesNothing([](Token token) -> Task<> {
    DuplexOptions small;
    small.highWaterMark = 1;
    const auto [a, b] = duplexPair<int>(small);
    int done = 0;
    for (int i = 0; i < 3; ++i) a.write(i, [&done, token] { ++done; });
    co_await turns(3);
    // One waits in b, whose mark it is; another one in a.
    CHECK(done == 0);
    CHECK(b.readableLength() == 1);
    CHECK(a.writableNeedDrain());
    const auto first = co_await b.next();
    CHECK(first == 0);
    co_await turns(2);
    CHECK(done == 1);
    const auto second = co_await b.next();
    CHECK(second == 1);
    a.end();
    const auto rest = co_await b.toArray();
    CHECK(rest == std::vector<int>{2});
    CHECK(done == 3);
    b.end();
    a.resume();
    co_await a.closed();
  });
}

TEST_CASE("an empty chunk is written to a pair, and the next one goes on") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair();
    bool told = false;
    a.write("", [&told] { told = true; });
    a.write("some");
    a.end();
    const std::string all = co_await consumers::text(b);
    CHECK(told);
    CHECK(all == "some");
    b.end();
    a.resume();
  });
}

TEST_CASE("one of a pair that is destroyed is the end of the other, which writes to nobody then") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair();
    bool done = false;
    a.write("pending", [&done](const std::exception_ptr& error) { done = !error; });
    b.destroy();
    const auto rest = co_await a.toArray();
    CHECK(rest.empty());
    CHECK(done);
    CHECK(!a.destroyed());
    std::string told;
    a.on<"error">([&told](const std::exception_ptr& error) { told = leat_test::text(error); });
    a.write("more");
    co_await a.closed();
    CHECK(told == "EPIPE");
    const auto [c, d] = duplexPair();
    d.destroy();
    co_await turns(1);
    co_await c.end();
    CHECK(c.writableFinished());
    c.resume();
    co_await c.closed();
    CHECK(!c.errored());
  });
}

TEST_CASE("one of a pair that fails closes the other, without its error") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair();
    std::string told;
    b.on<"error">([&told](const std::exception& error) { told = error.what(); });
    b.destroy(std::runtime_error("broken"));
    co_await a.closed();
    CHECK(told == "broken");
    CHECK(!a.errored());
    CHECK(!a.readableEnded());
  });
}

TEST_CASE("who waits for the end of what it wrote goes on when the other is destroyed") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair();
    const auto ending = outcome(a.end("never read"));
    co_await turns(1);
    CHECK(!a.writableFinished());
    b.destroy();
    co_await turns(3);
    CHECK(a.writableFinished());
  });
}

TEST_CASE("a listener of one of a pair reads, too") {
  leavesNothing([](Token) -> Task<> {
    const auto [a, b] = duplexPair<int>();
    std::vector<int> heard;
    b.on<"data">([&heard, from = b](int chunk) {
      heard.push_back(chunk);
      if (chunk == 1) (void)from.read();
    });
    co_await turns(1);
    std::string told;
    a.write(1, [&told] { told += "1"; });
    a.write(2, [&told] { told += "2"; });
    a.end([&told] { told += "."; });
    co_await turns(4);
    CHECK(told == "12.");
    CHECK(heard == std::vector<int>{1, 2});
    b.end();
  });
}

TEST_CASE("one of a pair that nobody holds any more is the end of the other") {
  leavesNothing([](Token) -> Task<> {
    Duplex<Buffer> left;
    {
      auto pair = duplexPair();
      left = pair.first;
      pair.second.write("last words");
      co_await turns(1);
    }
    const std::string all = co_await consumers::text(left);
    CHECK(all == "last words");
    left.end();
    co_await left.closed();
  });
}

TEST_CASE("a pair whose writes wait on both sides goes with its handles") {
  leat_test::leavesNothingWithin(2, [](Token token) {
    const auto [a, b] = duplexPair();
    a.write("x", [token] {});
    b.write("y", [token] {});
    a.on<"close">([token] {});
  });
  leavesNothing([](Token token) {
    const auto [a, b] = duplexPair();
    a.write("x", [token] {});
    b.write("y", [token] {});
  });
}

TEST_CASE("a signal destroys both of a pair") {
  leavesNothing([](Token) -> Task<> {
    const AbortController controller;
    DuplexOptions options;
    options.signal = controller.signal();
    const auto [a, b] = duplexPair(options);
    int failures = 0;
    b.on<"error">([&failures] { ++failures; });
    const std::string told = co_await outcome([](Duplex<Buffer> s, AbortController c) -> Task<> {
      c.abort();
      (void)co_await s.next();
    }(a, controller));
    CHECK(told == "ABORT_ERR");
    CHECK(b.destroyed());
    co_await b.closed();
    CHECK(failures == 1);
  });
}
