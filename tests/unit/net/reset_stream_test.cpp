// SPDX-License-Identifier: MIT
// A socket with a stream that is closed with a reset, or while it has much to send.
#include <leat/net.hpp>
#include <leat/stream.hpp>

#include "net_rig.hpp"

using namespace net_rig;

TEST_CASE("resetAndDestroy closes a socket's stream without an error, and resets the connection") {
  std::string told;
  std::string read;
  run([&]() -> Task<> {
    Pair pair;
    const auto stream = pair.a.stream();
    stream.on<"error">([&](const std::exception_ptr& error) { told += codeOf(error) + " "; });
    stream.on<"end">([&] { told += "end "; });
    stream.on<"close">([&] { told += "close "; });
    pair.a.resetAndDestroy();
    CHECK(pair.a.destroyed());
    CHECK(stream.destroyed());
    read = co_await message(pair.b.read());
    co_await stream.closed();
    co_await pair.a.closed();
    pair.a.resetAndDestroy();
    pair.b.destroy();
  });
  CHECK(told == "close ");
  CHECK(read == "read ECONNRESET");
}

TEST_CASE("resetAndDestroy of a socket whose stream nobody listens to is no error") {
  std::string read;
  run([&]() -> Task<> {
    Pair pair;
    const auto stream = pair.a.stream();
    // It waits in a receive by now.
    co_await leat::sleep(1);
    pair.a.resetAndDestroy();
    co_await stream.closed();
    read = co_await message(pair.b.read());
    pair.b.destroy();
  });
  CHECK(read == "read ECONNRESET");
}

TEST_CASE("a socket that is destroyed while its stream writes closes without an error") {
  for (const bool byStream : {false, true}) {
    std::string told;
    run([&]() -> Task<> {
      Pair pair;
      const auto stream = pair.a.stream();
      stream.on<"error">([&](const std::exception_ptr& error) { told += codeOf(error) + " "; });
      stream.on<"close">([&] { told += "close "; });
      stream.write(leat::Buffer::alloc(32 << 20));
      co_await leat::sleep(1);
      REQUIRE(pair.a.writableLength() > 0);
      if (byStream) {
        stream.destroy();
      } else {
        pair.a.destroy();
      }
      co_await stream.closed();
      pair.b.destroy();
    });
    CHECK(told == "close ");
  }
}
