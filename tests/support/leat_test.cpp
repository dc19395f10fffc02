// SPDX-License-Identifier: MIT
// Nothing of its own: CMake builds a target's precompiled header for a source of that target, and
// main.cpp cannot use it.
#include <leat_test.hpp>
