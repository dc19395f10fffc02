// SPDX-License-Identifier: MIT
#pragma once

#include <leat/loop/run.hpp>

#include <leat_test.hpp>

namespace leat_test {

/// A main that never settles is a failure too.
template <class F>
void runs(F main) {
  CHECK(leat::run(main) == 0);
}

}  // namespace leat_test
