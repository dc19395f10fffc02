// SPDX-License-Identifier: MIT
#include <leat/abort.hpp>
#include <leat/buffer.hpp>
#include <leat/events.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>
#include <leat/worker/message_port.hpp>

#include <leat_test.hpp>
#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include "worker_rig.hpp"

using leat::Buffer;
using leat::EventLoop;
using leat::Promise;
using leat::run;
using leat::Task;
using leat::worker_threads::MessageChannel;
using leat::worker_threads::MessagePort;
using leat::worker_threads::receiveMessageOnPort;
using leat::worker_threads::TransferredPort;
using leat_test::codeOf;
using leat_test::settle;

namespace {

/// Calls it on a thread without a loop.
template <class F>
void elsewhere(F f) {
  std::thread(std::move(f)).join();
}

}  // namespace

TEST_CASE("messages of a channel come in order, one drain after each") {
  std::string trace;
  const int code = run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&, port = channel.port1](int i) {
      trace += std::to_string(i);
      leat::queueMicrotask([&] { trace += "m"; });
      leat::nextTick([&] { trace += "t"; });
      if (i == 2) port.close();
    });
    for (int i = 0; i < 3; ++i) CHECK(channel.port2.postMessage(i));
    trace += "main ";
  });
  CHECK(code == 0);
  CHECK(trace == "main 0tm1tm2tm");
}

TEST_CASE("a port without listeners does not hold the loop, one with a listener does") {
  int turns = 0;
  run([] { MessageChannel<int> channel; });
  run([&] {
    MessageChannel<int> channel;
    const auto listener = channel.port1.on<"message">([] {});
    CHECK(channel.port1.hasRef());
    CHECK_FALSE(channel.port2.hasRef());
    leat::setTimeout(
        [&turns, port = channel.port1, other = channel.port2, listener] {
          ++turns;
          listener.off();
          CHECK_FALSE(port.hasRef());
        },
        1)
        .unref();
  });
  CHECK(turns == 1);
}

TEST_CASE("ref and unref of a port are Node's") {
  run([] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([] { FAIL("nothing was posted"); });
    channel.port1.unref();
    CHECK_FALSE(channel.port1.hasRef());
    channel.port2.ref();
    CHECK(channel.port2.hasRef());
    channel.port2.unref();
  });
}

TEST_CASE("a port that is unref'd is told when the loop runs for another reason") {
  int got = 0;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&](int i) { got = i; });
    channel.port1.unref();
    channel.port2.postMessage(4);
    leat::setTimeout([] {}, 1);
  });
  CHECK(got == 4);
}

TEST_CASE("messages wait for a listener, and behind one for once the others wait again") {
  std::vector<int> got;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    for (int i = 0; i < 3; ++i) channel.port2.postMessage(i);
    co_await settle();
    channel.port1.once<"message">([&](int i) { got.push_back(i); });
    co_await settle();
    CHECK(got == std::vector<int>{0});
    channel.port1.on<"message">([&, port = channel.port1](int i) {
      got.push_back(i);
      if (i == 2) port.close();
    });
  });
  CHECK(got == std::vector<int>{0, 1, 2});
}

TEST_CASE("a port that closes tells the other end when that has taken what was posted") {
  std::string trace;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&](int i) { trace += std::to_string(i); });
    channel.port1.on<"close">([&] { trace += " close1"; });
    channel.port2.on<"close">([&] { trace += " close2"; });
    channel.port2.postMessage(1);
    channel.port2.postMessage(2);
    channel.port2.close();
    channel.port2.close();
    CHECK(channel.port2.closed());
    CHECK_FALSE(channel.port2.postMessage(3));
  });
  CHECK(trace == "12 close2 close1");
}

