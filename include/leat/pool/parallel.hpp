// SPDX-License-Identifier: MIT
// Plain functions at the same time: parallelInvoke, parallelFor, parallelForEach, parallelReduce, parallelScan. They call
// and return like any function; what is stolen is a closure on the stack of the caller.
#pragma once

#include <leat/base/result.hpp>
#include <leat/core/context.hpp>
#include <leat/core/error.hpp>
#include <leat/pool/pool_core.hpp>

#include <sched.h>

#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A function on the stack of who waits for it.
template <class F>
class StackJob : public PoolJob {
 public:
  explicit StackJob(F& function) noexcept : PoolJob(onTaken), function_(function) {}

  void call() noexcept {
    try {
      function_();
    } catch (...) {
      error = std::current_exception();
    }
  }
  /// Until whoever has taken it is done, this worker does other jobs.
  void wait(PoolWorker& worker) noexcept {
    unsigned fruitless = 0;
    while (!done_.load(acquire)) {
      if (worker.help()) {
        fruitless = 0;
      } else if (++fruitless < 64) {
        cpuRelax();
      } else {
        ::sched_yield();
      }
    }
  }
  std::exception_ptr error;

 private:
  static void onTaken(PoolJob& job, bool) noexcept {
    auto& self = static_cast<StackJob&>(job);
    {
      const ContextScope scope(std::move(self.context_));
      self.call();
    }
    // With it the waiter sees all that the function has written, and the error. This is the last touch: the job is on
    // the stack of the waiter, which may go on as soon as its acquire reads this.
    self.done_.store(true, release);
  }
  F& function_;
  ContextRef context_ = currentContext();
  Atomic<bool> done_{false};
};

LEAT_INLINE PoolWorker& workerHere();

#if LEAT_BODIES
LEAT_INLINE PoolWorker& workerHere() {
  PoolWorker* const worker = PoolWorker::current();
  if (worker == nullptr) [[unlikely]]
    throwError(
        "a parallel function on a thread that is no worker of a pool: call it inside of "
        "`pool.run(f, args...)`",
        "ERR_NO_POOL");
  return *worker;
}
#endif

template <class F, class G>
LEAT_ALWAYS_INLINE inline void invokeBoth(PoolWorker& worker, F& f, G& g) {
  StackJob<G> second(g);
  worker.push(second);
  std::exception_ptr error;
  try {
    f();
  } catch (...) {
    error = std::current_exception();
  }
  if (worker.popIf(second)) [[likely]] {
    // As in a row of calls, the second is not made when the first one failed.
    if (!error) return g();
  } else {
    second.wait(worker);
    if (!error) error = std::move(second.error);
  }
  if (error) [[unlikely]]
    std::rethrow_exception(std::move(error));
}

/// The grain when nobody says one: so many pieces for each worker that there is something left to steal from one that
/// is slow, and the last ones end soon. A worker that is the only one does all in a row.
inline std::size_t automaticGrain(std::size_t count, const PoolWorker& worker,
                                  unsigned piecesEach = 16) noexcept {
  const unsigned threads = worker.pool().threads();
  const std::size_t pieces = threads > 1 ? std::size_t{piecesEach} * threads : 1;
  // Not less: halves of halves would be one step finer then.
  return count / pieces + (count % pieces > 0 ? 1 : 0);
}

/// A part of a range of indices, and the workers that it is for, `workers` of them from `worker` on. Whichever of them
/// the call is on, each begins with the same part in each pass over a range: its caches may still have that. Who is
/// done earlier steals from others.
struct Share {
  std::size_t size() const noexcept { return last - first; }
  bool isFor(const PoolWorker& here) const noexcept {
    return here.index() >= worker && here.index() < worker + workers;
  }

  std::size_t first;
  std::size_t last;
  unsigned worker;
  unsigned workers;
};

