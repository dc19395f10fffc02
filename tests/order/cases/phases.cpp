// SPDX-License-Identifier: MIT
// Beside phases.js: the tick queue, the microtask queue and the phases of the loop.

#include "../order.hpp"

#include <leat/fs/files.hpp>
#include <leat/fs/paths.hpp>
#include <leat/loop/wait_fd.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace order {
namespace {

Promise<> P() { return Promise<>::resolve(); }

/// A callback of the poll phase.
template <class F>
void onIo(F f) {
  EventLoop::current().post(std::move(f));
}

/// Calls `f` when a descriptor is ready, which it is.
template <class F>
Promise<> onReady(F f) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0 || ::write(fds[1], "x", 1) != 1) std::abort();
  co_await wait(fds[0], Ready::Readable);
  ::close(fds[0]);
  ::close(fds[1]);
  f();
}

template <class Operation, class F>
Promise<> codeTo(F f, Operation operation) {
  std::string code = "ok";
  try {
    co_await std::move(operation);
  } catch (const Error& error) {
    code = error.code();
  }
  f(code);
}

/// Calls `f` with the code of the error of an operation on a file that is not there.
template <class F>
void onFailure(std::string_view what, F f) {
  const char* const path = "/leat/is/nowhere";
  if (what == "access") (void)codeTo(f, fs::access(path));
  if (what == "stat") (void)codeTo(f, fs::stat(path));
  if (what == "open") (void)codeTo(f, fs::open(path));
  if (what == "readFile") (void)codeTo(f, fs::readFile(path));
}

void queues(Cases& add) {
  add("ticks before microtasks", [](Log log) {
    (void)P().then(log.say("micro1"));
    queueMicrotask(log.say("micro2"));
    nextTick(log.say("tick1"));
    nextTick(log.say("tick2"));
    log("sync");
  });
  add("a tick made by a microtask waits for all microtasks", [](Log log) {
    (void)P().then([log] {
      log("micro1");
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro3")).then(log.say("micro4"));
    });
    (void)P().then(log.say("micro2"));
  });
  add("microtasks made by ticks wait for all ticks", [](Log log) {
    nextTick([log] {
      log("tick1");
      (void)P().then(log.say("micro"));
      nextTick([log] {
        log("tick3");
        nextTick(log.say("tick4"));
      });
    });
    nextTick(log.say("tick2"));
  });
  add("ticks and microtasks by turns", [](Log log) {
    nextTick([log] {
      log("tick1");
      queueMicrotask([log] {
        log("micro2");
        nextTick([log] {
          log("tick3");
          queueMicrotask(log.say("micro4"));
        });
      });
    });
    queueMicrotask([log] {
      log("micro1");
      nextTick([log] {
        log("tick2");
        queueMicrotask(log.say("micro3"));
      });
    });
  });
  add("arguments of nextTick", [](Log log) {
    const auto say = [log](int a, const std::string& b) { log(a, b); };
    nextTick(say, 1, std::string("x"));
  });
  struct Again {
    Log log;
    int n;
    bool tick;
    void operator()() const {
      if (n >= 5) return log(tick ? "tick" : "micro", n);
      const Again next{log, n + 1, tick};
      tick ? nextTick(next) : queueMicrotask(next);
    }
  };
  add("a recursion of microtasks comes before ticks and immediates", [](Log log) {
    queueMicrotask(Again{log, 1, false});
    setImmediate(log.say("immediate"));
    queueMicrotask([log] { nextTick(log.say("tick")); });
  });
  add("a recursion of ticks comes before microtasks", [](Log log) {
    (void)P().then(log.say("micro"));
    nextTick(Again{log, 1, true});
  });
}

void polls(Cases& add) {
  add("from a wait on a descriptor", [](Log log) {
    const auto callback = [log] {
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate"));
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      log("io");
    };
    (void)onReady(callback);
  });
  add("drained between two waits on descriptors", [](Log log) {
    const auto callback = [log] {
      log("io");
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
    };
    (void)onReady(callback);
    (void)onReady(callback);
  });
  add("drained between two messages of a port", [](Log log) {
    for (const int n : {1, 2}) {
      EventLoop::current().post([log, n] {
        log("message", n);
        nextTick([log, n] {
          log("tick", n);
          (void)P().then([log, n] { log("micro-of-tick", n); });
        });
        (void)P().then([log, n] { log("micro", n); });
        setImmediate([log, n] { log("immediate", n); });
      });
    }
  });
}

