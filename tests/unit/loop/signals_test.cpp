// SPDX-License-Identifier: MIT
#include <leat/base/scoped_listener.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/signals.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/testing/fuse.hpp>

#include <leat_test.hpp>
#include <child.hpp>
#include <memory>
#include <started.hpp>
#include <thread>
#include <vector>

using leat::AbortController;
using leat::EventLoop;
using leat::Listener;
using leat::onSignal;
using leat::run;
using leat::Task;
using leat_test::inChild;

namespace {

struct ::sigaction disposition(int number) {
  struct ::sigaction now{};
  REQUIRE(::sigaction(number, nullptr, &now) == 0);
  return now;
}

void otherHandler(int) {}

/// Sets a disposition and puts the one before back.
class Disposed {
 public:
  Disposed(int number, void (*handler)(int)) : number_(number) {
    struct ::sigaction now{};
    now.sa_handler = handler;
    ::sigaction(number, &now, &before_);
  }
  ~Disposed() { ::sigaction(number_, &before_, nullptr); }

 private:
  int number_;
  struct ::sigaction before_{};
};

template <class F>
std::string codeOf(F&& f) {
  try {
    f();
  } catch (const leat::Error& e) {
    return std::string(e.code());
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE("listeners for a signal are called in order with its name and number") {
  std::string trace;
  run([&] {
    onSignal(SIGUSR1, [&](const std::string& name, int number) {
      trace += name + (number == SIGUSR1 ? " right " : " wrong ");
    });
    onSignal("SIGUSR1", [&](std::string_view name) { trace += std::string(name) + " "; });
    onSignal(std::string("SIGUSR1"), [&] { trace += "third "; });
    onSignal(SIGUSR2, [&] { trace += "other "; });
    ::raise(SIGUSR1);
    trace += "raised ";
    leat::setTimeout([&] { ::raise(SIGUSR2); }, 1);
    leat::setTimeout([] {}, 20);
  });
  CHECK(trace == "raised SIGUSR1 right SIGUSR1 third other ");
}

TEST_CASE("each time that a signal was caught the listeners are called, with a drain in between") {
  std::string trace;
  run([&] {
    onSignal(SIGUSR1, [&] {
      trace += "s";
      leat::queueMicrotask([&] { trace += "m"; });
      leat::nextTick([&] { trace += "t"; });
    });
    for (int i = 0; i < 3; ++i) ::raise(SIGUSR1);
    leat::setTimeout([] {}, 5);
  });
  CHECK(trace == "stmstmstm");
}

TEST_CASE("a listener that is removed in an emit is still called in it, one that is added is not") {
  std::string trace;
  run([&] {
    auto second = std::make_shared<Listener>();
    onSignal(SIGUSR1, [&, second] {
      trace += "a";
      second->off();
      second->off();
      if (trace.size() == 1) onSignal(SIGUSR1, [&] { trace += "c"; });
    });
    *second = onSignal(SIGUSR1, [&] { trace += "b"; });
    CHECK(second->active());
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);
    leat::setImmediate([second] { CHECK_FALSE(second->active()); });
  });
  CHECK(trace == "abac");
}

TEST_CASE("a listener for one signal only is gone before it is called") {
  int calls = 0;
  run([&] {
    const Listener listener = leat::onceSignal(SIGUSR1, [&] { ++calls; });
    const Listener stays = onSignal(SIGUSR1, [] {});
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);
    leat::setImmediate([=] { CHECK_FALSE(listener.active()); });
  });
  CHECK(calls == 1);
}

TEST_CASE("a scoped listener goes with its block, a plain handle does not take it along") {
  run([] {
    onSignal(SIGUSR1, [] {});
    CHECK(disposition(SIGUSR1).sa_handler != SIG_DFL);
    {
      leat::ScopedListener<Listener> scoped(onSignal(SIGUSR2, [] {}));
      leat::ScopedListener<Listener> moved(std::move(scoped));
      CHECK(disposition(SIGUSR2).sa_handler != SIG_DFL);
    }
    CHECK(disposition(SIGUSR2).sa_handler == SIG_DFL);
    leat::ScopedListener<Listener> kept(onSignal(SIGUSR2, [] {}));
    const Listener handle = kept.handle();
    kept.release();
    CHECK(handle.active());
  });
  CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  CHECK(disposition(SIGUSR2).sa_handler == SIG_DFL);
}

TEST_CASE("a listener may be a coroutine, and its exception is an unhandled rejection") {
  std::string trace;
  run([&] {
    onSignal(SIGUSR1, [&](std::string name, int) -> Task<> {
      co_await leat::sleep(1);
      trace += name;
    });
    ::raise(SIGUSR1);
    leat::setTimeout([] {}, 30);
  });
  CHECK(trace == "SIGUSR1");
  const auto end = inChild([] {
    return run([] {
      onSignal(SIGUSR1, [] { throw leat::Error("from the listener"); });
      ::raise(SIGUSR1);
      leat::setTimeout([] {}, 1000);
    });
  });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, leat_test::containsText("from the listener"));
}

