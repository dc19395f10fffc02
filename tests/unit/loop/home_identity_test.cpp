// SPDX-License-Identifier: MIT
// What is left of an earlier loop does not take a new loop at the same address for its own.
#include <leat/loop.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>

#include <leat_test.hpp>
#include <code_thrown_by.hpp>
#include <optional>
#include <string>

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

}  // namespace
