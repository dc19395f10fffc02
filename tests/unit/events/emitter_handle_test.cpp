// SPDX-License-Identifier: MIT
#include <leat/events/emitter_handle.hpp>
#include <leat/events/event_listener.hpp>
#include <leat/events/once.hpp>
#include <leat/events/sequence.hpp>
#include <leat/loop/run.hpp>

#include <leat_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using leat::Event;
using leat::run;
using leat::Task;
using leat::TypedEmitter;
using leat::operator""_e;

namespace {

class Bell : public leat::EmitterHandle<Bell> {
 public:
  using EmitterType = TypedEmitter<Event<"ring", int>, Event<"off">>;
  void ring(int loud) const { emitter_->emit<"ring">(loud); }
  EmitterType& emitter() const { return *emitter_; }

 private:
  std::shared_ptr<EmitterType> emitter_ = std::make_shared<EmitterType>();
};

}  // namespace

TEST_CASE("copies of an emitter handle have the same listeners") {
  std::string trace;
  const Bell bell;
  const Bell same = bell;
  const auto say = [&trace](const char* word) {
    return [&trace, word](int i) { trace += word + std::to_string(i); };
  };
  const leat::Listener kept = bell.on<"ring">(say("a"));
  same.prependListener("ring"_e, say("b"));
  same.once<"ring">(say("once"));
  same.prependOnceListener<"ring">(say("first"));
  CHECK(bell.listenerCount<"ring">() == 4);
  CHECK(bell.listeners<"ring">().size() == 4);
  CHECK(bell.listenerCount("off"_e) == 0);
  same.ring(1);
  CHECK(trace == "first1b1a1once1");
  bell.off<"ring">(kept);
  same.ring(2);
  CHECK(trace == "first1b1a1once1b2");
  bell.removeAllListeners<"ring">();
  same.ring(3);
  CHECK(trace == "first1b1a1once1b2");
  bell.addListener<"off">([] {});
  bell.removeAllListeners();
  CHECK(bell.listenerCount<"off">() == 0);
  bell.setMaxListeners(3);
  CHECK(same.getMaxListeners() == 3);
}

TEST_CASE("a handle has both forms of every method") {
  const Bell bell;
  int calls = 0;
  const leat::SharedListener count([&calls] { ++calls; });
  bell.addListener("ring"_e, count);
  bell.prependOnceListener("ring"_e, count);
  bell.once("off"_e, count);
  CHECK(bell.eventNames() == std::vector<std::string_view>{"ring", "off"});
  CHECK(bell.listenerCount("ring"_e, count) == 2);
  CHECK(bell.listenerCount<"ring">(count) == 2);
  CHECK(bell.listeners("off"_e).size() == 1);
  bell.rawListeners<"ring">()[0](1);
  CHECK(calls == 1);
  CHECK(bell.listenerCount<"ring">() == 1);
  bell.rawListeners("off"_e)[0]();
  CHECK(calls == 2);
  CHECK(bell.eventNames() == std::vector<std::string_view>{"ring"});
  bell.removeListener<"ring">(count);
  CHECK(bell.eventNames().empty());
  bell.on("ring"_e, count);
  bell.on("ring"_e, count);
  bell.removeListener("ring"_e, count);
  CHECK(bell.listenerCount<"ring">() == 1);
  bell.removeAllListeners("ring"_e);
  CHECK(bell.listenerCount<"ring">() == 0);
}

TEST_CASE("once and on take an emitter handle") {
  run([]() -> Task<> {
    const Bell bell;
    const auto next = leat::once<"ring">(bell);
    auto rings = leat::on<"ring">(bell);
    bell.ring(4);
    const auto [loud] = co_await next;
    CHECK(loud == 4);
    const auto first = co_await rings.next();
    CHECK(std::get<0>(*first) == 4);
  });
}

TEST_CASE("an emitter tells who asked for it that its listeners have changed") {
  static int changes = 0;
  changes = 0;
  Bell::EmitterType emitter;
  emitter.anchor()->changed = [](leat::detail::EmitterBase&) noexcept { ++changes; };
  const leat::Listener listener = emitter.on<"ring">([] {});
  CHECK(changes == 1);
  emitter.once<"ring">([] {});
  CHECK(changes == 2);
  emitter.emit<"ring">(1);
  CHECK(changes == 3);
  listener.off();
  listener.off();
  CHECK(changes == 4);
  emitter.on<"ring">([] {});
  emitter.removeAllListeners<"ring">();
  CHECK(changes == 6);
}
