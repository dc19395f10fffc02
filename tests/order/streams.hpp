// SPDX-License-Identifier: MIT
// What the cases of streams are written with. streams.js is its counterpart.
#pragma once

#include "order.hpp"

#include <leat/stream.hpp>

#include <memory>
#include <utility>

namespace order {

inline std::string text(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
inline const char* yesNo(bool yes) { return yes ? "true" : "false"; }

// ---- an implementation of lambdas: Impl{reads(...), destroys(...)} ----

#define ORDER_HOOK(Name, function, method)                                 \
  template <class F>                                                       \
  struct Name {                                                            \
    F call;                                                                \
    template <class... A>                                                  \
    auto method(A&&... args) -> decltype(call(std::forward<A>(args)...)) { \
      return call(std::forward<A>(args)...);                               \
    }                                                                      \
  };                                                                       \
  template <class F>                                                       \
  Name<F> function(F call) {                                               \
    return {std::move(call)};                                              \
  }
ORDER_HOOK(Reads, reads, read)
ORDER_HOOK(Writes, writes, write)
ORDER_HOOK(Writevs, writevs, writev)
ORDER_HOOK(Finals, finals, final)
ORDER_HOOK(Transforms, transforms, transform)
ORDER_HOOK(Flushes, flushes, flush)
ORDER_HOOK(Destroys, destroys, destroy)
ORDER_HOOK(Constructs, constructs, construct)
#undef ORDER_HOOK

template <class... Hooks>
struct Impl : Hooks... {};
template <class... Hooks>
Impl(Hooks...) -> Impl<Hooks...>;

// ---- what is seen of a stream ----

/// Marks between which the ticks, microtasks and immediates of the stream are seen.
inline void ladderStep(Log log, int i, int steps) {
  nextTick([log, i, steps] {
    log("t", i);
    queueMicrotask([log, i] { log("m", i); });
    if (i < steps) ladderStep(log, i + 1, steps);
  });
}
inline void ladder(Log log, int steps = 6) {
  ladderStep(log, 1, steps);
  setImmediate([log] {
    log("i1");
    setImmediate([log] { log("i2"); });
  });
}

template <class S>
void appendReadState(std::string& all, const S& s) {
  const std::optional<bool> flowing = s.readableFlowing();
  all += !flowing ? "none" : *flowing ? "flow" : "stop";
  all += std::to_string(s.readableLength());
  if (s.isPaused()) all += 'p';
  if (s.readable()) all += 'r';
  if (s.readableDidRead()) all += 'd';
  if (s.readableEnded()) all += 'e';
  if (s.readableAborted()) all += 'a';
}
template <class S>
void appendWriteState(std::string& all, const S& s) {
  all += std::to_string(s.writableLength());
  if (s.writable()) all += 'w';
  if (s.writableNeedDrain()) all += 'n';
  if (s.writableCorked() > 0) all += "k" + std::to_string(s.writableCorked());
  if (s.writableEnded()) all += 'e';
  if (s.writableFinished()) all += 'f';
  // A Duplex of Node does not have it.
  if (!S::hasReadable && s.writableAborted()) all += 'a';
}
/// All that is to be seen of a stream from outside.
template <class S>
std::string state(const S& s) {
  std::string all = "[";
  if constexpr (S::hasReadable) appendReadState(all, s);
  if constexpr (S::hasReadable && S::hasWritable) all += '|';
  if constexpr (S::hasWritable) appendWriteState(all, s);
  if (s.destroyed()) all += 'D';
  if (s.errored()) all += 'E';
  if (s.closed()) all += 'C';
  return all + "]";
}

template <FixedString name, class S>
void tell(Log log, const S& s, const char* label, bool states) {
  s.template on<name>([log, s, label, states] { log(label, name.view(), states ? state(s) : ""); });
}
/// Tells every event that does not change the mode of the stream; with `states` also how it is then.
template <class S>
const S& watch(Log log, const S& s, const char* label = "", bool states = false) {
  if constexpr (S::hasReadable) {
    tell<"end">(log, s, label, states);
    tell<"pause">(log, s, label, states);
    tell<"resume">(log, s, label, states);
  }
  if constexpr (S::hasWritable) {
    tell<"drain">(log, s, label, states);
    tell<"prefinish">(log, s, label, states);
    tell<"finish">(log, s, label, states);
    tell<"pipe">(log, s, label, states);
    tell<"unpipe">(log, s, label, states);
  }
  s.template on<"error">([log, s, label, states](const std::exception_ptr& error) {
    log(label, "error-", text(error), states ? state(s) : "");
  });
  tell<"close">(log, s, label, states);
  return s;
}

template <class T>
const T& show(const T& chunk) {
  return chunk;
}
inline std::string show(const Buffer& chunk) { return chunk.toString(); }
/// What `read(size)` gives.
template <class T>
std::string show(const std::optional<T>& chunk) {
  std::ostringstream word;
  chunk ? word << show(*chunk) : word << "null";
  return word.str();
}
template <class S>
void onData(Log log, const S& s, const char* label = "") {
  using T = typename S::ReadChunk;
  s.template on<"data">([log, label](const T& chunk) { log(label, "data", show(chunk)); });
}
/// The callback of a write or an end.
inline auto done(Log log, const char* word) {
  return
      [log, word](const std::exception_ptr& error) { log(word, "-", error ? text(error) : "ok"); };
}
template <class F>
void attempt(Log log, F f) {
  try {
    f();
  } catch (...) {
    log("threw-", text(std::current_exception()));
  }
}

// ---- sources and sinks ----

struct Now {
  template <class F>
  void operator()(F f) const {
    f();
  }
};
struct Tick {
  template <class F>
  void operator()(F f) const {
    nextTick(std::move(f));
  }
};
struct Micro {
  template <class F>
  void operator()(F f) const {
    queueMicrotask(std::move(f));
  }
};
struct Immediate {
  template <class F>
  void operator()(F f) const {
    setImmediate(std::move(f));
  }
};
/// The implementation gives what it has by returning, instead of calling back.
struct Returning : Now {};
inline constexpr Now now;
inline constexpr Tick tick;
inline constexpr Micro micro;
inline constexpr Immediate immediate;
inline constexpr Returning returning;
template <class When>
inline constexpr bool returns = std::is_same_v<When, Returning>;

/// Pushes 1 to n when it is asked, one at a time, and the end.
template <class When = Now>
Readable<int> counting(int n, StreamOptions options = {}, When when = {}) {
  if constexpr (returns<When>) {
    return Readable<int>(
        [n, i = 0]() mutable { return i < n ? std::optional<int>(++i) : std::nullopt; }, options);
  }
  auto i = std::make_shared<int>(0);
  return Readable<int>(
      [i, n, when](Readable<int>& self) {
        when([i, n, self] {
          if (*i < n) {
            self.push(++*i);
          } else {
            self.push(nullptr);
          }
        });
      },
      options);
}
/// Is pushed to from outside.
inline Readable<int> manual(StreamOptions options = {}) {
  return Readable<int>([](Readable<int>&) {}, options);
}
inline Readable<Buffer> manualBytes(StreamOptions options = {}) {
  return Readable<Buffer>([](Readable<Buffer>&) {}, options);
}
/// Says what it is written, and is done when `when` says.
template <class When = Now>
auto sinkImpl(Log log, When when = {}, const char* label = "w") {
  if constexpr (returns<When>) {
    return writes([log, label](int chunk) { log(label, chunk); });
  } else {
    return writes([log, when, label](int chunk, StreamCallback callback) {
      log(label, chunk);
      when([callback] { callback(); });
    });
  }
}
template <class When = Now>
Writable<int> sink(Log log, When when = {}, StreamOptions options = {}, const char* label = "w") {
  return Writable<int>(sinkImpl(log, when, label), options);
}

}  // namespace order
