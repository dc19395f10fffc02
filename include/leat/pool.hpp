// SPDX-License-Identifier: MIT
// CPU work: a pool of threads that steal from each other, and fork and join of coroutines on it.
#pragma once

#include <leat/loop/pool_run.hpp>
#include <leat/pool/fork.hpp>
#include <leat/pool/fork_scope.hpp>
#include <leat/pool/fork_settled.hpp>
#include <leat/pool/parallel.hpp>
#include <leat/pool/sync_wait.hpp>
#include <leat/pool/work_stealing_pool.hpp>
