// SPDX-License-Identifier: MIT
#include "client_rig.hpp"

#include <leat/events.hpp>
#include <leat/process.hpp>
#include <leat/stream.hpp>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

TEST_CASE("a client sends what Node's sends", "[http][client]") {
  const std::string none = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  withAnswers(
      {answerOf("a"), none, answerOf("c"), answerOf("d"), "", answerOf("e")},
      [](Scripted& server) -> Task<> {
        std::string text;
        (void)co_await textOf(http::get(server.url("/x?y=1#z")));
        (void)co_await textOf(http::get(Request("HEAD", server.url("/head"))));
        const ClientRequest post = http::request(
            Request("POST", server.url("/p")).setHeader("Content-Type", "text/plain"));
        post.end("body");
        text = co_await textOf(post);
        CHECK(text == "c");
        const ClientRequest put = http::request(Request("PUT", server.url("/q")));
        (void)put.write("one");
        (void)put.write("two");
        put.addTrailers({{"X-Sum", "6"}});
        put.end();
        text = co_await textOf(put);
        CHECK(text == "d");
        const ClientRequest empty = http::request(Request("POST", server.url("/none")));
        empty.end();
        text = co_await textOf(empty);
        CHECK(text == "e");
        CHECK(server.connections() == 1);
        CHECK(server.saidBy(0) ==
              "GET /x?y=1 HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n"
              "HEAD /head HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n"
              "POST /p HTTP/1.1\r\nContent-Type: text/plain\r\nHost: HOST\r\n"
              "Connection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"
              "PUT /q HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n"
              "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n"
              "POST /none HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n"
              "Content-Length: 0\r\n\r\n");
      });
}

TEST_CASE("what an answer has can be read", "[http][client]") {
  withAnswers({"HTTP/1.1 404 Not Here\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n"},
              [](Scripted& server) -> Task<> {
                std::string text;
                const ClientRequest request = http::get(server.url());
                const IncomingMessage answer = co_await request;
                CHECK(answer.statusCode() == 404);
                CHECK(answer.statusMessage() == "Not Here");
                CHECK(answer.httpVersion() == "1.1");
                CHECK(answer.header("X-A") == "1");
                CHECK(answer.headers().joined("x-a") == "1, 2");
                text = co_await answer.text();
                CHECK(text == "abcde");
                CHECK(answer.trailers().get("x-trailer") == "t");
                CHECK(answer.complete());
                // The answer can be asked for again.
                const IncomingMessage again = co_await request.response();
                CHECK(again.statusCode() == 404);
              });
}

TEST_CASE("a body ends where its answer says", "[http][client]") {
  withAnswers({"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200\r\n\r\nall<end>"},
              [](Scripted& server) -> Task<> {
                std::string text;
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "");
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "");
                text = co_await textOf(http::get(Request("HEAD", server.url())));
                CHECK(text == "");
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "all");
                CHECK(server.connections() == 1);
                CHECK(http::globalAgent().freeSockets() == 0);
              });
}

TEST_CASE("an answer of HTTP/1.0 or with Connection: close ends its connection", "[http][client]") {
  withAnswers({"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
               answerOf("b", "Connection: close\r\n"), answerOf("c")},
              [](Scripted& server) -> Task<> {
                std::string text;
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "a");
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "b");
                text = co_await textOf(http::get(server.url()));
                CHECK(text == "c");
                CHECK(server.connections() == 3);
              });
}

