// SPDX-License-Identifier: MIT
#pragma once

#include <leat/core/error.hpp>

#include <string>

namespace leat_test {

/// The code of the Error that `f()` throws, or "nothing".
template <class F>
std::string codeThrownBy(F&& f) {
  try {
    f();
  } catch (const leat::Error& error) {
    return std::string(error.code());
  }
  return "nothing";
}

}  // namespace leat_test
