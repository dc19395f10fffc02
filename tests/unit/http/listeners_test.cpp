// SPDX-License-Identifier: MIT
// Listeners of a server: every form of them, what they throw, and how long they keep what they hold.
#include <leat/events/once.hpp>
#include <leat/events/sequence.hpp>
#include <leat/http.hpp>

#include "http_rig.hpp"

#include <memory>

namespace http = leat::http;
namespace net = leat::net;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::ok;
using http_rig::post;
using http_rig::start;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::operator""_e;

namespace {

void hello(const IncomingMessage&, const ServerResponse& response) { response.end("hello"); }
void other(const IncomingMessage&, const ServerResponse& response) { response.end("other"); }

/// The texts of what "handlerError" brings.
void record(const http::Server& server, std::vector<std::string>& told) {
  server.on("handlerError"_e,
            [&told](const std::exception& error) { told.push_back(error.what()); });
}

}  // namespace

TEST_CASE("all listeners of a request are called, in order, in whatever form they came") {
  std::string told;
  const auto say = [&told](const char* word) {
    return [&told, word](const IncomingMessage& request) {
      told += word + std::string(request.url()) + " ";
    };
  };
  const auto sayLater = [&told](IncomingMessage request, ServerResponse) -> Task<> {
    co_await leat::sleep(1);
    told += "later" + std::string(request.url()) + " ";
  };
  withServer(hello, [&](http::Server server) -> Task<> {
    server.on<"request">(say("on"));
    server.addListener<"request">([&told] { told += "nothing "; });
    server.on("request"_e, sayLater);
    server.once("request"_e, say("once"));
    server.prependListener<"request">(say("front"));
    server.prependOnceListener<"request">(say("first"));
    CHECK(server.listenerCount<"request">() == 7);
    CHECK(server.listeners<"request">().size() == 7);
    std::string back = co_await ask(server, get("/1", closing));
    CHECK(back == ok("hello"));
    while (told.find("later") == told.npos) co_await leat::sleep(1);
    CHECK(told == "first/1 front/1 on/1 nothing once/1 later/1 ");
    told.clear();
    back = co_await ask(server, get("/2", closing));
    CHECK(back == ok("hello"));
    while (told.find("later") == told.npos) co_await leat::sleep(1);
    CHECK(told == "front/2 on/2 nothing later/2 ");
    server.removeAllListeners<"request">();
    server.on<"request">(hello);
    server.prependListener<"request">(other);
    server.off<"request">(&other);
    server.off("request"_e, &other);
    CHECK(server.listenerCount("request"_e) == 1);
    back = co_await ask(server, get("/3", closing));
    CHECK(back == ok("hello"));
  });
}
TEST_CASE("a listener that throws keeps no other one from being called") {
  std::vector<std::string> told;
  withServer(hello, [&](http::Server server) -> Task<> {
    record(server, told);
    server.prependListener<"request">([](const IncomingMessage& request) {
      throw std::runtime_error(std::string(request.url()));
    });
    int after = 0;
    server.on<"request">([&after] { ++after; });
    const std::string back = co_await ask(server, get("/a", closing));
    CHECK(back == ok("", "500 Internal Server Error"));
    CHECK(after == 1);
    // The handler in the middle found the answer given.
    CHECK(told == std::vector<std::string>{"/a", "write after end"});
  });
}
TEST_CASE("what a listener throws that was given a socket closes it, and is reported") {
  std::vector<std::string> told;
  const auto thrower = [](const char* word) { return [word] { throw std::runtime_error(word); }; };
  const auto lateThrower = [](const char* word) {
    return [word](IncomingMessage, net::Socket) -> Task<> {
      co_await leat::sleep(1);
      throw std::runtime_error(word);
    };
  };
  withServer(hello, [&](http::Server server) -> Task<> {
    record(server, told);
    const auto lost = [](const std::string& back) {
      return back.empty() || back == "<ECONNRESET>";
    };
    const std::string upgrade = get("/", "Connection: Upgrade\r\nUpgrade: x\r\n");
    server.once<"upgrade">(thrower("upgrade"));
    std::string back = co_await ask(server, upgrade);
    CHECK(lost(back));
    server.once<"upgrade">(lateThrower("late upgrade"));
    back = co_await ask(server, upgrade);
    CHECK(lost(back));
    server.once<"connect">(thrower("connect"));
    back = co_await ask(server, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    CHECK(lost(back));
    server.once<"clientError">(thrower("clientError"));
    back = co_await ask(server, "x\r\n");
    CHECK(lost(back));
    server.once<"connection">(thrower("connection"));
    back = co_await ask(server, get("/"));
    CHECK(lost(back));
    server.once<"checkExpectation">(thrower("checkExpectation"));
    back = co_await ask(server, get("/", "Expect: x\r\n"));
    CHECK(back == ok("", "500 Internal Server Error"));
    CHECK(told == std::vector<std::string>{"upgrade", "late upgrade", "connect", "clientError",
                                           "connection", "checkExpectation"});
    back = co_await ask(server, get("/", closing));
    CHECK(back == ok("hello"));
  });
  told.clear();
  http::ServerOptions options;
  options.maxRequestsPerSocket = 1;
  std::vector<ServerResponse> held;
  const auto hold = [&held](const IncomingMessage&, const ServerResponse& response) {
    held.push_back(response);
  };
  withServer(
      hold,
      [&](http::Server server) -> Task<> {
        record(server, told);
        server.on<"dropRequest">(thrower("dropRequest"));
        const Client client = co_await connectTo(server);
        client.send(get("/1") + get("/2"));
        while (told.empty()) co_await leat::sleep(1);
        held.front().end("x");
        held.clear();
        const std::string back = co_await client.rest();
        CHECK(back == ok("x") + ok("", "503 Service Unavailable"));
        CHECK(told == std::vector<std::string>{"dropRequest"});
      },
      options);
}
TEST_CASE("listening, error, connection and close are events") {
  std::string told;
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer(hello);
    server.once<"listening">([&told, server] {
      CHECK(server.listening());
      told += "listening ";
    });
    server.on<"connection">([&told](const net::Socket& socket) {
      CHECK(socket.remoteAddress().port() > 0);
      told += "connection ";
    });
    server.on<"close">([&told]() -> Task<> {
      co_await leat::sleep(1);
      told += "close ";
    });
    const auto heard = leat::once<"listening">(server);
    co_await start(server);
    (void)co_await heard;
    CHECK(told == "listening ");
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(back == ok("hello"));

    const http::Server second = http::createServer(hello);
    std::string code;
    second.on<"error">([&code](const std::exception& error) {
      code = dynamic_cast<const leat::SystemError&>(error).code();
    });
    std::string thrown;
    try {
      co_await second.listen({.port = server.address().port(), .host = "127.0.0.1"});
    } catch (const leat::Error& error) {
      thrown = error.code();
    }
    CHECK(thrown == "EADDRINUSE");
    while (code.empty()) co_await leat::sleep(1);
    CHECK(code == "EADDRINUSE");
    // Without a listener it is thrown alone.
    second.removeAllListeners<"error">();
    thrown.clear();
    try {
      co_await second.listen({.port = server.address().port(), .host = "127.0.0.1"});
    } catch (const leat::Error& error) {
      thrown = error.code();
    }
    CHECK(thrown == "EADDRINUSE");
    co_await server.close();
    while (told.find("close ") == told.npos) co_await leat::sleep(1);
    CHECK(told == "listening connection close ");
  };
  CHECK(leat::run(main) == 0);
}
TEST_CASE("requests can be waited for, and gone through") {
  const auto main = [&]() -> Task<> {
    const http::Server server = http::createServer();
    co_await start(server);
    auto requests = leat::on<"request">(server);
    const Client client = co_await connectTo(server);
    client.send(get("/1") + get("/2", closing));
    for (int i = 1; i <= 2; ++i) {
      const auto next = co_await requests.next();
      const auto& [request, response] = *next;
      response.end(request.url());
    }
    const std::string back = co_await client.rest();
    CHECK(back == http_rig::kept("/1") + ok("/2"));
    co_await server.close();
  };
  CHECK(leat::run(main) == 0);
}

