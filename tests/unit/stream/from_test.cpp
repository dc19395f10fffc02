// SPDX-License-Identifier: MIT
// Ranges and generators as streams: what is kept, how far they are asked ahead, when they are destroyed.
#include "stream_rig.hpp"

#include <list>
#include <memory>
#include <ranges>
#include <span>

using namespace leat;
using leat_test::leavesNothing;
using leat_test::leavesNothingWithin;
using leat_test::outcome;
using leat_test::Token;
using leat_test::turns;

namespace {

struct Steps {
  int started = 0;
  int ended = 0;
  int yielded = 0;
};
AsyncGenerator<int> endless(std::shared_ptr<Steps> steps, Token token, bool waits) {
  struct End {
    explicit End(Steps& s) : steps(s) {}
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() { ++steps.ended; }
    Steps& steps;
  } const end(*steps);
  ++steps->started;
  for (int i = *token + 1;; ++i) {
    if (waits) co_await turns(2);
    ++steps->yielded;
    co_yield i;
  }
}

}  // namespace

TEST_CASE("the items of any range are chunks, and the range is the stream's") {
  leavesNothing([](Token token) -> Task<> {
    std::list<std::string> words = {"a", "b", "c"};
    const auto ofList = readableFrom(words);
    words.front() = "changed";
    const std::string listed = co_await consumers::text(ofList);
    CHECK(listed == "abc");
    const auto numbers = co_await readableFrom(std::views::iota(1, 5)).toArray();
    CHECK(numbers == std::vector<int>{1, 2, 3, 4});
    const int array[] = {7, 8};
    const auto spanned = co_await readableFrom(std::span<const int>(array)).toArray();
    CHECK(spanned == std::vector<int>{7, 8});
    std::vector<Token> held(3, token);
    const auto tokens = co_await readableFrom(std::move(held)).toArray();
    CHECK(tokens.size() == 3);
    const auto empty = co_await readableFrom(std::vector<int>()).toArray();
    CHECK(empty.empty());
  });
}

TEST_CASE("the items of a std::vector<bool> are values") {
  leavesNothing([](Token) -> Task<> {
    const std::vector<bool> bits{true, false, true};
    const auto bools = readableFrom(bits);
    static_assert(std::is_same_v<decltype(bools), const Readable<bool>>);
    const auto read = co_await bools.toArray();
    CHECK(read == bits);
    const auto turned = co_await duplexFrom(bits).map([](bool bit) { return !bit; }).toArray();
    CHECK(turned == std::vector<bool>{false, true, false});
    const std::vector<int> two{1, 2};
    const auto flat =
        co_await readableFrom(two).flatMap([](int) { return std::vector<bool>{true}; }).toArray();
    CHECK(flat == std::vector<bool>{true, true});
  });
}

TEST_CASE("what is somebody else's is copied: items of generators of references, of views") {
  leavesNothing([](Token) -> Task<> {
    const std::vector<std::string> words{"one that is too long to be kept in place", "two"};
    auto mine = words;
    const auto refer = [](std::vector<std::string>& all) -> AsyncGenerator<std::string&> {
      for (std::string& each : all) co_yield each;
    };
    const auto read = co_await readableFrom(refer(mine)).toArray();
    CHECK(read == words);
    CHECK(mine == words);
    const std::vector<int> two{1, 2};
    const auto spans = [&mine](int) { return std::span<std::string>(mine); };
    const auto all = [&mine](int) { return std::views::all(mine); };
    const auto some = [&mine](int) {
      return std::views::filter(mine, [](const std::string& each) { return each.size() > 3; });
    };
    for (const std::size_t concurrency : {1U, 2U}) {
      const OperatorOptions options{.concurrency = concurrency};
      const auto spanned = co_await readableFrom(two).flatMap(spans, options).toArray();
      CHECK(spanned.size() == 4);
      CHECK(spanned[2] == words[0]);
      const auto viewed = co_await readableFrom(two).flatMap(all, options).toArray();
      CHECK(viewed == spanned);
      const auto filtered = co_await readableFrom(two).flatMap(some, options).toArray();
      CHECK(filtered == std::vector<std::string>(2, words[0]));
      const auto numbers = [](int) { return std::views::iota(0, 2); };
      const auto made = co_await readableFrom(two).flatMap(numbers, options).toArray();
      CHECK(made == std::vector<int>{0, 1, 0, 1});
      const auto owned = [](int n) {
        std::vector<std::unique_ptr<int>> one;
        one.push_back(std::make_unique<int>(n));
        return one;
      };
      const auto moved = co_await readableFrom(two).flatMap(owned, options).toArray();
      CHECK(*moved.at(1) == 2);
    }
    CHECK(mine == words);
  });
}

