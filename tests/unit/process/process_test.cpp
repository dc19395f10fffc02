// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process/process.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using leat::Error;
using leat::EventLoop;
using leat::ExceptionOrigin;
using leat::Listener;
using leat::Promise;
using leat::run;
using leat::Task;
using leat_test::containsText;
using leat_test::inChild;
namespace process = leat::process;

namespace {

using leat_test::say;

std::string textOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string nameOf(ExceptionOrigin origin) {
  return origin == ExceptionOrigin::UncaughtException ? "uncaughtException" : "unhandledRejection";
}

void onExceptionSay() {
  process::on<"uncaughtException">([](std::exception_ptr error, ExceptionOrigin origin) {
    say("caught " + textOf(error) + " " + nameOf(origin));
  });
}
void onExitSay() {
  process::on<"exit">([](int code) { say("exit " + std::to_string(code)); });
}
void rejectWith(const char* text) { (void)Promise<int>::reject(Error(text)); }
void throwLater(const char* text) {
  leat::setTimeout([text] { throw Error(text); }, 1);
}

}  // namespace

// ---- the end ----

TEST_CASE(
    "beforeExit comes when nothing is left, may arrange for more, and then comes again; exit is "
    "last") {
  const auto end = inChild([] {
    return run([] {
      process::setExitCode(4);
      auto rounds = std::make_shared<int>(0);
      process::on<"beforeExit">([rounds](int code) {
        say("beforeExit " + std::to_string(code));
        if (++*rounds < 3) leat::setTimeout([] { say("timer"); }, 1);
      });
      process::on<"exit">([](int code) {
        say("exit " + std::to_string(code));
        leat::setTimeout([] { say("never"); }, 1);
        leat::queueMicrotask([] { say("never"); });
      });
    });
  });
  CHECK(end.out == "beforeExit 4\ntimer\nbeforeExit 4\ntimer\nbeforeExit 4\nexit 4\n");
  CHECK(end.code == 4);
}

TEST_CASE("a listener of exit may change the code; the others are told the old one") {
  const auto end = inChild([] {
    return run([] {
      process::on<"exit">([] { process::setExitCode(9); });
      onExitSay();
      CHECK(process::exitCode() == 0);
    });
  });
  CHECK(end.out == "exit 0\n");
  CHECK(end.code == 9);
}

TEST_CASE("process::exit tells the listeners and ends the program at once") {
  const auto end = inChild([]() -> int {
    return run([]() -> Task<> {
      onExitSay();
      process::on<"beforeExit">([] { say("never"); });
      std::printf("buffered\n");
      co_await leat::sleep(1);
      process::exit(3);
    });
  });
  CHECK(end.out == "exit 3\nbuffered\n");
  CHECK(end.code == 3);
}

TEST_CASE("process::exit inside of an exit listener calls no more of them and takes its code") {
  const auto end = inChild([] {
    return run([] {
      process::on<"exit">([](int code) {
        say("first " + std::to_string(code));
        process::exit(5);
      });
      onExitSay();
      process::exit(3);
    });
  });
  CHECK(end.out == "first 3\n");
  CHECK(end.code == 5);
  const auto dry = inChild([] {
    return run([] {
      process::on<"exit">([] { process::exit(); });
      process::setExitCode(6);
    });
  });
  CHECK(dry.code == 6);
}

TEST_CASE("process::exit without a loop just ends the program") {
  CHECK(inChild([]() -> int { process::exit(8); }).code == 8);
  CHECK(inChild([]() -> int { process::exit(); }).code == 0);
  CHECK(inChild([] {
          return run([] {
            process::setExitCode(11);
            process::exit();
          });
        }).code == 11);
}

TEST_CASE(
    "an exception out of an exit listener is uncaught, and the listeners behind it are not "
    "called") {
  const auto plain = inChild([] {
    return run([] {
      process::on<"exit">([] { throw Error("in exit"); });
      onExitSay();
    });
  });
  CHECK(plain.out.empty());
  CHECK_THAT(plain.err, containsText("in exit"));
  CHECK(plain.code == 1);
  const auto handled = inChild([] {
    return run([] {
      onExceptionSay();
      process::on<"exit">([] { throw Error("in exit"); });
    });
  });
  CHECK(handled.out == "caught in exit uncaughtException\n");
  CHECK(handled.code == 0);
}

