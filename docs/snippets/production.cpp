// SPDX-License-Identifier: MIT
// The regions of docs/production.md.
#include <leat.hpp>
#include <leat/http.hpp>
#include <leat/perf_hooks.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [limits]
http::ServerOptions limits() {
  http::ServerOptions options;
  options.maxConnections = 10'000;  // below the limit of descriptors
  options.headersTimeout = 10'000;
  options.requestTimeout = 60'000;
  options.connectionsCheckingInterval = 5'000;  // how late both may be noticed
  options.keepAliveTimeout = 65'000;            // longer than a proxy in front keeps connections
  options.timeout = 120'000;                    // nothing was sent and nothing received
  return options;
}
// [/limits]

// [bodies]
Semaphore parsing(100);  // at most 100 bodies of at most 1 MB in memory

Task<> order(http::IncomingMessage request, http::ServerResponse response) {
  const Semaphore::Permit permit = parsing.tryAcquire();
  if (!permit) {
    response.setHeader("Retry-After", "1").writeHead(503).end();
    co_return;
  }
  const std::string body = co_await request.text(1'000'000);  // more is answered 413
  response.end(std::to_string(body.size()));
}
// [/bodies]

// [slow]
Task<> rows(http::IncomingMessage, http::ServerResponse response) {
  for (int i = 0; i < 1'000'000; ++i)
    co_await response.write(std::to_string(i) + "\n");  // waits for the client
  co_await response.end();
}
// [/slow]

// [client]
/// Who asks, where a proxy at 127.0.0.1 stands in front and sets X-Real-IP itself.
std::string clientOf(const http::IncomingMessage& request) {
  std::string peer = request.socket().remoteAddress().address();
  if (peer != "127.0.0.1") return peer;  // anybody may send such a field
  return std::string(request.header("x-real-ip").value_or(peer));
}
// [/client]

// [logging]
void logErrors(const http::Server& server) {
  server.on("handlerError"_e, [](const std::exception_ptr& error) {
    std::fprintf(stderr, "handler: %s\n", describe(error).c_str());
  });
  // Who listens answers, too.
  server.on("clientError"_e, [](const std::exception_ptr& error, const net::Socket& socket) {
    std::fprintf(stderr, "client: %s\n", describe(error).c_str());
    (void)socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  process::on<"uncaughtException">([](const std::exception_ptr& error) {
    std::fprintf(stderr, "uncaught: %s\n", describe(error).c_str());
    process::setExitCode(1);
    process::shutdown("an exception that nobody handled");
  });
}
// [/logging]

// [watch]
/// For the load balancer, and for whoever draws the curves.
class Health {
 public:
  Health() { delay_.enable(); }
  void operator()(const http::IncomingMessage&, const http::ServerResponse& response) {
    const auto used = performance::eventLoopUtilization(before_);
    before_ = performance::eventLoopUtilization();
    char text[64];
    std::snprintf(text, sizeof text, "busy %.2f\nlate_ms %.1f\n", used.utilization,
                  static_cast<double>(delay_.percentile(99)) / 1e6 - 10);
    delay_.reset();
    response.setStatusCode(process::shutdownReason().empty() ? 200 : 503).end(text);
  }

 private:
  perf_hooks::EventLoopDelay delay_ = perf_hooks::monitorEventLoopDelay({.resolution = 10});
  perf_hooks::EventLoopUtilization before_ = performance::eventLoopUtilization();
};
// [/watch]

http::Server healthy() { return http::createServer(Health()); }

Task<> handle(http::IncomingMessage request, http::ServerResponse response) {
  response.end(clientOf(request));
  co_return;
}

// [program]
Task<> program() {
  const http::Server server = http::createServer(handle, limits());
  logErrors(server);
  const perf_hooks::Watchdog watchdog({.limit = 500});
  co_await server.listen({.port = 8080, .host = "127.0.0.1", .reusePort = true});
  std::fprintf(stderr, "listening, on %s\n", std::string(EventLoop::current().backend()).c_str());
  process::onShutdown([server] { (void)server.close(); },
                      {.phase = process::ShutdownPhase::Accepting});
  auto drain = [server](AbortSignal late) -> Task<> {
    const auto cut = late.onAbort([server] { server.closeAllConnections(); });
    co_await server.close();
  };
  process::onShutdown(drain, {.name = "requests", .timeout = 20'000});
  process::setShutdownOptions({.deadline = 25'000});
  co_await once(server, "close"_e);
}
// [/program]

int main() {
  (void)order;
  (void)rows;
  (void)healthy;
  return run(program);
}
