// SPDX-License-Identifier: MIT
// Beside stream_pipeline.js: what streams do together, pipeline, finished, readableFrom, iteration, operators.

#include "../streams.hpp"

#include <memory>
#include <utility>

namespace order {
namespace {

using Ints = Readable<int>;
using Sink = Writable<int>;
using Through = Transform<int, int>;
using Both = Duplex<int, int>;
using Done = TransformCallback<int, int>;

auto told(Log log, const Promise<>& promise, const char* word = "pipeline") {
  return promise.then([log, word] { log(word, "-ok"); },
                      [log, word](std::exception_ptr error) { log(word, "-", text(error)); });
}
template <class When = Now>
Through times(Log log, When when = {}) {
  return Through([log, when](int chunk, Done callback) {
    log("t", chunk);
    when([callback, chunk] { callback(nullptr, chunk * 10); });
  });
}
/// Pushes 1 to n, then fails.
template <class When = Now>
Ints failing(int n, When when = {}) {
  auto i = std::make_shared<int>(0);
  return Ints([i, n, when](Ints& self) {
    when([i, n, self] {
      if (*i < n) {
        self.push(++*i);
      } else {
        self.destroy(error("boom"));
      }
    });
  });
}
/// A sink that fails at the chunk `at`.
template <class When>
Sink refusing(Log log, int at, When when) {
  return Sink([log, at, when](int chunk, StreamCallback callback) {
    log("w", chunk);
    when([callback, chunk, at] { chunk == at ? callback(error("full")) : callback(); });
  });
}
Both plainDuplex(DuplexOptions options = {}) {
  return Both(Impl{reads([](Both&) {}), writes([](int, StreamCallback callback) { callback(); })},
              options);
}
template <class R, class W>
void both(Log log, const R& r, const W& w, bool states = false) {
  watch(log, r, "r:", states);
  watch(log, w, "w:", states);
}
template <class R, class T, class W>
void three(Log log, const R& r, const T& t, const W& w) {
  both(log, r, w);
  watch(log, t, "t:");
}
template <class S>
void onlyEnds(Log log, const S& s, const char* label) {
  s.template on<"error">(
      [log, label](const std::exception_ptr& error) { log(label, "error-", text(error)); });
  s.template on<"close">([log, label] { log(label, "close"); });
}
/// Says so when the scope that it is in ends.
struct Finally {
  explicit Finally(Log l, const char* w = "finally") : log(l), word(w) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { log(word); }
  Log log;
  const char* word;
};

// ---- pipeline: all goes well ----

template <class When>
void wellCases(Cases& add, const std::string& name, When when) {
  add("a source and a sink that is done " + name, [when](Log log) {
    const Ints r = counting(3);
    const Sink w = sink(log, when, {.highWaterMark = 2});
    both(log, r, w, true);
    pipeline(r, w, done(log, "cb"));
    log("true");
    ladder(log, 8);
  });
  add("a source that pushes " + name + ", a transform, a sink; awaited", [when](Log log) {
    const Ints r = counting(2, {}, when);
    const Through t = times(log);
    const Sink w = sink(log);
    three(log, r, t, w);
    told(log, pipeline(r, t, w));
    ladder(log, 8);
  });
  add("a transform that is done " + name, [when](Log log) {
    const Ints r = counting(2);
    const Through t = times(log, when);
    const Sink w = sink(log);
    three(log, r, t, w);
    pipeline(r, t, w, done(log, "cb"));
    ladder(log, 8);
  });
}
void emptyCases(Cases& add) {
  add("an empty source", [](Log log) {
    const Ints r = counting(0);
    const Sink w = sink(log);
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    ladder(log);
  });
  add("an error after all is over", [](Log log) {
    const Ints r = counting(1);
    const Sink w = sink(log, now, {.autoDestroy = false});
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    setImmediate([w] { w.destroy(error("late")); });
  });
}

// ---- pipeline: errors ----

template <class When>
void sourceErrorCases(Cases& add, const std::string& name, When when) {
  add("the source fails " + name, [when](Log log) {
    const Ints r = failing(2, when);
    const Sink w = sink(log);
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    ladder(log);
  });
  add("the source fails " + name + " in front of a transform", [when](Log log) {
    const Ints r = failing(2, when);
    const Through t = times(log);
    const Sink w = sink(log);
    three(log, r, t, w);
    told(log, pipeline(r, t, w));
    ladder(log);
  });
  add("the transform fails " + name, [when](Log log) {
    const Through t([when](int chunk, Done callback) {
      when([callback, chunk] { chunk > 1 ? callback(error("bad")) : callback(nullptr, chunk); });
    });
    const Ints r = counting(3);
    const Sink w = sink(log);
    three(log, r, t, w);
    pipeline(r, t, w, done(log, "cb"));
    ladder(log);
  });
}
template <class When>
void sinkErrorCases(Cases& add, const std::string& name, When when) {
  add("the sink fails " + name, [when](Log log) {
    const Ints r = counting(4);
    const Sink w = refusing(log, 2, when);
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    ladder(log);
  });
  add("the sink fails " + name + " behind a transform", [when](Log log) {
    const Ints r = counting(4, {}, tick);
    const Through t = times(log);
    const Sink w = refusing(log, 20, when);
    three(log, r, t, w);
    told(log, pipeline(r, t, w));
    ladder(log);
  });
  add("the end of the sink fails " + name, [when](Log log) {
    const Ints r = counting(1);
    const Sink w(Impl{writes([](int, StreamCallback callback) { callback(); }),
                      finals([when](StreamCallback callback) {
                        when([callback] { callback(error("last")); });
                      })});
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    ladder(log);
  });
}
void hookErrorCases(Cases& add) {
  add("the construction of the sink fails", [](Log log) {
    const Ints r = counting(1);
    const Sink w(Impl{
        constructs([](StreamCallback callback) { tick([callback] { callback(error("no")); }); }),
        writes([](int, StreamCallback callback) { callback(); })});
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    ladder(log);
  });
  add("the tear-down of the source fails too", [](Log log) {
    const Ints r(Impl{reads([](Ints&) {}),
                      destroys([log](std::exception_ptr failure, StreamCallback callback) {
                        log("destroy-", text(failure));
                        callback(error("worse"));
                      })});
    const Sink w = refusing(log, 1, now);
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    r.push(1);
    ladder(log);
  });
}

// ---- pipeline: closed before the end ----

template <class When>
void destroyCases(Cases& add, const std::string& name, When when) {
  const char* const all[] = {"source", "transform", "sink"};
  for (int which = 0; which < 3; ++which) {
    add(std::string("the ") + all[which] + " is destroyed " + name, [when, which](Log log) {
      const Ints r = manual();
      const Through t = times(log);
      const Sink w = sink(log);
      three(log, r, t, w);
      pipeline(r, t, w, done(log, "cb"));
      r.push(1);
      when([r, t, w, which] {
        if (which == 0) r.destroy();
        if (which == 1) t.destroy();
        if (which == 2) w.destroy();
      });
      ladder(log);
    });
  }
}
void closeBetweenCase(Cases& add) {
  add("the source closes between its end and \"end\"", [](Log log) {
    const Ints r = manual();
    const Sink w = sink(log, immediate, {.highWaterMark = 1});
    both(log, r, w);
    pipeline(r, w, done(log, "cb"));
    r.push(1);
    r.push(nullptr);
    setImmediate([r] { r.destroy(); });
  });
}

// ---- pipeline: signals, end: false ----

void signalCases(Cases& add) {
  add("aborted before", [](Log log) {
    AbortController ac;
    ac.abort();
    const Ints r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    told(log, pipeline({.signal = ac.signal()}, r, w));
    ladder(log);
  });
  add("aborted at once", [](Log log) {
    AbortController ac;
    const Ints r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    told(log, pipeline({.signal = ac.signal()}, r, w));
    ac.abort();
    ladder(log);
  });
  add("aborted in the middle", [](Log log) {
    const auto ac = std::make_shared<AbortController>();
    const Ints r = manual();
    const Through t = times(log);
    const Sink w = sink(log);
    three(log, r, t, w);
    told(log, pipeline({.signal = ac->signal()}, r, t, w));
    r.push(1);
    setImmediate([log, ac] {
      log("abort");
      ac->abort();
      ladder(log, 4);
    });
  });
  add("aborted when it is over", [](Log log) {
    const auto ac = std::make_shared<AbortController>();
    const Ints r = counting(1);
    const Sink w = sink(log);
    both(log, r, w);
    told(log, pipeline({.signal = ac->signal()}, r, w));
    setImmediate([ac] { setImmediate([ac] { ac->abort(); }); });
  });
}
void endFalseCases(Cases& add) {
  add("the sink is not ended", [](Log log) {
    const Ints r = counting(2);
    const Sink w = sink(log);
    both(log, r, w);
    told(log, pipeline({.end = false}, r, w));
    ladder(log);
    setImmediate([log, w] {
      log(state(w));
      w.end(3);
    });
  });
  add("the sink is not ended, the transform is", [](Log log) {
    const Ints r = counting(2);
    const Through t = times(log);
    const Sink w = sink(log);
    three(log, r, t, w);
    told(log, pipeline({.end = false}, r, t, w));
    ladder(log);
  });
  add("a sink that is not to be ended outlives the error of its source", [](Log log) {
    const Ints r = failing(1);
    const Sink w = sink(log);
    both(log, r, w);
    told(log, pipeline({.end = false}, r, w));
    ladder(log);
    setImmediate([log, w] { log(state(w)); });
  });
}

// ---- pipeline: what is over already ----

void startOver(Log log, const Ints& r, const Sink& w) {
  both(log, r, w);
  pipeline(r, w, done(log, "cb"));
  ladder(log);
}
void overSourceCases(Cases& add) {
  add("a source that has ended", [](Log log) {
    const Ints r = counting(1);
    const Sink w = sink(log);
    r.resume();
    setImmediate([log, r, w] {
      both(log, r, w);
      log(state(r));
      pipeline(r, w, done(log, "cb"));
      ladder(log);
    });
  });
  add("a source that has ended and is not destroyed", [](Log log) {
    const Ints r = counting(1, {.autoDestroy = false});
    const Sink w = sink(log);
    r.resume();
    setImmediate([log, r, w] {
      both(log, r, w);
      log(state(r));
      pipeline(r, w, done(log, "cb"));
      ladder(log);
    });
  });
  add("a source that is destroyed", [](Log log) {
    const Ints r = manual();
    r.destroy();
    startOver(log, r, sink(log));
  });
  add("a source that has closed", [](Log log) {
    const Ints r = manual();
    const Sink w = sink(log);
    r.destroy();
    setImmediate([log, r, w] { startOver(log, r, w); });
  });
  add("a source that has failed", [](Log log) {
    const Ints r = manual();
    const Sink w = sink(log);
    r.on<"error">(log.say("error"));
    r.destroy(error("boom"));
    setImmediate([log, r, w] { startOver(log, r, w); });
  });
}
void overSinkCases(Cases& add) {
  add("a sink that is destroyed", [](Log log) {
    const Sink w = sink(log);
    w.destroy();
    startOver(log, counting(2), w);
  });
  add("a sink that has closed", [](Log log) {
    const Ints r = counting(2);
    const Sink w = sink(log);
    w.destroy();
    setImmediate([log, r, w] { startOver(log, r, w); });
  });
  add("a sink that has ended", [](Log log) {
    const Sink w = sink(log);
    w.end();
    startOver(log, counting(2), w);
  });
}

// ---- pipeline: functions ----

AsyncGenerator<int> oneTwo(bool fail) {
  co_yield 1;
  if (fail) throw error("boom");
  co_yield 2;
}
AsyncGenerator<int> doubled(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) co_yield *chunk * 2;
}
AsyncGenerator<int> onlyOne(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) {
    if (*chunk > 1) throw error("bad");
    co_yield *chunk;
  }
}
AsyncGenerator<int> passed(ChunkIterator<int> chunks, Log log) {
  const Finally last(log);
  while (const auto chunk = co_await chunks.next()) co_yield *chunk;
}
AsyncGenerator<int> plusOne(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) co_yield *chunk + 1;
}
AsyncGenerator<int> twice(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) {
    co_yield *chunk;
    co_yield *chunk;
  }
}
AsyncGenerator<int> onlyTen(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) {
    if (*chunk > 10) throw error("bad");
    co_yield *chunk;
  }
}
AsyncGenerator<int> firstTwo(ChunkIterator<int> chunks) {
  while (const auto chunk = co_await chunks.next()) {
    co_yield *chunk;
    if (*chunk > 1) co_return;
  }
}
Promise<> sayUntil(ChunkIterator<int> chunks, Log log, int last) {
  while (const auto chunk = co_await chunks.next()) {
    log("got", *chunk);
    if (*chunk > last) co_return;
  }
}
Promise<> sayAll(ChunkIterator<int> chunks, Log log, bool over) {
  while (const auto chunk = co_await chunks.next()) log("got", *chunk);
  if (over) log("over");
}
Promise<> sayOne(ChunkIterator<int> chunks, Log log) {
  while (const auto chunk = co_await chunks.next()) {
    if (*chunk > 1) throw error("bad");
    log("got", *chunk);
  }
}
void generatorStageCases(Cases& add) {
  add("a generator as the source", [](Log log) {
    const Sink w = sink(log);
    onlyEnds(log, w, "w:");
    pipeline([] { return oneTwo(false); }, w, done(log, "cb"));
  });
  add("a generator as the source fails", [](Log log) {
    const Sink w = sink(log);
    onlyEnds(log, w, "w:");
    pipeline([] { return oneTwo(true); }, w, done(log, "cb"));
  });
  add("a generator in the middle", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    const Sink w = sink(log);
    onlyEnds(log, r, "r:");
    onlyEnds(log, w, "w:");
    pipeline(r, doubled, w, done(log, "cb"));
  });
  add("a generator in the middle fails", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    onlyEnds(log, r, "r:");
    pipeline(r, onlyOne, sink(log), done(log, "cb"));
  });
  add("the source of a generator fails", [](Log log) {
    const Ints r = failing(1, immediate);
    const Sink w = sink(log);
    onlyEnds(log, w, "w:");
    watch(log, r, "r:");
    const auto stage = [log](ChunkIterator<int> chunks) { return passed(std::move(chunks), log); };
    pipeline(r, stage, w, done(log, "cb"));
  });
}
void earlyStageCases(Cases& add) {
  add("a generator behind a transform fails", [](Log log) {
    pipeline(counting(9, {}, immediate), times(log), onlyTen, times(log), sink(log),
             done(log, "cb"));
  });
  add("a generator in the middle leaves early", [](Log log) {
    const Ints r = counting(9, {}, immediate);
    const Sink w = sink(log);
    onlyEnds(log, r, "r:");
    onlyEnds(log, w, "w:");
    pipeline(r, firstTwo, w, done(log, "cb"));
  });
  add("a function at the end leaves early", [](Log log) {
    const Ints r = counting(9, {}, immediate);
    onlyEnds(log, r, "r:");
    const auto last = [log](ChunkIterator<int> c) { return sayUntil(std::move(c), log, 1); };
    pipeline(r, last, done(log, "cb"));
  });
  add("a function at the end leaves a transform early", [](Log log) {
    const Through t = times(log);
    onlyEnds(log, t, "t:");
    const auto last = [log](ChunkIterator<int> c) { return sayUntil(std::move(c), log, 10); };
    pipeline(counting(9, {}, immediate), t, last, done(log, "cb"));
  });
}
void functionSinkCases(Cases& add) {
  add("a function at the end", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    watch(log, r, "r:");
    const auto last = [log](ChunkIterator<int> c) { return sayAll(std::move(c), log, true); };
    pipeline(r, last, done(log, "cb"));
  });
  add("a function at the end fails", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    watch(log, r, "r:");
    told(log, pipeline(r, [log](ChunkIterator<int> c) { return sayOne(std::move(c), log); }));
  });
  add("the source of a function fails", [](Log log) {
    const Ints r = failing(1, immediate);
    const Through t = times(log);
    watch(log, r, "r:");
    watch(log, t, "t:");
    const auto last = [log](ChunkIterator<int> c) { return sayAll(std::move(c), log, false); };
    pipeline(r, t, last, done(log, "cb"));
  });
  add("an array, generators and a function", [](Log log) {
    const auto last = [log](ChunkIterator<int> c) { return sayAll(std::move(c), log, false); };
    pipeline(std::vector<int>{1, 2, 3}, plusOne, twice, last, done(log, "cb"));
  });
}

