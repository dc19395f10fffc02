// SPDX-License-Identifier: MIT
// A socket with a stream that is closed with a reset.
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
