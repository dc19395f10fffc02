// SPDX-License-Identifier: MIT
// What tests/order cannot ask node: the error that the figures allow, and where leat differs.
#include <leat/perf_hooks/histogram.hpp>

#include <leat_test.hpp>

#include <algorithm>

using leat::perf_hooks::createHistogram;
using leat::perf_hooks::Histogram;
using leat::perf_hooks::HistogramOptions;
using leat::perf_hooks::RecordableHistogram;

TEST_CASE("every percentile is within one unit of the last figure of the exact one") {
  for (const int figures : {1, 2, 3, 4}) {
    const RecordableHistogram h = createHistogram({.figures = figures});
    std::vector<std::int64_t> exact;
    std::uint64_t state = 7;
    for (int i = 0; i < 5000; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      exact.push_back(static_cast<std::int64_t>((state >> 20) >> (state % 40)) + 1);
      h.record(exact.back());
    }
    std::sort(exact.begin(), exact.end());
    double allowed = 1;
    for (int i = 0; i < figures; ++i) allowed /= 10;
    for (int p = 1; p <= 100; ++p) {
      const auto rank = static_cast<std::size_t>(static_cast<double>(p) / 100 * 5000 + 0.5);
      const auto wanted = static_cast<double>(exact[rank - 1]);
      const auto got = static_cast<double>(h.percentile(p));
      CHECK(std::abs(got - wanted) <= wanted * allowed);
    }
    CHECK(h.count() == 5000);
  }
}

TEST_CASE("a smallest number that is too large for the figures is refused; Node crashes") {
  constexpr std::int64_t large = std::int64_t{1} << 50;
  CHECK_THROWS_WITH(
      createHistogram({.lowest = -5'000'000'000}),
      "The value of \"options.lowest\" is out of range. It must be >= 1 && <= 9007199254740991. "
      "Received -5_000_000_000");
  CHECK_THROWS_WITH(createHistogram().percentile(100.5),
                    "The value of \"percentile\" is out of range. It must be > 0 && <= 100. "
                    "Received 100.5");
  CHECK_THROWS_AS(createHistogram({.lowest = large, .highest = 4 * large, .figures = 5}),
                  leat::RangeError);
  for (const int figures : {4, 5}) {
    const std::int64_t most = (std::int64_t{1} << (figures == 5 ? 45 : 48)) - 1;
    CHECK_THROWS_AS(createHistogram({.lowest = most + 1, .figures = figures}), leat::RangeError);
    const RecordableHistogram h = createHistogram({.lowest = most, .figures = figures});
    for (const std::int64_t value : {std::int64_t{1}, most, 3 * most}) h.record(value);
    CHECK(h.count() == 3);
    CHECK(h.max() >= 3 * most);
  }
  const RecordableHistogram three = createHistogram({.lowest = large});
  three.record(2 * large);
  CHECK(three.max() >= 2 * large);
}

TEST_CASE("what is too large of an added histogram counts in exceeds; in Node it is lost") {
  const RecordableHistogram large = createHistogram();
  for (const int value : {5, 500, 5000}) large.record(value);
  const RecordableHistogram small = createHistogram({.highest = 100});
  small.record(200);
  small.add(large);
  CHECK(small.count() == 1);
  CHECK(small.exceeds() == 3);
  CHECK(small.max() == 5);
  small.add(small);
  CHECK(small.count() == 2);
  CHECK(small.exceeds() == 6);
}

TEST_CASE("sums beyond 64 bits are no overflow") {
  const RecordableHistogram h = createHistogram();
  constexpr std::int64_t most = 9'007'199'254'740'991;
  for (int i = 0; i < 3000; ++i) h.record(most);
  CHECK(h.mean() > 0.99 * static_cast<double>(most));
  CHECK(h.stddev() == 0);
}

TEST_CASE("copies are the same histogram, and recordDelta records from the second call on") {
  const RecordableHistogram h = createHistogram();
  const Histogram other = h;
  h.recordDelta();
  CHECK(other.count() == 0);
  h.recordDelta();
  h.recordDelta();
  CHECK(other.count() == 2);
  h.reset();
  CHECK(other.count() == 0);
  h.recordDelta();
  CHECK(other.count() == 0);
}
