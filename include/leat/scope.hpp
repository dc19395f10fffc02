// SPDX-License-Identifier: MIT
// Structured concurrency: scoped, TaskScope, raceScoped, anyScoped.
#pragma once

#include <leat/core/scope.hpp>
