// SPDX-License-Identifier: MIT
// Beside stream_compose.js: streams out of streams and functions, compose and duplexFrom.

#include "../streams.hpp"

#include <leat/stream/compose.hpp>

#include <memory>

namespace order {
namespace {

using Ints = Readable<int>;
using Sink = Writable<int>;
using Through = Transform<int, int>;
using Done = TransformCallback<int, int>;

template <class When = Now>
Through times(Log log, const char* label = "t", When when = {}) {
  return Through([log, label, when](int chunk, Done callback) {
    log(label, chunk);
    when([callback, chunk] { callback(nullptr, chunk * 10); });
  });
}
/// Fails at the chunk `at`.
Through failing(Log log, int at) {
  return Through([log, at](int chunk, Done callback) {
    log("f", chunk);
    chunk == at ? callback(error("boom")) : callback(nullptr, chunk);
  });
}
using Held = std::shared_ptr<std::optional<StreamCallback>>;
Sink held(Log log, Held kept) {
  return Sink(
      [log, kept](int chunk, StreamCallback callback) {
        log("w", chunk);
        *kept = callback;
      },
      {.highWaterMark = 2});
}
template <class D>
void releaseNext(Log log, Held kept, D d) {
  if (!*kept) return;
  const StreamCallback callback = *std::exchange(*kept, std::nullopt);
  log("next", state(d));
  callback();
  setImmediate([log, kept, d] { releaseNext(log, kept, d); });
}

// ---- Duplex.from of two streams ----

template <class When>
void pairedTimedCases(Cases& add, const std::string& name, When when) {
  add("two streams as one that end both, writes done " + name, [when](Log log) {
    const Ints r = counting(3);
    const Sink w = sink(log, when);
    const auto d = duplexFrom(r, w);
    watch(log, r, "r:");
    watch(log, w, "w:");
    watch(log, d, "d:");
    onData(log, d);
    d.write(1, done(log, "one"));
    d.end(2, done(log, "end"));
    ladder(log, 8);
  });
  add("two streams as one, the sink first, writes done " + name, [when](Log log) {
    const Ints r = manual();
    const Sink w = sink(log, when);
    const auto d = duplexFrom(r, w);
    watch(log, d, "d:");
    onData(log, d);
    d.end(1);
    setImmediate([log, d, r] {
      setImmediate([log, d, r] {
        log(state(d));
        r.push(7);
        r.push(nullptr);
        ladder(log, 8);
      });
    });
  });
}

void oneSidedCases(Cases& add) {
  add("a source as a duplex", [](Log log) {
    const Ints r = counting(3);
    const auto d = duplexFrom(r);
    watch(log, r, "r:");
    watch(log, d, "d:");
    log(state(d));
    onData(log, d);
    ladder(log, 8);
  });
  add("a sink as a duplex", [](Log log) {
    const Sink w = sink(log);
    const auto d = duplexFrom(w);
    watch(log, w, "w:");
    watch(log, d, "d:");
    log(state(d));
    d.write(1);
    d.end(2, done(log, "end"));
    ladder(log, 8);
  });
  add("a sink that has enough makes its duplex wait", [](Log log) {
    const auto kept = std::make_shared<std::optional<StreamCallback>>();
    const auto d = duplexFrom(held(log, kept));
    watch(log, d, "d:");
    for (int i = 1; i <= 4; ++i) d.write(i, done(log, "done"));
    setImmediate([log, kept, d] { releaseNext(log, kept, d); });
    d.end();
  });
}

void pairedErrorCases(Cases& add) {
  add("the source of two streams fails", [](Log log) {
    const Ints r = manual();
    const Sink w = sink(log);
    const auto d = duplexFrom(r, w);
    watch(log, r, "r:");
    watch(log, d, "d:");
    d.write(1);
    r.destroy(error("boom"));
    ladder(log, 8);
  });
  add("the sink of two streams fails", [](Log log) {
    const Ints r = manual();
    const Sink w([](int, StreamCallback callback) { callback(error("boom")); });
    const auto d = duplexFrom(r, w);
    watch(log, r, "r:");
    watch(log, w, "w:");
    watch(log, d, "d:");
    d.write(1, done(log, "one"));
    ladder(log, 8);
  });
  for (const bool fails : {false, true}) {
    add(std::string("two streams as one are destroyed") + (fails ? " with an error" : ""),
        [fails](Log log) {
          const Ints r = manual();
          const Sink w = sink(log);
          const auto d = duplexFrom(r, w);
          watch(log, r, "r:");
          watch(log, w, "w:");
          watch(log, d, "d:");
          fails ? d.destroy(error("enough")) : d.destroy();
          log(state(r), state(w), state(d));
          ladder(log, 8);
        });
  }
}

// ---- compose ----

template <class When>
void composedTimedCases(Cases& add, const std::string& name, When when) {
  add("two transforms as one, done " + name, [when](Log log) {
    const Through a = times(log, "a", when);
    const Through b = times(log, "b");
    const auto d = compose(a, b);
    watch(log, a, "a:");
    watch(log, b, "b:");
    watch(log, d, "d:");
    onData(log, d);
    d.write(1, done(log, "one"));
    d.end(2, done(log, "end"));
    ladder(log, 8);
  });
}

void composedSideCases(Cases& add) {
  add("a source and a transform as one", [](Log log) {
    const auto d = compose(counting(2), times(log));
    watch(log, d, "d:");
    log(state(d));
    onData(log, d);
    ladder(log, 8);
  });
  add("a transform and a sink as one", [](Log log) {
    const auto d = compose(times(log), sink(log));
    watch(log, d, "d:");
    log(state(d));
    d.write(1);
    d.end(2, done(log, "end"));
    ladder(log, 8);
  });
  add("a source and a sink as one", [](Log log) {
    const auto d = compose(counting(2), sink(log));
    watch(log, d, "d:");
    log(state(d));
    ladder(log, 8);
  });
}

void composedErrorCases(Cases& add) {
  for (const bool first : {true, false}) {
    add(std::string("the ") + (first ? "first" : "last") + " of the composed fails",
        [first](Log log) {
          const Through f = failing(log, 2);
          const Through p = PassThrough<int>();
          const auto d = first ? compose(f, p) : compose(p, f);
          watch(log, f, "f:");
          watch(log, p, "p:");
          watch(log, d, "d:");
          onData(log, d);
          d.write(1);
          d.write(2, done(log, "two"));
          d.write(3, done(log, "three"));
          ladder(log, 8);
        });
  }
  for (const bool fails : {false, true}) {
    add(std::string("what is composed is destroyed") + (fails ? " with an error" : ""),
        [fails](Log log) {
          const Through a = times(log, "a");
          const Through b = times(log, "b");
          const auto d = compose(a, b);
          watch(log, a, "a:");
          watch(log, b, "b:");
          watch(log, d, "d:");
          d.write(1);
          fails ? d.destroy(error("enough")) : d.destroy();
          ladder(log, 8);
        });
  }
  add("what is composed stands in a pipeline", [](Log log) {
    const auto d = compose(times(log, "a"), times(log, "b"));
    watch(log, d, "d:");
    const auto told = done(log, "pipeline");
    pipeline(counting(2), d, sink(log), told);
    ladder(log, 8);
  });
}

}  // namespace

void streamComposeCases(Cases& add) {
  add.topic("stream_compose");
  pairedTimedCases(add, "now", now);
  pairedTimedCases(add, "tick", tick);
  pairedTimedCases(add, "immediate", immediate);
  oneSidedCases(add);
  pairedErrorCases(add);
  composedTimedCases(add, "now", now);
  composedTimedCases(add, "tick", tick);
  composedTimedCases(add, "immediate", immediate);
  composedSideCases(add);
  composedErrorCases(add);
}

}  // namespace order
