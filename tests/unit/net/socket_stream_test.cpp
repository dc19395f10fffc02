// SPDX-License-Identifier: MIT
// A socket as a stream.
#include <leat_test.hpp>

#include <leat/fs.hpp>
#include <leat/loop.hpp>
#include <leat/net.hpp>
#include <leat/stream.hpp>
#include <leat/testing/fuse.hpp>
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

Task<> echo(net::Socket socket) { co_await pipeline(socket, socket); }

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
    to.host = "127.0.0.1";
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
      co_await pipeline(fs::createReadStream(from), Writable<Buffer>(socket));
    };
    auto server = co_await net::listen(send, {});
    net::ConnectOptions there;
    there.port = server.address().port();
    there.host = "127.0.0.1";
    const net::Socket socket = co_await net::connect(there);
    co_await pipeline(Readable<Buffer>(socket), fs::createWriteStream(to));
    got = co_await fs::readFile(to, "utf8");
    co_await server.close();
    co_await fs::rm(folder, {.recursive = true});
  };
  CHECK(inLoop(body) == 0);
  CHECK(got == sent);
}

TEST_CASE("a socket has one stream, and stands where a stream may") {
  std::string upper, echoed;
  bool over = false;
  const auto body = [&]() -> Task<> {
    const auto handler = [](net::Socket socket) -> Task<> {
      CHECK(socket.stream() == socket.stream());
      const auto capitals = [](Buffer chunk) {
        std::string text = chunk.toString();
        for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        return Buffer::from(text);
      };
      co_await pipeline(socket, Transform<Buffer>(capitals), socket);
    };
    auto server = co_await net::listen(handler, {});
    net::ConnectOptions to;
    to.port = server.address().port();
    to.host = "127.0.0.1";
    {
      const net::Socket socket = co_await net::connect(to);
      const net::Socket same = socket;
      const auto stream = duplexFrom(socket, {.allowHalfOpen = true});
      CHECK(same.stream() == stream);
      CHECK(duplexFrom(same) == stream);
      CHECK(Readable<Buffer>(socket) == Readable<Buffer>(stream));
      stream.on<"data">([&](const Buffer& chunk) { upper += chunk.view(); });
      const auto ended = finished(socket);
      finished(socket, [&](const std::exception_ptr& error) { over = !error; });
      readableFrom(std::vector<Buffer>{Buffer::from("ab"), Buffer::from("c")}).pipe(socket);
      co_await ended;
      co_await stream.closed();
      CHECK(stream.destroyed());
      CHECK(socket.destroyed());
      CHECK(socket.stream() == stream);
    }
    {
      const net::Socket socket = co_await net::connect(to);
      const auto both = compose(PassThrough<Buffer>(), socket, PassThrough<Buffer>());
      both.on<"data">([&](const Buffer& chunk) { echoed += chunk.view(); });
      both.end(Buffer::from("xyz"));
      co_await finished(both);
    }
    {
      // To destroy the one is to destroy the other.
      const net::Socket socket = co_await net::connect(to);
      bool closed = false;
      socket.stream().on<"close">([&] { closed = true; });
      socket.stream().pause();
      socket.destroy();
      co_await socket.closed();
      for (int i = 0; i < 1000 && !closed; ++i) co_await sleep(1);
      CHECK(closed);
      CHECK(socket.stream().destroyed());
      CHECK(socket.stream().closed());
    }
    {
      // One that had none before it was closed.
      const net::Socket socket = co_await net::connect(to);
      socket.destroy();
      co_await socket.closed();
      const auto stream = socket.stream();
      stream.on<"error">([](const std::exception_ptr&) {});
      const auto result = co_await asResult(finished(stream));
      CHECK_FALSE(result.ok());
    }
    co_await server.close();
  };
  CHECK(inLoop(body) == 0);
  CHECK(upper == "ABC");
  CHECK(echoed == "XYZ");
  CHECK(over);
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
    there.host = "127.0.0.1";
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
    there.host = "127.0.0.1";
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

// ---- files that the kernel sends ----

namespace {

/// What can be seen of a file that was sent.
struct Sent {
  std::string events, told;
  std::uint64_t bytesRead = 0, bytesWritten = 0;
  bool operator==(const Sent&) const = default;
};

std::string codeOf(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code());
  }
  return "ok";
}

/// Sends the file to a peer that does `receive`. Chunk by chunk where somebody wants to know of each "drain".
template <class F>
Task<Sent> sendFile(std::string path, bool chunks, F receive) {
  Sent seen;
  auto server = co_await net::listen(receive, {});
  net::ConnectOptions there;
  there.port = server.address().port();
  there.host = "127.0.0.1";
  const net::Socket socket = co_await net::connect(there);
  const auto stream = duplexFrom(socket, {.allowHalfOpen = true});
  const auto source = fs::createReadStream(path);
  const auto tell = [&](const char* word) { seen.events += std::string(word) + " "; };
  source.on<"end">([&] { tell("end"); });
  stream.on<"unpipe">([&](const auto&) { tell("unpipe"); });
  stream.on<"finish">([&] { tell("finish"); });
  stream.on<"error">([&](const std::exception_ptr& error) { tell(codeOf(error).c_str()); });
  if (chunks) stream.on<"drain">([] {});
  stream.resume();
  auto result = co_await asResult(pipeline(source, Writable<Buffer>(stream)));
  seen.told = result.ok() ? "ok" : codeOf(result.error());
  co_await stream.closed();
  co_await source.closed();
  seen.bytesRead = source.bytesRead();
  seen.bytesWritten = socket.bytesWritten();
  co_await server.close();
  co_return seen;
}

