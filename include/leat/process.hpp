// SPDX-License-Identifier: MIT
// The process: its events and signals, exit codes, orderly shutdown, warnings and standard streams. Node: process.
#pragma once

#include <leat/base/scoped_listener.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/signals.hpp>
#include <leat/process/process.hpp>
#include <leat/process/shutdown.hpp>
#include <leat/process/stdio.hpp>
