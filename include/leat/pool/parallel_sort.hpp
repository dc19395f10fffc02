// SPDX-License-Identifier: MIT
// parallelSort: quicksort whose halves are sorted at the same time. Not in leat/pool.hpp: <algorithm> takes longer to
// compile than all of that.
#pragma once

#include <leat/pool/parallel.hpp>

#include <algorithm>
#include <functional>
#include <iterator>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Puts what stands in the middle of three at `first`.
template <class It, class Less>
void medianToFirst(It first, It a, It b, It c, Less& less) {
  if (less(*a, *b)) {
    std::iter_swap(first, less(*b, *c) ? b : less(*a, *c) ? c : a);
  } else {
    std::iter_swap(first, less(*a, *c) ? a : less(*b, *c) ? c : b);
  }
}

/// Hoare's: what is not greater than the one that it gives stands before that, what is not less behind.
/// Equal ones go to both sides. A `less` that is no order moves items, and leaves none out.
template <class It, class Less>
It partitionAround(It first, It last, Less& less) {
  const auto eighth = (last - first) / 8;
  medianToFirst(first + 1, first + 1, first + eighth, first + 2 * eighth, less);
  medianToFirst(first + 2, first + 3 * eighth, first + 4 * eighth, first + 5 * eighth, less);
  medianToFirst(first + 3, first + 6 * eighth, first + 7 * eighth, last - 1, less);
  medianToFirst(first, first + 1, first + 2, first + 3, less);
  It low = first + 1;
  It high = last;
  for (;;) {
    while (low < high && less(*low, *first)) ++low;
    do --high;
    while (low < high && less(*first, *high));
    if (low >= high) break;
    std::iter_swap(low, high);
    ++low;
  }
  --low;
  std::iter_swap(first, low);
  return low;
}

/// `depth`: how many more times the range may be divided badly.
template <class It, class Less>
void sortHalves(PoolWorker& worker, It first, It last, std::size_t grain, unsigned depth,
                Less& less) {
  if (static_cast<std::size_t>(last - first) <= grain || depth == 0)
    return std::sort(first, last, std::ref(less));
  const It middle = partitionAround(first, last, less);
  auto left = [&] { sortHalves(worker, first, middle, grain, depth - 1, less); };
  auto right = [&] {
    sortHalves(*PoolWorker::current(), middle + 1, last, grain, depth - 1, less);
  };
  invokeBoth(worker, left, right);
}

}  // namespace detail

/// Sorts a range as `std::sort` does: equal items come in any order. `grain`: how many items are never
/// divided; 0 picks a number. `less` is called by several workers at once. On a worker of a pool only; see
/// `parallelInvoke`.
///
/// Throws: what `less` or a move threw, in which case the items are there in some order, as far as their
/// moves leave them whole; Error ERR_NO_POOL.
template <std::random_access_iterator It, class Less = std::less<>>
void parallelSort(It first, It last, Less less = {}, std::size_t grain = 0) {
  detail::PoolWorker& worker = detail::workerHere();
  const auto count = static_cast<std::size_t>(last - first);
  // Below, dividing costs more than it gives; and the pivot is picked of nine.
  constexpr std::size_t least = 2048;
  constexpr std::size_t few = 16;
  if (grain == 0) {
    grain = detail::automaticGrain(count, worker, 8);
    if (grain < least) grain = least;
  }
  unsigned depth = 8;
  for (std::size_t left = count; left > 1; left /= 2) depth += 2;
  detail::sortHalves(worker, first, last, grain < few ? few : grain, depth, less);
}
template <class Range, class Less = std::less<>>
  requires requires(Range& range) {
    range.begin();
    range.end();
  }
void parallelSort(Range&& range, Less less = {}, std::size_t grain = 0) {
  parallelSort(range.begin(), range.end(), std::move(less), grain);
}

}  // namespace leat::inline LEAT_ABI
