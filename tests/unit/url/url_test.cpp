// SPDX-License-Identifier: MIT
#include <leat/core/describe.hpp>
#include <leat/url.hpp>

#include <utility>
#include <vector>

#include <leat_test.hpp>

using leat::InvalidURLError;
using leat::URL;

namespace {

std::string read(std::string_view input) { return URL(input).toString(); }
std::string read(std::string_view input, std::string_view base) {
  return URL(input, base).toString();
}
std::string refusal(std::string_view input) {
  try {
    return "taken: " + read(input);
  } catch (const InvalidURLError& error) {
    return std::string(error.message());
  }
}

}  // namespace

TEST_CASE("A URL has the parts of its text") {
  const URL url("HTTPS://user:secret@Example.ORG:8080/a/./b/../c d?e=f g#h i");
  CHECK(url.href() == "https://user:secret@example.org:8080/a/c%20d?e=f%20g#h%20i");
  CHECK(url.protocol() == "https:");
  CHECK(url.username() == "user");
  CHECK(url.password() == "secret");
  CHECK(url.host() == "example.org:8080");
  CHECK(url.hostname() == "example.org");
  CHECK(url.port() == "8080");
  CHECK(url.pathname() == "/a/c%20d");
  CHECK(url.search() == "?e=f%20g");
  CHECK(url.hash() == "#h%20i");
  CHECK(url.origin() == "https://example.org:8080");
  CHECK(url.toJSON() == url.toString());
}

TEST_CASE("A URL without a part gives nothing for it") {
  const URL plain("http://a");
  CHECK(plain.pathname() == "/");
  for (const std::string_view part :
       {plain.username(), plain.password(), plain.port(), plain.search(), plain.hash()})
    CHECK(part.empty());
  const URL marks("http://a/?#");
  CHECK(marks.href() == "http://a/?#");
  CHECK(marks.search().empty());
  CHECK(marks.hash().empty());
  CHECK(URL("foo:/a").host().empty());
}

TEST_CASE("A reference is read against its base") {
  CHECK(read("x", "http://b/c/d?e#f") == "http://b/c/x");
  CHECK(read("../x", "http://b/c/d/e") == "http://b/c/x");
  CHECK(read("/x", "http://u:p@b:8/c") == "http://u:p@b:8/x");
  CHECK(read("//x/y", "https://b/c") == "https://x/y");
  CHECK(read("?x", "http://b/c?d#e") == "http://b/c?x");
  CHECK(read("#x", "http://b/c?d#e") == "http://b/c?d#x");
  CHECK(read("", "http://b/c?d#e") == "http://b/c?d");
  CHECK(read("http:x", "http://b/c/d") == "http://b/c/x");
  CHECK(read("https:x", "http://b/c/d") == "https://x/");
  CHECK(read("\\x", "http://b/c") == "http://b/x");
  CHECK(read("#x", "mailto:a") == "mailto:a#x");
  CHECK(URL("x", URL("foo://b/c")).href() == "foo://b/x");
}

TEST_CASE("Dots of a path go up or nowhere, also when they are encoded") {
  CHECK(read("http://a/b/%2e%2E/./c") == "http://a/c");
  CHECK(read("http://a/../../b") == "http://a/b");
  CHECK(read("http://a/b/..") == "http://a/");
  CHECK(read("http://a/b/.") == "http://a/b/");
  CHECK(read("http://a/.../..b") == "http://a/.../..b");
  CHECK(read("http://h/x/.a/.") == "http://h/x/.a/");  // Node 20 leaves the dot
  CHECK(read("foo://h/..") == "foo://h/");             // and here no slash
  CHECK(read("foo:/..//a") == "foo:/.//a");
}

TEST_CASE("A scheme that is not special keeps its path as it is") {
  CHECK(read("foo://A/b\\c") == "foo://A/b\\c");
  CHECK(read("foo://a") == "foo://a");
  CHECK(read("javascript:a b\xc3\xa9'\"") == "javascript:a b%C3%A9'\"");
  URL mail("mailto:a@b");
  CHECK(mail.pathname() == "a@b");
  mail.setPathname("/c").setHost("d").setPort("8").setUsername("e");
  CHECK(mail.href() == "mailto:a@b");
}

TEST_CASE("What may not stand in a part is encoded, by the rules of the part") {
  CHECK(read("http://x/'\"<> `{}|^?'\"<> `{}|^#'\"<> `{}|^") ==
        "http://x/'%22%3C%3E%20%60%7B%7D|^?%27%22%3C%3E%20`{}|^#'%22%3C%3E%20%60{}|^");
  CHECK(read("foo://x?'") == "foo://x?'");
  CHECK(read("http://a b:c\"d@x") == "http://a%20b:c%22d@x/");
  CHECK(read("http://x/\xc3\xa9?\xf0\x9f\x98\x80") == "http://x/%C3%A9?%F0%9F%98%80");
  CHECK(read("http://x/\xff") == "http://x/%EF%BF%BD");
  CHECK(read("http://x/%zz%4") == "http://x/%zz%4");
}

