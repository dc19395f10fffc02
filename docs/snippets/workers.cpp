// SPDX-License-Identifier: MIT
// The regions of docs/workers.md, and a main that runs them.
#include <leat.hpp>
#include <leat/worker_threads.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// [using]
using namespace leat;
using namespace leat::worker_threads;
// [/using]

void check(bool holds) {
  if (!holds) std::abort();
}

struct Job {
  std::string text;
};
struct Answer {
  std::size_t length = 0;
};

// [first]
// On a thread and a loop of its own. What it is told are jobs, what it posts are answers.
Task<> measure(MessagePort<Job, Answer> parent) {
  while (auto job = co_await parent.next()) parent.postMessage(Answer{job->text.size()});
}

Task<> ask() {
  const Worker<Answer, Job> worker(measure);  // here it is the other way round
  worker.postMessage(Job{"how long?"});
  const auto answer = co_await worker.next();
  check(answer->length == 9);
  const int code = co_await worker.terminate();
  check(code == 1);
}
// [/first]

// [events]
void listen(const Worker<Answer, Job>& worker) {
  worker.on<"online">([] { std::puts("its loop is made"); });
  worker.on<"message">([](const Answer& answer) { std::printf("%zu\n", answer.length); });
  worker.on<"error">([](const std::exception_ptr& error) { std::puts(describe(error).c_str()); });
  worker.on<"exit">([](int code) { std::printf("ended with %d\n", code); });
}
// [/events]

// [data]
struct Settings {
  std::string language;
  int level = 0;
};

void startWithData() {
  setEnvironmentData("greeting", "hello");  // for every worker that is started from now on
  Settings settings{"en", 3};
  Worker<> worker(
      [](MessagePort<std::monostate>, const Settings& mine) {
        check(mine.level == 3 && workerData<Settings>().language == "en");
        check(getEnvironmentData<std::string>("greeting") == "hello");
      },
      {.name = "with data"}, std::move(settings));
}
// [/data]

// [transfer]
// A worker that serves whoever has the other end of a channel.
struct Client {
  TransferredPort<int> port;
};

Task<> serve(MessagePort<Client> parent) {
  while (auto client = co_await parent.next()) {
    const MessagePort<int> port(client->port);  // now it belongs to this loop
    port.on<"message">([port](int number) { port.postMessage(number * number); });
  }
}

Task<> square() {
  const Worker<Client> worker(serve);
  const MessageChannel<int> channel;
  worker.postMessage(Client{channel.port2.transfer()});
  channel.port1.postMessage(12);
  const auto answer = co_await channel.port1.next();
  check(answer == 144);
  worker.terminate();
}
// [/transfer]

// [bound]
Task<> produce(Worker<Answer, Job> worker, std::vector<Job> jobs) {
  for (Job& job : jobs) co_await worker.postMessage(std::move(job));  // waits while it is full
}

Task<> bounded() {
  const Worker<Answer, Job> worker(measure, {.highWaterMark = 16});
  auto produced = spawn(produce(worker, std::vector<Job>(1000, Job{"some text"})));
  std::size_t sum = 0;
  for (int i = 0; i < 1000; ++i) sum += (co_await worker.next())->length;
  check(sum == 9000);
  co_await produced;
  worker.terminate();
}
// [/bound]

// [terminate]
Task<> tidy(MessagePort<std::string> parent) {
  try {
    co_await sleep(1'000'000);
  } catch (const AbortError&) {
    parent.postMessage("told to end");
  }
  co_await shielded(sleep(1));  // the signal is aborted; clean-up is shielded from it
}

Task<> stop() {
  const Worker<std::string> worker(tidy);
  co_await once<"online">(worker);
  worker.terminate({.grace = 1000});
  const auto last = co_await worker.next();
  check(last == "told to end");
}
// [/terminate]

// [shared]
Task<> shareMemory() {
  const SharedBuffer shared(2 * sizeof(int));
  int& ready = shared.as<int>()[0];
  const auto fill = [](MessagePort<std::monostate>, const SharedBuffer& mine) {
    const auto cells = mine.as<int>();
    cells[1] = 42;
    Atomics::store(cells[0], 1);  // what was written before it is seen behind it
    Atomics::notify(cells[0]);
  };
  const Worker<> worker(fill, {}, shared);
  while (Atomics::load(ready) == 0) co_await Atomics::waitAsync(ready, 0);
  check(shared.as<int>()[1] == 42);
}
// [/shared]

// [broadcast]
Task<> broadcast() {
  const BroadcastChannel<std::string> mine("news");
  const Worker<> worker([]() -> Task<> {
    const BroadcastChannel<std::string> theirs("news");
    theirs.postMessage("it rains");
    co_return;
  });
  const auto news = co_await mine.next();
  check(news == "it rains");
}
// [/broadcast]

// [pool]
/// Runs on a worker, with a loop of its own; each worker has its own copy of the counter.
Task<Answer> count(Job job, int& jobsHere) {
  ++jobsHere;
  co_await sleep(1);  // or a socket, a file, another pool
  co_return Answer{job.text.size()};
}

Task<> usePool() {
  const WorkerPool<Job, Answer> pool(count, {.minThreads = 2, .maxThreads = 4}, 0);
  co_await pool.ready();  // may be left out: tasks wait for a worker
  const AbortController controller;
  Promise<Answer> first = pool.run(Job{"a text"}, {.signal = controller});
  Job another{"another"};  // in a co_await g++ 12 needs a name: docs/gcc12-pitfalls.md
  const Answer second = co_await pool.run(std::move(another));
  check((co_await first).length == 6 && second.length == 7);
  co_await pool.close();  // finishes what it has; destroy() does not
  check(pool.statistics().completed == 2);
}
// [/pool]

Task<> everything() {
  co_await usePool();
  co_await ask();
  startWithData();
  co_await square();
  co_await bounded();
  co_await stop();
  co_await shareMemory();
  co_await broadcast();
  const Worker<Answer, Job> worker([] {});
  listen(worker);
}

int main() { return run(everything); }
