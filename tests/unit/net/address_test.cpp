// SPDX-License-Identifier: MIT
#include <leat/net/address.hpp>
#include <leat/sys/fd.hpp>
#include <leat/testing/fuse.hpp>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <leat_test.hpp>

using leat::net::Family;
using leat::net::SocketAddress;
using leat_test::containsText;
namespace net = leat::net;

namespace {

std::vector<std::string> ipSeeds() {
  return {"127.0.0.1",
          "0.0.0.0",
          "255.255.255.255",
          "256.1.1.1",
          "1.2.3",
          "1.2.3.4.5",
          "01.2.3.4",
          "1.2.3.04",
          "1.2.3.",
          ".1.2.3",
          "1..2.3",
          "1.2.3.4 ",
          " 1.2.3.4",
          "1.2.3.4\n",
          "1e1.2.3.4",
          "0x7f.1.1.1",
          "-1.2.3.4",
          "+1.2.3.4",
          "1.2.3.4%lo",
          "1.2.3.4:80",
          "127.1",
          "2130706433",
          "::",
          "::1",
          ":",
          ":::",
          "1::",
          "1:",
          ":1",
          "::1::",
          "1::2::3",
          "fe80::1%eth0",
          "fe80::1%",
          "fe80::1%a%b",
          "fe80::1%e th",
          "fe80::1%a-b.c:d",
          "fe80::1%_",
          "%lo",
          "::%lo",
          "::1%25lo",
          "1:2:3:4:5:6:7:8",
          "1:2:3:4:5:6:7",
          "1:2:3:4:5:6:7::",
          "1:2:3:4:5:6:7:8::",
          "::2:3:4:5:6:7:8",
          "::1:2:3:4:5:6:7:8",
          "1::3:4:5:6:7:8",
          "1:2:3:4::5:6:7:8",
          "1:2:3:4:5:6:7:8:9",
          "12345::",
          "::12345",
          "g::",
          "::g",
          "ABCD:EF01::abcd",
          "::ffff:1.2.3.4",
          "::1.2.3.4",
          "1.2.3.4::",
          "1::1.2.3.4",
          "::1.2.3.4:5",
          "::1.2.3",
          "::256.1.1.1",
          "::01.2.3.4",
          "::1.2.3.4%lo",
          "1:2:3:4:5:6:1.2.3.4",
          "1:2:3:4:5:6:7:1.2.3.4",
          "1:2:3:4:5::1.2.3.4",
          "1:2:3:4:5:6::1.2.3.4",
          "1:2:3:4:5:1.2.3.4",
          "::2:3:4:5:6:1.2.3.4",
          "::1:2:3:4:5:6:1.2.3.4",
          "[::1]",
          "[::1]:80",
          "",
          "localhost",
          "::ffff:a.1.1.1",
          "::ffff:1.2.3.4.5",
          "::1234.1.1.1",
          "1:2:3:4:5:6:7:",
          "0:0:0:0:0:0:0:0",
          "::0000",
          "::00000",
          "::ffff:127.0.0.1%1",
          "1:::2",
          "2001:db8::/32",
          "::1 ",
          "\t::1"};
}

/// The seeds and what a few random strokes make of them. Always the same ones.
std::vector<std::string> oddAddresses() {
  const std::string alphabet = "0123456789abcfgF:.%- xZ";
  std::vector<std::string> result = ipSeeds();
  const std::size_t seeds = result.size();
  std::uint32_t random = 12345;
  const auto next = [&random](std::size_t limit) {
    random = random * 1664525U + 1013904223U;
    return static_cast<std::size_t>(random >> 8) % limit;
  };
  for (int i = 0; i < 900; ++i) {
    std::string text = result[next(seeds)];
    const std::size_t strokes = 1 + next(3);
    for (std::size_t s = 0; s < strokes; ++s) {
      const std::size_t at = next(text.size() + 1);
      const std::size_t kind = next(4);
      const char letter = alphabet[next(alphabet.size())];
      if (kind == 0) text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), letter);
      if (kind == 1 && at < text.size()) text.erase(at, 1);
      if (kind == 2 && at < text.size()) text[at] = letter;
      if (kind == 3) text.insert(at, result[next(seeds)].substr(0, 1 + next(6)));
    }
    result.push_back(text);
  }
  return result;
}

std::string hex(const std::string& text) {
  std::string out;
  for (const char c : text) {
    char digits[3];
    ::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += digits;
  }
  return out;
}

