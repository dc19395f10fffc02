// SPDX-License-Identifier: MIT
// The regions of docs/pool.md, and a main that runs them.
#include <leat.hpp>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string slowHash(const std::string& text) {
  unsigned long hash = 5381;
  for (int round = 0; round < 1000; ++round)
    for (const char each : text) hash = hash * 33 + static_cast<unsigned char>(each);
  return std::to_string(hash);
}

// [run]
Task<> answer(net::Socket socket) {
  WorkStealingPool& pool = WorkStealingPool::shared();
  const std::string password = co_await socket.readUntil("\n");
  const std::string hash = co_await pool.run(slowHash, password);  // the loop goes on meanwhile
  co_await socket.write(hash + "\n");
}
// [/run]

struct Index {
  std::string words;
  std::string hash;
};

// [schedule]
Task<> build(Index& index) {
  WorkStealingPool& pool = WorkStealingPool::shared();
  const LoopRef home = EventLoop::current().ref();
  co_await pool.schedule();  // from here on a worker
  index.hash = slowHash(index.words);
  co_await resumeOn(home);  // and home before anything of the loop is touched, and before the end
}
// [/schedule]

// [spawn]
Task<bool> agree(const std::string& one, const std::string& other) {
  WorkStealingPool& pool = WorkStealingPool::shared();
  Promise<std::string> first = spawn(pool.run(slowHash, one));  // begins now
  const std::string second = co_await pool.run(slowHash, other);
  co_return co_await first == second;
}
// [/spawn]

// [bound]
Task<> answerOrRefuse(net::Socket socket, WorkStealingPool& pool) {
  // The pool was made with {.maxQueued = 100, .whenFull = PoolFull::Throw}.
  const std::string password = co_await socket.readUntil("\n");
  const auto hash = co_await asResult(pool.run(slowHash, password));
  const std::string line = hash ? hash.value() : "too busy, try again later";
  co_await socket.write(line + "\n");
}
// [/bound]

long serialFib(int n) { return n < 2 ? n : serialFib(n - 1) + serialFib(n - 2); }

// [fork]
Task<long> fib(int n) {
  // A fork costs about as much as three calls: leave it something to do.
  if (n < 20) co_return serialFib(n);
  auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));
  co_return a + b;
}

Task<> print() { std::printf("%ld\n", co_await WorkStealingPool::shared().run(fib, 30)); }
// [/fork]

struct Page {
  double weight;
};
Task<double> weigh(const Page& page) { co_return page.weight; }

// [range]
Task<double> weigh(const std::vector<Page>& pages) {
  const auto one = [&](std::size_t i) { return weigh(pages[i]); };
  double sum = 0;
  for (const double each : co_await fork(pages.size(), one)) sum += each;
  co_return sum;
}
// [/range]

// [settled]
Task<double> weighWhatCan(const std::vector<Page>& pages) {
  const auto one = [&](std::size_t i) { return weigh(pages.at(i)); };
  double sum = 0;
  for (const Result<double>& each : co_await forkSettled(pages.size() + 1, one)) {
    if (each) {
      sum += each.value();
    } else {
      std::fprintf(stderr, "%s\n", describe(each.error()).c_str());
    }
  }
  co_return sum;
}
// [/settled]

struct Node {
  long value;
  std::vector<Node> children;
};

// [scope]
Task<> visit(ForkScope& scope, const Node& node, long& sum) {
  std::atomic_ref<long>(sum) += node.value;
  for (const Node& child : node.children) scope.fork(visit(scope, child, sum));
  co_return;
}

Task<long> total(const Node& root) {
  long sum = 0;
  const auto body = [&](ForkScope& scope) { return visit(scope, root, sum); };
  co_await forkScope(body);  // goes on when the whole tree has been visited
  co_return sum;
}
// [/scope]

// [statistics]
/// How busy each worker was since it began, in per cent.
void report(const WorkStealingPool& pool) {
  const PoolStatistics all = pool.statistics();
  std::fprintf(stderr, "%u of %u workers busy, %llu jobs wait\n", all.running, pool.threads(),
               static_cast<unsigned long long>(all.queued));
  for (unsigned i = 0; i < pool.threads(); ++i) {
    const PoolWorkerStatistics one = pool.workerStatistics(i);
    const auto active = static_cast<double>(one.activeNs);
    std::fprintf(stderr, "worker %u: %.1f %%\n", i,
                 100 * active / (active + static_cast<double>(one.idleNs) + 1));
  }
}
// [/statistics]

// [parallel]
double norm(std::span<double> values) {
  parallelForEach(values, [](double& value) { value *= value; });
  const auto at = [&](std::size_t i) { return values[i]; };
  return std::sqrt(parallelReduce(values.size(), 0.0, at, std::plus<>()));
}
// [/parallel]

Task<> client(int port, bool served) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  co_await socket.write("secret\n");
  const std::string line = co_await socket.readUntil("\n");
  check(line == (served ? slowHash("secret\n") + "\n" : "too busy, try again later\n"));
  co_await socket.end();
}

/// With a bound of one: a call on the only worker, one that waits, and one too many.
Task<> refused() {
  WorkStealingPool pool({.threads = 1, .maxQueued = 1, .whenFull = PoolFull::Throw});
  std::atomic<bool> begun{false};
  std::atomic<bool> open{false};
  const auto busy = [&] {
    for (begun = true; !open;) std::this_thread::yield();
  };
  Promise<> first = pool.run(busy);
  while (!begun) std::this_thread::yield();
  Promise<> second = pool.run([] {});
  const auto serve = [&pool](net::Socket socket) { return answerOrRefuse(socket, pool); };
  auto server = co_await net::listen(serve, {.port = 0, .host = "127.0.0.1"});
  co_await client(server.address().port(), false);
  open = true;
  co_await first;
  co_await second;
  co_await client(server.address().port(), true);
  co_await server.close();
}

// [syncWait]
/// For a thread without a loop, such as one that another library has made.
std::string hashAndWait(const std::string& text) {
  return syncWait(WorkStealingPool::shared().run(slowHash, text));
}
// [/syncWait]

Task<> program() {
  std::thread([] { check(hashAndWait("a") == slowHash("a")); }).join();
  auto server = co_await net::listen(answer, {.port = 0, .host = "127.0.0.1"});
  co_await client(server.address().port(), true);
  co_await server.close();
  co_await refused();
  co_await print();
  WorkStealingPool& pool = WorkStealingPool::shared();
  Index index{"some words", ""};
  co_await build(index);
  check(index.hash == slowHash(index.words));
  check(co_await agree("a", "a"));
  check(!co_await agree("a", "b"));
  const Node tree{1, {{2, {}}, {3, {{4, {}}}}}};
  check(co_await pool.run(total, tree) == 10);
  const std::vector<Page> pages{{1}, {2}};
  const auto whole = [&pages] { return weigh(pages); };
  const auto what = [&pages] { return weighWhatCan(pages); };
  check(co_await pool.run(whole) == 3 && co_await pool.run(what) == 3);
  std::vector<double> values(100, 2.0);
  const std::span<double> all(values);
  check(co_await pool.run(norm, all) == 20.0);
  report(pool);
}

int main() { return run(program); }
