// SPDX-License-Identifier: MIT
// Runs the programs that generate_streams.py describes. stream_programs.js does the same, statement by statement.

#include "streams.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

namespace order {
namespace {

using Text = std::string;

constexpr int mostWords = 3000;

struct Config {
  std::size_t mark = 0;
  int delay = 0;
  int autoDestroy = 1, listens = 1, hooks = 0;
  // What they mean differs: see generate_streams.py.
  int a = 0, b = 0;
};
struct Operation {
  Text moment;
  Text op;
  std::vector<Text> args;
};
struct StreamProgram {
  Text name;
  bool bytes = false, quiet = false;
  std::map<char, Config> streams;
  std::vector<Operation> operations;
};

const std::vector<Text> moments = {"now", "tick", "micro", "immediate", "tick2", "immediate2"};
using Action = std::function<void()>;

void later(int moment, const Action& f) {
  switch (moment) {
    case 0:
      return f();
    case 1:
      return nextTick(f);
    case 2:
      return queueMicrotask(f);
    case 3:
      return void(setImmediate(f));
    case 4:
      return nextTick([f] { nextTick(f); });
    default:
      setImmediate([f] { setImmediate(f); });
  }
}

// ---- chunks: numbers, or so many bytes ----

template <class C>
C chunkOf(int n) {
  if constexpr (std::is_same_v<C, int>) {
    return n;
  } else {
    return Buffer::from(std::string_view("abcdefghi").substr(0, static_cast<std::size_t>(n)));
  }
}
int numberOf(int chunk) {
  while (chunk > 9) chunk /= 10;
  return chunk;
}
int numberOf(const Buffer& chunk) { return static_cast<int>(chunk.size()); }
int changed(int chunk) { return chunk * 10; }
Buffer changed(const Buffer& chunk) {
  Text upper = chunk.toString();
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return Buffer::from(upper);
}

/// Without what pipes change after "close", when their sinks drain.
template <class S>
Text stateOf(const S& s) {
  Text all = state(s);
  if constexpr (S::hasReadable) {
    if (s.closed()) {
      const std::size_t flow = 5;  // `[flow`, `[stop` or `[none`, then how much is buffered
      const std::size_t rest = all.find_first_not_of("0123456789", flow);
      all.erase(1, rest - 1 + (all[rest] == 'p' ? 1 : 0));
    }
  }
  return all;
}

/// One run of a program. Lives until the loop has ended.
template <class C>
class StreamRun {
 public:
  using Source = Readable<C>;
  using Sink = Writable<C>;
  using Both = Duplex<C, C>;
  using Through = Transform<C, C>;
  using Done = TransformCallback<C, C>;

  StreamRun(const StreamProgram& program, Log log) : program_(program), log_(log) {}
  void main();

 private:
  template <class... Parts>
  void say(const Parts&... parts) {
    if (++words_ > mostWords) return;
    if (!program_.quiet) return log_(parts...);
    std::ostringstream stream;
    (stream << ... << parts);
    const Text word = stream.str();
    told_[teller(word)].push_back(word);
  }
  /// Who tells a word of a quiet program: see generate_streams.py.
  static Text teller(const Text& word) {
    if (word.size() < 2 || std::islower(static_cast<unsigned char>(word[0])) == 0) return "";
    if (word.compare(1, 5, ".loop") == 0 || word.compare(1, 4, ".got") == 0)
      return word.substr(0, 5);
    return word[1] == '.' || word[1] == ':' ? word.substr(0, 2) : "";
  }
  void flush() {
    for (const auto& [who, words] : std::exchange(told_, {}))
      for (const Text& word : words) log_(word);
  }
  /// What waits for a moment in a listener or a method.
  void reached(const Text& place) {
    const auto found = waiting_.find(place);
    if (found == waiting_.end() || found->second.empty()) return;
    const Action f = found->second.front();
    found->second.pop_front();
    f();
  }
  const Config& config(char letter) const { return program_.streams.at(letter); }
  StreamOptions options(char letter) const {
    const Config& c = config(letter);
    return {.highWaterMark = c.mark, .autoDestroy = c.autoDestroy != 0};
  }
  DuplexOptions bothOptions(char letter) const {
    const Config& c = config(letter);
    return {.highWaterMark = c.mark,
            .autoDestroy = c.autoDestroy != 0,
            .allowHalfOpen = letter == 't' || c.a != 0};
  }

