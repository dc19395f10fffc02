// SPDX-License-Identifier: MIT
// Beside stream_text.js: setEncoding, what is pushed in immediates comes as text before the next.

#include "../streams.hpp"

#include <leat/stream/decode.hpp>

#include <memory>

namespace order {
namespace {

using Bytes = Readable<Buffer>;
using Texts = Readable<std::string>;
using TextSink = Writable<std::string>;
using Step = std::function<void()>;
using Steps = std::vector<Step>;
using Pieces = std::vector<std::string>;

/// Does one after the other, each in an immediate of its own.
void steps(Log log, const Steps& all, std::size_t at = 0) {
  setImmediate([log, all, at] {
    if (at == all.size()) return;
    log("step", at + 1);
    all[at]();
    steps(log, all, at + 1);
  });
}
Step nothing() {
  return [] {};
}
Step push(const Bytes& r, const std::string& hex) {
  return [r, hex] { r.push(Buffer::from(hex, "hex")); };
}
Step end(const Bytes& r) {
  return [r] { r.push(nullptr); };
}
Steps pushes(const Bytes& r, const Pieces& pieces) {
  Steps all;
  for (const std::string& hex : pieces) all.push_back(push(r, hex));
  return all;
}
/// Pushes these bytes, and the end.
void feed(Log log, const Bytes& r, const Pieces& pieces) {
  Steps all = pushes(r, pieces);
  all.push_back(end(r));
  steps(log, all);
}
void flowing(Log log, const std::string& encoding, const Pieces& pieces) {
  const Bytes r = manualBytes();
  const Texts t = r.setEncoding(encoding);
  watch(log, t);
  onData(log, t);
  feed(log, r, pieces);
}
/// What has come since it was asked the last time. How the text is cut differs.
std::function<std::string()> collect(const Texts& t) {
  const auto got = std::make_shared<std::string>();
  t.on<"data">([got](const std::string& piece) { *got += piece; });
  return [got] { return std::exchange(*got, ""); };
}
Pieces cutInto(const std::string& hex, std::size_t size) {
  Pieces all;
  for (std::size_t at = 0; at < hex.size(); at += size) all.push_back(hex.substr(at, size));
  return all;
}
auto textWrites(Log log, std::string fails = "") {
  return [log, fails](const std::string& piece, const StreamCallback& callback) {
    log("w", piece);
    piece == fails ? callback(error("full")) : callback();
  };
}
TextSink textSink(Log log) { return TextSink(textWrites(log)); }
void uncaught(Log log) {
  process::on<"uncaughtException">(
      [log](const std::exception_ptr& error) { log("uncaught-", text(error)); });
}
std::string lifeOf(const auto& stream) { return stream.destroyed() ? "destroyed" : "goes on"; }
void sayRow(Log log, const Promise<>& promise) {
  promise.then([log] { log("row-ok"); },
               [log](const std::exception_ptr& error) { log("row-", text(error)); });
}

// ---- characters that are cut ----

void cutCases(Cases& add) {
  const std::vector<std::pair<std::string, std::string>> whole = {
      {"utf8", "61c3a4e282acf09f98807a"},
      {"utf16le", "6100e400ac203dd800de7a00"},
      {"hex", "61c3a47a"},
      {"base64", "61c3a4e282ac7a"},
      {"base64url", "fbffbffb"},
      {"latin1", "61e47a"},
      {"ascii", "617a"},
  };
  for (const auto& [encoding, bytes] : whole) {
    // Of UTF-16 node gives halves of characters, where bytes are cut as well.
    const std::size_t unit = encoding == "utf16le" ? 2 : 1;
    for (const std::size_t size : {unit, unit == 1 ? 3 * unit : 2 * unit}) {
      add(std::to_string(size) + " at a time, " + encoding,
          [encoding, bytes, size](Log log) { flowing(log, encoding, cutInto(bytes, 2 * size)); });
    }
  }
  const std::vector<std::pair<std::string, Pieces>> cut = {
      {"utf8", {"61e282", "61f09f98", "c3", "61c3a4", "f0"}},
      {"utf16le", {"61", "610062", "3dd8", "61003dd8"}},
      {"base64", {"61", "6162", "61626364"}},
      {"base64url", {"fb", "fbff"}},
      {"hex", {"6", "61"}},
  };
  for (const auto& [encoding, all] : cut) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      add("the end comes too early, " + encoding + " " + std::to_string(i),
          [encoding, bytes = all[i]](Log log) { flowing(log, encoding, {bytes}); });
    }
  }
  for (const std::string bytes :
       {"61ff62", "e28261", "c328", "eda08061", "f4908080", "c080", "f09f9861", "8061"}) {
    add("bytes that are no text, " + bytes, [bytes](Log log) { flowing(log, "utf8", {bytes}); });
    add("bytes that are no text, one at a time, " + bytes,
        [bytes](Log log) { flowing(log, "utf8", cutInto(bytes, 2)); });
  }
  add("a byte order mark stays", [](Log log) { flowing(log, "utf8", {"ef", "bb", "bf61"}); });
  add("chunks that complete nothing, and empty ones",
      [](Log log) { flowing(log, "utf8", {"e2", "", "82", "", "ac", ""}); });
  add("nothing but the end", [](Log log) { flowing(log, "utf8", {}); });
  add("an encoding that is not known", [](Log log) {
    const Bytes r = manualBytes();
    attempt(log, [r] { (void)r.setEncoding("utf-9"); });
    log(lifeOf(r));
    r.destroy();
  });
  add("encodings have many names", [](Log log) {
    for (const char* name : {"UTF-8", "utf8", "ucs2", "UCS-2", "binary", "HEX"}) {
      const Bytes r = manualBytes();
      const Texts t = r.setEncoding(name);
      t.on<"data">([log, name](const std::string& piece) { log(name, ":data", piece); });
      r.push(Buffer::from("6161", "hex"));
      r.push(nullptr);
    }
  });
}

