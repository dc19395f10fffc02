// SPDX-License-Identifier: MIT
// The regions of docs/process.md.
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [signals]
void listen() {
  process::on<"SIGHUP">([](const std::string& name, int number) {
    std::printf("%s (%d): reading the configuration again\n", name.c_str(), number);
  });
  const Listener once = process::once<"SIGUSR1">([] { std::puts("a report, this time only"); });
  once.off();  // or process::off<"SIGUSR1">(once)
}

Task<> untilAsked() {
  const int number = co_await nextSignal("SIGINT", "SIGTERM");
  std::printf("signal %d\n", number);
}
// [/signals]

struct Pool {
  Task<> close() const { co_await sleep(1); }
};

// [hooks]
void hooks(const http::Server& server, const Pool& database) {
  using enum process::ShutdownPhase;
  // The phases decide, not the order of these calls.
  auto closeDatabase = [database] { return database.close(); };
  process::onShutdown(closeDatabase, {.name = "database", .phase = Resources});

  auto stopListening = [server] { (void)server.close(); };
  process::onShutdown(stopListening, {.name = "listener", .phase = Accepting});

  auto finish = [server](AbortSignal late) -> Task<> {
    const auto cut = late.onAbort([server] { server.closeAllConnections(); });
    co_await server.close();
  };
  process::onShutdown(finish, {.name = "requests", .phase = Draining, .timeout = 20'000});
}
// [/hooks]

// [handle]
Task<> job() {
  // Only while the job runs.
  ScopedListener hook(process::onShutdown([] { std::puts("interrupted"); }, {.name = "job"}));
  co_await sleep(10);
}
// [/handle]

// [options]
void limits() {
  process::setShutdownOptions({.deadline = 25'000});  // Kubernetes kills after 30 s
}
// [/options]

// [start]
void onBrokenConfiguration() { process::shutdown("the configuration is broken"); }

void health(const http::ServerResponse& response) {
  const bool ends = !process::shutdownReason().empty();
  response.writeHead(ends ? 503 : 200).end();
}
// [/start]

// [rolling]
Task<> replica(http::Server server) {
  co_await server.listen({.port = 8080, .reusePort = true});  // beside the one that is to end
  process::onShutdown([server] { (void)server.close(); },
                      {.phase = process::ShutdownPhase::Accepting});
  process::onShutdown([server] { return server.close(); });
}
// [/rolling]

Task<> program() {
  process::on<"exit">([] {});
  listen();
  limits();
  hooks(http::createServer(), Pool());
  co_await job();
  process::shutdown();
}

int main() {
  (void)untilAsked;
  (void)onBrokenConfiguration;
  (void)health;
  (void)replica;
  return run(program);
}
