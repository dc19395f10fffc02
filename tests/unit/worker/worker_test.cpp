// SPDX-License-Identifier: MIT
#include <leat/abort.hpp>
#include <leat/buffer.hpp>
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/process.hpp>
#include <leat/promise.hpp>
#include <leat/testing/fuse.hpp>
#include <leat/timers.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <atomic>
#include <child.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "worker_rig.hpp"

using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::sleep;
using leat::Task;
using leat::worker_threads::isMainThread;
using leat::worker_threads::MessageChannel;
using leat::worker_threads::MessagePort;
using leat::worker_threads::parentPort;
using leat::worker_threads::threadId;
using leat::worker_threads::TransferredPort;
using leat::worker_threads::Worker;
using leat::worker_threads::workerData;
using leat_test::codeOf;

namespace {

/// What a worker tells its parent, in one line.
template <class W>
void note(const W& worker, std::string& trace, bool errors = true) {
  worker.template on<"online">([&trace] { trace += "online "; });
  worker.template on<"message">([&trace](const auto& m) { trace += std::to_string(m) + " "; });
  if (errors)
    worker.template on<"error">(
        [&trace](const std::exception_ptr& e) { trace += "error:" + codeOf(e) + " "; });
  worker.template on<"exit">([&trace](int code) { trace += "exit:" + std::to_string(code) + " "; });
}

/// Waits until somebody on another thread has got so far.
void waitFor(const std::atomic<int>& count, int wanted) {
  while (count.load() < wanted) std::this_thread::yield();
}

/// Goes on when the worker has exited, whatever it failed with.
template <class W>
Promise<> exitOf(const W& worker) {
  auto made = Promise<>::withResolvers();
  worker.template on<"exit">([resolve = made.resolve] { resolve(); });
  return made.promise;
}

Task<> forEver() {
  for (;;) co_await sleep(1000);
}

/// Alive as long as somebody keeps it.
struct Witness {
  explicit Witness(std::atomic<int>& c) : count(&c) { ++c; }
  Witness(const Witness& other) : count(other.count) { ++*count; }
  Witness& operator=(const Witness&) = delete;
  ~Witness() { --*count; }
  std::atomic<int>* count;
};

}  // namespace

TEST_CASE("a worker is online, tells its messages and exits") {
  std::string trace;
  const int code = run([&] {
    Worker<int> worker([](MessagePort<int> parent) {
      parent.postMessage(1);
      parent.postMessage(2);
    });
    note(worker, trace);
  });
  CHECK(code == 0);
  CHECK(trace == "online 1 2 exit:0 ");
}

TEST_CASE("a worker answers what it is told, until its port closes") {
  std::string trace;
  run([&] {
    Worker<int> worker([](MessagePort<int> parent) {
      parent.on<"message">([parent](int i) {
        parent.postMessage(i * 2);
        if (i == 3) parent.close();
      });
    });
    // Posted before it is online.
    for (int i = 1; i <= 3; ++i) worker.postMessage(i);
    note(worker, trace);
  });
  CHECK(trace == "online 2 4 6 exit:0 ");
}

TEST_CASE("the function of a worker is a main: plain, a coroutine, with an exit code") {
  std::string trace;
  run([&] {
    note(Worker<int>([] {}), trace);
    note(Worker<int>([] { return 3; }), trace);
    note(Worker<int>([]() -> Task<> { co_await sleep(1); }), trace);
    note(Worker<int>([]() -> Promise<int> {
           co_await sleep(1);
           co_return 4;
         }),
         trace);
    note(Worker<int>([] { leat::process::setExitCode(5); }), trace);
  });
  for (const char* part : {"exit:0", "exit:3", "exit:4", "exit:5"})
    CHECK_THAT(trace, leat_test::containsText(part));
}

TEST_CASE("a main of a worker that can never settle ends it with 13") {
  const leat_test::ChildEnd end = leat_test::inChild([] {
    int code = 0;
    run([&] {
      Worker<> worker([]() -> Promise<> {
        auto made = Promise<>::withResolvers();
        co_await made.promise;
      });
      worker.on<"exit">([&](int c) { code = c; });
    });
    return code;
  });
  CHECK(end.code == 13);
  CHECK_THAT(end.err, leat_test::containsText("unsettled top-level await at "));
  CHECK_THAT(end.err, leat_test::containsText("worker_test.cpp"));
}

