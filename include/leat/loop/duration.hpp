// SPDX-License-Identifier: MIT
// Times given by users: a number of milliseconds, as in Node, or a duration of <chrono>, which is
// recognised by its shape since its header costs 0.3 s a translation unit.
#pragma once

#include <leat/base/config.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI {

template <class D>
concept ChronoDuration = requires(const D& d) {
  d.count();
  D::period::num;
  D::period::den;
};

template <class D>
concept Duration = std::is_arithmetic_v<D> || ChronoDuration<D>;

namespace detail {

/// Milliseconds as a double, so that neither NaN nor infinity is undefined.
template <Duration D>
double milliseconds(const D& d) noexcept {
  if constexpr (ChronoDuration<D>) {
    return static_cast<double>(d.count()) * 1000.0 * static_cast<double>(D::period::num) /
           static_cast<double>(D::period::den);
  } else {
    return static_cast<double>(d);
  }
}

/// Node's rule: less than 1, more than 2^31-1 or no number at all is 1; fractions are cut off.
template <Duration D>
std::int32_t timerMs(const D& d) noexcept {
  if constexpr (std::integral<D>) {
    return std::cmp_less(d, 1) || std::cmp_greater(d, 2147483647) ? 1
                                                                  : static_cast<std::int32_t>(d);
  } else {
    const double ms = milliseconds(d);
    return ms >= 1 && ms <= 2147483647.0 ? static_cast<std::int32_t>(ms) : 1;
  }
}

/// For waits: a fraction of a millisecond is rounded up, so that none ends early.
template <Duration D>
std::int32_t waitMs(const D& d) noexcept {
  if constexpr (std::integral<D>) {
    return timerMs(d);
  } else {
    const double ms = milliseconds(d);
    const std::int32_t whole = timerMs(d);
    return ms > static_cast<double>(whole) && whole < 2147483647 && ms < 2147483647.0 ? whole + 1
                                                                                      : whole;
  }
}

/// The same for waits that may be longer than a timer: more than 2^31-1 is what it says, and what no
/// number of milliseconds is, the most.
template <Duration D>
std::int64_t longWaitMs(const D& d) noexcept {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if constexpr (std::integral<D>) {
    if (std::cmp_less(d, 1)) return 1;
    return std::cmp_greater(d, most) ? most : static_cast<std::int64_t>(d);
  } else {
    const double ms = milliseconds(d);
    if (!(ms > 1)) return 1;
    if (ms >= 9.2e18) return most;
    const auto whole = static_cast<std::int64_t>(ms);
    return ms > static_cast<double>(whole) ? whole + 1 : whole;
  }
}

/// What is left of such a wait: one timer after the other.
class LongWait {
 public:
  explicit LongWait(std::int64_t ms) noexcept : left_(ms) {}
  bool over() const noexcept { return left_ == 0; }
  /// How long the next timer of it is. The first is the short one.
  std::int32_t next() noexcept {
    constexpr std::int64_t longest = 2147483647;
    std::int64_t part = left_;
    if (part > longest) [[unlikely]]
      part = part % longest != 0 ? part % longest : longest;
    left_ -= part;
    return static_cast<std::int32_t>(part);
  }

 private:
  std::int64_t left_;
};

}  // namespace detail

/// A time in options: made of a number of milliseconds or of a duration.
class Milliseconds {
 public:
  template <Duration D>
  Milliseconds(const D& d) noexcept : count_(detail::milliseconds(d)) {}
  double count() const noexcept { return count_; }

 private:
  double count_;
};

}  // namespace leat::inline LEAT_ABI
