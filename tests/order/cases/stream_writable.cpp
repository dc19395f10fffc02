// SPDX-License-Identifier: MIT
// Beside stream_writable.js: what of a Writable waits, when it drains, how it ends.

#include "../streams.hpp"

#include <memory>

namespace order {
namespace {

using Ints = Writable<int>;
using Bytes = Writable<Buffer>;

void tellUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr error) { log("uncaught-", text(error)); });
}
template <class When>
Bytes bytesSink(Log log, When when, StreamOptions options = {}) {
  if constexpr (returns<When>)
    return Bytes(writes([log](const Buffer& chunk) { log("w", show(chunk)); }), options);
  return Bytes(writes([log, when](const Buffer& chunk, StreamCallback callback) {
                 log("w", show(chunk));
                 when([callback] { callback(); });
               }),
               options);
}
/// Its second write fails.
template <class When>
auto failsAtTwo(Log log, When when) {
  if constexpr (returns<When>) {
    return writes([log](int chunk) {
      log("w", chunk);
      if (chunk == 2) throw error("boom");
    });
  } else {
    return writes([log, when](int chunk, StreamCallback callback) {
      log("w", chunk);
      when([callback, chunk] { chunk == 2 ? callback(error("boom")) : callback(); });
    });
  }
}
/// A destroy that says what it is called with, and passes it on.
auto loudly(Log log) {
  return destroys([log](std::exception_ptr error, StreamCallback callback) {
    log("destroy-", error ? text(error) : "");
    callback(error);
  });
}
auto fails(StreamCallback callback) {
  return [callback] { callback(error("boom")); };
}
auto succeeds(StreamCallback callback) {
  return [callback] { callback(); };
}
/// What write gives, with the state after it.
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
constexpr const char* doneWords[] = {"done0", "done1", "done2", "done3", "done4"};
std::string joined(const std::vector<int>& chunks) {
  std::string all;
  for (int each : chunks) all += (all.empty() ? "" : ",") + std::to_string(each);
  return all;
}

template <class When>
void lifeCases(Cases& add, const std::string& name, When when) {
  add("writes and an end, done " + name, [when](Log log) {
    const Ints w = sink(log, when);
    watch(log, w, "", true);
    tellWrite(log, w, 1);
    tellWrite(log, w, 2);
    w.end();
    log("ended", state(w));
    ladder(log);
  });
  add("callbacks of writes and of the end, done " + name, [when](Log log) {
    const Ints w = sink(log, when);
    watch(log, w);
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    w.end(3, done(log, "end"));
    w.end(done(log, "again"));
    ladder(log);
  });
  add("some writes with a callback, done " + name, [when](Log log) {
    const Ints w = sink(log, when);
    watch(log, w);
    w.write(1);
    w.write(2, done(log, "two"));
    w.write(3);
    w.end();
    ladder(log);
  });
  add("bytes, some with a callback, done " + name, [when](Log log) {
    const Bytes w = bytesSink(log, when);
    watch(log, w, "", true);
    w.write("a", done(log, "one"));
    w.write("b");
    w.write("c", done(log, "three"));
    w.end("d");
    ladder(log);
  });
  add("a mark of 1, done " + name, [when](Log log) {
    const Ints w = sink(log, when, {.highWaterMark = 1});
    watch(log, w, "", true);
    const auto more = [log, w, i = std::make_shared<int>(0)] {
      while (*i < 3) {
        if (!w.write(++*i)) {
          log("full", state(w));
          return;
        }
      }
      w.end();
    };
    w.template on<"drain">(more);
    more();
    ladder(log);
  });
  add("a mark of 0, done " + name, [when](Log log) {
    const Ints w = sink(log, when, {.highWaterMark = 0});
    watch(log, w, "", true);
    tellWrite(log, w, 1);
    w.template once<"drain">([log, w] {
      tellRoom(log, w, 2);
      w.end();
    });
    ladder(log);
  });
  add("bytes up to the mark, done " + name, [when](Log log) {
    const Bytes w = bytesSink(log, when, {.highWaterMark = 4});
    watch(log, w);
    for (const char* each : {"abc", "d", "efgh", ""}) tellWrite(log, w, each);
    ladder(log);
    setImmediate([log, w] {
      setImmediate([log, w] {
        log(state(w));
        w.end();
      });
    });
  });
}

