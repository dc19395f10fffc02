// SPDX-License-Identifier: MIT
// How long things take, how much of its time a loop works, how late it is, and who blocks it. Node: perf_hooks.
#pragma once

#include <leat/perf_hooks/event_loop_delay.hpp>
#include <leat/perf_hooks/event_loop_utilization.hpp>
#include <leat/perf_hooks/histogram.hpp>
#include <leat/perf_hooks/performance.hpp>
#include <leat/perf_hooks/watchdog.hpp>
