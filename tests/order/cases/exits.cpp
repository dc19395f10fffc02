// SPDX-License-Identifier: MIT
// Beside exits.js: programs of their own, whose exit codes are compared too.

#include "../streams.hpp"

#include <leat/fs/paths.hpp>
#include <leat/loop/abort_timeout.hpp>
#include <leat/process/stdio.hpp>
#include <leat/stream/decode.hpp>

#include <csignal>
#include <cstdlib>

namespace order {
namespace {

Promise<> P() { return Promise<>::resolve(); }
void fail(const char* text) { throw error(text); }
void reject(const char* text) { (void)Promise<>::reject(error(text)); }
void sayExit(Log log) {
  process::on<"exit">([log](int code) { log("exit", code); });
}
void sayUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr e, ExceptionOrigin) { log("uncaught-", message(e)); });
}
const char* name(ExceptionOrigin origin) {
  return origin == ExceptionOrigin::UnhandledRejection ? "unhandledRejection" : "uncaughtException";
}

void exceptions(Cases& add) {
  add("an exception of main", [](Log log) {
    sayExit(log);
    nextTick(log.say("never-tick"));
    (void)P().then(log.say("never-micro"));
    setTimeout(log.say("never-timeout"), 1);
    fail("x");
  });
  add("an exception of main that is handled", [](Log log) {
    sayExit(log);
    sayUncaught(log);
    nextTick(log.say("tick"));
    (void)P().then(log.say("micro"));
    setImmediate(log.say("immediate"));
    fail("x");
  });
  add("an exception of a timer", [](Log log) {
    sayExit(log);
    const auto timer = [log] {
      nextTick(log.say("never-tick"));
      setImmediate(log.say("never"));
      fail("x");
    };
    setTimeout(timer, 1);
    setTimeout(log.say("never-timer"), 1);
  });
  add("an exception of a tick", [](Log log) {
    nextTick([] { fail("x"); });
    nextTick(log.say("never"));
    (void)P().then(log.say("never-micro"));
  });
  add("an exception of a microtask", [](Log log) {
    sayExit(log);
    queueMicrotask([log] {
      log("micro");
      fail("x");
    });
    nextTick(log.say("tick"));
    setImmediate(log.say("never"));
  });
  add("an exception of an immediate", [](Log log) {
    sayExit(log);
    setImmediate([] { fail("x"); });
    setImmediate(log.say("never"));
  });
}

void rejections(Cases& add) {
  add("an unhandled rejection", [](Log log) {
    sayExit(log);
    reject("x");
    nextTick(log.say("tick"));
    (void)P().then(log.say("micro"));
    setImmediate(log.say("never"));
  });
  add("a rejection of an async main", [](Log log) -> Promise<> {
    sayExit(log);
    co_await yield();
    log("awake");
    fail("x");
  });
  add("a rejection handled in a later turn is fatal before", [](Log log) {
    const Promise<> p = Promise<>::reject(error("x"));
    setImmediate([p, log] { (void)p.catch_(log.say("never")); });
  });
  add("handled rejections end well", [](Log log) {
    sayExit(log);
    process::on<"unhandledRejection">(
        [log](std::exception_ptr e) { log("unhandled-", message(e)); });
    reject("x");
    setImmediate(log.say("immediate"));
  });
}

