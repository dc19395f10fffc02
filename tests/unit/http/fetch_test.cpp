// SPDX-License-Identifier: MIT
#include "client_rig.hpp"
#include "code_thrown_by.hpp"

#include <leat/stream.hpp>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

/// Sends back what it got, and elsewhere what asks for it: "/to/307/path".
Task<> mirror(IncomingMessage request, ServerResponse response) {
  const std::string url(request.url());
  if (url.starts_with("/to/")) {
    response.setHeader("Location", url.substr(7));
    response.writeHead(std::stoi(url.substr(4, 3))).end();
    co_return;
  }
  std::string text = std::string(request.method()) + " " + url;
  for (const char* name : {"authorization", "cookie", "content-type", "content-length", "x-kept"})
    if (const auto value = request.header(name))
      text += "; " + std::string(name) + "=" + std::string(*value);
  text += "; " + co_await request.text();
  response.end(text);
}
AsyncGenerator<Buffer> breaking() {
  co_yield Buffer::from("part");
  throw Error("the source broke", "ERR_SOURCE");
}
std::vector<Buffer> twoPieces() { return {Buffer::from("one "), Buffer::from("two")}; }
Task<std::string> bodyOf(Request request) {
  const http::Response response = co_await http::fetch(request);
  co_return co_await response.text();
}
Task<std::string> errorOf(Request request) {
  try {
    (void)co_await http::fetch(request);
    co_return "none";
  } catch (const Error& error) {
    co_return std::string(error.code()) + " " + error.what();
  }
}

}  // namespace

TEST_CASE("fetch gives the answer, whatever its status", "[http][fetch]") {
  withAnswers({"HTTP/1.1 404 Not Found\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody"},
              [](Scripted& server) -> Task<> {
                std::string text;
                const http::Response response = co_await http::fetch(server.url("/x#hash"));
                CHECK(response.status() == 404);
                CHECK(response.statusText() == "Not Found");
                CHECK_FALSE(response.ok());
                CHECK_FALSE(response.redirected());
                CHECK(response.url() == server.url("/x"));
                CHECK(response.header("x-a") == "b");
                text = co_await response.text();
                CHECK(text == "body");
              });
}

TEST_CASE("fetch sends bodies", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    std::string text;
    text = co_await bodyOf(Request("POST", urlOf(server, "/a")).setBody(std::string_view("text")));
    CHECK(text == "POST /a; content-length=4; text");
    Request streamed("PUT", urlOf(server, "/b"));
    streamed.setBody(readableFrom(twoPieces()));
    text = co_await bodyOf(streamed);
    CHECK(text == "PUT /b; one two");
    text = co_await bodyOf(Request("POST", urlOf(server, "/c")));
    CHECK(text == "POST /c; content-length=0; ");
    // What one server answers is sent to another.
    const http::Response first = co_await http::fetch(urlOf(server, "/first"));
    text = co_await bodyOf(Request("POST", urlOf(server, "/d")).setBody(first.stream()));
    CHECK(text == "POST /d; GET /first; ");
  });
}

TEST_CASE("a body that breaks off breaks the request", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    std::string text;
    Request request("POST", urlOf(server));
    request.setBody(readableFrom(breaking()));
    text = co_await errorOf(request);
    CHECK(text == "ERR_SOURCE the source broke");
  });
}

TEST_CASE("fetch follows redirects as the standard says", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    std::string text;
    const auto to = [&](const std::string& path, const std::string& method = "GET") {
      Request request(method, urlOf(server, path));
      request.setHeader("Authorization", "secret").setHeader("X-Kept", "1");
      if (method != "GET")
        request.setHeader("Content-Type", "text/plain").setBody(std::string_view("b"));
      return request;
    };
    const http::Response there = co_await http::fetch(to("/to/302/x?y"));
    CHECK(there.redirected());
    CHECK(there.url() == urlOf(server, "/x?y"));
    text = co_await there.text();
    CHECK(text == "GET /x?y; authorization=secret; x-kept=1; ");
    const std::string asGet = "GET /x; authorization=secret; x-kept=1; ";
    const std::string same =
        "; authorization=secret; content-type=text/plain; content-length=1; x-kept=1; b";
    text = co_await bodyOf(to("/to/301/x", "POST"));
    CHECK(text == asGet);
    text = co_await bodyOf(to("/to/302/x", "POST"));
    CHECK(text == asGet);
    text = co_await bodyOf(to("/to/303/x", "POST"));
    CHECK(text == asGet);
    text = co_await bodyOf(to("/to/303/x", "PUT"));
    CHECK(text == asGet);
    text = co_await bodyOf(to("/to/302/x", "PUT"));
    CHECK(text == "PUT /x" + same);
    text = co_await bodyOf(to("/to/307/x", "POST"));
    CHECK(text == "POST /x" + same);
    text = co_await bodyOf(to("/to/308/x", "POST"));
    CHECK(text == "POST /x" + same);
    text = co_await bodyOf(to("/to/307/to/308/a/../x", "POST"));
    CHECK(text == "POST /x" + same);

    // Another port is another server, which is told no secrets.
    const http::Server other = http::createServer(mirror);
    co_await start(other);
    text = co_await bodyOf(to("/to/302" + urlOf(other, "/z")));
    CHECK(text == "GET /z; x-kept=1; ");

    const http::Response manual =
        co_await http::fetch(to("/to/302/x").setRedirect(http::Redirect::Manual));
    CHECK(manual.status() == 302);
    text = co_await errorOf(to("/to/302/x").setRedirect(http::Redirect::Error));
    CHECK(text ==
          "ERR_HTTP_REDIRECT fetch of " + urlOf(server, "/to/302/x") + ": redirected to /x");
    text = co_await errorOf(to("/to/302https://a/"));
    CHECK(text == "ERR_INVALID_PROTOCOL Protocol \"https:\" not supported. Expected \"http:\"");
    const std::string streamed = urlOf(server, "/to/307/x");
    Request once("POST", streamed);
    once.setBody(readableFrom(twoPieces()));
    text = co_await errorOf(once);
    CHECK(text == "ERR_HTTP_BODY_USED fetch of " + streamed +
                      ": status 307 wants the body once more, and that was a stream");
    const auto closed = other.close();
    other.closeAllConnections();
    co_await closed;
  });
}