// ---- before it, and between ----

void beforeCases(Cases& add) {
  add("half of a character was pushed before setEncoding", [](Log log) {
    const Bytes r = manualBytes();
    r.push(Buffer::from("61e2", "hex"));
    r.push(Buffer::from("82", "hex"));
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto got = collect(t);
    const Step say = [log, got] { log(got()); };
    steps(log, {say, push(r, "ac62"), say, end(r), say});
  });
  add("the first bytes are read as bytes", [](Log log) {
    const Bytes r = manualBytes();
    r.push(Buffer::from("414263e282", "hex"));
    log(show(r.read(2)));
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    feed(log, r, {"ac", "64"});
  });
  add("the end was pushed before setEncoding", [](Log log) {
    const Bytes r = manualBytes();
    r.push(Buffer::from("61e282ac", "hex"));
    r.push(nullptr);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto got = collect(t);
    steps(log, {[log, got] { log(got()); }});
  });
  add("nobody listens for a while", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto got = std::make_shared<std::function<std::string()>>();
    const Step listen = [got, t] { *got = collect(t); };
    const Step say = [log, got] { log((*got)()); };
    steps(log, {push(r, "61e2"), push(r, "82"), listen, say, push(r, "ac"), say, end(r)});
  });
  add("nobody listens", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const Step say = [log, t] { log(t.readableEnded() ? "ended" : "not yet"); };
    steps(log, {push(r, "61"), end(r), say, [t] { t.resume(); }});
  });
}

// ---- pause and resume ----

void pauseCases(Cases& add) {
  add("paused in the middle of a character", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    const Step pause = [t] { t.pause(); }, resume = [t] { t.resume(); };
    steps(log, {push(r, "61e2"), pause, push(r, "82ac"), resume, push(r, "62"), end(r)});
  });
  add("paused inside of data, resumed later", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    t.on<"data">([log, t](const std::string& piece) {
      log("data", piece);
      t.pause();
    });
    const Step go = [log, t] {
      log(t.isPaused() ? "paused" : "flows");
      t.resume();
    };
    steps(log, {push(r, "61"), go, push(r, "c3"), push(r, "a4"), go, end(r),
                [log] { log("at the end"); }});
  });
  add("much comes while it is paused", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto got = collect(t);
    t.pause();
    Steps all = pushes(r, {"61", "e2", "82", "ac", "62", "c3"});
    all.push_back(end(r));
    all.push_back([log, got] { log("nothing", got()); });
    all.push_back([t] { t.resume(); });
    all.push_back([log, got] { log(got()); });
    steps(log, all);
  });
  add("pause and resume at once", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    t.on<"data">([log, t](const std::string& piece) {
      log("data", piece);
      t.pause();
      t.resume();
    });
    feed(log, r, {"61", "c3", "a462", "63"});
  });
  add("the end comes while it is paused", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    const Step say = [log, t] { log(t.readableEnded() ? "ended" : "not yet"); };
    steps(log, {push(r, "61e2"), [t] { t.pause(); }, end(r), say, [t] { t.resume(); }});
  });
}

