// SPDX-License-Identifier: MIT
// starvation: what computes on the loop starves everything else there. The same work is done three ways: at
// once on the loop, in chunks with the loop's turns between them, and on the pool. A timer that is due every
// millisecond shows how the loop fares meanwhile; the table of its delays goes to stderr.
#include <leat.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>

using namespace leat;

/// A timer of a millisecond, and how late it was.
class LoopDelay {
 public:
  LoopDelay() : timer_(setInterval([this] { beat(); }, 1)) {}
  int beats() const noexcept { return beats_; }
  void print(const char* way) {
    const double all = milliseconds(start_, Clock::now());
    worst_ = std::max(worst_, milliseconds(last_, Clock::now()));  // the beat that is still due
    std::fprintf(stderr, "%-8s %8.1f ms %8d beats %8.1f ms without one at worst\n", way, all,
                 beats_, worst_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double milliseconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  }
  void beat() {
    const Clock::time_point now = Clock::now();
    worst_ = std::max(worst_, milliseconds(last_, now));
    last_ = now;
    ++beats_;
  }
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  double worst_ = 0;
  int beats_ = 0;
  ScopedTimeout timer_;
};

constexpr int pieces = 400;

std::uint64_t piece(std::uint64_t number) {
  for (int i = 0; i < 400'000; ++i) number = number * 6364136223846793005U + 1442695040888963407U;
  return number;
}

// [ways]
std::uint64_t allPieces() {
  std::uint64_t number = 1;
  for (int i = 0; i < pieces; ++i) number = piece(number);
  return number;
}

Task<std::uint64_t> onTheLoop() { co_return allPieces(); }

Task<std::uint64_t> inChunks() {
  std::uint64_t number = 1;
  for (int i = 0; i < pieces; ++i) {
    number = piece(number);
    co_await nextImmediate();  // timers and sockets have their turn
  }
  co_return number;
}

Task<std::uint64_t> onThePool() { co_return co_await WorkStealingPool::shared().run(allPieces); }
// [/ways]

Task<std::uint64_t> watched(const char* way, Task<std::uint64_t> work) {
  LoopDelay delay;
  const std::uint64_t made = co_await std::move(work);
  delay.print(way);
  // It was due hundreds of times.
  std::printf("%s: the loop %s\n", way, delay.beats() >= 10 ? "was free" : "starved");
  co_return made;
}

Task<> compare() {
  const std::uint64_t made = co_await watched("at once", onTheLoop());
  const bool chunks = co_await watched("chunks", inChunks()) == made;
  const bool pool = co_await watched("pool", onThePool()) == made;
  std::printf("the same result: %s\n", chunks && pool ? "yes" : "no");
}

int main() { return run(compare); }
