// SPDX-License-Identifier: MIT
// Asks the server on a port one thing after the other with leat's client, and prints what it gets: see client.js.
#include <leat.hpp>
#include <leat/http.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

using namespace leat;

namespace {

using Send = std::function<void(const http::ClientRequest&)>;

std::string text(std::optional<std::string_view> value) { return std::string(value.value_or("")); }
std::string codeOf(const std::exception_ptr& error, bool withText) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return "error " + std::string(e.code()) + (withText ? std::string(" ") + e.what() : "");
  }
}

/// What comes of a request, told in words.
class Asked {
 public:
  Asked(const http::ClientRequest& request, std::string name)
      : request_(request), name_(std::move(name)) {
    request_.on("information"_e, [this](const http::Information& information) {
      say("info " + std::to_string(information.statusCode()) + " " +
          text(information.headers().get("link")));
    });
    request_.on("continue"_e, [this] {
      say("continue");
      request_.end("body");
    });
    request_.on("upgrade"_e,
                [this](const http::IncomingMessage& answer, const net::Socket& socket,
                       const Buffer& head) { handed("upgrade", answer, socket, head); });
    request_.on("connect"_e,
                [this](const http::IncomingMessage& answer, const net::Socket& socket,
                       const Buffer& head) { handed("connect", answer, socket, head); });
  }
  Task<> all() {
    const auto answer = co_await asResult(request_.response());
    if (handed_) co_return;
    if (!answer) co_return say(codeOf(answer.error(), false));
    const http::IncomingMessage& message = answer.value();
    std::string cookies;
    for (const std::string_view each : message.headers().all("set-cookie"))
      cookies += (cookies.empty() ? "" : ",") + std::string(each);
    say(std::to_string(message.statusCode()) + " " + std::string(message.statusMessage()) +
        " HTTP/" + std::string(message.httpVersion()) + " x=" + message.headers().joined("x-a") +
        " etag=" + message.headers().joined("etag") + " cookie=" + cookies);
    std::string body;
    for (;;) {
      const auto chunk = co_await asResult(message.next());
      if (!chunk) co_return say("body " + body + " " + codeOf(chunk.error(), true));
      if (!chunk.value()) break;
      body += chunk.value()->view();
    }
    say("body " + body + " trailer=" + text(message.trailers().get("x-t")) +
        " reused=" + (request_.reusedSocket() ? "true" : "false"));
  }
  ~Asked() { std::printf("%s: %s\n", name_.c_str(), said_.c_str()); }

 private:
  void say(const std::string& what) { said_ += (said_.empty() ? "" : "; ") + what; }
  void handed(const char* how, const http::IncomingMessage& answer, const net::Socket& socket,
              const Buffer& head) {
    handed_ = true;
    socket.destroy();
    say(std::string(how) + " " + std::to_string(answer.statusCode()) + " " +
        std::string(head.view()));
  }
  http::ClientRequest request_;
  std::string name_;
  std::string said_;
  bool handed_ = false;
};

class Asker {
 public:
  explicit Asker(std::string base) : base_(std::move(base)) {}
  http::Request of(std::string name, std::string_view method = "GET") const {
    std::replace(name.begin(), name.end(), ' ', '-');
    return http::Request(method, base_ + "/" + name).setAgent(agent_);
  }
  Task<> ask(std::string name, http::Request request, Send send) const {
    const http::ClientRequest made = http::request(request);
    Asked asked(made, name);
    send(made);
    co_await asked.all();
  }
  Task<> ask(std::string name) const { return ask(name, of(name), end); }
  Task<> ask(std::string name, http::Request request) const { return ask(name, request, end); }
  void done() const { agent_.destroy(); }

 private:
  static void end(const http::ClientRequest& request) { request.end(); }
  std::string base_;
  http::Agent agent_;
};

Task<> everything(int port) {
  const Asker a("http://127.0.0.1:" + std::to_string(port));
  co_await a.ask("get");
  co_await a.ask("again");
  co_await a.ask("query", a.of("query?a=b&c"));
  co_await a.ask("head", a.of("head", "HEAD"));
  co_await a.ask("delete", a.of("delete", "DELETE"));
  co_await a.ask("options", a.of("options", "OPTIONS").setTarget("*"));
  co_await a.ask("post", a.of("post", "POST"), [](const auto& r) { r.end("body"); });
  co_await a.ask("post empty", a.of("post empty", "POST"));
  co_await a.ask("put pieces", a.of("put pieces", "PUT"), [](const auto& r) {
    (void)r.write("one");
    (void)r.write("two");
    r.end("three");
  });
  co_await a.ask("length", a.of("length", "PUT").setHeader("Content-Length", "6"),
                 [](const auto& r) {
                   (void)r.write("one");
                   r.end("two");
                 });
  co_await a.ask("trailers", a.of("trailers", "POST").setHeader("Trailer", "X-T"),
                 [](const auto& r) {
                   (void)r.write("one");
                   r.addTrailers({{"X-T", "1"}});
                   r.end();
                 });
  http::Request fields = a.of("fields");
  fields.setHeader("X-One", "1").setHeader("accept", "a");
  fields.appendHeader("X-Two", "2").appendHeader("X-Two", "3");
  co_await a.ask("fields", fields);
  co_await a.ask("host", a.of("host").setHeader("Host", "other"));
  http::Request user = a.of("user");
  user.setUrl("http://a%20b:c@127.0.0.1:" + std::to_string(port) + "/user");
  co_await a.ask("user", user);
  co_await a.ask("close", a.of("close").setHeader("Connection", "close"));
  co_await a.ask("chunked");
  co_await a.ask("until close");
  co_await a.ask("old");
  co_await a.ask("no content");
  co_await a.ask("not modified");
  co_await a.ask("joined");
  co_await a.ask("all joined", a.of("all joined").setJoinDuplicateHeaders(true));
  co_await a.ask("hints");
  co_await a.ask("expect", a.of("expect", "POST").setHeader("Expect", "100-continue"),
                 [](const auto& r) { r.flushHeaders(); });
  co_await a.ask("cut");
  co_await a.ask("hang up");
  co_await a.ask("bad status");
  co_await a.ask("two lengths");
  co_await a.ask("both lengths");
  co_await a.ask("no number");
  co_await a.ask("upgrade",
                 a.of("upgrade").setHeader("Connection", "Upgrade").setHeader("Upgrade", "x"));
  co_await a.ask("connect", a.of("connect", "CONNECT").setTarget("a:1"));
  co_await a.ask("refused connect", a.of("refused connect", "CONNECT").setTarget("a:2"));
  a.done();
}

}  // namespace

int main(int, char** argv) {
  return run([&] { return everything(std::atoi(argv[1])); });
}
