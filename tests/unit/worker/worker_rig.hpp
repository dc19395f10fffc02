// SPDX-License-Identifier: MIT
// What the tests of workers and ports share.
#pragma once

#include <leat/core/error.hpp>

#include <exception>
#include <string>

namespace leat_test {

/// Its code, or the text of one that has none.
inline std::string codeOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace leat_test
