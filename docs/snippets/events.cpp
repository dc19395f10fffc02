// SPDX-License-Identifier: MIT
// The regions of docs/events.md, and a main that runs them.
#include <leat/abort.hpp>
#include <leat/base/scoped_listener.hpp>
#include <leat/core/as_result.hpp>
#include <leat/events.hpp>
#include <leat/loop.hpp>
#include <leat/timers.hpp>

#include <cstdlib>
#include <string>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [own]
class Door : public TypedEmitter<Event<"opened", std::string>, Event<"closed">> {
 public:
  void open(const std::string& by) { emit<"opened">(by); }
  void close() { emit<"closed">(); }
};
// [/own]

void typed() {
  int calls = 0;
  // [typed]
  Door door;
  door.on<"opened">([&](const std::string& by) { calls += by == "Ann"; });
  door.once<"closed">([&] { ++calls; });
  door.on("opened"_e, [&] { ++calls; });  // the name as a value; fewer arguments than there are
  door.open("Ann");
  door.close();
  door.close();
  // [/typed]
  check(calls == 3);
}

void named() {
  double sum = 0;
  // [named]
  EventEmitter emitter;
  emitter.on("reading", [&](const std::string& sensor, double value) {
    if (sensor == "t1") sum += value;
  });
  emitter.emit("reading", "t1", 21.5);
  emitter.emit("reading", "t1", 3);  // an integer for a double
  try {
    emitter.emit("reading", 3);  // TypeError: Event 'reading' was emitted with (long long), but ...
  } catch (const TypeError& error) {
    check(error.code() == "ERR_INVALID_ARG_TYPE");
  }
  // [/named]
  check(sum == 24.5);
}

void handles() {
  Door door;
  // [handles]
  const Listener listener = door.on<"closed">([] {});
  listener.off();
  {
    const ScopedListener guard(door.on<"closed">([] {}));
    // removed at the end of this block
  }
  int calls = 0;
  const SharedListener count([&calls] { ++calls; });  // equal to its copies
  door.on<"closed">(count);
  door.off<"closed">(count);
  // [/handles]
  check(door.listenerCount<"closed">() == 0 && calls == 0);
}

Task<> waiting() {
  Door door;
  setTimeout([&door] { door.open("Ann"); }, 1);
  AbortController gone;
  setTimeout([gone] { gone.abort(); }, 5);
  // [once]
  const auto [by] = co_await once<"opened">(door);
  check(by == "Ann");
  const auto late = co_await asResult(once<"closed">(door, {.signal = gone}));
  check(!late);  // AbortError
  // [/once]
  int opened = 0;
  setTimeout(
      [&door] {
        door.open("Ann");
        door.open("Bob");
        door.close();
      },
      1);
  // [on]
  auto openings = on<"opened">(door, {.close = {"closed"}});
  while (auto opening = co_await openings.next()) {
    const auto& [who] = *opening;
    opened += who.empty() ? 0 : 1;
  }
  // [/on]
  check(opened == 2);
}

Task<> capture() {
  std::string heard;
  // [capture]
  EventEmitter emitter({.captureRejections = true});
  emitter.on("job", [](int id) -> Task<> {
    co_await sleep(1);
    throw Error("job " + std::to_string(id) + " failed");
  });
  emitter.on("error", [&](const std::exception& error) { heard = error.what(); });
  emitter.emit("job", 7);
  // [/capture]
  co_await sleep(20);
  check(heard == "job 7 failed");
}

void targets() {
  int calls = 0;
  // [target]
  EventTarget target;
  AbortController controller;
  target.addEventListener("change", [&](Event<>& event) { event.preventDefault(); },
                          {.once = true});
  target.addEventListener("change", [&](CustomEvent<int>& event) { calls += event.detail(); },
                          {.signal = controller});
  const bool kept = target.dispatchEvent(CustomEvent("change", 5, {.cancelable = true}));
  controller.abort();
  target.dispatchEvent(Event("change"));
  // [/target]
  check(!kept && calls == 5);
}

int main() {
  typed();
  named();
  handles();
  targets();
  return run([]() -> Task<> {
    co_await waiting();
    co_await capture();
  });
}
