// SPDX-License-Identifier: MIT
// The regions of docs/locks-and-channels.md, and a main that runs them.
#include <leat.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

int stored = 10;

Task<int> load() {
  co_await sleep(1);
  co_return stored;
}
Task<> store(int value) {
  co_await sleep(1);
  stored = value;
}

// [mutex]
Task<bool> withdraw(int amount, Mutex& mutex) {
  auto guard = co_await mutex.lock();
  const int balance = co_await load();
  if (balance < amount) co_return false;
  co_await store(balance - amount);  // nobody has changed it since
  co_return true;
}  // the guard goes, and the next in line has the mutex
// [/mutex]

Task<> withdrawals() {
  Mutex mutex;
  const auto [a, b, c] = co_await all(withdraw(6, mutex), withdraw(5, mutex), withdraw(4, mutex));
  check(a && !b && c && stored == 0);
}

int busy = 0;

Task<std::string> load(int id) {
  check(++busy <= 4);
  co_await sleep(1);
  --busy;
  co_return std::to_string(id);
}

// [semaphore]
Task<std::string> loadInTurn(int id, Semaphore& limit) {
  auto permit = co_await limit.acquire();
  co_return co_await load(id);
}

Task<std::vector<std::string>> loadAll() {
  Semaphore limit(4);  // four at a time
  std::vector<Task<std::string>> loads;
  for (int id = 0; id < 100; ++id) loads.push_back(loadInTurn(id, limit));
  co_return co_await all(std::move(loads));
}
// [/semaphore]

Task<> semaphores() {
  const auto texts = co_await loadAll();
  check(texts.size() == 100 && texts.back() == "99");
}

// [events]
Task<> runner(std::string name, Latch& ready, ManualResetEvent& start, std::string& log) {
  ready.countDown();
  co_await start.wait();  // at once while it is set
  log += name;
}

Task<> runTogether(std::string& log) {
  Latch ready(2);
  ManualResetEvent start;
  auto body = [&](TaskScope& scope) -> Task<> {
    (void)scope.spawn(runner("a", ready, start, log));
    (void)scope.spawn(runner("b", ready, start, log));
    co_await ready.wait();  // both have called countDown
    start.set();
  };
  co_await scoped(body);  // both have ended
}
// [/events]

Task<> gates() {
  std::string log;
  co_await runTogether(log);
  check(log == "ab");
}

// [channel]
Task<> produce(Channel<int> numbers) {
  for (int i = 1; i <= 100; ++i) co_await numbers.send(i);  // waits for room
  numbers.close();
}

Task<int> consume(Channel<int> numbers) {
  int sum = 0;
  while (auto number = co_await numbers.receive()) sum += *number;
  co_return sum;  // closed, and all are out
}

Task<int> sumOfBoth() {
  const Channel<int> numbers(3);  // room for three; copies are the same channel
  (void)spawn(produce(numbers));
  const auto [a, b] = co_await all(consume(numbers), consume(numbers));
  co_return a + b;
}
// [/channel]

Task<> channels() {
  check(co_await sumOfBoth() == 5050);
  int shown = 0;
  // [poll]
  Channel<std::string> lines(2);
  check(lines.trySend("one") && lines.trySend("two"));
  check(!lines.trySend("three"));  // no room, or closed
  while (auto line = lines.tryReceive()) ++shown;
  check(shown == 2 && lines.size() == 0);
  // [/poll]
}

Task<> patience() {
  Mutex mutex;
  auto held = mutex.tryLock();
  // [abort]
  auto outcome = co_await asResult(withTimeout(5, mutex.lock()));
  check(!outcome);  // a TimeoutError; who gives up leaves the line
  const auto guard = mutex.tryLock();
  check(!guard && mutex.locked());  // an empty guard: somebody else has it
  // [/abort]
}

Task<> program() {
  co_await withdrawals();
  co_await semaphores();
  co_await gates();
  co_await channels();
  co_await patience();
}

int main() { return run(program); }
