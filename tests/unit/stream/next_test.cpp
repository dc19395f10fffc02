// SPDX-License-Identifier: MIT
// A coroutine that reads a stream beside others who do, and chunks of unusual types.
#include <leat_test.hpp>

#include <leat/core/as_result.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/stream.hpp>

#include <map>
#include <string>
#include <vector>

namespace {

using namespace leat;

struct SlowNumbers {
  Task<> read(Readable<int>& self) {
    co_await nextImmediate();
    if (at < 6) {
      self.push(at++);
    } else {
      self.push(nullptr);
    }
  }
  int at = 0;
};

}  // namespace

TEST_CASE("next() beside a listener for data: both get every chunk") {
  std::vector<int> heard;
  std::vector<int> read;
  const auto main = [&]() -> Task<> {
    const Readable<int> numbers((SlowNumbers()));
    numbers.on<"data">([&](int number) { heard.push_back(number); });
    while (auto number = co_await numbers.next()) read.push_back(*number);
  };
  CHECK(leat::run(main) == 0);
  CHECK(read == std::vector<int>{0, 1, 2, 3, 4, 5});
  CHECK(heard == read);
}

TEST_CASE("what is destroyed when its end is known and all is read is at its end, else not") {
  std::string told;
  const auto main = [&]() -> Task<> {
    for (const bool buffered : {false, true}) {
      const Readable<int> numbers([](Readable<int>&) {});
      if (buffered) numbers.push(1);
      numbers.push(nullptr);
      numbers.destroy();
      const auto read = [](Readable<int> from) -> Task<bool> {
        co_return (co_await from.next()).has_value();
      };
      const auto result = co_await asResult(read(numbers));
      told += !result.ok() ? "error " : *result ? "chunk " : "end ";
    }
  };
  CHECK(leat::run(main) == 0);
  CHECK(told == "end error ");
}

TEST_CASE("a reader that stops leaves the stream to who listens") {
  std::vector<int> heard;
  const auto main = [&]() -> Task<> {
    const Readable<int> numbers((SlowNumbers()));
    (void)co_await numbers.next();
    numbers.on<"data">([&](int number) { heard.push_back(number); });
    co_await numbers.closed();
  };
  CHECK(leat::run(main) == 0);
  CHECK(heard == std::vector<int>{1, 2, 3, 4, 5});
}

TEST_CASE("two coroutines share the chunks of a stream") {
  std::vector<int> read;
  const auto main = [&]() -> Task<> {
    const Readable<int> numbers((SlowNumbers()));
    const auto reader = [&]() -> Promise<> {
      while (auto number = co_await numbers.next()) read.push_back(*number);
    };
    const Promise<> first = reader();
    const Promise<> second = reader();
    co_await first;
    co_await second;
  };
  CHECK(leat::run(main) == 0);
  CHECK(read == std::vector<int>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("chunks that cannot be assigned") {
  std::string all;
  const auto main = [&]() -> Task<> {
    const std::map<int, std::string> names{{1, "one"}, {2, "two"}};
    const auto pairs = readableFrom(names);
    while (auto pair = co_await pairs.next()) all += std::to_string(pair->first) + pair->second;
  };
  CHECK(leat::run(main) == 0);
  CHECK(all == "1one2two");
}

TEST_CASE("a stream that is aborted before it is constructed is destroyed once") {
  int constructed = 0;
  int destroyed = 0;
  struct Source {
    void construct() { ++constructed; }
    std::optional<int> read() { return std::nullopt; }
    void destroy() { ++destroyed; }
    int& constructed;
    int& destroyed;
  };
  const auto main = [&]() -> Task<> {
    const AbortSignal aborted = AbortSignal::abort();
    const Readable<int> stream(Source{constructed, destroyed}, {.signal = aborted});
    stream.on<"error">([] {});
    co_await stream.closed();
    co_await sleep(1);
  };
  CHECK(leat::run(main) == 0);
  CHECK(destroyed == 1);
}