TEST_CASE("close comes in the close phase, and what was about to be delivered still is") {
  std::string trace;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&, port = channel.port1](int i) {
      trace += std::to_string(i);
      if (i == 1) {
        leat::setImmediate([&] { trace += " immediate"; });
        port.close();
      }
    });
    channel.port1.on<"close">([&] { trace += " close"; });
    for (int i = 0; i < 4; ++i) channel.port2.postMessage(i);
  });
  CHECK(trace == "0123 immediate close");
}

TEST_CASE("a port that was closed before its turn is told nothing") {
  std::string trace;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&](int) { trace += "message "; });
    channel.port1.on<"close">([&] { trace += "close"; });
    channel.port2.postMessage(1);
    channel.port1.close();
  });
  CHECK(trace == "close");
}

TEST_CASE("dropping the last handle of a port closes the channel") {
  std::string trace;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&](int i) { trace += std::to_string(i); });
    channel.port1.on<"close">([&] { trace += " close"; });
    channel.port2.postMessage(7);
  });
  CHECK(trace == "7 close");
}

TEST_CASE("an exception of a listener is uncaught, and the messages behind it come later") {
  std::string trace;
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"message">([&](int i) {
      trace += std::to_string(i);
      if (i == 0) throw std::runtime_error("on purpose, of a message listener");
    });
    channel.port2.postMessage(0);
    channel.port2.postMessage(1);
  });
  // Nobody handled it: the loop has ended.
  CHECK(trace == "0");
}

TEST_CASE("a coroutine that listens keeps its message") {
  std::string got;
  run([&] {
    MessageChannel<std::string> channel;
    channel.port1.once<"message">([&](std::string text) -> Task<> {
      co_await settle();
      got = text;
    });
    channel.port2.postMessage("a text that is too long for the small strings");
  });
  CHECK(got == "a text that is too long for the small strings");
}

TEST_CASE("next gives one message after the other, and nothing at the end") {
  std::vector<std::string> got;
  run([&]() -> Task<> {
    MessageChannel<std::unique_ptr<std::string>, int> channel;
    auto reader = [&got](MessagePort<std::unique_ptr<std::string>, int> port) -> Promise<> {
      while (auto text = co_await port.next()) got.push_back(**text);
      got.push_back("end");
    };
    const auto done = reader(channel.port1);
    CHECK(channel.port1.hasRef());
    channel.port2.postMessage(std::make_unique<std::string>("a"));
    co_await settle();
    channel.port2.postMessage(std::make_unique<std::string>("b"));
    channel.port2.postMessage(std::make_unique<std::string>("c"));
    channel.port2.close();
    co_await done;
    CHECK_FALSE(channel.port1.hasRef());
    const auto none = co_await channel.port1.next();
    CHECK_FALSE(none.has_value());
  });
  CHECK(got == std::vector<std::string>{"a", "b", "c", "end"});
}

TEST_CASE("next may be aborted and abandoned, and no message is lost") {
  run([]() -> Task<> {
    MessageChannel<int> channel;
    const auto late = co_await leat::asResult(leat::withTimeout(1, channel.port1.next()));
    CHECK(codeOf(late.error()) == "TIMEOUT_ERR");
    {
      auto reader = [](MessagePort<int> port) -> Task<> {
        (void)co_await port.next();
        FAIL("it was abandoned");
      };
      leat::AbortController stop;
      auto waiting = leat::spawn(leat::withSignal(stop.signal(), reader(channel.port1)));
      channel.port2.postMessage(1);
      channel.port2.postMessage(2);
      stop.abort();
      const auto left = co_await leat::asResult(waiting);
      CHECK(codeOf(left.error()) == "ABORT_ERR");
    }
    const auto one = co_await channel.port1.next();
    const auto two = co_await channel.port1.next();
    CHECK(one == 1);
    CHECK(two == 2);
  });
}

TEST_CASE("who takes messages without pause lets the loop turn") {
  bool timer = false;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    leat::setTimeout([&] { timer = true; }, 1);
    int left = 200'000;
    channel.port2.postMessage(0);
    while (!timer && left-- > 0) {
      (void)co_await channel.port1.next();
      channel.port2.postMessage(1);
    }
    CHECK(timer);
  });
}

