// SPDX-License-Identifier: MIT
// Beside stream_readable.js: when a Readable asks, when it tells, how it ends.

#include "../streams.hpp"

#include <memory>

namespace order {
namespace {

using Ints = Readable<int>;
using Bytes = Readable<Buffer>;

/// A listener for "readable" that reads once.
template <class S>
auto readOnce(Log log, const S& r, bool states = false) {
  return [log, r, states] {
    const std::string got = show(r.read());
    log("readable", got, states ? state(r) : "");
  };
}

template <class When>
void pushedCases(Cases& add, const std::string& name, When when) {
  add("flows, pushed " + name, [when](Log log) {
    const Ints r = counting(3, {}, when);
    watch(log, r, "", true);
    onData(log, r);
    log(state(r));
    ladder(log);
  });
  add("readable and read, pushed " + name, [when](Log log) {
    const Ints r = counting(3, {}, when);
    watch(log, r, "", true);
    r.on<"readable">([log, r] {
      log("readable", state(r));
      while (const auto c = r.read()) log("got", *c);
      log("null", state(r));
    });
    ladder(log);
  });
  add("a mark of 1, pushed " + name, [when](Log log) {
    const Ints r = counting(4, {.highWaterMark = 1}, when);
    watch(log, r);
    r.on<"readable">([log, r] {
      log("readable", state(r));
      log(show(r.read()));
    });
    ladder(log);
  });
  add("a mark of 0, pushed " + name, [when](Log log) {
    const Ints r = counting(2, {.highWaterMark = 0}, when);
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
}

void askingCases(Cases& add) {
  add("a mark of 0 and readable", [](Log log) {
    const Ints r = counting(3, {.highWaterMark = 0});
    watch(log, r);
    r.on<"readable">([log, r] {
      log("readable", state(r));
      log(show(r.read()));
    });
    ladder(log);
  });
  add("nobody reads", [](Log log) {
    const Ints r = counting(3);
    watch(log, r);
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
  add("resume without a listener drops it all", [](Log log) {
    const Ints r = counting(3);
    watch(log, r, "", true);
    log(state(r.resume()));
    ladder(log);
  });
  add("how often it asks, and with which mark", [](Log log) {
    const Ints r(
        [log, i = 0](Ints& self, std::size_t size) mutable {
          log("read", size);
          if (i < 5) {
            self.push(++i);
          } else {
            self.push(nullptr);
          }
        },
        {.highWaterMark = 2});
    onData(log, r);
    watch(log, r);
    ladder(log);
  });
  add("asks ahead up to the mark", [](Log log) {
    const Ints r(
        [log, i = 0](Ints& self) mutable {
          log("read");
          log(yesNo(self.push(++i)));
        },
        {.highWaterMark = 3});
    const std::string got = show(r.read());
    log(got, state(r));
    ladder(log);
    setImmediate([log, r] {
      const std::string more = show(r.read());
      log(more, state(r));
      r.destroy();
    });
  });
  add("several pushes in a read", [](Log log) {
    const Ints r(
        [log, i = 0](Ints& self) mutable {
          log("read");
          for (int k = 0; k < 3; k++) log(yesNo(self.push(++i)));
          if (i == 6) self.push(nullptr);
        },
        {.highWaterMark = 3});
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  add("pushed from outside, flowing", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    onData(log, r);
    const bool room = r.push(1);
    log(yesNo(room), state(r));
    setImmediate([log, r] {
      log(yesNo(r.push(2)));
      log("after", state(r));
      r.push(nullptr);
      log("ended", state(r));
      ladder(log);
    });
    ladder(log);
  });
  add("pushed from outside, with a listener for readable", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    r.on<"readable">(readOnce(log, r, true));
    setImmediate([log, r] {
      r.push(1);
      r.push(2);
      log("pushed", state(r));
      ladder(log);
    });
    setImmediate([log, r] {
      setImmediate([log, r] {
        r.push(nullptr);
        log("ended", state(r));
        ladder(log);
      });
    });
  });
  add("the end alone", [](Log log) {
    const Ints r = manual();
    watch(log, r, "", true);
    r.on<"readable">(readOnce(log, r, true));
    r.push(nullptr);
    ladder(log);
  });
  add("the end in an immediate, readable", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    r.on<"readable">(readOnce(log, r));
    setImmediate([log, r] {
      r.push(nullptr);
      log("pushed", state(r));
      ladder(log);
    });
  });
}

void pauseCases(Cases& add) {
  add("paused and resumed inside of data", [](Log log) {
    const Ints r = counting(3);
    watch(log, r, "", true);
    r.on<"data">([log, r](int c) {
      log("data", c);
      if (c != 2) return;
      r.pause();
      log(state(r));
      setImmediate([log, r] {
        r.resume();
        log("resumed", state(r));
      });
    });
    ladder(log);
  });
  add("pause and resume at once, inside of data", [](Log log) {
    const Ints r = counting(3);
    watch(log, r);
    r.on<"data">([log, r](int c) {
      log("data", c);
      r.pause();
      r.resume();
    });
    ladder(log);
  });
  add("paused before anybody listens", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    r.pause();
    onData(log, r);
    log(state(r));
    ladder(log);
    setImmediate([r] { r.resume(); });
  });
  add("resume twice, pause twice", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    r.pause().pause().resume().resume();
    onData(log, r);
    r.pause();
    log(state(r));
    tick([log, r] {
      log(state(r));
      r.resume();
    });
    ladder(log);
  });
  add("resume in the listener for pause, pause in the one for resume", [](Log log) {
    const Ints r = counting(2);
    const auto left = std::make_shared<int>(2);
    r.on<"pause">([log, r, left] {
      log("pause");
      if ((*left)-- > 0) r.resume();
    });
    r.on<"resume">([log, r, left] {
      log("resume");
      if ((*left)-- > 0) r.pause();
    });
    r.on<"end">(log.say("end"));
    onData(log, r);
    ladder(log);
  });
  add("paused while pushes come from outside", [](Log log) {
    const Ints r = manual({.highWaterMark = 2});
    watch(log, r);
    onData(log, r);
    setImmediate([log, r] {
      log(yesNo(r.push(1)));
      r.pause();
      bool room = r.push(2);
      log(yesNo(room), state(r));
      room = r.push(3);
      log(yesNo(room), state(r));
      r.push(nullptr);
      setImmediate([log, r] {
        log(state(r));
        r.resume();
        ladder(log);
      });
    });
  });
}

void modeCases(Cases& add) {
  add("data and readable: readable decides", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    onData(log, r);
    r.on<"readable">([log, r] {
      log("readable", state(r));
      r.read();
    });
    log(state(r));
    ladder(log);
  });
  add("readable and data: read tells both", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    r.on<"readable">([log, r] {
      log("readable");
      const std::string got = show(r.read());
      log("got", got);
    });
    onData(log, r);
    log(state(r));
    ladder(log);
  });
  add("the listener for readable goes, data flows", [](Log log) {
    const Ints r = counting(4, {.highWaterMark = 2});
    watch(log, r);
    const auto listener = std::make_shared<Listener>();
    *listener = r.on<"readable">([log, r, listener] {
      log("readable", state(r));
      const std::string got = show(r.read());
      log("got", got);
      std::exchange(*listener, Listener()).off();
      log(state(r));
    });
    onData(log, r);
    ladder(log);
  });
  add("once readable, then resume", [](Log log) {
    const Ints r = counting(3);
    watch(log, r, "", true);
    r.once<"readable">([log, r] {
      const std::string got = show(r.read());
      log("readable", got, state(r));
      r.resume();
      log(state(r));
    });
    ladder(log);
  });
  add("once readable again and again", [](Log log) {
    const Ints r = counting(3, {.highWaterMark = 1});
    watch(log, r);
    struct Again {
      Log log;
      Ints r;
      void operator()() const {
        const std::string got = show(r.read());
        log("readable", got, state(r));
        if (!r.readableEnded()) r.once<"readable">(*this);
      }
    };
    r.once<"readable">(Again{log, r});
    ladder(log);
  });
  add("removed listeners for readable leave no mode", [](Log log) {
    const Ints r = counting(2);
    Listener listener = r.on<"readable">(log.say("readable"));
    log(state(r));
    listener.off();
    log(state(r));
    tick([log, r] { log(state(r)); });
    setImmediate([log, r] {
      watch(log, r);
      onData(log, r);
      ladder(log);
    });
  });
  add("several listeners for readable go in one tick", [](Log log) {
    for (const bool stays : {true, false}) {
      const Ints r = manual();
      watch(log, r, stays ? "a:" : "b:", true);
      if (stays) r.on<"readable">(readOnce(log, r, true));
      for (int i = 0; i < 2; i++) {
        r.once<"readable">([log, r, i] {
          const std::string got = show(r.read());
          log("once", i, got);
          r.resume();
        });
      }
      setImmediate([log, r] {
        r.push(1);
        tick([log, r] { log(state(r)); });
      });
      setImmediate([log, r] {
        setImmediate([log, r] {
          log(state(r));
          r.destroy();
        });
      });
    }
    ladder(log);
  });
  add("removeAllListeners of readable", [](Log log) {
    const Ints r = counting(3, {.highWaterMark = 1});
    watch(log, r);
    r.on<"readable">([log, r] {
      const std::string got = show(r.read());
      log("readable", got);
      r.removeAllListeners<"readable">();
      log(state(r));
    });
    onData(log, r);
    ladder(log);
  });
  add("once data: the rest flows away", [](Log log) {
    const Ints r = counting(3);
    watch(log, r);
    r.once<"data">([log](int c) { log("data", c); });
    ladder(log);
  });
  add("the listener for data goes, pushes come", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    const auto listener = std::make_shared<Listener>();
    *listener = r.on<"data">([log, listener](int c) {
      log("data", c);
      std::exchange(*listener, Listener()).off();
    });
    setImmediate([log, r] {
      r.push(1);
      r.push(2);
      log(state(r));
      ladder(log);
      setImmediate([log, r] {
        log(state(r));
        r.push(nullptr);
      });
    });
  });
  add("a listener for data added inside of data", [](Log log) {
    const Ints r = counting(2);
    r.on<"data">([log, r, first = true](int c) mutable {
      log("a", c);
      if (std::exchange(first, false)) r.on<"data">([log](int d) { log("b", d); });
    });
    r.on<"data">([log](int c) { log("c", c); });
    watch(log, r);
    ladder(log);
  });
  add("prepended listeners for data do not start it", [](Log log) {
    const Ints r = counting(2);
    r.prependListener<"data">([log](int c) { log("data", c); });
    log(state(r));
    setImmediate([log, r] {
      log(state(r));
      watch(log, r);
      r.resume();
      ladder(log);
    });
  });
  add("readable listened to after the end was told", [](Log log) {
    const Ints r = counting(1);
    watch(log, r);
    r.resume();
    r.on<"end">([log, r] {
      r.on<"readable">(log.say("readable"));
      log(state(r));
    });
    ladder(log);
  });
  add("a listener for readable that does not read", [](Log log) {
    const Ints r = counting(3, {.highWaterMark = 2});
    watch(log, r);
    r.on<"readable">([log, r] { log("readable", state(r)); });
    ladder(log);
    setImmediate([log, r] {
      log(show(r.read()));
      setImmediate([log, r] {
        const std::string got = show(r.read());
        log(got, state(r));
        r.destroy();
      });
    });
  });
  add("new listeners are told of", [](Log log) {
    const Ints r = counting(1);
    r.on<"newListener">([log, r](std::string_view name) { log("new-", name, state(r)); });
    r.on<"removeListener">([log, r](std::string_view name) { log("gone-", name, state(r)); });
    r.on<"readable">(log.say("first"));
    r.on<"data">(log.say("first"));
    r.on<"end">(log.say("first"));
    r.once<"readable">(readOnce(log, r));
    r.once<"data">([log](int c) { log("data", c); });
    r.once<"end">(log.say("end"));
    ladder(log);
  });
}

