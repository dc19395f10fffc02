// SPDX-License-Identifier: MIT
// A request id that nobody passes on: AsyncLocalStorage carries it through awaits, promises, timers
// and callbacks.
#include <leat.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [storage]
struct Request {
  int id;
  int queries;
};

AsyncLocalStorage<Request>& requests() {
  static AsyncLocalStorage<Request> storage;
  return storage;
}

void log(const char* text) {
  auto request = requests().getStore();
  if (request) {
    std::printf("[request %d] %s\n", request->id, text);
  } else {
    std::printf("[no request] %s\n", text);
  }
}
// [/storage]

Task<std::string> query(int ms) {
  ++requests().getStore()->queries;
  co_await sleep(ms);
  log("the row is here");
  co_return "row";
}

// [handler]
Promise<> handle() {
  log("begins");
  setTimeout([] { log("a timer that it set"); }, 1000);
  co_await query(20 * requests().getStore()->id);
  co_await Promise<int>::resolve(1).then([](int) { log("a then of it"); });
  auto both = co_await all(query(100), query(100));
  std::string text = "ends after " + std::to_string(requests().getStore()->queries) + " queries";
  log(text.c_str());
}
// [/handler]

Task<> program() {
  // [run]
  auto first = requests().run(Request{1, 0}, handle);
  auto second = requests().run(Request{2, 0}, handle);
  // [/run]
  log("both have begun");
  co_await first;
  co_await second;
  requests().exit([] { log("outside on purpose"); });
}

int main() { return run(program); }
