// SPDX-License-Identifier: MIT
// What goes through a row of streams does not stay: the peak of the resident memory is within the marks and
// a constant, whatever the speeds. In a child, whose peak is its own.
#include <leat_test.hpp>
#include <child.hpp>

#include <leat/fs.hpp>
#include <leat/loop.hpp>
#include <leat/net.hpp>
#include <leat/stream.hpp>
#include <leat/timers.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using namespace leat;

constexpr std::size_t MiB = 1 << 20;
/// How much goes through: far more than may be kept. LEAT_STREAM_MIB says how many MiB instead.
const std::size_t total = [] {
  const char* const asked = std::getenv("LEAT_STREAM_MIB");
  return (asked != nullptr ? static_cast<std::size_t>(std::atol(asked)) : 128) * MiB;
}();

/// KiB at the most so far.
long peak() {
  std::FILE* const status = std::fopen("/proc/self/status", "r");
  char line[256];
  long value = -1;
  while (std::fgets(line, sizeof line, status) != nullptr)
    if (std::sscanf(line, "VmHWM: %ld", &value) == 1) break;
  std::fclose(status);
  return value;
}

/// How many KiB more than before `main` took at its peak, in a child; -1 when it failed.
template <class Main>
long growth(Main main) {
  const auto end = leat_test::inChild([&] {
    ::alarm(240);
    const long before = peak();
    const int code = leat::run(main);
    std::printf("%ld\n", peak() - before);
    return code;
  });
  INFO(end.err);
  CHECK(end.code == 0);
  return end.code == 0 ? std::atol(end.out.c_str()) : -1;
}

struct Bytes {
  std::optional<Buffer> read(std::size_t size) {
    if (left == 0) return std::nullopt;
    const std::size_t some = size < left ? size : left;
    left -= some;
    return Buffer::alloc(some, 'x');
  }
  std::size_t left = total;
};

Buffer flip(Buffer chunk) {
  for (std::byte& each : chunk.bytes()) each ^= std::byte{0x20};
  return chunk;
}

/// KiB: 16 MiB, and what the marks of a few streams make.
constexpr long allowed = 16 * 1024 + 512;

/// A file that goes with the test.
class TempFile {
 public:
  explicit TempFile(std::size_t size) {
    char name[] = "/tmp/leat-memory-XXXXXX";
    const int fd = ::mkstemp(name);
    REQUIRE(fd >= 0);
    CHECK(::ftruncate(fd, static_cast<off_t>(size)) == 0);
    ::close(fd);
    path = name;
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { ::unlink(path.c_str()); }

  std::string path;
};

/// A sink that takes its time, and counts.
auto slowSink(std::size_t& got) {
  return [&got](const Buffer& chunk) -> Task<> {
    got += chunk.size();
    co_await nextImmediate();
  };
}

AsyncGenerator<std::string> texts(std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) co_yield std::string(size, 'x');
}

Task<net::Socket> connectTo(const net::Server& server) {
  net::ConnectOptions to;
  to.port = server.address().port();
  net::Socket socket = co_await net::connect(to);
  co_return socket;
}

}  // namespace

TEST_CASE("a fast source of bytes through a transform into a file") {
  const long grown = growth([]() -> Task<> {
    const Readable<Buffer> source((Bytes()));
    const Transform<Buffer> transform(flip);
    co_await pipeline(source, transform, fs::createWriteStream("/dev/null"));
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed);
}

TEST_CASE("a file of any size through a transform into another") {
  const TempFile from(total), to(0);
  const long grown = growth([&]() -> Task<> {
    const Transform<Buffer> transform(flip);
    const auto source = fs::createReadStream(from.path);
    const auto sink = fs::createWriteStream(to.path);
    co_await pipeline(source, transform, sink);
    if (source.bytesRead() != total || sink.bytesWritten() != total)
      throw Error("not all was read and written");
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed);
}

TEST_CASE("a fast peer, by a socket, into a slow sink") {
  const long grown = growth([]() -> Task<> {
    const auto flood = [](net::Socket socket) -> Task<> {
      co_await pipeline(Readable<Buffer>(Bytes()), Writable<Buffer>(duplexFrom(socket)));
    };
    const net::Server server = co_await net::listen(flood, {});
    const net::Socket socket = co_await connectTo(server);
    std::size_t got = 0;
    const auto slowly = slowSink(got);
    const Writable<Buffer> sink(slowly);
    co_await pipeline(Readable<Buffer>(duplexFrom(socket)), sink);
    if (got != total) throw Error("not all has come");
    co_await server.close();
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed);
}

TEST_CASE("a fast generator of objects into a slow sink") {
  constexpr std::size_t size = MiB / 4;
  const long grown = growth([&]() -> Task<> {
    std::size_t got = 0;
    const auto slowly = [&got](const std::string& text) -> Task<> {
      got += text.size();
      co_await nextImmediate();
    };
    const Writable<std::string> sink(slowly, {.highWaterMark = 8});
    co_await pipeline(texts(total / size, size), sink);
    if (got != total) throw Error("not all has come");
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed + 12 * 256);
}

TEST_CASE("a fast source of objects into a slow sink") {
  const long grown = growth([]() -> Task<> {
    constexpr std::size_t size = MiB / 4;
    const Readable<std::string> source(
        [left = total / size]() mutable -> std::optional<std::string> {
          if (left == 0) return std::nullopt;
          --left;
          return std::string(size, 'x');
        },
        {.highWaterMark = 8});
    const auto slowly = [](const std::string&) -> Task<> { co_await nextImmediate(); };
    const Writable<std::string> sink(slowly, {.highWaterMark = 8});
    co_await pipeline(source, sink);
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  // Both marks, and one chunk more on each side.
  CHECK(grown <= allowed + 18 * 256);
}

TEST_CASE("a tee with one slow branch") {
  const long grown = growth([]() -> Task<> {
    const Readable<Buffer> source((Bytes()));
    const auto branches = tee(source);
    std::size_t fast = 0;
    std::size_t slow = 0;
    const Writable<Buffer> quick([&fast](const Buffer& chunk) { fast += chunk.size(); });
    const auto slowly = slowSink(slow);
    const Writable<Buffer> sink(slowly);
    const auto first = pipeline(branches[0], quick);
    const auto second = pipeline(branches[1], sink);
    co_await first;
    co_await second;
    if (fast != total || slow != total) throw Error("not all has come");
  });
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed);
}
