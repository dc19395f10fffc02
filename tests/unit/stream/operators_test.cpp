// SPDX-License-Identifier: MIT
// What operators give, in which order, how many calls are in progress, and who is destroyed when.
#include "stream_rig.hpp"

#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

using Numbers = std::vector<int>;

Numbers numbersUpTo(int count) {
  Numbers all;
  for (int i = 1; i <= count; ++i) all.push_back(i);
  return all;
}
bool isBeginning(const Numbers& got) {
  const Numbers all = {10, 20, 30};
  return got.size() <= all.size() && std::equal(got.begin(), got.end(), all.begin());
}
/// How many calls are in progress, and have been at once.
struct CallGauge {
  int now = 0;
  int most = 0;
  int calls = 0;
};
/// Takes the longer the smaller the chunk is within five.
Promise<int> slow(CallGauge& gauge, int chunk, int failAt = 0) {
  ++gauge.calls;
  gauge.most = std::max(gauge.most, ++gauge.now);
  co_await turns(6 - chunk % 5);
  --gauge.now;
  if (chunk == failAt) throw std::runtime_error("call");
  co_return chunk * 10;
}

}  // namespace

TEST_CASE("map keeps the order and has no more calls in progress than it is told") {
  for (const std::size_t concurrency : {1U, 2U, 3U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk); };
      const auto mapped = counting(seen, 23, 0, token).map(call, {.concurrency = concurrency});
      const Numbers all = co_await mapped.toArray();
      Numbers wanted = numbersUpTo(23);
      for (int& each : wanted) each *= 10;
      CHECK(all == wanted);
      CHECK(gauge.most == static_cast<int>(concurrency));
      CHECK(gauge.now == 0);
      CHECK(seen->destroys == 1);
    });
  }
}

TEST_CASE("a call that fails is the error of the stream of map, and ends its source") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk, 4); };
      const auto source = counting(seen, 100, 0, token);
      const auto mapped = source.map(call, {.concurrency = concurrency});
      Numbers got;
      std::string failure;
      try {
        while (const auto chunk = co_await mapped.next()) got.push_back(*chunk);
      } catch (const std::runtime_error& error) {
        failure = error.what();
      }
      // What is buffered when a stream is destroyed is dropped.
      CHECK(isBeginning(got));
      CHECK(failure == "call");
      co_await source.closed();
      co_await turns(10);
      CHECK(seen->destroys == 1);
      CHECK(gauge.now == 0);
      CHECK(gauge.calls <= 4 + static_cast<int>(concurrency));
    });
  }
}

TEST_CASE("a source that fails is the error of the stream of map") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk); };
      const auto source = counting(seen, 100, 4, token);
      const auto mapped = source.map(call, {.concurrency = concurrency});
      Numbers got;
      std::string failure;
      try {
        while (const auto chunk = co_await mapped.next()) got.push_back(*chunk);
      } catch (const std::runtime_error& error) {
        failure = error.what();
      }
      // What is buffered when a stream is destroyed is dropped.
      CHECK(isBeginning(got));
      CHECK(failure == "source");
      CHECK(seen->destroys == 1);
    });
  }
}

TEST_CASE("who leaves the stream of map early stops its reader and its source") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk); };
      const auto source = counting(seen, 1000, 0, token);
      const Numbers got = co_await source.map(call, {.concurrency = concurrency}).take(3).toArray();
      CHECK(got == Numbers{10, 20, 30});
      co_await source.closed();
      co_await turns(20);
      CHECK(seen->destroys == 1);
      CHECK(gauge.now == 0);
      CHECK(gauge.calls <= 5 + 3 * static_cast<int>(concurrency));
    });
  }
}

