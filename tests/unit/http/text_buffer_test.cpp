// SPDX-License-Identifier: MIT
// The text that heads are kept in, and fields that go into it.
#include <leat/http/detail/outgoing_message.hpp>

#include <leat_test.hpp>
#include <string>
#include <utility>

using namespace leat::http::detail;

TEST_CASE("a text is what was appended, in pieces of every size, wherever it grows") {
  for (std::size_t piece = 0; piece <= 70; ++piece) {
    TextBuffer text;
    std::string expected;
    for (int i = 0; i < 20; ++i) {
      const std::string part(piece, static_cast<char>('a' + i));
      text.append(part);
      expected += part;
    }
    CHECK(std::string_view(text) == expected);
    CHECK(text.capacity() >= text.size());
    CHECK(text.empty() == (piece == 0));
  }
}
TEST_CASE("what is written into its room is the text's when it says so, and moves with it") {
  TextBuffer text;
  text.append("one");
  char* const room = text.room(1000);
  CHECK(text.fits(1000));
  text.endAt(put(room, " two"));
  CHECK(std::string_view(text) == "one two");
  text.cut(3);
  CHECK(std::string_view(text) == "one");
  TextBuffer other = std::move(text);
  CHECK(std::string_view(other) == "one");
  const std::size_t capacity = other.capacity();
  text = std::exchange(other, {});
  CHECK(other.capacity() == 0);
  CHECK(other.empty());
  const TextBuffer copy(text);
  text.clear();
  CHECK(text.empty());
  CHECK(text.capacity() == capacity);
  CHECK(std::string_view(copy) == "one");
}
TEST_CASE("a field is found by its name after others of names as long were removed and replaced") {
  OutgoingFields fields;
  fields.set("Date", "1");
  CHECK_FALSE(fields.mayHave(OutgoingFields::sizeBit(3)));
  fields.set("Host", "2");
  fields.set("hOST", "3");
  fields.remove("date");
  CHECK(fields.get("host") == "3");
  CHECK(fields.size() == 1);
  fields.set("date", "4");
  CHECK(fields.get("Date") == "4");
  const std::string large(100, 'n');
  fields.set(large, "5");
  fields.set(large + "n", "6");
  fields.set(large, "7");
  CHECK(fields.get(large) == "7");
  CHECK(fields.size() == 4);
  fields.clear();
  CHECK_FALSE(fields.mayHave(~std::uint32_t{0}));
}
TEST_CASE("a head that was refused leaves nothing to the one in its place") {
  OutgoingMessage message;
  message.answerTo("GET", Head());
  message.fields.add("Transfer-Encoding", "chunked");
  message.fields.add("Content-Length", "5");
  try {
    message.fixHead();
    FAIL("taken");
  } catch (const leat::TypeError& error) {
    CHECK(error.code() == "ERR_HTTP_INVALID_HEADER_VALUE");
  }
  message.fields.clear();
  message.fields.add("X", "y");
  message.fixHead();
  TextBuffer text;
  message.writeHead(text, "Date: now\r\n", {.seconds = 5}, std::size_t{2});
  message.beginPiece(text, 2);
  text.append("ab");
  message.endPiece(text);
  message.end(text);
  CHECK(
      std::string_view(text) ==
      "HTTP/1.1 200 OK\r\nX: y\r\nDate: now\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
      "Content-Length: 2\r\n\r\nab");
}
TEST_CASE("numbers are written as they are, with every count of digits") {
  char digits[20];
  for (std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{10}, std::uint64_t{99},
        std::uint64_t{100}, std::uint64_t{12345}, ~std::uint64_t{0}})
    CHECK(std::string(digits, putNumber(digits, number)) == std::to_string(number));
}
