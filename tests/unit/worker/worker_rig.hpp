// SPDX-License-Identifier: MIT
// What the tests of workers and ports share.
#pragma once

#include <leat/core/error.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/task.hpp>

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

/// What was posted to this loop before has come. After one sleep it need not: a timer may be due at once.
inline leat::Task<> settle() {
  co_await leat::sleep(1);
  co_await leat::sleep(1);
}

}  // namespace leat_test
