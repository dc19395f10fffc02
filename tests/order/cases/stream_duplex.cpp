// SPDX-License-Identifier: MIT
// Beside stream_duplex.js: Duplex, Transform and PassThrough, and what one side does to the other.

#include "../streams.hpp"

#include <memory>

namespace order {
namespace {

using Both = Duplex<int>;
using Trans = Transform<int>;
using Answer = TransformCallback<int, int>;

void tellUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr error) { log("uncaught-", text(error)); });
}
auto loudly(Log log) {
  return destroys([log](std::exception_ptr error, StreamCallback callback) {
    log("destroy-", error ? text(error) : "");
    callback(error);
  });
}
auto countsTo(int n) {
  return reads([n, i = 0](Both& self) mutable {
    if (i < n) {
      self.push(++i);
    } else {
      self.push(nullptr);
    }
  });
}
/// Pushes 1 to n when asked; says what it is written.
template <class When = Now>
Both duplex(Log log, int n, When when = {}, DuplexOptions options = {}) {
  return Both(Impl{countsTo(n), sinkImpl(log, when)}, options);
}
template <class When, class... Hooks>
Both duplexWith(Log log, int n, When when, Hooks... hooks) {
  return Both(Impl{countsTo(n), sinkImpl(log, when), std::move(hooks)...});
}
template <class When = Now>
auto tens(Log log, When when = {}) {
  if constexpr (returns<When>) {
    return transforms([log](int chunk) {
      log("x", chunk);
      return chunk * 10;
    });
  } else {
    return transforms([log, when](int chunk, Answer answer) {
      log("x", chunk);
      when([answer, chunk] { answer(nullptr, chunk * 10); });
    });
  }
}
template <class When = Now>
Trans times10(Log log, When when = {}, DuplexOptions options = {}) {
  return Trans(tens(log, when), options);
}
template <class S, class... A>
void tellWrite(Log log, const S& w, A... args) {
  const bool room = w.write(std::move(args)...);
  log(yesNo(room), state(w));
}
template <class S, class... A>
void tellRoom(Log log, const S& w, A... args) {
  const bool room = w.write(std::move(args)...);
  log(yesNo(room));
}
constexpr const char* doneWords[] = {"done0", "done1", "done2", "done3", "done4", "done5"};

template <class When>
void duplexTimedCases(Cases& add, const std::string& name, When when) {
  add("a duplex that ends on both sides, writes done " + name, [when](Log log) {
    const Both d = duplex(log, 2, when);
    watch(log, d, "", true);
    onData(log, d);
    d.write(1);
    d.write(2, done(log, "two"));
    d.end(done(log, "end"));
    log(state(d));
    ladder(log);
  });
  add("without allowHalfOpen, writes done " + name, [when](Log log) {
    const Both d = duplex(log, 2, when, {.allowHalfOpen = false});
    watch(log, d, "", true);
    onData(log, d);
    d.write(1);
    d.write(2, done(log, "two"));
    ladder(log);
  });
  add("a duplex whose write fails " + name, [when](Log log) {
    const Both d(Impl{countsTo(3), writes([log, when](int chunk, StreamCallback callback) {
                        log("w", chunk);
                        when([callback] { callback(error("boom")); });
                      }),
                      loudly(log)});
    watch(log, d, "", true);
    d.on<"readable">([log, d] {
      const std::string got = show(d.read());
      log("readable", got);
    });
    d.write(1, done(log, "one"));
    d.write(2, done(log, "two"));
    d.end(done(log, "end"));
    ladder(log);
  });
  add("a duplex is constructed " + name, [when](Log log) {
    const Both d = duplexWith(log, 2, now, constructs([log, when](StreamCallback callback) {
                                log("construct");
                                when([callback] { callback(); });
                              }));
    watch(log, d);
    onData(log, d);
    d.write(1, done(log, "one"));
    d.end(done(log, "end"));
    log(state(d));
    ladder(log);
  });
  add("the construction of a duplex fails " + name, [when](Log log) {
    const Both d = duplexWith(log, 2, now, constructs([when](StreamCallback callback) {
                                when([callback] { callback(error("boom")); });
                              }),
                              loudly(log));
    watch(log, d, "", true);
    onData(log, d);
    d.write(1, done(log, "one"));
    ladder(log);
  });
}

