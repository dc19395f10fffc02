// SPDX-License-Identifier: MIT
// Everything that needs no package: one include for a program.
#pragma once

#include <leat/abort.hpp>
#include <leat/net.hpp>
#include <leat/process.hpp>
#include <leat/promise.hpp>
#include <leat/task.hpp>
#include <leat/timers.hpp>
