// SPDX-License-Identifier: MIT
// Compiled alone: it replaces the allocation operators.
// Allocations that fail in the middle of an answer: whoever catches that goes on as if nothing had been said.
#include "http_rig.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>
#include <new>

namespace http = leat::http;
using http_rig::ask;
using http_rig::closing;
using http_rig::get;
using http_rig::withServer;
using leat::Task;

namespace {

// How many allocations this thread may make before all fail; negative: any number.
thread_local long allowed = -1;
// How many have failed.
thread_local long refused = 0;
// How many blocks there are, but those of frames.
thread_local long blocks = 0;

void* allocate(std::size_t size) {
  if (allowed == 0) {
    ++refused;
    throw std::bad_alloc();
  }
  if (allowed > 0) --allowed;
  if (void* const block = std::malloc(size > 0 ? size : 1)) {
    ++blocks;
    return block;
  }
  throw std::bad_alloc();
}

// Not inlined, or g++ sees `free` for what came from `new`.
LEAT_NOINLINE void deallocate(void* block) noexcept {
  if (block != nullptr) --blocks;
  std::free(block);
}

/// Calls `f` without memory. Whether it threw.
template <class F>
bool failsWithout(F&& f) {
  allowed = 0;
  try {
    f();
  } catch (const std::bad_alloc&) {
    allowed = -1;
    return true;
  }
  allowed = -1;
  return false;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(size);
  } catch (...) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return ::operator new(size, std::nothrow);
}
void operator delete(void* block) noexcept { deallocate(block); }
void operator delete[](void* block) noexcept { deallocate(block); }
void operator delete(void* block, std::size_t) noexcept { deallocate(block); }
void operator delete[](void* block, std::size_t) noexcept { deallocate(block); }

