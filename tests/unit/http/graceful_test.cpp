// SPDX-License-Identifier: MIT
// The end of a server that is in use: what is in flight is answered, and another process takes over.
#include <leat/http.hpp>
#include <leat/loop.hpp>
#include <leat/process.hpp>
#include <leat/sync.hpp>

#include "child.hpp"
#include "http_rig.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>

namespace http = leat::http;
namespace net = leat::net;
namespace process = leat::process;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::Client;
using http_rig::connectTo;
using http_rig::get;
using http_rig::kept;
using http_rig::ok;
using http_rig::start;
using leat::Error;
using leat::Task;
using process::ShutdownPhase;

namespace {

/// What a server in production does about its end.
void stopInOrder(const http::Server& server) {
  process::onShutdown([server] { (void)server.close(); },
                      {.name = "listener", .phase = ShutdownPhase::Accepting});
  const auto drained = [server](leat::AbortSignal late) -> Task<> {
    const auto force = late.onAbort([server] { server.closeAllConnections(); });
    co_await server.close();
  };
  process::onShutdown(drained, {.name = "requests"});
}

// ---- a rolling restart ----

/// A process that serves from when it is told to until SIGTERM.
class ServerProcess {
 public:
  explicit ServerProcess(std::uint16_t port) {
    int commands[2], news[2];
    if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(news, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::alarm(60);
      ::close(commands[1]);
      ::close(news[0]);
      char go = 0;
      if (::read(commands[0], &go, 1) != 1) ::_exit(9);
      ::_exit(serve(port, news[1]));
    }
    ::close(commands[0]);
    ::close(news[1]);
    command_.reset(commands[1]);
    news_.reset(news[0]);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  Task<> begin() {
    (void)!::write(command_.get(), "x", 1);
    const int port = co_await told();
    REQUIRE(port > 0);
  }
  void terminate() const { ::kill(pid_, SIGTERM); }
  /// How many requests it has answered.
  Task<int> end() {
    const int count = co_await told();
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    co_return count;
  }

 private:
  /// The next number that it tells.
  Task<int> told() {
    const int fd = news_.get();
    co_await leat::wait(fd, leat::Ready::Readable);
    int number = -1;
    CHECK(::read(fd, &number, sizeof number) == sizeof number);
    co_return number;
  }
  static int serve(std::uint16_t port, int news) {
    int served = 0;
    const int code = leat::run([&]() -> Task<> {
      const auto answer = [&served](IncomingMessage, ServerResponse response) -> Task<> {
        co_await leat::sleep(served % 4);
        ++served;
        response.end("x");
      };
      const http::Server server = http::createServer(answer);
      co_await server.listen({.port = port, .host = "127.0.0.1", .reusePort = true});
      // It is busy at that moment: connections wait in the backlog.
      process::onShutdown([] { ::usleep(20'000); }, {.phase = ShutdownPhase::Accepting});
      stopInOrder(server);
      const int listening = server.address().port();
      (void)!::write(news, &listening, sizeof listening);
    });
    (void)!::write(news, &served, sizeof served);
    return code;
  }

  pid_t pid_ = -1;
  leat::sys::UniqueFd command_;
  leat::sys::UniqueFd news_;
};

struct Counts {
  int answered = 0;
  int resent =
      0;  // on a kept connection that the server closed meanwhile, which no request survives
  std::string lost;
  bool stop = false;
};

/// Asks on a new connection each time, or on one as long as it is kept.
Task<> askOn(std::uint16_t port, bool keep, Counts& counts) {
  std::optional<Client> client;
  while (!counts.stop) {
    const bool reused = client.has_value();
    std::string answer;
    try {
      if (!reused) client.emplace(co_await net::connect({.port = port, .host = "127.0.0.1"}));
      client->send(get("/", keep ? "" : http_rig::closing));
      answer = co_await client->until("\r\n\r\nx");
    } catch (const Error& error) {
      answer = std::string(error.code());
    }
    if (answer == kept("x") && keep) {
      ++counts.answered;
      continue;
    }
    client.reset();
    if (answer == ok("x")) {
      ++counts.answered;
    } else if (reused && (answer.empty() || answer == "ECONNRESET" || answer == "EPIPE")) {
      ++counts.resent;
    } else {
      counts.lost += answer + "\n";
    }
  }
}

/// A port on which nobody listens but who may share it; nobody else gets it meanwhile.
class SharedPort {
 public:
  SharedPort() {
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    REQUIRE(::setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    REQUIRE(::bind(socket_, any, size) == 0);
    REQUIRE(::getsockname(socket_, any, &size) == 0);
    number_ = ntohs(address.sin_port);
  }
  SharedPort(const SharedPort&) = delete;
  SharedPort& operator=(const SharedPort&) = delete;
  ~SharedPort() { ::close(socket_); }
  std::uint16_t number() const { return number_; }

 private:
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t number_ = 0;
};

}  // namespace

TEST_CASE(
    "a shutdown answers what is in flight, closes idle connections, and says close to new "
    "requests") {
  const auto end = leat_test::inChild([] {
    return leat::run([]() -> Task<> {
      auto gate = std::make_shared<leat::ManualResetEvent>();
      const auto answer = [gate](IncomingMessage request, ServerResponse response) -> Task<> {
        if (request.url() == "/slow") co_await gate->wait();
        response.end("x");
      };
      const http::Server server = http::createServer(answer);
      co_await start(server);
      // Registered in the wrong order.
      process::onShutdown([] { std::printf("database\n"); }, {.phase = ShutdownPhase::Resources});
      stopInOrder(server);

      const Client idle = co_await connectTo(server);
      idle.send(get("/"));
      std::string back = co_await idle.until("\r\n\r\nx");
      CHECK(back == kept("x"));
      const Client silent = co_await connectTo(server);
      const Client busy = co_await connectTo(server);
      busy.send(get("/slow"));
      while (server.connections() < 3) co_await leat::sleep(1);
      ::raise(SIGTERM);
      back = co_await idle.rest();
      std::printf("idle: '%s'\n", back.c_str());
      silent.send(get("/"));
      back = co_await silent.rest();
      std::printf("silent: %s\n", back == ok("x") ? "answered" : back.c_str());
      auto refused = co_await leat::asResult(connectTo(server));
      std::printf("new: %s\n", refused.ok() ? "connected" : "refused");
      busy.send(get("/second"));
      gate->set();
      back = co_await busy.rest();
      std::printf("busy: %s\n",
                  back == kept("x") + ok("x") || back == ok("x") ? "answered" : back.c_str());
      co_await leat::sleep(100'000);
    });
  });
  CHECK(end.out == "idle: ''\nsilent: answered\nnew: refused\nbusy: answered\ndatabase\n");
  CHECK(end.err.empty());
  CHECK(end.code == 0);
}

TEST_CASE("requests that are not done in time lose their connections, and the code tells") {
  const auto end = leat_test::inChild([] {
    return leat::run([]() -> Task<> {
      const auto never = [](IncomingMessage, ServerResponse response) -> Task<> {
        co_await leat::sleep(100'000);
        response.end("x");
      };
      const http::Server server = http::createServer(never);
      co_await start(server);
      stopInOrder(server);
      process::setShutdownOptions({.deadline = 30});
      const Client client = co_await connectTo(server);
      client.send(get("/"));
      while (server.connections() == 0) co_await leat::sleep(1);
      process::shutdown();
      const std::string back = co_await client.rest();
      std::printf("%s\n", back.c_str());
      co_await leat::sleep(100'000);
    });
  });
  CHECK(end.code == 1);
  CHECK_THAT(end.err, leat_test::containsText("hook \"requests\" (draining)"));
}

TEST_CASE("a server that hands its port over answers the next request of a kept connection, too") {
  bool answered = false;
  const auto once = [&answered]() -> Task<> {
    const auto hello = [](const IncomingMessage&, const ServerResponse& response) {
      response.end("x");
    };
    const http::Server server = http::createServer(hello);
    co_await server.listen({.host = "127.0.0.1", .reusePort = true});
    const Client asks = co_await connectTo(server);
    const Client idle = co_await connectTo(server);
    for (const Client& client : {asks, idle}) {
      client.send(get("/"));
      const std::string first = co_await client.until("\r\n\r\nx");
      CHECK(first == kept("x"));
    }
    const std::int64_t left = leat::sys::monotonicNs();
    const auto closed = server.close();
    asks.send(get("/"));
    std::string back = co_await asks.rest();
    const bool paused = leat::sys::monotonicNs() - left >= 150'000'000;
    answered = back == ok("x");
    if (!paused) CHECK(back == ok("x"));
    back = co_await idle.rest();
    CHECK(back.empty());
    co_await closed;
  };
  // The connection is kept for 200 ms more; the machine may pause for so long.
  for (int tries = 0; tries < 5 && !answered; ++tries) CHECK(leat::run(once) == 0);
  CHECK(answered);
}

TEST_CASE("a rolling restart under load loses no request: each process hands its port over") {
  const SharedPort shared;
  const std::uint16_t port = shared.number();
  ServerProcess processes[] = {ServerProcess(port), ServerProcess(port), ServerProcess(port)};
  Counts counts;
  int served = 0;
  const int code = leat::run([&]() -> Task<> {
    leat::setTimeout([] { throw Error("the test hangs"); }, 50'000).unref();
    co_await processes[0].begin();
    std::vector<leat::Promise<>> clients;
    for (int i = 0; i < 16; ++i) clients.push_back(leat::spawn(askOn(port, i % 4 == 0, counts)));
    for (int next = 1; next < 3; ++next) {
      const int enough = counts.answered + 400;
      while (counts.answered < enough) co_await leat::sleep(1);
      co_await processes[next].begin();
      processes[next - 1].terminate();
      const int count = co_await processes[next - 1].end();
      served += count;
      CHECK(count > 0);
    }
    counts.stop = true;
    for (const auto& client : clients) co_await client;
    processes[2].terminate();
    served += co_await processes[2].end();
  });
  CHECK(code == 0);
  CHECK(counts.lost == "");
  CHECK(counts.answered >= 800);
  // None twice, and none for nothing.
  CHECK(served == counts.answered);
}