TEST_CASE("receiveMessageOnPort takes at once what waits") {
  std::string trace;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    CHECK_FALSE(receiveMessageOnPort(channel.port1).has_value());
    channel.port1.on<"close">([&] { trace += "close"; });
    channel.port2.postMessage(1);
    channel.port2.postMessage(2);
    channel.port2.close();
    co_await settle();
    CHECK(receiveMessageOnPort(channel.port1) == 1);
    CHECK(trace.empty());
    CHECK(receiveMessageOnPort(channel.port1) == 2);
    co_await settle();
    CHECK(trace == "close");
    CHECK_FALSE(receiveMessageOnPort(channel.port1).has_value());
  });
}

TEST_CASE("the bound of a channel makes posting wait") {
  std::string trace;
  run([&]() -> Task<> {
    MessageChannel<int> channel({.highWaterMark = 2});
    CHECK(channel.port2.postMessage(1));
    CHECK_FALSE(channel.port2.postMessage(2));
    auto poster = [&trace](MessagePort<int> port) -> Promise<> {
      co_await port.postMessage(3);  // accepted although it is one too many
      trace += "room ";
    };
    const auto posted = poster(channel.port2);
    co_await settle();
    trace += "full ";
    CHECK(receiveMessageOnPort(channel.port1) == 1);
    co_await settle();
    CHECK(trace == "full ");
    CHECK(receiveMessageOnPort(channel.port1) == 2);
    co_await posted;
    CHECK(trace == "full room ");
    CHECK(receiveMessageOnPort(channel.port1) == 3);
    co_await channel.port2.postMessage(4);  // there is room
  });
}

TEST_CASE("who waits for room is told of a port that closes") {
  run([]() -> Task<> {
    MessageChannel<int> channel({.highWaterMark = 1});
    auto poster = [](MessagePort<int> port) -> Promise<> { co_await port.postMessage(1); };
    const auto first = poster(channel.port2);
    co_await settle();
    channel.port1.close();
    const auto result = co_await leat::asResult(first);
    CHECK(codeOf(result.error()) == "ERR_CLOSED_MESSAGE_PORT");
    const auto second = poster(channel.port2);
    const auto again = co_await leat::asResult(second);
    CHECK(codeOf(again.error()) == "ERR_CLOSED_MESSAGE_PORT");
  });
}

TEST_CASE("a wait for room obeys the signal, and the message is on its way all the same") {
  run([]() -> Task<> {
    MessageChannel<int> channel({.highWaterMark = 1});
    auto poster = [](MessagePort<int> port) -> Task<> { co_await port.postMessage(1); };
    const auto result = co_await leat::asResult(leat::withTimeout(1, poster(channel.port2)));
    CHECK_FALSE(result.ok());
    CHECK(receiveMessageOnPort(channel.port1) == 1);
  });
}

TEST_CASE("the bytes of a Buffer that is posted are not copied") {
  run([]() -> Task<> {
    MessageChannel<Buffer> channel;
    Buffer bytes = Buffer::from("a long text that stands in a block of its own, whoever has it");
    const std::byte* const there = bytes.data();
    channel.port2.postMessage(std::move(bytes));
    const auto got = co_await channel.port1.next();
    CHECK(got->data() == there);
  });
}

TEST_CASE("a port that was transferred takes what waits in it along") {
  std::vector<int> got;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    channel.port2.postMessage(1);
    channel.port1.on<"message">([] { FAIL("it was given away"); });
    TransferredPort<int> away = channel.port1.transfer();
    CHECK(channel.port1.closed());
    channel.port2.postMessage(2);
    co_await settle();
    const MessagePort<int> port(away);
    while (got.size() < 2) got.push_back(*co_await port.next());
    CHECK_FALSE(channel.port2.closed());
    CHECK_THROWS_AS(MessagePort<int>(away), leat::Error);
    CHECK_THROWS_AS(channel.port1.transfer(), leat::Error);
    CHECK_FALSE(channel.port1.postMessage(1));
  });
  CHECK(got == std::vector<int>{1, 2});
}

