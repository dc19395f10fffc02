// SPDX-License-Identifier: MIT
// Beside workers.js.

#include "../order.hpp"

#include <leat/timers.hpp>
#include <leat/worker_threads.hpp>

#include <memory>

namespace order {
namespace {

using worker_threads::MessageChannel;
using worker_threads::MessagePort;
using worker_threads::receiveMessageOnPort;
using Worker = worker_threads::Worker<int>;
using Port = MessagePort<int>;

Worker note(const Worker& worker, Log log) {
  worker.on<"online">(log.say("online"));
  worker.on<"message">([log](int m) { log("message", m); });
  worker.on<"error">([log](const std::exception_ptr& e) { log("error-", message(e)); });
  worker.on<"exit">([log](int code) { log("exit", code); });
  return worker;
}

/// What tells that a worker is online and its messages go two ways in Node: either may come first. So it
/// waits for a word.
template <class F>
Worker told(F body, Log log) {
  const Worker worker = note(
      Worker([body](Port parent) { parent.once<"message">([body, parent] { body(parent); }); }),
      log);
  worker.on<"online">([worker] { worker.postMessage(0); });
  return worker;
}

void keep(const Port& port) { keepUntilEnd(std::make_shared<Port>(port)); }
void say(Log log, const char* word, int m) { log(word, m); }

void portCases(Cases& add) {
  add("ports: one drain for each message", [](Log log) {
    MessageChannel<int> channel;
    channel.port1.on<"message">([log, port = channel.port1](int m) {
      log("message", m);
      nextTick([log, m] { say(log, "tick", m); });
      (void)Promise<>::resolve().then([log, m] { say(log, "micro", m); });
      setImmediate([log, m] { say(log, "immediate", m); });
      if (m == 2) port.close();
    });
    for (int i = 0; i < 3; ++i) channel.port2.postMessage(i);
    keep(channel.port2);
    nextTick(log.say("tick"));
    setImmediate(log.say("immediate"));
  });
  add("ports: what was about to come still comes behind close, which has a phase of its own",
      [](Log log) {
        MessageChannel<int> channel;
        channel.port1.on<"message">([log, port = channel.port1](int m) {
          log("message", m);
          if (m != 1) return;
          setImmediate(log.say("immediate"));
          port.close();
        });
        channel.port1.on<"close">(log.say("close1"));
        for (int i = 0; i < 4; ++i) channel.port2.postMessage(i);
        keep(channel.port2);
      });
  add("ports: a port that was closed first is told nothing", [](Log log) {
    MessageChannel<int> channel;
    channel.port1.on<"message">(log.say("never"));
    channel.port1.on<"close">(log.say("close1"));
    channel.port2.postMessage(1);
    channel.port1.close();
    nextTick(log.say("tick"));
    (void)Promise<>::resolve().then(log.say("micro"));
    setImmediate(log.say("immediate"));
    keep(channel.port2);
  });
  add("ports: the end of the sender comes behind its messages", [](Log log) {
    MessageChannel<int> channel;
    channel.port1.on<"message">([log](int m) { log("message", m); });
    channel.port1.on<"close">(log.say("close1"));
    channel.port2.on<"close">(log.say("close2"));
    channel.port2.postMessage(1);
    channel.port2.postMessage(2);
    channel.port2.close();
  });
  add("ports: an exception of a listener puts the rest off to the next turn", [](Log log) {
    process::on<"uncaughtException">(
        [log](std::exception_ptr e, ExceptionOrigin) { log("uncaught-", message(e)); });
    MessageChannel<int> channel;
    channel.port1.on<"message">([log, port = channel.port1](int m) {
      log("message", m);
      nextTick([log, m] { say(log, "tick", m); });
      if (m == 1) throw error("x");
      if (m == 3) port.close();
    });
    for (int i = 0; i < 4; ++i) channel.port2.postMessage(i);
    keep(channel.port2);
    setImmediate(log.say("immediate"));
  });
  add("ports: receiveMessageOnPort takes what waits", [](Log log) {
    MessageChannel<int> channel;
    log("none-", receiveMessageOnPort(channel.port1) ? "false" : "true");
    channel.port2.postMessage(1);
    channel.port2.postMessage(2);
    log("got", *receiveMessageOnPort(channel.port1));
    channel.port1.on<"message">([log, port = channel.port1](int m) {
      log("message", m);
      port.close();
    });
    keep(channel.port2);
  });
  add("ports: a listener refs its port, and unref lets go of it", [](Log log) {
    MessageChannel<int> channel;
    channel.port1.on<"message">(log.say("never"));
    channel.port1.unref();
    setTimeout(log.say("timeout"), 1);
    keep(channel.port2);
  });
  add("ports: both ends answer each other", [](Log log) {
    MessageChannel<int> channel;
    channel.port1.on<"message">([log, port = channel.port1](int m) {
      log("one-", m);
      if (m < 6) {
        port.postMessage(m + 1);
      } else {
        port.close();
      }
    });
    channel.port2.on<"message">([log, port = channel.port2](int m) {
      log("two-", m);
      port.postMessage(m + 1);
    });
    channel.port1.postMessage(1);
  });
}

void lifeCases(Cases& add) {
  add("workers: online, messages, exit", [](Log log) {
    const auto messages = [](Port parent) {
      parent.postMessage(1);
      parent.postMessage(2);
    };
    told(messages, log);
  });
  add("workers: a listener holds the worker until it is off or the port closes", [](Log log) {
    const Worker worker = note(Worker([](Port parent) {
                                 parent.on<"message">([parent](int m) {
                                   parent.postMessage(m * 2);
                                   if (m == 3) parent.close();
                                 });
                               }),
                               log);
    worker.on<"online">([worker] {
      for (int i = 1; i <= 3; ++i) worker.postMessage(i);
    });
  });
  add("workers: an exception of its main",
      [](Log log) { note(Worker([] { throw error("x"); }), log); });
  add("workers: a rejection", [](Log log) {
    note(Worker([] {
           setInterval([] {}, 1000);
           (void)Promise<>::reject(error("r"));
         }),
         log);
  });
  add("workers: an exception of a callback, handled there", [](Log log) {
    const auto throws = [](Port parent) {
      process::on<"uncaughtException">([parent] { parent.postMessage(7); });
      setTimeout([] { throw error("x"); }, 1);
    };
    told(throws, log);
  });
  add("workers: an error that nobody listens to", [](Log log) {
    struct Seen {
      std::string error;
      int code = -1;
    };
    const auto seen = std::make_shared<Seen>();
    const auto both = [log, seen] {
      if (!seen->error.empty() && seen->code >= 0) log("uncaught-" + seen->error + "-", seen->code);
    };
    process::on<"uncaughtException">([seen, both](std::exception_ptr e, ExceptionOrigin) {
      seen->error = message(e);
      both();
    });
    Worker([] { throw error("x"); }).on<"exit">([seen, both](int code) {
      seen->code = code;
      both();
    });
  });
}

void endCases(Cases& add) {
  add("workers: exit codes", [](Log log) {
    const auto third = [log] {
      note(Worker([] {
             setInterval([] {}, 1000);
             setTimeout([] { process::exit(6); }, 1);
           }),
           log);
    };
    const auto second = [log, third] {
      const auto exits = [](Port parent) {
        process::on<"exit">([parent](int code) { parent.postMessage(100 + code); });
        process::exit(5);
      };
      told(exits, log).on<"exit">(third);
    };
    note(Worker([] { process::setExitCode(3); }), log).on<"exit">(second);
  });
  add("workers: terminate", [](Log log) {
    const Worker worker = note(Worker([](Port parent) {
                                 setInterval([] {}, 1000);
                                 process::on<"exit">([parent] { parent.postMessage(9); });
                               }),
                               log);
    const auto end = [log, worker]() -> Task<> {
      const int code = co_await worker.terminate();
      log("terminated", code);
    };
    worker.on<"online">(end);
  });
  add("workers: the id is gone with the worker", [](Log log) {
    const Worker worker([] {});
    log("before-", worker.threadId() > 0 ? "true" : "false");
    worker.on<"exit">([log, worker] {
      log("after-", worker.threadId());
      worker.postMessage(1);
    });
  });
}

}  // namespace

void workerCases(Cases& add) {
  add.topic("workers");
  portCases(add);
  lifeCases(add);
  endCases(add);
}

}  // namespace order
