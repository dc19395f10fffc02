// SPDX-License-Identifier: MIT
#include "client_rig.hpp"

#include <leat/async_hooks.hpp>
#include <leat/events.hpp>
#include <leat/promise.hpp>
#include <leat/timers.hpp>

#include <memory>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

/// Answers each request with its target, when it is told to.
struct Slow {
  Task<> operator()(IncomingMessage request, ServerResponse response) const {
    const int number = ++*begun;
    const std::string target(request.url());
    while (*answered < number && target != "/now") co_await sleep(1);
    response.end(target);
  }
  std::shared_ptr<int> begun = std::make_shared<int>(0);
  std::shared_ptr<int> answered = std::make_shared<int>(0);
};
Request with(const Agent& agent, const std::string& url) { return Request(url).setAgent(agent); }

}  // namespace

TEST_CASE("requests beyond maxSockets wait for a connection", "[http][agent]") {
  const Slow slow;
  withServer(slow, [&](http::Server server) -> Task<> {
    const Agent agent({.maxSockets = 2});
    std::vector<Promise<std::string>> answers;
    for (int i = 0; i < 5; ++i)
      answers.push_back(
          spawn(textOf(http::get(with(agent, urlOf(server, "/" + std::to_string(i)))))));
    while (*slow.begun < 2) co_await sleep(1);
    CHECK(agent.sockets() == 2);
    CHECK(agent.requests() == 3);
    *slow.answered = 5;
    std::string all;
    for (const auto& answer : answers) all += co_await answer;
    CHECK(all == "/0/1/2/3/4");
    CHECK(server.connections() == 2);
    CHECK(agent.freeSockets() == 2);
    CHECK(agent.sockets() == 0);
    CHECK(agent.requests() == 0);
  });
}

TEST_CASE("a request that was aborted waits for no connection", "[http][agent]") {
  const Slow slow;
  withServer(slow, [&](http::Server server) -> Task<> {
    std::string text;
    const Agent agent({.maxSockets = 1});
    const auto first = spawn(textOf(http::get(with(agent, urlOf(server, "/first")))));
    AbortController controller;
    const auto aborted = spawn(
        failureOf(http::get(with(agent, urlOf(server, "/x")).setSignal(controller.signal()))));
    const auto last = spawn(textOf(http::get(with(agent, urlOf(server, "/now")))));
    while (agent.requests() < 2) co_await sleep(1);
    controller.abort();
    text = co_await aborted;
    CHECK(text == "ABORT_ERR This operation was aborted");
    *slow.answered = 1;
    text = co_await first + co_await last;
    CHECK(text == "/first/now");
    CHECK(*slow.begun == 2);
  });
}

TEST_CASE("with maxTotalSockets a free connection makes room for another place", "[http][agent]") {
  const Slow slow;
  withServer(slow, [&](http::Server one) -> Task<> {
    std::string text;
    const http::Server two = http::createServer(slow);
    co_await start(two);
    const Agent agent({.maxTotalSockets = 1});
    text = co_await textOf(http::get(with(agent, urlOf(one, "/now"))));
    CHECK(text == "/now");
    CHECK(agent.freeSockets() == 1);
    const auto first = spawn(textOf(http::get(with(agent, urlOf(two, "/a")))));
    const auto second = spawn(textOf(http::get(with(agent, urlOf(one, "/b")))));
    while (*slow.begun < 2) co_await sleep(1);
    CHECK(agent.sockets() == 1);
    CHECK(agent.requests() == 1);
    *slow.answered = 10;
    text = co_await first + co_await second;
    CHECK(text == "/a/b");
    CHECK(agent.sockets() + agent.freeSockets() == 1);
    agent.destroy();
    co_await two.close();
  });
}

