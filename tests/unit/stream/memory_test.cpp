// SPDX-License-Identifier: MIT
// What goes through a row of streams does not stay: the peak of the resident memory is within the marks and
// a constant, whatever the speeds. In a child, whose peak is its own.
#include <leat_test.hpp>
#include <child.hpp>

#include <leat/fs.hpp>
#include <leat/loop.hpp>
#include <leat/stream.hpp>
#include <leat/timers.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

// The sanitizers keep what is freed for a while.
#if !LEAT_ASAN && !LEAT_TSAN

namespace {

using namespace leat;

constexpr std::size_t MiB = 1 << 20;
constexpr std::size_t total = 256 * MiB;

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

constexpr long allowed = 16 * 1024 + 512;

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
  char name[] = "/tmp/leat-memory-XXXXXX";
  const int fd = ::mkstemp(name);
  REQUIRE(fd >= 0);
  REQUIRE(::ftruncate(fd, static_cast<off_t>(total)) == 0);
  ::close(fd);
  const std::string from = name;
  const long grown = growth([&]() -> Task<> {
    const Transform<Buffer> transform(flip);
    const auto source = fs::createReadStream(from);
    co_await pipeline(source, transform, fs::createWriteStream("/dev/null"));
    if (source.bytesRead() != total) throw Error("not all was read");
  });
  ::unlink(name);
  CAPTURE(grown);
  CHECK(grown >= 0);
  CHECK(grown <= allowed);
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

#endif
