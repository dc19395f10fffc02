// SPDX-License-Identifier: MIT
// Many sockets at once, each piped to itself, whose peers come and go as they like.
#include "../net/net_rig.hpp"

#include <leat/net/connect.hpp>
#include <leat/net/socket_stream.hpp>
#include <leat/stream.hpp>

#include <sys/resource.h>

#include <random>

namespace {

namespace net = leat::net;
using leat::Buffer;
using leat::Promise;
using leat::Task;

/// As many as there may be descriptors for: two for each, and some to spare.
std::size_t howMany() {
  constexpr std::size_t wanted = LEAT_TEST_SANITIZED ? 500 : 2000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2 * wanted + 200) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const std::size_t most = (static_cast<std::size_t>(limit.rlim_cur) - 200) / 2;
  return most < wanted ? most : wanted;
}

/// What a peer sends: as much as it wants to, in an order that nobody else has.
std::string textOf(std::size_t peer, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + (peer + i * 7 + i / 4096) % 26);
  return text;
}

/// How a peer leaves, and when: after it has sent or heard so much.
enum class Leaving { AtTheEnd, WhenSent, WhenHeard, ByReset };
struct Plan {
  std::size_t peer = 0;
  std::size_t size = 0;
  std::size_t heardBefore = 0;
  Leaving leaving = Leaving::AtTheEnd;
};

struct Totals {
  std::size_t connected = 0, echoes = 0, echoesOver = 0, echoesWhole = 0;
  std::size_t peersOver = 0, whole = 0, wrong = 0;
};

/// Begins at once; "" or the code of what it throws.
template <class A>
Promise<std::string> ending(A awaitable) {
  std::string code = co_await net_rig::outcome(std::move(awaitable));
  co_return code;
}

Task<> echo(Totals& totals, net::Socket socket) {
  const auto stream = leat::duplexFrom(socket);
  ++totals.echoes;
  const std::string code = co_await net_rig::outcome(leat::pipeline(stream, stream));
  if (code.empty()) ++totals.echoesWhole;
  co_await stream.closed();
  ++totals.echoesOver;
}

Task<> send(const leat::Duplex<Buffer>& stream, Plan plan) {
  const std::string text = textOf(plan.peer, plan.size);
  for (std::size_t at = 0; at < text.size(); at += 5000)
    co_await stream.write(std::string_view(text).substr(at, 5000));
  if (plan.leaving == Leaving::AtTheEnd) {
    co_await stream.end();
  } else if (plan.leaving == Leaving::WhenSent) {
    stream.destroy();
  }
}

/// Hears what it has sent, and leaves as planned.
Task<> hear(net::Socket socket, leat::Duplex<Buffer> stream, Plan plan, std::string& heard) {
  while (auto chunk = co_await stream.next()) {
    heard += chunk->toString();
    if (heard.size() < plan.heardBefore) continue;
    if (plan.leaving == Leaving::WhenHeard) stream.destroy();
    if (plan.leaving == Leaving::ByReset) socket.resetAndDestroy();
  }
}

Task<> peer(Totals& totals, net::Socket socket, Plan plan) {
  const auto stream = leat::duplexFrom(socket, {.allowHalfOpen = true});
  std::string heard;
  // Only those that leave at the end hear of no error.
  Promise<std::string> sending = ending(send(stream, plan));
  const std::string hearing = co_await net_rig::outcome(hear(socket, stream, plan, heard));
  const std::string sent = co_await sending;
  co_await stream.closed();
  if (heard != textOf(plan.peer, plan.size).substr(0, heard.size())) ++totals.wrong;
  if (plan.leaving == Leaving::AtTheEnd && sent.empty() && hearing.empty() &&
      heard.size() == plan.size)
    ++totals.whole;
  ++totals.peersOver;
}

Plan planOf(std::size_t peer, std::minstd_rand& random) {
  Plan plan;
  plan.peer = peer;
  plan.size = 1 + random() % 40'000;
  plan.heardBefore = random() % plan.size;
  plan.leaving = static_cast<Leaving>(random() % 4);
  return plan;
}

}  // namespace

TEST_CASE("thousands of sockets that are piped to themselves, and peers that leave at random") {
  const std::size_t count = howMany();
  REQUIRE(count >= 500);
  Totals totals;
  std::size_t wholePlanned = 0;
  const auto main = [&]() -> Task<> {
    const auto serve = [&](net::Socket socket) -> Task<> { co_await echo(totals, socket); };
    auto server = co_await net::listen(serve, {});
    net::ConnectOptions to;
    to.port = server.address().port();
    std::vector<net::Socket> sockets;
    while (sockets.size() < count) sockets.push_back(co_await net::connect(to));
    co_await net_rig::until([all = &totals, count] { return all->echoes == count; });
    // All are open now, and go on together.
    std::minstd_rand random(2026);
    std::vector<Promise<std::string>> peers;
    for (std::size_t i = 0; i < count; ++i) {
      const Plan plan = planOf(i, random);
      if (plan.leaving == Leaving::AtTheEnd) ++wholePlanned;
      peers.push_back(ending(peer(totals, sockets[i], plan)));
    }
    sockets.clear();
    for (const Promise<std::string>& each : peers) co_await each;
    co_await net_rig::until([all = &totals, count] { return all->echoesOver == count; });
    co_await server.close();
  };
  CHECK(net_rig::runToEnd(main, 200'000) == 0);
  CHECK(totals.wrong == 0);
  CHECK(totals.peersOver == count);
  CHECK(totals.echoesOver == count);
  CHECK(totals.whole == wholePlanned);
  CHECK(totals.echoesWhole >= wholePlanned);
  CHECK(wholePlanned > 0);
}
