// SPDX-License-Identifier: MIT
// Delays that are longer than a timer can be.
#pragma once

#include <leat/loop/duration.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/loop/warn.hpp>

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
  char number[40] = "Infinity";
  constexpr double most = 1.7976931348623157e308;
  if (ms <= most) (void)writeNumber(ms, number);
  warnLater("TimeoutOverflowWarning", std::string(number) +
                                          " does not fit into a 32-bit signed integer.\n"
                                          "Timeout duration was set to 1.");
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