TEST_CASE("a connection that nobody wants there makes room where somebody waits", "[http][agent]") {
  const Slow slow;
  withServer(slow, [&](http::Server one) -> Task<> {
    const http::Server two = http::createServer(slow);
    co_await start(two);
    const Agent agent({.maxTotalSockets = 1, .timeout = 0});
    const auto first = spawn(textOf(http::get(with(agent, urlOf(one, "/a")))));
    const auto second = spawn(textOf(http::get(with(agent, urlOf(two, "/b")))));
    while (*slow.begun < 1) co_await sleep(1);
    CHECK(agent.requests() == 1);
    *slow.answered = 10;
    const std::string both = co_await first + co_await second;
    CHECK(both == "/a/b");
    agent.destroy();
    co_await two.close();
  });
}

TEST_CASE("free connections are taken last first, or first first", "[http][agent]") {
  for (const bool lifo : {true, false}) {
    const Slow slow;
    withServer(slow, [&](http::Server server) -> Task<> {
      const Agent agent({.lifo = lifo});
      const ClientRequest a = http::get(with(agent, urlOf(server)));
      while (*slow.begun < 1) co_await sleep(1);
      const ClientRequest b = http::get(with(agent, urlOf(server)));
      *slow.answered = 1;
      (void)co_await textOf(a);
      *slow.answered = 100;
      (void)co_await textOf(b);
      CHECK(agent.freeSockets() == 2);
      const ClientRequest c = http::get(with(agent, urlOf(server)));
      (void)co_await textOf(c);
      CHECK(c.reusedSocket());
      CHECK((c.socket() == b.socket()) == lifo);
      CHECK((c.socket() == a.socket()) == !lifo);
    });
  }
}

TEST_CASE("no more connections stay free than may", "[http][agent]") {
  const Slow slow;
  *slow.answered = 100;
  withServer(slow, [&](http::Server server) -> Task<> {
    const Agent agent({.maxFreeSockets = 1});
    const ClientRequest a = http::get(with(agent, urlOf(server)));
    const ClientRequest b = http::get(with(agent, urlOf(server)));
    (void)co_await textOf(a);
    (void)co_await textOf(b);
    CHECK(agent.freeSockets() == 1);
    while (agent.sockets() > 0) co_await sleep(1);
  });
}

TEST_CASE("without keepAlive each request has its connection and says so", "[http][agent]") {
  withAnswers({answerOf("a"), answerOf("b")}, [](Scripted& server) -> Task<> {
    std::string text;
    const Agent agent({.keepAlive = false});
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "a");
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "b");
    CHECK(server.connections() == 2);
    CHECK(server.saidBy(0) == "GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
  });
}

TEST_CASE("a free connection closes after its time, and before the server's", "[http][agent]") {
  withAnswers({answerOf("a"), answerOf("b", "Keep-Alive: timeout=1\r\n"),
               answerOf("c", "Keep-Alive: max=5, timeout=2\r\n")},
              [](Scripted& server) -> Task<> {
                std::string text;
                const Agent quick({.timeout = 5});
                text = co_await textOf(http::get(with(quick, server.url())));
                CHECK(text == "a");
                CHECK(quick.freeSockets() == 1);
                while (quick.freeSockets() > 0) co_await sleep(1);
                const Agent agent({.timeout = 0});
                // One second less than it says is nothing.
                text = co_await textOf(http::get(with(agent, server.url())));
                CHECK(text == "b");
                CHECK(agent.freeSockets() == 0);
                text = co_await textOf(http::get(with(agent, server.url())));
                CHECK(text == "c");
                CHECK(agent.freeSockets() == 1);
                while (agent.freeSockets() > 0) co_await sleep(5);
              });
}

