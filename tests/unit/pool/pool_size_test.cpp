// SPDX-License-Identifier: MIT
// How many workers a pool has when its options do not say it.
#include <leat/pool/work_stealing_pool.hpp>
#include <leat/sys/processors.hpp>
#include <leat_test.hpp>

#include <sched.h>

#include <cstdlib>
#include <string>

namespace {

using leat::WorkStealingPool;

/// LEAT_POOL_SIZE while it lives; null: none.
class PoolSize {
 public:
  explicit PoolSize(const char* text) {
    if (const char* before = std::getenv("LEAT_POOL_SIZE")) {
      hadOne_ = true;
      before_ = before;
    }
    set(text);
  }
  PoolSize(const PoolSize&) = delete;
  PoolSize& operator=(const PoolSize&) = delete;
  ~PoolSize() { set(hadOne_ ? before_.c_str() : nullptr); }

 private:
  static void set(const char* text) {
    if (text != nullptr) {
      ::setenv("LEAT_POOL_SIZE", text, 1);
    } else {
      ::unsetenv("LEAT_POOL_SIZE");
    }
  }
  bool hadOne_ = false;
  std::string before_;
};

unsigned workersWith(const char* text) {
  const PoolSize size(text);
  const WorkStealingPool pool;
  return pool.threads();
}

}  // namespace

TEST_CASE("a pool has as many workers as the thread that makes it may use processors") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  CHECK(workersWith(nullptr) == leat::sys::usableProcessors());
  leat::sys::pinThread(0);
  CHECK(workersWith(nullptr) == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(workersWith(nullptr) == leat::sys::usableProcessors());
}

TEST_CASE("the number of workers comes from LEAT_POOL_SIZE when that is a number from 1 to 1024") {
  const unsigned usual = workersWith(nullptr);
  CHECK(workersWith("1") == 1);
  CHECK(workersWith("3") == 3);
  CHECK(workersWith("17") == 17);
  for (const char* bad : {"", "0", "-3", "1025", "7x", "many", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK(workersWith(bad) == usual);
  }
}

TEST_CASE("what the options say about the number of workers goes before LEAT_POOL_SIZE") {
  const PoolSize size("3");
  const WorkStealingPool pool({.threads = 2});
  CHECK(pool.threads() == 2);
}