// ---- readable, unshift ----

void readCases(Cases& add) {
  add("readable and read", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    t.on<"readable">([log, t] {
      while (const auto c = t.read()) log("got", *c);
    });
    feed(log, r, {"61", "e282", "ac62c3", "a4", "c3"});
  });
  add("read without a listener", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const Step all = [log, t] {
      std::string got;
      while (const auto c = t.read()) got += *c;
      log("got-", got);
    };
    t.once<"readable">(log.say("readable"));
    steps(log, {push(r, "61e2"), all, push(r, "82"), all, push(r, "ac"), all, end(r), all});
  });
  add("unshift of text", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto got = std::make_shared<std::function<std::string()>>();
    const Step back = [got, t] {
      t.unshift("b€");
      t.unshift("a");
      *got = collect(t);
    };
    const Step say = [log, got] { log((*got)()); };
    steps(log, {push(r, "6364e2"), back, say, push(r, "82ac"), say, end(r)});
  });
  add("unshift inside of readable, as parsers do", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    const auto listener = std::make_shared<Listener>();
    *listener = t.on<"readable">([log, t, listener, head = std::string()]() mutable {
      while (const auto c = t.read()) {
        head += *c;
        const std::size_t at = head.find('|');
        if (at == head.npos) continue;
        std::exchange(*listener, Listener()).off();
        log("head-", head.substr(0, at));
        t.unshift(head.substr(at + 1));
        log("rest-", show(t.read()));
        onData(log, t);
        t.resume();
        return;
      }
    });
    feed(log, r, {"61c3", "a4", "627ce282ac", "64", "c3a4"});
  });
  add("unshift inside of data", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    t.on<"data">([log, t, back = 2](const std::string& piece) mutable {
      log("data", piece);
      if (back-- > 0) t.unshift("ä" + std::to_string(back));
    });
    feed(log, r, {"61", "62"});
  });
}

// ---- errors and destroy ----

Bytes hooked(Log log) {
  const auto destroy = [log](const std::exception_ptr& e, const StreamCallback& callback) {
    log("destroy-", e ? text(e) : "");
    callback(e);
  };
  return Bytes(Impl{reads([](Bytes&) {}), destroys(destroy)});
}

template <bool fails>
void over(const auto& stream) {
  if constexpr (fails) {
    stream.destroy(error("boom"));
  } else {
    stream.destroy();
  }
}

template <bool fails>
void destroyCases(Cases& add) {
  const std::string name = fails ? "fails" : "is destroyed";
  add("it " + name + " in the middle of a character", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    steps(log, {push(r, "61e2"), [t] { over<fails>(t); }, [log, r] { log(lifeOf(r)); }});
  });
  add("the bytes: it " + name + " in the middle of a character", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    steps(log, {push(r, "61e2"), [r] { over<fails>(r); }, [log, t] { log(lifeOf(t)); }});
  });
  add("it " + name + " inside of data", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    t.on<"data">([log, t](const std::string& piece) {
      log("data", piece);
      over<fails>(t);
    });
    steps(log, {push(r, "61"), push(r, "62"), end(r)});
  });
  add("it " + name + " before anything", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    over<fails>(t);
    steps(log, {push(r, "61"), end(r)});
  });
  add("it " + name + " while it is paused", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    const Step pause = [t] { t.pause(); }, resume = [t] { t.resume(); };
    steps(log, {pause, push(r, "61"), [t] { over<fails>(t); }, resume});
  });
  add("it " + name + " inside of end", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    t.on<"end">([t] { over<fails>(t); });
    feed(log, r, {"61c3"});
  });
  add("it " + name + ", and who waits is told", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    finished(t, done(log, "over"));
    t.on<"error">([log](const std::exception_ptr& e) { log("error-", text(e)); });
    t.resume();
    steps(log, {push(r, "61e2"), [t] { over<fails>(t); }});
  });
}

