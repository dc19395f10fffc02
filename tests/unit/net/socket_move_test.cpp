// SPDX-License-Identifier: MIT
// What comes by a socket and goes on inside of the kernel: what anybody can see is what there is when every byte is
// received and written.
#include "../fs/fs_rig.hpp"

#include <leat/net.hpp>
#include <leat/stream.hpp>
#include <leat/timers.hpp>

#include <sys/resource.h>

namespace fs = leat::fs;
namespace net = leat::net;
using leat::Buffer;
using leat::duplexFrom;
using leat::Readable;
using leat::run;
using leat::Task;
using leat::Writable;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::get;
using leat_test::noise;
using leat_test::put;
using leat_test::TempFolder;

namespace {

std::string codeOf(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code());
  }
  return "ok";
}

/// What can be seen of a row that begins with a socket.
struct Seen {
  std::string source, sink, told;
  std::uint64_t bytesRead = 0, bytesWritten = 0;
  bool operator==(const Seen&) const = default;
};
template <class S>
void record(std::string& trace, const S& stream, bool reading) {
  const auto tell = [&trace](const std::string& word) { trace += word + " "; };
  if constexpr (S::hasReadable) {
    if (reading) stream.template on<"end">([tell] { tell("end"); });
  }
  if constexpr (S::hasWritable) {
    if (!reading) {
      stream.template on<"unpipe">([tell](const auto&) { tell("unpipe"); });
      stream.template on<"finish">([tell] { tell("finish"); });
    }
  }
  stream.template on<"error">([tell](const std::exception_ptr& error) { tell(codeOf(error)); });
  stream.template on<"close">([tell] { tell("close"); });
}

/// A listener on a port of its own, and a socket that is connected to it.
template <class F>
Task<net::Server> serve(F handler) {
  co_return co_await net::listen(handler, {});
}
Task<net::Socket> connectTo(const net::Server& server) {
  net::ConnectOptions to;
  to.port = server.address().port();
  to.host = "127.0.0.1";  // one address: nobody joins in
  co_return co_await net::connect(to);
}

/// Sends the text in pieces of `piece`, as far as the peer takes it, and ends.
Task<> sendAll(net::Socket socket, const std::string& text, std::size_t piece) {
  for (std::size_t at = 0; at < text.size(); at += piece)
    co_await socket.write(std::string_view(text).substr(at, piece));
  co_await socket.end();
}
Task<> trySendAll(net::Socket socket, const std::string& text, std::size_t piece) {
  (void)co_await leat::asResult(sendAll(socket, text, piece));
}
/// The text again and again, until there is enough or the peer is gone.
Task<> sendOn(net::Socket socket, const std::string& text, const bool& enough) {
  while (!enough) co_await socket.write(text);
  co_await socket.end();
}
Task<> trySendOn(net::Socket socket, const std::string& text, const bool& enough) {
  (void)co_await leat::asResult(sendOn(socket, text, enough));
}
/// Whether bytes that stand at `at` of what was sent on are these.
bool isPart(std::string_view bytes, const std::string& text, std::size_t at) {
  while (!bytes.empty()) {
    const std::string_view part = std::string_view(text).substr(at % text.size(), bytes.size());
    if (!bytes.starts_with(part)) return false;
    bytes.remove_prefix(part.size());
    at += part.size();
  }
  return true;
}
Task<> takeAll(net::Socket socket, std::string& got, bool slowly) {
  for (;;) {
    const Buffer bytes = co_await socket.read();
    if (bytes.empty()) break;
    got += bytes.view();
    if (slowly && got.size() % 5 == 0) co_await leat::sleep(1);
  }
  socket.end();
}

/// How bytes go: the kernel may move them, or somebody wants to know of each "drain".
enum class Way { kernel, chunks };

