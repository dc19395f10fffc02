// SPDX-License-Identifier: MIT
// The regions that docs/buffer.md shows.
#include <leat/buffer.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <leat_test.hpp>

using leat::Buffer;
using leat::StringDecoder;

TEST_CASE("docs/buffer.md: the first lines") {
  // [first]
  Buffer greeting = Buffer::from("héllo");
  std::string hex = greeting.toString("hex");         // "68c3a96c6c6f"
  Buffer bytes = Buffer::from("aMOpbGxv", "base64");  // héllo again
  Buffer both = Buffer::concat(greeting, Buffer::of(0x20), bytes);
  both.subarray(0, 1).fill('H');        // a slice is the same bytes:
  std::string text = both.toString();   // "Héllo héllo"
  std::string seen = bytes.inspect();   // "<Buffer 68 c3 a9 6c 6c 6f>"
  bool found = both.includes("llo h");  // true
  // [/first]
  CHECK(hex == "68c3a96c6c6f");
  CHECK(bytes == greeting);
  CHECK(text == "Héllo héllo");
  CHECK(seen == "<Buffer 68 c3 a9 6c 6c 6f>");
  CHECK(found);
}

TEST_CASE("docs/buffer.md: taking over") {
  // [adopt]
  std::vector<std::byte> image(1 << 20);
  Buffer mine = Buffer::from(image);              // a copy
  Buffer same = Buffer::from(std::move(image));   // no copy: the vector's memory
  Buffer part = same.subarray(-4);                // its last four bytes, shared
  std::string_view view = part;                   // valid while a handle of them is held
  std::ranges::fill(same.bytes(), std::byte{7});  // std::span<std::byte>
  // [/adopt]
  CHECK(mine.readUInt8(0) == 0);
  CHECK(view == "\7\7\7\7");
}

TEST_CASE("docs/buffer.md: numbers") {
  // [numbers]
  Buffer header = Buffer::alloc(11);
  std::size_t at = header.writeUInt16BE(0xcafe);  // gives the place behind it
  at = header.writeUIntBE(70'000, at, 3);         // of 1 to 6 bytes
  at = header.writeFloatLE(0.5, at);
  header.writeInt16LE(-2, at);
  std::uint64_t length = header.readUIntBE(2, 3);
  std::int16_t last = header.readInt16LE(9);
  // [/numbers]
  CHECK(length == 70'000);
  CHECK(last == -2);
  std::string said;
  // [range]
  try {
    header.writeUInt8(256);
  } catch (const leat::RangeError& error) {  // code() is "ERR_OUT_OF_RANGE"
    said = error.what();
    // The value of "value" is out of range. It must be >= 0 and <= 255. Received 256
  }
  // [/range]
  CHECK(said == "The value of \"value\" is out of range. It must be >= 0 and <= 255. Received 256");
}

TEST_CASE("docs/buffer.md: pieces") {
  std::string text;
  const std::vector<Buffer> chunks = {Buffer::of(0xe2, 0x82), Buffer::of(0xac, '!')};
  // [decoder]
  StringDecoder decoder("utf8");
  for (const Buffer& chunk : chunks) text += decoder.write(chunk);  // whole characters only
  text += decoder.end();
  // [/decoder]
  CHECK(text == "€!");
}

TEST_CASE("docs/buffer.md: walking") {
  const Buffer buffer = Buffer::of(3, 4);
  std::size_t sum = 0;
  // [iterate]
  for (std::uint8_t byte : buffer) sum += byte;
  for (auto [index, byte] : buffer.entries()) sum += index * byte;
  // [/iterate]
  CHECK(sum == 11);
}