TEST_CASE("Blanks around and ends of lines inside of a URL are no part of it") {
  CHECK(read(" \x01\thtt\np://a\r/\nb ") == "http://a/b");
  CHECK(URL("x:a  ").href() == "x:a");
}

TEST_CASE("Of several @ the last ends the credentials") {
  const URL url("http://a@b:c@d@e/");
  CHECK(url.username() == "a%40b");
  CHECK(url.password() == "c%40d");
  CHECK(url.hostname() == "e");
  CHECK(read("http://:@a") == "http://a/");
  CHECK(URL("http://:p@a").href() == "http://:p@a/");
}

TEST_CASE("The own port of a scheme is left out") {
  CHECK(read("http://a:80") == "http://a/");
  CHECK(read("https://a:0443") == "https://a/");
  CHECK(read("wss://a:443") == "wss://a/");
  CHECK(read("ftp://a:21") == "ftp://a/");
  CHECK(read("http://a:443") == "http://a:443/");
  CHECK(read("http://a:") == "http://a/");
  CHECK(read("foo://a:80") == "foo://a:80");
  CHECK(URL("http://a:65535").port() == "65535");
}

TEST_CASE("Files have drives, and no host when it is this machine") {
  CHECK(read("file:C|\\x\\..\\..") == "file:///C:/");
  CHECK(read("file://localhost/x") == "file:///x");
  CHECK(read("\\\\server\\share", "file:///x") == "file://server/share");
  CHECK(read("/..", "file:///C:/a") == "file:///C:/");
  CHECK(read("D|/", "file:///C:/a") == "file:///D:/");
  CHECK(read("x", "file:///a:b") == "file:///x");  // Node 20 takes a:b for a drive
  CHECK(read("file:") == "file:///");
  CHECK(read("?q", "file:///a?b") == "file:///a?q");
  CHECK(URL("file:///x").origin() == "null");
}

TEST_CASE("The origin of a blob is that of the URL in it") {
  CHECK(URL("blob:https://a:443/x").origin() == "https://a");
  CHECK(URL("blob:ftp://a/x").origin() == "null");
  CHECK(URL("blob:x").origin() == "null");
  CHECK(URL("foo://a").origin() == "null");
  CHECK(URL("wss://a:8").origin() == "wss://a:8");
}

TEST_CASE("What is no URL is refused with the text and the reason") {
  CHECK(refusal("x") == "Invalid URL 'x': it has no scheme, and there is no base");
  CHECK(refusal("http://") == "Invalid URL 'http://': the host is missing");
  CHECK(refusal("http://u@") == "Invalid URL 'http://u@': the host is missing");
  CHECK(refusal("http://:80") == "Invalid URL 'http://:80': the host is missing");
  CHECK(refusal("foo://:80") == "Invalid URL 'foo://:80': the host is missing");
  CHECK(refusal("http://a:b") == "Invalid URL 'http://a:b': the port is no number up to 65535");
  CHECK(refusal("http://a:65536") ==
        "Invalid URL 'http://a:65536': the port is no number up to 65535");
  CHECK(refusal("foo://a^b") == "Invalid URL 'foo://a^b': a host cannot have such characters");
  CHECK(refusal(std::string_view("x\0y", 3)) ==
        "Invalid URL 'x\\x00y': it has no scheme, and there is no base");
}

TEST_CASE("The error has Node's code, the input and the base") {
  try {
    URL("a", "mailto:b");
    FAIL("taken");
  } catch (const leat::TypeError& error) {
    CHECK(error.code() == "ERR_INVALID_URL");
    CHECK(error.name() == "TypeError");
    CHECK(error.message() ==
          "Invalid URL 'a' with the base 'mailto:b': nothing can be relative to a base without a "
          "path");
  }
  std::optional<InvalidURLError> kept;
  try {
    URL("a", std::string_view("b\0", 2));
    FAIL("taken");
  } catch (const InvalidURLError& error) {
    kept = error;
  }
  CHECK(kept->input() == "a");
  CHECK(kept->base() == std::string_view("b\0", 2));
  CHECK(kept->message() ==
        "Invalid URL 'a', because of its base 'b\\x00': it has no scheme, and there is no base");
}

TEST_CASE("canParse and parse say the same without an error") {
  CHECK(URL::canParse("http://a"));
  CHECK_FALSE(URL::canParse("a"));
  CHECK(URL::canParse("a", "http://b"));
  CHECK_FALSE(URL::canParse("a", "b"));
  CHECK(URL::canParse("a", URL("http://b")));
  CHECK(URL::parse("http://a")->href() == "http://a/");
  CHECK_FALSE(URL::parse("http://a:b").has_value());
  CHECK(URL::parse("a", "http://b")->href() == "http://b/a");
  CHECK(URL::parse("a", URL("http://b"))->href() == "http://b/a");
  CHECK_FALSE(URL::parse("a", URL("data:b")).has_value());
}