void errorCases(Cases& add) {
  add("read throws", [](Log log) {
    const auto i = std::make_shared<int>(0);
    const Bytes r([i](Bytes& self) {
      immediate([i, self] {
        if (++*i == 3) {
          self.destroy(error("boom"));
        } else {
          self.push(Buffer::from("e282", "hex"));
        }
      });
    });
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
  });
  add("an error that nobody listens to", [](Log log) {
    uncaught(log);
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    onData(log, t);
    t.on<"close">(log.say("close"));
    steps(log, {push(r, "61e2"), [r] { r.destroy(error("boom")); }});
  });
  add("a listener for data throws", [](Log log) {
    uncaught(log);
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    t.on<"data">([log](const std::string& piece) {
      log("data", piece);
      tick([piece] { throw error(piece); });
    });
    t.on<"end">(log.say("end"));
    feed(log, r, {"61", "c3", "a4"});
  });
  add("aborted by a signal", [](Log log) {
    AbortController abort;
    const Bytes r = hooked(log);
    const Texts t = addAbortSignal(abort.signal(), r.setEncoding("utf8"));
    watch(log, t);
    onData(log, t);
    const Step stop = [abort]() mutable { abort.abort(); };
    steps(log, {push(r, "61e2"), stop, [log, r] { log(lifeOf(r)); }});
  });
  add("push after the end", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    onData(log, t);
    t.pause();
    steps(log, {push(r, "61"), end(r), push(r, "62"), [t] { t.resume(); }});
  });
  add("it ends, and who waits is told", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    finished(t, done(log, "over"));
    watch(log, t);
    onData(log, t);
    feed(log, r, {"61e2"});
  });
}

// ---- waiting ----

void loopCases(Cases& add) {
  add("a loop over the text", [](Log log) -> Promise<> {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    feed(log, r, {"61", "e2", "82ac", "62c3"});
    const auto pieces = t.iterator();
    while (const auto piece = co_await pieces.next()) log("got", *piece);
    log("after");
  });
  add("a loop that fails", [](Log log) -> Promise<> {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    t.on<"close">(log.say("close"));
    const Step fail = [r] { r.destroy(error("boom")); };
    steps(log, {push(r, "61e2"), push(r, "82ac"), push(r, "c3"), fail});
    try {
      const auto pieces = t.iterator();
      while (const auto piece = co_await pieces.next()) log("got", *piece);
    } catch (...) {
      log("caught-", text(std::current_exception()));
    }
  });
  add("a loop that is left", [](Log log) -> Promise<> {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    steps(log, {push(r, "61e2"), push(r, "82ac"), push(r, "62"), [log, r] { log(lifeOf(r)); }});
    const auto pieces = t.iterator();
    while (const auto piece = co_await pieces.next()) {
      log("got", *piece);
      if (*piece == "€") break;
    }
  });
  add("a loop that is destroyed", [](Log log) -> Promise<> {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    t.on<"close">(log.say("close"));
    steps(log, {push(r, "61e2"), [t] { t.destroy(); }});
    try {
      const auto pieces = t.iterator();
      while (const auto piece = co_await pieces.next()) log("got", *piece);
    } catch (...) {
      log("caught-", text(std::current_exception()));
    }
  });
  add("a loop that begins late", [](Log log) -> Promise<> {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    watch(log, t);
    feed(log, r, {"61", "e2", "82ac", "62c3"});
    for (int i = 0; i < 4; ++i) co_await nextImmediate();
    std::string all;
    const auto pieces = t.iterator();
    while (const auto piece = co_await pieces.next()) all += *piece;
    log("all-", all);
  });
  add("all of it as one text", [](Log log) -> Promise<> {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("hex");
    feed(log, r, {"61", "e282", "ac"});
    const std::string all = co_await consumers::text(t);
    log("all-", all);
  });
  add("all of it as a list", [](Log log) -> Promise<> {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("base64");
    feed(log, r, {"61", "e282", "ac", "62", "63"});
    const std::vector<std::string> list = co_await t.toArray();
    std::string all;
    for (const std::string& piece : list) all += (all.empty() ? "" : "+") + piece;
    log("all-", all);
  });
}

// ---- rows of streams ----

