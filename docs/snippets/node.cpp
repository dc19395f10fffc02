// SPDX-License-Identifier: MIT
// The regions of docs/differences-from-node.md and docs/debugging.md, and a main that runs them.
#include <leat.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [generator]
AsyncGenerator<int> countdown(int from) {
  for (int i = from; i > 0; --i) {
    co_await sleep(1);
    co_yield i;
  }
}

Task<int> total() {
  int sum = 0;
  auto numbers = countdown(4);
  while (auto number = co_await numbers.next()) {  // for await (const number of countdown(4))
    if (*number == 1) break;                       // dropping the generator ends it
    sum += *number;
  }
  co_return sum;
}
// [/generator]

Task<> interval() {
  int ticks = 0;
  // [interval]
  Interval every(2);  // setInterval of timers/promises
  for (int i = 0; i < 3; ++i) {
    co_await every.next();
    ++ticks;
  }
  // [/interval]
  check(ticks == 3);
}

Task<> catching() {
  std::string seen;
  auto failing = Promise<int>::reject(std::out_of_range("7"));
  // [catch]
  auto answer = failing
                    .catch_([](const std::exception& error) {
                      return std::string(error.what()).size() == 1 ? 1 : 0;
                    })
                    .finally([&seen] { seen += "done"; });
  const int number = co_await answer;
  // [/catch]
  check(number == 1 && seen == "done");
}

Task<> describing() {
  // [describe]
  auto outcome = co_await asResult(any(Promise<int>::reject(Error("no route", "EROUTE")),
                                       Promise<int>::reject(std::runtime_error("no answer"))));
  std::puts(describe(outcome.error()).c_str());
  // AggregateError: All promises were rejected
  //   - Error: no route [EROUTE]
  //   - std::runtime_error: no answer
  // [/describe]
}

Task<> program() {
  check(co_await total() == 9);
  co_await interval();
  co_await catching();
  co_await describing();
}

int main() { return run(program); }
