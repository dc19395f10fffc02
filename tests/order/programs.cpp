// SPDX-License-Identifier: MIT
// Runs the programs that generate.py describes. programs.js does the same, statement by statement.

#include "order.hpp"

#include <fstream>
#include <map>
#include <memory>
#include <optional>

namespace order {
namespace {

using Text = std::string;

struct Statement {
  Text op;
  std::vector<std::size_t> args;
};
struct Block {
  std::size_t number = 0;
  std::vector<Statement> statements;
  Statement end;
};
struct Program {
  bool timers = false;
  std::map<std::size_t, Block> blocks;
};

AsyncLocalStorage<std::size_t>& als() {
  static AsyncLocalStorage<std::size_t> storage;
  return storage;
}

class Run;

/// Says when it is asked for its value, which is its name, and in which store unless told otherwise.
class NamedThenable {
 public:
  NamedThenable(const Run& run, Text name, bool sayStore = true)
      : run_(run), name_(std::move(name)), sayStore_(sayStore) {}
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  Text await_resume() const { return name_; }

 private:
  const Run& run_;
  Text name_;
  bool sayStore_;
};

/// One run of a program. Lives until the loop has ended.
class Run {
 public:
  Run(const Program& program, Log log) : program_(program), log_(log) {}
  void main();
  const Log& log() const noexcept { return log_; }

  template <class... Parts>
  void note(const Parts&... parts) const {
    std::ostringstream word;
    (word << ... << parts);
    if (const auto store = als().getStore()) word << "@" << *store;
    log_(word.str());
  }

 private:
  enum class End { Return, ReturnPromise, ReturnThenable };
  struct Deferred {
    Resolver<Text> resolve;
    Rejecter<Text> reject;
  };

  const Block& block(std::size_t number) const { return program_.blocks.at(number); }
  static End endOf(const Block& b);
  static void throwIfMeant(const Block& b) {
    if (b.end.op == "throw") throw error("e" + std::to_string(b.number));
  }
  static Text valueOf(const Block& b);
  Promise<Text> promiseOf(const Block& b) const;
  NamedThenable thenableOf(const Block& b) const;

  bool execute(const Statement& statement);
  bool executeQueue(const Statement& statement);
  bool executeMaker(const Statement& statement);
  bool executeReaction(const Statement& statement);
  void executeCombinator(const Statement& statement);
  const Block& body(std::size_t number, const Text& why);
  void callback(std::size_t number);
  Promise<Text> asyncBlock(std::size_t number);

  template <class Attach>
  Promise<Text> attach(std::size_t number, Attach&& with);
  Promise<Text> then(const Promise<Text>& source, std::size_t number);
  Promise<Text> thenBoth(const Promise<Text>& source, std::size_t number, std::size_t other);
  Promise<Text> catchWith(const Promise<Text>& source, std::size_t number);
  Promise<Text> finallyWith(const Promise<Text>& source, std::size_t number);

  bool has(std::size_t index) const { return vars_.count(index) != 0; }
  void set(std::size_t index, Promise<Text> promise) {
    vars_.insert_or_assign(index, std::move(promise));
  }

