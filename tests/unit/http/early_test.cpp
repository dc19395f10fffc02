// SPDX-License-Identifier: MIT
// Answers that come before all of the request has been sent, as Node's http and its fetch take them.

#include "client_rig.hpp"

#include <leat/stream.hpp>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

/// Answers each head at once, and reads what comes behind it only when it may.
class Hasty {
 public:
  Task<> listen() {
    server_ = leat::net::createServer(
        [this](const leat::net::Socket& socket) -> Task<> { return serve(socket); });
    co_await server_->listen({.port = 0, .host = "127.0.0.1"});
  }
  Task<> close() {
    mayRead.set();
    const auto closed = server_->close();
    for (const auto& socket : sockets_) socket.destroy();
    co_await closed;
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_->address().port()) + "/";
  }
  std::size_t connections() const { return sockets_.size(); }
  ManualResetEvent mayRead;

 private:
  Task<> serve(leat::net::Socket socket) {
    sockets_.push_back(socket);
    try {
      (void)co_await socket.readUntil("\r\n\r\n");
      co_await socket.write(answerOf("no"));
      co_await mayRead.wait();
      for (Buffer chunk = co_await socket.read(); !chunk.empty();) chunk = co_await socket.read();
    } catch (const Error&) {
      // It has gone.
    }
  }
  std::optional<leat::net::Server> server_;
  std::vector<leat::net::Socket> sockets_;
};

template <class Test>
void withHasty(Test test) {
  const auto main = [&]() -> Task<> {
    Hasty server;
    co_await server.listen();
    co_await test(server);
    co_await server.close();
  };
  CHECK(leat::run(main) == 0);
}

/// More than the kernel takes from somebody whose peer does not read.
const std::string hastyUpload(20'000'000, 'x');

/// Gives pieces for ever, and says when it is no longer wanted.
Readable<Buffer> endlessPieces(bool& destroyed) {
  struct Source {
    bool* destroyed;
    Task<std::optional<Buffer>> read() { co_return Buffer::from(std::string(50'000, 'x')); }
    void destroy(const std::exception_ptr&) { *destroyed = true; }
  };
  return Readable<Buffer>{Source{&destroyed}};
}

TEST_CASE("what has not been sent stands in front of no other request", "[http][agent]") {
  withHasty([](Hasty& server) -> Task<> {
    const Agent agent;
    const Request request = Request("POST", server.url()).setAgent(agent);
    const ClientRequest upload = http::request(request);
    upload.end(hastyUpload);
    std::string text = co_await textOf(upload);
    CHECK(text == "no");
    co_await sleep(1);
    CHECK(upload.socket().writableLength() > 0);
    CHECK(agent.sockets() == 1);
    CHECK(agent.freeSockets() == 0);
    text = co_await textOf(http::get(Request(server.url()).setAgent(agent)));
    CHECK(text == "no");
    CHECK(server.connections() == 2);
    // Until the server takes it.
    server.mayRead.set();
    while (agent.freeSockets() < 2) co_await sleep(1);
    CHECK(agent.sockets() == 0);
  });
}

TEST_CASE("a connection whose rest nobody takes goes with its request", "[http][agent]") {
  withHasty([](Hasty& server) -> Task<> {
    const Agent agent;
    const ClientRequest upload = http::request(Request("POST", server.url()).setAgent(agent));
    upload.end(hastyUpload);
    const std::string text = co_await textOf(upload);
    CHECK(text == "no");
    upload.destroy();
    while (agent.sockets() > 0) co_await sleep(1);
    CHECK(agent.freeSockets() == 0);
  });
}

TEST_CASE("a request that nobody can end is given up, though its answer was read as a stream",
          "[http][agent]") {
  withAnswers({answerOf("early")}, [](Scripted& server) -> Task<> {
    const Agent agent;
    std::optional<ClientRequest> request(
        http::request(Request("POST", server.url()).setAgent(agent)));
    (void)request->write("a part");
    {
      const IncomingMessage answer = co_await request->response();
      const Readable<Buffer> body = answer.stream();
      std::string text;
      body.on<"data">([&](const Buffer& chunk) { text += chunk.view(); });
      co_await finished(body);
      CHECK(text == "early");
    }
    CHECK(agent.sockets() == 1);
    request.reset();
    for (int i = 0; i < 1'000 && agent.sockets() > 0; ++i) co_await sleep(1);
    CHECK(agent.sockets() == 0);
  });
}

TEST_CASE("a request goes on sending behind its answer, a fetch does not", "[http][fetch]") {
  withHasty([](Hasty& server) -> Task<> {
    std::string text;
    const Agent agent;
    const Request request = Request("POST", server.url()).setAgent(agent);
    const ClientRequest asked = http::request(request);
    (void)asked.write("part");
    text = co_await textOf(asked);
    CHECK(text == "no");
    CHECK(agent.sockets() == 1);
    CHECK(asked.write("more"));

    bool destroyed = false;
    Request streamed = request;
    streamed.setBody(endlessPieces(destroyed));
    const http::Response answer = co_await http::fetch(streamed);
    text = co_await answer.text();
    CHECK(text == "no");
    while (!destroyed) co_await sleep(1);
    CHECK(agent.sockets() == 1);
    Request whole = request;
    whole.setBody(hastyUpload);
    const http::Response other = co_await http::fetch(whole);
    text = co_await other.text();
    CHECK(text == "no");
    while (agent.sockets() > 1) co_await sleep(1);
    CHECK(agent.freeSockets() == 0);
    asked.end();
    while (agent.freeSockets() == 0) co_await sleep(1);
  });
}
