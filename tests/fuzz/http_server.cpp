// SPDX-License-Identifier: MIT
// A server and a client that sends it the input, whole, cut at random places, and while system calls fail; of half of the
// inputs on the other back end, too. The sockets are those of the system: what it makes of a call is not simulated.
//
// Where the input is cut may say how many of its requests are answered, for what is no HTTP ends the connection at once;
// it never says how. Each run ends with no connection left.
#include <leat/http.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net.hpp>
#include <leat/testing/fuse.hpp>

#include <unistd.h>

#include <cerrno>

#include "fuzz.hpp"
#include "parser_listener.hpp"

namespace {

using namespace leat;
using http::IncomingMessage;
using http::ServerResponse;

std::string address() {
  // Abstract: nothing is left of it in a file system.
  return std::string("\0leat-fuzz-", 11) + std::to_string(::getpid());
}

/// Which answer is told to the client by its fields, so that it can be read alone.
Task<> answer(IncomingMessage request, ServerResponse response) {
  response.setHeader("X-Method", request.method());
  const std::string_view url = request.url();
  if (url == "/body") {
    const std::string body = co_await request.text(1000);
    response.end(body);
  } else if (url == "/stream") {
    while (const std::optional<Buffer> chunk = co_await request.next())
      co_await response.write(*chunk);
    response.addTrailers({{"X-End", "here"}});
    response.end();
  } else if (url == "/throw") {
    throw std::runtime_error("as it was asked to");
  } else if (url == "/drop") {
    request.resume();
  } else if (url != "/leave") {
    response.end(url);
  }
}

/// What the client gets; without what a failure leaves undone, each is whole.
Task<std::string> ask(fuzz::Pieces pieces) {
  const std::string path = address();
  const net::Socket socket = co_await net::connect({.path = path});
  std::string all;
  try {
    for (const std::string_view piece : pieces) {
      co_await socket.write(piece);
      // The server reads before the next one is there.
      co_await nextImmediate();
    }
    co_await socket.end();
    for (Buffer chunk = co_await socket.read(); !chunk.empty(); chunk = co_await socket.read())
      all += chunk.view();
  } catch (const Error&) {
    // The server has closed: so it may.
  }
  socket.destroy();
  co_return all;
}

/// io_uring, where there is one; it answers as epoll does.
std::string_view otherBackend() {
  static const bool there = [] {
    try {
      return run([]() -> Task<> { co_return; }, {.backend = "io_uring"}) == 0;
    } catch (const Error&) {
      return false;
    }
  }();
  return there ? "io_uring" : "epoll";
}

std::string serveOnce(const fuzz::Pieces& pieces, std::string_view backend = "epoll") {
  std::string all;
  const auto main = [&]() -> Task<> {
    http::ServerOptions options;
    options.httpAllowHalfOpen = true;
    options.maxHeaderSize = 1024;
    const http::Server server = http::createServer(answer, options);
    const Listener reported = server.on("handlerError"_e, [](const std::exception_ptr&) {});
    const std::string path = address();
    co_await server.listen({.path = path});
    try {
      all = co_await ask(pieces);
    } catch (const Error&) {
      // To connect is a system call, too.
    }
    const auto closed = server.close();
    server.closeAllConnections();
    co_await closed;
    if (server.connections() != 0) fuzz::fail("no connection is left", "", "");
  };
  if (run(main, {.backend = backend}) != 0) fuzz::fail("the loop ends well", "", "");
  return all;
}

/// The answers, one by one; a last one that is not whole is left out.
std::vector<std::string> answersIn(std::string_view text) {
  using namespace http::detail;
  std::vector<std::string> answers;
  ParserOptions options;
  options.kind = MessageKind::Response;
  Parser parser(options);
  Head head;
  std::string told;
  (void)http_rig::parseAll(parser, head, text, [&](ParseEvent event) {
    if (event == ParseEvent::Failed)
      fuzz::fail("what is answered is HTTP", text, textOf(parser.fault()).message);
    if (event == ParseEvent::Body) told += parser.body();
    if (event == ParseEvent::Head) {
      told = std::to_string(head.status) + " ";
      bool bodiless = false;
      for (const FieldParts& parts : head.fields) {
        const FieldView field = head.field(parts);
        bodiless = bodiless || (field.name == "X-Method" && field.value == "HEAD");
        if (field.name != "Date")
          told += std::string(field.name) + "=" + std::string(field.value) + ";";
      }
      if (bodiless) parser.skipBody();
    }
    // Interim answers have no body, but an end.
    if (event == ParseEvent::End) answers.push_back(std::exchange(told, {}));
    return true;
  });
  return answers;
}

/// Those of one are the first of the other's, but for the refusal that is the last of either.
void compare(std::vector<std::string> one, std::vector<std::string> other) {
  for (auto* answers : {&one, &other})
    if (!answers->empty() && answers->back().starts_with("4")) answers->pop_back();
  const std::size_t both = std::min(one.size(), other.size());
  for (std::size_t i = 0; i < both; ++i) fuzz::same("answers", one[i], other[i]);
}

}  // namespace

void fuzz::run(std::string_view input) {
  const std::vector<std::string> all = answersIn(serveOnce(whole(input)));
  Random random(input);
  const std::string_view backend = random.below(2) == 0 ? "epoll" : otherBackend();
  compare(answersIn(serveOnce(cut(input, 0))), all);
  compare(answersIn(serveOnce(cut(input, 1), backend)), all);

  constexpr int errors[] = {ECONNRESET, EPIPE, ENOBUFS, EINTR, ENOMEM};
  using testing::calls;
  testing::FaultInjector injector;
  // Not those of accepting, which is tried again after a while.
  injector.fail(calls(sys::Call::recv, sys::Call::send, sys::Call::sendmsg, sys::Call::shutdown,
                      sys::Call::setsockopt),
                errors[random.below(std::size(errors))], static_cast<long>(1 + random.below(12)));
  compare(answersIn(serveOnce(cut(input, 2), backend)), all);
}
