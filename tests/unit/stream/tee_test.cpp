// SPDX-License-Identifier: MIT
// One source for several readers: what each gets, how far the source is read ahead, and who goes when.
#include "stream_rig.hpp"

#include <leat/process/process.hpp>
#include <leat/stream/tee.hpp>
#include <leat/stream/transform.hpp>

#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::fresh;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

using Numbers = std::vector<int>;

/// Counts how often it is asked, and is never empty.
struct Endless {
  std::shared_ptr<int> reads;
  Token token;
  Promise<std::optional<int>> read() {
    co_await turns(1);
    co_return ++*reads;
  }
};
Readable<int> endless(std::shared_ptr<int> reads, Token token) {
  return Readable<int>(Endless{std::move(reads), std::move(token)}, {.highWaterMark = 2});
}

}  // namespace

TEST_CASE("every branch of a tee gets every chunk and the end") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto [a, b] = tee(counting(seen, 40, 0, token));
    const auto first = a.toArray();
    const auto second = b.toArray();
    const Numbers atA = co_await first;
    const Numbers atB = co_await second;
    CHECK(atA.size() == 40);
    CHECK(atA == atB);
    CHECK(seen->destroys == 1);
    const auto three = tee<3>(readableFrom("text"));
    const auto one = consumers::text(three[0]);
    const auto two = consumers::text(three[1]);
    const std::string last = co_await consumers::text(three[2]);
    CHECK(last == "text");
    const std::string atOne = co_await one;
    const std::string atTwo = co_await two;
    CHECK(atOne == "text");
    CHECK(atTwo == "text");
    const auto alone = co_await tee<1>(counting(fresh(), 2))[0].toArray();
    CHECK(alone == Numbers{1, 2});
  });
}

TEST_CASE("the source of a tee is read only when all branches have room") {
  leavesNothing([](Token token) -> Task<> {
    auto reads = std::make_shared<int>(0);
    const auto source = endless(reads, token);
    const auto [fast, slow] = tee(source, {.highWaterMark = 3});
    int got = 0;
    fast.on<"data">([&got](int) { ++got; });
    co_await turns(20);
    const int stopped = got;
    CHECK(stopped >= 3);
    CHECK(stopped <= 4);
    CHECK(slow.readableLength() <= 4);
    CHECK(*reads <= stopped + 2);
    for (int i = 1; i <= 50; ++i) {
      const auto chunk = co_await slow.next();
      CHECK(chunk == i);
    }
    co_await turns(20);
    CHECK(got >= 50);
    CHECK(got <= 54);
    slow.destroy();
    co_await turns(20);
    CHECK(got > 54);
    CHECK(!source.destroyed());
    fast.destroy();
    CHECK(source.destroyed());
  });
}

TEST_CASE("a branch of a tee that is dropped is waited for no longer") {
  leavesNothing([](Token token) -> Task<> {
    auto reads = std::make_shared<int>(0);
    const auto source = endless(reads, token);
    Readable<int> kept;
    {
      const auto branches = tee(source, {.highWaterMark = 1});
      kept = branches[0];
    }
    for (int i = 1; i <= 20; ++i) {
      const auto chunk = co_await kept.next();
      CHECK(chunk == i);
    }
    kept.destroy(std::runtime_error("enough"));
    CHECK(source.destroyed());
    CHECK(source.errored());
    const std::string told = co_await outcome(kept.next());
    CHECK(told == "enough");
  });
}

TEST_CASE("an error of the source of a tee reaches every branch") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = fresh();
    const auto [a, b] = tee(counting(seen, 10, 3, token));
    const Promise<std::string> first = outcome(a.toArray());
    const std::string atB = co_await outcome(b.toArray());
    const std::string atA = co_await first;
    CHECK(atA == "source");
    CHECK(atB == "source");
    CHECK(seen->destroys == 1);
    const Readable<int> manual([](Readable<int>&) {});
    const auto [c, d] = tee(manual);
    c.on<"error">([] {});
    manual.destroy();
    const std::string atD = co_await outcome(d.toArray());
    CHECK(atD == "ERR_STREAM_PREMATURE_CLOSE");
    CHECK(c.errored());
  });
}

