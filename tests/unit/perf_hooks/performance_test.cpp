// SPDX-License-Identifier: MIT
// Where marks and measures live. What they are is compared with node in tests/order.
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/perf_hooks.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <limits>
#include <memory>
#include <thread>

using leat::run;
using leat::Task;
using leat_test::containsText;
namespace performance = leat::performance;

TEST_CASE("each loop has marks of its own, and they end with it") {
  run([] {
    performance::mark("mine");
    std::thread other([] {
      run([] {
        CHECK(performance::getEntries().empty());
        performance::mark("theirs");
        CHECK(performance::getEntries().size() == 1);
      });
    });
    other.join();
    CHECK(performance::getEntries().size() == 1);
  });
  run([] { CHECK(performance::getEntries().empty()); });
  CHECK_THROWS_AS(performance::mark("none"), leat::Error);
}

TEST_CASE("the clock is one for all threads, and needs no loop") {
  const double before = performance::now();
  double there = 0;
  std::thread other([&there] { there = performance::now(); });
  other.join();
  CHECK(there >= before);
  CHECK(performance::now() >= there);
}

TEST_CASE("a name without a mark is an error that names it") {
  run([] {
    CHECK_THROWS_WITH(performance::measure("m", "nowhere"),
                      containsText("The \"nowhere\" performance mark has not been set"));
  });
}

TEST_CASE("more marks than anybody clears are warned of once") {
  const auto end = leat_test::inChild([] {
    return run([] {
      for (int i = 0; i < 1'000'003; ++i) performance::mark("m", {.startTime = 1});
    });
  });
  const std::string name =
      "MaxPerformanceEntryBufferExceededWarning: Possible perf_hooks memory leak";
  CHECK_THAT(end.err, containsText(name));
  CHECK_THAT(end.err, containsText("1000001 mark entries"));
  CHECK(end.err.find(name) == end.err.rfind(name));
}

TEST_CASE("a duration that is negative or no number is refused") {
  run([] {
    using Options = leat::perf_hooks::MeasureOptions;
    constexpr double infinite = std::numeric_limits<double>::infinity();
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    for (const Options& wrong :
         {Options{.start = 10, .duration = -5}, Options{.end = 10, .duration = -5},
          Options{.start = 10, .duration = none}, Options{.end = 10, .duration = none},
          Options{.end = infinite, .duration = infinite}}) {
      try {
        performance::measure("wrong", wrong);
        FAIL("was taken");
      } catch (const leat::TypeError& error) {
        CHECK(error.code() == "ERR_PERFORMANCE_INVALID_TIMESTAMP");
      }
    }
    CHECK(performance::getEntries().empty());
    CHECK(performance::measure("before", Options{.end = 5, .duration = 10}).startTime == -5);
  });
}

TEST_CASE("timerify does not count a call that throws, as Node") {
  run([] {
    const auto histogram = leat::perf_hooks::createHistogram();
    auto work = performance::timerify(
        [](bool fails) {
          if (fails) throw 1;
        },
        histogram);
    CHECK_THROWS_AS(work(true), int);
    CHECK(histogram.count() == 0);
    try {
      throw 2;
    } catch (int) {
      work(false);
    }
    CHECK(histogram.count() == 1);
  });
}

TEST_CASE("timerify keeps what a function gives, references too, and takes what it cannot copy") {
  run([] {
    const auto histogram = leat::perf_hooks::createHistogram();
    int kept = 1;
    auto reference = performance::timerify([&kept]() -> int& { return kept; }, histogram);
    reference() = 5;
    CHECK(kept == 5);
    auto consume = performance::timerify([](std::unique_ptr<int> p) { return p; }, histogram);
    CHECK(*consume(std::make_unique<int>(3)) == 3);
    CHECK(histogram.count() == 2);
  });
}
