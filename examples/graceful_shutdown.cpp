// SPDX-License-Identifier: MIT
// A server of HTTP that ends in order on SIGTERM: it takes no new connections, answers the requests in flight, closes idle
// connections, and gives its database back when nobody uses it any more. The program sends itself the signal.
#include <leat.hpp>
#include <leat/http.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

using namespace leat;
using process::ShutdownPhase;

/// Something that the requests use.
struct Database {
  Task<> save() {
    if (!open) throw Error("the database is closed");
    saving.set();
    co_await disk.wait();  // the work
    std::printf("saved an order\n");
  }
  Task<> close() {
    co_await sleep(1);
    open = false;
    std::printf("database closed\n");
  }

  bool open = true;
  ManualResetEvent saving;
  ManualResetEvent disk;
};

// [hooks]
/// The order of these calls does not matter: the phases do.
void endInOrder(std::shared_ptr<Database> database, const http::Server& server) {
  auto closeDatabase = [database] { return database->close(); };
  process::onShutdown(closeDatabase, {.name = "database", .phase = ShutdownPhase::Resources});

  auto stopListening = [server] { (void)server.close(); };
  process::onShutdown(stopListening, {.name = "listener", .phase = ShutdownPhase::Accepting});

  auto finish = [server](AbortSignal late) -> Task<> {
    const auto cut = late.onAbort([server] { server.closeAllConnections(); });
    co_await server.close();  // goes on when the last request is answered
  };
  process::onShutdown(finish,
                      {.name = "requests", .phase = ShutdownPhase::Draining, .timeout = 5000});
}
// [/hooks]

/// A client that keeps its connection until the server closes it.
struct Client {
  Task<> ask(int port, std::string path) {
    auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
    co_await socket.write("GET " + path + " HTTP/1.1\r\nHost: example\r\n\r\n");
    for (std::string line = "-"; line != "\r\n";) {
      line = co_await socket.readUntil("\r\n");
      if (line.starts_with("HTTP") || line.starts_with("Connection"))
        heard += "  " + line.substr(0, line.size() - 2) + "\n";
    }
    answered.set();
    for (Buffer rest = co_await socket.read(); !rest.empty();) rest = co_await socket.read();
    heard += "  closed\n";
  }

  std::string heard;
  ManualResetEvent answered;
};

Task<> program() {
  auto database = std::make_shared<Database>();
  auto answer = [database](http::IncomingMessage request, http::ServerResponse response) -> Task<> {
    if (request.url() == "/save") co_await database->save();
    response.end("done\n");
  };
  const http::Server server = http::createServer(answer);
  co_await server.listen({.host = "127.0.0.1"});
  endInOrder(database, server);

  const int port = server.address().port();
  Client idle;
  Client busy;
  auto idleEnds = spawn(idle.ask(port, "/"));
  auto busyEnds = spawn(busy.ask(port, "/save"));
  co_await idle.answered.wait();
  co_await database->saving.wait();
  std::printf("SIGTERM with %zu connections\n", server.connections());
  ::raise(SIGTERM);
  co_await idleEnds;
  std::printf("the idle client heard\n%s", idle.heard.c_str());
  Client late;
  auto refused = co_await asResult(late.ask(port, "/"));
  std::printf("a late client is %s\n", refused ? "served" : "refused");
  database->disk.set();
  co_await busyEnds;
  std::printf("the busy client heard\n%s", busy.heard.c_str());
}

int main() {
  const int code = run(program);
  std::printf("exit code %d\n", code);
  return code;
}