TEST_CASE("listeners do not hold the loop") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(run([] { onSignal(SIGUSR1, [] {}); }) == 0);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("removing the last listener of any loop brings back what there was before") {
  for (void (*before)(int) : {SIG_DFL, SIG_IGN, &otherHandler}) {
    Disposed disposed(SIGUSR1, before);
    run([&] {
      const Listener one = onSignal(SIGUSR1, [] {});
      const Listener two = onSignal(SIGUSR1, [] {});
      const auto ours = disposition(SIGUSR1).sa_handler;
      CHECK(ours != before);
      std::thread([&] {
        run([&] {
          const Listener three = onSignal(SIGUSR1, [] {});
          CHECK(disposition(SIGUSR1).sa_handler == ours);
        });
      }).join();
      one.off();
      CHECK(disposition(SIGUSR1).sa_handler == ours);
      two.off();
      CHECK(disposition(SIGUSR1).sa_handler == before);
    });
  }
}

TEST_CASE("a handler that somebody else installed meanwhile is left alone") {
  Disposed disposed(SIGUSR1, SIG_DFL);
  run([] {
    const Listener listener = onSignal(SIGUSR1, [] {});
    struct ::sigaction other{};
    other.sa_handler = otherHandler;
    ::sigaction(SIGUSR1, &other, nullptr);
    listener.off();
    CHECK(disposition(SIGUSR1).sa_handler == otherHandler);
  });
}

TEST_CASE("signals that cannot be caught and names that are none are refused with a reason") {
  run([] {
    for (const int number : {SIGKILL, SIGSTOP}) {
      try {
        onSignal(number, [] {});
        FAIL("accepted");
      } catch (const leat::SystemError& e) {
        CHECK(e.code() == "EINVAL");
        CHECK(e.syscall() == "sigaction");
        CHECK_THAT(e.what(), leat_test::containsText(number == SIGKILL ? "SIGKILL" : "SIGSTOP"));
      }
    }
    CHECK(codeOf([] { onSignal("SIGNOTHING", [] {}); }) == "ERR_UNKNOWN_SIGNAL");
    CHECK(codeOf([] { onSignal("", [] {}); }) == "ERR_UNKNOWN_SIGNAL");
    CHECK(codeOf([] { onSignal(0, [] {}); }) == "ERR_OUT_OF_RANGE");
    CHECK(codeOf([] { onSignal(65, [] {}); }) == "ERR_OUT_OF_RANGE");
    CHECK(codeOf([] { onSignal(-3, [] {}); }) == "ERR_OUT_OF_RANGE");
    CHECK_THROWS_WITH(onSignal("SIGFOO", [] {}), "Unknown signal: SIGFOO");
  });
  CHECK(codeOf([] { onSignal(SIGUSR1, [] {}); }) == "ERR_NO_LOOP");
}

TEST_CASE("real-time signals have listeners, too") {
  std::string trace;
  const int number = SIGRTMIN + 2;
  run([&] {
    onSignal(number,
             [&](const std::string& name, int n) { trace = name + " " + std::to_string(n); });
    ::raise(number);
    leat::setTimeout([] {}, 5);
  });
  CHECK(trace == "SIG" + std::to_string(number) + " " + std::to_string(number));
}

TEST_CASE("when the system refuses the handler, nothing is registered") {
  run([] {
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::sigaction, EAGAIN);
    CHECK(codeOf([] { onSignal(SIGUSR1, [] {}); }) == "EAGAIN");
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
    const Listener listener = onSignal(SIGUSR1, [] {});
    CHECK(disposition(SIGUSR1).sa_handler != SIG_DFL);
    listener.off();
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
    injector.fail(leat::sys::Call::sigaction, EAGAIN, 2);
    bool refused = false;
    (void)leat::spawn([&refused]() -> Task<> {
      try {
        co_await leat::nextSignal(SIGUSR1, SIGUSR2);
      } catch (const leat::SystemError& e) {
        refused = e.code() == "EAGAIN";
      }
    });
    CHECK(refused);
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  });
}

