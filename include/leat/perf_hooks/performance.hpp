// SPDX-License-Identifier: MIT
// performance: a clock, marks on it and the times between them. Node: perf_hooks.performance.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/loop/warn.hpp>
#include <leat/perf_hooks/event_loop_utilization.hpp>
#include <leat/perf_hooks/histogram.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::perf_hooks {

/// A mark or a measure. Times are milliseconds since `performance::timeOrigin()`. Node: `PerformanceEntry`.
struct PerformanceEntry {
  std::string name;
  std::string_view entryType;  ///< "mark" or "measure"
  double startTime = 0;
  double duration = 0;  ///< 0 of a mark
  std::string detail;
};

/// Options of `performance::mark`.
struct MarkOptions {
  /// By default now.
  std::optional<double> startTime{};
  std::string_view detail{};
};

/// A time in `MeasureOptions`: milliseconds, or the newest mark of a name.
class PerformanceTime {
 public:
  PerformanceTime() noexcept = default;
  template <class Number>
    requires std::is_arithmetic_v<Number>
  PerformanceTime(Number time) noexcept : time_(static_cast<double>(time)) {}
  PerformanceTime(std::string_view mark) noexcept : mark_(mark) {}
  PerformanceTime(const char* mark) noexcept : mark_(std::string_view(mark)) {}
  PerformanceTime(const std::string& mark) noexcept : mark_(std::string_view(mark)) {}
  bool given() const noexcept { return time_ || mark_; }
  const std::optional<double>& time() const noexcept { return time_; }
  std::string_view mark() const noexcept { return *mark_; }

 private:
  std::optional<double> time_;
  std::optional<std::string_view> mark_;
};

/// Options of `performance::measure`; at most two of the first three.
struct MeasureOptions {
  PerformanceTime start{};
  PerformanceTime end{};
  std::optional<double> duration{};
  std::string_view detail{};
};

}  // namespace leat::inline LEAT_ABI::perf_hooks

namespace leat::inline LEAT_ABI::detail {

/// The steady and the real clock at one moment.
struct TimeOrigin {
  const std::int64_t steadyNs = sys::monotonicNs();
  const std::int64_t realNs = sys::realtimeNs();
};
/// When somebody first asked for it, in this process.
inline const TimeOrigin& timeOrigin() noexcept {
  static const TimeOrigin origin;
  return origin;
}

/// The marks and measures of one loop.
class LEAT_API PerformanceTimeline final : public LoopPart {
 public:
  using Entry = perf_hooks::PerformanceEntry;
  using Entries = std::vector<Entry>;

  PerformanceTimeline(const void* k, EventLoop&) noexcept : LoopPart(k) {}
  static PerformanceTimeline& current() {
    EventLoop& loop = EventLoop::current();
    return loop.parts().get<PerformanceTimeline>(loop);
  }

  Entry add(Entries& to, Entry entry);
  /// Throws: Error ERR_PERFORMANCE_NO_MARK, TypeError ERR_PERFORMANCE_INVALID_TIMESTAMP.
  double timeOf(const perf_hooks::PerformanceTime& time) const;
  /// In order of their starts: marks, then measures, of one time.
  Entries all() const;

  Entries marks;
  Entries measures;

