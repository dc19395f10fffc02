// SPDX-License-Identifier: MIT
#include <leat/url.hpp>

#include <map>
#include <utility>
#include <vector>

#include <leat_test.hpp>

using leat::URL;
using leat::URLSearchParams;

static_assert(std::forward_iterator<URLSearchParams::Iterator>);

namespace {

std::string readQuery(std::string_view query) { return URLSearchParams(query).toString(); }

}  // namespace

TEST_CASE("A query is read into names and values") {
  const URLSearchParams params("?a=1&b=2+3&&c&=d&e=f=g&%41=%2B%zz");
  std::string seen;
  for (const auto& [name, value] : params) seen += "[" + name + "|" + value + "]";
  CHECK(seen == "[a|1][b|2 3][c|][|d][e|f=g][A|+%zz]");
  CHECK(params.size() == 6);
  CHECK_FALSE(params.empty());
  CHECK(readQuery("??a") == "%3Fa=");
  CHECK(readQuery("").empty());
  CHECK(readQuery("&&").empty());
}

TEST_CASE("A list is written as a form writes it") {
  CHECK(readQuery("a b=c*d-e.f_g~h!i'(j)") == "a+b=c*d-e.f_g%7Eh%21i%27%28j%29");
  URLSearchParams params;
  params.append("\xc3\xa9 +", "\xf0\x9f\x98\x80&=");
  CHECK(params.toString() == "%C3%A9+%2B=%F0%9F%98%80%26%3D");
  params.append("", "");
  CHECK(URLSearchParams(params.toString()) == params);
}

TEST_CASE("What is no UTF-8 becomes U+FFFD") {
  CHECK(readQuery("a=%ff&%C3=\xc3\xa9%C3") == "a=%EF%BF%BD&%EF%BF%BD=%C3%A9%EF%BF%BD");
  URLSearchParams params;
  params.append("\xff", "\xfe");
  CHECK(params.get("\xef\xbf\xbd") == "\xef\xbf\xbd");
  CHECK(params.has("\xff", "\xff"));
}

TEST_CASE("get gives the first, getAll all, has asks for a name or for both") {
  const URLSearchParams params("a=1&b=2&a=3");
  CHECK(params.get("a") == "1");
  CHECK(params.getAll("a") == std::vector<std::string>{"1", "3"});
  CHECK_FALSE(params.get("c").has_value());
  CHECK(params.getAll("c").empty());
  CHECK(params.has("b"));
  CHECK_FALSE(params.has("c"));
  CHECK(params.has("a", "3"));
  CHECK_FALSE(params.has("a", "2"));
}

TEST_CASE("set takes the place of the first, delete_ takes all or those with the value") {
  URLSearchParams params("a=1&b=2&a=3&a=4");
  params.set("a", "5");
  CHECK(params.toString() == "a=5&b=2");
  params.set("c", "6");
  CHECK(params.toString() == "a=5&b=2&c=6");
  params.append("a", "7");
  params.append("a", "8");
  params.delete_("a", "7");
  CHECK(params.toString() == "a=5&b=2&c=6&a=8");
  params.delete_("a");
  CHECK(params.toString() == "b=2&c=6");
  params.delete_("x");
  CHECK(params.size() == 2);
}

TEST_CASE("A list may be given a part of itself") {
  URLSearchParams params("a=1&b=2&c=a");
  params.set("b", (*params.begin()).first);
  params.append(params.keys()[0], params.values()[2]);
  CHECK(params.toString() == "a=1&b=a&c=a&a=a");
  params.delete_(params.begin()->first);
  CHECK(params.toString() == "b=a&c=a");
}

TEST_CASE("sort is by UTF-16 and keeps the order of one name") {
  // U+FB03 is behind the halves of U+1F600 there, and before it in UTF-8.
  URLSearchParams params("z=1&\xef\xac\x83=2&\xf0\x9f\x98\x80=3&a=4&z=0&ab=5&a=3&=6");
  params.sort();
  CHECK(params.values() == std::vector<std::string_view>{"6", "4", "3", "5", "1", "0", "3", "2"});
  std::string many, sorted;
  for (int i = 0; i < 100; ++i)
    many += "&" + std::string(1, static_cast<char>('a' + i * 7 % 10)) + "=" + std::to_string(i);
  URLSearchParams list(many);
  list.sort();
  std::string last;
  for (const auto& [name, value] : list) {
    CHECK(name >= last);
    last = name;
  }
  CHECK(list.getAll("a") == URLSearchParams(many).getAll("a"));
}