template <class When>
void endCases(Cases& add, const std::string& name, When when) {
  add("final, done " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([log, when](Ints& self, StreamCallback callback) {
                        log("final", state(self));
                        when(succeeds(callback));
                      })});
    watch(log, w, "", true);
    w.write(1);
    w.end(done(log, "end"));
    ladder(log);
  });
  add("final fails " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([log, when](StreamCallback callback) {
                        log("final");
                        when(fails(callback));
                      })});
    watch(log, w, "", true);
    w.end(1, done(log, "end"));
    w.end(done(log, "again"));
    ladder(log);
  });
  add("a write fails " + name, [when](Log log) {
    const Ints w(Impl{failsAtTwo(log, when), loudly(log)});
    watch(log, w, "", true);
    for (int i = 1; i < 5; i++) tellRoom(log, w, i, done(log, doneWords[i]));
    w.end(done(log, "end"));
    ladder(log);
  });
  add("a write fails " + name + ", without autoDestroy", [when](Log log) {
    const Ints w(failsAtTwo(log, when), {.autoDestroy = false});
    watch(log, w, "", true);
    for (int i = 1; i < 4; i++) tellRoom(log, w, i, done(log, doneWords[i]));
    ladder(log);
    setImmediate([log, w] {
      setImmediate([log, w] {
        tellWrite(log, w, 4, done(log, "done4"));
        w.end(done(log, "end"));
      });
    });
  });
  add("constructed " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log), constructs([log, when](StreamCallback callback) {
                        log("construct");
                        when(succeeds(callback));
                      })});
    watch(log, w);
    tellWrite(log, w, 1);
    w.write(2, done(log, "two"));
    w.end(done(log, "end"));
    ladder(log);
  });
  add("construct fails " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log), constructs([log, when](StreamCallback callback) {
                        log("construct");
                        when(fails(callback));
                      }),
                      loudly(log)});
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    w.end(done(log, "end"));
    ladder(log);
  });
}

template <class When>
void destroyedCases(Cases& add, const std::string& name, When when) {
  add("destroyed while it writes, done " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log, when), loudly(log)});
    watch(log, w, "", true);
    for (int i = 1; i < 4; i++) w.write(i, done(log, doneWords[i]));
    w.end(done(log, "end"));
    w.destroy();
    log(state(w));
    ladder(log);
  });
  add("destroyed with an error while it writes, done " + name, [when](Log log) {
    const Ints w = sink(log, when);
    watch(log, w);
    for (int i = 1; i < 4; i++) w.write(i, done(log, doneWords[i]));
    w.destroy(error("boom"));
    tellWrite(log, w, 4, done(log, "done4"));
    w.end(done(log, "end"));
    ladder(log);
  });
  add("destroyed inside of write, done " + name, [when](Log log) {
    const Ints w(writes([log, when](Ints& self, int chunk, StreamCallback callback) {
      log("w", chunk);
      if (chunk == 2) self.destroy();
      when(succeeds(callback));
    }));
    watch(log, w, "", true);
    for (int i = 1; i < 4; i++) tellRoom(log, w, i, done(log, doneWords[i]));
    w.end(done(log, "end"));
    ladder(log);
  });
}

template <class When>
auto tellingWritev(Log log, When when) {
  return writevs([log, when](const std::vector<int>& chunks, StreamCallback callback) {
    log("v", joined(chunks));
    when(succeeds(callback));
  });
}

template <class When>
void writevCases(Cases& add, const std::string& name, When when) {
  add("corked writes, done " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log, when), tellingWritev(log, when)});
    watch(log, w, "", true);
    w.cork();
    w.write(1, done(log, "one"));
    w.write(2);
    tellWrite(log, w, 3, done(log, "three"));
    tick([log, w] {
      w.uncork();
      log(state(w));
      w.write(4);
      w.end();
    });
    ladder(log);
  });
  add("writev without cork, done " + name, [when](Log log) {
    const Ints w(Impl{sinkImpl(log, when), tellingWritev(log, when)}, {.highWaterMark = 2});
    watch(log, w);
    for (int i = 1; i < 6; i++) tellRoom(log, w, i);
    w.end();
    ladder(log);
  });
  add("writev fails " + name, [when](Log log) {
    const Ints w(
        Impl{sinkImpl(log), writevs([log, when](std::vector<int> chunks, StreamCallback callback) {
               log("v", chunks.size());
               when(fails(callback));
             })});
    watch(log, w);
    w.cork();
    for (int i = 1; i < 4; i++) w.write(i, done(log, doneWords[i]));
    w.end(done(log, "end"));
    ladder(log);
  });
}

