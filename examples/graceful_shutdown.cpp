// SPDX-License-Identifier: MIT
// A server that stops on SIGTERM: it takes no new connections, tells idle clients goodbye, answers the
// requests in flight, and does not wait for ever. The program sends itself the signal.
#include <leat.hpp>

#include <csignal>
#include <cstdio>
#include <string>

using namespace leat;

// [serve]
// `draining` ends the wait for another request, and nothing else.
Task<> serve(net::Socket socket, AbortSignal draining) {
  for (;;) {
    auto line = co_await asResult(socket.readUntil("\n", 1024, draining));
    if (!line || line->empty()) break;
    co_await sleep(100);  // the work
    co_await socket.write("done: " + line.value());
  }
  co_await socket.end("goodbye\n");
}
// [/serve]

Task<std::string> client(int port, std::string request) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  if (!request.empty()) co_await socket.write(request + "\n");
  std::string heard;
  for (;;) {
    const std::string line = co_await socket.readUntil("\n");
    if (line.empty()) break;
    heard += "  " + line;
  }
  co_await socket.end();
  co_return heard;
}

Task<std::string> tooLate(int port) {
  auto outcome = co_await asResult(client(port, "me too"));
  try {
    co_return outcome.value();
  } catch (const Error& error) {
    co_return "  " + std::string(error.code()) + "\n";
  }
}

Task<> program() {
  AbortController drain;
  auto onConnection = [drain](net::Socket socket) { return serve(socket, drain.signal()); };
  auto server = co_await net::listen(onConnection, {.host = "127.0.0.1"});
  const int port = server.address().port();
  auto busy = spawn(client(port, "sum"));
  auto idle = spawn(client(port, ""));
  setTimeout([] { ::raise(SIGTERM); }, 50);

  // [stop]
  co_await nextSignal("SIGTERM");
  std::printf("SIGTERM with %zu connections\n", server.connections());
  (void)server.close();  // no new connections from here on
  drain.abort();
  auto late = spawn(tooLate(port));
  auto closed = co_await asResult(withTimeout(5000, server.closed()));
  // [/stop]
  std::printf("closed: %s\n", closed ? "all are gone" : describe(closed.error()).c_str());
  std::printf("the busy client heard\n%s", (co_await busy).c_str());
  std::printf("the idle client heard\n%s", (co_await idle).c_str());
  std::printf("the late client got\n%s", (co_await late).c_str());
}

int main() { return run(program); }