TEST_CASE("a stream of map that is destroyed, or dropped with its loop, leaves nothing") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk); };
      const auto source = counting(seen, 1000, 0, token);
      const auto mapped = source.map(call, {.concurrency = concurrency});
      mapped.resume();
      co_await turns(8);
      CHECK(gauge.now > 0);
      mapped.destroy();
      co_await mapped.closed();
      co_await source.closed();
      CHECK(seen->destroys == 1);
      co_await turns(20);
    });
    for (int count = 0; count < 20; ++count) {
      CallGauge gauge;
      leat_test::leavesNothingWithin(count, [&gauge, concurrency](const Token& token) {
        const auto call = [&gauge, token](int chunk) { return slow(gauge, chunk); };
        const auto source = counting(std::make_shared<Seen>(), 1000, 0, token);
        source.map(call, {.concurrency = concurrency}).resume();
      });
    }
  }
}

TEST_CASE(
    "callables of operators may be coroutines, and are called for one chunk after the other") {
  leavesNothing([](Token token) -> Task<> {
    const auto source = [&](int count) {
      return counting(std::make_shared<Seen>(), count, 0, token);
    };
    CallGauge gauge;
    const auto odd = [&gauge, token](int chunk) -> Promise<bool> {
      gauge.most = std::max(gauge.most, ++gauge.now);
      co_await turns(2);
      --gauge.now;
      co_return chunk % 2 == 1;
    };
    const Numbers filtered = co_await source(6).filter(odd).toArray();
    CHECK(filtered == Numbers{1, 3, 5});
    const auto both = [token](int chunk) -> Promise<Numbers> {
      co_await turns(1);
      Numbers pair;
      pair.push_back(chunk);
      pair.push_back(-chunk);
      co_return pair;
    };
    const Numbers flat = co_await source(2).flatMap(both).toArray();
    CHECK(flat == Numbers{1, -1, 2, -2});
    int sum = 0;
    const auto each = [&sum, token](int chunk) -> Promise<> {
      const int before = sum;
      co_await turns(1);
      sum = before + chunk;
    };
    co_await source(4).forEach(each);
    CHECK(sum == 10);
    const auto add = [token](int so, int chunk) -> Promise<int> {
      co_await turns(1);
      co_return so * 10 + chunk;
    };
    const int folded = co_await source(3).reduce(add, 9);
    CHECK(folded == 9123);
    const std::optional<int> found = co_await source(6).find(odd);
    CHECK(found == 1);
    const bool some = co_await source(6).some(odd);
    CHECK(some);
    const bool every = co_await source(6).every(odd);
    CHECK_FALSE(every);
    CHECK(gauge.most == 1);
  });
}

TEST_CASE("find, some and every destroy their source when they know, and give what there is") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = std::make_shared<Seen>();
    const auto two = [token](int chunk) { return chunk == 2; };
    const auto source = counting(seen, 1000, 0, token);
    const std::optional<int> found = co_await source.find(two);
    CHECK(found == 2);
    co_await source.closed();
    CHECK(seen->destroys == 1);
    CHECK(leat_test::text(source.errored()) == "ABORT_ERR");
    const auto none = co_await counting(seen, 1).find(two);
    CHECK_FALSE(none.has_value());
    const bool some = co_await counting(seen, 1).some(two);
    CHECK_FALSE(some);
    const bool everyOfNone = co_await counting(seen, 0).every(two);
    CHECK(everyOfNone);
    const auto failed = co_await outcome(counting(seen, 9, 1).some(two));
    CHECK(failed == "source");
    CHECK(seen->destroys == 5);
  });
}

TEST_CASE("take gives no more than it is told, of a source that has more, fewer or none") {
  leavesNothing([](Token token) -> Task<> {
    for (const int count : {0, 1, 3, 9}) {
      const auto seen = std::make_shared<Seen>();
      const auto source = counting(seen, 5, 0, token);
      const Numbers got = co_await source.take(static_cast<std::size_t>(count)).toArray();
      CHECK(got == numbersUpTo(std::min(count, 5)));
      co_await source.closed();
      CHECK(seen->destroys == 1);
      const Numbers rest =
          co_await counting(seen, 5, 0, token).drop(static_cast<std::size_t>(count)).toArray();
      CHECK(rest.size() == static_cast<std::size_t>(std::max(5 - count, 0)));
    }
  });
}