void halfOpenCases(Cases& add) {
  add("the readable side ends, the other stays", [](Log log) {
    const Both d = duplex(log, 1);
    watch(log, d, "", true);
    d.resume();
    ladder(log);
    setImmediate([log, d] {
      log(state(d));
      d.end(1);
    });
  });
  add("the writable side ends, the other stays", [](Log log) {
    const Both d = duplex(log, 1);
    watch(log, d, "", true);
    d.end(1);
    ladder(log);
    setImmediate([log, d] {
      log(state(d));
      d.resume();
    });
  });
  add("without allowHalfOpen the writable side may end first", [](Log log) {
    const Both d = duplex(log, 1, now, {.allowHalfOpen = false});
    watch(log, d);
    d.end();
    ladder(log);
    setImmediate([log, d] {
      log(state(d));
      d.resume();
    });
  });
  add("without allowHalfOpen, destroyed in end", [](Log log) {
    const Both d = duplex(log, 1, now, {.allowHalfOpen = false});
    watch(log, d);
    d.on<"end">([d] { d.destroy(); });
    d.resume();
    ladder(log);
  });
  add("without allowHalfOpen, ended in end", [](Log log) {
    const Both d = duplex(log, 1, now, {.allowHalfOpen = false});
    watch(log, d);
    d.on<"end">([log, d] { d.end(7, done(log, "end")); });
    d.resume();
    ladder(log);
  });
  add("readable: false", [](Log log) {
    const Both d = duplex(log, 1, now, {.readable = false});
    watch(log, d, "", true);
    const std::string before = state(d);
    log(before, show(d.read()));
    d.write(1);
    d.end();
    ladder(log);
  });
  add("writable: false", [](Log log) {
    const Both d = duplex(log, 2, now, {.writable = false});
    watch(log, d, "", true);
    log(state(d));
    onData(log, d);
    ladder(log);
  });
  add("a write to a duplex with writable: false", [](Log log) {
    const Both d = duplex(log, 2, now, {.writable = false});
    watch(log, d, "", true);
    tellWrite(log, d, 1, done(log, "one"));
    d.end(done(log, "end"));
    ladder(log);
  });
  add("a push to a duplex with readable: false", [](Log log) {
    const Both d = duplex(log, 2, now, {.readable = false});
    watch(log, d, "", true);
    const bool room = d.push(1);
    log(yesNo(room), state(d));
    ladder(log);
  });
}

void duplexEndCases(Cases& add) {
  add("a duplex destroyed while both sides are busy", [](Log log) {
    const Both d = duplexWith(log, 5, immediate, loudly(log));
    watch(log, d, "", true);
    d.on<"data">([log, d](int c) {
      log("data", c);
      if (c == 2) d.destroy();
    });
    d.write(1, done(log, "one"));
    d.write(2, done(log, "two"));
    d.end(done(log, "end"));
    ladder(log);
  });
  add("a duplex destroyed with an error that nobody hears", [](Log log) {
    tellUncaught(log);
    const Both d = duplex(log, 5);
    d.on<"close">(log.say("close"));
    d.write(1, done(log, "one"));
    d.destroy(error("boom"));
    ladder(log);
    setImmediate([log, d] { log(state(d)); });
  });
  add("push after the end of a duplex", [](Log log) {
    const Both d = duplex(log, 0, immediate);
    watch(log, d);
    d.resume();
    d.write(1, done(log, "one"));
    d.once<"end">([log, d] {
      log(yesNo(d.push(1)));
      log(state(d));
    });
    ladder(log);
  });
  add("a duplex with autoDestroy: false and emitClose: false", [](Log log) {
    const Both d = duplex(log, 1, now, {.emitClose = false, .autoDestroy = false});
    watch(log, d, "", true);
    d.resume();
    d.end();
    ladder(log);
    setImmediate([log, d] {
      d.destroy(error("boom"));
      log(state(d));
    });
  });
  add("marks of both sides", [](Log log) {
    const auto marks = [log](const auto& d) {
      log(d.readableHighWaterMark(), "-", d.writableHighWaterMark());
    };
    marks(duplex(log, 1));
    marks(duplex(log, 1, now, {.highWaterMark = 3}));
    marks(duplex(log, 1, now, {.readableHighWaterMark = 1, .writableHighWaterMark = 2}));
    marks(duplex(log, 1, now, {.highWaterMark = 3, .writableHighWaterMark = 2}));
    marks(times10(log, now, {.highWaterMark = 0}));
    marks(times10(log, now, {.readableHighWaterMark = 0}));
    marks(times10(log, now, {.readableHighWaterMark = 0, .writableHighWaterMark = 5}));
    marks(times10(log, now, {.highWaterMark = 0, .writableHighWaterMark = 5}));
    marks(PassThrough<Buffer>());
  });
  add("a duplex that echoes", [](Log log) {
    const Both d(Impl{reads([log](Both&) { log("read"); }),
                      writes([log](Both& self, int chunk, StreamCallback callback) {
                        const bool room = self.push(chunk);
                        log("w", chunk, yesNo(room));
                        tick([callback] { callback(); });
                      }),
                      finals([log](Both& self, StreamCallback callback) {
                        log("final");
                        self.push(nullptr);
                        callback();
                      })},
                 {.highWaterMark = 1});
    watch(log, d);
    onData(log, d);
    d.write(1);
    d.write(2);
    d.end(3);
    ladder(log);
  });
}

