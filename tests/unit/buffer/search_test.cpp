// SPDX-License-Identifier: MIT
#include <leat/buffer.hpp>

#include <string>

#include <leat_test.hpp>

using leat::Buffer;

TEST_CASE("lastIndexOf looks backwards from where it is told") {
  const Buffer b = Buffer::from("a buffer is a buffer");
  CHECK(b.lastIndexOf("buffer") == 14);
  CHECK(b.lastIndexOf("buffer", 13) == 2);
  CHECK(b.lastIndexOf("buffer", -19) == -1);
  CHECK(b.lastIndexOf("buffer", -100) == -1);
  CHECK(b.lastIndexOf('b', 13) == 2);
  CHECK(b.lastIndexOf(256 + 'b') == 14);
  CHECK(b.lastIndexOf("") == 20);
  CHECK(b.lastIndexOf(Buffer::from("a"), 11) == 0);
  CHECK(b.lastIndexOf("a buffer is a buffer!") == -1);
  CHECK(Buffer().lastIndexOf('a') == -1);
}

TEST_CASE("a search may be in another encoding") {
  const Buffer latin = Buffer::of('x', 'a', 0xe9, 0xff);
  CHECK(latin.indexOf("\xc3\xa9", "latin1") == 2);
  CHECK(latin.indexOf("e9ff", 0, "hex") == 2);
  CHECK(latin.includes("6f8=", "base64"));
  CHECK_FALSE(latin.includes("6f8=", 3, "base64"));
  // In utf16le a unit begins at even places only.
  const Buffer units = Buffer::of('b', 'a', 0, 'a', 0);
  CHECK(units.indexOf("a", 0, "utf16le") == -1);
  CHECK(units.indexOf(Buffer::of('a', 0)) == 1);
  CHECK(units.indexOf(Buffer::of('a', 0), 0, "utf16le") == -1);
  CHECK(Buffer::of(0, 'a', 'a', 0).lastIndexOf("a", "ucs2") == 2);
  CHECK(Buffer::of('a', 0).indexOf(Buffer::of('a', 0), -1, "utf16le") == -1);
  CHECK(Buffer::of(1, 2, 3).indexOf(Buffer::of('a', 0), 0, "utf16le") == -1);
}

TEST_CASE("fill repeats bytes, texts and buffers") {
  CHECK(Buffer::alloc(7, "abc") == "abcabca");
  CHECK(Buffer::alloc(3, 'x') == "xxx");
  CHECK(Buffer::alloc(4, "6162", "hex") == "abab");
  CHECK(Buffer::alloc(3, Buffer::from("ab")) == "aba");
  CHECK(Buffer::alloc(3, "") == Buffer::alloc(3));
  const Buffer b = Buffer::alloc(8, ".");
  CHECK(b.fill("ab", 2, 7) == "..ababa.");
  CHECK(b.fill(256 + 'z', 7) == "..ababaz");
  CHECK(b.fill("QQ==", 0, "base64") == "AAAAAAAA");
  CHECK(b.fill("\xe2\x82\xac", 6) == "AAAAAA\xe2\x82");
  // From a part of itself.
  const Buffer self = Buffer::from("abcdef");
  CHECK(self.fill(self.subarray(1, 3), 0) == "bcbcbc");
  // Itself, not a copy.
  CHECK(b.fill(0).data() == b.data());
  CHECK_THROWS_WITH(b.fill("zz", "hex"), "The argument 'value' is invalid. Received 'zz'");
  CHECK_THROWS_WITH(b.fill(Buffer()), "The argument 'value' is invalid. Received <Buffer >");
  CHECK_THROWS_AS(b.fill("zz", "hex"), leat::TypeError);
  CHECK_THROWS_WITH(b.fill(1, 0, 9),
                    "The value of \"end\" is out of range. It must be >= 0 && <= 8. Received 9");
  CHECK_THROWS_WITH(b.fill("a", 2, -1),
                    "The value of \"end\" is out of range. It must be >= 0 && <= 8. Received -1");
}

TEST_CASE("swap turns the bytes of numbers round, and gives the buffer itself") {
  const Buffer b = Buffer::of(1, 2, 3, 4, 5, 6, 7, 8);
  CHECK(b.swap16() == Buffer::of(2, 1, 4, 3, 6, 5, 8, 7));
  CHECK(b.swap16().swap32() == Buffer::of(4, 3, 2, 1, 8, 7, 6, 5));
  CHECK(b.swap32().swap64() == Buffer::of(8, 7, 6, 5, 4, 3, 2, 1));
  CHECK(b.subarray(1, 3).swap16().data() == b.data() + 1);
  CHECK(b == Buffer::of(8, 6, 7, 5, 4, 3, 2, 1));
  CHECK_THROWS_WITH(b.subarray(1).swap16(), "Buffer size must be a multiple of 16-bits");
  CHECK_THROWS_WITH(b.subarray(1).swap32(), "Buffer size must be a multiple of 32-bits");
  CHECK_THROWS_WITH(b.subarray(1).swap64(), "Buffer size must be a multiple of 64-bits");
  CHECK(Buffer().swap64().empty());
}