inline Share shareOfAll(std::size_t count, const PoolWorker& worker) noexcept {
  return {0, count, 0, worker.pool().threads()};
}

/// A share in two: one for one worker is halved, one for several is divided among them.
struct DividedShare {
  LEAT_ALWAYS_INLINE DividedShare(const Share& share, const PoolWorker& here) noexcept
      : mine{share.first, share.first + share.size() / 2, share.worker, share.workers},
        other{mine.last, share.last, share.worker, share.workers} {
    if (share.workers > 1) [[unlikely]]
      divideAmongWorkers(share, here);
  }
  Share mine;  // what this worker begins with
  Share other;
  bool mineIsRight = false;

 private:
  void divideAmongWorkers(const Share& share, const PoolWorker& here) noexcept;
};

#if LEAT_BODIES
LEAT_NOINLINE LEAT_INLINE void DividedShare::divideAmongWorkers(const Share& share,
                                                                const PoolWorker& here) noexcept {
  mine.workers = share.workers / 2;
  other.worker += mine.workers;
  other.workers -= mine.workers;
  // Fewer indices than workers stay halved, so that no part is empty.
  if (share.size() >= share.workers)
    mine.last = other.first = share.first + share.size() / share.workers * mine.workers;
  mineIsRight = other.isFor(here);
  if (mineIsRight) std::swap(mine, other);
}
#endif

/// Calls `piece(first, last)` for pieces of at most `grain` indices: of two parts the other one is to be stolen.
template <class F>
void forShares(PoolWorker& worker, const Share& share, std::size_t grain, F& piece) {
  if (share.size() <= grain) return piece(share.first, share.last);
  const DividedShare divided(share, worker);
  auto mine = [&] { forShares(worker, divided.mine, grain, piece); };
  auto other = [&] { forShares(*PoolWorker::current(), divided.other, grain, piece); };
  invokeBoth(worker, mine, other);
}

/// One after the other.
template <class T, class Map, class Join>
T sumOf(std::size_t first, std::size_t last, Map& map, Join& join) {
  T sum = map(first);
  for (++first; first < last; ++first) sum = join(std::move(sum), map(first));
  return sum;
}

template <class T, class Map, class Join>
T reduceShares(PoolWorker& worker, const Share& share, std::size_t grain, Map& map, Join& join) {
  if (share.size() <= grain) return sumOf<T>(share.first, share.last, map, join);
  const DividedShare divided(share, worker);
  Slot<T> mine;
  Slot<T> other;
  auto doMine = [&] { mine.emplace(reduceShares<T>(worker, divided.mine, grain, map, join)); };
  auto doOther = [&] {
    other.emplace(reduceShares<T>(*PoolWorker::current(), divided.other, grain, map, join));
  };
  invokeBoth(worker, doMine, doOther);
  if (divided.mineIsRight) return join(other.take(), mine.take());
  return join(mine.take(), other.take());
}

}  // namespace detail

/// Calls both functions, at the same time if another worker is free, and returns when both have. On a worker
/// of a pool only, and always on the same one: `f` is called here; `g` here or elsewhere. While it waits for
/// `g` it does other jobs of the pool, so no lock may be held that they could want.
///
/// Throws: what `f` threw, else what `g` threw; Error ERR_NO_POOL.
template <class F, class G>
  requires std::is_invocable_v<F&> && std::is_invocable_v<G&>
void parallelInvoke(F&& f, G&& g) {
  detail::invokeBoth(detail::workerHere(), f, g);
}

/// Calls `f(i)` for each index of [0, count), in any order, on the workers of the pool that this one belongs
/// to, and returns when all have been called. `grain`: how many indices in a row are never divided; 0 picks a
/// number. Each worker begins with the same part of the range in each pass over it. See `parallelInvoke`.
///
/// Throws: what one of the calls threw; of the others some may not have been made then.
template <class F>
  requires std::is_invocable_v<F&, std::size_t>