TEST_CASE("threadId and isMainThread tell where one is") {
  std::vector<int> ids;
  run([&] {
    CHECK(isMainThread());
    CHECK(threadId() == 0);
    for (int i = 0; i < 2; ++i) {
      Worker<int> worker(
          [](MessagePort<int> parent) { parent.postMessage(isMainThread() ? -1 : threadId()); });
      CHECK(worker.threadId() > 0);
      worker.on<"message">([&ids, id = worker.threadId()](int there) {
        CHECK(there == id);
        ids.push_back(there);
      });
      worker.on<"exit">([worker] { CHECK(worker.threadId() == -1); });
    }
  });
  REQUIRE(ids.size() == 2);
  CHECK(ids[0] != ids[1]);
}

TEST_CASE("workerData is given to the function, and to whoever asks for it there") {
  struct Data {
    std::string text;
    std::unique_ptr<int> owned;
  };
  std::vector<std::string> got;
  run([&] {
    Data data{"hello", std::make_unique<int>(7)};
    Worker<std::string> worker(
        [](MessagePort<std::string> parent, Data& mine) {
          parent.postMessage(mine.text + std::to_string(*mine.owned));
          const auto later = []() -> Task<> {
            co_await sleep(1);
            parentPort<std::string>().postMessage(workerData<Data>().text);
          };
          (void)leat::spawn(later);
          try {
            (void)workerData<int>();
          } catch (const leat::TypeError& e) {
            parent.postMessage(std::string(e.code()));
          }
        },
        {}, std::move(data));
    worker.on<"message">([&](const std::string& text) { got.push_back(text); });
    Worker<std::string> taken(
        [](MessagePort<std::string> parent, std::unique_ptr<int> mine) {
          parent.postMessage(std::to_string(*mine));
        },
        {.name = "taker"}, std::make_unique<int>(3));
    taken.on<"message">([&](const std::string& text) { CHECK(text == "3"); });
  });
  CHECK(got == std::vector<std::string>{"hello7", "ERR_INVALID_ARG_TYPE", "hello"});
}

TEST_CASE("parentPort is the same port each time, of the worker's types") {
  std::vector<std::string> got;
  run([&] {
    CHECK_THROWS_AS(parentPort<int>(), leat::Error);
    CHECK_THROWS_AS(workerData<int>(), leat::Error);
    Worker<std::string, int> worker([](MessagePort<int, std::string> given) {
      const auto port = parentPort<int, std::string>();
      port.postMessage(port == given ? "same" : "another");
      for (const bool first : {true, false}) {
        try {
          if (first) (void)parentPort<std::string, int>();
          if (!first) (void)parentPort<int, int>();
        } catch (const leat::TypeError& e) {
          port.postMessage(std::string(e.code()));
        }
      }
      try {
        (void)workerData<int>();
      } catch (const leat::Error& e) {
        port.postMessage(std::string(e.code()));
      }
    });
    worker.on<"message">([&](const std::string& text) { got.push_back(text); });
  });
  CHECK(got == std::vector<std::string>{"same", "ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_TYPE",
                                        "ERR_WORKER_NOT_RUNNING"});
}

TEST_CASE("an exception of a worker is the error of its worker object, behind its messages") {
  std::string trace;
  const int code = run([&] {
    Worker<int> worker([](MessagePort<int> parent) {
      parent.postMessage(1);
      throw std::runtime_error("x");
    });
    note(worker, trace);
  });
  CHECK(code == 0);
  CHECK(trace == "online 1 error:x exit:1 ");
}

TEST_CASE("exceptions of callbacks and rejections end a worker as those of its function do") {
  std::string trace;
  run([&]() -> Task<> {
    const Worker<int> timer([] { leat::setTimeout([] { throw std::runtime_error("timer"); }, 1); });
    note(timer, trace);
    co_await exitOf(timer);
    const Worker<int> rejected([] {
      (void)Promise<>::reject(std::runtime_error("rejected"));
      leat::setInterval([] {}, 1000);
    });
    note(rejected, trace);
    co_await exitOf(rejected);
    const Worker<int> task([]() -> Task<> {
      co_await sleep(1);
      throw leat::Error("x", "ERR_OF_TASK");
    });
    note(task, trace);
  });
  CHECK(trace ==
        "online error:timer exit:1 online error:rejected exit:1 online error:ERR_OF_TASK exit:1 ");
}

