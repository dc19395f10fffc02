// SPDX-License-Identifier: MIT
// What is left of an earlier loop does not take a new loop at the same address for its own, and what belongs
// to a loop of another thread says so.
#include <leat/loop.hpp>
#include <leat/promise.hpp>
#include <leat/sync.hpp>
#include <leat/timers.hpp>

#include <leat_test.hpp>
#include <code_thrown_by.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat_test::codeThrownBy;

/// Loops one after the other in the same place.
class SamePlace {
 public:
  leat::EventLoop& open() { return loop_.emplace(); }
  void close() { loop_.reset(); }

 private:
  std::optional<leat::EventLoop> loop_;
};

TEST_CASE("a promise of an ended loop is an error in a new loop at the same address") {
  SamePlace place;
  place.open();
  std::optional<leat::Promise<int>> old = leat::Promise<int>::resolve(1);
  place.close();
  leat::EventLoop& loop = place.open();
  std::string code;
  std::string text;
  try {
    (void)old->then([](int) {});
  } catch (const leat::Error& e) {
    code = e.code();
    text = e.message();
  }
  REQUIRE(code == "ERR_WRONG_THREAD");
  REQUIRE_THAT(text, leat_test::containsText("after the end of the event loop it was made on"));
  std::string awaited;
  const auto use = [](leat::Promise<int>& promise, std::string& error) -> leat::Promise<> {
    try {
      (void)co_await promise;
    } catch (const leat::Error& e) {
      error = e.code();
    }
  };
  (void)use(*old, awaited);
  loop.run();
  REQUIRE(awaited == "ERR_WRONG_THREAD");
  old.reset();
}

TEST_CASE("a resolver of an ended loop settles nothing in a new loop at the same address") {
  SamePlace place;
  place.open();
  int calls = 0;
  auto parts = std::make_optional(leat::Promise<int>::withResolvers());
  (void)parts->promise.then([&calls](int) { ++calls; }, [&calls] { ++calls; });
  place.close();
  leat::EventLoop& loop = place.open();
  REQUIRE(codeThrownBy([&] { parts->resolve(7); }) == "ERR_WRONG_THREAD");
  // The last resolver: where the loop is the promise's own this rejects with ERR_BROKEN_PROMISE.
  parts.reset();
  loop.run();
  REQUIRE(calls == 0);
  REQUIRE(loop.exitCode() == 0);
}

TEST_CASE("timers of an ended loop do nothing in a new loop at the same address") {
  SamePlace place;
  place.open();
  int calls = 0;
  const leat::Timeout timeout = leat::setTimeout([&calls] { ++calls; }, 1);
  const leat::Immediate immediate = leat::setImmediate([&calls] { ++calls; });
  place.close();
  leat::EventLoop& loop = place.open();
  timeout.unref();
  timeout.ref();
  timeout.refresh();
  immediate.unref();
  leat::clearTimeout(timeout);
  leat::clearImmediate(immediate);
  loop.run();
  REQUIRE(calls == 0);
  REQUIRE_FALSE(loop.alive());
}

TEST_CASE("loops of a thread and of threads after each other have identities of their own") {
  SamePlace place;
  leat::detail::HomeId seen[3];
  for (leat::detail::HomeId& home : seen) {
    place.open();
    home = leat::detail::threadState.home;
    place.close();
    REQUIRE(leat::detail::threadState.home == 0);
    REQUIRE(leat::detail::homeEndedHere(home));
  }
  REQUIRE(seen[0] != seen[1]);
  REQUIRE(seen[1] != seen[2]);
  REQUIRE(seen[0] != seen[2]);
}

/// What `f` throws on a thread of its own, while the loop of this one waits.
template <class F>
std::string codeElsewhere(F f) {
  std::string code;
  std::thread([&] { code = codeThrownBy(f); }).join();
  return code;
}

