// SPDX-License-Identifier: MIT
// Stops in show() with tasks, promises and buffers in every state.
#include <leat.hpp>

namespace {

void show() { asm volatile(""); }

leat::Task<int> inner(leat::Promise<> until) {
  co_await until;
  co_return 7;
}

leat::Task<int> outer(leat::Promise<> until) {
  const int got = co_await inner(until);
  co_return got + 1;
}

leat::Task<int> fails() {
  co_await leat::sleep(0);
  throw leat::RangeError("too far");
}

/// A continuation for tasks that are started by hand, so that they stay in view.
struct Ignore : leat::detail::CallbackFrame {
  Ignore() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
};

leat::Task<> program() {
  leat::Promise<>::Resolvers gate = leat::Promise<>::withResolvers();
  Ignore ignore;
  leat::Task<int> empty;
  leat::Task<int> fresh = outer(gate.promise);
  leat::Task<int> waiting = outer(gate.promise);
  leat::detail::startTask(waiting, ignore);
  leat::Task<int> threw = fails();
  leat::detail::startTask(threw, ignore);

  leat::Promise<int> number = leat::Promise<int>::resolve(42);
  leat::Promise<> nothing = leat::Promise<>::resolve();
  leat::Promise<> pending = gate.promise;
  leat::Promise<int> rejected = leat::Promise<int>::reject(leat::SystemError(2, "open"));
  leat::Promise<int> handled = rejected.catch_([] { return 0; });
  leat::Promise<leat::Buffer> nested =
      leat::Promise<leat::Buffer>::resolve(leat::Buffer::from("in a promise"));

  leat::Buffer none;
  leat::Buffer text = leat::Buffer::from("line \"one\"\n");
  leat::Buffer part = text.subarray(0, 4);
  leat::Buffer big = leat::Buffer::alloc(100);
  co_await leat::sleep(5);
  show();
  gate.resolve.resolve();
  co_await leat::sleep(1);
  show();
}

}  // namespace

int main() { return leat::run(program); }
