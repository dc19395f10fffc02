// SPDX-License-Identifier: MIT
// The regions that docs/url.md shows.
#include <leat/http/headers.hpp>
#include <leat/url.hpp>

#include <string>

#include <leat_test.hpp>

using leat::InvalidURLError;
using leat::URL;
using leat::URLSearchParams;
namespace http = leat::http;

TEST_CASE("docs/url.md: the first lines") {
  // [first]
  URL url("../search?q=a b#top", "https://Example.org:443/docs/url.html");
  std::string_view whole = url.href();     // "https://example.org/search?q=a%20b#top"
  std::string_view host = url.hostname();  // "example.org"
  url.searchParams().append("page", "2");
  url.setPort(8443).setHash("");
  std::string text = url.toString();  // "https://example.org:8443/search?q=a+b&page=2"
  // [/first]
  CHECK(text == "https://example.org:8443/search?q=a+b&page=2");
  CHECK(url.hostname() == "example.org");
  CHECK_FALSE(whole.empty());
  CHECK_FALSE(host.empty());
}

TEST_CASE("docs/url.md: refused") {
  std::string said;
  const std::string given = "example.org:";
  // [refused]
  if (const std::optional<URL> url = URL::parse(given)) said = url->host();
  try {
    URL("/index.html");
  } catch (const InvalidURLError& error) {  // code() is "ERR_INVALID_URL"
    said = error.what();
    // Invalid URL '/index.html': it has no scheme, and there is no base
  }
  // [/refused]
  CHECK(said == "Invalid URL '/index.html': it has no scheme, and there is no base");
}

TEST_CASE("docs/url.md: params") {
  std::string seen;
  // [params]
  URLSearchParams params{{"name", "Ada"}, {"tag", "a"}, {"tag", "b"}};
  params.delete_("tag", "a");
  params.set("name", "Ada & Co");
  for (const auto& [name, value] : params) seen += name + " is " + value + "\n";
  std::string body = params.toString();  // "name=Ada+%26+Co&tag=b"
  // [/params]
  CHECK(body == "name=Ada+%26+Co&tag=b");
  CHECK(seen == "name is Ada & Co\ntag is b\n");
}

TEST_CASE("docs/url.md: headers") {
  std::string seen;
  // [headers]
  http::Headers headers{{"Accept", "text/html"}, {"X-Trace", " 17 "}};
  headers.append("accept", "*/*");
  headers.append("Set-Cookie", "a=1");
  headers.append("Set-Cookie", "b=2");
  std::optional<std::string> accept = headers.get("ACCEPT");  // "text/html, */*"
  for (const auto [name, value] : headers) seen.append(name).append(": ").append(value) += '\n';
  // accept: text/html, */*
  // set-cookie: a=1
  // set-cookie: b=2
  // x-trace: 17
  // [/headers]
  CHECK(accept == "text/html, */*");
  CHECK(seen == "accept: text/html, */*\nset-cookie: a=1\nset-cookie: b=2\nx-trace: 17\n");
}
