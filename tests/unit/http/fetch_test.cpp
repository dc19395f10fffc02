// SPDX-License-Identifier: MIT
#include "client_rig.hpp"

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
    if (const auto value = request.header(name)) text += "; " + std::string(name) + "=" + std::string(*value);
  text += "; " + co_await request.text();
  response.end(text);
}
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
                const http::Response response = co_await http::fetch(server.url("/x#hash"));
                CHECK(response.status() == 404);
                CHECK(response.statusText() == "Not Found");
                CHECK_FALSE(response.ok());
                CHECK_FALSE(response.redirected());
                CHECK(response.url() == server.url("/x"));
                CHECK(response.header("x-a") == "b");
                CHECK(co_await response.text() == "body");
              });
}

TEST_CASE("fetch sends bodies", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    CHECK(co_await bodyOf(Request("POST", urlOf(server, "/a")).setBody(std::string_view("text"))) ==
          "POST /a; content-length=4; text");
    CHECK(co_await bodyOf(Request("PUT", urlOf(server, "/b"))
                              .setBody(readableFrom(std::vector<Buffer>{
                                  Buffer::from("one "), Buffer::from("two")}))) ==
          "PUT /b; one two");
    CHECK(co_await bodyOf(Request("POST", urlOf(server, "/c"))) == "POST /c; content-length=0; ");
    // What one server answers is sent to another.
    const http::Response first = co_await http::fetch(urlOf(server, "/first"));
    CHECK(co_await bodyOf(Request("POST", urlOf(server, "/d")).setBody(first.stream())) ==
          "POST /d; GET /first; ");
  });
}

TEST_CASE("a body that breaks off breaks the request", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    const auto broken = []() -> AsyncGenerator<Buffer> {
      co_yield Buffer::from("part");
      throw Error("the source broke", "ERR_SOURCE");
    };
    CHECK(co_await errorOf(Request("POST", urlOf(server)).setBody(
              readableFrom(broken()))) == "ERR_SOURCE the source broke");
  });
}

TEST_CASE("fetch follows redirects as the standard says", "[http][fetch]") {
  withServer(mirror, [](http::Server server) -> Task<> {
    const auto to = [&](const std::string& path, const std::string& method = "GET") {
      Request request(method, urlOf(server, path));
      request.setHeader("Authorization", "secret").setHeader("X-Kept", "1");
      if (method != "GET") request.setHeader("Content-Type", "text/plain").setBody(std::string_view("b"));
      return request;
    };
    const http::Response there = co_await http::fetch(to("/to/302/x?y"));
    CHECK(there.redirected());
    CHECK(there.url() == urlOf(server, "/x?y"));
    CHECK(co_await there.text() == "GET /x?y; authorization=secret; x-kept=1; ");
    const std::string asGet = "GET /x; authorization=secret; x-kept=1; ";
    const std::string same = "; authorization=secret; content-type=text/plain; content-length=1; x-kept=1; b";
    CHECK(co_await bodyOf(to("/to/301/x", "POST")) == asGet);
    CHECK(co_await bodyOf(to("/to/302/x", "POST")) == asGet);
    CHECK(co_await bodyOf(to("/to/303/x", "POST")) == asGet);
    CHECK(co_await bodyOf(to("/to/303/x", "PUT")) == asGet);
    CHECK(co_await bodyOf(to("/to/302/x", "PUT")) == "PUT /x" + same);
    CHECK(co_await bodyOf(to("/to/307/x", "POST")) == "POST /x" + same);
    CHECK(co_await bodyOf(to("/to/308/x", "POST")) == "POST /x" + same);
    CHECK(co_await bodyOf(to("/to/307/to/308/a/../x", "POST")) == "POST /x" + same);

    // Another port is another server, which is told no secrets.
    const http::Server other = http::createServer(mirror);
    co_await start(other);
    CHECK(co_await bodyOf(to("/to/302" + urlOf(other, "/z"))) == "GET /z; x-kept=1; ");

    CHECK((co_await http::fetch(to("/to/302/x").setRedirect(http::Redirect::Manual))).status() == 302);
    CHECK(co_await errorOf(to("/to/302/x").setRedirect(http::Redirect::Error)) ==
          "ERR_HTTP_REDIRECT fetch of " + urlOf(server, "/to/302/x") + ": redirected to /x");
    CHECK(co_await errorOf(to("/to/302https://a/")) ==
          "ERR_INVALID_PROTOCOL Protocol \"https:\" not supported. Expected \"http:\"");
    const std::string streamed = urlOf(server, "/to/307/x");
    CHECK(co_await errorOf(Request("POST", streamed).setBody(readableFrom(
              std::vector<Buffer>{Buffer::from("b")}))) ==
          "ERR_HTTP_BODY_USED fetch of " + streamed +
              ": status 307 wants the body once more, and that was a stream");
    const auto closed = other.close();
    other.closeAllConnections();
    co_await closed;
  });
}

TEST_CASE("a circle of redirects ends", "[http][fetch]") {
  int asked = 0;
  const auto round = [&](const IncomingMessage&, const ServerResponse& response) {
    ++asked;
    response.setHeader("Location", "/").writeHead(302).end();
  };
  withServer(round, [&](http::Server server) -> Task<> {
    CHECK(co_await errorOf(Request(urlOf(server))) ==
          "ERR_HTTP_REDIRECT fetch of " + urlOf(server) + ": more than 20 redirects");
    CHECK(asked == 21);
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("a signal stops a fetch, its redirects and its body", "[http][fetch]") {
  withAnswers({"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"},
              [](Scripted& server) -> Task<> {
                AbortController controller;
                const http::Response response =
                    co_await http::fetch(Request(server.url()).setSignal(controller.signal()));
                CHECK((co_await response.next()).value().view() == "part");
                controller.abort(Error("enough", "ERR_ENOUGH"));
                std::string code;
                try {
                  (void)co_await response.text();
                } catch (const Error& error) {
                  code = error.code();
                }
                CHECK(code == "ERR_ENOUGH");
                CHECK(co_await errorOf(Request(server.url()).setSignal(controller.signal())) ==
                      "ERR_ENOUGH enough");
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
}

TEST_CASE("a client by a Unix socket and by IPv6", "[http][fetch]") {
  const auto main = []() -> Task<> {
    const std::string path = "/tmp/leat_fetch_" + std::to_string(::getpid());
    const http::Server local = http::createServer(mirror);
    co_await local.listen({.path = path});
    CHECK(co_await bodyOf(Request("http://name/x").setSocketPath(path)) == "GET /x; ");
    const auto closedLocal = local.close();
    local.closeAllConnections();
    co_await closedLocal;
    const http::Server six = http::createServer(mirror);
    co_await six.listen({.port = 0, .host = "::1"});
    const std::string url = "http://[::1]:" + std::to_string(six.address().port()) + "/six";
    CHECK(co_await bodyOf(Request(url)) == "GET /six; ");
    const auto closed = six.close();
    six.closeAllConnections();
    co_await closed;
  };
  CHECK(run(main) == 0);
}