namespace {

/// A listener that cannot be copied, as where there is no memory.
struct CannotBeKept {
  CannotBeKept() = default;
  CannotBeKept(const CannotBeKept&) { throw leat::Error("it cannot be kept", "ERR_KEPT"); }
  void operator()() const {}
};

}  // namespace

TEST_CASE("a signal whose listener could not be kept is not caught") {
  run([] {
    const CannotBeKept listener;
    CHECK(codeOf([&listener] { onSignal(SIGUSR1, listener); }) == "ERR_KEPT");
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
    CHECK(codeOf([&listener] { leat::onceSignal(SIGUSR1, listener); }) == "ERR_KEPT");
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
    // One that listens already stays alone with it.
    const Listener first = onSignal(SIGUSR1, [] {});
    CHECK(codeOf([&listener] { onSignal(SIGUSR1, listener); }) == "ERR_KEPT");
    CHECK(disposition(SIGUSR1).sa_handler != SIG_DFL);
    first.off();
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  });
}

TEST_CASE("a storm of signals from several threads loses none that was caught") {
  constexpr int threads = 4, each = 500;
  int calls = 0;
  run([&] {
    const Listener listener = onSignal(SIGUSR1, [&] { ++calls; });
    auto stormers = std::make_shared<std::vector<std::thread>>();
    auto left = std::make_shared<int>(threads);
    const leat::LoopRef home = EventLoop::current().ref();
    auto hold = std::make_shared<leat::Timeout>(leat::setInterval([] {}, 1000));
    for (int i = 0; i < threads; ++i)
      stormers->emplace_back([=] {
        // raise() returns after the handler has run, so the kernel merges none of these.
        for (int n = 0; n < each; ++n) ::raise(SIGUSR1);
        home.post([=] {
          if (--*left > 0) return;
          for (std::thread& thread : *stormers) thread.join();
          leat::setTimeout([=] { hold->close(); }, 10);
        });
      });
  });
  CHECK(calls == threads * each);
}

TEST_CASE("a storm upon a loop that comes and goes finds no loop that has ended") {
  leat::detail::Atomic<int> stop{0};
  // There is a listener all the time, so that the signal never has its default action.
  run([&] {
    const Listener listener = onSignal(SIGUSR2, [] {});
    std::thread stormer([&] {
      while (stop.load() == 0) ::kill(::getpid(), SIGUSR2);
    });
    std::thread loops([&] {
      for (int i = 0; i < 100; ++i) {
        run([&] {
          onSignal(SIGUSR2, [] {});
          leat::setImmediate([] {});
        });
      }
      stop.store(1);
    });
    loops.join();
    stormer.join();
  });
  CHECK(stop.load() == 1);
}

TEST_CASE("loops in two threads each get the signal") {
  leat::detail::Atomic<int> calls{0}, ready{0};
  const auto program = [&] {
    run([&] {
      auto hold =
          std::make_shared<leat::Timeout>(leat::setTimeout([] { FAIL("no signal"); }, 20000));
      onSignal(SIGUSR1, [&, hold] {
        calls.fetchAdd(1);
        hold->close();
      });
      ready.fetchAdd(1);
    });
  };
  std::thread one(program), two(program);
  while (ready.load() < 2) std::this_thread::yield();
  ::kill(::getpid(), SIGUSR1);
  one.join();
  two.join();
  CHECK(calls.load() == 2);
}

TEST_CASE("what was caught before a loop ended does not reach the next loop") {
  int calls = 0;
  run([&] {
    onSignal(SIGUSR1, [&] { ++calls; });
    EventLoop::current().stop();
    leat::setImmediate([] {
      ::raise(SIGUSR1);
      EventLoop::current().stop();
    });
  });
  const int before = calls;
  run([&] {
    onSignal(SIGUSR1, [&] { calls += 100; });
    leat::setTimeout([] {}, 5);
  });
  CHECK(calls == before);
}