void handlersThatThrow(Cases& add) {
  const auto throwingUnhandled = [](Log log) {
    process::on<"unhandledRejection">([log](std::exception_ptr e) {
      log("unhandled-", message(e));
      fail("y");
    });
  };
  add("the handler of exceptions throws", [](Log log) {
    sayExit(log);
    process::on<"uncaughtException">([log](std::exception_ptr e, ExceptionOrigin) {
      log("uncaught-", message(e));
      fail("y");
    });
    setImmediate([] { fail("x"); });
    setImmediate(log.say("never"));
  });
  add("the handler of rejections throws", [throwingUnhandled](Log log) {
    sayExit(log);
    throwingUnhandled(log);
    reject("x");
    setImmediate(log.say("never"));
  });
  add("the handler of rejections throws, and that is handled", [throwingUnhandled](Log log) {
    sayExit(log);
    process::on<"uncaughtException">([log](std::exception_ptr e, ExceptionOrigin origin) {
      log("uncaught-", message(e), "-", name(origin));
    });
    throwingUnhandled(log);
    reject("x");
    setImmediate(log.say("immediate"));
  });
  add("the monitor does not handle", [](Log log) {
    sayExit(log);
    process::on<"uncaughtExceptionMonitor">([log](std::exception_ptr e, ExceptionOrigin origin) {
      log("monitor-", message(e), "-", name(origin));
    });
    setImmediate([] { fail("x"); });
  });
}

void ends(Cases& add) {
  add("beforeExit may arrange for more", [](Log log) {
    static int n;
    n = 0;
    process::on<"beforeExit">([log](int code) {
      log("beforeExit", code);
      if (++n < 3) setTimeout([log] { log("timer", n); }, 1);
    });
    sayExit(log);
    setImmediate(log.say("immediate"));
  });
  add("beforeExit with a promise and a tick only", [](Log log) {
    process::on<"beforeExit">([log, n = 0](int) mutable {
      log("beforeExit");
      if (++n > 1) return;
      (void)P().then(log.say("micro"));
      nextTick(log.say("tick"));
    });
    process::on<"exit">([log](int) { log("exit"); });
  });
  add("exit is synchronous", [](Log log) {
    process::on<"exit">([log](int) {
      log("exit");
      setTimeout(log.say("never"), 1);
      setImmediate(log.say("never"));
      nextTick(log.say("never"));
    });
    (void)P().then(log.say("micro"));
  });
  add("process.exitCode", [](Log log) {
    process::on<"beforeExit">([log](int code) { log("beforeExit", code); });
    sayExit(log);
    process::setExitCode(3);
  });
  add("process.exitCode set by exit", [](Log log) {
    process::on<"exit">([log](int code) {
      log("exit", code);
      process::setExitCode(5);
    });
  });
  add("an exception beats process.exitCode", [](Log log) {
    sayExit(log);
    process::setExitCode(3);
    setImmediate([] { fail("x"); });
  });
  add("exit throws", [](Log log) {
    process::on<"exit">([log](int) {
      log("exit");
      fail("x");
    });
  });
  add("exit throws, and that is handled", [](Log log) {
    sayUncaught(log);
    process::on<"exit">([log](int code) {
      log("exit", code);
      fail("x");
    });
  });
  add("beforeExit throws, and that is handled", [](Log log) {
    sayUncaught(log);
    process::on<"beforeExit">([log, n = 0](int) mutable {
      log("beforeExit");
      if (++n == 1) fail("x");
    });
    sayExit(log);
  });
  add("beforeExit throws", [](Log log) {
    process::on<"beforeExit">([log](int) {
      log("beforeExit");
      fail("x");
    });
    sayExit(log);
  });
}

void leaving(Cases& add) {
  add("process.exit in a timer", [](Log log) {
    process::on<"beforeExit">(log.say("never"));
    sayExit(log);
    const auto timer = [log] {
      nextTick(log.say("never"));
      (void)P().then(log.say("never"));
      process::exit(5);
    };
    setTimeout(timer, 1);
    setTimeout(log.say("never"), 1);
  });
  add("process.exit in an exit listener", [](Log log) {
    process::on<"exit">([log](int code) {
      log("exit", code);
      process::exit(3);
    });
    process::on<"exit">([log](int code) { log("second", code); });
  });
  add("process.exit in a microtask of main", [](Log log) {
    sayExit(log);
    (void)P().then([log] {
      log("micro");
      process::setExitCode(5);
      process::exit();
    });
    (void)P().then(log.say("never"));
    nextTick(log.say("tick"));
  });
  add("two listeners of one event", [](Log log) {
    process::on<"beforeExit">(log.say("beforeExit-a"));
    process::on<"exit">(log.say("exit-a"));
    process::on<"beforeExit">(log.say("beforeExit-b"));
    process::on<"exit">(log.say("exit-b"));
  });
}