TEST_CASE("a worker handles its own exceptions when it listens for them") {
  std::string trace;
  run([&] {
    Worker<int> worker([](MessagePort<int> parent) {
      leat::process::on<"uncaughtException">([parent] { parent.postMessage(1); });
      leat::setTimeout([] { throw std::runtime_error("x"); }, 1);
    });
    note(worker, trace);
  });
  CHECK(trace == "online 1 exit:0 ");
}

TEST_CASE("an error of a worker that nobody listens to is an uncaught exception of its parent") {
  std::string trace;
  const int code = run([&] {
    leat::process::on<"uncaughtException">(
        [&](const std::exception_ptr& e) { trace += "uncaught:" + codeOf(e) + " "; });
    Worker<int> worker([] { throw std::runtime_error("x"); });
    note(worker, trace, false);
  });
  CHECK(code == 0);
  CHECK(trace == "online uncaught:x exit:1 ");
  const leat_test::ChildEnd end = leat_test::inChild([] {
    return run([] {
      Worker<int> worker([] { throw std::runtime_error("of a worker"); });
      leat::setInterval([] {}, 1000);
    });
  });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, leat_test::containsText("of a worker"));
}

TEST_CASE("who awaits a worker is thrown its error, also when it awaits later") {
  run([]() -> Task<> {
    const auto fails = [] { throw std::runtime_error("x"); };
    const Worker<int> first(fails);
    const auto waited = co_await leat::asResult(first.exited());
    CHECK(codeOf(waited.error()) == "x");
    const int code1 = co_await first.exited();
    CHECK(code1 == 1);
    const Worker<int> second(fails);
    const auto message = co_await leat::asResult(second.next());
    CHECK(codeOf(message.error()) == "x");
    const Worker<int> third([](MessagePort<int> parent) {
      parent.postMessage(1);
      throw std::runtime_error("later");
    });
    const auto one = co_await third.next();
    CHECK(one == 1);
    co_await exitOf(third);
    const auto kept = co_await leat::asResult(third.next());
    CHECK(codeOf(kept.error()) == "later");
    const auto end = co_await third.next();
    CHECK_FALSE(end.has_value());
  });
}

TEST_CASE("a wait that was made and not awaited hears no error of a worker") {
  std::string trace;
  run([&] {
    leat::process::on<"uncaughtException">(
        [&](const std::exception_ptr& e) { trace += "uncaught:" + codeOf(e) + " "; });
    const Worker<int> worker([] { throw std::runtime_error("x"); });
    (void)worker.exited();
    (void)worker.next();
    note(worker, trace, false);
  });
  CHECK(trace == "online uncaught:x exit:1 ");
}

TEST_CASE("an error that was kept for an await that never comes is reported") {
  std::string trace;
  run([&]() -> Task<> {
    leat::process::on<"uncaughtException">(
        [&](const std::exception_ptr& e) { trace += codeOf(e); });
    {
      const Worker<int> worker([](MessagePort<int> parent) {
        parent.postMessage(1);
        throw std::runtime_error("never asked for");
      });
      (void)co_await worker.next();
      co_await exitOf(worker);
    }
    co_await sleep(1);
  });
  CHECK(trace == "never asked for");
}

TEST_CASE("messages and the exit can be awaited") {
  std::vector<int> got;
  run([&]() -> Task<> {
    const Worker<int> worker([](MessagePort<int> parent) -> Task<int> {
      while (auto i = co_await parent.next()) {
        parent.postMessage(*i + 1);
        if (*i == 2) break;
      }
      co_return 6;
    });
    for (int i = 0; i < 3; ++i) worker.postMessage(i);
    while (auto message = co_await worker.next()) got.push_back(*message);
    const int code = co_await worker.exited();
    CHECK(code == 6);
    const int code2 = co_await worker.exited();
    CHECK(code2 == 6);
    CHECK_FALSE(worker.postMessage(1));
  });
  CHECK(got == std::vector<int>{1, 2, 3});
}

TEST_CASE("a listener that comes after the exit is told what is left, and holds nothing") {
  std::vector<int> got;
  run([&]() -> Task<> {
    static std::optional<Worker<int>> kept;
    kept.emplace([](MessagePort<int> parent) {
      parent.postMessage(1);
      parent.postMessage(2);
    });
    co_await exitOf(*kept);
    kept->on<"message">([&](int i) { got.push_back(i); });
    kept->ref();
    CHECK_FALSE(kept->hasRef());
    co_await leat_test::settle();
    kept.reset();
  });
  CHECK(got == std::vector<int>{1, 2});
}

