// SPDX-License-Identifier: MIT
// upload: a server that stores files as they come, no faster than the disk, and tells how far it is. Each goes through a
// CRC-32 into a temporary file, which gets its name when all is there, and is removed when the client sends too much or
// goes away. Its clients are part of the program; with a folder and a port it goes on until ^C:
//     upload FOLDER 8080 &  curl -T film.mp4 localhost:8080/film.mp4
#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace leat;

// [upload]
constexpr std::uint64_t most = 1 << 20;

/// Passes on what comes: takes its CRC-32, as zip and PNG do, and draws a bar, a step for each quarter.
struct Meter {
  Buffer transform(Buffer chunk) {
    for (const std::byte each : chunk.bytes()) {
      crc ^= static_cast<unsigned char>(each);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320U);
    }
    for (done += chunk.size(); total > 0 && done * 4 >= total * step; ++step)
      std::printf("[%-4.*s] %d %%\n", static_cast<int>(step), "####", static_cast<int>(step * 25));
    return chunk;
  }
  std::uint32_t& crc;
  std::uint64_t total;  // 0: nobody knows
  std::uint64_t done = 0;
  std::uint64_t step = 1;
};

/// The body. The request itself as a stage would be destroyed when it is too long, and could not be answered any more.
AsyncGenerator<Buffer> limited(http::IncomingMessage request) {
  std::uint64_t size = 0;
  while (auto chunk = co_await request.next()) {
    if ((size += chunk->size()) > most) {
      request.resume();  // the rest is thrown away
      throw http::HttpError(413, "more than 1 MiB");
    }
    co_yield std::move(*chunk);
  }
}

class Uploads {
 public:
  explicit Uploads(std::string folder) : folder_(std::move(folder)) {}

  Task<> operator()(http::IncomingMessage request, http::ServerResponse response) {
    const std::string name(request.url().substr(1));
    if (request.method() != "PUT" || name.empty() || name[0] == '.' || name.find('/') != name.npos)
      throw http::HttpError(400);
    const std::uint64_t size =
        std::strtoull(request.headers().joined("content-length").c_str(), nullptr, 10);
    if (size > most) throw http::HttpError(413);  // nothing of it is read
    const std::string part = folder_ + "/." + std::to_string(++count_) + ".part";
    std::uint32_t crc = ~0U;
    std::exception_ptr error;
    try {
      const Transform<Buffer> meter(Meter{crc, size});
      co_await pipeline(limited(request), meter, fs::createWriteStream(part));
      co_await fs::rename(part, folder_ + "/" + name);
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      co_await fs::rm(part, {.force = true});
      std::printf("%s is removed: %s\n", name.c_str(), describe(error).c_str());
      std::rethrow_exception(error);
    }
    char text[9];
    std::snprintf(text, sizeof text, "%08x", ~crc);
    response.writeHead(201).end(text);
  }

 private:
  std::string folder_;
  int count_ = 0;
};
// [/upload]

Task<> show(http::Request request) {
  const http::Response response = co_await http::fetch(request);
  const std::string text = co_await response.text();
  std::printf("%s: %d%s%s\n", std::string(request.url().pathname()).c_str(), response.status(),
              text.empty() ? "" : " ", text.c_str());
}

/// Sends half of what it has promised, and goes when that is being stored.
Task<> leave(int port, std::string folder) {
  const auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  const std::string half(500, 'x');
  co_await socket.write("PUT /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" +
                        half);
  while ((co_await fs::readdir(folder)).size() < 2) co_await sleep(1);
  socket.destroy();
}

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-upload-");
  const http::Server server = http::createServer(Uploads(folder));
  co_await server.listen({.host = "127.0.0.1"});
  const int port = server.address().port();
  const std::string base = "http://127.0.0.1:" + std::to_string(port);
  const std::string bytes(1'000'000, 'x');
  co_await show(http::Request("PUT", base + "/a").setBody(bytes));
  const Buffer stored = co_await fs::readFile(folder + "/a");
  std::puts(stored.view() == bytes ? "stored" : "stored something else");
  co_await show(http::Request("PUT", base + "/b").setBody(std::string(2 * most, 'x')));
  // In chunks: nobody can tell beforehand that it is too long.
  const auto twice = readableFrom(std::vector<Buffer>{Buffer::from(bytes), Buffer::from(bytes)});
  co_await show(http::Request("PUT", base + "/b").setBody(twice));
  co_await leave(port, folder);
  http::globalAgent().destroy();
  co_await server.close();
  while ((co_await fs::readdir(folder)).size() > 1) co_await sleep(1);  // until the part is removed
  co_await fs::rm(folder, {.recursive = true});
}

Task<> serve(std::string folder, int port) {
  const http::Server server = http::createServer(Uploads(folder));
  co_await server.listen({.port = port, .host = "127.0.0.1"});
  co_await nextSignal("SIGINT", "SIGTERM");
  co_await server.close();
}

int main(int argc, char** argv) {
  if (argc != 3) return run(demo);
  return run([argv] { return serve(argv[1], std::atoi(argv[2])); });
}
