// SPDX-License-Identifier: MIT
// The one object of leat::compiled.
#include <leat/compiled.hpp>
