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

double now() {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A timer of a millisecond, and how late it was.
class LoopDelay {
 public:
  LoopDelay() : timer_(setInterval([this] { beat(); }, 1)) {}
  int beats() const noexcept { return beats_; }
  double worst() const { return std::max(worst_, now() - last_); }  // the beat that is due counts

 private:
  void beat() {
    worst_ = worst();
    last_ = now();
    ++beats_;
  }
  double last_ = now();
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
  const LoopDelay delay;
  const std::uint64_t made = co_await std::move(work);
  std::fprintf(stderr, "%-8s %4d beats, %6.1f ms without one at worst\n", way, delay.beats(),
               delay.worst());
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
