// SPDX-License-Identifier: MIT
#include <leat/buffer/encoding.hpp>
#include <leat/stream/codec.hpp>

#include "pieces.hpp"

using namespace leat;

namespace {

template <class Stream>
std::string through(std::string_view bytes) {
  // Joined, as each piece has its own chunk.
  const auto joined = [](const leat_test::Output<Buffer>& output) {
    CHECK(output.error == "");
    return std::string(Buffer::concat(output.items).view());
  };
  const auto make = [] { return Stream(); };
  const auto feed = [&](const std::vector<Buffer>& pieces) {
    return joined(leat_test::pass<Buffer>(make, pieces));
  };
  const std::string whole = feed(leat_test::piecesOf(bytes, bytes.size()));
  INFO(std::string(bytes));
  CHECK(feed(leat_test::piecesOf(bytes, 1)) == whole);
  CHECK(feed(leat_test::piecesOf(bytes, 5)) == whole);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut)
    CHECK(feed({Buffer::from(bytes.substr(0, cut)), Buffer(), Buffer::from(bytes.substr(cut))}) ==
          whole);
  return whole;
}

std::string randomBytes(std::uint32_t& state, std::size_t size, std::string_view alphabet = {}) {
  std::string bytes;
  while (size-- > 0) {
    state = state * 1664525 + 1013904223;
    const std::uint32_t number = state >> 16;
    bytes += alphabet.empty() ? static_cast<char>(number) : alphabet[number % alphabet.size()];
  }
  return bytes;
}

std::string decoded(std::string_view text, std::string_view encoding) {
  return std::string(Buffer::from(text, encoding).view());
}

}  // namespace

TEST_CASE("bytes become hex and base64 as a whole buffer does") {
  CHECK(through<HexEncoder>("\x01\xab z") == "01ab207a");
  CHECK(through<Base64Encoder>("\xfb\xff\xfe?") == "+//+Pw==");
  CHECK(through<Base64UrlEncoder>("\xfb\xff\xfe?") == "-__-Pw");
  std::uint32_t state = 5;
  for (std::size_t size = 0; size < 20; ++size) {
    const std::string bytes = randomBytes(state, size);
    const Buffer buffer = Buffer::from(bytes);
    CHECK(through<HexEncoder>(bytes) == buffer.toString("hex"));
    CHECK(through<Base64Encoder>(bytes) == buffer.toString("base64"));
    CHECK(through<Base64UrlEncoder>(bytes) == buffer.toString("base64url"));
    CHECK(through<HexDecoder>(buffer.toString("hex")) == bytes);
    CHECK(through<Base64Decoder>(buffer.toString("base64")) == bytes);
    CHECK(through<Base64Decoder>(buffer.toString("base64url")) == bytes);
  }
}

TEST_CASE("hex ends at the first pair that is none, and a digit alone is left out") {
  CHECK(through<HexDecoder>("6865zz6c") == "he");
  CHECK(through<HexDecoder>("68656") == "he");
  CHECK(through<HexDecoder>("68 65") == "h");
  CHECK(through<HexDecoder>("z") == "");
  CHECK(through<HexDecoder>("6Cz06c") == "l");
  CHECK(through<HexDecoder>("68\xc3\xa9") == "h");
  std::uint32_t state = 77;
  for (std::size_t round = 0; round < 100; ++round) {
    const std::string text = randomBytes(state, round % 25, "0123456789abcdefABCDEF012345678 g");
    CHECK(through<HexDecoder>(text) == decoded(text, "hex"));
  }
}

TEST_CASE(
    "base64 is taken in both alphabets, with strangers skipped, until the first equals sign") {
  CHECK(through<Base64Decoder>("aGVs\r\nbG8=") == "hello");
  CHECK(through<Base64Decoder>("aGVsbG8") == "hello");
  CHECK(through<Base64Decoder>("aGVsbG8=aGVs") == "hello");
  CHECK(through<Base64Decoder>("-_+/") == "\xfb\xff\xbf");
  CHECK(through<Base64Decoder>("aGVsb") == "hel");
  CHECK(through<Base64Decoder>("=aGVs") == "");
  std::uint32_t state = 99;
  for (std::size_t round = 0; round < 150; ++round) {
    const std::string text =
        randomBytes(state, round % 25, "ABCDwxyz0189+/-_ABCDwxyz0189+/-_ \n*=");
    CHECK(through<Base64Decoder>(text) == decoded(text, "base64"));
  }
}