/// What read gives, with the state after it.
template <class S>
void tellRead(Log log, const S& r, std::size_t size) {
  const std::string got = show(r.read(size));
  log(got, state(r));
}
template <class S>
void tellRead(Log log, const S& r) {
  const std::string got = show(r.read());
  log(got, state(r));
}

void bytesCases(Cases& add) {
  add("read of so many bytes", [](Log log) {
    const Bytes r = manualBytes();
    watch(log, r);
    r.push("abc");
    r.push("defgh");
    tellRead(log, r, 2);
    tellRead(log, r, 3);
    tellRead(log, r, 9);
    log(r.readableHighWaterMark());
    tellRead(log, r);
    tellRead(log, r);
    r.push(nullptr);
    tellRead(log, r);
    ladder(log);
  });
  add("fewer bytes than asked for, at the end", [](Log log) {
    const Bytes r = manualBytes();
    watch(log, r);
    r.push("abc");
    r.push(nullptr);
    tellRead(log, r, 2);
    tellRead(log, r, 2);
    ladder(log);
  });
  add("read of more than the mark raises it", [](Log log) {
    const Bytes r([log](Bytes&, std::size_t size) { log("asked", size); }, {.highWaterMark = 4});
    std::string got = show(r.read(5));
    log(got, r.readableHighWaterMark());
    r.push("abcdefghij");
    got = show(r.read(9));
    log(got, r.readableHighWaterMark(), state(r));
    attempt(log, [r] { r.read((std::size_t{1} << 30) + 1); });
    r.destroy();
    ladder(log);
  });
  add("read of nothing asks", [](Log log) {
    const Ints r(
        [log](Ints& self) {
          log("asked");
          self.push(1);
        },
        {.highWaterMark = 1});
    tellRead(log, r, 0);
    tellRead(log, r, 0);
    tellRead(log, r);
    r.destroy();
    ladder(log);
  });
  add("paused reading joins, flowing does not", [](Log log) {
    const Bytes r = manualBytes();
    for (const char* each : {"a", "b", "c"}) r.push(each);
    watch(log, r);
    onData(log, r);
    r.pause();
    log(show(r.read()));
    r.push("d");
    r.push("e");
    r.resume();
    r.push(nullptr);
    ladder(log);
  });
  add("an empty push", [](Log log) {
    const Bytes r([log, i = 0](Bytes& self) mutable {
      log("read");
      if (i++ < 2) {
        self.push("");
      } else if (i < 5) {
        self.push("x");
      } else {
        self.push(nullptr);
      }
    });
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  add("an empty push from outside ends the asking", [](Log log) {
    const Bytes r([log, asked = 0](Bytes&) mutable { log("read", ++asked); });
    onData(log, r);
    watch(log, r);
    setImmediate([log, r] {
      const bool room = r.push("");
      log(yesNo(room), state(r));
      ladder(log);
      setImmediate([r] { r.push(nullptr); });
    });
  });
  add("unshift", [](Log log) {
    const Bytes r = manualBytes();
    watch(log, r);
    r.push("def");
    const bool room = r.unshift(Buffer::from("abc"));
    log(yesNo(room), state(r));
    log(show(r.read(4)));
    r.unshift(Buffer::from("x"));
    r.on<"readable">(readOnce(log, r, true));
    r.push(nullptr);
    ladder(log);
  });
  add("unshift inside of readable, as parsers do", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    r.on<"readable">([log, r, back = true]() mutable {
      log("readable");
      while (const auto c = r.read()) {
        log("got", *c);
        if (std::exchange(back, false)) log(yesNo(r.unshift(9)));
      }
    });
    ladder(log);
  });
  add("unshift while it flows", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    onData(log, r);
    setImmediate([log, r] {
      const bool room = r.unshift(1);
      log(yesNo(room), state(r));
      r.push(2);
      r.push(nullptr);
      ladder(log);
    });
  });
  add("unshift between the last read and the end", [](Log log) {
    const Ints r = counting(1);
    watch(log, r);
    r.once<"data">([log, r](int c) {
      log("data", c);
      tick([log, r] {
        const bool room = r.unshift(7);
        log(yesNo(room), state(r));
        onData(log, r);
      });
    });
    ladder(log);
  });
  add("unshift after the end", [](Log log) {
    const Ints r = counting(1, {.autoDestroy = false});
    watch(log, r);
    r.resume();
    r.on<"end">([log, r] {
      const bool room = r.unshift(1);
      log(yesNo(room), state(r));
      ladder(log);
    });
  });
}

