// SPDX-License-Identifier: MIT
// Histograms of a bounded relative error in constant memory (High Dynamic Range): buckets that double in
// width, each divided evenly. Counting is a shift and an increment. Node: Histogram, RecordableHistogram.
#pragma once

#include <leat/loop/out_of_range.hpp>
#include <leat/sys/calls.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace leat::inline LEAT_ABI::perf_hooks {

/// Options of `createHistogram`. Node's names and defaults.
struct HistogramOptions {
  /// The smallest number that is told from 0; 1 or more. Below 2^45 with 5 figures, 2^48 with 4.
  std::int64_t lowest = 1;
  /// The largest number that is counted, at least twice `lowest`. Memory grows with its logarithm.
  std::int64_t highest = 9'007'199'254'740'991;
  /// How many decimal figures of a number are kept, 1 to 5; memory grows tenfold with each.
  int figures = 3;
};

}  // namespace leat::inline LEAT_ABI::perf_hooks

namespace leat::inline LEAT_ABI::detail {

[[noreturn]] LEAT_NOINLINE inline void throwHistogramRange(std::string_view name, long long least,
                                                           long long most, long long got) {
  throwOutOfRange(name, SharedText{">= ", Decimal(least), " && <= ", Decimal(most)}.view(),
                  IntegerText(got));
}

/// The counts. A number's place is its power of two (the bucket) and the leading bits behind it (the part).
class HistogramCounts {
 public:
  static constexpr std::int64_t largest = 9'007'199'254'740'991;  // Node's MAX_SAFE_INTEGER
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

  /// Throws: RangeError ERR_OUT_OF_RANGE.
  explicit HistogramCounts(const perf_hooks::HistogramOptions& options);

  /// False: too large.
  bool record(std::int64_t value, std::int64_t times = 1) noexcept {
    if (value > highest_) return false;
    const std::size_t at = placeOf(value);
    counts_[at] += times;
    total_ += times;
    if (value != 0 && value < min_) min_ = value;
    if (value > max_) max_ = value;
    return true;
  }
  void reset() noexcept {
    counts_.assign(counts_.size(), 0);
    total_ = max_ = 0;
    min_ = none;
  }

  std::int64_t total() const noexcept { return total_; }
  std::int64_t min() const noexcept {
    if (counts_[0] > 0) return 0;
    return min_ == none ? none : lowestLike(min_);
  }
  std::int64_t max() const noexcept { return max_ == 0 ? 0 : highestLike(max_); }
  double mean() const noexcept;
  double deviation() const noexcept;
  std::int64_t percentile(double p) const noexcept;
  /// The steps of Node's `percentiles`: each halves the distance to 100.
  std::vector<std::pair<double, std::int64_t>> percentiles() const;
  /// Calls `f(value, times)` for each place that counts something, from the smallest.
  template <class F>
  void forEach(F f) const {
    for (std::size_t at = 0; at < counts_.size(); ++at)
      if (counts_[at] > 0) f(valueAt(at), counts_[at]);
  }

 private:
  int bucketOf(std::int64_t value) const noexcept {
    constexpr int bits = 64;
    const auto wide = static_cast<std::uint64_t>(value | mask_);
    return bits - std::countl_zero(wide) - unit_ - (halfBits_ + 1);
  }
  std::int64_t partOf(std::int64_t value, int bucket) const noexcept {
    return value >> (bucket + unit_);
  }
  std::size_t placeOf(std::int64_t value) const noexcept {
    const int bucket = bucketOf(value);
    const std::int64_t base = std::int64_t{bucket + 1} << halfBits_;
    return static_cast<std::size_t>(base + partOf(value, bucket) - half());
  }
  std::int64_t valueAt(std::size_t at) const noexcept {
    int bucket = static_cast<int>(at >> halfBits_) - 1;
    std::int64_t part = (static_cast<std::int64_t>(at) & (half() - 1)) + half();
    if (bucket < 0) {
      part -= half();
      bucket = 0;
    }
    return part << (bucket + unit_);
  }
  std::int64_t half() const noexcept { return std::int64_t{1} << halfBits_; }
  /// How many numbers share the place of `value`, and the smallest, the largest and the middle of them.
  std::int64_t widthAt(std::int64_t value) const noexcept {
    const int bucket = bucketOf(value);
    const int wider = partOf(value, bucket) >= 2 * half() ? bucket + 1 : bucket;
    return std::int64_t{1} << (unit_ + wider);
  }
  std::int64_t lowestLike(std::int64_t value) const noexcept {
    const int bucket = bucketOf(value);
    return partOf(value, bucket) << (bucket + unit_);
  }
  std::int64_t highestLike(std::int64_t value) const noexcept {
    return lowestLike(value) + widthAt(value) - 1;
  }
  std::int64_t middleLike(std::int64_t value) const noexcept {
    return lowestLike(value) + (widthAt(value) >> 1);
  }

