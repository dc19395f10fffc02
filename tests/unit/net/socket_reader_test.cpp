// SPDX-License-Identifier: MIT
// Taking lines and counted bytes out of what a socket received.
#include <leat/core/with_context.hpp>
#include <leat/net/socket_reader.hpp>

#include "net_rig.hpp"

using namespace net_rig;
using leat::net::SocketReader;

TEST_CASE("many lines of one receive are taken without waiting") {
  run([]() -> Task<> {
    Duo duo;
    SocketReader reader(duo.socket);
    duo.say("one\r\ntwo\n\n\r\nhal");
    CHECK_FALSE(reader.line().has_value());
    const bool received = co_await reader.more();
    CHECK(received);
    CHECK(reader.line() == "one");
    CHECK(reader.line() == "two");
    CHECK(reader.line() == "");
    CHECK(reader.line() == "");
    CHECK_FALSE(reader.line().has_value());
    CHECK(reader.unread() == "hal");
    duo.say("f\r");
    co_await reader.more();
    CHECK_FALSE(reader.line().has_value());
    duo.say("\nrest");
    co_await reader.more();
    CHECK(reader.line() == "half");
    CHECK(reader.unread() == "rest");
  });
}

TEST_CASE("counted bytes and lines follow each other") {
  run([]() -> Task<> {
    Duo duo;
    SocketReader reader(duo.socket);
    duo.say("5\r\na\nb\r");
    co_await reader.more();
    CHECK(reader.line() == "5");
    CHECK_FALSE(reader.bytes(5).has_value());
    CHECK(reader.bytes(0) == "");
    CHECK(reader.unread() == "a\nb\r");
    duo.say("\n!x\n");
    co_await reader.more();
    CHECK(reader.bytes(5) == "a\nb\r\n");
    CHECK(reader.bytes(1) == "!");
    CHECK(reader.line() == "x");
    CHECK(reader.unread().empty());
  });
}

TEST_CASE("a line longer than the limit throws, and its bytes stay") {
  run([]() -> Task<> {
    Duo duo;
    SocketReader reader(duo.socket);
    duo.say("0123456789");
    co_await reader.more();
    CHECK_FALSE(reader.line(11).has_value());
    CHECK_THROWS_AS(reader.line(10), leat::RangeError);
    CHECK(reader.unread() == "0123456789");
    duo.say("\n");
    co_await reader.more();
    CHECK_THROWS_AS(reader.line(10), leat::RangeError);
    CHECK(reader.line(11) == "0123456789");
  });
}

TEST_CASE("more tells the end of the stream, and what is left can be looked at") {
  run([]() -> Task<> {
    Duo duo;
    SocketReader reader(duo.socket);
    duo.say("no end");
    duo.sayEnd();
    const bool first = co_await reader.more();
    CHECK(first);
    const bool second = co_await reader.more();
    CHECK_FALSE(second);
    CHECK_FALSE(reader.line().has_value());
    CHECK(reader.unread() == "no end");
  });
}

TEST_CASE("a receive that is aborted loses nothing") {
  run([]() -> Task<> {
    Duo duo;
    SocketReader reader(duo.socket);
    duo.say("kept ");
    co_await reader.more();
    leat::AbortController controller;
    leat::setTimeout([&] { controller.abort(); }, 5);
    bool aborted = false;
    try {
      co_await leat::withSignal(controller.signal(), reader.more());
    } catch (const leat::AbortError&) {
      aborted = true;
    }
    CHECK(aborted);
    duo.say("all\n");
    co_await reader.more();
    CHECK(reader.line() == "kept all");
  });
}