/// Writes with and without a callback before the first of their ticks.
template <class W, class F>
void writeTwo(Log log, const W& w, F of) {
  watch(log, w);
  w.write(of(1), done(log, "one"));
  tick([log] {
    log("between");
    tick([log] { log("after"); });
  });
  w.write(of(2));
  w.end();
}

void sharedTickCases(Cases& add) {
  add("a write without a callback after one with, in the same tick", [](Log log) {
    writeTwo(log, sink(log), [](int n) { return n; });
    writeTwo(log, bytesSink(log, now), [](int n) { return Buffer::from(std::to_string(n)); });
    ladder(log);
  });
  add("writes with and without a callback, in ticks of each other", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.write(1, [log, w] {
      log("one");
      w.write(3);
      w.write(4, done(log, "four"));
    });
    w.write(2, [log, w] {
      log("two");
      w.write(5);
      tick([log, w] {
        log("later");
        w.write(6);
        w.end();
      });
    });
    ladder(log);
  });
}

void callbackCases(Cases& add) {
  add("an end without a write", [](Log log) {
    const Ints w = sink(log);
    watch(log, w, "", true);
    w.end();
    log(state(w));
    ladder(log);
  });
  add("never ended", [](Log log) {
    const Ints w = sink(log);
    watch(log, w, "", true);
    w.write(1);
    ladder(log);
    setImmediate([log, w] { log(state(w)); });
  });
  add("an end inside of drain", [](Log log) {
    const Ints w = sink(log, tick, {.highWaterMark = 1});
    watch(log, w);
    w.on<"drain">([log, w] {
      w.end();
      log(state(w));
    });
    tellRoom(log, w, 1);
    ladder(log);
  });
  add("an end before drain: drain does not come", [](Log log) {
    const Ints w = sink(log, immediate, {.highWaterMark = 1});
    watch(log, w);
    tellWrite(log, w, 1);
    w.end();
    log(state(w));
    ladder(log);
  });
  add("a write inside of a callback of write", [](Log log) {
    const Ints w = sink(log, tick);
    watch(log, w);
    w.write(1, [log, w] {
      log("one", state(w));
      w.write(2, [log, w] {
        log("two");
        w.end();
      });
    });
    ladder(log);
  });
  add("an end inside of write", [](Log log) {
    const Ints w(writes([log](Ints& self, int chunk, StreamCallback callback) {
      log("w", chunk);
      self.end();
      log(state(self));
      callback();
    }));
    watch(log, w);
    w.write(1);
    ladder(log);
  });
  add("a write inside of write", [](Log log) {
    const Ints w(writes([log](Ints& self, int chunk, StreamCallback callback) {
      log("w", chunk);
      if (chunk < 3) tellWrite(log, self, chunk + 1);
      callback();
      log("out", chunk);
    }));
    watch(log, w);
    w.write(1);
    w.end();
    ladder(log);
  });
  add("the callback of finish and of the end", [](Log log) {
    const Ints w = sink(log);
    w.on<"prefinish">([log, w] { log("prefinish", state(w)); });
    w.on<"finish">([log, w] { log("finish", state(w)); });
    w.end([log, w] { log("callback", state(w)); });
    w.on<"close">([log, w] {
      log("close");
      w.end(done(log, "closed"));
    });
    ladder(log);
  });
  add("an end after finish", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.end();
    w.on<"finish">([log, w] {
      w.end(done(log, "again"));
      w.end(1, done(log, "chunk"));
    });
    ladder(log);
  });
  add("an end after finish, without autoDestroy", [](Log log) {
    const Ints w = sink(log, now, {.autoDestroy = false});
    watch(log, w);
    w.end();
    setImmediate([log, w] {
      w.end(done(log, "again"));
      log(state(w));
      w.end(1, done(log, "chunk"));
      log(state(w));
      ladder(log);
    });
  });
}