TEST_CASE("chunks that cannot be copied pass operators") {
  leavesNothing([](Token) -> Task<> {
    int at = 0;
    const Readable<std::unique_ptr<int>> source([&at](Readable<std::unique_ptr<int>>& self) {
      if (++at > 4) return (void)self.push(nullptr);
      self.push(std::make_unique<int>(at));
    });
    const auto even = [](const std::unique_ptr<int>& chunk) { return *chunk % 2 == 0; };
    const auto unwrap = [](std::unique_ptr<int> chunk) { return *chunk; };
    const Numbers got = co_await source.filter(even).map(unwrap).toArray();
    CHECK(got == Numbers{2, 4});
  });
}

// ---- several calls at once ----

namespace {

/// As `slow`, and tells whether the chunk is odd.
Promise<bool> slowlyOdd(CallGauge& gauge, int chunk, int failAt = 0) {
  (void)co_await slow(gauge, chunk, failAt);
  co_return chunk % 2 == 1;
}
Promise<Numbers> slowlyTwice(CallGauge& gauge, int chunk) {
  Numbers both;
  both.push_back(co_await slow(gauge, chunk));
  both.push_back(chunk);
  co_return both;
}
Promise<> slowly(CallGauge& gauge, Numbers& done, int chunk, int failAt = 0) {
  (void)co_await slow(gauge, chunk, failAt);
  done.push_back(chunk);
}

}  // namespace

TEST_CASE("filter and flatMap keep the order and have as many calls in progress as they are told") {
  for (const std::size_t concurrency : {1U, 2U, 3U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge filtering, mapping;
      const auto odd = [&filtering, token](int chunk) { return slowlyOdd(filtering, chunk); };
      const auto twice = [&mapping, token](int chunk) { return slowlyTwice(mapping, chunk); };
      const auto filtered = counting(seen, 23, 0, token).filter(odd, {.concurrency = concurrency});
      const Numbers kept = co_await filtered.toArray();
      const auto mapped = counting(seen, 23, 0, token).flatMap(twice, {.concurrency = concurrency});
      const Numbers flat = co_await mapped.toArray();
      Numbers wantedKept, wantedFlat;
      for (const int each : numbersUpTo(23)) {
        if (each % 2 == 1) wantedKept.push_back(each);
        wantedFlat.push_back(each * 10);
        wantedFlat.push_back(each);
      }
      CHECK(kept == wantedKept);
      CHECK(flat == wantedFlat);
      for (const CallGauge& gauge : {filtering, mapping}) {
        CHECK(gauge.most == static_cast<int>(concurrency));
        CHECK(gauge.calls == 23);
      }
      CHECK(seen->destroys == 2);
    });
  }
}

TEST_CASE("forEach has as many calls in progress as it is told, and ends with the last") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      CallGauge gauge;
      Numbers done;
      const auto call = [&, token](int chunk) { return slowly(gauge, done, chunk); };
      co_await counting(seen, 23, 0, token).forEach(call, {.concurrency = concurrency});
      CHECK(gauge.most == static_cast<int>(concurrency));
      CHECK(gauge.now == 0);
      std::sort(done.begin(), done.end());
      CHECK(done == numbersUpTo(23));
      const auto fail = [&, token](int chunk) { return slowly(gauge, done, chunk, 4); };
      const auto source = counting(seen, 1000, 0, token);
      const auto failed = co_await outcome(source.forEach(fail, {.concurrency = concurrency}));
      CHECK(failed == "call");
      co_await source.closed();
      co_await turns(20);
      CHECK(gauge.now == 0);
      CHECK(gauge.calls <= 23 + 4 + static_cast<int>(concurrency));
      CHECK(seen->destroys == 2);
    });
  }
}

