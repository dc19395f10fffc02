// SPDX-License-Identifier: MIT
// The C++ side of the comparison with Node: what a case is written with. order.js is its counterpart.
#pragma once

#include <leat/core/async_generator.hpp>
#include <leat/core/async_local_storage.hpp>
#include <leat/core/combinators.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/core/scope.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process/process.hpp>

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace order {

using namespace leat;

/// Calls it with what a case did, word by word. Trivially destructible, so that closures with it may
/// stand inside of co_await expressions.
class Log {
 public:
  using Write = void (*)(void* where, std::string word);
  Log(Write write, void* where) noexcept : write_(write), where_(where) {}

  /// One word, of these parts. JavaScript: `log('a', 1)`.
  template <class... Parts>
  void operator()(const Parts&... parts) const {
    std::ostringstream word;
    (word << ... << parts);
    write_(where_, word.str());
  }

  struct Say;
  /// A callable that says `word`, whatever it is called with. JavaScript: `log.say('a')`.
  Say say(const char* word) const noexcept;

 private:
  Write write_;
  void* where_;
};

struct Log::Say {
  Log log;
  const char* word;
  template <class... Args>
  void operator()(const Args&...) const {
    log(word);
  }
};
inline Log::Say Log::say(const char* word) const noexcept { return Say{*this, word}; }

struct Case {
  std::string name;
  std::function<void(Log)> body;
};

/// The cases of the topics, in order.
class Cases {
 public:
  void topic(const char* name) { topic_ = std::string(name) + ": "; }
  /// `body(log)` may be a coroutine.
  template <class F>
  void operator()(const std::string& name, F body) {
    cases_.push_back({topic_ + name, [body](Log log) { (void)body(log); }});
  }
  const std::vector<Case>& all() const noexcept { return cases_; }

 private:
  std::string topic_;
  std::vector<Case> cases_;
};

/// Destroys this when the case's loop is gone.
void keepUntilEnd(std::shared_ptr<void> kept);

/// Runs until `ms` milliseconds have passed: whoever waits for them is then late.
inline void busy(int ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// The counterpart of a JavaScript thenable: an awaitable that is not a Promise, ready when awaited.
class Thenable {
 public:
  explicit Thenable(int value) noexcept : value_(value) {}
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return value_; }

 private:
  int value_;
};

/// A plain exception, where the JavaScript says `new Error(text)`.
inline std::runtime_error error(const std::string& text) { return std::runtime_error(text); }

/// JavaScript: `error.message`, and for AggregateError the messages of its parts.
inline std::string message(const std::exception_ptr& reason) {
  try {
    std::rethrow_exception(reason);
  } catch (const AggregateError& all) {
    std::string text = "all(";
    for (const std::exception_ptr& part : all.errors()) {
      if (text.size() > 4) text += ",";
      text += message(part);
    }
    return text + ")";
  } catch (const std::exception& e) {
    return e.what();
  }
}

void abortCases(Cases& add);
void combinatorCases(Cases& add);
void eventsEmitterCases(Cases& add);
void eventsTargetCases(Cases& add);
void eventsWaitingCases(Cases& add);
void fileStreamCases(Cases& add);
void generatorCases(Cases& add);
void netCases(Cases& add);
void performanceCases(Cases& add);
void phaseCases(Cases& add);
void promiseCases(Cases& add);
void rejectionCases(Cases& add);
void processSignalCases(Cases& add);
void storeCases(Cases& add);
void streamComposeCases(Cases& add);
void streamCornerCases(Cases& add);
void streamDuplexCases(Cases& add);
void operatorCases(Cases& add);
void streamEventCases(Cases& add);
void streamPipeCases(Cases& add);
void streamPipelineCases(Cases& add);
void streamReadableCases(Cases& add);
void streamTextCases(Cases& add);
void streamWritableCases(Cases& add);
void tickCases(Cases& add);
void timerCases(Cases& add);
void workerCases(Cases& add);
void exitCases(Cases& add);

/// Random programs, of promises and of streams, read from a file; each is a case.
std::vector<Case> readPrograms(const std::string& path);
std::vector<Case> readStreamPrograms(const std::string& path);

}  // namespace order
