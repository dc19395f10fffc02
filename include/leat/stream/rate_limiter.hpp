// SPDX-License-Identifier: MIT
// RateLimiter: passes on so many bytes or items per second, by a token bucket.
#pragma once

#include <leat/loop/clock.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/stream/transform.hpp>

namespace leat::inline LEAT_ABI {

/// Options of RateLimiter.
struct RateOptions {
  /// Bytes of Buffers, else items, per second; more than 0.
  double perSecond = 0;
  /// How many may pass at once after a pause: at least 1, and as many there are at the beginning. 0: as
  /// many as in a second.
  std::size_t burst = 0;
};

namespace detail {

/// Fills with time, up to its size. Times are nanoseconds of any clock that does not go back.
class TokenBucket {
 public:
  TokenBucket(double perSecond, std::size_t size, std::int64_t now) noexcept
      : perNs_(perSecond / 1e9), size_(static_cast<double>(size)), tokens_(size_), filled_(now) {}

  /// Takes what there is of `wanted`, whole tokens only.
  std::size_t take(std::size_t wanted, std::int64_t now) noexcept {
    fill(now);
    const std::size_t have = static_cast<std::size_t>(tokens_ + slack);
    const std::size_t taken = wanted < have ? wanted : have;
    tokens_ -= static_cast<double>(taken);
    if (tokens_ < 0) tokens_ = 0;
    return taken;
  }
  /// Milliseconds until there are `wanted`, or all that it holds: rounded up, at least 1.
  double wait(std::size_t wanted) const noexcept {
    const double goal = static_cast<double>(wanted) < size_ ? static_cast<double>(wanted) : size_;
    const double ms = (goal - tokens_) / perNs_ / 1e6;
    const double most = 2147483647.0;
    if (!(ms < most)) return most;
    const auto whole = static_cast<double>(static_cast<std::int64_t>(ms));
    return ms <= 1 ? 1 : whole < ms ? whole + 1 : whole;
  }

 private:
  // A sum of parts of a token may miss the whole by this.
  static constexpr double slack = 1e-6;
  void fill(std::int64_t now) noexcept {
    if (now <= filled_) return;
    tokens_ += static_cast<double>(now - filled_) * perNs_;
    if (tokens_ > size_) tokens_ = size_;
    filled_ = now;
  }
  double perNs_;
  double size_;
  double tokens_;
  std::int64_t filled_;
};

template <class T>
class LimitRate {
 public:
  explicit LimitRate(const RateOptions& options)
      : burst_(burstOf(options)),
        share_(shareOf(options.perSecond, burst_)),
        bucket_(options.perSecond, burst_, monotonicNs()) {}

  void transform(T chunk, Transform<T, T>& self, TransformCallback<T, T> done) {
    rest_.emplace(std::move(chunk));
    pass(self, done);
  }
  void destroy() noexcept {
    timer_ = ScopedTimeout();
    rest_.reset();
  }

 private:
  static std::size_t burstOf(const RateOptions& options) {
    if (!(options.perSecond > 0))
      throw RangeError("The rate of a RateLimiter must be more than 0 per second");
    constexpr std::size_t most = std::size_t{1} << 62;
    if (options.burst != 0) return options.burst < most ? options.burst : most;
    if (options.perSecond >= 4e18) return most;
    return options.perSecond < 1 ? 1 : static_cast<std::size_t>(options.perSecond);
  }
  /// That of 20 ms.
  static std::size_t shareOf(double perSecond, std::size_t burst) noexcept {
    const double share = perSecond / 50;
    if (share >= static_cast<double>(burst)) return burst;
    return share < 1 ? 1 : static_cast<std::size_t>(share);
  }
  void pass(const Transform<T, T>& self, const TransformCallback<T, T>& done) {
    while (rest_ && !self.destroyed()) {
      const std::size_t size = chunkSize(*rest_);
      const std::size_t taken = bucket_.take(size, monotonicNs());
      if (taken == size) {
        T last = std::move(*rest_);
        rest_.reset();
        return done(nullptr, std::move(last));
      }
      if (taken == 0) return waitFor(size, self, done);
      if constexpr (countsBytes<T>) {
        const auto cut = static_cast<std::ptrdiff_t>(taken);
        T part = rest_->subarray(0, cut);
        rest_ = rest_->subarray(cut);
        self.push(std::move(part));
      }
    }
  }
  void waitFor(std::size_t size, const Transform<T, T>& self, const TransformCallback<T, T>& done) {
    timer_ = setTimeout(
        [this, self, done] {
          // The timer would keep this closure, and with it the stream that has the timer.
          timer_ = ScopedTimeout();
          pass(self, done);
        },
        bucket_.wait(size < share_ ? size : share_));
  }

  std::size_t burst_;
  std::size_t share_;  // what is waited for, not each byte
  TokenBucket bucket_;
  std::optional<T> rest_;
  ScopedTimeout timer_;
};

}  // namespace detail

/// Passes on what it is written, not faster than its rate. A Buffer may be cut in pieces, items come
/// whole. What waits is the chunk that was written last; the timer holds the loop until it is passed on
/// or the stream is destroyed, and what is to come waits in the writable side as ever.
///
/// Throws: RangeError ERR_OUT_OF_RANGE when the rate is not more than 0; Error ERR_NO_LOOP.
template <class T = Buffer>
class RateLimiter : public Transform<T, T> {
 public:
  explicit RateLimiter(RateOptions rate, const DuplexOptions& options = {})
      : Transform<T, T>(detail::LimitRate<T>(rate), options) {}
};

}  // namespace leat::inline LEAT_ABI