// ---- finished ----

template <class S>
FinishedWatch ends(const S& s, Log log, FinishedOptions options = {}, const char* word = "fin") {
  return finished(s, done(log, word), std::move(options));
}
void oneSideCases(Cases& add, bool autoDestroy, const std::string& kind) {
  add("finished: a source" + kind, [autoDestroy](Log log) {
    const Ints r = counting(2, {.autoDestroy = autoDestroy});
    watch(log, r);
    ends(r, log);
    r.resume();
    ladder(log);
  });
  add("finished: a sink" + kind, [autoDestroy](Log log) {
    const Sink w = sink(log, tick, {.autoDestroy = autoDestroy});
    watch(log, w);
    ends(w, log);
    w.end(1);
    ladder(log);
  });
  add("finished: what has ended" + kind, [autoDestroy](Log log) {
    const Ints r = counting(1, {.autoDestroy = autoDestroy});
    const Sink w = sink(log, now, {.autoDestroy = autoDestroy});
    r.resume();
    w.end();
    setImmediate([log, r, w] {
      ends(r, log, {}, "r");
      ends(w, log, {}, "w");
      told(log, finished(r), "p");
      ladder(log, 3);
    });
  });
}
void overCases(Cases& add, bool autoDestroy, const std::string& kind) {
  add("finished: what has failed" + kind, [autoDestroy](Log log) {
    const Ints r = manual({.autoDestroy = autoDestroy});
    const Sink w = sink(log, now, {.autoDestroy = autoDestroy});
    watch(log, r);
    watch(log, w);
    r.destroy(error("boom"));
    w.destroy(error("full"));
    ends(r, log, {}, "r1");
    ends(w, log, {}, "w1");
    setImmediate([log, r, w] {
      ends(r, log, {}, "r2");
      ends(w, log, {}, "w2");
      ladder(log, 3);
    });
  });
  add("finished: what was destroyed" + kind, [autoDestroy](Log log) {
    const Ints r = manual({.autoDestroy = autoDestroy});
    const Sink w = sink(log, now, {.autoDestroy = autoDestroy});
    r.destroy();
    w.destroy();
    ends(r, log, {}, "r1");
    ends(w, log, {}, "w1");
    setImmediate([log, r, w] {
      ends(r, log, {}, "r2");
      ends(w, log, {}, "w2");
      ladder(log, 3);
    });
  });
  add("finished: a failed write" + kind, [autoDestroy](Log log) {
    const Sink w([](int, StreamCallback callback) { callback(error("full")); },
                 {.autoDestroy = autoDestroy});
    watch(log, w);
    ends(w, log);
    w.write(1);
    ladder(log);
    setImmediate([log, w] { ends(w, log, {}, "late"); });
  });
}
void duplexCases(Cases& add, bool autoDestroy, const FinishedOptions& which,
                 const std::string& name, const std::string& kind) {
  add("finished: " + name + " of a duplex" + kind, [autoDestroy, which](Log log) {
    const Both d = plainDuplex({.autoDestroy = autoDestroy});
    watch(log, d);
    ends(d, log, which);
    d.resume();
    d.push(1);
    d.push(nullptr);
    setImmediate([log, d, which] {
      log("now");
      ends(d, log, which, "half");
      d.end();
      setImmediate([log, d, which] { ends(d, log, which, "late"); });
    });
  });
  add("finished: " + name + " of a duplex whose writing ends first" + kind,
      [autoDestroy, which](Log log) {
        const Both d = plainDuplex({.autoDestroy = autoDestroy});
        watch(log, d);
        ends(d, log, which);
        d.end();
        setImmediate([log, d, which] {
          log("now");
          ends(d, log, which, "half");
          d.resume();
          d.push(nullptr);
          setImmediate([log, d, which] { ends(d, log, which, "late"); });
        });
      });
  add("finished: " + name + " of a duplex that is destroyed" + kind, [autoDestroy, which](Log log) {
    const Both d = plainDuplex({.autoDestroy = autoDestroy});
    watch(log, d);
    ends(d, log, which);
    d.end();
    setImmediate([d] { d.destroy(); });
  });
}
void finishedOptionCases(Cases& add) {
  add("finished: without \"close\"", [](Log log) {
    const Ints r = counting(1, {.emitClose = false});
    const Sink w = sink(log, now, {.emitClose = false});
    watch(log, r);
    watch(log, w);
    ends(r, log, {}, "r");
    ends(w, log, {}, "w");
    r.resume();
    w.end();
    ladder(log);
  });
  add("finished: an error that does not count", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    ends(r, log, {.error = false});
    r.destroy(error("boom"));
    ladder(log);
  });
  add("finished: cleaned up", [](Log log) {
    const Ints r = counting(1);
    watch(log, r);
    const FinishedWatch cleanup = ends(r, log);
    log(r.listenerCount<"end">(), r.listenerCount<"error">());
    cleanup();
    log(r.listenerCount<"end">(), r.listenerCount<"error">());
    r.resume();
  });
  add("finished: awaited", [](Log log) {
    const Ints r = counting(2);
    const Sink w = sink(log);
    const Ints gone = manual();
    told(log, finished(r), "r");
    told(log, finished(w), "w");
    told(log, finished(gone), "gone");
    r.pipe(w);
    gone.destroy();
    ladder(log);
  });
}
void finishedSignalCases(Cases& add) {
  add("finished: by a signal", [](Log log) {
    const auto ac = std::make_shared<AbortController>();
    const Ints r = manual();
    watch(log, r);
    ends(r, log, {.signal = ac->signal()});
    ac->abort();
    log("aborted");
    r.push(nullptr);
    r.resume();
    setImmediate([log, ac, r] { ends(r, log, {.signal = ac->signal()}, "closed"); });
  });
  add("finished: by a signal that is aborted", [](Log log) {
    AbortController ac;
    const Ints r = manual();
    ac.abort();
    ends(r, log, {.signal = ac.signal()});
    told(log, finished(r, {.signal = ac.signal()}), "p");
    ladder(log, 2);
  });
}