TEST_CASE("a transferred port that nobody takes closes the channel") {
  bool closed = false;
  run([&] {
    MessageChannel<int> channel;
    channel.port2.on<"close">([&] { closed = true; });
    channel.port2.ref();
    elsewhere([away = std::optional(channel.port1.transfer())]() mutable { away.reset(); });
  });
  CHECK(closed);
}

TEST_CASE("a port goes to the loop of another thread, and answers from there") {
  std::vector<std::string> got;
  std::thread other;
  run([&]() -> Task<> {
    MessageChannel<std::string, int> channel;
    other = std::thread([away = channel.port2.transfer()] {
      run([&]() -> Task<> {
        const MessagePort<int, std::string> port(away);
        while (auto number = co_await port.next()) port.postMessage(std::to_string(*number * 2));
      });
    });
    for (int i = 0; i < 3; ++i) {
      channel.port1.postMessage(i);
      got.push_back(*co_await channel.port1.next());
    }
    channel.port1.close();
  });
  other.join();
  CHECK(got == std::vector<std::string>{"0", "2", "4"});
}

TEST_CASE("a port may be destroyed and closed inside of its listeners") {
  int closed = 0;
  run([&] {
    auto channel = std::make_shared<std::optional<MessageChannel<int>>>(std::in_place);
    channel->value().port1.on<"message">([channel, &closed](int) {
      channel->value().port2.on<"close">([&closed] { ++closed; });
      channel->value().port1.removeAllListeners<"message">();
      channel->reset();
    });
    channel->value().port2.postMessage(1);
    channel->value().port2.postMessage(2);
  });
  CHECK(closed == 0);  // its last handle went with the other
  run([&] {
    MessageChannel<int> channel;
    channel.port1.on<"close">([&closed, port = channel.port1] {
      ++closed;
      port.close();
      CHECK_FALSE(port.postMessage(1));
    });
    channel.port1.close();
  });
  CHECK(closed == 1);
}

TEST_CASE("the end of a loop closes its ports, and handles of them do nothing more") {
  std::optional<MessagePort<int>> left;
  bool closed = false;
  std::thread other;
  run([&]() -> Task<> {
    MessageChannel<int> channel;
    other = std::thread([away = channel.port2.transfer(), &closed] {
      run([&] {
        MessagePort<int>(away).on<"close">([&] { closed = true; });
        MessagePort<int> unused = MessageChannel<int>().port1;
      });
    });
    left = channel.port1;
    channel.port1.on<"message">([] {});
    co_await settle();
    EventLoop::current().stop();
  });
  other.join();
  CHECK(left->closed());
  CHECK_THROWS_AS(left->postMessage(1), leat::Error);
  CHECK_THROWS_AS(left->close(), leat::Error);
}

TEST_CASE("a port is for the thread of its loop") {
  run([] {
    MessageChannel<int> channel;
    elsewhere([&] {
      CHECK_THROWS_AS(channel.port1.postMessage(1), leat::Error);
      CHECK_THROWS_AS(channel.port1.on<"message">([] {}), leat::Error);
      CHECK_THROWS_AS(channel.port1.transfer(), leat::Error);
      CHECK_THROWS_AS(receiveMessageOnPort(channel.port1), leat::Error);
    });
  });
  elsewhere([] { CHECK_THROWS_AS(MessageChannel<int>(), leat::Error); });
}

