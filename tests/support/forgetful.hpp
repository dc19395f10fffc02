// SPDX-License-Identifier: MIT
// A coroutine with a path that gives no value.
#pragma once

#include <leat/core/task.hpp>

#include <string>

namespace leat_test {

// clang warns of it, g++ 12 does not.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
inline leat::Task<std::string> forgetful(bool remembers) {
  if (remembers) co_return "text";
}
#pragma GCC diagnostic pop

}  // namespace leat_test
