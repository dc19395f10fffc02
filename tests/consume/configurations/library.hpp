// SPDX-License-Identifier: MIT
#pragma once

#include <leat/task.hpp>
#include <leat/timers.hpp>

leat::Task<int> answer();
