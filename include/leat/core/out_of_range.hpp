// SPDX-License-Identifier: MIT
// Whole numbers that are out of range, in Node's words.
#pragma once

#include <leat/core/error.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

/// A whole number in a message. Over 2**32 Node puts underscores between thousands.
class IntegerText {
 public:
  explicit IntegerText(std::int64_t number) noexcept
      : IntegerText(static_cast<std::uint64_t>(number), number < 0, false) {}
  /// Of two's complement; a big one has an "n" behind it.
  IntegerText(std::uint64_t bits, bool negative, bool big) noexcept;
  operator std::string_view() const noexcept { return {text_ + first_, sizeof text_ - first_}; }

 private:
  char text_[32];
  std::size_t first_ = sizeof text_;
};

/// Throws: RangeError, always: "The value of "name" is out of range. It must be range. Received 7".
[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwOutOfRange(std::string_view name,
                                                                  std::string_view range,
                                                                  std::string_view received) {
  throw RangeError(SharedText{"The value of \"", name, "\" is out of range. It must be ", range,
                              ". Received ", received}
                       .view());
}

#if LEAT_BODIES
LEAT_INLINE IntegerText::IntegerText(std::uint64_t bits, bool negative, bool big) noexcept {
  std::uint64_t rest = negative ? 0 - bits : bits;
  const bool separated = rest > std::uint64_t{1} << 32;
  if (big) text_[--first_] = 'n';
  for (int digits = 0; digits == 0 || rest != 0; ++digits) {
    if (separated && digits != 0 && digits % 3 == 0) text_[--first_] = '_';
    text_[--first_] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  if (negative) text_[--first_] = '-';
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