TEST_CASE("an exception out of beforeExit is uncaught and ends the program") {
  const auto end = inChild([] {
    return run([] {
      onExitSay();
      process::on<"beforeExit">([] { throw Error("in beforeExit"); });
    });
  });
  CHECK(end.out == "exit 1\n");
  CHECK_THAT(end.err, containsText("in beforeExit"));
  CHECK(end.code == 1);
}

TEST_CASE("a main that can never settle gives 13, after beforeExit and exit") {
  const auto end = inChild([] {
    return run([]() -> Task<> {
      onExitSay();
      process::on<"beforeExit">([](int code) { say("beforeExit " + std::to_string(code)); });
      auto never = Promise<>::withResolvers();
      co_await never.promise;
    });
  });
  CHECK(end.out == "beforeExit 0\nexit 13\n");
  CHECK(end.code == 13);
}

// ---- exceptions ----

TEST_CASE("an uncaught exception ends the program with 1; exit is told, and may change the code") {
  const auto end = inChild([] {
    return run([] {
      onExitSay();
      throwLater("lost");
      leat::setTimeout([] { say("never"); }, 5);
    });
  });
  CHECK(end.out == "exit 1\n");
  CHECK_THAT(end.err, containsText("lost"));
  CHECK(end.code == 1);
  const auto changed = inChild([] {
    return run([] {
      process::on<"exit">([] { process::setExitCode(9); });
      throwLater("lost");
    });
  });
  CHECK(changed.code == 9);
}

TEST_CASE("with a listener for uncaught exceptions the program goes on; monitors are told first") {
  const auto end = inChild([] {
    return run([] {
      onExceptionSay();
      process::on<"uncaughtExceptionMonitor">([](std::exception_ptr error, ExceptionOrigin origin) {
        say("monitor " + textOf(error) + " " + nameOf(origin));
      });
      onExitSay();
      throwLater("one");
      leat::setTimeout([] { say("went on"); }, 5);
    });
  });
  CHECK(end.out ==
        "monitor one uncaughtException\ncaught one uncaughtException\nwent on\nexit 0\n");
  CHECK(end.err.empty());
  CHECK(end.code == 0);
}

TEST_CASE("a monitor alone changes nothing") {
  const auto end = inChild([] {
    return run([] {
      process::on<"uncaughtExceptionMonitor">(
          [](std::exception_ptr error) { say("monitor " + textOf(error)); });
      onExitSay();
      throwLater("one");
    });
  });
  CHECK(end.out == "monitor one\nexit 1\n");
  CHECK_THAT(end.err, containsText("one"));
  CHECK(end.code == 1);
}

TEST_CASE("a listener for exceptions that throws itself ends the program with 7 and without exit") {
  const auto handler = inChild([] {
    return run([] {
      onExitSay();
      process::on<"uncaughtException">([] { throw Error("from the handler"); });
      throwLater("one");
      leat::setTimeout([] { say("never"); }, 5);
    });
  });
  CHECK(handler.out.empty());
  CHECK_THAT(handler.err, containsText("from the handler"));
  CHECK(handler.code == 7);
  const auto monitor = inChild([] {
    return run([] {
      onExitSay();
      onExceptionSay();
      process::on<"uncaughtExceptionMonitor">([] { throw Error("from the monitor"); });
      throwLater("one");
    });
  });
  CHECK(monitor.out.empty());
  CHECK_THAT(monitor.err, containsText("from the monitor"));
  CHECK(monitor.code == 7);
}

TEST_CASE("an exception out of main goes the same way") {
  const auto end = inChild([] {
    return run([] {
      onExceptionSay();
      leat::setTimeout([] { say("timer"); }, 1);
      throw Error("in main");
    });
  });
  CHECK(end.out == "caught in main uncaughtException\ntimer\n");
  CHECK(end.code == 0);
}

// ---- rejections ----

