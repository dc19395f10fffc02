// SPDX-License-Identifier: MIT
// Beside stream_pipe.js: what flows in pipes, who is told what, and how either side ends.

#include "../streams.hpp"

namespace order {
namespace {

using Source = Readable<int>;
using Sink = Writable<int>;

void tellUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr error) { log("uncaught-", text(error)); });
}
template <class R, class W>
void both(Log log, const R& r, const W& w, bool states = false) {
  watch(log, r, "r:", states);
  watch(log, w, "w:", states);
}
/// A sink whose writes fail at once, or the second one.
Sink failing(Log log, int at) {
  return Sink(writes([log, at](int chunk, StreamCallback callback) {
    if (at > 1) log("w", chunk);
    chunk == at ? callback(error("boom")) : callback();
  }));
}

template <class When>
void timedCases(Cases& add, const std::string& name, When when) {
  add("a pipe into a sink that is done " + name, [when](Log log) {
    const Source r = counting(3);
    const Sink w = sink(log, when);
    both(log, r, w, true);
    const bool same = r.pipe(w) == w;
    log(yesNo(same), state(r), state(w));
    ladder(log);
  });
  add("a full sink slows its source, done " + name, [when](Log log) {
    const Source r = counting(4, {.highWaterMark = 2});
    const Sink w = sink(log, when, {.highWaterMark = 1});
    both(log, r, w);
    r.pipe(w);
    ladder(log);
  });
  add("a source that pushes " + name, [when](Log log) {
    const Source r = counting(3, {.highWaterMark = 1}, when);
    const Sink w = sink(log, tick, {.highWaterMark = 1});
    both(log, r, w);
    r.pipe(w);
    ladder(log);
  });
  add("two sinks, one of them done " + name, [when](Log log) {
    const Source r = counting(4, {.highWaterMark = 2});
    const Sink a = sink(log, now, {}, "a");
    const Sink b = sink(log, when, {.highWaterMark = 1}, "b");
    watch(log, r, "r:");
    watch(log, a, "a:");
    watch(log, b, "b:");
    r.pipe(a);
    r.pipe(b);
    ladder(log);
  });
  add("two slow sinks, the other done " + name, [when](Log log) {
    const Source r = counting(3, {.highWaterMark = 2});
    const Sink a = sink(log, tick, {.highWaterMark = 1}, "a");
    const Sink b = sink(log, when, {.highWaterMark = 1}, "b");
    watch(log, r, "r:");
    r.pipe(a);
    r.pipe(b);
    ladder(log);
  });
  add("through a transform, into a sink that is done " + name, [when](Log log) {
    const Source r = counting(3);
    const Transform<int> t(
        [log](int chunk) {
          log("x", chunk);
          return chunk * 10;
        },
        {.highWaterMark = 1});
    const Sink w = sink(log, when, {.highWaterMark = 1});
    watch(log, t, "t:");
    watch(log, w, "w:");
    r.pipe(t).pipe(w);
    ladder(log);
  });
}

void manyCases(Cases& add) {
  add("a pipe that does not end its sink", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w, {.end = false});
    r.on<"end">([log, w] { log("ended", state(w)); });
    ladder(log);
    setImmediate([log, w] {
      log(state(w));
      w.end(9);
    });
  });
  add("two sources, one after the other", [](Log log) {
    const Source a = counting(2);
    const Source b = counting(2);
    const Sink w = sink(log);
    watch(log, w);
    a.pipe(w, {.end = false});
    a.on<"end">([b, w] { b.pipe(w); });
    ladder(log);
  });
  add("two sources at once", [](Log log) {
    const Source a = counting(2);
    const Source b = counting(3);
    const Sink w = sink(log);
    watch(log, w);
    a.pipe(w, {.end = false});
    b.pipe(w);
    ladder(log);
  });
  add("twice into the same sink", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.pipe(w);
    ladder(log);
  });
  add("twice into the same sink, which is full, and unpiped", [](Log log) {
    const Source r = manual();
    const Sink w = sink(log, immediate, {.highWaterMark = 1});
    both(log, r, w);
    r.pipe(w);
    r.pipe(w);
    r.push(1);
    r.push(2);
    tick([log, r, w] {
      tick([log, r, w] {
        log(state(r), state(w));
        r.unpipe(w);
        log(state(r));
      });
    });
    ladder(log);
    setImmediate([log, r, w] {
      setImmediate([log, r, w] {
        r.unpipe(w);
        log(state(r));
      });
    });
  });
  add("unpipe of a full sink resumes a paused source, if there were two", [](Log log) {
    const Source r = manual();
    const Sink a = sink(log, immediate, {.highWaterMark = 1}, "a");
    const Sink b = sink(log, immediate, {}, "b");
    watch(log, r, "r:");
    watch(log, a, "a:");
    r.pipe(a);
    r.pipe(b);
    setImmediate([log, r, a] {
      r.push(1);
      a.once<"drain">([log, r, a] {
        tick([log, r, a] {
          r.pause();
          a.write(9);
          log(state(r), state(a));
          r.unpipe(a);
          log(state(r));
        });
      });
    });
    ladder(log);
  });
  add("unpipe of one of twice", [](Log log) {
    const Source r = manual();
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.pipe(w);
    setImmediate([log, r, w] {
      r.push(1);
      r.unpipe(w);
      r.push(2);
      r.unpipe(w);
      r.push(3);
      log(state(r));
    });
  });
}

