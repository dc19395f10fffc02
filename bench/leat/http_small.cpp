// SPDX-License-Identifier: MIT

// A server that greets: what compiling one costs. Only compiled.

#include <leat/http.hpp>
#include <leat/loop/run.hpp>

namespace http = leat::http;

leat::Task<> serve() {
  const http::Server server =
      http::createServer([](const http::IncomingMessage&, const http::ServerResponse& response) {
        response.end("Hello, World!");
      });
  co_await server.listen({.port = 8080});
}

int main() { return leat::run(serve); }
