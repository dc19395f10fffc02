// SPDX-License-Identifier: MIT
#include <leat/string_decoder.hpp>

#include <string>

#include <leat_test.hpp>

using leat::Buffer;
using leat::StringDecoder;

namespace {
const std::string replaced = "\xef\xbf\xbd";
}

TEST_CASE("a decoder keeps the beginning of a character until the rest comes") {
  StringDecoder decoder;
  CHECK(decoder.encoding() == "utf8");
  CHECK(decoder.write(Buffer::of(0xe2, 0x82)).empty());
  CHECK(decoder.lastNeed() == 1);
  CHECK(decoder.lastTotal() == 3);
  CHECK(decoder.write(Buffer::of(0xac, 'x')) == "\xe2\x82\xacx");
  CHECK(decoder.lastTotal() == 0);
  CHECK(decoder.end(Buffer::of('y', 0xf0, 0x9f)) == "y" + replaced);
  // Ready for another text.
  CHECK(decoder.write(Buffer::from("again")) == "again");
  CHECK(decoder.end().empty());
  CHECK(decoder.write(Buffer()).empty());
}

TEST_CASE("a text comes out the same however its bytes are cut") {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!\xff\xf0\x9f\xed\xa0\x80\xe2\x82";
  const Buffer utf8 = Buffer::from(text);
  const Buffer utf16 = Buffer::from(text, "utf16le");
  for (const char* name : {"utf8", "utf16le", "base64", "base64url", "hex", "latin1", "ascii"}) {
    const Buffer bytes = name == std::string("utf16le") ? utf16 : utf8;
    for (std::size_t step = 1; step < 7; ++step) {
      StringDecoder decoder(name);
      std::string out;
      for (std::size_t at = 0; at < bytes.size(); at += step)
        out += decoder.write(bytes.subarray(at, at + step));
      out += decoder.end();
      CHECK(out == bytes.toString(name));
    }
  }
}

TEST_CASE("a decoder of utf16le keeps half a pair, which no UTF-8 text can hold") {
  StringDecoder decoder("ucs2");
  CHECK(decoder.encoding() == "utf16le");
  CHECK(decoder.write(Buffer::of(0x3d)).empty());
  CHECK(decoder.write(Buffer::of(0xd8)).empty());
  CHECK(decoder.write(Buffer::of(0)).empty());
  CHECK(decoder.write(Buffer::of(0xde, 'a')) == "\xf0\x9f\x98\x80");
  CHECK(decoder.write(Buffer::of(0)) == "a");
  CHECK(decoder.write(Buffer::of(0x3d, 0xd8, 0x3d, 0xd8)) == replaced);
  CHECK(decoder.end(Buffer::of('b')) == replaced);
  CHECK(decoder.end().empty());
  // Many halves in a row, in pieces of one byte.
  std::string out;
  for (int i = 0; i < 20000; ++i) out += decoder.write(Buffer::of(i % 2 == 0 ? 0 : 0xd8));
  CHECK(out.size() == 9999 * replaced.size());
}

TEST_CASE("a copy of a decoder goes on by itself") {
  StringDecoder first;
  CHECK(first.write(Buffer::of(0xe2, 0x82)).empty());
  StringDecoder second = first;
  CHECK(first.write(Buffer::of(0xac)) == "\xe2\x82\xac");
  CHECK(second.end() == replaced);
}