void tellUncaught(Log log) {
  process::on<"uncaughtException">(
      [log](std::exception_ptr error) { log("uncaught-", text(error)); });
}

template <class When>
void failingReadCase(Cases& add, const std::string& name, When when) {
  add("read fails by destroy, " + name, [when](Log log) {
    const Ints r([when, i = 0](Ints& self) mutable {
      if (++i < 3) {
        self.push(i);
      } else {
        when([self] { self.destroy(error("boom")); });
      }
    });
    watch(log, r, "", true);
    r.on<"readable">(readOnce(log, r, true));
    ladder(log);
  });
}

void errorCases(Cases& add) {
  add("push after the end", [](Log log) {
    const Ints r = manual();
    watch(log, r, "", true);
    r.push(nullptr);
    bool room = r.push(1);
    log(yesNo(room), state(r));
    room = r.push(nullptr);
    log(yesNo(room), state(r));
    ladder(log);
  });
  add("push after the end, told to nobody", [](Log log) {
    tellUncaught(log);
    const Ints r = manual();
    r.on<"close">(log.say("close"));
    r.push(nullptr);
    r.push(1);
    ladder(log);
  });
  add("push after the end without autoDestroy", [](Log log) {
    const Ints r = manual({.autoDestroy = false});
    watch(log, r, "", true);
    onData(log, r);
    setImmediate([log, r] {
      r.push(1);
      r.push(nullptr);
      log("ended");
      const bool room = r.push(2);
      log(yesNo(room), state(r));
      ladder(log);
    });
  });
  add("read throws", [](Log log) {
    const Ints r([log](Ints&) {
      log("read");
      throw error("boom");
    });
    watch(log, r, "", true);
    onData(log, r);
    ladder(log);
  });
  add("read throws in the call of the user", [](Log log) {
    const Ints r([](Ints& self) {
      self.push(1);
      throw error("boom");
    });
    watch(log, r, "", true);
    tellRead(log, r);
    tellRead(log, r);
    ladder(log);
  });
  failingReadCase(add, "now", now);
  failingReadCase(add, "tick", tick);
  failingReadCase(add, "immediate", immediate);
  add("a listener for data throws", [](Log log) {
    tellUncaught(log);
    const Ints r = counting(3);
    watch(log, r);
    r.on<"data">([log](int c) {
      log("data", c);
      if (c == 2) throw error("boom");
    });
    ladder(log);
    setImmediate([log, r] {
      log(state(r));
      r.resume();
      setImmediate([log, r] { log(state(r)); });
    });
  });
  add("a listener for data throws out of push", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    r.on<"data">([log](int c) {
      log("data", c);
      throw error("boom");
    });
    setImmediate([log, r] {
      attempt(log, [r] { r.push(1); });
      log(state(r));
      r.push(nullptr);
      ladder(log);
    });
  });
  add("a listener for end throws", [](Log log) {
    tellUncaught(log);
    const Ints r = counting(1);
    watch(log, r);
    r.on<"end">([] { throw error("boom"); });
    r.resume();
    ladder(log);
    setImmediate([log, r] { setImmediate([log, r] { log(state(r)); }); });
  });
}