TEST_CASE("next waits for the exit of a worker that has closed its port, and is thrown its error") {
  std::atomic<bool> awaited{false};
  const int code = run([&awaited]() -> Task<> {
    const Worker<int> worker([&awaited](MessagePort<int> parent) -> Task<> {
      parent.close();
      while (!awaited.load()) co_await sleep(1);
      throw std::runtime_error("after the close");
    });
    co_await sleep(1);
    leat::queueMicrotask([&awaited] { awaited = true; });
    const auto result = co_await leat::asResult(worker.next());
    CHECK(codeOf(result.error()) == "after the close");
  });
  CHECK(code == 0);
}

TEST_CASE("the parent port lives in the context of main, wherever it is asked for first") {
  std::vector<std::string> got;
  run([&]() -> Task<> {
    const Worker<std::string> worker([]() -> Task<> {
      const auto listen = []() -> Task<> {
        parentPort<std::string>().on<"message">([](std::string) -> Task<> {
          const auto slept = co_await leat::asResult(sleep(100'000));
          parentPort<std::string>().postMessage(codeOf(slept.error()));
        });
        co_return;
      };
      const leat::AbortController mine;
      co_await leat::withSignal(mine.signal(), listen());
      mine.abort();
      parentPort<std::string>().postMessage("ready");
    });
    worker.on<"message">([&, worker](const std::string& text) {
      got.push_back(text);
      if (text != "ready") return;
      worker.postMessage("go");
      leat::setTimeout([worker] { worker.terminate({.grace = 60'000}); }, 5);
    });
    co_await worker.exited();
  });
  CHECK(got == std::vector<std::string>{"ready", "ABORT_ERR"});
}

TEST_CASE("what nobody has taken is still there after the exit") {
  run([]() -> Task<> {
    const Worker<int> worker([](MessagePort<int> parent) {
      for (int i = 0; i < 3; ++i) parent.postMessage(i);
    });
    const int code = co_await worker.exited();
    CHECK(code == 0);
    int sum = 0;
    while (auto message = co_await worker.next()) sum += *message;
    CHECK(sum == 3);
  });
}

TEST_CASE("process::exit in a worker ends only the worker, whoever calls it") {
  std::string trace;
  const int code = run([&]() -> Task<> {
    const Worker<int> fromMain([](MessagePort<int> parent) {
      leat::process::on<"exit">([parent](int c) { parent.postMessage(100 + c); });
      leat::setTimeout([] { FAIL("it has ended"); }, 0);
      leat::process::exit(5);
    });
    note(fromMain, trace);
    co_await exitOf(fromMain);
    const Worker<int> fromCallback([] {
      leat::setTimeout([] { leat::process::exit(6); }, 1);
      leat::setInterval([] {}, 1000);
    });
    note(fromCallback, trace);
    co_await exitOf(fromCallback);
    const Worker<int> fromTask([]() -> Task<> {
      co_await sleep(1);
      try {
        leat::process::exit(7);
      } catch (...) {  // not in the words of Node, but nothing goes on
      }
      co_await sleep(1);
      FAIL("it has ended");
    });
    note(fromTask, trace);
    co_await exitOf(fromTask);
    const Worker<int> fromExit([] {
      leat::process::on<"exit">([] { leat::process::exit(9); });
      leat::process::exit(8);
    });
    note(fromExit, trace);
  });
  CHECK(code == 0);
  CHECK(trace == "online 105 exit:5 online exit:6 online exit:7 online exit:9 ");
}

TEST_CASE("terminate ends what waits in a worker, and gives 1") {
  std::string trace;
  run([&]() -> Task<> {
    const Worker<int> worker(forEver);
    note(worker, trace);
    co_await leat::once<"online">(worker);
    const int code = co_await worker.terminate();
    CHECK(code == 1);
    trace += "terminated ";
    const int code3 = co_await worker.terminate();
    CHECK(code3 == 1);
  });
  CHECK(trace == "online exit:1 terminated ");
}

TEST_CASE("a worker that is terminated before it is online never runs") {
  std::string trace;
  run([&] {
    for (int i = 0; i < 20; ++i) {
      Worker<int> worker(forEver);
      worker.on<"exit">([&](int code) { trace += std::to_string(code); });
      worker.on<"error">([&] { trace += "error"; });
      worker.terminate();
    }
  });
  CHECK(trace == std::string(20, '1'));
}

TEST_CASE("terminate aborts the signal of a worker's coroutines, which clean up in their grace") {
  std::vector<std::string> got;
  run([&]() -> Task<> {
    const auto main = [](MessagePort<std::string> parent) -> Task<> {
      bool aborted = false;
      try {
        co_await sleep(100'000);
      } catch (const leat::AbortError&) {
        aborted = true;
      }
      co_await leat::shielded(sleep(1));
      parent.postMessage(aborted ? "cleaned up" : "not aborted");
    };
    const Worker<std::string> patient(main);
    patient.on<"message">([&](const std::string& text) { got.push_back(text); });
    patient.on<"error">([&](const std::exception_ptr& e) { got.push_back(codeOf(e)); });
    co_await leat::once<"online">(patient);
    const int code = co_await patient.terminate({.grace = 60'000});
    CHECK(code == 1);
    const Worker<std::string> hasty(main);
    hasty.on<"message">([&] { got.push_back("too late"); });
    co_await leat::once<"online">(hasty);
    co_await hasty.terminate();
  });
  CHECK(got == std::vector<std::string>{"cleaned up"});
}

TEST_CASE("what a terminated worker fails with, besides the abort, is still told") {
  std::string trace;
  run([&]() -> Task<> {
    const Worker<int> worker([]() -> Task<> {
      try {
        co_await sleep(100'000);
      } catch (const leat::AbortError&) {
        throw std::runtime_error("clean-up failed");
      }
    });
    note(worker, trace);
    co_await leat::once<"online">(worker);
    co_await worker.terminate({.grace = 60'000});
  });
  CHECK(trace == "online error:clean-up failed exit:1 ");
}

TEST_CASE("a worker whose callback does not return is warned of and waited for") {
  const leat_test::ChildEnd end = leat_test::inChild([] {
    std::atomic<int> going{0}, told{0};
    run([&]() -> Task<> {
      leat::process::on<"warning">([&](const leat::process::Warning& warning) {
        if (warning.name() == "WorkerTerminateWarning") told = 1;
      });
      const auto busy = [&] {
        going = 1;
        waitFor(told, 1);
      };
      const Worker<int> worker(busy);
      worker.on<"error">([] {});
      waitFor(going, 1);
      (void)co_await worker.terminate({.deadline = 1});
      told = 2;
    });
    return told.load();
  });
  CHECK(end.code == 2);
  CHECK_THAT(end.err, leat_test::containsText("has not ended 1 ms after terminate()"));
}

TEST_CASE("the end of the parent's loop ends its workers first, with all that they hold") {
  std::atomic<int> alive{0};
  std::atomic<int> started{0};
  run([&] {
    const auto body = [witness = Witness(alive), &started]() -> Task<> {
      const Witness another(witness);
      ++started;
      co_await forEver();
    };
    for (int i = 0; i < 4; ++i) Worker<>(body).unref();
    Worker<> nested([&started] {
      ++started;
      Worker<> inner([&started]() -> Task<> {
        ++started;
        co_await forEver();
      });
    });
    leat::setInterval(
        [&started] {
          if (started.load() == 6) EventLoop::current().stop();
        },
        1);
  });
  CHECK(started.load() == 6);
  CHECK(alive.load() == 0);
}

TEST_CASE("a worker that is unref'd does not hold its parent, one that is not does") {
  std::string trace;
  run([&] {
    Worker<int> worker(forEver);
    worker.on<"exit">([&] { trace += "exit"; });
    CHECK(worker.hasRef());
    worker.unref();
    CHECK_FALSE(worker.hasRef());
    worker.ref();
    CHECK(worker.hasRef());
    worker.unref();
  });
  CHECK(trace.empty());
}

TEST_CASE("who terminates a worker that is unref'd waits for its exit") {
  std::string trace;
  const int code = run([&]() -> Task<> {
    const Worker<int> awaited(forEver);
    co_await leat::once<"online">(awaited);
    awaited.unref();
    const int exitCode = co_await awaited.terminate();
    trace += std::to_string(exitCode);
    const Worker<int> told(forEver);
    told.on<"exit">([&] { trace += " exit"; });
    told.unref();
    told.terminate();
    CHECK(told.hasRef());
  });
  CHECK(code == 0);
  CHECK(trace == "1 exit");
}

TEST_CASE("a grace or deadline that no timer can take is refused, and the worker goes on") {
  const int code = run([]() -> Task<> {
    const Worker<int> worker([](MessagePort<int> parent) {
      parent.on<"message">([parent](int number) { parent.postMessage(number); });
    });
    constexpr long tooLong = 2'147'483'648;
    CHECK_THROWS_WITH(worker.terminate({.grace = tooLong}),
                      leat_test::containsText("\"options.grace\" is out of range. It must be >= 0 "
                                              "&& <= 2147483647. Received 2147483648"));
    CHECK_THROWS_AS(worker.terminate({.grace = -1}), leat::RangeError);
    CHECK_THROWS_WITH(worker.terminate({.deadline = tooLong}),
                      leat_test::containsText("options.deadline"));
    CHECK_THROWS_AS(worker.terminate({.deadline = -1}), leat::RangeError);
    worker.postMessage(7);
    const auto answer = co_await worker.next();
    CHECK(answer == 7);
    const int exitCode = co_await worker.terminate({.grace = tooLong - 1, .deadline = tooLong - 1});
    CHECK(exitCode == 1);
  });
  CHECK(code == 0);
}

TEST_CASE("workers may be nested, and ports go from one to another") {
  std::vector<int> got;
  run([&]() -> Task<> {
    MessageChannel<int, int> channel;
    using Away = TransferredPort<int>;
    const Worker<int, Away> outer([](MessagePort<Away, int> parent) -> Task<> {
      auto port = co_await parent.next();
      Worker<int, Away> inner([](MessagePort<Away, int> middle) -> Task<> {
        auto arrived = co_await middle.next();
        const MessagePort<int> mine(*arrived);
        while (auto i = co_await mine.next()) mine.postMessage(*i * 10);
      });
      inner.postMessage(std::move(*port));
      co_await inner.exited();
    });
    outer.postMessage(channel.port2.transfer());
    for (int i = 1; i <= 3; ++i) {
      channel.port1.postMessage(i);
      got.push_back(*co_await channel.port1.next());
    }
    channel.port1.close();
    const int code4 = co_await outer.exited();
    CHECK(code4 == 0);
  });
  CHECK(got == std::vector<int>{10, 20, 30});
}

TEST_CASE("a worker may be terminated and dropped inside of its listeners") {
  std::string trace;
  run([&] {
    auto worker = std::make_shared<std::optional<Worker<int>>>(
        std::in_place, [](MessagePort<int> parent) -> Task<> {
          for (int i = 0;; ++i) {
            parent.postMessage(i);
            co_await sleep(1);
          }
        });
    (*worker)->on<"message">([&trace, worker](int i) {
      if (i != 2) return;
      trace += "two ";
      (*worker)->terminate();
      worker->reset();
    });
    (*worker)->on<"exit">([&trace](int code) { trace += std::to_string(code); });
  });
  CHECK(trace == "two 1");
}

TEST_CASE("the bound of a worker makes the side that is faster wait") {
  run([]() -> Task<> {
    const auto slow = [](MessagePort<int> parent) -> Task<> {
      long sum = 0;
      while (auto i = co_await parent.next()) {
        if (*i < 0) break;
        sum += *i;
        if (*i % 100 == 0) co_await sleep(1);
      }
      parent.postMessage(static_cast<int>(sum));
    };
    const Worker<int> worker(slow, {.highWaterMark = 4});
    for (int i = 1; i <= 1000; ++i) co_await worker.postMessage(i);
    worker.postMessage(-1);
    const auto sum = co_await worker.next();
    CHECK(sum == 500500);
  });
}

TEST_CASE("the stack of a worker has the size that was asked for") {
  run([]() -> Task<> {
    const auto ask = [](MessagePort<double> parent) {
      pthread_attr_t attributes;
      ::pthread_getattr_np(::pthread_self(), &attributes);
      std::size_t size = 0;
      ::pthread_attr_getstacksize(&attributes, &size);
      ::pthread_attr_destroy(&attributes);
      parent.postMessage(static_cast<double>(size) / (1 << 20));
    };
    const Worker<double> big(ask, {.stackSizeMb = 9});
    const auto megabytes = co_await big.next();
    CHECK(*megabytes >= 9);
    CHECK_THROWS_AS(Worker<double>(ask, {.stackSizeMb = -1}), leat::RangeError);
    CHECK_THROWS_AS(Worker<double>(ask, {.stackSizeMb = 0.001}), leat::Error);
  });
}

TEST_CASE("a worker without a thread or a loop is an error, and nothing is left of it") {
  static std::atomic<bool> failing{false};
  std::atomic<int> alive{0};
  run([&]() -> Task<> {
    const auto body = [witness = Witness(alive)] {};
    leat::sys::fault.store([](leat::sys::Call call) noexcept {
      return call == leat::sys::Call::pthread_create ? EAGAIN : 0;
    });
    std::string code;
    try {
      const Worker<> worker(body);
    } catch (const leat::Error& e) {
      code = e.code();
    }
    CHECK(code == "ERR_WORKER_INIT_FAILED");
    CHECK(alive.load() == 1);
    leat::sys::fault.store([](leat::sys::Call call) noexcept {
      return failing && call == leat::sys::Call::eventfd ? EMFILE : 0;
    });
    failing = true;
    const Worker<> worker(body);
    const auto result = co_await leat::asResult(worker.exited());
    failing = false;
    leat::sys::fault.store(nullptr);
    CHECK(codeOf(result.error()) == "EMFILE");
    co_await leat::nextImmediate();
    CHECK(alive.load() == 1);
  });
}

TEST_CASE("a worker is for the thread of its parent's loop") {
  run([] {
    const Worker<int> worker([] {});
    std::thread([&] {
      CHECK_THROWS_AS(worker.postMessage(1), leat::Error);
      CHECK_THROWS_AS(worker.terminate(), leat::Error);
      CHECK_THROWS_AS(worker.on<"exit">([] {}), leat::Error);
      CHECK_THROWS_AS(Worker<int>([] {}), leat::Error);
    }).join();
  });
}

TEST_CASE("the exit of the process ends its workers") {
  const auto exits = []() -> int {
    run([]() -> Task<> {
      const Worker<int> worker([](MessagePort<int>) -> Task<> {
        struct Last {
          ~Last() { std::puts("ended"); }
        } const last;
        co_await forEver();
      });
      co_await leat::once<"online">(worker);
      leat::process::exit(4);
    });
    return 0;
  };
  leat_test::ChildEnd end = leat_test::inChild(exits);
  // A worker is waited for, but not for ever; the machine may keep it for longer.
  for (int tries = 0; tries < 5 && end.err.find("WorkerExitWarning") != end.err.npos; ++tries)
    end = leat_test::inChild(exits);
  CHECK(end.code == 4);
  CHECK(end.out == "ended\n");
}

namespace {

std::atomic<bool> mayPost{false};
std::atomic<bool> someoneWakes{false};
std::atomic<bool> wakingGoesOn{false};
pid_t theLoopsThread = 0;

/// Keeps the first thread that wakes the loop inside of what it does, with all that it has locked.
int keepWhoWakes(leat::sys::Call call) noexcept {
  if (call != leat::sys::Call::write || ::gettid() == theLoopsThread) return 0;
  if (someoneWakes.exchange(true)) return 0;
  while (!wakingGoesOn.load()) std::this_thread::yield();
  return 0;
}

}  // namespace

TEST_CASE("a child of fork() ends a loop to which another thread of the parent was posting") {
  theLoopsThread = ::gettid();
  auto* const loop = new EventLoop();
  (void)loop->backendFd();  // from here on it is woken also between its turns
  {
    const auto posts = [](MessagePort<int> port) {
      while (!mayPost.load()) std::this_thread::yield();
      while (!someoneWakes.load()) port.postMessage(1);
    };
    const Worker<int> worker(posts);
    worker.on<"message">([](int) {});
    // What the worker tells first has to be over: whoever is kept has locked the worker's port.
    bool online = false;
    worker.on<"online">([&online] { online = true; });
    while (!online) loop->runOnce(1000);
    leat::sys::fault.store(keepWhoWakes);
    mayPost = true;
    while (!someoneWakes.load()) std::this_thread::yield();
    const auto end = leat_test::inChild([loop] {
      delete loop;
      return 5;
    });
    CHECK(end.code == 5);
    wakingGoesOn = true;
    leat::sys::fault.store(nullptr);
    loop->run();
  }
  delete loop;
}
