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

Task<> ask(http::Request request) {
  const http::Response response = co_await http::fetch(request);
  const std::string text = co_await response.text();
  std::printf("%s %s: %d %s\n", request.method().c_str(),
              std::string(request.url().pathname()).c_str(), response.status(),
              std::string(response.statusText()).c_str());
  for (const auto [name, value] : http::Headers(response.headers()))
    if (name == "location" || name == "content-type")
      std::printf("  %s: %s\n", std::string(name).c_str(), std::string(value).c_str());
  if (!text.empty()) std::printf("  %s\n", text.c_str());
}

Task<> program(int port) {
  const http::Server server = http::createServer(answer);
  co_await server.listen({.port = port, .host = "localhost"});
  if (port != 0) {
    std::printf("listening on %d\n", port);
    co_await nextSignal("SIGINT", "SIGTERM");
  } else {
    const std::string base =
        "http://localhost:" + std::to_string(server.address().port()) + "/notes";
    co_await ask(http::Request("POST", base).setBody(std::string_view("buy milk")));
    co_await ask(http::Request(base + "/1"));
    co_await ask(http::Request("DELETE", base + "/1"));
    co_await ask(http::Request(base + "/1"));
    http::globalAgent().destroy();  // connections that are kept would hold the server
  }
  co_await server.close();  // goes on when the last request is answered
}

int main(int argc, char** argv) {
  return run([&] { return program(argc > 1 ? std::atoi(argv[1]) : 0); });
}
