// SPDX-License-Identifier: MIT
// Streams of messages whose peer goes: as in Node, pipes need nobody who listens for that.

#include <leat/fs.hpp>
#include <leat/process.hpp>
#include <leat/stream.hpp>

#include "../fs/fs_rig.hpp"
#include "client_rig.hpp"

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

/// So many pieces.
Readable<Buffer> pipedPieces(int count) {
  struct Source {
    int left;
    Task<std::optional<Buffer>> read() {
      if (left-- <= 0) co_return std::nullopt;
      co_return Buffer::from(std::string(50'000, 'x'));
    }
  };
  return Readable<Buffer>{Source{count}};
}

TEST_CASE("a client that goes ends a pipe to its answer, and no more") {
  const auto handler = [](const IncomingMessage&, const ServerResponse& response) {
    pipedPieces(1000).pipe(response);
  };
  withServer(handler, [](http::Server server) -> Task<> {
    for (const bool resets : {false, true}) {
      const Client client = co_await connectTo(server);
      client.send(get("/"));
      (void)co_await client.until("\r\n\r\n");
      resets ? client.socket.resetAndDestroy() : client.socket.destroy();
      while (server.connections() > 0) co_await sleep(1);
      co_await sleep(5);
    }
  });
}

TEST_CASE("a client that goes ends a pipe from its request, and no more") {
  const leat_test::TempFolder folder;
  int ends = 0;
  const auto handler = [&](const IncomingMessage& request, const ServerResponse&) {
    request.stream().on("close"_e, [&] { ++ends; });
    request.stream().pipe(leat::fs::createWriteStream("upload"));
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart");
    while (server.connections() == 0) co_await sleep(1);
    co_await sleep(5);
    client.socket.destroy();
    while (ends == 0) co_await sleep(1);
  });
}

TEST_CASE("a connection that the server closes is as one whose client has gone") {
  std::vector<std::string> codes;
  int begun = 0;
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    try {
      if (request.method() == "POST") ++begun;
      (void)co_await request.text();
      co_await leat::sleep(1);
      ++begun;
      for (const std::string piece(100'000, 'x');;) co_await response.write(piece);
    } catch (const leat::Error& error) {
      codes.emplace_back(error.code());
    }
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client reads = co_await connectTo(server);
    reads.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    const Client writes = co_await connectTo(server);
    writes.send(http_rig::get("/"));
    while (begun < 2) co_await leat::sleep(1);
    co_await leat::sleep(20);
    server.closeAllConnections();
    while (codes.size() < 2) co_await leat::sleep(1);
    CHECK(codes == std::vector<std::string>{"ECONNRESET", "ECONNRESET"});
  });
}

TEST_CASE("who listens to such a stream is told") {
  std::string told;
  const auto handler = [&](const IncomingMessage& request, const ServerResponse& response) {
    request.stream().on("error"_e, [&] { told += "request "; });
    request.stream().resume();
    response.stream().on("error"_e, [&] { told += "response "; });
    pipedPieces(1000).pipe(response);
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart");
    (void)co_await client.until("\r\n\r\n");
    client.socket.resetAndDestroy();
    while (told.size() < 17) co_await sleep(1);
    CHECK(told.find("request") != told.npos);
    CHECK(told.find("response") != told.npos);
  });
}

TEST_CASE("a request that fails fails a pipe to it without another error", "[http][client]") {
  withAnswers({"<close>", "HTTP/1.1 413 No\r\nConnection: close\r\n\r\nno<end>"},
              [](Scripted& server) -> Task<> {
                std::string text;
                const ClientRequest broken = http::request(Request("POST", server.url()));
                pipedPieces(1000).pipe(broken);
                text = co_await failureOf(broken);
                CHECK((text.starts_with("ECONNRESET") || text.starts_with("EPIPE")));
                const ClientRequest early = http::request(Request("POST", server.url()));
                pipedPieces(1000).pipe(early);
                text = co_await textOf(early);
                CHECK(text == "no");
                std::string told;
                const ClientRequest nobody = http::request(Request("POST", "http://127.0.0.1:1/"));
                nobody.on("error"_e, [&] { told += "told "; });
                pipedPieces(9).pipe(nobody);
                while (told.empty()) co_await sleep(1);
                co_await sleep(5);
                CHECK(told == "told ");
              });
}

TEST_CASE("an error of a request that is only piped to is uncaught", "[http][client]") {
  int count = 0;
  const auto main = [&]() -> Task<> {
    leat::process::on("uncaughtException", [&](const std::exception_ptr&) { ++count; });
    pipedPieces(9).pipe(http::request(Request("POST", "http://127.0.0.1:1/")));
    while (count == 0) co_await sleep(1);
    co_await sleep(5);
  };
  CHECK(leat::run(main) == 0);
  CHECK(count == 1);
}

TEST_CASE("who writes to a server that has answered and closed is told so", "[http][client]") {
  withAnswers({"HTTP/1.1 413 No\r\nConnection: close\r\n\r\nno<end>"},
              [](Scripted& server) -> Task<> {
                const ClientRequest request = http::request(Request("POST", server.url()));
                const std::string piece(50'000, 'x');
                std::string told;
                try {
                  for (;;) co_await request.write(piece);
                } catch (const Error& error) {
                  told = error.code();
                }
                CHECK((told == "EPIPE" || told == "ECONNRESET"));
              });
}
