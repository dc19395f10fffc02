// SPDX-License-Identifier: MIT
// Promise with then, catch_ and finally, the combinators, asResult, and the errors that they carry.
#pragma once

#include <leat/core/as_result.hpp>
#include <leat/core/callback.hpp>
#include <leat/core/combinators.hpp>
#include <leat/core/describe.hpp>
#include <leat/core/promise.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/core/system_error.hpp>
