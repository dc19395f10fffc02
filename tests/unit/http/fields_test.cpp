// SPDX-License-Identifier: MIT
// What is told of the fields of a message: several of one name, and a Host that is not the target's.
#include "client_rig.hpp"

using namespace leat;
using namespace http_rig;
using namespace std::string_literals;
namespace http = leat::http;

namespace {

const std::string twice =
    "Content-Type: a\r\ncontent-type: b\r\nX: 1\r\nX: 2\r\nCookie: c\r\nCookie: d\r\n"
    "Set-Cookie: e=1, 2\r\nSet-Cookie: f\r\nETag: g\r\netag:\r\nETag: h\r\n";
std::string told(const http::MessageHeaders& fields) {
  std::string text;
  for (const char* name : {"content-type", "x", "cookie", "set-cookie", "ETag", "none"})
    text += fields.joined(name) + "|";
  return text;
}
/// What a server tells of it, and in front of the body what it tells of the fields behind it.
std::string toldOf(const std::string& request, http::ServerOptions options = {}) {
  std::string text;
  const auto handler = [](IncomingMessage message, ServerResponse response) -> Task<> {
    (void)co_await message.text();
    std::string all = told(message.headers());
    all += " " + told(message.trailers());
    response.end(all);
  };
  withServer(
      handler, [&](http::Server server) -> Task<> { text = co_await ask(server, request); },
      options);
  return text.substr(text.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("fields of one name are joined as Node joins them", "[http][fields]") {
  const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + twice +
                              "Transfer-Encoding: chunked\r\n\r\n0\r\n" + twice + "\r\n";
  const std::string usual = "a|1, 2|c; d|e=1, 2|g||";
  CHECK(toldOf(request) == usual + " " + usual);
  http::ServerOptions options;
  options.joinDuplicateHeaders = true;
  const std::string joined = "a, b|1, 2|c; d|e=1, 2|g, , h||";
  CHECK(toldOf(request, options) == joined + " " + joined);
}
TEST_CASE("those of an answer are joined as its request says", "[http][fields]") {
  const std::string answer = "HTTP/1.1 103 Early Hints\r\n" + twice + "\r\nHTTP/1.1 200 OK\r\n" +
                             twice + "Content-Length: 0\r\n\r\n";
  withAnswers({answer, answer}, [](Scripted& server) -> Task<> {
    std::string interim;
    std::string text;
    for (const bool join : {false, true}) {
      Request request(server.url());
      CHECK_FALSE(request.joinDuplicateHeaders());
      if (join) request.setJoinDuplicateHeaders(true);
      const ClientRequest made = http::get(request);
      made.on("information"_e,
              [&](const http::Information& information) { interim = told(information.headers()); });
      const IncomingMessage message = co_await made;
      text = told(message.headers());
      CHECK(text == (join ? "a, b|1, 2|c; d|e=1, 2|g, , h||" : "a|1, 2|c; d|e=1, 2|g||"));
      CHECK(interim == text);
    }
  });
}
TEST_CASE("the host of a target is that of its request, however it is read", "[http][fields]") {
  std::string seen;
  const auto handler = [&](const IncomingMessage& request, const ServerResponse& response) {
    seen = std::string(request.url()) + " " + std::string(request.header("HOST").value_or("none"));
    seen += " " + std::string(request.headers().get("host").value_or("none"));
    seen += " " + request.headers().joined("host");
    for (const std::string_view each : request.headers().all("host"))
      seen += " " + std::string(each);
    for (const auto field : request.headers())
      if (field.name == "hOsT") seen += " " + std::string(field.value);
    seen += " " + http::Headers(request.headers()).get("host").value_or("none");
    response.end();
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const std::string rest = " HTTP/1.1\r\nhOsT: evil.example\r\nConnection: close\r\n\r\n";
    std::string text;
    text = co_await ask(server, "GET http://good.example:81/a?b" + rest);
    CHECK(seen ==
          "http://good.example:81/a?b good.example:81 good.example:81 good.example:81 "
          "good.example:81 good.example:81 good.example:81");
    text = co_await ask(server, "GET /http://good.example/" + rest);
    CHECK(seen.starts_with("/http://good.example/ evil.example evil.example evil.example evil"));
    // Where there is none it is missing, as it came.
    text = co_await ask(server, "GET http://good.example/ HTTP/1.0\r\n\r\n");
    CHECK(seen == "http://good.example/ none none  none");
    text = co_await ask(server, "GET http://good.example/ HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(text == bare("400 Bad Request"));
    // In whatever pieces it comes.
    const Client client = co_await connectTo(server);
    for (const char c :
         "GET http://good.example/ HTTP/1.1\r\nHost: evil\r\n"
         "Connection: close\r\n\r\n"s) {
      client.send(std::string(1, c));
      co_await nextImmediate();
    }
    text = co_await client.rest();
    CHECK(seen.starts_with("http://good.example/ good.example good.example good.example good"));
  });
}
TEST_CASE("the host of CONNECT is where it goes", "[http][fields]") {
  std::string seen;
  withServer(
      [](const IncomingMessage&, const ServerResponse&) {},
      [&](http::Server server) -> Task<> {
        server.on("connect"_e, [&](const IncomingMessage& request, const net::Socket& socket) {
          seen = std::string(request.url()) + " " + request.headers().joined("host");
          socket.end();
        });
        (void)co_await ask(server, "CONNECT good.example:443 HTTP/1.1\r\nHost: evil\r\n\r\n");
        CHECK(seen == "good.example:443 good.example:443");
      });
}
