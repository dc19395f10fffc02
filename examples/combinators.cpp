// SPDX-License-Identifier: MIT
// all, allSettled, race and any over work that is quick, slow or fails, and limits on its time.
#include <leat.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [work]
Task<std::string> fetch(std::string what, int ms) {
  co_await sleep(ms);
  co_return what + " after " + std::to_string(ms) + " ms";
}

Task<std::string> broken(std::string what, int ms) {
  co_await sleep(ms);
  throw Error(what + " is down");
}
// [/work]

void print(const char* label, const std::string& text) {
  std::printf("%-20s %s\n", label, text.c_str());
}
void print(const char* label, Result<std::string>& outcome) {
  print(label, outcome ? outcome.value() : describe(outcome.error()));
}

Task<> everything() {
  // [all]
  auto [users, orders] = co_await all(fetch("users", 40), fetch("orders", 20));
  // [/all]
  print("all", users + ", " + orders);

  auto rejected = co_await asResult(all(fetch("users", 40), broken("stock", 20)));
  print("all, one fails", describe(rejected.error()));

  // [allSettled]
  auto [good, bad] = co_await allSettled(fetch("users", 20), broken("stock", 40));
  // [/allSettled]
  print("allSettled, first", good);
  print("allSettled, second", bad);
}

Task<> firstOfSeveral() {
  // [first]
  const std::string quickest = co_await race(fetch("tokyo", 400), fetch("berlin", 20));
  const std::string working = co_await any(broken("tokyo", 10), fetch("berlin", 30));
  // [/first]
  print("race", quickest);
  print("any", working);

  auto none = co_await asResult(any(broken("tokyo", 20), broken("berlin", 10)));
  print("any, all fail", none);
}

Task<> limits() {
  // [timeout]
  // The losers of a race go on. These two abort them and wait until they have ended.
  auto late = co_await asResult(withTimeout(30, fetch("archive", 5000)));
  auto winner = co_await asResult(raceScoped(fetch("archive", 5000), fetch("cache", 10)));
  // [/timeout]
  print("withTimeout", late);
  print("raceScoped", winner);
}

Task<> program() {
  co_await everything();
  co_await firstOfSeveral();
  co_await limits();
}

int main() { return run(program); }
