// SPDX-License-Identifier: MIT
#include <leat/http/headers.hpp>
#include <leat/http/incoming_message.hpp>

#include <map>
#include <vector>

#include <leat_test.hpp>

using leat::http::Headers;

namespace {

std::string all(const Headers& headers) {
  std::string text;
  for (const auto [name, value] : headers)
    text += "[" + std::string(name) + ": " + std::string(value) + "]";
  return text;
}

}  // namespace

TEST_CASE("Headers are found without regard to case and walked through by name in lower case") {
  const Headers headers{{"X-Two", "2"}, {"Accept", "text/html"}, {"b", ""}};
  CHECK(all(headers) == "[accept: text/html][b: ][x-two: 2]");
  CHECK(headers.get("ACCEPT") == "text/html");
  CHECK(headers.get("b") == "");
  CHECK_FALSE(headers.get("c").has_value());
  CHECK(headers.has("x-TWO"));
  CHECK_FALSE(headers.has("x-tw"));
  CHECK(headers.size() == 3);
}

TEST_CASE("append joins the values of a name, set takes their place") {
  Headers headers;
  CHECK(headers.empty());
  headers.append("A", "1");
  headers.append("a", "2");
  headers.append("a", "");
  CHECK(headers.get("a") == "1, 2, ");
  headers.set("A", "3");
  CHECK(all(headers) == "[a: 3]");
  headers.append("Cookie", "x=1");
  headers.append("cookie", "y=2");
  CHECK(headers.get("cookie") == "x=1; y=2");
  headers.delete_("COOKIE");
  headers.delete_("none");
  CHECK(all(headers) == "[a: 3]");
}

TEST_CASE("Every Set-Cookie stays apart") {
  Headers headers{{"Set-Cookie", "a=1"}, {"z", ""}, {"set-cookie", "b=2"}, {"a", ""}};
  headers.append("SET-COOKIE", "c=3");
  CHECK(headers.getSetCookie() == std::vector<std::string>{"a=1", "b=2", "c=3"});
  CHECK(headers.get("set-cookie") == "a=1, b=2, c=3");
  CHECK(all(headers) == "[a: ][set-cookie: a=1][set-cookie: b=2][set-cookie: c=3][z: ]");
  headers.set("Set-Cookie", "d=4");
  CHECK(headers.getSetCookie() == std::vector<std::string>{"d=4"});
  headers.append("set-cookie", "e=5");
  headers.delete_("set-cookie");
  CHECK(headers.getSetCookie().empty());
  CHECK(headers.size() == 2);
}

TEST_CASE("What is around a value is taken off") {
  const Headers headers{{"a", " \t\r\n b c\t \r\n"},
                        {"d", " \n "},
                        {"e",
                         "\x0b"
                         "f\x0c"}};
  CHECK(all(headers) ==
        "[a: b c][d: ][e: \x0b"
        "f\x0c]");
}

TEST_CASE("A name that is no token is refused by every function, with its own name") {
  Headers headers;
  CHECK_THROWS_WITH(headers.append("a b", "c"), "Headers.append: 'a b' is an invalid header name");
  CHECK_THROWS_WITH(headers.set("", "c"), "Headers.set: '' is an invalid header name");
  CHECK_THROWS_WITH(headers.get("\xc3\xa9"), "Headers.get: '\xc3\xa9' is an invalid header name");
  CHECK_THROWS_WITH(headers.has("a:"), "Headers.has: 'a:' is an invalid header name");
  CHECK_THROWS_WITH(headers.delete_("("), "Headers.delete: '(' is an invalid header name");
  try {
    headers.append("a\n", "");
    FAIL("taken");
  } catch (const leat::TypeError& error) {
    CHECK(error.code() == "ERR_INVALID_HTTP_TOKEN");
  }
  CHECK(headers.empty());
}

TEST_CASE("A value that would end its field is refused") {
  Headers headers{{"a", "1"}};
  for (const std::string_view value : {std::string_view("b\nc"), std::string_view("b\rc"),
                                       std::string_view("b\0c", 3), std::string_view("\0", 1)}) {
    CHECK_THROWS_AS(headers.append("a", value), leat::TypeError);
    CHECK_THROWS_AS(headers.set("a", value), leat::TypeError);
  }
  try {
    headers.set("X", "b\r\nc: d");
    FAIL("taken");
  } catch (const leat::TypeError& error) {
    CHECK(error.code() == "ERR_INVALID_CHAR");
    CHECK(error.message() == "Headers.set: 'b\\r\\nc: d' is an invalid header value of X");
  }
  CHECK(all(headers) == "[a: 1]");
  headers.append("a", "\x01\x7f\xff");  // as in Node; they are not sent
  CHECK(headers.get("a") == "1, \x01\x7f\xff");
}

TEST_CASE("Headers are made of fields and of pairs") {
  const std::map<std::string, std::string> map{{"B", "1"}, {"a", "2"}};
  const Headers headers(map);
  CHECK(all(headers) == "[a: 2][b: 1]");
  const std::vector<leat::http::HeaderField> fields{{"a", "3"}, {"A", "4"}};
  CHECK(all(Headers(fields)) == "[a: 3, 4]");
  leat::http::detail::Head head;
  head.text.append("X-Tyx-T");
  head.fields.push({{0, 3}, {3, 1}});
  head.fields.push({{4, 3}, {3, 1}});
  CHECK(all(Headers(leat::http::MessageHeaders(head))) == "[x-t: y, y]");
  Headers copy(headers);
  CHECK(copy == headers);
  copy.set("a", "5");
  CHECK(copy != headers);
  CHECK(all(headers) == "[a: 2][b: 1]");
}

TEST_CASE("Headers may be given a part of themselves") {
  Headers headers{{"a", "a long value that is on the heap"}};
  for (int i = 0; i < 3; ++i) headers.append("a", (*headers.begin()).value);
  CHECK(headers.get("a")->size() == 8 * 32 + 7 * 2);
  headers.set("a", (*headers.begin()).value.substr(0, 6));
  CHECK(headers.get("a") == "a long");
  headers.append("b", (*headers.begin()).value);
  headers.delete_((*headers.begin()).name);
  CHECK(all(headers) == "[b: a long]");
}

TEST_CASE("Fields may be deleted while they are walked through") {
  Headers headers{{"a", ""}, {"b", ""}, {"c", ""}};
  std::string seen;
  for (const auto [name, value] : headers) {
    seen += name;
    if (name == "a") headers.delete_("a");
  }
  CHECK(seen == "ac");
}

TEST_CASE("Many names stay sorted") {
  Headers headers;
  for (int i = 0; i < 100; ++i) headers.set("h" + std::to_string(i * 37 % 100), std::to_string(i));
  CHECK(headers.size() == 100);
  std::string last;
  for (const auto [name, value] : headers) {
    CHECK(last < name);
    last = name;
  }
  for (int i = 0; i < 100; ++i)
    CHECK(headers.get("H" + std::to_string(i * 37 % 100)) == std::to_string(i));
}