void parallelFor(std::size_t count, F&& f, std::size_t grain = 0) {
  detail::PoolWorker& worker = detail::workerHere();
  if (count == 0) return;
  auto piece = [&f](std::size_t first, std::size_t last) {
    for (; first < last; ++first) f(first);
  };
  detail::forShares(worker, detail::shareOfAll(count, worker),
                    grain > 0 ? grain : detail::automaticGrain(count, worker), piece);
}

/// Calls `f(item)` for each item of a range with an index (a vector, array or span). See `parallelFor`.
template <class Range, class F>
  requires requires(Range& range, F& f) {
    range.size();
    f(range[std::size_t{}]);
  }
void parallelForEach(Range&& range, F&& f, std::size_t grain = 0) {
  const auto each = [&](std::size_t i) { f(range[i]); };
  parallelFor(range.size(), each, grain);
}

/// Joins `map(i)` for all indices of [0, count): `join(join(map(0), map(1)), ...)`, grouped in any way but in
/// their order, so `join` must be associative and need not be commutative. Of no index it is `empty`, whose type
/// is that of the whole: `0.0`, not `0`, for doubles.
/// See `parallelFor`.
template <class T, class Map, class Join>
  requires std::is_invocable_r_v<T, Map&, std::size_t> && std::is_invocable_r_v<T, Join&, T, T>
T parallelReduce(std::size_t count, T empty, Map&& map, Join&& join, std::size_t grain = 0) {
  detail::PoolWorker& worker = detail::workerHere();
  if (count == 0) return empty;
  return detail::reduceShares<T>(worker, detail::shareOfAll(count, worker),
                                 grain > 0 ? grain : detail::automaticGrain(count, worker), map,
                                 join);
}

/// The sums on the way: calls `use(i, sum)` for each index of [0, count), in any order, where `sum` is what
/// `parallelReduce` gives of [0, i], that of `i` with it; and gives the last. With several workers and pieces
/// `map` and `join` are called twice for most indices. See `parallelReduce`.
template <class T, class Map, class Join, class Use>
  requires std::is_invocable_r_v<T, Map&, std::size_t> && std::is_invocable_r_v<T, Join&, T, T> &&
           std::is_invocable_v<Use&, std::size_t, const T&>
T parallelScan(std::size_t count, T empty, Map&& map, Join&& join, Use&& use,
               std::size_t grain = 0) {
  detail::PoolWorker& worker = detail::workerHere();
  if (count == 0) return empty;
  if (grain == 0) grain = detail::automaticGrain(count, worker, 8);
  const std::size_t pieces = (count - 1) / grain + 1;
  // Of each piece its own sum, then that of all up to its end.
  std::vector<detail::Slot<T>> sums(pieces);
  const auto endOf = [&](std::size_t piece) {
    return count - piece * grain > grain ? (piece + 1) * grain : count;
  };
  const auto sumUp = [&](std::size_t piece) {
    sums[piece].emplace(detail::sumOf<T>(piece * grain, endOf(piece), map, join));
  };
  const auto tell = [&](std::size_t piece) {
    std::size_t i = piece * grain;
    T sum = piece == 0 ? T(map(i)) : T(join(T(sums[piece - 1].stored()), map(i)));
    use(i, std::as_const(sum));
    for (++i; i < endOf(piece); ++i) {
      sum = join(std::move(sum), map(i));
      use(i, std::as_const(sum));
    }
    if (piece + 1 == pieces) empty = std::move(sum);
  };
  if (pieces > 1) parallelFor(pieces - 1, sumUp, 1);
  for (std::size_t piece = 1; piece + 1 < pieces; ++piece) {
    T before = sums[piece - 1].stored();
    T joined = join(std::move(before), sums[piece].take());
    sums[piece].clear();
    sums[piece].emplace(std::move(joined));
  }
  parallelFor(pieces, tell, 1);
  return empty;
}

}  // namespace leat::inline LEAT_ABI
