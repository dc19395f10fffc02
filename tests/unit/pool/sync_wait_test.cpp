// SPDX-License-Identifier: MIT
#include <leat/core/as_result.hpp>
#include <leat/pool/sync_wait.hpp>

#include <memory>
#include <queue_fixture.hpp>
#include <thread>

using leat::syncWait;
using leat::Task;
using leat_test::codeOf;

namespace {

/// Goes on on a thread of its own.
class Hop {
 public:
  explicit Hop(std::thread& thread) : thread_(thread) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    thread_ = std::thread([handle] { leat::detail::run(handle); });
  }
  void await_resume() const {}

 private:
  std::thread& thread_;
};

Task<std::unique_ptr<int>> value(int x) { co_return std::make_unique<int>(x); }
Task<int> elsewhere(std::thread& thread, std::thread::id& id) {
  co_await Hop(thread);
  id = std::this_thread::get_id();
  co_return 5;
}
Task<> fail42() {
  throw 42;
  co_return;
}

}  // namespace

TEST_CASE("syncWait gives what a task ends with") {
  REQUIRE(*syncWait(value(3)) == 3);
  REQUIRE_THROWS_AS(syncWait(fail42()), int);
  int x = 0;
  auto reference = [&]() -> Task<int&> { co_return x; };
  REQUIRE(&syncWait(reference()) == &x);
  REQUIRE_FALSE(syncWait(leat::asResult(fail42())).ok());
}

TEST_CASE("syncWait blocks until a task has ended on another thread") {
  for (int i = 0; i < 200; ++i) {
    std::thread thread;
    std::thread::id id;
    REQUIRE(syncWait(elsewhere(thread, id)) == 5);
    REQUIRE(id != std::this_thread::get_id());
    thread.join();
  }
}

TEST_CASE("syncWait on the thread of a loop, or of a task that is used up, is an error") {
  Task<> gone = fail42();
  Task<> kept = std::move(gone);
  REQUIRE_THROWS_AS(syncWait(std::move(gone)), leat::TypeError);
  leat_test::QueueFixture queues;
  std::string code;
  try {
    syncWait(std::move(kept));
  } catch (const leat::Error& e) {
    code = e.code();
  }
  REQUIRE(code == "ERR_LOOP_THREAD");
}