 private:
  bool warned_ = false;
};

[[noreturn]] LEAT_NOINLINE inline void throwTimestamp(double time) {
  throw TypeError(SharedText({std::to_string(time), " is not a valid timestamp"}).view(),
                  "ERR_PERFORMANCE_INVALID_TIMESTAMP");
}
inline double checkTimestamp(double time) {
  if (!(time >= 0)) throwTimestamp(time);
  return time;
}

#if LEAT_BODIES
/// Node warns at the same number.
LEAT_INLINE perf_hooks::PerformanceEntry PerformanceTimeline::add(Entries& to, Entry entry) {
  constexpr std::size_t many = 1'000'000;
  to.push_back(entry);
  if (to.size() > many && !std::exchange(warned_, true)) {
    const std::string type(entry.entryType);
    warnLater("MaxPerformanceEntryBufferExceededWarning",
              "Possible perf_hooks memory leak detected. " + std::to_string(to.size()) + " " +
                  type +
                  " entries added to the global performance entry buffer. Use performance::" +
                  (type == "mark" ? "clearMarks" : "clearMeasures") + " to clear the buffer.");
  }
  return entry;
}

LEAT_INLINE double PerformanceTimeline::timeOf(const perf_hooks::PerformanceTime& time) const {
  if (time.time()) return checkTimestamp(*time.time());
  for (std::size_t i = marks.size(); i > 0; --i)
    if (marks[i - 1].name == time.mark()) return marks[i - 1].startTime;
  throw Error(SharedText({"The \"", time.mark(), "\" performance mark has not been set"}).view(),
              "ERR_PERFORMANCE_NO_MARK");
}

LEAT_INLINE PerformanceTimeline::Entries PerformanceTimeline::all() const {
  // std::stable_sort asks libstdc++ 12 for what C++20 deprecates.
  std::vector<std::pair<double, const Entry*>> order;
  for (const Entries* list : {&marks, &measures})
    for (const Entry& entry : *list) order.emplace_back(entry.startTime, &entry);
  const auto before = [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    const bool markA = a.second->entryType == "mark";
    const bool markB = b.second->entryType == "mark";
    return markA != markB ? markA : a.second < b.second;
  };
  std::sort(order.begin(), order.end(), before);
  Entries both;
  for (const auto& [time, entry] : order) both.push_back(*entry);
  return both;
}
#endif

inline void clearEntries(std::vector<perf_hooks::PerformanceEntry>& entries,
                         std::optional<std::string_view> name) {
  std::erase_if(entries, [&](const auto& entry) { return !name || entry.name == *name; });
}

}  // namespace leat::inline LEAT_ABI::detail