TEST_CASE("Setters change one part, and can be chained") {
  URL url("http://a/b");
  url.setProtocol("https").setHost("c:8").setPathname("d e").setSearch("f=g").setHash("h");
  CHECK(url.href() == "https://c:8/d%20e?f=g#h");
  url.setUsername("u:").setPassword("p@").setHostname("i").setPort(443);
  CHECK(url.href() == "https://u%3A:p%40@i/d%20e?f=g#h");
  url.setSearch("").setHash("").setUsername("").setPassword("").setPort("9x");
  CHECK(url.href() == "https://i:9/d%20e");
  url.setPort("").setSearch("??").setHash("##").setPathname("");
  CHECK(url.href() == "https://i/??##");
  CHECK(url.setHref("foo:x").href() == "foo:x");
}

TEST_CASE("A setter leaves alone what does not fit") {
  URL url("http://a:8/b");
  url.setProtocol("foo").setProtocol("1").setProtocol("").setPort("x").setPort("65536");
  url.setHost("").setHost(":9").setHost("a b").setHost("1.2.3.4.5").setHostname("c:9");
  CHECK(url.href() == "http://a:8/b");
  url.setHost("c:x");
  CHECK(url.href() == "http://c:8/b");
  url.setHost("d:99999");
  CHECK(url.href() == "http://d:8/b");
  CHECK_THROWS_WITH(url.setHref("e"), "Invalid URL 'e': it has no scheme, and there is no base");
  CHECK(url.href() == "http://d:8/b");

  URL file("file:///a");
  file.setUsername("u").setPassword("p").setPort("8").setProtocol("http").setHost("b:8");
  CHECK(file.href() == "file:///a");
  CHECK(file.setHost("b").href() == "file://b/a");
  CHECK(file.setHost("localhost").href() == "file:///a");
  CHECK(file.setHost("").href() == "file:///a");
  CHECK(URL("http://u@a").setProtocol("file").href() == "http://u@a/");
  CHECK(URL("foo://u@a").setHost("").href() == "foo://u@a");
  CHECK(URL("foo://u@a").setHost(":9").href() == "foo://u@a");  // Node 20: foo://u@:9
}

TEST_CASE("A setter takes its value to where its part ends") {
  CHECK(URL("http://a").setHost("b/c").href() == "http://b/");
  CHECK(URL("http://a").setHost("b\\c").href() == "http://b/");
  CHECK(URL("http://a").setHost("b?c").href() == "http://b/");
  CHECK(URL("http://a").setHost("[::1]:8").href() == "http://[::1]:8/");
  CHECK(URL("http://a").setProtocol("https:x").href() == "https://a/");
  CHECK(URL("http://a").setPathname("b?c#d").href() == "http://a/b%3Fc%23d");
  CHECK(URL("http://a").setSearch("b#c").href() == "http://a/?b%23c");
  CHECK(URL("http://a").setPathname("\\b\\..\\c").href() == "http://a/c");
  CHECK(URL("http://a:8").setProtocol("https").setPort("443").href() == "https://a/");
  CHECK(URL("http://a:443").setProtocol("https").href() == "https://a/");
}

TEST_CASE("A path that looks like a host is kept apart from one") {
  URL url("foo:/.//a");
  CHECK(url.pathname() == "//a");
  CHECK(url.setHost("h").href() == "foo://h//a");
  CHECK(URL("foo:/a").setPathname("//b").href() == "foo:/.//b");
  CHECK(URL("foo:/a").setPathname("").href() == "foo:/");
  CHECK(URL("foo:/.//a?b#c").setPathname("//x").href() == "foo:/.//x?b#c");  // Node 20 drops ?b#c
  CHECK(URL("foo:/a").setHost("h:9").href() == "foo://h:9/a");               // and here the port
}

TEST_CASE("Blanks at the end of an opaque path go with the query and the fragment") {
  URL url("x:a  ?b#c");
  CHECK(url.setSearch("").href() == "x:a  #c");
  CHECK(url.setHash("").href() == "x:a");
}

TEST_CASE("URLs can be copied, moved and compared") {
  URL first("http://a/?b=c");
  URL copy = first;
  copy.setHost("d");
  CHECK(first.href() == "http://a/?b=c");
  CHECK(copy != first);
  first = copy;
  CHECK(copy == first);
  const URL taken = std::move(copy);
  CHECK(taken.href() == "http://d/?b=c");
  std::vector<URL> list;
  for (int i = 0; i < 20; ++i) list.emplace_back("http://a/" + std::to_string(i));
  CHECK(list[7].pathname() == "/7");
}

TEST_CASE("A URL that was moved from is empty and may be set again") {
  URL url("http://a/?b");
  const URL taken = std::move(url);
  for (const std::string_view part : {url.href(), url.protocol(), url.host(), url.search()})
    CHECK(part.empty());
  url.setHref("http://c");
  CHECK(url.href() == "http://c/");
}
