// SPDX-License-Identifier: MIT
// Hello in Node's order. Each line says when it runs; the same program in JavaScript prints the
// same lines.
#include <leat.hpp>

#include <cstdio>

// [main]
leat::Promise<> greet() {
  std::puts("2  sync: an async function runs up to its first await");
  co_await leat::Promise<>::resolve();
  std::puts("6  microtask: the rest of the async function");
}

void script() {
  std::puts("1  sync: main begins");
  leat::setTimeout([] { std::puts("9  timers: the first of two with the same delay"); }, 0);
  leat::setTimeout(
      [] {
        std::puts("10 timers: the second");
        leat::setImmediate(
            [] { std::puts("13 check: after the poll phase, before the next timers"); });
        leat::queueMicrotask([] { std::puts("12 microtask of that timer"); });
        leat::nextTick([] { std::puts("11 tick of that timer, before its microtask"); });
      },
      0);

  (void)greet();
  (void)leat::Promise<int>::resolve(7).then(
      [](int seven) { std::printf("%d  microtask: then of a resolved promise\n", seven); });
  leat::queueMicrotask([] { std::puts("8  microtask: in order with the promises"); });
  leat::nextTick([] { std::puts("4  tick: before every microtask"); });
  leat::nextTick([] { std::puts("5  tick: first in, first out"); });
  std::puts("3  sync: main ends");
}

int main() { return leat::run(script); }
// [/main]
