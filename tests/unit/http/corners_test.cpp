// SPDX-License-Identifier: MIT
// What goes wrong when a client is slow, sends too early or leaves, and when a handler or the server ends at
// an odd time.
#include <leat/async_hooks.hpp>
#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/stream.hpp>

#include "../fs/fs_rig.hpp"
#include "http_rig.hpp"

namespace http = leat::http;
namespace net = leat::net;
using namespace std::string_literals;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
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
using leat::operator""_e;

namespace {

constexpr std::size_t large = 8'000'000;  // more than the buffers of two sockets

http::ServerOptions impatient() {
  http::ServerOptions options;
  options.keepAliveTimeout = 150;
  return options;
}
std::size_t bodySize(const std::string& answer) {
  return answer.size() - answer.find("\r\n\r\n") - 4;
}
void big(const IncomingMessage&, const ServerResponse& response) {
  response.end(std::string(large, 'b'));
}
Task<> bigLater(IncomingMessage, ServerResponse response) {
  co_await leat::sleep(5);
  response.end(std::string(large, 'b'));
}
void never(const IncomingMessage&, const ServerResponse&) { FAIL("was called"); }

}  // namespace

// ---- slow clients ----

TEST_CASE("an answer that is being sent keeps its connection from the idle timeout") {
  for (const std::string& fields : {""s, closing}) {
    withServer(
        bigLater,
        [&](http::Server server) -> Task<> {
          const Client client = co_await connectTo(server);
          client.send(get("/", fields));
          co_await leat::sleep(500);
          const std::string back = co_await client.rest();
          CHECK(bodySize(back) == large);
        },
        impatient());
  }
}
TEST_CASE("an answer that is being sent is sent when the server closes") {
  withServer(big, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    while (server.connections() == 0) co_await leat::sleep(1);
    co_await leat::sleep(20);
    (void)server.close();
    server.closeIdleConnections();
    const std::string back = co_await client.rest();
    CHECK(bodySize(back) == large);
  });
  bool began = false;
  bool closes = false;
  const auto last = [&](IncomingMessage, ServerResponse response) -> Task<> {
    began = true;
    while (!closes) co_await leat::sleep(1);
    response.end("bye");
  };
  withServer(last, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    while (!began) co_await leat::sleep(1);
    (void)server.close();
    closes = true;
    const std::string back = co_await client.rest();
    CHECK(back == ok("bye"));
  });
}
TEST_CASE("a request that has come is not late while its answer is sent") {
  const auto stream = [](IncomingMessage request, ServerResponse response) -> Task<> {
    for (std::size_t i = 0; i < large / 100'000; ++i)
      co_await response.write(std::string(100'000, 'b'));
    CHECK(request.complete());
    response.end();
  };
  http::ServerOptions options = impatient();
  options.requestTimeout = options.headersTimeout = 700;
  options.connectionsCheckingInterval = 5;
  withServer(
      stream,
      [](http::Server server) -> Task<> {
        const Client client = co_await connectTo(server);
        client.send(get("/") + get("/", closing));
        co_await leat::sleep(1100);
        const std::string back = co_await client.rest();
        CHECK(back.size() > 2 * large);
        CHECK(back.ends_with("0\r\n\r\n"));
      },
      options);
}
TEST_CASE("a client that leaves while its body is not read is noticed") {
  http::ServerOptions options;
  options.requestTimeout = options.headersTimeout = 700;
  options.connectionsCheckingInterval = 5;
  for (const bool resets : {true, false}) {
    bool came = false;
    std::optional<leat::AbortSignal> signal;
    const auto reads = [&](IncomingMessage request, ServerResponse response) -> Task<> {
      came = true;
      signal = request.signal();
      while (!request.signal().aborted()) co_await leat::sleep(1);
      CHECK_FALSE(request.complete());
      response.end();
    };
    withServer(
        reads,
        [&](http::Server server) -> Task<> {
          const Client client = co_await connectTo(server);
          // More than is taken of a body that nobody reads, and no more than the system keeps for the socket.
          client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" +
                      std::string(100'000, 'b'));
          while (!came) co_await leat::sleep(1);
          // One who stays is not sent away because he is not read.
          co_await leat::sleep(1100);
          CHECK_FALSE(signal->aborted());
          if (resets) {
            client.socket.resetAndDestroy();
          } else {
            client.socket.destroy();
          }
          while (!signal->aborted()) co_await leat::sleep(1);
        },
        options);
  }
}
TEST_CASE("requests behind the last answer do not touch it") {
  std::vector<std::string> told;
  const auto both = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/last") {
      co_await leat::sleep(5);
      response.setHeader("Connection", "close");
      response.end(std::string(large, 'b'));
      co_return;
    }
    const leat::AbortSignal signal = request.signal();
    co_await leat::sleep(20);
    told.push_back(signal.aborted() ? "aborted" : "not");
    response.end("late");
  };
  withServer(both, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/last") + get("/late"));
    CHECK(bodySize(back) == large);
    while (told.empty()) co_await leat::sleep(1);
    CHECK(told.front() == "aborted");
  });
}
TEST_CASE("small requests for large answers do not fill the memory") {
  std::size_t calls = 0;
  const auto count = [&](const IncomingMessage&, const ServerResponse& response) {
    ++calls;
    response.end(std::string(1'000'000, 'b'));
  };
  withServer(count, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    std::string all;
    for (int i = 0; i < 400; ++i) all += get("/");
    client.send(all);
    while (calls == 0) co_await leat::sleep(1);
    co_await leat::sleep(50);
    CHECK(calls < 40);
  });
}
TEST_CASE("a connection without a next request closes, however the last one was answered") {
  const auto hello = [](const IncomingMessage&, const ServerResponse& response) {
    response.end("x");
  };
  withServer(
      hello,
      [](http::Server server) -> Task<> {
        const std::string back = co_await ask(server, get("/"));
        CHECK(back.ends_with("x"));
        // A head that has begun to come is not late by that, if the machine does not pause before.
        bool quick = false;
        for (int tries = 0; tries < 10 && !quick; ++tries) {
          const Client client = co_await connectTo(server);
          const std::int64_t asked = leat::sys::monotonicNs();
          client.send(get("/"));
          (void)co_await client.until("x");
          client.send("GET / HTTP/1.1\r\n");
          for (int turns = 0; turns < 5; ++turns) co_await leat::nextImmediate();
          quick = leat::sys::monotonicNs() - asked < 100'000'000;
          if (!quick) {
            client.socket.destroy();
            continue;
          }
          co_await leat::sleep(400);
          client.send("Host: a\r\n\r\n");
          const std::string second = co_await client.until("\r\n\r\nx");
          CHECK(second.ends_with("x"));
        }
        CHECK(quick);
      },
      impatient());
}

