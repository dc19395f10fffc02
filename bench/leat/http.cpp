// SPDX-License-Identifier: MIT

// The server of the HTTP rows: http PORT FILE. Prints the port that it listens on. "/" is a greeting, "/echo" sends
// the body back as it comes, "/file" is the file.

#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/loop/run.hpp>
#include <leat/stream.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace leat;
using http::IncomingMessage;
using http::ServerResponse;

std::string file;

Task<> stream(IncomingMessage request, ServerResponse response) {
  try {
    if (request.url() == "/echo") {
      co_await pipeline(request, response);
    } else {
      const fs::Stats stats = co_await fs::stat(file);
      response.setHeader("Content-Length", std::to_string(stats.size));
      co_await pipeline(fs::createReadStream(file), response);
    }
  } catch (const Error&) {
    // The client has gone, as it does when its time is over.
  }
}

void answer(const IncomingMessage& request, const ServerResponse& response) {
  if (request.url() == "/") {
    response.writeHead(200, {{"Content-Type", "text/plain"}}).end("Hello, World!");
  } else {
    (void)spawn(stream(request, response));
  }
}

Task<> serve(int port) {
  // Whoever is idle stays, to be counted.
  const http::Server server = http::createServer(answer, {.keepAliveTimeout = 600'000});
  co_await server.listen({.port = port, .host = "127.0.0.1", .backlog = 1024});
  std::printf("%d\n", server.address().port());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: http PORT FILE\n");
    return 2;
  }
  file = arguments[2];
  const int port = std::atoi(arguments[1]);
  return run([port] { return serve(port); });
}