  int unit_ = 0;      // numbers below 2^unit_ are one
  int halfBits_ = 0;  // a bucket has 2^(halfBits_ + 1) parts; its lower half is the bucket before
  std::int64_t mask_ = 0;
  std::int64_t highest_;
  std::int64_t total_ = 0;
  std::int64_t min_ = none;
  std::int64_t max_ = 0;
  std::vector<std::int64_t> counts_;
};

#if LEAT_BODIES
LEAT_INLINE HistogramCounts::HistogramCounts(const perf_hooks::HistogramOptions& options)
    : highest_(options.highest) {
  const auto [lowest, highest, figures] = options;
  if (lowest < 1 || lowest > largest) throwHistogramRange("options.lowest", 1, largest, lowest);
  // Twice a `lowest` above the middle is more than any number.
  if (lowest > largest / 2 || highest < 2 * lowest || highest > largest)
    throwHistogramRange("options.highest", 2 * lowest, largest, highest);
  if (figures < 1 || figures > 5) throwHistogramRange("options.figures", 1, 5, figures);
  std::int64_t exact = 2;  // up to here the figures need a place for each number
  for (int i = 0; i < figures; ++i) exact *= 10;
  constexpr int topBit = 63;
  unit_ = topBit - std::countl_zero(static_cast<std::uint64_t>(lowest));
  halfBits_ = topBit - std::countl_zero(static_cast<std::uint64_t>(exact));
  // Of a bucket so wide and so fine the largest number would not fit into 64 bits.
  constexpr int most = 61;
  if (unit_ + halfBits_ > most)
    throwHistogramRange("options.lowest", 1, (std::int64_t{2} << (most - halfBits_)) - 1, lowest);
  mask_ = (2 * half() - 1) << unit_;
  std::int64_t beyond = (2 * half()) << unit_;
  std::int64_t buckets = 1;
  for (; beyond <= highest; beyond *= 2) ++buckets;
  counts_.resize(static_cast<std::size_t>((buckets + 1) * half()));
}

LEAT_INLINE double HistogramCounts::mean() const noexcept {
  // Exact as 64 bits are, and no overflow where those have one.
  long double sum = 0;
  forEach([&](std::int64_t value, std::int64_t times) {
    sum += static_cast<long double>(times) * static_cast<long double>(middleLike(value));
  });
  return static_cast<double>(sum) / static_cast<double>(total_);
}

LEAT_INLINE double HistogramCounts::deviation() const noexcept {
  const double middle = mean();
  double sum = 0;
  forEach([&](std::int64_t value, std::int64_t times) {
    const double off = static_cast<double>(middleLike(value)) - middle;
    sum += off * off * static_cast<double>(times);
  });
  return std::sqrt(sum / static_cast<double>(total_));
}

LEAT_INLINE std::int64_t HistogramCounts::percentile(double p) const noexcept {
  auto wanted = static_cast<std::int64_t>(p / 100 * static_cast<double>(total_) + 0.5);
  if (wanted < 1) wanted = 1;
  std::int64_t seen = 0;
  for (std::size_t at = 0; at < counts_.size(); ++at) {
    seen += counts_[at];
    if (seen >= wanted) return highestLike(valueAt(at));
  }
  return highestLike(0);
}

LEAT_INLINE std::vector<std::pair<double, std::int64_t>> HistogramCounts::percentiles() const {
  std::vector<std::pair<double, std::int64_t>> all;
  double next = 0;
  std::int64_t seen = 0;
  std::int64_t last = 0;
  forEach([&](std::int64_t value, std::int64_t times) {
    seen += times;
    last = value;
    const double now = 100.0 * static_cast<double>(seen) / static_cast<double>(total_);
    // The largest number is told as 100 alone once it was told.
    for (bool told = false; next <= now && next < 100 && !(told && seen == total_); told = true) {
      all.emplace_back(next, value);
      const auto halvings = static_cast<int>(std::log(100 / (100 - next)) / std::log(2)) + 1;
      next += 100.0 / std::ldexp(1.0, halvings);
    }
  });
  all.emplace_back(100, last);
  return all;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::perf_hooks {

/// How often numbers were recorded, each with an error of less than one unit of its last figure. Copies are
/// handles to the same histogram; its memory is fixed when it is made.
///
/// Node: `Histogram`, without the variants for BigInt. Thread: one at a time.
class Histogram {
 public:
  using LoopBound = void;

  /// Of what was recorded; 2^63-1 for nothing.
  std::int64_t min() const noexcept { return state_->counts.min(); }
  std::int64_t max() const noexcept { return state_->counts.max(); }
  /// NaN for nothing, as of `stddev`.
  double mean() const noexcept { return state_->counts.mean(); }
  double stddev() const noexcept { return state_->counts.deviation(); }
  /// How many numbers were larger than the histogram's highest. They count nowhere else.
  std::int64_t exceeds() const noexcept { return state_->exceeds; }
  std::int64_t count() const noexcept { return state_->counts.total(); }
  /// What so many per cent of the numbers do not exceed.
  ///
  /// Throws: RangeError ERR_OUT_OF_RANGE unless 0 < `p` <= 100.
  std::int64_t percentile(double p) const {
    if (!(p > 0 && p <= 100)) leat::detail::throwNumberOutOfRange("percentile", "> 0 && <= 100", p);
    return state_->counts.percentile(p);
  }
  /// Percentile and number, from 0 in steps that halve the distance to 100.
  std::vector<std::pair<double, std::int64_t>> percentiles() const {
    return state_->counts.percentiles();
  }
  /// Forgets all that was recorded.
  void reset() const noexcept {
    state_->counts.reset();
    state_->exceeds = 0;
    state_->previousNs = 0;
  }

 protected:
  struct State : leat::detail::Counted<State> {
    explicit State(const HistogramOptions& options) : counts(options) {}
    void record(std::int64_t value) noexcept {
      if (!counts.record(value)) ++exceeds;
    }
    void recordDelta(std::int64_t nowNs) noexcept {
      if (previousNs > 0) record(nowNs - previousNs);
      previousNs = nowNs;
    }
    leat::detail::HistogramCounts counts;
    std::int64_t exceeds = 0;
    std::int64_t previousNs = 0;
  };
  explicit Histogram(const HistogramOptions& options)
      : state_(leat::detail::makeRef<State>(options)) {}
  leat::detail::Ref<State> state_;
};

/// One that the program fills. Node: `RecordableHistogram`.
class RecordableHistogram : public Histogram {
 public:
  explicit RecordableHistogram(HistogramOptions options = {}) : Histogram(options) {}

  /// Throws: RangeError ERR_OUT_OF_RANGE unless 1 <= `value` <= 2^53-1.
  void record(std::int64_t value) const {
    if (value < 1 || value > leat::detail::HistogramCounts::largest)
      leat::detail::throwHistogramRange("val", 1, leat::detail::HistogramCounts::largest, value);
    state_->record(value);
  }
  /// Records the nanoseconds since the last call; the first one only notes the time.
  void recordDelta() const noexcept { state_->recordDelta(sys::monotonicNs()); }
  /// Adds what `other` has counted. What is too large for this one counts in `exceeds`; Node lets it go.
  void add(const RecordableHistogram& other) const noexcept {
    const leat::detail::Ref<State> from = other.state_;
    const std::int64_t exceeds = from->exceeds;
    // Of itself, too: no place is read after it was changed.
    from->counts.forEach([this](std::int64_t value, std::int64_t times) {
      if (!state_->counts.record(value, times)) state_->exceeds += times;
    });
    state_->exceeds += exceeds;
  }
};

/// Node: `perf_hooks.createHistogram`, which ends the process for a `lowest` that is too large for the
/// figures. Throws: RangeError ERR_OUT_OF_RANGE.
inline RecordableHistogram createHistogram(HistogramOptions options = {}) {
  return RecordableHistogram(options);
}

}  // namespace leat::inline LEAT_ABI::perf_hooks
