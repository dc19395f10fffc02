// SPDX-License-Identifier: MIT
// The program that most consumers build: it uses the library as a user's first program does, and prints
// what run.cmake expects.
// [program]
#include <leat.hpp>

#include <cstdio>

int main() {
  int code = leat::run([]() -> leat::Task<> { co_await leat::sleep(1); });
  std::printf("leat %d.%d.%d ran: %d\n", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH,
              code);
  return code;
}
// [/program]