void holding(Cases& add) {
  const auto sayEnd = [](Log log) { process::on<"exit">([log](int) { log("exit"); }); };
  add("an unreferenced timer, interval and immediate do not hold", [sayEnd](Log log) {
    setTimeout(log.say("never"), 60000).unref();
    setInterval(log.say("never"), 60000).unref();
    sayEnd(log);
  });
  add("a timer referenced again holds", [sayEnd](Log log) {
    setTimeout(log.say("timer"), 3).unref().ref();
    sayEnd(log);
  });
  add("a pending promise does not hold", [](Log log) {
    static auto never = Promise<>::withResolvers();
    const auto waiting = [](Log l, Promise<> p) -> Promise<> {
      l("waiting");
      co_await p;
      l("never");
    };
    (void)waiting(log, never.promise);
    sayExit(log);
  });
  add("a cleared timer does not hold", [sayEnd](Log log) {
    clearTimeout(setTimeout(log.say("never"), 60000));
    clearInterval(setInterval(log.say("never"), 60000));
    clearImmediate(setImmediate(log.say("never")));
    sayEnd(log);
  });
  add("the signal of a timeout does not hold", [sayEnd](Log log) {
    static AbortRegistration listener;
    listener = AbortSignal::timeout(60000).onAbort(log.say("never"));
    sayEnd(log);
  });
  add("an aborted sleep does not hold", [](Log log) -> Promise<> {
    AbortController c;
    setImmediate([c] { c.abort(); });
    try {
      co_await sleep(60000, {.signal = c.signal()});
    } catch (const AbortError& e) {
      log(e.name());
    }
  });
  add("an unreferenced immediate runs while something else holds", [](Log log) {
    setImmediate(log.say("unref")).unref();
    setTimeout(log.say("timer"), 500);
  });
  add("a listener for a signal does not hold", [sayEnd](Log log) {
    process::on<"SIGUSR2">(log.say("never"));
    process::once<"SIGTERM">(log.say("never"));
    sayEnd(log);
  });
}

// ---- signals that end the process: nobody listens any more ----

/// A timer holds, so that the process ends by the signal only.
Timeout holdOn(Log log) { return setTimeout(log.say("still-there"), 20000); }

void fatalSignals(Cases& add) {
  add("the default action is back with the last listener", [](Log log) {
    static Listener listener;
    listener = process::on<"SIGUSR2">([log](const std::string& signal) {
      log(signal);
      process::off<"SIGUSR2">(listener);
      log(process::listenerCount<"SIGUSR2">());
      ::kill(::getpid(), SIGUSR2);
      log("never");
    });
    process::on<"exit">(log.say("never-exit"));
    holdOn(log);
    ::kill(::getpid(), SIGUSR2);
  });
  add("the default action is back inside of a listener for one signal", [](Log log) {
    process::once<"SIGTERM">([log](const std::string& signal) {
      log(signal);
      ::kill(::getpid(), SIGTERM);
      log("never");
    });
    holdOn(log);
    ::kill(::getpid(), SIGTERM);
  });
  add("the default action is back when all listeners are removed", [](Log log) {
    process::on<"SIGTERM">(log.say("never"));
    process::on<"SIGTERM">(log.say("never"));
    process::removeAllListeners<"SIGTERM">();
    holdOn(log);
    log("raise");
    ::kill(::getpid(), SIGTERM);
    log("never");
  });
  add("there is no default action while one listener is left", [](Log log) {
    const Timeout hold = holdOn(log);
    const Listener first = process::on<"SIGUSR2">(log.say("never"));
    process::on<"SIGUSR2">([log, hold](const std::string& signal) {
      log(signal);
      clearTimeout(hold);
    });
    process::off<"SIGUSR2">(first);
    ::kill(::getpid(), SIGUSR2);
    log("raised");
  });
  add("the default action of another signal than the one that is listened for", [](Log log) {
    process::on<"SIGUSR2">(log.say("never"));
    holdOn(log);
    log("raise");
    ::kill(::getpid(), SIGTERM);
    log("never");
  });
}