/// A destroy that says what it is called with, and passes it on.
auto destroysLoudly(Log log) {
  return destroys([log](std::exception_ptr error, StreamCallback callback) {
    log("destroy-", error ? text(error) : "");
    callback(error);
  });
}

template <class When>
auto failingDestroy(Log log, When when) {
  if constexpr (returns<When>) {
    return destroys([log](std::exception_ptr error) {
      log("destroy-", error ? text(error) : "");
      throw order::error("failed");
    });
  } else {
    return destroys([log, when](std::exception_ptr error, StreamCallback callback) {
      log("destroy-", error ? text(error) : "");
      when([callback] { callback(order::error("failed")); });
    });
  }
}

template <class When>
void failingDestroyCase(Cases& add, const std::string& name, When when) {
  add("destroy fails, " + name, [when](Log log) {
    const Ints plain(Impl{reads([](Ints&) {}), failingDestroy(log, when)});
    const Ints failed(Impl{reads([](Ints&) {}), failingDestroy(log, when)});
    watch(log, plain, "a:", true);
    watch(log, failed, "b:", true);
    plain.destroy();
    failed.destroy(error("first"));
    failed.on<"close">([log, failed] { log(text(failed.errored())); });
    log(state(plain), state(failed));
    ladder(log);
  });
}