TEST_CASE("find, some and every ask several at once, and give what one after the other gives") {
  for (const std::size_t concurrency : {1U, 2U, 5U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      const OperatorOptions many{.concurrency = concurrency};
      CallGauge gauge;
      const auto odd = [&gauge, token](int chunk) { return slowlyOdd(gauge, chunk); };
      // 7 is the quicker one, 6 is the first.
      const auto large = [&gauge, token](int chunk) -> Promise<bool> {
        (void)co_await slow(gauge, chunk);
        co_return chunk > 5;
      };
      const auto source = counting(seen, 1000, 0, token);
      const std::optional<int> found = co_await source.find(large, many);
      CHECK(found == 6);
      co_await source.closed();
      co_await turns(20);
      CHECK(gauge.now == 0);
      CHECK(gauge.most == static_cast<int>(concurrency));
      CHECK(gauge.calls <= 6 + static_cast<int>(concurrency));
      const std::optional<int> none = co_await counting(seen, 4, 0, token).find(large, many);
      CHECK_FALSE(none.has_value());
      const bool some = co_await counting(seen, 9, 0, token).some(large, many);
      CHECK(some);
      const bool someOfFew = co_await counting(seen, 5, 0, token).some(large, many);
      CHECK_FALSE(someOfFew);
      const bool every = co_await counting(seen, 3, 0, token).every(odd, many);
      CHECK_FALSE(every);
      const bool everyOfOne = co_await counting(seen, 1, 0, token).every(odd, many);
      CHECK(everyOfOne);
      const auto fails = [&gauge, token](int chunk) { return slowlyOdd(gauge, 2 * chunk + 1, 5); };
      const std::string failed = co_await outcome(counting(seen, 9, 0, token).every(fails, many));
      CHECK(failed == "call");
      const std::string ofSource = co_await outcome(counting(seen, 9, 2, token).some(large, many));
      CHECK(ofSource == "source");
      co_await turns(30);
      CHECK(seen->destroys == 8);
    });
  }
}

