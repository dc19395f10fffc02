// SPDX-License-Identifier: MIT
#pragma once
// Catch2 2 (Debian 12) or 3 behind one name, so that no test knows which of them it is built with.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace leat_test {

/// A matcher for REQUIRE_THAT and REQUIRE_THROWS_WITH: the text holds `part`. Its name changed
/// between Catch2 2 and 3.
inline auto containsText(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

}  // namespace leat_test