TEST_CASE(
    "a rejection that nobody handles is told to its listeners, else to those for exceptions") {
  const auto own = inChild([] {
    return run([] {
      onExceptionSay();
      process::on<"unhandledRejection">(
          [](std::exception_ptr reason, const process::RejectedPromise& promise) {
            say("rejected " + textOf(reason) + " " + textOf(promise.reason()));
          });
      rejectWith("one");
      say("sync");
    });
  });
  CHECK(own.out == "sync\nrejected one one\n");
  CHECK(own.code == 0);
  const auto other = inChild([] {
    return run([] {
      onExceptionSay();
      process::on<"uncaughtExceptionMonitor">(
          [](std::exception_ptr, ExceptionOrigin origin) { say("monitor " + nameOf(origin)); });
      rejectWith("one");
    });
  });
  CHECK(other.out == "monitor unhandledRejection\ncaught one unhandledRejection\n");
  CHECK(other.code == 0);
  const auto nobody = inChild([] {
    return run([] {
      onExitSay();
      rejectWith("one");
    });
  });
  CHECK(nobody.out == "exit 1\n");
  CHECK_THAT(nobody.err, containsText("Unhandled rejection: Error: one"));
  CHECK_THAT(nobody.err, containsText("process_test.cpp"));
  CHECK(nobody.code == 1);
}

TEST_CASE("a listener for rejections that throws causes an uncaught exception") {
  const auto nobody = inChild([] {
    return run([] {
      onExitSay();
      process::on<"unhandledRejection">([] { throw Error("two"); });
      rejectWith("one");
    });
  });
  CHECK(nobody.out == "exit 1\n");
  CHECK_THAT(nobody.err, containsText("two"));
  CHECK(nobody.code == 1);
  const auto handled = inChild([] {
    return run([] {
      onExceptionSay();
      process::on<"unhandledRejection">([] { throw Error("two"); });
      rejectWith("one");
    });
  });
  CHECK(handled.out == "caught two uncaughtException\n");
  CHECK(handled.code == 0);
}

TEST_CASE("process::exit may be called in a listener for rejections") {
  const auto end = inChild([] {
    return run([] {
      onExitSay();
      process::on<"unhandledRejection">([] { process::exit(33); });
      rejectWith("one");
    });
  });
  CHECK(end.out == "exit 33\n");
  CHECK(end.code == 33);
}

TEST_CASE("a rejection inside of a listener for exceptions is told, too") {
  const auto end = inChild([] {
    return run([] {
      process::on<"uncaughtException">([] {
        say("exception");
        rejectWith("two");
      });
      process::on<"unhandledRejection">(
          [](std::exception_ptr e) { say("rejection " + textOf(e)); });
      throw Error("one");
    });
  });
  CHECK(end.out == "exception\nrejection two\n");
}

TEST_CASE("rejectionHandled names the promise that was told of, when it gets a handler after all") {
  const auto end = inChild([] {
    return run([] {
      auto told = std::make_shared<std::optional<process::RejectedPromise>>();
      process::on<"unhandledRejection">(
          [told](std::exception_ptr, const process::RejectedPromise& promise) { *told = promise; });
      process::on<"rejectionHandled">([told](const process::RejectedPromise& promise) {
        say(*told == promise ? "the same" : "another");
      });
      const Promise<int> promise = Promise<int>::reject(Error("one"));
      leat::setTimeout([promise] { (void)promise.catch_([](std::exception_ptr) { return 0; }); },
                       1);
    });
  });
  CHECK(end.out == "the same\n");
  CHECK(end.err.empty());
}

TEST_CASE("without a listener for rejectionHandled it is a warning") {
  const auto end = inChild([] {
    return run([] {
      process::on<"unhandledRejection">([] {});
      process::on<"warning">([](const process::Warning& w) { say(std::string(w.name())); });
      const Promise<int> promise = Promise<int>::reject(Error("one"));
      leat::setTimeout([promise] { (void)promise.catch_([](std::exception_ptr) { return 0; }); },
                       1);
    });
  });
  CHECK(end.out == "PromiseRejectionHandledWarning\n");
  CHECK_THAT(end.err,
             containsText("PromiseRejectionHandledWarning: Promise rejection was handled"));
}

// ---- warnings ----

