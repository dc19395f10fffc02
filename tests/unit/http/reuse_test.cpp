// SPDX-License-Identifier: MIT
// The memory of a request serves the next one: nothing else of it does. And connections that are used again and again.
#include <leat/http.hpp>
#include <leat/stream.hpp>

#include "http_rig.hpp"

namespace http = leat::http;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::kept;
using http_rig::ok;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::operator""_e;

namespace {

/// What can be known of a request and of its answer before anything is done with them.
std::string fresh(const IncomingMessage& request, const ServerResponse& response) {
  std::string told(request.method());
  told += " " + std::string(request.url()) + " fields " + std::to_string(request.headers().size());
  told += " trailers " + std::to_string(request.trailers().size());
  told += request.complete() ? " complete" : " coming";
  told += " " + std::to_string(response.statusCode());
  if (response.headersSent()) told += " sent";
  if (response.writableEnded()) told += " ended";
  if (response.hasHeader("X-Old")) told += " old";
  if (request.signal().aborted()) told += " aborted";
  return told;
}

}  // namespace

TEST_CASE("a request knows nothing of those before it") {
  std::vector<std::string> told;
  std::vector<leat::Writable<Buffer>> streams;
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/next") {
      told.push_back(fresh(request, response));
      streams.push_back(response.stream());
      streams.back().end("next");
      co_return;
    }
    response.setHeader("X-Old", "1").setStatusCode(201).setStatusMessage("Old");
    response.setSendDate(false);
    if (request.url() == "/body") {
      const std::string body = co_await request.text();
      response.setHeader("Trailer", "t");
      response.addTrailers({{"t", "1"}});
      response.write(body);
      response.end();
    } else if (request.url() == "/length") {
      response.setHeader("Content-Length", "3").end("abc");
    } else if (request.url() == "/stream") {
      streams.push_back(response.stream());
      auto body = request.stream();
      co_await leat::pipeline(body, response);
    } else if (request.url() == "/expect") {
      response.end();
    } else {
      (void)request.signal();
      throw http::HttpError(418);
    }
  };
  const std::string chunked =
      " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Long: " + std::string(500, 'x') +
      "\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n";
  const std::string before[] = {"POST /body" + chunked, get("/length"), "POST /stream" + chunked,
                                "HEAD /length HTTP/1.1\r\nHost: a\r\n\r\n"};
  withServer(handler, [&](http::Server server) -> Task<> {
    for (const std::string& first : before) {
      INFO(first.substr(0, 20));
      told.clear();
      streams.clear();
      const Client client = co_await connectTo(server);
      client.send(first + get("/next") + get("/next"));
      std::string back = co_await client.until("next\r\n0\r\n\r\n");
      client.send(get("/next", closing));
      back += co_await client.rest();
      for (const std::string& each : told) CHECK(each.starts_with("GET /next fields "));
      CHECK(told.size() == 3);
      CHECK(told.front() == "GET /next fields 1 trailers 0 complete 200");
      CHECK(told.back() == "GET /next fields 2 trailers 0 complete 200");
      CHECK(
          back.ends_with("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n4\r\nnext\r\n0\r\n\r\n"));
      CHECK_FALSE(streams[streams.size() - 1] == streams[streams.size() - 2]);
    }
    // Behind those that closed their connection.
    for (const std::string& first :
         {get("/throws"), get("/expect", "Expect: x\r\n"),
          std::string("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")}) {
      told.clear();
      const Client client = co_await connectTo(server);
      client.send(first);
      if (first.starts_with("POST")) {
        while (server.connections() == 0) co_await leat::sleep(1);
        co_await leat::sleep(2);
      } else {
        (void)co_await client.until("\r\n\r\n");
      }
      client.socket.destroy();
      while (server.connections() > 0) co_await leat::sleep(1);
      const std::string back = co_await ask(server, get("/next") + get("/next", closing));
      CHECK(told.front() == "GET /next fields 1 trailers 0 complete 200");
      CHECK(told.size() == 2);
    }
  });
}
TEST_CASE(
    "an answer that is given whole is what its request allows, whatever those before it were") {
  const auto handler = [](const IncomingMessage& request, const ServerResponse& response) {
    const std::string_view url = request.url();
    if (url == "/status") response.setStatusCode(404);
    if (url == "/none") response.setStatusCode(204);
    if (url == "/words") response.setStatusMessage("Fine");
    if (url == "/field") response.setHeader("X-A", "1");
    if (url == "/removed") response.setHeader("X-A", "1").setHeader("X-B", "2").removeHeader("X-A");
    if (url == "/none-left") response.setHeader("X-A", "1").removeHeader("X-A");
    if (url == "/length") response.setHeader("Content-Length", "4");
    if (url == "/trailers") response.addTrailers({{"T", "1"}});
    if (url == "/old") response.setHeader("Keep", "1");
    if (url == "/stays") response.setHeader("Connection", "keep-alive");
    response.end(url == "/empty" ? std::string_view() : std::string_view("body"));
  };
  const std::string whole = kept("body");
  const std::string framing = "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {get("/status"), kept("body", "404 Not Found")},
      {get("/none"), "HTTP/1.1 204 No Content\r\n" + framing + "\r\n"},
      {get("/words"), kept("body", "200 Fine")},
      {get("/field"), kept("body", "200 OK", "X-A: 1\r\n")},
      {get("/removed"), kept("body", "200 OK", "X-B: 2\r\n")},
      {get("/none-left"), whole},
      {get("/length"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + framing + "\r\nbody"},
      {get("/trailers"), "HTTP/1.1 200 OK\r\n" + framing +
                             "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nT: 1\r\n\r\n"},
      {get("/stays"), "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"},
      {get("/empty"), kept("")},
      {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n" + framing + "\r\n"},
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    std::string sent;
    std::string expected;
    for (const auto& [request, answer] : cases) {
      sent += request + get("/");
      expected += answer + whole;
    }
    const std::string back = co_await ask(server, sent + get("/", closing));
    CHECK(back == expected + ok("body"));
    const std::string old = co_await ask(server, "GET /old HTTP/1.0\r\n\r\n");
    CHECK(old == ok("body", "200 OK", "Keep: 1\r\n"));
  });
}
TEST_CASE("who asks for room behind the end of his answer goes on") {
  int passed = 0;
  const auto handler = [&](const IncomingMessage&, const ServerResponse& response) -> Task<> {
    const http::ResponseWrite first = response.write("a");
    response.end("b");
    co_await first;
    ++passed;
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/") + get("/") + get("/", closing));
    CHECK(back.ends_with("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    CHECK(passed == 3);
  });
}
TEST_CASE("requests that are held longer than others keep what is theirs") {
  std::vector<std::pair<IncomingMessage, ServerResponse>> held;
  const auto hold = [&held](const IncomingMessage& request, const ServerResponse& response) {
    held.emplace_back(request, response);
  };
  withServer(hold, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    std::string expected;
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 20; ++i) client.send(get("/" + std::to_string(round * 20 + i)));
      while (held.size() < 20) co_await leat::sleep(1);
      for (std::size_t i = 20; i-- > 0;) {
        const auto [request, response] = held[i];
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK(request.url() == "/" + std::to_string(static_cast<std::size_t>(round) * 20 + i));
        response.end(request.url());
      }
    }
    for (int i = 0; i < 80; ++i) expected += kept("/" + std::to_string(i));
    const std::string back = co_await client.until("\r\n\r\n/79");
    CHECK(back == expected);
  });
}
TEST_CASE("a field may be set to a part of another one, whatever its length") {
  const auto handler = [](const IncomingMessage&, const ServerResponse& response) {
    response.setHeader("A", "1");
    for (const std::size_t size : {std::size_t{3}, std::size_t{300}}) {
      response.setHeader("A", std::string(size, 'v'));
      for (int i = 0; i < 20; ++i) {
        const std::string name = "N" + std::to_string(i);
        response.setHeader(name, *response.getHeader("A"));
        response.setHeader(*response.getHeader("A"), name);
      }
      CHECK(response.getHeader("N19") == std::string(size, 'v'));
      CHECK(response.getHeader(std::string(size, 'v')) == "N19");
    }
    response.removeHeader(std::string(3, 'v'));
    response.removeHeader(std::string(300, 'v'));
    for (int i = 0; i < 19; ++i) response.removeHeader("N" + std::to_string(i));
    response.setHeader("A", "2").end("x");
  };
  withServer(handler, [](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back == ok("x", "200 OK", "A: 2\r\nN19: " + std::string(300, 'v') + "\r\n"));
  });
}
TEST_CASE("a head larger than is usual is written, and the next one as ever") {
  const auto handler = [](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() == "/large") response.setHeader("Large", std::string(5000, 'l'));
    response.end("x");
  };
  withServer(handler, [](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/") + get("/large") + get("/", closing));
    CHECK(back ==
          kept("x") + kept("x", "200 OK", "Large: " + std::string(5000, 'l') + "\r\n") + ok("x"));
  });
}
TEST_CASE("a connection that is used stays, and closes when it has been idle for long enough") {
  http::ServerOptions options;
  options.keepAliveTimeout = 200;
  const auto handler = [](const IncomingMessage&, const ServerResponse& response) {
    response.end("x");
  };
  withServer(
      handler,
      [](http::Server server) -> Task<> {
        const Client client = co_await connectTo(server);
        // Longer than the time in all; a slow machine may pause for so long in between, too.
        std::int64_t last = 0;
        std::string back = "x";
        for (int i = 0; i < 30 && !back.empty(); ++i) {
          const std::int64_t sent = leat::sys::monotonicNs();
          client.send(get("/"));
          try {
            back = co_await client.until("\r\n\r\nx");
          } catch (const leat::Error&) {
            back.clear();
          }
          if (!back.empty()) last = sent;
          co_await leat::sleep(20);
        }
        const std::string rest = co_await client.rest();
        CHECK((rest.empty() || rest == "<ECONNRESET>"));
        CHECK(leat::sys::monotonicNs() - last >= 200'000'000);
      },
      options);
}