TEST_CASE("A list is made of pairs") {
  CHECK(URLSearchParams{{"a", "1"}, {"b", "2"}}.toString() == "a=1&b=2");
  CHECK(URLSearchParams({{"a", "1"}}).toString() == "a=1");
  const std::map<std::string, std::string> map{{"c", "3"}, {"d", "4"}};
  CHECK(URLSearchParams(map).toString() == "c=3&d=4");
  const std::vector<std::pair<std::string_view, const char*>> pairs{{"e", "5"}};
  CHECK(URLSearchParams(pairs).toString() == "e=5");
}

TEST_CASE("Entries may be deleted while they are walked through") {
  URLSearchParams params("a=1&b=2&c=3&d=4");
  std::string seen;
  for (const auto& entry : params) {
    const std::string name = entry.first;
    seen += name;
    if (name == "b") params.delete_("b");
  }
  CHECK(seen == "abd");  // as in Node: c has moved to where b was
}

TEST_CASE("The list of a URL and its query are the same thing") {
  URL url("http://x/?a=1#h");
  URLSearchParams& params = url.searchParams();
  CHECK(&params == &url.searchParams());
  params.append("b c", "2");
  CHECK(url.href() == "http://x/?a=1&b+c=2#h");
  params.delete_("a");
  params.set("d", "~");
  CHECK(url.search() == "?b+c=2&d=%7E");
  url.setSearch("?z=9&y=8");
  CHECK(params.get("z") == "9");
  params.sort();
  CHECK(url.search() == "?y=8&z=9");
  url.setHref("http://w/?v");
  CHECK(params.keys() == std::vector<std::string_view>{"v"});
  params.delete_("v");
  CHECK(url.href() == "http://w/");
  url.setHash("i").setHost("u");
  params.append("t", "");
  CHECK(url.href() == "http://u/?t=#i");
}

TEST_CASE("Only a change of the list rewrites the query") {
  URL url("http://x/?a=b c&d=~");
  CHECK(url.searchParams().get("d") == "~");
  CHECK(url.search() == "?a=b%20c&d=~");
  url.searchParams().delete_("none");
  CHECK(url.search() == "?a=b+c&d=%7E");
}

TEST_CASE("The list goes with a URL that is moved, and stays with one that is assigned to") {
  URL first("http://x/?a=1");
  URLSearchParams& params = first.searchParams();
  URL second = std::move(first);
  params.append("b", "2");
  CHECK(second.href() == "http://x/?a=1&b=2");
  CHECK(&second.searchParams() == &params);

  URL third("http://y/?c=3");
  URLSearchParams& others = third.searchParams();
  second = third;
  CHECK(params.toString() == "c=3");
  params.set("c", "4");
  CHECK(second.href() == "http://y/?c=4");
  CHECK(third.href() == "http://y/?c=3");
  second = std::move(third);
  CHECK(params.get("c") == "3");
  CHECK(others.empty());
  params.set("c", "5");
  CHECK(second.search() == "?c=5");
}

TEST_CASE("A list that is assigned to stays with its URL, a copy belongs to none") {
  URL url("http://x/?a=1");
  URLSearchParams copy = url.searchParams();
  copy.append("b", "2");
  CHECK(url.search() == "?a=1");
  url.searchParams() = copy;
  CHECK(url.search() == "?a=1&b=2");
  const URLSearchParams taken = std::move(url.searchParams());
  CHECK(taken.size() == 2);
  CHECK(url.href() == "http://x/");
  url.searchParams() = URLSearchParams("c=3");
  CHECK(url.search() == "?c=3");
}

TEST_CASE("A const or temporary URL gives a list of its own") {
  const URL url("http://x/?a=1");
  URLSearchParams params = url.searchParams();
  params.append("b", "2");
  CHECK(url.search() == "?a=1");
  std::string names;
  for (const auto& [name, value] : URL("http://x/?a&b&c").searchParams()) names += name;
  CHECK(names == "abc");
}

TEST_CASE("A list that becomes empty takes the blanks of an opaque path with it") {
  URL url("x:a  ?b");
  url.searchParams().delete_("b");
  CHECK(url.href() == "x:a");
}