  // The methods of the implementations.
  void onRead(char letter, Source self, std::size_t size);
  void onTransform(char letter, const C& chunk, Through self, const Done& callback);
  void onFlush(char letter, Through self, const Done& callback);
  void onWrite(char letter, const C& chunk, std::optional<Both> self,
               const StreamCallback& callback);
  auto constructing(char letter);
  auto destroying(char letter);
  auto writing(char letter);
  auto finishing(char letter);

  template <class S, class Common, class More>
  S made(char letter, Common common, More more);
  Source makeReadable(char letter);
  Through makeTransform(char letter);
  Both makeDuplex(char letter);
  Sink makeWritable(char letter);
  template <FixedString name, class S>
  void tellOne(char letter, const S& s);
  template <class S>
  void watchAll(char letter, const S& s);

  /// `f(stream)`, with the handle of its kind.
  template <class F>
  void with(char letter, F f) {
    if (letter == 'r') return f(*r_);
    if (letter == 'w' || letter == 'x') return f(letter == 'w' ? *w_ : *x_);
    f(letter == 't' ? Both(*t_) : letter == 'd' ? *d_ : Both(*p_));
  }
  Source source(char letter) {
    if (letter == 'r') return *r_;
    return letter == 't' ? Source(*t_) : letter == 'd' ? Source(*d_) : Source(*p_);
  }
  Sink sink(char letter) {
    if (letter == 'w' || letter == 'x') return letter == 'w' ? *w_ : *x_;
    return letter == 't' ? Sink(*t_) : letter == 'd' ? Sink(*d_) : Sink(*p_);
  }
  Both both(char letter) { return letter == 't' ? Both(*t_) : letter == 'd' ? *d_ : Both(*p_); }

  void execute(const Operation& operation);
  bool executeReading(const Text& op, char letter, const Text& second);
  bool executeWriting(const Text& op, char letter, const Text& second);
  bool executeLoop(const Text& op, char letter, int most);
  Promise<> loop(Source s, int most, char letter, bool slow, bool keeps);
  bool executeListening(const Text& op, char letter);
  void executePlain(const Text& op, char letter);
  void executeRow(const Text& op, const Text& letters);
  template <class... Last>
  auto row(const Text& letters, PipelineOptions options, Last... last);
  void sayBool(bool yes) { say(yesNo(yes)); }
  auto told(Text word) {
    return [this, word](const std::exception_ptr& e) { say(word, e ? text(e) : "ok"); };
  }
  void sayStates() {
    for (const char letter : {'r', 't', 'd', 'p', 'w', 'x'})
      with(letter, [&](const auto& s) { say(letter, stateOf(s)); });
  }
  void later20(const Action& f, int turns = 20) {
    setImmediate([this, f, turns] { turns > 0 ? later20(f, turns - 1) : f(); });
  }
  void quietly(std::size_t at) {
    flush();
    sayStates();
    flush();
    if (at == program_.operations.size()) return;
    execute(program_.operations[at]);
    later20([this, at] { quietly(at + 1); });
  }