/// From a socket by which `text` comes to `sink`.
template <class MakeSink>
Task<Seen> receiveInto(Way way, const std::string& text, MakeSink makeSink) {
  Seen seen;
  bool done = false;
  const auto handler = [&](net::Socket socket) -> Task<> {
    const auto source = duplexFrom(socket, {.allowHalfOpen = true});
    const auto sink = makeSink();
    record(seen.source, source, true);
    record(seen.sink, sink, false);
    if (way == Way::chunks) sink.template on<"drain">([] {});
    auto result =
        co_await leat::asResult(leat::pipeline(Readable<Buffer>(source), Writable<Buffer>(sink)));
    seen.told = result.ok() ? "ok" : codeOf(result.error());
    source.end();
    co_await sink.closed();
    co_await source.closed();
    seen.bytesRead = socket.bytesRead();
    done = true;
  };
  const net::Server server = co_await serve(handler);
  const net::Socket socket = co_await connectTo(server);
  co_await trySendAll(socket, text, 1'000'000);
  while (!done) co_await leat::sleep(1);
  co_await server.close();
  co_return seen;
}

Task<Seen> intoFile(Way way, const std::string& text, fs::WriteStreamOptions options) {
  std::optional<fs::WriteStream> made;
  const auto makeSink = [&] { return made.emplace(fs::createWriteStream("to", options)); };
  Seen seen = co_await receiveInto(way, text, makeSink);
  seen.bytesWritten = made->bytesWritten();
  co_return seen;
}

/// To another socket, whose peer does `receive`.
template <class F>
Task<Seen> intoSocket(Way way, const std::string& text, F receive) {
  const net::Server there = co_await serve(receive);
  const net::Socket socket = co_await connectTo(there);
  const auto makeSink = [&] { return duplexFrom(socket, {.allowHalfOpen = true}).resume(); };
  Seen seen = co_await receiveInto(way, text, makeSink);
  seen.bytesWritten = socket.bytesWritten();
  co_await there.close();
  co_return seen;
}

}  // namespace

