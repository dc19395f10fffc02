// SPDX-License-Identifier: MIT
// Three ways to stop work: an AbortController that is passed along, a limit on time that reaches
// everything under it, and a scope whose children end before it does.
#include <leat.hpp>

#include <cstdio>

using namespace leat;

// [controller]
Task<> byController() {
  AbortController controller;
  setTimeout([controller] { controller.abort(Error("the user went away")); }, 20);
  auto outcome = co_await asResult(sleep(60'000, {.signal = controller}));
  std::printf("controller: %s\n", describe(outcome.error()).c_str());
}
// [/controller]

// [ambient]
// No signal is passed: each operation finds the one around it.
Task<> uploadParts() {
  std::exception_ptr failure;
  int sent = 0;
  try {
    for (;; ++sent) co_await sleep(sent == 2 ? 60'000 : 5);
  } catch (...) {
    failure = std::current_exception();  // co_await is not allowed in a handler
  }
  // The signal stays aborted: clean-up that awaits is shielded from it.
  co_await shielded(sleep(5));
  std::printf("ambient: %d parts sent, the rest taken back\n", sent);
  std::rethrow_exception(failure);
}

Task<> byTimeout() {
  auto outcome = co_await asResult(withTimeout(800, uploadParts()));
  std::printf("withTimeout: %s\n", describe(outcome.error()).c_str());
}
// [/ambient]

// [scope]
Task<> worker(int number, int ms) {
  auto outcome = co_await asResult(sleep(ms));
  if (!outcome) {
    std::printf("scope: worker %d was aborted\n", number);
    std::rethrow_exception(outcome.error());
  }
  std::printf("scope: worker %d is done\n", number);
  if (number == 2) throw Error("worker 2 found nothing");
}

Task<> byScope() {
  auto work = [](TaskScope& scope) -> Task<> {
    (void)scope.spawn(worker(1, 5));
    (void)scope.spawn(worker(2, 40));
    (void)scope.spawn(worker(3, 60'000));
    co_return;  // the scope waits for all three
  };
  auto outcome = co_await asResult(scoped(work));
  std::printf("scope: %s\n", describe(outcome.error()).c_str());
}
// [/scope]

Task<> program() {
  co_await byController();
  co_await byTimeout();
  co_await byScope();
}

int main() { return run(program); }
