// SPDX-License-Identifier: MIT
#include <leat/http/detail/conditions.hpp>

#include <leat_test.hpp>
#include <string>
#include <vector>

using namespace leat::http::detail;
using leat::http::MessageHeaders;

namespace {

constexpr std::int64_t then = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::int64_t now = 1'700'000'000;

/// What a request with these fields comes to.
struct Fields {
  explicit Fields(const std::vector<std::pair<std::string, std::string>>& all) {
    const auto part = [this](const std::string& text) {
      const HeadPart made{static_cast<std::uint32_t>(head.text.size()),
                          static_cast<std::uint32_t>(text.size())};
      head.text.append(text);
      return made;
    };
    for (const auto& [name, value] : all) {
      const HeadPart first = part(name);
      head.fields.push({first, part(value)});
    }
  }
  Head head;
};
Verdict judged(const std::vector<std::pair<std::string, std::string>>& all,
               std::string_view etag = "\"a\"") {
  const Fields fields(all);
  return judge(MessageHeaders(fields.head), {etag, then, now});
}
bool holds(const std::string& ifRange, std::string_view etag = "\"a\"", std::int64_t today = now) {
  const Fields fields({{"If-Range", ifRange}});
  return rangeHolds(MessageHeaders(fields.head), {etag, then, today});
}
std::string ranged(std::string_view field, std::int64_t size = 100) {
  const ByteRange range = readRange(field, size);
  if (range.kind == ByteRange::Kind::Whole) return "whole";
  if (range.kind == ByteRange::Kind::Nowhere) return "nowhere";
  return std::to_string(range.first) + "-" + std::to_string(range.last);
}

}  // namespace

TEST_CASE("dates are written, and read in the three forms that there are") {
  char into[32];
  CHECK(writeDate(into, then) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(writeDate(into, 0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(writeDate(into, 951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(writeDate(into, 253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  for (const char* form : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"})
    CHECK(readDate(form, now) == then);
  for (const std::int64_t seconds : {std::int64_t{0}, std::int64_t{951782400}, now})
    CHECK(readDate(writeDate(into, seconds), now) == seconds);
  // Two digits are at most 50 years ahead.
  CHECK(readDate("Friday, 01-Jan-72 00:00:00 GMT", now) == 3218832000);
  CHECK(readDate("Friday, 01-Jan-75 00:00:00 GMT", now) == 157766400);
  for (const char* none : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nux 1994 08:49:37 GMT",
                           "Sun, 06 ovD 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                           "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, 06 Nov 199x 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
                           "123, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT"})
    CHECK_FALSE(readDate(none, now));
}
TEST_CASE("tags are compared weakly for If-None-Match and strongly for If-Match") {
  CHECK(judged({}) == Verdict::Send);
  for (const char* same : {"\"a\"", "W/\"a\"", "*", "\"b\", W/\"a\"", ",, \"b\" ,\"a\"", " * "})
    CHECK(judged({{"If-None-Match", same}}) == Verdict::NotModified);
  CHECK(judged({{"If-None-Match", "\"b\""}, {"if-none-match", "\"a\""}}) == Verdict::NotModified);
  for (const char* other : {"\"b\"", "a", "\"a", "\"A\"", "", "w/\"a\"", "\"a\\\"\", x"})
    CHECK(judged({{"If-None-Match", other}}) == Verdict::Send);
  CHECK(judged({{"If-None-Match", "\"b, c\", \"a\""}}) == Verdict::NotModified);
  CHECK(judged({{"If-None-Match", "W/\"a\""}}, "W/\"a\"") == Verdict::NotModified);
  for (const char* same : {"\"a\"", "*", "\"b\",\"a\""})
    CHECK(judged({{"If-Match", same}}) == Verdict::Send);
  for (const char* other : {"W/\"a\"", "\"b\"", ""})
    CHECK(judged({{"If-Match", other}}) == Verdict::Failed);
  CHECK(judged({{"If-Match", "W/\"a\""}}, "W/\"a\"") == Verdict::Failed);
  CHECK(judged({{"If-Match", "*"}}, "W/\"a\"") == Verdict::Send);
}
TEST_CASE("dates are conditions when there is no tag") {
  const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
  const std::string after = "Sunday, 06-Nov-94 08:49:38 GMT";
  CHECK(judged({{"If-Modified-Since", before}}) == Verdict::Send);
  CHECK(judged({{"If-Modified-Since", same}}) == Verdict::NotModified);
  CHECK(judged({{"If-Modified-Since", after}}) == Verdict::NotModified);
  CHECK(judged({{"If-Modified-Since", "yesterday"}}) == Verdict::Send);
  CHECK(judged({{"If-Modified-Since", after}, {"If-None-Match", "\"b\""}}) == Verdict::Send);
  CHECK(judged({{"If-Unmodified-Since", before}}) == Verdict::Failed);
  CHECK(judged({{"If-Unmodified-Since", same}}) == Verdict::Send);
  CHECK(judged({{"If-Unmodified-Since", "yesterday"}}) == Verdict::Send);
  CHECK(judged({{"If-Unmodified-Since", before}, {"If-Match", "\"a\""}}) == Verdict::Send);
  CHECK(judged({{"If-Match", "\"b\""}, {"If-None-Match", "\"a\""}}) == Verdict::Failed);
  CHECK(judged({{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}}) == Verdict::NotModified);
}
TEST_CASE("If-Range holds for what is surely the same") {
  CHECK(holds("\"a\""));
  CHECK_FALSE(holds("\"b\""));
  CHECK_FALSE(holds("W/\"a\""));
  CHECK_FALSE(holds("\"a\"", "W/\"a\""));
  CHECK(holds("Sun, 06 Nov 1994 08:49:37 GMT"));
  CHECK_FALSE(holds("Sun, 06 Nov 1994 08:49:38 GMT"));
  CHECK_FALSE(holds("Sun, 06 Nov 1994 08:49:37 GMT", "\"a\"", then + 1));
  CHECK_FALSE(holds("x"));
}
TEST_CASE("a range is one of bytes, or none") {
  CHECK(ranged("bytes=0-9") == "0-9");
  CHECK(ranged("Bytes=0-0") == "0-0");
  CHECK(ranged("bytes= 5-5 ") == "5-5");
  CHECK(ranged("bytes=90-") == "90-99");
  CHECK(ranged("bytes=90-200") == "90-99");
  CHECK(ranged("bytes=-10") == "90-99");
  CHECK(ranged("bytes=-200") == "0-99");
  CHECK(ranged("bytes=0-99999999999999999999999") == "0-99");
  for (const char* nowhere :
       {"bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"})
    CHECK(ranged(nowhere) == "nowhere");
  for (const char* none :
       {"", "bytes", "bytes=", "bytes=-", "bytes=x", "bytes=1-0", "bytes=0-9,20-29", "bytes=a-b",
        "bytes=1-b", "bytes=--1", "bytes=+1-2", "lines=0-9", "bytes 0-9", "bytes=0 - 9"})
    CHECK(ranged(none) == "whole");
  CHECK(ranged("bytes=0-", 0) == "nowhere");
  CHECK(ranged("bytes=-5", 0) == "whole");
}
