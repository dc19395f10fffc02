// SPDX-License-Identifier: MIT
// Combined signals whose last handle goes on another thread than that of their sources.
#include <leat/core/with_context.hpp>
#include <leat/loop/resume_on.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using leat::AbortController;
using leat::AbortSignal;
using leat::EventLoop;
using leat::LoopRef;
using leat::Task;

namespace {

/// A loop on a thread of its own, until it is told to end.
class Other {
 public:
  Other() {
    leat::detail::Atomic<int> ready{0};
    thread_ = std::thread([&] {
      leat::run([&] {
        const leat::Timeout hold = leat::setInterval([] {}, 1000);
        ref_ = EventLoop::current().ref();
        ready.store(1);
      });
    });
    while (ready.load() == 0) std::this_thread::yield();
  }
  ~Other() {
    ref_->post([] { EventLoop::current().stop(); });
    thread_.join();
  }
  const LoopRef& ref() const { return *ref_; }

 private:
  std::thread thread_;
  std::optional<LoopRef> ref_;
};

void onThread(void (*body)(void*), void* argument) { std::thread(body, argument).join(); }

}  // namespace

TEST_CASE("a combined signal that goes on another thread is unlinked by the thread of its source") {
  const AbortController source;
  auto combined = std::make_optional(AbortSignal::any(source.signal()));
  const auto& followers = source.signal().state()->followers;
  REQUIRE(followers.size() == 1);
  onThread([](void* handle) { static_cast<std::optional<AbortSignal>*>(handle)->reset(); },
           &combined);
  REQUIRE(followers.size() == 1);
  SECTION("when it is combined again") {
    const AbortSignal next = AbortSignal::any(source.signal());
    REQUIRE(followers.size() == 1);
    source.abort();
    REQUIRE(next.aborted());
  }
  SECTION("or aborted") {
    source.abort();
    REQUIRE(followers.empty());
  }
  SECTION("or gone, there or here") {}
}

TEST_CASE("the last handle of a source may go with the combined signal on another thread") {
  std::optional<AbortSignal> combined;
  {
    const AbortController source;
    combined = AbortSignal::any(source.signal(), AbortController().signal());
  }
  onThread([](void* handle) { static_cast<std::optional<AbortSignal>*>(handle)->reset(); },
           &combined);
  REQUIRE_FALSE(combined);
}

TEST_CASE("a signal that is followed on one thread cannot be combined on another") {
  struct Attempt {
    AbortController source;
    std::string code;
    static void run(void* self) {
      auto& attempt = *static_cast<Attempt*>(self);
      attempt.code = "none";
      try {
        (void)AbortSignal::any(attempt.source.signal());
      } catch (const leat::Error& e) {
        attempt.code = e.code();
      }
    }
  } attempt;
  {
    const AbortSignal here = AbortSignal::any(attempt.source.signal());
    onThread(Attempt::run, &attempt);
    REQUIRE(attempt.code == "ERR_WRONG_THREAD");
  }
  // Nobody follows it any more.
  onThread(Attempt::run, &attempt);
  REQUIRE(attempt.code == "none");
  const AbortSignal again = AbortSignal::any(attempt.source.signal());
  attempt.source.abort();
  REQUIRE(again.aborted());
}

TEST_CASE("combined signals come and go on two loops while their source is in use") {
  Other other;
  const AbortController source;
  int aborted = 0;
  leat::run([&]() -> Task<> {
    for (int round = 0; round < 200; ++round) {
      for (int i = 0; i < 10; ++i) {
        auto combined = std::make_optional(AbortSignal::any(source.signal()));
        (void)other.ref().post([handle = std::move(combined)]() mutable { handle.reset(); });
        const AbortSignal here = AbortSignal::any(source.signal());
      }
      co_await leat::yield();
    }
  });
  const AbortSignal last = AbortSignal::any(source.signal());
  const leat::AbortRegistration told = last.onAbort([&] { ++aborted; });
  source.abort();
  REQUIRE(aborted == 1);
}

