// SPDX-License-Identifier: MIT
// cork and uncork of answers and of requests.
#include <leat/fs.hpp>
#include <leat/stream.hpp>

#include "../fs/fs_rig.hpp"
#include "client_rig.hpp"

using namespace leat;
using namespace http_rig;
using namespace std::string_literals;
namespace http = leat::http;

namespace {

/// All that is going to be sent by itself has been given to the socket.
Task<> untilSent() {
  for (int i = 0; i < 3; ++i) co_await nextImmediate();
}
Task<> connectionOf(ClientRequest request) {
  for (int i = 0; i < 1000 && request.socket().destroyed(); ++i) co_await sleep(1);
}
const std::string chunks =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
/// What a client gets of a handler.
template <class Handler>
std::string answer(Handler handler, std::string bytes) {
  std::string text;
  withServer(handler, [&](http::Server server) -> Task<> { text = co_await ask(server, bytes); });
  return text;
}

}  // namespace

TEST_CASE("nothing of an answer is sent before it is uncorked", "[http][cork]") {
  const auto handler = [](IncomingMessage, ServerResponse response) -> Task<> {
    const auto sent = [&] { return response.socket().bytesWritten(); };
    CHECK(response.writableCorked() == 0);
    response.cork();
    response.flushHeaders();
    co_await response.write("a");
    response.cork();
    CHECK(response.writableCorked() == 2);
    response.write(Buffer::from(std::string(20'000, 'b')));
    response.uncork();
    co_await untilSent();
    CHECK(sent() == 0);
    response.uncork();
    CHECK(response.writableCorked() == 0);
    co_await untilSent();
    CHECK(sent() > 20'000);
    const auto before = sent();
    response.cork();
    response.write("c");
    co_await untilSent();
    CHECK(sent() == before);
    response.uncork();
    // One too many is none, and what follows is sent as ever.
    response.uncork();
    response.write("d");
    co_await untilSent();
    CHECK(sent() > before);
    response.end();
  };
  CHECK(answer(handler, get("/", closing)) == chunks + "1\r\na\r\n4e20\r\n" +
                                                  std::string(20'000, 'b') +
                                                  "\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n");
}
TEST_CASE("the end of an answer uncorks it", "[http][cork]") {
  const auto pieces = [](const IncomingMessage&, const ServerResponse& response) {
    response.cork();
    response.cork();
    response.write("a");
    response.end("b");
    CHECK(response.writableCorked() == 0);
    response.uncork();
  };
  CHECK(answer(pieces, get("/", closing)) == chunks + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
  const auto whole = [](IncomingMessage, ServerResponse response) -> Task<> {
    response.cork();
    co_await untilSent();
    co_await response.end("ab");
  };
  CHECK(answer(whole, get("/", closing)) == ok("ab"));
  // And the next one on its connection is none.
  const auto other = [](const IncomingMessage& request, const ServerResponse& response) {
    CHECK(response.writableCorked() == 0);
    if (request.url() == "/c") response.cork();
    response.end("x");
  };
  CHECK(answer(other, get("/c") + get("/") + get("/c") + get("/", closing)) ==
        kept("x") + kept("x") + kept("x") + ok("x"));
}
TEST_CASE("a corked answer without a body has none", "[http][cork]") {
  const auto handler = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/204") response.setStatusCode(204);
    response.cork();
    response.write("a");
    co_await untilSent();
    response.uncork();
    response.end("b");
  };
  CHECK(answer(handler, get("/204", closing)) ==
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK(answer(handler, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}
TEST_CASE("of a corked answer that is destroyed, or fails, nothing is sent", "[http][cork]") {
  const auto destroy = [](IncomingMessage, ServerResponse response) -> Task<> {
    response.cork();
    response.write("a");
    co_await untilSent();
    response.destroy();
    response.uncork();
  };
  CHECK(answer(destroy, get("/")) == "");
  const auto fails = [](IncomingMessage, ServerResponse response) -> Task<> {
    response.cork();
    co_await untilSent();
    throw http::HttpError(404);
  };
  CHECK(answer(fails, get("/", closing)) == ok("", "404 Not Found"));
}
TEST_CASE("a corked answer keeps back neither those in front of it nor the order", "[http][cork]") {
  const auto handler = [](IncomingMessage request, ServerResponse response) -> Task<> {
    const auto sent = [&] { return response.socket().bytesWritten(); };
    if (request.url() == "/front") {
      // Answered when the others are corked behind it.
      co_await untilSent();
      response.end("front");
    } else if (request.url() == "/corked") {
      response.cork();
      response.write("a");
      const auto before = sent();
      for (int i = 0; i < 1000 && sent() == before; ++i) co_await nextImmediate();
      co_await untilSent();
      CHECK(sent() == before + kept("front").size() + 37);
      response.uncork();
      co_await untilSent();
      CHECK(sent() > before + kept("front").size() + 37);
      response.end();
    } else {
      response.end("behind");
    }
  };
  const std::string body = "1\r\na\r\n0\r\n\r\n";
  CHECK(answer(handler, get("/front") + get("/corked") + get("/", closing)) ==
        kept("front") +
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
            "Transfer-Encoding: chunked\r\n\r\n" +
            body + ok("behind"));
  // Those that were answered in the same tick.
  const auto now = [](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() == "/") return response.end("x"), void();
    const auto before = response.socket().bytesWritten();
    response.cork();
    CHECK(response.socket().bytesWritten() > before);
    response.end("y");
  };
  CHECK(answer(now, get("/") + get("/c") + get("/") + get("/c", closing)) ==
        kept("x") + kept("y") + kept("x") + ok("y"));
}
TEST_CASE("a file behind a corked head comes behind it", "[http][cork]") {
  const leat_test::TempFolder folder;
  const std::string path = folder.path() + "/file";
  const std::string text(200'000, 'f');
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    response.setHeader("Content-Length", std::to_string(text.size()));
    response.cork();
    response.flushHeaders();
    if (request.url() == "/uncorked") response.uncork();
    co_await pipeline(fs::createReadStream(path), response);
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    co_await fs::writeFile(path, text);
    for (const char* target : {"/", "/uncorked"}) {
      std::string all;
      all = co_await ask(server, get(target, closing));
      CHECK(all == "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n" + text);
    }
  });
}
TEST_CASE("a bad request behind a corked answer is answered", "[http][cork]") {
  const auto handler = [](IncomingMessage request, ServerResponse response) -> Task<> {
    response.cork();
    CHECK_THROWS_AS((void)(co_await asResult(request.text())).value(), http::ParseError);
  };
  CHECK(answer(handler, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx") ==
        bare("400 Bad Request"));
}
TEST_CASE("what a listener says of a bad request comes behind what was answered", "[http][cork]") {
  const auto handler = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/") {
      response.end("x");
      co_return;
    }
    response.cork();
    response.write("never sent");
    CHECK_THROWS_AS((void)(co_await asResult(request.text())).value(), http::ParseError);
  };
  const std::string mine = "HTTP/1.1 499 Mine\r\nConnection: close\r\n\r\n";
  withServer(handler, [&](http::Server server) -> Task<> {
    (void)server.on("clientError"_e, [&](const std::exception_ptr&, const net::Socket& socket) {
      socket.end(mine);
    });
    std::string text;
    text = co_await ask(server, get("/") + "BAD\r\n\r\n");
    CHECK(text == kept("x") + mine);
    text = co_await ask(server, get("/") +
                                    "POST /corked HTTP/1.1\r\nHost: a\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\nx");
    CHECK(text == kept("x") + mine);
  });
}
TEST_CASE("nothing of a request is sent before it is uncorked", "[http][cork]") {
  withAnswers(
      {answerOf("1"), "", answerOf("2"), "", answerOf("3")}, [](Scripted& server) -> Task<> {
        std::string text;
        for (const bool reused : {false, true}) {
          const ClientRequest request = http::request(Request("POST", server.url("/a")));
          request.cork();
          CHECK(request.writableCorked() == 1);
          co_await connectionOf(request);
          const auto before = request.socket().bytesWritten();
          request.flushHeaders();
          (void)request.write("one");
          co_await untilSent();
          CHECK(request.socket().bytesWritten() == before);
          request.uncork();
          co_await untilSent();
          CHECK(request.socket().bytesWritten() > before);
          request.end("two");
          text = co_await textOf(request);
          CHECK(text == (reused ? "2" : "1"));
        }
        const ClientRequest whole = http::request(Request("POST", server.url("/b")));
        whole.cork();
        co_await connectionOf(whole);
        co_await untilSent();
        whole.end("all");
        CHECK(whole.writableCorked() == 0);
        text = co_await textOf(whole);
        CHECK(text == "3");
        const std::string pieces =
            "POST /a HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
        CHECK(server.saidBy(0) == pieces + pieces +
                                      "POST /b HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n"
                                      "Content-Length: 3\r\n\r\nall");
      });
}
