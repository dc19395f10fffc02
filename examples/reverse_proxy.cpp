// SPDX-License-Identifier: MIT
// reverse_proxy: passes requests on to servers behind it, bodies as streams both ways, over kept connections. A server
// that cannot be reached is left out, one that takes too long is answered for. With ports it goes on until ^C:
//     reverse_proxy 8080 3001 3002
#include <leat.hpp>
#include <leat/http.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace leat;

constexpr int answerMs = 1'500;  // as long as a server may take for its head

// [proxy]
/// What is said from end to end: the fields without those of one connection (RFC 9110 section 7.6.1).
template <class Message>
void passOn(const http::MessageHeaders& fields, Message& message) {
  for (const auto [name, value] : fields) message.appendHeader(name, value);
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "te", "trailer",
                           "transfer-encoding", "upgrade", "host"})
    message.removeHeader(name);
  // And those that the sender says are of this connection.
  std::string_view named = fields.get("connection").value_or("");
  while (!named.empty()) {
    const std::string_view name = named.substr(0, named.find(','));
    named.remove_prefix(std::min(name.size() + 1, named.size()));
    const auto from = name.find_first_not_of(" \t");
    if (from != name.npos)
      message.removeHeader(name.substr(from, name.find_last_not_of(" \t") - from + 1));
  }
}

/// Where the path begins in a target that is a whole URL, as proxies are asked: servers behind this one get the path alone.
/// The host that the URL says is the request's Host.
std::string pathOf(std::string_view target) {
  const auto scheme = target.starts_with('/') ? target.npos : target.find("://");
  if (scheme == target.npos) return std::string(target);
  target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
  return (target.starts_with('/') ? "" : "/") + std::string(target);
}

bool hasBody(const http::IncomingMessage& request) {
  return request.header("content-length").value_or("0") != "0" ||
         request.header("transfer-encoding");
}

class Proxy {
 public:
  explicit Proxy(std::vector<std::string> servers) : servers_(std::move(servers)) {}

  Task<> operator()(http::IncomingMessage request, http::ServerResponse response) {
    std::optional<http::Response> answer;
    for (std::size_t tried = 0; !answer; ++tried) {
      if (tried == servers_.size()) throw http::HttpError(502, "no server can be reached");
      answer = co_await ask(servers_[at_ % servers_.size()], request);
    }
    response.setStatusCode(answer->status());
    passOn(answer->headers(), response);
    co_await pipeline(*answer, response);  // as fast as the client takes it
  }

 private:
  /// Nothing when the server cannot be reached. Stops when the client goes.
  Task<std::optional<http::Response>> ask(std::string server, http::IncomingMessage request) {
    http::Request onward(request.method(), server);
    onward.setTarget(pathOf(request.url())).setRedirect(http::Redirect::Manual).setAgent(agent_);
    passOn(request.headers(), onward);
    if (hasBody(request)) onward.setBody(request.stream());  // as fast as the server takes it
    onward.setSignal(request.signal());
    try {
      co_return co_await withTimeout(answerMs, http::fetch(onward));
    } catch (const TimeoutError&) {
      throw http::HttpError(504, server + " does not answer");
    } catch (const SystemError& error) {
      if (error.code() != "ECONNREFUSED") throw http::HttpError(502, error.what());
    }
    ++at_;
    // A body is here only once.
    if (hasBody(request)) throw http::HttpError(502, server + " cannot be reached");
    co_return std::nullopt;
  }

  std::vector<std::string> servers_;
  std::size_t at_ = 0;
  http::Agent agent_{{.maxSockets = 64}};
};
// [/proxy]

Task<> behind(http::IncomingMessage request, http::ServerResponse response) {
  if (request.url() == "/slow") co_await sleep(5'000, {.signal = request.signal()});
  response.setHeader("X-Server", "behind");
  if (request.method() == "POST")
    co_await pipeline(request, response);
  else
    response.end("hello, " + std::string(request.url()));
}

Task<> show(http::Request request) {
  const http::Response response = co_await http::fetch(request);
  const std::string text = co_await response.text();
  std::printf("%s %s: %d, %zu bytes, from %s\n", request.method().c_str(),
              std::string(request.url().pathname()).c_str(), response.status(), text.size(),
              std::string(response.header("x-server").value_or("the proxy")).c_str());
}

Task<> program(int port, std::vector<std::string> servers) {
  const http::Server server = http::createServer(behind);
  if (servers.empty()) {
    co_await server.listen({.port = 0, .host = "127.0.0.1"});
    servers = {"http://127.0.0.1:1",  // nobody listens there
               "http://127.0.0.1:" + std::to_string(server.address().port())};
  }
  const http::Server proxy = http::createServer(Proxy(servers));
  proxy.on("handlerError"_e, [](const std::exception_ptr& error) {
    const std::string text = describe(error);
    std::printf("proxy: %s\n", text.ends_with("does not answer [ERR_HTTP]")
                                   ? "a server does not answer"
                                   : text.c_str());
  });
  co_await proxy.listen({.port = port, .host = "127.0.0.1"});
  if (port != 0) {
    co_await nextSignal("SIGINT", "SIGTERM");
  } else {
    const std::string base = "http://127.0.0.1:" + std::to_string(proxy.address().port());
    co_await show(http::Request(base + "/a"));
    co_await show(http::Request("POST", base + "/b").setBody(std::string(1'000'000, 'x')));
    co_await show(http::Request(base + "/slow"));
    const http::Agent asked({.proxy = base});
    co_await show(http::Request("http://example.test?c").setAgent(asked));
    asked.destroy();
    http::globalAgent().destroy();
  }
  co_await proxy.close();
  if (server.listening()) {
    const auto closed = server.close();
    server.closeIdleConnections();
    co_await closed;
  }
}

int main(int argc, char** argv) {
  std::vector<std::string> servers;
  for (int i = 2; i < argc; ++i) servers.push_back(std::string("http://127.0.0.1:") + argv[i]);
  return run([&] { return program(argc > 1 ? std::atoi(argv[1]) : 0, servers); });
}