TEST_CASE(
    "what coroutines of a loop wait for is not given on another thread, and they still wait") {
  leat::EventLoop loop;
  leat::ManualResetEvent event;
  leat::Semaphore semaphore(0);
  leat::Latch latch(1);
  leat::Channel<int> full, empty, closing;
  std::vector<std::string> told;
  const auto wait = [&]() -> leat::Promise<> {
    co_await event.wait();
    told.push_back("event");
  };
  const auto acquire = [&]() -> leat::Promise<> {
    (void)co_await semaphore.acquire();
    told.push_back("semaphore");
  };
  const auto send = [&]() -> leat::Promise<> {
    co_await full.send(1);
    told.push_back("sent");
  };
  const auto receive = [&]() -> leat::Promise<> {
    const auto value = co_await empty.receive();
    if (value) told.push_back("received");
  };
  const auto end = [&]() -> leat::Promise<> {
    const auto value = co_await closing.receive();
    if (!value) told.push_back("closed");
  };
  const auto count = [&]() -> leat::Promise<> {
    co_await latch.wait();
    told.push_back("latch");
  };
  (void)wait(), (void)acquire(), (void)send(), (void)receive(), (void)end(), (void)count();
  CHECK(codeElsewhere([&] { event.set(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { semaphore.release(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { (void)full.tryReceive(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { (void)empty.trySend(1); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { closing.close(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { latch.countDown(); }) == "ERR_WRONG_THREAD");
  loop.run();
  CHECK(told.empty());

  event.set();
  semaphore.release();
  REQUIRE(full.tryReceive() == 1);
  REQUIRE(empty.trySend(1));
  closing.close();
  latch.countDown();
  loop.run();
  CHECK(told ==
        std::vector<std::string>{"event", "semaphore", "sent", "received", "closed", "latch"});
}

TEST_CASE("a timer is not changed on another thread, and fires") {
  leat::EventLoop loop;
  int fired = 0;
  const leat::Timeout timeout = leat::setTimeout([&] { ++fired; }, 1);
  const leat::Immediate immediate = leat::setImmediate([&] { ++fired; });
  CHECK(codeElsewhere([&] { leat::clearTimeout(timeout); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { leat::clearImmediate(immediate); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { timeout.unref(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { immediate.unref(); }) == "ERR_WRONG_THREAD");
  CHECK(codeElsewhere([&] { timeout.refresh(); }) == "ERR_WRONG_THREAD");
  loop.run();
  CHECK(fired == 2);
}

TEST_CASE("what is left of a loop of another thread that has ended does nothing") {
  leat::Timeout timeout;
  leat::detail::HomeId home = 0;
  std::thread([&] {
    leat::EventLoop loop;
    home = leat::detail::threadState.home;
    timeout = leat::setTimeout([] {}, 1);
    CHECK(leat::detail::homeLives(home));
  }).join();
  CHECK_FALSE(leat::detail::homeLives(home));
  const leat::EventLoop loop;
  CHECK_NOTHROW(timeout.ref().refresh().close());
}

TEST_CASE("more loops than places: those with one are known, and all give theirs back") {
  constexpr std::size_t count = 20;
  std::vector<leat::detail::Atomic<leat::detail::HomeId>*> mine;
  for (std::uint32_t i = 0; i < leat::detail::homeSlots; ++i) {
    leat::detail::HomeId none = 0;
    if (leat::detail::homeSlot(0, i).compareExchange(none, ~leat::detail::HomeId{i}))
      mine.push_back(&leat::detail::homeSlot(0, i));
  }
  const auto homes = [] {
    std::vector<bool> lives;
    for (std::size_t i = 0; i < count; ++i)
      std::thread([&] {
        leat::EventLoop loop;
        lives.push_back(leat::detail::homeLives(leat::detail::threadState.home));
      }).join();
    return lives;
  };
  CHECK(homes() == std::vector<bool>(count, false));
  mine.back()->store(0);
  CHECK(homes() == std::vector<bool>(count, true));
  for (auto* slot : mine) slot->store(0);
}

}  // namespace
