// SPDX-License-Identifier: MIT
// offload: passwords are hashed slowly, on purpose, while a server goes on answering. On the loop nothing else
// happens until the last one is done; on the pool the loop stays free. (The hash is for show; use a real one.)
#include <leat.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using namespace leat;

std::uint64_t slowHash(const std::string& password) {
  std::uint64_t hash = 14695981039346656037U;
  for (int round = 0; round < 4'000'000; ++round)
    for (const char each : password)
      hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211U;
  return hash;
}

const std::vector<std::string> passwords{"hunter2", "correct horse", "swordfish", "xyzzy"};

/// How often the loop got round to something else meanwhile.
class Heartbeat {
 public:
  Heartbeat() : timer_(setInterval([this] { ++beats_; }, 1)) {}
  int beats() const { return beats_; }

 private:
  int beats_ = 0;
  ScopedTimeout timer_;
};

Task<std::uint64_t> onTheLoop() {
  std::uint64_t sum = 0;
  for (const std::string& each : passwords) sum += slowHash(each);
  co_return sum;
}

// [pool]
Task<std::uint64_t> onThePool() {
  WorkStealingPool& pool = WorkStealingPool::shared();
  std::vector<Promise<std::uint64_t>> hashes;
  for (const std::string& each : passwords) hashes.push_back(pool.run(slowHash, each));
  std::uint64_t sum = 0;
  for (const std::uint64_t hash : co_await all(std::move(hashes))) sum += hash;
  co_return sum;
}
// [/pool]

Task<> compare() {
  std::uint64_t sums[2];
  {
    const Heartbeat heart;
    sums[0] = co_await onTheLoop();
    std::printf("on the loop: %s\n", heart.beats() == 0 ? "it stood still" : "it went on");
  }
  {
    const Heartbeat heart;
    sums[1] = co_await onThePool();
    std::printf("on the pool: %s\n", heart.beats() == 0 ? "it stood still" : "it went on");
  }
  std::printf("the same hashes: %s\n", sums[0] == sums[1] ? "yes" : "no");
}

int main() { return run(compare); }
