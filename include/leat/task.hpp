// SPDX-License-Identifier: MIT
// Task: a lazy coroutine with one owner, awaited as a call.
#pragma once

#include <leat/core/task.hpp>
