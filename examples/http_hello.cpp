// SPDX-License-Identifier: MIT
// http_hello: the smallest server, which then asks itself. With a port it goes on until ^C: http_hello 8080
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <cstdlib>

using namespace leat;

void hello(const http::IncomingMessage& request, const http::ServerResponse& response) {
  response.setHeader("Content-Type", "text/plain");
  response.end("Hello, " + std::string(request.url()) + "\n");
}

Task<> program(bool stays, int port) {
  const http::Server server = http::createServer(hello);
  co_await server.listen({.port = port, .host = "127.0.0.1"});
  const std::string url = "http://127.0.0.1:" + std::to_string(server.address().port());
  if (stays) {
    std::printf("listening on %s\n", url.c_str());
    std::fflush(stdout);
    co_await nextSignal("SIGINT", "SIGTERM");
  } else {
    const http::Response response = co_await http::fetch(url + "/world");
    const std::string text = co_await response.text();
    std::printf("%d %s: %s", response.status(), std::string(response.statusText()).c_str(),
                text.c_str());
    http::globalAgent().destroy();
  }
  co_await server.close();  // goes on when the last request is answered
}

int main(int argc, char** argv) {
  return run([&] { return program(argc > 1, argc > 1 ? std::atoi(argv[1]) : 0); });
}
