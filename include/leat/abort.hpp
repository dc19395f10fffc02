// SPDX-License-Identifier: MIT
// AbortController, AbortSignal, and work under a signal or shielded from one.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/with_timeout.hpp>
