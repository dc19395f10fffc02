// SPDX-License-Identifier: MIT
#include <leat/buffer.hpp>

#include <string>

#include <leat_test.hpp>

using leat::Buffer;

TEST_CASE("isUtf8 and isAscii look at every byte") {
  CHECK(leat::buffer::isUtf8(Buffer()));
  CHECK(leat::buffer::isUtf8("h\xc3\xa9llo"));
  CHECK_FALSE(leat::buffer::isUtf8(Buffer::of(0xc3)));
  CHECK_FALSE(leat::buffer::isUtf8("\xed\xa0\x80"));
  CHECK(leat::buffer::isAscii(Buffer::alloc(100, 'a')));
  CHECK_FALSE(leat::buffer::isAscii(Buffer::of(0x80)));
}

TEST_CASE("transcode goes between the encodings of text") {
  using leat::buffer::transcode;
  const Buffer euro = Buffer::from("a\xe2\x82\xac");
  CHECK(transcode(euro, "utf8", "ascii") == "a?");
  CHECK(transcode(euro, "utf8", "utf16le") == Buffer::of('a', 0, 0xac, 0x20));
  CHECK(transcode(Buffer::of(0xe9), "latin1", "utf8") == "\xc3\xa9");
  CHECK(transcode(Buffer(), "hex", "nothing").empty());
  CHECK_THROWS_WITH(transcode(euro, "utf8", "hex"),
                    "Unable to transcode Buffer [U_ILLEGAL_ARGUMENT_ERROR]");
  CHECK_THROWS_WITH(transcode(Buffer::of(0xff), "utf8", "ucs2"),
                    "Unable to transcode Buffer [U_INVALID_CHAR_FOUND]");
}

TEST_CASE("atob and btoa take characters for bytes") {
  CHECK(leat::btoa("h\xc3\xa9") == "aOk=");
  CHECK(leat::atob("aOk=") == "h\xc3\xa9");
  CHECK(leat::buffer::atob("\f a O\nk\t\r") == "h\xc3\xa9");
  CHECK_THROWS_WITH(leat::atob("aO\vk"), "Invalid character");
  CHECK_THROWS_AS(leat::btoa("\xe2\x82\xac"), leat::InvalidCharacterError);
  CHECK_THROWS_WITH(leat::atob("a-_b"), "Invalid character");
  CHECK_THROWS_WITH(leat::atob("a"), "The string to be decoded is not correctly encoded.");
  try {
    (void)leat::atob("=");
    FAIL("nothing thrown");
  } catch (const leat::Error& error) {
    CHECK(error.name() == "InvalidCharacterError");
    CHECK(error.code() == "INVALID_CHARACTER_ERR");
  }
  STATIC_REQUIRE(leat::buffer::kMaxLength == leat::buffer::constants::MAX_LENGTH);
}
