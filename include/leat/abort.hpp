// SPDX-License-Identifier: MIT
// AbortController, AbortSignal, and work under a signal or shielded from one.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/with_context.hpp>