void destroyCases(Cases& add) {
  add("destroyed before the first read", [](Log log) {
    const Ints r(Impl{reads([log](Ints&) { log("read"); }),
                      destroys([log](std::exception_ptr error, StreamCallback callback) {
                        log("destroy", error ? text(error) : "");
                        callback(error);
                      })});
    watch(log, r, "", true);
    onData(log, r);
    r.destroy();
    log(state(r));
    ladder(log);
  });
  add("destroyed with an error before the first read", [](Log log) {
    const Ints r(Impl{reads([log](Ints&) { log("read"); }), destroysLoudly(log)});
    watch(log, r, "", true);
    r.destroy(error("boom"));
    r.destroy(error("second"));
    const std::string before = state(r);
    const bool room = r.push(1);
    log(before, yesNo(room), show(r.read()));
    ladder(log);
  });
  add("destroyed inside of data", [](Log log) {
    const Ints r = counting(4);
    watch(log, r, "", true);
    r.on<"data">([log, r](int c) {
      log("data", c);
      if (c != 2) return;
      r.destroy();
      log(state(r));
    });
    ladder(log);
  });
  add("destroyed with an error inside of readable", [](Log log) {
    const Ints r = counting(4, {.highWaterMark = 2});
    watch(log, r);
    r.on<"readable">([log, r] {
      log("readable", show(r.read()));
      r.destroy(error("boom"));
      tellRead(log, r);
    });
    ladder(log);
  });
  add("destroyed inside of end", [](Log log) {
    const Ints r = counting(1);
    watch(log, r);
    r.on<"end">([log, r] {
      r.destroy(error("late"));
      log(state(r));
    });
    r.resume();
    ladder(log);
  });
  add("destroyed between the last chunk and the end", [](Log log) {
    const Ints r = counting(2);
    watch(log, r);
    r.on<"data">([log, r](int c) {
      log("data", c);
      if (c != 2) return;
      tick([log, r] {
        tick([log, r] {
          log(state(r));
          r.destroy();
        });
      });
    });
    ladder(log);
  });
  add("destroyed in the listener for error", [](Log log) {
    const Ints r = manual();
    watch(log, r);
    r.on<"error">([log, r](const std::exception_ptr&) {
      r.destroy(error("again"));
      log(state(r));
    });
    r.destroy(error("boom"));
    ladder(log);
  });
  add("destroy answers later, and twice", [](Log log) {
    const Ints r(Impl{reads([](Ints&) {}),
                      destroys([log](Ints& self, std::exception_ptr, StreamCallback callback) {
                        log("destroy");
                        setImmediate([log, self, callback] {
                          callback();
                          callback(error("second"));
                          log("answered", state(self));
                        });
                      })});
    watch(log, r, "", true);
    r.destroy();
    log(state(r));
    ladder(log);
  });
  add("destroy throws, and loses the first error", [](Log log) {
    const Ints r(Impl{reads([](Ints&) {}),
                      destroys([](std::exception_ptr, StreamCallback) { throw error("thrown"); })});
    watch(log, r);
    r.destroy(error("first"));
    r.on<"close">([log, r] { log(text(r.errored())); });
    ladder(log);
  });
  add("destroy swallows the error", [](Log log) {
    const Ints r(Impl{reads([](Ints&) {}),
                      destroys([](std::exception_ptr, StreamCallback callback) { callback(); })});
    watch(log, r, "", true);
    r.destroy(error("first"));
    ladder(log);
  });
  add("no listener for error: close does not come", [](Log log) {
    tellUncaught(log);
    const Ints r = manual();
    r.on<"close">(log.say("close"));
    r.destroy(error("boom"));
    ladder(log);
    setImmediate([log, r] { log(state(r)); });
  });
  add("without emitClose", [](Log log) {
    const Ints r = counting(1, {.emitClose = false});
    watch(log, r);
    r.resume();
    ladder(log);
    setImmediate([log, r] { setImmediate([log, r] { log(state(r)); }); });
  });
  add("without autoDestroy", [](Log log) {
    const Ints r = counting(1, {.autoDestroy = false});
    watch(log, r, "", true);
    r.resume();
    ladder(log);
    setImmediate([log, r] {
      setImmediate([log, r] {
        r.destroy();
        log(state(r));
      });
    });
  });
  add("without autoDestroy: an error in read, and the next", [](Log log) {
    const Ints r([i = 0](Ints&) mutable { throw error("boom" + std::to_string(++i)); },
                 {.autoDestroy = false});
    watch(log, r, "", true);
    attempt(log, [r] { r.read(); });
    attempt(log, [r] { r.read(); });
    const bool room = r.push(1);
    log(yesNo(room), state(r));
    r.destroy(error("end"));
    ladder(log);
  });
  add("aborted by a signal", [](Log log) {
    const auto abort = std::make_shared<AbortController>();
    const Ints r = manual({.signal = abort->signal()});
    watch(log, r, "", true);
    onData(log, r);
    setImmediate([log, r, abort] {
      r.push(1);
      abort->abort();
      log(state(r));
      abort->abort();
      ladder(log);
    });
  });
  add("made with an aborted signal", [](Log log) {
    AbortController abort;
    abort.abort();
    const Ints r = manual({.signal = abort.signal()});
    watch(log, r);
    log(state(r));
    ladder(log);
  });
}

