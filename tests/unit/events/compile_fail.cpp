// SPDX-License-Identifier: MIT
// What must not compile. check_compile_fail.py compiles this once as it is, which must work, and once for
// each case, which must fail: the first error names what stands behind the colon.

#include <leat/events.hpp>

#include <memory>
#include <string>

using namespace leat;

using Feed = TypedEmitter<Event<"data", std::string, int>, Event<"end">>;

void compiles(Feed& feed, EventEmitter& emitter) {
  feed.on<"data">([](const std::string&, int) {});
  feed.on<"data">([](std::string) {});
  feed.once("end"_e, [] {});
  feed.emit<"data">("text", 1);
  feed.emit<"end">();
  emitter.on("data", [](const std::string&, int) {});
  emitter.emit("data", "text", 1);
}

#if defined(UNKNOWN_ON)  // error: "dat"
void fails(Feed& feed) {
  feed.on<"dat">([](const std::string&) {});
}
#elif defined(UNKNOWN_ON_BY_VALUE)         // error: "dat"
void fails(Feed& feed) {
  feed.on("dat"_e, [](const std::string&) {});
}
#elif defined(UNKNOWN_EMIT)                // error: "ended"
void fails(Feed& feed) { feed.emit<"ended">(); }
#elif defined(UNKNOWN_OFF)                 // error: "ende"
void fails(Feed& feed) { feed.off<"ende">(Listener()); }
#elif defined(UNKNOWN_COUNT)               // error: "ende"
auto fails(Feed& feed) { return feed.listenerCount<"ende">(); }
#elif defined(UNKNOWN_ONCE)                // error: "ended"
auto fails(Feed& feed) { return once<"ended">(feed); }
#elif defined(TOO_FEW_EMITTED)             // error: "data"
void fails(Feed& feed) { feed.emit<"data">("text"); }
#elif defined(TOO_MANY_EMITTED)            // error: "end"
void fails(Feed& feed) { feed.emit<"end">(1); }
#elif defined(WRONG_TYPE_EMITTED)          // error: "data"
void fails(Feed& feed) { feed.emit<"data">("text", "more"); }
#elif defined(LISTENER_OF_WRONG_TYPE)      // error: "data"
void fails(Feed& feed) {
  feed.on<"data">([](int) {});
}
#elif defined(LISTENER_TAKES_TOO_MANY)     // error: "end"
void fails(Feed& feed) {
  feed.on<"end">([](int) {});
}
#elif defined(LISTENER_CHANGES_ARGUMENTS)  // error: "data"
void fails(Feed& feed) {
  feed.on<"data">([](std::string&) {});
}
#elif defined(OFF_BY_CLOSURE)              // error: closures with captures cannot be compared
void fails(Feed& feed, int& count) {
  const auto listener = [&count](const std::string&) { ++count; };
  feed.on<"data">(listener);
  feed.off<"data">(listener);
}
#elif defined(LISTENER_WITHOUT_TYPES)      // error: names the types of its parameters
void fails(EventEmitter& emitter) {
  emitter.on("data", [](auto text) { (void)text.size(); });
}
#elif defined(NAMED_LISTENER_CHANGES)      // error: by value or const reference
void fails(EventEmitter& emitter) {
  emitter.on("data", [](std::string&) {});
}
#elif defined(NAME_AT_RUN_TIME)            // error: on<"name">(f) or on("name"_e, f)
void fails(Feed& feed) {
  feed.on("end", [] {});
}
#elif defined(ONCE_WITH_NAME_AT_RUN_TIME)  // error: on<"name">(f) or on("name"_e, f)
void fails(Feed& feed) {
  feed.once(std::string("end"), [] {});
}
#elif defined(COPIED_EMITTER)              // error: delete
void fails(Feed& feed) { Feed copy(feed); }
#endif
