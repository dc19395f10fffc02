// SPDX-License-Identifier: MIT
// Beside stream_corners.js: what the random programs of streams found, in a few lines each.

#include "../streams.hpp"

namespace order {
namespace {

using Ints = Readable<int>;
using Sink = Writable<int>;
using Both = Duplex<int, int>;

Promise<> row(Log log, const Promise<>& promise, const char* word = "row") {
  return promise.then([log, word] { log(word, "-ok"); },
                      [log, word](std::exception_ptr error) { log(word, "-", text(error)); });
}
void uncaught(Log log) {
  process::on<"uncaughtException">(
      [log](const std::exception_ptr& error) { log("uncaught-", text(error)); });
}
Both plainDuplex() {
  return Both(Impl{reads([](Both&) {}), writes([](int, StreamCallback callback) { callback(); })});
}
Sink refusing(StreamOptions options = {}) {
  return Sink([](int, StreamCallback callback) { callback(error("full")); }, options);
}

template <class When>
void abortedCase(Cases& add, const char* name, When when) {
  add(std::string("a pipeline of an aborted signal, begun ") + name, [when](Log log) {
    AbortController ac;
    const Ints r = manual();
    const Sink w = sink(log);
    watch(log, r, "r:", true);
    watch(log, w, "w:", true);
    ac.abort();
    when([log, r, w, signal = ac.signal()] {
      row(log, pipeline({.signal = signal}, r, w));
      ladder(log, 2);
    });
  });
}

void nestedCase(Cases& add) {
  add("a pipeline that begins inside another one is aborted after it", [](Log log) {
    AbortController ac;
    const Ints r = manual(), q = manual();
    const Sink w = sink(log);
    watch(log, r, "r:");
    watch(log, q, "q:");
    w.once<"pipe">([log, q, w, signal = ac.signal()] {
      row(log, pipeline({.signal = signal}, q, w), "inner");
    });
    row(log, pipeline({.signal = ac.signal()}, r, w), "outer");
    setImmediate([ac]() mutable { ac.abort(); });
  });
}

void failedStageCases(Cases& add) {
  add("a pipeline with a stage that has failed", [](Log log) {
    const Ints r = manual();
    const Both d = plainDuplex();
    const Sink w = sink(log);
    watch(log, r, "r:");
    watch(log, d, "d:");
    watch(log, w, "w:");
    d.destroy(error("before"));
    d.on<"error">([log, r, d, w] { row(log, pipeline(r, d, w)); });
  });
  add("a pipeline with a sink that is about to fail, and a source that is destroyed", [](Log log) {
    const Ints r = manual();
    const PassThrough<int> p;
    const Sink w = refusing();
    watch(log, p, "p:");
    watch(log, w, "w:");
    r.destroy();
    w.write(1);
    row(log, pipeline(r, p, w));
  });
}

void abortedStageCase(Cases& add) {
  add("a pipeline with a stage that is aborted, and could not be constructed either", [](Log log) {
    AbortController ac;
    const Ints r = manual();
    watch(log, r, "r:");
    const auto slowly = constructs([](StreamCallback callback) {
      setImmediate([callback] { setImmediate([callback] { callback(); }); });
    });
    const auto none = transforms([](int, TransformCallback<int, int> callback) { callback(); });
    const Transform<int, int> t(Impl{slowly, none});
    const auto badly = constructs([](StreamCallback callback) { callback(error("construct")); });
    const auto write = writes([](int, StreamCallback callback) { callback(); });
    const Sink w(Impl{badly, write});
    watch(log, t, "t:");
    watch(log, w, "w:");
    row(log, pipeline(r, t, w));
    addAbortSignal(ac.signal(), w);
    ac.abort();
  });
}

void lastStageCases(Cases& add) {
  add("an error of the last stage after the end of the pipeline is nobody's, if it can be read",
      [](Log log) {
        uncaught(log);
        const Ints r = counting(1);
        const PassThrough<int> p;
        const auto then = [log, p] {
          log(state(p));
          p.write(1);
        };
        row(log, pipeline(r, p)).then(then);
      });
  add("an error of the last stage after the end of the pipeline, which did not end it",
      [](Log log) {
        uncaught(log);
        const Ints r = counting(1);
        const PassThrough<int> p;
        const auto then = [log, p] {
          log(state(p));
          p.destroy(error("late"));
        };
        row(log, pipeline({.end = false}, r, p)).then(then);
      });
}

void unconstructedCase(Cases& add) {
  add("destroyed without an error, after one, before it is constructed", [](Log log) {
    const auto construct =
        constructs([](StreamCallback callback) { setImmediate([callback] { callback(); }); });
    const auto destroy = destroys([log](const std::exception_ptr& error, StreamCallback callback) {
      log("destroy-", error ? text(error) : "none");
      callback(error);
    });
    const auto write = writes([](int, StreamCallback callback) { callback(); });
    const Sink w(Impl{construct, write, destroy}, {.autoDestroy = false});
    watch(log, w, "", true);
    w.end();
    w.write(1);
    w.destroy();
  });
}

void signalCases(Cases& add) {
  add("addAbortSignal of what has ended, and is not destroyed", [](Log log) {
    AbortController ac;
    const Ints r = counting(1, {.autoDestroy = false});
    const Sink w = sink(log, now, {.autoDestroy = false});
    const Both d = plainDuplex();
    watch(log, d, "d:");
    watch(log, r, "r:");
    watch(log, w, "w:");
    addAbortSignal(ac.signal(), r);
    addAbortSignal(ac.signal(), w);
    addAbortSignal(ac.signal(), d);
    r.resume();
    w.end();
    d.end();
    setImmediate([log, ac, r, w, d]() mutable {
      ac.abort();
      log(state(r), state(w), state(d));
    });
  });
  add("addAbortSignal of what has failed, and is not destroyed", [](Log log) {
    AbortController ac;
    const Sink w = refusing({.autoDestroy = false});
    watch(log, w);
    addAbortSignal(ac.signal(), w);
    w.write(1);
    setImmediate([log, ac, w]() mutable {
      ac.abort();
      log(state(w));
    });
  });
  add("addAbortSignal, and nobody listens for \"error\"", [](Log log) {
    uncaught(log);
    AbortController ac;
    const Ints r = addAbortSignal(ac.signal(), manual());
    r.on<"close">(log.say("close"));
    ac.abort();
    log(state(r));
  });
}

template <class S>
std::string asked(const S& s) {
  std::string all;
  for (const bool is : {isReadable(s), isWritable(s), isErrored(s), isDisturbed(s)})
    all += is ? '1' : '0';
  return all;
}
template <class S, class F, class... More>
void askSteps(Log log, const S& s, F step, More... more) {
  step(s);
  log("now", asked(s));
  nextTick([=] {
    log("tick", asked(s));
    setImmediate([=] {
      log("later", asked(s));
      if constexpr (sizeof...(more) > 0) askSteps(log, s, more...);
    });
  });
}
template <class Make, class... Steps>
void ask(Cases& add, const char* name, Make make, Steps... steps) {
  const auto body = [=](Log log) {
    const auto s = make(log);
    s.template on<"error">([=] { log("error", asked(s)); });
    s.template on<"close">([=] { log("close", asked(s)); });
    log(asked(s));
    askSteps(log, s, steps...);
  };
  add(std::string("isReadable, isWritable, isErrored, isDisturbed of ") + name, body);
}

void askedCases(Cases& add) {
  const auto gone = [](const auto& s) { s.destroy(error("x")); };
  const auto destroy = [](const auto& s) { s.destroy(); };
  const auto resume = [](const auto& s) { s.resume(); };
  const auto end = [](const auto& s) { s.end(); };
  const auto write = [](const auto& s) { s.write(1); };
  const auto pushAndRead = [](const auto& s) {
    s.push(1);
    (void)s.read();
  };
  const auto silent = [](Log) { return manual(); };
  const auto failing = [](Log) {
    const auto fail = [](Ints&) { throw error("x"); };
    return Ints(fail, {.autoDestroy = false});
  };
  const auto half = [](DuplexOptions options) {
    return [options](Log) {
      const auto take = writes([](int, StreamCallback callback) { callback(); });
      return Both(Impl{reads([](Both&) {}), take}, options);
    };
  };
  ask(
      add, "a source that is read", [](Log) { return counting(2); },
      [](const Ints& s) { (void)s.read(); }, resume);
  ask(add, "a source that is destroyed", silent, destroy);
  ask(add, "a source that fails", silent, gone);
  ask(add, "a source that fails and is not destroyed", failing,
      [](const Ints& s) { (void)s.read(0); });
  ask(
      add, "a source that fails after its end",
      [](Log) { return counting(0, {.autoDestroy = false}); }, resume, gone);
  ask(add, "a sink that ends", [](Log log) { return sink(log, immediate); }, write, end);
  ask(add, "a sink that is destroyed", [](Log log) { return sink(log); }, destroy);
  ask(add, "a sink that fails", [](Log) { return refusing(); }, write);
  ask(add, "a Duplex", [](Log) { return plainDuplex(); }, end, pushAndRead, gone);
  ask(add, "a Duplex without a readable side", half({.readable = false}), write, gone);
  ask(add, "a Duplex without a writable side", half({.writable = false}), pushAndRead, destroy);
  ask(
      add, "a PassThrough", [](Log) { return PassThrough<int>(); },
      [](const PassThrough<int>& s) { s.end(1); }, resume);
}

}  // namespace

void streamCornerCases(Cases& add) {
  add.topic("stream_corners");
  abortedCase(add, "now", now);
  abortedCase(add, "micro", micro);
  abortedCase(add, "immediate", immediate);
  nestedCase(add);
  failedStageCases(add);
  abortedStageCase(add);
  lastStageCases(add);
  unconstructedCase(add);
  signalCases(add);
  askedCases(add);
}

}  // namespace order