/// Pushes 1 to n, with these other methods.
template <class... Hooks>
Ints countingWith(int n, Hooks... hooks) {
  return Ints(Impl{reads([n, i = 0](Ints& self) mutable {
                     if (i < n) {
                       self.push(++i);
                     } else {
                       self.push(nullptr);
                     }
                   }),
                   std::move(hooks)...});
}

template <class When>
auto constructsWhen(Log log, When when) {
  return constructs([log, when](StreamCallback callback) {
    log("construct");
    when([callback] { callback(); });
  });
}

template <class When>
void constructCases(Cases& add, const std::string& name, When when) {
  add("constructed " + name, [when](Log log) {
    const Ints r = countingWith(2, constructsWhen(log, when));
    watch(log, r);
    onData(log, r);
    const std::string before = state(r);
    log(before, show(r.read()));
    ladder(log);
  });
  add("construct fails " + name, [when](Log log) {
    const Ints r = countingWith(2, constructs([log, when](StreamCallback callback) {
                                  log("construct");
                                  when([callback] { callback(error("boom")); });
                                }),
                                destroysLoudly(log));
    watch(log, r, "", true);
    r.on<"readable">(log.say("readable"));
    ladder(log);
  });
  add("destroyed while it is constructed, " + name, [when](Log log) {
    const Ints r = countingWith(2, constructsWhen(log, when), destroysLoudly(log));
    watch(log, r, "", true);
    r.destroy(error("early"));
    log(state(r));
    ladder(log);
  });
}

