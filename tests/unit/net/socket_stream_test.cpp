// SPDX-License-Identifier: MIT
// A socket as a stream.
#include <leat_test.hpp>

#include <leat/fs.hpp>
#include <leat/loop.hpp>
#include <leat/net.hpp>
#include <leat/stream.hpp>
#include <leat/timers.hpp>

#include <string>
#include <vector>

namespace {

using namespace leat;

std::string pattern(std::size_t size) {
  std::string text(size, 'x');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 31 % 23);
  return text;
}

Task<> echo(net::Socket socket) {
  const auto stream = duplexFrom(socket);
  co_await pipeline(stream, stream);
}

Task<> keepEchoing(net::Socket socket) { (void)co_await asResult(echo(socket)); }

template <class F>
int inLoop(F&& body) {
  return leat::run(body);
}

}  // namespace

TEST_CASE("a socket piped to itself echoes, and its end ends both") {
  std::string got;
  const std::string sent = pattern(1'000'003);
  const auto body = [&]() -> Task<> {
    auto server = co_await net::listen(keepEchoing, {});
    net::ConnectOptions to;
    to.port = server.address().port();
    const net::Socket socket = co_await net::connect(to);
    const auto stream = duplexFrom(socket, {.allowHalfOpen = true});
    const Promise<std::string> all = consumers::text(stream);
    co_await pipeline(readableFrom(std::string_view(sent)), Writable<Buffer>(stream));
    got = co_await all;
    co_await stream.closed();
    co_await server.close();
  };
  CHECK(inLoop(body) == 0);
  CHECK(got == sent);
}

TEST_CASE("a file goes to a socket by a pipeline, and a socket to a file") {
  std::string got;
  const std::string sent = pattern(700'001);
  const auto body = [&]() -> Task<> {
    const std::string folder = co_await fs::mkdtemp("/tmp/leat-socket-stream-");
    const std::string from = folder + "/from";
    const std::string to = folder + "/to";
    co_await fs::writeFile(from, sent);
    const auto send = [&](net::Socket socket) -> Task<> {
      co_await pipeline(fs::createReadStream(from), Writable<Buffer>(duplexFrom(socket)));
    };
    auto server = co_await net::listen(send, {});
    net::ConnectOptions there;
    there.port = server.address().port();
    const net::Socket socket = co_await net::connect(there);
    co_await pipeline(Readable<Buffer>(duplexFrom(socket)), fs::createWriteStream(to));
    got = co_await fs::readFile(to, "utf8");
    co_await server.close();
    co_await fs::rm(folder, {.recursive = true});
  };
  CHECK(inLoop(body) == 0);
  CHECK(got == sent);
}

TEST_CASE("who does not read slows the sender down") {
  std::size_t written = 0;
  bool held = false;
  const auto body = [&]() -> Task<> {
    const auto flood = [&](net::Socket socket) -> Task<> {
      const auto endless = [&](std::size_t) -> std::optional<Buffer> {
        written += 65536;
        return Buffer::alloc(65536);
      };
      (void)co_await asResult(
          pipeline(Readable<Buffer>(endless), Writable<Buffer>(duplexFrom(socket))));
    };
    auto server = co_await net::listen(flood, {});
    net::ConnectOptions there;
    there.port = server.address().port();
    const net::Socket socket = co_await net::connect(there);
    const auto stream = duplexFrom(socket);
    // Until the kernel's buffers are full: nothing more is asked of the source for a while.
    std::size_t before = 1;
    for (int calm = 0; calm < 20;) {
      calm = before == written ? calm + 1 : 0;
      before = written;
      co_await sleep(5);
    }
    held = true;
    stream.destroy();
    co_await stream.closed();
    co_await server.close();
  };
  CHECK(inLoop(body) == 0);
  CHECK(held);
  CHECK(written > 0);
}

TEST_CASE(
    "an error of the socket is that of the stream, and a destroyed stream closes the socket") {
  std::string code;
  bool closed = false;
  const auto body = [&]() -> Task<> {
    const auto reset = [](net::Socket socket) -> Task<> {
      (void)co_await socket.read();
      socket.resetAndDestroy();
    };
    auto server = co_await net::listen(reset, {});
    net::ConnectOptions there;
    there.port = server.address().port();
    const net::Socket first = co_await net::connect(there);
    const auto stream = duplexFrom(first);
    co_await stream.write("x");
    try {
      while (auto chunk = co_await stream.next()) code = "data";
      code = "end";
    } catch (const Error& error) {
      code = error.code();
    }
    const net::Socket second = co_await net::connect(there);
    const auto gone = duplexFrom(second);
    gone.destroy();
    co_await gone.closed();
    closed = second.destroyed();
    co_await server.close();
  };
  CHECK(inLoop(body) == 0);
  CHECK(code == "ECONNRESET");
  CHECK(closed);
}