template <class When>
void transformTimedCases(Cases& add, const std::string& name, When when) {
  add("a transform that is done " + name, [when](Log log) {
    const Trans t = times10(log, when);
    watch(log, t, "", true);
    onData(log, t);
    tellWrite(log, t, 1);
    tellWrite(log, t, 2);
    t.end(done(log, "end"));
    ladder(log);
  });
  add("a transform and readable, done " + name, [when](Log log) {
    const Trans t = times10(log, when, {.highWaterMark = 2});
    watch(log, t);
    t.template on<"readable">([log, t] {
      log("readable", state(t));
      while (const auto c = t.read()) log("got", *c);
    });
    for (int i = 1; i < 5; i++) tellRoom(log, t, i);
    t.end();
    ladder(log);
  });
  add("a transform that nobody reads, done " + name, [when](Log log) {
    const Trans t = times10(log, when, {.highWaterMark = 2});
    watch(log, t);
    for (int i = 1; i < 6; i++) tellWrite(log, t, i, done(log, doneWords[i]));
    t.end(done(log, "end"));
    ladder(log);
    setImmediate([log, t] {
      setImmediate([log, t] {
        log(state(t));
        onData(log, t);
      });
    });
  });
  add("a mark of 1, a transform that is done " + name, [when](Log log) {
    const Trans t = times10(log, when, {.highWaterMark = 1});
    watch(log, t, "", true);
    onData(log, t);
    const auto more = [t, i = std::make_shared<int>(0)] {
      while (*i < 3)
        if (!t.write(++*i)) return;
      t.end();
    };
    t.template on<"drain">(more);
    more();
    ladder(log);
  });
}

template <class When>
void flushCases(Cases& add, const std::string& name, When when) {
  add("flush " + name, [when](Log log) {
    const Trans t(Impl{tens(log), flushes([log, when](Trans& self, Answer answer) {
                         log("flush");
                         when([self, answer] {
                           self.push(98);
                           answer(nullptr, 99);
                         });
                       })});
    watch(log, t, "", true);
    onData(log, t);
    t.write(1);
    t.end(done(log, "end"));
    ladder(log);
  });
  add("flush fails " + name, [when](Log log) {
    const Trans t(Impl{tens(log), flushes([log, when](Answer answer) {
                         log("flush");
                         when([answer] { answer(error("boom")); });
                       })});
    watch(log, t);
    onData(log, t);
    t.end(1, done(log, "end"));
    ladder(log);
  });
  add("a transform fails " + name, [when](Log log) {
    const Trans t(transforms([log, when](int chunk, Answer answer) {
      log("x", chunk);
      when([chunk, answer] { chunk == 2 ? answer(error("boom")) : answer(nullptr, chunk); });
    }));
    watch(log, t, "", true);
    onData(log, t);
    for (int i = 1; i < 4; i++) t.write(i, done(log, doneWords[i]));
    t.end(done(log, "end"));
    ladder(log);
  });
  add("destroyed while it transforms, done " + name, [when](Log log) {
    const Trans t(Impl{tens(log, when), loudly(log)});
    watch(log, t, "", true);
    onData(log, t);
    t.write(1, done(log, "one"));
    t.write(2, done(log, "two"));
    t.destroy();
    log(state(t));
    ladder(log);
  });
  add("destroyed in flush, done " + name, [when](Log log) {
    const Trans t(Impl{tens(log), flushes([log, when](Trans& self, Answer answer) {
                         log("flush");
                         self.destroy();
                         when([answer] { answer(nullptr, 99); });
                       })});
    watch(log, t);
    onData(log, t);
    t.end(1, done(log, "end"));
    ladder(log);
  });
}