// ---- readableFrom ----

void fromCases(Cases& add) {
  add("from an array", [](Log log) {
    const Ints r = readableFrom(std::vector<int>{1, 2, 3});
    watch(log, r, "", true);
    log(r.readableHighWaterMark());
    onData(log, r);
  });
  add("from an array with a mark", [](Log log) {
    const Ints r = readableFrom(std::vector<int>{1, 2, 3}, {.highWaterMark = 2});
    watch(log, r);
    r.on<"readable">([log, r] {
      log("readable", state(r));
      while (const auto chunk = r.read()) log("got", *chunk);
    });
  });
  add("from nothing", [](Log log) {
    const Ints r = readableFrom(std::vector<int>());
    watch(log, r);
    r.resume();
  });
  add("from a string", [](Log log) {
    const Readable<Buffer> r = readableFrom("one");
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
}
AsyncGenerator<int> announced(Log log) {
  log("start");
  co_yield 1;
  co_yield 2;
}
AsyncGenerator<int> failsAtOnce() {
  throw error("boom");
  co_yield 1;
}
AsyncGenerator<int> waits(Log log) {
  const Finally last(log);
  co_yield 1;
  auto made = Promise<>::withResolvers();
  const auto resolve = made.resolve;
  setImmediate([resolve] { setImmediate([resolve] { resolve(); }); });
  co_await made.promise;
  log("goes on");
  co_yield 2;
}
AsyncGenerator<int> neverAsked(Log log) {
  log("never");
  co_yield 1;
}
void fromGeneratorCases(Cases& add) {
  add("from a generator", [](Log log) {
    const Ints r = readableFrom(announced(log));
    watch(log, r);
    onData(log, r);
  });
  add("from a generator that fails", [](Log log) {
    const Ints r = readableFrom(oneTwo(true));
    watch(log, r);
    onData(log, r);
  });
  add("from a generator that fails at once", [](Log log) {
    const Ints r = readableFrom(failsAtOnce());
    watch(log, r);
    onData(log, r);
  });
  add("from a generator, destroyed while it waits", [](Log log) {
    const Ints r = readableFrom(waits(log));
    watch(log, r);
    r.on<"data">([log, r](int chunk) {
      log("data", chunk);
      setImmediate([log, r] {
        log("destroy");
        r.destroy();
      });
    });
  });
  add("from a generator that was never asked, destroyed", [](Log log) {
    const Ints r = readableFrom(neverAsked(log));
    watch(log, r);
    r.destroy();
  });
}

// ---- iteration ----

template <class S>
Promise<> reading(Log log, S r, IteratorOptions options = {}, int until = 0) {
  std::exception_ptr error;
  try {
    const auto chunks = r.iterator(options);
    while (const auto chunk = co_await chunks.next()) {
      log("got", *chunk);
      if (*chunk == until) break;
    }
    log("over");
  } catch (...) {
    error = std::current_exception();
  }
  if (error) log("caught-", text(error));
}
void iterationCases(Cases& add) {
  add("iterated to the end", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    watch(log, r);
    (void)reading(log, r);
  });
  add("iterated to the end, not destroyed", [](Log log) {
    const Ints r = counting(2, {.autoDestroy = false}, immediate);
    watch(log, r);
    (void)reading(log, r);
  });
  add("iterated, and left", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    watch(log, r);
    (void)reading(log, r, {}, 2);
  });
  add("iterated, and left, without autoDestroy", [](Log log) {
    const Ints r = counting(3, {.autoDestroy = false}, immediate);
    watch(log, r);
    (void)reading(log, r, {}, 2);
  });
  add("iterated, and left, with destroyOnReturn: false", [](Log log) {
    const Ints r = counting(3, {}, immediate);
    watch(log, r);
    const auto again = [log, r] {
      log(yesNo(r.destroyed()));
      setImmediate([log, r] { (void)reading(log, r); });
    };
    reading(log, r, {.destroyOnReturn = false}, 2).then(again);
  });
  add("iterated, and it fails", [](Log log) {
    const Ints r = failing(1, immediate);
    watch(log, r);
    (void)reading(log, r);
  });
  add("iterated, and it fails after an iteration that shall not destroy", [](Log log) {
    const Ints r = failing(1, immediate);
    watch(log, r);
    (void)reading(log, r, {.destroyOnReturn = false});
  });
  add("iterated, and destroyed meanwhile", [](Log log) {
    const Ints r = counting(9, {}, immediate);
    watch(log, r);
    (void)reading(log, r);
    setImmediate([r] { setImmediate([r] { r.destroy(); }); });
  });
}

