// SPDX-License-Identifier: MIT
// What tests/buffer_parity cannot ask node: texts that are no UTF-8, and a few of each rule to read.
#include <leat/buffer.hpp>

#include <string>
#include <string_view>

#include <leat_test.hpp>

using leat::Buffer;
using leat::BufferEncoding;

namespace {

const std::string replaced = "\xef\xbf\xbd";

std::string codeOf(const leat::Error& error) {
  return std::string(error.name()) + " " + std::string(error.code()) + ": " + error.what();
}

template <class F>
std::string thrown(F f) {
  try {
    f();
  } catch (const leat::Error& error) {
    return codeOf(error);
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE("toString replaces what is no UTF-8, and a view does not") {
  const Buffer cut = Buffer::from("a\xe2\x82");
  CHECK(cut.toString() == "a" + replaced);
  CHECK(std::string(cut) == "a\xe2\x82");
  CHECK(cut.view() == "a\xe2\x82");
  CHECK(Buffer::from("\xed\xa0\x80").toString() == replaced + replaced + replaced);
  CHECK(Buffer::from("\xf0\x9f\x98x").toString() == replaced + "x");
  CHECK(Buffer::from("\xc0\x80\xf5").toString("utf8") == replaced + replaced + replaced);
  CHECK(Buffer::from("h\xc3\xa9llo").toString() == "h\xc3\xa9llo");
  // Longer than a word, a line and a page, with a fault at every place.
  for (std::size_t at = 0; at < 80; ++at) {
    std::string text(80, 'a');
    text[at] = '\xff';
    std::string expected = text;
    expected.replace(at, 1, replaced);
    CHECK(Buffer::from(text).toString() == expected);
    CHECK_FALSE(leat::buffer::isUtf8(text));
    CHECK_FALSE(leat::buffer::isAscii(text));
  }
}

TEST_CASE("a text keeps its bytes in utf8 and is read as UTF-8 for every other encoding") {
  const std::string_view broken = "a\xff\xed\xa0\x80";
  CHECK(Buffer::from(broken) == broken);
  CHECK(Buffer::from(broken, "utf-8") == broken);
  CHECK(Buffer::byteLength(broken) == 5);
  // U+FFFD for each part: four of them.
  CHECK(Buffer::from(broken, "utf16le") ==
        Buffer::of('a', 0, 0xfd, 0xff, 0xfd, 0xff, 0xfd, 0xff, 0xfd, 0xff));
  CHECK(Buffer::from(broken, "latin1") == Buffer::of('a', 0xfd, 0xfd, 0xfd, 0xfd));
  CHECK(Buffer::byteLength(broken, "ascii") == 5);
  CHECK(Buffer::from("ab\xff"
                     "12",
                     "hex") == Buffer::of(0xab));
  CHECK(Buffer::from("YW\xffJj", "base64") == "abc");
  const Buffer room = Buffer::alloc(4, ".");
  CHECK(room.write("\xff\xff\xff\xff\xff") == 4);
  CHECK(room == "\xff\xff\xff\xff");
}

TEST_CASE("a lone surrogate of utf16le becomes U+FFFD, and what toString gives is UTF-8") {
  const Buffer lone = Buffer::of(0x3d, 0xd8, 'a', 0);
  CHECK(lone.toString("utf16le") == replaced + "a");
  CHECK(Buffer::of(0x3d, 0xd8, 0, 0xde).toString("ucs2") == "\xf0\x9f\x98\x80");
  CHECK(Buffer::of(0, 0xde, 0x3d, 0xd8).toString("utf-16le") == replaced + replaced);
  CHECK(Buffer::of('a', 0, 'b').toString("utf16le") == "a");
  unsigned seed = 1;
  Buffer noise = Buffer::alloc(4096);
  for (std::uint8_t& byte : noise)
    byte = static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  for (const char* name : {"utf8", "utf16le", "latin1", "ascii", "hex", "base64", "base64url"})
    CHECK(leat::buffer::isUtf8(noise.toString(name)));
}

TEST_CASE("what was made text comes back as bytes") {
  Buffer all = Buffer::alloc(256 * 3);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i + i / 256);
  for (std::size_t size = 0; size <= all.size(); size += size < 70 ? 1 : 97) {
    const Buffer part = all.subarray(0, size);
    for (const char* name : {"hex", "base64", "base64url", "latin1"})
      CHECK(Buffer::from(part.toString(name), name) == part);
  }
}

TEST_CASE("an encoding is named as in Node or by its constant") {
  CHECK(Buffer::from("6869", BufferEncoding::hex) == "hi");
  CHECK(Buffer::from("6869", "HEX") == "hi");
  CHECK(Buffer::from("6869", std::string("hex")) == "hi");
  CHECK(Buffer::from("hi", "") == "hi");
  CHECK(Buffer::isEncoding("uTf-16Le"));
  CHECK_FALSE(Buffer::isEncoding(""));
  CHECK(Buffer::byteLength("\xe2\x82\xac", "no encoding") == 3);
  const std::string wanted = "TypeError ERR_UNKNOWN_ENCODING: Unknown encoding: utf7";
  const Buffer b = Buffer::from("abc");
  CHECK(thrown([] { (void)Buffer::from("", "utf7"); }) == wanted);
  CHECK(thrown([&] { (void)b.toString("utf7"); }) == wanted);
  CHECK(thrown([&] { (void)b.write("x", "utf7"); }) == wanted);
  CHECK(thrown([&] { (void)b.fill("x", "utf7"); }) == wanted);
  CHECK(thrown([&] { (void)b.indexOf("x", 0, "utf7"); }) == wanted);
  CHECK(thrown([] { leat::StringDecoder decoder("utf7"); }) == wanted);
  CHECK(thrown([&] { (void)b.toString(""); }) ==
        "TypeError ERR_UNKNOWN_ENCODING: Unknown encoding: ");
}

TEST_CASE("the bytes of a buffer may be written to another place of it") {
  Buffer bytes = Buffer::from("abcdef");
  CHECK(bytes.write(bytes.view(), 2) == 4);
  CHECK(bytes.toString() == "ababcd");
  CHECK(bytes.write(bytes.view().substr(0, 2), 1, "latin1") == 2);
  CHECK(bytes.toString() == "aabbcd");
}

TEST_CASE("write stops before a character that does not fit") {
  const Buffer b = Buffer::alloc(5, ".");
  CHECK(b.write("a\xf0\x9f\x98\x80") == 5);
  CHECK(b.write("ab\xf0\x9f\x98\x80") == 2);
  CHECK(b.write("\xe2\x82\xac\xe2\x82\xac") == 3);
  CHECK(b.write("\xc3\xa9", 4) == 0);
  CHECK(b.write("ab", 0, 3, "utf16le") == 2);
  CHECK(b.write("xyz", 5) == 0);
  CHECK(b.write("xyz", 1, 2) == 2);
  CHECK(thrown([&] { (void)b.write("x", 6); }) ==
        "RangeError ERR_OUT_OF_RANGE: The value of \"offset\" is out of range. It must be >= 0 && "
        "<= 5. "
        "Received 6");
  CHECK(thrown([&] { (void)b.write("x", 0, -1); }) ==
        "RangeError ERR_OUT_OF_RANGE: The value of \"length\" is out of range. It must be >= 0 && "
        "<= 5. "
        "Received -1");
  CHECK(Buffer().write("abc") == 0);
}

TEST_CASE("hex ends at the first pair that is none, base64 skips and ends at '='") {
  CHECK(Buffer::from("abxxcd", "hex") == Buffer::of(0xab));
  CHECK(Buffer::from("abc", "hex") == Buffer::of(0xab));
  CHECK(Buffer::from("zz", "hex").data() == nullptr);
  CHECK(Buffer::from("YW Jj\n-_==YWJj", "base64") == Buffer::from("YWJj+/", "base64url"));
  CHECK(Buffer::from("=YWJj", "base64").empty());
  CHECK(Buffer::byteLength("abcde", "hex") == 2);
  CHECK(Buffer::byteLength("YWI=", "base64") == 2);
}

TEST_CASE("a buffer shows itself to a person and to JSON") {
  CHECK(Buffer::from("he").inspect() == "<Buffer 68 65>");
  CHECK(Buffer().inspect() == "<Buffer >");
  const Buffer long_ = Buffer::alloc(52, 1);
  CHECK(long_.inspect().substr(0, 14) == "<Buffer 01 01 ");
  CHECK(long_.inspect().size() == 8 + 50 * 3 - 1 + std::string(" ... 2 more bytes>").size());
  CHECK(long_.subarray(0, 51).inspect().find(" ... 1 more byte>") != std::string::npos);
  CHECK(long_.inspect(1) == "<Buffer 01 ... 51 more bytes>");
  CHECK(Buffer::from("he").toJSON() == R"({"type":"Buffer","data":[104,101]})");
  CHECK(Buffer().toJSON() == R"({"type":"Buffer","data":[]})");
}