void outputCases(Cases& add) {
  add("a transform that gives nothing", [](Log log) {
    const Trans t(transforms([log](int chunk, Answer answer) {
      log("x", chunk);
      answer();
    }));
    watch(log, t);
    onData(log, t);
    t.write(1);
    t.write(2);
    t.end();
    ladder(log);
  });
  add("a transform that gives many", [](Log log) {
    const Trans t(transforms([log](int chunk, Trans& self, Answer answer) {
                    for (int i = 0; i < 3; i++) log(yesNo(self.push(chunk * 10 + i)));
                    answer();
                  }),
                  {.highWaterMark = 2});
    watch(log, t);
    for (int i = 1; i < 4; i++) tellWrite(log, t, i);
    t.end();
    setImmediate([log, t] {
      onData(log, t);
      ladder(log);
    });
    ladder(log);
  });
  add("a transform that pushes and answers with one", [](Log log) {
    const Trans t(transforms([](int chunk, Trans& self, Answer answer) {
      self.push(chunk);
      answer(nullptr, -chunk);
    }));
    watch(log, t);
    onData(log, t);
    t.write(1);
    t.end(2);
    ladder(log);
  });
  add("a transform that pushes later", [](Log log) {
    const Trans t(transforms([log](int chunk, Trans& self, Answer answer) {
      answer();
      immediate([log, self, chunk] {
        const bool room = self.push(chunk);
        log(yesNo(room), state(self));
      });
    }));
    watch(log, t);
    onData(log, t);
    t.write(1);
    t.write(2);
    ladder(log);
    setImmediate([t] { setImmediate([t] { t.end(); }); });
  });
  add("a transform that ends its reading side itself", [](Log log) {
    const Trans t(transforms([log](int chunk, Trans& self, Answer answer) {
      log("x", chunk);
      self.push(chunk);
      if (chunk == 2) self.push(nullptr);
      answer();
    }));
    watch(log, t, "", true);
    onData(log, t);
    t.write(1);
    t.write(2, done(log, "two"));
    t.write(3, done(log, "three"));
    t.end(done(log, "end"));
    ladder(log);
  });
  add("a transform that ends its reading side and is written on", [](Log log) {
    const Trans t(transforms([log](int chunk, Trans& self, Answer answer) {
      log("x", chunk);
      if (chunk == 1) {
        self.push(nullptr);
      } else {
        self.push(chunk);
      }
      answer();
    }));
    watch(log, t, "", true);
    onData(log, t);
    t.write(1);
    ladder(log);
    setImmediate([log, t] { tellWrite(log, t, 2, done(log, "two")); });
  });
}

void transformErrorCases(Cases& add) {
  add("a transform throws to who writes", [](Log log) {
    const Trans t(transforms([](int, Answer) { throw error("boom"); }));
    watch(log, t, "", true);
    attempt(log, [t] { t.write(1); });
    log(state(t));
    ladder(log);
  });
  add("flush throws", [](Log log) {
    const Trans t(Impl{tens(log), flushes([](Answer) { throw error("boom"); })});
    watch(log, t);
    onData(log, t);
    attempt(log, [log, t] { t.end(done(log, "end")); });
    ladder(log);
  });
  add("a transform answers twice", [](Log log) {
    const Trans t(transforms([](int chunk, Answer answer) {
      answer(nullptr, chunk);
      answer(nullptr, chunk);
    }));
    watch(log, t, "", true);
    onData(log, t);
    t.write(1, done(log, "one"));
    ladder(log);
  });
  add("flush without a listener for what it gives", [](Log log) {
    const Trans t(Impl{tens(log), flushes([](Answer answer) { answer(nullptr, 99); })});
    watch(log, t, "", true);
    t.end();
    ladder(log);
    setImmediate([log, t] {
      const std::string before = state(t);
      const std::string first = show(t.read());
      log(before, first, show(t.read()));
    });
  });
  add("prefinish comes after flush", [](Log log) {
    const Trans t(Impl{tens(log), flushes([log](Answer answer) {
                         log("flush");
                         immediate([answer] { answer(); });
                       })});
    t.on<"prefinish">(log.say("prefinish"));
    watch(log, t);
    t.resume();
    t.end();
    ladder(log);
  });
  add("corked transform", [](Log log) {
    const Trans t = times10(log);
    watch(log, t, "", true);
    onData(log, t);
    t.cork();
    t.write(1);
    t.write(2);
    log(state(t));
    tick([t] {
      t.uncork();
      t.end(3);
    });
    ladder(log);
  });
  add("a transform without allowHalfOpen", [](Log log) {
    const Trans t(transforms([log](int chunk, Trans& self, Answer answer) {
                    log("x", chunk);
                    self.push(chunk);
                    self.push(nullptr);
                    answer();
                  }),
                  {.allowHalfOpen = false});
    watch(log, t);
    onData(log, t);
    t.write(1);
    ladder(log);
  });
  add("a transform of mark 0", [](Log log) {
    const Trans t = times10(log, now, {.highWaterMark = 0});
    watch(log, t, "", true);
    for (int i = 1; i < 4; i++) tellWrite(log, t, i);
    ladder(log);
    setImmediate([log, t] {
      onData(log, t);
      t.end();
    });
  });
  add("a transform is constructed", [](Log log) {
    const Trans t(Impl{tens(log), constructs([log](StreamCallback callback) {
                         log("construct");
                         immediate([callback] { callback(); });
                       })});
    watch(log, t);
    onData(log, t);
    t.write(1, done(log, "one"));
    t.end(done(log, "end"));
    ladder(log);
  });
  add("a transform without autoDestroy fails", [](Log log) {
    const Trans t(transforms([](int chunk, Answer answer) {
                    chunk == 1 ? answer(error("boom")) : answer(nullptr, chunk);
                  }),
                  {.autoDestroy = false});
    watch(log, t, "", true);
    onData(log, t);
    t.write(1, done(log, "one"));
    t.write(2, done(log, "two"));
    ladder(log);
  });
}

