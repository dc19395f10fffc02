// SPDX-License-Identifier: MIT
// video_ranges: a server of one file, as a player of videos asks for it: its size, a part from the middle, the end, and on
// where it was cut off. With a port and a file it goes on until ^C:
//     video_ranges 8080 film.mp4 &  curl -r 0-99 localhost:8080 | xxd | head
#include <leat.hpp>
#include <leat/http.hpp>
#include <leat/http/send_file.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace leat;

// [serve]
std::string film = "video_ranges.mp4";

Task<> play(http::IncomingMessage request, http::ServerResponse response) {
  response.setHeader("Cache-Control", "max-age=3600");
  co_await http::sendFile(request, response, film, {.contentType = "video/mp4"});
}
// [/serve]

/// What a player asks, and the answer but for the bytes.
Task<> ask(int port, std::string fields, std::string method = "GET") {
  net::Socket socket = co_await net::connect({.port = port, .host = "localhost"});
  const std::string head = method + " / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  co_await socket.write(head + fields + "\r\n");
  std::string all;
  for (Buffer chunk = co_await socket.read(); !chunk.empty(); chunk = co_await socket.read())
    all += chunk.view();
  const std::size_t body = all.find("\r\n\r\n") + 4;
  for (std::size_t at = 0; (at = fields.find("\r\n")) != fields.npos;)
    fields.replace(at, 2, at + 2 < fields.size() ? ", " : "");
  std::printf("%s %s\n", method.c_str(), fields.empty() ? "everything" : fields.c_str());
  for (std::size_t at = 0; at + 2 < body;) {
    const std::size_t end = all.find("\r\n", at);
    const std::string line = all.substr(at, end - at);
    for (const char* shown : {"HTTP/1.1", "Content-", "Accept-Ranges", "ETag", "Last-Modified"})
      if (line.starts_with(shown)) std::printf("  %s\n", line.c_str());
    at = end + 2;
  }
  // Each byte of the file says where it stands.
  const std::string_view bytes = std::string_view(all).substr(body);
  if (!bytes.empty())
    std::printf("  %zu bytes, from %d on\n", bytes.size(), static_cast<unsigned char>(bytes[0]));
}

Task<> program(int port) {
  const http::Server server = http::createServer(play);
  co_await server.listen({.port = port, .host = "localhost"});
  if (port != 0) {
    std::printf("listening on %d\n", port);
    co_await nextSignal("SIGINT", "SIGTERM");
    co_await server.close();
    co_return;
  }
  std::string bytes(1'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  co_await fs::writeFile(film, bytes);
  co_await fs::utimes(film, 784'111'777, 784'111'777);
  const std::string tag = "W/\"f4240-ae1b981bc490a00\"";
  port = server.address().port();
  co_await ask(port, "", "HEAD");
  co_await ask(port, "");
  co_await ask(port, "Range: bytes=1000-1999\r\n");
  co_await ask(port, "Range: bytes=-251\r\n");
  co_await ask(port, "Range: bytes=600000-\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  co_await ask(port, "If-None-Match: " + tag + "\r\n");
  co_await ask(port, "Range: bytes=1000000-\r\n");
  co_await server.close();
  co_await fs::unlink(film);
}

int main(int argc, char** argv) {
  if (argc > 2) film = argv[2];
  return run([&] { return program(argc > 2 ? std::atoi(argv[1]) : 0); });
}
