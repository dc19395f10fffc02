// SPDX-License-Identifier: MIT
// The program that compare.py sets beside `node order.js`: same arguments, same output.

#include "order.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

namespace {

using namespace order;

void appendWord(void* trace, std::string word) {
  auto& text = *static_cast<std::string*>(trace);
  if (!text.empty()) text += " ";
  text += word;
}

void printWord(void*, std::string word) {
  word += "\n";
  if (::write(STDOUT_FILENO, word.data(), word.size()) < 0) std::abort();
}

std::vector<std::shared_ptr<void>> keptUntilEnd;

/// Each case has a loop of its own, and has ended when that loop has nothing left to do.
void runAll(const std::vector<Case>& cases, std::string_view part) {
  for (const Case& each : cases) {
    if (each.name.find(part) == std::string::npos) continue;
    std::string trace;
    const int code = leat::run([&] { setImmediate([&] { each.body(Log(appendWord, &trace)); }); });
    keptUntilEnd.clear();
    if (code != 0) appendWord(&trace, "[exit code " + std::to_string(code) + "]");
    std::printf("%s\t%s\n", each.name.c_str(), trace.c_str());
  }
}

Cases ordinaryCases() {
  Cases cases;
  abortCases(cases);
  combinatorCases(cases);
  eventsEmitterCases(cases);
  eventsTargetCases(cases);
  eventsWaitingCases(cases);
  fileStreamCases(cases);
  generatorCases(cases);
  netCases(cases);
  performanceCases(cases);
  phaseCases(cases);
  promiseCases(cases);
  rejectionCases(cases);
  processSignalCases(cases);
  storeCases(cases);
  streamComposeCases(cases);
  streamCornerCases(cases);
  streamDuplexCases(cases);
  operatorCases(cases);
  streamEventCases(cases);
  streamPipeCases(cases);
  streamPipelineCases(cases);
  streamReadableCases(cases);
  streamTextCases(cases);
  streamWritableCases(cases);
  tickCases(cases);
  timerCases(cases);
  workerCases(cases);
  return cases;
}

int runExit(const Cases& cases, const std::string& name) {
  for (const Case& each : cases.all()) {
    if (each.name == name) return leat::run([&] { each.body(Log(printWord, nullptr)); });
  }
  std::fprintf(stderr, "no such case: %s\n", name.c_str());
  return 2;
}

/// Beside unsettled.mjs: a main that waits for something that never happens.
int runUnsettled() {
  const Log log(printWord, nullptr);
  const auto never = [](Log say) -> Promise<> {
    process::on<"exit">(say.say("exit"));
    setTimeout(say.say("timer"), 1);
    say("main");
    auto made = Promise<>::withResolvers();
    co_await made.promise;
  };
  return leat::run([&] { return never(log); });
}

}  // namespace

void order::keepUntilEnd(std::shared_ptr<void> kept) { keptUntilEnd.push_back(std::move(kept)); }

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const std::string argument = argc > 2 ? argv[2] : "";
  Cases exits;
  order::exitCases(exits);
  if (mode == "cases") {
    runAll(ordinaryCases().all(), argument);
  } else if (mode == "programs") {
    runAll(order::readPrograms(argument), "");
  } else if (mode == "stream-programs") {
    runAll(order::readStreamPrograms(argument), "");
  } else if (mode == "list") {
    for (const Case& each : exits.all()) std::puts(each.name.c_str());
  } else if (mode == "exit") {
    return runExit(exits, argument);
  } else if (mode == "unsettled") {
    return runUnsettled();
  } else {
    std::fputs(
        "usage: leat_order cases [PART] | programs FILE | stream-programs FILE | list | exit NAME "
        "| "
        "unsettled\n",
        stderr);
    return 2;
  }
  return 0;
}