TEST_CASE("answers in front of the answer are told", "[http][client]") {
  withAnswers({"HTTP/1.1 100 Continue\r\n\r\n",
               "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answerOf("done")},
              [](Scripted& server) -> Task<> {
                std::string text;
                std::string events;
                const ClientRequest request = http::request(
                    Request("POST", server.url()).setHeader("Expect", "100-continue"));
                request.on("continue"_e, [&] {
                  events += "continue ";
                  request.end("body\r\n\r\n");
                });
                request.on("information"_e, [&](const http::Information& information) {
                  events += std::to_string(information.statusCode()) + " " +
                            std::string(information.statusMessage()) + " " +
                            std::string(information.headers().get("link").value_or("none")) + ", ";
                });
                request.on("response"_e, [&] { events += "response"; });
                request.flushHeaders();
                text = co_await textOf(request);
                CHECK(text == "done");
                CHECK(events == "continue 100 Continue none, 103 Early Hints </a>, response");
              });
}

TEST_CASE("what an answer in front of the answer says of a body is not the answer's",
          "[http][client]") {
  const std::string early = "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n";
  withAnswers({early + answerOf("with a length"),
               early + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
               early + "HTTP/1.1 200 OK\r\n\r\nto the end<end>"},
              [](Scripted& server) -> Task<> {
                std::string text;
                for (const std::string expected : {"with a length", "abc", "to the end"}) {
                  text = co_await textOf(http::get(server.url()));
                  CHECK(text == expected);
                }
              });
}

TEST_CASE("a listener of what comes before the answer may give the request up", "[http][client]") {
  withAnswers({"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answerOf("late")},
              [](Scripted& server) -> Task<> {
                std::optional<ClientRequest> request = http::get(server.url());
                bool closed = false;
                request->on("error"_e, [](const std::exception_ptr&) {});
                request->on("close"_e, [&] { closed = true; });
                request->on("information"_e, [&] {
                  request->destroy();
                  request.reset();
                });
                while (!closed) co_await sleep(1);
              });
}

TEST_CASE("a socket is handed over to who upgrades, with what came behind", "[http][client]") {
  const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nfirst";
  withAnswers(
      {switching, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"},
      [](Scripted& server) -> Task<> {
        std::string text;
        const ClientRequest request = http::request(
            Request(server.url()).setHeader("Connection", "Upgrade").setHeader("Upgrade", "x"));
        std::string head;
        net::Socket socket;
        request.on("upgrade"_e,
                   [&](const IncomingMessage& answer, const net::Socket& s, const Buffer& bytes) {
                     CHECK(answer.statusCode() == 101);
                     head = bytes.view();
                     socket = s;
                   });
        request.end();
        co_await once(request, "close"_e);
        CHECK(head == "first");
        REQUIRE_FALSE(socket.destroyed());
        (void)socket.write("hello");
        socket.destroy();

        // By coroutines what came behind is the socket's.
        const ClientRequest connect = http::get(Request("CONNECT", server.url()).setTarget("a:1"));
        const IncomingMessage answer = co_await connect;
        CHECK(answer.statusCode() == 200);
        CHECK_FALSE(connect.socket().destroyed());
        connect.socket().destroy();
        const ClientRequest refused = http::get(Request("CONNECT", server.url()).setTarget("a:1"));
        text = co_await textOf(refused);
        CHECK(text == "no");
        CHECK(http::globalAgent().sockets() == 0);
      });
}

TEST_CASE("an upgrade that nobody takes closes the connection", "[http][client]") {
  withAnswers({"HTTP/1.1 101 Switching Protocols\r\n\r\n"}, [](Scripted& server) -> Task<> {
    const ClientRequest request = http::get(server.url());
    co_await once(request, "close"_e);
    CHECK(request.socket().destroyed());
  });
}

TEST_CASE("what goes wrong is told to who waits", "[http][client]") {
  withAnswers({"<close>", "HTTP/1.1 200 OK\r\nX", "HTTP/1.1 2x0 OK\r\n\r\n",
               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
               "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + std::string(17'000, 'a')},
              [](Scripted& server) -> Task<> {
                std::string text;
                const Agent agent({.retry = false});
                const auto ask = [&] { return http::get(Request(server.url()).setAgent(agent)); };
                text = co_await failureOf(ask());
                CHECK(text == "ECONNRESET socket hang up");
                const ClientRequest cut = ask();
                co_await once(cut, "socket"_e);
                while (server.connections() < 2 || server.said[1].empty()) co_await sleep(1);
                (void)server.socket(1).end();
                text = co_await failureOf(cut);
                CHECK(text == "ECONNRESET socket hang up");
                text = co_await failureOf(ask());
                CHECK(text == "HPE_INVALID_STATUS Parse Error: Invalid status code");
                text = co_await failureOf(ask());
                CHECK(text ==
                      "HPE_UNEXPECTED_CONTENT_LENGTH Parse Error: Content-Length a second time, or "
                      "beside Transfer-Encoding");
                text = co_await failureOf(ask());
                CHECK(text == "HPE_INVALID_CONSTANT Parse Error: Expected HTTP/");
                text = co_await failureOf(ask());
                CHECK(text == "HPE_HEADER_OVERFLOW Parse Error: Header overflow");
                const std::string nobody = "http://127.0.0.1:1/";
                text = co_await failureOf(http::get(nobody));
                CHECK(text == "ECONNREFUSED connect ECONNREFUSED 127.0.0.1:1");
                CHECK(agent.sockets() == 0);
              });
}

TEST_CASE("an answer that breaks off fails who reads it", "[http][client]") {
  withAnswers({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart<end>"},
              [](Scripted& server) -> Task<> {
                const IncomingMessage answer = co_await http::get(server.url());
                const std::optional<Buffer> piece = co_await answer.next();
                CHECK(piece.value().view() == "part");
                std::string code;
                try {
                  (void)co_await answer.next();
                } catch (const Error& error) {
                  code = std::string(error.code()) + " " + error.what();
                }
                CHECK(code == "ECONNRESET aborted");
                CHECK_FALSE(answer.complete());
              });
}

TEST_CASE("what is no request is refused before anything is sent", "[http][client]") {
  const auto main = []() -> Task<> {
    CHECK_THROWS_WITH(Request("https://a/"),
                      "Protocol \"https:\" not supported. Expected \"http:\"");
    CHECK_THROWS_AS(Request("nonsense"), TypeError);
    CHECK_THROWS_WITH(Request("GE T", "http://a/"), "Method must be a valid HTTP token [\"GE T\"]");
    CHECK_THROWS_WITH(Request("http://a/").setHeader("X Y", "z"),
                      "Header name must be a valid HTTP token [\"X Y\"]");
    CHECK_THROWS_WITH(Request("http://a/").setHeader("X", "a\r\nB: c"),
                      "Invalid character in header content [\"X\"]");
    CHECK_THROWS_WITH(Request("http://a/").setTarget("/a b"),
                      "Request path contains unescaped characters");
    co_return;
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a request whose end nobody could find is refused", "[http][client]") {
  const auto main = []() -> Task<> {
    const auto with = [](const char* name, const char* value) {
      return http::request(Request("POST", "http://127.0.0.1:1/").setHeader(name, value));
    };
    CHECK_THROWS_WITH(with("Transfer-Encoding", "gzip").end("a"),
                      "The head of the message is ambiguous: Transfer-Encoding does not end with "
                      "chunked");
    CHECK_THROWS_WITH(with("Content-Length", "x").end("a"),
                      "The head of the message is ambiguous: Content-Length is no number");
    const ClientRequest both = with("Content-Length", "1");
    both.setHeader("Transfer-Encoding", "chunked");
    CHECK_THROWS_WITH(
        both.end("a"),
        "The head of the message is ambiguous: Content-Length beside Transfer-Encoding");
    for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS"}) {
      const ClientRequest late = http::request(Request(method, "http://127.0.0.1:1/"));
      late.flushHeaders();
      CHECK_THROWS_WITH(late.end("a"),
                        "The head was sent without a Content-Length: no body can follow");
    }
    CHECK_THROWS_WITH(with("Content-Length", "2").write("abc"),
                      "Request body's content-length of 3 byte(s) does not match the "
                      "content-length of 2 byte(s) set in header");
    co_return;
  };
  CHECK(run(main) == 0);
}

TEST_CASE("signals stop a request wherever it is", "[http][client]") {
  withAnswers(
      {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"}, [](Scripted& server) -> Task<> {
        std::string text;
        const std::string aborted = "ABORT_ERR This operation was aborted";
        AbortController before;
        before.abort();
        text = co_await failureOf(http::get(Request(server.url()).setSignal(before.signal())));
        CHECK(text == aborted);
        CHECK(server.connections() == 0);

        AbortController waits;
        const ClientRequest request = http::get(Request(server.url()).setSignal(waits.signal()));
        const auto failed = spawn(failureOf(request));
        while (server.connections() < 1 || server.said[0].empty()) co_await sleep(1);
        waits.abort();
        text = co_await failed;
        CHECK(text == aborted);
        CHECK(request.socket().destroyed());

        // Of whoever made the request.
        AbortController around;
        const auto inside = [&]() -> Task<std::string> {
          const IncomingMessage answer = co_await http::get(server.url());
          around.abort();
          try {
            co_return co_await answer.text();
          } catch (const Error& error) {
            co_return std::string(error.code());
          }
        };
        text = co_await withSignal(around.signal(), inside());
        CHECK(text == "ABORT_ERR");
        while (http::globalAgent().sockets() > 0) co_await sleep(1);
      });
}

TEST_CASE("a request that is dropped before its end is given up", "[http][client]") {
  withAnswers({}, [](Scripted& server) -> Task<> {
    {
      const ClientRequest request = http::request(Request("POST", server.url()));
      (void)request.write("part");
      while (server.connections() < 1 || server.said[0].empty()) co_await sleep(1);
      CHECK(http::globalAgent().sockets() == 1);
    }
    while (http::globalAgent().sockets() > 0) co_await sleep(1);
    CHECK(server.saidBy(0).ends_with("4\r\npart\r\n"));
  });
}

TEST_CASE("with listeners errors are theirs", "[http][client]") {
  const auto main = []() -> Task<> {
    std::string told;
    const ClientRequest request = http::get("http://127.0.0.1:1/");
    request.on("response"_e, [](const IncomingMessage&) { FAIL("nobody listens there"); });
    request.on("error"_e, [&](const std::exception_ptr& error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        told += e.what();
      }
    });
    request.on("close"_e, [&] { told += ", close"; });
    while (!told.ends_with("close")) co_await sleep(1);
    CHECK(told == "connect ECONNREFUSED 127.0.0.1:1, close");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what happens inside of a call is told behind it, and once", "[http][client]") {
  withAnswers({answerOf("a")}, [](Scripted& server) -> Task<> {
    std::string told;
    const ClientRequest destroyed = http::get(server.url());
    destroyed.destroy(std::make_exception_ptr(Error("mine", "ERR_MINE")));
    destroyed.on("error"_e, [&] { told += "error "; });
    destroyed.on("close"_e, [&] { told += "close "; });
    CHECK(told.empty());
    while (told != "error close ") co_await sleep(1);

    int finished = 0;
    const ClientRequest ended = http::request(server.url());
    ended.on("socket"_e, [&] {
      ended.end();
      ended.on("finish"_e, [&] { ++finished; });
    });
    const IncomingMessage answer = co_await ended;
    CHECK(answer.statusCode() == 200);
    CHECK(finished == 1);
    // Of one that is over it keeps nobody.
    ended.on("close"_e, [ended] {});
  });
}

TEST_CASE("an error that nobody asks for any more is uncaught", "[http][client]") {
  std::string told;
  const auto main = [&]() -> Task<> {
    process::on("uncaughtException",
                [&](const std::exception_ptr& error) { told = describe(error); });
    {
      const ClientRequest asked = http::get("http://127.0.0.1:1/");
      co_await sleep(20);
      // It is still there for who asks.
      const std::string text = co_await failureOf(asked);
      CHECK(text == "ECONNREFUSED connect ECONNREFUSED 127.0.0.1:1");
    }
    CHECK(told.empty());
    {
      const ClientRequest forgotten = http::get("http://127.0.0.1:1/");
      co_await sleep(20);
      CHECK(told.empty());
    }
    while (told.empty()) co_await sleep(1);
  };
  CHECK(run(main) == 0);
  CHECK(told.find("ECONNREFUSED") != std::string::npos);
}

TEST_CASE("write says when enough waits, also before the tick ends", "[http][client]") {
  const auto handler = [](IncomingMessage request, ServerResponse response) -> Task<> {
    (void)co_await request.text(10'000'000);
    int count = 0;
    while (response.write("0123456789abcdef")) ++count;
    CHECK(count < 2'000);
    response.end();
  };
  withServer(handler, [](http::Server server) -> Task<> {
    const ClientRequest request = http::request(Request("POST", urlOf(server)));
    int count = 0;
    while (request.write("0123456789abcdef")) ++count;
    CHECK(count < 2'000);
    co_await once(request, "socket"_e);
    co_await request.write("");
    count = 0;
    while (request.write("0123456789abcdef")) ++count;
    CHECK(count < 2'000);
    request.end();
    (void)co_await textOf(request);
  });
}

TEST_CASE("a request that waits for the server to go on sends its head", "[http][client]") {
  withAnswers({"HTTP/1.1 100 Continue\r\n\r\n" + answerOf("done")}, [](Scripted& server) -> Task<> {
    const ClientRequest request =
        http::request(Request("post", server.url()).setHeader("Expect", "100-continue"));
    request.on("continue"_e, [&] { request.end("body"); });
    const std::string text = co_await textOf(request);
    CHECK(text == "done");
    CHECK(server.saidBy(0).starts_with("POST / HTTP/1.1\r\n"));
  });
}

TEST_CASE("an error that nobody is there for is uncaught", "[http][client]") {
  std::string told;
  const auto main = [&]() -> Task<> {
    process::on("uncaughtException", [&](const std::exception_ptr& error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        told = e.what();
      }
    });
    http::get("http://127.0.0.1:1/");
    while (told.empty()) co_await sleep(1);
  };
  CHECK(run(main) == 0);
  CHECK(told == "connect ECONNREFUSED 127.0.0.1:1");
}

TEST_CASE("a body is received as fast as it is read, and sent as fast as it is taken",
          "[http][client]") {
  const std::string piece(100'000, 'x');
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.method() == "POST") {
      co_await pipeline(request, response);
      co_return;
    }
    for (int i = 0; i < 100; ++i) co_await response.write(piece);
    response.end();
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const IncomingMessage answer = co_await http::get(urlOf(server));
    co_await sleep(20);
    const std::uint64_t received = answer.socket().bytesRead();
    CHECK(received < 1'000'000);
    std::size_t size = 0;
    while (const std::optional<Buffer> chunk = co_await answer.next()) size += chunk->size();
    CHECK(size == 100 * piece.size());

    // Both ways at once.
    const ClientRequest echo = http::request(Request("POST", urlOf(server)));
    const auto sends = [&]() -> Task<> {
      for (int i = 0; i < 50; ++i) co_await echo.write(piece);
      echo.end();
    };
    const auto sent = spawn(sends);
    const IncomingMessage echoed = co_await echo;
    size = 0;
    while (const std::optional<Buffer> chunk = co_await echoed.next()) size += chunk->size();
    CHECK(size == 50 * piece.size());
    co_await sent;
  });
}

TEST_CASE("a body whose last bytes are more than waits for a reader ends all the same",
          "[http][client]") {
  const std::string first(65'000, 'x');
  const std::string last(30'000, 'y');
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 95000\r\n\r\n";
  withAnswers({head + first}, [&](Scripted& server) -> Task<> {
    const ClientRequest request = http::get(server.url());
    const IncomingMessage answer = co_await request;
    while (answer.socket().bytesRead() < head.size() + first.size()) co_await sleep(1);
    co_await server.socket(0).write(last);
    while (answer.socket().bytesRead() < head.size() + 95'000) co_await sleep(1);
    co_await sleep(1);
    CHECK(answer.complete());
    if (!answer.complete()) co_return answer.destroy();
    const std::string text = co_await answer.text();
    CHECK(text == first + last);
  });
}
