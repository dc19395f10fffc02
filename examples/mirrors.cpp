// SPDX-License-Identifier: MIT
// mirrors: asks three mirrors at once and takes the first good answer, within a time. The others are stopped.
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [download]
Task<std::string> download(std::string mirror) {
  const http::Response response = co_await http::fetch(mirror + "/package");
  if (!response.ok()) throw Error("status " + std::to_string(response.status()));
  co_return co_await response.text();
}

Task<std::string> fromAny(std::string one, std::string two, std::string three) {
  // Those that are not needed any more are aborted, with their connections, before this goes on.
  co_return co_await anyScoped(download(one), download(two), download(three));
}
// [/download]

// Three mirrors: one is broken, one answers, one takes its time and is told when nobody waits any more.
void broken(const http::IncomingMessage&, const http::ServerResponse& response) {
  response.writeHead(503).end();
}
Task<> good(http::IncomingMessage, http::ServerResponse response) {
  co_await sleep(50);
  response.end("the package");
}
Task<> slow(http::IncomingMessage request, http::ServerResponse response) {
  const auto slept = co_await asResult(sleep(10'000, {.signal = request.signal()}));
  std::printf("slow mirror: %s\n", slept ? "done" : "the client has gone");
  if (slept) response.end("the package, late");
}

Task<std::string> start(http::Server server) {
  co_await server.listen({.port = 0, .host = "127.0.0.1"});
  co_return "http://127.0.0.1:" + std::to_string(server.address().port());
}

Task<> program() {
  const http::Server a = http::createServer(broken);
  const http::Server b = http::createServer(good);
  const http::Server c = http::createServer(slow);
  const std::string one = co_await start(a);
  const std::string two = co_await start(b);
  const std::string three = co_await start(c);

  const std::string package = co_await withTimeout(5'000, fromAny(one, two, three));
  std::printf("got: %s\n", package.c_str());

  // Nobody has it in time.
  const auto late = co_await asResult(withTimeout(500, download(three)));
  std::printf("one mirror, 500 ms: %s\n", describe(late.error()).c_str());

  http::globalAgent().destroy();  // connections that are kept would hold the servers
  co_await all(a.close(), b.close(), c.close());
}

int main() { return run(program); }