TEST_CASE("what a listener of one branch of a tee throws leaves the others alone") {
  std::vector<std::string> uncaught;
  leavesNothing([&uncaught](Token token) -> Task<> {
    process::on<"uncaughtException">([&uncaught](const std::exception_ptr& error) {
      uncaught.push_back(leat_test::text(error));
    });
    for (const bool listens : {false, true}) {
      const auto [a, b, c] = tee<3>(counting(fresh(), 6, 0, token));
      Numbers heard;
      a.on<"data">([&heard](int chunk) {
        heard.push_back(chunk);
        if (chunk == 2) throw std::runtime_error("heard");
      });
      Numbers flown;
      if (listens) {
        c.on<"data">([&flown](int chunk) { flown.push_back(chunk); });
      } else {
        c.destroy();
      }
      // What is read here asks for more, and so makes the others flow.
      const Numbers read = co_await b.toArray();
      CHECK(read == Numbers{1, 2, 3, 4, 5, 6});
      co_await a.closed();
      CHECK(heard == read);
      CHECK(!a.errored());
      if (listens) CHECK(flown == read);
    }
  });
  CHECK(uncaught == std::vector<std::string>{"heard", "heard"});
}

TEST_CASE("a branch of a tee that cannot have its copy fails, the others go on") {
  struct Costly {
    explicit Costly(int n) : number(n) {}
    Costly(Costly&&) = default;
    Costly& operator=(Costly&&) = default;
    Costly(const Costly& other) : number(other.number) {
      if (number == 2 && ++copiesOfTwo() == 2) throw std::bad_alloc();
    }
    Costly& operator=(const Costly&) = default;
    static int& copiesOfTwo() {
      static int count = 0;
      return count;
    }
    int number;
  };
  leavesNothing([](Token) -> Task<> {
    const auto source = counting(fresh(), 4).map([](int n) { return Costly(n); });
    const auto [a, b] = tee(source);
    const auto first = a.map([](const Costly& each) { return each.number; }).toArray();
    const auto second = b.map([](const Costly& each) { return each.number; }).toArray();
    const std::string failed = co_await outcome(second);
    CHECK(failed == std::bad_alloc().what());
    const Numbers all = co_await first;
    CHECK(all == Numbers{1, 2, 3, 4});
  });
}

TEST_CASE("a source that has ended or is gone is told to the branches of its tee") {
  leavesNothing([](Token) -> Task<> {
    const auto source = counting(fresh(), 0);
    source.resume();
    co_await source.closed();
    const auto [a, b] = tee(source);
    const auto none = co_await a.toArray();
    CHECK(none.empty());
    b.resume();
    const Readable<int> gone([](Readable<int>&) {});
    gone.destroy();
    co_await gone.closed();
    const auto late = tee<1>(gone);
    const std::string told = co_await outcome(late[0].toArray());
    CHECK(told == "ERR_STREAM_PREMATURE_CLOSE");
  });
}

TEST_CASE("the end of a tee leaves the writing side of its source alone") {
  leavesNothing([](Token) -> Task<> {
    const PassThrough<int> both;
    const auto [a, b] = tee(both);
    b.resume();
    both.end(1);
    const auto all = co_await a.toArray();
    CHECK(all == Numbers{1});
    struct Open {
      std::optional<int> read() { return std::nullopt; }
      void write(int) {}
    };
    const Duplex<int> open(Open{});
    const auto ends = tee<1>(open);
    const auto none = co_await ends[0].toArray();
    CHECK(none.empty());
    co_await turns(2);
    CHECK(!open.destroyed());
  });
}

TEST_CASE("a tee that nobody reads goes with the loop") {
  leat_test::leavesNothingWithin(3, [](Token token) {
    auto reads = std::make_shared<int>(0);
    const auto branches = tee(endless(reads, token));
    branches[0].on<"data">([token](int) {});
  });
}