struct TempFile {
  explicit TempFile(std::size_t size) : text(pattern(size)) {
    const int fd = ::mkstemp(path.data());
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { ::unlink(path.c_str()); }
  std::string path = "/tmp/leat-socket-stream-XXXXXX";
  std::string text;
};

/// Everything that comes, slowly where it shall be.
Task<> takeAll(net::Socket socket, std::string& got, bool slowly) {
  for (;;) {
    const Buffer bytes = co_await socket.read();
    if (bytes.empty()) break;
    got += bytes.view();
    if (slowly && got.size() % 7 == 0) co_await sleep(1);
  }
  socket.end();
}

}  // namespace

TEST_CASE("a file that the kernel sends is told of as one that is read and written") {
  const TempFile file(6'000'011);
  const auto body = [&]() -> Task<> {
    for (const bool slowly : {false, true}) {
      testing::FaultInjector calls;
      std::string got;
      const auto receive = [&got, slowly](net::Socket socket) -> Task<> {
        co_await takeAll(socket, got, slowly);
      };
      const Sent chunks = co_await sendFile(file.path, true, receive);
      CHECK((got == file.text));
      CHECK(calls.count(sys::Call::sendfile) == 0);
      got.clear();
      const Sent kernel = co_await sendFile(file.path, false, receive);
      CHECK((got == file.text));
      CHECK(calls.count(sys::Call::sendfile) > 0);
      CHECK(kernel.events == chunks.events);
      CHECK(kernel.told == "ok");
      CHECK(chunks.told == "ok");
      CHECK(kernel.bytesRead == file.text.size());
      CHECK(kernel.bytesWritten == file.text.size());
      CHECK(kernel == chunks);
    }
  };
  CHECK(inLoop(body) == 0);
}

TEST_CASE("whatever sendfile answers, the file is sent by reading and writing") {
  const TempFile file(1'500'000);
  const auto body = [&]() -> Task<> {
    for (const int error : {EINVAL, ENOSYS, EIO, EAGAIN}) {
      for (const long nth : {1, 3}) {
        std::string got;
        const auto receive = [&got](net::Socket socket) -> Task<> {
          co_await takeAll(socket, got, false);
        };
        testing::FaultInjector calls;
        calls.fail(sys::Call::sendfile, error, nth, 20);
        const Sent seen = co_await sendFile(file.path, false, receive);
        INFO(error << " at " << nth);
        CHECK((got == file.text));
        CHECK(seen.told == "ok");
        CHECK(seen.bytesWritten == file.text.size());
      }
    }
  };
  CHECK(inLoop(body) == 0);
}

TEST_CASE("a peer that breaks off while the kernel sends is the error of a write") {
  const TempFile file(30'000'000);
  const auto body = [&]() -> Task<> {
    const auto receive = [](net::Socket socket) -> Task<> {
      for (std::size_t got = 0; got < 1'000'000;) {
        const Buffer bytes = co_await socket.read();
        got += bytes.size();
      }
      socket.resetAndDestroy();
    };
    for (const bool chunks : {true, false}) {
      const Sent seen = co_await sendFile(file.path, chunks, receive);
      CHECK((seen.told == "ECONNRESET" || seen.told == "EPIPE"));
      CHECK(seen.bytesWritten < file.text.size());
      CHECK(seen.bytesRead >= 1'000'000);
    }
  };
  CHECK(inLoop(body) == 0);
}

TEST_CASE("a socket that is destroyed while the kernel sends to it closes") {
  const TempFile file(30'000'000);
  std::size_t got = 0;
  bool destroyed = false;
  const auto body = [&]() -> Task<> {
    const auto receive = [&](net::Socket socket) -> Task<> {
      while (!destroyed) co_await sleep(1);
      for (;;) {
        auto bytes = co_await asResult(socket.read());
        if (!bytes.ok() || bytes->empty()) break;
        got += bytes->size();
      }
    };
    auto server = co_await net::listen(receive, {});
    net::ConnectOptions there;
    there.port = server.address().port();
    there.host = "127.0.0.1";
    const net::Socket socket = co_await net::connect(there);
    const auto stream = duplexFrom(socket);
    const auto source = fs::createReadStream(file.path);
    auto piped = pipeline(source, Writable<Buffer>(stream));
    while (socket.bytesWritten() < 300'000) co_await sleep(1);
    stream.destroy();
    destroyed = true;
    auto result = co_await asResult(piped);
    CHECK_FALSE(result.ok());
    co_await stream.closed();
    co_await source.closed();
    CHECK(socket.destroyed());
    co_await server.close();
  };
  CHECK(inLoop(body) == 0);
  CHECK(got < file.text.size());
}
