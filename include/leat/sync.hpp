// SPDX-License-Identifier: MIT
// Mutex, Semaphore, ManualResetEvent, Latch and Channel between coroutines of one loop.
#pragma once

#include <leat/core/channel.hpp>
#include <leat/core/event.hpp>
#include <leat/core/latch.hpp>
#include <leat/core/mutex.hpp>
#include <leat/core/semaphore.hpp>