// ---- files: one thread does them, so that they are done in their row ----

Promise<> askFor(Log log, const char* name, const char* path) {
  std::string code = "ok";
  try {
    co_await fs::access(path);
  } catch (const Error& e) {
    code = e.code();
  }
  log(name, code);
  nextTick([log, name] { log(name, "-tick"); });
  (void)P().then([log, name] { log(name, "-micro"); });
}

void failedFiles(Cases& add) {
  add("operations on files that fail are told between those that do not", [](Log log) {
    ::setenv("LEAT_BLOCKING_MAX", "1", 1);
    (void)askFor(log, "a", "/");
    (void)askFor(log, "b", "/leat/is/nowhere");
    (void)askFor(log, "c", "/");
    (void)askFor(log, "d", "/leat/is/nowhere");
    (void)askFor(log, "e", "/");
    // Most of them, or all, are done before anybody looks.
    busy(50);
    log("asked");
  });
}

// ---- standard input: what is given is asked for by a word ----

void give(Log log, std::string_view bytes) { log("give-", Buffer::from(bytes).toString("hex")); }
void giveEnd(Log log) { log("give-end"); }
/// Of a file node tells no "close".
template <class S>
void told(Log log, const S& s, bool closes = true) {
  s.template on<"end">(log.say("end"));
  s.template on<"pause">(log.say("pause"));
  s.template on<"resume">(log.say("resume"));
  if (closes) s.template on<"close">(log.say("close"));
  s.template on<"error">([log](const std::exception_ptr& e) { log("error-", text(e)); });
  sayExit(log);
}
Writable<Buffer> bytesSink(Log log) {
  return Writable<Buffer>([log](const Buffer& chunk, const StreamCallback& callback) {
    log("w-", show(chunk));
    callback();
  });
}

void streamedStdin(Cases& add, const std::string& what) {
  add("stdin of " + what + ": data, and the end", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log, left = 2](const Buffer& chunk) mutable {
      log("data-", show(chunk));
      if (left-- > 0) {
        give(log, "more" + std::to_string(left));
      } else {
        giveEnd(log);
      }
    });
    give(log, "first");
  });
  add("stdin of " + what + ": nobody reads", [](Log log) {
    told(log, process::stdin_());
    give(log, "never");
  });
  add("stdin of " + what + ": paused, it does not hold", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log, s](const Buffer& chunk) {
      log("data-", show(chunk));
      // Not inside of the listener: there node asks for more once again, and that holds.
      setImmediate([log, s] {
        s.pause();
        give(log, "never");
      });
    });
    give(log, "first");
  });
  add("stdin of " + what + ": paused and resumed", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log, s](const Buffer& chunk) {
      log("data-", show(chunk));
      if (show(chunk) != "one") return giveEnd(log);
      s.pause();
      give(log, "two");
      const auto timer = [log, s] {
        log("timer");
        s.resume();
      };
      setTimeout(timer, 20);
    });
    give(log, "one");
  });
  add("stdin of " + what + ": the end alone", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log](const Buffer&) { log("never"); });
    giveEnd(log);
  });
  add("stdin of " + what + ": destroyed inside of data", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log, s](const Buffer& chunk) {
      log("data-", show(chunk));
      s.destroy();
    });
    give(log, "first");
  });
}

