// SPDX-License-Identifier: MIT
// A thousand loops that post to one.
#include <leat/loop.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat_test.hpp>

#include <thread>
#include <vector>

namespace {

using namespace leat;

constexpr std::size_t loops = 1000;
constexpr std::size_t atOnce = 50;
constexpr int each = 50;

/// What has come from the others. Of the one loop's thread.
struct Arrivals {
  std::vector<int> next = std::vector<int>(loops, 0);
  std::size_t done = 0;
  bool ordered = true;
  bool here = true;
  const Promise<>::Resolvers* batch = nullptr;

  void arrive(std::size_t from, int number, const LoopRef& home) {
    ordered = ordered && next[from]++ == number;
    here = here && home.isCurrent();
    if (number == each - 1 && ++done % atOnce == 0) batch->resolve();
  }
};

/// A loop that posts in several of its turns, and ends.
void postFrom(std::size_t number, const LoopRef& home, Arrivals& arrivals) {
  const auto main = [&, number]() -> Task<> {
    for (int i = 0; i < each; ++i) {
      (void)home.post([&arrivals, &home, number, i] { arrivals.arrive(number, i, home); });
      if (i % 7 == 0) co_await nextImmediate();
    }
  };
  (void)run(main);
}

}  // namespace

TEST_CASE("a thousand loops post to one, each in its order, and nothing is lost") {
  Arrivals arrivals;
  std::vector<std::thread> threads;
  const auto main = [&]() -> Task<> {
    const LoopRef home = EventLoop::current().ref();
    // The loop sleeps while nothing comes, and does not end.
    const auto alive = setInterval([] {}, 60'000);
    for (std::size_t first = 0; first < loops; first += atOnce) {
      const auto batch = Promise<>::withResolvers();
      arrivals.batch = &batch;
      for (std::size_t i = first; i < first + atOnce; ++i)
        threads.emplace_back([i, &home, &arrivals] { postFrom(i, home, arrivals); });
      co_await batch.promise;
      for (std::thread& thread : threads) thread.join();
      threads.clear();
    }
    clearInterval(alive);
  };
  CHECK(run(main) == 0);
  CHECK(arrivals.done == loops);
  CHECK(arrivals.ordered);
  CHECK(arrivals.here);
}
