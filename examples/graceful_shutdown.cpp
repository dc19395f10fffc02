// SPDX-License-Identifier: MIT
// A server of HTTP that ends in order on SIGTERM: it takes no new connections, answers the requests in flight, closes idle
// connections, and gives its database back when nobody uses it any more. The program sends itself the signal.
#include <leat.hpp>
#include <leat/http.hpp>

#include <csignal>
#include <cstdio>
#include <memory>

using namespace leat;
using enum process::ShutdownPhase;

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
  ManualResetEvent saving, disk;
};

/// The order of these calls does not matter: the phases do.
void endInOrder(std::shared_ptr<Database> database, const http::Server& server) {
  auto closeDatabase = [database] { return database->close(); };
  process::onShutdown(closeDatabase, {.name = "database", .phase = Resources});
  auto stop = [server] { (void)server.close(); };
  process::onShutdown(stop, {.name = "listener", .phase = Accepting});
  auto finish = [server](AbortSignal late) -> Task<> {
    const auto cut = late.onAbort([server] { server.closeAllConnections(); });
    co_await server.close();  // goes on when the last request is answered
  };
  process::onShutdown(finish, {.name = "requests", .phase = Draining, .timeout = 5000});
}

/// A client that keeps its connection until the server closes it, and tells what it heard.
Task<std::string> ask(int port, std::string path, ManualResetEvent* answered = nullptr) {
  auto socket = co_await net::connect(port, "127.0.0.1");
  co_await socket.write("GET " + path + " HTTP/1.1\r\nHost: example\r\n\r\n");
  const std::string head = co_await socket.readUntil("\r\n\r\n");
  if (answered) answered->set();
  for (Buffer rest = co_await socket.read(); !rest.empty();) rest = co_await socket.read();
  const std::size_t field = head.find("Connection");
  co_return "  " + head.substr(0, head.find("\r\n")) + "\n  " +
      head.substr(field, head.find("\r\n", field) - field) + "\n  closed\n";
}

Task<> program() {
  process::on<"exit">([](int code) { std::printf("exit code %d\n", code); });
  auto database = std::make_shared<Database>();
  auto answer = [database](http::IncomingMessage request, http::ServerResponse response) -> Task<> {
    if (request.url() == "/save") co_await database->save();
    response.end("done\n");
  };
  const http::Server server = http::createServer(answer);
  co_await server.listen(0, "127.0.0.1");
  endInOrder(database, server);
  const int port = server.address().port();
  ManualResetEvent answered;
  auto idle = spawn(ask(port, "/", &answered));
  auto busy = spawn(ask(port, "/save"));
  co_await all(answered.wait(), database->saving.wait());
  std::printf("SIGTERM with %zu connections\n", server.connections());
  ::raise(SIGTERM);
  std::printf("the idle client heard\n%s", (co_await idle).c_str());
  auto refused = co_await asResult(ask(port, "/"));
  std::printf("a late client is %s\n", refused ? "served" : "refused");
  database->disk.set();
  std::printf("the busy client heard\n%s", (co_await busy).c_str());
}

int main() { return run(program); }
