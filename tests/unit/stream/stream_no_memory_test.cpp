// SPDX-License-Identifier: MIT
// Streams for which there is no memory: they fail with that, and nobody waits for them for ever.
#include "stream_rig.hpp"
#include <failing_memory.hpp>

#include <new>

using namespace leat;

namespace {

/// The allocation after `count` others fails; none with a negative one.
void failAfter(long count) {
  leat_test::allowedBlocks = count;
  leat_test::failsOnce = count >= 0;
}

Promise<int> laterTwice(int chunk) {
  co_await sleep(0);
  co_return chunk * 2;
}

}  // namespace

TEST_CASE("a chunk for which a Readable has no memory is not one that it has") {
  leat_test::leavesNothing([](leat_test::Token token) -> Task<> {
    const Readable<int> source([token](auto&) {});
    failAfter(0);
    CHECK_THROWS_AS(source.push(1), std::bad_alloc);
    failAfter(0);
    CHECK_THROWS_AS(source.unshift(1), std::bad_alloc);
    failAfter(-1);
    CHECK(source.readableLength() == 0);
    source.push(2);
    source.push(nullptr);
    const auto all = co_await source.toArray();
    CHECK(all == std::vector<int>{2});
  });
}

TEST_CASE("a chunk for which a Writable has no memory is not one that it waits for") {
  leat_test::leavesNothing([](leat_test::Token token) -> Task<> {
    int written = 0;
    const Writable<int> sink([token, &written](int, StreamCallback done) {
      ++written;
      nextTick([done = std::move(done)] { done(nullptr); });
    });
    sink.write(1);
    failAfter(0);
    CHECK_THROWS_AS(sink.write(2), std::bad_alloc);
    failAfter(-1);
    CHECK(sink.writableLength() == 1);
    co_await sink.end();
    CHECK(written == 1);
  });
}

TEST_CASE("an operator fails or ends, whichever of its allocations fails") {
  int failures = 0;
  for (long count = 0; count < 60; ++count) {
    std::string seen;
    leat_test::leavesNothing([&](leat_test::Token token) -> Task<> {
      const auto source = readableFrom(std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9});
      const auto call = [token](int chunk) { return laterTwice(chunk); };
      std::exception_ptr error;
      std::vector<int> all;
      try {
        failAfter(count);
        const auto doubled = source.map(call, {.concurrency = 3});
        all = co_await doubled.toArray();
      } catch (...) {
        error = std::current_exception();
      }
      failAfter(-1);
      seen = error ? leat_test::text(error) : std::to_string(all.size());
    });
    const bool failed = seen == std::bad_alloc().what();
    CHECK((failed || seen == "9"));
    failures += failed ? 1 : 0;
  }
  CHECK(failures > 5);
}