TEST_CASE("a warning is printed and told in the next tick") {
  const auto end = inChild([] {
    return run([] {
      process::on<"warning">([](const process::Warning& w) {
        say(std::string(w.name()) + "|" + std::string(w.message()) + "|" + std::string(w.code()) +
            "|" + std::string(w.detail()));
      });
      process::emitWarning("hey", {.code = "C1", .detail = "more"});
      process::emitWarning("hoo", {.name = "MyWarning"});
      say("sync");
      leat::queueMicrotask([] { say("micro"); });
      process::nextTick([] { say("tick"); });
    });
  });
  CHECK(end.out == "sync\nWarning|hey|C1|more\nMyWarning|hoo||\ntick\nmicro\n");
  CHECK_THAT(end.err, containsText(") [C1] Warning: hey\nmore\n"));
  CHECK_THAT(end.err, containsText(") MyWarning: hoo\n"));
  const auto plain = inChild([] {
    process::emitWarning("no loop here");
    return 0;
  });
  CHECK_THAT(plain.err, containsText("Warning: no loop here"));
}

TEST_CASE("a delay that no timer takes is one millisecond, with Node's warning") {
  const auto end = inChild([] {
    return run([] {
      process::on<"warning">([](const process::Warning& w) {
        say(std::string(w.name()) + "|" + std::string(w.message()) + "|" + std::string(w.code()));
      });
      leat::setTimeout([] { say("fired"); }, 2147483648LL);
      leat::setTimeout([] {}, 2147483647.5);
      leat::setTimeout([] {}, std::numeric_limits<std::int64_t>::max());
      leat::setTimeout([] {}, 123456789012345678LL);
      leat::setTimeout([] {}, 9007199254740991LL);
      leat::setTimeout([] {}, 1e20);
      leat::setInterval([] {}, 1e21).unref();
      leat::setTimeout([] {}, std::numeric_limits<double>::infinity());
      // None of these is too long.
      leat::setTimeout([] {}, std::numeric_limits<double>::quiet_NaN());
      leat::setTimeout([] {}, -5);
      leat::clearTimeout(leat::setTimeout([] {}, 2147483647));
      say("sync");
    });
  });
  std::string expected = "sync\n";
  // node: the same, in its order.
  for (const char* number :
       {"2147483648", "2147483647.5", "9223372036854776000", "123456789012345680",
        "9007199254740991", "100000000000000000000", "1e+21", "Infinity"})
    expected += std::string("TimeoutOverflowWarning|") + number +
                " does not fit into a 32-bit signed integer.\nTimeout duration was set to 1.|\n";
  CHECK(end.out == expected + "fired\n");
  CHECK_THAT(end.err, containsText(") TimeoutOverflowWarning: 2147483648 does not fit into a "
                                   "32-bit signed integer.\nTimeout duration was set to 1.\n"));
}

// ---- listeners ----

TEST_CASE("listeners of the process come once, go, and are counted") {
  run([] {
    CHECK(process::listenerCount<"warning">() == 0);
    int calls = 0, once = 0;
    const Listener a = process::on<"beforeExit">([&] { ++calls; });
    const Listener b = process::once<"beforeExit">([&] { ++once; });
    CHECK(process::listenerCount<"beforeExit">() == 2);
    process::off<"beforeExit">(a);
    CHECK(process::listenerCount<"beforeExit">() == 1);
    CHECK_FALSE(a.active());
    b.off();
    process::on<"beforeExit">([] {});
    process::removeAllListeners<"beforeExit">();
    CHECK(process::listenerCount<"beforeExit">() == 0);
  });
  int once = 0;
  run([&] {
    process::once<"beforeExit">([&] {
      ++once;
      leat::setImmediate([] {});
    });
  });
  CHECK(once == 1);
}

TEST_CASE("exit listeners that are removed while exit is emitted are still called") {
  std::string trace;
  run([&] {
    auto second = std::make_shared<Listener>();
    process::on<"exit">([&, second] {
      trace += "a";
      second->off();
    });
    *second = process::on<"exit">([&] { trace += "b"; });
  });
  CHECK(trace == "ab");
}

