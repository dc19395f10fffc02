// SPDX-License-Identifier: MIT
// Timers, ticks and waits for time. Node: timers, timers/promises, process.nextTick, queueMicrotask.
#pragma once

#include <leat/loop/next_tick.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
