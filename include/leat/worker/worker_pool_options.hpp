// SPDX-License-Identifier: MIT
// How a WorkerPool is made, and what it tells of itself.
#pragma once

#include <leat/core/error.hpp>
#include <leat/loop/loop_options.hpp>
#include <leat/pool/pool_inlet.hpp>
#include <leat/sys/processors.hpp>

#include <cstdint>
#include <string_view>

namespace leat::inline LEAT_ABI {

namespace worker_threads {

/// How a WorkerPool is made. Names and meanings are piscina's.
struct WorkerPoolOptions {
  /// How many workers are always there, and started at once. -1: as many as `maxThreads`.
  int minThreads = -1;
  /// How many there are when there is more to do. 0: as many as the thread may use processors, at least
  /// `minThreads`.
  int maxThreads = 0;
  /// How many milliseconds a worker above `minThreads` stays without a task.
  long idleTimeout = 5000;
  /// How many tasks may wait for a worker at once. 0: any number.
  std::size_t maxQueue = 0;
  /// What becomes of one more: it waits for room, or is refused with ERR_POOL_FULL.
  PoolFull whenFull = PoolFull::Wait;
  /// How many a worker is given at once: more than one is for tasks that wait for something.
  int concurrentTasksPerWorker = 1;
  /// Of the threads; see WorkerOptions.
  std::string_view name{};
  double stackSizeMb = 4;
  LoopOptions loop{};
};

/// Of a WorkerPool.
struct WorkerPoolStatistics {
  /// Workers that are there or being started.
  unsigned threads = 0;
  /// Of them, those that have no task.
  unsigned idle = 0;
  /// Tasks that wait for a worker.
  std::size_t queueSize = 0;
  /// Tasks that wait for room among these.
  std::size_t waiting = 0;
  /// Tasks that were given to workers and have not ended.
  std::size_t running = 0;
  /// Tasks that have ended, with a result or an exception.
  std::uint64_t completed = 0;
  /// The part of the time since the pool was made in which `maxThreads` workers had tasks: 0 to 1.
  double utilization = 0;
};

}  // namespace worker_threads

namespace detail {

/// With what was left open decided, and views of texts that last.
LEAT_INLINE worker_threads::WorkerPoolOptions decide(worker_threads::WorkerPoolOptions given,
                                                     std::string_view name,
                                                     std::string_view backend);

#if LEAT_BODIES
LEAT_INLINE worker_threads::WorkerPoolOptions decide(worker_threads::WorkerPoolOptions given,
                                                     std::string_view name,
                                                     std::string_view backend) {
  given.name = name;
  given.loop.backend = backend;
  const auto check = [](const char* what, long value, long least, long most) {
    if (value < least || value > most)
      throw RangeError(SharedText({"WorkerPool: ", what, " must be ", Decimal(least), " to ",
                                   Decimal(most), ", not ", Decimal(value)})
                           .view());
  };
  check("maxThreads", given.maxThreads, 0, 65535);
  check("minThreads", given.minThreads, -1, 65535);
  check("idleTimeout", given.idleTimeout, 0, 0x7fffffff);
  check("concurrentTasksPerWorker", given.concurrentTasksPerWorker, 1, 1 << 20);
  if (given.maxThreads == 0) {
    given.maxThreads = static_cast<int>(sys::usableProcessors());
    if (given.maxThreads < given.minThreads) given.maxThreads = given.minThreads;
  }
  if (given.minThreads == -1) given.minThreads = given.maxThreads;
  check("minThreads", given.minThreads, 0, given.maxThreads);
  return given;
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