TEST_CASE("what the kernel moves from a socket to a file is told of as what is read and written") {
  const TempFolder folder;
  const std::string text = noise(9'000'007);
  const auto main = [&]() -> Task<> {
    for (const std::int64_t start : {fs::currentPosition, std::int64_t{3}}) {
      put("to", "abc");
      fs::WriteStreamOptions options;
      options.start = start;
      if (start >= 0) options.flags = "r+";
      const std::string wanted = (start >= 0 ? "abc" : "") + text;
      FaultInjector calls;
      const Seen slow = co_await intoFile(Way::chunks, text, options);
      CHECK((get("to") == wanted));
      CHECK(calls.count(Call::splice) == 0);
      put("to", "abc");
      const Seen fast = co_await intoFile(Way::kernel, text, options);
      CHECK((get("to") == wanted));
      CHECK(calls.count(Call::splice) > 0);
      CHECK(fast.told == "ok");
      CHECK(fast.source == slow.source);
      CHECK(fast.sink == slow.sink);
      CHECK(fast.bytesRead == text.size());
      CHECK(fast.bytesWritten == text.size());
      CHECK((fast == slow));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "what the kernel moves from a socket to a socket is told of as what is read and written") {
  const std::string text = noise(9'000'007);
  const auto main = [&]() -> Task<> {
    for (const bool slowly : {false, true}) {
      std::string got;
      const auto receive = [&got, slowly](net::Socket socket) -> Task<> {
        co_await takeAll(socket, got, slowly);
      };
      FaultInjector calls;
      const Seen slow = co_await intoSocket(Way::chunks, text, receive);
      CHECK((got == text));
      CHECK(calls.count(Call::splice) == 0);
      got.clear();
      const Seen fast = co_await intoSocket(Way::kernel, text, receive);
      CHECK((got == text));
      CHECK(calls.count(Call::splice) > 0);
      CHECK(fast.told == "ok");
      CHECK(fast.source == slow.source);
      CHECK(fast.sink == slow.sink);
      CHECK(fast.bytesRead == text.size());
      CHECK(fast.bytesWritten == text.size());
      CHECK((fast == slow));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("whatever splice answers, what comes by a socket is written") {
  const TempFolder folder;
  const std::string text = noise(3'000'001);
  const auto main = [&]() -> Task<> {
    for (const int error : {EINVAL, EIO, EAGAIN, ENOSPC}) {
      for (const long nth : {1, 2, 3, 4, 9}) {
        INFO(error << " at " << nth);
        FaultInjector calls;
        calls.fail(Call::splice, error, nth, nth == 9 ? 100 : 1);
        const Seen file = co_await intoFile(Way::kernel, text, {});
        CHECK((get("to") == text));
        CHECK(file.told == "ok");
        CHECK(file.bytesRead == text.size());
        CHECK(file.bytesWritten == text.size());
        calls.fail(Call::splice, error, nth, nth == 9 ? 100 : 1);
        std::string got;
        const auto receive = [&got](net::Socket socket) -> Task<> {
          co_await takeAll(socket, got, false);
        };
        const Seen socket = co_await intoSocket(Way::kernel, text, receive);
        CHECK((got == text));
        CHECK(socket.told == "ok");
        CHECK(socket.bytesWritten == text.size());
      }
    }
    {
      // What stands in the pipe cannot be had back.
      FaultInjector calls;
      const std::string much = noise(12'000'000);
      fs::WriteStreamOptions options;
      options.flags = "a";
      Seen seen;
      // Under io_uring it takes a while until a socket is received directly.
      for (int i = 0; i < 20 && seen.told != "EIO"; ++i) {
        put("to", "");
        calls.fail(Call::read, EIO, 1, 1000);
        seen = co_await intoFile(Way::kernel, much, options);
      }
      CHECK(seen.told == "EIO");
      CHECK(seen.bytesWritten == get("to").size());
      CHECK((much.starts_with(get("to"))));
    }
    for (const Call call : {Call::pipe2, Call::fcntl}) {
      FaultInjector calls;
      calls.fail(call, EMFILE, 1, 1000);
      const Seen file = co_await intoFile(Way::kernel, text, {});
      CHECK((get("to") == text));
      CHECK(file.told == "ok");
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that is appended to gets what comes by a socket") {
  const TempFolder folder;
  const std::string text = noise(3'000'001);
  const auto main = [&]() -> Task<> {
    put("to", "before");
    fs::WriteStreamOptions options;
    options.flags = "a";
    const Seen seen = co_await intoFile(Way::kernel, text, options);
    CHECK((get("to") == "before" + text));
    CHECK(seen.told == "ok");
    CHECK(seen.bytesWritten == text.size());
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a file that may not grow ends what comes by a socket with the same error at the same byte") {
  const TempFolder folder;
  const std::string text = noise(5'000'000);
  constexpr rlim_t most = 1'234'567;
  const auto main = [&]() -> Task<> {
    std::string told[2];
    for (const Way way : {Way::chunks, Way::kernel}) {
      const Seen seen = co_await intoFile(way, text, {});
      CHECK(seen.told == "EFBIG");
      CHECK(seen.bytesWritten == most);
      CHECK((get("to") == text.substr(0, most)));
      told[way == Way::kernel] = seen.source + "| " + seen.sink;
    }
    CHECK(told[0] == told[1]);
  };
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit less{most, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &less) == 0);
  const int code = run(main);
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(code == 0);
}

TEST_CASE("a peer that breaks off while the kernel moves is an error of its side") {
  const std::string text = noise(30'000'000);
  const auto main = [&]() -> Task<> {
    const auto breakOff = [](net::Socket socket) -> Task<> {
      for (std::size_t got = 0; got < 1'000'000;) {
        const Buffer bytes = co_await socket.read();
        got += bytes.size();
      }
      socket.resetAndDestroy();
    };
    for (const Way way : {Way::chunks, Way::kernel}) {
      const Seen seen = co_await intoSocket(way, text, breakOff);
      CHECK((seen.told == "ECONNRESET" || seen.told == "EPIPE"));
      CHECK(seen.bytesWritten < text.size());
      CHECK(seen.bytesWritten >= 1'000'000);
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a peer that resets while the kernel moves is no end") {
  const TempFolder folder;
  const std::string text = noise(1'000'003);
  const auto main = [&]() -> Task<> {
    std::string got;
    const auto receive = [&got](net::Socket socket) -> Task<> {
      got.clear();
      (void)co_await leat::asResult(takeAll(socket, got, false));
    };
    const net::Server there = co_await serve(receive);
    for (int round = 0; round < 10; ++round) {
      for (const bool toFile : {true, false}) {
        Seen seen;
        bool done = false;
        const auto handler = [&](net::Socket socket) -> Task<> {
          const auto source = socket.stream();
          record(seen.source, source, true);
          std::exception_ptr error;
          if (toFile) {
            auto result = co_await leat::asResult(
                leat::pipeline(Readable<Buffer>(source), fs::createWriteStream("to")));
            error = result.ok() ? nullptr : result.error();
          } else {
            const net::Socket sink = co_await connectTo(there);
            sink.stream().resume();
            auto result = co_await leat::asResult(
                leat::pipeline(Readable<Buffer>(source), Writable<Buffer>(sink)));
            error = result.ok() ? nullptr : result.error();
          }
          seen.told = codeOf(error);
          co_await source.closed();
          done = true;
        };
        const net::Server server = co_await serve(handler);
        const net::Socket socket = co_await connectTo(server);
        for (int i = 0; i < 6; ++i) co_await socket.write(text);
        socket.resetAndDestroy();
        while (!done) co_await leat::sleep(1);
        INFO("round " << round << (toFile ? " to a file" : " to a socket"));
        CHECK(seen.told == "ECONNRESET");
        CHECK(seen.source == "ECONNRESET close ");
        co_await server.close();
      }
    }
    co_await there.close();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a source that is resumed while it waits for its sink goes on") {
  const TempFolder folder;
  const std::string text = noise(6'000'000);
  const auto main = [&]() -> Task<> {
    const auto meddle = [](auto source) -> Task<> {
      for (int i = 0; i < 20; ++i) {
        co_await leat::sleep(1);
        if (source.destroyed()) co_return;
        if (i % 2 == 0) source.pause();
        source.resume();
      }
    };
    // From a socket to a file.
    bool done = false;
    const auto toFile = [&](net::Socket socket) -> Task<> {
      const auto source = socket.stream();
      const auto piping = leat::pipeline(Readable<Buffer>(source), fs::createWriteStream("to"));
      source.resume();
      co_await meddle(source);
      co_await piping;
      done = true;
    };
    const net::Server server = co_await serve(toFile);
    const net::Socket socket = co_await connectTo(server);
    co_await trySendAll(socket, text, 1'000'000);
    while (!done) co_await leat::sleep(1);
    CHECK((get("to") == text));
    co_await server.close();
    // From a file to a socket whose peer is slow.
    std::string got;
    const auto receive = [&got](net::Socket peer) -> Task<> {
      co_await leat::sleep(30);
      co_await takeAll(peer, got, true);
    };
    const net::Server there = co_await serve(receive);
    const net::Socket sink = co_await connectTo(there);
    const auto file = fs::createReadStream("to");
    sink.stream().resume();
    const auto piping = leat::pipeline(file, Writable<Buffer>(sink));
    co_await meddle(file);
    co_await piping;
    co_await sink.stream().closed();
    CHECK((got == text));
    co_await there.close();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what a stream of a socket has is kept, though nobody keeps the stream") {
  const std::string text = noise(3'000'000);
  std::string got, later;
  const auto main = [&]() -> Task<> {
    bool done = false;
    const auto handler = [&](net::Socket socket) -> Task<> {
      socket.stream().pause();
      co_await leat::sleep(20);
      while (auto chunk = co_await socket.stream().next()) got += chunk->view();
      done = true;
    };
    const net::Server server = co_await serve(handler);
    net::Socket socket = co_await connectTo(server);
    socket.stream().on<"close">([&] { later += "close"; });
    socket.stream().write(Buffer::from(text));
    socket.stream().end();
    socket = net::Socket();
    while (!done || later.empty()) co_await leat::sleep(1);
    co_await server.close();
  };
  CHECK(run(main) == 0);
  CHECK((got == text));
  CHECK(later == "close");
}

TEST_CASE("a peer from which little comes holds no worker") {
  const TempFolder folder;
  const std::string text = noise(1'000'000);
  constexpr int trickles = 40;
  const auto main = [&]() -> Task<> {
    bool done = false;
    const auto handler = [&](net::Socket socket) -> Task<> {
      co_await leat::pipeline(Readable<Buffer>(socket), fs::createWriteStream("to"));
      done = true;
    };
    const net::Server server = co_await serve(handler);
    const net::Socket socket = co_await connectTo(server);
    co_await socket.write(text);
    while (get("to").size() < text.size()) co_await leat::sleep(1);
    // The last move may still look for more.
    co_await leat::sleep(20);
    FaultInjector calls;
    for (int i = 0; i < trickles; ++i) {
      co_await socket.write("x");
      co_await leat::sleep(1);
    }
    CHECK(calls.count(Call::splice) < 10);
    socket.end();
    while (!done) co_await leat::sleep(1);
    co_await server.close();
  };
  CHECK(run(main) == 0);
  CHECK((get("to") == text + std::string(trickles, 'x')));
}

TEST_CASE("who listens for data of a socket while the kernel moves gets all that comes after") {
  const TempFolder folder;
  const std::string text = noise(1'000'003);
  std::string heard;
  const auto main = [&]() -> Task<> {
    bool enough = false;
    bool done = false;
    const auto handler = [&](net::Socket socket) -> Task<> {
      const auto source = duplexFrom(socket);
      const auto sink = fs::createWriteStream("to");
      const auto piping = leat::pipeline(Readable<Buffer>(source), sink);
      while (sink.bytesWritten() < 1'000'000) co_await leat::sleep(0);
      source.on<"data">([&](const Buffer& chunk) {
        heard += chunk.view();
        enough = heard.size() > 1'000'000;
      });
      co_await piping;
      done = true;
    };
    const net::Server server = co_await serve(handler);
    const net::Socket socket = co_await connectTo(server);
    co_await trySendOn(socket, text, enough);
    while (!done) co_await leat::sleep(1);
    co_await server.close();
  };
  CHECK(run(main) == 0);
  const std::string whole = get("to");
  CHECK(isPart(whole, text, 0));
  REQUIRE(whole.size() >= heard.size() + 1'000'000);
  CHECK(isPart(heard, text, whole.size() - heard.size()));
}

TEST_CASE("a socket that is destroyed while the kernel moves closes, and so does its sink") {
  const TempFolder folder;
  const std::string text = noise(1'000'003);
  const auto main = [&]() -> Task<> {
    for (const bool sinkFirst : {false, true}) {
      bool done = false;
      const auto handler = [&](net::Socket socket) -> Task<> {
        const auto source = duplexFrom(socket);
        const auto sink = fs::createWriteStream("to");
        const auto piping = leat::pipeline(Readable<Buffer>(source), sink);
        while (sink.bytesWritten() < 1'000'000) co_await leat::sleep(0);
        sinkFirst ? void(sink.destroy()) : void(source.destroy());
        const auto result = co_await leat::asResult(piping);
        CHECK_FALSE(result.ok());
        co_await sink.closed();
        co_await source.closed();
        CHECK(socket.destroyed());
        CHECK(get("to").size() == sink.bytesWritten());
        CHECK(isPart(get("to"), text, 0));
        done = true;
      };
      const net::Server server = co_await serve(handler);
      const net::Socket socket = co_await connectTo(server);
      co_await trySendOn(socket, text, done);
      while (!done) co_await leat::sleep(1);
      socket.destroy();
      co_await server.close();
    }
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a loop that ends while the kernel moves leaves nothing open") {
  const TempFolder folder;
  const std::string text = noise(1'000'003);
  const bool never = false;
  const auto main = [&]() -> Task<> {
    const auto handler = [&](net::Socket socket) -> Task<> {
      const auto sink = fs::createWriteStream("to");
      const auto piping = leat::pipeline(Readable<Buffer>(duplexFrom(socket)), sink);
      while (sink.bytesWritten() < 1'000'000) co_await leat::sleep(0);
      leat::EventLoop::current().stop();
      co_await piping;
    };
    const net::Server server = co_await serve(handler);
    co_await sendOn(co_await connectTo(server), text, never);
  };
  (void)run(main);
  folder.checkClosed();
}

TEST_CASE("a loop that ends while the kernel moves to a socket that was destroyed frees all") {
  const TempFolder folder;
  // More than a worker sends at a time, to a peer that takes it.
  put("from", "");
  std::filesystem::resize_file("from", 400'000'000);
  const auto main = [&]() -> Task<> {
    const auto drop = [](net::Socket peer) -> Task<> {
      for (bool more = true; more;) more = !(co_await peer.read()).empty();
    };
    const net::Server server = co_await serve(drop);
    const net::Socket sink = co_await connectTo(server);
    sink.stream().resume();
    const auto source = fs::createReadStream("from");
    leat::pipeline(source, Writable<Buffer>(sink), [](const std::exception_ptr&) {});
    while (sink.bytesWritten() == 0) co_await leat::sleep(0);
    sink.destroy();
    co_await sink.closed();
    leat::EventLoop::current().stop();
    co_await leat::sleep(60'000);
  };
  (void)run(main);
  folder.checkClosed();
}