TEST_CASE("one text or buffer is one chunk of bytes, nothing when it is empty") {
  leavesNothing([](Token) -> Task<> {
    const auto text = co_await readableFrom("some text").toArray();
    CHECK(text.size() == 1);
    CHECK(text[0].toString() == "some text");
    const std::string named = "named";
    const auto copied = co_await readableFrom(named).toArray();
    CHECK(copied[0].toString() == "named");
    const auto bytes = co_await readableFrom(Buffer::from("bytes")).toArray();
    CHECK(bytes[0].toString() == "bytes");
    const auto none = co_await readableFrom("").toArray();
    CHECK(none.empty());
  });
}

TEST_CASE("what a range throws is the error of its stream") {
  leavesNothing([](Token token) -> Task<> {
    const auto item = [token](int i) {
      if (i == 3) throw std::runtime_error("item");
      return i;
    };
    auto range = std::views::iota(1, 9) | std::views::transform(item);
    const auto stream = readableFrom(std::vector<int>{1, 2, 3});
    const std::string fine = co_await outcome(stream.toArray());
    CHECK(fine == "ok");
    const std::string failure = co_await outcome(readableFrom(range).toArray());
    CHECK(failure == "item");
  });
}

TEST_CASE("a generator is asked for no more than there is room for") {
  leavesNothing([](Token token) -> Task<> {
    for (const std::size_t mark : {1U, 4U, 10U}) {
      const auto steps = std::make_shared<Steps>();
      StreamOptions options;
      options.highWaterMark = mark;
      const auto stream = readableFrom(endless(steps, token, false), options);
      co_await turns(2);
      CHECK(steps->started == 0);
      const auto first = co_await stream.next();
      CHECK(first == 1);
      co_await turns(5);
      CHECK(steps->yielded >= static_cast<int>(mark));
      CHECK(steps->yielded <= static_cast<int>(mark) + 2);
      stream.destroy();
      co_await stream.closed();
      CHECK(steps->ended == 1);
    }
  });
}

TEST_CASE("a generator is destroyed once with its stream, wherever it stands") {
  leavesNothing([](Token token) -> Task<> {
    for (int after = 0; after < 9; ++after) {
      for (const bool waits : {false, true}) {
        const auto steps = std::make_shared<Steps>();
        const auto stream = readableFrom(endless(steps, token, waits));
        stream.resume();
        // What never waits and is never full would go on for ever.
        if (!waits) stream.pause();
        co_await turns(after + 1);
        stream.destroy(std::runtime_error("enough"));
        const std::string failure = co_await outcome(leat::finished(stream));
        CHECK(failure == "enough");
        CHECK(steps->ended == steps->started);
      }
    }
  });
}

TEST_CASE("generators are dropped with the loop and with the stream") {
  for (int count = 0; count < 12; ++count) {
    const auto steps = std::make_shared<Steps>();
    leavesNothingWithin(count, [&](const Token& token) {
      const auto stream = readableFrom(endless(steps, token, true));
      stream.on<"readable">([stream, token] { (void)stream.read(); });
    });
    CHECK(steps->ended == steps->started);
  }
  leavesNothing([](Token token) {
    const auto stream = readableFrom(endless(std::make_shared<Steps>(), token, true));
    CHECK(stream.readable());
  });
}

TEST_CASE("a generator whose stream ends lets go what it holds before the end is told") {
  leavesNothing([](Token token) -> Task<> {
    bool released = false, releasedAtEnd = false;
    const auto three = [](std::shared_ptr<void>) -> AsyncGenerator<int> {
      co_yield 1;
      co_yield 2;
    };
    std::shared_ptr<void> held(nullptr, [&released, token](void*) { released = true; });
    const auto stream = readableFrom(three(std::move(held)));
    stream.on<"end">([&] { releasedAtEnd = released; });
    stream.resume();
    co_await stream.closed();
    CHECK(releasedAtEnd);
  });
}
