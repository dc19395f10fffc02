// SPDX-License-Identifier: MIT
// Beside signals.js.

#include "../order.hpp"

#include <csignal>
#include <memory>

namespace order {
namespace {

constexpr FixedString usr2 = "SIGUSR2";

void raiseIt() { ::kill(::getpid(), SIGUSR2); }

/// Calls `f` when the signal has come; nothing else listens any more then.
template <class F>
void afterwards(F f) {
  const Timeout hold = setTimeout([] {}, 10000);
  process::once<usr2>([hold, f] {
    setImmediate([hold, f] {
      clearTimeout(hold);
      process::removeAllListeners<usr2>();
      f();
    });
  });
}

void calls(Cases& add) {
  add("listeners in order, with name and number; none inside of kill", [](Log log) {
    process::on<usr2>([log](const std::string& name, int number) { log(name, number); });
    process::on<usr2>([log](const std::string& name) { log("second-", name); });
    process::on<usr2>([log] { log("third"); });
    afterwards(log.say("end"));
    raiseIt();
    log("raised");
  });
  add("ticks and microtasks come behind the last listener", [](Log log) {
    process::on<usr2>([log] {
      log("one");
      nextTick(log.say("tick"));
      queueMicrotask(log.say("micro"));
    });
    process::on<usr2>([log] { log("two"); });
    afterwards([] {});
    raiseIt();
  });
  add("once is called for the first signal only", [](Log log) {
    process::once<usr2>([log] { log("once"); });
    process::on<usr2>([log] { log("on"); });
    afterwards([log] {
      log(process::listenerCount<usr2>());
      process::on<usr2>([log] { log("again"); });
      afterwards(log.say("end"));
      raiseIt();
    });
    raiseIt();
  });
}

void changes(Cases& add) {
  add("listeners that are removed or added by another one", [](Log log) {
    auto second = std::make_shared<Listener>();
    process::on<usr2>([log, second] {
      log("first");
      process::off<usr2>(*second);
      process::on<usr2>([log] { log("added"); });
      log(process::listenerCount<usr2>());
    });
    *second = process::on<usr2>([log] { log("second"); });
    afterwards(log.say("end"));
    raiseIt();
  });
  add("counts of listeners", [](Log log) {
    const auto f = [] {};
    log(process::listenerCount<usr2>());
    process::on<usr2>(f);
    process::on<usr2>(f);
    const Listener once = process::once<usr2>(f);
    log(process::listenerCount<usr2>());
    process::off<usr2>(once);
    log(process::listenerCount<usr2>());
    process::removeAllListeners<usr2>();
    log(process::listenerCount<usr2>());
  });
}

}  // namespace

void processSignalCases(Cases& add) {
  add.topic("signals");
  calls(add);
  changes(add);
}

}  // namespace order
