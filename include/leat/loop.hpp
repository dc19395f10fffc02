// SPDX-License-Identifier: MIT
// The event loop: run, spawn, post, and syncWait from plain threads.
#pragma once

#include <leat/loop/event_loop.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/pool/sync_wait.hpp>
