// SPDX-License-Identifier: MIT
// Many workers, and their ends at every point.
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::sleep;
using leat::Task;
using leat::worker_threads::MessageChannel;
using leat::worker_threads::MessagePort;
using leat::worker_threads::TransferredPort;
using leat::worker_threads::Worker;

TEST_CASE("a thousand workers are started and end, some at a time") {
  int sum = 0;
  int codes = 0;
  run([&]() -> Task<> {
    const auto one = [&](int number) -> Promise<> {
      const Worker<int> worker(
          [](MessagePort<int> parent, const int& mine) {
            parent.postMessage(mine);
            return 2;
          },
          {}, number);
      sum += *co_await worker.next();
      codes += co_await worker.exited();
    };
    for (int i = 0; i < 1000; i += 20) {
      std::vector<Promise<>> batch;
      for (int j = 0; j < 20; ++j) batch.push_back(one(i + j));
      co_await leat::all(std::move(batch));
    }
  });
  CHECK(sum == 999 * 1000 / 2);
  CHECK(codes == 2000);
}

TEST_CASE("many workers post to one loop, each in its order") {
  constexpr int workers = 8, each = 3000;
  std::vector<int> next(workers, 0);
  bool ordered = true;
  run([&] {
    for (int w = 0; w < workers; ++w) {
      const Worker<int> worker([](MessagePort<int> parent) {
        for (int i = 0; i < each; ++i) parent.postMessage(i);
      });
      worker.on<"message">(
          [&, w](int i) { ordered = ordered && next[static_cast<std::size_t>(w)]++ == i; });
    }
  });
  CHECK(ordered);
  CHECK(next == std::vector<int>(workers, each));
}

TEST_CASE("messages go both ways at once, as fast as they can, bounded and not") {
  for (const std::size_t bound : {std::size_t{0}, std::size_t{3}}) {
    long sum = 0;
    run([&]() -> Task<> {
      const auto echo = [](MessagePort<long> parent) -> Task<> {
        while (auto i = co_await parent.next()) {
          if (*i < 0) co_return;
          co_await parent.postMessage(*i);
        }
      };
      const Worker<long> worker(echo, {.highWaterMark = bound});
      auto post = [](Worker<long> to) -> Promise<> {
        for (long i = 1; i <= 5000; ++i) co_await to.postMessage(i);
        to.postMessage(-1);
      };
      const auto posted = post(worker);
      while (auto i = co_await worker.next()) sum += *i;
      co_await posted;
    });
    CHECK(sum == 5000L * 5001 / 2);
  }
}

TEST_CASE("a port that travels round many workers loses nothing") {
  using Away = TransferredPort<int>;
  std::vector<int> got;
  constexpr int stops = 30;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    auto collect = [&got](MessagePort<int> port) -> Promise<> {
      while (auto i = co_await port.next()) got.push_back(*i);
    };
    const auto collected = collect(channel.port2);
    // Posts while it waits for the port to be somewhere, which then answers what came.
    Away away = channel.port1.transfer();
    for (int stop = 0; stop < stops; ++stop) {
      channel.port2.postMessage(stop);
      const Worker<Away> worker(
          [](MessagePort<Away> parent, const Away& given) -> Task<> {
            const MessagePort<int> port(given);
            port.postMessage(*co_await port.next());
            parent.postMessage(port.transfer());
          },
          {}, away);
      away = *co_await worker.next();
    }
    MessagePort<int>(away).close();
    co_await collected;
  });
  REQUIRE(got.size() == stops);
  for (int i = 0; i < stops; ++i) CHECK(got[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a worker may be terminated at each point of its life") {
  int ends = 0;
  run([&]() -> Task<> {
    const auto busy = [](MessagePort<int> parent) -> Task<> {
      const Worker<int> nested([]() -> Task<> { co_await sleep(100'000); });
      for (int i = 0;; ++i) {
        co_await parent.postMessage(i);
        if (i % 3 == 0) co_await leat::nextImmediate();
      }
    };
    for (int point = 0; point < 60; ++point) {
      const Worker<int> worker(busy, {.highWaterMark = 2});
      int seen = 0;
      worker.on<"message">([&, worker](int) {
        if (++seen == point / 2) worker.terminate();
      });
      worker.on<"exit">([&](int code) { ends += code; });
      for (int turn = 0; turn < point % 7; ++turn) co_await leat::nextImmediate();
      if (point % 2 == 0 || point < 2) worker.terminate();
      co_await worker.exited();
    }
  });
  CHECK(ends == 60);
}

TEST_CASE("ports close at each point while the other end posts") {
  int closed = 0;
  run([&]() -> Task<> {
    for (int point = 0; point < 60; ++point) {
      MessageChannel<int> channel({.highWaterMark = 5});
      const Worker<> worker(
          [](MessagePort<std::monostate>, const TransferredPort<int>& away) -> Task<> {
            const MessagePort<int> port(away);
            try {
              for (int i = 0;; ++i) co_await port.postMessage(i);
            } catch (const leat::Error& e) {
              if (e.code() != "ERR_CLOSED_MESSAGE_PORT") throw;
            }
          },
          {}, channel.port2.transfer());
      int left = point;
      channel.port1.on<"message">([&, port = channel.port1](int) {
        if (left-- == 0) port.close();
      });
      channel.port1.on<"close">([&] { ++closed; });
      const int code = co_await worker.exited();
      if (code != 0) throw leat::Error("exit code", "ERR_TEST");
    }
  });
  CHECK(closed == 60);
}

TEST_CASE("loops end at each point with workers that post to them") {
  std::atomic<int> ran{0};
  for (int point = 0; point < 40; ++point) {
    run([&] {
      for (int i = 0; i < 3; ++i) {
        const Worker<int> worker([&ran](MessagePort<int> parent) -> Task<> {
          ++ran;
          for (int m = 0;; ++m) {
            parent.postMessage(m);
            if (m % 10 == 0) co_await leat::nextImmediate();
          }
        });
        worker.on<"message">([&, point](int m) {
          if (m == point) EventLoop::current().stop();
        });
      }
    });
  }
  CHECK(ran.load() >= 40);
}