TEST_CASE("what fetch does not do", "[http][fetch]") {
  withAnswers({"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 9\r\n\r\npart",
               answerOf("new"), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"},
              [](Scripted& server) -> Task<> {
                // The rest of the first answer never comes, and its target was for that server.
                Request request("http://user:secret@" + server.host() + "/");
                request.setTarget("/old").setAgent(Agent({.maxSockets = 1}));
                const http::Response response = co_await http::fetch(request);
                std::string text = co_await response.text();
                CHECK(text == "new");
                CHECK(response.url() == server.url("/new"));
                CHECK(server.saidBy(1).starts_with("GET /new HTTP/1.1\r\n"));
                text = co_await errorOf(Request(server.url()));
                CHECK(text == "ERR_HTTP_UPGRADE fetch of " + server.url() +
                                  ": the server changes the protocol");
                // As what it gives is awaited.
                auto nonsense = http::fetch("nonsense");
                const auto result = co_await asResult(std::move(nonsense));
                CHECK_FALSE(result);
                CHECK_THROWS_AS(Request(server.url()).setFamily(5), RangeError);
              });
}

TEST_CASE("a circle of redirects ends", "[http][fetch]") {
  int asked = 0;
  const auto round = [&](const IncomingMessage&, const ServerResponse& response) {
    ++asked;
    response.setHeader("Location", "/").writeHead(302).end();
  };
  withServer(round, [&](http::Server server) -> Task<> {
    std::string text;
    text = co_await errorOf(Request(urlOf(server)));
    CHECK(text == "ERR_HTTP_REDIRECT fetch of " + urlOf(server) + ": more than 20 redirects");
    CHECK(asked == 21);
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("a signal stops a fetch, its redirects and its body", "[http][fetch]") {
  withAnswers({"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"},
              [](Scripted& server) -> Task<> {
                std::string text;
                AbortController controller;
                const http::Response response =
                    co_await http::fetch(Request(server.url()).setSignal(controller.signal()));
                const std::optional<Buffer> piece = co_await response.next();
                CHECK(piece.value().view() == "part");
                controller.abort(Error("enough", "ERR_ENOUGH"));
                std::string code;
                try {
                  (void)co_await response.text();
                } catch (const Error& error) {
                  code = error.code();
                }
                CHECK(code == "ERR_ENOUGH");
                text = co_await errorOf(Request(server.url()).setSignal(controller.signal()));
                CHECK(text == "ERR_ENOUGH enough");
              });
}

TEST_CASE("a body larger than its limit is refused", "[http][fetch]") {
  withAnswers({answerOf("12345")}, [](Scripted& server) -> Task<> {
    const http::Response response = co_await http::fetch(server.url());
    std::string code;
    try {
      (void)co_await response.text(4);
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(code == "ERR_HTTP_BODY_TOO_LARGE");
  });
  withAnswers({answerOf("12345"), answerOf("12345")}, [](Scripted& server) -> Task<> {
    const http::Response whole = co_await http::fetch(server.url());
    const Buffer bytes = co_await whole.bytes(5);
    CHECK(bytes.view() == "12345");
    const http::Response large = co_await http::fetch(server.url());
    const Result<Buffer> refused = co_await asResult(large.bytes(4));
    CHECK(leat_test::codeThrownBy([&] { (void)refused.value(); }) == "ERR_HTTP_BODY_TOO_LARGE");
  });
}

TEST_CASE("a client by a Unix socket and by IPv6", "[http][fetch]") {
  const auto main = []() -> Task<> {
    std::string text;
    const std::string path = "/tmp/leat_fetch_" + std::to_string(::getpid());
    const http::Server local = http::createServer(mirror);
    co_await local.listen({.path = path});
    text = co_await bodyOf(Request("http://name/x").setSocketPath(path));
    CHECK(text == "GET /x; ");
    const auto closedLocal = local.close();
    local.closeAllConnections();
    co_await closedLocal;
    const http::Server six = http::createServer(mirror);
    co_await six.listen({.port = 0, .host = "::1"});
    const std::string url = "http://[::1]:" + std::to_string(six.address().port()) + "/six";
    text = co_await bodyOf(Request(url));
    CHECK(text == "GET /six; ");
    const auto closed = six.close();
    six.closeAllConnections();
    co_await closed;
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a redirect to another host stays on the Unix socket of its request", "[http][fetch]") {
  const auto main = []() -> Task<> {
    const std::string path = "/tmp/leat_fetch_redirected_" + std::to_string(::getpid());
    const http::Server local =
        http::createServer([](const IncomingMessage& request, const ServerResponse& response) {
          if (request.url() == "/x")
            response.setStatusCode(302).setHeader("Location", "http://other.test:81/y");
          response.end(std::string(request.url()) + " of " +
                       std::string(request.header("host").value_or("none")));
        });
    co_await local.listen({.path = path});
    const std::string text = co_await bodyOf(Request("http://name/x").setSocketPath(path));
    CHECK(text == "/y of other.test:81");
    const auto closed = local.close();
    local.closeAllConnections();
    co_await closed;
  };
  CHECK(run(main) == 0);
}