void otherConstructCases(Cases& add) {
  add("construct throws", [](Log log) {
    const Ints r = countingWith(2, constructs([log](StreamCallback) {
                                  log("construct");
                                  throw error("boom");
                                }));
    watch(log, r);
    ladder(log);
  });
  add("construct answers twice", [](Log log) {
    const Ints r = countingWith(2, constructs([](StreamCallback callback) {
                                  callback();
                                  callback();
                                }));
    watch(log, r);
    onData(log, r);
    ladder(log);
  });
  add("destroyed and the construction fails: two errors", [](Log log) {
    const Ints r = countingWith(2, constructs([](StreamCallback callback) {
                                  immediate([callback] { callback(error("inner")); });
                                }));
    watch(log, r);
    r.destroy(error("outer"));
    r.on<"error">([log](const std::exception_ptr& error) {
      const std::string all = message(error);
      log("all-", all.substr(4, all.size() - 5));
    });
  });
  add("pushes while it is constructed", [](Log log) {
    const Ints r(Impl{reads([](Ints&) {}), constructs([](StreamCallback callback) {
                        immediate([callback] { callback(); });
                      })});
    watch(log, r);
    onData(log, r);
    const bool room = r.push(1);
    log(yesNo(room), state(r));
    ladder(log);
    setImmediate([log, r] {
      setImmediate([log, r] {
        log(state(r));
        r.push(nullptr);
      });
    });
  });
}

}  // namespace

void streamReadableCases(Cases& add) {
  add.topic("stream_readable");
  pushedCases(add, "now", now);
  pushedCases(add, "tick", tick);
  pushedCases(add, "micro", micro);
  pushedCases(add, "immediate", immediate);
  pushedCases(add, "by returning", returning);
  askingCases(add);
  pauseCases(add);
  modeCases(add);
  bytesCases(add);
  errorCases(add);
  failingDestroyCase(add, "now", now);
  failingDestroyCase(add, "tick", tick);
  failingDestroyCase(add, "micro", micro);
  failingDestroyCase(add, "immediate", immediate);
  failingDestroyCase(add, "by returning", returning);
  destroyCases(add);
  constructCases(add, "now", now);
  constructCases(add, "tick", tick);
  constructCases(add, "immediate", immediate);
  otherConstructCases(add);
}

}  // namespace order
