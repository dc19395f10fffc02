// SPDX-License-Identifier: MIT
// The version, in one place: CMake reads these three lines.
#pragma once

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
