// SPDX-License-Identifier: MIT
// The event loop: run, spawn, blocking calls, signals, foreign descriptors, other threads.
#pragma once

#include <leat/base/scoped_listener.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/loop/resume_on.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/signals.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/pool/sync_wait.hpp>
