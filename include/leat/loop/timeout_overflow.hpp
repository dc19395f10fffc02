// SPDX-License-Identifier: MIT
// Delays that are longer than a timer can be.
#pragma once

#include <leat/loop/duration.hpp>
#include <leat/loop/warn.hpp>

#include <cstdio>
#include <cstdlib>

namespace leat::inline LEAT_ABI::detail {

template <Duration D>
bool tooLongForTimer(const D& d) noexcept {
  if constexpr (std::integral<D>) {
    return std::cmp_greater(d, 2147483647);
  } else {
    return milliseconds(d) > 2147483647.0;
  }
}

/// Node's TimeoutOverflowWarning, in a tick.
LEAT_INLINE void warnOfOverflow(double ms);

#if LEAT_BODIES
LEAT_INLINE void warnOfOverflow(double ms) {
  // The number as JavaScript writes it.
  char number[32] = "Infinity";
  constexpr double most = 1.7976931348623157e308;
  const bool whole = ms > 9e15 || ms == static_cast<double>(static_cast<std::int64_t>(ms));
  if (ms < 1e21 && whole) {
    std::snprintf(number, sizeof number, "%.0f", ms);
  } else if (ms <= most) {
    for (int digits = 1; digits <= 17; ++digits) {
      std::snprintf(number, sizeof number, "%.*g", digits, ms);
      if (std::strtod(number, nullptr) == ms) break;
    }
  }
  warnLater("TimeoutOverflowWarning", std::string(number) +
                                          " does not fit into a 32-bit signed integer.\n"
                                          "Timeout duration was set to 1.");
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