void passThroughCases(Cases& add) {
  add("a PassThrough passes on", [](Log log) {
    const PassThrough<int> p;
    watch(log, p, "", true);
    onData(log, p);
    p.write(1);
    p.write(2);
    p.end(3);
    log(state(p));
    ladder(log);
  });
  add("a PassThrough of bytes", [](Log log) {
    const PassThrough<Buffer> p({.highWaterMark = 4});
    watch(log, p);
    for (const char* each : {"abc", "def", "ghi"}) tellWrite(log, p, each);
    p.end();
    std::string got = show(p.read(4));
    log(got, state(p));
    got = show(p.read());
    log(got, state(p));
    onData(log, p);
    ladder(log);
  });
  add("a PassThrough that is read by readable", [](Log log) {
    const PassThrough<int> p({.highWaterMark = 2});
    watch(log, p);
    p.on<"readable">([log, p] {
      log("readable", state(p));
      const std::string got = show(p.read());
      log(got, state(p));
    });
    for (int i = 1; i < 5; i++) tellRoom(log, p, i);
    p.end();
    ladder(log);
  });
  add("a PassThrough that is ended and never read", [](Log log) {
    const PassThrough<int> p;
    watch(log, p, "", true);
    p.end(1, done(log, "end"));
    ladder(log);
    setImmediate([log, p] {
      log(state(p));
      p.destroy();
    });
  });
  add("a listener for data throws out of write", [](Log log) {
    const auto throwing = [log](const Both& s, const char* label) {
      watch(log, s, label, true);
      s.on<"data">([log, label](int c) {
        log(label, "data", c);
        throw error("boom");
      });
      attempt(log, [s] { s.write(1); });
      log(state(s));
      attempt(log, [s] { s.write(2); });
      log(state(s));
      setImmediate([s] { s.destroy(); });
    };
    throwing(PassThrough<int>(), "p:");
    throwing(times10(log), "t:");
    ladder(log);
  });
  add("a PassThrough written to after it was destroyed in data", [](Log log) {
    const PassThrough<int> p;
    watch(log, p);
    p.on<"data">([log, p](int c) {
      log("data", c);
      p.destroy();
      tellRoom(log, p, 9, done(log, "nine"));
    });
    p.write(1, done(log, "one"));
    p.write(2, done(log, "two"));
    ladder(log);
  });
}

template <class When>
void transformCases(Cases& add, const std::string& name, When when) {
  transformTimedCases(add, name, when);
  flushCases(add, name, when);
}

}  // namespace

void streamDuplexCases(Cases& add) {
  add.topic("stream_duplex");
  duplexTimedCases(add, "now", now);
  duplexTimedCases(add, "tick", tick);
  duplexTimedCases(add, "immediate", immediate);
  halfOpenCases(add);
  duplexEndCases(add);
  transformCases(add, "now", now);
  transformCases(add, "tick", tick);
  transformCases(add, "micro", micro);
  transformCases(add, "immediate", immediate);
  transformCases(add, "by returning", returning);
  outputCases(add);
  transformErrorCases(add);
  passThroughCases(add);
}

}  // namespace order
