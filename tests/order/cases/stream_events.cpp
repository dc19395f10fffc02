// SPDX-License-Identifier: MIT
// Beside stream_events.js: the emitter in a stream.

#include "../streams.hpp"

namespace order {
namespace {

template <class S>
void names(Log log, const S& s) {
  std::string all;
  for (std::string_view name : s.eventNames()) {
    if (!all.empty()) all += ",";
    all += name;
  }
  log("[", all, "]");
}

template <class S>
S plain(const S& s) {
  s.removeAllListeners();
  return s;
}

void namesCases(Cases& add) {
  add("the events that somebody listens to", [](Log log) {
    const Readable<int> r = plain(counting(1));
    const Writable<int> w = plain(sink(log));
    names(log, r);
    r.on("end"_e, [] {});
    r.once("close"_e, [] {});
    r.on("error"_e, [] {});
    const auto pause = [] {};
    r.on("pause"_e, pause);
    r.prependListener("end"_e, [] {});
    names(log, r);
    r.removeListener("pause"_e, pause);
    r.removeAllListeners("end"_e);
    names(log, r);
    w.on("finish"_e, [] {});
    w.prependOnceListener("drain"_e, [] {});
    w.addListener("removeListener"_e, [] {});
    names(log, w);
    w.emit("drain"_e);
    names(log, w);
  });
  add("how often, and which", [](Log log) {
    const Writable<int> w = sink(log);
    const SharedListener say([log] { log("drain"); });
    w.on<"drain">(say);
    w.on<"drain">([log] { log("other"); });
    w.once<"drain">(say);
    log(w.listenerCount("drain"_e), w.listenerCount("drain"_e, say),
        w.listenerCount("finish"_e, say));
    log(w.listeners("drain"_e).size(), w.rawListeners("drain"_e).size());
    w.rawListeners("drain"_e)[2]();
    log(w.listenerCount("drain"_e, say));
    w.listeners("drain"_e)[1]();
    const bool heard = w.emit("drain"_e);
    log(yesNo(heard), yesNo(w.emit<"prefinish">()));
    w.off("drain"_e, say);
    w.removeListener("drain"_e, say);
    log(w.listenerCount("drain"_e));
  });
}

void goneCases(Cases& add) {
  add("all listeners go", [](Log log) {
    const auto d = plain(
        Duplex<Buffer>(Impl{reads([](const Duplex<Buffer>&) {}),
                            writes([](const Buffer&, StreamCallback callback) { callback(); })}));
    d.on<"finish">(log.say("finish"));
    d.on<"pause">(log.say("pause"));
    d.on<"finish">(log.say("finish2"));
    d.on<"error">([] {});
    d.on<"removeListener">([log](std::string_view name) { log("removed-", name); });
    d.on<"removeListener">([log](std::string_view name) { log("again-", name); });
    d.removeAllListeners();
    names(log, d);
    d.end();
    ladder(log, 2);
  });
  add("all listeners of a source that is read go", [](Log log) {
    const Readable<int> r = manual();
    r.on<"readable">([log] { log("readable"); });
    r.push(1);
    r.removeAllListeners();
    log(state(r));
    setImmediate([log, r] {
      log(state(r));
      onData(log, r);
      r.push(2);
      log(state(r));
    });
  });
  add("all listeners of a source that flows go", [](Log log) {
    const Readable<int> r = counting(3);
    onData(log, r);
    r.on<"end">(log.say("end"));
    setImmediate([log, r] { log(state(r)); });
    nextTick([log, r] {
      r.removeAllListeners();
      names(log, r);
      log(state(r));
    });
  });
  add("a pipe whose listeners go", [](Log log) {
    const Readable<int> r = counting(3, {}, immediate);
    const Writable<int> w = plain(sink(log));
    w.on<"pipe">(log.say("pipe"));
    w.on<"finish">(log.say("finish"));
    r.pipe(w);
    setImmediate([log, w] {
      w.removeAllListeners<"finish">();
      w.removeAllListeners<"pipe">();
      names(log, w);
    });
    r.on<"end">([log, w] { setImmediate([log, w] { log(state(w)); }); });
  });
}

}  // namespace

void streamEventCases(Cases& add) {
  add.topic("stream_events");
  namesCases(add);
  goneCases(add);
}

}  // namespace order