namespace {

Task<> journey(LoopRef there, LoopRef home) {
  co_await leat::resumeOn(std::move(there));
  co_await leat::resumeOn(std::move(home));
}

Task<> underSignals(const AbortSignal& signal, LoopRef there, LoopRef home) {
  const AbortController mine;
  co_await leat::withSignal(
      signal, leat::withSignal(mine.signal(), journey(std::move(there), std::move(home))));
}

}  // namespace

TEST_CASE("the context of a coroutine that travels may be dropped on either side") {
  Other other;
  const AbortController source;
  leat::run([&]() -> Task<> {
    const LoopRef home = EventLoop::current().ref();
    for (int round = 0; round < 50; ++round) {
      std::vector<leat::Promise<>> all;
      for (int i = 0; i < 20; ++i)
        all.push_back(leat::spawn(underSignals(source.signal(), other.ref(), home)));
      for (leat::Promise<>& one : all) co_await one;
    }
  });
  REQUIRE_FALSE(source.signal().aborted());
  source.abort();
}

namespace {

/// Meets another thread.
class Meeting {
 public:
  /// Goes on when both have come for the `round`th time, counted from 1.
  void meet(int round) {
    came_.fetchAdd(1);
    for (int looks = 0; came_.load() < 2 * round; ++looks)
      if (looks > 1000) std::this_thread::yield();
  }

 private:
  leat::detail::Atomic<int> came_{0};
};

}  // namespace

TEST_CASE("of two threads that combine a signal at the same instant one is refused") {
  constexpr int rounds = LEAT_TSAN || LEAT_ASAN ? 2'000 : 20'000;
  std::vector<AbortController> sources(rounds);
  Meeting begin, end;
  std::vector<char> mine(rounds), others(rounds);
  const auto combine = [&](std::vector<char>& combined) {
    for (int round = 1; round <= rounds; ++round) {
      const auto i = static_cast<std::size_t>(round - 1);
      std::optional<AbortSignal> signal;
      begin.meet(round);
      try {
        signal = AbortSignal::any(sources[i].signal());
        combined[i] = 1;
      } catch (const leat::Error& e) {
        if (e.code() != "ERR_WRONG_THREAD") throw;
      }
      end.meet(round);  // both have tried, and the one who could still follows
    }
  };
  std::thread other([&] { combine(others); });
  combine(mine);
  other.join();
  int both = 0, none = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    both += mine[i] != 0 && others[i] != 0;
    none += mine[i] == 0 && others[i] == 0;
  }
  CHECK(both == 0);
  CHECK(none == 0);
}

TEST_CASE("two threads may follow one signal in turn, as fast as they can") {
  const AbortController source;
  std::atomic<int> combined{0};
  const auto follow = [&] {
    for (int i = 0; i < 5'000; ++i) {
      try {
        const AbortSignal signal = AbortSignal::any(source.signal());
        ++combined;
      } catch (const leat::Error& e) {
        if (e.code() != "ERR_WRONG_THREAD") throw;
      }
    }
  };
  std::thread other(follow);
  follow();
  other.join();
  CHECK(combined.load() > 0);
  CHECK(source.signal().state()->followers.empty());
  const AbortSignal last = AbortSignal::any(source.signal());
  source.abort();
  CHECK(last.aborted());
}

TEST_CASE("a chain of signals may go on another thread while it is told here") {
  for (int round = 0; round < 1'000; ++round) {
    const AbortController source;
    // The first of the chain stays, as its registration does; who goes elsewhere follows it.
    const AbortController first;
    int told = 0;
    const auto registration = first.signal().onAbort([&told] { ++told; });
    REQUIRE(leat::detail::followSignal(*source.signal().state(), *first.signal().state()));
    AbortSignal last = first.signal();
    for (int i = 0; i < 4; ++i) {
      const AbortController next;
      REQUIRE(leat::detail::followSignal(*last.state(), *next.signal().state()));
      last = next.signal();
    }
    std::optional<AbortSignal> end = last;
    last = source.signal();
    std::thread other([&end] { end.reset(); });
    source.abort();
    other.join();
    REQUIRE(told == 1);
    REQUIRE(source.signal().state()->followers.empty());
    REQUIRE(first.signal().state()->followers.empty());
  }
}