TEST_CASE("the signal of an operator ends it, its source, and what its calls wait for") {
  for (const std::size_t concurrency : {1U, 3U}) {
    leavesNothing([concurrency](Token token) -> Task<> {
      const auto seen = std::make_shared<Seen>();
      int calls = 0, aborted = 0;
      const auto forEver = [&, token](int) -> Promise<bool> {
        ++calls;
        const auto waited = co_await asResult(sleep(10'000));
        if (!waited) ++aborted;
        co_return true;
      };
      const auto begin = [&](const auto& source, const OperatorOptions& options, int which) {
        const WaitOptions only{options.signal};
        const auto value = [forEver](int, int) -> Promise<int> {
          (void)co_await forEver(0);
          co_return 0;
        };
        const auto many = [forEver](int) -> Promise<Numbers> {
          (void)co_await forEver(0);
          co_return Numbers();
        };
        switch (which) {
          case 0:
            return outcome(source.map(forEver, options).toArray());
          case 1:
            return outcome(source.filter(forEver, options).toArray());
          case 2:
            return outcome(source.flatMap(many, options).toArray());
          case 3:
            return outcome(source.forEach(forEver, options));
          case 4:
            return outcome(source.find(forEver, options).then([](std::optional<int>) {}));
          case 5:
            return outcome(source.some(forEver, options));
          case 6:
            return outcome(source.every(forEver, options));
          case 7:
            return outcome(source.reduce(value, 0, only));
          default:
            return outcome(source.reduce(value, only));
        }
      };
      for (int which = 0; which < 9; ++which) {
        calls = aborted = 0;
        AbortController stop;
        const auto source = counting(seen, 1000, 0, token);
        const OperatorOptions options{.concurrency = concurrency, .signal = stop};
        auto ended = spawn(begin(source, options, which));
        co_await turns(20);
        CHECK(calls == (which < 7 ? static_cast<int>(concurrency) : 1));
        stop.abort();
        const std::string how = co_await std::move(ended);
        CHECK(how == "ABORT_ERR");
        co_await source.closed();
        co_await turns(5);
        CHECK(aborted == calls);
        CHECK(seen->destroys == which + 1);
      }
    });
  }
}

TEST_CASE("the signal of take, drop, toArray and an aborted one end what waits for chunks") {
  leavesNothing([](Token token) -> Task<> {
    const auto silent = [token] { return Readable<int>([token](Readable<int>&) {}); };
    AbortController stop;
    const auto a = silent(), b = silent(), c = silent();
    auto taken = spawn(outcome(a.take(3, {.signal = stop}).toArray()));
    auto dropped = spawn(outcome(b.drop(3, {.signal = stop}).toArray()));
    auto gathered = spawn(outcome(c.toArray({.signal = stop})));
    co_await turns(3);
    stop.abort();
    const std::string how = co_await std::move(taken);
    const std::string how2 = co_await std::move(dropped);
    const std::string how3 = co_await std::move(gathered);
    CHECK(how + how2 + how3 == "ABORT_ERRABORT_ERRABORT_ERR");
    for (const auto& each : {a, b, c}) co_await each.closed();
    const auto source = counting(std::make_shared<Seen>(), 3, 0, token);
    const auto late = co_await outcome(source.toArray({.signal = stop}));
    CHECK(late == "ABORT_ERR");
    co_await source.closed();
    CHECK(source.destroyed());
  });
}

TEST_CASE("reduce without a value begins with the first chunk, and there has to be one") {
  leavesNothing([](Token token) -> Task<> {
    const auto seen = std::make_shared<Seen>();
    const auto add = [token](int so, int chunk) { return so * 10 + chunk; };
    const auto later = [token](int so, int chunk) -> Promise<int> {
      co_await turns(1);
      co_return so * 10 + chunk;
    };
    const int three = co_await counting(seen, 3, 0, token).reduce(add);
    CHECK(three == 123);
    const int awaited = co_await counting(seen, 4, 0, token).reduce(later);
    CHECK(awaited == 1234);
    const int one = co_await counting(seen, 1, 0, token).reduce(add);
    CHECK(one == 1);
    auto none = co_await asResult(counting(seen, 0, 0, token).reduce(add));
    std::string told;
    try {
      none.value();
    } catch (const TypeError& error) {
      told = std::string(error.code()) + ": " + std::string(error.message());
    }
    CHECK(told == "ERR_MISSING_ARGS: Reduce of an empty stream requires an initial value");
    const auto failed = co_await outcome(counting(seen, 9, 1, token).reduce(add));
    CHECK(failed == "source");
    CHECK(seen->destroys == 5);
  });
}

TEST_CASE("no call at once is refused, as in Node") {
  leavesNothing([](Token token) {
    const auto seen = std::make_shared<Seen>();
    const auto call = [token](int chunk) { return chunk > 0; };
    const auto many = [token](int chunk) { return Numbers{chunk}; };
    const OperatorOptions none{.concurrency = 0};
    const auto source = counting(seen, 3, 0, token);
    CHECK_THROWS_AS(source.map(call, none), RangeError);
    CHECK_THROWS_AS(source.filter(call, none), RangeError);
    CHECK_THROWS_AS(source.flatMap(many, none), RangeError);
    CHECK_THROWS_AS(source.forEach(call, none), RangeError);
    CHECK_THROWS_AS(source.find(call, none), RangeError);
    CHECK_THROWS_AS(source.some(call, none), RangeError);
    CHECK_THROWS_AS(source.every(call, none), RangeError);
    source.destroy();
  });
}

// ---- consumers ----

namespace {

Readable<Buffer> bytes(std::vector<std::string> parts) {
  std::vector<Buffer> all;
  for (const std::string& part : parts) all.push_back(Buffer::from(part));
  return readableFrom(std::move(all));
}

}  // namespace

TEST_CASE("consumers give all of a stream as one") {
  leavesNothing([](Token token) -> Task<> {
    const std::vector<std::string> parts = {"\xe2\x82", "\xac 1", "", ",2"};
    const std::vector<std::string> nothing, array = {"[1,", "2]"}, broken = {"no ", "json"};
    const std::string text = co_await consumers::text(bytes(parts));
    CHECK(text == "\xe2\x82\xac 1,2");
    const Buffer buffer = co_await consumers::buffer(bytes(parts));
    CHECK(buffer.toString() == text);
    const Buffer same = co_await consumers::bytes(bytes(parts));
    CHECK(same.toString() == text);
    const std::string strings = co_await consumers::text(readableFrom(parts));
    CHECK(strings == text);
    const std::string none = co_await consumers::text(bytes(nothing));
    CHECK(none.empty());
    const auto parse = [token](const std::string& json) { return json.size(); };
    const std::size_t size = co_await consumers::json(bytes(array), parse);
    CHECK(size == 5);
    const auto fail = [token](const std::string& json) -> int { throw std::runtime_error(json); };
    const std::string bad = co_await outcome(consumers::json(bytes(broken), fail));
    CHECK(bad == "no json");
  });
}

TEST_CASE("the text of bytes is what a TextDecoder reads, wherever the chunks are cut") {
  struct Row {
    std::vector<std::string> parts;
    std::string text;
  };
  const std::string mark = "\xef\xbb\xbf", none = "\xef\xbf\xbd";
  // What node's consumers give of the same chunks.
  const std::vector<Row> rows = {
      {{mark + "a"}, "a"},
      {{"\xef",
        "\xbb\xbf"
        "a"},
       "a"},
      {{"\xef", "\xbb", "\xbf", "a"}, "a"},
      {{mark}, ""},
      {{"a", mark}, "a" + mark},
      {{mark + mark + "a"}, mark + "a"},
      {{"\xef\xbb"}, none},
      {{"\xef",
        "\xbb"
        "a"},
       none + "a"},
      {{"\xe2", "\x82", "\xac"}, "\xe2\x82\xac"},
      {{"\xff"
        "a\xc3"},
       none + "a" + none},
      {{"\xe2\x82", "a"}, none + "a"},
      {{"\xe2", "\xe2\x82\xac"}, none + "\xe2\x82\xac"},
      {{"a\xe2\x82"}, "a" + none},
      {{"\xf0\x9f", "\x98"}, none},
      {{"\xe0", "\x80\x80"}, none + none + none},
      {{"\xed\xa0", "\x80"}, none + none + none},
      {{"\xf4", "\x90\x80\x80"}, none + none + none + none},
  };
  leavesNothing([&](Token) -> Task<> {
    const auto itself = [](std::string text) { return text; };
    for (const Row& row : rows) {
      std::string joined;
      for (const std::string& part : row.parts) joined += part;
      INFO(Buffer::from(joined).toString("hex"));
      const std::string text = co_await consumers::text(bytes(row.parts));
      CHECK(text == row.text);
      const std::string parsed = co_await consumers::json(bytes(row.parts), itself);
      CHECK(parsed == row.text);
      const Buffer whole = co_await consumers::buffer(bytes(row.parts));
      CHECK(whole.view() == joined);
      const std::string kept = co_await consumers::text(readableFrom(row.parts));
      CHECK(kept == joined);
    }
  });
}

TEST_CASE("consumers throw what their stream fails with") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<Buffer> source([token](Readable<Buffer>& self) {
      if (self.readableDidRead()) return (void)self.destroy(std::runtime_error("half"));
      self.push("text");
    });
    const std::string failed = co_await outcome(consumers::text(source));
    CHECK(failed == "half");
    const Readable<Buffer> gone([](Readable<Buffer>&) {});
    const auto reading = consumers::buffer(gone);
    gone.destroy();
    const std::string closed = co_await outcome(reading);
    CHECK(closed == "ERR_STREAM_PREMATURE_CLOSE");
  });
}
