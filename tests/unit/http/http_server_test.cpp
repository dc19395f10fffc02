// SPDX-License-Identifier: MIT
#include <leat/http.hpp>

#include "code_thrown_by.hpp"
#include "http_rig.hpp"

namespace http = leat::http;
using namespace std::string_literals;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::bare;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::kept;
using http_rig::ok;
using http_rig::post;
using http_rig::start;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat_test::codeThrownBy;
using leat::operator""_e;

namespace {

/// What the handler makes of these bytes, until the server ends.
template <class Handler>
std::string answer(Handler handler, std::string bytes, http::ServerOptions options = {}) {
  std::string text;
  withServer(
      handler, [&](http::Server server) -> Task<> { text = co_await ask(server, bytes); }, options);
  return text;
}
void hello(const IncomingMessage&, const ServerResponse& response) { response.end("hello"); }
Task<> echo(IncomingMessage request, ServerResponse response) {
  const std::string body = co_await request.text();
  response.end(body);
}
/// Says the target, those of "/slow" late.
Task<> late(IncomingMessage request, ServerResponse response) {
  const std::string target(request.url());
  if (target == "/slow") co_await leat::sleep(20);
  response.end(target);
}

}  // namespace

TEST_CASE("a server answers, keeps the connection, and closes it when asked to") {
  CHECK(answer(hello, get("/") + get("/") + get("/", closing)) ==
        kept("hello") + kept("hello") + ok("hello"));
}
TEST_CASE("HTTP/1.0 is answered in full, and the connection closes") {
  CHECK(answer(hello, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") == ok("hello"));
  const auto pieces = [](const IncomingMessage&, const ServerResponse& response) {
    response.write("a");
    response.end("b");
  };
  CHECK(answer(pieces, "GET / HTTP/1.0\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab");
}
TEST_CASE("a request is given as it came") {
  std::string told;
  const auto tell = [&](const IncomingMessage& request, const ServerResponse& response) {
    told = std::string(request.method()) + " " + std::string(request.url()) + " " +
           std::string(request.httpVersion()) + " " + std::string(*request.header("HOST")) + " " +
           request.headers().joined("x") + " " + request.headers().joined("Cookie") + " " +
           request.headers().joined("user-agent") + " " +
           std::to_string(request.headers().all("set-cookie").size()) + " " +
           std::to_string(request.headers().has("none"));
    for (const auto field : request.headers()) told += " " + std::string(field.name);
    response.end();
  };
  (void)answer(tell,
               "PATCH /a?b HTTP/1.1\r\nHost: c\r\nX: 1\r\nx: 2\r\ncookie: d\r\nCookie: "
               "e\r\nUser-Agent: f\r\n"
               "User-Agent: g\r\nSet-Cookie: h\r\nSet-Cookie: i\r\nConnection: close\r\n\r\n");
  CHECK(told ==
        "PATCH /a?b 1.1 c 1, 2 d; e f 2 0 Host X x cookie Cookie User-Agent User-Agent Set-Cookie "
        "Set-Cookie Connection");
}
TEST_CASE("a head is what was set, in that order") {
  const auto set = [](const IncomingMessage&, const ServerResponse& response) {
    response.setHeader("X-One", "1").setHeader("X-Two", "2").setHeader("x-one", "3");
    response.setHeader("Set-Cookie", {"a", "b"}).appendHeader("Set-Cookie", "c");
    response.setHeader("Gone", "x");
    response.removeHeader("gone");
    CHECK(response.getHeader("X-ONE") == "3");
    CHECK_FALSE(response.hasHeader("Gone"));
    response.writeHead(201, "Made", {{"X-Two", "4"}, {"X-Three", ""}});
    CHECK(response.headersSent());
    CHECK_THROWS_WITH(response.setHeader("a", "b"),
                      "Cannot set headers after they are sent to the client");
    CHECK_THROWS_WITH(response.writeHead(200),
                      "Cannot write headers after they are sent to the client");
    response.end("x");
    CHECK(response.writableEnded());
    CHECK_THROWS_WITH(response.end("more"), "write after end");
    CHECK_THROWS_WITH(response.write("y"), "write after end");
  };
  CHECK(answer(set, get("/", closing)) ==
        ok("x", "201 Made",
           "x-one: 3\r\nX-Two: 4\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nSet-Cookie: c\r\n"
           "X-Three: \r\n"));
}
TEST_CASE("what would split an answer is refused") {
  const auto bad = [](const IncomingMessage&, const ServerResponse& response) {
    for (const char* value : {"a\r\nb: c", "a\n", "\x01", "\x7f"})
      CHECK_THROWS_WITH(response.setHeader("x", value),
                        "Invalid character in header content [\"x\"]");
    CHECK(codeThrownBy([&] { response.setHeader("x", "a\n"); }) == "ERR_INVALID_CHAR");
    for (const char* name : {"", "a b", "a:", "a\r\n", "\xe4"}) {
      CHECK_THROWS_AS(response.setHeader(name, "x"), leat::TypeError);
      CHECK(codeThrownBy([&] { response.setHeader(name, "x"); }) == "ERR_INVALID_HTTP_TOKEN");
    }
    CHECK(response.statusMessage() == "");
    response.setStatusMessage("a\r\nb");
    CHECK(response.statusMessage() == "a\r\nb");
    CHECK_THROWS_WITH(response.flushHeaders(), "Invalid character in statusMessage");
    response.setStatusMessage("").setStatusCode(1000);
    CHECK_THROWS_WITH(response.flushHeaders(), "Invalid status code: 1000");
    response.setStatusCode(200).end("fine");
    CHECK(response.statusMessage() == "OK");
    CHECK(codeThrownBy([&] { response.setHeader("x", "y"); }) == "ERR_HTTP_HEADERS_SENT");
    CHECK(codeThrownBy([&] { response.writeHead(200); }) == "ERR_HTTP_HEADERS_SENT");
  };
  CHECK(answer(bad, get("/", closing)) == ok("fine"));
}
TEST_CASE("a body in pieces is chunked, with trailers") {
  const auto pieces = [](const IncomingMessage&, const ServerResponse& response) {
    response.setHeader("Trailer", "x");
    response.write("abc");
    response.write("");
    response.write(Buffer::from("0123456789abcdef"));
    response.addTrailers({{"x", "y"}});
    response.end("z");
  };
  CHECK(answer(pieces, get("/", closing)) ==
        "HTTP/1.1 200 OK\r\nTrailer: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n10\r\n0123456789abcdef\r\n1\r\nz\r\n0\r\nx: y\r\n\r\n");
}
TEST_CASE("HEAD, 204 and 304 have no body") {
  const auto body = [](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() != "/") response.setStatusCode(request.url() == "/204" ? 204 : 304);
    response.write("a");
    response.end("b");
  };
  const std::string keep = "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n";
  CHECK(answer(body, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/204") + get("/304") +
                         "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\n" + keep + "HTTP/1.1 204 No Content\r\n" + keep +
            "HTTP/1.1 304 Not Modified\r\n" + keep +
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}
TEST_CASE("a Content-Length that was set is kept to") {
  const auto wrong = [](const IncomingMessage& request, const ServerResponse& response) {
    response.setHeader("Content-Length", "3");
    if (request.url() == "/more") CHECK_THROWS_AS(response.end("abcd"), leat::Error);
    if (request.url() == "/less") {
      response.write("ab");
      CHECK_THROWS_AS(response.end(), leat::Error);
    }
    if (request.url() == "/right") {
      response.write("ab");
      response.end("c");
    }
  };
  CHECK(answer(wrong, get("/more")).find("abcd") == std::string::npos);
  CHECK(answer(wrong, get("/less")).find("ab") == std::string::npos);
  CHECK(answer(wrong, get("/right", closing)) ==
        ok("abc", "200 OK").replace(17, 0, "Content-Length: 3\r\n").replace(54, 19, ""));
}
TEST_CASE("an answer whose end nobody could tell is refused") {
  const auto bad = [](const IncomingMessage&, const ServerResponse& response) {
    response.setHeader("Content-Length", "x");
    CHECK_THROWS_WITH(response.flushHeaders(),
                      "The head of the message is ambiguous: Content-Length is no number");
    response.setHeader("Content-Length", "3").setHeader("Transfer-Encoding", "chunked");
    CHECK_THROWS_WITH(
        response.end("abc"),
        "The head of the message is ambiguous: Content-Length beside Transfer-Encoding");
    response.removeHeader("Transfer-Encoding");
    response.appendHeader("content-length", "3");
    CHECK_THROWS_WITH(response.end("abc"),
                      "The head of the message is ambiguous: Content-Length a second time");
    for (const char* codings : {"", ",", "gzip,", "a b,,c", "chunked, gzip", "chunked,chunked"}) {
      response.removeHeader("Content-Length");
      response.setHeader("Transfer-Encoding", codings);
      CHECK_THROWS_WITH(response.end("abc"),
                        "The head of the message is ambiguous: Transfer-Encoding is no list of "
                        "codings, or does not end with chunked");
    }
    response.setHeader("Transfer-Encoding", {"chunked", "gzip"});
    CHECK_THROWS(response.end("abc"));
    response.removeHeader("Transfer-Encoding");
    response.setHeader("Content-Length", "3");
    response.end("abc");
  };
  CHECK(answer(bad, get("/", closing)) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
}
TEST_CASE("answers come in the order of the requests, whoever is done first") {
  CHECK(answer(late, get("/slow") + get("/2") + get("/slow") + get("/4", closing)) ==
        kept("/slow") + kept("/2") + kept("/slow") + ok("/4"));
}
TEST_CASE("bodies come by length and by chunks, whole and in pieces") {
  CHECK(answer(echo, post("/", "hello") + post("/", "") +
                         "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") ==
        kept("hello") + kept("") + ok("abcde"));
  withServer(echo, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    const std::string text = post("/", std::string(100'000, 'x'), closing);
    for (std::size_t at = 0; at < text.size(); at += 9'999) {
      client.send(text.substr(at, 9'999));
      co_await leat::sleep(1);
    }
    const std::string back = co_await client.rest();
    CHECK(back == ok(std::string(100'000, 'x')));
  });
}
TEST_CASE("a body that is too large is answered 413, and what is left of it is thrown away") {
  const auto small = [](IncomingMessage request, ServerResponse response) -> Task<> {
    const std::string text = co_await request.text(10);
    response.end(text);
  };
  CHECK(answer(small, post("/", "0123456789") + post("/", std::string(200'000, 'x'))) ==
        kept("0123456789") + ok("", "413 Payload Too Large"));
}
TEST_CASE("a body that nobody reads stops who sends it, until the answer") {
  std::vector<ServerResponse> held;
  const auto hold = [&](const IncomingMessage&, const ServerResponse& response) {
    held.push_back(response);
  };
  withServer(hold, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    constexpr std::size_t size = 30'000'000;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n");
    client.send(std::string(size, 'x'));
    while (held.empty()) co_await leat::sleep(1);
    std::size_t before = 0;
    for (std::size_t now = 1; now != before; now = client.socket.writableLength()) {
      before = now;
      co_await leat::sleep(30);
    }
    CHECK(before > size / 2);
    held.front().end("enough");
    held.clear();
    const std::string first = co_await client.until("enough");
    CHECK(first == kept("enough"));
    client.send(get("/", closing));
    while (held.empty()) co_await leat::sleep(1);
    held.front().end();
    held.clear();
    const std::string second = co_await client.rest();
    CHECK(second == ok(""));
  });
}
TEST_CASE("Expect: 100-continue is answered, others are refused") {
  CHECK(answer(echo, post("/", "x", "Expect: 100-Continue\r\n" + closing)) ==
        "HTTP/1.1 100 Continue\r\n\r\n" + ok("x"));
  CHECK(answer(echo, get("/", "Expect: more\r\n" + closing)) == ok("", "417 Expectation Failed"));
  withServer(echo, [](http::Server server) -> Task<> {
    server.on("checkContinue"_e, [](const IncomingMessage&, const ServerResponse& response) {
      response.writeHead(403).end();
    });
    server.on("checkExpectation"_e,
              [](const IncomingMessage&, const ServerResponse& response) { response.end("well"); });
    const std::string first = co_await ask(server, post("/", "x", "Expect: 100-continue\r\n"));
    CHECK(first == ok("", "403 Forbidden"));
    const std::string second = co_await ask(server, get("/", "Expect: more\r\n" + closing));
    CHECK(second == ok("well"));
  });
}
TEST_CASE("early hints go in front of the answer") {
  const auto hint = [](const IncomingMessage&, const ServerResponse& response) {
    response.writeEarlyHints({{"Link", "</a>"}});
    response.writeProcessing();
    response.end("x");
  };
  CHECK(answer(hint, get("/", closing)) ==
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok("x"));
}

// ---- what is wrong ----

TEST_CASE("what is no request is refused, and the connection closes") {
  CHECK(answer(hello, "GARBAGE\r\n\r\n") == bare("400 Bad Request"));
  CHECK(answer(hello, get("/") + "GET / HTTP/1.1\r\n\r\n") ==
        kept("hello") + bare("400 Bad Request"));
  CHECK(answer(hello, get("/", "x: " + std::string(20'000, 'x') + "\r\n")) ==
        bare("431 Request Header Fields Too Large"));
  CHECK(answer(hello, "GET / HTTP/3.0\r\n\r\n") == bare("505 HTTP Version Not Supported"));
  CHECK(answer(echo, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx") ==
        bare("400 Bad Request"));
}
TEST_CASE("clientError has the error and the socket, and answers instead") {
  withServer(hello, [](http::Server server) -> Task<> {
    std::string told;
    server.on("clientError"_e,
              [&](const std::exception_ptr& error, const leat::net::Socket& socket) {
                try {
                  std::rethrow_exception(error);
                } catch (const leat::Error& e) {
                  told = std::string(e.code()) + " " + std::string(e.message());
                }
                (void)socket.end("HTTP/1.1 418 no\r\n\r\n");
              });
    const std::string back = co_await ask(server, "x\r\n");
    CHECK(back == "HTTP/1.1 418 no\r\n\r\n");
    CHECK(told == "HPE_INVALID_METHOD Parse Error: Invalid method encountered");
  });
}
TEST_CASE("a listener of clientError may take the exception itself, and the socket") {
  withServer(hello, [](http::Server server) -> Task<> {
    server.on("clientError"_e, [](const std::exception& error, const leat::net::Socket& socket) {
      (void)socket.end(error.what());
    });
    const std::string back = co_await ask(server, "x\r\n");
    CHECK(back == "Parse Error: Invalid method encountered");
  });
}
TEST_CASE("listen takes a port and a host, as in Node") {
  leat::run([]() -> Task<> {
    const http::Server server = http::createServer(hello);
    co_await server.listen(0, "127.0.0.1");
    CHECK(server.address().address() == "127.0.0.1");
    co_await server.close();
  });
}
TEST_CASE("a header may be a number") {
  const auto numbers = [](const IncomingMessage&, const ServerResponse& response) {
    response.setHeader("Content-Length", std::size_t{5}).setHeader("X-Less", -7).end("hello");
  };
  const std::string back = answer(numbers, get("/", closing));
  CHECK(back.find("Content-Length: 5\r\n") != back.npos);
  CHECK(back.find("X-Less: -7\r\n") != back.npos);
}
TEST_CASE("a handler that throws is answered 500, or what it says, and is reported") {
  std::vector<std::string> told;
  const auto thrower = [](const IncomingMessage& request, const ServerResponse& response) {
    response.setHeader("X-Lost", "1");
    if (request.url() == "/404") throw http::HttpError(404, "none");
    if (request.url() == "/sent") response.write("a");
    throw std::runtime_error("oh");
  };
  const auto async = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    co_await leat::sleep(1);
    thrower(request, response);
  };
  const auto test = [&](http::Server server) -> Task<> {
    server.on("handlerError"_e, [&](const std::exception_ptr& error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        told.push_back(e.what());
      }
    });
    std::string back = co_await ask(server, get("/404"));
    CHECK(back == ok("", "404 Not Found"));
    CHECK(told.empty());
    back = co_await ask(server, get("/"));
    CHECK(back == ok("", "500 Internal Server Error"));
    CHECK(told.size() == 1);
    back = co_await ask(server, get("/sent"));
    CHECK(back.find("0\r\n\r\n") == back.npos);
    CHECK(told == std::vector<std::string>{"oh", "oh"});
    told.clear();
  };
  withServer(thrower, test);
  withServer(async, test);
}
TEST_CASE("a request that is dropped without an answer gets 500, and the server tells of it") {
  std::vector<std::string> told;
  bool within = false;
  const auto forget = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    co_await leat::sleep(1);
    if (request.url() == "/begun") response.write("a");
    within = true;
    {
      const auto last = std::pair(std::move(request), std::move(response));
    }
    within = false;
  };
  const auto test = [&](http::Server server) -> Task<> {
    server.on("handlerError"_e, [&](const std::exception_ptr& error) {
      CHECK_FALSE(within);
      told.push_back(leat::describe(error));
    });
    std::string back = co_await ask(server, get("/a/b?secret=1"));
    CHECK(back == ok("", "500 Internal Server Error"));
    REQUIRE(told.size() == 1);
    CHECK_THAT(told[0], leat_test::containsText("ERR_HTTP_UNANSWERED"));
    CHECK_THAT(told[0], leat_test::containsText("answered GET /a/b:"));
    back = co_await ask(server, get("/begun"));
    CHECK(back.find("0\r\n\r\n") == back.npos);
    CHECK(told.size() == 2);
    server.removeAllListeners();
    server.on<"request">(forget);
    back = co_await ask(server, get("/"));
    CHECK(told.size() == 2);
  };
  std::vector<std::string> warnings;
  const auto all = [&](http::Server server) -> Task<> {
    leat::process::on<"warning">(
        [&](const leat::process::Warning& warning) { warnings.emplace_back(warning.message()); });
    co_await test(server);
    co_await leat::nextImmediate();
  };
  withServer(forget, all);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], leat_test::containsText("nobody has answered GET /"));
}
TEST_CASE("a client that goes aborts the request") {
  std::vector<std::string> told;
  const auto wait = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    const leat::AbortSignal signal = request.signal();
    const auto hook = signal.onAbort([&] { told.push_back("aborted"); });
    try {
      (void)co_await request.text();
      co_await leat::sleep(10'000, {.signal = signal});
    } catch (const leat::Error& error) {
      told.push_back(std::string(error.code()));
    }
    response.write("x");
    told.push_back("wrote");
  };
  withServer(wait, [&](http::Server server) -> Task<> {
    for (const std::string& bytes :
         {get("/"), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"s}) {
      const Client client = co_await connectTo(server);
      client.send(bytes);
      while (server.connections() == 0) co_await leat::sleep(1);
      co_await leat::sleep(5);
      client.socket.destroy();
      while (told.size() < 3) co_await leat::sleep(1);
      CHECK(told[0] == "aborted");
      CHECK((told[1] == "ABORT_ERR" || told[1] == "HPE_INVALID_EOF_STATE"));
      told.clear();
    }
  });
}
TEST_CASE("late and idle clients are told so") {
  http::ServerOptions options;
  options.headersTimeout = 300;
  options.requestTimeout = 400;
  options.keepAliveTimeout = 100;
  options.connectionsCheckingInterval = 5;
  const std::string late408 = bare("408 Request Timeout");
  CHECK(answer(echo, "", options) == late408);
  CHECK(answer(echo, "GET / HT", options) == late408);
  CHECK(answer(echo, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx", options) ==
        late408);
  std::string kept30 = kept("");
  kept30.replace(kept30.find("Keep-Alive: timeout=5\r\n"), 23, "");
  options.headersTimeout = options.requestTimeout = 5'000;
  CHECK(answer(echo, get("/"), options) == kept30);
}
TEST_CASE("a connection has so many requests") {
  http::ServerOptions options;
  options.maxRequestsPerSocket = 2;
  const auto keptOf2 = [](const std::string& body) {
    std::string text = kept(body);
    return text.insert(text.find("timeout=5") + 9, ", max=2");
  };
  const std::string refused = ok("", "503 Service Unavailable");
  CHECK(answer(hello, get("/") + get("/") + get("/") + get("/"), options) ==
        keptOf2("hello") + ok("hello") + refused);
  CHECK(answer(hello, get("/") + get("/", closing) + get("/"), options) ==
        keptOf2("hello") + ok("hello"));
  std::vector<ServerResponse> held;
  const auto hold = [&](const IncomingMessage&, const ServerResponse& response) {
    held.push_back(response);
  };
  withServer(
      hold,
      [&](http::Server server) -> Task<> {
        int dropped = 0;
        server.on("dropRequest"_e, [&] { ++dropped; });
        const Client client = co_await connectTo(server);
        client.send(get("/1") + get("/2") + get("/3"));
        while (held.size() < 2) co_await leat::sleep(1);
        while (dropped == 0) co_await leat::sleep(1);
        CHECK(dropped == 1);
        for (const ServerResponse& response : held) response.end();
        held.clear();
        const std::string back = co_await client.rest();
        CHECK(back == keptOf2("") + ok("") + refused);
      },
      options);
  // One that comes when the last answer was read.
  withServer(
      hello,
      [&](http::Server server) -> Task<> {
        int dropped = 0;
        server.on("dropRequest"_e, [&] { ++dropped; });
        const Client client = co_await connectTo(server);
        client.send(get("/"));
        std::string back = co_await client.until("hello");
        CHECK(back == keptOf2("hello"));
        client.send(get("/"));
        back = co_await client.until("hello");
        CHECK(back == ok("hello"));
        CHECK(dropped == 0);
        client.send(post("/", "body"));
        back = co_await client.rest();
        CHECK(back == refused);
        CHECK(dropped == 1);
      },
      options);
}
TEST_CASE("a connection that had its requests is not kept for ever") {
  http::ServerOptions options;
  options.maxRequestsPerSocket = 1;
  options.keepAliveTimeout = 20;
  withServer(
      hello,
      [](http::Server server) -> Task<> {
        const std::string back = co_await ask(server, get("/"));
        CHECK(back == ok("hello"));
      },
      options);
}

// ---- other protocols ----

TEST_CASE("an upgrade is handed over with the bytes that came behind it") {
  withServer(hello, [](http::Server server) -> Task<> {
    const std::string ask1 = get("/", "Connection: Upgrade\r\nUpgrade: x\r\n");
    std::string back = co_await ask(server, ask1 + get("/", closing));
    // Nobody listens: it is a request as others.
    CHECK(back == kept("hello") + ok("hello"));
    server.on("upgrade"_e, [](const IncomingMessage& request, const leat::net::Socket& socket,
                              const Buffer& head) {
      (void)socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n" + std::string(request.url()) +
                         std::string(head.view()));
      (void)socket.end();
    });
    back = co_await ask(server, get("/first") + ask1 + "rest");
    CHECK(back == kept("hello") + "HTTP/1.1 101 Switching Protocols\r\n\r\n/rest");
  });
}
TEST_CASE("CONNECT is handed over, or closed when nobody listens") {
  withServer(hello, [](http::Server server) -> Task<> {
    const std::string connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
    std::string back = co_await ask(server, connect);
    CHECK((back.empty() || back == "<ECONNRESET>"));
    server.on("connect"_e, [](const IncomingMessage& request, const leat::net::Socket& socket,
                              const Buffer& head) {
      (void)socket.end(std::string(request.url()) + std::string(head.view()));
    });
    back = co_await ask(server, connect + "rest");
    CHECK(back == "a:1rest");
  });
}

// ---- the end ----

TEST_CASE("close answers what is there and closes what is idle") {
  bool began = false;
  bool closes = false;
  const auto wait = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    const std::string target(request.url());
    began = began || target == "/slow";
    while (target == "/slow" && !closes) co_await leat::sleep(1);
    response.end(target);
  };
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer(wait);
    bool closedEvent = false;
    server.on("close"_e, [&] { closedEvent = true; });
    co_await start(server);
    const Client idle = co_await connectTo(server);
    idle.send(get("/"));
    std::string text = co_await idle.until("\r\n\r\n/");
    const Client busy = co_await connectTo(server);
    busy.send(get("/slow"));
    while (!began) co_await leat::sleep(1);
    const auto closed = server.close();
    closes = true;
    text = co_await idle.rest();
    CHECK(text.empty());
    text = co_await busy.rest();
    CHECK(text == ok("/slow"));
    co_await closed;
    for (int i = 0; i < 1000 && !closedEvent; ++i) co_await leat::sleep(1);
    CHECK(closedEvent);
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a loop that ends frees a server in the middle of everything") {
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer(late);
    co_await start(server);
    std::vector<Client> clients;
    for (const char* bytes :
         {"", "GET", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
          "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}) {
      const Client client = co_await connectTo(server);
      client.send(bytes);
      clients.push_back(client);
    }
    while (server.connections() < clients.size()) co_await leat::sleep(1);
    co_await leat::sleep(5);
    leat::EventLoop::current().stop();
    co_await leat::sleep(60'000);
  };
  (void)leat::run(main);
}
TEST_CASE("a server without a handle is kept while it listens") {
  const auto main = [&]() -> Task<> {
    int port = 0;
    {
      const http::Server server = http::createServer(hello);
      co_await start(server);
      port = server.address().port();
    }
    const leat::net::Socket socket =
        co_await leat::net::connect({.port = port, .host = "127.0.0.1"});
    const Client client(socket);
    client.send(get("/", closing));
    const std::string back = co_await client.rest();
    CHECK(back == ok("hello"));
    leat::EventLoop::current().stop();
  };
  (void)leat::run(main);
}
