// SPDX-License-Identifier: MIT
#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/stream.hpp>

#include "../fs/fs_rig.hpp"
#include "http_rig.hpp"

namespace fs = leat::fs;
namespace http = leat::http;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::ok;
using http_rig::post;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::operator""_e;
using leat_test::noise;

namespace {

std::string chunksOf(const std::string& text) {
  std::string body;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t line = text.find("\r\n", at);
    const std::size_t size = std::stoul(text.substr(at, line - at), nullptr, 16);
    body += text.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
  return body;
}

}  // namespace

TEST_CASE("a body goes to a file, and a file to an answer, by pipeline") {
  const leat_test::TempFolder folder;
  const auto store = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.method() == "POST") {
      co_await leat::pipeline(request, fs::createWriteStream("stored"));
      response.end("stored");
    } else {
      co_await leat::pipeline(fs::createReadStream("stored"), response);
    }
  };
  withServer(store, [](http::Server server) -> Task<> {
    for (const std::size_t size : {std::size_t{1}, std::size_t{70'000}, std::size_t{3'000'000}}) {
      const std::string body = noise(size);
      const std::string stored = co_await ask(server, post("/", body, closing));
      CHECK(stored == ok("stored"));
      const std::string back = co_await ask(server, get("/", closing));
      const std::size_t head = back.find("\r\n\r\n") + 4;
      CHECK(back.substr(0, head) ==
            "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
      CHECK(chunksOf(back.substr(head)) == body);
    }
  });
}
TEST_CASE("the streams of a request and its answer have events") {
  std::string told;
  const auto events = [&](const IncomingMessage& request, const ServerResponse& response) {
    const auto body = request.stream();
    body.on("data"_e,
            [&](const Buffer& chunk) { told += "data(" + std::string(chunk.view()) + ") "; });
    body.on("end"_e, [&, response] {
      told += "end ";
      response.stream().end("x");
    });
    response.stream().on("finish"_e, [&] { told += "finish "; });
    response.stream().on("close"_e, [&] { told += "close "; });
    CHECK(request.stream() == body);
  };
  withServer(events, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, post("/", "hello", closing));
    CHECK(back.find("1\r\nx\r\n0\r\n\r\n") != back.npos);
    while (!told.ends_with("close ")) co_await leat::sleep(1);
    CHECK(told == "data(hello) end finish close ");
  });
}
TEST_CASE("a client that reads slowly slows the source down") {
  std::size_t made = 0;
  const auto endless = [&](IncomingMessage, ServerResponse response) -> Task<> {
    const std::string piece(50'000, 'x');
    try {
      for (;; ++made) co_await response.write(piece);
    } catch (const leat::Error&) {
    }
  };
  withServer(endless, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    std::size_t before = 0;
    do {
      before = made;
      co_await leat::sleep(30);
    } while (made != before || made == 0);
    CHECK(made * 50'000 < 40'000'000);
    client.socket.destroy();
    while (server.connections() > 0) co_await leat::sleep(1);
  });
}
TEST_CASE("a pipeline into an answer fails when the client goes") {
  std::string told;
  const auto endless = [&](IncomingMessage, ServerResponse response) -> Task<> {
    leat::Readable<Buffer> source(
        [](const leat::Readable<Buffer>& self) { self.push(std::string(60'000, 'x')); });
    try {
      co_await leat::pipeline(source, response);
      told = "done";
    } catch (const leat::Error& error) {
      told = error.code();
    }
  };
  withServer(endless, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    (void)co_await client.socket.read();
    client.socket.resetAndDestroy();
    while (told.empty()) co_await leat::sleep(1);
    CHECK(told != "done");
    while (server.connections() > 0) co_await leat::sleep(1);
  });
}
TEST_CASE("a body stream that is destroyed closes the connection") {
  const auto destroyer = [](const IncomingMessage& request, const ServerResponse& response) {
    request.stream().on("error"_e, [](const std::exception_ptr&) {});
    request.stream().on("data"_e,
                        [request, response](const Buffer&) { request.stream().destroy(); });
  };
  withServer(destroyer, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    const std::string back = co_await client.rest();
    CHECK((back.empty() || back == "<ECONNRESET>"));
  });
}
TEST_CASE("answers of many pipelined requests, in pieces and as files, stay in order") {
  const leat_test::TempFolder folder;
  leat_test::put("f", noise(20'000));
  const auto mixed = [](IncomingMessage request, ServerResponse response) -> Task<> {
    const std::string target(request.url());
    if (target == "/f") {
      response.setHeader("Content-Length", "20000");
      co_await leat::pipeline(fs::createReadStream("f"), response);
    } else {
      co_await leat::sleep(target.size() % 3);
      response.setHeader("Content-Length", std::to_string(target.size()));
      for (const char c : target) co_await response.write(std::string_view(&c, 1));
      response.end();
    }
  };
  withServer(mixed, [](http::Server server) -> Task<> {
    std::string bytes;
    std::string expected;
    for (int i = 0; i < 100; ++i) {
      const std::string target =
          i % 5 == 0 ? "/f" : "/" + std::string(static_cast<std::size_t>(i % 7), 'a');
      const std::string body = i % 5 == 0 ? noise(20'000) : target;
      bytes += get(target, i == 99 ? closing : "");
      expected += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                  (i == 99 ? "Connection: close\r\n\r\n"
                           : "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n") +
                  body;
    }
    const std::string back = co_await ask(server, bytes);
    CHECK(back.size() == expected.size());
    CHECK((back == expected));
  });
}
TEST_CASE("a body in many small pieces is full when its memory is, not its bytes") {
  http::detail::BodyQueue queue;
  int pieces = 0;
  for (; !queue.full() && pieces < 100'000; ++pieces) queue.push("x");
  CHECK(pieces < 2'000);
  for (int i = 0; i < pieces; ++i) CHECK(queue.take()->size() == 1);
  CHECK_FALSE(queue.full());
  // Large ones are counted by their bytes.
  const std::string large(16 * 1024, 'x');
  for (pieces = 0; !queue.full(); ++pieces) queue.push(large);
  CHECK(pieces == 4);
}
