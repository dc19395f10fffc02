// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process.hpp>
#include <leat/worker_threads.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <csignal>
#include <future>
#include <memory>
#include <thread>

using leat::AbortSignal;
using leat::Error;
using leat::EventLoop;
using leat::Listener;
using leat::Promise;
using leat::run;
using leat::Task;
using leat_test::containsText;
using leat_test::inChild;
namespace process = leat::process;
using process::ShutdownPhase;

namespace {

using leat_test::say;

auto saying(const char* text) {
  return [text] { say(text); };
}
/// A program of its own. Hooks that are coroutines stand no deeper than in its main.
template <class Main>
leat_test::ChildEnd inProgram(Main main) {
  return inChild([&main] { return run(main); });
}
/// Holds the loop for ever.
void stayAlive() {
  leat::setInterval([] {}, 1000);
}
/// A hook that never ends by itself; aborted, it says so.
Task<> stuck(AbortSignal late) {
  const auto told = late.onAbort([] { say("aborted"); });
  auto never = Promise<>::withResolvers();
  co_await never.promise;
}
/// Ends when its time is over, as all that obeys the ambient signal.
Task<> sleeper() { co_await leat::sleep(100'000); }

}  // namespace

TEST_CASE("hooks are called phase by phase, whatever the order of registration; the loop stops") {
  const auto end = inChild([] {
    const int code = run([] {
      stayAlive();
      process::on<"exit">([](int exitCode) { say("exit " + std::to_string(exitCode)); });
      process::onShutdown(saying("logs"), {.phase = ShutdownPhase::Logs});
      process::onShutdown(saying("resources"), {.phase = ShutdownPhase::Resources});
      process::onShutdown(saying("draining"));
      process::onShutdown(saying("accepting"), {.phase = ShutdownPhase::Accepting});
      process::shutdown();
      process::shutdown();
      say("not inside of the call");
    });
    say("returned " + std::to_string(code));
    return code;
  });
  CHECK(end.out ==
        "not inside of the call\naccepting\ndraining\nresources\nlogs\nexit 0\nreturned 0\n");
  CHECK(end.err.empty());
  CHECK(end.code == 0);
}

TEST_CASE("the hooks of a phase run side by side, and the next phase waits for the last of them") {
  const auto end = inProgram([] {
    auto gate = std::make_shared<Promise<>::Resolvers>(Promise<>::withResolvers());
    // The first waits for the second: one behind the other they would never end.
    process::onShutdown([gate]() -> Task<> {
      say("one begins");
      co_await gate->promise;
      say("one ends");
    });
    process::onShutdown([gate]() -> Promise<> {
      say("two begins");
      co_await leat::sleep(1);
      say("two ends");
      gate->resolve();
    });
    process::onShutdown(saying("after"), {.phase = ShutdownPhase::Resources});
    process::shutdown();
  });
  CHECK(end.out == "one begins\ntwo begins\ntwo ends\none ends\nafter\n");
  CHECK(end.code == 0);
}

TEST_CASE("SIGTERM and SIGINT begin it, and shutdownReason tells which") {
  for (const int number : {SIGTERM, SIGINT}) {
    const auto end = inProgram([number] {
      stayAlive();
      process::onShutdown([] { say(std::string(process::shutdownReason())); });
      CHECK(process::shutdownReason().empty());
      ::raise(number);
    });
    CHECK(end.out == (number == SIGTERM ? "SIGTERM\n" : "SIGINT\n"));
    CHECK(end.code == 0);
    CHECK(end.signal == 0);
  }
  const auto own = inProgram([] {
    process::onShutdown([] { say(std::string(process::shutdownReason())); });
    process::shutdown("config changed");
  });
  CHECK(own.out == "config changed\n");
}

TEST_CASE("without a hook, or with the last one taken back, the signals keep their own action") {
  const auto end = inChild([] {
    ::signal(SIGTERM, SIG_DFL);  // instead of Catch2's
    return run([] {
      const Listener one = process::onShutdown(saying("never"));
      const Listener two = process::onShutdown(saying("never"));
      CHECK(one.active());
      one.off();
      one.off();
      two.off();
      CHECK_FALSE(one.active());
      ::raise(SIGTERM);
      say("survived");
    });
  });
  CHECK(end.signal == SIGTERM);
  CHECK(end.out.empty());
  const auto one = inProgram([] {
    const Listener never = process::onShutdown(saying("never"));
    process::onShutdown(saying("called"));
    never.off();
    stayAlive();
    ::raise(SIGTERM);
  });
  CHECK(one.out == "called\n");
}

TEST_CASE("hooks hold neither the loop nor, once they are gone, what they own") {
  CHECK(inChild([] { return run([] { process::onShutdown(saying("never")); }); }).out.empty());
  const auto owned = std::make_shared<int>(1);
  run([&] {
    const Listener hook = process::onShutdown([owned] {});
    CHECK(owned.use_count() == 2);
    hook.off();
    CHECK(owned.use_count() == 1);
    process::onShutdown([owned] {});
  });
  CHECK(owned.use_count() == 1);
}

TEST_CASE("signals may be left to others") {
  const auto end = inChild([] {
    ::signal(SIGINT, SIG_DFL);
    return run([] {
      process::onShutdown(saying("never"));
      process::setShutdownOptions({.signals = false});
      process::onShutdown(saying("never"));
      ::raise(SIGINT);
    });
  });
  CHECK(end.signal == SIGINT);
  const auto again = inProgram([] {
    process::setShutdownOptions({.signals = false});
    process::onShutdown(saying("called"));
    process::setShutdownOptions({.signals = true});
    stayAlive();
    ::raise(SIGINT);
  });
  CHECK(again.out == "called\n");
}

TEST_CASE("listeners that the program has removed are there again with the next hook, and once") {
  const auto end = inProgram([] {
    process::onShutdown(saying("one"));
    process::removeAllListeners<"SIGTERM">();
    process::onShutdown(saying("two"));
    CHECK(process::listenerCount<"SIGTERM">() == 1);
    CHECK(process::listenerCount<"SIGINT">() == 1);
    stayAlive();
    ::raise(SIGINT);
  });
  CHECK(end.out == "one\ntwo\n");
  CHECK(end.code == 0);
}

TEST_CASE("a hook that fails is told by name and phase, the others are called, and the code is 1") {
  const auto end = inProgram([] {
    process::setExitCode(4);
    process::onShutdown([] { throw Error("no connection", "ECONNREFUSED"); },
                        {.name = "database", .phase = ShutdownPhase::Resources});
    process::onShutdown(
        []() -> Task<> {
          co_await leat::sleep(1);
          throw std::runtime_error("queue");
        },
        {.name = "worker"});
    process::onShutdown(saying("other"), {.phase = ShutdownPhase::Resources});
    process::onShutdown(saying("logs"), {.phase = ShutdownPhase::Logs});
    process::shutdown();
  });
  CHECK(end.out == "other\nlogs\n");
  CHECK_THAT(end.err,
             containsText("ShutdownFailure: hook \"worker\" (draining) failed: std::runtime_error: "
                          "queue\n"));
  CHECK_THAT(end.err, containsText("hook \"database\" (resources) failed: Error: no connection "
                                   "[ECONNREFUSED]\n"));
  CHECK(end.code == 1);
}

TEST_CASE("the code that the program has set stands when all went well") {
  CHECK(inProgram([] {
          process::setExitCode(4);
          process::onShutdown([] {});
          process::shutdown();
        }).code == 4);
}

TEST_CASE("a hook whose time is over is aborted, told of, and not waited for") {
  const auto end = inProgram([] {
    process::onShutdown(stuck, {.name = "stuck", .timeout = 400});
    process::onShutdown(sleeper, {.name = "sleeper", .timeout = std::chrono::milliseconds(10)});
    process::onShutdown(saying("next"), {.phase = ShutdownPhase::Logs});
    process::shutdown();
  });
  CHECK(end.out == "aborted\nnext\n");
  const auto first = end.err.find("hook \"sleeper\" (draining) did not end within 10 ms\n");
  const auto second = end.err.find("hook \"stuck\" (draining) did not end within 400 ms\n");
  CHECK(second != end.err.npos);
  CHECK(first < second);
  CHECK(end.err.find("failed") == end.err.npos);
  CHECK(end.code == 1);
}

TEST_CASE("what an aborted hook throws besides is told, too") {
  const auto end = inProgram([] {
    process::onShutdown(
        []() -> Task<> {
          auto slept = co_await leat::asResult(leat::sleep(100'000));
          if (!slept.ok()) throw Error("half written");
        },
        {.name = "file", .timeout = 1});
    process::shutdown();
  });
  CHECK_THAT(end.err, containsText("hook \"file\" (draining) did not end within 1 ms\n"));
  CHECK_THAT(end.err, containsText("hook \"file\" (draining) failed: Error: half written\n"));
}

TEST_CASE("an aborted hook that ends at once lets the next phase begin with it") {
  const auto end = inProgram([] {
    process::onShutdown(
        []() -> Task<> {
          (void)co_await leat::asResult(leat::sleep(100'000));
          say("put away");
        },
        {.timeout = 1});
    process::onShutdown(saying("next"), {.phase = ShutdownPhase::Resources});
    process::shutdown();
  });
  CHECK(end.out == "put away\nnext\n");
  CHECK(end.code == 1);
}

TEST_CASE("when the time for all is over, what runs is aborted and what is left is told") {
  const auto end = inProgram([] {
    process::setShutdownOptions({.deadline = 20});
    process::onShutdown(stuck, {.name = "stuck"});
    process::onShutdown(saying("never"), {.name = "tail", .phase = ShutdownPhase::Logs});
    process::shutdown();
  });
  CHECK(end.out == "aborted\n");
  CHECK_THAT(end.err, containsText("hook \"stuck\" (draining) was not done when the 20 ms for all "
                                   "hooks were over\n"));
  CHECK_THAT(end.err, containsText("hook \"tail\" (logs) was not called: the time for all hooks "
                                   "was over\n"));
  CHECK(end.code == 1);
}

TEST_CASE("a second signal ends the process with 128 and its number, and tells what still ran") {
  for (const int number : {SIGTERM, SIGINT}) {
    const auto end = inProgram([number] {
      process::on<"exit">([](int code) { say("exit " + std::to_string(code)); });
      process::onShutdown(
          [number](AbortSignal late) -> Task<> {
            std::printf("buffered\n");
            ::raise(number);
            co_await stuck(late);
          },
          {.name = "stuck"});
      ::raise(SIGTERM);
      stayAlive();
    });
    CHECK(end.code == 128 + number);
    CHECK(end.out == "exit " + std::to_string(128 + number) + "\nbuffered\n");
    CHECK_THAT(end.err,
               containsText(std::string("forced by ") + (number == SIGTERM ? "SIGTERM" : "SIGINT") +
                            ", before the end of hook \"stuck\" (draining)\n"));
  }
}

TEST_CASE("a second signal ends the process also while a thread waits for input") {
  const auto end = inProgram([] {
    auto locked = std::make_shared<std::promise<void>>();
    std::thread([locked] {
      ::flockfile(stdin);  // as getchar() does
      locked->set_value();
      for (;;) ::pause();
    }).detach();
    locked->get_future().wait();
    std::printf("buffered\n");
    process::onShutdown([](AbortSignal late) -> Task<> {
      ::raise(SIGTERM);
      co_await stuck(late);
    });
    ::raise(SIGTERM);
    stayAlive();
  });
  CHECK(end.code == 128 + SIGTERM);
  CHECK(end.out == "buffered\n");
}

TEST_CASE("behind the last phase the signals have their own action, for destructors may not end") {
  struct Stuck {
    ~Stuck() {
      ::raise(SIGTERM);
      say("not heard");
    }
  };
  const auto end = inProgram([] {
    ::signal(SIGTERM, SIG_DFL);  // Catch2 has a handler
    process::onShutdown(saying("hook"));
    leat::setInterval([held = std::make_shared<Stuck>()] {}, 1000);
    ::raise(SIGTERM);
  });
  CHECK(end.out == "hook\n");
  CHECK(end.signal == SIGTERM);
}

TEST_CASE("a first signal during a shutdown that the program began does not force it") {
  const auto end = inProgram([] {
    process::onShutdown([]() -> Task<> {
      ::raise(SIGTERM);
      co_await leat::sleep(5);
      say("in peace");
    });
    process::shutdown("asked to");
  });
  CHECK(end.out == "in peace\n");
  CHECK(end.code == 0);
}

TEST_CASE(
    "a hook that is registered meanwhile for a phase that has come is called before the next") {
  const auto end = inProgram([] {
    process::onShutdown(
        [] {
          say("draining");
          process::onShutdown(saying("late for accepting"), {.phase = ShutdownPhase::Accepting});
          process::onShutdown(saying("in time for logs"), {.phase = ShutdownPhase::Logs});
        },
        {.phase = ShutdownPhase::Draining});
    process::onShutdown(saying("resources"), {.phase = ShutdownPhase::Resources});
    process::shutdown();
  });
  CHECK(end.out == "draining\nlate for accepting\nresources\nin time for logs\n");
}

TEST_CASE("a hook may take back another one of its phase, with what that refers to") {
  struct Owner {
    std::string text = "a text that is long enough to be in the heap";
    leat::ScopedListener<Listener> hook{process::onShutdown([this] { say(text); })};
  };
  const auto end = inProgram([] {
    const auto owner = std::make_shared<std::unique_ptr<Owner>>();
    process::onShutdown([owner] {
      owner->reset();
      say("first");
    });
    *owner = std::make_unique<Owner>();
    process::onShutdown(saying("third"));
    process::onShutdown(saying("next"), {.phase = ShutdownPhase::Resources});
    process::shutdown();
  });
  CHECK(end.out == "first\nthird\nnext\n");
  CHECK(end.err.empty());
  CHECK(end.code == 0);
}

TEST_CASE("a phase whose hooks have all been taken back is over") {
  const auto end = inProgram([] {
    const auto others = std::make_shared<std::vector<Listener>>();
    process::onShutdown([others] {
      for (const Listener& each : *others) each.off();
    });
    for (const auto phase : {ShutdownPhase::Draining, ShutdownPhase::Resources})
      others->push_back(process::onShutdown(saying("never"), {.phase = phase}));
    process::onShutdown(saying("logs"), {.phase = ShutdownPhase::Logs});
    process::shutdown();
  });
  CHECK(end.out == "logs\n");
  CHECK(end.code == 0);
}

TEST_CASE("a loop that is stopped during a shutdown tells what has not ended and was not called") {
  const auto end = inProgram([] {
    process::on<"exit">([](int code) { say("exit " + std::to_string(code)); });
    process::onShutdown(
        []() -> Task<> {
          EventLoop::current().stop();
          co_await leat::sleep(100'000);
        },
        {.name = "stops"});
    process::onShutdown(saying("never"), {.name = "tail", .phase = ShutdownPhase::Logs});
    process::shutdown();
  });
  CHECK(end.out == "exit 1\n");
  CHECK_THAT(end.err, containsText("hook \"stops\" (draining) had not ended when the loop was "
                                   "stopped\n"));
  CHECK_THAT(end.err, containsText("hook \"tail\" (logs) was not called: the loop was stopped\n"));
  CHECK(end.code == 1);
  const auto nothingLeft = inProgram([] {
    process::shutdown();
    EventLoop::current().stop();
  });
  CHECK(nothingLeft.err.empty());
  CHECK(nothingLeft.code == 0);
}

TEST_CASE("a deadline that is set during a shutdown holds for it, from its begin") {
  const auto end = inProgram([] {
    process::onShutdown(
        [](AbortSignal late) -> Task<> {
          process::setShutdownOptions({.deadline = 5});
          co_await stuck(late);
        },
        {.name = "sets"});
    process::shutdown();
  });
  CHECK(end.out == "aborted\n");
  CHECK_THAT(end.err, containsText("hook \"sets\" (draining) was not done when the 5 ms for all "
                                   "hooks were over\n"));
  CHECK(end.code == 1);
}

TEST_CASE("hooks behind the last phase and times out of range are refused") {
  const auto end = inProgram([] {
    process::on<"exit">([] {
      try {
        process::onShutdown(saying("never"));
      } catch (const Error& error) {
        say(std::string(error.code()));
      }
    });
    process::shutdown();
  });
  CHECK(end.out == "ERR_SHUTDOWN_DONE\n");
  run([] {
    CHECK_THROWS_WITH(process::onShutdown([] {}, {.timeout = -1}),
                      containsText("\"options.timeout\" is out of range. It must be >= 0 && "
                                   "<= 2147483647. Received -1"));
    CHECK_THROWS_AS(process::onShutdown([] {}, {.timeout = 3e9}), leat::RangeError);
    CHECK_THROWS_WITH(process::setShutdownOptions({.deadline = -1}),
                      containsText("options.deadline"));
  });
  CHECK_THROWS_WITH(process::onShutdown([] {}), containsText("event loop"));
}

TEST_CASE("each loop goes through the phases of its own hooks on its own thread") {
  const auto end = inChild([] {
    std::thread other;
    const int code = run([&other]() -> Task<> {
      auto ready = Promise<>::withResolvers();
      const leat::LoopRef home = EventLoop::current().ref();
      other = std::thread([&ready, home] {
        run([&] {
          stayAlive();
          process::onShutdown(saying("other loop"), {.phase = ShutdownPhase::Logs});
          home.post([&ready] { ready.resolve(); });
        });
      });
      process::onShutdown([&other] {
        other.join();
        say("main loop");
      });
      stayAlive();
      co_await ready.promise;
      ::kill(::getpid(), SIGTERM);
    });
    return code;
  });
  CHECK(end.out == "other loop\nmain loop\n");
  CHECK(end.code == 0);
}

TEST_CASE("in a worker the end is that of the worker, also when it is forced") {
  using Worker = leat::worker_threads::Worker<int>;
  const auto end = inProgram([] {
    const Worker calm([] {
      stayAlive();
      process::onShutdown([] { throw Error("x"); }, {.name = "worker's"});
      process::shutdown();
    });
    calm.on<"exit">([](int code) {
      say("calm " + std::to_string(code));
      const Worker forced([] {
        process::on<"exit">([](int own) { say("exit " + std::to_string(own)); });
        process::onShutdown([](AbortSignal late) {
          ::kill(::getpid(), SIGTERM);
          return stuck(late);
        });
        ::kill(::getpid(), SIGTERM);
        stayAlive();
      });
      forced.on<"exit">([](int other) { say("forced " + std::to_string(other)); });
    });
  });
  CHECK(end.out == "calm 1\nexit 143\nforced 143\n");
  CHECK_THAT(end.err, containsText("hook \"worker's\" (draining) failed: Error: x"));
  CHECK(end.code == 0);
}

TEST_CASE("listeners of a signal are counted and removed as those of other events") {
  const auto end = inProgram([] {
    CHECK(process::listenerCount<"SIGUSR1">() == 0);
    const auto f = [] { say("heard"); };
    const Listener one = process::on<"SIGUSR1">(f);
    process::once<"SIGUSR1">(f);
    process::on<"SIGUSR1">(f);
    CHECK(process::listenerCount<"SIGUSR1">() == 3);
    process::off<"SIGUSR1">(one);
    CHECK(process::listenerCount<"SIGUSR1">() == 2);
    process::removeAllListeners<"SIGUSR1">();
    CHECK(process::listenerCount<"SIGUSR1">() == 0);
    ::raise(SIGUSR1);
  });
  CHECK(end.signal == SIGUSR1);
  CHECK(end.out.empty());
}
