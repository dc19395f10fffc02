// SPDX-License-Identifier: MIT
// A string as a template argument, for names that are checked at compile time: `on<"exit">(f)`.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <string_view>

namespace leat::inline LEAT_ABI {

template <std::size_t size>
struct FixedString {
  consteval FixedString(const char (&literal)[size]) noexcept {
    for (std::size_t i = 0; i < size; ++i) text[i] = literal[i];
  }
  constexpr std::string_view view() const noexcept { return {text, size - 1}; }
  template <std::size_t other>
  friend constexpr bool operator==(const FixedString& a, const FixedString<other>& b) noexcept {
    return a.view() == b.view();
  }

  char text[size];
};

}  // namespace leat::inline LEAT_ABI
