// SPDX-License-Identifier: MIT
// A server for real clients, good and bad ones: server [NAME=NUMBER...] [file=PATH], an option of http::ServerOptions
// each, and what "/file" is. Prints its port; ends by SIGTERM, in the middle of everything.

#include <leat.hpp>
#include <leat/http.hpp>
#include <leat/http/send_file.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace leat;
using http::IncomingMessage;
using http::ServerResponse;

struct Counts {
  int waiting = 0;  // for an answer that never comes
  int aborted = 0;  // by clients that did not wait for their answer
  int thrown = 0;
  int refused = 0;  // what was no request, or came too late
};
Counts counts;
std::string report;  // of the page
std::string file;

constexpr int assets = 50;

std::string pageText() {
  std::string text = "<!doctype html><title>assets</title>";
  for (int i = 0; i < assets; ++i)
    text += "<img src='/asset/" + std::to_string(i) + "' onload='++loaded' onerror='++wrong'>";
  return text.insert(text.find("<img"), "<script>let loaded = 0, wrong = 0;</script>") +
         R"(<script>
onload = async () => {
  const body = 'x'.repeat(1000000);
  const back = await (await fetch('/echo', { method: 'POST', body })).text();
  const seen = `${loaded} loaded, ${wrong} wrong, ${back === body ? 'the same' : 'another'} back`;
  await fetch('/report', { method: 'POST', body: seen });
  document.body.append(seen);
};
</script>)";
}

std::string statsText() {
  return "waiting " + std::to_string(counts.waiting) + "\naborted " +
         std::to_string(counts.aborted) + "\nthrown " + std::to_string(counts.thrown) +
         "\nrefused " + std::to_string(counts.refused) + "\nreport " + report + "\n";
}

/// As many bytes as the client takes.
Task<> sendBytes(ServerResponse response, std::size_t left) {
  const std::string piece(16 * 1024, 'b');
  while (left > 0) {
    const std::size_t size = std::min(left, piece.size());
    const http::ResponseWrite written = response.write(std::string_view(piece).substr(0, size));
    co_await written;
    left -= size;
  }
  response.end();
}

Task<> waitForEver(IncomingMessage request) {
  ++counts.waiting;
  try {
    co_await sleep(1'000'000, {.signal = request.signal()});
  } catch (const Error&) {
    ++counts.aborted;
    throw;
  }
}

Task<> answer(IncomingMessage request, ServerResponse response) {
  const std::string url(request.url());
  if (url == "/") {
    response.end("hello");
  } else if (url == "/echo") {
    co_await pipeline(request, response);
  } else if (url == "/trailers") {
    response.writeEarlyHints({{"Link", "</style.css>; rel=preload"}});
    response.setHeader("Trailer", "X-Sum");
    response.write("body");
    response.addTrailers({{"X-Sum", "4"}});
    response.end();
  } else if (url.starts_with("/bytes/")) {
    co_await sendBytes(response, std::stoul(url.substr(7)));
  } else if (url.starts_with("/asset/")) {
    response.setHeader("Content-Type", "image/svg+xml");
    response.end("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
  } else if (url == "/file") {
    co_await http::sendFile(request, response, file, {.contentType = "video/mp4"});
  } else if (url == "/never") {
    co_await waitForEver(request);
  } else if (url == "/throw") {
    throw std::runtime_error("as it was asked to");
  } else if (url == "/page") {
    response.setHeader("Content-Type", "text/html");
    const std::string text = pageText();
    response.end(text);
  } else if (url == "/report") {
    report = co_await request.text();
    response.end();
  } else if (url == "/stats") {
    const std::string text = statsText();
    response.end(text);
  } else {
    throw http::HttpError(404);
  }
}

http::ServerOptions options;

void setOption(std::string_view argument) {
  const std::size_t sign = argument.find('=');
  const std::string_view name = argument.substr(0, sign);
  const int value = std::atoi(argument.data() + sign + 1);
  if (name == "file") {
    file = argument.substr(sign + 1);
  } else if (name == "headersTimeout") {
    options.headersTimeout = value;
  } else if (name == "keepAliveTimeout") {
    options.keepAliveTimeout = value;
  } else if (name == "connectionsCheckingInterval") {
    options.connectionsCheckingInterval = value;
  } else {
    std::fprintf(stderr, "server: no option %s\n", argument.data());
    std::exit(2);
  }
}

Task<> serve() {
  const http::Server server = http::createServer(answer, options);
  server.on("handlerError"_e, [](const std::exception_ptr&) { ++counts.thrown; });
  server.on("clientError"_e, [](const std::exception_ptr& error, const net::Socket& socket) {
    ++counts.refused;
    int status = 400;
    try {
      std::rethrow_exception(error);
    } catch (const http::HttpError& refusal) {
      status = refusal.status();
    } catch (const Error& late) {
      if (late.code() == "ERR_HTTP_REQUEST_TIMEOUT") status = 408;
    }
    socket.end("HTTP/1.1 " + std::to_string(status) + " Refused\r\nConnection: close\r\n\r\n");
  });
  co_await server.listen({.host = "127.0.0.1", .backlog = 4096});
  std::printf("%d\n", server.address().port());
  std::fflush(stdout);
  co_await nextSignal("SIGTERM");
  const auto closed = server.close();
  server.closeAllConnections();
  co_await closed;
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) setOption(arguments[i]);
  return run(serve);
}