TEST_CASE(
    "a handle of a listener is used on its own thread, and after its loop's end does nothing") {
  Listener left;
  run([&] {
    left = onSignal(SIGUSR1, [] {});
    std::thread([&] { CHECK(codeOf([&] { left.off(); }) == "ERR_WRONG_THREAD"); }).join();
    std::thread([&] {
      run([&] { CHECK_THROWS_WITH(left.off(), leat_test::containsText("event loop")); });
    }).join();
    CHECK(left.active());
  });
  CHECK_FALSE(left.active());
  left.off();
  run([&] { left.off(); });
  Listener().off();
}

TEST_CASE("a coroutine waits for the next of several signals") {
  std::vector<int> got;
  run([&] {
    leat::setTimeout([] { ::raise(SIGUSR2); }, 2);
    return leat::spawn([&]() -> Task<> {
      got.push_back(co_await leat::nextSignal({.ref = true}, SIGUSR1, "SIGUSR2"));
      leat::setTimeout([] { ::raise(SIGUSR1); }, 2);
      got.push_back(co_await leat::nextSignal({.ref = true}, "SIGUSR1"));
    });
  });
  CHECK(got == std::vector<int>{SIGUSR2, SIGUSR1});
  CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  CHECK(disposition(SIGUSR2).sa_handler == SIG_DFL);
}

TEST_CASE("waiting for a signal holds the loop only when asked to") {
  const auto end =
      inChild([] { return run([]() -> Task<> { co_await leat::nextSignal(SIGUSR1); }); });
  CHECK(end.code == 13);
}

TEST_CASE("a wait for a signal is aborted, before it begins and later, and gives the signal back") {
  int aborted = 0;
  run([&] {
    AbortController controller;
    leat::setTimeout([controller] { controller.abort(); }, 2);
    const auto work = [&aborted, controller]() -> Task<> {
      for (int i = 0; i < 2; ++i) {
        try {
          co_await leat::nextSignal({.signal = controller, .ref = true}, SIGUSR1);
        } catch (const leat::AbortError& e) {
          aborted += e.code() == "ABORT_ERR";
        }
        CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
      }
    };
    return leat::spawn(work);
  });
  CHECK(aborted == 2);
}

TEST_CASE("a coroutine that is destroyed while it waits for a signal takes its wait along") {
  run([] {
    (void)leat::spawn([]() -> Task<> { co_await leat::nextSignal(SIGUSR1); });
    CHECK(disposition(SIGUSR1).sa_handler != SIG_DFL);
  });
  CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  // In a loop that goes on, who waits as well is not disturbed.
  run([]() -> Task<> {
    const auto waits = []() -> Task<int> { co_return co_await leat::nextSignal(SIGUSR1); };
    leat_test::Started<int> alone(waits());
    CHECK(disposition(SIGUSR1).sa_handler != SIG_DFL);
    alone.drop();
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
    leat_test::Started<int> dropped(waits());
    auto stays = leat::spawn(waits());
    dropped.drop();
    leat::setTimeout([] { ::raise(SIGUSR1); }, 2);
    const int number = co_await stays;
    CHECK(number == SIGUSR1);
    CHECK_FALSE(dropped.done());
    CHECK(disposition(SIGUSR1).sa_handler == SIG_DFL);
  });
}

TEST_CASE("a child of fork has the default action again, and may listen on a loop of its own") {
  Disposed disposed(SIGUSR1, SIG_DFL);
  run([] {
    onSignal(SIGUSR1, [] {});
    const auto killed = inChild([] {
      ::raise(SIGUSR1);
      return 0;
    });
    CHECK(killed.signal == SIGUSR1);
    const auto own = inChild([] {
      int code = 1;
      std::thread([&] {
        code = run([] {
          onSignal(SIGUSR1, [] { EventLoop::current().setExitCode(42); });
          ::raise(SIGUSR1);
          leat::setTimeout([] {}, 5);
        });
      }).join();
      return code;
    });
    CHECK(own.code == 42);
  });
}

TEST_CASE("a loop makes the process ignore SIGPIPE, unless the program chose otherwise") {
  const auto end = inChild([] {
    ::signal(SIGPIPE, SIG_DFL);
    run([] {});
    const bool ignored = disposition(SIGPIPE).sa_handler == SIG_IGN;
    ::signal(SIGPIPE, otherHandler);
    run([] {});
    return ignored && disposition(SIGPIPE).sa_handler == otherHandler ? 0 : 1;
  });
  CHECK(end.code == 0);
}
