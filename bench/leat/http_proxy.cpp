// SPDX-License-Identifier: MIT

// The proxy of the HTTP rows: http_proxy PORT UPSTREAM_PORT. Prints the port that it listens on. It does what
// examples/reverse_proxy.cpp does, with one server behind it: fields of one connection are left out, bodies are streams
// both ways, connections are kept, and a server that takes too long is answered for.

#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace leat;

constexpr int answerMs = 60'000;  // as long as nginx waits

/// Without those of one connection.
template <class Message>
void passOn(const http::MessageHeaders& fields, Message& message) {
  for (const auto [name, value] : fields) message.appendHeader(name, value);
  for (const char* name : {"connection", "keep-alive", "proxy-connection", "te", "trailer",
                           "transfer-encoding", "upgrade", "host"})
    message.removeHeader(name);
}

class Proxy {
 public:
  explicit Proxy(const std::string& server) : onward_(server) {
    onward_.setRedirect(http::Redirect::Manual).setAgent(http::Agent({.maxSockets = 64}));
  }

  Task<> operator()(http::IncomingMessage request, http::ServerResponse response) {
    http::Request onward(onward_);
    onward.setMethod(request.method()).setTarget(request.url());
    passOn(request.headers(), onward);
    if (onward.header("content-length").value_or("0") != "0" || request.header("transfer-encoding"))
      onward.setBody(request.stream());
    onward.setSignal(request.signal());
    const http::Response answer = co_await withTimeout(answerMs, http::fetch(onward));
    response.setStatusCode(answer.status());
    passOn(answer.headers(), response);
    co_await pipeline(answer, response);
  }

 private:
  http::Request onward_;
};

Task<> serve(int port, std::string server) {
  const http::Server proxy = http::createServer(Proxy(server));
  co_await proxy.listen({.port = port, .host = "127.0.0.1", .backlog = 1024});
  std::printf("%d\n", proxy.address().port());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: http_proxy PORT UPSTREAM_PORT\n");
    return 2;
  }
  const int port = std::atoi(arguments[1]);
  const std::string server = std::string("http://127.0.0.1:") + arguments[2];
  return run([=] { return serve(port, server); });
}
