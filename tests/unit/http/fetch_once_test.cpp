// SPDX-License-Identifier: MIT
// What fetch refuses: a body that cannot be sent any more, and a redirect that nobody wants.
#include <leat/stream.hpp>

#include "client_rig.hpp"

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

std::vector<Buffer> somePieces() { return {Buffer::from("one "), Buffer::from("two")}; }
AsyncGenerator<Buffer> brokenPieces() {
  co_yield Buffer::from("part");
  throw Error("the source broke", "ERR_SOURCE");
}
Task<std::string> refusalOf(Request request) {
  try {
    const http::Response response = co_await http::fetch(request);
    co_return "status " + std::to_string(response.status());
  } catch (const TypeError& error) {
    co_return "TypeError " + std::string(error.code()) + " " + error.what();
  } catch (const Error& error) {
    co_return std::string(error.code());
  }
}
std::string usedBody(const std::string& url) {
  return "TypeError ERR_HTTP_BODY_USED fetch of " + url +
         ": the body is a stream that has been read from, or is closed";
}

}  // namespace

TEST_CASE("a stream that was sent as a body is not sent again, and nobody is asked",
          "[http][fetch]") {
  withAnswers(std::deque<std::string>(3, answerOf("")), [](Scripted& server) -> Task<> {
    for (const bool empty : {false, true}) {
      const std::size_t before = server.connections();
      Request request("POST", server.url());
      request.setAgent(http::Agent({.keepAlive = false}));
      request.setBody(readableFrom(empty ? std::vector<Buffer>() : somePieces()));
      if (empty) {
        // What has come of it was all of it.
        std::string all;
        all = co_await consumers::text(std::get<Readable<Buffer>>(request.body()));
        CHECK(all.empty());
      } else {
        const http::Response response = co_await http::fetch(request);
        CHECK(response.status() == 200);
        CHECK(server.connections() == before + 1);
      }
      const std::size_t after = server.connections();
      std::string text;
      text = co_await refusalOf(request);
      CHECK(text == usedBody(server.url()));
      CHECK(server.connections() == after);
    }
  });
}

TEST_CASE("a stream that is destroyed is no body, and one that failed tells why", "[http][fetch]") {
  withAnswers(std::deque<std::string>(3, answerOf("")), [](Scripted& server) -> Task<> {
    std::string text;
    Request request("POST", server.url());
    const Readable<Buffer> closed = readableFrom(somePieces());
    request.setBody(closed);
    closed.destroy();
    text = co_await refusalOf(request);
    CHECK(text == usedBody(server.url()));
    CHECK(server.connections() == 0);

    request.setBody(readableFrom(brokenPieces()));
    text = co_await refusalOf(request);
    CHECK(text == "ERR_SOURCE");
    text = co_await refusalOf(request);
    CHECK(text == "ERR_SOURCE");
  });
}

TEST_CASE("a redirect that nobody wants is refused, also where it does not say where to",
          "[http][fetch]") {
  const std::string none = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n";
  const std::string unchanged = "HTTP/1.1 304 Not Modified\r\n\r\n";
  withAnswers({none, none, none, unchanged}, [](Scripted& server) -> Task<> {
    std::string text;
    Request request(server.url());
    for (const auto how : {http::Redirect::Follow, http::Redirect::Manual}) {
      text = co_await refusalOf(Request(request).setRedirect(how));
      CHECK(text == "status 301");
    }
    request.setRedirect(http::Redirect::Error);
    text = co_await refusalOf(request);
    CHECK(text == "TypeError ERR_HTTP_REDIRECT fetch of " + server.url() +
                      ": status 301 redirects without a Location");
    text = co_await refusalOf(request);
    CHECK(text == "status 304");
  });
}
