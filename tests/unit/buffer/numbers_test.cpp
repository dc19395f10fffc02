// SPDX-License-Identifier: MIT
#include <leat/buffer.hpp>

#include <cmath>
#include <limits>
#include <string>

#include <leat_test.hpp>

using leat::Buffer;

TEST_CASE("numbers stand in both orders at any place") {
  // From a place that is aligned to nothing.
  const Buffer b = Buffer::alloc(17).subarray(1);
  CHECK(b.writeUInt32LE(0x01020304, 1) == 5);
  CHECK(b.subarray(1, 5) == Buffer::of(4, 3, 2, 1));
  CHECK(b.readUInt32BE(1) == 0x04030201);
  CHECK(b.writeInt16BE(-2, 3) == 5);
  CHECK(b.readInt16BE(3) == -2);
  CHECK(b.readUint16LE(3) == 0xfeff);
  CHECK(b.writeBigInt64LE(std::numeric_limits<std::int64_t>::min(), 7) == 15);
  CHECK(b.readBigInt64LE(7) == std::numeric_limits<std::int64_t>::min());
  CHECK(b.readBigUInt64BE(7) == 0x80);
  CHECK(b.writeBigUInt64BE(UINT64_MAX, 5) == 13);
  CHECK(b.readBigUint64LE(5) == UINT64_MAX);
  CHECK(b.writeDoubleBE(-0.0, 3) == 11);
  CHECK(std::signbit(b.readDoubleBE(3)));
  CHECK(b.writeFloatLE(1.5) == 4);
  CHECK(b.readFloatLE() == 1.5f);
  CHECK(b.writeUInt8(255, 15) == 16);
  CHECK(b.readInt8(15) == -1);
}

TEST_CASE("numbers of one to six bytes keep their sign") {
  const Buffer b = Buffer::alloc(8);
  for (int bytes = 1; bytes <= 6; ++bytes) {
    const std::int64_t least = -(std::int64_t{1} << (8 * bytes - 1));
    CHECK(b.writeIntBE(least, 1, bytes) == static_cast<std::size_t>(1 + bytes));
    CHECK(b.readIntBE(1, bytes) == least);
    CHECK(b.writeIntLE(-least - 1, 1, bytes) == static_cast<std::size_t>(1 + bytes));
    CHECK(b.readIntLE(1, bytes) == -least - 1);
    CHECK(b.writeUintLE(-2 * least - 1, 1, bytes) == static_cast<std::size_t>(1 + bytes));
    CHECK(b.readUintBE(1, bytes) == static_cast<std::uint64_t>(-2 * least - 1));
  }
}

TEST_CASE("a number that does not fit, or has no room, is an error in Node's words") {
  const Buffer b = Buffer::alloc(8);
  CHECK_THROWS_WITH(
      b.writeUInt8(256),
      "The value of \"value\" is out of range. It must be >= 0 and <= 255. Received 256");
  CHECK_THROWS_WITH(
      b.writeInt8(UINT64_MAX),
      "The value of \"value\" is out of range. It must be >= -128 and <= 127. Received "
      "18_446_744_073_709_551_615");
  CHECK_THROWS_WITH(
      b.writeUIntLE(std::int64_t{1} << 40, 0, 5),
      "The value of \"value\" is out of range. It must be >= 0 and < 2 ** 40. Received "
      "1_099_511_627_776");
  CHECK_THROWS_WITH(
      b.writeIntBE(std::int64_t{1} << 47, 0, 6),
      "The value of \"value\" is out of range. It must be >= -(2 ** 47) and < 2 ** 47. "
      "Received 140_737_488_355_328");
  CHECK_THROWS_WITH(
      b.writeBigUInt64LE(-1),
      "The value of \"value\" is out of range. It must be >= 0n and < 2n ** 64n. Received -1n");
  CHECK_THROWS_WITH(
      b.writeBigInt64LE(UINT64_MAX),
      "The value of \"value\" is out of range. It must be >= -(2n ** 63n) and < 2n ** "
      "63n. Received 18_446_744_073_709_551_615n");
  CHECK_THROWS_WITH(
      b.readUInt32LE(5),
      "The value of \"offset\" is out of range. It must be >= 0 and <= 4. Received 5");
  CHECK_THROWS_WITH(
      b.readInt8(-1),
      "The value of \"offset\" is out of range. It must be >= 0 and <= 7. Received -1");
  CHECK_THROWS_WITH(
      b.readUIntBE(0, 7),
      "The value of \"byteLength\" is out of range. It must be >= 1 and <= 6. Received 7");
  CHECK_THROWS_WITH(Buffer::alloc(3).readUInt32LE(),
                    "Attempt to access memory outside buffer bounds");
  try {
    (void)Buffer().readInt8();
    FAIL("nothing thrown");
  } catch (const leat::RangeError& error) {
    CHECK(error.code() == "ERR_BUFFER_OUT_OF_BOUNDS");
  }
  CHECK(b == Buffer::alloc(8));  // none of them wrote anything
}
