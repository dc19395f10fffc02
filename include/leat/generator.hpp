// SPDX-License-Identifier: MIT
// AsyncGenerator: a coroutine that yields values and awaits between them.
#pragma once

#include <leat/core/async_generator.hpp>