  const Program& program_;
  Log log_;
  std::map<std::size_t, Promise<Text>> vars_;
  std::map<std::size_t, Deferred> settlers_;
};

bool NamedThenable::await_ready() const {
  if (sayStore_) {
    run_.note("asked:", name_);
  } else {
    run_.log()("asked:", name_);
  }
  return true;
}

Text named(char letter, std::size_t number) { return letter + std::to_string(number); }

// ---- the ends of blocks

Run::End Run::endOf(const Block& b) {
  if (b.end.op == "return-promise") return End::ReturnPromise;
  return b.end.op == "return-thenable" ? End::ReturnThenable : End::Return;
}
Text Run::valueOf(const Block& b) {
  throwIfMeant(b);
  return named('v', b.number);
}
Promise<Text> Run::promiseOf(const Block& b) const {
  const auto found = vars_.find(b.end.args.at(0));
  return found == vars_.end() ? Promise<Text>::resolve("none") : found->second;
}
NamedThenable Run::thenableOf(const Block& b) const {
  return NamedThenable(*this, named('t', b.number));
}

// ---- running blocks

const Block& Run::body(std::size_t number, const Text& why) {
  const Block& b = block(number);
  note(number, why);
  for (const Statement& statement : b.statements) execute(statement);
  return b;
}

void Run::callback(std::size_t number) { throwIfMeant(body(number, "")); }

Promise<Text> Run::asyncBlock(std::size_t number) {
  const Block& b = block(number);
  note(number);
  for (const Statement& statement : b.statements) {
    if (statement.op == "null") {
      co_await yield();
      note(number, ".");
    } else if (statement.op == "await") {
      const auto found = vars_.find(statement.args[0]);
      if (found == vars_.end()) continue;
      Promise<Text> promise = found->second;
      const Text& value = co_await promise;
      note(number, "~", value);
    } else if (statement.op == "try") {
      const auto found = vars_.find(statement.args[0]);
      if (found == vars_.end()) continue;
      Promise<Text> promise = found->second;
      Text word;
      try {
        const Text& value = co_await promise;
        word = "~" + value;
      } catch (...) {
        word = "~!" + message(std::current_exception());
      }
      note(number, word);
    } else if (statement.op == "call") {
      const Text value = co_await asyncBlock(statement.args[0]);
      note(number, "~", value);
    } else {
      execute(statement);
    }
  }
  switch (endOf(b)) {
    case End::ReturnPromise:
      co_return promiseOf(b);
    case End::ReturnThenable:
      co_return thenableOf(b);
    default:
      co_return valueOf(b);
  }
}

// ---- reactions: the type of a callback follows from the end of its block

template <class Attach>
Promise<Text> Run::attach(std::size_t number, Attach&& with) {
  switch (endOf(block(number))) {
    case End::ReturnPromise:
      return with([this](const Block& b) { return promiseOf(b); });
    case End::ReturnThenable:
      return with([this](const Block& b) { return thenableOf(b); });
    default:
      return with([](const Block& b) { return valueOf(b); });
  }
}

Promise<Text> Run::then(const Promise<Text>& source, std::size_t number) {
  return attach(number, [&](auto end) {
    return source.then([this, number, end](const Text& v) { return end(body(number, "=" + v)); });
  });
}
Promise<Text> Run::thenBoth(const Promise<Text>& source, std::size_t number, std::size_t other) {
  return attach(number, [&](auto end) {
    const auto onError = [this, other](std::exception_ptr e) {
      return valueOf(body(other, "!" + message(e)));
    };
    return source.then([this, number, end](const Text& v) { return end(body(number, "=" + v)); },
                       onError);
  });
}
Promise<Text> Run::catchWith(const Promise<Text>& source, std::size_t number) {
  return attach(number, [&](auto end) {
    return source.catch_(
        [this, number, end](std::exception_ptr e) { return end(body(number, "!" + message(e))); });
  });
}
Promise<Text> Run::finallyWith(const Promise<Text>& source, std::size_t number) {
  return attach(number, [&](auto end) {
    return source.finally([this, number, end] { return end(body(number, "")); });
  });
}

// ---- statements

bool Run::execute(const Statement& statement) {
  if (!executeQueue(statement) && !executeMaker(statement) && !executeReaction(statement))
    executeCombinator(statement);
  return true;
}

bool Run::executeQueue(const Statement& statement) {
  const std::size_t number = statement.args.empty() ? 0 : statement.args[0];
  const auto call = [this, number] { callback(number); };
  if (statement.op == "tick") {
    nextTick(call);
  } else if (statement.op == "micro") {
    queueMicrotask(call);
  } else if (statement.op == "later") {
    program_.timers ? (void)setTimeout(call, 1) : (void)setImmediate(call);
  } else if (statement.op == "store") {
    als().run(number, call);
  } else {
    return false;
  }
  return true;
}

bool Run::executeMaker(const Statement& statement) {
  const std::size_t a = statement.args.at(0);
  const auto settler = settlers_.find(a);
  const bool known = settler != settlers_.end();
  if (statement.op == "resolved") {
    set(a, Promise<Text>::resolve(named('p', a)));
  } else if (statement.op == "rejected") {
    set(a, Promise<Text>::reject(error(named('r', a))));
  } else if (statement.op == "asked") {
    set(a, Promise<Text>::resolve(NamedThenable(*this, named('a', a))));
  } else if (statement.op == "deferred") {
    auto made = Promise<Text>::withResolvers();
    settlers_.insert_or_assign(a, Deferred{made.resolve, made.reject});
    set(a, made.promise);
  } else if (statement.op == "settle") {
    if (known) settler->second.resolve(named('s', a));
  } else if (statement.op == "fail") {
    if (known) settler->second.reject(error(named('f', a)));
  } else if (statement.op == "adopt") {
    if (known && has(statement.args[1])) settler->second.resolve(vars_.at(statement.args[1]));
  } else if (statement.op == "adopt-thenable") {
    // Node 20 asks it in the store where the promise was made, leat where it was resolved.
    constexpr bool sayStore = false;
    if (known) settler->second.resolve(NamedThenable(*this, named('d', a), sayStore));
  } else if (statement.op == "async") {
    set(a, asyncBlock(statement.args[1]));
  } else {
    return false;
  }
  return true;
}

bool Run::executeReaction(const Statement& statement) {
  const auto& [op, args] = statement;
  if (op != "then" && op != "catch" && op != "both" && op != "finally") return false;
  if (!has(args[1])) return true;
  const Promise<Text> source = vars_.at(args[1]);
  if (op == "then") {
    set(args[0], then(source, args[2]));
  } else if (op == "catch") {
    set(args[0], catchWith(source, args[2]));
  } else if (op == "both") {
    set(args[0], thenBoth(source, args[2], args[3]));
  } else {
    set(args[0], finallyWith(source, args[2]));
  }
  return true;
}

template <class T, class F>
Text join(const std::vector<T>& values, F&& show) {
  Text out;
  for (std::size_t i = 0; i < values.size(); ++i) out += (i == 0 ? "" : "+") + show(values[i]);
  return out;
}

void Run::executeCombinator(const Statement& statement) {
  std::vector<Promise<Text>> inputs;
  for (std::size_t i = 1; i < statement.args.size(); ++i)
    if (has(statement.args[i])) inputs.push_back(vars_.at(statement.args[i]));
  const std::size_t a = statement.args[0];
  if (statement.op == "all") {
    set(a, all(inputs).then([](const std::vector<Text>& values) {
      return join(values, [](const Text& value) { return value; });
    }));
  } else if (statement.op == "settled") {
    set(a, allSettled(inputs).then([](const std::vector<Result<Text>>& results) {
      return join(results, [](Result<Text> result) {
        return result ? result.value() : "!" + message(result.error());
      });
    }));
  } else if (statement.op == "race") {
    set(a, race(inputs));
  } else if (statement.op == "any") {
    set(a, any(inputs));
  } else {
    throw error("programs.cpp does not know " + statement.op);
  }
}

void Run::main() {
  process::on<"unhandledRejection">(
      [this](const std::exception_ptr& e) { log_("unhandled:", message(e)); });
  process::on<"rejectionHandled">(
      [this](const process::RejectedPromise& p) { log_("handled:", message(p.reason())); });
  process::on<"uncaughtException">(
      [this](const std::exception_ptr& e) { log_("uncaught:", message(e)); });
  callback(0);
}

Statement parseStatement(std::istringstream& line, const Text& op) {
  Statement statement{op, {}};
  for (std::size_t number = 0; line >> number;) statement.args.push_back(number);
  return statement;
}

}  // namespace

std::vector<Case> readPrograms(const std::string& path) {
  struct Named {
    Text name;
    Program program;
  };
  std::vector<std::shared_ptr<Named>> programs;
  std::ifstream file(path);
  Block* block = nullptr;
  for (Text text; std::getline(file, text);) {
    std::istringstream line(text);
    Text op;
    line >> op;
    if (op == "program") {
      programs.push_back(std::make_shared<Named>());
      std::getline(line >> std::ws, programs.back()->name);
    } else if (op == "timers" || op == "immediates") {
      programs.back()->program.timers = op == "timers";
    } else if (op == "block") {
      std::size_t number = 0;
      line >> number;
      block = &programs.back()->program.blocks[number];
      block->number = number;
    } else if (!op.empty()) {
      // The last one is the end.
      if (!block->end.op.empty()) block->statements.push_back(block->end);
      block->end = parseStatement(line, op);
    }
  }
  std::vector<Case> cases;
  for (const auto& each : programs) {
    cases.push_back({each->name, [each](Log log) {
                       auto run = std::make_shared<Run>(each->program, log);
                       keepUntilEnd(run);
                       run->main();
                     }});
  }
  return cases;
}

}  // namespace order
