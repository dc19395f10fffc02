// SPDX-License-Identifier: MIT
// What a program does in the middle of what a server does: out of listeners, out of destructors, and behind the end.
#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/http/send_file.hpp>
#include <leat/stream.hpp>
#include <leat/timers.hpp>
#include <leat/worker_threads.hpp>

#include "../fs/fs_rig.hpp"
#include "http_rig.hpp"

#include <functional>
#include <memory>

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
using http_rig::start;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::operator""_e;

namespace {

constexpr std::size_t much = 8'000'000;  // more than the buffers of two sockets

/// Calls something when it goes.
struct AtEnd {
  explicit AtEnd(std::function<void()> f) : call(std::move(f)) {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { call(); }
  std::function<void()> call;
};

std::string textOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("who waits for room behind the end does not cut the answer") {
  const auto late = [](IncomingMessage, ServerResponse response) -> Task<> {
    co_await leat::sleep(1);
    const http::ResponseWrite room = response.write(std::string(much, 'b'));
    response.end();
    co_await room;
  };
  withServer(late, [](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back.size() > much);
    CHECK(back.ends_with("0\r\n\r\n"));
  });
}
TEST_CASE("who waits for room in its turn does not cut the answer that ended meanwhile") {
  std::optional<ServerResponse> first;
  bool ended = false;
  const auto both = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/first") {
      first = response;
      co_return;
    }
    const http::ResponseWrite room = response.write(std::string(much, 'b'));
    leat::nextTick([&ended, response] {
      response.end();
      ended = true;
    });
    co_await room;
  };
  withServer(both, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/first") + get("/second", closing));
    while (!ended) co_await leat::sleep(1);
    std::exchange(first, std::nullopt)->end("x");
    const std::string back = co_await client.rest();
    CHECK(back.starts_with(kept("x")));
    CHECK(back.size() > much);
    CHECK(back.ends_with("0\r\n\r\n"));
  });
}
TEST_CASE("an answer that is ended because another request is aborted does not cut the last one") {
  std::optional<ServerResponse> last, second, third;
  std::optional<leat::AbortRegistration> told;
  const auto handler = [&](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() == "/last") last = response;
    if (request.url() == "/third") third = response;
    if (request.url() != "/second") return;
    second = response;
    told = request.signal().onAbort([&] {
      if (third) third->end("of no use");
    });
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/last") + get("/second") + get("/third"));
    while (!third) co_await leat::sleep(1);
    const ServerResponse ends = *std::exchange(last, std::nullopt);
    ends.setHeader("Connection", "close");
    ends.end(std::string(much, 'b'));
    const std::string back = co_await client.rest();
    CHECK(back.size() > much);
    CHECK(back.ends_with("b"));
    second.reset();
    third.reset();
  });
}
TEST_CASE("an answer that a stream ends as it goes stands whole behind the one in front of it") {
  std::optional<ServerResponse> first;
  bool second = false;
  const auto handler = [&](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() == "/first") {
      first = response;
      request.stream().on("error"_e, [](const std::exception_ptr&) {});
      return;
    }
    response.write("begun ");
    first->stream().on("error"_e, [end = std::make_shared<AtEnd>([response] {
                                     response.end("and ended");
                                   })](const std::exception_ptr&) {});
    second = true;
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/first") + get("/second", closing));
    while (!second) co_await leat::sleep(1);
    REQUIRE(first);
    std::exchange(first, std::nullopt)->end("x");
    const std::string back = co_await client.rest();
    CHECK(back == kept("x") +
                      "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "6\r\nbegun \r\n9\r\nand ended\r\n0\r\n\r\n");
  });
}
TEST_CASE("a body whose reader has gone does not keep the next request waiting") {
  const auto some = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() == "/") (void)co_await request.next();
    response.end("x");
  };
  withServer(some, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(http_rig::post("/", std::string(much, 'b')) + get("/next", closing));
    const std::string back = co_await client.rest();
    CHECK(back == kept("x") + ok("x"));
  });
}
TEST_CASE("a body whose reader has gone waits for no stream of an answer that has ended") {
  const auto some = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() != "/") {
      response.end("x");
      co_return;
    }
    response.setHeader("Content-Length", "1");
    (void)co_await request.next();
    co_await leat::pipeline(leat::readableFrom("x"), response);
  };
  withServer(some, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(http_rig::post("/", std::string(much, 'b')) + get("/next", closing));
    const leat::Timeout bound = leat::setTimeout([&] { client.socket.destroy(); }, 5'000);
    const std::string back = co_await client.rest();
    leat::clearTimeout(bound);
    CHECK(back.ends_with(ok("x")));
  });
}
TEST_CASE("a request whose body was read as a stream, and that nobody answers, is answered 500") {
  const auto forgets = [](const IncomingMessage& request) { request.stream().resume(); };
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer();
    server.on("request"_e, forgets);
    co_await start(server);
    const Client client = co_await connectTo(server);
    client.send(http_rig::post("/", "body"));
    const leat::Timeout bound = leat::setTimeout([&] { client.socket.destroy(); }, 5'000);
    const std::string back = co_await client.rest();
    leat::clearTimeout(bound);
    CHECK(back == ok("", "500 Internal Server Error"));
    (void)server.close();
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a body that is still being read is read to its end, though its handles have gone") {
  std::optional<leat::Promise<std::string>> body;
  const auto reads = [&](const IncomingMessage& request, const ServerResponse& response) {
    if (request.url() == "/") body = leat::spawn(request.text(much));
    response.end("x");
  };
  withServer(reads, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(http_rig::post("/", std::string(much, 'b')));
    while (!body) co_await leat::sleep(1);
    const std::string text = co_await *body;
    CHECK(text.size() == much);
    client.send(get("/next", closing));
    const std::string back = co_await client.rest();
    CHECK(back == kept("x") + ok("x"));
  });
}
TEST_CASE("the body of an answer is read to its end, though its handles have gone") {
  const auto big = [](const IncomingMessage&, const ServerResponse& response) {
    response.end(std::string(much, 'b'));
  };
  withServer(big, [](http::Server server) -> Task<> {
    std::optional<http::ClientRequest> request =
        http::get("http://127.0.0.1:" + std::to_string(server.address().port()) + "/");
    std::optional<IncomingMessage> answer = co_await *request;
    const auto body = leat::spawn(answer->text(much));
    answer.reset();
    request.reset();
    const std::string text = co_await body;
    CHECK(text.size() == much);
  });
}
TEST_CASE("what a listener of handlerError throws is uncaught, and the client is answered") {
  std::vector<std::string> uncaught;
  const auto throws = [](const IncomingMessage&, const ServerResponse&) {
    throw leat::Error("first");
  };
  withServer(throws, [&](http::Server server) -> Task<> {
    leat::process::on<"uncaughtException">(
        [&](std::exception_ptr error) { uncaught.push_back(textOf(error)); });
    server.on("handlerError"_e, [] { throw leat::Error("second"); });
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back == ok("", "500 Internal Server Error"));
    CHECK(uncaught == std::vector<std::string>{"second"});
  });
}
TEST_CASE("a listener that is kept beyond its server does nothing") {
  const auto main = [] {
    int calls = 0;
    std::optional<http::Server> server = http::createServer();
    server->on("handlerError"_e, [&calls, server = *server] {
      ++calls;
      server.closeIdleConnections();
    });
    const auto kept = server->listeners<"handlerError">();
    kept[0](std::make_exception_ptr(leat::Error("x")));
    CHECK(calls == 1);
    server.reset();
    kept[0](std::make_exception_ptr(leat::Error("x")));
    CHECK(calls == 1);
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a signal around a server leaves sockets alone that were handed over") {
  const auto main = []() -> Task<> {
    const leat::AbortController controller;
    std::optional<IncomingMessage> request;
    std::optional<net::Socket> taken;
    std::optional<http::Server> made;
    co_await leat::withSignal(controller.signal(), [&]() -> Task<> {
      made = http::createServer();
      co_return;
    });
    const http::Server server = *made;
    server.on("upgrade"_e, [&](const IncomingMessage& message, const net::Socket& socket) {
      request = message;
      taken = socket;
    });
    co_await start(server);
    const Client client = co_await connectTo(server);
    client.send(get("/", "Connection: Upgrade\r\nUpgrade: x\r\n"));
    while (!taken) co_await leat::sleep(1);
    co_await leat::sleep(5);
    controller.abort();
    co_await leat::sleep(5);
    CHECK_FALSE(taken->destroyed());
    taken->destroy();
    request.reset();
    (void)server.close();
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a signal around a server leaves sockets alone that were handed over with bytes unsent") {
  const auto main = []() -> Task<> {
    const leat::AbortController controller;
    std::optional<net::Socket> taken;
    std::vector<ServerResponse> asked;
    std::optional<http::Server> made;
    co_await leat::withSignal(controller.signal(), [&]() -> Task<> {
      made = http::createServer([&](const IncomingMessage&, const ServerResponse& response) {
        asked.push_back(response);
      });
      co_return;
    });
    const http::Server server = *made;
    server.on("upgrade"_e,
              [&](const IncomingMessage&, const net::Socket& socket) { taken = socket; });
    co_await start(server);
    const Client client = co_await connectTo(server);
    client.send(get("/1") + get("/2") + get("/3", "Connection: Upgrade\r\nUpgrade: x\r\n"));
    while (asked.size() < 2) co_await leat::sleep(1);
    // More than the system takes: the connection waits for room.
    (void)asked[0].write(std::string(32 << 20, 'x'));
    co_await leat::sleep(1);
    asked[1].end("2");
    co_await leat::sleep(1);
    asked[0].end();
    REQUIRE(taken.has_value());
    CHECK(taken->writableLength() > 0);
    co_await leat::sleep(1);
    controller.abort();
    co_await leat::sleep(5);
    CHECK_FALSE(taken->destroyed());
    taken->destroy();
    asked.clear();
    (void)server.close();
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a worker that exits in a handler answers nobody") {
  const auto main = []() -> Task<> {
    const auto body = []() -> Task<> {
      const auto exits = [](const IncomingMessage& message, const ServerResponse& response) {
        if (message.url() == "/exit") leat::process::exit(3);
        response.end("y");
      };
      const http::Server server = http::createServer(exits);
      co_await start(server);
      leat::worker_threads::parentPort<int>().postMessage(server.address().port());
    };
    const leat::worker_threads::Worker<int> worker(body);
    int port = 0;
    worker.on("message"_e, [&](int p) { port = p; });
    while (port == 0) co_await leat::sleep(1);
    const net::Socket socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
    const Client client(socket);
    client.send(get("/exit") + get("/"));
    const std::string back = co_await client.rest();
    CHECK(back.find("HTTP") == back.npos);
    const int code = co_await worker.exited();
    CHECK(code == 3);
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("a file of the future was changed now at the latest") {
  const leat_test::TempFolder folder;
  leat_test::put("f", "abc");
  timespec times[2];
  times[0].tv_sec = times[1].tv_sec = 4'102'444'800;  // 2100
  times[0].tv_nsec = times[1].tv_nsec = 0;
  REQUIRE(::utimensat(AT_FDCWD, "f", times, 0) == 0);
  const auto file = [](IncomingMessage request, ServerResponse response) -> Task<> {
    co_await http::sendFile(request, response, "f");
  };
  withServer(file, [](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back.find("2100") == back.npos);
    CHECK(back.find("Last-Modified: ") != back.npos);
  });
}