void readStdin(Cases& add) {
  add("stdin of a pipe: resumed without a listener", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.resume();
    give(log, "first");
    setTimeout([log] { giveEnd(log); }, 20);
  });
  add("stdin of a pipe: readable and read", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"readable">([log, s] {
      const auto chunk = s.read();
      log("got-", show(chunk));
      if (!chunk) return;
      show(*chunk) == "one" ? give(log, "two") : giveEnd(log);
    });
    give(log, "one");
  });
  add("stdin of a pipe: text", [](Log log) {
    const Readable<std::string> s = process::stdin_().setEncoding("utf8");
    told(log, s);
    s.on<"data">([log](const std::string& piece) {
      log("data-", piece);
      piece == "a" ? give(log, "\x82\xac\xc3") : giveEnd(log);
    });
    give(log, "a\xe2");
  });
  add("stdin of a pipe: a loop to the end", [](Log log) -> Promise<> {
    const auto s = process::stdin_();
    told(log, s, false);
    give(log, "one");
    const auto chunks = s.iterator();
    while (const auto chunk = co_await chunks.next()) {
      log("got-", show(*chunk));
      show(*chunk) == "one" ? give(log, "two") : giveEnd(log);
    }
    log("after");
  });
  add("stdin of a pipe: a loop that is left", [](Log log) -> Promise<> {
    const auto s = process::stdin_();
    s.on<"close">([log, s] { log(s.destroyed() ? "destroyed" : "goes on"); });
    give(log, "one");
    const auto chunks = s.iterator();
    while (const auto chunk = co_await chunks.next()) {
      log("got-", show(*chunk));
      if (show(*chunk) == "two") break;
      give(log, "two");
    }
  });
  add("stdin of a pipe: piped", [](Log log) {
    const auto s = process::stdin_();
    const auto w = bytesSink(log);
    told(log, s);
    w.on<"finish">(log.say("finish"));
    s.once<"data">([log](const Buffer&) { setTimeout([log] { giveEnd(log); }, 20); });
    s.pipe(w);
    give(log, "one");
  });
  add("stdin of a pipe: in a pipeline", [](Log log) {
    const auto s = process::stdin_();
    const auto w = bytesSink(log);
    w.on<"finish">(log.say("finish"));
    s.once<"data">([log](const Buffer&) { giveEnd(log); });
    pipeline(s, w, [log](const std::exception_ptr& e) { log("row-", e ? text(e) : "ok"); });
    give(log, "one");
  });
}

void failingStdin(Cases& add) {
  const auto fails = [](Log log) {
    const auto s = process::stdin_();
    s.on<"data">([log, s](const Buffer& chunk) {
      log("data-", show(chunk));
      s.destroy(error("boom"));
    });
    give(log, "first");
  };
  add("stdin of a pipe: it fails", [fails](Log log) {
    told(log, process::stdin_());
    fails(log);
  });
  add("stdin of a pipe: an error that nobody listens to", [fails](Log log) {
    sayExit(log);
    fails(log);
  });
  add("stdin of a pipe: aborted by a signal", [](Log log) {
    AbortController abort;
    const auto s = process::stdin_();
    addAbortSignal(abort.signal(), s);
    told(log, s);
    s.on<"data">([log, abort](const Buffer& chunk) mutable {
      log("data-", show(chunk));
      abort.abort();
    });
    give(log, "one");
  });
  add("stdin of a pipe: the process ends inside of data", [](Log log) {
    const auto s = process::stdin_();
    told(log, s);
    s.on<"data">([log](const Buffer& chunk) {
      log("data-", show(chunk));
      process::exit(5);
    });
    give(log, "one");
  });
}

