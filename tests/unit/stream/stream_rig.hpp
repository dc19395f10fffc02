// SPDX-License-Identifier: MIT
// What the tests of pipeline, finished, readableFrom and operators share: streams that say who holds them.
#pragma once

#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
#include <leat/stream.hpp>

#include <leat_test.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace leat_test {

/// What closures and implementations hold; afterwards nothing may.
using Token = std::shared_ptr<int>;

/// Runs `body(token)`, a coroutine or not, on a loop of its own, until nothing is left to do.
template <class F>
void leavesNothing(F body) {
  const Token token = std::make_shared<int>(0);
  CHECK(leat::run([&] { return body(token); }) == 0);
  CHECK(token.use_count() == 1);
}
/// Begins `body(token)` on a loop that ends after so many turns.
template <class F>
void leavesNothingWithin(int turns, F body) {
  const Token token = std::make_shared<int>(0);
  {
    leat::EventLoop loop;
    body(token);
    for (int i = 0; i < turns; ++i) (void)loop.runOnce(1);
  }
  CHECK(token.use_count() == 1);
}

inline std::string text(const std::exception_ptr& error) {
  if (!error) return "ok";
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
/// "ok", or what an awaitable throws.
template <class A>
leat::Task<std::string> outcome(A awaitable) {
  std::exception_ptr error;
  try {
    (void)co_await std::move(awaitable);
  } catch (...) {
    error = std::current_exception();
  }
  co_return text(error);
}

/// Goes on after so many turns of the loop.
inline leat::Promise<> turns(int count) {
  auto made = leat::Promise<>::withResolvers();
  const auto resolve = made.resolve;
  struct Step {
    static void run(int left, decltype(resolve) done) {
      leat::setImmediate([left, done] { left > 1 ? run(left - 1, done) : done(); });
    }
  };
  Step::run(count, resolve);
  return made.promise;
}

/// How often the parts of a stream were called, kept by its implementation.
struct Seen {
  int reads = 0;
  int chunks = 0;
  int destroys = 0;
  int open = 0;
};
inline std::shared_ptr<Seen> fresh() { return std::make_shared<Seen>(); }

/// Gives 1 to `count`; at `failAt` it fails instead.
struct CountingSource {
  std::shared_ptr<Seen> seen;
  int count;
  int failAt = 0;
  Token token{};
  int at = 0;
  leat::Promise<std::optional<int>> read() {
    ++seen->reads;
    co_await turns(1);
    ++at;
    if (at == failAt) throw std::runtime_error("source");
    std::optional<int> chunk;
    if (at <= count) chunk = at;
    co_return chunk;
  }
  void destroy() { ++seen->destroys; }
};
struct CountingSink {
  std::shared_ptr<Seen> seen;
  int failAt = 0;
  Token token{};
  std::vector<int> got{};
  leat::Promise<> write(int chunk) {
    co_await turns(1);
    ++seen->chunks;
    if (seen->chunks == failAt) throw std::runtime_error("sink");
    got.push_back(chunk);
  }
  void destroy() { ++seen->destroys; }
};
struct CountingTransform {
  std::shared_ptr<Seen> seen;
  int failAt = 0;
  Token token{};
  int transform(int chunk) {
    if (++seen->chunks == failAt) throw std::runtime_error("transform");
    return chunk;
  }
  void destroy() { ++seen->destroys; }
};

inline leat::Readable<int> counting(std::shared_ptr<Seen> seen, int count, int failAt = 0,
                                    Token token = {}) {
  return leat::Readable<int>(CountingSource{std::move(seen), count, failAt, std::move(token)});
}

}  // namespace leat_test
