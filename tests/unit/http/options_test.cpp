// SPDX-License-Identifier: MIT
// What a server, an agent and a request are told to do, or not.

#include "client_rig.hpp"
#include "code_thrown_by.hpp"

#include <leat/sys/calls.hpp>

#include <cmath>
#include <ctime>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

template <class F>
std::string rangeOf(F&& call) {
  try {
    (void)call();
  } catch (const RangeError& error) {
    return std::string(error.code()) + " " + error.what();
  }
  return "nothing";
}

std::string below(const std::string& name, int number) {
  return "ERR_OUT_OF_RANGE The value of \"" + name +
         "\" is out of range. It must be >= 0 && <= 2147483647. Received " + std::to_string(number);
}

}  // namespace

TEST_CASE("times of a server and of an agent are from 0", "[http]") {
  const auto main = [] {
    const auto server = [](http::ServerOptions options) {
      return rangeOf([&] { return http::createServer(options); });
    };
    CHECK(server({.headersTimeout = -1}) == below("headersTimeout", -1));
    CHECK(server({.requestTimeout = -2}) == below("requestTimeout", -2));
    CHECK(server({.connectionsCheckingInterval = -3}) == below("connectionsCheckingInterval", -3));
    CHECK(server({.keepAliveTimeout = -4}) == below("keepAliveTimeout", -4));
    CHECK(server({.timeout = -5}) == below("timeout", -5));
    CHECK(server({.headersTimeout = 0,
                  .requestTimeout = 0,
                  .connectionsCheckingInterval = 0,
                  .keepAliveTimeout = 0,
                  .timeout = 0}) == "nothing");
    const auto agent = [](http::AgentOptions options) {
      return rangeOf([&] { return http::Agent(options); });
    };
    CHECK(agent({.keepAliveMsecs = -1}) == below("options.keepAliveMsecs", -1));
    CHECK(agent({.timeout = -1}) == below("options.timeout", -1));
    CHECK(agent({.connectTimeout = -1}) == below("options.connectTimeout", -1));
    CHECK(agent({.keepAliveMsecs = 0, .timeout = 0, .connectTimeout = 0}) == "nothing");
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("the timeout of a request is a number from 0", "[http]") {
  withAnswers({"HTTP/1.1 204 No Content\r\n\r\n"}, [](Scripted& server) -> Task<> {
    const http::ClientRequest request = http::get(server.url());
    const std::string text =
        "ERR_OUT_OF_RANGE The value of \"msecs\" is out of range. It must be a non-negative finite "
        "number. Received ";
    CHECK(rangeOf([&] { return request.setTimeout(-5); }) == text + "-5");
    CHECK(rangeOf([&] { return request.setTimeout(std::nan("")); }) == text + "NaN");
    request.setTimeout(1e12, [] { FAIL("it was to be the longest that there is"); });
    const auto response = co_await request;
    CHECK(response.statusCode() == 204);
    request.destroy();
  });
}

namespace {

void answerHello(const IncomingMessage&, const ServerResponse& response) { response.end("hello"); }

/// All that comes back from a server of these options.
std::string answerUnder(const http::ServerOptions& options, const std::string& bytes) {
  std::string answer;
  const auto test = [&](http::Server server) -> Task<> { answer = co_await ask(server, bytes); };
  withServer(answerHello, test, options);
  return answer;
}
std::string manyFields(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "x: y\r\n";
  return text;
}
/// The second that the text's first Date says.
std::time_t dateOf(const std::string& text) {
  const std::string::size_type at = text.find("\r\nDate: ");
  std::tm parts{};
  if (at == text.npos ||
      ::strptime(text.c_str() + at, "\r\nDate: %a, %d %b %Y %T GMT\r\n", &parts) == nullptr)
    return -1;
  return ::timegm(&parts);
}
std::int64_t secondsNow() { return sys::realtimeNs() / 1'000'000'000; }

}  // namespace

TEST_CASE("a head has as many bytes and fields as its server allows", "[http]") {
  http::ServerOptions options;
  options.maxHeaderSize = 200;
  const std::string large = get("/", closing + "x: " + std::string(200, 'y') + "\r\n");
  const std::string tooLarge = bare("431 Request Header Fields Too Large");
  CHECK(answerUnder(options, large) == tooLarge);
  CHECK(answerUnder(options, get("/", closing)) == ok("hello"));
  // Node: that of the process.
  options.maxHeaderSize = 0;
  CHECK(answerUnder(options, large) == ok("hello"));
  CHECK(answerUnder(options, get("/", "x: " + std::string(17'000, 'y') + "\r\n")) == tooLarge);

  options.maxHeadersCount = 3;
  CHECK(answerUnder(options, get("/", closing + manyFields(1))) == ok("hello"));
  CHECK(answerUnder(options, get("/", closing + manyFields(2))) == tooLarge);
  options.maxHeadersCount = 0;
  CHECK(answerUnder(options, get("/", closing + manyFields(2500))) == ok("hello"));
}

TEST_CASE("an answer has as many fields as its agent allows", "[http][client]") {
  const std::string answer =
      "HTTP/1.1 204 No Content\r\nConnection: close\r\n" + manyFields(2500) + "\r\n";
  const auto codeUnder = [&](const http::AgentOptions& options) {
    std::string code;
    withAnswers({answer}, [&](Scripted& server) -> Task<> {
      const http::Agent agent(options);
      const auto got = co_await asResult(http::fetch(Request(server.url()).setAgent(agent)));
      code = leat_test::codeThrownBy([&] { (void)got.value(); });
    });
    return code;
  };
  CHECK(codeUnder({.maxHeaderSize = 0}) == "HPE_HEADER_OVERFLOW");
  CHECK(codeUnder({.maxHeadersCount = 2499}) == "HPE_HEADER_OVERFLOW");
  CHECK(codeUnder({.maxHeadersCount = 2501}) == "nothing");
  CHECK(codeUnder({.maxHeadersCount = 0}) == "nothing");
  CHECK(codeUnder({.maxHeaderSize = 10'000, .maxHeadersCount = 0}) == "HPE_HEADER_OVERFLOW");
}

TEST_CASE("a request needs a Host where its server says so", "[http]") {
  const std::string without = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
  CHECK(answerUnder({}, without) == bare("400 Bad Request"));
  CHECK(answerUnder({.requireHostHeader = false}, without) == ok("hello"));
}

TEST_CASE("a server closes connections that are silent for its timeout", "[http]") {
  // Without it this one waits for a minute.
  CHECK(answerUnder({.timeout = 20}, "GET / HT") == "");
  const auto never = [](IncomingMessage request, ServerResponse response) -> Task<> {
    while (!request.signal().aborted()) co_await sleep(1);
    (void)response;
  };
  const auto test = [](http::Server server) -> Task<> {
    const std::string answer = co_await ask(server, get("/"));
    CHECK(answer == "");
  };
  withServer(never, test, {.timeout = 20});
}

TEST_CASE("a server has as many connections as it allows", "[http]") {
  const auto test = [](http::Server server) -> Task<> {
    const Client first = co_await connectTo(server);
    first.send(get("/"));
    std::string answer = co_await first.until("hello");
    CHECK(answer == kept("hello"));
    const Client second = co_await connectTo(server);
    answer = co_await second.rest();
    CHECK(answer == "");
    CHECK(server.connections() == 1);
    first.send(get("/", closing));
    answer = co_await first.rest();
    CHECK(answer == ok("hello"));
  };
  withServer(answerHello, test, {.maxConnections = 1});
}

TEST_CASE("connections that are idle are closed when the server is told to, others are not",
          "[http]") {
  bool free = false;
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    while (request.url() == "/slow" && !free) co_await sleep(1);
    response.end("hello");
  };
  const auto test = [&](http::Server server) -> Task<> {
    const Client idle = co_await connectTo(server);
    idle.send(get("/"));
    std::string answer = co_await idle.until("hello");
    const Client busy = co_await connectTo(server);
    busy.send(get("/slow"));
    while (server.connections() < 2) co_await sleep(1);
    server.closeIdleConnections();
    answer = co_await idle.rest();
    CHECK(answer == "");
    while (server.connections() > 1) co_await sleep(1);
    free = true;
    answer = co_await busy.until("hello");
    CHECK(answer.find("HTTP/1.1 200 OK") == 0);
    answer = co_await ask(server, get("/", closing));
    CHECK(answer == ok("hello"));
  };
  // It would close them, too.
  withServer(handler, test, {.keepAliveTimeout = 0});
}

TEST_CASE("an answer says which second it is", "[http]") {
  withServer(answerHello, [](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    for (int round = 0; round < 2; ++round) {
      // A loop knows the time of its turn.
      co_await sleep(1);
      const std::int64_t before = secondsNow();
      client.send(get("/"));
      std::string text;
      while (text.find("hello") == text.npos) {
        const Buffer chunk = co_await client.socket.read();
        text += chunk.view();
      }
      CHECK(dateOf(text) >= before);
      CHECK(dateOf(text) <= secondsNow());
      while (secondsNow() == before) co_await sleep(10);
    }
  });
}
