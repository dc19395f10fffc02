// SPDX-License-Identifier: MIT
// Timers, ticks, waits for time and limits on it.
// Node: timers, timers/promises, process.nextTick, queueMicrotask.
#pragma once

#include <leat/loop/next_tick.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
#include <leat/loop/with_timeout.hpp>