// ---- addAbortSignal ----

void abortSignalCases(Cases& add) {
  add("addAbortSignal before and after", [](Log log) {
    AbortController ac;
    const Ints r = manual();
    const Sink w = sink(log, immediate);
    watch(log, r, "r:");
    watch(log, w, "w:");
    log(yesNo(addAbortSignal(ac.signal(), r) == r));
    addAbortSignal(ac.signal(), w);
    w.write(1);
    r.push(1);
    ac.abort();
    log(state(r), state(w));
    const Ints late = addAbortSignal(ac.signal(), manual());
    log(state(late));
    watch(log, late, "late:");
    ladder(log);
  });
  add("addAbortSignal of what is over", [](Log log) {
    const auto ac = std::make_shared<AbortController>();
    const Ints r = addAbortSignal(ac->signal(), counting(1));
    watch(log, r);
    r.resume();
    setImmediate([log, ac, r] {
      ac->abort();
      log(state(r));
    });
  });
}

// ---- operators ----

Ints source(Log log, int n = 4) { return watch(log, counting(n, {}, immediate), "r:"); }
template <class S>
void shown(Log log, const S& s) {
  watch(log, s, "s:");
  onData(log, s);
}
template <class T>
void told2(Log log, const Promise<T>& promise) {
  promise.then([log](const T& value) { log("value-", value); },
               [log](std::exception_ptr error) { log("failed-", text(error)); });
}
std::string joined(const std::vector<int>& all) {
  std::string line;
  for (const int each : all) line += (line.empty() ? "" : "+") + std::to_string(each);
  return line;
}
Promise<int> laterDouble(int chunk) {
  co_await yield();
  co_return chunk * 2;
}
int notTwo(int chunk) {
  if (chunk == 2) throw error("bad");
  return chunk;
}
void streamOperatorCases(Cases& add) {
  add("map", [](Log log) { shown(log, source(log).map([](int c) { return c * 2; })); });
  add("map by an async function", [](Log log) { shown(log, source(log).map(laterDouble)); });
  add("map fails", [](Log log) { shown(log, counting(4, {}, immediate).map(notTwo)); });
  add("the source of map fails", [](Log log) {
    shown(log, watch(log, failing(2, immediate), "r:").map([](int c) { return c; }));
  });
  add("filter", [](Log log) { shown(log, source(log).filter([](int c) { return c % 2 != 0; })); });
  add("flatMap", [](Log log) {
    shown(log, source(log, 3).flatMap([](int c) { return std::vector<int>{c, c * 10}; }));
  });
  add("take", [](Log log) { shown(log, source(log).take(2)); });
  add("take more than there is", [](Log log) { shown(log, source(log, 2).take(5)); });
  add("drop", [](Log log) { shown(log, source(log).drop(2)); });
  add("drop more than there is", [](Log log) { shown(log, source(log, 2).drop(5)); });
}
void valueOperatorCases(Cases& add) {
  add("toArray", [](Log log) { told2(log, source(log).toArray().then(joined)); });
  add("forEach", [](Log log) {
    told2(log, source(log).forEach([log](int c) { log("each", c); }).then([] {
      return std::string("none");
    }));
  });
  add("forEach fails", [](Log log) {
    const auto none = [] { return 0; };
    told2(log, source(log).forEach([](int c) { (void)notTwo(c); }).then(none));
  });
  add("find", [](Log log) {
    const auto found = [](std::optional<int> c) { return c.value_or(0); };
    told2(log, source(log).find([](int c) { return c == 2; }).then(found));
  });
  add("find nothing", [](Log log) {
    const auto found = [](std::optional<int> c) { return std::string(c ? "some" : "none"); };
    told2(log, source(log).find([](int c) { return c > 9; }).then(found));
  });
  add("some",
      [](Log log) { told2(log, source(log).some([](int c) { return c == 2; }).then(yesNo)); });
  add("some, of none",
      [](Log log) { told2(log, source(log).some([](int c) { return c > 9; }).then(yesNo)); });
  add("every",
      [](Log log) { told2(log, source(log).every([](int c) { return c > 0; }).then(yesNo)); });
  add("every, but one",
      [](Log log) { told2(log, source(log).every([](int c) { return c != 2; }).then(yesNo)); });
  const auto sum = [](int so, int c) { return so + c; };
  add("reduce", [sum](Log log) { told2(log, source(log).reduce(sum, 100)); });
  add("reduce fails",
      [sum](Log log) { told2(log, watch(log, failing(2, immediate), "r:").reduce(sum, 0)); });
  add("operators in a row", [](Log log) {
    const auto odd = [](int c) { return c % 2 != 0; };
    const auto square = [](int c) { return c * c; };
    told2(log, source(log, 6).filter(odd).map(square).drop(1).take(2).toArray().then(joined));
  });
}

}  // namespace

