// SPDX-License-Identifier: MIT
#include <leat/core/channel.hpp>
#include <leat/core/with_context.hpp>

#include <memory>
#include <queue_fixture.hpp>

using leat::AbortController;
using leat::Channel;
using leat::Promise;
using leat::Task;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::Running;

namespace {

Task<> sendAll(Channel<int> channel, int from, int to) {
  for (int i = from; i < to; ++i) co_await channel.send(i);
}
Task<> receiveAll(Channel<int> channel, std::vector<int>& out) {
  while (auto value = co_await channel.receive()) out.push_back(*value);
}
Task<int> receiveOne(Channel<int> channel, leat::WaitOptions options = {}) {
  auto value = co_await channel.receive(options);
  co_return value.value_or(-1);
}
Task<> sendOne(Channel<int> channel, int value, leat::WaitOptions options = {}) {
  co_await channel.send(value, options);
}
std::vector<int> numbers(int from, int to) {
  std::vector<int> out;
  for (int i = from; i < to; ++i) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("values come out in order, through every capacity") {
  for (std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
    QueueFixture queues;
    Channel<int> channel(capacity);
    std::vector<int> got;
    Running<> sender(sendAll(channel, 0, 50));
    REQUIRE(channel.size() == (capacity < 50 ? capacity : 50));
    Running<> receiver(receiveAll(channel, got));
    queues.drain();
    REQUIRE(sender.done());
    REQUIRE(got == numbers(0, 50));
    REQUIRE_FALSE(receiver.done());
    channel.close();
    queues.drain();
    REQUIRE(receiver.done());
  }
}

TEST_CASE("a rendezvous completes the send when a receiver has the value") {
  QueueFixture queues;
  Channel<int> channel;
  Running<> sender(sendOne(channel, 1));
  queues.drain();
  REQUIRE_FALSE(sender.done());
  Running<int> receiver(receiveOne(channel));
  REQUIRE(receiver.get() == 1);
  queues.drain();
  REQUIRE(sender.done());
}

TEST_CASE("close lets out what was accepted and what waits, then there is nothing") {
  QueueFixture queues;
  Channel<int> channel(1);
  Running<> buffered(sendOne(channel, 1));
  Running<> waiting(sendOne(channel, 2));
  channel.close();
  REQUIRE(channel.closed());
  std::vector<int> got;
  Running<> receiver(receiveAll(channel, got));
  queues.drain();
  REQUIRE(got == std::vector<int>{1, 2});
  REQUIRE(receiver.done());
  waiting.get();
  Running<> late(sendOne(channel, 3));
  REQUIRE(codeOf(late.error()) == "ERR_CHANNEL_CLOSED");
  REQUIRE_FALSE(channel.trySend(3));
}

TEST_CASE("trySend and tryReceive never wait") {
  QueueFixture queues;
  Channel<std::unique_ptr<int>> channel(1);
  REQUIRE(channel.trySend(std::make_unique<int>(1)));
  auto kept = std::make_unique<int>(2);
  REQUIRE_FALSE(channel.trySend(std::move(kept)));
  REQUIRE(kept != nullptr);
  auto got = channel.tryReceive();
  REQUIRE(**got == 1);
  REQUIRE_FALSE(channel.tryReceive());
}

TEST_CASE("copies are handles to one channel, which lives as long as one of them") {
  QueueFixture queues;
  auto channel = std::make_unique<Channel<int>>(1);
  auto copy = *channel;
  REQUIRE(copy == *channel);
  Running<int> receiver(receiveOne(*channel));
  channel.reset();
  REQUIRE(copy.trySend(4));
  queues.drain();
  REQUIRE(receiver.get() == 4);
}

TEST_CASE("an abort ends a wait and loses nothing") {
  QueueFixture queues;
  AbortController controller;
  Channel<int> channel;
  Running<> sender(sendOne(channel, 1, {.signal = controller}));
  controller.abort();
  queues.drain();
  REQUIRE(codeOf(sender.error()) == "ABORT_ERR");
  REQUIRE_FALSE(channel.tryReceive());
  AbortController other;
  auto under = [&]() -> Task<int> {
    co_return co_await leat::withSignal(other.signal(), receiveOne(channel));
  };
  Running<int> receiver(under());
  other.abort();
  Running<> second(sendOne(channel, 2));
  queues.drain();
  REQUIRE(codeOf(receiver.error()) == "ABORT_ERR");
  REQUIRE(channel.tryReceive() == 2);
}

TEST_CASE("an aborted signal is obeyed although a value is there") {
  QueueFixture queues;
  auto signal = leat::AbortSignal::abort();
  Channel<int> channel(2);
  REQUIRE(channel.trySend(1));
  Running<int> receiver(receiveOne(channel, {.signal = signal}));
  Running<> sender(sendOne(channel, 2, {.signal = signal}));
  queues.drain();
  REQUIRE(codeOf(receiver.error()) == "ABORT_ERR");
  REQUIRE(codeOf(sender.error()) == "ABORT_ERR");
  REQUIRE(channel.size() == 1);
}

TEST_CASE("an abort after a value was granted comes too late") {
  QueueFixture queues;
  AbortController controller;
  Channel<int> channel;
  Running<int> receiver(receiveOne(channel, {.signal = controller}));
  REQUIRE(channel.trySend(1));
  controller.abort();
  queues.drain();
  REQUIRE(receiver.get() == 1);
}

TEST_CASE("values granted to receivers that are destroyed come back in their order") {
  for (bool forwards : {true, false}) {
    QueueFixture queues;
    Channel<int> channel(4);
    auto a = std::make_unique<Running<int>>(receiveOne(channel));
    auto b = std::make_unique<Running<int>>(receiveOne(channel));
    auto c = std::make_unique<Running<int>>(receiveOne(channel));
    for (int i = 1; i <= 5; ++i) REQUIRE(channel.trySend(std::move(i)));
    if (forwards) a.reset();
    c.reset();
    b.reset();
    a.reset();
    std::vector<int> got;
    while (auto value = channel.tryReceive()) got.push_back(*value);
    REQUIRE(got == numbers(1, 6));
    queues.drain();
  }
}

TEST_CASE("a value that comes back goes to the receiver that waits") {
  QueueFixture queues;
  Channel<int> channel;
  auto a = std::make_unique<Running<int>>(receiveOne(channel));
  Running<int> b(receiveOne(channel));
  REQUIRE(channel.trySend(7));
  a.reset();
  queues.drain();
  REQUIRE(b.get() == 7);
}

TEST_CASE("a value that comes back after the close is still received") {
  QueueFixture queues;
  Channel<int> channel;
  auto a = std::make_unique<Running<int>>(receiveOne(channel));
  Running<int> b(receiveOne(channel));
  REQUIRE(channel.trySend(7));
  channel.close();
  a.reset();
  queues.drain();
  REQUIRE(b.get() == 7);
}

TEST_CASE("senders and receivers may be destroyed while they wait") {
  QueueFixture queues;
  Channel<std::unique_ptr<int>> channel;
  auto send = [&](int i) -> Task<> { co_await channel.send(std::make_unique<int>(i)); };
  auto receive = [&]() -> Task<int> {
    auto value = co_await channel.next();
    co_return **value;
  };
  auto a = std::make_unique<Running<>>(send(1));
  auto b = std::make_unique<Running<>>(send(2));
  a.reset();
  Running<int> c(receive());
  REQUIRE(c.get() == 2);
  b.reset();  // Granted, not gone on: the value was accepted.
  auto d = std::make_unique<Running<int>>(receive());
  d.reset();
  auto e = std::make_unique<Running<>>(send(3));
  queues.drain();
  REQUIRE_FALSE(e->done());
}

TEST_CASE("the end of the loop destroys waiting senders and receivers") {
  Channel<int> channel;
  {
    QueueFixture queues;
    Promise<int> promise = receiveOne(channel);
    std::vector<int> got;
  }
  {
    QueueFixture queues;
    Promise<> promise = sendOne(channel, 1);
    queues.drain();
  }
  REQUIRE_FALSE(channel.tryReceive());
}

TEST_CASE("a receiver whose loop has ended takes no value from a sender") {
  auto queues = std::make_unique<QueueFixture>();
  Channel<int> channel;
  Channel<int> buffered(1);
  std::vector<int> got;
  Running<> receiver(receiveAll(channel, got));
  Running<> second(receiveAll(buffered, got));
  queues = nullptr;
  queues = std::make_unique<QueueFixture>();
  REQUIRE_FALSE(channel.trySend(7));
  REQUIRE(buffered.trySend(8));
  REQUIRE(buffered.tryReceive() == 8);
  Running<> sender(sendOne(channel, 9));
  REQUIRE_FALSE(sender.done());
  REQUIRE(channel.tryReceive() == 9);
  queues->drain();
  REQUIRE(sender.done());
  REQUIRE_FALSE(receiver.done());
  REQUIRE(got.empty());
}

TEST_CASE("a value stays with a sender whose loop has ended") {
  auto queues = std::make_unique<QueueFixture>();
  Channel<int> channel;
  Running<> sender(sendOne(channel, 1));
  queues = nullptr;
  REQUIRE_FALSE(channel.tryReceive());
  channel.close();
  REQUIRE_FALSE(sender.done());
}

TEST_CASE("a channel is closed after the loop of those who wait") {
  auto queues = std::make_unique<QueueFixture>();
  AbortController controller;
  Channel<int> channel;
  std::vector<int> got;
  Running<> receiver(receiveAll(channel, got));
  Running<int> cancelled(receiveOne(channel, {.signal = controller.signal()}));
  queues = nullptr;
  controller.abort();
  channel.close();
  REQUIRE_FALSE(receiver.done());
  REQUIRE_FALSE(cancelled.done());
}

namespace {

/// Throws when it is moved while `thrown` is its number.
struct Heavy {
  explicit Heavy(int n) : number(n) {}
  Heavy(Heavy&& other) : number(other.number) {
    if (number == thrown) throw leat::Error("too heavy", "HEAVY");
  }
  Heavy& operator=(Heavy&&) = delete;
  int number;
  inline static int thrown = 0;
};
Task<> sendHeavy(Channel<Heavy> channel, int number) { co_await channel.send(Heavy(number)); }

}  // namespace

TEST_CASE("a sender whose value cannot be moved is told, and no other value is lost") {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}}) {
    QueueFixture queues;
    Channel<Heavy> channel(capacity);
    Running<> first(sendHeavy(channel, 1)), second(sendHeavy(channel, 2)),
        third(sendHeavy(channel, 3));
    Heavy::thrown = 2;
    CHECK(channel.tryReceive().value().number == 1);
    CHECK(channel.tryReceive().value().number == 3);
    CHECK_FALSE(channel.tryReceive().has_value());
    Heavy::thrown = 0;
    queues.drain();
    first.get();
    third.get();
    CHECK(codeOf(second.error()) == "HEAVY");
  }
}

