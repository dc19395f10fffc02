// SPDX-License-Identifier: MIT
// The regions that docs/loop-and-order.md shows, and a main that runs them.
#include <leat.hpp>

#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [exit-code]
Task<int> program() {
  co_await sleep(1);
  co_return 3;
}

int runIt() { return run(program); }  // 3
// [/exit-code]

// [embed]
// Somebody else's loop: it polls the descriptor, and no longer than the next timer allows.
void foreignLoop(EventLoop& loop) {
  while (loop.runOnce(0)) {
    pollfd watched{loop.backendFd(), POLLIN, 0};
    ::poll(&watched, 1, static_cast<int>(loop.backendTimeout()));
  }
}
// [/embed]

int ticksOfAwait() {
  std::string order;
  const int code = run([&order]() -> Task<> {
    // [ticks]
    nextTick([&order] { order += "tick "; });
    co_await Promise<>::resolve();  // a promise: always through the microtask queue
    order += "promise ";
    auto call = [&order]() -> Task<> {  // a task: a call, no tick passes
      order += "task ";
      co_return;
    };
    co_await call();
    // [/ticks]
  });
  check(order == "tick promise task ");
  return code;
}

int whatHolds() {
  return run([] {
    // [unref]
    setInterval([] { std::puts("still here"); }, 1000)
        .unref();  // does not keep the program running
    // [/unref]
  });
}

int handlers() {
  return run([] {
    // [uncaught]
    process::on<"uncaughtException">([](std::exception_ptr error, ExceptionOrigin) {
      std::fprintf(stderr, "noted: %s\n", describe(error).c_str());
      process::setExitCode(2);
    });
    // [/uncaught]
    setTimeout([] { throw Error("a callback went wrong"); }, 1);
  });
}

int main() {
  check(runIt() == 3);
  check(ticksOfAwait() == 0);
  check(whatHolds() == 0);
  check(handlers() == 2);
  EventLoop loop;
  int fired = 0;
  setTimeout([&fired] { ++fired; }, 20);
  (void)Promise<>::resolve().then([&fired] { ++fired; });
  foreignLoop(loop);
  check(fired == 2);
  std::printf("back end: %s, turns: %llu\n", std::string(loop.backend()).c_str(),
              static_cast<unsigned long long>(loop.metrics().turns));
}
