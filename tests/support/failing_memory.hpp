// SPDX-License-Identifier: MIT
#pragma once
// Allocations that fail, for the programs where a file replaces the allocation operators (loop/no_memory_test.cpp).

namespace leat_test {

/// How many allocations this thread may make before one fails; negative: any number.
extern constinit thread_local long allowedBlocks;
/// Whether those after the one that failed are made again, or fail, too.
extern constinit thread_local bool failsOnce;

}  // namespace leat_test