TEST_CASE("what may be a message") {
  using leat::worker_threads::isMessage;
  STATIC_REQUIRE(isMessage<std::string>);
  STATIC_REQUIRE(isMessage<Buffer>);
  STATIC_REQUIRE(isMessage<std::unique_ptr<int>>);
  STATIC_REQUIRE(isMessage<std::vector<TransferredPort<int>>>);
  STATIC_REQUIRE(isMessage<void (*)()>);
  STATIC_REQUIRE_FALSE(isMessage<std::string_view>);
  STATIC_REQUIRE_FALSE(isMessage<std::initializer_list<int>>);
  STATIC_REQUIRE_FALSE(isMessage<const char*>);
  STATIC_REQUIRE_FALSE(isMessage<int&>);
  STATIC_REQUIRE_FALSE(isMessage<MessagePort<int>>);
  STATIC_REQUIRE_FALSE(isMessage<Promise<int>>);
  STATIC_REQUIRE_FALSE(isMessage<std::span<int>>);
  STATIC_REQUIRE_FALSE(isMessage<std::wstring_view>);
  STATIC_REQUIRE_FALSE(isMessage<std::reference_wrapper<int>>);
  STATIC_REQUIRE_FALSE(isMessage<Task<int>>);
}

namespace {
// Made of themselves by way of others.
struct PortJson : std::variant<std::nullptr_t, double, std::string, std::vector<PortJson>,
                               std::map<std::string, PortJson>> {};
struct PortBranches : std::vector<std::shared_ptr<PortBranches>> {};
struct PortChain : std::shared_ptr<PortChain> {};
template <class Leaf>
struct PortFolder : std::map<std::string, std::pair<PortFolder<Leaf>, Leaf>> {};
struct PortOutcome {
  bool valueless_by_exception() const { return false; }
};
}  // namespace

TEST_CASE("a message may be of a type that is made of itself") {
  using leat::worker_threads::isMessage;
  STATIC_REQUIRE(isMessage<PortJson>);
  STATIC_REQUIRE(isMessage<std::vector<PortJson>>);
  STATIC_REQUIRE(isMessage<PortBranches>);
  STATIC_REQUIRE(isMessage<PortChain>);
  STATIC_REQUIRE(isMessage<PortFolder<int>>);
  STATIC_REQUIRE(isMessage<PortFolder<PortJson>>);
  STATIC_REQUIRE(isMessage<PortOutcome>);
  STATIC_REQUIRE_FALSE(isMessage<PortFolder<std::string_view>>);
  STATIC_REQUIRE_FALSE(isMessage<PortFolder<const char*>>);
  STATIC_REQUIRE_FALSE(isMessage<PortFolder<Promise<int>>>);
}

TEST_CASE("what holds a view or a pointer is no message either") {
  using leat::worker_threads::isMessage;
  using Text = std::string;
  using View = std::string_view;
  STATIC_REQUIRE(isMessage<std::vector<std::vector<Text>>>);
  STATIC_REQUIRE(isMessage<std::map<Text, std::optional<int>>>);
  STATIC_REQUIRE(isMessage<std::tuple<int, Text, void (*)()>>);
  STATIC_REQUIRE(isMessage<std::variant<std::monostate, Text>>);
  STATIC_REQUIRE(isMessage<std::filesystem::path>);
  STATIC_REQUIRE_FALSE(isMessage<std::vector<View>>);
  STATIC_REQUIRE_FALSE(isMessage<std::vector<const char*>>);
  STATIC_REQUIRE_FALSE(isMessage<std::array<std::vector<View>, 2>>);
  STATIC_REQUIRE_FALSE(isMessage<std::optional<const char*>>);
  STATIC_REQUIRE_FALSE(isMessage<std::map<View, int>>);
  STATIC_REQUIRE_FALSE(isMessage<std::pair<int, View>>);
  STATIC_REQUIRE_FALSE(isMessage<std::tuple<int, int&>>);
  STATIC_REQUIRE_FALSE(isMessage<std::variant<int, std::span<int>>>);
}

TEST_CASE("once and on wait for the messages of a port") {
  run([]() -> Task<> {
    MessageChannel<int> channel;
    const auto first = leat::once<"message">(channel.port1);
    channel.port2.postMessage(3);
    const auto [three] = co_await first;
    CHECK(three == 3);
  });
}
