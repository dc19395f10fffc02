// SPDX-License-Identifier: MIT
// A timer that is due again and again, and how late it is. Node: perf_hooks.monitorEventLoopDelay.
#pragma once

#include <leat/loop/scoped_timeout.hpp>
#include <leat/perf_hooks/histogram.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::perf_hooks {

/// Options of `monitorEventLoopDelay`.
struct EventLoopDelayOptions {
  /// Milliseconds between two samples; a whole number.
  std::int64_t resolution = 10;
};

/// The time between one sample and the next, in nanoseconds: `resolution` and what the loop kept the sample
/// waiting. What takes longer than an hour counts in `exceeds`. Copies are handles to the same monitor; it
/// samples until it is disabled or the last handle is gone, and does not hold the loop.
///
/// Node: `IntervalHistogram`, which takes the time in which it was disabled for a delay. Thread: the
/// loop's. A blocked stretch is one sample, so a percentile tells
/// how many turns were late and not how much of the time.
class EventLoopDelay : public Histogram {
 public:
  explicit EventLoopDelay(EventLoopDelayOptions options)
      : Histogram(limits()), sampler_(leat::detail::makeRef<Sampler>(options.resolution, state_)) {}

  /// Starts to sample. False: it does already. Throws: Error ERR_NO_LOOP.
  bool enable() const {
    if (sampler_->timer) return false;
    sampler_->state->previousNs = sys::monotonicNs();
    const auto sample = [state = sampler_->state.get()] { state->recordDelta(sys::monotonicNs()); };
    // The sampler clears the timer before the state goes.
    sampler_->timer.emplace(setInterval(sample, sampler_->resolution));
    (*sampler_->timer)->unref();
    return true;
  }
  /// False: it does not sample.
  bool disable() const noexcept {
    if (!sampler_->timer) return false;
    sampler_->timer.reset();
    return true;
  }
  /// What was sampled so far is forgotten; the next sample counts from now.
  void reset() const noexcept {
    Histogram::reset();
    if (sampler_->timer) sampler_->state->previousNs = sys::monotonicNs();
  }

 private:
  static HistogramOptions limits() noexcept {
    constexpr std::int64_t nsOfUs = 1'000;
    constexpr std::int64_t hour = 3'600'000'000'000;
    return {.lowest = nsOfUs, .highest = hour, .figures = 3};
  }
  struct Sampler : leat::detail::Counted<Sampler> {
    Sampler(std::int64_t ms, leat::detail::Ref<State> s) noexcept
        : resolution(ms), state(std::move(s)) {}
    const std::int64_t resolution;
    // Its own: another histogram may be assigned to the base of a handle.
    const leat::detail::Ref<State> state;
    std::optional<ScopedTimeout> timer;
  };

  leat::detail::Ref<Sampler> sampler_;
};

/// A monitor that is yet to be enabled. Node: `perf_hooks.monitorEventLoopDelay`.
///
/// Throws: RangeError ERR_OUT_OF_RANGE unless 1 <= `resolution` <= 2^31-1 (in Node 2^53-1).
LEAT_INLINE EventLoopDelay monitorEventLoopDelay(EventLoopDelayOptions options = {});

#if LEAT_BODIES
LEAT_INLINE EventLoopDelay monitorEventLoopDelay(EventLoopDelayOptions options) {
  constexpr std::int64_t most = 2'147'483'647;
  if (options.resolution < 1 || options.resolution > most)
    leat::detail::throwHistogramRange("options.resolution", 1, most, options.resolution);
  return EventLoopDelay(options);
}
#endif

}  // namespace leat::inline LEAT_ABI::perf_hooks