void stdinOfFiles(Cases& add) {
  for (const std::string what : {"a file", "/dev/null"}) {
    add("stdin of " + what + ": data, and the end", [](Log log) {
      const auto s = process::stdin_();
      told(log, s, false);
      s.on<"data">([log](const Buffer& chunk) { log("data-", show(chunk)); });
    });
    add("stdin of " + what + ": nobody reads", [](Log log) { told(log, process::stdin_()); });
    add("stdin of " + what + ": a loop to the end", [](Log log) -> Promise<> {
      const auto chunks = process::stdin_().iterator();
      while (const auto chunk = co_await chunks.next()) log("got-", show(*chunk));
      log("after");
    });
  }
  add("stdin of a file: paused and resumed", [](Log log) {
    const auto s = process::stdin_();
    told(log, s, false);
    s.on<"data">([log, s](const Buffer& chunk) {
      log("data-", show(chunk));
      s.pause();
      const auto timer = [log, s] {
        log("timer");
        s.resume();
      };
      setTimeout(timer, 5);
    });
  });
}

/// Says `spinning` once, when everything else has long been due.
class Spinner {
 public:
  explicit Spinner(Log log) noexcept : log_(log), start_(std::chrono::steady_clock::now()) {}
  bool due() {
    if (told_ || std::chrono::steady_clock::now() < start_ + std::chrono::milliseconds(30))
      return false;
    return told_ = true;
  }
  void say() {
    if (due()) log_("spinning");
  }
  Log log() const noexcept { return log_; }

 private:
  Log log_;
  std::chrono::steady_clock::time_point start_;
  bool told_ = false;
};

void pipedStdout(Cases& add) {
  add("what is piped into standard output does not end it, a pipeline does", [](Log log) {
    const auto out = process::stdout_();
    out.on<"pipe">(log.say("pipe"));
    out.on<"unpipe">(log.say("unpipe"));
    out.on<"finish">(log.say("finish"));
    const auto first = readableFrom("one\n"), second = readableFrom("two\n");
    first.pipe(out);
    first.on<"end">([out, second] { second.pipe(out); });
    second.on<"end">([log, out] {
      readableFrom("").pipe(process::stderr_());
      setImmediate([log, out] {
        log(yesNo(out.writable()), yesNo(out.writableEnded()),
            yesNo(process::stderr_().writableEnded()));
        out.write("three\n");
        pipeline(readableFrom("four\n"), out,
                 [log](const std::exception_ptr& error) { log(error ? text(error) : "over"); });
      });
    });
  });
}

void starvation(Cases& add) {
  add("starved: ticks let nothing through", [](Log log) {
    setTimeout(log.say("timer"), 1);
    setImmediate(log.say("immediate"));
    (void)P().then(log.say("micro"));
    struct Again {
      Spinner spinner;
      void operator()() {
        spinner.say();
        nextTick(*this);
      }
    };
    nextTick(Again{Spinner(log)});
  });
  add("starved: microtasks let nothing through", [](Log log) {
    setTimeout(log.say("timer"), 1);
    setImmediate(log.say("immediate"));
    struct Again {
      Spinner spinner;
      void operator()() {
        if (spinner.due()) {
          nextTick(spinner.log().say("tick"));
          spinner.log()("spinning");
        }
        queueMicrotask(*this);
      }
    };
    queueMicrotask(Again{Spinner(log)});
  });
  add("starved: an async loop lets nothing through", [](Log log) -> Promise<> {
    Spinner spinner(log);
    setTimeout(log.say("timer"), 1);
    for (;;) {
      co_await yield();
      spinner.say();
    }
  });
}

Promise<> steps(Log log) {
  log("async");
  co_await yield();
  log("async2");
}

}  // namespace

void exitCases(Cases& add) {
  add("a main script: ticks, microtasks, timers", [](Log log) {
    setTimeout(log.say("timeout"), 1);
    (void)P().then(log.say("micro"));
    nextTick(log.say("tick"));
    (void)steps(log);
    log("main");
  });
  exceptions(add);
  rejections(add);
  handlersThatThrow(add);
  ends(add);
  leaving(add);
  holding(add);
  fatalSignals(add);
  failedFiles(add);
  streamedStdin(add, "a pipe");
  streamedStdin(add, "a socket");
  readStdin(add);
  failingStdin(add);
  stdinOfFiles(add);
  pipedStdout(add);
  starvation(add);
}

}  // namespace order