// ---- upgrades ----

TEST_CASE("an upgrade waits for the answers in front of it") {
  const auto slow = [](IncomingMessage request, ServerResponse response) -> Task<> {
    const leat::AbortSignal signal = request.signal();
    co_await leat::sleep(20);
    CHECK_FALSE(signal.aborted());
    co_await response.end("slow");
  };
  withServer(slow, [](http::Server server) -> Task<> {
    const auto take = [](IncomingMessage request, net::Socket socket, Buffer head) -> Task<> {
      const std::string body = co_await request.text();
      CHECK(body.empty());
      (void)socket.end("taken " + std::string(head.view()));
    };
    server.on("upgrade"_e, take);
    server.on("connect"_e, take);
    const std::string upgrade = get("/", "Connection: Upgrade\r\nUpgrade: x\r\n");
    std::string back = co_await ask(server, get("/") + get("/") + upgrade + "rest");
    CHECK(back == kept("slow") + kept("slow") + "taken rest");
    back = co_await ask(server, get("/") + "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    CHECK(back == kept("slow") + "taken ");
  });
}
TEST_CASE("a socket that was handed over keeps its own timeout") {
  http::ServerOptions options;
  options.timeout = 5'000;
  withServer(
      never,
      [](http::Server server) -> Task<> {
        bool told = false;
        server.on("upgrade"_e,
                  [&](const IncomingMessage&, const net::Socket& socket, const Buffer&) {
                    (void)socket.setTimeout(5, [&told, socket] {
                      told = true;
                      socket.destroy();
                    });
                  });
        const std::string back =
            co_await ask(server, get("/", "Connection: Upgrade\r\nUpgrade: x\r\n"));
        CHECK(back.empty());
        CHECK(told);
      },
      options);
}

// ---- clients that leave ----

TEST_CASE("a client that has ended its side and never reads does not outlive the server") {
  const auto endless = [](IncomingMessage request, ServerResponse response) -> Task<> {
    response.write(std::string(large, 'x'));
    const leat::AbortSignal signal = request.signal();
    co_await leat::sleep(60'000, {.signal = signal});
  };
  for (const bool half : {false, true}) {
    http::ServerOptions options;
    options.httpAllowHalfOpen = half;
    withServer(
        endless,
        [](http::Server server) -> Task<> {
          const Client client = co_await connectTo(server);
          client.send(get("/"));
          while (server.connections() == 0) co_await leat::sleep(1);
          co_await leat::sleep(5);
          (void)client.socket.end();
          co_await leat::sleep(10);
          CHECK(server.connections() == 1);
        },
        options);
  }
}
TEST_CASE("streams of a request whose client has gone are freed") {
  int left = 0;
  const auto late = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    const leat::Readable<Buffer> early = request.stream();
    early.on("error"_e, [](const std::exception_ptr&) {});
    co_await leat::sleep(20);
    const leat::Writable<Buffer> sink = response.stream();
    sink.on("error"_e, [](const std::exception_ptr&) {});
    sink.write("x");
    ++left;
  };
  withServer(late, [&](http::Server server) -> Task<> {
    for (const std::string& bytes :
         {get("/"), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"s}) {
      const Client client = co_await connectTo(server);
      client.send(bytes);
      while (server.connections() == 0) co_await leat::sleep(1);
      client.socket.destroy();
      while (server.connections() > 0) co_await leat::sleep(1);
    }
    while (left < 2) co_await leat::sleep(1);
  });
}
TEST_CASE("what a handler meets because its client left is not reported") {
  int reports = 0;
  int calls = 0;
  const auto wait = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    ++calls;
    if (request.url() == "/bug") {
      co_await leat::sleep(10);
      throw std::runtime_error("bug");
    }
    const leat::AbortSignal signal = request.signal();
    co_await leat::sleep(60'000, {.signal = signal});
    response.end();
  };
  withServer(wait, [&](http::Server server) -> Task<> {
    server.on("handlerError"_e, [&] { ++reports; });
    for (const char* target : {"/", "/bug"}) {
      const Client client = co_await connectTo(server);
      client.send(get(target));
      while (calls == 0) co_await leat::sleep(1);
      client.socket.destroy();
      while (server.connections() > 0) co_await leat::sleep(1);
      co_await leat::sleep(15);
      CHECK(reports == (target == "/bug"s ? 1 : 0));
      calls = 0;
    }
  });
}
TEST_CASE("listeners for Expect are handlers too") {
  withServer(never, [](http::Server server) -> Task<> {
    server.on("checkContinue"_e, [](IncomingMessage request, ServerResponse response) -> Task<> {
      response.writeContinue();
      const std::string body = co_await request.text(3);
      response.end(body);
    });
    server.on("checkExpectation"_e,
              [](const IncomingMessage&, const ServerResponse&) { throw http::HttpError(418); });
    std::string back =
        co_await ask(server, post("/", "abcd", "Expect: 100-continue\r\n" + closing));
    CHECK(back == "HTTP/1.1 100 Continue\r\n\r\n" + ok("", "413 Payload Too Large"));
    back = co_await ask(server, get("/", "Expect: x\r\n"));
    CHECK(back == ok("", "418 I'm a Teapot"));
    const Client client = co_await connectTo(server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    (void)co_await client.until("\r\n\r\n");
    client.socket.resetAndDestroy();
    while (server.connections() > 0) co_await leat::sleep(1);
  });
}

// ---- handlers ----

TEST_CASE("a plain handler may start a stream and return") {
  const leat_test::TempFolder folder;
  leat_test::put("f", leat_test::noise(200'000));
  const auto pipe = [](const IncomingMessage& request, const ServerResponse& response) {
    response.setHeader("Content-Length", "200000");
    if (request.url() == "/pipe") {
      leat::fs::createReadStream("f").pipe(response.stream());
    } else {
      leat::pipeline(leat::fs::createReadStream("f"), response,
                     [](const std::exception_ptr& error) { CHECK_FALSE(error); });
    }
  };
  withServer(pipe, [](http::Server server) -> Task<> {
    for (const char* target : {"/pipe", "/pipeline"}) {
      const std::string back = co_await ask(server, get(target, closing));
      CHECK((back == "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n" +
                         leat_test::noise(200'000)));
    }
  });
}
TEST_CASE("an answer that was sent is no error, though the connection closes behind it") {
  std::string told;
  const auto atOnce = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    try {
      co_await response.end("x");
      told += "sent ";
    } catch (const leat::Error& error) {
      told += std::string(error.code()) + " ";
    }
    (void)request;
  };
  withServer(atOnce, [&](http::Server server) -> Task<> {
    std::string back = co_await ask(server, get("/") + get("/", closing));
    CHECK(back == kept("x") + ok("x"));
    CHECK(told == "sent sent ");
    told.clear();
    back = co_await ask(
        server, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\nx");
    CHECK(back == ok("x"));
    CHECK(told == "sent ");
  });
}
TEST_CASE("a body that somebody reads comes whole, also behind the answer") {
  std::string told;
  const auto early = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/next") {
      response.end("y");
      co_return;
    }
    if (request.url() == "/read") {
      std::optional<Buffer> chunk = co_await request.next();
      response.end("x");
      for (; chunk; chunk = co_await request.next()) told += chunk->view();
    } else {
      response.end("y");
      try {
        told = co_await request.text();
      } catch (const leat::Error& error) {
        told = error.code();
      }
    }
    told += ";";
  };
  withServer(early, [&](http::Server server) -> Task<> {
    for (const char* target : {"/read", "/late"}) {
      told.clear();
      const Client client = co_await connectTo(server);
      client.send("POST "s + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
      (void)co_await client.until("\r\n\r\n");
      client.send("56789" + get("/next", closing));
      const std::string back = co_await client.rest();
      CHECK(back.ends_with("y"));
      CHECK(told.starts_with(target == "/read"s ? "0123456789;" : "ERR_HTTP_BODY_DUMPED;"));
    }
  });
}
TEST_CASE("codings that end with chunked are chunked, others end with the connection") {
  const auto coded = [](const IncomingMessage& request, const ServerResponse& response) {
    response.setHeader("Transfer-Encoding", request.url().substr(1));
    response.end("abc");
  };
  withServer(coded, [](http::Server server) -> Task<> {
    std::string back = co_await ask(server, get("/gzip,chunked", closing));
    CHECK(back ==
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,chunked\r\nConnection: "
          "close\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    back = co_await ask(server, get("/gzip") + get("/gzip"));
    CHECK(back == "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\nabc");
  });
}
TEST_CASE("behind a socket that a handler destroyed nobody is called") {
  int calls = 0;
  const auto destroyer = [&](const IncomingMessage& request, const ServerResponse&) {
    ++calls;
    request.destroy();
  };
  withServer(destroyer, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/") + get("/") + get("/"));
    CHECK((back.empty() || back == "<ECONNRESET>"));
    CHECK(calls == 1);
  });
}

// ---- the end of a server ----

TEST_CASE("a server may be closed under a limit, by a signal, and opened again") {
  int closed = 0;
  bool began = false;
  bool closes = false;
  const auto slow = [&](IncomingMessage, ServerResponse response) -> Task<> {
    began = true;
    while (!closes) co_await leat::sleep(1);
    response.end("x");
  };
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer(slow);
    server.on("close"_e, [&] { ++closed; });
    co_await start(server);
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    while (!began) co_await leat::sleep(1);
    const auto close = [&]() -> Task<> {
      (void)server.close();
      closes = true;
      co_await leat::sleep(60'000);
    };
    try {
      co_await leat::withTimeout(5, close());
    } catch (const leat::TimeoutError&) {
    }
    std::string back = co_await client.rest();
    CHECK(back == ok("x"));
    while (closed == 0) co_await leat::sleep(1);

    const leat::AbortController controller;
    co_await server.listen({.host = "127.0.0.1", .signal = controller});
    back = co_await ask(server, get("/", closing));
    CHECK(back == ok("x"));
    const Client idle = co_await connectTo(server);
    idle.send(get("/"));
    back = co_await idle.until("\r\n\r\nx");
    CHECK(back == kept("x"));
    controller.abort();
    CHECK_FALSE(server.listening());
    back = co_await idle.rest();
    CHECK(back.empty());
    while (closed == 1) co_await leat::sleep(1);
    co_await leat::sleep(5);
    CHECK(closed == 2);
  };
  CHECK(leat::run(main) == 0);
}

// ---- where a server is made ----

TEST_CASE("requests are answered in the context in which their server was made") {
  const auto main = []() -> Task<> {
    const leat::AsyncLocalStorage<std::string> name;
    const auto told = [&name](const IncomingMessage&, const ServerResponse& response) {
      const std::string store = name.getStore() ? *name.getStore() : "none";
      response.end(store);
    };
    const http::Server server = name.run("made here", [&] { return http::createServer(told); });
    co_await start(server);
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    const std::string first = co_await client.until("here");
    CHECK(first.ends_with("made here"));
    // One that has been waited for.
    co_await leat::sleep(5);
    client.send(get("/", closing));
    const std::string second = co_await client.rest();
    CHECK(second.ends_with("made here"));
    (void)server.close();
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a signal around a server ends its connections") {
  const auto main = []() -> Task<> {
    const leat::AbortController controller;
    std::optional<leat::AbortSignal> signal;
    const auto answer = [&](IncomingMessage request, ServerResponse response) -> Task<> {
      if (request.url() == "/") {
        response.end("ok");
        co_return;
      }
      signal = request.signal();
      while (!request.signal().aborted()) co_await leat::sleep(1);
    };
    std::optional<http::Server> made;
    co_await leat::withSignal(controller.signal(), [&]() -> Task<> {
      made = http::createServer(answer);
      co_return;
    });
    const http::Server server = *made;
    co_await start(server);
    const Client idle = co_await connectTo(server);
    idle.send(get("/"));
    (void)co_await idle.until("ok");
    const Client busy = co_await connectTo(server);
    busy.send(get("/wait"));
    while (!signal) co_await leat::sleep(1);
    controller.abort();
    const std::string left = co_await idle.rest();
    CHECK(left.empty());
    (void)co_await busy.rest();
    CHECK(signal->aborted());
    while (server.connections() > 0) co_await leat::sleep(1);
    (void)server.close();
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a loop ends with connections that are idle, busy and not read") {
  std::optional<leat::AbortSignal> signal;
  const auto main = [&]() -> Task<> {
    const auto answer = [&](IncomingMessage request, ServerResponse response) -> Task<> {
      if (request.url() == "/") {
        response.end("ok");
      } else {
        signal = request.signal();
        co_await leat::sleep(100'000);
      }
    };
    const http::Server server = http::createServer(answer);
    co_await start(server);
    std::vector<Client> clients;
    for (const char* const target : {"/", "/busy", "/unread"}) {
      const Client client = co_await connectTo(server);
      client.send(post(target, std::string(target == "/unread"s ? 1'000'000 : 3, 'b')));
      clients.push_back(client);
    }
    (void)co_await clients[0].until("ok");
    while (!signal) co_await leat::sleep(1);
    co_await leat::sleep(20);
    leat::EventLoop::current().stop();
    co_await leat::sleep(100'000);
  };
  (void)leat::run(main);
}
TEST_CASE("a write of nothing sends the head, as in Node") {
  std::size_t sent = 0;
  const auto handler = [&](IncomingMessage, ServerResponse response) -> Task<> {
    co_await leat::sleep(1);
    (void)response.write("");
    for (int i = 0; i < 3; ++i) co_await leat::nextImmediate();
    sent = response.socket().bytesWritten();
    response.end();
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back ==
          "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    CHECK(sent > 0);
  });
}
TEST_CASE("of an answer that failed its trailers are not sent either") {
  const auto handler = [](const IncomingMessage&, const ServerResponse& response) {
    response.addTrailers({{"X-Sum", "1"}});
    throw http::HttpError(404);
  };
  withServer(handler, [](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back == http_rig::ok("", "404 Not Found"));
  });
}