void streamPipelineCases(Cases& add) {
  add.topic("stream_pipeline");
  wellCases(add, "now", now);
  wellCases(add, "tick", tick);
  wellCases(add, "micro", micro);
  wellCases(add, "immediate", immediate);
  emptyCases(add);
  const auto errors = [&add](const char* name, auto when) {
    sourceErrorCases(add, name, when);
    sinkErrorCases(add, name, when);
  };
  errors("now", now);
  errors("tick", tick);
  errors("immediate", immediate);
  hookErrorCases(add);
  destroyCases(add, "now", now);
  destroyCases(add, "immediate", immediate);
  closeBetweenCase(add);
  signalCases(add);
  endFalseCases(add);
  overSourceCases(add);
  overSinkCases(add);
  generatorStageCases(add);
  earlyStageCases(add);
  functionSinkCases(add);
  for (const bool autoDestroy : {true, false}) {
    const std::string kind = autoDestroy ? "" : ", not destroyed";
    oneSideCases(add, autoDestroy, kind);
    overCases(add, autoDestroy, kind);
    duplexCases(add, autoDestroy, {}, "both sides", kind);
    duplexCases(add, autoDestroy, {.writable = false}, "the readable side", kind);
    duplexCases(add, autoDestroy, {.readable = false}, "the writable side", kind);
  }
  finishedOptionCases(add);
  finishedSignalCases(add);
  fromCases(add);
  fromGeneratorCases(add);
  iterationCases(add);
  abortSignalCases(add);
  streamOperatorCases(add);
  valueOperatorCases(add);
}

}  // namespace order
