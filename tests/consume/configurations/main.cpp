// SPDX-License-Identifier: MIT
#include <leat/loop.hpp>

#include "library.hpp"

int main() {
  return leat::run([]() -> leat::Task<int> {
    const int got = co_await answer();
    co_return got - 42;
  });
}
