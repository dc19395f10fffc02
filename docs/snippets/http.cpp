// SPDX-License-Identifier: MIT
// The regions of docs/http.md.
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>

using namespace leat;

// [hello]
Task<> serve() {
  auto server = http::createServer(
      [](const http::IncomingMessage& request, const http::ServerResponse& response) {
        response.setHeader("Content-Type", "text/plain");
        response.end("Hello, " + std::string(request.url()));
      });
  co_await server.listen({.port = 8080});
  co_await nextSignal("SIGINT", "SIGTERM");
  co_await server.close();  // goes on when the requests that are there are answered
}
// [/hello]

// [streams]
Task<> files(http::IncomingMessage request, http::ServerResponse response) {
  if (request.method() == "PUT") {
    co_await pipeline(request, fs::createWriteStream("upload"));  // as fast as the disk
    response.writeHead(201).end();
  } else {
    co_await pipeline(fs::createReadStream("upload"), response);  // as fast as the client
  }
}
// [/streams]

// [errors]
Task<> item(http::IncomingMessage request, http::ServerResponse response) {
  const std::string body = co_await request.text(10'000);  // more throws HttpError 413
  if (body.empty()) throw http::HttpError(400, "an item needs a name");
  const AbortSignal gone = request.signal();  // the client may leave meanwhile
  co_await sleep(1000, {.signal = gone});
  response.end(body);
}
// [/errors]

// [events]
void listeners(const http::Server& server) {
  server.on("upgrade"_e,
            [](const http::IncomingMessage&, const net::Socket& socket, const Buffer& head) {
              (void)socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
              (void)socket.write(head);  // what the client has said already
            });
  server.on("clientError"_e, [](const std::exception_ptr&, const net::Socket& socket) {
    (void)socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  server.on("handlerError"_e, [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "a handler threw: %s\n", e.what());
    }
  });
}
// [/events]
