// SPDX-License-Identifier: MIT
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat/worker/broadcast_channel.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "worker_rig.hpp"

using leat::run;
using leat::sleep;
using leat::Task;
using leat::worker_threads::BroadcastChannel;
using leat::worker_threads::MessagePort;
using leat::worker_threads::Worker;
using leat_test::settle;

TEST_CASE("a broadcast reaches all others of its name, in order") {
  std::string trace;
  run([&]() -> Task<> {
    const BroadcastChannel<int> a("same"), b("same"), c("same"), other("other");
    CHECK(a.name() == "same");
    a.on<"message">([] { FAIL("its own message"); });
    b.on<"message">([&](int i) { trace += "b" + std::to_string(i); });
    c.on<"message">([&](int i) { trace += "c" + std::to_string(i); });
    other.on<"message">([] { FAIL("another name"); });
    for (int i = 0; i < 3; ++i) a.postMessage(i);
    while (trace.size() < 12) co_await sleep(1);
    CHECK(b.hasRef());
    for (const auto& each : {a, b, c, other}) each.close();
    CHECK_THROWS_AS(a.postMessage(1), leat::Error);
    co_await settle();
    const BroadcastChannel<int> late("same");
    late.postMessage(4);
    CHECK_FALSE(late.hasRef());
  });
  CHECK(trace == "b0b1b2c0c1c2");
}

TEST_CASE("a broadcast crosses threads") {
  int sum = 0;
  run([&]() -> Task<> {
    const BroadcastChannel<std::string> orders("orders");
    std::vector<Worker<int>> workers;
    for (int i = 0; i < 3; ++i)
      workers.emplace_back([](MessagePort<int> parent) -> Task<> {
        const BroadcastChannel<std::string> mine("orders");
        auto order = mine.next();
        parent.postMessage(0);
        const auto text = co_await std::move(order);
        parent.postMessage(static_cast<int>(text->size()));
      });
    for (const auto& worker : workers) (void)co_await worker.next();
    orders.postMessage("seven!!");
    for (const auto& worker : workers) sum += *co_await worker.next();
  });
  CHECK(sum == 21);
}

TEST_CASE("a broadcast of another type is a messageerror, or a warning") {
  std::vector<std::string> got;
  run([&]() -> Task<> {
    leat::process::on<"warning">(
        [&](const leat::process::Warning& warning) { got.emplace_back(warning.name()); });
    const BroadcastChannel<int> numbers("mixed");
    const BroadcastChannel<std::string> texts("mixed");
    texts.postMessage("a");
    co_await settle();
    numbers.on<"messageerror">([&](const std::exception_ptr& error) {
      try {
        std::rethrow_exception(error);
      } catch (const leat::TypeError& e) {
        got.emplace_back(e.code());
        CHECK_THAT(e.what(), leat_test::containsText("BroadcastChannel 'mixed'"));
      }
    });
    texts.postMessage("b");
    co_await settle();
  });
  CHECK(got == std::vector<std::string>{"BroadcastChannelWarning", "ERR_INVALID_ARG_TYPE"});
}

TEST_CASE("channels come and go on threads while others broadcast") {
  run([]() -> Task<> {
    std::vector<Worker<>> workers;
    for (int w = 0; w < 4; ++w)
      workers.emplace_back([] {
        for (int i = 0; i < 300; ++i) {
          const BroadcastChannel<std::string> mine("crowd");
          mine.on<"message">([](const std::string& text) {
            if (text != "a text that is kept on the heap") throw leat::Error("wrong", "ERR_TEST");
          });
          mine.unref();
          mine.postMessage("a text that is kept on the heap");
          if (i % 3 == 0) mine.close();
        }
      });
    for (const auto& worker : workers) {
      const int code = co_await worker.exited();
      CHECK(code == 0);
    }
  });
  CHECK(leat::detail::BroadcastRegistry::ofProcess()
            .others(leat::detail::BroadcastMember("crowd", typeid(int)))
            .empty());
}

#if !LEAT_TSAN
TEST_CASE("in a child of fork() a broadcast reaches the channels that are made there") {
  run([] {
    const BroadcastChannel<int> ofParent("fork");
    const auto end = leat_test::inChild([] {
      std::string trace;
      // The loop of this thread is the parent's.
      std::thread([&trace] {
        run([&]() -> Task<> {
          const BroadcastChannel<int> one("fork"), two("fork");
          const leat::detail::BroadcastMember stranger("fork", typeid(int));
          const auto all = leat::detail::BroadcastRegistry::ofProcess().others(stranger);
          trace = std::to_string(all.size());
          one.postMessage(7);
          const auto got = co_await two.next();
          trace += " " + std::to_string(*got);
        });
      }).join();
      leat_test::say(trace);
      return 0;
    });
    CHECK(end.out == "2 7\n");
    CHECK(end.code == 0);
  });
}
#endif
