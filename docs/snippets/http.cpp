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

// [fetch]
Task<> talk() {
  const http::Response page = co_await http::fetch("http://localhost:8080/");
  if (page.ok()) std::printf("%s\n", (co_await page.text()).c_str());

  http::Request upload("PUT", "http://localhost:8080/upload");
  upload.setHeader("Content-Type", "text/plain")
      .setBody(fs::createReadStream("notes.txt"))  // as fast as the server takes it
      .setSignal(AbortSignal::timeout(10'000));
  (void)co_await http::fetch(upload);

  const http::Response file = co_await http::fetch("http://localhost:8080/upload");
  co_await pipeline(file, fs::createWriteStream("copy"));  // as fast as the disk
}
// [/fetch]

// [request]
Task<> ask() {
  const http::Agent agent({.maxSockets = 4});
  const http::ClientRequest request =
      http::request(http::Request("POST", "http://localhost:8080/sum").setAgent(agent));
  co_await request.write("1 2 3 ");  // goes on when there is room
  request.end("4");
  const http::IncomingMessage answer = co_await request;
  std::printf("%d %s\n", answer.statusCode(), (co_await answer.text()).c_str());
}
// [/request]

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