TEST_CASE("a field for which there is no memory is not sent") {
  http::detail::OutgoingFields fields;
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "X-" + std::to_string(i);
    if (failsWithout([&] { fields.set(name, "value"); })) ++failed;
    if (!fields.get(name)) fields.set(name, "again");
    std::string expected;
    for (std::size_t k = 0; k < fields.size(); ++k)
      expected += std::string(fields[k].name) + ": " + std::string(fields[k].value) + "\r\n";
    CHECK(fields.whole() == expected);
  }
  CHECK(failed > 1);
  CHECK(failed < 100);
}
TEST_CASE("an answer for which there was no memory can be given again, with its head") {
  bool failed = false;
  const auto handler = [&](const http::IncomingMessage& request,
                           const http::ServerResponse& response) {
    if (request.url() == "/before") {  // the date is known from here on
      response.end("zero");
      return;
    }
    response.setHeader("X-Large", std::string(10'000, 'v'));
    failed = failsWithout([&] { response.end("one"); });
    response.end("two");
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/before") + get("/", closing));
    CHECK(failed);
    const std::string fields = "X-Large: " + std::string(10'000, 'v') + "\r\n";
    CHECK(back == http_rig::kept("zero") + http_rig::ok("two", "200 OK", fields));
  });
}
TEST_CASE("nothing stands for a piece of a body for which there was no memory") {
  bool failed = false;
  bool failedAtEnd = false;
  const std::string large(100'000, 'x');
  const auto handler = [&](const http::IncomingMessage&, const http::ServerResponse& response) {
    (void)response.write("first");
    failed = failsWithout([&] { (void)response.write(large); });
    failedAtEnd = failsWithout([&] { response.end(large); });
    response.end("last");
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const std::string back = co_await ask(server, get("/", closing));
    CHECK(failed);
    CHECK(failedAtEnd);
    CHECK(back ==
          "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n");
  });
}
// Each that follows would be taken for the one in front of it.
TEST_CASE("where an answer that waited is lost, nothing follows") {
  std::optional<http::ServerResponse> first;
  const std::string large(100'000, 'x');
  bool failed = false;
  const auto handler = [&](const http::IncomingMessage& request,
                           const http::ServerResponse& response) -> Task<> {
    if (request.url() ==
        "/before") {  // the date is known from here on, and there is room for a small answer
      response.end(std::string(1000, 'b'));
    } else if (request.url() == "/first") {
      const http::ServerResponse mine = response;
      co_await leat::sleep(2);
      failed = failsWithout([&] { mine.end("first"); });
    } else {
      response.end(request.url() == "/second" ? std::string_view(large) : "third");
    }
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const http_rig::Client client = co_await http_rig::connectTo(server);
    client.send(get("/before"));
    (void)co_await client.until("bbb");
    client.send(get("/first") + get("/second") + get("/third", closing));
    const std::string back = co_await client.rest();
    CHECK(failed);
    CHECK(back.find("third") == back.npos);
  });
}
TEST_CASE("an answer that was sent in part is not sent again") {
  const std::string large(20'000'000, 'x');
  bool done = false;
  const auto handler = [&](const http::IncomingMessage&,
                           const http::ServerResponse& response) -> Task<> {
    const http::ServerResponse mine = response;
    co_await leat::sleep(1);
    mine.end(large);
    // Behind what sends it.
    leat::nextTick([&] {
      allowed = -1;
      done = true;
    });
    allowed = 0;
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const http_rig::Client client = co_await http_rig::connectTo(server);
    client.send(get("/") + get("/"));
    while (!done) co_await leat::sleep(1);
    const std::string back = co_await client.rest();
    CHECK(back.size() < large.size());
    CHECK(back.rfind("HTTP/1.1") == 0);
  });
}
TEST_CASE("a connection for which there is no memory is closed, and others are served") {
  const auto handler = [](const http::IncomingMessage&, const http::ServerResponse& response) {
    response.end("x");
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    int closed = 0;
    for (int enough = 0; enough < 12; ++enough) {
      INFO(enough);
      const long before = refused;
      const leat::net::SocketAddress address = server.address();
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      // It is accepted between the two immediates.
      leat::ManualResetEvent accepted;
      leat::setImmediate([&] {
        leat::setImmediate([&] {
          allowed = -1;
          accepted.set();
        });
        CHECK(::connect(client, address.data(), address.size()) == 0);
        allowed = enough;
      });
      co_await accepted.wait();
      if (refused > before) {
        // The end, or a reset.
        leat::sys::fcntl(client, F_SETFL, O_NONBLOCK);
        char byte;
        ssize_t got = -1;
        for (int turn = 0; turn < 5000; ++turn) {
          got = ::recv(client, &byte, 1, 0);
          if (got >= 0 || errno != EAGAIN) break;
          co_await leat::sleep(1);
        }
        CHECK((got == 0 || (got < 0 && errno == ECONNRESET)));
        ++closed;
      }
      ::close(client);
      std::string back;
      back = co_await ask(server, get("/", closing));
      CHECK(back == http_rig::ok("x"));
    }
    CHECK(closed > 0);
  });
}
TEST_CASE("an agent keeps nothing of the hosts whose requests were given up before their turn") {
  const auto handler = [](const http::IncomingMessage&, const http::ServerResponse& response) {
    response.end("one");
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const http::Agent agent({.maxTotalSockets = 1});
    const std::string url = "http://127.0.0.1:" + std::to_string(server.address().port());
    // The first round has what is made once.
    long before = 0;
    for (int round = 0; round < 2; ++round) {
      const http::ClientRequest first = http::get(http::Request(url).setAgent(agent));
      const leat::AbortController controller;
      for (int i = 0; i < 100; ++i) {
        const std::string other =
            "http://" + std::to_string(round) + "-" + std::to_string(i) + ".test/";
        const http::ClientRequest waits =
            http::get(http::Request(other).setAgent(agent).setSignal(controller.signal()));
        waits.on<"error">([](const std::exception_ptr&) {});
      }
      co_await leat::nextImmediate();
      CHECK(agent.requests() == 100);
      controller.abort();
      const http::IncomingMessage answer = co_await first.response();
      const std::string text = co_await answer.text();
      CHECK(text == "one");
      co_await leat::sleep(1);
      agent.destroy();
      co_await leat::sleep(1);
      if (round == 0) before = blocks;
    }
    CHECK(blocks < before + 50);
  });
}
