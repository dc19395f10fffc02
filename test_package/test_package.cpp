// SPDX-License-Identifier: MIT
#include <leat.hpp>

#include <cstdio>

leat::Task<> program() {
  co_await leat::sleep(1);
  std::puts("leat runs");
}

int main() { return leat::run(program); }
