// SPDX-License-Identifier: MIT
// The half of a program that may be compiled in another configuration than main.cpp.
#include "library.hpp"

leat::Task<int> answer() {
  co_await leat::sleep(1);
  co_return 42;
}