void refusedCases(Cases& add) {
  add("a write after the end", [](Log log) {
    const Ints w = sink(log, immediate);
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    w.end(done(log, "end"));
    tellWrite(log, w, 2, done(log, "two"));
    ladder(log);
  });
  add("a write after the end, told to nobody", [](Log log) {
    tellUncaught(log);
    const Ints w = sink(log);
    w.on<"close">(log.say("close"));
    w.end();
    w.write(1);
    ladder(log);
  });
  add("a write after the end, without autoDestroy", [](Log log) {
    const Ints w = sink(log, now, {.autoDestroy = false});
    watch(log, w, "", true);
    w.end(done(log, "end"));
    tellWrite(log, w, 2, done(log, "two"));
    ladder(log);
  });
  add("an end with a chunk after the end", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.end(1, done(log, "first"));
    w.end(2, done(log, "second"));
    w.end(done(log, "third"));
    ladder(log);
  });
  add("write and end after destroy", [](Log log) {
    const Ints w = sink(log);
    watch(log, w, "", true);
    w.destroy();
    tellWrite(log, w, 1, done(log, "one"));
    w.end(done(log, "end"));
    w.end(2, done(log, "two"));
    ladder(log);
  });
  add("write and end after destroy with an error", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.destroy(error("boom"));
    tellRoom(log, w, 1, done(log, "one"));
    w.end(done(log, "end"));
    w.end(2, done(log, "two"));
    ladder(log);
  });
  add("write and end after close", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.destroy();
    setImmediate([log, w] {
      log(state(w));
      tellRoom(log, w, 1, done(log, "one"));
      w.end(done(log, "end"));
      w.end(2, done(log, "two"));
      w.destroy(error("late"));
      log(state(w));
      ladder(log);
    });
  });
}

auto countingWritev(Log log) {
  return writevs([log](std::vector<int> chunks, StreamCallback callback) {
    log("v", chunks.size());
    callback();
  });
}

void corkCases(Cases& add) {
  add("corked twice", [](Log log) {
    const Ints w = sink(log);
    watch(log, w, "", true);
    w.cork();
    w.cork();
    w.write(1);
    w.write(2);
    log(state(w));
    w.uncork();
    log(state(w));
    w.uncork();
    w.uncork();
    log(state(w));
    w.end();
    ladder(log);
  });
  add("an end uncorks", [](Log log) {
    const Ints w(Impl{sinkImpl(log), countingWritev(log)});
    watch(log, w, "", true);
    w.cork();
    w.cork();
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    w.end(done(log, "end"));
    log(state(w));
    ladder(log);
  });
  add("corked over the mark", [](Log log) {
    const Ints w = sink(log, tick, {.highWaterMark = 2});
    watch(log, w, "", true);
    w.cork();
    for (int i = 1; i < 4; i++) tellRoom(log, w, i);
    w.uncork();
    log(state(w));
    ladder(log);
  });
  add("one corked chunk goes to write", [](Log log) {
    const Ints w(Impl{sinkImpl(log), countingWritev(log)});
    watch(log, w);
    w.cork();
    w.write(1);
    w.uncork();
    w.end();
    ladder(log);
  });
  add("writev alone takes single chunks too", [](Log log) {
    const Ints w(Impl{tellingWritev(log, tick)});
    watch(log, w);
    for (int i = 1; i < 4; i++) w.write(i);
    w.end();
    ladder(log);
  });
  add("destroyed while corked", [](Log log) {
    const Ints w = sink(log);
    watch(log, w);
    w.cork();
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    w.destroy();
    log(state(w));
    w.uncork();
    ladder(log);
    setImmediate([log, w] { log(state(w)); });
  });
  add("corked inside of write", [](Log log) {
    const Ints w(writes([log](Ints& self, int chunk, StreamCallback callback) {
      log("w", chunk);
      if (chunk == 1) {
        self.cork();
        tick([self] { self.uncork(); });
      }
      callback();
    }));
    watch(log, w);
    for (int i = 1; i < 4; i++) w.write(i);
    log(state(w));
    w.end();
    ladder(log);
  });
}