namespace {

/// Throws at its move number `countdown` from now.
struct Slippery {
  explicit Slippery(int n) : number(n) {}
  Slippery(Slippery&& other) : number(other.number) {
    if (countdown > 0 && --countdown == 0) throw leat::Error("too slippery", "SLIPPERY");
  }
  Slippery& operator=(Slippery&&) = delete;
  int number;
  inline static int countdown = 0;
};

}  // namespace

TEST_CASE("a value that throws on its way to the receiver stays in the channel") {
  const auto receive = [](Channel<Slippery> channel) -> Task<int> {
    auto value = co_await channel.receive();
    co_return value->number;
  };
  for (const int move : {1, 2}) {
    CAPTURE(move);
    QueueFixture queues;
    Channel<Slippery> channel(2);
    CHECK(channel.trySend(Slippery(1)));
    CHECK(channel.trySend(Slippery(2)));
    Slippery::countdown = move;
    CHECK_THROWS_AS(channel.tryReceive(), leat::Error);
    Slippery::countdown = move;
    Running<int> fails(receive(channel));
    CHECK(codeOf(fails.error()) == "SLIPPERY");
    CHECK(channel.size() == 2);
    Running<int> first(receive(channel)), second(receive(channel));
    CHECK(first.get() == 1);
    CHECK(second.get() == 2);
    // One that was granted.
    Running<int> granted(receive(channel));
    CHECK(channel.trySend(Slippery(3)));
    Slippery::countdown = 1;
    queues.drain();
    CHECK(codeOf(granted.error()) == "SLIPPERY");
    CHECK(channel.tryReceive().value().number == 3);
  }
}