TEST_CASE("a listener may be a coroutine, which is driven until the loop ends") {
  const auto end = inChild([] {
    return run([] {
      process::once<"beforeExit">([](int code) -> Task<> {
        co_await leat::sleep(1);
        say("slept " + std::to_string(code));
      });
      process::on<"exit">([]() -> Task<> {
        say("begun");
        co_await leat::sleep(1);
        say("never");
      });
    });
  });
  CHECK(end.out == "slept 0\nbegun\n");
}

TEST_CASE("signals are events of the process, too") {
  std::string trace;
  run([&] {
    process::on<"SIGUSR1">([&](std::string_view name, int) { trace += std::string(name) + " "; });
    process::once<"SIGUSR2">([&] { trace += "once "; });
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    leat::setTimeout([] {}, 5);
  });
  CHECK(trace == "SIGUSR1 once ");
}

TEST_CASE("each loop has listeners of its own") {
  std::string trace;
  run([&] {
    process::on<"exit">([&] { trace += "outer"; });
    std::thread([&] {
      CHECK(run([&] {
              process::on<"exit">([&] { trace += "inner "; });
              process::setExitCode(3);
            }) == 3);
    }).join();
  });
  CHECK(trace == "inner outer");
}

TEST_CASE("listeners that own handles of the loop go with it, and their handles do nothing then") {
  Listener left;
  run([&] {
    auto own = std::make_shared<Listener>();
    const leat::Timeout timer = leat::setTimeout([] {}, 100000).unref();
    const Promise<int> pending([](leat::Resolver<int>) {});
    auto resolvers = Promise<int>::withResolvers();
    (void)pending.catch_([](std::exception_ptr) { return 0; });
    left = process::on<"exit">([=] {
      own->active();
      timer.close();
      (void)resolvers.resolve;
    });
    *own = left;
    own->off();
    // As a guard that warns when it goes: there is nobody to tell any more.
    struct Guard {
      ~Guard() {
        if (EventLoop::currentOrNull() != nullptr) process::on<"exit">([] {});
      }
    };
    process::on<"warning">([guard = std::make_shared<Guard>(), pending] {});
  });
  CHECK_FALSE(left.active());
  left.off();
}

TEST_CASE("without a loop there is nothing to listen on") {
  CHECK_THROWS_WITH(process::on<"exit">([] {}), containsText("no event loop"));
  CHECK_THROWS_WITH(process::exitCode(), containsText("no event loop"));
  CHECK(process::pid() == ::getpid());
  CHECK(process::ppid() == ::getppid());
}

TEST_CASE("listeners may be added by a name that is known at run time") {
  std::string trace;
  run([&] {
    const std::string exit = "exit", beforeExit = "beforeExit", signal = "SIGUSR1";
    process::on(exit, [&](int code) { trace += "exit " + std::to_string(code) + " "; });
    process::once(beforeExit, [&] { trace += "beforeExit "; });
    const Listener listener = process::on(signal, [&](const std::string& name, int number) {
      trace += name + " " + std::to_string(number == SIGUSR1) + " ";
    });
    process::once("SIGUSR1", [&] { trace += "once "; });
    const Listener gone = process::on("warning", [&](const process::Warning&) { trace += "bad "; });
    gone.off();
    process::emitWarning("for stderr: this is expected");
    ::raise(SIGUSR1);
    leat::setImmediate([listener] {
      ::raise(SIGUSR1);
      leat::setImmediate([listener] { listener.off(); });
    });
  });
  CHECK(trace == "SIGUSR1 1 once SIGUSR1 1 beforeExit exit 0 ");
}

TEST_CASE("a name that is none, or a listener that does not fit, is told at run time") {
  run([] {
    const auto codeOf = [](std::string_view name) {
      std::string code = "none";
      try {
        process::on(name, [](int) {}).off();
      } catch (const leat::TypeError& e) {
        code = e.code();
      }
      return code;
    };
    CHECK(codeOf("exit") == "none");
    CHECK(codeOf("nothing") == "ERR_UNKNOWN_SIGNAL");
    CHECK(codeOf("") == "ERR_UNKNOWN_SIGNAL");
    CHECK(codeOf("warning") == "ERR_INVALID_ARG_TYPE");
    CHECK(codeOf("SIGTERM") == "ERR_INVALID_ARG_TYPE");
  });
}