TEST_CASE("an idempotent request is sent again when its kept connection was closed",
          "[http][agent]") {
  withAnswers({answerOf("a"), "<close>", answerOf("b"), "<close>", answerOf("never")},
              [](Scripted& server) -> Task<> {
                std::string text;
                const Agent agent;
                text = co_await textOf(http::get(with(agent, server.url("/1"))));
                CHECK(text == "a");
                const ClientRequest again = http::get(with(agent, server.url("/2")));
                text = co_await textOf(again);
                CHECK(text == "b");
                CHECK_FALSE(again.reusedSocket());
                CHECK(server.connections() == 2);
                CHECK(server.saidBy(1) ==
                      "GET /2 HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n");
                // It may have been done: nobody knows.
                const ClientRequest post =
                    http::request(Request("POST", server.url("/3")).setAgent(agent));
                post.end();
                text = co_await failureOf(post);
                CHECK(text == "ECONNRESET socket hang up");
                CHECK(post.reusedSocket());
                CHECK(server.connections() == 2);
              });
}

TEST_CASE("a connection that its user closes is not tried again", "[http][agent]") {
  withAnswers({answerOf("a"), "", answerOf("never")}, [](Scripted& server) -> Task<> {
    const Agent agent;
    (void)co_await textOf(http::get(with(agent, server.url())));
    const ClientRequest request = http::get(with(agent, server.url()));
    const auto failed = spawn(failureOf(request));
    while (server.saidBy(0).find("GET", 3) == std::string::npos) co_await sleep(1);
    request.socket().destroy();
    const std::string text = co_await failed;
    CHECK(text == "ECONNRESET socket hang up");
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("much that nobody reads costs its connection", "[http][agent]") {
  const auto handler = [](const IncomingMessage& request, ServerResponse response) -> Task<> {
    const std::string piece(50'000, 'x');
    while (!request.signal().aborted()) co_await response.write(piece);
  };
  withServer(handler, [](http::Server server) -> Task<> {
    const Agent agent;
    {
      const IncomingMessage answer = co_await http::get(with(agent, urlOf(server)));
    }
    while (agent.sockets() > 0) co_await sleep(1);
    CHECK(agent.freeSockets() == 0);
  });
}

TEST_CASE("what comes on a free connection unasked closes it", "[http][agent]") {
  withAnswers({answerOf("a") + answerOf("more"), answerOf("b")}, [](Scripted& server) -> Task<> {
    std::string text;
    const Agent agent;
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "a");
    CHECK(agent.freeSockets() == 0);
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "b");
    CHECK(agent.freeSockets() == 1);
    (void)server.socket(1).write("HTTP/1.1 200 OK\r\n");
    while (agent.freeSockets() > 0) co_await sleep(1);
  });
}

TEST_CASE("an answer that nobody reads frees its connection", "[http][agent]") {
  const std::string large(60'000, 'x');
  const auto handler = [&](const IncomingMessage&, const ServerResponse& response) {
    response.end(large);
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Agent agent;
    // Nobody asks for it, and somebody stops in the middle.
    http::get(with(agent, urlOf(server)));
    while (agent.freeSockets() == 0) co_await sleep(1);
    {
      const IncomingMessage answer = co_await http::get(with(agent, urlOf(server)));
      const std::optional<Buffer> piece = co_await answer.next();
      CHECK(piece.has_value());
    }
    while (agent.freeSockets() == 0) co_await sleep(1);
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("who waits for a connection holds the loop, though nobody reads what comes on it",
          "[http][agent]") {
  for (const bool waitsBefore : {true, false}) {
    CAPTURE(waitsBefore);
    std::string text;
    const auto main = [&]() -> Task<> {
      Scripted server({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", ""});
      co_await server.listen();
      const Agent agent({.maxSockets = 1});
      std::optional<ClientRequest> first(http::get(with(agent, server.url())));
      (void)co_await first->response();
      if (!waitsBefore) first.reset();
      const ClientRequest second = http::get(with(agent, server.url()));
      while (agent.requests() == 0) co_await sleep(1);
      first.reset();
      // What the server does holds nothing.
      server.unref();
      bool ended = false;
      bool answered = false;
      const auto go = [&] {
        const std::string& said = server.said.at(0);
        if (!std::exchange(ended, true)) return (void)server.socket(0).write("b");
        if (said.find("\r\n\r\n") == said.rfind("\r\n\r\n") || answered) return;
        answered = true;
        (void)server.socket(0).write(answerOf("second"));
      };
      Timeout going = setInterval(go, 1);
      going.unref();
      text = co_await textOf(second);
      going.close();
      co_await server.close();
    };
    CHECK(run(main) == 0);
    CHECK(text == "second");
  }
}

TEST_CASE("the timeout of a request is not that of the next one on its connection",
          "[http][agent]") {
  withAnswers({answerOf("a"), ""}, [](Scripted& server) -> Task<> {
    std::string text;
    const Agent agent({.maxSockets = 1});
    std::optional<ClientRequest> first(http::get(with(agent, server.url())));
    first->setTimeout(10);
    const ClientRequest second = http::get(with(agent, server.url()));
    text = co_await textOf(*first);
    CHECK(text == "a");
    // With it goes what it would have told.
    first.reset();
    while (server.said.at(0).find("\r\n\r\n") == server.said.at(0).rfind("\r\n\r\n"))
      co_await sleep(1);
    co_await sleep(30);
    (void)server.socket(0).write(answerOf("b"));
    text = co_await textOf(second);
    CHECK(text == "b");
    CHECK(second.reusedSocket());
  });
}

TEST_CASE("an answer that comes before the request has ended", "[http][agent]") {
  withAnswers(
      {answerOf("early"), "", "HTTP/1.1 413 No\r\nConnection: close\r\n\r\nno<end>"},
      [](Scripted& server) -> Task<> {
        std::string text;
        const Agent agent;
        const ClientRequest kept = http::request(Request("POST", server.url()).setAgent(agent));
        (void)kept.write("part");
        text = co_await textOf(kept);
        CHECK(text == "early");
        CHECK(agent.freeSockets() == 0);
        co_await kept.end("rest\r\n");
        CHECK(agent.freeSockets() == 1);
        const ClientRequest closed = http::request(Request("POST", server.url()).setAgent(agent));
        (void)closed.write("part");
        text = co_await textOf(closed);
        CHECK(text == "no");
        CHECK(agent.freeSockets() == 0);
        CHECK_FALSE(closed.write("more"));
        std::string code;
        try {
          co_await closed.end();
        } catch (const Error& error) {
          code = error.code();
        }
        CHECK(code == "EPIPE");
      });
}

TEST_CASE("connections go with their agent, and do not hold the loop", "[http][agent]") {
  std::optional<Agent> kept;
  withAnswers({answerOf("a"), answerOf("b")}, [](Scripted& server) -> Task<> {
    std::string text;
    {
      const Agent agent;
      text = co_await textOf(http::get(with(agent, server.url())));
      CHECK(text == "a");
      CHECK(agent.freeSockets() == 1);
    }
    while (!server.socket(0).readableEnded()) co_await sleep(1);
    const Agent agent;
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "b");
    agent.destroy();
    CHECK(agent.freeSockets() == 0);
  });
  // One that would stay free for an hour: the loop ends by itself.
  const auto main = [&]() -> Task<> {
    Scripted server({answerOf("a")});
    co_await server.listen();
    const Agent agent({.timeout = 3'600'000});
    const std::string text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "a");
    CHECK(agent.freeSockets() == 1);
    kept = agent;
    server.unref();
  };
  CHECK(run(main) == 0);
  CHECK(kept->freeSockets() == 0);
  kept.reset();
}

TEST_CASE("a socket that is silent is told of, and nothing else", "[http][agent]") {
  withAnswers({"HTTP/1.1 100 Continue\r\n\r\n"}, [](Scripted& server) -> Task<> {
    std::string text;
    const ClientRequest request = http::get(server.url());
    int timeouts = 0;
    request.setTimeout(5, [&] { ++timeouts; });
    const auto failed = spawn(failureOf(request));
    while (timeouts == 0) co_await sleep(1);
    CHECK_FALSE(request.socket().destroyed());
    request.destroy();
    text = co_await failed;
    CHECK(text == "ECONNRESET socket hang up");
  });
}

TEST_CASE("listeners of a request are called in its context", "[http][agent]") {
  withAnswers({answerOf("a"), answerOf("b")}, [](Scripted& server) -> Task<> {
    AsyncLocalStorage<int> storage;
    std::vector<int> seen;
    for (const int i : {1, 2}) {
      std::optional<ClientRequest> request;
      storage.run(i, [&] { request = http::get(server.url()); });
      request->on("response"_e,
                  [&] { seen.push_back(storage.getStore() ? *storage.getStore() : 0); });
      (void)co_await textOf(*request);
    }
    CHECK(seen == std::vector<int>{1, 2});
    CHECK(server.connections() == 1);
  });
}

TEST_CASE("a proxy is asked for the whole URL, or for a way through", "[http][agent]") {
  withAnswers({answerOf("p"), "HTTP/1.1 200 Connection established\r\n\r\n", answerOf("t"),
               "HTTP/1.1 403 Forbidden\r\n\r\n", ""},
              [](Scripted& server) -> Task<> {
                std::string text;
                const std::string proxy = "http://u%40:pw@" + server.host();
                const Agent whole({.proxy = proxy});
                text = co_await textOf(http::get(with(whole, "http://example.test:81/a?b")));
                CHECK(text == "p");
                CHECK(server.saidBy(0) ==
                      "GET http://example.test:81/a?b HTTP/1.1\r\nHost: example.test:81\r\n"
                      "Proxy-Authorization: Basic dUA6cHc=\r\nConnection: keep-alive\r\n\r\n");
                const Agent through({.proxy = proxy, .proxyTunnel = true});
                text = co_await textOf(http::get(with(through, "http://example.test/a")));
                CHECK(text == "t");
                CHECK(server.saidBy(1) ==
                      "CONNECT example.test:80 HTTP/1.1\r\nHost: example.test:80\r\n"
                      "Proxy-Authorization: Basic dUA6cHc=\r\n\r\n"
                      "GET /a HTTP/1.1\r\nHost: example.test\r\nConnection: keep-alive\r\n\r\n");
                text = co_await failureOf(http::get(with(through, "http://other.test/")));
                CHECK(text ==
                      "ERR_PROXY_TUNNEL The proxy gives no way to other.test:80: \"HTTP/1.1 403 "
                      "Forbidden\"");
                CHECK(through.sockets() == 0);
                CHECK_THROWS_AS(Agent({.proxy = "nonsense"}), TypeError);
                const Agent silent({.connectTimeout = 20, .proxy = proxy, .proxyTunnel = true});
                text = co_await failureOf(http::get(with(silent, "http://other.test/")));
                CHECK(text.starts_with("TIMEOUT_ERR"));
              });
}

TEST_CASE("the loop may end with requests in every state", "[http][agent]") {
  const auto main = []() -> Task<> {
    std::string text;
    Scripted server({answerOf("a"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", "", ""});
    co_await server.listen();
    const Agent agent({.maxSockets = 3});
    text = co_await textOf(http::get(with(agent, server.url())));
    CHECK(text == "a");
    (void)spawn(textOf(http::get(with(agent, server.url()))));
    (void)spawn(textOf(http::get(with(agent, server.url()))));
    const ClientRequest open = http::request(Request("POST", server.url()).setAgent(agent));
    (void)open.write("part");
    (void)spawn(textOf(http::get(with(agent, server.url()))));
    (void)spawn(textOf(http::get(with(agent, server.url()))));
    while (server.connections() < 3) co_await sleep(1);
    (void)spawn(textOf(http::get("http://127.0.0.1:1/")));
    EventLoop::current().stop();
  };
  CHECK(run(main) == 0);
}
