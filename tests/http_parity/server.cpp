// SPDX-License-Identifier: MIT
// The side of leat: a server whose answers are compared, byte for byte, with those of server.js.

#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

namespace {

using namespace leat;
using http::IncomingMessage;
using http::ServerResponse;
using Request = const IncomingMessage&;
using Response = const ServerResponse&;
using Route = std::function<void(Request, Response)>;

// Each of Set-Cookie, which `joined` does not give.
std::string one(Request request, std::string_view name) {
  if (!request.headers().has(name)) return "-";
  if (name != "set-cookie") return request.headers().joined(name);
  std::string all;
  for (const auto value : request.headers().all(name))
    all.append(all.empty() ? "" : ",").append(value);
  return all;
}
Task<> echo(IncomingMessage request, ServerResponse response) {
  const std::string body = co_await request.text();
  response.end(body);
}
void request(Request q, Response r) {
  r.end(std::string(q.method()) + " " + std::string(q.url()) + " " + std::string(q.httpVersion()) +
        " " + one(q, "x") + " " + one(q, "cookie") + " " + one(q, "user-agent") + " " +
        one(q, "set-cookie") + " " + std::to_string(q.headers().size()) + " " +
        one(q, "content-type") + " " + one(q, "host"));
}
void status(Response response, int code, std::string_view words, std::string_view body) {
  response.setStatusCode(code).setStatusMessage(words);
  response.end(body);
}

const std::map<std::string, Route> routes{
    {"/hello", [](Request, Response r) { r.end("hello"); }},
    {"/empty", [](Request, Response r) { r.end(); }},
    {"/set",
     [](Request, Response r) {
       r.setHeader("X-One", "1").setHeader("X-Two", "2").setHeader("x-one", "3");
       r.setHeader("Set-Cookie", {"a", "b"}).setHeader("Gone", "x");
       r.removeHeader("GONE");
       r.end("set");
     }},
    {"/status", [](Request, Response r) { status(r, 404, "", "no"); }},
    {"/words", [](Request, Response r) { status(r, 299, "Odd", ""); }},
    {"/unknown", [](Request, Response r) { status(r, 299, "", ""); }},
    {"/pieces",
     [](Request, Response r) {
       r.write("a");
       r.write("bcd");
       r.end("e");
     }},
    {"/trailers",
     [](Request, Response r) {
       r.setHeader("Trailer", "x");
       r.write("a");
       r.addTrailers({{"x", "y"}});
       r.end();
     }},
    {"/length",
     [](Request, Response r) {
       r.setHeader("Content-Length", "3").write("ab");
       r.end("c");
     }},
    {"/corked",
     [](Request, ServerResponse r) {
       r.cork();
       r.write("a");
       r.cork();
       r.write("bc");
       r.uncork();
       setTimeout(
           [r] {
             r.uncork();
             r.write("d");
             r.cork();
             r.end("e");
           },
           10);
     }},
    {"/corked-whole",
     [](Request, Response r) {
       r.cork();
       r.end("whole");
     }},
    {"/204", [](Request, Response r) { status(r, 204, "", ""); }},
    {"/304", [](Request, Response r) { status(r, 304, "", ""); }},
    {"/205", [](Request, Response r) { status(r, 205, "", ""); }},
    {"/close", [](Request, Response r) { r.setHeader("Connection", "close").end("bye"); }},
    {"/keep", [](Request, Response r) { r.setHeader("Connection", "keep-alive").end("kept"); }},
    {"/date", [](Request, Response r) { r.setSendDate(false).end("no date"); }},
    {"/mydate", [](Request, Response r) { r.setHeader("Date", "today").end("mine"); }},
    {"/hints",
     [](Request, Response r) {
       r.writeProcessing();
       r.end("x");
     }},
    {"/flush",
     [](Request, Response r) {
       r.flushHeaders();
       r.end("x");
     }},
    {"/late", [](Request, ServerResponse r) { setTimeout([r] { r.end("late"); }, 10); }},
    {"/echo", [](Request q, Response r) { (void)spawn(echo(q, r)); }},
    {"/request", request},
    {"http://b/request", request},
};

Task<> program(std::string option) {
  http::ServerOptions options;
  options.joinDuplicateHeaders = option == "join";
  if (option == "limit") {
    options.keepAliveTimeout = 1000;
    options.maxRequestsPerSocket = 2;
  }
  const http::Server server = http::createServer(
      [](Request request, Response response) {
        const std::string url(request.url());
        const auto route = routes.find(url.substr(0, url.find('?')));
        if (route != routes.end()) return route->second(request, response);
        status(response, 404, "", "");
      },
      options);
  co_await server.listen({.host = "127.0.0.1"});
  std::printf("%d\n", server.address().port());
  std::fflush(stdout);
  const Readable<Buffer> input = process::stdin_();
  for (bool more = true; more;) more = (co_await input.next()).has_value();
  EventLoop::current().stop();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string option = argc > 1 ? argv[1] : "";
  return run([&option] { return program(option); });
}