/// One digit for each address, from one run of node; empty when there is no node.
std::string askNode(const std::vector<std::string>& addresses) {
  char name[] = "/tmp/leat-addresses-XXXXXX";
  const leat::sys::UniqueFd file(::mkstemp(name));
  REQUIRE(file);
  std::string lines;
  for (const std::string& address : addresses) lines += hex(address) + "\n";
  REQUIRE(::write(file.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  const std::string command =
      std::string(
          "node -e \"const net = require('net');"
          "const lines = require('fs').readFileSync(process.argv[1], 'utf8').split('\\n');"
          "lines.pop();"
          "const text = lines.map((l) => Buffer.from(l, 'hex').toString('latin1'));"
          "console.log(text.map((t) => net.isIP(t)).join(''));\" ") +
      name + " 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string answer;
  char chunk[512];
  while (const std::size_t n = ::fread(chunk, 1, sizeof chunk, pipe)) answer.append(chunk, n);
  ::pclose(pipe);
  ::unlink(name);
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

}  // namespace

TEST_CASE("isIP knows the addresses of both kinds") {
  STATIC_REQUIRE(net::isIP("127.0.0.1") == 4);
  STATIC_REQUIRE(net::isIP("::1") == 6);
  STATIC_REQUIRE(net::isIP("localhost") == 0);
  CHECK(net::isIPv4("1.2.3.4"));
  CHECK_FALSE(net::isIPv4("::1"));
  CHECK(net::isIPv6("fe80::1%eth0"));
  CHECK_FALSE(net::isIPv6("1.2.3.4"));
  for (const char* good : {"::", "1::", "::1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:1.2.3.4", "ABCD:EF01::abcd"})
    CHECK(net::isIP(good) == 6);
  for (const char* bad :
       {"", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7:8::", "::12345", "::1%", "01.2.3.4", "1.2.3",
        "256.1.1.1", "1.2.3.4%lo", "1:2:3:4:5:6::1.2.3.4", "1::2::3"})
    CHECK(net::isIP(bad) == 0);
  CHECK(net::isIP(std::string_view("1.2.3.4\0", 8)) == 0);
}

TEST_CASE("isIP gives Node's answer for a thousand odd strings") {
  const std::vector<std::string> addresses = oddAddresses();
  const std::string answer = askNode(addresses);
  if (answer.empty())
    FAIL("node gave no answer: it is needed to compare with (apt install nodejs)");
  REQUIRE(answer.size() == addresses.size());
  int valid = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    INFO("address '" << addresses[i] << "'");
    CHECK(net::isIP(addresses[i]) == answer[i] - '0');
    if (answer[i] != '0') ++valid;
  }
  // That the strokes leave enough of each kind.
  CHECK(valid > 100);
  CHECK(addresses.size() - static_cast<std::size_t>(valid) > 300);
}

TEST_CASE("what isIP takes becomes an address, and the system agrees") {
  for (const std::string& text : oddAddresses()) {
    if (text.find('%') != std::string::npos) continue;
    INFO("address '" << text << "'");
    const int version = net::isIP(text);
    if (version == 0) {
      CHECK_THROWS_AS(SocketAddress(text, 1), leat::TypeError);
    } else {
      const SocketAddress address(text, 1);
      CHECK(address.family() == (version == 4 ? Family::IPv4 : Family::IPv6));
      CHECK(SocketAddress(address.address(), 1) == address);
    }
  }
}

TEST_CASE("an IPv4 address has all its parts") {
  const SocketAddress address("127.0.0.1", 8080);
  CHECK(address.family() == Family::IPv4);
  CHECK(address.familyName() == "IPv4");
  CHECK(address.isIP());
  CHECK(address.address() == "127.0.0.1");
  CHECK(address.port() == 8080);
  CHECK(address.path().empty());
  CHECK(address.toString() == "127.0.0.1:8080");
  CHECK(address.size() == sizeof(sockaddr_in));
  sockaddr_in raw{};
  std::memcpy(&raw, address.data(), sizeof raw);
  CHECK(raw.sin_family == AF_INET);
  CHECK(raw.sin_port == htons(8080));
  CHECK(raw.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  CHECK(SocketAddress::any(Family::IPv4, 1).toString() == "0.0.0.0:1");
}

TEST_CASE("an IPv6 address is shortened and bracketed") {
  const SocketAddress address("0:0:0:0:0:0:0:1", 80);
  CHECK(address.family() == Family::IPv6);
  CHECK(address.familyName() == "IPv6");
  CHECK(address.address() == "::1");
  CHECK(address.toString() == "[::1]:80");
  CHECK(address.size() == sizeof(sockaddr_in6));
  CHECK(SocketAddress("::ffff:1.2.3.4", 0).address() == "::ffff:1.2.3.4");
  CHECK(SocketAddress("2001:DB8::A", 1).toString() == "[2001:db8::a]:1");
  CHECK(SocketAddress::any(Family::IPv6, 0).toString() == "[::]:0");
}

TEST_CASE("a zone is a number or the name of an interface") {
  CHECK(SocketAddress("fe80::1%7", 1) != SocketAddress("fe80::1", 1));
  CHECK(SocketAddress("fe80::1%7", 1) == SocketAddress("fe80::1%07", 1));
  sockaddr_in6 raw{};
  std::memcpy(&raw, SocketAddress("fe80::1%4294967295", 1).data(), sizeof raw);
  CHECK(raw.sin6_scope_id == 4294967295U);
  CHECK_THROWS_AS(SocketAddress("fe80::1%4294967296", 1), leat::TypeError);
  CHECK_THROWS_AS(SocketAddress("fe80::1%no-such-interface", 1), leat::TypeError);
  CHECK(SocketAddress("fe80::1%4000000000", 1).toString() == "[fe80::1%4000000000]:1");
  const SocketAddress lo("fe80::1%lo", 1);
  std::memcpy(&raw, lo.data(), sizeof raw);
  CHECK(raw.sin6_scope_id != 0);
  CHECK(lo == SocketAddress(lo.address(), 1));
  leat::testing::FaultInjector faults;
  faults.fail(leat::sys::Call::getaddrinfo, ENOMEM);
  CHECK_THROWS_AS(SocketAddress("fe80::1%lo", 1), leat::TypeError);
  faults.fail(leat::sys::Call::getnameinfo, ENOMEM);
  CHECK(lo.address() == "fe80::1");
}

TEST_CASE("Unix sockets have a path, abstract ones a name") {
  const SocketAddress file = SocketAddress::ofPath("/run/some.sock");
  CHECK(file.family() == Family::Unix);
  CHECK(file.familyName() == "Unix");
  CHECK_FALSE(file.isIP());
  CHECK(file.path() == "/run/some.sock");
  CHECK(file.address() == "/run/some.sock");
  CHECK(file.port() == 0);
  CHECK(file.toString() == "/run/some.sock");
  const std::string_view name("\0na\0me", 6);
  const SocketAddress abstractName = SocketAddress::ofPath(name);
  CHECK(abstractName.path() == name);
  CHECK(abstractName.toString() == std::string_view("@na\0me", 6));
  CHECK(abstractName.size() == offsetof(sockaddr_un, sun_path) + 6);
  CHECK(abstractName != file);
  CHECK(SocketAddress::ofPath(std::string(107, 'x')).path().size() == 107);
  std::string longest(108, 'x');
  longest[0] = '\0';
  CHECK(SocketAddress::ofPath(longest).path() == longest);
}

TEST_CASE("a path that the system cannot take is refused with the reason") {
  CHECK_THROWS_WITH(SocketAddress::ofPath(""),
                    "The argument 'path' must not be empty. Received ''");
  CHECK_THROWS_WITH(SocketAddress::ofPath(std::string(108, 'x')),
                    containsText("must not be longer than 107 bytes. Received 'xxx"));
  CHECK_THROWS_WITH(SocketAddress::ofPath(std::string(109, '\0')),
                    containsText("must not be longer than 108 bytes"));
  CHECK_THROWS_WITH(SocketAddress::ofPath(std::string_view("/a\0b", 4)),
                    "The argument 'path' must be a string without null bytes. Received '/a'");
}

TEST_CASE("a bad address or port is refused with the value") {
  CHECK_THROWS_WITH(SocketAddress("example.org", 1),
                    "Invalid socket address: 'example.org' is no IP address");
  CHECK_THROWS_AS(SocketAddress("", 1), leat::TypeError);
  CHECK_THROWS_WITH(SocketAddress("1.2.3.4", 65536),
                    "Port should be >= 0 and < 65536. Received type number (65536).");
  CHECK_THROWS_AS(SocketAddress("1.2.3.4", -1), leat::RangeError);
  CHECK_THROWS_AS(SocketAddress("1.2.3.4", 1).withPort(70000), leat::RangeError);
}

TEST_CASE("the port of an address can be replaced") {
  CHECK(SocketAddress("1.2.3.4", 1).withPort(65535).toString() == "1.2.3.4:65535");
  CHECK(SocketAddress("::1", 1).withPort(2) == SocketAddress("::1", 2));
  CHECK(SocketAddress("::1", 1) != SocketAddress("::1", 2));
  CHECK(SocketAddress("1.2.3.4", 1) != SocketAddress("1.2.3.5", 1));
  CHECK(SocketAddress("::", 1) != SocketAddress("0.0.0.0", 1));
}

TEST_CASE("parse reads what toString writes") {
  for (const char* text : {"1.2.3.4:80", "[::1]:65535", "0.0.0.0:0", "[2001:db8::a]:1"}) {
    const auto address = SocketAddress::parse(text);
    REQUIRE(address.has_value());
    CHECK(address->toString() == text);
  }
  CHECK(SocketAddress::parse("1.2.3.4") == SocketAddress("1.2.3.4", 0));
  CHECK(SocketAddress::parse("::1") == SocketAddress("::1", 0));
  CHECK(SocketAddress::parse("[::1]") == SocketAddress("::1", 0));
  for (const char* bad : {"", ":", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8x", "[::1",
                          "[::1]x", "[::1]:", "[1.2.3.4]:1", "::1]:1", "[]", "example.org:80",
                          "1.2.3.4:123456", "fe80::1%4294967296"})
    CHECK_FALSE(SocketAddress::parse(bad).has_value());
}

TEST_CASE("addresses come from the system's form") {
  const SocketAddress none;
  CHECK(none.family() == Family::Unspecified);
  CHECK(none.familyName().empty());
  CHECK(none.toString().empty());
  CHECK(none.address().empty());
  CHECK(none.size() == 0);
  CHECK(none == SocketAddress::from(nullptr, 0));
  for (const SocketAddress& address :
       {SocketAddress("1.2.3.4", 5), SocketAddress("fe80::1%3", 6), SocketAddress::ofPath("/x"),
        SocketAddress::ofPath(std::string_view("\0x", 2))}) {
    sockaddr_storage storage{};
    std::memcpy(&storage, address.data(), address.size());
    CHECK(SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), address.size()) ==
          address);
  }
  sockaddr_storage odd{};
  odd.ss_family = AF_NETLINK;
  CHECK(SocketAddress::from(reinterpret_cast<const sockaddr*>(&odd), sizeof odd) == none);
  odd.ss_family = AF_INET;
  CHECK(SocketAddress::from(reinterpret_cast<const sockaddr*>(&odd), 4) == none);
  CHECK(SocketAddress::from(reinterpret_cast<const sockaddr*>(&odd), 1) == none);
  odd.ss_family = AF_UNIX;
  const auto unnamed =
      SocketAddress::from(reinterpret_cast<const sockaddr*>(&odd), sizeof(sa_family_t));
  CHECK(unnamed.family() == Family::Unix);
  CHECK(unnamed.path().empty());
  STATIC_REQUIRE(std::is_trivially_copyable_v<SocketAddress>);
  STATIC_REQUIRE(std::is_trivially_destructible_v<SocketAddress>);
}

TEST_CASE("addresses are what bind and getsockname understand") {
  const SocketAddress wanted("127.0.0.1", 0);
  const leat::sys::UniqueFd fd(leat::sys::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd);
  REQUIRE(leat::sys::bind(fd.get(), wanted.data(), wanted.size()) == 0);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  REQUIRE(leat::sys::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  const auto got = SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size);
  CHECK(got.address() == "127.0.0.1");
  CHECK(got.port() > 0);
  CHECK(got == wanted.withPort(got.port()));

  const std::string name = std::string(1, '\0') + "leat-address-test-" + std::to_string(::getpid());
  const SocketAddress local = SocketAddress::ofPath(name);
  const leat::sys::UniqueFd unixFd(leat::sys::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(unixFd);
  REQUIRE(leat::sys::bind(unixFd.get(), local.data(), local.size()) == 0);
  size = sizeof storage;
  REQUIRE(leat::sys::getsockname(unixFd.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  CHECK(SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size) == local);
}
