// SPDX-License-Identifier: MIT
#include <leat/loop/sleep.hpp>
#include <leat/stream/rate_limiter.hpp>

#include "pieces.hpp"

#include <limits>
#include <memory>

using namespace leat;
using leat_test::pass;
using leat_test::piecesOf;

namespace {

constexpr std::int64_t oneSecond = 1'000'000'000;
constexpr std::int64_t millisecond = 1'000'000;

RateOptions rate(double perSecond, std::size_t burst = 0) {
  RateOptions options;
  options.perSecond = perSecond;
  options.burst = burst;
  return options;
}

}  // namespace

TEST_CASE("a token bucket begins full, gives what it has, and fills with time up to its size") {
  detail::TokenBucket bucket(1000, 10, 5 * oneSecond);
  CHECK(bucket.take(4, 5 * oneSecond) == 4);
  CHECK(bucket.take(100, 5 * oneSecond) == 6);
  CHECK(bucket.take(1, 5 * oneSecond) == 0);
  CHECK(bucket.take(1, 5 * oneSecond + 999'000) == 0);
  CHECK(bucket.take(5, 5 * oneSecond + millisecond) == 1);
  CHECK(bucket.take(5, 5 * oneSecond + 4 * millisecond) == 3);
  // A clock that stands still or goes back gives nothing.
  CHECK(bucket.take(5, 4 * oneSecond) == 0);
  CHECK(bucket.take(100, 60 * oneSecond) == 10);
  CHECK(bucket.take(100, 60 * oneSecond) == 0);
}

TEST_CASE("a token bucket never gives more than its size and its rate allow") {
  detail::TokenBucket bucket(333, 7, 0);
  std::uint32_t state = 3;
  std::int64_t now = 0;
  std::size_t given = 0;
  for (int i = 0; i < 20'000; ++i) {
    state = state * 1664525 + 1013904223;
    now += (state >> 8) % (4 * millisecond);
    given += bucket.take(1 + (state >> 5) % 9, now);
    const double most = 7 + 333 * static_cast<double>(now) / 1e9;
    if (static_cast<double>(given) > most + 0.001) FAIL("too much");
  }
  // Asked for more than there is all the time, it gives all that it may.
  CHECK(static_cast<double>(given) > 333 * static_cast<double>(now) / 1e9 * 0.98);
}

TEST_CASE("a token bucket tells how long to wait, in whole milliseconds") {
  detail::TokenBucket bucket(1000, 10, 0);
  CHECK(bucket.wait(10) == 1);
  CHECK(bucket.take(10, 0) == 10);
  CHECK(bucket.wait(1) == 1);
  CHECK(bucket.wait(3) == 3);
  CHECK(bucket.wait(1000) == 10);
  CHECK(bucket.take(1, 300'000) == 0);
  CHECK(bucket.wait(3) == 3);
  detail::TokenBucket slow(0.001, 1, 0);
  CHECK(slow.take(1, 0) == 1);
  CHECK(slow.wait(1) == 1'000'000);
  detail::TokenBucket never(1e-300, 1, 0);
  CHECK(never.take(1, 0) == 1);
  CHECK(never.wait(1) == 2147483647.0);
}

TEST_CASE("a rate limiter passes its burst on at once, and cuts what is more") {
  CHECK(run([]() -> Task<> {
          RateLimiter<> limiter(rate(1e-3, 5));
          limiter.write("abc");
          limiter.write("defgh");
          const auto first = co_await limiter.next();
          REQUIRE(first);
          CHECK(*first == "abcde");
          co_await nextImmediate();
          CHECK_FALSE(limiter.read());
          limiter.destroy();
          co_await limiter.closed();
        }) == 0);
}

TEST_CASE("all that is written to a rate limiter comes out, in order") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i % 26);
  for (const std::size_t size : {1ul, 7ul, 300ul}) {
    const auto output =
        pass<Buffer>([] { return RateLimiter<>(rate(20'000, 16)); }, piecesOf(text, size));
    CHECK(output.error == "");
    CHECK(Buffer::concat(output.items) == std::string_view(text));
    for (const Buffer& piece : output.items) CHECK(piece.size() <= 300);
  }
  const std::vector<int> items = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto output = pass<int>([] { return RateLimiter<int>(rate(1000, 2)); }, items);
  CHECK(output.items == items);
}

TEST_CASE("items of a rate limiter wait for their tokens") {
  CHECK(run([]() -> Task<> {
          RateLimiter<int> limiter(rate(0.001, 2));
          for (int i = 1; i <= 3; ++i) limiter.write(i);
          const auto first = co_await limiter.next();
          const auto next = co_await limiter.next();
          CHECK(first == 1);
          CHECK(next == 2);
          co_await nextImmediate();
          CHECK_FALSE(limiter.read());
          limiter.destroy();
          co_await limiter.closed();
        }) == 0);
}

TEST_CASE("a destroyed rate limiter holds neither its timer nor its chunk") {
  struct Held {
    std::shared_ptr<int> held;
  };
  const auto held = std::make_shared<int>(1);
  // The timer is due in a quarter of an hour; the loop ends without it.
  CHECK(run([&]() -> Task<> {
          RateLimiter<Held> limiter(rate(0.001, 1));
          limiter.write(Held{held});
          limiter.write(Held{held});
          co_await nextImmediate();
          limiter.read();
          CHECK(held.use_count() == 2);
          limiter.destroy();
          co_await limiter.closed();
          CHECK(held.use_count() == 1);
        }) == 0);
}

TEST_CASE("a rate limiter that nobody holds any more is freed when it is done") {
  const auto held = std::make_shared<int>(1);
  struct Held {
    std::shared_ptr<int> held;
  };
  CHECK(run([&]() -> Task<> {
          {
            RateLimiter<Held> limiter(rate(500, 1));
            for (int i = 0; i < 3; ++i) limiter.write(Held{held});
          }
          co_return;
        }) == 0);
  CHECK(held.use_count() == 1);
}

TEST_CASE("the rate of a rate limiter is more than 0") {
  CHECK(run([]() -> Task<> {
          for (const double wrong : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
            CHECK_THROWS_WITH(RateLimiter<>(rate(wrong)),
                              "The rate of a RateLimiter must be more than 0 per second");
          RateLimiter<> fast(rate(std::numeric_limits<double>::infinity()));
          fast.end("x");
          const auto chunk = co_await fast.next();
          REQUIRE(chunk);
          CHECK(*chunk == "x");
        }) == 0);
}
