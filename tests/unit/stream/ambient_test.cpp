// SPDX-License-Identifier: MIT
// A stream works for all who use it: what its implementation awaits does not end with the ambient signal of
// whoever happened to call.
#include <leat_test.hpp>

#include <leat/async_hooks.hpp>
#include <leat/core/as_result.hpp>
#include <leat/core/with_context.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/stream.hpp>

#include <string>
#include <string_view>

namespace {

using namespace leat;

const AsyncLocalStorage<int>& request() {
  static const AsyncLocalStorage<int> storage;
  return storage;
}

/// Waits in each of its methods, and tells whether it could, and for which request.
struct Waiting {
  Task<> wait(std::string_view method) {
    const auto waited = co_await asResult(sleep(1));
    const auto store = request().getStore();
    *told += std::string(method) + (waited.ok() ? "(" : " aborted(") +
             std::to_string(store ? *store : 0) + ") ";
  }
  std::string* told;
};
struct Both : Waiting {
  Task<> construct() { return wait("construct"); }
  Task<> read(Duplex<int>& self, std::size_t) {
    co_await wait("read");
    self.push(1);
    self.push(nullptr);
  }
  Task<> write(int) { return wait("write"); }
  Task<> writev(std::vector<int>) { return wait("writev"); }
  Task<> final() { return wait("final"); }
  Task<> destroy(std::exception_ptr) { return wait("destroy"); }
};
struct Doubling : Waiting {
  Task<int> transform(int number) {
    co_await wait("transform");
    co_return 2 * number;
  }
  Task<> flush(Transform<int, int>&) { return wait("flush"); }
};

/// Calls `f` under a signal that is aborted when that returns, and lets go on what it has begun.
template <class F>
Task<> callAndAbort(int number, F f) {
  const AbortController controller;
  const auto work = [&]() -> Task<> {
    request().run(number, f);
    co_return;
  };
  co_await withSignal(controller.signal(), work);
  controller.abort();
  co_await sleep(10);
}

}  // namespace

TEST_CASE("the methods of a stream go on when who called is aborted, with the stores of the call") {
  std::string told;
  const auto main = [&]() -> Task<> {
    std::optional<Duplex<int>> stream;
    co_await callAndAbort(1, [&] { stream.emplace(Both{{&told}}); });
    stream->on<"error">([&](const std::exception_ptr& e) { told += describe(e); });
    co_await callAndAbort(2, [&] { (void)stream->read(0); });
    co_await callAndAbort(3, [&] { (void)stream->write(1); });
    co_await callAndAbort(4, [&] {
      stream->cork();
      (void)stream->write(2);
      (void)stream->write(3);
      stream->uncork();
    });
    co_await callAndAbort(5, [&] { stream->end(); });
    co_await callAndAbort(6, [&] { stream->destroy(); });
  };
  CHECK(run(main) == 0);
  CHECK(told == "construct(1) read(2) write(3) writev(4) final(5) destroy(6) ");
}

TEST_CASE("the methods of a Transform go on when who called is aborted") {
  std::string told;
  const auto main = [&]() -> Task<> {
    const Transform<int, int> stream(Doubling{{&told}});
    stream.on<"data">([&](int number) { told += std::to_string(number) + " "; });
    co_await callAndAbort(1, [&] { (void)stream.write(4); });
    co_await callAndAbort(2, [&] { stream.end(); });
  };
  CHECK(run(main) == 0);
  CHECK(told == "transform(1) 8 flush(2) ");
}

TEST_CASE(
    "a generator that a stream reads goes on when who asked is aborted, and nothing is lost") {
  std::string told;
  const auto numbers = []() -> AsyncGenerator<int> {
    for (int i = 0; i < 3; ++i) {
      co_await sleep(5);
      co_yield i;
    }
  };
  const auto main = [&]() -> Task<> {
    const auto stream = readableFrom(numbers());
    const auto next = [&]() -> Task<> {
      const auto number = co_await stream.next();
      told += number ? std::to_string(*number) + " " : "end ";
    };
    for (int i = 0; i < 2; ++i) {
      const auto result = co_await asResult(withSignal(AbortSignal::timeout(1), next()));
      if (!result.ok()) told += "aborted ";
    }
    for (int i = 0; i < 4; ++i) co_await next();
  };
  CHECK(run(main) == 0);
  CHECK(told == "aborted aborted 0 1 2 end ");
}
