// SPDX-License-Identifier: MIT
#pragma once

// The work of the fork-join programs that is no forking: queens on a board, trees whose shape a hash decides, and
// the product of small parts of matrices. The same for leat and for its rivals.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "bench.hpp"

inline void check(bool holds) {
  if (!holds) std::abort();
}

// fib(30) by two calls each, and the sum of the numbers below a million by ten parts each.
constexpr int fibOf = 30;
constexpr long fibForks = 1'346'268;
constexpr long leaves = 1'000'000;
constexpr long skynetForks = 1'111'110;
constexpr long skynetSum = leaves * (leaves - 1) / 2;

// Which places of the next row are attacked, a bit each.
struct Board {
  unsigned columns = 0;
  unsigned left = 0;
  unsigned right = 0;
};
constexpr int queensOf = 12;
constexpr int queensSolutions = 14'200;
// Boards with 0 to 12 queens of which none attacks another one.
constexpr long queensBoards = 856'189;
constexpr unsigned wholeRow = (1U << queensOf) - 1;

struct Places {
  std::array<unsigned, queensOf> bits;
  std::size_t count = 0;
};
inline Places placesOf(const Board& board) {
  Places places;
  for (unsigned free = wholeRow & ~(board.columns | board.left | board.right); free != 0;
       free &= free - 1)
    places.bits[places.count++] = free & (~free + 1);
  return places;
}
inline Board withQueen(const Board& board, unsigned bit) {
  return {board.columns | bit, (board.left | bit) << 1, (board.right | bit) >> 1};
}

// An unbalanced tree: the root has many children, and every other node has eight or, with a chance of 0.876,
// none. Who works on a part of it cannot know how much that will be. After UTS (Olivier et al., LCPC 2006), with
// a cheaper hash.
constexpr std::size_t rootChildren = 20'000;
constexpr std::size_t nodeChildren = 8;
constexpr std::uint64_t treeRoot = 42;
inline std::uint64_t childOf(std::uint64_t node, std::size_t number) {
  std::uint64_t z = node + (number + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}
inline std::size_t childrenOf(std::uint64_t node) {
  if (node == treeRoot) return rootChildren;
  return (node >> 40) < static_cast<std::uint64_t>(0.124 * (1 << 24)) ? nodeChildren : 0;
}
inline long countTree(std::uint64_t node) {
  long count = 1;
  const std::size_t children = childrenOf(node);
  for (std::size_t i = 0; i < children; ++i) count += countTree(childOf(node, i));
  return count;
}

// A square part of a matrix of `matrixSize` columns.
constexpr std::size_t matrixSize = 512;
constexpr std::size_t leafSize = 32;
struct Part {
  double* at;
  std::size_t size;
  Part quadrant(std::size_t row, std::size_t column) const {
    const std::size_t half = size / 2;
    return {at + row * half * matrixSize + column * half, half};
  }
};
// c += a * b of parts of leafSize. One function for all, and with vector instructions. It is the same in each program
// wherever it stands: the innermost loop is unrolled, so nobody has to guess its end, and it begins with a line of the
// cache.
#if !defined(__clang__)
[[gnu::optimize("O3")]]
#endif
__attribute__((noinline, aligned(64))) inline void multiplyLeaf(Part c, Part a, Part b) {
  for (std::size_t i = 0; i < leafSize; ++i) {
    double* __restrict const row = c.at + i * matrixSize;
    for (std::size_t k = 0; k < leafSize; ++k) {
      const double factor = a.at[i * matrixSize + k];
      for (std::size_t j = 0; j < leafSize; ++j) row[j] += factor * b.at[k * matrixSize + j];
    }
  }
}
struct Matrix {
  explicit Matrix(double value) : items(matrixSize * matrixSize, value) {}
  Part whole() { return {items.data(), matrixSize}; }
  std::vector<double> items;
};
