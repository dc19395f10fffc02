// SPDX-License-Identifier: MIT
// The main of every test program, compiled once. Catch2 3 brings its own; version 2 is made here.

#if !__has_include(<catch2/catch_all.hpp>)
// A sanitizer's report of a crash says more than the name of the test, which is all that Catch2's
// handler would print.
#if LEAT_TEST_SANITIZED
#define CATCH_CONFIG_NO_POSIX_SIGNALS
#endif
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
