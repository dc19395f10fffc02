// SPDX-License-Identifier: MIT
// WorkerTime: what has been slept, and what not, at any moment.
#include <leat/pool/worker_time.hpp>
#include <leat_test.hpp>

#include <limits>

namespace {

using leat::detail::WorkerTime;

/// What has been active, and slept, at that time.
void checkAt(const WorkerTime& time, std::int64_t now, std::uint64_t active, std::uint64_t idle) {
  const WorkerTime::Reading reading = time.read([=] { return now; });
  CHECK(reading.activeNs == active);
  CHECK(reading.idleNs == idle);
}

}  // namespace

TEST_CASE("a worker that has not begun has no time") { checkAt(WorkerTime(), 1'000, 0, 0); }

TEST_CASE("each moment of a worker is either active or idle") {
  WorkerTime time;
  time.begin(1'000);
  checkAt(time, 1'000, 0, 0);
  checkAt(time, 1'010, 10, 0);
  time.sleep(1'020);
  checkAt(time, 1'020, 20, 0);
  checkAt(time, 1'320, 20, 300);
  time.wake(1'420);
  checkAt(time, 1'420, 20, 400);
  checkAt(time, 1'421, 21, 400);
  time.sleep(1'430);
  checkAt(time, 1'431, 30, 401);
  time.wake(1'432);
  checkAt(time, 1'440, 38, 402);
}

TEST_CASE("the time of a worker that has ended stands still") {
  WorkerTime time;
  time.begin(50);
  time.sleep(60);
  time.wake(90);
  time.end(100);
  checkAt(time, 100, 20, 30);
  checkAt(time, 5'000, 20, 30);
}

TEST_CASE("the time of a worker is right after centuries of a clock") {
  // Times are kept in 63 bits.
  const std::int64_t begun = std::numeric_limits<std::int64_t>::max() - 1'000;
  WorkerTime time;
  time.begin(begun);
  time.sleep(begun + 1);
  checkAt(time, begun + 500, 1, 499);
  time.wake(begun + 600);
  checkAt(time, begun + 700, 101, 599);
}
