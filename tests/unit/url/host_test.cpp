// SPDX-License-Identifier: MIT
#include <leat/url.hpp>

#include <leat_test.hpp>

using leat::URL;

namespace {

/// The host that a URL has, or why it is none.
std::string host(std::string_view text) {
  try {
    return std::string(URL("http://" + std::string(text)).hostname());
  } catch (const leat::InvalidURLError& error) {
    const std::string_view message = error.message();
    return "no: " + std::string(message.substr(message.rfind(": ") + 2));
  }
}

const std::string noIPv4 = "no: the host ends with a number and is no IPv4 address";
const std::string noIPv6 = "no: what is in brackets is no IPv6 address";
const std::string noPunycode = "no: the host has a label that begins with xn-- and is no punycode";
const std::string noCharacters = "no: a host cannot have such characters";
const std::string noInternational =
    "no: a host is taken in ASCII only, an international name as punycode (xn--...)";

}  // namespace

TEST_CASE("A domain is read in lower case, with what is encoded decoded") {
  CHECK(host("EXAMPLE.org") == "example.org");
  CHECK(host("%45x%61mple") == "example");
  CHECK(host("a_b.c-d~!$&'()*+,;=`{}\"") == "a_b.c-d~!$&'()*+,;=`{}\"");
  CHECK(host("a..b.") == "a..b.");
  CHECK(host(".") == ".");
}

TEST_CASE("A host has none of the characters that mean something else") {
  for (const std::string_view text : {"a b", "a%", "a%20", "a%00", "a<b", "a>b", "a^b", "a|b",
                                      "a%7f", "a\x01-", "a%23", "a%2f", "a]", "a%25"})
    CHECK(host(text) == noCharacters);
  CHECK(URL("foo://a%00\x01\x7f\"").hostname() == "a%00%01%7F\"");
  CHECK_FALSE(URL::canParse("foo://a b"));
  CHECK_FALSE(URL::canParse("foo://a\\b"));
}

TEST_CASE("An IPv4 address may be written in many ways") {
  CHECK(host("1.2.3.4") == "1.2.3.4");
  CHECK(host("1.2.3.4.") == "1.2.3.4");
  CHECK(host("127.1") == "127.0.0.1");
  CHECK(host("0x7F.1") == "127.0.0.1");
  CHECK(host("017700000001") == "127.0.0.1");
  CHECK(host("2130706433") == "127.0.0.1");
  CHECK(host("%30x7f.1") == "127.0.0.1");
  CHECK(host("1.2.65535") == "1.2.255.255");
  CHECK(host("4294967295") == "255.255.255.255");
  CHECK(host("0x") == "0.0.0.0");
}

TEST_CASE("What ends with a number is an IPv4 address or no host") {
  for (const std::string_view text :
       {"256.1.1.1", "1.2.3.256", "1.2.65536", "4294967296", "99999999999999999999", "1.2.3.4.5",
        "a.1", "09", "1..2", "a.0x", "0xffffffffff"})
    CHECK(host(text) == noIPv4);
  CHECK(host("1.2.3.4..") == "1.2.3.4..");
  CHECK(host("a.1b") == "a.1b");
  CHECK(host("a.0xg") == "a.0xg");
  CHECK(URL("foo://1.2").hostname() == "1.2");
}

TEST_CASE("An IPv6 address is written in its shortest form") {
  CHECK(host("[::1]") == "[::1]");
  CHECK(host("[::]") == "[::]");
  CHECK(host("[1::]") == "[1::]");
  CHECK(host("[0001:002:03:4:5:6:7:8]") == "[1:2:3:4:5:6:7:8]");
  CHECK(host("[ABCD::EF]") == "[abcd::ef]");
  CHECK(host("[1:0:0:4:0:0:0:8]") == "[1:0:0:4::8]");
  CHECK(host("[0:0:3:0:0:6:0:0]") == "[::3:0:0:6:0:0]");
  CHECK(host("[1:0:3:0:5:0:7:0]") == "[1:0:3:0:5:0:7:0]");
  CHECK(host("[1::3:4:5:6:7:8]") == "[1:0:3:4:5:6:7:8]");
  CHECK(host("[1:2:3:4:5:6:7::]") == "[1:2:3:4:5:6:7:0]");
  CHECK(host("[::ffff:1.2.3.40]") == "[::ffff:102:328]");
  CHECK(host("[1:2:3:4:5:6:255.255.255.255]") == "[1:2:3:4:5:6:ffff:ffff]");
  CHECK(URL("foo://[::01]").hostname() == "[::1]");
}

TEST_CASE("What is in brackets is an IPv6 address") {
  for (const std::string_view text : {"[]",
                                      "[",
                                      "[::1",
                                      "[::1]a",
                                      "[1]",
                                      "[1:2]",
                                      "[:1]",
                                      "[1:]",
                                      "[1::2::3]",
                                      "[:::]",
                                      "[12345::]",
                                      "[g::]",
                                      "[::1%25e]",
                                      "[::1%e]",
                                      "[1.2.3.4]",
                                      "[::1.2.3]",
                                      "[::1.2.3.04]",
                                      "[::1.2.3.256]",
                                      "[1:2:3:4:5:6:7:1.2.3.4]",
                                      "[::1.2.3.4:5]",
                                      "[1:2:3:4:5:6:7:8:9]"})
    CHECK(host(text) == noIPv6);
}

TEST_CASE("Punycode stays what it is") {
  CHECK(host("xn--bcher-kva.example") == "xn--bcher-kva.example");
  CHECK(host("XN--BCHER-KVA") == "xn--bcher-kva");
  CHECK(host("xn--%62cher-kva") == "xn--bcher-kva");
  CHECK(host("xn--ls8h.la") == "xn--ls8h.la");
  CHECK(host("a.xn--mgbh0fb") == "a.xn--mgbh0fb");
  CHECK(host("xn--abc-") == "xn--abc-");  // as in Node 20
  CHECK(host("axn--") == "axn--");
}

TEST_CASE("What begins as punycode and is none is refused") {
  for (const std::string_view text :
       {"xn--", "a.xn--.b", "xn---", "xn--0", "xn--99999999", "xn--zzzzzzzzzz99999999", "xn--!",
        "xn--a", "xn--x-$", "xn--tda.xn--0"})
    CHECK(host(text) == noPunycode);
}

TEST_CASE("A name beyond ASCII is refused with the reason") {
  for (const std::string_view text : {"b\xc3\xbc"
                                      "cher.de",
                                      "%C3%A9", "a\xc2\xad", "\xef\xbc\x91"})
    CHECK(host(text) == noInternational);
  // In every scheme that has names for hosts; elsewhere it is only text.
  CHECK_FALSE(URL::canParse("file://\xc3\xa9/"));
  CHECK(URL("foo://\xc3\xa9").hostname() == "%C3%A9");
  // Not even a name.
  CHECK(host("%ff") == noCharacters);
  CHECK(host("\xff") == noCharacters);
  CHECK(host("\xc3\xa9|") == noCharacters);
}

TEST_CASE("A setter that would need a name beyond ASCII throws, and changes nothing") {
  URL url("http://a/");
  CHECK_THROWS_WITH(url.setHost("\xc3\xa9:8"),
                    "Invalid URL '\xc3\xa9:8': a host is taken in ASCII only, an international "
                    "name as punycode (xn--...)");
  CHECK_THROWS_AS(url.setHostname("%C3%A9"), leat::InvalidURLError);
  CHECK(url.href() == "http://a/");
  CHECK(url.setHost("xn--9ca").href() == "http://xn--9ca/");
}
