// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/loop/sleep.hpp>

#include <leat_test.hpp>
#include <optional>

using leat::ScopedTimeout;
using leat::setTimeout;
using leat::Task;

TEST_CASE("a scoped timer is cleared when its owner goes or gets another") {
  int fired = 0;
  const int code = leat::run([&]() -> Task<> {
    ScopedTimeout kept = setTimeout([&] { fired += 1; }, 1);
    {
      const ScopedTimeout gone = setTimeout([&] { fired += 10; }, 1);
      CHECK(gone->active());
    }
    ScopedTimeout changed = setTimeout([&] { fired += 100; }, 1);
    changed = setTimeout([&] { fired += 1000; }, 1);
    ScopedTimeout moved = std::move(changed);
    changed = ScopedTimeout();
    CHECK(moved->active());
    co_await leat::sleep(5);
    CHECK(fired == 1001);
    CHECK_FALSE(kept->active());
  });
  CHECK(code == 0);
}

TEST_CASE("a scoped timer may end its owner, or start the next, from its own callback") {
  int fired = 0;
  const int code = leat::run([&]() -> Task<> {
    std::optional<ScopedTimeout> timer;
    timer = setTimeout(
        [&] {
          ++fired;
          timer = setTimeout(
              [&] {
                ++fired;
                timer.reset();
              },
              1);
        },
        1);
    for (int i = 0; i < 1000 && timer.has_value(); ++i) co_await leat::sleep(1);
    CHECK(fired == 2);
    CHECK_FALSE(timer.has_value());
  });
  CHECK(code == 0);
}

TEST_CASE("a released timer fires") {
  bool fired = false;
  const int code = leat::run([&]() -> Task<> {
    {
      const leat::Timeout timer = ScopedTimeout(setTimeout([&] { fired = true; }, 1)).release();
    }
    co_await leat::sleep(5);
    CHECK(fired);
  });
  CHECK(code == 0);
}
