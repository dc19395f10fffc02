// SPDX-License-Identifier: MIT
// The process: its events and signals, exit codes and warnings. Node: process.
#pragma once

#include <leat/base/scoped_listener.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/signals.hpp>
#include <leat/process/process.hpp>