/// Node: `performance`. Marks and measures belong to the loop of the thread, and take memory until they are
/// cleared. Throws, but for `now` and `timeOrigin`: Error ERR_NO_LOOP.
namespace leat::inline LEAT_ABI::perf_hooks::performance {

using perf_hooks::eventLoopUtilization;

/// Milliseconds, with fractions, since `timeOrigin`; never goes back. Thread: any.
inline double now() noexcept {
  const std::int64_t origin = leat::detail::timeOrigin().steadyNs;
  return static_cast<double>(sys::monotonicNs() - origin) / 1e6;
}
/// Milliseconds since 1970 when the process first used this clock. In Node: when it started. Thread: any.
inline double timeOrigin() noexcept {
  return static_cast<double>(leat::detail::timeOrigin().realNs) / 1e6;
}

/// Notes a time. Throws: TypeError ERR_PERFORMANCE_INVALID_TIMESTAMP when it is negative.
LEAT_INLINE PerformanceEntry mark(std::string_view name, MarkOptions options = {});
/// Notes the time from `start` to `end`, of which two of `start`, `end` and `duration` are enough. Without a
/// start it is from `timeOrigin`, without an end until now.
///
/// Throws: Error ERR_PERFORMANCE_NO_MARK for a name without a mark (in Node a DOMException SyntaxError);
/// TypeError ERR_PERFORMANCE_MEASURE_INVALID_OPTIONS for all three, ERR_PERFORMANCE_INVALID_TIMESTAMP for a
/// time or a duration that is negative or no number.
LEAT_INLINE PerformanceEntry measure(std::string_view name, MeasureOptions options);

#if LEAT_BODIES
LEAT_INLINE PerformanceEntry mark(std::string_view name, MarkOptions options) {
  auto& timeline = leat::detail::PerformanceTimeline::current();
  const double start = options.startTime ? leat::detail::checkTimestamp(*options.startTime) : now();
  return timeline.add(timeline.marks,
                      {std::string(name), "mark", start, 0, std::string(options.detail)});
}

LEAT_INLINE PerformanceEntry measure(std::string_view name, MeasureOptions options) {
  if (options.start.given() && options.end.given() && options.duration)
    leat::detail::throwTypeError(
        "Must not have options.start, options.end, and options.duration specified",
        "ERR_PERFORMANCE_MEASURE_INVALID_OPTIONS");
  auto& timeline = leat::detail::PerformanceTimeline::current();
  double start = 0;
  double end = 0;
  if (options.end.given()) {
    end = timeline.timeOf(options.end);
  } else if (options.start.given() && options.duration) {
    end = timeline.timeOf(options.start) + leat::detail::checkTimestamp(*options.duration);
  } else {
    end = now();
  }
  if (options.start.given()) {
    start = timeline.timeOf(options.start);
  } else if (options.end.given() && options.duration) {
    start = end - leat::detail::checkTimestamp(*options.duration);
    // From infinity to infinity: that has no place among the others.
    if (start != start) leat::detail::throwTimestamp(start);
  }
  return timeline.add(timeline.measures, {std::string(name), "measure", start, end - start,
                                          std::string(options.detail)});
}
#endif
/// From one mark, or `timeOrigin`, until another, or now.
inline PerformanceEntry measure(std::string_view name, PerformanceTime start = {},
                                PerformanceTime end = {}) {
  return measure(name, MeasureOptions{.start = start, .end = end});
}

/// All there are, by their starts.
inline std::vector<PerformanceEntry> getEntries() {
  return leat::detail::PerformanceTimeline::current().all();
}
/// Those of a name and, where that is given, of a type.
LEAT_INLINE std::vector<PerformanceEntry> getEntriesByName(std::string_view name,
                                                           std::string_view type = {});
/// "mark" or "measure"; of others there is none.
LEAT_INLINE std::vector<PerformanceEntry> getEntriesByType(std::string_view type);

#if LEAT_BODIES
LEAT_INLINE std::vector<PerformanceEntry> getEntriesByName(std::string_view name,
                                                           std::string_view type) {
  std::vector<PerformanceEntry> entries = getEntries();
  std::erase_if(entries, [&](const PerformanceEntry& entry) {
    return entry.name != name || (!type.empty() && entry.entryType != type);
  });
  return entries;
}

LEAT_INLINE std::vector<PerformanceEntry> getEntriesByType(std::string_view type) {
  std::vector<PerformanceEntry> entries = getEntries();
  std::erase_if(entries, [&](const PerformanceEntry& entry) { return entry.entryType != type; });
  return entries;
}
#endif
/// All of them, or those of a name.
inline void clearMarks(std::optional<std::string_view> name = {}) {
  leat::detail::clearEntries(leat::detail::PerformanceTimeline::current().marks, name);
}
inline void clearMeasures(std::optional<std::string_view> name = {}) {
  leat::detail::clearEntries(leat::detail::PerformanceTimeline::current().measures, name);
}

/// `f`, and each call's nanoseconds in `histogram`. Of a function that gives a Promise the time until that
/// settles. What lasts less than a nanosecond counts as one; a call that throws is not counted.
///
/// Node: `performance.timerify`, which also tells its observers. Throws: what `f` throws.
template <class F>
auto timerify(F&& f, RecordableHistogram histogram) {
  return [call = std::decay_t<F>(std::forward<F>(f)),
          histogram](auto&&... args) mutable -> decltype(auto) {
    using Result = std::invoke_result_t<std::decay_t<F>&, decltype(args)...>;
    constexpr bool isPromise = leat::detail::isPromise<std::remove_cvref_t<Result>>;
    static_assert(std::is_void_v<Result> || isPromise || !Awaitable<Result>,
                  "timerify(f): f may give a Promise, but no Task, which has not begun");
    struct Stopwatch {
      RecordableHistogram histogram;
      std::int64_t startNs = sys::monotonicNs();
      void stop() const {
        const std::int64_t ns = sys::monotonicNs() - startNs;
        histogram.record(ns < 1 ? 1 : ns);
      }
    };
    const Stopwatch watch{histogram};
    if constexpr (isPromise) {
      auto stop = [watch] { watch.stop(); };
      return call(std::forward<decltype(args)>(args)...).finally(stop);
    } else {
      struct AtEnd {
        const Stopwatch& watch;
        const int exceptions = std::uncaught_exceptions();
        ~AtEnd() {
          if (std::uncaught_exceptions() == exceptions) watch.stop();
        }
      };
      const AtEnd end{watch};
      return call(std::forward<decltype(args)>(args)...);
    }
  };
}

}  // namespace leat::inline LEAT_ABI::perf_hooks::performance

namespace leat::inline LEAT_ABI {
/// A global of Node's.
namespace performance = perf_hooks::performance;
}  // namespace leat::inline LEAT_ABI