// ---- handlers that hold their server ----

TEST_CASE("a listener that captures its own server does not keep it") {
  for (int form = 0; form < 5; ++form) {
    INFO("form " << form);
    auto token = std::make_shared<int>(0);
    const std::weak_ptr<int> alive = token;
    const auto main = [&alive, form](std::shared_ptr<int> kept) -> Task<> {
      {
        http::Server server = http::createServer();
        const auto plain = [server, kept](const IncomingMessage&, const ServerResponse& response) {
          response.end(std::to_string(server.address().port()));
        };
        const auto async = [server, kept](IncomingMessage, ServerResponse response) -> Task<> {
          co_await leat::sleep(1);
          response.end(std::to_string(server.address().port()));
        };
        const auto nested = [own = std::optional<http::Server>(server), kept](
                                const IncomingMessage&, const ServerResponse& response) {
          response.end(std::to_string(own->address().port()));
        };
        if (form == 0) server.on<"request">(plain);
        if (form == 1) server.once("request"_e, async);
        if (form == 2) server.prependListener<"request">(nested);
        if (form == 3) {
          auto moved = plain;
          server.on<"request">(std::move(moved));
          server.on<"close">([server, kept] {});
          server.on<"clientError">([server, kept]() -> Task<> { co_await leat::sleep(1); });
        }
        if (form == 4)
          server.on<"request">([own = server, kept]() mutable { own = http::createServer(); });
        if (form < 4) {
          co_await start(server);
          const std::string back = co_await ask(server, get("/", closing));
          CHECK(back == ok(std::to_string(server.address().port())));
          co_await server.close();
        }
        kept.reset();
        CHECK_FALSE(alive.expired());
      }
      for (int i = 0; i < 1000 && !alive.expired(); ++i) co_await leat::sleep(1);
      CHECK(alive.expired());
    };
    CHECK(leat::run([&] { return main(std::move(token)); }) == 0);
  }
}
TEST_CASE("a handle that a handler passes on keeps the server as any other") {
  const auto main = [&]() -> Task<> {
    std::optional<http::Server> taken;
    std::weak_ptr<int> alive;
    {
      const http::Server server = http::createServer();
      const auto token = std::make_shared<int>(0);
      alive = token;
      server.on<"request">(
          [&taken, own = server, token](const IncomingMessage&, const ServerResponse& response) {
            taken = own;
            response.end("x");
          });
      co_await start(server);
      const std::string back = co_await ask(server, get("/", closing));
      CHECK(back == ok("x"));
      co_await server.close();
    }
    co_await leat::sleep(5);
    CHECK_FALSE(alive.expired());
    CHECK(taken->listenerCount<"request">() == 1);
    co_await start(*taken);
    const std::string back = co_await ask(*taken, get("/", closing));
    CHECK(back == ok("x"));
    co_await taken->close();
    taken.reset();
    for (int i = 0; i < 1000 && !alive.expired(); ++i) co_await leat::sleep(1);
    CHECK(alive.expired());
  };
  CHECK(leat::run(main) == 0);
}