void errorCases(Cases& add) {
  add("write throws to who writes", [](Log log) {
    const Ints w(writes([](int, StreamCallback) { throw error("boom"); }));
    watch(log, w, "", true);
    attempt(log, [w] { w.write(1); });
    log(state(w));
    tellWrite(log, w, 2);
    ladder(log);
    setImmediate([w] { w.destroy(); });
  });
  add("final throws", [](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([log](StreamCallback) {
                        log("final");
                        throw error("boom");
                      })});
    watch(log, w);
    attempt(log, [log, w] { w.end(done(log, "end")); });
    ladder(log);
  });
  add("a write answers twice", [](Log log) {
    const Ints w(writes([log](int chunk, StreamCallback callback) {
      log("w", chunk);
      callback();
      callback();
    }));
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    ladder(log);
  });
  add("a write answers twice, later", [](Log log) {
    const Ints w(writes([log](int chunk, StreamCallback callback) {
      log("w", chunk);
      tick([callback] {
        callback();
        callback();
      });
    }));
    watch(log, w);
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    ladder(log);
  });
  add("final answers twice", [](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([](StreamCallback callback) {
                        callback();
                        callback();
                      })});
    watch(log, w);
    w.end(done(log, "end"));
    ladder(log);
  });
  add("a write fails after destroy", [](Log log) {
    const Ints w(writes([log](Ints& self, int, StreamCallback callback) {
      immediate([log, self, callback] {
        callback(error("late"));
        log(state(self));
      });
    }));
    watch(log, w);
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    w.destroy();
    ladder(log);
  });
  add("an error nobody hears: close does not come", [](Log log) {
    tellUncaught(log);
    const Ints w(writes([](int, StreamCallback callback) { callback(error("boom")); }));
    w.on<"close">(log.say("close"));
    w.write(1, done(log, "one"));
    ladder(log);
    setImmediate([log, w] { log(state(w)); });
  });
  add("a listener for drain throws", [](Log log) {
    tellUncaught(log);
    const Ints w = sink(log, tick, {.highWaterMark = 1});
    watch(log, w);
    w.once<"drain">([] { throw error("boom"); });
    w.write(1, done(log, "one"));
    ladder(log);
    setImmediate([log, w] {
      log(state(w));
      w.end();
    });
  });
  add("a callback of write throws", [](Log log) {
    tellUncaught(log);
    const Ints w = sink(log, tick);
    watch(log, w);
    w.write(1, [] { throw error("boom"); });
    w.write(2, done(log, "two"));
    ladder(log);
    setImmediate([log, w] {
      log(state(w));
      w.end(done(log, "end"));
    });
  });
  add("a listener for finish throws", [](Log log) {
    tellUncaught(log);
    const Ints w = sink(log);
    w.on<"finish">([log] {
      log("finish");
      throw error("boom");
    });
    w.on<"close">(log.say("close"));
    w.end(done(log, "end"));
    ladder(log);
    setImmediate([log, w] { log(state(w)); });
  });
}

