// SPDX-License-Identifier: MIT
// The regions that docs/net.md shows, and a main that runs them.
#include <leat.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [server]
Task<> echo(net::Socket socket) {
  for (;;) {
    const Buffer chunk = co_await socket.read();  // what is there, at least one byte
    if (chunk.empty()) break;                     // the other side has ended
    co_await socket.write(chunk);                 // waits while 16 KiB or more are unsent
  }
  co_await socket.end();
}

Task<> serve() {
  const auto server = net::createServer(echo, {.noDelay = true, .maxConnections = 1000});
  co_await server.listen(0, "127.0.0.1");  // or listen({.port = 0, .host = "127.0.0.1"})
  const net::Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
  co_await client.write("hello\n");
  const std::string line = co_await client.readUntil("\n");
  check(line == "hello\n");
  co_await client.end();
  co_await server.close();  // goes on when the last connection is gone
}
// [/server]

// [lines]
Task<int> countLines(net::Socket socket) {
  int count = 0;
  for (;;) {
    const std::string line = co_await socket.readUntil("\n", 1000);
    if (line.empty()) break;         // the end; a line has its "\n" at least
    if (line.back() != '\n') break;  // the last piece, cut off in the middle
    ++count;
  }
  co_return count;
}
// [/lines]

// [failing]
Task<> handle(net::Socket socket) {
  try {
    const std::string request = co_await withTimeout(10'000, socket.readUntil("\n"));
    co_await socket.write("you said " + request);
    co_await socket.end();
  } catch (const Error& error) {  // uncaught it would end the process
    std::fprintf(stderr, "%s: %s\n", std::string(error.code()).c_str(), error.what());
    socket.destroy();
  }
}
// [/failing]

// [chat]
struct Member {
  net::Socket socket;
  Channel<std::string> waiting{64};  // lines that a slow reader has not taken yet
};
using Room = std::set<std::shared_ptr<Member>>;

void tell(const Room& room, const std::string& line) {
  for (const auto& member : room)
    if (!member->waiting.trySend(line)) member->socket.destroy();  // too slow for this room
}

Task<> deliver(std::shared_ptr<Member> member) {
  while (auto line = co_await member->waiting.receive()) co_await member->socket.write(*line);
  co_await member->socket.end();
}

Task<> listenTo(std::shared_ptr<Member> member, Room& room) {
  for (;;) {
    const std::string line = co_await member->socket.readUntil("\n");
    if (line.empty()) break;
    tell(room, line);
  }
  member->waiting.close();  // deliver ends when it has written what is left
}

Task<> chat(net::Socket socket, Room& room) {
  auto member = std::make_shared<Member>();
  member->socket = socket;
  room.insert(member);
  // The first of the two that fails aborts the other.
  auto both = [&room, member](TaskScope& scope) -> Task<> {
    (void)scope.spawn(deliver(member));
    co_await listenTo(member, room);
  };
  const auto outcome = co_await asResult(scoped(both));
  room.erase(member);
  if (!outcome) std::fprintf(stderr, "left: %s\n", describe(outcome.error()).c_str());
}
// [/chat]

// [lookup]
Task<> printAddresses(std::string host) {
  const auto first = co_await dns::lookup(host, {.family = 4});
  std::printf("%s, IPv%d\n", first.address.c_str(), first.family);
  const auto found =
      co_await dns::lookup(host, {.all = true, .order = dns::LookupOrder::Ipv6First});
  for (const dns::LookupAddress& each : found) std::printf("%s\n", each.address.c_str());
}
// [/lookup]

// [eyeballs]
/// The first of the addresses that says who it is, not only takes the connection.
Task<net::Socket> connectToLiving(std::vector<net::SocketAddress> addresses) {
  const auto attempt = [](const net::SocketAddress& to) -> Task<net::Socket> {
    const net::Socket socket = co_await net::connect(to.port(), to.address());
    const std::string greeting = co_await socket.readUntil("\n");
    if (!greeting.starts_with("220 ")) throw Error("not ready");
    co_return socket;
  };
  co_return co_await net::happyEyeballs(addresses, attempt, {.attemptTimeout = 300});
}
// [/eyeballs]

Task<> living() {
  const auto greet = [](net::Socket socket) -> Task<> { co_await socket.end("220 hello\n"); };
  const auto refuse = [](net::Socket socket) -> Task<> { co_await socket.end("421 later\n"); };
  const auto ready = co_await net::listen(greet, {.host = "127.0.0.1"});
  const auto busy = co_await net::listen(refuse, {.host = "127.0.0.1"});
  std::vector<net::SocketAddress> both{busy.address(), ready.address()};
  const net::Socket socket = co_await connectToLiving(std::move(both));
  check(socket.remoteAddress() == ready.address());
  socket.destroy();
  co_await ready.close();
  co_await busy.close();
}

Task<> abstractName() {
  const std::string own = "leat-snippet-" + std::to_string(::getpid());
  // [abstract]
  const std::string name = std::string(1, '\0') + own;
  const auto server = co_await net::listen(handle, {.path = name});
  const net::Socket client = co_await net::connect({.path = name});
  // [/abstract]
  co_await client.write("x\n");
  const std::string answer = co_await client.readUntil("\n");
  check(answer == "you said x\n");
  client.destroy();
  co_await server.close();
}

Task<> chatting() {
  Room room;
  const auto join = [&room](net::Socket socket) { return chat(std::move(socket), room); };
  const auto server = co_await net::listen(join, {.port = 0, .host = "127.0.0.1"});
  const int port = server.address().port();
  const net::Socket ann = co_await net::connect(port, "127.0.0.1");
  const net::Socket bob = co_await net::connect(port, "127.0.0.1");
  while (room.size() < 2) co_await sleep(1);
  co_await ann.write("hi\n");
  const std::string atBob = co_await bob.readUntil("\n");
  const std::string atAnn = co_await ann.readUntil("\n");
  check(atBob == "hi\n" && atAnn == "hi\n");
  co_await ann.end();
  co_await bob.end();
  co_await server.close();
  check(room.empty());
}

Task<> lines() {
  const auto count = [](net::Socket socket) -> Task<> {
    const int found = co_await countLines(socket);
    co_await socket.end(std::to_string(found));
  };
  const auto server = co_await net::listen(count, {.port = 0, .host = "127.0.0.1"});
  const net::Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
  co_await client.end("one\ntwo\nthr");
  const Buffer answer = co_await client.read();
  check(answer == "2");
  co_await server.close();
}

Task<> failing() {
  const auto server = co_await net::listen(handle, {.port = 0, .host = "127.0.0.1"});
  const net::Socket client = co_await net::connect(server.address().port(), "127.0.0.1");
  co_await client.write("x\n");
  const std::string answer = co_await client.readUntil("\n");
  check(answer == "you said x\n");
  client.destroy();
  co_await server.close();
}

Task<> program() {
  co_await serve();
  co_await lines();
  co_await failing();
  co_await chatting();
  co_await printAddresses("localhost");
  co_await living();
  co_await abstractName();
}

int main() { return run(program); }
