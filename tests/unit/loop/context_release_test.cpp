// SPDX-License-Identifier: MIT
// What happens when the context of a job is let go of: stores may own what the loop is about to run.
#include <leat/core/as_result.hpp>
#include <leat/core/async_generator.hpp>
#include <leat/core/async_local_storage.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
#include <leat/loop/with_timeout.hpp>

#include <fcntl.h>

#include <leat_test.hpp>
#include <memory>
#include <optional>
#include <string>

using namespace leat;

namespace {

struct HoldsResolver {
  explicit HoldsResolver(Promise<>::Resolvers r) : resolvers(std::move(r)) {}
  std::optional<Promise<>::Resolvers> resolvers;
};

/// Drops a generator when it goes.
class Dropper {
 public:
  explicit Dropper(AsyncGenerator<int>& g) : generator_(&g) {}
  Dropper(Dropper&& other) noexcept : generator_(std::exchange(other.generator_, nullptr)) {}
  ~Dropper() {
    if (generator_ != nullptr) *generator_ = AsyncGenerator<int>();
  }

 private:
  AsyncGenerator<int>* generator_;
};

Promise<> waitFor(Promise<> promise) { co_await promise; }
AsyncGenerator<int> waitAndYield(Promise<> promise) {
  co_await promise;
  co_yield 1;
}
Task<> ask(AsyncGenerator<int>& generator) {
  auto value = co_await generator.next();
  (void)value;
}

}  // namespace

TEST_CASE("what the last job's stores queue when they go is run in the same drain") {
  EventLoop loop;
  AsyncLocalStorage<HoldsResolver> storage;
  std::string heard;
  {
    auto resolvers = Promise<>::withResolvers();
    auto listen = [](Promise<> promise, std::string* to) -> Task<> {
      auto outcome = co_await asResult(promise);
      *to = outcome.ok() ? "resolved" : "broken";
    };
    (void)spawn(listen(resolvers.promise, &heard));
    auto work = []() -> Promise<> { co_await yield(); };
    setImmediate([&storage, work, held = HoldsResolver(std::move(resolvers))]() mutable {
      storage.run(std::move(held), [work] { (void)work(); });
    });
  }
  // The timer keeps the loop from being over; nothing but the drain tells of the rejection.
  const ScopedTimeout timer = setTimeout([] {}, 100'000);
  loop.runOnce(0);
  loop.runOnce(0);
  CHECK(heard == "broken");
}

TEST_CASE("a store that drops the coroutine which is resumed next drops it after that") {
  EventLoop loop;
  AsyncLocalStorage<Dropper> storage;
  auto resolvers = Promise<>::withResolvers();
  AsyncGenerator<int> generator = waitAndYield(resolvers.promise);
  storage.run(Dropper(generator), [&] { (void)waitFor(resolvers.promise); });
  {
    auto asked = spawn(ask(generator));
  }
  resolvers.resolve.resolve();
  loop.run();
  CHECK(resolvers.promise.status() == PromiseStatus::Fulfilled);
}

TEST_CASE("a posted callback has no context, and leaves none") {
  EventLoop loop;
  AsyncLocalStorage<int> storage;
  std::string seen;
  const auto look = [&] { seen += storage.getStore() ? "x" : "-"; };
  loop.post([&] {
    storage.enterWith(1);
    look();
  });
  loop.post(look);
  loop.runOnce(0);
  look();
  storage.run(2, [&] {
    loop.post(look);
    loop.runOnce(0);
    look();
  });
  CHECK(seen == "x---x");
}

TEST_CASE("a task that was moved from for an await may be destroyed while that waits") {
  EventLoop loop;
  auto child = []() -> Task<> { co_await sleep(100'000); };
  auto parent = [](Task<>& task) -> Task<> { co_await std::move(task); };
  auto top = [&](Task<>& task) -> Task<> { co_await parent(task); };
  auto held = std::make_unique<Task<>>(child());
  {
    auto waits = spawn(top(*held));
    loop.runOnce(0);
    CHECK_FALSE(held->valid());
    held.reset();
  }
  loop.stop();
}

TEST_CASE("an interval that refreshes itself counts from before its callback") {
  std::string order;
  Timeout interval;
  const int code = run([&] {
    interval = setInterval(
        [&] {
          order += "i";
          if (order == "i") {
            interval.refresh();
            setTimeout([&] { order += "x"; }, 10);
          } else {
            clearInterval(interval);
          }
        },
        10);
  });
  CHECK(code == 0);
  CHECK(order == "ixi");
}

namespace {

/// An operation of the reactor that looks at the context in which it is told of its end.
struct Watching : detail::Op {
  explicit Watching(bool& n) : Op(onDone), none(n) {}
  static void onDone(Op& op, int, unsigned) noexcept {
    static_cast<Watching&>(op).none = detail::threadState.context == nullptr;
    EventLoop::current().letGo();
  }
  bool& none;
};

}  // namespace

TEST_CASE("what completes in a loop sees nothing of the context that the loop was run in") {
  const AsyncLocalStorage<int> storage;
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
  REQUIRE(::write(fds[1], "x", 1) == 1);
  bool none = false;
  {
    EventLoop loop;
    detail::IoHandle handle(fds[0]);
    REQUIRE(loop.reactor().attach(handle) == 0);
    Watching op(none);
    op.preparePoll(handle, POLLIN);
    loop.hold();
    storage.run(1, [&] {
      loop.reactor().submit(op);
      loop.run();
      CHECK(*storage.getStore() == 1);
    });
  }
  ::close(fds[0]);
  ::close(fds[1]);
  CHECK(none);
}

TEST_CASE("a store that main enters ends with main") {
  const AsyncLocalStorage<int> storage;
  run([&] {
    setImmediate([&] { CHECK_FALSE(storage.getStore()); });
    storage.enterWith(1);
    setTimeout([&] { CHECK(*storage.getStore() == 1); }, 1);
  });
  CHECK_FALSE(storage.getStore());
}

TEST_CASE("listeners of a deadline run in the store of who set it") {
  const AsyncLocalStorage<int> storage;
  int seen = 0;
  const auto work = [&]() -> Task<> {
    const AbortRegistration listening =
        AbortSignal(detail::Ref<detail::AbortState>(detail::ambientSignal())).onAbort([&] {
          seen = *storage.getStore();
        });
    co_await sleep(10000);
  };
  run([&] {
    const auto limited = [&]() -> Promise<> {
      auto late = withTimeout(1, work);
      const auto outcome = co_await asResult(std::move(late));
      CHECK_FALSE(outcome.ok());
    };
    storage.run(7, [&] { (void)limited(); });
  });
  CHECK(seen == 7);
}