void drains(Cases& add) {
  add("drained between two immediates", [](Log log) {
    for (const char* name : {"a", "b"}) {
      setImmediate([log, name] {
        log(name);
        nextTick([log, name] { log(name, "-tick"); });
        (void)P().then([log, name] {
          log(name, "-micro");
          nextTick([log, name] { log(name, "-tick-of-micro"); });
        });
      });
    }
  });
  add("drained between two callbacks of the poll phase", [](Log log) {
    static int left;
    left = 2;
    const auto callback = [log] {
      log("io");
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      if (--left == 0) log("both");
    };
    onIo(callback);
    onIo(callback);
  });
  add("from a callback of the poll phase", [](Log log) {
    onIo([log] {
      setTimeout(log.say("timeout"), 0);
      setImmediate(log.say("immediate"));
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
      log("io");
    });
  });
  add("from a callback of the poll phase that blocks", [](Log log) {
    onIo([log] {
      setTimeout(log.say("timeout"), 1);
      setImmediate([log] {
        log("immediate");
        setImmediate(log.say("immediate2"));
      });
      busy(5);
      log("io");
    });
  });
  add("from a timer: the immediate comes before the next timer", [](Log log) {
    const auto timer = [log] {
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate"));
      nextTick(log.say("tick"));
      (void)P().then(log.say("micro"));
    };
    setTimeout(timer, 1);
  });
  add("a tick of a microtask of a timer comes before the next timer", [](Log log) {
    setTimeout([log] { (void)P().then([log] { nextTick(log.say("tick")); }); }, 1);
    setTimeout(log.say("timeout"), 1);
    busy(4);
  });
}

void failures(Cases& add, const std::string& what) {
  add("a failed " + what + " is told in the poll phase", [what](Log log) {
    onFailure(what, [log](const std::string& code) {
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate"));
      (void)P().then(log.say("micro-of-it"));
      nextTick(log.say("tick-of-it"));
      busy(5);
      log(code);
    });
    (void)P().then(log.say("micro"));
    nextTick(log.say("tick"));
    log("asked");
  });
  add("a failed " + what + " comes behind a timer that is due", [what](Log log) {
    onFailure(what, log);
    setTimeout(log.say("timeout"), 1);
    busy(5);
  });
  add("a failed " + what + " of the poll phase waits for the next one", [what](Log log) {
    onIo([log, what] {
      onFailure(what, log);
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate"));
      busy(5);
      log("io");
    });
  });
}

Promise<> twoSteps(Log log, std::string name, std::string second) {
  log(name);
  co_await yield();
  log(second);
}

}  // namespace

void phaseCases(Cases& add) {
  add.topic("phases");
  queues(add);
  drains(add);
  polls(add);
  for (const char* what : {"access", "stat", "open", "readFile"}) failures(add, what);
  add("all kinds from one callback", [](Log log) {
    setImmediate([log] {
      log("start");
      setTimeout(log.say("timeout"), 1);
      setImmediate(log.say("immediate"));
      (void)P().then(log.say("promise")).then(log.say("promise2"));
      queueMicrotask(log.say("microtask"));
      nextTick(log.say("tick"));
      (void)twoSteps(log, "async", "async2");
      busy(5);
      log("end");
    });
  });
  add("a callback that is an async function", [](Log log) {
    const auto callback = [log](const std::string& name) {
      return [log, name] { return twoSteps(log, name, name + "2"); };
    };
    setImmediate(callback("immediate"));
    setImmediate(log.say("next-immediate"));
    nextTick(callback("tick"));
    nextTick(log.say("next-tick"));
    queueMicrotask(callback("micro"));
    queueMicrotask(log.say("next-micro"));
  });
}

}  // namespace order
