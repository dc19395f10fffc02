// SPDX-License-Identifier: MIT
// The regions that docs/lifetimes.md and docs/cancellation.md show, and a main that runs them.
#include <leat.hpp>

#include <array>
#include <cstdlib>
#include <string>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [parameters]
// By value: the coroutine has its own copy. A string_view or a reference would refer to what the
// caller may have destroyed by the time that the coroutine goes on.
Task<std::size_t> lengthLater(std::string text) {
  co_await sleep(1);
  co_return text.size();
}
// [/parameters]

// [span]
Task<std::size_t> firstBytes(net::Socket socket) {
  std::array<char, 4> bytes;  // in the frame: there as long as the read
  co_return co_await socket.read(bytes);
}
// [/span]

Task<> handles() {
  // [handles]
  auto [promise, resolve, reject] = Promise<int>::withResolvers();
  Promise<int> same = promise;  // a copy of the handle, the same promise
  resolve(7);
  const int& seven = co_await promise;  // of a name: a reference to the value, which stays
  const int taken =
      co_await std::move(same);  // of the last handle the value is moved out, else copied
  // [/handles]
  check(seven == 7 && taken == 7);
}

Task<> lambdas() {
  int got = 0;
  // [lambda]
  std::string text = "kept";
  auto later = [text, &got]() -> Task<> {
    co_await sleep(1);
    got = static_cast<int>(text.size());  // `text` is a member of the closure
  };
  co_await spawn(moved(later));  // spawn keeps the closure until the task has ended
  // [/lambda]
  check(got == 4);
}

Task<> registrations() {
  int told = 0;
  AbortController controller;
  // [registration]
  {
    auto registration = controller.signal().onAbort([&told] { ++told; });
  }  // gone with the registration
  controller.abort();
  // [/registration]
  check(told == 0);
  co_return;
}

Task<> signals() {
  // [signals]
  AbortController user;
  auto either = AbortSignal::any(user.signal(), AbortSignal::timeout(30'000));
  setTimeout([user] { user.abort(Error("changed my mind")); }, 5);
  auto outcome = co_await asResult(withSignal(either, lengthLater("x")));
  // [/signals]
  check(outcome.ok());  // it had ended before

  // [cause]
  auto aborted = co_await asResult(sleep(1000, {.signal = either}));
  try {
    aborted.value();
  } catch (const AbortError& error) {
    check(error.code() == "ABORT_ERR");
    check(error.cause() == either.reason());  // "changed my mind"
  }
  // [/cause]
}

Task<> promiseUnderSignal() {
  auto [answer, resolve, reject] = Promise<int>::withResolvers();
  setTimeout([resolve = resolve] { resolve(1); }, 10);
  // [promise]
  AbortController controller;
  auto registration = controller.signal().onAbort(
      [reject = reject, signal = controller.signal()] { reject(AbortError(signal.reason())); });
  controller.abort();
  auto outcome = co_await asResult(answer);
  // [/promise]
  check(!outcome.ok());
}

Task<> abandoned() {
  bool ended = false;
  struct Guard {
    explicit Guard(bool& e) : ended(e) {}
    ~Guard() { ended = true; }
    bool& ended;
  };
  auto work = [](bool& flag) -> Task<> {
    Guard guard(flag);
    co_await sleep(1000);
  };
  {
    auto outcome = co_await asResult(raceScoped(work(ended), sleep(1)));
    check(outcome.ok());
  }
  check(ended);
}

Task<> program() {
  check(co_await lengthLater("four") == 4);
  co_await handles();
  co_await lambdas();
  co_await registrations();
  co_await signals();
  co_await promiseUnderSignal();
  co_await abandoned();
  auto reader = [](net::Socket socket) -> Task<> {
    socket.write("abcdef");
    co_await socket.end();
  };
  auto server = co_await net::listen(reader, {.host = "127.0.0.1"});
  auto socket = co_await net::connect({.port = server.address().port(), .host = "127.0.0.1"});
  check(co_await firstBytes(socket) == 4);
  socket.destroy();
  co_await server.close();
}

int main() { return run(program); }
