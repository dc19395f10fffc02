// SPDX-License-Identifier: MIT
// Beside performance.js.

#include "../order.hpp"

#include <leat/perf_hooks.hpp>

#include <cmath>

namespace order {
namespace {

using namespace perf_hooks;
using Options = HistogramOptions;

std::string thousandths(double number) {
  return std::isnan(number) ? "NaN" : std::to_string(std::llround(number * 1000));
}
const char* word(bool value) { return value ? "true" : "false"; }
template <class... Flags>
void flags(Log log, Flags... values) {
  std::string all;
  ((all += word(values)), ...);
  log(all);
}
void show(Log log, const Histogram& h) {
  const std::string least = h.count() == 0 ? "-" : std::to_string(h.min());
  log(h.count(), "/", h.exceeds(), "/", least, "/", h.max(), "/", thousandths(h.mean()), "/",
      thousandths(h.stddev()));
  for (const double p : {0.1, 1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0})
    log(p, ":", h.percentile(p));
  for (const auto& [p, value] : h.percentiles()) log("p", thousandths(p), "=", value);
}
std::string joined(std::string text) {
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}
template <class F>
void outcome(Log log, F f) {
  try {
    f();
    log("undefined");
  } catch (const Error& error) {
    log(error.name(), "-", error.code(), "-", joined(std::string(error.message())));
  }
}
void entry(Log log, const PerformanceEntry& e) {
  log(e.name, "|", e.entryType, "|", e.startTime, "|", e.duration, "|", e.detail);
}
std::string names(const std::vector<PerformanceEntry>& entries) {
  std::string all;
  for (const PerformanceEntry& e : entries) all += (all.empty() ? "" : ",") + e.name;
  return all;
}
void clear() {
  performance::clearMarks();
  performance::clearMeasures();
}

void histograms(Cases& add) {
  const Options kinds[] = {{1, 9007199254740991, 3}, {1, 1000, 1}, {1000, 3600000000000, 3},
                           {7, 123456, 2},           {1, 2, 5},    {3, 99999, 4}};
  for (const Options& kind : kinds) {
    const std::string name = "histogram of " + std::to_string(kind.lowest) + " to " +
                             std::to_string(kind.highest) + ", " + std::to_string(kind.figures) +
                             " figures";
    add(name, [kind](Log log) {
      const RecordableHistogram h = createHistogram(kind);
      show(log, h);
      std::uint64_t state = 12345;
      for (int i = 0; i < 3000; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const std::uint64_t shift = 11 + (state & 0x1f);
        const auto value = static_cast<std::int64_t>((state >> 11) >> shift);
        h.record(value < 1 ? 1 : value);
      }
      show(log, h);
      h.reset();
      show(log, h);
      h.record(2);
      show(log, h);
    });
  }
  add("histograms are added", [](Log log) {
    const RecordableHistogram a = createHistogram();
    const RecordableHistogram b = createHistogram({.highest = 1000});
    for (const int v : {5, 70, 900, 900}) a.record(v);
    for (const int v : {1, 70, 5000}) b.record(v);
    a.add(b);
    show(log, a);
    show(log, b);
  });
  add("what a histogram refuses", [](Log log) {
    const RecordableHistogram h = createHistogram();
    for (const int v : {0, -1}) outcome(log, [&] { h.record(v); });
    outcome(log, [] { (void)createHistogram({.lowest = 0}); });
    outcome(log, [] { (void)createHistogram({.lowest = 10, .highest = 15}); });
    outcome(log, [] { (void)createHistogram({.figures = 0}); });
    outcome(log, [] { (void)createHistogram({.figures = 6}); });
    try {
      (void)monitorEventLoopDelay({.resolution = 0});
    } catch (const Error& error) {
      // The largest is another one.
      std::string text(error.message());
      text.replace(text.find("2147483647"), 10, "9007199254740991");
      log(error.name(), "-", error.code(), "-", joined(text));
    }
  });
}

// On a machine that stood still the monitor may have measured nothing yet.
void measured(Log log, const EventLoopDelay& m) {
  if (m.count() == 0) {
    setTimeout([log, m] { measured(log, m); }, 5);
    return;
  }
  flags(log, m.count() > 0, m.min() > 0, m.max() >= m.min(), m.mean() > 0);
  m.disable();
  const auto check = [log, m, count = m.count()] {
    flags(log, m.count() == count);
    m.reset();
    log(m.count(), m.max());
  };
  setTimeout(check, 10);
}

void monitors(Cases& add) {
  add("a monitor says whether it was on", [](Log log) {
    const EventLoopDelay m = monitorEventLoopDelay({.resolution = 1});
    show(log, m);
    const bool on = m.enable();
    const bool again = m.enable();
    const bool off = m.disable();
    const bool twice = m.disable();
    flags(log, on, again, off, twice, m.enable());
    setTimeout([log, m] { measured(log, m); }, 20);
  });
  add("a monitor does not hold the loop", [](Log log) {
    monitorEventLoopDelay({.resolution = 1}).enable();
    log("main");
  });
}
template <class Utilization>
void waited(Log log, const Utilization& first) {
  const auto idle = performance::eventLoopUtilization(first);
  // It took so long to come to the wait that there was none.
  if (idle.idle == 0) {
    setTimeout([log, first] { waited(log, first); }, 40);
    return;
  }
  flags(log, idle.idle > 0, idle.active > 0, idle.utilization < 1);
  flags(log, performance::eventLoopUtilization().idle > first.idle);
}

void utilization(Cases& add) {
  add("utilization of two results, and of none", [](Log log) {
    const auto u = performance::eventLoopUtilization({10, 30, 0}, {4, 12, 0});
    log(u.idle, "/", u.active, "/", thousandths(u.utilization));
    const auto later = [log] {
      const auto first = performance::eventLoopUtilization();
      flags(log, first.idle >= 0, first.active > 0,
            first.utilization > 0 && first.utilization <= 1);
      setTimeout([log, first] { waited(log, first); }, 40);
    };
    setTimeout(later, 5);
  });
}

void timeline(Cases& add) {
  add("marks and measures", [](Log log) {
    clear();
    entry(log, performance::mark("a", {.startTime = 5, .detail = "x"}));
    entry(log, performance::mark("b", {.startTime = 15}));
    entry(log, performance::mark("a", {.startTime = 7}));
    entry(log, performance::measure("m1", "a", "b"));
    entry(log, performance::measure("m2", {.start = 3, .end = 9}));
    entry(log, performance::measure("m3", {.start = 3, .duration = 2.5}));
    entry(log, performance::measure("m4", {.end = 30, .duration = 2.5}));
    entry(log, performance::measure("m5", {.start = "b", .end = "a", .detail = "back"}));
    entry(log, performance::measure("m6", {}, "b"));
    entry(log, performance::measure("m7", {.start = "a", .duration = 1}));
    log(names(performance::getEntries()));
    log(names(performance::getEntriesByName("a")), "/",
        names(performance::getEntriesByName("a", "measure")));
    log(names(performance::getEntriesByType("mark")), "/",
        names(performance::getEntriesByType("measure")), "/",
        names(performance::getEntriesByType("x")));
    performance::clearMarks("a");
    log(names(performance::getEntries()));
    performance::clearMarks();
    log(names(performance::getEntries()));
    performance::clearMeasures("m2");
    log(names(performance::getEntries()));
    performance::clearMeasures();
    log(names(performance::getEntries()));
  });
  add("marks and measures of now", [](Log log) {
    clear();
    const double before = performance::now();
    const PerformanceEntry a = performance::mark("a");
    const PerformanceEntry since = performance::measure("since", "a");
    const PerformanceEntry all = performance::measure("all");
    const PerformanceEntry ignored = performance::measure("ignored", {.duration = 3});
    const double after = performance::now();
    flags(log, before <= a.startTime, a.startTime <= after, since.startTime == a.startTime,
          since.duration >= 0, a.startTime + since.duration <= after);
    log(all.startTime, word(all.duration >= before), word(all.duration <= after), ignored.startTime,
        word(ignored.duration >= before));
    const double realMs = static_cast<double>(sys::realtimeNs()) / 1e6;
    flags(log, std::abs(performance::timeOrigin() + performance::now() - realMs) < 1000);
    clear();
  });
  add("what marks and measures refuse", [](Log log) {
    clear();
    const auto code = [log](auto f) {
      try {
        f();
        log("fine");
      } catch (const Error& error) {
        const std::string text(error.code() == "ERR_PERFORMANCE_NO_MARK" ? error.message()
                                                                         : error.code());
        log(joined(text));
      }
    };
    code([] { performance::mark("n", {.startTime = -1}); });
    code([] { performance::measure("m", "zz"); });
    code([] { performance::measure("m", {.end = "zz"}); });
    code([] { performance::measure("m", {.start = 1, .end = 30, .duration = 2.5}); });
    code([] { performance::measure("m", {.start = -1}); });
    code([] { performance::measure("m", {.start = 10, .duration = -5}); });
    code([] { performance::measure("m", {.end = 10, .duration = -5}); });
    log(performance::getEntries().size());
  });
}

Promise<int> slowly() {
  co_await Promise<>(sleep(5));
  co_return 7;
}

void timed(Cases& add) {
  add("timerify records how long calls take", [](Log log) {
    const RecordableHistogram histogram = createHistogram();
    auto plus = performance::timerify([](int a, int b) { return a + b; }, histogram);
    const int three = plus(1, 2);
    const int seven = plus(3, 4);
    log(three, seven, histogram.count(), word(histogram.min() > 0));
    auto fail = performance::timerify([] { throw error("x"); }, histogram);
    try {
      fail();
    } catch (const std::exception& e) {
      log(e.what(), histogram.count());
    }
    auto slow = performance::timerify(slowly, histogram);
    const Promise<int> p = slow();
    const auto count = histogram.count();
    const auto told = [log, histogram, count](int value) {
      setImmediate([log, histogram, count, value] {
        log(value, histogram.count() - count, word(histogram.max() >= 4'000'000));
      });
    };
    (void)p.then(told);
  });
}

}  // namespace

void performanceCases(Cases& add) {
  add.topic("performance");
  histograms(add);
  monitors(add);
  timeline(add);
  utilization(add);
  timed(add);
}

}  // namespace order