void destroyCases(Cases& add) {
  add("destroyed before all", [](Log log) {
    const Ints w(Impl{sinkImpl(log), loudly(log)});
    watch(log, w, "", true);
    w.destroy();
    w.destroy(error("second"));
    log(state(w));
    ladder(log);
  });
  add("destroyed between the end and finish", [](Log log) {
    const Ints w(Impl{sinkImpl(log), loudly(log)});
    watch(log, w, "", true);
    w.write(1);
    w.end(done(log, "end"));
    w.destroy();
    ladder(log);
  });
  add("destroyed between final and finish", [](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([log](StreamCallback callback) {
                        log("final");
                        callback();
                      })});
    watch(log, w);
    w.end(done(log, "end"));
    w.destroy(error("boom"));
    ladder(log);
  });
  add("destroyed inside of final", [](Log log) {
    const Ints w(Impl{sinkImpl(log), finals([log](Ints& self, StreamCallback callback) {
                        log("final");
                        self.destroy();
                        callback();
                      })});
    watch(log, w, "", true);
    w.end(done(log, "end"));
    ladder(log);
  });
  add("destroyed inside of prefinish and finish", [](Log log) {
    const Ints a = sink(log);
    watch(log, a, "prefinish:");
    a.once<"prefinish">([a] { a.destroy(error("boom")); });
    a.end(done(log, "prefinish:end"));
    const Ints b = sink(log);
    watch(log, b, "finish:");
    b.once<"finish">([b] { b.destroy(error("boom")); });
    b.end(done(log, "finish:end"));
    ladder(log);
  });
  add("destroyed inside of drain", [](Log log) {
    const Ints w = sink(log, tick, {.highWaterMark = 1});
    watch(log, w, "", true);
    w.once<"drain">([w] { w.destroy(); });
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    ladder(log);
  });
  add("destroyed inside of a callback of write", [](Log log) {
    const Ints w = sink(log, tick);
    watch(log, w);
    w.write(1, [log, w] {
      log("one");
      w.destroy();
    });
    w.write(2, done(log, "two"));
    w.end(done(log, "end"));
    ladder(log);
  });
  add("destroy answers later", [](Log log) {
    const Ints w(Impl{sinkImpl(log, immediate),
                      destroys([log](std::exception_ptr error, StreamCallback callback) {
                        log("destroy");
                        immediate([error, callback] { callback(error); });
                      })});
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    w.destroy(error("boom"));
    ladder(log);
  });
  add("destroyed while it is constructed", [](Log log) {
    const Ints w(Impl{sinkImpl(log),
                      constructs([](StreamCallback callback) { immediate(succeeds(callback)); }),
                      loudly(log)});
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    w.end(done(log, "end"));
    w.destroy();
    log(state(w));
    ladder(log);
  });
}

void optionCases(Cases& add) {
  add("without emitClose", [](Log log) {
    const Ints w = sink(log, now, {.emitClose = false});
    watch(log, w);
    w.end();
    ladder(log);
    setImmediate([log, w] { setImmediate([log, w] { log(state(w)); }); });
  });
  add("without autoDestroy", [](Log log) {
    const Ints w = sink(log, now, {.autoDestroy = false});
    watch(log, w);
    w.end(1);
    ladder(log);
    setImmediate([log, w] {
      setImmediate([log, w] {
        log(state(w));
        w.destroy();
        log(state(w));
      });
    });
  });
  add("without autoDestroy: an error of final", [](Log log) {
    const Ints w(
        Impl{sinkImpl(log), finals([](StreamCallback callback) { callback(error("boom")); })},
        {.autoDestroy = false});
    watch(log, w, "", true);
    w.end(done(log, "end"));
    ladder(log);
    setImmediate([log, w] {
      w.end(done(log, "again"));
      tellRoom(log, w, 1, done(log, "late"));
    });
  });
  add("aborted by a signal while it writes", [](Log log) {
    AbortController abort;
    const Ints w = sink(log, immediate, {.signal = abort.signal()});
    watch(log, w, "", true);
    w.write(1, done(log, "one"));
    w.write(2, done(log, "two"));
    abort.abort();
    log(state(w));
    ladder(log);
  });
  add("a signal that comes after the end changes nothing", [](Log log) {
    const auto abort = std::make_shared<AbortController>();
    const Ints w = sink(log, now, {.signal = abort->signal()});
    watch(log, w);
    w.end();
    w.on<"close">([log, w, abort] {
      abort->abort();
      log(state(w));
    });
    ladder(log);
  });
}

template <class When>
void timedCases(Cases& add, const std::string& name, When when) {
  lifeCases(add, name, when);
  endCases(add, name, when);
  destroyedCases(add, name, when);
  writevCases(add, name, when);
}

}  // namespace

void streamWritableCases(Cases& add) {
  add.topic("stream_writable");
  timedCases(add, "now", now);
  timedCases(add, "tick", tick);
  timedCases(add, "micro", micro);
  timedCases(add, "immediate", immediate);
  timedCases(add, "by returning", returning);
  sharedTickCases(add);
  callbackCases(add);
  refusedCases(add);
  corkCases(add);
  errorCases(add);
  destroyCases(add);
  optionCases(add);
}

}  // namespace order
