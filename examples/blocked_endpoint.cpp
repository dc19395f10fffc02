// SPDX-License-Identifier: MIT
// blocked_endpoint: two endpoints compute the same. One does it on the loop, and every other client waits meanwhile; one
// on the pool. The delay of the loop shows which; a watchdog names what blocks. The times go to stderr.
#include <leat.hpp>
#include <leat/http.hpp>
#include <leat/perf_hooks.hpp>

#include <cstdint>
#include <cstdio>
#include <string>

using namespace leat;

constexpr double blockedMs = 600;

/// Computes for a while, and gives a number.
std::uint64_t digest() {
  std::uint64_t number = 1;
  for (const double end = performance::now() + blockedMs; performance::now() < end;)
    for (int i = 0; i < 1000; ++i) number = number * 6364136223846793005U + 1442695040888963407U;
  return number == 0 ? 1 : 2;
}

// [endpoints]
Task<> answer(http::IncomingMessage request, http::ServerResponse response) {
  std::uint64_t number = 0;
  if (request.url() == "/blocked") number = digest();  // nobody else is served meanwhile
  if (request.url() == "/pool") number = co_await WorkStealingPool::shared().run(digest);
  response.end(std::to_string(number));
}
// [/endpoints]

Task<> get(int port, std::string path) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  co_await socket.write("GET " + path + " HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n");
  for (Buffer piece = co_await socket.read(); !piece.empty();) piece = co_await socket.read();
}

// [measure]
/// How late the loop was while a client asked for `path`, in milliseconds.
Task<double> delayOf(int port, std::string path) {
  const auto delay = perf_hooks::monitorEventLoopDelay({.resolution = 5});
  delay.enable();
  const auto before = performance::eventLoopUtilization();
  co_await get(port, path);
  co_await sleep(20);  // the sample that is due
  const auto used = performance::eventLoopUtilization(before);
  delay.disable();
  const double worst = static_cast<double>(delay.max()) / 1e6;
  std::fprintf(stderr, "%-9s median %5.1f ms, max %6.1f ms, loop busy %3.0f %%\n", path.c_str(),
               static_cast<double>(delay.percentile(50)) / 1e6, worst, used.utilization * 100);
  co_return worst;
}
// [/measure]

Task<> program() {
  const http::Server server = http::createServer(answer);
  co_await server.listen({.host = "127.0.0.1"});
  const int port = server.address().port();
  for (const char* path : {"/fast", "/blocked", "/pool"}) {
    const double late = co_await delayOf(port, path);
    std::printf("%s: the loop was %s\n", path, late >= blockedMs ? "blocked" : "free");
  }
  {
    // [watchdog]
    const perf_hooks::Watchdog watchdog({.limit = 100});  // tells on stderr
    co_await get(port, "/blocked");
    // [/watchdog]
  }
  co_await server.close();
}

int main() { return run(program); }
