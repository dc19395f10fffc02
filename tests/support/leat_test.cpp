// SPDX-License-Identifier: MIT
// The precompiled header's own source (CMake builds it for a source of the target, and main.cpp cannot
// use it), and the check that LEAT_BACKEND names what this machine has: exit code 77 skips the test.
#include <leat_test.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

const bool backendThere = [] {
  const char* const wanted = std::getenv("LEAT_BACKEND");
  if (wanted == nullptr || std::strcmp(wanted, "io_uring") != 0) return true;
  unsigned parameters[30] = {};
  const long ring = ::syscall(425, 1, parameters);
  if (ring < 0) {
    std::perror("skipped: io_uring_setup");
    ::_exit(77);
  }
  ::close(static_cast<int>(ring));
  return true;
}();

}  // namespace
