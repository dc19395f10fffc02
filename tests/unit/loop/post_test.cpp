// SPDX-License-Identifier: MIT
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using leat::EventLoop;
using leat::LoopRef;
using leat::run;
using leat::Task;

TEST_CASE("what is posted runs on the loop's thread, in order, with a drain after each") {
  std::string trace;
  run([&] {
    const LoopRef ref = EventLoop::current().ref();
    for (int i = 0; i < 3; ++i) {
      CHECK(ref.post([&, i] {
        trace += std::to_string(i);
        leat::queueMicrotask([&] { trace += "m"; });
        leat::nextTick([&] { trace += "t"; });
      }));
    }
    CHECK(EventLoop::current().post([&] { trace += "."; }));
    trace += "main ";
  });
  CHECK(trace == "main 0tm1tm2tm.");
}

TEST_CASE("what is posted from other threads arrives, all of it and in each thread's order") {
  constexpr int threads = 4, each = 5000;
  std::vector<int> next(threads, 0);
  bool ordered = true;
  run([&] {
    const LoopRef ref = EventLoop::current().ref();
    auto hold = std::make_shared<leat::Timeout>(leat::setInterval([] {}, 1000));
    auto posters = std::make_shared<std::vector<std::thread>>();
    auto left = std::make_shared<int>(threads);
    for (int t = 0; t < threads; ++t) {
      posters->emplace_back([&next, &ordered, ref, t, hold, posters, left] {
        for (int i = 0; i < each; ++i)
          ref.post([&, t, i] { ordered = ordered && next[static_cast<std::size_t>(t)]++ == i; });
        ref.post([hold, posters, left] {
          if (--*left > 0) return;
          for (std::thread& thread : *posters) thread.join();
          hold->close();
        });
      });
    }
  });
  CHECK(ordered);
  CHECK(next == std::vector<int>(threads, each));
}

TEST_CASE("loops in threads post to each other") {
  constexpr int loops = 4, rounds = 500;
  std::optional<LoopRef> refs[loops];
  leat::detail::Atomic<int> ready{0}, visits{0}, finished{0};
  struct Ball {
    static void pass(std::optional<LoopRef>* all, leat::detail::Atomic<int>* count,
                     leat::detail::Atomic<int>* over, int at, int left) {
      count->fetchAdd(1);
      if (left == 0) {
        over->fetchAdd(1);
        return;
      }
      const int to = (at + 1) % loops;
      all[to]->post([=] { pass(all, count, over, to, left - 1); });
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < loops; ++i) {
    threads.emplace_back([&, i] {
      run([&, i] {
        refs[i] = EventLoop::current().ref();
        ready.fetchAdd(1);
        while (ready.load() < loops) std::this_thread::yield();
        auto hold = std::make_shared<leat::Timeout>();
        *hold = leat::setInterval(
            [&, hold] {
              if (finished.load() == loops) hold->close();
            },
            1);
        Ball::pass(refs, &visits, &finished, i, rounds);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(visits.load() == loops * (rounds + 1));
}

TEST_CASE("a post does not hold the loop, and wakes one that sleeps") {
  int calls = 0;
  const auto start = std::chrono::steady_clock::now();
  std::thread poster;
  leat::Timeout timer;
  run([&] {
    const LoopRef ref = EventLoop::current().ref();
    timer = leat::setTimeout([] { FAIL("the post came too late"); }, 30000);
    poster = std::thread([&, ref] {
      ::usleep(5000);
      ref.post([&] {
        ++calls;
        timer.close();
      });
    });
  });
  poster.join();
  CHECK(calls == 1);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("a post after the loop's end answers false and drops the callable") {
  std::optional<LoopRef> ref;
  run([&] {
    ref = EventLoop::current().ref();
    CHECK(ref->alive());
    CHECK(ref->isCurrent());
    std::thread([&] { CHECK_FALSE(ref->isCurrent()); }).join();
  });
  CHECK_FALSE(ref->alive());
  CHECK_FALSE(ref->isCurrent());
  auto owned = std::make_shared<int>(1);
  CHECK_FALSE(ref->post([owned] { FAIL("called"); }));
  CHECK(owned.use_count() == 1);
  run([&] {
    // A new loop, perhaps at the same address, is another one.
    CHECK_FALSE(ref->isCurrent());
    CHECK_FALSE(ref->post([] { FAIL("called"); }));
    CHECK_FALSE(*ref == EventLoop::current().ref());
    CHECK(EventLoop::current().ref() == EventLoop::current().ref());
  });
}

TEST_CASE("what is posted while a loop ends is either run or dropped, never lost") {
  leat::detail::Atomic<int> alive{0};
  struct Witness {
    explicit Witness(leat::detail::Atomic<int>& c) : count(&c) { count->fetchAdd(1); }
    Witness(Witness&& other) noexcept : count(other.count) { count->fetchAdd(1); }
    ~Witness() { count->fetchSub(1); }
    leat::detail::Atomic<int>* count;
  };
  for (int round = 0; round < 50; ++round) {
    std::thread poster;
    run([&] {
      poster = std::thread([&, ref = EventLoop::current().ref()] {
        while (ref.post([w = Witness(alive)] {})) {
        }
      });
      leat::setTimeout([] { EventLoop::current().stop(); }, 1);
    });
    poster.join();
  }
  CHECK(alive.load() == 0);
}

TEST_CASE("a posted coroutine is driven, and an exception of a posted callback is uncaught") {
  std::string trace;
  run([&] {
    EventLoop::current().post([&]() -> Task<> {
      co_await leat::sleep(1);
      trace += "slept";
    });
  });
  CHECK(trace == "slept");
}
