// SPDX-License-Identifier: MIT
// What a wait for the end of a stream holds, and for how long.
#include "stream_rig.hpp"

#include <memory>

using namespace leat;
using leat_test::counting;
using leat_test::leavesNothing;
using leat_test::leavesNothingWithin;
using leat_test::outcome;
using leat_test::Seen;
using leat_test::Token;
using leat_test::turns;

namespace {

/// Never gives anything.
Readable<int> silent(Token token, StreamOptions options = {}) {
  return Readable<int>([token](Readable<int>&) { CHECK(*token == 0); }, options);
}

}  // namespace

TEST_CASE("a stream goes with its last handle, though somebody waits for its end") {
  leavesNothing([](Token token) -> Task<> {
    int called = 0;
    auto stream = silent(token);
    const FinishedWatch watch =
        finished(stream, [token, &called](const std::exception_ptr&) { ++called; });
    stream = Readable<int>();
    co_await turns(1);
    // The callback goes with the stream.
    watch();
    CHECK(token.use_count() == 2);
    CHECK(called == 0);
  });
}

TEST_CASE("a stream that ends and is not destroyed is let go") {
  leavesNothing([](Token token) -> Task<> {
    int called = 0;
    {
      const Readable<int> stream(leat_test::CountingSource{std::make_shared<Seen>(), 3, 0, token},
                                 {.autoDestroy = false});
      finished(stream, [token, &called](const std::exception_ptr& error) {
        CHECK_FALSE(error);
        ++called;
      });
      stream.resume();
      co_await turns(8);
      CHECK(called == 1);
    }
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("to wait for a stream that has closed leaves nothing in it") {
  leavesNothing([](Token token) -> Task<> {
    int called = 0;
    {
      const auto stream = silent(token);
      stream.destroy();
      co_await stream.closed();
      for (int i = 0; i < 5; ++i)
        finished(stream, [token, &called](const std::exception_ptr& error) {
          CHECK(leat_test::text(error) == "ERR_STREAM_PREMATURE_CLOSE");
          ++called;
        });
      const std::string awaited = co_await outcome(finished(stream));
      CHECK(awaited == "ERR_STREAM_PREMATURE_CLOSE");
      CHECK(stream.listenerCount<"close">() == 0);
    }
    CHECK(called == 5);
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("a wait whose stream goes is broken") {
  leavesNothing([](Token token) -> Task<> {
    auto stream = silent(token);
    const auto waiting = finished(stream);
    stream = Readable<int>();
    const std::string failure = co_await outcome(waiting);
    CHECK(failure == "ERR_BROKEN_PROMISE");
  });
}

TEST_CASE("waits are dropped with the loop, with and without a signal") {
  for (int count = 0; count < 3; ++count) {
    leavesNothingWithin(count, [](const Token& token) {
      finished(silent(token), [token](const std::exception_ptr&) {});
    });
    AbortController controller;
    leavesNothingWithin(count, [&controller](const Token& token) {
      const auto stream = silent(token);
      finished(stream, [token, stream](const std::exception_ptr&) {}, {.signal = controller});
    });
  }
}

TEST_CASE("a signal that outlives its wait tells nothing and holds nothing") {
  AbortController controller;
  leavesNothing([&controller](Token token) -> Task<> {
    int called = 0;
    FinishedOptions options;
    options.signal = controller;
    const auto stream = counting(std::make_shared<Seen>(), 2, 0, token);
    finished(
        stream,
        [token, &called](const std::exception_ptr& error) {
          CHECK_FALSE(error);
          ++called;
        },
        options);
    stream.resume();
    co_await stream.closed();
    controller.abort();
    co_await turns(2);
    CHECK(called == 1);
  });
}

TEST_CASE("a signal ends the wait, not the stream, and removes the listeners") {
  leavesNothing([](Token token) -> Task<> {
    AbortController controller;
    FinishedOptions options;
    options.signal = controller;
    const auto stream = silent(token);
    const auto waiting = finished(stream, options);
    CHECK(stream.listenerCount<"close">() == 1);
    controller.abort(std::runtime_error("why"));
    std::string cause;
    try {
      co_await waiting;
    } catch (const AbortError& error) {
      cause = leat_test::text(error.cause());
    }
    CHECK(cause == "why");
    CHECK(stream.listenerCount<"close">() == 0);
    CHECK(stream.listenerCount<"error">() == 0);
    CHECK_FALSE(stream.destroyed());
  });
}

TEST_CASE("a callback may clean up, destroy the stream and let it go") {
  leavesNothing([](Token token) -> Task<> {
    auto stream = std::make_shared<Readable<int>>(silent(token));
    auto watch = std::make_shared<std::optional<FinishedWatch>>();
    int called = 0;
    const auto told = [stream, watch, &called](const std::exception_ptr& error) {
      CHECK(leat_test::text(error) == "enough");
      ++called;
      (**watch)();
      stream->destroy();
      *stream = Readable<int>();
    };
    watch->emplace(finished(*stream, told));
    stream->destroy(std::runtime_error("enough"));
    co_await turns(2);
    CHECK(called == 1);
    watch->reset();
  });
}

TEST_CASE("what the callback throws is an uncaught exception") {
  CHECK(run([] {
          const auto stream = silent(std::make_shared<int>(0));
          finished(stream, [](const std::exception_ptr&) { throw std::runtime_error("callback"); });
          stream.destroy();
        }) == 1);
}
