// SPDX-License-Identifier: MIT
// http_notes: a small REST server, which is then asked a few things. With a port it goes on until ^C:
//     http_notes 8080 &  curl -d 'buy milk' localhost:8080/notes; curl localhost:8080/notes/1
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

using namespace leat;

// [notes]
std::map<int, std::string> notes;
int lastNote = 0;

Task<> answer(http::IncomingMessage request, http::ServerResponse response) {
  const std::string url(request.url());
  if (url == "/notes" && request.method() == "POST") {
    notes[++lastNote] = co_await request.text(1000);  // more is answered 413
    response.setHeader("Location", "/notes/" + std::to_string(lastNote));
    response.writeHead(201).end();
    co_return;
  }
  const auto note = notes.find(url.starts_with("/notes/") ? std::atoi(url.c_str() + 7) : 0);
  if (note == notes.end()) throw http::HttpError(404);
  if (request.method() == "DELETE") {
    notes.erase(note);
    response.writeHead(204).end();
  } else {
    response.setHeader("Content-Type", "text/plain");
    response.end(note->second);
  }
}
// [/notes]

/// Sends bytes and prints what comes back.
Task<> ask(int port, std::string bytes) {
  net::Socket socket = co_await net::connect({.port = port, .host = "localhost"});
  co_await socket.write(bytes);
  std::string all;
  for (Buffer chunk = co_await socket.read(); !chunk.empty(); chunk = co_await socket.read())
    all += chunk.view();
  std::printf("%.*s\n", static_cast<int>(bytes.find('\r')), bytes.c_str());
  std::erase(all, '\r');
  for (std::size_t at = 0, end = 0; at < all.size(); at = end + 1) {
    end = std::min(all.find('\n', at), all.size());
    const std::string line = all.substr(at, end - at);
    if (!line.empty() && !line.starts_with("Date:")) std::printf("  %s\n", line.c_str());
  }
}

Task<> program(int port) {
  const http::Server server = http::createServer(answer);
  co_await server.listen({.port = port, .host = "localhost"});
  if (port != 0) {
    std::printf("listening on %d\n", port);
    co_await nextSignal("SIGINT", "SIGTERM");
  } else {
    port = server.address().port();
    const std::string end = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    co_await ask(port, "POST /notes" + end + "Content-Length: 8\r\n\r\nbuy milk");
    co_await ask(port, "GET /notes/1" + end + "\r\n");
    co_await ask(port, "DELETE /notes/1" + end + "\r\n");
    co_await ask(port, "GET /notes/1" + end + "\r\n");
    co_await ask(port, "GET /notes/1 HTTP/1.1\r\n\r\n");
  }
  co_await server.close();  // goes on when the last request is answered
}

int main(int argc, char** argv) {
  return run([&] { return program(argc > 1 ? std::atoi(argv[1]) : 0); });
}