  const StreamProgram& program_;
  Log log_;
  int words_ = 0;
  std::map<Text, std::vector<Text>> told_;
  std::map<Text, std::deque<Action>> waiting_;
  std::map<char, bool> looping_;
  std::map<char, std::vector<Listener>> onData_, onReadable_;
  std::map<char, int> at_;
  AbortController controller_;
  std::optional<Source> r_;
  std::optional<Through> t_;
  std::optional<Both> d_;
  std::optional<PassThrough<C>> p_;
  std::optional<Sink> w_, x_;
};

// ---- the methods of the implementations ----

template <class C>
void StreamRun<C>::onRead(char letter, Source self, std::size_t size) {
  say(letter, ":read", size);
  reached(Text{letter} + ":read");
  const Config& c = config(letter);
  if (letter != 'r' || c.a == 0) return;
  int& i = at_[letter];
  if (c.a == 2) {
    while (i < c.b)
      if (!self.push(chunkOf<C>(++i))) return;
    self.push(nullptr);
    return;
  }
  later(c.delay, [&i, &c, self] {
    if (i < c.b) {
      self.push(chunkOf<C>(++i));
    } else if (c.a == 1) {
      self.push(nullptr);
    } else {
      self.destroy(error("boom"));
    }
  });
}

template <class C>
void StreamRun<C>::onTransform(char letter, const C& chunk, Through self, const Done& callback) {
  say(letter, ":transform", show(chunk));
  reached(Text{letter} + ":transform");
  const Config& c = config(letter);
  later(c.delay, [&c, chunk, self, callback] {
    if (c.b != 0 && numberOf(chunk) == c.b) return callback(error("ft"));
    if (c.a == 1) self.push(changed(chunk));
    if (c.a == 1 || c.a == 3) {
      self.push(changed(chunk));
      return callback();
    }
    if (c.a == 2 && numberOf(chunk) % 2 == 1) return callback();
    callback(nullptr, changed(chunk));
  });
}

template <class C>
void StreamRun<C>::onFlush(char letter, Through self, const Done& callback) {
  say(letter, ":flush");
  reached(Text{letter} + ":flush");
  const Config& c = config(letter);
  later(c.delay, [&c, self, callback] {
    if (c.b == 9) return callback(error("ff"));
    if (c.a == 1) self.push(chunkOf<C>(9));
    callback(nullptr, chunkOf<C>(8));
  });
}

template <class C>
void StreamRun<C>::onWrite(char letter, const C& chunk, std::optional<Both> self,
                           const StreamCallback& callback) {
  say(letter, ":write", show(chunk));
  reached(Text{letter} + ":write");
  const Config& c = config(letter);
  later(c.delay, [&c, chunk, self, callback] {
    if (c.b != 0 && numberOf(chunk) == c.b) return callback(error("fw"));
    if (self) self->push(C(chunk));
    callback();
  });
}

template <class C>
auto StreamRun<C>::constructing(char letter) {
  return constructs([this, letter](StreamCallback callback) {
    say(letter, ":construct");
    reached(Text{letter} + ":construct");
    const Config& c = config(letter);
    const bool fails = letter != 'r' && c.b == 7;
    later(c.delay, [fails, callback] { fails ? callback(error("fc")) : callback(); });
  });
}

template <class C>
auto StreamRun<C>::destroying(char letter) {
  return destroys([this, letter](const std::exception_ptr& why, StreamCallback callback) {
    say(letter, ":destroy", why ? "-" + text(why) : "");
    reached(Text{letter} + ":destroy");
    const Config& c = config(letter);
    const bool fails = letter != 'r' && c.b == 8;
    later(c.delay, [fails, why, callback] { fails ? callback(error("fd")) : callback(why); });
  });
}

template <class C>
auto StreamRun<C>::writing(char letter) {
  return writes([this, letter](const C& chunk, StreamCallback callback) {
    onWrite(letter, chunk, std::nullopt, callback);
  });
}

template <class C>
auto StreamRun<C>::finishing(char letter) {
  return finals([this, letter](StreamCallback callback) {
    say(letter, ":final");
    reached(Text{letter} + ":final");
    const Config& c = config(letter);
    const std::optional<Both> self = letter == 'd' ? d_ : std::nullopt;
    later(c.delay, [&c, self, callback] {
      if (c.b == 9) return callback(error("ff"));
      if (self) self->push(nullptr);
      callback();
    });
  });
}

// ---- the streams ----

template <class C>
auto StreamRun<C>::makeReadable(char letter) -> Source {
  const auto read =
      reads([this, letter](Source& self, std::size_t size) { onRead(letter, self, size); });
  if (config(letter).hooks == 0) return Source(Impl{read}, options(letter));
  return Source(Impl{read, constructing(letter), destroying(letter)}, options(letter));
}

template <class C>
auto StreamRun<C>::makeTransform(char letter) -> Through {
  const auto transform = transforms([this, letter](const C& chunk, Through& self, Done callback) {
    onTransform(letter, chunk, self, callback);
  });
  if (config(letter).hooks == 0) return Through(Impl{transform}, bothOptions(letter));
  const auto flush =
      flushes([this, letter](Through& self, Done callback) { onFlush(letter, self, callback); });
  return Through(Impl{transform, flush, constructing(letter), destroying(letter)},
                 bothOptions(letter));
}

template <class C>
auto StreamRun<C>::makeDuplex(char letter) -> Both {
  const auto read =
      reads([this, letter](Both& self, std::size_t size) { onRead(letter, Source(self), size); });
  const auto write = writes([this, letter](Both& self, const C& chunk, StreamCallback callback) {
    onWrite(letter, chunk, self, callback);
  });
  if (config(letter).hooks == 0) return Both(Impl{read, write}, bothOptions(letter));
  return Both(Impl{read, write, finishing(letter), constructing(letter), destroying(letter)},
              bothOptions(letter));
}

template <class C>
auto StreamRun<C>::makeWritable(char letter) -> Sink {
  StreamOptions with = options(letter);
  with.emitClose = config(letter).a != 0;
  if (config(letter).hooks == 0) return Sink(Impl{writing(letter)}, with);
  const auto writev = writevs([this, letter](std::vector<C> chunks, StreamCallback callback) {
    Text all;
    for (const C& chunk : chunks) {
      std::ostringstream word;
      word << show(chunk);
      all += (&chunk == chunks.data() ? "" : "+") + word.str();
    }
    say(letter, ":writev", all);
    later(config(letter).delay, [callback] { callback(); });
  });
  return Sink(
      Impl{writing(letter), writev, finishing(letter), constructing(letter), destroying(letter)},
      with);
}

template <class C>
template <FixedString name, class S>
void StreamRun<C>::tellOne(char letter, const S& s) {
  if constexpr (name.view() == "error") {
    s.template on<"error">([this, letter, s](const std::exception_ptr& e) {
      say(letter, ".error-", text(e), program_.quiet ? "" : stateOf(s));
      reached(Text{letter} + ".error");
    });
  } else {
    s.template on<name>([this, letter, s] {
      say(letter, ".", name.view(), program_.quiet ? "" : stateOf(s));
      reached(Text{letter} + "." + Text(name.view()));
    });
  }
}

template <class C>
template <class S>
void StreamRun<C>::watchAll(char letter, const S& s) {
  if constexpr (S::hasReadable) {
    tellOne<"end">(letter, s);
    tellOne<"pause">(letter, s);
    tellOne<"resume">(letter, s);
  }
  if constexpr (S::hasWritable) {
    tellOne<"drain">(letter, s);
    tellOne<"prefinish">(letter, s);
    tellOne<"finish">(letter, s);
    tellOne<"pipe">(letter, s);
    tellOne<"unpipe">(letter, s);
  }
  if (config(letter).listens != 0) tellOne<"error">(letter, s);
  tellOne<"close">(letter, s);
  s.setMaxListeners(0);
}

// ---- the operations ----

template <class C>
bool StreamRun<C>::executeReading(const Text& op, char letter, const Text& second) {
  const Source s = source(letter);
  const int k = second.empty() ? 0 : std::atoi(second.c_str());
  if (op == "push") {
    sayBool(s.push(chunkOf<C>(k)));
  } else if (op == "pushEnd") {
    sayBool(s.push(nullptr));
  } else if (op == "unshift") {
    sayBool(s.unshift(chunkOf<C>(k)));
  } else if (op == "read" || op == "readSome" || op == "readZero") {
    if (!s.closed()) {
      const auto chunk = op == "read" ? s.read() : s.read(static_cast<std::size_t>(k));
      say("got-", show(chunk));
    } else {
      say("got-closed");
    }
  } else if (op == "pause") {
    s.pause();
  } else if (op == "resume") {
    s.resume();
  } else if (op == "pipe" || op == "pipeOpen") {
    s.pipe(sink(second[0]), {.end = op == "pipe"});
  } else if (op == "unpipe") {
    s.unpipe(sink(second[0]));
  } else if (op == "unpipeAll") {
    s.unpipe();
  } else {
    return executeLoop(op, letter, k) || executeListening(op, letter);
  }
  return true;
}

template <class C>
Promise<> StreamRun<C>::loop(Source s, int most, char letter, bool slow, bool keeps) {
  if (std::exchange(looping_[letter], true)) co_return;
  try {
    const auto chunks = s.iterator({.destroyOnReturn = !keeps});
    while (const auto chunk = co_await chunks.next()) {
      say(letter, ".got-", show(*chunk));
      if (--most == 0) break;
      if (slow) co_await nextImmediate();
    }
    say(letter, ".loop-ok");
  } catch (...) {
    say(letter, ".loop-", text(std::current_exception()));
  }
  looping_[letter] = false;
}

template <class C>
bool StreamRun<C>::executeLoop(const Text& op, char letter, int most) {
  if (op != "loop" && op != "slowLoop" && op != "nextLoop") return false;
  (void)loop(source(letter), most, letter, op == "slowLoop", op == "nextLoop");
  return true;
}

template <class C>
bool StreamRun<C>::executeListening(const Text& op, char letter) {
  const Source s = source(letter);
  const auto forget = [](std::vector<Listener>& all) {
    if (all.empty()) return;
    const Listener last = all.back();
    all.pop_back();
    last.off();
  };
  if (op == "onData") {
    auto listener = [this, letter](const C& chunk) { say(letter, ".data-", show(chunk)); };
    onData_[letter].push_back(s.template on<"data">(listener));
  } else if (op == "offData") {
    forget(onData_[letter]);
  } else if (op == "onReadable") {
    auto listener = [this, letter, s] {
      with(letter, [&](const auto& stream) { say(letter, ".readable", stateOf(stream)); });
      const auto chunk = s.read();
      say("got-", show(chunk));
    };
    onReadable_[letter].push_back(s.template on<"readable">(listener));
  } else if (op == "offReadable") {
    forget(onReadable_[letter]);
  } else if (op == "onceReadable") {
    s.template once<"readable">([this, letter, s] {
      const auto chunk = s.read();
      say(letter, ".once-", show(chunk));
    });
  } else {
    return false;
  }
  return true;
}

template <class C>
bool StreamRun<C>::executeWriting(const Text& op, char letter, const Text& second) {
  const Sink s = sink(letter);
  const int k = second.empty() ? 0 : std::atoi(second.c_str());
  if (op == "write") {
    sayBool(s.write(chunkOf<C>(k)));
  } else if (op == "writeTold") {
    sayBool(s.write(chunkOf<C>(k), told(Text{letter} + ".written" + std::to_string(k) + "-")));
  } else if (op == "end") {
    s.end();
  } else if (op == "endTold") {
    s.end(told(Text{letter} + ".ended-"));
  } else if (op == "endWith") {
    s.end(chunkOf<C>(k));
  } else if (op == "cork") {
    s.cork();
  } else if (op == "uncork") {
    s.uncork();
  } else {
    return false;
  }
  return true;
}

template <class C>
void StreamRun<C>::executePlain(const Text& op, char letter) {
  with(letter, [&](const auto& s) {
    if (op == "destroy") {
      s.destroy();
    } else if (op == "fail") {
      s.destroy(error(Text("e") + letter));
    } else if (op == "finished") {
      finished(s, told(Text{letter} + ".over-"));
    } else if (op == "abortable") {
      addAbortSignal(controller_.signal(), s);
    } else {
      throw error("no such operation: " + op);
    }
  });
}

template <class C>
template <class... Last>
auto StreamRun<C>::row(const Text& letters, PipelineOptions options, Last... last) {
  if (letters.size() == 2) return pipeline(options, source(letters[0]), sink(letters[1]), last...);
  if (letters.size() == 3)
    return pipeline(options, source(letters[0]), both(letters[1]), sink(letters[2]), last...);
  return pipeline(options, source(letters[0]), both(letters[1]), both(letters[2]), sink(letters[3]),
                  last...);
}

template <class C>
void StreamRun<C>::executeRow(const Text& op, const Text& letters) {
  const Text word = "row-" + letters + "-";
  if (op == "pipeline") return void(row(letters, PipelineOptions(), told(word)));
  PipelineOptions options;
  options.end = op != "pipelineOpen";
  if (op == "pipelineAborted") options.signal = controller_.signal();
  const auto done = [this, word] { say(word, "ok"); };
  const auto failed = [this, word](const std::exception_ptr& e) {
    // Node forgets a row that nothing can end any more.
    if (text(e) != "ERR_BROKEN_PROMISE") say(word, text(e));
  };
  row(letters, options).then(done, failed);
}

template <class C>
void StreamRun<C>::execute(const Operation& operation) {
  const Text& op = operation.op;
  const Text first = operation.args.empty() ? "" : operation.args[0];
  const Text second = operation.args.size() < 2 ? "" : operation.args[1];
  say(op, first.empty() ? "" : "-" + first, second.empty() ? "" : "-" + second);
  const char letter = first.empty() ? '\0' : first[0];
  const bool row = op.substr(0, 8) == "pipeline";
  try {
    if (op == "abort") {
      controller_.abort();
    } else if (row) {
      executeRow(op, first);
    } else if (!((letter != 'w' && letter != 'x' && executeReading(op, letter, second)) ||
                 (letter != 'r' && executeWriting(op, letter, second)))) {
      executePlain(op, letter);
    }
  } catch (...) {
    say("threw-", text(std::current_exception()));
  }
  if (letter != '\0' && !row && !program_.quiet)
    with(letter, [&](const auto& s) { say(stateOf(s)); });
}

template <class C>
void StreamRun<C>::main() {
  process::on<"uncaughtException">(
      [this](const std::exception_ptr& e) { say("uncaught-", text(e)); });
  process::on<"unhandledRejection">(
      [this](const std::exception_ptr& e) { say("unhandled-", text(e)); });
  r_.emplace(makeReadable('r'));
  watchAll('r', *r_);
  t_.emplace(makeTransform('t'));
  watchAll('t', *t_);
  d_.emplace(makeDuplex('d'));
  watchAll('d', *d_);
  p_.emplace(bothOptions('p'));
  watchAll('p', *p_);
  w_.emplace(makeWritable('w'));
  watchAll('w', *w_);
  x_.emplace(makeWritable('x'));
  watchAll('x', *x_);
  if (program_.quiet) return later20([this] { quietly(0); });
  for (const Operation& each : program_.operations) {
    const Action f = [this, &each] { execute(each); };
    const auto moment = std::find(moments.begin(), moments.end(), each.moment);
    if (moment != moments.end()) {
      later(static_cast<int>(moment - moments.begin()), f);
    } else {
      waiting_[each.moment].push_back(f);
    }
  }
  say("--");
  later20([this] { sayStates(); });
}

StreamProgram& last(std::vector<std::shared_ptr<StreamProgram>>& programs) {
  return *programs.back();
}

template <class C>
Case caseOf(const std::shared_ptr<StreamProgram>& program) {
  return {program->name, [program](Log log) {
            auto run = std::make_shared<StreamRun<C>>(*program, log);
            keepUntilEnd(run);
            run->main();
          }};
}

}  // namespace

std::vector<Case> readStreamPrograms(const std::string& path) {
  std::vector<std::shared_ptr<StreamProgram>> programs;
  std::ifstream file(path);
  for (Text text; std::getline(file, text);) {
    std::istringstream line(text);
    Text word;
    line >> word;
    if (word == "program") {
      programs.push_back(std::make_shared<StreamProgram>());
      std::getline(line >> std::ws, programs.back()->name);
    } else if (word == "bytes" || word == "items" || word == "quiet") {
      last(programs).bytes = word == "bytes";
      last(programs).quiet = word == "quiet";
    } else if (word == "stream") {
      char letter = '\0';
      line >> letter;
      Config& c = last(programs).streams[letter];
      line >> c.mark >> c.delay >> c.autoDestroy >> c.listens >> c.hooks >> c.a >> c.b;
    } else if (!word.empty()) {
      Operation operation{word, "", {}};
      line >> operation.op;
      for (Text arg; line >> arg;) operation.args.push_back(arg);
      last(programs).operations.push_back(std::move(operation));
    }
  }
  std::vector<Case> cases;
  for (const auto& each : programs)
    cases.push_back(each->bytes ? caseOf<Buffer>(each) : caseOf<int>(each));
  return cases;
}

}  // namespace order
