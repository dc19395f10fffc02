// SPDX-License-Identifier: MIT
// Look-ups, the calls of users and files on the blocking pool of a process: none of the first two keeps a file waiting,
// however many of them there are and however long they take.
#include <leat/dns/lookup.hpp>
#include <leat/fs/paths.hpp>
#include <leat/loop/blocking.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>

#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include <leat_test.hpp>
#include <child.hpp>

namespace {

using leat::Promise;
using leat::Task;
using leat::detail::Atomic;

/// Where look-ups and calls stand until it opens, and what is seen of them and of the file operation meanwhile.
struct Crossing {
  static inline Atomic<bool> open{false};
  static inline Atomic<unsigned> lookups{0};
  static inline Atomic<unsigned> calls{0};
  static inline Atomic<unsigned> accesses{0};  // on a thread that is not the loop's
  static inline pthread_t loop{};

  static void stand(Atomic<unsigned>& counted) noexcept {
    counted.fetchAdd(1);
    while (!open.load()) ::sched_yield();
  }
  static int hook(leat::sys::Call call) noexcept {
    if (call == leat::sys::Call::access && ::pthread_equal(loop, ::pthread_self()) == 0)
      accesses.fetchAdd(1);
    if (call != leat::sys::Call::getaddrinfo) return 0;
    stand(lookups);
    return EMFILE;  // no name server is asked
  }
};

Promise<> lookUp(std::string host) {
  try {
    (void)co_await leat::dns::lookup(host);
  } catch (const leat::SystemError&) {
  }
}

Promise<> callThatBlocks() {
  const auto stand = [] { Crossing::stand(Crossing::calls); };
  co_await leat::blocking(stand);
}

Task<> crowd() {
  for (int i = 0; i < 6; ++i) {
    (void)lookUp("host" + std::to_string(i) + ".invalid");
    (void)callThatBlocks();
  }
  // Half of the threads each, of both together all but one.
  while (Crossing::lookups.load() + Crossing::calls.load() < 3) co_await leat::sleep(1);
  co_await leat::fs::access("/");
  leat_test::say(std::to_string(Crossing::accesses.load()) + " on the pool, " +
                 std::to_string(Crossing::lookups.load() + Crossing::calls.load()) + " stand");
  if (Crossing::lookups.load() == 0 || Crossing::calls.load() == 0) leat_test::say("one kind");
  Crossing::open.store(true);
}

}  // namespace

TEST_CASE(
    "a file operation passes look-ups and calls that block, though they fill their share of the "
    "pool") {
  const auto child = leat_test::inChild([] {
    ::setenv("LEAT_BLOCKING_MAX", "4", 1);
    ::setenv("LEAT_BACKEND", "epoll", 1);
    Crossing::loop = ::pthread_self();
    leat::sys::fault.store(&Crossing::hook);
    return leat::run(crowd);
  });
  // One that waits for ever is killed.
  CHECK(child.signal == 0);
  CHECK(child.code == 0);
  CHECK(child.out == "1 on the pool, 3 stand\n");
  CHECK(child.err.empty());
}