void rowCases(Cases& add) {
  add("piped", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    const TextSink w = textSink(log);
    watch(log, t, "t:");
    watch(log, w, "w:");
    t.pipe(w);
    feed(log, r, {"61", "e282", "ac62", "c3"});
  });
  add("piped to a slow sink", [](Log log) {
    const TextSink w(
        [log](const std::string& piece, const StreamCallback& callback) {
          log("w-", piece);
          immediate([callback] { callback(); });
        },
        {.highWaterMark = 1});
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    w.on<"finish">(log.say("finish"));
    t.pipe(w);
    steps(log, {push(r, "61e2"), nothing(), nothing(), push(r, "82ac"), nothing(), nothing(),
                push(r, "62"), nothing(), nothing(), end(r)});
  });
  add("in a pipeline", [](Log log) {
    const Bytes r = manualBytes();
    const Texts t = r.setEncoding("utf8");
    const TextSink w = textSink(log);
    w.on<"close">(log.say("w:close"));
    sayRow(log, pipeline(t, w));
    feed(log, r, {"61", "e282", "ac62", "c3"});
  });
  add("in a pipeline that fails", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    const TextSink w = textSink(log);
    sayRow(log, pipeline(t, w));
    const Step fail = [r] { r.destroy(error("boom")); };
    steps(log, {push(r, "61e2"), fail, [log, w] { log(lifeOf(w)); }});
  });
  add("in a pipeline whose sink fails", [](Log log) {
    const Bytes r = hooked(log);
    const Texts t = r.setEncoding("utf8");
    const TextSink w(textWrites(log, "€"));
    sayRow(log, pipeline(t, w));
    steps(log, {push(r, "61e2"), push(r, "82ac"), [log, t] { log(lifeOf(t)); }});
  });
  add("of a PassThrough", [](Log log) {
    const PassThrough<> p;
    const Texts t = p.setEncoding("utf8");
    t.on<"end">(log.say("end"));
    onData(log, t);
    const auto write = [p](const char* hex) -> Step {
      return [p, hex] { p.write(Buffer::from(hex, "hex")); };
    };
    steps(log, {write("61e2"), write("82ac"), write("c3"), [p] { p.end(); }});
  });
}

Writable<Buffer> hexSink(Log log) {
  const Writable<Buffer> made([log](const Buffer& chunk) { log("w", chunk.toString("hex")); });
  watch(log, made);
  return made;
}

void textCases(Cases& add) {
  add("text in an encoding is pushed and put back", [](Log log) {
    const Bytes r = manualBytes();
    const bool a = r.push("c3a4", "hex"), b = r.push("YmM", "base64");
    const bool c = r.push("\u00e4", BufferEncoding::latin1);
    log(yesNo(a), yesNo(b), yesNo(c));
    const bool d = r.unshift("first"), e = r.unshift("_-8", "base64url");
    const bool f = r.unshift(std::string("ab"), "utf16le");
    log(yesNo(d), yesNo(e), yesNo(f));
    attempt(log, [r] { r.push("x", "nonsense"); });
    attempt(log, [r] { r.unshift("x", "nonsense"); });
    const std::size_t length = r.readableLength();
    log(length, r.read()->toString("hex"));
    attempt(log, [r] { r.unshift(""); });
    log(r.readableLength());
  });
  add("text in an encoding is written", [](Log log) {
    const auto w = hexSink(log);
    w.cork();
    const bool a = w.write("c3a4", "hex"), b = w.write("YmM", "base64", done(log, "second"));
    log(yesNo(a), yesNo(b));
    attempt(log, [w] { w.write("x", "nonsense"); });
    attempt(log, [w] { w.end("x", "nonsense"); });
    log(w.writableLength(), yesNo(w.writableEnded()));
    w.end("6566", "HEX", done(log, "last"));
  });
  add("the last text, with a callback", [](Log log) { hexSink(log).end("end", done(log, "end")); });
  add("the last text in an encoding",
      [](Log log) { hexSink(log).end("\u00e4", BufferEncoding::latin1); });
  add("the last text is refused after the end, with a callback", [](Log log) {
    const auto w = hexSink(log);
    w.end();
    w.end("late", done(log, "first"));
    w.end("6c", "hex", done(log, "second"));
  });
}

}  // namespace

void streamTextCases(Cases& add) {
  add.topic("stream_text");
  cutCases(add);
  beforeCases(add);
  pauseCases(add);
  readCases(add);
  destroyCases<false>(add);
  destroyCases<true>(add);
  errorCases(add);
  loopCases(add);
  rowCases(add);
  textCases(add);
}

}  // namespace order