void unpipeCases(Cases& add) {
  add("unpipe inside of data, and again", [](Log log) {
    const Source r = counting(4, {.highWaterMark = 1});
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.on<"data">([log, r, w](int c) {
      log("data", c);
      if (c != 2) return;
      r.unpipe(w);
      log(state(r));
      setImmediate([r, w] { r.pipe(w); });
    });
    ladder(log);
  });
  add("unpipe of all", [](Log log) {
    const Source r = manual();
    const Sink a = sink(log, now, {}, "a");
    const Sink b = sink(log, now, {}, "b");
    watch(log, r, "r:");
    watch(log, a, "a:");
    watch(log, b, "b:");
    r.pipe(a);
    r.pipe(b);
    setImmediate([log, r] {
      r.push(1);
      const bool same = r.unpipe() == r;
      log(same ? "self" : "other", state(r));
      r.push(2);
      r.unpipe();
      r.resume();
      ladder(log);
      setImmediate([r] { r.push(nullptr); });
    });
  });
  add("unpipe of one of two", [](Log log) {
    const Source r = manual();
    const Sink a = sink(log, now, {}, "a");
    const Sink b = sink(log, now, {}, "b");
    r.pipe(a);
    r.pipe(b);
    watch(log, r, "r:");
    watch(log, a, "a:");
    watch(log, b, "b:");
    setImmediate([log, r, a] {
      r.push(1);
      r.unpipe(a);
      log(state(r));
      r.push(2);
      r.unpipe(a);
      r.push(nullptr);
      ladder(log);
    });
  });
  add("unpipe of a stranger", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    const Sink other = sink(log, now, {}, "o");
    both(log, r, w);
    r.pipe(w);
    r.unpipe(other);
    log(state(r));
    ladder(log);
  });
  add("unpipe while it waits for drain, with a listener for data", [](Log log) {
    const Source r = counting(3, {.highWaterMark = 1});
    const Sink w = sink(log, immediate, {.highWaterMark = 1});
    both(log, r, w);
    onData(log, r);
    r.pipe(w);
    tick([log, r, w] {
      log(state(r), state(w));
      r.unpipe(w);
      log(state(r));
    });
    ladder(log);
  });
  add("unpipe inside of write", [](Log log) {
    const Source r = counting(3);
    const Sink w(writes([log, r](Sink& self, int chunk, StreamCallback callback) {
                   log("w", chunk);
                   r.unpipe(self);
                   tick([callback] { callback(); });
                 }),
                 {.highWaterMark = 1});
    both(log, r, w);
    r.pipe(w);
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
  add("unpipe in the listener for pipe", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    w.on<"pipe">([log, r, w](const Source& source) {
      log("pipe-", yesNo(source == r));
      source.unpipe(w);
      log(state(source));
    });
    w.on<"unpipe">(
        [log, r](const Source& source) { log("unpipe-", yesNo(source == r), state(source)); });
    r.pipe(w);
    log(state(r));
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
}

void errorCases(Cases& add) {
  add("the sink fails", [](Log log) {
    const Source r = counting(5);
    const Sink w = failing(log, 2);
    both(log, r, w, true);
    r.pipe(w);
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
  add("the sink fails and nobody hears", [](Log log) {
    tellUncaught(log);
    const Source r = counting(3);
    const Sink w = failing(log, 1);
    watch(log, r, "r:");
    w.on<"close">(log.say("close"));
    w.on<"unpipe">(log.say("unpipe"));
    r.pipe(w);
    ladder(log);
    setImmediate([log, r, w] { log(state(r), state(w)); });
  });
  add("an error emitted on the sink by hand", [](Log log) {
    const Source r = counting(3);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    w.emit<"error">(error("by-hand"));
    log(state(r), state(w));
    ladder(log);
  });
  add("an error emitted on the sink by hand that nobody hears", [](Log log) {
    tellUncaught(log);
    const Source r = counting(3);
    const Sink w = sink(log);
    w.on<"unpipe">(log.say("unpipe"));
    w.on<"close">(log.say("close"));
    r.pipe(w);
    w.emit<"error">(error("by-hand"));
    log(state(r), state(w));
    ladder(log);
  });
  add("listeners for error: the pipe is first", [](Log log) {
    const Source r = counting(1);
    const Sink w = failing(log, 1);
    w.on<"error">(log.say("before"));
    w.on<"unpipe">(log.say("unpipe"));
    r.pipe(w);
    w.on<"error">(log.say("after"));
    w.prependListener<"error">(log.say("first"));
    ladder(log);
  });
  add("one of two sinks fails while it is full", [](Log log) {
    const Source r = counting(5, {.highWaterMark = 1});
    const Sink a = sink(log, now, {}, "a");
    const Sink b(writes([log](int chunk, StreamCallback callback) {
                   log("b", chunk);
                   immediate([callback] { callback(error("boom")); });
                 }),
                 {.highWaterMark = 1});
    watch(log, r, "r:");
    watch(log, a, "a:");
    watch(log, b, "b:");
    r.pipe(a);
    r.pipe(b);
    ladder(log);
  });
  add("one of two sinks is destroyed while it is full", [](Log log) {
    const Source r = counting(5, {.highWaterMark = 1});
    const Sink a = sink(log, now, {}, "a");
    const Sink b = sink(log, immediate, {.highWaterMark = 1}, "b");
    watch(log, r, "r:");
    watch(log, a, "a:");
    watch(log, b, "b:");
    r.pipe(a);
    r.pipe(b);
    tick([log, r, b] {
      log(state(r));
      b.destroy();
    });
    ladder(log);
  });
}

void endCases(Cases& add) {
  add("the sink is destroyed", [](Log log) {
    const Source r = counting(3, {}, tick);
    const Sink w = sink(log);
    both(log, r, w, true);
    r.pipe(w);
    tick([w] { w.destroy(); });
    ladder(log);
  });
  add("the sink ends by itself", [](Log log) {
    const Source r = counting(4, {}, tick);
    const Sink w(writes([log](Sink& self, int chunk, StreamCallback callback) {
      log("w", chunk);
      if (chunk == 2) self.end();
      callback();
    }));
    both(log, r, w);
    r.pipe(w);
    ladder(log, 12);
  });
  add("the source is destroyed: the sink stays", [](Log log) {
    const Source r = counting(3, {}, immediate);
    const Sink w = sink(log);
    both(log, r, w, true);
    r.pipe(w);
    setImmediate([log, r, w] {
      r.destroy();
      log(state(r), state(w));
      setImmediate([log, w] {
        log(state(w));
        w.end();
      });
    });
    ladder(log);
  });
  add("the source fails: the sink stays", [](Log log) {
    const Source r = counting(3, {}, tick);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    tick([r] { tick([r] { r.destroy(error("boom")); }); });
    ladder(log);
    setImmediate([log, w] {
      log(state(w));
      w.destroy(error("too"));
    });
  });
  add("the source is destroyed and then unpiped", [](Log log) {
    const Source r = manual();
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    tick([log, r, w] {
      r.destroy();
      r.unpipe(w);
      log(state(r));
    });
    ladder(log);
  });
  add("into a sink that is full already", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log, immediate, {.highWaterMark = 1});
    both(log, r, w);
    w.write(0);
    r.pipe(w);
    log(state(r), state(w));
    ladder(log);
  });
  add("into a sink that is destroyed", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    w.destroy();
    r.pipe(w);
    log(state(r));
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
  add("into a sink that has ended", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log, now, {.autoDestroy = false});
    both(log, r, w);
    w.end();
    setImmediate([log, r, w] {
      r.pipe(w);
      log(state(r));
      ladder(log);
    });
  });
  add("a pipe after the end", [](Log log) {
    const Source r = counting(1);
    const Sink w = sink(log);
    watch(log, w);
    r.resume();
    r.on<"end">([log, r, w] {
      setImmediate([log, r, w] {
        log(state(r));
        r.pipe(w);
        log(state(r), state(w));
        ladder(log);
      });
    });
  });
  add("a pipe between the last chunk and the end", [](Log log) {
    const Source r = counting(1);
    const Sink w = sink(log);
    both(log, r, w);
    r.once<"data">([log, r, w](int c) {
      log("data", c);
      r.pipe(w);
      log(state(r));
    });
    ladder(log);
  });
}

void modeCases(Cases& add) {
  add("a pipe from a paused source", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    r.pause();
    r.pipe(w);
    log(state(r));
    ladder(log);
  });
  add("paused while it is piped", [](Log log) {
    const Source r = counting(3);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.pause();
    log(state(r));
    ladder(log);
    setImmediate([log, r] {
      log(state(r));
      r.resume();
    });
  });
  add("a listener for readable stops a pipe", [](Log log) {
    const Source r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    r.on<"readable">([log, r] {
      log("readable");
      const std::string got = show(r.read());
      log("got", got);
    });
    ladder(log);
  });
  add("the last pipe goes, a listener for data stays", [](Log log) {
    const Source r = manual();
    const Sink w = sink(log);
    both(log, r, w);
    r.pipe(w);
    onData(log, r);
    setImmediate([log, r, w] {
      r.push(1);
      r.unpipe(w);
      r.push(2);
      log(state(r));
      r.resume();
      ladder(log);
    });
  });
  add("a writer beside the pipe", [](Log log) {
    const Source r = counting(3, {.highWaterMark = 1});
    const Sink w = sink(log, tick, {.highWaterMark = 2});
    both(log, r, w);
    r.pipe(w);
    w.write(100);
    w.write(200);
    log(state(w));
    ladder(log);
  });
  add("the sink drains while the source is paused by its user", [](Log log) {
    const Source r = manual();
    const Sink w = sink(log, immediate, {.highWaterMark = 1});
    both(log, r, w);
    r.pipe(w);
    tick([log, r, w] {
      tick([log, r, w] {
        r.push(1);
        log(state(r));
        r.pause();
        r.push(2);
        log(state(r), state(w));
        setImmediate([log, r] {
          setImmediate([log, r] {
            log(state(r));
            r.push(nullptr);
          });
        });
      });
    });
    ladder(log);
  });
  add("bytes through a PassThrough", [](Log log) {
    const Readable<Buffer> r = manualBytes();
    const PassThrough<Buffer> p({.highWaterMark = 4});
    const Writable<Buffer> w(writes([log](const Buffer& chunk, StreamCallback callback) {
                               log("w", show(chunk));
                               tick([callback] { callback(); });
                             }),
                             {.highWaterMark = 4});
    watch(log, p, "p:");
    watch(log, w, "w:");
    for (const char* each : {"abc", "defgh", "i"}) r.push(each);
    r.push(nullptr);
    r.pipe(p).pipe(w);
    ladder(log, 12);
  });
  add("a chain of three PassThroughs", [](Log log) {
    const Source r = counting(3);
    const PassThrough<int> a({.highWaterMark = 1});
    const PassThrough<int> b({.highWaterMark = 1});
    const PassThrough<int> c({.highWaterMark = 1});
    const Sink w = sink(log);
    watch(log, a, "a:");
    watch(log, b, "b:");
    watch(log, c, "c:");
    watch(log, w, "w:");
    r.pipe(a).pipe(b).pipe(c).pipe(w);
    ladder(log, 20);
  });
}

}  // namespace

void streamPipeCases(Cases& add) {
  add.topic("stream_pipe");
  timedCases(add, "now", now);
  timedCases(add, "tick", tick);
  timedCases(add, "micro", micro);
  timedCases(add, "immediate", immediate);
  timedCases(add, "by returning", returning);
  manyCases(add);
  unpipeCases(add);
  errorCases(add);
  endCases(add);
  modeCases(add);
}

}  // namespace order
